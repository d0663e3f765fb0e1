//! The engines, asked for real: what the inspectors say is compared with what was created.

// Helpers outside `#[test]` functions may give up, too: this is a test all through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod postgres;
mod sqlite;
