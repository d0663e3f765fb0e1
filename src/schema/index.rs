//! Keys and indexes of a table: what makes rows unique, and what finds them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{is_false, is_true, yes};

/// A primary key or a unique constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// The constraint's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// Whether its check can be put off to the end of the transaction. PostgreSQL lets no foreign key refer to such a key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// SQLite: whether it is declared `ON CONFLICT REPLACE`. An insert or an update then deletes the row that has the same key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replaces: bool,
}

impl Key {
    /// Makes a key without a name.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { name: None, columns: columns.into_iter().map(Into::into).collect(), deferrable: false, replaces: false }
    }
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// What it is sorted or hashed by, in order.
    pub parts: Vec<IndexPart>,
    /// Columns it carries beside its parts (`INCLUDE`, `STORING`); no search can use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<String>,
    /// Whether it is unique.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    /// PostgreSQL: whether a unique index takes two NULLs for equal (`NULLS NOT DISTINCT`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub nulls_equal: bool,
    /// The condition of a partial index, as SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// The access method: `btree`, `hash`, `brin`, `gin`, …
    pub method: String,
    /// Whether the engine uses it. A `CREATE INDEX CONCURRENTLY` that failed leaves one that is not.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub valid: bool,
    /// What made it.
    #[serde(default)]
    pub origin: IndexOrigin,
}

impl Index {
    /// Makes a valid btree index over plain columns.
    pub fn on<S: Into<String>>(name: impl Into<String>, columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            name: name.into(),
            parts: columns.into_iter().map(|c| IndexPart::column(c)).collect(),
            included: Vec::new(),
            unique: false,
            nulls_equal: false,
            predicate: None,
            method: "btree".to_string(),
            valid: true,
            origin: IndexOrigin::User,
        }
    }

    /// Returns the columns of an index that is over plain columns only; `None` if a part is an expression.
    pub fn plain_columns(&self) -> Option<Vec<&str>> {
        self.parts.iter().map(|p| p.column.as_deref()).collect()
    }
}

/// One part of an index: a column or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexPart {
    /// The column; `None` for an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The expression, as SQL text; `None` for a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Whether it is sorted downwards.
    #[serde(default, skip_serializing_if = "is_false")]
    pub descending: bool,
    /// The collation, where it is not the column's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// PostgreSQL: the operator class, where it is not the type's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_class: Option<String>,
}

impl IndexPart {
    /// Makes a part that is a plain column.
    pub fn column(name: impl Into<String>) -> Self {
        Self { column: Some(name.into()), ..Self::default() }
    }
}

/// What made an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexOrigin {
    /// `CREATE INDEX`.
    #[default]
    User,
    /// The primary key.
    PrimaryKey,
    /// A unique or exclusion constraint.
    Constraint,
    /// The engine, for a foreign key (InnoDB).
    ForeignKey,
}
