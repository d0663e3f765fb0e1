//! `CREATE SCHEMA`, with the tables and indexes that may stand inside it (PostgreSQL manual, CREATE SCHEMA).

use super::command;
use super::cursor::Cursor;
use crate::sql::ast::{Command, ConstraintKind, CreateTable, Located, Name, Span};

/// Reads `CREATE SCHEMA name [element …]`: the elements as commands, their names put into the schema.
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
    let schema = schema.map(|s| s.text).unwrap_or_default();
    let mut found = Vec::new();
    while !cursor.done() {
        let start = cursor.position();
        cursor.pass();
        while !cursor.done() && !at_element(cursor) {
            cursor.pass();
        }
        let (mut part, span) = cursor.part(start);
        for mut command in command(&mut part) {
            put_into(&mut command, &schema);
            found.push(Located { command, span, conditional: false });
        }
        let skipped = std::mem::take(&mut part.skipped);
        cursor.skipped.extend(skipped);
    }
    if found.is_empty() {
        found.push(Located { command: Command::Other("CREATE SCHEMA".to_string()), span: whole, conditional: false });
    }
    found
}

fn at_element(cursor: &Cursor<'_>) -> bool {
    let made = ["TABLE", "INDEX", "UNIQUE", "VIEW", "SEQUENCE", "TRIGGER", "UNLOGGED"];
    cursor.is("GRANT") || cursor.is("CREATE") && made.iter().any(|w| cursor.is_at(1, w))
}

fn put_into(command: &mut Command, schema: &str) {
    let put = |name: &mut Name| {
        if name.schema.is_none() {
            name.schema = Some(schema.to_string());
        }
    };
    match command {
        Command::CreateTable(table) => {
            let CreateTable { name, columns, constraints, .. } = table.as_mut();
            put(name);
            let all = columns.iter_mut().flat_map(|c| &mut c.constraints).chain(constraints);
            for constraint in all {
                if let ConstraintKind::ForeignKey(references) = &mut constraint.kind {
                    put(&mut references.parent);
                }
            }
        }
        Command::CreateIndex(index) => put(&mut index.table),
        Command::CreateOther { name } => put(name),
        _ => {}
    }
}
