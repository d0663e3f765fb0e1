//! Columns: `NOT NULL` taken off and put on, defaults.
//!
//! Manual, ALTER TABLE: all of it takes ACCESS EXCLUSIVE. SET NOT NULL reads the whole table under it, unless a valid CHECK
//! already says so; VALIDATE CONSTRAINT reads the rows of such a CHECK under SHARE UPDATE EXCLUSIVE.

use super::super::servers::backups;
use super::super::servers::builder::{Builder, Draft, short_hash};
use super::super::{Blocks, Down, Guard, Held, Phase, Script, Step, Wanted};
use super::{catalog, each, exclusive, locks, sql, visible, whole};
use crate::change::{Change, names};
use crate::schema::{Collation, Column, DataType, Family, TableKind, TableName};

/// Takes `NOT NULL` off a column or puts it on.
pub(super) fn set_nullable(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    column: &str,
    nullable: bool,
) -> Result<Step, String> {
    let of = builder.table(table)?;
    let Some(found) = of.column(column) else { return Err(format!("`{table}` has no column `{column}`")) };
    if found.nullable == nullable {
        let is = if nullable { "can be NULL" } else { "is NOT NULL" };
        return Err(format!("`{table}.{column}` {is} already"));
    }
    if nullable && of.in_primary_key(column) {
        return Err(format!("`{column}` is part of the primary key of `{table}`, which cannot be NULL"));
    }
    // Manual, 5.12: a partition must have the NOT NULL of its parent.
    let above = of.partition_of.as_ref().and_then(|p| builder.now.table(p));
    if nullable && above.is_some_and(|p| !p.is_nullable(column)) {
        return Err(format!(
            "`{table}` is a partition, and `{column}` is NOT NULL in the table that it is part of: change it there"
        ));
    }
    if !nullable {
        visible::all_rows(builder, [table])?;
    }
    let mut guards = Vec::new();
    if nullable && (found.data_type.domain.is_some() || found.auto_number) {
        guards.push(Guard {
            sql: format!(
                "SELECT a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attrelid = {} \
                 AND a.attname = {} AND (a.attidentity <> '' OR t.typnotnull)",
                catalog::relation(builder, &builder.name(table)),
                builder.dialect.literal(column)
            ),
            found: format!("`{table}.{column}` is NOT NULL by its domain or as an identity column"),
advice: "change that by hand first".to_string(),
        });
    }
    let nulls = Guard {
        sql: backups::nulls(builder, builder.table(table)?, column),
        found: format!("`{table}.{column}` holds NULL"),
        advice: "give those rows a value or delete them before NOT NULL can be set".to_string(),
    };
    let tighten = each(tighten(builder, table, column));
    let loosen = whole(vec![format!("{} DROP NOT NULL", alter_column(builder, table, column))]);
    let family = builder.family(table);
    let draft = if nullable {
        Draft {
            phase: Phase::Prepare,
            title: format!("Drop NOT NULL from {table}.{column}"),
            why: None,
            changes: Vec::new(),
            touches_rows: false,
            up: loosen,
            down: Down::Script { script: tighten, guards: vec![nulls] },
            locks: exclusive(family),
            guards,
            done: Some(catalog::not_null(builder, table, column, false)),
        }
    } else {
        guards.push(nulls);
        let mut held = exclusive(family.iter().cloned());
        held.extend(locks(family, "SHARE UPDATE EXCLUSIVE", Blocks::Nothing, Held::Scan));
        Draft {
            // After the keys: one that still says SET NULL would fail from here on.
            phase: Phase::Validate,
            title: format!("Set NOT NULL on {table}.{column}"),
            why: None,
            changes: Vec::new(),
            touches_rows: false,
            up: tighten,
            down: Down::Script { script: loosen, guards: Vec::new() },
            locks: held,
            guards,
            done: Some(format!(
                "{} AND NOT EXISTS ({})",
                catalog::not_null(builder, table, column, true),
                catalog::constraint(builder, table, &passing_check(table, column))
            )),
        }
    };
    let change = Change::SetNullable { table: table.clone(), column: column.to_string(), nullable };
    builder.step(want, Draft { changes: vec![change], ..draft })
}

