//! `conflicting-foreign-keys`: two keys of a table to the same parent row that want different things when it goes.

use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::rules::helpers::fix;
use crate::schema::facts::{FiringOrder, LateCheck};
use crate::schema::{Action, Engine, ForeignKey};

pub(crate) static META: Meta = Meta {
    code: "REF110",
    name: "conflicting-foreign-keys",
    severity: Severity::Error,
    summary: "Two foreign keys on the same columns to the same parent have different actions",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/conflicting-foreign-keys.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for table in context.schema.logical_tables() {
        let mut keys: Vec<&ForeignKey> = table.foreign_keys.iter().filter(|k| k.is_active()).collect();
        keys.sort_by_key(|k| (k.firing_order, k.name.clone()));
        for (i, first) in keys.iter().enumerate() {
            for second in &keys[i + 1..] {
                let differ = (first.on_delete, first.on_update) != (second.on_delete, second.on_update);
                if differ && meet(first, second) {
                    findings.push(finding(context, &table.name, first, second));
                }
            }
        }
    }
}

/// Tells whether one key's pairs of columns are among the other's: both then refer to one and the same parent row.
fn meet(a: &ForeignKey, b: &ForeignKey) -> bool {
    let pairs = |k: &ForeignKey| -> Vec<(String, String)> {
        k.columns.iter().cloned().zip(k.parent_columns.iter().cloned()).collect()
    };
    let (a_pairs, b_pairs) = (pairs(a), pairs(b));
    a.parent == b.parent
        && !a_pairs.is_empty()
        && !b_pairs.is_empty()
        && (a_pairs.iter().all(|p| b_pairs.contains(p)) || b_pairs.iter().all(|p| a_pairs.contains(p)))
}

/// Returns the key that decides what a delete of the parent row does, of keys in the order in which they fire.
///
/// PostgreSQL runs the keys' triggers one after the other, and the first one that finds child rows decides; a deferred
/// NO ACTION is checked last (manual, "Overview of Trigger Behavior"; CREATE TABLE, "deferrable"). SQLite does the same,
/// newest key first, and checks every NO ACTION at the end of the statement ("Foreign Key Support", 4.3). CockroachDB carries out the
/// cascades before it checks the refusals. InnoDB refuses as long as a refusing key finds child rows.
fn decides(engine: Engine, in_order: [&ForeignKey; 2]) -> &ForeignKey {
    let facts = &engine.facts().keys;
    let rank = |k: &ForeignKey| facts.is_late(k) || facts.refusal_wins && !k.on_delete.refuses();
    // A stable choice: the first to fire among those of the better rank.
    if rank(in_order[0]) && !rank(in_order[1]) { in_order[1] } else { in_order[0] }
}

fn effect(action: Action) -> &'static str {
    match action {
        Action::NoAction | Action::Restrict => "the delete is refused",
        Action::Cascade => "the child rows are deleted",
        Action::SetNull => "the child's columns become NULL",
        Action::SetDefault => "the child's columns become their defaults",
    }
}

fn name(key: &ForeignKey) -> String {
    key.name.as_ref().map_or_else(|| format!("the key ON DELETE {}", key.on_delete), |n| format!("`{n}`"))
}

fn clauses(key: &ForeignKey) -> String {
    let mut text = format!("ON DELETE {}", key.on_delete);
    if key.on_update != Action::NoAction {
        text.push_str(&format!(" ON UPDATE {}", key.on_update));
    }
    text
}

