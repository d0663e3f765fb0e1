//! What an undo is held against before it drops a backup: every row is back as it was, and every reference. A trigger or a rule may
//! have the engine pass over a row, or give it other values.

use super::super::aside;
use super::super::servers::bench::Bench;
use super::catalog;
use crate::rows::identity::{differing, lasting_key, same_key};
use crate::schema::{Table, TableName, Trigger};

/// A backup that an undo restores rows from.
pub(super) struct Restored<'r> {
    pub table: &'r Table,
    /// The table as it is written in FROM.
    pub source: &'r str,
    /// The backup as it is written.
    pub place: &'r str,
    pub backup: &'r TableName,
    /// The columns that were set to NULL; `None` if the rows were gone.
    pub columns: Option<&'r [&'r String]>,
}

/// Writes the statement that raises an error unless everything is back.
pub(super) fn check(bench: &Bench<'_>, all: &[Restored<'_>]) -> String {
    let lines: Vec<String> = all.iter().map(|one| one.line(bench)).collect();
    format!("DO $referee$\n#variable_conflict use_column\nBEGIN\n{}\nEND\n$referee$", lines.join("\n"))
}

/// Writes the statement that drops the backup of references that are back. Where triggers gave the rows other values, which the
/// undo leaves, it holds the only copy of the old ones, and is renamed instead.
pub(super) fn drop_or_rename(bench: &Bench<'_>, one: &Restored<'_>) -> String {
    let (table, place) = (one.table, one.place);
    let left = aside::left_after_undo(one.backup);
    let others: Vec<&String> = table.columns.iter().filter(|c| c.generated.is_none()).map(|c| &c.name).collect();
    let nulled = one.columns.unwrap_or_default();
    let Some(key) = lasting_key(table, nulled) else { return format!("DROP TABLE {place}") };
    let there = catalog::relation(bench, &bench.name(&left));
    format!(
        "DO $referee$\nBEGIN\n  IF NOT {} THEN\n    DROP TABLE {place};\n  ELSIF {there} IS NULL THEN\n    ALTER TABLE {place} RENAME TO {};\n  \
         ELSE\n    INSERT INTO {} SELECT * FROM {place};\n    DROP TABLE {place};\n  END IF;\nEND $referee$",
        differing(bench.dialect, table, key, &others, (one.source, place)),
        bench.dialect.identifier(&left.name),
        bench.name(&left),
    )
}

impl Restored<'_> {
    fn line(&self, bench: &Bench<'_>) -> String {
        let event = if self.columns.is_some() { "UPDATE" } else { "INSERT" };
        let before = |t: &&Trigger| t.enabled && t.timing == "BEFORE" && t.events.iter().any(|e| e == event);
        let known: Vec<&str> = self.table.triggers.iter().filter(before).map(|t| t.name.as_str()).collect();
        let known =
            if known.is_empty() { String::new() } else { format!(" (known when planned: {})", known.join(", ")) };
        let text = format!(
            "rows of `{}` that are backed up in `{}` did not come back as they were: a BEFORE {event} trigger or a rule of the table keeps or \
             changes them{known}; nothing was undone. ALTER TABLE {} DISABLE TRIGGER the one that does, undo, and enable it again",
            self.table.name,
            self.backup,
            bench.name(&self.table.name)
        );
        format!(
            "  IF EXISTS ({}) THEN RAISE EXCEPTION USING MESSAGE = {}; END IF;",
            self.missing(bench),
            bench.dialect.literal(&text)
        )
    }

    fn missing(&self, bench: &Bench<'_>) -> String {
        let (source, place) = (self.source, self.place);
        let changed = self.columns.unwrap_or_default();
        let row = |of: &str| {
            let own = self.table.columns.iter().filter(|c| c.generated.is_none());
            let own = own.filter(|c| self.columns.is_none_or(|some| some.contains(&&c.name)));
            let all: Vec<String> = own.map(|c| format!("{of}.{}", bench.dialect.identifier(&c.name))).collect();
            // Not every type has an equality.
            format!("ROW({})::pg_catalog.text", all.join(", "))
        };
        match lasting_key(self.table, changed) {
            Some(identity) => format!(
                "SELECT 1 FROM {place} AS kept WHERE NOT EXISTS (SELECT 1 FROM {source} AS child WHERE {} AND {} = {})",
                same_key(bench.dialect, self.table, identity, ("child", "kept")),
                row("child"),
                row("kept")
            ),
            None => format!(
                "SELECT {} FROM {place} AS kept EXCEPT ALL SELECT {} FROM {source} AS child",
                row("kept"),
                row("child")
            ),
        }
    }
}
