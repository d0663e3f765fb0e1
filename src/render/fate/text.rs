//! `text`: the verdict first, then what to do, then table by table why.

use std::collections::BTreeMap;

use anstyle::AnsiColor;

use super::super::style::{Style, count, tame, thousands, width, wrap, wrap_sql};
use super::{Commands, action, blocked, comes_to, fate_word, instead, touched, tree, would};
use crate::change::Change;
use crate::fate::{
    Condition, Counted, Effect, Fate, May, NewlyDeleted, Rank, RelationOutcome, Repair, Repaired, TableFate, Verdict,
    sentences,
};
use crate::relations::side;
use crate::text::argument;

/// More than so many relations are listed in a line each, without reasons and SQL that say the same again and again.
const MANY: usize = 12;
/// So many of many queries are printed.
const QUERIES: usize = 4;

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
pub fn render(fate: &Fate, counted: Option<&[Counted]>, commands: &Commands, style: &Style) -> String {
    let mut lines = Vec::new();
    let sure = fate.promised || !fate.verdict.always_succeeds();
    let (colour, only) =
        if sure { (colour_of(fate.verdict), "") } else { (AnsiColor::Yellow, " by its foreign keys alone") };
    let verdict = style.colour(colour, &format!("{}{only}", fate.verdict.name()));
    let dot = style.dot();
    lines.push(format!("{} {dot} {} {dot} {verdict}", style.bold(&tame(&fate.root.to_string())), fate.engine));
    lines.push(String::new());
    lines.extend(wrap(&sentence(&fate.summary), style.width));
    broken(fate, style, &mut lines);
    assumptions(fate, style, &mut lines);
    blockers(fate, style, &mut lines);
    repair(fate, commands, style, &mut lines);
    what_happens(fate, style, &mut lines);
    impact(fate, counted, style, &mut lines);
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
    format!("{}.", upper(text))
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
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

fn assumptions(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    if fate.assumptions.is_empty() {
        return;
    }
    heading("Not decided by foreign keys", style, lines);
    for assumption in &fate.assumptions {
        hanging(&sentence(&tame(&assumption.text)), "  - ", style, lines);
    }
}

fn blockers(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    let blockers: Vec<_> = fate.blockers().collect();
    if blockers.is_empty() {
        return;
    }
    heading(&format!("In the way: {}", count(blockers.len(), "relation")), style, lines);
    let arrow = if style.unicode { " → " } else { " -> " };
    if blockers.len() > MANY {
        return many_blockers(&blockers, arrow, style, lines);
    }
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

fn many_blockers(blockers: &[&RelationOutcome], arrow: &str, style: &Style, lines: &mut Vec<String>) {
    let kinds = [
        (Effect::Fails, "any row stops the delete with an error of its own"),
        (Effect::Refuses, "any row stops the delete"),
        (Effect::MayFail, "a row stops the delete with an error of its own unless it is gone by then"),
        (Effect::MayRefuse, "a row stops the delete unless it is gone by then"),
    ];
    for (effect, meaning) in kinds {
        let of: Vec<_> = blockers.iter().filter(|b| b.effect == effect).collect();
        if of.is_empty() {
            continue;
        }
        let colour = if matches!(effect, Effect::Refuses | Effect::Fails) { AnsiColor::Red } else { AnsiColor::Yellow };
        hanging(&format!("{}:", upper(meaning)), "  ", style, lines);
        let side = |b: &RelationOutcome| tame(b.path.last().map(String::as_str).unwrap_or_default());
        let widest = of.iter().map(|b| width(&side(b))).max().unwrap_or(0).min(40);
        for blocker in of {
            let name = pad(&side(blocker), widest);
            let way = blocker.path.split_last().map(|(_, way)| way.join(arrow)).unwrap_or_default();
            let below = if way.is_empty() { String::new() } else { format!("  below {}", tame(&way)) };
            let action = pad(action(blocker), 11);
            lines.push(format!("    {}  {action}{below}", style.colour(colour, &name)).trim_end().to_string());
        }
    }
}

fn repair(fate: &Fate, commands: &Commands, style: &Style, lines: &mut Vec<String>) {
    let Some(repair) = &fate.repair else { return };
    if repair.changes.is_empty() {
        if fate.foreign_keys == Some(false) {
            heading("What to do", style, lines);
            let text = "With foreign keys off no key acts: run PRAGMA foreign_keys = ON in every connection.";
            hanging(text, "  ", style, lines);
        } else if repair.guessed.is_empty() {
            heading("What to do", style, lines);
            let below = if shown_conditions(fate).is_empty() { "." } else { ": see the conditions below." };
            let doubted = fate.assumptions.iter().any(|a| a.may.contains(&May::Block));
            let text = match fate.verdict.always_succeeds() {
                true if doubted => {
                    "No change is proposed: no foreign key blocks a delete. What may block it stands above; whether \
                                    another action avoids that is not decided here."
                        .to_string()
                }
                true => "No foreign key blocks a delete; no change is proposed.".to_string(),
                false => format!("No change of actions is proposed{below}"),
            };
            hanging(&text, "  ", style, lines);
        }
        return guessed(repair, commands, style, lines);
    }
    let (automatic, rest): (Vec<_>, Vec<_>) = repair.changes.iter().partition(|c| c.automatic);
    if !automatic.is_empty() {
        let then = after_changes(repair, automatic.len());
        heading(&format!("What to do: {}", tame(&then)), style, lines);
        changes(fate, &automatic, commands, style, lines);
    }
    if !rest.is_empty() {
        let (block, leave): (Vec<_>, Vec<_>) = rest.into_iter().partition(|c| c.blocks);
        for (some, what) in [(block, "You decide"), (leave, "If nothing may stay behind, you decide")] {
            if !some.is_empty() {
                heading(&format!("{what}: {}", count(some.len(), "relation")), style, lines);
                changes(fate, &some, commands, style, lines);
            }
        }
        let first =
            if repair.changes.iter().any(|c| !c.automatic && c.choices.len() > 1) { "first choice" } else { "choice" };
        let changes = if automatic.is_empty() { String::new() } else { "the proposed changes and ".to_string() };
        let text = format!(
            "With {changes}the {first} of each relation: {}. Without your choices: {}.",
            comes_to(repair.if_chosen),
            comes_to(repair.automatic)
        );
        hanging(&text, "  ", style, lines);
    }
    guessed(repair, commands, style, lines);
}

/// Says what the changes that need no decision lead to: `2 proposed changes; deletes stay blocked by orders until you decide`.
fn after_changes(repair: &Repair, automatic: usize) -> String {
    let proposed = count(automatic, "proposed change");
    let open = repair.changes.iter().filter(|c| !c.automatic && c.blocks);
    let mut blockers: Vec<String> = open.map(|c| c.child.to_string()).collect();
    blockers.sort();
    blockers.dedup();
    let more = blockers.len().saturating_sub(QUERIES);
    blockers.truncate(QUERIES);
    blockers.extend((more > 0).then(|| format!("{more} more")));
    match repair.automatic {
        Verdict::Refused | Verdict::Fails if !blockers.is_empty() => {
            format!("{proposed}; deletes stay blocked by {} until you decide", blockers.join(", "))
        }
        verdict => format!("{proposed}, then {}", comes_to(verdict)),
    }
}

/// Names the guesses by which rows would be left behind.
fn guessed(repair: &Repair, commands: &Commands, style: &Style, lines: &mut Vec<String>) {
    if repair.guessed.is_empty() {
        return;
    }
    heading(&format!("Guessed, not planned: {}", count(repair.guessed.len(), "relation")), style, lines);
    for guess in repair.guessed.iter().take(MANY) {
        lines.push(format!("  {:.2}  {}", guess.confidence, tame(&guess.relation)));
    }
    if repair.guessed.len() > MANY {
        lines.push(format!("  and {} more: --format json lists them all", repair.guessed.len() - MANY));
    }
    let (after, known) = repair.without_guesses();
    let without =
        if known == repair.verdict { String::new() } else { format!(" If they are not, {after}{}.", comes_to(known)) };
    let first = repair.guessed.first().map_or("", |g| g.relation.as_str());
    let text = format!(
        "If these guesses are right, rows are left behind as orphans.{without} Accept what is right, and it is planned as well:"
    );
    hanging(&text, "  ", style, lines);
    lines.push(format!("    {} --accept {}", commands.infer, argument(first)));
}

fn changes(fate: &Fate, changes: &[&Repaired], commands: &Commands, style: &Style, lines: &mut Vec<String>) {
    if changes.len() <= MANY {
        return changes.iter().for_each(|c| change(fate, c, commands, style, lines));
    }
    let side = |c: &Repaired| width(&tame(c.path.last().map(String::as_str).unwrap_or_default()));
    let widest = changes.iter().map(|c| side(c)).max().unwrap_or(0).min(40);
    lines.extend(changes.iter().map(|c| what_changes(c, widest, style)));
    let newly: Vec<&NewlyDeleted> =
        changes.iter().flat_map(|c| &c.newly_deletes).filter(|n| n.from.contains(&fate.root)).collect();
    let mut tables: Vec<String> = newly.iter().flat_map(|n| &n.tables).map(ToString::to_string).collect();
    tables.sort();
    tables.dedup();
    if !tables.is_empty() {
        let text = format!("A delete from {} newly deletes rows of {}.", fate.root, tables.join(", "));
        hanging(&tame(&text), "  ", style, lines);
    }
    let command = commands.root(&fate.root);
    hanging(&format!("Reasons, choices and SQL: `{command}`, or --format markdown here."), "  ", style, lines);
}

fn what_changes(change: &Repaired, widest: usize, style: &Style) -> String {
    let arrow = if style.unicode { "→" } else { "->" };
    let side = change.path.last().map(String::as_str).unwrap_or_default();
    let from = change.from.map_or("no key", |a| a.sql());
    let drops = change.changes.iter().any(|c| matches!(c, Change::SetNullable { .. }));
    let to = match change.to {
        // An arrow to an action reads like advice.
        _ if change.decide && !change.automatic => format!(" {arrow} you decide"),
        Some(_) if drops => ", drop NOT NULL".to_string(),
        Some(to) => format!(" {arrow} {to}"),
        None => String::new(),
    };
    let mark = mark(change);
    let mark = if mark.is_empty() { String::new() } else { format!("  ({mark})") };
    format!("  {}  {from}{to}{mark}", pad(&tame(side), widest))
}

/// Says how a change stands to decisions.
pub(super) fn mark(change: &Repaired) -> &'static str {
    match (change.automatic, change.decide) {
        (true, _) => "",
        (false, true) => "",
        (false, false) => "follows from a decision",
    }
}

fn change(fate: &Fate, change: &Repaired, commands: &Commands, style: &Style, lines: &mut Vec<String>) {
    lines.push(what_changes(change, 0, style));
    hanging(&tame(&sentence(&change.reason)), "    ", style, lines);
    // Where a person decides, each choice says what it newly deletes.
    let open = change.decide && !change.automatic;
    for newly in sentences(&change.newly_deletes).into_iter().filter(|_| !open) {
        let marked = style.colour(AnsiColor::Red, "Newly deleted:");
        hanging(&format!("{marked} {}.", tame(&newly)), "    ", style, lines);
    }
    if !change.automatic {
        let place = side(&change.child, &change.columns);
        for choice in &change.choices {
            lines.push(format!("    {}", tame(&commands.choose(&fate.root, &place, &choice.word))));
            hanging(&tame(&format!("{}.", choice.does)), "      ", style, lines);
        }
        return;
    }
    for sql in &change.sql {
        let wrapped = wrap_sql(&format!("{sql};"), style.width.saturating_sub(4));
        lines.extend(wrapped.into_iter().map(|l| style.dim(&format!("    {l}"))));
    }
    if change.sql.is_empty() && fate.engine.facts().alter.rebuilds {
        lines.push(style.dim("    (SQLite makes this change by rebuilding the table)"));
    }
}

fn what_happens(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    let replaced = fate.assumptions.iter().find(|a| {
        a.table == fate.root && a.stops_every_delete() && matches!(a.may.first(), Some(May::Skip | May::Replace))
    });
    let title = replaced.map_or("What happens".to_string(), |a| format!("If the {} were disabled", a.kind.word()));
    heading(&title, style, lines);
    lines.push(format!("  {}  {}", tame(&fate.root.to_string()), would(fate, "deleted")));
    let tree = tree(fate);
    let name = |depth: usize, side: &str| format!("  {}{}", "  ".repeat(depth + 1), tame(side));
    let side = |path: &[String]| path.last().cloned().unwrap_or_default();
    let widest = tree.iter().map(|(d, r)| width(&name(*d, &side(&r.path)))).max().unwrap_or(0).min(44);
    for (depth, relation) in tree {
        let effect = match relation.effect {
            Effect::Deletes => style.colour(AnsiColor::Red, &would(fate, "deleted")),
            Effect::Nulls => style.colour(AnsiColor::Blue, &would(fate, "set to NULL")),
            Effect::SetsDefault => style.colour(AnsiColor::Blue, &would(fate, "set to the default")),
            Effect::Refuses => style.colour(AnsiColor::Green, "refuses"),
            Effect::MayRefuse => style.colour(AnsiColor::Yellow, "may refuse"),
            Effect::Fails => style.colour(AnsiColor::Red, "fails"),
            Effect::MayFail => style.colour(AnsiColor::Yellow, "may fail"),
            Effect::Harmless => "harmless".to_string(),
            Effect::Shadowed => "has no effect".to_string(),
            Effect::LeavesOrphans => style.colour(AnsiColor::Yellow, "orphaned"),
        };
        let effect = match instead(fate, relation) {
            Some(text) => style.colour(AnsiColor::Yellow, &tame(&text)),
            None => effect,
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

fn impact(fate: &Fate, counted: Option<&[Counted]>, style: &Style, lines: &mut Vec<String>) {
    let Some(counted) = counted else { return };
    heading("Rows", style, lines);
    let asked = counted.iter().any(|c| c.deleted.is_some());
    match blocked(counted) {
        Some(by) if asked => {
            let doubted = by.starts_with("no row") && fate.assumptions.iter().any(|a| a.may.contains(&May::Block));
            let only = if doubted { ", as far as foreign keys decide it" } else { "" };
            hanging(&tame(&format!("Blocked by: {by}{only}")), "  ", style, lines);
        }
        Some(_) => {
            let mut tables: Vec<String> =
                counted.iter().filter(|c| !c.blocking.is_empty()).map(|c| c.table.to_string()).collect();
            tables.sort();
            let text = format!("Rows that block: not counted ({}); --count counts them", tables.join(", "));
            hanging(&tame(&text), "  ", style, lines);
        }
        None => {}
    }
    let widest = counted.iter().map(|c| width(&c.table.to_string())).max().unwrap_or(0);
    for table in counted {
        let mut parts = Vec::new();
        for (number, word) in [
            (table.deleted, "deleted"),
            (table.updated, "updated"),
            (table.orphaned, "orphaned"),
            // Nothing more than before is worth a word only where there is no other.
            (table.newly_deleted.filter(|n| *n > 0 || table.deleted.is_none()), "newly deleted by the changes"),
        ] {
            parts.extend(number.map(|n| format!("{} {word}", thousands(n))));
        }
        for blocking in &table.blocking {
            parts.push(match blocking.rows {
                Some(rows) => format!("{} blocking by {}", thousands(rows), tame(&blocking.relation)),
                None => format!("blocking by {}: not counted", tame(&blocking.relation)),
            });
        }
        if let Some(why) = &table.uncounted {
            lines.push(format!("  {}", pad(&tame(&table.table.to_string()), widest)));
            hanging(&format!("not counted: {}", tame(why)), "    ", style, lines);
            continue;
        }
        if !asked || parts.is_empty() {
            let of = table.estimate.map(|n| format!(", of about {}", thousands(n))).unwrap_or_default();
            parts = vec![format!("not counted{of}")];
        }
        lines.push(format!("  {}  {}", pad(&tame(&table.table.to_string()), widest), parts.join(", ")));
    }
}

/// Returns the conditions that are worth their query: where any row of a relation refuses, the relation in the way says it all.
fn shown_conditions(fate: &Fate) -> Vec<&Condition> {
    let depends = matches!(fate.verdict, Verdict::DependsOnData | Verdict::DependsOnOrder);
    let said = |c: &Condition| fate.blockers().any(|b| b.path.last() == Some(&c.relation));
    fate.conditions.iter().filter(|c| depends || !said(c)).collect()
}

fn conditions(fate: &Fate, style: &Style, lines: &mut Vec<String>) {
    let conditions = shown_conditions(fate);
    if conditions.is_empty() {
        return;
    }
    let title =
        if conditions.len() < fate.conditions.len() { "It stops at these rows, too" } else { "It stops at these rows" };
    heading(title, style, lines);
    let few = conditions.len() <= MANY;
    let shown = if few { conditions.len() } else { QUERIES };
    for condition in &conditions[..shown] {
        hanging(&sentence(&condition.rows), "  - ", style, lines);
        for line in condition.sql.iter().flat_map(|sql| wrap_sql(&format!("{sql};"), style.width.saturating_sub(4))) {
            lines.push(style.dim(&format!("    {line}")));
        }
    }
    if !few {
        let more = conditions.len() - shown;
        hanging(&format!("and {more} more, each with its query: --format markdown."), "  - ", style, lines);
    }
}

/// Writes the ranking of all tables.
pub fn ranking(ranks: &[Rank], commands: &Commands, style: &Style) -> String {
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
        if rank.assumptions > 0 {
            parts.push(format!("{} not judged", count(rank.assumptions, "trigger or rule")));
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
    } else {
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        ranks.iter().for_each(|r| *counts.entry(r.verdict).or_default() += 1);
        let each: Vec<String> = counts.iter().rev().map(|(verdict, n)| format!("{n} {}", verdict.name())).collect();
        lines.push(String::new());
        let text = format!(
            "{}: {}. `{} TABLE` says why, and what to do.",
            count(ranks.len(), "table"),
            each.join(", "),
            commands.fate
        );
        hanging(&text, "", style, &mut lines);
    }
    lines.join("\n") + "\n"
}

/// Names what a table's rows meet, as the picture and the document write it.
pub(super) fn word(fate: TableFate) -> &'static str {
    fate_word(fate)
}
