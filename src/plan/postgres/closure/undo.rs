//! What restores the rows of a closure and their references.

use super::super::super::servers::backups;
use super::super::super::{Down, Guard, acting};
use super::super::counters::Expected;
use super::super::returned::{self, Restored};
use super::super::{partitions, since, sql, whole};
use super::{Backup, Writing};
use crate::rows::identity::lasting_key;
use crate::schema::{ForeignKey, Table, TableName, Timing};

impl Writing<'_, '_> {
    /// Writes what stops the undo unless every row and every reference is back.
    fn returned(&self, backups: &[Backup]) -> Result<String, String> {
        let sources: Vec<String> = backups.iter().map(|b| self.source(&b.of)).collect();
        let columns: Vec<Option<Vec<&String>>> = backups
            .iter()
            .map(|b| b.mark.and_then(|m| self.closure.marks.get(m)).map(|m| m.columns.iter().collect()))
            .collect();
        let mut all = Vec::new();
        for (backup, (source, columns)) in backups.iter().zip(sources.iter().zip(&columns)) {
            let (table, columns) = (self.builder.table(&backup.of)?, columns.as_deref());
            all.push(Restored { table, source, place: &backup.place, backup: &backup.name, columns });
        }
        Ok(returned::check(self.builder, &all))
    }

    /// Writes the undo: all rows come back in one statement, so that a circle needs no order; then the references.
    pub(super) fn back(&self, backups: &[Backup]) -> Result<Down, String> {
        let builder = self.builder;
        let mut inserts: Vec<String> = Vec::new();
        let mut updates: Vec<String> = Vec::new();
        let mut guards: Vec<Guard> = Vec::new();
        let mut keys: Vec<(&TableName, &Table, &ForeignKey)> = Vec::new();
        for (at, backup) in backups.iter().enumerate() {
            let (table, place) = (builder.table(&backup.of)?, &backup.place);
            let deleted = backup.mark.is_none();
            let contradicts = |of: &TableName, k: &ForeignKey| {
                let checked = self.closure.checked.iter().any(|r| {
                    r.child == *of
                        && (&r.key.columns, &r.key.parent, &r.key.parent_columns)
                            == (&k.columns, &k.parent, &k.parent_columns)
                });
                k.is_active() && (checked || deleted && !k.validated)
            };
            // A partition may have keys of its own. As they were before the plan: rows are undone last.
            for part in builder.context.schema.parts(&backup.of) {
                for key in part.foreign_keys.iter().filter(|k| contradicts(&part.name, k)) {
                    if !keys.iter().any(|(t, _, k)| **t == part.name && *k == key) {
                        keys.push((&part.name, part, key));
                    }
                }
            }
            let Some(mark) = backup.mark.and_then(|m| self.closure.marks.get(m)) else {
                let own: Vec<String> = table
                    .columns
                    .iter()
                    .filter(|c| c.generated.is_none())
                    .map(|c| builder.dialect.identifier(&c.name))
                    .collect();
                let own = own.join(", ");
                inserts.push(format!(
                    "back{at} AS (INSERT INTO {} ({own}) OVERRIDING SYSTEM VALUE SELECT {own} FROM {place})",
                    builder.name(&backup.of)
                ));
                continue;
            };
            let columns: Vec<&String> = mark.columns.iter().collect();
            let Some(identity) = lasting_key(table, &columns) else {
                return Ok(Down::Impossible(format!(
                    "`{}` has no primary key by which its rows could be found again; what they held is backed up in `{}`",
                    backup.of, backup.name
                )));
            };
            let marks = self.closure.marks.iter().filter(|m| self.builder.now.share_rows(&m.table, &backup.of));
            let changed: Vec<&String> = marks.flat_map(|m| &m.columns).collect();
            let (update, guard) = backups::references_back(
                builder,
                &self.source(&backup.of),
                identity,
                (&columns, &changed),
                backup.place.as_str(),
                (&backup.of, &backup.name),
            );
            updates.push(update);
            guards.push(guard);
        }
        if keys.iter().any(|(t, ..)| partitions::takes_no_unchecked_key(builder, t)) {
            return Ok(Down::Impossible(format!(
                "a foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18, and accepts no orphan; the rows are backed up: {}",
                backups.iter().map(|b| format!("`{}`", b.name)).collect::<Vec<_>>().join(", ")
            )));
        }
        let named: Vec<(&TableName, String, &ForeignKey)> =
            keys.into_iter().map(|(of, table, key)| (of, sql::key_name(table, key), key)).collect();
        // What triggers do to other rows when these come back is counted, too.
        let counters = self.counters().of_undo();
        let mut statements = vec![counters.hold()];
        statements.extend(named.iter().map(|(of, name, _)| {
            format!("{} DROP CONSTRAINT {}", sql::alter(builder, of), builder.dialect.identifier(name))
        }));
        statements.push(counters.unchanged());
        if !inserts.is_empty() {
            statements.push(format!("WITH {}\nSELECT 1", inserts.join(",\n  ")));
        }
        statements.extend(updates);
        statements.push(self.returned(backups)?);
        let marks = backups.iter().filter(|b| b.mark.is_some());
        let restored: Vec<String> = marks.map(|b| format!("(SELECT pg_catalog.count(*) FROM {})", b.place)).collect();
        let restored = if restored.is_empty() { "0".to_string() } else { format!("({})", restored.join(" + ")) };
        statements.push(counters.check(&Expected { updated: &restored, deleted: "0" }));
        let waived = self.counters().waived;
        let (kept, dropped): (Vec<&Backup>, Vec<&Backup>) = backups.iter().partition(|b| waived && b.mark.is_some());
        for backup in kept {
            let columns: Option<Vec<&String>> =
                backup.mark.and_then(|m| self.closure.marks.get(m)).map(|m| m.columns.iter().collect());
            let (table, source) = (builder.table(&backup.of)?, self.source(&backup.of));
            let (place, name, columns) = (&backup.place, &backup.name, columns.as_deref());
            statements.push(returned::drop_or_rename(
                builder,
                &Restored { table, source: &source, place, backup: name, columns },
            ));
        }
        if !dropped.is_empty() {
            statements.push(self.drop(dropped));
        }
        let later = backups.iter().filter_map(|b| builder.now.table(&b.of)).any(|t| {
            let mut unique = t.primary_key.iter().chain(&t.unique_keys);
            t.foreign_keys.iter().any(|k| k.timing == Timing::Deferred) || unique.any(|k| k.deferrable)
        });
        if later && !named.is_empty() {
            // A table whose rows wait to be checked cannot be altered (55006).
            statements.push("SET CONSTRAINTS ALL IMMEDIATE".to_string());
        }
        guards.extend(named.iter().map(|(of, name, key)| since::key_as_planned(builder, of, name, key)));
        for (of, name, key) in named {
            statements.push(format!("{} ADD {}", sql::alter(builder, of), sql::key(builder, key, &name, true)));
            statements.extend(sql::key_comment(builder, of, key, &name));
        }
        statements.push(counters.unchanged());
        let names: Vec<String> = backups.iter().map(|b| format!("`{}`", b.name)).collect();
        let set_off = acting::closure_set_off_by_undo(builder.context.options, self.closure, builder.context.schema);
        guards.extend(since::undo_guards(builder, &set_off, &names.join(", ")));
        Ok(Down::Script { script: whole(statements), guards })
    }
}
