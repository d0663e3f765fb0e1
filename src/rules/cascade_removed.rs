//! `cascade-removed`: a migration makes a key no longer cascade.

use super::timeline::{in_the_end, is_policy};
use super::wording::{key_name, key_place};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::Action;

pub(super) static META: Meta = Meta {
    code: "REF410",
    name: "cascade-removed",
    severity: Severity::Warning,
    summary: "A migration makes an existing foreign key no longer cascade",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-removed.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for change in &timeline.keys {
        let (child, Some(new)) = (&change.table, &change.new) else { continue };
        let concerns = change.old.on_delete == Action::Cascade && new.on_delete != Action::Cascade;
        // What a later migration takes back does no harm any more.
        let stands = in_the_end(context.schema, child, new).is_some_and(|k| k.on_delete == new.on_delete);
        if !concerns || !stands || is_policy(context, child, new, new.on_delete) {
            continue;
        }
        let (name, parent) = (key_name(child, new), &new.parent);
        let after = match new.on_delete {
            Action::NoAction | Action::Restrict => "fails",
            _ => "leaves them behind",
        };
        findings.push(
            Finding::new(&META, Subject::foreign_key(child, new), format!("Foreign key {name} is changed from ON DELETE CASCADE to {}", new.on_delete))
                .why(format!("Code that deletes a `{parent}` row and relies on its `{child}` rows going, too, now {after}."))
                .help(format!("Look for the deletes that relied on it, and delete the `{child}` rows there first. If that is done: `-- referee: ignore cascade-removed REASON`, or a [[policy]] in referee.toml."))
                .label(key_place(child, new), format!("ON DELETE {}", new.on_delete))
                .at(timeline.places.head(change.place, format!("was ON DELETE {}", change.old.on_delete))),
        );
    }
}
