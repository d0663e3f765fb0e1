//! Finds and counts orphans, one relation at a time.
//!
//! The database does the work: one anti-join for each relation, as [`crate::rows`] writes it. A relation that cannot be asked does
//! not stop the others.

use std::collections::BTreeMap;

use crate::engine::{EngineError, EngineErrorKind, Reader, Value};
use crate::job::{Context, Event};
use crate::relations::{Graph, Relation};
use crate::rows::RelationRows;
use crate::schema::facts::SetDefault;
use crate::schema::{Action, Schema, Table};

/// What the rows say of every relation that was looked at.
#[derive(Debug, Default)]
pub struct Scan {
    /// One outcome for each relation of the graph, in the graph's order.
    pub outcomes: Vec<Outcome>,
    /// By the number of a foreign key's relation in the graph: whether there is the row that it refers to after SET DEFAULT.
    pub defaults: BTreeMap<usize, Result<DefaultParent, EngineError>>,
}

/// Whether there is the parent row that the defaults of a foreign key's columns refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultParent {
    /// The defaults.
    pub values: Vec<String>,
    /// Whether the parent has any row at all.
    pub any: bool,
    /// Whether it has that one.
    pub there: bool,
    /// The query that told, runnable as it is.
    pub query: String,
}

/// What became of one relation's scan.
#[derive(Debug)]
pub enum Outcome {
    /// The rows were read.
    Counted(Orphans),
    /// It could not be asked: the parent or a column is missing. The text says which.
    Skipped(String),
    /// The engine refused: a table one may not read, or not whole, a time-out.
    Failed(EngineError),
}

/// The orphans of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// How many child rows have no parent row.
    pub count: u64,
    /// Some of the values that refer to nothing, each a row of the child's columns as text, sorted.
    pub samples: Vec<Vec<String>>,
    /// The query that counted them, runnable as it is.
    pub query: String,
}

/// How a scan is done.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// How many sample keys are read for each relation with orphans.
    pub samples: u32,
}

/// Says why a relation's orphans cannot be counted; `None` if they can.
pub fn obstacle(schema: &Schema, relation: &Relation) -> Option<String> {
    let Some(child) = schema.table(&relation.child) else {
        return Some(format!("there is no table `{}`", relation.child));
    };
    if relation.columns.is_empty() {
        return Some(format!("the columns of `{}` that refer to `{}` are not known", relation.child, relation.parent));
    }
    let missing = |table: &Table, columns: &[String]| {
        let column = columns.iter().find(|c| table.column(c).is_none())?;
        Some(format!("`{}` has no column `{column}`", table.name))
    };
    if let Some(text) = missing(child, &relation.columns) {
        return Some(text);
    }
    // Of rows that refer to a table which is not there nothing is known: it may have been renamed with all its rows.
    let Some(parent) = schema.table(&relation.parent) else {
        return Some(format!("there is no table `{}`", relation.parent));
    };
    if relation.parent_columns.len() != relation.columns.len() {
        return Some(format!(
            "which columns of `{}` are meant by `{}` cannot be told",
            relation.parent,
            relation.child_side()
        ));
    }
    if relation.foreign_key().is_some_and(|k| k.temporal) {
        return Some("a key with PERIOD asks whether periods cover each other, which is not counted".to_string());
    }
    missing(parent, &relation.parent_columns)
}

/// Says what of two tables may not be read, or not whole; `None` if what the relation is about may.
fn unreadable(session: &dyn Reader, schema: &Schema, relation: &Relation) -> Option<EngineError> {
    let sides = [(&relation.child, &relation.columns), (&relation.parent, &relation.parent_columns)];
    let sides: Vec<(&Table, &Vec<String>)> =
        sides.into_iter().filter_map(|(name, columns)| Some((schema.table(name)?, columns))).collect();
    if let Some((table, columns)) = sides.iter().find_map(|(t, columns)| Some((t, t.unreadable(*columns)?))) {
        return Some(not_granted(session, schema, table, &columns));
    }
    let (table, filter) = sides.iter().find_map(|(t, _)| Some((t, t.row_filter.as_ref()?)))?;
    let message = format!("{}, so the rows were not looked at", filter.what(&table.name));
    Some(EngineError::new(EngineErrorKind::Permission, message).hint(filter.remedy()))
}

