//! Triggers that keep a history or remove rows: no verb puts a foreign key in their way.

use crate::cli::support::Sandbox;

fn database(sandbox: &Sandbox, sql: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(sandbox.path("a.db")).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_history_gets_no_foreign_key() {
    let sandbox = Sandbox::new();
    let connection = database(
        &sandbox,
        "CREATE TABLE docs (id INTEGER PRIMARY KEY, t TEXT);
         CREATE TABLE docs_history (id INTEGER PRIMARY KEY, doc_id INTEGER, what TEXT);
         CREATE TRIGGER ad AFTER DELETE ON docs BEGIN
           INSERT INTO docs_history (doc_id, what) VALUES (old.id, 'deleted');
         END;
         INSERT INTO docs VALUES (1, 'a'), (2, 'b'); DELETE FROM docs WHERE id = 1;",
    );
    let why = "trigger `ad` on `docs` writes `docs_history.doc_id` when a row of `docs` is deleted";
    let infer = sandbox.run(&["infer", "a.db", "--no-config"]);
    assert!(words(&infer.out).contains("not proposed") && words(&infer.out).contains(why), "{}", infer.out);
    let json = sandbox.run(&["infer", "a.db", "--no-config", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["relations"].as_array().unwrap().len(), 0);
    assert!(document["not_proposed"][0]["reason"].as_str().unwrap().starts_with(why));
    // The record of the deleted row is no orphan.
    let audit = sandbox.run(&["audit", "a.db", "--no-config", "--data"]);
    assert_eq!(audit.code, 0, "{}", audit.out);
    assert!(!audit.out.contains("orphan-rows") && words(&audit.out).contains("should have none"), "{}", audit.out);
    for options in
        [&["--apply", "--yes"][..], &["--apply", "--yes", "--root", "docs"], &["--apply", "--yes", "--manual"]]
    {
        let run = sandbox.run(&[&["fix", "a.db", "--no-config"], options].concat());
        assert!(!run.out.contains("REFERENCES"), "{options:?}: {}", run.out);
    }
    // No command offers to accept it, and no confidence takes it.
    let shown = sandbox.run(&["fix", "a.db"]);
    assert!(words(&shown.out).contains(why) && !shown.out.contains("--accept 'docs_history"), "{}", shown.out);
    let taken = sandbox.run(&["fix", "a.db", "--accept-inferred=0.1"]);
    assert!(taken.out.contains("0 steps"), "{}", taken.out);
    // Nor if the guess was accepted.
    let relation = "[[relation]]\nchild = \"docs_history.doc_id\"\nparent = \"docs.id\"\naccepted = 0.9\n";
    sandbox.write("referee.toml", relation);
    let run = sandbox.run(&["fix", "a.db", "--apply", "--yes"]);
    assert_eq!((run.code, run.out.contains("REFERENCES")), (0, false), "{}{}", run.out, run.err);
    connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM docs WHERE id = 2").unwrap();
    let kept = connection.query_row("SELECT count(doc_id) FROM docs_history", [], |r| r.get::<_, i64>(0));
    assert_eq!(kept.unwrap(), 2);
    let fate = sandbox.run(&["fate", "a.db", "docs", "--no-config"]);
    let text = words(&fate.out);
    assert!(text.contains("complete by its foreign keys alone"), "{}", fate.out);
    assert!(text.contains("if what trigger `ad` on `docs` (AFTER DELETE) writes is accepted"), "{}", fate.out);
    assert!(!text.contains("Every delete from `docs` succeeds"), "{}", fate.out);
}

#[test]
fn a_cascade_by_trigger_stays_one() {
    let sandbox = Sandbox::new();
    let connection = database(
        &sandbox,
        "CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER);
         CREATE TRIGGER ud AFTER DELETE ON users BEGIN DELETE FROM posts WHERE user_id = old.id; END;
         INSERT INTO users VALUES (1), (2); INSERT INTO posts VALUES (1, 1), (2, 2);",
    );
    sandbox.write("referee.toml", "[[relation]]\nchild = \"posts.user_id\"\nparent = \"users.id\"\n");
    let run = sandbox.run(&["fix", "a.db", "--apply", "--yes"]);
    assert!(!run.out.contains("REFERENCES"), "{}", run.out);
    assert!(words(&run.out).contains("Decide which of the two is to act"), "{}", run.out);
    connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM users WHERE id = 1").unwrap();
    let left = connection.query_row("SELECT group_concat(id) FROM posts", [], |r| r.get::<_, String>(0));
    assert_eq!(left.unwrap(), "2");
}

#[test]
fn erasable_is_not_satisfied_in_silence() {
    let sandbox = Sandbox::new();
    database(
        &sandbox,
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE);
         CREATE INDEX i ON posts (user_id);",
    );
    sandbox.write("referee.toml", "[database]\nforeign_keys = \"on\"\n[[table]]\nname = \"users\"\nerasable = true\n");
    let clean = sandbox.run(&["audit", "a.db", "--fail-on", "info"]);
    assert_eq!(clean.code, 0, "{}{}", clean.out, clean.err);
    let add = |sql: &str| rusqlite::Connection::open(sandbox.path("a.db")).unwrap().execute_batch(sql).unwrap();
    add("CREATE TRIGGER veto BEFORE DELETE ON posts WHEN old.id > 3 BEGIN SELECT RAISE(ABORT, 'no'); END;");
    let warned = sandbox.run(&["audit", "a.db", "--fail-on", "warning"]);
    assert_eq!(warned.code, 1, "{}{}", warned.out, warned.err);
    assert!(
        words(&warned.out).contains("unless trigger `veto` on `posts` (BEFORE DELETE) blocks it"),
        "{}",
        warned.out
    );
    add("CREATE TRIGGER soft BEFORE DELETE ON users BEGIN SELECT RAISE(IGNORE); END;");
    let failed = sandbox.run(&["audit", "a.db", "--fail-on", "error"]);
    assert_eq!(failed.code, 1, "{}{}", failed.out, failed.err);
    let fate = sandbox.run(&["fate", "a.db", "users"]);
    assert!(
        words(&fate.out).contains("erasable: `users` is to be erasable, and trigger `soft` on `users`"),
        "{}",
        fate.out
    );
}

#[test]
fn an_action_that_a_trigger_defeats_is_left_to_a_person() {
    for (trigger, columns, choice) in [
        ("BEFORE UPDATE OF a ON c WHEN new.a IS NULL BEGIN SELECT RAISE(IGNORE); END", "a INTEGER", "set-null"),
        ("BEFORE UPDATE OF a ON c WHEN new.a IS NULL BEGIN SELECT RAISE(ABORT, 'no'); END", "a INTEGER", "set-null"),
        ("BEFORE DELETE ON c BEGIN SELECT RAISE(IGNORE); END", "a INTEGER NOT NULL", "cascade"),
        ("AFTER DELETE ON p BEGIN INSERT INTO c (a) VALUES (old.id); END", "a INTEGER NOT NULL", "cascade"),
    ] {
        for declared in ["", " REFERENCES p (id)"] {
            let sandbox = Sandbox::new();
            database(
                &sandbox,
                &format!(
                    "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, {columns}{declared});
                     CREATE INDEX c_a ON c (a); CREATE TRIGGER acts {trigger};"
                ),
            );
            sandbox.write(
                "referee.toml",
                &format!("[[relation]]\nchild = \"c.a\"\nparent = \"p.id\"\non_delete = \"{choice}\"\n"),
            );
            let options: &[&str] = if declared.is_empty() { &["--manual"] } else { &["--root", "p"] };
            let run = sandbox.run(&[&["fix", "a.db"], options].concat());
            assert!(
                !run.out.contains("ON DELETE SET NULL);") && !run.out.contains("ON DELETE CASCADE);"),
                "{trigger}: {}",
                run.out
            );
            assert!(run.code <= 1, "{trigger}: {}", run.err);
            if declared.is_empty() {
                assert!(run.out.contains("c.a"), "{trigger}: {}", run.out);
            } else {
                assert!(words(&run.out).contains("trigger `acts`"), "{trigger}: {}", run.out);
            }
        }
    }
}

#[test]
fn what_a_trigger_deletes_beside_the_orphans_is_in_the_question() {
    let sandbox = Sandbox::new();
    database(
        &sandbox,
        "PRAGMA foreign_keys = OFF; CREATE TABLE books (id INTEGER PRIMARY KEY); INSERT INTO books VALUES (1);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, book_id INTEGER NOT NULL REFERENCES books (id));
         CREATE TABLE files (id INTEGER PRIMARY KEY, note_id INTEGER);
         CREATE TRIGGER notes_ad AFTER DELETE ON notes BEGIN DELETE FROM files WHERE note_id = old.id; END;
         INSERT INTO notes VALUES (1, 1), (2, 1), (3, 9); INSERT INTO files VALUES (1, 1), (2, 3);",
    );
    // Who does not name the relation has not looked.
    let general = sandbox.run(&["fix", "a.db", "--orphans", "delete", "--apply"]);
    assert!(!general.err.contains("Deletes now"), "{}", general.err);
    let named = sandbox.run(&["fix", "a.db", "--orphans", "notes.book_id=delete", "--apply"]);
    let beside = "rigger notes_ad on `notes` deletes from `files`; what it changes there is not counted and not backed up, and an \
                  undo does not restore it.";
    assert!(words(&named.err).contains(beside), "{}", named.err);
    assert!(words(&named.out).contains("is not counted and not backed up"), "{}", named.out);
}
