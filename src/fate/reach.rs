//! How far deletes reach by cascades, and what they newly delete when keys are changed.
//!
//! A key that cascades from now on lets a delete of its parent take rows of its child, and so does every delete that already
//! took rows of the parent. Both are said, table by table.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::implied::{Cascade, Refers, takes};
use super::levels::cascades;
use super::net::{Act, Link, Net};
use crate::change::Change;
use crate::relations::{Graph, side};
use crate::schema::{Action, ForeignKey, Schema, TableName};

/// So many tables are named in a sentence; the rest are counted.
const NAMED: usize = 5;

/// What some deletes delete that they did not delete before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewlyDeleted {
    /// The tables from which a delete now takes more with it, sorted.
    pub from: Vec<TableName>,
    /// The tables that lose rows in it and did not before, sorted.
    pub tables: Vec<TableName>,
    /// The tables that lost rows before and can lose more now, sorted.
    pub more_of: Vec<TableName>,
    /// The relations further down that stop such a delete while rows refer by them, which nothing in it deletes: `invoices.org_id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped_by: Vec<String>,
}

impl NewlyDeleted {
    /// Writes it as a clause: ``a delete from `users` also deletes rows of `notes` ``.
    pub fn clause(&self) -> String {
        let stops = match self.stopped_by.as_slice() {
            [] => String::new(),
            some => format!(", unless rows that refer by {} stop it", names(some, "or")),
        };
        let what = match (self.tables.as_slice(), self.more_of.as_slice()) {
            (tables, []) => format!("also deletes rows of {}", names(tables, "and")),
            ([], more) => format!("can delete more rows of {}", names(more, "and")),
            (tables, more) => format!(
                "also deletes rows of {}, and can delete more rows of {}",
                names(tables, "and"),
                names(more, "and")
            ),
        };
        format!("a delete from {} {what}{stops}", names(&self.from, "or"))
    }
}

fn names<T: std::fmt::Display>(tables: &[T], word: &str) -> String {
    let mut names: Vec<String> = tables.iter().take(NAMED).map(|t| format!("`{t}`")).collect();
    let more = tables.len().saturating_sub(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} {word} {last}", first.join(", ")),
        all => all.concat(),
    }
}

/// Columns that refer to a table: child and parent as the key names them, partitions too, and the child's columns, sorted.
type Edge = (usize, usize, Vec<String>);

/// What a delete newly takes: tables that lose rows and did not before, those that can lose more, and the keys that stop it.
type Lost<'e> = (Vec<usize>, Vec<usize>, Vec<&'e Edge>);

/// Every edge that a state of the schema has, each with its number.
#[derive(Clone, Debug, Default)]
struct Edges {
    all: Vec<Edge>,
    numbers: BTreeMap<Edge, usize>,
}

impl Edges {
    fn number(&mut self, edge: Edge) -> usize {
        let Self { all, numbers } = self;
        *numbers.entry(edge).or_insert_with_key(|edge| {
            all.push(edge.clone());
            all.len() - 1
        })
    }
}

/// Some of the edges, by number.
#[derive(Clone, Debug, Default)]
struct Chosen(Vec<bool>);

impl Chosen {
    fn of(numbers: impl Iterator<Item = usize>) -> Self {
        let mut chosen = Self::default();
        numbers.for_each(|number| chosen.set(number, true));
        chosen
    }

    fn has(&self, number: usize) -> bool {
        self.0.get(number).copied().unwrap_or(false)
    }

    fn set(&mut self, number: usize, is: bool) {
        if number >= self.0.len() {
            self.0.resize(number + 1, false);
        }
        self.0[number] = is;
    }

    fn numbers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, is)| **is).map(|(number, _)| number)
    }
}

/// The cascades of a schema.
#[derive(Clone, Debug)]
pub struct Reach {
    /// All tables, partitions too.
    tables: Arc<[TableName]>,
    /// By table: the table that its rows belong to in the end.
    whole: Arc<[usize]>,
    known: Arc<Edges>,
    /// By link of the net that it was read from: the number of its edge.
    links: Arc<[Option<usize>]>,
    /// By edge: how a row refers by it.
    refers: Arc<Vec<Option<Refers>>>,
    /// Those that cascade.
    cascades: Chosen,
    /// Those that stop a delete while rows refer by them.
    stops: Chosen,
}

