//! A document for a terminal: wrapped, indented, coloured.

use anstyle::{AnsiColor, Effects};

use super::super::style::{Style, width, wrap_sql};
use super::model::{Block, Item, Lead, Span, Table, Tone};
use crate::text::{one_line, visible};

/// A column of a table is not padded beyond so many columns.
const WIDEST: usize = 44;

/// Writes a document.
pub(in crate::render) fn write(document: &[Block], style: &Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    page.blocks(document, 0);
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

/// Escapes words for a line of a terminal; the only place where this is done.
fn escaped(text: &str) -> String {
    visible(text)
}

/// Letters that stand together, in pieces of one look each.
type Word = Vec<(anstyle::Style, String)>;

/// A part of a line that is filled.
enum Part {
    Word(Word),
    Break,
}

struct Page<'s> {
    style: &'s Style,
    lines: Vec<String>,
}

impl Page<'_> {
    fn blocks(&mut self, blocks: &[Block], indent: usize) {
        for block in blocks {
            match block {
                Block::Heading { line, beside, .. } => {
                    self.gap();
                    self.heading(&[Span::Strong(line.clone())], beside, indent);
                }
                Block::Paragraph(line) => self.hanging(line, indent, ""),
                Block::List(items) => items.iter().for_each(|item| self.item(item, indent)),
                Block::Table(table) => self.table(table, indent),
                Block::Code { language, text } => self.code(language, text, indent),
                Block::Beside { column, blocks, .. } => {
                    let first = self.lines.len();
                    self.blocks(blocks, indent + width(column));
                    if let Some(line) = self.lines.get_mut(first) {
                        line.replace_range(indent..indent + width(column), column);
                    }
                }
                Block::Indented(by, blocks) => self.blocks(blocks, indent + by),
                Block::Gap => self.gap(),
            }
        }
    }

    /// Writes an empty line, unless there is one, or nothing above.
    fn gap(&mut self) {
        if self.lines.last().is_some_and(|last| !last.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn item(&mut self, item: &Item, indent: usize) {
        let lead = match &item.lead {
            Lead::None => "",
            Lead::Bullet => "- ",
            Lead::Label { column, .. } => column,
        };
        self.hanging(&item.line, indent + 2 * item.depth, lead);
    }

    /// Writes a title, and at the line's end what stands beside it, or below it if there is no room.
    fn heading(&mut self, line: &[Span], beside: &[Span], indent: usize) {
        let (first, end) = (self.filled(line, indent), self.filled(beside, indent));
        let used = [&parts(line), &parts(beside)].map(|parts| wide(&words(parts)));
        let room = self.style.width.saturating_sub(indent + used[0] + used[1]);
        match (first.as_slice(), end.as_slice()) {
            ([title], [end]) if room >= 2 => {
                self.lines.push(format!("{:indent$}{title}{:room$}{end}", "", ""));
            }
            _ => {
                self.hanging(line, indent, "");
                self.hanging(beside, indent + 2, "");
            }
        }
    }

    /// Writes code: SQL in lines that still run, whatever else as it is, so that it can be copied.
    fn code(&mut self, language: &str, text: &str, indent: usize) {
        if language == "sql" {
            let lines = wrap_sql(text, self.style.width.saturating_sub(indent));
            self.lines.extend(lines.iter().map(|line| format!("{:indent$}{}", "", self.style.dim(line))));
        } else {
            self.lines.extend(escaped(text).lines().map(|line| format!("{:indent$}{line}", "")));
        }
    }

    /// Writes a line behind a lead; where it goes on it stands below its own beginning.
    fn hanging(&mut self, line: &[Span], indent: usize, lead: &str) {
        let lead = one_line(lead);
        let hang = indent + width(&lead);
        for (at, text) in self.filled(line, hang).into_iter().enumerate() {
            let text = if at == 0 { format!("{:indent$}{lead}{text}", "") } else { format!("{:hang$}{text}", "") };
            self.lines.push(text.trim_end().to_string());
        }
    }

    /// Breaks a line at spaces where it would reach beyond the width; a longer word stands alone.
    fn filled(&self, line: &[Span], indent: usize) -> Vec<String> {
        let room = self.style.width.saturating_sub(indent).max(20);
        let (mut lines, mut words, mut used) = (Vec::new(), Vec::new(), 0);
        for part in parts(line) {
            let wide = match &part {
                Part::Word(word) => word.iter().map(|(_, piece)| width(piece)).sum(),
                Part::Break => room,
            };
            if used > 0 && used + 1 + wide > room {
                lines.push(self.painted(&std::mem::take(&mut words)));
                used = 0;
            }
            if let Part::Word(word) = part {
                used += wide + usize::from(!words.is_empty());
                words.push(word);
            }
        }
        if !words.is_empty() {
            lines.push(self.painted(&words));
        }
        lines
    }

    /// Writes words with spaces between them; pieces of one look are painted together.
    fn painted(&self, words: &[Word]) -> String {
        let mut runs: Word = Vec::new();
        let mut add = |look: anstyle::Style, text: &str| match runs.last_mut() {
            Some((last, run)) if *last == look => run.push_str(text),
            _ => runs.push((look, text.to_string())),
        };
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                let look = |word: Option<&(anstyle::Style, String)>| word.map(|(look, _)| *look);
                let (before, behind) = (look(words[at - 1].last()), look(word.first()));
                add(before.filter(|_| before == behind).unwrap_or_default(), " ");
            }
            word.iter().for_each(|(look, piece)| add(*look, piece));
        }
        runs.iter().map(|(look, run)| self.looking(*look, run)).collect()
    }

    fn looking(&self, look: anstyle::Style, text: &str) -> String {
        if look == anstyle::Style::new() { text.to_string() } else { self.style.paint(look, text) }
    }

    /// Writes cells below each other; the last column is filled.
    fn table(&mut self, table: &Table, indent: usize) {
        let last = table.columns.len().saturating_sub(1);
        let widest: Vec<usize> = (0..last)
            .map(|at| {
                table
                    .rows
                    .iter()
                    .filter_map(|row| row.get(at))
                    .map(|line| wide(&words(&parts(line))))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &table.rows {
            let mut lead = " ".repeat(indent);
            let mut hang = indent;
            for ((line, widest), column) in row.iter().zip(&widest).zip(&table.columns) {
                let words = words(&parts(line));
                let (used, widest) = (wide(&words), (*widest).min(WIDEST));
                let gap = " ".repeat(widest.saturating_sub(used));
                let text = self.painted(&words);
                lead.push_str(&if column.number { format!("{gap}{text}  ") } else { format!("{text}{gap}  ") });
                hang += used.max(widest) + 2;
            }
            let filled = row.get(last).map(|line| self.filled(line, hang)).unwrap_or_default();
            let mut filled = filled.into_iter();
            self.lines.push(format!("{lead}{}", filled.next().unwrap_or_default()).trim_end().to_string());
            self.lines.extend(filled.map(|line| format!("{:hang$}{line}", "")));
        }
    }
}

/// The words of a line that is not broken.
fn words(parts: &[Part]) -> Vec<Word> {
    let word = |part: &Part| match part {
        Part::Word(word) => Some(word.clone()),
        Part::Break => None,
    };
    parts.iter().filter_map(word).collect()
}

/// Returns how many columns words take.
fn wide(words: &[Word]) -> usize {
    let each = words.iter().map(|word| word.iter().map(|(_, piece)| width(piece)).sum::<usize>());
    each.sum::<usize>() + words.len().saturating_sub(1)
}

/// Divides a line into words and breaks.
fn parts(line: &[Span]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open = false;
    collect(line, anstyle::Style::new(), &mut parts, &mut open);
    parts
}

/// Adds what a line is made of. `open` tells whether the next letters belong to the last word.
fn collect(line: &[Span], look: anstyle::Style, parts: &mut Vec<Part>, open: &mut bool) {
    let add = |piece: String, parts: &mut Vec<Part>, open: bool| match parts.last_mut() {
        Some(Part::Word(word)) if open => word.push((look, piece)),
        _ => parts.push(Part::Word(vec![(look, piece)])),
    };
    for span in line {
        match span {
            Span::Plain(text) | Span::Prose(text) => {
                for (at, line) in escaped(text).split('\n').enumerate() {
                    if at > 0 {
                        parts.push(Part::Break);
                        *open = false;
                    }
                    for (at, word) in line.split(char::is_whitespace).enumerate() {
                        *open &= at == 0;
                        if !word.is_empty() {
                            add(word.to_string(), parts, *open);
                            *open = true;
                        }
                    }
                }
            }
            Span::Name(name) => {
                add(one_line(name.raw()), parts, *open);
                *open = true;
            }
            Span::Code(text) => {
                add(one_line(text), parts, *open);
                *open = true;
            }
            Span::Strong(line) => collect(line, look.effects(look.get_effects() | Effects::BOLD), parts, open),
            Span::Dim(line) => collect(line, look.effects(look.get_effects() | Effects::DIMMED), parts, open),
            Span::Toned(tone, line) => collect(line, toned(look, *tone), parts, open),
            Span::Space(columns) => {
                add(" ".repeat(*columns), parts, *open);
                *open = true;
            }
            Span::Break => {
                parts.push(Part::Break);
                *open = false;
            }
        }
    }
}

fn toned(look: anstyle::Style, tone: Tone) -> anstyle::Style {
    let colour = match tone {
        Tone::Good => AnsiColor::Green,
        Tone::Note => AnsiColor::Blue,
        Tone::Doubt => AnsiColor::Yellow,
        Tone::Bad => AnsiColor::Red,
    };
    look.fg_color(Some(colour.into()))
}
