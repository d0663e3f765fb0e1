//! `text`: the report for a reader at a terminal.
//!
//! Grouped by table, the database first. A rule's explanation stands in full at its first finding; later ones point
//! there, so that a hundred findings of one rule stay a hundred short entries.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anstyle::AnsiColor;
use comfy_table::{Cell, CellAlignment, Table, presets};

use super::excerpt::{self, Texts};
use super::style::{Style, count, thousands, width, wrap, wrap_sql};
use super::summary::{Summary, by_table, engine, out_of_time, rule_rows};
use crate::audit::Report;
use crate::findings::{Finding, Fix, Label, Safety, Severity};
use crate::schema::{Engine, TableName};
use crate::text::{one_line, with_source};

/// Writes the whole report.
pub fn render(report: &Report, style: &Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    let mut first = First::new();
    let texts = excerpt::texts(&report.history);
    for (table, findings) in by_table(&report.findings) {
        page.heading(report, table);
        for finding in findings {
            page.finding(report, finding, &texts, &mut first);
        }
    }
    page.rest(report);
    page.summary(report);
    page.text()
}

/// Writes one line for each finding, and the summary's last line.
pub fn quiet(report: &Report, style: &Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    for finding in &report.findings {
        let mark = style.severity(finding.severity, style.mark(finding.severity));
        let code = style.dim(finding.rule.code());
        let place = style.bold(&one_line(&finding.subject.place()));
        let at = finding.locations.first().map(|l| format!(" {}:{}", one_line(&l.file), l.line)).unwrap_or_default();
        page.line(format!("{mark} {code} {} {place}{}", finding.rule, style.dim(&at)));
    }
    page.failures(report);
    page.verdict(report);
    page.text()
}

/// Where an explanation stands in full, by rule, word and [`shape`].
type First<'r> = BTreeMap<(&'r str, &'static str, String), String>;

/// Returns an explanation without the names and numbers in it: two of one shape say the same of different objects.
fn shape(text: &str) -> String {
    let prose: Vec<&str> = text.split('`').step_by(2).collect();
    prose.join("`").chars().filter(|c| !c.is_ascii_digit()).collect()
}

struct Page<'s> {
    style: &'s Style,
    lines: Vec<String>,
}

/// Where a finding's text begins, and where the text beside a word such as `Why` begins.
const INDENT: usize = 2;
const BODY: usize = 9;
/// A repair of more statements is not for reading.
const MANY_STATEMENTS: usize = 20;

