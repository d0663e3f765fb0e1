//! One file per verb, and what several verbs share: reading the configuration, opening the source.

mod accept;
mod apply;
mod audit;
mod baseline;
mod choices;
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

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use super::args::{Cli, Command, Global, OnOff, WhatArgs};
use super::environment;
use super::error::CliError;
use super::progress::Spinner;
use super::ui::Ui;
use referee::apply::Journal;
use referee::audit::{Guesses, Options};
use referee::change::{Change, Object};
use referee::config::{self, Config};
use referee::engine::SessionOptions;
use referee::files;
use referee::orphans::ScanOptions;
use referee::rules::{ALL, Rule, Settings};
use referee::schema::Schema;
use referee::source::history::{ConflictKind, Place};
use referee::source::{Input, Source, SourceError, SourceText};
use referee::sql::ast::{Command as Statement, Skipped};
use referee::text::{argument, operand};

/// How many keys of orphans a report shows.
const SAMPLES: u32 = 5;
/// How long rows are read to tell guessed relations from chance, where nobody says.
const BUDGET: Duration = Duration::from_secs(30);

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
    let mut input = open_source(&source, ui)?;
    skipped(&input, ui);
    tell_of_replica(&mut input, ui)?;
    Ok(input)
}

/// Says that what is read may be older than what the primary has.
fn tell_of_replica(input: &mut Input, ui: &Ui) -> Result<(), CliError> {
    let Some(session) = &mut input.session else { return Ok(()) };
    if let Some(replica) = session.replica()? {
        let age =
            replica.age.map_or_else(String::new, |age| format!("; its newest transaction is {} s old", age.as_secs()));
        ui.note(&format!("{} is a replica{age}: what it does not have yet is not judged", input.label));
    }
    Ok(())
}

fn open_source(source: &Source, ui: &Ui) -> Result<Input, CliError> {
    ui.job.listen();
    let options = session(ui);
    let input = {
        let _spinner = Spinner::start(ui, "Reading the catalog".to_string());
        source.open(&options).map_err(|error| cut_off(source, error))?
    };
    ui.job.check()?;
    Ok(input)
}

/// Says how a file is read again that a killed `fix --apply` left in the middle of a write. A reader cannot: it would have to
/// write back what is half done.
fn cut_off(source: &Source, error: SourceError) -> CliError {
    let journal = apply::default_journal(source);
    let SourceError::Engine(engine) = &error else { return error.into() };
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

/// Makes the options of an audit from those of the command line, and the configuration where they do not say.
fn options(what: &WhatArgs, config: &Config, input: &Input, ui: &Ui) -> Result<Options, CliError> {
    let rules = chosen(what, config)?;
    if what.data && input.session.is_none() {
        return Err(CliError::new(format!("{} holds no rows, so --data has nothing to read", input.label))
            .hint("audit the database itself, or leave out --data"));
    }
    let data = (what.data || config.audit.data == Some(true)) && input.session.is_some();
    if config.audit.data == Some(true) && !data {
        ui.note(&format!("{} holds no rows: orphans are not counted", input.label));
    }
    for glob in &what.tables {
        let matcher = glob.compile_matcher();
        if !input.schema.tables.iter().any(|t| matcher.is_match(t.name.to_string())) {
            return Err(CliError::new(format!("no table matches {}", glob.glob()))
                .hint(format!("`referee schema {}` lists the tables", operand(&input.label))));
        }
    }
    let tables = if what.tables.is_empty() { config.audit.tables.clone() } else { what.tables.clone() };
    Ok(Options {
        relations: relations(config, &input.schema, ui),
        threshold: threshold(what.min_confidence, config),
        guesses: Guesses::Judged,
        settings: settings(what.foreign_keys, config),
        rules,
        tables,
        data: data.then_some(ScanOptions { samples: SAMPLES }),
        budget: what.budget,
        verify_indexes: false,
        migrations: false,
        suppressions: Vec::new(),
    })
}

/// Returns from which confidence on an inferred relation counts.
fn threshold(typed: Option<f64>, config: &Config) -> f64 {
    typed.or(config.threshold).unwrap_or(config::THRESHOLD)
}

/// Returns what rules go by.
fn settings(foreign_keys: Option<OnOff>, config: &Config) -> Settings {
    Settings {
        policies: config.policies(),
        deletes: config.deletes(),
        foreign_keys: foreign_keys.map(|state| state == OnOff::On).or(config.foreign_keys),
    }
}

/// Chooses the rules to run. What is named on the command line runs even if the configuration skips it.
fn chosen(what: &WhatArgs, config: &Config) -> Result<Vec<&'static Rule>, CliError> {
    let named = |list: &[&'static Rule], rule: &Rule| list.iter().any(|r| r.meta.code == rule.meta.code);
    let (only, by_file): (&[_], &[_]) =
        if what.only.is_empty() { (&config.audit.only, &config.audit.skip) } else { (&what.only, &[]) };
    let rules: Vec<_> = ALL
        .iter()
        .filter(|r| only.is_empty() || named(only, r))
        .filter(|r| !named(&what.skip, r) && !named(by_file, r))
        .collect();
    if rules.is_empty() {
        return Err(CliError::new("no rule is left to run: each one is skipped")
            .hint("look at --only and --skip, and at `only` and `skip` in [audit] of referee.toml"));
    }
    Ok(rules)
}

/// Finds a table as the user types it.
fn table<'s>(schema: &'s Schema, typed: &str) -> Result<&'s referee::schema::Table, CliError> {
    schema.find_table(typed).ok_or_else(|| {
        let names: Vec<String> = schema.tables.iter().map(|t| t.name.to_string()).collect();
        let near = config::nearest(typed, names.iter().map(String::as_str));
        let hint = config::did_you_mean(&near).unwrap_or_else(|| match names.len() {
            0 => "the database has no tables".to_string(),
            _ => "`referee schema SOURCE` lists the tables".to_string(),
        });
        CliError::new(format!("there is no table `{typed}`")).hint(hint)
    })
}

