//! `referee lint`: what is wrong with migrations, at the lines that cause it.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::args::{Global, LintArgs, WhatArgs};
use super::super::error::{CliError, FAILED};
use super::super::git::{Repository, Tree};
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use super::audit::{Hidden, code, read_baseline};
use super::lint_fix;
use referee::audit::{Guesses, Report, audit};
use referee::config::{Config, FailOn};
use referee::findings::Severity;
use referee::render::{self, ReportFormat};
use referee::source::{Input, Source, SqlFiles};

pub(super) fn run(args: &LintArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    let format =
        args.format.or_else(|| config.audit.format.as_deref().and_then(ReportFormat::parse)).unwrap_or_default();
    let mut inputs = Inputs::config(global).with("the baseline", args.baseline.as_deref());
    for path in &args.paths {
        inputs = inputs.with("the source", Some(path));
    }
    output::check(args.output.as_deref(), &inputs)?;
    let fail_on = args.fail_on.or(config.audit.fail_on).unwrap_or(FailOn::Severity(Severity::Warning));
    if args.fix.fix
        && let Some(code) = lint_fix::run(args, &config, fail_on, global, ui)?
    {
        return Ok(code);
    }
    let mut reports = Vec::new();
    for path in &args.paths {
        reports.push(lint(path, args, Judged::All, global, &config, ui)?);
    }
    let style = ui.style_of(args.output.as_deref());
    let text = render::reports(format, &reports, &style, ui.quiet);
    output::write(ui, args.output.as_deref(), &text)?;
    if let Some(path) = &args.output {
        ui.note(&format!("wrote {}", path.display()));
    }
    let codes: Vec<u8> = reports.iter().map(|r| code(r, fail_on, ui)).collect();
    Ok(if codes.contains(&FAILED) { FAILED } else { codes.into_iter().max().unwrap_or(0) })
}

/// What is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// The schema that the migrations lead to, and what each of them does on the way.
    All,
    /// The schema alone.
    Schema,
}

/// Lints one path; of two states, only what is new.
pub(super) fn lint(
    path: &Path,
    args: &LintArgs,
    judged: Judged,
    global: &Global,
    config: &Config,
    ui: &Ui,
) -> Result<Report, CliError> {
    let compared = args.since.is_some() || args.staged || args.changed;
    if !compared {
        let input = open(path, global.base.as_deref(), global, ui)?;
        return judge(input, args, judged, config, true, ui);
    }
    // The states are replayed and compared, not the lines: a finding is new if the old state does not have it.
    let repository = Repository::of(path)?;
    let old = match &args.since {
        Some(since) => Some(repository.tree(Some(&repository.fork_point(since)?))?),
        None if repository.has_commits() => Some(repository.tree(Some("HEAD"))?),
        None => None,
    };
    let new = if args.staged { Some(repository.tree(None)?) } else { None };
    let Some(new) = open_at(new.as_ref(), path, global, ui)? else {
        return Err(CliError::new(format!("{} is not among the staged files", path.display()))
            .hint("stage it with `git add`, or lint it without --staged"));
    };
    let old = match &old {
        Some(tree) => open_at(Some(tree), path, global, ui)?,
        None => None,
    };
    let known = match old {
        Some(old) => judge(old, args, judged, config, false, ui)?.findings,
        None => Vec::new(),
    };
    let mut known = known.into_iter().fold(BTreeMap::<String, usize>::new(), |mut counts, finding| {
        *counts.entry(finding.fingerprint).or_default() += 1;
        counts
    });
    let mut report = judge(new, args, judged, config, true, ui)?;
    report.findings.retain(|finding| match known.get_mut(&finding.fingerprint) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    Ok(report)
}

/// Opens a path as it is in a tree; `None` if the tree does not have it.
fn open_at(tree: Option<&Tree>, path: &Path, global: &Global, ui: &Ui) -> Result<Option<Input>, CliError> {
    let Some(tree) = tree else { return open(path, global.base.as_deref(), global, ui).map(Some) };
    let there = tree.path(path)?;
    if !there.exists() {
        return Ok(None);
    }
    // A base schema outside of the repository does not change with it.
    let base =
        global.base.as_deref().map(|b| tree.path(b).ok().filter(|b| b.exists()).unwrap_or_else(|| b.to_path_buf()));
    let mut input = match open(&there, base.as_deref(), global, ui) {
        Ok(input) => input,
        // A folder that did not hold migrations yet.
        Err(_) if tree.is_old() => return Ok(None),
        Err(error) => return Err(error),
    };
    input.label = path.display().to_string();
    for file in &mut input.history.files {
        let read = Path::new(&file.path);
        if let Ok(rest) = read.strip_prefix(&there) {
            let shown = if rest.as_os_str().is_empty() { path.to_path_buf() } else { path.join(rest) };
            file.path = shown.display().to_string();
        } else if let (Some(base), Some(typed)) = (&base, &global.base)
            && read == base
        {
            file.path = typed.display().to_string();
        }
    }
    Ok(Some(input))
}

fn open(path: &Path, base: Option<&Path>, global: &Global, ui: &Ui) -> Result<Input, CliError> {
    super::open_source(&Source::Sql(files(path, base, global)?), ui)
}

/// Returns what a path means as files of SQL.
pub(super) fn files(path: &Path, base: Option<&Path>, global: &Global) -> Result<SqlFiles, CliError> {
    let text = path.to_str().ok_or_else(|| CliError::new(format!("{} is no UTF-8", path.display())))?;
    let source = Source::parse(text)?.with_sql(
        global.engine.map(Into::into),
        base.map(Path::to_path_buf),
        global.layout.clone(),
    );
    match source {
        Source::Sql(files) => Ok(files),
        source => Err(CliError::new(format!("{} holds no SQL to lint", source.label()))
            .hint("a database or a schema document is audited: `referee audit SOURCE`")),
    }
}

/// Judges an input; `loud` tells what the configuration says in vain.
fn judge(
    input: Input,
    args: &LintArgs,
    judged: Judged,
    config: &Config,
    loud: bool,
    ui: &Ui,
) -> Result<Report, CliError> {
    let what = WhatArgs {
        data: false,
        budget: super::BUDGET,
        only: args.only.clone(),
        skip: args.skip.clone(),
        tables: args.tables.clone(),
        foreign_keys: args.foreign_keys,
        min_confidence: args.min_confidence,
    };
    let baseline = match &args.baseline {
        Some(path) => Some((path.as_path(), read_baseline(path)?)),
        None => None,
    };
    let mut rows = config.clone();
    // Rows are nothing that files could have.
    rows.audit.data = None;
    let quiet = ui.muted();
    let ui = if loud { ui } else { &quiet };
    let mut options = super::options(&what, &rows, &input, ui)?;
    options.migrations = judged == Judged::All;
    if judged == Judged::Schema {
        // What is found is what the next migration changes.
        options.guesses = Guesses::SetAside { accept: args.fix.accept_inferred };
    }
    let hidden = Hidden::new(config, baseline, ui);
    options.suppressions = hidden.suppressions.clone();
    if loud {
        super::skipped(&input, ui);
    }
    let report = audit(input, options, &Bar::context(ui))?;
    ui.job.check()?;
    if loud {
        ui.diagnostics(&config.name, &config.text, &config.unused_policies(&report.relations));
        ui.diagnostics(&config.name, &config.text, &config.unused_tables(&report.schema));
        hidden.warn_of_unused(config, &report, ui);
    }
    Ok(report)
}
