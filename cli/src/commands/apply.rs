//! `referee fix --apply`: the plan is shown, asked about, run step by step, and held against the database afterwards.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::super::args::{FixArgs, Global};
use super::super::environment;
use super::super::error::{CliError, FINDINGS};
use super::super::output::{self, Inputs, Kind};
use super::super::progress::{Bar, Steps};
use super::super::ui::Ui;
use super::audit::code;
use super::question;
use super::stopped::{self, Place, fill};
use referee::app::apply::{Approver, Ending, Proposal, Request};
use referee::app::{self, ErrorKind};
use referee::apply::{self, JournalError, Unfinished};
use referee::config::{Config, FailOn};
use referee::engine::Connector;
use referee::job::{Event, Events};
use referee::plan::{Plan, Step};
use referee::render::{self, PlanFormat};
use referee::source::Source;
use referee::text::{argument, one_line, operand};

pub(super) fn run(args: &FixArgs, config: &Config, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let source = Source::parse(args.source.secret())?;
    let connector = database(&source, ui)?;
    ui.job.listen();
    let path = journal_path(args, &source, global)?;
    let watch = Watch::new(ui);
    let mut asks = Asks {
        args,
        config,
        source: &source,
        path: &path,
        global,
        ui,
        watch: &watch,
        connector,
        code: 0,
        failed: None,
    };
    let mut request = Request::new(source.clone(), path.clone(), &mut asks);
    request.session = super::session(ui);
    request.options = super::fix::options(args, config);
    request.retries = args.apply.retries;
    request.asked = asked(args);
    request.new_plan = args.apply.new_plan;
    let response = app::apply(request, &ui.job.context.told_to(watch.clone()));
    watch.end();
    let Asks { code, failed, .. } = asks;
    if let Some(failed) = failed {
        return Err(failed);
    }
    let response = response.map_err(|error| {
        super::tell(&error.notes, config, ui);
        stopped_by(error, args, &source, &path, global, ui)
    })?;
    let plan = &response.plan;
    let missed = response.made.as_ref().map_or(0, super::fix::goal_missed);
    let (outcome, verification) = match response.ending {
        Ending::NothingToDo => {
            ui.note("the plan has no steps: nothing is changed");
            return Ok(code.max(left_undone(args, plan)).max(missed));
        }
        Ending::Declined => return Ok(FINDINGS),
        Ending::Done { outcome, verification } => (outcome, verification),
    };
    let skipped =
        if outcome.skipped > 0 { format!(", {} had been done before", outcome.skipped) } else { String::new() };
    ui.note(&format!("{} of {} steps done{skipped}; recorded in {}", outcome.done, plan.steps.len(), path.display()));

    // A run that found everything done has left nothing of its own.
    let did = outcome.done > 0 || response.made.is_none();
    let backups = plan.backups();
    if did && !backups.is_empty() {
        let (tables, they) = if backups.len() == 1 { ("table", "it") } else { ("tables", "them") };
        ui.note(&format!("backup {tables}: {}; drop {they} when nobody needs them", backups.join(", ")));
    }
    if did {
        ui.note(&format!("to undo: {}", super::undo::command(args, global)));
    }

    let verification = verification.map_err(|error| {
        super::tell(&error.notes, config, ui);
        super::cut_off(&source, error)
            .hint("all steps are done, but not verified: run the same command to see what is left")
    })?;
    let style = ui.style_of(args.output.as_deref());
    let text = match args.format {
        PlanFormat::Text | PlanFormat::Sql => format!("\n{}", render::verify::text(&verification, &style)),
        PlanFormat::Json => render::verify::json(&source.label(), &verification),
        PlanFormat::Markdown => render::verify::markdown(&source.label(), &verification),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    let verified = if verification.verified { 0 } else { FINDINGS };
    Ok(code.max(verified).max(left_undone(args, plan)).max(missed))
}

/// Shows the plan, and asks.
struct Asks<'a> {
    args: &'a FixArgs,
    config: &'a Config,
    source: &'a Source,
    path: &'a Path,
    global: &'a Global,
    ui: &'a Ui,
    watch: &'a Watch,
    connector: Connector,
    /// The exit code, as far as the audit decides it.
    code: u8,
    /// Why nobody could be asked.
    failed: Option<CliError>,
}

