//! A document as Markdown that GitHub renders (GFM), in which nothing foreign means anything.

use super::model::{Block, Column, Item, Lead, Line, Span, Table};
use crate::text::{one_line, visible};

/// Writes a document. Blocks have an empty line between them.
pub(in crate::render) fn write(document: &[Block]) -> String {
    let mut blocks = Vec::new();
    each(document, &mut blocks);
    blocks.join("\n")
}

fn each(document: &[Block], out: &mut Vec<String>) {
    for block in document {
        match block {
            Block::Heading { level, line, beside } => {
                let (title, beside) = (inline(line, Place::Line), inline(beside, Place::Line));
                let beside = if beside.is_empty() { beside } else { format!(" ({beside})") };
                out.push(format!("{} {title}{beside}\n", "#".repeat((*level).max(1))));
            }
            Block::Paragraph(line) => {
                let text = paragraph(&inline(line, Place::Line));
                out.extend((!text.is_empty()).then(|| format!("{text}\n")));
            }
            Block::List(items) => out.push(items.iter().map(item).collect()),
            Block::Table(rows) => out.push(table(rows)),
            Block::Code { language, text } => out.push(fenced(language, text)),
            Block::Beside { words, blocks, .. } => {
                out.push(format!("{}\n", literal(words)));
                each(blocks, out);
            }
            Block::Indented(_, blocks) => each(blocks, out),
            Block::Gap => {}
        }
    }
}

fn item(item: &Item) -> String {
    let words = match &item.lead {
        Lead::None | Lead::Bullet => String::new(),
        Lead::Label { words, .. } => literal(words),
    };
    format!("{}- {}\n", "  ".repeat(item.depth), paragraph(&format!("{words}{}", inline(&item.line, Place::Line))))
}

fn table(table: &Table) -> String {
    let titles: Vec<&str> = table.columns.iter().map(|c| c.title).collect();
    let marks: String =
        table.columns.iter().map(|Column { number, .. }| if *number { "--:|" } else { "---|" }).collect();
    let mut text = format!("| {} |\n|{marks}\n", titles.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|line| inline(line, Place::Cell)).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Where words stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Line,
    /// In a cell of a table, where a pipe would begin the next one (GFM §4.10).
    Cell,
}

fn inline(line: &Line, place: Place) -> String {
    line.iter().map(|span| one(span, place)).collect()
}

fn one(span: &Span, place: Place) -> String {
    let text = match span {
        Span::Plain(text) => literal(text),
        Span::Prose(text) => message(text),
        Span::Name(name) => code(name.raw()),
        Span::Code(text) => code(text),
        Span::Strong(line) => return format!("**{}**", inline(line, place)),
        Span::Dim(line) | Span::Toned(_, line) => return inline(line, place),
        Span::Break => "<br>".to_string(),
        Span::Space(_) => String::new(),
    };
    // Before anything else is read, in code, too (GFM §4.10, example 200).
    if place == Place::Cell { text.replace('|', "\\|") } else { text }
}

/// A message: its backticks are Markdown already, if they pair up one by one; everything else is taken literally.
fn message(text: &str) -> String {
    if text.contains("``") || !text.matches('`').count().is_multiple_of(2) {
        return literal(text);
    }
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { literal(part) } else { code(part) }).collect()
}

/// Escapes words that mean themselves; with [`code`] and [`fenced`] the only place where this is done.
fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let shown = visible(text);
    let mut rest = shown.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => escaped.push(' '),
            '<' | '>' | '*' | '_' | '[' | ']' | '\\' | '`' | '#' | '~' => escaped.extend(['\\', c]),
            // What could be an entity (CommonMark §2.5).
            '&' if rest.peek().is_some_and(|c| c.is_ascii_alphanumeric() || *c == '#') => escaped.push_str("\\&"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Escapes what a paragraph or an item must not begin with: what would make it a list or a rule (CommonMark §4.1, §5.2).
fn paragraph(text: &str) -> String {
    let text = text.trim_matches(' ');
    let at = text.bytes().take_while(u8::is_ascii_digit).count();
    let (mark, next) = (text.as_bytes().get(at), text.as_bytes().get(at + 1));
    let ends = matches!(next, None | Some(b' '));
    let means = match mark {
        Some(b'.' | b')') => at > 0 && ends,
        Some(b'+') => at == 0 && ends,
        Some(b'-') => at == 0 && (ends || next == Some(&b'-')),
        _ => false,
    };
    if means { format!("{}\\{}", &text[..at], &text[at..]) } else { text.to_string() }
}

/// A code span. Its fence is longer than any run of backticks inside, and a space at both ends is taken off (CommonMark §6.1).
fn code(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() {
        // There is no empty one.
        return "`\"\"`".to_string();
    }
    let ticks = "`".repeat(longest_run(&text) + 1);
    let blank = text.bytes().all(|b| b == b' ');
    let ends = |c: char| text.starts_with(c) && text.ends_with(c);
    let pad = if text.starts_with('`') || text.ends_with('`') || ends(' ') && !blank { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A block of code; its fence is longer than any run of backticks in it (CommonMark §4.5).
fn fenced(language: &str, text: &str) -> String {
    let text = visible(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// Counts the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
