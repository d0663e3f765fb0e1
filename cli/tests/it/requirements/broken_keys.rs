//! SQLite: keys that the engine can never act by. That they are broken is said once, and nothing else of what they would do.

use rusqlite::Connection;
use tempfile::TempDir;

use crate::requirements::referee;
use crate::support::audit::{Ask, audit, expect, lines, sqlite};

/// The parent has no unique key on what is referred to; the other parent was renamed away, as Django before 2.1.5 did.
const SQL: &str = "
    CREATE TABLE boards (board_id INTEGER, rev TEXT);
    CREATE TABLE drives (id INTEGER PRIMARY KEY, board INTEGER NOT NULL REFERENCES boards (board_id) ON DELETE SET NULL);
    INSERT INTO boards VALUES (1, 'a');
    CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE tags (id INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL REFERENCES tag__old (id), note TEXT);
    CREATE INDEX by_tag ON tags (tag_id);";

fn error(path: &str, sql: &str) -> String {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    connection.execute_batch(sql).unwrap_err().to_string()
}

#[test]
fn a_key_that_never_acts_is_called_broken_and_nothing_more() {
    let folder = TempDir::new().unwrap();
    let path = sqlite(&folder.path().join("b.db"), SQL);
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO drives VALUES (1, 1); INSERT INTO tags VALUES (1, 1, 'x'), (2, 1, 'y')")
        .unwrap();
    // Neither NOT NULL nor a look-up is ever come to.
    assert!(error(&path, "DELETE FROM boards").contains("foreign key mismatch"));
    assert!(error(&path, "INSERT INTO tags VALUES (3, 1, 'z')").contains("no such table"));
    let report = audit(&path, Ask { data: true, ..Ask::default() });
    expect(
        &report,
        &[
            "info foreign-keys-not-enforced database",
            "error parent-not-unique drives.board",
            "error missing-parent tags.tag_id",
        ],
    );
    // No step is made of a key that stays broken, and no row goes for one; what the other one brings once it works is planned.
    for more in [&[][..], &["--orphans", "delete"]] {
        let (_, plan) = referee(&[&["fix", &path], more].concat());
        assert!(plan.contains("REF104 parent-not-unique") && plan.contains("REF201 set-null-on-not-null"), "{plan}");
        for none in ["written out", "Rebuild tags", "Rows without a parent", "--orphans"] {
            assert!(!plan.contains(none), "{none}: {plan}");
        }
    }
}

#[test]
fn once_a_key_works_what_it_would_do_is_said() {
    let folder = TempDir::new().unwrap();
    let path = sqlite(&folder.path().join("b.db"), &format!("{SQL} CREATE UNIQUE INDEX u ON boards (board_id);"));
    let report = audit(&path, Ask { foreign_keys: Some(true), ..Ask::default() });
    let found = lines(&report);
    for expected in ["error set-null-on-not-null drives.board", "warning unindexed-foreign-key drives.board"] {
        assert!(found.iter().any(|f| f == expected), "{found:?}");
    }
}
