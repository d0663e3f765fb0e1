//! The model of a database: tables, columns, keys, indexes, foreign keys, triggers, as plain data.
//!
//! Everything refers by name, never by pointer: a parent may be missing (SQLite allows it), and such a schema must be
//! representable, because it is one of the things referee looks for. A schema read from files and one inspected from a
//! server are the same value when they describe the same database. Nothing here talks to a database or prints.

mod affinity;
mod comparison;
mod engine;
pub mod facts;
mod foreign_key;
mod index;
mod json;
mod literal;
mod names;
mod partitions;
mod row_filter;
mod trigger;
mod types;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use affinity::Affinity;
pub use comparison::{CatalogOnly, Comparison};
pub use engine::{Engine, Version};
use facts::DefaultSchema;
pub use facts::Facts;
pub use foreign_key::{Action, DisabledSide, ForeignKey, Match, Timing};
pub use index::{Index, IndexOrigin, IndexPart, Key};
pub use json::{FORMAT, JsonError, from_json, json_schema, to_json};
pub(crate) use literal::{bare_literal, is_literal};
pub use names::{NameError, TableName, split_dotted};
pub use row_filter::RowFilter;
pub use trigger::{Chance, Does, Publication, ReplicaIdentity, RewriteRule, Trigger, Write, WriteKind, Written};
pub use types::{DataType, Family};

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_true(value: &bool) -> bool {
    *value
}

fn yes() -> bool {
    true
}

/// A whole database as far as relations between rows are concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Schema {
    /// Whose rules apply.
    pub engine: Engine,
    /// The server's (SQLite: the library's) version, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The schema that an unqualified [`TableName`] lies in; `None` on SQLite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_schema: Option<String>,
    /// PostgreSQL: whose sessions begin with `session_replication_role = replica`, in which no foreign key and no trigger acts:
    /// `role app`, `database shop`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replica_roles: Vec<String>,
    /// All tables, sorted by name: see [`Schema::sort`].
    pub tables: Vec<Table>,
}

impl Schema {
    /// Makes an empty schema of an engine, with that engine's default schema name.
    pub fn new(engine: Engine) -> Self {
        let default_schema = match engine.facts().names.default_schema {
            DefaultSchema::SearchPath(name) => Some(name.to_string()),
            DefaultSchema::Fixed(_) | DefaultSchema::InUse => None,
        };
        Self { engine, version: None, default_schema, replica_roles: Vec::new(), tables: Vec::new() }
    }

