//! What somebody is asked before a plan is applied: how many rows of which tables go or change now, where they are backed up,
//! and what deletes take with them from then on.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
use crate::plan::{Plan, Step};
use crate::schema::TableName;
use crate::text::one_line;

/// How many tables a sentence names.
const NAMED: usize = 6;

/// Writes the question, without the answers that there are.
pub(super) fn of(plan: &Plan, label: &str) -> String {
    let steps = match plan.steps.len() {
        1 => "1 step".to_string(),
        count => format!("{count} steps"),
    };
    let mut sentences = vec![format!("Apply {steps} to {}?", one_line(label)), now(plan)];
    sentences.extend(later(plan));
    sentences.join(" ")
}

/// Names the tables that the steps back rows up in.
pub(super) fn backups(plan: &Plan) -> Vec<String> {
    let rows = plan.steps.iter().filter(|s| s.touches_rows);
    let made = rows.flat_map(|s| &s.changes).filter_map(|c| match c {
        Change::CreateTable { definition } => Some(definition.name.to_string()),
        _ => None,
    });
    made.collect()
}

/// Says what becomes of rows now.
fn now(plan: &Plan) -> String {
    let ways = [("to delete", "Deletes", ""), ("to move", "moves", ""), ("to set to NULL", "sets", " to NULL")];
    let mut parts = Vec::new();
    let mut others = 0;
    let bounds: Vec<_> = plan.steps.iter().flat_map(|s| &s.bounds).filter(|b| b.rows > 0).collect();
    for (way, verb, rest) in ways {
        let of: Vec<(u64, &str)> = bounds
            .iter()
            .filter_map(|b| {
                let (noun, _) = b.what.split_once(&format!(" {way}"))?;
                Some((b.rows, noun.strip_prefix("rows of ").unwrap_or(noun)))
            })
            .collect();
        let Some(all) = of.iter().map(|(rows, _)| *rows).reduce(u64::saturating_add) else { continue };
        let each: Vec<String> = of.iter().map(|(rows, table)| format!("{rows} {table}")).collect();
        parts.push(format!("{verb} up to {all} {}{rest} now ({})", noun(all), list(&each, ",")));
        others += of.len();
    }
    let rest = bounds.len().saturating_sub(others);
    if rest > 0 {
        parts.push(format!("changes rows in {rest} other ways"));
    }
    if plan.steps.iter().any(|s: &Step| s.touches_rows && s.bounds.is_empty()) {
        parts.push("changes rows that were not counted".to_string());
    }
    if parts.is_empty() {
        return "Deletes no rows now.".to_string();
    }
    let backups = backups(plan);
    let backed_up = match backups.as_slice() {
        [] => String::new(),
        some => format!(", backed up in {}", list(some, "and")),
    };
    let text = format!("{}{backed_up}.", parts.join("; "));
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Says what deletes newly delete once all steps are done.
fn later(plan: &Plan) -> Vec<String> {
    let mut of: BTreeMap<&TableName, (BTreeSet<&TableName>, BTreeSet<&TableName>)> = BTreeMap::new();
    for newly in plan.steps.iter().flat_map(|s| &s.newly_deletes) {
        for from in &newly.from {
            let (tables, more) = of.entry(from).or_default();
            tables.extend(&newly.tables);
            more.extend(&newly.more_of);
        }
    }
    let mut alike: BTreeMap<(Vec<&TableName>, Vec<&TableName>), Vec<String>> = BTreeMap::new();
    for (from, (tables, more)) in of {
        // What an earlier step newly deletes is not what was deleted before.
        let more = more.difference(&tables).copied().collect();
        alike.entry((tables.into_iter().collect(), more)).or_default().push(from.to_string());
    }
    let names = |all: &[&TableName]| list(&all.iter().map(ToString::to_string).collect::<Vec<_>>(), "and");
    let one = |((tables, more), from): (&(Vec<&TableName>, Vec<&TableName>), &Vec<String>)| {
        let first = (!tables.is_empty()).then(|| format!("also deletes its {}", names(tables)));
        let then = (!more.is_empty()).then(|| format!("can delete more rows of {}", names(more)));
        let what: Vec<String> = first.into_iter().chain(then).collect();
        format!("deleting a {} row {}", list(from, "or"), what.join(" and "))
    };
    if alike.is_empty() {
        return Vec::new();
    }
    let all: Vec<String> = alike.iter().map(one).collect();
    vec![format!("From then on, {}.", all.join("; "))]
}

fn noun(rows: u64) -> &'static str {
    if rows == 1 { "row" } else { "rows" }
}

/// Writes `a, b and c`; the first names only, of many.
fn list(names: &[String], word: &str) -> String {
    let word = if word == "," { ", ".to_string() } else { format!(" {word} ") };
    let more = names.len().saturating_sub(NAMED);
    if more > 0 {
        let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        return format!("{first}{word}{more} more");
    }
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{}{word}{last}", first.join(", ")),
    }
}
