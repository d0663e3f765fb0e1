//! `index-after-foreign-key`: the index of a key comes after the key.

use super::wording::key_name;
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Finding, Severity, Subject};
use crate::schema::Engine;

pub(crate) static META: Meta = Meta {
    code: "REF407",
    name: "index-after-foreign-key",
    severity: Severity::Info,
    summary: "A foreign key is added before the index that it needs",
    engines: &[Engine::Sqlite, Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/index-after-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for (i, event) in timeline.events.iter().enumerate() {
        let Some((child, key)) = event.added_key() else { continue };
        if event.fresh || event.indexed || timeline.migration(event).is_some_and(|m| m.base) {
            continue;
        }
        let index = timeline.rest_of_migration(i).find(|e| match &e.made.change {
            Change::AddIndex { table, index } => {
                let first: Vec<&str> =
                    index.parts.iter().take(key.columns.len()).filter_map(|p| p.column.as_deref()).collect();
                table == child
                    && index.predicate.is_none()
                    && first.len() == key.columns.len()
                    && key.columns.iter().all(|c| first.contains(&c.as_str()))
            }
            _ => false,
        });
        let Some(index) = index else { continue };
        let held = event.transaction.is_some()
            && event.transaction == index.transaction
            && context.schema.engine.facts().alter.key_locks_parent;
        let name = key_name(child, key);
        let why = if held {
            format!(
                "Within one transaction the locks of ADD FOREIGN KEY on `{child}` and `{}` are held while the index is built: \
                 writes to the parent wait for an index of the child.",
                key.parent
            )
        } else {
            format!(
                "Until the index is there, each delete of a `{}` row reads all of `{child}` to look for rows that refer to it.",
                key.parent
            )
        };
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, key),
                format!("Foreign key {name} is added before the index on its columns"),
            )
            .severity(if held { Severity::Warning } else { Severity::Info })
            .why(why)
            .help("Put the index first, then the key.")
            .at(timeline.at(event, "the key"))
            .at(timeline.at(index, "the index, later")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, q int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "index-after-foreign-key", migrations)
    }

    const KEY: &str = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) NOT VALID;";
    const INDEX: &str = "CREATE INDEX i ON c (p_id);";

    #[test]
    fn an_index_that_follows_in_the_same_migration_is_found() {
        assert_eq!(said(&[TABLES, &format!("{KEY}\n{INDEX}")]), ["warning c.p_id 2:1"]);
        assert_eq!(said(&[TABLES, &format!("-- alone\n{KEY}\n{INDEX}")]), ["info c.p_id 2:2"], "no lock is held");
    }

    #[test]
    fn the_index_first_or_in_another_migration_is_none() {
        assert_eq!(said(&[TABLES, &format!("{INDEX}\n{KEY}")]), [""; 0]);
        assert_eq!(said(&[TABLES, KEY, INDEX]), [""; 0]);
        assert_eq!(said(&[&format!("{TABLES}{KEY}{INDEX}")]), [""; 0]);
    }

    #[test]
    fn an_index_that_would_not_serve_is_not_meant() {
        let partial = "CREATE INDEX i ON c (p_id) WHERE q > 0;";
        assert_eq!(said(&[TABLES, &format!("{KEY}{partial}")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("{KEY}CREATE INDEX i ON c (q, p_id);")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("{KEY}CREATE INDEX i ON c (p_id, q);")]), ["warning c.p_id 2:1"]);
    }
}
