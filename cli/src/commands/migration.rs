//! `referee fix --out`: the plan as files of a migration tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::args::{FixArgs, Global};
use super::super::error::CliError;
use super::super::ui::Ui;
use super::super::{environment, output};
use super::accept;
use super::audit::code;
use referee::app::fix::Response;
use referee::config::{FailOn, nearest};
use referee::files;
use referee::findings::RuleId;
use referee::migration::{self, Folder, MigrationError, Options, Output, OutputFile, TOOLS, Tool};
use referee::plan::{Cause, Plan, Refused};
use referee::render::{self, Commands};
use referee::source::layouts;
use referee::text::operand;

pub(super) fn write(args: &FixArgs, folder: &Path, made: &Response, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let Response { plan, report, .. } = made;
    let tool = tool(folder, global)?;
    let commands =
        Commands { infer: Some(super::command("infer", &report.source, &reading(global))), ..Commands::default() };
    let guessed = render::plan::guessed::note(plan, &commands);
    if plan.steps.is_empty() {
        ui.note("the plan has no steps: nothing was written");
        guessed.iter().for_each(|note| ui.note(note));
        return Ok(code(report, FailOn::Never, ui));
    }
    let output = make(plan, tool, folder, &args.files.name)?;
    accept::record(&made.accepted, &report.schema, global, ui)?;
    for path in put(folder, &output)? {
        ui.print(&format!("{}\n", path.display()))?;
    }
    output.notes.iter().for_each(|note| ui.note(note));
    refused(plan).iter().for_each(|line| ui.note(&format!("not fixed: {line}")));
    guessed.iter().for_each(|note| ui.note(note));
    Ok(code(report, FailOn::Never, ui))
}

/// Returns the options by which the source is read: with --out, --layout is about what is written.
fn reading(global: &Global) -> Global {
    Global { layout: None, ..global.clone() }
}

