//! The whole schema at once: one parent for each column, and what to believe of it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candidates::Candidate;
use super::model::{Feature, Model};
use super::{Subject, Survey};
use crate::relations::{Basis, Relation};
use crate::schema::{Schema, TableName};

/// A relation of several columns: child, columns, parent, parent's columns, score.
type Wide = (TableName, Vec<String>, TableName, Vec<String>, f64);

/// What stands behind a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Rows were read, and bear it out: no more than one in twenty is an orphan row.
    Verified,
    /// No row speaks for it or against it.
    NamesOnly,
    /// Rows were read, and more than one in twenty refers to nothing.
    Weak,
    /// Most rows refer to nothing.
    Contradicted,
}

impl Class {
    /// Returns the class in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified by data",
            Self::NamesOnly => "names only",
            Self::Weak => "weak evidence",
            Self::Contradicted => "contradicted by data",
        }
    }
}

/// How many rows bear a relation out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many child rows that refer were looked at.
    pub rows: u64,
    /// How many of them have no parent.
    pub orphans: u64,
    /// Whether all rows were looked at, not a sample.
    pub exact: bool,
}

impl Counts {
    /// Tells whether so many rows are orphans that the relation is not accepted by its confidence.
    #[allow(clippy::cast_precision_loss)] // a share needs no more digits than a float has
    pub fn is_weak(&self) -> bool {
        self.orphans as f64 > WEAK * self.rows as f64
    }

    /// Says what speaks against accepting a relation by its confidence: most rows contradict it, or too many do not match.
    pub fn objection(&self) -> Option<String> {
        if self.orphans.saturating_mul(2) > self.rows {
            return Some(self.contradiction());
        }
        let Self { rows, orphans, .. } = self;
        let what = if self.exact { "are orphan rows" } else { "values that were looked at have no parent row" };
        self.is_weak().then(|| {
            format!("{} of its rows do not match, which is weak evidence: {orphans} of {rows} {what}", self.share())
        })
    }

    /// Writes which share does not match: `24%`.
    fn share(&self) -> String {
        match (self.orphans.saturating_mul(100) + self.rows / 2).checked_div(self.rows) {
            None | Some(0) => "under 1%".to_string(),
            Some(share) => format!("{share}%"),
        }
    }

    /// Says how far the rows bear out a relation of a class: `verified by data`, `no counter-example in 20 rows (few)`.
    pub fn standing(&self, class: Class) -> String {
        let unit = if self.exact { "row" } else { "value" };
        let s = if self.rows == 1 { "" } else { "s" };
        match class {
            Class::Verified if self.rows >= FEW && self.orphans == 0 => class.as_str().to_string(),
            Class::Verified if self.orphans == 0 => {
                format!("no counter-example in {} {unit}{s} (few)", self.rows)
            }
            Class::Verified => format!("{} do not match", self.share()),
            Class::Weak => format!("{} do not match: {}", self.share(), class.as_str()),
            Class::NamesOnly | Class::Contradicted => class.as_str().to_string(),
        }
    }
    /// Says that the rows contradict a relation, with the numbers.
    pub fn contradiction(&self) -> String {
        let Self { rows, orphans, exact } = self;
        if *exact {
            format!("its rows contradict it: {orphans} of {rows} are orphan rows")
        } else {
            format!("its rows contradict it: {orphans} of {rows} values that were looked at have no parent row")
        }
    }
}

/// A relation that is proposed, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// From 0 to 1: the share of such proposals that are right.
    pub confidence: f64,
    /// What stands behind it.
    pub class: Class,
    /// The sum that the confidence comes from, line by line: each feature with what it adds, in log-odds.
    pub evidence: Vec<(Feature, f64)>,
    /// Other parents, the likeliest first.
    pub runners_up: Vec<RunnerUp>,
    /// What the rows say, if any were read.
    pub counts: Option<Counts>,
}

/// A parent that was not chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct RunnerUp {
    /// The table.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// What would be believed of it, were it alone.
    pub confidence: f64,
}

impl Proposal {
    /// Says what stands behind it, with the numbers.
    pub fn standing(&self) -> String {
        match self.counts.filter(|c| c.rows > 0) {
            Some(counts) => counts.standing(self.class),
            None => self.class.as_str().to_string(),
        }
    }

    /// Makes the relation, as the graph holds it.
    pub fn relation(&self, schema: &Schema) -> Relation {
        let nullable = schema.table(&self.child).is_none_or(|t| self.columns.iter().any(|c| t.is_nullable(c)));
        let evidence = self.evidence.iter().filter(|(f, _)| !f.says.is_empty()).map(|(f, _)| f.says.clone()).collect();
        Relation {
            child: self.child.clone(),
            columns: self.columns.clone(),
            parent: self.parent.clone(),
            parent_columns: self.parent_columns.clone(),
            on_delete: None,
            nullable,
            accepted: None,
            basis: Basis::Inferred { confidence: self.confidence, evidence },
        }
    }
}

