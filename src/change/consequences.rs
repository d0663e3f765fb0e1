//! What an engine does of its own accord when something is dropped or renamed.

use std::collections::BTreeSet;

use super::apply::{drops_keys, found, no_such};
use super::bodies;
use super::kin::Kin;
use super::{ChangeError, Object, expressions, names};
use crate::schema::facts::{ForeignKeyName, IndexName};
use crate::schema::{ForeignKey, Index, IndexOrigin, Key, Schema, Table, TableName};

/// Returns a table's partitions and heirs, theirs too, in order of name.
pub(crate) fn descendants(schema: &Schema, kin: &Kin, table: &TableName) -> Vec<TableName> {
    let mut found: BTreeSet<TableName> = BTreeSet::new();
    if !schema.engine.facts().alter.inheritance {
        return Vec::new();
    }
    let mut open = vec![table.clone()];
    while let Some(parent) = open.pop() {
        for table in kin.naming(schema, &parent).into_iter().map(|at| &schema.tables[at]) {
            let below = table.partition_of.as_ref() == Some(&parent) || table.inherits.contains(&parent);
            if below && found.insert(table.name.clone()) {
                open.push(table.name.clone());
            }
        }
    }
    found.into_iter().collect()
}

pub(super) fn with_descendants(schema: &Schema, kin: &Kin, table: &TableName) -> Vec<TableName> {
    let mut all = vec![table.clone()];
    all.extend(descendants(schema, kin, table));
    all
}

pub(super) fn drop_table(schema: &mut Schema, kin: &Kin, table: &TableName, cascade: bool) -> Result<(), ChangeError> {
    found(schema, table)?;
    let mut gone = vec![table.clone()];
    for below in descendants(schema, kin, table) {
        // Partitions go with their table; heirs only with CASCADE (manual, DROP TABLE).
        let partition = schema.table(&below).is_some_and(|t| t.partition_of.is_some());
        if partition || cascade {
            gone.push(below);
        }
    }
    for name in &gone {
        if let Ok(at) = schema.tables.binary_search_by(|t| t.name.cmp(name)) {
            schema.tables.remove(at);
        }
    }
    let keys_go = drops_keys(schema.engine);
    let naming: BTreeSet<usize> = gone.iter().flat_map(|t| kin.naming(schema, t)).collect();
    for at in naming {
        let other = &mut schema.tables[at];
        if keys_go {
            other.foreign_keys.retain(|k| !gone.contains(&k.parent));
        }
        other.inherits.retain(|p| !gone.contains(p));
    }
    Ok(())
}

pub(super) fn rename_table(
    schema: &mut Schema,
    kin: &Kin,
    table: &TableName,
    to: &TableName,
) -> Result<(), ChangeError> {
    found(schema, table)?;
    if table == to {
        return Ok(());
    }
    if schema.table(to).is_some() {
        return Err(ChangeError::TableExists(to.clone()));
    }
    let Ok(at) = schema.tables.binary_search_by(|t| t.name.cmp(table)) else { return Ok(()) };
    let mut moved = schema.tables.remove(at);
    moved.name = to.clone();
    let facts = schema.engine.facts();
    if facts.names.index == IndexName::Autoindex {
        let (old, new) = (format!("sqlite_autoindex_{}_", table.name), format!("sqlite_autoindex_{}_", to.name));
        for index in &mut moved.indexes {
            if let Some(number) = index.name.strip_prefix(&old) {
                index.name = format!("{new}{number}");
            }
        }
    }
    if facts.alter.keeps_text {
        // The table's name before a column's in its own expressions (SQLite, "ALTER TABLE", 2: since 3.25).
        for text in expressions::all(&mut moved) {
            expressions::rename_qualifier(text, &table.name, &to.name);
        }
    }
    if facts.names.foreign_key == ForeignKeyName::Number {
        // InnoDB renames the constraints that it has named itself (MySQL manual, RENAME TABLE).
        let (old, new) = (format!("{}_ibfk_", table.name), format!("{}_ibfk_", to.name));
        for key in &mut moved.foreign_keys {
            if let Some(number) = key.name.as_deref().and_then(|n| n.strip_prefix(&old)) {
                key.name = Some(format!("{new}{number}"));
            }
        }
    }
    moved.sort();
    let at = schema.tables.partition_point(|t| t.name < *to);
    schema.tables.insert(at, moved);
    bodies::rename_table(schema, table, to);
    let folds = schema.engine.facts().names.ignore_case;
    let same = |name: &TableName| name == table || folds && name.name.eq_ignore_ascii_case(&table.name);
    // A table that refers to itself is known by the name it had.
    let naming: BTreeSet<usize> = kin.naming(schema, table).into_iter().chain([at]).collect();
    for at in naming {
        let other = &mut schema.tables[at];
        let mut touched = false;
        for key in other.foreign_keys.iter_mut().filter(|k| same(&k.parent)) {
            key.parent = to.clone();
            touched = true;
        }
        if other.partition_of.as_ref() == Some(table) {
            other.partition_of = Some(to.clone());
        }
        for parent in other.inherits.iter_mut().filter(|p| *p == table) {
            *parent = to.clone();
        }
        if touched {
            other.sort();
        }
    }
    Ok(())
}

