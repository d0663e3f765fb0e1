//! SQLite: actions are row triggers that the engine makes itself, NO ACTION is a counter.
//!
//! Manual, "SQLite Foreign Key Support", 4.3: RESTRICT acts "immediately", even on a deferred key; NO ACTION lets the
//! statement end and then asks whether the counter of violations is zero. Actions of a row's keys run newest key first
//! (`fkey.c`: `sqlite3FkReferences` is a list that each new key is put at the head of), and each runs to its end, with
//! everything below it, before the next one starts. Section 3: a key whose parent columns are no key ("foreign key
//! mismatch"), or whose parent is missing, is an error when the statement is prepared; all the actions a delete can set off
//! are prepared with it.
//!
//! An UPDATE that changes a column of any key of a table, by an action too, checks the keys by which the table refers to itself even
//! where their columns stay as they are (`fkey.c`, `sqlite3FkCheck`: `fkChildIsModified` is not asked where the key's parent is
//! the table itself).

use super::{Semantics, When};
use crate::schema::Action;

pub(super) static SEMANTICS: Semantics = Semantics {
    check: |action, _| if action == Action::Restrict { When::Descent } else { When::End },
    contradiction: When::Descent,
    primary_first: false,
    ancestors_in_the_way: false,
    rechecks_changed_rows: false,
    cascades_fire_triggers: true,
    broken_keys_stop_deletes: true,
    order: "the order of declaration, the newest key first",
    notes: |recursive| {
        let limit =
            "a chain of more than 1,000 rows, each below the other, stops the delete (SQLITE_MAX_TRIGGER_DEPTH)";
        if recursive { vec![limit.to_string()] } else { Vec::new() }
    },
};
