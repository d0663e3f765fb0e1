//! The graph with inferred relations in it.

use super::{Model, ReadOptions, RowsRead, Survey};
use crate::engine::Reader;
use crate::hints::Hint;
use crate::relations::{ConfiguredRelation, Graph};
use crate::schema::Schema;

impl Graph {
    /// Makes the graph of the declared relations, the configured ones, and those inferred for columns that neither names,
    /// if their confidence is at least `threshold`.
    pub fn new(schema: &Schema, configured: &[ConfiguredRelation], threshold: f64) -> Self {
        Self::with_hints(schema, configured, &[], threshold)
    }

    /// Makes the same graph, with hints as further evidence.
    pub fn with_hints(schema: &Schema, configured: &[ConfiguredRelation], hints: &[Hint], threshold: f64) -> Self {
        let mut relations = Self::known(schema, configured);
        let proposals = Survey::of(schema, &relations, hints).decide(Model::published(), threshold);
        relations.extend(proposals.iter().map(|p| p.relation(schema)));
        Self::from_relations(schema, relations)
    }

    /// Makes the same graph, with what the rows say of inferred relations, and tells how much of them was read.
    pub fn with_rows(
        schema: &Schema,
        configured: &[ConfiguredRelation],
        hints: &[Hint],
        threshold: f64,
        session: &mut dyn Reader,
        options: &ReadOptions,
    ) -> (Self, RowsRead) {
        let mut survey = Survey::of(schema, &Self::known(schema, configured), hints);
        survey.read(session, options);
        let graph = survey.graph(Model::published(), threshold);
        (graph, survey.rows)
    }
}
