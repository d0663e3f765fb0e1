//! The run itself: guards, statements, retries, proof.

use std::time::Duration;

use super::journal::Journal;
use super::{ApplyError, LONGEST_PAUSE, Options, Outcome};
use crate::engine::RUN;
use crate::engine::postgres::{CHANGED, MORE_ROWS};
use crate::engine::{EngineError, EngineErrorKind, Rows, Value, Writer, dialect};
use crate::job::{Context, Event, Why};
use crate::plan::{Bound, Guard, Plan, Script, Step, Transaction};
use crate::relations::{Keeper, keepers};
use crate::schema::{Schema, TableName, Trigger};

/// How many rows of a guard's answer an error shows.
const SHOWN: usize = 5;
/// How many characters of a value it shows.
const LONGEST_VALUE: usize = 60;
/// How often, and after which pause, a run asks whether it is its turn: for three seconds in all.
const TURNS: u32 = 15;
const BETWEEN_TURNS: Duration = Duration::from_millis(200);

/// Runs the steps of a plan that have not been done yet.
///
/// # Errors
/// The first thing that went wrong. Run again, it goes on from there.
pub fn apply(
    writer: &mut dyn Writer,
    plan: &Plan,
    options: &Options,
    journal: &mut Journal,
    context: &Context,
) -> Result<Outcome, ApplyError> {
    take_turn(writer, context)?;
    every_row_was_counted(writer, plan)?;
    let mut outcome = Outcome::default();
    for (number, step) in plan.steps.iter().enumerate() {
        going(context)?;
        context.tell(&Event::Starts { step: number });
        if is_done(writer, step)? {
            journal.skipped(&step.id)?;
            context.tell(&Event::Skipped { step: number });
            outcome.skipped += 1;
            continue;
        }
        if let Err(error) = check(&mut |sql| writer.query(sql), step, &step.guards) {
            return Err(recorded(journal, step, error));
        }
        journal.started(&step.id)?;
        let rows = match attempt(writer, (plan, number), &step.up, options, context) {
            Ok(rows) => rows,
            Err(error) => {
                let raised = Raised { schema: &plan.before, step, script: &step.up, events: &["DELETE", "UPDATE"] };
                let error = raised.name(with_keepers(error, plan, step), writer);
                return Err(recorded(journal, step, error));
            }
        };
        if let Some(sql) = &step.done
            && !is_done(writer, step)?
        {
            let error = match rows.stay(&step.bounds) {
                Some(stay) => with_keepers(stay.told(step), plan, step),
                None => ApplyError::NotDone { title: step.title.clone(), sql: sql.clone() },
            };
            let rows = committed(writer, plan, step, &step.up);
            drop_empty_backup(writer, plan, step, rows);
            return Err(recorded(journal, step, error));
        }
        let bounded = !step.bounds.is_empty();
        journal.done(&step.id, bounded.then_some(rows.changed))?;
        if bounded {
            context.tell(&Event::Changed { step: number, rows: rows.changed });
        }
        context.tell(&Event::Done { step: number });
        outcome.done += 1;
    }
    journal.finished()?;
    Ok(outcome)
}

/// Records why a step failed, and returns that. Where the journal cannot be written either, the first error is the one to tell.
fn recorded(journal: &mut Journal, step: &Step, error: ApplyError) -> ApplyError {
    let whole = step.up.transaction == Transaction::Own || !error.is_partly();
    let rolled_back = whole && error.is_rolled_back();
    drop(journal.failed(&step.id, &error.to_string(), rolled_back));
    error
}

/// Waits a moment for a run that was killed: the server keeps its lock until it sees that nobody listens any more.
pub(super) fn take_turn(writer: &mut dyn Writer, context: &Context) -> Result<(), ApplyError> {
    for _ in 0..TURNS {
        if writer.lock(RUN)? {
            return Ok(());
        }
        going(context)?;
        context.cancel.sleep(BETWEEN_TURNS);
    }
    Err(ApplyError::Busy)
}

