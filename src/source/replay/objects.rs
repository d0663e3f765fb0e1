//! Everything else that bears on tables: comments, settings, types, schemas.

use super::super::history::ConflictKind;
use super::Replay;
use super::types::{self, UserType};
use crate::change::{Change, Commented, Object};
use crate::schema::{Family, Schema, TableName};
use crate::sql::ast::{Command, CommentOn, Name, Span, TypeKind};

impl Replay {
    pub(super) fn object(&mut self, command: &Command, span: Span) {
        match command {
            Command::RenameIndex { table, index, to, if_exists } => match self.find_index(table.as_ref(), index) {
                Some((table, index)) => {
                    self.make(Change::RenameIndex { table, index: index.name, to: to.text.clone() }, span);
                }
                None if *if_exists => {}
                None => {
                    let what = Object::Index(index.name.clone());
                    self.conflict(ConflictKind::Missing { what, table: self.new_name(index) }, span, None);
                }
            },
            Command::AttachIndex { index, .. } => self.attach_index(index, span),
            Command::Comment { on, text } => self.comment(on, text.as_ref(), span),
            Command::Set { name, values, .. } => self.set(name, values),
            Command::CreateType { name, kind } => self.create_type(name, kind),
            Command::RequireDomain { name } => self.require_domain(name, span),
            Command::RenameType { name, to } => self.rename_type(name, to, span),
            Command::AddLabel { name, label, beside } => self.change_labels(name, span, |labels| {
                if labels.contains(label) {
                    return;
                }
                let place = beside.as_ref().and_then(|(other, before)| {
                    labels.iter().position(|l| l == other).map(|at| if *before { at } else { at + 1 })
                });
                labels.insert(place.unwrap_or(labels.len()), label.clone());
            }),
            Command::RenameLabel { name, label, to } => self.change_labels(name, span, |labels| {
                labels.iter_mut().filter(|l| *l == label).for_each(|l| l.clone_from(to));
            }),
            Command::DropType { names, cascade } => {
                for name in names {
                    self.drop_type(name, *cascade, span);
                }
            }
            Command::CreateOther { name } => {
                let name = self.new_name(name);
                self.others.insert(name);
            }
            Command::DropSchema { names, cascade } => {
                for schema in names {
                    self.drop_schema(schema, *cascade, span);
                }
            }
            Command::RenameSchema { name, to } => self.rename_schema(name, to, span),
            Command::CreateFunction(function) => self.create_function(function, span),
            Command::CreateRule(rule) => self.create_rule(rule, span),
            Command::DropRule { name, table, if_exists } => self.drop_rule(name, table, *if_exists, span),
            Command::CreateTrigger(create) => self.create_trigger(create, span),
            Command::DropTrigger { name, table, if_exists } => {
                self.drop_trigger(name, table.as_ref(), *if_exists, span);
            }
            Command::OwnSequence { .. }
            | Command::CreateSchema { .. }
            | Command::Truncate { .. }
            | Command::Rows { .. }
            | Command::Transaction(_)
            | Command::Other(_)
            | Command::CreateTable(_)
            | Command::CreateRoutine(_)
            | Command::Call { .. }
            | Command::DropTable { .. }
            | Command::AlterTable { .. }
            | Command::CreateIndex(_)
            | Command::DropIndex { .. } => {}
        }
    }

    /// An index of a partitioned table that was made for it alone becomes valid with its last partition's (manual,
    /// ALTER INDEX). A dump attaches all of them.
    fn attach_index(&mut self, index: &Name, span: Span) {
        let Some((table, mut index)) = self.find_index(None, index) else { return };
        if !index.valid {
            index.valid = true;
            self.make(Change::SetIndexValid { table, index: index.name, valid: true }, span);
        }
    }

