//! Where a schema comes from: a database, a schema document; later a migration folder, an ORM's schema.
//!
//! [`Source::parse`] decides by the text alone and the file system what kind it is; [`Source::open`] connects or reads.

pub mod history;
pub mod layouts;
pub mod replay;
mod url;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use history::History;
pub use layouts::SqlFiles;
pub use url::{SourceText, UrlError, redact};

use crate::engine::{Connector, EngineError, Reader, SessionOptions, postgres};
use crate::files;
use crate::hints::Hint;
use crate::schema::{self, Engine, JsonError, Schema};

/// A source, not yet opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A SQLite database file.
    Sqlite(PathBuf),
    /// A PostgreSQL or CockroachDB URL; which of the two, the server says.
    Postgres(SourceText),
    /// A document that `referee schema --format json` wrote.
    Document(PathBuf),
    /// A folder of migrations, a dump or another file of SQL.
    Sql(SqlFiles),
}

/// What was read from a source.
pub struct Input {
    /// How to name it in a report: a path or a URL without password.
    pub label: String,
    /// The schema.
    pub schema: Schema,
    /// The connection, for a source that has rows.
    pub session: Option<Box<dyn Reader>>,
    /// How it came to be, for a source of files; empty for others.
    pub history: History,
    /// What else says that tables belong together.
    pub hints: Vec<Hint>,
}

/// A source that cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
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

/// The first bytes of every SQLite database that holds anything ("Database File Format", 1.3.1).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Schemes that name a database referee cannot read yet.
const NOT_YET: &[(&str, &str)] = &[
    ("mysql", "MySQL"),
    ("mariadb", "MariaDB"),
    ("libsql", "libSQL servers"),
    ("sqlserver", "SQL Server"),
    ("mssql", "SQL Server"),
    ("oracle", "Oracle"),
    ("mongodb", "MongoDB"),
    ("mongodb+srv", "MongoDB"),
];

const KNOWN: &[&str] = &["postgres", "postgresql", "cockroachdb", "sqlite", "file"];

impl Source {
    /// Decides what a text names: a URL by its scheme, a file by what it begins with.
    ///
    /// # Errors
    /// No such file, a file that is neither a database nor a document, a URL of a kind that referee does not know.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.is_empty() {
            return Err(unknown(
                "no source is given",
                "name a file (shop.db) or a URL (postgres://user@host/database)",
            ));
        }
        if let Some((scheme, rest)) = text.split_once("://")
            && !scheme.is_empty()
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        {
            let scheme = scheme.to_ascii_lowercase();
            return match scheme.as_str() {
                "postgres" | "postgresql" => {
                    // Read now, so that a malformed URL is told before anything else is done; what it leaves out is not
                    // known yet.
                    let somebody = postgres::Environment { os_user: Some("user".into()), ..Default::default() };
                    postgres::Target::parse(text, &somebody)?;
                    Ok(Self::Postgres(text.into()))
                }
                // What SQLAlchemy and some drivers write; the protocol is PostgreSQL's.
                "cockroachdb" => Self::parse(&format!("postgresql://{rest}")),
                "sqlite" | "file" => sqlite_file(rest),
                _ => Err(unknown_scheme(&scheme, rest)),
            };
        }
        for prefix in ["sqlite:", "file:"] {
            if let Some(path) = text.strip_prefix(prefix) {
                return sqlite_file(path);
            }
        }
        by_content(Path::new(text))
    }

    /// Returns how to name it in a report: a path, or a URL without password.
    pub fn label(&self) -> String {
        match self {
            Self::Sqlite(path) | Self::Document(path) => path.display().to_string(),
            Self::Postgres(url) => url.to_string(),
            Self::Sql(files) => files.path.display().to_string(),
        }
    }

    /// Returns what tells a server's database from others: where it is, and its name. The user, the password, the order of the URL's
    /// parameters and what else it says of the connection are no part of it.
    pub fn place(&self, environment: &postgres::Environment) -> String {
        let Self::Postgres(url) = self else { return self.label() };
        match postgres::Target::parse(url.secret(), environment) {
            Ok(target) => target.place(),
            Err(_) => self.label(),
        }
    }

    /// Says what the text of a source of SQL files does not: the engine, the base schema, the layout. Other sources stay.
    #[must_use]
    pub fn with_sql(mut self, engine: Option<Engine>, base: Option<PathBuf>, layout: Option<String>) -> Self {
        if let Self::Sql(files) = &mut self {
            files.engine = engine.or(files.engine);
            files.base = base.or(files.base.take());
            files.layout = layout.or(files.layout.take());
        }
        self
    }

    /// Connects or reads, and inspects.
    ///
    /// # Errors
    /// What the engine says, or why the document cannot be read.
    pub fn open(&self, options: &SessionOptions) -> Result<Input, SourceError> {
        let mut session = match self {
            Self::Document(path) => {
                let name = || path.display().to_string();
                let text = files::read_text(path).map_err(|error| SourceError::Io { path: name(), error })?;
                let schema = schema::from_json(&text).map_err(|error| SourceError::Document { path: name(), error })?;
                return Ok(Input {
                    label: self.label(),
                    schema,
                    session: None,
                    history: History::default(),
                    hints: Vec::new(),
                });
            }
            Self::Sql(files) => {
                let loaded = layouts::load(files)?;
                let (schema, mut history) = replay::replay(loaded.engine, loaded.files, loaded.migrations);
                history.programs = loaded.programs;
                history.runner_unknown = matches!(loaded.layout, "plain" | "file");
                return Ok(Input { label: self.label(), schema, session: None, history, hints: Vec::new() });
            }
            Self::Sqlite(path) => Connector::file(path, options).reader()?,
            Self::Postgres(url) => server(url, options)?.reader()?,
        };
        let schema = session.inspect()?;
        Ok(Input {
            label: self.label(),
            schema,
            session: Some(session),
            history: History::default(),
            hints: Vec::new(),
        })
    }

    /// Returns what connects to it; `None` for a source that is no database.
    ///
    /// # Errors
    /// What the environment adds to the URL makes no sense with it.
    pub fn connector(&self, options: &SessionOptions) -> Result<Option<Connector>, SourceError> {
        Ok(match self {
            Self::Document(_) | Self::Sql(_) => None,
            Self::Sqlite(path) => Some(Connector::file(path, options)),
            Self::Postgres(url) => Some(server(url, options)?),
        })
    }
}