impl Reach {
    /// Reads the cascades of a schema that enforces its keys.
    pub fn of(schema: &Schema, graph: &Graph) -> Self {
        Self::of_net(&Net::new(schema, graph, true))
    }

    pub(super) fn of_net(net: &Net<'_>) -> Self {
        let tables: Arc<[TableName]> = net.schema.tables.iter().map(|t| t.name.clone()).collect();
        let number = |name: &TableName| tables.binary_search(name).ok();
        let whole = tables.iter().enumerate().map(|(at, t)| number(net.schema.whole(t)).unwrap_or(at)).collect();
        let mut known = Edges::default();
        let edge = |link: &Link<'_>| {
            let relation = &net.graph.relations()[link.relation];
            Some((number(&relation.child)?, number(&relation.parent)?, sorted(&relation.columns)))
        };
        let links: Arc<[Option<usize>]> =
            net.links.iter().map(|link| edge(link).map(|edge| known.number(edge))).collect();
        let mut refers = vec![None; known.all.len()];
        for (link, number) in links.iter().enumerate() {
            if let Some(number) = number {
                refers[*number] = how(net, link);
            }
        }
        let (cascades, stops) = (Chosen::default(), Chosen::default());
        Self { tables, whole, links, known: Arc::new(known), refers: Arc::new(refers), cascades, stops }.again(net)
    }

    /// Reads the cascades again after the keys of the net that it was read from have changed.
    pub(super) fn again(&self, net: &Net<'_>) -> Self {
        let of = |is: &dyn Fn(usize) -> bool| {
            let numbers = self.links.iter().enumerate().filter(|(link, _)| is(*link));
            Chosen::of(numbers.filter_map(|(_, number)| *number))
        };
        let checks = |i: usize| matches!(net.links[i].act, Act::Check(_) | Act::Fail(_)) && net.standing(i).acts;
        let (cascades, stops) = (of(&|i| cascades(net, i)), of(&checks));
        Self { cascades, stops, ..self.clone() }
    }

    /// Returns what deletes would newly delete after changes.
    pub fn newly(&self, changes: &[Change]) -> Vec<NewlyDeleted> {
        if !changes.iter().any(is_cascading) {
            return Vec::new();
        }
        let mut after = self.clone();
        after.take(changes);
        self.to(&after)
    }

    /// Makes the changes.
    pub fn take(&mut self, changes: &[Change]) {
        for change in changes {
            let (old, new) = match change {
                Change::AddForeignKey { foreign_key, .. } => (None, Some(foreign_key)),
                Change::DropForeignKey { foreign_key, .. } => (Some(foreign_key), None),
                Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
                    (Some(old), Some(new))
                }
                _ => continue,
            };
            if let Some(gone) = old.and_then(|key| self.edge(change.table(), key)) {
                self.cascades.set(gone, false);
                self.stops.set(gone, false);
            }
            if let Some(key) = new.filter(|k| acts(k))
                && let Some(made) = self.edge(change.table(), key)
            {
                self.cascades.set(made, true);
            }
            if let Some(key) = new.filter(|k| k.on_delete.refuses() && k.is_active())
                && let Some(made) = self.edge(change.table(), key)
            {
                self.stops.set(made, true);
            }
        }
    }

    /// Returns the number of a key's edge, which it gets if it has none.
    fn edge(&mut self, child: &TableName, key: &ForeignKey) -> Option<usize> {
        let edge = (self.number(child)?, self.number(&key.parent)?, sorted(&key.columns));
        let known = self.known.numbers.get(&edge).copied();
        Some(known.unwrap_or_else(|| Arc::make_mut(&mut self.known).number(edge)))
    }

    fn number(&self, table: &TableName) -> Option<usize> {
        self.tables.binary_search(table).ok()
    }

    /// Returns the cascades as another state of the schema numbers them, and the child and parent of each.
    fn seen_from(&self, after: &Self) -> (Chosen, Vec<(usize, usize)>) {
        let edges = || self.cascades.numbers().map(|number| &self.known.all[number]);
        if Arc::ptr_eq(&self.known, &after.known) {
            return (self.cascades.clone(), edges().map(|(child, parent, _)| (*child, *parent)).collect());
        }
        let same = Arc::ptr_eq(&self.tables, &after.tables);
        let number = |table: usize| if same { Some(table) } else { after.number(&self.tables[table]) };
        let renumbered = edges().filter_map(|(c, p, columns)| Some((number(*c)?, number(*p)?, columns.clone())));
        let renumbered: Vec<Edge> = renumbered.collect();
        let numbers = renumbered.iter().filter_map(|edge| after.known.numbers.get(edge).copied());
        (Chosen::of(numbers), renumbered.iter().map(|(child, parent, _)| (*child, *parent)).collect())
    }

    /// Returns what deletes newly delete when the cascades are those of another state of the schema.
    pub(super) fn to(&self, after: &Self) -> Vec<NewlyDeleted> {
        let (known, edges_before) = self.seen_from(after);
        let all = &after.known.all;
        let whole = |table: usize| after.whole[table];
        let ends = |number: usize| (whole(all[number].0), whole(all[number].1));
        let count = after.tables.len();
        let cascade = |number: usize| {
            let (child, parent) = ends(number);
            Cascade { child, parent, refers: after.refers.get(number).and_then(Option::as_ref) }
        };
        let is_new = |&n: &usize| !known.has(n);
        if !after.cascades.numbers().any(|n| is_new(&n)) {
            return Vec::new();
        }
        let were: Vec<Cascade<'_>> = known.numbers().map(cascade).collect();
        let are: Vec<Cascade<'_>> = after.cascades.numbers().map(cascade).collect();
        // Only by two columns or more can a row say twice whose it is.
        let told_twice = |n: usize| {
            let (child, _) = ends(n);
            let of = |c: &&Cascade<'_>| c.child == child && c.refers.is_some_and(|r| r.always && r.pairs.len() > 1);
            were.iter().any(|c| of(&c))
                || after.refers.get(n).and_then(Option::as_ref).is_some_and(|r| r.pairs.len() > 1)
        };
        let new: Vec<(usize, usize, Option<Vec<bool>>)> = after
            .cascades
            .numbers()
            .filter(is_new)
            .map(|n| {
                let (child, parent) = ends(n);
                (child, parent, told_twice(n).then(|| takes(&cascade(n), &were, &are, count)))
            })
            .collect();
        let (mut now, mut above, mut before) =
            (vec![Vec::new(); count], vec![Vec::new(); count], vec![Vec::new(); count]);
        for (child, parent) in after.cascades.numbers().map(ends) {
            now[parent].push(child);
            above[child].push(parent);
        }
        for (child, parent) in edges_before {
            before[whole(parent)].push(whole(child));
        }
        let (_, roots) = closure(new.iter().map(|(_, parent, _)| *parent), &above);
        let stopping: Vec<usize> = after.stops.numbers().collect();
        let mut groups: BTreeMap<Lost<'_>, Vec<usize>> = BTreeMap::new();
        for root in roots {
            let (is_reached, _) = closure([root], &now);
            let heads = new
                .iter()
                .filter(|(_, parent, takes)| is_reached[*parent] && takes.as_ref().is_none_or(|takes| takes[root]));
            let (loses, lose) = closure(heads.map(|(child, ..)| *child), &now);
            if lose.is_empty() {
                continue;
            }
            let (is_lost, _) = closure([root], &before);
            let stops = |&&number: &&usize| {
                let (child, parent) = ends(number);
                loses[parent] && !is_reached[child]
            };
            let mut stopped_by: Vec<&Edge> = stopping.iter().filter(stops).map(|&number| &all[number]).collect();
            stopped_by.sort();
            let (more_of, tables) = lose.into_iter().partition(|&t| is_lost[t]);
            groups.entry((tables, more_of, stopped_by)).or_default().push(root);
        }
        let named = |tables: &[usize]| tables.iter().map(|&t| after.tables[t].clone()).collect::<Vec<_>>();
        let mut all: Vec<NewlyDeleted> = groups
            .iter()
            .map(|((tables, more_of, stopped_by), from)| NewlyDeleted {
                from: named(from),
                tables: named(tables),
                more_of: named(more_of),
                stopped_by: stopped_by.iter().map(|(child, _, columns)| side(&after.tables[*child], columns)).collect(),
            })
            .collect();
        all.sort_by(|a, b| a.from.cmp(&b.from));
        all
    }
}

