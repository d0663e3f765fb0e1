//! `json`: referee's own document, with a published JSON Schema.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::Summary;
use crate::audit::Report;
use crate::findings::Finding;
use crate::findings::suppress::Suppression;
use crate::infer::RowsRead;
use crate::schema::Engine;
use crate::text::in_json;

/// The format's name and version. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-findings/1";

/// What an audit found, as it is written and read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Document")]
pub struct Document<'a> {
    /// The format's name and version.
    pub format: Cow<'a, str>,
    /// What was audited: a path, or a URL without its password.
    pub source: Cow<'a, str>,
    /// The engine.
    pub engine: Engine,
    /// Its version, where known: `15.18`.
    pub version: Option<String>,
    /// The counts.
    pub summary: Summary,
    /// The findings, sorted by table (the database first), columns, code.
    pub findings: Cow<'a, [Finding]>,
    /// The findings the user does not want to hear about.
    pub suppressed: Vec<SuppressedFinding<'a>>,
    /// The suppressions that were about nothing.
    pub unused_suppressions: Vec<UnusedSuppression<'a>>,
    /// What could not be done. If there is any, the audit is incomplete.
    pub failures: Vec<FailedPart<'a>>,
    /// What was read of the rows to tell guessed relations from chance; absent where no rows were to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_read: Option<Cow<'a, RowsRead>>,
}

/// A finding that was suppressed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuppressedFinding<'a> {
    /// The finding.
    #[serde(flatten)]
    pub finding: Cow<'a, Finding>,
    /// Why it is suppressed.
    pub reason: Cow<'a, str>,
    /// Where that is written.
    pub origin: Cow<'a, str>,
}

/// A suppression that was about nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnusedSuppression<'a> {
    /// The rule it names; null for every rule.
    pub rule: Option<Cow<'a, str>>,
    /// The glob of tables and columns it names; null for every one.
    pub subject: Option<Cow<'a, str>>,
    /// The fingerprint it names; null for every one.
    pub fingerprint: Option<Cow<'a, str>>,
    /// Why it was made.
    pub reason: Cow<'a, str>,
    /// Where it is written.
    pub origin: Cow<'a, str>,
}

/// A part of the audit that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedPart<'a> {
    /// What could not be done.
    pub what: Cow<'a, str>,
    /// Why.
    pub message: Cow<'a, str>,
    /// What to do about it.
    pub hint: Option<Cow<'a, str>>,
}

/// Why a text is no document of findings.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is another document, or another version.
    #[error("it is no {FORMAT} document, but {found}")]
    Format {
        /// What it says it is.
        found: String,
    },
    /// It is none at all.
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
}

impl Document<'_> {
    /// Reads what [`render`] wrote.
    ///
    /// # Errors
    /// It is another document, or a rule in it is not known.
    pub fn read(text: &str) -> Result<Document<'static>, ReadError> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
        }
        match serde_json::from_str::<Head>(text)?.format {
            Some(format) if format == FORMAT => Ok(serde_json::from_str(text)?),
            found => Err(ReadError::Format { found: found.unwrap_or_else(|| "of no format".to_string()) }),
        }
    }

    /// Writes it.
    pub fn write(&self) -> String {
        pretty(self)
    }
}

/// The format's name and version for several reports.
pub const FORMAT_OF_ALL: &str = "referee-reports/1";

#[derive(Serialize, JsonSchema)]
struct Documents<'a> {
    /// The format's name and version.
    format: &'a str,
    /// One document of findings for each path, in the order in which they were given.
    reports: Vec<Document<'a>>,
}

/// Writes the document.
pub fn render(report: &Report) -> String {
    pretty(&document(report))
}

/// Writes the document of several reports.
pub fn render_all(reports: &[Report]) -> String {
    pretty(&Documents { format: FORMAT_OF_ALL, reports: reports.iter().map(document).collect() })
}

fn document(report: &Report) -> Document<'_> {
    Document {
        format: FORMAT.into(),
        source: report.source.as_str().into(),
        engine: report.schema.engine,
        version: report.schema.version.map(|v| v.to_string()),
        summary: Summary::of(report),
        findings: report.findings.as_slice().into(),
        suppressed: report
            .suppressed
            .iter()
            .map(|s| {
                let by = report.suppressions.get(s.by);
                SuppressedFinding {
                    finding: Cow::Borrowed(&s.finding),
                    reason: by.map_or("", |b| &b.reason).into(),
                    origin: by.map_or("", |b| &b.origin).into(),
                }
            })
            .collect(),
        unused_suppressions: report
            .unused_suppressions
            .iter()
            .filter_map(|&i| report.suppressions.get(i))
            .map(|s| UnusedSuppression {
                rule: s.rule.as_deref().map(Cow::from),
                subject: s.subject.as_ref().map(|glob| glob.glob().into()),
                fingerprint: s.fingerprint.as_deref().map(Cow::from),
                reason: s.reason.as_str().into(),
                origin: s.origin.as_str().into(),
            })
            .collect(),
        failures: report
            .failures
            .iter()
            .map(|f| FailedPart {
                what: f.what.as_str().into(),
                message: f.message.as_str().into(),
                hint: f.hint.as_deref().map(Cow::from),
            })
            .collect(),
        rows_read: report.rows_read.as_ref().map(Cow::Borrowed),
    }
}

