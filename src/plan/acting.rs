//! What acts on the rows that a clean-up changes, and on those that an undo restores: triggers and rules, and what they write.

use super::closure::{Closure, Reference, Sizes};
use super::{Bound, Options, RowAction, Step, remedy};
use crate::relations::{Culprit, Firing, side};
use crate::schema::{ForeignKey, Schema, Table, TableName};
use crate::sql::body::called;

/// Says which triggers and rules act when a clean-up changes rows, and what they write; empty if none do. `rows` are the words
/// for the rows: `each of the 3 rows`; `nulled` are the columns that become NULL, `None` if the rows go.
pub(super) fn triggers(schema: &Schema, table: &Table, nulled: Option<&[String]>, rows: &str) -> String {
    let (event, columns) = event(nulled);
    let firing = Firing::of(schema, table, event, &columns);
    let sentences: String = firing.told(rows).iter().map(|s| format!(" {}.", capital(s))).collect();
    if firing.harm().is_some() {
        format!("{sentences} What is changed there is {BESIDE}.")
    } else if firing.writes() {
        format!("{sentences} An undo does not take out what is written.")
    } else {
        sentences
    }
}

/// What becomes of rows that a trigger or rule changes beside those of a clean-up.
const BESIDE: &str = "not counted and not backed up, and an undo does not restore it";

/// Says which triggers and rules may change rows beside those that a step changes, in whole sentences. It is planned only where
/// the user has named the relation.
pub fn beside(schema: &Schema, step: &Step) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for bound in &step.bounds {
        let Some(table) = schema.table(&bound.table) else { continue };
        let all: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let set: Vec<&str> = bound.columns.iter().map(String::as_str).collect();
        let firing = match bound.action {
            RowAction::SetNull => Firing::of(schema, table, "UPDATE", if set.is_empty() { &all } else { &set }),
            RowAction::Delete | RowAction::Move => Firing::of(schema, table, "DELETE", &[]),
        };
        for harm in firing.harms() {
            let sentence = format!("{}; what it changes there is {BESIDE}.", capital(&harm));
            if !told.contains(&sentence) {
                told.push(sentence);
            }
        }
    }
    told
}

/// Says what will keep or change rows when an undo restores them, which then stops, and which functions run for each of them: `nulled` are
/// the columns that get their values back, `None` if whole rows come back. Empty if nothing does.
pub(super) fn before_undo(schema: &Schema, table: &Table, nulled: Option<&[String]>) -> String {
    let event = if nulled.is_some() { "UPDATE" } else { "INSERT" };
    let columns: Vec<&str> = nulled.unwrap_or_default().iter().map(String::as_str).collect();
    let gives_back = |column: &String| nulled.is_none_or(|some| column == "*" || some.contains(column));
    let mut acting: Vec<String> = Vec::new();
    let mut calls: Vec<String> = Vec::new();
    for of in schema.parts(&table.name) {
        for trigger in
            of.triggers.iter().filter(|t| t.timing == "BEFORE" && t.for_each_row && t.fires(of, event, &columns))
        {
            let Some(does) = trigger.at(event) else { continue };
            let what = if does.sets.iter().any(gives_back) {
                format!("gives {} other values", does.sets.join(", "))
            } else if !does.skips.is_never() {
                "may leave rows out".to_string()
            } else if let Some(why) = &does.unread {
                format!("may do more than can be read ({why})")
            } else {
                continue;
            };
            acting.push(format!("trigger {} (BEFORE {event}) {what}", trigger.name));
        }
        for rule in of.rewrite_rules.iter().filter(|r| r.enabled && r.instead && r.event == event) {
            acting.push(format!("rule {} takes the place of the {event}", rule.name));
        }
        let generated = of.columns.iter().filter_map(|c| c.generated.as_ref()).map(|g| g.expression.as_str());
        let checks = of.checks.iter().map(|c| c.expression.as_str());
        let indexed = of
            .indexes
            .iter()
            .flat_map(|i| i.parts.iter().filter_map(|p| p.expression.as_deref()).chain(i.predicate.as_deref()));
        calls.extend(generated.chain(checks).chain(indexed).filter_map(|text| called(schema.engine, text)));
    }
    for all in [&mut acting, &mut calls] {
        all.sort();
        all.dedup();
    }
    let mut text = String::new();
    if !acting.is_empty() {
        text.push_str(&format!(
            " An undo stops if a row does not come back as it was, and says how to go on: when rows of `{}` are restored, {}.",
            table.name,
            acting.join("; ")
        ));
    }
    if !calls.is_empty() {
        let names = calls.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            " Indexes, CHECKs or generated columns of `{}` call {names} for each row that is restored or set to NULL; what that does outside \
             of the database is not counted.",
            table.name
        ));
    }
    text
}

