//! Which action an undeclared key should have.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::Proposal;
use super::words::{PEOPLE_RANKS, noun, singular, split};
use crate::relations::{Basis, Graph, Relation};
use crate::schema::{Action, Schema};

/// A recommended `ON DELETE` action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The action.
    pub action: Action,
    /// Why, in a sentence.
    pub rationale: String,
    /// Whether the schema itself has decided: all declared keys to the same parent do so.
    pub unanimous: bool,
}

impl Advice {
    /// Returns what to do where CASCADE is out of the question, and why it is.
    #[must_use]
    pub fn instead_of_cascade(schema: &Schema, relation: &Relation, rationale: String) -> Self {
        let action = if is_nullable(schema, relation) { Action::SetNull } else { Action::Restrict };
        Self { action, rationale, unanimous: false }
    }
}

/// Nouns of tables that others only look up.
const REFERENCE: &[&str] = &[
    "product",
    "plan",
    "price",
    "category",
    "country",
    "currency",
    "language",
    "locale",
    "state",
    "region",
    "city",
    "status",
    "type",
    "kind",
    "role",
    "permission",
    "tier",
    "unit",
    "tax",
    "rate",
    "brand",
    "sku",
    "color",
    "size",
    "tag",
    "timezone",
    "genre",
    "article",
    "service",
    "supplier",
    "warehouse",
    "store",
];

/// Words of tables whose rows must outlive what they tell of, because money or the law asks for them.
const RECORDS: &[&str] = &["invoice", "payment", "payout", "refund", "ledger", "audit", "receipt", "order", "contract"];

/// Words of columns that name who did something, not what the row belongs to.
const ACTORS: &[&str] =
    &["by", "author", "creator", "editor", "approver", "reviewer", "operator", "assignee", "manager"];

/// Tells whether a column's name says who did something: `created_by`, `author_id`.
pub fn names_actor(column: &str) -> bool {
    split(column).iter().any(|w| ACTORS.contains(&w.as_str()))
}

/// Recommends the action for a relation that no key declares.
///
/// What the user configured comes first, then what this schema's declared keys do: to the same parent, then anywhere, in
/// the same situation. Only where neither says anything, nullability, names and ownership do. Where a CASCADE leads is not
/// looked into: `fate::Advisor` does.
pub fn advise(schema: &Schema, graph: &Graph, relation: &Relation) -> Advice {
    advise_in_style(schema, graph, &HouseStyle::of(schema, graph), relation)
}

/// Recommends the action for one of many relations of a schema whose style was read before.
pub fn advise_in_style(schema: &Schema, graph: &Graph, style: &HouseStyle, relation: &Relation) -> Advice {
    let advice = advised(schema, graph, style, relation);
    if advice.action == Action::Cascade && closes_a_circle(graph, relation) {
        let why = format!("CASCADE would close a circle of cascades through `{}`", relation.parent);
        return Advice::instead_of_cascade(schema, relation, why);
    }
    advice
}

/// Recommends the actions of all proposals, each in sight of what was advised for those before it, so that together they
/// close no circle of cascades.
pub(super) fn for_all(schema: &Schema, graph: &Graph, proposals: &[Proposal]) -> Vec<Advice> {
    let mut sight = graph.clone();
    let style = HouseStyle::of(schema, graph);
    let mut all = Vec::new();
    for proposal in proposals {
        let advice = advise_in_style(schema, &sight, &style, &proposal.relation(schema));
        sight.set_action(&proposal.child, &proposal.columns, advice.action);
        all.push(advice);
    }
    all
}

/// Tells whether rows of the relation's child already take rows of its parent along when they are deleted.
///
/// What a delete does in full is for `fate`, which knows each engine's rules; this only keeps clear of the obvious.
fn closes_a_circle(graph: &Graph, relation: &Relation) -> bool {
    if relation.is_self_reference() {
        return false;
    }
    let mut seen = BTreeSet::from([&relation.child]);
    let mut todo = vec![&relation.child];
    while let Some(table) = todo.pop() {
        for (_, below) in graph.children_of(table) {
            if below.on_delete == Some(Action::Cascade) && !below.is_self_reference() && seen.insert(&below.child) {
                if below.child == relation.parent {
                    return true;
                }
                todo.push(&below.child);
            }
        }
    }
    false
}