impl Asks<'_> {
    fn ask(&mut self, proposal: &Proposal<'_>) -> Result<bool, CliError> {
        let (args, ui) = (self.args, self.ui);
        if let Some(run) = proposal.taken_up {
            tell(run, self.path, ui);
        }
        super::tell(proposal.notes, self.config, ui);
        if let Some(made) = proposal.made {
            // What could not be looked at is in no plan.
            self.code = code(&made.report, FailOn::Never, ui);
        }
        let commands = super::fix::commands(self.source, proposal.plan, self.global);
        let shown = render::plan(PlanFormat::Text, &self.source.label(), &commands, proposal.plan, &ui.style);
        if args.format == PlanFormat::Text {
            ui.print(&shown)?;
        } else if !args.apply.yes {
            // Nobody is asked about what he has not seen.
            ui.write(&shown);
        }
        if proposal.plan.steps.is_empty() {
            return Ok(false);
        }
        if args.apply.yes {
            if proposal.read_only {
                ui.warn(question::READ_ONLY, None);
            }
            return Ok(true);
        }
        ask(&question::of(&proposal.to_come(), &self.source.label(), proposal.read_only), ui)
    }

    fn begins(&self, proposal: &Proposal<'_>) -> Result<(), CliError> {
        self.ui.job.writes();
        if let Some(made) = proposal.made {
            super::accept::record(&made.accepted, &made.report.schema, self.global, self.ui)?;
        }
        let steps = Steps::new(self.ui, proposal.plan.steps.len());
        let connector = self.connector.clone();
        steps.look_on(move || connector.beside().ok().flatten());
        self.watch.runs(Shown::new(steps, proposal.plan, self.ui));
        Ok(())
    }
}

impl Approver for Asks<'_> {
    fn approve(&mut self, proposal: &Proposal<'_>) -> bool {
        self.watch.planned();
        let answer = self.ask(proposal);
        answer.unwrap_or_else(|error| {
            self.failed = Some(error);
            false
        })
    }

    fn begin(&mut self, proposal: &Proposal<'_>) -> bool {
        self.failed = self.begins(proposal).err();
        self.failed.is_none()
    }
}

/// Shows how a plan is made, and then how it is carried out.
struct Watch {
    planning: Mutex<Option<Arc<dyn Events>>>,
    run: OnceLock<Arc<Shown>>,
}

impl Watch {
    fn new(ui: &Ui) -> Arc<Self> {
        Arc::new(Self { planning: Mutex::new(Bar::context(ui).events), run: OnceLock::new() })
    }

