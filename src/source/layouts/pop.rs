//! Pop: `NUMBER_NAME.DIALECT.up.sql` for one engine, `NUMBER_NAME.up.sql` for all that have no file of their own, and
//! `.autocommit` before `.up` for what runs outside a transaction.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Folder, Found, Unit};
use crate::schema::Engine;

/// A file's name, taken apart.
struct Named<'f> {
    /// `NUMBER_NAME`.
    name: &'f str,
    /// Whose it is; `None` for all engines'.
    engine: Option<Engine>,
    autocommit: bool,
    up: bool,
    file: &'f str,
}

fn named(file: &str) -> Option<Named<'_>> {
    let mut parts = file.strip_suffix(".sql")?.split('.');
    let name = parts.next().filter(|n| n.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut made = Named { name, engine: None, autocommit: false, up: false, file };
    let mut rest: Vec<&str> = parts.collect();
    made.up = match rest.pop()? {
        "up" => true,
        "down" => false,
        _ => return None,
    };
    if rest.last() == Some(&"autocommit") {
        made.autocommit = true;
        rest.pop();
    }
    made.engine = match rest.as_slice() {
        [] => None,
        ["postgres" | "postgresql"] => Some(Engine::Postgres),
        ["cockroach" | "cockroachdb"] => Some(Engine::Cockroach),
        ["sqlite" | "sqlite3"] => Some(Engine::Sqlite),
        // Pop knows no MariaDB: it is MySQL there, too.
        ["mysql" | "mariadb"] => Some(Engine::Mysql),
        _ => return None,
    };
    Some(made)
}

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let files: Vec<Named<'_>> = folder.sql_files().into_iter().filter_map(named).collect();
    let mut engines: Vec<Engine> = files.iter().filter_map(|f| f.engine).collect();
    engines.sort_by_key(|e| e.title());
    engines.dedup();
    // Without a file for one engine this is another tool's folder.
    if engines.is_empty() {
        return None;
    }
    let wanted = match folder.engine {
        Some(Engine::Mariadb) => Some(Engine::Mysql),
        Some(engine) => Some(engine),
        None if engines.len() == 1 => engines.first().copied(),
        None => return Some(Found { choice: engines, ..Found::default() }),
    };
    let chosen = |up: bool| {
        let mut by_name: BTreeMap<(u128, &str), &Named<'_>> = BTreeMap::new();
        for file in files.iter().filter(|f| f.up == up && (f.engine.is_none() || f.engine == wanted)) {
            let own = file.engine.is_some();
            let there = by_name.entry(super::order(file.name)).or_insert(file);
            if own {
                *there = file;
            }
        }
        by_name
    };
    let (ups, downs) = (chosen(true), chosen(false));
    let migrations = ups.iter().map(|(key, file)| Unit {
        down: downs.get(key).map(|d| (PathBuf::from(d.file), None)),
        reversible: true,
        transaction: !file.autocommit,
        ..Unit::file(file.name, file.file)
    });
    Some(Found { engine: folder.engine.or(wanted), migrations: migrations.collect(), ..Found::default() })
}
