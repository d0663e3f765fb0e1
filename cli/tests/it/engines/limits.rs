//! Time limits of the command line: what was not read is named, the rest is read, and nothing is called done.

use std::process::Command;

use crate::support::postgres as server;

/// Runs a verb on a database one of whose tables somebody else holds.
fn beside_a_lock(verb: &[&str], limit: &str) -> (i32, String, String) {
    let url = server::fresh_database();
    server::execute(
        &url,
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE held (id int PRIMARY KEY, p_id int REFERENCES p);
         CREATE TABLE other (id int PRIMARY KEY, p_id int REFERENCES p); INSERT INTO p VALUES (1);
         ALTER TABLE other DISABLE TRIGGER ALL; INSERT INTO other VALUES (1, 7);",
    );
    let mut holder = server::connect(&url);
    holder.batch_execute("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    command.arg(verb[0]).arg(&url).args(&verb[1..]).arg(limit).arg("--no-config");
    let output = command.env_remove("PGOPTIONS").output().unwrap();
    holder.batch_execute("COMMIT").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_statement_that_takes_too_long_is_named_and_the_other_tables_are_read() {
    let (code, out, err) = beside_a_lock(&["audit", "--data", "--budget", "1s"], "--statement-timeout=2500ms");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("could not count orphans of held.p_id: the statement ran for longer than 2500ms"), "{err}");
    assert!(err.contains("--statement-timeout") && err.contains("the audit is incomplete"), "{err}");
    assert!(out.contains("other.p_id"), "{out}");
}

#[test]
fn a_job_that_takes_too_long_says_where_it_was_and_what_to_do() {
    let (code, out, err) = beside_a_lock(&["audit", "--data", "--budget", "1s"], "--max-duration=4s");
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("the time of 4s for the whole job is over (--max-duration), at held.p_id"), "{err}");
    assert!(err.contains("hint: nothing was changed; give it more time"), "{err}");
}

#[test]
fn counting_what_a_delete_takes_names_the_table() {
    let (code, _, err) = beside_a_lock(&["fate", "p", "--where", "id = 1", "--count"], "--statement-timeout=2500ms");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("could not count the rows of held: the statement ran for longer than 2500ms"), "{err}");
}