impl Page<'_> {
    fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|l| !l.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn text(mut self) -> String {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }

    fn room(&self, indent: usize) -> usize {
        self.style.width.saturating_sub(indent).max(20)
    }

    fn heading(&mut self, report: &Report, table: Option<&TableName>) {
        self.blank();
        let name = table.map_or_else(|| "The database as a whole".to_string(), |t| one_line(&t.to_string()));
        let rows = table.and_then(|t| report.schema.table(t)).and_then(|t| t.row_estimate);
        let rows = rows.map(|n| format!("about {} rows", thousands(n))).unwrap_or_default();
        let gap = usize::from(!rows.is_empty());
        let used = width(&name) + width(&rows) + 1 + gap;
        let rule = self.style.rule(self.style.width.saturating_sub(used).max(3));
        let style = self.style;
        let rule = style.dim(&rule);
        let line = if rows.is_empty() {
            format!("{} {rule}", style.bold(&name))
        } else {
            format!("{} {rule} {}", style.bold(&name), style.dim(&rows))
        };
        self.line(line.trim_end().to_string());
        self.blank();
    }

    fn finding<'r>(&mut self, report: &'r Report, finding: &'r Finding, texts: &Texts<'r>, first: &mut First<'r>) {
        let style = self.style;
        let columns = one_line(&finding.subject.columns.join(", "));
        let mark = style.mark(finding.severity);
        let head = format!("{mark} {} {}", finding.rule, finding.rule.code());
        let mut line = format!(
            "{} {} {}",
            style.severity(finding.severity, mark),
            style.severity(finding.severity, finding.rule.name()),
            style.dim(finding.rule.code())
        );
        if !columns.is_empty() && width(&head) + 2 + width(&columns) <= style.width {
            line.push_str(&format!("  {}", style.bold(&columns)));
            self.line(line);
        } else {
            self.line(line);
            for part in wrap(&columns, self.room(INDENT)) {
                self.line(format!("{:INDENT$}{}", "", style.bold(&part)));
            }
        }
        for part in wrap(&finding.message, self.room(INDENT)) {
            self.line(format!("{:INDENT$}{part}", ""));
        }
        let excerpts = excerpt::excerpts(finding, texts, style, INDENT);
        let shown = |number: usize| finding.locations.iter().any(|l| l.shows == Some(number));
        let labels = finding.labels.iter().enumerate().filter(|(number, _)| excerpts.is_empty() || !shown(*number));
        let labels: Vec<&Label> = labels.map(|(_, label)| label).collect();
        self.labels(&labels);
        self.lines.extend(excerpts);
        let mut pointed = None;
        for (word, text) in [("Why", &finding.why), ("Do", &finding.help)].into_iter().filter(|(_, t)| !t.is_empty()) {
            match first.entry((finding.rule.name(), word, shape(text))) {
                Entry::Vacant(entry) => {
                    self.beside(word, &with_source(text, &report.source), false);
                    entry.insert(finding.subject.place());
                }
                // A repair says what to do in SQL; and one pointer to a place is enough.
                Entry::Occupied(entry)
                    if word == "Do" && (!finding.fixes.is_empty() || pointed.as_ref() == Some(entry.get())) => {}
                Entry::Occupied(entry) => {
                    self.beside(word, &format!("as for {}, above", entry.get()), true);
                    pointed = Some(entry.get().clone());
                }
            }
        }
        for evidence in &finding.evidence {
            self.sql("Asked", std::slice::from_ref(&evidence.query));
            self.beside("Answer", &evidence.returned, false);
        }
        self.fixes(report, finding.rule.name(), &finding.fixes);
        self.blank();
    }

    /// The facts of a contradiction, one below the other, so that the eye compares them. A place is named where it changes.
    fn labels(&mut self, labels: &[&Label]) {
        let style = self.style;
        let places: Vec<String> = labels.iter().map(|l| one_line(&l.place)).collect();
        let widest = places.iter().map(|p| width(p)).max().unwrap_or(0);
        let aligned = 4 + widest + 2 + 12 <= style.width;
        let mut named = None;
        for (label, place) in labels.iter().zip(&places) {
            let again = named.replace(place) == Some(place);
            let place = if again { "" } else { place };
            if aligned {
                let indent = 4 + widest + 2;
                for (i, part) in wrap(&label.text, self.room(indent)).into_iter().enumerate() {
                    let part = style.colour(AnsiColor::Magenta, &part);
                    if i == 0 {
                        let gap = widest - width(place) + 2;
                        self.line(format!("    {}{:gap$}{part}", style.colour(AnsiColor::Cyan, place), ""));
                    } else {
                        self.line(format!("{:indent$}{part}", ""));
                    }
                }
            } else {
                if !again {
                    self.line(format!("    {}", style.colour(AnsiColor::Cyan, place)));
                }
                for part in wrap(&label.text, self.room(6)) {
                    self.line(format!("      {}", style.colour(AnsiColor::Magenta, &part)));
                }
            }
        }
    }

    fn beside(&mut self, word: &str, text: &str, faint: bool) {
        let style = self.style;
        for (i, part) in wrap(text, self.room(INDENT + BODY)).into_iter().enumerate() {
            let word = if i == 0 { word } else { "" };
            let gap = BODY - word.len();
            let part = if faint { style.dim(&part) } else { part };
            self.line(format!("{:INDENT$}{}{:gap$}{part}", "", style.dim(word), ""));
        }
    }

    fn sql(&mut self, word: &str, statements: &[String]) {
        let style = self.style;
        let mut word = word;
        for statement in statements {
            let statement = format!("{};", statement.trim_end().trim_end_matches(';'));
            for part in wrap_sql(&statement, self.room(INDENT + BODY)) {
                let gap = BODY - word.len();
                let part = style.colour(AnsiColor::Green, &part);
                self.line(format!("{:INDENT$}{}{:gap$}{part}", "", style.dim(word), ""));
                word = "";
            }
        }
    }

    fn fixes(&mut self, report: &Report, rule: &str, fixes: &[Fix]) {
        let engine = report.schema.engine;
        let Some((fix, others)) = fixes.split_first() else { return };
        let caveat = match fix.safety {
            Safety::Safe => "",
            Safety::Unsafe => " (check the rows first)",
            Safety::Manual => " (needs your decision)",
        };
        self.beside("Fix", &format!("{}{caveat}", fix.title), false);
        if fix.sql.len() > MANY_STATEMENTS {
            let manual = if fix.safety == Safety::Manual { " --manual" } else { "" };
            let command =
                format!("{} statements: `referee fix SOURCE --only {rule}{manual}` plans them", fix.sql.len());
            self.beside("", &with_source(&command, &report.source), true);
        } else if !fix.sql.is_empty() {
            self.sql("", &fix.sql);
        } else if !fix.changes.is_empty() {
            self.beside("", no_statement(engine), true);
        }
        for other in others {
            self.beside("Or", &other.title, false);
        }
    }

    fn rest(&mut self, report: &Report) {
        let style = self.style;
        if !report.suppressed.is_empty() {
            self.blank();
            let what = count(report.suppressed.len(), "finding");
            self.line(style.dim(&format!("{what} suppressed")));
        }
        if !report.unused_suppressions.is_empty() {
            self.blank();
            self.line(style.bold("Suppressions about nothing"));
            for &i in &report.unused_suppressions {
                let Some(s) = report.suppressions.get(i) else { continue };
                let what = super::json::suppression_subject(s);
                self.bullet(&format!("{}: {what}: remove it, or correct what it names", s.origin));
            }
        }
        if let Some(text) = out_of_time(report) {
            self.blank();
            for part in wrap(&text, style.width) {
                self.line(style.severity(Severity::Warning, &part));
            }
        }
        self.failures(report);
    }

    fn failures(&mut self, report: &Report) {
        if report.failures.is_empty() {
            return;
        }
        self.blank();
        let title = "Could not be done; the audit is incomplete";
        self.line(self.style.severity(Severity::Error, title));
        for failure in &report.failures {
            self.bullet(&format!("{}: {}", failure.what, failure.message));
            if let Some(hint) = &failure.hint {
                for part in wrap(hint, self.room(4)) {
                    self.line(format!("    {}", self.style.dim(&part)));
                }
            }
        }
    }

    fn bullet(&mut self, text: &str) {
        for (i, part) in wrap(text, self.room(4)).into_iter().enumerate() {
            let mark = if i == 0 { self.style.dot() } else { " " };
            self.line(format!("  {mark} {part}"));
        }
    }

    fn summary(&mut self, report: &Report) {
        let rows = rule_rows(report);
        if !rows.is_empty() {
            self.blank();
            let title = format!("Summary {}", self.style.rule(self.style.width.saturating_sub(8).max(3)));
            self.line(self.style.bold(&title));
            let mut table = Table::new();
            table.load_style(if self.style.unicode {
                presets::UTF8_HORIZONTAL_ONLY
            } else {
                presets::ASCII_HORIZONTAL_ONLY
            });
            let number = |n: usize| {
                let text = if n == 0 { String::new() } else { thousands(n as u64) };
                Cell::new(text).set_alignment(CellAlignment::Right)
            };
            let right = |text: &str| Cell::new(text).set_alignment(CellAlignment::Right);
            table.set_header(vec![
                Cell::new("Rule"),
                Cell::new("Code"),
                right("Errors"),
                right("Warnings"),
                right("Notes"),
            ]);
            for row in &rows {
                table.add_row(vec![
                    Cell::new(row.rule.name()),
                    Cell::new(row.rule.code()),
                    number(row.errors),
                    number(row.warnings),
                    number(row.infos),
                ]);
            }
            let all = Summary::of(report);
            table.add_row(vec![
                Cell::new("All"),
                Cell::new(""),
                right(&thousands(all.errors as u64)),
                right(&thousands(all.warnings as u64)),
                right(&thousands(all.infos as u64)),
            ]);
            let lines: Vec<String> = table.lines().collect();
            // The library draws a line below every row; one below the header and one above the sum are enough.
            let last = lines.len();
            for (i, line) in lines.iter().enumerate() {
                let is_rule = i % 2 == 0;
                if !is_rule || i == 2 || i + 3 == last {
                    self.line(line.trim_end().to_string());
                }
            }
            self.blank();
            for part in wrap(&checked(report), self.style.width) {
                self.line(part);
            }
            if !report.findings.is_empty() {
                self.line(self.style.dim("`referee explain RULE` tells all about a rule."));
            }
        }
        self.verdict(report);
    }

    fn verdict(&mut self, report: &Report) {
        self.blank();
        let style = self.style;
        let summary = Summary::of(report);
        if report.findings.is_empty() {
            let (mark, colour) = if report.failures.is_empty() {
                (if style.unicode { "✔" } else { "ok:" }, AnsiColor::Green)
            } else {
                (if style.unicode { "▲" } else { "!" }, AnsiColor::Yellow)
            };
            let text = format!("{mark} Nothing found: {}.", checked(report));
            for part in wrap(&text, style.width) {
                self.line(style.colour(colour, &part));
            }
            return;
        }
        let worst = report.findings.iter().map(|f| f.severity).max().unwrap_or(Severity::Info);
        let mark = style.mark(worst);
        for part in wrap(&format!("{mark} {} in {}", summary.severities(), report.source), style.width) {
            self.line(style.severity(worst, &part));
        }
    }
}

