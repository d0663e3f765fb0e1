//! `text`: the verdict first, then what to do, then table by table why.

use super::super::document::{self, Block, Document, Lead, Line, Span, Table, Tone, plain, prose};
use super::super::style::{Style, count, thousands};
use super::{Commands, action, blocked, comes_to, instead, padded, tone, touched, tree, would};
use crate::change::Change;
use crate::fate::{
    Condition, Counted, Effect, Fate, May, NewlyDeleted, RelationOutcome, Repair, Repaired, Verdict, sentences,
};
use crate::relations::side;
use crate::text::argument;

/// More than so many relations are listed in a line each, without reasons and SQL that say the same again and again.
const MANY: usize = 12;
/// So many of many queries are printed.
const QUERIES: usize = 4;
/// The columns that an action takes.
const ACTION: usize = 11;

/// Writes the fate of one table's rows.
pub fn render(fate: &Fate, counted: Option<&[Counted]>, commands: &Commands, style: &Style) -> String {
    let sure = fate.promised || !fate.verdict.always_succeeds();
    let (tone, only) = if sure { (tone(fate.verdict), "") } else { (Tone::Doubt, " by its foreign keys alone") };
    let dot = style.dot();
    let mut report = vec![
        Block::Paragraph(vec![
            Span::Strong(vec![Span::name(&fate.root)]),
            Span::Plain(format!(" {dot} {} {dot} ", fate.engine)),
            Span::Toned(tone, plain(format!("{}{only}", fate.verdict.name()))),
        ]),
        Block::Gap,
        Block::Paragraph(prose(sentence(&fate.summary))),
    ];
    broken(fate, &mut report);
    assumptions(fate, &mut report);
    blockers(fate, style, &mut report);
    repair(fate, commands, style, &mut report);
    what_happens(fate, &mut report);
    impact(fate, counted, &mut report);
    conditions(fate, &mut report);
    notes(fate, &mut report);
    document::text::write(&report, style)
}

fn sentence(text: &str) -> String {
    format!("{}.", upper(text))
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}

fn heading(text: impl Into<String>) -> Block {
    Block::heading(2, plain(text))
}

/// A paragraph below a title.
fn below(by: usize, line: Line) -> Block {
    Block::Indented(by, vec![Block::Paragraph(line)])
}

/// Says which demands of `referee.toml` the delete breaks.
pub(super) fn broken(fate: &Fate, report: &mut Document) {
    if fate.broken.is_empty() {
        return;
    }
    let lines = fate.broken.iter().map(|broken| {
        let name = Span::Toned(Tone::Bad, vec![Span::Code(broken.demand.name().to_string())]);
        vec![name, Span::Prose(format!(": {}.", broken.text))]
    });
    report.extend([heading("This breaks what referee.toml demands"), Block::below(&Lead::Bullet, lines)]);
}

/// Says what else acts, which the verdict leaves out.
pub(super) fn assumptions(fate: &Fate, report: &mut Document) {
    if !fate.assumptions.is_empty() {
        let lines = fate.assumptions.iter().map(|a| prose(sentence(&a.text)));
        report.extend([heading("Not decided by foreign keys"), Block::below(&Lead::Bullet, lines)]);
    }
}

/// Says what else is worth knowing.
pub(super) fn notes(fate: &Fate, report: &mut Document) {
    if !fate.notes.is_empty() {
        let lines = fate.notes.iter().map(|note| prose(sentence(note)));
        report.extend([heading("Good to know"), Block::below(&Lead::Bullet, lines)]);
    }
}

fn blockers(fate: &Fate, style: &Style, report: &mut Document) {
    let blockers: Vec<_> = fate.blockers().collect();
    if blockers.is_empty() {
        return;
    }
    report.push(heading(format!("In the way: {}", count(blockers.len(), "relation"))));
    let arrow = if style.unicode { " → " } else { " -> " };
    if blockers.len() > MANY {
        return many_blockers(&blockers, arrow, report);
    }
    for blocker in blockers {
        let side = vec![Span::name(last(&blocker.path))];
        report.push(below(2, vec![Span::Toned(stops(blocker.effect), side)]));
        report.push(below(4, prose(sentence(&blocker.reason))));
        if blocker.path.len() > 1 {
            let mut path = vec![Span::Plain("on the path ".to_string()), Span::name(&fate.root)];
            path.extend(blocker.path.iter().flat_map(|p| [Span::Plain(arrow.to_string()), Span::name(p)]));
            report.push(below(4, path));
        }
    }
}

fn last(path: &[String]) -> &str {
    path.last().map(String::as_str).unwrap_or_default()
}

fn stops(effect: Effect) -> Tone {
    if matches!(effect, Effect::Refuses | Effect::Fails) { Tone::Bad } else { Tone::Doubt }
}

