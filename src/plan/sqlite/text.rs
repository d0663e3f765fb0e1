//! Edits the text of `CREATE TABLE` as SQLite keeps it: what a change asks for and nothing else.
//!
//! Everything else stays as it was written: types, checks, collations, generated columns, comments, white space. The text is
//! only edited here; whether the edited text says what it should is for SQLite to tell (see `rehearsal`).

use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::schema::{Action, Engine, ForeignKey, Match, Table, Timing};
use crate::sql::ast::{ColumnDef, Constraint, ConstraintKind, CreateTable, References};
use crate::sql::lexer::{Kind, Token, tokens};
use crate::sql::{Command, Span};

/// A foreign key as it is written.
struct Written<'a> {
    columns: Vec<String>,
    constraint: &'a Constraint,
    references: &'a References,
    inline: bool,
}

/// Returns the text after a change; `table` is the table before it.
///
/// # Errors
/// The change cannot be made by editing the table's text, or the text does not say what `table` says.
pub(super) fn edit(text: &str, table: &Table, change: &Change) -> Result<String, String> {
    let made = read(text).ok_or_else(|| format!("the definition of {} cannot be read", table.name))?;
    match change {
        Change::AddForeignKey { foreign_key, .. } => add_key(text, &made, foreign_key),
        Change::DropForeignKey { foreign_key, .. } => {
            let key = find(&made, table, foreign_key)?;
            Ok(if key.inline { without(text, key.constraint.span) } else { without_element(text, key.constraint.span) })
        }
        Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
            replace_key(text, &made, table, old, new)
        }
        Change::SetNullable { column, nullable, .. } => set_nullable(text, column_of(&made, column)?, *nullable),
        Change::SetDefault { column, default, .. } => {
            Ok(set_default(text, column_of(&made, column)?, default.as_deref()))
        }
        _ => {
            Err("SQLite cannot make this change in a table that exists, and referee does not make it by rebuilding one"
                .to_string())
        }
    }
}

/// Returns the places (SQLite's `id`s of `foreign_key_list` and `foreign_key_check`) of the keys that a text declares, by
/// child's columns, parent and actions equal to these; the ids run against the order of declaration.
pub(super) fn key_ids(text: &str, keys: &[ForeignKey]) -> Vec<usize> {
    let Some(made) = read(text) else { return Vec::new() };
    let written = written(&made);
    let place = |key: &ForeignKey| written.iter().rposition(|w| same(w, key));
    let mut ids: Vec<usize> = keys.iter().filter_map(place).map(|at| written.len() - 1 - at).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn read(text: &str) -> Option<CreateTable> {
    let statement = crate::sql::read(Engine::Sqlite, text).into_iter().next()?;
    match statement.commands.into_iter().next()?.command {
        Command::CreateTable(made) if !made.virtual_table && !made.as_query => Some(*made),
        _ => None,
    }
}

fn written(made: &CreateTable) -> Vec<Written<'_>> {
    let mut keys = Vec::new();
    for column in &made.columns {
        for constraint in &column.constraints {
            if let ConstraintKind::ForeignKey(references) = &constraint.kind {
                keys.push(Written { columns: vec![column.name.text.clone()], constraint, references, inline: true });
            }
        }
    }
    for constraint in &made.constraints {
        if let ConstraintKind::ForeignKey(references) = &constraint.kind {
            let columns = references.columns.iter().map(|c| c.text.clone()).collect();
            keys.push(Written { columns, constraint, references, inline: false });
        }
    }
    keys.sort_by_key(|k| k.constraint.span.start);
    keys
}

fn equal(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Tells whether a written key is this one, as far as columns, parent and actions tell.
fn same(written: &Written<'_>, key: &ForeignKey) -> bool {
    let parent: Vec<String> = written.references.parent_columns.iter().map(|c| c.text.clone()).collect();
    let action = |a: Option<(Action, Span)>| a.map_or(Action::NoAction, |(a, _)| a);
    equal(&written.columns, &key.columns)
        && written.references.parent.name.eq_ignore_ascii_case(&key.parent.name)
        && (parent.is_empty() || equal(&parent, &key.parent_columns))
        && action(written.references.on_delete) == key.on_delete
        && action(written.references.on_update) == key.on_update
}

fn find<'a>(made: &'a CreateTable, table: &Table, key: &ForeignKey) -> Result<Written<'a>, String> {
    let mut candidates: Vec<Written<'a>> = written(made).into_iter().filter(|w| same(w, key)).collect();
    let named = |w: &Written<'_>| w.constraint.name.as_ref().map(|n| n.text.as_str()) == key.name.as_deref();
    if candidates.iter().any(named) {
        candidates.retain(named);
    }
    let timed = |w: &Written<'_>| w.constraint.timing.unwrap_or_default() == key.timing;
    if candidates.iter().any(timed) {
        candidates.retain(timed);
    }
    // Of keys that say the same, the one that was declared last acts first.
    candidates.pop().ok_or_else(|| {
        let columns = key.columns.join(", ");
        format!("the definition of {} has no such foreign key on ({columns})", table.name)
    })
}

