//! Which rows belong to a row of a root table: those that refer to it, to one of those, and so on, along any relation.
//!
//! Where no circle lies between the root and a table, it is written as EXISTS within EXISTS, one for each relation of each path. Where
//! rows may refer to one another in a circle, a table to itself, or the paths are many, one recursive query finds all of them first.

use std::collections::{BTreeMap, BTreeSet};

use super::reach::{NoIdentity, Reach};
use super::relation::RelationRows;
use super::set::{RowSet, source};
use crate::engine::Dialect;
use crate::relations::Relation;
use crate::schema::{Schema, TableName};

/// So many paths are written out; of more, the recursive query is shorter.
const PATHS: usize = 32;

/// What the set of rows is called that a recursive query finds.
const OWNED: &str = "owned";

/// Writes which rows belong to a root row.
pub struct OwnerPaths<'a> {
    dialect: &'a dyn Dialect,
    schema: &'a Schema,
    tables: Vec<TableName>,
    links: Vec<RelationRows<'a>>,
}

/// The rows of a table that belong to a root row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRows {
    /// What stands before a statement about the rows: a WITH with a line end, or nothing.
    pub with: String,
    /// The rows.
    pub rows: RowSet,
}

impl<'a> OwnerPaths<'a> {
    /// Finds the tables that may hold rows of a root row, along these relations. A relation whose columns are not known on both
    /// sides, or whose parent is not there, leads nowhere.
    pub fn new(
        dialect: &'a dyn Dialect,
        schema: &'a Schema,
        root: &'a TableName,
        relations: impl IntoIterator<Item = &'a Relation>,
    ) -> Self {
        let usable = |r: &&Relation| {
            let both = schema.table(&r.child).is_some() && schema.table(&r.parent).is_some();
            both && !r.columns.is_empty() && r.columns.len() == r.parent_columns.len()
        };
        let all: Vec<&Relation> = relations.into_iter().filter(usable).collect();
        let mut tables = vec![root.clone()];
        let mut at = 0;
        while let Some(above) = tables.get(at).cloned() {
            for relation in all.iter().filter(|r| r.parent == above) {
                if !tables.contains(&relation.child) {
                    tables.push(relation.child.clone());
                }
            }
            at += 1;
        }
        let links = all.into_iter().filter(|r| tables.contains(&r.parent));
        let links = links.map(|r| RelationRows::of(dialect, schema, r)).collect();
        Self { dialect, schema, tables, links }
    }

    /// Returns the tables that may hold rows of a root row: the root, then those that are nearer before those that are farther.
    pub fn tables(&self) -> &[TableName] {
        &self.tables
    }

    /// Writes which rows `child` of a table belong to any of some root rows; `root` is a set of the root table's rows.
    ///
    /// # Errors
    /// Rows would have to be found by a recursive query, and those of a table cannot be told apart.
    pub fn rows(&self, table: &TableName, root: &RowSet) -> Result<OwnedRows, NoIdentity> {
        let alias = if root.alias == "child" { "owned_row" } else { "child" };
        let rows = |condition| RowSet {
            source: source(self.dialect, self.schema, table),
            alias: alias.to_string(),
            condition,
        };
        if !self.tables.contains(table) {
            return Ok(OwnedRows { with: String::new(), rows: rows("1 = 0".to_string()) });
        }
        if self.paths(table).is_some_and(|n| n <= PATHS) {
            if self.tables.first() == Some(table) {
                return Ok(OwnedRows { with: String::new(), rows: root.clone() });
            }
            let mut aliases = 0;
            let condition = self.belongs(table, alias, root, &mut aliases);
            return Ok(OwnedRows { with: String::new(), rows: rows(condition) });
        }
        let reach = self.reach(table, root);
        let condition = reach.is_reached(table, alias, OWNED)?;
        Ok(OwnedRows { with: format!("{}\n", reach.with()?), rows: rows(condition) })
    }

    fn links_of<'s>(&'s self, table: &'s TableName) -> impl Iterator<Item = &'s RelationRows<'a>> {
        self.links.iter().filter(move |l| l.child() == table)
    }

    fn belongs(&self, table: &TableName, row: &str, root: &RowSet, aliases: &mut usize) -> String {
        let mut ways = Vec::new();
        for link in self.links_of(table) {
            if self.tables.first() == Some(link.parent()) {
                let condition = format!("{} AND ({})", link.refers(row, &root.alias), root.condition);
                ways.push(RowSet { condition, ..root.clone() }.some());
                continue;
            }
            *aliases += 1;
            let above = format!("above{aliases}");
            let condition =
                format!("{} AND {}", link.refers(row, &above), self.belongs(link.parent(), &above, root, aliases));
            ways.push(RowSet { source: link.parent_source(), alias: above, condition }.some());
        }
        if ways.len() == 1 { ways.concat() } else { format!("({})", ways.join(" OR ")) }
    }

    /// Counts the paths from the root to a table; `None` if a circle lies on one.
    fn paths(&self, table: &TableName) -> Option<usize> {
        let mut known: BTreeMap<&TableName, Option<usize>> = BTreeMap::new();
        self.count(table, &mut BTreeSet::new(), &mut known)
    }

    fn count<'s>(
        &'s self,
        table: &'s TableName,
        open: &mut BTreeSet<&'s TableName>,
        known: &mut BTreeMap<&'s TableName, Option<usize>>,
    ) -> Option<usize> {
        if let Some(count) = known.get(table) {
            return *count;
        }
        if !open.insert(table) {
            return None;
        }
        let mut sum = Some(usize::from(self.tables.first() == Some(table)));
        for link in self.links.iter().filter(|l| l.child() == table) {
            let more = self.count(link.parent(), open, known);
            sum = sum.zip(more).map(|(a, b)| a.saturating_add(b));
        }
        open.remove(table);
        known.insert(table, sum);
        sum
    }

    /// The recursive query over the tables that lie between the root and a table.
    fn reach<'s>(&'s self, table: &'s TableName, root: &RowSet) -> Reach<'s> {
        let mut between: BTreeSet<&TableName> = BTreeSet::from([table]);
        loop {
            let before = between.len();
            for link in &self.links {
                if between.contains(link.child()) {
                    between.insert(link.parent());
                }
            }
            if between.len() == before {
                break;
            }
        }
        Reach {
            dialect: self.dialect,
            schema: self.schema,
            name: OWNED,
            tables: &self.tables,
            seeds: self.tables.first().map(|first| (first, root.clone())).into_iter().collect(),
            follows: self.links.iter().filter(|l| between.contains(l.child())).copied().collect(),
        }
    }
}
