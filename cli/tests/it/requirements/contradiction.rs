//! PostgreSQL: `ON DELETE SET NULL` on a column that a later migration made `NOT NULL`.

use referee::findings::Safety;

use crate::requirements::{on_every_postgres, referee};
use crate::support::audit::{Ask, audit, expect, only};
use crate::support::postgres::connect;

const SQL: &str = include_str!("../../../../tests/fixtures/workspaces.postgres.sql");
const CONTRADICTION: &str = "error set-null-on-not-null users.primary_workspace_id";

fn sqlstate(url: &str, sql: &str) -> String {
    let error = connect(url).batch_execute(sql).expect_err(sql);
    error.code().expect("a server's error").code().to_string()
}

#[test]
fn both_sides_and_both_consequences_are_told_and_true() {
    on_every_postgres(SQL, |url, _| {
        let report = audit(url, Ask { data: true, verify_indexes: true, ..Ask::default() });
        expect(&report, &[CONTRADICTION]);
        let finding = only(&report, "set-null-on-not-null");
        let labels: Vec<_> = finding.labels.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(labels, ["NOT NULL", "ON DELETE SET NULL"], "{finding:?}");
        assert!(finding.why.contains("cannot be deleted") && finding.why.contains("23502"), "{}", finding.why);
        assert!(finding.why.contains("insert") && finding.why.contains("23503"), "{}", finding.why);

        assert_eq!(sqlstate(url, "DELETE FROM workspaces WHERE slug = 'acme'"), "23502");
        let insert = "INSERT INTO users (email, primary_workspace_id) VALUES ('x@example.org', gen_random_uuid())";
        assert_eq!(sqlstate(url, insert), "23503");
        connect(url).batch_execute("BEGIN; DELETE FROM workspaces WHERE slug = 'unused'; ROLLBACK").unwrap();
    });
}

#[test]
fn each_repair_applies_and_ends_the_finding() {
    for (number, title) in [(0, "Protect the parent: ON DELETE NO ACTION"), (1, "Let the child survive: drop NOT NULL")]
    {
        on_every_postgres(SQL, |url, _| {
            let report = audit(url, Ask::default());
            let fixes = &only(&report, "set-null-on-not-null").fixes;
            assert_eq!(fixes.len(), 2);
            assert!(fixes[number].title.starts_with(title), "{:?}", fixes[number].title);
            assert_eq!(fixes[0].safety, Safety::Safe);
            let mut client = connect(url);
            for sql in &fixes[number].sql {
                client.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
            }
            expect(&audit(url, Ask { data: true, ..Ask::default() }), &[]);
            let deleted = client.execute("DELETE FROM workspaces WHERE slug = 'acme'", &[]);
            match number {
                0 => assert_eq!(deleted.unwrap_err().code().unwrap().code(), "23503"),
                _ => assert_eq!(deleted.unwrap(), 1),
            }
        });
    }
}

#[test]
fn binary_says_the_same() {
    on_every_postgres(SQL, |url, _| {
        let (code, json) = referee(&["audit", url, "--format", "json"]);
        assert_eq!(code, 1);
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        let findings = document["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{json}");
        assert_eq!(findings[0]["rule"], "set-null-on-not-null");
        assert_eq!(findings[0]["subject"]["columns"], serde_json::json!(["primary_workspace_id"]));
        assert_eq!(referee(&["audit", url, "--quiet", "--fail-on", "never"]).0, 0);
    });
}
