//! The catalog as it is, against the schema that the plan promised: table by table, only those that the plan changes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{IndexChange, KeyChange};
use crate::change::Change;
use crate::plan::{Plan, Step};
use crate::schema::{ForeignKey, Index, Match, Schema, Table, TableName, Timing};

/// Something that is not as the plan promised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Difference {
    /// The table.
    pub table: TableName,
    /// What: `foreign key orders_customer_id_fkey`, `column note`.
    pub what: String,
    /// What the plan promised.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Compares what is there with what the plan promised. Estimates, comments, triggers and places in the firing order are left
/// out, and so is how an engine writes an expression anew.
pub fn compare(plan: &Plan, now: &Schema) -> Vec<Difference> {
    let tables: BTreeSet<&TableName> = plan.steps.iter().flat_map(|s| &s.changes).map(Change::table).collect();
    let mut differences = Vec::new();
    for name in tables {
        match (plan.after.table(name), now.table(name)) {
            (Some(expected), Some(found)) => table(expected, found, &mut differences),
            (None, None) => {}
            (Some(_), None) => differences.push(difference(name, "the table", "there", "missing")),
            (None, Some(_)) => differences.push(difference(name, "the table", "gone", "there")),
        }
    }
    differences
}

fn difference(
    table: &TableName,
    what: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Difference {
    Difference { table: table.clone(), what: what.into(), expected: expected.into(), found: found.into() }
}

const MISSING: &str = "missing";

fn table(expected: &Table, found: &Table, differences: &mut Vec<Difference>) {
    let name = &expected.name;
    for column in &expected.columns {
        let what = format!("column {}", column.name);
        let Some(other) = found.column(&column.name) else {
            differences.push(difference(name, what, "there", MISSING));
            continue;
        };
        let null = |nullable: bool| if nullable { "NULL" } else { "NOT NULL" };
        if column.nullable != other.nullable {
            differences.push(difference(name, what.clone(), null(column.nullable), null(other.nullable)));
        }
        let default = |d: &Option<String>| if d.is_some() { "a default" } else { "no default" };
        if column.default.is_some() != other.default.is_some() {
            differences.push(difference(name, what, default(&column.default), default(&other.default)));
        }
    }
    both(
        &expected.foreign_keys.iter().map(|k| (key_title(k), key_text(k))).collect::<Vec<_>>(),
        &found.foreign_keys.iter().map(|k| (key_title(k), key_text(k))).collect::<Vec<_>>(),
        name,
        differences,
    );
    both(
        &expected.indexes.iter().map(|i| (format!("index {}", i.name), index_text(i))).collect::<Vec<_>>(),
        &found.indexes.iter().map(|i| (format!("index {}", i.name), index_text(i))).collect::<Vec<_>>(),
        name,
        differences,
    );
}

/// Pairs what has the same title and text; of what is left, what has the same title.
fn both(
    expected: &[(String, String)],
    found: &[(String, String)],
    table: &TableName,
    differences: &mut Vec<Difference>,
) {
    let mut left: Vec<&(String, String)> = found.iter().collect();
    let mut unmatched = Vec::new();
    for one in expected {
        match left.iter().position(|other| *other == one) {
            Some(at) => drop(left.remove(at)),
            None => unmatched.push(one),
        }
    }
    for (title, text) in unmatched {
        let at = left.iter().position(|(other, _)| other == title);
        let there = at.map_or(MISSING.to_string(), |at| left.remove(at).1.clone());
        differences.push(difference(table, title, text, there));
    }
    for (title, text) in left {
        differences.push(difference(table, title, MISSING, text));
    }
}

fn key_title(key: &ForeignKey) -> String {
    format!("foreign key {}", key.name.clone().unwrap_or_else(|| format!("({})", key.columns.join(", "))))
}

fn key_text(key: &ForeignKey) -> String {
    let mut text = format!("({}) -> {} ({})", key.columns.join(", "), key.parent, key.parent_columns.join(", "));
    text.push_str(&format!(" ON UPDATE {} {}", key.on_update, state(key)));
    for (word, written) in
        [("deferrable", key.timing != Timing::Immediate), ("MATCH FULL", key.matching == Match::Full)]
    {
        if written {
            text.push_str(&format!(", {word}"));
        }
    }
    text
}

/// Says what a delete of the parent does and whether that can be relied on.
fn state(key: &ForeignKey) -> String {
    let mut text = format!("ON DELETE {}", key.on_delete);
    if !key.set_columns.is_empty() {
        text.push_str(&format!(" ({})", key.set_columns.join(", ")));
    }
    for (word, holds) in [
        (", rows not checked", !key.validated),
        (", not enforced", !key.enforced),
        (", switched off", key.disabled.is_some()),
    ] {
        if holds {
            text.push_str(word);
        }
    }
    text
}

fn parts(index: &Index) -> String {
    let part = |p: &crate::schema::IndexPart| p.column.clone().unwrap_or_else(|| "an expression".into());
    index.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn index_text(index: &Index) -> String {
    let mut text = format!("({})", parts(index));
    for (word, holds) in
        [(" unique", index.unique), (" partial", index.predicate.is_some()), (" invalid", !index.valid)]
    {
        if holds {
            text.push_str(word);
        }
    }
    text
}

/// Tells of every key that the plan adds, drops or replaces what it was and what it is.
pub(super) fn keys(plan: &Plan, now: &Schema) -> Vec<KeyChange> {
    let mut keys: Vec<KeyChange> = Vec::new();
    for (step, change) in changes(plan) {
        let (table, key) = match change {
            Change::AddForeignKey { table, foreign_key }
            | Change::DropForeignKey { table, foreign_key }
            | Change::ValidateForeignKey { table, foreign_key } => (table, foreign_key),
            Change::ReplaceForeignKey { table, new, .. } | Change::AlterForeignKey { table, new, .. } => (table, new),
            // A contradiction between column and key is mended at the column.
            Change::SetNullable { table, column, .. } => {
                let of = plan.before.table(table).into_iter().flat_map(|t| &t.foreign_keys);
                let Some(key) = of.into_iter().find(|k| k.columns.contains(column)) else { continue };
                (table, key)
            }
            _ => continue,
        };
        let same = |k: &KeyChange| k.table == *table && k.columns == key.columns && k.refers_to == refers_to(key);
        if keys.iter().any(same) {
            continue;
        }
        keys.push(KeyChange {
            table: table.clone(),
            columns: key.columns.clone(),
            refers_to: refers_to(key),
            before: described(&plan.before, table, key),
            after: described(now, table, key),
            why: step.why.clone(),
        });
    }
    keys.sort_by(|a, b| (&a.table, &a.columns, &a.refers_to).cmp(&(&b.table, &b.columns, &b.refers_to)));
    keys
}

fn refers_to(key: &ForeignKey) -> String {
    format!("{} ({})", key.parent, key.parent_columns.join(", "))
}

fn described(schema: &Schema, table: &TableName, like: &ForeignKey) -> String {
    let Some(table) = schema.table(table) else { return "no table".to_string() };
    let same = |k: &&ForeignKey| k.columns == like.columns && refers_to(k) == refers_to(like);
    let found: Vec<String> = table.foreign_keys.iter().filter(same).map(state).collect();
    let mut text = if found.is_empty() { "no key".to_string() } else { found.join(" and ") };
    let not_null = like.columns.iter().filter_map(|c| table.column(c)).any(|c| !c.nullable);
    if not_null && text.contains("SET NULL") {
        text.push_str(" on NOT NULL");
    }
    text
}

/// Tells of every index that the plan makes or drops whether it was there and is.
pub(super) fn indexes(plan: &Plan, now: &Schema) -> Vec<IndexChange> {
    let mut indexes: Vec<IndexChange> = Vec::new();
    for (step, change) in changes(plan) {
        let (Change::AddIndex { table, index } | Change::DropIndex { table, index }) = change else { continue };
        let usable = |schema: &Schema| {
            schema.table(table).is_some_and(|t| t.indexes.iter().any(|i| i.name == index.name && i.valid))
        };
        if indexes.iter().any(|i| i.table == *table && i.name == index.name) {
            continue;
        }
        indexes.push(IndexChange {
            table: table.clone(),
            name: index.name.clone(),
            parts: parts(index),
            before: usable(&plan.before),
            after: usable(now),
            why: step.why.clone(),
        });
    }
    indexes.sort_by(|a, b| (&a.table, &a.name).cmp(&(&b.table, &b.name)));
    indexes
}

fn changes(plan: &Plan) -> impl Iterator<Item = (&Step, &Change)> {
    plan.steps.iter().flat_map(|s| s.changes.iter().map(move |c| (s, c)))
}
