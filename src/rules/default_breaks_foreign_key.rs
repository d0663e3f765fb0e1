//! `default-breaks-foreign-key`: a new column whose default gives every row a parent.

use super::timeline::{Event, Timeline, same_table};
use super::wording::{key_name, no_parent_error};
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::fate::is_null;
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{ForeignKey, TableName};
use crate::sql::Command;

pub(crate) static META: Meta = Meta {
    code: "REF419",
    name: "default-breaks-foreign-key",
    severity: Severity::Warning,
    summary: "A column is added with a default and a foreign key, which every row that is there must meet",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/default-breaks-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let engine = context.schema.engine;
    for (number, event) in timeline.events.iter().enumerate() {
        let Some((child, key)) = event.added_key() else { continue };
        if event.fresh || !key.enforced || !key.validated {
            continue;
        }
        let Some(defaults) = defaults(timeline, number, event, child, key) else { continue };
        let by_connection = engine.facts().keys.enforced_by_connection;
        // SQLite refuses any default that is not NULL, whatever the parent's rows.
        if by_connection && context.settings.foreign_keys == Some(false) || !by_connection && filled(context, timeline, event, &key.parent) {
            continue;
        }
        let values = defaults.join(", ");
        let error = match by_connection {
            true => "Cannot add a REFERENCES column with non-NULL default value".to_string(),
            false => no_parent_error(engine, child, key),
        };
        let unless = match by_connection {
            true => "Where the connection enforces foreign keys, SQLite refuses such a column in a table that has rows".to_string(),
            false => format!("The statement gives every row of `{child}` the parent {values}, and checks it. It fails if `{}` has no such row", key.parent),
        };
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, key),
                format!(
                    "Adding `{child}.{}` with DEFAULT {values} fails if `{child}` has rows{}",
                    key.columns.join("`, `"),
                    if by_connection { String::new() } else { format!(" and `{}` has no row {values}", key.parent) }
                ),
            )
            .why(format!("{unless}: {error}. A database without rows does not show it."))
            .help(format!(
                "Add the column without a default, set it row by row from data that is there, then add NOT NULL and foreign key {}. \
                 If one parent row is meant for all, insert it in the same migration.",
                key_name(child, key)
            ))
            .at(timeline.at(event, "every row must meet it")),
        );
    }
}

/// Returns the defaults of a key's columns, if the same migration added all of them with one that is not NULL, and gave the rows no
/// other values since.
fn defaults(
    timeline: &Timeline<'_>,
    number: usize,
    key_event: &Event<'_>,
    child: &TableName,
    key: &ForeignKey,
) -> Option<Vec<String>> {
    let before = timeline.events.get(..=number).unwrap_or_default();
    let mut first = key_event.at;
    let mut defaults = Vec::new();
    for column in &key.columns {
        let added = before.iter().rev().take_while(|e| e.step.migration == key_event.step.migration).find_map(|e| {
            match &e.made.change {
                Change::AddColumn { table, column: made, .. } if table == child && made.name == *column => Some((e.at, made)),
                _ => None,
            }
        });
        let (at, made) = added?;
        defaults.push(made.default.clone().filter(|d| !is_null(d))?);
        first = first.min(at);
    }
    let between = timeline.history.steps.get(first..key_event.at).unwrap_or_default();
    let written = |c: &Command| matches!(c, Command::Rows { verb: "UPDATE", table: Some(t) } if t.name.eq_ignore_ascii_case(&child.name));
    let changed = between.iter().flat_map(|s| s.statement.kinds()).any(written);
    (!changed && !defaults.is_empty()).then_some(defaults)
}

/// Tells whether a statement before wrote rows into the parent: the one that is meant may be among them.
fn filled(context: &Context<'_>, timeline: &Timeline<'_>, event: &Event<'_>, parent: &TableName) -> bool {
    let before = timeline.history.steps.get(..event.at).unwrap_or_default();
    let engine = context.schema.engine;
    before.iter().flat_map(|s| s.statement.kinds()).any(|command| match command {
        Command::Rows { verb, table: Some(table) } => {
            let name = TableName { schema: parent.schema.clone(), name: table.name.clone() };
            !matches!(*verb, "UPDATE" | "DELETE") && same_table(engine, &name, parent)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);\n";
    const ADD: &str = "ALTER TABLE c ADD COLUMN p_id int NOT NULL DEFAULT 0 REFERENCES p (id);";

    fn said(engine: Engine, migrations: &[&str]) -> Vec<String> {
        lint(engine, "default-breaks-foreign-key", migrations)
    }

    #[test]
    fn a_default_must_be_a_parent() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            assert_eq!(said(engine, &[TABLES, ADD]).len(), 1, "{engine}");
            assert_eq!(said(engine, &[TABLES, &ADD.replace("NOT NULL DEFAULT 0", "")]), [""; 0], "no row has one");
            assert_eq!(said(engine, &[&format!("{TABLES}{ADD}")]), [""; 0], "no row is there");
        }
        let parts = "ALTER TABLE c ADD COLUMN p_id int DEFAULT 0;\nALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p (id);";
        assert_eq!(said(Engine::Postgres, &[TABLES, parts]).len(), 1);
        let set = parts.replace(";\n", ";\nUPDATE c SET p_id = NULL;\n");
        assert_eq!(said(Engine::Postgres, &[TABLES, &set]), [""; 0]);
        assert_eq!(said(Engine::Postgres, &[TABLES, &format!("{} NOT VALID;", parts.trim_end_matches(';'))]), [""; 0]);
    }

    #[test]
    fn a_parent_that_was_inserted_may_be_the_one() {
        let insert = format!("INSERT INTO p VALUES (0);\n{ADD}");
        assert_eq!(said(Engine::Postgres, &[TABLES, &insert]), [""; 0]);
        assert_eq!(said(Engine::Sqlite, &[TABLES, &insert]).len(), 1, "SQLite refuses it all the same");
    }
}
