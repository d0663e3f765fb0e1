//! Which rows follow which: the closures of what is wanted, found from the keys and relations of the schema.

use std::collections::{BTreeMap, BTreeSet};

use super::super::remedy::{self, Question, Remedy};
use super::super::{OrphanPolicy, PlanContext, Wanted};
use super::{Closure, Reference, checked};
use crate::change::Change;
use crate::engine::Dialect;
use crate::schema::{Action, ForeignKey, Schema, Table, TableKind, TableName};

/// What becomes of a row when the one goes that it refers to.
enum Effect {
    Follows,
    Loses(Vec<String>),
    Blocks,
}

/// A relation that a key of the plan is about, and what becomes of its orphans.
struct Planned<'w> {
    at: usize,
    table: &'w Table,
    /// As its orphans are counted.
    key: ForeignKey,
    remedy: Remedy,
    count: Option<u64>,
}

/// Returns the closures of what is wanted. Tables that have nothing to do with one another are in different ones; orphans to
/// which no relation leads are in none.
pub(in crate::plan) fn closures(
    context: &PlanContext<'_>,
    dialect: &dyn Dialect,
    wanted: &[(usize, &Wanted)],
) -> Vec<Closure> {
    let planned = planned(context, dialect, wanted);
    let whole = |table| context.schema.whole(table);
    let mut losing: BTreeSet<&TableName> = BTreeSet::new();
    let removes = |p: &&Planned<'_>| matches!(p.remedy, Remedy::Remove(_)) && p.count != Some(0);
    losing.extend(planned.iter().filter(removes).map(|p| whole(&p.table.name)));
    if losing.is_empty() {
        return Vec::new();
    }
    let relations = relations(context, wanted);
    let guesses = guesses(context, &relations);
    let mut referring: BTreeMap<&TableName, Vec<&Reference>> = BTreeMap::new();
    for (relation, _) in &relations {
        referring.entry(whole(&relation.key.parent)).or_default().push(relation);
    }
    let effects: Vec<(&(Reference, Option<Action>), Effect)> =
        relations.iter().map(|r| (r, effect(context, &referring, &r.0, r.1))).collect();
    loop {
        let before = losing.len();
        for ((relation, _), effect) in &effects {
            if matches!(effect, Effect::Follows) && losing.contains(whole(&relation.key.parent)) {
                losing.insert(whole(&relation.child));
            }
        }
        if losing.len() == before {
            break;
        }
    }
    let mut groups: Vec<BTreeSet<&TableName>> = Vec::new();
    for ((relation, _), _) in &effects {
        if losing.contains(whole(&relation.key.parent)) {
            join(&mut groups, [whole(&relation.child), whole(&relation.key.parent)]);
        }
    }
    for guess in guesses.iter().map(|g| whole(&g.key.parent)).filter(|t| losing.contains(t)) {
        join(&mut groups, [guess, guess]);
    }
    groups.sort();
    let parts = context.schema.tables.iter().filter(|t| t.partition_of.is_some());
    let wholes: BTreeMap<TableName, TableName> = parts.map(|t| (t.name.clone(), whole(&t.name).clone())).collect();
    let of_group = |group: BTreeSet<&TableName>| {
        let tables: Vec<TableName> = group.iter().filter(|t| losing.contains(**t)).map(|t| (*t).clone()).collect();
        let mut closure = Closure {
            tables,
            seeds: Vec::new(),
            follows: Vec::new(),
            marks: Vec::new(),
            blocks: Vec::new(),
            ambiguous: Vec::new(),
            guesses: Vec::new(),
            checked: Vec::new(),
            wholes: wholes.clone(),
            protected: context.protected.clone(),
            policy: OrphanPolicy::Delete,
            wants: Vec::new(),
        };
        for ((relation, _), effect) in &effects {
            if !closure.tables.contains(whole(&relation.key.parent)) {
                continue;
            }
            match effect {
                Effect::Follows => closure.follows.push(relation.clone()),
                Effect::Blocks => {
                    if is_ambiguous(context.schema, relation) {
                        closure.ambiguous.push(relation.clone());
                    }
                    closure.blocks.push(relation.clone());
                }
                Effect::Loses(columns) => {
                    closure.mark(&relation.child, columns).follows.push(relation.key.clone());
                }
            }
        }
        closure.guesses = guesses.iter().filter(|g| closure.tables.contains(whole(&g.key.parent))).cloned().collect();
        for one in planned.iter().filter(|p| group.contains(whole(&p.table.name))) {
            closure.wants.push(one.at);
            closure.checked.push(Reference::new(&one.table.name, &one.key));
            match &one.remedy {
                Remedy::Remove(policy) if one.count != Some(0) => {
                    if *policy == OrphanPolicy::Quarantine {
                        closure.policy = OrphanPolicy::Quarantine;
                    }
                    closure.seeds.push(Reference::new(&one.table.name, &one.key));
                }
                Remedy::SetNull(columns) => {
                    closure.mark(&one.table.name, columns).orphans.push(one.key.clone());
                }
                _ => {}
            }
        }
        closure
    };
    groups.into_iter().map(of_group).collect()
}

