//! Keeps retired words out of new texts. `tests/words.txt` says how often each file still uses one; a number may only fall.
//!
//! `REFEREE_WRITE_WORDS=1 cargo test --test words` lowers the numbers to what is there; `REFEREE_WRITE_WORDS=merge` writes them
//! as they are, after branches were merged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What was said, and what is said instead. A word stands for itself only, not for what it is a part of.
const RETIRED: &[(&[&str], &str)] = &[
    (&["mend", "mends", "mended", "mending", "unmended"], "fix"),
    (&["repair", "repairs", "repaired", "repairing"], "fix"),
    (&["put right", "puts right", "putting right", "put that right", "put it right"], "fix"),
    (&["anew"], "again; re-plan"),
    (&["way back", "ways back", "leads back", "lead back"], "rollback, undo"),
    (&["brought back", "bring back", "brings back"], "restore"),
    (&["laid aside", "lay aside", "put aside", "puts aside"], "back up; quarantine"),
    (&["stands in the way", "stand in the way", "in the way"], "blocks"),
    (&["on two ways", "in two ways", "comes to"], "reaches X by two paths"),
    (&["heed", "heeds", "heeded", "not to be heard"], "follow, suppress"),
    (&["hold against", "held against", "holds against"], "check against"),
    (&["row without parent", "rows without parent", "row without a parent", "rows without a parent"], "orphan row"),
    (&["without a parent", "parent that never was"], "orphan row; a missing parent"),
    (&["about nothing"], "matches nothing"),
];

const TABLE: &str = "tests/words.txt";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

/// Returns what of Rust code people read: its literals of text, and the comments that are the help of an option.
fn literals(code: &str, help: bool) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            let line = comment.split('\n').next().unwrap_or_default();
            if let Some(doc) = line.strip_prefix('/').filter(|_| help) {
                let _ = writeln!(out, "{doc}");
            }
            rest = &comment[line.len()..];
        } else if let Some(raw) = raw_literal(rest) {
            let _ = writeln!(out, "{}", raw.0);
            rest = raw.1;
        } else if let Some(text) = rest.strip_prefix('"') {
            let end = end_of(text);
            let _ = writeln!(out, "{}", &text[..end]);
            rest = text.get(end + 1..).unwrap_or_default();
        } else if c == '\'' {
            // A character, or a lifetime.
            let length = match rest[1..].strip_prefix('\\') {
                Some(escape) => escape.char_indices().skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| at + 3),
                None => rest[1..]
                    .chars()
                    .next()
                    .filter(|c| rest[1 + c.len_utf8()..].starts_with('\''))
                    .map(|c| c.len_utf8() + 2),
            };
            rest = &rest[length.unwrap_or(1)..];
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn end_of(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Reads `r"…"` or `r#"…"#`: the text, and what follows.
fn raw_literal(code: &str) -> Option<(&str, &str)> {
    let after = code.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let text = after[hashes..].strip_prefix('"')?;
    text.split_once(&format!("\"{}", "#".repeat(hashes)))
}

/// Counts retired words, and names the first.
fn retired(text: &str) -> (usize, BTreeSet<String>) {
    // A literal goes on after `\` and a line break; a word of code stands in backticks.
    let text = text.to_lowercase().replace("\\\n", " ").replace("\\n", " ");
    let text = format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "));
    let (mut count, mut named) = (0, BTreeSet::new());
    for (words, instead) in RETIRED {
        for word in *words {
            let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
            let found = text.match_indices(word).filter(|(at, _)| {
                !part(text[..*at].chars().next_back()) && !part(text[at + word.len()..].chars().next())
            });
            let found = found.count();
            count += found;
            if found > 0 {
                named.insert(format!("\"{word}\" (say: {instead})"));
            }
        }
    }
    (count, named)
}

fn counted() -> BTreeMap<String, (usize, BTreeSet<String>)> {
    let mut all = Vec::new();
    for package in ["src", "cli/src", "web/src"] {
        files(&root().join(package), "rs", &mut all);
    }
    files(&root().join("docs"), "md", &mut all);
    all.push(root().join("README.md"));
    let mut counts = BTreeMap::new();
    for path in all {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap();
        let is_test = name.contains("/tests/")
            || path.file_stem().is_some_and(|s| s == "tests" || s == "samples" || s == "proptests" || s == "testing");
        let read = match name.ends_with(".rs") {
            true if is_test => continue,
            true => literals(text.split("\n#[cfg(test)]\nmod ").next().unwrap(), name.starts_with("cli/src/args/")),
            false => text,
        };
        let found = retired(&read);
        if found.0 > 0 {
            counts.insert(name, found);
        }
    }
    counts
}

#[test]
fn no_text_uses_a_retired_word_more_than_it_did() {
    let table = fs::read_to_string(root().join(TABLE)).unwrap_or_default();
    let allowed: BTreeMap<&str, usize> = table
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(count, file)| Some((file, count.parse().ok()?)))
        .collect();
    let there = counted();
    let write = std::env::var("REFEREE_WRITE_WORDS").unwrap_or_default();
    if !write.is_empty() {
        let mut text = String::new();
        for (file, (count, _)) in &there {
            let limit = if write == "merge" { *count } else { allowed.get(file.as_str()).copied().unwrap_or(0) };
            if limit > 0 {
                let _ = writeln!(text, "{} {file}", limit.min(*count));
            }
        }
        fs::write(root().join(TABLE), text).unwrap();
        return;
    }
    let mut wrong = Vec::new();
    for (file, (count, named)) in &there {
        let limit = allowed.get(file.as_str()).copied().unwrap_or(0);
        if *count > limit {
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            wrong.push(format!("{file}: {count} retired words, {limit} are allowed: {}", named.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "say it in other words (tests/words.rs lists them):\n{}", wrong.join("\n"));
    for (file, limit) in &allowed {
        let count = there.get(*file).map_or(0, |(count, _)| *count);
        if count < *limit {
            wrong.push(format!("{file}: {count}, and {limit} are allowed"));
        }
    }
    assert!(
        wrong.is_empty(),
        "there are fewer retired words; lower the numbers: REFEREE_WRITE_WORDS=1 cargo test --test words\n{}",
        wrong.join("\n")
    );
}

#[test]
fn literals_are_read_and_code_is_not() {
    let code = "// mend\nfn mend<'a>() { '\"'; \"anew \\\" mended\"; r#\"heed \" x\"#; '\\''; \"a\\\n   way\\\n back\"; }\n/// Mends.";
    let (count, named) = retired(&literals(code, false));
    assert_eq!(count, 4, "{named:?}");
    assert_eq!(retired(&literals(code, true)).0, 5);
    assert_eq!(retired("amend, mend_references, `re-anew`").0, 0);
}
