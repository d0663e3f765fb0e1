//! A table's rows page by page, in the order of a key, so that a job can stop after any page and go on where it was.
//!
//! A page begins after the last row of the one before, whatever was deleted or added meanwhile. It is sorted by the primary key or a
//! unique one that has no NULL, as that key's own index compares (SQLite's may have another collation than the column), else by the
//! place of the row. A place is no name for long: an UPDATE gives the row another one in PostgreSQL (manual, 5.5, ctid), and VACUUM in
//! SQLite where no column stands for the rowid ("VACUUM", 2). Who pages by places looks again until there is nothing left.

use super::set::{RowSet, source};
use crate::engine::{Dialect, Value};
use crate::schema::{Index, IndexOrigin, Key, Schema, Table, split_dotted};

/// Writes the pages of a set of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages<'a> {
    source: String,
    alias: String,
    condition: Option<String>,
    order: Vec<Part>,
    by_place: bool,
    nulls_first: bool,
    dialect: Written<'a>,
}

/// A dialect, which is equal to another if it is the same engine's.
#[derive(Clone, Copy)]
struct Written<'a>(&'a dyn Dialect);

impl std::fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0.engine())
    }
}

impl PartialEq for Written<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.engine() == other.0.engine()
    }
}

impl Eq for Written<'_> {}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// As it is selected.
    name: String,
    /// What follows it where it is compared: ` COLLATE "C"`.
    collation: String,
    /// The schema that its operators are in; `None` for plain ones.
    operators: Option<String>,
    /// The type that a value of the cursor is cast to.
    cast: Option<&'static str>,
    nullable: bool,
}

impl<'a> Pages<'a> {
    /// Returns the pages of a table; `None` if nothing tells its rows apart.
    pub fn of(dialect: &'a dyn Dialect, schema: &Schema, table: &Table) -> Option<Self> {
        let (order, by_place) = match key(dialect, table) {
            Some(order) => (order, false),
            None => (places(dialect, table)?, true),
        };
        Some(Self {
            source: source(dialect, schema, &table.name),
            alias: "child".to_string(),
            condition: None,
            order,
            by_place,
            nulls_first: dialect.nulls_first(),
            dialect: Written(dialect),
        })
    }

    /// Returns the pages of some rows of a table: orphans, or those that belong to a root row.
    pub fn of_set(dialect: &'a dyn Dialect, schema: &Schema, table: &Table, rows: &RowSet) -> Option<Self> {
        let all = Self::of(dialect, schema, table)?;
        Some(Self {
            source: rows.source.clone(),
            alias: rows.alias.clone(),
            condition: Some(rows.condition.clone()),
            ..all
        })
    }

    /// Returns the same pages sorted by some columns first, which may be NULL.
    #[must_use]
    pub fn sorted_by(mut self, table: &Table, columns: &[String]) -> Self {
        let first = columns.iter().filter_map(|name| part(self.dialect.0, table, name, None));
        self.order = first.chain(self.order).collect();
        self
    }

    /// Tells whether the pages are sorted by the places of rows, which change.
    pub fn is_by_place(&self) -> bool {
        self.by_place
    }

    /// Returns how many values a cursor has: the first ones of each row.
    pub fn width(&self) -> usize {
        self.order.len()
    }