/// Two parents whose scores are nearer than this, in log-odds, are equally good.
const CLOSE: f64 = 0.25;
/// How many other parents are listed.
const RUNNERS_UP: usize = 3;
/// From which share of orphans on a relation that a name tells is contradicted.
const CONTRADICTED: f64 = 0.5;
/// From which share of orphans on the rows are weak evidence: it is not accepted by its confidence.
const WEAK: f64 = 0.05;
/// Fewer rows than so many are few: that none contradicts says little.
const FEW: u64 = 100;

/// One subject's best candidate.
struct Choice<'a> {
    subject: &'a Subject,
    best: &'a Candidate,
    score: f64,
    rival: Option<Feature>,
    rest: Vec<(&'a Candidate, f64)>,
}

impl Survey<'_> {
    /// Weighs the evidence: one parent for each column, with a confidence of at least `threshold`; sorted.
    pub fn decide(&self, model: &Model, threshold: f64) -> Vec<Proposal> {
        let mut found = self.weigh(model, threshold);
        found.retain(|p| !p.columns.iter().any(|c| self.is_accepted(&p.child, c)));
        found
    }

    /// Returns what would be believed of a candidate, were it alone.
    pub fn alone(&self, model: &Model, candidate: &Candidate) -> f64 {
        confidence(model, candidate, model.score(&candidate.features))
    }

    /// Tells whether a column is part of a relation that is accepted already.
    pub(super) fn is_accepted(&self, child: &TableName, column: &str) -> bool {
        self.accepted.iter().any(|r| r.child == *child && r.columns.iter().any(|c| c == column))
    }

    /// Does the same for all columns, those of accepted relations among them: other columns are told by them as before.
    pub(super) fn weigh(&self, model: &Model, threshold: f64) -> Vec<Proposal> {
        let mut choices: Vec<Choice<'_>> = self.subjects.iter().filter_map(|s| self.choose(s, model)).collect();
        choices.retain(|c| confidence(model, c.best, c.score) >= threshold);
        self.leave_one_of_two_that_extend_each_other(&mut choices);
        self.suppress_parts_of_composites(&mut choices);
        let mut found: Vec<Proposal> = choices.into_iter().map(|c| proposal(c, model)).collect();
        found.sort_by(|a, b| (&a.child, &a.columns, &a.parent).cmp(&(&b.child, &b.columns, &b.parent)));
        found
    }

    /// Takes the likeliest of a subject's candidates.
    fn choose<'a>(&self, subject: &'a Subject, model: &Model) -> Option<Choice<'a>> {
        // That a child refers to what joins two tables, and not to the two, only rows can tell.
        let told = |c: &&Candidate| c.value("composite.of_references") == 0.0 || c.value("composite.included") > 0.0;
        let of = subject.candidates.iter().filter(told).filter(|c| !self.leads_back(c, subject));
        let mut rest: Vec<(&Candidate, f64)> = of.map(|c| (c, model.score(&c.features))).collect();
        rest.sort_by(|a, b| {
            b.1.total_cmp(&a.1)
                .then_with(|| (&a.0.parent, &a.0.parent_columns).cmp(&(&b.0.parent, &b.0.parent_columns)))
        });
        if rest.is_empty() {
            return None;
        }
        let (best, mut score) = rest.remove(0);
        let other = rest.iter().find(|(c, _)| c.parent != best.parent);
        let rival = other.filter(|(_, s)| score - s < CLOSE).map(|(c, _)| {
            let rival = Feature::new("rival.close", format!("`{}` fits as well", c.parent));
            score += model.weight(rival.name);
            rival
        });
        Some(Choice { subject, best, score, rival, rest })
    }

    /// Tells whether a candidate's columns refer, by relations that are known, to those that would refer to it: then the key goes the
    /// other way, and parents are there before their children.
    fn leads_back(&self, candidate: &Candidate, subject: &Subject) -> bool {
        let start = (&candidate.parent, &candidate.parent_columns);
        let mut reached = vec![start];
        let mut at = 0;
        while let Some(&(table, columns)) = reached.get(at) {
            let next = self.known.iter().filter(|k| (&k.child, &k.columns) == (table, columns));
            for to in next.map(|k| (&k.parent, &k.parent_columns)) {
                if to == (&subject.child, &subject.columns) {
                    return true;
                }
                if !reached.contains(&to) {
                    reached.push(to);
                }
            }
            at += 1;
        }
        false
    }

    /// Of two tables that are each said to extend the other, the likelier one does.
    fn leave_one_of_two_that_extend_each_other(&self, choices: &mut Vec<Choice<'_>>) {
        let mut drop: BTreeSet<usize> = BTreeSet::new();
        for (i, a) in choices.iter().enumerate() {
            if a.best.value("child.is_key") == 0.0 {
                continue;
            }
            let back = choices.iter().enumerate().find(|(_, b)| {
                b.subject.child == a.best.parent
                    && b.best.parent == a.subject.child
                    && b.subject.columns == a.best.parent_columns
                    && b.best.parent_columns == a.subject.columns
            });
            if let Some((j, b)) = back
                && i != j
                && !drop.contains(&i)
            {
                drop.insert(if b.score > a.score { i } else { j });
            }
        }
        let mut i = 0;
        choices.retain(|_| {
            i += 1;
            !drop.contains(&(i - 1))
        });
    }

    /// A column that refers together with others does not refer alone as well: what it says, the composite says, unless
    /// it leads to a table that the composite's parent does not lead to.
    fn suppress_parts_of_composites(&self, choices: &mut Vec<Choice<'_>>) {
        let mut wide: Vec<Wide> = Vec::new();
        for c in choices.iter().filter(|c| c.subject.columns.len() > 1) {
            let (parent, parent_columns) = (c.best.parent.clone(), c.best.parent_columns.clone());
            wide.push((c.subject.child.clone(), c.subject.columns.clone(), parent, parent_columns, c.score));
        }
        wide.sort_by(|a, b| b.4.total_cmp(&a.4).then_with(|| a.1.cmp(&b.1)));
        // One composite key for each column; the best first.
        let mut kept: Vec<&Wide> = Vec::new();
        for one in &wide {
            if !kept.iter().any(|k| k.0 == one.0 && k.1.iter().any(|c| one.1.contains(c))) {
                kept.push(one);
            }
        }
        let leads: BTreeSet<(TableName, String, TableName)> = choices
            .iter()
            .filter_map(|c| match c.subject.columns.as_slice() {
                [column] => Some((c.subject.child.clone(), column.clone(), c.best.parent.clone())),
                _ => None,
            })
            .chain(self.known.iter().filter_map(|k| match k.columns.as_slice() {
                [column] => Some((k.child.clone(), column.clone(), k.parent.clone())),
                _ => None,
            }))
            .collect();
        choices.retain(|c| match c.subject.columns.as_slice() {
            [column] => !kept.iter().any(|(child, columns, parent, parent_columns, _)| {
                let at = columns.iter().position(|k| k == column).filter(|_| *child == c.subject.child);
                at.is_some_and(|i| {
                    c.best.parent == *parent
                        || leads.contains(&(parent.clone(), parent_columns[i].clone(), c.best.parent.clone()))
                })
            }),
            columns => kept.iter().any(|k| k.0 == c.subject.child && k.1 == columns),
        });
    }
}

