//! What leads from one schema to another, as changes.
//!
//! The changes are found by making them: each is applied to a copy of the first schema as soon as it is found, so that what
//! an engine does of its own accord (partitions follow their table, a dropped column takes its indexes along) is seen, and the
//! order is one that applies. Two names are two things: a rename is told as a drop and an addition.

mod pairs;
mod tables;

use std::collections::BTreeSet;

use super::{Change, Commented, Kin, TableOptions};
use crate::schema::facts::{ConstraintNames, MissingParent};
use crate::schema::{Column, Engine, ForeignKey, Schema, Table, TableName, Trigger};
use pairs::{Pairs, Unit};

/// A change may have the engine undo what was right before; it is put right in the next round. Three have always been enough.
const ROUNDS: usize = 8;

/// Returns the changes that make the tables of one schema those of another; none if they are the same.
///
/// Everything that a definition says is compared, as it is spelled. What two sources cannot agree on (how an engine writes an
/// expression, the firing order of keys) has to be taken off before. What is only measured is not compared: row estimates,
/// what the user may read, versions.
pub fn diff(from: &Schema, to: &Schema) -> Vec<Change> {
    let (mut now, mut to) = (from.clone(), to.clone());
    now.sort();
    to.sort();
    let mut work = Work { kin: Kin::of(&now), now, to: &to, changes: Vec::new() };
    for _ in 0..ROUNDS {
        let before = work.changes.len();
        work.round();
        if work.changes.len() == before {
            break;
        }
    }
    work.changes
}

/// Returns the changes that make one table another of its name, whatever other tables there are: its keys are compared, and not
/// what they refer to.
pub fn diff_tables(engine: Engine, from: &Table, to: &Table) -> Vec<Change> {
    let alone = |table: &Table| Schema { tables: vec![table.clone()], ..Schema::new(engine) };
    diff(&alone(from), &alone(to))
}

struct Work<'t> {
    /// The first schema, with all changes so far.
    now: Schema,
    to: &'t Schema,
    kin: Kin,
    changes: Vec<Change>,
}

/// A table as it is and as it shall be.
type Sides<'t> = (Table, &'t Table);

impl<'t> Work<'t> {
    fn push(&mut self, change: Change) {
        // What does not apply is found again in the next round, when it does.
        if change.apply_knowing(&mut self.now, &mut self.kin).is_ok() {
            self.changes.push(change);
        }
    }

    fn round(&mut self) {
        let differing = self.differing();
        for name in &differing {
            self.leave_wholes(name);
            self.drop_foreign_keys(name);
            self.drop_triggers(name);
        }
        self.drop_tables();
        self.create_tables();
        let differing = self.differing();
        for name in &differing {
            self.options(name);
            self.drop_checks(name);
            self.drop_keys_and_indexes(name);
            self.columns(name);
        }
        for name in &differing {
            self.join_wholes(name);
        }
        for name in &differing {
            // A whole that was joined has brought its own.
            self.drop_keys_and_indexes(name);
            self.add_keys_and_indexes(name);
            self.drop_checks(name);
            self.add_checks(name);
            self.nullability(name);
        }
        for name in &differing {
            self.foreign_keys(name);
            self.triggers(name);
            self.comments(name);
        }
    }

    /// Returns the tables that are in both and differ: a whole before its partitions and heirs, else by name.
    fn differing(&self) -> Vec<TableName> {
        let differs = |t: &&Table| self.now.table(&t.name).is_some_and(|now| declared(now) != declared(t));
        let mut names: Vec<(usize, TableName)> =
            self.to.tables.iter().filter(differs).map(|t| (self.depth(t), t.name.clone())).collect();
        names.sort();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// Counts the wholes above a table; one that is above itself counts as many as there are tables.
    fn depth(&self, table: &Table) -> usize {
        let mut above: Vec<&Table> = vec![table];
        let mut seen = BTreeSet::new();
        let mut depth = 0;
        while depth < self.to.tables.len() {
            let wholes = above.iter().flat_map(|t| t.partition_of.iter().chain(&t.inherits));
            above = wholes.filter_map(|n| self.to.table(n)).filter(|t| seen.insert(&t.name)).collect();
            if above.is_empty() {
                break;
            }
            depth += 1;
        }
        depth
    }

    fn sides(&self, name: &TableName) -> Option<Sides<'t>> {
        let to: &'t Schema = self.to;
        Some((self.now.table(name)?.clone(), to.table(name)?))
    }

