//! What a delete reaches and what blocks it, as it is printed: the rows, the choices, the commands.

use rusqlite::Connection;

use super::support::Sandbox;

const SHOP: &str = "
CREATE TABLE users (id INTEGER PRIMARY KEY);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id));
CREATE TABLE addresses (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id));
CREATE TABLE sessions (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE);
INSERT INTO users VALUES (5), (6), (7);
INSERT INTO orders VALUES (1, 5), (2, 5), (3, 5), (4, 5), (5, 6);
INSERT INTO addresses VALUES (1, 5), (2, 7);
INSERT INTO sessions VALUES (1, 6);
";

/// A run deletes nothing today; the project's pointer to its latest run is nullable.
const RUNS: &str = "
CREATE TABLE users (id INTEGER PRIMARY KEY);
CREATE TABLE projects (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, latest_run_id INTEGER);
CREATE TABLE runs (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE);
";

const ACCEPTED: &str = "
[[relation]]
child = \"projects.owner_id\"
parent = \"users.id\"
accepted = 0.9
[[relation]]
child = \"projects.latest_run_id\"
parent = \"runs.id\"
";

fn sandbox(sql: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    Connection::open(sandbox.path("shop.db"))
        .unwrap()
        .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
        .unwrap();
    sandbox
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn rows_that_block_a_delete_are_counted_and_named() {
    let sandbox = sandbox(SHOP);
    let fate = |condition: &str, more: &[&str]| {
        let run = sandbox.run(&[&["fate", "shop.db", "users", "--where", condition], more].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        run.out
    };
    let five = fate("id = 5", &["--count"]);
    assert!(five.contains("  Blocked by: 1 addresses, 4 orders\n"), "{five}");
    assert!(five.contains("  sessions   0 deleted\n"), "{five}");
    let six = fate("id = 6", &["--count"]);
    assert!(six.contains("  Blocked by: 0 addresses, 1 orders\n"), "{six}");
    let none = fate("id = 99", &["--count"]);
    assert!(none.contains("  Blocked by: no row (0 addresses, 0 orders)\n"), "{none}");
    let uncounted = fate("id = 5", &[]);
    assert!(uncounted.contains("Rows that block: not counted (addresses, orders)"), "{uncounted}");
    assert!(uncounted.contains("  sessions   not counted"), "{uncounted}");
    let markdown = fate("id = 5", &["--count", "--format", "markdown"]);
    assert!(markdown.contains("Blocked by: 1 addresses, 4 orders."), "{markdown}");
    assert!(markdown.contains("| `orders` | – | – | – | 4 |"), "{markdown}");
    let json = fate("id = 5", &["--count", "--format", "json"]);
    assert!(words(&json).contains("\"relation\": \"orders.user_id\", \"rows\": 4, \"exact\": true"), "{json}");
}

#[test]
fn the_rows_that_block_are_what_the_engine_says() {
    let sandbox = sandbox(SHOP);
    let connection = Connection::open(sandbox.path("shop.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    assert!(connection.execute("DELETE FROM users WHERE id = 5", []).is_err());
    // Without just these rows it goes through.
    connection.execute_batch("DELETE FROM orders WHERE user_id = 5; DELETE FROM addresses WHERE user_id = 5").unwrap();
    let run = sandbox.run(&["fate", "shop.db", "users", "--where", "id = 5", "--count"]);
    assert!(run.out.contains("Blocked by: no row"), "{}", run.out);
    connection.execute("DELETE FROM users WHERE id = 5", []).unwrap();
}

#[test]
fn what_is_proposed_is_no_promise_and_what_you_decide_is_no_advice() {
    let sandbox = sandbox(SHOP);
    let run = sandbox.run(&["fate", "shop.db", "users"]);
    let said = words(&run.out);
    assert!(said.contains("deletes stay blocked by orders until you decide"), "{}", run.out);
    assert!(said.contains("orders.user_id NO ACTION → you decide"), "{}", run.out);
    assert!(!said.contains("then the verdict is refused"), "{}", run.out);
    // Every command can be pasted.
    assert!(said.contains("referee fix shop.db --root=users --choose orders.user_id=cascade"), "{}", run.out);
    assert!(!run.out.contains("SOURCE"), "{}", run.out);
    let fix = sandbox.run(&["fix", "shop.db", "--root=users", "--choose", "orders.user_id=cascade"]);
    assert_eq!(fix.code, 0, "{}", fix.err);
    assert!(!sandbox.run(&["fate", "shop.db"]).out.contains("SOURCE"));
}

#[test]
fn what_a_choice_newly_deletes_stands_beside_it_also_where_nothing_is_declared() {
    let sandbox = sandbox(RUNS);
    sandbox.write("referee.toml", ACCEPTED);
    let plain = words(&sandbox.run(&["fix", "shop.db"]).out);
    let root = words(&sandbox.run(&["fix", "shop.db", "--root", "users"]).out);
    let beside = "; a delete from `users` also deletes rows of `projects` and `runs`";
    for said in [&plain, &root] {
        let (_, choices) = said.split_once("Choices").unwrap();
        assert!(choices.contains(&format!("{beside} (recommended)")), "{said}");
        assert!(choices.contains("; a delete from `runs` also deletes rows of `projects`"), "{said}");
        // No way to cascade stands there without what it takes along.
        for (at, _) in choices.match_indices("ON DELETE CASCADE") {
            let rest: String = choices.get(at..).unwrap_or_default().chars().take(120).collect();
            assert!(rest.contains("; a delete from "), "{rest}: {said}");
        }
    }
}

#[test]
fn what_waits_for_another_decision_names_it() {
    let sandbox = sandbox(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id));
         CREATE TABLE invoices (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id));
         CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id));",
    );
    let json = sandbox.run(&["fix", "shop.db", "--root", "users", "--format", "json"]).out;
    assert!(json.contains("It matters only if you choose orders.user_id=cascade."), "{json}");
    assert!(!json.contains("comes within reach"), "{json}");
}