fn column_of<'a>(made: &'a CreateTable, name: &str) -> Result<&'a ColumnDef, String> {
    let found = made.columns.iter().find(|c| c.name.text.eq_ignore_ascii_case(name));
    found.ok_or_else(|| format!("the definition of {} has no column {name}", made.name.name))
}

fn splice(text: &str, span: Span, with: &str) -> String {
    let (before, after) = (text.get(..span.start).unwrap_or_default(), text.get(span.end..).unwrap_or_default());
    format!("{before}{with}{after}")
}

fn insert(text: &str, at: usize, what: &str) -> String {
    splice(text, Span::new(at, at), what)
}

/// Moves the start of a span over the white space before it, unless a line comment ends there, which needs its line's end.
fn with_space_before(text: &str, span: Span) -> Span {
    let mut start = span.start;
    let all = tokens(Engine::Sqlite, text);
    let mut before = all.iter().filter(|t| t.end <= span.start).rev();
    if let Some(space) = before.next().filter(|t| t.kind == Kind::Space)
        && before.next().is_none_or(|t| t.kind != Kind::LineComment)
    {
        start = space.start;
    }
    Span::new(start, span.end)
}

/// Returns the text without a constraint of a column.
fn without(text: &str, span: Span) -> String {
    splice(text, with_space_before(text, span), "")
}

/// Returns the text without a constraint of the table, and without the comma before it. A comment between comma and
/// constraint stays: it may be about what stands before.
fn without_element(text: &str, span: Span) -> String {
    let shorter = splice(text, with_space_before(text, span), "");
    let all = tokens(Engine::Sqlite, text);
    let significant: Vec<&Token> = all.iter().filter(|t| t.is_significant()).collect();
    let comma = significant.iter().rfind(|t| t.end <= span.start).filter(|t| t.is_punctuation(text, ','));
    let next = significant.iter().find(|t| t.start >= span.end);
    let ends = next.is_some_and(|t| t.is_punctuation(text, ',') || t.is_punctuation(text, ')'));
    match comma {
        Some(comma) if ends => splice(&shorter, Span::new(comma.start, comma.end), ""),
        _ => shorter,
    }
}

fn name(constraint: Option<&str>) -> String {
    constraint.map(|n| format!("CONSTRAINT {} ", DIALECT.identifier(n))).unwrap_or_default()
}

/// Writes a key from REFERENCES on.
pub(super) fn references(key: &ForeignKey) -> String {
    let mut sql = format!("REFERENCES {}", DIALECT.table(&key.parent));
    if !key.parent_columns.is_empty() {
        sql.push_str(&format!(" ({})", DIALECT.columns(&key.parent_columns)));
    }
    if key.on_delete != Action::NoAction || key.on_delete_written == Some(true) {
        sql.push_str(&format!(" ON DELETE {}", key.on_delete));
    }
    if key.on_update != Action::NoAction {
        sql.push_str(&format!(" ON UPDATE {}", key.on_update));
    }
    match key.matching {
        Match::Simple => {}
        Match::Full => sql.push_str(" MATCH FULL"),
        Match::Partial => sql.push_str(" MATCH PARTIAL"),
    }
    match key.timing {
        Timing::Immediate => {}
        Timing::Deferrable => sql.push_str(" DEFERRABLE INITIALLY IMMEDIATE"),
        Timing::Deferred => sql.push_str(" DEFERRABLE INITIALLY DEFERRED"),
    }
    sql
}

/// Adds a key as the last constraint of the table.
fn add_key(text: &str, made: &CreateTable, key: &ForeignKey) -> Result<String, String> {
    let elements = made.columns.iter().map(|c| c.span).chain(made.constraints.iter().map(|c| c.span));
    let last = elements.max_by_key(|s| s.end).ok_or("the definition has no columns")?;
    let close = closing_parenthesis(text, made).filter(|c| *c >= last.end).ok_or("the definition cannot be read")?;
    let constraint =
        format!("{}FOREIGN KEY ({}) {}", name(key.name.as_deref()), DIALECT.columns(&key.columns), references(key));
    let tail = text.get(last.end..close).unwrap_or_default();
    let kept = tail.trim_end();
    let line = text.get(..last.start).unwrap_or_default();
    let indent = line.rfind('\n').map(|at| &line[at + 1..]).filter(|i| i.chars().all(char::is_whitespace));
    let separator = match indent {
        Some(indent) => format!("\n{indent}"),
        // A comment may stand at the end of the line.
        None if kept.contains("--") => "\n".to_string(),
        None => " ".to_string(),
    };
    let space = tail.get(kept.len()..).unwrap_or_default();
    Ok(splice(text, Span::new(last.end, close), &format!(",{kept}{separator}{constraint}{space}")))
}

