//! A document as HTML. A page of its own is made by a template, which escapes by the same function.

use super::model::{Block, Lead, Line, Span, Table, Tone};
use crate::text::{one_line, visible};

/// Writes a document as elements that stand in a page.
pub(in crate::render) fn write(document: &[Block]) -> String {
    let mut out = String::new();
    document.iter().for_each(|block| one(block, &mut out));
    out
}

fn one(block: &Block, out: &mut String) {
    match block {
        Block::Heading { level, line, beside } => {
            let level = (*level).clamp(1, 6);
            let beside = if beside.is_empty() { String::new() } else { format!(" {}", inline(beside)) };
            out.push_str(&format!("<h{level}>{}{beside}</h{level}>\n", inline(line)));
        }
        Block::Paragraph(line) => out.push_str(&format!("<p>{}</p>\n", inline(line))),
        Block::List(items) => {
            out.push_str("<ul>\n");
            for item in items {
                let words = match &item.lead {
                    Lead::None | Lead::Bullet => String::new(),
                    Lead::Label { words, .. } => escaped(words),
                };
                out.push_str(&format!("<li>{words}{}</li>\n", inline(&item.line)));
            }
            out.push_str("</ul>\n");
        }
        Block::Table(rows) => table(rows, out),
        Block::Code { text, .. } => out.push_str(&format!("<pre>{}</pre>\n", escaped(text))),
        Block::Beside { words, blocks, .. } => {
            out.push_str(&format!("<p>{}</p>\n{}", escaped(words), write(blocks)));
        }
        Block::Indented(_, blocks) => out.push_str(&write(blocks)),
        Block::Gap => {}
    }
}

fn table(table: &Table, out: &mut String) {
    let number = |at: usize| if table.columns.get(at).is_some_and(|c| c.number) { " class=\"n\"" } else { "" };
    out.push_str("<table>\n<thead><tr>");
    for (at, column) in table.columns.iter().enumerate() {
        out.push_str(&format!("<th{}>{}</th>", number(at), escaped(column.title)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        let cells = row.iter().enumerate().map(|(at, line)| format!("<td{}>{}</td>", number(at), inline(line)));
        out.push_str(&format!("<tr>{}</tr>\n", cells.collect::<String>()));
    }
    out.push_str("</tbody>\n</table>\n");
}

/// Writes words as they stand in an element.
pub(in crate::render) fn inline(line: &Line) -> String {
    line.iter()
        .map(|span| match span {
            Span::Plain(text) => escaped(text),
            Span::Prose(text) => message(text),
            Span::Name(name) => code(name.raw()),
            Span::Code(text) => code(text),
            Span::Strong(line) => format!("<b>{}</b>", inline(line)),
            Span::Dim(line) => format!("<span class=\"soft\">{}</span>", inline(line)),
            Span::Toned(tone, line) => format!("<span class=\"{}\">{}</span>", class(*tone), inline(line)),
            Span::Break => "<br>".to_string(),
            Span::Space(_) => String::new(),
        })
        .collect()
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "ok",
        Tone::Note => "info",
        Tone::Doubt => "warning",
        Tone::Bad => "error",
    }
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(&one_line(text)))
}

/// A message: what stands in single backticks is code, if they pair up.
fn message(text: &str) -> String {
    if text.contains("``") || !text.matches('`').count().is_multiple_of(2) {
        return escaped(text);
    }
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { escaped(part) } else { code(part) }).collect()
}

/// Escapes words for an element or an attribute in quotes; the only place where this is done.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Escapes what a template writes.
#[derive(Clone, Copy)]
pub(crate) struct Escape;

impl askama::filters::Escaper for Escape {
    fn write_escaped_str<W: std::fmt::Write>(&self, mut to: W, text: &str) -> std::fmt::Result {
        to.write_str(&escaped(text))
    }
}
