//! `referee rules`: lists the rules.

use serde::Serialize;

use super::super::args::{RulesArgs, TextOrJson};
use super::super::error::CliError;
use super::super::markdown;
use super::super::ui::Ui;
use referee::rules::{ALL, EVERY_ENGINE, Meta};

#[derive(Serialize)]
struct List {
    rules: Vec<&'static Meta>,
}

pub(super) fn run(args: &RulesArgs, ui: &Ui) -> Result<u8, CliError> {
    ui.print(&match args.format {
        TextOrJson::Json => json(),
        TextOrJson::Text => text(ui),
    })?;
    Ok(0)
}

fn json() -> String {
    let list = List { rules: ALL.iter().map(|r| r.meta).collect() };
    // Strings and lists: serialising them cannot fail.
    let mut text = serde_json::to_string_pretty(&list).unwrap_or_default();
    text.push('\n');
    text
}

fn text(ui: &Ui) -> String {
    let mut text = String::new();
    for meta in ALL.iter().map(|r| r.meta) {
        let name = markdown::bold(meta.name, ui.style.colour);
        let mut notes = vec![meta.severity.name().to_string()];
        if meta.engines != EVERY_ENGINE {
            notes.push(meta.engines.iter().map(|e| e.title()).collect::<Vec<_>>().join(", "));
        }
        if meta.needs_data {
            notes.push("needs --data".to_string());
        }
        text.push_str(&format!("{}  {name}  ({})\n", meta.code, notes.join("; ")));
        text.push_str(&markdown::wrap(meta.summary, ui.style.width, "        ", "        "));
    }
    text.push_str("\nA rule in full: referee explain RULE\n");
    text
}
