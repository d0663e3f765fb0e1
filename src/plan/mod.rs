//! The planner: findings become a [`Plan`], steps in an order that a production database survives.
//!
//! Pure and deterministic: what has to be asked of a database (orphans, definitions, versions) is asked before and handed in.
//! A plan says everything itself: what each step does and why, its SQL up and down, its locks, what must hold before it and
//! how to see that it has been done. `migration` writes it as files, `apply` runs it, `verify` looks at what came of it.

mod acting;
mod aside;
mod bench;
mod bounds;
mod closure;
mod cockroach;
mod counts;
mod definitions;
mod guard;
mod judge;
mod keys;
mod merge;
mod order;
mod plain;
mod postgres;
mod remedy;
mod root;
mod select;
pub mod sqlite;
#[cfg(test)]
mod tests;
mod trial;
mod ways;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::engine::{Rows, Value};
use crate::fate::{NewlyDeleted, Reach};
use crate::findings::{Finding, RuleId, Safety};
use crate::infer::Guess;
use crate::orphans::Scan;
use crate::relations::{Graph, Relation};
use crate::rules::{self, Settings};
use crate::schema::{Engine, ForeignKey, Schema, Table, TableName};
use crate::text;

pub use acting::{acting_on_undo, beside as acting_beside};
pub use bounds::{Bound, RowAction, RowTotal};
pub use counts::Counts;
pub use guard::Guard;
pub use remedy::names_relation;
pub use root::{asked, repairs, still_fails, unhelped};
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
fn plan_by(input: &Input<'_>, recipes: impl Fn(&Workshop<'_>, &[Wanted]) -> Made) -> Plan {
    let protected = input.settings.deletes.in_schema(input.schema).never_cascade_into;
    let workshop = Workshop {
        schema: input.schema,
        relations: input.relations,
        definitions: input.definitions,
        options: input.options,
        protected: &protected,
    };
    let mut selection = select::Selection::new(input);
    let place =
        |reason: &Reason| input.findings.iter().find(|f| select::reason(f) == *reason).map(|f| f.subject.place());
    let (selected, mut refused, mut steps, after) = loop {
        let selected = selection.choose();
        let made = words::made(recipes(&workshop, &selected.wanted));
        let mut refused = made.refused;
        let (steps, after) = order::order(input.schema, made.steps, &mut refused);
        // Without what is refused the rest may bring what the whole would not have: it is chosen and judged anew.
        if !selection.refuse(&refused, &after) {
            refused.extend(selected.refused.iter().cloned());
            refused.extend(selection.brought(&after));
            break (selected, refused, steps, after);
        }
    };
    refused.extend(unfixed(input, &mut steps, &refused));
    let mut reach = Reach::of(input.schema, input.relations);
    for step in &mut steps {
        step.why = words::sentence(&step.why);
        if let Some(warning) = remedy::default_without_parent(input, &step.changes) {
            step.why.push_str(&warning);
        }
        step.newly_deletes = reach.newly(&step.changes);
        reach.take(&step.changes);
        step.up.close_blocks();
        if let Down::Script { script, .. } = &mut step.down {
            script.close_blocks();
        }
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
    let mut choices = selected.choices;
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
        still_fails: None,
    }
}

impl Script {
    /// Has no name end the block that it stands in.
    fn close_blocks(&mut self) {
        let all = self.before.iter_mut().chain(&mut self.statements).chain(&mut self.after);
        all.for_each(|sql| *sql = text::closed(std::mem::take(sql)));
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
            let why = format!("No step of this plan fixes it. {}", finding.help);
            left.push(Refused { reason, subject: finding.subject.place(), why });
        }
    }
    left
}

impl Step {
    /// Tells whether an answer to the step's query says that it is done: a row whose first value is not false.
    pub fn is_shown_by(answer: &Rows) -> bool {
        let no = |value: &Value| matches!(value.text().as_deref(), None | Some("f" | "0" | "false"));
        answer.rows.first().is_some_and(|row| !row.first().is_some_and(no))
    }

    /// Tells whether it changes rows, or rests on what they are: whoever runs it has to see all of them.
    pub fn depends_on_rows(&self) -> bool {
        self.touches_rows
            || self.changes.iter().any(|change| match change {
                Change::AddForeignKey { foreign_key: key, .. } | Change::ReplaceForeignKey { new: key, .. } => {
                    key.enforced
                }
                Change::ValidateForeignKey { .. } | Change::SetNullable { nullable: false, .. } => true,
                Change::AddIndex { index, .. } => index.unique,
                _ => false,
            })
    }