    /// Takes the bar of the planning away.
    fn planned(&self) {
        *self.planning.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn runs(&self, shown: Arc<Shown>) {
        let _ = self.run.set(shown);
    }

    fn end(&self) {
        self.planned();
        self.run.get().into_iter().for_each(|shown| _ = shown.end());
    }
}

impl Events for Watch {
    fn event(&self, event: &Event<'_>) {
        let Some(shown) = self.run.get() else {
            let planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
            planning.iter().for_each(|bar| bar.event(event));
            return;
        };
        shown.event(event);
        if let Event::Done { step } | Event::Skipped { step } = event
            && step + 1 == shown.plan.steps.len()
        {
            shown.end();
        }
    }
}

/// Says why a plan was not carried out, or not to its end.
fn stopped_by(error: app::Error, args: &FixArgs, source: &Source, path: &Path, global: &Global, ui: &Ui) -> CliError {
    let hints = error.hints();
    let failed = CliError::new(error.to_string());
    let hinted = |failed: CliError| hints.iter().cloned().fold(failed, CliError::hint);
    match *error.kind {
        ErrorKind::Stopped(stopped) => {
            let place = Place { journal: path, at: stopped.step, undoing: false, width: ui.style.width };
            let holders = stopped::holders(&stopped.holders);
            holders.into_iter().fold(place.explain(stopped.error), CliError::hint)
        }
        ErrorKind::UndoOpen { .. } => {
            hinted(failed.hint(format!("go on with it: {} --apply", super::undo::command(args, global))))
        }
        ErrorKind::OtherOptions { then, now, done, steps, .. } => {
            let mut again = super::command("fix", &args.source.to_string(), global);
            again.push_str(" --apply");
            if !then.is_empty() {
                again.push_str(&format!(" {}", typed(&then)));
            }
            if let Some(journal) = &args.apply.journal {
                again.push_str(&format!(" --journal {}", operand(&journal.display().to_string())));
            }
            let done = match done {
                0 => "nothing of it is done".to_string(),
                count => format!("{count} of {steps} steps are done"),
            };
            let (then, now) = (typed(&then), typed(&now));
            let what = format!(
                "the run in {} was begun with other options, and its plan is made by them; {done}\n  begun with: {then}\n  now:        {now}",
                path.display(),
            );
            hinted(CliError::new(what).hint(format!("to go on with it: {again}")))
        }
        ErrorKind::Engine(_) | ErrorKind::Source(_) => super::cut_off(source, error),
        _ => error.into(),
    }
}

/// Returns what connects to a source, or complains that it is no database.
pub(super) fn database(source: &Source, ui: &Ui) -> Result<Connector, CliError> {
    source.connector(&super::session(ui))?.ok_or_else(|| {
        CliError::new(format!("{} is no database, so nothing can be applied to it", source.label()))
            .hint("name the database, or write the plan as files: --out DIR")
    })
}

/// Complains that a run was made in another database; of a file it is said which one.
pub(super) fn elsewhere(made: &str, recorded: Option<&str>) -> CliError {
    match recorded.and_then(apply::file) {
        Some(file) => {
            CliError::new(format!("{made}: in {}, which is still there", one_line(&file.display().to_string())))
        }
        None => CliError::new(made),
    }
}

/// Returns where the run is recorded.
pub(super) fn journal_path(args: &FixArgs, source: &Source, global: &Global) -> Result<PathBuf, CliError> {
    let path = args.apply.journal.clone().unwrap_or_else(|| default_journal(source));
    if args.apply.journal.is_some() {
        let inputs = Inputs::of(&args.source, global).replacing(Some(Kind::Journal));
        output::allowed(&path, &inputs)?;
    }
    Ok(path)
}

/// Returns the exit code for orphans that something was to be done about and that no step changes.
fn left_undone(args: &FixArgs, plan: &Plan) -> u8 {
    let asked = args.orphans.iter().any(|o| o.policy.is_some());
    // What was to be left is as it was asked for.
    let as_asked = |subject: &str| {
        let relations = args.orphans.iter().filter(|o| o.policy.is_none()).filter_map(|o| o.relation.as_deref());
        let mut children = relations.map(|r| r.split("->").next().unwrap_or(r));
        children.any(|child| child.trim() == subject)
    };
    let left = plan.orphans_left().any(|r| !as_asked(&r.subject));
    if left && asked { FINDINGS } else { 0 }
}

/// Returns where a run is recorded: beside a file, which the run is about; else in a folder of our own, by the server and
/// the database: no run may be taken up on another server, and another user may go on with it (the owner, say).
pub(super) fn default_journal(source: &Source) -> PathBuf {
    if let Source::Sqlite(path) = source {
        let mut name = path.as_os_str().to_os_string();
        name.push(output::JOURNAL);
        return PathBuf::from(name);
    }
    let name = source.place(&environment::postgres());
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    Path::new(".referee").join(format!("{}.run", name.chars().map(plain).take(200).collect::<String>()))
}

fn tell(run: &Unfinished, path: &Path, ui: &Ui) {
    let at = run.at.as_ref().and_then(|id| run.plan.steps.iter().find(|s| s.id == *id));
    let at = at.map(|s| format!(", at \"{}\"", s.title)).unwrap_or_default();
    let how = if run.error.is_some() { "stopped" } else { "was cut off" };
    ui.note(&format!(
        "taking up the run in {} that {how} after {} of {} steps{at} (--new-plan gives it up)",
        path.display(),
        run.done.len(),
        run.plan.steps.len()
    ));
}

/// Returns the options that a plan is made by, as they are typed.
fn asked(args: &FixArgs) -> Vec<(String, String)> {
    let named = |value: Option<PossibleValue>| value.map(|v| v.get_name().to_string());
    let mut all: Vec<(&str, String)> = Vec::new();
    all.extend(args.selection.only.iter().map(|r| ("--only", r.meta.name.to_string())));
    all.extend(args.selection.skip.iter().map(|r| ("--skip", r.meta.name.to_string())));
    all.extend(args.selection.tables.iter().map(|t| ("--table", t.to_string())));
    all.extend(args.root.iter().map(|t| ("--root", t.clone())));
    all.extend(args.manual.then(|| ("--manual", String::new())));
    all.extend(args.no_data.then(|| ("--no-data", String::new())));
    all.extend(args.selection.foreign_keys.and_then(|s| named(s.to_possible_value())).map(|s| ("--foreign-keys", s)));
    all.extend(args.selection.min_confidence.map(|c| ("--min-confidence", c.to_string())));
    all.extend(args.accept_inferred.map(|c| ("--accept-inferred", c.to_string())));
    all.sort();
    all.dedup();
    // Of two choices about one thing the last one counts.
    all.extend(args.orphans.iter().map(|o| ("--orphans", o.typed.clone())));
    all.extend(args.choose.iter().map(|(subject, word)| ("--choose", format!("{subject}={word}"))));
    all.into_iter().map(|(option, value)| (option.to_string(), value)).collect()
}

/// Writes options as they are typed in a shell.
fn typed(options: &[(String, String)]) -> String {
    let one = |(option, value): &(String, String)| match value.as_str() {
        "" => option.clone(),
        // Its value is optional, so it is written behind an equals sign.
        value if option == "--accept-inferred" => format!("{option}={value}"),
        // A value with a leading dash would be taken for an option.
        value if value.starts_with('-') => format!("{option}={}", argument(value)),
        value => format!("{option} {}", argument(value)),
    };
    if options.is_empty() { "none".to_string() } else { options.iter().map(one).collect::<Vec<_>>().join(" ") }
}

/// Asks, and says so if the answer is no.
///
/// # Errors
/// Nobody can be asked.
pub(super) fn ask(question: &str, ui: &Ui) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::new("standard input is no terminal: nobody can be asked; nothing was changed")
            .hint("look at the plan, then answer with --yes:")
            .hint(fill(question, "      ", ui.style.width)));
    }
    let question = fill(question, "", ui.style.width);
    let mut err = io::stderr().lock();
    let asked = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    asked.map_err(|e| CliError::output(&e))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| CliError::output(&e))?;
    ui.job.check()?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(true);
    }
    ui.note("nothing was changed");
    Ok(false)
}

