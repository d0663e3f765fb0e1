//! `unguarded-drop-constraint`: a constraint is dropped by a name that the engine made up.

use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{Engine, TableName};
use crate::source::history::{ConflictKind, Place, Step};
use crate::sql::Command;
use crate::sql::ast::{AlterKind, ConstraintKind, DropKind};

pub(crate) static META: Meta = Meta {
    code: "REF416",
    name: "unguarded-drop-constraint",
    severity: Severity::Info,
    summary: "A constraint is dropped by a name that no migration gave it, without IF EXISTS",
    engines: &[Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb],
    needs_data: false,
    page: include_str!("../../docs/rules/unguarded-drop-constraint.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let history = timeline.history;
    let mut written = std::collections::BTreeSet::new();
    for (at, step) in history.steps.iter().enumerate() {
        for command in step.statement.kinds() {
            if let Command::AlterTable { table, actions, .. } = command {
                for action in actions {
                    let AlterKind::DropConstraint { name, kind, if_exists: false, .. } = &action.kind else { continue };
                    if !matches!(kind, DropKind::Any | DropKind::ForeignKey) || written.contains(&name.text) {
                        continue;
                    }
                    let place = Place { file: step.file, span: action.span };
                    let missing = history.conflicts[history.conflicts.partition_point(|c| c.step < at)..]
                        .iter()
                        .take_while(|c| c.step == at)
                        .any(|c| c.at == place && matches!(c.kind, ConflictKind::Missing { .. }));
                    let dropped = step.changes.iter().find(|m| m.span == action.span).map(|m| m.change.table().clone());
                    let known = dropped.or_else(|| missing.then(|| TableName::new(&table.name)));
                    let Some(child) = known else { continue };
                    findings.push(finding(&child, &name.text, missing).at(timeline.places.head(place, "")));
                }
            }
        }
        names(step, &mut written);
    }
}

/// Collects the names that a statement gives to constraints.
fn names(step: &Step, written: &mut std::collections::BTreeSet<String>) {
    let mut add = |name: &Option<crate::sql::ast::Ident>| written.extend(name.iter().map(|n| n.text.clone()));
    for command in step.statement.kinds() {
        match command {
            Command::CreateTable(t) => {
                t.columns.iter().flat_map(|c| &c.constraints).chain(&t.constraints).for_each(|c| add(&c.name));
            }
            Command::CreateIndex(i) => add(&i.name),
            Command::AlterTable { actions, .. } => {
                for action in actions {
                    match &action.kind {
                        AlterKind::AddConstraint(c) => {
                            add(&c.name);
                            if let ConstraintKind::Index(i) = &c.kind {
                                add(&i.name);
                            }
                        }
                        AlterKind::AddColumn { column, .. } => column.constraints.iter().for_each(|c| add(&c.name)),
                        AlterKind::RenameConstraint { to, .. } | AlterKind::RenameIndex { to, .. } => {
                            add(&Some(to.clone()))
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn finding(table: &TableName, name: &str, missing: bool) -> Finding {
    let message = if missing {
        format!("Constraint `{name}` is dropped from `{table}`, which has none of this name")
    } else {
        format!("Constraint `{name}` of `{table}` is dropped by a name that the engine made up")
    };
    let why = if missing {
        "The statement fails on a database that ran exactly these migrations."
    } else {
        "No migration gave the constraint this name. On a database that came about in another way (restored, renamed, made by \
         another version) it has another one, and the statement fails there."
    };
    Finding::new(&META, Subject::table(table), message)
        .distinguished_by(name)
        .severity(if missing { Severity::Warning } else { Severity::Info })
        .why(why)
        .help("Write DROP CONSTRAINT IF EXISTS where the engine has it, or look the name up in the catalog; give new constraints a name.")
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, q int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "unguarded-drop-constraint", migrations)
    }

    #[test]
    fn a_name_that_the_engine_made_up_is_found() {
        let unnamed = "ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p (id);";
        assert_eq!(said(&[TABLES, unnamed, "ALTER TABLE c DROP CONSTRAINT c_p_id_fkey;"]), ["info c 3:1"]);
    }

    #[test]
    fn a_name_that_is_not_there_is_worse() {
        assert_eq!(said(&[TABLES, "ALTER TABLE c\nDROP CONSTRAINT k;"]), ["warning c 2:2"]);
    }

    #[test]
    fn a_name_given_or_a_guard_is_none() {
        let named = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id);";
        assert_eq!(said(&[TABLES, named, "ALTER TABLE c DROP CONSTRAINT k;"]), [""; 0]);
        assert_eq!(said(&[TABLES, "ALTER TABLE c DROP CONSTRAINT IF EXISTS c_p_id_fkey;"]), [""; 0]);
        let renamed = "ALTER TABLE c RENAME CONSTRAINT k TO l;";
        assert_eq!(said(&[TABLES, named, renamed, "ALTER TABLE c DROP CONSTRAINT l;"]), [""; 0]);
    }
}