    /// Returns how long each lock of the step may be waited for, so that whoever it shuts out waits no longer than `longest` in
    /// all; `None` if it shuts nobody out and may wait as long as it takes.
    ///
    /// `lock_timeout` counts for each lock by itself (manual, 20.11), and those that are held already shut out others while the
    /// next is waited for: so it is shared between the tables. It stays below `deadlock_timeout`, which is a second: in a circle
    /// of waits the step gives way before the server ends whoever it pleases.
    pub fn lock_timeout(&self, longest: Duration) -> Option<Duration> {
        let blocking = |lock: &&Lock| lock.blocks > Blocks::Nothing;
        self.locks.iter().any(|l| blocking(&l)).then(|| self.share(longest, blocking))
    }

    /// Returns the same for the way back, which may shut somebody out where the step does not: a validation is taken back with
    /// its key.
    pub fn undo_lock_timeout(&self, longest: Duration) -> Option<Duration> {
        self.lock_timeout(longest).or_else(|| match &self.down {
            Down::Script { script, .. } if script.transaction == Transaction::Own && !script.statements.is_empty() => {
                Some(self.share(longest, |_| true))
            }
            _ => None,
        })
    }

    fn share(&self, longest: Duration, counts: impl Fn(&&Lock) -> bool) -> Duration {
        let mut tables: Vec<&TableName> = self.locks.iter().filter(|l| counts(l)).map(|l| &l.table).collect();
        tables.sort();
        tables.dedup();
        let count = u32::try_from(tables.len()).unwrap_or(u32::MAX).max(1);
        // A lock on rows may be waited for, too.
        let longest = if count > 1 || self.touches_rows { longest.min(Duration::from_millis(900)) } else { longest };
        // The server counts in milliseconds, and 0 would be for ever.
        (longest / count).max(Duration::from_millis(10))
    }
}

impl Plan {
    /// Returns the choices of the user that are about nothing in the plan.
    pub fn unused_choices<'o>(&self, options: &'o Options) -> Vec<&'o (String, String)> {
        let used = |(subject, word): &(String, String)| {
            self.choices.iter().filter(|c| c.by_user).any(|c| {
                let bare = |text: &str| text.replace(' ', "");
                let about = bare(subject) == bare(&c.subject)
                    || c.reason.rule.is_called(subject)
                    || c.name.as_deref() == Some(subject);
                about && c.options.get(c.chosen).is_some_and(|o| words::means(word, &o.word))
            })
        };
        options.choose.iter().filter(|c| !used(c)).collect()
    }
}

/// What to do to a database, step by step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Whose SQL it is.
    pub engine: Engine,
    /// The schema as it is.
    pub before: Schema,
    /// The schema as it is after the last step.
    pub after: Schema,
    /// The steps, in order: [`Phase`] first, then table and columns.
    pub steps: Vec<Step>,
    /// Where the findings left a choice: what was chosen, and what else there is.
    pub choices: Vec<Choice>,
    /// The findings that no step fixes, and why.
    pub refused: Vec<Refused>,
    /// The relations that are only guessed: no step rests on one, and what a delete comes to afterwards is judged without them.
    #[serde(default)]
    pub guessed: Vec<Guess>,
    /// What it was made for and does not reach: what still stops deletes from a root after its steps, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still_fails: Option<String>,
}

/// One unit that is done or not done: it runs, is retried, resumed and undone as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Names the step for ever: a short readable name with the fingerprint of its changes (`add-orders-customer-id-fkey-3f9a`).
    /// The same for the same step of the same schema, whatever other steps there are.
    pub id: String,
    /// Where it belongs in the order.
    pub phase: Phase,
    /// What it does, in the imperative: `Add the foreign key orders.customer_id -> customers.id`.
    pub title: String,
    /// Why, in one sentence.
    pub why: String,
    /// The findings that it fixes or helps to fix.
    pub findings: Vec<Reason>,
    /// What can be promised of it.
    pub safety: Safety,
    /// What it does to the schema. `after` of the plan is `before` with the changes of all steps applied. Empty for a step that
    /// changes rows only.
    pub changes: Vec<Change>,
    /// What deletes newly delete once it is done, and did not before: a key cascades that did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newly_deletes: Vec<NewlyDeleted>,
    /// Whether it changes or deletes rows (orphans repaired, quarantined). No other step may.
    pub touches_rows: bool,
    /// The statements that do it.
    pub up: Script,
    /// The statements that undo it.
    pub down: Down,
    /// What it locks, and for how long.
    pub locks: Vec<Lock>,
    /// Queries that must return no row before the step runs; a row stops the plan.
    pub guards: Vec<Guard>,
    /// How many rows it changes at most: what was shown, and so agreed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<Bound>,
    /// A query that returns a row (a true one) when the step has been done already, judged by the definition and not by the
    /// name: running twice is a no-op.
    pub done: Option<String>,
}

