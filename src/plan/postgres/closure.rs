//! Orphans to which other rows refer: all rows that go or lose a reference are found before the first change, backed up, and
//! changed by one statement in one transaction.
//!
//! A recursive query may name itself once (manual, 7.8.2), so a round's new rows get a name of their own. NO ACTION and RESTRICT
//! are checked after the statement that deletes, whatever parts it has (7.8.4, "Data-Modifying Statements in WITH"): tables that
//! refer to one another in a circle need no order. Writers wait meanwhile, so that what was counted is what is changed.

use super::super::acting;
use super::super::aside;
use super::super::bench::{Bench, Draft};
use super::super::closure::{self, Closure, Mark, Queries, Reference, Size, Sizes};
use super::super::remedy::Question;
use super::super::{Blocks, Bound, Down, Guard, Held, OrphanPolicy, Phase};
use super::returned::{self, Restored};
use super::{backup as place, catalog, locks, partitions, since, sql, visible, whole};
use crate::change::Change;
use crate::engine::postgres::CHANGED;
use crate::relations::side;
use crate::rows::identity::lasting_key;
use crate::rows::{self, Referring, RelationRows, RowSet};
use crate::schema::{ForeignKey, Table, TableName, Timing};

/// The rows that go, while the step runs: table's number, partition, place.
const GONE: &str = "pg_temp._referee_gone";
/// The rows that lose a reference: the mark's number, partition, place.
const NULLED: &str = "pg_temp._referee_nulled";

/// Makes the step that cleans a closure up; `None` if no row follows another.
///
/// # Errors
/// It cannot be done, or not be undone; nothing of it is planned then.
pub(super) fn step(bench: &mut Bench<'_>, closure: &Closure) -> Result<Option<(Draft, Vec<Bound>)>, String> {
    visible::all_rows(bench, closure.involved())?;
    let queries = Writing { bench, closure }.queries();
    let sizes = match closure.size(&bench.workshop.options.counts, &queries)? {
        Size::NothingFollows => return Ok(None),
        Size::Known(sizes) => Some(sizes),
        Size::Unknown => None,
    };
    closure.can_be_undone()?;
    acting::closure_acted_on(bench.workshop.options, closure, bench.workshop.schema)?;
    let writing = Writing { bench, closure };
    let bounds = sizes.as_ref().map(|sizes| writing.bounds(&queries, sizes)).unwrap_or_default();
    Ok(Some((writing.draft(sizes.as_ref())?, bounds)))
}

/// A table that rows are backed up in.
struct Backup {
    of: TableName,
    name: TableName,
    /// As it is written.
    place: String,
    comment: String,
    /// The mark whose rows it holds; `None` for rows that go.
    mark: Option<usize>,
}

struct Writing<'a, 'w> {
    bench: &'a Bench<'w>,
    closure: &'a Closure,
}

impl Writing<'_, '_> {
    fn orphans(&self, child: &TableName, key: &ForeignKey) -> RowSet {
        RelationRows::of_key(self.bench.dialect, &self.bench.now, child, key).orphans()
    }

    fn referring(&self, child: &TableName, key: &ForeignKey) -> Referring {
        RelationRows::of_key(self.bench.dialect, &self.bench.now, child, key).referring()
    }

    fn number(&self, table: &TableName) -> String {
        self.closure.number(table).map_or_else(|| "0".to_string(), |n| (n + 1).to_string())
    }

