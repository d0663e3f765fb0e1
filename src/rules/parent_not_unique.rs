//! `parent-not-unique`: no full unique key on the parent's columns.

use super::helpers::{Names, fix, index_name};
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Finding, Safety, Severity, Subject};
use crate::relations::{Relation, impermanent, is_enough, unfit};
use crate::schema::facts::ParentKey;
use crate::schema::{Index, Table};

pub(crate) static META: Meta = Meta {
    code: "REF104",
    name: "parent-not-unique",
    severity: Severity::Error,
    summary: "A key refers to columns that no primary or unique key covers",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/parent-not-unique.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let names = Names::of(context.schema);
    for relation in context.relations.relations() {
        let Some(parent) = context.schema.table(&relation.parent) else { continue };
        // A missing column is missing-parent's.
        if relation.parent_columns.iter().any(|c| parent.column(c).is_none()) {
            continue;
        }
        let child = context.schema.table(&relation.child).filter(|_| relation.is_declared());
        if let Some(reason) = child.and_then(|child| impermanent(child, parent)) {
            findings.push(refused(context, relation, &reason));
            continue;
        }
        if let Some(reason) = unfit(context.schema.engine, parent, relation) {
            findings.push(finding(context, &names, parent, relation, reason));
        }
    }
}

/// A key to a table whose rows do not last.
fn refused(context: &Context<'_>, relation: &Relation, reason: &str) -> Finding {
    let message = format!("{} cannot refer to {}: {reason}", relation.child_side(), relation.parent_side());
    let engine = context.schema.engine;
    Finding::new(&META, Subject::relation(relation), message)
        .why(format!("{engine} refuses such a key, so this schema cannot be created as it is written."))
        .help(format!(
            "`ALTER TABLE {} SET LOGGED` if its rows matter; otherwise leave out the key, or make `{}` UNLOGGED, too.",
            relation.parent, relation.child
        ))
}

