//! `migrator URL FOLDER up|back`: runs what has not been run, or takes the last migration back.

use std::error::Error;

use diesel::backend::Backend;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

type Done = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder, way] = arguments.as_slice() else { return Err("URL FOLDER up|back".into()) };
    let migrations = FileBasedMigrations::from_path(folder)?;
    if url.starts_with("postgres") {
        go(&mut PgConnection::establish(url)?, migrations, way)
    } else {
        go(&mut SqliteConnection::establish(url)?, migrations, way)
    }
}

fn go<DB: Backend>(connection: &mut impl MigrationHarness<DB>, migrations: FileBasedMigrations, way: &str) -> Done
where
    FileBasedMigrations: MigrationSource<DB>,
{
    match way {
        "up" => drop(connection.run_pending_migrations(migrations)?),
        "back" => drop(connection.revert_last_migration(migrations)?),
        _ => return Err("up or back".into()),
    }
    Ok(())
}
