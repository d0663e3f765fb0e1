//! What migrations do, change by change: each with the table as it was, for the rules that judge effects.
//!
//! Made once, by applying the changes of a history to an empty schema, and handed to every rule. What it keeps of the
//! schema before a change is the table concerned, never the whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Change, Kin};
use crate::findings::Location;
use crate::findings::places::Places;
use crate::relations::lookup::{Grade, grade};
use crate::schema::{Action, Engine, ForeignKey, Schema, Table, TableName};
use crate::source::History;
use crate::source::history::{Made, Migration, Place, Step};
use crate::sql::ast::{Command, Transaction};

/// A history, told change by change.
pub struct Timeline<'h> {
    /// The history.
    pub history: &'h History,
    /// Its files' lines.
    pub places: Places<'h>,
    /// Every change that bears on rules, in order.
    pub(super) events: Vec<Event<'h>>,
    /// What every migration did to the keys of tables that were there before it.
    pub(super) keys: Vec<KeyChange>,
}

/// A change, and what rules have to know of the moment before it.
pub(super) struct Event<'h> {
    /// The statement: its position in the history.
    pub at: usize,
    /// The statement.
    pub step: &'h Step,
    /// The change.
    pub made: &'h Made,
    /// Whether the same migration made the table: nobody else uses it yet.
    pub fresh: bool,
    /// For a foreign key: whether the same migration made the parent.
    pub fresh_parent: bool,
    /// Which transaction it runs in; `None` if each statement is its own.
    pub transaction: Option<usize>,
    /// For a new foreign key: whether an index finds the child's rows at that moment.
    pub indexed: bool,
    /// For a table that is dropped: the keys of tables with rows that refer to it, and those that follow by their cascades.
    pub referring: Vec<(TableName, ForeignKey)>,
    /// For a table that is dropped: the names that it had before, each with the number of the event that took it away.
    pub former: Vec<(TableName, usize)>,
}

/// A foreign key that a migration changed, as seen from its two ends: dropping and adding it again is no change.
pub(super) struct KeyChange {
    /// The child.
    pub table: TableName,
    /// The key before.
    pub old: ForeignKey,
    /// The key after; `None` if it is gone.
    pub new: Option<ForeignKey>,
    /// The statement that did it.
    pub place: Place,
    /// Whether `DROP TABLE … CASCADE` of the parent took it along.
    pub with_parent: bool,
}

impl Timeline<'_> {
    /// Makes a location of a change's clause.
    pub(super) fn at(&self, event: &Event<'_>, label: impl Into<String>) -> Option<Location> {
        self.places.head(event.place(), label)
    }

    /// Returns the events that follow one in the same migration; `number` is its position.
    pub(super) fn rest_of_migration(&self, number: usize) -> impl Iterator<Item = &Event<'_>> {
        let migration = self.events.get(number).map(|e| e.step.migration);
        self.events.iter().skip(number + 1).take_while(move |e| Some(e.step.migration) == migration)
    }

    /// Returns the statements of an event's migration that come after it.
    pub(super) fn steps_after(&self, event: &Event<'_>) -> &[Step] {
        let after = self.history.steps.get(event.at + 1..).unwrap_or_default();
        let end = after.partition_point(|s| s.migration <= event.step.migration);
        after.get(..end).unwrap_or_default()
    }

    /// Returns the statements of an event's migration that come before it.
    pub(super) fn steps_before(&self, event: &Event<'_>) -> &[Step] {
        let before = self.history.steps.get(..event.at).unwrap_or_default();
        // Steps are in the order of their migrations.
        let first = before.partition_point(|s| s.migration < event.step.migration);
        before.get(first..).unwrap_or_default()
    }

    /// Returns an event's migration.
    pub(super) fn migration(&self, event: &Event<'_>) -> Option<&Migration> {
        self.history.migrations.get(event.step.migration)
    }
}

impl Event<'_> {
    /// The change's clause.
    pub(super) fn place(&self) -> Place {
        Place { file: self.step.file, span: self.made.span }
    }

    /// The foreign key that it adds, with the child.
    pub(super) fn added_key(&self) -> Option<(&TableName, &ForeignKey)> {
        match &self.made.change {
            Change::AddForeignKey { table, foreign_key } => Some((table, foreign_key)),
            Change::ReplaceForeignKey { table, new, .. } => Some((table, new)),
            _ => None,
        }
    }
}

