//! Orphans in tables at the limits of what SQLite allows: what goes or loses its reference is counted, and all of it comes back.

use referee::change::Change;
use referee::plan::{Down, Made, Options, OrphanPolicy, Step};
use rusqlite::Connection;

use super::harness::{Contents, Fixture, column, contents, is_done, run, wanted};

const POLICIES: [OrphanPolicy; 3] = [OrphanPolicy::SetNull, OrphanPolicy::Delete, OrphanPolicy::Quarantine];

/// Plans the repair of the orphans of `t.a`, which is declared, with everything counted that the planner asks for.
fn made(fixture: &Fixture, policy: OrphanPolicy) -> Made {
    let connection = fixture.connect();
    let count = |query: &str| -> u64 {
        let rows: i64 = connection.query_row(query, [], |r| r.get(0)).unwrap_or_else(|e| panic!("{e}\n{query}"));
        u64::try_from(rows).unwrap()
    };
    let foreign_key = fixture.table("t").foreign_keys.iter().find(|k| k.columns == ["a"]).unwrap().clone();
    let mut wants = wanted(&[Change::ValidateForeignKey { table: "t".into(), foreign_key }]);
    wants[0].orphans = Some(count("SELECT count(*) FROM pragma_foreign_key_check('t')"));
    // Only by its name a relation whose reference may be NULL loses rows.
    let removes = Some(policy).filter(|p| *p != OrphanPolicy::SetNull);
    let orphans_of = removes.map(|p| ("t.a".to_string(), Some(p))).into_iter().collect();
    let mut options = Options { orphans: Some(policy), orphans_of, ..Options::default() };
    loop {
        let made = fixture.made_with(&wants, &options);
        let missing = options.counts.missing();
        if missing.is_empty() {
            return made;
        }
        for query in missing {
            let rows = count(&query);
            options.counts.answer(query, rows);
        }
    }
}

fn steps(fixture: &Fixture, policy: OrphanPolicy) -> Vec<Step> {
    let made = made(fixture, policy);
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    made.steps
}

fn up(connection: &Connection, steps: &[Step]) {
    for step in steps {
        for guard in &step.guards {
            assert!(column(connection, &guard.sql).is_empty(), "{}", guard.message());
        }
        run(connection, &step.up).unwrap_or_else(|e| panic!("{e}: {:#?}", step.up));
        assert!(is_done(connection, step), "{}", step.title);
    }
}

fn down(connection: &Connection, steps: &[Step]) {
    for step in steps.iter().rev() {
        let Down::Script { script, guards } = &step.down else { panic!("no way down: {step:#?}") };
        for guard in guards {
            assert!(column(connection, &guard.sql).is_empty(), "{}", guard.message());
        }
        run(connection, script).unwrap_or_else(|e| panic!("{e}: {script:#?}"));
    }
}

/// Repairs the orphans and undoes it; returns what the tables held between.
fn there_and_back(what: &str, sql: &str, policy: OrphanPolicy) -> Contents {
    let fixture = Fixture::new(sql);
    let connection = fixture.connect();
    let before = contents(&connection);
    let steps = steps(&fixture, policy);
    up(&connection, &steps);
    let between = contents(&connection);
    down(&connection, &steps);
    assert_eq!(contents(&connection), before, "{what}, {policy:?}");
    between
}

#[test]
fn a_table_may_have_many_columns() {
    // Some hundreds of conditions in a row are too deep an expression. 2000 columns are the most; comparing them takes a while.
    for (columns, policies, keys) in
        [(340, &POLICIES[..], &["id INTEGER PRIMARY KEY", "id INT"][..]), (1_900, &POLICIES[..1], &["id INT"])]
    {
        let names: String = (0..columns).map(|n| format!(", c{n} TEXT")).collect();
        for key in keys {
            let sql = format!(
                "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
                 CREATE TABLE t ({key}, a INT REFERENCES p{names}); INSERT INTO t (id, a, c0) VALUES (1, 1, 'x'), (2, 99, 'y'), (3, 98, 'z');"
            );
            for policy in policies {
                there_and_back(&format!("{columns} columns, {key}"), &sql, *policy);
            }
        }
    }
}

