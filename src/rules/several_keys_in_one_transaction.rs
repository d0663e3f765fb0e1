//! `several-keys-in-one-transaction`: keys of several busy tables, added in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::timeline::Event;
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{Engine, TableName};

pub(crate) static META: Meta = Meta {
    code: "REF417",
    name: "several-keys-in-one-transaction",
    severity: Severity::Info,
    summary: "Several foreign keys are added in one transaction, whose locks pile up",
    engines: &[Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/several-keys-in-one-transaction.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let mut transactions: BTreeMap<usize, Vec<&Event<'_>>> = BTreeMap::new();
    for event in &timeline.events {
        let base = timeline.migration(event).is_some_and(|m| m.base);
        if let Some(transaction) = event.transaction
            && !event.fresh
            && !base
            && event.added_key().is_some()
        {
            transactions.entry(transaction).or_default().push(event);
        }
    }
    for events in transactions.into_values() {
        let mut tables: BTreeSet<&TableName> = BTreeSet::new();
        for event in &events {
            if let Some((child, key)) = event.added_key() {
                tables.insert(child);
                if !event.fresh_parent {
                    tables.insert(&key.parent);
                }
            }
        }
        let ([first, second, ..], Some(migration)) = (&events[..], timeline.migration(events[0])) else { continue };
        // Two tables are what one key locks as well.
        if tables.len() < 3 {
            continue;
        }
        let names: Vec<String> = tables.iter().map(|t| format!("`{t}`")).collect();
        let Some((child, _)) = first.added_key() else { continue };
        findings.push(
            Finding::new(
                &META,
                Subject::table(child),
                format!("{} foreign keys added in one transaction lock {} tables at once", events.len(), tables.len()),
            )
            .distinguished_by(&migration.name)
            .why(format!(
                "Each lock is held until COMMIT, so the first table is blocked while the last is waited for, and a program that \
                 takes them in another order ends in a deadlock. Locked: {}.",
                names.join(", ")
            ))
            .help("Add one key in each transaction, and set lock_timeout so that a wait does not block everybody else.")
            .at(timeline.at(second, "waits while the first is held"))
            .at(timeline.at(first, "the first")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int); CREATE TABLE d \
                          (id int PRIMARY KEY, p_id int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "several-keys-in-one-transaction", migrations)
    }

    const FIRST: &str = "ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p (id);\n";
    const SECOND: &str = "ALTER TABLE d ADD FOREIGN KEY (p_id) REFERENCES p (id);";

    #[test]
    fn two_keys_that_lock_three_tables_are_found() {
        assert_eq!(said(&[TABLES, &format!("{FIRST}{SECOND}")]), ["info c 2:2"]);
    }

    #[test]
    fn a_transaction_for_each_is_none() {
        assert_eq!(said(&[TABLES, FIRST, SECOND]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("-- alone\n{FIRST}{SECOND}")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("{FIRST}COMMIT; BEGIN;{SECOND}")]), [""; 0]);
    }

    #[test]
    fn what_one_key_locks_as_well_is_none() {
        let both = format!("{FIRST}ALTER TABLE c ADD FOREIGN KEY (id) REFERENCES p (id);");
        assert_eq!(said(&[TABLES, &both]), [""; 0], "the same two tables");
        assert_eq!(said(&[&format!("{TABLES}{FIRST}{SECOND}")]), [""; 0], "new tables");
    }
}
