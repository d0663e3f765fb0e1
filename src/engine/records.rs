//! Rows of a catalog query, read by column name. What the catalog cannot say is an error with the query's name, never a
//! panic.

use super::{EngineError, EngineErrorKind, Rows, Value};

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    query: &'static str,
    columns: &'a [String],
    values: &'a [Value],
}

/// Iterates over the rows of a catalog query.
pub(super) fn records<'a>(query: &'static str, rows: &'a Rows) -> impl Iterator<Item = Record<'a>> {
    rows.rows.iter().map(move |values| Record { query, columns: &rows.columns, values })
}

impl<'a> Record<'a> {
    /// Returns a text; `None` for NULL, and for a column that the query does not have.
    pub(super) fn text(&self, column: &str) -> Option<&'a str> {
        let position = self.columns.iter().position(|c| c == column)?;
        match self.values.get(position)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a text that is not empty.
    pub(super) fn filled(&self, column: &str) -> Option<&'a str> {
        self.text(column).filter(|t| !t.is_empty())
    }

    /// Returns a text that must be there.
    pub(super) fn need(&self, column: &str) -> Result<&'a str, EngineError> {
        self.text(column).ok_or_else(|| self.wrong(&format!("column \"{column}\" is NULL")))
    }

    /// Returns a text of its own.
    pub(super) fn owned(&self, column: &str) -> Option<String> {
        self.text(column).map(str::to_string)
    }

    /// Returns a number that must be there.
    pub(super) fn number<N: std::str::FromStr>(&self, column: &str) -> Result<N, EngineError> {
        let text = self.need(column)?;
        text.parse().map_err(|_| self.wrong(&format!("column \"{column}\" is `{text}`, not a number")))
    }

    /// Returns a truth value; NULL is false.
    pub(super) fn flag(&self, column: &str) -> bool {
        matches!(self.text(column), Some("t" | "true"))
    }

    /// Returns the numbers of an array, written `{1,2}` or `[1, 2]`; none for NULL.
    pub(super) fn numbers<N: std::str::FromStr>(&self, column: &str) -> Result<Vec<N>, EngineError> {
        let text = self.text(column).unwrap_or("");
        text.trim_matches(['{', '}', '[', ']'])
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(|n| n.parse().map_err(|_| self.wrong(&format!("column \"{column}\" is `{text}`, not numbers"))))
            .collect()
    }

    /// Makes the error for a row that says something that cannot be.
    pub(super) fn wrong(&self, what: &str) -> EngineError {
        EngineError::new(
            EngineErrorKind::Catalog,
            format!("the catalog contradicts itself: a row of the query for {}: {what}", self.query),
        )
        .hint("it may have changed while it was read: run the command again")
    }
}
