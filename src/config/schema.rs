//! The JSON Schema of `referee.toml`, for editors. Its shapes are for that only; a test holds their keys against those
//! that [`super::parse`] accepts.
#![allow(dead_code, reason = "the fields are read by the derived schema only")]

use schemars::JsonSchema;

/// What you declare, demand and do not want to hear about.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Referee {
    /// Relations that no foreign key declares.
    relation: Option<Vec<Relation>>,
    /// Demands on the foreign keys to some tables.
    policy: Option<Vec<Policy>>,
    /// What you demand of single tables.
    table: Option<Vec<Table>>,
    /// Findings that you do not want to hear about.
    ignore: Option<Vec<Ignore>>,
    /// What referee cannot see in the database.
    database: Option<Database>,
    /// What you demand of every delete.
    fate: Option<Fate>,
    /// How undeclared relations are guessed.
    infer: Option<Infer>,
    /// Defaults of `referee audit`; its options win.
    audit: Option<Audit>,
}

/// A relation that no foreign key declares.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Relation {
    /// The columns that refer: `table.column`, or a table with several columns.
    child: Side,
    /// The columns referred to: `table.column`, or a table with several columns.
    parent: Side,
    /// The action on delete that the key shall have.
    on_delete: Option<Action>,
    /// The confidence of the guess that it was accepted from, as `referee infer --accept` writes it. The relation is acted on,
    /// but it is no evidence for others.
    #[schemars(range(min = 0.0, max = 1.0))]
    accepted: Option<f64>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum Side {
    /// `table.column` or `schema.table.column`, with double quotes around a name that holds a dot.
    Column(String),
    /// Several columns of one table.
    Columns(Columns),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Columns {
    /// `table` or `schema.table`.
    table: String,
    /// The columns, in the order in which the two sides refer to each other.
    #[schemars(length(min = 1))]
    columns: OneOrMany<String>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

#[derive(JsonSchema)]
#[allow(clippy::enum_variant_names, reason = "the standard's words")]
enum Action {
    #[serde(rename = "no action")]
    NoAction,
    #[serde(rename = "restrict")]
    Restrict,
    #[serde(rename = "cascade")]
    Cascade,
    #[serde(rename = "set null")]
    SetNull,
    #[serde(rename = "set default")]
    SetDefault,
}

/// A demand on the foreign keys to some tables.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Policy {
    /// The parent tables, as a pattern: `users`, `billing.*`, `*`.
    parent: String,
    /// The child tables, as a pattern; all if left out.
    child: Option<String>,
    /// The actions on delete that are allowed; the first is what a repair sets.
    on_delete: OneOrMany<Action>,
    /// Children that are exempt, as patterns: `table` or `table.column`.
    except: Option<OneOrMany<String>>,
    /// Why, for the finding's text.
    reason: Option<String>,
}

/// What you demand of single tables.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The tables, as a pattern: `users`, `billing.*`.
    name: String,
    /// Whether every delete of a row must work, or the worst verdict that will do; true is `leaves-rows`.
    erasable: Erasable,
    /// Why, for the finding's text.
    reason: Option<String>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum Erasable {
    Wanted(bool),
    Verdict(WantedVerdict),
}

#[derive(JsonSchema)]
enum WantedVerdict {
    #[serde(rename = "complete")]
    Complete,
    #[serde(rename = "leaves-rows")]
    LeavesRows,
    #[serde(rename = "leaves-orphans")]
    LeavesOrphans,
}

/// What you demand of every delete.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fate {
    /// Tables whose rows no delete of another table may take with it, as patterns.
    never_cascade_into: Option<OneOrMany<String>>,
    /// How many cascades may follow each other.
    #[schemars(range(min = 1))]
    max_depth: Option<u32>,
}

/// Findings that you do not want to hear about.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ignore {
    /// The rule, by name or code; every rule if left out (then `subject` is needed).
    rule: Option<String>,
    /// What the finding is about, as a pattern over `table` and `table.column`.
    subject: Option<String>,
    /// Why.
    reason: String,
    /// The last day on which it counts: `2027-01-31`.
    expires: Option<String>,
}

/// What referee cannot see in the database.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Database {
    /// SQLite: whether the application switches `PRAGMA foreign_keys` on in every connection.
    foreign_keys: Option<OnOff>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnOff {
    On,
    Off,
}

/// How undeclared relations are guessed.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Infer {
    /// From which confidence on a guess counts; 0.5 if left out.
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: Option<f64>,
}

/// Defaults of `referee audit`; its options win.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Audit {
    /// From which severity on a finding makes `referee audit` exit with 1; `warning` if left out.
    fail_on: Option<FailOn>,
    /// The rules to run, by name or code.
    only: Option<OneOrMany<String>>,
    /// The rules not to run, by name or code.
    skip: Option<OneOrMany<String>>,
    /// The tables to hear about, as patterns.
    tables: Option<OneOrMany<String>>,
    /// Whether rows are read to find orphans.
    data: Option<bool>,
    /// The format of the report.
    format: Option<Format>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum FailOn {
    Error,
    Warning,
    Info,
    Never,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Text,
    Json,
    Sarif,
    Markdown,
    Github,
    Gitlab,
    Junit,
    Html,
}

/// Returns the JSON Schema of `referee.toml`.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Referee);
    schema.insert("title".into(), super::FILE_NAME.into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn keys(schema: &serde_json::Value) -> Vec<String> {
        let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    fn sorted(keys: &[&str]) -> Vec<String> {
        let mut keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
        keys.sort();
        keys
    }

    #[test]
    fn published_schema_has_the_keys_and_values_that_are_accepted() {
        let schema = json_schema();
        let of = |name: &str| &schema["$defs"][name];
        assert_eq!(keys(&schema), sorted(parse::TOP));
        assert_eq!(keys(of("Relation")), sorted(parse::RELATION));
        assert_eq!(keys(of("Columns")), sorted(parse::SIDE));
        assert_eq!(keys(of("Policy")), sorted(parse::POLICY));
        assert_eq!(keys(of("Ignore")), sorted(parse::IGNORE));
        assert_eq!(keys(of("Database")), sorted(parse::DATABASE));
        assert_eq!(keys(of("Table")), sorted(parse::TABLE));
        assert_eq!(keys(of("Fate")), sorted(parse::FATE));
        assert_eq!(of("WantedVerdict")["enum"], serde_json::json!(parse::ERASABLE));
        assert_eq!(keys(of("Infer")), sorted(parse::INFER));
        assert_eq!(keys(of("Audit")), sorted(parse::AUDIT));
        assert_eq!(of("Action")["enum"], serde_json::json!(parse::ACTIONS));
        assert_eq!(of("FailOn")["enum"], serde_json::json!(crate::config::FAIL_ON));
        assert_eq!(of("Format")["enum"], serde_json::json!(crate::config::REPORT_FORMATS));
    }
}
