//! Mutated SQL: what the splitter, the reader and the replay promise for any text holds for texts that are almost SQL.
//!
//! The same properties as the fuzz targets in `fuzz/`, on the stable compiler and without coverage. The seeds are the
//! fixtures and the examples of the rules' pages; `tests/fixtures/fuzz/` holds texts that are nothing but trouble. A run is the
//! same each time; `REFEREE_FUZZ_SECONDS=3600 cargo test --test fuzz -- --nocapture` looks for as long, and elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "test code"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use referee::schema::Engine;
use referee::sql::lexer;

#[path = "../fuzz/property.rs"]
mod property;

/// SplitMix64: a stream of numbers that is the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// What turns a statement's meaning around when it stands in a wrong place.
const WORDS: &[&str] = &[
    ";",
    "(",
    ")",
    ",",
    ".",
    "'",
    "\"",
    "`",
    "[",
    "]",
    "$$",
    "$a$",
    "--",
    "/*",
    "*/",
    "/*!50001",
    "/*M!",
    "\\",
    "@",
    "=",
    "::",
    "\n",
    "\r\n",
    "\u{feff}",
    "\u{0}",
    "ä",
    "DELIMITER ;;\n",
    ";;",
    "\n\\.\n",
    "COPY t FROM stdin;",
    "--> statement-breakpoint",
    "-- +goose StatementBegin\n",
    "-- +goose StatementEnd\n",
    "-- referee: ignore all x\n",
    "BEGIN",
    "END",
    "CASE",
    "ATOMIC",
    "CREATE",
    "ALTER",
    "DROP",
    "TABLE",
    "INDEX",
    "IF EXISTS",
    "IF NOT EXISTS",
    "RENAME",
    "TO",
    "COLUMN",
    "CONSTRAINT",
    "FOREIGN KEY",
    "REFERENCES",
    "ON DELETE",
    "SET NULL",
    "CASCADE",
    "PRIMARY KEY",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "PARTITION OF",
    "INHERITS",
    "LIKE",
    "DO",
    "AS",
    "PERIOD",
    "NOT VALID",
    "VALIDATE",
    "TRIGGER",
    "TYPE",
    "DOMAIN",
    "SCHEMA",
    "PRAGMA",
    "USE",
    "COMMENT ON",
    "USING INDEX",
    "E'\\",
    "U&\"",
    "x'",
    "0x",
    "1e",
    "IS",
    "NULL",
];

fn sql_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sql_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "sql" || e == "md") {
            found.push(path);
        }
    }
}

/// The fixtures' cases, and the examples of the rules' pages.
fn seeds() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["tests/fixtures", "docs/rules"] {
        sql_files(&root.join(folder), &mut paths);
    }
    let texts = paths.iter().map(|p| std::fs::read_to_string(p).unwrap_or_default());
    let mut seeds = Vec::new();
    for (path, text) in paths.iter().zip(texts) {
        if path.extension().is_some_and(|e| e == "md") {
            let blocks = text.split("```").skip(1).step_by(2);
            seeds.extend(
                blocks.filter(|b| b.starts_with("sql")).filter_map(|b| Some(b.split_once('\n')?.1.to_string())),
            );
        } else {
            seeds.extend(text.split("-- case").map(str::to_string));
        }
    }
    seeds.retain(|s| !s.trim().is_empty());
    assert!(seeds.len() > 50, "the seeds are gone");
    seeds
}

fn mutate(text: &str, seeds: &[String], numbers: &mut Numbers) -> String {
    let engine = property::ENGINES[numbers.below(property::ENGINES.len())];
    let pieces = |text: &str| -> Vec<String> {
        lexer::tokens(engine, text).into_iter().map(|t| t.text(text).to_string()).collect()
    };
    let mut tokens = pieces(text);
    // A window of a long text: many small texts find more than few large ones.
    if tokens.len() > 400 {
        let start = numbers.below(tokens.len() - 400);
        tokens = tokens[start..start + 400].to_vec();
    }
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(tokens.len());
        let until = (at + numbers.below(6)).min(tokens.len());
        match numbers.below(9) {
            0 => drop(tokens.drain(at..until)),
            1 => {
                let copy = tokens[at..until].to_vec();
                let to = numbers.below(tokens.len() + 1);
                tokens.splice(to..to, copy);
            }
            2 | 3 => tokens.insert(at.min(tokens.len()), format!(" {} ", WORDS[numbers.below(WORDS.len())])),
            4 if at < tokens.len() => tokens[at] = WORDS[numbers.below(WORDS.len())].to_string(),
            5 => {
                let other = pieces(&seeds[numbers.below(seeds.len())]);
                let start = numbers.below(other.len());
                let end = (start + numbers.below(60)).min(other.len());
                tokens.splice(at..at, other[start..end].to_vec());
            }
            6 => tokens.truncate(at),
            7 if at < tokens.len() => {
                let other = numbers.below(tokens.len());
                tokens.swap(at, other);
            }
            _ if at < tokens.len() => {
                let chars: Vec<char> = tokens[at].chars().collect();
                let gone = numbers.below(chars.len());
                tokens[at] = chars.iter().enumerate().filter(|(i, _)| *i != gone).map(|(_, c)| c).collect();
            }
            _ => {}
        }
    }
    tokens.concat()
}

/// Says which text broke a promise, in a form that can be made a file.
fn hold(what: &str, engine: Engine, text: &str, check: impl FnOnce()) {
    if let Err(error) = catch_unwind(AssertUnwindSafe(check)) {
        let message = error.downcast_ref::<String>().cloned();
        let message = message.or_else(|| error.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        panic!("{what} as {engine}: {message}\n{text:?}");
    }
}

fn check(text: &str, engine: Engine) {
    hold("read", engine, text, || property::reads(engine, text));
    hold("replayed", engine, text, || property::replays(engine, text));
}

#[test]
fn texts_that_are_all_trouble_are_none() {
    let mut paths = Vec::new();
    sql_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz"), &mut paths);
    assert!(!paths.is_empty());
    for path in paths {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        property::ENGINES.into_iter().for_each(|engine| check(&text, engine));
    }
}

#[test]
fn mutated_sql_is_split_read_and_replayed() {
    let seconds: u64 = std::env::var("REFEREE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let start = Instant::now();
    let seeds = seeds();
    for seed in &seeds {
        property::ENGINES.into_iter().for_each(|engine| check(seed, engine));
    }
    let mut numbers = Numbers(if seconds == 0 { 1 } else { u64::from(std::process::id()) });
    let mut executions = 0u64;
    while executions < 1_500 || start.elapsed() < Duration::from_secs(seconds) {
        let mut text = seeds[numbers.below(seeds.len())].clone();
        for _ in 0..=numbers.below(3) {
            text = mutate(&text, &seeds, &mut numbers);
        }
        check(&text, property::ENGINES[numbers.below(property::ENGINES.len())]);
        executions += 1;
    }
    eprintln!("{executions} texts, each read and replayed, in {} s", start.elapsed().as_secs());
}
