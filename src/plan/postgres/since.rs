//! What came since planning: a foreign key by which rows would follow those that go, or a trigger or rule that acts on the rows that
//! change. Asked before a step runs and again under its lock, when nobody can add one (CREATE TRIGGER and ADD FOREIGN KEY take SHARE
//! ROW EXCLUSIVE; manual, 13.3.1).

use super::super::Guard;
use super::super::bench::Bench;
use super::{catalog, sql};
use crate::schema::{Table, TableName};

/// Makes the guards that no foreign key refers to tables that lose rows, and no trigger or rule is on those that change, unless it
/// was there at planning.
pub(super) fn guards(bench: &Bench<'_>, losing: &[&TableName], changed: &[&TableName]) -> Vec<Guard> {
    let mut guards = Vec::new();
    if !losing.is_empty() {
        let losing = families(bench, losing);
        let schemas = [bench.workshop.schema, &bench.now];
        let keys = schemas.iter().flat_map(|s| s.foreign_keys()).filter(|(_, k)| losing.contains(&k.parent));
        let mut known: Vec<String> = keys
            .map(|(child, key)| {
                let name = bench.dialect.literal(&sql::key_name(child, key));
                format!("(k.conrelid = {} AND k.conname = {name})", oid(bench, &child.name))
            })
            .collect();
        known.sort();
        known.dedup();
        let known = if known.is_empty() { String::new() } else { format!(" AND ({}) IS NOT TRUE", known.join(" OR ")) };
        guards.push(Guard {
            sql: format!(
                "SELECT k.conname, k.conrelid::pg_catalog.regclass FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND \
                 k.confrelid IN ({}){known}",
                oids(bench, &losing)
            ),
            found: "a foreign key was added since planning by which more rows would go".to_string(),
advice: "plan again".to_string(),
        });
    }
    let changed = families(bench, changed);
    let tables: Vec<&Table> = changed.iter().filter_map(|t| bench.now.table(t)).collect();
    let triggers = list(bench, tables.iter().flat_map(|t| t.triggers.iter().map(|t| t.name.as_str())));
    let rules = list(bench, tables.iter().flat_map(|t| t.rewrite_rules.iter().map(|r| r.name.as_str())));
    let of = oids(bench, &changed);
    guards.push(Guard {
        sql: format!(
            "SELECT t.tgname AS name, t.tgrelid::pg_catalog.regclass AS \"table\" FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND \
             t.tgrelid IN ({of}) AND t.tgname <> ALL ({triggers}) UNION ALL SELECT r.rulename, r.ev_class::pg_catalog.regclass FROM \
             pg_catalog.pg_rewrite r WHERE r.ev_class IN ({of}) AND r.rulename <> ALL ({rules})"
        ),
        found: "a trigger or rule was added since planning, which would act on the rows that change".to_string(),
advice: "plan again".to_string(),
    });
    guards
}

/// Writes the lines of a PL/pgSQL block that raise an error where a guard finds something.
pub(super) fn lines(bench: &Bench<'_>, guards: &[Guard]) -> Vec<String> {
    let line = |guard: &Guard| {
        let message = bench.dialect.literal(&guard.message());
        format!("IF EXISTS ({}) THEN RAISE EXCEPTION USING MESSAGE = {message}; END IF;", guard.sql)
    };
    guards.iter().map(line).collect()
}

fn families(bench: &Bench<'_>, tables: &[&TableName]) -> Vec<TableName> {
    let mut all: Vec<TableName> = tables.iter().flat_map(|t| bench.family(t)).collect();
    all.sort();
    all.dedup();
    all
}

fn oid(bench: &Bench<'_>, table: &TableName) -> String {
    catalog::relation(bench, &bench.name(table))
}

fn oids(bench: &Bench<'_>, tables: &[TableName]) -> String {
    tables.iter().map(|t| oid(bench, t)).collect::<Vec<_>>().join(", ")
}

fn list<'n>(bench: &Bench<'_>, names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<String> = names.map(|n| bench.dialect.literal(n)).collect();
    names.sort();
    names.dedup();
    format!("ARRAY[{}]::pg_catalog.name[]", names.join(", "))
}
