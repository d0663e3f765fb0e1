//! `referee lint FOLDER --fix --write`: the next migration of every tool's folder fixes what it says, and brings nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use referee::migration::TOOLS;
use referee::schema::Engine;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::migration::database::schema_sql;
use crate::migration::runner::first;

/// What a run of the binary said.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn referee(arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_referee")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A `referee.toml` with what of the schema nothing declares: nothing is changed for a guess.
fn config() -> &'static str {
    static FILE: OnceLock<(NamedTempFile, String)> = OnceLock::new();
    let make = || {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), "[[relation]]\nchild = \"orders.user_id\"\nparent = \"users.id\"\n").unwrap();
        let path = file.path().to_str().unwrap().to_string();
        (file, path)
    };
    &FILE.get_or_init(make).1
}

/// A tool's folder with the migration that made the tables.
struct Migrations {
    folder: TempDir,
    tool: &'static str,
    engine: Engine,
}

impl Migrations {
    fn new(tool: &'static str, engine: Engine) -> Self {
        let folder = TempDir::new().unwrap();
        let made = Self { folder, tool, engine };
        first(tool, engine, schema_sql(engine)).iter().for_each(|(path, text)| made.write(path, text));
        made
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn lint(&self, more: &[&str]) -> Run {
        let engine = match self.engine {
            Engine::Sqlite => "sqlite",
            Engine::Cockroach => "cockroach",
            _ => "postgres",
        };
        let mut arguments = vec!["lint", self.path().to_str().unwrap(), "--engine", engine, "--foreign-keys", "on"];
        if matches!(self.tool, "sqlx" | "refinery") {
            // Nothing else tells whose the first migration is.
            arguments.extend(["--layout", self.tool]);
        }
        arguments.extend(["--config", config()]);
        arguments.extend(more);
        referee(&arguments)
    }

    /// Returns the findings: rule, fingerprint and message.
    fn findings(&self) -> BTreeMap<String, String> {
        let run = self.lint(&["--format", "json"]);
        findings(&run)
    }

    /// Every file with its text.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(
                        path.strip_prefix(self.path()).unwrap().to_path_buf(),
                        fs::read_to_string(&path).unwrap(),
                    );
                }
            }
        }
        files
    }
}

fn findings(run: &Run) -> BTreeMap<String, String> {
    assert_ne!(run.code, 2, "{}", run.err);
    let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", run.out, run.err));
    let text = |f: &Value, what: &str| f[what].as_str().unwrap().to_string();
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|f| (format!("{} {}", text(f, "rule"), text(f, "fingerprint")), text(f, "message"))).collect()
}

fn fixes(tool: &'static str, engine: Engine) {
    let what = format!("{tool}, {engine:?}");
    let migrations = Migrations::new(tool, engine);
    let (before, files) = (migrations.findings(), migrations.files());
    let fixed: BTreeSet<&String> = before.keys().filter(|k| !k.starts_with("undeclared")).collect();
    assert!(fixed.len() > 3, "{what}: {before:?}");

    let shown = migrations.lint(&["--fix"]);
    assert_eq!(shown.code, 1, "{what}: {}", shown.err);
    assert!(shown.out.contains("fix_references"), "{what}: {}", shown.out);
    assert_eq!(migrations.files(), files, "{what}: shown, not written");

    let run = migrations.lint(&["--fix", "--write", "--format", "json"]);
    let left = findings(&run);
    assert_eq!(left, migrations.findings(), "{what}: what is left is reported");
    let still: Vec<_> = fixed.iter().filter(|k| left.contains_key(**k)).collect();
    let new: Vec<_> = left.iter().filter(|(k, _)| !before.contains_key(*k)).collect();
    assert!(still.is_empty() && new.is_empty(), "{what}\nstill {still:#?}\nnew {new:#?}\n{}", run.err);
    let now = migrations.files();
    for (path, text) in &files {
        let record = ["_journal.json", "atlas.sum"].iter().any(|r| path.ends_with(r));
        assert!(record || now[path] == *text, "{what}: {} was changed", path.display());
    }

    let again = migrations.lint(&["--fix"]);
    assert!(again.out.starts_with("There is nothing that a new migration could fix"), "{what}: {}", again.out);
}

