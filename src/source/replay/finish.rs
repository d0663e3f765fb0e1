//! The end of a replay: what is only known, or only comparable, when everything is there.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::history::History;
use super::Replay;
use crate::schema::Schema;
use crate::schema::facts::{FiringOrder, MissingParent};

impl Replay {
    pub(super) fn finish(mut self) -> (Schema, History) {
        if self.engine.facts().keys.missing_parent == MissingParent::Accepted {
            self.resolve_parents();
        }
        let routines = std::mem::take(&mut self.routines);
        self.note_uncalled(routines.into_values());
        self.history.skipped.sort_by_key(|s| s.at);
        self.number_keys();
        self.schema.sort();
        (self.schema, self.history)
    }

    /// SQLite looks a parent up when a row is deleted, not before: by its name without regard to case.
    fn resolve_parents(&mut self) {
        let mut resolved = Vec::new();
        for (at, table) in self.schema.tables.iter().enumerate() {
            for (number, key) in table.foreign_keys.iter().enumerate() {
                let Some(parent) = self.folded.get(&self.fold(&key.parent)).and_then(|n| self.schema.table(n)) else {
                    continue;
                };
                let columns: Vec<String> = if key.parent_columns.is_empty() {
                    let primary = parent.primary_key.as_ref().map(|k| k.columns.clone());
                    primary.filter(|c| c.len() == key.columns.len()).unwrap_or_default()
                } else {
                    key.parent_columns.iter().map(|c| self.column(&parent.name, c)).collect()
                };
                resolved.push((at, number, parent.name.clone(), columns));
            }
        }
        for (at, number, parent, columns) in resolved {
            if let Some(key) = self.schema.tables.get_mut(at).and_then(|t| t.foreign_keys.get_mut(number)) {
                key.parent = parent;
                key.parent_columns = columns;
            }
        }
    }

    /// Gives keys their places in the order in which the engine carries out a delete.
    fn number_keys(&mut self) {
        let mut order: Vec<(u32, String, u32)> = Vec::new();
        for table in &self.schema.tables {
            let made = self.made.get(&table.name).copied().unwrap_or(0);
            for key in &table.foreign_keys {
                let name = key.name.clone().unwrap_or_default();
                order.push((made, name, key.firing_order));
            }
        }
        match self.engine.facts().keys.order {
            FiringOrder::Created => order.sort_by_key(|(_, _, number)| *number),
            // The key that was read last acts first, table by table.
            FiringOrder::NewestFirst => order.sort_by_key(|(made, _, number)| Reverse((*made, *number))),
            FiringOrder::Named => order.sort_by(|a, b| (&a.1, a.2).cmp(&(&b.1, b.2))),
        }
        let numbers: BTreeMap<u32, u32> = order.iter().map(|(_, _, old)| *old).zip(0..).collect();
        for table in &mut self.schema.tables {
            for key in &mut table.foreign_keys {
                key.firing_order = numbers.get(&key.firing_order).copied().unwrap_or(0);
            }
        }
        self.history.origins.renumber(&numbers);
    }
}
