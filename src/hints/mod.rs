//! What says that two tables belong together without declaring it: an ORM's relations, joins in an application's queries.
//!
//! Plain data beside the schema. A reader of ORM files or of a workload makes hints; inference weighs them. A hint is never
//! more than evidence for a guess: what a user knows belongs in `referee.toml`, as a `[[relation]]`.

mod json;

use serde::{Deserialize, Serialize};

use crate::schema::TableName;

pub use json::{FORMAT, HintsError, from_json, to_json};

/// A statement that some columns of a child refer to those of a parent.
///
/// Nothing here has been compared with a schema: tables and columns may not exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// The child.
    pub child: TableName,
    /// Its columns; at least one.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// Its columns, one for each of `columns`; empty where the source does not say: the parent's primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_columns: Vec<String>,
    /// Who says so.
    pub source: HintSource,
    /// How much of the source's weight it has, above 0 and up to 1: less than 1 where its reader had to guess.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub strength: f64,
    /// Where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<HintPlace>,
}

/// Who makes a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HintSource {
    /// An ORM's own declaration of the relation.
    Orm {
        /// The ORM: `Prisma`, `Drizzle`.
        tool: String,
    },
    /// Queries that join the two.
    Joins {
        /// How many different queries.
        queries: u32,
    },
}

/// Where a hint is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HintPlace {
    /// The file.
    pub file: String,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

fn whole() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes it so
fn is_whole(strength: &f64) -> bool {
    *strength >= 1.0
}

impl Hint {
    /// Makes a hint of full strength without a place.
    pub fn new<C: Into<String>>(
        child: impl Into<TableName>,
        columns: impl IntoIterator<Item = C>,
        parent: impl Into<TableName>,
        parent_columns: impl IntoIterator<Item = C>,
        source: HintSource,
    ) -> Self {
        Self {
            child: child.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            parent: parent.into(),
            parent_columns: parent_columns.into_iter().map(Into::into).collect(),
            source,
            strength: 1.0,
            place: None,
        }
    }

    /// Writes `orders.customer->customers.id`; several columns as `lines.a,b->orders.a,b`.
    pub fn relation(&self) -> String {
        let parent = match self.parent_columns.as_slice() {
            [] => self.parent.to_string(),
            columns => format!("{}.{}", self.parent, columns.join(",")),
        };
        format!("{}.{}->{parent}", self.child, self.columns.join(","))
    }

    /// Says who says so, and where: `Drizzle relates them in schema.ts:40`.
    pub fn says(&self) -> String {
        let says = match &self.source {
            HintSource::Orm { tool } => format!("{tool} relates them"),
            HintSource::Joins { queries: 1 } => "1 query joins them".to_string(),
            HintSource::Joins { queries } => format!("{queries} queries join them"),
        };
        match &self.place {
            Some(HintPlace { file, line: Some(line) }) => format!("{says} in {file}:{line}"),
            Some(HintPlace { file, line: None }) => format!("{says} in {file}"),
            None => says,
        }
    }
}
