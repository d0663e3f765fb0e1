//! Foreign keys of partitioned tables: made on each partition first, and of the keys that partitions have already.
//!
//! A key that a partitioned table is given takes a partition's own key over, if that one says the same
//! (tryAttachPartitionForeignKey in tablecmds.c): no row is read again, but dropping the table's key then drops the partition's
//! with it, so that the way back has to make it again.

use super::super::servers::builder::{Builder, short_hash};
use super::super::{Blocks, Held, Lock, Script};
use super::{catalog, each, locks, sql, whole};
use crate::change::{Change, names};
use crate::schema::{ForeignKey, Table, TableKind, TableName};

/// What a partition has of its own that a key of the whole table takes over.
pub(super) struct TakenOver {
    partition: TableName,
    key: ForeignKey,
    name: String,
}

/// Finds the keys of partitions that a key of the whole table takes over: of each partition the first by name, and none below a
/// partition whose own is taken over (addFkRecurseReferencing in tablecmds.c).
pub(super) fn taken_over(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> Vec<TakenOver> {
    let mut found = Vec::new();
    for below in direct(builder, table) {
        let mut own: Vec<&ForeignKey> = below.foreign_keys.iter().filter(|k| k.says_the_same(key)).collect();
        own.sort_by_key(|k| k.name.clone());
        match own.first() {
            Some(own) => found.push(TakenOver {
                partition: below.name.clone(),
                key: (*own).clone(),
                name: sql::key_name(below, own),
            }),
            None => found.extend(taken_over(builder, &below.name, key)),
        }
    }
    found
}

/// Returns the tables whose rows are not read when a key of the whole table is checked: partitions that a key of their own, which
/// it takes over, has been checked for; and the parent where all of them have.
pub(super) fn left_unread(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> Vec<TableName> {
    let taken = taken_over(builder, table, key);
    let checked = taken.iter().filter(|t| t.key.validated);
    let mut unread: Vec<TableName> = checked.flat_map(|t| builder.family(&t.partition)).collect();
    if !unread.is_empty() && key.parent != *table && leaves(builder, table).iter().all(|leaf| unread.contains(leaf)) {
        unread.push(key.parent.clone());
    }
    unread
}

/// Tells whether every partition's rows are held to a key by one of its own.
pub(super) fn hold_for_all_rows(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> bool {
    let taken = taken_over(builder, table, key);
    taken.iter().all(|t| t.key.validated && t.key.is_active())
        && leaves(builder, table).iter().all(|leaf| taken.iter().any(|t| builder.family(&t.partition).contains(leaf)))
        && !taken.is_empty()
}

/// Before PostgreSQL 18 a partitioned table cannot hold a key that is NOT VALID (42809).
pub(super) fn takes_no_unchecked_key(builder: &Builder<'_>, table: &TableName) -> bool {
    builder.is_partitioned(table) && builder.context.schema.version.is_none_or(|v| v.major < 18)
}

/// Adds a key to each partition that has none like it, unchecked, and has it checked; then to the whole table, which takes those
/// keys over without reading a row (same definition, validated).
pub(super) fn by_partitions(
    builder: &Builder<'_>,
    table: &TableName,
    drop: Option<&str>,
    key: &ForeignKey,
    name: &str,
) -> Vec<String> {
    let mut statements = Vec::new();
    let taken = taken_over(builder, table, key);
    for own in taken.iter().filter(|t| !t.key.validated) {
        statements.push(validate(builder, &own.partition, &own.name));
    }
    // A name of its own: the partition still has the part of the key that is replaced, perhaps under this very name.
    let suffix = format!("_{}", &short_hash(&sql::key_body(builder, key))[..6]);
    let mut room = names::limited(name).len().min(63 - suffix.len());
    while !name.is_char_boundary(room) {
        room -= 1;
    }
    let passing = format!("{}{suffix}", &name[..room]);
    for leaf in leaves(builder, table) {
        if taken.iter().any(|t| builder.family(&t.partition).contains(&leaf)) {
            continue;
        }
        let alter = sql::alter(builder, &leaf);
        let there = catalog::key(builder, &leaf, key, &passing, false);
        let add = sql::key(builder, key, &passing, true);
        statements
            .push(format!("DO $referee$ BEGIN IF NOT EXISTS ({there}) THEN {alter} ADD {add}; END IF; END $referee$"));
        statements.push(validate(builder, &leaf, &passing));
    }
    let drop = drop.map(|n| format!("DROP CONSTRAINT {}, ", builder.dialect.identifier(n))).unwrap_or_default();
    statements.push(format!("{} {drop}ADD {}", sql::alter(builder, table), sql::key(builder, key, name, false)));
    statements.extend(sql::key_comment(builder, table, key, name));
    statements
}

/// Returns the checks of partitions' own keys with which [`by_partitions`] begins.
pub(super) fn checks_before(taken: &[TakenOver]) -> Vec<Change> {
    let unchecked = taken.iter().filter(|t| !t.key.validated);
    unchecked.map(|t| Change::ValidateForeignKey { table: t.partition.clone(), foreign_key: t.key.clone() }).collect()
}

/// Writes what takes a table's key away again and leaves its partitions the keys that they had: in one moment, so that no row
/// comes in between, and their rows are checked afterwards.
pub(super) fn drop_and_give_back(drop: String, back: GivenBack) -> Script {
    if back.added.is_empty() {
        return whole(vec![drop]);
    }
    let mut statements = vec![drop];
    statements.extend(back.added);
    if back.checked.is_empty() {
        return whole(statements);
    }
    let mut all = vec![format!("DO $referee$ BEGIN {}; END $referee$", statements.join("; "))];
    all.extend(back.checked);
    each(all)
}

/// The statements that make partitions' keys again.
#[derive(Default)]
pub(super) struct GivenBack {
    added: Vec<String>,
    checked: Vec<String>,
}

impl GivenBack {
    /// Appends the statements to a script that runs them one by one.
    pub(super) fn after(self, mut script: Script) -> Script {
        if self.added.is_empty() {
            return script;
        }
        script.statements.extend(self.added);
        script.statements.extend(self.checked);
        each(script.statements)
    }
}

/// Makes the keys again that went with the table's.
pub(super) fn give_back(builder: &Builder<'_>, taken: &[TakenOver]) -> GivenBack {
    let mut back = GivenBack::default();
    for TakenOver { partition, key, name } in taken {
        let unchecked = !takes_no_unchecked_key(builder, partition);
        let quoted = builder.dialect.identifier(name);
        back.added.push(format!(
            "{} DROP CONSTRAINT IF EXISTS {quoted}, ADD {}",
            sql::alter(builder, partition),
            sql::key(builder, key, name, unchecked)
        ));
        back.added.extend(sql::key_comment(builder, partition, key, name));
        if unchecked && key.validated && key.enforced {
            back.checked.push(validate(builder, partition, name));
        }
    }
    back
}

/// Returns the locks of [`by_partitions`].
pub(super) fn by_partitions_locks(
    builder: &Builder<'_>,
    table: &TableName,
    key: &ForeignKey,
    mut all: Vec<Lock>,
) -> Vec<Lock> {
    let taken = taken_over(builder, table, key);
    let mut read: Vec<TableName> = leaves(builder, table);
    read.retain(|leaf| !taken.iter().any(|t| t.key.validated && builder.family(&t.partition).contains(leaf)));
    if read.is_empty() {
        return all;
    }
    all.extend(locks(read, "SHARE UPDATE EXCLUSIVE", Blocks::Nothing, Held::Scan));
    all.extend(locks([key.parent.clone()], "ROW SHARE", Blocks::Nothing, Held::Scan));
    all
}

fn direct<'b>(builder: &'b Builder<'_>, table: &TableName) -> Vec<&'b Table> {
    builder.now.tables.iter().filter(|t| t.partition_of.as_ref() == Some(table)).collect()
}

fn leaves(builder: &Builder<'_>, table: &TableName) -> Vec<TableName> {
    let all = builder.partitions(table).into_iter();
    all.filter(|t| t.kind != TableKind::Partitioned).map(|t| t.name.clone()).collect()
}

fn validate(builder: &Builder<'_>, table: &TableName, name: &str) -> String {
    format!("{} VALIDATE CONSTRAINT {}", sql::alter(builder, table), builder.dialect.identifier(name))
}
