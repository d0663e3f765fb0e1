//! dbmate: one file with `-- migrate:up` and `-- migrate:down`; `transaction:false` behind the mark.

use super::{Folder, Found, Unit, sections};

fn mark(line: &str) -> Option<&'static str> {
    let command = line.strip_prefix("--")?.trim_start().strip_prefix("migrate:")?;
    match command.split_whitespace().next()? {
        "up" => Some("up"),
        "down" => Some("down"),
        _ => None,
    }
}

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let mut migrations = Vec::new();
    for file in folder.sql_files() {
        let text = folder.text(file);
        let parts = sections(&text, mark);
        let part = |kind| parts.iter().find(|(k, ..)| *k == kind);
        let Some((_, line, up)) = part("up") else { continue };
        migrations.push(Unit {
            up: (file.into(), Some(*up)),
            down: part("down").map(|(.., span)| (file.into(), Some(*span))),
            reversible: true,
            transaction: !line.contains("transaction:false"),
            ..Unit::file(file, file)
        });
    }
    Some(Found { migrations, ..Found::default() })
}
