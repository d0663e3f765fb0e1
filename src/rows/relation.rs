//! The rows of one relation: which refer to which, and which are orphans.

use super::comparison::{self, is_comparable};
use super::set::{RowSet, source};
use crate::engine::Dialect;
use crate::relations::Relation;
use crate::schema::{Comparison, ForeignKey, Schema, TableName};

/// What a row of the child is called, and what one of its parent is.
const CHILD: &str = "child";
const PARENT: &str = "parent";

/// Writes SQL about the rows of one relation.
#[derive(Clone, Copy)]
pub struct RelationRows<'a> {
    dialect: &'a dyn Dialect,
    schema: &'a Schema,
    child: &'a TableName,
    columns: &'a [String],
    parent: &'a TableName,
    parent_columns: &'a [String],
    key: Option<&'a ForeignKey>,
}

/// The rows of a child that refer to a row of its parent: `… {child} AS child … {parent} AS parent … WHERE {condition}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referring {
    /// The child, as it is written in FROM.
    pub child: String,
    /// The parent, as it is written in FROM.
    pub parent: String,
    /// When a row `child` refers to a row `parent`.
    pub condition: String,
}

/// By which comparison a row refers to another. SQLite has three for one key (`relations::unlike`); on every other engine they are
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// As the key is checked: by the parent's affinity and collation.
    ByCheck,
    /// As the rows are searched that a deleted parent leaves: two columns are compared.
    ByScan,
    /// As the key's action finds its rows: by the child's affinity.
    ByAction,
}

impl<'a> RelationRows<'a> {
    /// Is about the rows of a relation.
    pub fn of(dialect: &'a dyn Dialect, schema: &'a Schema, relation: &'a Relation) -> Self {
        Self {
            dialect,
            schema,
            child: &relation.child,
            columns: &relation.columns,
            parent: &relation.parent,
            parent_columns: &relation.parent_columns,
            key: relation.foreign_key(),
        }
    }

    /// Is about the rows of a foreign key that a child has, or is to have.
    pub fn of_key(dialect: &'a dyn Dialect, schema: &'a Schema, child: &'a TableName, key: &'a ForeignKey) -> Self {
        Self {
            dialect,
            schema,
            child,
            columns: &key.columns,
            parent: &key.parent,
            parent_columns: &key.parent_columns,
            key: Some(key),
        }
    }

    /// Is about the rows that columns refer by which no foreign key has.
    pub fn between(
        dialect: &'a dyn Dialect,
        schema: &'a Schema,
        (child, columns): (&'a TableName, &'a [String]),
        (parent, parent_columns): (&'a TableName, &'a [String]),
    ) -> Self {
        Self { dialect, schema, child, columns, parent, parent_columns, key: None }
    }

