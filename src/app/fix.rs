//! The plan that fixes what an audit finds.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::choose;
use super::error::{Error, ErrorKind};
use super::job::{check, noting};
use super::model::{Note, Selection};
use super::settings::{Hidden, table};
use crate::audit::{Guesses, Report, audit_and_go_on};
use crate::change::Change;
use crate::config::{Config, Date};
use crate::engine::{EngineError, EngineErrorKind, Reader, Value};
use crate::fate::{Fate, Fates, Options as FateOptions};
use crate::findings::{Finding, Severity};
use crate::infer::Guess;
use crate::job::Context;
use crate::orphans::ScanOptions;
use crate::plan::{self, Counts, Definitions, OrphanPolicy, Plan};
use crate::relations::{ConfiguredRelation, Graph};
use crate::rules::{Rule, Settings};
use crate::schema::{Engine, TableName};
use crate::source::history::Migration;
use crate::source::{History, Input};

/// What is to be fixed, and how.
#[non_exhaustive]
pub struct Request {
    /// What was opened.
    pub input: Input,
    /// What the plan goes by.
    pub options: Options,
}

impl Request {
    /// Asks for a plan of everything that can be fixed without a decision.
    pub fn new(input: Input) -> Self {
        Self { input, options: Options::default() }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("source", &self.input.label).field("options", &self.options).finish()
    }
}

/// What a plan goes by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What is fixed: findings of which rules, on which tables.
    pub selection: Selection,
    /// What `referee.toml` says.
    pub config: Config,
    /// The day by which ignores expire; `None` takes none for expired.
    pub today: Option<Date>,
    /// The smallest set of changes by which every delete from this table succeeds, instead of all that can be fixed.
    pub root: Option<String>,
    /// Where there is a choice: the finding's place (or its constraint or rule) and the word of the option.
    pub choose: Vec<(String, String)>,
    /// What becomes of orphans where a foreign key needs them gone; `None` plans no key over them.
    pub orphans: Option<OrphanPolicy>,
    /// The same for single relations, `child.column`; `None` leaves their orphans. It goes before `orphans`.
    pub orphans_of: Vec<(String, Option<OrphanPolicy>)>,
    /// Whether fixes that need a decision are planned by their first option, too, unless it makes a key cascade.
    pub manual: bool,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// Whether rows are counted, where the source has some. Without it no step changes rows.
    pub data: bool,
    /// Guessed relations that are at least so sure (0 to 1) count as accepted, but for those that rows contradict.
    pub accept_inferred: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            config: Config::default(),
            today: None,
            root: None,
            choose: Vec::new(),
            orphans: None,
            orphans_of: Vec::new(),
            manual: false,
            lock_timeout: Duration::from_secs(2),
            data: true,
            accept_inferred: None,
        }
    }
}

/// What a plan came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The plan. It is only made, not carried out.
    pub plan: Plan,
    /// What the audit found that it is made from.
    pub report: Report,
    /// The guesses that count as accepted and that the plan makes keys of. Whoever carries it out has to write them into
    /// `referee.toml` first: else the keys would be taken for declared ones, and one guess would bear out the next.
    pub accepted: Vec<ConfiguredRelation>,
    /// Whether deletes from `root` can still fail once the plan is carried out.
    pub goal_missed: bool,
    /// What is to be heard beside it.
    pub notes: Vec<Note>,
}

/// Audits a source and makes the plan that fixes what is found.
///
/// # Errors
/// What is asked for cannot be planned; what the database says.
pub fn fix(request: Request, context: &Context) -> Result<Response, Error> {
    let (mut response, notes) = noting(|notes| carry_out(request, context, notes))?;
    response.notes = notes;
    Ok(response)
}

fn carry_out(request: Request, context: &Context, notes: &mut Vec<Note>) -> Result<Response, Error> {
    let Request { mut input, options: asked } = request;
    let root = asked.root.as_deref().map(|typed| table(&input.schema, typed)).transpose()?;
    let root = root.map(|table| table.name.clone());
    let mut options = asked.selection.options(&asked.config, &input, false, notes)?;
    options.data = (input.session.is_some() && asked.data).then_some(ScanOptions { samples: 0 });
    // The schema as it is is judged; what migrations did is only looked at to say that it stays as it is.
    options.migrations = options.rules.iter().all(|r| Rule::is_about_migrations(r));
    options.suppressions = Hidden::new(&asked.config, None, asked.today, notes).suppressions;
    options.guesses = Guesses::SetAside { accept: asked.accept_inferred };
    let settings = options.settings.clone();
    let definitions = definitions(&mut input)?;

    let (mut report, mut session) = audit_and_go_on(input, options, context)?;
    check(context)?;
    let judged = root.as_ref().map(|root| judge(root, &asked, &settings, &mut report)).transpose()?;
    let mut options = plan::Options {
        choose: asked.choose.clone(),
        orphans: asked.orphans,
        orphans_of: asked.orphans_of.clone(),
        guessed: report.guesses.guesses.iter().map(|g| g.as_relation(&report.schema)).collect(),
        counts: Counts::default(),
        manual: asked.manual,
        lock_timeout: u64::try_from(asked.lock_timeout.as_millis()).unwrap_or(u64::MAX),
    };
    every_relation_is_there(&options, &report)?;
    let mut made = loop {
        let made = plan::plan(&input_of(&report, &settings, definitions.as_ref(), &options));
        let missing = options.counts.missing();
        let Some(session) = session.as_mut().filter(|_| asked.data && !missing.is_empty()) else { break made };
        for query in missing {
            check(context)?;
            match count(session.as_mut(), &query) {
                Ok(rows) => options.counts.answer(query, rows),
                // Whatever rests on these rows is left out of the plan; the rest is planned.
                Err(error) if error.kind == EngineErrorKind::Permission => options.counts.no_answer(query),
                Err(error) => return Err(error.into()),
            }
        }
    };
    made.guessed = about(&asked.selection, root.as_ref(), &report);
    made.not_counted = plan::not_counted(&report.relations, report.scan.as_ref());
    let input = input_of(&report, &settings, definitions.as_ref(), &options);
    made.still_fails = judged.and_then(|(fate, how)| plan::still_fails(&fate, &made, &input, &how));
    choose::check(&made, &input, &report, notes)?;
    let accepted = accepted(&made, &report);
    let goal_missed = root.is_some() && is_missed(&made, &report);
    Ok(Response { plan: made, report, accepted, goal_missed, notes: Vec::new() })
}

