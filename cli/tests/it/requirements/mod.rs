//! The troubles that referee was made for, as databases on the real engines, and what it must say of each: that, and
//! nothing else. Clean databases, of which it must say nothing. Large ones, which it must read at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "test code")]

use crate::support;

mod broken_keys;
mod clean;
mod contradiction;
mod deletes;
mod kept_rows;
mod missing_keys;
mod newer;
mod partitions;
mod plans;
mod policy;
mod scale;
mod survivors;
mod undeclared;

use std::process::{Command, Stdio};

/// Runs the binary; returns its exit code and what it wrote to standard output.
fn referee(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_referee"))
        .args(arguments)
        .args(["--no-config", "--color", "never"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Makes a database of these statements on every PostgreSQL server and hands over its URL and the server's version.
fn on_every_postgres(sql: &str, mut test: impl FnMut(&str, u32)) {
    for server in support::postgres::servers() {
        let url = server.fresh_database();
        support::postgres::execute(&url, sql);
        test(&url, server.major);
    }
}
