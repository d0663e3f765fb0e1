//! The tolerant reader of DDL: one file for each family of statements, one cursor for all.
//!
//! A clause that is not known is passed over to the next `,` or `)` at its depth and noted in `skipped`.

mod alter_table;
mod constraint;
mod create_table;
mod cursor;
mod do_block;
mod index;
mod other;
mod routine;
mod schema;

use cursor::Cursor;

use super::ast::{Command, CreateTable, Located, Skipped, Span, Statement};
use super::lexer::{Kind, Token};
use super::split::Piece;
use crate::schema::Engine;

/// Reads one statement.
pub(super) fn statement(engine: Engine, text: &str, tokens: &[Token], piece: &Piece) -> Statement {
    let mut cursor = Cursor::new(engine, text, tokens);
    let mut commands = Vec::new();
    if cursor.is("DO") && cursor.postgres() {
        let (found, skipped) = do_block::read(&mut cursor);
        commands = found;
        cursor.skipped.extend(skipped);
    } else if cursor.is_all("CREATE SCHEMA") && cursor.postgres() {
        commands = schema::read(&mut cursor, piece.span);
    } else {
        let prepared = do_block::is_prepared(&cursor);
        for command in command(&mut cursor) {
            commands.push(Located { command, span: piece.span, conditional: false });
        }
        if prepared {
            cursor.seek(0);
            let (found, skipped) = do_block::read(&mut cursor);
            commands.extend(found);
            cursor.skipped.extend(skipped);
        }
        if matches!(commands.as_slice(), [Located { command: Command::Other(_), .. }]) {
            let (made, skipped) = routine::read(&mut cursor);
            cursor.skipped.extend(skipped);
            if let Some(command) = made {
                commands = vec![Located { command, span: piece.span, conditional: false }];
            }
        }
    }
    if piece.rows_without_end {
        cursor.skipped.push(Skipped { span: piece.span, within: Skipped::ROWS });
    }
    commands.shrink_to_fit();
    Statement { span: piece.span, commands, skipped: cursor.skipped, comments_from: piece.comments_from }
}

/// Reads what one statement says. More than one command comes of MySQL's `RENAME TABLE` only.
fn command(cursor: &mut Cursor<'_>) -> Vec<Command> {
    if cursor.mysql() && (cursor.is_all("RENAME TABLE") || cursor.is_all("RENAME TABLES")) {
        return other::rename_tables(cursor);
    }
    let before = cursor.position();
    let read = match () {
        () if cursor.eat("CREATE") => create(cursor),
        () if cursor.eat("ALTER") => alter(cursor),
        () if cursor.eat("DROP") => drop(cursor),
        () => other::read(cursor),
    };
    vec![read.unwrap_or_else(|| {
        cursor.seek(before);
        Command::Other(first_words(cursor))
    })]
}

fn first_words(cursor: &mut Cursor<'_>) -> String {
    let mut words = Vec::new();
    while words.len() < 3 {
        match cursor.next() {
            Some(token) if token.kind == Kind::Word => words.push(token.text(cursor.text).to_ascii_uppercase()),
            _ => break,
        }
    }
    words.join(" ")
}

fn create(cursor: &mut Cursor<'_>) -> Option<Command> {
    let mut made = CreateTable::default();
    let mut unique = false;
    let mut method = None;
    loop {
        if cursor.eat_all("OR REPLACE") || cursor.eat_any(&["GLOBAL", "LOCAL", "ONLINE", "OFFLINE", "CONSTRAINT"]) {
        } else if cursor.eat_any(&["TEMP", "TEMPORARY"]) {
            made.temporary = true;
        } else if cursor.eat("UNLOGGED") {
            made.unlogged = true;
        } else if cursor.eat("FOREIGN") {
            made.foreign = true;
        } else if cursor.eat("VIRTUAL") {
            made.virtual_table = true;
        } else if cursor.eat("UNIQUE") {
            unique = true;
        } else if cursor.is_any(&["FULLTEXT", "SPATIAL", "INVERTED", "VECTOR"]) && cursor.is_at(1, "INDEX") {
            method = cursor.ident().map(|i| i.text.to_ascii_lowercase());
        } else if cursor.mysql() && cursor.eat("DEFINER") {
            // DEFINER = `user`@`host`
            cursor.eat_punctuation('=');
            cursor.next();
            if cursor.eat_punctuation('@') {
                cursor.next();
            } else {
                let _ = cursor.parenthesized();
            }
        } else {
            break;
        }
    }
    if cursor.eat("TABLE") {
        return create_table::read(cursor, made).map(|t| Command::CreateTable(Box::new(t)));
    }
    if cursor.eat("INDEX") {
        return index::create(cursor, unique, method.as_deref());
    }
    other::create(cursor)
}

fn alter(cursor: &mut Cursor<'_>) -> Option<Command> {
    cursor.eat_any(&["FOREIGN", "ONLINE", "IGNORE"]);
    if cursor.eat("TABLE") {
        return alter_table::read(cursor);
    }
    if cursor.eat("INDEX") {
        return index::alter(cursor);
    }
    other::alter(cursor)
}

fn drop(cursor: &mut Cursor<'_>) -> Option<Command> {
    cursor.eat_any(&["FOREIGN", "TEMPORARY"]);
    if cursor.eat("TABLE") || cursor.mysql() && cursor.eat("TABLES") {
        let if_exists = cursor.if_exists();
        let tables = cursor.names();
        if tables.is_empty() {
            return None;
        }
        return Some(Command::DropTable { tables, if_exists, cascade: cursor.is("CASCADE") });
    }
    if cursor.eat("INDEX") {
        return index::drop(cursor);
    }
    other::drop(cursor)
}

/// Moves a span by a number of bytes: for text that was read apart from the text it stands in.
fn moved(span: Span, by: usize) -> Span {
    Span::new(span.start + by, span.end + by)
}
