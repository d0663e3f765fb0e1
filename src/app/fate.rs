//! What becomes of every table when a row of one is deleted.

use std::fmt;

use super::error::{Error, ErrorKind, Wanted};
use super::job::{check, noting};
use super::model::{Note, Selection};
use super::settings::{relations, table};
use crate::audit::Failure;
use crate::config::Config;
use crate::engine::{EngineError, EngineErrorKind, Reader, Value};
use crate::fate::{Blocked, Counted, Fate, Fates, Goal, Impact, Options, Rank, TableImpact};
use crate::job::{Context, Event};
use crate::relations::Graph;
use crate::schema::{Engine, RowFilter, Schema, Table, TableName};
use crate::source::Input;

/// Which delete is asked about.
#[non_exhaustive]
pub struct Request {
    /// What was opened.
    pub input: Input,
    /// The table that a row is deleted from; `None` for each table in turn.
    pub table: Option<String>,
    /// Which rows are deleted, as the condition of a `WHERE`; needs a table. Asks how many rows go with them.
    pub rows: Option<String>,
    /// Whether those rows are counted; without it they are the engine's estimates. Needs `rows`.
    pub count: bool,
    /// What the proposed fix is to reach.
    pub goal: Goal,
    /// SQLite: whether the application runs `PRAGMA foreign_keys = ON`; `None` for what the configuration says, or yes.
    pub foreign_keys: Option<bool>,
    /// From which confidence on (0 to 1) a guessed relation counts; `None` for the configuration's, or 0.5.
    pub min_confidence: Option<f64>,
    /// What `referee.toml` says.
    pub config: Config,
}

impl Request {
    /// Asks about every table in turn.
    pub fn new(input: Input) -> Self {
        Self {
            input,
            table: None,
            rows: None,
            count: false,
            goal: Goal::default(),
            foreign_keys: None,
            min_confidence: None,
            config: Config::default(),
        }
    }

    /// Asks about deletes from one table.
    pub fn of(input: Input, table: &str) -> Self {
        Self { table: Some(table.to_string()), ..Self::new(input) }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("source", &self.input.label).field("table", &self.table).finish_non_exhaustive()
    }
}

/// What deletes come to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The source's engine.
    pub engine: Engine,
    /// The source, as a person knows it.
    pub label: String,
    /// What deletes come to.
    pub answer: Answer,
    /// The tables whose rows could not be counted.
    pub failures: Vec<Failure>,
    /// What is to be heard beside it.
    pub notes: Vec<Note>,
}

/// What deletes come to, from every table or from one.
#[derive(Debug)]
pub enum Answer {
    /// From each table in turn, the worst first.
    Every(Vec<Rank>),
    /// From one.
    One {
        /// What becomes of every table.
        fate: Box<Fate>,
        /// How many rows that is in each, if that was asked.
        counted: Option<Vec<Counted>>,
    },
}

/// Tells what becomes of every table when rows are deleted.
///
/// # Errors
/// No such table; a condition that the database does not read; rows that nothing can count.
pub fn fate(request: Request, context: &Context) -> Result<Response, Error> {
    let (mut response, notes) = noting(|notes| carry_out(request, context, notes))?;
    response.notes = notes;
    Ok(response)
}

fn carry_out(request: Request, context: &Context, notes: &mut Vec<Note>) -> Result<Response, Error> {
    let Request { mut input, table: typed, rows, count, goal, foreign_keys, min_confidence, config } = request;
    let root = typed.as_deref().map(|typed| table(&input.schema, typed)).transpose()?;
    let root = root.map(|table| table.name.clone());
    let selection = Selection { foreign_keys, min_confidence, ..Selection::default() };
    let declared = relations(&config, &input.schema, notes);
    let graph = Graph::with_hints(&input.schema, &declared, &input.hints, selection.threshold(&config));
    notes.extend(Note::configuration(config.unused_tables(&input.schema)));
    let demands = selection.settings(&config).demands(&input.schema, &graph);
    let options = Options { foreign_keys: selection.enforced(&config), demands, goal, unread: input.history.unread() };
    let fates = Fates::new(&input.schema, &graph, options);
    let mut failures = Vec::new();
    let answer = match root {
        None => Answer::Every(fates.rank()),
        Some(root) => {
            // Rows are counted in the whole table.
            let partition = fates.of_partition(&root).filter(|_| rows.is_none());
            let fate = fates.of(&root).or(partition).ok_or_else(|| ErrorKind::partition(&root, &input.schema))?;
            let fate = Box::new(fate);
            let counted = match &rows {
                Some(condition) => {
                    let (session, label) = (input.session.as_deref_mut(), input.label.as_str());
                    let mut counting = Counting { schema: &input.schema, session, label, context, notes };
                    Some(counting.of(&fates, &root, condition, count)?)
                }
                None => None,
            };
            failures.extend(counted.iter().flatten().filter_map(|c| failure(c, &input.schema)));
            Answer::One { fate, counted }
        }
    };
    Ok(Response { engine: input.schema.engine, label: input.label.clone(), answer, failures, notes: Vec::new() })
}

