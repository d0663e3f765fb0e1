//! Inference with rows, on databases of both engines.

use std::time::{Duration, Instant};

use referee::engine::{Reader, SessionOptions, sqlite};
use referee::infer::{Class, Inference, Model, ReadOptions, Survey};
use referee::relations::Relation;
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

fn infer(session: &mut dyn Reader, schema: &Schema, options: &ReadOptions) -> Inference {
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
    let line = |p: &referee::infer::Proposal| {
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

const SERIES: &str = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 300)";

#[test]
fn parent_with_two_keys_is_referred_to_by_the_one_that_holds_the_values() {
    let found = in_sqlite(&format!(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT);
         CREATE TABLE posts (ID INTEGER PRIMARY KEY, user_id INTEGER, user_uuid TEXT);
         CREATE TABLE likes (_id INTEGER PRIMARY KEY, user_id INTEGER);
         {SERIES} INSERT INTO users SELECT i, 'u-' || (i * 7919 % 1000003), 'n' FROM s;
         {SERIES} INSERT INTO posts SELECT i, i * 31 % 300 + 1, 'u-' || ((i * 31 % 300 + 1) * 7919 % 1000003) FROM s;
         INSERT INTO likes SELECT ID, user_id FROM posts;"
    ));
    assert_eq!(
        lines(&found),
        [
            "likes.user_id -> users.id verified by data 0",
            "posts.user_id -> users.id verified by data 0",
            "posts.user_uuid -> users.uuid verified by data 0",
        ]
    );
}

#[test]
fn ten_thousand_columns_with_rows_are_read_in_time() {
    let mut sql = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);".to_string();
    for t in 0..10 {
        let columns: Vec<String> = (0..999).map(|c| format!("c{c}x INTEGER")).collect();
        sql += &format!("CREATE TABLE wide{t}x (user_id INTEGER, {});", columns.join(", "));
        sql += &format!("INSERT INTO wide{t}x (user_id, c1x) VALUES (1, 5), (2, 6), (2, 7);");
    }
    sql += "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c');";
    let start = Instant::now();
    let found = in_sqlite(&sql);
    // Unoptimised, on a machine that does other things too.
    assert!(start.elapsed() < Duration::from_secs(300), "{:?}", start.elapsed());
    let of_users = lines(&found).iter().filter(|l| l.contains(".user_id -> users.id verified by data 0")).count();
    assert_eq!((of_users, found.proposals.len()), (10, 10), "{:?}", lines(&found));
}

#[test]
fn empty_partitions_refer_to_what_the_filled_one_does() {
    let columns = "wqx INTEGER NOT NULL, kzp INTEGER NOT NULL, rrt NUMERIC, ooo TEXT, plm TEXT";
    let found = in_sqlite(&format!(
        "CREATE TABLE bvc (mnb INTEGER PRIMARY KEY, lkj TEXT);
         CREATE TABLE fgh ({columns}, PRIMARY KEY (wqx));
         CREATE TABLE tyu ({columns});
         {SERIES} INSERT INTO bvc SELECT i * 7919 % 1000003, 'x' FROM s;
         {SERIES} INSERT INTO fgh SELECT i, (i / 3 + 1) * 7919 % 1000003, i % 7 / 3.0, 'y', 'z' FROM s;"
    ));
    assert_eq!(lines(&found), ["fgh.kzp -> bvc.mnb verified by data 0", "tyu.kzp -> bvc.mnb names only unknown"]);
}

