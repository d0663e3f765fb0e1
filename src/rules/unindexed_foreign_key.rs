//! `unindexed-foreign-key`: no index finds the child rows of a parent.
//!
//! What an index can be used for is decided in `relations::lookup`, or by the planner where it was asked.

use std::collections::BTreeSet;

use super::helpers::{Names, fix, index_name};
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::engine::LookupPlan;
use crate::findings::{Finding, Fix, Safety, Severity, Subject};
use crate::relations::{Relation, is_broken};
use crate::relations::lookup::{Grade, grade, obstacle};
use crate::schema::facts::LookupCollation;
use crate::schema::{Index, Table, TableKind};

pub(crate) static META: Meta = Meta {
    code: "REF105",
    name: "unindexed-foreign-key",
    severity: Severity::Warning,
    summary: "No index finds the child rows of a parent",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/unindexed-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    let names = Names::of(context.schema);
    let (declared, others): (Vec<_>, Vec<_>) = context.relations.relations().iter().partition(|r| r.is_declared());
    for relation in declared.into_iter().chain(others) {
        let Some(table) = context.schema.table(&relation.child) else { continue };
        if is_out_of_scope(context, table, relation) {
            continue;
        }
        let mut set = relation.columns.clone();
        set.sort();
        if seen.insert((relation.child.clone(), set)) {
            findings.extend(judge(context, &names, table, relation));
        }
    }
}

fn is_out_of_scope(context: &Context<'_>, table: &Table, relation: &Relation) -> bool {
    let kind = matches!(table.kind, TableKind::Foreign | TableKind::Virtual);
    let unknown = relation.columns.is_empty() || relation.columns.iter().any(|c| table.column(c).is_none());
    let made = context.schema.engine.facts().keys.makes_index && relation.is_declared();
    // The key of a partition that the partitioned table has as well is one logical key.
    let inherited = table.partition_of.as_ref().is_some_and(|whole| {
        context.relations.parents_of(whole).any(|(_, r)| r.columns == relation.columns && r.parent == relation.parent)
    });
    kind || unknown || made || inherited || is_broken(context.schema, relation)
}

fn judge(context: &Context<'_>, names: &Names, table: &Table, relation: &Relation) -> Option<Finding> {
    let columns = &relation.columns;
    let (graded, index) = grade(context.schema, table, columns);
    let plan = context.plans.and_then(|p| p.get(&(table.name.clone(), columns.clone())));
    let found = match plan {
        // Reading another index from end to end costs the same on a table never filled: no word against the one that covers.
        Some(LookupPlan { index: None, plan, .. }) if graded == Grade::Covers && plan.contains("Index") => {
            Grade::Covers
        }
        Some(LookupPlan { index: None, .. }) => Grade::Useless,
        Some(LookupPlan { index: Some(_), .. }) if graded == Grade::Useless => Grade::Covers,
        _ => graded,
    };
    let list = columns.join("`, `");
    let (child, parent) = (&relation.child, &relation.parent);
    let rows = match table.row_estimate {
        Some(n) if n > 0 => format!("about {n} rows"),
        _ => "every row".to_string(),
    };
    let mut finding = match found {
        Grade::Covers => return None,
        Grade::Helps => {
            let name = index.map_or_else(|| "an index of each partition".to_string(), |i| format!("`{}`", i.name));
            Finding::new(
                &META,
                Subject::relation(relation),
                format!("{name} finds the rows of `{child}` by only some of `{list}`"),
            )
            .severity(Severity::Info)
            .why(format!(
                "A delete of a `{parent}` row reads all rows of `{child}` that agree in the indexed columns. That is enough \
                 if they tell rows apart well."
            ))
        }
        Grade::Useless => {
            let message = format!("no index finds the rows of `{child}` by `{list}`");
            let why = if relation.is_declared() {
                format!(
                    "Each delete of a `{parent}` row, and each change of its key, reads {rows} of `{child}` for every parent \
                     row concerned."
                )
            } else {
                format!(
                    "Finding the rows of `{child}` that belong to a `{parent}` row reads {rows} of it: every such join does \
                     so now, and every delete of a `{parent}` row will once the foreign key is declared."
                )
            };
            let finding = Finding::new(&META, Subject::relation(relation), message).why(why);
            if relation.is_certain() { finding } else { finding.severity(Severity::Info) }
        }
    };
    if found == Grade::Useless {
        for index in &table.indexes {
            if let Some(why) = obstacle(context.schema, table, index, columns) {
                finding = finding.label(index.name.clone(), format!("cannot be used: {why}"));
            }
        }
    }
    if let Some(plan) = plan {
        finding = finding.evidence(plan.sql.clone(), plan.plan.clone());
    }
    Some(match proposed(context, names, table, relation) {
        Some(index) => {
            let fix = add_index(context, table, index);
            let help = format!("Add an index on `{child}` whose leading columns are `{list}`.");
            let help = if context.schema.engine.facts().indexes.concurrent && table.kind == TableKind::Partitioned {
                format!(
                    "{help} This locks all partitions against writes while it builds. To avoid that, create it `ON ONLY \
                     {child}`, create one concurrently on each partition, and attach each with `ALTER INDEX … ATTACH \
                     PARTITION`."
                )
            } else {
                help
            };
            finding.help(help).fix(fix)
        }
        None => finding.help(format!(
            "Give `{}` the type of the parent's `{}` first: while the engine converts the value, no index on it can be used.",
            list,
            relation.parent_columns.join("`, `")
        )),
    })
}

