//! "Verified" is said of what was looked at: the rows that a plan is about are counted again, and what was not looked at is named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::postgres as server;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn referee(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_referee"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("COLUMNS", "200")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Writes past every foreign key.
fn past_keys(url: &str, sql: &str) {
    server::execute(url, &format!("SET session_replication_role = replica; {sql}"));
}

fn number(url: &str, sql: &str) -> i64 {
    server::connect(url).query_one(sql, &[]).unwrap().get(0)
}

fn sqlite(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
}

const SHOPS: &str = "
    CREATE TABLE shops (id int PRIMARY KEY); INSERT INTO shops VALUES (1);
    CREATE TABLE products (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shops ON DELETE CASCADE); INSERT INTO products VALUES (1, 1);
    CREATE TABLE orders (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shops ON DELETE CASCADE); INSERT INTO orders VALUES (1, 1);
    CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders ON DELETE CASCADE,
        product_id int NOT NULL REFERENCES products ON DELETE RESTRICT,
        note_id int DEFAULT 7 REFERENCES shops ON DELETE SET DEFAULT);
    CREATE INDEX ON products (shop_id); CREATE INDEX ON orders (shop_id); CREATE INDEX ON items (order_id);
    CREATE INDEX ON items (product_id); CREATE INDEX ON items (note_id); INSERT INTO items VALUES (1, 1, 1, 1);";

/// The orphans of one foreign key are not fixed by a step for another one of the same table.
#[test]
fn orphans_belong_to_the_steps_of_their_own_foreign_key() {
    let folder = TempDir::new().unwrap();
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(&url, SHOPS);
        past_keys(&url, "INSERT INTO items VALUES (2, 1, 8, 1), (3, 1, 9, 1), (4, 1, 1, 1)");
        let orphans =
            "SELECT count(*) FROM items i WHERE NOT EXISTS (SELECT FROM products p WHERE p.id = i.product_id)";
        let run = referee(folder.path(), &["fix", &url, "--orphans", "delete", "--apply", "--yes", "--new-plan"]);
        let left = number(&url, orphans);
        if left > 0 {
            assert_eq!(run.code, 1, "{}{}", run.out, run.err);
            assert!(run.out.contains("orphan-rows items.product_id"), "{}", run.out);
        } else {
            assert!(run.out.contains("orphan rows of items.product_id->products.id: 0"), "{}{}", run.out, run.err);
            assert!(run.err.contains("deleted 2 of at most 2 rows of items"), "{}", run.err);
        }

        // A choice for the other foreign key alone changes no row of this one, and says so.
        let url = server.fresh_database();
        server::execute(&url, SHOPS);
        past_keys(&url, "INSERT INTO items VALUES (2, 1, 8, 1), (3, 1, 9, 1), (4, 1, 1, 1)");
        let plan = referee(folder.path(), &["fix", &url, "--orphans", "delete", "--format", "json"]);
        let plan: Value = serde_json::from_str(&plan.out).unwrap();
        for step in plan["steps"].as_array().unwrap() {
            let of_rows = step["findings"].as_array().unwrap().iter().any(|f| f["rule"] == "orphan-rows");
            let about = step["bounds"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|b| b["count"].as_str().unwrap().contains("product_id"));
            assert!(!of_rows || about || step["touches_rows"] == false, "{step:#}");
        }
    }
}

/// `VALIDATE CONSTRAINT` does nothing for a key that is marked valid: it is no step, and the rows are counted instead.
#[test]
fn a_key_that_is_marked_valid_is_not_validated_but_counted() {
    let folder = TempDir::new().unwrap();
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(
            &url,
            "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1);
             CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE);
             CREATE INDEX ON posts (user_id);",
        );
        past_keys(&url, "INSERT INTO posts VALUES (1, 1), (2, 5), (3, 6), (10, 1)");
        let plan = folder.path().join("plan.json").display().to_string();
        let made = referee(folder.path(), &["fix", &url, "--orphans", "delete", "--format", "json", "-o", &plan]);
        assert_eq!(made.code, 0, "{}", made.err);
        let text = std::fs::read_to_string(&plan).unwrap();
        assert!(!text.contains("VALIDATE CONSTRAINT posts") && text.contains("is marked valid already"), "{text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["steps"][0]["bounds"][0]["rows"], 2);
        assert_eq!(document["steps"][0]["bounds"][0]["what"], "rows of posts to delete");

        let before = referee(folder.path(), &["verify", &url, "--plan", &plan]);
        assert_eq!(before.code, 1);
        assert!(before.out.contains("2 orphan rows of posts.user_id->users.id"), "{}", before.out);
        let run = referee(folder.path(), &["fix", &url, "--orphans", "delete", "--apply", "--yes", "--new-plan"]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert!(run.err.contains("note: deleted 2 of at most 2 rows of posts"), "{}", run.err);
        assert!(run.out.contains("\nVerified: "), "{}", run.out);
        assert!(run.out.contains("orphan rows of posts.user_id->users.id: 0"), "{}", run.out);

        // Orphans that come later are seen, in every format.
        past_keys(&url, "INSERT INTO posts VALUES (4, 9)");
        let verify = |format: &str| referee(folder.path(), &["verify", &url, "--plan", &plan, "--format", format]);
        let text = verify("text");
        assert!(text.code == 1 && text.out.contains("1 orphan row of posts.user_id->users.id"), "{}", text.out);
        let document: Value = serde_json::from_str(&verify("json").out).unwrap();
        assert_eq!((&document["verified"], &document["rows"][0]["rows"]), (&Value::from(false), &Value::from(1)));
        let markdown = verify("markdown").out;
        let line = markdown.lines().find(|l| l.starts_with("- orphan rows of")).unwrap_or_default();
        assert!(line.ends_with("users.id: 1"), "{markdown}");
    }
}

