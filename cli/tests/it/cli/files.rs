//! What is written never takes the place of what is needed, and what is no file is not opened.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::cli::support::{Run, Sandbox, finish};

const TABLES: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users ON DELETE SET NULL);";

/// A folder with a database, a migration, a configuration, a baseline, a plan and the journal of a run.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_shop();
    database(&sandbox, "shop.db");
    database(&sandbox, "other.db");
    std::fs::create_dir(sandbox.path("migrations")).unwrap();
    sandbox.write("migrations/1_init.sql", TABLES);
    sandbox.write("referee.toml", "# none\n");
    sandbox.write("base.sql", "CREATE TABLE base (id INTEGER PRIMARY KEY);\n");
    for arguments in [
        &["baseline", "write", "shop.db", "-o", "baseline.json"][..],
        &["fix", "shop.db", "--format", "json", "-o", "plan.json"],
        &["fix", "other.db", "--apply", "--yes", "--journal", "run"],
    ] {
        let run = sandbox.run(arguments);
        assert!(run.code < 2, "{arguments:?}: {}", run.err);
    }
    std::os::unix::fs::symlink("shop.db", sandbox.path("soft.db")).unwrap();
    std::fs::hard_link(sandbox.path("shop.db"), sandbox.path("hard.txt")).unwrap();
    sandbox
}

fn database(sandbox: &Sandbox, name: &str) {
    Connection::open(sandbox.path(name)).unwrap().execute_batch(TABLES).unwrap();
}

