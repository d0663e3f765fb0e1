//! Graphs of relations. A [`View`] is what is to be seen of a graph; each format writes the same view.

pub mod dot;
pub mod json;
mod layout;
pub mod mermaid;
pub mod svg;
pub mod tree;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::relations::lookup::{self, Grade};
use crate::relations::{Basis, Graph, Relation};
use crate::schema::{Action, Schema, TableName};

/// What is to be seen of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphOptions {
    /// Only this table and what belongs to it; `None` for everything.
    pub root: Option<TableName>,
    /// Only tables at most so many relations below a root.
    pub depth: Option<usize>,
}

/// Tells how well indexes serve a relation; `None` where that is not known (the child is missing).
type Grader<'f> = &'f dyn Fn(&Schema, &Relation) -> Option<Grade>;

/// A part of a graph, arranged: each table has one place below a root.
pub struct View<'a> {
    pub(super) schema: &'a Schema,
    pub(super) graph: &'a Graph,
    /// The tables to be seen, sorted; parents that do not exist are among them.
    pub(super) tables: BTreeSet<&'a TableName>,
    /// The parents that do not exist.
    pub(super) missing: BTreeSet<&'a TableName>,
    /// The relations between them, in the graph's order.
    pub(super) edges: Vec<Edge<'a>>,
    /// Where each table stands.
    pub(super) places: BTreeMap<&'a TableName, Place>,
}

/// A relation to be seen.
pub(super) struct Edge<'a> {
    /// Its index in the graph.
    pub(super) index: usize,
    pub(super) relation: &'a Relation,
    pub(super) grade: Option<Grade>,
    /// Whether a parent row can have one child row at most.
    pub(super) unique: bool,
}

impl Edge<'_> {
    /// Whether a look-up of the child rows reads the whole table.
    pub(super) fn unindexed(&self) -> bool {
        self.grade == Some(Grade::Useless)
    }

    /// Writes the action, or how sure the relation is when nothing declares it.
    pub(super) fn action(&self) -> String {
        let wished = self.relation.on_delete.map(Action::sql);
        match (&self.relation.basis, wished) {
            (Basis::Declared { .. }, action) => action.unwrap_or("NO ACTION").to_string(),
            (Basis::Inferred { confidence, .. }, _) => {
                format!("undeclared {:.0}%", (confidence * 100.0).clamp(0.0, 100.0))
            }
            (Basis::Configured, Some(action)) => format!("undeclared, configured {action}"),
            (Basis::Configured, None) => "undeclared, configured".to_string(),
        }
    }
}

/// Where a table stands below a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// How many relations away the root is.
    pub(super) depth: usize,
    /// The relation by which it hangs there, as index into the graph; `None` for a root.
    pub(super) by: Option<usize>,
}

impl<'a> View<'a> {
    /// Arranges what is to be seen.
    pub fn new(schema: &'a Schema, graph: &'a Graph, options: &GraphOptions) -> Self {
        Self::graded(schema, graph, options, &|schema, relation| {
            schema.table(&relation.child).map(|t| lookup::grade(schema, t, &relation.columns).0)
        })
    }

    pub(super) fn graded(schema: &'a Schema, graph: &'a Graph, options: &GraphOptions, grader: Grader<'_>) -> Self {
        let existing: BTreeSet<&TableName> = graph.tables().collect();
        let relations = graph.relations();
        let ends = relations.iter().flat_map(|r| [&r.child, &r.parent]);
        let missing: BTreeSet<&TableName> = ends.filter(|t| !existing.contains(t)).collect();
        let mut all: BTreeSet<&TableName> = existing.union(&missing).copied().collect();
        let mut places = BTreeMap::new();
        match &options.root {
            Some(root) => {
                let root = all.iter().copied().find(|t| *t == root);
                root.into_iter().for_each(|r| spread(graph, r, &mut places));
                all.retain(|t| places.contains_key(t));
            }
            None => {
                let refers = |t: &TableName| graph.parents_of(t).any(|(_, r)| !r.is_self_reference());
                let roots: Vec<&TableName> = all.iter().copied().filter(|t| !refers(t)).collect();
                spread_all(graph, &roots, &mut places);
                while let Some(root) = next_root(graph, &all, &places) {
                    spread(graph, root, &mut places);
                }
            }
        }
        if let Some(depth) = options.depth {
            all.retain(|t| places.get(t).is_some_and(|p| p.depth <= depth));
        }
        let edges = relations
            .iter()
            .enumerate()
            .filter(|(_, r)| all.contains(&r.child) && all.contains(&r.parent))
            .map(|(index, relation)| Edge {
                index,
                relation,
                grade: if relation.columns.is_empty() { None } else { grader(schema, relation) },
                unique: schema.table(&relation.child).is_some_and(|t| t.is_unique(&relation.columns)),
            })
            .collect();
        Self { schema, graph, tables: all, missing, edges, places }
    }