/// Tells whether a step has been done. One that cannot tell is never taken for done.
fn is_done(writer: &mut dyn Writer, step: &Step) -> Result<bool, EngineError> {
    let Some(sql) = &step.done else { return Ok(false) };
    writer.query(sql).map(|answer| Step::is_shown_by(&answer))
}

/// Looks, before anything is changed, whether somebody has counted the rows of every step that changes some.
fn every_row_was_counted(writer: &mut dyn Writer, plan: &Plan) -> Result<(), ApplyError> {
    for step in plan.steps.iter().filter(|s| s.touches_rows && s.bounds.is_empty()) {
        if !is_done(writer, step)? {
            return Err(ApplyError::NotCounted { title: step.title.clone() });
        }
    }
    Ok(())
}

/// Adds to an error about rows that stay what can have kept them.
fn with_keepers(error: ApplyError, plan: &Plan, step: &Step) -> ApplyError {
    match error {
        ApplyError::RowsStay { title, counted, changed, sql, .. } => {
            let table = step.locks.first().filter(|_| step.touches_rows).map(|l| &l.table);
            let keepers = table.map(|t| keepers(&plan.before, t, &["DELETE", "UPDATE"])).unwrap_or_default();
            let off = keepers.iter().filter_map(|keeper| switched_off(plan, keeper)).collect();
            ApplyError::RowsStay { title, counted, changed, sql, keepers, off }
        }
        other => other,
    }
}

/// Writes the statement that switches a trigger or rule off.
fn switched_off(plan: &Plan, keeper: &Keeper) -> Option<String> {
    let dialect = dialect(plan.engine)?;
    let name = dialect.identifier(&keeper.name);
    let kind = if keeper.rule { "RULE" } else { "TRIGGER" };
    plan.engine
        .facts()
        .triggers
        .can_be_disabled
        .then(|| format!("ALTER TABLE {} DISABLE {kind} {name}", dialect.table(&keeper.on)))
}

/// A script of a step that a trigger may have stopped.
pub(super) struct Raised<'a> {
    /// The schema with the triggers.
    pub schema: &'a Schema,
    pub step: &'a Step,
    pub script: &'a Script,
    /// What happens to rows.
    pub events: &'a [&'a str],
}

impl Raised<'_> {
    /// Adds to an error that a trigger raised which one it was.
    pub(super) fn name(&self, error: ApplyError, writer: &mut dyn Writer) -> ApplyError {
        match error {
            ApplyError::Step { title, error, partly, .. } if self.is_raised(&error) => {
                let mut triggers = raisers(writer, &error);
                if triggers.is_empty() {
                    triggers = self.firing();
                }
                ApplyError::Step { title, error, partly, triggers }
            }
            other => other,
        }
    }

    /// Tells whether a trigger raised an error: SQLITE_CONSTRAINT_TRIGGER, or RAISE EXCEPTION without a code of its own. Blocks of a
    /// plan raise errors, too; those say what the block has written in it, behind a number.
    fn is_raised(&self, error: &EngineError) -> bool {
        match error.code.as_deref() {
            Some("1811") => true,
            Some("P0001") => {
                let text = error.message.trim_start_matches(|c: char| c.is_ascii_digit()).replace('\'', "''");
                !self.script.statements.iter().any(|sql| sql.contains(&text))
            }
            _ => false,
        }
    }

    /// Returns the triggers that fire when the script changes rows of the step's tables.
    fn firing(&self) -> Vec<String> {
        let mut tables: Vec<&TableName> = self.step.locks.iter().map(|l| &l.table).collect();
        tables.sort();
        tables.dedup();
        let tables = tables.into_iter().filter_map(|t| self.schema.table(t));
        let changes = |t: &&Trigger| t.enabled && t.events.iter().any(|e| self.events.contains(&e.as_str()));
        tables.flat_map(|t| t.triggers.iter().filter(changes).map(|r| format!("{} on {}", r.name, t.name))).collect()
    }
}

