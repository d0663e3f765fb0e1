//! A plan becomes files that a migration tool runs: in its folder, by its names, with its marks.
//!
//! Pure: what the folder holds is handed in, what is to be written comes out. One table of tools; what a tool does not allow
//! (statements outside of a transaction, a way back) is either left to a script that is run by hand before, or said.

mod atlas;
mod drizzle;
mod json;
mod marks;
mod numbers;
mod snapshot;
mod text;
mod tools;
mod unit;

use std::collections::BTreeMap;

use crate::plan::{Plan, Step};
use crate::schema::Engine;

pub use tools::{TOOLS, Tool, find};

/// The files that a folder holds: paths under it with `/` between their parts, and their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// The files.
    pub files: BTreeMap<String, String>,
}

/// What is told beside the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What the migration is called: `fix_references`.
    pub name: String,
    /// The time as tools write it into names: fourteen digits, `20260131235959` (UTC).
    pub digits: String,
    /// The same time in milliseconds since 1970.
    pub millis: u64,
}

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The files, in the order in which they are run.
    pub files: Vec<OutputFile>,
    /// What a person has to know: what to run by hand, what the tool cannot undo.
    pub notes: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its path under the folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether it takes the place of one that is there (a journal, a sum).
    pub replaces: bool,
}

impl OutputFile {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), replaces: false }
    }
}

/// A plan that cannot be written for a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum MigrationError {
    #[error("the plan has no steps: there is nothing to write")]
    Nothing,
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
    #[error("{path} is there already")]
    Exists { path: String },
    #[error("{path} has no number: what is written could not be made to run after it")]
    Unnumbered { path: String },
    #[error("{tool} runs every file in a transaction, and there it cannot be done: {why}")]
    InTransaction { tool: &'static str, why: String },
    #[error("{tool} would take `{line}` for a mark of its own, and it is part of a statement: {title}")]
    Mark { tool: &'static str, line: String, title: String },
}

/// Returns the line that has the engine's own client (psql, sqlite3) stop at the first error; `None` where it does so by itself.
pub fn stops_at_errors(engine: Engine) -> Option<&'static str> {
    tools::stops_at_errors(engine)
}

/// Writes one step of a plan for the engine's own client (psql, sqlite3): comments that say what and why, checks that stop it,
/// the statements.
pub fn script(plan: &Plan, step: &Step) -> String {
    tools::by_client(plan, vec![step], text::up)
}

/// Writes a plan for a tool.
///
/// # Errors
/// The plan is empty; a file that is needed (a journal) cannot be read; a file would be written over; the tool's transaction
/// rules the change out; a statement holds what the tool takes for a mark of its own.
pub fn write(plan: &Plan, tool: &'static Tool, folder: &Folder, options: &Options) -> Result<Output, MigrationError> {
    if plan.steps.is_empty() {
        return Err(MigrationError::Nothing);
    }
    let output = tools::write(plan, tool, folder, options)?;
    let taken = output.files.iter().find(|f| !f.replaces && folder.files.contains_key(&f.path));
    taken.map_or(Ok(()), |f| Err(MigrationError::Exists { path: f.path.clone() }))?;
    Ok(output)
}
