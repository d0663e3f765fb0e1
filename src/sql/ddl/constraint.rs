//! Constraints, wherever they stand: in a column's definition, in the table's, after `ADD`.

use super::cursor::Cursor;
use super::index;
use crate::schema::{Action, Match, Timing};
use crate::sql::COLUMN_WORDS;
use crate::sql::ast::{Constraint, ConstraintKind, CreateIndex, KeyClause, References, Span, Text};

/// Beside [`COLUMN_WORDS`], those of some engines.
const MORE_COLUMN_WORDS: [&str; 18] = [
    "INITIALLY",
    "AUTO_INCREMENT",
    "AUTOINCREMENT",
    "COMMENT",
    "ON",
    "STORAGE",
    "COMPRESSION",
    "FAMILY",
    "CREATE",
    "KEY",
    "CHARSET",
    "VISIBLE",
    "INVISIBLE",
    "FIRST",
    "AFTER",
    "USING",
    "OPTIONS",
    "ENFORCED",
];

/// Tells whether something about the column begins here that is no part of its type or default.
pub(super) fn at_column_word(cursor: &Cursor<'_>) -> bool {
    if cursor.sqlite() {
        // Any other word may be one of a type's ("CREATE TABLE", 3.1).
        return cursor.is_any(&COLUMN_WORDS);
    }
    if cursor.is("CHARACTER") || cursor.is("CHAR") {
        return cursor.is_at(1, "SET");
    }
    if cursor.is("FAMILY") || cursor.is("CREATE") {
        return cursor.engine == crate::schema::Engine::Cockroach;
    }
    if cursor.is_any(&["COMMENT", "KEY", "FIRST", "AFTER", "VISIBLE", "INVISIBLE", "CHARSET"]) {
        return !cursor.postgres() || cursor.is_all("VISIBLE");
    }
    cursor.is_any(&COLUMN_WORDS) || cursor.is_any(&MORE_COLUMN_WORDS)
}

fn bare(kind: ConstraintKind) -> Constraint {
    Constraint {
        name: None,
        kind,
        timing: None,
        not_valid: false,
        not_enforced: false,
        if_not_exists: false,
        span: Span::default(),
    }
}

/// Reads one constraint of a column; `None` if none that is known begins here.
pub(super) fn of_column(cursor: &mut Cursor<'_>) -> Option<Constraint> {
    let start = cursor.start();
    let mut name = None;
    while cursor.eat("CONSTRAINT") {
        cursor.if_not_exists();
        name = cursor.ident();
    }
    let kind = if cursor.eat_all("NOT NULL") {
        ConstraintKind::NotNull(None)
    } else if cursor.eat("NULL") {
        ConstraintKind::Null
    } else if cursor.eat("DEFAULT") {
        ConstraintKind::Default(default(cursor))
    } else if cursor.eat("PRIMARY") {
        cursor.eat("KEY");
        let mut key = KeyClause::default();
        let descending = !cursor.eat("ASC") && cursor.eat("DESC");
        key.parts = Vec::new();
        if descending {
            key.parts.push(crate::schema::IndexPart { descending: true, ..Default::default() });
        }
        key_options(cursor, &mut key);
        ConstraintKind::PrimaryKey(key)
    } else if cursor.eat("UNIQUE") {
        cursor.eat_any(&["KEY", "INDEX"]);
        let mut key = KeyClause::default();
        key_options(cursor, &mut key);
        ConstraintKind::Unique(key)
    } else if cursor.mysql() && cursor.eat("KEY") {
        ConstraintKind::PrimaryKey(KeyClause::default())
    } else if cursor.eat("CHECK") {
        ConstraintKind::Check(cursor.parenthesized().unwrap_or_default())
    } else if cursor.is("REFERENCES") {
        ConstraintKind::ForeignKey(Box::new(references(cursor)))
    } else if cursor.is("GENERATED") || cursor.is("AS") {
        generated(cursor)?
    } else if cursor.eat("COLLATE") {
        let name = cursor.name().map(|n| n.name).or_else(|| cursor.string());
        ConstraintKind::Collate(name?)
    } else if cursor.eat_any(&["AUTO_INCREMENT", "AUTOINCREMENT"]) {
        ConstraintKind::AutoNumber
    } else if cursor.eat("COMMENT") {
        ConstraintKind::Comment(cursor.string()?)
    } else {
        return None;
    };
    let mut constraint = Constraint { name, ..bare(kind) };
    attributes(cursor, &mut constraint);
    constraint.span = cursor.since(start);
    Some(constraint)
}

