//! A plan: what is done, why, what it locks, how it is undone. One file per format.

pub mod json;
pub mod markdown;
pub mod sql;
pub mod text;

use super::style::count;
use crate::findings::Safety;
use crate::plan::{Blocks, Held, Lock, Phase, Plan, Reason, Step};

/// Names a phase as a heading.
fn heading(phase: Phase) -> &'static str {
    match phase {
        Phase::Index => "Indexes",
        Phase::Orphans => "Rows without a parent",
        Phase::Prepare => "Columns",
        Phase::Constrain => "Keys",
        Phase::Validate => "Checks of the rows that are there",
        Phase::Drop => "What is not needed any more",
        Phase::CleanUp => "Clean-up",
    }
}

fn safety(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "safe",
        Safety::Unsafe => "unsafe",
        Safety::Manual => "needs a decision",
    }
}

/// Says what a safety promises.
fn promise(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "changes no row and refuses nothing that was accepted before",
        Safety::Unsafe => "may be refused by rows that are there, or changes what later statements do",
        Safety::Manual => "rests on a decision that is yours",
    }
}

/// Writes `orders: SHARE UPDATE EXCLUSIVE, blocks nothing, while its rows are read`.
fn lock(lock: &Lock) -> String {
    let blocks = match lock.blocks {
        Blocks::Nothing => "reads and writes go on",
        Blocks::Writers => "writes wait",
        Blocks::Everything => "reads and writes wait",
    };
    let held = match lock.held {
        Held::Instant => "for an instant",
        Held::Scan => "while its rows are read",
        Held::Rewrite => "while it is written",
    };
    format!("{} {}: {blocks}, {held}", lock.table, lock.mode)
}

/// Writes `REF105 unindexed-foreign-key, REF102 undeclared-foreign-key`, each rule once.
fn rules(findings: &[Reason]) -> String {
    let mut names: Vec<String> = findings.iter().map(|r| format!("{} {}", r.code, r.rule)).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

/// Writes `16 steps, 3 choices, 2 findings refused`.
fn summary(plan: &Plan) -> String {
    let mut parts = vec![count(plan.steps.len(), "step")];
    if !plan.choices.is_empty() {
        parts.push(count(plan.choices.len(), "choice"));
    }
    if !plan.refused.is_empty() {
        parts.push(format!("{} not mended", count(plan.refused.len(), "finding")));
    }
    parts.join(", ")
}

/// Returns the statements of a step in the order in which they run.
fn statements(step: &Step) -> impl Iterator<Item = &String> {
    step.up.before.iter().chain(&step.up.statements).chain(&step.up.after)
}

/// Writes a reason as a sentence: with a capital letter, except for what is quoted.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
