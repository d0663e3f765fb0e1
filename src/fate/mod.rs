//! The fate of every table when a row of one table is deleted, decided from the schema alone.
//!
//! The statement judged is `DELETE FROM root WHERE key = …`, one row, on any data that the schema allows, every key valid.
//! [`Fates`] reads a schema and its relations once and answers for any number of roots. The engines' differences are in
//! `engines`; `docs/fate.md` explains the reasoning. Nothing here talks to a database: conditions and counts are handed
//! out as SQL.

mod actors;
mod advice;
mod choices;
mod conditions;
mod conflicts;
mod demands;
mod engines;
mod guessed;
mod impact;
mod implied;
mod judge;
mod levels;
mod net;
mod nulls;
mod paths;
mod propose;
mod publications;
mod reach;
mod repair;
mod report;
mod sql;
mod stops;
#[cfg(test)]
mod tests;
mod walk;

use schemars::JsonSchema;
use serde::Serialize;

use crate::relations::{Graph, Relation};
use crate::schema::{Action, Engine, Schema, TableName};

pub use actors::{ActorKind, Assumption, May};
pub use advice::{Advisor, withdraw_refused};
pub use choices::Choosable;
pub use conflicts::{Conflict, DecidedBy};
pub use demands::{Asked, Broken, Demand, Demands};
pub use guessed::GuessedRelation;
pub use impact::{Blocked, Blocking, Counted, Impact, Rows, TableImpact};
pub(crate) use net::is_null;
pub(crate) use publications::refused as unpublishable;
pub use reach::{NewlyDeleted, Reach, is_cascading, sentences};
pub use repair::{Goal, Repair, Repaired};
pub use stops::{RelationName, Stop, Stops};

/// What a delete from a root comes to, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every delete succeeds, and what belongs to the row goes with it.
    Complete,
    /// Every delete succeeds; some columns become NULL or their default.
    LeavesRows,
    /// Every delete succeeds; rows stay behind that refer to nothing, by relations that nothing enforces.
    LeavesOrphans,
    /// A delete succeeds unless there are rows of certain shapes.
    DependsOnData,
    /// The order in which the engine happens to carry out keys decides.
    DependsOnOrder,
    /// Child rows that nothing removes stop the delete.
    Refused,
    /// A contradiction in the schema stops the delete with an error of its own.
    Fails,
}

impl Verdict {
    /// Returns the name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::LeavesRows => "leaves-rows",
            Self::LeavesOrphans => "leaves-orphans",
            Self::DependsOnData => "depends-on-data",
            Self::DependsOnOrder => "depends-on-order",
            Self::Refused => "refused",
            Self::Fails => "fails",
        }
    }

    /// Tells whether every delete succeeds, whatever the data.
    pub fn always_succeeds(self) -> bool {
        self <= Self::LeavesOrphans
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What becomes of a table's rows that the delete reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TableFate {
    /// The delete does not touch them.
    Untouched,
    /// Columns become NULL or their default.
    Updated,
    /// They stay and refer to nothing.
    Orphaned,
    /// They are deleted.
    Deleted,
    /// They stop the delete.
    Refuses,
}

/// What a relation does in a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The child rows are deleted.
    Deletes,
    /// Columns of the child rows become NULL.
    Nulls,
    /// Columns of the child rows become their default.
    SetsDefault,
    /// Any child row stops the delete.
    Refuses,
    /// A child row stops the delete unless it goes on another way.
    MayRefuse,
    /// Any child row stops the delete with an error of its own.
    Fails,
    /// As `fails`, unless the child row goes on another way.
    MayFail,
    /// It would refuse, but its child rows are always gone before.
    Harmless,
    /// Another key on the same columns acts first.
    Shadowed,
    /// The child rows stay and refer to nothing.
    LeavesOrphans,
}

impl Effect {
    /// Returns the name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deletes => "deletes",
            Self::Nulls => "nulls",
            Self::SetsDefault => "sets-default",
            Self::Refuses => "refuses",
            Self::MayRefuse => "may-refuse",
            Self::Fails => "fails",
            Self::MayFail => "may-fail",
            Self::Harmless => "harmless",
            Self::Shadowed => "shadowed",
            Self::LeavesOrphans => "leaves-orphans",
        }
    }

    /// Tells whether it can stop the delete.
    pub fn can_stop(self) -> bool {
        matches!(self, Self::Refuses | Self::MayRefuse | Self::Fails | Self::MayFail)
    }
}

/// A table and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableOutcome {
    /// The table.
    pub table: TableName,
    /// What becomes of it.
    pub fate: TableFate,
    /// How many cascades away from the root; `None` where the delete does not get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
}

/// A relation that the delete reaches, and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RelationOutcome {
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// The constraint's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The action declared; `None` where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<Action>,
    /// What it does.
    pub effect: Effect,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether another firing order would have it do something else.
    pub order_decides: bool,
    /// The shortest chain of relations from the root to it, itself last: `orders.customer_id`.
    pub path: Vec<String>,
    /// The same chain as numbers in the graph of relations.
    #[serde(skip)]
    pub chain: Vec<usize>,
}

