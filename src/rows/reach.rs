//! Rows that are reached from others along relations, as one recursive query: through circles and self references as well, each row
//! once.
//!
//! PostgreSQL lets a recursive query name itself once (manual, 7.8.2), so a round's new rows get a name of their own. SQLite looks at
//! one row after the other (lang_with.html, 3) and would read the whole child for each: there all pairs of child and parent are
//! joined once, into a table that it then searches by an index.

use super::relation::{Referring, RelationRows};
use super::set::RowSet;
use crate::engine::{Dialect, Recursion};
use crate::schema::{Schema, TableName};

/// Writes which rows are reached.
pub struct Reach<'a> {
    /// Whose SQL it is.
    pub dialect: &'a dyn Dialect,
    /// What the tables are like.
    pub schema: &'a Schema,
    /// What the set of rows is called.
    pub name: &'a str,
    /// The tables, numbered from 1 on.
    pub tables: &'a [TableName],
    /// The rows that it begins with, each set with its table. They are called `child`.
    pub seeds: Vec<(&'a TableName, RowSet)>,
    /// The relations along which a row is reached from its parent.
    pub follows: Vec<RelationRows<'a>>,
}

/// The rows `child` that refer to rows of a finished set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followers {
    from: String,
    terms: Vec<String>,
}

impl Followers {
    /// Returns those of which one more condition is true.
    #[must_use]
    pub fn and(mut self, term: Option<String>) -> Self {
        self.terms.extend(term);
        self
    }

    /// Writes `FROM … WHERE …`.
    pub fn from(&self) -> String {
        let only = if self.terms.is_empty() { String::new() } else { format!(" WHERE {}", self.terms.join(" AND ")) };
        format!("FROM {}{only}", self.from)
    }

    /// Writes a query about the rows.
    pub fn select(&self, what: &str) -> String {
        format!("SELECT {what} {}", self.from())
    }

    /// Writes the query that counts the rows.
    pub fn count(&self) -> String {
        self.select("count(*)")
    }

    /// Writes the condition that there is a row.
    pub fn some(&self) -> String {
        format!("EXISTS ({})", self.select("1"))
    }
}

/// A table's rows that cannot be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoIdentity(pub TableName);

