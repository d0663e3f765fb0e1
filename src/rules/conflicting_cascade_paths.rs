//! `conflicting-cascade-paths`: rows that one way of a delete takes with it, and another refuses to let go.

use super::together::{Cause, by_cause};
use super::wording::{fate_command, key_name, key_place, unblocking, way};
use super::{Context, EVERY_ENGINE, Meta};
use crate::fate::{Conflict, DecidedBy};
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::Action;

pub(crate) static META: Meta = Meta {
    code: "REF210",
    name: "conflicting-cascade-paths",
    severity: Severity::Warning,
    summary: "One way of a delete removes rows that another way refuses: the rows decide whether it succeeds",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/conflicting-cascade-paths.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let by_data = context.conflicts().iter().filter(|c| c.decided_by == DecidedBy::Data);
    for cause in by_cause(by_data, is_direct) {
        findings.extend(match cause.as_slice() {
            [conflict] => finding(context, conflict),
            many => Cause::of(context, many).map(|cause| one_for_all(context, &cause, is_direct(many[0]))),
        });
    }
}

/// Tells whether the child names its owner itself, beside a parent of the same owner, or is a parent's child in two roles.
fn is_direct(conflict: &Conflict) -> bool {
    conflict.removed_by.len() == 1
}

fn severity(direct: bool) -> Severity {
    if direct { Severity::Info } else { Severity::Warning }
}

fn so(direct: bool) -> &'static str {
    if direct {
        "As long as there is no such row, the delete works; nothing in the schema keeps it out."
    } else {
        "So it works in a test with one owner, and fails in production with several."
    }
}

fn one_for_all(context: &Context<'_>, cause: &Cause<'_>, direct: bool) -> Finding {
    let (root, keys, tables) = (cause.root, cause.keys.len(), cause.tables);
    let message = format!(
        "A delete from `{root}` comes to {tables} tables on two ways: one takes their rows, on the other {keys} keys refuse: the \
         rows decide"
    );
    let why = format!(
        "The keys that refuse are {}. Of the two ways, {} while any other row is left. One row whose two parents belong to \
         different rows of `{root}` stops the delete. {}",
        cause.named(),
        cause.example,
        so(direct)
    );
    let help = format!(
        "If both parents of such rows always belong to the same `{root}`, say so: composite keys over the owner's column and the \
         id leave no row in the way. If the rows may go with either parent, make the keys ON DELETE \
         CASCADE; where they can do without, SET NULL. {}",
        cause.pointer()
    );
    let kind = if direct { "many direct" } else { "many" };
    cause.finding(context, &META, severity(direct), kind, message).why(why).help(help)
}

