//! Where two ways through the schema want different things of the same rows: one removes them, the other refuses.
//!
//! Roots are judged from the lowest up, and only those above a table where two such ways meet that no lower root has told
//! of. So a pair of keys is told once, and a large schema costs little.

use std::collections::BTreeMap;

use super::engines::When;
use super::judge::{Judgement, MOST_PATHS, Ruling, Shape, judge};
use super::levels::{Levels, cascades};
use super::net::{Act, Net};
use super::paths::{Before, compare, forced};
use super::{Effect, Verdict};
use crate::schema::TableName;

/// A key that refuses child rows which the same delete removes on another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The lowest table from which a delete goes both ways.
    pub root: TableName,
    /// The relations from the root to the refusal, itself last, as numbers in the graph.
    pub refused_by: Vec<usize>,
    /// The relations by which the rows go, or stop referring, on the other way.
    pub removed_by: Vec<usize>,
    /// What decides whether the delete succeeds.
    pub decided_by: DecidedBy,
}

/// What decides whether a delete with a [`Conflict`] succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// Whether there are rows that only the refusing way leads to.
    Data,
    /// Which of the two ways the engine takes first.
    Order {
        /// Whether the refusal comes first, as things are.
        refuses_today: bool,
        /// PostgreSQL: whether it does in a copy made by dump and restore; `None` where that cannot be told.
        refuses_restored: Option<bool>,
    },
}

pub(super) fn conflicts(net: &Net<'_>) -> Vec<Conflict> {
    let candidates = candidates(net);
    let wanted = roots(net, &candidates);
    let mut found: BTreeMap<(usize, bool), Conflict> = BTreeMap::new();
    let mut restored: Option<Option<Net<'_>>> = None;
    for (root, links) in wanted {
        let told = |l: &usize| found.contains_key(&(*l, true)) || found.contains_key(&(*l, false));
        if links.iter().all(told) || is_refused(net, root, &candidates) {
            continue;
        }
        let judged = judge(net, root);
        if !matches!(judged.verdict, Verdict::DependsOnData | Verdict::DependsOnOrder) {
            continue;
        }
        for ruling in judged.rulings.iter().filter(|r| r.exact && candidates.contains_key(&r.link)) {
            // The root row is the only one of its table that goes: no other way removes the rows that refuse.
            if net.links[ruling.link].child == root && !judged.walk.returns_to_root(net) {
                continue;
            }
            let by_order = ruling.order_decides;
            let by_data = matches!(ruling.effect, Effect::MayRefuse | Effect::MayFail)
                && matches!(ruling.shape, Shape::Survivors(_) | Shape::Late(_));
            if (!by_order && !by_data) || found.contains_key(&(ruling.link, by_order)) {
                continue;
            }
            let Some(ways) = ways(net, &judged, ruling) else { continue };
            let decided_by = if by_order {
                let copy = restored.get_or_insert_with(|| in_restored_order(net)).as_ref();
                let refuses = |before: Before| match before {
                    Before::Today => Some(false),
                    Before::NotToday => Some(true),
                    Before::Always | Before::Never | Before::Rows => None,
                };
                DecidedBy::Order {
                    refuses_today: refuses(ways.before) == Some(true),
                    refuses_restored: copy.and_then(|copy| refuses(ways.compared(copy))),
                }
            } else {
                DecidedBy::Data
            };
            let relation = |links: &[usize]| links.iter().map(|&l| net.links[l].relation).collect();
            let conflict = Conflict {
                root: net.tables[root].clone(),
                refused_by: relation(&ways.check),
                removed_by: relation(&ways.escape),
                decided_by,
            };
            found.insert((ruling.link, by_order), conflict);
        }
    }
    found.into_values().collect()
}

/// Tells at little cost whether child rows that nothing else removes refuse a delete from a root: then nothing that two
/// ways do matters.
fn is_refused(net: &Net<'_>, root: usize, candidates: &BTreeMap<usize, Vec<usize>>) -> bool {
    let mut seen = vec![false; net.tables.len()];
    seen[root] = true;
    let mut open = vec![root];
    while let Some(table) = open.pop() {
        for &i in &net.below[table] {
            let link = &net.links[i];
            if cascades(net, i) {
                if !std::mem::replace(&mut seen[link.child], true) {
                    open.push(link.child);
                }
            } else if refusal(net, i).is_some()
                && link.twins.len() == 1
                && !link.is_partial()
                && link.child != root
                && !candidates.contains_key(&i)
            {
                return true;
            }
        }
    }
    false
}

fn refusal(net: &Net<'_>, link: usize) -> Option<When> {
    match net.links[link].act {
        Act::Check(when) | Act::Fail(when) => Some(when),
        _ => None,
    }
}

/// Returns the refusing links whose child rows another link can remove or set free, each with those links.
fn candidates(net: &Net<'_>) -> BTreeMap<usize, Vec<usize>> {
    let mut found = BTreeMap::new();
    for link in (0..net.links.len()).filter(|&l| refusal(net, l).is_some() && net.standing(l).acts) {
        let l = &net.links[link];
        let helps = |&o: &usize| {
            let frees = net.links[o].act == Act::Null && net.standing(o).acts && l.shares_column(&net.links[o].changed);
            // Of keys over the same columns one acts: that is a matter of those two keys alone.
            o != link && !l.twins.contains(&o) && (cascades(net, o) || frees)
        };
        let others: Vec<usize> = net.above[l.child].iter().copied().filter(helps).collect();
        if !others.is_empty() {
            found.insert(link, others);
        }
    }
    found
}

