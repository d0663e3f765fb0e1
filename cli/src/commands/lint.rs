//! `referee lint`: what is wrong with migrations, at the lines that cause it.

use std::path::Path;

use super::super::args::{Global, LintArgs};
use super::super::error::{CliError, FAILED};
use super::super::git::{Repository, Tree};
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use super::audit::{code, named_baseline};
use super::lint_fix;
use referee::app::lint::{Fix, Request, Response};
use referee::app::{self, Note};
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
        reports.push(lint(path, args, None, global, &config, ui)?.report);
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

/// Lints one path; of two states, only what is new. Plans the next migration, if that is wanted.
pub(super) fn lint(
    path: &Path,
    args: &LintArgs,
    fix: Option<Fix>,
    global: &Global,
    config: &Config,
    ui: &Ui,
) -> Result<Response, CliError> {
    let (new, old) = states(path, args, global, ui)?;
    let (input, read) = new;
    let mut request = Request::new(input);
    request.older = old;
    request.selection = args.selection.selection();
    request.config = config.clone();
    request.today = Some(super::today());
    request.baseline = named_baseline(args.baseline.as_deref())?;
    request.fix = fix;
    super::tell(&read, config, ui);
    let response = super::done(app::lint(request, &Bar::context(ui)), config, ui)?;
    super::tell(&response.notes, config, ui);
    super::tell(&response.unused, config, ui);
    Ok(response)
}

/// What was opened, and what is to be said of it.
type Opened = (Input, Vec<Note>);

/// Opens a path, and its older state if two are to be compared.
fn states(path: &Path, args: &LintArgs, global: &Global, ui: &Ui) -> Result<(Opened, Option<Input>), CliError> {
    let compared = args.since.is_some() || args.staged || args.changed;
    if !compared {
        return Ok((open(path, global.base.as_deref(), global, ui)?, None));
    }
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
    Ok((new, old.map(|(input, _)| input)))
}

/// Opens a path as it is in a tree; `None` if the tree does not have it.
fn open_at(tree: Option<&Tree>, path: &Path, global: &Global, ui: &Ui) -> Result<Option<Opened>, CliError> {
    let Some(tree) = tree else { return open(path, global.base.as_deref(), global, ui).map(Some) };
    let there = tree.path(path)?;
    if !there.exists() {
        return Ok(None);
    }
    // A base schema outside of the repository does not change with it.
    let base =
        global.base.as_deref().map(|b| tree.path(b).ok().filter(|b| b.exists()).unwrap_or_else(|| b.to_path_buf()));
    let (mut input, notes) = match open(&there, base.as_deref(), global, ui) {
        Ok(opened) => opened,
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
    Ok(Some((input, notes)))
}

fn open(path: &Path, base: Option<&Path>, global: &Global, ui: &Ui) -> Result<Opened, CliError> {
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
