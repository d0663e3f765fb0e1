//! `set-null-on-not-null`: PLACEHOLDER.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};

pub(super) static META: Meta = Meta {
    code: "REF201",
    name: "set-null-on-not-null",
    severity: Severity::Error,
    summary: "PLACEHOLDER",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/set-null-on-not-null.md"),
};

pub(super) fn check(_context: &Context<'_>, _findings: &mut Vec<Finding>) {}
