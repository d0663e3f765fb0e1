//! What each verb does, and the exit code it ends with.

use std::process::Stdio;

use crate::cli::support::{Sandbox, finish};

#[test]
fn sources_that_cannot_be_read_exit_with_two_and_a_hint() {
    let sandbox = Sandbox::with_shop();
    sandbox.write("other.json", "{}");
    for source in ["missing.json", "missing.db", "other.json", "oracle://scott:tiger@host/db"] {
        for verb in ["audit", "graph", "infer", "schema", "init"] {
            let run = sandbox.run(&[verb, source]);
            assert_eq!(run.code, 2, "{verb} {source}: {}", run.err);
            assert!(run.err.starts_with("error: "), "{verb} {source}: {}", run.err);
            assert_eq!(run.out, "", "{verb} {source}");
            assert!(!run.err.contains("tiger"), "{}", run.err);
        }
    }
    assert!(!sandbox.path("missing.db").exists());
    assert!(!sandbox.path("referee.toml").exists());
}

#[test]
fn the_exit_code_follows_fail_on() {
    let sandbox = Sandbox::with_shop();
    let report = sandbox.run(&["audit", "shop.json", "--format", "text", "--fail-on", "never"]);
    assert_eq!(report.code, 0, "{}", report.err);
    let found = |severity: &str| report.out.contains(severity);
    let errors = sandbox.run(&["audit", "shop.json", "--fail-on", "error"]).code;
    assert_eq!(errors == 1, found("set-null-on-not-null") || found("REF201"), "{}", report.out);
    let none = sandbox.run(&["audit", "shop.json", "--only", "no-foreign-keys", "--fail-on", "info"]);
    assert_eq!(none.code, 0, "{}", none.out);
}

