//! `referee fix --apply`: the plan is shown, asked about, run step by step, and held against the database afterwards.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::super::args::{FixArgs, Global};
use super::super::environment;
use super::super::error::{CliError, FINDINGS};
use super::super::output::{self, Inputs, Kind};
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::audit::code;
use super::stopped::{self, Place, fill};
use super::{question, verify};
use referee::apply::{self, Journal, JournalError, Options, Unfinished};
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
    let read_only = connector.check_writer()?;
    let path = journal_path(args, &source, global)?;
    // Looking at a plan leaves nothing behind: a journal is made only once there is something to write into it.
    let recorded = if path.exists() { Some(Journal::open(&path).map_err(journal_error)?) } else { None };
    let (mut journal, unfinished) = recorded.map_or((None, None), |(journal, run)| (Some(journal), run));
    if path.exists() {
        no_undo_is_open(&path, args, global)?;
    }
    let given_up = unfinished.as_ref().filter(|_| args.apply.anew).map(|run| run.database.clone());
    let taken_up = unfinished.filter(|_| !args.apply.anew);
    let mut made = None;
    let mut incomplete = 0;
    let plan = match &taken_up {
        Some(run) => {
            same_options(run, args, &path, global)?;
            tell(run, &path, ui);
            run.plan.clone()
        }
        None => {
            let input = super::open(&args.source, global, ui)?;
            let new = super::fix::make(args, config, input, ui)?;
            // What could not be looked at is in no plan.
            incomplete = code(&new.report, FailOn::Never, ui);
            let plan = new.plan.clone();
            made = Some(new);
            plan
        }
    };
    let commands = super::fix::commands(&source, &plan, global);
    let shown = render::plan(PlanFormat::Text, &source.label(), &commands, &plan, &ui.style);
    if args.format == PlanFormat::Text {
        ui.print(&shown)?;
    } else if !args.apply.yes {
        // Nobody is asked about what he has not seen.
        ui.write(&shown);
    }
    let missed = made.as_ref().map_or(0, super::fix::goal_missed);
    if plan.steps.is_empty() {
        if let Some(journal) = journal.as_mut().filter(|_| given_up.is_some()) {
            journal.abandon().map_err(journal_error)?;
        }
        ui.note("the plan has no steps: nothing is changed");
        return Ok(incomplete.max(left_undone(args, &plan)).max(missed));
    }
    if args.apply.yes {
        if read_only {
            ui.warn(question::READ_ONLY, None);
        }
    } else if !ask(&question::of(&to_come(&plan, taken_up.as_ref()), &source.label(), read_only), ui)? {
        return Ok(FINDINGS);
    }
    let mut journal = match journal {
        Some(journal) => journal,
        None => match Journal::open(&path).map_err(journal_error)? {
            (journal, None) => journal,
            (_, Some(_)) => {
                return Err(CliError::new(format!("another run began in {} meanwhile", path.display()))
                    .hint("run the same command again to see what it did"));
            }
        },
    };
    let mut writer = connector.writer()?;
    let dialect = writer.dialect();
    let here = apply::identity(dialect, &mut |sql| writer.query(sql))?;
    // Asked of the writer: a SQLite file may have to be rolled back first, which a reader may not do.
    let begun = taken_up.as_ref().map(|run| run.database.clone()).or(given_up);
    if let Some(database) = begun {
        same_database(database.as_deref(), here.as_deref(), &path)?;
    }
    if taken_up.is_none() {
        // An older run that did not come to its end is given up by the new one.
        journal.begin_in(here, &plan, &asked(args)).map_err(journal_error)?;
    }
    ui.job.writes();
    if let Some(made) = &made {
        super::accept::record(&made.accepted, &made.report.schema, global, ui)?;
    }
    let options = Options { lock_timeout: args.lock_timeout, retries: args.apply.retries, ..Options::default() };
    let steps = Steps::new(ui, plan.steps.len());
    let holding = connector.clone();
    steps.look_on(move || connector.beside().ok().flatten());
    let shown = Shown::new(steps, &plan, ui);
    // What the plan is not about must not be taken for its work. What a run that is taken up has found is not known any more.
    let before = match &taken_up {
        None => referee::verify::before(&plan, &mut |sql| writer.query(sql))?,
        Some(_) => Vec::new(),
    };
    let outcome = apply::apply(&mut *writer, &plan, &options, &mut journal, &ui.job.context.told_to(shown.clone()));
    let at = shown.end();
    let outcome = outcome.map_err(|error| {
        // Asked at once: who holds the lock may be gone in a moment.
        let holders = stopped::holders(&holding, plan.steps.get(at), &error);
        let place = Place { journal: &path, at, undoing: false, width: ui.style.width };
        holders.into_iter().fold(place.explain(error), CliError::hint)
    })?;
    drop(writer);
    let skipped =
        if outcome.skipped > 0 { format!(", {} had been done before", outcome.skipped) } else { String::new() };
    ui.note(&format!("{} of {} steps done{skipped}; recorded in {}", outcome.done, plan.steps.len(), path.display()));

    // A run that found everything done has left nothing of its own.
    let did = outcome.done > 0 || taken_up.is_some();
    let backups = plan.backups();
    if did && !backups.is_empty() {
        let (tables, they) = if backups.len() == 1 { ("table", "it") } else { ("tables", "them") };
        ui.note(&format!("backup {tables}: {}; drop {they} when nobody needs them", backups.join(", ")));
    }
    if did {
        ui.note(&format!("to undo: {}", super::undo::command(args, global)));
    }

    // What was accepted by this run stands there now.
    let config = if args.accept_inferred.is_some() { super::configuration(global)? } else { config.clone() };
    let mut verification =
        verify::of(&plan, &args.source, args.selection.selection(), args.root.as_deref(), &config, global, ui)
            .map_err(|error| {
                error.hint("all steps are done, but not verified: run the same command to see what is left")
            })?;
    verification.compare_rows(&before);
    let style = ui.style_of(args.output.as_deref());
    let text = match args.format {
        PlanFormat::Text | PlanFormat::Sql => format!("\n{}", render::verify::text(&verification, &style)),
        PlanFormat::Json => render::verify::json(&source.label(), &verification),
        PlanFormat::Markdown => render::verify::markdown(&source.label(), &verification),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    let verified = if verification.verified { 0 } else { FINDINGS };
    Ok(incomplete.max(verified).max(left_undone(args, &plan)).max(missed))
}

