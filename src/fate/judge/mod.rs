//! The decision: what every link does in a delete from one root, and what that makes of the root.
//!
//! A check refuses unless the child row is out of its way: deleted by a cascade, or no longer referring because another key
//! set a shared column to NULL. Whether that can happen is read off the network; whether it happens in time is a question
//! to `paths`. Where keys that change the same columns meet, the rows' own order decides, and the ruling says only what is
//! certain then: that without a row of the given shape nothing is refused.

mod check;
mod ripple;
mod unlike;

use super::engines::When;
use super::net::{Act, Net};
use super::walk::Walk;
use super::{Effect, Verdict};
use crate::relations::unlike::Unlike;

/// More chains of cascades between two tables than this are not told apart.
pub(super) const MOST_PATHS: usize = 200;

/// Which rows stop the delete.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// None.
    Nothing,
    /// Rows that refer to a deleted row, are not deleted, and are not set to NULL by one of these links.
    Survivors(Vec<usize>),
    /// Rows that refer to a deleted row along one of the chains and are removed along none of the chains beside it.
    Late(Vec<(Vec<usize>, Vec<Vec<usize>>)>),
    /// All rows that refer to a deleted row, the root row itself perhaps left out.
    Referring { but_root: bool },
    /// Rows whose default parent is missing or deleted.
    NoDefaultParent,
    /// Rows that refer, by this chain of links, to a row whose key a SET NULL takes away.
    KeyTaken(Vec<usize>),
    /// Rows that two other keys change, and that refer to a deleted row by this one when they are checked anew.
    ChangedTwice,
    /// Rows at the end of too long a chain.
    TooDeep(usize),
    /// SQLite: rows that a key's check and its action compare differently.
    ComparedUnlike(Unlike),
    /// Nothing short of the delete itself can tell.
    Unknown,
}

/// The decision about one link.
#[derive(Clone, Debug)]
pub(crate) struct Ruling {
    pub link: usize,
    /// What the link does.
    pub effect: Effect,
    /// Whether another firing order would decide otherwise.
    pub order_decides: bool,
    pub shape: Shape,
    /// Whether the delete fails exactly when there are rows of this shape.
    pub exact: bool,
}

impl Ruling {
    /// Returns what the delete comes to if there is nothing but this link, in today's order.
    pub fn verdict(&self) -> Verdict {
        match self.effect {
            Effect::Fails => Verdict::Fails,
            Effect::Refuses => Verdict::Refused,
            Effect::MayRefuse | Effect::MayFail => Verdict::DependsOnData,
            Effect::SetsDefault if self.shape != Shape::Nothing => Verdict::DependsOnData,
            Effect::LeavesOrphans => Verdict::LeavesOrphans,
            Effect::Nulls | Effect::SetsDefault => Verdict::LeavesRows,
            Effect::Deletes | Effect::Harmless | Effect::Shadowed => Verdict::Complete,
        }
    }
}

/// The decision about one root.
pub(crate) struct Judgement {
    pub walk: Walk,
    pub rulings: Vec<Ruling>,
    pub verdict: Verdict,
    pub today: Option<Verdict>,
    /// SQLite: a key that changes rows, and one by which their table refers to itself: orphans by the second stop the first.
    pub rechecked: Vec<(usize, usize)>,
    /// The table whose broken key stops the statement before it starts.
    pub broken: Option<usize>,
}

pub(crate) fn judge(net: &Net<'_>, root: usize) -> Judgement {
    let walk = Walk::new(net, root);
    let broken = walk.reached.iter().copied().find(|&t| net.broken[t].is_some());
    let mut judging = Judging { net, walk: &walk, setters: Vec::new(), unsure: Vec::new(), rulings: Vec::new() };
    judging.setters = judging.find_setters();
    judging.find_unsure();
    for at in 0..walk.reached.len() {
        for &i in &net.below[walk.reached[at]] {
            let ruling = judging.rule(i);
            judging.rulings.push(ruling);
        }
    }
    judging.ripple();
    judging.changed_twice();
    judging.depth();
    judging.compared_unlike();
    if judging.unsure.contains(&Unsure::Wild) {
        // A default can be the very key that goes, and bring a row back under a key that had nothing to do with it.
        judging.rulings.iter_mut().for_each(|r| r.exact = false);
    }
    let rechecked = judging.rechecked();
    let rulings = judging.rulings;
    let (verdict, today) = if broken.is_some() { (Verdict::Fails, None) } else { sum_up(&rulings) };
    Judgement { rulings, verdict, today, rechecked, broken, walk }
}

fn sum_up(rulings: &[Ruling]) -> (Verdict, Option<Verdict>) {
    let worst = |keep: &dyn Fn(&&Ruling) -> bool| {
        rulings.iter().filter(keep).map(Ruling::verdict).max().unwrap_or(Verdict::Complete)
    };
    let certain = worst(&|r| !r.order_decides);
    if certain >= Verdict::Refused || !rulings.iter().any(|r| r.order_decides) {
        return (certain, None);
    }
    let today = rulings.iter().all(|r| r.exact || !r.order_decides).then(|| worst(&|_| true));
    (Verdict::DependsOnOrder, today)
}

