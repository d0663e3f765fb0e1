//! A database, held against a plan that was carried out.

use std::collections::BTreeSet;
use std::fmt;

use super::error::{Error, ErrorKind, Wanted};
use super::model::{Note, Selection};
use super::settings::table;
use crate::audit::{self, Guesses, Report};
use crate::config::Config;
use crate::engine::EngineErrorKind;
use crate::fate::{Effect, Fate, Fates, Options as FateOptions};
use crate::job::Context;
use crate::plan::Plan;
use crate::relations::Graph;
use crate::schema::{Schema, TableName};
use crate::source::{History, Input};
use crate::verify::{self, Deleting, Judged, Verification};

/// What is to be held against which plan.
#[non_exhaustive]
pub struct Request<'p> {
    /// The database as it is.
    pub input: Input,
    /// The plan.
    pub plan: &'p Plan,
    /// What the plan was made from: which rules, which tables.
    pub selection: Selection,
    /// What `referee.toml` says.
    pub config: Config,
    /// The table whose deletes the plan was to make succeed, if it was made for that.
    pub root: Option<String>,
}

impl<'p> Request<'p> {
    /// Asks for everything.
    pub fn new(input: Input, plan: &'p Plan) -> Self {
        Self { input, plan, selection: Selection::default(), config: Config::default(), root: None }
    }

    /// Tells what a delete of a row of the table comes to, before the plan and now.
    fn deleting(&self, before: &Report, after: &Report, typed: &str) -> Result<Option<Deleting>, Error> {
        let root = table(&after.schema, typed)?.name.clone();
        let declared = |report: &Report| self.delete(report, &report.relations, &root);
        let (Some(was), Some(is)) = (declared(before), declared(after)) else { return Ok(None) };
        let if_guessed = self.if_guessed(after, &root, &is);
        let (before, after) = (was.verdict.to_string(), is.verdict.to_string());
        Ok(Some(Deleting { root, before, after, if_guessed, summary: is.summary }))
    }

    /// Says what a delete comes to if what is only guessed is true; `None` if it comes to the same.
    fn if_guessed(&self, report: &Report, root: &TableName, known: &Fate) -> Option<String> {
        let guesses = report.guesses.guesses.iter().map(|g| g.as_relation(&report.schema));
        let all = report.relations.relations().iter().cloned().chain(guesses).collect();
        let fate = self.delete(report, &Graph::from_relations(&report.schema, all), root)?;
        let left = |f: &Fate| f.relations.iter().filter(|r| r.effect == Effect::LeavesOrphans).count();
        let relations = match left(&fate).saturating_sub(left(known)) {
            1 => "the 1 guessed relation is true".to_string(),
            count => format!("the {count} guessed relations are true"),
        };
        (fate.verdict != known.verdict).then(|| format!("{} if {relations}", fate.verdict))
    }

    fn delete(&self, report: &Report, relations: &Graph, root: &TableName) -> Option<Fate> {
        let demands = self.selection.settings(&self.config).demands(&report.schema, &report.relations);
        let foreign_keys = self.selection.enforced(&self.config);
        let how = FateOptions { foreign_keys, demands, ..FateOptions::default() };
        Fates::new(&report.schema, relations, how).of(root)
    }

    /// Runs the rules over a schema, without rows: on both sides alike.
    fn judge(&self, schema: &Schema, context: &Context) -> Result<Report, Error> {
        let input = Input {
            label: self.input.label.clone(),
            schema: schema.clone(),
            session: None,
            history: History::default(),
            hints: Vec::new(),
        };
        let mut options = self.selection.options(&self.config, &input, false, &mut Vec::new())?;
        // No plan is made for a guess, and none is to blame for one.
        options.guesses = Guesses::SetAside { accept: None };
        Ok(audit::audit(input, options, &context.silent())?)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("source", &self.input.label).finish_non_exhaustive()
    }
}

/// What a verification came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// What was looked at, and what was seen.
    pub verification: Verification,
    /// What is to be heard beside it.
    pub notes: Vec<Note>,
}

/// Holds a database against a plan. It only reads.
///
/// # Errors
/// The source is no database, or not the one that the plan was made for; what the database says to a query.
pub fn verify(mut request: Request<'_>, context: &Context) -> Result<Response, Error> {
    let (plan, label) = (request.plan, request.input.label.clone());
    let now = &request.input.schema;
    if now.engine != plan.engine {
        return Err(ErrorKind::OtherEngine { plan: plan.engine, found: now.engine }.into());
    }
    let another = |table: &TableName| ErrorKind::OtherDatabase { label: label.clone(), table: table.clone() };
    let gone = missing(plan, now);
    // Of one table it may be true that somebody dropped it.
    if let Some(table) = gone.first().filter(|_| gone.len() == changed(plan).len()) {
        return Err(another(table).into());
    }
    let (before, after) = (request.judge(&plan.before, context)?, request.judge(now, context)?);
    let Some(mut session) = request.input.session.take() else {
        return Err(ErrorKind::NoDatabase { label, wanted: Wanted::Verification }.into());
    };
    let questions = verify::questions(session.dialect(), &request.input.schema, &request.config.policies());
    let judged = Judged { before: &before.findings, after: &after.findings };
    let mut verification = verify::verify(plan, &after.schema, judged, &questions, &mut |sql| session.query(sql))
        .map_err(|error| match missing(plan, &after.schema).first() {
            Some(table) if error.kind == EngineErrorKind::Gone => another(table).into(),
            _ => Error::from(error),
        })?;
    if let Some(typed) = &request.root {
        verification.delete = request.deleting(&before, &after, typed)?;
    }
    Ok(Response { verification, notes: Vec::new() })
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
