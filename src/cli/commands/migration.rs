//! `referee fix --out`: the plan as files of a migration tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::args::{FixArgs, Global};
use super::super::error::CliError;
use super::super::ui::Ui;
use super::super::{environment, output};
use super::audit::code;
use crate::audit::Report;
use crate::config::{FailOn, nearest};
use crate::migration::{self, Folder, MigrationError, Options, TOOLS, Tool};
use crate::plan::Plan;
use crate::source::layouts;

pub(super) fn write(
    args: &FixArgs,
    folder: &Path,
    plan: &Plan,
    report: &Report,
    global: &Global,
    ui: &Ui,
) -> Result<u8, CliError> {
    let there = if folder.exists() { read(folder)? } else { Folder::default() };
    let tool = tool(folder, global)?;
    if plan.steps.is_empty() {
        ui.note("the plan has no steps: nothing was written");
        return Ok(code(report, FailOn::Never, ui));
    }
    let (digits, millis) = environment::now();
    let options = Options { name: args.files.name.clone(), digits, millis };
    let output = migration::write(plan, tool, &there, &options).map_err(explain)?;
    for file in &output.files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| CliError::file("write", parent, &e))?;
        }
        output::write_file(&path, &file.text)?;
        ui.print(&format!("{}\n", path.display()))?;
    }
    output.notes.iter().for_each(|note| ui.note(note));
    for refused in &plan.refused {
        ui.note(&format!("not mended: {} ({}): {}", refused.subject, refused.reason.rule, refused.why));
    }
    Ok(code(report, FailOn::Never, ui))
}

/// Finds the tool: the one that is named, else the one whose folder it is.
fn tool(folder: &Path, global: &Global) -> Result<&'static Tool, CliError> {
    let names = || TOOLS.iter().map(|t| t.name);
    if let Some(name) = &global.layout {
        return migration::find(name).ok_or_else(|| {
            let near = nearest(name, names());
            let failed = CliError::new(format!("referee writes no files for `{name}`"));
            match near.first() {
                Some(near) => failed.hint(format!("did you mean {near}?")),
                None => failed.hint(format!("it writes for {}", names().collect::<Vec<_>>().join(", "))),
            }
        });
    }
    let ask = || {
        CliError::new(format!("{} does not show which tool's folder it is", folder.display()))
            .hint(format!("name the tool: --layout {}", names().collect::<Vec<_>>().join("|")))
    };
    let found = layouts::recognise(folder).ok_or_else(ask)?;
    migration::find(found).ok_or_else(ask)
}

/// Reads the texts of a folder's files, two levels deep.
fn read(folder: &Path) -> Result<Folder, CliError> {
    let mut files = BTreeMap::new();
    collect(folder, "", 2, &mut files)?;
    Ok(Folder { files })
}

fn collect(root: &Path, under: &str, depth: usize, files: &mut BTreeMap<String, String>) -> Result<(), CliError> {
    let here = root.join(under);
    let failed = |error: std::io::Error| CliError::file("read", &here, &error);
    for entry in fs::read_dir(&here).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if under.is_empty() { name.clone() } else { format!("{under}/{name}") };
        if name.starts_with('.') || name == "node_modules" {
            continue;
        }
        if entry.path().is_dir() {
            if depth > 1 {
                collect(root, &path, depth - 1, files)?;
            }
        } else {
            let bytes = fs::read(entry.path()).map_err(|e| CliError::file("read", &entry.path(), &e))?;
            files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(())
}

fn explain(error: MigrationError) -> CliError {
    let failed = CliError::new(error.to_string());
    match error {
        MigrationError::Nothing => failed,
        MigrationError::Unreadable { .. } => failed.hint("mend the file with the tool that wrote it"),
        MigrationError::Exists { .. } => failed.hint("give the migration another name: --name NAME"),
        MigrationError::InTransaction { .. } => {
            failed.hint("carry the plan out by referee (--apply), or write it for a shell: --layout sql")
        }
    }
}
