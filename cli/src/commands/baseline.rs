//! `referee baseline write`: accepts the findings of today.

use super::super::args::{BaselineArgs, BaselineCommand, Global};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use referee::app::{self, audit};
use referee::findings::baseline::Baseline;
use referee::text::operand;

pub(super) fn run(args: &BaselineArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let BaselineCommand::Write(args) = &args.command;
    let config = super::configuration(global)?;
    output::check(Some(&args.output), &Inputs::of(&args.source, global))?;
    let older = if args.output.exists() { Some(super::audit::read_baseline(&args.output)?) } else { None };
    let mut request = audit::Request::new(super::open(&args.source, global, ui)?);
    request.selection = args.selection.selection();
    request.config = config.clone();
    // What an ignore hides already needs no entry.
    request.today = Some(super::today());
    (request.data, request.budget) = (args.rows.data, args.rows.budget);
    // For `referee lint --baseline`: what migrations did is accepted, too.
    request.migrations = !request.input.history.files.is_empty();
    let response = super::done(app::audit(request, &Bar::context(ui)), &config, ui)?;
    super::tell(&response.notes, &config, ui);
    let report = response.report;
    if let Some(failure) = report.failures.first() {
        let what = format!("no baseline was written: could not {}: {}", failure.what, failure.message);
        let hint = failure.hint.clone().unwrap_or_else(|| "run without --data, or fix that first".to_string());
        return Err(CliError::new(what).hint(hint));
    }
    let baseline = Baseline::new(&report.findings, older.as_ref());
    output::write_file(&args.output, &baseline.to_json())?;
    let count = baseline.findings.len();
    let findings = if count == 1 { "finding" } else { "findings" };
    let file = args.output.display();
    ui.note(&format!(
        "wrote {file} with {count} {findings}; from now on: referee audit … --baseline {}",
        operand(&file.to_string())
    ));
    Ok(0)
}
