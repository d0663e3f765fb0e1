//! `foreign-key-collation-mismatch`: PLACEHOLDER.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};

pub(super) static META: Meta = Meta {
    code: "REF108",
    name: "foreign-key-collation-mismatch",
    severity: Severity::Warning,
    summary: "PLACEHOLDER",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-key-collation-mismatch.md"),
};

pub(super) fn check(_context: &Context<'_>, _findings: &mut Vec<Finding>) {}
