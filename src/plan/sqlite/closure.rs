//! Orphans to which other rows refer: all rows that go or lose a reference are found before the first change, backed up, and
//! changed in one transaction.
//!
//! Foreign keys are not enforced meanwhile: the rows that go are known, so no action has to find them, and tables that refer to
//! one another in a circle need no order. Afterwards it is looked whether any row still refers to one that is gone.
//!
//! A recursive query looks at one row after the other (lang_with.html, 3), and would read the whole child for each. So all pairs of
//! child and parent are joined once, into a table that SQLite then searches by an index.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::super::closure::{Closure, ClosureRows, Queries, Size, Sizes};
use super::super::definitions::Names;
use super::super::remedy::Question;
use super::super::{
    Bound, Definitions, Down, Guard, Held, OrphanPolicy, Phase, Reason, Script, Step, Transaction, Wanted, acting,
};
use super::super::{PlanContext, backup_common};
use super::{backup, lock, own_constraints, since, sql};
use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::findings::Safety;
use crate::rows::{self, RowSet};
use crate::schema::{Schema, Table, TableName};

/// The rows that go: the table's number and what tells the row apart.
const GONE: &str = "_referee_gone";
/// The rows that lose a reference: the mark's number and what tells the row apart.
const NULLED: &str = "_referee_nulled";

/// What a step is made of.
pub(super) struct Site<'a> {
    pub context: &'a PlanContext<'a>,
    pub definitions: &'a Definitions,
    pub names: &'a Names,
    /// The names that steps of this plan have given to backups.
    pub given: RefCell<BTreeSet<String>>,
}

impl Site<'_> {
    /// Returns a name for a backup that is in no definition, and that no other step has.
    pub fn free(&self, wanted: &str) -> String {
        let mut given = self.given.borrow_mut();
        let mut name = self.names.free(wanted);
        let mut number = 1;
        while !given.insert(name.to_ascii_lowercase()) {
            number += 1;
            name = self.names.free(&format!("{wanted}_{number}"));
        }
        name
    }
}

/// Makes the step that cleans a closure up; `None` if no row follows another.
///
/// # Errors
/// It cannot be done, or not be undone; nothing of it is planned then.
pub(super) fn step(site: &Site<'_>, closure: &Closure, wanted: &[&Wanted]) -> Result<Option<Step>, String> {
    let writing = Writing { site, schema: site.context.schema, closure };
    let queries = writing.rows().queries()?;
    let sizes = match closure.size(&site.context.options.counts, &queries)? {
        Size::NothingFollows => return Ok(None),
        Size::Known(sizes) => Some(sizes),
        Size::Unknown => None,
    };
    closure.can_be_undone()?;
    acting::closure_acted_on(site.context.options, closure, site.context.schema)?;
    writing.step(&queries, sizes.as_ref(), wanted).map(Some)
}

/// A table that rows are backed up in.
struct Backup<'s> {
    table: &'s Table,
    name: String,
    /// The mark whose rows it holds; `None` for rows that go.
    mark: Option<usize>,
    /// The statements that make it.
    statements: Vec<String>,
    made: Table,
}

struct Writing<'a> {
    site: &'a Site<'a>,
    schema: &'a Schema,
    closure: &'a Closure,
}

