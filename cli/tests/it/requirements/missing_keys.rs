//! PostgreSQL, eleven keys that nothing declares and five indexes that are missing.

use referee::change::Change;
use referee::findings::Finding;
use referee::schema::Action;

use crate::requirements::{on_every_postgres, referee};
use crate::support::audit::{Ask, audit, expect};
use crate::support::postgres::{connect, execute};

const SQL: &str = include_str!("../../../../tests/fixtures/delivery.postgres.sql");

/// Every relation, the action that the team settled on, and whether an index serves it.
const RELATIONS: [(&str, &str, Action, bool); 11] = [
    ("customers.referred_by", "customers.id", Action::SetNull, false),
    ("drivers.user_id", "users.id", Action::Cascade, false),
    ("drivers.vehicle_id", "vehicles.id", Action::SetNull, true),
    ("orders.customer_id", "customers.id", Action::SetNull, true),
    ("orders.driver_id", "drivers.id", Action::SetNull, true),
    ("orders.pod_id", "pods.id", Action::SetNull, false),
    ("pods.operator_id", "users.id", Action::SetNull, false),
    ("subscriptions.customer_id", "customers.id", Action::Cascade, true),
    ("subscriptions.product_id", "products.id", Action::Restrict, false),
    ("wallet_transactions.wallet_id", "wallets.id", Action::Cascade, true),
    ("wallets.customer_id", "customers.id", Action::Cascade, true),
];

fn advised(finding: &Finding) -> (String, Action) {
    let [Change::AddForeignKey { foreign_key, .. }] = finding.fixes[0].changes.as_slice() else {
        panic!("{finding:?}");
    };
    (format!("{}.{}", foreign_key.parent, foreign_key.parent_columns.join(",")), foreign_key.on_delete)
}

#[test]
fn eleven_keys_with_their_actions_and_five_indexes() {
    on_every_postgres(SQL, |url, _| {
        for ask in [Ask::default(), Ask { data: true, verify_indexes: true, ..Ask::default() }] {
            let report = audit(url, ask);
            expect(
                &report,
                &[
                    "warning no-foreign-keys database",
                    "warning undeclared-foreign-key customers.referred_by",
                    "warning unindexed-foreign-key customers.referred_by",
                    "info polymorphic-reference cylinders.(location_type, location_id)",
                    "warning undeclared-foreign-key drivers.user_id",
                    "warning unindexed-foreign-key drivers.user_id",
                    "warning undeclared-foreign-key drivers.vehicle_id",
                    "warning undeclared-foreign-key orders.customer_id",
                    "warning undeclared-foreign-key orders.driver_id",
                    "warning undeclared-foreign-key orders.pod_id",
                    "warning unindexed-foreign-key orders.pod_id",
                    "warning undeclared-foreign-key pods.operator_id",
                    "warning unindexed-foreign-key pods.operator_id",
                    "warning undeclared-foreign-key subscriptions.customer_id",
                    "warning undeclared-foreign-key subscriptions.product_id",
                    "warning unindexed-foreign-key subscriptions.product_id",
                    "warning undeclared-foreign-key wallet_transactions.wallet_id",
                    "warning undeclared-foreign-key wallets.customer_id",
                ],
            );
            let found: Vec<_> = report
                .findings
                .iter()
                .filter(|f| f.rule.name() == "undeclared-foreign-key")
                .map(|f| {
                    let (parent, action) = advised(f);
                    let place = f.subject.place();
                    let unindexed = report
                        .findings
                        .iter()
                        .any(|o| o.rule.name() == "unindexed-foreign-key" && o.subject.place() == place);
                    (place, parent, action, !unindexed)
                })
                .collect();
            let expected: Vec<_> =
                RELATIONS.iter().map(|(c, p, a, i)| ((*c).to_string(), (*p).to_string(), *a, *i)).collect();
            assert_eq!(found, expected);
        }
    });
}

#[test]
fn the_repairs_applied_leave_nothing_but_the_polymorphic_column() {
    on_every_postgres(SQL, |url, _| {
        let report = audit(url, Ask::default());
        let mut client = connect(url);
        // Indexes first: the keys are built on them.
        for rule in ["unindexed-foreign-key", "undeclared-foreign-key"] {
            for finding in report.findings.iter().filter(|f| f.rule.name() == rule) {
                assert!(!finding.fixes[0].sql.is_empty(), "{finding:?}");
                for sql in &finding.fixes[0].sql {
                    client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
                }
            }
        }
        let report = audit(url, Ask { data: true, verify_indexes: true, ..Ask::default() });
        expect(&report, &["info polymorphic-reference cylinders.(location_type, location_id)"]);
        let keys = client.query_one("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated", &[]);
        assert_eq!(keys.unwrap().get::<_, i64>(0), 11);
    });
}

/// EXCLUSIVE conflicts with every lock but ACCESS SHARE (PostgreSQL manual, 13.3.1 "Table-Level Locks").
#[test]
fn an_audit_takes_no_lock_beyond_access_share() {
    on_every_postgres(SQL, |url, _| {
        let mut client = connect(url);
        client
            .batch_execute(
                "BEGIN; LOCK TABLE users, customers, vehicles, drivers, pods, products, orders, wallets, wallet_transactions, \
                 subscriptions, cylinders IN EXCLUSIVE MODE",
            )
            .unwrap();
        let report = audit(url, Ask { data: true, verify_indexes: true, ..Ask::default() });
        assert_eq!(report.findings.len(), 18);
        client.batch_execute("ROLLBACK").unwrap();
    });
}

/// A key's check looks at its parent with ONLY (`ri_triggers.c`): a row of a table that inherits from it is no parent.
#[test]
fn a_default_whose_row_is_in_a_table_that_inherits_is_warned_of() {
    let tables = "CREATE TABLE teams (id int PRIMARY KEY); CREATE TABLE old_teams (PRIMARY KEY (id)) INHERITS (teams);
        CREATE TABLE members (id int PRIMARY KEY, team_id int NOT NULL DEFAULT 0);
        INSERT INTO teams VALUES (1), (2), (3); INSERT INTO members VALUES (1, 1), (2, 2), (3, 3);";
    let warning = "inserts that leave `team_id` out will fail, because its default 0 is no row of `teams`";
    for (more, warned) in [("INSERT INTO old_teams VALUES (0)", true), ("INSERT INTO teams VALUES (0)", false)] {
        on_every_postgres(&format!("{tables}{more}"), |url, _| {
            let (_, out) = referee(&["fix", url, "--accept-inferred=0.5"]);
            let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("members.team_id -> teams.id"), "{out}");
            assert_eq!(words.contains(warning), warned, "{out}");
            execute(url, "ALTER TABLE members ADD FOREIGN KEY (team_id) REFERENCES teams");
            assert_eq!(connect(url).execute("INSERT INTO members (id) VALUES (9)", &[]).is_err(), warned);
        });
    }
}
