//! `referee fix --apply` and `referee verify`, on SQLite files.

use rusqlite::Connection;

use crate::cli::support::{Run, Sandbox};

const TABLES: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id), note TEXT);
    CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id) ON DELETE SET NULL);
    CREATE TABLE logs (id INTEGER PRIMARY KEY, user_id INTEGER, body TEXT);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
      INSERT INTO users SELECT i, 'user ' || i FROM n;
    INSERT INTO orders SELECT id, id, 'note' FROM users;
    INSERT INTO items SELECT id, id FROM users;
    INSERT INTO logs SELECT id, id, 'body' FROM users;";
/// No key is made of a guess that nobody has accepted.
const ACCEPTED: &str = "[[relation]]\nchild = \"logs.user_id\"\nparent = \"users.id\"\naccepted = 0.96\n";
const ORPHANS: &str = "UPDATE logs SET user_id = user_id + 1000 WHERE id <= 3";

const APPLY: [&str; 4] = ["fix", "shop.db", "--apply", "--yes"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    execute(&sandbox, TABLES);
    sandbox.write("referee.toml", ACCEPTED);
    sandbox
}

fn connect(sandbox: &Sandbox) -> Connection {
    Connection::open(sandbox.path("shop.db")).unwrap()
}

fn execute(sandbox: &Sandbox, sql: &str) {
    connect(sandbox).execute_batch(sql).unwrap();
}

fn ask(sandbox: &Sandbox, sql: &str) -> String {
    connect(sandbox).query_row(sql, [], |r| r.get(0)).unwrap()
}

fn schema(sandbox: &Sandbox) -> String {
    ask(sandbox, "SELECT group_concat(name || coalesce(sql, ''), ';') FROM (SELECT * FROM sqlite_schema ORDER BY name)")
}

fn apply(sandbox: &Sandbox, more: &[&str]) -> Run {
    sandbox.run(&[&APPLY[..], more].concat())
}

