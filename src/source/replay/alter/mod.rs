//! `ALTER TABLE`.

mod constraints;

use std::collections::BTreeSet;

use super::super::history::ConflictKind;
use super::create::numbers;
use super::{Replay, differences, types};
use crate::change::{self, Change, Commented, Object, names};
use crate::schema::{Column, DataType, DisabledSide, ForeignKey, Table, TableName};
use crate::sql::ast::{AlterAction, AlterKind, ColumnDef, ColumnPlace, Constraint, ConstraintKind, Ident, Name, Span};

impl Replay {
    pub(super) fn alter_table(&mut self, name: &Name, if_exists: bool, actions: &[AlterAction], span: Span) {
        // Views, sequences and indexes can be altered by ALTER TABLE, too (manual, ALTER TABLE).
        if self.found(name).is_err()
            && let [AlterAction { kind: AlterKind::RenameTable { name: Some(to), .. }, .. }] = actions
            && let Some((table, index)) = self.find_index(None, name)
        {
            self.make(Change::RenameIndex { table, index: index.name, to: to.clone() }, span);
            return;
        }
        let Some(mut table) = self.target(name, if_exists, span) else { return };
        for action in super::order::carried_out(self.engine, actions) {
            if self.schema.table(&table).is_none() {
                return;
            }
            if let Some(renamed) = self.action(&table, action) {
                table = renamed;
            }
        }
    }

