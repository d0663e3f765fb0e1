//! Reads [`Definitions`]: from a database, or from SQL that would make one.

use super::{Definition, Definitions};
use crate::engine::sqlite::Memory;
use crate::engine::{EngineError, Rows, Session, Value};

const OBJECTS: &str = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY rowid";

impl Definitions {
    /// Reads the definitions of a SQLite database.
    ///
    /// # Errors
    /// What the engine says.
    pub fn from_session(session: &mut dyn Session) -> Result<Self, EngineError> {
        session.query(OBJECTS).map(|rows| Self::from_rows(&rows))
    }

    /// Runs texts of SQL in order in a database in memory, and reads its definitions: what SQLite makes of a folder of
    /// migrations. Statements that would touch a file are passed over.
    ///
    /// # Errors
    /// What SQLite says of the first statement that fails.
    pub fn from_sql<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, EngineError> {
        let mut memory = Memory::new()?;
        for text in texts {
            memory.run(text)?;
        }
        memory.query(OBJECTS).map(|rows| Self::from_rows(&rows))
    }

    fn from_rows(rows: &Rows) -> Self {
        let text = |row: &[Value], i: usize| row.get(i).and_then(Value::text);
        let one = |row: &Vec<Value>| Definition {
            kind: text(row, 0).unwrap_or_default(),
            name: text(row, 1).unwrap_or_default(),
            table: text(row, 2).unwrap_or_default(),
            sql: text(row, 3),
        };
        Self { objects: rows.rows.iter().map(one).collect() }
    }
}
