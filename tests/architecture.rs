//! Checks the library against `ARCHITECTURE.md`: dependencies point one way, and nothing here meets the terminal.

// A test all through: helpers may give up, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/circles.rs"]
mod circles;

/// What every module may use, and what uses none.
const BASE: &[&str] = &["files", "job", "text"];

/// Each module of the library and the modules it may use. `ARCHITECTURE.md` draws the same picture.
const MAY_USE: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("text", &[]),
    ("job", &[]),
    ("schema", &[]),
    ("hints", &["schema"]),
    ("sql", &["schema"]),
    ("change", &["schema", "sql"]),
    ("engine", &["schema", "change", "sql"]),
    ("source", &["schema", "hints", "change", "sql", "engine"]),
    ("demo", &["schema", "engine"]),
    ("relations", &["schema", "sql", "engine"]),
    ("rows", &["schema", "engine", "relations"]),
    ("infer", &["schema", "hints", "engine", "relations", "rows"]),
    ("orphans", &["schema", "engine", "relations", "rows"]),
    ("fate", &["schema", "change", "engine", "relations", "rows", "infer"]),
    ("findings", &["schema", "change", "sql", "source", "relations"]),
    (
        "rules",
        &["schema", "change", "sql", "engine", "source", "relations", "rows", "infer", "fate", "orphans", "findings"],
    ),
    (
        "plan",
        &["schema", "change", "sql", "engine", "relations", "rows", "infer", "fate", "orphans", "findings", "rules"],
    ),
    ("config", &["schema", "relations", "infer", "fate", "rules", "findings"]),
    ("audit", &["schema", "engine", "source", "relations", "infer", "orphans", "findings", "rules"]),
    ("migration", &["schema", "change", "plan"]),
    ("apply", &["schema", "engine", "relations", "plan"]),
    ("verify", &["schema", "change", "engine", "relations", "rows", "orphans", "findings", "rules", "plan"]),
    (
        "app",
        &[
            "schema",
            "hints",
            "change",
            "sql",
            "engine",
            "source",
            "relations",
            "infer",
            "orphans",
            "fate",
            "findings",
            "rules",
            "plan",
            "config",
            "audit",
            "apply",
            "verify",
        ],
    ),
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
            "migration",
            "verify",
        ],
    ),
];

/// Where a branch may ask which engine it is, and why. Everywhere else `Engine::facts()` has the answer.
const MAY_ASK_WHICH_ENGINE: &[(&str, &str)] = &[
    ("engine/", "speaks to it"),
    ("fate/engines/", "finds what a delete comes to on it"),
    ("plan/mod.rs", "finds its recipes"),
    ("schema/engine.rs", "names it"),
    ("schema/facts/", "finds its facts"),
    ("schema/types.rs", "reads the text of its types"),
    ("source/layouts/", "tells from files whose they are"),
    ("source/replay/types.rs", "reads the text of its types"),
    ("sql/", "reads its text"),
    ("relations/predicate.rs", "reads the text of its predicates"),
    ("rules/orphan_rows.rs", "says how rows come past its keys"),
    ("rules/undeclared_foreign_key.rs", "says how a key is declared on it"),
];

/// Where SQL may say when rows of two tables belong together, and why. Everywhere else it is put together from what `rows` writes.
const MAY_JOIN_ROWS: &[(&str, &str)] = &[
    ("engine/", "writes what `rows` asks of it, and asks the catalog"),
    ("plan/servers/backups.rs", "restores references from a backup"),
    ("plan/cockroach/orphans.rs", "restores references from a backup"),
    ("plan/postgres/orphans.rs", "finds the rows of a batch again by their place"),
    ("plan/postgres/returned.rs", "compares rows with their backup"),
    ("plan/sqlite/backup.rs", "restores rows from a backup"),
    ("rows/", "is the writer"),
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

/// The text of a file without what is compiled for unit tests only.
fn without_tests(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix("#[cfg(test)]").filter(|i| i.trim().is_empty()) else {
            kept.push_str(line);
            kept.push('\n');
            continue;
        };
        // The lines keep their numbers.
        kept.push('\n');
        for line in lines.by_ref() {
            kept.push('\n');
            let own = line.strip_prefix(indent).filter(|l| !l.starts_with([' ', '#']));
            if own.is_some_and(|l| l.starts_with('}') || l.ends_with([';', '}'])) {
                break;
            }
        }
    }
    kept
}

/// Every source file with its module and its text without the unit tests.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
            let in_tests = inside.components().any(|c| c.as_os_str() == "tests");
            let is_test = in_tests || path.file_stem().is_some_and(|s| s == "tests" || s == "samples");
            if is_test || matches!(first.as_str(), "lib" | "testing") {
                return None;
            }
            let text = fs::read_to_string(&path).unwrap();
            Some((inside.to_path_buf(), first, without_tests(&text)))
        })
        .collect()
}

