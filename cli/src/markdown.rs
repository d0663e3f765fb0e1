//! Rule pages at a terminal: headings bold, text wrapped, code indented.

use anstyle::Style as Ansi;
use unicode_width::UnicodeWidthStr;

use referee::render::Style;

/// Renders the Markdown that rule pages are written in: headings, paragraphs, lists, fenced code, `code`, links.
pub(super) fn render(page: &str, style: &Style) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut marker = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let item = item(line.trim_start(), style);
        let fence = line.trim_start().strip_prefix("```");
        let heading = line.trim_start_matches('#');
        let is_heading = heading.len() < line.len() && heading.starts_with(' ');
        // A line that starts something ends the paragraph before it.
        if line.trim().is_empty() || item.is_some() || fence.is_some() || is_heading {
            flush(&mut out, &mut paragraph, &marker, style);
            marker.clear();
        }
        if let Some(info) = fence {
            if let Some(caption) = caption(info) {
                out.push_str(&format!("    {}\n", paint(&caption, Ansi::new().dimmed(), style.colour)));
            }
            for code in lines.by_ref().take_while(|l| l.trim() != "```") {
                out.push_str(format!("    {code}").trim_end());
                out.push('\n');
            }
        } else if is_heading {
            out.push_str(&bold(heading.trim(), style.colour));
            out.push('\n');
        } else if let Some((found, text)) = item {
            marker = found;
            paragraph.push_str(text);
        } else if line.trim().is_empty() {
            // One empty line between blocks, none at the start.
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line.trim());
        }
    }
    flush(&mut out, &mut paragraph, &marker, style);
    format!("{}\n", out.trim_end())
}

/// Splits a list's item into what stands before its text, and its text.
fn item<'l>(line: &'l str, style: &Style) -> Option<(String, &'l str)> {
    if let Some(text) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some((if style.unicode { "• " } else { "- " }.to_string(), text));
    }
    let (number, text) = line.split_once(". ")?;
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| (format!("{number}. "), text))
}

fn flush(out: &mut String, paragraph: &mut String, marker: &str, style: &Style) {
    if paragraph.is_empty() {
        return;
    }
    let wrapped = wrap(&links(paragraph), style.width, marker, &" ".repeat(marker.width()));
    out.push_str(&if style.colour { highlight(&wrapped) } else { wrapped });
    paragraph.clear();
}

/// Says what a fenced block is: its info string is `sql sqlite finds data`.
fn caption(info: &str) -> Option<String> {
    let mut words = info.split_whitespace();
    let language = words.next()?;
    if language == "toml" {
        return Some("referee.toml:".to_string());
    }
    let engine = match words.next()? {
        "sqlite" => "SQLite",
        "postgres" => "PostgreSQL",
        "cockroach" => "CockroachDB",
        other => other,
    };
    let (mut verdict, mut conditions) = ("", Vec::new());
    for word in words {
        match word {
            "finds" => verdict = "found",
            "clean" => verdict = "not found",
            "data" => conditions.push("with --data".to_string()),
            "foreign-keys-on" => conditions.push("with --foreign-keys on".to_string()),
            _ => match word.strip_prefix("pg") {
                Some(version) => conditions.push(format!("from version {version} on")),
                None => conditions.push(word.to_string()),
            },
        }
    }
    let conditions: String = conditions.iter().map(|c| format!(", {c}")).collect();
    Some(format!("-- {engine}{conditions}: {verdict}"))
}

/// Writes `[text](address)` as `text (address)`.
fn links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, label, address, after)) = next_link(rest) {
        out.push_str(before);
        out.push_str(&if label == address { label.to_string() } else { format!("{label} ({address})") });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let middle = text.find("](")?;
    let start = text[..middle].rfind('[')?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], &text[start + 1..middle], &text[middle + 2..end], &text[end + 1..]))
}

/// Colours what stands between backticks.
fn highlight(text: &str) -> String {
    let code = Ansi::new().fg_color(Some(anstyle::AnsiColor::Cyan.into()));
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text.to_string();
    }
    let part = |(i, part): (usize, &&str)| if i % 2 == 1 { paint(part, code, true) } else { part.to_string() };
    parts.iter().enumerate().map(part).collect()
}

pub(super) fn bold(text: &str, colour: bool) -> String {
    paint(text, Ansi::new().bold(), colour)
}

fn paint(text: &str, style: Ansi, colour: bool) -> String {
    if colour { format!("{}{text}{}", style.render(), style.render_reset()) } else { text.to_string() }
}

/// Breaks a text into lines of at most `width` columns, the first after `first`, the others after `hanging`.
pub(super) fn wrap(text: &str, width: usize, first: &str, hanging: &str) -> String {
    let mut out = String::from(first);
    let (mut column, mut empty) = (first.width(), true);
    for word in text.split_whitespace() {
        if !empty && column + 1 + word.width() > width {
            out.push('\n');
            out.push_str(hanging);
            (column, empty) = (hanging.width(), true);
        }
        if !empty {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.width();
        empty = false;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# a-rule\n\nFinds `NOT NULL` columns that a delete sets to NULL, which is a contradiction.\n\n\
        ## Example\n\n```sql postgres finds data pg15\nCREATE TABLE t (\n  id int\n);\n```\n\n\
        - one thing that is long enough to be broken over two lines\n- [the manual](https://example.org/x)\n\n\
        1. first this, which is said at some length\n2. then that\n";

    #[test]
    fn a_page_is_wrapped_and_its_code_is_not() {
        let style = Style { colour: false, unicode: true, width: 40, file: false };
        insta::assert_snapshot!(render(PAGE, &style), @r#"
        a-rule

        Finds `NOT NULL` columns that a delete
        sets to NULL, which is a contradiction.

        Example

            -- PostgreSQL, with --data, from version 15 on: found
            CREATE TABLE t (
              id int
            );

        • one thing that is long enough to be
          broken over two lines
        • the manual (https://example.org/x)

        1. first this, which is said at some
           length
        2. then that
        "#);
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let plain = render(PAGE, &Style { colour: false, unicode: false, width: 40, file: false });
        let coloured = render(PAGE, &Style { colour: true, unicode: false, width: 40, file: false });
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        assert_ne!(plain, coloured);
        assert_eq!(plain.replace('`', ""), stripped);
    }
}
