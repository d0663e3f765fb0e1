//! `markdown`: a document for people.

use super::super::document::{self, Block, Document, Item, Lead, Line, Span, Table, plain, prose};
use super::text::{assumptions, broken, mark, notes};
use super::{Commands, action, blocked, comes_to, fate_word, instead, kept_by, touched, tree, would};
use crate::fate::{Counted, Fate, Repair, TableFate, sentences};
use crate::relations::side;

/// Writes the document.
pub fn render(fate: &Fate, counted: Option<&[Counted]>, commands: &Commands) -> String {
    let verdict = Span::Plain(format!(": {}", fate.verdict));
    let title = vec![Span::Plain("Deleting from ".to_string()), Span::name(&fate.root), verdict];
    let mut report =
        vec![Block::heading(1, title), Block::Paragraph(prose(format!("{}: {}.", fate.engine, fate.summary)))];
    report.extend(fate.today.map(|today| Block::Paragraph(plain(format!("With today's order: {today}.")))));
    broken(fate, &mut report);
    assumptions(fate, &mut report);
    blockers(fate, &mut report);
    if let Some(repair) = fate.repair.as_ref().filter(|r| !r.changes.is_empty()) {
        changes(fate, repair, commands, &mut report);
    }
    if let Some(repair) = fate.repair.as_ref().filter(|r| !r.guessed.is_empty()) {
        guessed(repair, &mut report);
    }
    let mut table = Table::new(&["Table", "Fate"]);
    for t in touched(fate) {
        let fated = match t.fate {
            _ if kept_by(fate, &t.table, "DELETE").is_some() => "stays".to_string(),
            TableFate::Deleted | TableFate::Updated => would(fate, fate_word(t.fate)),
            other => fate_word(other).to_string(),
        };
        table.row([vec![Span::name(&t.table)], plain(fated)]);
    }
    report.extend([Block::heading(2, plain("Tables")), Block::Table(table)]);
    let items = tree(fate).into_iter().map(|(depth, r)| {
        let side = r.path.last().map(String::as_str).unwrap_or_default();
        let effect = instead(fate, r).unwrap_or_else(|| r.effect.name().to_string());
        let line = vec![Span::name(side), Span::Plain(format!(" ({}): {effect}", action(r)))];
        Item { depth, lead: Lead::Bullet, line }
    });
    report.extend([Block::heading(2, plain("Relations")), Block::List(items.collect())]);
    if let Some(counted) = counted {
        rows(counted, &mut report);
    }
    if !fate.conditions.is_empty() {
        report.push(Block::heading(2, plain("Rows that stop it")));
        for c in &fate.conditions {
            report.push(Block::Paragraph(prose(&c.rows)));
            report.extend(c.sql.as_ref().map(|sql| Block::Code { language: "sql", text: format!("{sql};") }));
        }
    }
    notes(fate, &mut report);
    document::markdown::write(&report)
}

fn blockers(fate: &Fate, report: &mut Document) {
    let mut table = Table::new(&["Relation", "Path", "Why"]);
    for b in fate.blockers() {
        let mut path = vec![Span::name(&fate.root)];
        path.extend(b.path.iter().flat_map(|p| [Span::Plain(" → ".to_string()), Span::name(p)]));
        let side = b.path.last().map(String::as_str).unwrap_or_default();
        table.row([vec![Span::name(side)], path, prose(&b.reason)]);
    }
    if !table.rows.is_empty() {
        report.extend([Block::heading(2, plain("In the way")), Block::Table(table)]);
    }
}

