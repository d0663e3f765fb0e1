//! ON DELETE advice, held against what deletes come to: no CASCADE that opens a way to a refusal.
//!
//! Inference advises by names, nullability and habits of the schema; it cannot know what a cascade leads to. Here each
//! advised CASCADE is tried on the network. If a delete that nothing stood in the way of would then be refused, fail, or
//! depend on data or on the order of keys, the advice is taken back. What the user asks for is never changed.

use std::collections::BTreeMap;

use super::Verdict;
use super::judge::{Judgement, judge};
use super::net::{Act, Link, Net};
use crate::infer::{Advice, HouseStyle, Inference, advise_in_style};
use crate::relations::{Graph, Relation};
use crate::schema::{Action, Schema, Timing};

/// Of the tables whose deletes come through a relation, at most this many are judged, besides its own parent.
const MOST_ROOTS: usize = 32;

/// Recommends ON DELETE actions, each as if it were the only key to be added.
pub struct Advisor<'s> {
    schema: &'s Schema,
    graph: &'s Graph,
    style: HouseStyle,
    trial: Trial<'s>,
}

impl<'s> Advisor<'s> {
    /// Reads a schema and its relations.
    pub fn new(schema: &'s Schema, graph: &'s Graph) -> Self {
        Self { schema, graph, style: HouseStyle::of(schema, graph), trial: Trial::new(schema, graph) }
    }

    /// Recommends the action for a relation of the graph that no key declares.
    pub fn advise(&mut self, relation: &Relation) -> Advice {
        let advice = advise_in_style(self.schema, self.graph, &self.style, relation);
        self.trial.hold(self.schema, relation, advice)
    }
}

/// Takes back each advised CASCADE that would open a way to a refusal, in sight of whatever else is advised: all that do not
/// cascade, and the cascades before it. `known` are the relations that were not inferred.
pub fn withdraw_refused(schema: &Schema, known: &[Relation], inference: &mut Inference) {
    let found: Vec<Relation> = inference.proposals.iter().map(|p| p.proposal.relation(schema)).collect();
    let graph = Graph::from_relations(schema, known.iter().chain(&found).cloned().collect());
    let mut trial = Trial::new(schema, &graph);
    for cascades in [false, true] {
        for (advised, relation) in inference.proposals.iter_mut().zip(&found) {
            if (advised.action.action == Action::Cascade) == cascades {
                advised.action = trial.hold(schema, relation, advised.action.clone());
                trial.keep(relation, advised.action.action);
            }
        }
    }
}

struct Trial<'s> {
    net: Net<'s>,
    /// By table: what a delete from it comes to as things are, once somebody has asked.
    verdicts: Vec<Option<Verdict>>,
}

impl<'s> Trial<'s> {
    fn new(schema: &'s Schema, graph: &'s Graph) -> Self {
        let net = Net::new(schema, graph, true);
        Self { verdicts: vec![None; net.tables.len()], net }
    }

    fn hold(&mut self, schema: &Schema, relation: &Relation, advice: Advice) -> Advice {
        if advice.action != Action::Cascade || relation.on_delete == Some(Action::Cascade) {
            return advice;
        }
        match self.link(relation).and_then(|link| self.opens(link)) {
            // The parent's other children cascade all the same; that some rows can now be in the way is worth knowing.
            Some((Verdict::DependsOnData, why)) if advice.unanimous => {
                Advice { rationale: format!("{}; {why}", advice.rationale), ..advice }
            }
            Some((_, why)) => Advice::instead_of_cascade(schema, relation, why),
            None => advice,
        }
    }

    fn link(&self, relation: &Relation) -> Option<usize> {
        let number = self.net.graph.parents_of(&relation.child).find(|(_, r)| *r == relation)?.0;
        // Links are made in the order of the relations.
        self.net.links.binary_search_by_key(&number, |l| l.relation).ok()
    }

    /// Says what a CASCADE on this link would stop that nothing stops now.
    fn opens(&mut self, link: usize) -> Option<(Verdict, String)> {
        let (child, parent) = (self.net.links[link].child, self.net.links[link].parent);
        let below = self.taken(child);
        let limit = self.net.engine.facts().keys.cascade_limit.as_ref();
        let too_deep = limit.is_some_and(|limit| self.levels(link) > limit.most);
        if !too_deep && self.only_deletes(&below, link) {
            return None;
        }
        if self.verdict(parent).always_succeeds() {
            let judged = self.with_cascade(link, parent);
            if !judged.verdict.always_succeeds() {
                return Some((judged.verdict, self.words(parent, &judged)));
            }
            if !too_deep && !self.meets(&below, &judged) {
                return None;
            }
        }
        let mut roots = self.reaching(parent);
        roots.remove(0);
        if roots.len() > MOST_ROOTS {
            // The nearest, and the farthest, from where chains are longest.
            roots.drain(MOST_ROOTS / 2..roots.len() - MOST_ROOTS / 2);
        }
        roots.into_iter().find_map(|root| {
            if !self.verdict(root).always_succeeds() {
                return None;
            }
            let judged = self.with_cascade(link, root);
            (!judged.verdict.always_succeeds()).then(|| (judged.verdict, self.words(root, &judged)))
        })
    }

