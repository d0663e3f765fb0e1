//! What `referee.toml` demands of deletes, on the real engines: the findings come true, and their repairs.

use mysql::prelude::Queryable;
use referee::fate::{Fates, Options};

use crate::requirements::on_every_postgres;
use crate::support::audit::{Ask, audit, only, sqlite};
use crate::support::mariadb;
use crate::support::postgres::{connect, execute, fresh_database};

const TWIN: &str = include_str!("../../../../tests/fixtures/twin.postgres.sql");
const ERASABLE: &str = "[[table]]\nname = \"users\"\nerasable = true\n";

/// R4.3: the 32 keys to users are not all that refuses the delete.
#[test]
fn twin_becomes_erasable_by_the_changes_that_fate_shows() {
    on_every_postgres(TWIN, |url, _| {
        let report = audit(url, Ask { config: ERASABLE, ..Ask::default() });
        let finding = only(&report, "refused-delete");
        assert!(finding.help.contains("`referee fate SOURCE users`"), "{}", finding.help);
        assert!(finding.help.contains("a decision"), "several tables have two owners: {}", finding.help);
        let direct = finding.labels.iter().filter(|l| l.text.matches("->").count() == 1).count();
        assert_eq!(direct, 32, "{:?}", finding.labels);
        let mut client = connect(url);
        assert_eq!(client.batch_execute("DELETE FROM users").unwrap_err().code().unwrap().code(), "23503");
        let fates = Fates::new(&report.schema, &report.relations, Options::default());
        let repair = fates.of(&"users".into()).unwrap().repair.unwrap();
        for sql in repair.changes.iter().flat_map(|c| &c.sql) {
            client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        }
        client.batch_execute("DELETE FROM users").unwrap();
        let again = audit(url, Ask { config: ERASABLE, ..Ask::default() });
        assert!(again.findings.iter().all(|f| f.rule.name() != "refused-delete"));
    });
}

/// Shops take products and orders with them; an item hangs below both. The two keys to shops fire in the order given.
fn shops(first: &str, second: &str) -> String {
    format!(
        "CREATE TABLE shops (id bigint PRIMARY KEY);
         CREATE TABLE a_orders (id bigint PRIMARY KEY, shop_id bigint NOT NULL);
         CREATE TABLE b_products (id bigint PRIMARY KEY, shop_id bigint NOT NULL);
         ALTER TABLE {first} ADD CONSTRAINT {first}_shop FOREIGN KEY (shop_id) REFERENCES shops (id) ON DELETE CASCADE;
         ALTER TABLE {second} ADD CONSTRAINT {second}_shop FOREIGN KEY (shop_id) REFERENCES shops (id) ON DELETE CASCADE;
         CREATE TABLE items (id bigint PRIMARY KEY,
           order_id bigint NOT NULL REFERENCES a_orders (id) ON DELETE CASCADE,
           product_id bigint NOT NULL REFERENCES b_products (id) ON DELETE RESTRICT);
         INSERT INTO shops VALUES (1);
         INSERT INTO a_orders VALUES (1, 1);
         INSERT INTO b_products VALUES (1, 1);
         INSERT INTO items VALUES (1, 1, 1);"
    )
}

#[test]
fn postgres_deletes_or_refuses_as_the_order_says_and_a_restored_copy_does_the_opposite() {
    // As pg_dump writes it: sorted by name. Then the other way round.
    for (first, second, refuses) in [("a_orders", "b_products", false), ("b_products", "a_orders", true)] {
        on_every_postgres(&shops(first, second), |url, _| {
            let report = audit(url, Ask::default());
            let finding = only(&report, "order-dependent-delete");
            assert_eq!(finding.why.contains("today the refusal comes first"), refuses, "{}", finding.why);
            assert_eq!(finding.why.contains("in the copy the row is out of the way first"), refuses, "{}", finding.why);
            let mut client = connect(url);
            let mut delete = client.transaction().unwrap();
            assert_eq!(delete.batch_execute("DELETE FROM shops").is_err(), refuses);
            delete.rollback().unwrap();
            for sql in &finding.fixes[0].sql {
                client.batch_execute(sql).unwrap();
            }
            let again = audit(url, Ask::default());
            assert!(again.findings.iter().all(|f| f.rule.name() != "order-dependent-delete"));
            only(&again, "conflicting-cascade-paths");
            client.batch_execute("DELETE FROM shops").unwrap();
        });
    }
}

#[test]
fn rows_decide_where_two_owners_are_possible() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shops.db");
    let sql = "CREATE TABLE users (id INTEGER PRIMARY KEY);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
        CREATE TABLE threads (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
        CREATE TABLE comments (id INTEGER PRIMARY KEY,
          post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
          thread_id INTEGER NOT NULL REFERENCES threads (id) ON DELETE NO ACTION);
        INSERT INTO users VALUES (1), (2), (3);
        INSERT INTO posts VALUES (1, 1), (2, 2);
        INSERT INTO threads VALUES (1, 1), (3, 3);
        INSERT INTO comments VALUES (1, 1, 1), (2, 2, 3);";
    let source = sqlite(&path, sql);
    let report = audit(&source, Ask { foreign_keys: Some(true), ..Ask::default() });
    assert_eq!(only(&report, "conflicting-cascade-paths").subject.place(), "comments.thread_id");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM users WHERE id = 1").unwrap();
    connection.execute_batch("DELETE FROM users WHERE id = 3").unwrap_err();
}

