//! What came of a plan: the database as it is now, held against the plan.
//!
//! Reads only. Four independent witnesses: the catalog read again and compared with what the plan promised, each step's own
//! query, the rows of everything that the plan was about, and the rules run again. What is refused now and was not before is told even
//! where all is as promised. Policies are asked for by one query each, which
//! anyone can repeat without referee. What was not looked at is said, and nothing is called verified that the plan is about and
//! nobody looked at.

mod compare;
mod policies;
mod rows;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::change::Change;
use crate::engine::{EngineError, Rows, Value};
use crate::findings::{Finding, RuleId, by_name};
use crate::plan::{NewlyRefused, Plan, Refused, Step, Stopped, Transaction, stopped};
use crate::relations::{Graph, Relation};
use crate::schema::{Schema, TableName};

pub use compare::{Difference, compare};
pub use policies::{Question, questions};
pub use rows::{Look, Sought};

/// How many rows of a query's answer are kept.
const KEPT: usize = 20;

/// What came of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Verification {
    /// Whether everything is as the plan promised.
    pub verified: bool,
    /// Each step and whether the database shows it.
    pub steps: Vec<Checked>,
    /// Where the catalog is not what the plan promised.
    pub differences: Vec<Difference>,
    /// The tables whose catalog was compared with what the plan promised.
    pub tables: Vec<TableName>,
    /// The rows that were looked at, and those that could not be.
    pub rows: Vec<Look>,
    /// The findings that no step of the plan fixes, and why.
    pub not_fixed: Vec<Left>,
    /// The keys that the plan made or changed, before and after.
    pub keys: Vec<KeyChange>,
    /// The indexes that the plan made or dropped.
    pub indexes: Vec<IndexChange>,
    /// Queries about policies, and what they returned.
    pub policies: Vec<Answered>,
    /// What a delete of the table comes to that the plan was made for, before and now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<Deleting>,
    /// What is refused now and was accepted before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<NewlyRefused>,
    /// Findings that the plan was to fix and that are still there: rule and place.
    pub remaining: Vec<Left>,
    /// Findings that were not there before.
    pub introduced: Vec<Left>,
    /// How many findings there were before.
    pub findings_before: usize,
    /// How many there are now.
    pub findings_after: usize,
}

/// A step and whether the database shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Checked {
    /// The step.
    pub id: String,
    /// What it does.
    pub title: String,
    /// The query that tells; `None` if none can.
    pub sql: Option<String>,
    /// What it tells; `None` if nothing does.
    pub done: Option<bool>,
    /// How many rows it would change that have come since it was done; 0 if there are none.
    #[serde(skip_serializing_if = "is_none")]
    pub rows_since: u64,
    /// Whether it is done and the backups of its rows were dropped since: then it can no longer be undone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backup_dropped: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference over.
fn is_none(rows: &u64) -> bool {
    *rows == 0
}

/// A foreign key before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyChange {
    /// The child.
    pub table: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent and its columns: `users (id)`.
    pub refers_to: String,
    /// What it was: `no key`, `ON DELETE NO ACTION`.
    pub before: String,
    /// What it is now.
    pub after: String,
    /// Why it was changed.
    pub why: String,
}

/// An index before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IndexChange {
    /// The table.
    pub table: TableName,
    /// The index.
    pub name: String,
    /// What it is over.
    pub parts: String,
    /// Whether it was there, and usable.
    pub before: bool,
    /// Whether it is there now, and usable.
    pub after: bool,
    /// Why it was made or dropped.
    pub why: String,
}

/// A query and what it returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answered {
    /// What is asked: `Keys to users that are not ON DELETE CASCADE`.
    pub question: String,
    /// The query.
    pub sql: String,
    /// How many rows came back; 0 is the right answer.
    pub rows: usize,
    /// The first of them.
    pub sample: Vec<String>,
}

/// What deleting a row of a table comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deleting {
    /// The table.
    pub root: TableName,
    /// The verdict in the plan's `before`: `refused`.
    pub before: String,
    /// The verdict now: `complete`.
    pub after: String,
    /// What it would be if what is only guessed is true, where that is another one: `leaves-orphans if the 3 guessed relations are true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_guessed: Option<String>,
    /// The verdict now as a sentence.
    pub summary: String,
}

impl Deleting {
    /// Writes the verdict now: `leaves-rows; leaves-orphans if the 3 guessed relations are true`.
    pub fn now(&self) -> String {
        match &self.if_guessed {
            Some(other) => format!("{}; {other}", self.after),
            None => self.after.clone(),
        }
    }
}