    /// Finds a table by its exact name. Tables must be sorted.
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.binary_search_by(|t| t.name.cmp(name)).ok().map(|i| &self.tables[i])
    }

    /// Finds a table by its exact name, to change it. Tables must be sorted.
    pub fn table_mut(&mut self, name: &TableName) -> Option<&mut Table> {
        self.tables.binary_search_by(|t| t.name.cmp(name)).ok().map(|i| &mut self.tables[i])
    }

    /// Finds a table as a user types it: exact first, then without regard to case.
    pub fn find_table(&self, typed: &str) -> Option<&Table> {
        let exact = typed.parse().ok().and_then(|name| self.table(&name));
        exact.or_else(|| self.tables.iter().find(|t| t.name.to_string().eq_ignore_ascii_case(typed))).or_else(|| {
            let default = self.default_schema.as_deref()?;
            let name: TableName = typed.parse().ok()?;
            if name.schema.as_deref() == Some(default) { self.table(&TableName::new(name.name)) } else { None }
        })
    }

    /// Names a table, leaving the schema out when it is the default one.
    pub fn name_of(&self, schema: &str, table: &str) -> TableName {
        if self.default_schema.as_deref() == Some(schema) {
            TableName::new(table)
        } else {
            TableName::in_schema(Some(schema), table)
        }
    }

    /// Puts tables, and what belongs to them by name, in the order that every other function expects.
    ///
    /// Columns and the columns of keys keep their order. Foreign keys are sorted by columns, then name, so that the order
    /// of declaration does not show; what it decides is kept in [`ForeignKey::firing_order`].
    pub fn sort(&mut self) {
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        self.tables.iter_mut().for_each(Table::sort);
    }

    /// Iterates over all declared foreign keys, each with the child table that holds it.
    pub fn foreign_keys(&self) -> impl Iterator<Item = (&Table, &ForeignKey)> {
        self.tables.iter().flat_map(|t| t.foreign_keys.iter().map(move |k| (t, k)))
    }

    /// Iterates over the tables that stand for themselves: all but the partitions of another table.
    pub fn logical_tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|t| t.partition_of.is_none())
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    /// The table's name.
    pub name: TableName,
    /// What kind of table it is.
    #[serde(default, skip_serializing_if = "TableKind::is_plain")]
    pub kind: TableKind,
    /// The partitioned table that this one is a partition of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_of: Option<TableName>,
    /// The tables whose rows this one's belong to as well (PostgreSQL `INHERITS`; not partitions).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<TableName>,
    /// The columns, in the table's order.
    pub columns: Vec<Column>,
    /// The primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Key>,
    /// `UNIQUE` constraints. A unique index without a constraint is among [`Table::indexes`] only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_keys: Vec<Key>,
    /// All indexes, those behind keys included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// The foreign keys that this table holds: it is the child in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// `CHECK` constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Triggers that users made; those that implement foreign keys are part of [`ForeignKey`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// PostgreSQL: rules that rewrite statements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrite_rules: Vec<RewriteRule>,
    /// PostgreSQL: the publications that the table's changes go into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<Publication>,
    /// PostgreSQL: what tells its rows apart for those who replicate them.
    #[serde(default, skip_serializing_if = "ReplicaIdentity::is_default")]
    pub replica_identity: ReplicaIdentity,
    /// How many rows the engine estimates; `None` where it has no estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_estimate: Option<u64>,
    /// Whether this session may read the rows, at least some columns of them.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub readable: bool,
    /// PostgreSQL: the columns that this session may not read, where it may read others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable_columns: Vec<String>,
    /// What hides rows from this session, if something does (PostgreSQL's row-level security).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_filter: Option<RowFilter>,
    /// SQLite: `WITHOUT ROWID`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_rowid: bool,
    /// SQLite: `STRICT`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// SQLite: `AUTOINCREMENT`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub autoincrement: bool,
    /// PostgreSQL: `UNLOGGED`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlogged: bool,
    /// The table's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Table {
    /// Makes an empty table.
    pub fn new(name: TableName) -> Self {
        Self {
            name,
            kind: TableKind::Plain,
            partition_of: None,
            inherits: Vec::new(),
            columns: Vec::new(),
            primary_key: None,
            unique_keys: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            triggers: Vec::new(),
            rewrite_rules: Vec::new(),
            publications: Vec::new(),
            replica_identity: ReplicaIdentity::Default,
            row_estimate: None,
            readable: true,
            unreadable_columns: Vec::new(),
            row_filter: None,
            without_rowid: false,
            strict: false,
            autoincrement: false,
            unlogged: false,
            comment: None,
        }
    }

    /// Returns what of some columns this session may not read: all of the table (no name), or some of them; `None` if it may.
    pub fn unreadable<'c>(&self, columns: impl IntoIterator<Item = &'c String>) -> Option<Vec<&'c str>> {
        if !self.readable {
            return Some(Vec::new());
        }
        let mut missing: Vec<&str> =
            columns.into_iter().filter(|c| self.unreadable_columns.contains(c)).map(String::as_str).collect();
        missing.sort_unstable();
        missing.dedup();
        (!missing.is_empty()).then_some(missing)
    }

    /// Puts what belongs to the table by name in order: see [`Schema::sort`].
    pub fn sort(&mut self) {
        self.unique_keys.sort_by(|a, b| (&a.columns, &a.name, a.deferrable).cmp(&(&b.columns, &b.name, b.deferrable)));
        self.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        self.foreign_keys.sort_by(|a, b| {
            (&a.columns, &a.name, &a.parent, a.firing_order).cmp(&(&b.columns, &b.name, &b.parent, b.firing_order))
        });
        self.checks.sort_by(|a, b| (&a.name, &a.expression, a.validated).cmp(&(&b.name, &b.expression, b.validated)));
        self.triggers.sort_by(|a, b| a.name.cmp(&b.name));
        self.rewrite_rules.sort_by(|a, b| a.name.cmp(&b.name));
        self.publications.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Finds a column by its exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Tells whether a column can hold NULL. A missing column counts as one that can.
    pub fn is_nullable(&self, column: &str) -> bool {
        self.column(column).is_none_or(|c| c.nullable)
    }

    /// Tells whether a column is part of the primary key.
    pub fn in_primary_key(&self, column: &str) -> bool {
        self.primary_key.as_ref().is_some_and(|k| k.columns.iter().any(|c| c == column))
    }

    /// Iterates over the primary key, the unique constraints and the full unique indexes as lists of columns: every group
    /// of columns that no two rows share. Partial, expression and invalid indexes are not among them.
    pub fn unique_column_sets(&self) -> impl Iterator<Item = Vec<&str>> {
        let keys = self.primary_key.iter().chain(&self.unique_keys);
        let keys = keys.map(|k| k.columns.iter().map(String::as_str).collect());
        let indexes = self.indexes.iter().filter(|i| i.unique && i.valid && i.predicate.is_none());
        keys.chain(indexes.filter_map(Index::plain_columns))
    }

    /// Tells whether no two rows can share these columns' values, in whatever order they are given.
    pub fn is_unique(&self, columns: &[String]) -> bool {
        self.unique_column_sets()
            .any(|set| set.len() == columns.len() && columns.iter().all(|c| set.contains(&c.as_str())))
    }
}

