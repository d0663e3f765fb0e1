//! `referee fix`: the migration that fixes what an audit finds.

use std::collections::BTreeSet;

use super::super::args::{FixArgs, Global, OnOff, WhatArgs};
use super::super::error::{CliError, FINDINGS};
use super::super::output::{self, Inputs, Kind};
use super::super::progress::Bar;
use super::super::ui::Ui;
use super::accept;
use super::audit::{Hidden, code};
use super::choices;
use referee::audit::{Guesses, Report, audit_and_go_on};
use referee::config::{Config, FailOn};
use referee::engine::{EngineError, EngineErrorKind, Reader, Value};
use referee::fate::{Fates, Options as FateOptions};
use referee::findings::{Finding, Severity};
use referee::infer::Guess;
use referee::orphans::ScanOptions;
use referee::plan::{self, Counts, Definitions, Options, Plan};
use referee::relations::Graph;
use referee::render::{self, Commands, PlanFormat};
use referee::rules::{Rule, Settings};
use referee::schema::{Engine, TableName};
use referee::source::history::Migration;
use referee::source::{History, Input, Source};
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
    let (plan, report) = make(args, &config, input, ui)?;
    if let Some(folder) = &args.files.out {
        return super::migration::write(args, folder, &plan, &report, global, ui);
    }
    let failed = code(&report, FailOn::Never, ui);
    let style = ui.style_of(args.output.as_deref());
    let commands = commands(&Source::parse(args.source.secret())?, &plan, &reading);
    let text = render::plan(args.format, &report.source, &commands, &plan, &style);
    output::write(ui, args.output.as_deref(), &text)?;
    if let Some(path) = &args.output {
        ui.note(&format!("wrote {}", path.display()));
    } else if args.format == PlanFormat::Text && !plan.steps.is_empty() {
        let next = if is_database { "--apply carries it out, " } else { "" };
        ui.note(&format!("nothing was changed; {next}--out DIR writes it as migrations"));
    }
    accept::remind(&plan, &report, &super::command("infer", &report.source, &reading), ui);
    Ok(failed.max(goal_missed(args, &plan, &report)))
}

/// Returns exit code 1 where deletes were asked to succeed (`--root`) and something still stops them once the plan is done.
pub(super) fn goal_missed(args: &FixArgs, plan: &Plan, report: &Report) -> u8 {
    let stops = |reason: &plan::Reason| {
        let same = |f: &&Finding| f.rule == reason.rule && f.fingerprint == reason.fingerprint;
        report.findings.iter().find(same).is_some_and(|f| f.severity == Severity::Error)
    };
    let missed = args.root.is_some() && (plan.still_fails.is_some() || plan.refused.iter().any(|r| stops(&r.reason)));
    if missed { FINDINGS } else { 0 }
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

/// Returns what of an audit's options a repair goes by.
pub(super) fn what(args: &FixArgs) -> WhatArgs {
    WhatArgs {
        data: false,
        budget: super::BUDGET,
        only: args.only.clone(),
        skip: args.skip.clone(),
        tables: args.tables.clone(),
        foreign_keys: args.foreign_keys,
        min_confidence: args.min_confidence,
    }
}

/// Audits a source and makes the plan.
pub(super) fn make(args: &FixArgs, config: &Config, mut input: Input, ui: &Ui) -> Result<(Plan, Report), CliError> {
    let what = what(args);
    let root = args.root.as_deref().map(|typed| super::table(&input.schema, typed)).transpose()?;
    let root = root.map(|table| table.name.clone());
    let mut options = super::options(&what, config, &input, ui)?;
    options.data = (input.session.is_some() && !args.no_data).then_some(ScanOptions { samples: 0 });
    // The schema as it is is judged; what migrations did is only looked at to say that it stays as it is.
    options.migrations = options.rules.iter().all(|r| Rule::is_about_migrations(r));
    let hidden = Hidden::new(config, None, ui);
    options.suppressions = hidden.suppressions.clone();
    options.guesses = Guesses::SetAside { accept: args.accept_inferred };
    let settings: Settings = options.settings.clone();
    let definitions = definitions(&mut input)?;

    let (mut report, mut session) = audit_and_go_on(input, options, &Bar::context(ui))?;
    ui.job.check()?;
    let mut judged = None;
    if let Some(root) = &root {
        let on = args.foreign_keys.map(|state| state == OnOff::On).or(config.foreign_keys).unwrap_or(true);
        let mut demands = settings.demands(&report.schema, &report.relations);
        // What somebody chose for one relation goes before what a policy says of many.
        demands.asked.splice(0..0, plan::asked(&args.choose, &report.relations));
        let how = FateOptions { foreign_keys: on, demands, ..FateOptions::default() };
        // A guess is no reason to change anything, but one to ask before a row goes with its parent.
        let guesses = report.guesses.guesses.iter().map(|g| g.as_relation(&report.schema));
        let all = report.relations.relations().iter().cloned().chain(guesses).collect();
        let all = Graph::from_relations(&report.schema, all);
        let fates = Fates::new(&report.schema, &all, how.clone());
        let Some(fate) = fates.of(root) else {
            return Err(CliError::new(format!("`{root}` is a partition; rows are deleted from its parent table"))
                .hint("name the partitioned table"));
        };
        let broken = fates.broken(root);
        if args.only.is_empty() {
            report.findings.retain(|f| plan::mends_broken(f, &broken));
        }
        let unhelped = plan::unhelped(&fate, &broken, &report.findings);
        report.findings.extend(unhelped);
        report.findings.extend(plan::repairs(&fate));
        judged = Some((fate, how));
    }
    let mut options = Options {
        choose: args.choose.clone(),
        orphans: args.orphans_of_all(),
        orphans_of: args.orphans_of_one(),
        guessed: report.guesses.guesses.iter().map(|g| g.as_relation(&report.schema)).collect(),
        counts: Counts::default(),
        manual: args.manual,
        lock_timeout: u64::try_from(args.lock_timeout.as_millis()).unwrap_or(u64::MAX),
    };
    every_relation_is_there(&options, &report)?;
    let mut made = loop {
        let made = plan::plan(&input_of(&report, &settings, definitions.as_ref(), &options));
        let missing = options.counts.missing();
        let Some(session) = session.as_mut().filter(|_| !args.no_data && !missing.is_empty()) else { break made };
        for query in missing {
            ui.job.check()?;
            match count(session.as_mut(), &query) {
                Ok(rows) => options.counts.answer(query, rows),
                // Whatever rests on these rows is left out of the plan; the rest is planned.
                Err(error) if error.kind == EngineErrorKind::Permission => options.counts.no_answer(query),
                Err(error) => return Err(error.into()),
            }
        }
    };
    made.guessed = about(args, root.as_ref(), &report);
    made.not_counted = plan::not_counted(&report.relations, report.scan.as_ref());
    let input = input_of(&report, &settings, definitions.as_ref(), &options);
    made.still_fails = judged.and_then(|(fate, how)| plan::still_fails(&fate, &made, &input, &how));
    choices::check(&made, &input, &report, ui)?;
    Ok((made, report))
}

/// Returns what a plan is made from.
fn input_of<'a>(
    report: &'a Report,
    settings: &'a Settings,
    definitions: Option<&'a Definitions>,
    options: &'a Options,
) -> plan::Input<'a> {
    plan::Input {
        schema: &report.schema,
        relations: &report.relations,
        settings,
        findings: &report.findings,
        scan: report.scan.as_ref(),
        definitions,
        options,
    }
}

