//! `DROP TABLE`, `DROP INDEX`.

use super::super::history::ConflictKind;
use super::Replay;
use crate::change::{Change, Object};
use crate::schema::{Index, TableName};
use crate::sql::ast::{Name, Span};

impl Replay {
    pub(super) fn drop_table(&mut self, name: &Name, if_exists: bool, cascade: bool, span: Span) {
        if self.temporary.remove(&name.name) && self.found(name).is_err() {
            return;
        }
        if let Some(table) = self.target(name, if_exists, span) {
            self.make(Change::DropTable { table, cascade }, span);
        }
    }

    pub(super) fn drop_index(
        &mut self,
        table: Option<&Name>,
        index: &Name,
        if_exists: bool,
        cascade: bool,
        span: Span,
    ) {
        match self.find_index(table, index) {
            Some((table, index)) => {
                if cascade && self.engine.facts().alter.drop_index_takes_keys {
                    self.drop_keys_of(&table, &index, span);
                }
                self.make(Change::DropIndex { table, index }, span);
            }
            None if if_exists => {}
            None => {
                let table = table.map_or_else(|| TableName::new(""), |t| self.new_name(t));
                // An index of a view or a temporary table is not kept.
                if self.others.is_empty() && self.temporary.is_empty() {
                    let what = Object::Index(index.name.clone());
                    self.conflict(ConflictKind::Missing { what, table }, span, None);
                }
            }
        }
    }

    /// A foreign key depends on the unique index that its parent's columns have (manual, DROP INDEX, CASCADE).
    fn drop_keys_of(&mut self, parent: &TableName, index: &Index, span: Span) {
        let same = |columns: &[String], other: &[&str]| {
            columns.len() == other.len() && columns.iter().all(|c| other.contains(&c.as_str()))
        };
        let Some(columns) = index.plain_columns().filter(|_| index.unique && index.predicate.is_none()) else { return };
        // Another one like it takes the place, if it is older; which is, the schema does not tell.
        let others = self.schema.table(parent).map(|t| {
            let unique = t.indexes.iter().filter(|i| i.unique && i.predicate.is_none() && i.name != index.name);
            unique
                .filter_map(Index::plain_columns)
                .filter(|c| c.len() == columns.len())
                .any(|c| columns.iter().all(|one| c.contains(one)))
        });
        if others == Some(true) {
            return;
        }
        let keys = self.schema.foreign_keys().filter(|(_, k)| k.parent == *parent && same(&k.parent_columns, &columns));
        let keys: Vec<_> = keys.map(|(t, k)| (t.name.clone(), k.clone())).collect();
        for (table, foreign_key) in keys {
            self.make(Change::DropForeignKey { table, foreign_key }, span);
        }
    }

    pub(super) fn find_index(&self, table: Option<&Name>, index: &Name) -> Option<(TableName, Index)> {
        let schema = index.schema.as_ref().map(|s| self.in_schema(s, "").schema);
        let wanted = table.map(|t| self.found(t));
        self.index_where(&index.name, |t| match (&wanted, &schema) {
            (Some(Ok(name)), _) => t.name == *name,
            (Some(Err(_)), _) => false,
            (None, Some(schema)) => t.name.schema == *schema,
            (None, None) => self.path.contains(&t.name.schema),
        })
    }
}
