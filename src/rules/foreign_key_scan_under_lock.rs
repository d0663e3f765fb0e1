//! `foreign-key-scan-under-lock`: a key whose rows are checked while both tables are locked.

use super::timeline::Event;
use super::wording::key_name;
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{Engine, ForeignKey};

pub(crate) static META: Meta = Meta {
    code: "REF403",
    name: "foreign-key-scan-under-lock",
    severity: Severity::Warning,
    summary: "Adding a foreign key without NOT VALID checks every row while both tables are locked",
    engines: &[Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-key-scan-under-lock.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for event in &timeline.events {
        let Some((child, key)) = event.added_key() else { continue };
        let base = timeline.migration(event).is_some_and(|m| m.base);
        if event.fresh
            || base
            || context.schema.table(child).is_none()
            || !key.validated
            || !key.enforced
            || is_unchecked(event, key)
        {
            continue;
        }
        let name = key_name(child, key);
        let parent = &key.parent;
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, key),
                format!("Adding foreign key {name} checks all rows of `{child}` while `{child}` and `{parent}` are locked"),
            )
            .distinguished_by(&format!("to {parent}"))
            .why(format!(
                "ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables and keeps it while it reads every row of `{child}`: \
                 no INSERT, UPDATE or DELETE in `{child}` or `{parent}` until it is done."
            ))
            .help(
                "Add it NOT VALID, which holds the locks for an instant only and is enforced for every new row; then run \
                 VALIDATE CONSTRAINT in a transaction of its own, which blocks no writes.",
            )
            .at(timeline.at(event, "checks every row under lock")),
        );
    }
}

/// Tells whether PostgreSQL adds the key without reading rows: declared with a new column that has no default, so that it is
/// NULL everywhere (parse_utilcmd.c, transformAlterTableStmt: skipValidation).
fn is_unchecked(event: &Event<'_>, key: &ForeignKey) -> bool {
    event.step.changes.iter().any(|made| match &made.change {
        Change::AddColumn { column, .. } => {
            let inline = made.span.start <= event.made.span.start && event.made.span.end <= made.span.end;
            inline && column.default.is_none() && key.columns == [column.name.as_str()]
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, q int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "foreign-key-scan-under-lock", migrations)
    }

    #[test]
    fn a_key_of_a_table_with_rows_is_found() {
        let key = "ALTER TABLE c\n  ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id);";
        assert_eq!(said(&[TABLES, key]), ["warning c.p_id 2:2"]);
        // A default fills the new column, so there is something to check.
        let column = "ALTER TABLE c ADD COLUMN r int DEFAULT 1 REFERENCES p (id);";
        assert_eq!(said(&[TABLES, column]), ["warning c.r 2:1"]);
    }

    #[test]
    fn what_reads_no_rows_is_none() {
        let key = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id)";
        assert_eq!(said(&[TABLES, &format!("{key} NOT VALID;")]), [""; 0]);
        assert_eq!(said(&[&format!("{TABLES} {key};")]), [""; 0], "nobody uses the table yet");
        assert_eq!(said(&[TABLES, "ALTER TABLE c ADD COLUMN r int REFERENCES p (id);"]), [""; 0], "NULL everywhere");
    }

    #[test]
    fn what_nobody_waits_for_is_none() {
        let key = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id);";
        assert_eq!(said(&[TABLES, &format!("-- base\n{key}")]), [""; 0]);
        assert_eq!(said(&[TABLES, key, "DROP TABLE c;"]), [""; 0]);
        assert_eq!(said(&[TABLES, &key.replace(';', " NOT ENFORCED;")]), [""; 0]);
    }
}
