//! The planner: findings become a [`Plan`], steps in an order that a production database survives.
//!
//! Pure and deterministic: what has to be asked of a database (orphans, definitions, versions) is asked before and handed in.
//! A plan says everything itself: what each step does and why, its SQL up and down, its locks, what must hold before it and
//! how to see that it has been done. `migration` writes it as files, `apply` runs it, `verify` looks at what came of it.

mod acting;
mod backup_common;
mod bounds;
mod closure;
mod cockroach;
mod counts;
mod definitions;
mod guard;
mod judge;
mod merge;
mod model;
mod order;
mod plain;
mod postgres;
mod refused;
mod refusing;
mod remedy;
mod root;
mod select;
mod servers;
pub mod sqlite;
mod stopping;
#[cfg(test)]
mod tests;
mod trial;
mod ways;
mod words;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::fate::Reach;
use crate::findings::{Finding, Safety};
use crate::orphans::Scan;
use crate::relations::{Graph, Relation};
use crate::rules::{self, Settings};
use crate::schema::{Engine, ForeignKey, Schema, Table, TableName};

pub use acting::{acting_on_undo, beside as acting_beside, set_off_now};
pub use backup_common::left_after_undo;
pub use bounds::{Bound, RowAction, RowTotal};
pub use counts::Counts;
pub use guard::Guard;
pub use model::{
    Blocks, Choice, ChoiceOption, Down, Held, Lock, NotCounted, Phase, Plan, Reason, Script, Step, Transaction,
    not_counted,
};
use refused::Why;
pub use refused::{Cause, Decision, DecisionOption, Refused};
pub use refusing::{NewlyRefused, refusals};
pub use remedy::names_relation;
pub use root::{asked, fixes_broken, repairs, still_fails, unhelped};
pub use stopping::{Stopped, stopped};
pub use ways::{Offer, offers};
pub use words::chooses;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The schema as it is.
    pub schema: &'a Schema,
    /// Its relations. Nothing is changed for one that is only inferred.
    pub relations: &'a Graph,
    /// What rules go by: what is planned is held against the rules once more.
    pub settings: &'a Settings,
    /// The findings to fix.
    pub findings: &'a [Finding],
    /// What the rows say, if they were read: an outcome for each of the relations.
    pub scan: Option<&'a Scan>,
    /// The texts of SQLite's objects, where there is a database.
    pub definitions: Option<&'a Definitions>,
    /// What the user said.
    pub options: &'a Options,
}

/// Makes the plan that fixes findings.
pub fn plan(input: &Input<'_>) -> Plan {
    plan_by(input, recipes)
}

