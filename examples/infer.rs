//! The relations that nothing declares: `cargo run --example infer`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app::{self, infer};
use referee::config::accept;
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::relations::Written;
use referee::source::Source;

/// Makes a database in a folder, accepts a relation that is guessed, and returns what `referee.toml` says then.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("infer.db");
    rusqlite::Connection::open(&path)?.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER);
         INSERT INTO users VALUES (1), (2);
         INSERT INTO posts VALUES (1, 1), (2, 2);",
    )?;
    let (input, _) = app::open(&Source::parse(&path.display().to_string())?, &SessionOptions::default())?;
    let mut request = infer::Request::new(input);
    request.accept.push(Written::parse("posts.user_id->users.id")?);
    let response = app::infer(request, &Context::default())?;
    let mut lines: Vec<String> = Vec::new();
    for advised in &response.inference.proposals {
        let proposal = &advised.proposal;
        lines.push(format!("{}.{} -> {}", proposal.child, proposal.columns.join(", "), proposal.parent));
    }
    let relations = response.accepted.map(|accepted| accepted.relations).unwrap_or_default();
    let added = accept::add("referee.toml", "", &[], &relations).map_err(|_| "referee.toml takes no more entries")?;
    lines.extend(added.text.lines().map(str::to_string));
    Ok(lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
