//! `copying-alter`: a key that makes MySQL copy the table.

use super::timeline::{Event, Timeline};
use super::wording::key_name;
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::Engine;
use crate::sql::Command;

pub(super) static META: Meta = Meta {
    code: "REF418",
    name: "copying-alter",
    severity: Severity::Warning,
    summary: "Adding a foreign key with foreign_key_checks on copies the table and blocks writes",
    engines: &[Engine::Mysql, Engine::Mariadb],
    needs_data: false,
    page: include_str!("../../docs/rules/copying-alter.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for event in &timeline.events {
        let Some((child, key)) = event.added_key() else { continue };
        if event.fresh || timeline.migration(event).is_some_and(|m| m.base) || checks_are_off(timeline, event) {
            continue;
        }
        let name = key_name(child, key);
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, key),
                format!("Adding foreign key {name} copies `{child}` and blocks writes to it meanwhile"),
            )
            .why(
                "With foreign_key_checks on, the only algorithm is COPY, which locks the table for writes (LOCK=SHARED) and \
                 rebuilds it row by row. ALGORITHM=INPLACE is refused: ERROR 1846.",
            )
            .help(
                "For a large table: count the orphans, then SET foreign_key_checks=0, ALTER TABLE … ADD CONSTRAINT …, \
                 ALGORITHM=INPLACE, LOCK=NONE, SET foreign_key_checks=1, and count again: nothing validates the rows that are \
                 there.",
            )
            .at(timeline.at(event, "copies the table")),
        );
    }
}

fn checks_are_off(timeline: &Timeline<'_>, event: &Event<'_>) -> bool {
    let mut off = false;
    for command in timeline.steps_before(event).iter().flat_map(|s| s.statement.kinds()) {
        if let Command::Set { name, values, .. } = command
            && name.trim_start_matches('@').trim_start_matches("session.").ends_with("foreign_key_checks")
            && let Some(value) = values.first()
        {
            off = value == "0" || value.eq_ignore_ascii_case("off");
        }
    }
    off
}
