//! `cascade-removed`: a migration makes a key no longer cascade.

use super::timeline::action_changes;
use super::wording::{key_name, key_place};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::Action;

pub(crate) static META: Meta = Meta {
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
    for (change, new) in action_changes(context, timeline, |old, new| old == Action::Cascade && new != Action::Cascade) {
        let child = &change.table;
        let (name, parent) = (key_name(child, new), &new.parent);
        let after = match new.on_delete {
            Action::NoAction | Action::Restrict => "fails",
            _ => "leaves them behind",
        };
        findings.push(
            Finding::new(&META, Subject::foreign_key(child, new), format!("Foreign key {name} is changed from ON DELETE CASCADE to {}", new.on_delete))
                .why(format!("Code that deletes a `{parent}` row and relies on its `{child}` rows going, too, now {after}."))
                .help(format!("Look for the deletes that relied on it, and delete the `{child}` rows there first. If that is done: `-- referee: ignore cascade-removed REASON`, or a [[policy]] in referee.toml."))
                .fact(key_place(child, new), Fact::OnDelete, format!("ON DELETE {}", new.on_delete))
                .at(timeline.places.head(change.place, format!("was ON DELETE {}", change.old.on_delete))),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::Settings;
    use crate::rules::policy::Policy;
    use crate::schema::{Action, Engine};
    use crate::testing::{lint, lint_with};

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int CONSTRAINT k \
                          REFERENCES p (id) ON DELETE CASCADE);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "cascade-removed", migrations)
    }

    fn change(action: &str) -> String {
        format!("ALTER TABLE c DROP CONSTRAINT k;\nALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) {action};")
    }

    fn policy() -> Settings {
        let policy = Policy {
            parent: globset::Glob::new("p").unwrap(),
            child: None,
            on_delete: vec![Action::Restrict],
            except: Vec::new(),
            reason: None,
            position: 0,
        };
        Settings { policies: vec![policy], ..Settings::default() }
    }

    #[test]
    fn another_action_is_found() {
        assert_eq!(said(&[TABLES, &change("ON DELETE RESTRICT")]), ["warning c.p_id 2:2"]);
    }

    #[test]
    fn the_same_action_is_none() {
        assert_eq!(said(&[TABLES, &change("ON DELETE CASCADE")]), [""; 0]);
        assert_eq!(said(&[&format!("{TABLES}{}", change("ON DELETE RESTRICT"))]), [""; 0], "the table is new");
    }

    #[test]
    fn what_is_taken_back_or_a_policy_is_none() {
        assert_eq!(said(&[TABLES, &change("ON DELETE RESTRICT"), &change("ON DELETE CASCADE")]), [""; 0]);
        let change = change("ON DELETE RESTRICT");
        assert_eq!(lint_with(Engine::Postgres, "cascade-removed", &[TABLES, &change], &policy()), [""; 0]);
    }
}
