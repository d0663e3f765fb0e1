//! The SQL that stands under a finding is run as it is printed: it changes the rows that were counted, and no others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use referee::audit::Guesses;
use referee::findings::Finding;
use rusqlite::Connection;
use support::audit::{Ask, audit, only};
use support::postgres as server;

mod support;

const ROWS: Ask<'_> =
    Ask { config: "", data: true, verify_indexes: false, foreign_keys: None, guesses: Guesses::Judged };

/// Types of every affinity, and collations, as they are declared.
const TYPES: [&str; 14] = [
    "INTEGER",
    "INT",
    "BIGINT",
    "TEXT",
    "VARCHAR(20)",
    "TEXT COLLATE NOCASE",
    "TEXT COLLATE RTRIM",
    "BLOB",
    "",
    "REAL",
    "DOUBLE",
    "NUMERIC",
    "DECIMAL(10,2)",
    "BOOLEAN",
];

/// Values that some types make the same and others do not.
const VALUES: [&str; 13] =
    ["1", "2", "1.0", "'1'", "'007'", "7", "'7'", "'a'", "'A'", "'a '", "x'31'", "1e3", "'1000'"];

/// Returns the statements that are printed under the only finding of a rule.
fn printed(finding: &Finding) -> (Option<&str>, &str) {
    let of = |verb: &str| finding.fixes.iter().flat_map(|f| &f.sql).find(|s| s.starts_with(verb)).map(String::as_str);
    (of("UPDATE"), of("DELETE").expect("a DELETE"))
}