#[track_caller]
fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn without_anybody_to_ask_nothing_is_changed_and_nothing_is_left_behind() {
    let sandbox = sandbox();
    let before = schema(&sandbox);
    let run = sandbox.run(&["fix", "shop.db", "--apply"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("Rebuild items"), "{}", run.out);
    assert!(run.err.contains("nothing was changed\n") && run.err.contains("--yes"), "{}", run.err);
    fits(&run.err);
    assert_eq!(schema(&sandbox), before);
    assert!(!sandbox.path("shop.db.referee-run").exists());

    // Whoever wants the verification as JSON is shown the plan all the same before being asked.
    let run = sandbox.run(&["fix", "shop.db", "--apply", "--format", "json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("Rebuild items"), "{}", run.err);
}

#[test]
fn a_plan_is_carried_out_and_verified_and_the_second_time_there_is_nothing_to_do() {
    let sandbox = sandbox();
    let run = apply(&sandbox, &[]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("\nVerified: the database is as the plan promised (3 steps)"), "{}", run.out);
    assert!(run.out.contains("\nSchema findings: 7 before, 1 now."), "{}", run.out);
    assert!(run.err.contains("note: 3 of 3 steps done; recorded in shop.db.referee-run"), "{}", run.err);
    fits(&run.out);
    assert_eq!(ask(&sandbox, "SELECT group_concat(on_delete, ' ') FROM pragma_foreign_key_list('items')"), "NO ACTION");
    assert_eq!(ask(&sandbox, "SELECT count(*) || ' ' || sum(user_id) FROM logs"), "300 45150");
    let (after, recorded) = (schema(&sandbox), sandbox.read("shop.db.referee-run"));
    assert!(recorded.ends_with("}\n") && recorded.contains("\"event\":\"finished\""), "{recorded}");

    let again = apply(&sandbox, &[]);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert!(again.out.contains("No step is planned"), "{}", again.out);
    assert!(again.err.contains("nothing is changed"), "{}", again.err);
    assert_eq!((schema(&sandbox), sandbox.read("shop.db.referee-run")), (after, recorded));
}

#[test]
fn a_verification_is_written_in_every_format() {
    let sandbox = sandbox();
    let run = sandbox.run(&["fix", "shop.db", "--format", "json", "-o", "plan.json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let verify = |more: &[&str]| sandbox.run(&[&["verify", "shop.db", "--plan", "plan.json"], more].concat());

    let before = verify(&[]);
    assert_eq!(before.code, 1, "{}", before.err);
    assert!(before.out.starts_with("Not verified: 3 steps not done, "), "{}", before.out);
    assert_eq!(before.out.matches("\n  NOT DONE ").count(), 3, "{}", before.out);
    fits(&before.out);
    let json = verify(&["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &document["verified"]), (1, &serde_json::json!(false)));
    assert_eq!(document["steps"][0]["done"], serde_json::json!(false));

    assert_eq!(apply(&sandbox, &[]).code, 0);
    let after = verify(&[]);
    assert_eq!(after.code, 0, "{}{}", after.out, after.err);
    assert_eq!(after.out.matches("\n  done     ").count(), 3, "{}", after.out);
    let markdown = verify(&["--format", "markdown", "-o", "report.md"]);
    assert_eq!((markdown.code, markdown.out.as_str()), (0, ""), "{}", markdown.err);
    let report = sandbox.read("report.md");
    assert!(
        report.contains(
            "| `items` | `order_id` | `orders (id)` | ON DELETE SET NULL on NOT NULL | ON DELETE NO ACTION |"
        ),
        "{report}"
    );
    assert!(report.contains("| `logs` | `user_id` | `users (id)` | no key | ON DELETE SET NULL |"), "{report}");
    let document: serde_json::Value = serde_json::from_str(&verify(&["--format", "json"]).out).unwrap();
    assert_eq!(document["verified"], serde_json::json!(true));

    // What somebody undoes afterwards is seen.
    execute(&sandbox, "DROP INDEX logs_user_id_idx");
    let undone = verify(&[]);
    assert_eq!(undone.code, 1);
    assert!(undone.out.contains("NOT DONE Rebuild logs"), "{}", undone.out);
    let missing = sandbox.run(&["verify", "shop.db", "--plan", "nowhere.json"]);
    assert!(missing.code == 2 && missing.err.contains("nowhere.json"), "{}", missing.err);
}

#[test]
fn a_policy_is_asked_for_by_a_query_that_returns_no_row_afterwards() {
    let sandbox = sandbox();
    sandbox.write("referee.toml", &format!("{ACCEPTED}[[policy]]\nparent = \"users\"\non_delete = \"cascade\"\n"));
    let json = sandbox.run(&["fix", "shop.db", "--format", "json", "-o", "plan.json"]);
    assert_eq!(json.code, 0, "{}", json.err);
    let question = "Keys to users that are not ON DELETE CASCADE";
    let before = sandbox.run(&["verify", "shop.db", "--plan", "plan.json"]);
    assert!(before.out.contains(&format!("{question}: 1 row\n")), "{}", before.out);
    let run = apply(&sandbox, &[]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains(&format!("\n{question}: none\n")), "{}", run.out);

    // Anyone can repeat the query.
    let report = sandbox.run(&["verify", "shop.db", "--plan", "plan.json", "--format", "json"]).out;
    let document: serde_json::Value = serde_json::from_str(&report).unwrap();
    let sql = document["policies"][0]["sql"].as_str().unwrap();
    let rows = |sandbox: &Sandbox| ask(sandbox, &format!("SELECT count(*) || '' FROM ({sql})"));
    assert_eq!(rows(&sandbox), "0");
    execute(&sandbox, "CREATE TABLE late (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id))");
    assert_eq!(rows(&sandbox), "1");
}

#[test]
fn a_delete_of_the_root_is_judged_anew() {
    let sandbox = sandbox();
    let run = apply(&sandbox, &["--root", "users"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("\nA delete from users: leaves-rows (before: "), "{}", run.out);
    let fate = sandbox.run(&["fate", "shop.db", "users", "--format", "json"]).out;
    let document: serde_json::Value = serde_json::from_str(&fate).unwrap();
    assert_eq!(document["verdict"], serde_json::json!("leaves-rows"), "{fate}");
}

#[test]
fn orphans_stop_a_key_until_somebody_says_what_becomes_of_them() {
    let refused = sandbox();
    execute(&refused, ORPHANS);
    let run = apply(&refused, &[]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("--orphans quarantine"), "{}", run.out);
    assert_eq!(ask(&refused, "SELECT count(*) || '' FROM pragma_foreign_key_list('logs')"), "0");
    assert_eq!(ask(&refused, "SELECT count(*) || '' FROM logs WHERE user_id > 1000"), "3");

    for (how, left, aside) in [
        ("delete", "297 0", "_referee_kept_logs_user_id"),
        ("set-null", "300 3", "_referee_kept_logs_user_id"),
        ("quarantine", "297 0", "_referee_quarantine_logs_user_id"),
    ] {
        let sandbox = sandbox();
        execute(&sandbox, ORPHANS);
        let run = apply(&sandbox, &["--orphans", &format!("logs.user_id={how}")]);
        assert_eq!(run.code, 0, "{how}: {}{}", run.out, run.err);
        let rows = "SELECT count(*) || ' ' || sum(user_id IS NULL) FROM logs";
        assert_eq!(ask(&sandbox, rows), left, "{how}");
        assert_eq!(ask(&sandbox, "SELECT group_concat(on_delete) FROM pragma_foreign_key_list('logs')"), "SET NULL");
        // What was done to rows is kept, and the plan says where and how that goes.
        let kept = format!("SELECT count(*) || ' ' || min(user_id > 1000) FROM {aside}");
        assert_eq!(ask(&sandbox, &kept), "3 1", "{how}");
        let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("`DROP TABLE main.{aside}`")), "{how}: {}", run.out);
        let again = apply(&sandbox, &[]);
        assert!(again.code == 0 && again.out.contains("No step is planned"), "{how}: {}", again.out);
    }
}

#[test]
fn orphans_that_come_between_plan_and_run_stop_the_run_and_it_goes_on_without_them() {
    let sandbox = sandbox();
    // Rows are not counted, so the plan has the key, and its guard finds them.
    execute(&sandbox, ORPHANS);
    let before = schema(&sandbox);
    let stopped = apply(&sandbox, &["--no-data"]);
    assert_eq!(stopped.code, 2, "{}{}", stopped.out, stopped.err);
    for words in [
        "error: stopped before step 2; step 1 stays applied\n",
        "Rebuild logs",
        "logs.user_id",
        "rows that block it:\n  user_id = 1001, rows = 1\n",
        "FROM logs AS child",
        "run the same command",
        "--new-plan",
    ] {
        assert!(stopped.err.contains(words), "{words}:\n{}", stopped.err);
    }
    fits(&stopped.err);
    // What came before the step is done, and of the step nothing.
    assert!(schema(&sandbox) != before && !schema(&sandbox).contains("_referee_old"));
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM pragma_foreign_key_list('logs')"), "0");

    // It is still in the way.
    let still = apply(&sandbox, &["--no-data"]);
    assert_eq!(still.code, 2);
    assert!(
        still.err.contains("taking up the run in shop.db.referee-run that stopped after 1 of 3 steps"),
        "{}",
        still.err
    );
    execute(&sandbox, "DELETE FROM logs WHERE user_id > 1000");
    let done = apply(&sandbox, &["--no-data"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(done.err.contains("2 of 3 steps done, 1 had been done before"), "{}", done.err);
}

#[test]
fn a_run_that_stopped_can_be_given_up_for_a_new_plan() {
    let sandbox = sandbox();
    execute(&sandbox, ORPHANS);
    assert_eq!(apply(&sandbox, &["--no-data"]).code, 2);
    let anew = apply(&sandbox, &["--new-plan", "--orphans", "logs.user_id=quarantine"]);
    assert_eq!(anew.code, 0, "{}{}", anew.out, anew.err);
    assert!(!anew.err.contains("taking up"), "{}", anew.err);
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM logs"), "297");
}

#[test]
fn a_run_goes_on_only_with_the_options_that_it_began_with() {
    let sandbox = sandbox();
    execute(&sandbox, ORPHANS);
    assert_eq!(apply(&sandbox, &["--no-data", "--choose", "logs.user_id=set-null"]).code, 2);
    let before = schema(&sandbox);
    for other in [&["--no-data", "--orphans", "quarantine"][..], &["--choose", "logs.user_id=set-null"], &[]] {
        let run = apply(&sandbox, other);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
        let words = run.err.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in [
            "the run in shop.db.referee-run was begun with other options",
            "1 of 3 steps are done",
            "begun with: --no-data --choose logs.user_id=set-null",
            "to go on with it: referee fix shop.db --apply --no-data --choose logs.user_id=set-null",
            "add --new-plan",
        ] {
            assert!(words.contains(told), "{told}:\n{}", run.err);
        }
        let now = if other.is_empty() { "none".to_string() } else { other.join(" ") };
        assert!(words.contains(&format!("now: {now}")), "{}", run.err);
        assert_eq!(schema(&sandbox), before);
    }
    execute(&sandbox, "DELETE FROM logs WHERE user_id > 1000");
    // What does not decide what is planned may differ.
    let done =
        apply(&sandbox, &["--choose", "logs.user_id=set-null", "--no-data", "--lock-timeout", "1s", "--retries", "3"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(done.err.contains("1 had been done before"), "{}", done.err);
}

#[test]
fn a_file_in_the_middle_of_a_write_is_told_with_the_command_that_goes_on() {
    let origin = sandbox();
    let connection = rusqlite::Connection::open(origin.path("shop.db")).unwrap();
    // Pages go to the file before the commit; a copy taken now is what a killed process leaves.
    connection.execute_batch("PRAGMA cache_size = 2; CREATE TABLE big (t TEXT)").unwrap();
    let fill = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO big SELECT hex(randomblob(200)) FROM n";
    connection.execute_batch(fill).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE; UPDATE big SET t = t || 'x'").unwrap();
    let sandbox = Sandbox::new();
    for name in ["shop.db", "shop.db-journal"] {
        std::fs::copy(origin.path(name), sandbox.path(name)).unwrap();
    }
    let plain = sandbox.run(&["audit", "shop.db"]);
    assert!(plain.code == 2 && plain.err.contains("was left in the middle of a write"), "{}", plain.err);
    assert!(!plain.err.contains("fix shop.db --apply"), "{}", plain.err);
    sandbox.write("shop.db.referee-run", "");
    for verb in [&["audit", "shop.db"][..], &["fix", "shop.db"], &["fate", "shop.db", "users"]] {
        let told = sandbox.run(verb);
        assert_eq!(told.code, 2, "{}", told.out);
        let words = told.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(
                "`referee fix shop.db --apply` was killed in the middle of a write (shop.db.referee-run records it)"
            ),
            "{}",
            told.err
        );
    }
    // It has been read only: what was half written is still there to be taken back.
    let copy = rusqlite::Connection::open(sandbox.path("shop.db")).unwrap();
    let rows: i64 = copy.query_row("SELECT count(*) FROM big WHERE t NOT LIKE '%x'", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, 2000);
}

#[test]
fn a_journal_in_use_keeps_a_second_run_out() {
    let sandbox = sandbox();
    let before = schema(&sandbox);
    let held = std::fs::File::create(sandbox.path("runs.jsonl")).unwrap();
    held.lock().unwrap();
    let run = apply(&sandbox, &["--journal", "runs.jsonl"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.err.contains("in use: another run is at work") && run.err.contains("wait for it"), "{}", run.err);
    fits(&run.err);
    assert_eq!(schema(&sandbox), before);
    drop(held);
    assert_eq!(apply(&sandbox, &["--journal", "runs.jsonl"]).code, 0);
    // What is no journal is left as it is.
    sandbox.write("other.txt", "something else\n");
    let run = apply(&sandbox, &["--journal", "other.txt"]);
    assert!(run.code == 2 && run.err.contains("is no journal") && run.err.contains("--journal"), "{}", run.err);
    assert_eq!(sandbox.read("other.txt"), "something else\n");
}

#[test]
fn nothing_is_applied_to_what_is_no_database() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(&["fix", "shop.json", "--apply", "--yes"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("shop.json is no database") && run.err.contains("--out DIR"), "{}", run.err);
}

/// `projects` and `runs` refer to one another, and to users one of whom is gone.
const CIRCLE: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, latest_run_id INTEGER REFERENCES runs);
    CREATE TABLE projects (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES users, latest_run_id INTEGER REFERENCES runs);
    CREATE TABLE runs (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects);
    CREATE TABLE files (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
      INSERT INTO projects SELECT i, (i - 1) % 10 + 1, i + 40 FROM n;
    INSERT INTO runs SELECT id, id FROM projects; INSERT INTO runs SELECT id + 40, id FROM projects;
    INSERT INTO files SELECT id, id FROM projects;
    INSERT INTO users SELECT id, id + 1 FROM projects WHERE id <= 10 AND id <> 3;
    UPDATE projects SET latest_run_id = 999 WHERE id = 5;";

#[test]
fn one_run_cleans_a_circle_up_and_no_row_of_a_living_user_goes() {
    for how in ["delete", "quarantine"] {
        let sandbox = Sandbox::new();
        execute(&sandbox, &format!("PRAGMA foreign_keys = OFF; {CIRCLE}"));
        let plan = sandbox.run(&["fix", "shop.db", "--only", "orphan-rows", "--orphans", how, "--format", "json"]);
        let document: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
        assert_eq!(document["steps"].as_array().unwrap().len(), 1);
        let shown = |what: &str| {
            let bounds = document["steps"][0]["bounds"].as_array().unwrap();
            bounds.iter().find(|b| b["what"] == what).map(|b| b["rows"].as_u64().unwrap())
        };
        assert_eq!(shown("rows of projects to delete"), Some(4));
        assert_eq!(shown("rows of runs to delete"), Some(8));
        assert_eq!(shown("rows of users.latest_run_id to set to NULL"), Some(1));
        let run = apply(&sandbox, &["--only", "orphan-rows", "--orphans", how]);
        assert_eq!(run.code, 0, "{how}: {}{}", run.out, run.err);
        assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM pragma_foreign_key_check"), "0");
        let rows = "SELECT (SELECT count(*) FROM projects) || ' ' || (SELECT count(*) FROM runs) || ' ' || (SELECT count(*) FROM files) || ' ' \
                    || (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM projects WHERE latest_run_id IS NULL)";
        assert_eq!(ask(&sandbox, rows), "36 72 36 9 1", "{how}");
    }
}

#[test]
fn a_sentinel_ends_in_a_command_and_not_in_a_circle_of_hints() {
    let sandbox = Sandbox::new();
    let tables =
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL DEFAULT 0 REFERENCES posts (id));
        PRAGMA foreign_keys = OFF; INSERT INTO posts VALUES (1, 0), (2, 1), (3, 0);";
    execute(&sandbox, tables);
    let only = ["--only", "orphan-rows"];
    let deleted = apply(&sandbox, &[&only[..], &["--orphans", "delete"]].concat());
    let words = deleted.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("0, which looks like a sentinel for \"none\""), "{}", deleted.out);
    assert!(words.contains("`--orphans posts.parent_id=set-null`"), "{}", deleted.out);
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM posts"), "3");
    for _ in 0..2 {
        apply(&sandbox, &[&only[..], &["--orphans", "posts.parent_id=set-null"]].concat());
    }
    let rows = "SELECT group_concat(id || ':' || coalesce(parent_id, '-'), ' ') FROM posts";
    assert_eq!(ask(&sandbox, rows), "1:- 2:1 3:-");
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM pragma_foreign_key_check"), "0");
}

#[test]
fn what_becomes_of_one_relations_orphans_is_said_by_its_name() {
    let sandbox = Sandbox::new();
    execute(&sandbox, &format!("PRAGMA foreign_keys = OFF; {CIRCLE}"));
    let wrong = sandbox.run(&["fix", "shop.db", "--orphans", "projects.owner=delete"]);
    assert!(wrong.code == 2 && wrong.err.contains("matches no relation"), "{}", wrong.err);
    let wrong = sandbox.run(&["fix", "shop.db", "--orphans", "leave"]);
    assert!(wrong.code == 2 && wrong.err.contains("child.column=WORD"), "{}", wrong.err);
    let left = apply(
        &sandbox,
        &["--only", "orphan-rows", "--orphans", "delete", "--orphans", "projects.owner_id->users.id=leave"],
    );
    assert_eq!(left.code, 0, "{}{}", left.out, left.err);
    assert_eq!(ask(&sandbox, "SELECT count(*) || ' ' || count(latest_run_id) FROM projects"), "40 39");
}

/// An order of a user who is gone, with two items; carts can be made to cascade.
const ORDERS: &str = "PRAGMA foreign_keys = OFF;
    CREATE TABLE users (id INTEGER PRIMARY KEY);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
    CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id));
    CREATE TABLE carts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
    INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1), (2, 9);
    INSERT INTO order_items VALUES (1, 1), (2, 2), (3, 2); INSERT INTO carts VALUES (1, 1);";
const CASCADE: [&str; 4] = ["--root", "users", "--choose", "carts.user_id=cascade"];

fn orders(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    execute(&sandbox, &format!("{ORDERS}{more}"));
    sandbox
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_question_says_what_is_deleted_now_and_from_then_on() {
    let sandbox = orders("");
    let asked = |more: &[&str]| {
        let run = sandbox.run(&[&["fix", "shop.db", "--apply"][..], more].concat());
        assert_eq!(run.code, 2, "{}", run.out);
        fits(&run.err);
        words(&run.err)
    };
    let keys = asked(&CASCADE);
    assert!(
        keys.contains(
            "Apply 1 step to shop.db? Deletes no rows now. From then on, deleting a users row also deletes its carts."
        ),
        "{keys}"
    );
    let rows = asked(&["--only", "orphan-rows", "--orphans", "delete"]);
    assert!(
        rows.contains(
            "Deletes now up to 3 rows (2 order_items, 1 orders), backed up in _referee_kept_order_items and _referee_kept_orders."
        ),
        "{rows}"
    );
    assert!(!rows.contains("NULL") && !rows.contains("From then on"), "{rows}");
    // The first line of the plan says it, too.
    let plan = words(&sandbox.run(&["fix", "shop.db", "--only", "orphan-rows", "--orphans", "delete"]).out);
    assert!(plan.starts_with("shop.db · SQLite · 1 step, deletes up to 3 rows (2 order_items, 1 orders)"), "{plan}");
    assert!(plan.contains("stops if one of _referee_kept_order_items, _referee_kept_orders already exists"), "{plan}");
}

#[test]
fn a_choice_that_orphans_bar_says_so_and_one_that_is_already_so_is_a_note() {
    let sandbox = orders("");
    let choose = ["fix", "shop.db", "--root", "users", "--choose", "orders.user_id=cascade"];
    let barred = sandbox.run(&choose);
    assert_eq!(barred.code, 2, "{}", barred.out);
    assert!(barred.err.contains("cannot plan orders.user_id=cascade: 1 orphan row of orders\n"), "{}", barred.err);
    assert!(barred.err.contains("--orphans 'orders.user_id=delete'"), "{}", barred.err);
    let planned = sandbox.run(&[&choose[..], &["--orphans", "orders.user_id=delete"]].concat());
    // Another table still blocks, so the goal is not reached.
    assert_eq!(planned.code, 1, "{}", planned.err);

    assert_eq!(apply(&sandbox, &CASCADE).code, 1);
    let again = sandbox.run(&[&["fix", "shop.db"], &CASCADE[..]].concat());
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.contains("note: carts.user_id is already ON DELETE CASCADE; nothing to do\n"), "{}", again.err);
    let wrong = sandbox.run(&["fix", "shop.db", "--root", "users", "--choose", "carts.user=cascade"]);
    assert!(
        wrong.code == 2 && wrong.err.contains("--choose carts.user=cascade matches nothing in this plan"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_trigger_that_raises_is_named_with_what_it_says() {
    let trigger = "CREATE TRIGGER keep BEFORE DELETE ON orders BEGIN SELECT RAISE(ABORT, 'they aren''t to go'); END;
        CREATE TRIGGER other AFTER DELETE ON order_items BEGIN SELECT 1; END;";
    let sandbox = orders(trigger);
    let run = apply(&sandbox, &["--only", "orphan-rows", "--orphans", "delete"]);
    assert_eq!(run.code, 2, "{}", run.out);
    let told = words(&run.err);
    assert!(told.contains("error: nothing changed: step 1 rolled back"), "{told}");
    assert!(told.contains("trigger keep on orders blocked it: \"they aren't to go\""), "{told}");
    fits(&run.err);
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM orders"), "2");
}

#[test]
fn more_rows_than_were_approved_are_told_with_the_command_that_approves_them() {
    let sandbox = orders("CREATE TRIGGER keep BEFORE DELETE ON orders BEGIN SELECT RAISE(ABORT, 'not yet'); END;");
    let rows = ["--only", "orphan-rows", "--orphans", "delete"];
    assert_eq!(apply(&sandbox, &rows).code, 2);
    execute(&sandbox, "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (3, 9); DROP TRIGGER keep;");
    let stopped = apply(&sandbox, &rows);
    assert_eq!(stopped.code, 2, "{}", stopped.out);
    let told = words(&stopped.err);
    assert!(told.contains("rows of orders to delete now, you approved 1"), "{told}");
    assert!(told.contains("--apply --new-plan") && !told.contains("once they are gone"), "{told}");
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM orders"), "3");
}

#[test]
fn rows_that_come_after_a_step_do_not_undo_it() {
    let sandbox = orders("");
    let rows = ["--only", "orphan-rows", "--orphans", "delete"];
    let plan = sandbox.run(&[&["fix", "shop.db", "--format", "json", "-o", "plan.json"], &rows[..]].concat());
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert_eq!(apply(&sandbox, &rows).code, 0);
    execute(&sandbox, "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (7, 77);");
    let run = sandbox.run(&["verify", "shop.db", "--plan", "plan.json"]);
    assert_eq!(run.code, 1, "{}", run.out);
    let told = words(&run.out);
    assert!(told.contains("done, but 1 new row since then") && !told.contains("NOT DONE"), "{told}");
}

#[test]
fn orphans_that_no_step_is_about_may_stay() {
    let sandbox = orders("");
    execute(&sandbox, "PRAGMA foreign_keys = OFF; INSERT INTO order_items VALUES (9, 99);");
    // The table is rebuilt for another key; its own orphans were there before.
    let choose = ["--root", "users", "--orphans", "orders.user_id=delete", "--choose", "orders.user_id=cascade"];
    let run = apply(&sandbox, &choose);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    let told = words(&run.out);
    assert!(
        told.contains("Not part of this plan 1 orphan row of order_items.order_id->orders.id (there before)"),
        "{told}"
    );
}

#[test]
fn a_run_is_undone_from_its_journal() {
    let sandbox = orders("");
    let before = schema(&sandbox);
    let none = sandbox.run(&["fix", "shop.db", "--undo"]);
    assert!(none.code == 2 && none.err.contains("no run is recorded in shop.db.referee-run"), "{}", none.err);
    let run = apply(&sandbox, &[&CASCADE[..], &["--orphans", "delete", "--choose", "orders.user_id=cascade"]].concat());
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.err.contains("_referee_kept_orders") && run.err.contains("referee fix shop.db --undo"), "{}", run.err);
    let shown = sandbox.run(&["fix", "shop.db", "--undo"]);
    assert!(shown.code == 0 && shown.out.starts_with("Undo step 3: "), "{}{}", shown.out, shown.err);
    assert!(shown.err.contains("nothing was changed"), "{}", shown.err);
    assert_ne!(schema(&sandbox), before);
    let asked = sandbox.run(&["fix", "shop.db", "--undo", "--apply"]);
    assert!(asked.code == 2 && asked.err.contains("Undo 3 steps in shop.db?"), "{}", asked.err);
    let undone = sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]);
    assert!(undone.code == 0 && undone.err.contains("All 3 steps are undone. 3 rows restored."), "{}", undone.err);
    assert_eq!(schema(&sandbox), before);
    assert_eq!(ask(&sandbox, "SELECT group_concat(id || ':' || user_id, ' ') FROM orders"), "1:1 2:9");
    let again = sandbox.run(&["fix", "shop.db", "--undo"]);
    assert!(again.code == 0 && again.err.contains("there is nothing to undo"), "{}", again.err);
}

const CLEAN: [&str; 4] = ["--only", "orphan-rows", "--orphans", "quarantine"];
const ROWS: &str = "SELECT (SELECT group_concat(id || ':' || user_id, ' ') FROM (SELECT * FROM orders ORDER BY id)) || ' / ' || \
                    (SELECT group_concat(id || ':' || order_id, ' ') FROM (SELECT * FROM order_items ORDER BY id))";

#[test]
fn an_undo_restores_rows_whatever_orphans_came_since() {
    let sandbox = orders("");
    let before = ask(&sandbox, ROWS);
    assert_eq!(apply(&sandbox, &CLEAN).code, 0);
    assert_ne!(ask(&sandbox, ROWS), before);
    execute(&sandbox, "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (7, 77)");
    let asked = sandbox.run(&["fix", "shop.db", "--undo", "--apply"]);
    let told = words(&asked.err);
    assert!(told.contains("Puts back 3 deleted rows from 2 backup tables, and drops them."), "{told}");
    fits(&asked.err);
    let undone = sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]);
    assert!(undone.code == 0 && undone.err.contains("The only step is undone. 3 rows restored."), "{}", undone.err);
    execute(&sandbox, "DELETE FROM orders WHERE id = 7");
    assert_eq!(ask(&sandbox, ROWS), before);
}

#[test]
fn a_later_run_does_not_hide_an_earlier_one_from_the_undo() {
    let sandbox = orders("");
    let (rows, tables) = (ask(&sandbox, ROWS), schema(&sandbox));
    assert_eq!(apply(&sandbox, &CLEAN).code, 0);
    let index = apply(&sandbox, &["--only", "unindexed-foreign-key"]);
    assert_eq!(index.code, 0, "{}{}", index.out, index.err);
    let undo = || sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]);
    assert!(undo().err.contains("All 3 steps are undone."));
    assert_ne!(ask(&sandbox, ROWS), rows);
    let run = undo();
    assert!(run.code == 0 && run.err.contains("The only step is undone. 3 rows restored."), "{}", run.err);
    assert_eq!((ask(&sandbox, ROWS), schema(&sandbox)), (rows, tables));
    assert!(undo().err.contains("there is nothing to undo"));
}

#[test]
fn what_an_undo_cannot_undo_is_named_and_is_no_success() {
    let sandbox = orders("");
    assert_eq!(apply(&sandbox, &CLEAN).code, 0);
    assert_eq!(apply(&sandbox, &["--only", "unindexed-foreign-key"]).code, 0);
    execute(&sandbox, "DROP INDEX carts_user_id_idx; DROP TABLE _referee_quarantine_orders");
    let run = sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]);
    let told = words(&run.err);
    assert_eq!(run.code, 1, "{told}");
    assert!(told.contains("2 of 3 steps are undone.") && told.contains("Add the index carts_user_id_idx"), "{told}");
    let rest = sandbox.run(&["fix", "shop.db", "--undo"]);
    let told = words(&rest.err);
    assert_eq!(rest.code, 1, "{told}");
    assert!(told.contains("its backup is gone (_referee_quarantine_orders)"), "{told}");
}

