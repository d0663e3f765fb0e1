//! One connection to a SQLite file that may write.

use std::path::Path;
use std::time::Duration;

use super::DIALECT;
use super::session::{Sqlite, error, start};
use crate::engine::{Dialect, EngineError, Rows, Session, SessionOptions, Writer};
use crate::schema::Schema;

/// How long a statement waits where nobody says: SQLite has no "for ever".
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

struct SqliteWriter(Sqlite);

/// Opens a database file, to write. None is ever made.
///
/// # Errors
/// There is no such file, it is no database, it may not be written, or another process holds it.
pub fn open_writer(path: &Path, options: &SessionOptions) -> Result<Box<dyn Writer>, EngineError> {
    Ok(Box::new(SqliteWriter(start(path, options, true)?)))
}

impl Writer for SqliteWriter {
    fn dialect(&self) -> &'static dyn Dialect {
        &DIALECT
    }

    fn inspect(&mut self) -> Result<Schema, EngineError> {
        self.0.inspect()
    }

    fn query(&mut self, sql: &str) -> Result<Rows, EngineError> {
        self.0.query(sql)
    }

    fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let before = self.0.connection.total_changes();
        // Steps over the rows that a PRAGMA returns.
        self.0.execute(sql)?;
        // A statement that changes no row leaves the number of the one before (c3ref/changes.html).
        Ok(if self.0.connection.total_changes() == before { 0 } else { self.0.connection.changes() })
    }

    fn begin(&mut self) -> Result<(), EngineError> {
        // Takes the write lock now: a transaction that begins to write later can be refused in its middle ("Transactions", 2.2).
        self.execute("BEGIN IMMEDIATE").map(drop)
    }

    fn wait_for_locks(&mut self, limit: Option<Duration>) -> Result<(), EngineError> {
        let limit = limit.unwrap_or(LONGEST);
        self.0.connection.busy_timeout(limit).map_err(|e| error(&self.0.path, &e, None))
    }

    fn take_turn(&mut self) -> Result<bool, EngineError> {
        Ok(true)
    }

    fn finish(&mut self, sql: &str) -> Result<(), EngineError> {
        let Sqlite { connection, guard, path, .. } = &mut self.0;
        guard.finish(sql, || connection.execute_batch(sql)).map_err(|e| error(path, &e, Some(sql)))
    }
}