/// Returns SQLite's triggers whose text has the message in it; none on another engine.
fn raisers(writer: &mut dyn Writer, error: &EngineError) -> Vec<String> {
    if error.code.as_deref() != Some("1811") {
        return Vec::new();
    }
    let message = writer.dialect().literal(&error.message.replace('\'', "''"));
    let sql = format!(
        "SELECT name || ' on ' || tbl_name FROM sqlite_schema WHERE type = 'trigger' AND instr(sql, {message}) > 0 ORDER BY name"
    );
    let answer = writer.query(&sql).unwrap_or_default();
    answer.rows.iter().filter_map(|row| row.first().and_then(Value::text)).map(|t| t.to_string()).collect()
}

/// Asks the guards of a step, in order.
///
/// # Errors
/// One of them finds something, or the engine says one.
pub(super) fn check(
    query: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
    step: &Step,
    guards: &[Guard],
) -> Result<(), ApplyError> {
    for guard in guards {
        let answer = query(&guard.sql)?;
        if !answer.rows.is_empty() {
            return Err(ApplyError::Guard {
                title: step.title.clone(),
                message: guard.message(),
                sql: guard.sql.clone(),
                rows: sample(&answer),
            });
        }
    }
    Ok(())
}

/// Writes the first rows of an answer, each value with its column's name; nothing of an answer that only says that there is one.
fn sample(answer: &Rows) -> String {
    let bare = |name: &str| name == "?column?" || name.parse::<i64>().is_ok();
    let line = |row: &Vec<Value>| {
        let values = answer.columns.iter().zip(row).filter(|(name, _)| !bare(name));
        values.map(|(name, value)| format!("{name} = {}", short(value))).collect::<Vec<_>>().join(", ")
    };
    let mut lines: Vec<String> = answer.rows.iter().take(SHOWN).map(line).filter(|l| !l.is_empty()).collect();
    if !lines.is_empty() && answer.rows.len() > SHOWN {
        // The query itself may have stopped at some number.
        lines.push("and more".to_string());
    }
    lines.join("\n")
}

