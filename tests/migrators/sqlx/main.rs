//! `migrator URL FOLDER up|back`: runs what has not been run, or goes back to the first migration.

use std::error::Error;
use std::path::Path;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Acquire, Pool};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder, way] = arguments.as_slice() else { return Err("URL FOLDER up|back".into()) };
    let migrator = Migrator::new(Path::new(folder)).await?;
    if url.starts_with("postgres") {
        go(&migrator, PgPoolOptions::new().max_connections(1).connect(url).await?, way).await
    } else {
        go(&migrator, SqlitePoolOptions::new().max_connections(1).connect(url).await?, way).await
    }
}

async fn go<DB: sqlx::Database>(migrator: &Migrator, pool: Pool<DB>, way: &str) -> Result<(), Box<dyn Error>>
where
    DB::Connection: Migrate,
    for<'c> &'c Pool<DB>: Acquire<'c, Database = DB>,
    for<'c> <&'c Pool<DB> as Acquire<'c>>::Connection: std::ops::Deref<Target: Migrate>,
{
    match way {
        "up" => migrator.run(&pool).await?,
        "back" => migrator.undo(&pool, migrator.iter().map(|m| m.version).min().unwrap_or(0)).await?,
        _ => return Err("up or back".into()),
    }
    Ok(())
}
