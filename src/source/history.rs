//! What is known of a schema that was read from files, beside the schema: the files, their statements, what each statement
//! changed, and which bytes made every object what it is.

use std::collections::BTreeMap;

use crate::change::{Change, Object};
use crate::schema::{ForeignKey, TableName};
use crate::sql::ast::Skipped;
use crate::sql::{Span, Statement};

/// How a schema came to be: empty for a schema that a server told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The files that were read, in the order they run.
    pub files: Vec<File>,
    /// The migrations, in the order they run. A single file is one.
    pub migrations: Vec<Migration>,
    /// Every statement of every migration's up part, in the order they run.
    pub steps: Vec<Step>,
    /// Which bytes made every object what it is.
    pub origins: Origins,
    /// What does not fit the schema as it was at that moment.
    pub conflicts: Vec<Conflict>,
    /// What the reader passed over.
    pub skipped: Vec<SkippedClause>,
    /// Whether the tool that runs the migrations is not known: then nothing tells whether it puts a transaction around each.
    pub runner_unknown: bool,
    /// Migrations that are programs and not SQL, by their files' names, in order: what they do is not known.
    pub programs: Vec<String>,
}

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// How to name it: its path as the user would type it.
    pub path: String,
    /// Its text, as it is.
    pub text: String,
}

/// A migration: a part of a file that is run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its name, as the tool that runs it names it.
    pub name: String,
    /// What is run to get there.
    pub up: Place,
    /// What is run to get back, if there is something.
    pub down: Option<Place>,
    /// Whether the layout has down parts at all.
    pub reversible: bool,
    /// Whether the tool that runs it puts a transaction around it.
    pub transaction: bool,
    /// Whether it is the base schema that migrations come after.
    pub base: bool,
}

/// Bytes of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file: its position in [`History::files`].
    pub file: usize,
    /// The bytes.
    pub span: Span,
}

/// A statement that was replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The file it is in: its position in [`History::files`].
    pub file: usize,
    /// The migration: its position in [`History::migrations`].
    pub migration: usize,
    /// What it says. Its spans are those of the file.
    pub statement: Statement,
    /// What it changed, in order; nothing where `IF NOT EXISTS` and the like had it do nothing.
    pub changes: Vec<Made>,
    /// Whether a transaction is open while it runs: the tool's own or one that the file began.
    pub in_transaction: bool,
}

/// A change, and the bytes that make it.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The change.
    pub change: Change,
    /// The clause: `ADD CONSTRAINT …`, not the whole `ALTER TABLE`.
    pub span: Span,
    /// Whether a `DO` block's code decides if it is made.
    pub conditional: bool,
}

/// A statement, or a clause of it, that does not fit the schema as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The statement or clause.
    pub at: Place,
    /// The statement: its position in [`History::steps`].
    pub step: usize,
    /// What does not fit.
    pub kind: ConflictKind,
    /// Where the thing it runs into was made, where there is one.
    pub earlier: Option<Place>,
}

/// Ways in which a statement does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// It makes what is there, without `IF NOT EXISTS`: the engine refuses it.
    Exists {
        /// The object.
        what: Object,
        /// Its table, or the table itself.
        table: TableName,
    },
    /// `IF NOT EXISTS` passes over a definition that differs from the one that is there.
    HiddenDifference {
        /// The object.
        what: Object,
        /// Its table, or the table itself.
        table: TableName,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// It changes or drops what is not there, without `IF EXISTS`: the engine refuses it.
    Missing {
        /// The object.
        what: Object,
        /// Its table, or the table itself.
        table: TableName,
    },
    /// It names a parent table or column that is not there (SQLite and MySQL without checks let it through).
    MissingParent {
        /// The child.
        table: TableName,
        /// What is not there.
        what: Object,
    },
}

/// A way in which a definition differs from what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In a sentence.
    pub text: String,
    /// The columns of the foreign key that is there and that the definition lacks, if that is the difference.
    pub lacks_key: Option<Vec<String>>,
}

impl From<String> for Difference {
    fn from(text: String) -> Self {
        Self { text, lacks_key: None }
    }
}

/// A clause that the reader passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedClause {
    /// Where it is.
    pub at: Place,
    /// What was being read.
    pub within: &'static str,
}

/// Which bytes made every object of a schema what it is. Follows tables and columns through their renames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    tables: BTreeMap<TableName, TableOrigins>,
}

/// Which bytes made a table and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOrigins {
    /// The statement that made the table.
    pub created: Place,
    /// The table's columns.
    pub columns: BTreeMap<String, ColumnOrigins>,
    /// The primary key.
    pub primary_key: Option<Place>,
    /// Indexes, by name; that of a key is where the key is declared.
    pub indexes: BTreeMap<String, Place>,
    /// Named unique constraints and checks.
    pub constraints: BTreeMap<String, Place>,
    /// Foreign keys, by [`ForeignKey::firing_order`].
    pub foreign_keys: BTreeMap<u32, KeyOrigins>,
}