fn alter_column(builder: &Builder<'_>, table: &TableName, column: &str) -> String {
    format!("{} ALTER COLUMN {}", sql::alter(builder, table), builder.dialect.identifier(column))
}

fn passing_check(table: &TableName, column: &str) -> String {
    format!("_referee_not_null_{}", short_hash(&format!("{table}.{column}")))
}

/// Sets NOT NULL without reading rows under a lock that shuts anyone out.
fn tighten(builder: &Builder<'_>, table: &TableName, column: &str) -> Vec<String> {
    let (alter, written) = (sql::alter(builder, table), builder.dialect.identifier(column));
    let plain = builder.now.table(table).is_some_and(|t| t.kind == TableKind::Plain)
        && !builder.now.tables.iter().any(|t| t.inherits.contains(table));
    // PostgreSQL 18 has NOT NULL that is NOT VALID; it may stand there already from a run that stopped.
    if plain && builder.context.schema.version.is_some_and(|v| v.major >= 18) {
        let name = names::joined(&table.name, column, "not_null");
        let name = builder.dialect.identifier(&name);
        let there = catalog::not_null(builder, table, column, true);
        return vec![
            format!(
                "DO $referee$ BEGIN IF NOT EXISTS ({there}) THEN {alter} ADD CONSTRAINT {name} NOT NULL {written} NOT VALID; END IF; \
                 END $referee$"
            ),
            format!("{alter} VALIDATE CONSTRAINT {name}"),
        ];
    }
    let check = builder.dialect.identifier(&passing_check(table, column));
    vec![
        format!(
            "{alter} DROP CONSTRAINT IF EXISTS {check}, ADD CONSTRAINT {check} CHECK ({written} IS NOT NULL) NOT VALID"
        ),
        format!("{alter} VALIDATE CONSTRAINT {check}"),
        format!("{alter} ALTER COLUMN {written} SET NOT NULL"),
        format!("{alter} DROP CONSTRAINT IF EXISTS {check}"),
    ]
}

/// Sets or drops a default, also that of partitions which have the same.
pub(super) fn set_default(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    column: &str,
    default: Option<&str>,
) -> Result<Step, String> {
    let of = builder.table(table)?;
    let Some(found) = of.column(column) else { return Err(format!("`{table}` has no column `{column}`")) };
    if found.generated.is_some() {
        return Err(format!("`{table}.{column}` is a generated column and has no default"));
    }
    let old = found.default.clone();
    let same = |t: &TableName| builder.now.table(t).and_then(|t| t.column(column)).is_some_and(|c| c.default == old);
    let family: Vec<TableName> = builder.family(table).into_iter().filter(same).collect();
    let many = builder.is_partitioned(table) || builder.now.tables.iter().any(|t| t.inherits.contains(table));
    let statements = |value: Option<&str>| {
        let action = value.map_or_else(|| "DROP DEFAULT".to_string(), |v| format!("SET DEFAULT {v}"));
        let only = if many { "ONLY " } else { "" };
        let name = builder.dialect.identifier(column);
        let statement = |t: &TableName| format!("ALTER TABLE {only}{} ALTER COLUMN {name} {action}", builder.name(t));
        Script { statements: family.iter().map(statement).collect(), ..Script::default() }
    };
    let verb = if default.is_some() { "Set" } else { "Drop" };
    let change = |t: &TableName| Change::SetDefault {
        table: t.clone(),
        column: column.to_string(),
        default: default.map(str::to_string),
    };
    let draft = Draft {
        phase: Phase::Prepare,
        title: format!("{verb} the default of {table}.{column}"),
        why: None,
        changes: family.iter().map(change).collect(),
        touches_rows: false,
        up: statements(default),
        down: Down::Script { script: statements(old.as_deref()), guards: Vec::new() },
        locks: exclusive(family.iter().cloned()),
        guards: Vec::new(),
        // How the catalog will write an expression cannot be told beforehand; setting it again does no harm.
        done: default.is_none().then(|| {
            let each = family.iter().map(|t| format!("EXISTS ({})", catalog::default(builder, t, column, None)));
            format!("SELECT 1 WHERE {}", each.collect::<Vec<_>>().join(" AND "))
        }),
    };
    builder.step(want, draft)
}

