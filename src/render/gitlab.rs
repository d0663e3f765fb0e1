//! `gitlab`: GitLab's code quality report, a subset of Code Climate's format.

use serde::Serialize;

use super::json::pretty;
use crate::audit::Report;
use crate::findings::Severity;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

/// GitLab demands a path and a line. Where a finding has none the source is the only path there is.
#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// Writes the report.
pub fn render(report: &Report) -> String {
    pretty(&issues(report, ""))
}

/// Writes one report of several: fingerprints, which must be unique in it, say which source they are of.
pub fn render_all(reports: &[Report]) -> String {
    pretty(&reports.iter().flat_map(|r| issues(r, &format!("{}: ", r.source))).collect::<Vec<_>>())
}

fn issues<'r>(report: &'r Report, of: &str) -> Vec<Issue<'r>> {
    let location = || Location { path: &report.source, lines: Lines { begin: 1 } };
    let findings = report.findings.iter().map(|f| Issue {
        description: format!("{}: {}", f.subject.place(), f.message),
        check_name: f.rule.name(),
        fingerprint: format!("{of}{}", f.fingerprint),
        severity: match f.severity {
            Severity::Error => "critical",
            Severity::Warning => "major",
            Severity::Info => "info",
        },
        location: f.locations.first().map_or_else(location, |l| Location {
            path: l.file.strip_prefix("./").unwrap_or(&l.file),
            lines: Lines { begin: l.line },
        }),
    });
    let failures = report.failures.iter().map(|f| Issue {
        description: format!("The audit is incomplete: {}: {}", f.what, f.message),
        check_name: "audit-incomplete",
        fingerprint: format!("{of}audit-incomplete: {}", f.what),
        severity: "blocker",
        location: location(),
    });
    findings.chain(failures).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn every_issue_has_what_gitlab_demands() {
        let issues: Vec<serde_json::Value> = serde_json::from_str(&render(&samples::report())).expect("JSON");
        assert_eq!(issues.len(), 8);
        let mut prints: Vec<&str> = issues.iter().filter_map(|i| i["fingerprint"].as_str()).collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), issues.len());
        for issue in &issues {
            assert!(issue["description"].is_string() && issue["check_name"].is_string());
            assert_eq!(issue["location"]["lines"]["begin"], 1);
            assert_eq!(issue["location"]["path"], "postgres://app:***@db.example.com/shop");
            let severity = issue["severity"].as_str().expect("text");
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
        }
        assert_eq!(render(&samples::clean()), "[]\n");
    }
}