    fn action(&mut self, table: &TableName, action: &AlterAction) -> Option<TableName> {
        let span = action.span;
        let name = || table.clone();
        match &action.kind {
            AlterKind::AddColumn { column, if_not_exists, place } => {
                let there = self.schema.table(table).is_some_and(|t| t.column(&column.name.text).is_some());
                if there && *if_not_exists {
                    self.hidden_column(table, column, span);
                } else {
                    self.add_column(table, column, place.as_ref(), span);
                }
            }
            AlterKind::DropColumn { column, if_exists, cascade } => {
                let column = self.column(table, &column.text);
                if *if_exists && self.schema.table(table).is_some_and(|t| t.column(&column).is_none()) {
                    return None;
                }
                self.make(Change::DropColumn { table: name(), column, cascade: *cascade }, span);
            }
            AlterKind::RenameColumn { column, to } => {
                let column = self.column(table, &column.text);
                self.make(Change::RenameColumn { table: name(), column, to: to.text.clone() }, span);
            }
            AlterKind::ReplaceColumn { old, column, place } => {
                self.replace_column(table, old, column, place.as_ref(), span);
            }
            AlterKind::SetType { column, data_type, collation } => {
                let column = self.column(table, &column.text);
                let resolved = types::resolve(self.engine, &data_type.text, &self.users, &self.path);
                let collation = collation.clone().or(resolved.collation).and_then(|c| self.collation(c));
                let data_type = resolved.data_type;
                let change = Change::SetType { table: name(), column: column.clone(), data_type, collation };
                if self.make(change, span) {
                    self.after_changed_type(table, &column);
                }
                let nullable = self.schema.table(table).and_then(|t| t.column(&column)).is_some_and(|c| c.nullable);
                if resolved.not_null && nullable {
                    self.make(Change::SetNullable { table: name(), column, nullable: false }, span);
                }
            }
            AlterKind::SetNullable { column, nullable } => {
                let column = self.column(table, &column.text);
                self.make(Change::SetNullable { table: name(), column, nullable: *nullable }, span);
            }
            AlterKind::SetDefault { column, default } => {
                let column = self.column(table, &column.text);
                let data_type = self.schema.table(table).and_then(|t| t.column(&column)).map(|c| c.data_type.clone());
                let data_type = data_type.unwrap_or_else(|| DataType::parse(self.engine, ""));
                let default = default.as_ref().and_then(|d| self.default(&d.text, &data_type));
                self.set_default(table, column, default, span);
            }
            AlterKind::SetAutoNumber { column, auto_number } => {
                let column = self.column(table, &column.text);
                self.make(Change::SetAutoNumber { table: name(), column, auto_number: *auto_number }, span);
            }
            AlterKind::DropExpression { column } => {
                let column = self.column(table, &column.text);
                self.make(Change::SetGenerated { table: name(), column, generated: None }, span);
            }
            AlterKind::AddConstraint(constraint) => self.add_constraint(table, constraint, None),
            AlterKind::DropConstraint { name: constraint, kind, if_exists, cascade } => {
                self.drop_constraint(table, constraint, *kind, *if_exists, *cascade, span);
            }
            AlterKind::RenameConstraint { name: constraint, to } => {
                let change =
                    Change::RenameConstraint { table: name(), name: constraint.text.clone(), to: to.text.clone() };
                self.make(change, span);
            }
            AlterKind::RenameIndex { index, to } => {
                let change = Change::RenameIndex { table: name(), index: index.text.clone(), to: to.text.clone() };
                self.make(change, span);
            }
            AlterKind::Validate { name: constraint } => self.validate(table, constraint, span),
            AlterKind::AlterConstraint { name: constraint, timing, enforced } => {
                let old = self.key_called(table, constraint, span)?;
                let mut new = old.clone();
                new.timing = timing.unwrap_or(old.timing);
                new.enforced = enforced.unwrap_or(old.enforced);
                // PostgreSQL 18: enforcing a key checks the rows; what is not enforced counts as not checked.
                if enforced.is_some() {
                    new.validated = new.enforced;
                }
                self.make(Change::AlterForeignKey { table: name(), old, new }, span);
            }
            AlterKind::RenameTable { schema, name: to } => {
                let mut renamed = table.clone();
                if let Some(schema) = schema {
                    renamed = self.in_schema(schema, &table.name);
                }
                if let Some(to) = to {
                    renamed.name.clone_from(to);
                }
                if self.make(Change::RenameTable { table: name(), to: renamed.clone() }, span) {
                    if renamed.schema != table.schema {
                        self.move_sequences(table, &renamed, span);
                    }
                    self.leave_references(table, &renamed, span);
                    return Some(renamed);
                }
            }
            AlterKind::AttachPartition { partition } => {
                if let Some(partition) = self.target(partition, false, span).filter(|p| !self.is_below(table, p)) {
                    self.make(Change::AttachPartition { table: partition, parent: name() }, span);
                }
            }
            AlterKind::DetachPartition { partition } => {
                if let Some(partition) = self.target(partition, false, span) {
                    self.detach(table, partition, span);
                }
            }
            AlterKind::Inherit { parent, inherits } => {
                let parent = self.target(parent, false, span)?;
                let mut all = self.schema.table(table).map(|t| t.inherits.clone()).unwrap_or_default();
                all.retain(|p| *p != parent);
                if *inherits && !self.is_below(&parent, table) {
                    all.push(parent);
                }
                self.make(Change::SetInherits { table: name(), inherits: all }, span);
            }
            AlterKind::SetTrigger { name: trigger, user, enabled } => {
                self.set_triggers(table, trigger.as_deref(), *user, *enabled, span);
            }
            AlterKind::SetRule { name: rule, enabled } => {
                let mut rules = self.schema.table(table).map(|t| t.rewrite_rules.clone()).unwrap_or_default();
                rules.iter_mut().filter(|r| r.name == *rule).for_each(|r| r.enabled = *enabled);
                self.make(Change::SetRewriteRules { table: name(), rules }, span);
            }
            AlterKind::SetLogged(logged) => {
                self.make(Change::SetUnlogged { table: name(), unlogged: !logged }, span);
            }
            AlterKind::Comment(text) => {
                let change = Change::Comment { table: name(), on: Commented::Table, text: Some(text.clone()) };
                self.make(change, span);
            }
            AlterKind::ReplacePrimaryKey(clause) => {
                let of = self.schema.table(table).cloned()?;
                if let Some(old) = of.primary_key.as_ref().and_then(|k| k.name.clone()) {
                    self.make(Change::DropConstraint { table: name(), name: old, cascade: false }, span);
                }
                let kind = ConstraintKind::PrimaryKey(clause.clone());
                let constraint = Constraint {
                    name: of.primary_key.and_then(|k| k.name).map(|text| Ident { text, span }),
                    kind,
                    timing: None,
                    not_valid: false,
                    not_enforced: false,
                    if_not_exists: false,
                    span,
                };
                self.add_constraint(table, &constraint, None);
            }
            AlterKind::Nothing => {}
        }
        None
    }

