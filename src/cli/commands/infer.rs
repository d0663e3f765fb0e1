//! `referee infer`: the relations that nothing declares.

use std::path::Path;

use super::super::args::{Global, InferArgs};
use super::super::error::CliError;
use super::super::interrupt;
use super::super::output::{self, Inputs};
use super::super::progress::Spinner;
use super::super::ui::Ui;
use crate::config::{self, THRESHOLD};
use crate::fate;
use crate::files;
use crate::infer::{Inference, Model, ReadOptions, Survey};
use crate::relations::Relation;
use crate::render;

pub(super) fn run(args: &InferArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    output::check(args.output.as_deref(), &Inputs::of(&args.source, global))?;
    let mut input = super::open(&args.source, global, ui)?;
    let configured = super::relations(&config, &input.schema, ui);
    let schema = &input.schema;
    let declared = schema.foreign_keys().map(|(table, key)| Relation::declared(schema, &table.name, key));
    let known: Vec<Relation> = declared.chain(configured.iter().map(|c| c.relation(schema))).collect();
    let mut survey = Survey::of(schema, &known, &[]);
    let mut read = false;
    if let Some(session) = input.session.as_mut().filter(|_| !args.no_data) {
        let _spinner = Spinner::start(ui, "Reading rows".to_string());
        survey.read(session.as_mut(), &ReadOptions { budget: Some(args.budget), ..ReadOptions::default() });
        read = true;
    }
    interrupt::check()?;
    let threshold = args.min_confidence.or(config.threshold).unwrap_or(THRESHOLD);
    let mut inference = survey.report(Model::published(), threshold, read);
    fate::heed(schema, &known, &mut inference);
    for failure in &survey.rows.failures {
        ui.warn(&format!("could not read {failure}"), Some("what rests on it is told by names only"));
    }
    let style = ui.style_of(args.output.as_deref());
    let text = render::infer::render(args.format, &input.label, &inference, &style);
    output::write(ui, args.output.as_deref(), &text)?;
    if args.write_config {
        write_config(global, &inference, ui)?;
    }
    Ok(0)
}

/// Adds what is proposed to the configuration, behind what is there.
fn write_config(global: &Global, inference: &Inference, ui: &Ui) -> Result<(), CliError> {
    let path = global.config.as_deref().unwrap_or(Path::new(config::FILE_NAME));
    let old = match files::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(CliError::file("read", path, &error)),
    };
    let added = config::init::entries(inference);
    if added.is_empty() {
        ui.note(&format!("nothing is proposed: {} is left as it is", path.display()));
        return Ok(());
    }
    let gap = if old.is_empty() || old.ends_with("\n\n") { "" } else { "\n" };
    output::write_file(path, &format!("{old}{gap}{added}"))?;
    let count = inference.proposals.len();
    let what = if count == 1 { "1 relation".to_string() } else { format!("{count} relations") };
    ui.note(&format!("wrote {what} to {}; strike out what is not true", path.display()));
    Ok(())
}
