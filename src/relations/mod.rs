//! The graph of relations: which table's rows refer to which, declared or not.
//!
//! A *child* holds the key, a *parent* is referred to. The graph is plain data, made once from a schema, the user's
//! configuration and what `infer` adds; its answers (cycles, order, reach, shortest path) are pure functions in `graph`.

mod acting;
mod defeat;
mod firing;
mod fit;
mod graph;
mod keeper;
pub mod lookup;
mod predicate;
pub mod unlike;
mod written;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Action, ForeignKey, Schema, TableName};

pub use acting::{Handling, Objection, Objections, unread, written};
pub use defeat::defeated;
pub use firing::{Culprit, Firing};
pub use fit::{impermanent, is_broken, is_enough, unfit};
pub use graph::{Break, Cycle, Graph, Reached};
pub use keeper::{Keeper, keepers};
pub use predicate::{can_become_nullable, forbids_null, names};
pub use written::{Written, WrittenError, write};

/// From this confidence on an inferred relation is a reason to warn; below it is worth knowing only.
const CERTAIN: f64 = 0.8;

/// A child's columns that refer to a parent's.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Relation {
    /// The table that holds the key.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table referred to. It may not exist.
    pub parent: TableName,
    /// The parent's columns, one for each of `columns`.
    pub parent_columns: Vec<String>,
    /// The action on delete: declared, or wished for by the user; `None` where nothing says.
    pub on_delete: Option<Action>,
    /// Whether any of the child's columns can be NULL, so that a row can do without a parent.
    pub nullable: bool,
    /// The confidence of the guess that it was accepted from, where the user accepted one. It is acted on like any other, but
    /// it is never evidence, nor is the key that was made of it: a guess must not bear out the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<f64>,
    /// Why referee believes in it.
    #[serde(flatten)]
    pub basis: Basis,
}

/// Why referee believes in a relation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Basis {
    /// A foreign key says so.
    Declared {
        /// The foreign key.
        #[serde(skip)]
        foreign_key: Box<ForeignKey>,
        /// The constraint's name, where it has one.
        name: Option<String>,
    },
    /// Names and types say so.
    Inferred {
        /// From 0 to 1.
        confidence: f64,
        /// What speaks for it, a sentence each.
        evidence: Vec<String>,
    },
    /// The user says so in `referee.toml`.
    Configured,
}

impl Relation {
    /// Makes the relation of a declared foreign key.
    pub fn declared(schema: &Schema, child: &TableName, key: &ForeignKey) -> Self {
        Self {
            child: child.clone(),
            columns: key.columns.clone(),
            parent: key.parent.clone(),
            parent_columns: key.parent_columns.clone(),
            on_delete: Some(key.on_delete),
            nullable: any_nullable(schema, child, &key.columns),
            accepted: None,
            basis: Basis::Declared { foreign_key: Box::new(key.clone()), name: key.name.clone() },
        }
    }

    /// Returns the foreign key of a declared relation.
    pub fn foreign_key(&self) -> Option<&ForeignKey> {
        match &self.basis {
            Basis::Declared { foreign_key, .. } => Some(foreign_key),
            Basis::Inferred { .. } | Basis::Configured => None,
        }
    }

    /// Tells whether a foreign key declares it.
    pub fn is_declared(&self) -> bool {
        self.foreign_key().is_some()
    }

    /// Tells whether it is only a guess. Nothing is changed for one.
    pub fn is_guess(&self) -> bool {
        matches!(self.basis, Basis::Inferred { .. })
    }

    /// Returns how sure the guess is; `None` if it is none.
    pub fn confidence(&self) -> Option<f64> {
        match self.basis {
            Basis::Inferred { confidence, .. } => Some(confidence),
            Basis::Declared { .. } | Basis::Configured => None,
        }
    }

    /// Tells whether other relations may be judged by it: declared or configured, and not accepted from a guess.
    pub fn is_evidence(&self) -> bool {
        !self.is_guess() && self.accepted.is_none()
    }

    /// Tells whether both say the same: the same columns refer to the same parent's columns.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.child, &self.columns, &self.parent, &self.parent_columns)
            == (&other.child, &other.columns, &other.parent, &other.parent_columns)
    }

    /// Tells whether a warning may rest on it: declared, configured, or inferred with little doubt.
    pub fn is_certain(&self) -> bool {
        match self.basis {
            Basis::Inferred { confidence, .. } => confidence >= CERTAIN,
            Basis::Declared { .. } | Basis::Configured => true,
        }
    }

    /// Tells whether the child refers to itself.
    pub fn is_self_reference(&self) -> bool {
        self.child == self.parent
    }

    /// Writes `child.column` or `child.(a, b)`.
    pub fn child_side(&self) -> String {
        side(&self.child, &self.columns)
    }

    /// Writes `parent.column` or `parent.(a, b)`; the table alone if its columns are unknown.
    pub fn parent_side(&self) -> String {
        side(&self.parent, &self.parent_columns)
    }
}

/// Writes `table.column`, `table.(a, b)` or `table`.
pub fn side(table: &TableName, columns: &[String]) -> String {
    match columns {
        [] => table.to_string(),
        [column] => format!("{table}.{column}"),
        many => format!("{table}.({})", many.join(", ")),
    }
}

fn any_nullable(schema: &Schema, table: &TableName, columns: &[String]) -> bool {
    schema.table(table).is_none_or(|t| columns.iter().any(|c| t.is_nullable(c)))
}

/// A relation that the user declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfiguredRelation {
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// The action on delete that the key shall have.
    pub on_delete: Option<Action>,
    /// The confidence of the guess that it was accepted from; `None` for one that the user wrote.
    pub accepted: Option<f64>,
}

impl ConfiguredRelation {
    /// Makes the relation, as the graph holds it.
    pub fn relation(&self, schema: &Schema) -> Relation {
        Relation {
            child: self.child.clone(),
            columns: self.columns.clone(),
            parent: self.parent.clone(),
            parent_columns: self.parent_columns.clone(),
            on_delete: self.on_delete,
            nullable: any_nullable(schema, &self.child, &self.columns),
            accepted: self.accepted,
            basis: Basis::Configured,
        }
    }
}
