//! Undoing a recorded run, the last step first.
//!
//! Whether a step that changed rows is to be undone is told by its backup tables, and not by whether its rows are as it left
//! them: orphans that came since are no reason to leave the rows in the backup. What the run did and the database no longer
//! shows is reported, never passed over.

use std::path::Path;

use super::journal::{Journal, JournalError, Recorded};
use super::run::{Raised, attempt, check, going, take_turn};
use super::{ApplyError, Options, Outcome};
use crate::engine::{Dialect, EngineError, EngineErrorKind, Rows, Value, Writer};
use crate::files;
use crate::job::{Context, Event};
use crate::plan::{Down, Step, Transaction, set_off_now};
use crate::schema::{Schema, TableName};

/// How the identity of a database that is a file begins; the file's path follows.
const FILE: &str = "file:";

/// What an undo finds of a recorded run.
#[derive(Debug, Default)]
pub struct ToUndo<'r> {
    /// The steps that are applied, each with its place in the plan from 0, in the plan's order.
    pub applied: Vec<(usize, &'r Step)>,
    /// The steps that the run recorded as done and the database no longer shows, with what is missing.
    pub lost: Vec<(usize, &'r Step, Lost)>,
}

/// Why a step that was done cannot be undone any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Tables in which it backed rows up are gone.
    Backups(Vec<TableName>),
    /// Its query says that it is not done: somebody has changed or undone it since.
    Changed,
    /// Nothing undoes it, and why.
    Irreversible(String),
}

impl ToUndo<'_> {
    /// Counts the rows in the backup tables from which rows are restored, the last step's first.
    ///
    /// # Errors
    /// What the engine says.
    pub fn backed_up(
        &self,
        schema: &Schema,
        dialect: &dyn Dialect,
        query: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
    ) -> Result<Vec<(TableName, u64)>, EngineError> {
        let backups = self.applied.iter().rev().flat_map(|(_, step)| step.backups());
        let count = |backup: &TableName| {
            let answer = query(&format!("SELECT count(*) FROM {}", dialect.qualified_table(backup, schema)))?;
            let rows = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer);
            Ok((backup.clone(), rows.and_then(|n| u64::try_from(n).ok()).unwrap_or_default()))
        };
        backups.map(count).collect()
    }

    /// Looks for what would stop the undo at its first step: what any of its steps would set off, and the checks of the step that is
    /// undone first. Those of the others hold only when their turn comes.
    ///
    /// # Errors
    /// [`ApplyError::CannotUndo`] says what stops it; or what the engine says.
    pub fn can_begin(
        &self,
        schema: &Schema,
        query: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
    ) -> Result<(), ApplyError> {
        let last_first = || self.applied.iter().rev();
        if let Some(&(number, step)) = last_first().next()
            && let Down::Script { guards, .. } = &step.down
            && let Err(error) = check(query, step, guards)
        {
            return Err(match error {
                ApplyError::Guard { title, message, sql, rows } => {
                    let found_by = Some((sql, rows));
                    ApplyError::CannotUndo { number, title, message, found_by }
                }
                other => other,
            });
        }
        for &(number, step) in last_first() {
            if let Some(message) = set_off_now(schema, step) {
                let title = step.title.clone();
                return Err(ApplyError::CannotUndo { number, title, message, found_by: None });
            }
        }
        Ok(())
    }

    /// Returns what somebody approves who has been shown this; `rows` is what [`ToUndo::backed_up`] counted.
    pub fn shown(&self, rows: &[(TableName, u64)]) -> Approved {
        Approved { steps: self.applied.iter().map(|(_, step)| step.id.clone()).collect(), rows: rows.to_vec() }
    }
}

/// What somebody has approved of an undo: these steps, and so many rows from these backup tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    steps: Vec<String>,
    rows: Vec<(TableName, u64)>,
}

/// Finds which steps of a run are to be undone. `schema` is the database as it is now, `query` asks it.
///
/// # Errors
/// What the engine says.
pub fn to_undo<'r>(
    run: &'r Recorded,
    schema: &Schema,
    query: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
) -> Result<ToUndo<'r>, EngineError> {
    let mut found = ToUndo::default();
    for (number, step) in run.plan.steps.iter().enumerate() {
        let backups = step.backups();
        let gone: Vec<TableName> = backups.iter().filter(|b| schema.table(b).is_none()).map(|b| (*b).clone()).collect();
        let applied = match &step.done {
            _ if !backups.is_empty() => gone.is_empty(),
            Some(sql) => Step::is_shown_by(&query(sql)?),
            None => false,
        };
        // What was there before the run is not its work.
        let applied = applied && run.is_own(step);
        if let Down::Impossible(why) = &step.down
            && applied
        {
            found.lost.push((number, step, Lost::Irreversible(why.clone())));
        } else if applied {
            found.applied.push((number, step));
        } else if run.left().any(|left| left.id == step.id) {
            let lost = if gone.is_empty() { Lost::Changed } else { Lost::Backups(gone) };
            found.lost.push((number, step, lost));
        }
    }
    Ok(found)
}

