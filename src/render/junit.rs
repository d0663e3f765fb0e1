//! `junit`: JUnit XML, as CI servers read it: one suite for each table, one case for each finding.

use super::summary::by_table;
use crate::audit::Report;
use crate::findings::{Finding, Severity};
use crate::text::visible;

/// Writes the document. Errors and warnings are failures, information is a passed case with output, suppressed findings
/// are skipped, and what could not be done is an error.
pub fn render(report: &Report) -> String {
    document(&format!("referee {}", report.source), &[(report, suites(report, ""))])
}

/// Writes one document of several reports: the names of suites begin with the source they are of.
pub fn render_all(reports: &[Report]) -> String {
    let all: Vec<_> = reports.iter().map(|r| (r, suites(r, &format!("{}: ", r.source)))).collect();
    document("referee", &all)
}

fn document(name: &str, parts: &[(&Report, Suites)]) -> String {
    let sum = |count: fn(&Report) -> usize| parts.iter().map(|(r, _)| count(r)).sum::<usize>();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
         skipped=\"{}\">\n{}</testsuites>\n",
        escape(name),
        parts.iter().map(|(_, s)| s.tests).sum::<usize>(),
        sum(|r| r.findings.iter().filter(|f| f.severity >= Severity::Warning).count()),
        sum(|r| r.failures.len()),
        sum(|r| r.suppressed.len()),
        parts.iter().map(|(_, s)| s.text.as_str()).collect::<String>(),
    )
}

/// The suites of one report, and how many cases they hold.
struct Suites {
    text: String,
    tests: usize,
}

fn suites(report: &Report, of: &str) -> Suites {
    let fails = |f: &&Finding| f.severity >= Severity::Warning;
    let mut suites = String::new();
    let mut tests = 0;
    let groups = by_table(&report.findings);
    let mut suite = |name: &str, cases: &[String], failures: usize, errors: usize, skipped: usize| {
        tests += cases.len();
        suites.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n",
            escape(&format!("{of}{name}")),
            cases.len()
        ));
        cases.iter().for_each(|c| suites.push_str(c));
        suites.push_str("  </testsuite>\n");
    };
    if let Some(findings) = groups.get(&None) {
        let cases: Vec<String> = findings.iter().map(|f| case(f)).collect();
        suite("database", &cases, findings.iter().copied().filter(fails).count(), 0, 0);
    }
    let known = report.schema.logical_tables().map(|t| &t.name);
    let mut tables: Vec<_> = known.chain(groups.keys().copied().flatten()).collect();
    tables.sort();
    tables.dedup();
    for table in tables {
        let findings = groups.get(&Some(table)).map_or(&[][..], Vec::as_slice);
        let name = table.to_string();
        let mut cases: Vec<String> = findings.iter().map(|f| case(f)).collect();
        if cases.is_empty() {
            cases.push(format!("    <testcase classname=\"{}\" name=\"relations\"/>\n", escape(&name)));
        }
        suite(&name, &cases, findings.iter().copied().filter(fails).count(), 0, 0);
    }
    if !report.suppressed.is_empty() {
        let cases: Vec<String> = report
            .suppressed
            .iter()
            .map(|s| {
                let reason = report.suppressions.get(s.by).map_or("", |b| &b.reason);
                format!("{}      <skipped message=\"{}\"/>\n    </testcase>\n", open(&s.finding), escape(reason))
            })
            .collect();
        suite("suppressed", &cases, 0, 0, cases.len());
    }
    if !report.failures.is_empty() {
        let cases: Vec<String> = report
            .failures
            .iter()
            .map(|f| {
                let hint = f.hint.as_deref().unwrap_or_default();
                format!(
                    "    <testcase classname=\"audit\" name=\"{}\">\n      <error message=\"{}\">{}</error>\n    </testcase>\n",
                    escape(&f.what),
                    escape(&f.message),
                    escape(hint)
                )
            })
            .collect();
        suite("audit", &cases, 0, cases.len(), 0);
    }
    Suites { text: suites, tests }
}

fn open(finding: &Finding) -> String {
    let place = finding.locations.first();
    let place = place.map(|l| format!(" file=\"{}\" line=\"{}\"", escape(&l.file), l.line)).unwrap_or_default();
    format!(
        "    <testcase classname=\"{}\" name=\"{}\"{place}>\n",
        escape(&finding.subject.table.as_ref().map_or_else(|| "database".to_string(), ToString::to_string)),
        escape(&format!("{} {} {}", finding.rule.code(), finding.rule, finding.subject.place()))
    )
}

