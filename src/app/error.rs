//! Why a job could not be done, and what to do about it.

use std::path::{Path, PathBuf};

use super::model::Note;
use crate::apply::{ApplyError, JournalError};
use crate::config::did_you_mean;
use crate::engine::{EngineError, LockHolder};
use crate::schema::{Engine, Schema, TableName};
use crate::source::SourceError;
use crate::text::{one_line, operand};

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct Error {
    /// What went wrong.
    pub kind: Box<ErrorKind>,
    /// What was to be heard before it did.
    pub notes: Vec<Note>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database says no, or the job was stopped: `EngineErrorKind::Cancelled`, `EngineErrorKind::Deadline`.
    #[error("{0}")]
    Engine(EngineError),
    /// The source cannot be read.
    #[error("{0}")]
    Source(SourceError),
    /// There is no table of that name.
    #[error("there is no table `{table}`")]
    NoSuchTable {
        /// What was asked for.
        table: String,
        /// The tables whose names are near, the nearest first.
        near: Vec<String>,
        /// Whether there are no tables at all.
        empty: bool,
    },
    /// No table's name matches a pattern.
    #[error("no table matches {pattern}")]
    NoTableMatches {
        /// The pattern.
        pattern: String,
        /// The source, as a person knows it.
        label: String,
    },
    /// Every rule is skipped.
    #[error("no rule is left to run: each one is skipped")]
    NoRuleLeft,
    /// The source is no database, and what is wanted needs one.
    #[error("{}", no_database(.label, *.wanted))]
    NoDatabase {
        /// The source, as a person knows it.
        label: String,
        /// What is wanted of it.
        wanted: Wanted,
    },
    /// The table is a partition, and what was asked is known of its whole table alone.
    #[error("`{part}` is a partition of `{whole}`, and this can only be told of the whole table")]
    Partition {
        /// The partition.
        part: TableName,
        /// The table that it is a partition of in the end.
        whole: TableName,
    },
    /// The plan was made for another engine.
    #[error("the plan is for {plan}, the source is {found}")]
    OtherEngine {
        /// The plan's.
        plan: Engine,
        /// The source's.
        found: Engine,
    },
    /// A table that the plan changes is not there.
    #[error("{label} is not the planned database: no table {table}")]
    OtherDatabase {
        /// The source, as a person knows it.
        label: String,
        /// The table.
        table: TableName,
    },
    /// The file that a run is recorded in cannot be used.
    #[error("{0}")]
    Journal(JournalError),
    /// An undo of the recorded run has stopped halfway: what is left of it is known by that record only.
    #[error("an undo of the run in {} stopped with {} to go", .journal.display(), steps(*.left))]
    UndoOpen {
        /// The record.
        journal: PathBuf,
        /// How many steps are not undone.
        left: usize,
    },
    /// The recorded run was cut off, and its plan was made by other options.
    #[error("the run in {} was begun with other options, and its plan is made by them", .journal.display())]
    OtherOptions {
        /// The record.
        journal: PathBuf,
        /// What was asked for then.
        then: Vec<(String, String)>,
        /// What is asked for now.
        now: Vec<(String, String)>,
        /// How many steps are done.
        done: usize,
        /// Of how many.
        steps: usize,
    },
    /// While the plan was looked at, another run began.
    #[error("another run began in {} meanwhile", .journal.display())]
    RunBegan {
        /// The record.
        journal: PathBuf,
    },
    /// The recorded run was cut off, in another database as far as can be told.
    #[error("{}", other_run(.journal, .file.as_deref(), *.known))]
    OtherRun {
        /// The record.
        journal: PathBuf,
        /// The file that is the other database, if it is one.
        file: Option<PathBuf>,
        /// Whether it can be told which database this one is.
        known: bool,
    },
    /// A run stopped.
    #[error("{0}")]
    Stopped(Box<Stopped>),
    /// What is asked for cannot be done.
    #[error("{message}")]
    Asked {
        /// Why.
        message: String,
        /// What to ask for instead.
        hints: Vec<String>,
    },
}

/// Where and why a run stopped.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct Stopped {
    /// Why.
    pub error: ApplyError,
    /// The step it was at, from 0; the ones before it are done.
    pub step: usize,
    /// The sessions that hold the lock which the step did not get.
    pub holders: Vec<LockHolder>,
}

/// What is wanted of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// Its rows, to look for orphans.
    Rows,
    /// Its rows, to count what a delete takes with it.
    Counts,
    /// Its planner, to ask which indexes are used.
    Planner,
    /// The database itself, to hold it against a plan.
    Verification,
    /// The database itself, to carry a plan out.
    Run,
}

