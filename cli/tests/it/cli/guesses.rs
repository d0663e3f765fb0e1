//! Guessed relations: nothing is changed for one, accepting one is a command, and what is accepted is evidence of nothing.

use rusqlite::Connection;
use serde_json::Value;

use crate::cli::support::Sandbox;

const CONFIG: &str = "# ours\n[infer]\nthreshold  = 0.5   # as ever\n";

/// Guesses of every kind: rows that bear one out, names only, rows that contradict one, two keys that each seem to extend the
/// other, names of providers beside a table of them.
const TABLES: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL);
    CREATE TABLE logs (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL);
    CREATE TABLE ai_providers (id TEXT PRIMARY KEY);
    CREATE TABLE chats (id INTEGER PRIMARY KEY, ai_provider TEXT);
    CREATE TABLE web_refresh_token (token_hash TEXT NOT NULL PRIMARY KEY, device TEXT);
    CREATE TABLE oauth2_refresh_token (token_hash TEXT NOT NULL PRIMARY KEY, client TEXT);
    INSERT INTO users VALUES (1), (2), (3);
    INSERT INTO posts VALUES (1, 1), (2, 2), (3, 3);
    INSERT INTO notes VALUES (1, 3), (2, 2), (3, 1);
    INSERT INTO logs VALUES (1, 77), (2, 78), (3, 79);";

fn sandbox(sql: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    connect(&sandbox).execute_batch(sql).unwrap();
    sandbox
}

fn connect(sandbox: &Sandbox) -> Connection {
    Connection::open(sandbox.path("app.db")).unwrap()
}

fn schema(sandbox: &Sandbox) -> Vec<String> {
    let connection = connect(sandbox);
    let mut statement = connection.prepare("SELECT name || ' ' || sql FROM sqlite_schema ORDER BY name").unwrap();
    let rows = statement.query_map([], |r| r.get::<_, Option<String>>(0)).unwrap();
    rows.filter_map(Result::unwrap).collect()
}