fn case(finding: &Finding) -> String {
    let mut body: Vec<String> = finding.labels.iter().map(|l| format!("{}: {}", l.place, l.text)).collect();
    let at = |l: &crate::findings::Location| {
        format!("{}:{}:{} {}", l.file, l.line, l.column, l.label).trim_end().to_string()
    };
    body.extend(finding.locations.iter().map(at));
    body.extend([&finding.why, &finding.help].into_iter().filter(|p| !p.is_empty()).cloned());
    body.extend(finding.evidence.iter().map(|e| format!("{};\n{}", e.query, e.returned)));
    if let Some(fix) = finding.fixes.first() {
        body.push(format!("Fix: {}", fix.title));
        body.extend(fix.sql.iter().map(|s| format!("{s};")));
    }
    let body = escape(&body.join("\n"));
    let inner = if finding.severity >= Severity::Warning {
        let message = escape(&finding.message);
        format!("      <failure type=\"{}\" message=\"{message}\">{body}</failure>\n", finding.severity.name())
    } else {
        format!("      <system-out>{}\n{body}</system-out>\n", escape(&finding.message))
    };
    format!("{}{inner}    </testcase>\n", open(finding))
}

/// Escapes text for XML, in an attribute or between tags. What cannot be seen is written out, which leaves little that
/// XML 1.0 (§2.2) has no way to write; that becomes U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Written raw it would become a space in an attribute (XML 1.0 §3.3.3).
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::render::samples;

    /// Checks that a text is well-formed as far as we write it: tags nest, attributes are quoted, nothing is left raw.
    pub(in crate::render) fn assert_well_formed(xml: &str) {
        let mut open: Vec<String> = Vec::new();
        let mut rest = xml;
        while let Some(start) = rest.find('<') {
            let text = &rest[..start];
            assert!(!text.contains('>'), "raw > in {text:?}");
            check_entities(text);
            let end = start + rest[start..].find('>').expect("a tag that ends");
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            if tag.starts_with('?') || tag.starts_with("!--") || tag.starts_with('!') {
                continue;
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "tags nest");
                continue;
            }
            let closed = tag.ends_with('/');
            let tag = tag.trim_end_matches('/');
            let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            let mut attributes = attributes.trim_start();
            while !attributes.is_empty() {
                let (key, value) = attributes.split_once("=\"").unwrap_or_else(|| panic!("attribute in {tag:?}"));
                assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || "-:_".contains(c)), "{key:?}");
                let (value, after) = value.split_once('"').expect("a closing quote");
                assert!(!value.contains('<'), "{value:?}");
                check_entities(value);
                attributes = after.trim_start();
            }
            if !closed {
                open.push(name.to_string());
            }
        }
        assert!(rest.trim().is_empty(), "text after the root: {rest:?}");
        assert!(open.is_empty(), "left open: {open:?}");
        assert!(!xml.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "control character");
    }

    fn check_entities(text: &str) {
        for part in text.split('&').skip(1) {
            let (entity, _) = part.split_once(';').expect("an entity that ends");
            let known = ["amp", "lt", "gt", "quot"].contains(&entity) || entity.starts_with('#');
            assert!(known, "&{entity};");
        }
    }

    #[test]
    fn suites() {
        insta::assert_snapshot!("junit", render(&samples::report()));
    }

    #[test]
    fn document_is_well_formed_whatever_the_names() {
        for report in [samples::report(), samples::clean(), samples::hostile()] {
            assert_well_formed(&render(&report));
        }
    }

    #[test]
    fn counts_add_up() {
        let xml = render(&samples::report());
        assert!(xml.contains("failures=\"6\" errors=\"1\" skipped=\"1\">\n  <testsuite"), "{xml}");
        assert_eq!(xml.matches("<failure ").count(), 6);
        assert_eq!(xml.matches("<error ").count(), 1);
        assert_eq!(xml.matches("<testcase ").count().to_string(), between(&xml, "tests=\"", "\""));
    }

    fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
        let from = text.find(start).expect("start") + start.len();
        &text[from..from + text[from..].find(end).expect("end")]
    }
}
