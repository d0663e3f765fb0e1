//! `implicit-on-delete`: a key that leaves open what a delete of the parent does.

use super::helpers::{fix, working_keys};
use super::wording::{key_name, key_place, with_on_delete};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};

pub(crate) static META: Meta = Meta {
    code: "REF205",
    name: "implicit-on-delete",
    severity: Severity::Info,
    summary: "A foreign key does not say what happens when the parent row is deleted",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/implicit-on-delete.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let policies = super::policy::Compiled::all(context);
    for (table, key) in working_keys(context.schema) {
        // A server's catalog cannot tell NO ACTION from nothing; and where a policy speaks, `policy-violation` does.
        let governed = policies.iter().any(|p| p.is_about(&table.name, &key.columns, &key.parent));
        if key.on_delete_written != Some(false) || governed {
            continue;
        }
        let name = key_name(&table.name, key);
        let message = format!("Foreign key {name} to `{}` has no ON DELETE", key.parent);
        findings.push(
            Finding::new(&META, Subject::foreign_key(&table.name, key), message)
                .why(format!(
                    "Left out, it means NO ACTION: a row of `{}` cannot be deleted while `{}` refers to it. Nobody can tell \
                     whether that was decided or forgotten, and the one who finds out is the one whose delete is refused.",
                    key.parent, table.name
                ))
                .help(
                    "Decide what becomes of the child rows and write it out: NO ACTION (the parent stays while it is \
                     referred to), CASCADE (they go with it) or SET NULL (they stay without it).",
                )
                .fact(key_place(&table.name, key), Fact::OnDelete, "no ON DELETE, which means NO ACTION")
                .fix(fix(
                    context,
                    "Write out what holds now: ON DELETE NO ACTION",
                    Safety::Safe,
                    vec![with_on_delete(&table.name, key, key.on_delete)],
                )),
        );
    }
}

#[cfg(test)]
mod tests {
    use globset::Glob;

    use super::*;
    use crate::rules::{Settings, policy::Policy};
    use crate::schema::{Action, Engine, Schema};
    use crate::testing::{findings, findings_with, schema};

    fn written(written: Option<bool>) -> Schema {
        let mut schema = schema(Engine::Sqlite, &["p: id int pk", "c: p_id int >p.id"]);
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].on_delete_written = written;
        schema
    }

    #[test]
    fn only_what_is_known_to_be_left_out_is_reported() {
        assert_eq!(findings(&written(Some(true)), "implicit-on-delete"), []);
        assert_eq!(findings(&written(None), "implicit-on-delete"), []);
        let found = findings(&written(Some(false)), "implicit-on-delete");
        assert_eq!(found[0].severity, Severity::Info);
        let mut after = written(Some(false));
        found[0].fixes[0].changes[0].apply(&mut after).unwrap();
        assert_eq!(findings(&after, "implicit-on-delete"), []);
    }

    #[test]
    fn a_policy_about_the_key_takes_over() {
        let policy = Policy {
            parent: Glob::new("p").unwrap(),
            child: None,
            on_delete: vec![Action::Cascade],
            except: Vec::new(),
            reason: None,
            position: 0,
        };
        let settings = Settings { policies: vec![policy], ..Settings::default() };
        assert_eq!(findings_with(&written(Some(false)), "implicit-on-delete", &settings), []);
    }
}
