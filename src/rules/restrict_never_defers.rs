//! `restrict-never-defers`: PLACEHOLDER.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};

pub(super) static META: Meta = Meta {
    code: "REF204",
    name: "restrict-never-defers",
    severity: Severity::Warning,
    summary: "PLACEHOLDER",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/restrict-never-defers.md"),
};

pub(super) fn check(_context: &Context<'_>, _findings: &mut Vec<Finding>) {}
