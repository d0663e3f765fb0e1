//! `polymorphic-reference`: a pair such as `commentable_type`, `commentable_id`, which no foreign key can declare.

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject, SubjectKind};
use crate::infer::polymorphic_pairs;

pub(crate) static META: Meta = Meta {
    code: "REF112",
    name: "polymorphic-reference",
    severity: Severity::Info,
    summary: "A column refers to rows of several tables, which another column names; no foreign key can say that",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/polymorphic-reference.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for pair in polymorphic_pairs(context.schema) {
        let (table, kind, id) = (&pair.table, &pair.type_column, &pair.id_column);
        let configured = context.relations.parents_of(table).any(|(_, r)| r.columns.contains(id));
        if configured {
            continue;
        }
        let subject = Subject {
            kind: SubjectKind::Relation,
            table: Some(table.clone()),
            columns: vec![kind.clone(), id.clone()],
            name: None,
        };
        findings.push(
            Finding::new(&META, subject, format!("`{table}.{id}` refers to a row of whichever table `{table}.{kind}` names"))
                .why(
                    "No foreign key can be declared on such a pair: a delete in any of those tables leaves the rows here behind, \
                     and nothing refuses an id that never was.",
                )
                .help(
                    "Where the tables are few and known, give each a nullable column with a foreign key of its own, and a CHECK that \
                     exactly one is filled. Otherwise clean up in a trigger on each parent, or in a job.",
                )
                .label(format!("{table}.{kind}"), "says which table")
                .label(format!("{table}.{id}"), "holds the key of its row"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::findings::Severity;
    use crate::schema::Engine;
    use crate::testing::{findings, schema};

    #[test]
    fn pair_of_type_and_id_is_told() {
        let s = schema(
            Engine::Postgres,
            &["comments: id int8 pk, commentable_type varchar not-null, commentable_id int8 not-null, body text"],
        );
        let found = findings(&s, "polymorphic-reference");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        assert_eq!(found[0].subject.columns, ["commentable_type", "commentable_id"]);
    }

    #[test]
    fn kinds_that_are_no_tables_make_no_pair() {
        let mut s = schema(
            Engine::Postgres,
            &[
                "nodes: id int8 pk",
                "users: id int8 pk",
                "members: id int8 pk, member_type kind, member_id int8",
                "envelopes: id int8 pk, template_type kind, template_id int8",
                "methods: id int8 pk, provider_method_type text, provider_method_id text",
                "owners: id int8 pk, owner_kind int4, owner_id int8, engine_kind int4, engine_id int8",
            ],
        );
        let mut label = |table: &str, column: usize, labels: &[&str]| {
            let data_type = &mut s.table_mut(&table.into()).unwrap().columns[column].data_type;
            data_type.family = crate::schema::Family::Enum;
            data_type.labels = labels.iter().map(ToString::to_string).collect();
        };
        label("members", 1, &["Node", "Way"]);
        label("envelopes", 1, &["PUBLIC", "PRIVATE", "USER"]);
        let found: Vec<String> =
            findings(&s, "polymorphic-reference").iter().map(|f| f.subject.place()).collect();
        assert_eq!(found, ["members.(member_type, member_id)", "owners.(owner_kind, owner_id)"]);
    }

    #[test]
    fn an_id_that_is_unique_without_its_type_is_of_one_kind() {
        let mut s = schema(
            Engine::Postgres,
            &["logs: id int8 pk, run_id int8, step_id text, step_type text, owner_id uuid unique, owner_type text"],
        );
        let columns = |s: &crate::schema::Schema| -> Vec<String> {
            findings(s, "polymorphic-reference").into_iter().flat_map(|f| f.subject.columns).collect()
        };
        assert_eq!(columns(&s), ["owner_type", "owner_id", "step_type", "step_id"]);
        let table = s.table_mut(&"logs".into()).unwrap();
        table.unique_keys.push(crate::schema::Key::new(["run_id", "step_id"]));
        assert_eq!(columns(&s), ["owner_type", "owner_id"]);
    }

    #[test]
    fn a_type_beside_a_declared_key_is_only_a_type() {
        let s = schema(
            Engine::Postgres,
            &[
                "users: id int8 pk",
                "logins: id int8 pk, user_type varchar, user_id int8 >users.id, type text, kind_id int8, file_type text",
            ],
        );
        assert!(findings(&s, "polymorphic-reference").is_empty());
    }
}
