//! SQLite's type affinity, by which it converts what is stored in a column and what is compared with it.

use super::{Column, DataType, Table};

/// What a column turns values into ("Datatypes In SQLite", 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Numbers become texts.
    Text,
    /// Texts that look like numbers become numbers: INTEGER, REAL and NUMERIC, which compare alike.
    Number,
    /// Values stay as they are: BLOB, and columns without a type.
    Blob,
}

impl Affinity {
    /// Returns the affinity of a declared type ("Datatypes In SQLite", 3.1: the order of the tests is the manual's).
    /// `strict`: of a STRICT table, where ANY keeps what it is given.
    pub fn of(data_type: &DataType, strict: bool) -> Self {
        let raw = data_type.raw.to_ascii_uppercase();
        let has = |part: &str| raw.contains(part);
        if has("INT") {
            Self::Number
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || raw.is_empty() || strict && raw == "ANY" {
            Self::Blob
        } else {
            Self::Number
        }
    }
}

impl Table {
    /// SQLite: returns the affinity of one of its columns.
    pub fn affinity(&self, column: &Column) -> Affinity {
        Affinity::of(&column.data_type, self.strict)
    }

    /// SQLite: tells whether a column is another name of the rowid ("CREATE TABLE", 5).
    pub fn is_rowid(&self, column: &Column) -> bool {
        let alone = |k: &super::Key| matches!(k.columns.as_slice(), [c] if *c == column.name);
        // `INTEGER PRIMARY KEY DESC` is none, and has an index.
        let has_index = || self.indexes.iter().any(|i| i.origin == super::IndexOrigin::PrimaryKey);
        !self.without_rowid
            && column.data_type.raw.eq_ignore_ascii_case("integer")
            && self.primary_key.as_ref().is_some_and(alone)
            && !has_index()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;

    #[test]
    fn affinity_follows_the_manual() {
        let of = |raw: &str| Affinity::of(&DataType::parse(Engine::Sqlite, raw), false);
        for raw in [
            "INT",
            "BIGINT",
            "POINT",
            "REAL",
            "DOUBLE",
            "NUMERIC",
            "DECIMAL(10,2)",
            "STRING",
            "UUID",
            "DATETIME",
            "ANY",
        ] {
            assert_eq!(of(raw), Affinity::Number, "{raw}");
        }
        for raw in ["TEXT", "VARCHAR(20)", "CLOB", "nchar(4)"] {
            assert_eq!(of(raw), Affinity::Text, "{raw}");
        }
        for raw in ["", "BLOB"] {
            assert_eq!(of(raw), Affinity::Blob, "{raw}");
        }
        assert_eq!(Affinity::of(&DataType::parse(Engine::Sqlite, "ANY"), true), Affinity::Blob);
    }
}
