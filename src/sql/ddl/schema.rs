//! `CREATE SCHEMA`, with the tables and indexes that may stand inside it (PostgreSQL manual, CREATE SCHEMA).

use super::command;
use super::cursor::Cursor;
use crate::sql::ast::{Command, Located, Span};

/// Reads `CREATE SCHEMA name [element …]`: the schema, then the elements, as commands.
pub(super) fn read(cursor: &mut Cursor<'_>, whole: Span) -> Vec<Located> {
    cursor.eat_all("CREATE SCHEMA");
    cursor.if_not_exists();
    let mut schema = None;
    if !cursor.is("AUTHORIZATION") {
        schema = cursor.ident();
    }
    if cursor.eat("AUTHORIZATION") {
        let role = cursor.ident();
        schema = schema.or(role);
    }
    let name = schema.map(|s| s.text).unwrap_or_default();
    let mut found = vec![Located { command: Command::CreateSchema { name }, span: whole, conditional: false }];
    while !cursor.done() {
        let start = cursor.position();
        cursor.pass();
        while !cursor.done() && !at_element(cursor) {
            cursor.pass();
        }
        let (mut part, span) = cursor.part(start);
        found.extend(command(&mut part).into_iter().map(|command| Located { command, span, conditional: false }));
        let skipped = std::mem::take(&mut part.skipped);
        cursor.skipped.extend(skipped);
    }
    found
}

fn at_element(cursor: &Cursor<'_>) -> bool {
    let made = ["TABLE", "INDEX", "UNIQUE", "VIEW", "SEQUENCE", "TRIGGER", "UNLOGGED"];
    cursor.is("GRANT") || cursor.is("CREATE") && made.iter().any(|w| cursor.is_at(1, w))
}
