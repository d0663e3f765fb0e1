//! The lines of a file that a finding is about, with what is there under them.

use std::collections::BTreeMap;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::style::{Style, tame};
use crate::findings::{Finding, Location, Severity};
use crate::source::History;
use crate::text::commands_terminal;

/// How many characters of a place are marked.
const MARKED: usize = 36;

/// The texts of a history's files, by path.
pub(super) type Texts<'r> = BTreeMap<&'r str, &'r str>;

/// Returns the texts of a history's files; of two that are named alike, the first's.
pub(super) fn texts(history: &History) -> Texts<'_> {
    history.files.iter().rev().map(|f| (f.path.as_str(), f.text.as_str())).collect()
}

/// Draws the places of a finding, the one that causes it first; nothing if their text is not at hand.
pub(super) fn excerpts(finding: &Finding, texts: &Texts<'_>, style: &Style, indent: usize) -> Vec<String> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::NOTE,
    };
    let mut files: Vec<&str> = Vec::new();
    for location in &finding.locations {
        if !files.contains(&location.file.as_str()) {
            files.push(&location.file);
        }
    }
    let mut group = Group::with_level(level);
    let mut drawn = false;
    for file in files {
        let Some(text) = texts.get(file).copied() else { continue };
        let here = || finding.locations.iter().enumerate().filter(|(_, l)| l.file == file);
        // Only the lines from the first to the last place are handed over: a dump can be large.
        let first = here().map(|(_, l)| l.start).min().unwrap_or_default();
        let last = here().map(|(_, l)| l.end).max().unwrap_or_default();
        let from = text.get(..first).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
        let to = text.get(last..).and_then(|t| t.find('\n')).map_or(text.len(), |n| last + n);
        let Some(part) = text.get(from..to) else { continue };
        let line = here().map(|(_, l)| l.line).min().unwrap_or(1);
        // Positions must stay: a character that could command a terminal becomes as many blanks as it has bytes.
        let mut safe = String::with_capacity(part.len());
        for c in part.chars() {
            if commands_terminal(c) {
                (0..c.len_utf8()).for_each(|_| safe.push(' '));
            } else {
                safe.push(c);
            }
        }
        let mut snippet = Snippet::source(safe).path(tame(file)).line_start(line);
        for (number, location) in here() {
            snippet = snippet.annotation(annotation(number, location, from, part));
        }
        group = group.element(snippet);
        drawn = true;
    }
    if !drawn {
        return Vec::new();
    }
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let decor = if style.unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
    let renderer = renderer.decor_style(decor).term_width(style.width.saturating_sub(indent).max(40));
    renderer.render(&[group]).lines().map(|line| format!("{:indent$}{line}", "").trim_end().to_string()).collect()
}

/// Marks a place, or its beginning: a mark that is longer than the terminal is wide hides what is marked.
fn annotation<'l>(number: usize, location: &'l Location, from: usize, part: &str) -> annotate_snippets::Annotation<'l> {
    let kind = if number == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
    let end = (location.end - from).min(part.len());
    let start = (location.start - from).min(end);
    let marked = part.get(start..end).unwrap_or_default();
    let end = marked.char_indices().nth(MARKED).map_or(end, |(at, _)| start + at);
    let annotation = kind.span(start..end);
    if location.label.is_empty() { annotation } else { annotation.label(location.label.as_str()) }
}
