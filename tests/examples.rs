//! Runs the examples of the library: the body of each is a function, so that nothing is built twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]
#![allow(dead_code, reason = "the examples' own `main`")]

use std::error::Error;
use std::path::Path;

#[path = "../examples/apply.rs"]
mod apply;
#[path = "../examples/audit.rs"]
mod audit;
#[path = "../examples/fate.rs"]
mod fate;
#[path = "../examples/fix.rs"]
mod fix;
#[path = "../examples/infer.rs"]
mod infer;
#[path = "../examples/lint.rs"]
mod lint;
#[path = "../examples/verify.rs"]
mod verify;

/// What an example says, or why it failed.
type Said = Result<Vec<String>, Box<dyn Error>>;

/// Runs an example and looks for a line that begins so.
fn says(example: fn(&Path) -> Said, beginnings: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let lines = example(folder.path()).unwrap();
    for beginning in beginnings {
        assert!(lines.iter().any(|line| line.starts_with(beginning)), "no `{beginning}`: {lines:#?}");
    }
}

#[test]
fn audit_finds_the_orphan() {
    says(audit::run, &["posts.user_id: 1 "]);
}

#[test]
fn fate_counts_what_goes() {
    says(fate::run, &["complete: ", "users: 1 rows", "posts: 2 rows"]);
}

#[test]
fn lint_names_the_line_and_the_next_migration() {
    says(lint::run, &["line 2: ", "next: "]);
}

#[test]
fn infer_accepts_into_the_configuration() {
    says(infer::run, &["posts.user_id -> users", "[[relation]]", "child = \"posts.user_id\""]);
}

#[test]
fn fix_plans_what_is_chosen() {
    says(fix::run, &["Rebuild"]);
}

#[test]
fn apply_carries_out_what_is_approved() {
    says(apply::run, &["1 steps done, verified: true"]);
}

#[test]
fn verify_sees_what_was_done_by_hand() {
    says(verify::run, &["before: false", "after: true"]);
}