fn finding(context: &Context<'_>, names: &Names, parent: &Table, relation: &Relation, reason: String) -> Finding {
    let engine = context.schema.engine;
    let (child, name) = (&relation.child, &parent.name);
    let facts = &engine.facts().keys;
    let message = format!("{} refers to {}, which is not unique: {reason}", relation.child_side(), relation.parent_side());
    let finding = Finding::new(&META, Subject::relation(relation), message);
    let finding = if !relation.is_declared() {
        finding.severity(Severity::Warning).why(format!(
            "One row of `{child}` can have several parents, so it is not clear whose it is; and the foreign key cannot be declared."
        ))
    } else if is_enough(engine, parent, &relation.parent_columns) && relation.columns.len() == relation.parent_columns.len() {
        let refused = facts.not_unique.map_or_else(String::new, |s| format!(" {s}"));
        finding.severity(Severity::Warning).why(format!(
            "InnoDB accepts it as an extension. With ON DELETE CASCADE, deleting one of two equal parent rows deletes the \
             children although the other parent remains.{refused}"
        ))
    } else if facts.parent == ParentKey::UniqueWhenUsed {
        finding.why(format!(
            "With foreign keys on, {engine} answers `foreign key mismatch` to every DELETE from `{name}`, every UPDATE of the \
             columns referred to and every INSERT into `{child}`, even if it concerns no row; with them off, nothing is checked."
        ))
    } else {
        finding.why(format!("{engine} refuses such a key, so this schema cannot be created as it is written."))
    };
    let columns = &relation.parent_columns;
    if columns.is_empty() || columns.len() != relation.columns.len() {
        return finding.help(format!("Name as many columns of `{name}` in the key as it has itself, all of one unique key."));
    }
    let mut index = Index::on(index_name(names, parent, columns, "key"), columns);
    index.unique = true;
    let add = Change::AddIndex { table: name.clone(), index };
    finding
        .help(format!(
            "Make `{}` of `{name}` unique if it is meant to be (duplicates have to go first), or refer to the primary key.",
            columns.join("`, `")
        ))
        .fix(fix(context, "Add a unique index on the parent's columns", Safety::Unsafe, vec![add]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::testing::{findings, schema};

    #[test]
    fn parent_whose_rows_do_not_last_is_told() {
        let mut s = schema(Engine::Postgres, &["p: id int8 pk", "c: id int8 pk, p_id int8 >p.id"]);
        s.table_mut(&"p".into()).unwrap().unlogged = true;
        let found = findings(&s, "parent-not-unique");
        assert!(found.len() == 1 && found[0].severity == Severity::Error && found[0].fixes.is_empty(), "{found:?}");
        s.table_mut(&"c".into()).unwrap().unlogged = true;
        assert!(findings(&s, "parent-not-unique").is_empty());
    }

    #[test]
    fn parent_needs_a_full_unique_key() {
        let mut s = schema(
            Engine::Sqlite,
            &["p: id integer pk, code text, slug text unique", "c: a text >p.code, b text >p.slug, d integer >p.id"],
        );
        let found = findings(&s, "parent-not-unique");
        assert_eq!(found.iter().map(|f| f.subject.place()).collect::<Vec<_>>(), ["c.a"]);
        assert_eq!(found[0].fixes[0].sql, ["CREATE UNIQUE INDEX p_code_key ON p (code)"]);

        let mut index = Index::on("u", ["code"]);
        index.unique = true;
        index.predicate = Some("code > ''".into());
        s.table_mut(&"p".into()).unwrap().indexes.push(index);
        let message = |s: &_| findings(s, "parent-not-unique").first().map(|f| f.message.clone());
        assert!(message(&s).unwrap().contains("`u` is partial"));
        let last = |s: &mut crate::schema::Schema| {
            let p = s.tables.iter_mut().find(|t| t.name.name == "p").unwrap();
            let at = p.indexes.iter().position(|i| i.name == "u").unwrap();
            p.indexes.remove(at)
        };
        let mut index = last(&mut s);
        index.predicate = None;
        index.parts[0].collation = Some("NOCASE".into());
        s.table_mut(&"p".into()).unwrap().indexes.push(index);
        assert!(message(&s).unwrap().contains("another collation"));
        let mut index = last(&mut s);
        index.parts[0].collation = None;
        s.table_mut(&"p".into()).unwrap().indexes.push(index);
        assert_eq!(message(&s), None);
    }

    #[test]
    fn number_of_columns_and_order() {
        let mut s = schema(Engine::Sqlite, &["p: a integer pk, b integer pk", "c: x integer, y integer"]);
        let key = |child: &[&str], parent: &[&str]| {
            crate::schema::ForeignKey::new(child.to_vec(), "p".into(), parent.to_vec())
        };
        s.tables[0].foreign_keys = vec![key(&["x", "y"], &["b", "a"])];
        assert_eq!(findings(&s, "parent-not-unique"), []);
        s.tables[0].foreign_keys = vec![key(&["x"], &["a", "b"])];
        assert!(findings(&s, "parent-not-unique")[0].message.contains("1 columns refer to 2"));
        s.tables[0].foreign_keys = vec![key(&["x"], &[])];
        assert_eq!(findings(&s, "parent-not-unique").len(), 1);
    }

    #[test]
    fn innodb_accepts_it_and_is_warned_of() {
        let why = |engine| {
            let s = schema(engine, &["p: id bigint pk, k bigint index", "c: k bigint >p.k"]);
            let found = findings(&s, "parent-not-unique");
            assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
            assert!(found[0].message.ends_with("`k` of `p` is indexed but not unique"));
            found[0].why.clone()
        };
        assert!(why(Engine::Mysql).contains("MySQL 8.4 refuses new keys of this kind"));
        // MariaDB has no such restriction.
        assert!(why(Engine::Mariadb).ends_with("although the other parent remains."));
    }

    #[test]
    fn innodb_refuses_columns_that_no_index_begins_with() {
        for engine in [Engine::Mysql, Engine::Mariadb] {
            let s = schema(engine, &["p: id bigint pk, k bigint", "c: k bigint >p.k"]);
            let found = findings(&s, "parent-not-unique");
            assert_eq!((found.len(), found[0].severity), (1, Severity::Error));
            assert!(found[0].message.ends_with("no primary or unique key of `p` is on `k`"));
            assert!(found[0].why.contains("refuses such a key"));
        }
    }
}
