//! Parents for columns whose names say none: those whose keys hold all of the column's values.
//!
//! Most inclusions mean nothing (any small number is in any long key), so the model weighs them against what else can be
//! seen: spread, coverage, and how many other parents would do as well.

use std::collections::BTreeSet;

use super::profile::{By, Column as Read, Profiles, Told, digits};
use super::{Reader, Subject};
use crate::infer::candidates::{Candidate, is_sole_key};
use crate::infer::model::{Feature, Model};
use crate::infer::words::{ID_WORDS, split};
use crate::infer::{Survey, scoring};
use crate::schema::{Column, Family, Table, TableName};

/// How many parents are kept for a column.
const KEPT: usize = 40;

pub(super) fn add(survey: &mut Survey<'_>, profiles: &Profiles, reader: &mut Reader<'_>) {
    let schema = survey.schema;
    let parents = parents(survey, profiles);
    let speaking = speaks(survey);
    let mut todo: Vec<(TableName, String)> = std::mem::take(&mut survey.unnamed);
    // Names that the rows contradict, or that say little, may be wrong.
    let model = Model::published();
    let weak = |s: &&Subject| s.columns.len() == 1 && !s.candidates.iter().any(|c| model.score(&c.features) > 0.0);
    todo.extend(survey.subjects.iter().filter(weak).map(|s| (s.child.clone(), s.columns[0].clone())));
    todo.sort();
    for (table, name) in &todo {
        if reader.late() {
            break;
        }
        let Some(child) = schema.table(table) else { continue };
        let (Some(column), Some(told)) = (child.column(name), profiles.told(table, name)) else { continue };
        if told.values.distinct.len() < 2 {
            continue;
        }
        let mut found = search(survey, child, column, told.values, &parents, profiles, reader, speaking);
        if let By::Lender(lender) = told.by {
            // A table built like another repeats its keys, and does not refer to them.
            found.retain(|c| c.parent != *lender);
        }
        own_counts(&mut found, &told, profiles.column(table, name), profiles, reader);
        if found.is_empty() {
            continue;
        }
        let same = |s: &&mut Subject| s.child == *table && s.columns == [name.as_str()];
        match survey.subjects.iter_mut().find(same) {
            Some(subject) => subject.candidates.extend(found),
            None => {
                survey.subjects.push(Subject { child: table.clone(), columns: vec![name.clone()], candidates: found })
            }
        }
    }
    survey.unnamed = todo;
}

/// Where other columns' values were compared, says so, and counts the column's own.
fn own_counts(
    found: &mut [Candidate],
    told: &Told<'_>,
    own: Option<&Read>,
    profiles: &Profiles,
    reader: &mut Reader<'_>,
) {
    let feature = match told.by {
        By::Itself => return,
        By::Lender(lender) => Feature::new(
            "rows.lent",
            format!("its table is empty, and `{lender}` is built alike: its values were compared"),
        ),
        By::Alike(columns) => Feature::measured(
            "rows.pooled",
            digits(columns as u64),
            format!(
                "{columns} tables are built alike, and this column has the same values in all: they were put together"
            ),
        ),
    };
    for candidate in found {
        candidate.features.push(feature.clone());
        let own = own.filter(|c| c.filled > 0);
        let fit =
            own.and_then(|c| Some((c, profiles.fit(c, &candidate.parent, candidate.parent_columns.first()?, reader)?)));
        candidate.counts = fit.map(|(c, fit)| fit.counts(c));
    }
}

/// Tells whether the schema's names say what refers to what, so that a column they say nothing of hardly refers.
fn speaks(survey: &Survey<'_>) -> bool {
    let model = Model::published();
    let said = survey.subjects.iter().filter(|s| s.candidates.iter().any(|c| model.score(&c.features) > 1.0)).count();
    said * 3 >= survey.schema.tables.len()
}

