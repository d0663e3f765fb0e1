//! Orphans to which no row refers, before a foreign key can hold: deleted, set to NULL or quarantined, in batches. Whatever is
//! done to them, they are backed up first. Those that other rows refer to are the business of `closure`.
//!
//! The rows are found once and then changed by their place (`ctid`), each time looking again whether they are still orphans;
//! what was written meanwhile is found by the next round. A batch is committed by itself (manual, 43.8: COMMIT in DO, which
//! therefore runs in no transaction), so that no row stays locked for long. One statement backs the rows up and changes them:
//! there is no moment at which one is changed and not backed up, or the other way round.

use super::super::acting;
use super::super::backup_common;
use super::super::remedy::{self, Remedy};
use super::super::servers::backups::{self, Backup};
use super::super::servers::builder::{Builder, Draft};
use super::super::{Blocks, Down, Guard, Held, Lock, OrphanPolicy, Phase, Step, Wanted};
use super::counters::{Counters, Expected};
use super::returned::{self, Restored};
use super::{backup, catalog, each, locks, partitions, since, sql, visible, whole};
use crate::change::Change;
use crate::engine::postgres::{ALLOWED, CHANGED, MORE_ROWS};
use crate::relations::side;
use crate::rows::RowSet;
use crate::rows::identity::{lasting_key, same_values};
use crate::schema::{ForeignKey, Table, TableKind, TableName, Timing};

/// How many rows are changed at once.
const BATCH: u32 = 10_000;

/// Makes the step that cleans a key's orphans up, as far as that was asked for, and the guard that counts those that are left.
pub(super) fn before_key(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<(Vec<Step>, Vec<Guard>), String> {
    if key.temporal || !key.enforced {
        // Periods that cover each other are not counted; a key that is not enforced asks nothing.
        return Ok((Vec::new(), Vec::new()));
    }
    let (rows, guards) = backups::kept_out(builder, table, key)?;
    let (child, parent) = (side(table, &key.columns), &key.parent);
    if want.orphans == Some(0) || builder.is_clean(table, key) {
        return Ok((Vec::new(), guards));
    }
    let count = backup_common::counted_rows(want.orphans);
    let remedy = builder.remedy(want, table, key)?;
    let policy = match (&remedy, want.orphans) {
        (None, None) => return Ok((Vec::new(), guards)),
        (None, Some(_)) => {
            return Err(format!(
                "{child} has {count} that refer to no row of `{parent}`, and the foreign key would not hold for them: say what becomes of them \
                 with --orphans delete, set-null or quarantine, or change them by hand"
            ));
        }
        (Some(Remedy::Leave | Remedy::Loosen(_)), None) => return Ok((Vec::new(), guards)),
        (Some(Remedy::Leave | Remedy::Loosen(_)), Some(_)) => {
            return Err(format!(
                "{child} has {count} that refer to no row of `{parent}`, and the foreign key would not hold for them"
            ));
        }
        (Some(Remedy::SetNull(_)), _) => OrphanPolicy::SetNull,
        (Some(Remedy::Remove(policy)), _) => *policy,
    };
    visible::rows_that_refer(builder, table, policy)?;
    backup::can_be_sent(builder, table, policy != OrphanPolicy::SetNull)?;
    let nulled = if let Some(Remedy::SetNull(columns)) = &remedy { Some(columns.as_slice()) } else { None };
    no_rule(builder.table(table)?, nulled.is_some())?;
    acting::acted_on(builder.context.options, &builder.now, builder.table(table)?, &[key], nulled)?;
    let Some(backup) = Backup::of(builder, table, key, policy)? else { return Ok((Vec::new(), guards)) };
    let general =
        remedy::said(builder.context.options, table, key).and_then(|(word, by_name)| word.filter(|_| !by_name));
    let spared = if remedy::is_gentler(general, policy) { remedy::gentler(&child) } else { String::new() };
    // In a tree rows below go as well, and were not counted.
    let shown = want.orphans.filter(|_| policy == OrphanPolicy::SetNull || key.parent != *table);
    let place = builder.name(&backup.name);
    let told = acting::triggers(&builder.now, builder.table(table)?, nulled, &acting::each_of(want.orphans));
    let waived = acting::is_waived(builder.context.options, &builder.now, builder.table(table)?, &[key], nulled);
    let work = Work {
        table,
        key,
        rows: &rows,
        count: &count,
        policy,
        place,
        backup: &backup,
        nulled,
        spared,
        told,
        waived,
        shown,
    };
    let mut draft = match &remedy {
        Some(Remedy::SetNull(columns)) => work.set_null(builder, columns)?,
        _ => work.take_away(builder)?,
    };
    if policy != OrphanPolicy::SetNull {
        draft.guards.extend(builder.not_by_name(want, table, key)?);
    }
    let mut step = builder.step(want, draft)?;
    let bound = want.orphans.map(|shown| backup_common::bound(&rows, shown, table, policy));
    step.bounds.extend(bound.map(|bound| acting::undone(builder.context.options, bound, &[key], nulled)));
    Ok((vec![step], guards))
}

/// Refuses a table of whose rows a rule has something else done: the server takes no statement in WITH that a rule rewrites so
/// (manual, SELECT, "WITH Clause"), and without WITH a row could be changed and not backed up.
fn no_rule(table: &Table, updates: bool) -> Result<(), String> {
    let event = if updates { "UPDATE" } else { "DELETE" };
    let Some(rule) = table.rewrite_rules.iter().find(|r| r.enabled && r.event == event) else { return Ok(()) };
    Err(format!(
        "rule `{}` of `{}` rewrites each {event}, and PostgreSQL then refuses to back rows up and change them in one statement;          switch it off (ALTER TABLE … DISABLE RULE) and plan again, or change these rows by hand",
        rule.name, table.name
    ))
}

struct Work<'a> {
    table: &'a TableName,
    key: &'a ForeignKey,
    rows: &'a RowSet,
    count: &'a str,
    policy: OrphanPolicy,
    backup: &'a Backup,
    /// The table that the rows are backed up in, as it is written.
    place: String,
    /// Why the rows stay although it was said to delete orphans.
    spared: String,
    /// The columns that become NULL; `None` if the rows go.
    nulled: Option<&'a [String]>,
    /// Which triggers act on the rows.
    told: String,
    /// The user has named the relation although a trigger changes other rows.
    waived: bool,
    /// How many rows a run changes at most where nobody has said so: it may be a file that is run.
    shown: Option<u64>,
}

