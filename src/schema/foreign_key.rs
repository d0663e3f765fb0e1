//! Foreign keys, with everything that decides what they mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CatalogOnly, Comparison, TableName, is_false, is_true, yes};

/// A foreign key: columns of a child table that refer to a key of a parent table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignKey {
    /// The constraint's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The child's columns.
    pub columns: Vec<String>,
    /// The parent table. SQLite: it may not exist.
    pub parent: TableName,
    /// The parent's columns, one for each of `columns`. Where the declaration leaves them out they are the parent's primary
    /// key; empty if that cannot be told.
    pub parent_columns: Vec<String>,
    /// What a delete of the parent row does.
    pub on_delete: Action,
    /// What a change of the parent's key does.
    pub on_update: Action,
    /// PostgreSQL 15+: the columns of `ON DELETE SET NULL (columns)` or `SET DEFAULT (columns)`; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_columns: Vec<String>,
    /// When a partly NULL reference is checked.
    #[serde(default, skip_serializing_if = "Match::is_simple")]
    pub matching: Match,
    /// When it is checked.
    #[serde(default, skip_serializing_if = "Timing::is_immediate")]
    pub timing: Timing,
    /// Whether the engine says that all rows satisfy it. False after `NOT VALID`.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub validated: bool,
    /// Whether the engine enforces it at all. False for PostgreSQL 18's `NOT ENFORCED`.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enforced: bool,
    /// The side whose triggers are switched off, if any (PostgreSQL `DISABLE TRIGGER ALL`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<DisabledSide>,
    /// Whether `ON DELETE` is written out; `None` where the source cannot tell (a server's catalog).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete_written: Option<bool>,
    /// PostgreSQL 18: whether the last column is a `PERIOD`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub temporal: bool,
    /// The place of this key among all keys in the order in which the engine carries out a delete: lower acts first.
    /// PostgreSQL: by the name of the internal trigger, which is creation order; SQLite: reverse order of declaration;
    /// InnoDB: by constraint name. Not comparable between databases.
    #[serde(default)]
    pub firing_order: u32,
    /// PostgreSQL: how its check compares the columns, pair by pair; empty where a plain `=` does it.
    #[serde(default, skip_serializing_if = "CatalogOnly::is_unknown")]
    pub comparisons: CatalogOnly<Vec<Comparison>>,
    /// The constraint's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl ForeignKey {
    /// Makes a plain foreign key: NO ACTION, MATCH SIMPLE, checked at once, valid and enforced.
    pub fn new<S: Into<String>, P: Into<String>>(
        columns: impl IntoIterator<Item = S>,
        parent: TableName,
        parent_columns: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            name: None,
            columns: columns.into_iter().map(Into::into).collect(),
            parent,
            parent_columns: parent_columns.into_iter().map(Into::into).collect(),
            on_delete: Action::NoAction,
            on_update: Action::NoAction,
            set_columns: Vec::new(),
            matching: Match::Simple,
            timing: Timing::Immediate,
            validated: true,
            enforced: true,
            disabled: None,
            on_delete_written: None,
            temporal: false,
            firing_order: 0,
            comparisons: CatalogOnly::default(),
            comment: None,
        }
    }

    /// Returns the columns that `ON DELETE SET NULL` or `SET DEFAULT` changes.
    pub fn changed_columns(&self) -> &[String] {
        if self.set_columns.is_empty() { &self.columns } else { &self.set_columns }
    }

    /// Tells whether two keys are the same but for their names and what is known of their rows, so that PostgreSQL makes one
    /// of a partition a part of its table's.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.columns == other.columns
            && self.parent == other.parent
            && self.parent_columns == other.parent_columns
            && (self.on_delete, self.on_update, self.matching, self.timing)
                == (other.on_delete, other.on_update, other.matching, other.timing)
    }

    /// Tells whether the engine acts on it: enforced, and no trigger switched off.
    pub fn is_active(&self) -> bool {
        self.enforced && self.disabled.is_none()
    }
}

/// What a delete or an update of the parent row does to the child rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Refused if child rows remain when the check is made. Every engine's default.
    NoAction,
    /// Refused at once if there are child rows.
    Restrict,
    /// The child rows are deleted, or their key changed, too.
    Cascade,
    /// The child's columns become NULL.
    SetNull,
    /// The child's columns become their defaults.
    SetDefault,
}

impl Action {
    /// Returns the SQL words: `NO ACTION`, `SET NULL`, …
    pub fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }

    /// Reads the SQL words, in any case, with any spacing, `_` or `-` between them.
    pub fn parse(text: &str) -> Option<Self> {
        let words = text.to_ascii_lowercase().replace(['_', '-'], " ");
        match words.split_whitespace().collect::<Vec<_>>().join(" ").as_str() {
            "no action" => Some(Self::NoAction),
            "restrict" => Some(Self::Restrict),
            "cascade" => Some(Self::Cascade),
            "set null" => Some(Self::SetNull),
            "set default" => Some(Self::SetDefault),
            _ => None,
        }
    }

    /// Tells whether the action can refuse the delete because child rows exist.
    pub fn refuses(self) -> bool {
        matches!(self, Self::NoAction | Self::Restrict)
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.sql())
    }
}

/// When a partly NULL reference of several columns is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// A reference with any NULL is not checked.
    #[default]
    Simple,
    /// All columns are NULL or none is.
    Full,
    /// In the standard only; no engine has it.
    Partial,
}

impl Match {
    fn is_simple(&self) -> bool {
        *self == Self::Simple
    }
}

/// When a foreign key is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// `NOT DEFERRABLE`.
    #[default]
    Immediate,
    /// `DEFERRABLE INITIALLY IMMEDIATE`.
    Deferrable,
    /// `DEFERRABLE INITIALLY DEFERRED`.
    Deferred,
}

impl Timing {
    fn is_immediate(&self) -> bool {
        *self == Self::Immediate
    }

    /// Tells whether the check can be put off to the end of the transaction.
    pub fn is_deferrable(self) -> bool {
        self != Self::Immediate
    }
}

/// The side of a foreign key whose triggers are switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledSide {
    /// The child's: inserts and updates there are not checked.
    Child,
    /// The parent's: deletes and updates there do nothing to the children.
    Parent,
    /// Both.
    Both,
}
