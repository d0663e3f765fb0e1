//! What every job shares: what is looked at, and what a person should hear.

use globset::Glob;

use crate::config::Diagnostic;
use crate::rules::Rule;

/// What of a database is looked at, and by which rules. The default is everything, by all rules.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// The rules to run, whatever the configuration skips; empty for those that it does not skip.
    pub only: Vec<&'static Rule>,
    /// The rules not to run.
    pub skip: Vec<&'static Rule>,
    /// Only findings about tables that one of these matches count; empty for all.
    pub tables: Vec<Glob>,
    /// SQLite: whether the application runs `PRAGMA foreign_keys = ON`; `None` if only the configuration may know.
    pub foreign_keys: Option<bool>,
    /// From which confidence on (0 to 1) a guessed relation counts; `None` for the configuration's, or 0.5.
    pub min_confidence: Option<f64>,
}

/// Something that a person should hear beside the result. A new kind of it has to be told by whoever tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// By the way.
    Info(String),
    /// It needs attention.
    Warning {
        /// What is the matter.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A part of the configuration does nothing.
    Configuration(Diagnostic),
}

impl Note {
    pub(super) fn warning(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::Warning { message: message.into(), hint: hint.map(str::to_string) }
    }

    pub(super) fn configuration(diagnostics: Vec<Diagnostic>) -> impl Iterator<Item = Self> {
        diagnostics.into_iter().map(Self::Configuration)
    }
}
