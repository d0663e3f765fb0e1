//! goose: one file with `-- +goose Up` and `-- +goose Down`; `-- +goose NO TRANSACTION` holds for the whole file.

use super::{Folder, Found, Unit, sections};

/// Returns what a line tells goose: `--+goose Up` is as good as `-- +goose Up` (`internal/sqlparser/parser.go`).
fn command(line: &str) -> Option<&str> {
    line.strip_prefix("--")?.trim_start().strip_prefix("+goose").map(str::trim)
}

fn mark(line: &str) -> Option<&'static str> {
    let command = command(line)?;
    if command.eq_ignore_ascii_case("up") {
        Some("up")
    } else if command.eq_ignore_ascii_case("down") {
        Some("down")
    } else {
        None
    }
}

pub(super) fn read(folder: &Folder) -> Option<Found> {
    let mut migrations = Vec::new();
    for file in folder.sql_files() {
        let text = folder.text(file);
        let parts = sections(&text, mark);
        let part = |kind| parts.iter().find(|(k, ..)| *k == kind).map(|(.., span)| *span);
        let Some(up) = part("up") else { continue };
        let without = text.lines().filter_map(command).any(|c| c.eq_ignore_ascii_case("NO TRANSACTION"));
        migrations.push(Unit {
            up: (file.into(), Some(up)),
            down: part("down").map(|span| (file.into(), Some(span))),
            reversible: true,
            transaction: !without,
            ..Unit::file(file, file)
        });
    }
    Some(Found { migrations, ..Found::default() })
}