/// Columns that rows can be told apart by: declared keys of one column, or, without any key, a column that is unique.
fn parents<'s>(survey: &Survey<'s>, profiles: &Profiles) -> Vec<(&'s Table, &'s Column)> {
    let mut all = Vec::new();
    for table in survey.schema.tables.iter().filter(|t| super::super::holds_rows_of_its_own(t)) {
        let keys: BTreeSet<&str> = table.unique_column_sets().filter(|k| k.len() == 1).map(|k| k[0]).collect();
        let read = |c: &&Column| profiles.column(&table.name, &c.name);
        let is_key = |c: &&Column| {
            if keys.is_empty() && table.primary_key.is_none() {
                read(c).is_some_and(|r| r.whole && r.distinct.len() > 4 && r.is_unique())
            } else {
                keys.contains(c.name.as_str())
            }
        };
        let mut found: Vec<&Column> = table.columns.iter().filter(|c| scoring::can_refer(c)).filter(is_key).collect();
        if keys.is_empty() {
            found.truncate(1);
        }
        all.extend(found.into_iter().map(|c| (table, c)));
    }
    all
}

#[allow(clippy::too_many_arguments)]
fn search(
    survey: &Survey<'_>,
    child: &Table,
    column: &Column,
    read: &Read,
    parents: &[(&Table, &Column)],
    profiles: &Profiles,
    reader: &mut Reader<'_>,
    speaking: bool,
) -> Vec<Candidate> {
    let schema = survey.schema;
    let taken: Vec<&TableName> = survey
        .subjects
        .iter()
        .filter(|s| s.child == child.name && s.columns == [column.name.as_str()])
        .flat_map(|s| s.candidates.iter().map(|c| &c.parent))
        .collect();
    let mut found: Vec<(f64, Candidate)> = Vec::new();
    let is_key = is_sole_key(child, column);
    let of_its_own = similarity(&column.name, &child.name.name);
    // A key that is called after its table, or as keys are where names speak, is the table's own.
    if is_key && (of_its_own > 0.0 || (speaking && split(&column.name).iter().any(|w| ID_WORDS.contains(&w.as_str()))))
    {
        return Vec::new();
    }
    // Where other columns say what they refer to, one that refers ends as keys do, or resembles its parent's name.
    let like_key =
        split(&column.name).last().is_some_and(|w| ["id", "key", "code", "no", "by"].iter().any(|e| w.ends_with(e)));
    let place = child.columns.iter().position(|c| c.name == column.name).unwrap_or(0);
    let place = super::profile::ratio(place as u64, child.columns.len() as u64);
    for (parent, key) in parents {
        let itself = parent.name == child.name && (is_key || key.name == column.name);
        if speaking && !like_key && similarity(&column.name, &parent.name.name) <= of_its_own {
            continue;
        }
        if itself || taken.contains(&&parent.name) {
            continue;
        }
        let Some(("type.same" | "type.wider" | "type.any" | "type.number", types)) =
            scoring::types(schema.engine, column, key)
        else {
            continue;
        };
        let Some(fit) = profiles.fit(read, &parent.name, &key.name, reader) else { continue };
        if fit.outside * 50 > fit.tested {
            continue;
        }
        let mut features = vec![Feature::new("name.none", "its name does not say a table")];
        if speaking {
            features.push(Feature::new("name.none_though_others_speak", "other columns' names do"));
        }
        features.push(Feature::new("type.same", format!("`{}.{}`: {types}", parent.name, key.name)));
        features.extend(fit.features().into_iter().map(alone));
        if is_key {
            features
                .push(Feature::new("child.is_key", format!("`{}` is the key of `{}` too", column.name, child.name)));
        } else if read.is_unique() && read.filled > 2 {
            features.push(Feature::new("shape.unique", "no two rows share a value"));
        }
        if !is_key && child.in_primary_key(&column.name) {
            features.push(Feature::new("shape.in_key", format!("`{}` is part of the key", column.name)));
        }
        let indexed =
            child.indexes.iter().any(|i| i.parts.first().is_some_and(|p| p.column.as_deref() == Some(&column.name)));
        if indexed && !is_key && !child.in_primary_key(&column.name) {
            features.push(Feature::new("shape.indexed", "an index begins with it"));
        }
        if !is_key {
            let rising = read.rising();
            let says = format!("{:.0} % of its values are not less than the row before", rising * 100.0);
            features.push(Feature::measured("shape.rising", rising, says));
            if read.has_gaps() {
                features.push(Feature::new("shape.gaps", "its numbers have gaps"));
            }
        }
        if parent.columns.iter().any(|c| c.name != key.name && c.data_type.family == Family::Text) {
            features.push(Feature::new("shape.parent_text", "the parent's rows say something beside their key"));
        }
        if fit.outside == 0 && profiles.rows(&parent.name) == Some(read.distinct.len() as u64) {
            let says = "its values are all of the parent's keys";
            features.push(Feature::measured("rows.all_keys", digits(read.distinct.len() as u64).min(2.0), says));
        }
        if parent.name == child.name {
            features.push(Feature::new("shape.itself", "the parent is the table itself"));
        }
        if parent.primary_key.as_ref().is_none_or(|k| k.columns != [key.name.as_str()]) {
            features.push(Feature::new("shape.other_key", "the parent has another primary key"));
        }
        if matches!(column.data_type.family, Family::Text | Family::Uuid | Family::Bytes) {
            features.push(Feature::new("shape.text", "texts are seldom in a key by chance"));
        }
        if column.data_type.raw != key.data_type.raw {
            features.push(Feature::new("shape.other_type", "its type is written otherwise"));
        }
        features.push(Feature::measured("shape.parent_rows", digits(profiles.rows(&parent.name).unwrap_or(0)), ""));
        features.push(Feature::measured("shape.place", place, ""));
        if !column.nullable && !is_key {
            features.push(Feature::new("shape.not_null", "it is NOT NULL"));
        }
        let similar = similarity(&column.name, &parent.name.name);
        let similar = if similar > of_its_own { similar } else { 0.0 };
        if similar > 0.0 {
            features.push(Feature::measured("name.similar", similar, "the names resemble each other".to_string()));
        }
        let counts = Some(fit.counts(read));
        let order = fit.coverage + 2.0 * similar + if fit.same_end { 1.0 } else { 0.0 };
        let candidate =
            Candidate { parent: parent.name.clone(), parent_columns: vec![key.name.clone()], features, counts };
        found.push((order, candidate));
    }
    // How many parents hold the values with no more rows: by chance a large one holds any, the true one is seldom far
    // from the smallest that does.
    let mut sizes: Vec<u64> = found.iter().filter_map(|(_, c)| profiles.rows(&c.parent)).collect();
    sizes.sort_unstable();
    for (order, candidate) in &mut found {
        let rows = profiles.rows(&candidate.parent).unwrap_or(0);
        let tighter = sizes.partition_point(|n| *n <= rows).saturating_sub(1);
        *order -= digits(tighter as u64);
        let says = format!("{tighter} other parents hold its values with no more rows");
        candidate.features.push(Feature::measured("shape.tighter_parents", digits(tighter as u64), says));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.parent.cmp(&b.1.parent)));
    found.truncate(KEPT);
    found.into_iter().map(|(_, c)| c).collect()
}

/// Renames what weighs otherwise where no name speaks for a parent.
fn alone(mut feature: Feature) -> Feature {
    feature.name = match feature.name {
        "rows.coverage" => "alone.coverage",
        "rows.reach" => "alone.reach",
        "rows.same_end" => "alone.same_end",
        "rows.dense_parent" => "alone.dense_parent",
        other => other,
    };
    feature
}

/// Returns how much of their length the likest words of two names share: `ship_via` and `shippers`.
fn similarity(column: &str, table: &str) -> f64 {
    let words = split(column);
    let mut best = 0.0_f64;
    for a in words.iter().filter(|w| !ID_WORDS.contains(&w.as_str())) {
        for b in &split(table) {
            let shared = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
            if shared >= 3 && !a.chars().all(char::is_numeric) {
                best = best.max(super::profile::ratio(shared as u64, a.chars().count().max(b.chars().count()) as u64));
            }
        }
    }
    best
}