/// A shape of rows that stops a delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Condition {
    /// The relation that stops the delete: `orders.customer_id`.
    pub relation: String,
    /// Which rows, in a sentence.
    pub rows: String,
    /// Counts them. `:column` stands for the value of the root row's key column. `None` where no query can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Whether the delete fails exactly when there are any. Otherwise it may also succeed then; it always does when there
    /// are none.
    pub exact: bool,
}

/// What becomes of every table when a row of the root is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Fate {
    /// The table that the row is deleted from.
    pub root: TableName,
    /// Whose rules were applied.
    pub engine: Engine,
    /// SQLite: whether enforcement was taken to be on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_keys: Option<bool>,
    /// What the delete comes to.
    pub verdict: Verdict,
    /// Where the order decides: what it comes to with today's order; `None` if the rows' own order decides too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<Verdict>,
    /// Whether the verdict is a promise: nothing beside the keys acts where the delete gets.
    pub promised: bool,
    /// What acts beside the keys where the delete gets: the verdict leaves it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<Assumption>,
    /// The verdict as a sentence.
    pub summary: String,
    /// Every table, sorted by name.
    pub tables: Vec<TableOutcome>,
    /// The relations that the delete reaches, nearest first.
    pub relations: Vec<RelationOutcome>,
    /// Which rows stop it. Empty if none can.
    pub conditions: Vec<Condition>,
    /// What else to know: what decides the order, limits, what the verdict leaves out.
    pub notes: Vec<String>,
    /// The demands of `referee.toml` that the delete breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// The smallest repair, if the verdict is not `complete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
}

impl Fate {
    /// Returns the relations that can stop the delete, nearest first.
    pub fn blockers(&self) -> impl Iterator<Item = &RelationOutcome> {
        self.relations.iter().filter(|r| r.effect.can_stop())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// One line of the ranking of all tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rank {
    /// The table.
    pub table: TableName,
    /// What a delete from it comes to.
    pub verdict: Verdict,
    /// Where the order decides: what it comes to with today's order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<Verdict>,
    /// How many triggers, rules and publications act where the delete gets, which the verdict leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub assumptions: usize,
    /// How many tables lose rows, this one not counted.
    pub deleted: usize,
    /// How many relations can stop the delete.
    pub blockers: usize,
    /// The longest of the shortest chains of cascades.
    pub depth: usize,
    /// The demands of `referee.toml` that the delete breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Demand>,
}

/// The cascades that lead to a relation, and on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The relations of the longest chain that it ends, itself last, as numbers in the graph.
    pub relations: Vec<usize>,
    /// How many cascades the longest chain through it has in all.
    pub total: usize,
    /// The number of the circle that it is part of, if it is: there rows can follow each other however deep.
    pub circle: Option<usize>,
}

fn chains(net: &net::Net<'_>) -> Vec<Chain> {
    let levels = levels::Levels::new(net, &|i| levels::cascades(net, i));
    let chain = |link: usize| {
        let l = &net.links[link];
        let links = levels.path(net, l.parent).into_iter().chain([link]);
        let circle = levels.circle[l.parent] == levels.circle[l.child];
        let own = usize::from(!circle);
        Chain {
            relations: links.map(|i| net.links[i].relation).collect(),
            total: levels.above[l.parent] + own + levels.below[l.child],
            circle: circle.then_some(levels.circle[l.child]),
        }
    };
    (0..net.links.len()).filter(|&i| levels::cascades(net, i)).map(chain).collect()
}

/// How a delete is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// SQLite: whether the application switches foreign keys on. Other engines always have them on.
    pub foreign_keys: bool,
    /// What the user demands of deletes; a repair respects it.
    pub demands: Demands,
    /// What a repair is to reach.
    pub goal: Goal,
    /// What of the source was not read and may change tables (`History::unread`): with it no verdict is a promise.
    pub unread: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { foreign_keys: true, demands: Demands::default(), goal: Goal::default(), unread: Vec::new() }
    }
}

/// A schema made ready to be asked about deletes.
pub struct Fates<'s> {
    net: net::Net<'s>,
    options: Options,
}

impl<'s> Fates<'s> {
    /// Reads a schema and its relations.
    pub fn new(schema: &'s Schema, relations: &'s Graph, options: Options) -> Self {
        let enforced = !schema.engine.facts().keys.enforced_by_connection || options.foreign_keys;
        Self { net: net::Net::new(schema, relations, enforced), options }
    }

    /// Returns what becomes of every table when a row of `root` is deleted; `None` if there is no such table.
    pub fn of(&self, root: &TableName) -> Option<Fate> {
        let number = self.net.tables.binary_search(&root).ok()?;
        Some(report::fate(&self.net, number, &self.options, true))
    }

