//! What came since planning: a foreign key by which rows would follow those that go, or a trigger or rule that acts on the rows that
//! change. Asked before a step runs and again under its lock, when nobody can add one (CREATE TRIGGER and ADD FOREIGN KEY take SHARE
//! ROW EXCLUSIVE; manual, 13.3.1).

use super::super::servers::builder::Builder;
use super::super::{Guard, acting, backup_common};
use super::{catalog, sql};
use crate::engine::postgres::{RULE_PRINT, TRIGGER_JOINS, TRIGGER_PRINT};
use crate::relations::{Culprit, Firing};
use crate::schema::{CatalogOnly, ForeignKey, Table, TableName};

/// Makes the guards that no foreign key leads to rows that go, or whose columns change, and no trigger or rule acts on those that
/// change, or on what is written for them, unless it was there at planning, as it is. A row lies in a partition, and belongs to all
/// tables above that one: their keys and triggers act on it, those of a partition that was added since, too.
pub(super) fn guards(builder: &Builder<'_>, changed: &[&TableName]) -> Vec<Guard> {
    let schemas = [builder.context.schema, &builder.now];
    let shared = |table: &TableName| changed.iter().any(|c| builder.now.share_rows(table, c));
    let keys = schemas.iter().flat_map(|s| s.foreign_keys()).filter(|(_, k)| shared(&k.parent));
    let keys = keys.map(|(child, key)| {
        let name = builder.dialect.literal(&sql::key_name(child, key));
        format!("(k.conrelid = {} AND k.conname = {name})", oid(builder, &child.name))
    });
    let mut guards = vec![Guard {
        sql: format!(
            "SELECT k.conname, k.conrelid::pg_catalog.regclass FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND \
             k.confrelid IN ({}){}",
            all_of(builder, changed),
            unless(keys)
        ),
        found: "a foreign key was added since planning by which more rows would go or change".to_string(),
        advice: "plan again".to_string(),
    }];
    // What they write to has triggers and rules, too.
    let reached: Vec<TableName> = changed
        .iter()
        .filter_map(|t| builder.now.table(t))
        .flat_map(|t| Firing::reached(&builder.now, t))
        .filter(|t| builder.now.table(t).is_some())
        .collect();
    let reached: Vec<&TableName> = reached.iter().collect();
    let shared = |table: &TableName| reached.iter().any(|c| builder.now.share_rows(table, c));
    let tables: Vec<&Table> = builder.now.tables.iter().filter(|t| shared(&t.name)).collect();
    let triggers = tables.iter().flat_map(|t| &t.triggers).filter(|t| t.enabled).map(|t| (t.name.as_str(), &t.print));
    let rules = tables.iter().flat_map(|t| &t.rewrite_rules).filter(|r| r.enabled).map(|r| (r.name.as_str(), &r.print));
    let triggers = unknown(builder, "t.tgname", TRIGGER_PRINT, triggers);
    let rules = unknown(builder, "r.rulename", RULE_PRINT, rules);
    let (of, joins) = (all_of(builder, &reached), TRIGGER_JOINS.replace('\n', " "));
    guards.push(Guard {
        sql: format!(
            "SELECT t.tgname AS name, t.tgrelid::pg_catalog.regclass AS \"table\" FROM pg_catalog.pg_trigger t {joins} WHERE NOT t.tgisinternal AND \
             t.tgenabled IN ('O', 'A') AND t.tgrelid IN ({of}) AND {triggers} UNION ALL SELECT r.rulename, \
             r.ev_class::pg_catalog.regclass FROM pg_catalog.pg_rewrite r WHERE r.ev_enabled IN ('O', 'A') AND r.ev_type <> '1' AND \
             r.ev_class IN ({of}) AND {rules}"
        ),
        found: "a trigger or rule was changed or added since planning, which would act on the rows that change or on what is \
                written for them"
            .to_string(),
        advice: "plan again".to_string(),
    });
    guards
}

