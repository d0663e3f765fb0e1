//! Runs that are killed, at every step: what is left is one of the plan's intermediate states, and the same command again
//! finishes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "test code"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use referee::engine::{Progress, SessionOptions};
use referee::plan::{Plan, Transaction};
use referee::render;
use referee::schema::Schema;
use referee::source::Source;
use referee::verify::{Difference, compare};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::postgres as server;

const ROWS: u32 = 20_000;

/// A folder with a journal, and a source to apply to.
struct Place {
    folder: TempDir,
    source: String,
}

impl Place {
    /// A place with what nothing declares said in its `referee.toml`: nothing is changed for a guess.
    fn new(source: String, folder: TempDir, child: &str) -> Self {
        let relation = format!("[[relation]]\nchild = \"{child}\"\nparent = \"users.id\"\n");
        fs::write(folder.path().join("referee.toml"), relation).unwrap();
        Self { folder, source }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn apply(&self) -> Command {
        self.command(&["fix", &self.source, "--apply", "--yes", "--journal", "run.jsonl", "--format", "json"])
    }

    fn plan(&self) -> Plan {
        let run = self.command(&["fix", &self.source, "--format", "json", "-o", "plan.json"]).output().unwrap();
        assert!(run.status.success(), "{}", text(&run));
        render::plan::json::parse(&fs::read_to_string(self.folder.path().join("plan.json")).unwrap()).unwrap()
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("run.jsonl")
    }

    fn inspect(&self) -> Schema {
        Source::parse(&self.source).unwrap().open(&SessionOptions::default()).unwrap().schema
    }

    /// Starts a run and waits until its journal has so many lines of a kind; `false` if it ended before.
    fn start_until(&self, event: &str, times: usize) -> (Child, bool) {
        let mut child = self.apply().spawn().unwrap();
        let seen = wait_for(&mut child, &self.journal(), event, times);
        (child, seen)
    }

    /// Runs the same command again, and looks at what comes of it.
    fn finish(&self, plan: &Plan, when: &str) {
        let run = self.apply().output().unwrap();
        assert!(run.status.success(), "{when}: {}", text(&run));
        assert_eq!(compare(plan, &self.inspect()), [], "{when}");
        let verified = self.command(&["verify", &self.source, "--plan", "plan.json"]).output().unwrap();
        assert!(verified.status.success(), "{when}: {}", text(&verified));
    }
}

fn text(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

fn wait_for(child: &mut Child, journal: &Path, event: &str, times: usize) -> bool {
    let wanted = format!("{{\"event\":\"{event}\"");
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let ended = child.try_wait().unwrap().is_some();
        let written = fs::read_to_string(journal).unwrap_or_default();
        if written.lines().filter(|l| l.starts_with(&wanted)).count() >= times {
            return true;
        }
        if ended {
            return false;
        }
        assert!(Instant::now() < limit, "the run hangs:\n{written}");
        sleep(Duration::from_millis(1));
    }
}

/// Returns what is different from the state after so many steps.
fn differences(plan: &Plan, steps: usize, now: &Schema) -> Vec<Difference> {
    let mut state = plan.before.clone();
    for change in plan.steps[..steps].iter().flat_map(|s| &s.changes) {
        change.apply(&mut state).unwrap();
    }
    compare(&Plan { after: state, ..plan.clone() }, now)
}

/// Returns how many steps are done. A step without transaction may be half done: then only what it makes is different.
#[track_caller]
fn steps_done(plan: &Plan, now: &Schema, when: &str) -> usize {
    let told: Vec<_> = (0..=plan.steps.len()).map(|steps| differences(plan, steps, now)).collect();
    if let Some(steps) = told.iter().position(Vec::is_empty) {
        return steps;
    }
    let half = |(steps, found): (usize, &Vec<Difference>)| {
        let next = plan.steps.get(steps)?;
        let makes = |d: &Difference| next.changes.iter().any(|c| *c.table() == d.table) && d.what.starts_with("index");
        (next.up.transaction == Transaction::None && found.iter().all(makes)).then_some(steps)
    };
    if let Some(steps) = told.iter().enumerate().find_map(half) {
        return steps;
    }
    panic!("{when}: none of the plan's states:\n{told:#?}");
}

const SQLITE: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER REFERENCES users(id), note TEXT);
    CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id) ON DELETE SET NULL);
    CREATE TABLE logs (id INTEGER PRIMARY KEY, user_id INTEGER, body TEXT);
    CREATE TRIGGER noted AFTER UPDATE ON orders BEGIN SELECT 1; END;";

