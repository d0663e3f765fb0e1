//! The truth test: what `fate` decides about a delete is what the engine does, on random schemas with random rows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "test code"
)]
#[path = "fate/actors.rs"]
mod actors;
#[path = "fate/affinity.rs"]
mod affinity;
#[path = "fate/fixes.rs"]
mod fixes;
#[path = "fate/mariadb.rs"]
mod mariadb_engine;
#[path = "fate/partitions.rs"]
mod partitions;
#[path = "fate/plan.rs"]
mod plan;
#[path = "fate/postgres.rs"]
mod postgres_engine;
#[path = "fate/promises.rs"]
mod promises;
#[path = "fate/regressions.rs"]
mod regressions;
#[path = "fate/requirements.rs"]
mod requirements;
#[path = "fate/rows.rs"]
mod rows;
#[path = "fate/sqlite.rs"]
mod sqlite;
mod support;
#[path = "fate/truth.rs"]
mod truth;

use std::cell::RefCell;

use plan::{Plan, ddl, plans};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use referee::schema::{Engine as Kind, Schema};
use rows::Random;
use truth::Tally;

/// How many random schemas an engine gets: a share that takes some seconds, or as many as `FATE_SCHEMAS` says.
fn schemas(few: u32) -> u32 {
    std::env::var("FATE_SCHEMAS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// After how many schemas a run says how far it is.
const PROGRESS: usize = 250;

fn seed() -> u64 {
    std::env::var("FATE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Runs a check on random schemas; shrinks and prints the smallest that fails.
fn run(kind: Kind, cases: u32, check: impl Fn(&Plan, Schema, &mut Tally) -> Result<(), String>) {
    let tally = RefCell::new(Tally::default());
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 1_500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&plans(), |plan| {
        let schema = plan.schema(kind);
        let mut tally = tally.borrow_mut();
        let result = check(&plan, schema, &mut tally).map_err(TestCaseError::fail);
        // A run that is ended from outside has said how far it came.
        if result.is_ok() && tally.schemas.is_multiple_of(PROGRESS) {
            println!("{kind}, seed {}: {}", seed(), tally.line());
        }
        result
    });
    let tally = tally.into_inner();
    match result {
        Ok(()) => println!("{kind}, seed {}: {tally:#?}", seed()),
        Err(TestError::Fail(reason, plan)) => {
            let schema = plan.schema(kind);
            panic!(
                "{kind}, seed {}, after {} schemas: {reason}\n{}\n{plan:?}",
                seed(),
                tally.schemas,
                ddl(&schema, &plan).join(";\n")
            )
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Fills the engine with two sets of random rows, then with rows that are made to stop deletes.
fn check(plan: &Plan, schema: &Schema, engine: &mut dyn truth::Engine, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(plan.seed);
    let decided = truth::Decided::new(schema);
    for _ in 0..2 {
        let rows = rows::random(schema, &mut random, 4);
        truth::compare(schema, &decided, &rows, engine, tally).map_err(|e| format!("{e}\n{rows:?}"))?;
    }
    truth::witnesses(schema, &decided, engine, tally)?;
    tally.schemas += 1;
    Ok(())
}

fn on_sqlite(cases: u32) {
    run(Kind::Sqlite, cases, |plan, schema, tally| {
        let mut engine = sqlite::Sqlite::new(&ddl(&schema, plan));
        check(plan, &schema, &mut engine, tally)
    });
}

fn on_postgres(cases: u32) {
    for server in support::postgres::servers() {
        println!("PostgreSQL {}", server.major);
        let engine = RefCell::new(postgres_engine::Postgres::new(server));
        run(Kind::Postgres, cases, |plan, mut schema, tally| {
            let mut engine = engine.borrow_mut();
            let ddl = ddl(&schema, plan);
            engine.make(&mut schema, &ddl);
            check(plan, &schema, &mut *engine, tally)
        });
    }
}

fn on_mariadb(cases: u32) {
    let engine = RefCell::new(mariadb_engine::Mariadb::new(&format!("truth_{cases}")));
    run(Kind::Mariadb, cases, |plan, schema, tally| {
        let mut engine = engine.borrow_mut();
        engine.make(&ddl(&schema, plan));
        check(plan, &schema, &mut *engine, tally)
    });
}

#[test]
fn sqlite_does_what_fate_says() {
    on_sqlite(schemas(1_500));
}

#[test]
fn postgres_does_what_fate_says() {
    on_postgres(schemas(150));
}

#[test]
fn mariadb_does_what_fate_says() {
    on_mariadb(schemas(100));
}

#[test]
#[ignore = "takes a quarter of an hour: tests/long-fate.sh"]
fn sqlite_at_length() {
    on_sqlite(50_000);
}

#[test]
#[ignore = "takes a quarter of an hour: tests/long-fate.sh"]
fn postgres_at_length() {
    on_postgres(5_000);
}

#[test]
#[ignore = "takes a quarter of an hour: tests/long-fate.sh"]
fn mariadb_at_length() {
    on_mariadb(5_000);
}