fn no_database(label: &str, wanted: Wanted) -> String {
    match wanted {
        Wanted::Rows => format!("{label} holds no rows to read"),
        Wanted::Counts => format!("{label} holds no rows to count"),
        Wanted::Planner => format!("{label} has no planner to ask"),
        Wanted::Verification => format!("{label} is no database, so nothing can be verified"),
        Wanted::Run => format!("{label} is no database, so nothing can be applied to it"),
    }
}

fn other_run(journal: &Path, file: Option<&Path>, known: bool) -> String {
    let journal = journal.display();
    match file.map(|file| one_line(&file.display().to_string())) {
        _ if !known => format!("cannot tell whether the run in {journal} was begun in this database"),
        None => format!("the run in {journal} was begun in another database, and has not ended there"),
        Some(file) => format!(
            "the run in {journal} was begun in another database, and has not ended there: in {file}, which is still there"
        ),
    }
}

fn steps(count: usize) -> String {
    if count == 1 { "1 step".to_string() } else { format!("{count} steps") }
}

impl Error {
    pub(super) fn asked(message: impl Into<String>) -> Self {
        ErrorKind::Asked { message: message.into(), hints: Vec::new() }.into()
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let ErrorKind::Asked { hints, .. } = &mut *self.kind {
            hints.push(hint.into());
        }
        self
    }

    /// Returns what to do about it, the best first.
    pub fn hints(&self) -> Vec<String> {
        self.kind.hints()
    }
}

impl ErrorKind {
    /// Says that a table is a partition.
    pub(super) fn partition(part: &TableName, schema: &Schema) -> Self {
        Self::Partition { part: part.clone(), whole: schema.whole(part).clone() }
    }

    /// Returns what to do about it, the best first.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Engine(error) | Self::Source(SourceError::Engine(error)) => error.hint.iter().cloned().collect(),
            Self::Source(SourceError::Unknown { hint, .. }) => vec![hint.clone()],
            Self::Source(_) => Vec::new(),
            Self::NoSuchTable { empty: true, .. } => vec!["the database has no tables".to_string()],
            Self::NoSuchTable { near, .. } => {
                let near: Vec<&str> = near.iter().map(String::as_str).collect();
                vec![did_you_mean(&near).unwrap_or_else(|| "`referee schema SOURCE` lists the tables".to_string())]
            }
            Self::NoTableMatches { label, .. } => {
                vec![format!("`referee schema {}` lists the tables", operand(label))]
            }
            Self::NoRuleLeft => {
                vec!["look at --only and --skip, and at `only` and `skip` in [audit] of referee.toml".to_string()]
            }
            Self::NoDatabase { .. } => vec!["name the database itself".to_string()],
            Self::Partition { whole, .. } => vec![format!("name the whole table: {}", operand(&whole.to_string()))],
            Self::OtherEngine { .. } | Self::OtherDatabase { .. } => {
                vec!["name the database that the plan was made for".to_string()]
            }
            Self::Journal(error) => vec![
                match error {
                    JournalError::Io { .. } => "name another place: --journal FILE",
                    JournalError::InUse { .. } => "wait for it to end",
                    JournalError::Foreign { .. } => "name another file: --journal FILE",
                    JournalError::Syntax { .. } => {
                        "it is no journal of referee's, or damaged; name another: --journal FILE"
                    }
                }
                .to_string(),
            ],
            Self::UndoOpen { .. } => vec![
                "to give it up, move that file away; rows that are not restored yet stay in their backup tables"
                    .to_string(),
            ],
            Self::OtherOptions { .. } => vec![
                "to give it up for a new plan by what is said now, add --new-plan; what is done stays done".to_string(),
            ],
            Self::RunBegan { .. } => vec!["run the same command again to see what it did".to_string()],
            Self::OtherRun { known: false, .. } => vec![
                "connect as a user who may run pg_control_system(), or give the run up by another file: --journal FILE"
                    .to_string(),
            ],
            Self::OtherRun { .. } => vec![
                "connect to that one to go on with it".to_string(),
                "for this database, name another file: --journal FILE".to_string(),
            ],
            Self::Stopped(_) => Vec::new(),
            Self::Asked { hints, .. } => hints.clone(),
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind: Box::new(kind), notes: Vec::new() }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        ErrorKind::Engine(error).into()
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        ErrorKind::Journal(error).into()
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Engine(error) => error.into(),
            other => ErrorKind::Source(other).into(),
        }
    }
}