/// A finding, in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Left {
    /// The rule.
    #[serde(serialize_with = "by_name")]
    #[schemars(with = "String")]
    pub rule: RuleId,
    /// Where: `orders.customer_id`.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

impl Left {
    fn refused(refused: &Refused) -> Self {
        Self {
            rule: refused.reason.rule,
            place: refused.subject.clone(),
            message: refused.why.clone(),
            fingerprint: refused.reason.fingerprint.clone(),
        }
    }

    fn of(finding: &Finding) -> Self {
        Self {
            rule: finding.rule,
            place: finding.subject.place(),
            message: finding.message.clone(),
            fingerprint: finding.fingerprint.clone(),
        }
    }
}

/// What the rules say, before and after.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The findings in the plan's `before`.
    pub before: &'a [Finding],
    /// The findings in the database as it is, made in the same way.
    pub after: &'a [Finding],
}

/// Holds a database against a plan. `ask` runs a query that only reads.
///
/// # Errors
/// What the engine says to a query.
pub fn verify(
    plan: &Plan,
    now: &Schema,
    judged: Judged<'_>,
    questions: &[Question],
    ask: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
) -> Result<Verification, EngineError> {
    let mut steps = Vec::new();
    for step in &plan.steps {
        let done = step.done.as_deref().map(|sql| ask(sql).map(|rows| Step::is_shown_by(&rows))).transpose()?;
        let rows_since = if done == Some(false) { since(step, now, ask)? } else { 0 };
        let done = if rows_since > 0 { Some(true) } else { done };
        steps.push(Checked {
            id: step.id.clone(),
            title: step.title.clone(),
            sql: step.done.clone(),
            done,
            rows_since,
            backup_dropped: false,
        });
    }
    let dropped = dropped_backups(plan, now, &mut steps, ask)?;
    let mut policies = Vec::new();
    for question in questions {
        let answer = ask(&question.sql)?;
        let line = |row: &Vec<Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        policies.push(Answered {
            question: question.text.clone(),
            sql: question.sql.clone(),
            rows: answer.rows.len(),
            sample: answer.rows.iter().take(KEPT).map(line).collect(),
        });
    }
    let planned: BTreeSet<&str> = plan.steps.iter().flat_map(|s| &s.findings).map(|f| f.fingerprint.as_str()).collect();
    let known: BTreeSet<&str> = judged.before.iter().map(|f| f.fingerprint.as_str()).collect();
    // A plan that brings a finding along says so under what it does not fix.
    let foreseen: BTreeSet<&str> = plan.refused.iter().map(|r| r.reason.fingerprint.as_str()).collect();
    let (mut remaining, mut introduced) = (Vec::new(), Vec::new());
    for finding in judged.after {
        if planned.contains(finding.fingerprint.as_str()) {
            remaining.push(Left::of(finding));
        } else if !known.contains(finding.fingerprint.as_str()) && !foreseen.contains(finding.fingerprint.as_str()) {
            introduced.push(Left::of(finding));
        }
    }
    let mut differences = compare(plan, now);
    differences.retain(|d| !dropped.contains(&d.table));
    let rows = rows::look(plan, now, false, ask)?;
    let is_seen = |(step, checked): (&Step, &Checked)| {
        checked.done == Some(true) || checked.done.is_none() && !step.changes.is_empty()
    };
    let verified = differences.is_empty()
        && rows.iter().all(Look::is_right)
        && plan.steps.iter().zip(&steps).all(is_seen)
        && steps.iter().all(|s| s.rows_since == 0)
        && remaining.is_empty()
        && introduced.is_empty()
        && policies.iter().all(|p| p.rows == 0);
    let refused = refused(plan, now, &steps);
    Ok(Verification {
        verified,
        steps,
        differences,
        tables: compare::tables(plan).into_iter().filter(|t| !dropped.contains(*t)).cloned().collect(),
        rows,
        not_fixed: plan.refused.iter().map(Left::refused).collect(),
        keys: compare::keys(plan, now),
        indexes: compare::indexes(plan, now),
        policies,
        delete: None,
        refused,
        remaining,
        introduced,
        findings_before: judged.before.len(),
        findings_after: judged.after.len(),
    })
}

