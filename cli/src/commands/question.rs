//! What somebody is asked before a plan is applied: how many rows of which tables go or change now, where they are backed up,
//! and what deletes take with them from then on.

use std::collections::{BTreeMap, BTreeSet};

use referee::fate::NewlyDeleted;
use referee::plan::{Plan, RowAction, acting_beside, refusals};
use referee::relations::side;
use referee::schema::TableName;
use referee::text::one_line;

/// How many tables a sentence names.
const NAMED: usize = 6;

/// What is said of a database whose sessions only read by default.
pub(super) const READ_ONLY: &str = "This database is set read-only for this user; the run overrides that";

/// Writes the question, without the answers that there are.
pub(super) fn of(plan: &Plan, label: &str, read_only: bool) -> String {
    let steps = match plan.steps.len() {
        1 => "1 step".to_string(),
        count => format!("{count} steps"),
    };
    let mut sentences: Vec<String> = plan.still_fails.iter().map(|s| format!("{}.", one_line(s))).collect();
    sentences.extend(read_only.then(|| format!("{READ_ONLY}.")));
    sentences.extend([format!("Apply {steps} to {}?", one_line(label)), now(plan)]);
    sentences.extend(beside(plan));
    sentences.extend(later(plan));
    let refused = refusals(plan.steps.iter().flat_map(|s| &s.newly_refuses));
    sentences.extend(refused.iter().map(|r| format!("From then on {}.", one_line(r))));
    sentences.join(" ")
}

/// Says what becomes of rows now.
fn now(plan: &Plan) -> String {
    let totals = plan.row_totals();
    let mut parts: Vec<String> = totals.iter().map(|t| t.told("up to ")).collect();
    if plan.changes_uncounted_rows() {
        parts.push("changes rows that were not counted".to_string());
    }
    if parts.is_empty() {
        return "Deletes no rows now.".to_string();
    }
    let backups = plan.backups();
    let backed_up = match backups.as_slice() {
        [] => String::new(),
        some => format!(", backed up in {}", list(some, "and")),
    };
    let start = match totals.first() {
        Some(first) if first.action == RowAction::Delete => {
            parts[0] = first.rows_told("up to ");
            "Deletes now"
        }
        Some(first) if first.action == RowAction::Move => {
            parts[0] = first.rows_told("up to ");
            "Moves now"
        }
        _ => "Now",
    };
    format!("{start} {}{backed_up}.", parts.join("; "))
}

/// Says what triggers and rules may change beside the rows that are counted.
fn beside(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for sentence in plan.steps.iter().flat_map(|step| acting_beside(&plan.before, step)) {
        let sentence = one_line(&sentence).to_string();
        if !all.contains(&sentence) {
            all.push(sentence);
        }
    }
    all
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
        format!("deleting a {} row {}{}", list(from, "or"), what.join(" and "), stopped(plan, from))
    };
    if alike.is_empty() {
        return Vec::new();
    }
    let all: Vec<String> = alike.iter().map(one).collect();
    vec![format!("From then on, {}.", all.join("; "))]
}

/// Says which foreign keys further down stop such a delete once all steps are done.
fn stopped(plan: &Plan, from: &[String]) -> String {
    let of = |newly: &&NewlyDeleted| newly.from.iter().any(|f| from.contains(&f.to_string()));
    let newly = plan.steps.iter().flat_map(|s| &s.newly_deletes).filter(of);
    let refuses = |place: &&String| {
        plan.after.foreign_keys().any(|(t, k)| side(&t.name, &k.columns) == **place && k.on_delete.refuses())
    };
    let keys: BTreeSet<String> = newly.flat_map(|n| &n.stopped_by).filter(refuses).cloned().collect();
    if keys.is_empty() {
        return String::new();
    }
    format!(", unless rows that refer by {} stop it", list(&keys.into_iter().collect::<Vec<_>>(), "or"))
}

/// Writes `a, b and c`; the first names only, of many.
fn list(names: &[String], word: &str) -> String {
    let more = names.len().saturating_sub(NAMED);
    if more > 0 {
        let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        return format!("{first} {word} {more} more");
    }
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_and_many_are_cut_short() {
        let names = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(list(&names(1), "and"), "1");
        assert_eq!(list(&names(3), "and"), "1, 2 and 3");
        assert_eq!(list(&names(9), "and"), "1, 2, 3, 4, 5, 6 and 3 more");
    }
}
