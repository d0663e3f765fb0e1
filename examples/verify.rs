//! A database, checked against a plan that somebody carried out: `cargo run --example verify`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app::{self, fix, verify};
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::source::Source;

/// Makes a database in a folder, plans an index, makes it by hand, and returns what is verified.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("verify.db");
    let database = rusqlite::Connection::open(&path)?;
    database.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users ON DELETE CASCADE);",
    )?;
    let source = Source::parse(&path.display().to_string())?;
    let open = || app::open(&source, &SessionOptions::default());
    let plan = app::fix(fix::Request::new(open()?.0), &Context::default())?.plan;
    let before = app::verify(verify::Request::new(open()?.0, &plan), &Context::default())?.verification;
    for statement in plan.steps.iter().flat_map(|step| &step.up.statements) {
        database.execute_batch(statement)?;
    }
    let after = app::verify(verify::Request::new(open()?.0, &plan), &Context::default())?.verification;
    Ok(vec![format!("before: {}", before.verified), format!("after: {}", after.verified)])
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
