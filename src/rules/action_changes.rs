//! Keys to which a migration gives another ON DELETE: what `cascade-added` and `cascade-removed` have in common, each of which
//! says which of them it is about and what becomes of a delete.

use super::policy::Compiled;
use super::timeline::{KeyChange, in_the_end};
use super::wording::{key_name, key_place};
use super::{Context, Meta, Timeline};
use crate::findings::{Fact, Finding, Subject};
use crate::schema::{Action, ForeignKey};

/// What a rule says of a key whose action has changed.
pub(super) struct Words {
    /// What happens because of it.
    pub why: String,
    /// What to do.
    pub help: String,
}

/// Finds the keys whose action a migration changes in the way that concerns a rule; `words` gets the key before and after.
pub(super) fn check(
    context: &Context<'_>,
    findings: &mut Vec<Finding>,
    meta: &'static Meta,
    concerns: fn(Action, Action) -> bool,
    words: fn(&KeyChange, &ForeignKey) -> Words,
) {
    let Some(timeline) = context.timeline else { return };
    for (change, new) in action_changes(context, timeline, concerns) {
        let child = &change.table;
        let (name, old) = (key_name(child, new), change.old.on_delete);
        let message = format!("Foreign key {name} is changed from ON DELETE {old} to {}", new.on_delete);
        let Words { why, help } = words(change, new);
        findings.push(
            Finding::new(meta, Subject::foreign_key(child, new), message)
                .why(why)
                .help(help)
                .fact(key_place(child, new), Fact::OnDelete, format!("ON DELETE {}", new.on_delete))
                .at(timeline.places.head(change.place, format!("was ON DELETE {old}"))),
        );
    }
}

/// Returns the changes of a key's ON DELETE that `concerns` picks, each with the key as it became: those that no later
/// migration takes back, and that no policy of the user asks for.
fn action_changes<'c>(
    context: &'c Context<'_>,
    timeline: &'c Timeline<'_>,
    concerns: fn(Action, Action) -> bool,
) -> impl Iterator<Item = (&'c KeyChange, &'c ForeignKey)> {
    let policies = Compiled::all(context);
    timeline.keys.iter().filter_map(move |change| {
        let new = change.new.as_ref().filter(|new| concerns(change.old.on_delete, new.on_delete))?;
        let stands = in_the_end(context.schema, &change.table, new).is_some_and(|k| k.on_delete == new.on_delete);
        let wanted = policies.iter().any(|p| {
            p.is_about(&change.table, &new.columns, &new.parent) && p.allows(context.schema.engine, new.on_delete)
        });
        (stands && !wanted).then_some((change, new))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Settings;
    use crate::rules::policy::Policy;
    use crate::schema::{Action, Engine};
    use crate::testing::{lint, lint_with};

    /// A rule, the action before and the action after that it finds.
    const RULES: [(&str, &str, &str, Action); 2] = [
        ("cascade-added", "SET NULL", "CASCADE", Action::Cascade),
        ("cascade-removed", "CASCADE", "RESTRICT", Action::Restrict),
    ];

    fn tables(action: &str) -> String {
        format!(
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int CONSTRAINT k REFERENCES p (id) \
             ON DELETE {action});"
        )
    }

    fn change(action: &str) -> String {
        format!(
            "ALTER TABLE c DROP CONSTRAINT k;\nALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE {action};"
        )
    }

    #[test]
    fn another_action_is_found() {
        for (rule, before, after, _) in RULES {
            let said = lint(Engine::Postgres, rule, &[&tables(before), &change(after)]);
            assert_eq!(said, ["warning c.p_id 2:2"], "{rule}");
            let back = lint(Engine::Postgres, rule, &[&tables(after), &change(before)]);
            assert_eq!(back, [""; 0], "{rule}: the other way");
        }
    }

    #[test]
    fn the_same_action_is_none() {
        for (rule, before, after, _) in RULES {
            let said = |migrations: &[&str]| lint(Engine::Postgres, rule, migrations);
            assert_eq!(said(&[&tables(before), &change(before)]), [""; 0], "{rule}");
            assert_eq!(said(&[&format!("{}{}", tables(before), change(after))]), [""; 0], "{rule}: the table is new");
        }
    }

    #[test]
    fn what_is_taken_back_or_a_policy_is_none() {
        for (rule, before, after, action) in RULES {
            let (tables, change, back) = (tables(before), change(after), change(before));
            assert_eq!(lint(Engine::Postgres, rule, &[&tables, &change, &back]), [""; 0], "{rule}");
            let policy = Policy {
                parent: globset::Glob::new("p").unwrap(),
                child: None,
                on_delete: vec![action],
                except: Vec::new(),
                reason: None,
                position: 0,
            };
            let settings = Settings { policies: vec![policy], ..Settings::default() };
            assert_eq!(lint_with(Engine::Postgres, rule, &[&tables, &change], &settings), [""; 0], "{rule}");
        }
    }
}
