//! The strongest test there is: a schema read from SQL text equals the one that the engine tells after running the text.
//! `tests/support/compare.rs` says what is taken off both sides first; `examples/parity.rs` does the same for whole folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use mysql::prelude::Queryable;
use proptest::prelude::*;
use proptest::sample::select;
use referee::engine::SessionOptions;
use referee::schema::{Engine, Schema};
use referee::source::history::{ConflictKind, File, History, Migration, Place};
use referee::source::{Source, replay};
use referee::sql::Span;
use referee::sql::ast::Skipped;

mod support;

use support::compare::{comparable, difference};

fn replayed(engine: Engine, sql: &str) -> (Schema, History) {
    let place = Place { file: 0, span: Span::new(0, sql.len()) };
    let migration =
        Migration { name: "m".into(), up: place, down: None, reversible: false, transaction: false, base: false };
    let file = File { path: "m.sql".into(), text: sql.into() };
    replay::replay(engine, vec![file], vec![migration])
}

fn assert_same(engine: Engine, sql: &str, inspected: Schema) {
    let (schema, history) = replayed(engine, sql);
    let (left, right) = (comparable(schema), comparable(inspected));
    let difference = difference(&left, &right);
    assert!(left == right, "{sql}\n{difference}");
    assert!(difference.is_empty(), "{sql}\nthe schemas are the same, yet there are changes between them\n{difference}");
    // What runs when a routine is called has not run.
    let skipped: Vec<_> = history.skipped.iter().filter(|s| s.within != Skipped::ROUTINE).collect();
    assert!(skipped.is_empty(), "{sql}\nskipped: {skipped:?}");
    // The engine took every statement; what IF NOT EXISTS passes over in silence may differ.
    let refused = history.conflicts.iter().filter(|c| !matches!(c.kind, ConflictKind::HiddenDifference { .. }));
    let refused: Vec<_> = refused.collect();
    assert!(refused.is_empty(), "{sql}\nconflicts: {refused:?}");
}

fn sqlite(sql: &str) -> Schema {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    Source::parse(path.to_str().unwrap()).unwrap().open(&SessionOptions::default()).unwrap().schema
}

fn postgres(sql: &str) -> Schema {
    let url = support::postgres::fresh_database();
    // psql takes off a byte order mark, too.
    support::postgres::execute(&url, sql.trim_start_matches('\u{feff}'));
    Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap().schema
}

