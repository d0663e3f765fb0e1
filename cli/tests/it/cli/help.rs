//! Help: readable at 80 columns, with examples.

use crate::cli::support::Sandbox;

const VERBS: &[&str] = &[
    "audit",
    "graph",
    "lint",
    "fate",
    "infer",
    "fix",
    "verify",
    "schema",
    "baseline",
    "rules",
    "explain",
    "init",
    "demo",
    "json-schema",
    "completions",
];

#[test]
fn every_verb_has_examples_and_fits_eighty_columns() {
    let sandbox = Sandbox::new();
    let mut pages: Vec<Vec<&str>> = VERBS.iter().map(|verb| vec![*verb, "--help"]).collect();
    pages.push(vec!["--help"]);
    pages.push(vec!["baseline", "write", "--help"]);
    for page in pages {
        for columns in ["80", "200"] {
            let output = sandbox.command(&page).env("COLUMNS", columns).output().unwrap();
            let run = crate::cli::support::finish(output);
            assert_eq!(run.code, 0, "{page:?}");
            assert!(run.out.contains("Examples:\n  referee "), "{page:?} has no examples");
            for line in run.out.lines() {
                assert!(line.chars().count() <= 80, "{page:?}: {} columns: {line}", line.chars().count());
            }
        }
    }
}

