//! Counts of rows that a plan rests on. The planner reads no database: it writes a query, the caller asks it and plans again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What the caller has counted, and what a plan found missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// `None` where the database does not say.
    known: BTreeMap<String, Option<u64>>,
    missing: RefCell<BTreeSet<String>>,
}

impl Counts {
    /// Returns the number that a query gave; one that was never asked is taken down as missing.
    pub(super) fn get(&self, query: &str) -> Option<u64> {
        let known = self.known.get(query).copied();
        if known.is_none() {
            self.missing.borrow_mut().insert(query.to_string());
        }
        known.flatten()
    }

    /// Returns the queries, each of one number, that the plans made so far had no answer to.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }

    /// Takes in the answer to a query.
    pub fn answer(&mut self, query: String, rows: u64) {
        self.missing.get_mut().remove(&query);
        self.known.insert(query, Some(rows));
    }

    /// Takes in that a query has no answer: this user may not read its tables, or not whole.
    pub fn no_answer(&mut self, query: String) {
        self.missing.get_mut().remove(&query);
        self.known.insert(query, None);
    }
}