/// Returns how a row refers by a link; `None` if it is about the rows of a partition alone.
fn how(net: &Net<'_>, link: usize) -> Option<Refers> {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let table = net.holder(link).filter(|_| !l.is_partial() && l.pairs.len() == relation.columns.len())?;
    let key = relation.foreign_key().filter(|k| k.is_active() && k.validated);
    Some(Refers {
        pairs: l.pairs.clone(),
        always: key.is_some() && relation.columns.iter().all(|c| !table.is_nullable(c)),
    })
}

/// Tells whether a change makes a key cascade.
pub fn is_cascading(change: &Change) -> bool {
    match change {
        Change::AddForeignKey { foreign_key, .. } => acts(foreign_key),
        Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
            acts(new) && !acts(old)
        }
        _ => false,
    }
}

fn acts(key: &ForeignKey) -> bool {
    key.on_delete == Action::Cascade && key.is_active()
}

/// Returns what can be got to, by number and in order.
fn closure(from: impl IntoIterator<Item = usize>, next: &[Vec<usize>]) -> (Vec<bool>, Vec<usize>) {
    let mut seen = vec![false; next.len()];
    let mut all: Vec<usize> = Vec::new();
    for table in from {
        if !std::mem::replace(&mut seen[table], true) {
            all.push(table);
        }
    }
    let mut at = 0;
    while let Some(&table) = all.get(at) {
        at += 1;
        for &other in &next[table] {
            if !std::mem::replace(&mut seen[other], true) {
                all.push(other);
            }
        }
    }
    all.sort_unstable();
    (seen, all)
}

