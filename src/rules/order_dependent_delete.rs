//! `order-dependent-delete`: a delete that succeeds or fails by the order in which the engine takes the keys.

use super::helpers::fix;
use super::together::{Cause, by_cause};
use super::wording::{key_name, key_place, unblocking, way, with_on_delete};
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::fate::{Conflict, DecidedBy};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::schema::facts::{FiringOrder, LateCheck};
use crate::schema::{Action, Engine, ForeignKey, TableName, Timing};

pub(crate) static META: Meta = Meta {
    code: "REF209",
    name: "order-dependent-delete",
    severity: Severity::Warning,
    summary: "The order in which the engine takes the keys decides whether a delete succeeds",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/order-dependent-delete.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let outcome = |c: &Conflict| match c.decided_by {
        DecidedBy::Order { refuses_today, refuses_restored } => Some((refuses_today, refuses_restored)),
        DecidedBy::Data => None,
    };
    let by_order = context.conflicts().iter().filter(|c| outcome(c).is_some());
    for cause in by_cause(by_order, |c| (outcome(c), is_in_two_roles(c))) {
        let Some((today, restored)) = cause.first().and_then(|c| outcome(c)) else { continue };
        findings.extend(match cause.as_slice() {
            [conflict] => finding(context, conflict, today, restored),
            many => Cause::of(context, many)
                .map(|cause| one_for_all(context, &cause, today, restored, is_in_two_roles(many[0]))),
        });
    }
}

/// One table in two roles: a row on both ways has the same parent twice.
fn is_in_two_roles(conflict: &Conflict) -> bool {
    conflict.refused_by.len() == 1 && conflict.removed_by.len() == 1
}

fn outcome(refuses: bool) -> &'static str {
    if refuses {
        "the refusal comes first and the delete fails"
    } else {
        "the row is out of the way first and the delete succeeds"
    }
}

/// Says what turns the order round.
fn turned_round(engine: Engine, today: bool, restored: Option<bool>) -> String {
    match restored {
        Some(copy) if copy != today => format!(
            " A dump and restore can reverse this: pg_dump writes keys sorted by name, so in the copy {}.",
            outcome(copy)
        ),
        Some(_) => " Any migration that makes one of these keys anew can turn it round.".to_string(),
        None => match engine.facts().keys.order {
            FiringOrder::NewestFirst => " Any rebuild of the table that writes the keys in another order turns it round.",
            FiringOrder::Created | FiringOrder::Named => " A key that is made anew under another name can turn it round.",
        }
        .to_string(),
    }
}

fn one_for_all(context: &Context<'_>, cause: &Cause<'_>, today: bool, restored: Option<bool>, roles: bool) -> Finding {
    let engine = context.schema.engine;
    let (root, keys, tables) = (cause.root, cause.keys.len(), cause.tables);
    let message = format!(
        "A delete from `{root}` comes to {tables} tables on two ways, and the order of the keys decides whether {keys} keys refuse it"
    );
    let why = format!(
        "The keys that refuse are {}. Of the two ways, {}. {engine} takes keys in the order {}, so today {}.{} A row that only the \
         second way leads to refuses in any order.",
        cause.named(),
        cause.example,
        order(engine),
        outcome(today),
        turned_round(engine, today, restored)
    );
    let put_off = cause.keys.iter().map(|(child, key)| put_off(engine, child, key)).collect::<Option<Vec<Change>>>();
    let way_out = match (&put_off, engine.facts().keys.late_check) {
        (Some(_), LateCheck::NoActionDeferred) => {
            "Make these keys NO ACTION DEFERRABLE INITIALLY DEFERRED: they then look at the end of the transaction, when all \
             cascades are done. If the rows may go with either parent, make the keys ON DELETE CASCADE."
                .to_string()
        }
        (Some(_), LateCheck::NoAction) => format!(
            "Make these keys ON DELETE NO ACTION: {engine} then looks at the end of the statement, when all cascades are done. If \
             the rows may go with either parent, make the keys ON DELETE CASCADE."
        ),
        (Some(_), LateCheck::Always | LateCheck::Never) | (None, _) => {
            "If the rows may go with either parent, make the keys ON DELETE CASCADE. Otherwise delete the rows of these tables by \
             statements of their own before."
                .to_string()
        }
    };
    let severity = if roles { Severity::Info } else { Severity::Warning };
    let kind = format!("many {roles} {today} {restored:?}");
    let mut finding =
        cause.finding(context, &META, severity, &kind, message).why(why).help(format!("{way_out} {}", cause.pointer()));
    if let Some(changes) = put_off {
        let title = format!("Have {keys} keys look when the cascades are done");
        finding.fixes.insert(0, fix(context, title, Safety::Unsafe, changes));
    }
    finding
}

