//! Keeps [`Origins`](super::super::history::Origins) up to date with every change.

use super::super::history::{ColumnOrigins, KeyOrigins, Place, TableOrigins};
use super::Replay;
use crate::change::{self, Change};
use crate::schema::{ForeignKey, TableKind, TableName};
use crate::sql::ast::Span;

impl Replay {
    /// Remembers which bytes made a change that has been made.
    pub(super) fn remember(&mut self, change: &Change, span: Span, key: Option<KeyOrigins>) {
        let place = self.place(span);
        let plain = KeyOrigins { declared: place, ..KeyOrigins::default() };
        self.remember_indexes(change);
        match change {
            Change::CreateTable { definition } => {
                let number = self.number();
                self.made.insert(definition.name.clone(), number);
                self.put_folded(&definition.name);
            }
            Change::DropTable { table, .. } => self.forget_dropped(table),
            Change::RenameTable { table, to } => {
                if let Some(origins) = self.history.origins.remove(table) {
                    self.history.origins.insert(to.clone(), origins);
                }
                if let Some(number) = self.made.remove(table) {
                    self.made.insert(to.clone(), number);
                }
                if let Some(keys) = self.taken.remove(table) {
                    self.taken.insert(to.clone(), keys);
                }
                if self.of_query.remove(table) {
                    self.of_query.insert(to.clone());
                }
                if self.engine.facts().names.ignore_case {
                    self.folded.remove(&self.fold(table));
                }
                self.put_folded(to);
            }
            Change::AddColumn { table, column, .. } => {
                let default = column.default.is_some().then_some(place);
                let origins = ColumnOrigins { declared: place, data_type: place, nullable: place, default };
                self.origins(table).columns.insert(column.name.clone(), origins);
            }
            Change::DropColumn { table, column, .. } => drop(self.origins(table).columns.remove(column)),
            Change::RenameColumn { table, column, to } => {
                let columns = &mut self.origins(table).columns;
                if let Some(origins) = columns.remove(column) {
                    columns.insert(to.clone(), origins);
                }
            }
            Change::SetType { table, column, .. } => self.of_column(table, column, |c| c.data_type = place),
            Change::SetNullable { table, column, .. } => self.of_column(table, column, |c| c.nullable = place),
            Change::SetDefault { table, column, .. } => self.of_column(table, column, |c| c.default = Some(place)),
            Change::AddKey { table, key, primary, index, .. } => {
                let origins = self.origins(table);
                if let Some(index) = index {
                    origins.indexes.insert(index.name.clone(), place);
                }
                if *primary {
                    origins.primary_key = Some(place);
                    for column in &key.columns {
                        self.of_column(table, column, |c| c.nullable = place);
                    }
                } else if let Some(name) = &key.name {
                    origins.constraints.insert(name.clone(), place);
                }
            }
            Change::AddCheck { table, check } => {
                if let Some(name) = &check.name {
                    self.origins(table).constraints.insert(name.clone(), place);
                }
            }
            Change::DropConstraint { table, name, .. } => {
                let has_key = self.schema.table(table).is_some_and(|t| t.primary_key.is_some());
                let origins = self.origins(table);
                origins.constraints.remove(name);
                origins.indexes.remove(name);
                origins.primary_key = origins.primary_key.filter(|_| has_key);
            }
            Change::RenameConstraint { table, name, to } => {
                let origins = self.origins(table);
                for places in [&mut origins.constraints, &mut origins.indexes] {
                    if let Some(place) = places.remove(name) {
                        places.insert(to.clone(), place);
                    }
                }
            }
            Change::AddIndex { table, index } => {
                self.origins(table).indexes.insert(index.name.clone(), place);
            }
            Change::DropIndex { table, index } => drop(self.origins(table).indexes.remove(&index.name)),
            Change::RenameIndex { table, index, to } => {
                let indexes = &mut self.origins(table).indexes;
                if let Some(place) = indexes.remove(index) {
                    indexes.insert(to.clone(), place);
                }
            }
            Change::AddForeignKey { table, foreign_key } => {
                self.origins(table).foreign_keys.insert(foreign_key.firing_order, key.unwrap_or(plain));
            }
            Change::ReplaceForeignKey { table, old, new } => {
                let keys = &mut self.origins(table).foreign_keys;
                keys.remove(&old.firing_order);
                keys.insert(new.firing_order, key.unwrap_or(plain));
            }
            Change::DropForeignKey { table, foreign_key } => {
                self.origins(table).foreign_keys.remove(&foreign_key.firing_order);
            }
            Change::ValidateForeignKey { table, foreign_key: of } | Change::AlterForeignKey { table, new: of, .. } => {
                if let Some(origins) = self.origins(table).foreign_keys.get_mut(&of.firing_order) {
                    origins.changed = Some(place);
                }
            }
            _ => {}
        }
    }

