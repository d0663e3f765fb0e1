//! Runs a plan against a database, step by step, so that a run that was killed can be taken up where it stopped.
//!
//! The database is the truth: a step that has been done already is left out, judged by its own query. The [`journal`] tells
//! what a run meant to do, so that one that was killed goes on with the same plan and not with a new one. Nothing here
//! decides what to do: that is `plan`'s work.

pub mod journal;
mod run;
mod undo;

use std::time::Duration;

use crate::engine::{EngineError, EngineErrorKind};
use crate::relations::Keeper;

pub use journal::{Journal, JournalError, Recorded, Unfinished};
pub use run::apply;
pub use undo::{Approved, Lost, ToUndo, end_undo, file, identity, is_same, to_undo, undo};

/// How a plan is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a statement that makes others wait, waits itself for its lock before it lets them pass.
    pub lock_timeout: Duration,
    /// How often a step that did not get its lock is tried again.
    pub retries: u32,
    /// How long the first pause between two tries is; each further one is twice as long, up to [`LONGEST_PAUSE`].
    pub pause: Duration,
}

/// No pause between two tries is longer.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Default for Options {
    fn default() -> Self {
        Self { lock_timeout: Duration::from_secs(2), retries: 10, pause: Duration::from_millis(500) }
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many steps were done.
    pub done: usize,
    /// How many had been done before.
    pub skipped: usize,
    /// How many rows an undo has restored.
    pub restored: u64,
}

/// Why a run stopped. Every step before the one it names is done; that one is not, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A guard returned a row.
    #[error("{title}: {message}")]
    Guard {
        /// The step.
        title: String,
        /// What the row means, and what to do.
        message: String,
        /// The query.
        sql: String,
        /// The first rows, for a reader.
        rows: String,
    },
    /// There are more rows to change than were shown when the plan was agreed to.
    #[error("{title}: {found} {what} now, {shown} were approved")]
    MoreRows {
        /// The step.
        title: String,
        /// What the rows are: `rows of posts to delete`.
        what: String,
        /// How many were shown.
        shown: u64,
        /// How many there are, those that were changed before it stopped among them.
        found: u64,
        /// How many of them were changed before it stopped; 0 if the step changes all of them or none.
        changed: u64,
    },
    /// A step would change rows that nobody has counted. Nothing was changed by the run.
    #[error("{title}: the rows that it changes were not counted when the plan was made")]
    NotCounted {
        /// The step.
        title: String,
    },
    /// A statement failed.
    #[error("{title}: {error}")]
    Step {
        /// The step.
        title: String,
        /// What the engine says.
        error: Box<EngineError>,
        /// Statements that may not run in a transaction were done before the one that failed.
        partly: bool,
        /// The triggers one of which raised the error, as the catalog names them; empty if none did.
        triggers: Vec<String>,
    },
    /// The statements succeeded, and the database does not show it.
    #[error("{title}: its statements ran, but the database does not show what they should have made")]
    NotDone {
        /// The step.
        title: String,
        /// The query that tells.
        sql: String,
    },
    /// The statements succeeded, and rows that they should have changed are as they were.
    #[error("{title}: {changed} of {counted} rows were changed, the others are as they were")]
    RowsStay {
        /// The step.
        title: String,
        /// How many rows were to be changed.
        counted: u64,
        /// How many of them were; 0 if the step was rolled back.
        changed: u64,
        /// The query that counts them.
        sql: String,
        /// The triggers and rules that can keep a row as it is.
        keepers: Vec<Keeper>,
        /// The statements that switch them off; empty where the engine has none.
        off: Vec<String>,
    },
    /// What an undo would do is not what was approved. Nothing was changed.
    #[error("what this undo would do has changed since it was shown")]
    UndoDiffers,
    /// A step cannot be undone in the database as it is now. Nothing was changed.
    #[error("{title}: cannot be undone now: {message}")]
    CannotUndo {
        /// The step's place in the plan, from 0.
        number: usize,
        /// The step.
        title: String,
        /// Why, and what to do.
        message: String,
        /// The query that found it, and the first rows, for a reader; `None` if it is seen in the schema.
        found_by: Option<(String, String)>,
    },
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database cannot be asked.
    #[error(transparent)]
    Engine(Box<EngineError>),
    /// Another run is at work in this database.
    #[error("another run of referee is at work in this database")]
    Busy,
    /// The job was cancelled.
    #[error("stopped")]
    Stopped,
    /// The time of the whole job is over.
    #[error("the time for the whole run is over")]
    OutOfTime,
}

impl ApplyError {
    /// Tells whether a step without a transaction of its own may be done in part.
    pub(crate) fn is_partly(&self) -> bool {
        match self {
            Self::Step { partly, .. } => *partly,
            Self::MoreRows { changed, .. } | Self::RowsStay { changed, .. } => *changed > 0,
            _ => true,
        }
    }

    /// Tells whether a transaction that ended with it is known to be rolled back. Where the connection broke before the answer
    /// came, or the statements ran and the result is another one, it is not.
    pub(crate) fn is_rolled_back(&self) -> bool {
        match self {
            Self::Step { error, .. } | Self::Engine(error) => {
                !matches!(error.kind, EngineErrorKind::Connect | EngineErrorKind::Terminated)
            }
            Self::RowsStay { changed, .. } | Self::MoreRows { changed, .. } => *changed == 0,
            // Before a guard nothing is begun.
            Self::Guard { .. } | Self::NotDone { .. } => false,
            _ => true,
        }
    }
}

impl From<EngineError> for ApplyError {
    fn from(error: EngineError) -> Self {
        match error.kind {
            EngineErrorKind::Cancelled => Self::Stopped,
            EngineErrorKind::Deadline => Self::OutOfTime,
            _ => Self::Engine(Box::new(error)),
        }
    }
}
