//! `github`: workflow commands, which GitHub shows as annotations of the run.

use crate::audit::Report;
use crate::findings::{Finding, Severity};
use crate::text::visible;

/// Writes one command for each finding and each failure.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let title = format!("{} {} at {}", finding.rule.code(), finding.rule, finding.subject.place());
        // The annotation stands at the line; a finding of a database has none.
        let place = finding.locations.first().map(|l| {
            let (file, line, end) = (property(&l.file), l.line, l.end_line);
            format!("file={file},line={line},endLine={end},col={},", l.column)
        });
        let place = place.unwrap_or_default();
        text.push_str(&format!("::{command} {place}title={}::{}\n", property(&title), data(&body(finding))));
    }
    for failure in &report.failures {
        let body = match &failure.hint {
            Some(hint) => format!("{}\n{hint}", failure.message),
            None => failure.message.clone(),
        };
        let title = format!("Audit incomplete: {}", failure.what);
        text.push_str(&format!("::error title={}::{}\n", property(&title), data(&body)));
    }
    if text.is_empty() {
        text.push_str(&format!("::notice title=referee::{}\n", data(&format!("Nothing found in {}.", report.source))));
    }
    text
}

fn body(finding: &Finding) -> String {
    let mut parts = vec![finding.message.clone()];
    parts.extend(finding.labels.iter().map(|l| format!("{}: {}", l.place, l.text)));
    let other = finding.locations.iter().skip(1);
    parts.extend(other.map(|l| format!("{}:{}: {}", l.file, l.line, l.label).trim_end_matches([':', ' ']).to_string()));
    parts.extend([&finding.why, &finding.help].into_iter().filter(|p| !p.is_empty()).cloned());
    parts.extend(finding.evidence.iter().map(|e| format!("{};\n{}", e.query, e.returned)));
    if let Some(fix) = finding.fixes.first() {
        parts.push(format!("Fix: {}", fix.title));
        parts.extend(fix.sql.iter().map(|s| format!("{s};")));
    }
    parts.join("\n")
}

// The runner splits at these, and decodes them: actions/toolkit, `core` package, command.ts.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn annotations() {
        insta::assert_snapshot!("github", render(&samples::report()));
    }

    #[test]
    fn nothing_breaks_out_of_its_command() {
        let text = render(&samples::hostile());
        assert_eq!(text.lines().count(), 2, "{text}");
        for line in text.lines() {
            let (head, _) = line[2..].split_once("::").expect("a command");
            let (_, title) = head.split_once("title=").expect("a title");
            assert!(!title.contains([',', ':']), "{title}");
            assert!(line.contains("%2525"), "a percent sign in the text is not decoded: {line}");
        }
    }
}