/// Tells whether two keys are the same relation: the same columns and the same parent.
pub(super) fn same_relation(a: &ForeignKey, b: &ForeignKey) -> bool {
    a.columns == b.columns && a.parent == b.parent
}

/// Finds a table's key as it is in the end.
pub(super) fn in_the_end<'s>(schema: &'s Schema, table: &TableName, key: &ForeignKey) -> Option<&'s ForeignKey> {
    schema.table(table)?.foreign_keys.iter().find(|k| same_relation(k, key))
}

impl<'h> Timeline<'h> {
    /// Tells a history change by change.
    pub fn new(engine: Engine, history: &'h History) -> Self {
        let mut walk = Walk {
            schema: Schema::new(engine),
            kin: Kin::of_nobody(),
            fresh: BTreeSet::new(),
            filled: BTreeSet::new(),
            touched: BTreeMap::new(),
            former: BTreeMap::new(),
            dropped: BTreeMap::new(),
            timeline: Self { history, places: Places::new(history), events: Vec::new(), keys: Vec::new() },
        };
        let (mut migration, mut transaction) = (usize::MAX, 0);
        for (at, step) in history.steps.iter().enumerate() {
            if step.migration != migration {
                walk.end();
                migration = step.migration;
                transaction += 1;
            }
            let ends = |c: &Command| {
                use Transaction::{Begin, Commit, Rollback};
                matches!(c, Command::Transaction(Begin | Commit | Rollback))
            };
            transaction += usize::from(step.statement.kinds().any(ends));
            for command in step.statement.kinds() {
                if let Command::Rows { table: Some(name), .. } = command {
                    walk.filled.insert(name.name.to_ascii_lowercase());
                }
            }
            for made in &step.changes {
                walk.change(at, step, made, step.in_transaction.then_some(transaction));
            }
        }
        walk.end();
        walk.timeline
    }
}

/// The state of the walk.
struct Walk<'h> {
    schema: Schema,
    kin: Kin,
    /// Tables that the migration at hand made.
    fresh: BTreeSet<TableName>,
    /// Tables that it wrote rows into, in lower case.
    filled: BTreeSet<String>,
    /// Tables as they were before it, by the name they have now.
    touched: BTreeMap<TableName, Option<Table>>,
    /// The names that tables had before, each with the number of the event that took it away.
    former: BTreeMap<TableName, Vec<(TableName, usize)>>,
    /// The last places where it took a key from a table, alone or with its parent, or the table away.
    dropped: BTreeMap<TableName, Vec<Taken>>,
    timeline: Timeline<'h>,
}

/// A place where a migration took a key from a table, or the table away.
struct Taken {
    key: Option<ForeignKey>,
    place: Place,
    with_parent: bool,
}

/// Tells whether two names are those of one table.
pub(super) fn same_table(engine: Engine, a: &TableName, b: &TableName) -> bool {
    let folds = engine.facts().names.ignore_case;
    a == b || folds && a.schema == b.schema && a.name.eq_ignore_ascii_case(&b.name)
}

impl<'h> Walk<'h> {
    fn change(&mut self, at: usize, step: &'h Step, made: &'h Made, transaction: Option<usize>) {
        let table = made.change.table();
        if !self.touched.contains_key(table) {
            self.touched.insert(table.clone(), self.schema.table(table).cloned());
        }
        let mut event = Event {
            at,
            step,
            made,
            fresh: self.fresh.contains(table),
            fresh_parent: false,
            transaction,
            indexed: false,
            referring: Vec::new(),
            former: Vec::new(),
        };
        let place = event.place();
        let mut note = |table: &TableName, key: Option<&ForeignKey>| {
            let taken = Taken { key: key.cloned(), place, with_parent: false };
            self.dropped.entry(table.clone()).or_default().push(taken);
        };
        match &made.change {
            Change::AddForeignKey { table: child, foreign_key: key }
            | Change::ReplaceForeignKey { table: child, new: key, .. } => {
                event.fresh_parent = self.fresh.contains(&key.parent);
                let found = self.schema.table(child).map(|t| grade(&self.schema, t, &key.columns).0);
                event.indexed = found == Some(Grade::Covers);
                note(child, Some(key));
            }
            Change::DropForeignKey { table: child, foreign_key: key } => note(child, Some(key)),
            Change::DropTable { table, .. } | Change::DropColumn { table, .. } => note(table, None),
            Change::CreateTable { definition } => {
                definition.foreign_keys.iter().for_each(|k| note(&definition.name, Some(k)));
            }
            _ => {}
        }
        match &made.change {
            Change::CreateTable { definition } => {
                self.fresh.insert(definition.name.clone());
                self.filled.remove(&definition.name.name.to_ascii_lowercase());
            }
            Change::DropTable { table, cascade } => {
                if *cascade {
                    self.drop_with_keys(table, place);
                }
                event.former = self.former.remove(table).unwrap_or_default();
                let holds_rows =
                    |t: &TableName| !self.fresh.contains(t) || self.filled.contains(&t.name.to_ascii_lowercase());
                if !event.fresh {
                    let mut parents = vec![table];
                    let mut next = 0;
                    while let Some(parent) = parents.get(next).copied() {
                        next += 1;
                        for (child, key) in self.keys_to(parent).filter(|(child, _)| holds_rows(child)) {
                            if key.on_delete == Action::Cascade && !parents.contains(&child) {
                                parents.push(child);
                            }
                            event.referring.push((child.clone(), key.clone()));
                        }
                    }
                }
                self.fresh.remove(table);
            }
            Change::RenameTable { table, to } => self.rename(table, to, place),
            _ => {}
        }
        self.timeline.events.push(event);
        // What does not fit is a conflict of the history already.
        let _ = made.change.apply_knowing(&mut self.schema, &mut self.kin);
    }

