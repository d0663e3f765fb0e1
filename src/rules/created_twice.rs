//! `created-twice`: a statement makes what is there already.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Finding, Severity, Subject};
use crate::source::history::{ConflictKind, Place};
use crate::sql::Command;

pub(crate) static META: Meta = Meta {
    code: "REF415",
    name: "created-twice",
    severity: Severity::Error,
    summary: "A migration makes a table, column, index or constraint that is there already",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/created-twice.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for conflict in &timeline.history.conflicts {
        let ConflictKind::Exists { what, table } = &conflict.kind else { continue };
        findings.push(
            Finding::new(&META, Subject::table(table), format!("{what} is made a second time"))
                .distinguished_by(&what.to_string())
                .why(
                    "The statement fails on a database that ran the migrations before it, and what comes after it is not done. \
                     Two definitions of one thing also part: whoever reads one does not know of the other.",
                )
                .help(
                    "Keep one of the two. If the earlier one came from a base schema that already holds what migrations do, take \
                     it out there, or begin with the migrations alone.",
                )
                .at(timeline.places.head(conflict.at, "made again"))
                .at(conflict.earlier.and_then(|p| timeline.places.head(p, "made here"))),
        );
    }
    let told: BTreeSet<usize> = timeline.history.conflicts.iter().map(|c| c.step).collect();
    let mut tables = BTreeMap::new();
    for (table, known) in timeline.history.origins.tables() {
        tables.entry(table.name.to_ascii_lowercase()).or_insert((table, known));
    }
    for (at, step) in timeline.history.steps.iter().enumerate() {
        for located in &step.statement.commands {
            let Command::CreateTable(create) = &located.command else { continue };
            let made = step.changes.iter().any(|m| matches!(m.change, Change::CreateTable { .. }));
            if !create.if_not_exists || create.temporary || made || located.conditional || told.contains(&at) {
                continue;
            }
            let Some((table, known)) = tables.get(&create.name.name.to_ascii_lowercase()) else { continue };
            let place = Place { file: step.file, span: located.span };
            if known.created >= place {
                continue;
            }
            findings.push(
                Finding::new(&META, Subject::table(table), format!("table `{table}` is defined a second time"))
                    .distinguished_by("if not exists")
                    .severity(Severity::Info)
                    .why(
                        "IF NOT EXISTS passes over the second definition, and the two agree today. Whoever changes one of them \
                         does not know of the other.",
                    )
                    .help("Keep one of the two.")
                    .at(timeline.places.head(place, "does nothing"))
                    .at(timeline.places.head(known.created, "made here")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;


    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "created-twice", migrations)
    }

    const A: &str = "CREATE TABLE a (id int);";

    #[test]
    fn what_is_made_again_is_found() {
        assert_eq!(said(&[A, A]), ["error a 2:1"]);
        assert_eq!(said(&[A, "CREATE INDEX i ON a (id);", "\nCREATE INDEX i ON a (id);"]), ["error a 3:2"]);
        assert_eq!(said(&[A, "ALTER TABLE a ADD COLUMN id int;"]), ["error a 2:1"]);
    }

    #[test]
    fn what_is_gone_in_between_is_none() {
        assert_eq!(said(&[A, "DROP TABLE a;", A]), [""; 0]);
        assert_eq!(said(&[A, "ALTER TABLE a RENAME TO b;", A]), [""; 0]);
    }

    #[test]
    fn the_same_definition_under_if_not_exists_is_told_softly() {
        let again = "CREATE TABLE IF NOT EXISTS a (id int);";
        assert_eq!(said(&[A, again]), ["info a 2:1"]);
        assert_eq!(said(&[again, "DROP TABLE a;", again]), [""; 0]);
        assert_eq!(said(&[A, &format!("DO $$ BEGIN {again} END $$;")]), [""; 0]);
    }
}
