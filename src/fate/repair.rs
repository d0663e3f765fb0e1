//! The smallest repair: which keys must act otherwise so that a delete comes to what is asked for.
//!
//! Worked out to the fixed point: a key that cascades from now on brings new tables within reach, whose own keys may refuse.
//! At the end every change is taken back once, and kept back if the delete comes to the same without it. Nothing is changed for
//! a relation that is only guessed, and the verdict afterwards is the one with it as it is.

use schemars::JsonSchema;
use serde::Serialize;

use super::guessed::{self, GuessedRelation};
use super::judge::{Judgement, Ruling, Shape, judge};
use super::levels::{Levels, cascades};
use super::net::{Act, Net};
use super::{Demands, Effect, Options, Verdict, report};
use crate::change::Change;
use crate::engine;
use crate::relations::Relation;
use crate::schema::{Action, ForeignKey, TableName};

/// What a repair is to reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Every delete succeeds and nothing stays behind.
    #[default]
    Complete,
    /// Every delete succeeds; references that can do without their parent become NULL.
    LeavesRows,
}

impl Goal {
    fn reached(self, verdict: Verdict) -> bool {
        verdict <= if self == Self::Complete { Verdict::Complete } else { Verdict::LeavesRows }
    }
}

/// A repair.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Repair {
    /// What it was to reach.
    pub goal: Goal,
    /// What a delete comes to afterwards. Rows that only a guess says are left behind count.
    pub verdict: Verdict,
    /// The same by what is known alone.
    pub known_verdict: Verdict,
    /// The changes, nearest to the root first.
    pub changes: Vec<Repaired>,
    /// The guesses by which rows would be left behind all the same: guessed, not planned. The surest first.
    pub guessed: Vec<GuessedRelation>,
}

/// One relation that has to act otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Repaired {
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// The constraint's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The action as it is; `None` where no key is declared or enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Action>,
    /// The action that reaches the goal.
    pub to: Action,
    /// The action that the table's shape speaks for.
    pub recommended: Action,
    /// Why that one.
    pub reason: String,
    /// Whether it stands in the way of the delete. Otherwise it only leaves rows behind.
    pub blocks: bool,
    /// Whether a person should decide: the row has another owner, too.
    pub decide: bool,
    /// The shortest chain of relations from the root to it, itself last.
    pub path: Vec<String>,
    /// In which round it came up: 1 stands in the way as things are, 2 only after the changes of round 1, and so on.
    pub round: usize,
    /// The statements that make the change; empty where one statement cannot (SQLite rebuilds the table).
    pub sql: Vec<String>,
    /// The change to the schema.
    #[serde(skip)]
    #[schemars(skip)]
    pub change: Change,
}

pub(super) fn repair(net: &Net<'_>, root: usize, goal: Goal, options: &Options) -> Repair {
    let (whole, known) = (net, net.without_guesses());
    let net = &known;
    let mut trial = net.clone();
    let mut changed: Vec<Wanted> = Vec::new();
    let mut judged = judge(&trial, root);
    for round in 1..=net.links.len() + 1 {
        if goal.reached(judged.verdict) {
            break;
        }
        let mut progress = false;
        for want in wanted(&trial, &judged, goal, round) {
            let link = want.link;
            let act = act(&trial, link, goal, &options.demands);
            // Of keys on the same columns one at a time: when it acts, the others may have nothing left to refuse.
            let twin = |c: &Wanted| c.round == round && trial.links[link].twins.contains(&c.link);
            if trial.links[link].act == act || changed.iter().any(twin) {
                continue;
            }
            trial.links[link].act = act;
            if !changed.iter().any(|c| c.link == link) {
                changed.push(want);
            }
            progress = true;
        }
        judged = judge(&trial, root);
        if !progress {
            break;
        }
    }
    let verdict = judged.verdict;
    for at in (0..changed.len()).rev() {
        let link = changed[at].link;
        let new = std::mem::replace(&mut trial.links[link].act, net.links[link].act);
        if judge(&trial, root).verdict <= verdict {
            changed.remove(at);
        } else {
            trial.links[link].act = new;
        }
    }
    let changes = changed.into_iter().map(|want| describe(net, &trial, &judged, want)).collect();
    let (with_guesses, guessed) = guessed::weigh(whole, &trial, root);
    Repair { goal, verdict: with_guesses, known_verdict: verdict, changes, guessed }
}

/// A link that has to act otherwise.
struct Wanted {
    link: usize,
    round: usize,
    blocks: bool,
    path: Vec<String>,
}

/// Returns the links that stand between the root and the goal, nearest first.
fn wanted(net: &Net<'_>, judged: &Judgement, goal: Goal, round: usize) -> Vec<Wanted> {
    let in_the_way = |r: &&Ruling| match r.effect {
        Effect::Deletes | Effect::Harmless => false,
        Effect::Shadowed => r.order_decides,
        Effect::Nulls => goal == Goal::Complete || r.order_decides,
        Effect::SetsDefault => goal == Goal::Complete || r.shape != Shape::Nothing,
        Effect::Refuses | Effect::MayRefuse | Effect::Fails | Effect::MayFail | Effect::LeavesOrphans => {
            !matches!(r.shape, Shape::TooDeep(_) | Shape::ChangedTwice)
        }
    };
    let mut links: Vec<Wanted> = judged
        .rulings
        .iter()
        .filter(in_the_way)
        .map(|r| {
            let path = report::path(net, judged, r);
            let link = if let Shape::KeyTaken(chain) = &r.shape { chain[0] } else { r.link };
            let path = path.iter().map(|&i| net.graph.relations()[net.links[i].relation].child_side()).collect();
            let leaves = matches!(r.effect, Effect::Nulls | Effect::LeavesOrphans) && !r.order_decides;
            Wanted {
                link,
                round,
                blocks: !leaves && (r.effect != Effect::SetsDefault || r.shape != Shape::Nothing),
                path,
            }
        })
        .collect();
    links.sort_by_key(|w| (w.path.len(), net.links[w.link].order, w.link));
    links
}

