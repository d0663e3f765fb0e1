//! `referee json-schema`: the JSON Schemas that referee publishes.

use super::super::args::{DocumentKind, JsonSchemaArgs};
use super::super::error::CliError;
use super::super::ui::Ui;
use referee::findings::baseline;
use referee::{config, render, schema};

pub(super) fn run(args: &JsonSchemaArgs, ui: &Ui) -> Result<u8, CliError> {
    let schema = match args.document {
        DocumentKind::Config => config::json_schema(),
        DocumentKind::Findings => render::json::json_schema(),
        DocumentKind::Reports => render::json::json_schema_of_all(),
        DocumentKind::Schema => schema::json_schema(),
        DocumentKind::Baseline => baseline::json_schema(),
        DocumentKind::Plan => render::plan::json::json_schema(),
    };
    // A JSON value: serialising it cannot fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    ui.print(&text)?;
    Ok(0)
}
