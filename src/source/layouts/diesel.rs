//! Diesel: folders with `up.sql` and `down.sql`; `metadata.toml` may switch the transaction off.

use std::path::PathBuf;

use super::{Folder, Found, Unit};

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let mut folders = folder.folders_with("up.sql");
    // A version is the name up to the first underscore, without dashes, compared as text (diesel_migrations).
    let version = |name: &str| name.split('_').next().unwrap_or(name).replace('-', "");
    folders.sort_by_key(|name| (version(name), *name));
    let unit = |name: &&str| {
        let down = format!("{name}/down.sql");
        let metadata = folder.text(&format!("{name}/metadata.toml"));
        let without = metadata.lines().any(|l| l.replace(' ', "") == "run_in_transaction=false");
        Unit {
            down: folder.has(&down).then(|| (PathBuf::from(down), None)),
            reversible: true,
            transaction: !without,
            ..Unit::file(*name, format!("{name}/up.sql"))
        }
    };
    Some(Found { migrations: folders.iter().map(unit).collect(), ..Found::default() })
}
