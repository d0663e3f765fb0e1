//! No lock surprise: while the steps run, nobody waits behind one that waits itself for a reader.
//!
//! No clock decides: a reader ends its transaction only when the writers have gone on meanwhile. A step that made them wait until it
//! has its lock would wait for the reader, the writers for the step, the reader for the writers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use referee::change::Change;
use referee::plan::{Options, OrphanPolicy, Script};
use referee::schema::{Action, ForeignKey, Index, Schema};

use super::rows::{of_one, prepared};
use crate::support::plan::{self, down, inspect, wanted};
use crate::support::postgres as server;

/// How long a step may wait for its lock.
const LONGEST: Duration = Duration::from_millis(300);
/// How long who reads or writes waits before the next transaction.
const PAUSE: Duration = Duration::from_millis(200);
/// Nothing here takes so long: somebody waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

const TABLES: &str = "
    CREATE TABLE p (id int PRIMARY KEY, code int NOT NULL, n int DEFAULT 0);
    INSERT INTO p SELECT n, n FROM generate_series(1, 1000) n;
    CREATE TABLE c (id bigserial PRIMARY KEY, p_id int NOT NULL, other int DEFAULT 1);
    INSERT INTO c (p_id) SELECT n % 1000 + 1 FROM generate_series(1, 200000) n;
    CREATE TABLE part (id bigserial, day int NOT NULL, p_id int) PARTITION BY LIST (day);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
    INSERT INTO part (day, p_id) SELECT n % 2 + 1, n % 1000 + 1 FROM generate_series(1, 50000) n;";

/// Waits until something is so.
fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + FOR_EVER;
    while !so() {
        assert!(Instant::now() < limit, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What runs beside the steps.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    /// How many statements of the two writers have ended.
    written: [AtomicU64; 2],
    /// How many the reader has.
    read: AtomicU64,
}

impl Traffic {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn written(&self) -> [u64; 2] {
        [0, 1].map(|i| self.written[i].load(Ordering::SeqCst))
    }

    /// Runs transactions that stay open for a while, one after the other.
    fn write(&self, number: usize, url: &str, statements: &[&str]) {
        let mut client = server::connect(url);
        while !self.stopped() {
            client.batch_execute("BEGIN").unwrap();
            for sql in statements {
                client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {}", server::explain(&e)));
                self.written[number].fetch_add(1, Ordering::SeqCst);
            }
            thread::sleep(Duration::from_millis(50));
            client.batch_execute("COMMIT").unwrap();
            // A step that needs locks of several tables at once gets them only while nobody has any of them.
            thread::sleep(PAUSE);
        }
    }

    /// Reads, and ends each transaction only when both writers have begun and ended a statement meanwhile.
    fn read(&self, url: &str) {
        let mut client = server::connect(url);
        while !self.stopped() {
            client
                .batch_execute(
                    "BEGIN; SELECT count(*) FROM c WHERE id < 100; SELECT count(*) FROM p; SELECT count(*) FROM part",
                )
                .unwrap();
            let before = self.written();
            // Longer than a step may wait: some tries fail.
            thread::sleep(LONGEST + LONGEST / 4);
            wait_until("a step makes the writers wait until it has its own lock", || {
                // The first may have had its lock before the reader came.
                self.stopped() || self.written().iter().zip(before).all(|(now, before)| *now >= before + 2)
            });
            client.batch_execute("COMMIT").unwrap();
            self.read.fetch_add(1, Ordering::SeqCst);
            thread::sleep(PAUSE);
        }
    }
}

/// Runs work while two writers and a reader hold the tables.
fn beside_traffic(url: &str, work: impl FnOnce()) {
    let traffic = Traffic::default();
    thread::scope(|scope| {
        let traffic = &traffic;
        // In both orders: a child with its parent, a parent with its children.
        let first = [
            "UPDATE p SET n = n + 1 WHERE id = 1",
            "INSERT INTO c (p_id) VALUES (1)",
            "INSERT INTO part (day, p_id) VALUES (1, 1)",
        ];
        let second = [
            "INSERT INTO part (day, p_id) VALUES (2, 2)",
            "INSERT INTO c (p_id) VALUES (2)",
            "UPDATE p SET n = n + 1 WHERE id = 2",
        ];
        let threads = [
            scope.spawn(move || traffic.write(0, url, &first)),
            scope.spawn(move || traffic.write(1, url, &second)),
            scope.spawn(move || traffic.read(url)),
        ];
        wait_until("the traffic does not flow", || traffic.written().iter().all(|n| *n > 0));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        if done.is_ok() {
            let before = (traffic.written(), traffic.read.load(Ordering::SeqCst));
            wait_until("the traffic does not go on after the steps", || {
                traffic.written().iter().zip(before.0).all(|(now, before)| *now > before)
                    && traffic.read.load(Ordering::SeqCst) > before.1
            });
        }
        traffic.stop.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        if let Err(cause) = done {
            std::panic::resume_unwind(cause);
        }
    });
}

fn key(schema: &Schema, table: &str) -> ForeignKey {
    schema.table(&table.into()).unwrap().foreign_keys[0].clone()
}

#[test]
fn nobody_waits_for_a_step_that_waits() {
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(&url, TABLES);
        let to_p = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["p_id"], "p".into(), ["id"]) };
        let mut unique = Index::on("p_code_key", ["code"]);
        unique.unique = true;
        let mut tries = 0;
        let mut run = |changes: Vec<Change>| {
            let before = inspect(&url);
            let made = plan::plan(&before, &[wanted(changes)], &Options::default());
            assert!(made.refused.is_empty(), "{:?}", made.refused);
            beside_traffic(&url, || {
                let mut client = server::connect(&url);
                for step in &made.steps {
                    tries += plan::run_up(&mut client, step, LONGEST) - 1;
                }
                for step in made.steps.iter().rev() {
                    plan::run(&mut client, down(step).0, step.undo_lock_timeout(LONGEST))
                        .unwrap_or_else(|e| panic!("{} undone: {}", step.title, server::explain(&e)));
                }
                for step in &made.steps {
                    tries += plan::run_up(&mut client, step, LONGEST) - 1;
                }
            });
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
        println!("PostgreSQL {}: {tries} tries more", server.major);
        assert!(tries > 0, "the reader was never in the way: this test shows nothing");
    }
}

