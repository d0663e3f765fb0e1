//! `json`: the graph as a document.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::json::pretty;
use super::View;
use crate::relations::lookup::Grade;
use crate::relations::{Basis, Break};
use crate::schema::{Action, TableName};

/// The format's name and version. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-graph/1";

#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    /// The format's name and version.
    format: &'a str,
    /// The tables, sorted by name.
    tables: Vec<TableEntry<'a>>,
    /// The relations, sorted by child, columns, parent.
    relations: Vec<RelationEntry<'a>>,
    /// The groups of tables that refer to each other in a circle.
    cycles: Vec<CycleEntry>,
    /// The tables, each after its parents as far as cycles allow: an order in which to insert; backwards, to delete.
    order: Vec<TableName>,
}

#[derive(Serialize, JsonSchema)]
struct TableEntry<'a> {
    /// The name.
    name: &'a TableName,
    /// How many rows the engine estimates.
    row_estimate: Option<u64>,
    /// Whether a relation names it but it does not exist.
    missing: bool,
}

#[derive(Serialize, JsonSchema)]
struct Side<'a> {
    /// The table.
    table: &'a TableName,
    /// Its columns; those of child and parent correspond.
    columns: &'a [String],
}

#[derive(Serialize, JsonSchema)]
struct RelationEntry<'a> {
    /// The side that holds the key.
    child: Side<'a>,
    /// The side that is referred to.
    parent: Side<'a>,
    /// Why referee believes in it.
    status: Status,
    /// The constraint's name, where it is declared and has one.
    name: Option<&'a str>,
    /// How sure an inferred relation is, from 0 to 1.
    confidence: Option<f64>,
    /// The action on delete: declared, or wished for by the user.
    on_delete: Option<Action>,
    /// Whether a child row can do without a parent.
    nullable: bool,
    /// Whether a parent row can have one child row at most.
    unique: bool,
    /// How well the child's indexes serve the look-up of child rows; null where the child does not exist.
    index: Option<IndexGrade>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    Declared,
    Inferred,
    Configured,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum IndexGrade {
    Covers,
    Helps,
    Useless,
}

#[derive(Serialize, JsonSchema)]
struct CycleEntry {
    /// The tables, sorted.
    tables: Vec<TableName>,
    /// How rows can be inserted and deleted all the same.
    broken_by: BrokenBy,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BrokenBy {
    NullableColumn,
    DeferrableKey,
    Neither,
}

/// Writes the document.
pub fn render(view: &View<'_>) -> String {
    pretty(&Document {
        format: FORMAT,
        tables: view
            .tables
            .iter()
            .map(|&name| TableEntry {
                name,
                row_estimate: view.schema.table(name).and_then(|t| t.row_estimate),
                missing: view.missing.contains(name),
            })
            .collect(),
        relations: view
            .edges
            .iter()
            .map(|e| {
                let r = e.relation;
                RelationEntry {
                    child: Side { table: &r.child, columns: &r.columns },
                    parent: Side { table: &r.parent, columns: &r.parent_columns },
                    status: match r.basis {
                        Basis::Declared { .. } => Status::Declared,
                        Basis::Inferred { .. } => Status::Inferred,
                        Basis::Configured => Status::Configured,
                    },
                    name: r.foreign_key().and_then(|k| k.name.as_deref()),
                    confidence: match r.basis {
                        Basis::Inferred { confidence, .. } => Some(confidence),
                        _ => None,
                    },
                    on_delete: r.on_delete,
                    nullable: r.nullable,
                    unique: e.unique,
                    index: e.grade.map(|g| match g {
                        Grade::Covers => IndexGrade::Covers,
                        Grade::Helps => IndexGrade::Helps,
                        Grade::Useless => IndexGrade::Useless,
                    }),
                }
            })
            .collect(),
        cycles: view
            .graph
            .cycles()
            .into_iter()
            .filter(|c| c.tables.iter().all(|t| view.tables.contains(t)))
            .map(|c| CycleEntry {
                tables: c.tables,
                broken_by: match c.broken_by {
                    Break::NullableColumn => BrokenBy::NullableColumn,
                    Break::DeferrableKey => BrokenBy::DeferrableKey,
                    Break::Neither => BrokenBy::Neither,
                },
            })
            .collect(),
        order: view.graph.parents_first().into_iter().filter(|t| view.tables.contains(t)).collect(),
    })
}

/// Returns the JSON Schema of the document.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".into(), "referee graph document".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::{GraphOptions, plain_grade};
    use super::*;

    #[test]
    fn document_is_valid_against_its_published_schema() {
        let validator = jsonschema::validator_for(&json_schema()).expect("the schema is one");
        for (s, g) in [samples::shop(), samples::builds()] {
            let text = render(&View::graded(&s, &g, &GraphOptions::default(), &plain_grade));
            let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let errors: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:#?}");
        }
    }

    #[test]
    fn cycle_and_order_are_told() {
        let (s, g) = samples::builds();
        let text = render(&View::graded(&s, &g, &GraphOptions::default(), &plain_grade));
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["cycles"][0]["tables"], serde_json::json!(["analysis_runs", "config_sets", "projects"]));
        assert_eq!(document["cycles"][0]["broken_by"], "nullable_column");
        assert_eq!(document["order"].as_array().map(Vec::len), Some(11));
        assert_eq!(document["relations"][0]["confidence"], 0.95);
    }
}
