//! The graph and its answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::{Basis, ConfiguredRelation, Handling, Objection, Objections, Relation};
use crate::schema::{Action, ForeignKey, Schema, TableName};

/// All relations of a schema, indexed from both sides.
///
/// Relations are sorted by child, columns, parent; indexes into [`Graph::relations`] are stable for one graph.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    relations: Vec<Relation>,
    by_child: BTreeMap<TableName, Vec<usize>>,
    by_parent: BTreeMap<TableName, Vec<usize>>,
    tables: BTreeSet<TableName>,
    /// Undeclared relations that should have no key as things are, by their number.
    objections: BTreeMap<usize, Objection>,
    /// Inferred relations that are none: rows that triggers and rules record.
    records: Vec<(Relation, Objection)>,
}

/// A group of tables that refer to each other in a circle (a strongly connected component, or a self reference).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cycle {
    /// The tables, sorted.
    pub tables: Vec<TableName>,
    /// The relations among them, as indexes into the graph.
    pub relations: Vec<usize>,
    /// How rows can be inserted and deleted all the same.
    pub broken_by: Break,
}

/// What makes a cycle workable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// Every circle has a column that can be NULL: insert with NULL, then update.
    NullableColumn,
    /// Every circle has a nullable column or a key whose check can be put off to the end of the transaction.
    DeferrableKey,
    /// Some circle has neither: no first row can be inserted statement by statement.
    Neither,
}

/// A table that can be reached from a root against the direction of its keys, children before grandchildren.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The table.
    pub table: TableName,
    /// How many relations away the root is.
    pub depth: usize,
    /// The relation by which it was first reached; `None` for the root.
    pub by: Option<usize>,
}

impl Graph {
    /// Returns the declared relations, and the configured ones that are not declared.
    ///
    /// A key for which an entry stands that was accepted from a guess was made of that guess.
    pub fn known(schema: &Schema, configured: &[ConfiguredRelation]) -> Vec<Relation> {
        let mut relations: Vec<Relation> =
            schema.foreign_keys().map(|(table, key)| Relation::declared(schema, &table.name, key)).collect();
        let same =
            |a: &Relation, b: &ConfiguredRelation| a.child == b.child && a.columns == b.columns && a.parent == b.parent;
        for relation in &mut relations {
            relation.accepted = configured.iter().find(|c| same(relation, c)).and_then(|c| c.accepted);
        }
        let new: Vec<_> = configured.iter().filter(|c| !relations.iter().any(|r| same(r, c))).collect();
        relations.extend(new.into_iter().map(|c| c.relation(schema)));
        relations
    }

    /// Returns the graph without what is only guessed.
    #[must_use]
    pub fn without_guesses(&self, schema: &Schema) -> Self {
        Self::from_relations(schema, self.relations.iter().filter(|r| !r.is_guess()).cloned().collect())
    }

    /// Tells whether a key was made of a guess that the user accepted.
    pub fn is_accepted(&self, child: &TableName, key: &ForeignKey) -> bool {
        self.parents_of(child).any(|(_, r)| r.accepted.is_some() && r.foreign_key() == Some(key))
    }

    /// Makes the graph of given relations. Inferred ones whose rows are records that triggers write are left out.
    pub fn from_relations(schema: &Schema, relations: Vec<Relation>) -> Self {
        let objections = Objections::new(schema);
        let objects = |r: &Relation| (!r.is_declared()).then(|| objections.to(r, &relations)).flatten();
        let objected: Vec<Option<Objection>> = relations.iter().map(objects).collect();
        let mut records = Vec::new();
        let mut rest = Vec::new();
        for (relation, objection) in relations.into_iter().zip(objected) {
            match (&relation.basis, objection) {
                (Basis::Inferred { .. }, Some(o)) if o.handling == Handling::Records => records.push((relation, o)),
                (_, objection) => rest.push((relation, objection)),
            }
        }
        let key = |r: &Relation| (r.child.clone(), r.columns.clone(), r.parent.clone());
        rest.sort_by_key(|(r, _)| key(r));
        records.sort_by_key(|(r, _)| key(r));
        let mut relations = Vec::new();
        let mut objections = BTreeMap::new();
        for (number, (relation, objection)) in rest.into_iter().enumerate() {
            relations.push(relation);
            objections.extend(objection.map(|o| (number, o)));
        }
        let tables = schema.logical_tables().map(|t| t.name.clone()).collect();
        let mut graph = Self { tables, objections, records, ..Self::default() };
        for (i, relation) in relations.iter().enumerate() {
            graph.by_child.entry(relation.child.clone()).or_default().push(i);
            graph.by_parent.entry(relation.parent.clone()).or_default().push(i);
        }
        graph.relations = relations;
        graph
    }

