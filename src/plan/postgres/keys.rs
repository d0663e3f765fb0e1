//! Foreign keys: added unchecked and checked afterwards, put in each other's place in one statement, dropped.
//!
//! Manual, ALTER TABLE: ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables, for as long as it reads rows; with NOT VALID it
//! reads none. VALIDATE CONSTRAINT reads under SHARE UPDATE EXCLUSIVE on the child and ROW SHARE on the parent, which shut nobody
//! out. DROP CONSTRAINT and ALTER CONSTRAINT take ACCESS EXCLUSIVE, on the parent, too, where a key goes. Both belong into
//! transactions of their own: in one, the first lock would be held until the rows are read.

use super::super::servers::builder::{Builder, Draft, arrow};
use super::super::servers::keys as shared;
use super::super::{Blocks, Down, Guard, Held, Lock, Phase, Script, Step, Wanted};
use super::partitions::{
    by_partitions, by_partitions_locks, checks_before, drop_and_give_back, give_back, hold_for_all_rows, left_unread,
    taken_over, takes_no_unchecked_key,
};
use super::{catalog, columns, each, exclusive, locks, orphans, sql, visible, whole};
use crate::change::Change;
use crate::schema::{ForeignKey, TableKind, TableName};

/// Adds a key.
pub(super) fn add(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<Vec<Step>, String> {
    let (name, key) = shared::made_now(builder, table, key)?;
    check(builder, table, &key)?;
    let mut steps = shared::nullable(builder, want, table, &key, columns::set_nullable)?;
    let back = give_back(builder, &taken_over(builder, table, &key));
    let held = hold_for_all_rows(builder, table, &key);
    let mut guards = Vec::new();
    if !held {
        let (cleaned, guard) = orphans::before_key(builder, want, table, &key)?;
        steps.extend(cleaned);
        guards = guard;
    }
    guards.push(shared::name_is_free(catalog::constraint(builder, table, &name), table, &name));
    let done = Some(catalog::key(builder, table, &key, &name, false));
    if key.validated && takes_no_unchecked_key(builder, table) {
        let up = each(by_partitions(builder, table, None, &key, &name));
        let script = drop_and_give_back(drop_sql(builder, table, &[&name]), back);
        let down = Down::Script { script, guards: Vec::new() };
        let mut changes = checks_before(&taken_over(builder, table, &key));
        changes.push(Change::AddForeignKey { table: table.clone(), foreign_key: key.clone() });
        let how = if held { "made of its partitions' own" } else { "one partition after the other" };
        let title = format!("Add the foreign key {}, {how}", arrow(table, &key));
        let locks = partition_locks(builder, table, &key, false);
        steps.push(builder.step(
            want,
            Draft {
                phase: Phase::Constrain,
                title,
                why: None,
                changes,
                touches_rows: false,
                up,
                down,
                locks,
                guards,
                done,
            },
        )?);
        return Ok(steps);
    }
    let unchecked = ForeignKey { validated: false, ..key.clone() };
    let takes_over = !taken_over(builder, table, &key).is_empty();
    let unread = left_unread(builder, table, &key);
    let mut statements = vec![format!("{} ADD {}", sql::alter(builder, table), sql::key(builder, &key, &name, true))];
    statements.extend(sql::key_comment(builder, table, &key, &name));
    let not_yet = if key.enforced { "; rows that are there are not checked yet" } else { ", not enforced" };
    let draft = Draft {
        phase: Phase::Constrain,
        title: format!("Add the foreign key {}{not_yet}", arrow(table, &key)),
        why: None,
        changes: vec![Change::AddForeignKey { table: table.clone(), foreign_key: unchecked.clone() }],
        touches_rows: false,
        up: whole(statements),
        down: Down::Script { script: drop_and_give_back(drop_sql(builder, table, &[&name]), back), guards: Vec::new() },
        locks: add_locks(builder, table, &key.parent, takes_over),
        guards,
        done,
    };
    steps.push(builder.step(want, draft)?);
    if key.validated {
        let mut step = validate_step(builder, want, table, &unchecked, &name, Vec::new())?;
        step.locks.retain(|l| !unread.contains(&l.table));
        steps.push(step);
    }
    Ok(steps)
}

/// Has the rows of a key checked.
pub(super) fn validate(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<Vec<Step>, String> {
    if !key.enforced {
        // Manual 18, ALTER TABLE: 55000, cannot validate NOT ENFORCED constraint.
        return Err(format!("the key {} is NOT ENFORCED, and such a key cannot be validated", arrow(table, key)));
    }
    visible::rows_of_key(builder, table, key)?;
    let name = sql::key_name(builder.table(table)?, key);
    let (mut steps, guards) = orphans::before_key(builder, want, table, key)?;
    if key.validated && builder.is_clean(table, key) {
        // The step that cleans several tables up has counted its orphans again.
        return Ok(steps);
    }
    if key.validated {
        return shared::cleaned_under_valid_key(table, key, steps);
    }
    // No statement takes a validation back: the key is made anew, unchecked.
    let again = replace_sql(builder, table, &[&name], key, &name);
    let mut step = validate_step(builder, want, table, key, &name, guards)?;
    step.down = Down::Script { script: whole(again), guards: Vec::new() };
    steps.push(step);
    Ok(steps)
}

fn validate_step(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    name: &str,
    guards: Vec<Guard>,
) -> Result<Step, String> {
    let mut held = locks(builder.family(table), "SHARE UPDATE EXCLUSIVE", Blocks::Nothing, Held::Scan);
    if key.parent != *table {
        held.extend(locks([key.parent.clone()], "ROW SHARE", Blocks::Nothing, Held::Scan));
    }
    let draft = Draft {
        phase: Phase::Validate,
        title: format!("Check the rows of the foreign key {}", arrow(table, key)),
        why: Some(
            "Readers and writers go on while the rows are read; PostgreSQL then marks the constraint valid.".into(),
        ),
        changes: vec![Change::ValidateForeignKey { table: table.clone(), foreign_key: key.clone() }],
        touches_rows: false,
        up: whole(vec![format!(
            "{} VALIDATE CONSTRAINT {}",
            sql::alter(builder, table),
            builder.dialect.identifier(name)
        )]),
        // Nothing to do: the way back of the step that added the key takes the key itself away.
        down: Down::Script { script: whole(Vec::new()), guards: Vec::new() },
        locks: held,
        guards,
        done: Some(catalog::key(builder, table, key, name, true)),
    };
    builder.step(want, draft)
}

/// Puts one key in the place of another.
pub(super) fn replace(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    old: &ForeignKey,
    new: &ForeignKey,
) -> Result<Vec<Step>, String> {
    let child = builder.table(table)?;
    let (old_name, name) = (sql::key_name(child, old), sql::key_name(child, new));
    if new.disabled.is_some() {
        return Err(format!(
            "the triggers of {old_name} are switched off (DISABLE TRIGGER ALL), and a new key's are on: decide whether the key shall act, \
             and switch them on first with `ALTER TABLE … ENABLE TRIGGER ALL`"
        ));
    }
    let only_timing = ForeignKey { timing: new.timing, ..old.clone() };
    let has_orphans = want.orphans.is_some_and(|n| n > 0);
    if only_timing == *new && old.timing != new.timing && new.enforced && !has_orphans {
        return Ok(vec![retime(builder, want, table, old, new, &old_name)?]);
    }
    let (_, new) = shared::made_now(builder, table, new)?;
    check(builder, table, &new)?;
    let mut steps = shared::nullable(builder, want, table, &new, columns::set_nullable)?;
    // Of a key that holds for every row only another that asks for more could fail. One that is called valid may not hold all the
    // same: rows can be written past it.
    let holds = old.validated && old.is_active() && shared::same_question(old, &new) && !has_orphans;
    let mut guards = Vec::new();
    if !holds {
        let (cleaned, guard) = orphans::before_key(builder, want, table, &new)?;
        steps.extend(cleaned);
        guards = guard;
    }
    guards.push(Guard {
        sql: format!(
            "SELECT {} AS gone WHERE NOT EXISTS ({})",
            builder.dialect.literal(&old_name),
            catalog::key(builder, table, old, &old_name, false)
        ),
        found: format!("the key {old_name} of `{table}` is not what it was when the plan was made"),
        advice: "plan again".to_string(),
    });
    if name != old_name {
        guards.push(shared::name_is_free(catalog::constraint(builder, table, &name), table, &name));
    }
    let in_parts = new.validated && takes_no_unchecked_key(builder, table);
    let back = give_back(builder, &taken_over(builder, table, &new));
    let down = if old.disabled.is_some() {
        Down::Impossible(format!(
            "the triggers of the old key {old_name} were switched off; a key that is made anew acts"
        ))
    } else if in_parts {
        let script = back.after(each(by_partitions(builder, table, Some(&name), old, &old_name)));
        Down::Script { script, guards: Vec::new() }
    } else {
        let script = back.after(again(builder, table, &[&name, &old_name], old, &old_name));
        Down::Script { script, guards: Vec::new() }
    };
    let done = Some(catalog::key(builder, table, &new, &name, false));
    let mut draft = Draft {
        phase: Phase::Constrain,
        title: title(table, old, &new),
        why: None,
        changes: Vec::new(),
        touches_rows: false,
        up: Script::default(),
        down,
        locks: Vec::new(),
        guards,
        done,
    };
    if in_parts {
        draft.up = each(by_partitions(builder, table, Some(&old_name), &new, &name));
        draft.locks = partition_locks(builder, table, &new, true);
        draft.changes = checks_before(&taken_over(builder, table, &new));
        draft.changes.push(Change::ReplaceForeignKey { table: table.clone(), old: old.clone(), new });
        steps.push(builder.step(want, draft)?);
        return Ok(steps);
    }
    let unchecked = ForeignKey { validated: false, ..new.clone() };
    draft.up = whole(replace_sql(builder, table, &[&old_name], &unchecked, &name));
    draft.locks = both(builder, table, &old.parent, "ACCESS EXCLUSIVE", Blocks::Everything);
    let unread = left_unread(builder, table, &unchecked);
    if old.parent != new.parent {
        let added = add_locks(builder, table, &new.parent, !taken_over(builder, table, &unchecked).is_empty());
        let known: Vec<TableName> = draft.locks.iter().map(|l| l.table.clone()).collect();
        draft.locks.extend(added.into_iter().filter(|l| !known.contains(&l.table)));
    }
    draft.changes = vec![Change::ReplaceForeignKey { table: table.clone(), old: old.clone(), new: unchecked.clone() }];
    steps.push(builder.step(want, draft)?);
    if new.validated {
        let mut step = validate_step(builder, want, table, &unchecked, &name, Vec::new())?;
        step.locks.retain(|l| !unread.contains(&l.table));
        steps.push(step);
    }
    Ok(steps)
}

/// Says when a key is checked. The key stays, and what it says of the rows.
fn retime(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    old: &ForeignKey,
    new: &ForeignKey,
    name: &str,
) -> Result<Step, String> {
    let statement = |key: &ForeignKey| {
        let body = sql::key_body(builder, key);
        let timing = body.find(" DEFERRABLE").map_or(" NOT DEFERRABLE", |at| &body[at..]);
        vec![format!("{} ALTER CONSTRAINT {}{timing}", sql::alter(builder, table), builder.dialect.identifier(name))]
    };
    let draft = Draft {
        phase: Phase::Constrain,
        title: format!("Change when the foreign key {} is checked", arrow(table, old)),
        why: None,
        changes: vec![Change::AlterForeignKey { table: table.clone(), old: old.clone(), new: new.clone() }],
        touches_rows: false,
        up: whole(statement(new)),
        down: Down::Script { script: whole(statement(old)), guards: Vec::new() },
        locks: exclusive(builder.family(table)),
        guards: Vec::new(),
        done: Some(catalog::key(builder, table, new, name, false)),
    };
    builder.step(want, draft)
}

/// Drops a key.
pub(super) fn drop(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<Step, String> {
    let name = sql::key_name(builder.table(table)?, key);
    let down = if key.disabled.is_some() {
        Down::Impossible(format!("the triggers of the key {name} were switched off; a key that is made anew acts"))
    } else if takes_no_unchecked_key(builder, table) {
        Down::Script { script: each(by_partitions(builder, table, None, key, &name)), guards: Vec::new() }
    } else {
        Down::Script { script: again(builder, table, &[&name], key, &name), guards: Vec::new() }
    };
    let gone = format!("SELECT 1 WHERE NOT EXISTS ({})", catalog::key(builder, table, key, &name, false));
    let draft = Draft {
        phase: Phase::Drop,
        title: format!("Drop the foreign key {name} of {table}"),
        why: None,
        changes: vec![Change::DropForeignKey { table: table.clone(), foreign_key: key.clone() }],
        touches_rows: false,
        up: whole(vec![format!(
            "{} DROP CONSTRAINT {}",
            sql::alter(builder, table),
            builder.dialect.identifier(&name)
        )]),
        down,
        locks: both(builder, table, &key.parent, "ACCESS EXCLUSIVE", Blocks::Everything),
        guards: Vec::new(),
        done: Some(gone),
    };
    builder.step(want, draft)
}

/// Says what forbids a key.
fn check(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> Result<(), String> {
    let child = builder.table(table)?;
    let parent = builder.table(&key.parent)?;
    if let Some(kind) =
        [child, parent].into_iter().find(|t| !matches!(t.kind, TableKind::Plain | TableKind::Partitioned))
    {
        return Err(format!("`{}` is no ordinary table, and foreign keys are only between such", kind.name));
    }
    shared::fits(builder, table, key)?;
    visible::rows_of_key(builder, table, key)?;
    if builder.partitions(table).iter().any(|t| t.kind == TableKind::Foreign) {
        return Err(format!("a partition of `{table}` is a foreign table, which can have no foreign key"));
    }
    if !key.enforced && builder.context.schema.version.is_none_or(|v| v.major < 18) {
        return Err("only PostgreSQL 18 and later have keys that are NOT ENFORCED".to_string());
    }
    Ok(())
}

fn title(table: &TableName, old: &ForeignKey, new: &ForeignKey) -> String {
    let key = arrow(table, new);
    if old.on_delete != new.on_delete {
        format!("Change ON DELETE of the foreign key {key} from {} to {}", old.on_delete, new.on_delete)
    } else if old.on_update != new.on_update {
        format!("Change ON UPDATE of the foreign key {key} from {} to {}", old.on_update, new.on_update)
    } else {
        format!("Put another foreign key {key} in the place of the one that is there")
    }
}

fn both(builder: &Builder<'_>, child: &TableName, parent: &TableName, mode: &str, blocks: Blocks) -> Vec<Lock> {
    let mut all = builder.family(child);
    if parent != child {
        all.extend(builder.family(parent));
    }
    locks(all, mode, blocks, Held::Instant)
}

/// The locks of a key that is added. Where it takes over keys of partitions, their triggers on the parent go, which nobody may be
/// reading meanwhile (tablecmds.c, `tryAttachPartitionForeignKey`).
fn add_locks(builder: &Builder<'_>, child: &TableName, parent: &TableName, takes_over: bool) -> Vec<Lock> {
    if !takes_over {
        return both(builder, child, parent, "SHARE ROW EXCLUSIVE", Blocks::Writers);
    }
    let mut children = builder.family(child);
    children.retain(|_| parent != child);
    let mut all = locks(children, "SHARE ROW EXCLUSIVE", Blocks::Writers, Held::Instant);
    all.extend(locks(builder.family(parent), "ACCESS EXCLUSIVE", Blocks::Everything, Held::Instant));
    all
}

/// One ALTER TABLE that drops keys, if they are there.
fn drop_sql(builder: &Builder<'_>, table: &TableName, names: &[&str]) -> String {
    let clauses: Vec<String> =
        names.iter().map(|n| format!("DROP CONSTRAINT IF EXISTS {}", builder.dialect.identifier(n))).collect();
    format!("{} {}", sql::alter(builder, table), clauses.join(", "))
}

/// One ALTER TABLE that drops keys and adds one, and the comment that goes with it: no moment is without a key, and who waits
/// for the lock waits once.
fn replace_sql(builder: &Builder<'_>, table: &TableName, drop: &[&str], key: &ForeignKey, name: &str) -> Vec<String> {
    let mut drop = drop.to_vec();
    drop.dedup();
    let add = sql::key(builder, key, name, true);
    let mut statements = vec![format!("{}, ADD {add}", drop_sql(builder, table, &drop))];
    statements.extend(sql::key_comment(builder, table, key, name));
    statements
}

/// Makes a key again as it was, whatever of it and of the one in its place is there.
fn again(builder: &Builder<'_>, table: &TableName, drop: &[&str], key: &ForeignKey, name: &str) -> Script {
    let mut statements = replace_sql(builder, table, drop, key, name);
    if !key.validated || !key.enforced {
        return whole(statements);
    }
    statements.push(format!("{} VALIDATE CONSTRAINT {}", sql::alter(builder, table), builder.dialect.identifier(name)));
    each(statements)
}

/// The locks of a key that is made on one partition after the other.
fn partition_locks(builder: &Builder<'_>, table: &TableName, key: &ForeignKey, replaces: bool) -> Vec<Lock> {
    let all = if replaces {
        both(builder, table, &key.parent, "ACCESS EXCLUSIVE", Blocks::Everything)
    } else {
        add_locks(builder, table, &key.parent, !builder.partitions(table).is_empty())
    };
    by_partitions_locks(builder, table, key, all)
}