#[test]
fn an_undo_that_stopped_is_gone_on_with_and_no_run_takes_its_place() {
    let sandbox = orders("");
    let before = ask(&sandbox, ROWS);
    let run = apply(&sandbox, &["--only", "unindexed-foreign-key,orphan-rows", "--orphans", "delete"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    // The row cannot come back over one that has its key by now.
    execute(&sandbox, "INSERT INTO orders VALUES (2, 1)");
    let stopped = sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]);
    assert!(stopped.code == 2 && !stopped.err.contains("--new-plan"), "{}", stopped.err);
    for more in [&[][..], &["--new-plan"]] {
        let refused = apply(&sandbox, more);
        let told = words(&refused.err);
        assert!(refused.code == 2 && told.contains("an undo of the run in shop.db.referee-run stopped"), "{told}");
        assert!(told.contains("referee fix shop.db --undo --apply"), "{told}");
    }
    execute(&sandbox, "DELETE FROM orders WHERE id = 2");
    assert_eq!(sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]).code, 0);
    assert_eq!(ask(&sandbox, ROWS), before);
    assert_eq!(apply(&sandbox, &["--only", "unindexed-foreign-key"]).code, 0);
}

#[test]
fn a_written_script_stops_at_the_first_error_and_a_name_stays_in_its_comment() {
    let sandbox = Sandbox::new();
    execute(
        &sandbox,
        "PRAGMA foreign_keys = OFF; CREATE TABLE u (id INTEGER PRIMARY KEY); CREATE TABLE victims (id INTEGER PRIMARY KEY);
         CREATE TABLE \"o\nDELETE FROM victims; --\" (id INTEGER PRIMARY KEY, u_id INTEGER NOT NULL REFERENCES u (id));
         INSERT INTO victims VALUES (1), (2); INSERT INTO u VALUES (1);
         INSERT INTO \"o\nDELETE FROM victims; --\" VALUES (1, 1), (2, 1), (3, 9)",
    );
    let run = sandbox.run(&["fix", "shop.db", "--orphans", "delete", "--format", "sql", "-o", "plan.sql"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let script = sandbox.read("plan.sql");
    // Everything before the first statement is a comment or the client's own word.
    let head: Vec<&str> =
        script.lines().take_while(|l| l.is_empty() || l.starts_with("--") || l.starts_with('.')).collect();
    assert!(head.contains(&".bail on") && head.iter().any(|l| l.contains("DELETE FROM victims")), "{script}");
    let sql: String = script.lines().filter(|l| !l.starts_with('.')).map(|l| format!("{l}\n")).collect();
    execute(&sandbox, &sql);
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM victims"), "2");
    assert_eq!(ask(&sandbox, "SELECT count(*) || '' FROM \"o\nDELETE FROM victims; --\""), "2");
    // What has come since planning stops it, as it stops --apply.
    execute(&sandbox, "PRAGMA foreign_keys = OFF; INSERT INTO \"o\nDELETE FROM victims; --\" VALUES (4, 9)");
    assert!(connect(&sandbox).execute_batch(&sql).is_err());
}

#[test]
fn an_old_reference_is_not_written_into_another_row_that_took_its_number() {
    let sandbox = Sandbox::new();
    execute(
        &sandbox,
        "PRAGMA foreign_keys = OFF; CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), note TEXT);
         INSERT INTO orders VALUES (1, 1, 'a'), (2, 9, 'b'), (3, 9, 'c')",
    );
    assert_eq!(apply(&sandbox, &["--only", "orphan-rows", "--orphans", "set-null"]).code, 0);
    execute(&sandbox, "DELETE FROM orders WHERE id = 3; INSERT INTO orders (note) VALUES ('a guest')");
    let undo = || sandbox.run(&["fix", "shop.db", "--undo", "--apply", "--yes"]);
    let run = undo();
    assert!(run.code == 2 && words(&run.err).contains("id = 3"), "{}", run.err);
    let orders = "SELECT group_concat(id || ':' || coalesce(user_id, '-'), ' ') FROM orders";
    assert_eq!(ask(&sandbox, orders), "1:1 2:- 3:-");
    execute(&sandbox, "DELETE FROM _referee_kept_orders_user_id WHERE id = 3");
    assert_eq!(undo().code, 0);
    assert_eq!(ask(&sandbox, orders), "1:1 2:9 3:-");
}

#[test]
fn what_is_no_plan_or_not_the_planned_database_is_told() {
    let sandbox = orders("");
    let made = sandbox.run(&[&["fix", "shop.db", "--format", "json", "-o", "plan.json"], &CASCADE[..]].concat());
    assert_eq!(made.code, 1, "{}", made.err);
    Connection::open(sandbox.path("other.db")).unwrap().execute_batch("CREATE TABLE x (a)").unwrap();
    let other = sandbox.run(&["verify", "other.db", "--plan", "plan.json"]);
    assert_eq!(other.code, 2, "{}", other.out);
    assert!(other.err.contains("other.db is not the planned database: no table carts"), "{}", other.err);
    let no_plan = sandbox.run(&["verify", "shop.db", "--plan", "shop.db"]);
    assert!(no_plan.code == 2 && no_plan.err.contains("shop.db is not a plan (expected JSON"), "{}", no_plan.err);
    let no_table = sandbox.run(&["fix", "shop.db", "--table", "zzz*"]);
    assert!(no_table.code == 2 && no_table.err.contains("no table matches zzz*"), "{}", no_table.err);
}
