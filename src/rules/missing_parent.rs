//! `missing-parent`: a key refers to a table or a column that is not there.

use super::helpers::fix;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Finding, Safety, Severity, Subject};
use crate::relations::Relation;
use crate::schema::facts::MissingParent;

pub(crate) static META: Meta = Meta {
    code: "REF103",
    name: "missing-parent",
    severity: Severity::Error,
    summary: "A key refers to a table or a column that does not exist",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/missing-parent.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for relation in context.relations.relations() {
        let parent = context.schema.table(&relation.parent);
        let missing = match parent {
            None => vec![],
            Some(table) => {
                let missing: Vec<&str> =
                    relation.parent_columns.iter().filter(|c| table.column(c).is_none()).map(String::as_str).collect();
                if missing.is_empty() {
                    continue;
                }
                missing
            }
        };
        findings.push(finding(context, relation, &missing));
    }
}

/// `missing` is empty if the whole table is.
fn finding(context: &Context<'_>, relation: &Relation, missing: &[&str]) -> Finding {
    let (child, parent) = (&relation.child, &relation.parent);
    let side = relation.child_side();
    let message = if missing.is_empty() {
        format!("{side} refers to table `{parent}`, which does not exist")
    } else {
        format!("{side} refers to column `{}` of `{parent}`, which does not exist", missing.join("`, `"))
    };
    let finding = Finding::new(&META, Subject::relation(relation), message);
    let Some(key) = relation.foreign_key() else {
        return finding.why("The relation cannot be declared or checked.").help(
            "Correct the relation in referee.toml, or create what it names.",
        );
    };
    let engine = context.schema.engine;
    let why = match (engine.facts().keys.missing_parent, missing.is_empty()) {
        (MissingParent::Accepted, true) => format!(
            "With foreign keys on, every INSERT into `{child}`, DELETE from it and UPDATE of its key fails with `no such \
             table`, whatever the values; with them off, nothing is checked."
        ),
        (MissingParent::Accepted, false) => format!(
            "With foreign keys on, every INSERT into `{child}`, and every DELETE from `{child}` or from `{parent}`, fails with \
             `foreign key mismatch`, even if it concerns no row; with them off, nothing is checked."
        ),
        (MissingParent::RefusedUnlessOff, true) => format!(
            "{engine} accepts such a key only while foreign_key_checks is off, as a dump is loaded; once it is on, every row \
             written to `{child}` that refers to something is refused."
        ),
        (MissingParent::RefusedUnlessOff, false) | (MissingParent::Refused, _) => {
            format!("{engine} refuses such a key, so this schema cannot be created as it is written.")
        }
    };
    let drop = Change::DropForeignKey { table: child.clone(), foreign_key: key.clone() };
    let what = if missing.is_empty() { format!("table `{parent}`") } else { format!("the columns of `{parent}`") };
    finding
        .why(why)
        .help(format!("Create {what}, correct the name in the key (a rename may have left it behind), or drop the key."))
        .fix(fix(context, "Drop the foreign key", Safety::Manual, vec![drop]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::testing::{findings, schema};

    #[test]
    fn missing_table_and_missing_column_are_told_apart() {
        let s = schema(
            Engine::Sqlite,
            &["p: id integer pk", "a: p integer >p.id", "b: p integer >p.nope", "c: p integer >gone.id"],
        );
        let found = findings(&s, "missing-parent");
        let messages: Vec<&str> = found.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "b.p refers to column `nope` of `p`, which does not exist",
                "c.p refers to table `gone`, which does not exist"
            ]
        );
        assert!(found[0].why.contains("foreign key mismatch") && found[1].why.contains("no such table"));
        assert_eq!(found[0].severity, Severity::Error);
    }

    #[test]
    fn innodb_takes_a_missing_table_while_its_checks_are_off() {
        let why = |engine, key: &str| {
            let s = schema(engine, &["p: id bigint pk", &format!("c: p bigint {key}")]);
            findings(&s, "missing-parent")[0].why.clone()
        };
        for engine in [Engine::Mysql, Engine::Mariadb] {
            assert!(why(engine, ">gone.id").contains("only while foreign_key_checks is off"));
            assert!(why(engine, ">p.nope").contains("refuses such a key"));
        }
        assert!(why(Engine::Postgres, ">gone.id").contains("refuses such a key"));
    }
}