/// The order of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Indexes are built, so that what follows finds its rows.
    Index,
    /// Orphans are repaired.
    Orphans,
    /// Columns become nullable, defaults are dropped: what a key needs before it can be added.
    Prepare,
    /// Keys are added or put in the place of others, rows not yet checked; on SQLite tables are rebuilt.
    Constrain,
    /// Rows are checked.
    Validate,
    /// Old keys and indexes are dropped.
    Drop,
    /// Temporary things go.
    CleanUp,
}

/// A finding that a step fixes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleId,
    /// The finding's fingerprint.
    pub fingerprint: String,
}

/// Statements that belong together, without semicolons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    /// Run outside of any transaction, before: `PRAGMA foreign_keys = OFF`.
    pub before: Vec<String>,
    /// The statements.
    pub statements: Vec<String>,
    /// Run outside of any transaction, after, whether the statements succeeded or not.
    pub after: Vec<String>,
    /// Whether the statements run in one transaction, each by itself, or may not be in one.
    pub transaction: Transaction,
}

/// How a script's statements stand to transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transaction {
    /// All in one transaction of their own: all or nothing.
    #[default]
    Own,
    /// In none: each by itself (`CREATE INDEX CONCURRENTLY`, CockroachDB's schema changes).
    None,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// By these statements. The guards must return no row before (no NULL was written since, …).
    Script {
        /// The statements.
        script: Script,
        /// What must hold before.
        guards: Vec<Guard>,
    },
    /// Not at all; the text says why.
    Impossible(String),
}

/// A lock that a step takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lock {
    /// The table.
    pub table: TableName,
    /// The lock as the engine's manual calls it: `SHARE ROW EXCLUSIVE`.
    pub mode: String,
    /// What waits for it.
    pub blocks: Blocks,
    /// For how long.
    pub held: Held,
}

/// What waits while a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Blocks {
    /// Nothing that reads or writes rows.
    Nothing,
    /// What writes rows.
    Writers,
    /// What reads or writes rows.
    Everything,
}

/// For how long a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// An instant: a catalog entry is written.
    Instant,
    /// While rows of the table are read.
    Scan,
    /// While a batch of rows is changed, and again for the next one.
    Batch,
    /// While the table or index is written anew.
    Rewrite,
}

/// A choice that the findings left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// Names it on the command line: `users.primary_workspace_id`.
    pub subject: String,
    /// The constraint's or index's own name, which names it on the command line, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The finding.
    pub reason: Reason,
    /// What there is: the recommended one first if there is one, else the one that destroys least.
    pub options: Vec<ChoiceOption>,
    /// Which one is in the plan.
    pub chosen: usize,
    /// Whether the user chose it.
    pub by_user: bool,
}

/// One way to fix a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceOption {
    /// The word that chooses it: `protect`, `set-null`, `cascade`.
    pub word: String,
    /// What it does.
    pub title: String,
    /// What can be promised of it.
    pub safety: Safety,
    /// Whether it is the one to take where nothing speaks for another.
    #[serde(default)]
    pub recommended: bool,
    /// What deletes newly delete by it, as things are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newly_deletes: Vec<NewlyDeleted>,
}

/// A finding that no step fixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The finding.
    pub reason: Reason,
    /// What it is about: `orders.customer_id`.
    pub subject: String,
    /// Why no step fixes it, and what to do.
    pub why: String,
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

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "indexes",
            Self::Orphans => "orphans",
            Self::Prepare => "columns",
            Self::Constrain => "keys",
            Self::Validate => "checks of rows",
            Self::Drop => "old keys and indexes",
            Self::CleanUp => "clean-up",
        })
    }
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
pub struct Workshop<'a> {
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

impl<'a> Workshop<'a> {
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
pub fn recipes(workshop: &Workshop<'_>, wanted: &[Wanted]) -> Made {
    match workshop.schema.engine {
        Engine::Postgres => postgres::steps(workshop, wanted),
        Engine::Cockroach => cockroach::steps(workshop, wanted),
        Engine::Sqlite if workshop.definitions.is_some() => sqlite::steps(workshop, wanted),
        Engine::Sqlite | Engine::Mysql | Engine::Mariadb => plain::steps(workshop, wanted),
    }
}
