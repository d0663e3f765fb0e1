//! `referee fix`: the migration that fixes what an audit finds.

use super::super::args::{FixArgs, Global};
use super::super::error::{CliError, FINDINGS};
use super::super::output::{self, Inputs, Kind};
use super::super::progress::Bar;
use super::super::ui::Ui;
use super::accept;
use super::audit::code;
use referee::app;
use referee::app::fix::{Options, Request, Response};
use referee::config::{Config, FailOn};
use referee::plan::Plan;
use referee::render::{self, Commands, PlanFormat};
use referee::schema::Engine;
use referee::source::{Input, Source};
use referee::text::{argument, operand};

pub(super) fn run(args: &FixArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    let replaces = (args.format == PlanFormat::Json && !args.apply.apply).then_some(Kind::Plan);
    let journal = args.apply.journal.as_deref();
    let inputs = Inputs::of(&args.source, global).with("the journal", journal).replacing(replaces);
    output::check(args.output.as_deref(), &inputs)?;
    if args.apply.undo {
        return super::undo::run(args, global, ui);
    }
    accept::check(args.accept_inferred, args.apply.apply || args.files.out.is_some(), global)?;
    if args.apply.apply {
        return super::apply::run(args, &config, global, ui);
    }
    // With --out, --layout is about what is written; what is read shows whose it is.
    let reading = Global { layout: global.layout.clone().filter(|_| args.files.out.is_none()), ..global.clone() };
    let input = super::open(&args.source, &reading, ui)?;
    let is_database = input.session.is_some();
    let made = make(args, &config, input, ui)?;
    if let Some(folder) = &args.files.out {
        return super::migration::write(args, folder, &made, global, ui);
    }
    let Response { plan, report, .. } = &made;
    let failed = code(report, FailOn::Never, ui);
    let style = ui.style_of(args.output.as_deref());
    let commands = commands(&Source::parse(args.source.secret())?, plan, &reading);
    let text = render::plan(args.format, &report.source, &commands, plan, &style);
    output::write(ui, args.output.as_deref(), &text)?;
    if let Some(path) = &args.output {
        ui.note(&format!("wrote {}", path.display()));
    } else if args.format == PlanFormat::Text && !plan.steps.is_empty() {
        let next = if is_database { "--apply carries it out, " } else { "" };
        ui.note(&format!("nothing was changed; {next}--out DIR writes it as migrations"));
    }
    accept::remind(&made.accepted, &super::command("infer", &report.source, &reading), ui);
    Ok(failed.max(goal_missed(&made)))
}

/// Returns the exit code for deletes that were asked to succeed (`--root`) and that something still stops once the plan is done.
pub(super) fn goal_missed(made: &Response) -> u8 {
    if made.goal_missed { FINDINGS } else { 0 }
}

/// Returns the commands that are named beside a plan.
pub(super) fn commands(source: &Source, plan: &Plan, global: &Global) -> Commands {
    Commands { backup: backup(source, plan.engine), infer: Some(super::command("infer", &source.label(), global)) }
}

/// Writes the command that copies a database while it is in use; `None` for CockroachDB, whose copies need a place of their
/// own, and for files.
fn backup(source: &Source, engine: Engine) -> Option<String> {
    match source {
        // VACUUM INTO waits for nobody and leaves out free pages (lang_vacuum.html, 2).
        Source::Sqlite(path) => {
            Some(format!("sqlite3 {} \"VACUUM INTO 'before.db'\"", operand(&path.display().to_string())))
        }
        Source::Postgres(_) => engine.facts().scripts.copy.map(|copy| format!("{copy} {}", argument(&source.label()))),
        Source::Document(_) | Source::Sql(_) => None,
    }
}

/// Returns what a plan goes by.
pub(super) fn options(args: &FixArgs, config: &Config) -> Options {
    let mut options = Options::default();
    options.selection = args.selection.selection();
    options.config = config.clone();
    options.today = Some(super::today());
    options.root.clone_from(&args.root);
    options.choose.clone_from(&args.choose);
    options.orphans = args.orphans_of_all();
    options.orphans_of = args.orphans_of_one();
    options.manual = args.manual;
    options.lock_timeout = args.lock_timeout;
    options.data = !args.no_data;
    options.accept_inferred = args.accept_inferred;
    options
}

/// Audits a source and makes the plan.
pub(super) fn make(args: &FixArgs, config: &Config, input: Input, ui: &Ui) -> Result<Response, CliError> {
    let mut request = Request::new(input);
    request.options = options(args, config);
    let made = super::done(app::fix(request, &Bar::context(ui)), config, ui)?;
    super::tell(&made.notes, config, ui);
    Ok(made)
}
