//! One policy for every key to users: 32 keys break it, on PostgreSQL and in a CockroachDB schema.

use referee::schema::{Engine, to_json};

use crate::requirements::on_every_postgres;
use crate::support::audit::{Ask, audit, lines, only, open};
use crate::support::postgres::connect;

const SQL: &str = include_str!("../../../../tests/fixtures/twin.postgres.sql");
const POLICY: &str = r#"
[[policy]]
parent = "users"
on_delete = "cascade"
reason = "a person can have their data deleted"
"#;
const DANGLING: &str = "error dangling-default briefings.scan_id";

#[test]
fn thirty_two_keys_break_the_policy_and_one_default_refers_to_nothing() {
    on_every_postgres(SQL, |url, _| {
        let report = audit(url, Ask { config: POLICY, data: true, verify_indexes: true, ..Ask::default() });
        let found = lines(&report);
        let (policy, others): (Vec<_>, Vec<_>) =
            report.findings.iter().partition(|f| f.rule.name() == "policy-violation");
        assert_eq!(policy.len(), 32, "{found:?}");
        let rest: Vec<_> = others.iter().map(|f| f.subject.place()).collect();
        assert_eq!((rest.len(), found.iter().filter(|l| *l == DANGLING).count()), (1, 1), "{found:?}");
        // What the catalog says itself.
        let rows = connect(url)
            .query(
                "SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE contype = 'f' \
                 AND confrelid = 'users'::regclass AND confdeltype <> 'c' ORDER BY 1",
                &[],
            )
            .unwrap();
        let expected: Vec<(String, Option<String>)> = rows.iter().map(|r| (r.get(0), Some(r.get(1)))).collect();
        let named: Vec<_> =
            policy.iter().map(|f| (f.subject.table.as_ref().unwrap().to_string(), f.subject.name.clone())).collect();
        assert_eq!(named, expected);
    });
}

#[test]
fn default_that_no_parent_has_makes_every_insert_fail() {
    on_every_postgres(SQL, |url, _| {
        let report = audit(url, Ask { config: POLICY, ..Ask::default() });
        let finding = only(&report, "dangling-default");
        assert!(finding.why.contains("23503"), "{}", finding.why);
        let mut client = connect(url);
        let insert = "INSERT INTO briefings (user_id, body) SELECT id, 'good morning' FROM users";
        assert_eq!(client.batch_execute(insert).unwrap_err().code().unwrap().code(), "23503");
        for sql in &finding.fixes[0].sql {
            client.batch_execute(sql).unwrap();
        }
        assert!(!lines(&audit(url, Ask { config: POLICY, ..Ask::default() })).contains(&DANGLING.to_string()));
    });
}

#[test]
fn repairs_end_all_thirty_two() {
    on_every_postgres(SQL, |url, _| {
        let report = audit(url, Ask { config: POLICY, ..Ask::default() });
        let mut client = connect(url);
        for finding in report.findings.iter().filter(|f| f.rule.name() == "policy-violation") {
            for sql in &finding.fixes[0].sql {
                client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
            }
        }
        assert_eq!(lines(&audit(url, Ask { config: POLICY, ..Ask::default() })), [DANGLING]);
        let deleted = client.batch_execute("DELETE FROM users").unwrap_err();
        // The keys to users are not what refuses it any more: their children's keys are.
        assert_eq!(deleted.code().unwrap().code(), "23503");
        assert!(!deleted.as_db_error().unwrap().message().contains("_user_id_fkey"), "{deleted:?}");
    });
}

/// There is no CockroachDB server here: its schema is PostgreSQL's, in a document that says that it is CockroachDB's.
#[test]
fn cockroach_document_gives_the_same() {
    let url = crate::support::postgres::fresh_database();
    crate::support::postgres::execute(&url, SQL);
    let mut schema = open(&url).schema;
    schema.engine = Engine::Cockroach;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twin.json");
    std::fs::write(&path, to_json(&schema)).unwrap();
    let report = audit(path.to_str().unwrap(), Ask { config: POLICY, ..Ask::default() });
    let found = lines(&report);
    assert_eq!(found.iter().filter(|l| l.starts_with("error policy-violation ")).count(), 32, "{found:?}");
    assert_eq!(found.len(), 33, "{found:?}");
    assert!(found.contains(&DANGLING.to_string()));
    let sql = &report.findings.iter().find(|f| f.rule.name() == "policy-violation").unwrap().fixes[0].sql;
    assert!(sql.iter().any(|s| s.contains("ON DELETE CASCADE")), "{sql:?}");
}