    fn verdict(&mut self, root: usize) -> Verdict {
        let net = &self.net;
        *self.verdicts[root].get_or_insert_with(|| judge(net, root).verdict)
    }

    fn with_cascade(&mut self, link: usize, root: usize) -> Judgement {
        let old = self.set(link, Action::Cascade);
        let judged = judge(&self.net, root);
        self.net.links[link] = old;
        judged
    }

    /// Tells whether all that happens below these tables is that more rows go, and no other key changes those rows first.
    fn only_deletes(&self, tables: &[usize], but: usize) -> bool {
        let deletes = |&i: &usize| matches!(self.net.links[i].act, Act::Delete | Act::Orphan);
        let changes = |&i: &usize| i != but && self.changes(i);
        tables.iter().all(|&t| self.net.below[t].iter().all(deletes) && !self.net.above[t].iter().any(changes))
    }

    fn changes(&self, link: usize) -> bool {
        matches!(self.net.links[link].act, Act::Null | Act::Default)
    }

    /// Tells whether a delete that starts further up can also come to these tables' rows, or to those that refer to them, by
    /// keys that change columns, so that it has to be judged by itself.
    fn meets(&self, tables: &[usize], judged: &Judgement) -> bool {
        let referring = tables.iter().flat_map(|&t| &self.net.below[t]).map(|&i| self.net.links[i].child);
        let from_elsewhere = |&i: &usize| self.changes(i) && !judged.walk.loses_rows(self.net.links[i].parent);
        tables.iter().copied().chain(referring).any(|t| self.net.above[t].iter().any(from_elsewhere))
    }

    /// Returns a table and those that its deletes cascade into.
    fn taken(&self, table: usize) -> Vec<usize> {
        self.follow(table, |table| self.down(table))
    }

    fn down(&self, table: usize) -> impl Iterator<Item = usize> {
        self.cascading(&self.net.below[table]).map(|l| l.child)
    }

    fn up(&self, table: usize) -> impl Iterator<Item = usize> {
        self.cascading(&self.net.above[table]).map(|l| l.parent)
    }

    fn cascading(&self, links: &[usize]) -> impl Iterator<Item = &Link<'s>> {
        links.iter().map(|&i| &self.net.links[i]).filter(|l| l.act == Act::Delete)
    }

    /// Returns how many cascades at most follow each other if this link is one; more than any limit if they run in a circle.
    fn levels(&self, link: usize) -> usize {
        let l = &self.net.links[link];
        let above = longest(&self.reaching(l.parent), |t| self.up(t));
        let below = longest(&self.taken(l.child), |t| self.down(t));
        above.zip(below).filter(|_| l.child != l.parent).map_or(usize::MAX, |(a, b)| a + 1 + b)
    }

    /// Returns the tables whose deletes cascade into this one, itself first, nearest first.
    fn reaching(&self, table: usize) -> Vec<usize> {
        self.follow(table, |table| self.up(table))
    }

    fn follow<I: Iterator<Item = usize>>(&self, table: usize, next_to: impl Fn(usize) -> I) -> Vec<usize> {
        let mut seen = vec![false; self.net.tables.len()];
        seen[table] = true;
        let mut all = vec![table];
        let mut next = 0;
        while let Some(&at) = all.get(next) {
            next += 1;
            for other in next_to(at) {
                if !std::mem::replace(&mut seen[other], true) {
                    all.push(other);
                }
            }
        }
        all
    }

    /// Has the key act, and what was known of the deletes that get there forgotten.
    fn keep(&mut self, relation: &Relation, action: Action) {
        let Some(link) = self.link(relation) else { return };
        for root in self.reaching(self.net.links[link].parent) {
            self.verdicts[root] = None;
        }
        self.set(link, action);
    }

    /// Has a link act as a new key with this action would; returns the link as it was.
    fn set(&mut self, link: usize, action: Action) -> Link<'s> {
        let check = |action| Act::Check((self.net.semantics.check)(action, Timing::Immediate));
        let (act, on_update) = match action {
            Action::Cascade => (Act::Delete, check(Action::NoAction)),
            Action::SetNull => (Act::Null, check(Action::NoAction)),
            // Never advised; which default there is, the declaration would have to say.
            Action::SetDefault => (Act::Orphan, Act::Orphan),
            Action::NoAction | Action::Restrict => (check(action), check(Action::NoAction)),
        };
        let l = &mut self.net.links[link];
        let old = l.clone();
        (l.act, l.on_update) = (act, on_update);
        l.changed = if act == Act::Null { l.columns().collect() } else { Vec::new() };
        old
    }

    fn words(&self, root: usize, judged: &Judgement) -> String {
        let root = self.net.tables[root];
        let decides = judged.rulings.iter().find(|r| match judged.verdict {
            Verdict::DependsOnOrder => r.order_decides,
            verdict => r.verdict() == verdict,
        });
        let relation = decides.map(|r| &self.net.graph.relations()[self.net.links[r.link].relation]);
        let by = relation.map_or_else(String::new, |r| format!(" (`{}`)", r.child_side()));
        match judged.verdict {
            Verdict::Refused => format!("with CASCADE a delete from `{root}` would be refused further down{by}"),
            Verdict::Fails => format!("with CASCADE a delete from `{root}` would fail further down{by}"),
            Verdict::DependsOnOrder => {
                format!("with CASCADE the order of keys would decide whether a delete from `{root}` succeeds{by}")
            }
            _ => format!("with CASCADE the data would decide whether a delete from `{root}` succeeds{by}"),
        }
    }
}

