//! Triggers and rules that defeat or stop what a foreign key would do when a parent row goes.

use super::written;
use crate::schema::{Action, Chance, ForeignKey, Schema, Table, TableName, Trigger, WriteKind};

/// Says which trigger or rule keeps a foreign key from doing what its action says, and what comes of it, a sentence without an
/// end: ``trigger `users_soft` on `users` keeps the row: with CASCADE, a delete from `tenants` leaves rows of `users` behind as
/// orphans under a valid key``. `None` if none is known to. A trigger that only writes rows elsewhere does not.
pub fn defeated(schema: &Schema, child: &TableName, key: &ForeignKey, action: Action) -> Option<String> {
    let (child, parent) = (schema.table(child)?, schema.table(&key.parent)?);
    let by_child = by_child(schema, child, key.changed_columns(), parent, action);
    by_child.or_else(|| by_parent(schema, child, &key.columns, parent))
}

fn by_child(schema: &Schema, child: &Table, changed: &[String], parent: &Table, action: Action) -> Option<String> {
    let event = match action {
        Action::Cascade => "DELETE",
        Action::SetNull | Action::SetDefault => "UPDATE",
        Action::NoAction | Action::Restrict => return None,
    };
    let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    let stays = format!(
        "with {action}, a delete from `{}` leaves rows of `{}` behind as orphans under a valid key",
        parent.name, child.name
    );
    let stops = format!("with {action}, it stops a delete from `{}`", parent.name);
    let parts = schema.parts(&child.name).into_iter().filter(|t| t.name != child.name);
    for of in std::iter::once(child).chain(parts) {
        for trigger in of.triggers.iter().filter(|t| t.fires(of, event, &changed)) {
            let named = format!("trigger `{}` on `{}` (BEFORE {event})", trigger.name, of.name);
            let named = if trigger.timing == "BEFORE" { named } else { named.replace("BEFORE", &trigger.timing) };
            let Some(does) = trigger.at(event) else { continue };
            let sure = |chance: Chance| chance == Chance::Always && !trigger.conditional;
            let may =
                |chance: Chance, does: &str, may: &str| if sure(chance) { does.to_string() } else { may.to_string() };
            if !does.skips.is_never() {
                let then = if schema.engine.facts().triggers.skipped_refuses { &stops } else { &stays };
                return Some(format!("{named} {}: {then}", may(does.skips, "keeps every row", "may keep the row")));
            }
            if !does.raises.is_never() {
                return Some(format!("{named} {}: {stops}", may(does.raises, "raises an error", "may raise an error")));
            }
            let set = |c: &&str| does.sets.iter().any(|s| s == "*" || s.eq_ignore_ascii_case(c));
            if event == "UPDATE" && changed.iter().any(set) {
                return Some(format!("{named} may give the reference another value: {stays}"));
            }
            if let Some(why) = does.unread.as_ref().filter(|_| trigger.timing == "BEFORE") {
                return Some(format!("{named} could not be read ({why}) and may keep the row: {stays}"));
            }
        }
    }
    let rule = child.rewrite_rules.iter().find(|r| r.enabled && r.event == event && r.instead)?;
    Some(format!(
        "rule `{}` on `{}` (ON {event} DO INSTEAD) takes the place of what the key does: {stops}",
        rule.name, child.name
    ))
}

/// A trigger of the parent that writes the key of a row that goes into the child.
fn by_parent(schema: &Schema, child: &Table, columns: &[String], parent: &Table) -> Option<String> {
    let records = |trigger: &&Trigger| {
        let does = trigger.at("DELETE").filter(|_| trigger.fires(parent, "DELETE", &[]));
        does.is_some_and(|d| {
            d.writes.iter().any(|w| {
                let from = |c: &String| match &w.columns {
                    None => true,
                    Some(written) => written.iter().any(|w| w.from.is_some() && w.column.eq_ignore_ascii_case(c)),
                };
                w.kind == WriteKind::Insert
                    && written(schema, parent, w).is_some_and(|t| *t == child.name)
                    && columns.iter().any(from)
            })
        })
    };
    let trigger = parent.triggers.iter().find(records)?;
    Some(format!(
        "trigger `{0}` on `{1}` ({2} DELETE) writes rows of `{3}` for a row of `{1}` that is being deleted: a foreign key stops the \
         delete, or takes along what was just written",
        trigger.name, parent.name, trigger.timing, child.name
    ))
}

#[cfg(test)]
mod tests;
