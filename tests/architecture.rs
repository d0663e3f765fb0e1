//! Holds the code against `ARCHITECTURE.md`: dependencies point one way, and only `cli` meets the terminal.

// A test all through: helpers may give up, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What every module may use, and what uses none.
const BASE: &[&str] = &["files", "text"];

/// Each module of the library and the modules it may use. `ARCHITECTURE.md` draws the same picture.
const MAY_USE: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("text", &[]),
    ("schema", &[]),
    ("hints", &["schema"]),
    ("sql", &["schema"]),
    ("change", &["schema", "sql"]),
    ("engine", &["schema", "change", "sql"]),
    ("source", &["schema", "hints", "change", "sql", "engine"]),
    ("demo", &["schema", "engine"]),
    ("relations", &["schema", "engine"]),
    ("infer", &["schema", "hints", "engine", "relations"]),
    ("orphans", &["schema", "engine", "relations"]),
    ("fate", &["schema", "change", "engine", "relations", "infer"]),
    ("findings", &["schema", "change", "sql", "source", "relations"]),
    ("rules", &["schema", "change", "sql", "engine", "source", "relations", "infer", "fate", "orphans", "findings"]),
    ("plan", &["schema", "change", "sql", "engine", "relations", "infer", "fate", "orphans", "findings", "rules"]),
    ("config", &["schema", "relations", "infer", "fate", "rules", "findings"]),
    ("audit", &["schema", "engine", "source", "relations", "infer", "orphans", "findings", "rules"]),
    ("migration", &["schema", "change", "plan"]),
    ("apply", &["schema", "engine", "plan"]),
    ("verify", &["schema", "change", "engine", "relations", "orphans", "findings", "rules", "plan"]),
    (
        "render",
        &[
            "schema",
            "hints",
            "change",
            "source",
            "relations",
            "infer",
            "fate",
            "orphans",
            "findings",
            "rules",
            "audit",
            "plan",
            "verify",
        ],
    ),
];

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its module and its text up to the unit tests.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
            let is_test = path.file_stem().is_some_and(|s| s == "tests" || s == "samples");
            if is_test || matches!(first.as_str(), "lib" | "main" | "testing") {
                return None;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]").next().unwrap_or_default().to_string();
            Some((inside.to_path_buf(), first, code))
        })
        .collect()
}

/// The code of a line: without comment.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, l)| (i + 1, l)).filter(|(_, l)| !l.trim_start().starts_with("//"))
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(m, u)| (*m, u.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, module, code) in sources() {
        seen.insert(module.clone());
        if module == "cli" {
            continue;
        }
        let Some(may) = allowed.get(module.as_str()) else {
            wrong.push(format!("src/{}: module `{module}` is in no layer; add it to MAY_USE", path.display()));
            continue;
        };
        for (number, line) in code_lines(&code) {
            for used in line.split("crate::").skip(1) {
                let grouped = used.strip_prefix('{').map(|g| g.split('}').next().unwrap_or_default());
                let names: Vec<&str> = match grouped {
                    Some(group) => group.split(',').map(str::trim).collect(),
                    None => vec![used],
                };
                for name in names {
                    let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                    let base = BASE.contains(&name) && !BASE.contains(&module.as_str());
                    if !name.is_empty() && name != module && !base && !may.contains(name) {
                        wrong.push(format!("src/{}:{number}: `{module}` must not use `{name}`", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unknown: Vec<_> = allowed.keys().filter(|m| !seen.contains(**m)).collect();
    assert!(unknown.is_empty(), "MAY_USE names modules that are gone: {unknown:?}");
}

#[test]
fn layers_form_no_circle() {
    for (position, (module, uses)) in MAY_USE.iter().enumerate() {
        for used in *uses {
            let at = MAY_USE.iter().position(|(m, _)| m == used).expect(used);
            assert!(at < position, "`{module}` uses `{used}`, which comes later in MAY_USE");
        }
    }
}

#[test]
fn only_cli_meets_the_terminal_and_the_environment() {
    let forbidden = [
        "println!",
        "print!(",
        "eprintln!",
        "eprint!(",
        "std::env",
        "env::var",
        "process::exit",
        "io::stdin",
        "io::stdout",
        "io::stderr",
    ];
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        if module == "cli" {
            continue;
        }
        for (number, line) in code_lines(&code) {
            for word in forbidden {
                if line.contains(word) {
                    wrong.push(format!("src/{}:{number}: `{word}` belongs in `cli`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, _, code)| !code.starts_with("//!"))
        .map(|(path, _, _)| format!("src/{}", path.display()))
        .collect();
    assert!(silent.is_empty(), "no //! at the top of: {}", silent.join(", "));
}
