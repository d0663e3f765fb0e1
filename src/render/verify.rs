//! What came of a plan: for a terminal, as a document, as JSON.

use super::document::{self, Block, Document, Form, Item, Lead, Line, Span, Table, plain, prose};
use super::json::pretty;
use super::style::{Style, count};
use crate::plan::refusals;
use crate::relations::side;
use crate::rules;
use crate::verify::{Checked, Left, Look, Sought, Verification};

/// The format's name and version, in the document's first field.
pub const FORMAT: &str = "referee-verification/1";

/// Writes referee's own document.
pub fn json(source: &str, verification: &Verification) -> String {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        format: &'a str,
        source: &'a str,
        #[serde(flatten)]
        verification: &'a Verification,
    }
    pretty(&Document { format: FORMAT, source, verification })
}

/// Says in one sentence how it stands.
fn verdict(v: &Verification) -> String {
    if v.verified {
        let refuses = if v.refused.is_empty() { "" } else { "; newly refused: see below" };
        return format!("Verified: the database is as the plan promised ({}){refuses}", count(v.steps.len(), "step"));
    }
    let mut parts = Vec::new();
    let missing = v.steps.iter().filter(|s| s.done == Some(false)).count();
    if missing > 0 {
        parts.push(format!("{} not done", count(missing, "step")));
    }
    if !v.differences.is_empty() {
        parts.push(count(v.differences.len(), "difference"));
    }
    let since: u64 = v.steps.iter().map(|s| s.rows_since).sum();
    if since > 0 {
        parts.push(format!("{since} new {} since the steps were done", row_noun(since)));
    }
    for look in v.rows.iter().filter(|l| l.promised || !l.is_right()) {
        match look.rows {
            Some(0) => {}
            // The steps say so.
            Some(_) if since > 0 && look.promised => {}
            Some(rows) if !look.promised => {
                let before = look.before.unwrap_or_default();
                parts.push(format!("{rows} {} (before: {before})", look.what.of(rows)));
            }
            Some(rows) => parts.push(format!("{rows} {}", look.what.of(rows))),
            None => parts.push(format!("{} not looked at", look.what)),
        }
    }
    let unknown = v.steps.iter().filter(|s| s.done.is_none()).count();
    if parts.is_empty() && unknown > 0 {
        parts.push(format!("{} that no query can tell of", count(unknown, "step")));
    }
    let broken = v.policies.iter().filter(|p| p.rows > 0).count();
    if broken > 0 {
        parts.push(format!("{} broken", counted(broken, "policy", "policies")));
    }
    if !v.remaining.is_empty() {
        parts.push(format!("{} not fixed", count(v.remaining.len(), "finding")));
    }
    if !v.introduced.is_empty() {
        parts.push(count(v.introduced.len(), "new finding"));
    }
    format!("Not verified: {}", parts.join(", "))
}

/// Writes a number with its noun.
fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Writes `row` or `rows`.
fn row_noun(number: u64) -> &'static str {
    if number == 1 { "row" } else { "rows" }
}

/// Says what was looked at, a line each, and what was found there.
fn looked_at(v: &Verification) -> Vec<String> {
    let differing: std::collections::BTreeSet<_> = v.differences.iter().map(|d| &d.table).collect();
    let mut lines = Vec::new();
    if !v.tables.is_empty() {
        let found = match differing.len() {
            0 => "as planned".to_string(),
            several => format!("{several} not as planned"),
        };
        lines.push(format!("the catalog of {}: {found}", count(v.tables.len(), "table")));
    }
    let asked = v.steps.iter().filter(|s| s.done.is_some()).count();
    if asked > 0 {
        let done = v.steps.iter().filter(|s| s.done == Some(true)).count();
        lines.push(format!("{} own query: {done} done", counted(asked, "step by its", "steps by their")));
    }
    for look in &v.rows {
        let apart = match (look.promised, look.before) {
            (true, _) => String::new(),
            (false, Some(before)) if look.rows.is_some_and(|rows| rows > before) => format!(" (before: {before})"),
            (false, Some(_)) => " (not part of this plan; there before)".to_string(),
            (false, None) => " (not part of this plan)".to_string(),
        };
        match look.rows {
            Some(0) => lines.push(format!("{}: 0", look.what)),
            Some(rows) => lines.push(format!("{}: {rows}{apart}", look.what)),
            None => {}
        }
    }
    lines
}