    /// Returns the same without a repair, which takes most of the time.
    pub fn without_repair(&self, root: &TableName) -> Option<Fate> {
        let number = self.net.tables.binary_search(&root).ok()?;
        Some(report::fate(&self.net, number, &self.options, false))
    }

    /// Returns what becomes of every table when a row is deleted from a partition by the partition's name: what becomes of them when it
    /// is deleted from the whole table. `None` if it is no partition, or some key refers to another partition alone.
    pub fn of_partition(&self, part: &TableName) -> Option<Fate> {
        let schema = self.net.schema;
        let whole = Some(schema.whole(part)).filter(|whole| *whole != part)?;
        let number = self.net.tables.binary_search(&whole).ok()?;
        let elsewhere =
            |&link: &usize| self.net.links[link].parent_part.is_some_and(|other| !schema.is_within(part, other));
        if self.net.below[number].iter().any(elsewhere) {
            return None;
        }
        let mut fate = report::fate(&self.net, number, &self.options, true);
        let table = schema.table(whole)?;
        let own = !table.rewrite_rules.is_empty() || table.triggers.iter().any(|t| !t.for_each_row);
        let but =
            if own { "; but for rules and statement triggers, which are those of the table that is named" } else { "" };
        let note = format!(
            "`{part}` is a partition of `{whole}`: its rows are rows of `{whole}`, and a delete from `{part}` does to them what is said \
             here{but}"
        );
        fate.notes.insert(0, crate::text::said(note));
        Some(fate)
    }

    /// Returns the broken keys that stop every delete from `root`, rows or none, each with what is wrong with it.
    pub fn broken(&self, root: &TableName) -> Vec<(&'s Relation, String)> {
        let Ok(number) = self.net.tables.binary_search(&root) else { return Vec::new() };
        let judged = judge::judge(&self.net, number);
        let mut found: Vec<(usize, String)> =
            judged.walk.reached.iter().filter_map(|&t| self.net.broken[t].clone()).collect();
        found.sort();
        found.dedup();
        found.into_iter().map(|(relation, why)| (&self.net.graph.relations()[relation], why)).collect()
    }

    /// Returns the repair that reaches a goal; `None` if there is no such table.
    pub fn repair(&self, root: &TableName, goal: Goal) -> Option<Repair> {
        let number = self.net.tables.binary_search(&root).ok()?;
        Some(repair::repair(&self.net, number, goal, &self.options))
    }

    /// Returns every pair of ways of which one removes rows and the other refuses them, sorted by the refusing relation.
    pub fn conflicts(&self) -> Vec<Conflict> {
        conflicts::conflicts(&self.net)
    }

    /// Returns the longest chain of cascades that each cascading relation ends, in the order of the graph.
    pub fn chains(&self) -> Vec<Chain> {
        chains(&self.net)
    }

    /// Returns the verdict alone, and today's where the order decides; `None` if there is no such table.
    pub fn verdict(&self, root: &TableName) -> Option<(Verdict, Option<Verdict>)> {
        let number = self.net.tables.binary_search(&root).ok()?;
        let judged = judge::judge(&self.net, number);
        Some((judged.verdict, judged.today))
    }

    /// Returns what the user demands.
    pub fn demands(&self) -> &Demands {
        &self.options.demands
    }

    /// Judges every table as a root: the worst verdict first, then by name.
    pub fn rank(&self) -> Vec<Rank> {
        let mut ranks: Vec<Rank> =
            (0..self.net.tables.len()).map(|t| report::rank(&self.net, t, &self.options)).collect();
        ranks.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.table.cmp(&b.table)));
        ranks
    }

    /// Returns what a delete of one row of `root` takes with it, as queries for each table; `None` if there is no such
    /// table or its rows cannot be told apart.
    pub fn impact(&self, root: &TableName, row: Option<&str>) -> Option<Impact> {
        let number = self.net.tables.binary_search(&root).ok()?;
        impact::impact(&self.net, number, row)
    }

    /// Returns the same for the schema that the automatic changes of the fix lead to; `None` if there are none.
    pub fn impact_after_fix(&self, root: &TableName, row: Option<&str>) -> Option<Impact> {
        let number = self.net.tables.binary_search(&root).ok()?;
        let repair = repair::repair(&self.net, number, Goal::LeavesRows, &self.options);
        let automatic = repair.changes.iter().filter(|c| c.automatic).flat_map(|c| &c.changes);
        let changes: Vec<_> = automatic.cloned().collect();
        if changes.is_empty() {
            return None;
        }
        repair::in_schema_after(&self.net, &changes, |net| {
            let number = net.tables.binary_search(&root).ok()?;
            impact::impact(net, number, row)
        })
    }
}

/// Returns what becomes of every table when a row of `root` is deleted; `None` if there is no such table.
pub fn fate(schema: &Schema, relations: &Graph, options: &Options, root: &TableName) -> Option<Fate> {
    Fates::new(schema, relations, options.clone()).of(root)
}
