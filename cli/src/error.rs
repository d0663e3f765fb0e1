//! Why a verb did not do its job, and the exit code that says so.

use std::io;

use referee::app::{self, ErrorKind, Wanted};
use referee::config::Diagnostic;
use referee::engine::{EngineError, EngineErrorKind};
use referee::source::SourceError;

/// Findings at or above `--fail-on`.
pub(super) const FINDINGS: u8 = 1;
/// The job could not be done.
pub(super) const FAILED: u8 = 2;
/// The user stopped it: 128 + SIGINT, as shells count.
pub(super) const INTERRUPTED: u8 = 130;

#[derive(Debug)]
pub(super) enum CliError {
    /// The job cannot be done.
    Failed { what: String, hints: Vec<String> },
    /// The configuration is wrong.
    Config { name: String, text: String, diagnostics: Vec<Diagnostic> },
    /// The user stopped it.
    Interrupted,
    /// The time of the whole job is over.
    OutOfTime,
    /// Whoever reads our output has closed it, and wants no more.
    BrokenPipe,
}

impl CliError {
    pub fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), hints: Vec::new() }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Failed { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// A file that cannot be read or written.
    pub fn file(doing: &str, path: &std::path::Path, error: &io::Error) -> Self {
        let failed = Self::new(format!("cannot {doing} {}: {}", path.display(), reason(error)));
        match error.kind() {
            io::ErrorKind::NotFound if doing == "write" => failed.hint("the folder does not exist; make it first"),
            io::ErrorKind::PermissionDenied => failed.hint("look at the permissions with `ls -l`"),
            _ => failed,
        }
    }

    /// What writing to standard output says.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::new(format!("cannot write to standard output: {}", reason(error)))
        }
    }

    pub fn code(&self) -> u8 {
        match self {
            Self::Failed { .. } | Self::Config { .. } | Self::OutOfTime => FAILED,
            Self::Interrupted => INTERRUPTED,
            Self::BrokenPipe => 0,
        }
    }
}

/// Writes an operating system's error without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error.kind {
            EngineErrorKind::Cancelled => return Self::Interrupted,
            EngineErrorKind::Deadline => return Self::OutOfTime,
            _ => {}
        }
        let failed = Self::new(error.message);
        match error.hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Engine(error) => error.into(),
            SourceError::Unknown { message, hint } => Self::new(message).hint(hint),
            SourceError::Io { path, error } => {
                let failed = Self::new(format!("cannot read {path}: {}", reason(&error)));
                match error.kind() {
                    io::ErrorKind::NotFound => {
                        failed.hint("give the path of a database or schema document; `referee demo` makes one to try")
                    }
                    _ => failed,
                }
            }
            other => Self::new(other.to_string()),
        }
    }
}

/// What was to be heard before it is lost: `commands::done` tells it.
impl From<app::Error> for CliError {
    fn from(error: app::Error) -> Self {
        let hints = error.hints();
        let (what, hint) = match *error.kind {
            ErrorKind::Engine(error) => return error.into(),
            ErrorKind::Source(error) => return error.into(),
            ErrorKind::NoDatabase { label, wanted: Wanted::Rows } => (
                format!("{label} holds no rows, so --data has nothing to read"),
                "audit the database itself, or leave out --data",
            ),
            ErrorKind::NoDatabase { label, wanted: Wanted::Planner } => (
                format!("{label} has no planner to ask, so --verify-indexes cannot be done"),
                "audit the database itself, or leave out --verify-indexes",
            ),
            ErrorKind::NoDatabase { label, wanted: Wanted::Counts } => (
                format!("{label} holds no rows, so --count has nothing to count"),
                "name the database itself, or leave out --count",
            ),
            ErrorKind::NoDatabase { label, wanted: Wanted::Run } => (
                format!("{label} is no database, so nothing can be applied to it"),
                "name the database, or write the plan as files: --out DIR",
            ),
            other => return hints.into_iter().fold(Self::new(other.to_string()), Self::hint),
        };
        Self::new(what).hint(hint)
    }
}