    /// Returns the table that refers.
    pub fn child(&self) -> &'a TableName {
        self.child
    }

    /// Returns the table that is referred to.
    pub fn parent(&self) -> &'a TableName {
        self.parent
    }

    /// Writes the child in FROM.
    pub fn child_source(&self) -> String {
        source(self.dialect, self.schema, self.child)
    }

    /// Writes the parent in FROM.
    pub fn parent_source(&self) -> String {
        source(self.dialect, self.schema, self.parent)
    }

    /// Writes which rows of the child refer to which of the parent.
    pub fn referring(&self) -> Referring {
        Referring { child: self.child_source(), parent: self.parent_source(), condition: self.refers(CHILD, PARENT) }
    }

    /// Returns the rows `child` that have a reference: those that need a parent, whether they have one or not.
    pub fn with_reference(&self) -> RowSet {
        RowSet { source: self.child_source(), alias: CHILD.to_string(), condition: self.needs_parent(CHILD) }
    }

    /// Returns the rows `child` that have no parent.
    pub fn orphans(&self) -> RowSet {
        RowSet { source: self.child_source(), alias: CHILD.to_string(), condition: self.is_orphan(CHILD) }
    }

    /// Returns the rows `child` that refer to a row `parent` of another table with the parent's columns, such as a backup of it.
    pub fn referring_to(&self, parents: &str) -> RowSet {
        RowSet {
            source: format!("{parents} AS {PARENT}, {}", self.child_source()),
            alias: CHILD.to_string(),
            condition: self.refers(CHILD, PARENT),
        }
    }

    /// Returns the rows `parent` that a row refers to.
    pub fn parents_of(&self, child: &str, parent: &str, how: Compared) -> RowSet {
        let condition = self.refers_by(how, child, parent);
        RowSet { source: self.parent_source(), alias: parent.to_string(), condition }
    }

    /// Returns the rows `child` that refer to a row.
    pub fn children_of(&self, parent: &str, child: &str) -> RowSet {
        RowSet { source: self.child_source(), alias: child.to_string(), condition: self.refers(child, parent) }
    }

    /// Returns the rows `parent` whose columns have values, each given by how it is written in the place of a child's column.
    pub fn parents_with(&self, parent: &str, values: &[String]) -> RowSet {
        let equal = self.parent_columns.iter().zip(values).enumerate().map(|(at, (column, value))| {
            self.comparison(at).sql(&format!("{parent}.{}", self.dialect.identifier(column)), value)
        });
        let condition = equal.collect::<Vec<_>>().join(" AND ");
        RowSet { source: self.parent_source(), alias: parent.to_string(), condition }
    }

    /// Writes the query that tells whether there is any parent row, and whether there is one whose columns have values: two
    /// numbers, each 1 or 0.
    pub fn is_parent(&self, values: &[String]) -> String {
        let (any, one) = (self.parent_source(), self.parents_with(PARENT, values).some());
        format!("SELECT CASE WHEN EXISTS (SELECT 1 FROM {any}) THEN 1 ELSE 0 END, CASE WHEN {one} THEN 1 ELSE 0 END")
    }

    /// Writes that a row refers to the parent whose columns have values, without a look at the parent.
    pub fn refers_to_values(&self, child: &str, values: &[String]) -> String {
        let table = self.schema.table(self.child);
        let mut terms: Vec<String> = Vec::new();
        for (at, (column, value)) in self.columns.iter().zip(values).enumerate() {
            let written = format!("{child}.{}", self.dialect.identifier(column));
            if table.and_then(|t| t.column(column)).is_some_and(|c| c.nullable) {
                terms.push(format!("{written} IS NOT NULL"));
            }
            terms.push(self.comparison(at).with_value(&written, value));
        }
        terms.join(" AND ")
    }

    /// Writes the query that counts rows `child`, and those of them that have no parent. Each of the rows has a reference.
    pub fn counts(&self, rows: &RowSet) -> String {
        rows.select(&format!("count(*), count(CASE WHEN {} THEN 1 END)", self.has_no_parent(&rows.alias)))
    }

    /// Writes the query that lists some of the values by which orphans refer to nothing, in order, each once.
    pub fn samples(&self, limit: u32) -> String {
        let table = self.schema.table(self.child);
        let written = |name: &String| {
            let column = format!("{CHILD}.{}", self.dialect.identifier(name));
            // DISTINCT and ORDER BY need an order, which not every type has.
            let ordered = table.and_then(|t| t.column(name)).is_none_or(|c| self.dialect.has_equality(c));
            if ordered { column } else { self.dialect.as_text(&column) }
        };
        let columns: Vec<String> = self.columns.iter().map(written).collect();
        let places: Vec<String> = (1..=columns.len()).map(|i| i.to_string()).collect();
        let what = format!("DISTINCT {}", columns.join(", "));
        format!("{} ORDER BY {} LIMIT {limit}", self.orphans().select(&what), places.join(", "))
    }

    /// Writes that a row needs a parent: one NULL makes a reference none, and under MATCH FULL only NULL in all columns does.
    pub fn needs_parent(&self, child: &str) -> String {
        let full = self.key.is_some_and(|k| self.schema.engine.facts().keys.is_full(k));
        let all: Vec<String> =
            self.columns.iter().map(|c| format!("{child}.{} IS NOT NULL", self.dialect.identifier(c))).collect();
        if full && all.len() > 1 { format!("({})", all.join(" OR ")) } else { all.join(" AND ") }
    }

    /// Writes that a row needs a parent and has none: NOT EXISTS, because NOT IN is never true where a parent's key is NULL.
    pub fn is_orphan(&self, child: &str) -> String {
        let needs = self.needs_parent(child);
        if self.schema.table(self.parent).is_none() {
            return needs;
        }
        format!("{needs} AND {}", self.has_no_parent(child))
    }

    /// Writes that no row of the parent is referred to by a row.
    pub fn has_no_parent(&self, child: &str) -> String {
        let parent = if child == PARENT { "above" } else { PARENT };
        let covers = self.covers(child, parent).map_or_else(String::new, |having| format!(" HAVING {having}"));
        let (source, refers) = (self.parent_source(), self.refers(child, parent));
        format!("NOT EXISTS (SELECT 1 FROM {source} AS {parent} WHERE {refers}{covers})")
    }

    /// Writes when a row of the child refers to a row of the parent. Periods refer to each row that they overlap.
    pub fn refers(&self, child: &str, parent: &str) -> String {
        self.refers_by(Compared::ByCheck, child, parent)
    }

    /// Writes the same by one of SQLite's comparisons.
    pub fn refers_by(&self, how: Compared, child: &str, parent: &str) -> String {
        let pairs = 0..self.columns.len().min(self.parent_columns.len());
        let equal: Vec<String> = pairs.map(|at| self.pair(at, (child, parent), how)).collect();
        equal.join(" AND ")
    }

    /// Writes when the periods of all parents together cover a row's (ri_triggers.c, RI_FKey_check); `None` for a key without one.
    fn covers(&self, child: &str, parent: &str) -> Option<String> {
        let (own, other) = self.period()?;
        let (own, other) = (self.dialect.identifier(own), self.dialect.identifier(other));
        Some(format!("{child}.{own} OPERATOR(pg_catalog.<@) pg_catalog.range_agg({parent}.{other})"))
    }

    fn period(&self) -> Option<(&'a str, &'a str)> {
        self.key.filter(|k| k.temporal)?;
        self.columns.last().zip(self.parent_columns.last()).map(|(own, other)| (own.as_str(), other.as_str()))
    }

    fn pair(&self, at: usize, (child, parent): (&str, &str), how: Compared) -> String {
        let name = |columns: &[String]| columns.get(at).map(|c| self.dialect.identifier(c)).unwrap_or_default();
        let left = format!("{parent}.{}", name(self.parent_columns));
        let right = format!("{child}.{}", name(self.columns));
        if self.period().is_some() && at + 1 == self.columns.len() {
            return format!("{left} OPERATOR(pg_catalog.&&) {right}");
        }
        let column = |table: &TableName, columns: &[String]| {
            columns.get(at).and_then(|name| self.schema.table(table)?.column(name))
        };
        let columns = (column(self.child, self.columns), column(self.parent, self.parent_columns));
        if let (Some(child), Some(parent), false) = (columns.0, columns.1, self.is_declared()) {
            let collations_differ = child.collation != parent.collation;
            let by_bytes = self.dialect.collation_of_bytes();
            if !is_comparable(self.dialect, child, parent) || collations_differ && !self.dialect.joins_collations() {
                // Bytes decide, whatever the collations of the two columns.
                let collation =
                    by_bytes.filter(|_| collations_differ).map_or_else(String::new, |c| format!(" COLLATE {c}"));
                return format!("{} = {}{collation}", self.dialect.as_text(&left), self.dialect.as_text(&right));
            }
        }
        match how {
            Compared::ByCheck => self.dialect.key_equality(&left, &right, &self.comparison(at)),
            Compared::ByScan => self.comparison(at).sql(&left, &right),
            // The plus takes the affinity away: what acts is a value of the parent, not a column.
            Compared::ByAction => self.comparison(at).sql(&format!("+{left}"), &right),
        }
    }

    fn comparison(&self, at: usize) -> Comparison {
        match (self.key, self.columns.get(at), self.parent_columns.get(at)) {
            (Some(key), ..) => comparison::of_key(self.dialect, self.schema, self.child, key, at),
            (None, Some(own), Some(other)) => {
                comparison::of_columns(self.dialect, self.schema, (self.child, own), (self.parent, other))
            }
            _ => Comparison::default(),
        }
    }

    /// Tells whether the engine itself compares the columns: a key that is there has an operator for its types. What is only to be
    /// a key may join what the engine would not compare.
    fn is_declared(&self) -> bool {
        let Some(key) = self.key else { return false };
        let alike = |k: &ForeignKey| {
            (&k.columns, &k.parent, &k.parent_columns) == (&key.columns, &key.parent, &key.parent_columns)
        };
        !key.comparisons.0.is_empty() || self.schema.table(self.child).is_some_and(|t| t.foreign_keys.iter().any(alike))
    }
}
