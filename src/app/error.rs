//! Why a job could not be done, and what to do about it.

use super::model::Note;
use crate::config::did_you_mean;
use crate::engine::EngineError;
use crate::schema::{Engine, TableName};
use crate::source::SourceError;
use crate::text::operand;

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
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
    /// The table is a partition: rows are deleted from its parent table.
    #[error("`{0}` is a partition; rows are deleted from its parent table")]
    Partition(TableName),
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
    /// What is asked for cannot be done.
    #[error("{message}")]
    Asked {
        /// Why.
        message: String,
        /// What to ask for instead.
        hints: Vec<String>,
    },
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
}

fn no_database(label: &str, wanted: Wanted) -> String {
    match wanted {
        Wanted::Rows => format!("{label} holds no rows to read"),
        Wanted::Counts => format!("{label} holds no rows to count"),
        Wanted::Planner => format!("{label} has no planner to ask"),
        Wanted::Verification => format!("{label} is no database, so nothing can be verified"),
    }
}

impl Error {
    pub(super) fn asked(message: impl Into<String>) -> Self {
        ErrorKind::Asked { message: message.into(), hints: Vec::new() }.into()
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let ErrorKind::Asked { hints, .. } = &mut self.kind {
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
            Self::Partition(_) => vec!["name the partitioned table".to_string()],
            Self::OtherEngine { .. } | Self::OtherDatabase { .. } => {
                vec!["name the database that the plan was made for".to_string()]
            }
            Self::Asked { hints, .. } => hints.clone(),
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, notes: Vec::new() }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        ErrorKind::Engine(error).into()
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