/// Gives a column another type. There is no way of doing it beside the writers: the statement says what it locks.
pub(super) fn set_type(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    column: &str,
    (to, collation): (&DataType, Option<&Collation>),
) -> Result<Step, String> {
    let of = builder.table(table)?;
    let Some(found) = of.column(column).cloned() else { return Err(format!("`{table}` has no column `{column}`")) };
    if found.generated.is_some() {
        return Err(format!("`{table}.{column}` is a generated column: change its type by hand"));
    }
    if of.partition_of.is_some() || !of.inherits.is_empty() {
        return Err(format!("`{table}` has `{column}` from the table that it is part of: change the type there"));
    }
    // Manual, ALTER TABLE, Notes: neither table nor indexes are written anew where the old value is the new one, as in a longer
    // varchar.
    let text = |t: &DataType| t.family == Family::Text && t.base != "char" && t.domain.is_none();
    let longer =
        to.arguments.is_empty() || !found.data_type.arguments.is_empty() && found.data_type.arguments <= to.arguments;
    let instant = text(&found.data_type) && text(to) && longer && found.collation.as_ref() == collation;
    let held = if instant { Held::Instant } else { Held::Rewrite };
    let mut touched = builder.family(table);
    // The keys on the column are made anew with it.
    let keys = of.foreign_keys.iter().filter(|k| k.columns.iter().any(|c| c == column));
    let parents: Vec<TableName> = keys.map(|k| k.parent.clone()).collect();
    let children =
        builder.now.foreign_keys().filter(|(_, k)| k.parent == *table && k.parent_columns.iter().any(|c| c == column));
    let others: Vec<TableName> = parents.into_iter().chain(children.map(|(t, _)| t.name.clone())).collect();
    touched.extend(others.iter().flat_map(|t| builder.family(t)));
    touched.sort();
    touched.dedup();
    let statement = |to: &DataType, collation: Option<&Collation>| {
        let name = to.domain.as_deref().unwrap_or(&to.raw);
        let collate = collation.map(|c| format!(" COLLATE {}", sql::collation(builder, &c.name))).unwrap_or_default();
        let column = builder.dialect.identifier(column);
        whole(vec![format!(
            "{} ALTER COLUMN {column} TYPE {name}{collate} USING {column}::{name}",
            sql::alter(builder, table)
        )])
    };
    let draft = Draft {
        phase: Phase::Prepare,
        title: format!("Give {table}.{column} the type {}", to.domain.as_deref().unwrap_or(&to.raw)),
        why: (!instant).then(|| {
            format!("{} The table or its indexes are written anew, and nobody reads or writes it meanwhile.", want.why)
        }),
        changes: vec![Change::SetType {
            table: table.clone(),
            column: column.to_string(),
            data_type: to.clone(),
            collation: collation.cloned(),
        }],
        touches_rows: false,
        up: statement(to, collation),
        down: Down::Script {
            script: statement(&found.data_type, found.collation.as_ref()),
            guards: too_large(builder, table, &found).into_iter().collect(),
        },
        locks: locks(touched, "ACCESS EXCLUSIVE", Blocks::Everything, held),
        guards: Vec::new(),
        done: Some(catalog::has_type(builder, table, column, to, collation.map(|c| c.name.as_str()))),
    };
    builder.step(want, draft)
}

/// Asks for a value that the column's old type cannot hold.
fn too_large(builder: &Builder<'_>, table: &TableName, old: &Column) -> Option<Guard> {
    let column = builder.dialect.identifier(&old.name);
    let beyond = match (old.data_type.integer_bytes(), old.data_type.family, old.data_type.arguments.as_slice()) {
        (Some(bytes @ 1..=4), _, _) => {
            let most = (1_i64 << (bytes * 8 - 1)) - 1;
            format!("{column} NOT BETWEEN {} AND {most}", -most - 1)
        }
        (_, Family::Text, [length]) => format!("pg_catalog.length({column}::pg_catalog.text) > {length}"),
        _ => return None,
    };
    Some(Guard {
        sql: format!("SELECT {column} FROM {} WHERE {beyond} LIMIT 5", builder.name(table)),
        found: format!("`{table}.{}` holds values that {} cannot hold", old.name, old.data_type.raw),
        advice: "shorten or remove them first".to_string(),
    })
}