#[test]
fn the_first_page() {
    insta::assert_snapshot!(Sandbox::new().run(&["-h"]).out, @r#"
        Knows what happens to every row when another row is deleted

        Usage: referee [OPTIONS] <COMMAND>

        Commands:
          audit        Report what is wrong with a database's relations
          lint         Report what is wrong with migrations, at the lines that cause it
          graph        Draw which table's rows refer to which
          fate         Tell what becomes of every table when a row of one is deleted
          infer        Find the relations that nothing declares, and say why
          fix          Plan the migration that fixes what an audit finds
          verify       Hold a database against a plan that was carried out
          schema       Print the schema as referee sees it
          baseline     Accept the findings of today, so that only new ones are reported
          rules        List the rules
          explain      Explain a rule: what it finds, why it hurts, what to do
          init         Write a commented referee.toml for a database
          demo         Make a small database with every kind of defect, and audit it
          json-schema  Print the JSON Schema of a file that referee reads or writes
          completions  Print the completion script of a shell

        Options:
          -h, --help     Print help (see more with '--help')
          -V, --version  Print version

        Global options:
          -q, --quiet
                  Say only what was asked for: no notes, no progress
          -v, --verbose
                  Print every SQL statement before it is sent
              --color <WHEN>
                  When to use colour [default: auto] [possible values: auto, always,
                  never]
              --ascii
                  Draw with ASCII characters only
              --config <FILE>
                  Read the configuration from FILE instead of ./referee.toml
              --no-config
                  Read no configuration
              --statement-timeout <TIME>
                  Stop each statement that runs for longer than TIME
              --max-duration <TIME>
                  Stop the whole job after TIME
              --engine <ENGINE>
                  SQL files: whose SQL it is, where they do not tell [possible values:
                  postgres, cockroach, sqlite, mysql, mariadb]
              --base <FILE>
                  SQL files: the schema that the migrations begin with
              --layout <TOOL>
                  SQL files: which tool's folder it is, where that cannot be told

        A SOURCE is one of:
          shop.db, sqlite:shop.db        a SQLite file
          postgres://user@host/database  PostgreSQL or CockroachDB; the password comes
                                         from PGPASSWORD or ~/.pgpass
          migrations/, dump.sql          a folder of migrations, a dump, a file of SQL
          schema.json                    what `referee schema --format json` wrote

        Examples:
          referee demo
          referee audit shop.db
          referee graph postgres://app@localhost/shop --root users

        Exit codes: 0 done, 1 findings at or above --fail-on, 2 it could not be done,
                    130 interrupted
        "#);
}

#[test]
fn the_page_of_audit() {
    insta::assert_snapshot!(Sandbox::new().run(&["audit", "--help"]).out, @r#"
        Report what is wrong with a database's relations

        Usage: referee audit [OPTIONS] <SOURCE>

        Arguments:
          <SOURCE>  The database or schema document

        Options:
              --format <FORMAT>       How to write the report [default: text] [possible
                                      values: text, json, sarif, markdown, github,
                                      gitlab, junit, html]
          -o, --output <FILE>         Write the report to FILE instead of standard
                                      output
              --data                  Read rows too, to count orphans
              --budget <TIME>         With rows: how long to read them to tell guessed
                                      relations from chance: 30s, 2m, 500ms [default:
                                      30s]
              --only <RULE>           Run these rules only, by name or code
              --skip <RULE>           Do not run these rules
              --table <GLOB>          Report on tables that match GLOB only; can be
                                      given several times
              --foreign-keys <STATE>  SQLite: whether the application runs PRAGMA
                                      foreign_keys = ON [possible values: on, off]
              --min-confidence <X>    From which confidence on a guessed relation
                                      counts, 0 to 1 [default: 0.5]
              --verify-indexes        Ask the planner whether each look-up of child rows
                                      uses an index
              --fail-on <SEVERITY>    From which severity on findings make the exit code
                                      1 [default: warning] [possible values: error,
                                      warning, info, never]
              --baseline <FILE>       Do not report the findings that FILE lists (see
                                      `referee baseline`)
          -h, --help                  Print help

        Global options:
          -q, --quiet
                  Say only what was asked for: no notes, no progress
          -v, --verbose
                  Print every SQL statement before it is sent
              --color <WHEN>
                  When to use colour [default: auto] [possible values: auto, always,
                  never]
              --ascii
                  Draw with ASCII characters only
              --config <FILE>
                  Read the configuration from FILE instead of ./referee.toml
              --no-config
                  Read no configuration
              --statement-timeout <TIME>
                  Stop each statement that runs for longer than TIME
              --max-duration <TIME>
                  Stop the whole job after TIME
              --engine <ENGINE>
                  SQL files: whose SQL it is, where they do not tell [possible values:
                  postgres, cockroach, sqlite, mysql, mariadb]
              --base <FILE>
                  SQL files: the schema that the migrations begin with
              --layout <TOOL>
                  SQL files: which tool's folder it is, where that cannot be told

        A SOURCE is one of:
          shop.db, sqlite:shop.db        a SQLite file
          postgres://user@host/database  PostgreSQL or CockroachDB; the password comes
                                         from PGPASSWORD or ~/.pgpass
          migrations/, dump.sql          a folder of migrations, a dump, a file of SQL
          schema.json                    what `referee schema --format json` wrote

        Examples:
          referee audit shop.db
          referee audit shop.db --data --foreign-keys on
          referee audit postgres://app@localhost/shop --format sarif -o referee.sarif
          referee audit shop.db --only unindexed-foreign-key --table 'order*'

        Exit codes: 0 done, 1 findings at or above --fail-on, 2 it could not be done,
                    130 interrupted
        "#);
}

#[test]
fn the_version_is_the_packages() {
    let run = Sandbox::new().run(&["--version"]);
    assert_eq!((run.code, run.out), (0, format!("referee {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_usage_exits_with_two_and_says_what_was_meant() {
    let sandbox = Sandbox::new();
    for (arguments, says) in [
        (&["audti", "shop.db"][..], "audit"),
        (&["audit", "shop.db", "--format", "pdf"], "[possible values: text, json, sarif"),
        (&["audit", "shop.db", "--fail-on", "fatal"], "error, warning, info, never"),
        (&["audit", "shop.db", "--only", "unindexed-foreign-keys"], "did you mean `unindexed-foreign-key`"),
        (&["audit", "shop.db", "--table", "a[b"], "unclosed character class"),
        (&["audit", "shop.db", "--min-confidence", "7"], "must be a number from 0 to 1"),
        (&["shop.db"], "hint: to audit a database: referee audit shop.db"),
        (&[], "Usage: referee"),
    ] {
        let run = sandbox.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.err.contains(says), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
}

#[test]
fn help_that_nobody_reads_to_the_end_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["audit", "--help"]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = crate::cli::support::finish(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}