/// Returns the guesses that are about what the plan is made for: of the tables that were named, and for a root those by which
/// rows could belong to its rows.
fn about(args: &FixArgs, root: Option<&TableName>, report: &Report) -> Vec<Guess> {
    let globs: Vec<_> = args.tables.iter().map(globset::Glob::compile_matcher).collect();
    let named = |g: &&Guess| globs.is_empty() || globs.iter().any(|m| m.is_match(g.child.to_string()));
    let guesses: Vec<&Guess> = report.guesses.guesses.iter().filter(named).collect();
    let Some(root) = root else { return guesses.into_iter().cloned().collect() };
    let known = report.relations.relations().iter().cloned();
    let all = known.chain(guesses.iter().map(|g| g.as_relation(&report.schema))).collect();
    let reached: BTreeSet<TableName> =
        Graph::from_relations(&report.schema, all).reach(root).into_iter().map(|r| r.table).collect();
    guesses.into_iter().filter(|g| reached.contains(&g.parent)).cloned().collect()
}

/// Asks how many rows a plan is about.
fn count(session: &mut dyn Reader, query: &str) -> Result<u64, EngineError> {
    let answer = session.query(query)?;
    let number = answer.rows.first().and_then(|row| row.first()).and_then(Value::integer);
    let none = || EngineError::new(EngineErrorKind::Statement, "a count of rows is not a number").sql(query);
    number.and_then(|n| u64::try_from(n).ok()).ok_or_else(none)
}

/// Complains of orphans of a relation that there is not.
fn every_relation_is_there(options: &Options, report: &Report) -> Result<(), CliError> {
    let missing = options
        .orphans_of
        .iter()
        .find(|(subject, _)| !report.relations.relations().iter().any(|r| plan::names_relation(subject, r)));
    let Some((subject, _)) = missing else { return Ok(()) };
    Err(CliError::new(format!("--orphans {subject}=… matches no relation"))
        .hint("a relation is written child.column, or child.column->parent.column; `referee graph SOURCE` lists them"))
}

/// Reads the texts of a SQLite database's objects, which a rebuilt table keeps: from the database, or from what SQLite makes
/// of the files.
fn definitions(input: &mut Input) -> Result<Option<Definitions>, CliError> {
    match input.session.as_mut() {
        Some(session) if input.schema.engine.facts().alter.rebuilds => {
            Ok(Some(Definitions::from_session(session.as_mut())?))
        }
        _ => definitions_of_files(input.schema.engine, &input.history, &input.label),
    }
}

/// The same from files.
pub(super) fn definitions_of_files(
    engine: Engine,
    history: &History,
    label: &str,
) -> Result<Option<Definitions>, CliError> {
    if !engine.facts().alter.rebuilds || history.migrations.is_empty() {
        return Ok(None);
    }
    let up = |m: &Migration| history.files.get(m.up.file).map(|f| m.up.span.of(&f.text));
    Definitions::from_sql(history.migrations.iter().filter_map(up)).map(Some).map_err(|error| {
        CliError::new(format!("SQLite does not run {label} as it is: {}", error.message))
            .hint("a table can only be rebuilt from its exact text: name the database itself")
    })
}
