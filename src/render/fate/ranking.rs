//! The ranking of all tables: what a delete from each comes to.

use std::collections::BTreeMap;

use super::super::document::{self, Block, Span, Table, plain};
use super::super::style::{Style, count};
use super::{Commands, padded, tone};
use crate::fate::{Rank, Verdict};
use crate::schema::Engine;

/// The columns that a verdict takes.
const VERDICT: usize = 16;

/// Writes it for a reader at a terminal.
pub fn text(ranks: &[Rank], commands: &Commands, style: &Style) -> String {
    if ranks.is_empty() {
        return document::text::write(&[Block::Paragraph(plain("no tables"))], style);
    }
    let mut table = Table::new(&["Table", "Verdict", "Why"]);
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
        let verdict = Span::Toned(tone(rank.verdict), padded(rank.verdict.name(), VERDICT));
        table.row([vec![Span::name(&rank.table)], vec![verdict], plain(parts.join(", "))]);
    }
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    ranks.iter().for_each(|r| *counts.entry(r.verdict).or_default() += 1);
    let each: Vec<String> = counts.iter().rev().map(|(verdict, n)| format!("{n} {}", verdict.name())).collect();
    let text = format!(
        "{}: {}. `{} TABLE` says why, and what to do.",
        count(ranks.len(), "table"),
        each.join(", "),
        commands.fate
    );
    document::text::write(&[Block::Table(table), Block::Gap, Block::Paragraph(plain(text))], style)
}

/// Writes it as a document.
pub fn markdown(engine: Engine, ranks: &[Rank]) -> String {
    let mut table = Table::new(&["Table", "Verdict", "Today", "#In the way", "#Tables that lose rows"]);
    for r in ranks {
        let today = r.today.map(|t| t.name()).unwrap_or_default();
        let words = [r.verdict.to_string(), today.to_string(), r.blockers.to_string(), r.deleted.to_string()];
        table.row(std::iter::once(vec![Span::name(&r.table)]).chain(words.into_iter().map(plain)));
    }
    let title = format!("What a delete comes to, table by table ({engine})");
    document::markdown::write(&[Block::heading(1, plain(title)), Block::Table(table)])
}