    fn leave_wholes(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        if now.partition_of.is_some() && now.partition_of != to.partition_of {
            self.push(Change::DetachPartition { table: name.clone() });
        }
        let kept: Vec<TableName> = now.inherits.iter().filter(|p| to.inherits.contains(p)).cloned().collect();
        if kept != now.inherits {
            self.push(Change::SetInherits { table: name.clone(), inherits: kept });
        }
    }

    fn join_wholes(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        if let Some(parent) = to.partition_of.clone().filter(|p| now.partition_of.as_ref() != Some(p)) {
            self.push(Change::AttachPartition { table: name.clone(), parent });
        }
        if now.inherits != to.inherits {
            self.push(Change::SetInherits { table: name.clone(), inherits: to.inherits.clone() });
        }
    }

    fn options(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        let table = || name.clone();
        if options(&now) != options(to) {
            self.push(Change::SetOptions { table: table(), options: options(to) });
        }
        if now.unlogged != to.unlogged {
            self.push(Change::SetUnlogged { table: table(), unlogged: to.unlogged });
        }
    }

    fn columns(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        let table = || name.clone();
        for column in now.columns.iter().filter(|c| to.column(&c.name).is_none()) {
            self.push(Change::DropColumn { table: table(), column: column.name.clone(), cascade: false });
        }
        for (i, column) in to.columns.iter().enumerate() {
            match now.column(&column.name) {
                Some(old) => self.column(name, old, column),
                None => {
                    // Behind the one that it stands behind; where all are there, this is its place.
                    let before = i.checked_sub(1).map(|i| &to.columns[i].name);
                    let there = self.now.table(name).map(|t| t.columns.as_slice()).unwrap_or_default();
                    let at =
                        before.map_or(0, |b| there.iter().position(|c| c.name == *b).map_or(there.len(), |p| p + 1));
                    let position = (at < there.len()).then_some(at);
                    self.push(Change::AddColumn { table: table(), column: column.clone(), position });
                }
            }
        }
        let Some((now, _)) = self.sides(name) else { return };
        for (column, position) in pairs::moves(&now.columns, &to.columns) {
            self.push(Change::MoveColumn { table: table(), column, position });
        }
    }

    fn column(&mut self, table: &TableName, old: &Column, new: &Column) {
        // Whether it can be NULL comes after the keys, its comment last; what only a catalog says makes no difference.
        let Column {
            name,
            data_type,
            nullable: _,
            default,
            generated,
            auto_number,
            collation,
            equality: _,
            comment: _,
        } = new;
        let (table, column) = (table.clone(), name.clone());
        if old.generated != *generated {
            let (table, column, generated) = (table.clone(), column.clone(), generated.clone());
            self.push(Change::SetGenerated { table, column, generated });
        }
        if old.data_type != *data_type || old.collation != *collation {
            let (data_type, collation) = (data_type.clone(), collation.clone());
            self.push(Change::SetType { table: table.clone(), column: column.clone(), data_type, collation });
        }
        if old.default != *default {
            self.push(Change::SetDefault { table: table.clone(), column: column.clone(), default: default.clone() });
        }
        if old.auto_number != *auto_number {
            self.push(Change::SetAutoNumber { table, column, auto_number: *auto_number });
        }
    }