    /// Writes the rows that go as a query named `gone`, from WITH on.
    fn gone(&self) -> String {
        let place = "child.tableoid AS part, child.ctid::pg_catalog.text AS place";
        let seeds: Vec<String> = self
            .closure
            .seeds
            .iter()
            .map(|seed| {
                let RowSet { source, condition, .. } = self.orphans(&seed.child, &seed.key);
                let number = self.number(&seed.child);
                format!("SELECT {number} AS t, {place} FROM {source} AS child WHERE {condition}")
            })
            .collect();
        let follows: Vec<String> = self
            .closure
            .follows
            .iter()
            .map(|follow| {
                let Referring { child, parent, condition } = self.referring(&follow.child, &follow.key);
                format!(
                    "SELECT {}, {place} FROM latest JOIN {parent} AS parent ON latest.t = {} AND parent.tableoid = latest.part AND parent.ctid = \
                     latest.place::pg_catalog.tid JOIN {child} AS child ON {condition}",
                    self.number(&follow.child),
                    self.number(&follow.key.parent)
                )
            })
            .collect();
        let seeds = seeds.join("\n    UNION ALL ");
        let walked = if follows.is_empty() {
            seeds
        } else {
            format!(
                "({seeds})\n    UNION (WITH latest AS (SELECT t, part, place FROM walked)\n      {})",
                follows.join("\n      UNION ALL ")
            )
        };
        format!(
            "WITH RECURSIVE walked (t, part, place) AS (\n    {walked}),\n  gone AS (SELECT DISTINCT t, part, place::pg_catalog.tid AS place FROM walked)"
        )
    }

    /// Writes which rows lose a reference; `gone` names the rows that go.
    fn marked(&self, mark: &Mark, gone: &str) -> String {
        let place = "child.tableoid AS part, child.ctid AS place";
        let orphans = mark.orphans.iter().map(|key| {
            let RowSet { source, condition, .. } = self.orphans(&mark.table, key);
            format!("SELECT {place} FROM {source} AS child WHERE {condition}")
        });
        let follows = mark.follows.iter().map(|key| {
            let Referring { child, parent, condition } = self.referring(&mark.table, key);
            format!(
                "SELECT {place} FROM {} JOIN {child} AS child ON {condition}",
                self.parents(&key.parent, &parent, gone)
            )
        });
        let all: Vec<String> = orphans.chain(follows).collect();
        format!(
            "(SELECT part, place FROM ({}) AS found WHERE {})",
            all.join(" UNION "),
            self.stays(&mark.table, "found.part", "found.place", gone)
        )
    }

    /// Writes the parents that go, in FROM.
    fn parents(&self, table: &TableName, source: &str, gone: &str) -> String {
        format!(
            "{gone} AS gone JOIN {source} AS parent ON gone.t = {} AND parent.tableoid = gone.part AND parent.ctid = gone.place",
            self.number(table)
        )
    }

    /// A condition: a row is none of those that go.
    fn stays(&self, table: &TableName, part: &str, place: &str, gone: &str) -> String {
        match self.closure.number(table) {
            None => "true".to_string(),
            Some(_) => format!(
                "NOT EXISTS (SELECT 1 FROM {gone} AS other WHERE other.t = {} AND other.part = {part} AND other.place = {place})",
                self.number(table)
            ),
        }
    }

    fn blocked(&self, block: &Reference, gone: &str) -> String {
        let Referring { child, parent, condition } = self.referring(&block.child, &block.key);
        format!(
            "FROM {} JOIN {child} AS child ON {condition} WHERE {}",
            self.parents(&block.key.parent, &parent, gone),
            self.stays(&block.child, "child.tableoid", "child.ctid", gone)
        )
    }

    fn queries(&self) -> Queries {
        let gone = self.gone();
        let closure = self.closure;
        let of_table = |table: &TableName| {
            let seeds = closure.seeds.iter().filter(|s| closure.whole(&s.child) == table);
            let rows: Vec<RowSet> = seeds.map(|s| self.orphans(&s.child, &s.key)).collect();
            if rows.iter().any(|r| r.source != rows[0].source) {
                // A partition has keys of its own.
                let found = rows.iter().map(|r| {
                    format!("SELECT child.tableoid, child.ctid FROM {} AS child WHERE {}", r.source, r.condition)
                });
                let found: Vec<String> = found.collect();
                return Some(format!("SELECT count(*) FROM ({}) AS found", found.join(" UNION ")));
            }
            RowSet::any(&rows).map(|rows| rows.count())
        };
        let linked = |one: &Reference| {
            let Referring { child, parent, condition } = self.referring(&one.child, &one.key);
            let parents = self.parents(&one.key.parent, &parent, "gone");
            format!("{gone}\nSELECT count(*) FROM {parents} JOIN {child} AS child ON {condition}")
        };
        let stale = |mark: &Mark| {
            let only = mark.only_orphans()?;
            Some(format!("{gone}\nSELECT count(*) FROM {} AS marked", self.marked(&only, "gone")))
        };
        Queries {
            gone: (1..=closure.tables.len())
                .map(|n| format!("{gone}\nSELECT count(*) FROM gone WHERE t = {n}"))
                .collect(),
            orphans: closure.tables.iter().map(of_table).collect(),
            marks: closure
                .marks
                .iter()
                .map(|m| format!("{gone}\nSELECT count(*) FROM {} AS marked", self.marked(m, "gone")))
                .collect(),
            links: closure.links().iter().map(linked).collect(),
            blocks: closure
                .blocks
                .iter()
                .map(|b| format!("{gone}\nSELECT count(*) {}", self.blocked(b, "gone")))
                .collect(),
            stale: closure.marks.iter().map(stale).collect(),
            guesses: closure
                .guesses
                .iter()
                .map(|g| format!("{gone}\nSELECT count(*) {}", self.blocked(g, "gone")))
                .collect(),
        }
    }

