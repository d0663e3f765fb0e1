//! `json`: the plan as a document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// A text that is no plan document.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not a plan: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Another document, or a newer version.
    #[error("the document's format is {0}, expected \"{FORMAT}\"")]
    Format(String),
}

/// Reads a document that [`render`] wrote.
///
/// # Errors
/// [`PlanError`].
pub fn parse(text: &str) -> Result<Plan, PlanError> {
    #[derive(Deserialize)]
    struct Head {
        format: Option<String>,
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(flatten)]
        plan: Plan,
    }
    match serde_json::from_str::<Head>(text)?.format {
        Some(format) if format == FORMAT => Ok(serde_json::from_str::<Body>(text)?.plan),
        other => Err(PlanError::Format(other.map_or_else(|| "missing".to_string(), |f| format!("\"{f}\"")))),
    }
}

/// Returns the JSON Schema of the document.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".into(), "referee plan document".into());
    schema.to_value()
}