/// A key that is called valid and does not hold is not put in the place of another as if it did.
#[test]
fn a_valid_key_with_orphans_is_replaced_only_with_its_orphans() {
    let folder = TempDir::new().unwrap();
    let url = server::fresh_database();
    server::execute(
        &url,
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1);
         CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE SET NULL);
         CREATE INDEX ON posts (user_id);",
    );
    past_keys(&url, "INSERT INTO posts VALUES (1, 1), (2, 5), (3, 6), (10, 1)");
    let run = referee(folder.path(), &["fix", &url, "--orphans", "delete", "--apply", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(number(&url, "SELECT count(*) FROM posts"), 2);
    assert_eq!(
        number(
            &url,
            "SELECT count(*) FROM pg_constraint WHERE conname = 'posts_user_id_fkey' AND convalidated AND confdeltype <> 'n'"
        ),
        1
    );
}

#[test]
fn what_may_not_be_read_is_named_and_not_verified() {
    let folder = TempDir::new().unwrap();
    let url = server::fresh_database();
    server::execute(
        &url,
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1);
         CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE SET NULL);
         CREATE INDEX ON posts (user_id); INSERT INTO posts VALUES (1, 1); CREATE ROLE blind LOGIN; GRANT SELECT ON users TO blind",
    );
    let made = referee(folder.path(), &["fix", &url, "--format", "json", "-o", "plan.json"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(referee(folder.path(), &["fix", &url, "--apply", "--yes"]).code, 0);
    assert_eq!(referee(folder.path(), &["verify", &url, "--plan", "plan.json"]).code, 0);
    let blind = referee(folder.path(), &["verify", &url.replace("postgres@", "blind@"), "--plan", "plan.json"]);
    assert_eq!(blind.code, 1, "{}{}", blind.out, blind.err);
    assert!(
        blind.out.starts_with("Not verified: orphan rows of posts.user_id->users.id not looked at"),
        "{}{}",
        blind.out,
        blind.err
    );
    assert!(
        blind.out.contains("\nNot looked at\n  orphan rows of posts.user_id->users.id: permission denied"),
        "{}",
        blind.out
    );
}

const BLOG: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE SET NULL);
    CREATE INDEX posts_user_id ON posts (user_id); INSERT INTO posts VALUES (1, 1);
    CREATE TABLE tags (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
    CREATE INDEX tags_post_id ON tags (post_id);";

#[test]
fn sqlites_own_check_of_the_tables_decides_and_that_of_the_others_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("blog.db");
    sqlite(&path, BLOG);
    let plan = referee(folder.path(), &["fix", "blog.db", "--format", "json", "-o", "plan.json"]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    let run = referee(folder.path(), &["fix", "blog.db", "--apply", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    for line in [
        "orphan rows of posts.user_id->users.id: 0",
        "rows of posts in PRAGMA foreign_key_check: 0",
        "rows of the other table of the file in PRAGMA foreign_key_check: 0",
        "the catalog of 1 table: as planned",
    ] {
        assert!(run.out.contains(line), "{line}: {}", run.out);
    }
    let verify = || referee(folder.path(), &["verify", "blog.db", "--plan", "plan.json"]);
    assert_eq!(verify().code, 0);

    sqlite(&path, "INSERT INTO tags VALUES (1, 77)");
    let apart = verify();
    assert_eq!(apart.code, 0, "{}", apart.out);
    assert!(
        apart.out.contains("rows of the other table of the file in PRAGMA foreign_key_check: 1 (not part of this"),
        "{}",
        apart.out
    );

    sqlite(&path, "INSERT INTO posts VALUES (9, 99)");
    let broken = verify();
    assert_eq!(broken.code, 1, "{}", broken.out);
    assert!(
        broken.out.starts_with("Not verified: 1 orphan row of posts.user_id->users.id, 1 row of posts in PRAGMA"),
        "{}",
        broken.out
    );
}

/// A foreign key of the table that SQLite itself cannot check: nothing is verified of it.
#[test]
fn what_sqlite_cannot_check_is_named_and_not_verified() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("blog.db");
    sqlite(
        &path,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE SET NULL,
            by_name TEXT REFERENCES users (name));
         CREATE INDEX posts_user_id ON posts (user_id); CREATE INDEX posts_by_name ON posts (by_name);",
    );
    let run = referee(folder.path(), &["fix", "blog.db", "--only", "set-null-on-not-null", "--apply", "--yes"]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("rows of posts in PRAGMA foreign_key_check not looked at"), "{}", run.out);
    assert!(run.out.contains("foreign key mismatch"), "{}", run.out);
}

/// Nothing was done about what somebody asked for: that is no success.
#[test]
fn orphans_that_no_step_changes_are_listed_and_no_success() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("blog.db");
    sqlite(
        &path,
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
         CREATE INDEX posts_user_id ON posts (user_id); INSERT INTO posts VALUES (1, 5);",
    );
    let run = referee(folder.path(), &["fix", "blog.db", "--orphans", "set-null", "--apply", "--yes"]);
    let left: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM posts WHERE user_id = 5", [], |r| r.get(0))
        .unwrap();
    assert_eq!(left, 1, "the reference cannot be NULL");
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("orphan-rows") && run.out.contains("posts.user_id"), "{}", run.out);
}