/// Which bytes made a column what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnOrigins {
    /// Its definition.
    pub declared: Place,
    /// What gave it the type it has: the definition or a later `TYPE`.
    pub data_type: Place,
    /// What decides whether it can hold NULL: `NOT NULL`, a primary key, `DROP NOT NULL`; the definition if nothing is said.
    pub nullable: Place,
    /// What gave it the default it has or took it away; `None` if none ever was.
    pub default: Option<Place>,
}

/// Which bytes made a foreign key what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyOrigins {
    /// The whole clause, from `CONSTRAINT`, `FOREIGN KEY` or `REFERENCES` on.
    pub declared: Place,
    /// `ON DELETE …`, if it is written.
    pub on_delete: Option<Place>,
    /// `ON UPDATE …`, if it is written.
    pub on_update: Option<Place>,
    /// The last `VALIDATE CONSTRAINT` or `ALTER CONSTRAINT`.
    pub changed: Option<Place>,
}

impl Origins {
    /// Returns what is known of a table.
    pub fn table(&self, table: &TableName) -> Option<&TableOrigins> {
        self.tables.get(table)
    }

    /// Returns what is known of a column.
    pub fn column(&self, table: &TableName, column: &str) -> Option<&ColumnOrigins> {
        self.tables.get(table)?.columns.get(column)
    }

    /// Returns what is known of a foreign key that the table holds.
    pub fn foreign_key(&self, table: &TableName, key: &ForeignKey) -> Option<&KeyOrigins> {
        self.tables.get(table)?.foreign_keys.get(&key.firing_order)
    }

    /// Returns where an index was made.
    pub fn index(&self, table: &TableName, index: &str) -> Option<Place> {
        self.tables.get(table)?.indexes.get(index).copied()
    }

    /// Iterates over all tables.
    pub fn tables(&self) -> impl Iterator<Item = (&TableName, &TableOrigins)> {
        self.tables.iter()
    }

    pub(super) fn table_mut(&mut self, table: &TableName) -> &mut TableOrigins {
        if !self.tables.contains_key(table) {
            self.tables.insert(table.clone(), TableOrigins::default());
        }
        self.tables.entry(table.clone()).or_default()
    }

    pub(super) fn insert(&mut self, table: TableName, origins: TableOrigins) {
        self.tables.insert(table, origins);
    }

    pub(super) fn remove(&mut self, table: &TableName) -> Option<TableOrigins> {
        self.tables.remove(table)
    }

    /// Gives foreign keys new numbers, as the schema does when the replay ends.
    pub(super) fn renumber(&mut self, numbers: &BTreeMap<u32, u32>) {
        for table in self.tables.values_mut() {
            let keys = std::mem::take(&mut table.foreign_keys);
            table.foreign_keys =
                keys.into_iter().filter_map(|(old, origin)| Some((*numbers.get(&old)?, origin))).collect();
        }
    }
}

impl History {
    /// Names what was not read and may change tables, one for each reason: a statement that is put together when it runs, a program
    /// between the migrations. What is left out of a table's columns alone is not among it.
    pub fn unread(&self) -> Vec<String> {
        let mut named = Vec::new();
        if let Some(first) = self.programs.first() {
            named.push(counted(
                ("migration that is a program", "migrations that are programs"),
                self.programs.len(),
                first,
            ));
        }
        let reasons = [
            (
                Skipped::EXECUTE,
                ("statement that is put together at run time", "statements that are put together at run time"),
            ),
            (Skipped::ROUTINE, ("statement in the body of a routine", "statements in the bodies of routines")),
            (Skipped::ROWS, ("file whose COPY rows never end", "files whose COPY rows never end")),
            (Skipped::ALTER, ("clause of ALTER TABLE that is not known", "clauses of ALTER TABLE that are not known")),
            (Skipped::DOMAIN, ("ALTER DOMAIN statement", "ALTER DOMAIN statements")),
        ];
        for (reason, what) in reasons {
            let mut of = self.skipped.iter().filter(|s| s.within == reason);
            if let Some(first) = of.next() {
                let file = self.files.get(first.at.file).map_or("", |f| f.path.as_str());
                named.push(counted(what, 1 + of.count(), &format!("{file}:{}", self.line(first.at))));
            }
        }
        named
    }

    /// Returns the text that a place covers.
    pub fn text(&self, place: Place) -> &str {
        self.files.get(place.file).map_or("", |f| place.span.of(&f.text))
    }

    /// Returns the line of a place's first byte, counted from 1.
    pub fn line(&self, place: Place) -> usize {
        let text = self.files.get(place.file).map_or("", |f| f.text.as_str());
        1 + text.as_bytes().iter().take(place.span.start).filter(|b| **b == b'\n').count()
    }
}

fn counted((one, many): (&str, &str), count: usize, first: &str) -> String {
    match count {
        1 => format!("1 {one} ({first})"),
        n => format!("{n} {many} (the first: {first})"),
    }
}
