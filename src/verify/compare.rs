//! The catalog as it is, against the schema that the plan promised: table by table, only those that the plan changes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{IndexChange, KeyChange};
use crate::change::Change;
use crate::plan::{Plan, Step};
use crate::schema::{Action, Check, Column, DataType, ForeignKey, Index, Key, Match, Schema, Table, TableName, Timing};

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
    let mut differences = Vec::new();
    for name in tables(plan) {
        match (plan.after.table(name), now.table(name)) {
            (Some(expected), Some(found)) => table(expected, found, &mut differences),
            (None, None) => {}
            (Some(_), None) => differences.push(difference(name, "the table", "there", "missing")),
            (None, Some(_)) => differences.push(difference(name, "the table", "gone", "there")),
        }
    }
    differences.extend(hidden(plan, now));
    differences
}

/// Returns the tables that a plan changes.
pub(super) fn tables(plan: &Plan) -> BTreeSet<&TableName> {
    plan.steps.iter().flat_map(|s| &s.changes).map(Change::table).collect()
}

/// Names the tables whose rows a plan's steps rest on and that cannot be seen whole: of these nothing is verified.
fn hidden(plan: &Plan, now: &Schema) -> Vec<Difference> {
    let mut tables: BTreeSet<&TableName> = BTreeSet::new();
    for change in plan.steps.iter().filter(|s| s.depends_on_rows()).flat_map(|s| &s.changes) {
        tables.insert(change.table());
        if let Change::AddForeignKey { foreign_key: key, .. }
        | Change::ReplaceForeignKey { new: key, .. }
        | Change::ValidateForeignKey { foreign_key: key, .. } = change
        {
            tables.insert(&key.parent);
        }
    }
    let filtered = tables.into_iter().filter_map(|name| Some((name, now.table(name)?.row_filter.as_ref()?)));
    filtered
        .map(|(name, filter)| {
            let found = format!("{}: {}", filter.what(name), filter.remedy());
            difference(name, "rows", "seen by this role, all of them", found)
        })
        .collect()
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
        if comparable(&column.data_type) != comparable(&other.data_type) {
            differences.push(difference(name, what.clone(), &column.data_type.raw, &other.data_type.raw));
        }
        let collation = |c: &Column| c.collation.as_ref().map_or("the default collation".into(), |c| c.name.clone());
        if collation(column) != collation(other) {
            differences.push(difference(name, what.clone(), collation(column), collation(other)));
        }
        let default = |d: &Option<String>| if d.is_some() { "a default" } else { "no default" };
        if column.default.is_some() != other.default.is_some() {
            differences.push(difference(name, what, default(&column.default), default(&other.default)));
        }
    }
    both(&unique(expected), &unique(found), name, differences);
    both(&checks(expected), &checks(found), name, differences);
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

/// Returns what is the same in all spellings of a type.
fn comparable(of: &DataType) -> (&str, &[u32], bool, Option<&str>) {
    (&of.base, &of.arguments, of.unsigned, of.domain.as_deref())
}

/// Lists the primary key and the `UNIQUE` constraints, by what they are over: their names bear on nothing here.
fn unique(table: &Table) -> Vec<(String, String)> {
    let text = |key: &Key| format!("({}){}", key.columns.join(", "), if key.deferrable { " deferrable" } else { "" });
    let primary = table.primary_key.iter().map(|key| ("primary key".to_string(), text(key)));
    let others = table.unique_keys.iter().map(|key| (format!("unique ({})", key.columns.join(", ")), text(key)));
    primary.chain(others).collect()
}

/// Lists the `CHECK` constraints that have names, by these: engines write their conditions anew.
fn checks(table: &Table) -> Vec<(String, String)> {
    let state = |check: &Check| if check.validated { "there" } else { "rows not checked" }.to_string();
    table.checks.iter().filter_map(|c| Some((format!("check {}", c.name.clone()?), state(c)))).collect()
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
    match key.timing {
        Timing::Immediate => {}
        Timing::Deferrable => text.push_str(", deferrable"),
        Timing::Deferred => text.push_str(", deferrable initially deferred"),
    }
    if key.matching == Match::Full {
        text.push_str(", MATCH FULL");
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
            // A contradiction between column and key is fixed at the column.
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
    let found: Vec<&ForeignKey> = table.foreign_keys.iter().filter(same).collect();
    let states: Vec<String> = found.iter().map(|k| state(k)).collect();
    let mut text = if states.is_empty() { "no key".to_string() } else { states.join(" and ") };
    let not_null = like.columns.iter().filter_map(|c| table.column(c)).any(|c| !c.nullable);
    let sets_null = |k: &&ForeignKey| k.on_delete == Action::SetNull;
    if not_null && found.iter().any(sets_null) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;

    fn members() -> Table {
        let mut members = Table::new(TableName::new("members"));
        members.columns.push(Column::new("id", DataType::parse(Engine::Postgres, "bigint")));
        members.columns.push(Column::new("note", DataType::parse(Engine::Postgres, "character varying(20)")));
        members.primary_key = Some(Key::new(["id"]));
        members
    }

    fn between(expected: &Table, found: &Table) -> Vec<String> {
        let mut differences = Vec::new();
        table(expected, found, &mut differences);
        differences.into_iter().map(|d| format!("{}: {} instead of {}", d.what, d.found, d.expected)).collect()
    }

    #[test]
    fn spellings_and_names_of_keys_are_no_difference() {
        let mut found = members();
        found.columns[1].data_type = DataType::parse(Engine::Postgres, "varchar(20)");
        found.primary_key = Some(Key { name: Some("members_pkey".into()), ..Key::new(["id"]) });
        assert_eq!(between(&members(), &found), Vec::<String>::new());
    }

    #[test]
    fn types_keys_and_checks_that_differ_are_named() {
        let mut found = members();
        found.columns[0].data_type = DataType::parse(Engine::Postgres, "integer");
        found.primary_key = None;
        let check =
            Check { name: Some("note_is_not_null".into()), expression: "note IS NOT NULL".into(), validated: false };
        found.checks.push(check);
        assert_eq!(
            between(&members(), &found),
            [
                "column id: integer instead of bigint",
                "primary key: missing instead of (id)",
                "check note_is_not_null: rows not checked instead of missing",
            ]
        );
    }

    #[test]
    fn keys_that_are_checked_at_another_time_differ() {
        let key = |timing: Timing| {
            let mut table = members();
            let mut key = ForeignKey::new(["id"], TableName::new("users"), ["id"]);
            key.name = Some("members_id_fkey".into());
            key.timing = timing;
            table.foreign_keys.push(key);
            table
        };
        let (expected, found) = (key(Timing::Deferrable), key(Timing::Deferred));
        assert_eq!(between(&expected, &found).len(), 1);
        assert_eq!(between(&found, &found), Vec::<String>::new());
    }
}