    fn comment(&mut self, on: &CommentOn, text: Option<&String>, span: Span) {
        let text = text.filter(|t| !t.is_empty()).cloned();
        let (table, on) = match on {
            CommentOn::Table(name) => (name, Commented::Table),
            CommentOn::Column(name, column) => (name, Commented::Column(column.clone())),
            CommentOn::Constraint(name, constraint) => (name, Commented::ForeignKey(constraint.clone())),
            CommentOn::Other => return,
        };
        let Ok(table) = self.found(table) else { return };
        if let Commented::ForeignKey(name) = &on {
            // Only those of foreign keys are kept.
            let keys = self.schema.table(&table).map(|t| t.foreign_keys.as_slice()).unwrap_or_default();
            if !keys.iter().any(|k| k.name.as_ref() == Some(name)) {
                return;
            }
        }
        self.make(Change::Comment { table, on, text }, span);
    }

    fn set(&mut self, name: &str, values: &[String]) {
        match name {
            "search_path" | "schema" if self.schema.default_schema.is_some() => {
                let schemas = values.iter().filter(|v| !matches!(v.as_str(), "$user" | "pg_catalog" | "pg_temp"));
                self.path = schemas.map(|s| self.in_schema(s, "").schema).collect();
                if self.path.is_empty() || values.iter().any(|v| v.eq_ignore_ascii_case("default")) {
                    self.path = vec![None];
                }
            }
            "database" => self.database = values.first().cloned(),
            _ => {
                let known = ["foreign_keys", "legacy_alter_table"].into_iter().find(|n| name.eq_ignore_ascii_case(n));
                let (Some(pragma), Some(value)) = (known, values.first()) else { return };
                let on = crate::sql::is_on(value);
                // Inside a transaction this one does nothing ("PRAGMA foreign_keys").
                if pragma == "foreign_keys" && self.in_transaction {
                    return;
                }
                if on {
                    self.pragmas.insert(pragma)
                } else {
                    self.pragmas.remove(pragma)
                };
            }
        }
    }

    fn type_key(&self, name: &Name) -> (Option<String>, String) {
        let named = self.new_name(name);
        (named.schema, named.name)
    }

    fn create_type(&mut self, name: &Name, kind: &TypeKind) {
        let key = self.type_key(name);
        let made = match kind {
            TypeKind::Enum { labels } => UserType::Enum(labels.clone()),
            TypeKind::Other => UserType::Other,
            TypeKind::Domain { base, not_null, default, collation } => {
                let resolved = types::resolve(self.engine, &base.text, &self.users, &self.path);
                UserType::Domain {
                    default: default
                        .as_ref()
                        .and_then(|d| self.default(&d.text, &resolved.data_type))
                        .or(resolved.default),
                    base: resolved.data_type,
                    not_null: *not_null || resolved.not_null,
                    collation: collation.clone().or(resolved.collation),
                }
            }
        };
        self.users.insert(key, made);
    }

    fn find_type(&self, name: &Name) -> Option<(Option<String>, String)> {
        let schemas = match &name.schema {
            Some(schema) => vec![self.in_schema(schema, "").schema],
            None => self.path.clone(),
        };
        schemas.into_iter().map(|s| (s, name.name.clone())).find(|key| self.users.contains_key(key))
    }

    /// The columns of an enumeration know its labels.
    fn change_labels(&mut self, name: &Name, span: Span, change: impl FnOnce(&mut Vec<String>)) {
        let Some(key) = self.find_type(name) else { return };
        let Some(UserType::Enum(labels)) = self.users.get_mut(&key) else { return };
        change(labels);
        let labels = labels.clone();
        let text = types::regclass(key.0.as_deref(), &key.1);
        let mut changes = Vec::new();
        for table in &self.schema.tables {
            for column in table.columns.iter().filter(|c| c.data_type.family == Family::Enum && c.data_type.raw == text)
            {
                let data_type = crate::schema::DataType { labels: labels.clone(), ..column.data_type.clone() };
                let (table, column, collation) = (table.name.clone(), column.name.clone(), column.collation.clone());
                changes.push(Change::SetType { table, column, data_type, collation });
            }
        }
        for change in changes {
            self.make(change, span);
        }
    }

