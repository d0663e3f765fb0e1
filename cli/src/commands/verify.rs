//! `referee verify`: a database, held against a plan that was carried out.

use std::collections::BTreeSet;
use std::io;

use super::super::args::{Global, OnOff, VerifyArgs, VerifyFormat, WhatArgs};
use super::super::error::{CliError, FINDINGS};
use super::super::output::{self, Inputs};
use super::super::ui::Ui;
use referee::audit::{Guesses, Report, audit};
use referee::config::Config;
use referee::engine::EngineErrorKind;
use referee::fate::{Effect, Fate, Fates, Options as FateOptions};
use referee::files;
use referee::plan::Plan;
use referee::relations::Graph;
use referee::render;
use referee::schema::{Schema, TableName};
use referee::source::{History, Input, SourceText};
use referee::text::operand;
use referee::verify::{self, Deleting, Judged, Verification};

pub(super) fn run(args: &VerifyArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    let inputs = Inputs::of(&args.source, global).with("the plan", Some(&args.plan));
    output::check(args.output.as_deref(), &inputs)?;
    let path = &args.plan;
    let text = files::read_text(path).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => CliError::new(format!(
            "{} is not a plan (expected JSON from `referee fix {} --format json`)",
            path.display(),
            operand(&args.source.to_string())
        )),
        _ => CliError::file("read", path, &e),
    })?;
    let plan = render::plan::json::parse(&text).map_err(|error| {
        CliError::new(format!("{}: {error}", path.display()))
            .hint("`referee fix SOURCE --format json -o plan.json` writes one, before it is carried out")
    })?;
    let what = WhatArgs {
        data: false,
        budget: super::BUDGET,
        only: Vec::new(),
        skip: Vec::new(),
        tables: Vec::new(),
        foreign_keys: args.foreign_keys,
        min_confidence: None,
    };
    let verification = of(&plan, &args.source, &what, None, &config, global, ui)?;
    let style = ui.style_of(args.output.as_deref());
    let text = match args.format {
        VerifyFormat::Text => render::verify::text(&verification, &style),
        VerifyFormat::Markdown => render::verify::markdown(&args.source.to_string(), &verification),
        VerifyFormat::Json => render::verify::json(&args.source.to_string(), &verification),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    if let Some(path) = &args.output {
        ui.note(&format!("wrote {}", path.display()));
    }
    Ok(if verification.verified { 0 } else { FINDINGS })
}

/// Holds a database against a plan, and tells what a delete from the `root` comes to, if the plan was made for that.
pub(super) fn of(
    plan: &Plan,
    source: &SourceText,
    what: &WhatArgs,
    root: Option<&str>,
    config: &Config,
    global: &Global,
    ui: &Ui,
) -> Result<Verification, CliError> {
    let mut input = super::open(source, global, ui)?;
    if input.schema.engine != plan.engine {
        return Err(CliError::new(format!("the plan is for {}, the source is {}", plan.engine, input.schema.engine))
            .hint("name the database that the plan was made for"));
    }
    if let Some(table) = missing(plan, &input.schema).first().filter(|_| {
        // Of one table it may be true that somebody dropped it.
        missing(plan, &input.schema).len() == changed(plan).len()
    }) {
        return Err(another(&input.label, table));
    }
    let quiet = ui.muted();
    let judge = |schema: &Schema| -> Result<Report, CliError> {
        // Without rows, on both sides alike.
        let input = Input {
            label: String::new(),
            schema: schema.clone(),
            session: None,
            history: History::default(),
            hints: Vec::new(),
        };
        let mut options = super::options(what, config, &input, &quiet)?;
        // No plan is made for a guess, and none is to blame for one.
        options.guesses = Guesses::SetAside { accept: None };
        Ok(audit(input, options, &ui.job.context.silent())?)
    };
    let (before, after) = (judge(&plan.before)?, judge(&input.schema)?);
    let Some(mut session) = input.session.take() else {
        return Err(CliError::new(format!("{} is no database, so nothing can be verified", input.label))
            .hint("name the database itself"));
    };
    let questions = verify::questions(session.dialect(), &input.schema, &config.policies());
    let judged = Judged { before: &before.findings, after: &after.findings };
    let mut verification = verify::verify(plan, &after.schema, judged, &questions, &mut |sql| session.query(sql))
        .map_err(|error| match missing(plan, &after.schema).first() {
            Some(table) if error.kind == EngineErrorKind::Gone => another(&input.label, table),
            _ => error.into(),
        })?;
    if let Some(typed) = root {
        let root = super::table(&after.schema, typed)?.name.clone();
        let on = what.foreign_keys.map(|state| state == OnOff::On).or(config.foreign_keys).unwrap_or(true);
        if let (Some(was), Some(is)) = (delete(&before, &root, config, on), delete(&after, &root, config, on)) {
            let now = &after;
            let (before, after) = (was.verdict.to_string(), is.verdict.to_string());
            let if_guessed = if_guessed(now, &root, &is, config, on);
            verification.delete = Some(Deleting { root, before, after, if_guessed, summary: is.summary });
        }
    }
    Ok(verification)
}

fn another(label: &str, table: &TableName) -> CliError {
    CliError::new(format!("{label} is not the planned database: no table {table}"))
        .hint("name the database that the plan was made for")
}

/// Returns the tables that the plan changes.
fn changed(plan: &Plan) -> BTreeSet<&TableName> {
    let all = plan.steps.iter().flat_map(|s| &s.locks).map(|l| &l.table);
    all.filter(|t| plan.before.table(t).is_some()).collect()
}

/// Returns those of them that are not there.
fn missing<'p>(plan: &'p Plan, now: &Schema) -> Vec<&'p TableName> {
    changed(plan).into_iter().filter(|t| now.table(t).is_none()).collect()
}

/// Says what a delete comes to if what is only guessed is true; `None` if it comes to the same.
fn if_guessed(report: &Report, root: &TableName, known: &Fate, config: &Config, on: bool) -> Option<String> {
    let guesses = report.guesses.guesses.iter().map(|g| g.as_relation(&report.schema));
    let all = report.relations.relations().iter().cloned().chain(guesses).collect();
    let demands = super::settings(None, config).demands(&report.schema, &report.relations);
    let how = FateOptions { foreign_keys: on, demands, ..FateOptions::default() };
    let fate = Fates::new(&report.schema, &Graph::from_relations(&report.schema, all), how).of(root)?;
    let left = |f: &Fate| f.relations.iter().filter(|r| r.effect == Effect::LeavesOrphans).count();
    let relations = match left(&fate).saturating_sub(left(known)) {
        1 => "the 1 guessed relation is true".to_string(),
        count => format!("the {count} guessed relations are true"),
    };
    (fate.verdict != known.verdict).then(|| format!("{} if {relations}", fate.verdict))
}

fn delete(report: &Report, root: &TableName, config: &Config, on: bool) -> Option<Fate> {
    let demands = super::settings(None, config).demands(&report.schema, &report.relations);
    let how = FateOptions { foreign_keys: on, demands, ..FateOptions::default() };
    Fates::new(&report.schema, &report.relations, how).of(root)
}
