//! Drizzle's snapshot of the schema after a migration: the last one with the plan's changes made to it.
//!
//! Up to 0.45 tables hold their keys and indexes by name; from 1.0 on everything stands in one list, `ddl`. Only what the
//! plan changes is touched, so that what this reader does not know stays as it is.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::json::Json;
use super::model::MigrationError;
use crate::change::Change;
use crate::plan::Plan;
use crate::schema::facts::{Client, DefaultSchema};
use crate::schema::{Action, Engine, ForeignKey, Index, TableName};

/// Returns the text of the next snapshot. `name` makes its identifier: the same migration has the same one.
pub(super) fn next(plan: &Plan, before: Option<(&str, &str)>, name: &str) -> Result<String, MigrationError> {
    let Some((path, text)) = before else {
        // The first migration of a folder: nothing is known of the tables, and nothing has to be.
        let (dialect, version) = named(plan.engine);
        let value = json!({
            "id": uuid(name), "prevId": "00000000-0000-0000-0000-000000000000", "version": version, "dialect": dialect,
            "tables": {}, "enums": {}, "schemas": {}, "views": {},
        });
        return Ok(pretty(&value, None));
    };
    let unreadable = |why: String| MigrationError::Unreadable { path: path.to_string(), why };
    let old: Json = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    let mut value: Value = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    let id = value.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
    let new = uuid(&format!("{id}/{name}"));
    let changes = plan.steps.iter().flat_map(|s| &s.changes);
    if let Some(list) = value.get_mut("ddl").and_then(Value::as_array_mut) {
        changes.for_each(|change| flat(plan.engine, list, change));
        value["prevIds"] = json!([id]);
    } else if let Some(tables) = value.get_mut("tables").and_then(Value::as_object_mut) {
        changes.for_each(|change| nested(plan.engine, tables, change));
        value["prevId"] = json!(id);
    } else {
        return Err(unreadable("it has neither `tables` nor `ddl`".to_string()));
    }
    value["id"] = json!(new);
    Ok(pretty(&value, Some(&old)))
}

/// Returns what Drizzle calls an engine's dialect, and the version of the snapshots it writes for it.
pub(super) fn named(engine: Engine) -> (&'static str, &'static str) {
    match engine.facts().scripts.client {
        Client::Sqlite3 => ("sqlite", "6"),
        Client::Psql | Client::Cockroach => ("postgresql", "7"),
        Client::Mysql => ("mysql", "5"),
    }
}

/// The order in which Drizzle writes what a key or an index is made of, up to 0.45.
#[rustfmt::skip]
const NESTED: &[&str] = &[
    "name", "tableFrom", "tableTo", "schemaTo", "columnsFrom", "columnsTo", "onDelete", "onUpdate", "expression",
    "isExpression", "asc", "nulls", "columns", "isUnique", "where", "concurrently", "method", "with",
];
/// The same from 1.0 on.
#[rustfmt::skip]
const FLAT: &[&str] = &[
    "nameExplicit", "value", "isExpression", "asc", "nullsFirst", "opclass", "columns", "isUnique", "where", "origin", "with",
    "method", "concurrently", "schemaTo", "tableTo", "columnsTo", "onUpdate", "onDelete", "name", "entityType", "schema",
    "table",
];

fn pretty(value: &Value, before: Option<&Json>) -> String {
    let usual = if value.get("ddl").is_some() { FLAT } else { NESTED };
    serde_json::to_string_pretty(&Json::like(value, before, usual)).unwrap_or_default()
}

