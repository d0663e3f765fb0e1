//! Opening a source, and what is to be said of it: what the reader passed over, and that a replica may lag behind.

use std::collections::BTreeMap;

use super::error::Error;
use super::job::noting;
use super::model::Note;
use crate::change::{Change, Object};
use crate::engine::SessionOptions;
use crate::source::history::{ConflictKind, Place};
use crate::source::{Input, Source};
use crate::sql::ast::{Command as Statement, Skipped};

/// Opens a source and reads its schema; returns what it was opened as, and what of it was not read.
///
/// # Errors
/// It cannot be read.
pub fn open(source: &Source, options: &SessionOptions) -> Result<(Input, Vec<Note>), Error> {
    noting(|notes| {
        let mut input = source.open(options)?;
        unread(&input, notes);
        replica(&mut input, notes)?;
        Ok(input)
    })
}

/// Notes that what is read may be older than what the primary has.
fn replica(input: &mut Input, notes: &mut Vec<Note>) -> Result<(), Error> {
    let Some(session) = &mut input.session else { return Ok(()) };
    if let Some(replica) = session.replica()? {
        let age =
            replica.age.map_or_else(String::new, |age| format!("; its newest transaction is {} s old", age.as_secs()));
        notes.push(Note::Info(format!("{} is a replica{age}: what it does not have yet is not judged", input.label)));
    }
    Ok(())
}

/// Says what the reader passed over, one line for each reason: what is not read is not judged.
pub(super) fn unread(input: &Input, notes: &mut Vec<Note>) {
    if let Some(first) = input.history.programs.first() {
        let count = input.history.programs.len();
        let what = match count {
            1 => format!("1 migration is a program, not SQL, and what it does is not known: {first}"),
            _ => format!("{count} migrations are programs, not SQL, and what they do is not known; the first: {first}"),
        };
        notes.push(Note::Info(what));
    }
    begins_in_the_middle(input, notes);
    let mut reasons: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    for clause in &input.history.skipped {
        let reason = match clause.within {
            special @ (Skipped::ROWS | Skipped::ROUTINE | Skipped::EXECUTE | Skipped::QUERY) => special,
            _ => "",
        };
        reasons.entry(reason).or_default().push(clause.at);
    }
    for (reason, places) in reasons {
        let Some(first) = places.first() else { continue };
        let file = input.history.files.get(first.file).map_or("", |f| f.path.as_str());
        let at = format!("{file}:{}", input.history.line(*first));
        let count = |one: &str, many: &str| match places.len() {
            1 => format!("1 {one} at {at}"),
            n => format!("{n} {many}, the first at {at}"),
        };
        let text = match reason {
            Skipped::ROWS => {
                let what = format!("the rows of {} have no end", count("COPY … FROM stdin", "COPY … FROM stdin"));
                let hint = "everything after it in the file was taken for rows, as psql does, and not read: end them with a line `\\.`";
                notes.push(Note::warning(what, Some(hint)));
                continue;
            }
            Skipped::ROUTINE => format!(
                "not replayed, because it runs only when its function or procedure is called: {}",
                count("statement", "statements")
            ),
            Skipped::EXECUTE => {
                format!("not replayed, because it is put together at run time: {}", count("statement", "statements"))
            }
            Skipped::QUERY => {
                format!("columns not known, because they come of a query: {}", count("table", "tables"))
            }
            _ => format!("passed over, because referee does not know it: {}", count("clause", "clauses")),
        };
        notes.push(Note::Info(text));
    }
}

/// Points to `--base` where migrations change or refer to tables that none of them makes, and no base does.
fn begins_in_the_middle(input: &Input, notes: &mut Vec<Note>) {
    let history = &input.history;
    if history.migrations.iter().any(|m| m.base) {
        return;
    }
    let mut unmade: BTreeMap<String, Place> = BTreeMap::new();
    for conflict in &history.conflicts {
        if let ConflictKind::Missing { what: Object::Table(table), .. }
        | ConflictKind::MissingParent { what: Object::Table(table), .. } = &conflict.kind
        {
            unmade.entry(table.to_string()).or_insert(conflict.at);
        }
    }
    if input.schema.tables.is_empty() {
        // A DO block may look whether a table is there; where none is, it looked for what was there before.
        for step in &history.steps {
            for located in &step.statement.commands {
                if let Statement::AlterTable { table, .. } = &located.command {
                    unmade.entry(table.name.clone()).or_insert(Place { file: step.file, span: located.span });
                }
            }
        }
    }
    for made in history.steps.iter().flat_map(|s| &s.changes) {
        if let Change::CreateTable { definition } = &made.change {
            unmade.remove(&definition.name.to_string());
        }
    }
    let Some((table, place)) = unmade.iter().min_by_key(|(_, at)| (at.file, at.span.start)) else { return };
    let file = history.files.get(place.file).map_or("", |f| f.path.as_str());
    let at = format!("{file}:{}", history.line(*place));
    let what = match unmade.len() {
        1 => format!("no SQL here makes table `{table}` ({at})"),
        n => format!("no SQL here makes {n} tables that are used, the first is `{table}` ({at})"),
    };
    notes.push(Note::Info(format!("{what}: if the migrations go on from a schema, name its SQL with --base FILE")));
}
