//! The smallest fix of a delete: which keys must act otherwise so that it comes to what is asked for.
//!
//! Worked out to the fixed point: a key that cascades from now on brings new tables within reach, whose own keys may block. Done
//! twice: with what needs no decision alone, and with what a person may decide. Of the first only what helps by itself is
//! *automatic*: what opens a way to another blocker is not. At the end every change is taken back once, and stays out if the
//! delete comes to the same without it. `propose` says what each relation shall do. Nothing is changed for a relation that is
//! only guessed, and the verdict afterwards is the one with it as it is.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::choices::{Choosable, Ground, changes, choices};
use super::guessed::{self, GuessedRelation};
use super::judge::{Judgement, Ruling, Shape, judge};
use super::net::{Act, Net};
use super::propose::{Proposal, propose};
use super::reach::Reach;
use super::{Demands, Effect, NewlyDeleted, Options, Verdict, report};
use crate::change::Change;
use crate::engine;
use crate::relations::{Graph, Relation};
use crate::schema::{Action, Schema, TableName};

/// What a fix is to reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Every delete succeeds and nothing stays behind, not even rows that are meant to: each of these is for a person to decide.
    Complete,
    /// Every delete succeeds; references that can do without their parent become NULL.
    #[default]
    LeavesRows,
}

impl Goal {
    fn reached(self, verdict: Verdict) -> bool {
        verdict <= if self == Self::Complete { Verdict::Complete } else { Verdict::LeavesRows }
    }
}

/// The smallest fix of a delete.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Repair {
    /// What it was to reach.
    pub goal: Goal,
    /// What a delete comes to after all changes, those that a person has to decide among them. Rows that only a guess says are
    /// left behind count.
    pub verdict: Verdict,
    /// The same by what is known alone.
    pub known_verdict: Verdict,
    /// What a delete comes to, by what is known, after the automatic changes and the first choice of each other relation.
    #[serde(skip)]
    #[schemars(skip)]
    pub if_chosen: Verdict,
    /// What a delete comes to after the automatic changes alone, by what is known.
    pub automatic: Verdict,
    /// The changes: the automatic ones first, then nearest to the root first.
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
    /// The action that reaches the goal; `None` where none can be proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Action>,
    /// The action that the table's shape speaks for.
    pub recommended: Action,
    /// Why that one.
    pub reason: String,
    /// Whether it blocks the delete. Otherwise it only leaves rows behind.
    pub blocks: bool,
    /// Whether a person has to decide it.
    pub decide: bool,
    /// Whether it is made without anybody's decision: it helps by itself. One that is neither follows from a decision.
    pub automatic: bool,
    /// The shortest chain of relations from the root to it, itself last.
    pub path: Vec<String>,
    /// In which round it came up: 1 blocks as things are, 2 only after the changes of round 1, and so on.
    pub round: usize,
    /// What deletes newly delete by this change, after those before it.
    pub newly_deletes: Vec<NewlyDeleted>,
    /// What else can be done, or all there is where a person has to decide; what destroys least first.
    pub choices: Vec<Choosable>,
    /// The statements that make the change; empty where single statements cannot (SQLite rebuilds the table).
    pub sql: Vec<String>,
    /// The changes to the schema.
    #[serde(skip)]
    #[schemars(skip)]
    pub changes: Vec<Change>,
}