/// Returns the length of the longest chain through tables, the first of which leads to all others; `None` if there is a circle.
fn longest<I: Iterator<Item = usize>>(tables: &[usize], next_to: impl Fn(usize) -> I) -> Option<usize> {
    let mut waits_for: BTreeMap<usize, usize> = BTreeMap::new();
    for &table in tables {
        next_to(table).for_each(|next| *waits_for.entry(next).or_default() += 1);
    }
    let mut free = vec![(*tables.first()?, 0)];
    if waits_for.contains_key(&tables[0]) {
        return None;
    }
    let (mut lengths, mut done, mut most) = (BTreeMap::new(), 0, 0);
    while let Some((table, length)) = free.pop() {
        (done, most) = (done + 1, most.max(length));
        for next in next_to(table) {
            let longer = lengths.entry(next).or_insert(0);
            *longer = (length + 1).max(*longer);
            if let Some(waits) = waits_for.get_mut(&next) {
                *waits -= 1;
                if *waits == 0 {
                    free.push((next, *longer));
                }
            }
        }
    }
    (done == tables.len()).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::{Model, Survey};
    use crate::schema::{Engine, ForeignKey, Key};
    use crate::testing::{graph, schema};

    fn advice(engine: Engine, lines: &[&str], column: &str) -> (Action, String) {
        let s = schema(engine, lines);
        let g = graph(&s);
        let relation = g.relations().iter().find(|r| r.child_side() == column).unwrap();
        assert!(!relation.is_declared(), "{column}");
        let advice = Advisor::new(&s, &g).advise(relation);
        (advice.action, advice.rationale)
    }

    const USERS: &str = "users: id int8 pk";
    const VISITS: &str = "visits: id int8 pk, user_id int8 not-null";

    #[test]
    fn cascade_above_a_refusal_is_taken_back() {
        for engine in [Engine::Postgres, Engine::Sqlite, Engine::Mariadb, Engine::Cockroach] {
            let pages = |action: &str| format!("pages: id int8 pk, visit_id int8 not-null >visits.id {action}");
            let (action, why) = advice(engine, &[USERS, VISITS, &pages("restrict")], "visits.user_id");
            assert_eq!(action, Action::Restrict, "{engine}");
            assert_eq!(
                why, "with CASCADE a delete from `users` would be refused further down (`pages.visit_id`)",
                "{engine}"
            );
            let kept = advice(engine, &[USERS, VISITS, &pages("cascade")], "visits.user_id");
            assert_eq!(kept.0, Action::Cascade, "{engine}: {}", kept.1);
        }
    }

    #[test]
    fn cascade_that_stops_nothing_new_stays() {
        // A delete from users is refused as it is.
        let pages = "pages: id int8 pk, visit_id int8 not-null >visits.id restrict";
        let badges = "badges: id int8 pk, user_id int8 not-null >users.id restrict";
        assert_eq!(advice(Engine::Postgres, &[USERS, VISITS, pages, badges], "visits.user_id").0, Action::Cascade);
    }

    #[test]
    fn tables_further_up_count() {
        // A delete from users is refused as it is, by badges; one from teams takes all badges of their users along.
        let mut s = schema(
            Engine::Postgres,
            &[
                "teams: id int8 pk",
                "users: id int8 pk, team_id int8 not-null >teams.id cascade",
                "badges: id int8 pk, team_id int8 not-null >teams.id cascade, user_id int8 not-null",
                VISITS,
                "pages: id int8 pk, visit_id int8 not-null >visits.id",
            ],
        );
        s.table_mut(&"users".into()).unwrap().unique_keys.push(Key::new(["team_id", "id"]));
        let key = ForeignKey::new(["team_id", "user_id"], "users".into(), ["team_id", "id"]);
        s.table_mut(&"badges".into()).unwrap().foreign_keys.push(ForeignKey { firing_order: 9, ..key });
        let g = graph(&s);
        let relation = g.relations().iter().find(|r| r.child_side() == "visits.user_id").unwrap();
        let advice = Advisor::new(&s, &g).advise(relation);
        assert_eq!(advice.action, Action::Restrict);
        let why = "with CASCADE a delete from `teams` would be refused further down (`pages.visit_id`)";
        assert_eq!(advice.rationale, why);
    }

    #[test]
    fn cascade_that_leaves_it_to_the_order_is_taken_back() {
        // PostgreSQL checks a row that two keys change by its third key, whose parent would now be gone.
        let lines = [
            USERS,
            VISITS,
            "notes: id int8 pk, a int8 >users.id set-null, b int8 >users.id set-null, visit_id int8 >visits.id set-null",
        ];
        let (action, why) = advice(Engine::Postgres, &lines, "visits.user_id");
        assert_eq!(action, Action::Restrict);
        assert_eq!(
            why,
            "with CASCADE the order of keys would decide whether a delete from `users` succeeds (`notes.visit_id`)"
        );
        assert_eq!(advice(Engine::Sqlite, &lines, "visits.user_id").0, Action::Cascade);
    }

    #[test]
    fn cascade_beyond_the_engines_limit_is_taken_back() {
        // Of the fifteen cascades from t0 to t15 the one in the middle is not declared; InnoDB carries out fourteen.
        let of = |tables: usize| {
            let key = |i: usize| {
                let declared = if i == 7 { String::new() } else { format!(" >t{}.id cascade", i - 1) };
                format!("t{i}: id int8 pk, t{}_id int8 not-null{declared}", i - 1)
            };
            let lines: Vec<String> =
                std::iter::once("t0: id int8 pk".to_string()).chain((1..tables).map(key)).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            advice(Engine::Mariadb, &lines, "t7.t6_id")
        };
        assert_eq!(of(15).0, Action::Cascade);
        let (action, why) = of(16);
        assert_eq!(action, Action::Restrict);
        assert!(why.starts_with("with CASCADE the data would decide whether a delete from `t0` succeeds"), "{why}");
    }

    /// `pages` go with their user; those of a visit that belongs to somebody else would be in the way.
    #[test]
    fn schema_that_cascades_throughout_is_followed_where_only_data_can_tell() {
        let of = |others: &str| {
            let lines = [
                USERS,
                VISITS,
                "pages: id int8 pk, user_id int8 not-null >users.id cascade, visit_id int8 not-null >visits.id",
                others,
            ];
            advice(Engine::Sqlite, &lines, "visits.user_id")
        };
        let (action, why) = of("badges: id int8 pk");
        assert_eq!((action, why.starts_with("with CASCADE the data")), (Action::Restrict, true), "{why}");
        let (action, why) = of("badges: id int8 pk, user_id int8 not-null >users.id cascade");
        assert_eq!((action, why.starts_with("2 of the 2 declared foreign keys")), (Action::Cascade, true), "{why}");
        assert!(
            why.ends_with("the data would decide whether a delete from `users` succeeds (`pages.visit_id`)"),
            "{why}"
        );
    }

    #[test]
    fn proposals_are_held_against_each_other() {
        let of = |pages: &str| {
            let s = schema(Engine::Postgres, &[USERS, VISITS, pages]);
            let mut inference = Survey::of(&s, &[], &[]).report(Model::published(), 0.5, false);
            withdraw_refused(&s, &[], &mut inference);
            inference.proposals.iter().map(|p| (p.proposal.child.name.clone(), p.action.action)).collect::<Vec<_>>()
        };
        let named = |pages, visits| vec![("pages".to_string(), pages), ("visits".to_string(), visits)];
        assert_eq!(of("pages: id int8 pk, visit_id int8 not-null"), named(Action::Cascade, Action::Cascade));
        // Who made it may not vanish, so the visit may not either.
        assert_eq!(of("pages: id int8 pk, author_visit_id int8 not-null"), named(Action::Restrict, Action::Restrict));
    }
}
