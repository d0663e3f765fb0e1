//! What becomes of every table when a row of one is deleted: `cargo run --example fate`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app;
use referee::app::fate::{Answer, Request};
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::source::Source;

/// Makes a database in a folder and returns what a delete of one user takes with it.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("fate.db");
    rusqlite::Connection::open(&path)?.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users ON DELETE CASCADE);
         INSERT INTO users VALUES (1);
         INSERT INTO posts VALUES (1, 1), (2, 1);",
    )?;
    let (input, _) = app::open(&Source::parse(&path.display().to_string())?, &SessionOptions::default())?;
    let mut request = Request::of(input, "users");
    request.rows = Some("id = 1".to_string());
    request.count = true;
    let response = app::fate(request, &Context::default())?;
    let Answer::One { fate, counted } = response.answer else { return Err("one table was asked about".into()) };
    let rows = counted.unwrap_or_default();
    let rows = rows.iter().map(|c| format!("{}: {} rows deleted", c.table, c.deleted.unwrap_or(0)));
    Ok(std::iter::once(format!("{}: {}", fate.verdict, fate.summary)).chain(rows).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
