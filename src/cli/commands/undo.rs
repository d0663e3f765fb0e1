//! `referee fix --undo`: the last recorded run, shown and undone step by step.

use super::super::args::{FixArgs, Global};
use super::super::error::{CliError, FINDINGS};
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::apply;
use super::stopped::Place;
use crate::apply::{Journal, Lost, Options, Recorded, ToUndo, identity, is_same, to_undo, undo};
use crate::engine::{EngineError, EngineErrorKind, Session, Value};
use crate::plan::{Down, Step, acting_on_undo};
use crate::render::wrap;
use crate::schema::Schema;
use crate::source::Source;
use crate::text::{argument, one_line, operand, visible};

/// Writes the command that undoes a run.
pub(super) fn command(args: &FixArgs, global: &Global) -> String {
    let mut command = super::command("fix", &args.source.to_string(), global);
    command.push_str(" --undo");
    if let Some(journal) = &args.apply.journal {
        command.push_str(&format!(" --journal {}", argument(&journal.display().to_string())));
    }
    command
}

pub(super) fn run(args: &FixArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let source = Source::parse(args.source.secret())?;
    apply::is_database(&source)?;
    let path = apply::journal_path(args, &source, global)?;
    let nothing = || {
        CliError::new(format!("no run is recorded in {}: there is nothing to undo", path.display()))
            .hint("name the file in which it was recorded: --journal FILE")
    };
    if !path.exists() {
        return Err(nothing());
    }
    let runs = Journal::runs(&path).map_err(apply::journal_error)?;
    let mut input = super::open(&args.source, global, ui)?;
    let Some(session) = input.session.as_mut() else { return Err(nothing()) };
    let dialect = session.dialect();
    let here = identity(dialect, &mut |sql| session.query(sql));
    let (runs, elsewhere): (Vec<Recorded>, Vec<Recorded>) =
        runs.into_iter().partition(|run| is_same(run.database.as_deref(), here.as_deref()));
    if runs.is_empty() && !elsewhere.is_empty() {
        return Err(CliError::new(format!("the runs in {} were made in another database", path.display()))
            .hint("connect to that one, or name this one's file: --journal FILE"));
    }
    let mut lost = 0;
    let mut chosen = None;
    for run in runs {
        let found = to_undo(&run, &input.schema, &mut |sql| {
            if ui.job.check().is_err() {
                return Err(EngineError::new(EngineErrorKind::Cancelled, "stopped"));
            }
            session.query(sql)
        })?;
        lost += found.lost.len();
        found.lost.iter().for_each(|(number, step, why)| ui.warn(&not_undone(*number, step, why), None));
        let acting = |step: &Step| acting_on_undo(&input.schema, step);
        let shown = found.applied.iter().rev().map(|(number, step)| one(*number, step, &acting(step), ui));
        let shown: String = shown.collect();
        if !shown.is_empty() {
            let mut restored: Vec<String> = restored(&found, &input.schema, &mut **session)?.into_iter().collect();
            restored.extend(found.applied.iter().flat_map(|(_, step)| acting(step)));
            chosen = Some((found.applied.len(), shown, restored, run));
            break;
        }
    }
    drop(input);
    let left = if lost > 0 { FINDINGS } else { 0 };
    let Some((steps, shown, restored, run)) = chosen else {
        ui.note(&format!("no step of a run in {} is applied: there is nothing to undo", path.display()));
        return Ok(left);
    };
    ui.print(&shown)?;
    if !args.apply.apply {
        restored.iter().for_each(|sentence| ui.note(sentence));
        ui.note(&format!("nothing was changed; to do it: {} --apply", command(args, global)));
        return Ok(left);
    }
    if !args.apply.yes {
        let steps = if steps == 1 { "1 step".to_string() } else { format!("{steps} steps") };
        let mut question = vec![format!("Undo {steps} in {}?", one_line(&source.label()))];
        question.extend(restored);
        if !apply::ask(&question.join(" "), ui)? {
            return Ok(FINDINGS);
        }
    }
    let (mut journal, _) = Journal::open(&path).map_err(apply::journal_error)?;
    let session = super::session(ui);
    let Some(mut writer) = source.open_writer(&session)? else {
        return Err(CliError::new(format!("{} is no database", operand(&source.label()))));
    };
    ui.job.writes();
    let options = Options { lock_timeout: args.lock_timeout, retries: args.apply.retries, ..Options::default() };
    let shown = apply::Shown::new(Steps::new(ui, run.plan.steps.len()), &run.plan, ui);
    let context = ui.job.context.told_to(shown.clone());
    let outcome = undo(&mut *writer, &run, &options, &mut journal, &context);
    let at = shown.end();
    let width = ui.style.width;
    let outcome = outcome.map_err(|error| Place { journal: &path, at, undoing: true, width }.explain(error))?;
    ui.note(&format!("{} of {} steps undone", outcome.done, run.plan.steps.len()));
    if lost > 0 {
        ui.warn("the run is not undone as a whole: see the steps named above", None);
    }
    Ok(left)
}

/// Says that a step is not undone, and what that leaves.
fn not_undone(number: usize, step: &Step, why: &Lost) -> String {
    let why = match why {
        Lost::Backups(tables) => {
            let names: Vec<String> = tables.iter().map(|t| t.to_string()).collect();
            format!("its backup is gone ({}), so its rows cannot be restored", names.join(", "))
        }
        Lost::Changed => "what it made has been changed or removed since the run".to_string(),
    };
    one_line(&format!("step {} is not undone: {}: {why}", number + 1, step.title)).to_string()
}

/// Says which rows come back from which backup tables, counted now.
fn restored(found: &ToUndo<'_>, schema: &Schema, session: &mut dyn Session) -> Result<Option<String>, CliError> {
    let mut tables = Vec::new();
    let mut all = 0;
    for backup in found.applied.iter().flat_map(|(_, step)| step.backups()) {
        let sql = format!("SELECT count(*) FROM {}", session.dialect().qualified_table(backup, schema));
        let answer = session.query(&sql)?;
        let rows = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer).unwrap_or_default();
        all += rows;
        tables.push(format!("{} ({rows})", one_line(&backup.to_string())));
    }
    if tables.is_empty() {
        return Ok(None);
    }
    let (rows, these) = (if all == 1 { "row" } else { "rows" }, if tables.len() == 1 { "it" } else { "them" });
    Ok(Some(format!("Restores {all} {rows} from {}, then drops {these}.", tables.join(", "))))
}

/// Writes a step and the statements that undo it.
fn one(number: usize, step: &Step, acting: &[String], ui: &Ui) -> String {
    let mut text = String::new();
    let head = format!("Undo step {}: {}", number + 1, one_line(&step.title));
    wrap(&head, ui.style.width).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    for sentence in acting {
        let sentence = format!("{} What it writes stays.", one_line(sentence));
        wrap(&sentence, ui.style.width.saturating_sub(2)).iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    match &step.down {
        Down::Impossible(why) => text.push_str(&format!("  Cannot be undone: {}\n", one_line(why))),
        Down::Script { script, .. } => {
            for sql in script.before.iter().chain(&script.statements).chain(&script.after) {
                let sql = visible(sql.trim_end().trim_end_matches(';'));
                text.push_str(&format!("  {};\n", sql.replace('\n', "\n  ")));
            }
        }
    }
    text.push('\n');
    text
}
