//! Holds the documentation against the program: the index of rules, the table of contents, the examples of `referee.toml`.
//!
//! `REFEREE_WRITE_DOCS=1 cargo test --test docs` rewrites what is generated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use referee::config;
use referee::rules;
use referee::schema::Engine;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn read(path: &str) -> String {
    fs::read_to_string(docs().join(path)).unwrap_or_else(|e| panic!("docs/{path}: {e}"))
}

/// Compares a generated page with the one that is there, or writes it.
fn hold(path: &str, text: &str) {
    if std::env::var_os("REFEREE_WRITE_DOCS").is_some_and(|v| v == "1") {
        fs::write(docs().join(path), text).unwrap();
    }
    let there = fs::read_to_string(docs().join(path)).unwrap_or_default();
    assert!(there == text, "docs/{path} is out of date: REFEREE_WRITE_DOCS=1 cargo test --test docs");
}

fn engines(engines: &[Engine]) -> String {
    if rules::EVERY_ENGINE.iter().all(|e| engines.contains(e)) {
        return "all".to_string();
    }
    engines.iter().map(|e| e.title()).collect::<Vec<_>>().join(", ")
}

#[test]
fn index_of_rules_is_up_to_date() {
    let mut text = String::from(
        "# Rules\n\nEvery rule has a page with an example that it finds and one that it does not; both are run on the real \
         engines by\nthe tests. `referee explain RULE` prints the page, by name or by code.\n\n\
         | Code | Rule | Severity | Engines | What it finds |\n|---|---|---|---|---|\n",
    );
    for rule in rules::ALL {
        let meta = rule.meta;
        let needs = if meta.needs_data { " (with `--data`)" } else { "" };
        let _ = writeln!(
            text,
            "| {} | [{name}]({name}.md) | {} | {} | {}{needs} |",
            meta.code,
            meta.severity.name(),
            engines(meta.engines),
            meta.summary.replace('|', "\\|"),
            name = meta.name,
        );
    }
    text.push_str(
        "\nThe severity is the usual one; a finding can have another where the page says so. `referee rules --format json` \
         lists\nthe same for programs.\n",
    );
    hold("rules/README.md", &text);
}

#[test]
fn table_of_contents_is_up_to_date_and_whole() {
    let mut text = String::from(
        "# Summary\n\n[referee](introduction.md)\n\n- [Sources](sources.md)\n- [Auditing](audit.md)\n- [Linting migrations](lint.md)\n- [Fate](fate.md)\n- [Fixing](fix.md)\n- [Inference](infer.md)\n- [The graph](graph.md)\n\
         - [Configuration](configuration.md)\n- [In CI](ci.md)\n- [Rules](rules/README.md)\n",
    );
    for rule in rules::ALL {
        let _ = writeln!(text, "  - [{name}](rules/{name}.md)", name = rule.meta.name);
    }
    hold("SUMMARY.md", &text);
    for directory in ["", "rules"] {
        for entry in fs::read_dir(docs().join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "md") && !path.ends_with("SUMMARY.md") {
                let name = path.strip_prefix(docs()).unwrap().display().to_string();
                assert!(text.contains(&format!("({name})")), "docs/{name} is not in SUMMARY.md");
            }
        }
    }
}

/// Returns the fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|l| !l.starts_with("```")).collect();
            if info.split_whitespace().next() == Some(language) {
                found.push(body.join("\n"));
            }
        }
    }
    found
}

#[test]
fn every_example_of_referee_toml_is_accepted_and_every_key_is_shown() {
    let mut all = String::new();
    for page in ["configuration.md", "audit.md", "ci.md"] {
        for example in blocks(&read(page), "toml") {
            config::parse("referee.toml", &example).unwrap_or_else(|e| panic!("docs/{page}: {e:?}\n{example}"));
            all.push_str(&example);
            all.push('\n');
        }
    }
    let schema = config::json_schema();
    let tables = schema["$defs"].as_object().unwrap().values().filter_map(|d| d["properties"].as_object());
    for key in tables.flat_map(|p| p.keys()) {
        assert!(all.contains(&format!("{key} =")), "no example shows the key `{key}`");
    }
    for section in schema["properties"].as_object().unwrap().keys() {
        assert!(all.contains(&format!("[{section}]")), "no example shows [{section}]");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in ["introduction.md", "sources.md", "audit.md", "graph.md", "fix.md", "configuration.md", "ci.md"] {
        let text = read(page);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                assert!(docs().join(file).is_file(), "docs/{page}: {target}");
            }
        }
    }
}
