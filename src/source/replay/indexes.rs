//! Indexes from their definitions.

use super::super::history::ConflictKind;
use super::{Replay, differences};
use crate::change::{self, Change, Object, names};
use crate::schema::facts::IndexName;
use crate::schema::{Column, ForeignKey, Index, IndexOrigin, IndexPart, Table, TableKind, TableName};
use crate::sql::ast::{Constraint, CreateIndex, References, Span};

impl Replay {
    pub(super) fn create_index(&mut self, create: &CreateIndex, span: Span) {
        let Some(name) = self.target(&create.table, false, span) else { return };
        let Some(table) = self.schema.table(&name) else { return };
        let mut index = self.index(create, table, None, false);
        if create.concurrently && table.kind == TableKind::Partitioned {
            index.valid = true;
        }
        if let Some((owner, there)) = self.index_called(&name, &index.name) {
            let earlier = self.history.origins.index(&owner, &index.name);
            if !create.if_not_exists {
                let what = Object::Index(index.name.clone());
                self.conflict(ConflictKind::Exists { what, table: owner }, span, earlier);
            } else if owner != name || there.parts != index.parts || there.unique != index.unique {
                let what = Object::Index(index.name.clone());
                let differences = differences::indexes(&owner, &there, &name, &index);
                self.conflict(ConflictKind::HiddenDifference { what, table: owner, differences }, span, earlier);
            }
            return;
        }
        self.make(Change::AddIndex { table: name, index }, span);
    }

    /// Makes an index.
    pub(super) fn index(&self, create: &CreateIndex, table: &Table, name: Option<String>, exclusion: bool) -> Index {
        let parts: Vec<IndexPart> = create.parts.iter().cloned().map(|p| self.part(p, table)).collect();
        let method = create.method.clone().unwrap_or_else(|| "btree".to_string());
        let mut index = Index {
            unique: create.unique,
            nulls_equal: create.nulls_equal,
            included: create.included.clone(),
            predicate: create.predicate.clone(),
            method,
            // With no partition there is none that lacks it (indexcmds.c, `DefineIndex`).
            valid: !create.only
                || table.kind != TableKind::Partitioned
                || change::descendants(&self.schema, &self.kin, &table.name).is_empty(),
            origin: if exclusion { IndexOrigin::Constraint } else { IndexOrigin::User },
            parts,
            ..Index::on("", Vec::<String>::new())
        };
        let none = |_: &str| false;
        let given = name.or_else(|| create.name.as_ref().map(|n| n.text.clone()));
        index.name = given.unwrap_or_else(|| {
            let columns = names::columns(&change::part_names(&index));
            let label = match self.engine.facts().names.index {
                IndexName::FirstColumn => return names::mysql_index(table, &index),
                _ if exclusion => "excl",
                IndexName::Columns { unique } if create.unique => unique,
                IndexName::Columns { .. } | IndexName::Autoindex => "idx",
            };
            names::free(table, &table.name.name, &columns, label, &none)
        });
        index
    }

    /// Spells an index part's column as the table does, and leaves out a collation that is the column's own.
    pub(super) fn part(&self, mut part: IndexPart, table: &Table) -> IndexPart {
        if let Some(name) = &part.column {
            let same = |c: &&Column| {
                c.name == *name || self.engine.facts().names.ignore_case && c.name.eq_ignore_ascii_case(name)
            };
            match table.columns.iter().find(same) {
                Some(column) => {
                    let own = column
                        .collation
                        .as_ref()
                        .map_or(self.engine.facts().types.default_collation, |c| c.name.as_str());
                    if part.collation.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(own)) {
                        part.collation = None;
                    }
                    // The text compares in the column's own collation unless another is named.
                    part.column = Some(column.name.clone());
                }
                None if self.engine.facts().names.quoted_may_be_string && !table.columns.is_empty() => {
                    // The rowid by one of its names, or a name in double quotes that SQLite takes for a string ("Quirks", 8).
                    let rowid = ["rowid", "oid", "_rowid_"].iter().any(|n| n.eq_ignore_ascii_case(name));
                    part.expression = Some(if rowid { "rowid".to_string() } else { format!("\"{name}\"") });
                    part.column = None;
                }
                None => {}
            }
        }
        part
    }

    /// Makes the index that InnoDB makes for a key whose columns no index begins with (MySQL manual, 15.1.20.5).
    pub(super) fn innodb_index(
        &self,
        table: &Table,
        key: &ForeignKey,
        constraint: &Constraint,
        references: &References,
    ) -> Option<Index> {
        if !self.engine.facts().keys.makes_index {
            return None;
        }
        let mut made = Index { origin: IndexOrigin::ForeignKey, ..Index::on("", key.columns.clone()) };
        // One like it that was made for another key gives way to it; a longer one does not.
        let stays = |i: &Index| i.origin != IndexOrigin::ForeignKey || i.parts.len() > made.parts.len();
        if table.indexes.iter().any(|i| stays(i) && names::begins_with(i, &made.parts)) {
            return None;
        }
        let name = constraint.name.as_ref().map(|n| n.text.clone()).or_else(|| references.index_name.clone());
        made.name = name.unwrap_or_else(|| names::mysql_index(table, &made));
        Some(made)
    }

    /// Finds an index of the name where the engine would not allow another: in the table, or in its whole schema.
    fn index_called(&self, table: &TableName, name: &str) -> Option<(TableName, Index)> {
        let by_table = self.engine.facts().names.indexes_by_table;
        self.index_where(name, |t| if by_table { t.name == *table } else { t.name.schema == table.schema })
    }

    /// Finds the first index of the name among tables of a kind.
    pub(super) fn index_where(&self, name: &str, holds: impl Fn(&Table) -> bool) -> Option<(TableName, Index)> {
        let folds = self.engine.facts().names.ignore_case;
        let same = |i: &&Index| i.name == name || folds && i.name.eq_ignore_ascii_case(name);
        let tables = self.index_names.get(&name.to_ascii_lowercase())?.iter().filter_map(|t| self.schema.table(t));
        tables.filter(|t| holds(t)).find_map(|t| Some((t.name.clone(), t.indexes.iter().find(same)?.clone())))
    }

    /// Notes the names of a table's indexes, so that finding one does not mean to look at every table. What is gone stays
    /// noted; whoever looks finds it gone.
    pub(super) fn note_indexes(&mut self, table: &TableName) {
        let Some(of) = self.schema.table(table) else { return };
        for index in &of.indexes {
            self.index_names.entry(index.name.to_ascii_lowercase()).or_default().insert(table.clone());
        }
    }
}