const PERMISSION: &str = "GRANT SELECT on the table, and USAGE on its schema, to this user";

fn failure(table: &Counted, schema: &Schema) -> Option<Failure> {
    let message = table.uncounted.clone()?;
    let hidden = schema.tables.iter().find_map(|t| t.row_filter.as_ref());
    let hint = hidden.map_or(PERMISSION, RowFilter::remedy);
    Some(Failure { what: format!("count rows of {}", table.table), message, hint: Some(hint.to_string()) })
}

/// Counting the rows of a delete.
struct Counting<'a> {
    schema: &'a Schema,
    session: Option<&'a mut (dyn Reader + 'static)>,
    label: &'a str,
    context: &'a Context,
    notes: &'a mut Vec<Note>,
}

impl Counting<'_> {
    /// Counts the rows that a delete of some rows takes with it, and those that the proposed fix adds.
    fn of(&mut self, fates: &Fates<'_>, root: &TableName, condition: &str, exact: bool) -> Result<Vec<Counted>, Error> {
        let Some(impact) = fates.impact(root, Some(condition)) else {
            return Err(Error::asked(format!("the rows of `{root}`, or of a table below it, have no key"))
                .hint("a primary key or a unique key over NOT NULL columns makes them countable"));
        };
        let after = fates.impact_after_fix(root, Some(condition)).filter(|_| exact);
        self.check(condition, &impact)?;
        let mut counted = if exact { self.count(&impact)? } else { estimates(&impact)? };
        if let Some(after) = after {
            add_newly_deleted(&mut counted, self.count(&after)?);
        }
        Ok(counted)
    }

    /// Has the database read the condition, whether rows are counted or not: one that it cannot read must not go unnoticed.
    fn check(&mut self, condition: &str, impact: &Impact) -> Result<(), Error> {
        let Some(session) = &mut self.session else {
            self.notes.push(Note::warning(
                format!("--where was not checked: {} is not a database", self.label),
                Some("name the database itself to have the condition checked"),
            ));
            return Ok(());
        };
        let root = impact.tables.iter().find(|t| t.table == impact.root).and_then(|t| t.deleted.as_ref());
        let of_table = || format!("SELECT 1 FROM {} WHERE ({condition}\n)", session.dialect().table(&impact.root));
        let sql = root.map_or_else(of_table, |rows| rows.select("1"));
        match session.query(&format!("{sql}\nLIMIT 0")) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, EngineErrorKind::Gone | EngineErrorKind::Statement) => {
                Err(Error::asked(format!("--where {condition}: {}", error.message))
                    .hint(format!("`referee schema SOURCE` lists the columns of `{}`", impact.root)))
            }
            Err(error) if error.kind == EngineErrorKind::Permission => {
                let what = format!("--where was not checked: {}", error.message);
                self.notes.push(Note::warning(what, error.hint.as_deref()));
                Ok(())
            }
            Err(error) => Err(uncounted(&impact.root, error).into()),
        }
    }

    /// Counts the rows of each table. A table whose rows cannot be looked at, all of them, has no number; the others are counted.
    fn count(&mut self, impact: &Impact) -> Result<Vec<Counted>, Error> {
        let Some(session) = &mut self.session else {
            let label = self.label.to_string();
            return Err(ErrorKind::NoDatabase { label, wanted: Wanted::Counts }.into());
        };
        let mut counted = Vec::new();
        for table in &impact.tables {
            check(self.context)?;
            self.context.tell(&Event::Part { what: &table.table.to_string() });
            counted.push(match table.counted(|sql| number(*session, sql)) {
                Ok(counted) => counted,
                Err(error) if error.kind == EngineErrorKind::Permission => {
                    uncounted_yet(table, Some(hidden(self.schema, &error)))
                }
                Err(error) => return Err(uncounted(&table.table, error).into()),
            });
        }
        add_blocking(&mut counted, impact, &mut |table, sql| {
            check(self.context)?;
            match number(*session, sql) {
                Ok(rows) => Ok(Some(rows)),
                Err(error) if error.kind == EngineErrorKind::Permission => Ok(None),
                Err(error) => Err(uncounted(table, error).into()),
            }
        })?;
        Ok(counted)
    }
}

