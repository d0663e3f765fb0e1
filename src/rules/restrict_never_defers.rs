//! `restrict-never-defers`: RESTRICT on a key whose check is meant to be put off.

use super::helpers::{fix, working_keys};
use super::wording::{key_name, key_place};
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::schema::facts::Deferral;
use crate::schema::{Action, Engine, ForeignKey, Timing};

pub(crate) static META: Meta = Meta {
    code: "REF204",
    name: "restrict-never-defers",
    severity: Severity::Warning,
    summary: "A deferrable foreign key says RESTRICT, which is checked at once all the same",
    engines: &[Engine::Sqlite, Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/restrict-never-defers.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (table, key) in working_keys(context.schema) {
        let restricts = |action| action == Action::Restrict;
        if !key.timing.is_deferrable() || !(restricts(key.on_delete) || restricts(key.on_update)) {
            continue;
        }
        let initially = context.schema.engine.facts().keys.deferral == Deferral::Initially;
        let timing = if key.timing == Timing::Deferred { "DEFERRABLE INITIALLY DEFERRED" } else { "DEFERRABLE" };
        let (fact, events, act) = match (restricts(key.on_delete), restricts(key.on_update)) {
            (true, false) => (Fact::OnDelete, "ON DELETE RESTRICT", "delete a row"),
            (false, _) => (Fact::OnUpdate, "ON UPDATE RESTRICT", "change the key of a row"),
            (true, true) => (Fact::OnDelete, "ON DELETE RESTRICT ON UPDATE RESTRICT", "delete a row or change its key"),
        };
        let softened = |action| if restricts(action) { Action::NoAction } else { action };
        let new = ForeignKey {
            on_delete: softened(key.on_delete),
            on_update: softened(key.on_update),
            timing: if initially { Timing::Deferred } else { key.timing },
            ..key.clone()
        };
        let change = Change::ReplaceForeignKey { table: table.name.clone(), old: key.clone(), new };
        let message = format!("Foreign key {} is {timing}, but {events} is never deferred", key_name(&table.name, key));
        // PostgreSQL, "CREATE TABLE", RESTRICT; SQLite, "SQLite Foreign Key Support", 4.3.
        let mut why = format!(
            "A transaction that means to {act} of `{}` first and put things right before COMMIT fails at the first \
             statement. Only the check of the child's own inserts and updates is put off.",
            key.parent
        );
        if initially {
            why.push_str(" (PRAGMA defer_foreign_keys = ON does put off RESTRICT as well; the declaration does not.)");
        }
        findings.push(
            Finding::new(&META, Subject::foreign_key(&table.name, key), message)
                .why(why)
                .help(format!(
                    "Say NO ACTION: it refuses the same, but when the check is due{}. If the refusal at once is what is \
                     meant, leave the deferral out.",
                    if initially { ", which INITIALLY DEFERRED moves to COMMIT" } else { "" }
                ))
                .label(key_place(&table.name, key), timing)
                .fact(key_place(&table.name, key), fact, events)
                .fix(fix(context, "Say NO ACTION, which can be deferred", Safety::Unsafe, vec![change])),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use crate::testing::{findings, schema};

    fn with(engine: Engine, on_delete: Action, on_update: Action, timing: Timing) -> Schema {
        let mut schema = schema(engine, &["p: id int pk", "c: p_id int >p.id"]);
        let key = &mut schema.table_mut(&"c".into()).unwrap().foreign_keys[0];
        (key.on_delete, key.on_update, key.timing) = (on_delete, on_update, timing);
        schema
    }

    #[test]
    fn restrict_and_deferral_contradict_each_other() {
        use Action::{Cascade, NoAction, Restrict};
        let count = |d, u, t| findings(&with(Engine::Postgres, d, u, t), "restrict-never-defers").len();
        assert_eq!(count(Restrict, NoAction, Timing::Deferred), 1);
        assert_eq!(count(Restrict, NoAction, Timing::Deferrable), 1);
        assert_eq!(count(Cascade, Restrict, Timing::Deferred), 1);
        assert_eq!(count(Restrict, NoAction, Timing::Immediate), 0);
        assert_eq!(count(NoAction, NoAction, Timing::Deferred), 0);
        let cockroach = with(Engine::Cockroach, Restrict, NoAction, Timing::Deferred);
        assert_eq!(findings(&cockroach, "restrict-never-defers"), []);
    }

    #[test]
    fn the_fix_removes_the_finding_and_defers() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let mut schema = with(engine, Action::Restrict, Action::Restrict, Timing::Deferred);
            let found = findings(&schema, "restrict-never-defers");
            found[0].fixes[0].changes[0].apply(&mut schema).unwrap();
            assert_eq!(findings(&schema, "restrict-never-defers"), []);
            let key = &schema.table(&"c".into()).unwrap().foreign_keys[0];
            assert_eq!((key.on_delete, key.timing), (Action::NoAction, Timing::Deferred));
        }
    }
}