/// Reads `GENERATED … AS IDENTITY` or `[GENERATED ALWAYS] AS (…) [STORED]`.
fn generated(cursor: &mut Cursor<'_>) -> Option<ConstraintKind> {
    if cursor.eat("GENERATED") {
        let _ = cursor.eat("ALWAYS") || cursor.eat_all("BY DEFAULT ON NULL") || cursor.eat_all("BY DEFAULT");
    }
    if !cursor.eat("AS") {
        return None;
    }
    if cursor.eat("IDENTITY") {
        let _ = cursor.parenthesized();
        return Some(ConstraintKind::AutoNumber);
    }
    let expression = cursor.parenthesized()?;
    let stored = cursor.eat("STORED") || cursor.eat("PERSISTENT");
    if !stored {
        cursor.eat("VIRTUAL");
    }
    Some(ConstraintKind::Generated { expression, stored })
}

/// Reads a default: what follows up to the next thing about the column.
pub(super) fn default(cursor: &mut Cursor<'_>) -> Text {
    let start = cursor.start();
    if cursor.sqlite() {
        // "CREATE TABLE": a literal, a signed number or an expression in parentheses, whose parentheses are not kept.
        if let Some(inside) = cursor.parenthesized() {
            return inside;
        }
        while cursor.eat_punctuation('-') || cursor.eat_punctuation('+') {}
        if !cursor.at_punctuation(',') && !cursor.at_punctuation(')') {
            cursor.next();
        }
        return cursor.text_since(start);
    }
    cursor.pass();
    while !cursor.done() && !cursor.at_punctuation(',') && !cursor.at_punctuation(')') && !at_column_word(cursor) {
        cursor.pass();
    }
    cursor.text_since(start)
}

fn key_options(cursor: &mut Cursor<'_>, key: &mut KeyClause) {
    loop {
        if cursor.eat_all("NULLS NOT DISTINCT") && mark(&mut key.nulls_equal) || cursor.eat_all("NULLS DISTINCT") {
        } else if cursor.eat("INCLUDE") || cursor.eat("STORING") || cursor.eat("COVERING") {
            key.included = cursor.column_list().into_iter().map(|c| c.text).collect();
        } else if cursor.eat_all("USING INDEX TABLESPACE") {
            cursor.next();
        } else if cursor.eat_all("USING INDEX") {
            key.using_index = cursor.ident();
        } else if cursor.eat_all("USING HASH") {
            let _ = cursor.eat_all("WITH BUCKET_COUNT") && {
                cursor.eat_punctuation('=');
                cursor.next().is_some()
            };
        } else if cursor.eat_all("USING BTREE") || cursor.eat("AUTOINCREMENT") && mark(&mut key.autoincrement) {
        } else if cursor.is("WITH") && cursor.is_punctuation_at(1, '(') {
            cursor.next();
            cursor.pass();
        } else if cursor.eat_all("ON CONFLICT REPLACE") && mark(&mut key.replaces) {
        } else if cursor.eat_all("ON CONFLICT") {
            cursor.next();
        } else if cursor.eat("WHERE") {
            let start = cursor.start();
            cursor.pass_item();
            key.predicate = Some(cursor.text_since(start).text);
        } else if cursor.mysql() && cursor.eat("KEY_BLOCK_SIZE") {
            cursor.eat_punctuation('=');
            cursor.next();
        } else if cursor.mysql() && cursor.eat("COMMENT") {
            cursor.next();
        } else if cursor.mysql() && cursor.eat_any(&["VISIBLE", "INVISIBLE"]) {
        } else {
            return;
        }
    }
}

