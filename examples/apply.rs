//! A plan, approved and carried out: `cargo run --example apply`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app;
use referee::app::apply::{Ending, Proposal, Request};
use referee::job::Context;
use referee::source::Source;

/// Makes a database in a folder, has it fixed, and returns what came of it.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("apply.db");
    rusqlite::Connection::open(&path)?.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users ON DELETE CASCADE);",
    )?;
    let mut shown = Vec::new();
    // A person would be asked here.
    let mut approve = |proposal: &Proposal<'_>| {
        shown.extend(proposal.plan.steps.iter().map(|step| step.title.clone()));
        shown.len() < 10
    };
    let journal = folder.join("apply.db.referee-run");
    let request = Request::new(Source::parse(&path.display().to_string())?, journal, &mut approve);
    let response = app::apply(request, &Context::default())?;
    shown.push(match response.ending {
        Ending::NothingToDo | Ending::Declined => "nothing was changed".to_string(),
        Ending::Done { outcome, verification } => {
            format!("{} steps done, verified: {}", outcome.done, (*verification)?.verified)
        }
    });
    Ok(shown)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
