//! Atlas: numbered files beside `atlas.sum`; `-- atlas:txmode none` in a file's head switches the transaction off.

use super::{Folder, Found, Unit};

pub(super) fn read(folder: &Folder) -> Option<Found> {
    if !folder.has("atlas.sum") {
        return None;
    }
    let unit = |file: &&str| {
        let text = folder.text(file);
        let head = text.lines().take_while(|l| l.starts_with("--"));
        let transaction = !head.into_iter().any(|l| l.trim() == "-- atlas:txmode none");
        Unit { transaction, ..Unit::file(*file, *file) }
    };
    Some(Found { migrations: folder.sql_files().iter().map(unit).collect(), ..Found::default() })
}