/// Returns the tables from which cascades lead to both sides of a candidate, each with those candidates, the lowest first.
fn roots(net: &Net<'_>, candidates: &BTreeMap<usize, Vec<usize>>) -> Vec<(usize, Vec<usize>)> {
    let mut known: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    for table in
        candidates.iter().flat_map(|(&l, others)| others.iter().copied().chain([l])).map(|l| net.links[l].parent)
    {
        known.entry(table).or_insert_with(|| above(net, table));
    }
    let mut wanted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (&link, others) in candidates {
        let refused = &known[&net.links[link].parent];
        let removed = |t: usize| others.iter().any(|&o| known[&net.links[o].parent][t]);
        for table in (0..net.tables.len()).filter(|&t| refused[t] && removed(t)) {
            wanted.entry(table).or_default().push(link);
        }
    }
    let levels = Levels::new(net, &|i| cascades(net, i));
    let mut wanted: Vec<(usize, Vec<usize>)> = wanted.into_iter().collect();
    wanted.sort_by_key(|(t, _)| (levels.below[*t], *t));
    wanted
}

/// Tells for each table whether cascades lead from it to a table, itself included.
fn above(net: &Net<'_>, table: usize) -> Vec<bool> {
    let mut seen = vec![false; net.tables.len()];
    seen[table] = true;
    let mut open = vec![table];
    while let Some(at) = open.pop() {
        for &i in net.above[at].iter().filter(|&&i| cascades(net, i)) {
            if !std::mem::replace(&mut seen[net.links[i].parent], true) {
                open.push(net.links[i].parent);
            }
        }
    }
    seen
}

/// Two ways to the same rows.
struct Ways {
    /// Ends in the refusal.
    check: Vec<usize>,
    /// Ends in the rows' removal.
    escape: Vec<usize>,
    /// Whether the rows on both ways are bound to be the same.
    same_rows: bool,
    before: Before,
}

impl Ways {
    fn new(net: &Net<'_>, check: &[usize], escape: &[usize], same_rows: bool) -> Self {
        let (check, escape) = (check.to_vec(), escape.to_vec());
        let mut ways = Self { check, escape, same_rows, before: Before::Never };
        ways.before = ways.compared(net);
        ways
    }

    fn compared(&self, net: &Net<'_>) -> Before {
        let when = self.check.last().and_then(|&l| refusal(net, l));
        when.map_or(Before::Never, |when| compare(net, when, &self.escape, &self.check, self.same_rows))
    }

    fn length(&self) -> (usize, usize) {
        (self.check.len() + self.escape.len(), self.check.len())
    }
}

/// Returns the shortest pair of ways between which the ruling had to decide.
fn ways(net: &Net<'_>, judged: &Judgement, ruling: &Ruling) -> Option<Ways> {
    let walk = &judged.walk;
    let l = &net.links[ruling.link];
    let sets = |&&o: &&usize| {
        let other = &net.links[o];
        o != ruling.link
            && matches!(other.act, Act::Null | Act::Default)
            && net.standing(o).acts
            && walk.loses_rows(other.parent)
            && l.shares_column(&other.changed)
    };
    let setters: Vec<usize> = net.above[l.child].iter().filter(sets).copied().collect();
    let mut escapes =
        if walk.loses_rows(l.child) { walk.paths(net, l.child, MOST_PATHS).unwrap_or_default() } else { Vec::new() };
    for &s in &setters {
        let paths = walk.paths(net, net.links[s].parent, MOST_PATHS).unwrap_or_default();
        escapes.extend(paths.into_iter().map(|p| p.into_iter().chain([s]).collect()));
    }
    let removes = |i: usize| walk.cascades(i) || setters.contains(&i);
    let mut best: Option<Ways> = None;
    for path in walk.paths(net, l.parent, MOST_PATHS)? {
        let check: Vec<usize> = path.iter().copied().chain([ruling.link]).collect();
        let bound = if ruling.order_decides { forced(net, &path, ruling.link, &removes) } else { Vec::new() };
        let all = escapes.iter().map(|e| (e, false)).chain(bound.iter().map(|e| (e, true)));
        for ways in all.map(|(escape, same_rows)| Ways::new(net, &check, escape, same_rows)) {
            let fits = match ways.before {
                Before::Today | Before::NotToday => ruling.order_decides,
                Before::Always => !ruling.order_decides,
                Before::Never | Before::Rows => false,
            };
            if fits && best.as_ref().is_none_or(|b| ways.length() < b.length()) {
                best = Some(ways);
            }
        }
    }
    best
}

/// Returns the network as a dump and restore leaves it: `pg_dump` writes foreign keys sorted by schema and name
/// (`pg_dump_sort.c`, `DOTypeNameCompare`). `None` on other engines, and where a key has no name.
fn in_restored_order<'s>(net: &Net<'s>) -> Option<Net<'s>> {
    if !net.engine.facts().alter.dump_sorts_keys {
        return None;
    }
    let mut names = Vec::new();
    for (link, l) in net.links.iter().enumerate() {
        let relation = &net.graph.relations()[l.relation];
        if let Some(key) = relation.foreign_key() {
            let default = net.schema.default_schema.as_deref();
            let schema = relation.child.schema.as_deref().or(default).unwrap_or_default();
            names.push((schema, key.name.as_deref()?, &relation.child.name, link));
        }
    }
    names.sort_unstable();
    let mut copy = net.clone();
    for (place, (_, _, _, link)) in names.into_iter().enumerate() {
        copy.links[link].order.1 = u32::try_from(place).ok()?;
    }
    Some(copy)
}