#[test]
fn every_type_of_postgres_can_be_read() {
    let url = server::fresh_database();
    server::execute(
        &url,
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN code AS varchar(9); CREATE DOMAIN raw AS bytea;
         CREATE TABLE things (id uuid PRIMARY KEY, code code UNIQUE, tag name, raw raw, body bytea, at timestamptz, m mood,
            doc jsonb, list text[], ip inet, big numeric(40, 3), small int2, f float8, b boolean, ch character(12), x xml);
         INSERT INTO things (id, code, tag, raw, body, list, ip, ch)
            VALUES (gen_random_uuid(), 'c', 't', 'r', 'b', '{a}', '::1', 'ch');
         CREATE TABLE uses (id bigint PRIMARY KEY, thing_id uuid, long text);
         INSERT INTO uses SELECT i, t.id, repeat('x', 100000) FROM things t, generate_series(1, 40) AS s(i);
         CREATE VIEW seen AS SELECT * FROM uses;",
    );
    let mut input = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap();
    let session = input.session.as_mut().unwrap();
    for options in [ReadOptions::default(), ReadOptions { whole: 0, sample: 10, ..ReadOptions::default() }] {
        let found = infer(session.as_mut(), &input.schema, &options);
        assert_eq!(lines(&found), ["uses.thing_id -> things.id verified by data 0"]);
        assert_eq!(found.rows.unwrap().failures, [""; 0]);
    }
}

mod odd {
    //! Whatever the rows, nothing panics and what is said of them is so.

    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn rows_give_no_nonsense(
            tables in prop::collection::vec(
                (0_usize..6, prop::collection::vec(prop::array::uniform4(prop::option::of(0_i8..5)), 0..9)), 1..6,
            )
        ) {
            let names = ["users", "user", "größe", "x", "user_history", "posts"];
            let columns = ["id_", "user_id", "_id", "parent_id", "größe_id", "posts_id", "ID", "x"];
            let mut sql = String::new();
            let mut made: Vec<&str> = Vec::new();
            for (i, (name, rows)) in tables.iter().enumerate() {
                if made.contains(&names[*name]) {
                    continue;
                }
                let of: [&str; 4] = std::array::from_fn(|c| columns[(i + name + 2 * c) % columns.len()]);
                let listed: Vec<String> = of.iter().map(|c| format!("\"{c}\" INTEGER")).collect();
                let (first, key) = if i % 2 == 1 || of.contains(&"ID") {
                    ("", String::new())
                } else {
                    ("id INTEGER PRIMARY KEY, ", format!(", UNIQUE (\"{}\")", of[0]))
                };
                let _ = writeln!(sql, "CREATE TABLE \"{}\" ({first}{}{key});", names[*name], listed.join(", "));
                let named: Vec<String> = of.iter().map(|c| format!("\"{c}\"")).collect();
                for row in rows {
                    let values: Vec<String> =
                        row.iter().map(|v| v.map_or("NULL".to_string(), |v| v.to_string())).collect();
                    let _ = writeln!(
                        sql,
                        "INSERT OR IGNORE INTO \"{}\" ({}) VALUES ({});",
                        names[*name], named.join(", "), values.join(", ")
                    );
                }
                made.push(names[*name]);
            }
            let folder = tempfile::TempDir::new().unwrap();
            let path = folder.path().join("a.db");
            let direct = Connection::open(&path).unwrap();
            direct.execute_batch(&sql).unwrap();
            let mut session = sqlite::open(&path, &SessionOptions::default()).unwrap();
            let schema = session.inspect().unwrap();
            let mut survey = Survey::of(&schema, &[], &[]);
            survey.read(session.as_mut(), &ReadOptions::default());
            prop_assert!(survey.rows.failures.is_empty(), "{:?}", survey.rows.failures);
            for advised in survey.report(Model::published(), 0.0, true).proposals {
                let p = advised.proposal;
                prop_assert!((0.0..=1.0).contains(&p.confidence));
                let Some(counts) = p.counts.filter(|c| c.exact && p.columns.len() == 1) else { continue };
                let (child, parent, column, key) = (&p.child, &p.parent, &p.columns[0], &p.parent_columns[0]);
                let sql = format!(
                    "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS
                        (SELECT 1 FROM \"{parent}\" AS p WHERE p.\"{key}\" = c.\"{column}\"))
                     FROM \"{child}\" AS c WHERE c.\"{column}\" IS NOT NULL"
                );
                let (rows, orphans): (u32, u32) = direct.query_row(&sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
                prop_assert_eq!((counts.rows, counts.orphans), (rows.into(), orphans.into()), "{}", sql);
            }
        }
    }
}
