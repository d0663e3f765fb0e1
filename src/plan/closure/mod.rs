//! What follows when orphans are removed: which rows go because their own parent goes, and which lose a reference, up to the
//! fixed point. It says between which tables this happens; the engines write the queries.
//!
//! A row that refers to one that goes follows it if its reference must not be NULL or cascades by declaration; else the
//! reference becomes NULL. Declared foreign keys count, enforced or not, those that the plan is to add, and the relations that
//! the user has configured or accepted. Nothing follows by a guess: the rows that it says would be left behind are counted and
//! named. Rows are only ever added to those that go, so the fixed point is the same in whatever order it is found, through
//! circles as well.

mod find;
mod queries;
mod size;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::{OrphanPolicy, Wanted};
use crate::change::Change;
use crate::relations::side;
use crate::schema::{ForeignKey, TableName};

pub(super) use find::closures;
pub(super) use queries::{ClosureRows, Queries};
pub(super) use size::{Size, Sizes};
pub(super) use words::rows;

/// Tables between which rows follow one another when orphans are removed.
#[derive(Debug)]
pub(super) struct Closure {
    /// The tables that lose rows, in order of name; of a partitioned table the whole, not its partitions.
    pub tables: Vec<TableName>,
    /// The relations whose orphans are removed.
    pub seeds: Vec<Reference>,
    /// The relations by which a row follows its parent.
    pub follows: Vec<Reference>,
    /// The references that become NULL.
    pub marks: Vec<Mark>,
    /// The relations by which no row may refer to one that goes.
    pub blocks: Vec<Reference>,
    /// Those among them whose parent's columns are not unique.
    pub ambiguous: Vec<Reference>,
    /// The relations, only guessed, by which rows that stay may refer to one that goes.
    pub guesses: Vec<Reference>,
    /// The relations that have no orphan afterwards.
    pub checked: Vec<Reference>,
    /// The partitioned tables that partitions belong to in the end. Rows of a partition are theirs.
    pub wholes: BTreeMap<TableName, TableName>,
    /// The tables whose rows no delete of another table may take with it (`never_cascade_into`).
    pub protected: BTreeSet<TableName>,
    /// What becomes of the rows.
    pub policy: OrphanPolicy,
    /// Which of the wanted things it makes room for.
    pub wants: Vec<usize>,
}

/// A child's key: declared, or to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    pub child: TableName,
    pub key: ForeignKey,
}

impl Reference {
    fn new(child: &TableName, key: &ForeignKey) -> Self {
        Self { child: child.clone(), key: key.clone() }
    }

    fn is_alike(&self, child: &TableName, key: &ForeignKey) -> bool {
        self.child == *child
            && (&self.key.columns, &self.key.parent, &self.key.parent_columns)
                == (&key.columns, &key.parent, &key.parent_columns)
    }
}

/// Columns that become NULL in rows whose parent is missing or goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    pub table: TableName,
    pub columns: Vec<String>,
    /// The keys whose orphans lose the reference.
    pub orphans: Vec<ForeignKey>,
    /// The keys whose rows lose it because their parent goes.
    pub follows: Vec<ForeignKey>,
}

/// Returns the key that something wanted adds or has checked, with its child.
pub(super) fn checked(want: &Wanted) -> Option<(&TableName, &ForeignKey)> {
    want.changes.iter().find_map(|change| match change {
        Change::AddForeignKey { table, foreign_key } | Change::ValidateForeignKey { table, foreign_key } => {
            Some((table, foreign_key))
        }
        Change::ReplaceForeignKey { table, new, .. } | Change::AlterForeignKey { table, new, .. } => Some((table, new)),
        _ => None,
    })
}

impl Mark {
    /// Returns the same mark of the orphans alone; `None` if it has none, or nothing else.
    pub fn only_orphans(&self) -> Option<Self> {
        let both = !self.orphans.is_empty() && !self.follows.is_empty();
        both.then(|| Self { follows: Vec::new(), ..self.clone() })
    }
}

impl Closure {
    fn mark(&mut self, table: &TableName, columns: &[String]) -> &mut Mark {
        let mut columns = columns.to_vec();
        columns.sort();
        let known = self.marks.iter().position(|m| m.table == *table && m.columns == columns);
        let at = known.unwrap_or_else(|| {
            let mark = Mark { table: table.clone(), columns, orphans: Vec::new(), follows: Vec::new() };
            self.marks.push(mark);
            self.marks.len() - 1
        });
        &mut self.marks[at]
    }

    /// Returns the table that a table's rows belong to: the partitioned table that it is a partition of in the end, or itself.
    pub fn whole<'a>(&'a self, table: &'a TableName) -> &'a TableName {
        self.wholes.get(table).unwrap_or(table)
    }

    /// Returns the number in the queries of the table that a table's rows belong to.
    pub fn number(&self, table: &TableName) -> Option<usize> {
        let whole = self.whole(table);
        self.tables.iter().position(|t| t == whole)
    }

    /// Returns the tables whose rows change, in order of name.
    pub fn changed(&self) -> Vec<&TableName> {
        let all: BTreeSet<&TableName> = self.tables.iter().chain(self.marks.iter().map(|m| &m.table)).collect();
        all.into_iter().collect()
    }

    /// Returns every table that rows are looked at in, in order of name.
    pub fn involved(&self) -> BTreeSet<&TableName> {
        let relations =
            self.checked.iter().chain(&self.follows).chain(&self.blocks).chain(&self.seeds).chain(&self.guesses);
        let mut all: BTreeSet<&TableName> = relations.flat_map(|r| [&r.child, &r.key.parent]).collect();
        all.extend(self.changed());
        all
    }

    /// Returns every relation by which a row may refer to one that goes.
    pub fn links(&self) -> Vec<Reference> {
        let marked = self.marks.iter().flat_map(|m| m.follows.iter().map(|k| Reference::new(&m.table, k)));
        self.follows.iter().cloned().chain(marked).collect()
    }

    /// Returns every relation that rows of the closure are found by.
    pub fn relations(&self) -> Vec<Reference> {
        let mut all: Vec<Reference> = self.checked.clone();
        for one in self.links() {
            if !all.iter().any(|r| r.is_alike(&one.child, &one.key)) {
                all.push(one);
            }
        }
        all
    }

    /// Says why it cannot be carried out at all.
    ///
    /// # Errors
    /// Two references of one table share some columns but not all of them, or are of the table and of a partition: what one of them
    /// held could not be told.
    pub fn can_be_undone(&self) -> Result<(), String> {
        let same_rows = |a: &Mark, b: &Mark| a.table != b.table && self.whole(&a.table) == self.whole(&b.table);
        let overlap = |a: &Mark, b: &Mark| a.table == b.table && a.columns.iter().any(|c| b.columns.contains(c));
        for (at, mark) in self.marks.iter().enumerate() {
            if let Some(other) = self.marks.iter().skip(at + 1).find(|other| same_rows(mark, other)) {
                return Err(format!(
                    "{} and {} may become NULL in the same rows, of one partition: change these rows by hand",
                    side(&mark.table, &mark.columns),
                    side(&other.table, &other.columns)
                ));
            }
            if let Some(other) = self.marks.iter().skip(at + 1).find(|other| overlap(mark, other)) {
                return Err(format!(
                    "{} and {} of the same rows would become NULL, and share a column: change these rows by hand",
                    side(&mark.table, &mark.columns),
                    side(&other.table, &other.columns)
                ));
            }
        }
        Ok(())
    }
}
