//! Where a schema comes from: a database, a schema document; later a migration folder, an ORM's schema.
//!
//! [`Source::parse`] decides by the text alone and the file system what kind it is; [`Source::open`] connects or reads.

mod url;

use std::path::PathBuf;

pub use url::{UrlError, redact};

use crate::engine::{EngineError, Session};
use crate::schema::{JsonError, Schema};

/// A source, not yet opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A SQLite database file.
    Sqlite(PathBuf),
    /// A PostgreSQL or CockroachDB URL; which of the two, the server says.
    Postgres(String),
    /// A document that `referee schema --format json` wrote.
    Document(PathBuf),
}

/// What was read from a source.
pub struct Input {
    /// How to name it in a report: a path or a URL without password.
    pub label: String,
    /// The schema.
    pub schema: Schema,
    /// The connection, for a source that has rows.
    pub session: Option<Box<dyn Session>>,
}

/// A source that cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SourceError {
    /// The text names no kind of source that referee knows.
    #[error("{message}")]
    Unknown { message: String, hint: String },
    /// The URL is malformed.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Io { path: String, error: std::io::Error },
    /// The document is none.
    #[error("{path}: {error}")]
    Document { path: String, error: JsonError },
    /// The engine says no.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

// TEMPORARY SHIM, to be replaced when sources are merged: documents only.
impl Source {
    /// Decides what kind of source a text names.
    ///
    /// # Errors
    /// No kind.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.ends_with(".json") {
            return Ok(Self::Document(text.into()));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(SourceError::Unknown {
                message: format!("referee cannot read {scheme}:// sources"),
                hint: "give a SQLite file, a postgres:// URL or a schema document".into(),
            });
        }
        Ok(Self::Sqlite(text.into()))
    }

    /// Connects or reads.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(&self, _: &crate::engine::SessionOptions) -> Result<Input, SourceError> {
        match self {
            Self::Document(path) | Self::Sqlite(path) => {
                let label = path.display().to_string();
                let text =
                    std::fs::read_to_string(path).map_err(|error| SourceError::Io { path: label.clone(), error })?;
                let schema = crate::schema::from_json(&text)
                    .map_err(|error| SourceError::Document { path: label.clone(), error })?;
                Ok(Input { label, schema, session: None })
            }
            Self::Postgres(url) => Err(SourceError::Unknown { message: redact(url), hint: "not merged yet".into() }),
        }
    }
}
