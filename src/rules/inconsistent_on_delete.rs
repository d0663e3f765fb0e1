//! `inconsistent-on-delete`: one key against the majority of the keys to the same parent.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::helpers::{fix, working_keys};
use super::wording::{fits, key_name, key_place, with_on_delete};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::infer::{Advice, HouseStyle, advise_in_style, names_actor};
use crate::relations::{Basis, Relation};
use crate::schema::{Action, ForeignKey, Table, TableName};

pub(crate) static META: Meta = Meta {
    code: "REF206",
    name: "inconsistent-on-delete",
    severity: Severity::Warning,
    summary: "A foreign key's ON DELETE differs from that of most keys to the same parent",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/inconsistent-on-delete.md"),
};

/// So many keys to a parent make a majority worth the name.
const FEWEST: usize = 4;

/// Keys that can be expected to say the same: to one parent, all nullable or none, all from the parent itself or none.
/// SET NULL where the column is nullable and CASCADE where it is not is one consistent style.
type Group<'a> = (&'a TableName, bool, bool);

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let policies = super::policy::Compiled::all(context);
    let mut groups: BTreeMap<Group<'_>, Vec<(&Table, &ForeignKey)>> = BTreeMap::new();
    for (table, key) in working_keys(context.schema) {
        let governed = policies.iter().any(|p| p.is_about(&table.name, &key.columns, &key.parent));
        // A SET NULL that can never happen is an error of its own, and no opinion about what should happen.
        let contradiction = super::set_null_on_not_null::is_contradiction(context.schema.engine, table, key);
        if !governed && !key.temporal && !contradiction {
            let nullable = fits(table, key.changed_columns(), Action::SetNull);
            groups.entry((&key.parent, nullable, table.name == key.parent)).or_default().push((table, key));
        }
    }
    // What the schema does everywhere is read once, and only if there is something to advise.
    let style = OnceCell::new();
    for ((parent, nullable, _), keys) in &groups {
        // A key that was made of a guess is judged like others, and is no example for them.
        let accepted = |(table, key): &&(&Table, &ForeignKey)| context.relations.is_accepted(&table.name, key);
        let examples: Vec<(&Table, &ForeignKey)> = keys.iter().filter(|k| !accepted(k)).copied().collect();
        let Some((majority, count)) = majority(&examples) else { continue };
        if majority == Action::SetNull && !nullable {
            continue;
        }
        for (table, key) in keys.iter().filter(|(_, k)| class(k.on_delete) != class(majority)) {
            let style = style.get_or_init(|| HouseStyle::of(context.schema, context.relations));
            let advice = advice(context, style, table, key);
            // Where what is advised is what the key does, the majority is no reason to change it.
            if class(advice.action) == class(key.on_delete) {
                continue;
            }
            let wanted = if class(advice.action) == class(majority) { majority } else { advice.action };
            let most = format!("{count} of {} keys to `{parent}` from {} columns", examples.len(), words(*nullable));
            let message = format!(
                "Foreign key {} is ON DELETE {}, but {most} are {majority}",
                key_name(&table.name, key),
                key.on_delete
            );
            let severity = if is_meant(key, majority) { Severity::Info } else { Severity::Warning };
            let mut finding = Finding::new(&META, Subject::foreign_key(&table.name, key), message)
                .severity(severity)
                .why(format!(
                    "{} One key that differs from its neighbours is usually one that was forgotten or copied from elsewhere.",
                    effect(key.on_delete, majority, &table.name, parent)
                ))
                .help(format!(
                    "If the difference is meant, write it down: a [[policy]] about `{parent}` in referee.toml, or an ignore \
                     with a reason. If not, make it {wanted}."
                ))
                .fact(key_place(&table.name, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete))
                .advice(key_place(&table.name, key), wanted, advice.rationale);
            for (other, same) in examples.iter().filter(|(_, k)| class(k.on_delete) == class(majority)).take(3) {
                finding = finding.fact(key_place(&other.name, same), Fact::OnDelete, format!("ON DELETE {}", same.on_delete));
            }
            if fits(table, &key.columns, wanted) {
                let title = if wanted == majority {
                    format!("Do as the others: ON DELETE {wanted}")
                } else {
                    format!("Do as is advised: ON DELETE {wanted}")
                };
                let change = with_on_delete(&table.name, key, wanted);
                finding = finding.fix(fix(context, title, Safety::Manual, vec![change]));
            }
            findings.push(finding);
        }
    }
}

