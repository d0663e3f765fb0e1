//! What deletes come to after a plan that came to something else before: on a real engine, held against what was said.

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
    /// Both outputs in one line: lines are broken where the terminal ends.
    text: String,
}

fn referee(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    assert!(!err.contains("panicked"), "{err}");
    let text = format!("{out} {err}").split_whitespace().collect::<Vec<_>>().join(" ");
    Run { code: output.status.code().unwrap(), out, text }
}

/// Every order has rows in `audit`, which stay; nothing declares whose the orders are.
const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL);
    CREATE TABLE audit (id int PRIMARY KEY, order_id int REFERENCES orders);
    CREATE INDEX ON orders (customer_id); CREATE INDEX ON audit (order_id);
    INSERT INTO customers VALUES (1), (2); INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO audit VALUES (1, 1), (2, 2);";

const CASCADE: &str =
    "[[relation]]\nchild = \"orders.customer_id\"\nparent = \"customers.id\"\non_delete = \"cascade\"\n";

/// A cascade above a foreign key that refuses makes deletes fail which succeeded: step, question and report say so.
#[test]
fn a_cascade_above_what_refuses_newly_refuses_deletes() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(&url, SHOP);
    std::fs::write(folder.path().join("referee.toml"), CASCADE).unwrap();
    let delete = || server::connect(&url).batch_execute("BEGIN; DELETE FROM customers WHERE id = 1; ROLLBACK");
    delete().unwrap();
    let refused = "a delete from customers is refused while a row of audit refers to one of its orders";

    let plan = referee(folder.path(), &["fix", &url]);
    assert!(plan.text.contains(&format!("Newly refused: {refused}.")), "{}", plan.out);
    let question = referee(folder.path(), &["fix", &url, "--apply"]);
    assert!(question.text.contains(&format!("From then on {refused}.")), "{}", question.text);
    let json = referee(folder.path(), &["fix", &url, "--format", "json", "-o", "plan.json"]);
    assert_eq!(json.code, 0, "{}", json.text);
    delete().unwrap();

    let done = referee(folder.path(), &["fix", &url, "--apply", "--yes"]);
    delete().unwrap_err();
    let told = |run: &Run| {
        run.text.contains("newly refused: see below")
            && run.text.contains("Refused now, and not before")
            && run.text.contains(refused)
    };
    assert!(told(&done), "{}", done.text);
    let verified = referee(folder.path(), &["verify", &url, "--plan", "plan.json"]);
    assert!(verified.code == 0 && told(&verified), "{}", verified.text);
    let document = referee(folder.path(), &["verify", &url, "--plan", "plan.json", "--format", "json"]);
    let document: Value = serde_json::from_str(&document.out).unwrap();
    let from: Vec<&Value> = document["refused"].as_array().unwrap().iter().map(|r| &r["from"][0]).collect();
    assert!(from.contains(&&Value::from("customers")), "{document}");
}

/// What refused before is no news, and what goes with the same delete refuses nothing.
#[test]
fn what_deletes_do_as_before_is_not_newly_refused() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(&url, &SHOP.replace("REFERENCES orders", "REFERENCES orders ON DELETE CASCADE"));
    std::fs::write(folder.path().join("referee.toml"), CASCADE).unwrap();
    let plan = referee(folder.path(), &["fix", &url]);
    assert!(plan.text.contains("ON DELETE CASCADE") && !plan.text.contains("is refused while"), "{}", plan.out);
    let done = referee(folder.path(), &["fix", &url, "--apply", "--yes"]);
    assert!(done.text.contains("Verified") && !done.text.contains("is refused while"), "{}", done.text);
    server::connect(&url).batch_execute("DELETE FROM customers").unwrap();
}

/// The table that `tag_id` refers to is gone, as a rebuild that goes wrong leaves it.
const BROKEN: &str = "
    CREATE TABLE documents (id INTEGER PRIMARY KEY);
    CREATE TABLE marks (id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES documents (id),
        tag_id INTEGER NOT NULL REFERENCES tags__old (id));
    CREATE INDEX d1 ON marks (document_id); CREATE INDEX d2 ON marks (tag_id);
    INSERT INTO documents VALUES (1), (9); INSERT INTO marks VALUES (1, 1, 1);";

