//! The catalog as it is, against the schema that the plan promised: table by table, only those that the plan changes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{IndexChange, KeyChange};
use crate::change::{self, Change};
use crate::plan::{Plan, Step};
use crate::schema::{
    Action, Check, Collation, Column, DataType, DisabledSide, Engine, Family, ForeignKey, Index, IndexPart, Key, Match,
    Schema, Table, TableName, Timing,
};

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
            (Some(expected), Some(found)) => table(now.engine, expected, found, &mut differences),
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
/// The name of the primary key of a table that is compared.
const PRIMARY: &str = "primary key";

/// Compares two tables by the changes that lead from one to the other.
fn table(engine: Engine, expected: &Table, found: &Table, differences: &mut Vec<Difference>) {
    let (from, to) = (comparable(expected, expected), comparable(found, expected));
    let mut sides: Vec<Sides> = Vec::new();
    for change in change::diff_tables(engine, &from, &to) {
        for one in told(&change, expected, found) {
            // What is dropped and added under one name is another definition of one thing.
            let half = |s: &&mut Sides| s.what == one.what && (s.found.is_none() && one.expected.is_none());
            match sides.iter_mut().find(half) {
                Some(other) => other.found = one.found,
                None => sides.push(one),
            }
        }
    }
    sides.sort_by_key(|s| s.rank);
    if sides.is_empty() && from != to {
        sides.push(Sides::of(0, "the table", Some("as planned".into()), Some("defined in another way".into())));
    }
    differences.extend(sides.into_iter().map(|s| {
        let side = |text: Option<String>| text.unwrap_or_else(|| MISSING.to_string());
        difference(&expected.name, s.what, side(s.expected), side(s.found))
    }));
}

/// One thing of a table as the plan promised it and as it is; `None` where it is not.
struct Sides {
    /// What is told first: columns, keys, checks, foreign keys, indexes.
    rank: u8,
    what: String,
    expected: Option<String>,
    found: Option<String>,
}

impl Sides {
    fn of(rank: u8, what: impl Into<String>, expected: Option<String>, found: Option<String>) -> Self {
        Self { rank, what: what.into(), expected, found }
    }
}

/// Says what a change between two tables means: what it would drop was promised, what it would add is there.
fn told(change: &Change, expected: &Table, found: &Table) -> Vec<Sides> {
    let only_expected = |rank, (what, text): (String, String)| vec![Sides::of(rank, what, Some(text), None)];
    let only_found = |rank, (what, text): (String, String)| vec![Sides::of(rank, what, None, Some(text))];
    match change {
        Change::DropColumn { column, .. } => {
            // A key that is over others now went along with the column, and is added again.
            let same = |k: &ForeignKey| k.name.is_some() && found.foreign_keys.iter().any(|f| f.name == k.name);
            let along = expected.foreign_keys.iter().filter(|k| k.columns.contains(column) && same(k));
            let mut all = only_expected(0, (format!("column {column}"), "there".into()));
            all.extend(along.flat_map(|k| only_expected(3, (key_title(k), key_text(k)))));
            all
        }
        Change::SetNullable { column, .. } | Change::SetType { column, .. } | Change::SetDefault { column, .. } => {
            column_told(change, column, expected, found)
        }
        Change::DropKey { key, .. } => only_expected(1, unique(key)),
        Change::AddKey { key, .. } => only_found(1, unique(key)),
        // A foreign key has a change of its own to drop it, and of the others only these are compared with their names.
        Change::DropConstraint { name, .. } if name == PRIMARY => {
            let of = expected.primary_key.iter().map(|k| Key { name: Some(name.clone()), ..k.clone() });
            of.flat_map(|k| only_expected(1, unique(&k))).collect()
        }
        Change::DropConstraint { name, .. } => {
            let of = expected.checks.iter().filter(|c| c.name.as_ref() == Some(name));
            of.flat_map(|c| only_expected(2, check(c))).collect()
        }
        Change::DropCheck { check: of, .. } => only_expected(2, check(of)),
        Change::AddCheck { check: of, .. } => only_found(2, check(of)),
        Change::ValidateCheck { name, .. } => {
            let state = |table: &Table| table.checks.iter().find(|c| c.name.as_ref() == Some(name)).map(|c| check(c).1);
            vec![Sides::of(2, format!("check {name}"), state(expected), state(found))]
        }
        Change::DropForeignKey { foreign_key: key, .. } => only_expected(3, (key_title(key), key_text(key))),
        Change::AddForeignKey { foreign_key: key, .. } => only_found(3, (key_title(key), key_text(key))),
        Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
            vec![Sides::of(3, key_title(old), Some(key_text(old)), Some(key_text(new)))]
        }
        Change::ValidateForeignKey { foreign_key: key, .. } => {
            let new = ForeignKey { validated: true, ..key.clone() };
            vec![Sides::of(3, key_title(key), Some(key_text(key)), Some(key_text(&new)))]
        }
        Change::DropIndex { index, .. } => only_expected(4, index_told(index)),
        Change::AddIndex { index, .. } => only_found(4, index_told(index)),
        Change::SetIndexValid { index: name, .. } => {
            let text = |table: &Table| table.indexes.iter().find(|i| i.name == *name).map(|i| index_told(i).1);
            vec![Sides::of(4, format!("index {name}"), text(expected), text(found))]
        }
        // Nothing else is compared.
        _ => Vec::new(),
    }
}

