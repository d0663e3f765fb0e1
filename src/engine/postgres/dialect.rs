//! PostgreSQL's SQL.

use super::super::{Dialect, ddl, keywords};
use crate::change::Change;
use crate::schema::{Engine, Schema};

/// PostgreSQL's dialect.
pub static DIALECT: Postgres = Postgres;

/// See [`DIALECT`].
pub struct Postgres;

impl Dialect for Postgres {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn is_reserved(&self, word: &str) -> bool {
        keywords::POSTGRES.binary_search(&word).is_ok()
    }

    fn sql_for(&self, change: &Change, _schema: &Schema) -> Option<Vec<String>> {
        let table = self.table(change.table());
        Some(match change {
            // Two statements: NOT VALID takes its lock for an instant only, VALIDATE lets writes through (manual, ALTER TABLE).
            Change::AddForeignKey { table: child, foreign_key } => {
                let name = self.identifier(&ddl::constraint_name(child, foreign_key));
                let clause = ddl::foreign_key(self, foreign_key);
                let mut sql = vec![format!("ALTER TABLE {table} ADD CONSTRAINT {name} {clause} NOT VALID")];
                if foreign_key.validated {
                    sql.push(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"));
                }
                sql
            }
            Change::DropForeignKey { table: child, foreign_key } => {
                let name = self.identifier(&ddl::constraint_name(child, foreign_key));
                vec![format!("ALTER TABLE {table} DROP CONSTRAINT {name}")]
            }
            // One statement, so that there is no moment without a key.
            Change::ReplaceForeignKey { table: child, old, new } => {
                let old_name = self.identifier(&ddl::constraint_name(child, old));
                let name = self.identifier(&ddl::constraint_name(child, new));
                let clause = ddl::foreign_key(self, new);
                let mut sql = vec![format!(
                    "ALTER TABLE {table} DROP CONSTRAINT {old_name}, ADD CONSTRAINT {name} {clause} NOT VALID"
                )];
                if new.validated {
                    sql.push(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"));
                }
                sql
            }
            Change::ValidateForeignKey { table: child, foreign_key } => {
                let name = self.identifier(&ddl::constraint_name(child, foreign_key));
                vec![format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")]
            }
            Change::AddIndex { index, .. } => {
                let unique = if index.unique { "UNIQUE " } else { "" };
                let method = if index.method == "btree" { String::new() } else { format!("USING {} ", index.method) };
                let (name, body) = (self.identifier(&index.name), ddl::index_body(self, index));
                vec![format!("CREATE {unique}INDEX CONCURRENTLY {name} ON {table} {method}{body}")]
            }
            Change::DropIndex { table: of, index } => {
                let schema = of.schema.as_ref().map(|s| format!("{}.", self.identifier(s))).unwrap_or_default();
                vec![format!("DROP INDEX CONCURRENTLY {schema}{}", self.identifier(&index.name))]
            }
            Change::SetNullable { column, nullable, .. } => {
                let verb = if *nullable { "DROP" } else { "SET" };
                vec![format!("ALTER TABLE {table} ALTER COLUMN {} {verb} NOT NULL", self.identifier(column))]
            }
            Change::SetDefault { column, default, .. } => {
                let column = self.identifier(column);
                vec![match default {
                    Some(value) => format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}"),
                    None => format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT"),
                }]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Action, ForeignKey, TableName};

    #[test]
    fn reserved_words_are_sorted_for_the_search() {
        assert!(keywords::POSTGRES.is_sorted());
    }

    #[test]
    fn replacing_a_key_leaves_no_moment_without_one() {
        let old = ForeignKey { name: Some("users_fk".into()), ..ForeignKey::new(["w"], "workspaces".into(), ["id"]) };
        let new = ForeignKey { on_delete: Action::Cascade, ..old.clone() };
        let change = Change::ReplaceForeignKey { table: TableName::in_schema(Some("App"), "user"), old, new };
        assert_eq!(
            DIALECT.sql_for(&change, &Schema::new(Engine::Postgres)).unwrap(),
            [
                "ALTER TABLE \"App\".\"user\" DROP CONSTRAINT users_fk, ADD CONSTRAINT users_fk FOREIGN KEY (w) \
                 REFERENCES workspaces (id) ON DELETE CASCADE NOT VALID",
                "ALTER TABLE \"App\".\"user\" VALIDATE CONSTRAINT users_fk",
            ]
        );
    }
}
