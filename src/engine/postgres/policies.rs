//! The query for the keys that break a policy.

use super::super::Dialect;
use crate::schema::{Action, Schema, TableName};

/// Asks `pg_constraint` (manual, "pg_constraint"): what `confdeltype` says is what a delete does.
pub(in crate::engine) fn keys_not_on_delete(
    dialect: &dyn Dialect,
    schema: &Schema,
    parent: &TableName,
    allowed: &[Action],
    exempt: &[(&TableName, &[String])],
) -> String {
    let letter = |a: &Action| match a {
        Action::NoAction => "'a'",
        Action::Restrict => "'r'",
        Action::Cascade => "'c'",
        Action::SetNull => "'n'",
        Action::SetDefault => "'d'",
    };
    let letters: Vec<&str> = allowed.iter().map(letter).collect();
    let class = |table: &TableName| format!("{}::regclass", dialect.literal(&dialect.qualified_table(table, schema)));
    // Clones of a key for the partitions of a table say what the key itself says.
    let mut sql = format!(
        "SELECT conrelid::regclass AS child, conname AS name, confdeltype AS on_delete FROM pg_constraint WHERE \
         contype = 'f' AND conparentid = 0 AND confrelid = {} AND confdeltype NOT IN ({})",
        class(parent),
        letters.join(", ")
    );
    for (child, columns) in exempt {
        let names: Vec<String> = columns.iter().map(|c| dialect.literal(c)).collect();
        sql.push_str(&format!(
            " AND NOT (conrelid = {} AND (SELECT array_agg(attname::text ORDER BY attname::text) FROM pg_attribute WHERE \
             attrelid = conrelid AND attnum = ANY (conkey)) = (SELECT array_agg(c ORDER BY c) FROM unnest(ARRAY[{}]::text[]) \
             AS c))",
            class(child),
            names.join(", ")
        ));
    }
    sql.push_str(" ORDER BY 1, 2");
    sql
}
