//! Which rows go and which lose a reference, as SQL, and the queries that count them.

use super::{Closure, Mark, Reference};
use crate::engine::Dialect;
use crate::rows::{Followers, NoIdentity, Reach, RelationRows, RowSet};
use crate::schema::{ForeignKey, Schema, TableName};

/// The queries that count a closure, each of one number.
pub(in crate::plan) struct Queries {
    /// For each table, the rows that go.
    pub gone: Vec<String>,
    /// For each table, those of them that are orphans; `None` where it has none.
    pub orphans: Vec<Option<String>>,
    /// For each mark, the rows that lose the reference.
    pub marks: Vec<String>,
    /// For each relation, the rows that refer to one that goes, whatever becomes of them.
    pub links: Vec<String>,
    /// For each block, the rows that must not be.
    pub blocks: Vec<String>,
    /// For each mark, those of its rows that are orphans; `None` where all are, or none.
    pub stale: Vec<Option<String>>,
    /// For each guess, the rows that would be left behind.
    pub guesses: Vec<String>,
}

/// Writes about the rows of a closure.
pub(in crate::plan) struct ClosureRows<'a> {
    pub dialect: &'a dyn Dialect,
    /// The schema as it is when the step runs.
    pub schema: &'a Schema,
    pub closure: &'a Closure,
    /// What the rows that go are called, within one statement.
    pub name: &'a str,
}

