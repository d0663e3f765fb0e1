//! What a fix of a delete may not destroy: it is applied by the binary, then rows are really deleted and those that are left counted.

use std::path::Path;

use rusqlite::Connection;

use crate::requirements::{on_every_postgres, referee};
use crate::support::audit::sqlite;
use crate::support::postgres::{connect, execute};

/// A user who activated a workspace, and owns notes.
const WORKSPACES: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY);
    CREATE TABLE workspaces (id INTEGER PRIMARY KEY, activated_by INTEGER REFERENCES users (id) ON DELETE SET NULL);
    CREATE TABLE docs (id INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
    INSERT INTO users VALUES (1), (2);
    INSERT INTO workspaces VALUES (1, 1), (2, 2);
    INSERT INTO docs VALUES (1, 1), (2, 2);
    INSERT INTO notes VALUES (1, 1), (2, 2);";

/// A project points back to the latest of its runs.
const RUNS: &str = "
    CREATE TABLE projects (id INTEGER PRIMARY KEY, latest_run_id INTEGER);
    CREATE TABLE runs (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id));
    INSERT INTO projects VALUES (1, NULL), (2, NULL);
    INSERT INTO runs VALUES (1, 1), (2, 1), (3, 2);
    UPDATE projects SET latest_run_id = 2 WHERE id = 1;";

/// A database of either engine.
struct Database {
    url: String,
    journal: tempfile::TempDir,
}

impl Database {
    fn fix(&self, more: &[&str]) -> (i32, String) {
        let journal = self.journal.path().join("run").display().to_string();
        let apply = ["fix", &self.url, "--apply", "--yes", "--journal", &journal, "--lock-timeout", "10s"];
        referee(&[&apply[..], more].concat())
    }

    fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    fn try_run(&self, sql: &str) -> Result<(), String> {
        if self.is_postgres() {
            return connect(&self.url).batch_execute(sql).map_err(|e| crate::support::postgres::explain(&e));
        }
        let connection = Connection::open(&self.url).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        connection.execute_batch(sql).map_err(|e| e.to_string())
    }

    fn run(&self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Returns one text.
    fn ask(&self, sql: &str) -> String {
        if self.is_postgres() {
            return connect(&self.url).query_one(sql, &[]).unwrap().get(0);
        }
        Connection::open(&self.url).unwrap().query_row(sql, [], |r| r.get(0)).unwrap()
    }

    /// Returns how many rows tables have.
    fn rows(&self, tables: &[&str]) -> Vec<i64> {
        let count = |t: &&str| self.ask(&format!("SELECT CAST(count(*) AS text) FROM {t}")).parse().unwrap();
        tables.iter().map(count).collect()
    }
}

/// Makes the database on SQLite and on every PostgreSQL; `postgres` is what only PostgreSQL can add afterwards.
fn on_both(sql: &str, sqlite_only: &str, postgres_only: &str, test: impl Fn(&Database)) {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("data.db");
    let url = sqlite(path, &format!("{sql}{sqlite_only}"));
    test(&Database { url, journal: tempfile::tempdir().unwrap() });
    on_every_postgres(sql, |url, _| {
        execute(url, postgres_only);
        test(&Database { url: url.to_string(), journal: tempfile::tempdir().unwrap() });
    });
}

#[test]
fn working_set_null_stays_and_only_what_blocks_is_changed() {
    on_both(WORKSPACES, "", "", |database| {
        assert!(database.try_run("DELETE FROM users WHERE id = 1").is_err());
        let (code, text) = database.fix(&["--root", "users"]);
        assert_eq!(code, 0, "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Newly deleted: a delete from `users` also deletes rows of `notes`."), "{text}");
        assert!(words.contains("A delete from users: leaves-rows (before: refused)"), "{text}");
        database.run("DELETE FROM users WHERE id = 1");
        assert_eq!(database.rows(&["users", "workspaces", "docs", "notes"]), [1, 2, 2, 1]);
        let left = "SELECT CAST(count(*) AS text) FROM workspaces WHERE activated_by IS NULL";
        assert_eq!(database.ask(left), "1");
    });
}

#[test]
fn rows_that_are_newly_deleted_are_counted() {
    on_both(WORKSPACES, "", "", |database| {
        let (_, text) = referee(&["fate", &database.url, "users", "--where", "id = 1", "--count"]);
        let line = text
            .lines()
            .find(|l| l.trim_start().starts_with("notes ") && l.contains("newly"))
            .unwrap_or_else(|| panic!("{text}"));
        assert!(line.contains("1 newly deleted by the changes"), "{text}");
        assert!(!text.contains("workspaces  1 newly") && !text.contains("docs  1 newly"), "{text}");
    });
}

