//! Prisma: `NUMBER_NAME/migration.sql`, and the provider in `migration_lock.toml`.
//!
//! A file is sent as one query: on PostgreSQL an implicit transaction.

use super::{Folder, Found, Unit};
use crate::schema::Engine;

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let folders = folder.folders_with("migration.sql");
    if folders.is_empty() {
        return None;
    }
    let lock = folder.text("migration_lock.toml");
    let provider = lock.lines().find_map(|l| l.trim().strip_prefix("provider")?.trim_start().strip_prefix('='));
    let engine = match provider.map(|p| p.trim().trim_matches('"')) {
        Some("postgresql" | "postgres") => Some(Engine::Postgres),
        Some("sqlite") => Some(Engine::Sqlite),
        Some("mysql") => Some(Engine::Mysql),
        Some("cockroachdb") => Some(Engine::Cockroach),
        _ => None,
    };
    // MySQL and SQLite run statement after statement.
    let transaction = !matches!(engine, Some(Engine::Mysql | Engine::Sqlite));
    let unit = |f: &&str| Unit { transaction, ..Unit::file(*f, format!("{f}/migration.sql")) };
    Some(Found { engine, migrations: folders.iter().map(unit).collect(), ..Found::default() })
}
