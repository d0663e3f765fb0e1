//! Tables and their columns from their definitions.

use super::super::history::{ColumnOrigins, ConflictKind, SkippedClause, TableOrigins};
use super::constraints::Placed;
use super::{Replay, differences, types};
use crate::change::{self, Change, Object, names};
use crate::schema::{Collation, Column, DataType, Generated, IndexOrigin, Table, TableKind, TableName};
use crate::sql::ast::{ColumnDef, ConstraintKind, CreateTable, Skipped, Span};

impl Replay {
    pub(super) fn create_table(&mut self, create: &CreateTable, span: Span) {
        if create.temporary || create.name.schema.as_deref().is_some_and(|s| matches!(s, "temp" | "pg_temp")) {
            self.temporary.insert(create.name.name.clone());
            return;
        }
        let name = self.new_name(&create.name);
        let there = match self.found(&create.name) {
            Ok(there) if there.schema == name.schema => Some(there),
            _ => None,
        };
        let (table, origins) = self.table(create, &name, span);
        if let Some(there) = there {
            let earlier = self.created(&there);
            if create.if_not_exists {
                let differences = self
                    .schema
                    .table(&there)
                    .map(|old| differences::tables(self.engine, old, &table))
                    .unwrap_or_default();
                if !differences.is_empty() {
                    let what = Object::Table(there.clone());
                    self.conflict(ConflictKind::HiddenDifference { what, table: there, differences }, span, earlier);
                }
            } else {
                self.conflict(ConflictKind::Exists { what: Object::Table(there.clone()), table: there }, span, earlier);
            }
            return;
        }
        for key in &table.foreign_keys {
            self.check_parent(&name, Some(&table), key, &origins);
        }
        if self.make(Change::CreateTable { definition: Box::new(table) }, span) {
            if create.as_query {
                let at = self.place(span);
                self.history.skipped.push(SkippedClause { at, within: Skipped::QUERY });
                self.of_query.insert(name.clone());
            } else {
                self.of_query.remove(&name);
            }
            self.history.origins.insert(name, origins);
        }
    }

    fn table(&mut self, create: &CreateTable, name: &TableName, span: Span) -> (Table, TableOrigins) {
        let mut table = Table::new(name.clone());
        let mut origins = TableOrigins { created: self.place(span), ..TableOrigins::default() };
        table.kind = match (create.foreign, create.virtual_table, create.partitioned) {
            (true, ..) => TableKind::Foreign,
            (_, true, _) => TableKind::Virtual,
            (.., true) => TableKind::Partitioned,
            _ => TableKind::Plain,
        };
        table.unlogged = create.unlogged;
        table.without_rowid = create.without_rowid;
        table.strict = create.strict;
        table.comment.clone_from(&create.comment);
        self.inherited(create, &mut table, &mut origins, span);
        let mut likes = create.likes.iter().peekable();
        for (position, definition) in create.columns.iter().enumerate() {
            while let Some(like) = likes.next_if(|l| l.position <= position) {
                self.like(like, &mut table, &mut origins, span);
            }
            self.put_column(definition, &mut table, &mut origins);
        }
        for like in likes {
            self.like(like, &mut table, &mut origins, span);
        }
        let mut constraints: Vec<Placed<'_>> = create.constraints.iter().map(|c| (c, None)).collect();
        for column in &create.columns {
            constraints.extend(column.constraints.iter().map(|c| (c, Some(column.name.text.clone()))));
        }
        constraints.sort_by_key(|(c, _)| c.span.start);
        self.constraints(&constraints, create, &mut table, &mut origins);
        if let Some(parent) = create.partition_of.as_ref().and_then(|p| self.found(p).ok())
            && let Some(parent) = self.schema.table(&parent)
        {
            change::copy_indexes(parent, &mut table);
            change::copy_triggers(parent, &mut table);
        }
        if self.engine.facts().types.rowid {
            sqlite_finish(&mut table);
        }
        // It is kept as long as its history.
        table.columns.shrink_to_fit();
        table.indexes.shrink_to_fit();
        table.foreign_keys.shrink_to_fit();
        table.checks.shrink_to_fit();
        (table, origins)
    }

    /// Takes over what a partition or an heir has from its parents.
    fn inherited(&mut self, create: &CreateTable, table: &mut Table, origins: &mut TableOrigins, span: Span) {
        let place = self.place(span);
        let parents = create.partition_of.iter().chain(&create.inherits);
        for parent in parents.filter_map(|p| self.found(p).ok()).collect::<Vec<_>>() {
            let Some(parent) = self.schema.table(&parent) else { continue };
            for column in &parent.columns {
                match table.columns.iter_mut().find(|c| c.name == column.name) {
                    Some(there) => there.nullable &= column.nullable,
                    None => {
                        let mut column = column.clone();
                        column.comment = None;
                        if create.partition_of.is_none() && column.auto_number && column.default.is_none() {
                            // An identity is not inherited; its NOT NULL is (manual, CREATE TABLE).
                            column.auto_number = false;
                        }
                        table.columns.push(column);
                    }
                }
                let origin = ColumnOrigins { declared: place, data_type: place, nullable: place, default: None };
                origins.columns.insert(column.name.clone(), origin);
            }
            for check in &parent.checks {
                if !table.checks.iter().any(|c| c.name == check.name) {
                    table.checks.push(check.clone());
                }
            }
            if create.partition_of.is_some() {
                table.partition_of = Some(parent.name.clone());
            } else {
                table.inherits.push(parent.name.clone());
            }
        }
    }