/// A cascade into a table whose own key is broken makes every delete fail: it is said before, in the choice and at the top.
#[test]
fn a_cascade_into_a_broken_key_still_fails() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("p.db");
    let open = || Connection::open(&path).unwrap();
    open().execute_batch(&format!("PRAGMA foreign_keys = OFF; {BROKEN}")).unwrap();
    let delete =
        || open().execute_batch("PRAGMA foreign_keys = ON; BEGIN; DELETE FROM documents WHERE id = 9; ROLLBACK");
    delete().unwrap();
    let broken = "the foreign key marks.tag_id is broken, its parent `tags__old` does not exist";

    let fate = referee(folder.path(), &["fate", "p.db", "documents"]);
    assert!(
        fate.text.contains(&format!("every delete from `documents` then fails, rows or none: {broken}")),
        "{}",
        fate.out
    );
    assert!(!fate.text.contains("also deletes rows of `marks`"), "{}", fate.out);

    let choice = ["fix", "p.db", "--root", "documents", "--choose", "marks.document_id=cascade"];
    let plan = referee(folder.path(), &choice);
    assert_eq!(plan.code, 1, "{}", plan.text);
    let top = format!("After this step a delete from documents STILL FAILS, rows or none: {broken}.");
    assert!(plan.text.contains(&top) && !plan.text.contains("Newly deleted"), "{}", plan.out);
    let newly = format!("Newly refused: every delete from documents fails, rows or none: {broken}.");
    assert!(plan.text.contains(&newly), "{}", plan.out);

    let done = referee(folder.path(), &[&choice[..], &["--apply", "--yes"]].concat());
    assert_eq!(done.code, 1, "{}", done.text);
    assert!(done.text.contains("Refused now, and not before every delete from documents fails"), "{}", done.text);
    delete().unwrap_err();
}

/// A user has a profile, which blocks by itself, and whose posts need a decision; the buckets can lose their owner.
const USERS: &str = "
    CREATE TABLE users (id int PRIMARY KEY);
    CREATE TABLE profiles (id int PRIMARY KEY REFERENCES users);
    CREATE TABLE buckets (id int PRIMARY KEY, owner int REFERENCES users);
    CREATE TABLE objects (id int PRIMARY KEY, owner int REFERENCES users);
    CREATE TABLE posts (id int PRIMARY KEY, author_id int NOT NULL REFERENCES profiles);
    CREATE INDEX ON buckets (owner); CREATE INDEX ON objects (owner); CREATE INDEX ON posts (author_id);
    INSERT INTO users VALUES (1), (2); INSERT INTO profiles VALUES (1), (2); INSERT INTO posts VALUES (1, 1);
    INSERT INTO buckets VALUES (1, 1); INSERT INTO objects VALUES (1, 2);";

/// A decision takes no step away that needed none, what blocks by itself is not said to wait for another choice, and the first
/// sentence names what opens the way.
#[test]
fn a_decision_adds_steps_and_the_one_that_opens_the_way_is_named() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(&url, USERS);
    let fix = |more: &[&str]| referee(folder.path(), &[&["fix", &url, "--root", "users"], more].concat());
    let titles = |more: &[&str]| -> Vec<String> {
        let run = fix(&[more, &["--format", "json"]].concat());
        let plan: Value = serde_json::from_str(&run.out).unwrap();
        plan["steps"].as_array().unwrap().iter().map(|s| s["title"].as_str().unwrap().to_string()).collect()
    };
    let open = fix(&[]);
    let top = "a delete from users STILL FAILS: posts.author_id needs your decision, and profiles.id follows from it.";
    assert!(open.code == 1 && open.text.contains(top), "{}", open.out);
    assert!(!open.text.contains("matters only if you choose another"), "{}", open.out);
    assert!(open.text.contains("It is planned once you choose for posts.author_id"), "{}", open.out);

    let alone = titles(&[]);
    assert!(!alone.is_empty(), "{}", open.out);
    for choice in ["profiles.id=cascade", "posts.author_id=cascade", "posts.author_id=drop-not-null"] {
        let chosen = titles(&["--choose", choice]);
        let gone: Vec<&String> = alone.iter().filter(|t| !chosen.contains(t)).collect();
        assert!(gone.is_empty() && chosen.len() > alone.len(), "{choice}: {gone:?} {chosen:?}");
    }
    // What is named opens the way indeed.
    assert_eq!(fix(&["--choose", "posts.author_id=cascade", "--apply", "--yes"]).code, 0);
    server::connect(&url).batch_execute("DELETE FROM users").unwrap();
}

/// Rows of a tenant that belong to its applications and packages as well.
const TENANTS: &str = "
    CREATE TABLE tenants (id int PRIMARY KEY);
    CREATE TABLE applications (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants ON DELETE CASCADE, UNIQUE (tenant_id, id));
    CREATE TABLE packages (id int PRIMARY KEY, tenant_id int NOT NULL, app_id int NOT NULL,
        CONSTRAINT packages_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants,
        CONSTRAINT packages_app_fk FOREIGN KEY (tenant_id, app_id) REFERENCES applications (tenant_id, id) ON DELETE CASCADE);
    INSERT INTO tenants VALUES (1), (2); INSERT INTO applications VALUES (10, 1); INSERT INTO packages VALUES (100, 1, 10);";

