//! The query for the keys that break a policy.

use super::super::Dialect;
use crate::schema::{Action, TableName};

/// Asks the pragma functions ("PRAGMA Statements", `foreign_key_list`); names in SQLite are the same in any case.
pub(super) fn keys_not_on_delete(
    dialect: &dyn Dialect,
    parent: &TableName,
    allowed: &[Action],
    exempt: &[(&TableName, &[String])],
) -> String {
    let words: Vec<String> = allowed.iter().map(|a| dialect.literal(a.sql())).collect();
    let mut sql = format!(
        "SELECT m.name AS child, f.\"from\" AS column_name, f.on_delete FROM sqlite_schema AS m JOIN \
         pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND f.\"table\" = {} COLLATE NOCASE AND f.on_delete NOT \
         IN ({})",
        dialect.literal(&parent.name),
        words.join(", ")
    );
    for (child, columns) in exempt {
        let names: Vec<String> = columns.iter().map(|c| dialect.literal(c)).collect();
        sql.push_str(&format!(
            " AND NOT (m.name = {} COLLATE NOCASE AND f.\"from\" COLLATE NOCASE IN ({}))",
            dialect.literal(&child.name),
            names.join(", ")
        ));
    }
    sql.push_str(" ORDER BY 1, 2");
    sql
}
