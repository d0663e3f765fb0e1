//! The engines: how each is spoken to, and what it can do.
//!
//! Every engine's folder has the same files: `dialect` (pure: quoting, the SQL of a change), `session` (one connection),
//! `inspect` (catalog rows to [`Schema`], a pure function) and `queries/*.sql` (what is asked of the catalog, readable by
//! a DBA). CockroachDB is a dialect of its own on PostgreSQL's session. Nothing here prints, prompts or reads the
//! environment.

pub mod cockroach;
mod connection;
pub(crate) mod ddl;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod guard;
mod keywords;
pub mod mysql;
pub mod postgres;
mod records;
pub mod sqlite;

use std::fmt;

pub use connection::RUN;
pub use connection::{Connector, LockHolder, LookupPlan, Progress, Reader, Replica, SessionOptions, Writer};

use crate::change::Change;
use crate::schema::{Action, Column, Comparison, Engine, Schema, Table, TableName};

/// What an engine's SQL looks like. Pure: no connection.
pub trait Dialect: Sync {
    /// Returns whose dialect it is.
    fn engine(&self) -> Engine;

    /// Quotes an identifier, always.
    fn quote(&self, identifier: &str) -> String {
        let quote = self.engine().facts().names.quote;
        format!("{quote}{}{quote}", identifier.replace(quote, &format!("{quote}{quote}")))
    }

    /// Writes an identifier with quotes only where it needs them.
    fn identifier(&self, name: &str) -> String {
        let mut chars = name.chars();
        let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !self.is_reserved(name);
        if plain { name.to_string() } else { self.quote(name) }
    }

    /// Tells whether a lower-case word cannot be a name without quotes.
    fn is_reserved(&self, word: &str) -> bool;

