//! What each engine makes of the same foreign key when a parent row is deleted.
//!
//! An engine's file holds a [`Semantics`]: plain data, each fact with its source; what other rooms ask as well is in
//! `schema::facts`. Nothing else in `fate` asks which
//! engine it is; a new engine is a new file here.

mod cockroach;
mod innodb;
mod postgres;
mod sqlite;

use crate::schema::{Action, Engine, Timing};

/// When a check that can refuse the delete looks for child rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Once everything else is done: at the end of the statement or of the transaction. Order plays no part.
    End,
    /// When its turn comes in a queue that holds the actions too: all of one level before all of the next.
    Queue,
    /// In such a queue, but one level after its turn: the action succeeds and queues the check of what it wrote.
    Queued,
    /// At once, before the next action: whatever an action sets off is finished before the action after it begins.
    Descent,
}

/// The facts by which an engine differs from the others.
pub(crate) struct Semantics {
    /// When a refusing action (`NO ACTION`, `RESTRICT`) is checked.
    pub check: fn(Action, Timing) -> When,
    /// When an action that contradicts its column (`SET NULL` on `NOT NULL`) fails.
    pub contradiction: When,
    /// Whether keys that refer to the parent's primary key act before those that refer to its other keys.
    pub primary_first: bool,
    /// Whether a row that is being deleted still counts as a child row while what hangs below it is worked on.
    pub ancestors_in_the_way: bool,
    /// Whether a row that one delete changes twice is checked by all its keys the second time, changed or not.
    pub rechecks_changed_rows: bool,
    /// Whether triggers fire for rows that a cascade deletes or changes.
    pub cascades_fire_triggers: bool,
    /// Whether a key whose parent is no key, or is missing, stops every delete of the tables on both its sides.
    pub broken_keys_stop_deletes: bool,
    /// What decides the order in which actions and checks are carried out, for people.
    pub order: &'static str,
    /// What the verdict leaves out, said to every user whose delete cascades.
    pub notes: fn(recursive: bool) -> Vec<String>,
}

/// Returns an engine's facts.
pub(crate) fn semantics(engine: Engine) -> &'static Semantics {
    match engine {
        Engine::Postgres => &postgres::SEMANTICS,
        Engine::Sqlite => &sqlite::SEMANTICS,
        Engine::Cockroach => &cockroach::SEMANTICS,
        Engine::Mysql | Engine::Mariadb => &innodb::SEMANTICS,
    }
}
