//! `irreversible-without-down`: a migration that cannot be undone, among migrations that can.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};

pub(crate) static META: Meta = Meta {
    code: "REF413",
    name: "irreversible-without-down",
    severity: Severity::Info,
    summary: "A migration has no down part, where the others have",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/irreversible-without-down.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let history = timeline.history;
    // Where no migration has a down part, nobody meant to go back.
    if !history.migrations.iter().any(|m| m.down.is_some()) {
        return;
    }
    for (number, migration) in history.migrations.iter().enumerate() {
        if !migration.reversible || migration.down.is_some() || migration.base {
            continue;
        }
        let Some(event) = timeline.events.iter().find(|e| e.step.migration == number) else { continue };
        findings.push(
            Finding::new(&META, Subject::database(), format!("Migration {} has no down part", migration.name))
                .distinguished_by(&migration.name)
                .why(
                    "The tool that runs these migrations can go back, and the others say how. Here a rollback stops, or goes on \
                     and leaves the schema as it is.",
                )
                .help("Write the down part; where going back would lose rows, write a statement that fails and says so.")
                .at(timeline.at(event, "not undone by anything")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;


    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "irreversible-without-down", migrations)
    }

    #[test]
    fn the_one_without_a_way_back_is_found() {
        let with = "CREATE TABLE a (id int);\n-- down\nDROP TABLE a;";
        assert_eq!(said(&[with, "\nCREATE TABLE b (id int);"]), ["info database 2:2"]);
    }

    #[test]
    fn where_nobody_goes_back_is_none() {
        assert_eq!(said(&["CREATE TABLE a (id int);", "CREATE TABLE b (id int);"]), [""; 0]);
        let with = "CREATE TABLE a (id int);\n-- down\nDROP TABLE a;";
        assert_eq!(said(&[with, with.replace('a', "b").as_str()]), [""; 0]);
    }

    #[test]
    fn a_base_schema_and_what_changes_nothing_need_none() {
        let with = "CREATE TABLE a (id int);\n-- down\nDROP TABLE a;";
        assert_eq!(said(&["-- base\nCREATE TABLE b (id int);", with, "UPDATE a SET id = 1;"]), [""; 0]);
    }
}