fn mark(flag: &mut bool) -> bool {
    *flag = true;
    true
}

/// Reads `DEFERRABLE`, `NOT VALID`, `NOT ENFORCED`, `NO INHERIT` and SQLite's `ON CONFLICT`.
fn attributes(cursor: &mut Cursor<'_>, constraint: &mut Constraint) {
    while attribute(cursor, constraint) {}
}

fn attribute(cursor: &mut Cursor<'_>, constraint: &mut Constraint) -> bool {
    let deferrable = !cursor.sqlite() || matches!(constraint.kind, ConstraintKind::ForeignKey(_));
    if deferrable && let Some(timing) = timing(cursor) {
        constraint.timing = Some(timing);
    } else if cursor.eat_all("NOT VALID") {
        constraint.not_valid = true;
    } else if cursor.eat_all("NOT ENFORCED") {
        constraint.not_enforced = true;
    } else if cursor.eat("ENFORCED") || cursor.eat_all("NO INHERIT") || cursor.eat_all("NOT VISIBLE") {
    } else if cursor.eat_all("ON CONFLICT") {
        cursor.next();
    } else if cursor.eat_all("ON UPDATE") {
        // MySQL: ON UPDATE CURRENT_TIMESTAMP(3).
        cursor.next();
        let _ = cursor.parenthesized();
    } else {
        return false;
    }
    true
}

/// Reads `[NOT] DEFERRABLE` and `INITIALLY …`, in any order; `None` if none is here.
pub(super) fn timing(cursor: &mut Cursor<'_>) -> Option<Timing> {
    let mut found = None;
    let mut deferred = None;
    loop {
        if cursor.is_all("NOT DEFERRABLE") || cursor.is("DEFERRABLE") {
            found = Some(!cursor.eat("NOT"));
            cursor.eat("DEFERRABLE");
            if cursor.sqlite() {
                // Each begins a clause of its own, and the last one counts (parse.y, `defer_subclause`).
                deferred = None;
            }
        } else if cursor.eat_all("INITIALLY DEFERRED") {
            deferred = Some(true);
        } else if cursor.eat_all("INITIALLY IMMEDIATE") {
            deferred = Some(false);
        } else {
            break;
        }
    }
    match (found, deferred) {
        (None, None) => None,
        // PostgreSQL: INITIALLY DEFERRED alone means DEFERRABLE (manual, CREATE TABLE); SQLite wants the word.
        (None, Some(true)) if !cursor.sqlite() => Some(Timing::Deferred),
        (Some(true), Some(true)) => Some(Timing::Deferred),
        (Some(true), _) => Some(Timing::Deferrable),
        _ => Some(Timing::Immediate),
    }
}

