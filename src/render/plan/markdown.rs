//! `markdown`: the plan as a document for those who have to agree to it.

use super::super::spans::{block, cell, code, plain};
use super::{
    Commands, advised, guessed, heading, locks, not_counted, promise, rows, rules, safety, statements, summary, told,
    unmended,
};
use crate::fate::sentences;
use crate::findings::Safety;
use crate::plan::{Down, Plan, Script, Step, refusals};

/// Writes the document.
pub fn render(source: &str, commands: &Commands, plan: &Plan) -> String {
    let mut text = format!("# Plan for {}\n\n{}: {}.\n", code(source), plan.engine, summary(plan));
    if let Some(sentence) = &plan.still_fails {
        text.push_str(&format!("\n**{}.**\n", plain(sentence)));
    }
    if let Some(sentence) = not_counted(plan) {
        text.push_str(&format!("\n**{}.**\n", plain(&sentence)));
    }
    if !plan.steps.is_empty() {
        text.push_str("\n| # | Step | Safety | Locks |\n|--:|---|---|---|\n");
        for (number, step) in plan.steps.iter().enumerate() {
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                number + 1,
                cell(&step.title),
                safety(step.safety),
                cell(&locks(step).join("; "))
            ));
        }
        for kind in [Safety::Safe, Safety::Unsafe, Safety::Manual] {
            if plan.steps.iter().any(|s| s.safety == kind) {
                text.push_str(&format!("\n*{}*: {}.\n", safety(kind), promise(kind)));
            }
        }
    }
    if let Some(command) = commands.backup.as_deref().filter(|_| !plan.steps.is_empty()) {
        text.push_str(&format!("\nBefore anything else, a copy of the database:\n{}", fenced_as("sh", command)));
    }
    let mut phase = None;
    for (number, step) in plan.steps.iter().enumerate() {
        if phase != Some(step.phase) {
            text.push_str(&format!("\n## {}\n", heading(step.phase)));
            phase = Some(step.phase);
        }
        one(number + 1, step, &mut text);
    }
    choices(plan, &mut text);
    if !plan.refused.is_empty() {
        text.push_str("\n## Not fixed\n\n| Finding | Where | Why |\n|---|---|---|\n");
        for entry in unmended(plan) {
            let findings: Vec<String> = entry
                .places
                .iter()
                .map(|(_, reasons)| {
                    let each: Vec<String> =
                        reasons.iter().map(|r| format!("{} {}", r.rule.code(), code(r.rule.name()))).collect();
                    each.join(", ")
                })
                .collect();
            let places: Vec<String> = entry.places.iter().map(|(subject, _)| code(subject)).collect();
            text.push_str(&format!("| {} | {} | {} |\n", findings.join("<br>"), places.join("<br>"), cell(entry.why)));
        }
    }
    if let Some(guessed) = guessed::of(plan, commands) {
        text.push_str(&format!("\n## {}\n\n{}\n", guessed::heading(), plain(&guessed.headline)));
        if !guessed.first.is_empty() {
            let lines: Vec<String> = guessed.first.iter().map(|(b, c)| format!("{c}  # {b}")).collect();
            text.push_str(&fenced_as("sh", &lines.join("\n")));
        }
        for line in guessed.more.iter().chain(&guessed.all) {
            text.push_str(&format!("\n{}\n", plain(line)));
        }
        if !guessed.ruled_out.is_empty() {
            text.push_str("\nNever planned by their confidence:\n\n");
            guessed.ruled_out.iter().for_each(|line| text.push_str(&format!("- {}\n", plain(line))));
        }
    }
    text
}

fn one(number: usize, step: &Step, text: &mut String) {
    text.push_str(&format!("\n### {number}. {}\n\n", plain(&step.title)));
    text.push_str(&format!(
        "{}. ({}; {})\n",
        plain(step.why.trim_end_matches('.')),
        rules(&step.findings),
        code(&step.id)
    ));
    if let Some(rows) = rows(step) {
        text.push_str(&format!("\n**It changes rows**: {}.\n", plain(&rows)));
    }
    if !step.newly_deletes.is_empty() {
        text.push_str(&format!("\n**Newly deleted:** {}.\n", plain(&sentences(&step.newly_deletes).join("; "))));
    }
    if !step.newly_refuses.is_empty() {
        text.push_str(&format!("\n**Newly refused:** {}.\n", plain(&refusals(&step.newly_refuses).join("; "))));
    }
    for held in locks(step) {
        text.push_str(&format!("\n- Lock: {}", plain(&held)));
    }
    for guard in &step.guards {
        text.push_str(&format!("\n- Stops if {}", plain(&guard.found)));
    }
    if !step.locks.is_empty() || !step.guards.is_empty() {
        text.push('\n');
    }
    let sql: Vec<String> = statements(step).map(|s| statement(s)).collect();
    if !sql.is_empty() {
        text.push_str(&fenced(&sql.join("\n")));
    }
    match &step.down {
        Down::Impossible(why) => text.push_str(&format!("\nCannot be undone: {}.\n", plain(why.trim_end_matches('.')))),
        Down::Script { script, .. } => {
            let sql = down(script);
            if !sql.is_empty() {
                text.push_str(&format!("\nUndo:\n{}", fenced(&sql.join("\n"))));
            }
        }
    }
}

fn down(script: &Script) -> Vec<String> {
    script.before.iter().chain(&script.statements).chain(&script.after).map(|s| statement(s)).collect()
}

fn choices(plan: &Plan, text: &mut String) {
    if plan.choices.is_empty() {
        return;
    }
    text.push_str("\n## Choices\n\n| Where | Finding | Chosen | Other ways |\n|---|---|---|---|\n");
    for choice in &plan.choices {
        let word = |at: usize| {
            let option = &choice.options[at];
            let advised = advised(choice, at);
            format!("{}{advised}: {}", code(&option.word), cell(&told(choice, option)))
        };
        let others: Vec<String> = (0..choice.options.len()).filter(|at| *at != choice.chosen).map(word).collect();
        text.push_str(&format!(
            "| {} | {} {} | {} | {} |\n",
            code(&choice.subject),
            choice.reason.rule.code(),
            code(choice.reason.rule.name()),
            word(choice.chosen),
            others.join("<br>")
        ));
    }
}

fn statement(sql: &str) -> String {
    format!("{};", sql.trim_end().trim_end_matches(';'))
}

fn fenced(sql: &str) -> String {
    fenced_as("sql", sql)
}

fn fenced_as(language: &str, text: &str) -> String {
    format!("\n{}", block(language, text))
}
