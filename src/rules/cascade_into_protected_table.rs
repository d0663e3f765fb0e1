//! `cascade-into-protected-table`: a delete of another table's row takes rows with it that must stay.

use super::helpers::fix;
use super::wording::{fits, key_name, key_place, with_on_delete};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::schema::{Action, ForeignKey, Table};

pub(crate) static META: Meta = Meta {
    code: "REF211",
    name: "cascade-into-protected-table",
    severity: Severity::Error,
    summary: "A foreign key cascades into a table that referee.toml protects",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-into-protected-table.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if context.settings.deletes.never_cascade_into.is_empty() {
        return;
    }
    let protected = &context.fates().demands().never_cascade_into;
    let schema = context.schema;
    // A partition's rows are those of the table that is protected, and so are those that its own keys take.
    for table in schema.tables.iter().filter(|t| protected.contains(schema.whole(&t.name))) {
        let takes = |k: &&ForeignKey| {
            k.on_delete == Action::Cascade && k.is_active() && schema.whole(&k.parent) != schema.whole(&table.name)
        };
        findings.extend(table.foreign_keys.iter().filter(takes).map(|key| finding(context, table, key)));
    }
}

fn finding(context: &Context<'_>, table: &Table, key: &ForeignKey) -> Finding {
    let (child, parent) = (&table.name, &key.parent);
    let listed = context.schema.whole(child);
    let message = format!("A delete from `{parent}` takes rows of `{child}` with it, by {}", key_name(child, key));
    let above = above(context, parent);
    let above = if above.is_empty() {
        String::new()
    } else {
        format!(" Cascades lead to `{parent}` from {above}, so a delete there takes them, too.")
    };
    let to = if fits(table, &key.columns, Action::SetNull) { Action::SetNull } else { Action::Restrict };
    let effect = if to == Action::SetNull {
        "The rows then stay, without the reference."
    } else {
        "The delete is then refused while there are such rows. To let it succeed, allow NULL in the column and make the key \
         ON DELETE SET NULL."
    };
    Finding::new(&META, Subject::foreign_key(child, key), message)
        .distinguished_by(&parent.to_string())
        .why(format!("referee.toml lists `{listed}` under never_cascade_into: its rows outlive those they refer to.{above}"))
        .help(format!("Make the key ON DELETE {to}. {effect}"))
        .fact(key_place(child, key), Fact::OnDelete, "ON DELETE CASCADE")
        .label(listed.to_string(), "never_cascade_into")
        .fix(fix(context, format!("Make it ON DELETE {to}"), Safety::Unsafe, vec![with_on_delete(child, key, to)]))
}

/// Names the tables from which cascades lead to a table: the three first, and how many more.
fn above(context: &Context<'_>, table: &crate::schema::TableName) -> String {
    let schema = context.schema;
    let mut seen = vec![schema.whole(table)];
    let mut next = 0;
    while let Some(at) = seen.get(next).copied() {
        next += 1;
        for (_, relation) in schema.parts(at).into_iter().flat_map(|part| context.relations.parents_of(&part.name)) {
            let cascades = relation.foreign_key().is_some_and(|k| k.on_delete == Action::Cascade && k.is_active());
            let above = schema.whole(&relation.parent);
            if cascades && !seen.contains(&above) {
                seen.push(above);
            }
        }
    }
    let mut names: Vec<String> = seen[1..].iter().map(|t| format!("`{t}`")).collect();
    names.sort();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    super::wording::list(&names)
}

#[cfg(test)]
mod tests {
    use globset::Glob;

    use super::*;
    use crate::rules::Settings;
    use crate::rules::policy::DeletePolicy;
    use crate::schema::Engine;
    use crate::testing::{findings, findings_with, schema};

    fn protect(pattern: &str) -> Settings {
        let deletes = DeletePolicy { never_cascade_into: vec![Glob::new(pattern).unwrap()], ..DeletePolicy::default() };
        Settings { deletes, ..Settings::default() }
    }

    #[test]
    fn each_cascading_key_is_named_and_repaired_as_its_columns_allow() {
        let s = schema(
            Engine::Postgres,
            &[
                "orgs: id int8 pk",
                "users: id int8 pk, org_id int8 >orgs.id cascade",
                "audit_log: id int8 pk, user_id int8 >users.id cascade, org_id int8 not-null >orgs.id cascade, \
                 other int8 >users.id, up int8 >audit_log.id cascade",
            ],
        );
        assert!(findings(&s, META.name).is_empty());
        let found = findings_with(&s, META.name, &protect("audit_*"));
        let places: Vec<String> = found.iter().map(|f| f.subject.place()).collect();
        assert_eq!(places, ["audit_log.org_id", "audit_log.user_id"]);
        assert!(found[0].help.contains("ON DELETE RESTRICT"));
        assert!(found[1].help.contains("ON DELETE SET NULL"));
        assert!(found[1].why.contains("from `orgs`"), "{}", found[1].why);
        assert!(findings_with(&s, META.name, &protect("users")).len() == 1);
        assert!(findings_with(&s, META.name, &protect("orgs")).is_empty());
    }

    #[test]
    fn key_of_a_partition_takes_rows_of_its_table() {
        let mut s = schema(
            Engine::Postgres,
            &[
                "orgs: id int8 pk",
                "users: id int8 pk, org_id int8 >orgs.id cascade",
                "users_1: id int8 pk, org_id int8",
                "audit_log: id int8 pk, user_id int8",
                "audit_log_1: id int8 pk, user_id int8 >users_1.id cascade",
            ],
        );
        for (part, of) in [("users_1", "users"), ("audit_log_1", "audit_log")] {
            s.table_mut(&part.into()).unwrap().partition_of = Some(of.into());
        }
        let found = findings_with(&s, META.name, &protect("audit_log"));
        assert_eq!(found.iter().map(|f| f.subject.place()).collect::<Vec<_>>(), ["audit_log_1.user_id"]);
        assert!(found[0].why.contains("lists `audit_log` under"), "{}", found[0].why);
        assert!(found[0].why.contains("from `orgs`"), "{}", found[0].why);
    }

    #[test]
    fn key_that_does_nothing_takes_nothing() {
        let mut s = schema(Engine::Postgres, &["a: id int8 pk", "b: id int8 pk, a int8 >a.id cascade"]);
        s.table_mut(&"b".into()).unwrap().foreign_keys[0].enforced = false;
        assert!(findings_with(&s, META.name, &protect("b")).is_empty());
    }
}