/// Returns an index that would cover the look-up, tried by the same grading; `None` if none can.
fn proposed(context: &Context<'_>, names: &Names, table: &Table, relation: &Relation) -> Option<Index> {
    let name = index_name(names, table, &relation.columns, "idx");
    let plain = Index::on(name, &relation.columns);
    let mut collated = plain.clone();
    let parent = context.schema.table(&relation.parent);
    let facts = context.schema.engine.facts();
    for (part, column) in collated.parts.iter_mut().zip(&relation.parent_columns) {
        let collation = parent.and_then(|p| p.column(column)).and_then(|c| c.collation.as_ref());
        part.collation = match (collation, facts.keys.lookup_collation) {
            (Some(c), _) => Some(c.name.clone()),
            (None, LookupCollation::Parent) => Some(facts.types.default_collation.to_string()),
            (None, LookupCollation::ParentUnlessDeterministic | LookupCollation::Same) => None,
        };
    }
    [plain, collated].into_iter().find(|index| {
        let mut with = Table { indexes: vec![index.clone()], ..table.clone() };
        with.unique_keys.clear();
        grade(context.schema, &with, &relation.columns) == (Grade::Covers, Some(index))
    })
}

fn add_index(context: &Context<'_>, table: &Table, index: Index) -> Fix {
    let add = Change::AddIndex { table: table.name.clone(), index };
    fix(context, "Add the index", Safety::Safe, vec![add])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::engine;
    use crate::relations::{ConfiguredRelation, Graph};
    use crate::rules::{self, Settings};
    use crate::schema::{Engine, Schema, TableName};
    use crate::testing::{findings, schema};

    fn places(found: &[Finding]) -> Vec<String> {
        found.iter().map(|f| f.subject.place()).collect()
    }

    #[test]
    fn each_key_without_an_index_is_found_once() {
        let mut s = schema(
            Engine::Postgres,
            &["p: id int8 pk", "c: id int8 pk, p int8 >p.id, q int8 >p.id index, r int8 >p.id"],
        );
        let mut twice = s.tables[0].foreign_keys[0].clone();
        twice.name = Some("again".into());
        s.tables[0].foreign_keys.push(twice);
        let found = findings(&s, "unindexed-foreign-key");
        assert_eq!(places(&found), ["c.p", "c.r"]);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].fixes[0].sql, ["CREATE INDEX CONCURRENTLY c_p_idx ON c (p)"]);
        for finding in &found {
            for change in &finding.fixes[0].changes {
                change.apply(&mut s).unwrap();
            }
        }
        assert_eq!(findings(&s, "unindexed-foreign-key"), []);
    }

    #[test]
    fn index_that_looks_right_is_named_with_the_reason() {
        let mut s = schema(Engine::Postgres, &["p: id int8 pk", "c: id int8 pk, p int8 >p.id, live bool"]);
        let mut partial = Index::on("c_p_live", ["p"]);
        partial.predicate = Some("live".into());
        let mut carried = Index::on("c_live", ["live"]);
        carried.included = vec!["p".into()];
        s.table_mut(&"c".into()).unwrap().indexes.extend([partial, carried, Index::on("c_live_p", ["live", "p"])]);
        s.sort();
        let found = findings(&s, "unindexed-foreign-key");
        let labels: Vec<String> = found[0].labels.iter().map(|l| format!("{} {}", l.place, l.text)).collect();
        assert_eq!(labels.len(), 3, "{labels:?}");
        assert!(labels[0].starts_with("c_live ") && labels[0].contains("included"), "{labels:?}");
        assert!(labels[1].starts_with("c_live_p ") && labels[1].contains("sorted by `live` first"), "{labels:?}");
        assert!(labels[2].starts_with("c_p_live ") && labels[2].contains("partial"), "{labels:?}");
    }

    #[test]
    fn some_of_the_columns_are_worth_knowing_only() {
        let mut s = schema(Engine::Postgres, &["p: a int8 pk, b int8 pk", "c: a int8 index, b int8"]);
        let key = crate::schema::ForeignKey::new(["a", "b"], "p".into(), ["a", "b"]);
        s.table_mut(&"c".into()).unwrap().foreign_keys.push(key);
        let found = findings(&s, "unindexed-foreign-key");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        assert!(found[0].message.contains("c_a_idx"), "{}", found[0].message);
    }

    fn checked(s: &Schema, plans: Option<&BTreeMap<(TableName, Vec<String>), LookupPlan>>) -> Vec<Finding> {
        let configured = ConfiguredRelation {
            child: "c".into(),
            columns: vec!["p".into()],
            parent: "p".into(),
            parent_columns: vec!["id".into()],
            on_delete: None,
            accepted: None,
        };
        let relations = Graph::new(s, &[configured], 0.5);
        let settings = Settings::default();
        let context = Context {
            schema: s,
            relations: &relations,
            dialect: engine::dialect(s.engine),
            settings: &settings,
            scan: None,
            timeline: None,
            plans,
            deletes: crate::rules::Deletes::default(),
        };
        rules::check([rules::find("unindexed-foreign-key").unwrap()], &context)
    }

    #[test]
    fn undeclared_relation_needs_its_index_too() {
        let found = checked(&schema(Engine::Sqlite, &["p: id integer pk", "c: id integer pk, p integer"]), None);
        assert_eq!(places(&found), ["c.p"]);
        assert_eq!(found[0].subject.kind, crate::findings::SubjectKind::Relation);
        let indexed = schema(Engine::Sqlite, &["p: id integer pk", "c: id integer pk, p integer index"]);
        assert_eq!(checked(&indexed, None), []);
    }

    #[test]
    fn planner_decides_where_it_was_asked() {
        let plan = |index: Option<&str>| {
            let plan = LookupPlan { sql: "SELECT 1".into(), index: index.map(Into::into), plan: "the plan".into() };
            BTreeMap::from([((TableName::new("c"), vec!["p".to_string()]), plan)])
        };
        let indexed = schema(Engine::Postgres, &["p: id int8 pk", "c: id int8 pk, p int8 index"]);
        let found = checked(&indexed, Some(&plan(None)));
        assert_eq!((found.len(), found[0].evidence[0].returned.as_str()), (1, "the plan"));
        let bare = schema(Engine::Postgres, &["p: id int8 pk", "c: id int8 pk, p int8"]);
        assert_eq!(checked(&bare, Some(&plan(Some("odd")))), []);

        let mut another = plan(None);
        another.values_mut().for_each(|p| p.plan = "Bitmap Index Scan on c_kind_p".into());
        assert_eq!(checked(&indexed, Some(&another)), []);
        assert_eq!(checked(&bare, Some(&another)).len(), 1);
    }

    #[test]
    fn doubtful_relation_is_worth_knowing_only() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "c: id int8 pk, approved_by int8, user_id int8"]);
        let severities: Vec<_> = findings(&s, "unindexed-foreign-key").iter().map(|f| f.severity).collect();
        assert_eq!(severities, [Severity::Info, Severity::Warning]);
    }

    #[test]
    fn sqlite_index_is_proposed_with_the_parents_collation_and_none_where_types_differ() {
        let mut s = schema(Engine::Sqlite, &["p: code text pk", "c: id integer pk, p text >p.code"]);
        s.table_mut(&"p".into()).unwrap().columns[0].collation =
            Some(crate::schema::Collation { name: "NOCASE".into(), deterministic: false });
        let found = findings(&s, "unindexed-foreign-key");
        assert!(found[0].fixes[0].sql[0].contains("NOCASE"), "{:?}", found[0].fixes[0].sql);
        let s = schema(Engine::Sqlite, &["p: id integer pk", "c: id integer pk, p text >p.id index"]);
        let found = findings(&s, "unindexed-foreign-key");
        assert_eq!(found.len(), 1);
        assert!(found[0].fixes.is_empty() && found[0].help.contains("type"), "{:?}", found[0]);
    }

    #[test]
    fn innodb_makes_the_index_of_a_declared_key() {
        let s = schema(Engine::Mysql, &["p: id bigint pk", "c: id bigint pk, p bigint >p.id"]);
        assert_eq!(findings(&s, "unindexed-foreign-key"), []);
    }
}
