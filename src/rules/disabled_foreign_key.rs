//! `disabled-foreign-key`: a key that is in the catalog and does nothing, or half of what it says.

use super::helpers::fix;
use super::wording::{key_name, key_place};
use super::{Context, Meta};
use crate::change::Change;
use crate::engine::Dialect;
use crate::findings::{Fact, Finding, Fix, Safety, Severity, Subject};
use crate::schema::{DisabledSide, Engine, ForeignKey, Table};

pub(crate) static META: Meta = Meta {
    code: "REF303",
    name: "disabled-foreign-key",
    severity: Severity::Error,
    summary: "A foreign key does nothing: its triggers are switched off, or it is NOT ENFORCED",
    engines: &[Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/disabled-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (table, key) in context.schema.foreign_keys() {
        if !key.enforced {
            findings.push(not_enforced(context, table, key));
        } else if let Some(side) = key.disabled {
            findings.push(disabled(context, table, key, side));
        }
    }
}

/// PostgreSQL 18, "CREATE TABLE", NOT ENFORCED: the declaration says so, hence no error.
fn not_enforced(context: &Context<'_>, table: &Table, key: &ForeignKey) -> Finding {
    let name = key_name(&table.name, key);
    let finding = Finding::new(
        &META,
        Subject::foreign_key(&table.name, key),
        format!("Foreign key {name} is NOT ENFORCED: it documents a relation and checks nothing"),
    )
    .severity(Severity::Warning)
    .why(format!(
        "`{}` accepts rows without a parent in `{}`, and a delete of a parent leaves its children behind: ON DELETE {} is \
         not carried out.",
        table.name, key.parent, key.on_delete
    ))
    .help(
        "Enforce it when the rows allow it: ALTER CONSTRAINT … ENFORCED checks every row at once, fails (error 23503) if \
         one has no parent, and locks both tables while it does.",
    )
    .fact(key_place(&table.name, key), Fact::NotEnforced, "NOT ENFORCED");
    let sql = context.dialect.zip(key.name.as_ref()).map(|(d, constraint)| {
        format!("ALTER TABLE {} ALTER CONSTRAINT {} ENFORCED", d.table(&table.name), d.identifier(constraint))
    });
    let title = "Make the key anew, enforced, and check its rows";
    finding
        .fix(fix(context, title, Safety::Manual, vec![anew(table, key)]))
        .fix(manual("Enforce the key", sql.into_iter().collect()))
}

/// A key that is made anew is enforced, its triggers are on, and its rows can be checked without locking writers out.
fn anew(table: &Table, key: &ForeignKey) -> Change {
    let new = ForeignKey { enforced: true, disabled: None, validated: true, ..key.clone() };
    Change::ReplaceForeignKey { table: table.name.clone(), old: key.clone(), new }
}

fn disabled(context: &Context<'_>, table: &Table, key: &ForeignKey, side: DisabledSide) -> Finding {
    let (child, parent) = (&table.name, &key.parent);
    let inserts = format!("inserts and updates of `{child}` are not checked");
    let deletes = format!(
        "deletes and updates of `{parent}` neither look for children nor carry out ON DELETE {}",
        key.on_delete
    );
    let (tables, effect) = match side {
        DisabledSide::Child => (vec![child], inserts),
        DisabledSide::Parent => (vec![parent], deletes),
        DisabledSide::Both if child == parent => (vec![child], format!("{inserts}, and {deletes}")),
        DisabledSide::Both => (vec![child, parent], format!("{inserts}, and {deletes}")),
    };
    let place = |t: &&crate::schema::TableName| format!("`{t}`");
    let on = super::wording::list(&tables.iter().map(place).collect::<Vec<_>>());
    let mut finding = Finding::new(
        &META,
        Subject::foreign_key(child, key),
        format!("Foreign key {} is switched off: its triggers on {on} are disabled", key_name(child, key)),
    )
    // PostgreSQL, "ALTER TABLE", DISABLE TRIGGER ALL: includes the triggers that implement foreign keys.
    .why(format!(
        "Since DISABLE TRIGGER ALL on {on}, {effect}. The catalog still calls the key valid, so nothing else tells you."
    ))
    .help(
        "Switch the triggers on again; ENABLE TRIGGER ALL also switches on triggers of your own that were off. That does not \
         look at the rows written meanwhile, and VALIDATE CONSTRAINT skips a key that counts as valid: look for rows without a \
         parent with `referee audit --data`, then drop the key and add it again to have every row checked.",
    );
    for table in &tables {
        finding = finding.label(table.to_string(), "triggers of the key disabled");
    }
    finding = finding.fact(key_place(child, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete));
    let enable = |d: &dyn Dialect| -> Vec<String> {
        tables.iter().map(|t| format!("ALTER TABLE {} ENABLE TRIGGER ALL", d.table(t))).collect()
    };
    finding
        .fix(fix(context, "Make the key anew, which checks its rows", Safety::Unsafe, vec![anew(table, key)]))
        .fix(manual("Switch the triggers on", context.dialect.map(enable).unwrap_or_default()))
}

fn manual(title: &str, sql: Vec<String>) -> Fix {
    Fix { title: title.to_string(), safety: Safety::Manual, changes: Vec::new(), sql }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use crate::testing::{findings, schema};

    const RULE: &str = "disabled-foreign-key";

    fn with(change: impl Fn(&mut ForeignKey)) -> Schema {
        let mut schema = schema(Engine::Postgres, &["p: id int pk", "c: p_id int >p.id cascade"]);
        change(&mut schema.table_mut(&"c".into()).unwrap().foreign_keys[0]);
        schema
    }

    #[test]
    fn each_side_has_its_own_effect() {
        assert_eq!(findings(&with(|_| {}), RULE), []);
        let child = findings(&with(|k| k.disabled = Some(DisabledSide::Child)), RULE);
        assert_eq!(child[0].severity, Severity::Error);
        assert!(child[0].why.contains("inserts and updates of `c`") && !child[0].why.contains("CASCADE"));
        assert_eq!(child[0].fixes[1].sql, ["ALTER TABLE c ENABLE TRIGGER ALL"]);
        let parent = findings(&with(|k| k.disabled = Some(DisabledSide::Parent)), RULE);
        assert!(parent[0].why.contains("ON DELETE CASCADE") && !parent[0].why.contains("inserts"));
        let both = findings(&with(|k| k.disabled = Some(DisabledSide::Both)), RULE);
        assert_eq!(both[0].fixes[1].sql.len(), 2);
    }

    #[test]
    fn made_anew_it_acts_and_is_checked() {
        let changes: [fn(&mut ForeignKey); 2] =
            [|k| k.disabled = Some(DisabledSide::Both), |k| (k.enforced, k.validated) = (false, false)];
        for change in changes {
            let mut s = with(change);
            let found = findings(&s, RULE);
            found[0].fixes[0].changes[0].apply(&mut s).unwrap();
            let key = &s.table(&"c".into()).unwrap().foreign_keys[0];
            assert!(key.is_active() && key.validated);
            assert_eq!(findings(&s, RULE), []);
        }
    }

    #[test]
    fn not_enforced_is_a_warning_with_a_way_back() {
        let found = findings(&with(|k| (k.enforced, k.validated) = (false, false)), RULE);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].fixes[1].sql, ["ALTER TABLE c ALTER CONSTRAINT c_p_id_fkey ENFORCED"]);
    }
}