fn mariadb(sql: &str) -> Schema {
    let server = support::mariadb::server();
    let database = server.fresh_database();
    let mut connection = server.connect().unwrap();
    connection.query_drop(format!("USE {database}")).unwrap();
    support::mariadb::execute(&mut connection, sql).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    support::mariadb_inspect::inspect(&mut connection, &database)
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

#[test]
fn mariadb_agrees() {
    let failures: Vec<String> = cases(include_str!("fixtures/parity/mariadb.sql"))
        .into_iter()
        .filter_map(|sql| failed(|| assert_same(Engine::Mariadb, sql, mariadb(sql))))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// How many random cases are tried; `PROPTEST_CASES` says otherwise.
fn number(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Statements about three tables, of which the engine may refuse any.
fn statements(engine: Engine) -> impl Strategy<Value = Vec<String>> {
    let name = || select(vec!["t", "u", "\"V w\""]);
    let column = || select(vec!["id", "k", "x", "t", "\"Y\""]);
    let action = || {
        select(vec![
            "",
            " ON DELETE CASCADE",
            " ON DELETE SET NULL ON UPDATE RESTRICT",
            " DEFERRABLE INITIALLY DEFERRED",
        ])
    };
    let primary = select(vec![
        "id INTEGER PRIMARY KEY",
        "id TEXT UNIQUE, PRIMARY KEY (id, k)",
        "id INTEGER NOT NULL PRIMARY KEY UNIQUE",
        "id INT",
    ]);
    let create = (
        name(),
        primary,
        name(),
        action(),
        column(),
        select(if engine == Engine::Sqlite {
            // What is in double quotes is a string as long as there is no such column.
            vec!["", ", UNIQUE (k, x)", ", CHECK (K > 0)", ", CHECK (x <> \"Y\" AND lower(\"t\") <> \"id\")"]
        } else {
            vec!["", ", UNIQUE (k, x)", ", CHECK (k > 0)", ", CONSTRAINT c UNIQUE (x)"]
        }),
    )
        .prop_map(|(t, primary, parent, action, of, more)| {
            let (primary, rest) =
                primary.split_once(", ").map_or((primary, String::new()), |(p, r)| (p, format!(", {r}")));
            let order = [
                format!("{primary}, k INTEGER REFERENCES {parent} ({of}){action}, x TEXT DEFAULT 'a'"),
                format!("{rest}{more}"),
            ];
            format!("CREATE TABLE {t} ({})", order.concat())
        });
    let alter =
        (name(), column(), column(), name(), action(), 0usize..7).prop_map(move |(t, a, b, parent, action, kind)| {
            match kind {
                0 => format!("ALTER TABLE {t} ADD COLUMN {a} INTEGER REFERENCES {parent}{action}"),
                1 => format!("ALTER TABLE {t} DROP COLUMN {a}"),
                2 => format!("ALTER TABLE {t} RENAME COLUMN {a} TO {b}"),
                3 => format!("ALTER TABLE {t} RENAME TO {parent}"),
                4 if engine == Engine::Postgres => format!("ALTER TABLE {t} ALTER {a} SET NOT NULL, ADD UNIQUE ({b})"),
                5 if engine == Engine::Postgres => {
                    format!("ALTER TABLE {t} ADD FOREIGN KEY ({a}) REFERENCES {parent} ({b}){action}")
                }
                6 if engine == Engine::Postgres => {
                    format!("ALTER TABLE {t} ADD CHECK ({a} IS NOT NULL), DROP CONSTRAINT IF EXISTS c")
                }
                _ => format!("CREATE INDEX {a}_{b} ON {t} ({a}, {b} DESC) WHERE {b} IS NOT NULL"),
            }
        });
    let cascade = if engine == Engine::Postgres { " CASCADE" } else { "" };
    let other = (name(), column(), 0usize..4).prop_map(move |(t, a, kind)| match kind {
        0 => format!("DROP TABLE {t}{cascade}"),
        1 => format!("CREATE UNIQUE INDEX IF NOT EXISTS u_{} ON {t} ({a})", a.trim_matches('"')),
        2 => format!("DROP INDEX IF EXISTS u_{}", a.trim_matches('"')),
        _ => format!("CREATE INDEX i_{} ON {t} ({a})", a.trim_matches('"')),
    });
    proptest::collection::vec(proptest::prop_oneof![2 => create, 4 => alter, 1 => other], 3..24).prop_map(|list| {
        // An index's name made of a quoted column's is none.
        list.into_iter()
            .map(|s| {
                if s.contains("\"_") || s.contains("INDEX \"") {
                    s.replace("\"Y\"_", "y_").replace("_\"Y\" ON", "_y ON")
                } else {
                    s
                }
            })
            .collect()
    })
}

proptest::proptest! {
    #![proptest_config(ProptestConfig { cases: number(120), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_agrees_after_any_statements(list in statements(Engine::Sqlite)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        // A file without tables is no database to the inspector.
        let list = std::iter::once("CREATE TABLE first (a)".to_string()).chain(list);
        let accepted: Vec<String> = list.filter(|s| connection.execute_batch(s).is_ok()).collect();
        drop(connection);
        let schema = Source::parse(path.to_str().unwrap()).unwrap().open(&SessionOptions::default()).unwrap().schema;
        assert_same(Engine::Sqlite, &accepted.join(";\n"), schema);
    }
}

proptest::proptest! {
    #![proptest_config(ProptestConfig { cases: number(24), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn postgres_agrees_after_any_statements(list in statements(Engine::Postgres)) {
        let url = support::postgres::fresh_database();
        let mut client = support::postgres::connect(&url);
        let accepted: Vec<String> = list.into_iter().filter(|s| client.batch_execute(s).is_ok()).collect();
        let schema = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap().schema;
        assert_same(Engine::Postgres, &accepted.join(";\n"), schema);
    }
}

fn failed(test: impl FnOnce() + std::panic::UnwindSafe) -> Option<String> {
    let error = std::panic::catch_unwind(test).err()?;
    let text = error.downcast_ref::<String>().cloned();
    Some(text.or_else(|| error.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
}