/// Returns the JSON Schema of the document.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".into(), "referee findings document".into());
    schema.to_value()
}

/// Returns the JSON Schema of the document of several reports.
pub fn json_schema_of_all() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Documents);
    schema.insert("title".into(), "referee findings of several paths".into());
    schema.to_value()
}

/// Writes indented JSON with a newline at the end.
pub(super) fn pretty(document: &impl Serialize) -> String {
    // Strings, numbers and lists with string keys: serialising them cannot fail.
    let mut text = in_json(&serde_json::to_string_pretty(document).unwrap_or_default());
    text.push('\n');
    text
}

/// Names what a suppression is about: `unindexed-foreign-key at orders.*`.
pub(super) fn suppression_subject(suppression: &Suppression) -> String {
    let mut text = suppression.rule.clone().unwrap_or_else(|| "every rule".to_string());
    if let Some(subject) = &suppression.subject {
        text.push_str(&format!(" at {}", subject.glob()));
    }
    if let Some(fingerprint) = &suppression.fingerprint {
        text.push_str(&format!(", fingerprint {fingerprint}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn document_is_valid_against_its_published_schema() {
        let validator = jsonschema::validator_for(&json_schema()).expect("the schema is one");
        for report in [samples::report(), samples::clean(), samples::hostile()] {
            let document: serde_json::Value = serde_json::from_str(&render(&report)).expect("JSON");
            let errors: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:#?}");
        }
        assert!(!validator.is_valid(&serde_json::json!({"format": FORMAT})), "the schema must demand something");
    }

    #[test]
    fn document_is_read_back_as_it_was() {
        for report in [samples::report(), samples::clean(), samples::hostile(), crate::testing::demo().1] {
            let text = render(&report);
            let read = Document::read(&text).expect("what was written");
            assert_eq!(read, document(&report));
            assert_eq!(read.write(), text);
        }
        assert!(matches!(Document::read("{}"), Err(ReadError::Format { .. })));
        let several = Document::read(&render_all(&[samples::clean()]));
        assert!(several.is_err_and(|e| e.to_string().contains(FORMAT_OF_ALL)));
        let unknown = render(&samples::report()).replace("\"REF105\"", "\"REF999\"");
        assert!(Document::read(&unknown).is_err_and(|e| e.to_string().contains("there is no rule REF999")));
    }

    #[test]
    fn documents_of_several_paths_are_valid_against_their_schema() {
        let validator = jsonschema::validator_for(&json_schema_of_all()).expect("the schema is one");
        let reports = [samples::report(), samples::clean()];
        let document: serde_json::Value = serde_json::from_str(&render_all(&reports)).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let first: serde_json::Value = serde_json::from_str(&render(&reports[0])).expect("JSON");
        assert_eq!((&document["format"], &document["reports"][0]), (&"referee-reports/1".into(), &first));
        assert!(!validator.is_valid(&first));
    }

    #[test]
    fn document_has_the_promised_fields() {
        let document: serde_json::Value = serde_json::from_str(&render(&samples::report())).expect("JSON");
        assert_eq!(document["format"], "referee-findings/1");
        assert_eq!(document["version"], "15.18");
        assert_eq!(document["summary"]["findings"], 7);
        assert_eq!(document["summary"]["errors"], 2);
        assert_eq!(document["summary"]["relations"]["inferred"], 1);
        assert_eq!(document["summary"]["by_rule"]["unindexed-foreign-key"], 2);
        assert_eq!(document["suppressed"][0]["origin"], "referee.toml:12");
        assert_eq!(document["suppressed"][0]["rule"], "undeclared-foreign-key");
        assert_eq!(document["unused_suppressions"][0]["rule"], "invalid-index");
        let finding = &document["findings"][5];
        assert_eq!(finding["subject"]["kind"], "foreign_key");
        assert_eq!(finding["subject"]["table"], "users");
        assert_eq!(finding["fixes"][0]["safety"], "safe");
    }
}
