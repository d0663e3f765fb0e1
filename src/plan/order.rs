//! The order of steps, their names, and the proof that each one fits the schema at its place.

use std::collections::BTreeSet;

use super::{Phase, Plan, Refused, Step, Why, words};
use crate::change::Change;
use crate::schema::{ForeignKey, Schema};

/// Sorts steps by phase, names them, and returns the schema after the last one. A step that does not fit the schema at its
/// place is left out and told as refused.
pub(super) fn order(before: &Schema, mut steps: Vec<Step>, refused: &mut Vec<Refused>) -> (Vec<Step>, Schema) {
    steps.sort_by_key(|s| s.phase);
    let mut after = before.clone();
    let mut ordered: Vec<Step> = Vec::new();
    let mut waiting = steps;
    // A step may need what a later one of the same phase makes; each round places at least one.
    while !waiting.is_empty() {
        let mut left = Vec::new();
        let mut failed = None;
        let mut placed = false;
        let mut held: Option<Phase> = None;
        for step in waiting {
            // What waits holds back the phases after its own.
            if held.is_some_and(|phase| step.phase > phase) {
                left.push(step);
                continue;
            }
            match step.changes.iter().try_for_each(|c| c.apply(&mut after)) {
                Ok(()) => {
                    ordered.push(step);
                    placed = true;
                }
                Err(error) => {
                    // Some of its changes may have been made.
                    after = replayed(before, &ordered);
                    held = held.or(Some(step.phase));
                    failed.get_or_insert((left.len(), error));
                    left.push(step);
                }
            }
        }
        if !placed {
            let Some((at, error)) = failed else { break };
            let step = left.remove(at);
            let why = Why::DoesNotFit(error.to_string());
            refused.extend(step.findings.iter().map(|r| Refused::by_reason(r.clone(), &step.title, &why)));
        }
        waiting = left;
    }
    let mut names = BTreeSet::new();
    for step in &mut ordered {
        let id = id(step);
        let mut name = id.clone();
        let mut number = 2usize;
        while !names.insert(name.clone()) {
            name = format!("{id}-{number}");
            number += 1;
        }
        step.id = name;
    }
    (ordered, after)
}

fn replayed(before: &Schema, steps: &[Step]) -> Schema {
    let mut after = before.clone();
    for change in steps.iter().flat_map(|s| &s.changes) {
        // Each of them fitted once, in this order.
        let _ = change.apply(&mut after);
    }
    after
}

/// Names a step: readable, with the fingerprint of what it does (64-bit FNV-1a, 16 bits of it shown).
fn id(step: &Step) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    feed(&step.phase.to_string());
    for change in &step.changes {
        feed(&serde_json::to_string(&without_order(change)).unwrap_or_default());
    }
    if step.changes.is_empty() {
        step.up.statements.iter().for_each(|s| feed(s));
    }
    let short = (hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48)) & 0xffff;
    format!("{}-{short:04x}", words::slug(step))
}

/// The place among all keys changes with every other key; a step's name must not.
fn without_order(change: &Change) -> Change {
    let plain = |key: &ForeignKey| ForeignKey { firing_order: 0, ..key.clone() };
    match change.clone() {
        Change::AddForeignKey { table, foreign_key } => {
            Change::AddForeignKey { table, foreign_key: plain(&foreign_key) }
        }
        Change::DropForeignKey { table, foreign_key } => {
            Change::DropForeignKey { table, foreign_key: plain(&foreign_key) }
        }
        Change::ValidateForeignKey { table, foreign_key } => {
            Change::ValidateForeignKey { table, foreign_key: plain(&foreign_key) }
        }
        Change::ReplaceForeignKey { table, old, new } => {
            Change::ReplaceForeignKey { table, old: plain(&old), new: plain(&new) }
        }
        Change::AlterForeignKey { table, old, new } => {
            Change::AlterForeignKey { table, old: plain(&old), new: plain(&new) }
        }
        other => other,
    }
}

impl Plan {
    /// Tells whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