/// Makes the guards that a table whose rows change or are backed up is still as the plan knows it: its columns, what its foreign
/// keys refer to (and those that the plan makes), and that no table has begun to inherit from it. A backup that an earlier try has left must have its columns' types.
pub(super) fn same_table(builder: &Builder<'_>, table: &Table, keys: &[&ForeignKey], backups: &[&str]) -> Vec<Guard> {
    let of = oid(builder, &table.name);
    let literals = |names: &mut Vec<String>, to: &str| {
        names.sort();
        let all: Vec<String> = names.iter().map(|n| builder.dialect.literal(n)).collect();
        format!("ARRAY[{}]::pg_catalog.{to}[]", all.join(", "))
    };
    let columns = literals(&mut table.columns.iter().map(|c| c.name.clone()).collect(), "text");
    let mut differs = vec![format!(
        "ARRAY(SELECT a.attname::pg_catalog.text COLLATE pg_catalog.\"C\" FROM pg_catalog.pg_attribute a WHERE a.attrelid = {of} AND a.attnum > 0 \
         AND NOT a.attisdropped ORDER BY 1) <> {columns}"
    )];
    // Other steps of the plan may give a foreign key another action, or validate it; none lets it refer to other columns.
    let known: Vec<&Table> =
        [builder.context.schema, &builder.now].iter().filter_map(|s| s.table(&table.name)).collect();
    let own = known.first().map(|t| t.foreign_keys.iter().collect::<Vec<_>>()).unwrap_or_default();
    let stays =
        |key: &&&ForeignKey| known.iter().all(|t| t.foreign_keys.iter().any(|k| backup_common::is_alike(k, key)));
    for key in own.iter().filter(stays) {
        differs.push(format!("NOT EXISTS ({})", catalog::alike(builder, &table.name, key)));
    }
    let all: Vec<&ForeignKey> = known.iter().flat_map(|t| &t.foreign_keys).chain(keys.iter().copied()).collect();
    for key in &all {
        let parents = all.iter().filter(|k| k.columns == key.columns).map(|k| oid(builder, &k.parent));
        let parents: std::collections::BTreeSet<String> = parents.collect();
        differs.push(format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE {} AND k.confrelid NOT IN ({}))",
            catalog::on_columns(builder, &table.name, &key.columns),
            parents.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    differs.sort();
    differs.dedup();
    if !builder.now.tables.iter().any(|t| t.inherits.contains(&table.name)) {
        differs.push(format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = {of} AND NOT \
             c.relispartition)"
        ));
    }
    for backup in backups {
        differs.push(format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute b ON b.attname = a.attname WHERE a.attrelid = {of} AND \
             a.attnum > 0 AND NOT a.attisdropped AND b.attrelid = {} AND NOT b.attisdropped AND (a.atttypid, a.atttypmod) <> (b.atttypid, \
             b.atttypmod))",
            catalog::relation(builder, backup)
        ));
    }
    vec![Guard {
        sql: format!(
            "SELECT {} AS \"table\" WHERE {}",
            builder.dialect.literal(&table.name.to_string()),
            differs.join(" OR ")
        ),
        found: format!(
            "`{}` is not as it was when this was planned: a column, a type, a foreign key, or a table that inherits from it",
            table.name
        ),
        advice: "plan again (fix --apply --new-plan)".to_string(),
    }]
}

/// Writes a query of the tables that share rows with these: their partitions, and the tables that they are partitions of.
pub(super) fn all_of(builder: &Builder<'_>, tables: &[&TableName]) -> String {
    let mut oids: Vec<String> = tables.iter().map(|t| oid(builder, t)).collect();
    oids.sort();
    oids.dedup();
    let of = oids.iter().map(|o| format!("({o}::pg_catalog.oid)")).collect::<Vec<_>>().join(", ");
    let way = |from: &str, to: &str, name: &str| {
        format!(
            "{name} (oid) AS (VALUES {of} UNION SELECT h.{to} FROM {name} f JOIN pg_catalog.pg_inherits h ON h.{from} = f.oid JOIN \
             pg_catalog.pg_class c ON c.oid = h.inhrelid AND c.relispartition)"
        )
    };
    format!(
        "WITH RECURSIVE {}, {} SELECT oid FROM below UNION SELECT oid FROM above",
        way("inhparent", "inhrelid", "below"),
        way("inhrelid", "inhparent", "above")
    )
}