#[test]
fn back_pointer_never_cascades() {
    // SQLite cannot add a key to a table, so the tables are made with it there.
    let with_key = RUNS.replace("latest_run_id INTEGER)", "latest_run_id INTEGER REFERENCES runs (id))");
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(&folder.path().join("data.db"), &with_key);
    let add = "ALTER TABLE projects ADD FOREIGN KEY (latest_run_id) REFERENCES runs (id)";
    let check = |database: &Database| {
        let (code, text) = database.fix(&["--root", "projects"]);
        assert_eq!(code, 0, "{text}");
        database.run("DELETE FROM runs WHERE id = 2");
        assert_eq!(database.rows(&["projects", "runs"]), [2, 2], "the project survives its run: {text}");
        database.run("DELETE FROM projects WHERE id = 1");
        assert_eq!(database.rows(&["projects", "runs"]), [1, 1]);
    };
    check(&Database { url, journal: tempfile::tempdir().unwrap() });
    on_every_postgres(RUNS, |url, _| {
        execute(url, add);
        check(&Database { url: url.to_string(), journal: tempfile::tempdir().unwrap() });
    });
}

#[test]
fn cascade_of_a_nullable_reference_takes_a_choice_and_says_what_it_deletes() {
    on_both(WORKSPACES, "", "", |database| {
        let choice = ["--root", "users", "--choose", "workspaces.activated_by=cascade"];
        let (code, text) = database.fix(&choice);
        assert_eq!(code, 0, "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("a delete from `users` also deletes rows of `docs` and `workspaces`"), "{text}");
        assert!(!words.contains("CASCADE (recommended)") && !words.contains("cascade (recommended)"), "{text}");
        database.run("DELETE FROM users WHERE id = 1");
        assert_eq!(database.rows(&["users", "workspaces", "docs", "notes"]), [1, 1, 1, 1]);
    });
}

#[test]
fn policy_counts_as_asking_and_its_plan_says_what_it_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(&folder.path().join("data.db"), WORKSPACES);
    let config = folder.path().join("referee.toml");
    std::fs::write(&config, "[[policy]]\nparent = \"users\"\non_delete = \"cascade\"\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_referee"))
        .args(["fix", &url, "--config", &config.display().to_string(), "--only", "policy-violation"])
        .args(["--format", "json", "--color", "never"])
        .output()
        .unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let newly: Vec<&serde_json::Value> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|s| s["newly_deletes"].as_array().into_iter().flatten())
        .collect();
    let told = serde_json::to_string(&newly).unwrap();
    assert!(told.contains("docs") && told.contains("workspaces") && told.contains("notes"), "{told}");
}

/// Two owners, a ledger, a column that a CHECK keeps from being NULL, SET NULL on NOT NULL.
const UNDECIDED: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
    CREATE TABLE comments (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id),
      post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE);
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
    CREATE TABLE arcs (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), post_id INTEGER,
      CHECK ((user_id IS NULL) <> (post_id IS NULL)));
    CREATE TABLE seats (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE SET NULL);
    CREATE TABLE tokens (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
    CREATE TABLE visits (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id));
    INSERT INTO users VALUES (1), (2);
    INSERT INTO posts VALUES (1, 2);
    INSERT INTO comments VALUES (1, 1, 1);
    INSERT INTO invoices VALUES (1, 1);
    INSERT INTO arcs VALUES (1, 1, NULL);
    INSERT INTO seats VALUES (1, 1);
    INSERT INTO tokens VALUES (1, 1);
    INSERT INTO visits VALUES (1, 1);";

#[test]
fn what_is_unclear_is_left_with_its_choices() {
    on_both(UNDECIDED, "", "", |database| {
        let (_, text) = database.fix(&["--root", "users"]);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (open, word) in [
            ("comments.user_id", "cascade"),
            ("invoices.user_id", "drop-not-null"),
            ("arcs.user_id", "set-null"),
            ("seats.user_id", "protect"),
        ] {
            assert!(words.contains(&format!("--choose '{open}={word}'")), "{open}: {text}");
        }
        assert!(words.contains("A delete from users: fails (before: fails)"), "{text}");
        for (child, blocks) in
            [("tokens", false), ("visits", false), ("comments", true), ("invoices", true), ("arcs", true)]
        {
            let only = ["comments", "invoices", "arcs", "seats", "tokens", "visits"].iter().filter(|t| **t != child);
            let alone: String = only.map(|t| format!("DELETE FROM {t};")).collect();
            let script = format!("BEGIN; {alone} DELETE FROM users WHERE id = 1;");
            assert_eq!(database.try_run(&script).is_err(), blocks, "{child}: {text}");
        }
        assert_eq!(database.rows(&["comments", "invoices", "arcs", "seats", "tokens", "visits"]), [1; 6]);

        // Decided, it succeeds, and takes exactly what was said.
        let choices = [
            "--root",
            "users",
            "--choose",
            "comments.user_id=cascade",
            "--choose",
            "invoices.user_id=drop-not-null",
            "--choose",
            "arcs.user_id=cascade",
            "--choose",
            "seats.user_id=drop-not-null",
        ];
        let (code, text) = database.fix(&choices);
        assert_eq!(code, 0, "{text}");
        database.run("DELETE FROM users WHERE id = 1");
        let left = database.rows(&["comments", "invoices", "arcs", "seats", "tokens", "visits", "posts"]);
        assert_eq!(left, [0, 1, 0, 1, 0, 1, 1], "{text}");
    });
}