fn sqlite(rows: u32) -> (Place, Plan) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shop.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(&format!(
            "{SQLITE} BEGIN;
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
               INSERT INTO users SELECT i, 'user ' || i FROM n;
             INSERT INTO orders SELECT id, id % 977 + 1, 'a note of some length for ' || id FROM users;
             INSERT INTO items SELECT id, id FROM users;
             INSERT INTO logs SELECT id, id % 499 + 1, 'what happened to ' || id FROM users; COMMIT;"
        ))
        .unwrap();
    let place = Place::new(path.display().to_string(), folder, "logs.user_id");
    let plan = place.plan();
    assert!(plan.steps.len() >= 3, "{:#?}", plan.steps);
    (place, plan)
}

fn sqlite_rows(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let ask = |sql: &str| connection.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap();
    assert_eq!(ask("PRAGMA integrity_check"), "ok");
    assert_eq!(ask("SELECT count(*) || '' FROM pragma_foreign_key_check"), "0");
    [
        "SELECT count(*) || ' ' || sum(id) || ' ' || sum(length(name)) FROM users",
        "SELECT count(*) || ' ' || sum(id * user_id) || ' ' || sum(length(note)) FROM orders",
        "SELECT count(*) || ' ' || sum(id * order_id) FROM items",
        "SELECT count(*) || ' ' || sum(id * user_id) || ' ' || sum(length(body)) FROM logs",
        "SELECT group_concat(name || seq) FROM sqlite_sequence",
        "SELECT group_concat(sql) FROM sqlite_schema WHERE type = 'trigger'",
    ]
    .map(ask)
    .join("\n")
}

/// Kills a run after each step's beginning and end, and so many parts of the way through it. Returns how many runs were at work
/// when they were killed, and how many left a transaction to be rolled back.
fn killed_on_sqlite(rows: u32, parts: &[f64]) -> (usize, usize) {
    let (original, plan) = sqlite(rows);
    let pristine = original.folder.path().join("pristine.db");
    fs::copy(&original.source, &pristine).unwrap();
    let reset = || {
        fs::copy(&pristine, &original.source).unwrap();
        let _ = fs::remove_file(format!("{}-journal", original.source));
        let _ = fs::remove_file(original.journal());
    };
    let whole = sqlite_rows(&pristine);
    // How long each step is, undisturbed.
    let mut child = original.apply().spawn().unwrap();
    let mut took = Vec::new();
    for step in 1..=plan.steps.len() {
        assert!(
            wait_for(&mut child, &original.journal(), "started", step),
            "{}",
            text(&child.wait_with_output().unwrap())
        );
        let started = Instant::now();
        assert!(
            wait_for(&mut child, &original.journal(), "done", step),
            "{}",
            text(&child.wait_with_output().unwrap())
        );
        took.push(started.elapsed());
    }
    assert!(child.wait_with_output().unwrap().status.success());
    let (mut kills, mut hot) = (0, 0);
    for step in 1..=plan.steps.len() {
        let within = parts.iter().map(|part| ("started", took[step - 1].mul_f64(*part)));
        for (event, delay) in within.chain([("done", Duration::ZERO)]) {
            let when = format!("killed {delay:?} after step {step} {event}");
            reset();
            let (mut child, seen) = original.start_until(event, step);
            assert!(seen, "{when}: {}", text(&child.wait_with_output().unwrap()));
            sleep(delay);
            let running = child.try_wait().unwrap().is_none();
            child.kill().unwrap();
            let _ = child.wait();
            kills += usize::from(running);
            // Looked at in a copy: the run that goes on has to find what the killed one left.
            let copy = TempDir::new().unwrap();
            for name in ["shop.db", "shop.db-journal"] {
                let _ = fs::copy(original.folder.path().join(name), copy.path().join(name));
            }
            let copied = copy.path().join("shop.db");
            let audit = original.command(&["audit", &original.source, "--no-config"]).output().unwrap();
            if audit.status.code() == Some(2) {
                hot += 1;
                assert!(text(&audit).contains("was left in the middle of a write"), "{when}: {}", text(&audit));
            }
            assert_eq!(sqlite_rows(&copied), whole, "{when}");
            let copied = Place::new(copied.display().to_string(), copy, "logs.user_id");
            let done = steps_done(&plan, &copied.inspect(), &when);
            let at_least = if event == "done" { step } else { step - 1 };
            assert!(done >= at_least, "{when}: {done} steps are done");
            original.finish(&plan, &when);
            assert_eq!(sqlite_rows(Path::new(&original.source)), whole, "{when}");
        }
    }
    (kills, hot)
}

