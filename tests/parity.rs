//! The strongest test there is: a schema read from SQL text equals the one that the engine tells after running the text.
//!
//! What text cannot tell is taken off both sides first: estimates and versions; how PostgreSQL writes an expression anew
//! (casts, parentheses, case); and what only text tells, whether ON DELETE is written out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::fmt::Write;

use referee::engine::SessionOptions;
use referee::schema::{Engine, Schema};
use referee::source::history::{File, History, Migration, Place};
use referee::source::{Source, replay};
use referee::sql::Span;

mod support;

fn replayed(engine: Engine, sql: &str) -> (Schema, History) {
    let place = Place { file: 0, span: Span::new(0, sql.len()) };
    let migration =
        Migration { name: "m".into(), up: place, down: None, reversible: false, transaction: false, base: false };
    let file = File { path: "m.sql".into(), text: sql.into() };
    replay::replay(engine, vec![file], vec![migration], &mut ())
}

/// Writes an expression in one way: without casts, parentheses and white space, in lower case.
fn plain(text: &mut String) {
    let mut out = String::new();
    let chars: Vec<char> = text.to_lowercase().chars().collect();
    let mut at = 0;
    while at < chars.len() {
        if chars[at] == ':' && chars.get(at + 1) == Some(&':') {
            at += 2;
            // The type's name: words, blanks between them, brackets, dots; not AND or OR.
            while at < chars.len() && (chars[at].is_alphanumeric() || matches!(chars[at], '_' | '[' | ']' | '.' | '"'))
            {
                at += 1;
            }
            for two in [" varying", " without time zone", " with time zone", " precision"] {
                let rest: String = chars[at..].iter().take(two.len()).collect();
                if rest == two {
                    at += two.len();
                }
            }
            continue;
        }
        if !matches!(chars[at], '(' | ')' | ' ' | '\n' | '\t' | '\r') {
            out.push(chars[at]);
        }
        at += 1;
    }
    *text = out.replace("!=", "<>");
}

fn comparable(mut schema: Schema) -> Schema {
    schema.version = None;
    let postgres = schema.engine == Engine::Postgres;
    for table in &mut schema.tables {
        table.row_estimate = None;
        for key in &mut table.foreign_keys {
            if postgres {
                key.on_delete_written = None;
            }
        }
        if !postgres {
            continue;
        }
        for column in &mut table.columns {
            column.default.iter_mut().for_each(plain);
            column.generated.iter_mut().for_each(|g| plain(&mut g.expression));
        }
        table.checks.iter_mut().for_each(|c| plain(&mut c.expression));
        for index in &mut table.indexes {
            index.predicate.iter_mut().for_each(plain);
            index.parts.iter_mut().filter_map(|p| p.expression.as_mut()).for_each(plain);
        }
    }
    schema.sort();
    schema
}

/// Tells where two schemas differ, table by table.
fn difference(left: &Schema, right: &Schema) -> String {
    let mut text = String::new();
    for table in &left.tables {
        match right.table(&table.name) {
            None => writeln!(text, "{}: only in the files", table.name).unwrap(),
            Some(other) if other != table => {
                let (a, b) = (format!("{table:#?}"), format!("{other:#?}"));
                let lines = a.lines().zip(b.lines()).filter(|(a, b)| a != b).take(6);
                writeln!(text, "{}:", table.name).unwrap();
                lines.for_each(|(a, b)| writeln!(text, "  files {} | engine {}", a.trim(), b.trim()).unwrap());
                if a.lines().count() != b.lines().count() {
                    writeln!(text, "  files {table:?}\n  engine {other:?}").unwrap();
                }
            }
            Some(_) => {}
        }
    }
    for table in right.tables.iter().filter(|t| left.table(&t.name).is_none()) {
        writeln!(text, "{}: only in the engine", table.name).unwrap();
    }
    text
}

fn assert_same(engine: Engine, sql: &str, inspected: Schema) {
    let (schema, history) = replayed(engine, sql);
    let (left, right) = (comparable(schema), comparable(inspected));
    assert!(left == right, "{sql}\n{}", difference(&left, &right));
    assert!(history.skipped.is_empty(), "{sql}\nskipped: {:?}", history.skipped);
    assert!(history.conflicts.is_empty(), "{sql}\nconflicts: {:?}", history.conflicts);
}

fn sqlite(sql: &str) -> Schema {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    Source::parse(path.to_str().unwrap()).unwrap().open(&SessionOptions::default()).unwrap().schema
}

fn postgres(sql: &str) -> Schema {
    let url = support::postgres::fresh_database();
    support::postgres::execute(&url, sql);
    Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap().schema
}

/// A fixture: cases separated by lines of `-- case`.
fn cases(text: &str) -> Vec<&str> {
    text.split("-- case").map(str::trim).filter(|c| !c.is_empty()).collect()
}

#[test]
fn sqlite_agrees() {
    let failures: Vec<String> = cases(include_str!("fixtures/parity/sqlite.sql"))
        .into_iter()
        .filter_map(|sql| failed(|| assert_same(Engine::Sqlite, sql, sqlite(sql))))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn postgres_agrees() {
    let failures: Vec<String> = cases(include_str!("fixtures/parity/postgres.sql"))
        .into_iter()
        .filter_map(|sql| failed(|| assert_same(Engine::Postgres, sql, postgres(sql))))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn failed(test: impl FnOnce() + std::panic::UnwindSafe) -> Option<String> {
    let error = std::panic::catch_unwind(test).err()?;
    let text = error.downcast_ref::<String>().cloned();
    Some(text.or_else(|| error.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
}
