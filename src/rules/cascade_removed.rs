//! `cascade-removed`: a migration makes a key no longer cascade.

use super::action_changes::{self, Words};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};
use crate::schema::Action;

pub(crate) static META: Meta = Meta {
    code: "REF410",
    name: "cascade-removed",
    severity: Severity::Warning,
    summary: "A migration makes an existing foreign key no longer cascade",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-removed.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let concerns = |old, new| old == Action::Cascade && new != Action::Cascade;
    action_changes::check(context, findings, &META, concerns, |change, new| {
        let (child, parent) = (&change.table, &new.parent);
        let after = match new.on_delete {
            Action::NoAction | Action::Restrict => "fails",
            _ => "leaves them behind",
        };
        Words {
            why: format!("Code that deletes a `{parent}` row and relies on its `{child}` rows going, too, now {after}."),
            help: format!("Look for the deletes that relied on it, and delete the `{child}` rows there first. If that is done: `-- referee: ignore cascade-removed REASON`, or a [[policy]] in referee.toml."),
        }
    });
}
