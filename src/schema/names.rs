//! Names of tables, as every stage and every output spells them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema as JsonSchemaValue, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// Names a table.
///
/// `schema` is `None` for a table of the database's default schema (`public` on PostgreSQL and CockroachDB, `main` on
/// SQLite), so that a schema read from files and one inspected from a server spell the same table alike. Both parts are
/// exact: the case the catalog stores, without quotes.
///
/// The text form is `orders` or `sales.orders`; a part that holds a dot or a double quote is double-quoted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TableName {
    /// The schema, or `None` for the default one.
    pub schema: Option<String>,
    /// The table's own name.
    pub name: String,
}

impl TableName {
    /// Names a table of the default schema.
    pub fn new(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// Names a table of a schema; `None` is the default schema.
    pub fn in_schema(schema: Option<impl Into<String>>, name: impl Into<String>) -> Self {
        Self { schema: schema.map(Into::into), name: name.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted_part(schema))?;
        }
        f.pad(&quoted_part(&self.name))
    }
}

fn quoted_part(part: &str) -> Cow<'_, str> {
    if part.is_empty() || part.contains(['.', '"']) {
        Cow::Owned(format!("\"{}\"", part.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(part)
    }
}

/// Splits `a."b.c".d` at its unquoted dots.
///
/// # Errors
/// A quote that is not closed, or text after a closing quote.
pub fn split_dotted(text: &str) -> Result<Vec<String>, NameError> {
    let bad = || NameError { text: text.to_string() };
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = if let Some(body) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut body = body;
            loop {
                let end = body.find('"').ok_or_else(bad)?;
                part.push_str(&body[..end]);
                body = &body[end + 1..];
                match body.strip_prefix('"') {
                    Some(more) => {
                        part.push('"');
                        body = more;
                    }
                    None => break,
                }
            }
            (part, body)
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            if end == 0 {
                return Err(bad());
            }
            (rest[..end].to_string(), &rest[end..])
        };
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(parts),
            None => return Err(bad()),
        }
    }
}

/// A text that is no table name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a table name; write `table` or `schema.table`, with double quotes around a part that holds a dot"
)]
pub struct NameError {
    /// The text as given.
    pub text: String,
}

impl FromStr for TableName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut parts = split_dotted(text)?;
        match (parts.pop(), parts.pop(), parts.is_empty()) {
            (Some(name), schema, true) => Ok(Self { schema, name }),
            _ => Err(NameError { text: text.to_string() }),
        }
    }
}

impl TryFrom<String> for TableName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

impl From<&str> for TableName {
    /// Names a table of the default schema; use `parse` for dotted text.
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl JsonSchema for TableName {
    fn schema_name() -> Cow<'static, str> {
        "TableName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> JsonSchemaValue {
        schemars::json_schema!({
            "type": "string",
            "description": "`table` in the default schema, or `schema.table`; a part that holds a dot or a double quote is double-quoted"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_names_that_need_quotes() {
        for name in [
            TableName::new("orders"),
            TableName::in_schema(Some("sales"), "orders"),
            TableName::new("odd.name"),
            TableName::in_schema(Some("a\"b"), "c.d"),
            TableName::new("Mixed Case"),
        ] {
            assert_eq!(name.to_string().parse::<TableName>(), Ok(name));
        }
    }

    #[test]
    fn text_that_is_no_name_is_refused() {
        for text in ["", ".a", "a.", "a.b.c", "\"a", "\"a\"b"] {
            assert!(text.parse::<TableName>().is_err(), "{text}");
        }
    }
}