/// Says which privilege is missing, and what grants it; on the whole table if no column is named.
fn not_granted(session: &dyn Reader, schema: &Schema, table: &Table, columns: &[&str]) -> EngineError {
    let dialect = session.dialect();
    let written = dialect.qualified_table(&table.name, schema);
    let to = session.user().map_or_else(|| "…".to_string(), |user| dialect.identifier(user));
    let names: Vec<String> = columns.iter().map(|c| dialect.identifier(c)).collect();
    let names = names.join(", ");
    let (missing, grant) = match columns.len() {
        0 => (written.clone(), format!("GRANT SELECT ON {written} TO {to}")),
        n => {
            let word = if n == 1 { "column" } else { "columns" };
            (format!("{written} ({word} {names})"), format!("GRANT SELECT ({names}) ON {written} TO {to}"))
        }
    };
    let usage = table.name.schema.as_ref().filter(|_| columns.is_empty());
    let usage =
        usage.map_or_else(String::new, |s| format!("GRANT USAGE ON SCHEMA {} TO {to}; ", dialect.identifier(s)));
    EngineError::new(EngineErrorKind::Permission, format!("no SELECT on {missing}"))
        .hint(format!("let the owner run `{usage}{grant}`"))
}

/// Counts the orphans of every relation; each is a [`Event::Part`].
///
/// Stops early only when the user stops it or the connection is gone; what is left is then skipped.
pub fn scan(
    session: &mut dyn Reader,
    schema: &Schema,
    graph: &Graph,
    options: &ScanOptions,
    context: &Context,
) -> Scan {
    let mut result = Scan::default();
    let mut stopped = false;
    for (number, relation) in graph.relations().iter().enumerate() {
        if stopped {
            result.outcomes.push(Outcome::Skipped("the scan ended before its turn".to_string()));
            continue;
        }
        context.tell(&Event::Part { what: &relation.child_side() });
        let outcome = one(session, schema, relation, options);
        stopped = matches!(&outcome, Outcome::Failed(e) if e.kind.ends_the_job());
        if matches!(outcome, Outcome::Counted(_))
            && let Some(found) = default_parent(session, schema, relation)
        {
            stopped = matches!(&found, Err(e) if e.kind.ends_the_job());
            result.defaults.insert(number, found);
        }
        result.outcomes.push(outcome);
    }
    result
}

fn one(session: &mut dyn Reader, schema: &Schema, relation: &Relation, options: &ScanOptions) -> Outcome {
    if let Some(why) = obstacle(schema, relation) {
        return Outcome::Skipped(why);
    }
    if let Some(error) = unreadable(session, schema, relation) {
        return Outcome::Failed(error);
    }
    match count(session, schema, relation, options) {
        Ok(orphans) => Outcome::Counted(orphans),
        Err(error) => Outcome::Failed(error),
    }
}

/// Asks for the row that a key refers to once it has set its columns to their defaults; `None` where it does not, or they are not
/// all plain values.
fn default_parent(
    session: &mut dyn Reader,
    schema: &Schema,
    relation: &Relation,
) -> Option<Result<DefaultParent, EngineError>> {
    let key = relation.foreign_key().filter(|key| key.is_active())?;
    let carried_out = schema.engine.facts().keys.set_default == SetDefault::CarriedOut;
    let set_by_delete = key.on_delete == Action::SetDefault && key.changed_columns().len() == key.columns.len();
    if !carried_out || !(set_by_delete || key.on_update == Action::SetDefault) {
        return None;
    }
    let child = schema.table(&relation.child)?;
    let value = |column: &String| {
        let column = child.column(column).filter(|c| c.generated.is_none() && !c.auto_number)?;
        column.literal_default().map(str::to_string)
    };
    let values: Vec<String> = key.columns.iter().map(value).collect::<Option<_>>()?;
    let query = RelationRows::of(session.dialect(), schema, relation).is_parent(&values);
    let asked = session.query(&query);
    Some(asked.map(|rows| {
        let first = rows.rows.first();
        let is = |at: usize| first.and_then(|row| row.get(at)).and_then(Value::integer) == Some(1);
        DefaultParent { any: is(0), there: is(1), values, query }
    }))
}

fn count(
    session: &mut dyn Reader,
    schema: &Schema,
    relation: &Relation,
    options: &ScanOptions,
) -> Result<Orphans, EngineError> {
    let dialect = session.dialect();
    let rows_of = RelationRows::of(dialect, schema, relation);
    let query = rows_of.orphans().count();
    let rows = session.query(&query)?;
    let count = rows.rows.first().and_then(|r| r.first()).and_then(Value::integer);
    let count = count.and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        EngineError::new(EngineErrorKind::Statement, "the count of orphans is not a number").sql(query.clone())
    })?;
    let mut samples = Vec::new();
    if count > 0 && options.samples > 0 {
        let rows = session.query(&rows_of.samples(options.samples))?;
        samples = rows.rows.iter().map(|row| row.iter().map(Value::to_string).collect()).collect();
    }
    Ok(Orphans { count, samples, query })
}
