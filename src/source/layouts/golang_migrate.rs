//! golang-migrate: `NUMBER_NAME.up.sql` and `NUMBER_NAME.down.sql`. A file is sent as one query.

use std::path::PathBuf;

use super::{Folder, Found, Unit};

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let files = folder.sql_files();
    let ups = files.iter().filter_map(|f| Some((*f, f.strip_suffix(".up.sql")?)));
    let migrations = ups.map(|(file, name)| {
        let down = format!("{name}.down.sql");
        Unit {
            down: folder.has(&down).then(|| (PathBuf::from(down), None)),
            reversible: true,
            ..Unit::file(name, file)
        }
    });
    Some(Found { migrations: migrations.collect(), ..Found::default() })
}