fn keys(sandbox: &Sandbox) -> Vec<String> {
    let sql = "SELECT t.name || '.' || k.\"from\" || '->' || k.\"table\" FROM sqlite_schema t, pragma_foreign_key_list(t.name) k
               WHERE t.type = 'table' ORDER BY 1";
    let connection = connect(sandbox);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |r| r.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Takes out what lines are wrapped by.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the guesses of `infer`: relation and confidence.
fn guesses(sandbox: &Sandbox, source: &str) -> Vec<(String, f64)> {
    let run = sandbox.run(&["infer", source, "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let relations = document["relations"].as_array().unwrap().iter();
    let one = |r: &Value| {
        assert_eq!((&r["status"], &r["acted_on"]), (&"inferred".into(), &false.into()));
        (r["relation"].as_str().unwrap().to_string(), r["confidence"].as_f64().unwrap())
    };
    relations.map(one).collect()
}

#[test]
fn nothing_is_changed_for_a_guess_and_the_command_that_accepts_it_is_named() {
    let sandbox = sandbox(TABLES);
    let before = schema(&sandbox);
    for more in [&[][..], &["--manual", "--orphans", "delete"], &["--root", "users"], &["--min-confidence", "0.1"]] {
        let run = sandbox.run(&[&["fix", "app.db", "--apply", "--yes"], more].concat());
        assert_eq!(run.code, 0, "{more:?}: {}", run.err);
        assert_eq!(schema(&sandbox), before, "{more:?}");
        assert!(run.out.contains(" 0 steps"), "{more:?}: {}", run.out);
        assert!(run.out.contains("referee infer app.db --accept 'posts.user_id->users.id'\n"), "{more:?}: {}", run.out);
        assert!(run.out.contains("its rows contradict it: 3 of 3 are orphan"), "{more:?}: {}", run.out);
        let rows: i64 = connect(&sandbox).query_row("SELECT count(*) FROM logs", [], |r| r.get(0)).unwrap();
        assert_eq!(rows, 3, "{more:?}");
    }
    // Nor is an index built for one.
    let run = sandbox.run(&["fix", "app.db", "--only", "unindexed-foreign-key", "--format", "sql"]);
    assert!(!run.out.contains("CREATE INDEX"), "{}", run.out);
    for format in ["sql", "markdown"] {
        let run = sandbox.run(&["fix", "app.db", "--format", format]);
        assert!(run.out.contains("referee infer app.db --accept 'posts.user_id->users.id'"), "{format}: {}", run.out);
    }
    let run = sandbox.run(&["fix", "app.db", "--format", "json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["steps"].as_array().unwrap().len(), 0);
    let guessed = document["guessed"].as_array().unwrap();
    let find = |relation: &str| guessed.iter().find(|g| g["relation"] == relation).unwrap();
    assert!(guessed.iter().all(|g| g["acted_on"] == false && g["confidence"].as_f64() >= Some(0.5)), "{guessed:?}");
    assert_eq!(find("posts.user_id->users.id")["class"], "verified");
    assert_eq!(find("chats.ai_provider->ai_providers.id")["class"], "names_only");
    let logs = find("logs.user_id->users.id");
    assert_eq!((&logs["class"], &logs["rows"], &logs["orphans"]), (&"contradicted".into(), &3.into(), &3.into()));
    assert!(logs["ruled_out"].as_str().unwrap().contains("3 of 3"));
    // The command works as it is printed.
    let line = sandbox.run(&["fix", "app.db"]).out;
    let command = line.lines().find(|l| l.contains("--accept 'posts")).unwrap().trim().to_string();
    let typed = command.replace("referee ", &format!("{} ", env!("CARGO_BIN_EXE_referee")));
    let shell = std::process::Command::new("sh").args(["-c", &typed]).current_dir(sandbox.path(".")).output().unwrap();
    assert!(shell.status.success(), "{shell:?}");
    assert!(sandbox.read("referee.toml").contains("child = \"posts.user_id\""));
}

#[test]
fn a_repair_of_a_delete_leaves_out_what_is_guessed_and_its_verdict_does_not_assume_it() {
    let sandbox = sandbox(TABLES);
    connect(&sandbox)
        .execute_batch("CREATE TABLE badges (id INTEGER PRIMARY KEY, holder INTEGER NOT NULL REFERENCES users (id))")
        .unwrap();
    let run = sandbox.run(&["fate", "app.db", "users", "--format", "json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let repair = &document["repair"];
    let changes = repair["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{repair}");
    assert_eq!(changes[0]["child"], "badges");
    assert_eq!((&repair["verdict"], &repair["known_verdict"]), (&"leaves-orphans".into(), &"complete".into()));
    let guessed = repair["guessed"].as_array().unwrap();
    assert!(guessed.len() == 3 && guessed.iter().all(|g| g["planned"] == false), "{guessed:?}");
    let text = sandbox.run(&["fate", "app.db", "users"]).out;
    assert!(text.contains("Guessed, not planned: 3 relations"), "{text}");
    assert!(sandbox.run(&["fate", "app.db", "users", "--format", "markdown"]).out.contains("## Guessed, not planned"));

    let plan = sandbox.run(&["fix", "app.db", "--root", "users", "--format", "json"]).out;
    let document: Value = serde_json::from_str(&plan).unwrap();
    let steps = document["steps"].as_array().unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|s| s["title"].as_str().unwrap().contains("badges")), "{steps:?}");
    let mut named: Vec<&str> =
        document["guessed"].as_array().unwrap().iter().map(|g| g["relation"].as_str().unwrap()).collect();
    named.sort_unstable();
    // Those that are not about rows of users are not.
    assert_eq!(named, ["logs.user_id->users.id", "notes.user_id->users.id", "posts.user_id->users.id"]);
}

#[test]
fn what_is_accepted_is_written_down_once_and_the_file_stays_as_it_was() {
    let sandbox = sandbox(TABLES);
    sandbox.write("referee.toml", CONFIG);
    let named =
        sandbox.run(&["infer", "app.db", "--accept", "posts.user_id", "--accept", "chats.ai_provider->ai_providers"]);
    assert_eq!((named.code, named.out.as_str()), (0, ""), "{}", named.err);
    assert!(named.err.contains("wrote 2 relations to referee.toml: posts.user_id->users.id"), "{}", named.err);
    let entries = sandbox.read("referee.toml");
    let entry = |child: &str, parent: &str| {
        format!("\n[[relation]]\nchild = \"{child}\"\nparent = \"{parent}\"\naccepted = 0.")
    };
    assert!(entries.starts_with(CONFIG) && entries.contains(&entry("posts.user_id", "users.id")), "{entries}");
    assert!(
        entries.contains(&entry("chats.ai_provider", "ai_providers.id")) && !entries.contains("on_delete"),
        "{entries}"
    );

    let again = sandbox.run(&["infer", "app.db", "--accept", "posts.user_id->users.id"]);
    assert!(again.code == 0 && again.err.contains("has what is accepted already"), "{}", again.err);
    assert_eq!(sandbox.read("referee.toml"), entries);
    // Accepted ones are guesses no more; of the rest, what rows contradict is never accepted by its confidence.
    assert!(!guesses(&sandbox, "app.db").iter().any(|(r, _)| r.starts_with("posts") || r.starts_with("chats")));
    for how in ["--accept-above=0.1", "--accept-above", "--write-config"] {
        let run = sandbox.run(&["infer", "app.db", how]);
        assert_eq!(run.code, 0, "{how}: {}", run.err);
        let text = sandbox.read("referee.toml");
        assert!(text.contains("notes.user_id") && !text.contains("logs.user_id"), "{how}: {text}");
    }
    let told = sandbox.run(&["infer", "app.db", "--accept-above=0.1"]);
    assert!(told.err.contains("not accepted: logs.user_id->users.id") && told.err.contains("3 of 3"), "{}", told.err);
    // Whoever names it is warned.
    let warned = sandbox.run(&["infer", "app.db", "--accept", "logs.user_id->users.id"]);
    assert_eq!(warned.code, 0);
    assert!(warned.err.contains("warning: ") && warned.err.contains("3 of 3 are orphan rows"), "{}", warned.err);
    assert_eq!(sandbox.read("referee.toml").matches("logs.user_id").count(), 1);
    // It is what `fix` works from now.
    let plan = words(&sandbox.run(&["fix", "app.db"]).out);
    assert!(plan.contains("Add the foreign key posts.user_id -> users.id"), "{plan}");
}

#[test]
fn another_file_is_made_where_it_is_named() {
    let sandbox = sandbox(TABLES);
    let run = sandbox.run(&["infer", "app.db", "--config", "new.toml", "--accept", "posts.user_id"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(sandbox.read("new.toml").starts_with("[[relation]]\n") && !sandbox.path("referee.toml").exists());
    let told = sandbox.run(&["fix", "app.db", "--config", "new.toml"]).out;
    assert!(told.contains("referee infer app.db --config new.toml --accept 'notes.user_id->users.id'"), "{told}");
}

#[test]
fn what_cannot_be_accepted_says_what_to_type() {
    let sandbox = sandbox(TABLES);
    for (typed, said) in [
        ("posts.user_id-", "put it in quotes"),
        ("posts", "write child.column->parent.column"),
        ("posts.user->users", "table `posts` has no column `user`"),
        ("posts.user_id->user.id", "there is no table `user`"),
        ("posts.id", "nothing is guessed for posts.id"),
    ] {
        let run = sandbox.run(&["infer", "app.db", "--accept", typed]);
        assert_eq!(run.code, 2, "{typed}: {}", run.err);
        assert!(run.err.contains(said), "{typed}: {}", run.err);
    }
    // A list that takes no more entries is left as it is.
    let list = "relation = [{ child = \"notes.user_id\", parent = \"users.id\" }]\n";
    sandbox.write("referee.toml", list);
    let run = sandbox.run(&["infer", "app.db", "--accept", "posts.user_id"]);
    assert!(run.code == 2 && run.err.contains("[[relation]] tables"), "{}", run.err);
    assert_eq!(sandbox.read("referee.toml"), list);
    let other = sandbox.run(&["infer", "app.db", "--accept", "notes.user_id->posts.id"]);
    assert!(other.code == 2 && other.err.contains("notes.user_id->users.id"), "{}", other.err);
    // The value of an option that may do without one stands behind an equals sign: no SOURCE is swallowed.
    assert_eq!(sandbox.run(&["infer", "--accept-above", "app.db", "--no-config"]).code, 2);
    let run = sandbox.run(&["fix", "--accept-inferred", "app.db"]);
    assert_eq!(run.code, 0, "{}", run.err);
}

#[test]
fn guesses_taken_for_one_run_are_written_down_and_a_second_run_plans_nothing_new() {
    let sandbox = sandbox(TABLES);
    let before = guesses(&sandbox, "app.db");
    let shown = sandbox.run(&["fix", "app.db", "--accept-inferred=0.5"]);
    assert!(words(&shown.out).contains("Add the foreign key posts.user_id -> users.id"), "{}", shown.out);
    assert!(
        shown.err.contains("accepted for this run only") && !sandbox.path("referee.toml").exists(),
        "{}",
        shown.err
    );
    let forbidden = sandbox.run(&["fix", "app.db", "--accept-inferred=0.5", "--no-config", "--apply", "--yes"]);
    assert!(forbidden.code == 2 && forbidden.err.contains("--no-config"), "{}", forbidden.err);
    assert_eq!(keys(&sandbox).len(), 0);

    let run = sandbox.run(&["fix", "app.db", "--accept-inferred=0.5", "--apply", "--yes", "--foreign-keys", "on"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("\nVerified"), "{}", run.out);
    let made = keys(&sandbox);
    for key in ["notes.user_id->users", "posts.user_id->users"] {
        assert!(made.contains(&key.to_string()), "{made:?}");
    }
    // Three of three rows speak against the one, and of two keys that would each extend the other at most one is made.
    assert!(!made.iter().any(|k| k.starts_with("logs")), "{made:?}");
    assert!(made.iter().filter(|k| k.contains("refresh_token.")).count() < 2, "{made:?}");
    let config = sandbox.read("referee.toml");
    assert_eq!(config.matches("accepted = ").count(), made.len(), "{config}");

    for _ in 0..2 {
        let now = (schema(&sandbox), sandbox.read("referee.toml"));
        let again =
            sandbox.run(&["fix", "app.db", "--accept-inferred=0.5", "--apply", "--yes", "--foreign-keys", "on"]);
        assert_eq!(again.code, 0, "{}{}", again.out, again.err);
        assert_eq!((schema(&sandbox), sandbox.read("referee.toml")), now, "{}", again.out);
    }
    // A row of each token's table can still be inserted first.
    let connection = connect(&sandbox);
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let first = ["web_refresh_token", "oauth2_refresh_token"];
    let inserted = first.map(|t| connection.execute(&format!("INSERT INTO {t} VALUES ('h', 'x')"), []).is_ok());
    assert!(inserted.contains(&true), "{made:?}");
    drop(connection);

    // Of the other columns the same is said as before.
    let is_made = |r: &str| made.iter().any(|k| r.starts_with(k.split("->").next().unwrap()));
    let others: Vec<_> = before.into_iter().filter(|(r, _)| !is_made(r)).collect();
    assert_eq!(guesses(&sandbox, "app.db"), others);
}

/// A table that was never filled says as much against a relation as one that has other rows.
#[test]
fn an_empty_parent_contradicts_a_guess_and_its_child_keeps_its_rows() {
    let sandbox = sandbox(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, total INTEGER);
         INSERT INTO orders VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4);",
    );
    let rows = || connect(&sandbox).query_row("SELECT count(*) FROM orders", [], |r| r.get::<_, i64>(0)).unwrap();
    let shown = words(&sandbox.run(&["infer", "app.db"]).out);
    assert!(shown.contains("contradicted by data"), "{shown}");
    let delete = ["fix", "app.db", "--orphans", "delete", "--apply", "--yes"];
    let run = sandbox.run(&[&delete[..], &["--accept-inferred"]].concat());
    assert!(words(&run.out).contains("4 of 4 are orphan rows") && run.out.contains(" 0 steps"), "{}", run.out);
    assert!(keys(&sandbox).is_empty() && rows() == 4);

    // Nor does a relation that the user wrote, or a declared key, lose them by a word for all.
    sandbox.write("referee.toml", "[[relation]]\nchild = \"orders.customer_id\"\nparent = \"customers.id\"\n");
    for _ in 0..2 {
        let run = sandbox.run(&delete);
        let out = words(&run.out);
        assert!(out.contains("every row of `orders` (4 of 4)"), "{}", run.out);
        assert!(out.contains("--orphans orders.customer_id=delete"), "{}", run.out);
        assert_eq!(rows(), 4);
        connect(&sandbox)
            .execute_batch(
                "PRAGMA foreign_keys = OFF; CREATE TABLE o2 (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, total INTEGER);
                 INSERT INTO o2 SELECT * FROM orders; DROP TABLE orders; ALTER TABLE o2 RENAME TO orders",
            )
            .unwrap();
    }
    let run = sandbox.run(&["fix", "app.db", "--orphans", "orders.customer_id=delete", "--apply", "--yes"]);
    assert!(run.out.contains("\nVerified"), "{}{}", run.out, run.err);
    assert_eq!(rows(), 0);
}

/// Returns the foreign keys with their actions.
fn actions(sandbox: &Sandbox) -> Vec<String> {
    let sql = "SELECT t.name || ' ' || k.on_delete FROM sqlite_schema t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table' ORDER BY 1";
    let connection = connect(sandbox);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |r| r.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn what_is_left_of_deleted_rows_does_not_go_with_them() {
    let sandbox = sandbox(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE deleted_users (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, at TEXT);
         CREATE TABLE user_removals (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, at TEXT);
         CREATE TABLE user_settings (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, at TEXT);
         INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c');
         INSERT INTO deleted_users VALUES (1, 1, ''), (2, 2, ''), (3, 3, ''); INSERT INTO user_removals SELECT * FROM deleted_users;
         INSERT INTO user_settings SELECT * FROM deleted_users;",
    );
    let run = sandbox.run(&["fix", "app.db", "--accept-inferred=0.5", "--apply", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(actions(&sandbox), ["deleted_users RESTRICT", "user_removals RESTRICT", "user_settings CASCADE"]);
}

#[test]
fn relations_of_the_configuration_close_no_circle_of_cascades() {
    let sandbox = sandbox(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER NOT NULL); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL);
         INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1);",
    );
    let relation = |child: &str, parent: &str| format!("[[relation]]\nchild = \"{child}\"\nparent = \"{parent}\"\n");
    sandbox.write("referee.toml", &(relation("a.b_id", "b.id") + &relation("b.a_id", "a.id")));
    let run = sandbox.run(&["fix", "app.db", "--apply", "--yes"]);
    let made = actions(&sandbox);
    assert!(!made.is_empty() && made.iter().all(|k| k.ends_with("RESTRICT")), "{made:?} {}{}", run.out, run.err);
}

#[test]
fn a_parent_whose_inserts_replace_rows_gets_no_cascade() {
    for key in [
        "id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE ON CONFLICT REPLACE",
        "id INTEGER PRIMARY KEY ON CONFLICT REPLACE, slug TEXT",
        "id INTEGER PRIMARY KEY, slug TEXT, UNIQUE (slug) ON CONFLICT REPLACE",
        "id INTEGER PRIMARY KEY, slug TEXT UNIQUE ON CONFLICT IGNORE",
    ] {
        let sandbox = sandbox(&format!(
            "CREATE TABLE teams ({key}); CREATE TABLE team_members (id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL);
             INSERT INTO teams VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO team_members VALUES (1, 1), (2, 2), (3, 3);"
        ));
        let replaces = key.contains("REPLACE");
        let shown = words(&sandbox.run(&["infer", "app.db"]).out);
        assert_eq!(shown.contains("ON CONFLICT REPLACE"), replaces, "{shown}");
        let run = sandbox.run(&["fix", "app.db", "--accept-inferred=0.5", "--apply", "--yes"]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert_eq!(actions(&sandbox), [if replaces { "team_members RESTRICT" } else { "team_members CASCADE" }]);
        let connection = connect(&sandbox);
        // The engine deletes the members of the row that is replaced where the key cascades.
        let _ = connection.execute_batch("PRAGMA foreign_keys = ON; INSERT INTO teams (slug) VALUES ('a')");
        let _ = connection.execute_batch("INSERT INTO teams VALUES (1, 'd')");
        let members: i64 = connection.query_row("SELECT count(*) FROM team_members", [], |r| r.get(0)).unwrap();
        assert_eq!(members, 3, "{key}");
    }
}

#[test]
fn a_default_that_is_no_parent_row_is_warned_of() {
    let tables = "CREATE TABLE teams (id INTEGER PRIMARY KEY); CREATE TABLE members (id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL DEFAULT 0);
         INSERT INTO teams VALUES (1), (2), (3); INSERT INTO members VALUES (1, 1), (2, 2), (3, 3);";
    let warning = "inserts that leave `team_id` out will fail, because its default 0 is no row of `teams`";
    for (more, warned) in [("", true), ("INSERT INTO teams VALUES (0)", false)] {
        let sandbox = sandbox(&format!("{tables}{more}"));
        let run = sandbox.run(&["fix", "app.db", "--accept-inferred=0.5"]);
        assert!(run.out.contains("members.team_id -> teams.id"), "{}", run.out);
        assert_eq!(words(&run.out).contains(warning), warned, "{}", run.out);
    }
}

/// Money that moves: only that their namesake has a key would say what two of the columns refer to.
const WALLETS: &str = "
    CREATE TABLE wallets (id INTEGER PRIMARY KEY);
    CREATE TABLE payments (id INTEGER PRIMARY KEY, wallet_id INTEGER NOT NULL REFERENCES wallets (id));
    CREATE TABLE refunds (id INTEGER PRIMARY KEY, reference INTEGER NOT NULL);
    CREATE TABLE wallet_transactions (id INTEGER PRIMARY KEY, reference INTEGER NOT NULL);";

#[test]
fn an_accepted_relation_and_its_key_are_no_evidence() {
    let sandbox = sandbox(WALLETS);
    let about = |sandbox: &Sandbox| -> Vec<(String, f64)> {
        guesses(sandbox, "app.db").into_iter().filter(|(r, _)| r.starts_with("wallet_transactions")).collect()
    };
    assert_eq!(about(&sandbox), []);
    let run = sandbox.run(&["infer", "app.db", "--accept", "refunds.reference->payments.id"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(about(&sandbox), [], "an accepted relation says nothing");
    let run = sandbox.run(&["fix", "app.db", "--apply", "--yes", "--only", "REF102"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(keys(&sandbox).contains(&"refunds.reference->payments".to_string()), "{:?}", keys(&sandbox));
    assert_eq!(about(&sandbox), [], "nor does the key that was made of it");
    let audit = sandbox.run(&["audit", "app.db"]);
    assert!(!audit.err.contains("remove the entry"), "the mark of the key stays: {}", audit.err);
    // A person's own word, without the mark, does.
    let config = sandbox.read("referee.toml");
    let plain: String = config.lines().filter(|l| !l.starts_with("accepted")).map(|l| format!("{l}\n")).collect();
    sandbox.write("referee.toml", &plain);
    assert_eq!(about(&sandbox).len(), 1);
}

const MIGRATION: &str = "CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint NOT NULL);
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id));\n";

#[test]
fn files_are_written_of_what_is_known_and_of_what_is_taken() {
    let folder = || {
        let sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path("migrations")).unwrap();
        sandbox.write("migrations/000001_all.up.sql", MIGRATION);
        sandbox
    };
    let written = |sandbox: &Sandbox| -> String {
        let mut paths: Vec<_> =
            std::fs::read_dir(sandbox.path("migrations")).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        paths.iter().skip(1).map(|p| std::fs::read_to_string(p).unwrap()).collect()
    };
    let lint: &[&str] = &["lint", "migrations", "--engine", "postgres", "--fix", "--write"];
    let out: &[&str] =
        &["fix", "migrations", "--engine", "postgres", "--out", "migrations", "--layout", "golang-migrate"];
    for how in [lint, out] {
        let sandbox = folder();
        let run = sandbox.run(how);
        assert!(run.code < 2, "{}", run.err);
        let text = written(&sandbox);
        assert!(text.contains("notes") && !text.contains("posts"), "{text}");
        assert!(
            run.err.contains("1 guessed relation not planned")
                && run.err.contains("referee infer migrations --engine postgres --accept 'posts.user_id->users.id'"),
            "{}",
            run.err
        );
        let sandbox = folder();
        let run = sandbox.run(&[how, &["--accept-inferred=0.5"]].concat());
        assert!(run.code < 2, "{}", run.err);
        assert!(written(&sandbox).contains("posts"), "{}", run.err);
        assert!(sandbox.read("referee.toml").contains("child = \"posts.user_id\"\nparent = \"users.id\"\naccepted = "));
        // The files are what the database is made of now: nothing new comes of them.
        let text = written(&sandbox);
        let again = sandbox.run(&[how, &["--accept-inferred=0.5", "--name", "again"]].concat());
        assert!(again.code < 2, "{}", again.err);
        assert_eq!(written(&sandbox), text, "{}", again.err);
    }
    let sandbox = folder();
    let shown = sandbox.run(&["lint", "migrations", "--engine", "postgres", "--fix"]);
    assert!(
        shown.out.contains("Guessed, not planned") && shown.out.contains("--accept 'posts.user_id"),
        "{}",
        shown.out
    );
}

#[test]
fn what_is_accepted_and_cannot_be_declared_is_said() {
    let sandbox = sandbox(
        "CREATE TABLE users (id INTEGER, name TEXT); CREATE TABLE teams (id INTEGER PRIMARY KEY);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, team_id INTEGER);
         CREATE INDEX orders_team ON orders (team_id); CREATE INDEX orders_user ON orders (user_id);
         INSERT INTO users VALUES (1, 'a'); INSERT INTO teams VALUES (1); INSERT INTO orders VALUES (1, 1, 1);",
    );
    let accepted = sandbox.run(&["infer", "app.db", "--accept", "orders.user_id->users.id"]);
    let said = words(&accepted.err);
    let refused = "orders.user_id->users.id is accepted, but `referee fix` makes no foreign key of it as things are: `users.id` is not unique";
    assert!(accepted.code == 0 && said.contains(refused) && !said.contains("plans their foreign keys now"), "{said}");
    let accepted = sandbox.run(&["infer", "app.db", "--accept", "orders.team_id->teams.id"]);
    let said = words(&accepted.err);
    assert!(said.contains("plans their foreign keys now") && !said.contains("makes no foreign key"), "{said}");
    assert_eq!(sandbox.run(&["fix", "app.db", "--apply", "--yes"]).code, 0);
    assert_eq!(keys(&sandbox), ["orders.team_id->teams"], "what was said is true");
}
