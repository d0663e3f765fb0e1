//! A set of one table's rows: a table in FROM, and a condition.

use crate::engine::Dialect;
use crate::schema::{Schema, TableKind, TableName};

/// Rows of one table, as the halves of a statement: `… {source} AS {alias} … WHERE {condition}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSet {
    /// The table, as it is written in FROM, UPDATE and DELETE.
    pub source: String,
    /// What a row is called in the condition.
    pub alias: String,
    /// What is true of a row of the set: terms joined by AND.
    pub condition: String,
}

impl RowSet {
    /// Writes `FROM table AS row WHERE condition`.
    pub fn from(&self) -> String {
        format!("FROM {} AS {} WHERE {}", self.source, self.alias, self.condition)
    }

    /// Writes a query about the rows.
    pub fn select(&self, what: &str) -> String {
        format!("SELECT {what} {}", self.from())
    }

    /// Writes the query that counts the rows.
    pub fn count(&self) -> String {
        self.select("count(*)")
    }

    /// Writes the query that counts all rows of the table.
    pub fn count_all(&self) -> String {
        format!("SELECT count(*) FROM {} AS {}", self.source, self.alias)
    }

    /// Writes the condition that there is a row.
    pub fn some(&self) -> String {
        format!("EXISTS ({})", self.select("1"))
    }

    /// Writes the condition that there is no row.
    pub fn none(&self) -> String {
        format!("NOT EXISTS ({})", self.select("1"))
    }

    /// Returns the rows of which one more condition is true.
    #[must_use]
    pub fn and(&self, condition: &str) -> Self {
        Self { condition: format!("{} AND {condition}", self.condition), ..self.clone() }
    }

    /// Returns the rows that are in any of several sets of one table; `None` if there is no set, or they are not of one table.
    pub fn any(sets: &[Self]) -> Option<Self> {
        let (first, rest) = sets.split_first()?;
        if rest.is_empty() {
            return Some(first.clone());
        }
        let same = |set: &Self| (&set.source, &set.alias) == (&first.source, &first.alias);
        let all: Vec<String> = sets.iter().map(|set| format!("({})", set.condition)).collect();
        rest.iter().all(same).then(|| Self { condition: format!("({})", all.join(" OR ")), ..first.clone() })
    }

    /// Writes the statement that deletes the rows.
    pub fn delete(&self) -> String {
        format!("DELETE {}", self.from())
    }

    /// Writes the statement that sets columns of the rows to NULL.
    pub fn set_null(&self, dialect: &dyn Dialect, columns: &[&String]) -> String {
        format!("UPDATE {} AS {} SET {} WHERE {}", self.source, self.alias, nulls(dialect, columns), self.condition)
    }

    /// Writes the query that names the least values of some columns of `of`, and how many rows have each: at most `limit`.
    /// `join` is what else stands in FROM.
    pub fn by_value(&self, dialect: &dyn Dialect, (of, columns): (&str, &[String]), join: &str, limit: u32) -> String {
        let listed: Vec<String> = columns.iter().map(|c| format!("{of}.{}", dialect.identifier(c))).collect();
        let places: Vec<String> = (1..=columns.len()).map(|n| n.to_string()).collect();
        let (listed, places) = (listed.join(", "), places.join(", "));
        format!(
            "SELECT {listed}, count(*) AS rows FROM {} AS {}{join} WHERE {} GROUP BY {places} ORDER BY {places} LIMIT {limit}",
            self.source, self.alias, self.condition
        )
    }
}

/// Writes what sets columns to NULL, after SET.
pub(crate) fn nulls(dialect: &dyn Dialect, columns: &[&String]) -> String {
    let all: Vec<String> = columns.iter().map(|c| format!("{} = NULL", dialect.identifier(c))).collect();
    all.join(", ")
}

/// Writes a table in FROM. A foreign key between ordinary tables does not look at the tables that inherit from them
/// (PostgreSQL manual, 5.11.1); one of a partitioned table does look at its partitions.
pub fn source(dialect: &dyn Dialect, schema: &Schema, name: &TableName) -> String {
    let written = dialect.qualified_table(name, schema);
    let plain = schema.table(name).is_some_and(|t| t.kind == TableKind::Plain);
    let inherited = schema.tables.iter().any(|t| t.inherits.contains(name));
    if plain && inherited { format!("ONLY {written}") } else { written }
}