/// Returns what tells a database from others; `None` where the engine has nothing of the kind, or the user may not ask. A physical
/// copy of a server (a snapshot, a restored base backup) has the identity of its original.
///
/// # Errors
/// What the engine says, if it is not that the user may not ask.
pub fn identity(
    dialect: &dyn Dialect,
    query: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
) -> Result<Option<String>, EngineError> {
    let Some(sql) = dialect.identity_query() else { return Ok(None) };
    match query(sql) {
        Ok(answer) => Ok(answer.rows.first().and_then(|row| row.first()).and_then(Value::text)),
        Err(error) if error.kind == EngineErrorKind::Permission => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells whether a run that was recorded in one database may be gone on with in another: in the same one, or if it was not known
/// which one that was. A file that was moved is the same one: there is none any more where it was.
pub fn is_same(recorded: Option<&str>, here: Option<&str>) -> bool {
    match (recorded, recorded.and_then(file), here.and_then(file)) {
        (Some(_), Some(was), Some(is)) => !was.exists() || files::same(was, is),
        (Some(recorded), ..) => here == Some(recorded),
        (None, ..) => true,
    }
}

/// Returns the file that an [`identity`] names, if it names one.
pub fn file(identity: &str) -> Option<&Path> {
    identity.strip_prefix(FILE).map(Path::new)
}

/// Undoes the steps of a recorded run that are applied, the last one first, and records it. Run again after it stopped, it goes on.
///
/// # Errors
/// The first thing that went wrong. Where there is other work or more rows than was approved, nothing is changed.
pub fn undo(
    writer: &mut dyn Writer,
    run: &Recorded,
    approved: &Approved,
    options: &Options,
    journal: &mut Journal,
    context: &Context,
) -> Result<Outcome, ApplyError> {
    take_turn(writer, context)?;
    let schema = writer.inspect()?;
    let found = to_undo(run, &schema, &mut |sql| writer.query(sql))?;
    let dialect = writer.dialect();
    let rows = found.backed_up(&schema, dialect, &mut |sql| writer.query(sql))?;
    if found.shown(&rows) != *approved {
        return Err(ApplyError::UndoDiffers);
    }
    found.can_begin(&schema, &mut |sql| writer.query(sql))?;
    let mut outcome = Outcome { done: 0, skipped: run.plan.steps.len() - found.applied.len(), restored: 0 };
    journal.undoing(run.number)?;
    for (number, step) in found.applied.into_iter().rev() {
        going(context)?;
        context.tell(&Event::Starts { step: number });
        if let Down::Script { script, guards } = &step.down {
            check(&mut |sql| writer.query(sql), step, guards)?;
            let backups = step.backups();
            let restored = rows.iter().filter(|(backup, _)| backups.contains(&backup)).map(|(_, rows)| rows).sum();
            // Before its first statement, so that a step whose transaction was committed just before the process was killed
            // is not taken for one that somebody else has undone.
            journal.undo_started(run.number, &step.id, restored)?;
            if let Err(error) = attempt(writer, (&run.plan, number), script, options, context) {
                if script.transaction != Transaction::None && error.is_rolled_back() {
                    journal.undo_failed(run.number, &step.id, &error.to_string())?;
                }
                let events = &["INSERT", "UPDATE"];
                return Err(Raised { schema: &schema, step, script, events }.name(error, writer));
            }
            outcome.restored += restored;
        }
        journal.undone(run.number, &step.id)?;
        context.tell(&Event::Done { step: number });
        outcome.done += 1;
    }
    journal.all_undone(run.number)?;
    Ok(outcome)
}

/// Records that an undo of a run has ended which was cut off after its last step.
///
/// # Errors
/// The journal cannot be written.
pub fn end_undo(run: &Recorded, journal: &mut Journal) -> Result<(), JournalError> {
    journal.all_undone(run.number)
}
