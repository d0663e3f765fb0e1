//! Values in queries, and rows handed over one by one: the same on every engine.

use std::ops::ControlFlow;

use referee::engine::{EngineErrorKind, Reader, SessionOptions, Value, sqlite};

use crate::support::postgres as server;

const HOSTILE: &[&str] = &[
    "",
    "plain",
    "it's",
    "''; DROP TABLE t; --",
    "\\",
    "\\'; DROP TABLE t; --",
    "a\\\\'b",
    "$1",
    "$q$ $1 $q$",
    "/* $2 */ -- $1",
    "\"quoted\"",
    "E'\\n'",
    "Größe 名前 🦀",
    "line\nbreak\ttab\r",
    "?1 :a @b",
];

/// Runs a test on a database of every engine; `numbers(n)` is a query of n rows.
fn everywhere(test: impl Fn(&mut dyn Reader, &dyn Fn(u64) -> String)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let recursive = |n: u64| {
        format!(
            "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n}) SELECT i AS n, 'x' AS x FROM s"
        )
    };
    test(sqlite::open(&path, &SessionOptions::default()).unwrap().as_mut(), &recursive);
    let series = |n: u64| format!("SELECT pg_catalog.generate_series(1, {n}) AS n, 'x' AS x");
    for server in server::servers() {
        for conforming in ["on", "off"] {
            let url = server.fresh_database();
            let name = url.split(['/', '?']).nth(3).unwrap();
            let set = format!("ALTER DATABASE \"{name}\" SET standard_conforming_strings = {conforming}");
            server::execute(&url, &set);
            test(crate::engines::postgres::session(&url).as_mut(), &series);
        }
    }
}

#[test]
fn a_value_comes_back_as_it_was_given() {
    everywhere(|session, _| {
        for text in HOSTILE {
            let given = [Value::Text((*text).to_string()), Value::Text("other".into())];
            let sql = "SELECT CAST($1 AS text), '$2 it''s \\' /* $1 */ , CAST($2 AS text) -- $1";
            let rows = session.query_with(sql, &given).unwrap_or_else(|e| panic!("{e} {:?}", e.sql));
            let got: Vec<String> = rows.rows[0].iter().map(|v| v.text().unwrap()).collect();
            assert_eq!(got, [*text, "$2 it's \\", "other"]);
        }
        let numbers = [Value::Integer(i64::MIN), Value::Integer(7), Value::Null, Value::Real(-1.5)];
        let rows = session.query_with("SELECT $1, 10 -$2, $3 IS NULL, $4 < -1.25", &numbers).unwrap();
        let got: Vec<String> = rows.rows[0].iter().map(|v| v.text().unwrap()).collect();
        assert_eq!(got[..2], [i64::MIN.to_string(), "3".to_string()]);
        assert!(got[2..].iter().all(|t| t == "1" || t == "t"), "{got:?}");
        let bytes = [Value::Blob(vec![0, 0x27, 0x5c, 0xff])];
        assert_eq!(session.query_with("SELECT length($1)", &bytes).unwrap().rows[0][0].integer(), Some(4));
        for (sql, says) in [("SELECT $2", "no value for $2"), ("SELECT 1", "no place $1")] {
            let error = session.query_with(sql, &[Value::Null]).unwrap_err();
            assert!(error.kind == EngineErrorKind::Statement && error.message.contains(says), "{error}");
        }
    });
}

#[test]
fn rows_are_handed_over_until_they_are_not_wanted() {
    everywhere(|session, numbers| {
        for count in [0, 1, 999, 1000, 1001, 2500] {
            let mut seen = 0;
            session
                .stream(
                    &format!("SELECT * FROM ({}) q WHERE n <= $1", numbers(5000)),
                    &[Value::Integer(count)],
                    &mut |row| {
                        seen += 1;
                        assert_eq!((row.columns.len(), row.values[0].integer()), (2, Some(seen)));
                        ControlFlow::Continue(())
                    },
                )
                .unwrap();
            assert_eq!(seen, count);
        }
        // Of these nobody waits for the last.
        let mut seen = 0;
        session
            .stream(&numbers(1_000_000_000), &[], &mut |_| {
                seen += 1;
                if seen == 1500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(seen, 1500);
        assert!(session.stream("SELECT * FROM nowhere", &[], &mut |_| ControlFlow::Continue(())).is_err());
        // No transaction is left open by either.
        assert_eq!(session.query("SELECT 1").unwrap().rows.len(), 1);
    });
}
