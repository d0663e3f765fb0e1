//! The engines, asked for real: what the inspectors say is compared with what was created.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "test code"
)]

mod connections;
mod hostile;
mod infer;
mod limits;
mod migrations;
mod operators;
mod poolers;
mod postgres;
mod row_security;
mod secrets;
mod sight;
mod sqlite;
mod values;
mod writers;