    /// The columns of a domain that becomes NOT NULL accept no NULL from then on.
    fn require_domain(&mut self, name: &Name, span: Span) {
        let Some(key) = self.find_type(name) else { return };
        if let Some(UserType::Domain { not_null, .. }) = self.users.get_mut(&key) {
            *not_null = true;
        }
        let text = types::regclass(key.0.as_deref(), &key.1);
        let mut changes = Vec::new();
        for table in &self.schema.tables {
            let of_domain = |c: &&crate::schema::Column| c.nullable && c.data_type.domain.as_ref() == Some(&text);
            for column in table.columns.iter().filter(of_domain) {
                let (table, column) = (table.name.clone(), column.name.clone());
                changes.push(Change::SetNullable { table, column, nullable: false });
            }
        }
        for change in changes {
            self.make(change, span);
        }
    }

    /// The columns of a type follow its name.
    fn rename_type(&mut self, name: &Name, to: &Name, span: Span) {
        let Some(key) = self.find_type(name) else { return };
        let Some(user) = self.users.remove(&key) else { return };
        let schema = if to.schema == name.schema { key.0.clone() } else { self.type_key(to).0 };
        let new = (schema, to.name.clone());
        let (old_text, new_text) =
            (types::regclass(key.0.as_deref(), &key.1), types::regclass(new.0.as_deref(), &new.1));
        self.users.insert(new, user);
        let mut changes = Vec::new();
        for table in &self.schema.tables {
            for column in &table.columns {
                let mut data_type = column.data_type.clone();
                if data_type.domain.as_ref() == Some(&old_text) {
                    data_type.domain = Some(new_text.clone());
                } else if data_type.raw.trim_end_matches("[]") == old_text {
                    let raw = data_type.raw.replacen(&old_text, &new_text, 1);
                    data_type = crate::schema::DataType::parse(self.engine, &raw);
                    if column.data_type.family == Family::Enum {
                        data_type.family = Family::Enum;
                        data_type.labels.clone_from(&column.data_type.labels);
                    }
                } else {
                    continue;
                }
                let (table, name, collation) = (table.name.clone(), column.name.clone(), column.collation.clone());
                changes.push(Change::SetType { table, column: name, data_type, collation });
            }
        }
        for change in changes {
            self.make(change, span);
        }
    }

    fn drop_type(&mut self, name: &Name, cascade: bool, span: Span) {
        let Some(key) = self.find_type(name) else { return };
        self.users.remove(&key);
        if !cascade {
            return;
        }
        let text = types::regclass(key.0.as_deref(), &key.1);
        let of_type =
            |d: &crate::schema::DataType| d.domain.as_ref() == Some(&text) || d.raw.trim_end_matches("[]") == text;
        let mut gone = Vec::new();
        for table in &self.schema.tables {
            let columns = table.columns.iter().filter(|c| of_type(&c.data_type));
            gone.extend(columns.map(|c| (table.name.clone(), c.name.clone())));
        }
        for (table, column) in gone {
            self.make(Change::DropColumn { table, column, cascade: true }, span);
        }
    }

    fn drop_schema(&mut self, schema: &str, cascade: bool, span: Span) {
        if !cascade {
            return;
        }
        let schema = self.in_schema(schema, "").schema;
        let gone: Vec<TableName> = tables_of(&self.schema, &schema);
        for table in gone {
            // A partition may have gone with its table.
            if self.schema.table(&table).is_some() {
                self.make(Change::DropTable { table, cascade: true }, span);
            }
        }
        self.users.retain(|(s, _), _| *s != schema);
        self.others.retain(|n| n.schema != schema);
    }

    fn rename_schema(&mut self, name: &str, to: &str, span: Span) {
        let old = self.in_schema(name, "").schema;
        for table in tables_of(&self.schema, &old) {
            let to = self.in_schema(to, &table.name);
            self.make(Change::RenameTable { table, to }, span);
        }
    }
}

fn tables_of(schema: &Schema, name: &Option<String>) -> Vec<TableName> {
    schema.tables.iter().filter(|t| t.name.schema == *name).map(|t| t.name.clone()).collect()
}