impl<'a> ClosureRows<'a> {
    fn relation(&self, child: &'a TableName, key: &'a ForeignKey) -> RelationRows<'a> {
        RelationRows::of_key(self.dialect, self.schema, child, key)
    }

    /// Returns the rows `child` that have no parent by a key.
    pub fn orphans(&self, of: &'a Reference) -> RowSet {
        self.relation(&of.child, &of.key).orphans()
    }

    fn reach(&self) -> Reach<'a> {
        let seeds = self.closure.seeds.iter().map(|seed| (&seed.child, self.orphans(seed)));
        Reach {
            dialect: self.dialect,
            schema: self.schema,
            name: self.name,
            tables: &self.closure.tables,
            seeds: seeds.collect(),
            follows: self.closure.follows.iter().map(|f| self.relation(&f.child, &f.key)).collect(),
        }
    }

    /// Writes the rows that go as a query, from WITH on; a SELECT follows.
    pub fn gone(&self) -> Result<String, String> {
        self.reach().with().map_err(no_identity)
    }

    /// Writes that a row of a table goes; `gone` names the rows that go.
    pub fn is_gone(&self, table: &TableName, row: &str, gone: &str) -> Result<String, String> {
        self.reach().is_reached(table, row, gone).map_err(no_identity)
    }

    /// Writes that a row loses a reference; `set` names the rows that do, under the number of the mark.
    pub fn is_marked(&self, at: usize, table: &TableName, row: &str, set: &str) -> Result<String, String> {
        let of = self.schema.table(table).and_then(|t| self.dialect.is_in(t, row, set, at + 1));
        of.ok_or_else(|| no_identity(NoIdentity(table.clone())))
    }

    /// Writes that a row of a table is the one that a row of a set stands for.
    pub fn is_at(&self, table: &TableName, row: &str, set: &str) -> Result<String, String> {
        self.reach().is_at(table, row, set).map_err(no_identity)
    }

    /// Writes that a row of a table does not go; `None` if none of its table does.
    fn stays(&self, table: &TableName, row: &str, gone: &str) -> Result<Option<String>, String> {
        let loses = self.closure.number(table).is_some();
        loses.then(|| Ok(format!("NOT {}", self.is_gone(table, row, gone)?))).transpose()
    }

    /// Returns the rows `child` that refer to one that goes.
    fn followers(&self, child: &'a TableName, key: &'a ForeignKey, gone: &str) -> Result<Followers, String> {
        self.reach().followers(&self.relation(child, key), gone).map_err(no_identity)
    }

    /// Writes which rows lose a reference, as a query in parentheses; `gone` names the rows that go.
    pub fn marked(&self, mark: &'a Mark, gone: &str) -> Result<String, String> {
        let listed = self.reach().listed(&mark.table, "child").map_err(no_identity)?;
        let stays = self.stays(&mark.table, "child", gone)?;
        let mut all: Vec<String> = Vec::new();
        for key in &mark.orphans {
            let rows = self.relation(&mark.table, key).orphans();
            all.push(stays.iter().fold(rows, |rows, stays| rows.and(stays)).select(&listed));
        }
        for key in &mark.follows {
            all.push(self.followers(&mark.table, key, gone)?.and(stays.clone()).select(&listed));
        }
        Ok(format!("({})", all.join(" UNION ")))
    }

    /// Returns the rows `child` that stay and refer to one that goes.
    pub fn blocked(&self, block: &'a Reference, gone: &str) -> Result<Followers, String> {
        let stays = self.stays(&block.child, "child", gone)?;
        Ok(self.followers(&block.child, &block.key, gone)?.and(stays))
    }

    /// Counts the orphans of a table; `None` if it has none.
    fn orphans_of(&self, table: &TableName) -> Result<Option<String>, String> {
        let seeds = self.closure.seeds.iter().filter(|s| self.closure.whole(&s.child) == table);
        let rows: Vec<(&TableName, RowSet)> = seeds.map(|s| (&s.child, self.orphans(s))).collect();
        let sets: Vec<RowSet> = rows.iter().map(|(_, set)| set.clone()).collect();
        if sets.iter().any(|r| r.source != sets[0].source) {
            // A partition has keys of its own.
            let listed = |(child, set): &(&TableName, RowSet)| {
                Ok(set.select(&self.reach().listed(child, &set.alias).map_err(no_identity)?))
            };
            let found: Vec<String> = rows.iter().map(listed).collect::<Result<_, String>>()?;
            return Ok(Some(format!("SELECT count(*) FROM ({}) AS found", found.join(" UNION "))));
        }
        Ok(RowSet::any(&sets).map(|rows| rows.count()))
    }

    /// Writes the queries that count the closure.
    pub fn queries(&self) -> Result<Queries, String> {
        let (closure, name, gone) = (self.closure, self.name, self.gone()?);
        let counted = |rows: Followers| format!("{gone}\n{}", rows.count());
        let marked = |mark: &'a Mark| self.marked(mark, name);
        let count = |rows: String| format!("{gone}\nSELECT count(*) FROM {rows} AS marked");
        let mut stale: Vec<Option<String>> = Vec::new();
        for mark in &closure.marks {
            let only = mark.only_orphans();
            let own = ClosureRows { dialect: self.dialect, schema: self.schema, closure, name };
            stale.push(only.as_ref().map(|only| own.marked(only, name).map(count)).transpose()?);
        }
        let mut links: Vec<String> = Vec::new();
        for link in &closure.links() {
            let own = ClosureRows { dialect: self.dialect, schema: self.schema, closure, name };
            links.push(counted(own.followers(&link.child, &link.key, name)?));
        }
        let blocked = |all: &'a [Reference]| -> Result<Vec<String>, String> {
            all.iter().map(|one| Ok(counted(self.blocked(one, name)?))).collect()
        };
        Ok(Queries {
            gone: (1..=closure.tables.len())
                .map(|n| format!("{gone}\nSELECT count(*) FROM {name} WHERE t = {n}"))
                .collect(),
            orphans: closure.tables.iter().map(|t| self.orphans_of(t)).collect::<Result<_, String>>()?,
            marks: closure.marks.iter().map(|m| Ok(count(marked(m)?))).collect::<Result<_, String>>()?,
            links,
            blocks: blocked(&closure.blocks)?,
            stale,
            guesses: blocked(&closure.guesses)?,
        })
    }
}

fn no_identity(NoIdentity(table): NoIdentity) -> String {
    format!("nothing tells the rows of {table} apart, as columns have all names of a rowid: clean its rows up by hand")
}