#[test]
fn a_run_on_sqlite_that_is_killed_is_taken_up() {
    let (kills, _) = killed_on_sqlite(ROWS, &[0.0, 0.4, 0.8]);
    assert!(kills >= 6, "only {kills} runs were killed before they ended");
}

#[test]
fn an_undo_that_is_killed_is_gone_on_with() {
    const ORPHANS: u32 = 8_000;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shop.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1), (2);
             CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, note TEXT);
             BEGIN; WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {ORPHANS})
             INSERT INTO orders SELECT i, i + 2, 'a note of some length for ' || i FROM n; COMMIT;"
        ))
        .unwrap();
    let place = Place::new(path.display().to_string(), folder, "orders.user_id");
    let rows = |path: &Path| -> (i64, i64) {
        let connection = Connection::open(path).unwrap();
        let sql = "SELECT count(*), coalesce(sum(id * user_id + length(note)), 0) FROM orders";
        connection.query_row(sql, [], |r| Ok((r.get(0).unwrap(), r.get(1).unwrap()))).unwrap()
    };
    let before = rows(&path);
    let apply =
        ["fix", &place.source, "--apply", "--yes", "--journal", "run.jsonl", "--orphans", "orders.user_id=delete"];
    let run = place.command(&apply).output().unwrap();
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(rows(&path).0, 0);
    let (applied, journal) = (place.folder.path().join("applied.db"), fs::read(place.journal()).unwrap());
    fs::copy(&path, &applied).unwrap();
    let steps = text(&run).lines().count().min(3);
    let undo = ["fix", &place.source, "--undo", "--apply", "--yes", "--journal", "run.jsonl"];
    let mut kills = 0;
    for step in 1..=steps {
        for (event, delay) in [("undo-started", 0), ("undo-started", 3), ("undo-started", 15), ("undone", 0)] {
            let when = format!("killed {delay} ms after {step} {event}");
            fs::copy(&applied, &path).unwrap();
            let _ = fs::remove_file(format!("{}-journal", place.source));
            fs::write(place.journal(), &journal).unwrap();
            let mut child = place.command(&undo).spawn().unwrap();
            if !wait_for(&mut child, &place.journal(), event, step) {
                // It has fewer steps.
                assert!(step > 1, "{when}: {}", text(&child.wait_with_output().unwrap()));
                continue;
            }
            sleep(Duration::from_millis(delay));
            kills += usize::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            let _ = child.wait();
            let again = place.command(&undo).output().unwrap();
            assert_eq!(again.status.code(), Some(0), "{when}: {}", text(&again));
            assert!(!text(&again).contains("cannot be restored"), "{when}: {}", text(&again));
            assert_eq!(rows(&path), before, "{when}");
        }
    }
    assert!(kills >= 2, "only {kills} undos were killed before they ended");
}

#[test]
#[ignore = "minutes: a million rows in each of four tables; tests/long-killed.sh runs it"]
fn a_run_on_a_million_rows_that_is_killed_is_taken_up() {
    let began = Instant::now();
    let (kills, hot) = killed_on_sqlite(1_000_000, &[0.0, 0.5, 0.9]);
    println!(
        "{kills} runs were at work when they were killed, {hot} left a transaction half written; {:?}",
        began.elapsed()
    );
    assert!(kills >= 9 && hot >= 3, "{kills} {hot}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_is_taken_up() {
    let (place, plan) = sqlite(ROWS);
    // Somebody else writes, so the first step waits.
    let other = Connection::open(&place.source).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (child, seen) = place.start_until("started", 1);
    assert!(seen, "{}", text(&child.wait_with_output().unwrap()));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let run = child.wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(130), "{}", text(&run));
    assert!(
        text(&run).contains("interrupted; the steps that are done stay done: run the same command"),
        "{}",
        text(&run)
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(steps_done(&plan, &place.inspect(), "interrupted"), 0);
    place.finish(&plan, "interrupted");
}

const POSTGRES: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id), note text);
    CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders (id) ON DELETE SET NULL);
    CREATE TABLE logs (id int PRIMARY KEY, user_id int, body text);";

