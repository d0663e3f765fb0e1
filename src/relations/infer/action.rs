//! Which action an undeclared key should have.

use std::collections::BTreeMap;

use super::words::{PEOPLE_RANKS, noun, singular, split};
use crate::relations::{Graph, Relation};
use crate::schema::{Action, Schema};

/// A recommended `ON DELETE` action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The action.
    pub action: Action,
    /// Why, in a sentence.
    pub rationale: String,
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
/// What the user configured comes first, then what most declared keys to the same parent do, then what the child's
/// nullability, its name and the parent's say.
pub fn advise(schema: &Schema, graph: &Graph, relation: &Relation) -> Advice {
    let advice = |action, rationale: String| Advice { action, rationale };
    let (child, parent) = (&relation.child, &relation.parent);
    if let Some(action) = relation.on_delete.filter(|_| !relation.is_declared()) {
        return advice(action, "the configuration asks for it".to_string());
    }
    let nullable = relation.columns.iter().all(|c| schema.table(child).is_some_and(|t| t.is_nullable(c)));
    if let Some((action, times, of)) = habit(schema, graph, relation, nullable) {
        return advice(action, format!("{times} of the {of} declared keys to `{parent}` do so"));
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

/// Returns the action that most declared keys to the same parent have, if it is possible here and at least two agree.
///
/// NO ACTION is what a key gets that says nothing, so it is no choice that could be followed.
fn habit(schema: &Schema, graph: &Graph, relation: &Relation, nullable: bool) -> Option<(Action, usize, usize)> {
    let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
    let mut all = 0;
    for (_, other) in graph.children_of(&relation.parent) {
        let Some(key) = other.foreign_key() else { continue };
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
