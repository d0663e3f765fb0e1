//! No lock surprise: while the steps run, writers and readers of the child and the parent wait no longer than was agreed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use referee::change::Change;
use referee::plan::{Options, Script};
use referee::schema::{Action, ForeignKey, Index, Schema};

use crate::support::plan::{self, down, inspect, wanted};
use crate::support::postgres as server;

/// What was agreed.
const LONGEST: Duration = Duration::from_millis(800);
/// What a busy machine adds to a statement that waits for nothing.
const SLACK: Duration = Duration::from_millis(700);

const TABLES: &str = "
    CREATE TABLE p (id int PRIMARY KEY, code int NOT NULL, n int DEFAULT 0);
    INSERT INTO p SELECT n, n FROM generate_series(1, 1000) n;
    CREATE TABLE c (id bigserial PRIMARY KEY, p_id int NOT NULL, other int DEFAULT 1);
    INSERT INTO c (p_id) SELECT n % 1000 + 1 FROM generate_series(1, 200000) n;
    CREATE TABLE part (id bigserial, day int NOT NULL, p_id int) PARTITION BY LIST (day);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
    INSERT INTO part (day, p_id) SELECT n % 2 + 1, n % 1000 + 1 FROM generate_series(1, 50000) n;";

/// Runs transactions that stay open for a while, one after the other; returns the longest that a statement took.
fn traffic(url: &str, stop: &AtomicBool, statements: &[&str], open: Duration, between: Duration) -> Duration {
    let mut client = server::connect(url);
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        client.batch_execute("BEGIN").unwrap();
        for sql in statements {
            let start = Instant::now();
            client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {}", server::explain(&e)));
            longest = longest.max(start.elapsed());
        }
        thread::sleep(open);
        client.batch_execute("COMMIT").unwrap();
        thread::sleep(between);
    }
    longest
}

/// Runs work while two writers and a reader hold the tables; returns the longest wait of each.
fn beside_traffic(url: &str, work: impl FnOnce()) -> [Duration; 3] {
    let stop = AtomicBool::new(false);
    let millis = Duration::from_millis;
    thread::scope(|scope| {
        let writer = |statements: &'static [&'static str], open| {
            let stop = &stop;
            scope.spawn(move || traffic(url, stop, statements, millis(open), millis(60)))
        };
        // In both orders: a child with its parent, a parent with its children.
        let first = writer(
            &[
                "UPDATE p SET n = n + 1 WHERE id = 1",
                "INSERT INTO c (p_id) VALUES (1)",
                "INSERT INTO part (day, p_id) VALUES (1, 1)",
            ],
            150,
        );
        let second = writer(
            &[
                "INSERT INTO part (day, p_id) VALUES (2, 2)",
                "INSERT INTO c (p_id) VALUES (2)",
                "UPDATE p SET n = n + 1 WHERE id = 2",
            ],
            150,
        );
        // Open for longer than a step may wait: some tries fail.
        let reader = writer(
            &["SELECT count(*) FROM c WHERE id < 100", "SELECT count(*) FROM p", "SELECT count(*) FROM part"],
            1000,
        );
        thread::sleep(millis(200));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let waits = [first, second, reader].map(|t| t.join().unwrap());
        if let Err(cause) = done {
            std::panic::resume_unwind(cause);
        }
        waits
    })
}

fn key(schema: &Schema, table: &str) -> ForeignKey {
    schema.table(&table.into()).unwrap().foreign_keys[0].clone()
}

#[test]
fn nobody_waits_longer_than_agreed() {
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(&url, TABLES);
        let to_p = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["p_id"], "p".into(), ["id"]) };
        let mut unique = Index::on("p_code_key", ["code"]);
        unique.unique = true;
        let mut most = [Duration::ZERO; 3];
        let mut tries = 0;
        let mut run = |changes: Vec<Change>| {
            let before = inspect(&url);
            let made = plan::plan(&before, &[wanted(changes)], &Options::default());
            assert!(made.refused.is_empty(), "{:?}", made.refused);
            let waits = beside_traffic(&url, || {
                let mut client = server::connect(&url);
                for step in &made.steps {
                    tries += plan::run_up(&mut client, step, LONGEST) - 1;
                }
                for step in made.steps.iter().rev() {
                    plan::run(&mut client, down(step).0, step.undo_lock_timeout(LONGEST)).unwrap();
                }
                for step in &made.steps {
                    tries += plan::run_up(&mut client, step, LONGEST) - 1;
                }
            });
            for (most, wait) in most.iter_mut().zip(waits) {
                *most = (*most).max(wait);
            }
            let titles: Vec<&str> = made.steps.iter().map(|s| s.title.as_str()).collect();
            assert!(
                waits.iter().all(|w| *w <= LONGEST + SLACK),
                "PostgreSQL {}: {waits:?} at {titles:?}",
                server.major
            );
        };
        run(vec![Change::AddIndex { table: "c".into(), index: Index::on("c_p_idx", ["p_id"]) }]);
        run(vec![Change::AddIndex { table: "p".into(), index: unique }]);
        run(vec![Change::AddForeignKey { table: "c".into(), foreign_key: to_p.clone() }]);
        let old = key(&inspect(&url), "c");
        let new = ForeignKey { on_delete: Action::SetNull, ..old.clone() };
        run(vec![Change::ReplaceForeignKey { table: "c".into(), old, new }]);
        run(vec![Change::DropForeignKey { table: "c".into(), foreign_key: key(&inspect(&url), "c") }]);
        run(vec![Change::SetDefault { table: "c".into(), column: "other".into(), default: None }]);
        run(vec![Change::AddForeignKey { table: "part".into(), foreign_key: to_p.clone() }]);
        run(vec![Change::AddIndex { table: "part".into(), index: Index::on("part_p_idx", ["p_id"]) }]);
        println!(
            "PostgreSQL {}: writers {:?} and {:?}, reader {:?}, {tries} tries more",
            server.major, most[0], most[1], most[2]
        );
        assert!(tries > 0, "the reader was never in the way: this test shows nothing");
    }
}

/// The test above can fail: without a limit, everybody waits behind the step until the reader is done.
#[test]
fn without_a_limit_everybody_waits() {
    let url = server::fresh_database();
    server::execute(&url, TABLES);
    let made = plan::plan(
        &inspect(&url),
        &[wanted(vec![Change::SetDefault { table: "c".into(), column: "other".into(), default: None }])],
        &Options::default(),
    );
    let hold = LONGEST + SLACK + Duration::from_millis(500);
    let mut reader = server::connect(&url);
    reader.batch_execute("BEGIN; SELECT count(*) FROM c").unwrap();
    let wait = thread::scope(|scope| {
        let script: &Script = &made.steps[0].up;
        let url = &url;
        let step = scope.spawn(move || plan::run(&mut server::connect(url), script, None).unwrap());
        thread::sleep(Duration::from_millis(300));
        let writer = scope.spawn(move || {
            let start = Instant::now();
            server::execute(url, "INSERT INTO c (p_id) VALUES (1)");
            start.elapsed()
        });
        thread::sleep(hold);
        reader.batch_execute("COMMIT").unwrap();
        step.join().unwrap();
        writer.join().unwrap()
    });
    assert!(wait > LONGEST + SLACK - Duration::from_millis(100), "{wait:?}");
}