/// Makes the plan with recipes that are given.
fn plan_by(input: &Input<'_>, recipes: impl Fn(&PlanContext<'_>, &[Wanted]) -> Made) -> Plan {
    let protected = input.settings.deletes.in_schema(input.schema).never_cascade_into;
    let context = PlanContext {
        schema: input.schema,
        relations: input.relations,
        definitions: input.definitions,
        options: input.options,
        protected: &protected,
    };
    let select::Selected { mut steps, after, mut choices, mut refused } =
        select::select(input, |wanted| words::made(recipes(&context, wanted)));
    let place =
        |reason: &Reason| input.findings.iter().find(|f| select::reason(f) == *reason).map(|f| f.subject.place());
    refused.extend(unfixed(input, &mut steps, &refused));
    let mut reach = Reach::of(input.schema, input.relations);
    for step in &mut steps {
        step.why = words::sentence(&step.why);
        if let Some(warning) = remedy::default_without_parent(input, &step.changes) {
            step.why.push_str(&warning);
        }
        step.newly_deletes = reach.newly(&step.changes);
        step.newly_refuses = refusing::newly(input.schema, &step.changes);
        reach.take(&step.changes);
        step.up.close_blocks();
        if let Down::Script { script, .. } = &mut step.down {
            script.close_blocks();
        }
    }
    let relations = judge::relations(input, &after);
    let changes = steps.iter().flat_map(|s| &s.changes);
    let (stopped, failing) = stopping::stopped((input.schema, input.relations), (&after, &relations), changes);
    stopping::to_steps(stopped, &mut steps);
    for step in &mut steps {
        // A delete that fails takes nothing with it.
        step.newly_deletes.iter_mut().for_each(|n| n.from.retain(|t| !failing.contains(t)));
        step.newly_deletes.retain(|n| !n.from.is_empty());
    }
    for entry in &mut refused {
        // A finding is named as the audit names it, whoever refuses it.
        entry.subject = place(&entry.reason).unwrap_or_else(|| std::mem::take(&mut entry.subject));
    }
    // Of one finding all that was said is kept, in the order in which it was said, and each once.
    refused.sort_by(|a, b| (&a.subject, &a.reason).cmp(&(&b.subject, &b.reason)));
    let mut said: Vec<Refused> = Vec::new();
    refused.retain(|one| {
        let new =
            !said.iter().rev().take_while(|s| s.reason == one.reason && s.subject == one.subject).any(|s| s == one);
        new.then(|| said.push(one.clone()));
        new
    });
    let planned = |reason: &Reason| steps.iter().any(|s| s.findings.contains(reason));
    choices.retain(|c| planned(&c.reason));
    choices.sort_by(|a, b| (&a.subject, &a.reason).cmp(&(&b.subject, &b.reason)));
    Plan {
        engine: input.schema.engine,
        before: input.schema.clone(),
        after,
        steps,
        choices,
        refused,
        guessed: Vec::new(),
        not_counted: Vec::new(),
        still_fails: None,
    }
}

/// Returns the findings that no step fixes and nobody has refused. Orphans are only fixed where rows are changed: a step that does
/// something else for the same foreign key is not for them.
fn unfixed(input: &Input<'_>, steps: &mut [Step], refused: &[Refused]) -> Vec<Refused> {
    let mut left = Vec::new();
    for finding in input.findings {
        let reason = select::reason(finding);
        let fixes = |s: &&Step| {
            s.findings.contains(&reason) && (finding.rule != rules::orphan_rows::META.id() || s.touches_rows)
        };
        if steps.iter().any(|s| fixes(&s)) {
            continue;
        }
        for step in steps.iter_mut() {
            step.findings.retain(|r| *r != reason);
        }
        if !refused.iter().any(|r| r.reason == reason) {
            left.push(Refused::of(finding, &Why::NoStep { help: finding.help.clone() }));
        }
    }
    left
}

/// What the planner is told beside the findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Choices of the user: subject (or rule name) and word.
    pub choose: Vec<(String, String)>,
    /// What becomes of orphans; `None` plans no key over them. A reference that may be NULL becomes NULL, whatever is said here.
    pub orphans: Option<OrphanPolicy>,
    /// What becomes of the orphans of one relation, named `child.column` or `child.column->parent.column`; `None` leaves them,
    /// and their key is not made. It goes before `orphans`, the last one before the others.
    pub orphans_of: Vec<(String, Option<OrphanPolicy>)>,
    /// Relations that are only guessed, and not among those that the plan is made from. No step rests on one; the rows that a
    /// clean-up would leave behind by them are counted and named.
    pub guessed: Vec<Relation>,
    /// Counts of rows that the caller has asked the database for.
    pub counts: Counts,
    /// Whether fixes that need a decision are planned, too, where their changes are known and newly delete nothing.
    pub manual: bool,
    /// How long a statement waits for a lock, milliseconds.
    pub lock_timeout: u64,
}

/// What becomes of orphans: child rows whose parent row is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrphanPolicy {
    /// They are backed up in a table of their own, `_referee_kept_…`, and deleted.
    Delete,
    /// They are backed up in a table of their own, `_referee_kept_…`, and their reference becomes NULL.
    SetNull,
    /// They are moved to a table of their own, `_referee_quarantine_…`, from which the down migration restores them.
    Quarantine,
}

