//! Finds and counts orphans, one relation at a time.

use crate::engine::{Dialect, EngineError, Session};
use crate::relations::{Graph, Relation};
use crate::schema::Schema;

/// What the rows say of every relation that was looked at.
#[derive(Debug, Default)]
pub struct Scan {
    /// One outcome for each relation of the graph, in the graph's order.
    pub outcomes: Vec<Outcome>,
}

/// What became of one relation's scan.
#[derive(Debug)]
pub enum Outcome {
    /// The rows were read.
    Counted(Orphans),
    /// It could not be asked: the parent or a column is missing. The text says which.
    Skipped(String),
    /// The engine refused: a table one may not read, a time-out.
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

/// Writes the query that counts a relation's orphans: an anti-join by `NOT EXISTS`.
pub fn orphan_query(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> String {
    let _ = (dialect, schema, relation);
    String::new()
}

/// Writes the query that lists some keys that refer to nothing.
pub fn sample_query(dialect: &dyn Dialect, schema: &Schema, relation: &Relation, limit: u32) -> String {
    let _ = (dialect, schema, relation, limit);
    String::new()
}

/// Counts the orphans of every relation; `progress` is told before each one: how many are done, and the next.
pub fn scan(
    session: &mut dyn Session,
    schema: &Schema,
    graph: &Graph,
    options: &ScanOptions,
    progress: &mut dyn FnMut(usize, &Relation),
) -> Scan {
    let _ = (session, schema, graph, options, progress);
    Scan::default()
}
