//! `markdown`: the plan as a document for those who have to agree to it.

use super::super::document::{self, Block, Document, Line, Span, Table, plain, prose};
use super::{
    Commands, advised, ended, guessed, heading, holds, locks, promise, rows, rules, safety, statements, summary, told,
    unmended, warnings,
};
use crate::fate::sentences;
use crate::findings::Safety;
use crate::plan::{Choice, Down, Plan, Reason, Script, Step, refusals};

/// Writes the document.
pub fn render(source: &str, commands: &Commands, plan: &Plan) -> String {
    let title = vec![Span::Plain("Plan for ".to_string()), Span::name(source)];
    let what = plain(format!("{}: {}.", plan.engine, summary(plan)));
    let mut document = vec![Block::heading(1, title), Block::Paragraph(what)];
    document.extend(warnings(plan));
    if !plan.steps.is_empty() {
        overview(plan, &mut document);
    }
    if let Some(command) = commands.backup.as_deref().filter(|_| !plan.steps.is_empty()) {
        document.push(Block::Paragraph(plain("Before anything else, a copy of the database:")));
        document.push(Block::Code { language: "sh", text: command.to_string() });
    }
    let mut phase = None;
    for (number, step) in plan.steps.iter().enumerate() {
        if phase != Some(step.phase) {
            document.push(Block::heading(2, plain(heading(step.phase))));
            phase = Some(step.phase);
        }
        one(number + 1, step, &mut document);
    }
    choices(plan, &mut document);
    not_fixed(plan, &mut document);
    if let Some(guessed) = guessed::of(plan, commands) {
        document.push(Block::heading(2, plain(guessed::heading())));
        document.push(Block::Paragraph(prose(&guessed.headline)));
        if !guessed.first.is_empty() {
            let lines: Vec<String> = guessed.first.iter().map(|(b, c)| format!("{c}  # {b}")).collect();
            document.push(Block::Code { language: "sh", text: lines.join("\n") });
        }
        document.extend(guessed.rest());
    }
    document::markdown::write(&document)
}

fn overview(plan: &Plan, document: &mut Document) {
    let mut table = Table::new(&["##", "Step", "Safety", "Locks"]);
    for (number, step) in plan.steps.iter().enumerate() {
        let number = plain((number + 1).to_string());
        table.row([number, prose(&step.title), plain(safety(step.safety)), prose(locks(step).join("; "))]);
    }
    document.push(Block::Table(table));
    for kind in [Safety::Safe, Safety::Unsafe, Safety::Manual] {
        if plan.steps.iter().any(|s| s.safety == kind) {
            let promise = Span::Plain(format!(": {}.", promise(kind)));
            document.push(Block::Paragraph(vec![Span::Strong(plain(safety(kind))), promise]));
        }
    }
}

fn one(number: usize, step: &Step, document: &mut Document) {
    let title = [Span::Plain(format!("{number}. ")), Span::Prose(step.title.clone())];
    document.push(Block::heading(3, title));
    document.push(Block::Paragraph(vec![
        Span::Prose(format!("{}.", step.why.trim_end_matches('.'))),
        Span::Plain(format!(" ({}; ", rules(&step.findings).join(", "))),
        Span::name(&step.id),
        Span::Plain(")".to_string()),
    ]));
    let bold = |words: &str, text: String| {
        Block::Paragraph(vec![Span::Strong(plain(words)), Span::Prose(format!(" {text}."))])
    };
    document.extend(rows(step).map(|rows| bold("It changes rows:", rows)));
    if !step.newly_deletes.is_empty() {
        document.push(bold("Newly deleted:", sentences(&step.newly_deletes).join("; ")));
    }
    if !step.newly_refuses.is_empty() {
        document.push(bold("Newly refused:", refusals(&step.newly_refuses).join("; ")));
    }
    document.push(holds(step));
    document.extend(code(statements(step)));
    match &step.down {
        Down::Impossible(why) => {
            let text = format!("Cannot be undone: {}.", why.trim_end_matches('.'));
            document.push(Block::Paragraph(prose(text)));
        }
        Down::Script { script, .. } => {
            let undo = |code| Block::Beside { column: "undo  ", words: "Undo:", blocks: vec![code] };
            document.extend(code(all(script)).map(undo));
        }
    }
}

fn all(script: &Script) -> impl Iterator<Item = &String> {
    script.before.iter().chain(&script.statements).chain(&script.after)
}

fn code<'s>(statements: impl Iterator<Item = &'s String>) -> Option<Block> {
    let sql: Vec<String> = statements.map(|s| ended(s)).collect();
    (!sql.is_empty()).then(|| Block::Code { language: "sql", text: sql.join("\n") })
}

/// A rule, as a cell has it.
fn rule(reason: &Reason) -> Line {
    vec![Span::Plain(format!("{} ", reason.rule.code())), Span::Code(reason.rule.name().to_string())]
}

fn choices(plan: &Plan, document: &mut Document) {
    if plan.choices.is_empty() {
        return;
    }
    let word = |choice: &Choice, at: usize| {
        let option = &choice.options[at];
        let told = format!("{}: {}", advised(choice, at), told(choice, option));
        vec![Span::name(&option.word), Span::Prose(told)]
    };
    let mut table = Table::new(&["Where", "Finding", "Chosen", "Other ways"]);
    for choice in &plan.choices {
        let others = (0..choice.options.len()).filter(|at| *at != choice.chosen);
        let others: Vec<Line> = others.map(|at| word(choice, at)).collect();
        table.row([
            vec![Span::name(&choice.subject)],
            rule(&choice.reason),
            word(choice, choice.chosen),
            others.join(&Span::Break),
        ]);
    }
    document.extend([Block::heading(2, plain("Choices")), Block::Table(table)]);
}

fn not_fixed(plan: &Plan, document: &mut Document) {
    if plan.refused.is_empty() {
        return;
    }
    let mut table = Table::new(&["Finding", "Where", "Why"]);
    for entry in unmended(plan) {
        let findings = |reasons: &[&Reason]| {
            reasons.iter().map(|r| rule(r)).collect::<Vec<Line>>().join(&Span::Plain(", ".to_string()))
        };
        let rules: Vec<Line> = entry.places.iter().map(|(_, reasons)| findings(reasons)).collect();
        let places: Vec<Line> = entry.places.iter().map(|(subject, _)| vec![Span::name(subject)]).collect();
        table.row([rules.join(&Span::Break), places.join(&Span::Break), prose(entry.why)]);
    }
    document.extend([Block::heading(2, plain("Not fixed")), Block::Table(table)]);
}
