//! Hints as evidence: each adds to the candidate it speaks of, or makes a new one.
//!
//! A relation that rests on a hint is inferred like any other: rows can overrule it, and nobody has accepted it.

use super::candidates::Candidate;
use super::model::Feature;
use super::{Subject, Survey, scoring};
use crate::hints::{Hint, HintSource};
use crate::relations::Relation;
use crate::schema::{Table, TableName};

/// A hint that adds nothing, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct UnusedHint {
    /// The hint.
    pub hint: Hint,
    /// Why it adds nothing.
    pub why: WhyUnused,
}

/// Why a hint adds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyUnused {
    /// There is no such table.
    NoTable(TableName),
    /// The table has no such column.
    NoColumn(TableName, String),
    /// It does not name the parent's columns, and the parent has no primary key of as many columns.
    NoKey,
    /// Nothing makes the parent's columns unique, so that no foreign key can refer to them.
    NotUnique,
    /// The child's columns cannot hold the parent's values.
    Types,
    /// The columns are known to refer to another parent: a foreign key or the configuration says so.
    RefersElsewhere(TableName),
    /// Another column tells which table the column refers to.
    Polymorphic,
    /// The columns and the parent's are the same.
    Itself,
    /// The child is a view, a partition, a foreign table or the like: its rows are another table's.
    NoRowsOfItsOwn,
}

impl WhyUnused {
    /// Says why, as the end of a sentence.
    pub fn says(&self) -> String {
        match self {
            Self::NoTable(table) => format!("there is no table `{table}`"),
            Self::NoColumn(table, column) => format!("`{table}` has no column `{column}`"),
            Self::NoKey => "it names no columns of the parent, whose primary key does not match".to_string(),
            Self::NotUnique => "the parent's columns are not unique".to_string(),
            Self::Types => "the types do not match".to_string(),
            Self::RefersElsewhere(parent) => format!("the columns are known to refer to `{parent}`"),
            Self::Polymorphic => "the column refers to several tables".to_string(),
            Self::Itself => "a column does not refer to itself".to_string(),
            Self::NoRowsOfItsOwn => "the child has no rows of its own".to_string(),
        }
    }
}

/// Adds hints to a survey.
pub(super) fn add(survey: &mut Survey<'_>, hints: &[Hint]) {
    for hint in hints {
        match fitted(survey, hint) {
            Ok(Some((columns, features))) => put(survey, hint, columns, features),
            Ok(None) => {}
            Err(why) => survey.unused_hints.push(UnusedHint { hint: hint.clone(), why }),
        }
    }
    for subject in &mut survey.subjects {
        prefer_what_an_orm_says(&mut subject.candidates);
    }
}

/// Who wrote the ORM's schema knew what the column means; names only resemble.
fn prefer_what_an_orm_says(candidates: &mut [Candidate]) {
    let said = candidates.iter().filter(|c| c.value("hint.orm") > 0.0);
    let Some(best) = said.max_by(|a, b| a.value("hint.orm").total_cmp(&b.value("hint.orm"))) else { return };
    let (strength, parent) = (best.value("hint.orm").min(1.0), best.parent.clone());
    for other in candidates.iter_mut().filter(|c| c.value("hint.orm") == 0.0) {
        other.features.push(Feature::measured("hint.elsewhere", strength, format!("the ORM says `{parent}`")));
    }
}

/// The parent's columns, and what their types say.
type Fitted = (Vec<String>, Vec<Feature>);