fn finding(context: &Context<'_>, child: &crate::schema::TableName, first: &ForeignKey, second: &ForeignKey) -> Finding {
    let engine = context.schema.engine;
    let winner = decides(engine, [first, second]);
    let loser = if std::ptr::eq(winner, first) { second } else { first };
    let whole = first.columns.len() == second.columns.len();
    let on_delete = first.on_delete != second.on_delete;
    let severity = if whole && on_delete { Severity::Error } else { Severity::Warning };
    let event = if on_delete { "ON DELETE" } else { "ON UPDATE" };
    let action = |k: &ForeignKey| if on_delete { k.on_delete } else { k.on_update };
    let message = format!(
        "two keys of `{child}` to `{}` disagree: {} says {event} {}, {} says {event} {}",
        first.parent,
        name(winner),
        action(winner),
        name(loser),
        action(loser)
    );
    let why = if on_delete { why(engine, winner, loser) } else { "Which of the two a change of the parent's key follows depends on the order in which the engine takes them.".to_string() };
    let drop = |key: &ForeignKey| vec![Change::DropForeignKey { table: child.clone(), foreign_key: key.clone() }];
    let as_today = if on_delete { "a delete then does what it does today" } else { "one rule remains" };
    // Where the row could stay, what destroys it is not what is proposed first, although it is what happens today.
    let can_stay = context.schema.table(child).is_some_and(|t| loser.columns.iter().any(|c| t.is_nullable(c)));
    let destroys = |k: &ForeignKey| k.on_delete == Action::Cascade;
    let (go, or) = if can_stay && destroys(winner) && !destroys(loser) { (winner, loser) } else { (loser, winner) };
    Finding::new(&META, Subject::foreign_key(child, loser), message)
        .severity(severity)
        .distinguished_by(&format!("{} {} {}", first.parent, first.columns.join(","), second.columns.join(",")))
        .why(why)
        .help(format!(
            "Decide what shall happen, keep that one key and drop the other. Without {}, {as_today}; without {}, {} decides.",
            name(loser),
            name(winner),
            name(loser)
        ))
        .fact(name(winner), Fact::OnDelete, format!("({}) {}", winner.columns.join(", "), clauses(winner)))
        .fact(name(loser), Fact::OnDelete, format!("({}) {}", loser.columns.join(", "), clauses(loser)))
        .fix(fix(context, format!("Drop {}", name(go)), Safety::Manual, drop(go)))
        .fix(fix(context, format!("Drop {}", name(or)), Safety::Manual, drop(or)))
}