pub(super) fn repair(net: &Net<'_>, root: usize, goal: Goal, options: &Options) -> Repair {
    let (whole, known) = (net, net.without_guesses());
    let net = &known;
    let demands = &options.demands;
    if net.engine.facts().keys.enforced_by_connection && !options.foreign_keys {
        // No key acts, so no change of keys helps.
        let verdict = judge(net, root).verdict;
        return Repair {
            goal,
            verdict,
            known_verdict: verdict,
            if_chosen: verdict,
            automatic: verdict,
            changes: Vec::new(),
            guessed: Vec::new(),
        };
    }
    let mut alone = Search::new(net, root, Goal::LeavesRows, demands);
    alone.run(true);
    alone.keep_what_helps();
    alone.make_nothing_worse();
    let mut all = match goal {
        Goal::LeavesRows => alone.clone(),
        Goal::Complete => Search::new(net, root, goal, demands),
    };
    all.settled = all.changed.len();
    all.run(false);
    all.leave_the_rest();
    let automatic = |want: &Wanted| {
        alone.changed.iter().any(|a| a.link == want.link && a.proposal.to == want.proposal.to) && !want.proposal.decide
    };
    let (mut first, rest): (Vec<Wanted>, Vec<Wanted>) = all.changed.iter().cloned().partition(automatic);
    let count = first.len();
    first.extend(rest);
    let mut trial = net.clone();
    let mut scratch = net.clone();
    let mut then = all.trial.clone();
    let can_break = net.broken.iter().any(Option::is_some);
    let mut reach = Reach::of_net(&trial);
    let mut changes = Vec::new();
    for (at, want) in first.into_iter().enumerate() {
        apply(&mut trial, want.link, &want.proposal);
        let further = reach.again(&trial);
        let mut repaired = describe(net, (&all, &mut scratch, &mut then, &reach), want, at < count);
        repaired.newly_deletes = reach.to(&further);
        if can_break && judge(&trial, root).broken.is_some() {
            // A delete that fails takes nothing with it.
            repaired.newly_deletes.iter_mut().for_each(|n| n.from.retain(|t| t != net.tables[root]));
            repaired.newly_deletes.retain(|n| !n.from.is_empty());
        }
        reach = further;
        changes.push(repaired);
    }
    let made = |keep: &dyn Fn(&&Repaired) -> bool| -> Vec<Change> {
        changes.iter().filter(keep).flat_map(|c| c.changes.iter().cloned()).collect()
    };
    // Where a person decides, what is listed first.
    let taken = |c: &Repaired| match c.choices.first() {
        Some(first) if !c.automatic => first.changes.clone(),
        _ => c.changes.clone(),
    };
    let every: Vec<Change> = changes.iter().flat_map(taken).collect();
    let (all_made, automatically) = (made(&|_| true), made(&|c| c.automatic));
    let (verdict, known_verdict) = verdicts_after(net, root, &all_made);
    // Often there are none, or they are the same.
    let known_after = |wanted: &[Change]| match () {
        () if *wanted == all_made => known_verdict,
        () if wanted.is_empty() => judge(net, root).verdict,
        () => verdicts_after(net, root, wanted).1,
    };
    let (if_chosen, automatic) = (known_after(&every), known_after(&automatically));
    let (_, guessed) = guessed::weigh(whole, &all.trial, root);
    Repair { goal, verdict, known_verdict, if_chosen, automatic, changes, guessed }
}

impl Repair {
    /// Says what a delete comes to if nothing is guessed right, and after which of the changes.
    pub fn without_guesses(&self) -> (&'static str, Verdict) {
        match () {
            () if self.changes.is_empty() => ("", self.known_verdict),
            () if self.changes.iter().all(|c| c.automatic) => ("after these changes ", self.known_verdict),
            () => ("with the first choice of each relation ", self.if_chosen),
        }
    }
}

/// Returns what a delete comes to in the schema that the changes lead to, with what is guessed and without.
fn verdicts_after(net: &Net<'_>, root: usize, changes: &[Change]) -> (Verdict, Verdict) {
    in_schema_after(net, changes, |after| {
        let number = after.tables.binary_search(&net.tables[root]).unwrap_or(root);
        (judge(after, number).verdict, judge(&after.without_guesses(), number).verdict)
    })
}

/// Asks the network of the schema that changes lead to.
pub(super) fn in_schema_after<T>(net: &Net<'_>, changes: &[Change], ask: impl FnOnce(&Net<'_>) -> T) -> T {
    let mut schema = net.schema.clone();
    for change in changes {
        // What does not fit is told by whoever carries it out.
        let _ = change.apply(&mut schema);
    }
    let graph = graph_of(&schema, net.graph);
    ask(&Net::new(&schema, &graph, true))
}

