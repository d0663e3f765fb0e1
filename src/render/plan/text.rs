//! `text`: the plan for a reader at a terminal.

use anstyle::AnsiColor;

use super::super::style::{Style, count, tame, width, wrap, wrap_sql};
use super::{
    Commands, advised, guessed, heading, locks, not_counted, rows, rules, safety, statements, summary, told, unmended,
};
use crate::fate::sentences;
use crate::findings::Safety;
use crate::plan::{Choice, Down, Plan, Step, refusals};
use crate::text::{one_line, quoted};

/// The table that statements which check the others write to.
const GUARD: &str = "_referee_guard";

/// How a block of PL/pgSQL begins.
const BLOCK: &str = "DO ";

/// Writes the plan.
pub fn render(source: &str, commands: &Commands, plan: &Plan, style: &Style) -> String {
    let mut lines = Vec::new();
    let dot = style.dot();
    let head = format!("{} {dot} {} {dot} {}", style.bold(&one_line(source)), plan.engine, summary(plan));
    hanging(&head, "", "  ", style, &mut lines);
    if let Some(sentence) = &plan.still_fails {
        lines.push(String::new());
        wrap(&tame(&format!("{sentence}.")), style.width).into_iter().for_each(|line| lines.push(style.bold(&line)));
    }
    if let Some(sentence) = not_counted(plan) {
        lines.push(String::new());
        wrap(&tame(&format!("{sentence}.")), style.width).into_iter().for_each(|line| lines.push(style.bold(&line)));
    }
    if plan.steps.is_empty() {
        lines.push(String::new());
        let told = if plan.refused.is_empty() && plan.guessed.is_empty() {
            "There is nothing to do."
        } else {
            "No step is planned; the reasons are below."
        };
        lines.push(told.to_string());
    }
    if let Some(command) = commands.backup.as_deref().filter(|_| !plan.steps.is_empty()) {
        lines.push(String::new());
        lines.push("Keep a copy of the database first:".to_string());
        lines.push(format!("  {}", tame(command)));
    }
    let mut phase = None;
    for (number, step) in plan.steps.iter().enumerate() {
        lines.push(String::new());
        if phase != Some(step.phase) {
            lines.push(style.bold(heading(step.phase)));
            lines.push(String::new());
            phase = Some(step.phase);
        }
        one(number + 1, step, style, &mut lines);
    }
    choices(&plan.choices, style, &mut lines);
    refused(plan, style, &mut lines);
    lines.join("\n") + "\n" + &guesses(plan, commands, style)
}

fn one(number: usize, step: &Step, style: &Style, lines: &mut Vec<String>) {
    let first = format!("{number}. ");
    let indent = " ".repeat(first.len());
    for (i, line) in wrap(&step.title, style.width.saturating_sub(first.len())).into_iter().enumerate() {
        let start = if i == 0 { &first } else { &indent };
        lines.push(format!("{start}{}", style.bold(&line)));
    }
    hanging(&format!("{}.", step.why.trim_end_matches('.')), &indent, &indent, style, lines);
    let word = safety(step.safety);
    let why = format!("{word} {} {}", style.dot(), rules(&step.findings));
    for (i, line) in wrap(&why, style.width.saturating_sub(indent.len())).into_iter().enumerate() {
        let (marked, rest) = match line.strip_prefix(word).filter(|_| i == 0) {
            Some(rest) => (style.colour(colour(step.safety), word), rest.to_string()),
            None => (String::new(), line),
        };
        lines.push(format!("{indent}{marked}{}", style.dim(&rest)));
    }
    if let Some(rows) = rows(step) {
        hanging(&rows, &format!("{indent}rows  "), &format!("{indent}      "), style, lines);
    }
    for newly in sentences(&step.newly_deletes) {
        let marked = style.colour(AnsiColor::Red, "Newly deleted:");
        hanging(&format!("{marked} {}.", tame(&newly)), &indent, &indent, style, lines);
    }
    for refused in refusals(&step.newly_refuses) {
        hanging(&format!("Newly refused: {}.", tame(&refused)), &indent, &indent, style, lines);
    }
    for held in locks(step) {
        hanging(&held, &format!("{indent}lock  "), &format!("{indent}      "), style, lines);
    }
    for guard in &step.guards {
        hanging(&guard.found, &format!("{indent}stops if "), &format!("{indent}      "), style, lines);
    }
    // What only makes sure that the others do right is for the script, not for a reader.
    let (shown, checks): (Vec<_>, Vec<_>) = statements(step).partition(|s| !s.contains(GUARD));
    let (blocks, shown): (Vec<_>, Vec<_>) = shown.into_iter().partition(|s| s.starts_with(BLOCK));
    let (heart, beside): (Vec<&str>, Vec<&str>) =
        blocks.iter().flat_map(|b| b.lines()).map(str::trim).partition(|l| is_change(l));
    for line in heart.iter().flat_map(|sql| wrap_sql(sql, style.width.saturating_sub(indent.len() + 2))) {
        lines.push(style.dim(&format!("{indent}  {line}")));
    }
    // What is said twice with only checks between says nothing new.
    let mut last = None;
    for sql in shown.into_iter().filter(|sql| last.replace(*sql) != Some(*sql)) {
        let end = if sql.trim_end().ends_with(';') { "" } else { ";" };
        for line in wrap_sql(&format!("{sql}{end}"), style.width.saturating_sub(indent.len() + 2)) {
            lines.push(style.dim(&format!("{indent}  {line}")));
        }
    }
    let around = checks.len() + beside.len();
    if around > 0 {
        let around = count(around, if blocks.is_empty() { "statement" } else { "line" });
        let text = format!("and {around} around them that make sure (--format sql shows all)");
        hanging(&text, &format!("{indent}  "), &format!("{indent}  "), style, lines);
    }
    undo(step, &indent, style, lines);
}

