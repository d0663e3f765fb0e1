//! Drizzle: up to 0.45 a file, an entry in `meta/_journal.json` and a snapshot; from 1.0 on a folder with both.
//!
//! The migrator runs all files that are due in one transaction; there is no way out of it. An entry counts as due if its
//! time is later than the last one's (drizzle-orm, `pg-core/dialect.ts`), and the next `generate` compares the schema with
//! the last snapshot, so that one without a snapshot would be made a second time.

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Folder, MigrationError, Options, Output, OutputFile, Unit};
use super::numbers::{following, versions};
use super::snapshot::{self, named};
use super::text::{Around, Separator, up};
use super::tools::Tool;
use crate::plan::Plan;

/// How many digits seconds since 1970 have.
const SECONDS: usize = 10;

const JOURNAL: &str = "meta/_journal.json";

#[derive(Deserialize)]
struct Journal {
    #[serde(default)]
    version: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    idx: u64,
    #[serde(default)]
    version: Option<String>,
    when: u64,
    tag: String,
}

pub(super) fn write(
    plan: &Plan,
    tool: &Tool,
    units: &[Unit<'_>],
    folder: &Folder,
    options: &Options,
    output: &mut Output,
) -> Result<(), MigrationError> {
    let sql: Vec<String> = units.iter().map(|u| up(plan, u, Around::Tool, Separator::Drizzle)).collect();
    let sql = sql.join("--> statement-breakpoint\n");
    let newer = folder.files.keys().rev().find(|p| p.ends_with("/snapshot.json") && !p.starts_with("meta/"));
    if let (Some(last), false) = (newer, folder.files.contains_key(JOURNAL)) {
        // The first fourteen characters are read as a time, and folders run in order of their names (`migrator.utils.ts`).
        let number = versions(tool, folder, options, 1)?.pop().unwrap_or_default();
        let name = format!("{number}_{}", options.name);
        let snapshot = snapshot::next(plan, Some((last, &folder.files[last])), &name)?;
        output.files.push(OutputFile::new(format!("{name}/migration.sql"), sql));
        output.files.push(OutputFile::new(format!("{name}/snapshot.json"), snapshot));
        return Ok(());
    }
    let text = folder.files.get(JOURNAL);
    let journal: Option<Journal> =
        text.map(|t| serde_json::from_str(t).map_err(|e| unreadable(JOURNAL, &e.to_string()))).transpose()?;
    let last = journal.as_ref().and_then(|j| j.entries.iter().max_by_key(|e| e.idx));
    let latest = journal.iter().flat_map(|j| &j.entries).map(|e| e.when).max().unwrap_or(0);
    let number = last.map_or(0, |e| e.idx + 1);
    // What tags begin with is counted, or a time, or seconds since 1970 (`migrations.prefix` of its configuration).
    let prefix = last.filter(|e| e.tag.starts_with(|c: char| c.is_ascii_digit())).and_then(|e| {
        if e.tag.find('_') == Some(SECONDS) {
            return Some((options.millis / 1000).max(e.tag[..SECONDS].parse::<u64>().ok()? + 1).to_string());
        }
        following(&[&e.tag], tool, options, 1).pop()
    });
    let prefix = prefix.unwrap_or_else(|| format!("{number:04}"));
    let tag = format!("{prefix}_{}", options.name);
    let version = last.and_then(|e| e.version.clone()).or(journal.as_ref().and_then(|j| j.version.clone()));
    let version = version.unwrap_or_else(|| named(plan.engine).1.to_string());
    let entry = json!({
        "idx": number,
        "version": version,
        "when": options.millis.max(latest + 1),
        "tag": tag,
        "breakpoints": true,
    });
    let before = last.map(|e| format!("meta/{}_snapshot.json", e.tag.split('_').next().unwrap_or_default()));
    let before = before.as_ref().and_then(|path| Some((path.as_str(), folder.files.get(path)?.as_str())));
    let known = before.is_some();
    output.files.push(OutputFile::new(format!("{tag}.sql"), sql));
    if known || last.is_none() {
        let snapshot = snapshot::next(plan, before, &tag)?;
        output.files.push(OutputFile::new(format!("meta/{prefix}_snapshot.json"), snapshot));
    } else {
        output.notes.push(
            "the last migration has no snapshot, so none was written: `drizzle-kit generate` may propose \
                           the same change again"
                .to_string(),
        );
    }
    output
        .files
        .push(OutputFile { replaces: text.is_some(), ..OutputFile::new(JOURNAL, with_entry(plan, text, &entry)?) });
    Ok(())
}

fn unreadable(path: &str, why: &str) -> MigrationError {
    MigrationError::Unreadable { path: path.to_string(), why: why.to_string() }
}

/// Adds an entry to the journal's text and leaves the rest of it as it is.
fn with_entry(plan: &Plan, text: Option<&String>, entry: &Value) -> Result<String, MigrationError> {
    let lines = [
        format!("\"idx\": {}", entry["idx"]),
        format!("\"version\": {}", entry["version"]),
        format!("\"when\": {}", entry["when"]),
        format!("\"tag\": {}", entry["tag"]),
        format!("\"breakpoints\": {}", entry["breakpoints"]),
    ];
    let (dialect, _) = named(plan.engine);
    let empty = format!("{{\n  \"version\": \"7\",\n  \"dialect\": \"{dialect}\",\n  \"entries\": []\n}}");
    let text = text.unwrap_or(&empty);
    let indent = if text.contains("\n\t\"") { "\t" } else { "  " };
    let broken = || unreadable(JOURNAL, "its entries do not end in `]`");
    let end = text.rfind(']').ok_or_else(broken)?;
    let head = text[..end].trim_end();
    let comma = if head.ends_with('[') { "" } else { "," };
    let (two, three) = (indent.repeat(2), indent.repeat(3));
    let lines: Vec<String> = lines.iter().map(|l| format!("{three}{l}")).collect();
    let new = format!("{head}{comma}\n{two}{{\n{}\n{two}}}\n{indent}{}", lines.join(",\n"), &text[end..]);
    let same: Journal = serde_json::from_str(&new).map_err(|_| broken())?;
    if same.entries.last().is_none_or(|e| e.tag != entry["tag"]) {
        return Err(broken());
    }
    Ok(new)
}
