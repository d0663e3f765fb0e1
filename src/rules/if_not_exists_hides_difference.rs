//! `if-not-exists-hides-difference`: IF NOT EXISTS passes over a definition that differs.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::source::history::ConflictKind;

pub(super) static META: Meta = Meta {
    code: "REF414",
    name: "if-not-exists-hides-difference",
    severity: Severity::Warning,
    summary: "IF NOT EXISTS passes over a definition that differs from the one that is there",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/if-not-exists-hides-difference.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for conflict in &timeline.history.conflicts {
        let ConflictKind::HiddenDifference { what, table, differences } = &conflict.kind else { continue };
        let mut finding = Finding::new(
            &META,
            Subject::table(table),
            format!("IF NOT EXISTS passes over this definition of {what}, which differs from the one that is there"),
        )
        .distinguished_by(what)
        .why(
            "The statement does nothing where the object exists, and makes something else where it does not: two databases that \
             ran the same migrations differ.",
        )
        .help(
            "Decide which definition holds. Take this statement out, or change the object by ALTER so that every database comes \
             to the same end.",
        );
        for difference in differences {
            finding = finding.label(table.to_string(), difference.clone());
        }
        findings.push(
            finding
                .at(timeline.places.head(conflict.at, "does nothing"))
                .at(conflict.earlier.and_then(|p| timeline.places.head(p, "made here"))),
        );
    }
}
