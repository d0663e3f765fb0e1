//! What is wrong with a database's relations: `cargo run --example audit`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app::{self, audit};
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::source::Source;

/// Makes a database in a folder and returns what is found in it.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("audit.db");
    rusqlite::Connection::open(&path)?.execute_batch(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users ON DELETE CASCADE);
         INSERT INTO posts VALUES (1, 7);",
    )?;
    let (input, mut notes) = app::open(&Source::parse(&path.display().to_string())?, &SessionOptions::default())?;
    let mut request = audit::Request::new(input);
    request.data = true;
    let response = app::audit(request, &Context::default())?;
    notes.extend(response.notes);
    let notes = notes.iter().map(|note| format!("{note:?}"));
    let findings = response.report.findings.iter();
    Ok(findings.map(|f| format!("{}: {} ({})", f.subject.place(), f.message, f.rule)).chain(notes).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