/// The test above can fail: without a limit, a writer waits behind the step until the reader is done.
#[test]
fn without_a_limit_everybody_waits() {
    let url = server::fresh_database();
    server::execute(&url, TABLES);
    let made = plan::plan(
        &inspect(&url),
        &[wanted(vec![Change::SetDefault { table: "c".into(), column: "other".into(), default: None }])],
        &Options::default(),
    );
    let mut reader = server::connect(&url);
    reader.batch_execute("BEGIN; SELECT count(*) FROM c").unwrap();
    let waits_behind = |blocker: i32| {
        format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {blocker} = ANY (pg_blocking_pids(pid))"
        )
    };
    let reading: i32 = reader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    thread::scope(|scope| {
        let script: &Script = &made.steps[0].up;
        let url = &url;
        let step = scope.spawn(move || plan::run(&mut server::connect(url), script, None).unwrap());
        let stepping = server::wait_for(url, &waits_behind(reading));
        let writer = scope.spawn(move || server::execute(url, "INSERT INTO c (p_id) VALUES (1)"));
        server::wait_for(url, &waits_behind(stepping));
        assert!(!step.is_finished() && !writer.is_finished());
        reader.batch_execute("COMMIT").unwrap();
        step.join().unwrap();
        writer.join().unwrap();
    });
}

/// An orphan that comes to another partition, at the very place that a batch names, is none of the batch.
#[test]
fn a_row_at_the_same_place_of_another_partition_is_none_of_the_batch() {
    const PARTS: &str = "
        CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE c (id int PRIMARY KEY, p_id int) PARTITION BY RANGE (id);
        CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (100); CREATE TABLE c2 PARTITION OF c FOR VALUES FROM (100) TO (200);
        INSERT INTO c VALUES (1, 1), (2, 9), (101, 1);";
    for server in server::servers() {
        for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull] {
            let (url, before, _) = prepared(server, PARTS);
            let step = &of_one(&before, policy).steps[0];
            let mut other = server::connect(&url);
            // Whoever writes to the parent keeps the batch from its lock, after it has found its rows.
            other.batch_execute("BEGIN; LOCK TABLE p IN ROW EXCLUSIVE MODE").unwrap();
            let error = std::thread::scope(|scope| {
                let run = scope.spawn(|| plan::run(&mut server::connect(&url), &step.up, None).unwrap_err());
                server::wait_for(&url, "SELECT pid FROM pg_locks WHERE relation = 'p'::regclass AND NOT granted");
                other.batch_execute("INSERT INTO c VALUES (102, 9); COMMIT").unwrap();
                run.join().unwrap()
            });
            let ids = |sql: &str| -> Vec<i32> {
                server::connect(&url).query(sql, &[]).unwrap().iter().map(|r| r.get(0)).collect()
            };
            // Else the place of the late row would prove nothing.
            assert_eq!(ids("SELECT count(DISTINCT ctid)::int FROM c WHERE id IN (1, 101)"), [1]);
            assert_eq!(ids("SELECT id FROM c WHERE id = 102 AND ctid = '(0,2)'"), [102]);
            assert!(server::explain(&error).contains("2 rows, at most 1 were shown"), "{}", server::explain(&error));
            // The batch did what was shown, and the next one stopped.
            assert_eq!(ids("SELECT id FROM c WHERE p_id = 9 ORDER BY id"), [102], "{policy:?}");
        }
    }
}
