//! What an undo is held against before it drops a backup: every row is back as it was, and every reference. A trigger or a rule may
//! have the engine pass over a row, or give it other values.

use super::super::backup_common;
use super::super::servers::builder::Builder;
use super::{catalog, since};
use crate::rows::identity::{differing, lasting_key, same_key};
use crate::schema::{Table, TableName};

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
pub(super) fn check(builder: &Builder<'_>, all: &[Restored<'_>]) -> String {
    let lines: Vec<String> = all.iter().map(|one| one.line(builder)).collect();
    format!("DO $referee$\n#variable_conflict use_column\nBEGIN\n{}\nEND\n$referee$", lines.join("\n"))
}

/// Writes the statement that drops the backup of references that are back. Where triggers gave the rows other values, which the
/// undo leaves, it holds the only copy of the old ones, and is renamed instead.
pub(super) fn drop_or_rename(builder: &Builder<'_>, one: &Restored<'_>) -> String {
    let (table, place) = (one.table, one.place);
    let left = backup_common::left_after_undo(one.backup);
    let others: Vec<&String> = table.columns.iter().filter(|c| c.generated.is_none()).map(|c| &c.name).collect();
    let nulled = one.columns.unwrap_or_default();
    let Some(key) = lasting_key(table, nulled) else { return format!("DROP TABLE {place}") };
    let there = catalog::relation(builder, &builder.name(&left));
    format!(
        "DO $referee$\nBEGIN\n  IF NOT {} THEN\n    DROP TABLE {place};\n  ELSIF {there} IS NULL THEN\n    ALTER TABLE {place} RENAME TO {};\n  \
         ELSE\n    INSERT INTO {} SELECT * FROM {place};\n    DROP TABLE {place};\n  END IF;\nEND $referee$",
        differing(builder.dialect, table, key, &others, (one.source, place)),
        builder.dialect.identifier(&left.name),
        builder.name(&left),
    )
}

impl Restored<'_> {
    fn line(&self, builder: &Builder<'_>) -> String {
        let literal = |text: &str| builder.dialect.literal(text);
        let text = format!(
            "rows of `{}` that are backed up in `{}` did not come back as they were: a trigger or a rule of the table keeps or changes them; \
             nothing was undone. ",
            self.table.name, self.backup,
        );
        let (off, on) = self.switches(builder);
        format!(
            "  IF EXISTS ({}) THEN RAISE EXCEPTION USING MESSAGE = pg_catalog.concat({}, COALESCE({} || {off} || {} || {on}, {})); END IF;",
            self.missing(builder),
            literal(&text),
            literal("Disable what does so: "),
            literal("; undo; then: "),
            literal("No BEFORE trigger or rule of the table is enabled by now: look at its column types"),
        )
    }

    /// Writes queries of the statements that disable, and enable again as they are, the triggers and rules which may keep or change rows
    /// that come back.
    fn switches(&self, builder: &Builder<'_>) -> (String, String) {
        // The bits of `tgtype` (pg_trigger.h): ROW 1, BEFORE 2, INSERT 4, UPDATE 16.
        let (fires, event) = if self.columns.is_some() { (19, '2') } else { (7, '3') };
        let of = since::all_of(builder, &[&self.table.name]);
        // A partition's copy of a trigger follows its table's; older versions mark such a one as internal.
        let found = format!(
            "SELECT t.tgrelid AS at, 'TRIGGER' AS kind, t.tgname AS name, t.tgenabled AS how FROM pg_catalog.pg_trigger t WHERE NOT \
             t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype::pg_catalog.int4 & {fires} = {fires} AND \
             COALESCE(pg_catalog.to_jsonb(t) OPERATOR(pg_catalog.->>) 'tgparentid', '0') = '0' AND t.tgrelid IN ({of}) UNION ALL SELECT \
             r.ev_class, 'RULE', r.rulename, r.ev_enabled FROM pg_catalog.pg_rewrite r WHERE r.ev_enabled IN ('O', 'A') AND r.ev_type = \
             '{event}' AND r.ev_class IN ({of})"
        );
        let all = |verb: &str| {
            format!(
                "(SELECT pg_catalog.string_agg(pg_catalog.format('ALTER TABLE %I.%I %s %s %I', n.nspname, c.relname, {verb}, a.kind, a.name), \
                 '; ' ORDER BY c.oid, a.name) FROM ({found}) AS a JOIN pg_catalog.pg_class c ON c.oid = a.at JOIN pg_catalog.pg_namespace n ON \
                 n.oid = c.relnamespace)"
            )
        };
        (all("'DISABLE'"), all("CASE a.how WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END"))
    }

    fn missing(&self, builder: &Builder<'_>) -> String {
        let (source, place) = (self.source, self.place);
        let changed = self.columns.unwrap_or_default();
        let row = |of: &str| {
            let own = self.table.columns.iter().filter(|c| c.generated.is_none());
            let own = own.filter(|c| self.columns.is_none_or(|some| some.contains(&&c.name)));
            let all: Vec<String> = own.map(|c| format!("{of}.{}", builder.dialect.identifier(&c.name))).collect();
            // Not every type has an equality.
            format!("ROW({})::pg_catalog.text", all.join(", "))
        };
        match lasting_key(self.table, changed) {
            Some(identity) => format!(
                "SELECT 1 FROM {place} AS kept WHERE NOT EXISTS (SELECT 1 FROM {source} AS child WHERE {} AND {} = {})",
                same_key(builder.dialect, self.table, identity, ("child", "kept")),
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
