//! The script that rebuilds a table: SQLite cannot change a constraint of a table that exists ("ALTER TABLE", 7).
//!
//! The order is: the old table is renamed, the new one is made under the old one's name, filled, and the old one dropped.
//! Two settings make it safe, and the script itself looks whether they hold before it does anything:
//!
//! - `foreign_keys = OFF`: the drop deletes no rows of children ("DROP TABLE", implied DELETE), and the rename leaves their
//!   REFERENCES alone. It has no effect inside a transaction, so it comes before.
//! - `legacy_alter_table = ON`: the rename leaves views and other tables' triggers alone. They name the table, which has its
//!   name again at the end, so none of them has to be dropped and made again, and one that was broken before is no
//!   hindrance. At the end nothing may mention the temporary name.
//!
//! The other order (make the new one under another name, drop the old one, rename) would need the same two settings, and
//! SQLite would keep the definition with quotes around the name that nobody wrote.

use super::sql::{in_list, literal};
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::plan::{Script, Transaction};
use crate::schema::Table;

/// The table that the script's checks are written into: the name of the check that fails is in SQLite's message.
const GUARD: &str = "temp._referee_guard";

/// One way through a rebuild: up or down.
pub(super) struct Rebuild<'a> {
    /// The table; up and down have the same columns.
    pub table: &'a Table,
    /// What the table is called while its rows are copied.
    pub backup: &'a str,
    /// The table's definition to be made.
    pub text: &'a str,
    /// The definitions that the table may have before.
    pub known: &'a [&'a str],
    /// The indexes to be made, as they are written.
    pub indexes: Vec<String>,
    /// The triggers to be made, as they are written.
    pub triggers: Vec<String>,
    /// The names of indexes and triggers that the table may have before; another one would be lost.
    pub names: Vec<String>,
    /// Queries that count what must not be there when the rows are copied: rows without parent.
    pub violations: Vec<String>,
}

/// The columns that a copy names: generated ones compute themselves; a rowid that no column stands for is copied, too, so
/// that whatever remembers it still finds its row.
pub(super) fn copied_columns(table: &Table) -> Vec<String> {
    let own = table.columns.iter().filter(|c| c.generated.is_none()).map(|c| DIALECT.identifier(&c.name));
    hidden_rowid(table).map(str::to_string).into_iter().chain(own).collect()
}

/// Returns what a table's rowid is called, if no column stands for it.
pub(super) fn hidden_rowid(table: &Table) -> Option<&'static str> {
    let stands_for_it = table.without_rowid || table.columns.iter().any(|c| c.auto_number);
    super::sql::rowid(table).filter(|_| !stands_for_it)
}

/// A condition that is true if a table has one of these definitions. What stands before the first parenthesis may differ:
/// a rename puts quotes around the name.
pub(super) fn has_definition(table: &str, known: &[&str]) -> String {
    let name = literal(table);
    let of = format!("FROM main.sqlite_schema WHERE type = 'table' AND name = {name}");
    if table.contains('(') {
        return format!("EXISTS (SELECT 1 {of} AND sql IN ({}))", in_list(known.iter().copied()));
    }
    let bodies: Vec<&str> = known.iter().map(|sql| sql.find('(').map_or(*sql, |at| &sql[at..])).collect();
    format!("EXISTS (SELECT 1 {of} AND substr(sql, instr(sql, '(')) IN ({}))", in_list(bodies.into_iter()))
}

impl Rebuild<'_> {
    /// Writes the script.
    pub(super) fn script(&self) -> Script {
        let name = &self.table.name.name;
        let (table, backup) = (DIALECT.identifier(name), DIALECT.identifier(self.backup));
        let columns = copied_columns(self.table).join(", ");
        let mut statements = vec![
            "PRAGMA legacy_alter_table = ON".to_string(),
            format!("CREATE TEMP TABLE {} ({})", &GUARD["temp.".len()..], guard_columns()),
            foreign_keys_are_off(),
            check("alter_table_is_legacy", "SELECT legacy_alter_table = 1 FROM pragma_legacy_alter_table"),
            check("table_is_as_planned", &format!("SELECT {}", self.as_planned())),
            format!("ALTER TABLE main.{table} RENAME TO {backup}"),
            self.text.to_string(),
            format!("INSERT OR ABORT INTO main.{table} ({columns}) SELECT {columns} FROM main.{backup}"),
            check(
                "all_rows_are_copied",
                &format!("SELECT (SELECT count(*) FROM main.{table}) = (SELECT count(*) FROM main.{backup})"),
            ),
        ];
        for violation in &self.violations {
            statements.push(check("no_row_is_without_parent", &format!("SELECT ({violation}) = 0")));
        }
        if self.table.autoincrement {
            // The rename has taken the old table's row along; the new one's knows the rows that are there, not those that
            // were ("AUTOINCREMENT", 3).
            statements.push(format!("DELETE FROM main.sqlite_sequence WHERE name = {}", literal(name)));
            statements.push(format!(
                "UPDATE main.sqlite_sequence SET name = {} WHERE name = {}",
                literal(name),
                literal(self.backup)
            ));
        }
        statements.push(format!("DROP TABLE main.{backup}"));
        statements.extend(self.indexes.iter().cloned());
        statements.extend(self.triggers.iter().cloned());
        statements.push(check(
            "nothing_mentions_the_old_table",
            &format!("SELECT count(*) = 0 FROM main.sqlite_schema WHERE instr(sql, {}) > 0", literal(self.backup)),
        ));
        statements.push(format!("DROP TABLE {GUARD}"));
        statements.push("PRAGMA legacy_alter_table = OFF".to_string());
        Script {
            before: vec!["PRAGMA foreign_keys = OFF".to_string()],
            statements,
            after: vec!["PRAGMA legacy_alter_table = OFF".to_string(), "PRAGMA foreign_keys = ON".to_string()],
            transaction: Transaction::Own,
        }
    }

    /// A condition that is true if the table has one of the known definitions, and no index and no trigger that would be
    /// lost.
    fn as_planned(&self) -> String {
        format!("{} AND NOT EXISTS ({})", self.has_definition(), self.others())
    }

    /// A condition that is true if the table has one of the known definitions.
    pub(super) fn has_definition(&self) -> String {
        has_definition(&self.table.name.name, self.known)
    }

    /// Writes the query for the indexes and triggers that would be lost.
    pub(super) fn others(&self) -> String {
        format!(
            "SELECT type, name FROM main.sqlite_schema WHERE type IN ('index', 'trigger') AND tbl_name = {} COLLATE NOCASE AND sql IS NOT \
             NULL AND name NOT IN ({})",
            literal(&self.table.name.name),
            in_list(self.names.iter().map(String::as_str))
        )
    }
}

const CHECKS: [&str; 6] = [
    "foreign_keys_are_off",
    "alter_table_is_legacy",
    "table_is_as_planned",
    "all_rows_are_copied",
    "no_row_is_without_parent",
    "nothing_mentions_the_old_table",
];

/// The statement that stops a rebuild while foreign keys are enforced.
pub(super) fn foreign_keys_are_off() -> String {
    check("foreign_keys_are_off", "SELECT foreign_keys = 0 FROM pragma_foreign_keys")
}

fn guard_columns() -> String {
    CHECKS.map(|c| format!("{c} INTEGER CONSTRAINT {c} CHECK ({c})")).join(", ")
}

fn check(name: &str, query: &str) -> String {
    format!("INSERT INTO {GUARD} ({name}) {query}")
}
