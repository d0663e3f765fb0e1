//! Words of messages and names of databases as Markdown that means nothing else: what every Markdown document is made of.

use crate::text::{one_line, visible};

/// Prose of a message: its backticks are Markdown already, everything else is taken literally.
pub(super) fn plain(text: &str) -> String {
    let text = &visible(text);
    let mut escaped = String::new();
    let mut inside = false;
    // Backticks that do not pair up one by one are no code spans.
    let spans = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    for c in text.chars() {
        match c {
            '`' if spans => {
                inside = !inside;
                escaped.push('`');
            }
            '\n' | '\t' => escaped.push(' '),
            '<' | '>' | '*' | '_' | '[' | ']' | '\\' | '`' | '#' | '~' if !inside => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Prose in a cell of a table, where a pipe would begin the next cell (GFM §4.10).
pub(super) fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

/// A code span, safe in a cell of a table too. Longer fences than any run of backticks inside (CommonMark §6.1).
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let text = text.replace('|', "\\|");
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Writes a block of code; its fence is longer than any run of backticks in it (CommonMark §4.5).
pub(super) fn block(language: &str, text: &str) -> String {
    let text = visible(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// Counts the longest run of backticks, which a fence has to be longer than.
fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