fn planned<'w>(context: &PlanContext<'w>, dialect: &dyn Dialect, wanted: &[(usize, &'w Wanted)]) -> Vec<Planned<'w>> {
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for (at, want) in wanted {
        let Some((table, key)) = checked(want) else { continue };
        let Some(table) = context.schema.table(table) else { continue };
        if !key.enforced || key.temporal || context.schema.table(&key.parent).is_none() {
            continue;
        }
        let question = Question::of(context, dialect, want, (table, key));
        // What cannot be decided is refused where its key is planned.
        if let Ok(Some(remedy @ (Remedy::SetNull(_) | Remedy::Remove(_)))) = question.decide() {
            planned.push(Planned { at: *at, table, key: remedy::as_counted(table, key), remedy, count: want.orphans });
        }
    }
    planned
}

/// Returns every relation that a row may follow by, with the action that acts or will act: declared ones, keys to be added, and
/// those that the user has configured or accepted, whether this plan is about them or not.
fn relations(context: &PlanContext<'_>, wanted: &[(usize, &Wanted)]) -> Vec<(Reference, Option<Action>)> {
    let schema = context.schema;
    let mut all: Vec<(Reference, Option<Action>)> = Vec::new();
    for (child, key) in schema.foreign_keys() {
        // A partition's key is its table's.
        let above = child.partition_of.as_ref().and_then(|t| schema.table(t));
        let is_copy = above.is_some_and(|t| t.foreign_keys.iter().any(|k| k.says_the_same(key)));
        if key.temporal || key.columns.len() != key.parent_columns.len() || is_copy || !is_there(schema, key) {
            continue;
        }
        let later = wanted.iter().flat_map(|(_, w)| &w.changes).find_map(|change| match change {
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new }
                if *table == child.name && old == key =>
            {
                Some(new.on_delete)
            }
            _ => None,
        });
        // Of the action that is there and the one to come the gentler counts.
        let action = match later {
            Some(later) if later != key.on_delete && key.on_delete == Action::Cascade => None,
            _ => Some(key.on_delete),
        };
        all.push((Reference::new(&child.name, key), action));
    }
    for (_, want) in wanted {
        let Some((table, key)) = checked(want) else { continue };
        let known = all.iter().any(|(r, _)| r.is_alike(table, key));
        if !known && !key.temporal && key.columns.len() == key.parent_columns.len() && is_there(schema, key) {
            all.push((Reference::new(table, key), None));
        }
    }
    for (child, key) in context.undeclared() {
        if !all.iter().any(|(r, _)| r.is_alike(&child.name, &key)) {
            let action = Some(key.on_delete);
            all.push((Reference { child: child.name.clone(), key }, action));
        }
    }
    all
}

/// Returns the relations that are only guessed, and that no other one says.
fn guesses(context: &PlanContext<'_>, known: &[(Reference, Option<Action>)]) -> Vec<Reference> {
    let mut all: Vec<Reference> = Vec::new();
    for (child, key) in context.guessed() {
        let is_known = known.iter().map(|(r, _)| r).chain(&all).any(|r| r.is_alike(&child.name, &key));
        let plain = |t: &Table| matches!(t.kind, TableKind::Plain | TableKind::Partitioned);
        if !is_known && plain(child) && context.schema.table(&key.parent).is_some_and(plain) {
            all.push(Reference { child: child.name.clone(), key });
        }
    }
    all
}

fn is_there(schema: &Schema, key: &ForeignKey) -> bool {
    schema.table(&key.parent).is_some_and(|t| key.parent_columns.iter().all(|c| t.column(c).is_some()))
}

/// Tells what becomes of a row of a relation when its parent goes. `declared` is the action that the user has chosen for that,
/// `referring` has the relations by the whole table that they refer to.
fn effect(
    context: &PlanContext<'_>,
    referring: &BTreeMap<&TableName, Vec<&Reference>>,
    relation: &Reference,
    declared: Option<Action>,
) -> Effect {
    let Some(table) = context.schema.table(&relation.child) else { return Effect::Blocks };
    let parent = context.schema.table(&relation.key.parent);
    let plain = |t: &Table| matches!(t.kind, TableKind::Plain | TableKind::Partitioned);
    if !plain(table) || parent.is_none_or(|t| !plain(t)) {
        return Effect::Blocks;
    }
    let columns = remedy::nulled(context.schema.engine, table, &relation.key);
    let to_table = referring.get(context.schema.whole(&table.name)).map(Vec::as_slice).unwrap_or_default();
    let shared = |c: &String| {
        to_table
            .iter()
            .any(|r| r.key.parent_columns.contains(c) && context.schema.share_rows(&r.key.parent, &table.name))
    };
    let loses = |columns: Vec<String>| {
        if columns.iter().any(shared) { Effect::Blocks } else { Effect::Loses(columns) }
    };
    let whole = |name| context.schema.whole(name);
    let of_another = whole(&relation.child) != whole(&relation.key.parent);
    if is_ambiguous(context.schema, relation) {
        return Effect::Blocks;
    }
    let protected = of_another && context.protected.contains(whole(&relation.child));
    let follows = || if protected { Effect::Blocks } else { Effect::Follows };
    match remedy::said(context.options, &relation.child, &relation.key) {
        Some((Some(OrphanPolicy::Delete | OrphanPolicy::Quarantine), true)) => return follows(),
        Some((None, true)) => return Effect::Blocks,
        _ => {}
    }
    let no_default = || relation.key.columns.iter().all(|c| table.column(c).is_some_and(|c| c.default.is_none()));
    match declared {
        Some(Action::Cascade) => follows(),
        // Only the engine knows whether the default has a parent.
        Some(Action::SetDefault) if columns.is_empty() || !no_default() => Effect::Blocks,
        _ if columns.is_empty() => follows(),
        _ => loses(columns),
    }
}

/// Tells whether several rows of the parent may have the values that a row refers to: when one goes, another one may be its parent.
fn is_ambiguous(schema: &Schema, relation: &Reference) -> bool {
    let unique = |t: &Table| t.is_unique(&relation.key.parent_columns);
    schema.table(&relation.key.parent).is_some_and(|t| !unique(t))
}

/// Puts two tables into one group.
fn join<'t>(groups: &mut Vec<BTreeSet<&'t TableName>>, tables: [&'t TableName; 2]) {
    let mut joined: BTreeSet<&TableName> = tables.into_iter().collect();
    groups.retain(|group| {
        let meets = tables.iter().any(|t| group.contains(*t));
        if meets {
            joined.extend(group.iter().copied());
        }
        !meets
    });
    groups.push(joined);
}