fn is_nullable(schema: &Schema, relation: &Relation) -> bool {
    relation.columns.iter().all(|c| schema.table(&relation.child).is_some_and(|t| t.is_nullable(c)))
}

fn advised(schema: &Schema, graph: &Graph, style: &HouseStyle, relation: &Relation) -> Advice {
    let advice = |action, rationale: String| Advice { action, rationale, unanimous: false };
    let (child, parent) = (&relation.child, &relation.parent);
    let asked_for = matches!(relation.basis, Basis::Configured);
    if let Some(action) = relation.on_delete.filter(|_| asked_for) {
        return advice(action, "the configuration asks for it".to_string());
    }
    let nullable = is_nullable(schema, relation);
    if let Some((action, times, of)) = habit(schema, graph, relation, nullable) {
        let rationale = format!("{times} of the {of} declared keys to `{parent}` do so");
        return Advice { action, rationale, unanimous: times == of };
    }
    if let Some(advice) = house_style(schema, style, relation, nullable) {
        return advice;
    }
    let column = relation.columns.last().map(String::as_str).unwrap_or_default();
    let parent_noun = split(&parent.name).last().map(|w| singular(w)).unwrap_or_default();
    let people = PEOPLE_RANKS.iter().any(|rank| rank.contains(&noun(&split(&parent.name)).as_str()));
    if nullable {
        return if relation.is_self_reference() {
            advice(Action::SetNull, format!("a row of `{child}` stays when the one it refers to goes"))
        } else {
            advice(Action::SetNull, format!("`{column}` can be NULL: the row of `{child}` outlives that of `{parent}`"))
        };
    }
    if REFERENCE.contains(&parent_noun.as_str()) {
        return advice(Action::Restrict, format!("`{parent}` is reference data: what is in use is not deleted"));
    }
    if relation.is_self_reference() {
        return advice(Action::Restrict, format!("a delete in `{child}` would take a whole tree of rows along"));
    }
    if names_actor(column) {
        return advice(
            Action::Restrict,
            format!("`{column}` names who did it; the row of `{child}` belongs to something else"),
        );
    }
    let child_words = split(&child.name);
    let is_part = child_words.len() > 1 && singular(&child_words[0]) == parent_noun;
    let is_record = child_words.last().is_some_and(|w| RECORDS.contains(&singular(w).as_str()));
    if is_record && !is_part {
        return advice(Action::Restrict, format!("`{child}` is a record that must not vanish with `{parent}`"));
    }
    let junction = schema.table(child).is_some_and(|t| t.in_primary_key(column));
    if people {
        advice(Action::Cascade, format!("a row of `{child}` means nothing without its row of `{parent}`"))
    } else if junction {
        advice(Action::Cascade, format!("`{column}` is part of the key of `{child}`: the row cannot be without it"))
    } else {
        advice(Action::Cascade, format!("`{column}` is NOT NULL: a row of `{child}` belongs to its row of `{parent}`"))
    }
}

/// What a key's situation is, from the most particular trait to the least.
type Situation = (bool, bool, bool, bool);

fn situation(schema: &Schema, relation: &Relation) -> Situation {
    let table = schema.table(&relation.child);
    let column = relation.columns.last().map(String::as_str).unwrap_or_default();
    let actor = split(column).iter().any(|w| ACTORS.contains(&w.as_str()));
    let parent = split(&relation.parent.name).last().map(|w| singular(w)).unwrap_or_default();
    let words = split(&relation.child.name);
    let owned = words.len() > 1 && singular(&words[0]) == parent;
    (is_nullable(schema, relation), actor, table.is_some_and(|t| t.in_primary_key(column)), owned)
}