/// Words for the rows of a clean-up.
pub(super) fn each_of(count: Option<u64>) -> String {
    match count {
        Some(1) => "the 1 row".to_string(),
        Some(n) => format!("each of the {n} rows"),
        None => "each of these rows".to_string(),
    }
}

fn event(nulled: Option<&[String]>) -> (&'static str, Vec<&str>) {
    let event = if nulled.is_some() { "UPDATE" } else { "DELETE" };
    (event, nulled.unwrap_or_default().iter().map(String::as_str).collect())
}

fn capital(sentence: &str) -> String {
    let mut sentence = sentence.to_string();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence
}

/// Says why the rows of a table are not cleaned up: a trigger or a rule acts on them, or on what another one writes, so that other
/// rows may change than those that are counted. What only writes new rows to other tables does no harm; who names the relation has
/// looked.
///
/// # Errors
/// There is such a trigger or rule.
pub(super) fn acted_on(
    options: &Options,
    schema: &Schema,
    table: &Table,
    keys: &[&ForeignKey],
    nulled: Option<&[String]>,
) -> Result<(), String> {
    if is_named(options, &table.name, keys) {
        return Ok(());
    }
    let (event, columns) = event(nulled);
    let Some(harm) = Firing::of(schema, table, event, &columns).harm() else { return Ok(()) };
    let of = keys.first().map(|key| side(&table.name, &key.columns)).unwrap_or_default();
    let word = if nulled.is_some() { "set-null" } else { "delete" };
    Err(format!(
        "at each {event} {harm}; other rows would change than those that are counted: change these rows by hand, or, if it does no \
         harm, name the relation (`--orphans {of}={word}`)"
    ))
}

/// Tells whether the user has named one of these relations of a table, and so looked at what acts on its rows.
fn is_named(options: &Options, table: &TableName, keys: &[&ForeignKey]) -> bool {
    keys.iter().any(|key| remedy::said(options, table, key).is_some_and(|(_, by_name)| by_name))
}

/// Tells whether the user has named one of these relations of a table although a trigger or rule may change other rows: what it does is
/// told and nothing more is held against it.
pub(super) fn is_waived(
    options: &Options,
    schema: &Schema,
    table: &Table,
    keys: &[&ForeignKey],
    nulled: Option<&[String]>,
) -> bool {
    let (event, columns) = event(nulled);
    is_named(options, &table.name, keys) && Firing::of(schema, table, event, &columns).harm().is_some()
}

/// The same of any table whose rows a closure changes.
pub(super) fn closure_is_waived(options: &Options, closure: &Closure, schema: &Schema) -> bool {
    let relations = closure.relations();
    changed(closure, schema, &relations).iter().any(|(table, keys, set)| is_waived(options, schema, table, keys, *set))
}

/// Returns what an undo must not set off: the triggers and rules that may change or delete rows that are there when rows of a table
/// come back; `set` are the columns that get their values back, `None` if whole rows were deleted. None where
/// the user has named the relation.
pub(super) fn set_off_by_undo(
    options: &Options,
    schema: &Schema,
    table: &Table,
    keys: &[&ForeignKey],
    set: Option<&[String]>,
) -> Vec<Culprit> {
    if is_named(options, &table.name, keys) {
        return Vec::new();
    }
    let (event, columns) = match set {
        Some(_) => event(set),
        None => ("INSERT", Vec::new()),
    };
    Firing::of(schema, table, event, &columns).culprits()
}

/// Says what an undo sets off.
pub(super) fn set_off(culprit: &Culprit) -> String {
    format!("when the rows are restored, {}", culprit.way)
}

/// Adds to a bound what its undo has to know: `set` are the columns that get their values back, `None` if whole rows were deleted.
pub(super) fn undone(options: &Options, bound: Bound, keys: &[&ForeignKey], set: Option<&[String]>) -> Bound {
    let named = is_named(options, &bound.table, keys);
    Bound { set: set.unwrap_or_default().to_vec(), named, ..bound }
}

/// The same of all bounds of a closure.
pub(super) fn closure_undone(options: &Options, closure: &Closure, schema: &Schema, bounds: Vec<Bound>) -> Vec<Bound> {
    let relations = closure.relations();
    let named = |table: &TableName| {
        let keys: Vec<&ForeignKey> =
            relations.iter().filter(|r| schema.share_rows(&r.child, table)).map(|r| &r.key).collect();
        is_named(options, table, &keys)
    };
    bounds.into_iter().map(|bound| Bound { named: named(&bound.table), ..bound }).collect()
}