fn confidence(model: &Model, candidate: &Candidate, score: f64) -> f64 {
    (model.probability(score, candidate.is_nameless()) * 100.0).round() / 100.0
}

fn proposal(choice: Choice<'_>, model: &Model) -> Proposal {
    let Choice { subject, best, score, rival, mut rest } = choice;
    let evidence = best.features.iter().cloned().chain(rival).map(|f| {
        let adds = model.weight(f.name) * f.value;
        (f, adds)
    });
    rest.retain(|(c, _)| c.parent != best.parent);
    let runners_up = rest.into_iter().take(RUNNERS_UP).map(|(c, score)| RunnerUp {
        parent: c.parent.clone(),
        parent_columns: c.parent_columns.clone(),
        confidence: confidence(model, c, score),
    });
    Proposal {
        child: subject.child.clone(),
        columns: subject.columns.clone(),
        parent: best.parent.clone(),
        parent_columns: best.parent_columns.clone(),
        confidence: confidence(model, best, score),
        class: class(best),
        evidence: evidence.collect(),
        runners_up: runners_up.collect(),
        counts: best.counts,
    }
}

#[allow(clippy::cast_precision_loss)] // a share needs no more digits than a float has
fn class(candidate: &Candidate) -> Class {
    match candidate.counts {
        Some(Counts { rows, orphans, .. }) if rows > 0 => {
            let tolerated = if candidate.is_nameless() { WEAK } else { CONTRADICTED };
            let share = orphans as f64 / rows as f64;
            match () {
                () if share > tolerated => Class::Contradicted,
                () if share > WEAK => Class::Weak,
                () => Class::Verified,
            }
        }
        _ => Class::NamesOnly,
    }
}
