//! Makes a change in a schema.

use super::{Change, ChangeError, Commented, Kin, Object, consequences, expressions, retype};
use crate::schema::{Column, Engine, ForeignKey, Schema, Table, TableName};

impl Change {
    /// Makes the change in a schema, with what the engine does of its own accord: keys to a dropped table go, names follow a
    /// rename, partitions follow their parent.
    ///
    /// The cost is that of the tables it touches, except where every table has to be looked at (a drop, a rename, a type, what
    /// partitions and heirs follow); [`Change::apply_knowing`] spares that.
    ///
    /// # Errors
    /// The table or the object it changes is missing, or the object it makes exists. The schema is then unchanged.
    pub fn apply(&self, schema: &mut Schema) -> Result<(), ChangeError> {
        self.apply_by(schema, &Kin::unknown())
    }

    /// Makes the change in a schema of which it is known which tables name which: every change since the schema was empty has
    /// been made with the same `kin`. The cost is that of the tables it touches.
    ///
    /// # Errors
    /// As [`Change::apply`].
    pub fn apply_knowing(&self, schema: &mut Schema, kin: &mut Kin) -> Result<(), ChangeError> {
        self.apply_by(schema, kin)?;
        kin.learn(self, schema);
        Ok(())
    }

    fn apply_by(&self, schema: &mut Schema, kin: &Kin) -> Result<(), ChangeError> {
        match self {
            Self::CreateTable { definition } => return create_table(schema, definition),
            Self::DropTable { table, cascade } => return consequences::drop_table(schema, kin, table, *cascade),
            Self::RenameTable { table, to } => return consequences::rename_table(schema, kin, table, to),
            Self::DropColumn { table, column, cascade } => {
                column_of(found(schema, table)?, column)?;
                if schema.engine.facts().names.quoted_may_be_string {
                    expressions::fix_quotes(schema);
                }
                for name in consequences::with_descendants(schema, kin, table) {
                    consequences::drop_column(schema, kin, &name, column, *cascade);
                }
                return Ok(());
            }
            Self::RenameColumn { table, column, to } => {
                let of = found(schema, table)?;
                column_of(of, column)?;
                if to != column && of.column(to).is_some() {
                    return Err(exists(of, Object::Column(to.to_string())));
                }
                if schema.engine.facts().names.quoted_may_be_string {
                    expressions::fix_quotes(schema);
                }
                for name in consequences::with_descendants(schema, kin, table) {
                    consequences::rename_column(schema, kin, &name, column, to);
                }
                return Ok(());
            }
            Self::DropConstraint { table, name, cascade } => {
                consequences::drop_constraint(schema, kin, table, name, *cascade)?;
                return Ok(());
            }
            Self::DropIndex { table, index } => {
                let of = found(schema, table)?;
                if !of.indexes.iter().any(|i| i.name == index.name) {
                    return Err(no_such(of, Object::Index(index.name.clone())));
                }
                consequences::drop_index(schema, kin, table, &index.name);
                return Ok(());
            }
            Self::AddIndex { table, index } => {
                add_index(found(schema, table)?, index)?;
                consequences::index_on_partitions(schema, kin, table, index, None);
                return Ok(());
            }
            Self::AddForeignKey { table, foreign_key } => {
                self.apply_to(found(schema, table)?)?;
                consequences::take_over_keys(schema, kin, table, foreign_key);
                return Ok(());
            }
            // What stands in its place is a key that was added; one that was altered in place takes nothing over.
            Self::ReplaceForeignKey { table, new, .. } => {
                self.apply_to(found(schema, table)?)?;
                consequences::take_over_keys(schema, kin, table, new);
                return Ok(());
            }
            Self::AttachPartition { table, parent } => return consequences::attach(schema, kin, table, parent),
            Self::DetachPartition { table } => return consequences::detach(schema, kin, table),
            Self::AddTrigger { table, trigger } => {
                self.apply_to(found(schema, table)?)?;
                let of = std::slice::from_ref(trigger);
                consequences::with_partitions(schema, kin, table, &trigger.name, |below| {
                    below.triggers.retain(|t| t.name != trigger.name);
                    below.triggers.extend_from_slice(of);
                    below.sort();
                });
                return Ok(());
            }
            Self::DropTrigger { table, name } => {
                consequences::with_partitions(schema, kin, table, name, |below| {
                    below.triggers.retain(|t| t.name != *name);
                });
            }
            Self::SetTrigger { table, name, enabled } => {
                consequences::with_partitions(schema, kin, table, name, |below| {
                    below.triggers.iter_mut().filter(|t| t.name == *name).for_each(|t| t.enabled = *enabled);
                });
            }
            Self::SetNullable { table, .. }
            | Self::SetType { table, .. }
            | Self::AddColumn { table, .. }
            | Self::AddCheck { table, .. }
            | Self::SetGenerated { table, .. } => {
                self.apply_to(found(schema, table)?)?;
                let facts = schema.engine.facts();
                if let Self::SetType { column, .. } = self
                    && facts.alter.type_remakes_keys
                {
                    retype::compare_by_type(schema, table, column);
                }
                if let Self::AddColumn { column, .. } = self
                    && facts.names.quoted_may_be_string
                {
                    expressions::strings_to_columns(found(schema, table)?, &column.name);
                }
                for name in consequences::descendants(schema, kin, table) {
                    // A partition or heir that has the column or the check by itself keeps its own (manual, 5.11).
                    if let Some(of) = schema.table_mut(&name) {
                        let _ = self.apply_to(of);
                    }
                }
                return Ok(());
            }
            Self::AddKey { table, key, primary, index, .. } => {
                self.apply_to(found(schema, table)?)?;
                if let Some(index) = index {
                    consequences::index_on_partitions(schema, kin, table, index, Some((key, *primary)));
                }
                return Ok(());
            }
            _ => {}
        }
        let table = found(schema, self.table())?;
        self.apply_to(table)
    }