/// Writes a value in one line, its beginning if it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Runs a script, again and again while it does not get its lock.
pub(super) fn attempt(
    writer: &mut dyn Writer,
    (plan, number): (&Plan, usize),
    script: &Script,
    options: &Options,
    context: &Context,
) -> Result<Changed, ApplyError> {
    let step = &plan.steps[number];
    // Who waits for a lock makes everyone wait behind him who comes later. That hurts only if the lock shuts somebody out.
    let back = !std::ptr::eq(script, &step.up);
    let limit =
        if back { step.undo_lock_timeout(options.lock_timeout) } else { step.lock_timeout(options.lock_timeout) };
    let bounds: &[Bound] = if back { &[] } else { &step.bounds };
    let mut pause = options.pause;
    let mut attempts = 0;
    loop {
        attempts += 1;
        writer.wait_for_locks(limit)?;
        let stop = match once(writer, bounds, script) {
            Ok(rows) => return Ok(rows.at_least(committed(writer, plan, step, script).unwrap_or(0))),
            Err(stop) => stop,
        };
        let stop = match &stop {
            // Nothing more can be asked.
            Stop::Failed { error, .. } if error.kind.ends_the_job() => stop,
            _ => {
                let rows = committed(writer, plan, step, script);
                drop_empty_backup(writer, plan, step, rows);
                stop.after(rows)
            }
        };
        match stop {
            Stop::Failed { error, .. }
                if matches!(error.kind, EngineErrorKind::Cancelled | EngineErrorKind::Deadline) =>
            {
                return Err(error.into());
            }
            Stop::Failed { error, .. } if error.kind == EngineErrorKind::Busy && attempts <= options.retries => {
                going(context)?;
                context.tell(&Event::Waits { step: number, attempt: attempts, pause });
                context.cancel.sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            stop => return Err(stop.told(step)),
        }
        going(context)?;
    }
}

/// Counts the rows of a step that commits batch by batch which are changed and committed, by this try, one before it, or a run that
/// was stopped: a row that was changed is in the step's backup. `None` if that cannot be told.
fn committed(writer: &mut dyn Writer, plan: &Plan, step: &Step, script: &Script) -> Option<u64> {
    let is_undo = !std::ptr::eq(script, &step.up);
    let backups = step.backups();
    let ([backup], Transaction::None, false) = (backups.as_slice(), script.transaction, is_undo) else { return None };
    let name = writer.dialect().qualified_table(backup, &plan.before);
    let rows = match writer.query(&format!("SELECT count(*) FROM {name}")) {
        Ok(answer) => answer.rows.first().and_then(|r| r.first()).and_then(Value::integer)?,
        // Before the first batch there is no such table.
        Err(error) => return (error.kind == EngineErrorKind::Gone).then_some(0),
    };
    u64::try_from(rows).ok()
}

/// Drops the backup of a step that has changed no row, as far as that is known: it would be in the way of the next plan. A guard has
/// seen that it is this step's own.
fn drop_empty_backup(writer: &mut dyn Writer, plan: &Plan, step: &Step, committed: Option<u64>) {
    if let (Some(0), [backup]) = (committed, step.backups().as_slice()) {
        let name = writer.dialect().qualified_table(backup, &plan.before);
        drop(writer.execute(&format!("DROP TABLE IF EXISTS {name}")));
    }
}

/// Stops the run where the job is over.
pub(super) fn going(context: &Context) -> Result<(), ApplyError> {
    match context.cancel.over() {
        None => Ok(()),
        Some(Why::Cancelled) => Err(ApplyError::Stopped),
        Some(Why::Deadline | Why::Limit) => Err(ApplyError::OutOfTime),
    }
}

/// Why a script did not come to its end.
enum Stop {
    Failed { error: EngineError, partly: bool },
    MoreRows { what: String, shown: u64, found: u64, changed: u64 },
    RowsStay { counted: u64, changed: u64, sql: String },
}

/// How many rows a script was to change, and how many it did.
#[derive(Clone, Copy, Default)]
pub(super) struct Changed {
    counted: u64,
    changed: u64,
}

impl Changed {
    /// Returns this with what is known to be changed, if that is more.
    fn at_least(self, changed: u64) -> Self {
        Self { changed: self.changed.max(changed), ..self }
    }

    /// Says that rows stay as they were, if some do.
    fn stay(&self, bounds: &[Bound]) -> Option<Stop> {
        let sql = bounds.first().filter(|_| self.changed < self.counted)?.count.clone();
        Some(Stop::RowsStay { counted: self.counted, changed: self.changed, sql })
    }
}

impl Stop {
    /// Adds how many rows of the step are committed by now, if that is known.
    fn after(self, committed: Option<u64>) -> Self {
        match (self, committed) {
            (Self::Failed { error, .. }, Some(rows)) => Self::Failed { error, partly: rows > 0 },
            (Self::MoreRows { what, shown, found, changed: 0 }, Some(rows)) => {
                Self::MoreRows { what, shown, found: found + rows, changed: rows }
            }
            (stop, _) => stop,
        }
    }

    fn told(self, step: &Step) -> ApplyError {
        let title = step.title.clone();
        match self {
            Self::Failed { error, partly } => {
                ApplyError::Step { title, error: Box::new(error), partly, triggers: Vec::new() }
            }
            Self::MoreRows { what, shown, found, changed } => {
                ApplyError::MoreRows { title, what, shown, found, changed }
            }
            Self::RowsStay { counted, changed, sql } => {
                ApplyError::RowsStay { title, counted, changed, sql, keepers: Vec::new(), off: Vec::new() }
            }
        }
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Failed { error, partly: false }
    }
}

/// Runs a script once, and returns how many rows it changed. Whatever fails, no transaction is left open and `after` is run.
fn once(writer: &mut dyn Writer, bounds: &[Bound], script: &Script) -> Result<Changed, Stop> {
    let rows: Vec<u64> = bounds.iter().map(|b| b.rows).collect();
    writer.allow(&rows)?;
    let before = script.before.iter().try_for_each(|sql| writer.execute(sql).map(drop)).map_err(Stop::from);
    let result = before.and_then(|()| match script.transaction {
        Transaction::Own => writer.transaction(|writer| whole(writer, bounds, &script.statements)),
        Transaction::None => by_themselves(writer, bounds, &script.statements),
    });
    let result = result.map_err(|stop| match &stop {
        Stop::Failed { error, .. } if error.code.as_deref() == Some(MORE_ROWS) => {
            more_rows(writer, bounds).unwrap_or(stop)
        }
        _ => stop,
    });
    let after = script.after.iter().try_for_each(|sql| writer.finish(sql));
    // The first error is the one to tell.
    result.and_then(|rows| after.map(|()| rows).map_err(|error| Stop::Failed { error, partly: true }))
}

fn whole(writer: &mut dyn Writer, bounds: &[Bound], statements: &[String]) -> Result<Changed, Stop> {
    let mut rows = Changed { counted: within(writer, bounds)?, changed: 0 };
    let mut ran = false;
    for sql in statements {
        match writer.execute(sql) {
            Ok(changed) if changes_rows(sql) => {
                ran = true;
                rows.changed += changed;
            }
            Ok(_) => {}
            // A statement after the change looks whether it was made; a change that fails says itself why.
            Err(error) if ran && !changes_rows(sql) && error.kind == EngineErrorKind::Statement => {
                let stay = rows.stay(bounds).map(|stop| match stop {
                    Stop::RowsStay { counted, sql, .. } => Stop::RowsStay { counted, changed: 0, sql },
                    other => other,
                });
                return Err(stay.unwrap_or(Stop::Failed { error, partly: false }));
            }
            Err(error) => return Err(error.into()),
        }
    }
    // Others may write between two statements of a transaction (PostgreSQL manual, 13.2.1). The statements count what they change
    // themselves, table by table; this is their sum once more.
    let shown = bounds.iter().map(|b| b.rows).sum();
    if let Some(bound) = bounds.first().filter(|_| rows.changed > shown) {
        return Err(Stop::MoreRows { what: bound.what(), shown, found: rows.changed, changed: 0 });
    }
    Ok(rows)
}

fn by_themselves(writer: &mut dyn Writer, bounds: &[Bound], statements: &[String]) -> Result<Changed, Stop> {
    let mut rows = Changed { counted: within(writer, bounds)?, changed: 0 };
    for (number, sql) in statements.iter().enumerate() {
        let changed = writer.execute(sql).map_err(|error| Stop::Failed { error, partly: number > 0 })?;
        if changes_rows(sql) {
            rows.changed += changed;
        }
    }
    Ok(rows)
}

/// Counts once more what is about to be changed, and stops if it is more than was shown.
fn within(writer: &mut dyn Writer, bounds: &[Bound]) -> Result<u64, Stop> {
    let mut all = 0;
    for bound in bounds {
        let found = counted(writer, bound)?;
        if found > bound.rows {
            return Err(Stop::MoreRows { what: bound.what(), shown: bound.rows, found, changed: 0 });
        }
        all += found;
    }
    Ok(all)
}

fn counted(writer: &mut dyn Writer, bound: &Bound) -> Result<u64, EngineError> {
    let answer = writer.query(&bound.count)?;
    let number = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer);
    number.and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        EngineError::new(EngineErrorKind::Statement, "the count of rows is not a number").sql(bound.count.clone())
    })
}

/// Says how a block that commits batch by batch came to more rows than it may change: those that it changed are gone from the count.
fn more_rows(writer: &mut dyn Writer, bounds: &[Bound]) -> Option<Stop> {
    let bound = bounds.first()?;
    let changed = writer.changed().ok()?;
    let found = changed + counted(writer, bound).ok()?;
    Some(Stop::MoreRows { what: bound.what(), shown: bound.rows, found, changed })
}

/// Tells whether the rows that a statement changes are those that a bound is about, and not a copy of them or a check.
fn changes_rows(sql: &str) -> bool {
    let verb = sql.split_whitespace().next().unwrap_or_default();
    let within = verb == "WITH" && ["DELETE FROM ", "UPDATE "].iter().any(|v| sql.contains(v));
    within || matches!(verb, "DELETE" | "UPDATE") || verb == "DO" && sql.contains(CHANGED)
}