/// Tells whether a constraint of the table begins here, or an index.
pub(super) fn at_table_constraint(cursor: &Cursor<'_>) -> bool {
    // A column may be called `check` or `key` on some engines: then a type follows, not what a constraint needs.
    let open = |n| cursor.is_punctuation_at(n, '(');
    if cursor.sqlite() {
        return cursor.is_any(&["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]);
    }
    if cursor.is("CONSTRAINT") || cursor.is_all("PRIMARY KEY") || cursor.is_all("FOREIGN KEY") {
        return true;
    }
    if cursor.is("UNIQUE") {
        return true;
    }
    if cursor.is("CHECK") {
        return open(1);
    }
    if cursor.is("EXCLUDE") {
        return cursor.postgres() && (open(1) || cursor.is_at(1, "USING"));
    }
    if cursor.is("NOT") {
        return cursor.is_at(1, "NULL");
    }
    let index_here = cursor.is_any(&["INDEX", "KEY"]);
    if index_here && (cursor.mysql() || cursor.engine == crate::schema::Engine::Cockroach && cursor.is("INDEX")) {
        return open(1) || open(2) || cursor.is_at(2, "USING") || cursor.is_at(1, "IF") || cursor.is_at(1, "USING");
    }
    if cursor.is_any(&["FULLTEXT", "SPATIAL", "INVERTED", "VECTOR"]) {
        return cursor.is_at(1, "INDEX") || cursor.is_at(1, "KEY") || cursor.mysql() && (open(1) || open(2));
    }
    false
}

/// Reads one constraint or index of the table; `None` if none begins here.
pub(super) fn of_table(cursor: &mut Cursor<'_>) -> Option<Constraint> {
    let start = cursor.start();
    let mut name = None;
    let mut if_not_exists = false;
    while cursor.eat("CONSTRAINT") {
        if_not_exists |= cursor.if_not_exists();
        // MySQL: the name may be left out.
        if !cursor.is_any(&["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
            name = cursor.ident();
        }
    }
    let kind = if cursor.eat("PRIMARY") {
        cursor.eat("KEY");
        ConstraintKind::PrimaryKey(key(cursor))
    } else if cursor.eat("UNIQUE") {
        let as_index = cursor.engine == crate::schema::Engine::Cockroach && cursor.is("INDEX");
        cursor.eat_any(&["KEY", "INDEX"]);
        if_not_exists |= cursor.if_not_exists();
        let mut key = KeyClause::default();
        if !cursor.at_punctuation('(') && !cursor.is("USING") && !cursor.is("NULLS") {
            key.index_name = cursor.ident().map(|i| i.text);
        }
        key_rest(cursor, &mut key);
        if as_index && name.is_none() {
            // CockroachDB shows both as a unique index; only UNIQUE without INDEX is shown as a constraint.
            let index = CreateIndex {
                unique: true,
                parts: key.parts,
                included: key.included,
                predicate: key.predicate,
                name: key.index_name.map(|text| crate::sql::ast::Ident { text, span: Span::default() }),
                ..CreateIndex::default()
            };
            ConstraintKind::Index(Box::new(index))
        } else {
            ConstraintKind::Unique(key)
        }
    } else if cursor.eat("CHECK") {
        ConstraintKind::Check(cursor.parenthesized()?)
    } else if cursor.eat("FOREIGN") {
        cursor.eat("KEY");
        if_not_exists |= cursor.if_not_exists();
        let index_name = if cursor.at_punctuation('(') { None } else { cursor.ident().map(|i| i.text) };
        let (columns, temporal) = key_columns(cursor);
        if !cursor.is("REFERENCES") {
            return None;
        }
        let mut references = references(cursor);
        references.columns = columns;
        references.index_name = index_name;
        references.temporal |= temporal;
        ConstraintKind::ForeignKey(Box::new(references))
    } else if cursor.eat("EXCLUDE") {
        ConstraintKind::Exclude(Box::new(index::body(cursor, CreateIndex::default())))
    } else if cursor.eat_all("NOT NULL") {
        ConstraintKind::NotNull(cursor.ident().map(|i| i.text))
    } else if cursor.is_any(&["INDEX", "KEY", "FULLTEXT", "SPATIAL", "INVERTED", "VECTOR"]) {
        let mut made = CreateIndex::default();
        if let Some(method) = ["FULLTEXT", "SPATIAL", "INVERTED", "VECTOR"].iter().find(|w| cursor.is(w)) {
            made.method = Some(method.to_ascii_lowercase());
            cursor.next();
        }
        cursor.eat_any(&["INDEX", "KEY"]);
        if_not_exists |= cursor.if_not_exists();
        if !cursor.at_punctuation('(') && !cursor.is("USING") {
            made.name = cursor.ident();
        }
        ConstraintKind::Index(Box::new(index::body(cursor, made)))
    } else {
        return None;
    };
    let mut constraint = Constraint { name, if_not_exists, ..bare(kind) };
    attributes(cursor, &mut constraint);
    constraint.span = cursor.since(start);
    Some(constraint)
}

fn key(cursor: &mut Cursor<'_>) -> KeyClause {
    let mut key = KeyClause::default();
    if cursor.mysql() && !cursor.at_punctuation('(') && !cursor.is("USING") {
        key.index_name = cursor.ident().map(|i| i.text);
    }
    key_rest(cursor, &mut key);
    key
}

fn key_rest(cursor: &mut Cursor<'_>, key: &mut KeyClause) {
    key_options(cursor, key);
    if cursor.at_punctuation('(') {
        let (parts, autoincrement) = index::parts(cursor);
        key.parts = parts;
        key.autoincrement |= autoincrement;
    }
    key_options(cursor, key);
}

/// Reads the child's columns; the last may be a `PERIOD` (PostgreSQL 18).
fn key_columns(cursor: &mut Cursor<'_>) -> (Vec<crate::sql::ast::Ident>, bool) {
    let mut columns = Vec::new();
    let mut temporal = false;
    if !cursor.eat_punctuation('(') {
        return (columns, temporal);
    }
    while !cursor.done() && !cursor.at_punctuation(')') {
        let next_is_name = !cursor.is_punctuation_at(1, ',') && !cursor.is_punctuation_at(1, ')');
        if cursor.is("PERIOD") && next_is_name {
            cursor.next();
            temporal = true;
        }
        columns.extend(cursor.ident());
        cursor.pass_item();
        cursor.eat_punctuation(',');
    }
    cursor.eat_punctuation(')');
    columns.shrink_to_fit();
    (columns, temporal)
}

/// Reads from `REFERENCES` on.
fn references(cursor: &mut Cursor<'_>) -> References {
    let start = cursor.start();
    cursor.eat("REFERENCES");
    let mut made = References { parent: cursor.name().unwrap_or_default(), ..References::default() };
    if cursor.at_punctuation('(') {
        (made.parent_columns, made.temporal) = key_columns(cursor);
    }
    loop {
        let start = cursor.start();
        if cursor.eat_all("ON DELETE") {
            if let Some(action) = action(cursor) {
                if cursor.at_punctuation('(') {
                    made.set_columns = cursor.column_list().into_iter().map(|c| c.text).collect();
                }
                made.on_delete = Some((action, cursor.since(start)));
            }
        } else if cursor.is_all("ON UPDATE") {
            let before = cursor.position();
            cursor.eat_all("ON UPDATE");
            match action(cursor) {
                Some(action) => made.on_update = Some((action, cursor.since(start))),
                // MySQL: ON UPDATE CURRENT_TIMESTAMP belongs to the column.
                None => {
                    cursor.seek(before);
                    break;
                }
            }
        } else if cursor.sqlite() && cursor.eat_all("ON INSERT") {
            // SQLite reads it and forgets it (parse.y, `refarg`).
            let _ = action(cursor);
        } else if cursor.eat("MATCH") {
            made.matching = if cursor.is("FULL") {
                Match::Full
            } else if cursor.is("PARTIAL") {
                Match::Partial
            } else {
                Match::Simple
            };
            cursor.next();
        } else {
            break;
        }
    }
    made.span = cursor.since(start);
    made
}

fn action(cursor: &mut Cursor<'_>) -> Option<Action> {
    for (words, action) in [
        ("NO ACTION", Action::NoAction),
        ("RESTRICT", Action::Restrict),
        ("CASCADE", Action::Cascade),
        ("SET NULL", Action::SetNull),
        ("SET DEFAULT", Action::SetDefault),
    ] {
        if cursor.eat_all(words) {
            return Some(action);
        }
    }
    None
}