    /// Makes a change that touches one table only.
    fn apply_to(&self, table: &mut Table) -> Result<(), ChangeError> {
        match self {
            Self::AddForeignKey { foreign_key, .. } => table.foreign_keys.push(foreign_key.clone()),
            Self::DropForeignKey { foreign_key, .. } => {
                let at = position(table, foreign_key)?;
                table.foreign_keys.remove(at);
            }
            Self::ReplaceForeignKey { old, new, .. } | Self::AlterForeignKey { old, new, .. } => {
                let at = position(table, old)?;
                table.foreign_keys[at] = new.clone();
            }
            Self::ValidateForeignKey { foreign_key, .. } => {
                let at = position(table, foreign_key)?;
                table.foreign_keys[at].validated = true;
            }
            Self::SetNullable { column, nullable, .. } => column_of(table, column)?.nullable = *nullable,
            Self::SetDefault { column, default, .. } => column_of(table, column)?.default.clone_from(default),
            Self::SetType { column, data_type, collation, .. } => {
                let column = column_of(table, column)?;
                column.data_type = data_type.clone();
                column.collation.clone_from(collation);
            }
            Self::SetAutoNumber { column, auto_number, .. } => column_of(table, column)?.auto_number = *auto_number,
            Self::SetGenerated { column, generated, .. } => column_of(table, column)?.generated.clone_from(generated),
            Self::AddColumn { column, position, .. } => {
                if table.column(&column.name).is_some() {
                    return Err(exists(table, Object::Column(column.name.clone())));
                }
                let at = position.unwrap_or(table.columns.len()).min(table.columns.len());
                table.columns.insert(at, column.clone());
            }
            Self::MoveColumn { column, position, .. } => {
                let missing = no_such(table, Object::Column(column.to_string()));
                let at = table.columns.iter().position(|c| c.name == *column).ok_or(missing)?;
                let moved = table.columns.remove(at);
                table.columns.insert((*position).min(table.columns.len()), moved);
            }
            Self::DropKey { key, primary, index, .. } => {
                let missing = no_such(table, Object::KeyOn(key.columns.clone()));
                if *primary {
                    table.primary_key.take_if(|k| k == key).ok_or(missing)?;
                } else {
                    let at = table.unique_keys.iter().position(|k| k == key).ok_or(missing)?;
                    table.unique_keys.remove(at);
                }
                table.indexes.retain(|i| Some(&i.name) != index.as_ref());
            }
            Self::DropCheck { check, .. } => {
                let missing = no_such(table, Object::Check(check.expression.clone()));
                let at = table.checks.iter().position(|c| c == check).ok_or(missing)?;
                table.checks.remove(at);
            }
            Self::AddKey { key, primary, index, using, .. } => {
                if *primary && table.primary_key.is_some() {
                    return Err(exists(table, Object::PrimaryKey));
                }
                if let Some(using) = using {
                    table.indexes.retain(|i| i.name != *using);
                }
                if let Some(index) = index {
                    add_index(table, index)?;
                }
                if *primary {
                    for name in &key.columns {
                        // No SQLite here: it cannot add a key to a table that is there.
                        if let Ok(column) = column_of(table, name) {
                            column.nullable = false;
                        }
                    }
                    table.primary_key = Some(key.clone());
                } else {
                    table.unique_keys.push(key.clone());
                }
            }
            Self::AddCheck { check, .. } => {
                if check.name.is_some() && table.checks.iter().any(|c| c.name == check.name) {
                    return Err(exists(table, Object::Constraint(check.name.clone().unwrap_or_default())));
                }
                table.checks.push(check.clone());
            }
            Self::ValidateCheck { name, .. } => {
                let missing = no_such(table, Object::Constraint(name.to_string()));
                let check = table.checks.iter_mut().find(|c| c.name.as_deref() == Some(name)).ok_or(missing)?;
                check.validated = true;
            }
            Self::RenameConstraint { name, to, .. } => rename_constraint(table, name, to)?,
            Self::RenameIndex { index, to, .. } => rename_index(table, index, to)?,
            Self::SetIndexValid { index, valid, .. } => {
                let missing = no_such(table, Object::Index(index.to_string()));
                table.indexes.iter_mut().find(|i| i.name == *index).ok_or(missing)?.valid = *valid;
            }
            Self::SetInherits { inherits, .. } => table.inherits.clone_from(inherits),
            Self::SetUnlogged { unlogged, .. } => table.unlogged = *unlogged,
            Self::SetPublications { publications, .. } => table.publications.clone_from(publications),
            Self::SetReplicaIdentity { identity, .. } => table.replica_identity.clone_from(identity),
            Self::SetOptions { options, .. } => {
                let super::TableOptions { kind, without_rowid, strict, autoincrement } = options;
                table.kind = kind.clone();
                table.without_rowid = *without_rowid;
                table.strict = *strict;
                table.autoincrement = *autoincrement;
            }
            Self::Comment { on, text, .. } => comment(table, on, text)?,
            Self::AddTrigger { trigger, .. } => {
                if table.triggers.iter().any(|t| t.name == trigger.name) {
                    return Err(exists(table, Object::Trigger(trigger.name.clone())));
                }
                table.triggers.push(trigger.clone());
            }
            Self::DropTrigger { name, .. } => {
                let at = table.triggers.iter().position(|t| t.name == *name);
                let at = at.ok_or_else(|| no_such(table, Object::Trigger(name.to_string())))?;
                table.triggers.remove(at);
            }
            Self::SetRewriteRules { rules, .. } => table.rewrite_rules.clone_from(rules),
            Self::SetTrigger { name, enabled, .. } => {
                let missing = no_such(table, Object::Trigger(name.to_string()));
                table.triggers.iter_mut().find(|t| t.name == *name).ok_or(missing)?.enabled = *enabled;
            }
            // These touch more than one table: `apply` has made them.
            Self::CreateTable { .. }
            | Self::DropTable { .. }
            | Self::RenameTable { .. }
            | Self::DropColumn { .. }
            | Self::RenameColumn { .. }
            | Self::DropConstraint { .. }
            | Self::AddIndex { .. }
            | Self::DropIndex { .. }
            | Self::AttachPartition { .. }
            | Self::DetachPartition { .. } => {}
        }
        table.sort();
        Ok(())
    }
}

