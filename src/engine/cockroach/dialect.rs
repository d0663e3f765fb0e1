//! CockroachDB's SQL, where it differs from PostgreSQL's.

use super::super::{Dialect, ddl, postgres};
use crate::change::Change;
use crate::schema::{Action, Engine, Schema, Table, TableName};

/// CockroachDB's dialect.
pub static DIALECT: Cockroach = Cockroach;

/// See [`DIALECT`].
pub struct Cockroach;

impl Dialect for Cockroach {
    fn engine(&self) -> Engine {
        Engine::Cockroach
    }

    fn is_reserved(&self, word: &str) -> bool {
        // CockroachDB reserves these beside PostgreSQL's (docs, "SQL Grammar", reserved_keyword).
        matches!(word, "index" | "nothing" | "lookup" | "family") || postgres::DIALECT.is_reserved(word)
    }

    fn keys_not_on_delete(
        &self,
        schema: &Schema,
        parent: &TableName,
        allowed: &[Action],
        exempt: &[(&TableName, &[String])],
    ) -> Option<String> {
        Some(postgres::policies::keys_not_on_delete(self, schema, parent, allowed, exempt))
    }

    fn joins_collations(&self) -> bool {
        // Collated strings of different collations are of different types (docs, "Collate").
        false
    }

    fn nulls_first(&self) -> bool {
        // Docs, "ORDER BY": NULL is lower than any other value.
        true
    }

    /// The hidden column of a table without a primary key (docs, "Primary Key Constraint").
    fn places(&self, table: &Table) -> Vec<(&'static str, Option<&'static str>)> {
        let hidden = table.primary_key.is_none() && table.column("rowid").is_none();
        if hidden { vec![("rowid", None)] } else { Vec::new() }
    }

    // Docs, "Functions and operators", crdb_internal.cluster_id: every user may call it.
    fn identity_query(&self) -> Option<&'static str> {
        Some("SELECT crdb_internal.cluster_id()::STRING || '/' || current_database()")
    }

    fn sql_for(&self, change: &Change, schema: &Schema) -> Option<Vec<String>> {
        let table = self.table(change.table());
        Some(match change {
            // Adding a key is online and validated by a job; no NOT VALID is needed (docs, "Online Schema Changes").
            Change::AddForeignKey { table: child, foreign_key } => {
                let name = self.identifier(&ddl::constraint_name(child, foreign_key));
                let add = format!(
                    "ALTER TABLE {table} ADD CONSTRAINT {name} {}",
                    ddl::foreign_key(self, foreign_key, &self.table(&foreign_key.parent))
                );
                let own_name = ddl::constraint_name(child, foreign_key);
                [add].into_iter().chain(ddl::comment(self, &table, foreign_key, &own_name)).collect()
            }
            // The same name cannot be dropped and added at once: add under a new one, drop, rename.
            Change::ReplaceForeignKey { table: child, old, new } => {
                let old_name = ddl::constraint_name(child, old);
                let name = ddl::constraint_name(child, new);
                let passing = if old_name == name { format!("{name}_new") } else { name.clone() };
                let clause = ddl::foreign_key(self, new, &self.table(&new.parent));
                let mut sql = vec![
                    format!("ALTER TABLE {table} ADD CONSTRAINT {} {clause}", self.identifier(&passing)),
                    format!("ALTER TABLE {table} DROP CONSTRAINT {}", self.identifier(&old_name)),
                ];
                if passing != name {
                    let (from, to) = (self.identifier(&passing), self.identifier(&name));
                    sql.push(format!("ALTER TABLE {table} RENAME CONSTRAINT {from} TO {to}"));
                }
                sql.extend(ddl::comment(self, &table, new, &name));
                sql
            }
            // All indexes are built online; CONCURRENTLY only earns a notice.
            Change::AddIndex { index, .. } => {
                let unique = if index.unique { "UNIQUE " } else { "" };
                let (name, body) = (self.identifier(&index.name), ddl::index_body(self, index));
                vec![format!("CREATE {unique}INDEX {name} ON {table} {body}")]
            }
            Change::DropIndex { index, .. } => vec![format!("DROP INDEX {table}@{}", self.identifier(&index.name))],
            _ => return postgres::DIALECT.sql_for(change, schema),
        })
    }
}
