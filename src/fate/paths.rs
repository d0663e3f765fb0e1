//! Which comes first: a row's own deletion along one chain of cascades, or the check that stumbles over it along another.

use std::collections::BTreeMap;

use super::engines::When;
use super::net::Net;

/// When a row is out of the way, as seen from the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// In time, whatever the firing order.
    Always,
    /// In time, because of today's firing order.
    Today,
    /// Too late, because of today's firing order.
    NotToday,
    /// Too late, whatever the firing order.
    Never,
    /// The order in which the engine happens to visit rows decides.
    Rows,
}

/// Compares a chain of links that removes (or nulls) a row with one that ends in a check of that row.
///
/// `same_rows` says that where both chains go through the same links they go through the same rows, except for the row at
/// the end of `escape`, which can be a sibling of the check's row.
pub(crate) fn compare(net: &Net<'_>, when: When, escape: &[usize], check: &[usize], same_rows: bool) -> Before {
    if when == When::End {
        return Before::Always;
    }
    if matches!(when, When::Queue | When::Queued) {
        // A key whose columns the action has changed no longer finds the row.
        let finds_it = match (escape.last(), check.last()) {
            (Some(&e), Some(&c)) => !net.links[e].shares_column(&net.links[c].changed),
            _ => true,
        };
        let turn = check.len() + usize::from(when == When::Queued && finds_it);
        if escape.len() != turn {
            return if escape.len() < turn { Before::Always } else { Before::Never };
        }
    }
    let shared = escape.iter().zip(check).take_while(|(a, b)| a == b).count();
    let certain = if same_rows { escape.len().saturating_sub(1) } else { 0 };
    let same_rows = escape[..shared].iter().enumerate().all(|(at, &i)| at < certain || net.links[i].single);
    if shared == escape.len() {
        // The row is one that the check's own chain goes through: under deletion when the check is made.
        let last = check.last().map(|&i| &net.links[i]);
        let hidden = !net.semantics.ancestors_in_the_way || last.is_some_and(|l| l.clustered && !l.order.0);
        return match (same_rows, hidden) {
            (false, _) => Before::Rows,
            (true, true) => Before::Always,
            // Which of the row's indexes is marked by then depends on the order of its indexes.
            (true, false) if last.is_some_and(|l| l.clustered) => Before::Rows,
            (true, false) if check.iter().any(|&i| net.links[i].order.0) => Before::Rows,
            (true, false) => Before::Never,
        };
    }
    // The order of keys is known among those that refer to the same table, not between a partition's own and its table's.
    let apart = net.links[escape[shared]].parent_part != net.links[check[shared]].parent_part;
    if !same_rows || apart {
        return Before::Rows;
    }
    let key = |i: usize| (net.links[i].order, net.links[i].relation);
    if key(escape[shared]) < key(check[shared]) { Before::Today } else { Before::NotToday }
}

/// Returns the chains that are bound to remove the row that `check` (a path and the checking link) stumbles over, because
/// its columns leave it no other parent: each is the first rows of the path, then one link to the row itself.
///
/// So it is with `orders (tenant, customer) -> customers (tenant, id)`, where both tables cascade from `tenants`.
pub(crate) fn forced(net: &Net<'_>, path: &[usize], check: usize, removes: &dyn Fn(usize) -> bool) -> Vec<Vec<usize>> {
    // One row for each step, the root row first, the checked row last; cells that must be equal share a class.
    let mut classes: BTreeMap<(usize, u16), usize> = BTreeMap::new();
    let mut next = 0;
    let steps: Vec<usize> = path.iter().copied().chain([check]).collect();
    for (row, &step) in steps.iter().enumerate() {
        for &(child, parent) in &net.links[step].pairs {
            let class = *classes.entry((row, parent)).or_insert_with(|| {
                next += 1;
                next
            });
            classes.insert((row + 1, child), class);
        }
    }
    let last = steps.len();
    let row_tables: Vec<usize> = steps.iter().map(|&s| net.links[s].parent).chain([net.links[check].child]).collect();
    let mut found = Vec::new();
    for &f in &net.above[net.links[check].child] {
        if f == check || !removes(f) || net.links[f].pairs.is_empty() {
            continue;
        }
        // Where the link is about a partition, the rows have to be known to lie in it.
        let link = &net.links[f];
        if link.child_part.is_some() && link.child_part != net.links[check].child_part {
            continue;
        }
        for (row, &table) in row_tables[..last].iter().enumerate() {
            let lies_there = |part: &crate::schema::TableName| {
                let into = row.checked_sub(1).and_then(|above| net.links[steps[above]].child_part);
                net.links[steps[row]].parent_part == Some(part) || into == Some(part)
            };
            if !link.parent_part.is_none_or(lies_there) {
                continue;
            }
            let equal = |&(child, parent): &(u16, u16)| {
                let class = classes.get(&(last, child));
                class.is_some() && class == classes.get(&(row, parent))
            };
            if table == link.parent && link.pairs.iter().all(equal) {
                found.push(path[..row].iter().copied().chain([f]).collect());
            }
        }
    }
    found
}
