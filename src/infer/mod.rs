//! Relations that nothing declares, told by names, types, keys and, where they may be read, rows.
//!
//! [`Survey::of`] asks the schema, [`Survey::read`] the rows, [`Survey::decide`] weighs the evidence: each can be done
//! without the one before last. A guess must be worth more than its noise: a column whose name only resembles a table's
//! stays without a parent.

mod accept;
mod action;
mod candidates;
mod catalogue;
mod composite;
mod decide;
mod graph;
mod hint;
mod model;
mod polymorphic;
mod report;
mod roles;
mod rows;
mod scoring;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::hints::Hint;
#[cfg(test)]
use crate::relations::Basis;
use crate::relations::Relation;
use crate::schema::{Column, Schema, Table, TableKind, TableName};
use catalogue::Catalogue;

pub use accept::{Guess, Taken, ruled_out, take};
pub use action::{Advice, HouseStyle, advise, advise_in_style};
pub use candidates::Candidate;
pub use decide::{Class, Counts, Proposal, RunnerUp};
pub use hint::{UnusedHint, WhyUnused};
pub use model::{Feature, Model};
pub use polymorphic::{PolymorphicPair, Target, polymorphic_pairs};
pub use report::{Advised, IndexNeed, Inference};
pub use roles::{is_part_of, is_record, is_reference_data, is_trail, names_actor};
pub use rows::{ReadOptions, RowsRead};

/// Returns the relations that names and types tell, for columns that none of the `known` relations names, with a
/// confidence of at least `threshold` (from 0 to 1), one parent for each column.
pub fn infer(schema: &Schema, known: &[Relation], threshold: f64) -> Vec<Relation> {
    let survey = Survey::of(schema, known, &[]);
    survey.decide(Model::published(), threshold).into_iter().map(|p| p.relation(schema)).collect()
}

/// Columns that may refer, and what is known of each.
#[derive(Clone, Debug)]
pub struct Survey<'s> {
    schema: &'s Schema,
    /// The columns, with the parents they may have.
    pub subjects: Vec<Subject>,
    /// The pairs of columns that refer to several tables; none of them is a subject.
    pub polymorphic: Vec<PolymorphicPair>,
    /// Columns that nothing names a parent for; rows may.
    unnamed: Vec<(TableName, String)>,
    /// Relations that are known without asking.
    known: Vec<Relation>,
    /// Relations that were guesses once and are accepted. They are surveyed as if they were not: what they are told by is
    /// what it was before, and they tell nothing of others.
    accepted: Vec<Relation>,
    /// The hints that add nothing.
    pub unused_hints: Vec<UnusedHint>,
    /// What was read of the rows.
    pub rows: RowsRead,
}

/// One column, or several that refer together.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The table.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parents that they may refer to.
    pub candidates: Vec<Candidate>,
}

impl<'s> Survey<'s> {
    /// Asks names, types and keys, and takes hints.
    pub fn of(schema: &'s Schema, known: &[Relation], hints: &[Hint]) -> Self {
        let (known, accepted): (Vec<Relation>, Vec<Relation>) = known.iter().cloned().partition(Relation::is_evidence);
        let known = known.as_slice();
        let catalogue = Catalogue::new(schema);
        let mut taken: BTreeSet<(&TableName, &str)> = BTreeSet::new();
        for relation in known {
            taken.extend(relation.columns.iter().map(|c| (&relation.child, c.as_str())));
        }
        let polymorphic: Vec<_> = polymorphic_pairs(schema)
            .into_iter()
            .filter(|p| !taken.contains(&(&p.table, p.id_column.as_str())))
            .collect();
        let habits = habits(known);
        let is_pair = |t: &Table, c: &Column| polymorphic.iter().any(|p| p.table == t.name && p.id_column == c.name);
        let mut survey = Self {
            schema,
            subjects: Vec::new(),
            polymorphic: polymorphic.clone(),
            unnamed: Vec::new(),
            known: known.to_vec(),
            accepted,
            unused_hints: Vec::new(),
            rows: RowsRead::default(),
        };
        for child in schema.tables.iter().filter(|t| holds_rows_of_its_own(t) && !is_pattern(schema, t)) {
            let pairs: BTreeSet<&str> =
                child.columns.iter().filter(|c| is_pair(child, c)).map(|c| c.name.as_str()).collect();
            let free = |c: &Column| {
                !taken.contains(&(&child.name, c.name.as_str()))
                    && !pairs.contains(c.name.as_str())
                    && scoring::can_refer(c)
                    && !scoring::numbers_rows(schema.engine, child, c)
            };
            for column in child.columns.iter().filter(|c| free(c)) {
                let candidates = candidates::of(&catalogue, child, column, habits.get(column.name.as_str()));
                if candidates.is_empty() {
                    survey.unnamed.push((child.name.clone(), column.name.clone()));
                } else {
                    let columns = vec![column.name.clone()];
                    survey.subjects.push(Subject { child: child.name.clone(), columns, candidates });
                }
            }
            survey.subjects.extend(composite::of(&catalogue, child, &free));
        }
        survey.note_what_is_never_declared();
        hint::add(&mut survey, hints);
        survey
    }

    /// In a schema that declares keys, columns of a name that it never declares one for are less likely to refer: says how
    /// unlikely that is (a logarithm), were they declared as often as others.
    fn note_what_is_never_declared(&mut self) {
        let declared: BTreeSet<&str> =
            self.known.iter().filter(|k| k.columns.len() == 1).map(|k| k.columns[0].as_str()).collect();
        let (known, open) = (self.known.len(), self.subjects.len());
        if known == 0 {
            return;
        }
        #[allow(clippy::cast_precision_loss)] // a share needs no more digits than a float has
        let each = ((known + open) as f64 / open.max(1) as f64).ln();
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for subject in self.subjects.iter().filter(|s| s.columns.len() == 1) {
            *times.entry(subject.columns[0].clone()).or_default() += 1;
        }
        for subject in self.subjects.iter_mut().filter(|s| s.columns.len() == 1) {
            let column = subject.columns[0].as_str();
            if declared.contains(column) {
                continue;
            }
            let times = times.get(column).copied().unwrap_or(1);
            let value = (f64::from(times) * each).min(4.0);
            let says = format!("no declared key is on a column `{column}`, and {known} are on others");
            for candidate in &mut subject.candidates {
                candidate.features.push(Feature::measured("habit.never", value, says.clone()));
            }
        }
    }
}

/// Tells whether a table stands for itself and its rows are this database's. Rows that were moved out of the way by a repair
/// refer to nothing any more: that is why they were moved.
fn holds_rows_of_its_own(table: &Table) -> bool {
    !["_referee_quarantine_", "_referee_kept_"].iter().any(|start| table.name.name.starts_with(start))
        && table.partition_of.is_none()
        && matches!(table.kind, TableKind::Plain | TableKind::Partitioned)
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

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
