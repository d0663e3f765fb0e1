//! `foreign-key-dropped`: a migration takes a key away and puts none in its place.

use super::timeline::in_the_end;
use super::wording::key_name;
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};

pub(super) static META: Meta = Meta {
    code: "REF408",
    name: "foreign-key-dropped",
    severity: Severity::Warning,
    summary: "A migration drops a foreign key and puts none in its place",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-key-dropped.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for change in timeline.keys.iter().filter(|c| c.new.is_none()) {
        let (child, key) = (&change.table, &change.old);
        let Some(table) = context.schema.table(child) else { continue };
        let gone = key.columns.iter().any(|c| table.column(c).is_none()) || context.schema.table(&key.parent).is_none();
        let other = table.foreign_keys.iter().any(|k| k.columns.iter().any(|c| key.columns.contains(c)));
        if gone || other || in_the_end(context.schema, child, key).is_some() {
            continue;
        }
        let name = key_name(child, key);
        let columns = key.columns.join("`, `");
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, key),
                format!("Foreign key {name} is dropped, but `{child}` keeps `{columns}`"),
            )
            .why(format!(
                "From then on nothing keeps `{columns}` true: rows can refer to `{}` rows that do not exist, and a delete leaves \
                 them behind{}.",
                key.parent,
                if key.on_delete == crate::schema::Action::Cascade { " instead of deleting them" } else { "" }
            ))
            .help("Add the key again, or drop the column, too. To change the key's action, add the new one in the same migration.")
            .label(child.to_string(), format!("loses {name}"))
            .at(timeline.places.head(change.place, "")),
        );
    }
}
