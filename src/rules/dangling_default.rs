//! `dangling-default`: a referring column whose default refers to no row.

use super::defaults::{Fresh, fresh};
use super::helpers::fix;
use super::wording::no_parent_error;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::relations::Basis;

pub(crate) static META: Meta = Meta {
    code: "REF203",
    name: "dangling-default",
    severity: Severity::Error,
    summary: "A referring column has a default that no parent can have, such as gen_random_uuid()",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/dangling-default.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let engine = context.schema.engine;
    for relation in context.relations.relations() {
        let Some(child) = context.schema.table(&relation.child) else { continue };
        for name in &relation.columns {
            let Some((kind, default)) = child.column(name).and_then(|c| fresh(engine, c)) else { continue };
            let place = format!("{}.{name}", relation.child);
            let parent = relation.parent_side();
            let message = format!("The default of `{place}` is `{default}`, but the column refers to `{parent}`");
            let value = match kind {
                Fresh::Random => "a new random value, which no row of the parent has",
                Fresh::Counter => "the next number of a counter: no row of the parent has it, or one that has nothing to do with it",
                Fresh::Time => "the current time, which no row of the parent has",
            };
            let (severity, result) = match &relation.basis {
                Basis::Declared { foreign_key, .. } if foreign_key.enforced => (
                    Severity::Error,
                    match no_parent_error(engine, &relation.child, foreign_key) {
                        error if engine.facts().keys.enforced_by_connection => {
                            format!("fails with: {error} (or makes an orphan where the connection does not enforce keys)")
                        }
                        error => format!("fails with: {error}"),
                    },
                ),
                Basis::Declared { .. } | Basis::Configured => {
                    (Severity::Error, "makes an orphan, and nothing reports it: no foreign key is enforced here".to_string())
                }
                Basis::Inferred { .. } => {
                    (Severity::Warning, "makes an orphan, and nothing reports it: no foreign key is declared here".to_string())
                }
            };
            let finding = Finding::new(&META, Subject::column(&relation.child, name), message)
                .contradiction()
                .distinguished_by(&parent)
                .severity(severity)
                .why(format!("An insert that leaves the column out gets {value}, and {result}."))
                .help(format!(
                    "Drop the default: an insert that forgets `{name}` then {}.",
                    if child.is_nullable(name) {
                        "gets NULL, a row without a parent"
                    } else {
                        "fails and names the column, instead of a parent that never was"
                    }
                ))
                .fact(&place, Fact::Default, format!("DEFAULT {default}"))
                .fact(relation.foreign_key().and_then(|k| k.name.clone()).unwrap_or(place.clone()), Fact::References, format!("refers to {parent}"));
            let has_default = child.column(name).is_some_and(|c| c.default.is_some());
            findings.push(if has_default {
                let change = Change::SetDefault { table: relation.child.clone(), column: name.clone(), default: None };
                finding.fix(fix(context, format!("Drop the default of {name}"), Safety::Unsafe, vec![change]))
            } else {
                finding
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::testing::{findings, schema};

    fn run(engine: Engine, lines: &[&str]) -> Vec<Finding> {
        findings(&schema(engine, lines), "dangling-default")
    }

    #[test]
    fn a_random_default_under_a_key_makes_inserts_fail() {
        let lines = &["users: id uuid pk", "posts: id uuid pk, user_id uuid not-null default=gen_random_uuid() >users.id"];
        for engine in [Engine::Postgres, Engine::Cockroach] {
            let found = run(engine, lines);
            assert_eq!(found.len(), 1);
            assert!(found[0].why.contains("23503"), "{}", found[0].why);
            assert_eq!(found[0].subject.place(), "posts.user_id");
            assert_eq!(found[0].fixes[0].sql, ["ALTER TABLE posts ALTER COLUMN user_id DROP DEFAULT"]);
        }
    }

    #[test]
    fn the_fix_removes_the_finding() {
        let mut schema = schema(Engine::Sqlite, &["p: id int pk", "c: p_id int default=(random()) >p.id"]);
        let found = findings(&schema, "dangling-default");
        assert!(found[0].why.contains("FOREIGN KEY constraint failed"));
        found[0].fixes[0].changes[0].apply(&mut schema).unwrap();
        assert_eq!(findings(&schema, "dangling-default"), []);
    }

    #[test]
    fn a_shared_primary_key_counts_and_an_own_one_does_not() {
        let lines = &["users: id uuid pk default=gen_random_uuid()", "profiles: user_id uuid pk default=gen_random_uuid() >users.id"];
        let found = run(Engine::Postgres, lines);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject.place(), "profiles.user_id");
    }

    #[test]
    fn a_literal_default_may_name_a_parent() {
        assert_eq!(run(Engine::Postgres, &["p: id int pk", "c: p_id int default=1 >p.id"]), []);
    }

    #[test]
    fn an_unenforced_key_gives_orphans_not_errors() {
        let lines = &["p: id int pk", "c: p_id int default=nextval('s') >p.id"];
        let mut schema = schema(Engine::Postgres, lines);
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].enforced = false;
        assert!(findings(&schema, "dangling-default")[0].why.contains("makes an orphan"));
    }
}
