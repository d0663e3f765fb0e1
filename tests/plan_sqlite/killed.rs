//! A process that is killed in the middle of a step: the database is as before or as after, never between.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use referee::change::Change;
use referee::plan::{Down, Script, Transaction};
use referee::schema::{Action, Index};
use rusqlite::Connection;

use super::harness::{Fixture, add, key, run};

/// The statements of a script, one a line of a file; no statement here has a line's end in it.
fn lines(script: &Script) -> String {
    assert_eq!(script.transaction, Transaction::Own);
    let all = script.before.iter().map(String::as_str);
    let all = all.chain(["BEGIN IMMEDIATE"]).chain(script.statements.iter().map(String::as_str)).chain(["COMMIT"]);
    all.map(|s| s.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

/// The process that is killed: this test binary, told by its environment what to run.
#[test]
#[ignore = "started by the tests of this file, to be killed"]
fn victim() {
    let (Ok(path), Ok(script)) = (std::env::var("PLAN_SQLITE_DATABASE"), std::env::var("PLAN_SQLITE_SCRIPT")) else {
        return;
    };
    let connection = Connection::open(path).unwrap();
    // Pages go to the file before the commit, as they do when a table does not fit into memory.
    connection.execute_batch("PRAGMA cache_size = 20").unwrap();
    for sql in std::fs::read_to_string(script).unwrap().lines() {
        connection.execute_batch(sql).unwrap();
    }
}

/// Everything that counts, in one line: definitions, numbers of rows, sums that a lost or doubled row would change.
fn state(connection: &Connection) -> String {
    let text = |sql: &str| connection.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap();
    let objects = "SELECT group_concat(type || name || coalesce(sql, ''), ';') FROM (SELECT * FROM sqlite_schema ORDER BY type, name)";
    let rows = "SELECT count(*) || ' ' || sum(id) || ' ' || total(a) || ' ' || sum(length(b)) || ' ' || sum(id * coalesce(a, 3) % 1009) FROM t";
    let sequence = "SELECT group_concat(name || seq, ';') FROM (SELECT * FROM sqlite_sequence ORDER BY name)";
    let children = "SELECT count(*) || ' ' || sum(t_id) FROM c";
    [objects, rows, sequence, children].map(text).join("\n")
}

fn kill_at_many_points(rows: u32, times: u32, journal: &str) {
    let fixture = Fixture::new(&format!(
        "PRAGMA journal_mode = {journal}; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2), (3);
         CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, b TEXT NOT NULL);
         CREATE INDEX tb ON t (b, a); CREATE TRIGGER r AFTER UPDATE ON t BEGIN SELECT 1; END; CREATE VIEW v AS SELECT * FROM t;
         CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INT REFERENCES t ON DELETE CASCADE);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
           INSERT INTO t SELECT i, nullif(i % 4, 0), 'row ' || i || ' of many' FROM n;
         DELETE FROM t WHERE id = {rows}; INSERT INTO c SELECT id, id FROM t WHERE id % 3 = 0;"
    ));
    let index = Change::AddIndex { table: "t".into(), index: Index::on("ta", ["a"]) };
    let made = fixture.made(&[add("t", key("a", "p", "id", Action::Cascade)), index]);
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    let step = &made.steps[0];
    let Down::Script { script: down, .. } = &step.down else { panic!("no way down") };
    let before = state(&fixture.connect());
    run(&fixture.connect(), &step.up).unwrap();
    let after = state(&fixture.connect());
    assert_ne!(before, after);
    run(&fixture.connect(), down).unwrap();
    assert_eq!(state(&fixture.connect()), before);

    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, script: &Script| {
        let path = directory.path().join(name);
        std::fs::write(&path, lines(script)).unwrap();
        path
    };
    let scripts = [file("up.sql", &step.up), file("down.sql", down)];
    let start = |script: &std::path::Path| {
        Command::new(std::env::current_exe().unwrap())
            .args(["killed::victim", "--exact", "--ignored", "--test-threads=1"])
            .env("PLAN_SQLITE_DATABASE", &fixture.path)
            .env("PLAN_SQLITE_SCRIPT", script)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    // How long a way is, undisturbed.
    let started = Instant::now();
    assert!(start(&scripts[0]).wait().unwrap().success());
    let whole = started.elapsed();
    assert_eq!(state(&fixture.connect()), after);
    let (mut is_up, mut stopped, mut longest) = (true, 0u32, whole);
    for time in 1..=times {
        let mut victim = start(&scripts[usize::from(is_up)]);
        let started = Instant::now();
        let wait = longest.mul_f64(f64::from(time) / f64::from(times));
        std::thread::sleep(wait.max(Duration::from_millis(1)));
        victim.kill().unwrap();
        let _ = victim.wait();
        let connection = fixture.connect();
        let now = state(&connection);
        assert!(now == before || now == after, "killed after {wait:?}:\n{now}\n\n{before}\n\n{after}");
        let moved = (now == after) != is_up;
        stopped += u32::from(!moved);
        is_up = now == after;
        if moved {
            longest = longest.min(started.elapsed().max(whole / 2));
        }
        let check: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
    assert!(stopped > times / 4, "only {stopped} of {times} were killed before they were done");
    // And it can be done all the same.
    let (script, wanted) = if is_up { (down, before) } else { (&step.up, after) };
    run(&fixture.connect(), script).unwrap();
    assert_eq!(state(&fixture.connect()), wanted);
}

#[test]
fn a_killed_rebuild_has_happened_or_not() {
    kill_at_many_points(20_000, 16, "delete");
    kill_at_many_points(20_000, 16, "wal");
}
