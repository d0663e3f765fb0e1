//! What is proposed, with all that a person needs to decide: action, index, polymorphic pairs.

use super::action::Advice;
use super::decide::Proposal;
use super::model::Model;
use super::polymorphic::PolymorphicPair;
use super::rows::RowsRead;
use super::{Survey, UnusedHint, action};
use crate::relations::lookup::{Grade, grade};
use crate::relations::{Graph, Objections, Relation};

/// Everything that inference has to say of a schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inference {
    /// The relations that are proposed, sorted by child.
    pub proposals: Vec<Advised>,
    /// What would be proposed, did not a trigger or a rule look after the rows: each with the reason.
    pub held_back: Vec<(Proposal, String)>,
    /// The pairs of columns that refer to several tables; no key can be declared for them.
    pub polymorphic: Vec<PolymorphicPair>,
    /// What was read of the rows; `None` if none were asked for.
    pub rows: Option<RowsRead>,
    /// How many relations were known already: declared or configured.
    pub known: usize,
    /// The hints that add nothing.
    pub unused_hints: Vec<UnusedHint>,
}

/// A proposal, and what to do with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Advised {
    /// The relation.
    pub proposal: Proposal,
    /// The action it should have.
    pub action: Advice,
    /// Whether a delete of a parent row will find its child rows by an index.
    pub index: IndexNeed,
}

/// Whether an index is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexNeed {
    /// An index of this name serves.
    Served(String),
    /// An index helps on some of the columns only.
    Helped,
    /// The whole child table would be read.
    Missing,
}

impl Survey<'_> {
    /// Weighs the evidence, and adds what follows from it; rows count if [`Survey::read`] was called.
    pub fn report(&self, model: &Model, threshold: f64, rows_read: bool) -> Inference {
        let (proposals, held_back) = self.split(self.decide(model, threshold));
        let graph = self.graph_of(&proposals);
        let wished = action::for_all(self.schema, &graph, &proposals);
        let advised = proposals.into_iter().zip(wished).map(|(proposal, action)| {
            let table = self.schema.table(&proposal.child);
            let index = match table.map(|t| grade(self.schema, t, &proposal.columns)) {
                Some((Grade::Covers, Some(index))) => IndexNeed::Served(index.name.clone()),
                Some((Grade::Covers, None)) => IndexNeed::Served("the table's own key".to_string()),
                Some((Grade::Helps, _)) => IndexNeed::Helped,
                _ => IndexNeed::Missing,
            };
            Advised { proposal, action, index }
        });
        Inference {
            proposals: advised.collect(),
            polymorphic: self
                .polymorphic
                .iter()
                .filter(|p| !self.is_accepted(&p.table, &p.id_column))
                .cloned()
                .collect(),
            held_back,
            rows: rows_read.then(|| self.rows.clone()),
            known: self.known.len() + self.accepted.len(),
            unused_hints: self.unused_hints.clone(),
        }
    }

    /// Parts what can be proposed from what triggers and rules look after.
    fn split(&self, proposals: Vec<Proposal>) -> (Vec<Proposal>, Vec<(Proposal, String)>) {
        let objections = Objections::new(self.schema);
        let found = proposals.iter().map(|p| p.relation(self.schema));
        let all: Vec<Relation> = self.known.iter().cloned().chain(found).collect();
        let (mut good, mut held_back) = (Vec::new(), Vec::new());
        for proposal in proposals {
            match objections.to(&proposal.relation(self.schema), &all) {
                Some(objection) => held_back.push((proposal, objection.text)),
                None => good.push(proposal),
            }
        }
        (good, held_back)
    }

    /// Makes the graph of what is known and what is proposed.
    pub fn graph(&self, model: &Model, threshold: f64) -> Graph {
        self.graph_of(&self.decide(model, threshold))
    }

    fn graph_of(&self, proposals: &[Proposal]) -> Graph {
        let found = proposals.iter().map(|p| p.relation(self.schema));
        let relations: Vec<Relation> = self.known.iter().chain(&self.accepted).cloned().chain(found).collect();
        Graph::from_relations(self.schema, relations)
    }
}
