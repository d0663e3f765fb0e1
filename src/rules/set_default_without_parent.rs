//! `set-default-without-parent`: PLACEHOLDER.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};

pub(super) static META: Meta = Meta {
    code: "REF202",
    name: "set-default-without-parent",
    severity: Severity::Error,
    summary: "PLACEHOLDER",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/set-default-without-parent.md"),
};

pub(super) fn check(_context: &Context<'_>, _findings: &mut Vec<Finding>) {}
