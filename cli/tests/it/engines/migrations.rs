//! What migrations do to rows, on the real engine: the consequences that the rules about migrations speak of.

use rusqlite::Connection;

const TABLES: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE SET NULL);
    INSERT INTO users VALUES (1, 'a'), (2, 'b');
    INSERT INTO posts VALUES (1, 1), (2, 2);
    INSERT INTO notes VALUES (1, 1);";

const REBUILD: &str = "
    CREATE TABLE __new_users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO __new_users SELECT id, name FROM users;
    DROP TABLE users;
    ALTER TABLE __new_users RENAME TO users;";

fn counts(script: &str) -> (i64, i64, i64, i64) {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection.execute_batch(script).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (
        count("SELECT count(*) FROM users"),
        count("SELECT count(*) FROM posts"),
        count("SELECT count(*) FROM notes WHERE user_id IS NOT NULL"),
        count("SELECT count(*) FROM pragma_foreign_key_check"),
    )
}

/// "This pragma is a no-op within a transaction" (PRAGMA foreign_keys), and "the DROP TABLE command performs an implicit
/// DELETE to remove all rows from the table prior to dropping it" (Foreign Key Support, 5).
#[test]
fn a_rebuild_in_a_transaction_deletes_the_children_and_nothing_tells() {
    let inside = format!("BEGIN; PRAGMA foreign_keys = OFF; {REBUILD} PRAGMA foreign_keys = ON; COMMIT;");
    assert_eq!(counts(&inside), (2, 0, 0, 0), "the users are there, their posts are not, and the check finds nothing");
    let outside = format!("PRAGMA foreign_keys = OFF; BEGIN; {REBUILD} COMMIT; PRAGMA foreign_keys = ON;");
    assert_eq!(counts(&outside), (2, 2, 1, 0));
    let deferred = format!("BEGIN; PRAGMA defer_foreign_keys = ON; {REBUILD} COMMIT;");
    assert_eq!(counts(&deferred), (2, 0, 0, 0), "deferring checks does not defer actions");
}
