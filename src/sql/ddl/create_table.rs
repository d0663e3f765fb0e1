//! `CREATE TABLE`, in every form.

use super::constraint;
use super::cursor::Cursor;
use crate::schema::{Engine, Timing};
use crate::sql::ast::{ColumnDef, ColumnPlace, Constraint, ConstraintKind, CreateTable, Like};

/// Reads what follows `CREATE [TEMPORARY …] TABLE`.
pub(super) fn read(cursor: &mut Cursor<'_>, mut made: CreateTable) -> Option<CreateTable> {
    made.if_not_exists = cursor.if_not_exists();
    made.name = cursor.name()?;
    if made.virtual_table {
        while !cursor.done() {
            cursor.pass();
        }
        return Some(made);
    }
    if cursor.eat_all("PARTITION OF") {
        made.partition_of = cursor.name();
    } else if cursor.eat("OF") {
        // A typed table: its columns are those of the type.
        made.as_query = true;
        cursor.name();
    }
    if cursor.mysql() && cursor.eat("LIKE") {
        // MySQL: the whole table, without foreign keys.
        let table = cursor.name()?;
        made.likes.push(Like { table, position: 0, including: vec!["all".to_string()] });
        return Some(made);
    }
    if cursor.at_punctuation('(') && !query_inside(cursor) {
        cursor.next();
        body(cursor, &mut made);
        cursor.eat_punctuation(')');
    }
    options(cursor, &mut made);
    made.columns.shrink_to_fit();
    made.constraints.shrink_to_fit();
    Some(made)
}

fn query_inside(cursor: &Cursor<'_>) -> bool {
    // SQLite has no query in parentheses here, but columns may be called `with`.
    !cursor.sqlite() && (cursor.is_at(1, "SELECT") || cursor.is_at(1, "WITH") && !cursor.is_punctuation_at(2, ','))
}

fn body(cursor: &mut Cursor<'_>, made: &mut CreateTable) {
    while !cursor.done() && !cursor.at_punctuation(')') {
        // SQLite lets the comma between two table constraints be left out.
        if cursor.eat_punctuation(',') {
            continue;
        }
        let before = cursor.position();
        if cursor.postgres() && cursor.is("LIKE") && !cursor.is_punctuation_at(1, ',') {
            like(cursor, made);
        } else if cursor.engine == Engine::Cockroach && at_family(cursor) {
            cursor.pass_item();
        } else if constraint::at_table_constraint(cursor) {
            match constraint::of_table(cursor) {
                Some(constraint) => made.constraints.push(constraint),
                None => cursor.skip("table constraint"),
            }
            if !cursor.sqlite() {
                cursor.skip("table constraint");
            }
        } else if cursor.mysql() && cursor.is_all("PERIOD FOR") {
            cursor.pass_item();
        } else if let Some((mut column, timings)) = definition(cursor, made.partition_of.is_some()) {
            defer(timings, &mut made.columns, &mut column);
            made.columns.push(column);
        } else {
            cursor.skip("table definition");
        }
        if cursor.position() == before {
            cursor.pass();
        }
    }
}

fn at_family(cursor: &Cursor<'_>) -> bool {
    cursor.is("FAMILY") && (cursor.is_punctuation_at(1, '(') || cursor.is_punctuation_at(2, '('))
}

fn like(cursor: &mut Cursor<'_>, made: &mut CreateTable) {
    cursor.eat("LIKE");
    let Some(table) = cursor.name() else { return };
    let mut like = Like { table, position: made.columns.len(), including: Vec::new() };
    loop {
        if cursor.eat("INCLUDING") {
            like.including.extend(cursor.ident().map(|i| i.text));
        } else if cursor.eat("EXCLUDING") {
            let excluded = cursor.ident().map(|i| i.text).unwrap_or_default();
            if excluded == "all" {
                like.including.clear();
            } else if like.including.iter().any(|i| i == "all") {
                let all = ["comments", "constraints", "defaults", "generated", "identity", "indexes"];
                like.including = all.iter().map(ToString::to_string).collect();
            }
            like.including.retain(|i| *i != excluded);
        } else {
            break;
        }
    }
    made.likes.push(like);
}

/// Reads a column's definition. Where it may have no type (a partition's, SQLite's), none is needed.
pub(super) fn column(cursor: &mut Cursor<'_>, untyped: bool) -> Option<ColumnDef> {
    let (mut made, timings) = definition(cursor, untyped)?;
    defer(timings, &mut [], &mut made);
    Some(made)
}

/// A `DEFERRABLE` that stands by itself: how many constraints of the column stand before it.
type Loose = Vec<(usize, Timing)>;

/// Gives each loose `DEFERRABLE` to the foreign key before it: SQLite does not ask whose definition that stands in
/// (build.c, `sqlite3DeferForeignKey`).
fn defer(timings: Loose, before: &mut [ColumnDef], column: &mut ColumnDef) {
    let is_key = |c: &&mut Constraint| matches!(c.kind, ConstraintKind::ForeignKey(_));
    for (at, timing) in timings {
        let own = column.constraints.iter_mut().take(at).rev();
        let key = own.chain(before.iter_mut().rev().flat_map(|c| c.constraints.iter_mut().rev())).find(is_key);
        if let Some(key) = key {
            key.timing = Some(timing);
        }
    }
}

