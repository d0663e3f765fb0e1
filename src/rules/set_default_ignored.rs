//! `set-default-ignored`: MariaDB reads SET DEFAULT and forgets it.

use super::helpers::by_own_name;
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{Action, Engine, Table};
use crate::source::history::Place;
use crate::sql::ast::{AlterKind, Constraint, ConstraintKind, References};
use crate::sql::{Command, Span};

pub(crate) static META: Meta = Meta {
    code: "REF412",
    name: "set-default-ignored",
    severity: Severity::Error,
    summary: "MariaDB drops ON DELETE SET DEFAULT in silence",
    engines: &[Engine::Mariadb],
    needs_data: false,
    page: include_str!("../../docs/rules/set-default-ignored.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let tables = by_own_name(context.schema);
    for step in &timeline.history.steps {
        for command in step.statement.kinds() {
            let (name, found): (_, Vec<(Vec<String>, Span, &str)>) = match command {
                Command::CreateTable(t) => {
                    let inline =
                        t.columns.iter().flat_map(|c| c.constraints.iter().map(move |k| (Some(&c.name.text), k)));
                    let all = inline.chain(t.constraints.iter().map(|k| (None, k)));
                    (&t.name, all.flat_map(|(c, k)| ignored(c, k)).collect())
                }
                Command::AlterTable { table, actions, .. } => {
                    let all = actions.iter().flat_map(|a| match &a.kind {
                        AlterKind::AddConstraint(k) => vec![(None, k)],
                        AlterKind::AddColumn { column, .. } => {
                            column.constraints.iter().map(|k| (Some(&column.name.text), k)).collect()
                        }
                        _ => Vec::new(),
                    });
                    (table, all.flat_map(|(c, k)| ignored(c, k)).collect())
                }
                _ => continue,
            };
            let Some(table) = tables.get(name.name.as_str()).copied() else { continue };
            for (columns, span, event) in found {
                findings.extend(
                    finding(table, &columns, event)
                        .map(|f| f.at(timeline.places.head(Place { file: step.file, span }, "forgotten"))),
                );
            }
        }
    }
}

fn ignored(column: Option<&String>, constraint: &Constraint) -> Vec<(Vec<String>, Span, &'static str)> {
    let ConstraintKind::ForeignKey(references) = &constraint.kind else { return Vec::new() };
    let References { columns, on_delete, on_update, .. } = &**references;
    let columns: Vec<String> = match column {
        Some(c) => vec![c.clone()],
        None => columns.iter().map(|c| c.text.clone()).collect(),
    };
    let clauses = [(on_delete, "DELETE"), (on_update, "UPDATE")];
    let set = clauses.into_iter().filter_map(|(clause, event)| {
        clause.as_ref().filter(|(action, _)| *action == Action::SetDefault).map(|(_, span)| (*span, event))
    });
    set.map(|(span, event)| (columns.clone(), span, event)).collect()
}

fn finding(table: &Table, columns: &[String], event: &str) -> Option<Finding> {
    let key = table.foreign_keys.iter().find(|k| k.columns == columns)?;
    let child = &table.name;
    Some(
        Finding::new(
            &META,
            Subject::foreign_key(child, key),
            format!("ON {event} SET DEFAULT is forgotten by MariaDB: the key does NO ACTION"),
        )
        .distinguished_by(event)
        .why(format!(
            "InnoDB knows no SET DEFAULT. MariaDB accepts the words and drops them: SHOW CREATE TABLE no longer has them, and a \
             `{}` row cannot be deleted while a `{child}` row refers to it.",
            key.parent
        ))
        .help("Say what MariaDB can do: SET NULL, CASCADE, or RESTRICT; or set the default in the program before the delete."),
    )
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); ";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Mariadb, "set-default-ignored", migrations)
    }

    #[test]
    fn set_default_is_found_once_for_each_event() {
        let table = "CREATE TABLE c (p_id int DEFAULT 1, FOREIGN KEY (p_id) REFERENCES p (id)\nON DELETE SET DEFAULT\nON UPDATE SET DEFAULT);";
        let mut found = said(&[TABLES, table]);
        found.sort();
        assert_eq!(found, ["error c.p_id 2:2", "error c.p_id 2:3"]);
        let column = "ALTER TABLE c ADD COLUMN a int DEFAULT 1 REFERENCES p (id) ON DELETE SET DEFAULT;";
        assert_eq!(said(&[TABLES, "CREATE TABLE c (id int);", column]), ["error c.a 3:1"]);
    }

    #[test]
    fn other_actions_are_none() {
        let table = "CREATE TABLE c (p_id int DEFAULT 1, FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE SET NULL);";
        assert_eq!(said(&[TABLES, table]), [""; 0]);
    }

    #[test]
    fn a_key_that_is_gone_is_none() {
        let table = "CREATE TABLE c (p_id int, CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE SET DEFAULT);";
        assert_eq!(said(&[TABLES, table]).len(), 1);
        assert_eq!(said(&[TABLES, table, "ALTER TABLE c DROP FOREIGN KEY k;"]), [""; 0]);
    }
}
