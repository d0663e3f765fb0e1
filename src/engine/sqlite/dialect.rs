//! SQLite's SQL.

use super::super::{Dialect, Recursion, Value, ddl, keywords};
use super::policies;
use crate::change::Change;
use crate::schema::{Action, Column, Comparison, Engine, Schema, Table, TableKind, TableName};

/// SQLite's dialect.
pub static DIALECT: Sqlite = Sqlite;

/// See [`DIALECT`].
pub struct Sqlite;

impl Dialect for Sqlite {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn identifier(&self, name: &str) -> String {
        let mut chars = name.chars();
        let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !self.is_reserved(&name.to_ascii_lowercase());
        if plain { name.to_string() } else { self.quote(name) }
    }

    fn is_reserved(&self, word: &str) -> bool {
        keywords::SQLITE.contains(&word)
    }

    fn keys_not_on_delete(
        &self,
        _schema: &Schema,
        parent: &TableName,
        allowed: &[Action],
        exempt: &[(&TableName, &[String])],
    ) -> Option<String> {
        Some(policies::keys_not_on_delete(self, parent, allowed, exempt))
    }

    fn joined_texts(&self, texts: &[String]) -> String {
        texts.join(" || char(31) || ")
    }

    /// A foreign key compares by the parent's affinity and collation ("Foreign Key Support", 3). In a comparison the left column's
    /// collation is taken, and the plus takes the child's affinity away.
    fn key_equality(&self, parent: &str, child: &str, _how: &Comparison) -> String {
        format!("{parent} = +{child}")
    }

    fn has_equality(&self, _column: &Column) -> bool {
        true
    }

    /// A text with a NUL in it, and a number beyond all, have no literal of their own.
    fn value(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_string(),
            Value::Text(text) if text.contains('\0') => {
                format!("CAST({} AS TEXT)", Value::Blob(text.as_bytes().to_vec()))
            }
            Value::Text(text) => self.literal(text),
            Value::Real(x) if x.is_infinite() => if *x > 0.0 { "9e999" } else { "-9e999" }.to_string(),
            Value::Real(x) => format!("{x:e}"),
            other => other.to_string(),
        }
    }

    /// "Datatypes In SQLite", 4.1: a NULL is less than any other value.
    fn nulls_first(&self) -> bool {
        true
    }

    fn places(&self, table: &Table) -> Vec<(&'static str, Option<&'static str>)> {
        rowid(table).into_iter().map(|name| (name, None)).collect()
    }

    fn identity_columns(&self) -> &'static [&'static str] {
        &["r"]
    }

    fn row_identity(&self, table: &Table, row: &str) -> Option<Vec<String>> {
        let Some(key) = table.primary_key.as_ref().filter(|_| table.without_rowid) else {
            return rowid(table).map(|name| vec![format!("{row}.{name}")]);
        };
        // None of these holds a comma: two keys never give one text. `quote()` ends a text at its first NUL, but tells any two
        // numbers apart, which `hex()` does not.
        let part = |column: &String| {
            let value = format!("{row}.{}", self.identifier(column));
            format!(
                "CASE WHEN typeof({value}) IN ('text', 'blob') THEN typeof({value}) || hex({value}) ELSE quote({value}) END"
            )
        };
        let parts: Vec<String> = key.columns.iter().map(part).collect();
        Some(vec![parts.join(" || ',' || ")])
    }

    fn is_in(&self, table: &Table, row: &str, set: &str, number: usize) -> Option<String> {
        let identity = self.row_identity(table, row)?.concat();
        Some(format!("{identity} IN (SELECT r FROM {set} WHERE t = {number})"))
    }

    /// Every look-up is one descent of the table's own tree; rowids that are not there give no row.
    fn sample(&self, table: &Table, source: &str, (row, what): (&str, &str), _rows: u64, sample: usize) -> String {
        let Some(rowid) = rowid(table) else { return format!("SELECT {what} FROM {source} AS {row} LIMIT {sample}") };
        let last = sample.saturating_sub(1).max(1);
        format!(
            "WITH RECURSIVE _referee_step(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM _referee_step WHERE i < {last}), \
             _referee_span(low, high) AS (SELECT (SELECT min({rowid}) FROM {source}), (SELECT max({rowid}) FROM {source})) \
             SELECT {what} FROM _referee_step AS step CROSS JOIN _referee_span AS span CROSS JOIN {source} AS {row} \
             WHERE {row}.{rowid} = span.low + (span.high - span.low) * step.i / {last}"
        )
    }

    /// The greatest rowid is as many rows as there can be if none was ever deleted.
    fn most_rows(&self, table: &Table, source: &str) -> Option<String> {
        rowid(table).map(|rowid| format!("SELECT max({rowid}) FROM {source}"))
    }

    fn recursion(&self) -> Recursion {
        Recursion::Pairs
    }

    fn identity_query(&self) -> Option<&'static str> {
        Some("SELECT 'file:' || file FROM pragma_database_list WHERE name = 'main' AND file <> ''")
    }

    fn sql_for(&self, change: &Change, _schema: &Schema) -> Option<Vec<String>> {
        match change {
            Change::AddIndex { table, index } => {
                let unique = if index.unique { "UNIQUE " } else { "" };
                let (name, table, body) =
                    (self.identifier(&index.name), self.table(table), ddl::index_body(self, index));
                Some(vec![format!("CREATE {unique}INDEX {name} ON {table} {body}")])
            }
            Change::DropIndex { index, .. } => Some(vec![format!("DROP INDEX {}", self.identifier(&index.name))]),
            Change::DropTable { table, .. } => Some(vec![format!("DROP TABLE {}", self.table(table))]),
            Change::RenameTable { table, to } => {
                Some(vec![format!("ALTER TABLE {} RENAME TO {}", self.table(table), self.identifier(&to.name))])
            }
            Change::RenameColumn { table, column, to } => {
                let (column, to) = (self.identifier(column), self.identifier(to));
                Some(vec![format!("ALTER TABLE {} RENAME COLUMN {column} TO {to}", self.table(table))])
            }
            Change::DropColumn { table, column, .. } => {
                Some(vec![format!("ALTER TABLE {} DROP COLUMN {}", self.table(table), self.identifier(column))])
            }
            Change::DropTrigger { name, .. } => Some(vec![format!("DROP TRIGGER {}", self.identifier(name))]),
            // "ALTER TABLE": neither constraints nor NOT NULL can be changed in place; the table has to be rebuilt.
            Change::AddForeignKey { .. }
            | Change::DropForeignKey { .. }
            | Change::ReplaceForeignKey { .. }
            | Change::ValidateForeignKey { .. }
            | Change::SetNullable { .. }
            | Change::SetDefault { .. } => None,
            // Read from files, never proposed.
            _ => None,
        }
    }
}

/// Returns what a table's rowid is called: "Rowid Tables" has three names, each unless a column has it.
fn rowid(table: &Table) -> Option<&'static str> {
    let is_free = |name: &&str| !table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    let has_one = !table.without_rowid && table.kind == TableKind::Plain;
    ["rowid", "_rowid_", "oid"].into_iter().find(is_free).filter(|_| has_one)
}
