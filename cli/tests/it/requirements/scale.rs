//! A thousand tables are read at once, not one by one.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use referee::schema::Schema;

use crate::support::audit::{Ask, audit, open, sqlite};
use crate::support::postgres::{execute, servers};

const TABLES: usize = 1_000;
/// PostgreSQL is given the tables in parts: one transaction cannot lock them all with the default settings.
const PART: usize = 100;

/// A thousand tables with three keys each, two of them with an index.
fn catalog(id: &str) -> Vec<String> {
    let table = |t: usize| {
        let mut sql = format!("CREATE TABLE t{t} (id {id} PRIMARY KEY");
        for k in 1..=3 {
            let parent = if t < k { t } else { (t * 7 + k * 131) % t };
            let action = ["CASCADE", "SET NULL", "RESTRICT"][k - 1];
            let _ = write!(sql, ", p{k}_id {id} REFERENCES t{parent} (id) ON DELETE {action}");
        }
        sql + &format!("); CREATE INDEX t{t}_p1 ON t{t} (p1_id); CREATE INDEX t{t}_p2 ON t{t} (p2_id);")
    };
    let all: Vec<String> = (0..TABLES).map(table).collect();
    all.chunks(PART).map(|part| part.join("\n")).collect()
}

fn check(schema: &Schema) {
    assert_eq!(schema.tables.len(), TABLES);
    assert_eq!(schema.foreign_keys().count(), 3 * TABLES);
}

#[test]
fn postgres_catalog_takes_ten_round_trips_at_most_whatever_its_size() {
    let server = &servers()[0];
    let small = server.fresh_database();
    let url = server.fresh_database();
    for part in catalog("bigint") {
        execute(&url, &part);
    }
    let trips = |url: &str| open(url).session.unwrap().round_trips();
    let input = open(&url);
    check(&input.schema);
    let large = input.session.unwrap().round_trips();
    assert!(large <= 10, "{large} round trips");
    assert_eq!(large, trips(&small), "as many for an empty database");
    let report = audit(&url, Ask::default());
    let unindexed = report.findings.iter().filter(|f| f.rule.name() == "unindexed-foreign-key").count();
    assert_eq!(unindexed, TABLES);
}

#[test]
fn sqlite_catalog_of_a_thousand_tables_takes_as_many_requests_as_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let large = sqlite(&folder.path().join("large.db"), &format!("BEGIN;{}COMMIT;", catalog("integer").join("\n")));
    let small = sqlite(&folder.path().join("small.db"), "CREATE TABLE t (id integer PRIMARY KEY)");
    let start = Instant::now();
    let input = open(&large);
    let spent = start.elapsed();
    check(&input.schema);
    assert_eq!(input.session.unwrap().round_trips(), open(&small).session.unwrap().round_trips());
    // Twenty times what it takes: only what grows with the square of the tables is this slow.
    assert!(spent < Duration::from_secs(20), "{spent:?}");
}