fn act(net: &Net<'_>, link: usize, goal: Goal, demands: &Demands) -> Act {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let protected = (demands.never_cascade_into.contains(&relation.child) && l.child != l.parent)
        || demands.max_depth.is_some_and(|most| deepens(net, link, most));
    let (recommended, _, _) = recommend(net, None, link);
    let null = match l.act {
        // What was tried and still stands in the way has to go.
        Act::Null => false,
        _ => goal == Goal::LeavesRows && recommended == Action::SetNull,
    };
    if protected && !can_be_null(net, link) {
        return l.act;
    }
    if null || protected { Act::Null } else { Act::Delete }
}

/// Tells whether one more cascade makes a chain of more than `most`.
fn deepens(net: &Net<'_>, link: usize, most: usize) -> bool {
    let levels = Levels::new(net, &|i| cascades(net, i) || i == link);
    let l = &net.links[link];
    levels.circle[l.parent] != levels.circle[l.child] && levels.above[l.parent] + 1 + levels.below[l.child] > most
}

fn can_be_null(net: &Net<'_>, link: usize) -> bool {
    let l = &net.links[link];
    let Some(table) = net.table(l.child) else { return false };
    !l.pairs.is_empty()
        && l.columns().all(|c| table.columns.get(usize::from(c)).is_some_and(|c| c.nullable && c.generated.is_none()))
}

/// Returns the action that a relation's shape speaks for, why, and whether a person should decide.
fn recommend(net: &Net<'_>, judged: Option<&Judgement>, link: usize) -> (Action, String, bool) {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let (child, parent) = (&relation.child, &relation.parent);
    if relation.nullable && can_be_null(net, link) {
        let columns = relation.columns.join(", ");
        return (
            Action::SetNull,
            format!("`{columns}` can be NULL: a row of `{child}` can do without its `{parent}`"),
            false,
        );
    }
    if let Some(key) = relation.foreign_key().filter(|k| k.on_delete == Action::SetNull) {
        let columns = key.changed_columns().join(", ");
        return (
            Action::Restrict,
            format!(
                "the key says SET NULL, so a row of `{child}` is meant to outlive its `{parent}`, but `{columns}` cannot be NULL: decide \
                 whether the row may go as well, or drop NOT NULL"
            ),
            true,
        );
    }
    let table = net.table(l.child);
    // A join table's row is about both its parents and means nothing without either.
    let joins = table
        .and_then(|t| t.primary_key.as_ref())
        .is_some_and(|k| relation.columns.iter().all(|c| k.columns.contains(c)));
    let other = net.above[l.child].iter().copied().find(|&o| {
        let other = &net.links[o];
        let r = &net.graph.relations()[other.relation];
        other.parent != l.parent
            && !r.nullable
            && other.act == Act::Delete
            && judged.is_none_or(|j| !j.walk.loses_rows(other.parent))
    });
    match other {
        Some(owner) if !joins => {
            let owner = &net.graph.relations()[net.links[owner].relation].parent;
            (
                Action::Restrict,
                format!(
                    "a row of `{child}` belongs to its `{owner}` as well: decide whether it may go with its `{parent}`"
                ),
                true,
            )
        }
        _ => (
            Action::Cascade,
            format!("a row of `{child}` cannot be without its `{parent}` and has no other owner"),
            false,
        ),
    }
}

fn describe(net: &Net<'_>, trial: &Net<'_>, judged: &Judgement, want: Wanted) -> Repaired {
    let Wanted { link, round, blocks, path } = want;
    let relation = &net.graph.relations()[net.links[link].relation];
    let to = if trial.links[link].act == Act::Null { Action::SetNull } else { Action::Cascade };
    let (recommended, reason, decide) = recommend(net, Some(judged), link);
    let change = change(relation, to);
    let enforced = net.links[link].act != Act::Orphan;
    let sql = engine::dialect(net.engine).and_then(|d| d.sql_for(&change, net.schema)).unwrap_or_default();
    Repaired {
        child: relation.child.clone(),
        columns: relation.columns.clone(),
        parent: relation.parent.clone(),
        name: relation.foreign_key().and_then(|k| k.name.clone()),
        from: relation.foreign_key().filter(|_| enforced).map(|k| k.on_delete),
        to,
        recommended,
        reason,
        blocks,
        decide,
        path,
        round,
        sql,
        change,
    }
}

fn change(relation: &Relation, to: Action) -> Change {
    match relation.foreign_key() {
        Some(old) => {
            let new =
                ForeignKey { on_delete: to, set_columns: Vec::new(), enforced: true, disabled: None, ..old.clone() };
            Change::ReplaceForeignKey { table: relation.child.clone(), old: old.clone(), new }
        }
        None => {
            let mut foreign_key =
                ForeignKey::new(relation.columns.clone(), relation.parent.clone(), relation.parent_columns.clone());
            foreign_key.on_delete = to;
            Change::AddForeignKey { table: relation.child.clone(), foreign_key }
        }
    }
}
