//! The baseline: findings that were there when a project began to audit, kept in a file so that only new ones are heard.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Finding;
use super::suppress::Suppression;
use crate::text::in_json;

/// The format's name and version, in the file's first field.
pub const FORMAT: &str = "referee-baseline/1";

/// A baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The format's name and version.
    format: String,
    /// The findings, sorted by place, then rule.
    pub findings: Vec<Entry>,
}

/// One finding of a baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What identifies it.
    pub fingerprint: String,
    /// The rule's name, for a reader.
    pub rule: String,
    /// What it is about, for a reader.
    pub place: String,
    /// Why it is not to be heard.
    pub reason: String,
}

/// A text that is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not a baseline: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Another document, or a newer version.
    #[error("the file's format is {found}, expected \"{FORMAT}\"")]
    Format {
        /// What the file says of itself.
        found: String,
    },
}

#[derive(Deserialize)]
struct Head {
    format: Option<serde_json::Value>,
}

impl Baseline {
    /// Makes a baseline of findings; entries of an older one keep the reasons that people wrote into them.
    pub fn new<'f>(findings: impl IntoIterator<Item = &'f Finding>, older: Option<&Self>) -> Self {
        let reasons: BTreeMap<&str, &str> = older
            .into_iter()
            .flat_map(|b| &b.findings)
            .map(|entry| (entry.fingerprint.as_str(), entry.reason.as_str()))
            .collect();
        let mut findings: Vec<Entry> = findings
            .into_iter()
            .map(|f| Entry {
                fingerprint: f.fingerprint.clone(),
                rule: f.rule.name().to_string(),
                place: f.subject.place(),
                reason: reasons.get(f.fingerprint.as_str()).unwrap_or(&"baseline").to_string(),
            })
            .collect();
        findings.sort_by(|a, b| (&a.place, &a.rule, &a.fingerprint).cmp(&(&b.place, &b.rule, &b.fingerprint)));
        findings.dedup_by(|a, b| a.fingerprint == b.fingerprint);
        Self { format: FORMAT.to_string(), findings }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// [`BaselineError::Format`] for another document or version, [`BaselineError::Syntax`] for what is not one at all.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let head: Head = serde_json::from_str(text)?;
        match head.format {
            Some(serde_json::Value::String(format)) if format == FORMAT => Ok(serde_json::from_str(text)?),
            Some(found) => Err(BaselineError::Format { found: found.to_string() }),
            None => Err(BaselineError::Format { found: "missing".to_string() }),
        }
    }

    /// Writes it as an indented JSON document.
    pub fn to_json(&self) -> String {
        // Strings in lists: serialising them cannot fail.
        let mut text = in_json(&serde_json::to_string_pretty(self).unwrap_or_default());
        text.push('\n');
        text
    }

    /// Returns what it suppresses, one for each entry, in its order; `file` is how a person knows it.
    pub fn suppressions(&self, file: &str) -> Vec<Suppression> {
        let suppression = |entry: &Entry| Suppression {
            rule: Some(entry.rule.clone()),
            subject: None,
            fingerprint: Some(entry.fingerprint.clone()),
            scope: None,
            reason: entry.reason.clone(),
            origin: file.to_string(),
        };
        self.findings.iter().map(suppression).collect()
    }
}

/// Returns the JSON Schema of the file.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Baseline);
    schema.insert("title".into(), "referee baseline".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Subject, suppress};
    use crate::rules;

    fn finding(table: &str) -> Finding {
        Finding::new(rules::ALL[0].meta, Subject::table(&table.into()), "wrong")
    }

    #[test]
    fn baseline_hides_what_it_was_made_of_and_tells_what_is_gone() {
        let old = Baseline::new([&finding("b"), &finding("a")], None);
        let read = Baseline::parse(&old.to_json()).unwrap();
        assert_eq!(read, old);
        assert_eq!(read.findings[0].place, "a");
        let (heard, hidden, unused) =
            suppress::apply(vec![finding("b"), finding("c")], &read.suppressions("baseline.json"));
        assert_eq!(heard, [finding("c")]);
        assert_eq!(hidden.len(), 1);
        assert_eq!(unused, [0]);
    }

    #[test]
    fn reasons_written_by_hand_survive_a_rewrite() {
        let mut old = Baseline::new([&finding("a")], None);
        old.findings[0].reason = "legacy, gone in May".into();
        let new = Baseline::new([&finding("a"), &finding("b")], Some(&old));
        assert_eq!(
            new.findings.iter().map(|e| e.reason.as_str()).collect::<Vec<_>>(),
            ["legacy, gone in May", "baseline"]
        );
    }

    #[test]
    fn another_format_is_refused_by_name() {
        let error = |text: &str| Baseline::parse(text).unwrap_err().to_string();
        assert_eq!(
            error(r#"{"format":"referee-baseline/2","findings":[]}"#),
            r#"the file's format is "referee-baseline/2", expected "referee-baseline/1""#
        );
        assert_eq!(error(r#"{"findings":[]}"#), r#"the file's format is missing, expected "referee-baseline/1""#);
        assert!(error("[]").starts_with("not a baseline: "));
    }
}