fn definition(cursor: &mut Cursor<'_>, untyped: bool) -> Option<(ColumnDef, Loose)> {
    let mut timings = Loose::new();
    let start = cursor.start();
    let name = cursor.ident()?;
    let mut made = ColumnDef { name, ..ColumnDef::default() };
    if untyped {
        cursor.eat_all("WITH OPTIONS");
    }
    made.data_type = data_type(cursor);
    loop {
        if let Some(constraint) = constraint::of_column(cursor) {
            made.constraints.push(constraint);
        } else if cursor.done() || cursor.at_punctuation(',') || cursor.at_punctuation(')') || at_place(cursor) {
            break;
        } else if let Some(timing) = constraint::timing(cursor) {
            if cursor.sqlite() {
                timings.push((made.constraints.len(), timing));
            } else if let Some(last) = made.constraints.iter_mut().rev().find(|c| c.timing.is_none()) {
                last.timing = Some(timing);
            }
        } else if known(cursor) {
        } else {
            let before = cursor.position();
            skip_to_constraint(cursor);
            if cursor.position() == before {
                cursor.pass();
            }
        }
    }
    made.constraints.shrink_to_fit();
    made.span = cursor.since(start);
    Some((made, timings))
}

/// Reads where MySQL shall put the column.
pub(super) fn place(cursor: &mut Cursor<'_>) -> Option<ColumnPlace> {
    if !cursor.mysql() {
        return None;
    }
    if cursor.eat("FIRST") {
        return Some(ColumnPlace::First);
    }
    cursor.eat("AFTER").then(|| cursor.ident()).flatten().map(|i| ColumnPlace::After(i.text))
}

fn at_place(cursor: &Cursor<'_>) -> bool {
    cursor.mysql() && cursor.is_any(&["FIRST", "AFTER"]) || cursor.is("USING")
}

/// Passes over what is known and of no account here.
fn known(cursor: &mut Cursor<'_>) -> bool {
    if cursor.sqlite() {
        return false;
    }
    if cursor.eat_any(&["STORAGE", "COMPRESSION", "CHARSET", "SRID", "COLUMN_FORMAT"])
        || cursor.eat_all("CHARACTER SET")
        || cursor.eat_all("CHAR SET")
    {
        cursor.eat_punctuation('=');
        cursor.next();
        return true;
    }
    if cursor.eat("OPTIONS") {
        cursor.pass();
        return true;
    }
    if cursor.engine == Engine::Cockroach
        && (cursor.eat("FAMILY") || cursor.eat_all("CREATE FAMILY") || cursor.eat_all("CREATE IF NOT EXISTS FAMILY"))
    {
        cursor.ident();
        return true;
    }
    cursor.eat_any(&["VISIBLE", "INVISIBLE"]) || cursor.eat_all("NOT VISIBLE")
}

fn skip_to_constraint(cursor: &mut Cursor<'_>) {
    let start = cursor.start();
    cursor.pass();
    while !cursor.done()
        && !cursor.at_punctuation(',')
        && !cursor.at_punctuation(')')
        && !constraint::at_column_word(cursor)
    {
        cursor.pass();
    }
    let span = cursor.since(start);
    cursor.skipped.push(crate::sql::ast::Skipped { span, within: "column definition" });
}

/// Reads a type: words, arguments in parentheses, brackets.
pub(super) fn data_type(cursor: &mut Cursor<'_>) -> crate::sql::ast::Text {
    let start = cursor.start();
    let mut first = true;
    while !cursor.done() && !cursor.at_punctuation(',') && !cursor.at_punctuation(')') {
        if cursor.is_any(&["WITH", "WITHOUT"]) && cursor.is_at(1, "TIME") {
            cursor.next();
        } else if constraint::at_column_word(cursor) || cursor.is("WITH") && !cursor.sqlite() {
            break;
        }
        let token = cursor.peek();
        let of_type = token.is_some_and(|t| cursor.folded(t).is_some());
        let of_array = cursor.is_any(&["ARRAY"]) || ['[', ']', '.', '%'].iter().any(|c| cursor.at_punctuation(*c));
        if !(of_type || of_array || !first && cursor.at_punctuation('(')) {
            break;
        }
        cursor.pass();
        first = false;
    }
    cursor.text_since(start)
}

fn options(cursor: &mut Cursor<'_>, made: &mut CreateTable) {
    while !cursor.done() {
        if cursor.eat("INHERITS") {
            if cursor.eat_punctuation('(') {
                made.inherits = cursor.names();
                cursor.eat_punctuation(')');
            }
        } else if cursor.eat_all("PARTITION BY") {
            made.partitioned = cursor.engine == Engine::Postgres;
            cursor.pass();
        } else if cursor.eat_all("WITHOUT ROWID") {
            made.without_rowid = true;
        } else if cursor.sqlite() && cursor.eat("STRICT") {
            made.strict = true;
        } else if cursor.mysql() && cursor.eat("ENGINE") {
            cursor.eat_punctuation('=');
            made.storage = cursor.ident().map(|i| i.text.to_ascii_lowercase());
        } else if cursor.mysql() && cursor.eat("COMMENT") {
            cursor.eat_punctuation('=');
            made.comment = cursor.string();
        } else if cursor.eat("FOR") || cursor.eat("USING") || cursor.eat("SERVER") {
            cursor.pass();
        } else if cursor.eat("AS") || cursor.is("SELECT") || cursor.at_punctuation('(') && query_inside(cursor) {
            made.as_query = true;
            while !cursor.done() {
                cursor.pass();
            }
        } else {
            cursor.pass();
        }
    }
}
