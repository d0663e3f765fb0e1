//! The statements that change the rows of a closure, and those that stop the transaction around them.

use super::super::super::closure::{self, Mark, Sizes};
use super::super::{backup as place, since};
use super::{Backup, GONE, NULLED, Writing};
use crate::engine::postgres::CHANGED;
use crate::relations::side;
use crate::rows::RelationRows;
use crate::rows::identity::{differing, lasting_key};

impl Writing<'_, '_> {
    /// Stops the transaction when more rows are concerned than the plan showed, or one that is protected.
    pub(super) fn as_shown(&self, sizes: Option<&Sizes>, backups: &[Backup]) -> Result<String, String> {
        let literal = |text: &str| self.builder.dialect.literal(text);
        let mut lines: Vec<String> =
            since::lines(self.builder, &self.since(backups)).iter().map(|l| format!("  {l}")).collect();
        for backup in backups {
            let plain = place::plain(self.builder, &backup.place);
            lines.push(format!("  LOCK TABLE {} IN ROW EXCLUSIVE MODE;\n  {plain}", backup.place));
        }
        if let Some(sizes) = sizes {
            let gone = self.closure.tables.iter().zip(&sizes.gone).enumerate().map(|(at, (table, shown))| {
                (format!("FROM {GONE} WHERE t = {}", at + 1), *shown, format!("of {table} would be deleted"))
            });
            let marks = self.closure.marks.iter().zip(&sizes.marks).enumerate().map(|(at, (mark, shown))| {
                let of = side(&mark.table, &mark.columns);
                (format!("FROM {NULLED} WHERE t = {}", at + 1), *shown, format!("of {of} would be set to NULL"))
            });
            let mut guesses = Vec::new();
            for (guess, shown) in self.closure.guesses.iter().zip(&sizes.guesses) {
                let rows = self.rows().blocked(guess, GONE)?;
                guesses.push((rows.from(), *shown, format!("of {} would become orphans", guess.child)));
            }
            for (from, shown, what) in gone.chain(marks).chain(guesses) {
                let text = format!(" rows {what}, and the plan showed {}: plan again", closure::rows(shown));
                lines.push(format!(
                    "  SELECT pg_catalog.count(*) INTO _referee_count {from};\n  IF _referee_count > {shown} THEN RAISE EXCEPTION USING MESSAGE \
                     = pg_catalog.concat(_referee_count, {}); END IF;",
                    literal(&text)
                ));
            }
        }
        for block in &self.closure.blocks {
            lines.push(format!(
                "  IF {} THEN RAISE EXCEPTION USING MESSAGE = {}; END IF;",
                self.rows().blocked(block, GONE)?.some(),
                literal(&self.closure.blocked(block, None))
            ));
        }
        if lines.is_empty() {
            lines.push("  NULL;".to_string());
        }
        Ok(format!("DO $referee$\nDECLARE\n  _referee_count bigint;\nBEGIN\n{}\nEND\n$referee$", lines.join("\n")))
    }

    /// Writes the one statement that backs up, deletes and sets to NULL.
    pub(super) fn change(&self, backups: &[Backup]) -> Result<String, String> {
        let mut parts: Vec<String> = Vec::new();
        for (at, backup) in backups.iter().enumerate() {
            let table = self.builder.table(&backup.of)?;
            let (source, place) = (self.source(&backup.of), &backup.place);
            let (all, of_child) = (self.columns(table, ""), self.columns(table, "child."));
            match backup.mark {
                None => {
                    let same = self.rows().is_at(&backup.of, "child", "gone")?;
                    parts.push(format!(
                        "deleted{at} AS (DELETE FROM {source} AS child USING {GONE} AS gone WHERE gone.t = {} AND {same} RETURNING {of_child})",
                        self.number(&backup.of)
                    ));
                    parts.push(format!("backup{at} AS (INSERT INTO {place} ({all}) SELECT {all} FROM deleted{at})"));
                }
                Some(mark) => {
                    let same = self.rows().is_at(&backup.of, "child", "nulled")?;
                    parts.push(format!(
                        "backup{at} AS (INSERT INTO {place} ({all}) SELECT {of_child} FROM {source} AS child, {NULLED} AS nulled \
                         WHERE nulled.t = {} AND {same})",
                        mark + 1
                    ));
                }
            }
        }
        for (at, table) in self.closure.changed().into_iter().enumerate() {
            let marks: Vec<(usize, &Mark)> =
                self.closure.marks.iter().enumerate().filter(|(_, m)| m.table == *table).collect();
            if marks.is_empty() {
                continue;
            }
            let numbers: Vec<String> = marks.iter().map(|(n, _)| (n + 1).to_string()).collect();
            let flags: Vec<String> =
                marks.iter().map(|(n, _)| format!("pg_catalog.bool_or(t = {}) AS m{n}", n + 1)).collect();
            let set = marks.iter().flat_map(|(n, mark)| {
                let one = |c: &String| {
                    let column = self.builder.dialect.identifier(c);
                    format!("{column} = CASE WHEN found.m{n} THEN NULL ELSE child.{column} END")
                };
                mark.columns.iter().map(one).collect::<Vec<_>>()
            });
            parts.push(format!(
                "nulled{at} AS (UPDATE {} AS child SET {} FROM (SELECT part, place, {} FROM {NULLED} WHERE t IN ({}) GROUP BY part, place) AS found \
                 WHERE {})",
                self.source(table),
                set.collect::<Vec<_>>().join(", "),
                flags.join(", "),
                numbers.join(", "),
                self.rows().is_at(table, "child", "found")?
            ));
        }
        // The parts run whatever is selected of them (manual, 7.8.4); what they changed is told by the backups.
        Ok(format!("WITH {}\nSELECT 1 WHERE false", parts.join(",\n  ")))
    }

