//! `text`: the plan for a reader at a terminal.

use super::super::document::{self, Block, Document, Item, Lead, Line, Span, Table, Tone, plain, prose};
use super::super::style::{Style, count};
use super::{
    Commands, advised, ended, guessed, heading, holds, rows, rules, safety, statements, summary, told, unmended,
    warnings,
};
use crate::fate::sentences;
use crate::findings::Safety;
use crate::plan::{Choice, Down, Plan, Reason, Step, refusals};
use crate::text::quoted;

/// The table that statements which check the others write to.
const GUARD: &str = "_referee_guard";

/// How a block of PL/pgSQL begins.
const BLOCK: &str = "DO ";

/// Writes the plan.
pub fn render(source: &str, commands: &Commands, plan: &Plan, style: &Style) -> String {
    let dot = style.dot();
    let mut report = vec![Block::Paragraph(vec![
        Span::Strong(vec![Span::name(source)]),
        Span::Plain(format!(" {dot} {} {dot} {}", plan.engine, summary(plan))),
    ])];
    report.extend(warnings(plan));
    if plan.steps.is_empty() {
        let told = if plan.refused.is_empty() && plan.guessed.is_empty() {
            "There is nothing to do."
        } else {
            "No step is planned; the reasons are below."
        };
        report.extend([Block::Gap, Block::Paragraph(plain(told))]);
    }
    if let Some(command) = commands.backup.as_deref().filter(|_| !plan.steps.is_empty()) {
        report.extend([Block::Gap, Block::Paragraph(plain("Keep a copy of the database first:"))]);
        report.push(below(2, vec![Span::name(command)]));
    }
    let mut phase = None;
    for (number, step) in plan.steps.iter().enumerate() {
        if phase != Some(step.phase) {
            report.push(Block::heading(2, plain(heading(step.phase))));
            phase = Some(step.phase);
        }
        report.push(Block::Gap);
        one(number + 1, step, dot, &mut report);
    }
    choices(&plan.choices, style, &mut report);
    not_fixed(plan, dot, &mut report);
    report.extend(guessed_only(plan, commands));
    document::text::write(&report, style)
}

/// A paragraph so many columns to the right.
fn below(by: usize, line: Line) -> Block {
    Block::Indented(by, vec![Block::Paragraph(line)])
}

/// An item that begins with words of its own.
fn item(column: &str, line: Line) -> Block {
    let lead = Lead::Label { column: column.to_string(), words: String::new() };
    Block::List(vec![Item { depth: 0, lead, line }])
}

fn one(number: usize, step: &Step, dot: &str, report: &mut Document) {
    let first = format!("{number}. ");
    let indent = first.len();
    report.push(item(&first, vec![Span::Strong(prose(&step.title))]));
    let mut lines = vec![
        Block::Paragraph(prose(format!("{}.", step.why.trim_end_matches('.')))),
        Block::Paragraph(vec![
            Span::Toned(tone(step.safety), plain(safety(step.safety))),
            Span::Dim(plain(format!(" {dot} {}", rules(&step.findings).join(", ")))),
        ]),
    ];
    lines.extend(rows(step).map(|rows| item("rows  ", prose(rows))));
    for newly in sentences(&step.newly_deletes) {
        let marked = Span::Toned(Tone::Bad, plain("Newly deleted:"));
        lines.push(Block::Paragraph(vec![marked, Span::Prose(format!(" {newly}."))]));
    }
    for refused in refusals(&step.newly_refuses) {
        lines.push(Block::Paragraph(prose(format!("Newly refused: {refused}."))));
    }
    lines.push(holds(step));
    // What only makes sure that the others do right is for the script, not for a reader.
    let (shown, checks): (Vec<_>, Vec<_>) = statements(step).partition(|s| !s.contains(GUARD));
    let (blocks, shown): (Vec<_>, Vec<_>) = shown.into_iter().partition(|s| s.starts_with(BLOCK));
    let (heart, beside): (Vec<&str>, Vec<&str>) =
        blocks.iter().flat_map(|b| b.lines()).map(str::trim).partition(|l| is_change(l));
    let code = |text: String| Block::Indented(2, vec![Block::Code { language: "sql", text }]);
    lines.extend(heart.iter().map(|sql| code((*sql).to_string())));
    // What is said twice with only checks between says nothing new.
    let mut last = None;
    for sql in shown.into_iter().filter(|sql| last.replace(*sql) != Some(*sql)) {
        let end = if sql.trim_end().ends_with(';') { "" } else { ";" };
        lines.push(code(format!("{sql}{end}")));
    }
    let around = checks.len() + beside.len();
    if around > 0 {
        let around = count(around, if blocks.is_empty() { "statement" } else { "line" });
        let text = format!("and {around} around them that make sure (--format sql shows all)");
        lines.push(below(2, plain(text)));
    }
    lines.extend(undo(step));
    report.push(Block::Indented(indent, lines));
}

