//! Hints as a JSON document, for tools that read what referee cannot.

use serde::{Deserialize, Serialize};

use super::Hint;

/// The format's name and version, in the document's first field. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-hints/1";

#[derive(Serialize)]
struct Written<'a> {
    format: &'a str,
    hints: &'a [Hint],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    hints: Vec<Hint>,
}

/// A text that is no document of hints.
#[derive(Debug, thiserror::Error)]
pub enum HintsError {
    /// Not JSON, or a field is missing, unknown or of the wrong type.
    #[error("not a document of hints: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Another document, or another version.
    #[error("the document's format is \"{0}\", expected \"{FORMAT}\"")]
    Format(String),
    /// A hint that cannot be meant.
    #[error("hint {number} ({relation}): {what}")]
    Hint {
        /// Its place in the list, from 1.
        number: usize,
        /// The relation it is about.
        relation: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// Writes hints as an indented JSON document.
pub fn to_json(hints: &[Hint]) -> String {
    // Strings, numbers and lists: serialising them cannot fail.
    let mut text = serde_json::to_string_pretty(&Written { format: FORMAT, hints }).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads hints from a JSON document.
///
/// # Errors
/// It is no such document, or a hint in it has no columns, unequal sides or a strength that is not above 0 and up to 1.
pub fn from_json(text: &str) -> Result<Vec<Hint>, HintsError> {
    let document: Document = serde_json::from_str(text)?;
    if document.format != FORMAT {
        return Err(HintsError::Format(document.format));
    }
    for (i, hint) in document.hints.iter().enumerate() {
        let what = if hint.columns.is_empty() {
            "it names no column of the child"
        } else if !hint.parent_columns.is_empty() && hint.parent_columns.len() != hint.columns.len() {
            "child and parent have different numbers of columns"
        } else if !(hint.strength > 0.0 && hint.strength <= 1.0) {
            "its strength must be above 0 and at most 1"
        } else {
            continue;
        };
        return Err(HintsError::Hint { number: i + 1, relation: hint.relation(), what });
    }
    Ok(document.hints)
}

#[cfg(test)]
mod tests {
    use super::super::{HintPlace, HintSource};
    use super::*;
    use crate::schema::TableName;

    fn read(hint: &str) -> Result<Vec<Hint>, HintsError> {
        from_json(&format!(r#"{{"format": "{FORMAT}", "hints": [{hint}]}}"#))
    }

    #[test]
    fn a_document_is_read_and_written_alike() {
        let orm = HintSource::Orm { tool: "Drizzle".into() };
        let mut hints = vec![
            Hint::new(TableName::in_schema(Some("app"), "orders"), ["buyer"], "people", ["id"], orm),
            Hint::new("a", ["x", "y"], "b", [], HintSource::Joins { queries: 7 }),
        ];
        hints[0].place = Some(HintPlace { file: "schema.ts".into(), line: Some(40) });
        hints[1].strength = 0.5;
        assert_eq!(from_json(&to_json(&hints)).unwrap(), hints);
        assert_eq!(hints[0].relation(), "app.orders.buyer->people.id");
        assert_eq!(hints[0].says(), "Drizzle relates them in schema.ts:40");
        assert_eq!((hints[1].relation(), hints[1].says()), ("a.x,y->b".into(), "7 queries join them".into()));
    }

    #[test]
    fn the_shortest_hint_by_hand() {
        let hints = read(
            r#"{"child": "orders", "columns": ["buyer"], "parent": "people", "source": {"joins": {"queries": 3}}}"#,
        );
        let wanted = Hint::new("orders", ["buyer"], "people", [], HintSource::Joins { queries: 3 });
        assert_eq!(hints.unwrap(), [wanted]);
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_that_names_it() {
        let error = |hint: &str| read(hint).unwrap_err().to_string();
        let whole = |rest: &str| {
            error(&format!(r#"{{"child": "t", "parent": "p", "source": {{"orm": {{"tool": "x"}}}}, {rest}}}"#))
        };
        assert_eq!(whole(r#""columns": []"#), "hint 1 (t.->p): it names no column of the child");
        assert_eq!(
            whole(r#""columns": ["a"], "parent_columns": ["b", "c"]"#),
            "hint 1 (t.a->p.b,c): child and parent have different numbers of columns"
        );
        for strength in ["0", "-1", "1.5"] {
            let says = whole(&format!(r#""columns": ["a"], "strength": {strength}"#));
            assert_eq!(says, "hint 1 (t.a->p): its strength must be above 0 and at most 1");
        }
        assert!(whole(r#""columns": ["a"], "colums": []"#).contains("unknown field `colums`"));
        assert!(error(r#"{"child": "t"}"#).contains("missing field"));
        let other = from_json(r#"{"format": "referee-schema/1", "hints": []}"#).unwrap_err();
        assert_eq!(other.to_string(), "the document's format is \"referee-schema/1\", expected \"referee-hints/1\"");
        assert!(from_json("[]").is_err());
    }
}
