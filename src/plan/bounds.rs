//! The rows that a plan changes: each step's bounds, and what they come to in all.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::Step;
use crate::change::Change;
use crate::relations::side;
use crate::schema::TableName;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowAction {
    /// It is deleted.
    Delete,
    /// It is moved to another table.
    Move,
    /// Its reference becomes NULL.
    SetNull,
}

impl RowAction {
    const ALL: [Self; 3] = [Self::Delete, Self::Move, Self::SetNull];

    /// Writes it of a number of rows: `deletes 12 rows`.
    pub fn told(self, rows: &str) -> String {
        match self {
            Self::Delete => format!("deletes {rows}"),
            Self::Move => format!("moves {rows}"),
            Self::SetNull => format!("sets {rows} to NULL"),
        }
    }
}

/// How many rows a step may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "Written", from = "Written")]
pub struct Bound {
    /// A query returning one number.
    pub count: String,
    /// How many rows were shown.
    pub rows: u64,
    /// The table whose rows they are.
    pub table: TableName,
    /// The columns that become NULL, where other columns of the table have a bound of their own.
    pub columns: Vec<String>,
    /// What becomes of them.
    pub action: RowAction,
    /// The columns that become NULL, all of them.
    pub set: Vec<String>,
    /// Whether the user has named the relation, and so looked at what acts on its rows.
    pub named: bool,
}

/// A [`Bound`] as it is written: with its words.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Written {
    /// A query returning one number.
    count: String,
    /// How many rows were shown.
    rows: u64,
    /// The table whose rows they are.
    table: TableName,
    /// The columns that become NULL, where other columns of the table have a bound of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
    /// What becomes of them.
    action: RowAction,
    /// The columns that become NULL, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<String>,
    /// Whether the user has named the relation, and so looked at what acts on its rows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    named: bool,
    /// The same in words: `rows of posts to delete`.
    #[serde(default)]
    what: String,
}

impl From<Bound> for Written {
    fn from(bound: Bound) -> Self {
        let what = bound.what();
        let Bound { count, rows, table, columns, action, set, named } = bound;
        Self { count, rows, table, columns, action, set, named, what }
    }
}

impl From<Written> for Bound {
    fn from(written: Written) -> Self {
        let Written { count, rows, table, columns, action, set, named, what: _ } = written;
        Self { count, rows, table, columns, action, set, named }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} {}{}", self.rows, self.noun(), self.end())
    }
}

impl Bound {
    /// Names the rows and what becomes of them: `rows of posts to delete`.
    pub fn what(&self) -> String {
        format!("rows {}", self.after_rows())
    }

    /// Says whose rows and what becomes of them, without `rows` or `row` before: `of posts to delete`.
    pub fn after_rows(&self) -> String {
        format!("of {}{}", self.of(), self.end())
    }

    /// Says how many rows were really changed: `deleted 3 of at most 3 rows of posts`.
    pub fn told(&self, changed: u64) -> String {
        let (verb, rest) = match self.action {
            RowAction::Delete => ("deleted", ""),
            RowAction::Move => ("moved", ""),
            RowAction::SetNull => ("set", " to NULL"),
        };
        format!("{verb} {changed} of at most {} {}{rest}", self.rows, self.noun())
    }

    fn of(&self) -> String {
        side(&self.table, &self.columns)
    }

    fn noun(&self) -> String {
        format!("{} of {}", if self.rows == 1 { "row" } else { "rows" }, self.of())
    }

    fn end(&self) -> &'static str {
        match self.action {
            RowAction::Delete => " to delete",
            RowAction::Move => " to move",
            RowAction::SetNull => " to set to NULL",
        }
    }
}

/// The rows that a plan changes in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowTotal {
    /// What becomes of them.
    pub action: RowAction,
    /// How many there are at most.
    pub rows: u64,
    /// How many of each table, or column where one becomes NULL.
    pub of: Vec<(u64, String)>,
}

impl RowTotal {
    /// Writes `deletes 60 rows (12 orders, 48 order_items)`, with `most` before the number.
    pub fn told(&self, most: &str) -> String {
        self.action.told(&self.rows_told(most))
    }

    /// Writes `60 rows (12 orders, 48 order_items)`, with `most` before the number.
    pub fn rows_told(&self, most: &str) -> String {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        let of: Vec<String> = self.of.iter().map(|(rows, of)| format!("{rows} {of}")).collect();
        format!("{most}{} {rows} ({})", self.rows, of.join(", "))
    }
}

impl Plan {
    /// Returns how many rows the steps change at most, as they were counted; ways without any are left out.
    pub fn row_totals(&self) -> Vec<RowTotal> {
        let bounds = || self.steps.iter().flat_map(|s| &s.bounds).filter(|b| b.rows > 0);
        let of_way = |action: RowAction| {
            let mut of: Vec<(u64, String)> = Vec::new();
            for bound in bounds().filter(|b| b.action == action) {
                let noun = bound.of();
                match of.iter_mut().find(|(_, known)| *known == noun) {
                    Some((rows, _)) => *rows = rows.saturating_add(bound.rows),
                    None => of.push((bound.rows, noun)),
                }
            }
            let rows = of.iter().fold(0u64, |all, (rows, _)| all.saturating_add(*rows));
            (rows > 0).then_some(RowTotal { action, rows, of })
        };
        RowAction::ALL.into_iter().filter_map(of_way).collect()
    }

    /// Tells whether a step changes rows that nobody has counted.
    pub fn changes_uncounted_rows(&self) -> bool {
        self.steps.iter().any(|s| s.touches_rows && s.bounds.is_empty())
    }

    /// Names the tables that the steps back rows up in.
    pub fn backups(&self) -> Vec<String> {
        self.steps.iter().flat_map(Step::backups).map(ToString::to_string).collect()
    }
}

impl Step {
    /// Returns the tables in which the rows that it changes are backed up.
    pub fn backups(&self) -> Vec<&TableName> {
        let made = self.changes.iter().filter(|_| self.touches_rows).filter_map(|change| match change {
            Change::CreateTable { definition } => Some(&definition.name),
            _ => None,
        });
        made.collect()
    }
}
