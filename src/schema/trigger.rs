//! Triggers and rewrite rules, and what their bodies do to rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CatalogOnly, Generated, Table, TableName, is_false, is_true, yes};

/// A trigger that a user made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// `BEFORE`, `AFTER` or `INSTEAD OF`.
    pub timing: String,
    /// The events: `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, in this order.
    pub events: Vec<String>,
    /// Whether it fires once for each row; otherwise once for each statement.
    pub for_each_row: bool,
    /// Whether it fires in an ordinary session.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// `UPDATE OF`: the columns of which one must be in the statement; empty if any will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Whether it has a `WHEN` condition.
    #[serde(default, skip_serializing_if = "is_false")]
    pub conditional: bool,
    /// What its body does, event by event; events at which it does nothing to rows are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub does: Vec<Does>,
    /// PostgreSQL: a fingerprint of its definition and of its function's.
    #[serde(default, skip_serializing_if = "CatalogOnly::is_unknown")]
    pub print: CatalogOnly<Option<String>>,
}

impl Trigger {
    /// Returns what its body does at an event.
    pub fn at(&self, event: &str) -> Option<&Does> {
        self.does.iter().find(|d| d.event == event)
    }

    /// Tells whether it fires in an ordinary session at an event that changes these columns of the table that it is `on`; none for
    /// other events than `UPDATE`.
    ///
    /// A generated column changes with those that it is computed from, and `UPDATE OF` it fires then (PostgreSQL, CREATE TRIGGER).
    pub fn fires(&self, on: &Table, event: &str, changed: &[&str]) -> bool {
        let names = |name: &str| changed.iter().any(|c| c.eq_ignore_ascii_case(name));
        let follows = |generated: &Generated| {
            let words = generated.expression.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
            // What it is computed from is not always known, and a name may be written in an odd way.
            generated.expression.is_empty() || generated.expression.contains('"') || words.into_iter().any(names)
        };
        let changes = |c: &String| names(c) || on.column(c).and_then(|c| c.generated.as_ref()).is_some_and(follows);
        self.enabled
            && self.events.iter().any(|e| e == event)
            && (event != "UPDATE" || self.columns.is_empty() || self.columns.iter().any(changes))
    }
}

/// PostgreSQL: a rule that rewrites statements (`CREATE RULE`); those of views are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RewriteRule {
    /// Its name.
    pub name: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub event: String,
    /// `DO INSTEAD`; otherwise `DO ALSO`.
    pub instead: bool,
    /// Whether it has a `WHERE` condition.
    #[serde(default, skip_serializing_if = "is_false")]
    pub conditional: bool,
    /// Whether it acts in an ordinary session.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// The rows that its statements write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
    /// Why the rest of what it does is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// A fingerprint of its definition.
    #[serde(default, skip_serializing_if = "CatalogOnly::is_unknown")]
    pub print: CatalogOnly<Option<String>>,
}

/// What a trigger's body does when an event fires it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Does {
    /// The event.
    pub event: String,
    /// The rows of tables that it writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
    /// Whether it raises an error, which stops the statement.
    #[serde(default, skip_serializing_if = "Chance::is_never")]
    pub raises: Chance,
    /// Whether it has the engine pass over the row, which then stays as it is.
    #[serde(default, skip_serializing_if = "Chance::is_never")]
    pub skips: Chance,
    /// The columns of the row that it gives other values than the statement does; `*` for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<String>,
    /// Why the rest of what it does is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

impl Does {
    /// Tells whether it does nothing to rows.
    pub fn is_nothing(&self) -> bool {
        self.writes.is_empty()
            && self.raises.is_never()
            && self.skips.is_never()
            && self.sets.is_empty()
            && self.unread.is_none()
    }
}

/// How certain it is that a body does something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Chance {
    /// It does not.
    #[default]
    Never,
    /// It depends on values.
    Maybe,
    /// It does, each time.
    Always,
}

impl Chance {
    /// Tells whether it never happens.
    pub fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// A statement in a body that writes rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Write {
    /// What it does.
    pub kind: WriteKind,
    /// The table, as the body names it: without a schema it is looked up when the body runs.
    pub table: TableName,
    /// The columns that get a value which may come of the row that fired it, or any value in an `UPDATE`; `None` if that is
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Written>>,
    /// The names in the condition that chooses the rows; `None` without a condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Vec<String>>,
    /// Whether an insert may change or delete rows that are there (`REPLACE`, `ON CONFLICT DO UPDATE`, `MERGE`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub replaces: bool,
}

impl Write {
    /// Tells whether it may write a column, or choose rows by it.
    pub fn touches(&self, column: &str) -> bool {
        self.sets(column) || self.chooses_by(column)
    }

    /// Tells whether it may give a column a value.
    pub fn sets(&self, column: &str) -> bool {
        self.kind != WriteKind::Delete
            && self.columns.as_ref().is_none_or(|c| c.iter().any(|w| w.column.eq_ignore_ascii_case(column)))
    }

    /// Tells whether it may choose rows by a column.
    pub fn chooses_by(&self, column: &str) -> bool {
        self.kind != WriteKind::Insert
            && self.by.as_ref().is_none_or(|b| b.iter().any(|name| name.eq_ignore_ascii_case(column)))
    }
}

/// What a statement does to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// `INSERT`, `REPLACE`, `MERGE`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`, `TRUNCATE`.
    Delete,
}

/// A column that a statement gives a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Written {
    /// The column.
    pub column: String,
    /// The column of the row that fired the trigger whose value it gets (`OLD.x`, `NEW.x`); `None` if it is another value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// PostgreSQL: that changes of a table's rows are published, and how (`CREATE PUBLICATION`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publication {
    /// The publication.
    pub name: String,
    /// Whether it publishes updates.
    pub update: bool,
    /// Whether it publishes deletes.
    pub delete: bool,
    /// Whether it publishes the rows of tables that are made later in the same schema, too (`FOR ALL TABLES`, `FOR TABLES IN
    /// SCHEMA`).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub new_tables: bool,
    /// The columns that it publishes; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The columns that its condition on rows uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter_columns: Vec<String>,
}

/// PostgreSQL: what tells a table's rows apart for those who replicate them (`REPLICA IDENTITY`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// The primary key.
    #[default]
    Default,
    /// The whole row.
    Full,
    /// Nothing, or an index that is gone.
    Nothing,
    /// The columns of a unique index.
    Index(Vec<String>),
}

impl ReplicaIdentity {
    /// Tells whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }
}