fn finding(context: &Context<'_>, conflict: &Conflict, today: bool, restored: Option<bool>) -> Option<Finding> {
    let engine = context.schema.engine;
    let relations = context.relations.relations();
    let refusing = &relations[*conflict.refused_by.last()?];
    let removing = &relations[*conflict.removed_by.last()?];
    let key = refusing.foreign_key()?;
    let (child, root) = (&refusing.child, &conflict.root);
    let (refused_by, removed_by) = (way(context, root, &conflict.refused_by), way(context, root, &conflict.removed_by));
    let message = format!(
        "A delete from `{root}` comes to `{child}` on two ways, and the order of the keys decides whether {} refuses it",
        key_name(child, key)
    );
    let goes = if removing.on_delete == Some(Action::Cascade) { "deletes it" } else { "sets it free" };
    let mut why = format!(
        "For a row of `{child}` on both ways, {removed_by} {goes}, {refused_by} refuses. {engine} takes keys in the order {}, so today {}.",
        order(engine),
        outcome(today)
    );
    why.push_str(&turned_round(engine, today, restored));
    let roles = is_in_two_roles(conflict);
    why.push_str(" A row that only the second way leads to refuses in any order.");
    let (help, changes) = independent(engine, child, key);
    let mut finding = Finding::new(&META, Subject::relation(refusing), message)
        .severity(if roles { Severity::Info } else { Severity::Warning })
        .distinguished_by(&format!("{} {}", refusing.parent, removing.child_side()))
        .why(why)
        .help(help)
        .fact(key_place(child, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete));
    if let Some(other) = removing.foreign_key() {
        finding = finding.fact(key_place(&removing.child, other), Fact::OnDelete, format!("ON DELETE {}", other.on_delete));
    }
    if let Some((title, change)) = changes {
        finding = finding.fix(fix(context, title, Safety::Unsafe, vec![change]));
    }
    Some(unblocking(context, child, key).into_iter().fold(finding, Finding::fix))
}

fn order(engine: Engine) -> &'static str {
    match engine.facts().keys.order {
        FiringOrder::Created => "in which they were created",
        FiringOrder::NewestFirst => "in which they were declared, the newest first",
        FiringOrder::Named => "of their names",
    }
}

/// Makes the change by which a refusing key waits for the cascades, where the engine has such a check.
fn put_off(engine: Engine, child: &TableName, key: &ForeignKey) -> Option<Change> {
    if !key.on_delete.refuses() {
        return None;
    }
    match engine.facts().keys.late_check {
        LateCheck::NoActionDeferred => {
            let new = ForeignKey { on_delete: Action::NoAction, timing: Timing::Deferred, ..key.clone() };
            Some(Change::ReplaceForeignKey { table: child.clone(), old: key.clone(), new })
        }
        LateCheck::NoAction => Some(with_on_delete(child, key, Action::NoAction)),
        LateCheck::Always | LateCheck::Never => None,
    }
}

