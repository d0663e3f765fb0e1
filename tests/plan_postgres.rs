//! Every recipe of PostgreSQL on every version there is, on tables with rows: done, done again, undone, done again; and the
//! catalog read after each step is what the plan says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "test code"
)]

mod support;

#[path = "plan_postgres/acting.rs"]
mod acting;
#[path = "plan_postgres/cases.rs"]
mod cases;
#[path = "support/clean_up.rs"]
mod clean_up;
#[path = "plan_postgres/closure.rs"]
mod closure;
#[path = "plan_postgres/locks.rs"]
mod locks;
#[path = "plan_postgres/rows.rs"]
mod rows;
#[path = "plan_postgres/unseen.rs"]
mod unseen;