/// Returns today's date.
fn today() -> config::Date {
    environment::today()
}

/// Says what the reader passed over, one line for each reason: what is not read is not judged.
fn skipped(input: &Input, ui: &Ui) {
    if let Some(first) = input.history.programs.first() {
        let count = input.history.programs.len();
        let what = match count {
            1 => format!("1 migration is a program, not SQL, and what it does is not known: {first}"),
            _ => format!("{count} migrations are programs, not SQL, and what they do is not known; the first: {first}"),
        };
        ui.note(&what);
    }
    begins_in_the_middle(input, ui);
    let mut reasons: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    for clause in &input.history.skipped {
        let reason = match clause.within {
            special @ (Skipped::ROWS | Skipped::ROUTINE | Skipped::EXECUTE | Skipped::QUERY) => special,
            _ => "",
        };
        reasons.entry(reason).or_default().push(clause.at);
    }
    for (reason, places) in reasons {
        let Some(first) = places.first() else { continue };
        let file = input.history.files.get(first.file).map_or("", |f| f.path.as_str());
        let at = format!("{file}:{}", input.history.line(*first));
        let count = |one: &str, many: &str| match places.len() {
            1 => format!("1 {one} at {at}"),
            n => format!("{n} {many}, the first at {at}"),
        };
        let text = match reason {
            Skipped::ROWS => {
                let what = format!("the rows of {} have no end", count("COPY … FROM stdin", "COPY … FROM stdin"));
                let hint = "everything after it in the file was taken for rows, as psql does, and not read: end them with a line `\\.`";
                ui.warn(&what, Some(hint));
                continue;
            }
            Skipped::ROUTINE => format!(
                "not replayed, because it runs only when its function or procedure is called: {}",
                count("statement", "statements")
            ),
            Skipped::EXECUTE => {
                format!("not replayed, because it is put together at run time: {}", count("statement", "statements"))
            }
            Skipped::QUERY => {
                format!("columns not known, because they come of a query: {}", count("table", "tables"))
            }
            _ => format!("passed over, because referee does not know it: {}", count("clause", "clauses")),
        };
        ui.note(&text);
    }
}

/// Points to `--base` where migrations change or refer to tables that none of them makes, and no base does.
fn begins_in_the_middle(input: &Input, ui: &Ui) {
    let history = &input.history;
    if history.migrations.iter().any(|m| m.base) {
        return;
    }
    let mut unmade: BTreeMap<String, Place> = BTreeMap::new();
    for conflict in &history.conflicts {
        if let ConflictKind::Missing { what: Object::Table(table), .. }
        | ConflictKind::MissingParent { what: Object::Table(table), .. } = &conflict.kind
        {
            unmade.entry(table.to_string()).or_insert(conflict.at);
        }
    }
    if input.schema.tables.is_empty() {
        // A DO block may look whether a table is there; where none is, it looked for what was there before.
        for step in &history.steps {
            for located in &step.statement.commands {
                if let Statement::AlterTable { table, .. } = &located.command {
                    unmade.entry(table.name.clone()).or_insert(Place { file: step.file, span: located.span });
                }
            }
        }
    }
    for made in history.steps.iter().flat_map(|s| &s.changes) {
        if let Change::CreateTable { definition } = &made.change {
            unmade.remove(&definition.name.to_string());
        }
    }
    let Some((table, place)) = unmade.iter().min_by_key(|(_, at)| (at.file, at.span.start)) else { return };
    let file = history.files.get(place.file).map_or("", |f| f.path.as_str());
    let at = format!("{file}:{}", history.line(*place));
    let what = match unmade.len() {
        1 => format!("no SQL here makes table `{table}` ({at})"),
        n => format!("no SQL here makes {n} tables that are used, the first is `{table}` ({at})"),
    };
    ui.note(&format!("{what}: if the migrations go on from a schema, name its SQL with --base FILE"));
}
