//! SQLite's recipes: indexes by themselves, everything else by rebuilding the table, all changes of a table at once.
//!
//! The texts of the definitions are edited (`text`), the script that puts them in place is written (`rebuild`), and
//! each step is run up and down on an empty copy in memory (`rehearsal`) before it becomes part of a plan.

mod backup;
mod closure;
mod index;
mod orphans;
mod own_constraints;
mod rebuild;
mod rehearsal;
mod since;
mod sql;
mod table;
mod text;
mod transaction;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::definitions::Names;
use super::{
    Blocks, Definitions, Held, Lock, Made, PlanContext, Reason, Refused, Script, Step, Transaction, Wanted, Why,
};
use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::findings::Safety;
use crate::schema::{Schema, TableName};
pub use transaction::inside_transaction;

/// Why a wanted thing is not done: its place among the wanted, and the reason.
type Refusal = (usize, String);

/// Makes SQLite's steps.
pub fn steps(context: &PlanContext<'_>, wanted: &[Wanted]) -> Made {
    let mut refusals: BTreeMap<usize, String> = BTreeMap::new();
    let mut rebuilt = Rebuilt::new();
    let steps = loop {
        match attempt(context, wanted, &refusals, &mut rebuilt) {
            Ok(steps) => break steps,
            // What is wanted is done as a whole or not at all: everything is planned anew without it.
            Err((at, why)) => drop(refusals.insert(at, why)),
        }
    };
    let refused = refusals.into_iter().flat_map(|(at, why)| refused(&wanted[at], &why)).collect();
    Made { steps, refused }
}

fn refused(wanted: &Wanted, why: &str) -> Vec<Refused> {
    let subject = wanted.changes.first().map_or_else(String::new, subject);
    let why = Why::Recipe(why.to_string());
    let one = |reason: &Reason| Refused::by_reason(reason.clone(), &subject, &why);
    wanted.findings.iter().map(one).collect()
}

/// Names what a change is about.
fn subject(change: &Change) -> String {
    match change {
        Change::AddForeignKey { table, foreign_key: key }
        | Change::DropForeignKey { table, foreign_key: key }
        | Change::ReplaceForeignKey { table, old: key, .. }
        | Change::AlterForeignKey { table, old: key, .. } => crate::relations::side(table, &key.columns),
        Change::SetNullable { table, column, .. } | Change::SetDefault { table, column, .. } => {
            format!("{table}.{column}")
        }
        other => other.table().to_string(),
    }
}

/// The parts of a plan that the makers of its steps share.
struct Plan<'a> {
    context: &'a PlanContext<'a>,
    definitions: &'a Definitions,
    /// Every name and text of the definitions.
    names: Names,
    /// The schema after all steps.
    after: Schema,
    /// Unique indexes that are made before any table is rebuilt.
    earlier: Vec<(TableName, String)>,
}

/// The rebuilds that an attempt before has made: by table, by whose wanted_keys, and by how many unique indexes come before. The
/// next attempt, which leaves out what was refused, wants most of them again.
type Rebuilt = BTreeMap<(TableName, Vec<usize>, usize), Step>;

/// A change, and the place of the wanted thing it belongs to.
type Part<'a> = (usize, &'a Change);

