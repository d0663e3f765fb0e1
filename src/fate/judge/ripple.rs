//! What follows from what a delete changes: keys that refer to a column that became NULL, rows that two keys change, and chains
//! that are too long.

use std::collections::BTreeSet;

use super::super::net::{Act, Net};
use super::{Effect, Judging, Ruling, Shape, Unsure};
use crate::schema::Action;

impl Judging<'_, '_> {
    /// Follows what SET NULL does to keys that other tables refer to: there it is an update of the parent's key.
    pub(super) fn ripple(&mut self) {
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
                let partial = chain.iter().any(|&i| net.links[i].is_partial());
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
                // A partition's rows may be no rows of the next link's.
                let sure = plain && !partial;
                let (mut effect, mut columns) = (Effect::Nulls, link.changed_by_update(net, &changed));
                match link.on_update {
                    Act::Check(_) => effect = if sure { Effect::Refuses } else { Effect::MayRefuse },
                    _ if self.cannot_be_null(link.child, &columns) => {
                        effect = if sure { Effect::Fails } else { Effect::MayFail };
                    }
                    Act::Fail(_) => effect = if sure { Effect::Fails } else { Effect::MayFail },
                    Act::Default => columns.clear(),
                    _ => {}
                }
                if link.unlike.is_some() && link.on_update != Act::Orphan {
                    // Which rows follow the key, and which stop its change, is not told apart here.
                    effect = Effect::MayFail;
                }
                let stops = !matches!(effect, Effect::Nulls);
                let unknown = literal || link.on_update == Act::Default || link.unlike.is_some();
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
    pub(super) fn changed_twice(&mut self) {
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

    /// SQLite: finds the keys by which a table whose rows change refers to itself.
    pub(super) fn rechecked(&self) -> Vec<(usize, usize)> {
        let net = self.net;
        if !net.engine.facts().keys.rechecks_own {
            return Vec::new();
        }
        let mut found = Vec::new();
        for ruling in self.rulings.iter().filter(|r| matches!(r.effect, Effect::Nulls | Effect::SetsDefault)) {
            let setter = &net.links[ruling.link];
            let own = |&s: &usize| {
                let key = &net.links[s];
                // A column that becomes NULL refers to nothing.
                key.parent == key.child && key.act != Act::Orphan && !key.shares_column(&setter.changed)
            };
            found.extend(net.above[setter.child].iter().copied().filter(own).map(|s| (ruling.link, s)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Adds what follows from a limit on the depth of cascades.
    pub(super) fn depth(&mut self) {
        let Some(limit) = self.net.engine.facts().keys.cascade_limit.as_ref().map(|l| l.most) else { return };
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

impl super::super::net::Link<'_> {
    /// Returns the columns that change when these columns of the parent become NULL.
    fn changed_by_update(&self, net: &Net<'_>, parent_changed: &[u16]) -> Vec<u16> {
        let key = net.graph.relations()[self.relation].foreign_key();
        let cascades = key.is_some_and(|k| k.on_update == Action::Cascade);
        self.pairs.iter().filter(|p| !cascades || parent_changed.contains(&p.1)).map(|p| p.0).collect()
    }
}
