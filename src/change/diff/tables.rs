//! Tables that are only in one of the two schemas.

use super::super::Change;
use super::Work;
use crate::schema::{Table, TableName};

impl Work<'_> {
    /// Drops what is not there afterwards, children before their parents; keys that go round in a circle first.
    pub(super) fn drop_tables(&mut self) {
        let gone = |t: &&Table| self.to.table(&t.name).is_none();
        let mut left: Vec<Table> = self.now.tables.iter().filter(gone).cloned().collect();
        let dangling = self.may_dangle();
        while !left.is_empty() {
            let names = |t: &Table, other: &Table| needs(t, true).contains(&&other.name) && t.name != other.name;
            let free = left.iter().position(|t| !left.iter().any(|other| names(other, t)));
            let table = left.remove(free.unwrap_or(0));
            if free.is_none() && !dangling {
                for child in &mut left {
                    for foreign_key in child.foreign_keys.extract_if(.., |k| k.parent == table.name) {
                        self.push(Change::DropForeignKey { table: child.name.clone(), foreign_key });
                    }
                }
            }
            // Partitions went with their table.
            if self.now.table(&table.name).is_some() {
                self.push(Change::DropTable { table: table.name, cascade: false });
            }
        }
    }

    /// Makes what is new, parents before their children; a key that goes round in a circle is added later, where the engine
    /// can add one.
    pub(super) fn create_tables(&mut self) {
        let mut left: Vec<&Table> = self.to.tables.iter().filter(|t| self.now.table(&t.name).is_none()).collect();
        let dangling = self.may_dangle();
        while !left.is_empty() {
            let waits = |t: &Table, keys: bool| {
                needs(t, keys).into_iter().any(|n| *n != t.name && left.iter().any(|l| l.name == *n))
            };
            let free = left.iter().position(|t| !waits(t, true));
            let free = free.or_else(|| left.iter().position(|t| !waits(t, false)));
            let mut definition = left.remove(free.unwrap_or(0)).clone();
            if !dangling {
                definition.foreign_keys.retain(|k| !left.iter().any(|l| l.name == k.parent));
            }
            self.push(Change::CreateTable { definition: Box::new(definition) });
        }
    }
}

/// Returns the tables that a table names: as a whole, and, where asked for, as parents of its keys.
fn needs(table: &Table, keys: bool) -> Vec<&TableName> {
    let parents = table.foreign_keys.iter().map(|k| &k.parent).filter(|_| keys);
    table.partition_of.iter().chain(&table.inherits).chain(parents).collect()
}
