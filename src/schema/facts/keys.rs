//! What a foreign key means to an engine.

use crate::schema::{Action, ForeignKey, Timing};

/// What a foreign key may refer to, when it is checked and what its actions do.
pub struct Keys {
    /// What the columns that a key refers to have to be.
    pub parent: ParentKey,
    /// What is said of keys to columns that are not unique where they are accepted, in a sentence.
    pub not_unique: Option<&'static str>,
    /// What becomes of a key whose parent's table or column does not exist.
    pub missing_parent: MissingParent,
    /// Whether the index that makes a parent unique has to have the column's own collation.
    pub parent_index_collation: bool,
    /// Whether keys are checked only in connections that ask for it.
    pub enforced_by_connection: bool,
    /// Whether `MATCH FULL` means anything.
    pub match_full: bool,
    /// Which deferral a key can have.
    pub deferral: Deferral,
    /// Whether RESTRICT is only another word for NO ACTION.
    pub restrict_is_no_action: bool,
    /// What a refusing key has to be to look only after all cascades are done.
    pub late_check: LateCheck,
    /// Whether the delete is refused as long as one key refuses it, whatever the others do.
    pub refusal_wins: bool,
    /// The order in which a row's keys act.
    pub order: FiringOrder,
    /// How many cascades may follow each other, where a schema can reach that.
    pub cascade_limit: Option<CascadeLimit>,
    /// The codes with which `SET NULL` of a `NOT NULL` column is refused when it is declared.
    pub set_null_refused: Option<&'static str>,
    /// The code with which `SET NULL` of a column is refused that a CHECK is about, where it is another one.
    pub set_null_checked: Option<&'static str>,
    /// The first version that knows `SET NULL (columns)`; `None` for never.
    pub set_columns_since: Option<u32>,
    /// What `SET DEFAULT` does.
    pub set_default: SetDefault,
    /// Whether `REFERENCES` behind a column makes a key.
    pub inline: bool,
    /// The storage engine whose tables alone have keys.
    pub storage: Option<&'static str>,
    /// Whether `DEFERRABLE` of a unique or primary key is read and ignored.
    pub unique_deferral_ignored: bool,
    /// Whether an action that would write to a generated column can be declared: it then fails when it acts.
    pub writes_generated: bool,
    /// Whether the engine makes an index for a key's columns where there is none.
    pub makes_index: bool,
    /// Whether an update of a foreign key's column checks the keys by which the table refers to itself, changed or not.
    pub rechecks_own: bool,
    /// Which collation an engine's own look-up of child rows compares by.
    pub lookup_collation: LookupCollation,
}

impl Keys {
    /// Tells whether a refusing key looks only after all cascades are done.
    pub fn is_late(&self, key: &ForeignKey) -> bool {
        match self.late_check {
            LateCheck::NoActionDeferred => key.on_delete == Action::NoAction && key.timing == Timing::Deferred,
            LateCheck::NoAction => key.on_delete == Action::NoAction,
            LateCheck::Always => key.on_delete.refuses(),
            LateCheck::Never => false,
        }
    }

    /// Tells whether the engine goes by the key's MATCH FULL: all of its columns are NULL or none is.
    pub fn is_full(&self, key: &ForeignKey) -> bool {
        self.match_full && key.matching == crate::schema::Match::Full
    }

    /// Tells whether `SET NULL (columns)` can be declared; an unknown version is taken for a new one.
    pub fn sets_columns(&self, version: Option<crate::schema::Version>) -> bool {
        self.set_columns_since.is_some_and(|since| version.is_none_or(|v| v.major >= since))
    }
}

/// What the columns that a key refers to have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentKey {
    /// A primary or unique key, or the key is refused when it is declared.
    Unique,
    /// A primary or unique key, or statements fail that use the key.
    UniqueWhenUsed,
    /// The first columns of any index, unique or not.
    Indexed,
}

/// What becomes of a key whose parent's table or column does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingParent {
    /// It is refused when it is declared.
    Refused,
    /// It is refused, unless the session has switched the checks off.
    RefusedUnlessOff,
    /// It is declared, and statements fail that use it.
    Accepted,
}

/// Which deferral a key can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferral {
    /// None.
    Never,
    /// Only to be deferred from the first.
    Initially,
    /// Also to be deferred by a transaction that asks for it.
    Any,
}

/// What a refusing key has to be to look only after all cascades are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateCheck {
    /// `NO ACTION DEFERRABLE INITIALLY DEFERRED`.
    NoActionDeferred,
    /// `NO ACTION`.
    NoAction,
    /// Every one does.
    Always,
    /// None does.
    Never,
}

/// The order in which the keys act that refer to one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiringOrder {
    /// In which they were created.
    Created,
    /// In which they are declared, the newest first.
    NewestFirst,
    /// Of their names.
    Named,
}

/// How many cascades may follow each other.
pub struct CascadeLimit {
    /// The number that still succeeds.
    pub most: usize,
    /// What the engine says at the next one.
    pub error: &'static str,
}

/// What `SET DEFAULT` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetDefault {
    /// What it says.
    CarriedOut,
    /// It is declared and refuses.
    Refuses {
        /// Whether the catalog keeps the word.
        kept: bool,
    },
}

/// Which collation the engine's own look-up of child rows compares by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupCollation {
    /// The parent column's.
    Parent,
    /// The parent column's where it is not deterministic, else the child column's.
    ParentUnlessDeterministic,
    /// Both sides have the same: a key between two collations is refused when it is declared.
    Same,
}