/// Returns the rows whose parent SQLite itself misses.
fn broken(connection: &Connection) -> Vec<i64> {
    let mut query = connection.prepare("SELECT rowid FROM pragma_foreign_key_check('c') ORDER BY 1").unwrap();
    query.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

fn ids(connection: &Connection, condition: &str) -> Vec<i64> {
    let mut query = connection.prepare(&format!("SELECT id FROM c WHERE {condition} ORDER BY 1")).unwrap();
    query.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn for_every_pair_of_types_sqlite_changes_the_rows_that_its_own_check_lists() {
    let folder = tempfile::tempdir().unwrap();
    let mut with_orphans = 0;
    for (p, parent) in TYPES.iter().enumerate() {
        for (c, child) in TYPES.iter().enumerate() {
            let path = folder.path().join(format!("{p}-{c}.db"));
            let connection = Connection::open(&path).unwrap();
            connection
                .execute_batch(&format!(
                    "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; CREATE TABLE p (k {parent} UNIQUE);
                     CREATE TABLE c (id INTEGER PRIMARY KEY, r {child} REFERENCES p (k)); BEGIN;"
                ))
                .unwrap();
            // Every other value has a parent; what a type makes the same is refused the second time.
            for value in VALUES.iter().step_by(2) {
                connection.execute_batch(&format!("INSERT OR IGNORE INTO p VALUES ({value})")).unwrap();
            }
            for value in VALUES.iter().chain(&["NULL"]) {
                connection.execute_batch(&format!("INSERT INTO c (r) VALUES ({value})")).unwrap();
            }
            connection.execute_batch("COMMIT").unwrap();
            let expected = broken(&connection);
            let all = ids(&connection, "1");
            let report = audit(&path.display().to_string(), ROWS);
            if expected.is_empty() {
                assert!(report.findings.iter().all(|f| f.rule.name() != "orphan-rows"), "{parent} <- {child}");
                continue;
            }
            with_orphans += 1;
            let (update, delete) = printed(only(&report, "orphan-rows"));
            let empty = ids(&connection, "r IS NULL");
            connection.execute_batch("BEGIN").unwrap();
            assert_eq!(connection.execute(update.unwrap(), []).unwrap(), expected.len(), "{parent} <- {child}");
            let mut emptied = ids(&connection, "r IS NULL");
            emptied.retain(|id| !empty.contains(id));
            assert_eq!(emptied, expected, "{parent} <- {child}: {update:?}");
            connection.execute_batch("ROLLBACK; BEGIN").unwrap();
            assert_eq!(connection.execute(delete, []).unwrap(), expected.len(), "{parent} <- {child}");
            let left: Vec<i64> = all.into_iter().filter(|id| !expected.contains(id)).collect();
            assert_eq!(ids(&connection, "1"), left, "{parent} <- {child}: {delete}");
            connection.execute_batch("ROLLBACK").unwrap();
        }
    }
    assert!(with_orphans > 150, "{with_orphans}");
}

/// The tables that hold 100, 200 and 999 as integers, and their parents as text.
#[test]
fn what_is_printed_for_a_relation_without_key_counts_as_sqlite_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("badges.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE users (code TEXT PRIMARY KEY); INSERT INTO users VALUES ('100'), ('200');
             CREATE TABLE badges (id INTEGER PRIMARY KEY, user_code INTEGER);
             INSERT INTO badges (user_code) VALUES (100), (200), (999);",
        )
        .unwrap();
    let config = "[[relation]]\nchild = \"badges.user_code\"\nparent = \"users.code\"\n";
    let report = audit(&path.display().to_string(), Ask { config, ..ROWS });
    let (update, _) = printed(only(&report, "orphan-rows"));
    assert_eq!(connection.execute(update.unwrap(), []).unwrap(), 1);
    // The same condition stands in the advice of the finding about the key that is missing.
    let help = &only(&report, "undeclared-foreign-key").help;
    let query = help.split('`').find(|part| part.starts_with("SELECT count(*)")).expect("a query");
    assert_eq!(connection.query_row(query, [], |r| r.get::<_, i64>(0)).unwrap(), 0, "{query}");
    connection.execute_batch("INSERT INTO badges (user_code) VALUES (100), (7), (8)").unwrap();
    assert_eq!(connection.query_row(query, [], |r| r.get::<_, i64>(0)).unwrap(), 2, "{query}");
}

/// Runs what is printed under the finding about a table's orphans, and undoes it; returns how many rows each statement changed.
fn changed(url: &str, table: &str) -> (Option<u64>, u64) {
    let report = audit(url, ROWS);
    let about = |f: &&Finding| f.rule.name() == "orphan-rows" && f.subject.table == Some(table.into());
    let (update, delete) = printed(report.findings.iter().find(about).expect("orphans"));
    let mut client = server::connect(url);
    let mut run = |sql: &str| {
        let mut transaction = client.transaction().unwrap();
        transaction.execute(sql, &[]).unwrap_or_else(|e| panic!("{}: {sql}", server::explain(&e)))
    };
    (update.map(&mut run), run(delete))
}

#[test]
fn heirs_of_a_table_and_half_keys_and_collations_are_changed_as_they_were_counted() {
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(
            &url,
            "CREATE TABLE kinds (id int PRIMARY KEY); INSERT INTO kinds VALUES (1);
             CREATE TABLE ev (id int, kind int REFERENCES kinds); CREATE TABLE ev_a () INHERITS (ev);
             ALTER TABLE ev DISABLE TRIGGER ALL; INSERT INTO ev VALUES (1, 1), (2, 9);
             INSERT INTO ev_a VALUES (3, 8), (4, 7); ALTER TABLE ev ENABLE TRIGGER ALL;",
        );
        assert_eq!(changed(&url, "ev"), (Some(1), 1), "no row of an heir is the key's");

        let url = server.fresh_database();
        server::execute(
            &url,
            "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); INSERT INTO p VALUES (1, 1);
             CREATE TABLE c (id int PRIMARY KEY, a int, b int);
             INSERT INTO c VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL), (4, 5, 5);
             ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p MATCH FULL NOT VALID;",
        );
        assert_eq!(changed(&url, "c"), (Some(2), 2));

        // PostgreSQL 18 lets a foreign key compare by such a collation only if both columns have it (42P21).
        let collation = if server.major >= 18 { "COLLATE nocase" } else { "" };
        let url = server.fresh_database();
        server::execute(
            &url,
            &format!(
                "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE p (code text COLLATE nocase PRIMARY KEY); INSERT INTO p VALUES ('Ann');
             CREATE TABLE c (id int PRIMARY KEY, code text {collation});
             INSERT INTO c VALUES (1, 'ann'), (2, 'ANN'), (3, 'bob');
             ALTER TABLE c ADD FOREIGN KEY (code) REFERENCES p NOT VALID;"
            ),
        );
        assert_eq!(changed(&url, "c"), (Some(1), 1));
    }
}

#[test]
fn a_comment_on_a_key_stays_when_the_printed_statements_replace_it() {
    let url = server::fresh_database();
    server::execute(
        &url,
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int NOT NULL);
         ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p ON DELETE SET NULL;
         COMMENT ON CONSTRAINT c_p ON c IS 'ask Ann''s team first';",
    );
    let report = audit(&url, Ask::default());
    let finding = only(&report, "set-null-on-not-null");
    let replacing = finding.fixes.iter().find(|f| f.sql.iter().any(|s| s.contains("DROP CONSTRAINT"))).expect("a fix");
    server::execute(&url, &replacing.sql.join(";\n"));
    let comment = "SELECT pg_catalog.obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'c_p'";
    let text: Option<String> = server::connect(&url).query_one(comment, &[]).unwrap().get(0);
    assert_eq!(text.as_deref(), Some("ask Ann's team first"));
}