fn postgres(running: &server::Running) -> (Place, Plan) {
    let url = running.fresh_database();
    server::execute(
        &url,
        &format!(
            "{POSTGRES}
             INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, {ROWS}) AS i;
             INSERT INTO orders SELECT id, id % 977 + 1, 'a note of some length for ' || id FROM users;
             INSERT INTO items SELECT id, id FROM users;
             INSERT INTO logs SELECT id, id % 499 + 1, 'what happened to ' || id FROM users; ANALYZE"
        ),
    );
    let place = Place::new(url, TempDir::new().unwrap(), "logs.user_id");
    let plan = place.plan();
    (place, plan)
}

fn postgres_rows(url: &str) -> String {
    let sql = "SELECT (SELECT md5(string_agg(u::text, ';' ORDER BY id)) FROM users AS u) || \
               (SELECT md5(string_agg(o::text, ';' ORDER BY id)) FROM orders AS o) || \
               (SELECT md5(string_agg(i::text, ';' ORDER BY id)) FROM items AS i) || \
               (SELECT md5(string_agg(l::text, ';' ORDER BY id)) FROM logs AS l)";
    server::connect(url).query_one(sql, &[]).unwrap().get(0)
}

/// Waits until the server has seen that a killed run is gone; it asks every second.
fn alone(url: &str) {
    alone_with(&mut server::connect(url));
}

/// The same, by a session that may hold locks meanwhile.
fn alone_with(client: &mut postgres::Client) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        // Within a transaction the answer would stay what it was.
        client.batch_execute("SELECT pg_stat_clear_snapshot()").unwrap();
        if client.query_one(sql, &[]).unwrap().get::<_, i64>(0) == 0 {
            return;
        }
        assert!(Instant::now() < limit, "the server goes on with what a killed run began");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_run_on_postgres_that_is_killed_is_taken_up() {
    let running = server::servers()[0].running();
    let (_, plan) = postgres(running);
    assert!(plan.steps.iter().any(|s| s.up.transaction == Transaction::None), "{:#?}", plan.steps);
    let mut kills = 0;
    for step in 1..=plan.steps.len() {
        for event in ["started", "done"] {
            if event == "done" && step % 3 != 1 {
                continue;
            }
            let when = format!("killed when step {step} {event}: {}", plan.steps[step - 1].title);
            let (place, plan) = postgres(running);
            let rows = postgres_rows(&place.source);
            let (mut child, seen) = place.start_until(event, step);
            assert!(seen, "{when}: {}", text(&child.wait_with_output().unwrap()));
            kills += usize::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            let _ = child.wait();
            alone(&place.source);
            let done = steps_done(&plan, &place.inspect(), &when);
            let at_least = if event == "done" { step } else { step - 1 };
            assert!(done >= at_least, "{when}: {done} steps are done");
            place.finish(&plan, &when);
            assert_eq!(postgres_rows(&place.source), rows, "{when}");
        }
    }
    assert!(kills >= plan.steps.len(), "only {kills} runs were killed before they ended");
}