/// Says what makes the delete independent of the order, and the change that does if it leaves the key refusing.
fn independent(engine: Engine, child: &TableName, key: &ForeignKey) -> (String, Option<(String, Change)>) {
    let name = key_name(child, key);
    let cascade = format!("If a row of `{child}` may go with either parent, make the key ON DELETE CASCADE.");
    match (engine.facts().keys.late_check, put_off(engine, child, key)) {
        (LateCheck::NoActionDeferred, Some(change)) => {
            let help = format!(
                "Make {name} NO ACTION DEFERRABLE INITIALLY DEFERRED: it then looks at the end of the transaction, when all \
                 cascades are done. {cascade}"
            );
            (help, Some((format!("Put the check of {name} off to the end of the transaction"), change)))
        }
        (_, Some(change)) => {
            let help = format!(
                "Make {name} ON DELETE NO ACTION: {engine} then looks at the end of the statement, when all cascades are done. \
                 {cascade}"
            );
            (help, Some((format!("Make {name} ON DELETE NO ACTION"), change)))
        }
        (_, None) => (format!("{cascade} Otherwise delete the rows of `{child}` by a statement of their own before."), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use crate::testing::{findings, schema};

    /// `c` goes with `a` and is refused by `b`, one step further than `root`. `refusing_first`: the way over `b` is older.
    fn race(engine: Engine, action: &str, refusing_first: bool) -> Schema {
        let c = format!("c: id int8 pk, a int8 >a.id cascade, b int8 >b.id {action}");
        let mut s = schema(
            engine,
            &["root: id int8 pk", "a: id int8 pk, r int8 >root.id cascade", "b: id int8 pk, r int8 >root.id cascade", &c],
        );
        let order = |table: &str, first: bool| if (table == "b") == first { 1 } else { 2 };
        for table in ["a", "b"] {
            s.table_mut(&table.into()).unwrap().foreign_keys[0].firing_order = order(table, refusing_first);
        }
        s
    }

    #[test]
    fn outcome_of_today_and_of_a_restored_copy_is_told() {
        let found = findings(&race(Engine::Postgres, "restrict", true), META.name);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject.place(), "c.b");
        // In the copy `a_r_fkey` comes before `b_r_fkey`.
        assert!(found[0].why.contains("today the refusal comes first"), "{}", found[0].why);
        assert!(found[0].why.contains("in the copy the row is out of the way first"), "{}", found[0].why);
        let kept = findings(&race(Engine::Postgres, "restrict", false), META.name);
        assert!(kept[0].why.contains("today the row is out of the way first"), "{}", kept[0].why);
        assert!(!kept[0].why.contains("in the copy"), "{}", kept[0].why);
    }

    /// A row of every table names its tenant, and a parent that names it, too.
    fn tenants(engine: Engine, tables: usize) -> Schema {
        let first = ["tenants: id int8 pk".to_string(), "parents: id int8 pk, t int8 not-null >tenants.id cascade".to_string()];
        let child = |i: usize| format!("c{i}: id int8 pk, t int8 not-null >tenants.id cascade, p int8 not-null >parents.id restrict");
        let lines: Vec<String> = first.into_iter().chain((0..tables).map(child)).collect();
        schema(engine, &lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn many_of_one_cause_are_one_finding() {
        assert_eq!(findings(&tenants(Engine::Sqlite, 4), META.name).len(), 4);
        for engine in [Engine::Sqlite, Engine::Mariadb] {
            let mut s = tenants(engine, 300);
            let found = findings(&s, META.name);
            assert_eq!(found.len(), 1, "{engine}");
            assert_eq!((found[0].subject.place().as_str(), found[0].severity), ("tenants", Severity::Warning));
            assert!(found[0].message.starts_with("A delete from `tenants` comes to 300 tables on two ways"), "{}", found[0].message);
            assert!(found[0].why.contains("c0.p, c1.p, c10.p, c100.p, c101.p, c102.p and 294 more"), "{}", found[0].why);
            // The same whatever is added: a baseline of yesterday knows it.
            assert_eq!(found[0].fingerprint, findings(&tenants(engine, 301), META.name)[0].fingerprint);
            for change in &found[0].fixes[0].changes {
                change.apply(&mut s).unwrap();
            }
            assert_eq!(findings(&s, META.name), [], "{engine}");
        }
    }

    #[test]
    fn repair_makes_it_independent() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let mut s = race(engine, "restrict", true);
            let found = findings(&s, META.name);
            assert_eq!(found.len(), 1, "{engine}");
            found[0].fixes[0].changes[0].apply(&mut s).unwrap();
            assert_eq!(findings(&s, META.name), []);
            assert_eq!(findings(&s, "conflicting-cascade-paths").len(), 1);
        }
        let mariadb = findings(&race(Engine::Mariadb, "restrict", true), META.name);
        // The row can do without the parent: that it goes comes second.
        let titles: Vec<&str> = mariadb[0].fixes.iter().map(|f| f.title.as_str()).collect();
        assert!(titles.len() == 2 && titles[0].ends_with("SET NULL") && titles[1].ends_with("CASCADE"), "{titles:?}");
    }

    #[test]
    fn engines_that_check_at_the_end_have_no_such_order() {
        for (engine, action) in
            [(Engine::Sqlite, "no-action"), (Engine::Cockroach, "restrict"), (Engine::Cockroach, "no-action")]
        {
            assert_eq!(findings(&race(engine, action, true), META.name), []);
        }
    }

    #[test]
    fn two_keys_on_one_column_are_another_rules_matter() {
        let mut s = schema(Engine::Postgres, &["p: id int8 pk", "c: id int8 pk, p int8 >p.id cascade"]);
        let table = s.table_mut(&"c".into()).unwrap();
        let second = ForeignKey { on_delete: Action::Restrict, firing_order: 9, name: Some("x".into()), ..table.foreign_keys[0].clone() };
        table.foreign_keys.push(second);
        assert_eq!(findings(&s, META.name), []);
        assert_eq!(findings(&s, "conflicting-foreign-keys").len(), 1);
    }

    #[test]
    fn pair_of_keys_is_told_once_for_the_nearest_root() {
        let mut s = race(Engine::Postgres, "restrict", true);
        let mut top = schema(Engine::Postgres, &["top: id int8 pk", "root: id int8 pk, t int8 >top.id cascade"]);
        s.tables.retain(|t| t.name.name != "root");
        s.tables.append(&mut top.tables);
        s.sort();
        let found = findings(&s, META.name);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("A delete from `root`"));
    }
}
