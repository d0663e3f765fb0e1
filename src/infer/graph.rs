//! The graph with inferred relations in it.

use super::{Model, ReadOptions, RowsRead, Survey, infer};
use crate::engine::Session;
use crate::relations::{ConfiguredRelation, Graph};
use crate::schema::Schema;

impl Graph {
    /// Makes the graph of the declared relations, the configured ones, and those inferred for columns that neither names,
    /// if their confidence is at least `threshold`.
    pub fn new(schema: &Schema, configured: &[ConfiguredRelation], threshold: f64) -> Self {
        let mut relations = Self::known(schema, configured);
        relations.extend(infer(schema, &relations, threshold));
        Self::from_relations(schema, relations)
    }

    /// Makes the same graph, with what the rows say of inferred relations, and tells how much of them was read.
    pub fn with_rows(
        schema: &Schema,
        configured: &[ConfiguredRelation],
        threshold: f64,
        session: &mut dyn Session,
        options: &ReadOptions,
    ) -> (Self, RowsRead) {
        let mut survey = Survey::of(schema, &Self::known(schema, configured), &[]);
        survey.read(session, options);
        let graph = survey.graph(Model::published(), threshold);
        (graph, survey.rows)
    }
}