impl Reach<'_> {
    /// Returns a table's number, of a partition the number of the whole; 0 for one that is not among them.
    pub fn number(&self, table: &TableName) -> usize {
        let of = |name: &TableName| self.tables.iter().position(|t| t == name);
        of(table).or_else(|| of(self.schema.whole(table))).map_or(0, |at| at + 1)
    }

    /// Writes the query from WITH on, to which a SELECT is added: a table of the name with the table's number `t` and what tells
    /// the row apart.
    ///
    /// # Errors
    /// A table's rows cannot be told apart.
    pub fn with(&self) -> Result<String, NoIdentity> {
        match self.dialect.recursion() {
            Recursion::Rounds => self.by_rounds(),
            Recursion::Pairs => self.by_pairs(),
        }
    }

    /// Writes that a row of a table is reached; `set` is the table that holds the rows.
    ///
    /// # Errors
    /// The table's rows cannot be told apart.
    pub fn is_reached(&self, table: &TableName, row: &str, set: &str) -> Result<String, NoIdentity> {
        let none = || NoIdentity(table.clone());
        let model = self.schema.table(table).ok_or_else(none)?;
        self.dialect.is_in(model, row, set, self.number(table)).ok_or_else(none)
    }

    /// Writes that a row of a table is the one that a row of a finished set stands for.
    ///
    /// # Errors
    /// The table's rows cannot be told apart.
    pub fn is_at(&self, table: &TableName, row: &str, set: &str) -> Result<String, NoIdentity> {
        let none = || NoIdentity(table.clone());
        let model = self.schema.table(table).ok_or_else(none)?;
        self.dialect.is_at(model, row, set).ok_or_else(none)
    }

    /// Writes the columns of a set of rows of a table, as a finished set has them, each with its name.
    ///
    /// # Errors
    /// The table's rows cannot be told apart.
    pub fn listed(&self, table: &TableName, row: &str) -> Result<String, NoIdentity> {
        let none = || NoIdentity(table.clone());
        let model = self.schema.table(table).ok_or_else(none)?;
        let parts = self.dialect.row_identity(model, row).ok_or_else(none)?;
        let names = self.dialect.identity_columns();
        let named: Vec<String> = parts.iter().zip(names).map(|(part, name)| format!("{part} AS {name}")).collect();
        Ok(named.join(", "))
    }

    /// Returns the rows `child` that refer, along a relation, to a row of a finished set. PostgreSQL goes from the set to the
    /// parents' places; SQLite looks each parent up in the set.
    ///
    /// # Errors
    /// The parent's rows cannot be told apart.
    pub fn followers(&self, link: &RelationRows<'_>, set: &str) -> Result<Followers, NoIdentity> {
        let Referring { child, parent, condition } = link.referring();
        Ok(match self.dialect.recursion() {
            Recursion::Rounds => Followers {
                from: format!(
                    "{set} AS gone JOIN {parent} AS parent ON gone.t = {} AND {} JOIN {child} AS child ON {condition}",
                    self.number(link.parent()),
                    self.is_at(link.parent(), "parent", "gone")?
                ),
                terms: Vec::new(),
            },
            Recursion::Pairs => Followers {
                from: format!("{child} AS child JOIN {parent} AS parent ON {condition}"),
                terms: vec![self.is_reached(link.parent(), "parent", set)?],
            },
        })
    }

    /// Writes what tells a row of a table apart, each part with its name if `named`.
    fn identity(&self, table: &TableName, row: &str, named: bool) -> Result<String, NoIdentity> {
        let none = || NoIdentity(table.clone());
        let model = self.schema.table(table).ok_or_else(none)?;
        let parts = self.dialect.stored_identity(model, row).ok_or_else(none)?;
        let names = self.dialect.identity_columns();
        let written =
            parts.iter().zip(names).map(|(part, name)| if named { format!("{part} AS {name}") } else { part.clone() });
        Ok(written.collect::<Vec<_>>().join(", "))
    }

    fn by_rounds(&self) -> Result<String, NoIdentity> {
        let columns = self.dialect.identity_columns().join(", ");
        let mut seeds: Vec<String> = Vec::new();
        for (table, rows) in &self.seeds {
            let what = format!("{} AS t, {}", self.number(table), self.identity(table, &rows.alias, true)?);
            seeds.push(rows.select(&what));
        }
        let mut follows: Vec<String> = Vec::new();
        for follow in &self.follows {
            let Referring { child, parent, condition } = follow.referring();
            let above = self.schema.table(follow.parent()).ok_or_else(|| NoIdentity(follow.parent().clone()))?;
            let same =
                self.dialect.is_stored(above, "parent", "latest").ok_or_else(|| NoIdentity(above.name.clone()))?;
            follows.push(format!(
                "SELECT {}, {} FROM latest JOIN {parent} AS parent ON latest.t = {} AND {same} JOIN {child} AS child ON {condition}",
                self.number(follow.child()),
                self.identity(follow.child(), "child", true)?,
                self.number(follow.parent())
            ));
        }
        let seeds = seeds.join("\n    UNION ALL ");
        let walked = if follows.is_empty() {
            seeds
        } else {
            format!(
                "({seeds})\n    UNION (WITH latest AS (SELECT t, {columns} FROM walked)\n      {})",
                follows.join("\n      UNION ALL ")
            )
        };
        Ok(format!(
            "WITH RECURSIVE walked (t, {columns}) AS (\n    {walked}),\n  {} AS (SELECT DISTINCT t, {} FROM walked)",
            self.name,
            self.dialect.restored_identity()
        ))
    }

    fn by_pairs(&self) -> Result<String, NoIdentity> {
        let name = self.name;
        let columns = self.dialect.identity_columns().join(", ");
        let mut seeds: Vec<String> = Vec::new();
        for (table, rows) in &self.seeds {
            let what = format!("{}, {}", self.number(table), self.identity(table, &rows.alias, false)?);
            seeds.push(rows.select(&what));
        }
        let mut pairs: Vec<String> = Vec::new();
        for follow in &self.follows {
            let Referring { child, parent, condition } = follow.referring();
            pairs.push(format!(
                "SELECT {}, {}, {}, {} FROM {child} AS child JOIN {parent} AS parent ON {condition}",
                self.number(follow.parent()),
                self.identity(follow.parent(), "parent", false)?,
                self.number(follow.child()),
                self.identity(follow.child(), "child", false)?
            ));
        }
        let seeds = seeds.join("\n    UNION ALL ");
        if pairs.is_empty() {
            return Ok(format!("WITH {name} (t, {columns}) AS (SELECT DISTINCT * FROM (\n    {seeds}))"));
        }
        Ok(format!(
            "WITH RECURSIVE _referee_pair (parent_table, parent_row, child_table, child_row) AS MATERIALIZED (\n    {}),\n  {name} (t, {columns}) AS (\n    \
             {seeds}\n    UNION SELECT pair.child_table, pair.child_row FROM {name} AS gone JOIN _referee_pair AS pair ON pair.parent_table = \
             gone.t AND pair.parent_row = gone.r)",
            pairs.join("\n    UNION ALL ")
        ))
    }
}