fn many_blockers(blockers: &[&RelationOutcome], arrow: &str, report: &mut Document) {
    let kinds = [
        (Effect::Fails, "any row stops the delete with an error of its own"),
        (Effect::Refuses, "any row stops the delete"),
        (Effect::MayFail, "a row stops the delete with an error of its own unless it is gone by then"),
        (Effect::MayRefuse, "a row stops the delete unless it is gone by then"),
    ];
    for (effect, meaning) in kinds {
        let mut table = Table::new(&["Relation", "Action", "Path"]);
        for blocker in blockers.iter().filter(|b| b.effect == effect) {
            let way = blocker.path.split_last().map(|(_, way)| way).unwrap_or_default();
            let mut path = Line::new();
            for (at, side) in way.iter().enumerate() {
                path.push(Span::Plain(if at == 0 { "below ".to_string() } else { arrow.to_string() }));
                path.push(Span::name(side));
            }
            let side = Span::Toned(stops(effect), vec![Span::name(last(&blocker.path))]);
            table.row([vec![side], padded(action(blocker), ACTION), path]);
        }
        if !table.rows.is_empty() {
            report.push(below(2, plain(format!("{}:", upper(meaning)))));
            report.push(Block::Indented(4, vec![Block::Table(table)]));
        }
    }
}

