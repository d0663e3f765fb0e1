//! Orphans to which other rows refer: all rows that go or lose a reference are found before the first change, backed up, and
//! changed by one statement in one transaction.
//!
//! A recursive query may name itself once (manual, 7.8.2), so a round's new rows get a name of their own. NO ACTION and RESTRICT
//! are checked after the statement that deletes, whatever parts it has (7.8.4, "Data-Modifying Statements in WITH"): tables that
//! refer to one another in a circle need no order. Writers wait meanwhile, so that what was counted is what is changed.

mod change;
mod undo;

use super::super::acting;
use super::super::closure::{Closure, ClosureRows, Queries, Size, Sizes};
use super::super::remedy::Question;
use super::super::servers::backups;
use super::super::servers::builder::{Builder, Draft};
use super::super::{Blocks, Bound, Down, Guard, Held, OrphanPolicy, Phase};
use super::counters::{Counters, Expected};
use super::{backup as place, catalog, locks, since, visible, whole};
use crate::change::Change;
use crate::relations::side;
use crate::rows;
use crate::schema::{ForeignKey, Table, TableName};

/// The rows that go, while the step runs: table's number, partition, place.
const GONE: &str = "pg_temp._referee_gone";
/// The rows that lose a reference: the mark's number, partition, place.
const NULLED: &str = "pg_temp._referee_nulled";

/// Makes the step that cleans a closure up; `None` if no row follows another.
///
/// # Errors
/// It cannot be done, or not be undone; nothing of it is planned then.
pub(super) fn step(builder: &mut Builder<'_>, closure: &Closure) -> Result<Option<(Draft, Vec<Bound>)>, String> {
    visible::all_rows(builder, closure.involved())?;
    let queries = Writing { builder, closure }.rows().queries()?;
    let sizes = match closure.size(&builder.context.options.counts, &queries)? {
        Size::NothingFollows => return Ok(None),
        Size::Known(sizes) => Some(sizes),
        Size::Unknown => None,
    };
    closure.can_be_undone()?;
    acting::closure_acted_on(builder.context.options, closure, builder.context.schema)?;
    let writing = Writing { builder, closure };
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
    builder: &'a Builder<'w>,
    closure: &'a Closure,
}