fn column_told(change: &Change, name: &str, expected: &Table, found: &Table) -> Vec<Sides> {
    let (Some(old), Some(new)) = (expected.column(name), found.column(name)) else { return Vec::new() };
    let null = |c: &Column| if c.nullable { "NULL" } else { "NOT NULL" }.to_string();
    let default = |c: &Column| if c.default.is_some() { "a default" } else { "no default" }.to_string();
    let collation = |c: &Column| c.collation.as_ref().map_or("the default collation".into(), |c| c.name.clone());
    let mut texts: Vec<(String, String)> = Vec::new();
    match change {
        Change::SetNullable { .. } => texts.push((null(old), null(new))),
        Change::SetDefault { .. } => texts.push((default(old), default(new))),
        // A change of the type makes the collation, too.
        _ => {
            if plain_type(&old.data_type) != plain_type(&new.data_type) {
                texts.push((old.data_type.raw.clone(), new.data_type.raw.clone()));
            }
            if collation(old) != collation(new) {
                texts.push((collation(old), collation(new)));
            }
        }
    }
    texts.into_iter().map(|(a, b)| Sides::of(0, format!("column {name}"), Some(a), Some(b))).collect()
}

/// Returns what is compared of a table: what a plan promises and any engine tells in the same words. Columns are those of `like`.
fn comparable(table: &Table, like: &Table) -> Table {
    let mut plain = Table::new(table.name.clone());
    let columns = like.columns.iter().filter_map(|c| table.column(&c.name));
    plain.columns = columns
        .map(|c| Column {
            nullable: c.nullable,
            default: c.default.as_ref().map(|_| String::new()),
            collation: c.collation.as_ref().map(|c| Collation { name: c.name.clone(), deterministic: true }),
            ..Column::new(&c.name, plain_type(&c.data_type))
        })
        .collect();
    // Names of keys bear on nothing here; engines write conditions anew.
    let key = |key: &Key| Key { deferrable: key.deferrable, ..Key::new(&key.columns) };
    // A primary key has no rank of its own here: it would make its columns NOT NULL, and that is compared by itself.
    let primary = table.primary_key.as_ref().map(|k| Key { name: Some(PRIMARY.to_string()), ..key(k) });
    plain.unique_keys = primary.into_iter().chain(table.unique_keys.iter().map(key)).collect();
    let checks = table.checks.iter().filter(|c| c.name.is_some());
    plain.checks = checks.map(|c| Check { expression: String::new(), ..c.clone() }).collect();
    plain.foreign_keys = table
        .foreign_keys
        .iter()
        .map(|k| ForeignKey {
            matching: if k.matching == Match::Full { Match::Full } else { Match::Simple },
            disabled: k.disabled.map(|_| DisabledSide::Both),
            temporal: false,
            firing_order: 0,
            on_delete_written: None,
            comment: None,
            ..k.clone()
        })
        .collect();
    let part = |p: &IndexPart| IndexPart::column(p.column.as_deref().unwrap_or_default());
    plain.indexes = table
        .indexes
        .iter()
        .map(|i| Index {
            parts: i.parts.iter().map(part).collect(),
            unique: i.unique,
            predicate: i.predicate.as_ref().map(|_| String::new()),
            valid: i.valid,
            ..Index::on(&i.name, Vec::<String>::new())
        })
        .collect();
    plain.sort();
    plain
}

