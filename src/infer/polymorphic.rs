//! Pairs of columns of which one says which table the other refers to.

use super::holds_rows_of_its_own;
use super::words::{self, noun, split};
use crate::schema::{DataType, Family, Schema, Table, TableName};

/// Two columns that together refer to a row of one of several tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolymorphicPair {
    /// The table that holds them.
    pub table: TableName,
    /// The column that names the kind of row: `commentable_type`.
    pub type_column: String,
    /// The column that holds the key: `commentable_id`.
    pub id_column: String,
    /// The tables that the kinds turn out to mean, where rows were read.
    pub targets: Vec<Target>,
}

/// What one kind of a polymorphic pair refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind, as the rows spell it.
    pub kind: String,
    /// How many rows have it.
    pub rows: u64,
    /// The table and its key; `None` if no table fits.
    pub parent: Option<(TableName, String)>,
    /// How many of these rows refer to nothing.
    pub orphans: u64,
}

const TYPES: &[&str] = &["type", "kind", "class", "model", "content_type"];
const IDS: &[&str] = &["id", "uuid", "guid", "key", "pk"];

/// Returns the pairs such as `commentable_type` and `commentable_id`, sorted.
///
/// A pair whose key column a foreign key declares is none: the other column is then only a kind.
pub fn polymorphic_pairs(schema: &Schema) -> Vec<PolymorphicPair> {
    let mut pairs = Vec::new();
    let nouns: Vec<String> = schema.tables.iter().map(|t| noun(&split(&t.name.name))).collect();
    for table in schema.tables.iter().filter(|t| holds_rows_of_its_own(t)) {
        let snake = |name: &str| super::words::split(name).join("_");
        for kind in &table.columns {
            if !matches!(
                kind.data_type.family,
                Family::Text | Family::Enum | Family::Any | Family::Other | Family::Integer
            ) {
                continue;
            }
            let kind_name = snake(&kind.name);
            let stem = TYPES.iter().find_map(|t| kind_name.strip_suffix(t)?.strip_suffix('_'));
            let Some(stem) = stem.filter(|s| !s.is_empty()) else { continue };
            let id = table.columns.iter().find(|c| {
                let name = snake(&c.name);
                name.strip_prefix(stem).and_then(|n| n.strip_prefix('_')).is_some_and(|n| IDS.contains(&n))
            });
            let Some(id) = id.filter(|_| names_tables(&kind.data_type, stem, &nouns)) else { continue };
            let declared = table.foreign_keys.iter().any(|k| k.columns.contains(&id.name));
            let refers_itself = table.foreign_keys.iter().any(|k| k.columns.contains(&kind.name));
            let one_kind = !can_be_any_row(stem) && is_unique_without(table, &id.name, &kind.name);
            if !declared && !refers_itself && !one_kind && super::scoring::can_refer(id) {
                pairs.push(PolymorphicPair {
                    table: table.name.clone(),
                    type_column: kind.name.clone(),
                    id_column: id.name.clone(),
                    targets: Vec::new(),
                });
            }
        }
    }
    pairs.sort_by(|a, b| (&a.table, &a.id_column).cmp(&(&b.table, &b.id_column)));
    pairs.dedup_by(|a, b| a.table == b.table && a.id_column == b.id_column);
    pairs
}

/// Nouns that say of a row only what is done to it, so that it can be any table's.
const ANY_ROW: &[&str] =
    &["subject", "target", "source", "resource", "entity", "object", "record", "item", "parent", "principal", "holder"];

/// Tells whether a type column beside an id can say which table the id is of.
fn names_tables(kind: &DataType, stem: &str, nouns: &[String]) -> bool {
    let stem = split(stem);
    let name = noun(&stem);
    // `provider_method_type` is a kind of another system's things.
    let elsewhere = stem.len() > 1 && stem.iter().any(|w| words::FOREIGN_SYSTEMS.contains(&w.as_str()));
    if elsewhere && !nouns.contains(&name) {
        return false;
    }
    match kind.family {
        // PUBLIC and PRIVATE are no tables, even if ORGANISATION happens to be one.
        Family::Enum if !kind.labels.is_empty() => {
            let is_table = |label: &&String| nouns.iter().any(|n| n.ends_with(&noun(&split(label))));
            kind.labels.iter().filter(is_table).count() * 2 >= kind.labels.len()
        }
        // A number is a kind of whatever the stem names, unless the stem can name anything.
        Family::Integer => can_be_any_row(&stem.concat()),
        _ => true,
    }
}

/// Tells whether a word says what is done to a row, and not what it is.
fn can_be_any_row(stem: &str) -> bool {
    let role = split(stem).concat();
    words::PERSON_ROLES.contains(&role.as_str()) || ANY_ROW.contains(&role.as_str()) || role.ends_with("able")
}

/// Tells whether a unique key holds an id and not the kind beside it: then the ids are all of one kind of thing, of which the
/// other column says more. `UNIQUE (run_id, step_id)` beside `step_type`.
fn is_unique_without(table: &Table, id: &str, kind: &str) -> bool {
    table.unique_column_sets().any(|columns| columns.contains(&id) && !columns.contains(&kind))
}