fn attempt(
    context: &PlanContext<'_>,
    wanted: &[Wanted],
    refusals: &BTreeMap<usize, String>,
    rebuilt_before: &mut Rebuilt,
) -> Result<Vec<Step>, Refusal> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let standing: Vec<(usize, &Wanted)> =
        wanted.iter().enumerate().filter(|(at, _)| !refusals.contains_key(at)).collect();
    for (at, one) in &standing {
        if one.changes.iter().all(is_check) && one.orphans.is_none_or(|n| n == 0) {
            return Err((*at, "SQLite checks the rows of every key; none is known to break this one".to_string()));
        }
        for change in &one.changes {
            parts.push((*at, change));
        }
    }
    let Some(&(first, _)) = parts.first() else { return Ok(Vec::new()) };
    let Some(definitions) = context.definitions else {
        let why = "the texts of SQLite's objects are needed to rebuild a table, and this source has none";
        return Err((first, why.to_string()));
    };
    let mut after = context.schema.clone();
    let mut by_table: BTreeMap<&TableName, Vec<Part<'_>>> = BTreeMap::new();
    for (at, change) in parts {
        let list = by_table.entry(change.table()).or_default();
        // Two findings may want the same.
        let is_new = !list.iter().any(|(_, made)| *made == change);
        list.push((at, change));
        if is_new {
            change
                .apply(&mut after)
                .map_err(|e| (at, format!("it does not fit the other changes of this plan: {e}")))?;
        }
    }
    let mut plan = Plan { context, definitions, names: definitions.names(), after, earlier: Vec::new() };
    let mut index_names: BTreeMap<String, &TableName> = BTreeMap::new();
    for (table, list) in &by_table {
        for (at, change) in list {
            let Change::AddIndex { index, .. } = change else { continue };
            // Tables and indexes of a database share their names.
            let other = index_names.insert(index.name.to_ascii_lowercase(), table);
            let taken = ["table", "index", "view"].iter().find(|kind| definitions.find(kind, &index.name).is_some());
            let replaced =
                list.iter().any(|(_, c)| matches!(c, Change::DropIndex { index: i, .. } if i.name == index.name));
            if other.is_some_and(|o| o != *table) || taken.is_some() && !replaced {
                return Err((*at, format!("there is something called {} already", index.name)));
            }
            if index.unique {
                plan.earlier.push(((*table).clone(), statement(change, context.schema)));
            }
        }
    }
    let site = closure::Site { context, definitions, names: &plan.names, given: RefCell::default() };
    let mut steps = orphans::steps(&site, &standing)?;
    for (table, list) in by_table {
        let in_place = |c: &Change| is_check(c) || matches!(c, Change::AddIndex { .. } | Change::DropIndex { .. });
        let rebuilt = list.iter().any(|(_, c)| !in_place(c));
        // Its rows are checked where its orphans are repaired.
        let list: Vec<Part<'_>> = list.into_iter().filter(|(_, c)| !is_check(c)).collect();
        let alone = |c: &Change| {
            !rebuilt || matches!(c, Change::AddIndex { index, .. } | Change::DropIndex { index, .. } if index.unique)
        };
        let mut done: Vec<&Change> = Vec::new();
        for (_, change) in list.iter().filter(|(_, c)| alone(c)) {
            if !done.contains(change) {
                done.push(change);
                let same: Vec<Part<'_>> = list.iter().filter(|(_, c)| c == change).copied().collect();
                steps.push(index::step(&plan, table, change, &same, wanted)?);
            }
        }
        let rest: Vec<Part<'_>> = list.iter().filter(|(_, c)| !alone(c)).copied().collect();
        if !rest.is_empty() {
            let whose = (table.clone(), rest.iter().map(|(at, _)| *at).collect(), plan.earlier.len());
            let step = match rebuilt_before.get(&whose) {
                Some(step) => step.clone(),
                None => table::step(&plan, table, &rest, wanted)?,
            };
            rebuilt_before.insert(whose, step.clone());
            steps.push(step);
        }
    }
    Ok(steps)
}

fn is_check(change: &Change) -> bool {
    matches!(change, Change::ValidateForeignKey { .. })
}

/// Writes a change that is one statement.
fn statement(change: &Change, schema: &Schema) -> String {
    DIALECT.sql_for(change, schema).and_then(|s| s.into_iter().next()).unwrap_or_default()
}

/// Names a step: words, and a fingerprint of its changes (64-bit FNV-1a, the last 32 bits).
fn step_id(words: &[&str], changes: &[Change]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for change in changes {
        for byte in serde_json::to_string(change).unwrap_or_default().bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    let mut id = String::new();
    for character in words.join("-").chars() {
        match character.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => id.push(c),
            _ if id.ends_with('-') || id.is_empty() => {}
            _ => id.push('-'),
        }
    }
    format!("{}-{:08x}", id.trim_end_matches('-'), hash & 0xffff_ffff)
}

/// SQLite locks the database, never a table ("File Locking And Concurrency", 3): who reads goes on until the commit, with a
/// write-ahead log even then.
fn lock(table: &TableName, held: Held) -> Vec<Lock> {
    vec![Lock {
        table: table.clone(),
        mode: "RESERVED (the whole database)".to_string(),
        blocks: Blocks::Writers,
        held,
    }]
}

fn own(statements: Vec<String>) -> Script {
    Script { statements, transaction: Transaction::Own, ..Script::default() }
}

fn findings(parts: &[Part<'_>], wanted: &[Wanted]) -> Vec<Reason> {
    let all: BTreeSet<Reason> = parts.iter().flat_map(|(at, _)| wanted[*at].findings.iter().cloned()).collect();
    all.into_iter().collect()
}

fn safety(parts: &[Part<'_>], wanted: &[Wanted]) -> Safety {
    let rank = |s: Safety| match s {
        Safety::Safe => 0,
        Safety::Unsafe => 1,
        Safety::Manual => 2,
    };
    parts.iter().map(|(at, _)| wanted[*at].safety).max_by_key(|s| rank(*s)).unwrap_or(Safety::Manual)
}

/// Joins reasons to a text: each ends like a sentence.
fn sentences(reasons: &[String]) -> String {
    let ended = |r: &String| if r.ends_with('.') || r.is_empty() { r.clone() } else { format!("{r}.") };
    reasons.iter().map(ended).filter(|r| !r.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns the titles or reasons of the wanted things, each once, in order.
fn told(parts: &[Part<'_>], wanted: &[Wanted], tell: impl Fn(&Wanted) -> &String) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for (at, _) in parts {
        let text = tell(&wanted[*at]);
        if !told.contains(text) {
            told.push(text.clone());
        }
    }
    told
}