/// Compares a hint with the schema: the parent's columns and what types say; `None` if the relation is known already.
fn fitted(survey: &Survey<'_>, hint: &Hint) -> Result<Option<Fitted>, WhyUnused> {
    let table = |name: &TableName| survey.schema.table(name).ok_or_else(|| WhyUnused::NoTable(name.clone()));
    let (child, parent) = (table(&hint.child)?, table(&hint.parent)?);
    let parent_columns = match (&hint.parent_columns, &parent.primary_key) {
        (columns, _) if !columns.is_empty() => columns.clone(),
        (_, Some(key)) => key.columns.clone(),
        _ => return Err(WhyUnused::NoKey),
    };
    if parent_columns.len() != hint.columns.len() || hint.columns.is_empty() {
        return Err(WhyUnused::NoKey);
    }
    if hint.child == hint.parent && hint.columns == parent_columns {
        return Err(WhyUnused::Itself);
    }
    if !super::holds_rows_of_its_own(child) {
        return Err(WhyUnused::NoRowsOfItsOwn);
    }
    let mut features = Vec::new();
    for (column, key) in hint.columns.iter().zip(&parent_columns) {
        let found = |table: &Table, column: &String| WhyUnused::NoColumn(table.name.clone(), column.clone());
        let a = child.column(column).ok_or_else(|| found(child, column))?;
        let b = parent.column(key).ok_or_else(|| found(parent, key))?;
        let fit = scoring::can_refer(a).then(|| scoring::types(survey.schema.engine, a, b)).flatten();
        let (fit, says) = fit.ok_or(WhyUnused::Types)?;
        features.push(Feature::new(fit, format!("`{}.{key}`: {says}", parent.name)));
    }
    let of_columns = |known: &&Relation| known.child == hint.child && known.columns == hint.columns;
    if let Some(known) = survey.known.iter().chain(&survey.accepted).find(of_columns)
        && known.parent != hint.parent
    {
        return Err(WhyUnused::RefersElsewhere(known.parent.clone()));
    }
    if survey.known.iter().any(|known| of_columns(&known)) {
        return Ok(None);
    }
    if survey.polymorphic.iter().any(|p| p.table == hint.child && hint.columns == [p.id_column.as_str()]) {
        return Err(WhyUnused::Polymorphic);
    }
    // A table without any key may have one that nobody declared.
    if parent.unique_column_sets().next().is_some() && !parent.is_unique(&parent_columns) {
        return Err(WhyUnused::NotUnique);
    }
    Ok(Some((parent_columns, features)))
}

/// What makes a name doubtful: whether the column refers at all. An ORM that relates it leaves no such doubt.
const DOUBTS: [&str; 6] =
    ["role.may_be_a_flag", "role.may_be_a_name", "role.without_id", "ending.none", "ending.none_text", "habit.never"];

fn put(survey: &mut Survey<'_>, hint: &Hint, parent_columns: Vec<String>, types: Vec<Feature>) {
    let feature = match hint.source {
        HintSource::Orm { .. } => Feature::measured("hint.orm", hint.strength, hint.says()),
        HintSource::Joins { queries } => {
            let times = f64::from(queries.saturating_add(1)).log10().min(3.0);
            Feature::measured("hint.join", times * hint.strength, hint.says())
        }
    };
    survey.unnamed.retain(|(t, c)| *t != hint.child || hint.columns != [c.as_str()]);
    let found = survey.subjects.iter().position(|s| s.child == hint.child && s.columns == hint.columns);
    let i = found.unwrap_or_else(|| {
        let (child, columns) = (hint.child.clone(), hint.columns.clone());
        survey.subjects.push(Subject { child, columns, candidates: Vec::new() });
        survey.subjects.len() - 1
    });
    let candidates = &mut survey.subjects[i].candidates;
    let same = |c: &&mut Candidate| c.parent == hint.parent && c.parent_columns == parent_columns;
    match candidates.iter_mut().find(same) {
        Some(candidate) => {
            if feature.name == "hint.orm" {
                candidate.features.retain(|f| !DOUBTS.contains(&f.name));
            }
            candidate.features.push(feature);
        }
        None => candidates.push(Candidate {
            parent: hint.parent.clone(),
            parent_columns,
            features: std::iter::once(feature).chain(types).collect(),
            counts: None,
        }),
    }
}

#[cfg(test)]
mod tests;
