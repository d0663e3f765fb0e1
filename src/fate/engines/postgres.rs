//! PostgreSQL: every foreign key is a set of internal triggers, and their events stand in one queue.
//!
//! A delete queues, for each row, one event for each key that refers to the table, in the order of the triggers' names
//! (manual, "Overview of Trigger Behavior": alphabetical), which is the order of creation. The queries that cascades run
//! put their own events at the queue's end (`ri_triggers.c`: run with `fire_triggers = false`, so that the outer
//! statement's queue takes them). So the queue is worked off level by level, and a NO ACTION check is not the last thing
//! that happens: it looks when its turn comes. Only a deferred one waits for the end of the transaction; RESTRICT cannot be
//! deferred (manual, CREATE TABLE, "RESTRICT": "the same as NO ACTION except that the check is not deferrable").
//!
//! A row that this transaction has changed before is checked by all its keys when it changes again, not only by those whose
//! columns change (`ri_triggers.c`, `RI_FKey_fk_upd_check_required`: "if the original row was inserted by our own
//! transaction"). So two SET NULL keys on a row can bring down a delete by a third key, whose parent is gone already and whose
//! own action still stands in the queue.

use super::{Semantics, When};
use crate::schema::{Action, Timing};

pub(super) static SEMANTICS: Semantics = Semantics {
    check: |action, timing| {
        if action == Action::NoAction && timing == Timing::Deferred { When::End } else { When::Queue }
    },
    contradiction: When::Queue,
    primary_first: false,
    ancestors_in_the_way: false,
    rechecks_changed_rows: true,
    cascades_fire_triggers: true,
    broken_keys_stop_deletes: false,
    order: "the names of the internal triggers, which is the order in which the keys were created; pg_dump writes keys \
            sorted by name, so a restored copy has another order",
    notes: |_| Vec::new(),
};
