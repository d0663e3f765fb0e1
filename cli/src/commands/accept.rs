//! Accepting guesses: what `infer --accept` writes into `referee.toml`, and what a run that took guesses leaves there.

use std::path::Path;

use super::super::args::Global;
use super::super::error::CliError;
use super::super::output;
use super::super::ui::Ui;
use referee::config::{self, Config};
use referee::files;
use referee::relations::{ConfiguredRelation, write};
use referee::schema::Schema;
use referee::text::argument;

/// Returns where accepted relations are written.
pub(super) fn place(global: &Global) -> &Path {
    global.config.as_deref().unwrap_or(Path::new(config::FILE_NAME))
}

/// Reads the configuration that accepted relations are added to; the file need not be there yet.
pub(super) fn configuration(global: &Global) -> Result<Config, CliError> {
    if global.config.is_some() && !place(global).exists() {
        return Ok(Config::default());
    }
    super::configuration(global)
}

/// Adds accepted relations to `referee.toml`; returns how many were new.
pub(super) fn add(relations: &[ConfiguredRelation], schema: &Schema, global: &Global) -> Result<usize, CliError> {
    let path = place(global);
    let old = match files::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(CliError::file("read", path, &error)),
    };
    let name = path.display().to_string();
    let there = config::parse(&name, &old)
        .map_err(|diagnostics| CliError::Config { name: name.clone(), text: old.clone(), diagnostics })?
        .resolve(schema)
        .relations;
    let added = config::accept::add(&name, &old, &there, relations).map_err(|errors| {
        let why = errors.first().map_or(String::new(), |e| format!(": {}", e.message));
        CliError::new(format!("no [[relation]] can be added to {name}{why}; it is left as it is"))
            .hint("write `relation = […]` as [[relation]] tables, one for each entry, then run the same command")
    })?;
    if added.count > 0 {
        output::write_file(path, &added.text)?;
    }
    Ok(added.count)
}

/// Complains before the work if what is taken could not be written down.
pub(super) fn check(accept: Option<f64>, writes: bool, global: &Global) -> Result<(), CliError> {
    if accept.is_none() || !writes || !global.no_config {
        return Ok(());
    }
    Err(CliError::new(
        "--accept-inferred writes into referee.toml which guesses it makes foreign keys of, and --no-config forbids that",
    )
    .hint("leave out --no-config, or name a file for it: --config FILE"))
}

/// Writes into `referee.toml` which guesses a plan makes keys of, before it is carried out: else the keys would be taken for
/// declared ones the next time, and one guess would bear out the next.
pub(super) fn record(made: &[ConfiguredRelation], schema: &Schema, global: &Global, ui: &Ui) -> Result<(), CliError> {
    let count = add(made, schema, global)?;
    if count > 0 {
        ui.note(&format!("wrote {} to {}, as accepted: {}", relations(count), place(global).display(), listed(made)));
    }
    Ok(())
}

/// Says of a plan that is only shown what it rests on.
pub(super) fn remind(made: &[ConfiguredRelation], infer: &str, ui: &Ui) {
    if made.is_empty() {
        return;
    }
    let all: Vec<String> = made.iter().map(|r| format!(" --accept {}", argument(&written(r)))).collect();
    ui.note(&format!(
        "{} accepted for this run only. --apply and --out write them to referee.toml; before you run the SQL yourself, do it with: {infer}{}",
        match made.len() {
            1 => "1 guessed relation is".to_string(),
            count => format!("{count} guessed relations are"),
        },
        all.concat()
    ));
}

pub(super) fn written(relation: &ConfiguredRelation) -> String {
    write(&relation.child, &relation.columns, &relation.parent, &relation.parent_columns)
}

pub(super) fn relations(count: usize) -> String {
    if count == 1 { "1 relation".to_string() } else { format!("{count} relations") }
}

/// Lists the first few.
pub(super) fn listed(relations: &[ConfiguredRelation]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = relations.iter().take(SHOWN).map(written).collect();
    let more = relations.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}
