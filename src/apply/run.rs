//! The run itself: guards, statements, retries, proof.

use std::thread;
use std::time::Duration;

use super::journal::Journal;
use super::{ApplyError, LONGEST_PAUSE, Options, Outcome, Watch};
use crate::engine::{EngineError, EngineErrorKind, Rows, Value, Writer};
use crate::plan::{Down, Guard, Plan, Script, Step, Transaction};

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
    watch: &mut dyn Watch,
) -> Result<Outcome, ApplyError> {
    take_turn(writer, watch)?;
    let mut outcome = Outcome::default();
    for (number, step) in plan.steps.iter().enumerate() {
        if watch.stopped() {
            return Err(ApplyError::Stopped);
        }
        watch.starts(number, step);
        if is_done(writer, step)? {
            journal.skipped(&step.id)?;
            watch.skipped(step);
            outcome.skipped += 1;
            continue;
        }
        if let Err(error) = check(writer, step, &step.guards) {
            journal.failed(&step.id, &error.to_string())?;
            return Err(error);
        }
        journal.started(&step.id)?;
        match attempt(writer, step, &step.up, options, watch) {
            Ok(()) => {}
            Err(error) => {
                journal.failed(&step.id, &error.to_string())?;
                return Err(error);
            }
        }
        if let Some(sql) = &step.done
            && !is_done(writer, step)?
        {
            journal.failed(&step.id, "the database does not show it")?;
            return Err(ApplyError::NotDone { title: step.title.clone(), sql: sql.clone() });
        }
        journal.done(&step.id)?;
        watch.done(step);
        outcome.done += 1;
    }
    journal.finished()?;
    Ok(outcome)
}

/// Undoes the steps of a plan that have been done, the last one first.
///
/// # Errors
/// The first thing that went wrong; a step that cannot be undone stops the run before anything is changed.
pub fn undo(
    writer: &mut dyn Writer,
    plan: &Plan,
    options: &Options,
    watch: &mut dyn Watch,
) -> Result<Outcome, ApplyError> {
    take_turn(writer, watch)?;
    let mut done = Vec::new();
    for (number, step) in plan.steps.iter().enumerate() {
        if !is_done(writer, step)? {
            continue;
        }
        if let Down::Impossible(why) = &step.down {
            return Err(ApplyError::Irreversible { title: step.title.clone(), why: why.clone() });
        }
        done.push((number, step));
    }
    let mut outcome = Outcome { done: 0, skipped: plan.steps.len() - done.len() };
    for (number, step) in done.into_iter().rev() {
        if watch.stopped() {
            return Err(ApplyError::Stopped);
        }
        watch.starts(number, step);
        if let Down::Script { script, guards } = &step.down {
            check(writer, step, guards)?;
            attempt(writer, step, script, options, watch)?;
        }
        watch.done(step);
        outcome.done += 1;
    }
    Ok(outcome)
}

/// Waits a moment for a run that was killed: the server keeps its lock until it sees that nobody listens any more.
fn take_turn(writer: &mut dyn Writer, watch: &mut dyn Watch) -> Result<(), ApplyError> {
    for _ in 0..TURNS {
        if writer.take_turn()? {
            return Ok(());
        }
        if watch.stopped() {
            return Err(ApplyError::Stopped);
        }
        thread::sleep(BETWEEN_TURNS);
    }
    Err(ApplyError::Busy)
}

/// Tells whether a step has been done. One that cannot tell is never taken for done.
fn is_done(writer: &mut dyn Writer, step: &Step) -> Result<bool, EngineError> {
    let Some(sql) = &step.done else { return Ok(false) };
    writer.query(sql).map(|answer| Step::is_shown_by(&answer))
}

fn check(writer: &mut dyn Writer, step: &Step, guards: &[Guard]) -> Result<(), ApplyError> {
    for guard in guards {
        let answer = writer.query(&guard.sql)?;
        if !answer.rows.is_empty() {
            return Err(ApplyError::Guard {
                title: step.title.clone(),
                message: guard.message.clone(),
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
fn attempt(
    writer: &mut dyn Writer,
    step: &Step,
    script: &Script,
    options: &Options,
    watch: &mut dyn Watch,
) -> Result<(), ApplyError> {
    // Who waits for a lock makes everyone wait behind him who comes later. That hurts only if the lock shuts somebody out.
    let back = !std::ptr::eq(script, &step.up);
    let limit =
        if back { step.undo_lock_timeout(options.lock_timeout) } else { step.lock_timeout(options.lock_timeout) };
    let mut pause = options.pause;
    let mut attempts = 0;
    loop {
        attempts += 1;
        writer.wait_for_locks(limit)?;
        match once(writer, script) {
            Ok(()) => return Ok(()),
            // A server, too, cancels statements, by a time limit or an administrator: that is an error like others.
            Err(Failure { error, .. })
                if matches!(error.kind, EngineErrorKind::Cancelled | EngineErrorKind::Busy) && watch.stopped() =>
            {
                return Err(ApplyError::Stopped);
            }
            Err(Failure { error, .. }) if error.kind == EngineErrorKind::Busy && attempts <= options.retries => {
                watch.waits(step, attempts, pause);
                sleep(pause, watch);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(Failure { error, partly }) => {
                return Err(ApplyError::Step { title: step.title.clone(), error: Box::new(error), partly });
            }
        }
        if watch.stopped() {
            return Err(ApplyError::Stopped);
        }
    }
}

/// Waits, but not for longer than a moment after the user wants to stop.
fn sleep(pause: Duration, watch: &mut dyn Watch) {
    let slice = Duration::from_millis(100);
    let mut left = pause;
    while !left.is_zero() && !watch.stopped() {
        let now = left.min(slice);
        thread::sleep(now);
        left -= now;
    }
}

struct Failure {
    error: EngineError,
    partly: bool,
}

/// Runs a script once. Whatever fails, no transaction is left open and `after` is run.
fn once(writer: &mut dyn Writer, script: &Script) -> Result<(), Failure> {
    let whole = |error| Failure { error, partly: false };
    let result = all(writer, &script.before).map_err(whole).and_then(|()| match script.transaction {
        Transaction::Own => in_transaction(writer, &script.statements).map_err(whole),
        Transaction::None => {
            for (number, sql) in script.statements.iter().enumerate() {
                writer.execute(sql).map_err(|error| Failure { error, partly: number > 0 })?;
            }
            Ok(())
        }
    });
    let after = all(writer, &script.after).map_err(|error| Failure { error, partly: true });
    // The first error is the one to tell.
    result.and(after)
}

fn in_transaction(writer: &mut dyn Writer, statements: &[String]) -> Result<(), EngineError> {
    writer.begin()?;
    let result = all(writer, statements).and_then(|()| writer.execute("COMMIT"));
    if result.is_err() {
        // Some errors have ended the transaction already.
        drop(writer.execute("ROLLBACK"));
    }
    result
}

fn all(writer: &mut dyn Writer, statements: &[String]) -> Result<(), EngineError> {
    statements.iter().try_for_each(|sql| writer.execute(sql))
}
