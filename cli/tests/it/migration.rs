//! Files for migration tools, run on real databases with rows as each tool runs them: up, by hand first, down, read back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::collections::BTreeMap;
use std::fs;

use referee::engine::SessionOptions;
use referee::migration::{Folder, Options, TOOLS, find, write};
use referee::plan::Plan;
use referee::schema::Engine;
use referee::source::Source;
use tempfile::TempDir;

mod cockroach;
mod database;
mod lint_fix;
mod odd;
mod orphans;
mod runner;
use crate::support;

use database::{Database, plan, schema_sql};
use runner::{by_hand, down, first, up};

/// What a plan's files are, beside a first migration that the folder held already.
struct Written {
    folder: TempDir,
    /// What was there before.
    first: BTreeMap<String, String>,
    /// What was written, in order.
    files: Vec<(String, String)>,
    notes: Vec<String>,
}

impl Written {
    fn new(tool: &str, database: &Database) -> Self {
        Self::of(tool, database, &plan(database))
    }

    fn of(tool: &str, database: &Database, plan: &Plan) -> Self {
        let first = first(tool, database.engine, schema_sql(database.engine));
        let options =
            Options { name: "fix_references".into(), digits: "20260131235959".into(), millis: 1_769_903_999_000 };
        let there = Folder { files: first.clone() };
        let output = write(plan, find(runner::real(tool)).unwrap(), &there, &options)
            .unwrap_or_else(|e| panic!("{tool}, {:?}: {e}", database.engine));
        let folder = TempDir::new().unwrap();
        let put = |path: &str, text: &str, replaces: bool| {
            let path = folder.path().join(path);
            assert_eq!(path.exists(), replaces, "{tool}: {}", path.display());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        first.iter().for_each(|(path, text)| put(path, text, false));
        output.files.iter().for_each(|f| put(&f.path, &f.text, f.replaces));
        let files = output.files.into_iter().map(|f| (f.path, f.text)).collect();
        Self { folder, first, files, notes: output.notes }
    }

    /// Returns the script that is run by hand before, if there is one, and the one that leads back.
    fn by_hand(&self) -> (Option<&str>, Option<&str>) {
        let find = |ends: &[&str]| {
            self.files.iter().find(|(p, _)| ends.iter().any(|e| p.ends_with(e))).map(|(_, text)| text.as_str())
        };
        (find(&["by_hand.psql", "by_hand.sqlite"]), find(&["by_hand.down.sqlite"]))
    }
}

fn round_trip(tool: &str, engine: Engine) {
    let database = Database::new(engine);
    let what = format!("{tool}, {engine:?}");
    let plan = plan(&database);
    assert!(plan.refused.is_empty(), "{what}: {:?}", plan.refused);
    assert!(plan.steps.len() > 3, "{what}: {:?}", plan.steps.iter().map(|s| &s.title).collect::<Vec<_>>());
    let rows = database.rows();
    let written = Written::new(tool, &database);
    let (hand, hand_back) = written.by_hand();
    assert_eq!(hand.is_some(), written.notes.iter().any(|n| n.contains("run `")), "{what}: {:?}", written.notes);

    for (_, text) in written.files.iter().filter(|_| tool == "sql") {
        assert!(!text.contains("DO $referee$ BEGIN\nEND"), "{what}: a block that does nothing:\n{text}");
    }

    // What is for one transaction only is for nothing where there is none.
    for (path, text) in &written.files {
        let back = text.split_once("-- migrate:down").map_or(text.as_str(), |(_, back)| back);
        let outside = text.starts_with("-- no-transaction") || back.starts_with(" transaction:false");
        assert!(!outside || !back.contains("SET LOCAL") || back.contains("BEGIN;"), "{what}, {path}:\n{text}");
    }

    // A file that only looks whether the script was run stops, and leaves every row as it was.
    let needed = hand_back.is_some();
    if needed {
        let forgotten = Database::new(engine);
        let error = up(tool, &forgotten, &written.files).unwrap_err();
        assert!(error.contains("run_the_script_by_hand_first"), "{what}: {error}");
        assert_eq!(forgotten.rows(), rows, "{what}");
        by_hand(&database, hand.unwrap()).unwrap_or_else(|e| panic!("{what}, by hand: {e}"));
    }
    up(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, up: {e}"));
    database.same(&plan.after, &what);
    assert_eq!(database.rows(), rows, "{what}");
    assert!(database.is_sound(), "{what}");
    let again = database::plan(&database);
    assert!(again.steps.is_empty(), "{what}: {:?}", again.steps.iter().map(|s| &s.title).collect::<Vec<_>>());

    if runner::leads_back(tool) {
        if let Some(script) = hand_back {
            let error = down(tool, &database, &written.files).unwrap_err();
            assert!(error.contains("run_the_script_that_leads_back_first"), "{what}: {error}");
            database.same(&plan.after, &what);
            by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, back by hand: {e}"));
        }
        down(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, down: {e}"));
        database.same(&plan.before, &format!("{what}, down"));
        assert_eq!(database.rows(), rows, "{what}");
        if let (true, Some(script)) = (needed, hand) {
            by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, by hand: {e}"));
        }
        up(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, up again: {e}"));
        database.same(&plan.after, &format!("{what}, up again"));
    }

    // By hand first: the tool's files find everything done.
    if let (Some(script), false) = (hand, needed) {
        let database = Database::new(engine);
        by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, by hand: {e}"));
        database.same(&plan.after, &format!("{what}, by hand"));
        by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, by hand, again: {e}"));
        up(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, after by hand: {e}"));
        database.same(&plan.after, &format!("{what}, after by hand"));
        assert_eq!(database.rows(), rows, "{what}");
    }
    assert_read_back(tool, &database, &written, &plan);
}

/// The folder is read as the tool's, and its migrations lead to the schema that the plan promises.
fn assert_read_back(tool: &str, database: &Database, written: &Written, plan: &Plan) {
    let layout = if tool == "sql" { "golang-migrate" } else { runner::real(tool) };
    let read = |layout: Option<String>| {
        let path = written.folder.path().to_str().unwrap();
        let source = Source::parse(path).unwrap().with_sql(Some(database.engine), None, layout);
        source.open(&SessionOptions::default()).unwrap_or_else(|e| panic!("{tool}: {e}"))
    };
    let input = read(Some(layout.to_string()));
    assert_eq!(input.history.skipped, [], "{tool}, {:?}", database.engine);
    assert!(input.history.conflicts.is_empty(), "{tool}, {:?}: {:?}", database.engine, input.history.conflicts);
    // When a key fires among others is no promise of a plan.
    let comparable = |schema| support::plan::comparable(&support::compare::comparable(schema));
    let (left, right) = (comparable(input.schema), comparable(plan.after.clone()));
    assert!(left == right, "{tool}, {:?}, read back\n{}", database.engine, support::compare::difference(&left, &right));
    assert!(read(None).history.migrations.len() > 1, "{tool}: not recognised");
}

fn every_tool(engine: Engine) {
    let mut failures = Vec::new();
    let tools: Vec<&str> = TOOLS.iter().map(|t| t.name).chain(["drizzle-1"]).collect();
    for tool in &tools {
        let result = std::panic::catch_unwind(|| round_trip(tool, engine));
        if let Err(panic) = result {
            let text = panic.downcast_ref::<String>().cloned();
            failures.push(text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default());
        }
    }
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), tools.len(), failures.join("\n\n"));
}

#[test]
fn sqlite_by_every_tool() {
    every_tool(Engine::Sqlite);
}

#[test]
fn postgres_by_every_tool() {
    every_tool(Engine::Postgres);
}

#[test]
fn a_guard_in_a_file_tells_what_it_found() {
    let database = Database::new(Engine::Postgres);
    let written = Written::new("flyway", &database);
    let other = Database::new(Engine::Postgres);
    support::postgres::execute(&other.source, "INSERT INTO orders VALUES (7, 77, ''), (8, 77, ''), (9, 78, '')");
    let error = up("flyway", &other, &written.files).unwrap_err();
    assert!(error.contains("orders.user_id has orphans") && error.contains("(77,2), (78,1)"), "{error}");
}

#[test]
fn numbers_go_on_where_the_folder_ends() {
    let database = Database::new(Engine::Sqlite);
    for (tool, begins) in [
        ("sql", "0002_fix"),
        ("drizzle", "0001_fix"),
        ("prisma", "20260131235959_fix"),
        ("flyway", "V2__fix"),
        ("golang-migrate", "000002_fix"),
        ("dbmate", "20260131235959_fix"),
        ("goose", "00002_fix"),
        ("sqlx", "20260131235959_fix"),
        ("diesel", "2026-01-31-235959_fix"),
        ("atlas", "20260131235959_fix"),
        ("refinery", "V2__fix"),
    ] {
        let written = Written::new(tool, &database);
        assert!(written.files[0].0.starts_with(begins), "{tool}: {}", written.files[0].0);
        let own = written.files.iter().filter(|(p, _)| !written.first.contains_key(p));
        for (path, _) in own {
            assert!(path.contains("fix_references") || path.contains("snapshot"), "{tool}: {path}");
        }
    }
}

#[test]
fn a_journal_and_a_sum_are_extended() {
    let database = Database::new(Engine::Postgres);
    let drizzle = Written::new("drizzle", &database);
    let journal: serde_json::Value =
        serde_json::from_str(drizzle.files.iter().find(|f| f.0.ends_with("_journal.json")).unwrap().1.as_str())
            .unwrap();
    let entries = journal["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1]["idx"].as_u64(), entries[1]["tag"].as_str()), (Some(1), Some("0001_fix_references")));
    assert!(entries[1]["when"].as_u64() > entries[0]["when"].as_u64());

    let atlas = Written::new("atlas", &database);
    let (_, sum) = atlas.files.iter().find(|f| f.0 == "atlas.sum").unwrap();
    let names: Vec<&str> = sum.lines().skip(1).map(|l| l.split_once(" h1:").unwrap().0).collect();
    let mut expected: Vec<&str> =
        atlas.first.keys().chain(atlas.files.iter().map(|f| &f.0)).map(String::as_str).collect();
    expected.retain(|p| p.ends_with(".sql"));
    assert_eq!(names, expected);
    // What stood in the sum of the first file alone stands there still: the hash runs on over the files.
    let before = atlas.first["atlas.sum"].lines().nth(1).unwrap();
    assert_eq!(sum.lines().nth(1).unwrap(), before);
}

/// Returns the lines of a text that another one does not have, and the other way round.
fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let only = |a: &str, b: &str| a.lines().filter(|l| !b.lines().any(|o| o == *l)).map(str::to_string).collect();
    (only(before, after), only(after, before))
}

#[test]
fn a_snapshot_of_drizzle_1_differs_only_where_the_schema_does() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let written = Written::new("drizzle-1", &Database::new(engine));
        let (path, snapshot) = written.files.iter().find(|f| f.0.ends_with("snapshot.json")).unwrap();
        assert_eq!(path, "20260131235959_fix_references/snapshot.json");
        let before = &written.first["20240101000000_init/snapshot.json"];
        let (gone, new) = changed(before, snapshot);
        let gone: Vec<&str> = gone.iter().map(|l| l.trim()).collect();
        let expected = [
            r#""id": "24e12d8f-6c2b-491a-b51b-ea5b707d54f5","#,
            r#""00000000-0000-0000-0000-000000000000""#,
            r#""notNull": true,"#,
            r#""onDelete": "SET NULL","#,
        ];
        assert_eq!(gone, expected, "{engine:?}");
        let new: Vec<&str> = new.iter().map(|l| l.trim()).collect();
        for line in [r#""24e12d8f-6c2b-491a-b51b-ea5b707d54f5""#, r#""notNull": false,"#, r#""onDelete": "NO ACTION","#]
        {
            assert!(new.contains(&line), "{engine:?}: {line} {new:?}");
        }
        let value: serde_json::Value = serde_json::from_str(snapshot).unwrap();
        let kinds: Vec<&str> =
            value["ddl"].as_array().unwrap().iter().filter_map(|e| e["entityType"].as_str()).collect();
        let mut grouped = kinds.clone();
        grouped.dedup();
        assert_eq!(grouped, ["tables", "columns", "fks", "pks", "indexes"], "{engine:?}: each kind in one place");
    }
}

#[test]
fn drizzle_goes_on_with_the_prefix_of_its_tags() {
    let database = Database::new(Engine::Sqlite);
    let plan = plan(&database);
    for (tag, expected) in [
        ("0007_a", "0008_fix"),
        ("20240101000000_a", "20260131235959_fix"),
        ("1700000000_a", "1769903999_fix"),
        ("red_fox", "0008_fix"),
    ] {
        let journal = format!(
            r#"{{"version": "7", "dialect": "sqlite", "entries": [{{"idx": 7, "version": "6", "when": 1, "tag": "{tag}", "breakpoints": true}}]}}"#
        );
        let snapshot = r#"{"id": "x", "prevId": "y", "version": "6", "dialect": "sqlite", "tables": {}}"#;
        let path = format!("meta/{}_snapshot.json", tag.split('_').next().unwrap());
        let files = [("meta/_journal.json".to_string(), journal), (path, snapshot.to_string())];
        let options = Options { name: "fix".into(), digits: "20260131235959".into(), millis: 1_769_903_999_000 };
        let output = write(&plan, find("drizzle").unwrap(), &Folder { files: files.into() }, &options).unwrap();
        assert_eq!(output.files[0].path, format!("{expected}.sql"), "{tag}");
        let prefix = expected.split('_').next().unwrap();
        assert!(output.files.iter().any(|f| f.path == format!("meta/{prefix}_snapshot.json")), "{tag}");
    }
}
