//! `html`: one page that needs nothing else: no request, no font, no script from elsewhere.

use askama::Template;

use super::document::{Line, Span, html};
use super::graph::{GraphOptions, View, svg};
use super::rest;
use super::style::thousands;
use super::summary::{RuleRow, Summary, by_table, engine, out_of_time, rule_rows};
use super::text::no_statement;
use crate::audit::Report;
use crate::findings::{Finding, Safety};

/// From how many tables on a picture of all relations shows nothing any more.
const PICTURE_LIMIT: usize = 60;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    reports: Vec<Part<'a>>,
}

/// What the page shows of one report.
struct Part<'a> {
    source: &'a str,
    engine: String,
    summary: Summary,
    relations: String,
    rules: Vec<RuleRow>,
    groups: Vec<Group<'a>>,
    /// The picture; escaped already.
    picture: Option<String>,
    /// What was suppressed, what suppresses nothing: escaped already.
    suppressed: String,
    /// What could not be done; escaped already.
    failures: String,
    out_of_time: Option<String>,
    no_statement: &'static str,
}

struct Group<'a> {
    title: String,
    rows: Option<String>,
    findings: Vec<&'a Finding>,
}

/// Writes the page.
pub fn render(report: &Report) -> String {
    page(vec![report])
}

/// Writes one page of several reports, one under the other.
pub fn render_all(reports: &[Report]) -> String {
    page(reports.iter().collect())
}

fn page(reports: Vec<&Report>) -> String {
    let sources: Vec<&str> = reports.iter().map(|r| r.source.as_str()).collect();
    let page = Page { title: sources.join(", "), reports: reports.iter().map(|r| part(r)).collect() };
    // Writing into a String cannot fail, and the template calls nothing that can.
    let mut text = page.render().unwrap_or_default();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn part(report: &Report) -> Part<'_> {
    let summary = Summary::of(report);
    let picture = (summary.tables <= PICTURE_LIMIT && summary.relations.total() > 0)
        .then(|| svg::render(&View::new(&report.schema, &report.relations, &GraphOptions::default())));
    Part {
        source: &report.source,
        engine: engine(report),
        relations: summary.relations.sentence(),
        summary,
        rules: rule_rows(report),
        groups: by_table(&report.findings)
            .into_iter()
            .map(|(table, findings)| Group {
                title: table.map_or_else(|| "The database as a whole".to_string(), ToString::to_string),
                rows: table.and_then(|t| report.schema.table(t)).and_then(|t| t.row_estimate).map(thousands),
                findings,
            })
            .collect(),
        picture,
        suppressed: html::write(&[rest::suppressed(report), rest::unused(report)].concat()),
        failures: html::write(&rest::failures(report)),
        out_of_time: out_of_time(report),
        no_statement: no_statement(report.schema.engine),
    }
}

/// A message; what stands in it in single backticks is code.
fn rich(text: &str) -> String {
    html::inline(&Line::from([Span::Prose(text.to_string())]))
}

fn safety(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "safe",
        Safety::Unsafe => "check the rows first",
        Safety::Manual => "needs your decision",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn page_is_self_contained_and_whole() {
        let page = render(&samples::report());
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        for finding in &samples::report().findings {
            assert!(page.contains(&finding.fingerprint), "{}", finding.rule);
        }
        let rest = page.replace("http://www.w3.org/2000/svg", "").replace("postgres://", "");
        for outside in ["http:", "https:", "src=", "@import", "url(h", "<link"] {
            assert!(!rest.contains(outside), "{outside}");
        }
        assert!(page.contains("<svg "));
    }

    #[test]
    fn backticks_become_code_but_never_markup() {
        assert_eq!(rich("a `b<c` d"), "a <code>b&lt;c</code> d");
        assert_eq!(rich("a `b <i>"), "a `b &lt;i&gt;");
    }

    #[test]
    fn what_is_not_seen_is_written_out_everywhere() {
        let mut report = samples::report();
        let name = "x\u{202e}y\u{200b}\u{1b}z<i>";
        for finding in &mut report.findings {
            finding.subject.table = Some(name.into());
            finding.message = name.to_string();
            finding.evidence.iter_mut().for_each(|e| e.returned = name.to_string());
            finding.labels.iter_mut().for_each(|l| l.place = name.to_string());
            finding.fixes.iter_mut().for_each(|f| f.title = name.to_string());
        }
        report.suppressions.iter_mut().for_each(|s| s.reason = name.to_string());
        report.failures.iter_mut().for_each(|f| f.what = name.to_string());
        report.source = name.to_string();
        let page = render(&report);
        assert!(page.contains("x\\u{202e}y\\u{200b}\\u{1b}z&lt;i&gt;"), "{page}");
        assert!(!page.contains(['\u{202e}', '\u{200b}', '\u{1b}']) && !page.contains("z<i>"), "{page}");
    }

    #[test]
    fn names_stay_text() {
        let page = render(&samples::hostile());
        assert!(!page.contains("<script>alert"), "escaped");
        assert!(!page.contains("we|rd.<t>"), "escaped");
        assert_eq!(page.matches("<script>").count(), 1, "our own");
        let page = render(&samples::clean());
        assert!(page.contains("Nothing found"));
    }
}
