//! A database in memory that is thrown away: what SQLite itself makes of CREATE statements, and what a script does to them.
//!
//! No file is read or written: statements that would (`ATTACH`, `VACUUM`) are passed over.

use rusqlite::Connection;

use super::session::{self, Sqlite};
use crate::engine::{EngineError, Reader, Rows};
use crate::schema::{Engine, Schema};
use crate::sql::lexer::significant;
use crate::sql::split;

/// A database in memory.
pub struct Memory(Sqlite);

impl Memory {
    /// Makes an empty one; foreign keys are not enforced.
    ///
    /// # Errors
    /// There is no memory left.
    pub fn new() -> Result<Self, EngineError> {
        let path = std::path::PathBuf::from(":memory:");
        let connection = Connection::open_in_memory().map_err(|e| session::error(&path, &e, None))?;
        let mut memory = Self(Sqlite::in_memory(connection, path));
        memory.run("PRAGMA foreign_keys = OFF")?;
        Ok(memory)
    }

    /// Runs one statement or several; rows that they return are thrown away.
    ///
    /// # Errors
    /// What SQLite says of the first statement that fails; those before it have been run.
    pub fn run(&mut self, sql: &str) -> Result<(), EngineError> {
        let split = split::split(Engine::Sqlite, sql);
        for piece in &split.pieces {
            let text = piece.span.of(sql);
            let first = significant(Engine::Sqlite, text).first().map(|t| t.text(text).to_ascii_uppercase());
            if !matches!(first.as_deref(), Some("ATTACH" | "DETACH" | "VACUUM")) {
                self.0.execute(text)?;
            }
        }
        Ok(())
    }

    /// Runs a query.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn query(&mut self, sql: &str) -> Result<Rows, EngineError> {
        self.0.query(sql)
    }

    /// Reads the schema.
    ///
    /// # Errors
    /// What SQLite says, or a transaction is open.
    pub fn inspect(&mut self) -> Result<Schema, EngineError> {
        self.0.inspect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_run_and_no_file_is_touched() {
        let mut memory = Memory::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db").display().to_string();
        memory
            .run(&format!(
                "CREATE TABLE t(a); -- ;\nATTACH '{path}' AS a; /* x */ VACUUM INTO '{path}';\n\
                 CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END; INSERT INTO t VALUES (1);"
            ))
            .unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(memory.inspect().unwrap().tables[0].triggers.len(), 1);
        assert_eq!(memory.query("SELECT count(*) FROM t").unwrap().rows[0][0].integer(), Some(0));
        let error = memory.run("CREATE TABLE u(a); CREATE TABLE u(b); CREATE TABLE w(a)").unwrap_err();
        assert_eq!(error.sql.as_deref(), Some("CREATE TABLE u(b)"));
        assert_eq!(memory.inspect().unwrap().tables.len(), 2);
    }
}