fn every_tool(engine: Engine) {
    let mut failures = Vec::new();
    for tool in TOOLS {
        if let Err(panic) = std::panic::catch_unwind(|| fixes(tool.name, engine)) {
            let text = panic.downcast_ref::<String>().cloned();
            failures.push(text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default());
        }
    }
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), TOOLS.len(), failures.join("\n\n"));
}

#[test]
fn the_next_migration_fixes_on_sqlite() {
    every_tool(Engine::Sqlite);
}

#[test]
fn the_next_migration_fixes_on_postgres() {
    every_tool(Engine::Postgres);
}

#[test]
fn the_next_migration_fixes_on_cockroach() {
    every_tool(Engine::Cockroach);
}

/// A folder with files that no tool left a mark in.
fn plain(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("migrations")).unwrap();
    files.iter().for_each(|(name, text)| fs::write(folder.path().join("migrations").join(name), text).unwrap());
    folder
}

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY);\n";
const TEAMS: &str = "CREATE TABLE teams (id bigint PRIMARY KEY, owner_id bigint NOT NULL,\n  CONSTRAINT k FOREIGN KEY \
                     (owner_id) REFERENCES users (id) ON DELETE CASCADE);\n";

fn fix(folder: &TempDir, more: &[&str]) -> Run {
    let path = folder.path().join("migrations");
    referee(&[&["lint", path.to_str().unwrap(), "--engine", "postgres", "--fix"], more].concat())
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join("migrations")).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_leads_back_is_written_only_where_the_folder_tells_it_apart() {
    // Whatever runs every .sql file would run what leads back, too.
    let folder = plain(&[("0001_users.sql", USERS), ("0002_teams.sql", TEAMS)]);
    let run = fix(&folder, &["--write", "--name", "fix"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(names(&folder), ["0001_users.sql", "0002_teams.sql", "0003_fix.sql"]);
    let text = fs::read_to_string(folder.path().join("migrations/0003_fix.sql")).unwrap();
    assert!(!text.lines().any(|l| l.starts_with('\\')), "psql's own commands, in a file for any program:\n{text}");
    assert!(run.err.contains("nothing tells which program runs these files"), "{}", run.err);

    let folder =
        plain(&[("1_users_up.sql", USERS), ("1_users_down.sql", "DROP TABLE users;"), ("2_teams_up.sql", TEAMS)]);
    assert_eq!(fix(&folder, &["--write", "--name", "fix"]).code, 0);
    let expected = ["1_users_down.sql", "1_users_up.sql", "2_teams_up.sql", "3_fix_down.sql", "3_fix_up.sql"];
    assert_eq!(names(&folder), expected);

    // sqlx: a simple migration beside simple ones.
    let folder = plain(&[("20240101000000_users.sql", USERS), ("20240101000001_teams.sql", TEAMS)]);
    let run = fix(&folder, &["--write", "--name", "fix", "--layout", "sqlx"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let names = names(&folder);
    assert!(names[2].ends_with("_fix.sql"), "{names:?}");
    let text = fs::read_to_string(folder.path().join("migrations").join(&names[2])).unwrap();
    assert!(text.starts_with("-- no-transaction\n"), "{text}");
}

#[test]
fn where_no_migration_leads_back_none_is_made_that_does() {
    for (tool, files) in [
        ("golang-migrate", vec![("000001_a.up.sql", format!("{USERS}{TEAMS}"))]),
        ("dbmate", vec![("20240101000000_a.sql", format!("-- migrate:up\n{USERS}{TEAMS}"))]),
        ("goose", vec![("00001_a.sql", format!("-- +goose Up\n{USERS}{TEAMS}"))]),
        ("diesel", vec![("2024-01-01-000000_a/up.sql", format!("{USERS}{TEAMS}"))]),
        ("flyway", vec![("V1__a.sql", format!("{USERS}{TEAMS}"))]),
    ] {
        let migrations = Migrations { folder: TempDir::new().unwrap(), tool, engine: Engine::Postgres };
        files.iter().for_each(|(path, text)| migrations.write(path, text));
        let run = migrations.lint(&["--fix", "--write", "--format", "json"]);
        assert_eq!(findings(&run).into_iter().collect::<Vec<_>>(), [], "{tool}");
        assert!(run.err.contains("no migration of the folder leads back"), "{tool}: {}", run.err);
        for (path, text) in migrations.files() {
            let marks = ["down.sql", "migrate:down", "+goose Down", "Undoes:"];
            let shown = path.display().to_string();
            assert!(!marks.iter().any(|m| text.contains(m) || shown.ends_with(m)), "{tool}: {shown}\n{text}");
        }
    }
}

#[test]
fn a_script_by_hand_leads_back_only_if_its_migration_does() {
    let migrations = Migrations { folder: TempDir::new().unwrap(), tool: "golang-migrate", engine: Engine::Sqlite };
    migrations.write("000001_a.up.sql", schema_sql(Engine::Sqlite));
    let run = migrations.lint(&["--fix", "--write", "--format", "json"]);
    assert!(run.err.contains("by_hand.sqlite"), "{}", run.err);
    assert_eq!(findings(&run).into_iter().collect::<Vec<_>>(), []);
    // And the next one is made of what the script has led to.
    let more =
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, team_id INTEGER REFERENCES teams (id) ON DELETE CASCADE);\n";
    migrations.write("000009_b.up.sql", more);
    let run = migrations.lint(&["--fix", "--write", "--format", "json", "--name", "second"]);
    assert_eq!(findings(&run).into_iter().collect::<Vec<_>>(), [], "{}", run.err);
}

#[test]
fn fix_writes_the_same_files() {
    for tool in ["goose", "golang-migrate", "flyway", "refinery", "sql"] {
        let [by_lint, by_fix] = [(); 2].map(|()| Migrations::new(tool, Engine::Postgres));
        by_lint.lint(&["--fix", "--write"]);
        let path = by_fix.path().to_str().unwrap();
        let layout = if tool == "sql" { "golang-migrate" } else { tool };
        let run =
            referee(&["fix", path, "--engine", "postgres", "--out", path, "--layout", layout, "--config", config()]);
        assert_eq!(run.code, 0, "{tool}: {}", run.err);
        assert_eq!(by_lint.files(), by_fix.files(), "{tool}");
    }
}

#[test]
fn what_only_the_text_of_a_migration_can_fix_is_said() {
    let index = "CREATE TABLE notes (id bigint PRIMARY KEY);\n\nCREATE INDEX teams_name ON teams (owner_id);\n";
    let folder = plain(&[("0001_users.sql", USERS), ("0002_teams.sql", TEAMS), ("0003_index.sql", index)]);
    let run = fix(&folder, &[]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.out.contains("Only by changing a migration, if it has not been applied anywhere yet"), "{}", run.out);
    let flat = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("0003_index.sql:3: Building `teams_name` blocks writes"), "{flat}");
    assert!(flat.contains("Use CREATE INDEX CONCURRENTLY"), "{flat}");
    assert!(flat.starts_with("There is nothing that a new migration could fix."), "{flat}");
}

#[test]
fn only_what_a_branch_brings_is_fixed() {
    let folder = plain(&[("0001_users.sql", USERS), ("0002_teams.sql", TEAMS)]);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "base"]);
    let more = TEAMS.replace("teams", "projects");
    fs::write(folder.path().join("migrations/0003_projects.sql"), more).unwrap();
    let run = fix(&folder, &["--since", "main", "--write"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let text = fs::read_to_string(folder.path().join("migrations/0004_fix_references.sql")).unwrap();
    assert!(text.contains("ON public.projects (owner_id)"), "{text}");
    assert!(!text.contains("ON public.teams"), "what was there before the branch is left alone:\n{text}");
    let run = fix(&folder, &["--staged"]);
    assert_eq!(run.code, 2, "{}", run.err);
}

#[test]
fn a_choice_is_taken() {
    let teams = TEAMS.replace("CASCADE", "SET NULL");
    let folder = plain(&[("0001_users.sql", USERS), ("0002_teams.sql", &teams)]);
    let run = fix(&folder, &["--choose", "teams.owner_id=drop-not-null"]);
    assert!(run.out.contains("ALTER COLUMN owner_id DROP NOT NULL"), "{}{}", run.out, run.err);
    let run = fix(&folder, &["--choose", "teams.owner_id=cascades"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("teams.owner_id does not offer cascades; the choices there are: protect, drop-not-null"),
        "{}",
        run.err
    );
}

#[test]
fn what_has_no_next_migration_is_an_error_that_says_what_to_do() {
    let folder = plain(&[("0001_users.sql", USERS), ("0002_teams.sql", TEAMS)]);
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::write(at("dump.sql"), format!("{USERS}{TEAMS}")).unwrap();
    let said = |arguments: &[&str], message: &str, hint: &str| {
        let run = referee(&[&["lint", "--engine", "postgres", "--fix"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.out);
        assert!(run.err.contains(message) && run.err.contains(hint), "{arguments:?}: {}", run.err);
    };
    said(&[&at("dump.sql")], "there is no next migration of it", "--format sql");
    said(&[&at("migrations"), &at("dump.sql")], "several PATHs are named", "once for each folder");
    said(&[&at("migrations"), "--format", "json"], "--format is about the report", "add --write");
    said(&["-"], "no such file or folder: -", "check the path");
    fs::write(at("migrations/seed.sql"), "SELECT 1;").unwrap();
    said(&[&at("migrations")], "seed.sql has no number", "number the files");
    fs::remove_file(at("migrations/seed.sql")).unwrap();
    fs::create_dir_all(at("rails/db")).unwrap();
    fs::rename(at("dump.sql"), at("rails/db/structure.sql")).unwrap();
    said(&[&at("rails")], "no next migration for a schema in one file", "--format sql");
    fs::create_dir(at("pop")).unwrap();
    fs::write(at("pop/1_users.postgres.up.sql"), format!("{USERS}{TEAMS}")).unwrap();
    said(&[&at("pop")], "no next migration for pop", "--layout sql|drizzle|");
}

#[test]
fn what_cannot_be_written_leaves_the_folder_as_it_was() {
    let migrations = Migrations::new("drizzle", Engine::Sqlite);
    // A folder stands where the script to run by hand belongs: the last of the new files cannot be written.
    fs::create_dir(migrations.path().join("fix_references.by_hand.down.sqlite")).unwrap();
    let before = migrations.files();
    let run = migrations.lint(&["--fix", "--write"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.err.contains("cannot write"), "{}", run.err);
    assert_eq!(migrations.files(), before);
}

#[test]
fn a_folder_of_another_tool_is_not_written_into() {
    let goose = Migrations::new("goose", Engine::Postgres);
    let path = goose.path().to_str().unwrap();
    let fix = |layout: &str| referee(&["fix", path, "--engine", "postgres", "--out", path, "--layout", layout]);
    let before = goose.files();
    for layout in ["prisma", "dbmate", "sql", "sqlx"] {
        let run = fix(layout);
        assert_eq!(run.code, 2, "{layout}: {}", run.out);
        let message = format!("is a folder of goose (`-- +goose Up` in the files), not of {layout}");
        assert!(run.err.contains(&message) && run.err.contains("hint: leave out --layout"), "{layout}: {}", run.err);
    }
    assert_eq!(goose.files(), before);
    assert_eq!(fix("goose").code, 0);
    // What several tools could have written is any of theirs.
    let pairs = Migrations::new("golang-migrate", Engine::Postgres);
    let path = pairs.path().to_str().unwrap();
    let run = referee(&["fix", path, "--engine", "postgres", "--out", path, "--layout", "sqlx"]);
    assert_eq!(run.code, 0, "{}", run.err);
}