impl<'a> Writing<'a> {
    fn table(&self, name: &TableName) -> Result<&'a Table, String> {
        self.schema.table(name).ok_or_else(|| format!("there is no table {name}"))
    }

    fn rows(&self) -> ClosureRows<'a> {
        ClosureRows { dialect: &DIALECT, schema: self.schema, closure: self.closure, name: GONE }
    }

    fn number(&self, table: &TableName) -> usize {
        self.closure.number(table).map_or(0, |n| n + 1)
    }

    /// Returns the backups, without those that nothing is counted for.
    fn backups(&self, sizes: Option<&Sizes>) -> Result<Vec<Backup<'a>>, String> {
        let closure = self.closure;
        let mut all: Vec<Backup<'_>> = Vec::new();
        let mut add = |of: &TableName, name: String, mark: Option<usize>, condition: String| {
            let table = self.table(of)?;
            let from = format!("{} AS child", DIALECT.table(of));
            let empty = backup::keep(table, &name, &from, "0");
            let made = backup::made(self.site.definitions, table, &name, &empty)?;
            let mut statements = vec![backup::keep(table, &name, &from, &condition)];
            statements.extend(backup::kept_exactly(table, &name, &from, &condition));
            all.push(Backup { table, name, mark, statements, made });
            Ok::<(), String>(())
        };
        let start = if closure.policy == OrphanPolicy::Quarantine { "quarantine" } else { "kept" };
        for (at, table) in closure.tables.iter().enumerate() {
            if sizes.is_none_or(|s| s.gone[at] > 0) {
                let name = self.site.free(&format!("_referee_{start}_{}", table.name));
                add(table, name, None, self.rows().is_gone(table, "child", &format!("temp.{GONE}"))?)?;
            }
        }
        for (at, mark) in closure.marks.iter().enumerate() {
            if sizes.is_none_or(|s| s.marks[at] > 0) {
                let of_table = closure.marks.iter().filter(|m| m.table == mark.table);
                let changed: Vec<String> = of_table.flat_map(|m| m.columns.iter().cloned()).collect();
                backup::can_be_found(self.table(&mark.table)?, &changed)?;
                let name = self.site.free(&format!("_referee_kept_{}_{}", mark.table.name, mark.columns.join("_")));
                let marked = self.rows().is_marked(at, &mark.table, "child", &format!("temp.{NULLED}"))?;
                add(&mark.table, name, Some(at), marked)?;
            }
        }
        Ok(all)
    }

    fn step(&self, queries: &Queries, sizes: Option<&Sizes>, wanted: &[&Wanted]) -> Result<Step, String> {
        let closure = self.closure;
        let backups = self.backups(sizes)?;
        let constrained = self.constrained(&backups)?;
        constrained.iter().try_for_each(|rows| rows.counted(&self.site.context.options.counts))?;
        let changes: Vec<Change> =
            backups.iter().map(|b| Change::CreateTable { definition: Box::new(b.made.clone()) }).collect();
        let mut findings: Vec<Reason> = wanted.iter().flat_map(|w| w.findings.iter().cloned()).collect();
        findings.sort();
        findings.dedup();
        let lines: Vec<String> = backups.iter().map(|b| format!("`{}` ({})", b.name, b.table.name)).collect();
        let triggers = acting::triggers_of(closure, self.schema, sizes);
        let why = format!(
            "Rows whose parent is missing cannot satisfy their foreign key, and other rows refer to them: {}.{triggers} All of them are \
             counted and backed up before the first change, in one transaction: in {}; when nobody needs them any more: `{}`.{}",
            closure.reasons(sizes),
            lines.join(", "),
            drops(&backups).join("; "),
            closure.left_behind(sizes)
        );
        let mut ids = vec!["clean", "up"];
        ids.extend(closure.tables.iter().map(|t| t.name.as_str()));
        Ok(Step {
            id: super::step_id(&ids, &changes),
            phase: Phase::Orphans,
            title: closure.title(sizes),
            why,
            findings,
            safety: Safety::Unsafe,
            changes,
            touches_rows: true,
            newly_deletes: Vec::new(),
            newly_refuses: Vec::new(),
            up: self.up(&backups, sizes)?,
            down: self.down(&backups),
            locks: closure.changed().into_iter().flat_map(|t| lock(t, Held::Scan)).collect(),
            guards: self.guards(&backups, &constrained),
            bounds: sizes.map(|sizes| self.bounds(queries, sizes)).unwrap_or_default(),
            done: Some(self.done(&backups)),
        })
    }

    fn bounds(&self, queries: &Queries, sizes: &Sizes) -> Vec<Bound> {
        let bounds = self.closure.bounds(queries, sizes);
        acting::closure_undone(self.site.context.options, self.closure, self.schema, bounds)
    }

    fn up(&self, backups: &[Backup<'_>], sizes: Option<&Sizes>) -> Result<Script, String> {
        let closure = self.closure;
        let (gone, nulled) = (format!("temp.{GONE}"), format!("temp.{NULLED}"));
        let mut statements: Vec<String> = Vec::new();
        statements.extend(sql::check("foreign_keys_are_off", "SELECT foreign_keys = 0 FROM pragma_foreign_keys"));
        statements.extend(since::checks(since::TABLE, &self.as_planned()));
        statements.extend(since::checks(since::ADDED, &self.since()));
        statements.push(format!("CREATE TEMP TABLE {GONE} AS {}\n  SELECT t, r FROM {GONE}", self.rows().gone()?));
        let mut marked: Vec<String> = Vec::new();
        for (at, mark) in closure.marks.iter().enumerate() {
            marked.push(format!("SELECT {} AS t, r FROM {}", at + 1, self.rows().marked(mark, &gone)?));
        }
        if marked.is_empty() {
            marked.push(format!("SELECT 0 AS t, r FROM {gone} WHERE 0"));
        }
        statements.push(format!("CREATE TEMP TABLE {NULLED} AS {}", marked.join("\n  UNION ALL ")));
        if let Some(sizes) = sizes {
            let gone = sizes
                .gone
                .iter()
                .enumerate()
                .map(|(at, n)| format!("(SELECT count(*) FROM {gone} WHERE t = {}) <= {n}", at + 1));
            let marks = sizes
                .marks
                .iter()
                .enumerate()
                .map(|(at, n)| format!("(SELECT count(*) FROM {nulled} WHERE t = {}) <= {n}", at + 1));
            let mut all: Vec<String> = gone.chain(marks).collect();
            for (guess, shown) in closure.guesses.iter().zip(&sizes.guesses) {
                all.push(format!("({}) <= {shown}", self.rows().blocked(guess, &format!("temp.{GONE}"))?.count()));
            }
            statements.extend(sql::check("no_more_rows_than_the_plan_showed", &format!("SELECT {}", sql::all(&all))));
        }
        for block in &closure.blocks {
            let rows = self.rows().blocked(block, &gone)?;
            statements.extend(sql::check("no_row_refers_to_one_that_goes", &format!("SELECT NOT {}", rows.some())));
        }
        statements.extend(backups.iter().flat_map(|b| b.statements.clone()));
        let mut counts = self.counts();
        statements.extend(counts.next());
        for (at, mark) in closure.marks.iter().enumerate() {
            let set: Vec<String> = mark.columns.iter().map(|c| format!("{} = NULL", DIALECT.identifier(c))).collect();
            statements.push(format!(
                "UPDATE OR ABORT {} AS child SET {} WHERE {}",
                DIALECT.table(&mark.table),
                set.join(", "),
                self.rows().is_marked(at, &mark.table, "child", &nulled)?
            ));
        }
        for table in closure.tables.iter().rev() {
            statements.push(self.rows_where(table, self.rows().is_gone(table, "child", &gone)?).delete());
        }
        for one in &closure.checked {
            statements.extend(sql::nothing_left(&self.rows().orphans(one)));
        }
        statements.extend(self.nothing_dangles(backups, &gone)?);
        statements.extend(counts);
        statements.extend([format!("DROP TABLE {nulled}"), format!("DROP TABLE {gone}")]);
        Ok(without_keys(statements))
    }

    /// Writes what counts the tables before the first change, and what stops the transaction when a table then has other than as many
    /// rows as it should: a conflict clause or a trigger may have taken others.
    fn counts(&self) -> impl Iterator<Item = String> {
        const ROWS: &str = "_referee_rows";
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (at, table) in self.closure.changed().into_iter().enumerate() {
            let rows = format!("(SELECT count(*) FROM {})", DIALECT.table(table));
            before.push(format!("SELECT {at} AS t, {rows} AS n"));
            after.push(format!(
                "{rows} = (SELECT n FROM temp.{ROWS} WHERE t = {at}) - (SELECT count(*) FROM temp.{GONE} WHERE t = {})",
                self.number(table)
            ));
        }
        let before = format!("CREATE TEMP TABLE {ROWS} AS {}", before.join(" UNION ALL "));
        let after = sql::check("no_other_row_comes_or_goes", &format!("SELECT {}", sql::all(&after)));
        std::iter::once(before).chain(after).chain([format!("DROP TABLE temp.{ROWS}")])
    }

    /// Stops the transaction when a row that should go is still there: a trigger may have kept it (RAISE(IGNORE)). Then no row
    /// that stays refers to one that went, as all of those were found.
    fn nothing_dangles(&self, backups: &[Backup<'_>], gone: &str) -> Result<Vec<String>, String> {
        let mut statements: Vec<String> = Vec::new();
        for backup in backups {
            let name = &backup.table.name;
            let (condition, word) = match backup.mark.and_then(|m| self.closure.marks.get(m).map(|mark| (m, mark))) {
                None => (self.rows().is_gone(name, "child", gone)?, "every_row_is_deleted"),
                Some((at, mark)) => {
                    let marked = self.rows().is_marked(at, name, "child", &format!("temp.{NULLED}"))?;
                    let columns = mark.columns.iter().map(|c| format!("child.{} IS NOT NULL", DIALECT.identifier(c)));
                    let columns: Vec<String> = columns.collect();
                    (format!("{marked} AND ({})", columns.join(" OR ")), "every_reference_is_null")
                }
            };
            let left = self.rows_where(name, condition);
            statements.extend(sql::check(word, &format!("SELECT {}", left.none())));
        }
        Ok(statements)
    }

    fn rows_where(&self, table: &TableName, condition: String) -> RowSet {
        RowSet { source: rows::source(&DIALECT, self.schema, table), alias: "child".to_string(), condition }
    }

    fn down(&self, backups: &[Backup<'_>]) -> Down {
        let mut statements = Vec::new();
        let mut guards: Vec<Guard> = backups.iter().flat_map(|b| since::restorable(b.table, &b.name, true)).collect();
        for backup in backups.iter().filter(|b| b.mark.is_none()) {
            statements.extend(backup::bring_back(backup.table, &backup.name));
        }
        for backup in backups {
            let Some(mark) = backup.mark.and_then(|m| self.closure.marks.get(m)) else { continue };
            let of_table = self.closure.marks.iter().filter(|m| m.table == mark.table);
            let changed: Vec<String> = of_table.flat_map(|m| m.columns.iter().cloned()).collect();
            let (back, guard) = backup::give_back(backup.table, &backup.name, &mark.columns, &changed);
            statements.extend(back);
            guards.extend(guard);
        }
        let names: Vec<String> = backups.iter().map(|b| format!("`{}`", b.name)).collect();
        let set_off = acting::closure_set_off_by_undo(self.site.context.options, self.closure, self.schema);
        guards.extend(since::undo_guards(&set_off, &names.join(", ")));
        for backup in backups {
            statements.extend(backup::release(self.schema, backup.table, &backup.name, backup.mark.is_some()));
        }
        Down::Script { script: without_keys(statements), guards }
    }

    /// Returns the rows that change, as far as a constraint of their own table may keep an undo from restoring them.
    fn constrained<'b>(&'b self, backups: &'b [Backup<'_>]) -> Result<Vec<own_constraints::Rows<'b>>, String> {
        let of = |backup: &'b Backup<'_>| {
            let mark = backup.mark.and_then(|at| self.closure.marks.get(at));
            let (undone, found) = match mark {
                None => {
                    let gone = format!("(SELECT r FROM {GONE} WHERE t = {})", self.number(&backup.table.name));
                    (own_constraints::Undone::Inserted, gone)
                }
                Some(mark) => (own_constraints::Undone::Updated(&mark.columns), self.rows().marked(mark, GONE)?),
            };
            let (table, with) = (backup.table, self.rows().gone()?);
            Ok(own_constraints::Rows { table, undone, with, identities: Some(found) })
        };
        backups.iter().map(of).collect()
    }

    fn guards(&self, backups: &[Backup<'_>], constrained: &[own_constraints::Rows<'_>]) -> Vec<Guard> {
        let names: Vec<&str> = backups.iter().map(|b| b.name.as_str()).collect();
        let mut guards = vec![Guard {
            sql: format!(
                "SELECT type, name FROM main.sqlite_schema WHERE name COLLATE NOCASE IN ({})",
                sql::in_list(names.iter().copied())
            ),
            found: format!("one of {} already exists", names.join(", ")),
            advice: backup_common::TAKEN.to_string(),
        }];
        guards.extend(constrained.iter().filter_map(own_constraints::Rows::guard));
        let (schema, options) = (self.schema, self.site.context.options);
        for seed in &self.closure.seeds {
            let Some(table) = schema.table(&seed.child) else { continue };
            let question =
                Question { schema, dialect: &DIALECT, options, changes: &[], table, key: &seed.key, count: None };
            guards.extend(question.no_sentinel());
        }
        guards.extend(self.as_planned());
        guards.extend(self.since());
        guards
    }

    fn as_planned(&self) -> Vec<Guard> {
        since::as_planned(self.site.definitions, &self.closure.changed())
    }

    fn since(&self) -> Vec<Guard> {
        let losing: Vec<&TableName> = self.closure.tables.iter().collect();
        since::guards(self.schema, self.site.definitions, &losing, &self.closure.changed())
    }

    fn done(&self, backups: &[Backup<'_>]) -> String {
        let orphans = self.closure.checked.iter().map(|one| self.rows().orphans(one).none());
        let there = backups.iter().map(|b| {
            let name = sql::literal(&b.name);
            format!("EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = {name})")
        });
        format!("SELECT 1 WHERE {}", sql::all(&orphans.chain(there).collect::<Vec<_>>()))
    }
}

fn drops(backups: &[Backup<'_>]) -> Vec<String> {
    backups.iter().map(|b| format!("DROP TABLE main.{}", DIALECT.identifier(&b.name))).collect()
}

/// A script that runs with foreign keys not enforced.
pub(super) fn without_keys(statements: Vec<String>) -> Script {
    Script {
        before: vec!["PRAGMA foreign_keys = OFF".to_string()],
        statements,
        after: vec!["PRAGMA foreign_keys = ON".to_string()],
        transaction: Transaction::Own,
    }
}
