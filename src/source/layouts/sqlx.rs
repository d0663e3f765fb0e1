//! sqlx: `NUMBER_NAME.sql`, or `.up.sql` and `.down.sql`; a file that begins with `-- no-transaction` runs without one.

use super::{Folder, Found, Unit, golang_migrate, order};

const WITHOUT: &str = "-- no-transaction";

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let files = folder.sql_files();
    // Without the mark nothing tells sqlx's folders from others of the same shape.
    if !folder.named && !files.iter().any(|f| folder.text(f).starts_with(WITHOUT)) {
        return None;
    }
    let mut found = golang_migrate::read(folder).unwrap_or_default();
    let alone = files.iter().filter(|f| !f.ends_with(".up.sql") && !f.ends_with(".down.sql"));
    found.migrations.extend(alone.map(|f| Unit::file(*f, *f)));
    for unit in &mut found.migrations {
        unit.transaction = !folder.text(&unit.up.0.to_string_lossy()).starts_with(WITHOUT);
    }
    found.migrations.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
    Some(found)
}