/// Returns the relations of a changed schema: what it declares, and what else was known.
fn graph_of(schema: &Schema, known: &Graph) -> Graph {
    let mut all: Vec<Relation> = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k)).collect();
    let same = |a: &Relation, b: &Relation| (&a.child, &a.columns, &a.parent) == (&b.child, &b.columns, &b.parent);
    let others = known.relations().iter().filter(|r| !r.is_declared() && !all.iter().any(|a| same(a, r)));
    let others: Vec<Relation> = others.cloned().collect();
    all.extend(others);
    Graph::from_relations(schema, all)
}

/// A link that has to act otherwise.
#[derive(Clone)]
struct Wanted {
    link: usize,
    round: usize,
    blocks: bool,
    path: Vec<String>,
    proposal: Proposal,
}

/// The changes that were tried, one after the other.
#[derive(Clone)]
struct Search<'n, 's> {
    net: &'n Net<'s>,
    root: usize,
    goal: Goal,
    demands: &'n Demands,
    trial: Net<'s>,
    changed: Vec<Wanted>,
    /// So many of them stay, whatever else there is.
    settled: usize,
}

impl<'n, 's> Search<'n, 's> {
    fn new(net: &'n Net<'s>, root: usize, goal: Goal, demands: &'n Demands) -> Self {
        Self { net, root, goal, demands, trial: net.clone(), changed: Vec::new(), settled: 0 }
    }

    /// Changes what is in the way until nothing is that can be changed; without what a person has to decide, if told so.
    fn run(&mut self, automatic: bool) {
        for round in 1..=self.net.links.len() + 1 {
            let judged = judge(&self.trial, self.root);
            let mut wants = self.chosen(&judged, round);
            if !self.goal.reached(judged.verdict) {
                wants.extend(wanted(&self.trial, &judged, self.goal, round));
            }
            let mut progress = false;
            for mut want in wants {
                // Of keys on the same columns one at a time: when it acts, the others may have nothing left to block.
                let twin = |c: &Wanted| c.round == round && self.trial.links[want.link].twins.contains(&c.link);
                if self.changed.iter().any(|c| c.link == want.link || twin(c)) {
                    continue;
                }
                want.proposal = propose(self.net, want.link, self.goal, self.demands);
                if want.proposal.to.is_none() || (automatic && want.proposal.decide) {
                    continue;
                }
                apply(&mut self.trial, want.link, &want.proposal);
                self.changed.push(want);
                progress = true;
            }
            if !progress {
                break;
            }
        }
        self.take_back();
    }

    /// Returns the relations within reach that somebody chose another action for, whether they block or not.
    fn chosen(&self, judged: &Judgement, round: usize) -> Vec<Wanted> {
        let chosen = |&link: &usize| {
            let l = &self.trial.links[link];
            let relation = &self.trial.graph.relations()[l.relation];
            let asked = self.demands.asked_of(relation).filter(|a| a.by_choice);
            judged.walk.loses_rows(l.parent) && asked.is_some_and(|a| relation.on_delete != a.actions.first().copied())
        };
        let of = |link: usize| {
            let mut links = judged.walk.path(&self.trial, self.trial.links[link].parent);
            links.push(link);
            Wanted { link, round, blocks: false, path: sides(&self.trial, &links), proposal: Proposal::default() }
        };
        let mut all: Vec<Wanted> = (0..self.trial.links.len()).filter(chosen).map(of).collect();
        for want in &mut all {
            want.blocks = judged.rulings.iter().any(|r| r.link == want.link && r.effect.can_stop());
        }
        all
    }

    /// Judges the delete as it is without one of the changes.
    fn judge_without(&mut self, at: usize) -> Judgement {
        let link = self.changed[at].link;
        let changed = std::mem::replace(&mut self.trial.links[link], self.net.links[link].clone());
        let judged = judge(&self.trial, self.root);
        self.trial.links[link] = changed;
        judged
    }

    fn stay_out(&mut self, at: usize) {
        let link = self.changed.remove(at).link;
        self.trial.links[link] = self.net.links[link].clone();
    }

