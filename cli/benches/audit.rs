//! Measures an audit of a large catalog against the plain catalog queries in `psql`, side by side, in one run.
//!
//! `cargo bench -p referee-cli --bench audit` builds the release binary, starts a PostgreSQL of its own, generates 1,000 tables with 3,000
//! foreign keys, and runs both alternately. It does the same for SQLite, against the same pragmas in `sqlite3` if that is
//! installed. It prints a table; `benches/results/audit.md` is one such run.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures, not the product")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use referee::engine::SessionOptions;
use referee::source::Source;

const TABLES: usize = 1_000;
const RUNS: usize = 15;

/// The SQL of `TABLES` tables with three foreign keys each, two of them with an index.
fn catalog(id: &str) -> String {
    let mut sql = String::new();
    for t in 0..TABLES {
        let _ =
            write!(sql, "CREATE TABLE t{t} (id {id} PRIMARY KEY, name text NOT NULL, note text, amount numeric(10,2)");
        for k in 1..=3 {
            // Parents before children, spread over the whole schema; the first tables refer to themselves.
            let parent = if t < k { t } else { (t * 7 + k * 131) % t };
            let action = ["CASCADE", "SET NULL", "NO ACTION"][k - 1];
            let _ = write!(
                sql,
                ", p{k}_id {} REFERENCES t{parent} (id) ON DELETE {action}",
                id.replace("bigserial", "bigint")
            );
        }
        sql.push_str(");\n");
        for k in 1..=2 {
            let _ = writeln!(sql, "CREATE INDEX t{t}_p{k} ON t{t} (p{k}_id);");
        }
    }
    sql
}

struct Measured {
    wall: Vec<Duration>,
    peak_kib: u64,
}

/// Runs a command once: its wall time and its peak resident memory, as Linux tells it in `/proc`.
fn once(command: &mut Command, measured: &mut Measured) {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    loop {
        if let Some(code) = child.try_wait().unwrap() {
            measured.wall.push(start.elapsed());
            assert!(code.code().is_some_and(|c| c < 2), "{command:?}: {code}");
            return;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        measured.peak_kib = measured.peak_kib.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn row(name: &str, measured: &mut Measured) -> (String, Duration) {
    measured.wall.sort();
    let ms = |d: Duration| format!("{:.0} ms", d.as_secs_f64() * 1e3);
    let (low, middle, high) =
        (measured.wall[0], measured.wall[measured.wall.len() / 2], measured.wall[measured.wall.len() - 1]);
    let peak = measured.peak_kib as f64 / 1024.0;
    (format!("| {name} | {} | {} | {} | {peak:.0} MB |", ms(low), ms(middle), ms(high)), middle)
}

fn pair(title: &str, ours: &mut Command, other_name: &str, other: Option<&mut Command>) {
    let mut a = Measured { wall: Vec::new(), peak_kib: 0 };
    let mut b = Measured { wall: Vec::new(), peak_kib: 0 };
    let mut other = other;
    for _ in 0..RUNS {
        once(ours, &mut a);
        if let Some(other) = other.as_mut() {
            once(other, &mut b);
        }
    }
    println!("\n## {title}\n\n| command | min | median | max | peak memory |\n|---|---|---|---|---|");
    let (line, middle) = row("`referee audit`", &mut a);
    println!("{line}");
    if other.is_some() {
        let (line, other_middle) = row(other_name, &mut b);
        println!("{line}\n\nRatio of the medians: {:.2}", middle.as_secs_f64() / other_middle.as_secs_f64());
    }
}

fn round_trips(source: &str) -> u64 {
    let input = Source::parse(source).unwrap().open(&SessionOptions::default()).unwrap();
    input.session.map_or(0, |s| s.round_trips())
}

fn main() {
    let referee = Path::new(env!("CARGO_BIN_EXE_referee"));
    println!("{TABLES} tables, {} foreign keys, {RUNS} runs each, alternately.", TABLES * 3);

    let url = support::postgres::fresh_database();
    support::postgres::execute(&url, &catalog("bigserial"));
    support::postgres::execute(&url, "ANALYZE");
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/engine/postgres/queries");
    let mut files: Vec<PathBuf> = fs::read_dir(queries).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "sql"));
    files.sort();
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-o", "/dev/null"]);
    for file in &files {
        psql.arg("-f").arg(file);
    }
    psql.arg(&url);
    let mut ours = Command::new(referee);
    ours.args(["--no-config", "audit", "--format", "json", &url]);
    let name = format!("`psql`, the same {} catalog queries", files.len());
    pair("PostgreSQL", &mut ours, &name, Some(&mut psql));
    println!("\nRequests sent and answered for the whole inspection: {}", round_trips(&url));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("large.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch(&format!("BEGIN;{}COMMIT;", catalog("integer"))).unwrap();
    let mut ours = Command::new(referee);
    ours.args(["--no-config", "audit", "--format", "json"]).arg(&file);
    let mut shell = Command::new("sqlite3");
    shell.arg(&file).arg(
        "SELECT m.name, f.* FROM pragma_table_list m JOIN pragma_foreign_key_list(m.name) f WHERE m.schema = 'main';
         SELECT m.name, x.* FROM pragma_table_list m JOIN pragma_table_xinfo(m.name) x WHERE m.schema = 'main';
         SELECT m.name, i.*, x.* FROM pragma_table_list m JOIN pragma_index_list(m.name) i JOIN pragma_index_xinfo(i.name) x
         WHERE m.schema = 'main'; SELECT * FROM sqlite_schema;",
    );
    let there = Command::new("sqlite3").arg("--version").output().is_ok();
    pair("SQLite", &mut ours, "`sqlite3`, the same pragmas", there.then_some(&mut shell));

    let mut version = Command::new(referee);
    version.arg("--version");
    let mut nothing = Command::new("true");
    pair("Start (`referee --version` against `true`)", &mut version, "`true`", Some(&mut nothing));
}