/// Every file with its bytes.
fn everything(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything(&path));
        } else {
            all.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn no_output_takes_the_place_of_what_is_read() {
    let sandbox = sandbox();
    let verbs: &[&[&str]] = &[
        &["audit", "shop.db", "--baseline", "baseline.json"],
        &["audit", "shop.db", "--baseline", "baseline.json", "--format", "json"],
        &["fix", "shop.db"],
        &["fix", "shop.db", "--format", "sql"],
        &["schema", "shop.db"],
        &["graph", "shop.db", "--format", "svg"],
        &["fate", "shop.db", "users"],
        &["infer", "shop.db"],
        &["verify", "shop.db", "--plan", "plan.json"],
        &["baseline", "write", "shop.db"],
        &["fix", "shop.db", "--apply", "--yes"],
    ];
    let before = everything(sandbox.path("").as_path());
    let targets = [
        "shop.db",
        "./shop.db",
        "soft.db",
        "hard.txt",
        "other.db",
        "shop.db-wal",
        "shop.db-journal",
        "shop.db-shm",
        "shop.db.referee-run",
        "referee.toml",
        "run",
        "plan.json",
    ];
    for verb in verbs {
        for target in targets {
            let run = sandbox.run(&[verb, &["-o", target][..]].concat());
            assert_eq!(run.code, 2, "{verb:?} -o {target}: {}", run.err);
            assert!(run.err.contains("is not overwritten") && run.err.contains("hint: "), "{verb:?}: {}", run.err);
        }
    }
    for (verb, target) in [
        (&["audit", "shop.db", "--baseline", "baseline.json"][..], "baseline.json"),
        (&["lint", "migrations"], "migrations/1_init.sql"),
        (&["lint", "migrations/1_init.sql"], "migrations/1_init.sql"),
        (&["lint", "migrations", "--base", "base.sql"], "base.sql"),
        (&["audit", "migrations"], "migrations/1_init.sql"),
        (&["audit", "shop.json"], "shop.json"),
        (&["init", "shop.db", "--force"], "shop.db"),
        (&["init", "shop.db", "--force"], "plan.json"),
    ] {
        let run = sandbox.run(&[verb, &["-o", target]].concat());
        assert_eq!(run.code, 2, "{verb:?} -o {target}: {}", run.err);
        assert!(run.err.contains("is not overwritten"), "{verb:?}: {}", run.err);
    }
    assert_eq!(everything(sandbox.path("").as_path()), before, "nothing was written");

    // What nobody needs is replaced, and a plan by a plan.
    for arguments in [
        &["audit", "shop.db", "-o", "report.txt"][..],
        &["audit", "shop.db", "-o", "report.txt"],
        &["fix", "shop.db", "--format", "json", "-o", "plan.json"],
        &["baseline", "write", "shop.db", "-o", "baseline.json"],
        &["lint", "migrations", "--engine", "sqlite", "-o", "migrations/report.txt"],
        &["lint", "migrations", "--engine", "sqlite", "-o", "migrations/report.txt"],
        &["init", "shop.db", "--force"],
    ] {
        let run = sandbox.run(arguments);
        assert!(run.code < 2, "{arguments:?}: {}", run.err);
    }
}

#[test]
fn a_journal_is_written_into_no_other_file() {
    let sandbox = sandbox();
    sandbox.write("notes.txt", "no line break at the end");
    let before = everything(sandbox.path("").as_path());
    for journal in
        ["shop.db", "soft.db", "hard.txt", "other.db", "shop.db-wal", "referee.toml", "notes.txt", "plan.json"]
    {
        let run = sandbox.run(&["fix", "shop.db", "--apply", "--yes", "--journal", journal]);
        assert_eq!(run.code, 2, "--journal {journal}: {}", run.err);
        assert!(run.err.contains("hint: "), "{}", run.err);
    }
    assert_eq!(everything(sandbox.path("").as_path()), before);
    assert_eq!(sandbox.run(&["fix", "shop.db", "--apply", "--yes", "--journal", "run"]).code, 0, "that is one");
}

/// Runs what must end by itself.
fn in_time(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let mut child = sandbox.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    finish(child.wait_with_output().unwrap())
}

#[test]
fn what_is_no_file_is_refused_and_waited_for_by_nobody() {
    let sandbox = sandbox();
    assert!(Command::new("mkfifo").arg(sandbox.path("pipe")).status().unwrap().success());
    std::fs::create_dir(sandbox.path("piped")).unwrap();
    assert!(Command::new("mkfifo").arg(sandbox.path("piped/1_init.sql")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket")).unwrap();
    for (special, word) in [("pipe", "pipe"), ("socket", "socket"), ("/dev/zero", "device"), ("/dev/tty", "device")] {
        for arguments in [
            &["audit", special][..],
            &["audit", &format!("sqlite:{special}")],
            &["audit", "shop.db", "--config", special],
            &["audit", "shop.db", "--baseline", special],
            &["lint", "migrations", "--base", special],
            &["lint", special],
            &["verify", "shop.db", "--plan", special],
            &["fix", "shop.db", "--apply", "--yes", "--journal", special],
            &["infer", "shop.db", "--write-config", "--config", special],
        ] {
            let run = in_time(&sandbox, arguments);
            assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
            assert!(run.err.contains(word), "{arguments:?}: {}", run.err);
        }
    }
    for arguments in [
        &["audit", "shop.db", "--config", "migrations"][..],
        &["audit", "shop.db", "--baseline", "migrations"],
        &["verify", "shop.db", "--plan", "migrations"],
        &["fix", "shop.db", "--apply", "--yes", "--journal", "migrations"],
        &["audit", "shop.db", "-o", "migrations"],
        &["audit", "shop.db", "-o", "pipe"],
        &["lint", "piped"],
    ] {
        let run = in_time(&sandbox, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.contains("folder") || run.err.contains("pipe"), "{arguments:?}: {}", run.err);
    }
    let run = sandbox.run(&["audit", "shop.db", "-o", "/dev/stdout"]);
    assert!(run.code == 1 && run.out.contains("set-null-on-not-null"), "{}", run.out);
}

/// Returns the commands that a text shows in backticks, or as lines of their own.
fn commands<'t>(text: &'t str, program: &str) -> Vec<&'t str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let lines = text.lines().map(|l| l.trim_start_matches(['-', ' ']).trim());
    let lines = lines.map(|l| l.split_once(": referee ").map_or(l, |(lead, _)| &l[lead.len() + 2..]));
    let lines = lines.map(|l| l.split_once(": sqlite3 ").map_or(l, |(lead, _)| &l[lead.len() + 2..]));
    quoted.chain(lines).filter(|c| c.starts_with(&format!("{program} "))).collect()
}

/// Runs a command as a person does who copies it, with the programs that it names.
fn in_shell(sandbox: &Sandbox, command: &str) -> Run {
    let referee = Path::new(env!("CARGO_BIN_EXE_referee")).parent().unwrap();
    let path = format!("{}:{}:{}", sandbox.path("bin").display(), referee.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(sandbox.path("")).env("PATH", path).stdin(Stdio::null());
    finish(shell.output().unwrap())
}

#[test]
fn every_command_that_is_shown_is_read_by_a_shell_as_it_is_meant() {
    let sandbox = Sandbox::new();
    // A stand-in for sqlite3 that says whether it was given a database.
    std::fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/sqlite3", "#!/bin/sh\n[ -f \"$1\" ] && [ $# = 2 ]\n");
    let script = sandbox.path("bin/sqlite3");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["my s.db", "it's.db", "$HOME `id` \"q\".db", "-x.db", "- a'b.db", "a;b&c|d.db"] {
        database(&sandbox, name);
        let source = format!("sqlite:{name}");
        for format in ["text", "sql", "markdown"] {
            let run = sandbox.run(&["fix", &source, "--format", format]);
            let shown = commands(&run.out, "sqlite3");
            assert!(!shown.is_empty(), "{name} {format}: {}", run.out);
            for command in shown {
                let run = in_shell(&sandbox, command);
                assert_eq!(run.code, 0, "{command}: {}", run.err);
            }
        }
        // A run that was begun with other options says how to go on with it.
        let connection = Connection::open(sandbox.path(name)).unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF; INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1, 99), (2, 1);",
            )
            .unwrap();
        connection
            .execute_batch("CREATE TRIGGER keep BEFORE DELETE ON posts BEGIN SELECT raise(ABORT, 'kept'); END;")
            .unwrap();
        let journal = format!("{name} run");
        let journal = format!("--journal={journal}");
        let stopped = sandbox.run(&["fix", &source, "--apply", "--yes", "--orphans", "delete", &journal]);
        assert_eq!(stopped.code, 2, "{}{}", stopped.out, stopped.err);
        connection.execute_batch("DROP TRIGGER keep").unwrap();
        let other = sandbox.run(&["fix", &source, "--apply", "--yes", &journal]);
        let again = commands(&other.err, "referee");
        let again = again.iter().find(|c| c.contains("--journal")).unwrap_or_else(|| panic!("{}", other.err));
        let run = in_shell(&sandbox, &format!("{again} --yes"));
        assert!(run.code < 2, "{again}: {}{}", run.out, run.err);
        assert!(run.err.contains("taking up the run"), "{again}: {}", run.err);
    }
}
