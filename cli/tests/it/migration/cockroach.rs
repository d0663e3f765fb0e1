//! Files for CockroachDB, of which no server can be run here: what the tools' rules and the manual ask of the text.
//!
//! A change of a schema commits the transaction that it is part of ("Online Schema Changes"), so every statement is a file of
//! its own, outside of a transaction where the tool allows it.

use std::collections::BTreeMap;
use std::fs;

use referee::audit::Guesses;
use referee::engine::SessionOptions;
use referee::migration::{Folder, Options, Output, TOOLS, find, write};
use referee::orphans::{Orphans, Outcome, Scan};
use referee::plan::{self, OrphanPolicy, Plan};
use referee::rules::Settings;
use referee::schema::{Engine, to_json};
use referee::source::Source;
use tempfile::TempDir;

use crate::migration::database::schema_sql;
use crate::migration::runner::{first, split};
use crate::support::audit::{Ask, audit};

fn plan(orphans: Option<OrphanPolicy>) -> Plan {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::write(path("shop.sql"), schema_sql(Engine::Cockroach)).unwrap();
    let source = Source::parse(&path("shop.sql")).unwrap().with_sql(Some(Engine::Cockroach), None, None);
    fs::write(path("shop.json"), to_json(&source.open(&SessionOptions::default()).unwrap().schema)).unwrap();
    let report = audit(&path("shop.json"), Ask { guesses: Guesses::SetAside { accept: Some(0.5) }, ..Ask::default() });
    // Rows that nobody counted are not repaired there: that a key has twelve stands for the scan.
    let counted = |count| Outcome::Counted(Orphans { count, samples: Vec::new(), query: String::new() });
    let relations = report.relations.relations().iter();
    let outcomes = relations.map(|r| counted(if r.child.name == "orders" { 12 } else { 0 })).collect();
    let scan = orphans.map(|_| Scan { outcomes, ..Scan::default() });
    let mut options = plan::Options { orphans, lock_timeout: 2000, ..plan::Options::default() };
    loop {
        let plan = plan::plan(&plan::Input {
            schema: &report.schema,
            relations: &report.relations,
            settings: &Settings::default(),
            findings: &report.findings,
            scan: scan.as_ref(),
            definitions: None,
            options: &options,
        });
        let missing = options.counts.missing();
        if missing.is_empty() {
            return plan;
        }
        // No row refers to one of the twelve, which are few of those whose reference is not NULL.
        let all_that_refer = |query: &str| query.ends_with(" IS NOT NULL") && !query.contains("EXISTS");
        for query in missing {
            let rows = if all_that_refer(&query) { 1000 } else { 0 };
            options.counts.answer(query, rows);
        }
    }
}

fn written(tool: &str, plan: &Plan) -> (BTreeMap<String, String>, Output) {
    let first = first(tool, Engine::Cockroach, schema_sql(Engine::Cockroach));
    let options = Options { name: "fix".into(), digits: "20260131235959".into(), millis: 1_769_903_999_000 };
    let output = write(plan, find(tool).unwrap(), &Folder { files: first.clone() }, &options).unwrap();
    (first, output)
}

/// Returns a statement without comments and commands of psql, with single spaces.
fn bare(sql: &str) -> String {
    let lines = sql.lines().filter(|l| !l.trim_start().starts_with(['-', '\\']));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").trim_end_matches(';').to_string()
}

/// The parts of a tool's file that lead up.
fn up(tool: &str, path: &str, text: &str) -> Option<String> {
    let own = path.ends_with(".sql") && !path.ends_with(".down.sql") && !path.ends_with("/down.sql");
    let part = match tool {
        "dbmate" => text.split("-- migrate:down").next(),
        "goose" => text.split("-- +goose Down").next(),
        "flyway" if path.starts_with('U') => None,
        _ => Some(text),
    };
    part.filter(|_| own).map(str::to_string)
}

