//! Undoing a recorded run, the last step first.
//!
//! Whether a step that changed rows is to be undone is told by its backup tables, and not by whether its rows are as it left
//! them: orphans that came since are no reason to leave the rows in the backup. What the run did and the database no longer
//! shows is reported, never passed over.

use super::journal::{Journal, Recorded};
use super::run::{attempt, check, going, take_turn};
use super::{ApplyError, Options, Outcome};
use crate::engine::{Dialect, EngineError, EngineErrorKind, Rows, Writer};
use crate::job::{Context, Event};
use crate::plan::{Down, Step, Transaction};
use crate::schema::{Schema, TableName};

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
        if applied {
            found.applied.push((number, step));
        } else if run.done.contains(&step.id) && !run.undone.contains(&step.id) {
            let lost = if gone.is_empty() { Lost::Changed } else { Lost::Backups(gone) };
            found.lost.push((number, step, lost));
        }
    }
    Ok(found)
}

/// Returns what tells a database from every other one; `None` where the engine has nothing of the kind or does not say.
pub fn identity(dialect: &dyn Dialect, query: &mut dyn FnMut(&str) -> Result<Rows, EngineError>) -> Option<String> {
    let answer = query(dialect.identity_query()?).ok()?;
    answer.rows.first()?.first()?.text()
}

/// Tells whether a run that was recorded in one database may be meant for another; it may where either is not known.
pub fn is_same(recorded: Option<&str>, here: Option<&str>) -> bool {
    recorded.zip(here).is_none_or(|(recorded, here)| recorded == here)
}

/// Undoes the steps of a recorded run that are applied, the last one first, and records it. Run again after it stopped, it goes on.
///
/// # Errors
/// The first thing that went wrong; a step that cannot be undone stops it before anything is changed.
pub fn undo(
    writer: &mut dyn Writer,
    run: &Recorded,
    options: &Options,
    journal: &mut Journal,
    context: &Context,
) -> Result<Outcome, ApplyError> {
    take_turn(writer, context)?;
    let schema = writer.inspect()?;
    let found = to_undo(run, &schema, &mut |sql| writer.query(sql))?;
    for (_, step) in &found.applied {
        if let Down::Impossible(why) = &step.down {
            return Err(ApplyError::Irreversible { title: step.title.clone(), why: why.clone() });
        }
    }
    let mut outcome = Outcome { done: 0, skipped: run.plan.steps.len() - found.applied.len() };
    journal.undoing(run.number)?;
    for (number, step) in found.applied.into_iter().rev() {
        going(context)?;
        context.tell(&Event::Starts { step: number });
        if let Down::Script { script, guards } = &step.down {
            check(writer, step, guards)?;
            // Before its first statement, so that a step whose transaction was committed just before the process was killed
            // is not taken for one that somebody else has undone.
            journal.undo_started(run.number, &step.id)?;
            if let Err(error) = attempt(writer, (number, step), script, options, context) {
                if script.transaction != Transaction::None && !is_unknown(&error) {
                    journal.undo_failed(run.number, &step.id, &error.to_string())?;
                }
                return Err(error);
            }
        }
        journal.undone(run.number, &step.id)?;
        context.tell(&Event::Done { step: number });
        outcome.done += 1;
    }
    journal.all_undone(run.number)?;
    Ok(outcome)
}

/// Tells whether the transaction that ended with an error may have been committed: the connection broke before the answer came.
fn is_unknown(error: &ApplyError) -> bool {
    let (ApplyError::Step { error: engine, .. } | ApplyError::Engine(engine)) = error else { return false };
    matches!(engine.kind, EngineErrorKind::Connect | EngineErrorKind::Terminated)
}