    /// Takes every change back once; decisions first, so that as few as possible are left.
    fn take_back(&mut self) {
        let mut now = judge(&self.trial, self.root);
        for decisions in [true, false] {
            for at in (self.settled..self.changed.len()).rev() {
                let proposal = &self.changed[at].proposal;
                if proposal.decide != decisions || proposal.chosen {
                    continue;
                }
                let then = self.judge_without(at);
                let no_worse = then.verdict <= now.verdict;
                if no_worse && stoppers(&then, self.goal).is_subset(&stoppers(&now, self.goal)) {
                    self.stay_out(at);
                    now = then;
                }
            }
        }
    }

    /// Judges the delete with what somebody chose and with nothing else: what that opens is no other change's fault.
    fn judge_choices(&self) -> Judgement {
        let mut net = self.net.clone();
        self.changed.iter().filter(|c| c.proposal.chosen).for_each(|c| apply(&mut net, c.link, &c.proposal));
        judge(&net, self.root)
    }

    /// Leaves out the changes that open a way to what nothing resolves: a key that cascades into a blocker helps nobody.
    fn keep_what_helps(&mut self) {
        let known = stoppers(&self.judge_choices(), self.goal);
        let before = self.changed.len();
        loop {
            let judged = judge(&self.trial, self.root);
            let is_new = |r: &&Ruling| is_in_the_way(r, self.goal) && !known.contains(&r.link);
            let Some(opened) = judged.rulings.iter().find(is_new) else { break };
            let path = report::path(&self.trial, &judged, opened);
            // Those further down only became blockers themselves by the one that was there before.
            let on_path = |c: &Wanted| path.contains(&c.link) && known.contains(&c.link) && !c.proposal.chosen;
            let culprit = self.changed.iter().rposition(on_path);
            let Some(at) = culprit.or_else(|| self.changed.iter().rposition(|c| !c.proposal.chosen)) else { break };
            self.stay_out(at);
        }
        if self.changed.len() < before {
            self.take_back();
        }
    }

    /// Leaves out what makes a delete come to something worse than it does by what was chosen alone.
    fn make_nothing_worse(&mut self) {
        let before = self.judge_choices().verdict;
        while judge(&self.trial, self.root).verdict > before {
            let Some(at) = self.changed.iter().rposition(|c| !c.proposal.chosen) else { break };
            self.stay_out(at);
        }
    }

    /// Adds what is still in the way, for a person to decide.
    fn leave_the_rest(&mut self) {
        let judged = judge(&self.trial, self.root);
        if self.goal.reached(judged.verdict) {
            return;
        }
        for mut want in wanted(&self.trial, &judged, self.goal, 1) {
            if self.changed.iter().any(|c| c.link == want.link) {
                continue;
            }
            let proposal = propose(self.net, want.link, self.goal, self.demands);
            want.round = want.path.len();
            want.proposal = Proposal { to: None, decide: true, reason: proposal.reason, ..Proposal::default() };
            self.changed.push(want);
        }
    }
}

fn sides(net: &Net<'_>, links: &[usize]) -> Vec<String> {
    links.iter().map(|&i| net.graph.relations()[net.links[i].relation].child_side()).collect()
}

/// Has a link do what is proposed.
pub(super) fn apply(net: &mut Net<'_>, number: usize, proposal: &Proposal) {
    let act = match proposal.to {
        Some(Action::Cascade) => Act::Delete,
        Some(Action::SetNull) => Act::Null,
        Some(Action::SetDefault) => Act::Default,
        Some(Action::NoAction | Action::Restrict) | None => return,
    };
    let numbers: Vec<u16> = net.table(net.links[number].child).map_or(Vec::new(), |table| {
        let place = |c: &String| table.columns.iter().position(|o| o.name == *c).and_then(|i| u16::try_from(i).ok());
        proposal.set_columns.iter().filter_map(place).collect()
    });
    let link = &mut net.links[number];
    link.act = act;
    link.contradiction = None;
    link.left = Vec::new();
    if act == Act::Null {
        link.changed = if numbers.is_empty() { link.columns().collect() } else { numbers };
        link.changed.sort_unstable();
    }
}

