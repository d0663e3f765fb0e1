//! What `fix` must not say: that there is nothing to do where no delete succeeds, or that a key is safe that is not.

use crate::cli::support::Sandbox;

fn database(sandbox: &Sandbox, ddl: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(sandbox.path("a.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(ddl).unwrap();
    connection
}

#[test]
fn a_parent_without_its_unique_index_gets_one() {
    let sandbox = Sandbox::new();
    database(
        &sandbox,
        "CREATE TABLE messages (id TEXT NOT NULL, body TEXT);
         CREATE TABLE relays (id TEXT PRIMARY KEY NOT NULL, message_id TEXT REFERENCES messages (id) ON DELETE CASCADE);
         CREATE INDEX relays_message_id ON relays (message_id); INSERT INTO messages VALUES ('a', 'x')",
    );
    let run = sandbox.run(&["fix", "a.db", "--root=messages", "--no-config", "--apply", "--yes"]);
    assert!(!run.out.contains("nothing to do"), "{}", run.out);
    assert!(run.out.contains("unique index"), "{}{}", run.out, run.err);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let connection = rusqlite::Connection::open(sandbox.path("a.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM messages").unwrap();
}

#[test]
fn a_missing_parent_is_no_empty_plan() {
    let sandbox = Sandbox::new();
    database(
        &sandbox,
        "CREATE TABLE a (id INTEGER PRIMARY KEY);
         CREATE TABLE b (id INTEGER PRIMARY KEY, a int REFERENCES a (id) ON DELETE CASCADE, z int REFERENCES zz (id))",
    );
    let run = sandbox.run(&["fix", "a.db", "--root=a", "--no-config"]);
    assert_eq!(run.code, 1, "{}", run.out);
    let text = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Every delete from `a` still fails"), "{text}");
    assert!(!text.contains("nothing to do"), "{text}");
}

/// SQLite checks a table's keys to itself again at every update of another key's column, so that a new key would stop updates of
/// rows that are orphans already.
#[test]
fn no_key_is_added_over_orphans_of_a_key_to_the_same_table() {
    let sandbox = Sandbox::new();
    database(
        &sandbox,
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE files (id INTEGER PRIMARY KEY, parent_id int CHECK (parent_id IS NOT NULL) REFERENCES files (id) ON DELETE RESTRICT,
           user_id INTEGER);
         CREATE INDEX files_parent ON files (parent_id);
         INSERT INTO users VALUES (1); INSERT INTO files VALUES (1, 1, 1), (2, 77, 1)",
    );
    sandbox.write(
        "referee.toml",
        "[[relation]]\nchild = \"files.user_id\"\nparent = \"users.id\"\non_delete = \"set-null\"\n",
    );
    let run = sandbox.run(&["fix", "a.db"]);
    let text = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("no UPDATE of `user_id` of such a row would succeed any more"), "{text}\n{}", run.err);
    assert!(!text.contains("Add the foreign key files.user_id"), "{text}");
}

#[test]
fn what_still_stops_a_delete_is_said_first() {
    let sandbox = Sandbox::new();
    rusqlite::Connection::open(sandbox.path("a.db"))
        .unwrap()
        .execute_batch(
            "CREATE TABLE tenants (id INTEGER PRIMARY KEY);
             CREATE TABLE users (id INTEGER PRIMARY KEY, tenant_id INTEGER NOT NULL REFERENCES tenants (id));
             CREATE TABLE orders (id INTEGER PRIMARY KEY, tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE RESTRICT);
             CREATE TABLE invoices (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE RESTRICT);",
        )
        .unwrap();
    let text = |options: &[&str]| {
        let run = sandbox.run(&[&["fix", "a.db", "--no-config", "--root", "tenants"], options].concat());
        assert_eq!(run.code, 1, "{}{}", run.out, run.err);
        (run.out.split_whitespace().collect::<Vec<_>>().join(" "), run.err)
    };
    let (plan, _) = text(&[]);
    assert!(plan.contains("a delete from tenants STILL FAILS: orders.tenant_id needs your decision."), "{plan}");
    let first = plan.find("STILL FAILS").unwrap();
    assert!(first < plan.find("Keep a copy").unwrap(), "{plan}");
    let (plan, _) = text(&["--choose", "orders.tenant_id=cascade"]);
    // The step for users, which needs no decision, stays.
    let why = "After these 2 steps a delete from tenants still fails if any of its orders has a row of invoices \
               (invoices.order_id, RESTRICT).";
    assert!(plan.contains(why), "{plan}");
    // Who has an invoice has an order, and was refused by that before.
    assert!(!plan.contains("Newly refused"), "{plan}");
    assert!(plan.contains("▸ cascade") || plan.contains("> cascade"), "{plan}");
    // What was chosen is not recommended for that; the step for users, which nobody chose, is.
    let [orders, users] =
        plan.split("Choices").nth(1).unwrap().split("users.tenant_id").take(2).collect::<Vec<_>>()[..]
    else {
        panic!("{plan}")
    };
    assert!(orders.contains("(your choice") && !orders.contains("(recommended)"), "{plan}");
    assert!(users.contains("(recommended)"), "{plan}");
    let all = text(&["--choose", "orders.tenant_id=cascade", "--choose", "users.tenant_id=cascade"]).0;
    assert!(all.contains("a delete from tenants still fails if any of its orders has a row of invoices"), "{all}");
    let (markdown, _) = text(&["--choose", "orders.tenant_id=cascade", "--format", "markdown"]);
    assert!(markdown.contains("still fails if any of its orders has a row of invoices"), "{markdown}");
}

/// A folder with statements that were not read says nothing for certain about the database that it makes.
#[test]
fn what_was_not_replayed_keeps_a_verdict_from_being_a_promise() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("m")).unwrap();
    let tables = "CREATE TABLE users (id int PRIMARY KEY);\nCREATE TABLE jobs (by int REFERENCES users (id));\n";
    sandbox.write("m/020_jobs.sql", tables);
    let fate = || {
        let text = sandbox.run(&["fate", "m", "users", "--engine", "postgres", "-q"]).out;
        let json = sandbox.run(&["fate", "m", "users", "--engine", "postgres", "-q", "--format", "json"]).out;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        (text, json["promised"].as_bool().unwrap(), json["assumptions"].clone())
    };
    assert!(fate().1);
    for block in [
        "EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', 'jobs', 'jobs_by_fkey');",
        "EXECUTE statement;",
        "EXECUTE format('%s TABLE jobs', verb);",
    ] {
        sandbox.write("m/200_fix.sql", &format!("DO $$ DECLARE statement text; verb text; BEGIN\n {block}\nEND $$;\n"));
        let (text, promised, assumptions) = fate();
        assert!(!promised, "{block}");
        assert!(text.contains("200_fix.sql:2"), "{text}");
        assert_eq!((&assumptions[0]["kind"], &assumptions[0]["may"][0]), (&"unread".into(), &"unknown".into()));
    }
    sandbox.write("m/200_fix.sql", "DO $$ BEGIN EXECUTE format('GRANT SELECT ON %I TO x', 'jobs'); END $$;");
    assert!(fate().1, "it changes no table");
    sandbox.write("m/200_fix.sql", "ALTER DOMAIN d DROP NOT NULL;");
    assert!(!fate().1);
}

