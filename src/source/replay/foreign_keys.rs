//! Foreign keys from their definitions.

use super::super::history::{ConflictKind, KeyOrigins, TableOrigins};
use super::Replay;
use crate::change::{Change, Object, names};
use crate::schema::facts::{ConstraintNames, ForeignKeyName, MissingParent};
use crate::schema::{Column, ForeignKey, Table, TableName};
use crate::sql::ast::{Constraint, Name, References, Span};

impl Replay {
    /// Makes a foreign key, and tells where its parts are.
    pub(super) fn foreign_key(
        &mut self,
        constraint: &Constraint,
        references: &References,
        column: Option<&str>,
        table: &Table,
    ) -> (ForeignKey, KeyOrigins) {
        let spelled = |name: &str| {
            let same = |c: &&Column| {
                c.name == name || self.engine.facts().names.ignore_case && c.name.eq_ignore_ascii_case(name)
            };
            table.columns.iter().find(same).map_or_else(|| name.to_string(), |c| c.name.clone())
        };
        let columns: Vec<String> = match column {
            Some(column) => vec![column.to_string()],
            None => references.columns.iter().map(|c| spelled(&c.text)).collect(),
        };
        let facts = self.engine.facts();
        let parent = self.parent(&references.parent, table);
        let of_parent = if parent == table.name { Some(table) } else { self.schema.table(&parent) };
        let mut parent_columns: Vec<String> = references.parent_columns.iter().map(|c| c.text.clone()).collect();
        if parent_columns.is_empty() && facts.keys.missing_parent != MissingParent::Accepted {
            let primary = of_parent.and_then(|p| p.primary_key.as_ref());
            parent_columns =
                primary.map(|k| k.columns.clone()).filter(|c| c.len() == columns.len()).unwrap_or_default();
        }
        let mut key = ForeignKey::new(columns, parent, parent_columns);
        key.on_delete = references.on_delete.map_or(key.on_delete, |(action, _)| action);
        key.on_update = references.on_update.map_or(key.on_update, |(action, _)| action);
        key.on_delete_written = Some(references.on_delete.is_some());
        for column in &references.set_columns {
            if !key.set_columns.contains(column) {
                key.set_columns.push(column.clone());
            }
        }
        key.matching = references.matching;
        key.timing = constraint.timing.unwrap_or_default();
        key.enforced = !constraint.not_enforced;
        // PostgreSQL 18: what is not enforced has not been checked, either.
        key.validated = !constraint.not_valid && key.enforced;
        key.temporal = references.temporal;
        let none = |_: &str| false;
        key.name = constraint.name.as_ref().map(|n| n.text.clone()).or_else(|| match facts.names.foreign_key {
            ForeignKeyName::None => None,
            ForeignKeyName::Number => Some(names::innodb_foreign_key(table)),
            ForeignKeyName::Columns => {
                Some(names::free(table, &table.name.name, &names::columns(&key.columns), "fkey", &none))
            }
        });
        key.firing_order = self.number();
        let place = |span| self.place(span);
        let origins = KeyOrigins {
            declared: place(constraint.span),
            on_delete: references.on_delete.map(|(_, span)| place(span)),
            on_update: references.on_update.map(|(_, span)| place(span)),
            changed: None,
        };
        (key, origins)
    }

    fn parent(&self, name: &Name, table: &Table) -> TableName {
        if name.schema.is_none() && name.name == table.name.name && self.path.first() == Some(&table.name.schema) {
            return table.name.clone();
        }
        match self.found(name) {
            Ok(found) => found,
            Err(missing) if missing == table.name => table.name.clone(),
            Err(missing) => missing,
        }
    }

    /// Notes a parent that is not there, where the engine refuses that.
    pub(super) fn check_parent(
        &mut self,
        child: &TableName,
        own: Option<&Table>,
        key: &ForeignKey,
        origins: &TableOrigins,
    ) {
        let span = origins.foreign_keys.get(&key.firing_order).map_or_else(Span::default, |k| k.declared.span);
        self.parent_conflict(child, own, key, span);
    }

    pub(super) fn parent_conflict(&mut self, child: &TableName, own: Option<&Table>, key: &ForeignKey, span: Span) {
        // Dumps switch the check off where it can be.
        if self.engine.facts().keys.missing_parent != MissingParent::Refused {
            return;
        }
        let parent = if key.parent == *child {
            own.or_else(|| self.schema.table(child))
        } else {
            self.schema.table(&key.parent)
        };
        let what = match parent {
            None => Object::Table(key.parent.clone()),
            Some(parent) => match key.parent_columns.iter().find(|c| parent.column(c).is_none()) {
                // A table whose columns come from a query cannot be judged.
                Some(column) if !parent.columns.is_empty() => Object::ColumnOf(key.parent.clone(), column.clone()),
                _ => return,
            },
        };
        self.conflict(ConflictKind::MissingParent { table: child.clone(), what }, span, None);
    }

    /// Adds a foreign key to a table that is there.
    pub(super) fn add_foreign_key(
        &mut self,
        name: &TableName,
        constraint: &Constraint,
        references: &References,
        column: Option<&str>,
    ) {
        let Some(table) = self.schema.table(name).cloned() else { return };
        let (key, origins) = self.foreign_key(constraint, references, column, &table);
        let taken = |name: &str| match self.engine.facts().names.constraints {
            ConstraintNames::OfKind => table.foreign_keys.iter().any(|k| k.name.as_deref() == Some(name)),
            ConstraintNames::OfTable | ConstraintNames::Remarks => names::is_taken(&table, name),
        };
        if key.name.as_deref().is_some_and(|n| constraint.name.is_some() && taken(n)) {
            let what = Object::Constraint(key.name.clone().unwrap_or_default());
            let there = table.foreign_keys.iter().find(|k| k.name == key.name);
            let earlier = there.and_then(|k| self.history.origins.foreign_key(name, k)).map(|o| o.declared);
            if !constraint.if_not_exists {
                self.conflict(ConflictKind::Exists { what, table: name.clone() }, constraint.span, earlier);
            }
            return;
        }
        self.parent_conflict(name, Some(&table), &key, constraint.span);
        if let Some(index) = self.innodb_index(&table, &key, constraint, references) {
            self.make(Change::AddIndex { table: name.clone(), index }, constraint.span);
        }
        let change = Change::AddForeignKey { table: name.clone(), foreign_key: key };
        self.make_with(change, constraint.span, Some(origins));
        if self.engine.facts().alter.keeps_text {
            self.after_added_column(name);
        }
    }
}