fn why(engine: Engine, winner: &ForeignKey, loser: &ForeignKey) -> String {
    let today = format!("Today {} decides: {}", name(winner), effect(winner.on_delete));
    let facts = engine.facts();
    let how = match (facts.keys.late_check, facts.keys.order) {
        (LateCheck::NoActionDeferred, _) if facts.keys.is_late(loser) => {
            return format!("{today}, because the other is checked only when the transaction commits.");
        }
        (LateCheck::NoAction, _) if facts.keys.is_late(loser) => {
            format!("because {engine} checks NO ACTION only at the end of the statement")
        }
        (LateCheck::Always, _) if facts.keys.is_late(loser) => {
            format!("because {engine} carries out cascades before it checks refusals")
        }
        _ if facts.keys.refusal_wins && winner.on_delete.refuses() => {
            "because InnoDB refuses as long as one key does".to_string()
        }
        (LateCheck::Always, FiringOrder::Created) => "because it was created first".to_string(),
        (_, FiringOrder::Created) => format!("because it was created first and {engine} fires the keys in that order"),
        (_, FiringOrder::NewestFirst) => {
            format!("because it is declared last and {engine} carries out the last one first")
        }
        (_, FiringOrder::Named) => "because its name sorts first".to_string(),
    };
    let mut why = format!("{today}, {how}.");
    // pg_dump writes foreign keys sorted by name, so a restored database has made them in that order.
    if facts.alter.dump_sorts_keys && winner.name.is_some() && loser.name.is_some() {
        let sorted = if winner.name <= loser.name { [winner, loser] } else { [loser, winner] };
        let restored = decides(engine, sorted);
        if !std::ptr::eq(restored, winner) {
            why.push_str(&format!(
                " A dump and restore can reverse this: pg_dump writes keys by name, so in the copy {} decides, and {}.",
                name(restored),
                effect(restored.on_delete)
            ));
        }
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Schema, Timing};
    use crate::testing::{findings, schema};

    /// Makes a table with two keys on one column, named `z_old` and `a_new`, in the order of firing given.
    fn pair(engine: Engine, fires_first: Action, fires_last: Action) -> Schema {
        let mut s = schema(engine, &["p: id int8 pk", "c: id int8 pk, p_id int8 >p.id"]);
        let table = s.table_mut(&"c".into()).unwrap();
        let key = table.foreign_keys.pop().unwrap();
        for (name, on_delete, firing_order) in [("z_old", fires_first, 1), ("a_new", fires_last, 2)] {
            table.foreign_keys.push(ForeignKey { name: Some(name.into()), on_delete, firing_order, ..key.clone() });
        }
        s.sort();
        s
    }

    /// The actions that decided when such schemas were made and a parent row deleted on PostgreSQL 15 and SQLite 3.40.
    #[test]
    fn the_key_that_decides_is_the_one_that_the_engine_follows() {
        use Action::{Cascade, NoAction, Restrict, SetDefault, SetNull};
        let all = [Cascade, SetNull, SetDefault, NoAction, Restrict];
        for first in all {
            for last in all.into_iter().filter(|a| *a != first) {
                for engine in [Engine::Postgres, Engine::Sqlite] {
                    let found = findings(&pair(engine, first, last), "conflicting-foreign-keys");
                    assert_eq!((found.len(), found[0].severity), (1, Severity::Error));
                    let wins = if engine == Engine::Sqlite && first == NoAction { last } else { first };
                    assert!(found[0].why.contains(effect(wins)), "{engine} {first} {last}: {}", found[0].why);
                    assert!(found[0].labels[0].text.contains(wins.sql()));
                }
            }
        }
    }

    #[test]
    fn key_that_lets_the_row_stay_is_kept_first() {
        let dropped = |first, last| {
            let found = findings(&pair(Engine::Postgres, first, last), "conflicting-foreign-keys");
            found[0].fixes[0].title.clone()
        };
        assert_eq!(dropped(Action::Cascade, Action::SetNull), "Drop `z_old`");
        assert_eq!(dropped(Action::SetNull, Action::Cascade), "Drop `a_new`");
        assert_eq!(dropped(Action::SetNull, Action::NoAction), "Drop `a_new`");
    }

    #[test]
    fn restore_that_turns_the_order_round_is_told() {
        let found = findings(&pair(Engine::Postgres, Action::SetNull, Action::Cascade), "conflicting-foreign-keys");
        assert!(found[0].why.contains("in the copy `a_new` decides, and the child rows are deleted"), "{}", found[0].why);
        let sqlite = findings(&pair(Engine::Sqlite, Action::SetNull, Action::Cascade), "conflicting-foreign-keys");
        assert!(!sqlite[0].why.contains("restore"));
    }

    #[test]
    fn deferred_check_comes_last_on_postgresql() {
        let mut s = pair(Engine::Postgres, Action::NoAction, Action::Cascade);
        for key in &mut s.table_mut(&"c".into()).unwrap().foreign_keys {
            key.timing = Timing::Deferred;
        }
        let found = findings(&s, "conflicting-foreign-keys");
        assert!(found[0].why.contains("`a_new` decides: the child rows are deleted"), "{}", found[0].why);
    }

    #[test]
    fn key_within_a_composite_one_is_a_warning() {
        let mut s = schema(
            Engine::Postgres,
            &["p: id int8 pk, tenant int8 not-null", "c: id int8 pk, tenant int8 not-null, p_id int8 >p.id set-null"],
        );
        let mut both = ForeignKey::new(["tenant", "p_id"], "p".into(), ["tenant", "id"]);
        both.on_delete = Action::Cascade;
        both.name = Some("both".into());
        both.firing_order = 5;
        s.table_mut(&"c".into()).unwrap().foreign_keys.push(both);
        s.sort();
        let found = findings(&s, "conflicting-foreign-keys");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
    }

    #[test]
    fn keys_that_agree_or_do_not_meet_are_clean() {
        let s = schema(
            Engine::Postgres,
            &["p: id int8 pk", "c: id int8 pk, a int8 >p.id cascade, b int8 >p.id set-null"],
        );
        assert!(findings(&s, "conflicting-foreign-keys").is_empty());
        assert!(findings(&pair(Engine::Postgres, Action::Cascade, Action::Cascade), "conflicting-foreign-keys").is_empty());
        let mut off = pair(Engine::Postgres, Action::Cascade, Action::SetNull);
        off.table_mut(&"c".into()).unwrap().foreign_keys[0].enforced = false;
        assert!(findings(&off, "conflicting-foreign-keys").is_empty());
    }
}
