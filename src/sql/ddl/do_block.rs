//! DDL inside of strings: PostgreSQL's `DO` blocks, and what MySQL prepares (`SET @sql = IF(…, 'ALTER TABLE …', 'DO 0')`).
//!
//! Whether it runs is for the code around it to decide, so everything found is conditional. What is put together at run time
//! (`EXECUTE format(…)`) cannot be read, and is noted as skipped; a literal `EXECUTE '…'` can.
use super::cursor::Cursor;
use super::{command, moved};
use crate::sql::ast::{Command, Located, Skipped, Span};
use crate::sql::lexer::{Kind, Token, significant};

/// What a table can come out of differently.
pub(super) const ABOUT_TABLES: [&str; 3] = ["ALTER TABLE", "CREATE TABLE", "DROP TABLE"];

/// Tells whether MySQL's `SET @variable = …`, `PREPARE` or `EXECUTE IMMEDIATE` begins here.
pub(super) fn is_prepared(cursor: &Cursor<'_>) -> bool {
    let variable = cursor.is("SET") && cursor.peek_at(1).is_some_and(|t| t.is_punctuation(cursor.text, '@'));
    cursor.mysql() && (variable || cursor.is("PREPARE") || cursor.is_all("EXECUTE IMMEDIATE"))
}

/// Reads the literal DDL of a statement's strings.
pub(super) fn read(cursor: &mut Cursor<'_>) -> (Vec<Located>, Vec<Skipped>) {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    while let Some(token) = cursor.next() {
        if token.kind == Kind::String {
            let (text, at) = body(token.text(cursor.text));
            block(cursor, text, token.start + at, &mut found, &mut skipped);
        }
    }
    (found, skipped)
}

/// Returns the text inside a string's quotes and where it begins. Doubled quotes stay as they are.
pub(super) fn body(text: &str) -> (&str, usize) {
    let open = match text.strip_prefix('$') {
        Some(rest) => rest.find('$').map_or(0, |i| i + 2),
        None => text.find('\'').map_or(0, |i| i + 1),
    };
    let close = if text.starts_with('$') { open } else { 1 };
    let end = text.len().saturating_sub(close).max(open.min(text.len()));
    (text.get(open..end).unwrap_or_default(), open)
}

fn block(outer: &Cursor<'_>, text: &str, at: usize, found: &mut Vec<Located>, skipped: &mut Vec<Skipped>) {
    let tokens = significant(outer.engine, text);
    let mut first = 0;
    for (i, token) in tokens.iter().enumerate() {
        if token.is_punctuation(text, ';') {
            statement(outer, text, &tokens[first..i], at, found, skipped);
            first = i + 1;
        }
    }
    statement(outer, text, &tokens[first..], at, found, skipped);
}

pub(super) fn statement(
    outer: &Cursor<'_>,
    text: &str,
    tokens: &[Token],
    at: usize,
    found: &mut Vec<Located>,
    skipped: &mut Vec<Skipped>,
) {
    // DDL begins after BEGIN, THEN, ELSE, LOOP, … or at the start; the words cannot stand in the middle of other code
    // before TABLE, INDEX and the like.
    let ddl = ["CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT"];
    let begins =
        (0..tokens.len()).find(|i| ddl.iter().any(|w| tokens[*i].is_word(text, w)) && boundary(text, tokens, *i));
    let Some(begins) = begins else {
        let execute = tokens.iter().position(|t| t.is_word(text, "EXECUTE"));
        let Some(rest) = execute.and_then(|e| tokens.get(e + 1..)) else { return };
        if let Some(string) = rest.first().filter(|t| t.kind == Kind::String) {
            let (inner, offset) = body(string.text(text));
            block(outer, inner, at + string.start + offset, found, skipped);
            return;
        }
        let about_tables = |t: &&Token| {
            let words = body(t.text(text)).0.trim_start().to_ascii_uppercase();
            t.kind == Kind::String && ABOUT_TABLES.iter().any(|a| words.starts_with(a))
        };
        // A text that begins with another word changes no table; a variable, or a text that begins with what is put in, may.
        let known =
            |t: &&Token| t.kind == Kind::String && body(t.text(text)).0.trim_start().starts_with(char::is_alphabetic);
        let variable = rest.first().filter(|_| outer.postgres() && !rest.iter().any(|t| known(&t)));
        if let Some(token) = rest.iter().find(about_tables).or(variable) {
            let span = moved(Span::new(token.start, token.end), at);
            skipped.push(Skipped { span, within: Skipped::EXECUTE });
        }
        return;
    };
    let tokens = &tokens[begins..];
    let (Some(start), Some(end)) = (tokens.first(), tokens.last()) else { return };
    // The commands' own spans are those of the whole file, so the outer text is read at the inner place.
    let shifted: Vec<Token> =
        tokens.iter().map(|t| Token { kind: t.kind, start: t.start + at, end: t.end + at }).collect();
    let mut cursor = Cursor::new(outer.engine, outer.text, &shifted);
    let span = moved(Span::new(start.start, end.end), at);
    for command in command(&mut cursor) {
        match command {
            // The rest of it is put together at run time.
            Command::Other(words) if ABOUT_TABLES.iter().any(|a| words.starts_with(a)) => {
                skipped.push(Skipped { span, within: Skipped::EXECUTE });
            }
            Command::Other(_) | Command::Transaction(_) => {}
            command => found.push(Located { command, span, conditional: true }),
        }
    }
    skipped.extend(cursor.skipped);
}

fn boundary(text: &str, tokens: &[Token], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    ["BEGIN", "THEN", "ELSE", "LOOP"].iter().any(|w| tokens[before].is_word(text, w))
        || tokens[before].is_punctuation(text, '>')
}