fn changes(fate: &Fate, repair: &Repair, commands: &Commands, report: &mut Document) {
    let decisions = match repair.changes.iter().all(|c| c.automatic) {
        true => String::new(),
        false => format!(" Without your choices: {}.", comes_to(repair.automatic)),
    };
    let then = comes_to(repair.if_chosen);
    let text = format!("With all changes, and the first choice where you decide: {then}.{decisions}");
    let mut table = Table::new(&["Relation", "From", "To", "Why", "Newly deleted"]);
    for c in &repair.changes {
        let relation = c.path.last().map(String::as_str).unwrap_or_default();
        let decide = c.decide && !c.automatic;
        let to = if decide { "you decide" } else { c.to.map_or("?", |a| a.sql()) };
        let mark = mark(c);
        let mark = if mark.is_empty() { String::new() } else { format!(" ({mark})") };
        // Where a person decides, each choice says what it newly deletes.
        let newly = if decide { Line::new() } else { prose(sentences(&c.newly_deletes).join("; ")) };
        let (from, to) = (plain(c.from.map_or("no key", |a| a.sql())), plain(format!("{to}{mark}")));
        table.row([vec![Span::name(relation)], from, to, prose(&c.reason), newly]);
    }
    report.extend([Block::heading(2, plain("What to do")), Block::Paragraph(plain(text)), Block::Table(table)]);
    for c in repair.changes.iter().filter(|c| !c.automatic && !c.choices.is_empty()) {
        let place = side(&c.child, &c.columns);
        let title = vec![Span::Plain("Your choices for ".into()), Span::name(&place), Span::Plain(":".into())];
        let choices = c.choices.iter().map(|choice| {
            let command = Span::name(commands.choose(&fate.root, &place, &choice.word));
            vec![command, Span::Prose(format!(": {}", choice.does))]
        });
        report.extend([Block::Paragraph(title), Block::list(&Lead::Bullet, choices)]);
    }
    let automatic = repair.changes.iter().filter(|c| c.automatic);
    let sql: Vec<String> = automatic.flat_map(|c| &c.sql).map(|s| format!("{s};")).collect();
    if !sql.is_empty() {
        report.push(Block::Code { language: "sql", text: sql.join("\n") });
    }
}

fn guessed(repair: &Repair, report: &mut Document) {
    let mut table = Table::new(&["Relation", "#Confidence"]);
    for guess in &repair.guessed {
        table.row([vec![Span::name(&guess.relation)], plain(format!("{:.2}", guess.confidence))]);
    }
    let (after, known) = repair.without_guesses();
    let text = format!(
        "If these guesses are right, rows are left behind as orphans. If they are not, {after}{}.",
        comes_to(known)
    );
    report.extend([
        Block::heading(2, plain("Guessed, not planned")),
        Block::Table(table),
        Block::Paragraph(plain(text)),
    ]);
}

fn rows(counted: &[Counted], report: &mut Document) {
    report.push(Block::heading(2, plain("Rows")));
    let asked = counted.iter().any(|c| c.deleted.is_some());
    if let Some(by) = blocked(counted).filter(|_| asked) {
        report.push(Block::Paragraph(plain(format!("Blocked by: {by}."))));
    }
    let titles =
        ["Table", "#Deleted", "#Updated", "#Orphaned", "#Blocking", "#Newly deleted by the changes", "#Estimate"];
    let mut table = Table::new(&titles);
    for c in counted {
        // What cannot happen to the table has a dash; what was not looked at says so.
        let number = |n: Option<u64>| match n {
            Some(n) => n.to_string(),
            None if !asked || c.uncounted.is_some() => "not counted".to_string(),
            None => "–".to_string(),
        };
        let blocking: Vec<String> =
            c.blocking.iter().map(|b| b.rows.map_or("not counted".to_string(), |rows| rows.to_string())).collect();
        let cells = [
            number(c.deleted),
            number(c.updated),
            number(c.orphaned),
            if blocking.is_empty() { "–".to_string() } else { blocking.join(" + ") },
            c.newly_deleted.map_or("–".to_string(), |n| n.to_string()),
            c.estimate.map_or("unknown".to_string(), |n| n.to_string()),
        ];
        table.row(std::iter::once(vec![Span::name(&c.table)]).chain(cells.into_iter().map(plain)));
    }
    report.push(Block::Table(table));
}
