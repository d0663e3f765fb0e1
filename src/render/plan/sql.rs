//! `sql`: the statements of the plan, in order, with comments that say what each step is for.

use super::{Commands, guessed, heading, not_counted, rows, rules, statements, summary, unmended};
use crate::migration;
use crate::plan::{Down, Plan, Reason, Step};
use crate::text::{commands_terminal, comment, visible};

/// Writes the script. Where it is not for a file, no statement holds what a terminal would act on.
pub fn render(source: &str, commands: &Commands, plan: &Plan, file: bool) -> String {
    let mut text = format!("-- {} ({}): {}\n", comment(source), plan.engine, comment(&summary(plan)));
    if let Some(sentence) = not_counted(plan) {
        text.push_str(&format!("-- {}.\n", comment(&sentence)));
    }
    if plan.steps.iter().any(|s| s.touches_rows) {
        text.push_str("-- It changes rows.\n");
    }
    if let Some(command) = commands.backup.as_deref().filter(|_| !plan.steps.is_empty()) {
        text.push_str(&format!("-- Keep a copy of the database first: {}\n", comment(command)));
    }
    if let Some(line) = migration::stops_at_errors(plan.engine).filter(|_| !plan.steps.is_empty()) {
        if let Some(sentence) = migration::not_to_be_pasted(plan.engine) {
            text.push_str(&format!("-- {sentence}\n"));
        }
        text.push_str(&format!("-- Stop at the first error: after one, a check that fails stops nothing.\n{line}\n"));
    }
    let mut phase = None;
    for step in &plan.steps {
        if phase != Some(step.phase) {
            text.push_str(&format!("\n-- {}\n", heading(step.phase)));
            phase = Some(step.phase);
        }
        text.push_str(&one(plan, step, file));
    }
    for entry in unmended(plan) {
        let named = |(subject, reasons): &(&str, Vec<&Reason>)| {
            format!("{} {}", rules(reasons.iter().copied()).join(", "), comment(subject))
        };
        let places: Vec<String> = entry.places.iter().map(named).collect();
        text.push_str(&format!("\n-- Not fixed: {}: {}\n", places.join("; "), comment(entry.why)));
    }
    if let Some(guessed) = guessed::of(plan, commands) {
        text.push_str(&format!("\n-- {}: {}\n", guessed::heading(), comment(&guessed.headline)));
        let accepted = guessed.first.iter().map(|(behind, command)| format!("{command}  ({behind})"));
        for line in accepted.chain(guessed.more).chain(guessed.all) {
            text.push_str(&format!("--   {}\n", comment(&line)));
        }
        for line in &guessed.ruled_out {
            text.push_str(&format!("--   never by its confidence: {}\n", comment(line)));
        }
    }
    text
}

fn one(plan: &Plan, step: &Step, file: bool) -> String {
    let mut text = String::from("\n");
    if let Some(rows) = rows(step) {
        text.push_str(&format!("-- Rows: {}\n", comment(&rows)));
    }
    let up = migration::script(plan, step);
    if file || !up.contains(commands_terminal) {
        text.push_str(&up);
    } else {
        // Written out it would run, and mean another name; SQLite even takes an unknown name for a text.
        text.push_str(
            "-- NOT RUN FROM HERE: a name holds control characters. `-o FILE` writes the statements exactly.\n",
        );
        visible(&up).lines().for_each(|l| text.push_str(&format!("--   {l}\n")));
    }
    if let Down::Impossible(why) = &step.down {
        text.push_str(&format!("-- Cannot be undone: {}\n", comment(why)));
    }
    if statements(step).next().is_none() {
        text.push_str("-- Nothing to run.\n");
    }
    text
}
