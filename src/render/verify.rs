//! What came of a plan: for a terminal, as a document, as JSON.

use super::json::pretty;
use super::spans::{block, cell, code};
use super::style::{Style, count, tame, wrap, wrap_sql};
use crate::relations::side;
use crate::verify::{Answered, Left, Verification};

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
        return format!("Verified: the database is as the plan promised ({})", count(v.steps.len(), "step"));
    }
    let mut parts = Vec::new();
    let missing = v.steps.iter().filter(|s| s.done == Some(false)).count();
    if missing > 0 {
        parts.push(format!("{} not done", count(missing, "step")));
    }
    if !v.differences.is_empty() {
        parts.push(count(v.differences.len(), "difference"));
    }
    let broken = v.policies.iter().filter(|p| p.rows > 0).count();
    if broken > 0 {
        parts.push(format!("{} broken", count(broken, "policy").replace("policys", "policies")));
    }
    if !v.remaining.is_empty() {
        parts.push(format!("{} not mended", count(v.remaining.len(), "finding")));
    }
    if !v.introduced.is_empty() {
        parts.push(count(v.introduced.len(), "new finding"));
    }
    format!("Not verified: {}", parts.join(", "))
}

/// Writes for a reader at a terminal.
pub fn text(v: &Verification, style: &Style) -> String {
    let mut out = format!("{}\n", style.bold(&verdict(v)));
    for step in &v.steps {
        let mark = match step.done {
            Some(true) => "done     ",
            Some(false) => "NOT DONE ",
            None => "unknown  ",
        };
        hang(&mut out, &format!("  {mark}"), &tame(&step.title), style);
    }
    if !v.differences.is_empty() {
        out.push_str("\nNot as the plan promised\n");
        for d in &v.differences {
            let line = format!("{}, {}: expected {}, found {}", d.table, d.what, d.expected, d.found);
            hang(&mut out, "  ", &tame(&line), style);
        }
    }
    for (title, list) in [("Not mended", &v.remaining), ("New findings", &v.introduced)] {
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
        out.push_str(&format!("\nA delete from {}: {} (before: {})\n", tame(&d.root.to_string()), d.after, d.before));
        hang(&mut out, "  ", &tame(&d.summary), style);
    }
    out.push_str(&format!("\nFindings, rows aside: {} before, {} now\n", v.findings_before, v.findings_after));
    out
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
    let mut out = format!("# Verification of {}\n\n**{}**\n", code(source), verdict(v));
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
    if let Some(d) = &v.delete {
        out.push_str(&format!(
            "\n## A delete from {}\n\n**{}** now, {} before. {}\n",
            code(&d.root.to_string()),
            d.after,
            d.before,
            cell(&d.summary)
        ));
    }
    out.push_str(&format!("\n## Findings\n\n{} before, {} now.\n", v.findings_before, v.findings_after));
    for (title, list) in [("Not mended", &v.remaining), ("New", &v.introduced)] {
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
        out.push_str(&format!("\n{}: **{state}**.\n", cell(&step.title)));
        if let Some(sql) = &step.sql {
            out.push_str(&format!("\n{}", block("sql", &format!("{sql};"))));
        }
    }
    out
}
