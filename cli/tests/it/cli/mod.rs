//! The built binary, run as a user runs it, on schema documents and SQLite files: no server is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod apply;
mod config;
mod files;
mod fix;
mod guesses;
mod help;
mod hostile;
mod lint;
mod promises;
mod reach;
mod support;
mod triggers;
mod undo;
mod verbs;
