//! `json`: the fate as a document.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::json::pretty;
use crate::fate::{Counted, Fate, Rank};
use crate::schema::Engine;

/// The format's name and version. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-fate/1";

#[derive(Serialize)]
struct Document<'a> {
    format: &'a str,
    #[serde(flatten)]
    fate: &'a Fate,
    #[serde(skip_serializing_if = "Option::is_none")]
    impact: Option<&'a [Counted]>,
}

#[derive(Serialize, JsonSchema)]
struct Ranking<'a> {
    format: &'a str,
    engine: Engine,
    tables: &'a [Rank],
}

/// Writes the document.
pub fn render(fate: &Fate, counted: Option<&[Counted]>) -> String {
    pretty(&Document { format: FORMAT, fate, impact: counted })
}

/// Writes the ranking of all tables.
pub fn ranking(engine: Engine, ranks: &[Rank]) -> String {
    pretty(&Ranking { format: "referee-fates/1", engine, tables: ranks })
}
