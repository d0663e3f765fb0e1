//! Names that try to be something else: commands to a terminal, Markdown, HTML, lines of SQL, marks of migration tools.

use rusqlite::Connection;

use crate::cli::support::Sandbox;

const PARENT: &str = "x\u{1b}]0;pwn\u{7}\u{202e}`|**b**<img src=x onerror=alert(1)>\n-- +goose Down\nDROP TABLE z;";
const CHILD: &str = "migrate:down kid";
const COLUMN: &str = "[l](http://e)\u{9b}2J\u{200b} \u{7f}p\n::error::_id";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let connection = Connection::open(sandbox.path("hostile.db")).unwrap();
    let (parent, child, column) = (quoted(PARENT), quoted(CHILD), quoted(COLUMN));
    connection
        .execute_batch(&format!(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE {parent} (id INTEGER PRIMARY KEY);
             CREATE TABLE {child} (id INTEGER PRIMARY KEY, {column} INTEGER NOT NULL REFERENCES {parent} ON DELETE SET NULL);
             CREATE TABLE z (id INTEGER PRIMARY KEY, p INTEGER REFERENCES {parent}, t TEXT NOT NULL REFERENCES {child});
             INSERT INTO {child} VALUES (1, 99);
             INSERT INTO z VALUES (1, 1, 'a' || char(27) || '[31m');"
        ))
        .unwrap();
    sandbox
}

const FORMATS: &[(&[&str], &[&str])] = &[
    (&["audit", "hostile.db", "--data"], &["text", "json", "sarif", "markdown", "github", "gitlab", "junit", "html"]),
    (&["graph", "hostile.db"], &["tree", "mermaid", "dot", "svg", "json"]),
    (&["fate", "hostile.db"], &["text", "json", "markdown"]),
    (&["fate", "hostile.db", PARENT], &["text", "json", "markdown", "mermaid", "svg"]),
    (&["fate", "hostile.db", PARENT, "--where", "id > 0", "--count"], &["text", "json", "markdown"]),
    (&["infer", "hostile.db"], &["text", "json", "markdown"]),
    (&["schema", "hostile.db"], &["text", "json"]),
    (&["fix", "hostile.db", "--orphans", "delete", "--manual"], &["text", "json", "markdown", "sql"]),
];

fn commands(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202e}' | '\u{200b}')
}

#[test]
fn no_name_commands_the_terminal() {
    let sandbox = sandbox();
    for (verb, formats) in FORMATS {
        for format in *formats {
            for more in [&["--verbose"][..], &[]] {
                let run = sandbox.run(&[*verb, &["--format", format][..], more].concat());
                assert!(run.code < 2, "{verb:?} {format}: {}", run.err);
                for text in [&run.out, &run.err] {
                    assert!(!text.contains(commands), "{verb:?} {format}: {text:?}");
                }
            }
        }
    }
    let run = sandbox.run(&["audit", "hostile.db", "--color", "always"]);
    let plain = run.out.split("\u{1b}[").map(|p| p.split_once('m').map_or("", |(_, rest)| rest)).collect::<String>();
    assert!(!plain.contains(commands), "{plain:?}");
    let run = sandbox.run(&["fix", "hostile.db", "--apply", "--yes", "--orphans", "delete"]);
    assert!(!run.out.contains(commands) && !run.err.contains(commands), "{}{}", run.out, run.err);
}

#[test]
fn json_names_things_as_they_are_called() {
    let sandbox = sandbox();
    let schema: serde_json::Value =
        serde_json::from_str(&sandbox.run(&["schema", "hostile.db", "--format", "json"]).out).unwrap();
    let text = schema.to_string();
    assert!(text.contains("\u{202e}") && text.contains("\u{200b}"), "{text}");
}

#[test]
fn no_name_is_markdown_or_html() {
    let sandbox = sandbox();
    for (verb, formats) in FORMATS.iter().filter(|(_, f)| f.contains(&"markdown")) {
        let run = sandbox.run(&[*verb, &["--format", "markdown"][..]].concat());
        assert!(formats.contains(&"markdown") && run.code < 2, "{verb:?}: {}", run.err);
        let mut fence: Option<String> = None;
        for line in run.out.lines() {
            let ticks: String = line.chars().take_while(|c| *c == '`').collect();
            match &fence {
                Some(open) if line == open => fence = None,
                None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
                Some(_) => continue,
                None => {}
            }
            let outside = outside_of_code(line);
            for markup in ["<img", "**b**", "](http", "[l]"] {
                assert!(!outside.contains(markup), "{verb:?}: {markup} in {line}");
            }
            assert!(!line.starts_with("DROP TABLE") && !line.starts_with("-- +goose"), "{verb:?}: {line}");
        }
        assert_eq!(fence, None, "{verb:?}: a block is not closed");
    }
    let html = sandbox.run(&["audit", "hostile.db", "--format", "html"]).out;
    assert!(!html.contains("<img"));
}