/// Returns what is the same in all spellings of a type.
fn plain_type(of: &DataType) -> DataType {
    DataType { raw: String::new(), family: Family::Other, labels: Vec::new(), ..of.clone() }
}

/// Names a primary key or a `UNIQUE` constraint by what it is over.
fn unique(key: &Key) -> (String, String) {
    let columns = key.columns.join(", ");
    let primary = key.name.as_deref() == Some(PRIMARY);
    let what = if primary { PRIMARY.to_string() } else { format!("unique ({columns})") };
    (what, format!("({columns}){}", if key.deferrable { " deferrable" } else { "" }))
}

/// Names a `CHECK` that has a name.
fn check(check: &Check) -> (String, String) {
    let state = if check.validated { "there" } else { "rows not checked" };
    (format!("check {}", check.name.as_deref().unwrap_or_default()), state.to_string())
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
    let part = |p: &IndexPart| p.column.clone().filter(|c| !c.is_empty()).unwrap_or_else(|| "an expression".into());
    index.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn index_told(index: &Index) -> (String, String) {
    let mut text = format!("({})", parts(index));
    for (word, holds) in
        [(" unique", index.unique), (" partial", index.predicate.is_some()), (" invalid", !index.valid)]
    {
        if holds {
            text.push_str(word);
        }
    }
    (format!("index {}", index.name), text)
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

    fn members() -> Table {
        let mut members = Table::new(TableName::new("members"));
        members.columns.push(Column::new("id", DataType::parse(Engine::Postgres, "bigint")));
        members.columns.push(Column::new("note", DataType::parse(Engine::Postgres, "character varying(20)")));
        members.primary_key = Some(Key::new(["id"]));
        members
    }

    #[test]
    fn a_key_over_another_column_is_one_difference_whether_the_first_column_is_there_or_not() {
        let key = |column: &str| {
            let mut key = ForeignKey::new([column], TableName::new("users"), ["id"]);
            key.name = Some("members_user".into());
            key
        };
        let (mut expected, mut found) = (members(), members());
        for table in [&mut expected, &mut found] {
            table.columns.push(Column::new("user", DataType::parse(Engine::Postgres, "bigint")));
        }
        expected.foreign_keys.push(key("id"));
        found.foreign_keys.push(key("user"));
        let other = "foreign key members_user: (user) -> users (id) ON UPDATE NO ACTION ON DELETE NO ACTION instead of (id) -> users \
                     (id) ON UPDATE NO ACTION ON DELETE NO ACTION";
        assert_eq!(between(&expected, &found), [other]);
        found.columns.remove(0);
        found.primary_key = None;
        assert_eq!(
            between(&expected, &found),
            ["column id: missing instead of there", "primary key: missing instead of (id)", other]
        );
    }

    #[test]
    fn a_primary_key_and_what_its_columns_can_hold_are_told_apart() {
        let mut expected = members();
        expected.primary_key = None;
        let mut found = members();
        found.columns[0].nullable = false;
        assert_eq!(
            between(&expected, &found),
            ["column id: NOT NULL instead of NULL", "primary key: (id) instead of missing"]
        );
        assert_eq!(between(&found, &expected).len(), 2);
    }

    #[test]
    fn an_index_of_the_same_name_is_compared_by_what_it_is_over() {
        let with = |index: Index| {
            let mut table = members();
            table.indexes.push(index);
            table
        };
        let (id, note) = (with(Index::on("i", ["id"])), with(Index::on("i", ["note"])));
        assert_eq!(between(&id, &note), ["index i: (note) instead of (id)"]);
        let invalid = with(Index { valid: false, ..Index::on("i", ["id"]) });
        assert_eq!(between(&id, &invalid), ["index i: (id) invalid instead of (id)"]);
        assert_eq!(between(&id, &members()), ["index i: missing instead of (id)"]);
    }

    fn between(expected: &Table, found: &Table) -> Vec<String> {
        let mut differences = Vec::new();
        table(Engine::Postgres, expected, found, &mut differences);
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
