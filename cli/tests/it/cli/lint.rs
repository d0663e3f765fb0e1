//! `referee lint`: lines, suppression by comments, and what a branch brings.

use std::process::Command;

use crate::cli::support::Sandbox;

const BASE: &str = "CREATE TABLE workspaces (id uuid PRIMARY KEY);\nCREATE TABLE users (id uuid PRIMARY KEY);\n";
const ADD: &str = "ALTER TABLE users ADD COLUMN workspace_id uuid\n  REFERENCES workspaces (id) ON DELETE SET NULL;\n\
                   CREATE INDEX CONCURRENTLY users_ws ON users (workspace_id);\n";
const REQUIRE: &str = "-- everybody has one\nALTER TABLE users\n  ALTER COLUMN workspace_id SET NOT NULL;\n";

/// The contradiction of three migrations, each right by itself.
fn workspaces() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("migrations")).unwrap();
    sandbox.write("migrations/0001_base.sql", BASE);
    sandbox.write("migrations/0002_workspace.sql", ADD);
    sandbox.write("migrations/0003_required.sql", REQUIRE);
    sandbox
}

fn lint(sandbox: &Sandbox, more: &[&str]) -> crate::cli::support::Run {
    sandbox.run(&[&["lint", "migrations", "--engine", "postgres"], more].concat())
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn rules_of(json: &str) -> Vec<(String, String, u64)> {
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let place = |f: &serde_json::Value| {
        let at = &f["locations"][0];
        (
            f["rule"].as_str().unwrap().to_string(),
            at["file"].as_str().unwrap_or_default().to_string(),
            at["line"].as_u64().unwrap_or_default(),
        )
    };
    findings.iter().map(place).collect()
}

#[test]
fn a_contradiction_stands_at_the_line_that_creates_it_and_shows_both_sides() {
    let sandbox = workspaces();
    let run = lint(&sandbox, &["--only", "not-null-added-under-set-null,set-null-on-not-null", "--ascii"]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.out.contains("migrations/0003_required.sql:3:3"), "{}", run.out);
    assert!(run.out.contains("migrations/0002_workspace.sql:2:"), "{}", run.out);
    assert!(run.out.contains("ON DELETE SET NULL"), "{}", run.out);
    assert!(!run.out.contains("REF201"), "the same is not said twice: {}", run.out);

    let json = lint(&sandbox, &["--only", "set-null-on-not-null", "--format", "json"]);
    let expected = ("set-null-on-not-null".to_string(), "migrations/0003_required.sql".to_string(), 3);
    assert_eq!(rules_of(&json.out), [expected], "the schema's own rule, asked alone, finds the same line");

    let github = lint(&sandbox, &["--only", "not-null-added-under-set-null", "--format", "github"]);
    assert!(github.out.starts_with("::error file=migrations/0003_required.sql,line=3,"), "{}", github.out);
    let gitlab = lint(&sandbox, &["--only", "not-null-added-under-set-null", "--format", "gitlab"]);
    let gitlab: serde_json::Value = serde_json::from_str(&gitlab.out).unwrap();
    assert_eq!(gitlab[0]["location"]["lines"]["begin"], 3);
    let sarif = lint(&sandbox, &["--only", "not-null-added-under-set-null", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&sarif.out).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
    let other = &result["relatedLocations"][0]["physicalLocation"];
    assert_eq!(other["artifactLocation"]["uri"], "migrations/0002_workspace.sql");
}

#[test]
fn fingerprints_do_not_move_with_lines() {
    let sandbox = workspaces();
    let print = |sandbox: &Sandbox| {
        let run = lint(sandbox, &["--only", "not-null-added-under-set-null", "--format", "json"]);
        let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        document["findings"][0]["fingerprint"].as_str().unwrap().to_string()
    };
    let before = print(&sandbox);
    sandbox.write("migrations/0003_required.sql", &format!("\n\n\n{REQUIRE}"));
    assert_eq!(print(&sandbox), before);
}

#[test]
fn comments_say_what_is_not_to_be_heard_and_those_about_nothing_are_told() {
    let sandbox = workspaces();
    let rule = ["--only", "not-null-added-under-set-null"];
    sandbox.write(
        "migrations/0003_required.sql",
        &format!("-- referee: ignore not-null-added-under-set-null repaired in 0004\n{REQUIRE}"),
    );
    assert_eq!(lint(&sandbox, &rule).code, 0);
    sandbox.write("migrations/0003_required.sql", &format!("{REQUIRE}-- referee: ignore-file REF401 repaired later\n"));
    assert_eq!(lint(&sandbox, &rule).code, 0);
    // A comment on another statement is about that one.
    sandbox.write("migrations/0003_required.sql", REQUIRE);
    sandbox.write("migrations/0002_workspace.sql", &format!("-- referee: ignore REF401 no\n{ADD}"));
    let run = lint(&sandbox, &["--fail-on", "error"]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.out.contains("Suppressions about nothing"), "{}", run.out);
    assert!(run.out.contains("migrations/0002_workspace.sql:1"), "{}", run.out);
}

#[test]
fn a_comment_on_the_constraint_is_an_ignore_too() {
    let sandbox = workspaces();
    let comment =
        "COMMENT ON CONSTRAINT users_workspace_id_fkey ON users IS 'referee: ignore REF401 repaired in the program';\n";
    sandbox.write("migrations/0004_comment.sql", comment);
    let run = lint(&sandbox, &["--only", "not-null-added-under-set-null"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains("1 finding suppressed"), "{}", run.out);
}

#[test]
fn only_what_a_branch_brings_is_reported_by_comparing_states() {
    let sandbox = workspaces();
    std::fs::remove_file(sandbox.path("migrations/0003_required.sql")).unwrap();
    // A finding that is there from the start.
    sandbox.write(
        "migrations/0001_base.sql",
        &format!("{BASE}CREATE TABLE notes (id int PRIMARY KEY, user_id uuid REFERENCES users (id));\n"),
    );
    git(&sandbox, &["init", "-q", "-b", "main"]);
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-q", "-m", "one"]);
    git(&sandbox, &["checkout", "-q", "-b", "topic"]);
    let all = lint(&sandbox, &["--format", "json"]);
    assert!(!rules_of(&all.out).is_empty());
    let none = lint(&sandbox, &["--format", "json", "--since", "main"]);
    assert_eq!((none.code, rules_of(&none.out)), (0, vec![]), "{}", none.err);

    // A changed line, without a new finding.
    let base = sandbox.read("migrations/0001_base.sql");
    sandbox.write("migrations/0001_base.sql", &format!("-- a comment\n{base}"));
    assert_eq!(rules_of(&lint(&sandbox, &["--format", "json", "--changed"]).out), []);

    sandbox.write("migrations/0003_required.sql", REQUIRE);
    let expected = [("not-null-added-under-set-null".to_string(), "migrations/0003_required.sql".to_string(), 3)];
    assert_eq!(rules_of(&lint(&sandbox, &["--format", "json", "--changed"]).out), expected);
    assert_eq!(rules_of(&lint(&sandbox, &["--format", "json", "--staged"]).out), [], "nothing is staged");
    git(&sandbox, &["add", "."]);
    let staged = lint(&sandbox, &["--format", "json", "--staged"]);
    assert_eq!(rules_of(&staged.out), expected, "{}", staged.err);
    git(&sandbox, &["commit", "-q", "-m", "two"]);
    assert_eq!(rules_of(&lint(&sandbox, &["--format", "json", "--since", "main"]).out), expected);
    let status = Command::new("git").args(["status", "--porcelain"]).current_dir(sandbox.path(".")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&status.stdout), "", "the repository is as it was");
}

#[test]
fn what_cannot_be_linted_says_so() {
    let sandbox = Sandbox::with_shop();
    let document = sandbox.run(&["lint", "shop.json"]);
    assert_eq!((document.code, document.out.as_str()), (2, ""));
    assert!(document.err.contains("referee audit"), "{}", document.err);
    let sandbox = workspaces();
    let since = lint(&sandbox, &["--since", "main"]);
    assert_eq!(since.code, 2);
    assert!(since.err.contains("git"), "{}", since.err);
}

#[test]
fn a_policy_is_held_against_every_key_with_its_line() {
    let sandbox = workspaces();
    std::fs::remove_file(sandbox.path("migrations/0003_required.sql")).unwrap();
    sandbox.write(
        "schema.sql",
        &format!("{BASE}CREATE TABLE notes (\n  id int PRIMARY KEY,\n  user_id uuid REFERENCES users (id)\n);\n"),
    );
    std::fs::remove_file(sandbox.path("migrations/0001_base.sql")).unwrap();
    sandbox.write(
        "migrations/0003_posts.sql",
        "CREATE TABLE posts (\n  id int PRIMARY KEY,\n  author uuid REFERENCES users (id)\n);\n",
    );
    sandbox.write("referee.toml", "[[policy]]\nparent = \"users\"\non_delete = \"cascade\"\n");
    let run = lint(&sandbox, &["--base", "schema.sql", "--only", "policy-violation", "--format", "json"]);
    let at = |file: &str, line| ("policy-violation".to_string(), file.to_string(), line);
    assert_eq!(rules_of(&run.out), [at("schema.sql", 5), at("migrations/0003_posts.sql", 3)], "{}", run.err);
}

#[test]
fn several_paths_make_one_document() {
    let sandbox = workspaces();
    sandbox.write("other.sql", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));");
    let lint = |format: &str| {
        sandbox.run(&[
            "lint",
            "migrations",
            "other.sql",
            "--engine",
            "postgres",
            "--format",
            format,
            "--fail-on",
            "error",
        ])
    };
    let run = lint("json");
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let sources: Vec<_> = document["reports"].as_array().unwrap().iter().map(|r| r["source"].clone()).collect();
    assert_eq!((sources, run.code), (vec!["migrations".into(), "other.sql".into()], 1));
    let schema: serde_json::Value = serde_json::from_str(&sandbox.run(&["json-schema", "reports"]).out).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&document));
    let sarif: serde_json::Value = serde_json::from_str(&lint("sarif").out).unwrap();
    assert_eq!(sarif["runs"][1]["automationDetails"]["id"], "referee/other.sql/");
    for format in ["text", "github", "markdown", "junit", "html", "gitlab"] {
        let run = lint(format);
        assert!(run.code == 1 && run.out.contains("other.sql") && run.out.contains("migrations"), "{format}");
    }
    let written = sandbox.run(&["lint", "migrations", "other.sql", "--engine", "postgres", "-o", "report.txt"]);
    assert_eq!((written.code, written.out.as_str()), (1, ""));
    assert!(sandbox.read("report.txt").contains("other.sql"));
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let sandbox = workspaces();
    git(&sandbox, &["init", "-q", "-b", "main"]);
    git(&sandbox, &["add", "."]);
    let only = ["--only", "not-null-added-under-set-null", "--format", "json"];
    for state in ["--staged", "--changed"] {
        let run = lint(&sandbox, &[&only[..], &[state]].concat());
        assert_eq!((run.code, rules_of(&run.out).len()), (1, 1), "{state}: {}", run.err);
    }
}

