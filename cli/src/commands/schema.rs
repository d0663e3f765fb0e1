//! `referee schema`: the schema as referee sees it.

use super::super::args::{Global, SchemaArgs, TextOrJson};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::ui::Ui;
use referee::{render, schema};

pub(super) fn run(args: &SchemaArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    output::check(args.output.as_deref(), &Inputs::of(&args.source, global))?;
    let input = super::open(&args.source, global, ui)?;
    let style = ui.style_of(args.output.as_deref());
    let text = match args.format {
        TextOrJson::Json => schema::to_json(&input.schema),
        TextOrJson::Text => render::schema_text(&input.schema, &style),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    Ok(0)
}
