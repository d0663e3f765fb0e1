//! `CREATE INDEX`, `DROP INDEX`, `ALTER INDEX`, and indexes inside a table's definition.

use super::cursor::Cursor;
use crate::schema::IndexPart;
use crate::sql::ast::{Command, CreateIndex};
use crate::sql::lexer::{Kind, Token};

/// Reads what follows `CREATE [UNIQUE] INDEX`.
pub(super) fn create(cursor: &mut Cursor<'_>, unique: bool, method: Option<&str>) -> Option<Command> {
    let mut made = CreateIndex { unique, method: method.map(str::to_string), ..CreateIndex::default() };
    made.concurrently = cursor.eat("CONCURRENTLY");
    made.if_not_exists = cursor.if_not_exists();
    if !cursor.is("ON") {
        made.name = cursor.name().map(|n| crate::sql::ast::Ident { text: n.name, span: n.span });
    }
    if cursor.mysql() {
        using(cursor, &mut made);
    }
    if !cursor.eat("ON") {
        return None;
    }
    made.only = cursor.eat("ONLY");
    made.table = cursor.name()?;
    Some(Command::CreateIndex(Box::new(body(cursor, made))))
}

fn using(cursor: &mut Cursor<'_>, made: &mut CreateIndex) {
    if cursor.eat("USING") {
        made.method = cursor.ident().map(|i| i.text.to_ascii_lowercase());
    }
}

/// Reads `[USING method] (parts) [INCLUDE (…)] [WHERE …]` and what else there is.
pub(super) fn body(cursor: &mut Cursor<'_>, mut made: CreateIndex) -> CreateIndex {
    using(cursor, &mut made);
    if cursor.at_punctuation('(') {
        made.parts = parts(cursor).0;
    }
    while !cursor.done() && !cursor.at_punctuation(',') && !cursor.at_punctuation(')') {
        if cursor.eat("INCLUDE") || cursor.eat("STORING") || cursor.eat("COVERING") {
            made.included = cursor.column_list().into_iter().map(|c| c.text).collect();
        } else if cursor.eat("WHERE") {
            let start = cursor.start();
            if let Some(inside) = cursor.parenthesized() {
                // An exclusion constraint's condition stands in parentheses; an index's may go on after them.
                let deferrable = cursor.is_any(&["DEFERRABLE", "INITIALLY"]) || cursor.is_all("NOT DEFERRABLE");
                if cursor.done() || cursor.at_punctuation(',') || deferrable {
                    made.predicate = Some(inside.text);
                    continue;
                }
            }
            while !cursor.done() && !cursor.at_punctuation(',') && !cursor.at_punctuation(')') {
                cursor.pass();
            }
            made.predicate = Some(cursor.text_since(start).text);
        } else if cursor.eat_all("NULLS NOT DISTINCT") {
            made.nulls_equal = true;
        } else if cursor.eat_all("USING HASH") {
            // CockroachDB: hash-sharded; the shard's column is hidden.
        } else if cursor.mysql() && cursor.eat("USING") {
            made.method = cursor.ident().map(|i| i.text.to_ascii_lowercase());
        } else if cursor.is_any(&["DEFERRABLE", "INITIALLY"]) || cursor.is_all("NOT DEFERRABLE") {
            break;
        } else {
            cursor.pass();
        }
    }
    made
}

/// Reads `(a, lower(b) DESC, c COLLATE "x" text_pattern_ops WITH =)`, and whether `AUTOINCREMENT` is in it.
pub(super) fn parts(cursor: &mut Cursor<'_>) -> (Vec<IndexPart>, bool) {
    let mut parts = Vec::new();
    let mut autoincrement = false;
    if !cursor.eat_punctuation('(') {
        return (parts, autoincrement);
    }
    while !cursor.done() && !cursor.at_punctuation(')') {
        let before = cursor.position();
        // `WITHOUT OVERLAPS` ends a temporal key's last column.
        parts.extend(part(cursor, &mut autoincrement));
        cursor.pass_item();
        cursor.eat_punctuation(',');
        if cursor.position() == before {
            cursor.pass();
        }
    }
    cursor.eat_punctuation(')');
    parts.shrink_to_fit();
    (parts, autoincrement)
}

const AFTER_PART: [&str; 9] = ["COLLATE", "ASC", "DESC", "NULLS", "WITH", "WITHOUT", "AUTOINCREMENT", "INCLUDE", "ON"];