    /// Returns the tables that rows are backed up in, without those that nothing is counted for.
    fn backups(&self, sizes: Option<&Sizes>) -> Result<Vec<Backup>, String> {
        let closure = self.closure;
        let mut all: Vec<Backup> = Vec::new();
        for (at, table) in closure.tables.iter().enumerate() {
            if sizes.is_none_or(|s| s.gone[at] > 0) {
                let name = aside::named(table, "and what follows", closure.policy);
                let comment = format!("Rows of {table} that were orphans or referred to one");
                all.push(Backup { of: table.clone(), place: self.bench.name(&name), name, comment, mark: None });
            }
        }
        for (at, mark) in closure.marks.iter().enumerate() {
            if sizes.is_none_or(|s| s.marks[at] > 0) {
                let of = side(&mark.table, &mark.columns);
                let name = aside::named(&mark.table, &of, OrphanPolicy::SetNull);
                let columns = mark.columns.join(", ");
                let comment = format!("Rows of {} as they were when {columns} became NULL", mark.table);
                all.push(Backup {
                    of: mark.table.clone(),
                    place: self.bench.name(&name),
                    name,
                    comment,
                    mark: Some(at),
                });
            }
        }
        for backup in &all {
            aside::is_free(self.bench, &backup.name)?;
            place::can_be_sent(self.bench, &backup.of, backup.mark.is_none())?;
        }
        Ok(all)
    }

    fn columns(&self, table: &Table, of: &str) -> String {
        let all: Vec<String> =
            table.columns.iter().map(|c| format!("{of}{}", self.bench.dialect.identifier(&c.name))).collect();
        all.join(", ")
    }

    fn source(&self, table: &TableName) -> String {
        rows::source(self.bench.dialect, &self.bench.now, table)
    }