fn sorted(columns: &[String]) -> Vec<String> {
    let mut columns = columns.to_vec();
    columns.sort();
    columns
}

/// Writes what is newly deleted, a sentence for each group of deletes; the first few, and how many more there are.
pub fn sentences(all: &[NewlyDeleted]) -> Vec<String> {
    let mut told: Vec<String> = all.iter().take(3).map(NewlyDeleted::clause).collect();
    let more: usize = all.iter().skip(3).map(|n| n.from.len()).sum();
    if more > 0 {
        told.push(format!(
            "deletes from {more} more {} reach further, too",
            if more == 1 { "table" } else { "tables" }
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::testing::{graph, schema};

    fn cascading(s: &Schema, child: &str) -> Vec<Change> {
        let table = s.table(&child.into()).unwrap();
        let old = table.foreign_keys[0].clone();
        let new = ForeignKey { on_delete: Action::Cascade, ..old.clone() };
        vec![Change::ReplaceForeignKey { table: table.name.clone(), old, new }]
    }

    fn told(s: &Schema, child: &str) -> Vec<String> {
        sentences(&Reach::of(s, &graph(s)).newly(&cascading(s, child)))
    }

    #[test]
    fn deletes_further_up_reach_further_too() {
        let s = schema(
            Engine::Postgres,
            &[
                "teams: id int8 pk",
                "users: id int8 pk, team_id int8 not-null >teams.id cascade",
                "notes: id int8 pk, user_id int8 not-null >users.id",
                "lines: id int8 pk, note_id int8 not-null >notes.id cascade",
            ],
        );
        assert_eq!(told(&s, "notes"), ["a delete from `teams` or `users` also deletes rows of `lines` and `notes`"]);
        assert!(told(&s, "lines").is_empty(), "it cascades already");
    }

    #[test]
    fn what_refuses_further_down_is_named() {
        let s = schema(
            Engine::Postgres,
            &[
                "users: id int8 pk",
                "orgs: id int8 pk, owner_id int8 not-null >users.id",
                "invoices: id int8 pk, org_id int8 not-null >orgs.id",
                "keys: id int8 pk, org_id int8 not-null >orgs.id cascade",
                "uses: id int8 pk, key_id int8 not-null >keys.id, org_id int8 not-null >orgs.id cascade",
            ],
        );
        // What refers by `uses.key_id` goes with the organisation.
        let told = told(&s, "orgs");
        let stops = "a delete from `users` also deletes rows of `keys`, `orgs` and `uses`, unless rows that refer by `invoices.org_id` stop it";
        assert_eq!(told, [stops]);
    }

    #[test]
    fn back_pointer_takes_more_rows_of_the_root() {
        let s = schema(
            Engine::Sqlite,
            &[
                "projects: id integer pk, latest_run_id integer >runs.id",
                "runs: id integer pk, project_id integer not-null >projects.id cascade",
            ],
        );
        assert_eq!(
            told(&s, "projects"),
            [
                "a delete from `projects` can delete more rows of `projects` and `runs`",
                "a delete from `runs` also deletes rows of `projects`, and can delete more rows of `runs`",
            ]
        );
    }

    #[test]
    fn rows_of_a_partition_are_those_of_its_table() {
        let mut s = schema(
            Engine::Postgres,
            &[
                "users: id int8 pk",
                "orders: id int8 pk, user_id int8 >users.id cascade",
                "orders_1: id int8 pk, user_id int8",
                "lines: id int8 pk, order_id int8 not-null >orders_1.id",
            ],
        );
        s.table_mut(&"orders_1".into()).unwrap().partition_of = Some("orders".into());
        assert_eq!(told(&s, "lines"), ["a delete from `orders` or `users` also deletes rows of `lines`"]);
        s.table_mut(&"lines".into()).unwrap().foreign_keys[0].on_delete = Action::Cascade;
        assert!(told(&s, "lines").is_empty(), "it cascades already");
    }

    /// Packages of a tenant's application have the tenant's number, too.
    #[test]
    fn rows_that_go_already_are_not_more_of_them() {
        let make = |column: &str| {
            let mut s = schema(
                Engine::Postgres,
                &[
                    "tenants: id int8 pk",
                    "apps: id int8 pk, tenant_id int8 not-null >tenants.id cascade",
                    &format!("packages: id int8 pk, tenant_id int8 {column} >tenants.id, app_id int8 not-null"),
                ],
            );
            let mut key = ForeignKey::new(["tenant_id", "app_id"], "apps".into(), ["tenant_id", "id"]);
            key.on_delete = Action::Cascade;
            s.table_mut(&"packages".into()).unwrap().foreign_keys.push(key);
            s
        };
        assert!(told(&make("not-null"), "packages").is_empty());
        // What can be NULL need not refer to an application.
        assert_eq!(told(&make(""), "packages"), ["a delete from `tenants` can delete more rows of `packages`"]);

        // The other way round: the tenant's rows go already, those of an application do not.
        let mut s = make("not-null");
        let keys = &mut s.table_mut(&"packages".into()).unwrap().foreign_keys;
        for key in keys.iter_mut() {
            key.on_delete = if key.columns.len() == 1 { Action::Cascade } else { Action::NoAction };
        }
        keys.sort_by_key(|k| std::cmp::Reverse(k.columns.len()));
        assert_eq!(told(&s, "packages"), ["a delete from `apps` also deletes rows of `packages`"]);
    }

    #[test]
    fn second_key_to_a_parent_takes_more_rows_of_the_child() {
        let mut s = schema(
            Engine::Postgres,
            &["users: id int8 pk", "notes: id int8 pk, editor int8 >users.id, author int8 >users.id cascade"],
        );
        s.table_mut(&"notes".into()).unwrap().foreign_keys.sort_by(|a, b| b.columns.cmp(&a.columns));
        assert_eq!(told(&s, "notes"), ["a delete from `users` can delete more rows of `notes`"]);
    }
}
