//! `partial-composite-foreign-key`: a key of several columns of which more than one can be NULL.

use super::helpers::fix;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Finding, Safety, Severity, Subject};
use crate::schema::{Engine, ForeignKey, Match, Table};

pub(crate) static META: Meta = Meta {
    code: "REF111",
    name: "partial-composite-foreign-key",
    severity: Severity::Warning,
    summary: "A row can fill half of a composite foreign key, and that half is checked against nothing",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/partial-composite-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for table in context.schema.logical_tables() {
        for key in table.foreign_keys.iter().filter(|k| k.columns.len() > 1 && !k.temporal) {
            let nullable: Vec<&str> = key.columns.iter().map(String::as_str).filter(|c| table.is_nullable(c)).collect();
            // With one nullable column, NULL there means "no parent": nothing is half filled by mistake.
            if nullable.len() < 2 || is_full(context.schema.engine, key) || guarded(table, &nullable) {
                continue;
            }
            findings.push(finding(context, table, key, &nullable));
        }
    }
}

/// Tells whether the engine itself refuses half-filled keys: MATCH FULL where it means something. SQLite, MySQL and MariaDB
/// read the words and ignore them.
fn is_full(engine: Engine, key: &ForeignKey) -> bool {
    engine.facts().keys.is_full(key)
}

/// Tells whether a CHECK speaks of NULL and of all these columns: somebody has thought of it.
fn guarded(table: &Table, columns: &[&str]) -> bool {
    table.checks.iter().any(|check| {
        let text = check.expression.to_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let has_null = words.iter().any(|w| matches!(*w, "null" | "isnull" | "notnull" | "num_nulls" | "num_nonnulls"));
        has_null && columns.iter().all(|c| text.contains(&c.to_lowercase()))
    })
}

fn finding(context: &Context<'_>, table: &Table, key: &ForeignKey, nullable: &[&str]) -> Finding {
    let engine = context.schema.engine;
    let columns = key.columns.join(", ");
    let mut why = "Under MATCH SIMPLE, which is the default, one NULL switches the check off for the whole row: the columns that are \
                   filled may name a parent that never was. No delete of a parent finds such a row either."
        .to_string();
    if key.matching == Match::Full {
        why.push_str(&format!(" The key says MATCH FULL, but {engine} ignores it."));
    }
    let quoted = |c: &str| context.dialect.map_or_else(|| c.to_string(), |d| d.identifier(c));
    let nulls: Vec<String> = nullable.iter().map(|c| format!("({} IS NULL)", quoted(c))).collect();
    let check: Vec<String> = nulls.windows(2).map(|w| w.join(" = ")).collect();
    let check = format!("CHECK ({})", check.join(" AND "));
    let all = nullable.len() == key.columns.len();
    let full = all && engine.facts().keys.match_full && key.set_columns.is_empty();
    let help = if full {
        format!("Make the key MATCH FULL, so that all of its columns are NULL or none is; or set the columns NOT NULL; or add `{check}`.")
    } else {
        format!("Set the columns NOT NULL if every row has a parent; else add `{check}`, so that a row fills all of them or none.")
    };
    let mut finding = Finding::new(
        &META,
        Subject::foreign_key(&table.name, key),
        format!(
            "the foreign key ({columns}) of `{}` to `{}` is not checked where only some of its columns are filled",
            table.name, key.parent
        ),
    )
    .distinguished_by(&key.parent.to_string())
    .why(why)
    .help(help);
    for column in nullable {
        finding = finding.label(format!("{}.{column}", table.name), "can be NULL");
    }
    if full {
        let new = ForeignKey { matching: Match::Full, ..key.clone() };
        let change = Change::ReplaceForeignKey { table: table.name.clone(), old: key.clone(), new };
        finding = finding.fix(fix(context, "Make the key MATCH FULL", Safety::Manual, vec![change]));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Check, Schema};
    use crate::testing::{findings, schema};

    fn composite(engine: Engine, tenant: &str, matching: Match) -> Schema {
        let line = format!("c: id int8 pk, tenant_id int8 {tenant}, p_id int8");
        let mut s = schema(engine, &["p: tenant_id int8 pk, id int8 pk", line.trim()]);
        let mut key = ForeignKey::new(["tenant_id", "p_id"], "p".into(), ["tenant_id", "id"]);
        key.matching = matching;
        key.name = Some("c_p".into());
        s.table_mut(&"c".into()).unwrap().foreign_keys.push(key);
        s
    }

    fn count(s: &Schema) -> usize {
        findings(s, "partial-composite-foreign-key").len()
    }

    #[test]
    fn two_nullable_columns_can_be_half_filled() {
        let s = composite(Engine::Postgres, "", Match::Simple);
        let found = findings(&s, "partial-composite-foreign-key");
        assert_eq!(found.len(), 1);
        assert!(found[0].help.contains("CHECK ((tenant_id IS NULL) = (p_id IS NULL))"), "{}", found[0].help);
        let mut fixed = s.clone();
        found[0].fixes[0].changes[0].apply(&mut fixed).unwrap();
        assert_eq!(count(&fixed), 0);
    }

    #[test]
    fn match_full_helps_only_where_it_is_obeyed() {
        assert_eq!(count(&composite(Engine::Postgres, "", Match::Full)), 0);
        let found = findings(&composite(Engine::Sqlite, "", Match::Full), "partial-composite-foreign-key");
        assert!(found[0].why.contains("SQLite ignores it") && found[0].fixes.is_empty());
    }

    #[test]
    fn tenant_pattern_and_guarded_columns_are_clean() {
        assert_eq!(count(&composite(Engine::Postgres, "not-null", Match::Simple)), 0);
        let mut s = composite(Engine::Postgres, "", Match::Simple);
        let expression = "((tenant_id IS NULL) = (p_id IS NULL))".to_string();
        s.table_mut(&"c".into()).unwrap().checks.push(Check { name: None, expression, validated: true });
        assert_eq!(count(&s), 0);
    }
}