    /// Writes a table's name, with its schema unless that is the default one.
    fn table(&self, name: &TableName) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.identifier(schema), self.identifier(&name.name)),
            None => self.identifier(&name.name),
        }
    }

    /// Writes a table's name with its schema, the default one, too: right whatever the session's search path is.
    fn qualified_table(&self, name: &TableName, schema: &Schema) -> String {
        match (&name.schema, &schema.default_schema) {
            (None, Some(default)) => format!("{}.{}", self.identifier(default), self.identifier(&name.name)),
            _ => self.table(name),
        }
    }

    /// Writes columns as a list without parentheses.
    fn columns(&self, columns: &[String]) -> String {
        columns.iter().map(|c| self.identifier(c)).collect::<Vec<_>>().join(", ")
    }

    /// Writes a string literal.
    fn literal(&self, text: &str) -> String {
        let text = text.replace('\'', "''");
        let escapes = self.engine().facts().types.backslash_escapes;
        format!("'{}'", if escapes { text.replace('\\', "\\\\") } else { text })
    }

    /// Writes the query for the keys that refer to a parent and whose `ON DELETE` is none of the allowed actions, without the
    /// exempt ones (child and columns). Each row is a key: its child, its columns or name, its action. `None` where referee does
    /// not speak to the engine.
    fn keys_not_on_delete(
        &self,
        _schema: &Schema,
        _parent: &TableName,
        _allowed: &[Action],
        _exempt: &[(&TableName, &[String])],
    ) -> Option<String> {
        None
    }

    /// Writes an expression as a text.
    fn as_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS text)")
    }

    /// Writes several texts as one, so that two rows of texts never give the same.
    fn joined_texts(&self, texts: &[String]) -> String {
        texts.join(" || chr(31) || ")
    }

    /// Writes when a child's value equals a parent's, as a foreign key compares them; `how` is what the catalog or the types say.
    fn key_equality(&self, parent: &str, child: &str, how: &Comparison) -> String {
        how.sql(parent, child)
    }

    /// Tells whether an unqualified operator means what the search path makes of it.
    fn qualifies_operators(&self) -> bool {
        false
    }

    /// Tells whether a column's type has a `=`, and an order with it.
    fn has_equality(&self, column: &Column) -> bool {
        !matches!(column.data_type.base.as_str(), "json" | "xml" | "point" | "polygon" | "path")
    }

    /// Tells whether texts of two collations can be compared, if need be by naming one of them.
    fn joins_collations(&self) -> bool {
        true
    }

    /// Returns the collation by which texts are equal only if their bytes are, where it has to be named.
    fn collation_of_bytes(&self) -> Option<&'static str> {
        None
    }

    /// Writes a value as a literal that is compared as the value was that the engine gave.
    fn value(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_string(),
            Value::Text(text) => self.literal(text),
            other => other.to_string(),
        }
    }

    /// Tells whether NULL comes before all values where rows are sorted upwards.
    fn nulls_first(&self) -> bool {
        false
    }

    /// Returns what names the place of a table's row, sorted, each part with the type that a text of it is cast to; empty where
    /// nothing does.
    fn places(&self, _table: &Table) -> Vec<(&'static str, Option<&'static str>)> {
        Vec::new()
    }

    /// Returns the columns of a set of rows of several tables, beside the table's number `t`.
    fn identity_columns(&self) -> &'static [&'static str] {
        &[]
    }

    /// Writes what tells a row apart while one statement runs, one for each of the columns; `None` where nothing does.
    fn row_identity(&self, _table: &Table, _row: &str) -> Option<Vec<String>> {
        None
    }

    /// Writes the same as a recursive query can store it.
    fn stored_identity(&self, table: &Table, row: &str) -> Option<Vec<String>> {
        self.row_identity(table, row)
    }

    /// Writes that a row is one that a recursive query has just stored in a set.
    fn is_stored(&self, _table: &Table, _row: &str, _set: &str) -> Option<String> {
        None
    }

    /// Writes the columns of a finished set, made of what a recursive query stored.
    fn restored_identity(&self) -> String {
        self.identity_columns().join(", ")
    }

    /// Writes that a row of a table is the one that a row of a finished set stands for.
    fn is_at(&self, table: &Table, row: &str, set: &str) -> Option<String> {
        let parts = self.row_identity(table, row)?;
        let names = self.identity_columns();
        let same: Vec<String> = parts.iter().zip(names).map(|(part, name)| format!("{set}.{name} = {part}")).collect();
        Some(same.join(" AND "))
    }

    /// Writes that a row of a table is in a finished set, under the table's number.
    fn is_in(&self, table: &Table, row: &str, set: &str, number: usize) -> Option<String> {
        let same = self.is_at(table, row, "other")?;
        Some(format!("EXISTS (SELECT 1 FROM {set} AS other WHERE other.t = {number} AND {same})"))
    }

    /// Writes the query that reads some rows from all over a table, without reading the rest: what is selected of a `row`, and about
    /// how many `rows` there are. `source` is the table in FROM.
    fn sample(&self, _table: &Table, source: &str, (row, what): (&str, &str), _rows: u64, sample: usize) -> String {
        format!("SELECT {what} FROM {source} AS {row} LIMIT {sample}")
    }

    /// Writes the query for a number of rows that a table has no more than, where that is one look-up.
    fn most_rows(&self, _table: &Table, _source: &str) -> Option<String> {
        None
    }

    /// Returns how a recursive query finds what is reached along several relations.
    fn recursion(&self) -> Recursion {
        Recursion::Rounds
    }

    /// Returns the query that tells this database from every other one, whatever URL leads to it: one row, one value; `file:` and a path
    /// where a database is its file. `None` where the engine has nothing to tell it by.
    fn identity_query(&self) -> Option<&'static str> {
        None
    }

    /// Writes the SQL that makes a change, one statement an item without semicolon; `None` if no single statement of the
    /// engine makes it (SQLite cannot add a foreign key to a table: that needs the table to be rebuilt).
    fn sql_for(&self, change: &Change, schema: &Schema) -> Option<Vec<String>>;
}

/// How a recursive query goes along several relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursion {
    /// Round by round: all rows that are new are joined at once.
    Rounds,
    /// Row by row, along pairs of child and parent that were joined before.
    Pairs,
}

/// Returns the dialect of an engine; `None` for one that referee does not speak yet.
pub fn dialect(engine: Engine) -> Option<&'static dyn Dialect> {
    match engine {
        Engine::Mysql | Engine::Mariadb => None,
        spoken => Some(written(spoken)),
    }
}

