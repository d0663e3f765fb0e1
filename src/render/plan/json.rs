//! `json`: the plan as a document.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::json::pretty;
use crate::plan::Plan;

/// The format's name and version. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-plan/1";

#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    /// `referee-plan/1`.
    format: &'a str,
    /// What the plan is about, without password.
    source: &'a str,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Writes the document.
pub fn render(source: &str, plan: &Plan) -> String {
    pretty(&Document { format: FORMAT, source, plan })
}

/// Returns the JSON Schema of the document.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".into(), "referee plan document".into());
    schema.to_value()
}
