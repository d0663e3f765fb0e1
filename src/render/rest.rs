//! What a report says beside its findings, alike in the documents that have it: what was suppressed, what suppresses nothing, what
//! could not be done.

use super::document::{Block, Document, Lead, Line, Span, Table, Tone, plain};
use super::json::suppression_subject;
use crate::audit::Report;

/// What was suppressed, and by what.
pub(super) fn suppressed(report: &Report) -> Document {
    let mut table = Table::new(&["Rule", "Where", "Reason", "Written in"]);
    for suppressed in &report.suppressed {
        let by = report.suppressions.get(suppressed.by);
        table.row([
            vec![Span::Code(suppressed.finding.rule.name().to_string())],
            vec![Span::name(suppressed.finding.subject.place())],
            by.map_or_else(Line::new, |b| plain(&b.reason)),
            by.map_or_else(Line::new, |b| vec![Span::name(&b.origin)]),
        ]);
    }
    titled(&format!("Suppressed ({})", table.rows.len()), !table.rows.is_empty(), Block::Table(table))
}

/// The suppressions that nothing was found for.
pub(super) fn unused(report: &Report) -> Document {
    let unused = report.unused_suppressions.iter().filter_map(|&i| report.suppressions.get(i));
    let lines: Vec<Line> = unused
        .map(|s| vec![Span::name(&s.origin), Span::Plain(": ".to_string()), Span::name(suppression_subject(s))])
        .collect();
    titled("Suppressions about nothing", !lines.is_empty(), Block::list(&Lead::Bullet, lines))
}

/// What could not be done, and what helps.
pub(super) fn failures(report: &Report) -> Document {
    let lines = report.failures.iter().map(|failure| {
        let mut line = vec![
            Span::Strong(vec![Span::Prose(failure.what.clone())]),
            Span::Prose(format!(": {}.", failure.message.trim_end_matches('.'))),
        ];
        line.extend(failure.hint.iter().map(|hint| Span::Dim(vec![Span::Prose(format!(" {hint}"))])));
        line
    });
    let title = vec![Span::Toned(Tone::Bad, plain("Could not be done; the audit is incomplete"))];
    let list = Block::list(&Lead::Bullet, lines);
    if report.failures.is_empty() { Document::new() } else { vec![Block::heading(2, title), list] }
}

fn titled(title: &str, any: bool, block: Block) -> Document {
    if any { vec![Block::heading(2, plain(title)), block] } else { Document::new() }
}