/// Names the findings that no step fixes, and why; those that one reason is given for, together.
pub(super) fn refused(plan: &Plan) -> Vec<String> {
    let mut causes: Vec<(RuleId, Cause<'_>, Vec<&Refused>)> = Vec::new();
    for refused in &plan.refused {
        let (rule, cause) = (refused.reason.rule, refused.cause());
        match causes.iter_mut().find(|(r, known, _)| *r == rule && *known == cause) {
            Some((_, _, all)) => all.push(refused),
            None => causes.push((rule, cause, vec![refused])),
        }
    }
    let line = |(rule, cause, all): (RuleId, Cause<'_>, Vec<&Refused>)| match all.as_slice() {
        [one] => format!("{} ({rule}): {}", one.subject, one.why),
        _ => {
            let subjects: Vec<&str> = all.iter().map(|r| r.subject.as_str()).collect();
            format!("{} ({rule}): {}", subjects.join(", "), cause.told())
        }
    };
    causes.into_iter().map(line).collect()
}

/// Writes a plan for a tool, as text: the folder is read, and stays as it is.
pub(super) fn make(plan: &Plan, tool: &'static Tool, folder: &Path, name: &str) -> Result<Output, CliError> {
    let there = if folder.exists() { read(folder)? } else { Folder::default() };
    let (digits, millis) = environment::now();
    let options = Options { name: name.to_string(), digits, millis };
    let mut output = migration::write(plan, tool, &there, &options).map_err(explain)?;
    // A command is pasted where one stands, not in the folder.
    for name in output.files.iter().map(|f| &f.path).filter(|name| name.contains(".by_hand.")) {
        let path = operand(&folder.join(name).display().to_string());
        output.notes.iter_mut().for_each(|note| *note = note.replace(name.as_str(), &path));
    }
    Ok(output)
}

/// Writes files into a folder, all or none, and returns their paths. What came to be there meanwhile stays.
pub(super) fn put(folder: &Path, output: &Output) -> Result<Vec<PathBuf>, CliError> {
    let mut made: Vec<PathBuf> = Vec::new();
    let mut paths = Vec::new();
    // What leads to the new files comes last: a journal must not name one that could not be written.
    let (last, first): (Vec<&OutputFile>, Vec<&OutputFile>) = output.files.iter().partition(|f| f.replaces);
    for file in first.into_iter().chain(last) {
        let path = folder.join(&file.path);
        let written = if file.replaces { output::write_file(&path, &file.text) } else { create(&path, &file.text) };
        if let Err(error) = written {
            for path in made {
                let _ = fs::remove_file(&path);
                // A migration's own folder is empty now, and no other folder can be removed.
                let _ = path.parent().filter(|p| *p != folder).map(fs::remove_dir);
            }
            return Err(error);
        }
        if !file.replaces {
            made.push(path.clone());
        }
        paths.push(path);
    }
    Ok(paths)
}

/// Writes a file that is not there yet.
fn create(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::file("write", path, &error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    output::create_file(path, text)
}

/// Finds the tool: the one that is named, else the one whose folder it is.
fn tool(folder: &Path, global: &Global) -> Result<&'static Tool, CliError> {
    let names = || TOOLS.iter().map(|t| t.name);
    if let Some(name) = &global.layout {
        let named = migration::find(name).ok_or_else(|| {
            let near = nearest(name, names());
            let failed = CliError::new(format!("referee writes no files for `{name}`"));
            match near.first() {
                Some(near) => failed.hint(format!("did you mean {near}?")),
                None => failed.hint(format!("it writes for {}", names().collect::<Vec<_>>().join(", "))),
            }
        })?;
        return fits(folder, named).map(|()| named);
    }
    let ask = || {
        CliError::new(format!("{} does not show which tool's folder it is", folder.display()))
            .hint(format!("name the tool: --layout {}", names().collect::<Vec<_>>().join("|")))
    };
    let found = layouts::recognise(folder).ok_or_else(ask)?;
    migration::find(found).ok_or_else(ask)
}

/// Complains if a folder has another tool's marks: what is written would be no migration of either.
fn fits(folder: &Path, tool: &Tool) -> Result<(), CliError> {
    // Others have names that several tools take.
    const MARKED: &[&str] = &["drizzle", "prisma", "diesel", "atlas", "goose", "dbmate"];
    let Some(found) = layouts::recognise(folder).filter(|f| *f != tool.name && MARKED.contains(f)) else {
        return Ok(());
    };
    let marks = layouts::LAYOUTS.iter().find(|l| l.name == found).map_or("", |l| l.known_by);
    Err(CliError::new(format!("{} is a folder of {found} ({marks}), not of {}", folder.display(), tool.name))
        .hint(format!("leave out --layout to write for {found}, or write into another folder")))
}

/// Reads the texts of a folder's files, two levels deep.
fn read(folder: &Path) -> Result<Folder, CliError> {
    let mut files = BTreeMap::new();
    for name in layouts::list(folder)? {
        let path = folder.join(&name);
        let bytes = files::read(&path).map_err(|e| CliError::file("read", &path, &e))?;
        files.insert(name, String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(Folder { files })
}

fn explain(error: MigrationError) -> CliError {
    let failed = CliError::new(error.to_string());
    match error {
        MigrationError::Nothing => failed,
        MigrationError::Unreadable { .. } => failed.hint("fix the file with the tool that wrote it"),
        MigrationError::Exists { .. } => failed.hint("give the migration another name: --name NAME"),
        MigrationError::Unnumbered { .. } => failed.hint("number the files, or write into another folder: `referee fix SOURCE --out DIR --layout TOOL`"),
        MigrationError::Mark { .. } => {
            failed.hint("have referee carry the plan out (`referee fix DATABASE --apply`), or write it for a shell into another folder: `referee fix SOURCE --out DIR --layout sql`")
        }
        MigrationError::InTransaction { .. } => {
            failed.hint("have referee carry the plan out (`referee fix DATABASE --apply`), or write it for a shell into another folder: `referee fix SOURCE --out DIR --layout sql`")
        }
    }
}