/// A circle of NOT NULL keys: one statement fills it on PostgreSQL, one transaction on SQLite, nothing on MariaDB.
#[test]
fn circle_of_not_null_keys_can_be_filled_everywhere_but_on_innodb() {
    let circle = "CREATE TABLE teams (id bigint PRIMARY KEY, leader_id bigint NOT NULL);
        CREATE TABLE members (id bigint PRIMARY KEY, team_id bigint NOT NULL);";
    let keys = "ALTER TABLE members ADD FOREIGN KEY (team_id) REFERENCES teams (id);
        ALTER TABLE teams ADD FOREIGN KEY (leader_id) REFERENCES members (id);";
    let url = fresh_database();
    execute(&url, &format!("{circle}{keys}"));
    execute(&url, "WITH t AS (INSERT INTO teams VALUES (1, 7)) INSERT INTO members VALUES (7, 1)");

    let lite = rusqlite::Connection::open_in_memory().unwrap();
    lite.execute_batch(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE teams (id INTEGER PRIMARY KEY, leader_id INTEGER NOT NULL REFERENCES members (id));
         CREATE TABLE members (id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL REFERENCES teams (id));",
    )
    .unwrap();
    lite.execute_batch("INSERT INTO teams VALUES (1, 7)").unwrap_err();
    lite.execute_batch("BEGIN; INSERT INTO teams VALUES (1, 7)").unwrap_err();
    lite.execute_batch(
        "PRAGMA defer_foreign_keys = ON; INSERT INTO teams VALUES (1, 7); INSERT INTO members VALUES (7, 1); COMMIT;",
    )
    .unwrap();

    let mut maria = mariadb::server().connect().unwrap();
    maria.query_drop("CREATE DATABASE circle; USE circle").unwrap();
    for statement in format!("{circle}{keys}").split_terminator(';') {
        maria.query_drop(statement).unwrap();
    }
    for insert in ["INSERT INTO teams VALUES (1, 7)", "INSERT INTO members VALUES (7, 1)"] {
        let error = maria.query_drop(insert).unwrap_err().to_string();
        assert!(error.contains("1452"), "{error}");
    }
    // The way in that every engine has for a row that refers to itself.
    maria
        .query_drop("CREATE TABLE t (id bigint PRIMARY KEY, up bigint NOT NULL, FOREIGN KEY (up) REFERENCES t (id))")
        .unwrap();
    maria.query_drop("INSERT INTO t VALUES (1, 1)").unwrap();
}

/// MySQL manual, "FOREIGN KEY Constraints": "Cascaded foreign key actions do not activate triggers."
#[test]
fn mariadb_fires_no_trigger_in_a_cascade_and_gives_up_at_the_fifteenth() {
    let mut maria = mariadb::server().connect().unwrap();
    maria.query_drop("CREATE DATABASE cascades; USE cascades").unwrap();
    for statement in [
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
        "CREATE TABLE n (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL)",
        "CREATE TABLE log (what text)",
        "CREATE TRIGGER c_gone AFTER DELETE ON c FOR EACH ROW INSERT INTO log VALUES ('c')",
        "CREATE TRIGGER n_changed AFTER UPDATE ON n FOR EACH ROW INSERT INTO log VALUES ('n')",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO c VALUES (1, 1), (2, NULL)",
        "INSERT INTO n VALUES (1, 1)",
        "DELETE FROM p",
        "CREATE TABLE t00 (id int PRIMARY KEY)",
        "INSERT INTO t00 VALUES (1)",
    ] {
        maria.query_drop(statement).unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    let logged: Vec<String> = maria.query("SELECT what FROM log").unwrap();
    let left: Vec<(i32, Option<i32>)> = maria.query("SELECT id, p FROM c UNION ALL SELECT id, p FROM n").unwrap();
    assert_eq!((logged.len(), left), (0, vec![(2, None), (1, None)]));
    maria.query_drop("DELETE FROM c").unwrap();
    assert_eq!(maria.query::<String, _>("SELECT what FROM log").unwrap(), ["c"]);

    for i in 1..=15 {
        let parent = i - 1;
        maria
            .query_drop(format!(
                "CREATE TABLE t{i:02} (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES t{parent:02} (id) ON DELETE CASCADE)"
            ))
            .unwrap();
        maria.query_drop(format!("INSERT INTO t{i:02} VALUES (1, 1)")).unwrap();
    }
    let error = maria.query_drop("DELETE FROM t00").unwrap_err().to_string();
    assert!(error.contains("1296") && error.contains("193"), "{error}");
    maria.query_drop("DELETE FROM t01").unwrap();
}