pub(super) fn drop_column(schema: &mut Schema, kin: &Kin, table: &TableName, column: &str, cascade: bool) {
    let engine = schema.engine;
    let Some(of) = schema.table_mut(table) else { return };
    of.columns.retain(|c| c.name != column);
    of.foreign_keys.retain(|k| !k.columns.iter().any(|c| c == column));
    if engine.facts().alter.drop_column_trims_indexes {
        // One that has none left goes.
        for index in &mut of.indexes {
            index.parts.retain(|p| p.column.as_deref() != Some(column));
        }
        of.indexes.retain(|i| !i.parts.is_empty());
        for key in of.primary_key.iter_mut().chain(&mut of.unique_keys) {
            key.columns.retain(|c| c != column);
        }
        of.unique_keys.retain(|k| !k.columns.is_empty());
        if of.primary_key.as_ref().is_some_and(|k| k.columns.is_empty()) {
            of.primary_key = None;
        }
        return;
    }
    of.checks.retain(|c| !expressions::mention(engine, &c.expression, column));
    let gone: Vec<String> =
        of.indexes.iter().filter(|i| expressions::index_mentions(engine, i, column)).map(|i| i.name.clone()).collect();
    of.indexes.retain(|i| !gone.contains(&i.name));
    let holds =
        |key: &Key| key.columns.iter().any(|c| c == column) || key.name.as_ref().is_some_and(|n| gone.contains(n));
    if of.primary_key.as_ref().is_some_and(holds) {
        of.primary_key = None;
    }
    of.unique_keys.retain(|k| !holds(k));
    if cascade && drops_keys(engine) {
        for at in kin.naming(schema, table) {
            let other = &mut schema.tables[at];
            other.foreign_keys.retain(|k| k.parent != *table || !k.parent_columns.iter().any(|c| c == column));
        }
    }
}

pub(super) fn rename_column(schema: &mut Schema, kin: &Kin, table: &TableName, column: &str, to: &str) {
    let engine = schema.engine;
    let rename = |names: &mut Vec<String>| names.iter_mut().filter(|n| *n == column).for_each(|n| *n = to.to_string());
    bodies::rename_column(schema, table, column, to);
    let Some(of) = schema.table_mut(table) else { return };
    for found in of.columns.iter_mut().filter(|c| c.name == column) {
        found.name = to.to_string();
    }
    for key in of.primary_key.iter_mut().chain(&mut of.unique_keys) {
        rename(&mut key.columns);
    }
    for key in &mut of.foreign_keys {
        rename(&mut key.columns);
        rename(&mut key.set_columns);
    }
    for index in &mut of.indexes {
        rename(&mut index.included);
        for part in &mut index.parts {
            if part.column.as_deref() == Some(column) {
                part.column = Some(to.to_string());
            }
        }
    }
    for text in expressions::all(of) {
        expressions::rename_column(engine, text, column, to);
    }
    of.sort();
    for at in kin.naming(schema, table) {
        let other = &mut schema.tables[at];
        for key in other.foreign_keys.iter_mut().filter(|k| k.parent == *table) {
            rename(&mut key.parent_columns);
        }
    }
}

