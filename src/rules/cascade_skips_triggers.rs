//! `cascade-skips-triggers`: triggers that do not fire for rows that InnoDB's cascades delete or change.
//!
//! MySQL manual, "FOREIGN KEY Constraints": "Cascaded foreign key actions do not activate triggers"; from 9.7 on they do
//! where `enable_cascade_triggers` is switched on, which it is not by default. MariaDB: the same, without a switch.

use super::wording::{key_place, list};
use super::{Context, Meta};
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::{Action, Engine, ForeignKey, Table};

pub(crate) static META: Meta = Meta {
    code: "REF213",
    name: "cascade-skips-triggers",
    severity: Severity::Warning,
    summary: "InnoDB's cascades delete or change rows without firing the table's triggers",
    engines: &[Engine::Mysql, Engine::Mariadb],
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-skips-triggers.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for table in &context.schema.tables {
        // ON UPDATE CASCADE is not looked at: it stands in many schemas whose keys never change.
        for (event, action) in [("DELETE", Action::Cascade), ("UPDATE", Action::SetNull)] {
            let fires = table.triggers.iter().filter(|t| t.enabled && t.events.iter().any(|e| e == event));
            let triggers: Vec<String> = fires.map(|t| format!("`{}`", t.name)).collect();
            let keys: Vec<&ForeignKey> =
                table.foreign_keys.iter().filter(|k| k.is_active() && k.on_delete == action).collect();
            if !triggers.is_empty() && !keys.is_empty() {
                findings.push(finding(context, table, event, &triggers, &keys));
            }
        }
    }
}

fn finding(context: &Context<'_>, table: &Table, event: &str, triggers: &[String], keys: &[&ForeignKey]) -> Finding {
    let child = &table.name;
    let mut parents: Vec<String> = keys.iter().map(|k| format!("`{}`", k.parent)).collect();
    parents.sort();
    parents.dedup();
    let done = if event == "DELETE" { "deleted" } else { "set to NULL" };
    let (noun, verb) = if triggers.len() == 1 { ("Trigger", "does") } else { ("Triggers", "do") };
    let message = format!(
        "{noun} {} of `{child}` {verb} not fire for rows that are {done} along with a row of {}",
        list(triggers),
        list(&parents)
    );
    let switch = context.schema.engine.facts().triggers.cascades_fire_by;
    let switch = switch.map_or_else(String::new, |s| format!(" {s}"));
    let mut finding = Finding::new(&META, Subject::table(child), message)
        .distinguished_by(event)
        .why(format!(
            "InnoDB carries out cascades below the level of triggers. What {} to do, an audit record or a counter or a row \
             elsewhere, is left out without an error whenever the parent is deleted.{switch}",
            if triggers.len() == 1 { "the trigger is" } else { "the triggers are" }
        ))
        .help(format!(
            "Delete the rows of `{child}` by a statement of their own before their parent, with the key ON DELETE RESTRICT so \
             that nothing forgets to; or do the work in a trigger on {} as well.",
            list(&parents)
        ));
    for key in keys {
        finding = finding.fact(key_place(child, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete));
    }
    for trigger in table.triggers.iter().filter(|t| triggers.contains(&format!("`{}`", t.name))) {
        finding = finding.label(trigger.name.clone(), format!("{} {event}", trigger.timing));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Schema, Trigger};
    use crate::testing::{findings, schema};

    fn with_trigger(engine: Engine, action: &str, event: &str) -> Schema {
        let child = format!("c: id int8 pk, p int8 >p.id {action}");
        let mut s = schema(engine, &["p: id int8 pk", &child]);
        s.table_mut(&"c".into()).unwrap().triggers.push(Trigger {
            name: "log".into(),
            timing: "AFTER".into(),
            events: vec![event.into()],
            for_each_row: true,
            enabled: true,
            ..Trigger::default()
        });
        s
    }

    #[test]
    fn trigger_is_skipped_by_the_action_that_would_fire_it() {
        let count = |engine, action, event| findings(&with_trigger(engine, action, event), META.name).len();
        for engine in [Engine::Mysql, Engine::Mariadb] {
            assert_eq!(count(engine, "cascade", "DELETE"), 1);
            assert_eq!(count(engine, "set-null", "UPDATE"), 1);
            assert_eq!(count(engine, "cascade", "UPDATE"), 0);
            assert_eq!(count(engine, "set-null", "DELETE"), 0);
            assert_eq!(count(engine, "restrict", "DELETE"), 0);
            assert_eq!(count(engine, "cascade", "INSERT"), 0);
        }
        assert_eq!(count(Engine::Postgres, "cascade", "DELETE"), 0);
        assert_eq!(count(Engine::Sqlite, "cascade", "DELETE"), 0);
    }

    #[test]
    fn trigger_on_the_parent_fires() {
        let mut s = with_trigger(Engine::Mysql, "cascade", "DELETE");
        let trigger = s.table_mut(&"c".into()).unwrap().triggers.remove(0);
        s.table_mut(&"p".into()).unwrap().triggers.push(trigger);
        assert_eq!(findings(&s, META.name), []);
    }
}
