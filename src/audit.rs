//! The main job: schema, relations, rows, rules, suppression; a [`Report`] comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::{self, EngineError, LookupPlan, Reader};
use crate::findings::places::Places;
use crate::findings::suppress::{self, Suppressed, Suppression};
use crate::findings::{Finding, Severity, ignores};
use crate::infer::{ReadOptions, RowsRead, Taken};
use crate::job::{Context, Event};
use crate::orphans::{self, Outcome, Scan, ScanOptions};
use crate::relations::{ConfiguredRelation, Graph};
use crate::rules::{self, Rule, Settings, Timeline};
use crate::schema::{Schema, TableName};
use crate::source::{History, Input};

/// What an audit is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Relations that the user declares.
    pub relations: Vec<ConfiguredRelation>,
    /// From which confidence on (0 to 1) an inferred relation counts.
    pub threshold: f64,
    /// What becomes of inferred relations.
    pub guesses: Guesses,
    /// What rules go by.
    pub settings: Settings,
    /// The rules to run.
    pub rules: Vec<&'static Rule>,
    /// Only findings about tables that one of these globs matches are kept; empty for all.
    pub tables: Vec<globset::Glob>,
    /// Whether rows are read; how, if so.
    pub data: Option<ScanOptions>,
    /// How long rows may be read to tell inferred relations from chance, where rows are read at all.
    pub budget: Duration,
    /// Whether the planner is asked about every look-up of child rows.
    pub verify_indexes: bool,
    /// Whether what migrations do is judged, too, not only the schema they lead to. Needs a source of files.
    pub migrations: bool,
    /// What the user does not want to hear about.
    pub suppressions: Vec<Suppression>,
}

/// What becomes of relations that are only inferred.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Guesses {
    /// Rules judge them like others, as far as they can be judged: they are shown, and nothing is changed.
    #[default]
    Judged,
    /// They are set aside, because something is to be changed by what is found: no finding rests on one.
    SetAside {
        /// Those that are at least so sure (0 to 1) are not set aside, but count as accepted.
        accept: Option<f64>,
    },
}

/// What an audit found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The source, as a person knows it; without password.
    pub source: String,
    /// The schema that was judged.
    pub schema: Schema,
    /// How it came to be, for a source of files.
    pub history: History,
    /// Its relations.
    pub relations: Graph,
    /// Of the inferred relations that were to be set aside: which count as accepted, and which do not.
    pub guesses: Taken,
    /// How many rows were read to tell inferred relations from chance, if rows were read.
    pub rows_read: Option<RowsRead>,
    /// What the rows say of each relation, if they were read.
    pub scan: Option<Scan>,
    /// The findings, sorted by table, columns, code.
    pub findings: Vec<Finding>,
    /// The findings that were suppressed.
    pub suppressed: Vec<Suppressed>,
    /// The suppressions that were given.
    pub suppressions: Vec<Suppression>,
    /// Those of them, by position, that were about nothing. Only told when every rule ran on every table.
    pub unused_suppressions: Vec<usize>,
    /// What could not be done: the audit is incomplete.
    pub failures: Vec<Failure>,
}

/// A part of an audit that could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What could not be done: `count orphans of orders.customer_id`.
    pub what: String,
    /// Why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How many of the relations that were not counted for one reason are named.
const NAMED: usize = 5;

impl Failure {
    fn new(what: String, error: &EngineError) -> Self {
        Self { what, message: error.message.clone(), hint: error.hint.clone() }
    }