    fn draft(&self, sizes: Option<&Sizes>) -> Result<Draft, String> {
        let (bench, closure) = (self.bench, self.closure);
        let backups = self.backups(sizes)?;
        let mut changes = Vec::new();
        let mut statements = vec![
            // Rows that a policy hides are not passed over: the server raises an error.
            "SET LOCAL row_security = off".to_string(),
            format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.locked().join(", ")),
        ];
        for backup in &backups {
            let table = bench.table(&backup.of)?;
            // Run again, it finds nothing to do.
            statements.push(place::make(bench, &backup.place, &backup.of, &backup.comment));
            let definition = aside::copy(table, backup.name.clone(), Some(backup.comment.clone()));
            changes.push(Change::CreateTable { definition: Box::new(definition) });
        }
        statements
            .push(format!("CREATE TEMP TABLE _referee_gone AS\n  {}\n  SELECT t, part, place FROM gone", self.gone()));
        statements.push(format!("ANALYZE {GONE}"));
        let marked: Vec<String> = closure
            .marks
            .iter()
            .enumerate()
            .map(|(at, mark)| format!("SELECT {} AS m, part, place FROM {} AS marked", at + 1, self.marked(mark, GONE)))
            .collect();
        let none = "SELECT 0 AS m, part, place FROM pg_temp._referee_gone WHERE false".to_string();
        let marked = if marked.is_empty() { none } else { marked.join("\n  UNION ALL ") };
        statements.push(format!("CREATE TEMP TABLE _referee_nulled AS\n  {marked}"));
        statements.push(format!("ANALYZE {NULLED}"));
        statements.push(self.as_shown(sizes));
        statements.push(self.change(&backups)?);
        statements.push(self.nothing_left(&backups));
        statements.push(format!("DROP TABLE {GONE}, {NULLED}"));
        let mut lines: Vec<String> = Vec::new();
        for backup in &backups {
            lines.push(format!("`{}` ({})", backup.name, backup.of));
        }
        let drop = self.drop(&backups);
        let triggers = acting::triggers_of(closure, &bench.now);
        let why = format!(
            "Rows whose parent is missing cannot satisfy their foreign key, and other rows refer to them: {}.{triggers} All of them are \
             counted and backed up before the first change, in one transaction: in {}; when nobody needs them any more: `{drop}`.{}{}",
            closure.reasons(sizes),
            lines.join(", "),
            place::told(bench, &backups.iter().map(|b| &b.name).collect::<Vec<_>>()),
            closure.left_behind(sizes)
        );
        let mut held = Vec::new();
        for table in self.lock_tables() {
            held.extend(locks(bench.family(&table), "SHARE ROW EXCLUSIVE", Blocks::Writers, Held::Scan));
        }
        Ok(Draft {
            phase: Phase::Orphans,
            title: closure.title(sizes),
            why: Some(why),
            changes,
            touches_rows: true,
            up: whole(statements),
            down: self.back(&backups)?,
            locks: held,
            guards: self.guards(&backups),
            done: Some(self.done(&backups)),
        })
    }

    /// Returns the tables that nobody may write to meanwhile: those that change, and those in which a missing parent could appear.
    fn lock_tables(&self) -> Vec<TableName> {
        let mut all: Vec<TableName> = self.closure.changed().into_iter().cloned().collect();
        for one in self.closure.checked.iter().chain(&self.closure.blocks) {
            all.extend([one.key.parent.clone(), one.child.clone()]);
        }
        all.sort();
        all.dedup();
        all
    }

    fn locked(&self) -> Vec<String> {
        self.lock_tables().iter().map(|t| self.bench.name(t)).collect()
    }

    fn bounds(&self, queries: &Queries, sizes: &Sizes) -> Vec<Bound> {
        self.closure.bounds(queries, sizes)
    }

    /// Stops the transaction when more rows are concerned than the plan showed, or one that is protected.
    fn as_shown(&self, sizes: Option<&Sizes>) -> String {
        let literal = |text: &str| self.bench.dialect.literal(text);
        let mut lines: Vec<String> = since::lines(self.bench, &self.since()).iter().map(|l| format!("  {l}")).collect();
        if let Some(sizes) = sizes {
            let gone = self.closure.tables.iter().zip(&sizes.gone).enumerate().map(|(at, (table, shown))| {
                (format!("{GONE} WHERE t = {}", at + 1), *shown, format!("of {table} would be deleted"))
            });
            let marks = self.closure.marks.iter().zip(&sizes.marks).enumerate().map(|(at, (mark, shown))| {
                let of = side(&mark.table, &mark.columns);
                (format!("{NULLED} WHERE m = {}", at + 1), *shown, format!("of {of} would be set to NULL"))
            });
            let guesses = self.closure.guesses.iter().zip(&sizes.guesses).map(|(guess, shown)| {
                let rows = self.blocked(guess, GONE);
                let from = rows.strip_prefix("FROM ").unwrap_or(&rows).to_string();
                (from, *shown, format!("of {} would become orphans", guess.child))
            });
            for (from, shown, what) in gone.chain(marks).chain(guesses) {
                let text = format!(" rows {what}, and the plan showed {}: plan again", closure::rows(shown));
                lines.push(format!(
                    "  SELECT pg_catalog.count(*) INTO _referee_count FROM {from};\n  IF _referee_count > {shown} THEN RAISE EXCEPTION USING MESSAGE \
                     = pg_catalog.concat(_referee_count, {}); END IF;",
                    literal(&text)
                ));
            }
        }
        for block in &self.closure.blocks {
            lines.push(format!(
                "  IF EXISTS (SELECT 1 {}) THEN RAISE EXCEPTION USING MESSAGE = {}; END IF;",
                self.blocked(block, GONE),
                literal(&self.closure.blocked(block, None))
            ));
        }
        if lines.is_empty() {
            lines.push("  NULL;".to_string());
        }
        format!("DO $referee$\nDECLARE\n  _referee_count bigint;\nBEGIN\n{}\nEND\n$referee$", lines.join("\n"))
    }

    /// Writes the one statement that backs up, deletes and sets to NULL.
    fn change(&self, backups: &[Backup]) -> Result<String, String> {
        let mut parts: Vec<String> = Vec::new();
        for (at, backup) in backups.iter().enumerate() {
            let table = self.bench.table(&backup.of)?;
            let (source, place) = (self.source(&backup.of), &backup.place);
            let (all, of_child) = (self.columns(table, ""), self.columns(table, "child."));
            match backup.mark {
                None => {
                    parts.push(format!(
                        "deleted{at} AS (DELETE FROM {source} AS child USING {GONE} AS gone WHERE gone.t = {} AND child.tableoid = gone.part AND \
                         child.ctid = gone.place RETURNING {of_child})",
                        self.number(&backup.of)
                    ));
                    parts.push(format!("backup{at} AS (INSERT INTO {place} ({all}) SELECT {all} FROM deleted{at})"));
                }
                Some(mark) => parts.push(format!(
                    "backup{at} AS (INSERT INTO {place} ({all}) SELECT {of_child} FROM {source} AS child JOIN {NULLED} AS nulled ON nulled.m = {} \
                     AND child.tableoid = nulled.part AND child.ctid = nulled.place)",
                    mark + 1
                )),
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
                marks.iter().map(|(n, _)| format!("pg_catalog.bool_or(m = {}) AS m{n}", n + 1)).collect();
            let set = marks.iter().flat_map(|(n, mark)| {
                let one = |c: &String| {
                    let column = self.bench.dialect.identifier(c);
                    format!("{column} = CASE WHEN found.m{n} THEN NULL ELSE child.{column} END")
                };
                mark.columns.iter().map(one).collect::<Vec<_>>()
            });
            parts.push(format!(
                "nulled{at} AS (UPDATE {} AS child SET {} FROM (SELECT part, place, {} FROM {NULLED} WHERE m IN ({}) GROUP BY part, place) AS found \
                 WHERE child.tableoid = found.part AND child.ctid = found.place)",
                self.source(table),
                set.collect::<Vec<_>>().join(", "),
                flags.join(", "),
                numbers.join(", ")
            ));
        }
        // The parts run whatever is selected of them (manual, 7.8.4); what they changed is told by the backups.
        Ok(format!("WITH {}\nSELECT 1 WHERE false", parts.join(",\n  ")))
    }

    /// Stops the transaction while orphans are left, or rows that refer to one that is gone: a trigger may have kept a row.
    fn nothing_left(&self, backups: &[Backup]) -> String {
        let literal = |text: &str| self.bench.dialect.literal(text);
        let mut lines: Vec<String> = Vec::new();
        for one in &self.closure.checked {
            let RowSet { source, condition, .. } = self.orphans(&one.child, &one.key);
            let text = format!(
                "{} still has orphans: a trigger or rule of `{}` keeps rows from being changed; nothing was changed",
                side(&one.child, &one.key.columns),
                one.child
            );
            lines.push(format!(
                "  IF EXISTS (SELECT 1 FROM {source} AS child WHERE {condition}) THEN RAISE EXCEPTION USING MESSAGE = {}; END IF;",
                literal(&text)
            ));
        }
        for one in self.closure.relations() {
            let whole = self.closure.whole(&one.key.parent);
            let deleted = backups.iter().find(|b| b.mark.is_none() && b.of == *whole);
            let Some(deleted) = deleted.filter(|_| !self.closure.checked.contains(&one)) else { continue };
            let Referring { child, condition, .. } = self.referring(&one.child, &one.key);
            // A row of another partition may have had the same key.
            let orphan = if *whole == one.key.parent {
                String::new()
            } else {
                format!(" WHERE {}", self.orphans(&one.child, &one.key).condition)
            };
            let text = format!(
                "{} still refers to deleted rows: a trigger or rule of `{}` keeps rows from being changed; nothing was changed",
                side(&one.child, &one.key.columns),
                one.child
            );
            lines.push(format!(
                "  IF EXISTS (SELECT 1 FROM {} AS parent JOIN {child} AS child ON {condition}{orphan}) THEN RAISE EXCEPTION USING MESSAGE = {}; END IF;",
                deleted.place,
                literal(&text)
            ));
        }
        let changed: Vec<String> =
            backups.iter().map(|b| format!("(SELECT pg_catalog.count(*) FROM {})", b.place)).collect();
        lines.push(format!(
            "  PERFORM pg_catalog.set_config('{CHANGED}', ({})::pg_catalog.text, false);",
            changed.join(" + ")
        ));
        format!("DO $referee$\nBEGIN\n{}\nEND\n$referee$", lines.join("\n"))
    }

    /// Makes the guards that no other table has the name of a backup, and that no default goes for "none" where rows were not counted.
    fn guards(&self, backups: &[Backup]) -> Vec<Guard> {
        let (bench, schema) = (self.bench, self.bench.workshop.schema);
        let comment = "pg_catalog.obj_description(c.oid, 'pg_class')";
        let taken = |backup: &Backup| Guard {
            sql: format!(
                "SELECT c.relname, {comment} AS comment FROM pg_catalog.pg_class c WHERE c.oid = {} AND {comment} IS DISTINCT FROM {}",
                catalog::relation(bench, &backup.place),
                bench.dialect.literal(&backup.comment)
            ),
            found: format!("`{}` already exists", backup.name),
            advice: "rename it, then plan again".to_string(),
        };
        let mut guards: Vec<Guard> = backups.iter().map(taken).collect();
        for seed in &self.closure.seeds {
            let Some(table) = schema.table(&seed.child) else { continue };
            let options = bench.workshop.options;
            let question =
                Question { schema, dialect: bench.dialect, options, changes: &[], table, key: &seed.key, count: None };
            guards.extend(question.no_sentinel());
        }
        guards.extend(self.since());
        guards
    }

    fn since(&self) -> Vec<Guard> {
        since::guards(self.bench, &self.closure.changed())
    }

    fn drop(&self, backups: &[Backup]) -> String {
        let places: Vec<&str> = backups.iter().map(|b| b.place.as_str()).collect();
        format!("DROP TABLE {}", places.join(", "))
    }

    fn done(&self, backups: &[Backup]) -> String {
        let mut all: Vec<String> = Vec::new();
        for one in &self.closure.checked {
            let RowSet { source, condition, .. } = self.orphans(&one.child, &one.key);
            all.push(format!("NOT EXISTS (SELECT 1 FROM {source} AS child WHERE {condition})"));
        }
        for backup in backups {
            all.push(format!("{} IS NOT NULL", catalog::relation(self.bench, &backup.place)));
        }
        format!("SELECT 1 WHERE {}", all.join(" AND "))
    }

    /// Writes what stops the undo unless every row and every reference is back.
    fn returned(&self, backups: &[Backup]) -> Result<String, String> {
        let sources: Vec<String> = backups.iter().map(|b| self.source(&b.of)).collect();
        let columns: Vec<Option<Vec<&String>>> = backups
            .iter()
            .map(|b| b.mark.and_then(|m| self.closure.marks.get(m)).map(|m| m.columns.iter().collect()))
            .collect();
        let mut all = Vec::new();
        for (backup, (source, columns)) in backups.iter().zip(sources.iter().zip(&columns)) {
            let (table, columns) = (self.bench.table(&backup.of)?, columns.as_deref());
            all.push(Restored { table, source, place: &backup.place, backup: &backup.name, columns });
        }
        Ok(returned::check(self.bench, &all))
    }

    /// Writes the undo: all rows come back in one statement, so that a circle needs no order; then the references.
    fn back(&self, backups: &[Backup]) -> Result<Down, String> {
        let bench = self.bench;
        let mut inserts: Vec<String> = Vec::new();
        let mut updates: Vec<String> = Vec::new();
        let mut guards: Vec<Guard> = Vec::new();
        let mut keys: Vec<(&TableName, &Table, &ForeignKey)> = Vec::new();
        for (at, backup) in backups.iter().enumerate() {
            let (table, place) = (bench.table(&backup.of)?, &backup.place);
            let deleted = backup.mark.is_none();
            let contradicts = |of: &TableName, k: &ForeignKey| {
                let checked = self.closure.checked.iter().any(|r| {
                    r.child == *of
                        && (&r.key.columns, &r.key.parent, &r.key.parent_columns)
                            == (&k.columns, &k.parent, &k.parent_columns)
                });
                k.is_active() && (checked || deleted && !k.validated)
            };
            // A partition may have keys of its own.
            for part in bench.now.parts(&backup.of) {
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
                    .map(|c| bench.dialect.identifier(&c.name))
                    .collect();
                let own = own.join(", ");
                inserts.push(format!(
                    "back{at} AS (INSERT INTO {} ({own}) OVERRIDING SYSTEM VALUE SELECT {own} FROM {place})",
                    bench.name(&backup.of)
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
            let marks = self.closure.marks.iter().filter(|m| self.bench.now.share_rows(&m.table, &backup.of));
            let changed: Vec<&String> = marks.flat_map(|m| &m.columns).collect();
            let (update, guard) = aside::references_back(
                bench,
                &self.source(&backup.of),
                identity,
                (&columns, &changed),
                backup.place.as_str(),
                (&backup.of, &backup.name),
            );
            updates.push(update);
            guards.push(guard);
        }
        if keys.iter().any(|(t, ..)| partitions::takes_no_unchecked_key(bench, t)) {
            return Ok(Down::Impossible(format!(
                "a foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18, and accepts no orphan; the rows are backed up: {}",
                backups.iter().map(|b| format!("`{}`", b.name)).collect::<Vec<_>>().join(", ")
            )));
        }
        let named: Vec<(&TableName, String, &ForeignKey)> =
            keys.into_iter().map(|(of, table, key)| (of, sql::key_name(table, key), key)).collect();
        let mut statements: Vec<String> = named
            .iter()
            .map(|(of, name, _)| {
                format!("{} DROP CONSTRAINT {}", sql::alter(bench, of), bench.dialect.identifier(name))
            })
            .collect();
        if !inserts.is_empty() {
            statements.push(format!("WITH {}\nSELECT 1", inserts.join(",\n  ")));
        }
        statements.extend(updates);
        statements.push(self.returned(backups)?);
        statements.push(self.drop(backups));
        let later = backups.iter().filter_map(|b| bench.now.table(&b.of)).any(|t| {
            let mut unique = t.primary_key.iter().chain(&t.unique_keys);
            t.foreign_keys.iter().any(|k| k.timing == Timing::Deferred) || unique.any(|k| k.deferrable)
        });
        if later && !named.is_empty() {
            // A table whose rows wait to be checked cannot be altered (55006).
            statements.push("SET CONSTRAINTS ALL IMMEDIATE".to_string());
        }
        guards.extend(named.iter().map(|(of, name, key)| since::key_as_planned(bench, of, name, key)));
        for (of, name, key) in named {
            statements.push(format!("{} ADD {}", sql::alter(bench, of), sql::key(bench, key, &name, true)));
            statements.extend(sql::key_comment(bench, of, key, &name));
        }
        let names: Vec<String> = backups.iter().map(|b| format!("`{}`", b.name)).collect();
        let set_off = acting::closure_set_off_by_undo(bench.workshop.options, self.closure, bench.workshop.schema);
        guards.extend(since::undo_guards(bench, &set_off, &names.join(", ")));
        Ok(Down::Script { script: whole(statements), guards })
    }
}
