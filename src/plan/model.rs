//! What a plan is: its steps, their locks and undo, the choices that were left, and what no step fixes. Plain data, read back as it
//! was written; making one is `plan`'s.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bound, Guard, NewlyRefused, Options, Refused, words};
use crate::change::Change;
use crate::engine::{Rows, Value};
use crate::fate::NewlyDeleted;
use crate::findings::{RuleId, Safety};
use crate::infer::Guess;
use crate::orphans::{Outcome, Scan};
use crate::relations::Graph;
use crate::schema::{Engine, Schema, TableName};
use crate::text;

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
    /// The relations whose rows could not be counted: their orphans are in no step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<NotCounted>,
    /// What it was made for and does not reach: what still stops deletes from a root after its steps, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still_fails: Option<String>,
}

/// A relation whose rows could not be counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotCounted {
    /// The relation: `orders.customer_id->customers.id`.
    pub relation: String,
    /// Why.
    pub why: String,
}

/// Returns the relations whose rows a scan could not count.
pub fn not_counted(relations: &Graph, scan: Option<&Scan>) -> Vec<NotCounted> {
    let outcomes = scan.iter().flat_map(|s| &s.outcomes);
    let failed = relations.relations().iter().zip(outcomes).filter_map(|(relation, outcome)| match outcome {
        Outcome::Failed(error) => Some(NotCounted { relation: relation.written(), why: error.message.clone() }),
        _ => None,
    });
    failed.collect()
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
    /// What is refused once it is done, and was accepted before: a foreign key is new, or does not let its parent go any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newly_refuses: Vec<NewlyRefused>,
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

impl Plan {
    /// Returns what the plan leaves of orphans: the children that no step changes, each with why.
    pub fn orphans_left(&self) -> impl Iterator<Item = &Refused> {
        self.refused.iter().filter(|r| r.reason.rule == crate::rules::orphan_rows::META.id())
    }

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

impl Script {
    /// Has no name end the block that it stands in.
    pub(super) fn close_blocks(&mut self) {
        let all = self.before.iter_mut().chain(&mut self.statements).chain(&mut self.after);
        all.for_each(|sql| *sql = text::closed(std::mem::take(sql)));
    }
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