    /// The keys that refer to a table, each with its child.
    fn keys_to<'a>(&'a self, parent: &'a TableName) -> impl Iterator<Item = (&'a TableName, &'a ForeignKey)> {
        let naming = self.kin.naming(&self.schema, parent).into_iter().map(|at| &self.schema.tables[at]);
        let keys = naming.flat_map(|t| t.foreign_keys.iter().map(move |k| (&t.name, k)));
        keys.filter(move |(_, k)| same_table(self.schema.engine, &k.parent, parent))
    }

    /// Notes the keys that CASCADE drops with a table.
    fn drop_with_keys(&mut self, table: &TableName, place: Place) {
        if !self.schema.engine.facts().alter.drop_takes_keys {
            return;
        }
        let keys: Vec<_> =
            self.keys_to(table).filter(|(t, _)| *t != table).map(|(t, k)| (t.clone(), k.clone())).collect();
        for (child, key) in keys {
            if !self.touched.contains_key(&child) {
                self.touched.insert(child.clone(), self.schema.table(&child).cloned());
            }
            self.dropped.entry(child).or_default().push(Taken { key: Some(key), place, with_parent: true });
        }
    }

    fn rename(&mut self, table: &TableName, to: &TableName, place: Place) {
        let mut names = self.former.remove(table).unwrap_or_default();
        names.push((table.clone(), self.timeline.events.len()));
        self.former.insert(to.clone(), names);
        if self.fresh.remove(table) {
            self.fresh.insert(to.clone());
        }
        if self.filled.remove(&table.name.to_ascii_lowercase()) {
            self.filled.insert(to.name.to_ascii_lowercase());
        }
        let before = self.touched.remove(table).flatten();
        // A new table that takes an old one's name is compared with the old one.
        if before.is_some() || !self.touched.contains_key(to) {
            self.touched.insert(to.clone(), before);
        }
        let mut notes = self.dropped.remove(table).unwrap_or_default();
        notes.push(Taken { key: None, place, with_parent: false });
        self.dropped.entry(to.clone()).or_default().append(&mut notes);
    }

    /// Ends a migration: compares the keys of every table that it touched with those before it.
    fn end(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        for (table, before) in touched {
            let (Some(before), Some(after)) = (before, self.schema.table(&table)) else { continue };
            for old in &before.foreign_keys {
                let named = |k: &&ForeignKey| k.name.is_some() && k.name == old.name && k.parent == old.parent;
                let mut keys = after.foreign_keys.iter();
                let new = keys.clone().find(|k| same_relation(k, old)).or_else(|| keys.find(named));
                if new.is_some_and(|n| n.on_delete == old.on_delete) {
                    continue;
                }
                let notes = self.dropped.get(&table).map_or(&[][..], Vec::as_slice);
                let about = |taken: &&Taken| taken.key.as_ref().is_some_and(|k| same_relation(k, old));
                let taken = notes.iter().rev().find(about).or_else(|| notes.last());
                let Some(&Taken { place, with_parent, .. }) = taken else { continue };
                let (table, old, new) = (table.clone(), old.clone(), new.cloned());
                self.timeline.keys.push(KeyChange { table, old, new, place, with_parent });
            }
        }
        self.fresh.clear();
        self.filled.clear();
        self.dropped.clear();
    }
}
