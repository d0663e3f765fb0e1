//! Indexes: built and dropped while rows are written, on partitioned tables one partition after the other.
//!
//! Manual, CREATE INDEX, "Building Indexes Concurrently": it runs in no transaction, and one that fails leaves an index behind that
//! is not valid, over which `IF NOT EXISTS` says "already exists, skipping". So a leftover is dropped first, and a guard sees
//! to it that nothing else of that name is. It waits for older transactions; that wait is no lock that shuts anyone out, and
//! `lock_timeout` would end it.

use super::super::servers::builder::{Builder, Draft};
use super::super::{Blocks, Down, Guard, Held, Lock, Phase, Step, Wanted};
use super::sql::Build;
use super::{catalog, each, exclusive, locks, sql, visible, whole};
use crate::change::Change;
use crate::schema::{Index, IndexOrigin, Key, Table, TableKind, TableName};

/// Builds an index.
pub(super) fn add(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    index: &Index,
) -> Result<Vec<Step>, String> {
    check(builder, table, index)?;
    if builder.is_partitioned(table) {
        return add_to_partitioned(builder, want, table, index);
    }
    let changes = vec![Change::AddIndex { table: table.clone(), index: index.clone() }];
    Ok(vec![build(builder, want, table, index, changes)?])
}

fn check(builder: &Builder<'_>, table: &TableName, index: &Index) -> Result<(), String> {
    let of = builder.table(table)?;
    if !matches!(of.kind, TableKind::Plain | TableKind::Partitioned) {
        return Err(format!("`{table}` is no ordinary table and can have no index"));
    }
    let columns = index.parts.iter().filter_map(|p| p.column.as_ref()).chain(&index.included);
    for column in columns {
        if of.column(column).is_none() {
            return Err(format!("`{table}` has no column `{column}`"));
        }
    }
    // Whether its rows are equal is asked before a unique index is built.
    if index.unique { visible::all_rows(builder, builder.family(table).iter()) } else { Ok(()) }
}

/// Builds an index of a table that holds rows.
fn build(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    index: &Index,
    changes: Vec<Change>,
) -> Result<Step, String> {
    let name = &index.name;
    let mut guards = vec![Guard {
        sql: catalog::name_in_use(builder, table, name),
        found: format!("something else has the name {name} already, or the index is being built right now"),
        advice: "rename it or wait, then run again".to_string(),
    }];
    guards.extend(duplicates(builder, table, index));
    let unique = if index.unique { "unique " } else { "" };
    let draft = Draft {
        phase: Phase::Index,
        title: format!("Build the {unique}index {name} on {}", parts(table, index)),
        why: None,
        changes,
        touches_rows: false,
        up: each(vec![drop_sql(builder, table, name), sql::create_index(builder, table, index, Build::Concurrently)]),
        down: Down::Script { script: each(vec![drop_sql(builder, table, name)]), guards: Vec::new() },
        locks: building(table),
        guards,
        done: Some(catalog::index(builder, table, index)),
    };
    builder.step(want, draft)
}

fn building(table: &TableName) -> Vec<Lock> {
    locks([table.clone()], "SHARE UPDATE EXCLUSIVE", Blocks::Nothing, Held::Scan)
}

fn drop_sql(builder: &Builder<'_>, table: &TableName, name: &str) -> String {
    format!("DROP INDEX CONCURRENTLY IF EXISTS {}", builder.beside(table, name))
}

