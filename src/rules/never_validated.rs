//! `never-validated`: NOT VALID without a VALIDATE to follow.

use std::collections::BTreeMap;

use super::timeline::in_the_end;
use super::wording::key_name;
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::Engine;

pub(crate) static META: Meta = Meta {
    code: "REF405",
    name: "never-validated",
    severity: Severity::Warning,
    summary: "A key is added NOT VALID, and no migration validates it",
    engines: &[Engine::Postgres, Engine::Cockroach],
    needs_data: false,
    page: include_str!("../../docs/rules/never-validated.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    // Where a key is added more than once, the last time counts.
    let mut last = BTreeMap::new();
    for (i, event) in timeline.events.iter().enumerate() {
        if let Some((child, key)) = event.added_key() {
            last.insert((child, &key.columns, &key.name), i);
        }
    }
    for (i, event) in timeline.events.iter().enumerate() {
        let Some((child, key)) = event.added_key().filter(|(_, k)| !k.validated && k.enforced) else { continue };
        let Some(now) = in_the_end(context.schema, child, key).filter(|k| !k.validated && k.name == key.name) else {
            continue;
        };
        if last.get(&(child, &key.columns, &key.name)) != Some(&i) {
            continue;
        }
        let name = key_name(child, now);
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, now),
                format!("Foreign key {name} is added NOT VALID, and no migration validates it"),
            )
            .why(format!(
                "The rows that were in `{child}` before were never checked: some may refer to `{}` rows that do not exist, \
                 and the planner cannot rely on the key.",
                key.parent
            ))
            .help(format!(
                "Add a migration that runs `ALTER TABLE {child} VALIDATE CONSTRAINT {}`. It fails if there are orphans: `referee \
                 audit … --data` counts them.",
                now.name.as_deref().unwrap_or("NAME")
            ))
            .at(timeline.at(event, "NOT VALID")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, q int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "never-validated", migrations)
    }

    const ADD: &str = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) NOT VALID;";

    #[test]
    fn a_key_left_not_valid_is_found() {
        assert_eq!(said(&[TABLES, ADD]), ["warning c.p_id 2:1"]);
    }

    #[test]
    fn a_key_that_is_validated_or_dropped_later_is_none() {
        assert_eq!(said(&[TABLES, ADD, "ALTER TABLE c VALIDATE CONSTRAINT k;"]), [""; 0]);
        assert_eq!(said(&[TABLES, ADD, "ALTER TABLE c DROP CONSTRAINT k;"]), [""; 0]);
        assert_eq!(said(&[TABLES, ADD, "DROP TABLE p CASCADE;"]), [""; 0]);
    }

    #[test]
    fn of_a_key_added_twice_the_last_time_counts() {
        let drop = "ALTER TABLE c DROP CONSTRAINT k;";
        assert_eq!(said(&[TABLES, ADD, drop, ADD]), ["warning c.p_id 4:1"]);
        assert_eq!(said(&[TABLES, ADD, drop, &ADD.replace(" NOT VALID", "")]), [""; 0]);
    }
}
