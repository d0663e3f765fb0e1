//! What the rules say of a schema that a plan would leave behind: no rows, no connection, the same rules as in an audit.

use std::collections::BTreeSet;

use super::{Input, Wanted};
use crate::change::Change;
use crate::engine;
use crate::findings::{Finding, RuleId};
use crate::relations::{Graph, Relation};
use crate::rules::{self, Context};
use crate::schema::{Schema, TableName};

/// What a finding is told apart by within one run. Keys on the same columns share a fingerprint, but no name.
pub(super) type Identity<'f> = (RuleId, &'f str, Option<&'f str>);

pub(super) fn identity(finding: &Finding) -> Identity<'_> {
    (finding.rule, &finding.fingerprint, finding.subject.name.as_deref())
}

/// Runs the rules on a schema, without rows.
pub(super) fn check(input: &Input<'_>, schema: &Schema, relations: &Graph) -> Vec<Finding> {
    let context = Context {
        schema,
        relations,
        dialect: engine::dialect(schema.engine),
        settings: input.settings,
        scan: None,
        timeline: None,
        plans: None,
        deletes: rules::Deletes::default(),
    };
    rules::check(rules::ALL.iter().filter(|r| !r.meta.needs_data && !r.is_about_migrations()), &context)
}

/// Returns the relations of a schema that differs from the one at hand: what it declares, and what else was known. What is only
/// guessed is not among them, nor is what could be guessed of columns that have lost their key: no step may come of it.
pub(super) fn relations(input: &Input<'_>, schema: &Schema) -> Graph {
    let known = input.relations;
    let declared = schema.foreign_keys().map(|(table, key)| Relation::declared(schema, &table.name, key));
    let mut all: Vec<Relation> = declared.collect();
    for relation in &mut all {
        let made_of = known.relations().iter().find(|k| k.accepted.is_some() && k.is_same(relation));
        relation.accepted = made_of.and_then(|k| k.accepted);
    }
    let mut columns: BTreeSet<(TableName, Vec<String>)> = BTreeSet::new();
    for relation in &all {
        columns.insert((relation.child.clone(), sorted(&relation.columns)));
    }
    for relation in known.relations().iter().filter(|r| !r.is_declared() && !r.is_guess()) {
        if !columns.contains(&(relation.child.clone(), sorted(&relation.columns))) {
            let nullable =
                schema.table(&relation.child).is_none_or(|t| relation.columns.iter().any(|c| t.is_nullable(c)));
            all.push(Relation { nullable, ..relation.clone() });
        }
    }
    Graph::from_relations(schema, all)
}

fn sorted(columns: &[String]) -> Vec<String> {
    let mut columns = columns.to_vec();
    columns.sort();
    columns
}

/// Returns the schema with all that is wanted: indexes and columns first, as the steps will do it.
pub(super) fn after(schema: &Schema, wanted: &[Wanted]) -> Schema {
    let mut after = schema.clone();
    let is_late = |change: &Change| {
        matches!(
            change,
            Change::ReplaceForeignKey { .. }
                | Change::AlterForeignKey { .. }
                | Change::AddForeignKey { .. }
                | Change::ValidateForeignKey { .. }
                | Change::DropForeignKey { .. }
        )
    };
    for late in [false, true] {
        for change in wanted.iter().flat_map(|w| &w.changes).filter(|c| is_late(c) == late) {
            // What does not fit is told when the steps are put in order.
            let _ = change.apply(&mut after);
        }
    }
    after
}