/// Returns what is refused now and was accepted before: what the keys of the steps that were done refuse, and the deletes that the
/// schema stops as it is and did not stop as it was.
fn refused(plan: &Plan, now: &Schema, steps: &[Checked]) -> Vec<NewlyRefused> {
    let done = plan.steps.iter().zip(steps).filter(|(_, checked)| checked.done != Some(false)).map(|(step, _)| step);
    let own = |r: &&NewlyRefused| r.inserts || r.deletes;
    let mut all: Vec<NewlyRefused> = done.flat_map(|s| &s.newly_refuses).filter(own).cloned().collect();
    let graph = |schema: &Schema| {
        let declared = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k)).collect();
        Graph::from_relations(schema, declared)
    };
    let (was, is) = (graph(&plan.before), graph(now));
    let changes = plan.steps.iter().flat_map(|s| &s.changes);
    let (found, _) = stopped((&plan.before, &was), (now, &is), changes);
    for Stopped { refused, .. } in found {
        let said = |r: &NewlyRefused| {
            r.deletes && refused.deletes && (&r.parent, &r.child) == (&refused.parent, &refused.child)
        };
        if !all.iter().any(said) {
            all.push(refused);
        }
    }
    all
}

/// Finds the steps that changed rows and whose backups, which would show that they did, somebody has dropped: none of their rows is
/// left, and every other step shows that the plan was carried out. Returns those backups.
fn dropped_backups(
    plan: &Plan,
    now: &Schema,
    steps: &mut [Checked],
    ask: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
) -> Result<BTreeSet<TableName>, EngineError> {
    let mut dropped = BTreeSet::new();
    let mut found = Vec::new();
    for (at, step) in plan.steps.iter().enumerate().filter(|(at, _)| steps[*at].done == Some(false)) {
        let backups = backups(step);
        let gone = !backups.is_empty() && backups.iter().all(|b| now.table(b).is_none());
        if gone && !step.bounds.is_empty() && counted(step, ask)? == 0 {
            dropped.extend(backups.into_iter().cloned());
            found.push(at);
        }
    }
    let others = || steps.iter().enumerate().filter(|(at, _)| !found.contains(at));
    if found.is_empty() || others().count() == 0 || others().any(|(_, s)| s.done != Some(true)) {
        return Ok(BTreeSet::new());
    }
    for at in found {
        (steps[at].done, steps[at].backup_dropped) = (Some(true), true);
    }
    Ok(dropped)
}

/// Returns the tables in which a step backs up the rows that it changes; empty if it does anything else to the schema.
fn backups(step: &Step) -> Vec<&TableName> {
    let backup = |change: &'_ Change| matches!(change, Change::CreateTable { .. });
    if !step.touches_rows || !step.changes.iter().all(backup) {
        return Vec::new();
    }
    step.changes.iter().map(Change::table).collect()
}

/// Counts the rows that a step would change now.
fn counted(step: &Step, ask: &mut dyn FnMut(&str) -> Result<Rows, EngineError>) -> Result<u64, EngineError> {
    let mut all = 0;
    for bound in &step.bounds {
        let answer = ask(&bound.count)?;
        let number = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer);
        all += number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    }
    Ok(all)
}

/// Counts the rows that have come since a step was done that changes rows: its backups, made in the same transaction, show that
/// it was.
fn since(
    step: &Step,
    now: &Schema,
    ask: &mut dyn FnMut(&str) -> Result<Rows, EngineError>,
) -> Result<u64, EngineError> {
    let backups = backups(step);
    let there = !backups.is_empty() && backups.iter().all(|b| now.table(b).is_some());
    if there && step.up.transaction == Transaction::Own { counted(step, ask) } else { Ok(0) }
}

/// Counts the orphans that a plan is not about, in the tables that it changes, before it is carried out; `ask` runs a query that only reads.
///
/// # Errors
/// What the engine says to a query.
pub fn before(plan: &Plan, ask: &mut dyn FnMut(&str) -> Result<Rows, EngineError>) -> Result<Vec<Look>, EngineError> {
    rows::look(plan, &plan.before, true, ask)
}

impl Verification {
    /// Holds the rows that the plan is not about against those that there were before it was carried out.
    pub fn compare_rows(&mut self, before: &[Look]) {
        for look in self.rows.iter_mut().filter(|l| !l.promised) {
            look.before = before.iter().find(|b| b.what == look.what).and_then(|b| b.rows);
        }
        self.verified = self.verified && self.rows.iter().all(Look::is_right);
    }
}