/// Removes a primary key, a unique or exclusion constraint or a check, and with CASCADE the foreign keys that need it.
pub(super) fn drop_constraint(
    schema: &mut Schema,
    kin: &Kin,
    table: &TableName,
    name: &str,
    cascade: bool,
) -> Result<(), ChangeError> {
    let of = found(schema, table)?;
    let named = |n: &Option<String>| n.as_deref() == Some(name);
    if of.foreign_keys.iter().any(|k| named(&k.name)) {
        of.foreign_keys.retain(|k| !named(&k.name));
        return Ok(());
    }
    let is_index = of.indexes.iter().any(|i| i.name == name && i.origin != IndexOrigin::User);
    if of.checks.iter().any(|c| named(&c.name)) {
        of.checks.retain(|c| !named(&c.name));
        for below in descendants(schema, kin, table) {
            if let Some(below) = schema.table_mut(&below) {
                below.checks.retain(|c| !named(&c.name));
            }
        }
        return Ok(());
    }
    let mut columns = Vec::new();
    if of.primary_key.as_ref().is_some_and(|k| named(&k.name)) {
        columns = of.primary_key.take().map(|k| k.columns).unwrap_or_default();
    } else if let Some(at) = of.unique_keys.iter().position(|k| named(&k.name)) {
        columns = of.unique_keys.remove(at).columns;
    } else if !is_index {
        return Err(no_such(of, Object::Constraint(name.to_string())));
    }
    let partitioned = of.kind == crate::schema::TableKind::Partitioned;
    of.indexes.retain(|i| i.name != name);
    if partitioned {
        drop_on_partitions(schema, kin, table, &columns);
    }
    if cascade && drops_keys(schema.engine) {
        for at in kin.naming(schema, table) {
            let other = &mut schema.tables[at];
            other.foreign_keys.retain(|k| k.parent != *table || k.parent_columns != columns);
        }
    }
    Ok(())
}

fn drop_on_partitions(schema: &mut Schema, kin: &Kin, table: &TableName, columns: &[String]) {
    for below in descendants(schema, kin, table) {
        let Some(below) = schema.table_mut(&below).filter(|t| t.partition_of.is_some()) else { continue };
        let mut gone: Vec<String> = Vec::new();
        if below.primary_key.as_ref().is_some_and(|k| k.columns == columns) {
            gone.extend(below.primary_key.take().and_then(|k| k.name));
        } else if let Some(at) = below.unique_keys.iter().position(|k| k.columns == columns) {
            gone.extend(below.unique_keys.remove(at).name);
        }
        below.indexes.retain(|i| !gone.contains(&i.name));
    }
}

pub(super) fn drop_index(schema: &mut Schema, kin: &Kin, table: &TableName, name: &str) {
    let Some(of) = schema.table_mut(table) else { return };
    let Some(at) = of.indexes.iter().position(|i| i.name == name) else { return };
    let index = of.indexes.remove(at);
    // MySQL drops a unique key or the primary key as an index.
    of.unique_keys.retain(|k| k.name.as_deref() != Some(name));
    if index.origin == IndexOrigin::PrimaryKey {
        of.primary_key = None;
    }
    if of.kind != crate::schema::TableKind::Partitioned {
        return;
    }
    for below in descendants(schema, kin, table) {
        if let Some(below) = schema.table_mut(&below).filter(|t| t.partition_of.is_some())
            && let Some(at) = below.indexes.iter().position(|i| same_index(i, &index))
        {
            below.indexes.remove(at);
        }
    }
}

fn same_index(a: &Index, b: &Index) -> bool {
    a.parts == b.parts && a.unique == b.unique && a.method == b.method && a.predicate == b.predicate
}

