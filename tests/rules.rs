//! Runs the examples on the rules' pages on the real engines: what a page says a rule finds, it finds.
//!
//! A fenced block ` ```sql ENGINE finds|clean [data] [pg15] [pg18] [foreign-keys-on] ` is run on a fresh database, which is
//! then audited. A ` ```toml ` block right before it is the configuration.
//!
//! With the word `migration` the text itself is judged: lines such as `-- 0002_name.sql` begin its files. It is still run on
//! the real engine, which must accept it; or refuse it, if the word `fails` is there. `mysql` is judged only.

// A test all through: helpers may give up, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;

use mysql::prelude::Queryable;
use referee::audit::{self, Options};
use referee::config;
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::orphans::ScanOptions;
use referee::render::json;
use referee::rules::{self, Settings};
use referee::schema::Engine;
use referee::source::history::{File, Migration, Place};
use referee::source::replay::replay;
use referee::source::{Input, Source};
use referee::sql::Span;

struct Example {
    page: String,
    line: usize,
    engine: Engine,
    finds: bool,
    words: Vec<String>,
    sql: String,
    config: Option<String>,
}

fn examples() -> Vec<Example> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    let mut found = Vec::new();
    for rule in rules::ALL {
        let page = rule.meta.name.to_string();
        let text = fs::read_to_string(directory.join(format!("{page}.md"))).unwrap();
        let mut config = None;
        let mut block: Option<(usize, String, Vec<&str>)> = None;
        for (number, line) in text.lines().enumerate() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(info)) => block = Some((number + 1, info.trim().to_string(), Vec::new())),
                (Some(_), Some(_)) => {
                    let (line, info, body) = block.take().unwrap();
                    let mut words = info.split_whitespace().map(ToString::to_string);
                    match words.next().as_deref() {
                        Some("toml") => config = Some(body.join("\n")),
                        Some("sql") => {
                            let engine = match words.next().as_deref() {
                                Some("sqlite") => Engine::Sqlite,
                                Some("postgres") => Engine::Postgres,
                                Some("mysql") => Engine::Mysql,
                                Some("mariadb") => Engine::Mariadb,
                                // A block without engine is an excerpt, not an example.
                                _ => continue,
                            };
                            let finds = match words.next().as_deref() {
                                Some("finds") => true,
                                Some("clean") => false,
                                other => panic!("{page}.md:{line}: `finds` or `clean` expected, found {other:?}"),
                            };
                            let (sql, words) = (body.join("\n"), words.collect());
                            let config = config.take();
                            found.push(Example { page: page.clone(), line, engine, finds, words, sql, config });
                        }
                        _ => {}
                    }
                }
                (Some((_, _, body)), None) => body.push(line),
                (None, None) => {}
            }
        }
    }
    found
}