/// Says what has come of a step since it was done: new rows, or that its backup is gone.
fn since(step: &Checked) -> String {
    match step.rows_since {
        0 if step.backup_dropped => ": done; its backup was dropped, so it can no longer be undone".to_string(),
        0 => String::new(),
        rows => format!(": done, but {rows} new {} since then", row_noun(rows)),
    }
}

/// Says which rows there are that no step is about.
fn apart(look: &Look) -> Option<String> {
    // SQLite's own check finds the same rows again.
    let rows = look.rows.filter(|_| !look.what.is_own_check())?;
    let there = if look.before.is_some() { " (there before)" } else { "" };
    Some(format!("{rows} {}{there}", look.what.of(rows)))
}

/// The title of what is refused now and was not before.
const REFUSED: &str = "Refused now, and not before";

/// Says what was not looked at, and why.
fn not_looked_at(v: &Verification) -> Vec<String> {
    let rows = v.rows.iter().filter(|l| l.rows.is_none());
    let rows = rows.map(|l| format!("{}: {}", l.what, l.why.as_deref().unwrap_or("the answer is no number")));
    let steps = v.steps.iter().filter(|s| s.done.is_none());
    let steps = steps.map(|s| format!("{}: no query can tell whether it is done", s.title));
    rows.chain(steps).collect()
}

/// Says how many findings there were and are, and the same of the rows that were to be cleaned up.
fn findings(v: &Verification) -> String {
    let of = |before: u64, now: u64| match (before, now) {
        (0, 0) => "none.".to_string(),
        (before, now) => format!("{before} before, {now} now."),
    };
    let mut text = of(v.findings_before as u64, v.findings_after as u64);
    let cleaned: Vec<(u64, u64)> =
        v.rows.iter().filter(|l| l.promised).filter_map(|l| Some((l.before?, l.rows?))).collect();
    if !cleaned.is_empty() {
        let orphans =
            v.rows.iter().filter(|l| l.promised && l.before.is_some()).all(|l| matches!(l.what, Sought::Orphans(_)));
        let what = if orphans { "Orphans" } else { "Rows to clean up" };
        text.push_str(&format!(
            " {what}: {}",
            of(cleaned.iter().map(|c| c.0).sum(), cleaned.iter().map(|c| c.1).sum())
        ));
    }
    text
}

/// Writes for a reader at a terminal.
pub fn text(v: &Verification, style: &Style) -> String {
    let steps = v.steps.iter().map(|step| {
        let mark = match step.done {
            Some(true) => "done     ",
            Some(false) => "NOT DONE ",
            None => "unknown  ",
        };
        Item { depth: 0, lead: Lead::Label { column: mark.to_string(), words: mark.to_string() }, line: told(step) }
    });
    let mut report = vec![
        Block::Paragraph(vec![Span::Strong(prose(verdict(v)))]),
        Block::Indented(2, vec![Block::List(steps.collect())]),
    ];
    section(REFUSED, refusals(&v.refused).into_iter().map(prose).collect(), &mut report);
    let apart: Vec<String> = v.rows.iter().filter(|l| l.is_apart() && l.is_right()).filter_map(apart).collect();
    section("Not part of this plan", apart.into_iter().map(prose).collect(), &mut report);
    let differences = v.differences.iter().map(|d| {
        vec![Span::name(&d.table), Span::Prose(format!(", {}: expected {}, found {}", d.what, d.expected, d.found))]
    });
    section("Not as the plan promised", differences.collect(), &mut report);
    found(v, Form::Short, &mut report);
    document::text::write(&report, style)
}

