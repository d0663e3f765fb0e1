//! DDL in the bodies of functions, procedures and events. It runs when they do.
//!
//! A procedure of MySQL's is kept with its DDL, because migrations make one, call it and drop it again, for want of `IF NOT
//! EXISTS`; the replay carries it out where it is called. The others' DDL is noted as skipped.

use super::cursor::Cursor;
use super::do_block::{self, ABOUT_TABLES, body};
use crate::sql::ast::{Command, Located, Name, Part, Routine, RoutineDdl, Skipped, Span};
use crate::sql::lexer::{Kind, Token};

/// Tells whether the words that a `CREATE` begins with are those of a function, a procedure or an event; which.
fn kind(cursor: &Cursor<'_>) -> Option<(usize, &'static str)> {
    let not = ["TABLE", "INDEX", "VIEW", "TRIGGER", "TYPE", "AS", "ON"];
    // CREATE OR REPLACE DEFINER = `user`@`host` AGGREGATE FUNCTION
    let word = |ahead: usize, words: &[&'static str]| words.iter().find(|w| cursor.is_at(ahead, w)).copied();
    let routine = ["FUNCTION", "PROCEDURE", "EVENT", "PACKAGE"];
    let mut words = (1..12).take_while(|i| word(*i, &not).is_none());
    words.find_map(|i| Some((i, word(i, &routine)?))).filter(|_| cursor.is("CREATE"))
}

/// Reads what a routine's body does to tables: a procedure of MySQL's as a command, that of others as what is skipped.
/// Temporary tables are of no account.
pub(super) fn read(cursor: &mut Cursor<'_>) -> (Option<Command>, Vec<Skipped>) {
    cursor.seek(0);
    let Some((at, kind)) = kind(cursor) else { return (None, Vec::new()) };
    if cursor.postgres() {
        let (found, skipped) = do_block::read(cursor);
        return (None, noted(found, skipped));
    }
    cursor.seek(at + 1);
    cursor.if_not_exists();
    let name = cursor.name().unwrap_or_default();
    let parameters = parameters(cursor);
    while !cursor.done() && !cursor.eat("BEGIN") {
        cursor.pass();
    }
    let (mut found, mut skipped, mut templates) = (Vec::new(), Vec::new(), Vec::new());
    let mut one: Vec<Token> = Vec::new();
    while let Some(token) = cursor.next() {
        if token.is_punctuation(cursor.text, ';') || cursor.done() {
            do_block::statement(cursor, cursor.text, &one, 0, &mut found, &mut skipped);
            one.clear();
            continue;
        }
        one.push(token);
        if token.kind == Kind::String && is_ddl(cursor, token) {
            let span = Span::new(token.start, token.end);
            match put_together(cursor, &parameters) {
                Some(parts) => templates.push(RoutineDdl::Template { parts, span }),
                None => skipped.push(Skipped { span, within: Skipped::EXECUTE }),
            }
        }
    }
    if kind != "PROCEDURE" {
        let runtime = templates.iter().map(|t| Skipped { span: t.span(), within: Skipped::EXECUTE });
        skipped.extend(runtime);
        return (None, noted(found, skipped));
    }
    let lasting = lasting(found).into_iter().map(RoutineDdl::Fixed);
    let mut ddl: Vec<RoutineDdl> = lasting.chain(templates).collect();
    ddl.sort_by_key(RoutineDdl::span);
    skipped.retain(|s| s.within == Skipped::EXECUTE);
    skipped.iter_mut().for_each(|s| s.within = Skipped::ROUTINE);
    if ddl.is_empty() {
        return (None, skipped);
    }
    (Some(Command::CreateRoutine(Box::new(Routine { name, parameters, ddl }))), skipped)
}

fn is_ddl(cursor: &Cursor<'_>, token: Token) -> bool {
    let text = body(token.text(cursor.text)).0.trim_start().to_ascii_uppercase();
    let indexes = ["CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX"];
    ABOUT_TABLES.iter().chain(&indexes).any(|words| text.starts_with(words))
}

/// Reads the parameters' names in `(IN a INT, OUT b TEXT)`.
fn parameters(cursor: &mut Cursor<'_>) -> Vec<String> {
    let mut names = Vec::new();
    if !cursor.eat_punctuation('(') {
        return names;
    }
    while !cursor.done() && !cursor.at_punctuation(')') {
        cursor.eat_any(&["IN", "OUT", "INOUT"]);
        names.extend(cursor.ident().map(|i| i.text));
        cursor.pass_item();
        if !cursor.eat_punctuation(',') {
            break;
        }
    }
    cursor.eat_punctuation(')');
    names
}

/// Reads the rest of `CONCAT('ALTER TABLE ', a, ' …')` after its first string, which has just been read; a string that
/// stands alone is itself. `None` if something but strings and parameters is part of it.
fn put_together(cursor: &Cursor<'_>, parameters: &[String]) -> Option<Vec<Part>> {
    let text = |token: Token| token.name(cursor.text).unwrap_or_default();
    let before = |back: usize| cursor.position().checked_sub(back).and_then(|at| cursor.at(at));
    let mut parts = vec![Part::Text(text(before(1)?))];
    let concat = before(3).is_some_and(|t| t.is_word(cursor.text, "CONCAT"))
        && before(2).is_some_and(|t| t.is_punctuation(cursor.text, '('));
    if !concat {
        return Some(parts);
    }
    let mut ahead = 0;
    loop {
        let separator = cursor.peek_at(ahead)?;
        if separator.is_punctuation(cursor.text, ')') {
            return Some(parts);
        }
        let part = cursor.peek_at(ahead + 1)?;
        if !separator.is_punctuation(cursor.text, ',') {
            return None;
        }
        parts.push(match part.kind {
            Kind::String => Part::Text(text(part)),
            _ => Part::Parameter(parameters.iter().position(|p| p.eq_ignore_ascii_case(&text(part)))?),
        });
        ahead += 2;
    }
}

/// Reads `CALL name('a', 1)`; arguments that are no literals are not known.
pub(super) fn call(cursor: &mut Cursor<'_>) -> Option<Command> {
    cursor.eat("CALL");
    let name: Name = cursor.name()?;
    let mut arguments = Vec::new();
    cursor.eat_punctuation('(');
    while !cursor.done() && !cursor.at_punctuation(')') {
        let token = cursor.peek()?;
        let ends = |t: Token| t.is_punctuation(cursor.text, ',') || t.is_punctuation(cursor.text, ')');
        let alone = cursor.peek_at(1).is_none_or(ends);
        let literal = match token.kind {
            Kind::String if alone => token.name(cursor.text),
            Kind::Number if alone => Some(token.text(cursor.text).to_string()),
            _ => None,
        };
        arguments.push(literal);
        cursor.pass_item();
        cursor.eat_punctuation(',');
    }
    Some(Command::Call { name, arguments })
}

/// Leaves what bears on tables that stay.
fn lasting(found: Vec<Located>) -> Vec<Located> {
    let mut temporary: Vec<String> = Vec::new();
    let mut kept = found;
    kept.retain(|located| match &located.command {
        Command::CreateTable(table) => {
            if table.temporary {
                temporary.push(table.name.name.clone());
            }
            !table.temporary
        }
        Command::DropTable { tables, .. } => tables.iter().any(|t| !temporary.contains(&t.name)),
        Command::AlterTable { table, .. } => !temporary.contains(&table.name),
        Command::CreateIndex(index) => !temporary.contains(&index.table.name),
        Command::DropIndex { .. } => true,
        _ => false,
    });
    kept
}

fn noted(found: Vec<Located>, skipped: Vec<Skipped>) -> Vec<Skipped> {
    let mut spans: Vec<Span> = lasting(found).into_iter().map(|l| l.span).collect();
    spans.extend(skipped.into_iter().filter(|s| s.within == Skipped::EXECUTE).map(|s| s.span));
    spans.sort();
    spans.into_iter().map(|span| Skipped { span, within: Skipped::ROUTINE }).collect()
}