fn part(cursor: &mut Cursor<'_>, autoincrement: &mut bool) -> Option<IndexPart> {
    let start = cursor.start();
    let mut part = IndexPart::default();
    let plain = cursor.peek().and_then(|t| cursor.folded(t)).is_some()
        && !cursor.sqlite()
        && (cursor.peek_at(1).is_none_or(|t| {
            t.is_punctuation(cursor.text, ',')
                || t.is_punctuation(cursor.text, ')')
                || matches!(t.kind, Kind::Word | Kind::QuotedName)
        }) || mysql_prefix(cursor));
    if plain {
        part.column = cursor.ident().map(|i| i.text);
        if cursor.mysql() {
            // The first n characters only; of no account for what refers to it.
            let _ = cursor.parenthesized();
        }
        // PostgreSQL 18: `PERIOD x` never stands here, but a function without arguments may: `CURRENT_DATE`.
    } else if cursor.sqlite() {
        sqlite_part(cursor, &mut part);
    } else if let Some(inside) = cursor.parenthesized() {
        part.expression = Some(inside.text);
    } else {
        while !cursor.done()
            && !cursor.at_punctuation(',')
            && !cursor.at_punctuation(')')
            && !cursor.is_any(&AFTER_PART)
            && !at_operator_class(cursor, start)
        {
            cursor.pass();
        }
        part.expression = Some(cursor.text_since(start).text);
    }
    loop {
        if cursor.eat("COLLATE") {
            part.collation = cursor.name().map(|n| n.name).or_else(|| cursor.string());
        } else if cursor.eat("DESC") {
            part.descending = true;
        } else if cursor.eat("AUTOINCREMENT") {
            *autoincrement = true;
        } else if cursor.eat("ASC") || cursor.eat_all("NULLS FIRST") || cursor.eat_all("NULLS LAST") {
        } else if cursor.is("WITH") || cursor.is("WITHOUT") {
            break;
        } else if cursor.postgres() && cursor.peek().is_some_and(|t| cursor.folded(t).is_some()) {
            part.operator_class = cursor.name().map(|n| n.name);
            let _ = cursor.parenthesized();
        } else {
            break;
        }
    }
    Some(part)
}

/// Reads a column or an expression, which needs no parentheses on SQLite, up to COLLATE and direction. Parentheses around all
/// of it do not count: `((a))` is the column.
fn sqlite_part(cursor: &mut Cursor<'_>, part: &mut IndexPart) {
    let is = |cursor: &Cursor<'_>, at: usize, words: &[&str]| {
        cursor.at(at).is_some_and(|t| words.iter().any(|w| t.is_word(cursor.text, w)))
    };
    let (mut first, byte) = (cursor.position(), cursor.start());
    cursor.pass_item();
    let mut last = cursor.position();
    for words in [&["AUTOINCREMENT"][..], &["ASC", "DESC"]] {
        last -= usize::from(last > first + 1 && is(cursor, last - 1, words));
    }
    while last > first + 2 && is(cursor, last - 2, &["COLLATE"]) {
        last -= 2;
    }
    cursor.seek(last);
    let mut text = cursor.text_since(byte).text;
    let end = last;
    loop {
        cursor.seek(first);
        let Some(inside) = cursor.parenthesized().filter(|_| cursor.position() == last) else { break };
        text = inside.text;
        (first, last) = (first + 1, last - 1);
    }
    // A string where a column could stand is its name.
    let is_name = |t: &Token| matches!(t.kind, Kind::Word | Kind::QuotedName | Kind::String);
    let name = cursor.at(first).filter(|t| last == first + 1 && is_name(t) && !is(cursor, first, &["NULL"]));
    match name.and_then(|t| cursor.folded(t)) {
        Some(name) => part.column = Some(name),
        None => part.expression = Some(text),
    }
    cursor.seek(end);
}

fn mysql_prefix(cursor: &Cursor<'_>) -> bool {
    cursor.mysql()
        && cursor.is_punctuation_at(1, '(')
        && cursor.peek_at(2).is_some_and(|t| t.kind == Kind::Number)
        && cursor.is_punctuation_at(3, ')')
}

/// An operator class is a name that follows a closing parenthesis directly.
fn at_operator_class(cursor: &Cursor<'_>, start: usize) -> bool {
    let before = cursor.since(start).of(cursor.text).ends_with(')');
    before && cursor.postgres() && cursor.peek().is_some_and(|t| cursor.folded(t).is_some())
}

/// Reads what follows `DROP INDEX`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Option<Command> {
    let mut concurrently = cursor.eat("CONCURRENTLY");
    let if_exists = cursor.if_exists();
    let mut indexes = Vec::new();
    loop {
        let first = cursor.name()?;
        if cursor.eat_punctuation('@') {
            let index = cursor.name()?;
            indexes.push((Some(first), index));
        } else if cursor.mysql() && cursor.eat("ON") {
            let table = cursor.name()?;
            indexes.push((Some(table), first));
        } else {
            indexes.push((None, first));
        }
        if !cursor.eat_punctuation(',') {
            break;
        }
    }
    let mut cascade = false;
    while !cursor.done() {
        cascade |= cursor.is("CASCADE");
        concurrently |= cursor.mysql() && cursor.is_any(&["INPLACE", "NONE"]);
        cursor.next();
    }
    Some(Command::DropIndex { indexes, if_exists, cascade, concurrently })
}

/// Reads what follows `ALTER INDEX`.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Option<Command> {
    let if_exists = cursor.if_exists();
    let first = cursor.name()?;
    let (table, index) = if cursor.eat_punctuation('@') { (Some(first), cursor.name()?) } else { (None, first) };
    if cursor.eat_all("ATTACH PARTITION") {
        return cursor.name().map(|partition| Command::AttachIndex { index, partition });
    }
    cursor.eat_all("RENAME TO").then(|| cursor.ident()).flatten().map(|to| Command::RenameIndex {
        table,
        index,
        to,
        if_exists,
    })
}
