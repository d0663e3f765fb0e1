//! `text`: the verdict first, then what to do, then table by table why.

use anstyle::AnsiColor;

use super::super::style::{Style, count, tame, thousands, width, wrap, wrap_sql};
use super::{action, fate_word, touched, tree};
use crate::fate::{Counted, Effect, Fate, Rank, Repaired, TableFate, Verdict};
use crate::schema::Engine;

fn colour_of(verdict: Verdict) -> AnsiColor {
    match verdict {
        Verdict::Complete => AnsiColor::Green,
        Verdict::LeavesRows => AnsiColor::Blue,
        Verdict::LeavesOrphans | Verdict::DependsOnData | Verdict::DependsOnOrder => AnsiColor::Yellow,
        Verdict::Refused | Verdict::Fails => AnsiColor::Red,
    }
}

fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Writes the fate of one table's rows.
pub fn render(fate: &Fate, counted: Option<&[Counted]>, style: &Style) -> String {
    let mut lines = Vec::new();
    let verdict = style.colour(colour_of(fate.verdict), fate.verdict.name());
    let dot = style.dot();
    lines.push(format!("{} {dot} {} {dot} {verdict}", style.bold(&tame(&fate.root.to_string())), fate.engine));
    lines.push(String::new());
    lines.extend(wrap(&sentence(&fate.summary), style.width));
    broken(fate, style, &mut lines);
    blockers(fate, style, &mut lines);
    repair(fate, style, &mut lines);
    what_happens(fate, style, &mut lines);
    impact(counted, style, &mut lines);
    conditions(fate, style, &mut lines);
    if !fate.notes.is_empty() {
        heading("Good to know", style, &mut lines);
        for note in &fate.notes {
            hanging(&sentence(note), "  - ", style, &mut lines);
        }
    }
    lines.join("\n") + "\n"
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

fn heading(text: &str, style: &Style, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(style.bold(text));
}

fn hanging(text: &str, first: &str, style: &Style, lines: &mut Vec<String>) {
    let room = style.width.saturating_sub(first.len()).max(20);
    for (i, line) in wrap(text, room).into_iter().enumerate() {
        let indent = if i == 0 { first.to_string() } else { " ".repeat(first.len()) };
        lines.push(format!("{indent}{line}"));
    }
}

fn broken(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    if fate.broken.is_empty() {
        return;
    }
    heading("This breaks what referee.toml demands", style, lines);
    for broken in &fate.broken {
        let name = style.colour(AnsiColor::Red, broken.demand.name());
        hanging(&format!("{name}: {}.", tame(&broken.text)), "  - ", style, lines);
    }
}

fn blockers(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    let blockers: Vec<_> = fate.blockers().collect();
    if blockers.is_empty() {
        return;
    }
    heading(&format!("In the way: {}", count(blockers.len(), "relation")), style, lines);
    let arrow = if style.unicode { " → " } else { " -> " };
    for blocker in blockers {
        let side = blocker.path.last().map(String::as_str).unwrap_or_default();
        let mark =
            if matches!(blocker.effect, Effect::Refuses | Effect::Fails) { AnsiColor::Red } else { AnsiColor::Yellow };
        lines.push(format!("  {}", style.colour(mark, &tame(side))));
        hanging(&sentence(&blocker.reason), "    ", style, lines);
        if blocker.path.len() > 1 {
            let path = format!("{}{arrow}{}", fate.root, blocker.path.join(arrow));
            hanging(&format!("on the path {path}"), "    ", style, lines);
        }
    }
}

fn repair(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    let Some(repair) = &fate.repair else { return };
    if repair.changes.is_empty() {
        heading("What to do", style, lines);
        hanging("No change of actions makes it better: see the conditions below.", "  ", style, lines);
        return;
    }
    let (block, leave): (Vec<_>, Vec<_>) = repair.changes.iter().partition(|c| c.blocks);
    let then = format!("then the verdict is {}", repair.verdict);
    if !block.is_empty() {
        let end = if leave.is_empty() { format!(", {then}") } else { " make every delete succeed".to_string() };
        heading(&format!("What to do: {}{end}", count(block.len(), "change")), style, lines);
        block.into_iter().for_each(|c| change(fate, c, style, lines));
    }
    if !leave.is_empty() {
        let text = format!("If nothing may stay behind: {}, {then}", count(leave.len(), "more change"));
        heading(&text, style, lines);
        leave.into_iter().for_each(|c| change(fate, c, style, lines));
    }
}

fn change(fate: &Fate, change: &Repaired, style: &Style, lines: &mut Vec<String>) {
    let arrow = if style.unicode { "→" } else { "->" };
    let side = change.path.last().map(String::as_str).unwrap_or_default();
    let from = change.from.map_or("no key", |a| a.sql());
    let choice = if change.decide { "  (decide)" } else { "" };
    lines.push(format!("  {}  {from} {arrow} {}{choice}", tame(side), change.to));
    let other = change.recommended != change.to && !change.decide;
    let advice = if other { format!(" {} would suit it better.", change.recommended) } else { String::new() };
    hanging(&format!("{}{advice}", sentence(&change.reason)), "    ", style, lines);
    for sql in &change.sql {
        let wrapped = wrap_sql(&format!("{sql};"), style.width.saturating_sub(4));
        lines.extend(wrapped.into_iter().map(|l| style.dim(&format!("    {l}"))));
    }
    if change.sql.is_empty() && fate.engine == Engine::Sqlite {
        lines.push(style.dim("    (SQLite makes this change by rebuilding the table)"));
    }
}

fn what_happens(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    heading("What happens", style, lines);
    lines.push(format!("  {}  deleted", tame(&fate.root.to_string())));
    let tree = tree(fate);
    let name = |depth: usize, side: &str| format!("  {}{}", "  ".repeat(depth + 1), tame(side));
    let side = |path: &[String]| path.last().cloned().unwrap_or_default();
    let widest = tree.iter().map(|(d, r)| width(&name(*d, &side(&r.path)))).max().unwrap_or(0).min(44);
    for (depth, relation) in tree {
        let effect = match relation.effect {
            Effect::Deletes => style.colour(AnsiColor::Red, "deleted"),
            Effect::Nulls => style.colour(AnsiColor::Blue, "set to NULL"),
            Effect::SetsDefault => style.colour(AnsiColor::Blue, "set to the default"),
            Effect::Refuses => style.colour(AnsiColor::Green, "refuses"),
            Effect::MayRefuse => style.colour(AnsiColor::Yellow, "may refuse"),
            Effect::Fails => style.colour(AnsiColor::Red, "fails"),
            Effect::MayFail => style.colour(AnsiColor::Yellow, "may fail"),
            Effect::Harmless => "harmless".to_string(),
            Effect::Shadowed => "has no effect".to_string(),
            Effect::LeavesOrphans => style.colour(AnsiColor::Yellow, "orphaned"),
        };
        let order = if relation.order_decides { " (the order decides)" } else { "" };
        lines.push(format!(
            "{}  {}  {effect}{order}",
            pad(&name(depth, &side(&relation.path)), widest),
            pad(action(relation), 11)
        ));
    }
    let untouched = fate.tables.len() - touched(fate).len();
    if untouched > 0 {
        lines.push(style.dim(&format!("  {} untouched", count(untouched, "table"))));
    }
}

fn impact(counted: Option<&[Counted]>, style: &Style, lines: &mut Vec<String>) {
    let Some(counted) = counted else { return };
    heading("Rows", style, lines);
    let widest = counted.iter().map(|c| width(&c.table.to_string())).max().unwrap_or(0);
    for table in counted {
        let mut parts = Vec::new();
        for (number, word) in [(table.deleted, "deleted"), (table.updated, "updated"), (table.orphaned, "orphaned")] {
            parts.extend(number.map(|n| format!("{} {word}", thousands(n))));
        }
        if let (true, Some(estimate)) = (parts.is_empty(), table.estimate) {
            parts.push(format!("of about {}", thousands(estimate)));
        }
        lines.push(format!("  {}  {}", pad(&tame(&table.table.to_string()), widest), parts.join(", ")));
    }
}

fn conditions(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    // Where any row refuses, the relations above say it all.
    let wanted = |v: Verdict| matches!(v, Verdict::DependsOnData | Verdict::DependsOnOrder);
    if fate.conditions.is_empty() || !wanted(fate.verdict) {
        return;
    }
    heading("It stops at these rows", style, lines);
    for condition in &fate.conditions {
        hanging(&sentence(&condition.rows), "  - ", style, lines);
        for line in condition.sql.iter().flat_map(|sql| wrap_sql(&format!("{sql};"), style.width.saturating_sub(4))) {
            lines.push(style.dim(&format!("    {line}")));
        }
    }
}

/// Writes the ranking of all tables.
pub fn ranking(ranks: &[Rank], style: &Style) -> String {
    let mut lines = Vec::new();
    let widest = ranks.iter().map(|r| width(&r.table.to_string())).max().unwrap_or(0);
    for rank in ranks {
        let mut parts = Vec::new();
        if rank.blockers > 0 {
            parts.push(format!("{} in the way", count(rank.blockers, "relation")));
        }
        if let Some(today) = rank.today {
            parts.push(format!("today {today}"));
        }
        if rank.deleted > 0 {
            parts.push(format!("takes rows of {}", count(rank.deleted, "table")));
        }
        if !rank.broken.is_empty() {
            let names: Vec<&str> = rank.broken.iter().map(|d| d.name()).collect();
            parts.push(format!("breaks {}", names.join(", ")));
        }
        let verdict = style.colour(colour_of(rank.verdict), &pad(rank.verdict.name(), 16));
        let line = format!("{}  {verdict}  {}", pad(&tame(&rank.table.to_string()), widest), parts.join(", "));
        lines.push(line.trim_end().to_string());
    }
    if lines.is_empty() {
        lines.push("no tables".to_string());
    }
    lines.join("\n") + "\n"
}

/// Names what a table's rows meet, as the picture and the document write it.
pub(super) fn word(fate: TableFate) -> &'static str {
    fate_word(fate)
}