/// A constraint that may refuse what a key writes is nothing that a fix may pass over in silence.
#[test]
fn what_may_refuse_a_set_null_is_said_where_nothing_is_planned() {
    let sandbox = Sandbox::new();
    let connection = database(
        &sandbox,
        "CREATE TABLE s (id INTEGER PRIMARY KEY);
         CREATE TABLE r (id INTEGER PRIMARY KEY, s_id int NOT NULL REFERENCES s (id) ON DELETE CASCADE);
         CREATE TABLE w (id INTEGER PRIMARY KEY, s_id int REFERENCES s (id) ON DELETE SET NULL,
           r_id int REFERENCES r (id) ON DELETE SET NULL, CONSTRAINT k CHECK (r_id IS NULL OR s_id IS NOT NULL));
         CREATE INDEX r_s ON r (s_id); CREATE INDEX w_s ON w (s_id); CREATE INDEX w_r ON w (r_id);
         INSERT INTO s VALUES (1); INSERT INTO r VALUES (1, 1); INSERT INTO w VALUES (1, 1, 1)",
    );
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let words = |arguments: &[&str]| {
        let run = sandbox.run(arguments);
        (run.out.split_whitespace().collect::<Vec<_>>().join(" "), run.code)
    };
    let (fix, code) = words(&["fix", "a.db", "--root=s", "--no-config"]);
    assert!(fix.contains("CHECK `k` of `w` may not accept NULL") && !fix.contains("nothing to do"), "{code} {fix}");
    let (fate, _) = words(&["fate", "a.db", "s", "--no-config"]);
    assert!(!fate.contains("No change of actions makes it better"), "{fate}");
    assert!(connection.execute_batch("DELETE FROM s").is_err() || fate.contains("by its foreign keys alone"), "{fate}");
}
