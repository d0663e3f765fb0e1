//! SQLite's SQL.

use super::super::{Dialect, ddl, keywords};
use super::policies;
use crate::change::Change;
use crate::schema::{Action, Column, Comparison, Engine, Schema, TableName};

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
    ) -> String {
        policies::keys_not_on_delete(self, parent, allowed, exempt)
    }

    /// A foreign key compares by the parent's affinity and collation ("Foreign Key Support", 3). In a comparison the left column's
    /// collation is taken, and the plus takes the child's affinity away.
    fn key_equality(&self, parent: &str, child: &str, _how: &Comparison) -> String {
        format!("{parent} = +{child}")
    }

    fn has_equality(&self, _column: &Column) -> bool {
        true
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
