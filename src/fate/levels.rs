//! How many cascades follow each other, over all tables at once. Tables that cascade into each other in a circle count as
//! one: how far rows follow each other round a circle is a matter of the rows.

use super::net::{Act, Net};

/// By table: how long chains of cascades are above it and below it.
pub(crate) struct Levels {
    /// How many cascades of the longest chain end at the table.
    pub above: Vec<usize>,
    /// How many cascades the longest chain from the table on has.
    pub below: Vec<usize>,
    /// Which circle the table is in; tables of one circle share the number.
    pub circle: Vec<usize>,
    /// By circle: the last link of the longest chain that ends there.
    by: Vec<Option<usize>>,
}

/// Tells whether a link deletes rows, whatever the root.
pub(crate) fn cascades(net: &Net<'_>, link: usize) -> bool {
    net.links[link].act == Act::Delete && net.standing(link).acts
}

impl Levels {
    /// Works them out for the cascades that `counts` accepts.
    pub fn new(net: &Net<'_>, counts: &dyn Fn(usize) -> bool) -> Self {
        let tables = net.tables.len();
        let links: Vec<bool> = (0..net.links.len()).map(counts).collect();
        let (circle, order) = circles(net, &links);
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
        (0..tables).for_each(|t| members[circle[t]].push(t));
        let mut above = vec![0; order.len()];
        let mut below = vec![0; order.len()];
        let mut by = vec![None; order.len()];
        let out = |c: usize| members[c].iter().flat_map(|&t| net.below[t].iter().copied()).filter(|&i| links[i]);
        for &c in &order {
            for i in out(c) {
                let to = circle[net.links[i].child];
                if to != c && above[c] + 1 > above[to] {
                    above[to] = above[c] + 1;
                    by[to] = Some(i);
                }
            }
        }
        for &c in order.iter().rev() {
            for i in out(c) {
                let to = circle[net.links[i].child];
                if to != c {
                    below[c] = below[c].max(below[to] + 1);
                }
            }
        }
        let of = |list: &[usize]| (0..tables).map(|t| list[circle[t]]).collect();
        Self { above: of(&above), below: of(&below), circle, by }
    }

    /// Returns the longest chain of cascades that ends at a table, the first one first.
    pub fn path(&self, net: &Net<'_>, table: usize) -> Vec<usize> {
        let mut path = Vec::new();
        let mut at = self.circle[table];
        while let Some(link) = self.by[at] {
            path.push(link);
            at = self.circle[net.links[link].parent];
        }
        path.reverse();
        path
    }
}

/// Numbers the circles (strongly connected components) of the cascades, and returns the number of each table and the
/// circles with parents before children. By Kosaraju's two walks, without recursion.
fn circles(net: &Net<'_>, links: &[bool]) -> (Vec<usize>, Vec<usize>) {
    let tables = net.tables.len();
    let mut seen = vec![false; tables];
    let mut finished = Vec::with_capacity(tables);
    for start in 0..tables {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut work = vec![(start, 0)];
        while let Some((table, step)) = work.pop() {
            let next = net.below[table][step..].iter().position(|&i| links[i] && !seen[net.links[i].child]);
            match next {
                Some(skip) => {
                    let child = net.links[net.below[table][step + skip]].child;
                    work.push((table, step + skip + 1));
                    seen[child] = true;
                    work.push((child, 0));
                }
                None => finished.push(table),
            }
        }
    }
    let mut circle = vec![usize::MAX; tables];
    let mut count = 0;
    for &start in finished.iter().rev() {
        if circle[start] != usize::MAX {
            continue;
        }
        circle[start] = count;
        let mut work = vec![start];
        while let Some(table) = work.pop() {
            for &i in net.above[table].iter().filter(|&&i| links[i]) {
                let parent = net.links[i].parent;
                if circle[parent] == usize::MAX {
                    circle[parent] = count;
                    work.push(parent);
                }
            }
        }
        count += 1;
    }
    (circle, (0..count).collect())
}
