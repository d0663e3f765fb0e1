//! `referee fix --apply`: the plan is shown, asked about, run step by step, and held against the database afterwards.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::args::{FixArgs, Global};
use super::super::error::{CliError, FINDINGS};
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::super::{environment, interrupt, output};
use super::{Echo, verify};
use crate::apply::{self, ApplyError, Journal, JournalError, Options, Unfinished, Watch};
use crate::config::Config;
use crate::engine::{Observer, SessionOptions};
use crate::plan::{Plan, Step};
use crate::render::{self, PlanFormat};
use crate::source::Source;

pub(super) fn run(args: &FixArgs, config: &Config, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let source = Source::parse(&args.source)?;
    if matches!(source, Source::Document(_) | Source::Sql(_)) {
        return Err(CliError::new(format!("{} is no database, so nothing can be applied to it", source.label()))
            .hint("name the database, or write the plan as files: --out DIR"));
    }
    let path = args.apply.journal.clone().unwrap_or_else(|| default_journal(&source));
    let (mut journal, unfinished) = Journal::open(&path).map_err(journal_error)?;
    let taken_up = match unfinished {
        Some(run) if !args.apply.anew => Some(run),
        Some(_) => {
            journal.abandon().map_err(journal_error)?;
            None
        }
        None => None,
    };
    let plan = match &taken_up {
        Some(run) => {
            tell(run, &path, ui);
            run.plan.clone()
        }
        None => {
            let input = super::open(&args.source, global, ui)?;
            super::fix::make(args, config, input, ui)?.0
        }
    };
    if args.format == PlanFormat::Text {
        ui.print(&render::plan(args.format, &source.label(), &plan, &ui.style))?;
    }
    if plan.steps.is_empty() {
        ui.note("the plan has no steps: nothing is changed");
        return Ok(if plan.refused.is_empty() { 0 } else { FINDINGS });
    }
    if !args.apply.yes {
        ask(&plan, &source)?;
    }
    if taken_up.is_none() {
        journal.begin(&plan).map_err(journal_error)?;
    }

    let observer = global.verbose.then(|| Arc::new(Echo) as Arc<dyn Observer>);
    let session = SessionOptions { observer, environment: environment::postgres(), ..SessionOptions::default() };
    let Some(mut writer) = source.open_writer(&session)? else {
        return Err(CliError::new(format!("{} is no database", source.label())));
    };
    interrupt::on_stop(writer.canceller());
    interrupt::writes();
    let options = Options { lock_timeout: args.lock_timeout, retries: args.apply.retries, ..Options::default() };
    let mut watch = Shown { steps: Steps::new(ui, plan.steps.len()), ui };
    let outcome = apply::apply(&mut *writer, &plan, &options, &mut journal, &mut watch);
    drop(watch);
    let outcome = outcome.map_err(|error| explain(error, &path))?;
    drop(writer);
    let before =
        if outcome.skipped > 0 { format!(", {} had been done before", outcome.skipped) } else { String::new() };
    ui.note(&format!("{} of {} steps done{before}; recorded in {}", outcome.done, plan.steps.len(), path.display()));

    let verification = verify::of(&plan, &args.source, &super::fix::what(args), config, global, ui)?;
    let text = match args.format {
        PlanFormat::Text | PlanFormat::Sql => format!("\n{}", render::verify::text(&verification, &ui.style)),
        PlanFormat::Json => render::verify::json(&source.label(), &verification),
        PlanFormat::Markdown => render::verify::markdown(&source.label(), &verification),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    Ok(if verification.verified { 0 } else { FINDINGS })
}

/// Returns where a run is recorded: beside a file, which the run is about; else in a folder of our own.
fn default_journal(source: &Source) -> PathBuf {
    if let Source::Sqlite(path) = source {
        let mut name = path.as_os_str().to_os_string();
        name.push(".referee-run");
        return PathBuf::from(name);
    }
    let label = source.label();
    let label = label.split_once("://").map_or(label.as_str(), |(_, rest)| rest);
    let label = label.split('?').next().unwrap_or(label);
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    Path::new(".referee").join(format!("{}.run", label.chars().map(plain).collect::<String>()))
}

fn tell(run: &Unfinished, path: &Path, ui: &Ui) {
    let at = run.at.as_ref().and_then(|id| run.plan.steps.iter().find(|s| s.id == *id));
    let at = at.map(|s| format!(", at \"{}\"", s.title)).unwrap_or_default();
    let how = if run.error.is_some() { "stopped" } else { "was cut off" };
    ui.note(&format!(
        "taking up the run in {} that {how} after {} of {} steps{at} (--anew makes a new plan)",
        path.display(),
        run.done.len(),
        run.plan.steps.len()
    ));
}

fn ask(plan: &Plan, source: &Source) -> Result<(), CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::new("nobody is there to ask: standard input is no terminal; nothing was changed")
            .hint("look at the plan, then say --yes"));
    }
    let rows = plan.steps.iter().filter(|s| s.touches_rows).count();
    let rows = if rows > 0 { format!(" {rows} of them change rows.") } else { String::new() };
    let steps = plan.steps.len();
    let mut err = io::stderr().lock();
    let asked = write!(err, "Apply these {steps} steps to {}?{rows} [y/N] ", source.label()).and_then(|()| err.flush());
    asked.map_err(|e| CliError::output(&e))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| CliError::output(&e))?;
    interrupt::check()?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(CliError::new("not applied; nothing was changed").hint("write the plan as files to look at it: --out DIR"))
}

fn journal_error(error: JournalError) -> CliError {
    let failed = CliError::new(error.to_string());
    match error {
        JournalError::Io { .. } => failed.hint("name another place: --journal FILE"),
        JournalError::InUse { .. } => failed.hint("wait for it to end"),
        JournalError::Syntax { .. } => {
            failed.hint("it is no journal of referee's, or damaged; name another: --journal FILE")
        }
    }
}

fn explain(error: ApplyError, journal: &Path) -> CliError {
    let again = format!("run the same command to go on; {} tells what is done", journal.display());
    match error {
        ApplyError::Guard { title, message, sql, rows } => {
            CliError::new(format!("{title}: {message}\n{rows}")).hint(format!("the rows come from: {sql}")).hint(again)
        }
        ApplyError::Step { title, error, partly } => {
            let state = if partly {
                "part of this step is done; going on finishes it"
            } else {
                "this step was taken back as a whole"
            };
            let failed = CliError::new(format!("{title}: {}", error.message)).hint(state);
            let failed = match error.hint {
                Some(hint) => failed.hint(hint),
                None => failed,
            };
            failed.hint(again)
        }
        ApplyError::Stopped => CliError::Interrupted,
        ApplyError::Busy => CliError::new(error.to_string()).hint("wait for it to end, then run the same command"),
        ApplyError::Engine(error) => CliError::from(*error),
        ApplyError::Journal(error) => journal_error(error),
        other => CliError::new(other.to_string()).hint(again),
    }
}

/// Shows what a run does.
struct Shown<'u> {
    steps: Steps,
    ui: &'u Ui,
}

impl Watch for Shown<'_> {
    fn starts(&mut self, number: usize, step: &Step) {
        self.steps.at(number, &step.title);
    }

    fn waits(&mut self, step: &Step, attempt: u32, pause: Duration) {
        let text = format!("{}: no lock yet (try {attempt}); next try in {pause:?}", step.title);
        self.steps.beside(|| self.ui.note(&text));
    }

    fn stopped(&mut self) -> bool {
        interrupt::check().is_err()
    }
}