#[test]
fn orphans_are_told_by_what_is_missing_and_a_guess_gets_no_delete() {
    let sandbox = sandbox(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id));
         CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id) ON DELETE CASCADE);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
           INSERT INTO users SELECT i FROM n;
         INSERT INTO orders VALUES (1, 901), (2, 902);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
           INSERT INTO posts SELECT i, i FROM n;",
    );
    let run = sandbox.run(&["audit", "shop.db", "--data"]);
    let said = words(&run.out);
    assert!(said.contains("2 rows of orders; missing users.id values: 901, 902"), "{}", run.out);
    assert!(said.contains("make no backup") && said.contains("those by order_items.order_id go along"), "{}", run.out);
    assert!(said.contains("`referee fix shop.db --orphans orders.user_id=delete`"), "{}", run.out);
    assert!(!said.contains("SOURCE"), "{}", run.out);
    assert!(!said.contains("DELETE FROM posts"), "{}", run.out);
    assert!(said.contains("referee infer shop.db --accept 'posts.user_id->users.id'"), "{}", run.out);

    // 20 of 120 do not match: by name only.
    let infer = sandbox.run(&["infer", "shop.db"]);
    assert!(words(&infer.out).contains("17% do not match: weak evidence"), "{}", infer.out);
    assert!(!infer.out.contains("verified by data"), "{}", infer.out);
    for how in ["--accept-above=0.5", "--write-config"] {
        let run = sandbox.run(&["infer", "shop.db", how]);
        assert!(run.err.contains("not accepted: posts.user_id->users.id"), "{how}: {}", run.err);
        assert!(!sandbox.path("referee.toml").exists(), "{how}");
    }
    let fix = sandbox.run(&["fix", "shop.db", "--accept-inferred=0.5"]);
    assert!(!words(&fix.out).contains("Add the foreign key posts.user_id"), "{}", fix.out);
    let named = sandbox.run(&["infer", "shop.db", "--accept", "posts.user_id"]);
    assert!(named.code == 0 && words(&named.err).contains("17% of its rows do not match"), "{}", named.err);
    assert!(sandbox.read("referee.toml").contains("posts.user_id"));
}