/// The choice that lets every delete succeed comes first, and is still nobody's but the user's.
#[test]
fn choices_are_in_the_order_of_what_they_lead_to_and_none_is_taken() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(&url, TENANTS);
    let fate = referee(folder.path(), &["fate", &url, "tenants", "--format", "json"]);
    let fate: Value = serde_json::from_str(&fate.out).unwrap();
    let choices = fate["repair"]["changes"][0]["choices"].as_array().unwrap();
    let words: Vec<(&str, &str)> =
        choices.iter().map(|c| (c["word"].as_str().unwrap(), c["verdict"].as_str().unwrap())).collect();
    assert_eq!(words, [("cascade", "complete"), ("drop-not-null", "depends-on-order")]);
    for more in [&[][..], &["--manual"]] {
        let plan = referee(folder.path(), &[&["fix", &url, "--root", "tenants", "--format", "json"], more].concat());
        let plan: Value = serde_json::from_str(&plan.out).unwrap();
        assert_eq!(plan["steps"].as_array().unwrap().len(), 0, "{plan}");
    }
    // These rows go with their tenant already, by their application.
    let text = referee(folder.path(), &["fate", &url, "tenants"]);
    assert!(!text.text.contains("more rows of"), "{}", text.out);
}

/// A trigger that passes over every row keeps the rows, whatever their foreign key says.
#[test]
fn what_a_trigger_surely_keeps_is_not_said_to_go() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(
        &url,
        "CREATE TABLE parents (id int PRIMARY KEY);
         CREATE TABLE children (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parents ON DELETE CASCADE);
         CREATE TABLE toys (id int PRIMARY KEY, child_id int NOT NULL REFERENCES children ON DELETE CASCADE);
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END;';
         CREATE TRIGGER keep BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION keep();
         INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1); INSERT INTO toys VALUES (1, 1);",
    );
    let fate = referee(folder.path(), &["fate", &url, "parents"]);
    for told in [
        "succeeds (and rows of 2 tables go with it), but trigger `keep` on `children` (BEFORE DELETE) returns NULL: the row stays",
        "children.parent_id CASCADE stays: trigger keep keeps every row",
        "toys.child_id CASCADE not reached",
    ] {
        assert!(fate.text.contains(told), "{told}: {}", fate.out);
    }
    server::connect(&url).batch_execute("DELETE FROM parents").unwrap();
    let left: i64 = server::connect(&url).query_one("SELECT count(*) FROM children, toys", &[]).unwrap().get(0);
    assert_eq!(left, 1);
}

/// A delete that is refused deletes nothing.
#[test]
fn what_a_refused_delete_does_is_said_with_would() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(&url, USERS);
    let fate = referee(folder.path(), &["fate", &url, "users"]);
    assert!(fate.text.contains("What happens users would be deleted"), "{}", fate.out);
}

/// A partition is asked for by its name: its rows are those of the whole table.
#[test]
fn a_delete_from_a_partition_is_one_from_its_table() {
    let (folder, url) = (TempDir::new().unwrap(), server::fresh_database());
    server::execute(
        &url,
        "CREATE TABLE requests (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE requests_1 PARTITION OF requests FOR VALUES FROM (0) TO (10);
         CREATE TABLE requests_2 PARTITION OF requests FOR VALUES FROM (10) TO (20);
         CREATE TABLE tasks (id int PRIMARY KEY, request_id int NOT NULL REFERENCES requests ON DELETE CASCADE);
         INSERT INTO requests VALUES (1), (11); INSERT INTO tasks VALUES (1, 1), (2, 11);",
    );
    let fate = |table: &str| referee(folder.path(), &["fate", &url, table]);
    let told = fate("requests_1");
    assert!(told.code == 0 && told.text.contains("tasks.request_id CASCADE deleted"), "{}", told.text);
    assert!(
        told.text.contains("`requests_1` is a partition of `requests`: its rows are rows of `requests`"),
        "{}",
        told.out
    );
    let client = &mut server::connect(&url);
    client.batch_execute("DELETE FROM requests_1").unwrap();
    let left: i64 = client.query_one("SELECT sum(id) FROM tasks", &[]).unwrap().get(0);
    assert_eq!(left, 2);

    // What refers to another partition alone is no matter of this one.
    client.batch_execute("CREATE TABLE notes (id int PRIMARY KEY, request_id int REFERENCES requests_2)").unwrap();
    let told = fate("requests_1");
    assert!(told.code == 2 && told.text.contains("name the whole table: requests"), "{}", told.text);
    assert_eq!(fate("requests_2").code, 0);
    let fix = referee(folder.path(), &["fix", &url, "--root", "requests_1"]);
    assert!(fix.code == 2 && fix.text.contains("name the whole table: requests"), "{}", fix.text);
}
