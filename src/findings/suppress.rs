//! Suppression: what the user has decided not to hear about, and why.

use globset::Glob;

use super::Finding;
use super::ignores::Scope;

/// A decision not to hear about some findings.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppression {
    /// The rule's name or code; `None` for every rule.
    pub rule: Option<String>,
    /// The subject, as a glob over `table` or `table.column`; `None` for every subject.
    pub subject: Option<Glob>,
    /// A fingerprint (baselines); `None` for every finding.
    pub fingerprint: Option<String>,
    /// What in the source it is about (comments); `None` for everything.
    pub scope: Option<Scope>,
    /// Why.
    pub reason: String,
    /// Where it is written, for a person: `referee.toml:12`, `baseline`.
    pub origin: String,
}

impl Suppression {
    /// Tells whether it is about a finding.
    pub fn is_about(&self, finding: &Finding) -> bool {
        let rule = self.rule.as_deref().is_none_or(|r| finding.rule.is_called(r));
        let subject = self.subject.as_ref().is_none_or(|glob| {
            let glob = glob.compile_matcher();
            let table = finding.subject.table.as_ref().map(ToString::to_string).unwrap_or_default();
            glob.is_match(&table)
                || glob.is_match(finding.subject.place())
                || finding.subject.columns.iter().any(|c| glob.is_match(format!("{table}.{c}")))
        });
        let fingerprint = self.fingerprint.as_ref().is_none_or(|f| *f == finding.fingerprint);
        rule && subject && fingerprint && self.scope.as_ref().is_none_or(|s| s.is_about(finding))
    }
}

/// A finding that was suppressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// Which of the suppressions it was, by position.
    pub by: usize,
}

/// Splits findings into those to be heard and those suppressed, and returns the positions of suppressions that were about
/// nothing.
pub fn apply(findings: Vec<Finding>, suppressions: &[Suppression]) -> (Vec<Finding>, Vec<Suppressed>, Vec<usize>) {
    let mut used = vec![false; suppressions.len()];
    let (mut heard, mut suppressed) = (Vec::new(), Vec::new());
    for finding in findings {
        let mut first = None;
        for (i, suppression) in suppressions.iter().enumerate() {
            if suppression.is_about(&finding) {
                used[i] = true;
                first = first.or(Some(i));
            }
        }
        match first {
            Some(by) => suppressed.push(Suppressed { finding, by }),
            None => heard.push(finding),
        }
    }
    let unused = used.iter().enumerate().filter(|(_, used)| !**used).map(|(i, _)| i).collect();
    (heard, suppressed, unused)
}