fn server(url: &SourceText, options: &SessionOptions) -> Result<Connector, UrlError> {
    Ok(Connector::server(postgres::Target::parse(url.secret(), &options.environment)?, options))
}

fn unknown(message: impl Into<String>, hint: impl Into<String>) -> SourceError {
    SourceError::Unknown { message: message.into(), hint: hint.into() }
}

fn unknown_scheme(scheme: &str, rest: &str) -> SourceError {
    if let Some((_, title)) = NOT_YET.iter().find(|(s, _)| *s == scheme) {
        let files = match scheme {
            "mysql" | "mariadb" => format!(
                ", and of {title} migrations and dumps: `mysqldump --no-data DATABASE > dump.sql`, then `referee audit dump.sql \
                 --engine {scheme}`"
            ),
            _ => ", migrations and dumps, and documents of `referee schema --format json`".to_string(),
        };
        return unknown(
            format!("referee does not connect to {title} ({scheme}://)"),
            format!("it reads PostgreSQL and CockroachDB (postgres://), SQLite files{files}"),
        );
    }
    let near = KNOWN.iter().map(|k| (strsim::damerau_levenshtein(k, scheme), *k)).min().filter(|(d, _)| *d <= 2);
    let hint = match near {
        Some((_, "sqlite" | "file")) => format!("did you mean {}?", redact(&format!("sqlite://{rest}"))),
        Some((_, known)) => format!("did you mean {}?", redact(&format!("{known}://{rest}"))),
        None => "write postgres://user@host/database, or the path of a SQLite file".to_string(),
    };
    unknown(format!("{scheme}:// is no kind of source that referee knows"), hint)
}

/// Reads what comes after `sqlite:` or `file:`, two slashes taken off: a path, perhaps with SQLite's own `?mode=ro`.
fn sqlite_file(rest: &str) -> Result<Source, SourceError> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    if path.is_empty() || path == ":memory:" {
        return Err(unknown("the URL names no file", "write sqlite:PATH, for example sqlite:shop.db"));
    }
    let path = Path::new(path);
    match by_content(path)? {
        // The user said that it is a database: let SQLite say what is wrong with it.
        Source::Document(path) | Source::Sql(SqlFiles { path, .. }) => Ok(Source::Sqlite(path)),
        other => Ok(other),
    }
}

/// Tells a database from a document by the file's first bytes; reads nothing else, and never creates a file.
fn by_content(path: &Path) -> Result<Source, SourceError> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        // A URL that is misspelt so badly that it is taken for a path: do not repeat what may be a password.
        std::io::ErrorKind::NotFound if looks_like_a_connection(&shown.to_string()) => unknown(
            "the source is neither a file that exists nor a URL",
            "a server is named by a URL: postgres://user@host/database",
        ),
        std::io::ErrorKind::NotFound => unknown(
            format!("no such file or folder: {shown}"),
            "check the path; a server is named by a URL: postgres://user@host/database",
        ),
        _ => SourceError::Io { path: shown.to_string(), error },
    })?;
    let sql = || Source::Sql(SqlFiles { path: path.to_path_buf(), ..SqlFiles::default() });
    if metadata.is_dir() {
        return Ok(sql());
    }
    if let Some(why) = files::special(&metadata) {
        return Err(unknown(
            format!("cannot read {shown}: {}", why.what),
            "a source is a file, a folder or a URL; save what a pipe gives to a file first",
        ));
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(512).read_to_end(&mut head))
        .map_err(|error| SourceError::Io { path: shown.to_string(), error })?;
    // An empty file is an empty database to SQLite.
    if head.is_empty() || head.starts_with(SQLITE_MAGIC) {
        return Ok(Source::Sqlite(path.to_path_buf()));
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    if text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(Source::Document(path.to_path_buf()));
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("sql")) {
        return Ok(sql());
    }
    Err(unknown(
        format!("{shown} is neither a SQLite database nor a schema document nor a .sql file"),
        "name a SQLite file (an encrypted one cannot be read), a folder of migrations or a .sql file, a document of \
         `referee schema --format json`, or a URL",
    ))
}

/// Tells whether a text that names no file was meant to say how to connect: `postgres:/u:p@host/d`, libpq's `host=h user=u`.
fn looks_like_a_connection(text: &str) -> bool {
    let words = ["host=", "dbname=", "user=", "pass", "pwd="];
    let text = text.to_ascii_lowercase();
    text.contains('@') && text.contains(':') || text.contains('=') && words.iter().any(|w| text.contains(w))
}

#[cfg(test)]
mod tests;
