//! The schema as a JSON document: what `referee schema --format json` prints, and a source like any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Schema, TableName};
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
    /// A table that is a partition of itself, by whatever way.
    #[error("not a referee schema document: `{table}` is a partition of itself")]
    Circle {
        /// The table.
        table: TableName,
    },
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
/// [`JsonError::Syntax`] for what is not such a document, [`JsonError::Format`] for one of another version, [`JsonError::Circle`] for
/// one that no database can have written.
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
    match schema.tables.iter().find(|t| t.partition_of.as_ref().is_some_and(|above| schema.is_within(above, &t.name))) {
        Some(circle) => Err(JsonError::Circle { table: circle.name.clone() }),
        None => Ok(schema),
    }
}

/// Returns the JSON Schema of the document.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".into(), "referee schema document".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::testing::schema;

    #[test]
    fn partitions_that_run_in_a_circle_are_refused() {
        let mut s = schema(Engine::Postgres, &["a: id int8", "a_1: id int8", "a_1_x: id int8"]);
        for (part, of) in [("a_1", "a"), ("a_1_x", "a_1")] {
            s.table_mut(&part.into()).unwrap().partition_of = Some(of.into());
        }
        assert_eq!(from_json(&to_json(&s)).unwrap(), s);
        for above in ["a_1_x", "a_1", "a"] {
            s.table_mut(&"a".into()).unwrap().partition_of = Some(above.into());
            let error = from_json(&to_json(&s)).unwrap_err().to_string();
            assert!(error.ends_with("`a` is a partition of itself"), "{error}");
        }
    }
}
