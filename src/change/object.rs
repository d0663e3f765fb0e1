//! What a change or a statement is about, as a value that is written in words only to be read.

use std::fmt;

use crate::schema::TableName;

/// A table, or something of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A table.
    Table(TableName),
    /// A column of the table in question.
    Column(String),
    /// A column of another table.
    ColumnOf(TableName, String),
    /// An index.
    Index(String),
    /// A constraint.
    Constraint(String),
    /// A foreign key.
    ForeignKey(String),
    /// The foreign key on these columns.
    ForeignKeyOn(Vec<String>),
    /// The primary key.
    PrimaryKey,
    /// The primary or unique key on these columns.
    KeyOn(Vec<String>),
    /// The check with this expression.
    Check(String),
    /// A trigger.
    Trigger(String),
    /// A rewrite rule.
    Rule(String),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "table `{table}`"),
            Self::Column(name) => write!(f, "column `{name}`"),
            Self::ColumnOf(table, name) => write!(f, "column `{table}.{name}`"),
            Self::Index(name) => write!(f, "index `{name}`"),
            Self::Constraint(name) => write!(f, "constraint `{name}`"),
            Self::ForeignKey(name) => write!(f, "foreign key `{name}`"),
            Self::ForeignKeyOn(columns) => write!(f, "such foreign key on ({})", columns.join(", ")),
            Self::PrimaryKey => f.write_str("a primary key"),
            Self::KeyOn(columns) => write!(f, "such key on ({})", columns.join(", ")),
            Self::Check(expression) => write!(f, "check ({expression})"),
            Self::Trigger(name) => write!(f, "trigger `{name}`"),
            Self::Rule(name) => write!(f, "rule `{name}`"),
        }
    }
}
