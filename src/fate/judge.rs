//! The decision: what every link does in a delete from one root, and what that makes of the root.
//!
//! A check refuses unless the child row is out of its way: deleted by a cascade, or no longer referring because another key
//! set a shared column to NULL. Whether that can happen is read off the network; whether it happens in time is a question
//! to `paths`. Where keys that change the same columns meet, the rows' own order decides, and the ruling says only what is
//! certain then: that without a row of the given shape nothing is refused.

use std::collections::BTreeSet;

use super::engines::When;
use super::net::{Act, Net};
use super::paths::{Before, compare, forced};
use super::walk::Walk;
use super::{Effect, Verdict};
use crate::schema::Action;

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
    /// The table whose broken key stops the statement before it starts.
    pub broken: Option<usize>,
}

pub(crate) fn judge(net: &Net<'_>, root: usize) -> Judgement {
    let walk = Walk::new(net, root);
    let broken = walk.reached.iter().copied().find(|&t| net.broken[t].is_some());
    let mut bench = Bench { net, walk: &walk, setters: Vec::new(), unsure: Vec::new(), rulings: Vec::new() };
    bench.setters = bench.find_setters();
    bench.find_unsure();
    for at in 0..walk.reached.len() {
        for &i in &net.below[walk.reached[at]] {
            let ruling = bench.rule(i);
            bench.rulings.push(ruling);
        }
    }
    bench.ripple();
    bench.changed_twice();
    bench.depth();
    if bench.unsure.contains(&Unsure::Wild) {
        // A default can be the very key that goes, and bring a row back under a key that had nothing to do with it.
        bench.rulings.iter_mut().for_each(|r| r.exact = false);
    }
    let rulings = bench.rulings;
    let (verdict, today) = if broken.is_some() { (Verdict::Fails, None) } else { sum_up(&rulings) };
    Judgement { rulings, verdict, today, broken, walk }
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

struct Bench<'n, 's> {
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

impl Bench<'_, '_> {
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

    fn check(&self, ruling: &mut Ruling, when: When, unsure: Unsure, fails: bool) {
        let net = self.net;
        let l = &net.links[ruling.link];
        let (surely, perhaps) =
            if fails { (Effect::Fails, Effect::MayFail) } else { (Effect::Refuses, Effect::MayRefuse) };
        let setters: Vec<usize> = self
            .setters
            .iter()
            .copied()
            .filter(|&s| s != ruling.link && net.links[s].child == l.child && l.shares_column(&net.links[s].changed))
            .collect();
        let in_the_way = net.semantics.ancestors_in_the_way && !l.clustered;
        let inexact = |ruling: &mut Ruling| {
            ruling.effect = perhaps;
            ruling.order_decides = true;
            ruling.exact = false;
            // While a default may bring in new references, nothing can be counted beforehand.
            let wild = self.unsure.contains(&Unsure::Wild);
            ruling.shape = if wild { Shape::Unknown } else { Shape::Referring { but_root: !in_the_way } };
        };
        if unsure != Unsure::No {
            return inexact(ruling);
        }
        let alone = !self.walk.loses_rows(l.child) && setters.is_empty();
        if self.is_written_first(ruling.link, when, alone) {
            return inexact(ruling);
        }
        if alone {
            ruling.effect = surely;
            ruling.shape = Shape::Survivors(Vec::new());
            return;
        }
        let only_root = l.child == self.walk.root && !self.walk.returns_to_root(net) && setters.is_empty();
        if only_root && l.parent == self.walk.root {
            // The one row that cannot stop it is the deleted row itself, and on InnoDB even that does.
            ruling.effect = surely;
            ruling.shape = Shape::Referring { but_root: !in_the_way };
            return;
        }
        // A child row that is itself above the row being checked is under deletion, wherever else it is reached from.
        let above = in_the_way && self.walk.leads(net, l.child, l.parent);
        if above && !only_root {
            return inexact(ruling);
        }
        let removes = |i: usize| self.walk.cascades(i) || setters.contains(&i);
        let bound = |i: usize| removes(i) && net.links[i].columns().all(|c| l.columns().any(|own| own == c));
        let may_be_forced = net.above[l.child].iter().any(|&i| i != ruling.link && bound(i));
        // What each path leaves to the check once the rows that cannot be there any more are left out.
        let matters = may_be_forced || when != When::End;
        let mut open = if matters { self.walk.paths(net, l.parent, MOST_PATHS) } else { None };
        let mut order_decides = false;
        if let (Some(paths), true) = (&mut open, may_be_forced) {
            paths.retain(|path| {
                let steps: Vec<usize> = path.iter().copied().chain([ruling.link]).collect();
                let befores: Vec<Before> = forced(net, path, ruling.link, &removes)
                    .iter()
                    .map(|escape| compare(net, when, escape, &steps, true))
                    .collect();
                if befores.contains(&Before::Always) {
                    return false;
                }
                order_decides |= befores.iter().any(|b| matches!(b, Before::Today | Before::NotToday));
                !befores.contains(&Before::Today)
            });
            if paths.is_empty() {
                ruling.effect = Effect::Harmless;
                ruling.order_decides = order_decides;
                return;
            }
        }
        if when == When::End || (only_root && !net.semantics.ancestors_in_the_way) {
            ruling.effect = perhaps;
            ruling.shape = Shape::Survivors(setters);
            return;
        }
        if only_root && in_the_way && !self.walk.reached.iter().any(|&t| self.enters_late(t)) {
            ruling.effect = surely;
            ruling.shape = Shape::Referring { but_root: false };
            return;
        }
        if matches!(when, When::Queue | When::Queued) && self.always_earlier(l.child, l.parent, &setters) {
            ruling.effect = perhaps;
            ruling.shape = Shape::Survivors(setters);
            return;
        }
        let Some(paths) = open else { return inexact(ruling) };
        let Some(escapes) = self.escapes(l.child, &setters) else { return inexact(ruling) };
        if paths.len() * escapes.len() > MOST_PATHS * 4 {
            return inexact(ruling);
        }
        let mut cases = Vec::new();
        let mut refuses = false;
        for path in paths {
            let steps: Vec<usize> = path.iter().copied().chain([ruling.link]).collect();
            let mut in_time = Vec::new();
            for escape in &escapes {
                match compare(net, when, escape, &steps, false) {
                    Before::Always => in_time.push(escape.clone()),
                    Before::Never => {}
                    Before::Today => {
                        order_decides = true;
                        in_time.push(escape.clone());
                    }
                    Before::NotToday => order_decides = true,
                    Before::Rows => return inexact(ruling),
                }
            }
            refuses |= in_time.is_empty();
            cases.push((path, in_time));
        }
        ruling.effect = if refuses { surely } else { perhaps };
        ruling.order_decides = order_decides;
        ruling.shape = Shape::Late(cases);
    }

    /// Tells whether links that leave a `MATCH FULL` reference NULL in part bear on this one: their rows are changed at once, and
    /// the change is checked later, if the row is still there and still NULL in part. `alone`: nothing else removes the rows or
    /// sets them free.
    fn is_written_first(&self, link: usize, when: When, alone: bool) -> bool {
        let net = self.net;
        let l = &net.links[link];
        let beside = |link: usize| {
            let acts =
                move |o: &usize| *o != link && self.walk.loses_rows(net.links[*o].parent) && net.standing(*o).acts;
            net.above[net.links[link].child].iter().copied().filter(acts)
        };
        // The other columns become NULL as well, and nothing is left to object to.
        let made_whole = |link: usize| {
            let left = &net.links[link].left;
            beside(link).any(|o| {
                let other = &net.links[o];
                let writes = matches!(other.act, Act::Null | Act::Default) || !other.left.is_empty();
                writes && other.changed.iter().any(|c| left.contains(c))
            })
        };
        let frees = |o: usize| {
            let other = &net.links[o];
            !other.left.is_empty() && l.shares_column(&other.changed) && (!alone || made_whole(o))
        };
        let blind = when == When::End && !l.left.is_empty() && !alone;
        made_whole(link) || beside(link).any(|o| frees(o) || (blind && net.links[o].shares_column(&l.changed)))
    }

    /// Tells whether rows of a table are deleted through an index other than the clustered one (InnoDB).
    fn enters_late(&self, table: usize) -> bool {
        self.net.below[table].iter().any(|&i| self.net.links[i].order.0 && self.walk.cascades(i))
    }

    /// PostgreSQL: tells whether every way in which child rows go is shorter than every way to the check.
    fn always_earlier(&self, child: usize, parent: usize, setters: &[usize]) -> bool {
        let Some(check) = self.walk.depth[parent].map(|d| d + 1) else { return false };
        let deleted = !self.walk.loses_rows(child) || self.walk.longest[child].is_some_and(|longest| longest < check);
        let nulled =
            |&s: &usize| self.walk.longest[self.net.links[s].parent].is_some_and(|longest| longest + 1 < check);
        deleted && setters.iter().all(nulled)
    }

    /// Returns every chain that deletes a row of a table or sets one of these columns; `None` if there are too many.
    fn escapes(&self, child: usize, setters: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut all =
            if self.walk.loses_rows(child) { self.walk.paths(self.net, child, MOST_PATHS)? } else { Vec::new() };
        for &s in setters {
            let paths = self.walk.paths(self.net, self.net.links[s].parent, MOST_PATHS)?;
            all.extend(paths.into_iter().map(|mut p| {
                p.push(s);
                p
            }));
        }
        Some(all)
    }

    /// Follows what SET NULL does to keys that other tables refer to: there it is an update of the parent's key.
    fn ripple(&mut self) {
        let net = self.net;
        let mut seen: BTreeSet<(usize, Vec<u16>)> = BTreeSet::new();
        let mut open: Vec<(Vec<usize>, usize, Vec<u16>)> = Vec::new();
        for &s in &self.setters {
            open.push((vec![s], net.links[s].child, net.links[s].changed.clone()));
        }
        while let Some((chain, table, changed)) = open.pop() {
            if !seen.insert((table, changed.clone())) && chain.len() > 1 {
                continue;
            }
            for &h in &net.below[table] {
                let link = &net.links[h];
                if link.act == Act::Orphan || !link.pairs.iter().any(|p| changed.contains(&p.1)) {
                    continue;
                }
                let chain: Vec<usize> = chain.iter().copied().chain([h]).collect();
                let literal = chain.iter().any(|&i| net.links[i].act == Act::Default);
                let involved = chain.iter().flat_map(|&i| [net.links[i].child, net.links[i].parent]);
                let mut tables: Vec<usize> = involved.collect();
                tables.dedup();
                let plain = !literal
                    && link.twins.len() == 1
                    && link.child != table
                    && !self.walk.loses_rows(link.child)
                    && !self.walk.loses_rows(table)
                    && tables.iter().all(|&t| self.unsure(t) == Unsure::No)
                    && !self
                        .setters
                        .iter()
                        .any(|&s| net.links[s].child == link.child && link.shares_column(&net.links[s].changed));
                let (mut effect, mut columns) = (Effect::Nulls, link.changed_by_update(net, &changed));
                match link.on_update {
                    Act::Check(_) => effect = if plain { Effect::Refuses } else { Effect::MayRefuse },
                    _ if self.cannot_be_null(link.child, &columns) => {
                        effect = if plain { Effect::Fails } else { Effect::MayFail };
                    }
                    Act::Fail(_) => effect = if plain { Effect::Fails } else { Effect::MayFail },
                    Act::Default => columns.clear(),
                    _ => {}
                }
                let stops = !matches!(effect, Effect::Nulls);
                let unknown = literal || link.on_update == Act::Default;
                let meets = !stops
                    && net.above[link.child]
                        .iter()
                        .any(|&o| o != h && net.links[o].act != Act::Orphan && net.links[o].shares_column(&columns));
                let shape = match (unknown, stops) {
                    (true, _) => Shape::Unknown,
                    (false, true) => Shape::KeyTaken(chain.clone()),
                    (false, false) => Shape::Nothing,
                };
                let exact = plain && !unknown && !meets;
                self.rulings.push(Ruling { link: h, effect, order_decides: !exact, shape, exact });
                // A child row that lost its key this way is out of the way when its parent row goes, too.
                if unknown || meets || (!stops && self.walk.loses_rows(table)) {
                    self.blur(link.child, unknown);
                }
                if !stops && !unknown {
                    open.push((chain, link.child, columns));
                }
            }
        }
    }

    fn cannot_be_null(&self, table: usize, columns: &[u16]) -> bool {
        let Some(table) = self.net.table(table) else { return false };
        columns.iter().any(|&c| table.columns.get(usize::from(c)).is_some_and(|c| !c.nullable))
    }

    /// Takes back what was said about a table's links before it was known that its rows change otherwise, too.
    fn blur(&mut self, table: usize, wild: bool) {
        self.mark(table, if wild { Unsure::Wild } else { Unsure::Fewer });
        for at in 0..self.rulings.len() {
            let link = &self.net.links[self.rulings[at].link];
            if self.walk.loses_rows(link.parent)
                && (wild || self.unsure(link.child).max(self.unsure(link.parent)) != Unsure::No)
            {
                let again = self.rule(self.rulings[at].link);
                if self.rulings[at].shape != Shape::Unknown && !matches!(self.rulings[at].shape, Shape::KeyTaken(_)) {
                    self.rulings[at] = again;
                }
            }
        }
    }

    /// PostgreSQL: finds the keys that a row is checked by when a second key changes it, while their parent is gone and their
    /// own action has not had its turn.
    fn changed_twice(&mut self) {
        let net = self.net;
        if !net.semantics.rechecks_changed_rows {
            return;
        }
        let changes = |r: &&Ruling| matches!(r.effect, Effect::Nulls | Effect::SetsDefault);
        let mut changed: Vec<usize> = self.rulings.iter().filter(changes).map(|r| r.link).collect();
        changed.sort_unstable();
        changed.dedup();
        let mut tables: Vec<usize> = changed.iter().map(|&i| net.links[i].child).collect();
        tables.sort_unstable();
        tables.dedup();
        for k in tables.into_iter().flat_map(|t| net.above[t].iter().copied()) {
            let key = &net.links[k];
            if key.act == Act::Orphan || key.deferred || !self.walk.loses_rows(key.parent) {
                continue;
            }
            let others: Vec<usize> =
                changed.iter().copied().filter(|&s| s != k && net.links[s].child == key.child).collect();
            // The key's own action has had its turn if its parent was gone before the level of every change.
            let late = |&s: &usize| match (self.walk.longest[key.parent], self.walk.depth[net.links[s].parent]) {
                (Some(gone), Some(level)) => gone > level,
                _ => true,
            };
            if others.len() >= 2 && others.iter().any(late) {
                let shape = Shape::ChangedTwice;
                self.rulings.push(Ruling {
                    link: k,
                    effect: Effect::MayFail,
                    order_decides: true,
                    shape,
                    exact: false,
                });
            }
        }
    }

    /// Adds what follows from a limit on the depth of cascades.
    fn depth(&mut self) {
        let Some(limit) = self.net.semantics.cascade_limit else { return };
        let longest = |t: usize| self.walk.longest[t];
        let too_deep: Vec<Ruling> = self
            .rulings
            .iter()
            .filter(|r| matches!(r.effect, Effect::Deletes | Effect::Nulls))
            .filter(|r| longest(self.net.links[r.link].parent).is_none_or(|l| l >= limit))
            .map(|r| Ruling { effect: Effect::MayFail, shape: Shape::TooDeep(limit), exact: false, ..r.clone() })
            .collect();
        // One ruling says it: the first link whose chains are too long.
        self.rulings.extend(too_deep.into_iter().take(1));
    }
}

impl super::net::Link {
    /// Returns the columns that change when these columns of the parent become NULL.
    fn changed_by_update(&self, net: &Net<'_>, parent_changed: &[u16]) -> Vec<u16> {
        let key = net.graph.relations()[self.relation].foreign_key();
        let cascades = key.is_some_and(|k| k.on_update == Action::Cascade);
        self.pairs.iter().filter(|p| !cascades || parent_changed.contains(&p.1)).map(|p| p.0).collect()
    }
}
