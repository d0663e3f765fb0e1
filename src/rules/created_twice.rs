//! `created-twice`: a statement makes what is there already.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::source::history::ConflictKind;

pub(super) static META: Meta = Meta {
    code: "REF415",
    name: "created-twice",
    severity: Severity::Error,
    summary: "A migration makes a table, column, index or constraint that is there already",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/created-twice.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for conflict in &timeline.history.conflicts {
        let ConflictKind::Exists { what, table } = &conflict.kind else { continue };
        findings.push(
            Finding::new(&META, Subject::table(table), format!("{what} is made a second time"))
                .distinguished_by(what)
                .why(
                    "The statement fails on a database that ran the migrations before it, and what comes after it is not done. \
                     Two definitions of one thing also part: whoever reads one does not know of the other.",
                )
                .help(
                    "Keep one of the two. If the earlier one came from a base schema that already holds what migrations do, take \
                     it out there, or begin with the migrations alone.",
                )
                .at(timeline.places.head(conflict.at, "made again"))
                .at(conflict.earlier.and_then(|p| timeline.places.head(p, "made here"))),
        );
    }
}
