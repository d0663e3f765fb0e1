//! What a source itself says is not to be heard: comments in SQL, and the comments that a database keeps.
//!
//! `-- referee: ignore RULE reason` before a statement or in it is about what that statement makes;
//! `-- referee: ignore-file RULE reason` about a whole file; `COMMENT ON CONSTRAINT … IS 'referee: ignore RULE reason'`
//! about a foreign key, the same on a table about the table.

use super::Finding;
use super::suppress::Suppression;
use crate::schema::{Schema, TableName};
use crate::source::History;
use crate::sql::Span;

/// What an ignore is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What bytes of a file make.
    Bytes {
        /// The file's path.
        file: String,
        /// The statement with its comments; the whole file if it says so.
        span: Span,
    },
    /// A table, or a key of it.
    Object {
        /// The table.
        table: TableName,
        /// The key's columns; `None` for the whole table.
        columns: Option<Vec<String>>,
    },
}

impl Scope {
    /// Tells whether it is about a finding: about the place that causes it, not about what that runs into.
    pub fn is_about(&self, finding: &Finding) -> bool {
        match self {
            Self::Bytes { file, span } => {
                finding.locations.first().is_some_and(|l| l.file == *file && l.start < span.end && l.end > span.start)
            }
            Self::Object { table, columns } => {
                finding.subject.table.as_ref() == Some(table)
                    && columns.as_ref().is_none_or(|c| *c == finding.subject.columns)
            }
        }
    }
}

/// Finds the ignores in the files of a history and in the comments of a schema.
pub fn find(history: &History, schema: &Schema) -> Vec<Suppression> {
    let mut found = Vec::new();
    let mut steps: Vec<Vec<Span>> = vec![Vec::new(); history.files.len()];
    for step in &history.steps {
        if let Some(of_file) = steps.get_mut(step.file) {
            of_file.push(step.statement.span);
        }
    }
    for (file, steps) in history.files.iter().zip(&steps) {
        let mut at = 0;
        for (line, text) in file.text.split_inclusive('\n').enumerate() {
            let (start, end) = (at, at + text.len());
            at = end;
            let Some(comment) = comment_in(text) else { continue };
            let Some((whole_file, rule, reason)) = directive(comment) else { continue };
            let span = if whole_file { Span::new(0, file.text.len()) } else { reach(&file.text, steps, start, end) };
            let origin = format!("{}:{}", file.path, line + 1);
            found.push(suppression(rule, reason, origin, Scope::Bytes { file: file.path.clone(), span }));
        }
    }
    for table in &schema.tables {
        let name = &table.name;
        let object = |columns| Scope::Object { table: name.clone(), columns };
        if let Some((_, rule, reason)) = table.comment.as_deref().and_then(directive) {
            found.push(suppression(rule, reason, format!("comment of table {name}"), object(None)));
        }
        for key in &table.foreign_keys {
            if let Some((_, rule, reason)) = key.comment.as_deref().and_then(directive) {
                let origin = format!("comment of {} on {name}", key.name.as_deref().unwrap_or("a foreign key"));
                found.push(suppression(rule, reason, origin, object(Some(key.columns.clone()))));
            }
        }
    }
    found
}

/// What a comment on this line is about: after a statement, that statement; before one, the next; inside of one, its own line,
/// or the next where it stands alone.
fn reach(text: &str, statements: &[Span], start: usize, end: usize) -> Span {
    let line = text.get(start..end).unwrap_or_default();
    let alone = line.trim_start().starts_with(['-', '#', '/']);
    let inside = statements.iter().find(|s| s.start < start && s.end >= end);
    if inside.is_some() {
        let next = text.get(end..).unwrap_or_default();
        let next = end + next.find('\n').map_or(next.len(), |n| n + 1);
        return if alone { Span::new(end, next) } else { Span::new(start, end) };
    }
    let here = statements.iter().rev().find(|s| !alone && s.start < end && s.end > start);
    let next = || statements.iter().filter(|s| s.start >= start).min_by_key(|s| s.start);
    here.or_else(next).copied().unwrap_or(Span::new(start, end))
}

fn suppression(rule: &str, reason: &str, origin: String, scope: Scope) -> Suppression {
    Suppression {
        rule: Some(rule.to_string()),
        subject: None,
        fingerprint: None,
        scope: Some(scope),
        reason: reason.to_string(),
        origin,
    }
}

/// Returns the text of a line's comment.
fn comment_in(line: &str) -> Option<&str> {
    let at = line.find("referee:")?;
    let before = line[..at].trim_end();
    let rest = line[at..].trim_end().trim_end_matches("*/").trim_end();
    (before.ends_with("--") || before.ends_with('#') || before.ends_with("/*")).then_some(rest)
}

/// Reads `referee: ignore RULE reason`: whether it is about the whole file, the rule, the reason.
fn directive(text: &str) -> Option<(bool, &str, &str)> {
    let rest = text.trim().strip_prefix("referee:")?.trim_start();
    let (word, rest) = rest.split_once(char::is_whitespace)?;
    let whole_file = match word {
        "ignore" => false,
        "ignore-file" => true,
        _ => return None,
    };
    let rest = rest.trim();
    let (rule, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let reason = reason.trim().trim_start_matches(['-', ':', '—']).trim();
    (!rule.is_empty()).then_some((whole_file, rule.trim_end_matches([',', ':']), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read() {
        assert_eq!(directive("referee: ignore REF101 because"), Some((false, "REF101", "because")));
        assert_eq!(directive("referee: ignore-file a-b: so it is"), Some((true, "a-b", "so it is")));
        assert_eq!(directive("referee: ignore a-b"), Some((false, "a-b", "")));
        assert_eq!(directive("referee: ignored a-b"), None);
        assert_eq!(comment_in("SELECT 'referee: ignore x y'"), None);
        assert_eq!(comment_in("x; -- referee: ignore x y\n"), Some("referee: ignore x y"));
        assert_eq!(comment_in("/* referee: ignore x y */"), Some("referee: ignore x y"));
    }
}