    fn nullability(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        for column in &to.columns {
            if now.column(&column.name).is_some_and(|old| old.nullable != column.nullable) {
                let (column, nullable) = (column.name.clone(), column.nullable);
                self.push(Change::SetNullable { table: name.clone(), column, nullable });
            }
        }
    }

    fn drop_keys_and_indexes(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        for Unit { key, primary, index } in pairs::units(&now).dropped(&pairs::units(to)) {
            let by_name = self.tells(&now, key.name.as_deref()).filter(|n| index.as_ref().is_none_or(|i| i.name == *n));
            let change = match by_name {
                Some(name) => {
                    Change::DropConstraint { table: now.name.clone(), name: name.to_string(), cascade: false }
                }
                None => Change::DropKey { table: now.name.clone(), index: index.map(|i| i.name), key, primary },
            };
            self.push(change);
        }
        let Some((now, _)) = self.sides(name) else { return };
        let Pairs { changed, dropped, .. } = pairs::indexes(&now, to);
        for (old, new) in changed {
            self.push(Change::SetIndexValid { table: name.clone(), index: old.name, valid: new.valid });
        }
        for index in dropped {
            self.push(Change::DropIndex { table: name.clone(), index });
        }
    }

    fn add_keys_and_indexes(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        for Unit { key, primary, index } in pairs::units(to).dropped(&pairs::units(&now)) {
            self.push(Change::AddKey { table: name.clone(), key, primary, index, using: None });
        }
        let Some((now, _)) = self.sides(name) else { return };
        for index in pairs::indexes(&now, to).added {
            self.push(Change::AddIndex { table: name.clone(), index });
        }
    }

    /// Tells whether a key may name a parent that is not there.
    fn may_dangle(&self) -> bool {
        self.now.engine.facts().keys.missing_parent == MissingParent::Accepted
    }

    /// Returns a constraint's name, if the engine knows constraints by their names and the table has one of that name only.
    fn tells<'n>(&self, table: &Table, name: Option<&'n str>) -> Option<&'n str> {
        let name = name.filter(|_| self.now.engine.facts().names.constraints != ConstraintNames::Remarks)?;
        let of = |other: &Option<String>| usize::from(other.as_deref() == Some(name));
        let keys: usize = table.primary_key.iter().chain(&table.unique_keys).map(|k| of(&k.name)).sum();
        let checks: usize = table.checks.iter().map(|c| of(&c.name)).sum();
        let foreign: usize = table.foreign_keys.iter().map(|k| of(&k.name)).sum();
        (keys + checks + foreign == 1).then_some(name)
    }

    fn drop_checks(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        let Pairs { changed, dropped, .. } = pairs::checks(&now.checks, &to.checks);
        for (old, new) in changed {
            if let Some(check) = old.name.filter(|_| new.validated) {
                self.push(Change::ValidateCheck { table: name.clone(), name: check });
            }
        }
        for check in dropped {
            let table = name.clone();
            let change = match self.tells(&now, check.name.as_deref()) {
                Some(name) => Change::DropConstraint { table, name: name.to_string(), cascade: false },
                None => Change::DropCheck { table, check },
            };
            self.push(change);
        }
    }

    fn add_checks(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        for check in pairs::checks(&now.checks, &to.checks).added {
            self.push(Change::AddCheck { table: name.clone(), check });
        }
    }

    fn drop_foreign_keys(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        for foreign_key in pairs::foreign_keys(&now.foreign_keys, &to.foreign_keys).dropped {
            self.push(Change::DropForeignKey { table: name.clone(), foreign_key });
        }
    }

    fn foreign_keys(&mut self, name: &TableName) {
        self.drop_foreign_keys(name);
        let Some((now, to)) = self.sides(name) else { return };
        let Pairs { changed, added, .. } = pairs::foreign_keys(&now.foreign_keys, &to.foreign_keys);
        for (old, new) in changed {
            self.push(foreign_key(name.clone(), old, new));
        }
        for foreign_key in added {
            self.push(Change::AddForeignKey { table: name.clone(), foreign_key });
        }
    }

    fn drop_triggers(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        for trigger in pairs::triggers(&now.triggers, &to.triggers).dropped {
            self.push(Change::DropTrigger { table: name.clone(), name: trigger.name });
        }
    }

    fn triggers(&mut self, name: &TableName) {
        self.drop_triggers(name);
        let Some((now, to)) = self.sides(name) else { return };
        let Pairs { changed, added, .. } = pairs::triggers(&now.triggers, &to.triggers);
        for (_, Trigger { name: trigger, enabled, .. }) in changed {
            self.push(Change::SetTrigger { table: name.clone(), name: trigger, enabled });
        }
        for trigger in added {
            self.push(Change::AddTrigger { table: name.clone(), trigger });
        }
        let table = || name.clone();
        if now.rewrite_rules != to.rewrite_rules {
            self.push(Change::SetRewriteRules { table: table(), rules: to.rewrite_rules.clone() });
        }
        if now.publications != to.publications {
            self.push(Change::SetPublications { table: table(), publications: to.publications.clone() });
        }
        if now.replica_identity != to.replica_identity {
            self.push(Change::SetReplicaIdentity { table: table(), identity: to.replica_identity.clone() });
        }
    }

    fn comments(&mut self, name: &TableName) {
        let Some((now, to)) = self.sides(name) else { return };
        let comment = |on, text: &Option<String>| Change::Comment { table: name.clone(), on, text: text.clone() };
        if now.comment != to.comment {
            self.push(comment(Commented::Table, &to.comment));
        }
        for column in &to.columns {
            if now.column(&column.name).is_some_and(|old| old.comment != column.comment) {
                self.push(comment(Commented::Column(column.name.clone()), &column.comment));
            }
        }
    }
}

