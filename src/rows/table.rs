//! Queries about all rows of one table, those of tables that inherit from it left out.

use super::comparison::within;
use super::set::{RowSet, source};
use crate::engine::{Dialect, Value};
use crate::schema::{Column, Schema, Table};

/// What a row is called.
const ROW: &str = "child";

/// Writes queries about the rows of a table.
pub struct TableRows<'a> {
    dialect: &'a dyn Dialect,
    table: &'a Table,
    source: String,
}

impl<'a> TableRows<'a> {
    /// Is about the rows of a table.
    pub fn of(dialect: &'a dyn Dialect, schema: &Schema, table: &'a Table) -> Self {
        Self { dialect, table, source: source(dialect, schema, &table.name) }
    }

    /// Writes a column of a row.
    pub fn column(&self, name: &str) -> String {
        format!("{ROW}.{}", self.dialect.identifier(name))
    }

    /// Writes a query about all rows.
    pub fn select(&self, what: &str) -> String {
        format!("SELECT {what} FROM {} AS {ROW}", self.source)
    }

    /// Writes a query about the first rows, whichever they are.
    pub fn first(&self, what: &str, rows: usize) -> String {
        format!("{} LIMIT {rows}", self.select(what))
    }

    /// Writes a query about some rows from all over the table, which has about so many `rows`, without reading the rest.
    pub fn sample(&self, what: &str, rows: u64, sample: usize) -> String {
        self.dialect.sample(self.table, &self.source, (ROW, what), rows, sample)
    }

    /// Writes the query that counts the rows, and stops at one more than `most`.
    pub fn count_up_to(&self, most: usize) -> String {
        format!("SELECT count(*) FROM ({}) AS some_rows", self.first("1", most.saturating_add(1)))
    }

    /// Writes the query for a number of rows that there are no more than, where that is one look-up.
    pub fn most_rows(&self) -> Option<String> {
        self.dialect.most_rows(self.table, &self.source)
    }

    /// Writes the query for a key's least and greatest value: two look-ups in its index.
    pub fn range(&self, key: &str) -> String {
        let of = |which: &str| self.select(&format!("{which}({})", self.column(key)));
        format!("SELECT ({}), ({})", of("min"), of("max"))
    }

    /// Writes the query that counts which of some values a key has.
    pub fn count_held(&self, key: &Column, values: &[Value]) -> String {
        let name = self.column(&key.name);
        let values = values.iter().map(|v| self.dialect.value(v));
        let how = within(key);
        // IN means a plain `=`.
        let condition = if how.operator.is_none() {
            format!("{name} IN ({})", values.collect::<Vec<_>>().join(", "))
        } else {
            values.map(|value| how.sql(&name, &value)).collect::<Vec<_>>().join(" OR ")
        };
        format!("{} WHERE {condition}", self.select(&format!("count(DISTINCT {name})")))
    }

    /// Returns the rows in which none of some columns is NULL.
    pub fn filled(&self, columns: &[&str]) -> RowSet {
        let all: Vec<String> = columns.iter().map(|c| format!("{} IS NOT NULL", self.column(c))).collect();
        RowSet { source: self.source.clone(), alias: ROW.to_string(), condition: all.join(" AND ") }
    }

    /// Writes that a column of a row has a value.
    pub fn has_value(&self, column: &Column, value: &Value) -> String {
        within(column).sql(&self.column(&column.name), &self.dialect.value(value))
    }

    /// Writes the query for a column's values, and how many of some rows have each: at most `limit`, the most frequent first.
    pub fn by_frequency(&self, column: &str, rows: &RowSet, limit: usize) -> String {
        let name = self.column(column);
        format!(
            "{} GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT {limit}",
            rows.select(&format!("{name}, count(*)"))
        )
    }
}
