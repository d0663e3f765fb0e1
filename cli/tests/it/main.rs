//! The built binary, and what is tried beside it on the same servers: one test binary, so that one server of each kind is enough.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "test code"
)]

#[path = "../../../tests/support/clean_up.rs"]
mod clean_up;
#[path = "../../../tests/support/mod.rs"]
mod support;

mod cli;
mod engines;
mod killed;
mod lost_rows;
mod migration;
mod picture;
mod plan_postgres;
mod refused;
mod requirements;
mod told;
mod verified;
