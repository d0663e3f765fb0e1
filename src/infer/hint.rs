//! What other sources say of a schema's relations: an ORM's declarations, joins in a query log.
//!
//! One interface for all of them: a source makes [`Hint`]s, and the model has a weight for what each kind of source is
//! worth. The user's own `[[relation]]` entries are no hints: they are known, and nothing is weighed.

use super::candidates::Candidate;
use super::model::Feature;
use super::{Subject, Survey};
use crate::schema::TableName;

/// A relation that some other source speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// What kind of source speaks.
    pub source: HintSource,
    /// What it says, as a sentence: `` `relations(orders)` in schema.ts line 40 says so``.
    pub says: String,
}

/// Kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintSource {
    /// An ORM's own declaration of the relation.
    Orm,
    /// Queries that join the two; how often is measured in the hint's value.
    Join {
        /// In how many queries.
        queries: u32,
    },
}

/// Adds hints to a survey: to the candidate they speak of, or as a new one.
pub(super) fn add(survey: &mut Survey<'_>, hints: &[Hint]) {
    for hint in hints {
        let fits = |table: &TableName, columns: &[String]| {
            survey.schema.table(table).is_some_and(|t| columns.iter().all(|c| t.column(c).is_some()))
        };
        let known = survey.known.iter().any(|k| k.child == hint.child && k.columns == hint.columns);
        let sides = !hint.columns.is_empty() && hint.columns.len() == hint.parent_columns.len();
        if known || !sides || !fits(&hint.child, &hint.columns) || !fits(&hint.parent, &hint.parent_columns) {
            continue;
        }
        let feature = match hint.source {
            HintSource::Orm => Feature::new("hint.orm", hint.says.clone()),
            HintSource::Join { queries } => {
                Feature::measured("hint.join", f64::from(1 + queries).log10().min(3.0), hint.says.clone())
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
        let same = |c: &&mut Candidate| c.parent == hint.parent && c.parent_columns == hint.parent_columns;
        match candidates.iter_mut().find(same) {
            Some(candidate) => candidate.features.push(feature),
            None => candidates.push(Candidate {
                parent: hint.parent.clone(),
                parent_columns: hint.parent_columns.clone(),
                features: vec![feature],
                counts: None,
            }),
        }
    }
}
