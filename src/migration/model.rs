//! What files are made from and what comes out: the folder, the files, and what one file does. It uses no other file of this
//! folder.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::change::Change;
use crate::plan::{Down, Guard, Script, Step};

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
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
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

/// What one file does.
pub(super) struct Unit<'p> {
    /// What tells it from the others of the plan, for its name: `1_indexes`. Empty if it is the only one.
    pub slug: String,
    /// The steps, in order.
    pub steps: Vec<Part<'p>>,
    /// Whether the tool wraps it in a transaction.
    pub transaction: bool,
    /// The script that is run by hand before, if there is one.
    pub by_hand: Option<String>,
}

impl<'p> Unit<'p> {
    /// Makes one of steps.
    pub(super) fn new(steps: Vec<Part<'p>>, transaction: bool) -> Self {
        Self { slug: String::new(), steps, transaction, by_hand: None }
    }
}

/// A step and the script that does it here.
pub(super) struct Part<'p> {
    pub step: Cow<'p, Step>,
    /// What it has to do with the script that is run by hand before.
    pub hand: Hand,
}

/// What a step of a file has to do with the script that is run by hand before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    /// Nothing.
    Apart,
    /// It does the same at the price of locks, and nothing where the script has been run.
    Fallback,
    /// It only looks whether the script has been run.
    Needed,
}

/// Tells whether a step adds a foreign key, which locks two tables.
pub(super) fn adds_key(step: &Step) -> bool {
    step.changes.iter().any(|c| matches!(c, Change::AddForeignKey { .. } | Change::ReplaceForeignKey { .. }))
}

/// Returns what undoes a step; why not, if nothing does.
pub(super) fn down(step: &Step) -> Result<(&Script, &[Guard]), &str> {
    match &step.down {
        Down::Script { script, guards } => Ok((script, guards)),
        Down::Impossible(why) => Err(why),
    }
}