/// Finds where the list of columns and constraints ends.
fn closing_parenthesis(text: &str, made: &CreateTable) -> Option<usize> {
    let mut depth = 0usize;
    for token in tokens(Engine::Sqlite, text).into_iter().filter(|t| t.start >= made.name.span.end) {
        if token.is_punctuation(text, '(') {
            depth += 1;
        } else if token.is_punctuation(text, ')') {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(token.start);
            }
        }
    }
    None
}

fn replace_key(
    text: &str,
    made: &CreateTable,
    table: &Table,
    old: &ForeignKey,
    new: &ForeignKey,
) -> Result<String, String> {
    let key = find(made, table, old)?;
    let only_action = ForeignKey {
        on_delete: new.on_delete,
        on_delete_written: new.on_delete_written,
        firing_order: new.firing_order,
        ..old.clone()
    } == *new;
    if only_action {
        let clause = format!("ON DELETE {}", new.on_delete);
        return Ok(match key.references.on_delete {
            Some((_, span)) => splice(text, span, &clause),
            None => {
                let after = key.references.parent_columns.last().map_or(key.references.parent.span, |c| c.span);
                // After the parenthesis that closes the parent's columns.
                let rest = tokens(Engine::Sqlite, text);
                let close = rest.iter().find(|t| t.start >= after.end && t.is_punctuation(text, ')'));
                let at = match close {
                    Some(close) if !key.references.parent_columns.is_empty() => close.end,
                    _ => after.end,
                };
                insert(text, at, &format!(" {clause}"))
            }
        });
    }
    if equal(&old.columns, &new.columns) {
        let columns =
            if key.inline { String::new() } else { format!("FOREIGN KEY ({}) ", DIALECT.columns(&new.columns)) };
        let written = format!("{}{columns}{}", name(new.name.as_deref()), references(new));
        return Ok(splice(text, key.constraint.span, &written));
    }
    let shorter =
        if key.inline { without(text, key.constraint.span) } else { without_element(text, key.constraint.span) };
    let made = read(&shorter).ok_or_else(|| format!("the definition of {} cannot be read", table.name))?;
    add_key(&shorter, &made, new)
}

fn set_nullable(text: &str, column: &ColumnDef, nullable: bool) -> Result<String, String> {
    let mut spans: Vec<Span> = column
        .constraints
        .iter()
        .filter(|c| matches!(c.kind, ConstraintKind::NotNull(_)) || !nullable && matches!(c.kind, ConstraintKind::Null))
        .map(|c| c.span)
        .collect();
    if nullable && spans.is_empty() {
        return Err(format!(
            "{} has no NOT NULL of its own: it is part of the primary key, which cannot hold NULL",
            column.name.text
        ));
    }
    // From the last on, so that the places of the others stay right.
    spans.sort_unstable();
    let end = column.span.end;
    let text = if nullable { text.to_string() } else { insert(text, end, " NOT NULL") };
    Ok(spans.iter().rev().fold(text, |text, span| without(&text, *span)))
}

fn set_default(text: &str, column: &ColumnDef, default: Option<&str>) -> String {
    let written = column.constraints.iter().find(|c| matches!(c.kind, ConstraintKind::Default(_)));
    let clause = default.map(|d| if is_literal(d) { format!("DEFAULT {d}") } else { format!("DEFAULT ({d})") });
    match (written, clause) {
        (Some(constraint), Some(clause)) => splice(text, constraint.span, &clause),
        (Some(constraint), None) => without(text, constraint.span),
        (None, Some(clause)) => insert(text, column.span.end, &format!(" {clause}")),
        (None, None) => text.to_string(),
    }
}

/// Tells whether a default can stand without parentheses: a literal ("CREATE TABLE", 3.2).
fn is_literal(default: &str) -> bool {
    let all = tokens(Engine::Sqlite, default.trim());
    match all.as_slice() {
        [one] => match one.kind {
            Kind::String | Kind::Number => true,
            Kind::Word => ["NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"]
                .iter()
                .any(|w| one.is_word(default.trim(), w)),
            _ => false,
        },
        [sign, number] => {
            number.kind == Kind::Number && ['-', '+'].iter().any(|c| sign.is_punctuation(default.trim(), *c))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
