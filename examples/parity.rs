//! Compares what referee makes of a folder of migrations with what the real engine makes of it.
//!
//! ```text
//! cargo run --example parity -- FOLDER [--engine E] [--base FILE] [--layout NAME] [--before FILE] [--set VARIABLE=VALUE]
//!                               [--postgres MAJOR] [--brief] [--states]
//! ```
//! The folder is replayed, and run, migration by migration as its tool would, on SQLite in process, or on a PostgreSQL or
//! MariaDB server that is started for it; then both schemas are compared. `--before` names SQL that is run on the server
//! first and not read by referee: types of extensions, roles; `--set` what the tool sets for its session on MariaDB. An
//! extension that the server does not have is left out. One line tells how much is the same; differences follow. `psql` and
//! `mariadb` must be there for their engines. `--states` compares after every statement that the engine took, not only at
//! the end (PostgreSQL): what a later statement takes away is seen, too.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for contributors, not the product")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it gives up like a test")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use mysql::prelude::Queryable;
use referee::engine::SessionOptions;
use referee::schema::{Engine, Schema};
use referee::source::history::{File, History, Migration, Place};
use referee::source::{Source, SqlFiles, layouts, replay};
use referee::sql::Span;

struct Args {
    files: SqlFiles,
    before: Option<PathBuf>,
    set: Option<String>,
    postgres: u32,
    brief: bool,
    states: bool,
}

fn arguments() -> Args {
    let mut args =
        Args { files: SqlFiles::default(), before: None, set: None, postgres: 0, brief: false, states: false };
    let mut list = std::env::args().skip(1);
    while let Some(arg) = list.next() {
        let mut value = || list.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--engine" => args.files.engine = Some(serde_json::from_value(value().into()).expect("an engine's name")),
            "--base" => args.files.base = Some(value().into()),
            "--layout" => args.files.layout = Some(value()),
            "--before" => args.before = Some(value().into()),
            "--set" => args.set = Some(value()),
            "--postgres" => args.postgres = value().parse().expect("a version"),
            "--brief" => args.brief = true,
            "--states" => args.states = true,
            path => args.files.path = path.into(),
        }
    }
    args
}

fn main() {
    let args = arguments();
    let loaded = layouts::load(&args.files).unwrap_or_else(|e| panic!("{e}"));
    let (engine, layout) = (loaded.engine, loaded.layout);
    if args.states {
        let texts: Vec<String> = loaded.migrations.iter().map(|m| loaded.files[m.up.file].text.clone()).collect();
        return states(&texts.join("\n"), args.postgres);
    }
    let (schema, history) = replay::replay(engine, loaded.files, loaded.migrations);
    let before = args.before.as_ref().map(|path| fs::read_to_string(path).expect("--before"));
    let (inspected, errors) = run(engine, &history, before.as_deref(), &args);
    let (mut left, mut right) = (support::compare::comparable(schema), support::compare::comparable(inspected));
    support::compare::rank_common(&mut left, &mut right);
    let same = support::compare::agreement(&left, &right);
    let show = |(same, all): (usize, usize)| format!("{same}/{all}");
    println!(
        "{} | {engine:?} | {layout} | {} migrations | tables {} (names {}) | keys {} | columns {} | indexes {} | \
         conflicts {} | skipped {} | engine errors {}",
        args.files.path.display(),
        history.migrations.len(),
        show(same.tables),
        show(same.names),
        show(same.keys),
        show(same.columns),
        show(same.indexes),
        history.conflicts.len(),
        history.skipped.len(),
        errors.len(),
    );
    if args.brief {
        return;
    }
    for error in &errors {
        println!("engine: {error}");
    }
    for conflict in &history.conflicts {
        println!(
            "conflict: {}:{} {:?}",
            history.files[conflict.at.file].path,
            history.line(conflict.at),
            conflict.kind
        );
    }
    for skipped in &history.skipped {
        let text: String = history.text(skipped.at).chars().take(100).collect();
        println!(
            "skipped: {}:{} in {}: {text}",
            history.files[skipped.at.file].path,
            history.line(skipped.at),
            skipped.within
        );
    }
    print!("{}", support::compare::difference(&left, &right));
}