/// Makes an index of a partitioned table on each of its partitions, unless one like it is there (manual, 5.12).
pub(super) fn index_on_partitions(
    schema: &mut Schema,
    kin: &Kin,
    table: &TableName,
    index: &Index,
    key: Option<(&Key, bool)>,
) {
    let partitioned = schema.table(table).is_some_and(|t| t.kind == crate::schema::TableKind::Partitioned);
    // An index made with ON ONLY is not valid until every partition has one of its own.
    if !partitioned || !index.valid {
        return;
    }
    for name in descendants(schema, kin, table) {
        if let Some(below) = schema.table_mut(&name).filter(|t| t.partition_of.is_some()) {
            index_on_partition(below, index, key);
        }
    }
}

/// Makes on a partition what its parent has.
pub fn index_on_partition(below: &mut Table, index: &Index, key: Option<(&Key, bool)>) {
    if let Some((key, primary)) = key {
        let same = |k: &Key| k.columns == key.columns;
        let there =
            if primary { below.primary_key.as_ref().is_some_and(same) } else { below.unique_keys.iter().any(same) };
        if there {
            return;
        }
    } else if below.indexes.iter().any(|i| same_index(i, index)) {
        return;
    }
    let none = |_: &str| false;
    let columns = part_names(index);
    let table_name = below.name.name.clone();
    let made = match key {
        Some((_, true)) => names::free(below, &table_name, "", "pkey", &none),
        Some((_, false)) => names::free(below, &table_name, &names::columns(&columns), "key", &none),
        None => names::free(below, &table_name, &names::columns(&columns), "idx", &none),
    };
    below.indexes.push(Index { name: made.clone(), valid: true, ..index.clone() });
    if let Some((key, primary)) = key {
        let key = Key { name: Some(made), ..key.clone() };
        if primary {
            for column in below.columns.iter_mut().filter(|c| key.columns.contains(&c.name)) {
                column.nullable = false;
            }
            below.primary_key = Some(key);
        } else {
            below.unique_keys.push(key);
        }
    }
    below.sort();
}

/// Returns what each part of an index adds to its name: the column, or the function an expression begins with, or `expr`.
pub fn part_names(index: &Index) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in &index.parts {
        let name = match (&part.column, &part.expression) {
            (Some(column), _) => column.clone(),
            (None, Some(text)) => called(text).unwrap_or_else(|| "expr".to_string()),
            (None, None) => "expr".to_string(),
        };
        // A name that is taken gets a number, as in ChooseIndexColumnNames.
        let mut unique = name.clone();
        let mut number = 1usize;
        while names.contains(&unique) {
            unique = format!("{name}{number}");
            number += 1;
        }
        names.push(unique);
    }
    names.extend(index.included.iter().cloned());
    names
}

fn called(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && text[end..].trim_start().starts_with('(')).then(|| text[..end].to_ascii_lowercase())
}

/// A partition's key like one that its table is given becomes a part of that one: the first by name, and what is below of it
/// is a part of it already (tablecmds.c, addFkRecurseReferencing).
pub(super) fn take_over_keys(schema: &mut Schema, kin: &Kin, table: &TableName, key: &ForeignKey) {
    if schema.table(table).is_none_or(|t| t.kind != crate::schema::TableKind::Partitioned) {
        return;
    }
    let unchecked_too = schema.version.is_some_and(|v| v.major >= 18);
    let below: Vec<TableName> = kin
        .naming(schema, table)
        .into_iter()
        .map(|at| &schema.tables[at])
        .filter(|t| t.partition_of.as_ref() == Some(table))
        .map(|t| t.name.clone())
        .collect();
    for name in below {
        let taken = schema.table_mut(&name).is_some_and(|t| take_over(t, key, unchecked_too));
        if !taken {
            take_over_keys(schema, kin, &name, key);
        }
    }
}

/// Before PostgreSQL 18 a key that is not validated is left alone (tryAttachPartitionForeignKey).
fn take_over(below: &mut Table, key: &ForeignKey, unchecked_too: bool) -> bool {
    let own =
        below.foreign_keys.iter().enumerate().filter(|(_, k)| k.says_the_same(key) && (k.validated || unchecked_too));
    let Some((at, _)) = own.min_by_key(|(_, k)| k.name.clone()) else { return false };
    below.foreign_keys.remove(at);
    true
}

