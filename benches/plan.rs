//! Measures how long writers are blocked while a change is made to a table of ten million rows: by the steps of a plan, and by
//! the statements that one writes without thinking of it, side by side.
//!
//! `cargo bench --bench plan` starts a PostgreSQL of its own, fills two tables (about 1.5 GB, gone afterwards) and lets two
//! writers insert child rows and update parent rows all the while. It prints a table; `benches/results/plan.md` is one such
//! run. `REFEREE_BENCH_ROWS` is the number of child rows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures, not the product"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use referee::change::Change;
use referee::plan::Options;
use referee::schema::{Action, ForeignKey, Index, Schema};
use support::plan::{self, inspect, wanted};
use support::postgres as server;

/// How long whoever is shut out by a step waits at most.
const LONGEST: Duration = Duration::from_millis(800);

struct Measured {
    /// The longest that a writer's statement took.
    longest: Duration,
    /// How many statements took longer than a tenth of a second.
    slow: u64,
    /// How long the whole took.
    whole: Duration,
}

/// Inserts and updates, a statement every few milliseconds, until told to stop; returns the longest and how many were slow.
fn writer(url: &str, stop: &AtomicBool, sql: &str, slow: &AtomicU64) -> Duration {
    let mut client = server::connect(url);
    let statement = client.prepare(sql).unwrap();
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        client.execute(&statement, &[]).unwrap_or_else(|e| panic!("{sql}: {}", server::explain(&e)));
        let took = start.elapsed();
        longest = longest.max(took);
        if took > Duration::from_millis(100) {
            slow.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(2));
    }
    longest
}

fn beside_writers(url: &str, work: impl FnOnce()) -> Measured {
    let (stop, slow) = (AtomicBool::new(false), AtomicU64::new(0));
    let (longest, whole) = thread::scope(|scope| {
        let writers = [
            "INSERT INTO child (parent_id, must) VALUES (1 + (random() * 999998)::int, 1)",
            "UPDATE parent SET n = n + 1 WHERE id = 1 + (random() * 999998)::int",
        ]
        .map(|sql| {
            let (stop, slow) = (&stop, &slow);
            scope.spawn(move || writer(url, stop, sql, slow))
        });
        thread::sleep(Duration::from_secs(1));
        let start = Instant::now();
        work();
        let whole = start.elapsed();
        thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        (writers.map(|w| w.join().unwrap()).into_iter().max().unwrap(), whole)
    });
    Measured { longest, slow: slow.load(Ordering::Relaxed), whole }
}

/// Runs the steps that make a change, as `referee fix --apply` runs them.
fn planned(url: &str, changes: Vec<Change>) -> Measured {
    let schema = inspect(url);
    let made = plan::plan(&schema, &[wanted(changes)], &Options::default());
    assert!(made.refused.is_empty() && !made.steps.is_empty(), "{:?}", made.refused);
    beside_writers(url, || {
        let mut client = server::connect(url);
        for step in &made.steps {
            assert!(!plan::is_done(&mut client, step));
            assert_eq!(plan::stopped_by(&mut client, &step.guards), Vec::<String>::new());
            plan::run_up(&mut client, step, LONGEST);
            assert!(plan::is_done(&mut client, step));
        }
    })
}

fn naive(url: &str, sql: &str) -> Measured {
    beside_writers(url, || server::execute(url, sql))
}

fn line(what: &str, how: &str, measured: &Measured) {
    let millis = |d: Duration| format!("{:.0} ms", d.as_secs_f64() * 1000.0);
    println!(
        "| {what} | {how} | {} | {} | {:.1} s |",
        millis(measured.longest),
        measured.slow,
        measured.whole.as_secs_f64()
    );
}

fn pair(what: &str, naive: (&str, Measured), planned: &Measured) {
    line(what, naive.0, &naive.1);
    line(what, "the plan", planned);
    let ratio = planned.longest.as_secs_f64() / naive.1.longest.as_secs_f64();
    println!("| | | 1/{:.0} | | |", 1.0 / ratio);
}

fn key(schema: &Schema) -> ForeignKey {
    schema.table(&"child".into()).unwrap().foreign_keys[0].clone()
}

fn main() {
    let rows: u64 = std::env::var("REFEREE_BENCH_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000_000);
    let server = &server::servers()[0];
    let settings = vec![("maintenance_work_mem", "256MB".to_string()), ("shared_buffers", "256MB".to_string())];
    let running = server.start(&server::Setup { settings, ..server::Setup::default() });
    let url = running.fresh_database();
    server::execute(
        &url,
        &format!(
            "CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
             INSERT INTO parent SELECT generate_series(1, 1000000);
             CREATE TABLE child (parent_id int NOT NULL, must int, note text NOT NULL DEFAULT 'some words');
             INSERT INTO child (parent_id, must) SELECT 1 + (n::bigint * 7919) % 999999, 1 FROM generate_series(1, {rows}) n;
             ANALYZE;"
        ),
    );
    server::execute(&url, "VACUUM");
    println!(
        "PostgreSQL {}, {rows} child rows, 1000000 parent rows; statements of writers: longest, and how many took over 100 ms\n",
        server.major
    );
    println!("| change | how | longest | over 100 ms | whole |\n|---|---|---:|---:|---:|");

    let quiet = beside_writers(&url, || thread::sleep(Duration::from_secs(5)));
    line("nothing", "", &quiet);

    let add = "ALTER TABLE child ADD CONSTRAINT child_fk FOREIGN KEY (parent_id) REFERENCES parent (id)";
    let plain = naive(&url, add);
    server::execute(&url, "ALTER TABLE child DROP CONSTRAINT child_fk");
    let foreign_key =
        ForeignKey { name: Some("child_fk".into()), ..ForeignKey::new(["parent_id"], "parent".into(), ["id"]) };
    let steps = planned(&url, vec![Change::AddForeignKey { table: "child".into(), foreign_key }]);
    pair("add a foreign key", ("ADD CONSTRAINT", plain), &steps);

    let again = format!("BEGIN; ALTER TABLE child DROP CONSTRAINT child_fk; {add} ON DELETE CASCADE; COMMIT");
    let plain = naive(&url, &again);
    let old = key(&inspect(&url));
    let new = ForeignKey { on_delete: Action::Restrict, ..old.clone() };
    let steps = planned(&url, vec![Change::ReplaceForeignKey { table: "child".into(), old, new }]);
    pair("change its action", ("DROP, ADD in one transaction", plain), &steps);

    let plain = naive(&url, "CREATE INDEX child_parent_id_idx ON child (parent_id)");
    server::execute(&url, "DROP INDEX child_parent_id_idx");
    let index = Index::on("child_parent_id_idx", ["parent_id"]);
    let steps = planned(&url, vec![Change::AddIndex { table: "child".into(), index }]);
    pair("index its column", ("CREATE INDEX", plain), &steps);

    let plain = naive(&url, "ALTER TABLE child ALTER must SET NOT NULL");
    server::execute(&url, "ALTER TABLE child ALTER must DROP NOT NULL");
    let steps =
        planned(&url, vec![Change::SetNullable { table: "child".into(), column: "must".into(), nullable: false }]);
    pair("set NOT NULL", ("SET NOT NULL", plain), &steps);
}
