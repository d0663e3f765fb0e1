//! Statements to changes: each is judged against the schema as it then is, and applied to it.
//!
//! Names are resolved as the engine would (search path, case, defaults), `IF EXISTS` does nothing where it would do nothing,
//! and what the engine would refuse becomes a [`Conflict`] and changes nothing.

mod alter;
mod constraints;
mod create;
mod differences;
mod drop;
mod finish;
mod foreign_keys;
mod indexes;
mod objects;
mod order;
mod origin;
mod routines;
mod triggers;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Conflict, ConflictKind, File, History, KeyOrigins, Made, Migration, Place, SkippedClause, Step};
use crate::change::{Change, ChangeError, Kin, Object};
use crate::schema::facts::DefaultSchema;
use crate::schema::{Engine, ForeignKey, Schema, TableName};
use crate::sql::ast::{Command, Located, Name, Span, Transaction};
use types::UserTypes;

/// Replays migrations from an empty schema.
pub fn replay(engine: Engine, files: Vec<File>, migrations: Vec<Migration>) -> (Schema, History) {
    let mut replay = Replay::new(engine);
    let mut parts: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
    for migration in &migrations {
        parts.entry(migration.up.file).or_default().push(migration.up.span);
    }
    let mut statements: BTreeMap<usize, Vec<crate::sql::Statement>> = BTreeMap::new();
    for (number, migration) in migrations.iter().enumerate() {
        let file = migration.up.file;
        let Some(text) = files.get(file).map(|f| f.text.as_str()) else { continue };
        let up = migration.up.span;
        let inside: Vec<crate::sql::Statement> = match parts.remove(&file) {
            Some(only) if only.len() == 1 => read_parts(engine, text, only),
            // A file that holds several parts is read once, so that spans are the file's.
            more => {
                let all = statements.entry(file).or_insert_with(|| read_parts(engine, text, more.unwrap_or_default()));
                all.iter().filter(|s| s.span.start >= up.start && s.span.end <= up.end).cloned().collect()
            }
        };
        replay.in_transaction = migration.transaction;
        replay.new_session();
        for statement in inside {
            replay.statement(file, number, statement);
        }
        replay.in_transaction = false;
    }
    let (schema, mut history) = replay.finish();
    history.files = files;
    history.migrations = migrations;
    (schema, history)
}

/// Reads a file's up parts; the space between them is left out.
fn read_parts(engine: Engine, text: &str, mut parts: Vec<Span>) -> Vec<crate::sql::Statement> {
    parts.sort();
    parts.dedup();
    let mut found = Vec::new();
    for part in parts {
        if part.start == 0 && part.end >= text.len() {
            found.extend(crate::sql::read(engine, text));
            continue;
        }
        // Blanks keep every byte where it is in the file.
        let mut alone: String = text[..part.start]
            .chars()
            .map(|c| if c == '\n' { "\n".to_string() } else { " ".repeat(c.len_utf8()) })
            .collect();
        alone.push_str(part.of(text));
        found.extend(crate::sql::read(engine, &alone));
    }
    found
}

/// The state of a replay.
pub(super) struct Replay {
    engine: Engine,
    schema: Schema,
    kin: Kin,
    history: History,
    users: UserTypes,
    /// Views and sequences: what is there and is no table.
    others: BTreeSet<TableName>,
    /// Temporary tables: gone with the session, and no part of the schema.
    temporary: BTreeSet<String>,
    /// Where names without schema are looked for; `None` is the default schema.
    path: Vec<Option<String>>,
    /// MySQL: the database in use.
    database: Option<String>,
    /// Names as the engine compares them, where that is not to the letter.
    folded: BTreeMap<String, TableName>,
    /// Tables that have or had an index of a name, by the name in lower case.
    index_names: BTreeMap<String, BTreeSet<TableName>>,
    /// Tables that were made of a query.
    of_query: BTreeSet<TableName>,
    /// SQLite: the keys that are declared after all columns.
    of_table: BTreeSet<u32>,
    /// The keys of partitions that became parts of a key of their table: one that is detached has them again.
    taken: BTreeMap<TableName, Vec<ForeignKey>>,
    /// MySQL: procedures that change tables, by name in lower case.
    routines: BTreeMap<String, routines::Known>,
    /// PostgreSQL: the functions that triggers run.
    functions: triggers::Functions,
    /// What stands in the place of every span, while what is carried out stands elsewhere.
    instead: Option<Span>,
    /// When each table was made.
    made: BTreeMap<TableName, u32>,
    next: u32,
    in_transaction: bool,
    /// The savepoints of the transaction that the first of them began.
    savepoints: Vec<String>,
    /// The changes of the statement that is being replayed.
    step: Step,
    /// Whether the command at hand may not run at all.
    conditional: bool,
    /// SQLite: the pragmas that are on, of those that decide what a rename takes along.
    pragmas: BTreeSet<&'static str>,
}

