//! `copying-alter`: a key that makes MySQL copy the table.

use super::timeline::{Event, Timeline};
use super::wording::key_name;
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::Engine;
use crate::sql::Command;

pub(crate) static META: Meta = Meta {
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

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Mysql, "copying-alter", migrations)
    }

    const KEY: &str = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id);";

    #[test]
    fn a_key_of_a_table_with_rows_is_found() {
        assert_eq!(said(&[TABLES, KEY]), ["warning c.p_id 2:1"]);
    }

    #[test]
    fn a_new_table_or_checks_switched_off_are_none() {
        assert_eq!(said(&[&format!("{TABLES}{KEY}")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("SET foreign_key_checks = 0; {KEY}")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("-- base\n{KEY}")]), [""; 0]);
    }

    #[test]
    fn checks_are_on_again_in_the_next_migration_or_when_it_is_said() {
        assert_eq!(said(&[TABLES, "SET foreign_key_checks = 0;", KEY]), ["warning c.p_id 3:1"]);
        let again = format!("SET foreign_key_checks = 0; SET SESSION foreign_key_checks = 1;\n{KEY}");
        assert_eq!(said(&[TABLES, &again]), ["warning c.p_id 2:2"]);
    }
}
