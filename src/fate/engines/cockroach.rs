//! CockroachDB: cascades are queued as whole statements, and everything that can refuse is checked after all of them.
//!
//! Docs, "Foreign Key Constraint": RESTRICT and NO ACTION are the same, "since CockroachDB does not support deferring
//! constraint checking". The `fk` logic test has the rule for two keys on a column: CASCADE, SET NULL and SET DEFAULT act in
//! the order of creation, checks run afterwards and find the rows gone. `foreign_key_cascades_limit` (10,000) bounds the
//! number of cascading statements. It refuses SET NULL on a `NOT NULL` column when the key is declared.

use super::{Semantics, When};

pub(super) static SEMANTICS: Semantics = Semantics {
    check: |_, _| When::End,
    contradiction: When::End,
    sets_defaults: true,
    match_full: true,
    primary_first: false,
    ancestors_in_the_way: false,
    rechecks_changed_rows: false,
    cascade_limit: None,
    broken_keys_stop_deletes: false,
    order: "the order in which the keys were created",
    notes: |recursive| {
        let limit = "more than foreign_key_cascades_limit (10,000) cascading statements stop the delete";
        let mut notes =
            vec!["whoever deletes needs SELECT and DELETE on every table that the delete cascades into".to_string()];
        if recursive {
            notes.push(limit.to_string());
        }
        notes
    },
};
