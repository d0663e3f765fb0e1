//! Random tables that refer to one another, with orphans: what a clean-up has to come to, worked out row by row.

use std::collections::BTreeSet;

use proptest::prelude::*;
use referee::schema::Action;

/// A reference of a table, to another's `id` or its own.
#[derive(Clone, Debug)]
pub struct Key {
    pub parent: usize,
    pub nullable: bool,
    /// Whether it is declared already, with this action; the others are to be added.
    pub declared: Option<Action>,
}

/// A table: its references are the columns `c0`, `c1`, …, its rows are numbered from 1 by `id`.
#[derive(Clone, Debug)]
pub struct Table {
    pub keys: Vec<Key>,
    pub rows: Vec<Vec<Option<usize>>>,
}

/// Tables `t0`, `t1`, ….
#[derive(Clone, Debug)]
pub struct Case {
    pub tables: Vec<Table>,
    pub quarantine: bool,
}

/// What is left: for each table its rows, each with its `id`, and how many were deleted; for each reference how many became NULL.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub rows: Vec<Vec<(usize, Vec<Option<usize>>)>>,
    pub deleted: Vec<u64>,
    pub nulled: Vec<Vec<u64>>,
    /// Whether a row goes, or loses a reference, because another goes.
    pub follows: bool,
}

/// Makes cases.
pub fn cases() -> impl Strategy<Value = Case> {
    let actions = [None, Some(Action::NoAction), Some(Action::Restrict), Some(Action::Cascade), Some(Action::SetNull)];
    let key = (any::<prop::sample::Index>(), prop::bool::weighted(0.4), prop::sample::select(actions.to_vec()));
    let row = prop::collection::vec(0usize..10, 3);
    let table = (prop::collection::vec(key, 0..=3), prop::collection::vec(row, 0..=6));
    (prop::collection::vec(table, 2..=5), any::<bool>()).prop_map(|(tables, quarantine)| {
        let count = tables.len();
        let sizes: Vec<usize> = tables.iter().map(|(_, rows)| rows.len()).collect();
        let tables = tables.into_iter().map(|(keys, rows)| {
            let keys: Vec<Key> = keys
                .into_iter()
                .map(|(parent, nullable, declared)| Key { parent: parent.index(count), nullable, declared })
                .collect();
            let value = |key: &Key, drawn: usize| match drawn {
                0 if key.nullable => None,
                // One in ten is an orphan: no table has so many rows.
                9 => Some(77),
                drawn => Some(1 + drawn % sizes[key.parent].max(1)),
            };
            let rows = rows.into_iter().map(|row| keys.iter().zip(row).map(|(key, n)| value(key, n)).collect());
            Table { rows: rows.collect(), keys: keys.clone() }
        });
        Case { tables: tables.collect(), quarantine }
    })
}

impl Case {
    fn is_there(&self, table: usize, id: usize) -> bool {
        (1..=self.tables[table].rows.len()).contains(&id)
    }

    /// How many orphans a reference has.
    pub fn orphans(&self, table: usize, key: usize) -> u64 {
        let of = &self.tables[table];
        let parent = of.keys[key].parent;
        of.rows.iter().filter(|row| row[key].is_some_and(|id| !self.is_there(parent, id))).count() as u64
    }