/// Tells whether the tool is told not to open a transaction.
fn is_outside(tool: &str, path: &str, text: &str, output: &Output) -> bool {
    let beside = |path: String| output.files.iter().find(|f| f.path == path).map_or("", |f| f.text.as_str());
    match tool {
        "dbmate" => text.starts_with("-- migrate:up transaction:false\n"),
        "goose" => text.starts_with("-- +goose NO TRANSACTION\n"),
        "sqlx" => text.starts_with("-- no-transaction\n"),
        "diesel" => beside(path.replace("up.sql", "metadata.toml")).contains("run_in_transaction = false"),
        "flyway" => beside(format!("{path}.conf")).contains("executeInTransaction=false"),
        "atlas" => text.starts_with("-- atlas:txmode none\n\n"),
        // One query, one statement: no transaction but its own.
        "golang-migrate" | "prisma" => true,
        _ => false,
    }
}

#[test]
fn every_statement_is_a_file_of_its_own() {
    let plan = plan(None);
    let statements: Vec<String> = plan.steps.iter().flat_map(|s| &s.up.statements).map(|s| bare(s)).collect();
    assert!(statements.len() > 8, "{statements:#?}");
    for tool in TOOLS {
        let (_, output) = written(tool.name, &plan);
        let mut all = Vec::new();
        for file in &output.files {
            let Some(text) = up(tool.name, &file.path, &file.text) else { continue };
            let here: Vec<String> = split(&text).iter().map(|s| bare(s)).collect();
            for sql in &here {
                for word in ["CONCURRENTLY", "DO $", "BEGIN", "COMMIT", "lock_timeout"] {
                    assert!(!sql.contains(word), "{}, {}: {sql}", tool.name, file.path);
                }
            }
            if !matches!(tool.name, "sql" | "drizzle") {
                assert_eq!(here.len(), 1, "{}, {}: {here:#?}", tool.name, file.path);
            }
            if !matches!(tool.name, "sql" | "drizzle" | "refinery") {
                assert!(is_outside(tool.name, &file.path, &file.text, &output), "{}, {}", tool.name, file.path);
            }
            all.extend(here);
        }
        assert_eq!(all, statements, "{}", tool.name);
        let warned = output.notes.iter().any(|n| n.contains("CockroachDB before v25.1"));
        assert_eq!(warned, matches!(tool.name, "drizzle" | "refinery"), "{}: {:?}", tool.name, output.notes);
    }
}

#[test]
fn what_leads_back_is_a_statement_a_file_and_no_statement_is_lost() {
    let plan = plan(None);
    let backwards = |s: &plan::Step| match &s.down {
        plan::Down::Script { script, .. } => script.statements.iter().map(|s| bare(s)).collect(),
        plan::Down::Impossible(_) => Vec::new(),
    };
    let mut expected: Vec<String> = plan.steps.iter().rev().flat_map(backwards).collect();
    for tool in ["golang-migrate", "sqlx", "diesel"] {
        let (_, output) = written(tool, &plan);
        let downs = output.files.iter().rev().filter(|f| f.path.ends_with("down.sql"));
        let mut all: Vec<String> = downs.flat_map(|f| split(&f.text)).map(|s| bare(&s)).collect();
        all.retain(|s| !s.contains("cannot be undone"));
        all.sort();
        expected.sort();
        assert_eq!(all, expected, "{tool}");
    }
}

#[test]
fn repairs_of_rows_are_statements_of_their_own_too() {
    for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
        let plan = plan(Some(policy));
        assert!(plan.steps.iter().any(|s| s.touches_rows), "{policy:?}: {:?}", plan.refused);
        for tool in ["golang-migrate", "goose", "dbmate"] {
            let (_, output) = written(tool, &plan);
            for file in &output.files {
                let Some(text) = up(tool, &file.path, &file.text) else { continue };
                assert_eq!(split(&text).len(), 1, "{tool}, {policy:?}, {}:\n{text}", file.path);
            }
        }
    }
}
