//! `no-foreign-keys`: tables refer to each other, and the schema declares not one foreign key.

use std::collections::BTreeMap;

use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};

pub(crate) static META: Meta = Meta {
    code: "REF101",
    name: "no-foreign-keys",
    severity: Severity::Warning,
    summary: "The schema declares no foreign key although its tables refer to each other",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/no-foreign-keys.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let relations = context.relations.relations();
    if relations.is_empty() || context.schema.foreign_keys().next().is_some() {
        return;
    }
    let mut by_parent: BTreeMap<String, usize> = BTreeMap::new();
    for relation in relations {
        *by_parent.entry(relation.parent.to_string()).or_default() += 1;
    }
    let columns = |n: usize| if n == 1 { "1 column refers to it".to_string() } else { format!("{n} columns refer to it") };
    let n = relations.len();
    let refer = if n == 1 { "1 relation between them was found".to_string() } else { format!("{n} relations between them were found") };
    let mut finding = Finding::new(
        &META,
        Subject::database(),
        format!("none of the {} tables declares a foreign key, but {refer}", context.schema.logical_tables().count()),
    )
    .why(
        "The database lets any row go while others still refer to it, and takes references to rows that never were. \
         Every delete has to be completed by the application, and whatever it forgets stays as an orphan.",
    )
    .help(if context.schema.engine.facts().alter.rebuilds {
            "Declare the relations that `undeclared-foreign-key` lists; SQLite needs each table rebuilt for it. Then set \
             `PRAGMA foreign_keys = ON` in every connection: SQLite enforces nothing without it."
        } else {
        "Look for orphans with `referee audit --data`, clean them up, then declare the relations that `undeclared-foreign-key` lists."
    });
    for (parent, n) in by_parent {
        finding = finding.label(parent, columns(n));
    }
    findings.push(finding);
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::{findings, schema};

    #[test]
    fn a_schema_without_any_key_is_told_once() {
        let s = schema(
            Engine::Sqlite,
            &["users: id text pk", "projects: id text pk, user_id text not-null", "runs: id text pk, project_id text"],
        );
        let found = findings(&s, "no-foreign-keys");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "none of the 3 tables declares a foreign key, but 2 relations between them were found");
        assert_eq!(found[0].labels.len(), 2);
        assert!(found[0].help.contains("PRAGMA foreign_keys"));
    }

    #[test]
    fn one_key_or_no_relation_is_enough_to_be_silent() {
        let one = schema(
            Engine::Postgres,
            &["users: id int8 pk", "a: id int8 pk, user_id int8 >users.id", "b: id int8 pk, user_id int8"],
        );
        assert!(findings(&one, "no-foreign-keys").is_empty());
        let none = schema(Engine::Postgres, &["a: id int8 pk, name text", "b: id int8 pk, device_id text"]);
        assert!(findings(&none, "no-foreign-keys").is_empty());
    }
}