    fn like(&mut self, like: &crate::sql::ast::Like, table: &mut Table, origins: &mut TableOrigins, span: Span) {
        let place = self.place(span);
        let Some(other) = self.found(&like.table).ok().and_then(|n| self.schema.table(&n)) else { return };
        let has = |what: &str| like.including.iter().any(|i| i == what || i == "all");
        for column in &other.columns {
            let mut made = column.clone();
            let identity = made.auto_number && made.default.is_none();
            if !has("defaults") {
                made.default = None;
                made.auto_number = identity;
            }
            if identity && !has("identity") && !self.engine.facts().alter.like_is_whole {
                made.auto_number = false;
            }
            if !has("generated") {
                made.generated = None;
            }
            if !has("comments") {
                made.comment = None;
            }
            let origin = ColumnOrigins { declared: place, data_type: place, nullable: place, default: None };
            origins.columns.insert(made.name.clone(), origin);
            table.columns.push(made);
        }
        if has("constraints") {
            table.checks.extend(other.checks.iter().cloned());
        }
        if has("indexes") {
            if self.engine.facts().alter.like_is_whole {
                table.indexes.clone_from(&other.indexes);
                table.primary_key.clone_from(&other.primary_key);
                table.unique_keys.clone_from(&other.unique_keys);
            } else {
                change::copy_indexes(other, table);
            }
        }
    }

    /// Makes a column of its definition, keys apart.
    pub(super) fn new_column(&self, definition: &ColumnDef, table: &TableName) -> Column {
        let resolved = types::resolve(self.engine, &definition.data_type.text, &self.users, &self.path);
        let mut column = Column::new(&definition.name.text, resolved.data_type);
        column.nullable = !resolved.not_null;
        column.default = resolved.default;
        let mut collation = resolved.collation;
        if resolved.serial && self.engine.facts().types.serial_sequence {
            let sequence = names::joined(&table.name, &column.name, "seq");
            let sequence = types::regclass(table.schema.as_deref(), &sequence);
            column.default = Some(format!("nextval('{sequence}'::regclass)"));
        }
        column.auto_number = resolved.serial;
        for constraint in &definition.constraints {
            match &constraint.kind {
                ConstraintKind::NotNull(_) => column.nullable = false,
                ConstraintKind::Null => column.nullable = true,
                ConstraintKind::Default(text) => column.default = self.default(&text.text, &column.data_type),
                ConstraintKind::Generated { expression, stored } => {
                    column.generated = Some(Generated { expression: expression.text.clone(), stored: *stored });
                }
                ConstraintKind::AutoNumber => {
                    column.auto_number = true;
                    column.nullable = false;
                }
                ConstraintKind::Collate(name) => collation = Some(name.clone()),
                ConstraintKind::Comment(text) => column.comment = Some(text.clone()),
                _ => {}
            }
        }
        column.auto_number |= numbers(&column);
        column.collation = collation.and_then(|name| self.collation(name));
        column
    }

    pub(super) fn collation(&self, name: String) -> Option<Collation> {
        let types = &self.engine.facts().types;
        let deterministic = (types.deterministic)(&name);
        (!types.same_collation(&name, types.default_collation)).then_some(Collation { name, deterministic })
    }

    /// Writes a default as the catalog keeps it. PostgreSQL keeps no `DEFAULT NULL`, except where the type's modifier makes a
    /// call of it (`varchar(20)`; heap.c, `AddRelationNewConstraints`).
    pub(super) fn default(&self, text: &str, data_type: &DataType) -> Option<String> {
        let types = &self.engine.facts().types;
        let lower = text.to_ascii_lowercase();
        let null = lower == "null" || lower.starts_with("null::");
        if null && types.forgets_null_default && data_type.arguments.is_empty() {
            return None;
        }
        if lower.starts_with("nextval(") && types.sequence_defaults {
            return Some(text.replacen("'public.", "'", 1));
        }
        Some(text.to_string())
    }

    fn put_column(&mut self, definition: &ColumnDef, table: &mut Table, origins: &mut TableOrigins) {
        let declared = self.place(definition.span);
        let mut origin = ColumnOrigins { declared, data_type: declared, nullable: declared, default: None };
        for constraint in &definition.constraints {
            let place = self.place(constraint.span);
            match &constraint.kind {
                ConstraintKind::NotNull(_) | ConstraintKind::Null => origin.nullable = place,
                ConstraintKind::Default(_) => origin.default = Some(place),
                _ => {}
            }
        }
        origins.columns.insert(definition.name.text.clone(), origin);
        let made = self.new_column(definition, &table.name);
        match table.columns.iter_mut().find(|c| c.name == made.name) {
            // A partition's or an heir's column: what is written is added to what is inherited.
            Some(there) => {
                there.nullable &= made.nullable;
                if made.default.is_some() {
                    there.default = made.default;
                }
                there.auto_number |= made.auto_number;
            }
            None => table.columns.push(made),
        }
    }
}

/// Tells whether a sequence numbers the column.
pub(super) fn numbers(column: &Column) -> bool {
    column.default.as_deref().is_some_and(|d| d.to_ascii_lowercase().starts_with("nextval("))
        && column.data_type.integer_bytes().is_some()
}

/// What SQLite decides when it has read the whole definition.
fn sqlite_finish(table: &mut Table) {
    let Some(key) = table.primary_key.clone() else { return };
    let has_index = table.indexes.iter().any(|i| i.origin == IndexOrigin::PrimaryKey);
    for column in table.columns.iter_mut().filter(|c| key.columns.contains(&c.name)) {
        if table.without_rowid || table.strict {
            column.nullable = false;
        }
        if !has_index && !table.without_rowid {
            column.auto_number = true;
            column.nullable = false;
        }
    }
}
