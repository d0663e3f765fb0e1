//! What is wrong with migrations, at the lines that cause it: `cargo run --example lint`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::Path;

use referee::app::{self, lint};
use referee::engine::SessionOptions;
use referee::job::Context;
use referee::schema::Engine;
use referee::source::Source;

/// Writes a migration into a folder; returns what is wrong with it, and what the next migration would do.
pub fn run(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let path = folder.join("lint");
    std::fs::create_dir(&path)?;
    std::fs::write(
        path.join("0001_posts.sql"),
        "CREATE TABLE users (id bigint PRIMARY KEY);\n\
         CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint REFERENCES users);\n",
    )?;
    let source = Source::parse(&path.display().to_string())?.with_sql(Some(Engine::Postgres), None, None);
    let (input, _) = app::open(&source, &SessionOptions::default())?;
    let mut request = lint::Request::new(input);
    request.fix = Some(lint::Fix::default());
    let response = app::lint(request, &Context::default())?;
    let place = |f: &referee::findings::Finding| f.locations.first().map_or(0, |l| l.line);
    let findings = response.report.findings.iter().map(|f| format!("line {}: {}", place(f), f.message));
    let steps = response.next.iter().flat_map(|next| &next.plan.steps).map(|step| format!("next: {}", step.title));
    Ok(findings.chain(steps).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path())?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
