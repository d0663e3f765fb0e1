//! `referee verify`: a database, held against a plan that was carried out.

use std::io;

use super::super::args::{Global, VerifyArgs, VerifyFormat};
use super::super::error::{CliError, FINDINGS};
use super::super::output::{self, Inputs};
use super::super::ui::Ui;
use referee::app::{self, verify};
use referee::files;
use referee::render;
use referee::text::operand;

pub(super) fn run(args: &VerifyArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    let inputs = Inputs::of(&args.source, global).with("the plan", Some(&args.plan));
    output::check(args.output.as_deref(), &inputs)?;
    let path = &args.plan;
    let text = files::read_text(path).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => CliError::new(format!(
            "{} is not a plan (expected JSON from `referee fix {} --format json`)",
            path.display(),
            operand(&args.source.to_string())
        )),
        _ => CliError::file("read", path, &e),
    })?;
    let plan = render::plan::json::parse(&text).map_err(|error| {
        CliError::new(format!("{}: {error}", path.display()))
            .hint("`referee fix SOURCE --format json -o plan.json` writes one, before it is carried out")
    })?;
    let mut request = verify::Request::new(super::open(&args.source, global, ui)?, &plan);
    request.selection = args.selection.selection();
    request.config = config.clone();
    let response = super::done(app::verify(request, &ui.job.context), &config, ui)?;
    super::tell(&response.notes, &config, ui);
    let verification = response.verification;
    let style = ui.style_of(args.output.as_deref());
    let text = match args.format {
        VerifyFormat::Text => render::verify::text(&verification, &style),
        VerifyFormat::Markdown => render::verify::markdown(&args.source.to_string(), &verification),
        VerifyFormat::Json => render::verify::json(&args.source.to_string(), &verification),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    if let Some(path) = &args.output {
        ui.note(&format!("wrote {}", path.display()));
    }
    Ok(if verification.verified { 0 } else { FINDINGS })
}