fn number(session: &mut dyn Reader, sql: &str) -> Result<u64, EngineError> {
    let rows = session.query(sql)?;
    let first = rows.rows.first().and_then(|r| r.first()).and_then(Value::integer);
    Ok(first.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}

/// Puts the engine's estimates beside the tables.
fn estimates(impact: &Impact) -> Result<Vec<Counted>, Error> {
    let mut counted = impact.tables.iter().map(|t| uncounted_yet(t, None)).collect();
    add_blocking(&mut counted, impact, &mut |_, _| Ok(None))?;
    Ok(counted)
}

/// A table without counts, and why if they were asked for.
fn uncounted_yet(table: &TableImpact, uncounted: Option<String>) -> Counted {
    Counted {
        table: table.table.clone(),
        depth: table.depth,
        deleted: None,
        updated: None,
        orphaned: None,
        estimate: table.estimate,
        uncounted,
        blocking: Vec::new(),
        newly_deleted: None,
    }
}

/// Adds what goes in addition once the automatic changes are made.
fn add_newly_deleted(counted: &mut Vec<Counted>, then: Vec<Counted>) {
    for after in then {
        let Some(deleted) = after.deleted else { continue };
        match counted.iter_mut().find(|c| c.table == after.table) {
            Some(now) => now.newly_deleted = Some(deleted.saturating_sub(now.deleted.unwrap_or(0))),
            None => counted.push(Counted {
                deleted: None,
                updated: None,
                orphaned: None,
                blocking: Vec::new(),
                newly_deleted: Some(deleted),
                ..after
            }),
        }
    }
}

/// Says of which table the rows were not counted in time; other errors say it themselves.
fn uncounted(table: &TableName, error: EngineError) -> EngineError {
    if error.kind != EngineErrorKind::Timeout {
        return error;
    }
    let message = format!("could not count the rows of {table}: {}", error.message);
    EngineError { message, ..error }
}

/// Counts rows of a table by a query; `None` where it may not.
type Count<'c> = dyn FnMut(&TableName, &str) -> Result<Option<u64>, Error> + 'c;

/// Adds the rows that block the delete; `count` runs a query, or tells that it may not.
fn add_blocking(counted: &mut Vec<Counted>, impact: &Impact, count: &mut Count<'_>) -> Result<(), Error> {
    for blocking in &impact.blocking {
        let rows = match &blocking.sql {
            Some(sql) => count(&blocking.table, sql)?,
            None => None,
        };
        let blocked = Blocked { relation: blocking.relation.clone(), rows, exact: blocking.exact };
        match counted.iter_mut().find(|c| c.table == blocking.table) {
            Some(known) => known.blocking.push(blocked),
            None => counted.push(Counted {
                table: blocking.table.clone(),
                depth: None,
                deleted: None,
                updated: None,
                orphaned: None,
                estimate: blocking.estimate,
                blocking: vec![blocked],
                uncounted: None,
                newly_deleted: None,
            }),
        }
    }
    Ok(())
}

/// Says which table's rows are hidden, and by what: the server names the table without its schema.
fn hidden(schema: &Schema, error: &EngineError) -> String {
    let named = |t: &&Table| error.filtered.as_deref() == Some(t.name.name.as_str());
    let found = schema.tables.iter().filter(named).find_map(|t| Some(t.row_filter.as_ref()?.what(&t.name)));
    found.unwrap_or_else(|| error.message.clone())
}