/// Asks for the action of a key as if it were not declared.
fn advice(context: &Context<'_>, style: &HouseStyle, table: &Table, key: &ForeignKey) -> Advice {
    let mut undeclared = Relation::declared(context.schema, &table.name, key);
    undeclared.on_delete = None;
    undeclared.basis = Basis::Configured;
    advise_in_style(context.schema, context.relations, style, &undeclared)
}

/// Tells whether the odd key is likely to be meant.
///
/// NO ACTION is what a key gets that says nothing, so among many of it the odd one is the one that somebody thought about. Who
/// did something is another relation than what belongs to whom. A refusal that waits for the commit is there to be met in time.
fn is_meant(key: &ForeignKey, majority: Action) -> bool {
    let is_actor = key.columns.iter().any(|c| names_actor(c));
    majority == Action::NoAction
        || is_actor && key.on_delete != Action::Cascade
        || key.on_delete.refuses() && key.timing.is_deferrable()
}

/// NO ACTION and RESTRICT both refuse the delete: no inconsistency in meaning.
fn class(action: Action) -> Action {
    if action.refuses() { Action::NoAction } else { action }
}

/// Returns the action that at least three quarters of the keys share, and how many do.
fn majority(keys: &[(&Table, &ForeignKey)]) -> Option<(Action, usize)> {
    let mut classes: BTreeMap<Action, usize> = BTreeMap::new();
    let mut actions: BTreeMap<Action, usize> = BTreeMap::new();
    for (_, key) in keys {
        *classes.entry(class(key.on_delete)).or_default() += 1;
        *actions.entry(key.on_delete).or_default() += 1;
    }
    let (&most, &count) = classes.iter().find(|(_, n)| **n * 4 >= keys.len() * 3)?;
    if keys.len() < FEWEST {
        return None;
    }
    // Of NO ACTION and RESTRICT, name the one that is used more.
    let spelled = actions.iter().filter(|(a, _)| class(**a) == most).max_by_key(|(_, n)| **n)?;
    Some((*spelled.0, count))
}

fn words(nullable: bool) -> &'static str {
    if nullable { "nullable" } else { "NOT NULL" }
}

