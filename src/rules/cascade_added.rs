//! `cascade-added`: a migration makes a key cascade.

use super::timeline::action_changes;
use super::wording::{key_name, key_place};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::Action;

pub(crate) static META: Meta = Meta {
    code: "REF409",
    name: "cascade-added",
    severity: Severity::Warning,
    summary: "A migration makes an existing foreign key cascade",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-added.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for (change, new) in action_changes(context, timeline, |old, new| old != Action::Cascade && new == Action::Cascade) {
        let child = &change.table;
        let (name, parent) = (key_name(child, new), &new.parent);
        let before = match change.old.on_delete {
            Action::NoAction | Action::Restrict => "was refused while a child refers to it",
            Action::SetNull => "left its child rows with NULL",
            Action::SetDefault | Action::Cascade => "left its child rows with their default",
        };
        findings.push(
            Finding::new(&META, Subject::foreign_key(child, new), format!("Foreign key {name} is changed from ON DELETE {} to CASCADE", change.old.on_delete))
                .why(format!("A delete of a `{parent}` row that {before} now deletes its `{child}` rows, and theirs in turn, without a word."))
                .help("If that is meant, say so where the migration is reviewed: `-- referee: ignore cascade-added REASON`, or a [[policy]] in referee.toml. `referee graph SOURCE --root TABLE` shows what goes with a row.")
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
                          REFERENCES p (id) ON DELETE SET NULL);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "cascade-added", migrations)
    }

    fn change(action: &str) -> String {
        format!("ALTER TABLE c DROP CONSTRAINT k;\nALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) {action};")
    }

    fn policy() -> Settings {
        let policy = Policy {
            parent: globset::Glob::new("p").unwrap(),
            child: None,
            on_delete: vec![Action::Cascade],
            except: Vec::new(),
            reason: None,
            position: 0,
        };
        Settings { policies: vec![policy], ..Settings::default() }
    }

    #[test]
    fn another_action_is_found() {
        assert_eq!(said(&[TABLES, &change("ON DELETE CASCADE")]), ["warning c.p_id 2:2"]);
    }

    #[test]
    fn the_same_action_is_none() {
        assert_eq!(said(&[TABLES, &change("ON DELETE SET NULL")]), [""; 0]);
        assert_eq!(said(&[&format!("{TABLES}{}", change("ON DELETE CASCADE"))]), [""; 0], "the table is new");
    }

    #[test]
    fn what_is_taken_back_or_a_policy_is_none() {
        assert_eq!(said(&[TABLES, &change("ON DELETE CASCADE"), &change("ON DELETE SET NULL")]), [""; 0]);
        let change = change("ON DELETE CASCADE");
        assert_eq!(lint_with(Engine::Postgres, "cascade-added", &[TABLES, &change], &policy()), [""; 0]);
    }
}