#[test]
fn what_is_not_replayed_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("migrations")).unwrap();
    sandbox.write(
        "migrations/0001.sql",
        "CREATE TABLE t (id int PRIMARY KEY);\n\
         CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n  CREATE TABLE u (id int);\nEND $$;\n",
    );
    sandbox.write("migrations/0002.sql", "COPY t FROM stdin;\n1\nCREATE TABLE v (t_id int REFERENCES t);\n");
    let run = lint(&sandbox, &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let routine = "it runs only when its function or procedure is called: 1 statement at migrations/0001.sql:4";
    assert!(run.err.contains(routine), "{}", run.err);
    assert!(run.err.contains("the rows of 1 COPY … FROM stdin at migrations/0002.sql:1 have no end"), "{}", run.err);
    let audit = sandbox.run(&["audit", "migrations", "--engine", "postgres"]);
    assert!(audit.err.contains("have no end"), "{}", audit.err);
}

#[test]
fn migrations_that_go_on_from_a_schema_are_told_of_base() {
    let sandbox = workspaces();
    std::fs::remove_file(sandbox.path("migrations/0001_base.sql")).unwrap();
    let run = lint(&sandbox, &[]);
    let told = "no SQL here makes table `users` (migrations/0002_workspace.sql:1)";
    assert!(run.err.contains(told) && run.err.contains("--base FILE"), "{}", run.err);
    for verb in [&["audit"][..], &["fix"], &["fate"], &["graph"], &["infer", "--no-data"]] {
        let run = sandbox.run(&[verb, &["migrations", "--engine", "postgres"]].concat());
        assert!(run.err.contains(told), "{verb:?}: {}", run.err);
    }
    sandbox.write(
        "block.sql",
        "DO $$ BEGIN\n  IF true THEN\n    ALTER TABLE notes ADD COLUMN a int;\n  END IF;\nEND $$;\n",
    );
    let run = sandbox.run(&["lint", "block.sql", "--engine", "postgres"]);
    assert!(run.err.contains("no SQL here makes table `notes` (block.sql:3)"), "{}", run.err);
    sandbox.write("base.sql", BASE);
    let run = lint(&sandbox, &["--base", "base.sql"]);
    assert!(!run.err.contains("--base"), "{}", run.err);
    assert!(!lint(&workspaces(), &[]).err.contains("--base"));
}

