//! The statements that read rows.

use crate::engine::{Dialect, Value};
use crate::rows::comparison::of_columns;
use crate::schema::{Column, Engine, Family, Schema, Table, TableName};

/// Tells whether a table has more than so many rows, and how many it has if not.
pub(super) fn count_up_to(dialect: &dyn Dialect, table: &TableName, most: usize) -> String {
    format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {}) AS some_rows", dialect.table(table), most + 1)
}

/// Longer texts are no keys, and are not read.
const LONGEST: usize = 200;

/// Lists columns to read, each behind a prefix, without what is too long for a key.
fn list(dialect: &dyn Dialect, columns: &[&Column], prefix: &str) -> String {
    let one = |c: &&Column| {
        let name = format!("{prefix}{}", dialect.identifier(&c.name));
        match c.data_type.family {
            Family::Text | Family::Bytes => format!("CASE WHEN length({name}) <= {LONGEST} THEN {name} END"),
            _ => name,
        }
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Reads columns of all rows.
pub(super) fn whole(dialect: &dyn Dialect, table: &TableName, columns: &[&Column]) -> String {
    format!("SELECT {} FROM {}", list(dialect, columns, ""), dialect.table(table))
}

/// Reads columns of some rows from all over the table, without reading the rest.
pub(super) fn sample(dialect: &dyn Dialect, table: &Table, columns: &[&Column], rows: u64, sample: usize) -> String {
    let (listed, name) = (list(dialect, columns, ""), dialect.table(&table.name));
    let rowid = table.columns.iter().all(|c| !c.name.eq_ignore_ascii_case("rowid")) && !table.without_rowid;
    match dialect.engine() {
        Engine::Sqlite if rowid => {
            let of = list(dialect, columns, "t.");
            // Every look-up is one descent of the table's own tree; rowids that are not there give no row.
            format!(
                "WITH RECURSIVE step(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM step WHERE i < {last}), \
                 span(low, high) AS (SELECT (SELECT min(rowid) FROM {name}), (SELECT max(rowid) FROM {name})) \
                 SELECT {of} FROM step CROSS JOIN span CROSS JOIN {name} AS t \
                 WHERE t.rowid = low + (high - low) * i / {last}",
                last = sample.saturating_sub(1).max(1)
            )
        }
        Engine::Postgres if rows > 0 => {
            // Whole pages, chosen at random with a fixed seed (SELECT, "TABLESAMPLE"); twice as many as needed.
            let percent = (sample as u64 * 200).checked_div(rows).unwrap_or(100).clamp(1, 100);
            format!("SELECT {listed} FROM {name} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1) LIMIT {sample}")
        }
        _ => format!("SELECT {listed} FROM {name} LIMIT {sample}"),
    }
}

/// Reads the first rows, where a sample gave too few.
pub(super) fn first(dialect: &dyn Dialect, table: &TableName, columns: &[&Column], sample: usize) -> String {
    format!("SELECT {} FROM {} LIMIT {sample}", list(dialect, columns, ""), dialect.table(table))
}

/// Reads a key's least and greatest value: two look-ups in its index.
pub(super) fn range(dialect: &dyn Dialect, table: &TableName, key: &str) -> String {
    let (name, key) = (dialect.table(table), dialect.identifier(key));
    format!("SELECT (SELECT min({key}) FROM {name}), (SELECT max({key}) FROM {name})")
}

/// Counts which of some values a key has. `qualified` is the operator to compare by, where a plain `=`, as IN takes it, may be
/// taken for another one.
pub(super) fn look_up(
    dialect: &dyn Dialect,
    table: &TableName,
    key: &str,
    values: &[Value],
    qualified: Option<&str>,
) -> String {
    let list: Vec<String> = values
        .iter()
        .map(|v| match v {
            Value::Integer(n) => n.to_string(),
            Value::Blob(_) if dialect.engine() == Engine::Sqlite => v.to_string(),
            other => dialect.literal(&other.to_string()),
        })
        .collect();
    let key = dialect.identifier(key);
    let condition = match qualified {
        None => format!("{key} IN ({})", list.join(", ")),
        Some(operator) => {
            let each: Vec<String> = list.iter().map(|value| format!("{key} OPERATOR({operator}) {value}")).collect();
            each.join(" OR ")
        }
    };
    format!("SELECT count(DISTINCT {key}) FROM {} WHERE {condition}", dialect.table(table))
}

/// Counts the rows that refer, and those of them that have no parent.
pub(super) fn count_orphans(
    dialect: &dyn Dialect,
    schema: &Schema,
    (child, columns): (&TableName, &[String]),
    (parent, parent_columns): (&TableName, &[String]),
) -> String {
    let c = |name: &String| format!("c.{}", dialect.identifier(name));
    let filled: Vec<String> = columns.iter().map(|n| format!("{} IS NOT NULL", c(n))).collect();
    let equal: Vec<String> = parent_columns
        .iter()
        .zip(columns)
        .map(|(p, n)| {
            let how = of_columns(dialect, schema, (child, n), (parent, p));
            how.sql(&format!("p.{}", dialect.identifier(p)), &c(n))
        })
        .collect();
    format!(
        "SELECT count(*), count(CASE WHEN NOT EXISTS (SELECT 1 FROM {} AS p WHERE {}) THEN 1 END) FROM {} AS c WHERE {}",
        dialect.table(parent),
        equal.join(" AND "),
        dialect.table(child),
        filled.join(" AND ")
    )
}

/// What counted rows say of a key of several columns.
pub(super) fn verdict(rows: u64, orphans: u64) -> &'static str {
    match orphans {
        0 => "composite.included",
        n if n * 20 <= rows => "composite.mostly",
        _ => "composite.contradicted",
    }
}
