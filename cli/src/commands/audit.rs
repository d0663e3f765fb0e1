//! `referee audit`: what is wrong with a database's relations.

use std::path::Path;

use super::super::args::{AuditArgs, Global};
use super::super::error::{CliError, FAILED, FINDINGS};
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use referee::app::{self, audit};
use referee::audit::{Failure, Report};
use referee::config::FailOn;
use referee::files;
use referee::findings::Severity;
use referee::findings::baseline::{Baseline, BaselineError};
use referee::render::{self, ReportFormat};
use referee::text::operand;

pub(super) fn run(args: &AuditArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    let baseline = named_baseline(args.baseline.as_deref())?;
    let inputs = Inputs::of(&args.source, global).with("the baseline", args.baseline.as_deref());
    output::check(args.output.as_deref(), &inputs)?;
    let mut request = audit::Request::new(super::open(&args.source, global, ui)?);
    request.selection = args.selection.selection();
    request.config = config.clone();
    request.today = Some(super::today());
    (request.data, request.budget) = (args.rows.data, args.rows.budget);
    request.verify_indexes = args.verify_indexes;
    request.baseline = baseline;
    let response = super::done(app::audit(request, &Bar::context(ui)), &config, ui)?;
    super::tell(&response.notes, &config, ui);
    super::tell(&response.unused, &config, ui);
    let report = response.report;

    let format = args.format.or_else(|| config.audit.format.as_deref().and_then(ReportFormat::parse));
    let style = ui.style_of(args.output.as_deref());
    let text = render::report(format.unwrap_or_default(), &report, &style, ui.quiet);
    output::write(ui, args.output.as_deref(), &text)?;
    if let Some(path) = &args.output {
        ui.note(&format!("wrote {}", path.display()));
    }
    let fail_on = args.fail_on.or(config.audit.fail_on).unwrap_or(FailOn::Severity(Severity::Warning));
    Ok(code(&report, fail_on, ui))
}

/// Says what could not be done, and returns the exit code.
pub(super) fn code(report: &Report, fail_on: FailOn, ui: &Ui) -> u8 {
    report.failures.iter().for_each(|failure| fail(failure, ui));
    if !report.failures.is_empty() {
        ui.fail(&CliError::new("the audit is incomplete: the report lacks what is named above"));
        return FAILED;
    }
    match fail_on {
        FailOn::Severity(severity) if report.fails_on(severity) => FINDINGS,
        FailOn::Severity(_) | FailOn::Never => 0,
    }
}

/// Says of a part of a job that it could not be done.
pub(super) fn fail(failure: &Failure, ui: &Ui) {
    let error = CliError::new(format!("could not {}: {}", failure.what, failure.message));
    ui.fail(&match &failure.hint {
        Some(hint) => error.hint(hint),
        None => error,
    });
}

/// Reads a baseline, if one is named, and returns it with its name.
pub(super) fn named_baseline(path: Option<&Path>) -> Result<Option<(String, Baseline)>, CliError> {
    path.map(|path| Ok((path.display().to_string(), read_baseline(path)?))).transpose()
}

pub(super) fn read_baseline(path: &Path) -> Result<Baseline, CliError> {
    let again = format!("write it again: `referee baseline write SOURCE -o {}`", operand(&path.display().to_string()));
    let text = files::read_text(path).map_err(|e| CliError::file("read", path, &e).hint(again.clone()))?;
    Baseline::parse(&text).map_err(|error| {
        let what = match error {
            BaselineError::Format { .. } => format!("{} is no baseline that this version reads", path.display()),
            BaselineError::Syntax(_) => format!("cannot read {}", path.display()),
        };
        CliError::new(format!("{what}: {error}")).hint(again)
    })
}