fn is_in_the_way(ruling: &Ruling, goal: Goal) -> bool {
    match ruling.effect {
        Effect::Deletes | Effect::Harmless => false,
        Effect::Shadowed => ruling.order_decides,
        Effect::Nulls => goal == Goal::Complete || ruling.order_decides,
        Effect::SetsDefault => goal == Goal::Complete || ruling.shape != Shape::Nothing,
        Effect::Refuses | Effect::MayRefuse | Effect::Fails | Effect::MayFail | Effect::LeavesOrphans => true,
    }
}

/// Returns the links that are in the way of a goal.
fn stoppers(judged: &Judgement, goal: Goal) -> BTreeSet<usize> {
    judged.rulings.iter().filter(|r| is_in_the_way(r, goal)).map(|r| r.link).collect()
}

/// Returns the links between the root and the goal that another action may help, nearest first.
fn wanted(net: &Net<'_>, judged: &Judgement, goal: Goal, round: usize) -> Vec<Wanted> {
    let can_help = |r: &&Ruling| {
        is_in_the_way(r, goal) && !(r.effect.can_stop() && matches!(r.shape, Shape::TooDeep(_) | Shape::ChangedTwice))
    };
    let mut links: Vec<Wanted> = judged
        .rulings
        .iter()
        .filter(can_help)
        .map(|r| {
            let path = report::path(net, judged, r);
            let link = if let Shape::KeyTaken(chain) = &r.shape { chain[0] } else { r.link };
            let leaves = matches!(r.effect, Effect::Nulls | Effect::LeavesOrphans) && !r.order_decides;
            Wanted {
                link,
                round,
                blocks: !leaves && (r.effect != Effect::SetsDefault || r.shape != Shape::Nothing),
                path: sides(net, &path),
                proposal: Proposal::default(),
            }
        })
        .collect();
    links.sort_by_key(|w| (w.path.len(), net.links[w.link].order, w.link));
    links
}

/// Describes a change. `scratch` is the net as it is, `then` the one with all changes, and both are left so.
fn describe<'s>(
    net: &Net<'s>,
    (all, scratch, then, reach): (&Search<'_, 's>, &mut Net<'s>, &mut Net<'s>, &Reach),
    want: Wanted,
    automatic: bool,
) -> Repaired {
    let Wanted { link, round, blocks, path, proposal } = want;
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let changes = proposal.to.map_or_else(Vec::new, |to| changes(relation, to, &proposal));
    let enforced = l.act != Act::Orphan;
    let sql: Option<Vec<Vec<String>>> =
        engine::dialect(net.engine).and_then(|d| changes.iter().map(|c| d.sql_for(c, net.schema)).collect());
    // What somebody chose is not what the shape speaks for.
    let shape = proposal.chosen.then(|| propose(net, link, Goal::default(), &Demands::default()));
    let spoken = shape.as_ref().unwrap_or(&proposal);
    let recommended = match spoken.to {
        Some(Action::Cascade) if !spoken.decide => Action::Cascade,
        _ if relation.nullable => Action::SetNull,
        _ => Action::Restrict,
    };
    // What leads to it acts as it will.
    let above = &path[..path.len().saturating_sub(1)];
    let leads = |&at: &usize| at != link && above.contains(&net.graph.relations()[net.links[at].relation].child_side());
    let leading: Vec<usize> = all.changed.iter().map(|c| c.link).filter(leads).collect();
    leading.iter().for_each(|&at| scratch.links[at].clone_from(&all.trial.links[at]));
    let before = reach.again(scratch);
    let mut ground = Ground { root: all.root, before: scratch, reach: &before, then };
    let choices = choices(net, &mut ground, link, &proposal);
    leading.iter().for_each(|&at| scratch.links[at].clone_from(&net.links[at]));
    Repaired {
        child: relation.child.clone(),
        columns: relation.columns.clone(),
        parent: relation.parent.clone(),
        name: relation.foreign_key().and_then(|k| k.name.clone()),
        from: relation.foreign_key().filter(|_| enforced).map(|k| k.on_delete),
        to: proposal.to,
        recommended,
        blocks,
        decide: proposal.decide,
        automatic,
        path,
        round,
        newly_deletes: Vec::new(),
        choices,
        sql: sql.unwrap_or_default().concat(),
        changes,
        reason: proposal.reason,
    }
}