/// Writes the document that people write by hand otherwise: what the keys and indexes were and are, and the queries that
/// prove it.
pub fn markdown(source: &str, v: &Verification) -> String {
    let title = vec![Span::Plain("Verification of ".to_string()), Span::name(source)];
    let mut report = vec![Block::heading(1, title), Block::Paragraph(vec![Span::Strong(prose(verdict(v)))])];
    let mut table = Table::new(&["Table", "Columns", "Refers to", "Before", "After", "Why"]);
    for k in &v.keys {
        let (columns, parent) = (Span::name(k.columns.join(", ")), Span::name(&k.refers_to));
        let names = [vec![Span::name(&k.table)], vec![columns], vec![parent]];
        table.row(names.into_iter().chain([&k.before, &k.after, &k.why].map(prose)));
    }
    tabled("Foreign keys", table, &mut report);
    let mut table = Table::new(&["Index", "On", "Before", "After", "Why"]);
    for i in &v.indexes {
        let there = |there: bool| plain(if there { "usable" } else { "none" });
        let on = side(&i.table, std::slice::from_ref(&i.parts));
        table.row([vec![Span::name(&i.name)], vec![Span::name(on)], there(i.before), there(i.after), prose(&i.why)]);
    }
    tabled("Indexes", table, &mut report);
    let mut table = Table::new(&["Table", "What", "Expected", "Found"]);
    for d in &v.differences {
        table.row(std::iter::once(vec![Span::name(&d.table)]).chain([&d.what, &d.expected, &d.found].map(prose)));
    }
    tabled("Not as the plan promised", table, &mut report);
    section(REFUSED, refusals(&v.refused).into_iter().map(prose).collect(), &mut report);
    found(v, Form::Long, &mut report);
    report.push(Block::heading(2, plain("Steps")));
    report.push(Block::Paragraph(plain("Each query returns a row when its step is done.")));
    for step in &v.steps {
        let state = match step.done {
            Some(true) => "done",
            Some(false) => "not done",
            None => "no query can tell",
        };
        let mut line = told(step);
        line.extend([Span::Plain(": ".to_string()), Span::Strong(plain(state)), Span::Plain(".".to_string())]);
        report.push(Block::Paragraph(line));
        report.extend(step.sql.as_ref().map(|sql| Block::Code { language: "sql", text: format!("{sql};") }));
    }
    document::markdown::write(&report)
}

/// Says what was looked at and found: the same in both.
fn found(v: &Verification, form: Form, report: &mut Document) {
    section("Looked at", looked_at(v).into_iter().map(prose).collect(), report);
    section("Not looked at", not_looked_at(v).into_iter().map(prose).collect(), report);
    // At a terminal the plan has shown the others, and why.
    let shown = |l: &&Left| form == Form::Long || l.rule == rules::orphan_rows::META.id();
    let not_fixed = v.not_fixed.iter().filter(shown).map(left).collect();
    section("Still there", v.remaining.iter().map(left).collect(), report);
    section("New findings", v.introduced.iter().map(left).collect(), report);
    section(
        if form == Form::Short { "Orphan rows that no step fixes" } else { "No step of the plan fixes" },
        not_fixed,
        report,
    );
    if form == Form::Long && !v.policies.is_empty() {
        report.push(Block::heading(2, plain("Policies")));
    }
    for policy in &v.policies {
        let rows = if policy.rows == 0 { "none".to_string() } else { count(policy.rows, "row") };
        let answer = vec![Span::Prose(format!("{}: ", policy.question)), Span::Strong(plain(rows))];
        let mut below = vec![Block::Code { language: "sql", text: format!("{};", policy.sql) }];
        if !policy.sample.is_empty() {
            below.push(Block::Code { language: "text", text: policy.sample.join("\n") });
        }
        report.extend([Block::Gap, Block::Paragraph(answer), Block::Indented(2, below)]);
    }
    if let Some(d) = &v.delete {
        let now = format!(": {} (before: {})", d.now(), d.before);
        let title = vec![Span::Plain("A delete from ".to_string()), Span::name(&d.root), Span::Plain(now)];
        report.push(Block::heading(2, title));
        report.push(Block::Indented(2, vec![Block::Paragraph(prose(&d.summary))]));
    }
    report.extend([Block::Gap, Block::Paragraph(plain(format!("Schema findings: {}", findings(v))))]);
}

/// A title and what stands below it, if anything does.
fn section(title: &str, lines: Vec<Line>, report: &mut Document) {
    if !lines.is_empty() {
        report.extend([Block::heading(2, plain(title)), Block::below(&Lead::None, lines)]);
    }
}

fn tabled(title: &str, table: Table, report: &mut Document) {
    if !table.rows.is_empty() {
        report.extend([Block::heading(2, plain(title)), Block::Table(table)]);
    }
}

fn told(step: &Checked) -> Line {
    prose(format!("{}{}", step.title, since(step)))
}

fn left(l: &Left) -> Line {
    let rule = Span::Code(l.rule.name().to_string());
    vec![rule, Span::Plain(" ".to_string()), Span::name(&l.place), Span::Prose(format!(": {}", l.message))]
}
