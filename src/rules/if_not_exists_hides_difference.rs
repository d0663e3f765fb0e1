//! `if-not-exists-hides-difference`: IF NOT EXISTS passes over a definition that differs.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::TableName;
use crate::source::History;
use crate::source::history::{ConflictKind, Difference};
use crate::sql::Command;
use crate::sql::ast::{AlterKind, ConstraintKind};

pub(crate) static META: Meta = Meta {
    code: "REF414",
    name: "if-not-exists-hides-difference",
    severity: Severity::Warning,
    summary: "IF NOT EXISTS passes over a definition that differs from the one that is there",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/if-not-exists-hides-difference.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for conflict in &timeline.history.conflicts {
        let ConflictKind::HiddenDifference { what, table, differences } = &conflict.kind else { continue };
        let differences: Vec<&Difference> =
            differences.iter().filter(|d| !is_added_later(timeline.history, conflict.step, table, d)).collect();
        if differences.is_empty() {
            continue;
        }
        let mut finding = Finding::new(
            &META,
            Subject::table(table),
            format!("IF NOT EXISTS passes over this definition of {what}, which differs from the one that is there"),
        )
        .distinguished_by(&what.to_string())
        .why(
            "The statement does nothing where the object exists, and makes something else where it does not: two databases that \
             ran the same migrations differ.",
        )
        .help(
            "Decide which definition holds. Take this statement out, or change the object by ALTER so that every database comes \
             to the same end.",
        );
        for difference in differences {
            finding = finding.label(table.to_string(), &difference.text);
        }
        findings.push(
            finding
                .at(timeline.places.head(conflict.at, "does nothing"))
                .at(conflict.earlier.and_then(|p| timeline.places.head(p, "made here"))),
        );
    }
}

/// Tells whether what a definition lacks is a foreign key that the same migration adds by a statement of its own, as generators
/// write it.
fn is_added_later(history: &History, step: usize, table: &TableName, difference: &Difference) -> bool {
    let Some(lacks) = &difference.lacks_key else { return false };
    let migration = history.steps.get(step).map(|s| s.migration);
    let later = history.steps.iter().skip(step + 1).take_while(|s| Some(s.migration) == migration);
    later.flat_map(|s| s.statement.kinds()).any(|command| {
        let Command::AlterTable { table: name, actions, .. } = command else { return false };
        name.name.eq_ignore_ascii_case(&table.name)
            && actions.iter().any(|action| match &action.kind {
                AlterKind::AddConstraint(constraint) => match &constraint.kind {
                    ConstraintKind::ForeignKey(key) => key.columns.iter().map(|c| &c.text).eq(lacks),
                    _ => false,
                },
                _ => false,
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::source::history::{File, Migration, Place};
    use crate::source::replay::replay;
    use crate::sql::Span;

    fn later(second: &str) -> bool {
        let base =
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p (id));";
        let files: Vec<File> =
            [base, second].iter().map(|t| File { path: t.to_string(), text: t.to_string() }).collect();
        let migration = |file: usize| Migration {
            name: file.to_string(),
            up: Place { file, span: Span::new(0, files[file].text.len()) },
            down: None,
            reversible: false,
            transaction: true,
            base: false,
        };
        let migrations = vec![migration(0), migration(1)];
        let (_, history) = replay(Engine::Postgres, files.clone(), migrations);
        let [conflict] = &history.conflicts[..] else { panic!("{:?}", history.conflicts) };
        let ConflictKind::HiddenDifference { table, differences, .. } = &conflict.kind else { panic!("{conflict:?}") };
        differences.iter().all(|d| is_added_later(&history, conflict.step, table, d))
    }

    #[test]
    fn a_key_that_follows_in_a_statement_of_its_own_is_no_difference() {
        let create = "CREATE TABLE IF NOT EXISTS c (id int PRIMARY KEY, p_id int);";
        let guarded = "DO $$ BEGIN ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id); \
                       EXCEPTION WHEN duplicate_object THEN NULL; END $$;";
        assert!(later(&format!("{create} {guarded}")));
        assert!(!later(create));
    }
}
