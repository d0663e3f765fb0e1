//! refinery: `V<number>__name.sql` and, where numbers need not follow each other, `U<number>__name.sql`. Both lead up.

use super::flyway::{Named, named};
use super::{Folder, Found, Unit};

/// Tells refinery's files from Flyway's: there a `U` undoes the `V` of its number, so it never stands alone.
pub(super) fn is_refinery(files: &[Named<'_>]) -> bool {
    let alone = |u: &&Named<'_>| !files.iter().any(|v| v.letter == 'V' && v.version == u.version);
    files.iter().filter(|f| f.letter == 'U').any(|u| alone(&u))
}

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let mut files: Vec<Named<'_>> =
        folder.files.iter().filter(|f| f.ends_with(".sql")).filter_map(|f| named(f)).collect();
    files.retain(|f| matches!(f.letter, 'V' | 'U'));
    files.sort_by(|a, b| (&a.version, a.file).cmp(&(&b.version, b.file)));
    let migrations = files.iter().map(|f| Unit::file(f.file, f.file)).collect();
    Some(Found { migrations, ..Found::default() })
}