/// Returns the dialect that queries for an engine are written in, also where referee only hands them out.
pub fn written(engine: Engine) -> &'static dyn Dialect {
    match engine {
        Engine::Sqlite => &sqlite::DIALECT,
        Engine::Postgres => &postgres::DIALECT,
        Engine::Cockroach => &cockroach::DIALECT,
        Engine::Mysql => &mysql::MYSQL,
        Engine::Mariadb => &mysql::MARIADB,
    }
}

/// The rows of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// One row of a query, as it is handed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// The names of the columns.
    pub columns: &'a [String],
    /// The values, as many as `columns`.
    pub values: Vec<Value>,
}

/// One value of a row. Engines that send text (PostgreSQL's simple protocol) give only `Null` and `Text`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    /// Returns the text; `None` for NULL. A blob is written as `x'…'`.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// Returns the number, also of a text that is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(*n),
            Self::Text(t) => t.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.pad("NULL"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Real(x) => write!(f, "{x}"),
            Self::Text(t) => f.pad(t),
            Self::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

/// What went wrong between referee and an engine. Never holds a password.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// The kind, by which a caller decides.
    pub kind: EngineErrorKind,
    /// What happened, in a sentence that names the object, without the hint.
    pub message: String,
    /// What to do about it, if there is something.
    pub hint: Option<String>,
    /// The engine's own code: SQLSTATE, or SQLite's extended result code.
    pub code: Option<String>,
    /// The statement that failed.
    pub sql: Option<String>,
    /// The table whose rows a policy hides, where that is the reason: its bare name, as the server gives it.
    pub filtered: Option<Box<str>>,
}

/// Kinds of [`EngineError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineErrorKind {
    /// No such file or server.
    NotFound,
    /// The file is no database of this engine.
    NotADatabase,
    /// The connection could not be made or broke.
    Connect,
    /// The server refused the user or the password.
    Authentication,
    /// The user may not do this.
    Permission,
    /// Something else holds a lock, or the server's own time limit ran out.
    Busy,
    /// The job was cancelled.
    Cancelled,
    /// The time of the whole job is over.
    Deadline,
    /// The time of this statement is over; the job goes on.
    Timeout,
    /// Somebody else stopped the statement: an administrator.
    Terminated,
    /// A table or column is gone since the catalog was read.
    Gone,
    /// The catalog says something that cannot be.
    Catalog,
    /// Any other error of a statement.
    Statement,
}

impl EngineErrorKind {
    /// Tells whether nothing more can be asked after it, or nobody wants it: no other table fares better.
    pub fn ends_the_job(self) -> bool {
        matches!(self, Self::Cancelled | Self::Deadline | Self::Terminated | Self::Connect)
    }
}

impl EngineError {
    /// Makes an error of a kind.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, code: None, sql: None, filtered: None }
    }

    /// Says that this build has no connection to some engines, and which feature holds it.
    #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
    pub(crate) fn not_built(engines: &str, feature: &str) -> Self {
        Self::new(EngineErrorKind::Connect, format!("this build of referee does not connect to {engines}"))
            .hint(format!("build it with the feature `{feature}`"))
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the statement.
    #[must_use]
    pub fn sql(mut self, sql: impl Into<String>) -> Self {
        self.sql = Some(sql.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every dialect has by its facts alone.
    struct Bare(Engine);

    impl Dialect for Bare {
        fn engine(&self) -> Engine {
            self.0
        }

        fn is_reserved(&self, _: &str) -> bool {
            false
        }

        fn sql_for(&self, _: &Change, _: &Schema) -> Option<Vec<String>> {
            None
        }
    }

    #[test]
    fn names_and_literals_are_written_as_the_engine_reads_them() {
        for engine in [Engine::Sqlite, Engine::Postgres, Engine::Cockroach] {
            assert_eq!(Bare(engine).quote("a\"b`c"), "\"a\"\"b`c\"");
            assert_eq!(Bare(engine).literal("it's\\n"), "'it''s\\n'");
        }
        for engine in [Engine::Mysql, Engine::Mariadb] {
            assert_eq!(Bare(engine).quote("a\"b`c"), "`a\"b``c`");
            assert_eq!(Bare(engine).literal("it's\\n"), "'it''s\\\\n'");
        }
    }
}