/// Returns what a table's definition says; what is measured is taken off. A new field has to be given its place here, and, if
/// it is declared, a change that makes it.
fn declared(table: &Table) -> Table {
    let Table {
        name: _,
        kind: _,
        partition_of: _,
        inherits: _,
        columns: _,
        primary_key: _,
        unique_keys: _,
        indexes: _,
        foreign_keys: _,
        checks: _,
        triggers: _,
        rewrite_rules: _,
        publications: _,
        replica_identity: _,
        row_estimate: _,
        readable: _,
        unreadable_columns: _,
        row_filter: _,
        without_rowid: _,
        strict: _,
        autoincrement: _,
        unlogged: _,
        comment: _,
    } = table;
    Table { row_estimate: None, readable: true, unreadable_columns: Vec::new(), row_filter: None, ..table.clone() }
}

fn options(table: &Table) -> TableOptions {
    TableOptions {
        kind: table.kind.clone(),
        without_rowid: table.without_rowid,
        strict: table.strict,
        autoincrement: table.autoincrement,
    }
}

/// Says what makes one foreign key another of the same name. What is in no narrower change is a replacement, whatever it is.
fn foreign_key(table: TableName, old: ForeignKey, new: ForeignKey) -> Change {
    if new == (ForeignKey { validated: true, ..old.clone() }) {
        return Change::ValidateForeignKey { table, foreign_key: old };
    }
    if let Some(name) = new.name.clone()
        && new == (ForeignKey { comment: new.comment.clone(), ..old.clone() })
    {
        return Change::Comment { table, on: Commented::ForeignKey(name), text: new.comment };
    }
    let altered = ForeignKey {
        timing: new.timing,
        enforced: new.enforced,
        validated: new.validated,
        disabled: new.disabled,
        on_delete_written: new.on_delete_written,
        firing_order: new.firing_order,
        comment: new.comment.clone(),
        ..old.clone()
    };
    if altered == new {
        Change::AlterForeignKey { table, old, new }
    } else {
        Change::ReplaceForeignKey { table, old, new }
    }
}

#[cfg(test)]
mod tests;
