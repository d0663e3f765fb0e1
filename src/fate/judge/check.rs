//! A key that refuses: whether its child rows are out of its way, surely or perhaps, and in time.

use super::super::engines::When;
use super::super::net::Act;
use super::super::paths::{Before, compare, forced};
use super::{Effect, Judging, MOST_PATHS, Ruling, Shape, Unsure};

impl Judging<'_, '_> {
    pub(super) fn check(&self, ruling: &mut Ruling, when: When, unsure: Unsure, fails: bool) {
        let net = self.net;
        let l = &net.links[ruling.link];
        let (surely, perhaps) =
            if fails { (Effect::Fails, Effect::MayFail) } else { (Effect::Refuses, Effect::MayRefuse) };
        // Below a cascade to one partition no row of another goes: whether any row gets here is not told apart.
        let some = l.parent != self.walk.root && self.walk.is_partial(net);
        let surely = if some { perhaps } else { surely };
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
}
