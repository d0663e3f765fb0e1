//! Whether a parent's columns can be referred to: one judge for what audit reports, `fate` decides and `fix` proposes.

use super::Relation;
use crate::schema::facts::ParentKey;
use crate::schema::{Engine, Index, Schema, Table, TableKind};

/// Says why the parent's columns cannot be referred to; `None` if they can.
pub fn unfit(engine: Engine, parent: &Table, relation: &Relation) -> Option<String> {
    let facts = &engine.facts().keys;
    let columns = &relation.parent_columns;
    let name = &parent.name;
    if columns.is_empty() {
        return Some(if parent.primary_key.is_none() {
            format!("`{name}` has no primary key, and the key names no columns of it")
        } else {
            format!("the key names no columns of `{name}`, whose primary key has another number of columns")
        });
    }
    if columns.len() != relation.columns.len() {
        return Some(format!("{} columns refer to {} of `{name}`", relation.columns.len(), columns.len()));
    }
    if facts.parent == ParentKey::UniqueWhenUsed && parent.kind == TableKind::Virtual {
        return Some(format!("`{name}` is a virtual table, and no foreign key can refer to one"));
    }
    let same = |set: &[&str]| set.len() == columns.len() && columns.iter().all(|c| set.contains(&c.as_str()));
    let key_of = |set: &[String]| same(&set.iter().map(String::as_str).collect::<Vec<_>>());
    let mut looks_right = None;
    for key in parent.primary_key.iter().chain(&parent.unique_keys).filter(|k| key_of(&k.columns)) {
        // PostgreSQL manual, CREATE TABLE: a deferrable constraint cannot be referred to (55000).
        if !key.deferrable {
            return None;
        }
        let key = key.name.as_deref().unwrap_or("the key");
        looks_right = Some(format!("`{key}` of `{name}` is deferrable, and no foreign key can refer to such a key"));
    }
    let constraint = |index: &Index| {
        parent.unique_keys.iter().chain(&parent.primary_key).any(|k| k.name.as_ref() == Some(&index.name))
    };
    for index in parent.indexes.iter().filter(|i| i.unique && i.plain_columns().is_some_and(|c| same(&c))) {
        let collated = facts.parent_index_collation && index.parts.iter().any(|p| p.collation.is_some());
        let why = if index.predicate.is_some() {
            "is partial"
        } else if !index.valid {
            "is not valid"
        } else if collated {
            "has another collation than the column"
        } else if constraint(index) {
            // Judged above, as the constraint it belongs to.
            continue;
        } else {
            return None;
        };
        looks_right = Some(format!("the unique index `{}` {why}", index.name));
    }
    let list = columns.join("`, `");
    Some(match looks_right {
        Some(reason) => reason,
        None if relation.is_declared() && is_enough(engine, parent, columns) => {
            format!("`{list}` of `{name}` is indexed but not unique")
        }
        None => format!("no primary or unique key of `{name}` is on `{list}`"),
    })
}

/// Tells whether a foreign key is there, and the engine only says at each statement that it cannot work (SQLite, "Foreign Key Support", 3):
/// its table, a column or a unique key of its parent is missing, so that its actions and its look-ups are never come to.
pub fn is_broken(schema: &Schema, relation: &Relation) -> bool {
    if !relation.is_declared() || schema.engine.facts().keys.parent != ParentKey::UniqueWhenUsed {
        return false;
    }
    let Some(parent) = schema.table(&relation.parent) else { return true };
    relation.parent_columns.iter().any(|c| parent.column(c).is_none())
        || unfit(schema.engine, parent, relation).is_some()
}

/// Says that the parent's rows do not last as the child's do, which PostgreSQL refuses: "constraints on permanent tables may
/// reference only permanent tables" (42P16).
pub fn impermanent(child: &Table, parent: &Table) -> Option<String> {
    (parent.unlogged && !child.unlogged).then(|| {
        format!(
            "`{}` is UNLOGGED and `{}` is not: a permanent table can refer only to a permanent one",
            parent.name, child.name
        )
    })
}

/// Tells whether the engine accepts a key to columns that are not unique, because an index begins with them.
pub fn is_enough(engine: Engine, parent: &Table, columns: &[String]) -> bool {
    let begins = |index: &Index| {
        let parts: Vec<Option<&str>> = index.parts.iter().map(|p| p.column.as_deref()).collect();
        columns.iter().map(|c| Some(c.as_str())).eq(parts.into_iter().take(columns.len()))
    };
    let primary = parent.primary_key.as_ref().is_some_and(|k| k.columns.starts_with(columns));
    engine.facts().keys.parent == ParentKey::Indexed && (primary || parent.indexes.iter().any(begins))
}
