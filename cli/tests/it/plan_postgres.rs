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

mod acting;
mod cases;
mod closure;
mod locks;
mod rows;
mod scale;
mod unseen;
