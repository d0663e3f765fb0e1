//! What a key looks like, and how well two columns' types fit.

use super::model::Feature;
use super::words;
use crate::schema::{Column, Engine, Family, Table};

/// Returns the feature of a name that ends like a natural key.
pub(super) fn natural(word: &str) -> &'static str {
    match word {
        "code" | "iso" | "symbol" => "ending.code",
        "key" => "ending.key",
        "no" | "nr" | "num" => "ending.no",
        "number" | "slug" | "abbreviation" | "abbrev" => "ending.number",
        // A name beside a table of names is a copy as often as a reference.
        _ => "ending.name",
    }
}

/// Tells whether a column with these features can be its table's key and refer all the same: only a name that says the
/// parent outright is enough.
pub(super) fn can_extend(features: &[Feature]) -> bool {
    const KINDS: &[&str] = &[
        "name.table",
        "name.role_and_table",
        "name.key",
        "name.key_of_namesake",
        "name.key_of_extension",
        "name.key_of_several",
        "name.key_abbreviated",
        "name.more_specific",
        "name.none",
        "habit",
    ];
    let weak =
        |f: &Feature| f.name.starts_with("ending.") || f.name == "name.table_ends_so" || f.name == "name.filler_cut";
    features.first().is_some_and(|f| KINDS.contains(&f.name)) && !features.iter().any(weak)
}

/// Tells whether a column's type can hold a key at all.
pub(super) fn can_refer(column: &Column) -> bool {
    use Family::{Any, Bytes, Decimal, Integer, Other, Text, Uuid};
    column.generated.is_none()
        && matches!(column.data_type.family, Integer | Decimal | Text | Uuid | Bytes | Any | Other)
}

/// Tells whether a column is the number that the engine gives each row: it names the row itself and refers to nothing.
pub(super) fn numbers_rows(engine: Engine, table: &Table, column: &Column) -> bool {
    // SQLite numbers rows by any `INTEGER PRIMARY KEY` that is given none ("CREATE TABLE", 5): no sign of intent.
    let meant = engine.facts().types.auto_number.is_some() || table.autoincrement;
    meant && column.auto_number && table.in_primary_key(&column.name)
}

/// How well two types fit: the feature, and what to say of it. `None` where they do not.
pub(super) fn types(engine: Engine, child: &Column, parent: &Column) -> Option<(&'static str, String)> {
    let (a, b) = (&child.data_type, &parent.data_type);
    let dynamic = engine.facts().types.dynamic;
    let both = if a.raw == b.raw { format!("both are {}", a.raw) } else { format!("{} fits {}", a.raw, b.raw) };
    if a.family == Family::Any || b.family == Family::Any {
        return Some(("type.any", "a column without a type fits every key".to_string()));
    }
    if a.family == b.family {
        let feature = match (a.integer_bytes(), b.integer_bytes()) {
            (Some(child), Some(parent)) if child > parent => "type.wider",
            _ if a.family == Family::Other && a.base != b.base => return None,
            _ => "type.same",
        };
        return Some((feature, both));
    }
    match (a.family, b.family) {
        (Family::Integer, Family::Decimal) | (Family::Decimal, Family::Integer) => Some(("type.number", both)),
        (Family::Text, Family::Uuid) | (Family::Uuid, Family::Text) if dynamic => Some(("type.same", both)),
        (Family::Text, Family::Uuid) | (Family::Uuid, Family::Text) => {
            Some(("type.cast", format!("{} holds {} only after a cast", a.raw, b.raw)))
        }
        // Such columns hold what they are given, and are compared after applying affinity.
        (Family::Text, Family::Integer) | (Family::Integer, Family::Text) if dynamic => {
            Some(("type.crossed", format!("{} beside {}", a.raw, b.raw)))
        }
        _ => None,
    }
}

/// Returns the single column that is a table's key: declared, or, where a table declares no key at all, the one whose
/// name says so.
pub(super) fn sole_key(table: &Table) -> Option<&Column> {
    if let Some(key) = &table.primary_key {
        let [one] = key.columns.as_slice() else { return None };
        return table.column(one);
    }
    if table.unique_column_sets().next().is_some() {
        return None;
    }
    let noun = words::noun(&words::split(&table.name.name));
    table.columns.iter().filter(|c| can_refer(c)).find(|c| {
        let words = words::split(&c.name);
        let name = words.concat();
        let is_id = |w: &str| words::ID_WORDS.contains(&w) || ["code", "no", "key"].contains(&w);
        is_id(&name) || name.strip_prefix(noun.as_str()).is_some_and(is_id)
    })
}

/// Returns the column that a reference to a table would name: the single-column primary key, else a unique `id` or a
/// unique column of the child's own name.
pub(super) fn key_of<'t>(parent: &'t Table, child_column: &str) -> Option<(&'t Column, bool)> {
    if let Some(key) = sole_key(parent) {
        return Some((key, true));
    }
    let unique = |name: &str| parent.unique_column_sets().any(|set| set == [name]);
    let named = ["id", child_column].into_iter().filter_map(|n| parent.column(n)).find(|c| unique(&c.name));
    named.map(|c| (c, false))
}
