//! Rows that a new cascade takes and that go already. A row refers to a parent by a composite key, none of whose columns can be NULL,
//! and that parent row has the same tenant: then the row goes with its tenant by the cascades that there are, and a key of its own to
//! the tenant takes no other rows.

use std::collections::BTreeSet;

/// So many cascades are followed, and so many states looked at, before rows are taken to be others.
const DEEPEST: usize = 6;
const MOST: usize = 500;

/// The columns by which a row of a child refers, by position, each with the parent's.
pub(super) type Pairs = Vec<(u16, u16)>;

/// How one foreign key refers.
#[derive(Clone, Debug)]
pub(super) struct Refers {
    pub pairs: Pairs,
    /// Whether every child row has a parent row by it: no column can be NULL, and the engine has checked all rows.
    pub always: bool,
}

/// A cascade: child and parent, and how it refers; `None` where that is not known for all rows.
pub(super) struct Cascade<'r> {
    pub child: usize,
    pub parent: usize,
    pub refers: Option<&'r Refers>,
}

/// Returns, by table, whether a delete from it takes rows by a new cascade that did not go before.
pub(super) fn takes(new: &Cascade<'_>, before: &[Cascade<'_>], after: &[Cascade<'_>], tables: usize) -> Vec<bool> {
    let mut takes = vec![false; tables];
    let mut seen: BTreeSet<(usize, Option<Pairs>)> = BTreeSet::new();
    let mut open = vec![(new.parent, new.refers.map(|r| sorted(r.pairs.clone())))];
    while let Some((table, mut columns)) = open.pop() {
        if seen.len() > MOST {
            columns = None;
        }
        if !seen.insert((table, columns.clone())) {
            continue;
        }
        if columns.as_ref().is_some_and(|columns| goes_already(new.child, columns, table, before)) {
            continue;
        }
        takes[table] = true;
        for up in after.iter().filter(|c| c.child == table) {
            let of = |refers: &Refers| -> Option<Pairs> {
                let at = |own: u16| columns.as_ref()?.iter().find(|(_, c)| *c == own).map(|(first, _)| *first);
                refers.pairs.iter().map(|(own, above)| Some((at(*own)?, *above))).collect()
            };
            open.push((up.parent, up.refers.and_then(of).map(sorted)));
        }
    }
    takes
}

/// Tells whether a row of `child` goes with the row of `table` that has these columns' values, by cascades that there are.
fn goes_already(child: usize, columns: &Pairs, table: usize, cascades: &[Cascade<'_>]) -> bool {
    let own: Pairs = columns.iter().map(|(own, _)| (*own, *own)).collect();
    let mut open = vec![(child, own, 0)];
    let mut looked_at = 0;
    while let Some((at, held, depth)) = open.pop() {
        looked_at += 1;
        if depth == DEEPEST || looked_at > MOST {
            continue;
        }
        for up in cascades.iter().filter(|c| c.child == at) {
            let Some(refers) = up.refers.filter(|r| r.always) else { continue };
            let above = |(first, own): &(u16, u16)| {
                refers.pairs.iter().find(|(c, _)| c == own).map(|(_, above)| (*first, *above))
            };
            let Some(next) = held.iter().map(above).collect::<Option<Pairs>>().map(sorted) else { continue };
            if up.parent == table && next == *columns {
                return true;
            }
            open.push((up.parent, next, depth + 1));
        }
    }
    false
}

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort_unstable();
    pairs
}