impl Replay {
    pub(super) fn new(engine: Engine) -> Self {
        let empty = Step {
            file: 0,
            migration: 0,
            statement: crate::sql::Statement {
                span: Span::default(),
                commands: Vec::new(),
                skipped: Vec::new(),
                comments_from: 0,
            },
            changes: Vec::new(),
            in_transaction: false,
        };
        Self {
            engine,
            schema: Schema::new(engine),
            kin: Kin::of_nobody(),
            history: History::default(),
            users: UserTypes::new(),
            others: BTreeSet::new(),
            temporary: BTreeSet::new(),
            path: vec![None],
            database: None,
            folded: BTreeMap::new(),
            index_names: BTreeMap::new(),
            of_query: BTreeSet::new(),
            of_table: BTreeSet::new(),
            taken: BTreeMap::new(),
            routines: BTreeMap::new(),
            functions: triggers::Functions::default(),
            instead: None,
            made: BTreeMap::new(),
            next: 0,
            in_transaction: false,
            savepoints: Vec::new(),
            step: empty,
            conditional: false,
            pragmas: BTreeSet::from(["foreign_keys"]),
        }
    }

    /// Forgets what a connection's end forgets: the search path, temporary tables.
    fn new_session(&mut self) {
        self.path = vec![None];
        self.temporary.clear();
        self.savepoints.clear();
    }

    fn statement(&mut self, file: usize, migration: usize, statement: crate::sql::Statement) {
        let skipped = statement.skipped.iter();
        self.history
            .skipped
            .extend(skipped.map(|s| SkippedClause { at: Place { file, span: s.span }, within: s.within }));
        let commands = statement.commands.clone();
        self.step = Step { file, migration, statement, changes: Vec::new(), in_transaction: self.in_transaction };
        let path = self.path.clone();
        for located in &commands {
            if let Command::CreateSchema { name } = &located.command {
                // What stands inside is made there, and looks for names there first (schemacmds.c, CreateSchemaCommand).
                let inside = self.in_schema(name, "").schema;
                self.path.insert(0, inside);
                continue;
            }
            if let Command::Transaction(transaction) = &located.command {
                self.transaction(transaction);
                continue;
            }
            self.conditional = located.conditional;
            self.command(located);
        }
        if matches!(commands.first(), Some(Located { command: Command::CreateSchema { .. }, .. })) {
            self.path = path;
        }
        let mut step = std::mem::replace(&mut self.step, Self::new(self.engine).step);
        // A list that grows has room for four at once, and most hold one.
        step.changes.shrink_to_fit();
        self.history.steps.push(step);
    }

    fn transaction(&mut self, transaction: &Transaction) {
        match transaction {
            Transaction::Begin => self.in_transaction = true,
            Transaction::Commit | Transaction::Rollback => {
                self.in_transaction = false;
                self.savepoints.clear();
            }
            Transaction::Savepoint(name) if self.engine.facts().scripts.savepoint_begins => {
                if !self.in_transaction || !self.savepoints.is_empty() {
                    self.savepoints.push(name.clone());
                }
                self.in_transaction = true;
            }
            Transaction::Release(name) if !self.savepoints.is_empty() => {
                // With it go those that were set after it; with the outermost the transaction ends.
                if let Some(at) = self.savepoints.iter().rposition(|s| s.eq_ignore_ascii_case(name)) {
                    self.savepoints.truncate(at);
                    self.in_transaction = at > 0;
                }
            }
            Transaction::Savepoint(_) | Transaction::Release(_) | Transaction::RollbackTo => {}
        }
    }

    fn command(&mut self, located: &Located) {
        let span = located.span;
        match &located.command {
            Command::CreateTable(create) => self.create_table(create, span),
            Command::DropTable { tables, if_exists, cascade } => {
                for table in tables {
                    self.drop_table(table, *if_exists, *cascade, span);
                }
            }
            Command::AlterTable { table, if_exists, actions } => self.alter_table(table, *if_exists, actions, span),
            Command::CreateIndex(create) => self.create_index(create, span),
            Command::DropIndex { indexes, if_exists, cascade, .. } => {
                for (table, index) in indexes {
                    self.drop_index(table.as_ref(), index, *if_exists, *cascade, span);
                }
            }
            Command::CreateRoutine(routine) => self.create_routine(routine),
            Command::Call { name, arguments } => self.call(name, arguments, span),
            other => self.object(other, span),
        }
    }

    fn place(&self, span: Span) -> Place {
        Place { file: self.step.file, span: self.instead.unwrap_or(span) }
    }

