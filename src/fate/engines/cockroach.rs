//! CockroachDB: cascades are queued as whole statements, and everything that can refuse is checked after all of them.
//!
//! Docs, "Foreign Key Constraint": RESTRICT and NO ACTION are the same, "since CockroachDB does not support deferring
//! constraint checking". The `fk` logic test has the rule for two keys on a column: CASCADE, SET NULL and SET DEFAULT act in
//! the order of creation, checks run afterwards and find the rows gone. `foreign_key_cascades_limit` (10,000) bounds the
//! number of cascading statements. It refuses SET NULL on a `NOT NULL` column when the key is declared. Cascades ran with the
//! privileges of whoever deletes until issue 172267 was closed for v26.3.
//!
//! None of this was tried on a server. The least certain: that a row which SET NULL leaves NULL in part under `MATCH FULL` is
//! forgiven if a later cascade deletes it; the check may look at what was written instead.

use super::{Semantics, When};

pub(super) static SEMANTICS: Semantics = Semantics {
    check: |_, _| When::End,
    contradiction: When::End,
    primary_first: false,
    ancestors_in_the_way: false,
    rechecks_changed_rows: false,
    cascades_fire_triggers: true,
    broken_keys_stop_deletes: false,
    order: "the order in which the keys were created",
    notes: |recursive| {
        let limit = "more than foreign_key_cascades_limit (10,000) cascading statements stop the delete";
        let mut notes =
            vec!["on releases before v26.3, whoever deletes needs SELECT and DELETE (UPDATE where a key sets NULL) on every \
                  table that the delete cascades into".to_string()];
        if recursive {
            notes.push(limit.to_string());
        }
        notes
    },
};
