//! `cascade-added`: a migration makes a key cascade.

use super::action_changes::{self, Words};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity};
use crate::schema::Action;

pub(crate) static META: Meta = Meta {
    code: "REF409",
    name: "cascade-added",
    severity: Severity::Warning,
    summary: "A migration makes an existing foreign key cascade",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-added.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let concerns = |old, new| old != Action::Cascade && new == Action::Cascade;
    action_changes::check(context, findings, &META, concerns, |change, new| {
        let (child, parent) = (&change.table, &new.parent);
        let before = match change.old.on_delete {
            Action::NoAction | Action::Restrict => "was refused while a child refers to it",
            Action::SetNull => "left its child rows with NULL",
            Action::SetDefault | Action::Cascade => "left its child rows with their default",
        };
        Words {
            why: format!("A delete of a `{parent}` row that {before} now deletes its `{child}` rows, and theirs in turn, without a word."),
            help: "If that is meant, say so where the migration is reviewed: `-- referee: ignore cascade-added REASON`, or a [[policy]] in referee.toml. `referee graph SOURCE --root TABLE` shows what goes with a row.".to_string(),
        }
    });
}
