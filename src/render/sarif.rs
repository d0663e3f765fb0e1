//! `sarif`: SARIF 2.1.0, the format of code scanning services.
//!
//! A database has no lines, so a result's place is logical: `orders`, `orders.customer_id`. Where SQL files were read a result
//! has its region, too, and what it runs into as related locations. Where the source is another file it is named as the
//! artifact; a URL is only a property of the run.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::json::pretty;
use super::summary::engine;
use crate::audit::Report;
use crate::findings::{Finding, Severity, SubjectKind};
use crate::rules;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    #[serde(skip_serializing_if = "Option::is_none")]
    automation_details: Option<AutomationDetails>,
    invocations: [Invocation; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    artifacts: Vec<Artifact>,
    results: Vec<ResultEntry<'a>>,
    column_kind: &'static str,
    properties: serde_json::Value,
}

#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<RuleEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleEntry {
    id: &'static str,
    name: String,
    short_description: Text,
    help: Help,
    default_configuration: Configuration,
    properties: serde_json::Value,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

#[derive(Serialize)]
struct Artifact {
    location: ArtifactLocation,
}

#[derive(Clone, Serialize)]
struct ArtifactLocation {
    uri: String,
    index: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultEntry<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<SuppressionEntry<'a>>,
    properties: serde_json::Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct SuppressionEntry<'a> {
    kind: &'static str,
    justification: &'a str,
    properties: serde_json::Value,
}

/// Writes the log.
pub fn render(report: &Report) -> String {
    log(vec![run(report, None)])
}

/// Writes one log of several reports, a run for each. What tells runs of one tool apart is their category, which is what
/// stands before the last slash of the id (§3.17.3).
pub fn render_all(reports: &[Report]) -> String {
    log(reports.iter().map(|r| run(r, Some(AutomationDetails { id: format!("referee/{}/", r.source) }))).collect())
}

fn log(runs: Vec<Run<'_>>) -> String {
    pretty(&Log { schema: SCHEMA, version: "2.1.0", runs })
}

fn run(report: &Report, automation_details: Option<AutomationDetails>) -> Run<'_> {
    let all = || report.findings.iter().chain(report.suppressed.iter().map(|s| &s.finding));
    let mut codes: Vec<&'static str> = all().map(|f| f.rule.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut uris: Vec<String> = all().flat_map(|f| &f.locations).map(|l| path_uri(&l.file)).collect();
    uris.sort();
    uris.dedup();
    if uris.is_empty() && report.history.files.is_empty() {
        uris.extend(file_uri(&report.source));
    }
    let artifacts: Vec<ArtifactLocation> =
        uris.into_iter().enumerate().map(|(index, uri)| ArtifactLocation { uri, index }).collect();
    let result = |finding, suppressions| result(finding, &codes, &artifacts, suppressions);
    let mut results: Vec<ResultEntry<'_>> = report.findings.iter().map(|f| result(f, vec![])).collect();
    results.extend(report.suppressed.iter().map(|s| {
        let by = report.suppressions.get(s.by);
        let entry = SuppressionEntry {
            // §3.35.2: outside of the source that was analysed, which is the database.
            kind: "external",
            justification: by.map_or("", |b| &b.reason),
            properties: json!({ "origin": by.map_or("", |b| &b.origin) }),
        };
        result(&s.finding, vec![entry])
    }));
    let notifications = report.failures.iter().map(|f| Notification {
        level: "error",
        message: Text {
            text: format!("{}: {}{}", f.what, f.message, f.hint.as_ref().map(|h| format!("\n{h}")).unwrap_or_default()),
        },
    });
    Run {
        tool: Tool {
            driver: Driver {
                name: "referee",
                version: env!("CARGO_PKG_VERSION"),
                rules: codes.iter().filter_map(|c| rules::find(c)).map(|r| rule(r.meta)).collect(),
            },
        },
        automation_details,
        invocations: [Invocation {
            execution_successful: report.failures.is_empty(),
            tool_execution_notifications: notifications.collect(),
        }],
        artifacts: artifacts.iter().map(|a| Artifact { location: a.clone() }).collect(),
        results,
        column_kind: "unicodeCodePoints",
        properties: json!({ "source": report.source, "engine": engine(report) }),
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(meta: &rules::Meta) -> RuleEntry {
    RuleEntry {
        id: meta.code,
        name: meta.name.to_string(),
        short_description: Text { text: meta.summary.to_string() },
        help: Help { text: meta.page.to_string(), markdown: meta.page },
        default_configuration: Configuration { level: level(meta.severity) },
        properties: json!({ "tags": ["database", "foreign-key"] }),
    }
}

fn physical(location: &crate::findings::Location, artifacts: &[ArtifactLocation]) -> Option<PhysicalLocation> {
    let uri = path_uri(&location.file);
    let artifact = artifacts.iter().find(|a| a.uri == uri)?;
    let region = Region {
        start_line: location.line,
        start_column: location.column,
        end_line: location.end_line,
        end_column: location.end_column,
    };
    Some(PhysicalLocation { artifact_location: artifact.clone(), region: Some(region) })
}

fn result<'a>(
    finding: &'a Finding,
    codes: &[&'static str],
    artifacts: &[ArtifactLocation],
    suppressions: Vec<SuppressionEntry<'a>>,
) -> ResultEntry<'a> {
    let parts = [&finding.message, &finding.why, &finding.help];
    let text = parts.into_iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join("\n");
    ResultEntry {
        rule_id: finding.rule.code(),
        rule_index: codes.binary_search(&finding.rule.code()).unwrap_or_default(),
        level: level(finding.severity),
        message: Text { text },
        locations: [Location {
            physical_location: match finding.locations.first() {
                Some(location) => physical(location, artifacts),
                // The one file that was read; a finding about a folder as a whole has none.
                None if artifacts.len() == 1 => {
                    artifacts.first().map(|a| PhysicalLocation { artifact_location: a.clone(), region: None })
                }
                None => None,
            },
            logical_locations: logical_locations(finding),
            message: None,
        }],
        related_locations: finding
            .locations
            .iter()
            .skip(1)
            .map(|l| Location {
                physical_location: physical(l, artifacts),
                logical_locations: Vec::new(),
                message: (!l.label.is_empty()).then(|| Text { text: l.label.clone() }),
            })
            .collect(),
        partial_fingerprints: BTreeMap::from([("referee/1", finding.fingerprint.as_str())]),
        suppressions,
        properties: json!({
            "place": finding.subject.place(),
            "labels": finding.labels,
            "evidence": finding.evidence,
            "fixes": finding.fixes.iter().map(|f| json!({ "title": f.title, "safety": f.safety, "sql": f.sql })).collect::<Vec<_>>(),
        }),
    }
}