/// Judges the deletes that the plan is made for: findings that do not concern them are left out, and what stops them is added.
fn judge(
    root: &TableName,
    asked: &Options,
    settings: &Settings,
    report: &mut Report,
) -> Result<(Fate, FateOptions), Error> {
    let mut demands = settings.demands(&report.schema, &report.relations);
    // What somebody chose for one relation goes before what a policy says of many.
    demands.asked.splice(0..0, plan::asked(&asked.choose, &report.relations));
    let foreign_keys = asked.selection.enforced(&asked.config);
    let how = FateOptions { foreign_keys, demands, ..FateOptions::default() };
    // A guess is no reason to change anything, but one to ask before a row goes with its parent.
    let guesses = report.guesses.guesses.iter().map(|g| g.as_relation(&report.schema));
    let all = report.relations.relations().iter().cloned().chain(guesses).collect();
    let all = Graph::from_relations(&report.schema, all);
    let fates = Fates::new(&report.schema, &all, how.clone());
    let fate = fates.of(root).ok_or_else(|| ErrorKind::partition(root, &report.schema))?;
    let broken = fates.broken(root);
    if asked.selection.only.is_empty() {
        report.findings.retain(|f| plan::fixes_broken(f, &broken));
    }
    let unhelped = plan::unhelped(&fate, &broken, &report.findings);
    report.findings.extend(unhelped);
    report.findings.extend(plan::repairs(&fate));
    Ok((fate, how))
}

/// Tells whether something still stops deletes that were asked to succeed.
fn is_missed(plan: &Plan, report: &Report) -> bool {
    let stops = |reason: &plan::Reason| {
        let same = |f: &&Finding| f.rule == reason.rule && f.fingerprint == reason.fingerprint;
        report.findings.iter().find(same).is_some_and(|f| f.severity == Severity::Error)
    };
    plan.still_fails.is_some() || plan.refused.iter().any(|r| stops(&r.reason))
}

/// Returns the guesses that count as accepted and that a plan makes keys of.
pub(super) fn accepted(plan: &Plan, report: &Report) -> Vec<ConfiguredRelation> {
    let is_made = |r: &&ConfiguredRelation| {
        plan.steps.iter().flat_map(|s| &s.changes).any(|change| match change {
            Change::AddForeignKey { table, foreign_key: key } => {
                (table, &key.columns, &key.parent) == (&r.child, &r.columns, &r.parent)
            }
            _ => false,
        })
    };
    report.guesses.relations.iter().filter(is_made).cloned().collect()
}

/// Returns what a plan is made from.
pub(super) fn input_of<'a>(
    report: &'a Report,
    settings: &'a Settings,
    definitions: Option<&'a Definitions>,
    options: &'a plan::Options,
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
fn about(selection: &Selection, root: Option<&TableName>, report: &Report) -> Vec<Guess> {
    let globs: Vec<_> = selection.tables.iter().map(globset::Glob::compile_matcher).collect();
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
fn every_relation_is_there(options: &plan::Options, report: &Report) -> Result<(), Error> {
    let missing = options
        .orphans_of
        .iter()
        .find(|(subject, _)| !report.relations.relations().iter().any(|r| plan::names_relation(subject, r)));
    let Some((subject, _)) = missing else { return Ok(()) };
    Err(Error::asked(format!("--orphans {subject}=… matches no relation"))
        .hint("a relation is written child.column, or child.column->parent.column; `referee graph SOURCE` lists them"))
}

/// Reads the texts of a SQLite database's objects, which a rebuilt table keeps: from the database, or from what SQLite makes
/// of the files.
fn definitions(input: &mut Input) -> Result<Option<Definitions>, Error> {
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
) -> Result<Option<Definitions>, Error> {
    if !engine.facts().alter.rebuilds || history.migrations.is_empty() {
        return Ok(None);
    }
    let up = |m: &Migration| history.files.get(m.up.file).map(|f| m.up.span.of(&f.text));
    Definitions::from_sql(history.migrations.iter().filter_map(up)).map(Some).map_err(|error| {
        Error::asked(format!("SQLite does not run {label} as it is: {}", error.message))
            .hint("a table can only be rebuilt from its exact text: name the database itself")
    })
}
