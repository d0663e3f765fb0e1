//! Names on PostgreSQL that would end the block, the comment or the string that they stand in.

use std::process::{Command, Output, Stdio};

use crate::support::postgres as server;

const PARENT: &str = "p$referee$; DROP TABLE victim; --";
const CHILD: &str = "c\n-- +goose Down\nDROP TABLE victim; '";

fn referee(folder: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn make(url: &str) {
    server::execute(
        url,
        &format!(
            "CREATE TABLE victim (id int);
             CREATE TABLE \"{PARENT}\" (id int PRIMARY KEY);
             CREATE TABLE \"{CHILD}\" (id int PRIMARY KEY, \"a$referee$b\" int);
             INSERT INTO \"{CHILD}\" VALUES (1, 9);
             ALTER TABLE \"{CHILD}\" ADD CONSTRAINT k FOREIGN KEY (\"a$referee$b\") REFERENCES \"{PARENT}\" NOT VALID;"
        ),
    );
}

fn is_whole(url: &str) -> bool {
    let mut client = server::connect(url);
    let one = |row: postgres::Row| row.get::<_, i64>(0);
    let victims = client.query_one("SELECT count(*) FROM pg_class WHERE relname = 'victim'", &[]).map(one).unwrap();
    let valid = "SELECT count(*) FROM pg_constraint WHERE conname = 'k' AND convalidated";
    victims == 1 && client.query_one(valid, &[]).map(one).unwrap() == 1
}

#[test]
fn no_name_ends_the_block_that_it_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    let url = server::fresh_database();
    make(&url);
    let run = referee(folder.path(), &["fix", &url, "--apply", "--yes", "--orphans", "delete"]);
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{text}");
    assert!(is_whole(&url), "{text}");
}

#[test]
fn no_name_becomes_a_statement_of_a_migration() {
    let folder = tempfile::tempdir().unwrap();
    let url = server::fresh_database();
    make(&url);
    let arguments = ["fix", &url, "--orphans", "delete", "--layout", "flyway", "--out", "files"];
    std::fs::create_dir(folder.path().join("files")).unwrap();
    let run = referee(folder.path(), &arguments);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path().join("files")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.file_name().unwrap().to_string_lossy().starts_with('V') && f.extension().unwrap() == "sql");
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // What Flyway does: statement after statement where the file is not run in a transaction.
        for statement in referee::sql::read(referee::schema::Engine::Postgres, &text) {
            server::execute(&url, &text[statement.span.start..statement.span.end]);
        }
    }
    assert!(is_whole(&url));
}
