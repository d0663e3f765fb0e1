//! Which tables a delete reaches from a root, how near, and how far at most.

use super::net::{Act, Net};

/// The tables that lose rows when a row of the root is deleted, and the cascades by which they do.
pub(crate) struct Walk {
    pub root: usize,
    /// The tables whose rows the statement deletes by itself: the root, and on PostgreSQL those that inherit from it.
    pub roots: Vec<usize>,
    /// By table: the length of the shortest chain of cascades from the root; `None` if none leads there.
    pub depth: Vec<Option<usize>>,
    /// By table: the last link of that chain; `None` for the root.
    pub by: Vec<Option<usize>>,
    /// The tables reached, the root first, nearest first.
    pub reached: Vec<usize>,
    /// By table: the length of the longest chain; `None` if chains run in a circle on the way there.
    pub longest: Vec<Option<usize>>,
    /// By table: how many chains of cascades lead there, as far as numbers go.
    chains: Vec<usize>,
    /// By link: whether it deletes rows in this delete.
    cascades: Vec<bool>,
}

impl Walk {
    pub fn new(net: &Net<'_>, root: usize) -> Self {
        let tables = net.tables.len();
        let roots = net.with_heirs(root);
        let mut walk = Self {
            root,
            roots: roots.clone(),
            depth: vec![None; tables],
            by: vec![None; tables],
            reached: roots.clone(),
            longest: vec![None; tables],
            chains: vec![0; tables],
            cascades: vec![false; net.links.len()],
        };
        roots.iter().for_each(|&t| walk.depth[t] = Some(0));
        let mut waits_for = vec![0usize; tables];
        let mut next = 0;
        while let Some(&table) = walk.reached.get(next) {
            next += 1;
            for &i in &net.below[table] {
                let link = &net.links[i];
                if link.act != Act::Delete || !net.standing(i).acts {
                    continue;
                }
                walk.cascades[i] = true;
                waits_for[link.child] += 1;
                if walk.depth[link.child].is_none() {
                    walk.depth[link.child] = walk.depth[table].map(|d| d + 1);
                    walk.by[link.child] = Some(i);
                    walk.reached.push(link.child);
                }
            }
        }
        // Tables of a circle, and those below one, are never free.
        let mut free: Vec<usize> = roots.into_iter().filter(|&t| waits_for[t] == 0).collect();
        for &table in &free {
            walk.longest[table] = Some(0);
            walk.chains[table] = 1;
        }
        let mut best = vec![0usize; tables];
        while let Some(table) = free.pop() {
            for &i in net.below[table].iter().filter(|&&i| walk.cascades[i]) {
                let child = net.links[i].child;
                best[child] = best[child].max(best[table] + 1);
                walk.chains[child] = walk.chains[child].saturating_add(walk.chains[table]);
                waits_for[child] -= 1;
                if waits_for[child] == 0 {
                    walk.longest[child] = Some(best[child]);
                    free.push(child);
                }
            }
        }
        walk
    }

    /// Tells whether rows of a table can be deleted.
    pub fn loses_rows(&self, table: usize) -> bool {
        self.depth[table].is_some()
    }

    /// Tells whether a link deletes rows in this delete.
    pub fn cascades(&self, link: usize) -> bool {
        self.cascades[link]
    }

    /// Tells whether more than so many chains of cascades lead to a table.
    pub fn is_beyond(&self, table: usize, limit: usize) -> bool {
        self.chains[table] > limit
    }

    /// Tells whether some chain of cascades runs in a circle.
    pub fn is_recursive(&self) -> bool {
        self.reached.iter().any(|&t| self.longest[t].is_none())
    }

    /// Tells whether some cascade is about the rows of a partition alone.
    pub fn is_partial(&self, net: &Net<'_>) -> bool {
        (0..net.links.len()).any(|i| self.cascades[i] && net.links[i].is_partial())
    }

    /// Tells whether another row of the root table than the deleted one can go too.
    pub fn returns_to_root(&self, net: &Net<'_>) -> bool {
        net.above[self.root].iter().any(|&i| self.cascades[i])
    }

    /// Tells whether rows of `to` can go because a row of `from` does, or are rows of the same table.
    pub fn leads(&self, net: &Net<'_>, from: usize, to: usize) -> bool {
        if from == to || !self.loses_rows(from) || !self.loses_rows(to) {
            return from == to && self.loses_rows(from);
        }
        let mut seen = vec![false; net.tables.len()];
        seen[from] = true;
        let mut open = vec![from];
        while let Some(table) = open.pop() {
            for &i in net.below[table].iter().filter(|&&i| self.cascades[i]) {
                let child = net.links[i].child;
                if child == to {
                    return true;
                }
                if !std::mem::replace(&mut seen[child], true) {
                    open.push(child);
                }
            }
        }
        false
    }

    /// Returns the shortest chain of cascades to a table, the root's first.
    pub fn path(&self, net: &Net<'_>, table: usize) -> Vec<usize> {
        let mut path = Vec::new();
        let mut at = table;
        while let Some(i) = self.by[at] {
            path.push(i);
            at = net.links[i].parent;
        }
        path.reverse();
        path
    }

    /// Returns every chain of cascades to a table; `None` if there are more than `limit`, or if chains run in a circle there.
    pub fn paths(&self, net: &Net<'_>, table: usize, limit: usize) -> Option<Vec<Vec<usize>>> {
        self.longest[table]?;
        // Counted beforehand, so that nothing is spent on chains that are too many.
        if self.chains[table] > limit {
            return None;
        }
        let mut done = Vec::new();
        let mut open = vec![(table, Vec::new())];
        while let Some((at, path)) = open.pop() {
            if self.roots.contains(&at) {
                done.push(path.iter().rev().copied().collect());
            }
            for &i in net.above[at].iter().filter(|&&i| self.cascades[i]) {
                let mut longer = path.clone();
                longer.push(i);
                open.push((net.links[i].parent, longer));
            }
        }
        done.sort_by(|a: &Vec<usize>, b| (a.len(), a).cmp(&(b.len(), b)));
        Some(done)
    }
}
