//! `duplicate-foreign-key`: two constraints that say exactly the same.

use super::helpers::fix;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::schema::facts::FiringOrder;
use crate::schema::{Engine, ForeignKey};

pub(crate) static META: Meta = Meta {
    code: "REF109",
    name: "duplicate-foreign-key",
    severity: Severity::Warning,
    summary: "Two foreign keys of a table say exactly the same",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/duplicate-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for table in context.schema.logical_tables() {
        let mut keys: Vec<&ForeignKey> = table.foreign_keys.iter().collect();
        // The one to keep first: it acts, it is validated, it is the older one.
        keys.sort_by_key(|k| (!k.is_active(), !k.validated, age(context.schema.engine, k), k.name.clone()));
        for (i, key) in keys.iter().enumerate() {
            let Some(kept) = keys[..i].iter().find(|other| same(other, key)) else { continue };
            let place = |k: &ForeignKey| match &k.name {
                Some(name) => format!("`{name}`"),
                None => "a key without a name".to_string(),
            };
            let what = format!("({}) REFERENCES {} ({})", key.columns.join(", "), key.parent, key.parent_columns.join(", "));
            let finding = Finding::new(
                &META,
                Subject::foreign_key(&table.name, key),
                format!("{} of `{}` repeats {}", place(key), table.name, place(kept)),
            )
            .distinguished_by(&format!("{} {}", key.parent, keys[..i].iter().filter(|other| same(other, key)).count()))
            .why(format!(
                "Every write to `{}` and every delete in `{}` is checked twice for the same thing, and who changes the action of one \
                 leaves two keys that contradict each other.",
                table.name, key.parent
            ))
            .help("Drop the newer one; nothing else changes.")
            .fact(place(kept), Fact::OnDelete, format!("{what} ON DELETE {}", kept.on_delete))
            .fact(place(key), Fact::OnDelete, format!("{what} ON DELETE {}", key.on_delete))
            .fix(fix(
                context,
                format!("Drop {}", place(key)),
                Safety::Safe,
                vec![Change::DropForeignKey { table: table.name.clone(), foreign_key: (*key).clone() }],
            ));
            findings.push(finding);
        }
    }
}

/// Orders keys by when they were made, as far as the engine's firing order tells it.
fn age(engine: Engine, key: &ForeignKey) -> u32 {
    match engine.facts().keys.order {
        FiringOrder::NewestFirst => u32::MAX - key.firing_order,
        FiringOrder::Created => key.firing_order,
        FiringOrder::Named => 0,
    }
}

/// Tells whether two keys mean the same whatever happens; whether they are validated or active now does not matter.
fn same(a: &ForeignKey, b: &ForeignKey) -> bool {
    let pairs = |k: &ForeignKey| {
        let mut pairs: Vec<_> = k.columns.iter().cloned().zip(k.parent_columns.iter().cloned()).collect();
        pairs.sort();
        pairs
    };
    let set = |k: &ForeignKey| {
        let mut columns = k.changed_columns().to_vec();
        columns.sort();
        columns
    };
    a.parent == b.parent
        && a.columns.len() == b.columns.len()
        && a.parent_columns.len() == b.parent_columns.len()
        && pairs(a) == pairs(b)
        && (a.on_delete, a.on_update, a.matching, a.timing) == (b.on_delete, b.on_update, b.matching, b.timing)
        && set(a) == set(b)
        && a.temporal == b.temporal
        // NOT ENFORCED is said on purpose: such a key is documentation beside another one.
        && a.enforced == b.enforced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Action, Schema, Timing};
    use crate::testing::{findings, schema};

    fn twice(engine: Engine, change: impl Fn(&mut ForeignKey)) -> Schema {
        let mut s = schema(engine, &["p: id int8 pk", "c: id int8 pk, p_id int8 >p.id cascade"]);
        let table = s.table_mut(&"c".into()).unwrap();
        let mut second = table.foreign_keys[0].clone();
        second.name = Some("again".into());
        second.firing_order = 7;
        change(&mut second);
        table.foreign_keys.push(second);
        s.sort();
        s
    }

    #[test]
    fn the_newer_of_two_equal_keys_goes() {
        for (engine, gone) in [(Engine::Postgres, "again"), (Engine::Sqlite, "c_p_id_fkey")] {
            let s = twice(engine, |_| {});
            let found = findings(&s, "duplicate-foreign-key");
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].subject.name.as_deref(), Some(gone), "{engine}");
            let mut fixed = s.clone();
            found[0].fixes[0].changes[0].apply(&mut fixed).unwrap();
            assert!(findings(&fixed, "duplicate-foreign-key").is_empty());
        }
    }

    #[test]
    fn keys_that_differ_in_anything_are_not_duplicates() {
        for change in [
            (|k: &mut ForeignKey| k.on_delete = Action::SetNull) as fn(&mut ForeignKey),
            |k| k.on_update = Action::Cascade,
            |k| k.timing = Timing::Deferred,
            |k| k.parent = "q".into(),
            |k| k.enforced = false,
        ] {
            assert!(findings(&twice(Engine::Postgres, change), "duplicate-foreign-key").is_empty());
        }
    }

    #[test]
    fn partitions_repeat_their_parents_key_by_right() {
        let mut s = twice(Engine::Postgres, |_| {});
        s.table_mut(&"c".into()).unwrap().partition_of = Some("whole".into());
        assert!(findings(&s, "duplicate-foreign-key").is_empty());
    }
}