    /// Writes the query of the page after a row, from the first one on if there is none: the cursor's values, then `more`.
    pub fn page(&self, after: Option<&[Value]>, size: u32, more: &[String]) -> String {
        let row = |part: &Part| format!("{}.{}", self.alias, part.name);
        let listed: Vec<String> = self.order.iter().map(row).chain(more.iter().cloned()).collect();
        let sorted: Vec<String> = self.order.iter().map(|p| format!("{}{}", row(p), p.collation)).collect();
        let after = after.map(|values| self.after(values));
        let terms: Vec<String> = self.condition.iter().map(|c| format!("({c})")).chain(after).collect();
        let only = if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) };
        format!(
            "SELECT {} FROM {} AS {}{only} ORDER BY {} LIMIT {size}",
            listed.join(", "),
            self.source,
            self.alias,
            sorted.join(", ")
        )
    }

    /// Writes which rows lie on a page: after one row, up to another and that one too.
    pub fn within(&self, after: Option<&[Value]>, last: &[Value]) -> RowSet {
        let upto = match self.row_values("<=", last) {
            Some(simple) => simple,
            None => format!("({}) IS NOT TRUE", self.after(last)),
        };
        let after = after.map(|values| self.after(values));
        let terms: Vec<String> = self.condition.iter().map(|c| format!("({c})")).chain(after).chain([upto]).collect();
        RowSet { source: self.source.clone(), alias: self.alias.clone(), condition: terms.join(" AND ") }
    }

    /// Writes that a row comes after another.
    fn after(&self, values: &[Value]) -> String {
        if let Some(simple) = self.row_values(">", values) {
            return simple;
        }
        let mut same: Vec<String> = Vec::new();
        let mut ways: Vec<String> = Vec::new();
        for (part, value) in self.order.iter().zip(values) {
            let column = format!("{}.{}{}", self.alias, part.name, part.collation);
            let written = self.literal(part, value);
            let is_null = format!("{}.{} IS NULL", self.alias, part.name);
            let greater = format!("{column} {} {written}", part.operator(">"));
            let later = match (value, self.nulls_first) {
                (Value::Null, true) => Some(format!("{}.{} IS NOT NULL", self.alias, part.name)),
                (Value::Null, false) => None,
                (_, false) if part.nullable => Some(format!("({greater} OR {is_null})")),
                _ => Some(greater),
            };
            if let Some(later) = later {
                let terms: Vec<String> = same.iter().cloned().chain([later]).collect();
                ways.push(format!("({})", terms.join(" AND ")));
            }
            same.push(match value {
                Value::Null => is_null,
                _ => format!("{column} {} {written}", part.operator("=")),
            });
        }
        if ways.is_empty() { "1 = 0".to_string() } else { format!("({})", ways.join(" OR ")) }
    }

    /// Writes one comparison of rows, which an index finds; `None` where a value may be NULL or operators are not plain.
    fn row_values(&self, operator: &str, values: &[Value]) -> Option<String> {
        let plain = |p: &Part| !p.nullable && (p.operators.is_none() || self.order.len() == 1);
        if !self.order.iter().all(plain) || values.contains(&Value::Null) {
            return None;
        }
        let columns: Vec<String> =
            self.order.iter().map(|p| format!("{}.{}{}", self.alias, p.name, p.collation)).collect();
        let written: Vec<String> = self.order.iter().zip(values).map(|(p, v)| self.literal(p, v)).collect();
        match self.order.as_slice() {
            [one] => Some(format!("{} {} {}", columns.concat(), one.operator(operator), written.concat())),
            _ => Some(format!("({}) {operator} ({})", columns.join(", "), written.join(", "))),
        }
    }

    fn literal(&self, part: &Part, value: &Value) -> String {
        let written = self.dialect.0.value(value);
        part.cast.map_or_else(|| written.clone(), |cast| format!("{written}::{cast}"))
    }
}

impl Part {
    fn operator(&self, name: &str) -> String {
        self.operators.as_ref().map_or_else(|| name.to_string(), |schema| format!("OPERATOR({schema}.{name})"))
    }
}

/// Returns what the rows of a table are sorted by: the columns of a key without NULL, the primary one first.
fn key(dialect: &dyn Dialect, table: &Table) -> Option<Vec<Part>> {
    let unique = table.unique_keys.iter().filter(|k| !k.deferrable);
    table.primary_key.iter().chain(unique).find_map(|key| of_key(dialect, table, key))
}

fn of_key(dialect: &dyn Dialect, table: &Table, key: &Key) -> Option<Vec<Part>> {
    if key.columns.is_empty() || key.columns.iter().any(|c| table.is_nullable(c)) {
        return None;
    }
    let primary = table.primary_key.as_ref() == Some(key);
    let behind = |index: &&Index| {
        let origin = if primary { IndexOrigin::PrimaryKey } else { IndexOrigin::Constraint };
        index.origin == origin && index.plain_columns().is_some_and(|c| c == key.columns)
    };
    let index = table.indexes.iter().find(behind);
    let parts = key.columns.iter().enumerate().map(|(at, name)| {
        let collation = index.and_then(|i| i.parts.get(at)).and_then(|p| p.collation.as_deref());
        part(dialect, table, name, collation)
    });
    parts.collect()
}

/// Makes what a column is compared by; `None` if only the catalog knows its type's `>`.
fn part(dialect: &dyn Dialect, table: &Table, name: &str, collation: Option<&str>) -> Option<Part> {
    let column = table.column(name).filter(|c| dialect.has_equality(c))?;
    let operators = match &column.equality.0 {
        Some(equality) => Some(equality.strip_suffix(".=")?.to_string()),
        None => None,
    };
    let quoted = |name: &str| {
        let parts = split_dotted(name).unwrap_or_else(|_| vec![name.to_string()]);
        parts.iter().map(|p| dialect.quote(p)).collect::<Vec<_>>().join(".")
    };
    Some(Part {
        name: dialect.identifier(name),
        collation: collation.map_or_else(String::new, |c| format!(" COLLATE {}", quoted(c))),
        operators,
        cast: None,
        nullable: column.nullable,
    })
}

fn places(dialect: &dyn Dialect, table: &Table) -> Option<Vec<Part>> {
    let places = dialect.places(table);
    let part = |(name, cast): (&'static str, Option<&'static str>)| Part {
        name: name.to_string(),
        collation: String::new(),
        operators: None,
        cast,
        nullable: false,
    };
    (!places.is_empty()).then(|| places.into_iter().map(part).collect())
}
