//! PostgreSQL's SQL.

use super::super::{Dialect, ddl, keywords};
use super::policies;
use crate::change::Change;
use crate::schema::{Action, Engine, ForeignKey, Schema, Table, TableKind, TableName};

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

    fn keys_not_on_delete(
        &self,
        schema: &Schema,
        parent: &TableName,
        allowed: &[Action],
        exempt: &[(&TableName, &[String])],
    ) -> Option<String> {
        Some(policies::keys_not_on_delete(self, schema, parent, allowed, exempt))
    }

    fn qualifies_operators(&self) -> bool {
        true
    }

    fn collation_of_bytes(&self) -> Option<&'static str> {
        Some("\"C\"")
    }

    /// A row's place, in its partition where the table has several (manual, 5.5).
    fn places(&self, table: &Table) -> Vec<(&'static str, Option<&'static str>)> {
        let ctid = ("ctid", Some("pg_catalog.tid"));
        match table.kind {
            TableKind::Plain => vec![ctid],
            TableKind::Partitioned => vec![("tableoid", Some("pg_catalog.oid")), ctid],
            _ => Vec::new(),
        }
    }

    fn identity_columns(&self) -> &'static [&'static str] {
        &["part", "place"]
    }

    /// "System Columns", 5.6: a row's place, in the table that really holds it.
    fn row_identity(&self, table: &Table, row: &str) -> Option<Vec<String>> {
        let local = matches!(table.kind, TableKind::Plain | TableKind::Partitioned);
        local.then(|| vec![format!("{row}.tableoid"), format!("{row}.ctid")])
    }

    /// Not by `EXISTS`: how many rows such a set has is not known when a query is planned, and then each row of the table is compared
    /// with each of the set. What is not in a list is hashed. Nothing in it is NULL.
    fn is_in(&self, table: &Table, row: &str, set: &str, number: usize) -> Option<String> {
        let (parts, names) = (self.row_identity(table, row)?.join(", "), self.identity_columns().join(", other."));
        Some(format!("({number}, {parts}) IN (SELECT other.t, other.{names} FROM {set} AS other)"))
    }

    fn stored_identity(&self, table: &Table, row: &str) -> Option<Vec<String>> {
        let [part, place] = <[String; 2]>::try_from(self.row_identity(table, row)?).ok()?;
        Some(vec![part, format!("{place}::pg_catalog.text")])
    }

    fn is_stored(&self, _table: &Table, row: &str, set: &str) -> Option<String> {
        Some(format!("{row}.tableoid = {set}.part AND {row}.ctid = {set}.place::pg_catalog.tid"))
    }

    fn restored_identity(&self) -> String {
        "part, place::pg_catalog.tid AS place".to_string()
    }

    /// Whole pages, chosen at random with a fixed seed (SELECT, "TABLESAMPLE"); twice as many as needed.
    fn sample(&self, _table: &Table, source: &str, (row, what): (&str, &str), rows: u64, sample: usize) -> String {
        let all = format!("SELECT {what} FROM {source} AS {row}");
        let Some(percent) = (sample as u64 * 200).checked_div(rows) else { return format!("{all} LIMIT {sample}") };
        format!("{all} TABLESAMPLE SYSTEM ({}) REPEATABLE (1) LIMIT {sample}", percent.clamp(1, 100))
    }

    // The cluster by its identifier (manual, 9.27.12, pg_control_system), the database by its oid.
    fn identity_query(&self) -> Option<&'static str> {
        Some(
            "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::pg_catalog.text || '/' || oid::pg_catalog.text \
             FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
        )
    }

    fn sql_for(&self, change: &Change, schema: &Schema) -> Option<Vec<String>> {
        let table = self.table(change.table());
        // Manual, CREATE INDEX and DROP INDEX: neither runs concurrently on a partitioned table.
        let concurrently = if is_partitioned(schema, change.table()) { "" } else { "CONCURRENTLY " };
        Some(match change {
            Change::AddForeignKey { table: child, foreign_key } => {
                add_foreign_key(self, schema, child, foreign_key, &format!("ALTER TABLE {table}"))
            }
            Change::DropForeignKey { table: child, foreign_key } => {
                let name = self.identifier(&ddl::constraint_name(child, foreign_key));
                vec![format!("ALTER TABLE {table} DROP CONSTRAINT {name}")]
            }
            // One statement, so that there is no moment without a key.
            Change::ReplaceForeignKey { table: child, old, new } => {
                let old_name = self.identifier(&ddl::constraint_name(child, old));
                add_foreign_key(self, schema, child, new, &format!("ALTER TABLE {table} DROP CONSTRAINT {old_name},"))
            }
            Change::ValidateForeignKey { table: child, foreign_key } => {
                let name = self.identifier(&ddl::constraint_name(child, foreign_key));
                vec![format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")]
            }
            Change::AddIndex { index, .. } => {
                let unique = if index.unique { "UNIQUE " } else { "" };
                let method = if index.method == "btree" { String::new() } else { format!("USING {} ", index.method) };
                let (name, body) = (self.identifier(&index.name), ddl::index_body(self, index));
                vec![format!("CREATE {unique}INDEX {concurrently}{name} ON {table} {method}{body}")]
            }
            Change::DropIndex { table: of, index } => {
                let folder = of.schema.as_ref().map(|s| format!("{}.", self.identifier(s))).unwrap_or_default();
                vec![format!("DROP INDEX {concurrently}{folder}{}", self.identifier(&index.name))]
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
            Change::DropTable { cascade, .. } => {
                vec![format!("DROP TABLE {table}{}", if *cascade { " CASCADE" } else { "" })]
            }
            Change::RenameTable { table: from, to } if from.schema == to.schema => {
                vec![format!("ALTER TABLE {table} RENAME TO {}", self.identifier(&to.name))]
            }
            Change::DropColumn { column, cascade, .. } => {
                let cascade = if *cascade { " CASCADE" } else { "" };
                vec![format!("ALTER TABLE {table} DROP COLUMN {}{cascade}", self.identifier(column))]
            }
            Change::RenameColumn { column, to, .. } => {
                let (column, to) = (self.identifier(column), self.identifier(to));
                vec![format!("ALTER TABLE {table} RENAME COLUMN {column} TO {to}")]
            }
            Change::SetType { column, data_type, collation, .. } => {
                // Without the clause the column gets its type's own collation (manual, ALTER TABLE).
                let collation = collation.as_ref().map(|c| format!(" COLLATE {}", self.quote(&c.name)));
                let (column, collation) = (self.identifier(column), collation.unwrap_or_default());
                vec![format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {}{collation}", data_type.raw)]
            }
            Change::DropConstraint { name, cascade, .. } => {
                let cascade = if *cascade { " CASCADE" } else { "" };
                vec![format!("ALTER TABLE {table} DROP CONSTRAINT {}{cascade}", self.identifier(name))]
            }
            Change::RenameConstraint { name, to, .. } => {
                let (name, to) = (self.identifier(name), self.identifier(to));
                vec![format!("ALTER TABLE {table} RENAME CONSTRAINT {name} TO {to}")]
            }
            Change::ValidateCheck { name, .. } => {
                vec![format!("ALTER TABLE {table} VALIDATE CONSTRAINT {}", self.identifier(name))]
            }
            Change::DropTrigger { name, .. } => vec![format!("DROP TRIGGER {} ON {table}", self.identifier(name))],
            // Read from files, never proposed.
            _ => return None,
        })
    }
}

fn is_partitioned(schema: &Schema, table: &TableName) -> bool {
    schema.table(table).is_some_and(|t| t.kind == TableKind::Partitioned)
}

/// Writes what adds a key, after `ALTER TABLE …` and what else that statement does.
///
/// Two statements: NOT VALID takes its lock for an instant only, VALIDATE lets writes through (manual, ALTER TABLE). A
/// partitioned child takes no NOT VALID key before PostgreSQL 18: there it is one statement, which locks while it checks.
fn add_foreign_key(
    dialect: &dyn Dialect,
    schema: &Schema,
    child: &TableName,
    key: &ForeignKey,
    alter: &str,
) -> Vec<String> {
    let own_name = ddl::constraint_name(child, key);
    let name = dialect.identifier(&own_name);
    let clause = ddl::foreign_key(dialect, key, &dialect.table(&key.parent));
    let comment = ddl::comment(dialect, &dialect.table(child), key, &own_name);
    if key.validated && key.enforced && is_partitioned(schema, child) {
        let add = format!("{alter} ADD CONSTRAINT {name} {clause}");
        return [add].into_iter().chain(comment).collect();
    }
    let later = if key.enforced { "NOT VALID" } else { "NOT ENFORCED" };
    let mut sql = vec![format!("{alter} ADD CONSTRAINT {name} {clause} {later}")];
    sql.extend(comment);
    if key.validated && key.enforced {
        sql.push(format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", dialect.table(child)));
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Index;

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

    #[test]
    fn partitioned_tables_take_neither_concurrent_builds_nor_unvalidated_keys() {
        let mut schema = crate::testing::schema(Engine::Postgres, &["p: id int8 pk", "c: p int8"]);
        let name = TableName::new("c");
        let index = Index::on("c_p_idx", ["p"]);
        let key = ForeignKey::new(["p"], "p".into(), ["id"]);
        let changes = [
            Change::AddIndex { table: name.clone(), index: index.clone() },
            Change::DropIndex { table: name.clone(), index },
            Change::AddForeignKey { table: name.clone(), foreign_key: key.clone() },
            Change::ReplaceForeignKey { table: name.clone(), old: key.clone(), new: key },
        ];
        let sql = |schema: &Schema| changes.each_ref().map(|c| DIALECT.sql_for(c, schema).unwrap().join("; "));
        assert!(sql(&schema)[..2].iter().all(|s| s.contains("INDEX CONCURRENTLY c_p_idx")));
        assert!(sql(&schema)[2..].iter().all(|s| s.contains("NOT VALID; ALTER TABLE c VALIDATE")));
        schema.table_mut(&name).unwrap().kind = TableKind::Partitioned;
        assert_eq!(
            sql(&schema),
            [
                "CREATE INDEX c_p_idx ON c (p)",
                "DROP INDEX c_p_idx",
                "ALTER TABLE c ADD CONSTRAINT c_p_fkey FOREIGN KEY (p) REFERENCES p (id) ON DELETE NO ACTION",
                "ALTER TABLE c DROP CONSTRAINT c_p_fkey, ADD CONSTRAINT c_p_fkey FOREIGN KEY (p) REFERENCES p (id) ON \
                 DELETE NO ACTION",
            ]
        );
    }

    #[test]
    fn a_key_over_periods_and_one_that_is_not_enforced_are_written_as_they_are() {
        let period = ForeignKey {
            name: Some("stays_room".into()),
            temporal: true,
            comment: Some("who's where".into()),
            ..ForeignKey::new(["room", "during"], "rooms".into(), ["id", "open"])
        };
        let add = |key: ForeignKey| {
            let change = Change::AddForeignKey { table: "stays".into(), foreign_key: key };
            DIALECT.sql_for(&change, &Schema::new(Engine::Postgres)).unwrap()
        };
        assert_eq!(
            add(period.clone()),
            [
                "ALTER TABLE stays ADD CONSTRAINT stays_room FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD open) \
                 ON DELETE NO ACTION NOT VALID",
                "COMMENT ON CONSTRAINT stays_room ON stays IS 'who''s where'",
                "ALTER TABLE stays VALIDATE CONSTRAINT stays_room",
            ]
        );
        let loose = ForeignKey { enforced: false, validated: false, temporal: false, comment: None, ..period };
        assert!(add(loose)[0].ends_with("ON DELETE NO ACTION NOT ENFORCED"));
    }
}