fn logical_locations(finding: &Finding) -> Vec<LogicalLocation> {
    let subject = &finding.subject;
    let Some(table) = &subject.table else {
        return vec![LogicalLocation {
            name: "database".into(),
            fully_qualified_name: "database".into(),
            kind: "database",
        }];
    };
    let table_text = table.to_string();
    let at = |name: &str, kind| LogicalLocation {
        name: name.to_string(),
        fully_qualified_name: format!("{table_text}.{name}"),
        kind,
    };
    let mut places: Vec<LogicalLocation> = Vec::new();
    // §3.33.7 names the kinds of code; others may be used for what is none.
    match (subject.kind, &subject.name) {
        (SubjectKind::ForeignKey, Some(name)) => places.push(at(name, "constraint")),
        (SubjectKind::Index, Some(name)) => places.push(at(name, "index")),
        _ => {}
    }
    places.extend(subject.columns.iter().map(|c| at(c, "column")));
    if places.is_empty() {
        places.push(LogicalLocation { name: table.name.clone(), fully_qualified_name: table_text, kind: "table" });
    }
    places
}

/// Returns a file's path as a URI reference; `None` for a source that is no file.
fn file_uri(source: &str) -> Option<String> {
    if source.contains("://") || source.is_empty() {
        return None;
    }
    Some(path_uri(source))
}

/// Writes a path as a URI reference, relative where the path is.
fn path_uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::new();
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(byte as char);
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    // RFC 3986 §3.3: a leading `//` would be read as a host.
    if uri.starts_with("//") { format!("/.{uri}") } else { uri }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    fn value(report: &Report) -> serde_json::Value {
        serde_json::from_str(&render(report)).expect("JSON")
    }

    #[test]
    fn log_is_valid_against_the_published_schema() {
        let schema = include_str!("../../tests/data/sarif-schema-2.1.0.json");
        let mut schema: serde_json::Value = serde_json::from_str(schema).expect("JSON");
        // As published: a `]` too many, which is no regular expression to a strict reader. We write no language.
        for definition in ["run", "toolComponent"] {
            let language = schema.pointer_mut(&format!("/definitions/{definition}/properties/language"));
            let language = language.and_then(|l| l.as_object_mut()).expect("the schema's text");
            assert!(language.remove("pattern").is_some());
        }
        let validator =
            jsonschema::options().should_validate_formats(true).build(&schema).expect("the published schema is one");
        for report in [samples::report(), samples::clean(), samples::hostile()] {
            let errors: Vec<String> =
                validator.iter_errors(&value(&report)).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{errors:#?}");
        }
        let all = [samples::report(), samples::clean()];
        let log: serde_json::Value = serde_json::from_str(&render_all(&all)).expect("JSON");
        assert!(validator.is_valid(&log));
        assert_eq!(log["runs"][1]["automationDetails"]["id"], "referee/shop.db/");
        let mut broken = value(&samples::report());
        broken["runs"][0]["results"][0]["level"] = "fatal".into();
        assert!(!validator.is_valid(&broken));
        let mut broken = value(&samples::report());
        broken["runs"][0]["results"][0]["locations"][0]["unheardOf"] = 1.into();
        assert!(!validator.is_valid(&broken));
    }

    #[test]
    fn results_name_their_rule_their_place_and_why_they_are_suppressed() {
        let log = value(&samples::report());
        let run = &log["runs"][0];
        for result in run["results"].as_array().expect("a list") {
            let index = result["ruleIndex"].as_u64().expect("a number") as usize;
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        }
        assert_eq!(
            run["results"][5]["locations"][0]["logicalLocations"][1]["fullyQualifiedName"],
            "users.primary_workspace_id"
        );
        assert_eq!(run["results"][7]["suppressions"][0]["justification"], "the importer | writes it <first>");
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
        assert!(run.get("artifacts").is_none(), "a URL is no artifact");
        assert_eq!(value(&samples::clean())["runs"][0]["artifacts"][0]["location"]["uri"], "shop.db");
        assert_eq!(file_uri("/srv/a b%\"<x>.db").as_deref(), Some("/srv/a%20b%25%22%3Cx%3E.db"));
    }
}