/// Says what would be set off if a step were undone in a database as it is now, and what to do about it; `None` if nothing would be that
/// may change or delete rows which are there. A trigger may have been made or enabled since the run.
pub fn set_off_now(schema: &Schema, step: &Step) -> Option<String> {
    let bounds = step.bounds.iter().filter(|b| b.rows > 0 && !b.named);
    let culprit = bounds.filter_map(|b| restoring(schema, b)).flat_map(|firing| firing.culprits()).next()?;
    let kind = if culprit.rule { "rule" } else { "trigger" };
    let backups: Vec<String> = step.backups().iter().map(|b| format!("`{b}`")).collect();
    Some(format!(
        "{}; drop or disable the {kind}, undo, and put it back; or restore the rows from {} by hand",
        set_off(&culprit),
        backups.join(", ")
    ))
}

/// Follows what acts when the rows of a bound are restored; `None` if their table is gone.
fn restoring<'s>(schema: &'s Schema, bound: &Bound) -> Option<Firing<'s>> {
    let table = schema.table(&bound.table)?;
    let all: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let set = if bound.set.is_empty() { &bound.columns } else { &bound.set };
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    Some(match bound.action {
        RowAction::SetNull => Firing::of(schema, table, "UPDATE", if set.is_empty() { &all } else { &set }),
        RowAction::Delete | RowAction::Move => Firing::of(schema, table, "INSERT", &[]),
    })
}

/// Says which triggers and rules act when a step is undone, in whole sentences.
pub fn acting_on_undo(schema: &Schema, step: &Step) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for bound in &step.bounds {
        let Some(firing) = restoring(schema, bound) else { continue };
        let rows = format!("each row of `{}` that is restored", bound.table);
        for sentence in firing.told(&rows) {
            let stays = if firing.writes() { " What is written stays." } else { "" };
            let sentence = format!("{}.{stays}", capital(&sentence));
            if !told.contains(&sentence) {
                told.push(sentence);
            }
        }
    }
    told
}

/// The same of all tables whose rows a closure changes.
///
/// # Errors
/// There is such a trigger or rule.
pub(super) fn closure_acted_on(options: &Options, closure: &Closure, schema: &Schema) -> Result<(), String> {
    let relations = closure.relations();
    for (table, keys, set) in changed(closure, schema, &relations) {
        acted_on(options, schema, table, &keys, set)?;
    }
    Ok(())
}

/// The same of all tables whose rows a closure changes, with the columns that get their values back.
pub(super) fn closure_set_off_by_undo(options: &Options, closure: &Closure, schema: &Schema) -> Vec<Culprit> {
    let relations = closure.relations();
    let changed = changed(closure, schema, &relations);
    changed.into_iter().flat_map(|(table, keys, set)| set_off_by_undo(options, schema, table, &keys, set)).collect()
}

/// A table whose rows change, the keys by which they do, and the columns that become NULL; `None` if whole rows go.
type Changed<'c> = (&'c Table, Vec<&'c ForeignKey>, Option<&'c [String]>);

fn changed<'c>(closure: &'c Closure, schema: &'c Schema, relations: &'c [Reference]) -> Vec<Changed<'c>> {
    let keys =
        |name: &TableName| relations.iter().filter(|r| schema.share_rows(&r.child, name)).map(|r| &r.key).collect();
    let gone = closure.tables.iter().filter_map(|t| Some((schema.table(t)?, keys(t), None)));
    let set = closure.marks.iter();
    let set = set.filter_map(|m| Some((schema.table(&m.table)?, keys(&m.table), Some(m.columns.as_slice()))));
    gone.chain(set).collect()
}

/// Says which triggers and rules act when a closure is cleaned up; empty if none do. What has no rows fires nothing.
pub(super) fn triggers_of(closure: &Closure, schema: &Schema, sizes: Option<&Sizes>) -> String {
    let any = |rows: Option<&u64>| rows.is_none_or(|n| *n > 0);
    let gone = closure.tables.iter().enumerate().filter(|(at, _)| any(sizes.and_then(|s| s.gone.get(*at))));
    let deletes = gone.map(|(_, t)| (t, None));
    let marks = closure.marks.iter().enumerate().filter(|(at, _)| any(sizes.and_then(|s| s.marks.get(*at))));
    let updates = marks.map(|(_, m)| (&m.table, Some(m.columns.as_slice())));
    let mut told: Vec<String> = Vec::new();
    for (table, nulled) in deletes.chain(updates) {
        let rows = format!("each of the rows of `{table}`");
        let text = schema.table(table).map(|t| triggers(schema, t, nulled, &rows)).unwrap_or_default();
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told.concat()
}
