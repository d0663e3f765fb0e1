//! Steps for tools that run a whole file in one transaction (Drizzle, sqlx, golang-migrate, goose, dbmate).
//!
//! There `PRAGMA foreign_keys = OFF` has no effect ("PRAGMA foreign_keys"), and whether keys are enforced is not known. A
//! table that another refers to cannot be rebuilt then: the drop of the old one deletes rows of its children, or fails; and
//! its rename rewrites their REFERENCES. Putting a new column in an old one's place instead would do, but the column would
//! move to the end, which every `INSERT` without a list of columns notices. So such a step has to be run apart.

use super::super::{Down, Plan, Script, Step, Transaction};
use super::rebuild::foreign_keys_are_off;
use crate::schema::{Action, Schema, TableName};

/// Returns the step as it may run inside a tool's transaction, whether foreign keys are enforced in it or not: its scripts
/// have nothing before and after them.
///
/// `plan` is the plan that the step is of: keys that its other steps add count, too.
///
/// # Errors
/// It cannot be run there, and why. Its own script then has to be run apart: outside of any transaction, stopping at the
/// first error (`sqlite3 -bail`).
pub fn inside_transaction(plan: &Plan, step: &Step) -> Result<Step, String> {
    let guard = foreign_keys_are_off();
    let is_rebuild = step.up.statements.contains(&guard);
    let mut made = step.clone();
    if is_rebuild {
        let table = step.changes.first().map(crate::change::Change::table).ok_or("the step changes no table")?;
        for schema in [&plan.before, &plan.after] {
            may_be_dropped(schema, table)?;
        }
    } else if step.touches_rows {
        let table = step.locks.first().map(|l| &l.table).ok_or("the step changes no table")?;
        let deletes = step.up.statements.iter().any(|s| s.starts_with("DELETE"));
        let past_keys = |script: &Script| script.before.iter().any(|s| s == "PRAGMA foreign_keys = OFF");
        if past_keys(&step.up) {
            let one = step.locks.iter().all(|l| l.table == *table);
            let of = if one { table.to_string() } else { "several tables".to_string() };
            let change = if deletes { "rows" } else { "references" };
            let what = if deletes { "go" } else { "become NULL" };
            return Err(format!(
                "{change} of {of} {what}, and inside a transaction foreign keys cannot be switched off"
            ));
        }
        if let Down::Script { script, .. } = &step.down
            && past_keys(script)
        {
            return Err(format!(
                "an undo restores rows of {table} that have no parent, and inside a transaction foreign keys cannot be switched off"
            ));
        }
        // Without enforcement nothing is done for those who refer to a row that goes.
        if let Some(child) = referring(&plan.before, table).filter(|_| deletes) {
            return Err(format!(
                "rows of {table} go, to which {child} refers; what becomes of its rows depends on whether the tool's \
                 connection enforces foreign keys"
            ));
        }
    }
    made.up = bare(&step.up, &guard);
    if let Down::Script { script, guards } = &step.down {
        made.down = Down::Script { script: bare(script, &guard), guards: guards.clone() };
    }
    Ok(made)
}

/// Returns a table that refers to another one.
fn referring<'s>(schema: &'s Schema, parent: &TableName) -> Option<&'s TableName> {
    let refers = |key: &crate::schema::ForeignKey| key.parent.name.eq_ignore_ascii_case(&parent.name);
    schema.foreign_keys().find(|(child, key)| child.name != *parent && refers(key)).map(|(child, _)| &child.name)
}

fn may_be_dropped(schema: &Schema, table: &TableName) -> Result<(), String> {
    if let Some(child) = referring(schema, table) {
        return Err(format!(
            "{table} has to be rebuilt, and {child} refers to it: inside a transaction foreign keys cannot be switched off, \
             and dropping the old table would delete or change rows of {child}"
        ));
    }
    // The old table's own rows go with the drop, one after another: an action that looks at each row may forbid it.
    let own = schema.table(table).into_iter().flat_map(|t| &t.foreign_keys).filter(|k| k.parent == *table);
    for key in own {
        if !matches!(key.on_delete, Action::NoAction | Action::Cascade) {
            return Err(format!(
                "{table} has to be rebuilt, and refers to itself with ON DELETE {}: inside a transaction foreign keys cannot \
                 be switched off, and dropping the old table would run into it",
                key.on_delete
            ));
        }
    }
    Ok(())
}

/// Returns a script without what has no effect in a transaction.
fn bare(script: &Script, guard: &str) -> Script {
    Script {
        statements: script.statements.iter().filter(|s| *s != guard).cloned().collect(),
        transaction: Transaction::Own,
        ..Script::default()
    }
}