    /// Returns the keys that partitions have before a change that may make them parts of their table's.
    pub(super) fn keys_of_partitions(&self, change: &Change) -> Vec<(TableName, ForeignKey)> {
        let (table, itself) = match change {
            Change::AttachPartition { table, .. } => (table, true),
            Change::AddForeignKey { table, .. }
                if self.schema.table(table).is_some_and(|t| t.kind == TableKind::Partitioned) =>
            {
                (table, false)
            }
            _ => return Vec::new(),
        };
        let below = change::descendants(&self.schema, &self.kin, table);
        let tables = below.iter().chain(itself.then_some(table)).filter_map(|t| self.schema.table(t));
        tables.flat_map(|t| t.foreign_keys.iter().map(|k| (t.name.clone(), k.clone()))).collect()
    }

    /// Remembers those that are gone after it.
    pub(super) fn remember_taken(&mut self, before: Vec<(TableName, ForeignKey)>) {
        for (table, key) in before {
            let order = key.firing_order;
            let stays = |t: &crate::schema::Table| t.foreign_keys.iter().any(|k| k.firing_order == order);
            if self.schema.table(&table).is_some_and(|t| !stays(t)) {
                self.taken.entry(table).or_default().push(key);
            }
        }
    }

    /// Remembers the names of indexes that a change may have brought, on partitions, too.
    fn remember_indexes(&mut self, change: &Change) {
        match change {
            Change::AddIndex { table, .. } | Change::AddKey { table, .. } | Change::AttachPartition { table, .. } => {
                self.note_indexes(table);
                if self.schema.table(table).is_some_and(|t| t.kind == TableKind::Partitioned) {
                    for below in change::descendants(&self.schema, &self.kin, table) {
                        self.note_indexes(&below);
                    }
                }
            }
            Change::CreateTable { definition } => self.note_indexes(&definition.name),
            Change::RenameTable { to: table, .. }
            | Change::RenameIndex { table, .. }
            | Change::RenameConstraint { table, .. } => self.note_indexes(table),
            _ => {}
        }
    }

    pub(super) fn origins(&mut self, table: &TableName) -> &mut TableOrigins {
        self.history.origins.table_mut(table)
    }

    fn of_column(&mut self, table: &TableName, column: &str, set: impl Fn(&mut ColumnOrigins)) {
        if let Some(origins) = self.origins(table).columns.get_mut(column) {
            set(origins);
        }
    }

    fn put_folded(&mut self, table: &TableName) {
        if self.engine.facts().names.ignore_case {
            self.folded.insert(self.fold(table), table.clone());
        }
    }

    /// A drop takes partitions along.
    fn forget_dropped(&mut self, dropped: &TableName) {
        let mut gone = vec![dropped.clone()];
        if self.made.len() > self.schema.tables.len() + 1 {
            gone = self.made.keys().filter(|t| self.schema.table(t).is_none()).cloned().collect();
        }
        for table in gone {
            self.made.remove(&table);
            self.taken.remove(&table);
            self.history.origins.remove(&table);
            self.folded.remove(&self.fold(&table));
        }
    }

    /// Returns where a table was made.
    pub(super) fn created(&self, table: &TableName) -> Option<Place> {
        self.history.origins.table(table).map(|t| t.created)
    }
}