fn create_table(schema: &mut Schema, definition: &Table) -> Result<(), ChangeError> {
    match schema.tables.binary_search_by(|t| t.name.cmp(&definition.name)) {
        Ok(_) => Err(ChangeError::TableExists(definition.name.clone())),
        Err(at) => {
            let mut table = definition.clone();
            table.sort();
            schema.tables.insert(at, table);
            Ok(())
        }
    }
}

pub(super) fn found<'s>(schema: &'s mut Schema, name: &TableName) -> Result<&'s mut Table, ChangeError> {
    schema.table_mut(name).ok_or_else(|| ChangeError::NoTable(name.clone()))
}

fn add_index(table: &mut Table, index: &crate::schema::Index) -> Result<(), ChangeError> {
    table.indexes.retain(|i| !super::names::replaces(index, i));
    if table.indexes.iter().any(|i| i.name == index.name) {
        return Err(exists(table, Object::Index(index.name.clone())));
    }
    table.indexes.push(index.clone());
    table.sort();
    Ok(())
}

/// Gives a key, and the index behind it, another name.
pub fn rename_key(table: &mut Table, name: &str, to: &str) {
    let _ = rename_constraint(table, name, to);
}

fn rename_constraint(table: &mut Table, name: &str, to: &str) -> Result<(), ChangeError> {
    let mut done = false;
    let to_name = Some(to.to_string());
    for key in table.primary_key.iter_mut().chain(&mut table.unique_keys) {
        if key.name.as_deref() == Some(name) {
            key.name.clone_from(&to_name);
            done = true;
        }
    }
    for key in table.foreign_keys.iter_mut().filter(|k| k.name.as_deref() == Some(name)) {
        key.name.clone_from(&to_name);
        done = true;
    }
    for check in table.checks.iter_mut().filter(|c| c.name.as_deref() == Some(name)) {
        check.name.clone_from(&to_name);
        done = true;
    }
    for index in table.indexes.iter_mut().filter(|i| i.name == name && i.origin != crate::schema::IndexOrigin::User) {
        index.name = to.to_string();
        done = true;
    }
    if done { Ok(()) } else { Err(no_such(table, Object::Constraint(name.to_string()))) }
}