    /// The tables that refer to nothing and that nothing refers to.
    pub(super) fn unrelated(&self) -> Vec<&'a TableName> {
        let related: BTreeSet<&TableName> =
            self.edges.iter().flat_map(|e| [&e.relation.child, &e.relation.parent]).collect();
        self.tables.iter().copied().filter(|t| !related.contains(t)).collect()
    }
}

/// How far a place is from its root: relations that can be NULL count first, because a row does not belong to a parent
/// it can do without; then the length of the path.
type Cost = (usize, usize);

fn spread<'a>(graph: &'a Graph, root: &'a TableName, places: &mut BTreeMap<&'a TableName, Place>) {
    spread_all(graph, &[root], places);
}

/// Places every table that can be reached from the roots and has no place yet (Dijkstra).
fn spread_all<'a>(graph: &'a Graph, roots: &[&'a TableName], places: &mut BTreeMap<&'a TableName, Place>) {
    // The relation's index stands before the table's name: of two ways that cost the same, the first relation counts.
    let mut heap: BinaryHeap<Reverse<(Cost, Option<usize>, &TableName)>> =
        roots.iter().map(|r| Reverse(((0, 0), None, *r))).collect();
    while let Some(Reverse(((nullable, depth), by, table))) = heap.pop() {
        if places.contains_key(table) {
            continue;
        }
        places.insert(table, Place { depth, by });
        for (i, relation) in graph.children_of(table) {
            if !places.contains_key(&relation.child) {
                let cost = (nullable + usize::from(relation.nullable), depth + 1);
                heap.push(Reverse((cost, Some(i), &relation.child)));
            }
        }
    }
}

/// Chooses a root among tables that only a cycle leads to: a table of a cycle that nothing else leads to, with the
/// fewest parents it cannot do without, then the most children, then the first name.
fn next_root<'a>(
    graph: &Graph,
    all: &BTreeSet<&'a TableName>,
    places: &BTreeMap<&'a TableName, Place>,
) -> Option<&'a TableName> {
    let open = |t: &TableName| !places.contains_key(t);
    let cycles = graph.cycles();
    let sources = cycles.iter().filter(|c| {
        c.tables
            .iter()
            .all(|t| open(t) && graph.parents_of(t).all(|(_, r)| c.tables.contains(&r.parent) || !open(&r.parent)))
    });
    let mut candidates: Vec<(usize, Reverse<usize>, &'a TableName)> = sources
        .flat_map(|c| &c.tables)
        .filter_map(|t| all.get(t).copied())
        .map(|t| {
            let needs = graph.parents_of(t).filter(|(_, r)| !r.nullable && !r.is_self_reference()).count();
            (needs, Reverse(graph.children_of(t).count()), t)
        })
        .collect();
    candidates.sort();
    candidates.first().map(|c| c.2).or_else(|| all.iter().copied().find(|t| open(t)))
}

/// A grade for tests that does not depend on the engine's rules: an index whose first columns are the key's.
#[cfg(test)]
pub(super) fn plain_grade(schema: &Schema, relation: &Relation) -> Option<Grade> {
    let table = schema.table(&relation.child)?;
    let leads = |i: &crate::schema::Index| {
        i.plain_columns()
            .is_some_and(|c| c.iter().zip(&relation.columns).all(|(a, b)| a == b) && c.len() >= relation.columns.len())
    };
    Some(if table.indexes.iter().any(leads) { Grade::Covers } else { Grade::Useless })
}
