//! What came of a plan: for a terminal, as a document, as JSON.

use super::json::pretty;
use super::spans::{block, cell, code};
use super::style::{Style, count, tame, wrap, wrap_sql};
use crate::plan::refusals;
use crate::relations::side;
use crate::rules;
use crate::verify::{Answered, Checked, Left, Look, Sought, Verification};

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
        let refuses = if v.refused.is_empty() { "" } else { "; what is refused now and was not before stands below" };
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

/// Says what is refused now and was accepted before.
fn refused(v: &Verification) -> Vec<String> {
    refusals(&v.refused)
}

/// Says what was not looked at, and why.
fn not_looked_at(v: &Verification) -> Vec<String> {
    let rows = v.rows.iter().filter(|l| l.rows.is_none());
    let rows = rows.map(|l| format!("{}: {}", l.what, l.why.as_deref().unwrap_or("the answer is no number")));
    let steps = v.steps.iter().filter(|s| s.done.is_none());
    let steps = steps.map(|s| format!("{}: no query can tell whether it is done", s.title));
    rows.chain(steps).collect()
}

/// Writes for a reader at a terminal.
pub fn text(v: &Verification, style: &Style) -> String {
    let mut out = format!("{}\n", style.bold(&tame(&verdict(v))));
    for step in &v.steps {
        let mark = match step.done {
            Some(true) => "done     ",
            Some(false) => "NOT DONE ",
            None => "unknown  ",
        };
        hang(&mut out, &format!("  {mark}"), &tame(&format!("{}{}", step.title, since(step))), style);
    }
    let refused = refused(v);
    if !refused.is_empty() {
        out.push_str(&format!("\n{REFUSED}\n"));
        refused.iter().for_each(|line| hang(&mut out, "  ", &tame(line), style));
    }
    let apart: Vec<String> = v.rows.iter().filter(|l| l.is_apart() && l.is_right()).filter_map(apart).collect();
    if !apart.is_empty() {
        out.push_str("\nNot part of this plan\n");
        apart.iter().for_each(|line| hang(&mut out, "  ", &tame(line), style));
    }
    if !v.differences.is_empty() {
        out.push_str("\nNot as the plan promised\n");
        for d in &v.differences {
            let line = format!("{}, {}: expected {}, found {}", d.table, d.what, d.expected, d.found);
            hang(&mut out, "  ", &tame(&line), style);
        }
    }
    for (title, lines) in [("Looked at", looked_at(v)), ("Not looked at", not_looked_at(v))] {
        if !lines.is_empty() {
            out.push_str(&format!("\n{title}\n"));
            lines.iter().for_each(|l| hang(&mut out, "  ", &tame(l), style));
        }
    }
    // The plan has shown the others, and why.
    let orphans: Vec<Left> = v.not_fixed.iter().filter(|l| l.rule == rules::orphan_rows::META.id()).cloned().collect();
    for (title, list) in
        [("Still there", &v.remaining), ("New findings", &v.introduced), ("Orphan rows that no step fixes", &orphans)]
    {
        if !list.is_empty() {
            out.push_str(&format!("\n{title}\n"));
            list.iter().for_each(|l| hang(&mut out, "  ", &tame(&left(l)), style));
        }
    }
    for policy in &v.policies {
        out.push_str(&format!("\n{}: {}\n", tame(&policy.question), rows(policy)));
        for line in wrap_sql(&format!("{};", policy.sql), style.width.saturating_sub(2)) {
            out.push_str(&format!("  {}\n", style.dim(&line)));
        }
        policy.sample.iter().for_each(|row| out.push_str(&format!("  {}\n", tame(row))));
    }
    if let Some(d) = &v.delete {
        out.push_str(&format!("\nA delete from {}: {} (before: {})\n", tame(&d.root.to_string()), d.now(), d.before));
        hang(&mut out, "  ", &tame(&d.summary), style);
    }
    out.push('\n');
    hang(&mut out, "", &format!("Schema findings: {}", findings(v)), style);
    out
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

fn rows(policy: &Answered) -> String {
    if policy.rows == 0 { "none".to_string() } else { count(policy.rows, "row") }
}

fn left(l: &Left) -> String {
    format!("{} {}: {}", l.rule, l.place, l.message)
}

fn hang(out: &mut String, first: &str, text: &str, style: &Style) {
    let room = style.width.saturating_sub(first.len()).max(20);
    for (n, line) in wrap(text, room).iter().enumerate() {
        let lead = if n == 0 { first.to_string() } else { " ".repeat(first.len()) };
        out.push_str(&format!("{lead}{line}\n"));
    }
}

/// Writes the document that people write by hand otherwise: what the keys and indexes were and are, and the queries that
/// prove it.
pub fn markdown(source: &str, v: &Verification) -> String {
    let mut out = format!("# Verification of {}\n\n**{}**\n", code(source), cell(&verdict(v)));
    if !v.keys.is_empty() {
        out.push_str(
            "\n## Foreign keys\n\n| Table | Columns | Refers to | Before | After | Why |\n|---|---|---|---|---|---|\n",
        );
        for k in &v.keys {
            let columns = k.columns.join(", ");
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} |\n",
                code(&k.table.to_string()),
                code(&columns),
                code(&k.refers_to),
                cell(&k.before),
                cell(&k.after),
                cell(&k.why)
            ));
        }
    }
    if !v.indexes.is_empty() {
        out.push_str("\n## Indexes\n\n| Index | On | Before | After | Why |\n|---|---|---|---|---|\n");
        let there = |b: bool| if b { "usable" } else { "none" };
        for i in &v.indexes {
            let on = side(&i.table, std::slice::from_ref(&i.parts));
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                code(&i.name),
                code(&on),
                there(i.before),
                there(i.after),
                cell(&i.why)
            ));
        }
    }
    if !v.differences.is_empty() {
        out.push_str("\n## Not as the plan promised\n\n| Table | What | Expected | Found |\n|---|---|---|---|\n");
        for d in &v.differences {
            out.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                code(&d.table.to_string()),
                cell(&d.what),
                cell(&d.expected),
                cell(&d.found)
            ));
        }
    }
    for (title, lines) in [(REFUSED, refused(v)), ("Looked at", looked_at(v)), ("Not looked at", not_looked_at(v))] {
        if !lines.is_empty() {
            out.push_str(&format!("\n## {title}\n\n"));
            lines.iter().for_each(|l| out.push_str(&format!("- {}\n", cell(l))));
        }
    }
    if let Some(d) = &v.delete {
        out.push_str(&format!(
            "\n## A delete from {}\n\n**{}** now, {} before. {}\n",
            code(&d.root.to_string()),
            d.now(),
            d.before,
            cell(&d.summary)
        ));
    }
    out.push_str(&format!("\n## Schema findings\n\n{}\n", findings(v)));
    for (title, list) in
        [("Still there", &v.remaining), ("New", &v.introduced), ("No step of the plan fixes", &v.not_fixed)]
    {
        if !list.is_empty() {
            out.push_str(&format!("\n{title}:\n\n"));
            list.iter()
                .for_each(|l| out.push_str(&format!("- `{}` {}: {}\n", l.rule, code(&l.place), cell(&l.message))));
        }
    }
    if !v.policies.is_empty() {
        out.push_str("\n## Policies\n");
        for p in &v.policies {
            out.push_str(&format!(
                "\n{}: **{}**.\n\n{}",
                cell(&p.question),
                rows(p),
                block("sql", &format!("{};", p.sql))
            ));
            if !p.sample.is_empty() {
                out.push_str(&format!("\n{}", block("text", &p.sample.join("\n"))));
            }
        }
    }
    out.push_str("\n## Steps\n\nEach query returns a row when its step is done.\n");
    for step in &v.steps {
        let state = match step.done {
            Some(true) => "done",
            Some(false) => "not done",
            None => "no query can tell",
        };
        out.push_str(&format!("\n{}: **{state}**.\n", cell(&format!("{}{}", step.title, since(step)))));
        if let Some(sql) = &step.sql {
            out.push_str(&format!("\n{}", block("sql", &format!("{sql};"))));
        }
    }
    out
}
