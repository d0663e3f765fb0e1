//! One file per verb, and what several verbs share: reading the configuration, opening the source.

mod accept;
mod apply;
mod audit;
mod baseline;
mod completions;
mod demo;
mod explain;
mod fate;
mod fix;
mod graph;
mod infer;
mod init;
mod json_schema;
mod lint;
mod lint_fix;
mod migration;
mod question;
mod rules;
mod schema;
mod stopped;
mod undo;
mod verify;

use std::path::Path;

use clap::ValueEnum;

use super::args::{Cli, Command, Global};
use super::environment;
use super::error::CliError;
use super::progress::Spinner;
use super::ui::Ui;
use referee::app::{self, ErrorKind, Note};
use referee::apply::Journal;
use referee::config::{self, Config};
use referee::engine::SessionOptions;
use referee::files;
use referee::schema::Schema;
use referee::source::{Input, Source, SourceText};
use referee::text::{argument, operand};

/// Runs a verb and returns the exit code.
pub(super) fn run(cli: Cli, ui: &Ui) -> Result<u8, CliError> {
    let global = &cli.global;
    match cli.command {
        Command::Audit(args) => audit::run(&args, global, ui),
        Command::Lint(args) => lint::run(&args, global, ui),
        Command::Graph(args) => graph::run(&args, global, ui),
        Command::Fate(args) => fate::run(&args, global, ui),
        Command::Infer(args) => infer::run(&args, global, ui),
        Command::Fix(args) => fix::run(&args, global, ui),
        Command::Verify(args) => verify::run(&args, global, ui),
        Command::Schema(args) => schema::run(&args, global, ui),
        Command::Baseline(args) => baseline::run(&args, global, ui),
        Command::Rules(args) => rules::run(&args, ui),
        Command::Explain(args) => explain::run(&args, ui),
        Command::Init(args) => init::run(&args, global, ui),
        Command::Demo(args) => demo::run(&args, global, ui),
        Command::JsonSchema(args) => json_schema::run(&args, ui),
        Command::Completions(args) => completions::run(&args, ui),
    }
}

/// Reads the configuration that the options name, or `./referee.toml` if it is there.
fn configuration(global: &Global) -> Result<Config, CliError> {
    if global.no_config {
        return Ok(Config::default());
    }
    let path = global.config.as_deref().unwrap_or(Path::new(config::FILE_NAME));
    let text = match files::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => {
            return Ok(Config::default());
        }
        Err(error) => {
            return Err(CliError::file("read", path, &error)
                .hint("`referee init SOURCE` writes a new one; --no-config does without"));
        }
    };
    let name = path.display().to_string();
    config::parse(&name, &text).map_err(|diagnostics| CliError::Config { name, text, diagnostics })
}

/// Writes a command about a source as it is typed in a shell, with what was said of how the source is read.
fn command(verb: &str, source: &str, global: &Global) -> String {
    let mut all = vec!["referee".to_string(), verb.to_string(), operand(source)];
    let path = |p: &Path| argument(&p.display().to_string());
    let engine = global.engine.and_then(|e| e.to_possible_value());
    all.extend(engine.map(|e| format!("--engine {}", e.get_name())));
    all.extend(global.base.as_deref().map(|base| format!("--base {}", path(base))));
    all.extend(global.layout.as_deref().map(|layout| format!("--layout {}", argument(layout))));
    all.extend(global.config.as_deref().map(|config| format!("--config {}", path(config))));
    all.join(" ")
}

/// Returns what the connections of this process are opened with.
fn session(ui: &Ui) -> SessionOptions {
    SessionOptions {
        context: ui.job.context.clone(),
        environment: environment::postgres(),
        ..SessionOptions::default()
    }
}

/// Opens a source and reads its schema; says what of it was not read.
fn open(source: &SourceText, global: &Global, ui: &Ui) -> Result<Input, CliError> {
    let engine = global.engine.map(Into::into);
    let source = Source::parse(source.secret())?.with_sql(engine, global.base.clone(), global.layout.clone());
    let (input, notes) = open_source(&source, ui)?;
    tell(&notes, &Config::default(), ui);
    Ok(input)
}

/// Opens a source, and returns what is to be said of it.
fn open_source(source: &Source, ui: &Ui) -> Result<(Input, Vec<Note>), CliError> {
    ui.job.listen();
    let options = session(ui);
    let opened = {
        let _spinner = Spinner::start(ui, "Reading the catalog".to_string());
        app::open(source, &options)
    };
    let opened = opened.map_err(|error| {
        tell(&error.notes, &Config::default(), ui);
        cut_off(source, error)
    })?;
    ui.job.check()?;
    Ok(opened)
}

/// Tells what a job has to say beside its result.
fn tell(notes: &[Note], config: &Config, ui: &Ui) {
    for note in notes {
        match note {
            Note::Warning { message, hint } => ui.warn(message, hint.as_deref()),
            Note::Configuration(diagnostic) => {
                ui.diagnostics(&config.name, &config.text, std::slice::from_ref(diagnostic));
            }
            Note::Info(message) => ui.note(message),
        }
    }
}

/// Tells what a job that failed had to say before.
fn done<T>(result: Result<T, app::Error>, config: &Config, ui: &Ui) -> Result<T, CliError> {
    result.map_err(|error| {
        tell(&error.notes, config, ui);
        error.into()
    })
}

/// Says how a file is read again that a killed `fix --apply` left in the middle of a write. A reader cannot: it would have to
/// write back what is half done.
fn cut_off(source: &Source, error: app::Error) -> CliError {
    let journal = apply::default_journal(source);
    let ErrorKind::Engine(engine) = &*error.kind else { return error.into() };
    // SQLite's result codes 8 (READONLY) and 14 (CANTOPEN); the extended ones hold them in their last byte.
    let code = engine.code.as_ref().and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff);
    if !matches!(source, Source::Sqlite(_)) || !matches!(code, Some(8 | 14)) || !journal.exists() {
        return error.into();
    }
    let file = operand(&source.label());
    let failed = CliError::new(engine.message.clone());
    let undoing = Journal::runs(&journal).is_ok_and(|runs| runs.iter().any(|run| run.undoing));
    if undoing {
        return failed.hint(format!(
            "an undo was killed in the middle of a write ({} records it): `referee fix {file} --undo --apply` rolls back the write \
             and goes on",
            journal.display()
        ));
    }
    failed
        .hint(format!(
            "a run of `referee fix {file} --apply` was killed in the middle of a write ({} records it): run that command again \
             with the same options; it rolls back the write and goes on",
            journal.display()
        ))
        .hint(format!("or roll back the write only: `sqlite3 {file} 'PRAGMA quick_check'`"))
}

/// Holds the configuration's relations against the schema, and warns of what names nothing.
fn relations(config: &Config, schema: &Schema, ui: &Ui) -> Vec<referee::relations::ConfiguredRelation> {
    let resolved = config.resolve(schema);
    ui.diagnostics(&config.name, &config.text, &resolved.warnings);
    resolved.relations
}

/// Returns today's date.
fn today() -> config::Date {
    environment::today()
}
