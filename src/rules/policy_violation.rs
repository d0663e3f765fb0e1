//! `policy-violation`: a key whose action is not what the user demands of keys to its parent.

use super::helpers::fix;
use super::policy::Compiled;
use super::wording::{fits, key_name, key_place, with_on_delete};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::schema::{Action, ForeignKey, Table};

pub(crate) static META: Meta = Meta {
    code: "REF207",
    name: "policy-violation",
    severity: Severity::Error,
    summary: "A foreign key's ON DELETE is not what a policy in referee.toml demands",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/policy-violation.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let policies = Compiled::all(context);
    for (table, key) in context.schema.foreign_keys() {
        for policy in &policies {
            if policy.is_about(&table.name, &key.columns, &key.parent)
                && !policy.allows(context.schema.engine, key.on_delete)
            {
                findings.push(finding(context, table, key, policy));
            }
        }
    }
}

fn finding(context: &Context<'_>, table: &Table, key: &ForeignKey, compiled: &Compiled<'_>) -> Finding {
    let policy = compiled.policy;
    let allowed: Vec<&str> = policy.on_delete.iter().map(|a| a.sql()).collect();
    let demand = format!("ON DELETE {}", allowed.join(" or "));
    let child = policy.child.as_ref().map(|c| format!(" from `{}`", c.glob())).unwrap_or_default();
    let has = match key.on_delete_written {
        Some(false) => "has no ON DELETE, which means NO ACTION".to_string(),
        _ => format!("is ON DELETE {}", key.on_delete),
    };
    let message = format!("Foreign key {} to `{}` {has}; the policy demands {demand}", key_name(&table.name, key), key.parent);
    let reason = match &policy.reason {
        Some(reason) => format!("The policy's reason: {}", reason.trim_end_matches('.')),
        None => format!("The policy about keys{child} to `{}` gives no reason", policy.parent.glob()),
    };
    let effect = match key.on_delete {
        Action::NoAction | Action::Restrict => format!(
            "As it is, a row of `{}` cannot be deleted while a row of `{}` refers to it.",
            key.parent, table.name
        ),
        Action::Cascade => {
            format!("As it is, a delete of a row of `{}` deletes the rows of `{}` that refer to it.", key.parent, table.name)
        }
        Action::SetNull | Action::SetDefault => format!(
            "As it is, a delete of a row of `{}` leaves the rows of `{}` behind without it.",
            key.parent, table.name
        ),
    };
    let mut finding = Finding::new(&META, Subject::foreign_key(&table.name, key), message)
        .distinguished_by(&format!("{}{child}", policy.parent.glob()))
        .why(format!("{reason}. {effect}"))
        .fact(key_place(&table.name, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete))
        .label(format!("[[policy]] {}", policy.parent.glob()), demand);
    // The first allowed action, unless the columns cannot carry it out and another allowed one can.
    let wanted = policy.on_delete.iter().find(|a| fits(table, &key.columns, **a)).or(policy.on_delete.first());
    if let Some(&action) = wanted {
        let works = fits(table, &key.columns, action);
        let safety = if works { Safety::Unsafe } else { Safety::Manual };
        let change = with_on_delete(&table.name, key, action);
        let hitch = match action {
            _ if works => "",
            Action::SetNull => " A column of this key cannot be NULL: that has to change first.",
            _ => " A column of this key has no default: it needs one first.",
        };
        finding = finding
            .help(format!(
                "Make it ON DELETE {action}.{hitch} If this key is an exception, list it under `except` of the policy."
            ))
            .fix(fix(context, format!("Make it ON DELETE {action}"), safety, vec![change]));
    }
    finding
}

#[cfg(test)]
mod tests {
    use globset::Glob;

    use super::*;
    use crate::rules::{Settings, policy::Policy};
    use crate::schema::{Engine, Schema};
    use crate::testing::{findings_with, schema};

    fn settings(parent: &str, on_delete: &[Action], except: &[&str]) -> Settings {
        let policy = Policy {
            parent: Glob::new(parent).unwrap(),
            child: None,
            on_delete: on_delete.to_vec(),
            except: except.iter().map(|e| Glob::new(e).unwrap()).collect(),
            reason: Some("users can delete their data.".into()),
            position: 0,
        };
        Settings { policies: vec![policy], ..Settings::default() }
    }

    fn users() -> Schema {
        schema(
            Engine::Cockroach,
            &[
                "users: id uuid pk",
                "posts: id uuid pk, user_id uuid not-null >users.id",
                "likes: id uuid pk, user_id uuid not-null >users.id cascade, post_id uuid not-null >posts.id",
                "audit: id uuid pk, user_id uuid >users.id set-null",
            ],
        )
    }

    #[test]
    fn every_key_to_the_parent_without_the_action_is_reported() {
        let schema = users();
        let settings = settings("users", &[Action::Cascade], &["audit"]);
        let found = findings_with(&schema, "policy-violation", &settings);
        let places: Vec<String> = found.iter().map(|f| f.subject.place()).collect();
        assert_eq!(places, ["posts.user_id"]);
        assert!(found[0].why.contains("users can delete their data. As it is"), "{}", found[0].why);
        let mut after = schema.clone();
        found[0].fixes[0].changes.iter().for_each(|c| c.apply(&mut after).unwrap());
        assert_eq!(findings_with(&after, "policy-violation", &settings), []);
        assert!(found[0].fixes[0].sql.iter().any(|s| s.contains("ON DELETE CASCADE")));
    }

    #[test]
    fn the_repair_is_an_allowed_action_that_works() {
        let settings = settings("users", &[Action::SetNull, Action::Cascade], &["audit"]);
        let found = findings_with(&users(), "policy-violation", &settings);
        assert_eq!(found[0].fixes[0].title, "Make it ON DELETE CASCADE");
        let only_null = self::settings("users", &[Action::SetNull], &["audit", "likes"]);
        let found = findings_with(&users(), "policy-violation", &only_null);
        assert_eq!(found[0].fixes[0].safety, Safety::Manual);
        assert!(found[0].help.contains("cannot be NULL"));
    }

    #[test]
    fn without_policies_nothing_is_reported() {
        assert_eq!(findings_with(&users(), "policy-violation", &Settings::default()), []);
    }
}
