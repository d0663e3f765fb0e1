//! Flyway: `V<version>__name.sql`, undone by `U<version>__name.sql`; `R__name.sql` run last; `B<version>__name.sql` stands for
//! everything up to its version. `executeInTransaction=false` in `<file>.conf` switches the transaction off.

use std::path::PathBuf;

use super::{Folder, Found, Unit};

/// A file's letter, version and name.
pub(super) struct Named<'f> {
    pub letter: char,
    pub version: Vec<u64>,
    pub file: &'f str,
}

/// Reads `V1.2__name.sql`; `None` for other names.
pub(super) fn named(file: &str) -> Option<Named<'_>> {
    let base = file.rsplit('/').next().unwrap_or(file).strip_suffix(".sql")?;
    let (head, _) = base.split_once("__")?;
    let letter = head.chars().next().filter(|c| matches!(c, 'V' | 'U' | 'R' | 'B'))?;
    let version: Option<Vec<u64>> = match &head[1..] {
        "" if letter == 'R' => Some(Vec::new()),
        version => version.split(['.', '_']).map(|n| n.parse().ok()).collect(),
    };
    Some(Named { letter, version: version?, file })
}

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let mut files: Vec<Named<'_>> =
        folder.files.iter().filter(|f| f.ends_with(".sql")).filter_map(|f| named(f)).collect();
    if files.is_empty() || super::refinery::is_refinery(&files) {
        return None;
    }
    // Repeatable migrations run after all others, by name.
    files.sort_by(|a, b| (a.letter == 'R', &a.version, a.file).cmp(&(b.letter == 'R', &b.version, b.file)));
    let baseline = files.iter().filter(|f| f.letter == 'B').map(|f| f.version.clone()).max();
    let undo = |version: &[u64]| files.iter().find(|f| f.letter == 'U' && f.version == version);
    let runs = files.iter().filter(|f| match f.letter {
        'V' => baseline.as_ref().is_none_or(|b| f.version > *b),
        'B' => Some(&f.version) == baseline.as_ref(),
        'R' => true,
        _ => false,
    });
    let reversible = files.iter().any(|f| f.letter == 'U');
    let migrations = runs.map(|f| {
        let conf = folder.text(&format!("{}.conf", f.file));
        let without = conf.lines().any(|l| l.replace(' ', "") == "executeInTransaction=false");
        Unit {
            down: undo(&f.version).filter(|_| f.letter == 'V').map(|u| (PathBuf::from(u.file), None)),
            reversible,
            transaction: !without,
            ..Unit::file(f.file, f.file)
        }
    });
    Some(Found { migrations: migrations.collect(), ..Found::default() })
}
