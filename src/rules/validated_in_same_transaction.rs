//! `validated-in-same-transaction`: NOT VALID and VALIDATE in one transaction.

use super::timeline::same_relation;
use super::wording::key_name;
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Finding, Severity, Subject};
use crate::schema::Engine;

pub(crate) static META: Meta = Meta {
    code: "REF404",
    name: "validated-in-same-transaction",
    severity: Severity::Warning,
    summary: "A key is added NOT VALID and validated in the same transaction, which keeps the lock",
    engines: &[Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/validated-in-same-transaction.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for (i, event) in timeline.events.iter().enumerate() {
        let Change::ValidateForeignKey { table, foreign_key } = &event.made.change else { continue };
        if event.transaction.is_none() {
            continue;
        }
        let earlier = timeline.events.iter().take(i).rev().take_while(|e| e.step.migration == event.step.migration);
        let added = earlier.into_iter().find(|e| {
            e.transaction == event.transaction
                && e.added_key().is_some_and(|(t, k)| t == table && same_relation(k, foreign_key) && !k.validated)
        });
        let Some(added) = added.filter(|a| !a.fresh) else { continue };
        let name = key_name(table, foreign_key);
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(table, foreign_key),
                format!("Foreign key {name} is validated in the transaction that adds it"),
            )
            .why(format!(
                "The lock that ADD … NOT VALID takes on `{table}` and `{}` is held until COMMIT, so the rows are read under \
                 it after all: no writes to either table meanwhile. NOT VALID has gained nothing.",
                foreign_key.parent
            ))
            .help("Put VALIDATE CONSTRAINT into a migration of its own, which runs after this one has been committed.")
            .at(timeline.at(event, "reads every row"))
            .at(timeline.at(added, "takes the lock")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, q int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "validated-in-same-transaction", migrations)
    }

    const ADD: &str = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) NOT VALID;\n";
    const VALIDATE: &str = "ALTER TABLE c VALIDATE CONSTRAINT k;";

    #[test]
    fn both_in_one_transaction_are_found() {
        assert_eq!(said(&[TABLES, &format!("{ADD}{VALIDATE}")]), ["warning c.p_id 2:2"]);
        let own = format!("-- alone\nBEGIN;\n{ADD}{VALIDATE}\nCOMMIT;");
        assert_eq!(said(&[TABLES, &own]), ["warning c.p_id 2:4"]);
    }

    #[test]
    fn two_transactions_are_none() {
        assert_eq!(said(&[TABLES, ADD, VALIDATE]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("-- alone\n{ADD}{VALIDATE}")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("{ADD}COMMIT; BEGIN;\n{VALIDATE}")]), [""; 0]);
    }

    #[test]
    fn a_table_of_the_same_migration_locks_nobody_out() {
        assert_eq!(said(&[&format!("{TABLES}{ADD}{VALIDATE}")]), [""; 0]);
    }
}
