//! Inference with rows, on databases of both engines.

use std::time::{Duration, Instant};

use referee::engine::{Session, SessionOptions, sqlite};
use referee::relations::Relation;
use referee::relations::infer::{Class, Inference, Model, ReadOptions, Survey};
use referee::schema::{Action, Schema};
use referee::source::Source;
use rusqlite::Connection;

use crate::support::postgres as server;

const SHOP: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, referred_by INTEGER);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, status TEXT);
    CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, quantity INTEGER);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, notable_type TEXT, notable_id INTEGER, body TEXT);
    CREATE TABLE empty_one (id INTEGER PRIMARY KEY, customer_id INTEGER);";

/// Rows in the words of both engines.
fn rows(series: &dyn Fn(u32) -> String) -> String {
    format!(
        "INSERT INTO customers SELECT i * 7 + 3, 'c', CASE WHEN i > 1 THEN 10 END FROM {};
         INSERT INTO orders SELECT i + 100, (i % 50 + 1) * 7 + 3, 'new' FROM {};
         INSERT INTO orders VALUES (9001, 4, 'lost'), (9002, 5, 'lost');
         INSERT INTO order_lines SELECT i, i % 300 + 101, i % 5 FROM {};
         INSERT INTO notes SELECT i, CASE WHEN i % 2 = 0 THEN 'Order' ELSE 'App\\Models\\Customer' END,
            CASE WHEN i % 2 = 0 THEN 101 + i ELSE 10 END, 'x' FROM {};
         INSERT INTO notes VALUES (1001, 'Invoice', 1, 'x'), (1002, 'Order', 77777, 'x');",
        series(60),
        series(300),
        series(900),
        series(40)
    )
}

fn infer(session: &mut dyn Session, schema: &Schema, options: &ReadOptions) -> Inference {
    let known: Vec<Relation> = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k)).collect();
    let mut survey = Survey::of(schema, &known, &[]);
    survey.read(session, options);
    survey.report(Model::published(), 0.5, true)
}

fn in_sqlite(sql: &str) -> Inference {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let mut session = sqlite::open(&path, &SessionOptions::default()).unwrap();
    let schema = session.inspect().unwrap();
    infer(session.as_mut(), &schema, &ReadOptions::default())
}

/// One line a relation: sides, class, orphans.
fn lines(found: &Inference) -> Vec<String> {
    let line = |p: &referee::relations::infer::Proposal| {
        let (child, parent) = (p.columns.join(","), p.parent_columns.join(","));
        let orphans = p.counts.map_or("unknown".to_string(), |c| c.orphans.to_string());
        format!("{}.{child} -> {}.{parent} {} {orphans}", p.child, p.parent, p.class.as_str())
    };
    found.proposals.iter().map(|a| line(&a.proposal)).collect()
}

fn check_shop(found: &Inference) {
    assert_eq!(
        lines(found),
        [
            "customers.referred_by -> customers.id verified by data 0",
            "empty_one.customer_id -> customers.id names only unknown",
            "order_lines.order_id -> orders.id verified by data 0",
            "orders.customer_id -> customers.id verified by data 2",
        ]
    );
    let pair = &found.polymorphic[0];
    let targets: Vec<String> = pair
        .targets
        .iter()
        .map(|t| {
            let parent = t.parent.as_ref().map_or("none".to_string(), |(table, key)| format!("{table}.{key}"));
            format!("{} {parent} {} {}", t.kind, t.rows, t.orphans)
        })
        .collect();
    assert_eq!(targets, ["App\\Models\\Customer customers.id 20 0", "Invoice none 1 0", "Order orders.id 21 1"]);
    let read = found.rows.as_ref().unwrap();
    assert!(!read.out_of_time && read.failures.is_empty(), "{read:?}");
}

#[test]
fn rows_verify_count_orphans_and_map_kinds_in_sqlite() {
    let series = |n: u32| {
        format!("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n}) SELECT i FROM s)")
    };
    check_shop(&in_sqlite(&format!("{SHOP}{}", rows(&series))));
}

#[test]
fn rows_verify_count_orphans_and_map_kinds_in_postgres() {
    let url = server::fresh_database();
    let series = |n: u32| format!("generate_series(1, {n}) AS s(i)");
    server::execute(&url, &format!("{SHOP}{}", rows(&series)));
    let mut input = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap();
    let session = input.session.as_mut().unwrap();
    check_shop(&infer(session.as_mut(), &input.schema, &ReadOptions::default()));
    // The same by samples and look-ups, as tables are read that are too large to be read whole.
    let small = ReadOptions { whole: 10, sample: 50, ..ReadOptions::default() };
    check_shop(&infer(session.as_mut(), &input.schema, &small));
}

#[test]
fn rows_that_refer_to_nothing_contradict_a_name() {
    let found = in_sqlite(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER);
         WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 200) INSERT INTO users SELECT i FROM s;
         INSERT INTO posts SELECT id, id + 100000 FROM users;",
    );
    assert!(found.proposals.iter().all(|a| a.proposal.class == Class::Contradicted), "{:?}", lines(&found));
}

#[test]
fn meaningless_names_are_told_by_rows() {
    let found = in_sqlite(
        "CREATE TABLE qxa (kzp TEXT PRIMARY KEY, wmm TEXT);
         CREATE TABLE vbn (jjh INTEGER PRIMARY KEY, tyu TEXT NOT NULL, ghk INTEGER);
         WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 400)
           INSERT INTO qxa SELECT hex(i * 7919 % 1000003), 'text' FROM s;
         WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1500)
           INSERT INTO vbn SELECT i, hex((i * 31 % 400 + 1) * 7919 % 1000003), i % 3 FROM s;",
    );
    assert_eq!(lines(&found), ["vbn.tyu -> qxa.kzp verified by data 0"]);
}

#[test]
fn budget_bounds_the_reading() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE users (id INTEGER PRIMARY KEY);
             CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER);
             WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 100000)
               INSERT INTO posts SELECT i, i FROM s;
             INSERT INTO users SELECT id FROM posts;",
        )
        .unwrap();
    let mut session = sqlite::open(&path, &SessionOptions::default()).unwrap();
    let schema = session.inspect().unwrap();
    let start = Instant::now();
    let none = ReadOptions { budget: Some(Duration::ZERO), ..ReadOptions::default() };
    let found = infer(session.as_mut(), &schema, &none);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(lines(&found), ["posts.user_id -> users.id names only unknown"]);
    assert!(found.rows.unwrap().out_of_time);
}

#[test]
fn tables_without_use_give_no_nonsense() {
    let found = in_sqlite(
        "CREATE TABLE blank (id_ INTEGER, ID2 INTEGER, _id INTEGER);
         CREATE TABLE one (id INTEGER PRIMARY KEY, other_id INTEGER);
         INSERT INTO one VALUES (1, 1);
         CREATE TABLE \"Größe\" (\"größe_id\" INTEGER PRIMARY KEY, \"名前\" TEXT);
         INSERT INTO \"Größe\" VALUES (1, 'a'), (2, 'b');
         CREATE TABLE nulls (id INTEGER PRIMARY KEY, one_id INTEGER);
         INSERT INTO nulls VALUES (1, NULL), (2, NULL);
         CREATE VIEW seen AS SELECT * FROM one;",
    );
    assert_eq!(lines(&found), ["nulls.one_id -> one.id names only unknown"]);
    assert_eq!(found.proposals[0].action.action, Action::SetNull);
}
