//! What integration tests share: real servers that start by themselves.
//!
//! A test that needs a server and finds none fails; it is never skipped in silence.

#![allow(dead_code, reason = "every test binary includes this module and uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

pub mod audit;
pub mod compare;
pub mod mariadb;
pub mod mariadb_inspect;
pub mod plan;
pub mod postgres;