#[test]
fn what_one_reason_keeps_from_being_fixed_is_said_once() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("migrations")).unwrap();
    let table = |t: &str| {
        format!("CREATE TABLE {t} (id bigint PRIMARY KEY, u bigint REFERENCES gone (id) ON DELETE CASCADE);\n")
    };
    sandbox.write("migrations/0001_a.sql", &["a", "b", "c"].map(table).concat());
    let run = lint(&sandbox, &["--fix", "--only", "missing-parent"]);
    let text = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("a.u, b.u, c.u (missing-parent): It needs a decision."), "{}", run.out);
    assert_eq!(text.matches("--choose 'SUBJECT=drop'").count(), 1, "{}", run.out);
}

#[test]
fn a_pragma_counts_for_nothing_while_the_tool_is_not_known() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("m")).unwrap();
    let base = "CREATE TABLE p (id INTEGER PRIMARY KEY);\n\
                CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p (id) ON DELETE CASCADE);\n";
    sandbox.write("m/20240101000000_base.sql", base);
    let rebuild = "CREATE TABLE n (id INTEGER PRIMARY KEY);\nDROP TABLE p;\nALTER TABLE n RENAME TO p;\n";
    let run = |text: &str, more: &[&str]| {
        sandbox.write("m/20240102000000_rebuild.sql", text);
        let only = ["lint", "m", "--engine", "sqlite", "--only", "rebuild-deletes-children"];
        sandbox.run(&[&only[..], more].concat())
    };
    let off = format!("PRAGMA foreign_keys = OFF;\n{rebuild}");
    let unknown = run(&off, &[]);
    assert!(unknown.out.contains("--layout") && unknown.out.contains("REF402"), "{}", unknown.out);
    assert!(run(&off, &["--layout", "sqlx"]).out.contains("a transaction is open here"));
    let opened = format!("PRAGMA foreign_keys = OFF;\nBEGIN;\n{rebuild}COMMIT;\n");
    assert_eq!(run(&opened, &["--fail-on", "info"]).code, 0, "who writes BEGIN has a tool that writes none");
    assert_eq!(run(&off, &["--foreign-keys", "off", "--fail-on", "info"]).code, 0);
}
