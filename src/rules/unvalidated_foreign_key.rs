//! `unvalidated-foreign-key`: a key that was added NOT VALID and whose older rows nobody has checked.

use super::helpers::fix;
use super::wording::{key_name, key_place, rows};
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::orphans::{Orphans, Outcome};
use crate::schema::{Engine, ForeignKey, Table};

pub(crate) static META: Meta = Meta {
    code: "REF302",
    name: "unvalidated-foreign-key",
    severity: Severity::Warning,
    summary: "A foreign key is NOT VALID: rows from before it were never checked",
    engines: &[Engine::Postgres, Engine::Cockroach],
    needs_data: false,
    page: include_str!("../../docs/rules/unvalidated-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (table, key) in context.schema.foreign_keys() {
        // What is NOT ENFORCED is never valid, and cannot be validated: `disabled-foreign-key` tells of it.
        if key.validated || !key.enforced {
            continue;
        }
        let counted = counted(context, table, key);
        let (safety, next) = match counted {
            Some(orphans) if orphans.count > 0 => (
                Safety::Manual,
                format!(
                    "{} would fail the check (error 23503): repair or remove them first (see orphan-rows), then validate.",
                    rows(orphans.count)
                ),
            ),
            Some(_) => (Safety::Safe, "No row would fail the check: validate.".to_string()),
            None => (
                Safety::Unsafe,
                "Look for rows without a parent first (`referee audit --data`): one is enough to make the validation fail. \
                 Then validate."
                    .to_string(),
            ),
        };
        let lock = match context.schema.engine.facts().alter.validate_lock {
            Some(_) => " VALIDATE CONSTRAINT reads the whole child table, but lets reads and writes go on.",
            None => "",
        };
        let mut finding = Finding::new(
            &META,
            Subject::foreign_key(&table.name, key),
            format!("Foreign key {} is NOT VALID: rows from before it were never checked", key_name(&table.name, key)),
        )
        .why(format!(
            "New rows of `{}` are checked and ON DELETE works, so the key looks whole. But a row that had no parent in `{}` \
             when the key was added still has none, and an UPDATE that gives its key another missing value is the first to \
             notice.",
            table.name, key.parent
        ))
        .help(format!("{next}{lock}"))
        .fact(key_place(&table.name, key), Fact::NotValid, "NOT VALID");
        if let Some(orphans) = counted {
            finding = finding.evidence(&orphans.query, rows(orphans.count));
        }
        let change = Change::ValidateForeignKey { table: table.name.clone(), foreign_key: key.clone() };
        findings.push(finding.fix(fix(context, "Have the engine check the rows", safety, vec![change])));
    }
}

/// Returns what the rows say of a key, if they were read.
fn counted<'a>(context: &Context<'a>, table: &Table, key: &ForeignKey) -> Option<&'a Orphans> {
    let outcomes = &context.scan?.outcomes;
    let mut all = context.relations.relations().iter().zip(outcomes);
    all.find_map(|(relation, outcome)| match outcome {
        Outcome::Counted(orphans) if relation.child == table.name && relation.foreign_key() == Some(key) => {
            Some(orphans)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orphans::Scan;
    use crate::rules::{self, Settings};
    use crate::schema::Schema;
    use crate::testing::{findings, graph, schema};

    const RULE: &str = "unvalidated-foreign-key";

    fn unvalidated() -> Schema {
        let mut schema = schema(Engine::Postgres, &["p: id int pk", "c: p_id int >p.id"]);
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].validated = false;
        schema
    }

    fn with_orphans(schema: &Schema, count: u64) -> Vec<Finding> {
        let orphans = Orphans { count, samples: Vec::new(), query: "SELECT 1".into() };
        let (scan, relations) = (Scan { outcomes: vec![Outcome::Counted(orphans)], ..Scan::default() }, graph(schema));
        let settings = Settings::default();
        let context = Context {
            schema,
            relations: &relations,
            dialect: None,
            settings: &settings,
            scan: Some(&scan),
            timeline: None,
            plans: None, deletes: rules::Deletes::default(),
        };
        rules::check([rules::find(RULE).unwrap()], &context)
    }

    #[test]
    fn not_valid_is_reported_and_validating_ends_it() {
        let mut schema = unvalidated();
        let found = findings(&schema, RULE);
        assert_eq!(found[0].fixes[0].sql, ["ALTER TABLE c VALIDATE CONSTRAINT c_p_id_fkey"]);
        assert_eq!(found[0].fixes[0].safety, Safety::Unsafe);
        found[0].fixes[0].changes[0].apply(&mut schema).unwrap();
        assert_eq!(findings(&schema, RULE), []);
    }

    #[test]
    fn the_rows_decide_what_comes_next() {
        let schema = unvalidated();
        assert_eq!(with_orphans(&schema, 0)[0].fixes[0].safety, Safety::Safe);
        let found = with_orphans(&schema, 3);
        assert_eq!(found[0].fixes[0].safety, Safety::Manual);
        assert!(found[0].help.starts_with("3 rows would fail"));
        assert_eq!(found[0].evidence[0].returned, "3 rows");
    }

    #[test]
    fn what_is_not_enforced_cannot_be_validated() {
        let mut schema = unvalidated();
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].enforced = false;
        assert_eq!(findings(&schema, RULE), []);
    }
}