impl Writing<'_, '_> {
    fn rows(&self) -> ClosureRows<'_> {
        ClosureRows { dialect: self.builder.dialect, schema: &self.builder.now, closure: self.closure, name: "gone" }
    }

    fn number(&self, table: &TableName) -> String {
        self.closure.number(table).map_or_else(|| "0".to_string(), |n| (n + 1).to_string())
    }

    /// Returns the tables that rows are backed up in, without those that nothing is counted for.
    fn backups(&self, sizes: Option<&Sizes>) -> Result<Vec<Backup>, String> {
        let closure = self.closure;
        let mut all: Vec<Backup> = Vec::new();
        for (at, table) in closure.tables.iter().enumerate() {
            if sizes.is_none_or(|s| s.gone[at] > 0) {
                let name = backups::named(table, "and what follows", closure.policy);
                let comment = format!("Rows of {table} that were orphans or referred to one");
                all.push(Backup { of: table.clone(), place: self.builder.name(&name), name, comment, mark: None });
            }
        }
        for (at, mark) in closure.marks.iter().enumerate() {
            if sizes.is_none_or(|s| s.marks[at] > 0) {
                let of = side(&mark.table, &mark.columns);
                let name = backups::named(&mark.table, &of, OrphanPolicy::SetNull);
                let columns = mark.columns.join(", ");
                let comment = format!("Rows of {} as they were when {columns} became NULL", mark.table);
                all.push(Backup {
                    of: mark.table.clone(),
                    place: self.builder.name(&name),
                    name,
                    comment,
                    mark: Some(at),
                });
            }
        }
        for backup in &all {
            backups::is_free(self.builder, &backup.name)?;
            place::can_be_sent(self.builder, &backup.of, backup.mark.is_none())?;
        }
        Ok(all)
    }

    fn columns(&self, table: &Table, of: &str) -> String {
        let all: Vec<String> =
            table.columns.iter().map(|c| format!("{of}{}", self.builder.dialect.identifier(&c.name))).collect();
        all.join(", ")
    }

    fn source(&self, table: &TableName) -> String {
        rows::source(self.builder.dialect, &self.builder.now, table)
    }

    fn draft(&self, sizes: Option<&Sizes>) -> Result<Draft, String> {
        let (builder, closure) = (self.builder, self.closure);
        let backups = self.backups(sizes)?;
        let mut changes = Vec::new();
        let mut statements = vec![
            // Rows that a policy hides are not passed over: the server raises an error.
            "SET LOCAL row_security = off".to_string(),
            format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.locked().join(", ")),
        ];
        for backup in &backups {
            let table = builder.table(&backup.of)?;
            // Run again, it finds nothing to do.
            statements.push(place::make(builder, &backup.place, &backup.of, &backup.comment));
            let definition = backups::copy(table, backup.name.clone(), Some(backup.comment.clone()));
            changes.push(Change::CreateTable { definition: Box::new(definition) });
        }
        let (rows, gone) = (self.rows(), self.rows().gone()?);
        statements.push(self.counters().hold());
        statements.push(format!(
            "CREATE TEMP TABLE _referee_gone ON COMMIT DROP AS\n  {gone}\n  SELECT t, part, place FROM gone"
        ));
        statements.push(format!("ANALYZE {GONE}"));
        let mut marked: Vec<String> = Vec::new();
        for (at, mark) in closure.marks.iter().enumerate() {
            marked.push(format!("SELECT {} AS t, part, place FROM {} AS marked", at + 1, rows.marked(mark, GONE)?));
        }
        let none = "SELECT 0 AS t, part, place FROM pg_temp._referee_gone WHERE false".to_string();
        let marked = if marked.is_empty() { none } else { marked.join("\n  UNION ALL ") };
        statements.push(format!("CREATE TEMP TABLE _referee_nulled ON COMMIT DROP AS\n  {marked}"));
        statements.push(format!("ANALYZE {NULLED}"));
        statements.push(self.as_shown(sizes, &backups)?);
        statements.push(self.change(&backups)?);
        statements.push(self.nothing_left(&backups)?);
        statements.push(self.counters().check(&Expected {
            updated: &format!("(SELECT pg_catalog.count(*) FROM (SELECT 1 FROM {NULLED} GROUP BY part, place) AS n)"),
            deleted: &format!("(SELECT pg_catalog.count(*) FROM {GONE})"),
        }));
        let mut lines: Vec<String> = Vec::new();
        for backup in &backups {
            lines.push(format!("`{}` ({})", backup.name, backup.of));
        }
        let drop = self.drop(backups.iter().collect());
        let triggers = acting::triggers_of(closure, &builder.now, sizes);
        let down = self.back(&backups)?;
        let mut undone = String::new();
        for backup in backups.iter().filter(|_| matches!(down, Down::Script { .. })) {
            let set = backup.mark.and_then(|m| closure.marks.get(m)).map(|m| m.columns.as_slice());
            undone.push_str(&acting::before_undo(&builder.now, builder.table(&backup.of)?, set));
        }
        let why = format!(
            "Rows whose parent is missing cannot satisfy their foreign key, and other rows refer to them: {}. These rows are \
             counted and backed up before the first change, in one transaction: in {}; when nobody needs them any more: `{drop}`.{}{triggers}{}{undone}",
            closure.reasons(sizes),
            lines.join(", "),
            place::told(builder, &backups.iter().map(|b| &b.name).collect::<Vec<_>>()),
            closure.left_behind(sizes)
        );
        let mut held = Vec::new();
        for table in self.lock_tables() {
            held.extend(locks(builder.family(&table), "SHARE ROW EXCLUSIVE", Blocks::Writers, Held::Scan));
        }
        Ok(Draft {
            phase: Phase::Orphans,
            title: closure.title(sizes),
            why: Some(why),
            changes,
            touches_rows: true,
            up: whole(statements),
            down,
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
        self.lock_tables().iter().map(|t| self.builder.name(t)).collect()
    }

    fn bounds(&self, queries: &Queries, sizes: &Sizes) -> Vec<Bound> {
        let context = self.builder.context;
        let bounds = self.closure.bounds(queries, sizes);
        acting::closure_undone(context.options, self.closure, context.schema, bounds)
    }

    /// Makes the guards that no other table has the name of a backup, and that no default goes for "none" where rows were not counted.
    fn guards(&self, backups: &[Backup]) -> Vec<Guard> {
        let (builder, schema) = (self.builder, self.builder.context.schema);
        let comment = "pg_catalog.obj_description(c.oid, 'pg_class')";
        let taken = |backup: &Backup| Guard {
            sql: format!(
                "SELECT c.relname, {comment} AS comment FROM pg_catalog.pg_class c WHERE c.oid = {} AND {comment} IS DISTINCT FROM {}",
                catalog::relation(builder, &backup.place),
                builder.dialect.literal(&backup.comment)
            ),
            found: format!("`{}` already exists", backup.name),
            advice: "rename it, then plan again".to_string(),
        };
        let mut guards: Vec<Guard> = backups.iter().map(taken).collect();
        for seed in &self.closure.seeds {
            let Some(table) = schema.table(&seed.child) else { continue };
            let options = builder.context.options;
            let question = Question {
                schema,
                dialect: builder.dialect,
                options,
                changes: &[],
                table,
                key: &seed.key,
                count: None,
            };
            guards.extend(question.no_sentinel());
        }
        guards.extend(self.since(backups));
        guards
    }

    fn since(&self, backups: &[Backup]) -> Vec<Guard> {
        let mut guards = since::guards(self.builder, &self.closure.changed());
        for name in self.closure.changed() {
            let own: Vec<&str> = backups.iter().filter(|b| b.of == *name).map(|b| b.place.as_str()).collect();
            let relations = self.closure.relations();
            let keys: Vec<&ForeignKey> = relations.iter().filter(|r| r.child == *name).map(|r| &r.key).collect();
            guards.extend(
                self.builder.table(name).into_iter().flat_map(|t| since::same_table(self.builder, t, &keys, &own)),
            );
        }
        guards
    }

    /// Counts what the server says was changed.
    fn counters(&self) -> Counters<'_> {
        let options = self.builder.context.options;
        let waived = acting::closure_is_waived(options, self.closure, &self.builder.now);
        Counters { builder: self.builder, tables: self.closure.changed(), waived, undo: false }
    }

    fn drop(&self, backups: Vec<&Backup>) -> String {
        let places: Vec<&str> = backups.iter().map(|b| b.place.as_str()).collect();
        format!("DROP TABLE {}", places.join(", "))
    }

    fn done(&self, backups: &[Backup]) -> String {
        let mut all: Vec<String> = self.closure.checked.iter().map(|one| self.rows().orphans(one).none()).collect();
        for backup in backups {
            all.push(format!("{} IS NOT NULL", catalog::relation(self.builder, &backup.place)));
        }
        format!("SELECT 1 WHERE {}", all.join(" AND "))
    }
}