impl Work<'_> {
    fn side(&self) -> String {
        side(self.table, &self.key.columns)
    }

    /// How many rows it is about. In a tree those below have no parent then, and the next round takes them, too; a key that is
    /// there already lets none go that has any.
    fn counted(&self, table: &Table) -> String {
        let stays = self.policy == OrphanPolicy::SetNull || !backups::forbidding(table, self.key).is_empty();
        if stays || self.key.parent != *self.table {
            self.count.to_string()
        } else {
            format!("{}, and all rows below", self.count)
        }
    }

    /// The step; `change` keeps one batch and changes it.
    fn draft(&self, builder: &Builder<'_>, table: &Table, title: String, change: &str, down: Down) -> Draft {
        let place = &self.place;
        let there = catalog::relation(builder, place);
        let make = backup::make(builder, place, self.table, &self.backup.comment);
        let mut why = format!(
            "Rows whose parent is missing cannot satisfy the foreign key to `{}`.{}{} {}{}",
            self.key.parent,
            self.spared,
            self.told,
            self.backup.told(self.policy),
            backup::told(builder, &[&self.backup.name])
        );
        let claims = backups::forbidding(table, self.key).iter().any(|k| k.validated);
        if claims && matches!(down, Down::Script { .. }) {
            why.push_str(
                " Undone, they are back, and the key they contradict is NOT VALID: it cannot claim to hold for them.",
            );
        }
        if matches!(down, Down::Script { .. }) {
            why.push_str(&acting::before_undo(&builder.now, table, self.nulled));
        }
        let definition = backups::copy(table, self.backup.name.clone(), Some(self.backup.comment.clone()));
        Draft {
            phase: Phase::Orphans,
            title: format!("{title} ({})", self.counted(table)),
            why: Some(why),
            changes: vec![Change::CreateTable { definition: Box::new(definition) }],
            touches_rows: true,
            up: each(vec![make, self.in_batches(builder, change)]),
            down,
            locks: self.locks(),
            guards: std::iter::once(self.free(builder)).chain(self.since(builder)).collect(),
            done: Some(format!("{} AND {there} IS NOT NULL", self.none_left())),
        }
    }

    fn since(&self, builder: &Builder<'_>) -> Vec<Guard> {
        let mut guards = since::guards(builder, &[self.table]);
        guards.extend(
            builder
                .table(self.table)
                .into_iter()
                .flat_map(|t| since::same_table(builder, t, &[self.key], &[&self.place])),
        );
        guards
    }

    /// Counts what the server says was changed.
    fn counters<'c>(&'c self, builder: &'c Builder<'c>) -> Counters<'c> {
        Counters { builder, tables: vec![self.table], waived: self.waived, undo: false }
    }

    /// Writes what stops an undo unless each row is back as it was.
    fn returned(&self, builder: &Builder<'_>, table: &Table, source: &str, columns: Option<&[&String]>) -> String {
        let backup = &self.backup.name;
        returned::check(builder, &[Restored { table, source, place: &self.place, backup, columns }])
    }

    /// Makes the guard that no other table has the name of the one that rows are kept in.
    fn free(&self, builder: &Builder<'_>) -> Guard {
        let comment = "pg_catalog.obj_description(c.oid, 'pg_class')";
        Guard {
            sql: format!(
                "SELECT c.relname, {comment} AS comment FROM pg_catalog.pg_class c WHERE c.oid = {} AND {comment} IS DISTINCT FROM {}",
                catalog::relation(builder, &self.place),
                builder.dialect.literal(&self.backup.comment)
            ),
            found: format!("there is another table `{}`, which rows would be kept in", self.backup.name),
            advice: "rename it, then plan again".to_string(),
        }
    }

    /// The child first: its rows are changed. Nobody may make the missing parents, or take others away, while a batch is changed.
    fn locks(&self) -> Vec<Lock> {
        let mut all = locks([self.table.clone()], "ROW EXCLUSIVE", Blocks::Nothing, Held::Scan);
        all.extend(locks([self.key.parent.clone()], self.hold(), Blocks::Writers, Held::Batch));
        all
    }

    /// The lock that holds the parent's rows still. It conflicts with itself where the batch writes to the same table: a lock that
    /// two can have would keep both from going on (manual, 13.3.1).
    fn hold(&self) -> &'static str {
        if self.key.parent == *self.table { "SHARE ROW EXCLUSIVE" } else { "SHARE" }
    }

    /// A query that returns a row when no row without parent is left.
    fn none_left(&self) -> String {
        format!("SELECT 1 WHERE {}", self.rows.none())
    }

    /// Runs a statement on one batch after the other. It ends in a condition, to which that of the batch is added. A column may
    /// have the name of a variable, of FOUND too (manual, 43.11.1): then the column is meant. Rows that a policy hides are not
    /// passed over: each transaction says that the server shall raise an error then.
    ///
    /// What was agreed to is all that is changed, by this run and by one before it that was stopped: a row that was changed is in the
    /// table that rows are kept in. Under READ COMMITTED each statement sees what was committed before it (manual, 13.2.1), so that
    /// the change, once nobody else can write to the parent, looks for the parents again.
    fn in_batches(&self, builder: &Builder<'_>, change: &str) -> String {
        let RowSet { source, condition, .. } = self.rows;
        let (place, hold) = (&self.place, self.hold());
        let since = since::lines(builder, &self.since(builder)).join("\n      ");
        let shown = self.shown.map_or_else(|| "NULL".to_string(), |n| n.to_string());
        let heirs = builder.now.tables.iter().any(|t| t.inherits.contains(&self.key.parent));
        let counters = self.counters(builder);
        let (declared, before) = (Counters::declared(), counters.before("      "));
        let plain = backup::plain(builder, place);
        let expected = match self.policy {
            OrphanPolicy::SetNull => Expected { updated: "_referee_changed", deleted: "0" },
            _ => Expected { updated: "0", deleted: "_referee_changed" },
        };
        let after = counters.after(&expected, "      ");
        let parent = format!("{}{}", if heirs { "ONLY " } else { "" }, builder.name(&self.key.parent));
        format!(
            "DO $referee$\n\
             #variable_conflict use_column\n\
             DECLARE\n  {declared}\n  _referee_batch record;\n  _referee_changed bigint;\n  _referee_total bigint;\n\
             \x20 _referee_done bigint := (SELECT pg_catalog.count(*) FROM {place});\n\
             \x20 _referee_most bigint := LEAST({shown}, NULLIF(pg_catalog.split_part(pg_catalog.current_setting('{ALLOWED}', true), ',', 1), '')::pg_catalog.int8);\n\
             BEGIN\n\
             \x20 IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN\n\
             \x20   RAISE EXCEPTION 'rows are changed at the isolation level read committed only'\n\
             \x20     USING HINT = 'SET default_transaction_isolation = ''read committed'', then run this again.';\n\
             \x20 END IF;\n\
             \x20 PERFORM pg_catalog.set_config('{CHANGED}', _referee_done::pg_catalog.text, false);\n  COMMIT;\n\
             \x20 LOOP\n    _referee_total := 0;\n\
             \x20   SET LOCAL row_security = off;\n\
             \x20   FOR _referee_batch IN\n\
             \x20     SELECT pg_catalog.array_agg(o.part) AS parts, pg_catalog.array_agg(o.place) AS places, pg_catalog.sum(pg_catalog.count(*)) OVER () AS number FROM (\n\
             \x20       SELECT child.tableoid AS part, child.ctid AS place, (pg_catalog.row_number() OVER () - 1) / {BATCH} AS number\n\
             \x20       FROM {source} AS child WHERE {condition}) AS o\n\
             \x20     GROUP BY o.number\n\
             \x20   LOOP\n\
             \x20     IF _referee_done - _referee_total + _referee_batch.number > _referee_most THEN\n\
             \x20       RAISE EXCEPTION USING ERRCODE = '{MORE_ROWS}', MESSAGE = pg_catalog.format('%s rows, at most %s were shown', _referee_done - _referee_total + _referee_batch.number, _referee_most);\n\
             \x20     END IF;\n\
             \x20     LOCK TABLE {parent} IN {hold} MODE;\n\
             \x20     LOCK TABLE {source}, {place} IN ROW EXCLUSIVE MODE;\n\
             \x20     {plain}\n\
             \x20     {since}\n\
             \x20     {before}\n\
             \x20     {change};\n\
             \x20     GET DIAGNOSTICS _referee_changed = ROW_COUNT;\n\
             \x20     IF _referee_done + _referee_changed > _referee_most THEN\n\
             \x20       RAISE EXCEPTION USING ERRCODE = '{MORE_ROWS}', MESSAGE = pg_catalog.format('%s rows, at most %s were shown', _referee_done + _referee_changed, _referee_most);\n\
             \x20     END IF;\n\
             \x20     {after}\n\
             \x20     _referee_total := _referee_total + _referee_changed;\n\
             \x20     _referee_done := _referee_done + _referee_changed;\n\
             \x20     PERFORM pg_catalog.set_config('{CHANGED}', _referee_done::pg_catalog.text, false);\n\
             \x20     COMMIT;\n\
             \x20     SET LOCAL row_security = off;\n\
             \x20   END LOOP;\n\
             \x20   EXIT WHEN _referee_total = 0;\n\
             \x20 END LOOP;\n\
             END\n$referee$"
        )
    }

    /// Writes that a row is one of the batch. Rows of several partitions may have the same place; by their places alone they are found
    /// without reading the tables (a TID scan).
    fn of_batch(&self, builder: &Builder<'_>) -> String {
        let partitioned = builder.now.table(self.table).is_none_or(|t| t.kind != TableKind::Plain);
        let part = if partitioned {
            " AND (child.tableoid, child.ctid) IN (SELECT b.part, b.place FROM ROWS FROM (pg_catalog.unnest(_referee_batch.parts), \
             pg_catalog.unnest(_referee_batch.places)) AS b (part, place))"
        } else {
            ""
        };
        format!("child.ctid = ANY (_referee_batch.places){part} AND {}", self.rows.condition)
    }

    fn columns(&self, builder: &Builder<'_>, table: &Table, of: &str) -> String {
        let all: Vec<String> =
            table.columns.iter().map(|c| format!("{of}{}", builder.dialect.identifier(&c.name))).collect();
        all.join(", ")
    }

    fn take_away(&self, builder: &Builder<'_>) -> Result<Draft, String> {
        let table = builder.table(self.table)?;
        let (all, place) = (self.columns(builder, table, ""), &self.place);
        let (source, batch, spared) = (&self.rows.source, self.of_batch(builder), backups::spared(builder, self.table));
        let mut change = format!(
            "WITH moved AS (DELETE FROM {source} AS child WHERE {batch}{spared} RETURNING {}) INSERT INTO {place} ({all}) SELECT {all} \
             FROM moved",
            self.columns(builder, table, "child."),
        );
        if !spared.is_empty() {
            // Who wants to refer to a row that is locked waits; who did so before is seen by the next statement (manual, 13.2.1).
            change = format!("PERFORM FROM {source} AS child WHERE {batch} FOR UPDATE OF child;\n      {change}");
        }
        let title = match self.policy {
            OrphanPolicy::Delete => {
                format!("Delete the orphans of {} (no such row in {})", self.side(), self.key.parent)
            }
            _ => format!(
                "Move the orphans of {} (no such row in {}) to {}",
                self.side(),
                self.key.parent,
                self.backup.name
            ),
        };
        let own: Vec<String> = table
            .columns
            .iter()
            .filter(|c| c.generated.is_none())
            .map(|c| builder.dialect.identifier(&c.name))
            .collect();
        let (child, own) = (builder.name(self.table), own.join(", "));
        let insert = format!("INSERT INTO {child} ({own}) OVERRIDING SYSTEM VALUE SELECT {own} FROM {place}");
        let statements = vec![insert, self.returned(builder, table, &child, None)];
        let down = self.back(
            builder,
            table,
            backups::keeping_out(builder, self.before(builder, table), self.key),
            statements,
            Vec::new(),
        );
        let mut draft = self.draft(builder, table, title, &change, down);
        draft.guards.extend(backups::referrers(builder, self.table, self.rows));
        Ok(draft)
    }

    fn set_null(&self, builder: &Builder<'_>, columns: &[String]) -> Result<Draft, String> {
        let table = builder.table(self.table)?;
        let columns: Vec<&String> = columns.iter().collect();
        let each = |text: &dyn Fn(&str) -> String, between: &str| {
            let all: Vec<String> = columns.iter().map(|c| text(&builder.dialect.identifier(c))).collect();
            all.join(between)
        };
        // A trigger may have given other columns other values: such a row is left out, and the server's count stops the batch.
        let others = table.columns.iter().filter(|c| !columns.contains(&&c.name) && c.generated.is_none());
        let others: Vec<&String> = others.map(|c| &c.name).filter(|_| !self.waived).collect();
        let same = same_values(builder.dialect, &others, ("child", "found")).join(" AND ");
        let (same, only) = match same.as_str() {
            "" => (String::new(), ""),
            same => (format!(", {same} AS _referee_same"), " WHERE _referee_same"),
        };
        // A partitioned table has many rows of the same place. Rows that are locked do not change between being read and set.
        let change = format!(
            "WITH found AS (SELECT child.tableoid AS _referee_part, child.ctid AS _referee_place, {} FROM {source} AS child WHERE {} \
             FOR UPDATE OF child), changed AS (UPDATE {source} AS child SET {} FROM found WHERE child.ctid = ANY (_referee_batch.places) \
             AND child.tableoid = found._referee_part AND child.ctid = found._referee_place RETURNING {}{same}) \
             INSERT INTO {place} ({all}) SELECT {all} FROM changed{only}",
            self.columns(builder, table, "child."),
            self.of_batch(builder),
            each(&|c| format!("{c} = NULL"), ", "),
            self.columns(builder, table, "found."),
            source = self.rows.source,
            place = self.place,
            all = self.columns(builder, table, ""),
        );
        let down = match lasting_key(table, &columns) {
            None => Down::Impossible(format!(
                "`{}` has no primary key by which its rows could be found again; what they held is backed up in `{}`",
                self.table, self.backup.name
            )),
            Some(identity) => {
                // An heir's row may have the same key, and is none of the rows that were changed.
                let names = (self.table, &self.backup.name);
                let (update, changed) = backups::references_back(
                    builder,
                    &self.rows.source,
                    identity,
                    (&columns, &columns),
                    &self.place,
                    names,
                );
                let statements = vec![update, self.returned(builder, table, &self.rows.source, Some(&columns))];
                self.back(
                    builder,
                    table,
                    backups::forbidding(self.before(builder, table), self.key),
                    statements,
                    vec![changed],
                )
            }
        };
        let title = format!("Set {} to NULL where it names no row of {}", self.side(), self.key.parent);
        Ok(self.draft(builder, table, title, &change, down))
    }

    /// Returns the table with its foreign keys as they were before the plan: rows are changed first, and undone last, so that what
    /// other steps make of the keys is not there then.
    fn before<'t>(&self, builder: &Builder<'t>, table: &'t Table) -> &'t Table {
        builder.context.schema.table(self.table).unwrap_or(table)
    }

    /// Makes the undo: statements that restore the rows, with the keys that let none come taken away around them.
    fn back(
        &self,
        builder: &Builder<'_>,
        table: &Table,
        keys: Vec<&ForeignKey>,
        restoring: Vec<String>,
        mut guards: Vec<Guard>,
    ) -> Down {
        if !keys.is_empty() && partitions::takes_no_unchecked_key(builder, self.table) {
            return Down::Impossible(format!(
                "a key of a partitioned table cannot be NOT VALID before PostgreSQL 18, and lets no such row back in; they are kept in `{}`",
                self.backup.name
            ));
        }
        let alter = sql::alter(builder, self.table);
        let named: Vec<(String, &ForeignKey)> = keys.into_iter().map(|k| (sql::key_name(table, k), k)).collect();
        // What triggers do to other rows when these come back is counted, too.
        let counters = self.counters(builder).of_undo();
        let mut statements = vec![counters.hold()];
        statements.extend(
            named.iter().map(|(name, _)| format!("{alter} DROP CONSTRAINT {}", builder.dialect.identifier(name))),
        );
        statements.push(counters.unchanged());
        let restored = format!("(SELECT pg_catalog.count(*) FROM {})", self.place);
        statements.extend(restoring);
        let updated = if self.nulled.is_some() { restored.as_str() } else { "0" };
        statements.push(counters.check(&Expected { updated, deleted: "0" }));
        let source = &self.rows.source;
        let nulled: Option<Vec<&String>> = self.nulled.map(|columns| columns.iter().collect());
        statements.push(match nulled.as_deref().filter(|_| self.waived) {
            None => self.backup.drop.clone(),
            columns => {
                let backup = &self.backup.name;
                returned::drop_or_rename(builder, &Restored { table, source, place: &self.place, backup, columns })
            }
        });
        let mut unique = table.primary_key.iter().chain(&table.unique_keys);
        let later = table.foreign_keys.iter().any(|k| k.timing == Timing::Deferred) || unique.any(|k| k.deferrable);
        if later && !named.is_empty() {
            // A table whose rows wait to be checked cannot be altered (55006).
            statements.push("SET CONSTRAINTS ALL IMMEDIATE".to_string());
        }
        guards.extend(named.iter().map(|(name, key)| since::key_as_planned(builder, self.table, name, key)));
        for (name, key) in named {
            // Such rows may stay under a key, but not come.
            statements.push(format!("{alter} ADD {}", sql::key(builder, key, &name, true)));
            statements.extend(sql::key_comment(builder, self.table, key, &name));
        }
        statements.push(counters.unchanged());
        let set_off = acting::set_off_by_undo(builder.context.options, &builder.now, table, &[self.key], self.nulled);
        guards.extend(since::undo_guards(builder, &set_off, &format!("`{}`", self.backup.name)));
        Down::Script { script: whole(statements), guards }
    }
}
