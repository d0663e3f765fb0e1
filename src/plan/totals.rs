//! What a plan does to rows in all: how many it deletes, moves or sets to NULL, of which tables, and where they are backed up.

use super::Plan;
use crate::change::Change;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// It is deleted.
    Delete,
    /// It is moved to another table.
    Move,
    /// Its reference becomes NULL.
    SetNull,
}

impl RowChange {
    const ALL: [Self; 3] = [Self::Delete, Self::Move, Self::SetNull];

    /// Returns the words by which a bound says so.
    fn mark(self) -> &'static str {
        match self {
            Self::Delete => " to delete",
            Self::Move => " to move",
            Self::SetNull => " to set to NULL",
        }
    }

    /// Writes it of a number of rows: `deletes 12 rows`.
    pub fn told(self, rows: &str) -> String {
        match self {
            Self::Delete => format!("deletes {rows}"),
            Self::Move => format!("moves {rows}"),
            Self::SetNull => format!("sets {rows} to NULL"),
        }
    }
}

/// The rows that a plan changes in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowTotal {
    /// What becomes of them.
    pub change: RowChange,
    /// How many there are at most.
    pub rows: u64,
    /// How many of each table, or column where one becomes NULL.
    pub of: Vec<(u64, String)>,
}

impl RowTotal {
    /// Writes `60 rows (12 orders, 48 order_items)`, with `most` before the number.
    pub fn told(&self, most: &str) -> String {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        let of: Vec<String> = self.of.iter().map(|(rows, of)| format!("{rows} {of}")).collect();
        self.change.told(&format!("{most}{} {rows} ({})", self.rows, of.join(", ")))
    }
}

impl Plan {
    /// Returns how many rows the steps change at most, as they were counted; ways without any are left out.
    pub fn row_totals(&self) -> Vec<RowTotal> {
        let bounds = || self.steps.iter().flat_map(|s| &s.bounds).filter(|b| b.rows > 0);
        let of_way = |change: RowChange| {
            let mut of: Vec<(u64, String)> = Vec::new();
            for bound in bounds() {
                let Some((noun, _)) = bound.what.split_once(change.mark()) else { continue };
                let noun = noun.strip_prefix("rows of ").unwrap_or(noun);
                match of.iter_mut().find(|(_, known)| known == noun) {
                    Some((rows, _)) => *rows = rows.saturating_add(bound.rows),
                    None => of.push((bound.rows, noun.to_string())),
                }
            }
            let rows = of.iter().fold(0u64, |all, (rows, _)| all.saturating_add(*rows));
            (rows > 0).then_some(RowTotal { change, rows, of })
        };
        RowChange::ALL.into_iter().filter_map(of_way).collect()
    }

    /// Tells whether a step changes rows that nobody has counted.
    pub fn changes_uncounted_rows(&self) -> bool {
        self.steps.iter().any(|s| s.touches_rows && s.bounds.is_empty())
    }

    /// Names the tables that the steps back rows up in.
    pub fn backups(&self) -> Vec<String> {
        let changes = self.steps.iter().filter(|s| s.touches_rows).flat_map(|s| &s.changes);
        let made = changes.filter_map(|change| match change {
            Change::CreateTable { definition } => Some(definition.name.to_string()),
            _ => None,
        });
        made.collect()
    }
}
