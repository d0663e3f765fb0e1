//! What integration tests share: real servers that start by themselves.
//!
//! A test that needs a server and finds none fails; it is never skipped in silence.

#![allow(dead_code, reason = "every test binary includes this module and uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::fs;
use std::os::unix::fs::MetadataExt;

pub mod audit;
pub mod compare;
pub mod mariadb;
pub mod mariadb_inspect;
pub mod packages;
pub mod pgbouncer;
pub mod plan;
pub mod postgres;

/// Tells whether this process is root's.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// Returns the user and the group that a server runs as that refuses to run as root: its own, or one that owns nothing. `None`
/// if this process is not root's.
pub fn unprivileged_ids(own: &str) -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let ids = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then_some(())?;
            Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
        })
    };
    Some(ids(own).or_else(|| ids("nobody")).unwrap_or((65534, 65534)))
}