/// The code of a line: without comment.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, l)| (i + 1, l)).filter(|(_, l)| !l.trim_start().starts_with("//"))
}

#[test]
fn what_comes_after_a_declaration_of_tests_is_looked_at() {
    let text = "a\n#[cfg(test)]\nmod samples;\nb\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    c\n}\nd\n    #[cfg(test)]\n    fn e() {}\n    f\n";
    assert_eq!(without_tests(text), "a\n\n\nb\n\n\n\n\n\nd\n\n\n    f\n");
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(m, u)| (*m, u.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, module, code) in sources() {
        seen.insert(module.clone());
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
fn the_library_meets_neither_terminal_nor_environment() {
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
    for (path, _, code) in sources() {
        for (number, line) in code_lines(&code) {
            for word in forbidden {
                if line.contains(word) {
                    wrong.push(format!("src/{}:{number}: `{word}` belongs in the package `cli`", path.display()));
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

/// A text with its comments and what stands in its strings as blanks, so that every place stays where it was.
fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let blanks = |part: &str| part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>();
    while let Some(c) = rest.chars().next() {
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            let mut escaped = false;
            let close = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            close.map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\\") || c == '\'' && rest.chars().nth(2) == Some('\'') {
            // A character, no lifetime; after a backslash the first cannot end it.
            let least = if rest.starts_with("'\\") { 3 } else { 2 };
            let close = rest.char_indices().skip(least).find(|(_, c)| *c == '\'');
            close.map_or(rest.len(), |(at, _)| at + 1)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.push_str(&blanks(&rest[..end]));
        rest = &rest[end..];
    }
    out
}

/// Tells whether a value that stands in code from `start` to `end` is compared with something, or is (part of) a pattern: of a
/// `match`, a `let` or a `matches!`. What is handed to a function, or listed, decides nothing.
fn decides(code: &str, start: usize, end: usize) -> bool {
    let (before, after) = (&code[..start], &code[end..]);
    let compares = |s: &str| s.ends_with("==") || s.ends_with("!=");
    if compares(before.trim_end()) || after.trim_start().starts_with("==") || after.trim_start().starts_with("!=") {
        return true;
    }
    // In a pattern: `=>` or `=` follows, and no comma on that level.
    let (mut depth, mut commas, mut last) = (0, Vec::new(), ' ');
    for (at, c) in after.char_indices() {
        let next = after[at + c.len_utf8()..].chars().next();
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' => commas.push(depth),
            ';' | '{' | '}' => break,
            '=' if next == Some('=') || "=!<>+-".contains(last) => {}
            '=' => {
                if !commas.iter().any(|level| *level <= depth) {
                    return true;
                }
                break;
            }
            _ => {}
        }
        last = c;
    }
    // In a `matches!`: go out of the parentheses around it.
    let mut open = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' => open += 1,
            '(' if open > 0 => open -= 1,
            '(' if before[..at].ends_with("matches!") => return true,
            ';' | '}' => return false,
            _ => {}
        }
    }
    false
}

/// The lines of a text in which a branch asks which engine it is.
fn asks_which_engine(text: &str) -> Vec<usize> {
    let code = code_only(text);
    let names = ["Sqlite", "Postgres", "Cockroach", "Mysql", "Mariadb"];
    let mut lines = BTreeSet::new();
    for (start, _) in code.match_indices("Engine::") {
        let name = &code[start + "Engine::".len()..];
        let length = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        // `use …::Engine::{…}` would hide the branches behind it.
        let hidden = matches!(name.chars().next(), Some('{' | '*'));
        if hidden || names.contains(&&name[..length]) && decides(&code, start, start + "Engine::".len() + length) {
            lines.insert(code[..start].matches('\n').count() + 1);
        }
    }
    lines.into_iter().collect()
}

#[test]
fn engines_differ_by_facts() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for (path, _, code) in sources() {
        let place = path.display().to_string();
        // In the file that declares it, the engine is `Self`.
        let code = if place == "schema/engine.rs" || place == "schema/facts/mod.rs" {
            code.replace("Self::", "Engine::")
        } else {
            code
        };
        let lines = asks_which_engine(&code);
        let allowed = MAY_ASK_WHICH_ENGINE.iter().find(|(allowed, _)| place.starts_with(allowed));
        match allowed {
            Some((allowed, _)) if !lines.is_empty() => _ = needed.insert(*allowed),
            Some(_) => {}
            None => wrong.extend(lines.into_iter().map(|n| {
                format!(
                    "src/{place}:{n}: asks which engine it is; take the fact from `Engine::facts()`, or add it there"
                )
            })),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let idle: Vec<_> = MAY_ASK_WHICH_ENGINE.iter().filter(|(allowed, _)| !needed.contains(allowed)).collect();
    assert!(idle.is_empty(), "MAY_ASK_WHICH_ENGINE names places that ask no more: {idle:?}");
}

/// Tells whether a line writes a condition between rows of two tables: a join, a subquery that looks for a row, or a comparison of
/// a column of one with a column of the other.
fn joins_rows(line: &str) -> bool {
    let written = ["EXISTS (SELECT 1 FROM {", " JOIN {", "IS NOT DISTINCT FROM {", ".tableoid = ", ".ctid = "];
    let column = |text: &str| {
        let text = text.trim_start_matches('+');
        let name = text.split('.').next().unwrap_or_default();
        let is_row = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_{}".contains(c));
        is_row && text[name.len()..].starts_with(".{")
    };
    let compared = line.match_indices(" = ").any(|(at, _)| {
        let left = line[..at].rsplit([' ', '"', '(']).next().unwrap_or_default();
        column(left) && left.ends_with('}') && column(&line[at + 3..])
    });
    compared || written.iter().any(|w| line.contains(w))
}

#[test]
fn one_room_writes_when_rows_belong_together() {
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for (path, _, code) in sources() {
        let place = path.display().to_string();
        let lines: Vec<usize> = code_lines(&code).filter(|(_, line)| joins_rows(line)).map(|(n, _)| n).collect();
        match MAY_JOIN_ROWS.iter().find(|(allowed, _)| place.starts_with(allowed)) {
            Some((allowed, _)) if !lines.is_empty() => _ = needed.insert(*allowed),
            Some(_) => {}
            None => wrong.extend(lines.into_iter().map(|n| format!("src/{place}:{n}: let `rows` write the condition"))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let idle: Vec<_> = MAY_JOIN_ROWS.iter().filter(|(allowed, _)| !needed.contains(allowed)).collect();
    assert!(idle.is_empty(), "MAY_JOIN_ROWS names places that join no rows: {idle:?}");
}

#[test]
fn conditions_between_rows_are_told_from_others() {
    for line in [
        r#"format!("NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {equal})")"#,
        r#"format!("FROM {child} AS c JOIN {parent} AS p ON {equal}")"#,
        r#"format!("c.{column} = p.{key}")"#,
        r#"format!("{row}.{c} = +{other}.{c}")"#,
        r#"format!("child.tableoid = gone.part AND child.ctid = gone.place")"#,
    ] {
        assert!(joins_rows(line), "{line}");
    }
    for line in [
        r#"format!("EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = {oid})")"#,
        r#"format!("{column} = NULL")"#,
        r#"format!("{c} = kept.{c}")"#,
        r#"format!("x.{column} = {value}")"#,
    ] {
        assert!(!joins_rows(line), "{line}");
    }
}

#[test]
fn branches_on_engines_are_told_from_what_is_handed_on() {
    for branch in [
        "if engine == Engine::Sqlite {}",
        "let x = Engine::Postgres != engine;",
        "match e { Engine::Mysql | Engine::Mariadb => 1, _ => 2 }",
        "match (e, sure) { (Engine::Sqlite, true) => 1, _ => 2 }",
        "match e {\n  Engine::Sqlite if has(a, b) => 1,\n  _ => 2 }",
        "match e { Some(Engine::Mysql) => 1, _ => 2 }",
        "if matches!(schema.engine, Engine::Postgres) {}",
        "if let (Self::A { column, .. }, Engine::Sqlite) = (self, engine) {}",
        "use crate::schema::Engine::{self, Sqlite};",
    ] {
        assert!(!asks_which_engine(branch).is_empty(), "{branch}");
    }
    for value in [
        "let all = tokens(Engine::Sqlite, text);",
        "match x { A => read(Engine::Sqlite), B => 2 }",
        "match x { A => read(a, Engine::Sqlite),\n B => 2 }",
        "static META: Meta = Meta { engines: &[Engine::Sqlite, Engine::Postgres], page: \"\" };",
        "// if engine == Engine::Sqlite",
        "let text = \"engine == Engine::Sqlite\";",
        "fn engine(&self) -> Engine { Engine::Sqlite }",
        "match word { \"pg\" => Some(Engine::Postgres), _ => None }",
        "let same = a == b; f(Engine::Sqlite, x == y);",
    ] {
        assert!(asks_which_engine(value).is_empty(), "{value}");
    }
}