    /// Says which relations' orphans were not counted: once for each reason, which is often a table that many refer to.
    fn of_orphans(uncounted: &[(String, &EngineError)]) -> Vec<Self> {
        let reason = |error: &EngineError| (error.message.clone(), error.hint.clone());
        let mut reasons: Vec<(&EngineError, Vec<&str>)> = Vec::new();
        for (side, error) in uncounted {
            match reasons.iter_mut().find(|(known, _)| reason(known) == reason(error)) {
                Some((_, sides)) => sides.push(side),
                None => reasons.push((error, vec![side])),
            }
        }
        let failure = |(error, sides): (&EngineError, Vec<&str>)| {
            let mut named = sides.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            if sides.len() > NAMED {
                named.push_str(&format!(" and {} more", sides.len() - NAMED));
            }
            Self::new(format!("count orphans of {named}"), error)
        };
        reasons.into_iter().map(failure).collect()
    }
}

impl Report {
    /// Counts the findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.severity == severity).count()
    }

    /// Tells whether a finding is at least so bad.
    pub fn fails_on(&self, severity: Severity) -> bool {
        self.findings.iter().any(|f| f.severity >= severity)
    }
}

/// Audits a database.
///
/// # Errors
/// Only what stops the whole audit: the user's interrupt, a broken connection. A relation whose rows cannot be read is a
/// [`Failure`] in the report.
pub fn audit(input: Input, options: Options, context: &Context) -> Result<Report, EngineError> {
    audit_and_go_on(input, options, context).map(|(report, _)| report)
}

/// Audits a database and returns its session with the report, for who has more to ask.
///
/// # Errors
/// As [`audit`].
pub fn audit_and_go_on(
    mut input: Input,
    options: Options,
    context: &Context,
) -> Result<(Report, Option<Box<dyn Reader>>), EngineError> {
    forget_what_dumps_leave_out(&mut input);
    let (relations, guesses, rows_read) = relations(&mut input, &options, context);
    let mut failures = Vec::new();

    let mut scan = None;
    if let (Some(how), Some(session)) = (&options.data, input.session.as_mut()) {
        context.tell(&Event::Stage { name: "Counting orphans", parts: relations.relations().len() });
        let result = orphans::scan(session.as_mut(), &input.schema, &relations, how, context);
        let ends = |error: &EngineError| EngineError {
            sql: None,
            hint: error.hint.clone(),
            code: error.code.clone(),
            ..EngineError::new(error.kind, error.message.clone())
        };
        let mut uncounted = Vec::new();
        for (relation, outcome) in relations.relations().iter().zip(&result.outcomes) {
            if let Outcome::Failed(error) = outcome {
                if error.kind.ends_the_job() {
                    return Err(ends(error));
                }
                uncounted.push((relation.child_side(), error));
            }
        }
        failures.extend(Failure::of_orphans(&uncounted));
        for (number, found) in &result.defaults {
            let (Err(error), Some(relation)) = (found, relations.relations().get(*number)) else { continue };
            if error.kind.ends_the_job() {
                return Err(ends(error));
            }
            failures.push(Failure::new(format!("look for the default parent of {}", relation.child_side()), error));
        }
        scan = Some(result);
    }

    let mut plans = None;
    if let (true, Some(session)) = (options.verify_indexes, input.session.as_mut()) {
        let wanted: BTreeMap<(TableName, Vec<String>), ()> = relations
            .relations()
            .iter()
            .filter(|r| !r.columns.is_empty())
            .map(|r| ((r.child.clone(), r.columns.clone()), ()))
            .collect();
        context.tell(&Event::Stage { name: "Asking the planner", parts: wanted.len() });
        let mut answers: BTreeMap<(TableName, Vec<String>), LookupPlan> = BTreeMap::new();
        for (table, columns) in wanted.into_keys() {
            let place = crate::relations::side(&table, &columns);
            context.tell(&Event::Part { what: &place });
            let Some(child) = input.schema.table(&table) else { continue };
            match session.lookup_plan(child, &columns) {
                Ok(plan) => {
                    answers.insert((table, columns), plan);
                }
                Err(error) if error.kind.ends_the_job() => {
                    return Err(error);
                }
                Err(error) => {
                    failures.push(Failure::new(format!("ask for the plan of the look-up by {place}"), &error))
                }
            }
        }
        plans = Some(answers);
    }

    let judged = options.migrations && !input.history.steps.is_empty();
    let timeline = judged.then(|| Timeline::new(input.schema.engine, &input.history));
    let judging = rules::Context {
        schema: &input.schema,
        relations: &relations,
        dialect: engine::dialect(input.schema.engine),
        settings: &options.settings,
        scan: scan.as_ref(),
        timeline: timeline.as_ref(),
        plans: plans.as_ref(),
        deletes: rules::Deletes::default(),
    };
    let mut findings = rules::check(options.rules.iter().copied(), &judging);
    if !options.tables.is_empty() {
        let globs: Vec<_> = options.tables.iter().map(globset::Glob::compile_matcher).collect();
        findings.retain(|f| f.subject.table.as_ref().is_some_and(|t| globs.iter().any(|g| g.is_match(t.to_string()))));
    }
    Places::new(&input.history).locate(&mut findings, &input.schema);
    let mut suppressions = options.suppressions;
    suppressions.extend(ignores::find(&input.history, &input.schema));
    let (findings, suppressed, mut unused) = suppress::apply(findings, &suppressions);
    // An ignore of a rule that had nothing to look at is not to blame.
    let looked = |rule: &Rule| (judged || !rule.is_about_migrations()) && (scan.is_some() || !rule.meta.needs_data);
    unused.retain(|&i| suppressions.get(i).and_then(|s| s.rule.as_deref()).and_then(rules::find).is_none_or(looked));
    if options.rules.len() < rules::ALL.len() || !options.tables.is_empty() || !failures.is_empty() {
        unused.clear();
    }
    let report = Report {
        source: input.label,
        schema: input.schema,
        history: input.history,
        relations,
        guesses,
        rows_read,
        scan,
        findings,
        suppressed,
        suppressions,
        unused_suppressions: unused,
        failures,
    };
    Ok((report, input.session))
}

