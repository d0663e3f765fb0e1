//! Reads [`Definitions`]: from a database, or from SQL that would make one.

use super::{Definition, Definitions};
use crate::engine::sqlite::Memory;
use crate::engine::{EngineError, Reader, Rows, Value};
use crate::schema::TableName;

const OBJECTS: &str = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY rowid";

impl Definitions {
    /// Reads the definitions of a SQLite database.
    ///
    /// # Errors
    /// What the engine says.
    pub fn from_session(session: &mut dyn Reader) -> Result<Self, EngineError> {
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

    /// Finds an object, by type and name.
    pub(super) fn find(&self, kind: &str, name: &str) -> Option<&Definition> {
        self.objects.iter().find(|d| d.kind == kind && d.name.eq_ignore_ascii_case(name))
    }

    /// Iterates over a table's objects of a type that have a text.
    pub(super) fn of<'a>(&'a self, kind: &'a str, table: &'a TableName) -> impl Iterator<Item = (&'a str, &'a str)> {
        let ours = move |d: &&Definition| d.kind == kind && d.table.eq_ignore_ascii_case(&table.name);
        self.objects.iter().filter(ours).filter_map(|d| Some((d.name.as_str(), d.sql.as_deref()?)))
    }

    /// Collects every name and text.
    pub(super) fn names(&self) -> Names {
        let mut all = String::new();
        for object in &self.objects {
            for text in [Some(&object.name), object.sql.as_ref()].into_iter().flatten() {
                all.push_str(&text.to_ascii_lowercase());
                all.push('\n');
            }
        }
        Names(all)
    }
}

/// Every name and text of a database's definitions, in lower case.
pub(super) struct Names(String);

impl Names {
    /// Returns a name for a table that is in no definition.
    pub(super) fn free(&self, wanted: &str) -> String {
        let mut name = wanted.to_string();
        let mut number = 1;
        while self.0.contains(&name.to_ascii_lowercase()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }
}
