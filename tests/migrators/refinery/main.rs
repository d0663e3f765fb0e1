//! `migrator URL FOLDER`: runs what has not been run. refinery has no way back.

use std::error::Error;

use refinery_core::{Runner, load_sql_migrations};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder] = arguments.as_slice() else { return Err("URL FOLDER".into()) };
    let runner = Runner::new(&load_sql_migrations(folder)?);
    if url.starts_with("postgres") {
        runner.run(&mut postgres::Client::connect(url, postgres::NoTls)?)?;
    } else {
        runner.run(&mut rusqlite::Connection::open(url)?)?;
    }
    Ok(())
}
