//! `ALTER TABLE … ADD, VALIDATE, DROP CONSTRAINT`.

use super::super::super::history::ConflictKind;
use super::super::Replay;
use crate::change::{Change, Object, names};
use crate::schema::facts::ConstraintNames;
use crate::schema::{ForeignKey, Index, IndexOrigin, Key, Table, TableName};
use crate::sql::ast::{Constraint, ConstraintKind, CreateTable, DropKind, Ident, Span};

impl Replay {
    pub(in super::super) fn add_constraint(&mut self, name: &TableName, constraint: &Constraint, column: Option<&str>) {
        let span = constraint.span;
        let Some(table) = self.schema.table(name).cloned() else { return };
        match &constraint.kind {
            ConstraintKind::ForeignKey(references) => {
                self.add_foreign_key(name, constraint, references, column);
            }
            ConstraintKind::PrimaryKey(clause) | ConstraintKind::Unique(clause) => {
                let primary = matches!(constraint.kind, ConstraintKind::PrimaryKey(_));
                let using = clause.using_index.as_ref().map(|i| i.text.clone());
                let (mut key, mut index) = self.key(constraint, clause, column, &table, primary);
                if let Some(using) = &using {
                    // The constraint takes the index over, and gives it its name (manual, ALTER TABLE).
                    let Some(old) = table.indexes.iter().find(|i| i.name == *using).cloned() else {
                        let what = Object::Index(using.to_string());
                        self.conflict(ConflictKind::Missing { what, table: name.clone() }, span, None);
                        return;
                    };
                    let given = constraint.name.as_ref().map_or_else(|| using.clone(), |n| n.text.clone());
                    key.columns = old.parts.iter().filter_map(|p| p.column.clone()).collect();
                    key.name = Some(given.clone());
                    let origin = if primary { IndexOrigin::PrimaryKey } else { IndexOrigin::Constraint };
                    index = Some(Index { name: given, origin, ..old });
                }
                if primary && table.primary_key.is_none() || !primary && !self.key_exists(&table, &key, constraint) {
                    let table = name.clone();
                    self.make(Change::AddKey { table, key, primary, index, using }, span);
                } else {
                    let what =
                        if primary { Object::PrimaryKey } else { Object::Constraint(key.name.unwrap_or_default()) };
                    let earlier = self.history.origins.table(name).and_then(|t| t.primary_key).filter(|_| primary);
                    if !constraint.if_not_exists {
                        self.conflict(ConflictKind::Exists { what, table: name.clone() }, span, earlier);
                    }
                }
            }
            ConstraintKind::Check(text) => {
                let check = self.check(constraint, column, &text.text, &table, &CreateTable::default());
                self.make(Change::AddCheck { table: name.clone(), check }, span);
            }
            ConstraintKind::Index(create) | ConstraintKind::Exclude(create) => {
                let exclusion = matches!(constraint.kind, ConstraintKind::Exclude(_));
                let given = constraint.name.as_ref().map(|n| n.text.clone());
                let index = self.index(create, &table, given, exclusion);
                if constraint.if_not_exists && table.indexes.iter().any(|i| i.name == index.name) {
                    return;
                }
                self.make(Change::AddIndex { table: name.clone(), index }, span);
            }
            ConstraintKind::NotNull(Some(column)) if !constraint.not_valid => {
                let change = Change::SetNullable { table: name.clone(), column: column.clone(), nullable: false };
                self.make(change, span);
            }
            _ => {}
        }
    }

    pub(super) fn key_exists(&self, table: &Table, key: &Key, constraint: &Constraint) -> bool {
        let taken = |name: &str| match self.engine.facts().names.constraints {
            ConstraintNames::OfKind => table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(name)),
            ConstraintNames::OfTable | ConstraintNames::Remarks => names::is_taken(table, name),
        };
        constraint.name.is_some() && key.name.as_deref().is_some_and(taken)
            // Taking an index over under its own name is no clash.
            && !matches!(&constraint.kind, ConstraintKind::Unique(c) | ConstraintKind::PrimaryKey(c) if c.using_index.is_some())
    }

    pub(super) fn key_called(&mut self, table: &TableName, constraint: &Ident, span: Span) -> Option<ForeignKey> {
        let of = self.schema.table(table)?;
        let found = of.foreign_keys.iter().find(|k| k.name.as_deref() == Some(constraint.text.as_str())).cloned();
        if found.is_none() {
            let what = Object::Constraint(constraint.text.clone());
            self.conflict(ConflictKind::Missing { what, table: table.clone() }, span, None);
        }
        found
    }

    pub(super) fn validate(&mut self, table: &TableName, constraint: &Ident, span: Span) {
        let Some(of) = self.schema.table(table) else { return };
        let named = |name: &Option<String>| name.as_deref() == Some(constraint.text.as_str());
        if let Some(key) = of.foreign_keys.iter().find(|k| named(&k.name)) {
            let foreign_key = key.clone();
            self.make(Change::ValidateForeignKey { table: table.clone(), foreign_key }, span);
        } else {
            let change = Change::ValidateCheck { table: table.clone(), name: constraint.text.clone() };
            self.make(change, span);
        }
    }

    pub(super) fn drop_constraint(
        &mut self,
        table: &TableName,
        constraint: &Ident,
        kind: DropKind,
        if_exists: bool,
        cascade: bool,
        span: Span,
    ) {
        let Some(of) = self.schema.table(table) else { return };
        let folds = self.engine.facts().names.ignore_case;
        let named = |name: &str| name == constraint.text || folds && name.eq_ignore_ascii_case(&constraint.text);
        let key = of.foreign_keys.iter().find(|k| k.name.as_deref().is_some_and(named)).cloned();
        if let Some(foreign_key) = key.filter(|_| matches!(kind, DropKind::Any | DropKind::ForeignKey)) {
            self.make(Change::DropForeignKey { table: table.clone(), foreign_key }, span);
            return;
        }
        let index = of.indexes.iter().find(|i| named(&i.name)).cloned();
        if let Some(index) = index.filter(|_| matches!(kind, DropKind::Index | DropKind::PrimaryKey)) {
            self.make(Change::DropIndex { table: table.clone(), index }, span);
            return;
        }
        let keys = of.primary_key.iter().chain(&of.unique_keys).filter_map(|k| k.name.as_deref());
        let there = keys.chain(of.checks.iter().filter_map(|c| c.name.as_deref())).any(named)
            || of.indexes.iter().any(|i| named(&i.name) && i.origin == IndexOrigin::Constraint);
        if !there && (if_exists || self.not_null_of(of, &constraint.text).is_some()) {
            let column = self.not_null_of(of, &constraint.text);
            if let Some(column) = column {
                // PostgreSQL 18 names NOT NULL like other constraints.
                self.make(Change::SetNullable { table: table.clone(), column, nullable: true }, span);
            }
            return;
        }
        let change = Change::DropConstraint { table: table.clone(), name: constraint.text.clone(), cascade };
        self.make(change, span);
    }

    /// Returns the column whose `NOT NULL` PostgreSQL 18 calls so: `t_column_not_null`.
    pub(super) fn not_null_of(&self, table: &Table, constraint: &str) -> Option<String> {
        let middle = constraint.strip_suffix("_not_null")?.strip_prefix(&table.name.name)?.strip_prefix('_')?;
        let column = table.columns.iter().find(|c| c.name == middle && !c.nullable)?;
        self.engine.facts().names.not_null.then(|| column.name.clone())
    }
}
