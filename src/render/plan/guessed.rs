//! What a plan says of relations that are only guessed: that they are no part of it, and how they are accepted.

use super::super::document::{Block, Document, Lead, plain, prose};
use super::super::style::{count, tame, thousands};
use super::Commands;
use crate::infer::Guess;
use crate::plan::Plan;
use crate::text::argument;

/// So many guesses are named, each with its command.
const SHOWN: usize = 5;

/// The same in every format.
pub(super) struct Guessed {
    /// How many there are, and what that means.
    pub headline: String,
    /// The first of them: what is behind it, and the command that accepts it.
    pub first: Vec<(String, String)>,
    /// Where the others are.
    pub more: Option<String>,
    /// How they are taken by their confidence.
    pub all: Option<String>,
    /// Those that are never taken by their confidence, and why.
    pub ruled_out: Vec<String>,
}

impl Guessed {
    /// Says where the others are, and which are never taken by their confidence.
    pub(super) fn rest(&self) -> Document {
        let mut document: Document = self
            .more
            .iter()
            .chain(&self.all)
            .map(|text| Block::Indented(2, vec![Block::Paragraph(prose(text))]))
            .collect();
        if !self.ruled_out.is_empty() {
            let list = Block::list(&Lead::None, self.ruled_out.iter().map(prose));
            let title = Block::Paragraph(plain("Never planned by their confidence:"));
            document.push(Block::Indented(2, vec![title, Block::Indented(2, vec![list])]));
        }
        document
    }
}

/// Says it; `None` if nothing is guessed.
pub(super) fn of(plan: &Plan, commands: &Commands) -> Option<Guessed> {
    if plan.guessed.is_empty() {
        return None;
    }
    let infer = commands.infer.as_deref().unwrap_or("referee infer SOURCE");
    let (out, open): (Vec<&Guess>, Vec<&Guess>) = plan.guessed.iter().partition(|g| g.ruled_out.is_some());
    let number = plan.guessed.len();
    let what = if number == 1 { "relation is" } else { "relations are" };
    let accept = if open.is_empty() { "" } else { " Accept those that are true (this writes referee.toml):" };
    let headline = format!("{number} guessed {what} not part of this plan: nothing is changed for a guess.{accept}");
    let command = |g: &&Guess| (behind(g), format!("{infer} --accept {}", argument(&g.relation)));
    let listed = format!("`{infer}` lists them all, with the evidence.");
    Some(Guessed {
        headline,
        first: open.iter().take(SHOWN).map(command).collect(),
        more: (open.len() > SHOWN).then(|| format!("And {} more: {listed}", open.len() - SHOWN)),
        all: (!open.is_empty()).then(|| {
            "To plan those from a confidence on for this run: --accept-inferred=0.9 (rows that contradict one still keep it out)"
                .to_string()
        }),
        ruled_out: out
            .iter()
            .take(SHOWN)
            .map(|g| format!("{} ({:.2}): {}", tame(&g.relation), g.confidence, g.ruled_out.as_deref().unwrap_or("")))
            .chain((out.len() > SHOWN).then(|| format!("and {} more: {listed}", out.len() - SHOWN)))
            .collect(),
    })
}

/// Writes `0.93, verified by data: 1,200 rows, no orphan row`.
fn behind(guess: &Guess) -> String {
    let rows = match (guess.rows, guess.orphans) {
        (Some(rows), Some(0)) => format!(": {} looked at, no orphan row", thousands(rows)),
        (Some(rows), Some(orphans)) => {
            format!(": {} of {} looked at are orphan rows", thousands(orphans), thousands(rows))
        }
        _ => String::new(),
    };
    format!("{:.2}, {}{rows}", guess.confidence, guess.standing())
}

/// Names how many they are, for a line: `3 guessed relations`.
pub(super) fn heading() -> &'static str {
    "Guessed, not planned"
}

/// Writes it in a line for those who read notes: how many, and the command for the first.
pub fn note(plan: &Plan, commands: &Commands) -> Option<String> {
    let guessed = of(plan, commands)?;
    let number = count(plan.guessed.len(), "guessed relation");
    Some(match guessed.first.first() {
        Some((_, command)) => format!(
            "{number} not planned, because nothing is changed for a guess; accept what is true: {command} (or --accept-inferred=0.9)"
        ),
        None => format!("{number} not planned: {}", guessed.ruled_out.join("; ")),
    })
}