    /// Gives the inferred relation of some columns an action.
    pub(crate) fn set_action(&mut self, child: &TableName, columns: &[String], action: Action) {
        let of = self.by_child.get(child).map(Vec::as_slice).unwrap_or_default();
        let is_it = |r: &Relation| r.columns == columns && matches!(r.basis, Basis::Inferred { .. });
        if let Some(i) = of.iter().copied().find(|i| is_it(&self.relations[*i])) {
            self.relations[i].on_delete = Some(action);
        }
    }

    /// Says why a relation should have no key as things are.
    pub fn objection(&self, relation: usize) -> Option<&Objection> {
        self.objections.get(&relation)
    }

    /// Returns what looked like relations and is a record that triggers or rules write, sorted, each with the reason.
    pub fn records(&self) -> &[(Relation, Objection)] {
        &self.records
    }

    /// Returns all relations.
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// Returns all tables that stand for themselves, sorted; partitions are not among them.
    pub fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.tables.iter()
    }

    /// Iterates over the relations in which a table is the child.
    pub fn parents_of(&self, child: &TableName) -> impl Iterator<Item = (usize, &Relation)> {
        self.by_child.get(child).into_iter().flatten().map(|&i| (i, &self.relations[i]))
    }

    /// Iterates over the relations in which a table is the parent.
    pub fn children_of(&self, parent: &TableName) -> impl Iterator<Item = (usize, &Relation)> {
        self.by_parent.get(parent).into_iter().flatten().map(|&i| (i, &self.relations[i]))
    }

    /// Returns the tables that refer to nothing but themselves, sorted: where a tree of the graph starts.
    pub fn roots(&self) -> Vec<&TableName> {
        self.tables.iter().filter(|t| self.parents_of(t).all(|(_, r)| r.is_self_reference())).collect()
    }

    /// Returns every table whose rows can belong to a row of the root, the root first, nearest first, then by name.
    pub fn reach(&self, root: &TableName) -> Vec<Reached> {
        let mut found = vec![Reached { table: root.clone(), depth: 0, by: None }];
        let mut seen = BTreeSet::from([root]);
        let mut queue = VecDeque::from([(root, 0)]);
        while let Some((table, depth)) = queue.pop_front() {
            for (i, relation) in self.children_of(table) {
                if seen.insert(&relation.child) {
                    found.push(Reached { table: relation.child.clone(), depth: depth + 1, by: Some(i) });
                    queue.push_back((&relation.child, depth + 1));
                }
            }
        }
        found.sort_by(|a, b| (a.depth, &a.table).cmp(&(b.depth, &b.table)));
        found
    }

    /// Returns the shortest chain of relations from a parent down to a descendant, nearest to the parent first; empty if
    /// they are the same table, `None` if there is none.
    pub fn shortest_path(&self, from: &TableName, to: &TableName) -> Option<Vec<usize>> {
        let reached = self.reach(from);
        let by: BTreeMap<&TableName, Option<usize>> = reached.iter().map(|r| (&r.table, r.by)).collect();
        let mut path = Vec::new();
        let mut at = to;
        while let Some(i) = *by.get(at)? {
            path.push(i);
            at = &self.relations[i].parent;
        }
        path.reverse();
        Some(path)
    }

    /// Returns the tables so that every parent comes before its children; tables of a cycle stand together, by name.
    pub fn parents_first(&self) -> Vec<TableName> {
        self.components().into_iter().flatten().collect()
    }

    /// Returns every cycle, self references included, sorted by their first table.
    pub fn cycles(&self) -> Vec<Cycle> {
        let mut cycles: Vec<Cycle> = self
            .components()
            .into_iter()
            .filter_map(|tables| {
                let inside: Vec<usize> = tables
                    .iter()
                    .flat_map(|t| self.parents_of(t))
                    .filter(|(_, r)| tables.contains(&r.parent))
                    .map(|(i, _)| i)
                    .collect();
                (!inside.is_empty()).then(|| Cycle { broken_by: self.classify(&inside), relations: inside, tables })
            })
            .collect();
        cycles.sort_by(|a, b| a.tables.cmp(&b.tables));
        cycles
    }

    fn classify(&self, inside: &[usize]) -> Break {
        let rest = |keep: &dyn Fn(&Relation) -> bool| -> Vec<usize> {
            inside.iter().copied().filter(|&i| keep(&self.relations[i])).collect()
        };
        // A self reference that must not be NULL can point at its own row, so it never stands in the way.
        let rigid = |r: &Relation| !r.nullable && !r.is_self_reference();
        if self.is_acyclic(&rest(&rigid)) {
            return Break::NullableColumn;
        }
        let deferrable = |r: &Relation| r.foreign_key().is_none_or(|k| k.timing.is_deferrable());
        if self.is_acyclic(&rest(&|r| rigid(r) && !deferrable(r))) { Break::DeferrableKey } else { Break::Neither }
    }

    fn is_acyclic(&self, relations: &[usize]) -> bool {
        let mut children: BTreeMap<&TableName, Vec<&TableName>> = BTreeMap::new();
        let mut waits_for: BTreeMap<&TableName, usize> = BTreeMap::new();
        for &i in relations {
            let r = &self.relations[i];
            children.entry(&r.parent).or_default().push(&r.child);
            *waits_for.entry(&r.child).or_default() += 1;
            waits_for.entry(&r.parent).or_default();
        }
        let mut free: Vec<&TableName> = waits_for.iter().filter(|(_, n)| **n == 0).map(|(t, _)| *t).collect();
        let mut done = 0;
        while let Some(table) = free.pop() {
            done += 1;
            for child in children.get(table).into_iter().flatten() {
                if let Some(n) = waits_for.get_mut(child) {
                    *n -= 1;
                    if *n == 0 {
                        free.push(child);
                    }
                }
            }
        }
        done == waits_for.len()
    }

    /// The strongly connected components (Tarjan, without recursion), parents before children, tables sorted inside.
    fn components(&self) -> Vec<Vec<TableName>> {
        #[derive(Clone, Copy, Default)]
        struct Mark {
            index: usize,
            low: usize,
            on_stack: bool,
        }
        let nodes: BTreeSet<&TableName> =
            self.tables.iter().chain(self.relations.iter().flat_map(|r| [&r.child, &r.parent])).collect();
        let mut marks: BTreeMap<&TableName, Mark> = BTreeMap::new();
        let mut stack: Vec<&TableName> = Vec::new();
        let mut components = Vec::new();
        for &start in &nodes {
            if marks.contains_key(start) {
                continue;
            }
            let mut work: Vec<(&TableName, usize)> = vec![(start, 0)];
            while let Some((node, step)) = work.pop() {
                if step == 0 {
                    let index = marks.len();
                    marks.insert(node, Mark { index, low: index, on_stack: true });
                    stack.push(node);
                }
                // Edges run from child to parent, so a component is complete only after all its parents' are.
                let parents: &[usize] = self.by_child.get(node).map_or(&[], Vec::as_slice);
                if step > 0 {
                    let low = marks[&self.relations[parents[step - 1]].parent].low;
                    if let Some(m) = marks.get_mut(node) {
                        m.low = m.low.min(low);
                    }
                }
                let mut next = step;
                let mut descend = None;
                while next < parents.len() {
                    let parent = &self.relations[parents[next]].parent;
                    match marks.get(parent).copied() {
                        None => {
                            descend = Some(parent);
                            break;
                        }
                        Some(p) if p.on_stack => {
                            if let Some(m) = marks.get_mut(node) {
                                m.low = m.low.min(p.index);
                            }
                        }
                        Some(_) => {}
                    }
                    next += 1;
                }
                if let Some(parent) = descend {
                    work.push((node, next + 1));
                    work.push((parent, 0));
                } else if marks[node].low == marks[node].index {
                    let mut component = Vec::new();
                    while let Some(member) = stack.pop() {
                        if let Some(m) = marks.get_mut(member) {
                            m.on_stack = false;
                        }
                        component.push(member.clone());
                        if member == node {
                            break;
                        }
                    }
                    component.sort();
                    components.push(component);
                }
            }
        }
        components
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Engine, Timing};
    use crate::testing::{graph, schema};

    fn names(tables: &[TableName]) -> Vec<String> {
        tables.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn parents_come_before_children_and_paths_are_shortest() {
        let s = schema(
            Engine::Postgres,
            &[
                "a: id int8 pk",
                "b: id int8 pk, a int8 >a.id",
                "c: id int8 pk, b int8 >b.id, a int8 >a.id",
                "d: id int8 pk, c int8 >c.id",
            ],
        );
        let g = graph(&s);
        assert_eq!(names(&g.parents_first()), ["a", "b", "c", "d"]);
        let path = g.shortest_path(&"a".into(), &"d".into()).unwrap();
        let sides: Vec<String> = path.iter().map(|&i| g.relations()[i].child_side()).collect();
        assert_eq!(sides, ["c.a", "d.c"]);
        assert_eq!(g.shortest_path(&"d".into(), &"a".into()), None);
        assert_eq!(g.shortest_path(&"a".into(), &"a".into()), Some(vec![]));
        let reached: Vec<(String, usize)> =
            g.reach(&"a".into()).iter().map(|r| (r.table.to_string(), r.depth)).collect();
        assert_eq!(reached, [("a".into(), 0), ("b".into(), 1), ("c".into(), 1), ("d".into(), 2)]);
        assert!(g.cycles().is_empty());
    }

    #[test]
    fn cycles_are_told_by_what_breaks_them() {
        let nullable = schema(
            Engine::Postgres,
            &[
                "p: id int8 pk, latest int8 >r.id",
                "r: id int8 pk, p int8 not-null >p.id",
                "x: id int8 pk, r int8 >r.id",
            ],
        );
        let cycles = graph(&nullable).cycles();
        assert_eq!(cycles.len(), 1);
        assert_eq!(
            (names(&cycles[0].tables), cycles[0].broken_by),
            (vec!["p".into(), "r".into()], Break::NullableColumn)
        );

        let mut rigid =
            schema(Engine::Postgres, &["p: id int8 pk, r int8 not-null >r.id", "r: id int8 pk, p int8 not-null >p.id"]);
        assert_eq!(graph(&rigid).cycles()[0].broken_by, Break::Neither);
        rigid.tables[0].foreign_keys[0].timing = Timing::Deferred;
        assert_eq!(graph(&rigid).cycles()[0].broken_by, Break::DeferrableKey);
    }

    #[test]
    fn self_reference_is_a_cycle_that_a_row_can_satisfy_alone() {
        let s = schema(Engine::Postgres, &["c: id int8 pk, referred_by int8 not-null >c.id"]);
        let cycles = graph(&s).cycles();
        assert_eq!((cycles.len(), cycles[0].broken_by), (1, Break::NullableColumn));
    }

    #[test]
    fn long_chain_does_not_overflow_the_stack() {
        let mut lines = vec!["t0: id int8 pk".to_string()];
        lines.extend((1..20_000).map(|i| format!("t{i}: id int8 pk, p int8 >t{}.id", i - 1)));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let g = graph(&schema(Engine::Postgres, &lines));
        assert_eq!(g.parents_first().len(), 20_000);
        assert_eq!(g.shortest_path(&"t0".into(), &"t19999".into()).map(|p| p.len()), Some(19_999));
    }
}
