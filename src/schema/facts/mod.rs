//! What each engine makes of a schema, as plain data: how it names, compares, orders, checks and changes.
//!
//! An engine's file holds one constant [`Facts`], every field with its source: the manual's section, or what was measured.
//! Whoever has to know how engines differ asks [`Engine::facts`] for the fact and not for the engine, so that no other
//! engine is meant by silence. They stand beside the model because all rooms above it need them; what a delete comes to
//! has facts of its own in `fate::engines`, and how SQL is written is the engine's `Dialect`.

mod alter;
mod cockroach;
mod keys;
mod mariadb;
mod mysql;
mod names;
mod postgres;
mod sqlite;
mod types;

pub use alter::{Alter, AlterOrder, Client, DoubleUnique, Scripts, SetType, Stop};
pub use keys::{
    CascadeLimit, Deferral, FiringOrder, Keys, LateCheck, LookupCollation, MissingParent, ParentKey, SetDefault,
};
pub use names::{CheckName, ConstraintNames, DefaultSchema, ForeignKeyName, IndexName, Names};
pub use types::{Converts, Types};

use super::Engine;

/// The facts by which an engine differs from the others.
pub struct Facts {
    /// How names are compared, scoped and made up.
    pub names: Names,
    /// What a foreign key may refer to, when it is checked and what its actions do.
    pub keys: Keys,
    /// How values, types and collations are compared.
    pub types: Types,
    /// How a table is changed.
    pub alter: Alter,
    /// How indexes are built and searched.
    pub indexes: Indexes,
    /// How sessions and scripts run.
    pub scripts: Scripts,
    /// What triggers do beside foreign keys.
    pub triggers: Triggers,
    /// What the engine says when a row is refused.
    pub errors: Errors,
}

/// How indexes are built and searched.
pub struct Indexes {
    /// Whether an index can be built beside writes by a statement of its own kind (`CONCURRENTLY`), partition by partition.
    pub concurrent: bool,
    /// What stands before the columns that an index holds beside its own; `None` where there are none.
    pub included: Option<&'static str>,
    /// Whether each part of a GiST, SP-GiST, GIN or BRIN index is searched by itself.
    pub parts_alone: bool,
}

/// What triggers do beside foreign keys.
pub struct Triggers {
    /// Whether a trigger is put in the place of another of its name by `CREATE OR REPLACE`.
    pub replace: bool,
    /// How a trigger has the engine pass over a row: for certain, and perhaps. `None` where none can.
    pub skips_row: Option<(&'static str, &'static str)>,
    /// Whether the foreign key whose action a trigger passes over a row of then refuses the delete.
    pub skipped_refuses: bool,
    /// Whether a trigger can be switched off for a while (`ALTER TABLE … DISABLE TRIGGER`); otherwise it is dropped and made again.
    pub can_be_disabled: bool,
    /// Whether keys of rows that a trigger writes are checked only when the statement ends that fired it.
    pub checks_wait: bool,
    /// What has them fire for the rows of a cascade where they do not by themselves, in a sentence.
    pub cascades_fire_by: Option<&'static str>,
}

/// Writes what the engine says of a table, a column, and a constraint's name.
pub type CheckError = fn(&str, &str, Option<&str>) -> String;

/// What the engine says when a row is refused, in its words and with its code.
pub struct Errors {
    /// When a NULL meets NOT NULL: of a table and a column. `None` where a key that could write one is refused before.
    pub not_null: Option<fn(&str, &str) -> String>,
    /// When a child row is written whose parent does not exist: of the child and the key's name.
    pub no_parent: fn(&str, Option<&str>) -> String,
    /// When a row does not meet a CHECK that forbids NULL: of a table, the column and the constraint's name. `None` where
    /// it is not known.
    pub check: Option<CheckError>,
    /// What it says of a row that would have to move to a partition and finds none; `None` where rows do not move.
    pub no_partition: Option<fn(&str) -> String>,
}

impl Engine {
    /// Returns what is known of the engine.
    pub fn facts(self) -> &'static Facts {
        match self {
            Self::Sqlite => &sqlite::FACTS,
            Self::Postgres => &postgres::FACTS,
            Self::Cockroach => &cockroach::FACTS,
            Self::Mysql => &mysql::FACTS,
            Self::Mariadb => &mariadb::FACTS,
        }
    }
}