fn checked(report: &Report) -> String {
    let summary = Summary::of(report);
    format!(
        "{}, {} checked in {} ({})",
        count(summary.tables, "table"),
        summary.relations.sentence(),
        report.source,
        engine(report)
    )
}

/// Says why a repair has no SQL.
pub(super) fn no_statement(engine: Engine) -> &'static str {
    if engine.facts().alter.rebuilds {
        "no single statement: SQLite needs the table to be rebuilt"
    } else {
        "no single statement makes this change"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Fact, Location, Subject};
    use crate::render::samples;

    fn plain() -> Style {
        Style::default()
    }

    #[test]
    fn no_line_is_wider_than_80_columns() {
        for report in [samples::report(), samples::clean()] {
            for style in [plain(), Style { unicode: false, ..plain() }] {
                for text in [render(&report, &style), quiet(&report, &style)] {
                    for line in text.lines() {
                        assert!(width(line) <= 80, "{} columns: {line}", width(line));
                        assert_eq!(line, line.trim_end(), "space at the end of a line");
                    }
                    if !style.unicode {
                        assert!(text.is_ascii(), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn explanations_are_repeated_only_where_they_differ() {
        let mut report = samples::report();
        let finding = report.findings.iter().find(|f| f.rule.name() == "unindexed-foreign-key").unwrap().clone();
        let named = |table: &str, why: &str| {
            let mut finding = finding.clone().why(why).help(format!("Do it to `{table}`."));
            finding.subject.table = Some(table.into());
            finding.fixes.clear();
            finding.labels.clear();
            finding.label("one", "first").label("one", "second").label("two", "third")
        };
        report.findings = vec![named("a", "`a` has 7."), named("b", "`b` has 12."), named("c", "Something else.")];
        let text = render(&report, &plain());
        assert!(
            text.contains("    one  first\n         second\n    two  third\n  Why      `a` has 7.\n  Do       Do it"),
            "{text}"
        );
        assert!(text.contains("  Why      as for a.product_id, above\n\n"), "{text}");
        assert!(text.contains("  Why      Something else.\n  Do       as for a.product_id, above\n"), "{text}");
    }

    #[test]
    fn a_fact_that_is_seen_in_the_file_hides_no_other_one_of_the_same_words() {
        let mut report = samples::report();
        let text = "CREATE TABLE a (x int NOT NULL);\n".to_string();
        let meta = &crate::rules::unindexed_foreign_key::META;
        let location = Location {
            file: "1.sql".into(),
            line: 1,
            column: 23,
            end_line: 1,
            end_column: 31,
            start: 22,
            end: 30,
            label: "NOT NULL".into(),
            shows: None,
        };
        report.history.files = vec![crate::source::history::File { path: "1.sql".into(), text }];
        report.findings = vec![
            Finding::new(meta, Subject::table(&"a".into()), "Two facts.")
                .fact("a.x", Fact::NotNull, "NOT NULL")
                .fact("b.y", Fact::NotNull, "NOT NULL")
                .at(Some(location.showing(0))),
        ];
        let text = render(&report, &plain());
        assert!(text.contains("1.sql:1:23"), "{text}");
        assert!(text.contains("    b.y  NOT NULL\n") && !text.contains("a.x  NOT NULL"), "{text}");
    }

    #[test]
    fn whole_report() {
        insta::assert_snapshot!("text", render(&samples::report(), &plain()));
    }

    #[test]
    fn quiet_report() {
        insta::assert_snapshot!("quiet", quiet(&samples::report(), &plain()));
    }

    #[test]
    fn clean_report_is_one_sentence() {
        insta::assert_snapshot!("clean", render(&samples::clean(), &plain()));
    }

    #[test]
    fn explanation_of_a_rule_stands_once() {
        let text = render(&samples::report(), &plain());
        assert_eq!(text.matches("Every delete of a row of").count(), 1);
        assert!(text.contains("as for orders.product_id, above"), "{text}");
    }

    #[test]
    fn colours_only_add_escapes() {
        let coloured = render(&samples::report(), &Style { colour: true, ..plain() });
        assert!(coloured.contains('\u{1b}'));
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(stripped, render(&samples::report(), &plain()));
    }

    #[test]
    fn names_cannot_send_escapes_to_the_terminal() {
        let text = render(&samples::hostile(), &plain());
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }
}
