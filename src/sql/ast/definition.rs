//! What makes a table: columns, constraints, indexes.

use super::{Ident, Name, Span, Text};
use crate::schema::{Action, IndexPart, Match, Timing};

/// `CREATE TABLE`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: Name,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMPORARY`: gone with the session.
    pub temporary: bool,
    /// `UNLOGGED`.
    pub unlogged: bool,
    /// `CREATE FOREIGN TABLE`.
    pub foreign: bool,
    /// `CREATE VIRTUAL TABLE`.
    pub virtual_table: bool,
    /// The columns.
    pub columns: Vec<ColumnDef>,
    /// Constraints and indexes that stand by themselves, in order.
    pub constraints: Vec<Constraint>,
    /// `LIKE` clauses: the table and what is included, in lower case; the place among the columns.
    pub likes: Vec<Like>,
    /// `PARTITION OF`.
    pub partition_of: Option<Name>,
    /// `INHERITS`.
    pub inherits: Vec<Name>,
    /// `PARTITION BY`.
    pub partitioned: bool,
    /// `AS SELECT …`: the columns cannot be told.
    pub as_query: bool,
    /// SQLite: `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// SQLite: `STRICT`.
    pub strict: bool,
    /// MySQL: `ENGINE = …`, in lower case.
    pub storage: Option<String>,
    /// MySQL: `COMMENT = '…'`.
    pub comment: Option<String>,
}

/// `LIKE other INCLUDING …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Like {
    /// The table that is copied.
    pub table: Name,
    /// How many columns stand before it.
    pub position: usize,
    /// What is included, in lower case: `all`, `indexes`, `defaults`, …; after taking off what is excluded.
    pub including: Vec<String>,
}

/// A column's definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type, as written; empty text on SQLite where there is none.
    pub data_type: Text,
    /// What is written after the type, in order.
    pub constraints: Vec<Constraint>,
    /// The whole definition.
    pub span: Span,
}

/// A constraint, an index or another fact about a column, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    /// What it says.
    pub kind: ConstraintKind,
    /// `DEFERRABLE`, where written.
    pub timing: Option<Timing>,
    /// `NOT VALID`.
    pub not_valid: bool,
    /// `NOT ENFORCED`.
    pub not_enforced: bool,
    /// `IF NOT EXISTS` (MariaDB, CockroachDB).
    pub if_not_exists: bool,
    /// Where it is, with its name.
    pub span: Span,
}

/// What a constraint says. Where it stands in a column's definition its columns are empty: they are that column.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstraintKind {
    /// `NOT NULL`; PostgreSQL 18's table constraint names its column.
    NotNull(Option<String>),
    /// `NULL`.
    Null,
    /// `DEFAULT`.
    Default(Text),
    /// `PRIMARY KEY`.
    PrimaryKey(KeyClause),
    /// `UNIQUE`.
    Unique(KeyClause),
    /// `CHECK`.
    Check(Text),
    /// `REFERENCES`, `FOREIGN KEY`.
    ForeignKey(Box<References>),
    /// `GENERATED ALWAYS AS (…)`.
    Generated {
        /// The expression.
        expression: Text,
        /// Whether it is stored.
        stored: bool,
    },
    /// `GENERATED … AS IDENTITY`, `AUTO_INCREMENT`.
    AutoNumber,
    /// `COLLATE`.
    Collate(String),
    /// `COMMENT '…'` (MySQL).
    Comment(String),
    /// An index that stands in the table (MySQL, CockroachDB).
    Index(Box<CreateIndex>),
    /// `EXCLUDE`.
    Exclude(Box<CreateIndex>),
}

/// The columns and options of a primary key or a unique constraint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyClause {
    /// The columns, in order.
    pub parts: Vec<IndexPart>,
    /// `INCLUDE`, `STORING`.
    pub included: Vec<String>,
    /// `NULLS NOT DISTINCT` (PostgreSQL).
    pub nulls_equal: bool,
    /// `USING INDEX name` (PostgreSQL).
    pub using_index: Option<Ident>,
    /// The index's name (MySQL).
    pub index_name: Option<String>,
    /// SQLite: `AUTOINCREMENT`.
    pub autoincrement: bool,
    /// SQLite: `ON CONFLICT REPLACE`.
    pub replaces: bool,
    /// CockroachDB, MySQL: the partial or hash form's predicate.
    pub predicate: Option<String>,
}

/// `REFERENCES …`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct References {
    /// The child's columns; empty in a column's definition.
    pub columns: Vec<Ident>,
    /// MySQL: the index's name.
    pub index_name: Option<String>,
    /// The parent.
    pub parent: Name,
    /// The parent's columns; empty for its primary key.
    pub parent_columns: Vec<Ident>,
    /// `ON DELETE`, and where it is.
    pub on_delete: Option<(Action, Span)>,
    /// `ON UPDATE`, and where it is.
    pub on_update: Option<(Action, Span)>,
    /// The columns of `SET NULL (…)`.
    pub set_columns: Vec<String>,
    /// `MATCH`.
    pub matching: Match,
    /// Whether the last column is a `PERIOD`.
    pub temporal: bool,
    /// From `REFERENCES` on.
    pub span: Span,
}

/// `CREATE INDEX`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateIndex {
    /// Its name, where it has one.
    pub name: Option<Ident>,
    /// Its table; empty where it stands in the table.
    pub table: Name,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `UNIQUE`.
    pub unique: bool,
    /// `NULLS NOT DISTINCT` (PostgreSQL).
    pub nulls_equal: bool,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// `ON ONLY`.
    pub only: bool,
    /// `USING`.
    pub method: Option<String>,
    /// Its parts.
    pub parts: Vec<IndexPart>,
    /// `INCLUDE`, `STORING`.
    pub included: Vec<String>,
    /// `WHERE`.
    pub predicate: Option<String>,
}
