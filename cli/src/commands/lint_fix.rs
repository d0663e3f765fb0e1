//! `referee lint --fix`: the next migration of a folder, which fixes what the ones before have led to.
//!
//! The same files as `referee fix FOLDER --out FOLDER`. What is there stays as it is: it may have been applied.

use std::fmt::Write as _;
use std::path::Path;

use super::super::args::{Global, LintArgs};
use super::super::error::CliError;
use super::super::output;
use super::super::ui::Ui;
use super::accept;
use super::audit::code;
use super::lint::{files, lint};
use super::migration;
use referee::app::lint::{Fix, Next};
use referee::config::{Config, FailOn};
use referee::findings::Finding;
use referee::migration::{Output, TOOLS, Tool};
use referee::plan::Plan;
use referee::render::plan::{guessed, text::guesses};
use referee::render::{Commands, Style, wrap};
use referee::rules::{self, Rule};
use referee::source::layouts;
use referee::text::operand;

/// Shows the migration and returns the exit code; or writes it, and what is left is to be reported.
pub(super) fn run(
    args: &LintArgs,
    config: &Config,
    fail_on: FailOn,
    global: &Global,
    ui: &Ui,
) -> Result<Option<u8>, CliError> {
    let [path] = args.paths.as_slice() else {
        return Err(CliError::new("--fix writes the next migration of one folder, and several PATHs are named")
            .hint("run it once for each folder"));
    };
    if args.format.is_some() && !args.fix.write {
        return Err(CliError::new("--format is about the report, and --fix without --write shows a migration instead")
            .hint("leave out --format, or add --write to report what is left"));
    }
    let found = files(path, global.base.as_deref(), global)?;
    if !found.path.is_dir() {
        return Err(CliError::new(format!("{} is one file: there is no next migration of it", path.display())).hint(
            format!("print the plan instead: `referee fix {} --format sql`", operand(&path.display().to_string())),
        ));
    }
    let (layout, folder) = layouts::locate(&found)?;
    let tool = tool(layout, path)?;

    // What is reported at the end is told then.
    let muted = ui.muted();
    let quiet = if args.fix.write { &muted } else { ui };
    let mut fix = Fix::default();
    fix.choose.clone_from(&args.fix.choose);
    fix.accept_inferred = args.fix.accept_inferred;
    let linted = lint(path, args, Some(fix), global, config, quiet)?;
    let Some(Next { plan, report: schema, accepted, .. }) = linted.next else { return Ok(None) };
    let all = linted.report;
    accept::check(args.fix.accept_inferred, args.fix.write, global)?;
    let infer = super::command("infer", &schema.source, global);
    let commands = Commands { infer: Some(infer.clone()), ..Commands::default() };
    let output = match plan.steps.is_empty() {
        true => Output::default(),
        false => migration::make(&plan, tool, &folder, &args.fix.name)?,
    };
    if args.fix.write {
        accept::record(&accepted, &schema.schema, global, ui)?;
        for path in migration::put(&folder, &output)? {
            ui.note(&format!("wrote {}", path.display()));
        }
        if output.files.is_empty() {
            ui.note("there is nothing that a new migration could fix: nothing was written");
        }
        output.notes.iter().for_each(|note| ui.note(note));
        migration::refused(&plan).iter().for_each(|line| ui.note(&format!("not fixed: {line}")));
        guessed::note(&plan, &commands).iter().for_each(|note| ui.note(note));
        return Ok(None);
    }
    let style = ui.style_of(args.output.as_deref());
    let text = shown(&plan, &output, &commands, tool, &folder, &all.findings, &style);
    output::write(ui, args.output.as_deref(), &text)?;
    if !output.files.is_empty() {
        ui.note("nothing was written; --write does");
    }
    accept::remind(&accepted, &infer, ui);
    Ok(Some(code(&all, fail_on, ui)))
}

fn tool(layout: &'static str, path: &Path) -> Result<&'static Tool, CliError> {
    referee::migration::find(layout).ok_or_else(|| {
        let names: Vec<&str> = TOOLS.iter().map(|t| t.name).collect();
        let shown = operand(&path.display().to_string());
        let (what, hint) = match layout {
            "file" => ("a schema in one file", format!("print the plan instead: `referee fix {shown} --format sql`")),
            _ => (
                layout,
                format!(
                    "write the files for another tool: `referee fix {shown} --out DIR --layout {}`",
                    names.join("|")
                ),
            ),
        };
        CliError::new(format!("referee writes no next migration for {what} ({shown})")).hint(hint)
    })
}

/// Writes what would be written, and what only a person can fix.
fn shown(
    plan: &Plan,
    output: &Output,
    commands: &Commands,
    tool: &Tool,
    folder: &Path,
    all: &[Finding],
    style: &Style,
) -> String {
    let mut out = String::new();
    let paragraph = |out: &mut String, text: &str, indent: &str| {
        for line in wrap(text, style.width.saturating_sub(indent.len())) {
            let _ = writeln!(out, "{indent}{line}");
        }
    };
    if output.files.is_empty() {
        paragraph(&mut out, "There is nothing that a new migration could fix.", "");
    } else {
        let text = format!("The next migration of {} ({}):", folder.display(), tool.name);
        paragraph(&mut out, &text, "");
    }
    for file in &output.files {
        let path = folder.join(&file.path);
        // What tools keep for themselves is long and not for reading.
        let record = [".json", ".sum", ".toml", ".conf"].iter().any(|e| file.path.ends_with(e));
        let how = if file.replaces { "changed" } else { "new" };
        let _ = writeln!(out, "\n==> {} ({how})", path.display());
        if !record {
            let _ = writeln!(out, "\n{}", file.text.trim_end());
        }
    }
    if !output.notes.is_empty() {
        out.push('\n');
        output.notes.iter().for_each(|note| paragraph(&mut out, &format!("Note: {note}."), ""));
    }
    let refused = migration::refused(plan);
    if !refused.is_empty() {
        out.push_str("\nNot fixed by it\n");
        for line in refused {
            out.push('\n');
            paragraph(&mut out, &line, "  ");
        }
    }
    out.push_str(&guesses(plan, commands, style));
    let by_text: Vec<&Finding> =
        all.iter().filter(|f| rules::of(f.rule).is_some_and(Rule::is_about_migrations)).collect();
    if !by_text.is_empty() {
        out.push_str("\nOnly by changing a migration, if it has not been applied anywhere yet\n");
        for finding in by_text {
            let place = finding.locations.first().map_or_else(String::new, |l| format!("{}:{}: ", l.file, l.line));
            out.push('\n');
            paragraph(
                &mut out,
                &format!("{place}{} ({} {})", finding.message, finding.rule.code(), finding.rule),
                "  ",
            );
            paragraph(&mut out, &finding.help, "    ");
        }
    }
    out
}