fn rename_index(table: &mut Table, name: &str, to: &str) -> Result<(), ChangeError> {
    let missing = no_such(table, Object::Index(name.to_string()));
    let index = table.indexes.iter_mut().find(|i| i.name == name).ok_or(missing)?;
    index.name = to.to_string();
    if index.origin != crate::schema::IndexOrigin::User {
        for key in table.primary_key.iter_mut().chain(&mut table.unique_keys) {
            if key.name.as_deref() == Some(name) {
                key.name = Some(to.to_string());
            }
        }
    }
    Ok(())
}

fn comment(table: &mut Table, on: &Commented, text: &Option<String>) -> Result<(), ChangeError> {
    match on {
        Commented::Table => table.comment.clone_from(text),
        Commented::Column(column) => column_of(table, column)?.comment.clone_from(text),
        Commented::ForeignKey(name) => {
            let missing = no_such(table, Object::ForeignKey(name.to_string()));
            let key = table.foreign_keys.iter_mut().find(|k| k.name.as_deref() == Some(name));
            key.ok_or(missing)?.comment.clone_from(text);
        }
    }
    Ok(())
}

pub(super) fn no_such(table: &Table, what: Object) -> ChangeError {
    ChangeError::NoSuch { table: table.name.clone(), what }
}

fn exists(table: &Table, what: Object) -> ChangeError {
    ChangeError::Exists { table: table.name.clone(), what }
}

fn position(table: &Table, key: &ForeignKey) -> Result<usize, ChangeError> {
    let at = table.foreign_keys.iter().position(|k| k == key);
    at.ok_or_else(|| no_such(table, Object::ForeignKeyOn(key.columns.clone())))
}

fn column_of<'t>(table: &'t mut Table, column: &str) -> Result<&'t mut Column, ChangeError> {
    let missing = no_such(table, Object::Column(column.to_string()));
    table.columns.iter_mut().find(|c| c.name == column).ok_or(missing)
}

/// Tells whether dropping a table takes the keys that refer to it along, or leaves them without a parent.
pub(super) fn drops_keys(engine: Engine) -> bool {
    engine.facts().alter.drop_takes_keys
}