struct Judging<'n, 's> {
    net: &'n Net<'s>,
    walk: &'n Walk,
    /// The links that set columns in this delete.
    setters: Vec<usize>,
    /// By table: whether keys that change the same columns meet on its rows, or above them.
    unsure: Vec<Unsure>,
    rulings: Vec<Ruling>,
}

/// How much is certain about the rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Unsure {
    #[default]
    No,
    /// Fewer rows may be deleted than cascades lead to.
    Fewer,
    /// Rows may come to refer to others than they did.
    Wild,
}

impl Judging<'_, '_> {
    fn find_setters(&self) -> Vec<usize> {
        let below = self.walk.reached.iter().flat_map(|&t| &self.net.below[t]);
        let sets = |i: &usize| matches!(self.net.links[*i].act, Act::Null | Act::Default) && self.net.standing(*i).acts;
        below.copied().filter(sets).collect()
    }

    fn unsure(&self, table: usize) -> Unsure {
        self.unsure.get(table).copied().unwrap_or_default()
    }

    fn mark(&mut self, table: usize, how: Unsure) {
        if self.unsure.is_empty() {
            self.unsure = vec![Unsure::No; self.net.tables.len()];
        }
        let mut open = vec![table];
        while let Some(t) = open.pop() {
            if self.unsure[t] < how {
                self.unsure[t] = how;
                let cascades = self.net.below[t].iter().filter(|&&i| self.walk.cascades(i));
                open.extend(cascades.map(|&i| self.net.links[i].child));
            }
        }
    }

    fn find_unsure(&mut self) {
        let net = self.net;
        for s in self.setters.clone() {
            let setter = &net.links[s];
            for &f in &net.above[setter.child] {
                let other = &net.links[f];
                if f == s || other.act == Act::Orphan || !other.shares_column(&setter.changed) {
                    continue;
                }
                // A row that a literal default is put into refers anew, by every key on that column.
                if setter.act == Act::Default {
                    self.mark(setter.child, Unsure::Wild);
                    continue;
                }
                if setter.twins.contains(&f) || !self.walk.loses_rows(other.parent) {
                    continue;
                }
                match other.act {
                    Act::Delete | Act::Default => self.mark(setter.child, Unsure::Fewer),
                    Act::Null if other.changed != setter.changed => self.mark(setter.child, Unsure::Fewer),
                    _ => {}
                }
            }
            let default_may_go = setter.parent != self.walk.root || self.walk.returns_to_root(net);
            if setter.act == Act::Default
                && self.walk.loses_rows(setter.child)
                && (default_may_go || net.semantics.contradiction == When::Queue)
            {
                self.mark(setter.child, Unsure::Fewer);
            }
        }
    }

    fn rule(&self, link: usize) -> Ruling {
        let net = self.net;
        let l = &net.links[link];
        let standing = net.standing(link);
        let mut ruling =
            Ruling { link, effect: Effect::Deletes, order_decides: false, shape: Shape::Nothing, exact: true };
        if !standing.acts {
            ruling.effect = Effect::Shadowed;
            ruling.order_decides = standing.order_decides;
            // A row under deletion is passed over by the key that acts first, and found by the one that checks after it.
            let refuses = matches!(l.act, Act::Check(When::Descent) | Act::Fail(When::Descent));
            if refuses && net.semantics.ancestors_in_the_way && !l.clustered && self.walk.leads(net, l.child, l.parent)
            {
                ruling.effect = if matches!(l.act, Act::Fail(_)) { Effect::MayFail } else { Effect::MayRefuse };
                ruling.order_decides = true;
                ruling.exact = false;
                ruling.shape = Shape::Referring { but_root: false };
            }
            return ruling;
        }
        let unsure = self.unsure(l.child).max(self.unsure(l.parent));
        match l.act {
            Act::Delete | Act::Null => {
                ruling.effect = if l.act == Act::Delete { Effect::Deletes } else { Effect::Nulls };
                ruling.exact = unsure == Unsure::No;
                ruling.order_decides = !ruling.exact;
            }
            Act::Orphan => ruling.effect = Effect::LeavesOrphans,
            Act::Default => {
                ruling.effect = Effect::SetsDefault;
                ruling.shape = Shape::NoDefaultParent;
                ruling.exact = unsure == Unsure::No;
                ruling.order_decides = !ruling.exact;
                if !ruling.exact {
                    ruling.shape = Shape::Unknown;
                }
            }
            Act::Check(when) => self.check(&mut ruling, when, unsure, false),
            Act::Fail(when) => self.check(&mut ruling, when, unsure, true),
        }
        ruling.order_decides |= standing.order_decides;
        ruling
    }
}