/// Returns the relations that are judged, and what becomes of the others; how many rows were read for it.
fn relations(input: &mut Input, options: &Options, context: &Context) -> (Graph, Taken, Option<RowsRead>) {
    let (schema, hints) = (&input.schema, input.hints.as_slice());
    let (configured, threshold) = (&options.relations, options.threshold);
    let read = ReadOptions { budget: Some(options.budget), ..ReadOptions::default() };
    let session = input.session.as_mut().filter(|_| options.data.is_some());
    if session.is_some() {
        context.tell(&Event::Stage { name: "Reading rows", parts: 1 });
        context.tell(&Event::Part { what: "samples" });
    }
    match (options.guesses, session) {
        (Guesses::SetAside { accept }, session) => {
            let reading = session.map(|s| (s.as_mut() as &mut dyn engine::Reader, &read));
            Graph::settled(schema, configured, hints, threshold, accept, reading)
        }
        (Guesses::Judged, Some(session)) => {
            let (graph, rows) = Graph::with_rows(schema, configured, hints, threshold, session.as_mut(), &read);
            (graph, Taken::default(), Some(rows))
        }
        (Guesses::Judged, None) => (Graph::with_hints(schema, configured, hints, threshold), Taken::default(), None),
    }
}

/// A dump that `pg_dump` wrote never says NO ACTION: that it is not written there tells nothing.
fn forget_what_dumps_leave_out(input: &mut Input) {
    let is_dump = |text: &str| text.contains("SET check_function_bodies = false;");
    let dumps: Vec<bool> = input.history.files.iter().map(|f| is_dump(&f.text)).collect();
    if !dumps.contains(&true) {
        return;
    }
    let origins = &input.history.origins;
    for table in &mut input.schema.tables {
        let name = table.name.clone();
        for key in &mut table.foreign_keys {
            let file = origins.foreign_key(&name, key).map(|k| k.declared.file);
            if key.on_delete_written == Some(false) && file.and_then(|f| dumps.get(f)) == Some(&true) {
                key.on_delete_written = None;
            }
        }
    }
}