    /// Works out what a word for all orphans has to come to.
    pub fn outcome(&self) -> Outcome {
        let mut gone: BTreeSet<(usize, usize)> = BTreeSet::new();
        let each = || {
            self.tables.iter().enumerate().flat_map(|(t, table)| {
                table.rows.iter().enumerate().flat_map(move |(r, row)| {
                    table.keys.iter().zip(row).enumerate().map(move |(k, (key, value))| (t, r + 1, k, key, *value))
                })
            })
        };
        for (t, id, _, key, value) in each() {
            if !key.nullable && value.is_some_and(|v| !self.is_there(key.parent, v)) {
                gone.insert((t, id));
            }
        }
        let first = gone.len();
        loop {
            let before = gone.len();
            for (t, id, _, key, value) in each() {
                let with_it = !key.nullable || key.declared == Some(Action::Cascade);
                if with_it && value.is_some_and(|v| gone.contains(&(key.parent, v))) {
                    gone.insert((t, id));
                }
            }
            if gone.len() == before {
                break;
            }
        }
        let mut follows = gone.len() > first;
        let mut nulled: Vec<Vec<u64>> = self.tables.iter().map(|t| vec![0; t.keys.len()]).collect();
        let mut rows: Vec<Vec<(usize, Vec<Option<usize>>)>> = Vec::new();
        for (t, table) in self.tables.iter().enumerate() {
            let mut left = Vec::new();
            for (r, row) in table.rows.iter().enumerate().filter(|(r, _)| !gone.contains(&(t, r + 1))) {
                let mut row = row.clone();
                for (k, key) in table.keys.iter().enumerate() {
                    let Some(v) = row[k] else { continue };
                    let goes = gone.contains(&(key.parent, v));
                    follows |= goes;
                    if goes || !self.is_there(key.parent, v) {
                        row[k] = None;
                        nulled[t][k] += 1;
                    }
                }
                left.push((r + 1, row));
            }
            rows.push(left);
        }
        let deleted = (0..self.tables.len()).map(|t| gone.iter().filter(|(of, _)| *of == t).count() as u64);
        Outcome { rows, deleted: deleted.collect(), nulled, follows }
    }

    /// Writes the tables and rows; keys that are declared are told by `clause`, one after the other.
    pub fn columns(&self, table: usize) -> Vec<String> {
        let of = &self.tables[table];
        let one = |(k, key): (usize, &Key)| format!("c{k} INTEGER{}", if key.nullable { "" } else { " NOT NULL" });
        std::iter::once("id INTEGER PRIMARY KEY".to_string()).chain(of.keys.iter().enumerate().map(one)).collect()
    }

    /// Writes the rows of all tables.
    pub fn inserts(&self) -> String {
        let mut sql = String::new();
        for (t, table) in self.tables.iter().enumerate() {
            for (r, row) in table.rows.iter().enumerate() {
                let values = row.iter().map(|v| v.map_or("NULL".to_string(), |v| v.to_string()));
                let values: Vec<String> = std::iter::once((r + 1).to_string()).chain(values).collect();
                sql.push_str(&format!("INSERT INTO t{t} VALUES ({});\n", values.join(", ")));
            }
        }
        sql
    }

    /// Returns the rows as they are.
    pub fn before(&self) -> Vec<Vec<(usize, Vec<Option<usize>>)>> {
        let numbered = |t: &Table| t.rows.iter().cloned().enumerate().map(|(r, row)| (r + 1, row)).collect();
        self.tables.iter().map(numbered).collect()
    }

    /// Compares the counts of a plan's steps with what happens.
    pub fn same_counts(&self, outcome: &Outcome, bounds: &[(String, u64)]) -> Result<(), String> {
        let shown = |what: &str| bounds.iter().filter(|(w, _)| w == what).map(|(_, n)| *n).collect::<Vec<_>>();
        for (t, deleted) in outcome.deleted.iter().enumerate() {
            // A table whose relations are cleaned up by themselves has a count for each of them.
            let mut removed = shown(&format!("rows of t{t} to delete"));
            removed.extend(shown(&format!("rows of t{t} to move")));
            let sum: u64 = removed.iter().sum();
            if removed.len() == 1 && sum != *deleted || sum < *deleted {
                return Err(format!("t{t}: {removed:?} shown, {deleted} deleted"));
            }
            let alone: u64 = shown(&format!("rows of t{t} to set to NULL")).iter().sum();
            for (k, nulled) in outcome.nulled[t].iter().enumerate() {
                let of: u64 = shown(&format!("rows of t{t}.c{k} to set to NULL")).iter().sum();
                if of != *nulled && alone < *nulled {
                    return Err(format!("t{t}.c{k}: {of} and {alone} shown, {nulled} set to NULL"));
                }
            }
        }
        Ok(())
    }
}