/// With --manual, too, nothing cascades that nobody chose.
#[test]
fn blanket_decisions_delete_nothing_more() {
    on_both(UNDECIDED, "", "", |database| {
        database.fix(&["--root", "users", "--manual"]);
        let _ = database.try_run("DELETE FROM users WHERE id = 1");
        let left = database.rows(&["comments", "invoices", "seats", "visits", "posts"]);
        assert_eq!(left, [1, 1, 1, 1, 1]);
    });
}

/// A second owner that only its name tells is no reason to change anything, but one to ask first.
#[test]
fn what_may_belong_to_somebody_else_is_asked_first() {
    let sql = "
        CREATE TABLE users (id INTEGER PRIMARY KEY);
        CREATE TABLE posts (id INTEGER PRIMARY KEY);
        CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL REFERENCES users (id));
        INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1); INSERT INTO comments VALUES (1, 1, 1);";
    on_both(sql, "", "", |database| {
        let (code, text) = database.fix(&["--root", "users"]);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 1 && words.contains("may belong to its `posts` as well"), "{text}");
        assert!(database.try_run("DELETE FROM users").is_err(), "{text}");
    });
}

/// A cascade that only opens a way to the next blocker helps nobody, and is not made by itself.
#[test]
fn change_that_does_not_help_by_itself_is_not_made() {
    let sql = "
        CREATE TABLE users (id INTEGER PRIMARY KEY);
        CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
        CREATE TABLE payments (id INTEGER PRIMARY KEY, note_id INTEGER NOT NULL REFERENCES notes (id));
        INSERT INTO users VALUES (1); INSERT INTO notes VALUES (1, 1);";
    on_both(sql, "", "", |database| {
        let (code, text) = database.fix(&["--root", "users"]);
        assert_eq!(code, 1, "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("--choose 'payments.note_id=cascade'"), "{text}");
        assert!(database.try_run("DELETE FROM users").is_err(), "{text}");
        let (code, text) = database.fix(&["--root", "users", "--choose", "payments.note_id=cascade"]);
        assert_eq!(code, 0, "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("Newly deleted: a delete from `notes` or `users` also deletes rows of `payments`"),
            "{text}"
        );
        database.run("DELETE FROM users");
        assert_eq!(database.rows(&["users", "notes"]), [0, 0]);
    });
}

/// The orders, referrers and users of the four real cases: their keys refuse, and the fix may not destroy them.
#[test]
fn orders_referrers_and_members_survive() {
    let sql = "
        CREATE TABLE workspaces (id INTEGER PRIMARY KEY);
        CREATE TABLE users (id INTEGER PRIMARY KEY, primary_workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE SET NULL);
        CREATE TABLE customers (id INTEGER PRIMARY KEY, referred_by INTEGER REFERENCES customers (id));
        CREATE TABLE products (id INTEGER PRIMARY KEY);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id));
        CREATE TABLE wallets (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id));
        CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
          product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE RESTRICT);
        INSERT INTO workspaces VALUES (1); INSERT INTO users VALUES (1, 1);
        INSERT INTO customers VALUES (1, NULL), (2, 1); INSERT INTO orders VALUES (1, 1);
        INSERT INTO products VALUES (1); INSERT INTO wallets VALUES (1, 1); INSERT INTO subscriptions VALUES (1, 1, 1);";
    on_both(sql, "", "", |database| {
        // Where a decision is left to a person, deletes still fail, and the exit code says so.
        for (root, left) in [("customers", 0), ("products", 1), ("workspaces", 1)] {
            let (code, text) = database.fix(&["--root", root]);
            assert_eq!(code, left, "{root}: {text}");
        }
        database.run("DELETE FROM customers WHERE id = 1");
        assert_eq!(database.rows(&["customers", "orders", "wallets", "subscriptions"]), [1, 1, 0, 0]);
        database.run("INSERT INTO subscriptions VALUES (2, 2, 1)");
        assert!(database.try_run("DELETE FROM products").is_err(), "a sold product is not deleted");
        assert!(database.try_run("DELETE FROM workspaces").is_err());
        assert_eq!(database.rows(&["users"]), [1]);
    });
}
