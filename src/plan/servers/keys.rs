//! What the recipes of PostgreSQL and CockroachDB say alike of a foreign key. It writes no statement: those differ.

use super::super::{Guard, Step, Wanted};
use super::builder::{Builder, arrow};
use super::sql;
use crate::change::Change;
use crate::schema::{Action, ForeignKey, Table, TableName};

/// Returns a key as it is when it is made now: with its name, and acting after all that are there.
pub(in crate::plan) fn made_now(
    builder: &Builder<'_>,
    table: &TableName,
    key: &ForeignKey,
) -> Result<(String, ForeignKey), String> {
    let name = sql::key_name(builder.table(table)?, key);
    let made = ForeignKey { name: Some(name.clone()), firing_order: builder.newest(), ..key.clone() };
    Ok((name, made))
}

/// Makes the guard that no other constraint has a key's name; `sql` asks for one.
pub(in crate::plan) fn name_is_free(sql: String, table: &TableName, name: &str) -> Guard {
    Guard {
        sql,
        found: format!("`{table}` already has another constraint of the name {name}"),
        advice: "rename or drop it, or plan again".to_string(),
    }
}

/// Says what a key lacks on either side: a column, or what makes the parent's columns unique.
pub(in crate::plan) fn fits(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> Result<(), String> {
    let missing = |t: &Table, columns: &[String]| {
        let column = columns.iter().find(|c| t.column(c).is_none())?;
        Some(format!("`{}` has no column `{column}`", t.name))
    };
    let (child, parent) = (builder.table(table)?, builder.table(&key.parent)?);
    if let Some(why) = missing(child, &key.columns).or_else(|| missing(parent, &key.parent_columns)) {
        return Err(why);
    }
    // Another repair of the same plan may make it unique first.
    let unique = builder.target.table(&key.parent).is_some_and(|t| t.is_unique(&key.parent_columns));
    if unique || key.temporal {
        return Ok(());
    }
    Err(format!(
        "nothing makes ({}) of `{}` unique, so no key can refer to it: add a unique index first",
        key.parent_columns.join(", "),
        key.parent
    ))
}

/// Makes a column nullable.
pub(in crate::plan) type Loosen = fn(&mut Builder<'_>, &Wanted, &TableName, &str, bool) -> Result<Step, String>;

/// Makes the columns nullable that a key sets to NULL, unless somebody does so anyway.
pub(in crate::plan) fn nullable(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    loosen: Loosen,
) -> Result<Vec<Step>, String> {
    let mut all: Vec<String> = Vec::new();
    if key.on_delete == Action::SetNull {
        all.extend(key.changed_columns().iter().cloned());
    }
    if key.on_update == Action::SetNull {
        all.extend(key.columns.iter().cloned());
    }
    all.sort();
    all.dedup();
    let mut steps = Vec::new();
    for column in all {
        let wanted = builder.target.table(table).is_none_or(|t| t.is_nullable(&column));
        if wanted || builder.table(table)?.is_nullable(&column) {
            continue;
        }
        steps.push(loosen(builder, want, table, &column, true)?);
        // The next key on these columns finds it done.
        let change = Change::SetNullable { table: table.clone(), column, nullable: true };
        let _ = change.apply(&mut builder.target);
    }
    Ok(steps)
}

/// Tells whether two keys ask the same of a child's rows, whatever they do when a parent goes.
pub(in crate::plan) fn same_question(a: &ForeignKey, b: &ForeignKey) -> bool {
    (&a.columns, &a.parent, &a.parent_columns, a.matching, a.temporal)
        == (&b.columns, &b.parent, &b.parent_columns, b.matching, b.temporal)
}

/// Returns the steps that clean up under a key that is marked valid already, and says in them what shows that it holds afterwards.
///
/// # Errors
/// There are none: a validation by itself would check nothing.
pub(in crate::plan) fn cleaned_under_valid_key(
    table: &TableName,
    key: &ForeignKey,
    mut steps: Vec<Step>,
) -> Result<Vec<Step>, String> {
    // PostgreSQL manual, ALTER TABLE: "Nothing happens if the constraint is already marked valid."
    if steps.is_empty() {
        return Err(format!(
            "the foreign key {} is marked valid already, so VALIDATE CONSTRAINT would check no row: say what becomes of its orphans \
             (--orphans), or drop it and add it again as NOT VALID, then validate it",
            arrow(table, key)
        ));
    }
    for step in steps.iter_mut().filter(|s| s.touches_rows) {
        step.why.push_str(
            " The foreign key is marked valid already, so VALIDATE CONSTRAINT would check no row: the orphans are counted again instead.",
        );
    }
    Ok(steps)
}