fn parts(table: &TableName, index: &Index) -> String {
    let text = |p: &crate::schema::IndexPart| p.column.clone().or_else(|| p.expression.clone()).unwrap_or_default();
    format!("{table} ({})", index.parts.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// Asks for rows that a unique index would refuse.
fn duplicates(builder: &Builder<'_>, table: &TableName, index: &Index) -> Option<Guard> {
    if !index.unique {
        return None;
    }
    let part = |p: &crate::schema::IndexPart| match (&p.column, &p.expression) {
        (Some(column), _) => builder.dialect.identifier(column),
        (None, expression) => format!("({})", expression.as_deref().unwrap_or_default()),
    };
    let parts: Vec<String> = index.parts.iter().map(part).collect();
    let mut rows: Vec<String> = parts.iter().map(|p| format!("{p} IS NOT NULL")).collect();
    rows.extend(index.predicate.iter().map(|p| format!("({p})")));
    let (list, rows) = (parts.join(", "), rows.join(" AND "));
    Some(Guard {
        sql: format!(
            "SELECT {list}, count(*) AS rows FROM {} WHERE {rows} GROUP BY {list} HAVING count(*) > 1 LIMIT 5",
            builder.name(table)
        ),
        found: format!("rows of `{table}` are equal in {list}"),
        advice: "they have to differ before the unique index can be built".to_string(),
    })
}

/// Builds the index on each partition, then makes the whole one of them.
fn add_to_partitioned(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    index: &Index,
) -> Result<Vec<Step>, String> {
    let change = Change::AddIndex { table: table.clone(), index: index.clone() };
    // The names that PostgreSQL would give are those that the change gives.
    let mut after = crate::schema::Schema { tables: Vec::new(), ..builder.now.clone() };
    after.tables = builder.family(table).iter().filter_map(|n| builder.now.table(n).cloned()).collect();
    after.sort();
    change.apply(&mut after).map_err(|e| e.to_string())?;
    let like = |of: &Table| of.indexes.iter().find(|i| same(i, index)).cloned();

    let partitions: Vec<Table> = builder.partitions(table).into_iter().cloned().collect();
    let mut steps = Vec::new();
    for leaf in partitions.iter().filter(|t| t.kind != TableKind::Partitioned) {
        if leaf.kind == TableKind::Foreign {
            return Err(format!(
                "the partition `{}` of `{table}` is a foreign table, which can have no index",
                leaf.name
            ));
        }
        let old = like(leaf);
        if old.as_ref().is_some_and(|i| i.valid) {
            continue;
        }
        let new = after.table(&leaf.name).and_then(like).ok_or_else(|| format!("`{}` gets no index", leaf.name))?;
        let new = Index { valid: true, ..new };
        let mut changes = vec![Change::AddIndex { table: leaf.name.clone(), index: new.clone() }];
        if let Some(old) = old {
            changes.insert(0, Change::DropIndex { table: leaf.name.clone(), index: old });
        }
        let mut step = build(builder, want, &leaf.name, &new, changes)?;
        step.why = format!("{}; building it on a partition alone lets writes go on", step.why);
        steps.push(step);
    }
    let mut statements = Vec::new();
    // From the lowest level up: an index is valid once those of all partitions are attached to it.
    let mut order: Vec<&Table> = after.tables.iter().filter(|t| t.kind == TableKind::Partitioned).collect();
    order.sort_by_key(|t| (std::cmp::Reverse(depth(&after.tables, &t.name)), t.name.clone()));
    for above in order {
        let Some(made) = like(above) else { continue };
        if builder.table(&above.name)?.indexes.iter().any(|i| i.name == made.name && i.valid) {
            continue;
        }
        statements.push(sql::create_index(builder, &above.name, &made, Build::Only));
        for below in after.tables.iter().filter(|t| t.partition_of.as_ref() == Some(&above.name)) {
            let Some(part) = like(below) else { continue };
            statements.push(format!(
                "ALTER INDEX {} ATTACH PARTITION {}",
                builder.beside(&above.name, &made.name),
                builder.beside(&below.name, &part.name)
            ));
        }
    }
    // Dropping the whole index takes along those that are attached to it; those that were there before are built again.
    let mut down = vec![format!("DROP INDEX IF EXISTS {}", builder.beside(table, &index.name))];
    for leaf in partitions.iter().filter(|t| t.kind != TableKind::Partitioned) {
        if let Some(kept) = leaf.indexes.iter().find(|i| i.valid && same(i, index)) {
            down.push(drop_sql(builder, &leaf.name, &kept.name));
            down.push(sql::create_index(builder, &leaf.name, kept, Build::Concurrently));
        }
    }
    // ATTACH PARTITION locks the index that is attached, which nobody can plan a query of that table without.
    let is_inner = |t: &&Table| t.kind == TableKind::Partitioned;
    let whole_tables = [table.clone()].into_iter().chain(partitions.iter().filter(is_inner).map(|t| t.name.clone()));
    let mut held = locks(whole_tables, "SHARE", Blocks::Writers, Held::Instant);
    let attached = partitions.iter().map(|t| t.name.clone());
    held.extend(locks(attached, "ACCESS EXCLUSIVE on the index", Blocks::Everything, Held::Instant));
    let inner = partitions.iter().find(|t| t.kind == TableKind::Partitioned && like(t).is_some());
    let down = match inner {
        Some(t) => Down::Impossible(format!(
            "it would take the index of the partitions of `{}` along, which was there before",
            t.name
        )),
        None => Down::Script { script: each(down), guards: Vec::new() },
    };
    let draft = Draft {
        phase: Phase::Index,
        title: format!("Make the index {} of the partitions' indexes on {}", index.name, parts(table, index)),
        why: None,
        changes: vec![change],
        touches_rows: false,
        up: whole(statements),
        down,
        locks: held,
        guards: vec![Guard {
            sql: format!(
                "SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c WHERE c.oid = {}",
                catalog::relation(builder, &builder.beside(table, &index.name))
            ),
            found: format!("something else has the name {}, perhaps an index that is not complete", index.name),
            advice: "drop or rename it, then run again".to_string(),
        }],
        done: Some(catalog::index(builder, table, index)),
    };
    steps.push(builder.step(want, draft)?);
    Ok(steps)
}

fn same(a: &Index, b: &Index) -> bool {
    a.parts == b.parts && a.unique == b.unique && a.method == b.method && a.predicate == b.predicate
}

fn depth(tables: &[Table], name: &TableName) -> usize {
    let mut depth = 0;
    let mut at = tables.iter().find(|t| t.name == *name);
    while let Some(above) = at.and_then(|t| t.partition_of.as_ref()) {
        at = tables.iter().find(|t| t.name == *above);
        depth += 1;
    }
    depth
}

/// Drops an index.
pub(super) fn drop(builder: &mut Builder<'_>, want: &Wanted, table: &TableName, index: &Index) -> Result<Step, String> {
    let of = builder.table(table)?;
    if index.origin != IndexOrigin::User {
        return Err(format!("the index {} of `{table}` belongs to a constraint", index.name));
    }
    let above = of.partition_of.as_ref().and_then(|p| builder.now.table(p));
    if index.valid && above.is_some_and(|p| p.indexes.iter().any(|i| i.valid && same(i, index))) {
        return Err(format!("the index {} of `{table}` is part of one of the whole partitioned table", index.name));
    }
    if builder.is_partitioned(table) {
        return Err(format!(
            "the index {} of the partitioned table `{table}` is dropped with those of all partitions, under a lock that stops all of them: \
             do it by hand at a quiet moment",
            index.name
        ));
    }
    // What was not valid cannot be made again on purpose, and nothing read it: there is nothing to bring back.
    let back = if index.valid {
        vec![drop_sql(builder, table, &index.name), sql::create_index(builder, table, index, Build::Concurrently)]
    } else {
        Vec::new()
    };
    let not_valid = if index.valid { "" } else { ", which is not valid" };
    let mut guards = Vec::new();
    if index.unique {
        guards.push(Guard {
            sql: format!(
                "SELECT k.conrelid::pg_catalog.regclass, k.conname FROM pg_catalog.pg_constraint k WHERE k.conindid = {}",
                catalog::relation(builder, &builder.beside(table, &index.name))
            ),
            found: format!("a constraint needs the index {}", index.name),
advice: "change that first".to_string(),
        });
    }
    if !index.valid {
        guards.push(Guard {
            sql: format!(
                "SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = {}",
                catalog::relation(builder, &builder.beside(table, &index.name))
            ),
            found: format!("the index {} is being built right now", index.name),
            advice: "wait for it".to_string(),
        });
    }
    let draft = Draft {
        phase: Phase::Drop,
        title: format!("Drop the index {} of {table}{not_valid}", index.name),
        why: None,
        changes: vec![Change::DropIndex { table: table.clone(), index: index.clone() }],
        touches_rows: false,
        up: each(vec![drop_sql(builder, table, &index.name)]),
        down: Down::Script { script: each(back), guards: Vec::new() },
        locks: building(table),
        guards,
        done: Some(format!("SELECT 1 WHERE NOT EXISTS ({})", catalog::index(builder, table, index))),
    };
    builder.step(want, draft)
}

/// Drops an index that is not valid and builds it again under its name.
pub(super) fn rebuild(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    old: &Index,
    new: &Index,
) -> Result<Step, String> {
    check(builder, table, new)?;
    if old.valid || old.origin != IndexOrigin::User || builder.is_partitioned(table) {
        return Err(format!(
            "the index {} of `{table}` is in use: build another under a new name, then drop it",
            old.name
        ));
    }
    let changes = vec![
        Change::DropIndex { table: table.clone(), index: old.clone() },
        Change::AddIndex { table: table.clone(), index: new.clone() },
    ];
    let mut step = build(builder, want, table, new, changes)?;
    step.title = format!("Drop the index {} of {table}, which is not valid, and build it again", new.name);
    Ok(step)
}

/// Declares a unique constraint or the primary key: the index is built first, while rows are written, and then taken over.
pub(super) fn add_key(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    (key, primary, index, using): (&Key, bool, Option<&Index>, Option<&str>),
) -> Result<Vec<Step>, String> {
    let of = builder.table(table)?;
    if of.kind != TableKind::Plain {
        // Manual, ALTER TABLE, ADD table_constraint_using_index.
        return Err(format!("`{table}` is partitioned, and no index can become a constraint there"));
    }
    if let Some(column) = key.columns.iter().find(|c| primary && of.is_nullable(c)) {
        return Err(format!(
            "`{table}.{column}` can be NULL: set it NOT NULL before it becomes part of the primary key"
        ));
    }
    let (Some(index), Some(name)) = (index, &key.name) else {
        return Err(format!("the key on ({}) of `{table}` has no name yet", key.columns.join(", ")));
    };
    let mut steps = Vec::new();
    let from = match using {
        Some(existing) => existing.to_string(),
        None => {
            let plain = Index { origin: IndexOrigin::User, valid: true, ..index.clone() };
            let changes = vec![Change::AddIndex { table: table.clone(), index: plain.clone() }];
            check(builder, table, &plain)?;
            steps.push(build(builder, want, table, &plain, changes)?);
            plain.name
        }
    };
    let used = builder.table(table)?.indexes.iter().find(|i| i.name == from).cloned();
    let Some(used) = used.filter(|i| i.unique && i.valid && i.predicate.is_none()) else {
        return Err(format!("`{table}` has no full, valid unique index {from} that could become the key"));
    };
    let kind = if primary { "PRIMARY KEY" } else { "UNIQUE" };
    let later = if key.deferrable { " DEFERRABLE" } else { "" };
    let (written, from_written) = (builder.dialect.identifier(name), builder.dialect.identifier(&from));
    let up =
        format!("{} ADD CONSTRAINT {written} {kind} USING INDEX {from_written}{later}", sql::alter(builder, table));
    // The index goes with the constraint: another is built before, so that the rows stay unique.
    let mut passing = format!("_referee_{}", super::super::servers::builder::short_hash(&format!("{table}.{from}")));
    passing.truncate(63);
    let second = Index { name: passing.clone(), ..used.clone() };
    let down = vec![
        drop_sql(builder, table, &passing),
        sql::create_index(builder, table, &second, Build::Concurrently),
        format!("{} DROP CONSTRAINT IF EXISTS {written}", sql::alter(builder, table)),
        format!("ALTER INDEX {} RENAME TO {from_written}", builder.beside(table, &passing)),
    ];
    let code = if primary { 'p' } else { 'u' };
    let done = format!(
        "SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.contype = '{code}' AND k.conname = {} AND k.conrelid = {} AND k.condeferrable = {} \
         AND ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (number, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place) = ARRAY[{}]::pg_catalog.text[]",
        builder.dialect.literal(name),
        catalog::relation(builder, &builder.name(table)),
        key.deferrable,
        key.columns.iter().map(|c| builder.dialect.literal(c)).collect::<Vec<_>>().join(", "),
    );
    let draft = Draft {
        phase: Phase::Prepare,
        title: format!("Make the unique index {from} of {table} the constraint {name}"),
        why: None,
        changes: vec![Change::AddKey {
            table: table.clone(),
            key: key.clone(),
            primary,
            index: Some(index.clone()),
            using: Some(from.clone()),
        }],
        touches_rows: false,
        up: whole(vec![up]),
        down: Down::Script { script: each(down), guards: Vec::new() },
        locks: exclusive([table.clone()]),
        guards: vec![Guard {
            sql: catalog::constraint(builder, table, name),
            found: format!("`{table}` already has another constraint of the name {name}"),
            advice: "rename or drop it, or plan again".to_string(),
        }],
        done: Some(done),
    };
    steps.push(builder.step(want, draft)?);
    Ok(steps)
}
