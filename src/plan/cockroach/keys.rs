//! Foreign keys on CockroachDB. A key is added NOT VALID and validated by a second job, so that rows which fail it do not undo
//! the first.

use super::super::servers::builder::{Builder, Draft, arrow, short_hash};
use super::super::servers::keys as shared;
use super::super::servers::sql;
use super::super::{Guard, Phase, Step, Wanted};
use super::{catalog, one, orphans, plain, undone_by};
use crate::change::Change;
use crate::schema::{ForeignKey, TableName, Timing, Version};

/// Adds a key.
pub(super) fn add(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<Vec<Step>, String> {
    let (name, key) = shared::made_now(builder, table, key)?;
    check(builder, table, &key)?;
    let mut steps = shared::nullable(builder, want, table, &key, super::set_nullable)?;
    let (cleaned, guards) = orphans::before_key(builder, want, table, &key)?;
    steps.extend(cleaned);
    steps.extend(added(builder, want, table, &key, &name, &name, guards)?);
    Ok(steps)
}

/// The steps that add a key under one name, which may become another later, and have its rows checked.
fn added(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    name: &str,
    in_the_end: &str,
    mut guards: Vec<Guard>,
) -> Result<Vec<Step>, String> {
    let unchecked = ForeignKey { name: Some(name.to_string()), validated: false, ..key.clone() };
    guards.push(shared::name_is_free(catalog::constraint(builder, table, name), table, name));
    let up = add_sql(builder, table, key, name);
    let down = undone_by(drop_sql(builder, table, name), Vec::new());
    let done = Some(catalog::key(builder, table, key, &[name, in_the_end], false));
    let title = format!("Add the foreign key {}; rows that are there are not checked yet", arrow(table, key));
    let change = Change::AddForeignKey { table: table.clone(), foreign_key: unchecked.clone() };
    let draft = plain(Phase::Constrain, title, change, up, down, done);
    let mut steps = vec![builder.step(want, Draft { guards, ..draft })?];
    if key.validated {
        steps.push(checked(builder, want, table, &unchecked, name, in_the_end)?);
    }
    Ok(steps)
}

fn checked(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    name: &str,
    in_the_end: &str,
) -> Result<Step, String> {
    let up = format!("{} VALIDATE CONSTRAINT {}", sql::alter(builder, table), builder.dialect.identifier(name));
    // No statement takes a validation back, and the same name cannot be dropped and added at once. Nothing depends on it.
    let down = super::Down::Script { script: super::Script::default(), guards: Vec::new() };
    let done = Some(catalog::key(builder, table, key, &[name, in_the_end], true));
    let title = format!("Check the rows of the foreign key {}", arrow(table, key));
    let change = Change::ValidateForeignKey { table: table.clone(), foreign_key: key.clone() };
    let draft = plain(Phase::Validate, title, change, up, down, done);
    builder.step(want, draft)
}

/// Has the rows of a key checked.
pub(super) fn validate(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<Vec<Step>, String> {
    let name = sql::key_name(builder.table(table)?, key);
    let (mut steps, guards) = orphans::before_key(builder, want, table, key)?;
    if key.validated && builder.is_clean(table, key) {
        // The step that cleans several tables up has counted its orphans again.
        return Ok(steps);
    }
    if key.validated {
        return shared::cleaned_under_valid_key(table, key, steps);
    }
    let mut step = checked(builder, want, table, key, &name, &name)?;
    step.guards.extend(guards);
    steps.push(step);
    Ok(steps)
}

/// Puts one key in the place of another: a new name, the old key goes, the new one is renamed.
pub(super) fn replace(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    old: &ForeignKey,
    new: &ForeignKey,
) -> Result<Vec<Step>, String> {
    let child = builder.table(table)?;
    let (old_name, name) = (sql::key_name(child, old), sql::key_name(child, new));
    let (_, new) = shared::made_now(builder, table, new)?;
    check(builder, table, &new)?;
    let mut steps = shared::nullable(builder, want, table, &new, super::set_nullable)?;
    let has_orphans = want.orphans.is_some_and(|n| n > 0);
    let holds = old.validated && shared::same_question(old, &new) && !has_orphans;
    let mut guards = Vec::new();
    if !holds {
        let (cleaned, guard) = orphans::before_key(builder, want, table, &new)?;
        steps.extend(cleaned);
        guards = guard;
    }
    let passing = if name == old_name {
        format!("{name}_{}", &short_hash(&sql::key_body(builder, &new))[..6])
    } else {
        name.clone()
    };
    steps.extend(added(builder, want, table, &new, &passing, &name, guards)?);
    steps.push(drop(builder, want, table, old, Phase::Drop)?);
    if passing != name {
        steps.push(rename(builder, want, table, &new, &passing, &name)?);
    }
    Ok(steps)
}

fn rename(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    from: &str,
    to: &str,
) -> Result<Step, String> {
    let statement = |from: &str, to: &str| {
        let (from, to) = (builder.dialect.identifier(from), builder.dialect.identifier(to));
        format!("{} RENAME CONSTRAINT {from} TO {to}", sql::alter(builder, table))
    };
    // Issue 148341: RENAME CONSTRAINT is the older schema changer's, which does not unlock a table.
    let locked = builder.context.schema.version.is_none_or(|v| v >= Version::new(26, 1, 0));
    let guards: Vec<Guard> = locked
        .then(|| Guard {
            sql: catalog::schema_locked(builder, table),
            found: format!("`{table}` is schema_locked, and RENAME CONSTRAINT does not unlock it"),
            advice: format!(
                "run `{} SET (schema_locked = false)`, then this again, then set it back to true",
                sql::alter(builder, table)
            ),
        })
        .into_iter()
        .collect();
    let down = undone_by(statement(to, from), guards.clone());
    let done = Some(catalog::key(builder, table, key, &[to], false));
    let change = Change::RenameConstraint { table: table.clone(), name: from.to_string(), to: to.to_string() };
    let title = format!("Give the foreign key {} its name {to}", arrow(table, key));
    let draft = plain(Phase::CleanUp, title, change, statement(from, to), down, done);
    builder.step(want, Draft { guards, ..draft })
}

/// Drops a key.
pub(super) fn drop(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    phase: Phase,
) -> Result<Step, String> {
    let name = sql::key_name(builder.table(table)?, key);
    let mut down = one(add_sql(builder, table, key, &name));
    if key.validated {
        down.statements.push(format!(
            "{} VALIDATE CONSTRAINT {}",
            sql::alter(builder, table),
            builder.dialect.identifier(&name)
        ));
    }
    let down = super::Down::Script { script: down, guards: Vec::new() };
    let done = Some(format!("SELECT 1 WHERE NOT EXISTS ({})", catalog::key(builder, table, key, &[&name], false)));
    let title = format!("Drop the foreign key {name} of {table}");
    let change = Change::DropForeignKey { table: table.clone(), foreign_key: key.clone() };
    let up = drop_sql(builder, table, &name);
    builder.step(want, plain(phase, title, change, up, down, done))
}

fn add_sql(builder: &Builder<'_>, table: &TableName, key: &ForeignKey, name: &str) -> String {
    let (name, body) = (builder.dialect.identifier(name), sql::key_body(builder, key));
    format!("{} ADD CONSTRAINT {name} {body} NOT VALID", sql::alter(builder, table))
}

fn drop_sql(builder: &Builder<'_>, table: &TableName, name: &str) -> String {
    format!("{} DROP CONSTRAINT {}", sql::alter(builder, table), builder.dialect.identifier(name))
}

/// Says what forbids a key.
fn check(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> Result<(), String> {
    // Issue 31632: DEFERRABLE is not implemented. The list of SET NULL, PERIOD and NOT ENFORCED are PostgreSQL's alone.
    if key.timing != Timing::Immediate || !key.set_columns.is_empty() || key.temporal || !key.enforced {
        return Err(
            "CockroachDB has no such key: none is deferrable, sets only some columns, has a PERIOD or is not enforced"
                .into(),
        );
    }
    shared::fits(builder, table, key)
}