/// Runs the history on the engine; returns what is there then, and what the engine refused.
fn run(engine: Engine, history: &History, before: Option<&str>, args: &Args) -> (Schema, Vec<String>) {
    let mut errors = Vec::new();
    match engine {
        Engine::Sqlite => {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("t.db");
            let connection = rusqlite::Connection::open(&path).unwrap();
            // As most tools do while they migrate.
            connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
            if let Some(before) = before {
                connection.execute_batch(before).unwrap();
            }
            for migration in &history.migrations {
                let text = history.text(migration.up);
                let began = migration.transaction && connection.execute_batch("BEGIN").is_ok();
                // A statement that fails ends its migration.
                if let Err(error) = connection.execute_batch(text) {
                    errors.push(format!("{}: {error}", migration.name));
                }
                if began && !connection.is_autocommit() {
                    connection.execute_batch("COMMIT").unwrap();
                }
            }
            drop(connection);
            (inspect(path.to_str().unwrap()), errors)
        }
        Engine::Postgres => {
            let url = support::postgres::fresh_database_since(args.postgres).expect("a server of that version");
            for extension in ["pgcrypto", "citext", "uuid-ossp", "pg_trgm", "unaccent", "ltree", "hstore"] {
                // They are there before, as on a hosted server; a folder may make them again with IF NOT EXISTS.
                let _ = support::postgres::connect(&url).batch_execute(&format!("CREATE EXTENSION \"{extension}\""));
            }
            let shell = |text: &str, transaction: bool| {
                let mut psql = Command::new("psql");
                psql.args(["-X", "-q", "-d", &url]).args(transaction.then_some("-1")).env("PGCLIENTENCODING", "UTF8");
                piped(psql, &available(&url, text))
            };
            errors.extend(before.map(|text| shell(text, false)).unwrap_or_default());
            for migration in &history.migrations {
                told(&mut errors, migration, shell(history.text(migration.up), migration.transaction));
            }
            (inspect(&url), errors)
        }
        Engine::Mysql | Engine::Mariadb => {
            let server = support::mariadb::server();
            let database = server.fresh_database();
            let shell = |text: &str| {
                let mut client = Command::new("mariadb");
                client.args([
                    "--no-defaults",
                    "--force",
                    "-u",
                    "root",
                    "-D",
                    &database,
                    "--default-character-set=utf8mb4",
                ]);
                client.args(args.set.iter().map(|s| format!("--init-command=SET {s}")));
                client.arg(format!("--socket={}", server.socket().display()));
                // To MySQL, two dashes and no blank are no comment.
                piped(client, &text.replace("--> statement-breakpoint", ""))
            };
            errors.extend(before.map(shell).unwrap_or_default());
            for migration in &history.migrations {
                told(&mut errors, migration, shell(history.text(migration.up)));
            }
            let mut connection = server.connect().unwrap();
            let mut schema = support::mariadb_inspect::inspect(&mut connection, &database);
            if schema.tables.is_empty() {
                // The files may make a database of their own, and use it.
                let others: Vec<String> = connection.query("SHOW DATABASES").unwrap();
                let kept = ["information_schema", "performance_schema", "mysql", "sys"];
                if let Some(other) = others.iter().find(|d| !kept.contains(&d.as_str()) && **d != database) {
                    schema = support::mariadb_inspect::inspect(&mut connection, other);
                }
            }
            schema.engine = engine;
            (schema, errors)
        }
        Engine::Cockroach => panic!("there is no CockroachDB to run it on"),
    }
}

/// Compares after every statement that PostgreSQL took: what it has then, and what the statements so far are replayed to.
fn states(text: &str, version: u32) {
    let url = support::postgres::fresh_database_since(version).expect("a server of that version");
    let mut client = support::postgres::connect(&url);
    let (mut taken, mut before): (Vec<String>, Option<usize>) = (Vec::new(), None);
    let (mut all, mut different, mut last) = (0, 0, String::new());
    for piece in referee::sql::split::split(Engine::Postgres, text).pieces {
        let statement = piece.span.of(text);
        let word = statement.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let done = client.batch_execute(statement);
        match word.as_str() {
            // What a transaction did that was rolled back, or failed, it did not do.
            "BEGIN" | "START" => before = Some(taken.len()),
            "ROLLBACK" | "ABORT" if !statement.to_ascii_uppercase().contains(" TO ") => {
                taken.truncate(before.take().unwrap_or(taken.len()));
            }
            "COMMIT" | "END" => before = None,
            _ => {}
        }
        if done.is_err() {
            if let Some(before) = before {
                taken.truncate(before);
            }
            continue;
        }
        taken.push(format!("{statement};\n"));
        let said = ["SELECT", "INSERT", "UPDATE", "DELETE", "EXPLAIN", "SHOW", "COPY"].contains(&word.as_str());
        if said || before.is_some() {
            continue;
        }
        let so_far = taken.concat();
        let place = Place { file: 0, span: Span::new(0, so_far.len()) };
        let migration =
            Migration { name: "m".into(), up: place, down: None, reversible: false, transaction: false, base: false };
        let file = File { path: "m.sql".into(), text: so_far };
        let (schema, _) = replay::replay(Engine::Postgres, vec![file], vec![migration]);
        let left = support::compare::comparable(schema);
        let right = support::compare::comparable(inspect(&url));
        all += 1;
        let found = support::compare::difference(&left, &right);
        if left != right {
            different += 1;
            if found != last {
                println!("after: {statement}\n{found}");
            }
        }
        last = found;
    }
    println!("{all} states, {different} different");
}

/// Leaves out the extensions that the server does not have.
fn available(url: &str, text: &str) -> String {
    let rows = support::postgres::connect(url).query("SELECT name::text FROM pg_available_extensions", &[]).unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split([' ', ';', '"', '\n', '\r']).filter(|w| !w.is_empty()).collect();
        let begins =
            |start: &[&str]| start.iter().zip(&words).filter(|(a, b)| a.eq_ignore_ascii_case(b)).count() == start.len();
        let extension = begins(&["CREATE", "EXTENSION"]) || begins(&["COMMENT", "ON", "EXTENSION"]);
        if !extension || words.iter().any(|w| names.iter().any(|n| n == w)) {
            kept.push_str(line);
        }
    }
    kept
}

fn told(errors: &mut Vec<String>, migration: &Migration, found: Vec<String>) {
    errors.extend(found.into_iter().map(|e| format!("{}: {e}", migration.name)));
}

/// Runs a client with a text as its input; returns the lines that tell of errors.
fn piped(mut client: Command, text: &str) -> Vec<String> {
    let mut child =
        client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the engine's client");
    let mut input = child.stdin.take().unwrap();
    let text = text.trim_start_matches('\u{feff}').to_string();
    let writer = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    told.lines().filter(|l| l.contains("ERROR") || l.contains("FATAL")).map(ToString::to_string).collect()
}

fn inspect(source: &str) -> Schema {
    Source::parse(source).unwrap().open(&SessionOptions::default()).unwrap().schema
}
