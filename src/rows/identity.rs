//! What tells the rows of one table apart: that two rows are the same one, or are not.

use super::comparison::within;
use crate::engine::Dialect;
use crate::schema::Table;

/// Returns the columns of a key that tells each row of a table apart for good, and in which nothing changes: `changed` are columns
/// that are written meanwhile.
pub fn lasting_key<'t>(table: &'t Table, changed: &[&String]) -> Option<&'t [String]> {
    let stays = |c: &String| !changed.contains(&c) && !table.is_nullable(c);
    let keys = table.primary_key.iter().chain(&table.unique_keys);
    keys.map(|k| k.columns.as_slice()).find(|columns| !columns.is_empty() && columns.iter().all(stays))
}

/// Returns the columns by which one row of a table is named from outside: its primary key, else the first of its keys without NULL.
pub fn naming_key(table: &Table) -> Option<Vec<String>> {
    if let Some(key) = &table.primary_key {
        return Some(key.columns.clone());
    }
    let keys = table.unique_column_sets().filter(|set| set.iter().all(|c| !table.is_nullable(c)));
    keys.min().map(|set| set.into_iter().map(str::to_string).collect())
}

/// Writes that two rows of a table have the same key: `child.id = kept.id`.
pub fn same_key(dialect: &dyn Dialect, table: &Table, columns: &[String], (one, other): (&str, &str)) -> String {
    let equal = columns.iter().map(|name| {
        let how = table.column(name).map(within).unwrap_or_default();
        let name = dialect.identifier(name);
        how.sql(&format!("{one}.{name}"), &format!("{other}.{name}"))
    });
    equal.collect::<Vec<_>>().join(" AND ")
}

/// Writes that two rows of a table hold the same values in some columns, as texts: one condition for each.
pub fn same_values(dialect: &dyn Dialect, columns: &[&String], (one, other): (&str, &str)) -> Vec<String> {
    let value = |row: &str, column: &String| dialect.as_text(&format!("{row}.{}", dialect.identifier(column)));
    columns.iter().map(|c| format!("{} IS NOT DISTINCT FROM {}", value(one, c), value(other, c))).collect()
}

/// Writes that a row of one table, found by a key in another of the same columns, holds other values there.
pub fn differing(
    dialect: &dyn Dialect,
    table: &Table,
    key: &[String],
    columns: &[&String],
    (source, backup): (&str, &str),
) -> String {
    let same = same_values(dialect, columns, ("child", "kept")).join(" AND ");
    let found = same_key(dialect, table, key, ("child", "kept"));
    format!("EXISTS (SELECT 1 FROM {backup} AS kept JOIN {source} AS child ON {found} WHERE NOT ({same}))")
}

/// Writes that a row has a key whose values are given, each by how it is written.
pub fn has_key(dialect: &dyn Dialect, table: &Table, columns: &[String], (row, values): (&str, &[String])) -> String {
    let equal = columns.iter().zip(values).map(|(name, value)| {
        let how = table.column(name).map(within).unwrap_or_default();
        how.sql(&format!("{row}.{}", dialect.identifier(name)), value)
    });
    equal.collect::<Vec<_>>().join(" AND ")
}

/// Writes that two rows of a table are the same one, by what tells its rows apart; `None` where nothing does.
pub fn same_row(dialect: &dyn Dialect, table: &Table, (one, other): (&str, &str)) -> Option<String> {
    match Apart::of(dialect, table)? {
        Apart::Key(columns) => Some(same_key(dialect, table, &columns, (one, other))),
        Apart::Place(columns) => {
            let equal: Vec<String> = columns.iter().map(|c| format!("{one}.{c} = {other}.{c}")).collect();
            Some(equal.join(" AND "))
        }
    }
}

/// Writes that two rows, of one table or of two that share rows, lie in the same place; `None` where nothing names it.
pub fn same_place(dialect: &dyn Dialect, table: &Table, (one, other): (&str, &str)) -> Option<String> {
    let (one, other) = (dialect.row_identity(table, one)?, dialect.row_identity(table, other)?);
    let equal: Vec<String> = one.iter().zip(&other).map(|(one, other)| format!("{one} = {other}")).collect();
    Some(equal.join(" AND "))
}

/// Writes what tells a row of a table apart as one text; `None` where nothing does.
pub fn as_text(dialect: &dyn Dialect, table: &Table, row: &str) -> Option<String> {
    let columns = match Apart::of(dialect, table)? {
        Apart::Key(columns) => columns.iter().map(|c| dialect.identifier(c)).collect(),
        Apart::Place(columns) => columns,
    };
    let texts: Vec<String> = columns.iter().map(|c| dialect.as_text(&format!("{row}.{c}"))).collect();
    Some(dialect.joined_texts(&texts))
}

/// Writes that two rows, of one table or of two that share rows, are not the same one; `None` where nothing tells.
pub fn is_another(dialect: &dyn Dialect, table: &Table, (one, other): (&str, &str)) -> Option<String> {
    let key = |row: &str| -> Option<Vec<String>> {
        let columns = lasting_key(table, &[])?.iter();
        Some(columns.map(|c| format!("{row}.{}", dialect.identifier(c))).collect())
    };
    let of = |row: &str| dialect.row_identity(table, row).or_else(|| key(row)).map(|parts| parts.join(", "));
    Some(format!("({}) <> ({})", of(one)?, of(other)?))
}

/// What tells the rows of a table apart within one statement.
enum Apart {
    /// The columns of a key.
    Key(Vec<String>),
    /// Where the row is, as the engine writes it.
    Place(Vec<String>),
}

impl Apart {
    /// SQLite: a key that may be NULL tells no rows apart, and a primary key may be ("Rowid Tables").
    fn of(dialect: &dyn Dialect, table: &Table) -> Option<Self> {
        let places = dialect.places(table);
        let place = || (!places.is_empty()).then(|| Self::Place(places.iter().map(|p| p.0.to_string()).collect()));
        let nullable = |c: &String| table.column(c).is_none_or(|c| c.nullable && !table.is_rowid(c));
        let may_be_null = dialect.engine().facts().types.dynamic && !table.without_rowid;
        match naming_key(table) {
            Some(key) if !may_be_null || !key.iter().any(nullable) => Some(Self::Key(key)),
            _ => place(),
        }
    }
}