#[test]
fn many_columns_are_compared_where_rows_of_another_table_go_as_well() {
    let names: String = (0..340).map(|n| format!(", c{n} TEXT")).collect();
    let sql = format!(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE t (id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES p{names}); INSERT INTO t (id, a, c0) VALUES (2, 99, 'y');
         CREATE TABLE u (id INTEGER PRIMARY KEY, t_id INT REFERENCES t ON DELETE SET NULL{names}); INSERT INTO u (id, t_id) VALUES (5, 2);"
    );
    let between = there_and_back("a closure", &sql, OrphanPolicy::Delete);
    assert!(between.rows["t"].is_empty());
    assert!(between.rows["u"][0].starts_with("Integer(5)|Integer(5)|Null"), "{:?}", between.rows["u"]);
}

#[test]
fn keys_of_text_with_nul_and_of_bytes_are_told_apart() {
    // Only some of these keys are those of rows that go; the first three begin alike, the next three have the same bytes.
    let keys = [
        "'a'",
        "'a' || char(0) || 'b'",
        "'a' || char(0) || 'c'",
        "'31'",
        "x'3331'",
        "x'3331' || ''",
        "1",
        "'1'",
        "0.1 + 0.2",
        "0.3",
        "1.7976931348623157e308",
        "1.7976931348623155e308",
        "char(39) || ',' || char(39)",
        "x'00'",
        "x'0000'",
    ];
    for parity in [0, 1] {
        let gone = |at: usize| at % 2 == parity;
        let rows: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(at, k)| format!("INSERT OR IGNORE INTO t VALUES ({k}, 7, {});", if gone(at) { 99 } else { 1 }))
            .collect();
        let sql = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
             CREATE TABLE t (k, l INT, a INT NOT NULL REFERENCES p, PRIMARY KEY (k, l)) WITHOUT ROWID; {}
             CREATE TABLE u (k, l INT, n INT, PRIMARY KEY (k, l, n), FOREIGN KEY (k, l) REFERENCES t ON DELETE CASCADE) WITHOUT ROWID;
             INSERT INTO u SELECT k, l, 1 FROM t; INSERT INTO u SELECT k, l, 2 FROM t;",
            rows.concat()
        );
        let fixture = Fixture::new(&sql);
        let connection = fixture.connect();
        let expected = column(&connection, "SELECT count(*) FROM t WHERE a = 99");
        let others = column(&connection, "SELECT hex(k) FROM t WHERE a = 1 ORDER BY 1");
        let steps = steps(&fixture, OrphanPolicy::Delete);
        let [step] = &steps[..] else { panic!("{}", steps.len()) };
        for (table, times) in [("t", 1), ("u", 2)] {
            let bound = step.bounds.iter().find(|b| b.table.name == table).unwrap();
            assert_eq!(format!("Integer({})", bound.rows / times), expected[0], "{table}");
        }
        let before = contents(&connection);
        up(&connection, &steps);
        assert_eq!(column(&connection, "SELECT hex(k) FROM t ORDER BY 1"), others);
        down(&connection, &steps);
        assert_eq!(contents(&connection), before);
    }
}

/// Tables with a row that breaks a constraint of its own, and what is said of it; the last row is an orphan, too, and breaks none.
const BROKEN: &[(&str, &str)] = &[
    ("CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES p, b INT CHECK (b > 0 -- so\n));", "CHECK (b > 0"),
    (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES p, b INT, CONSTRAINT few CHECK (t.b > 0 AND rowid > 0));",
        "CHECK few",
    ),
    (
        "CREATE TABLE t (id TEXT, a INT REFERENCES p, b INT CHECK (b > 0), PRIMARY KEY (id)) WITHOUT ROWID;",
        "CHECK (b > 0)",
    ),
    (
        "CREATE TABLE t (rowid TEXT, oid TEXT, _rowid_ TEXT, id INT, a INT REFERENCES p, b INT CHECK (b > 0));",
        "CHECK (b > 0)",
    ),
];