/// Tells whether a line of a block makes a table or changes rows; the others only make sure that these do right.
fn is_change(line: &str) -> bool {
    ["CREATE TABLE ", "WITH ", "DELETE ", "UPDATE ", "INSERT "].iter().any(|verb| line.starts_with(verb))
}

/// Says how a step is undone: in full if that is one statement.
fn undo(step: &Step, indent: &str, style: &Style, lines: &mut Vec<String>) {
    let (first, rest) = (format!("{indent}undo  "), format!("{indent}      "));
    match &step.down {
        Down::Impossible(why) => hanging(&format!("Cannot be undone: {why}"), indent, indent, style, lines),
        Down::Script { script, .. } => {
            let all: Vec<&String> = script.before.iter().chain(&script.statements).chain(&script.after).collect();
            match all.as_slice() {
                [] => {}
                [one] => {
                    let room = style.width.saturating_sub(width(&first));
                    let sql = format!("{};", one.trim_end().trim_end_matches(';'));
                    for (at, line) in wrap_sql(&sql, room).into_iter().enumerate() {
                        lines.push(format!("{}{}", if at == 0 { &first } else { &rest }, style.dim(&line)));
                    }
                }
                several => {
                    let text = format!("{} (--format markdown shows them)", count(several.len(), "statement"));
                    hanging(&text, &first, &rest, style, lines);
                }
            }
        }
    }
}

fn colour(safety: Safety) -> AnsiColor {
    match safety {
        Safety::Safe => AnsiColor::Green,
        Safety::Unsafe => AnsiColor::Yellow,
        Safety::Manual => AnsiColor::Red,
    }
}

fn choices(choices: &[Choice], style: &Style, lines: &mut Vec<String>) {
    if choices.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(style.bold("Choices"));
    let mark = if style.unicode { "▸" } else { ">" };
    for choice in choices {
        lines.push(String::new());
        let rule = format!("{} {} {}", style.dot(), choice.reason.rule.code(), choice.reason.rule);
        lines.push(format!("  {} {}", one_line(&choice.subject), style.dim(&rule)));
        let widest = choice.options.iter().map(|o| width(&o.word)).max().unwrap_or(0);
        for (at, option) in choice.options.iter().enumerate() {
            let chosen = if at == choice.chosen { mark } else { " " };
            let advised = advised(choice, at);
            let gap = " ".repeat(widest.saturating_sub(width(&option.word)));
            let first = format!("  {chosen} {}{gap}  ", option.word);
            hanging(
                &tame(&format!("{}{advised}", told(choice, option))),
                &first,
                &" ".repeat(widest + 6),
                style,
                lines,
            );
        }
    }
    lines.push(String::new());
    let example = choices.first().map(|c| {
        let other = c.options.iter().enumerate().find(|(at, _)| *at != c.chosen).map_or("WORD", |(_, o)| &o.word);
        format!("Choose otherwise: --choose {}", quoted(&format!("{}={other}", c.subject)))
    });
    lines.extend(example.map(|e| format!("  {}", tame(&e))));
}

fn refused(plan: &Plan, style: &Style, lines: &mut Vec<String>) {
    if plan.refused.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(style.bold("Not fixed"));
    for entry in unmended(plan) {
        lines.push(String::new());
        for (subject, reasons) in &entry.places {
            let (subject, rules) = (one_line(subject), rules(reasons.iter().copied()));
            let dot = style.dot();
            if width(&format!("  {subject} {dot} {rules}")) <= style.width {
                lines.push(format!("  {subject} {}", style.dim(&format!("{dot} {rules}"))));
            } else {
                lines.push(format!("  {subject}"));
                lines.extend(rules.split(", ").map(|rule| style.dim(&format!("    {dot} {rule}"))));
            }
        }
        hanging(entry.why, "    ", "    ", style, lines);
    }
}

/// Says what is only guessed. A command stays in one line, so that it can be copied.
pub fn guesses(plan: &Plan, commands: &Commands, style: &Style) -> String {
    let Some(guessed) = guessed::of(plan, commands) else { return String::new() };
    let mut all = Vec::new();
    let lines = &mut all;
    lines.push(String::new());
    lines.push(style.bold(guessed::heading()));
    lines.push(String::new());
    hanging(&guessed.headline, "  ", "  ", style, lines);
    for (behind, command) in &guessed.first {
        lines.push(format!("    {}", tame(command)));
        hanging(behind, "      ", "      ", style, lines);
    }
    for text in guessed.more.iter().chain(&guessed.all) {
        hanging(text, "  ", "  ", style, lines);
    }
    if !guessed.ruled_out.is_empty() {
        hanging("Never planned by their confidence:", "  ", "  ", style, lines);
        guessed.ruled_out.iter().for_each(|line| hanging(line, "    ", "      ", style, lines));
    }
    all.join("\n") + "\n"
}

fn hanging(text: &str, first: &str, rest: &str, style: &Style, lines: &mut Vec<String>) {
    let room = style.width.saturating_sub(width(first)).max(20);
    for (i, line) in wrap(text, room).into_iter().enumerate() {
        lines.push(format!("{}{line}", if i == 0 { first } else { rest }));
    }
}
