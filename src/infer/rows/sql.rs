//! What is read of rows, and what counts say.

use crate::rows::{RelationRows, TableRows};
use crate::schema::{Column, Family};

/// Longer texts are no keys, and are not read.
const LONGEST: usize = 200;

/// Lists columns to read, without what is too long for a key.
pub(super) fn list(rows: &TableRows<'_>, columns: &[&Column]) -> String {
    let one = |c: &&Column| {
        let name = rows.column(&c.name);
        match c.data_type.family {
            Family::Text | Family::Bytes => format!("CASE WHEN length({name}) <= {LONGEST} THEN {name} END"),
            _ => name,
        }
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Counts the rows that refer, and those of them that have no parent.
pub(super) fn count_orphans(relation: &RelationRows<'_>) -> String {
    relation.counts(&relation.with_reference())
}

/// What counted rows say of a key of several columns.
pub(super) fn verdict(rows: u64, orphans: u64) -> &'static str {
    match orphans {
        0 => "composite.included",
        n if n * 20 <= rows => "composite.mostly",
        _ => "composite.contradicted",
    }
}
