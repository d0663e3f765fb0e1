//! Which action an undeclared key should have.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::Proposal;
use super::roles::{is_part_of, is_record, is_reference_data, is_trail, names_actor};
use super::words::{PEOPLE_RANKS, noun, split};
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

/// Recommends the action for a relation that no key declares.
///
/// What the user configured comes first, then what this schema's declared keys do, to the same parent or anywhere in the
/// same situation, if it destroys nothing. A reference that can be NULL is never advised to cascade. A NOT NULL one is where
/// the row plainly belongs to its parent, or all declared keys to that parent do; the rest is left to a person. Where a
/// CASCADE leads is not looked into: `fate::Advisor` does.
pub fn advise(schema: &Schema, graph: &Graph, relation: &Relation) -> Advice {
    advise_in_style(schema, graph, &HouseStyle::of(schema, graph), relation)
}

/// Recommends the action for one of many relations of a schema whose style was read before.
pub fn advise_in_style(schema: &Schema, graph: &Graph, style: &HouseStyle, relation: &Relation) -> Advice {
    let advice = advised(schema, graph, style, relation);
    if advice.action == Action::Cascade && closes_a_circle(schema, graph, style, relation) {
        let why = format!("CASCADE would close a circle of cascades through `{}`", relation.parent);
        return Advice::instead_of_cascade(schema, relation, why);
    }
    if advice.action == Action::Cascade && relation.on_delete.is_none() && replaces_rows(schema, relation) {
        let why = format!(
            "an insert into `{0}` deletes the row of `{0}` with the same key (ON CONFLICT REPLACE), and with CASCADE its rows of `{1}`",
            relation.parent, relation.child
        );
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
/// An undeclared relation that the user configured or accepted counts as what is advised for it: both may get their key at once.
/// What a delete does in full is for `fate`, which knows each engine's rules; this only keeps clear of the obvious.
fn closes_a_circle(schema: &Schema, graph: &Graph, style: &HouseStyle, relation: &Relation) -> bool {
    if relation.is_self_reference() {
        return false;
    }
    let cascades = |r: &Relation| match r.on_delete {
        Some(action) => action == Action::Cascade,
        None => !r.is_guess() && advised(schema, graph, style, r).action == Action::Cascade,
    };
    let mut seen = BTreeSet::from([&relation.child]);
    let mut todo = vec![&relation.child];
    while let Some(table) = todo.pop() {
        for (_, below) in graph.children_of(table) {
            if !below.is_self_reference() && !seen.contains(&below.child) && cascades(below) {
                seen.insert(&below.child);
                if below.child == relation.parent {
                    return true;
                }
                todo.push(&below.child);
            }
        }
    }
    false
}

/// Tells whether inserts delete rows of the parent: a key of it is declared ON CONFLICT REPLACE ("ON CONFLICT clause": "the
/// REPLACE algorithm deletes pre-existing rows", and foreign keys act on that).
fn replaces_rows(schema: &Schema, relation: &Relation) -> bool {
    let keys = schema.table(&relation.parent).map(|t| t.primary_key.iter().chain(&t.unique_keys));
    keys.is_some_and(|mut keys| keys.any(|k| k.replaces))
}

fn is_nullable(schema: &Schema, relation: &Relation) -> bool {
    relation.columns.iter().all(|c| schema.table(&relation.child).is_some_and(|t| t.is_nullable(c)))
}

fn advised(schema: &Schema, graph: &Graph, style: &HouseStyle, relation: &Relation) -> Advice {
    let advice = |action, rationale: String| Advice { action, rationale, unanimous: false };
    let parent = &relation.parent;
    let asked_for = matches!(relation.basis, Basis::Configured);
    if let Some(action) = relation.on_delete.filter(|_| asked_for) {
        return advice(action, "the configuration asks for it".to_string());
    }
    let nullable = is_nullable(schema, relation);
    let followed = followed(schema, graph, style, relation, nullable);
    // What destroys nothing is followed wherever the schema does it.
    if let Some(advice) = followed.as_ref().filter(|a| a.action != Action::Cascade) {
        return advice.clone();
    }
    let column = relation.columns.last().map(String::as_str).unwrap_or_default();
    if nullable {
        let child = &relation.child;
        return if relation.is_self_reference() {
            advice(Action::SetNull, format!("a row of `{child}` stays when the one it refers to goes"))
        } else {
            advice(Action::SetNull, format!("`{column}` can be NULL: the row of `{child}` outlives that of `{parent}`"))
        };
    }
    if let Some(rationale) = must_stay(relation, column) {
        return advice(Action::Restrict, rationale);
    }
    match (followed, owned(schema, graph, relation, column)) {
        (Some(advice), Ok(_)) => advice,
        (Some(advice), Err(_)) if advice.unanimous => advice,
        (None, Ok(rationale)) => advice(Action::Cascade, rationale),
        (_, Err(rationale)) => advice(Action::Restrict, rationale),
    }
}

/// Returns what the schema's declared keys say: those to the same parent, else those in the same situation.
fn followed(schema: &Schema, graph: &Graph, style: &HouseStyle, relation: &Relation, nullable: bool) -> Option<Advice> {
    if let Some((action, times, of)) = habit(schema, graph, relation, nullable) {
        let rationale = format!("{times} of the {of} declared foreign keys to `{}` do so", relation.parent);
        return Some(Advice { action, rationale, unanimous: times == of });
    }
    house_style(schema, style, relation, nullable)
}

/// Says why a row must not go with its parent, although its column is NOT NULL.
fn must_stay(relation: &Relation, column: &str) -> Option<String> {
    let (child, parent) = (&relation.child, &relation.parent);
    if is_reference_data(parent) {
        return Some(format!("`{parent}` is reference data: what is in use is not deleted"));
    }
    if relation.is_self_reference() {
        return Some(format!("a delete in `{child}` would take a whole tree of rows along"));
    }
    if names_actor(column) {
        return Some(format!("`{column}` names who did it; the row of `{child}` belongs to something else"));
    }
    let kept = is_trail(child) || is_record(child) && !is_part_of(child, parent);
    kept.then(|| format!("`{child}` is a record that must not vanish with `{parent}`"))
}

/// Says why a row belongs to its parent, or else why that is not plain. NOT NULL alone is no ownership.
fn owned(schema: &Schema, graph: &Graph, relation: &Relation, column: &str) -> Result<String, String> {
    let (child, parent) = (&relation.child, &relation.parent);
    if schema.table(child).is_some_and(|t| t.in_primary_key(column)) {
        return Ok(format!("`{column}` is part of the key of `{child}`: the row cannot be without it"));
    }
    if is_part_of(child, parent) {
        return Ok(format!("a row of `{child}` is a part of its row of `{parent}`"));
    }
    let owns = |r: &Relation| {
        let actor = r.columns.last().is_some_and(|c| names_actor(c));
        r.columns != relation.columns
            && !is_nullable(schema, r)
            && !r.is_self_reference()
            && !actor
            && !is_reference_data(&r.parent)
    };
    if let Some((_, other)) = graph.parents_of(child).find(|(_, r)| owns(r)) {
        return Err(format!(
            "a row of `{child}` belongs to its `{}` as well ({}): what goes with `{parent}` is for you to decide",
            other.parent,
            other.columns.join(", ")
        ));
    }
    let people = PEOPLE_RANKS.iter().any(|rank| rank.contains(&noun(&split(&parent.name)).as_str()));
    let required = |r: &Relation| r.columns != relation.columns && !is_nullable(schema, r) && !r.is_self_reference();
    if people && !graph.parents_of(child).any(|(_, r)| required(r)) {
        return Ok(format!("`{child}.{column}` is NOT NULL and `{parent}` is its only required parent"));
    }
    Ok(format!("`{column}` is NOT NULL and nothing else owns a row of `{child}`"))
}

/// What a key's situation is, from the most particular trait to the least.
type Situation = (bool, bool, bool, bool);

fn situation(schema: &Schema, relation: &Relation) -> Situation {
    let table = schema.table(&relation.child);
    let column = relation.columns.last().map(String::as_str).unwrap_or_default();
    let owned = is_part_of(&relation.child, &relation.parent);
    (is_nullable(schema, relation), names_actor(column), table.is_some_and(|t| t.in_primary_key(column)), owned)
}

/// What a schema's declared keys do, each in its situation.
#[derive(Clone, Debug, Default)]
pub struct HouseStyle(BTreeMap<Situation, BTreeMap<Action, usize>>);

impl HouseStyle {
    /// Reads the declared keys.
    pub fn of(schema: &Schema, graph: &Graph) -> Self {
        let mut style = Self::default();
        let mut seen = BTreeSet::new();
        let evidence = graph.relations().iter().filter(|r| r.is_evidence());
        for (relation, key) in evidence.filter_map(|r| Some((r, r.foreign_key()?))) {
            // What is declared twice is one opinion.
            if !seen.insert((&relation.child, &relation.columns, &relation.parent)) {
                continue;
            }
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
            let rationale =
                format!("{times} of the {of} declared foreign keys in the same situation, whose columns {kind}, do so");
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
    let mut seen = BTreeSet::from([(&relation.child, &relation.columns)]);
    for (_, other) in graph.children_of(&relation.parent) {
        let Some(key) = other.foreign_key().filter(|_| other.is_evidence()) else { continue };
        // What is declared twice is one opinion, and the relation that is asked about has none.
        if !seen.insert((&other.child, &other.columns)) {
            continue;
        }
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