#[test]
fn no_row_is_lost_when_a_repair_of_rows_is_killed() {
    const ORPHANS: i64 = 60_000;
    let running = server::servers()[0].running();
    for (number, delay) in [Some(0), Some(30), Some(100), None, None, None].into_iter().enumerate() {
        let how = ["delete", "set-null"][number % 2];
        let url = running.fresh_database();
        server::execute(
            &url,
            &format!(
                "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 1000);
                 CREATE TABLE orders (id int PRIMARY KEY, user_id int, note text);
                 INSERT INTO orders SELECT i, CASE WHEN i <= {ORPHANS} THEN 5000 + i ELSE i % 1000 + 1 END, 'note ' || i
                 FROM generate_series(1, {ORPHANS} + 5000) AS i; ANALYZE"
            ),
        );
        let place = Place::new(url, TempDir::new().unwrap(), "orders.user_id");
        // With a row of the last batch locked the run cannot end before it is killed, however fast it is.
        let mut holder = server::connect(&place.source);
        if delay.is_none() {
            holder.batch_execute(&format!("BEGIN; SELECT FROM orders WHERE id = {ORPHANS} FOR UPDATE")).unwrap();
        }
        let arguments =
            ["fix", &place.source, "--apply", "--yes", "--journal", "run.jsonl", "--orphans", how, "--only", "REF102"];
        let mut child = place.command(&arguments).spawn().unwrap();
        // The index comes first, then the rows.
        assert!(wait_for(&mut child, &place.journal(), "started", 2), "{}", text(&child.wait_with_output().unwrap()));
        let kept_name = "SELECT coalesce(min(relname), '') FROM pg_class WHERE relname LIKE '\\_referee\\_kept%'";
        let mut client = server::connect(&place.source);
        match delay {
            Some(delay) => sleep(Duration::from_millis(delay)),
            // As soon as the first batch is done.
            None => {
                let limit = Instant::now() + Duration::from_secs(30);
                loop {
                    let kept: String = client.query_one(kept_name, &[]).unwrap().get(0);
                    let sql = format!("SELECT count(*) FROM (SELECT FROM {kept} LIMIT 1) AS k");
                    if !kept.is_empty() && client.query_one(&sql, &[]).unwrap().get::<_, i64>(0) > 0 {
                        break;
                    }
                    assert!(Instant::now() < limit, "no row is kept");
                }
            }
        }
        child.kill().unwrap();
        let _ = child.wait();
        drop(client);
        alone_with(&mut holder);
        drop(holder);
        let mut client = server::connect(&place.source);
        // What it held that is gone or empty lies aside, and nothing else does: whatever moment it was.
        let mut look = |when: &str| -> i64 {
            let kept: String = client.query_one(kept_name, &[]).unwrap().get(0);
            if kept.is_empty() {
                return 0;
            }
            let sql = format!(
                "SELECT (SELECT count(*) FROM {kept}), count(*) FROM generate_series(1, {ORPHANS}) AS i
                 LEFT JOIN orders AS o ON o.id = i LEFT JOIN {kept} AS k ON k.id = i AND k.user_id = 5000 + i AND k.note = 'note ' || i
                 WHERE (o.user_id IS NULL) <> (k.id IS NOT NULL)"
            );
            let row = client.query_one(&sql, &[]).unwrap();
            let (kept, wrong): (i64, i64) = (row.get(0), row.get(1));
            assert_eq!(wrong, 0, "{how}, {when}");
            kept
        };
        let kept = look(&format!("killed after {delay:?} ms"));
        if delay.is_none() {
            assert!(kept > 0 && kept < ORPHANS, "{how}: killed between two batches: {kept}");
        }
        let run = place.command(&arguments).output().unwrap();
        assert!(run.status.success(), "{how}: {}", text(&run));
        assert_eq!(look("taken up"), ORPHANS);
    }
}

#[test]
fn the_next_run_need_not_wait_for_what_a_killed_one_began() {
    let running = server::servers()[0].running();
    let (place, plan) = postgres(running);
    // An old transaction makes CREATE INDEX CONCURRENTLY wait for as long as it is open.
    let mut other = server::connect(&place.source);
    let (mut child, seen) = {
        other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM logs").unwrap();
        place.start_until("started", 1)
    };
    assert!(seen && plan.steps[0].up.transaction == Transaction::None, "{:?}", plan.steps[0]);
    // Whoever looks on is told what it waits for.
    let mut beside = Source::parse(&place.source)
        .unwrap()
        .connector(&SessionOptions::default())
        .unwrap()
        .unwrap()
        .beside()
        .unwrap()
        .unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    let waits = |p: Progress| p.phase == "waiting for old snapshots" && p.total == 0;
    while !beside.progress().unwrap().is_some_and(waits) {
        assert!(Instant::now() < limit, "{:?}", beside.progress());
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    let _ = child.wait();
    other.batch_execute("COMMIT").unwrap();
    place.finish(&plan, "killed while it waited");
}

#[test]
fn a_server_that_crashes_in_the_middle_is_no_loss() {
    let running = server::servers()[0].start(&server::Setup::default());
    let count = postgres(&running).1.steps.len();
    let mut crashes = 0;
    for step in [1, count / 2, count - 1, count] {
        let (place, plan) = postgres(&running);
        let when = format!("the server crashed at step {step}: {}", plan.steps[step - 1].title);
        let rows = postgres_rows(&place.source);
        let (child, seen) = place.start_until("started", step);
        assert!(seen, "{when}: {}", text(&child.wait_with_output().unwrap()));
        running.crash();
        let run = child.wait_with_output().unwrap();
        // It may have been done before the server was told.
        if run.status.code() != Some(0) {
            assert_eq!(run.status.code(), Some(2), "{when}: {}", text(&run));
            assert!(text(&run).contains("run the same command"), "{when}: {}", text(&run));
            crashes += 1;
        }
        let done = steps_done(&plan, &place.inspect(), &when);
        assert!(done >= step - 1, "{when}: {done} steps are done");
        place.finish(&plan, &when);
        assert_eq!(postgres_rows(&place.source), rows, "{when}");
    }
    assert!(crashes >= 2, "only {crashes} runs met the crash");
}
