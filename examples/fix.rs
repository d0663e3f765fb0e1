//! The plan that fixes what an audit finds: `cargo run --example fix`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app::{self, fix};
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::source::Source;

/// Makes a database in a folder and returns the steps of the plan, and what it leaves.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("fix.db");
    rusqlite::Connection::open(&path)?.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users ON DELETE SET NULL);",
    )?;
    let (input, _) = app::open(&Source::parse(&path.display().to_string())?, &SessionOptions::default())?;
    let mut request = fix::Request::new(input);
    request.options.choose.push(("posts.user_id".to_string(), "drop-not-null".to_string()));
    let response = app::fix(request, &Context::default())?;
    let steps = response.plan.steps.iter().map(|step| step.title.clone());
    let left = response.plan.refused.iter().map(|refused| format!("not fixed: {}: {}", refused.subject, refused.why));
    Ok(steps.chain(left).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