fn effect(action: Action, majority: Action, child: &TableName, parent: &TableName) -> String {
    match action {
        Action::NoAction | Action::Restrict => format!(
            "A delete of a row of `{parent}` takes the other tables along ({majority}) only if no row of `{child}` refers to \
             it; otherwise this one key refuses the whole delete."
        ),
        Action::Cascade => format!(
            "A delete of a row of `{parent}` also deletes the rows of `{child}` that refer to it, where the other keys say \
             {majority}."
        ),
        Action::SetNull | Action::SetDefault => format!(
            "A delete of a row of `{parent}` leaves rows of `{child}` behind without it, where the other keys say {majority}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::relations::{ConfiguredRelation, Graph};
    use crate::testing::{findings, schema};

    #[test]
    fn keys_that_were_made_of_guesses_are_no_example_and_are_judged_by_one() {
        let child = |name: &str, action: &str| format!("{name}: id int8 pk, p_id int8 not-null >p.id {action}");
        let judged = |odd: &str, accepted: &[&str]| {
            let mut lines: Vec<String> = ["a", "b", "c", "d"].iter().map(|t| child(t, "cascade")).collect();
            lines.extend(["p: id int8 pk".to_string(), child("e", odd)]);
            let s = schema(Engine::Postgres, &lines.iter().map(String::as_str).collect::<Vec<_>>());
            let entry = |child: &&str| ConfiguredRelation {
                child: (*child).into(),
                columns: vec!["p_id".into()],
                parent: "p".into(),
                parent_columns: vec!["id".into()],
                on_delete: None,
                accepted: Some(0.9),
            };
            let entries: Vec<ConfiguredRelation> = accepted.iter().map(entry).collect();
            let relations = Graph::new(&s, &entries, 0.5);
            let settings = crate::rules::Settings::default();
            let context = Context {
                schema: &s,
                relations: &relations,
                dialect: crate::engine::dialect(s.engine),
                settings: &settings,
                scan: None,
                timeline: None,
                plans: None,
                deletes: crate::rules::Deletes::default(),
            };
            let mut found = Vec::new();
            check(&context, &mut found);
            found.iter().map(|f| f.subject.place()).collect::<Vec<_>>()
        };
        assert_eq!(judged("restrict", &[]), ["e.p_id"]);
        assert_eq!(judged("restrict", &["e"]), ["e.p_id"], "it is judged by the others");
        assert!(judged("restrict", &["a", "b"]).is_empty(), "and the others are not judged by it");
    }


    /// One child table for each action, `not-null` or nullable.
    fn run(children: &[(&str, bool)]) -> Vec<Finding> {
        let mut lines = vec!["accounts: id int pk, parent_id int not-null >accounts.id restrict".to_string()];
        for (i, (action, nullable)) in children.iter().enumerate() {
            let null = if *nullable { "" } else { "not-null " };
            lines.push(format!("c{i}: id int pk, account_id int {null}>accounts.id {action}"));
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        findings(&schema(Engine::Postgres, &lines), "inconsistent-on-delete")
    }

    #[test]
    fn one_against_many_is_reported_with_the_count() {
        let mut children = vec![("cascade", false); 9];
        children.push(("no-action", false));
        let found = run(&children);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("9 of 10 keys to `accounts` from NOT NULL columns are CASCADE"), "{}", found[0].message);
        assert_eq!(found[0].subject.place(), "c9.account_id");
        assert_eq!(found[0].fixes[0].safety, Safety::Manual);
    }

    #[test]
    fn nullable_and_not_null_keys_are_not_compared() {
        let mut children = vec![("cascade", false); 5];
        children.push(("set-null", true));
        assert_eq!(run(&children), []);
    }

    #[test]
    fn contradiction_is_left_to_the_rule_that_explains_it() {
        let mut children = vec![("cascade", false); 4];
        children.push(("set-null", false));
        assert_eq!(run(&children), []);
    }

    #[test]
    fn no_action_and_restrict_are_one_class() {
        assert_eq!(run(&[("no-action", false), ("restrict", false), ("restrict", false), ("no-action", false)]), []);
        let found = run(&[("restrict", true), ("no-action", true), ("restrict", true), ("cascade", true)]);
        assert!(found[0].message.contains("3 of 4 keys"));
        assert!(found[0].message.ends_with("are RESTRICT"), "{}", found[0].message);
    }

    #[test]
    fn a_choice_among_defaults_and_an_actor_among_owners_are_worth_knowing_only() {
        let severities = |found: &[Finding]| found.iter().map(|f| f.severity).collect::<Vec<_>>();
        let mut defaults = vec![("no-action", false); 5];
        defaults.push(("cascade", false));
        assert_eq!(severities(&run(&defaults)), [Severity::Info]);
        let mut refusing = vec![("restrict", false); 5];
        refusing.push(("cascade", false));
        assert_eq!(severities(&run(&refusing)), [Severity::Warning]);

        let mut lines = vec!["users: id int pk".to_string()];
        lines.extend((0..8).map(|i| format!("c{i}: id int pk, user_id int not-null >users.id cascade")));
        lines.push("a: id int pk, creator_id int not-null >users.id".into());
        lines.push("b: id int pk, user_id int not-null >users.id".into());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let found = findings(&schema(Engine::Postgres, &lines), "inconsistent-on-delete");
        // Who made it is no owner: what that key does is what is advised.
        assert_eq!(severities(&found), [Severity::Warning]);

        let mut waiting = vec![("cascade", false); 5];
        waiting.push(("no-action", false));
        let found = run(&waiting);
        assert_eq!(severities(&found), [Severity::Warning]);
        let key = ForeignKey { timing: crate::schema::Timing::Deferred, ..ForeignKey::new(["a"], "p".into(), ["id"]) };
        assert!(is_meant(&key, Action::Cascade));
    }

    #[test]
    fn what_is_not_advised_is_not_proposed() {
        let mut lines: Vec<String> =
            (0..4).map(|i| format!("c{i}: id int pk, account_id int not-null >accounts.id cascade")).collect();
        let odd = "odd: id int pk, account_id int not-null >accounts.id restrict".to_string();
        let found = |lines: &[String]| {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            findings(&schema(Engine::Postgres, &lines), "inconsistent-on-delete")
        };
        lines.push(odd);
        lines.push("accounts: id int pk, odd_id int not-null".into());
        assert_eq!(found(&lines).len(), 1);
        // Now CASCADE would close a circle of cascades, so that RESTRICT is what is advised.
        lines[5] = "accounts: id int pk, odd_id int not-null >odd.id cascade".into();
        assert_eq!(found(&lines), []);
    }

    #[test]
    fn few_keys_or_no_clear_majority_say_nothing() {
        assert_eq!(run(&[("cascade", false), ("cascade", false), ("no-action", false)]), []);
        assert_eq!(run(&[("cascade", false), ("cascade", false), ("no-action", false), ("no-action", false)]), []);
        assert_eq!(run(&[("cascade", false); 6]), []);
    }
}
