//! How much each kind of evidence is worth.
//!
//! The numbers are set so that 0.5 means "more likely than not by far": only a name that says the parent outright passes
//! without further help.

use crate::schema::{Column, Engine, Family, Table};

/// `customer_id` and a table of customers.
pub(super) const NAMED: f64 = 0.95;
/// The same, the table's prefix left out.
pub(super) const NAMED_WITHOUT_PREFIX: f64 = 0.9;
/// The column has the name of the parent's own key.
pub(super) const SAME_KEY_NAME: f64 = 0.92;
/// The same, but the key is not named after its table.
pub(super) const SAME_KEY_NAME_ONLY: f64 = 0.55;
/// `billing_address_id` and addresses.
pub(super) const ROLE_AND_NAME: f64 = 0.85;
/// `config_files.set_id` and `config_sets`.
pub(super) const IN_CONTEXT: f64 = 0.75;
/// `org_id` and organizations.
pub(super) const ABBREVIATED: f64 = 0.8;
/// `analysis_id` and `analysis_runs`.
pub(super) const NAMED_WITHOUT_FILLER: f64 = 0.7;
/// `user_id` and `auth_user`, when no other table ends so.
pub(super) const TABLE_ENDS_SO: f64 = 0.6;
/// `parent_id`.
pub(super) const SELF_ROLE: f64 = 0.85;
/// `owner_id`, `created_by`.
pub(super) const PERSON_ROLE: f64 = 0.75;
/// Every declared key on a column of this name refers to that table.
pub(super) const HABIT: f64 = 0.85;
/// A column of the parent's bare name: `customer`.
pub(super) const BARE_NAME: f64 = 0.8;
/// A unique `code` and the like: what the column's last word is worth.
pub(super) fn natural(word: &str) -> f64 {
    match word {
        "code" | "iso" | "symbol" => 0.78,
        "key" => 0.75,
        "no" | "nr" | "num" => 0.7,
        "number" | "slug" | "abbreviation" | "abbrev" => 0.6,
        // A name beside a table of names is a copy as often as a reference.
        _ => 0.4,
    }
}

/// Tells whether a column's type can hold a key at all.
pub(super) fn can_refer(column: &Column) -> bool {
    use Family::{Any, Bytes, Decimal, Integer, Other, Text, Uuid};
    column.generated.is_none()
        && matches!(column.data_type.family, Integer | Decimal | Text | Uuid | Bytes | Any | Other)
}

/// How well two types fit: a factor, and what to say of it. `None` where they do not.
pub(super) fn types(engine: Engine, child: &Column, parent: &Column) -> Option<(f64, String)> {
    let (a, b) = (&child.data_type, &parent.data_type);
    let both = if a.raw == b.raw { format!("both are {}", a.raw) } else { format!("{} fits {}", a.raw, b.raw) };
    if a.family == Family::Any || b.family == Family::Any {
        return Some((0.9, "a column without a type fits every key".to_string()));
    }
    if a.family == b.family {
        let factor = match (a.integer_bytes(), b.integer_bytes()) {
            (Some(child), Some(parent)) if child > parent => 0.97,
            _ if a.family == Family::Other && a.base != b.base => return None,
            _ => 1.0,
        };
        return Some((factor, both));
    }
    match (a.family, b.family) {
        (Family::Integer, Family::Decimal) | (Family::Decimal, Family::Integer) => Some((0.9, both)),
        (Family::Text, Family::Uuid) | (Family::Uuid, Family::Text) if engine == Engine::Sqlite => Some((1.0, both)),
        (Family::Text, Family::Uuid) | (Family::Uuid, Family::Text) => {
            Some((0.6, format!("{} holds {} only after a cast", a.raw, b.raw)))
        }
        _ => None,
    }
}

/// Returns the column that a reference to a table would name: the single-column primary key, else a unique `id` or a
/// unique column of the child's own name.
pub(super) fn key_of<'t>(parent: &'t Table, child_column: &str) -> Option<(&'t Column, bool)> {
    if let Some(key) = &parent.primary_key
        && let [one] = key.columns.as_slice()
    {
        return parent.column(one).map(|c| (c, true));
    }
    let unique = |name: &str| parent.unique_column_sets().any(|set| set == [name]);
    let named = ["id", child_column].into_iter().filter_map(|n| parent.column(n)).find(|c| unique(&c.name));
    named.map(|c| (c, false))
}
