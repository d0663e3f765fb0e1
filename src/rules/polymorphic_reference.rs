//! `polymorphic-reference`: PLACEHOLDER.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};

pub(super) static META: Meta = Meta {
    code: "REF112",
    name: "polymorphic-reference",
    severity: Severity::Info,
    summary: "PLACEHOLDER",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/polymorphic-reference.md"),
};

pub(super) fn check(_context: &Context<'_>, _findings: &mut Vec<Finding>) {}
