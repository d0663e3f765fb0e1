//! `foreign-key-collation-mismatch`: child and parent compare texts differently.

use super::helpers::fix;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Fix, Safety, Severity, Subject};
use crate::relations::Relation;
use crate::schema::facts::LookupCollation;
use crate::schema::{Column, Engine, Family};

pub(crate) static META: Meta = Meta {
    code: "REF108",
    name: "foreign-key-collation-mismatch",
    severity: Severity::Warning,
    summary: "Child and parent columns compare texts by different collations",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-key-collation-mismatch.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for relation in context.relations.relations() {
        let tables = (context.schema.table(&relation.child), context.schema.table(&relation.parent));
        let (Some(child), Some(parent)) = tables else { continue };
        for (mine, theirs) in relation.columns.iter().zip(&relation.parent_columns) {
            if let (Some(mine), Some(theirs)) = (child.column(mine), parent.column(theirs)) {
                findings.extend(judge(context.schema.engine, relation, mine, theirs).map(|finding| {
                    match same_collation(context, relation, mine, theirs) {
                        Some(fix) => finding.fix(fix),
                        None => finding,
                    }
                }));
            }
        }
    }
}

/// Proposes the parent's collation for the child, where a statement sets it. Its indexes are built anew, and values that were
/// different may then be equal.
fn same_collation(context: &Context<'_>, relation: &Relation, child: &Column, parent: &Column) -> Option<Fix> {
    if !context.schema.engine.facts().alter.set_collation || child.generated.is_some() {
        return None;
    }
    let change = Change::SetType {
        table: relation.child.clone(),
        column: child.name.clone(),
        data_type: child.data_type.clone(),
        collation: parent.collation.clone(),
    };
    let name = parent.collation.as_ref().map_or("default", |c| c.name.as_str());
    Some(fix(context, format!("Give {} the collation {name}", child.name), Safety::Manual, vec![change]))
}

fn judge(engine: Engine, relation: &Relation, child: &Column, parent: &Column) -> Option<Finding> {
    let holds_text = |c: &Column| matches!(c.data_type.family, Family::Text | Family::Any | Family::Other | Family::Uuid);
    if !holds_text(child) || !holds_text(parent) {
        return None;
    }
    let facts = engine.facts();
    let name = |c: &Column| c.collation.as_ref().map_or_else(|| facts.types.default_collation.to_string(), |c| c.name.clone());
    let (mine, theirs) = (name(child), name(parent));
    let same = facts.types.same_collation(&mine, &theirs);
    let deterministic = |c: &Column| c.collation.as_ref().is_none_or(|c| c.deterministic);
    // PostgreSQL: texts are equal under any deterministic collation if their bytes are. A join of two columns then works if
    // one has the default collation (manual, 24.2.1 "Concepts").
    let bytes_decide = facts.types.bytes_decide && deterministic(child) && deterministic(parent);
    if same || bytes_decide && (child.collation.is_none() || parent.collation.is_none()) {
        return None;
    }
    let why = match facts.keys.lookup_collation {
        LookupCollation::Same => {
            format!("{engine} does not let a key compare `{mine}` with `{theirs}`: it cannot be declared.")
        }
        LookupCollation::Parent => format!(
            "The foreign key compares by the parent's `{theirs}`; a join compares by the collation of its left side, so rows \
             that the key accepts can be lost by `ON {0} = {1}` and found by `ON {1} = {0}`. An index on the child sorted by \
             `{mine}` cannot serve the key.",
            format_args!("{}.{}", relation.child, child.name),
            format_args!("{}.{}", relation.parent, parent.name),
        ),
        LookupCollation::ParentUnlessDeterministic if bytes_decide => format!(
            "The key itself works, but a join of the two columns fails with `could not determine which collation to use` \
             (42P22) unless it says `COLLATE`: neither `{mine}` nor `{theirs}` is the default collation."
        ),
        LookupCollation::ParentUnlessDeterministic => format!(
            "What counts as equal depends on which side's collation is used: `{mine}` or `{theirs}`. PostgreSQL 18 refuses the \
             key (42P21), so a dump of this database cannot be restored there; before, an index on the child sorted by \
             `{mine}` may not serve the key."
        ),
    };
    let message = format!(
        "{}.{} has collation `{mine}`, its parent {}.{} `{theirs}`",
        relation.child, child.name, relation.parent, parent.name
    );
    let mut finding = Finding::new(&META, Subject::relation(relation), message)
        .contradiction()
        .why(why)
        .help(format!("Give `{}` the parent's collation `{theirs}`, or the parent the child's.", child.name))
        .fact(format!("{}.{}", relation.child, child.name), Fact::Type, format!("collation {mine}"))
        .fact(format!("{}.{}", relation.parent, parent.name), Fact::Type, format!("collation {theirs}"));
    if relation.columns.len() > 1 {
        finding = finding.distinguished_by(&child.name);
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Collation, Schema};
    use crate::testing::{findings, schema};

    fn collate(s: &mut Schema, table: &str, name: &str, deterministic: bool) {
        let table = s.table_mut(&table.into()).unwrap();
        for column in &mut table.columns {
            column.collation = Some(Collation { name: name.into(), deterministic });
        }
    }

    #[test]
    fn sqlite_compares_by_the_parent() {
        let mut s = schema(Engine::Sqlite, &["p: k text pk", "c: k text >p.k"]);
        assert_eq!(findings(&s, "foreign-key-collation-mismatch"), []);
        collate(&mut s, "p", "NOCASE", false);
        let found = findings(&s, "foreign-key-collation-mismatch");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "c.k has collation `BINARY`, its parent p.k `NOCASE`");
        collate(&mut s, "c", "nocase", false);
        assert_eq!(findings(&s, "foreign-key-collation-mismatch"), []);
    }

    #[test]
    fn postgres_minds_collations_that_clash_or_call_different_bytes_equal() {
        let mut s = schema(Engine::Postgres, &["p: k text pk", "c: k text >p.k"]);
        collate(&mut s, "p", "C", true);
        assert_eq!(findings(&s, "foreign-key-collation-mismatch"), []);
        collate(&mut s, "c", "POSIX", true);
        assert!(findings(&s, "foreign-key-collation-mismatch")[0].why.contains("42P22"));
        collate(&mut s, "p", "ci", false);
        assert!(findings(&s, "foreign-key-collation-mismatch")[0].why.contains("42P21"));
    }

    #[test]
    fn numbers_have_no_collation() {
        let mut s = schema(Engine::Sqlite, &["p: k integer pk", "c: k integer >p.k"]);
        collate(&mut s, "p", "NOCASE", false);
        assert_eq!(findings(&s, "foreign-key-collation-mismatch"), []);
    }
}