    /// Tells whether a table is another or below it: making that one its parent in turn would be a circle, which the engine
    /// refuses (tablecmds.c: "circular inheritance not allowed").
    fn is_below(&self, table: &TableName, other: &TableName) -> bool {
        table == other || change::descendants(&self.schema, &self.kin, other).contains(table)
    }

    /// The sequences of a table's serial columns go where the table goes (manual, ALTER TABLE, SET SCHEMA).
    fn move_sequences(&mut self, old: &TableName, new: &TableName, span: Span) {
        let columns = self.schema.table(new).map(|t| t.columns.clone()).unwrap_or_default();
        for column in columns.into_iter().filter(|c| c.auto_number) {
            let sequence = names::joined(&old.name, &column.name, "seq");
            let text = |name: &TableName| {
                format!("nextval('{}'::regclass)", types::regclass(name.schema.as_deref(), &sequence))
            };
            if column.default.as_deref() == Some(text(old).as_str()) {
                let change = Change::SetDefault { table: new.clone(), column: column.name, default: Some(text(new)) };
                self.make(change, span);
            }
        }
    }

    /// A partition that is detached keeps its part of the table's foreign keys as keys of its own.
    fn detach(&mut self, table: &TableName, partition: TableName, span: Span) {
        // What it is a part of in turn has keys that are the partition's, too.
        let (mut keys, mut seen) = (Vec::new(), BTreeSet::new());
        let mut above = self.schema.table(table);
        while let Some(of) = above.filter(|t| seen.insert(&t.name)) {
            keys.extend(of.foreign_keys.iter().cloned());
            above = of.partition_of.as_ref().and_then(|p| self.schema.table(p));
        }
        // Each has the name that it had before it became a part; they are made in the order of their names (pg_constraint's
        // index, which `RelationGetFKeyList` goes by).
        let taken = self.taken.remove(&partition).unwrap_or_default();
        for key in &mut keys {
            if let Some(own) = taken.iter().find(|k| k.says_the_same(key)) {
                key.name.clone_from(&own.name);
            }
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        if !self.make(Change::DetachPartition { table: partition.clone() }, span) {
            return;
        }
        for key in keys {
            let foreign_key = ForeignKey { firing_order: self.number(), ..key };
            self.make(Change::AddForeignKey { table: partition.clone(), foreign_key }, span);
        }
    }

    /// SQLite: other tables' keys go on naming the old table if `legacy_alter_table` is on and `foreign_keys` off ("ALTER
    /// TABLE RENAME"); so a table is set aside for another of its name.
    fn leave_references(&mut self, table: &TableName, renamed: &TableName, span: Span) {
        let legacy = self.pragmas.contains("legacy_alter_table") && !self.pragmas.contains("foreign_keys");
        if !legacy {
            return;
        }
        let refers = |(child, key): &(&Table, &ForeignKey)| child.name != *renamed && key.parent == *renamed;
        let keys: Vec<(TableName, ForeignKey)> =
            self.schema.foreign_keys().filter(refers).map(|(child, key)| (child.name.clone(), key.clone())).collect();
        for (child, old) in keys {
            let new = ForeignKey { parent: table.clone(), ..old.clone() };
            self.make(Change::AlterForeignKey { table: child, old, new }, span);
        }
    }

    fn set_default(&mut self, table: &TableName, column: String, default: Option<String>, span: Span) {
        let change = Change::SetDefault { table: table.clone(), column: column.clone(), default };
        if !self.make(change, span) || !self.engine.facts().types.sequence_defaults {
            return;
        }
        let Some(of) = self.schema.table(table).and_then(|t| t.column(&column)) else { return };
        // A sequence numbers the column, or no longer does. An identity has no default.
        let auto_number = numbers(of);
        if auto_number != of.auto_number {
            self.make(Change::SetAutoNumber { table: table.clone(), column, auto_number }, span);
        }
    }

    fn hidden_column(&mut self, table: &TableName, definition: &ColumnDef, span: Span) {
        let made = self.new_column(definition, table);
        let Some(there) = self.schema.table(table).and_then(|t| t.column(&made.name)) else { return };
        let mut differences = differences::of_column(self.engine, there, &made);
        let reference = definition.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::ForeignKey(_)));
        let keys = self.schema.table(table).map(|t| t.foreign_keys.as_slice()).unwrap_or_default();
        if reference && !keys.iter().any(|k| k.columns == [made.name.clone()]) {
            differences.push("it refers to a parent here and to none there".to_string().into());
        }
        if differences.is_empty() {
            return;
        }
        let earlier = self.history.origins.column(table, &made.name).map(|c| c.declared);
        let what = Object::Column(made.name.clone());
        self.conflict(ConflictKind::HiddenDifference { what, table: table.clone(), differences }, span, earlier);
    }

    fn position(&self, table: &TableName, place: Option<&ColumnPlace>) -> Option<usize> {
        match place? {
            ColumnPlace::First => Some(0),
            ColumnPlace::After(column) => {
                let column = self.column(table, column);
                let columns = &self.schema.table(table)?.columns;
                columns.iter().position(|c| c.name == column).map(|at| at + 1)
            }
        }
    }

    fn add_column(&mut self, table: &TableName, definition: &ColumnDef, place: Option<&ColumnPlace>, span: Span) {
        let column = self.new_column(definition, table);
        let position = self.position(table, place);
        let earlier = self.history.origins.column(table, &column.name).map(|c| c.declared);
        if self.schema.table(table).is_some_and(|t| {
            t.columns.iter().any(|c| {
                c.name.eq_ignore_ascii_case(&column.name)
                    && (c.name == column.name || self.engine.facts().names.ignore_case)
            })
        }) {
            let what = Object::Column(column.name.clone());
            self.conflict(ConflictKind::Exists { what, table: table.clone() }, span, earlier);
            return;
        }
        let name = column.name.clone();
        if !self.make(Change::AddColumn { table: table.clone(), column, position }, span) {
            return;
        }
        for constraint in &definition.constraints {
            let at = self.place(constraint.span);
            if let Some(origin) = self.origins(table).columns.get_mut(&name) {
                match &constraint.kind {
                    ConstraintKind::NotNull(_) | ConstraintKind::Null => origin.nullable = at,
                    ConstraintKind::Default(_) => origin.default = Some(at),
                    _ => {}
                }
            }
        }
        self.column_constraints(table, definition);
    }

    fn column_constraints(&mut self, table: &TableName, definition: &ColumnDef) {
        for constraint in &definition.constraints {
            let of_table = matches!(
                constraint.kind,
                ConstraintKind::PrimaryKey(_)
                    | ConstraintKind::Unique(_)
                    | ConstraintKind::Check(_)
                    | ConstraintKind::ForeignKey(_)
            );
            let ignored = !self.engine.facts().keys.inline && matches!(constraint.kind, ConstraintKind::ForeignKey(_));
            if of_table && !ignored {
                self.add_constraint(table, constraint, Some(&definition.name.text));
            }
        }
    }

    fn set_triggers(&mut self, table: &TableName, trigger: Option<&str>, user: bool, enabled: bool, span: Span) {
        let triggers = self.schema.table(table).map(|t| t.triggers.clone()).unwrap_or_default();
        for of in triggers.iter().filter(|t| trigger.is_none_or(|n| t.name == n)) {
            let change = Change::SetTrigger { table: table.clone(), name: of.name.clone(), enabled };
            self.make(change, span);
        }
        if trigger.is_some() || user {
            return;
        }
        // ALL means those of foreign keys, too: the child's side of the table's own, the parent's of those that refer to it.
        let mut changed = Vec::new();
        for (child, key) in self.schema.foreign_keys() {
            let (is_child, is_parent) = (child.name == *table, key.parent == *table);
            if !is_child && !is_parent {
                continue;
            }
            let mut off = match key.disabled {
                None => (false, false),
                Some(DisabledSide::Child) => (true, false),
                Some(DisabledSide::Parent) => (false, true),
                Some(DisabledSide::Both) => (true, true),
            };
            off.0 = if is_child { !enabled } else { off.0 };
            off.1 = if is_parent { !enabled } else { off.1 };
            let mut new = key.clone();
            new.disabled = match off {
                (false, false) => None,
                (true, false) => Some(DisabledSide::Child),
                (false, true) => Some(DisabledSide::Parent),
                (true, true) => Some(DisabledSide::Both),
            };
            changed.push((child.name.clone(), key.clone(), new));
        }
        for (table, old, new) in changed {
            self.make(Change::AlterForeignKey { table, old, new }, span);
        }
    }

    /// MySQL's MODIFY and CHANGE: the whole definition anew, keys apart.
    fn replace_column(
        &mut self,
        table: &TableName,
        old: &Ident,
        definition: &ColumnDef,
        place: Option<&ColumnPlace>,
        span: Span,
    ) {
        let name = self.column(table, &old.text);
        let Some(there) = self.schema.table(table).and_then(|t| t.column(&name)).cloned() else {
            let what = Object::Column(name.to_string());
            self.conflict(ConflictKind::Missing { what, table: table.clone() }, span, None);
            return;
        };
        let made: Column = self.new_column(definition, table);
        let column = made.name.clone();
        if column != name {
            self.make(Change::RenameColumn { table: table.clone(), column: name, to: column.clone() }, span);
        }
        let at = || (table.clone(), column.clone());
        if made.data_type != there.data_type || made.collation != there.collation {
            let (table, column) = at();
            let change = Change::SetType { table, column, data_type: made.data_type, collation: made.collation };
            self.make(change, span);
        }
        let primary = self.schema.table(table).is_some_and(|t| t.in_primary_key(&column));
        if made.nullable != there.nullable && !primary {
            let (table, column) = at();
            self.make(Change::SetNullable { table, column, nullable: made.nullable }, span);
        }
        if made.default != there.default {
            let (table, column) = at();
            self.make(Change::SetDefault { table, column, default: made.default }, span);
        }
        if made.auto_number != there.auto_number {
            let (table, column) = at();
            self.make(Change::SetAutoNumber { table, column, auto_number: made.auto_number }, span);
        }
        if let Some(position) = self.position(table, place)
            && let Some(of) = self.schema.table_mut(table)
            && let Some(from) = of.columns.iter().position(|c| c.name == column)
        {
            let moved = of.columns.remove(from);
            let to = if from < position { position - 1 } else { position };
            of.columns.insert(to.min(of.columns.len()), moved);
        }
        if self.engine.facts().alter.definition_replaces_keys {
            let keys = self.schema.table(table).map(|t| t.foreign_keys.clone()).unwrap_or_default();
            let inline = |k: &ForeignKey| k.columns == [column.clone()] && !self.of_table.contains(&k.firing_order);
            for foreign_key in keys.into_iter().filter(inline).collect::<Vec<_>>() {
                self.make(Change::DropForeignKey { table: table.clone(), foreign_key }, span);
            }
        }
        self.column_constraints(table, definition);
    }
}