/// What is to be fixed: changes that belong together, and the findings that want them. The selection makes these of the
/// findings; a recipe makes steps of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What it does, in the imperative.
    pub title: String,
    /// Why.
    pub why: String,
    /// The findings.
    pub findings: Vec<Reason>,
    /// What can be promised of it.
    pub safety: Safety,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// How many orphans the key that it adds or validates has; `None` if rows were not counted.
    pub orphans: Option<u64>,
}

/// What a recipe needs to know.
#[derive(Clone, Copy, Debug)]
pub struct PlanContext<'a> {
    /// The schema as it is.
    pub schema: &'a Schema,
    /// Its relations: rows follow one another by those that no key declares as well.
    pub relations: &'a Graph,
    /// The texts of SQLite's objects, which a rebuild keeps; `None` on other engines.
    pub definitions: Option<&'a Definitions>,
    /// What the planner was told.
    pub options: &'a Options,
    /// The tables whose rows no delete of another table may take with it.
    pub protected: &'a BTreeSet<TableName>,
}

impl<'a> PlanContext<'a> {
    /// Returns the relations that the user has configured or accepted and no key declares, as keys, each with its child.
    pub(crate) fn undeclared(&self) -> Vec<(&'a Table, ForeignKey)> {
        let relations = self.relations.relations().iter().filter(|r| !r.is_declared() && !r.is_guess());
        relations.filter_map(|r| self.as_key(r)).collect()
    }

    /// Returns the relations that are only guessed, as keys, each with its child.
    fn guessed(&self) -> Vec<(&'a Table, ForeignKey)> {
        let relations = self.relations.relations().iter().filter(|r| r.is_guess());
        relations.chain(&self.options.guessed).filter_map(|r| self.as_key(r)).collect()
    }

    /// Makes the key that would declare a relation; `None` if its tables or columns are not there.
    fn as_key(&self, relation: &Relation) -> Option<(&'a Table, ForeignKey)> {
        let (child, parent) = (self.schema.table(&relation.child)?, self.schema.table(&relation.parent)?);
        let there = |table: &Table, columns: &[String]| columns.iter().all(|c| table.column(c).is_some());
        let whole = !relation.columns.is_empty()
            && relation.columns.len() == relation.parent_columns.len()
            && there(child, &relation.columns)
            && there(parent, &relation.parent_columns);
        let mut key = ForeignKey::new(&relation.columns, relation.parent.clone(), &relation.parent_columns);
        key.on_delete = relation.on_delete.unwrap_or(key.on_delete);
        whole.then_some((child, key))
    }
}

/// The texts of a SQLite database's objects, as `sqlite_schema` holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    /// Type (`table`, `index`, `trigger`, `view`), name, table, and the statement that made it (none for automatic indexes).
    pub objects: Vec<Definition>,
}

/// One object of [`Definitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `table`, `index`, `trigger`, `view`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table it belongs to.
    pub table: String,
    /// The statement that made it.
    pub sql: Option<String>,
}

/// What the recipes of an engine made of the [`Wanted`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The steps, in any order; the planner sorts them by phase, keeping the order within one.
    pub steps: Vec<Step>,
    /// What cannot be done on this engine, and why.
    pub refused: Vec<Refused>,
}

/// Makes steps of what is wanted, by the recipes of the schema's engine.
pub fn recipes(context: &PlanContext<'_>, wanted: &[Wanted]) -> Made {
    match context.schema.engine {
        Engine::Postgres => postgres::steps(context, wanted),
        Engine::Cockroach => cockroach::steps(context, wanted),
        Engine::Sqlite if context.definitions.is_some() => sqlite::steps(context, wanted),
        Engine::Sqlite | Engine::Mysql | Engine::Mariadb => plain::steps(context, wanted),
    }
}