/// What kind of table a table is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// An ordinary table, or a partition of one.
    #[default]
    Plain,
    /// A partitioned table, which holds no rows itself.
    Partitioned,
    /// A table whose rows another server keeps.
    Foreign,
    /// SQLite: a virtual table.
    Virtual,
    /// A kind that this version of referee does not know, as the catalog spells it.
    Other(String),
}

impl TableKind {
    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether NULL can be put into it. False for `NOT NULL`, also where the engine implies it (a primary key) and where it
    /// is not checked for older rows (PostgreSQL 18's `NOT VALID`).
    pub nullable: bool,
    /// The default, as SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression a generated column is computed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// Whether the engine numbers the rows by it (identity, serial, `AUTO_INCREMENT`, SQLite's rowid alias).
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_number: bool,
    /// The collation, where it is not the database's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<Collation>,
    /// PostgreSQL: the operator by which values of its type are equal, with its schema (`extensions.=`), where a plain `=`
    /// may be taken for another one.
    #[serde(default, skip_serializing_if = "CatalogOnly::is_unknown")]
    pub equality: CatalogOnly<Option<String>>,
    /// The column's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Column {
    /// Makes a nullable column without a default.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            nullable: true,
            default: None,
            generated: None,
            auto_number: false,
            collation: None,
            equality: CatalogOnly::default(),
            comment: None,
        }
    }

    /// Tells whether the engine takes values of different texts for equal: `Ann` and `ann` of a citext.
    pub fn compares_by_its_own_rules(&self) -> bool {
        let own = self.equality.0.as_ref().is_some_and(|o| !o.starts_with("pg_catalog."));
        own || self.collation.as_ref().is_some_and(|c| !c.deterministic)
    }
}

/// How a generated column is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Generated {
    /// The SQL expression; empty where the catalog does not tell it.
    pub expression: String,
    /// Whether the value is stored; otherwise it is computed when read.
    pub stored: bool,
}

/// A collation that decides when two texts are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collation {
    /// Its name: `C`, `NOCASE`, `utf8mb4_general_ci`.
    pub name: String,
    /// Whether texts are equal only when their bytes are (PostgreSQL: deterministic; SQLite: `BINARY`).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub deterministic: bool,
}

/// A `CHECK` constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Its name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The condition, as SQL text without the outer parentheses.
    pub expression: String,
    /// Whether the engine says that all rows satisfy it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub validated: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_index_makes_columns_unique_only_when_it_covers_every_row() {
        let mut table = Table::new("t".into());
        let mut index = Index::on("u", ["a", "b"]);
        index.unique = true;
        table.indexes.push(index);
        let columns = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(table.is_unique(&columns(&["b", "a"])));
        assert!(!table.is_unique(&columns(&["a"])));
        table.indexes[0].predicate = Some("a > 0".into());
        assert!(!table.is_unique(&columns(&["a", "b"])));
    }

    #[test]
    fn actions_are_read_however_they_are_written() {
        assert_eq!(Action::parse("set null"), Some(Action::SetNull));
        assert_eq!(Action::parse("NO  ACTION"), Some(Action::NoAction));
        assert_eq!(Action::parse("no_action"), Some(Action::NoAction));
        assert_eq!(Action::parse("cascades"), None);
    }
}