pub(super) fn journal_error(error: JournalError) -> CliError {
    app::Error::from(error).into()
}

/// Says that a journal could not be written while a plan was applied: what is applied, and that this file still holds the record.
pub(super) fn journal_lost(error: &JournalError, state: &str) -> CliError {
    CliError::new(format!("{error}; {state}"))
        .hint("free space or give back the permission, then run the same command: this file tells what is done and how to undo it")
}

/// Says what a step that changes rows has done: `deleted 3 of at most 3 rows of posts`.
fn told(step: &Step, rows: u64) -> String {
    match step.bounds.as_slice() {
        [bound] => bound.told(rows),
        several => {
            let most: u64 = several.iter().map(|b| b.rows).sum();
            format!("changed {rows} of at most {most} rows: {}", step.title)
        }
    }
}

/// Shows what a run does.
pub(super) struct Shown {
    steps: Steps,
    plan: Plan,
    ui: Ui,
    /// The step it is at, from 0.
    at: AtomicUsize,
}

impl Shown {
    pub fn new(steps: Steps, plan: &Plan, ui: &Ui) -> Arc<Self> {
        Arc::new(Self { steps, plan: plan.clone(), ui: ui.clone(), at: AtomicUsize::new(0) })
    }

    /// Takes the bar away, and returns the step that the run was at.
    pub fn end(&self) -> usize {
        self.steps.end();
        self.at.load(Ordering::SeqCst)
    }

    fn note(&self, text: &str) {
        self.steps.beside(|| self.ui.note(text));
    }
}

impl Events for Shown {
    fn event(&self, event: &Event<'_>) {
        let step = |number: usize| self.plan.steps.get(number);
        match *event {
            Event::Starts { step: number } => {
                self.at.store(number, Ordering::SeqCst);
                self.steps.at(number, step(number).map_or("", |s| &s.title));
            }
            Event::Waits { step: number, attempt, pause } => {
                let title = step(number).map_or("", |s| &s.title);
                self.note(&format!("{title}: no lock yet (try {attempt}); next try in {pause:?}"));
            }
            Event::Changed { step: number, rows } => {
                step(number).into_iter().for_each(|step| self.note(&told(step, rows)));
            }
            _ => {}
        }
    }
}
