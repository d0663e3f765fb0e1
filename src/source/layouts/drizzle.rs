//! Drizzle: `NNNN_name.sql` in the order of `meta/_journal.json`; since 1.0 folders with `migration.sql` and `snapshot.json`.
//!
//! All pending files run in one transaction; there is no way out of it, and no way back.

use serde::Deserialize;

use super::{Folder, Found, Unit};
use crate::schema::Engine;

#[derive(Deserialize)]
struct Journal {
    #[serde(default)]
    dialect: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    idx: u64,
    tag: String,
}

#[derive(Deserialize)]
struct Snapshot {
    #[serde(default)]
    dialect: String,
}

fn engine(dialect: &str) -> Option<Engine> {
    match dialect {
        "pg" | "postgresql" | "postgres" => Some(Engine::Postgres),
        "sqlite" | "turso" => Some(Engine::Sqlite),
        "mysql" | "singlestore" => Some(Engine::Mysql),
        "cockroach" | "cockroachdb" => Some(Engine::Cockroach),
        _ => None,
    }
}

pub(super) fn read(folder: &Folder) -> Option<Found> {
    if folder.has("meta/_journal.json") {
        let mut journal: Journal = serde_json::from_str(&folder.text("meta/_journal.json")).ok()?;
        journal.entries.sort_by_key(|e| e.idx);
        let files = journal.entries.into_iter().map(|e| (format!("{}.sql", e.tag), e.tag));
        let migrations = files.filter(|(f, _)| folder.has(f)).map(|(file, tag)| Unit::file(tag, file)).collect();
        return Some(Found { engine: engine(&journal.dialect), migrations, ..Found::default() });
    }
    // The migrator asks for `migration.sql` only (drizzle-orm 1.0, `migrator.ts`); that it is Drizzle's the snapshots tell.
    let folders = folder.folders_with("migration.sql");
    let last = folders.iter().rev().find(|f| folder.has(&format!("{f}/snapshot.json")))?;
    let snapshot: Option<Snapshot> = serde_json::from_str(&folder.text(&format!("{last}/snapshot.json"))).ok();
    let migrations = folders.iter().map(|f| Unit::file(*f, format!("{f}/migration.sql"))).collect();
    Some(Found { engine: snapshot.and_then(|s| engine(&s.dialect)), migrations, ..Found::default() })
}
