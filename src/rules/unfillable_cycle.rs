//! `unfillable-cycle`: tables that need each other's rows first, on an engine that lets nobody begin.
//!
//! PostgreSQL and CockroachDB check keys when a statement has ended, and one statement can insert into several tables
//! (`WITH … INSERT`); SQLite puts every check off to the commit after `PRAGMA defer_foreign_keys = ON`. InnoDB checks
//! row by row and defers nothing (MySQL manual, "FOREIGN KEY Constraints": "MySQL does not support deferred checking").

use super::wording::list;
use super::{Context, Meta};
use crate::findings::{Fact, Finding, Subject};
use crate::relations::{Graph, Relation};
use crate::schema::Engine;

pub(crate) static META: Meta = Meta {
    code: "REF113",
    name: "unfillable-cycle",
    severity: crate::findings::Severity::Error,
    summary: "NOT NULL foreign keys in a circle: no first row can be inserted",
    engines: &[Engine::Mysql, Engine::Mariadb],
    needs_data: false,
    page: include_str!("../../docs/rules/unfillable-cycle.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // A row can refer to itself, and a reference that can be NULL can be set later.
    let rigid = |r: &&Relation| {
        !r.nullable && !r.is_self_reference() && r.foreign_key().is_some_and(|k| k.is_active() && !k.timing.is_deferrable())
    };
    let keys = context.relations.relations().iter().filter(rigid).cloned().collect();
    let graph = Graph::from_relations(context.schema, keys);
    for cycle in graph.cycles() {
        let keys: Vec<&Relation> = cycle.relations.iter().map(|&i| &graph.relations()[i]).collect();
        let tables: Vec<String> = cycle.tables.iter().map(|t| format!("`{t}`")).collect();
        let Some(first) = cycle.tables.first() else { continue };
        let message =
            format!("No row can be inserted into {}: each needs a row of another first", list(&tables));
        let mut finding = Finding::new(&META, Subject::table(first), message)
            .distinguished_by(&tables.join(","))
            .why(format!(
                "{} checks a foreign key as each row is written, has no DEFERRABLE, and a statement inserts into one table. \
                 None of these references can be NULL, so the first row of either table has no parent to refer to: \
                 ERROR 1452. Only SET foreign_key_checks = 0 gets one in, and then nothing is checked.",
                context.schema.engine
            ))
            .help(
                "Let one of these columns be NULL: insert its row with NULL, then the other row, then UPDATE the column. Or \
                 move one reference into a table of its own that refers to both.",
            );
        for key in keys {
            finding = finding.fact(key.child_side(), Fact::References, format!("NOT NULL, refers to {}", key.parent_side()));
        }
        findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{findings, schema};

    const CIRCLE: &[&str] = &["a: id int8 pk, b int8 not-null >b.id", "b: id int8 pk, a int8 not-null >a.id"];

    #[test]
    fn only_an_engine_that_lets_nobody_begin_is_warned() {
        for engine in [Engine::Mysql, Engine::Mariadb] {
            let found = findings(&schema(engine, CIRCLE), META.name);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].subject.place(), "a");
            assert_eq!(found[0].labels.len(), 2);
        }
        for engine in [Engine::Postgres, Engine::Cockroach, Engine::Sqlite] {
            assert!(findings(&schema(engine, CIRCLE), META.name).is_empty());
        }
    }

    #[test]
    fn circle_with_a_way_in_is_left_alone() {
        let clean = |lines: &[&str]| assert!(findings(&schema(Engine::Mysql, lines), META.name).is_empty());
        clean(&["a: id int8 pk, b int8 >b.id", "b: id int8 pk, a int8 not-null >a.id"]);
        clean(&["a: id int8 pk, a int8 not-null >a.id"]);
        let mut off = schema(Engine::Mysql, CIRCLE);
        off.tables[0].foreign_keys[0].enforced = false;
        assert!(findings(&off, META.name).is_empty());
    }

    #[test]
    fn each_circle_is_told_once_without_what_hangs_below() {
        let found = findings(
            &schema(
                Engine::Mariadb,
                &[
                    "a: id int8 pk, b int8 not-null >b.id",
                    "b: id int8 pk, c int8 not-null >c.id",
                    "c: id int8 pk, a int8 not-null >a.id",
                    "d: id int8 pk, a int8 not-null >a.id",
                    "x: id int8 pk, y int8 not-null >y.id",
                    "y: id int8 pk, x int8 not-null >x.id",
                ],
            ),
            META.name,
        );
        let places: Vec<String> = found.iter().map(|f| f.subject.place()).collect();
        assert_eq!(places, ["a", "x"]);
        assert!(found[0].message.contains("`a`, `b` and `c`:"), "{}", found[0].message);
    }
}