#[test]
fn a_document_has_no_rows_and_no_planner() {
    let sandbox = Sandbox::with_shop();
    let data = sandbox.run(&["audit", "shop.json", "--data"]);
    assert_eq!((data.code, data.out.as_str()), (2, ""));
    insta::assert_snapshot!(data.err, @r#"
        error: shop.json holds no rows, so --data has nothing to read
        hint: audit the database itself, or leave out --data
        "#);
    let plans = sandbox.run(&["audit", "shop.json", "--verify-indexes"]);
    assert_eq!(plans.code, 2);
    insta::assert_snapshot!(plans.err, @r#"
        error: shop.json has no planner to ask, so --verify-indexes cannot be done
        hint: audit the database itself, or leave out --verify-indexes
        "#);
}

#[test]
fn a_schema_document_is_a_source_that_prints_itself() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(&["schema", "shop.json", "--format", "json"]);
    assert_eq!((run.code, run.out), (0, sandbox.read("shop.json")));
}

#[test]
fn output_files_are_written_whole_and_folders_are_checked_first() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(&["schema", "shop.json", "--format", "json", "-o", "copy.json"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    assert_eq!(sandbox.read("copy.json"), sandbox.read("shop.json"));
    let missing = sandbox.run(&["audit", "shop.json", "-o", "no/such/report.txt"]);
    assert_eq!(missing.code, 2);
    insta::assert_snapshot!(missing.err, @r#"
        error: cannot write no/such/report.txt: no such file or directory
        hint: the folder does not exist; make it first
        "#);
}

#[test]
fn an_unknown_root_names_the_nearest_tables() {
    let run = Sandbox::with_shop().run(&["graph", "shop.json", "--root", "order"]);
    assert_eq!(run.code, 2);
    insta::assert_snapshot!(run.err, @r#"
        error: there is no table `order`
        hint: did you mean `orders`?
        "#);
}

#[test]
fn rules_are_listed_as_text_and_as_json() {
    let sandbox = Sandbox::new();
    let text = sandbox.run(&["rules"]).out;
    let json: serde_json::Value = serde_json::from_str(&sandbox.run(&["rules", "--format", "json"]).out).unwrap();
    let rules = json["rules"].as_array().unwrap();
    assert_eq!(rules.len(), referee::rules::ALL.len());
    for rule in rules {
        assert!(text.contains(rule["code"].as_str().unwrap()) && text.contains(rule["name"].as_str().unwrap()));
    }
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
}

#[test]
fn every_rule_is_explained_and_an_unknown_one_is_not() {
    let sandbox = Sandbox::new();
    for rule in referee::rules::ALL {
        let run = sandbox.run(&["explain", rule.meta.code]);
        assert_eq!(run.code, 0);
        assert!(run.out.contains(rule.meta.name), "{}", run.out);
    }
    let run = sandbox.run(&["explain", "set-nul-on-not-null"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    insta::assert_snapshot!(run.err, @r#"
        error: there is no rule `set-nul-on-not-null`
        hint: did you mean `set-null-on-not-null`?
        "#);
}

#[test]
fn published_json_schemas_are_those_of_this_version() {
    let sandbox = Sandbox::new();
    for name in ["config", "findings", "reports", "schema", "baseline", "plan"] {
        let printed = sandbox.run(&["json-schema", name]).out;
        let path = format!("{}/../docs/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("REFEREE_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(printed == published, "{path} is old; run this test with REFEREE_WRITE_SCHEMAS=1");
    }
}

#[test]
fn documents_satisfy_their_published_schemas() {
    let sandbox = Sandbox::with_shop();
    sandbox.run(&["baseline", "write", "shop.json", "-o", "known.json"]);
    let schema = |name: &str| serde_json::from_str(&sandbox.run(&["json-schema", name]).out).unwrap();
    for (name, file) in [("schema", "shop.json"), ("baseline", "known.json")] {
        let document: serde_json::Value = serde_json::from_str(&sandbox.read(file)).unwrap();
        let schema: serde_json::Value = schema(name);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let config: serde_json::Value = schema("config");
    let validator = jsonschema::validator_for(&config).unwrap();
    let relation = serde_json::json!({ "child": "a.b", "parent": { "table": "c", "columns": ["d"] } });
    assert!(validator.is_valid(&serde_json::json!({ "relation": [relation], "audit": { "fail_on": "never" } })));
    assert!(!validator.is_valid(&serde_json::json!({ "audit": { "fail_on": "sometimes" } })));
    assert!(!validator.is_valid(&serde_json::json!({ "relatoin": [] })));
}

#[test]
fn a_reader_who_stops_reading_is_no_failure() {
    let sandbox = Sandbox::with_shop();
    for arguments in [&["rules"][..], &["schema", "shop.json", "--format", "json"], &["completions", "bash"]] {
        let mut command = sandbox.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let run = finish(child.wait_with_output().unwrap());
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn colour_is_for_those_who_ask() {
    let sandbox = Sandbox::with_shop();
    let coloured = |command: &mut std::process::Command| finish(command.output().unwrap()).err.contains('\u{1b}');
    assert!(!coloured(&mut sandbox.command(&["explain", "x"])));
    assert!(coloured(&mut sandbox.command(&["explain", "x", "--color", "always"])));
    assert!(coloured(sandbox.command(&["explain", "x"]).env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(sandbox.command(&["explain", "x"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")));
    assert!(!coloured(sandbox.command(&["explain", "x", "--color", "never"]).env("CLICOLOR_FORCE", "1")));
}

#[test]
fn completions_are_made_for_every_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(sandbox.run(&["completions", shell]).out.contains("verify-indexes"), "{shell}");
    }
}

#[test]
fn an_audit_says_that_time_to_read_rows_ran_out() {
    let sandbox = Sandbox::new();
    let database = rusqlite::Connection::open(sandbox.path("shop.db")).unwrap();
    let sql = "CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER);\n\
               INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1);";
    database.execute_batch(sql).unwrap();
    drop(database);
    let audit = |more: &[&str]| sandbox.run(&[&["audit", "shop.db", "--data"], more].concat()).out;
    for format in ["text", "markdown", "html"] {
        let text = audit(&["--format", format, "--budget", "0ms"]);
        assert!(text.contains("Time to read rows ran out after 0 tables"), "{format}: {text}");
        assert!(!audit(&["--format", format]).contains("ran out"), "{format}");
    }
    let json: serde_json::Value = serde_json::from_str(&audit(&["--format", "json", "--budget", "0ms"])).unwrap();
    assert_eq!(json["rows_read"]["out_of_time"], true);
    let json: serde_json::Value = serde_json::from_str(&audit(&["--format", "json"])).unwrap();
    assert_eq!(json["rows_read"], serde_json::json!({ "tables": 2, "out_of_time": false, "failures": [] }));
}

#[test]
fn a_default_that_is_no_parent_row_is_found_where_rows_are_read() {
    let sandbox = Sandbox::new();
    let database = rusqlite::Connection::open(sandbox.path("tickets.db")).unwrap();
    let sql = "
        CREATE TABLE statuses (id INTEGER PRIMARY KEY);
        CREATE TABLE tickets (id INTEGER PRIMARY KEY, status_id INTEGER NOT NULL DEFAULT 7
            REFERENCES statuses (id) ON DELETE SET DEFAULT);
        CREATE INDEX tickets_status ON tickets (status_id);";
    database.execute_batch(sql).unwrap();
    let found = |more: &[&str]| {
        let only = ["audit", "tickets.db", "--only", "set-default-without-parent"];
        sandbox.run(&[&only, more].concat())
    };
    // An empty parent tells nothing.
    assert_eq!(found(&["--data"]).code, 0);
    database.execute_batch("INSERT INTO statuses VALUES (1); INSERT INTO tickets VALUES (1, 1)").unwrap();
    database.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    assert!(database.execute("DELETE FROM statuses", []).is_err(), "what is found is true");
    assert_eq!(found(&[]).code, 0);
    let data = found(&["--data"]);
    let said = data.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = "the default of `tickets.status_id`, `7`, is no row of `statuses`";
    assert!(data.code == 1 && said.contains(message) && said.contains("FOREIGN KEY constraint failed"), "{said}");
    database.execute("INSERT INTO statuses VALUES (7)", []).unwrap();
    assert_eq!(found(&["--data"]).code, 0);
    assert_eq!(database.execute("DELETE FROM statuses WHERE id = 1", []), Ok(1));
}