/// Tells whether a line of a block makes a table or changes rows; the others only make sure that these do right.
fn is_change(line: &str) -> bool {
    ["CREATE TABLE ", "WITH ", "DELETE ", "UPDATE ", "INSERT "].iter().any(|verb| line.starts_with(verb))
}

/// Says how a step is undone: in full if that is one statement.
fn undo(step: &Step) -> Option<Block> {
    let script = match &step.down {
        Down::Impossible(why) => return Some(Block::Paragraph(prose(format!("Cannot be undone: {why}")))),
        Down::Script { script, .. } => script,
    };
    let all: Vec<&String> = script.before.iter().chain(&script.statements).chain(&script.after).collect();
    let undo = match all.as_slice() {
        [] => return None,
        [one] => Block::Code { language: "sql", text: ended(one) },
        several => {
            let number = count(several.len(), "statement");
            Block::Paragraph(plain(format!("{number} (--format markdown shows them)")))
        }
    };
    Some(Block::Beside { column: "undo  ", words: "Undo:", blocks: vec![undo] })
}

fn tone(safety: Safety) -> Tone {
    match safety {
        Safety::Safe => Tone::Good,
        Safety::Unsafe => Tone::Doubt,
        Safety::Manual => Tone::Bad,
    }
}

fn choices(choices: &[Choice], style: &Style, report: &mut Document) {
    let Some(first) = choices.first() else { return };
    report.push(Block::heading(2, plain("Choices")));
    let mark = if style.unicode { "▸" } else { ">" };
    for choice in choices {
        let rule = Span::Code(format!("{} {}", choice.reason.rule.code(), choice.reason.rule));
        let dim = Span::Dim(vec![Span::Plain(format!(" {} ", style.dot())), rule]);
        let mut table = Table::new(&["Option", "What it does"]);
        for (at, option) in choice.options.iter().enumerate() {
            let chosen = if at == choice.chosen { Span::Plain(mark.to_string()) } else { Span::Space(1) };
            let does = format!("{}{}", told(choice, option), advised(choice, at));
            table.row([vec![chosen, Span::Space(1), Span::name(&option.word)], prose(does)]);
        }
        let subject = Block::Paragraph(vec![Span::name(&choice.subject), dim]);
        report.extend([Block::Gap, Block::Indented(2, vec![subject, Block::Table(table)])]);
    }
    let other = first.options.iter().enumerate().find(|(at, _)| *at != first.chosen).map_or("WORD", |(_, o)| &o.word);
    let option = format!("--choose {}", quoted(&format!("{}={other}", first.subject)));
    let example = vec![Span::Plain("Choose otherwise: ".to_string()), Span::name(option)];
    report.extend([Block::Gap, below(2, example)]);
}

fn not_fixed(plan: &Plan, dot: &str, report: &mut Document) {
    if plan.refused.is_empty() {
        return;
    }
    report.push(Block::heading(2, plain("Not fixed")));
    for entry in unmended(plan) {
        report.push(Block::Gap);
        for (subject, reasons) in &entry.places {
            report.push(below(2, vec![Span::name(subject), Span::Dim(dotted(reasons, dot))]));
        }
        report.push(below(4, prose(entry.why)));
    }
}

/// Names rules behind a dot.
fn dotted(reasons: &[&Reason], dot: &str) -> Line {
    let mut line = vec![Span::Plain(format!(" {dot} "))];
    for (at, rule) in rules(reasons.iter().copied()).into_iter().enumerate() {
        line.extend((at > 0).then(|| Span::Plain(", ".to_string())));
        line.push(Span::Code(rule));
    }
    line
}

/// Says what is only guessed. A command stays in one line, so that it can be copied.
pub fn guesses(plan: &Plan, commands: &Commands, style: &Style) -> String {
    let report = guessed_only(plan, commands);
    if report.is_empty() { String::new() } else { format!("\n{}", document::text::write(&report, style)) }
}

fn guessed_only(plan: &Plan, commands: &Commands) -> Document {
    let Some(guessed) = guessed::of(plan, commands) else { return Document::new() };
    let mut report = vec![Block::heading(2, plain(guessed::heading())), Block::Gap, below(2, prose(&guessed.headline))];
    for (behind, command) in &guessed.first {
        report.extend([below(4, vec![Span::name(command)]), below(6, prose(behind))]);
    }
    report.extend(guessed.rest());
    report
}