    /// Stops the transaction while orphans are left, or rows that refer to one that is gone: a trigger may have kept a row.
    pub(super) fn nothing_left(&self, backups: &[Backup]) -> Result<String, String> {
        let literal = |text: &str| self.builder.dialect.literal(text);
        let mut lines: Vec<String> = Vec::new();
        let stop = |found: String, text: String| {
            format!("  IF {found} THEN RAISE EXCEPTION USING MESSAGE = {}; END IF;", literal(&text))
        };
        for one in &self.closure.checked {
            let text = format!(
                "{} still has orphans: a trigger or rule of `{}` keeps rows from being changed; nothing was changed",
                side(&one.child, &one.key.columns),
                one.child
            );
            lines.push(stop(self.rows().orphans(one).some(), text));
        }
        for one in &self.closure.relations() {
            let whole = self.closure.whole(&one.key.parent);
            let deleted = backups.iter().find(|b| b.mark.is_none() && b.of == *whole);
            let Some(deleted) = deleted.filter(|_| !self.closure.checked.contains(one)) else { continue };
            let relation = RelationRows::of_key(self.builder.dialect, &self.builder.now, &one.child, &one.key);
            let mut rows = relation.referring_to(&deleted.place);
            if *whole != one.key.parent {
                // A row of another partition may have had the same key.
                rows = rows.and(&relation.orphans().condition);
            }
            let text = format!(
                "{} still refers to deleted rows: a trigger or rule of `{}` keeps rows from being changed; nothing was changed",
                side(&one.child, &one.key.columns),
                one.child
            );
            lines.push(stop(rows.some(), text));
        }
        if !self.counters().waived {
            for backup in backups.iter().filter(|b| b.mark.is_some()) {
                lines.extend(self.rewritten(backup)?.map(|found| {
                    let text = format!(
                        "other columns of `{}` changed when a reference became NULL: a trigger or rule does so; nothing was changed",
                        backup.of
                    );
                    stop(found, text)
                }));
            }
        }
        let changed: Vec<String> =
            backups.iter().map(|b| format!("(SELECT pg_catalog.count(*) FROM {})", b.place)).collect();
        lines.push(format!(
            "  PERFORM pg_catalog.set_config('{CHANGED}', ({})::pg_catalog.text, false);",
            changed.join(" + ")
        ));
        Ok(format!("DO $referee$\nBEGIN\n{}\nEND\n$referee$", lines.join("\n")))
    }

    /// Writes the condition that a row which lost a reference holds other values than its backup beside its references; `None` if
    /// it has no other columns, or no key to be found by.
    fn rewritten(&self, backup: &Backup) -> Result<Option<String>, String> {
        let table = self.builder.table(&backup.of)?;
        let marks = self.closure.marks.iter().filter(|m| self.builder.now.share_rows(&m.table, &backup.of));
        let nulled: Vec<&String> = marks.flat_map(|m| &m.columns).collect();
        let others = table.columns.iter().filter(|c| !nulled.contains(&&c.name) && c.generated.is_none());
        let others: Vec<&String> = others.map(|c| &c.name).collect();
        let Some(identity) = lasting_key(table, &nulled).filter(|_| !others.is_empty()) else { return Ok(None) };
        let (place, source) = (&backup.place, self.source(&backup.of));
        Ok(Some(differing(self.builder.dialect, table, identity, &others, (&source, place))))
    }
}