fn finding(context: &Context<'_>, conflict: &Conflict) -> Option<Finding> {
    let relations = context.relations.relations();
    let refusing = &relations[*conflict.refused_by.last()?];
    let removing = &relations[*conflict.removed_by.last()?];
    let key = refusing.foreign_key()?;
    let (child, root) = (&refusing.child, &conflict.root);
    let goes = if removing.on_delete == Some(Action::Cascade) { "deletes" } else { "sets free" };
    let message = format!(
        "A delete from `{root}` {goes} rows of `{child}` by {} and is refused by {}: the rows decide",
        removing.child_side(),
        key_name(child, key)
    );
    let (refused_by, removed_by) = (way(context, root, &conflict.refused_by), way(context, root, &conflict.removed_by));
    let direct = is_direct(conflict);
    let mut finding = Finding::new(&META, Subject::relation(refusing), message)
        .severity(severity(direct))
        .distinguished_by(&format!("{} {}", refusing.parent, removing.child_side()))
        .why(format!(
            "{removed_by} {goes} the rows that it leads to; {refused_by} refuses while any other row is left. One row of \
             `{child}` whose two parents belong to different rows of `{root}` stops the delete. {}",
            so(direct)
        ))
        .help(format!(
            "If a row of `{child}` may go with its `{}`, make the key ON DELETE CASCADE; if it can do \
             without, SET NULL. If both parents always belong to the \
             same `{root}`, say so: a composite key over the owner's column and the id leaves no such row. {} prints the \
             query that counts them.",
            refusing.parent,
            fate_command(root, "")
        ))
        .fact(key_place(child, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete));
    if let Some(other) = removing.foreign_key() {
        finding = finding.fact(key_place(&removing.child, other), Fact::OnDelete, format!("ON DELETE {}", other.on_delete));
    }
    Some(unblocking(context, child, key).into_iter().fold(finding, Finding::fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Engine, Schema};
    use crate::testing::{findings, schema};

    fn blog(engine: Engine) -> Schema {
        schema(
            engine,
            &[
                "users: id int8 pk",
                "posts: id int8 pk, user_id int8 not-null >users.id cascade",
                "threads: id int8 pk, user_id int8 not-null >users.id cascade",
                "comments: id int8 pk, post_id int8 not-null >posts.id cascade, thread_id int8 not-null >threads.id",
            ],
        )
    }

    #[test]
    fn both_ways_are_named() {
        let found = findings(&blog(Engine::Sqlite), META.name);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].severity, found[0].subject.place().as_str()), (Severity::Warning, "comments.thread_id"));
        assert!(found[0].why.starts_with("users -> posts.user_id -> comments.post_id deletes"), "{}", found[0].why);
        assert!(found[0].why.contains("users -> threads.user_id -> comments.thread_id refuses"), "{}", found[0].why);
        assert_eq!(findings(&blog(Engine::Cockroach), META.name).len(), 1);
        // There the order decides before the rows do.
        assert_eq!(findings(&blog(Engine::Postgres), META.name), []);
    }

    #[test]
    fn child_that_names_its_owner_itself_is_worth_knowing_only() {
        let lines = &[
            "crates: id int8 pk",
            "versions: id int8 pk, crate_id int8 not-null >crates.id cascade",
            "newest: crate_id int8 pk >crates.id cascade, version_id int8 not-null >versions.id",
        ];
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let found = findings(&schema(engine, lines), META.name);
            assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        }
    }

    #[test]
    fn plain_refusals_and_plain_cascades_are_no_conflict() {
        let clean = |lines: &[&str]| assert_eq!(findings(&schema(Engine::Sqlite, lines), META.name), []);
        // Two roles of one parent, and two parents without a common owner.
        clean(&["u: id int8 pk", "p: id int8 pk, owner int8 >u.id cascade, editor int8 >u.id set-null"]);
        clean(&["a: id int8 pk", "b: id int8 pk", "c: id int8 pk, a int8 >a.id cascade, b int8 >b.id"]);
        // A pointer back to the newest child: the root's own row.
        clean(&["p: id int8 pk, latest int8 >r.id", "r: id int8 pk, p int8 not-null >p.id cascade"]);
    }

    #[test]
    fn delete_that_another_key_refuses_anyway_is_left_alone() {
        let mut s = blog(Engine::Sqlite);
        let mut more = schema(Engine::Sqlite, &["users: id int8 pk", "bills: id int8 pk, user_id int8 not-null >users.id"]);
        s.tables.push(more.tables.remove(0));
        s.sort();
        assert_eq!(findings(&s, META.name), []);
    }

    #[test]
    fn columns_that_leave_no_other_owner_are_clean() {
        let mut s = schema(
            Engine::Sqlite,
            &[
                "tenants: id int8 pk",
                "customers: id int8 pk, tenant int8 not-null >tenants.id cascade",
                "orders: id int8 pk, tenant int8 not-null >tenants.id cascade, customer int8 not-null",
            ],
        );
        s.table_mut(&"customers".into()).unwrap().unique_keys.push(crate::schema::Key::new(["tenant", "id"]));
        let key = crate::schema::ForeignKey::new(["tenant", "customer"], "customers".into(), ["tenant", "id"]);
        s.table_mut(&"orders".into()).unwrap().foreign_keys.push(key);
        assert_eq!(findings(&s, META.name), []);
    }
}