#[test]
fn a_row_that_breaks_a_constraint_of_its_own_table_is_named_and_not_deleted() {
    let follows = "CREATE TABLE u (id INTEGER PRIMARY KEY, t_id INT REFERENCES t ON DELETE SET NULL); INSERT INTO u VALUES (1, 2);";
    for (table, constraint) in BROKEN {
        for more in ["", follows].iter().filter(|more| more.is_empty() || table.contains("id INTEGER PRIMARY KEY")) {
            for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
                let rows = |b: i64| {
                    format!(
                        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); PRAGMA ignore_check_constraints = ON; {table}
                         INSERT INTO t (id, a, b) VALUES (1, 1, 7), (2, 99, {b}), (3, 98, 5); {more}"
                    )
                };
                let fixture = Fixture::new(&rows(-1));
                let refused = made(&fixture, policy).refused;
                let said = format!("1 row of t breaks {constraint}");
                assert!(refused.iter().any(|r| r.why.contains(&said)), "{table} {more}: {refused:?}");
                // A row that came after it was counted is found by a guard.
                let fixture = Fixture::new(&rows(4));
                let steps = steps(&fixture, policy);
                let connection = fixture.connect();
                connection
                    .execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE t SET b = -1 WHERE id = 2")
                    .unwrap();
                let found: Vec<String> = steps[0]
                    .guards
                    .iter()
                    .filter(|g| g.found.contains("of their own table"))
                    .flat_map(|g| column(&connection, &g.sql))
                    .collect();
                assert!(found.len() == 1 && found[0].contains(constraint.trim_end_matches(" -- so")), "{found:?}");
                // One that is no orphan is none of this.
                connection.execute_batch("UPDATE t SET b = 4 WHERE id = 2; UPDATE t SET b = -1 WHERE id = 1").unwrap();
                if !table.contains("_rowid_") {
                    up(&connection, &steps);
                    down(&connection, &steps);
                }
            }
        }
    }
}

#[test]
fn not_null_and_a_strict_type_that_came_later_are_constraints_too() {
    for (after, constraint) in [("b INT NOT NULL)", "NOT NULL of b"), ("b TEXT) STRICT", "the type of b (STRICT)")] {
        let b = if constraint.starts_with("NOT") { "NULL" } else { "5" };
        let sql = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES p, b INT);
             INSERT INTO t VALUES (2, 99, {b}), (3, 98, 'x'); PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, 'b INT)', '{after}') WHERE name = 't'; PRAGMA writable_schema = RESET;"
        );
        let refused = made(&Fixture::new(&sql), OrphanPolicy::Delete).refused;
        let said = format!("1 row of t breaks {constraint}");
        assert!(refused.iter().any(|r| r.why.contains(&said)), "{refused:?}");
    }
}

#[test]
fn a_reference_that_a_check_forbids_is_not_set_to_null() {
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); PRAGMA ignore_check_constraints = ON;
        CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES p CHECK (a < 50), b INT CHECK (b > 0)); INSERT INTO t VALUES (2, 99, -1)";
    let refused = made(&Fixture::new(sql), OrphanPolicy::SetNull).refused;
    assert!(
        refused.iter().any(|r| r.why.contains("1 row of t breaks CHECK (a < 50) of the table itself")),
        "{refused:?}"
    );
    there_and_back("another check", &sql.replace("a < 50", "a < 100"), OrphanPolicy::SetNull);
}

