//! The schema as a JSON document: what `referee schema --format json` prints, and a source like any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Schema;
use crate::text::in_json;

/// The format's name and version, in the document's first field. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-schema/1";

#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    /// The format's name and version.
    format: &'a str,
    #[serde(flatten)]
    schema: &'a Schema,
}

#[derive(Deserialize)]
struct Head {
    format: Option<String>,
}

/// A text that is no schema document.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not a referee schema document: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Another document, or a newer version.
    #[error(
        "the document's format is {found}, expected \"{FORMAT}\"; write it anew with `referee schema SOURCE --format json`"
    )]
    Format {
        /// What the document says of itself.
        found: String,
    },
}

/// Writes a schema as an indented JSON document. The same schema gives the same text.
pub fn to_json(schema: &Schema) -> String {
    let document = Document { format: FORMAT, schema };
    // Strings, numbers and lists with string keys: serialising them cannot fail.
    let mut text = in_json(&serde_json::to_string_pretty(&document).unwrap_or_default());
    text.push('\n');
    text
}

/// Reads a schema from a JSON document.
///
/// # Errors
/// [`JsonError::Syntax`] for what is not such a document, [`JsonError::Format`] for one of another version.
pub fn from_json(text: &str) -> Result<Schema, JsonError> {
    let head: Head = serde_json::from_str(text)?;
    match head.format {
        Some(format) if format == FORMAT => {}
        found => {
            let found = found.map_or_else(|| "missing".to_string(), |f| format!("\"{f}\""));
            return Err(JsonError::Format { found });
        }
    }
    let mut schema: Schema = serde_json::from_str(text)?;
    schema.sort();
    Ok(schema)
}

/// Returns the JSON Schema of the document.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".into(), "referee schema document".into());
    schema.to_value()
}