impl Example {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    /// The files of a migration example, each with its name.
    fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![("0000.sql".to_string(), String::new())];
        for line in self.sql.lines() {
            let name =
                line.strip_prefix("-- ").filter(|n| n.ends_with(".sql") && n.starts_with(|c: char| c.is_ascii_digit()));
            match name {
                Some(name) => files.push((name.to_string(), String::new())),
                None => {
                    let (_, text) = files.last_mut().unwrap();
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        files.retain(|(_, text)| !text.trim().is_empty());
        files
    }

    /// What is run to get there.
    fn up(&self) -> Vec<String> {
        if !self.has("migration") {
            return vec![self.sql.clone()];
        }
        self.files().into_iter().filter(|(name, _)| !name.ends_with(".down.sql")).map(|(_, text)| text).collect()
    }

    /// Reads the text as migrations.
    fn replayed(&self) -> Input {
        let files: Vec<File> = self.files().into_iter().map(|(path, text)| File { path, text }).collect();
        let place = |file: usize| Place { file, span: Span::new(0, files[file].text.len()) };
        let mut migrations = Vec::new();
        for (number, file) in files.iter().enumerate() {
            if file.path.ends_with(".down.sql") {
                continue;
            }
            let down = file.path.replace(".up.sql", ".down.sql");
            let down = files.iter().position(|f| f.path == down && f.path != file.path);
            migrations.push(Migration {
                name: file.path.clone(),
                up: place(number),
                down: down.map(place),
                reversible: file.path.ends_with(".up.sql"),
                transaction: false,
                base: false,
            });
        }
        let (schema, history) = replay(self.engine, files.clone(), migrations);
        Input { label: self.page.clone(), schema, session: None, history, hints: Vec::new() }
    }
}

fn run(example: &Example, source: &str) -> Result<(), String> {
    let config = config::parse("referee.toml", example.config.as_deref().unwrap_or_default())
        .map_err(|e| format!("its configuration is refused: {e:?}"))?;
    let input = if example.has("migration") {
        example.replayed()
    } else {
        let input = Source::parse(source).map_err(|e| e.to_string())?;
        input.open(&SessionOptions::default()).map_err(|e| e.to_string())?
    };
    let has = |word: &str| example.has(word);
    let options = Options {
        relations: config.resolve(&input.schema).relations,
        threshold: 0.5,
        guesses: referee::audit::Guesses::Judged,
        settings: Settings {
            policies: config.policies(),
            deletes: config.deletes(),
            foreign_keys: has("foreign-keys-on").then_some(true),
        },
        rules: rules::ALL.iter().collect(),
        tables: Vec::new(),
        data: has("data").then_some(ScanOptions { samples: 5 }),
        budget: std::time::Duration::from_secs(30),
        verify_indexes: false,
        migrations: has("migration"),
        suppressions: Vec::new(),
    };
    let report = audit::audit(input, options, &Context::default()).map_err(|e| e.to_string())?;
    let written = json::render(&report);
    let read = json::Document::read(&written).map_err(|e| format!("its findings cannot be read back: {e}"))?;
    if *read.findings != *report.findings || read.write() != written {
        return Err(format!("its findings are read back as others: {:#?}", read.findings));
    }
    let fired: Vec<&str> =
        report.findings.iter().filter(|f| f.rule.name() == example.page).map(|f| f.message.as_str()).collect();
    match (example.finds, fired.is_empty()) {
        (true, true) => Err("the rule does not fire".to_string()),
        (false, false) => Err(format!("the rule fires: {}", fired.join("; "))),
        _ => Ok(()),
    }
}

fn check(engine: Engine, mut source_of: impl FnMut(&Example) -> Option<String>) {
    let examples: Vec<Example> = examples().into_iter().filter(|e| e.engine == engine).collect();
    let mut failures = Vec::new();
    let mut ran = 0;
    for example in &examples {
        let Some(source) = source_of(example) else { continue };
        ran += 1;
        if let Err(why) = run(example, &source) {
            failures.push(format!("docs/rules/{}.md:{}: {why}", example.page, example.line));
        }
    }
    assert!(ran > if servers(engine) { 20 } else { 1 }, "only {ran} examples ran");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn sqlite_examples_hold() {
    let directory = tempfile::tempdir().unwrap();
    let mut number = 0;
    check(Engine::Sqlite, |example| {
        number += 1;
        let path = directory.path().join(format!("{number}.db"));
        let connection = rusqlite::Connection::open(&path).unwrap();
        let on = example.has("migration") && example.has("foreign-keys-on");
        connection.execute_batch(&format!("PRAGMA foreign_keys = {}", u8::from(on))).unwrap();
        let done = example.up().iter().try_for_each(|text| connection.execute_batch(text));
        assert_eq!(done.is_err(), example.has("fails"), "docs/rules/{}.md:{}: {done:?}", example.page, example.line);
        Some(path.display().to_string())
    });
}

#[test]
fn postgres_examples_hold() {
    for server in support::postgres::servers() {
        check(Engine::Postgres, |example| {
            let needs = |word: &str, version: u32| example.words.iter().any(|w| w == word) && server.major < version;
            if needs("pg15", 15) || needs("pg18", 18) {
                return None;
            }
            let url = server.fresh_database();
            let mut connection = support::postgres::connect(&url);
            let done = example.up().iter().try_for_each(|text| connection.batch_execute(text));
            let why = done
                .as_ref()
                .err()
                .map(|error| error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_string()));
            let place = format!("docs/rules/{}.md:{} on PostgreSQL {}", example.page, example.line, server.major);
            assert_eq!(done.is_err(), example.has("fails"), "{place}: {why:?}");
            Some(url)
        });
    }
}

fn servers(engine: Engine) -> bool {
    matches!(engine, Engine::Sqlite | Engine::Postgres)
}

#[test]
fn mariadb_examples_hold() {
    let server = support::mariadb::server();
    check(Engine::Mariadb, |example| {
        let database = server.fresh_database();
        let mut connection = server.connect().unwrap();
        connection.query_drop(format!("USE {database}")).unwrap();
        let done = example.up().iter().try_for_each(|text| support::mariadb::execute(&mut connection, text));
        assert_eq!(done.is_err(), example.has("fails"), "docs/rules/{}.md:{}: {done:?}", example.page, example.line);
        // referee cannot read the server yet: only what is judged from the text can be an example.
        assert!(example.has("migration"), "docs/rules/{}.md:{}", example.page, example.line);
        Some(example.page.clone())
    });
}

#[test]
fn examples_of_engines_without_a_server_here_hold() {
    check(Engine::Mysql, |example| Some(example.page.clone()));
}

#[test]
fn every_page_has_the_headings_and_both_kinds_of_example() {
    let examples = examples();
    for rule in rules::ALL {
        let page = rule.meta.page;
        let name = rule.meta.name;
        assert!(page.starts_with(&format!("# {name}\n")), "{name}: the title");
        let mut at = 0;
        for heading in ["What it finds", "Why it hurts", "Example", "Use instead", "What to do", "References"] {
            let place = page[at..].find(&format!("\n## {heading}\n"));
            at += place.unwrap_or_else(|| panic!("{name}: `## {heading}` is missing or out of order"));
        }
        for finds in [true, false] {
            let some = examples.iter().any(|e| e.page == name && e.finds == finds);
            assert!(some, "{name}: no example that {}", if finds { "finds" } else { "is clean" });
        }
    }
}

#[test]
fn codes_and_names_are_unique_and_sorted() {
    let codes: Vec<&str> = rules::ALL.iter().map(|r| r.meta.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    let mut names: Vec<&str> = rules::ALL.iter().map(|r| r.meta.name).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}
