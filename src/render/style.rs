//! What text looks like: colour, characters, width; wrapping.

use anstyle::{AnsiColor, Effects};
use unicode_width::UnicodeWidthStr;

use crate::findings::Severity;
use crate::text::visible;

/// How text is written. The caller knows the terminal; renderers know only this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are written.
    pub colour: bool,
    /// Whether characters beyond ASCII are used for marks and lines.
    pub unicode: bool,
    /// How many columns a line may have.
    pub width: usize,
    /// Whether it is written to a file, where SQL stands exactly as it runs.
    pub file: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, unicode: true, width: 80, file: false }
    }
}

impl Style {
    pub(super) fn paint(&self, style: anstyle::Style, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_string()
        }
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::BOLD), text)
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::DIMMED), text)
    }

    pub(super) fn colour(&self, colour: AnsiColor, text: &str) -> String {
        self.paint(colour.on_default(), text)
    }

    pub(super) fn severity(&self, severity: Severity, text: &str) -> String {
        let colour = match severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Info => AnsiColor::Blue,
        };
        self.paint(colour.on_default().effects(Effects::BOLD), text)
    }

    pub(super) fn mark(&self, severity: Severity) -> &'static str {
        match (severity, self.unicode) {
            (Severity::Error, true) => "✖",
            (Severity::Warning, true) => "▲",
            (Severity::Info, true) => "●",
            (Severity::Error, false) => "x",
            (Severity::Warning, false) => "!",
            (Severity::Info, false) => "i",
        }
    }

    /// Returns `·`, or what stands for it in ASCII.
    pub(super) fn dot(&self) -> &'static str {
        if self.unicode { "·" } else { "-" }
    }

    pub(super) fn rule(&self, width: usize) -> String {
        (if self.unicode { "─" } else { "-" }).repeat(width)
    }
}

/// Returns how many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Writes out what would move the cursor, change the terminal or reorder a line: names and values come from the database.
pub(super) fn tame(text: &str) -> String {
    visible(text)
}

/// Breaks prose into lines of at most `width` columns, at spaces; a longer word stands alone on its line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in tame(text).lines() {
        fill(paragraph.split_whitespace().map(str::to_string), width, "", &mut lines);
    }
    lines
}

/// Breaks SQL into lines of at most `width` columns, at spaces outside of quotes, so that it still runs when copied.
pub(super) fn wrap_sql(sql: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut quote = None;
    // A line break inside a literal must stay; such statements are rare and are written as they are.
    let parameter = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    if !sql.split('$').skip(1).all(parameter) || sql.contains("/*") {
        return tame(sql).lines().map(str::to_string).collect();
    }
    for line in tame(sql).lines() {
        if quote.is_some() {
            lines.push(line.to_string());
            scan_quotes(line, &mut quote);
            continue;
        }
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        if let Some(comment) = line.trim_start().strip_prefix("--") {
            let prefix = format!("{indent}-- ");
            let room = width.saturating_sub(prefix.len()).max(20);
            lines.extend(wrap(comment, room).into_iter().map(|l| format!("{prefix}{l}")));
            continue;
        }
        let mut words = Vec::new();
        let mut word = String::new();
        let mut rest = line.trim_start().chars().peekable();
        while let Some(c) = rest.next() {
            match quote {
                Some(q) if c == q => quote = None,
                None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
                None if c == '-' && rest.peek() == Some(&'-') => {
                    // A comment runs to the end of the line: nothing of it may reach the next one.
                    word.push(c);
                    word.extend(rest.by_ref());
                    break;
                }
                None if c == ' ' => {
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    continue;
                }
                _ => {}
            }
            word.push(c);
        }
        if !word.is_empty() {
            words.push(word);
        }
        let first = lines.len();
        let room = width.saturating_sub(indent.len());
        fill(words.into_iter(), room, "  ", &mut lines);
        lines[first..].iter_mut().for_each(|l| l.insert_str(0, &indent));
    }
    lines
}

fn scan_quotes(line: &str, quote: &mut Option<char>) {
    for c in line.chars() {
        match *quote {
            Some(q) if c == q => *quote = None,
            None if matches!(c, '\'' | '"' | '`') => *quote = Some(c),
            _ => {}
        }
    }
}

fn fill(words: impl Iterator<Item = String>, room: usize, hang: &str, lines: &mut Vec<String>) {
    let mut line = String::new();
    let mut empty = true;
    for word in words {
        if !empty && width(&line) + 1 + width(&word) > room {
            lines.push(std::mem::take(&mut line));
            line.push_str(hang);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    if !empty {
        lines.push(line);
    }
}

/// Writes a number with commas between thousands.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes `1 table`, `2 tables`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let number_text = thousands(number as u64);
    match (number, noun.strip_suffix('x')) {
        (1, _) => format!("{number_text} {noun}"),
        (_, Some(_)) => format!("{number_text} {noun}es"),
        (_, None) => format!("{number_text} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_at_words_and_measured_in_columns() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("日本 日本", 4), ["日本", "日本"]);
        assert_eq!(wrap("a_very_long_identifier b", 5), ["a_very_long_identifier", "b"]);
        assert_eq!(wrap("a\u{1b}[31mb", 20), ["a\\u{1b}[31mb"]);
        assert_eq!(wrap("a\u{202e}b", 20), ["a\\u{202e}b"]);
    }

    #[test]
    fn sql_is_never_broken_inside_quotes_or_comments() {
        assert_eq!(wrap_sql("SELECT 'a b c d' FROM t", 10), ["SELECT", "  'a b c d'", "  FROM t"]);
        assert_eq!(wrap_sql("SELECT \"a  b\" FROM t", 40), ["SELECT \"a  b\" FROM t"]);
        let lines = wrap_sql("-- one two three four five six", 24);
        assert_eq!(lines, ["-- one two three four", "-- five six"]);
        assert_eq!(wrap_sql("SELECT 1 -- it is so", 10), ["SELECT 1", "  -- it is so"]);
        assert_eq!(wrap_sql("SELECT a WHERE b = $1", 10), ["SELECT a", "  WHERE b", "  = $1"]);
        assert_eq!(wrap_sql("SELECT $$a b c d$$", 10), ["SELECT $$a b c d$$"]);
        assert_eq!(wrap_sql("SELECT 'a\n  b'", 40), ["SELECT 'a", "  b'"]);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!((count(1, "index"), count(2, "index")), ("1 index".into(), "2 indexes".into()));
    }
}
