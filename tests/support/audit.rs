//! Audits, through the library, as the binary does them.

use std::path::Path;

use referee::audit::{self, Guesses, Options, Report};
use referee::config;
use referee::engine::SessionOptions;
use referee::findings::Finding;
use referee::job::Context;
use referee::orphans::ScanOptions;
use referee::rules::{self, Settings};
use referee::source::{Input, Source};

/// What an audit is asked for, beyond the schema.
#[derive(Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The text of `referee.toml`.
    pub config: &'a str,
    /// Whether rows are read.
    pub data: bool,
    /// Whether the planner is asked.
    pub verify_indexes: bool,
    /// What the user says of SQLite's enforcement.
    pub foreign_keys: Option<bool>,
    /// What becomes of guessed relations.
    pub guesses: Guesses,
}

/// Opens a source.
pub fn open(source: &str) -> Input {
    let opened = Source::parse(source).and_then(|s| s.open(&SessionOptions::default()));
    opened.unwrap_or_else(|e| panic!("{source}: {e}"))
}

/// Audits a source with every rule.
pub fn audit(source: &str, ask: Ask<'_>) -> Report {
    let input = open(source);
    let config = config::parse("referee.toml", ask.config).unwrap_or_else(|e| panic!("{e:?}"));
    let options = Options {
        relations: config.resolve(&input.schema).relations,
        threshold: config::THRESHOLD,
        guesses: ask.guesses,
        settings: Settings { policies: config.policies(), deletes: config.deletes(), foreign_keys: ask.foreign_keys },
        rules: rules::ALL.iter().collect(),
        tables: Vec::new(),
        data: ask.data.then_some(ScanOptions { samples: 5 }),
        budget: std::time::Duration::from_secs(30),
        verify_indexes: ask.verify_indexes,
        migrations: false,
        suppressions: Vec::new(),
    };
    let report = audit::audit(input, options, &Context::default()).unwrap_or_else(|e| panic!("{source}: {e}"));
    assert_eq!(report.failures, [], "{source}");
    report
}

/// Writes one finding as `severity rule place`.
pub fn line(finding: &Finding) -> String {
    format!("{} {} {}", finding.severity.name(), finding.rule, finding.subject.place())
}

/// Writes the findings of an audit, a line each, in their order.
pub fn lines(report: &Report) -> Vec<String> {
    report.findings.iter().map(line).collect()
}

/// Holds the findings against the whole list of what is expected.
#[track_caller]
pub fn expect(report: &Report, expected: &[&str]) {
    let found = lines(report);
    if found != expected {
        let detail: Vec<String> = report.findings.iter().map(|f| format!("{}: {}", line(f), f.message)).collect();
        panic!("{}\nfound:\n{}\n\nexpected:\n{}", report.source, detail.join("\n"), expected.join("\n"));
    }
}

/// Returns the only finding of a rule.
#[track_caller]
pub fn only<'r>(report: &'r Report, rule: &str) -> &'r Finding {
    let found: Vec<_> = report.findings.iter().filter(|f| f.rule.name() == rule).collect();
    assert_eq!(found.len(), 1, "{rule}: {:?}", lines(report));
    found[0]
}

/// Makes a SQLite database.
pub fn sqlite(path: &Path, sql: &str) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    connection.execute_batch(sql).unwrap_or_else(|e| panic!("{e}"));
    path.display().to_string()
}
