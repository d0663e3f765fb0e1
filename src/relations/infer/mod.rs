//! Relations that nothing declares, told by names, types and keys.
//!
//! A guess must be worth more than its noise: a column whose name only resembles a table's stays without a parent. No
//! rows are read here.

mod action;
mod candidates;
mod catalogue;
mod polymorphic;
mod scoring;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::{Basis, Relation};
use crate::schema::{Schema, Table, TableKind, TableName};
use candidates::Candidate;
use catalogue::Catalogue;

pub use action::{Advice, advise, names_actor};
pub use polymorphic::{PolymorphicPair, polymorphic_pairs};

/// Returns the relations that names and types tell, for columns that none of the `known` relations names, with a
/// confidence of at least `threshold` (from 0 to 1), one parent for each column.
pub fn infer(schema: &Schema, known: &[Relation], threshold: f64) -> Vec<Relation> {
    let catalogue = Catalogue::new(schema);
    let mut taken: BTreeSet<(&TableName, &str)> = BTreeSet::new();
    for relation in known {
        taken.extend(relation.columns.iter().map(|c| (&relation.child, c.as_str())));
    }
    let pairs = polymorphic_pairs(schema);
    taken.extend(pairs.iter().map(|p| (&p.table, p.id_column.as_str())));
    let habits = habits(known);

    let mut found = Vec::new();
    for child in schema.tables.iter().filter(|t| holds_rows_of_its_own(t) && !is_pattern(schema, t)) {
        for column in &child.columns {
            if taken.contains(&(&child.name, column.name.as_str())) || !scoring::can_refer(column) {
                continue;
            }
            let all = candidates::of(&catalogue, child, column, habits.get(column.name.as_str()));
            let Some(best) = choose(all) else { continue };
            let confidence = (best.score * 100.0).round() / 100.0;
            if confidence >= threshold {
                found.push(Relation {
                    child: child.name.clone(),
                    columns: vec![column.name.clone()],
                    parent: best.parent.clone(),
                    parent_columns: vec![best.parent_column.clone()],
                    on_delete: None,
                    nullable: column.nullable,
                    basis: Basis::Inferred { confidence, evidence: best.evidence },
                });
            }
        }
    }
    found.sort_by(|a, b| (&a.child, &a.columns, &a.parent).cmp(&(&b.child, &b.columns, &b.parent)));
    found
}

/// Tells whether a table stands for itself and its rows are this database's.
fn holds_rows_of_its_own(table: &Table) -> bool {
    table.partition_of.is_none() && matches!(table.kind, TableKind::Plain | TableKind::Partitioned)
}

/// Tells whether a table is kept only to make or to back up another: no key, a name that says so, and at least three quarters
/// of its columns (the other has been changed since, perhaps).
fn is_pattern(schema: &Schema, table: &Table) -> bool {
    let says_so = |w: &String| w == "template" || words::COPIES.contains(&w.as_str());
    let resembles = |other: &&Table| {
        let shared = table.columns.iter().filter(|c| other.column(&c.name).is_some()).count();
        other.name != table.name && other.partition_of.is_none() && shared > 1 && shared * 4 >= table.columns.len() * 3
    };
    table.primary_key.is_none()
        && words::split(&table.name.name).iter().any(says_so)
        && schema.tables.iter().any(|other| resembles(&other))
}

/// Returns the parents that columns of a name have in the relations already known, where they all agree.
fn habits(known: &[Relation]) -> BTreeMap<&str, (&TableName, &str, usize)> {
    let mut habits: BTreeMap<&str, Option<(&TableName, &str, usize)>> = BTreeMap::new();
    for relation in known {
        let ([column], [parent_column]) = (relation.columns.as_slice(), relation.parent_columns.as_slice()) else {
            continue;
        };
        let entry = habits.entry(column).or_insert(Some((&relation.parent, parent_column, 0)));
        *entry = match *entry {
            Some((parent, key, n)) if *parent == relation.parent && key == parent_column => Some((parent, key, n + 1)),
            _ => None,
        };
    }
    habits.into_iter().filter_map(|(column, habit)| Some((column, habit?))).collect()
}

/// Picks the best candidate; where two parents are equally good, neither is believed.
fn choose(mut all: Vec<Candidate>) -> Option<Candidate> {
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.parent.cmp(&b.parent)));
    let mut all = all.into_iter();
    let mut best = all.next()?;
    if let Some(rival) = all.find(|c| c.parent != best.parent)
        && best.score - rival.score < 0.02
    {
        best.score *= 0.5;
        best.evidence.push(format!("`{}` fits as well", rival.parent));
    }
    Some(best)
}

#[cfg(test)]
mod tests;