pub(super) fn attach(schema: &mut Schema, kin: &Kin, table: &TableName, parent: &TableName) -> Result<(), ChangeError> {
    let of = schema.table(parent).ok_or_else(|| ChangeError::NoTable(parent.clone()))?.clone();
    let mut keys = of.foreign_keys.clone();
    let mut seen = vec![&of.name];
    while let Some(above) = seen.last().and_then(|name| schema.table(name)?.partition_of.as_ref())
        && !seen.contains(&above)
    {
        keys.extend(schema.table(above).into_iter().flat_map(|t| t.foreign_keys.iter().cloned()));
        seen.push(above);
    }
    let unchecked_too = schema.version.is_some_and(|v| v.major >= 18);
    let below = found(schema, table)?;
    below.partition_of = Some(parent.clone());
    // A key like one of those above becomes a part of that one (manual, ALTER TABLE, ATTACH PARTITION).
    for key in &keys {
        take_over(below, key, unchecked_too);
    }
    copy_indexes(&of, below);
    copy_triggers(&of, below);
    // What is below of it is a partition of the whole from now on.
    for name in descendants(schema, kin, table) {
        if let Some(lower) = schema.table_mut(&name).filter(|t| t.partition_of.is_some()) {
            copy_indexes(&of, lower);
            copy_triggers(&of, lower);
        }
    }
    Ok(())
}

/// Makes a partition a table of its own; the row triggers that were its parent's go (tablecmds.c,
/// `DropClonedTriggersFromPartition`).
pub(super) fn detach(schema: &mut Schema, kin: &Kin, table: &TableName) -> Result<(), ChangeError> {
    let below = descendants(schema, kin, table);
    let parent = found(schema, table)?.partition_of.take();
    let triggers = parent.and_then(|p| schema.table(&p)).map(|p| p.triggers.clone()).unwrap_or_default();
    for name in [table].into_iter().chain(&below) {
        if let Some(of) = schema.table_mut(name).filter(|_| !triggers.is_empty()) {
            of.triggers.retain(|t| !triggers.iter().any(|p| p.for_each_row && p.name == t.name));
        }
    }
    Ok(())
}

/// Gives a partition the row triggers of its parent (manual, CREATE TRIGGER).
pub fn copy_triggers(parent: &Table, partition: &mut Table) {
    for trigger in parent.triggers.iter().filter(|t| t.for_each_row) {
        if !partition.triggers.iter().any(|t| t.name == trigger.name) {
            partition.triggers.push(trigger.clone());
        }
    }
    partition.sort();
}

/// Does to the partitions of a table what is done to a row trigger of it: a partition has it, too.
pub(super) fn with_partitions(
    schema: &mut Schema,
    kin: &Kin,
    table: &TableName,
    trigger: &str,
    mut change: impl FnMut(&mut Table),
) {
    let is_row = |t: &Table| t.triggers.iter().any(|t| t.name == trigger && t.for_each_row);
    if schema.table(table).is_none_or(|t| t.kind != crate::schema::TableKind::Partitioned || !is_row(t)) {
        return;
    }
    for name in descendants(schema, kin, table) {
        if let Some(below) = schema.table_mut(&name).filter(|t| t.partition_of.is_some()) {
            change(below);
        }
    }
}

/// Gives a partition the keys and indexes of its parent.
pub fn copy_indexes(parent: &Table, partition: &mut Table) {
    // A new partition has one of each, those that other partitions lack as well (tablecmds.c, `DefineRelation`).
    for index in &parent.indexes {
        let key = match index.origin {
            IndexOrigin::PrimaryKey => parent.primary_key.as_ref().map(|k| (k, true)),
            IndexOrigin::Constraint => {
                parent.unique_keys.iter().find(|k| k.name.as_deref() == Some(index.name.as_str())).map(|k| (k, false))
            }
            _ => None,
        };
        index_on_partition(partition, index, key);
    }
}
