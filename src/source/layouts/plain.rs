//! Files without a tool that referee knows: `.sql`, in order of their leading number, then by name.

use std::path::PathBuf;

use super::{Folder, Found, Unit};

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let files = folder.sql_files();
    let is_down = |f: &str| {
        ["down", "rollback", "undo"].iter().any(|w| {
            f.strip_suffix(".sql").is_some_and(|n| {
                n.ends_with(&format!(".{w}")) || n.ends_with(&format!("_{w}")) || n.ends_with(&format!("-{w}"))
            })
        })
    };
    let downs: Vec<&str> = files.iter().copied().filter(|f| is_down(f)).collect();
    let migrations = files.iter().filter(|f| !is_down(f)).map(|file| {
        let base = file.trim_end_matches(".sql");
        let base = [".up", "_up", "-up"].iter().find_map(|u| base.strip_suffix(u)).unwrap_or(base);
        let down = downs.iter().find(|d| d.strip_prefix(base).is_some_and(|rest| rest.len() <= "_rollback.sql".len()));
        // Which program runs them, and how, nothing tells.
        Unit {
            down: down.map(|d| (PathBuf::from(d), None)),
            reversible: !downs.is_empty(),
            transaction: false,
            ..Unit::file(*file, *file)
        }
    });
    Some(Found { migrations: migrations.collect(), ..Found::default() })
}
