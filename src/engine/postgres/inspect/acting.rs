//! What acts when rows change, keys apart: triggers, rules, publications.

use super::super::super::EngineError;
use super::super::super::records::{Record, records};
use super::{Builder, Catalog, Oid};
use crate::schema::{CatalogOnly, Does, Engine, Publication, ReplicaIdentity, RewriteRule, TableName, Trigger};
use crate::sql::lexer::{Kind, significant};
use crate::sql::{Command, body};

pub(super) fn read(builder: &mut Builder, catalog: &Catalog) -> Result<(), EngineError> {
    for record in records("triggers", &catalog.triggers) {
        let trigger = trigger(builder, &record)?;
        if let Some(table) = builder.tables.get_mut(&record.number("table")?) {
            table.triggers.push(trigger);
        }
    }
    for record in records("rules", &catalog.rules) {
        let rule = rule(&record)?;
        if let Some(table) = builder.tables.get_mut(&record.number("table")?) {
            table.rewrite_rules.push(rule);
        }
    }
    for record in records("publications", &catalog.publications) {
        let oid: Oid = record.number("table")?;
        let identity = match record.text("identity") {
            Some("f") => ReplicaIdentity::Full,
            Some("n") => ReplicaIdentity::Nothing,
            Some("i") => match record.text("identity_columns") {
                Some(columns) => ReplicaIdentity::Index(named(builder, oid, columns)),
                None => ReplicaIdentity::Nothing,
            },
            _ => ReplicaIdentity::Default,
        };
        let publication = record.owned("name").map(|name| Publication {
            name,
            update: record.flag("update"),
            delete: record.flag("delete"),
            new_tables: record.flag("new_tables"),
            columns: named(builder, oid, record.text("columns").unwrap_or_default()),
            filter_columns: words(record.text("filter").unwrap_or_default()),
        });
        if let Some(table) = builder.tables.get_mut(&oid) {
            let publication = publication.map(|mut p| {
                p.filter_columns.retain(|c| table.column(c).is_some());
                p
            });
            table.replica_identity = identity;
            table.publications.extend(publication);
        }
    }
    Ok(())
}

/// Returns the names in an expression.
fn words(expression: &str) -> Vec<String> {
    let tokens = significant(Engine::Postgres, expression).into_iter();
    let names = tokens.filter(|t| matches!(t.kind, Kind::Word | Kind::QuotedName)).filter_map(|t| t.name(expression));
    names.collect()
}

/// Names columns that are given by their numbers: `1,2`, `1 2` or `[1, 2]`.
fn named(builder: &Builder, table: Oid, numbers: &str) -> Vec<String> {
    let numbers = numbers.split([',', ' ', '[', ']']).filter_map(|n| n.parse().ok());
    numbers.filter_map(|n: i32| builder.numbers.get(&(table, n)).cloned()).collect()
}

/// Reads `pg_trigger.tgtype`: the bits of `pg_trigger.h`.
fn trigger(builder: &Builder, record: &Record<'_>) -> Result<Trigger, EngineError> {
    let bits: i32 = record.number("bits")?;
    let timing = if bits & 64 != 0 {
        "INSTEAD OF"
    } else if bits & 2 != 0 {
        "BEFORE"
    } else {
        "AFTER"
    };
    let events = [(4, "INSERT"), (16, "UPDATE"), (8, "DELETE"), (32, "TRUNCATE")];
    let mut trigger = Trigger {
        name: record.need("name")?.to_string(),
        timing: timing.to_string(),
        events: events.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_string()).collect(),
        for_each_row: bits & 1 != 0,
        enabled: matches!(record.text("enabled"), Some("O" | "A")),
        columns: named(builder, record.number("table")?, record.text("columns").unwrap_or_default()),
        conditional: record.flag("conditional"),
        does: Vec::new(),
        print: CatalogOnly(record.owned("print")),
    };
    let condition = condition(record.text("definition").unwrap_or_default());
    trigger.does = body::under_condition(Engine::Postgres, &trigger, &condition, function(record, &trigger));
    Ok(trigger)
}

/// Returns what stands behind WHEN in the definition of a trigger.
fn condition(definition: &str) -> String {
    let commands = crate::sql::read(Engine::Postgres, definition).into_iter().flat_map(|s| s.commands);
    let found = commands.into_iter().find_map(|c| match c.command {
        Command::CreateTrigger(trigger) => trigger.condition,
        _ => None,
    });
    found.unwrap_or_default()
}

fn function(record: &Record<'_>, trigger: &Trigger) -> Vec<Does> {
    let schema = record.owned("function_schema").filter(|s| s != "public" && s != "pg_catalog");
    let name = TableName { schema, name: record.owned("function").unwrap_or_default() };
    match (record.text("body"), record.text("language")) {
        (Some(text), _) => body::does(Engine::Postgres, text, trigger),
        (None, Some("c" | "internal")) if body::HARMLESS.contains(&name.name.as_str()) => Vec::new(),
        (None, Some(language)) => body::unread(trigger, &format!("`{name}` is written in {language}")),
        (None, None) => body::unread(trigger, "its function is not known"),
    }
}

fn rule(record: &Record<'_>) -> Result<RewriteRule, EngineError> {
    let event = match record.text("event") {
        Some("2") => "UPDATE",
        Some("4") => "DELETE",
        _ => "INSERT",
    };
    let definition = record.text("definition").unwrap_or_default();
    let commands = crate::sql::read(Engine::Postgres, definition).into_iter().flat_map(|s| s.commands);
    let written = commands.into_iter().find_map(|c| match c.command {
        Command::CreateRule(rule) => Some(rule),
        _ => None,
    });
    let written = written.unwrap_or_default();
    Ok(RewriteRule {
        name: record.need("name")?.to_string(),
        event: event.to_string(),
        instead: record.flag("instead"),
        conditional: record.flag("conditional"),
        enabled: matches!(record.text("enabled"), Some("O" | "A")),
        writes: body::writes_of_rule(Engine::Postgres, &written.actions, &|_| Vec::new()),
        unread: body::unread_of_rule(Engine::Postgres, &written.actions, &written.condition),
        print: CatalogOnly(record.owned("print")),
    })
}