    /// Makes a change; a change that does not fit becomes a conflict. Tells whether it was made.
    fn make(&mut self, change: Change, span: Span) -> bool {
        self.make_with(change, span, None)
    }

    fn make_with(&mut self, change: Change, span: Span, key: Option<KeyOrigins>) -> bool {
        let made = Made { change, span: self.instead.unwrap_or(span), conditional: self.conditional };
        let of_partitions = self.keys_of_partitions(&made.change);
        if let Err(error) = made.change.apply_knowing(&mut self.schema, &mut self.kin) {
            self.refused(&made.change, &error, span);
            return false;
        }
        self.remember(&made.change, span, key);
        self.remember_taken(of_partitions);
        self.step.changes.push(made);
        true
    }

    fn refused(&mut self, change: &Change, error: &ChangeError, span: Span) {
        let table = change.table().clone();
        let kind = match error {
            ChangeError::NoTable(missing) => {
                ConflictKind::Missing { what: Object::Table(missing.clone()), table: missing.clone() }
            }
            ChangeError::TableExists(there) => {
                ConflictKind::Exists { what: Object::Table(there.clone()), table: there.clone() }
            }
            ChangeError::NoSuch { what, .. } => ConflictKind::Missing { what: what.clone(), table },
            ChangeError::Exists { what, .. } => ConflictKind::Exists { what: what.clone(), table },
        };
        self.conflict(kind, span, None);
    }

    fn conflict(&mut self, kind: ConflictKind, span: Span, earlier: Option<Place>) {
        // A query's columns are not known.
        let unknown = match &kind {
            ConflictKind::Missing { what: Object::Column(_), table } => self.of_query.contains(table),
            _ => false,
        };
        // A DO block looks before it leaps, or catches the error.
        if !self.conditional && !unknown {
            let (at, step) = (self.place(span), self.history.steps.len());
            self.history.conflicts.push(Conflict { at, step, kind, earlier });
        }
    }

    fn fold(&self, name: &TableName) -> String {
        name.to_string().to_ascii_lowercase()
    }

    /// Names a table that is to be made.
    fn new_name(&self, name: &Name) -> TableName {
        match &name.schema {
            Some(schema) => self.in_schema(schema, &name.name),
            None => TableName { schema: self.path.first().cloned().flatten(), name: name.name.clone() },
        }
    }

    fn in_schema(&self, schema: &str, name: &str) -> TableName {
        let default = match self.engine.facts().names.default_schema {
            DefaultSchema::Fixed(name) => schema.eq_ignore_ascii_case(name),
            DefaultSchema::InUse => self.database.as_deref() == Some(schema),
            DefaultSchema::SearchPath(_) => self.schema.default_schema.as_deref() == Some(schema),
        };
        TableName { schema: if default { None } else { Some(schema.to_string()) }, name: name.to_string() }
    }

    /// Finds a table that is there; the name it would have if it is not.
    fn found(&self, name: &Name) -> Result<TableName, TableName> {
        let candidates: Vec<TableName> = match &name.schema {
            Some(schema) => vec![self.in_schema(schema, &name.name)],
            None => self.path.iter().map(|s| TableName { schema: s.clone(), name: name.name.clone() }).collect(),
        };
        for candidate in &candidates {
            if self.schema.table(candidate).is_some() {
                return Ok(candidate.clone());
            }
            if self.engine.facts().names.ignore_case
                && let Some(there) = self.folded.get(&self.fold(candidate))
            {
                return Ok(there.clone());
            }
        }
        Err(candidates.into_iter().next().unwrap_or_else(|| TableName::new(&name.name)))
    }

    /// Finds the table that a statement is about. What is no table of the schema (a view, a temporary table) gives `None`
    /// in silence, what is not there at all gives a conflict.
    fn target(&mut self, name: &Name, if_exists: bool, span: Span) -> Option<TableName> {
        match self.found(name) {
            Ok(table) => Some(table),
            Err(missing) => {
                let known = self.others.contains(&missing) || self.temporary.contains(&missing.name);
                if !known && !if_exists {
                    let what = Object::Table(missing.clone());
                    self.conflict(ConflictKind::Missing { what, table: missing }, span, None);
                }
                None
            }
        }
    }

    /// Spells a column as its table does.
    fn column(&self, table: &TableName, column: &str) -> String {
        let spelled = self.schema.table(table).and_then(|t| {
            let same = |c: &&crate::schema::Column| {
                c.name == column || self.engine.facts().names.ignore_case && c.name.eq_ignore_ascii_case(column)
            };
            t.columns.iter().find(same)
        });
        spelled.map_or_else(|| column.to_string(), |c| c.name.clone())
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests;
