//! What PostgreSQL 18 brought, on a server of that version (`tests/support/newer-postgres.sh` fetches one).

use crate::support::audit::{Ask, audit, expect, only, open};
use crate::support::postgres::{connect, execute, fresh_database_since};

const PARENT: &str = "CREATE TABLE parents (id bigint PRIMARY KEY); INSERT INTO parents VALUES (1), (2);";

/// Makes a database on PostgreSQL 18; `None`, and said so, where there is no such server.
fn database(sql: &str) -> Option<String> {
    let url = fresh_database_since(18);
    match &url {
        Some(url) => execute(url, &format!("{PARENT}{sql}")),
        None => eprintln!("no PostgreSQL 18 here: name one in REFEREE_TEST_PG to run this test"),
    }
    url
}

fn sqlstate(url: &str, sql: &str) -> String {
    connect(url).batch_execute(sql).expect_err(sql).code().unwrap().code().to_string()
}

#[test]
fn key_that_is_not_enforced_is_told_and_its_orphans_counted() {
    let Some(url) = database(
        "CREATE TABLE children (id bigint PRIMARY KEY, parent_id bigint,
           CONSTRAINT loose FOREIGN KEY (parent_id) REFERENCES parents (id) ON DELETE CASCADE NOT ENFORCED);
         CREATE INDEX ON children (parent_id);
         INSERT INTO children VALUES (1, 1), (2, 99);",
    ) else {
        return;
    };
    let report = audit(&url, Ask { data: true, verify_indexes: true, ..Ask::default() });
    expect(&report, &["warning disabled-foreign-key children.parent_id", "warning orphan-rows children.parent_id"]);
    connect(&url).batch_execute("DELETE FROM children WHERE parent_id = 99").unwrap();
    let report = audit(&url, Ask { data: true, ..Ask::default() });
    for sql in &only(&report, "disabled-foreign-key").fixes[0].sql {
        execute(&url, sql);
    }
    expect(&audit(&url, Ask { data: true, ..Ask::default() }), &[]);
    assert_eq!(sqlstate(&url, "INSERT INTO children VALUES (3, 99)"), "23503");
}

#[test]
fn restrict_has_an_sqlstate_of_its_own() {
    let Some(url) = database(
        "CREATE TABLE children (id bigint PRIMARY KEY,
           parent_id bigint NOT NULL REFERENCES parents (id) ON DELETE RESTRICT);
         CREATE INDEX ON children (parent_id); INSERT INTO children VALUES (1, 1);",
    ) else {
        return;
    };
    expect(&audit(&url, Ask { data: true, ..Ask::default() }), &[]);
    assert_eq!(sqlstate(&url, "DELETE FROM parents WHERE id = 1"), "23001");
}

/// A NOT NULL that is NOT VALID leaves old NULLs alone, and refuses new ones: also the one that SET NULL writes.
#[test]
fn not_null_that_is_not_valid_refuses_set_null() {
    let Some(url) = database(
        "CREATE TABLE children (id bigint PRIMARY KEY,
           parent_id bigint REFERENCES parents (id) ON DELETE SET NULL);
         CREATE INDEX ON children (parent_id); INSERT INTO children VALUES (1, 1), (2, NULL);
         ALTER TABLE children ADD CONSTRAINT needs_parent NOT NULL parent_id NOT VALID;",
    ) else {
        return;
    };
    assert_eq!(sqlstate(&url, "DELETE FROM parents WHERE id = 1"), "23502");
    // The old row without a parent is no orphan.
    expect(&audit(&url, Ask { data: true, ..Ask::default() }), &["error set-null-on-not-null children.parent_id"]);
}

#[test]
fn key_that_is_not_valid_on_a_partitioned_table_is_one_finding() {
    let Some(url) = database(
        "CREATE TABLE children (id bigint, parent_id bigint) PARTITION BY RANGE (id);
         CREATE TABLE children_1 PARTITION OF children FOR VALUES FROM (0) TO (10);
         CREATE TABLE children_2 PARTITION OF children DEFAULT;
         CREATE INDEX ON children (parent_id);
         INSERT INTO children VALUES (1, 1), (20, 99), (21, 98);
         ALTER TABLE children ADD CONSTRAINT late FOREIGN KEY (parent_id) REFERENCES parents (id)
           ON DELETE CASCADE NOT VALID;",
    ) else {
        return;
    };
    let report = audit(&url, Ask { data: true, ..Ask::default() });
    let rules: Vec<_> = report.findings.iter().map(|f| (f.rule.name(), f.subject.place())).collect();
    let place = "children.parent_id".to_string();
    assert_eq!(rules, [("unvalidated-foreign-key", place.clone()), ("orphan-rows", place)]);
    execute(&url, "DELETE FROM children WHERE parent_id > 90");
    for sql in &only(&report, "unvalidated-foreign-key").fixes[0].sql {
        execute(&url, sql);
    }
    expect(&audit(&url, Ask { data: true, ..Ask::default() }), &[]);
}

#[test]
fn virtual_generated_columns_are_no_referring_columns() {
    let Some(url) = database(
        "CREATE TABLE children (id bigint PRIMARY KEY, payload jsonb NOT NULL DEFAULT '{}',
           parent_id bigint GENERATED ALWAYS AS ((payload ->> 'parent')::bigint) VIRTUAL);
         INSERT INTO children VALUES (1), (2);",
    ) else {
        return;
    };
    let schema = open(&url).schema;
    let column = schema.table(&"children".into()).unwrap().column("parent_id").unwrap();
    assert!(column.generated.as_ref().is_some_and(|g| !g.stored), "{column:?}");
    expect(&audit(&url, Ask { data: true, verify_indexes: true, ..Ask::default() }), &[]);
}

#[test]
fn temporal_key_is_read_and_not_misjudged() {
    let Some(url) = database(
        "CREATE EXTENSION btree_gist;
         CREATE TABLE prices (product bigint, valid daterange, amount integer NOT NULL,
           PRIMARY KEY (product, valid WITHOUT OVERLAPS));
         CREATE TABLE offers (id bigint PRIMARY KEY, product bigint NOT NULL, during daterange NOT NULL,
           CONSTRAINT covered FOREIGN KEY (product, PERIOD during) REFERENCES prices (product, PERIOD valid));
         CREATE INDEX ON offers USING gist (product, during);
         INSERT INTO prices VALUES (1, '[2026-01-01,2026-02-01)', 5), (1, '[2026-02-01,2026-03-01)', 6);
         INSERT INTO offers VALUES (1, 1, '[2026-01-15,2026-02-15)');",
    ) else {
        return;
    };
    let schema = open(&url).schema;
    let key = &schema.table(&"offers".into()).unwrap().foreign_keys[0];
    assert!(key.temporal, "{key:?}");
    expect(&audit(&url, Ask { data: true, verify_indexes: true, ..Ask::default() }), &[]);
}
