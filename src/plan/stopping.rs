//! Which deletes are stopped after some changes and were not before: both states of the schema are judged, from every table from
//! which cascades lead to what is changed. A key that is not changed itself can come to stop deletes further up.

use std::collections::BTreeSet;

use super::trial::key_of;
use super::{NewlyRefused, Step};
use crate::change::Change;
use crate::fate::{Fates, Options, RelationName, Stop};
use crate::relations::{Graph, side};
use crate::schema::{Schema, TableName};

/// A schema and its relations.
pub type State<'s> = (&'s Schema, &'s Graph);

/// A refusal of deletes that two states of a schema tell.
pub struct Stopped {
    /// What is refused.
    pub refused: NewlyRefused,
    /// The relations that lead there, the one that refuses last.
    pub path: Vec<RelationName>,
}

/// Returns what stops deletes after some changes and did not before, from every table from which cascades lead to what is changed;
/// and the tables from which every delete fails afterwards.
pub fn stopped<'c>(
    before: State<'_>,
    after: State<'_>,
    changes: impl Iterator<Item = &'c Change> + Clone,
) -> (Vec<Stopped>, BTreeSet<TableName>) {
    if !changes.clone().any(|c| touched(c, after.0).next().is_some()) {
        return (Vec::new(), BTreeSet::new());
    }
    let was = Fates::new(before.0, before.1, Options::default());
    let is = Fates::new(after.0, after.1, Options::default());
    let tables: BTreeSet<&TableName> = changes.flat_map(|c| touched(c, after.0)).collect();
    let mut found: Vec<Stopped> = Vec::new();
    let mut broken = BTreeSet::new();
    for root in is.above(&tables) {
        let now = is.stops(&root);
        broken.extend(now.broken.is_some().then(|| root.clone()));
        if now.broken.is_none() && now.by.is_empty() {
            continue;
        }
        let then = was.stops(&root);
        if then.broken.is_some() {
            continue;
        }
        if let Some((relation, why)) = now.broken {
            let (child, columns, parent) = relation.clone();
            let why = format!("the foreign key {} is broken, {why}", side(&child, &columns));
            let refused = NewlyRefused { broken: Some(why), ..NewlyRefused::of(parent, child) };
            add(&mut found, refused, &root, vec![relation]);
            continue;
        }
        for Stop { relation, may, path } in now.by {
            // Whatever led there stopped it, too, if a relation on the way did.
            let stopped = |s: &Stop| s.relation == relation || !s.may && path.contains(&s.relation);
            if then.by.iter().any(stopped) {
                continue;
            }
            let (child, _, parent) = relation;
            let deletes = *after.0.whole(&parent) == root;
            add(&mut found, NewlyRefused { deletes, may, ..NewlyRefused::of(parent, child) }, &root, path);
        }
    }
    (found, broken)
}

/// Adds a refusal of deletes from a table to those that say the same of others.
fn add(found: &mut Vec<Stopped>, refused: NewlyRefused, root: &TableName, path: Vec<RelationName>) {
    let from = if refused.deletes { Vec::new() } else { vec![root.clone()] };
    let same = |s: &&mut Stopped| {
        NewlyRefused { from: Vec::new(), ..s.refused.clone() } == refused && s.path.last() == path.last()
    };
    match found.iter_mut().find(same).filter(|s| !s.refused.deletes) {
        Some(known) => {
            known.refused.from.extend(from);
            // Whatever leads there from any of them.
            let last = known.path.pop();
            known.path.extend(path.into_iter().filter(|p| Some(p) != last.as_ref()));
            known.path.extend(last);
        }
        None => found.push(Stopped { refused: NewlyRefused { from, ..refused }, path }),
    }
}

/// Returns the tables whose deletes may come to something else by a change.
fn touched<'c>(change: &'c Change, schema: &'c Schema) -> impl Iterator<Item = &'c TableName> {
    let old = match change {
        Change::ReplaceForeignKey { old, .. } | Change::AlterForeignKey { old, .. } => Some(old),
        _ => None,
    };
    let key = key_of(change).filter(|_| !matches!(change, Change::ValidateForeignKey { .. }));
    let column = match change {
        Change::SetNullable { column, .. } | Change::SetDefault { column, .. } | Change::SetType { column, .. } => {
            Some(column)
        }
        _ => None,
    };
    let written = column.and_then(|c| Some((c, schema.table(change.table())?)));
    let written =
        written.into_iter().flat_map(|(column, t)| t.foreign_keys.iter().filter(|k| k.columns.contains(column)));
    let keys = old.into_iter().chain(key).chain(written);
    keys.flat_map(|k| [&k.parent, change.table()])
}

/// Tells whether a change makes a relation of a path do something else.
fn changes_one(change: &Change, path: &[RelationName]) -> bool {
    let old = match change {
        Change::ReplaceForeignKey { old, .. } | Change::AlterForeignKey { old, .. } => Some(old),
        _ => None,
    };
    let key = key_of(change).filter(|_| !matches!(change, Change::ValidateForeignKey { .. }));
    old.into_iter().chain(key).any(|key| {
        let mut columns = key.columns.clone();
        columns.sort();
        path.contains(&(change.table().clone(), columns, key.parent.clone()))
    })
}

/// Gives each refusal to the step that brings it: the last one that changes what leads there. Refusals that a step's own keys say
/// already are left out.
pub(super) fn to_steps(found: Vec<Stopped>, steps: &mut [Step]) {
    for Stopped { refused, path } in found {
        let said = |r: &NewlyRefused| r.deletes && (&r.parent, &r.child) == (&refused.parent, &refused.child);
        if refused.deletes && steps.iter().flat_map(|s| &s.newly_refuses).any(said) {
            continue;
        }
        let leads = steps.iter().rposition(|s| s.changes.iter().any(|c| changes_one(c, &path)));
        let any = |s: &Step| s.changes.iter().any(|c| key_of(c).is_some() || *c.table() == refused.child);
        if let Some(at) = leads.or_else(|| steps.iter().rposition(any)) {
            steps[at].newly_refuses.push(refused);
        }
    }
}