/// What a schema's declared keys do, each in its situation.
#[derive(Clone, Debug, Default)]
pub struct HouseStyle(BTreeMap<Situation, BTreeMap<Action, usize>>);

impl HouseStyle {
    /// Reads the declared keys.
    pub fn of(schema: &Schema, graph: &Graph) -> Self {
        let mut style = Self::default();
        let evidence = graph.relations().iter().filter(|r| r.is_evidence());
        for (relation, key) in evidence.filter_map(|r| Some((r, r.foreign_key()?))) {
            *style.0.entry(situation(schema, relation)).or_default().entry(key.on_delete).or_default() += 1;
        }
        style
    }
}

/// So many declared keys make a style.
const STYLE: usize = 6;
/// So many in the same situation outweigh the rest.
const ALIKE: usize = 3;

/// Returns what this schema's declared keys do in the same situation: nullable or not, who did it or not, part of the key
/// or not, owned or not; where too few are in just that situation, the last traits are dropped one by one.
fn house_style(schema: &Schema, style: &HouseStyle, relation: &Relation, nullable: bool) -> Option<Advice> {
    let declared = &style.0;
    if declared.values().flat_map(BTreeMap::values).sum::<usize>() < STYLE {
        return None;
    }
    let own = situation(schema, relation);
    let same: [fn(&Situation, &Situation) -> bool; 4] =
        [|a, b| a == b, |a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2), |a, b| (a.0, a.1) == (b.0, b.1), |a, b| a.0 == b.0];
    for alike in same {
        let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
        for (action, times) in declared.iter().filter(|(s, _)| alike(s, &own)).flat_map(|(_, actions)| actions) {
            *counts.entry(*action).or_default() += times;
        }
        let of: usize = counts.values().sum();
        // NO ACTION and RESTRICT both refuse; schemas mix them without meaning a difference.
        let refusing = |a: Action| matches!(a, Action::NoAction | Action::Restrict);
        let refusals: usize = counts.iter().filter(|(a, _)| refusing(**a)).map(|(_, n)| n).sum();
        let count = |a: Action, n: usize| if refusing(a) { refusals } else { n };
        let Some((action, times)) = counts.iter().max_by_key(|(a, n)| (count(**a, **n), **n)) else { continue };
        let (action, times) = (*action, count(*action, *times));
        let possible = nullable || !matches!(action, Action::SetNull);
        if of >= ALIKE && times * 3 >= of * 2 && possible && action != Action::SetDefault {
            let kind = if nullable { "can be NULL" } else { "are NOT NULL" };
            let rationale = format!("{times} of {of} declared keys in a like situation, whose columns {kind}, do so");
            return Some(Advice { action, rationale, unanimous: false });
        }
    }
    None
}

/// Returns the action that most declared keys to the same parent have, if it is possible here and at least two agree.
///
/// NO ACTION is what a key gets that says nothing, so it is no choice that could be followed.
fn habit(schema: &Schema, graph: &Graph, relation: &Relation, nullable: bool) -> Option<(Action, usize, usize)> {
    let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
    let mut all = 0;
    for (_, other) in graph.children_of(&relation.parent) {
        let Some(key) = other.foreign_key().filter(|_| other.is_evidence()) else { continue };
        let alike =
            key.columns.iter().all(|c| schema.table(&other.child).is_some_and(|t| t.is_nullable(c))) == nullable;
        if alike && other.is_self_reference() == relation.is_self_reference() {
            *counts.entry(key.on_delete).or_default() += 1;
            all += 1;
        }
    }
    let (action, times) = counts.into_iter().max_by_key(|(_, n)| *n)?;
    let possible = match action {
        Action::NoAction | Action::SetDefault => false,
        Action::SetNull => nullable,
        Action::Cascade | Action::Restrict => true,
    };
    (possible && times >= 2 && times * 2 > all).then_some((action, times, all))
}
