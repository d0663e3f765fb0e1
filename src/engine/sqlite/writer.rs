//! One connection to a SQLite file that may write.

use std::path::Path;
use std::time::Duration;

use super::session::{Sqlite, error, start};
use crate::engine::{EngineError, SessionOptions, Writer};

/// How long a statement waits where nobody says: SQLite has no "for ever".
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens a database file, to write. None is ever made.
///
/// # Errors
/// There is no such file, it is no database, it may not be written, or another process holds it.
pub fn open_writer(path: &Path, options: &SessionOptions) -> Result<Box<dyn Writer>, EngineError> {
    Ok(Box::new(start(path, options, true)?))
}

impl Writer for Sqlite {
    fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let before = self.connection.total_changes();
        // Steps over the rows that a PRAGMA returns.
        Sqlite::execute(self, sql)?;
        // A statement that changes no row leaves the number of the one before (c3ref/changes.html).
        Ok(if self.connection.total_changes() == before { 0 } else { self.connection.changes() })
    }

    fn wait_for_locks(&mut self, limit: Option<Duration>) -> Result<(), EngineError> {
        let limit = limit.unwrap_or(LONGEST);
        self.connection.busy_timeout(limit).map_err(|e| error(&self.path, &e, None))
    }

    fn lock(&mut self, _name: &str) -> Result<bool, EngineError> {
        Ok(true)
    }

    fn finish(&mut self, sql: &str) -> Result<(), EngineError> {
        let Sqlite { connection, guard, path, .. } = self;
        guard.finish(sql, || connection.execute_batch(sql)).map_err(|e| error(path, &e, Some(sql)))
    }
}
