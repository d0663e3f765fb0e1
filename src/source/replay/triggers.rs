//! Triggers, the functions that they run, and rules.

use std::collections::BTreeMap;

use super::{ConflictKind, Replay};
use crate::change::{Change, Object};
use crate::schema::{CatalogOnly, Does, RewriteRule, TableName, Trigger};
use crate::sql::ast::{CreateFunction, CreateRule, CreateTrigger, Name, Span};
use crate::sql::body;

/// PostgreSQL: the functions that triggers run, and which run which.
#[derive(Default)]
pub(super) struct Functions {
    known: BTreeMap<TableName, CreateFunction>,
    /// By table and trigger.
    run: BTreeMap<(TableName, String), TableName>,
    /// The conditions of `WHEN`, by table and trigger.
    conditions: BTreeMap<(TableName, String), String>,
}

impl Replay {
    /// A function that is replaced is another body for the triggers that run it.
    pub(super) fn create_function(&mut self, function: &CreateFunction, span: Span) {
        let name = self.new_name(&function.name);
        self.functions.known.insert(name.clone(), function.clone());
        let run = self.functions.run.iter().filter(|(_, f)| **f == name).map(|(t, _)| t.clone());
        for (table, trigger) in run.collect::<Vec<_>>() {
            let of = self.schema.table(&table).and_then(|t| t.triggers.iter().find(|t| t.name == trigger)).cloned();
            let Some(mut trigger) = of else { continue };
            let condition = self.functions.conditions.get(&(table.clone(), trigger.name.clone()));
            let does = self.function_does(&name, &trigger, condition.map_or("", String::as_str));
            if does != trigger.does {
                trigger.does = does;
                let drop = Change::DropTrigger { table: table.clone(), name: trigger.name.clone() };
                if self.make(drop, span) {
                    self.make(Change::AddTrigger { table, trigger }, span);
                }
            }
        }
    }

    fn function_does(&self, name: &TableName, trigger: &Trigger, condition: &str) -> Vec<Does> {
        let does = match self.functions.known.get(name) {
            Some(f) if f.language == "plpgsql" => body::does(self.engine, &f.body, trigger),
            Some(f) => body::unread(trigger, &format!("`{name}` is written in {}", f.language)),
            None if body::HARMLESS.contains(&name.name.as_str()) => Vec::new(),
            None => body::unread(trigger, &format!("`{name}` is not defined here")),
        };
        body::under_condition(self.engine, trigger, condition, does)
    }

    /// Finds a function that is there; the name it would have if it is not.
    fn found_function(&self, name: &Name) -> TableName {
        let candidates: Vec<TableName> = match &name.schema {
            Some(schema) => vec![self.in_schema(schema, &name.name)],
            None => self.path.iter().map(|s| TableName { schema: s.clone(), name: name.name.clone() }).collect(),
        };
        let known = candidates.iter().find(|c| self.functions.known.contains_key(c));
        known.or(candidates.first()).cloned().unwrap_or_else(|| TableName::new(&name.name))
    }

    pub(super) fn create_trigger(&mut self, create: &CreateTrigger, span: Span) {
        let Ok(table) = self.found(&create.table) else { return };
        let there = self.schema.table(&table).is_some_and(|t| t.triggers.iter().any(|t| t.name == create.name.name));
        if there && (create.if_not_exists || self.engine.facts().triggers.replace) {
            // CREATE OR REPLACE TRIGGER puts another in its place.
            let change = Change::DropTrigger { table: table.clone(), name: create.name.name.clone() };
            if create.if_not_exists || !self.make(change, span) {
                return;
            }
        }
        let mut trigger = create.trigger();
        match (&create.function, &create.body) {
            (Some(function), _) => {
                let function = self.found_function(function);
                let condition = create.condition.clone().unwrap_or_default();
                trigger.does = self.function_does(&function, &trigger, &condition);
                let place = (table.clone(), trigger.name.clone());
                self.functions.conditions.insert(place.clone(), condition);
                self.functions.run.insert(place, function);
            }
            (None, Some(text)) => trigger.does = body::does(self.engine, text, &trigger),
            (None, None) => {}
        }
        self.make(Change::AddTrigger { table, trigger }, span);
    }

    pub(super) fn drop_trigger(&mut self, name: &Name, table: Option<&Name>, if_exists: bool, span: Span) {
        let found = match table {
            Some(table) => self.found(table).ok(),
            None => {
                let has = |t: &&crate::schema::Table| t.triggers.iter().any(|t| t.name == name.name);
                self.schema.tables.iter().find(has).map(|t| t.name.clone())
            }
        };
        let Some(table) = found else { return };
        let there = self.schema.table(&table).is_some_and(|t| t.triggers.iter().any(|t| t.name == name.name));
        if there || !if_exists {
            self.make(Change::DropTrigger { table, name: name.name.clone() }, span);
        }
    }

    pub(super) fn create_rule(&mut self, create: &CreateRule, span: Span) {
        // A rule of a view is no table's.
        let Ok(table) = self.found(&create.table) else { return };
        let mut rules = self.schema.table(&table).map(|t| t.rewrite_rules.clone()).unwrap_or_default();
        rules.retain(|r| r.name != create.name);
        let found = |table: &TableName| {
            self.found(&Name { schema: table.schema.clone(), name: table.name.clone(), span: Span::default() })
        };
        // PostgreSQL keeps a rule with the tables and columns that it means, however they are written.
        let columns = |table: &TableName| {
            let table = found(table).ok().and_then(|t| self.schema.table(&t));
            table.map(|t| t.columns.iter().map(|c| c.name.clone()).collect()).unwrap_or_default()
        };
        let mut writes = body::writes_of_rule(self.engine, &create.actions, &columns);
        for write in &mut writes {
            if let Ok(table) = found(&write.table) {
                write.table = table;
            }
        }
        rules.push(RewriteRule {
            name: create.name.clone(),
            event: create.event.clone(),
            instead: create.instead,
            conditional: create.conditional,
            enabled: true,
            writes,
            unread: body::unread_of_rule(self.engine, &create.actions, &create.condition),
            print: CatalogOnly::default(),
        });
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        self.make(Change::SetRewriteRules { table, rules }, span);
    }

    pub(super) fn drop_rule(&mut self, rule: &str, table: &Name, if_exists: bool, span: Span) {
        let Ok(table) = self.found(table) else { return };
        let mut rules = self.schema.table(&table).map(|t| t.rewrite_rules.clone()).unwrap_or_default();
        let before = rules.len();
        rules.retain(|r| r.name != rule);
        if rules.len() < before {
            self.make(Change::SetRewriteRules { table, rules }, span);
        } else if !if_exists {
            self.conflict(ConflictKind::Missing { what: Object::Rule(rule.to_string()), table }, span, None);
        }
    }
}