#[test]
fn a_column_may_have_any_name_that_a_backup_or_a_query_uses() {
    let names = [
        "_referee_rowid",
        "_REFEREE_ROWID_",
        "_referee_places",
        "_referee_rows",
        "kept",
        "child",
        "place",
        "places",
        "other",
        "n",
    ];
    let columns: String = names.iter().map(|n| format!(", \"{n}\" INT")).collect();
    let values: String = (0..names.len()).map(|n| format!(", {n}")).collect();
    let closure =
        "CREATE TABLE u (id INTEGER PRIMARY KEY, t_id INT REFERENCES t (id) ON DELETE CASCADE, gone, parent, t, r);
        INSERT INTO u VALUES (1, 2, 1, 2, 3, 4);";
    for key in ["id INT UNIQUE", "id TEXT PRIMARY KEY", "id INT", "id INTEGER PRIMARY KEY"] {
        for more in ["", closure].iter().filter(|more| more.is_empty() || key != "id INT") {
            let sql = format!(
                "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE t ({key}, a INT REFERENCES p{columns});
                 INSERT INTO t VALUES (1, 1{values}), (2, 99{values}), (3, 98{values}); {more}"
            );
            for policy in POLICIES {
                there_and_back(&format!("{key} {more}"), &sql, policy);
            }
        }
    }
}

#[test]
fn rows_that_nothing_tells_apart_are_not_changed() {
    let rows = "INSERT INTO t (rowid, a) VALUES ('x', 99), ('x', NULL), ('y', 1);";
    let parent = "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);";
    let table =
        |more: &str| format!("{parent} CREATE TABLE t (rowid TEXT, oid TEXT, _rowid_ TEXT, a INT REFERENCES p{more});");
    let refused = |sql: &str, policy: OrphanPolicy| {
        let refused = made(&Fixture::new(sql), policy).refused;
        assert!(refused.iter().any(|r| r.why.starts_with("nothing tells the rows of t apart")), "{sql} {refused:?}");
    };
    refused(&format!("{} {rows}", table("")), OrphanPolicy::SetNull);
    // A key that may be NULL names no row.
    refused(&format!("{} {rows}", table(", u INT UNIQUE")), OrphanPolicy::SetNull);
    let itself = ", u INT REFERENCES t (rowid), UNIQUE (rowid)";
    let one = "INSERT INTO t (rowid, a) VALUES ('x', 99), ('y', 1);";
    refused(&format!("{} {one}", table(itself)), OrphanPolicy::Delete);
    // What goes needs no name to come back.
    there_and_back("deleted", &format!("{} {rows}", table("")), OrphanPolicy::Delete);
    for key in [", u INT NOT NULL UNIQUE", ", u INTEGER PRIMARY KEY"] {
        let rows = "INSERT INTO t (rowid, a, u) VALUES ('x', 99, 1), ('x', NULL, 2), ('y', 1, 3);";
        for policy in POLICIES {
            there_and_back(key, &format!("{} {rows}", table(key)), policy);
        }
    }
}

#[test]
fn a_value_that_its_column_would_change_stops_the_step() {
    let closure = "CREATE TABLE u (id INTEGER PRIMARY KEY, t_id INT REFERENCES t (id) ON DELETE CASCADE);
        INSERT INTO u VALUES (1, 2);";
    for (b, value, more) in [("TEXT", "5", ""), ("INT", "'5'", ""), ("TEXT", "5", closure)] {
        let before = if b == "TEXT" { "INT" } else { "TEXT" };
        let sql = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES p, b {before});
             INSERT INTO t VALUES (2, 99, {value}), (3, 98, 'x'); {more} PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, 'b {before})', 'b {b})') WHERE name = 't'; PRAGMA writable_schema = RESET;"
        );
        for policy in POLICIES {
            let fixture = Fixture::new(&sql);
            let connection = fixture.connect();
            let was = contents(&connection);
            let step = &steps(&fixture, policy)[0];
            let stopped = run(&connection, &step.up).unwrap_err().to_string();
            assert!(stopped.contains("the_backup_holds_the_rows_as_they_are"), "{stopped}");
            connection.execute_batch("ROLLBACK").ok();
            assert_eq!(contents(&connection), was, "{b} {value} {policy:?}");
        }
    }
}
