//! `referee audit`: what is wrong with a database's relations.

use std::path::Path;

use super::super::args::{AuditArgs, Global};
use super::super::error::{CliError, FAILED, FINDINGS};
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use referee::audit::{Report, audit};
use referee::config::{Config, FailOn};
use referee::files;
use referee::findings::Severity;
use referee::findings::baseline::{Baseline, BaselineError};
use referee::findings::suppress::Suppression;
use referee::render::{self, ReportFormat};
use referee::text::operand;

/// How many entries of a baseline that are about nothing are named.
const NAMED: usize = 5;

pub(super) fn run(args: &AuditArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    let baseline = match &args.baseline {
        Some(path) => Some((path.as_path(), read_baseline(path)?)),
        None => None,
    };
    let inputs = Inputs::of(&args.source, global).with("the baseline", args.baseline.as_deref());
    output::check(args.output.as_deref(), &inputs)?;
    let input = super::open(&args.source, global, ui)?;
    if args.verify_indexes && input.session.is_none() {
        return Err(CliError::new(format!(
            "{} has no planner to ask, so --verify-indexes cannot be done",
            input.label
        ))
        .hint("audit the database itself, or leave out --verify-indexes"));
    }
    let mut options = super::options(&args.what, &config, &input, ui)?;
    options.verify_indexes = args.verify_indexes;
    let hidden = Hidden::new(&config, baseline, ui);
    options.suppressions = hidden.suppressions.clone();

    let report = audit(input, options, &Bar::context(ui))?;
    ui.job.check()?;

    ui.diagnostics(&config.name, &config.text, &config.unused_policies(&report.relations));
    ui.diagnostics(&config.name, &config.text, &config.unused_tables(&report.schema));
    hidden.warn_of_unused(&config, &report, ui);
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
    for failure in &report.failures {
        let error = CliError::new(format!("could not {}: {}", failure.what, failure.message));
        ui.fail(&match &failure.hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    if !report.failures.is_empty() {
        ui.fail(&CliError::new("the audit is incomplete: the report lacks what is named above"));
        return FAILED;
    }
    match fail_on {
        FailOn::Severity(severity) if report.fails_on(severity) => FINDINGS,
        FailOn::Severity(_) | FailOn::Never => 0,
    }
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

/// What is not to be heard, and where each part of it comes from.
pub(super) struct Hidden {
    pub(super) suppressions: Vec<Suppression>,
    /// The positions of the ignores, which come first.
    ignores: Vec<usize>,
    baseline: Option<(String, Baseline)>,
}

impl Hidden {
    pub(super) fn new(config: &Config, baseline: Option<(&Path, Baseline)>, ui: &Ui) -> Self {
        let (ignores, expired) = config.suppressions(super::today());
        ui.diagnostics(&config.name, &config.text, &expired);
        let (ignores, mut suppressions): (Vec<_>, Vec<_>) = ignores.into_iter().unzip();
        let baseline = baseline.map(|(path, baseline)| (path.display().to_string(), baseline));
        if let Some((file, baseline)) = &baseline {
            suppressions.extend(baseline.suppressions(file));
        }
        Self { suppressions, ignores, baseline }
    }

    pub(super) fn warn_of_unused(&self, config: &Config, report: &Report, ui: &Ui) {
        let unused = &report.unused_suppressions;
        let ignores = unused.iter().filter_map(|&i| config.unused_ignore(*self.ignores.get(i)?));
        ui.diagnostics(&config.name, &config.text, &ignores.collect::<Vec<_>>());
        let Some((file, baseline)) = &self.baseline else { return };
        let entry = |i: usize| baseline.findings.get(i.checked_sub(self.ignores.len())?);
        let mut gone: Vec<String> =
            unused.iter().filter_map(|&i| entry(i)).map(|e| format!("{} {}", e.rule, e.place)).collect();
        if gone.is_empty() {
            return;
        }
        let count = gone.len();
        gone.truncate(NAMED);
        if count > NAMED {
            gone.push(format!("and {} more", count - NAMED));
        }
        let what = if count == 1 { "1 entry hides".to_string() } else { format!("{count} entries hide") };
        ui.warn(
            &format!("{file}: {what} no finding any more: {}", gone.join(", ")),
            Some(&format!("they are fixed; remove them: `referee baseline write SOURCE -o {}`", operand(file))),
        );
    }
}
