//! `markdown`: a document for people.

use super::super::spans::{block, cell, code, plain};
use super::text::{mark, word};
use super::{Commands, action, blocked, comes_to, instead, kept_by, touched, tree, would};
use crate::fate::{Counted, Fate, Rank, TableFate, sentences};
use crate::relations::side;
use crate::schema::Engine;

/// Writes the document.
pub fn render(fate: &Fate, counted: Option<&[Counted]>, commands: &Commands) -> String {
    let mut out = format!(
        "# Deleting from {}: {}\n\n{}: {}.\n",
        code(&fate.root.to_string()),
        fate.verdict,
        fate.engine,
        plain(&fate.summary)
    );
    if let Some(today) = fate.today {
        out.push_str(&format!("\nWith today's order: {today}.\n"));
    }
    if !fate.broken.is_empty() {
        out.push_str("\n## This breaks what referee.toml demands\n\n");
        fate.broken.iter().for_each(|b| out.push_str(&format!("- {}: {}\n", code(b.demand.name()), plain(&b.text))));
    }
    if !fate.assumptions.is_empty() {
        out.push_str("\n## Not decided by foreign keys\n\n");
        fate.assumptions.iter().for_each(|a| out.push_str(&format!("- {}\n", plain(&a.text))));
    }
    let blockers: Vec<_> = fate.blockers().collect();
    if !blockers.is_empty() {
        out.push_str("\n## In the way\n\n| Relation | Path | Why |\n|---|---|---|\n");
        for b in blockers {
            let path: Vec<String> =
                std::iter::once(fate.root.to_string()).chain(b.path.iter().cloned()).map(|p| code(&p)).collect();
            let side = b.path.last().map(String::as_str).unwrap_or_default();
            out.push_str(&format!("| {} | {} | {} |\n", code(side), path.join(" → "), cell(&b.reason)));
        }
    }
    if let Some(repair) = fate.repair.as_ref().filter(|r| !r.changes.is_empty()) {
        let decisions = match repair.changes.iter().all(|c| c.automatic) {
            true => String::new(),
            false => format!(" Without your choices: {}.", comes_to(repair.automatic)),
        };
        out.push_str(&format!(
            "\n## What to do\n\nWith all changes, and the first choice where you decide: {}.{decisions}\n\n\
             | Relation | From | To | Why | Newly deleted |\n|---|---|---|---|---|\n",
            comes_to(repair.if_chosen)
        ));
        for c in &repair.changes {
            let relation = c.path.last().map(String::as_str).unwrap_or_default();
            let from = c.from.map_or("no key", |a| a.sql());
            let decide = c.decide && !c.automatic;
            let to = if decide { "you decide" } else { c.to.map_or("?", |a| a.sql()) };
            let mark = mark(c);
            let mark = if mark.is_empty() { String::new() } else { format!(" ({mark})") };
            // Where a person decides, each choice says what it newly deletes.
            let newly = if decide { String::new() } else { cell(&sentences(&c.newly_deletes).join("; ")) };
            out.push_str(&format!("| {} | {from} | {to}{mark} | {} | {newly} |\n", code(relation), cell(&c.reason)));
        }
        for c in repair.changes.iter().filter(|c| !c.automatic && !c.choices.is_empty()) {
            let place = side(&c.child, &c.columns);
            out.push_str(&format!("\nYour choices for {}:\n\n", code(&place)));
            for choice in &c.choices {
                let option = code(&commands.choose(&fate.root, &place, &choice.word));
                out.push_str(&format!("- {option}: {}\n", plain(&choice.does)));
            }
        }
        let automatic = repair.changes.iter().filter(|c| c.automatic);
        let sql: Vec<String> = automatic.flat_map(|c| &c.sql).map(|s| format!("{s};")).collect();
        if !sql.is_empty() {
            out.push_str(&format!("\n{}", block("sql", &sql.join("\n"))));
        }
    }
    if let Some(repair) = fate.repair.as_ref().filter(|r| !r.guessed.is_empty()) {
        out.push_str("\n## Guessed, not planned\n\n| Relation | Confidence |\n|---|--:|\n");
        for guess in &repair.guessed {
            out.push_str(&format!("| {} | {:.2} |\n", code(&guess.relation), guess.confidence));
        }
        let (after, known) = repair.without_guesses();
        out.push_str(&format!(
            "\nIf these guesses are right, rows are left behind as orphans. If they are not, {after}{}.\n",
            comes_to(known)
        ));
    }
    out.push_str("\n## Tables\n\n| Table | Fate |\n|---|---|\n");
    for t in touched(fate) {
        let fated = match t.fate {
            _ if kept_by(fate, &t.table, "DELETE").is_some() => "stays".to_string(),
            TableFate::Deleted | TableFate::Updated => would(fate, word(t.fate)),
            other => word(other).to_string(),
        };
        out.push_str(&format!("| {} | {fated} |\n", code(&t.table.to_string())));
    }
    out.push_str("\n## Relations\n\n");
    for (depth, r) in tree(fate) {
        let side = r.path.last().map(String::as_str).unwrap_or_default();
        let effect = instead(fate, r).map_or_else(|| r.effect.name().to_string(), |text| plain(&text));
        out.push_str(&format!("{}- {} ({}): {effect}\n", "  ".repeat(depth), code(side), action(r)));
    }
    if let Some(counted) = counted {
        out.push_str("\n## Rows\n\n");
        let asked = counted.iter().any(|c| c.deleted.is_some());
        if let Some(by) = blocked(counted).filter(|_| asked) {
            out.push_str(&format!("Blocked by: {}.\n\n", plain(&by)));
        }
        out.push_str("| Table | Deleted | Updated | Orphaned | Blocking | Newly deleted by the changes | Estimate |\n|---|--:|--:|--:|--:|--:|--:|\n");
        for c in counted {
            let name = code(&c.table.to_string());
            // What cannot happen to the table has a dash; what was not looked at says so.
            let number = |n: Option<u64>| match n {
                Some(n) => n.to_string(),
                None if !asked || c.uncounted.is_some() => "not counted".to_string(),
                None => "–".to_string(),
            };
            let blocking: Vec<String> =
                c.blocking.iter().map(|b| b.rows.map_or("not counted".to_string(), |rows| rows.to_string())).collect();
            let blocking = if blocking.is_empty() { "–".to_string() } else { blocking.join(" + ") };
            out.push_str(&format!(
                "| {name} | {} | {} | {} | {blocking} | {} | {} |\n",
                number(c.deleted),
                number(c.updated),
                number(c.orphaned),
                c.newly_deleted.map_or("–".to_string(), |n| n.to_string()),
                c.estimate.map_or("unknown".to_string(), |n| n.to_string())
            ));
        }
    }
    if !fate.conditions.is_empty() {
        out.push_str("\n## Rows that stop it\n");
        for c in &fate.conditions {
            out.push_str(&format!("\n{}\n", plain(&c.rows)));
            if let Some(sql) = &c.sql {
                out.push_str(&format!("\n{}", block("sql", &format!("{sql};"))));
            }
        }
    }
    if !fate.notes.is_empty() {
        out.push_str("\n## Good to know\n\n");
        fate.notes.iter().for_each(|n| out.push_str(&format!("- {}\n", plain(n))));
    }
    out
}

/// Writes the ranking of all tables.
pub fn ranking(engine: Engine, ranks: &[Rank]) -> String {
    let mut out = format!(
        "# What a delete comes to, table by table ({engine})\n\n| Table | Verdict | Today | In the way | Tables that lose rows |\n|---|---|---|--:|--:|\n"
    );
    for r in ranks {
        let today = r.today.map(|t| t.name()).unwrap_or_default();
        out.push_str(&format!(
            "| {} | {} | {today} | {} | {} |\n",
            code(&r.table.to_string()),
            r.verdict,
            r.blockers,
            r.deleted
        ));
    }
    out
}