/// What of a line a reader of Markdown does not take for code (CommonMark §6.1), with what is escaped taken out.
fn outside_of_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            rest = &rest[1 + rest[1..].chars().next().map_or(0, char::len_utf8)..];
        } else if c == '`' {
            let ticks: String = rest.chars().take_while(|c| *c == '`').collect();
            let after = &rest[ticks.len()..];
            let closes = |at: &usize| !after[..*at].ends_with('`') && !after[at + ticks.len()..].starts_with('`');
            let end = after.match_indices(&ticks).map(|(at, _)| at).find(closes);
            rest = end.map_or(after, |at| &after[at + ticks.len()..]);
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[test]
fn annotations_are_one_line_each() {
    let run = sandbox().run(&["audit", "hostile.db", "--data", "--format", "github"]);
    assert!(run.out.lines().count() > 3, "{}", run.out);
    for line in run.out.lines() {
        assert!(["::error ", "::warning ", "::notice "].iter().any(|c| line.starts_with(c)), "{line}");
    }
}

#[test]
fn sql_holds_no_name_as_a_line_that_runs() {
    let sandbox = sandbox();
    let arguments = ["fix", "hostile.db", "--orphans", "delete", "--manual", "--format", "sql"];
    let printed = sandbox.run(&arguments).out;
    // On a terminal such statements would name something else; nothing of them may run.
    assert!(printed.contains("NOT RUN FROM HERE"), "{printed}");
    for line in printed.lines() {
        assert!(!line.contains("DROP TABLE z") || line.starts_with("--"), "{line}");
    }
    // A file holds them exactly, and runs.
    let run = sandbox.run(&[&arguments[..], &["-o", "plan.sql"]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    let sql = sandbox.read("plan.sql");
    assert!(sql.contains(PARENT), "{sql}");
    let connection = Connection::open(sandbox.path("hostile.db")).unwrap();
    // A word of sqlite3's.
    connection.execute_batch(&sql.replace("\n.bail on\n", "\n")).unwrap();
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'z'";
    assert_eq!(connection.query_row(there, [], |r| r.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn no_comment_of_a_migration_is_a_mark_of_its_tool() {
    let sandbox = sandbox();
    for (tool, mark) in
        [("sql", ""), ("dbmate", "migrate:"), ("goose", "+goose"), ("drizzle", "> statement-breakpoint")]
    {
        let folder = format!("{tool}-files");
        std::fs::create_dir(sandbox.path(&folder)).unwrap();
        let run = sandbox.run(&[
            "fix",
            "hostile.db",
            "--orphans",
            "delete",
            "--only",
            "unindexed-foreign-key,orphan-rows",
            "--out",
            &folder,
            "--layout",
            tool,
        ]);
        // A statement that holds a tool's mark cannot be written for it.
        if run.code == 2 {
            assert!(run.err.contains("a mark of its own"), "{tool}: {}", run.err);
            continue;
        }
        assert_eq!(run.code, 0, "{tool}: {}", run.err);
        for entry in std::fs::read_dir(sandbox.path(&folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.extension().is_some_and(|e| e != "sql") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let comments = text.lines().filter_map(|l| l.strip_prefix("--")).map(str::trim_start);
            let marks = comments.filter(|c| !mark.is_empty() && c.starts_with(mark));
            let known =
                ["migrate:up", "migrate:down", "migrate:up transaction:false", "migrate:down transaction:false"];
            for found in marks.filter(|m| !m.starts_with('>')) {
                assert!(known.contains(&found.trim()), "{tool}: {found}");
            }
        }
    }
}

#[test]
fn a_condition_that_the_database_cannot_read_is_an_error() {
    let sandbox = sandbox();
    for more in [&["--count"][..], &[]] {
        let run = sandbox.run(&[&["fate", "hostile.db", "z", "--where", "nonsense = 1"], more].concat());
        assert_eq!(run.code, 2, "{}{}", run.out, run.err);
        assert!(run.err.contains("nonsense"), "{}", run.err);
        assert_eq!(sandbox.run(&[&["fate", "hostile.db", "z", "--where", "p = 1"], more].concat()).code, 0);
    }
    let shop = Sandbox::with_shop();
    let run = shop.run(&["fate", "shop.json", "orders", "--where", "nonsense = 1"]);
    assert!(run.code == 0 && run.err.contains("--where was not checked"), "{}", run.err);
}