/// Returns a plan without the steps that a run which is taken up has done.
fn to_come(plan: &Plan, taken_up: Option<&Unfinished>) -> Plan {
    let mut left = plan.clone();
    if let Some(run) = taken_up {
        left.steps.retain(|step| !run.done.contains(&step.id));
    }
    left
}

/// Returns what connects to a source, or complains that it is no database.
pub(super) fn database(source: &Source, ui: &Ui) -> Result<Connector, CliError> {
    source.connector(&super::session(ui))?.ok_or_else(|| {
        CliError::new(format!("{} is no database, so nothing can be applied to it", source.label()))
            .hint("name the database, or write the plan as files: --out DIR")
    })
}

/// Refuses to go on with, or to give up, a run that was begun in another database.
fn same_database(recorded: Option<&str>, here: Option<&str>, path: &Path) -> Result<(), CliError> {
    if apply::is_same(recorded, here) {
        return Ok(());
    }
    let begun = format!("the run in {} was begun in another database, and has not ended there", path.display());
    let begun = elsewhere(&begun, recorded);
    if here.is_none() {
        return Err(CliError::new(format!(
            "cannot tell whether the run in {} was begun in this database",
            path.display()
        ))
        .hint(
            "connect as a user who may run pg_control_system(), or give the run up by another file: --journal FILE",
        ));
    }
    Err(begun.hint("connect to that one to go on with it").hint("for this database, name another file: --journal FILE"))
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

/// Refuses a run while an undo has stopped halfway: what is left of it is known by the record that the run would take the place of.
fn no_undo_is_open(path: &Path, args: &FixArgs, global: &Global) -> Result<(), CliError> {
    let runs = Journal::runs(path).map_err(journal_error)?;
    let Some(run) = runs.iter().find(|run| run.undoing) else { return Ok(()) };
    let steps = match run.left().count() {
        1 => "1 step".to_string(),
        count => format!("{count} steps"),
    };
    Err(CliError::new(format!("an undo of the run in {} stopped with {steps} to go", path.display()))
        .hint(format!("go on with it: {} --apply", super::undo::command(args, global)))
        .hint("to give it up, move that file away; rows that are not restored yet stay in their backup tables"))
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
        "taking up the run in {} that {how} after {} of {} steps{at} (--anew makes a new plan)",
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

/// A run goes on with the plan that it began with. Whoever asks for something else by now has to say which of the two is meant.
fn same_options(run: &Unfinished, args: &FixArgs, path: &Path, global: &Global) -> Result<(), CliError> {
    let now = asked(args);
    let Some(then) = run.asked.as_ref().filter(|then| **then != now) else { return Ok(()) };
    let mut again = super::command("fix", &args.source.to_string(), global);
    again.push_str(" --apply");
    if !then.is_empty() {
        again.push_str(&format!(" {}", typed(then)));
    }
    if let Some(journal) = &args.apply.journal {
        again.push_str(&format!(" --journal {}", operand(&journal.display().to_string())));
    }
    let done = match run.done.len() {
        0 => "nothing of it is done".to_string(),
        count => format!("{count} of {} steps are done", run.plan.steps.len()),
    };
    Err(CliError::new(format!(
        "the run in {} was begun with other options, and its plan is made by them; {done}\n  begun with: {}\n  now:        {}",
        path.display(),
        typed(then),
        typed(&now)
    ))
    .hint(format!("to go on with it: {again}"))
    .hint("to give it up for a new plan by what is said now, add --anew; what is done stays done"))
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
    let failed = CliError::new(error.to_string());
    match error {
        JournalError::Io { .. } => failed.hint("name another place: --journal FILE"),
        JournalError::InUse { .. } => failed.hint("wait for it to end"),
        JournalError::Foreign { .. } => failed.hint("name another file: --journal FILE"),
        JournalError::Syntax { .. } => {
            failed.hint("it is no journal of referee's, or damaged; name another: --journal FILE")
        }
    }
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
