//! `referee fix --undo`: the last recorded run, shown and undone step by step.

use super::super::args::{FixArgs, Global};
use super::super::error::CliError;
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::apply;
use super::stopped::Place;
use crate::apply::{Journal, Options, undo};
use crate::plan::{Down, Step};
use crate::render::wrap;
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
    let plan = Journal::last_plan(&path).map_err(apply::journal_error)?.ok_or_else(nothing)?;
    let mut input = super::open(&args.source, global, ui)?;
    let mut done: Vec<(usize, &Step)> = Vec::new();
    if let Some(session) = input.session.as_mut() {
        for (number, step) in plan.steps.iter().enumerate() {
            ui.job.check()?;
            let Some(sql) = &step.done else { continue };
            if Step::is_shown_by(&session.query(sql)?) {
                done.push((number, step));
            }
        }
    }
    drop(input);
    if done.is_empty() {
        ui.note(&format!("no step of the run in {} is applied: there is nothing to undo", path.display()));
        return Ok(0);
    }
    let shown: String = done.iter().rev().map(|(number, step)| one(*number, step, ui)).collect();
    ui.print(&shown)?;
    if !args.apply.apply {
        ui.note(&format!("nothing was changed; to do it: {} --apply", command(args, global)));
        return Ok(0);
    }
    if !args.apply.yes {
        let steps = if done.len() == 1 { "1 step".to_string() } else { format!("{} steps", done.len()) };
        apply::ask(&format!("Undo {steps} in {}?", one_line(&source.label())), ui)?;
    }
    let (mut journal, _) = Journal::open(&path).map_err(apply::journal_error)?;
    let session = super::session(ui);
    let Some(mut writer) = source.open_writer(&session)? else {
        return Err(CliError::new(format!("{} is no database", operand(&source.label()))));
    };
    ui.job.writes();
    let options = Options { lock_timeout: args.lock_timeout, retries: args.apply.retries, ..Options::default() };
    let shown = apply::Shown::new(Steps::new(ui, plan.steps.len()), &plan, ui);
    let outcome = undo(&mut *writer, &plan, &options, &ui.job.context.told_to(shown.clone()));
    let at = shown.end();
    let width = ui.style.width;
    let outcome = outcome.map_err(|error| Place { journal: &path, at, undoing: true, width }.explain(error))?;
    // A run that is undone is not taken up again.
    journal.abandon().map_err(apply::journal_error)?;
    ui.note(&format!("{} of {} steps undone", outcome.done, plan.steps.len()));
    Ok(0)
}

/// Writes a step and the statements that undo it.
fn one(number: usize, step: &Step, ui: &Ui) -> String {
    let mut text = String::new();
    let head = format!("Undo step {}: {}", number + 1, one_line(&step.title));
    wrap(&head, ui.style.width).iter().for_each(|line| text.push_str(&format!("{line}\n")));
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