/// Makes a version 8 UUID ("custom", RFC 9562, 5.8) of a text.
fn uuid(text: &str) -> String {
    let mut b: Vec<u8> = Sha256::digest(text).into_iter().take(16).collect();
    b[6] = (b[6] & 0x0f) | 0x80;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn word(action: Action) -> String {
    action.sql().to_lowercase()
}

/// The name that Drizzle gives a key that has none.
fn key_name(table: &TableName, key: &ForeignKey) -> String {
    key.name.clone().unwrap_or_else(|| {
        format!("{}_{}_{}_{}_fk", table.name, key.columns.join("_"), key.parent.name, key.parent_columns.join("_"))
    })
}

// Up to 0.45.

fn nested(engine: Engine, tables: &mut Map<String, Value>, change: &Change) {
    let name = change.table();
    let id = match engine.facts().names.default_schema {
        DefaultSchema::SearchPath(default) => format!("{}.{}", name.schema.as_deref().unwrap_or(default), name.name),
        DefaultSchema::Fixed(_) | DefaultSchema::InUse => name.name.clone(),
    };
    let Some(table) = tables.get_mut(&id).and_then(Value::as_object_mut) else { return };
    let mut part = |what: &str| -> Option<Map<String, Value>> {
        Some(std::mem::take(table.entry(what).or_insert_with(|| json!({})).as_object_mut()?))
    };
    match change {
        Change::AddForeignKey { foreign_key, .. } => {
            let Some(mut keys) = part("foreignKeys") else { return };
            keys.insert(key_name(name, foreign_key), nested_key(name, foreign_key));
            table.insert("foreignKeys".into(), keys.into());
        }
        Change::DropForeignKey { foreign_key, .. } => {
            let Some(mut keys) = part("foreignKeys") else { return };
            keys.retain(|_, k| !same_columns(k, "columnsFrom", foreign_key));
            table.insert("foreignKeys".into(), keys.into());
        }
        Change::ReplaceForeignKey { old, new, .. } => {
            let Some(mut keys) = part("foreignKeys") else { return };
            keys.retain(|_, k| !same_columns(k, "columnsFrom", old));
            keys.insert(key_name(name, new), nested_key(name, new));
            table.insert("foreignKeys".into(), keys.into());
        }
        Change::AddIndex { index, .. } => {
            let Some(mut indexes) = part("indexes") else { return };
            indexes.insert(index.name.clone(), nested_index(engine, index));
            table.insert("indexes".into(), indexes.into());
        }
        Change::DropIndex { index, .. } => {
            let Some(mut indexes) = part("indexes") else { return };
            indexes.remove(&index.name);
            table.insert("indexes".into(), indexes.into());
        }
        Change::SetNullable { column, nullable, .. } => {
            let Some(mut columns) = part("columns") else { return };
            if let Some(Value::Object(column)) = columns.get_mut(column) {
                column.insert("notNull".into(), json!(!nullable));
            }
            table.insert("columns".into(), columns.into());
        }
        Change::SetDefault { column, default, .. } => {
            let Some(mut columns) = part("columns") else { return };
            if let Some(Value::Object(column)) = columns.get_mut(column) {
                match default {
                    Some(text) => drop(column.insert("default".into(), json!(text))),
                    None => drop(column.remove("default")),
                }
            }
            table.insert("columns".into(), columns.into());
        }
        _ => {}
    }
}

fn same_columns(key: &Value, field: &str, of: &ForeignKey) -> bool {
    key.get(field) == Some(&json!(of.columns))
}

fn nested_key(table: &TableName, key: &ForeignKey) -> Value {
    let mut value = json!({
        "name": key_name(table, key),
        "tableFrom": table.name,
        "tableTo": key.parent.name,
        "columnsFrom": key.columns,
        "columnsTo": key.parent_columns,
        "onDelete": word(key.on_delete),
        "onUpdate": word(key.on_update),
    });
    if let Some(schema) = &key.parent.schema {
        value["schemaTo"] = json!(schema);
    }
    value
}

/// Tells whether Drizzle writes how each part of an index is sorted.
fn is_sorted(engine: Engine) -> bool {
    engine.facts().scripts.client == Client::Psql
}

fn nested_index(engine: Engine, index: &Index) -> Value {
    let sorted = is_sorted(engine);
    let parts: Vec<Value> = index
        .parts
        .iter()
        .map(|p| match p.column.as_ref().or(p.expression.as_ref()) {
            part if sorted => json!({
                "expression": part,
                "isExpression": p.column.is_none(),
                "asc": !p.descending,
                "nulls": if p.descending { "first" } else { "last" },
            }),
            part => json!(part),
        })
        .collect();
    let mut value = json!({ "name": index.name, "columns": parts, "isUnique": index.unique });
    if sorted {
        value["concurrently"] = json!(false);
        value["method"] = json!(index.method);
        value["with"] = json!({});
    }
    if let Some(predicate) = &index.predicate {
        value["where"] = json!(predicate);
    }
    value
}

// From 1.0 on.

fn flat(engine: Engine, list: &mut Vec<Value>, change: &Change) {
    let name = change.table();
    let schema = name.schema.as_deref().unwrap_or("public");
    let has_schemas = matches!(engine.facts().names.default_schema, DefaultSchema::SearchPath(_));
    let here = |v: &Value, kind: &str| {
        v["entityType"] == kind && v["table"] == name.name && (!has_schemas || v["schema"] == schema)
    };
    let key_of = |key: &ForeignKey| {
        let mut value = json!({
            "nameExplicit": key.name.is_some(),
            "columns": key.columns,
            "tableTo": key.parent.name,
            "columnsTo": key.parent_columns,
            "onUpdate": word(key.on_update).to_uppercase(),
            "onDelete": word(key.on_delete).to_uppercase(),
            "name": key_name(name, key),
            "entityType": "fks",
            "table": name.name,
        });
        if has_schemas {
            value["schema"] = json!(schema);
            value["schemaTo"] = json!(key.parent.schema.as_deref().unwrap_or("public"));
        }
        value
    };
    match change {
        Change::AddForeignKey { foreign_key, .. } => insert(list, key_of(foreign_key)),
        Change::DropForeignKey { foreign_key, .. } => {
            list.retain(|v| !(here(v, "fks") && same_columns(v, "columns", foreign_key)));
        }
        Change::ReplaceForeignKey { old, new, .. } => {
            match list.iter().position(|v| here(v, "fks") && same_columns(v, "columns", old)) {
                Some(at) => {
                    let mut key = key_of(new);
                    if key["name"] == list[at]["name"] {
                        // Whether the schema file names the key, only Drizzle knows.
                        key["nameExplicit"] = list[at]["nameExplicit"].take();
                    }
                    list[at] = key;
                }
                None => insert(list, key_of(new)),
            }
        }
        Change::AddIndex { index, .. } => insert(list, flat_index(engine, name, schema, index)),
        Change::DropIndex { index, .. } => list.retain(|v| !(here(v, "indexes") && v["name"] == index.name)),
        Change::SetNullable { column, nullable, .. } => {
            list.iter_mut()
                .filter(|v| here(v, "columns") && v["name"] == *column)
                .for_each(|v| v["notNull"] = json!(!nullable));
        }
        Change::SetDefault { column, default, .. } => {
            list.iter_mut()
                .filter(|v| here(v, "columns") && v["name"] == *column)
                .for_each(|v| v["default"] = json!(default));
        }
        _ => {}
    }
}

/// Adds an entity behind the last of its kind.
fn insert(list: &mut Vec<Value>, entity: Value) {
    let last = list.iter().rposition(|v| v["entityType"] == entity["entityType"]);
    list.insert(last.map_or(list.len(), |at| at + 1), entity);
}

fn flat_index(engine: Engine, table: &TableName, schema: &str, index: &Index) -> Value {
    let parts: Vec<Value> = index
        .parts
        .iter()
        .map(|p| {
            let mut part =
                json!({ "value": p.column.as_ref().or(p.expression.as_ref()), "isExpression": p.column.is_none() });
            if is_sorted(engine) {
                part["asc"] = json!(!p.descending);
                part["nullsFirst"] = json!(p.descending);
                part["opclass"] = json!(p.operator_class);
            }
            part
        })
        .collect();
    let mut value = json!({
        "columns": parts,
        "isUnique": index.unique,
        "where": index.predicate,
        "name": index.name,
        "entityType": "indexes",
        "table": table.name,
    });
    if !is_sorted(engine) {
        value["origin"] = json!("manual");
    } else {
        value["schema"] = json!(schema);
        value["nameExplicit"] = json!(true);
        value["with"] = json!("");
        value["method"] = json!(index.method);
        value["concurrently"] = json!(false);
    }
    value
}