fn unless(known: impl Iterator<Item = String>) -> String {
    let mut known: Vec<String> = known.collect();
    known.sort();
    known.dedup();
    if known.is_empty() { String::new() } else { format!(" AND ({}) IS NOT TRUE", known.join(" OR ")) }
}

/// Writes that something is not as it was at planning: by its fingerprint, where that is known, else by its name.
fn unknown<'n>(
    builder: &Builder<'_>,
    name: &str,
    print: &str,
    known: impl Iterator<Item = (&'n str, &'n CatalogOnly<Option<String>>)>,
) -> String {
    let (printed, named): (Vec<_>, Vec<_>) = known.partition(|(_, print)| print.0.is_some());
    let prints = list(builder, printed.iter().filter_map(|(_, print)| print.0.as_deref()), "text");
    let names = list(builder, named.iter().map(|(name, _)| *name), "name");
    format!("{print} <> ALL ({prints}) AND {name} <> ALL ({names})")
}

/// Makes the guards that an undo sets off nothing which may change other rows; `backups` are where the rows are.
pub(super) fn undo_guards(builder: &Builder<'_>, culprits: &[Culprit], backups: &str) -> Vec<Guard> {
    let guard = |culprit: &Culprit| {
        let (of, name) = (oid(builder, &culprit.on), builder.dialect.literal(&culprit.name));
        let (alter, quoted) = (sql::alter(builder, &culprit.on), builder.dialect.identifier(&culprit.name));
        let (kind, sql) = if culprit.rule {
            let from = "pg_catalog.pg_rewrite r WHERE r.ev_enabled IN ('O', 'A')";
            ("RULE", format!("SELECT r.rulename AS name FROM {from} AND r.ev_class = {of} AND r.rulename = {name}"))
        } else {
            let from = "pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')";
            ("TRIGGER", format!("SELECT t.tgname AS name FROM {from} AND t.tgrelid = {of} AND t.tgname = {name}"))
        };
        Guard {
            sql,
            found: acting::set_off(culprit),
            advice: format!(
                "`{alter} DISABLE {kind} {quoted}`, undo, and enable it again; or restore the rows from {backups} by hand"
            ),
        }
    };
    culprits.iter().map(guard).collect()
}

/// Makes the guard that a key which an undo takes away and adds again is still as the plan knows it: what its owner has changed
/// since is not changed back.
pub(super) fn key_as_planned(builder: &Builder<'_>, child: &TableName, name: &str, key: &ForeignKey) -> Guard {
    Guard {
        sql: format!(
            "SELECT k.conname AS name, pg_catalog.pg_get_constraintdef(k.oid) AS now FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND \
             k.conrelid = {} AND k.conname = {} AND NOT EXISTS ({})",
            oid(builder, child),
            builder.dialect.literal(name),
            catalog::key(builder, child, key, name, false)
        ),
        found: format!(
            "the foreign key {name} of `{child}` has been changed since, and rows come back only around the old one"
        ),
        advice: "make it as it was before the run, or restore the rows from the backup by hand".to_string(),
    }
}

/// Writes the lines of a PL/pgSQL block that raise an error where a guard finds something.
pub(super) fn lines(builder: &Builder<'_>, guards: &[Guard]) -> Vec<String> {
    let line = |guard: &Guard| {
        let message = builder.dialect.literal(&guard.message());
        format!("IF EXISTS ({}) THEN RAISE EXCEPTION USING MESSAGE = {message}; END IF;", guard.sql)
    };
    guards.iter().map(line).collect()
}

fn oid(builder: &Builder<'_>, table: &TableName) -> String {
    catalog::relation(builder, &builder.name(table))
}

fn list<'n>(builder: &Builder<'_>, names: impl Iterator<Item = &'n str>, of: &str) -> String {
    let mut names: Vec<String> = names.map(|n| builder.dialect.literal(n)).collect();
    names.sort();
    names.dedup();
    format!("ARRAY[{}]::pg_catalog.{of}[]", names.join(", "))
}