fn repair(fate: &Fate, commands: &Commands, style: &Style, report: &mut Document) {
    let Some(repair) = &fate.repair else { return };
    if repair.changes.is_empty() {
        if fate.foreign_keys == Some(false) {
            let text = "With foreign keys off no key acts: run PRAGMA foreign_keys = ON in every connection.";
            report.extend([heading("What to do"), below(2, plain(text))]);
        } else if repair.guessed.is_empty() {
            let end = if shown_conditions(fate).is_empty() { "." } else { ": see the conditions below." };
            let doubted = fate.assumptions.iter().any(|a| a.may.contains(&May::Block));
            let text = match fate.verdict.always_succeeds() {
                true if doubted => {
                    "No change is proposed: no foreign key blocks a delete. What may block it stands above; whether \
                                    another action avoids that is not decided here."
                        .to_string()
                }
                true => "No foreign key blocks a delete; no change is proposed.".to_string(),
                false => format!("No change of actions is proposed{end}"),
            };
            report.extend([heading("What to do"), below(2, plain(text))]);
        }
        return guessed(repair, commands, report);
    }
    let (automatic, rest): (Vec<_>, Vec<_>) = repair.changes.iter().partition(|c| c.automatic);
    if !automatic.is_empty() {
        report.push(heading(format!("What to do: {}", after_changes(repair, automatic.len()))));
        changes(fate, &automatic, commands, style, report);
    }
    if !rest.is_empty() {
        let (block, leave): (Vec<_>, Vec<_>) = rest.into_iter().partition(|c| c.blocks);
        for (some, what) in [(block, "You decide"), (leave, "If nothing may stay behind, you decide")] {
            if !some.is_empty() {
                report.push(heading(format!("{what}: {}", count(some.len(), "relation"))));
                changes(fate, &some, commands, style, report);
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
        report.push(below(2, plain(text)));
    }
    guessed(repair, commands, report);
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
fn guessed(repair: &Repair, commands: &Commands, report: &mut Document) {
    let Some(first) = repair.guessed.first() else { return };
    report.push(heading(format!("Guessed, not planned: {}", count(repair.guessed.len(), "relation"))));
    let mut table = Table::new(&["#Confidence", "Relation"]);
    for guess in repair.guessed.iter().take(MANY) {
        table.row([plain(format!("{:.2}", guess.confidence)), vec![Span::name(&guess.relation)]]);
    }
    report.push(Block::Indented(2, vec![Block::Table(table)]));
    if repair.guessed.len() > MANY {
        let more = repair.guessed.len() - MANY;
        report.push(below(2, plain(format!("and {more} more: --format json lists them all"))));
    }
    let (after, known) = repair.without_guesses();
    let without =
        if known == repair.verdict { String::new() } else { format!(" If they are not, {after}{}.", comes_to(known)) };
    let text = format!(
        "If these guesses are right, rows are left behind as orphans.{without} Accept what is right, and it is planned as well:"
    );
    let command = format!("{} --accept {}", commands.infer, argument(&first.relation));
    report.extend([below(2, plain(text)), below(4, vec![Span::name(command)])]);
}

fn changes(fate: &Fate, changes: &[&Repaired], commands: &Commands, style: &Style, report: &mut Document) {
    if changes.len() <= MANY {
        return changes.iter().for_each(|c| change(fate, c, commands, style, report));
    }
    let mut table = Table::new(&["Relation", "Change"]);
    changes.iter().for_each(|c| table.row(what_changes(c, style)));
    report.push(Block::Indented(2, vec![Block::Table(table)]));
    let newly: Vec<&NewlyDeleted> =
        changes.iter().flat_map(|c| &c.newly_deletes).filter(|n| n.from.contains(&fate.root)).collect();
    let mut tables: Vec<String> = newly.iter().flat_map(|n| &n.tables).map(ToString::to_string).collect();
    tables.sort();
    tables.dedup();
    if !tables.is_empty() {
        let text = format!("A delete from {} newly deletes rows of {}.", fate.root, tables.join(", "));
        report.push(below(2, plain(text)));
    }
    let command = commands.root(&fate.root);
    report.push(below(2, plain(format!("Reasons, choices and SQL: `{command}`, or --format markdown here."))));
}

fn what_changes(change: &Repaired, style: &Style) -> [Line; 2] {
    let arrow = if style.unicode { "→" } else { "->" };
    let from = change.from.map_or("no key", |a| a.sql());
    let drops = change.changes.iter().any(|c| matches!(c, Change::SetNullable { .. }));
    let to = match change.to {
        // An arrow to an action reads like advice.
        _ if change.decide && !change.automatic => format!(" {arrow} you decide"),
        Some(_) if drops => ", drop NOT NULL".to_string(),
        Some(to) => format!(" {arrow} {to}"),
        None => String::new(),
    };
    let mut does = plain(format!("{from}{to}"));
    let mark = mark(change);
    if !mark.is_empty() {
        does.extend([Span::Space(2), Span::Plain(format!("({mark})"))]);
    }
    [vec![Span::name(last(&change.path))], does]
}

/// Says how a change stands to decisions.
pub(super) fn mark(change: &Repaired) -> &'static str {
    match (change.automatic, change.decide) {
        (true, _) => "",
        (false, true) => "",
        (false, false) => "follows from a decision",
    }
}

fn change(fate: &Fate, change: &Repaired, commands: &Commands, style: &Style, report: &mut Document) {
    let mut table = Table::new(&["Relation", "Change"]);
    table.row(what_changes(change, style));
    report.push(Block::Indented(2, vec![Block::Table(table)]));
    report.push(below(4, prose(sentence(&change.reason))));
    // Where a person decides, each choice says what it newly deletes.
    let open = change.decide && !change.automatic;
    for newly in sentences(&change.newly_deletes).into_iter().filter(|_| !open) {
        let marked = Span::Toned(Tone::Bad, plain("Newly deleted:"));
        report.push(below(4, vec![marked, Span::Prose(format!(" {newly}."))]));
    }
    if !change.automatic {
        let place = side(&change.child, &change.columns);
        for choice in &change.choices {
            let command = Span::name(commands.choose(&fate.root, &place, &choice.word));
            report.extend([below(4, vec![command]), below(6, prose(format!("{}.", choice.does)))]);
        }
        return;
    }
    let code = change.sql.iter().map(|sql| Block::Code { language: "sql", text: format!("{sql};") });
    report.push(Block::Indented(4, code.collect()));
    if change.sql.is_empty() && fate.engine.facts().alter.rebuilds {
        report.push(below(4, vec![Span::Dim(plain("(SQLite makes this change by rebuilding the table)"))]));
    }
}

fn what_happens(fate: &Fate, report: &mut Document) {
    let replaced = fate.assumptions.iter().find(|a| {
        a.table == fate.root && a.stops_every_delete() && matches!(a.may.first(), Some(May::Skip | May::Replace))
    });
    let title = replaced.map_or("What happens".to_string(), |a| format!("If the {} were disabled", a.kind.word()));
    let mut root = Table::new(&["Table", "Fate"]);
    root.row([vec![Span::name(&fate.root)], plain(would(fate, "deleted"))]);
    let mut table = Table::new(&["Relation", "Action", "Effect"]);
    for (depth, relation) in tree(fate) {
        let toned = |tone: Tone, text: &str| Span::Toned(tone, plain(text));
        let mut effect = vec![match relation.effect {
            Effect::Deletes => toned(Tone::Bad, &would(fate, "deleted")),
            Effect::Nulls => toned(Tone::Note, &would(fate, "set to NULL")),
            Effect::SetsDefault => toned(Tone::Note, &would(fate, "set to the default")),
            Effect::Refuses => toned(Tone::Good, "refuses"),
            Effect::MayRefuse => toned(Tone::Doubt, "may refuse"),
            Effect::Fails => toned(Tone::Bad, "fails"),
            Effect::MayFail => toned(Tone::Doubt, "may fail"),
            Effect::Harmless => Span::Plain("harmless".to_string()),
            Effect::Shadowed => Span::Plain("has no effect".to_string()),
            Effect::LeavesOrphans => toned(Tone::Doubt, "orphaned"),
        }];
        if let Some(text) = instead(fate, relation) {
            effect = vec![toned(Tone::Doubt, &text)];
        }
        effect.extend(relation.order_decides.then(|| Span::Plain(" (the order decides)".to_string())));
        let side = vec![Span::Space(2 * depth + 2), Span::name(last(&relation.path))];
        table.row([side, padded(action(relation), ACTION), effect]);
    }
    report.extend([heading(title), Block::Indented(2, vec![Block::Table(root), Block::Table(table)])]);
    let untouched = fate.tables.len() - touched(fate).len();
    if untouched > 0 {
        report.push(below(2, vec![Span::Dim(plain(format!("{} untouched", count(untouched, "table"))))]));
    }
}

fn impact(fate: &Fate, counted: Option<&[Counted]>, report: &mut Document) {
    let Some(counted) = counted else { return };
    report.push(heading("Rows"));
    let asked = counted.iter().any(|c| c.deleted.is_some());
    match blocked(counted) {
        Some(by) if asked => {
            let doubted = by.starts_with("no row") && fate.assumptions.iter().any(|a| a.may.contains(&May::Block));
            let only = if doubted { ", as far as foreign keys decide it" } else { "" };
            report.push(below(2, plain(format!("Blocked by: {by}{only}"))));
        }
        Some(_) => {
            let mut tables: Vec<String> =
                counted.iter().filter(|c| !c.blocking.is_empty()).map(|c| c.table.to_string()).collect();
            tables.sort();
            let text = format!("Rows that block: not counted ({}); --count counts them", tables.join(", "));
            report.push(below(2, plain(text)));
        }
        None => {}
    }
    let mut rows = Table::new(&["Table", "Rows"]);
    for table in counted {
        rows.row([vec![Span::name(&table.table)], counts(table, asked)]);
    }
    report.push(Block::Indented(2, vec![Block::Table(rows)]));
}

/// Says how many rows of a table are deleted, changed and in the way.
fn counts(table: &Counted, asked: bool) -> Line {
    if let Some(why) = &table.uncounted {
        return prose(format!("not counted: {why}"));
    }
    let mut parts: Vec<Line> = Vec::new();
    for (number, word) in [
        (table.deleted, "deleted"),
        (table.updated, "updated"),
        (table.orphaned, "orphaned"),
        // Nothing more than before is worth a word only where there is no other.
        (table.newly_deleted.filter(|n| *n > 0 || table.deleted.is_none()), "newly deleted by the changes"),
    ] {
        parts.extend(number.map(|n| plain(format!("{} {word}", thousands(n)))));
    }
    for blocking in &table.blocking {
        let relation = Span::name(&blocking.relation);
        parts.push(match blocking.rows {
            Some(rows) => vec![Span::Plain(format!("{} blocking by ", thousands(rows))), relation],
            None => vec![Span::Plain("blocking by ".into()), relation, Span::Plain(": not counted".into())],
        });
    }
    if !asked || parts.is_empty() {
        let of = table.estimate.map(|n| format!(", of about {}", thousands(n))).unwrap_or_default();
        return plain(format!("not counted{of}"));
    }
    parts.join(&Span::Plain(", ".to_string()))
}

/// Returns the conditions that are worth their query: where any row of a relation refuses, the relation in the way says it all.
fn shown_conditions(fate: &Fate) -> Vec<&Condition> {
    let depends = matches!(fate.verdict, Verdict::DependsOnData | Verdict::DependsOnOrder);
    let said = |c: &Condition| fate.blockers().any(|b| b.path.last() == Some(&c.relation));
    fate.conditions.iter().filter(|c| depends || !said(c)).collect()
}

fn conditions(fate: &Fate, report: &mut Document) {
    let conditions = shown_conditions(fate);
    if conditions.is_empty() {
        return;
    }
    let all = conditions.len() == fate.conditions.len();
    report.push(heading(if all { "It stops at these rows" } else { "It stops at these rows, too" }));
    let few = conditions.len() <= MANY;
    let shown = if few { conditions.len() } else { QUERIES };
    for condition in &conditions[..shown] {
        let code = condition.sql.iter().map(|sql| Block::Code { language: "sql", text: format!("{sql};") });
        report.push(Block::below(&Lead::Bullet, [prose(sentence(&condition.rows))]));
        report.push(Block::Indented(4, code.collect()));
    }
    if !few {
        let more = conditions.len() - shown;
        let text = format!("and {more} more, each with its query: --format markdown.");
        report.push(Block::below(&Lead::Bullet, [plain(text)]));
    }
}
