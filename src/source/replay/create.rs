//! Tables, keys and indexes from their definitions.

use super::super::history::{ColumnOrigins, ConflictKind, KeyOrigins, Place, TableOrigins};
use super::{Replay, Watch, differences, types};
use crate::change::{self, Change, names};
use crate::schema::{
    Check, Collation, Column, DataType, Engine, ForeignKey, Generated, Index, IndexOrigin, IndexPart, Key, Table,
    TableKind, TableName, Timing,
};
use crate::sql::ast::{
    ColumnDef, Constraint, ConstraintKind, CreateIndex, CreateTable, KeyClause, Name, References, Span,
};

/// A constraint with the column in whose definition it stands.
pub(super) type Placed<'c> = (&'c Constraint, Option<String>);

fn mysql(engine: Engine) -> bool {
    matches!(engine, Engine::Mysql | Engine::Mariadb)
}

impl Replay {
    pub(super) fn create_table(&mut self, create: &CreateTable, span: Span, watch: &mut dyn Watch) {
        if create.temporary || create.name.schema.as_deref().is_some_and(|s| matches!(s, "temp" | "pg_temp")) {
            self.temporary.insert(create.name.name.clone());
            return;
        }
        let name = self.new_name(&create.name);
        let there = match self.found(&create.name) {
            Ok(there) if there.schema == name.schema => Some(there),
            _ => None,
        };
        let (table, origins) = self.table(create, &name, span);
        if let Some(there) = there {
            let earlier = self.created(&there);
            if create.if_not_exists {
                let differences =
                    self.schema.table(&there).map(|old| differences::tables(old, &table)).unwrap_or_default();
                if !differences.is_empty() {
                    let what = format!("table `{there}`");
                    self.conflict(ConflictKind::HiddenDifference { what, table: there, differences }, span, earlier);
                }
            } else {
                self.conflict(ConflictKind::Exists { what: format!("table `{there}`"), table: there }, span, earlier);
            }
            return;
        }
        for key in &table.foreign_keys {
            self.check_parent(&name, Some(&table), key, &origins);
        }
        if self.make(Change::CreateTable { definition: Box::new(table) }, span, watch) {
            self.history.origins.insert(name, origins);
        }
    }

    /// Notes a parent that is not there, where the engine refuses that.
    fn check_parent(&mut self, child: &TableName, own: Option<&Table>, key: &ForeignKey, origins: &TableOrigins) {
        let span = origins.foreign_keys.get(&key.firing_order).map_or_else(Span::default, |k| k.declared.span);
        self.parent_conflict(child, own, key, span);
    }

    fn parent_conflict(&mut self, child: &TableName, own: Option<&Table>, key: &ForeignKey, span: Span) {
        // SQLite looks for the parent only when a row is changed; MySQL's dumps switch the check off.
        if !matches!(self.engine, Engine::Postgres | Engine::Cockroach) {
            return;
        }
        let parent = if key.parent == *child {
            own.or_else(|| self.schema.table(child))
        } else {
            self.schema.table(&key.parent)
        };
        let what = match parent {
            None => format!("table `{}`", key.parent),
            Some(parent) => match key.parent_columns.iter().find(|c| parent.column(c).is_none()) {
                // A table whose columns come from a query cannot be judged.
                Some(column) if !parent.columns.is_empty() => format!("column `{}.{column}`", key.parent),
                _ => return,
            },
        };
        self.conflict(ConflictKind::MissingParent { table: child.clone(), what }, span, None);
    }

    fn table(&mut self, create: &CreateTable, name: &TableName, span: Span) -> (Table, TableOrigins) {
        let mut table = Table::new(name.clone());
        let mut origins = TableOrigins { created: self.place(span), ..TableOrigins::default() };
        table.kind = match (create.foreign, create.virtual_table, create.partitioned) {
            (true, ..) => TableKind::Foreign,
            (_, true, _) => TableKind::Virtual,
            (.., true) => TableKind::Partitioned,
            _ => TableKind::Plain,
        };
        table.unlogged = create.unlogged;
        table.without_rowid = create.without_rowid;
        table.strict = create.strict;
        table.comment.clone_from(&create.comment);
        self.inherited(create, &mut table, &mut origins, span);
        let mut likes = create.likes.iter().peekable();
        for (position, definition) in create.columns.iter().enumerate() {
            while let Some(like) = likes.next_if(|l| l.position <= position) {
                self.like(like, &mut table, &mut origins, span);
            }
            self.put_column(definition, &mut table, &mut origins);
        }
        for like in likes {
            self.like(like, &mut table, &mut origins, span);
        }
        let mut constraints: Vec<Placed<'_>> = create.constraints.iter().map(|c| (c, None)).collect();
        for column in &create.columns {
            constraints.extend(column.constraints.iter().map(|c| (c, Some(column.name.text.clone()))));
        }
        constraints.sort_by_key(|(c, _)| c.span.start);
        self.constraints(&constraints, create, &mut table, &mut origins);
        if let Some(parent) = create.partition_of.as_ref().and_then(|p| self.found(p).ok())
            && let Some(parent) = self.schema.table(&parent)
        {
            change::copy_indexes(parent, &mut table);
        }
        if self.engine == Engine::Sqlite {
            sqlite_finish(&mut table);
        }
        (table, origins)
    }

    /// Takes over what a partition or an heir has from its parents.
    fn inherited(&mut self, create: &CreateTable, table: &mut Table, origins: &mut TableOrigins, span: Span) {
        let place = self.place(span);
        let parents = create.partition_of.iter().chain(&create.inherits);
        for parent in parents.filter_map(|p| self.found(p).ok()).collect::<Vec<_>>() {
            let Some(parent) = self.schema.table(&parent) else { continue };
            for column in &parent.columns {
                match table.columns.iter_mut().find(|c| c.name == column.name) {
                    Some(there) => there.nullable &= column.nullable,
                    None => {
                        let mut column = column.clone();
                        column.comment = None;
                        if create.partition_of.is_none() && column.auto_number && column.default.is_none() {
                            // An identity is not inherited; its NOT NULL is (manual, CREATE TABLE).
                            column.auto_number = false;
                        }
                        table.columns.push(column);
                    }
                }
                let origin = ColumnOrigins { declared: place, data_type: place, nullable: place, default: None };
                origins.columns.insert(column.name.clone(), origin);
            }
            for check in &parent.checks {
                if !table.checks.iter().any(|c| c.name == check.name) {
                    table.checks.push(check.clone());
                }
            }
            if create.partition_of.is_some() {
                table.partition_of = Some(parent.name.clone());
            } else {
                table.inherits.push(parent.name.clone());
            }
        }
    }

    fn like(&mut self, like: &crate::sql::ast::Like, table: &mut Table, origins: &mut TableOrigins, span: Span) {
        let place = self.place(span);
        let Some(other) = self.found(&like.table).ok().and_then(|n| self.schema.table(&n)) else { return };
        let has = |what: &str| like.including.iter().any(|i| i == what || i == "all");
        for column in &other.columns {
            let mut made = column.clone();
            let identity = made.auto_number && made.default.is_none();
            if !has("defaults") {
                made.default = None;
                made.auto_number = identity;
            }
            if identity && !has("identity") && !mysql(self.engine) {
                made.auto_number = false;
            }
            if !has("generated") {
                made.generated = None;
            }
            if !has("comments") {
                made.comment = None;
            }
            let origin = ColumnOrigins { declared: place, data_type: place, nullable: place, default: None };
            origins.columns.insert(made.name.clone(), origin);
            table.columns.push(made);
        }
        if has("constraints") {
            table.checks.extend(other.checks.iter().cloned());
        }
        if has("indexes") {
            if mysql(self.engine) {
                table.indexes.clone_from(&other.indexes);
                table.primary_key.clone_from(&other.primary_key);
                table.unique_keys.clone_from(&other.unique_keys);
            } else {
                change::copy_indexes(other, table);
            }
        }
    }

    /// Makes a column of its definition, keys apart.
    pub(super) fn new_column(&self, definition: &ColumnDef, table: &TableName) -> Column {
        let resolved = types::resolve(self.engine, &definition.data_type.text, &self.users, &self.path);
        let mut column = Column::new(&definition.name.text, resolved.data_type);
        column.nullable = !resolved.not_null;
        column.default = resolved.default;
        let mut collation = resolved.collation;
        if resolved.serial && self.engine == Engine::Postgres {
            let sequence = names::joined(&table.name, &column.name, "seq");
            let sequence = types::regclass(table.schema.as_deref(), &sequence);
            column.default = Some(format!("nextval('{sequence}'::regclass)"));
        }
        column.auto_number = resolved.serial;
        for constraint in &definition.constraints {
            match &constraint.kind {
                ConstraintKind::NotNull(_) => column.nullable = false,
                ConstraintKind::Null => column.nullable = true,
                ConstraintKind::Default(text) => column.default = self.default(&text.text, &column.data_type),
                ConstraintKind::Generated { expression, stored } => {
                    column.generated = Some(Generated { expression: expression.text.clone(), stored: *stored });
                }
                ConstraintKind::AutoNumber => {
                    column.auto_number = true;
                    column.nullable = false;
                }
                ConstraintKind::Collate(name) => collation = Some(name.clone()),
                ConstraintKind::Comment(text) => column.comment = Some(text.clone()),
                _ => {}
            }
        }
        column.auto_number |= numbers(&column);
        column.collation = collation.and_then(|name| self.collation(name));
        column
    }

    pub(super) fn collation(&self, name: String) -> Option<Collation> {
        match self.engine {
            Engine::Sqlite if name.eq_ignore_ascii_case("BINARY") => None,
            Engine::Sqlite => Some(Collation { name, deterministic: false }),
            Engine::Mysql | Engine::Mariadb => {
                let deterministic = name.ends_with("_bin");
                Some(Collation { name, deterministic })
            }
            _ if name == "default" => None,
            _ => Some(Collation { name, deterministic: true }),
        }
    }

    /// Writes a default as the catalog keeps it. PostgreSQL keeps no `DEFAULT NULL`, except where the type's modifier makes a
    /// call of it (`varchar(20)`; heap.c, `AddRelationNewConstraints`).
    pub(super) fn default(&self, text: &str, data_type: &DataType) -> Option<String> {
        if !matches!(self.engine, Engine::Postgres | Engine::Cockroach) {
            return Some(text.to_string());
        }
        let lower = text.to_ascii_lowercase();
        if (lower == "null" || lower.starts_with("null::")) && data_type.arguments.is_empty() {
            return None;
        }
        if lower.starts_with("nextval(") {
            return Some(text.replacen("'public.", "'", 1));
        }
        Some(text.to_string())
    }

    fn put_column(&mut self, definition: &ColumnDef, table: &mut Table, origins: &mut TableOrigins) {
        let declared = self.place(definition.span);
        let mut origin = ColumnOrigins { declared, data_type: declared, nullable: declared, default: None };
        for constraint in &definition.constraints {
            let place = self.place(constraint.span);
            match &constraint.kind {
                ConstraintKind::NotNull(_) | ConstraintKind::Null => origin.nullable = place,
                ConstraintKind::Default(_) => origin.default = Some(place),
                _ => {}
            }
        }
        origins.columns.insert(definition.name.text.clone(), origin);
        let made = self.new_column(definition, &table.name);
        match table.columns.iter_mut().find(|c| c.name == made.name) {
            // A partition's or an heir's column: what is written is added to what is inherited.
            Some(there) => {
                there.nullable &= made.nullable;
                if made.default.is_some() {
                    there.default = made.default;
                }
                there.auto_number |= made.auto_number;
            }
            None => table.columns.push(made),
        }
    }

    /// Puts constraints into a table that is being made, in the order in which the engine makes them.
    fn constraints(
        &mut self,
        constraints: &[Placed<'_>],
        create: &CreateTable,
        table: &mut Table,
        origins: &mut TableOrigins,
    ) {
        // Names given come first, so that no name made up runs into one.
        for (constraint, column) in constraints {
            let place = self.place(constraint.span);
            match &constraint.kind {
                ConstraintKind::Check(text) => {
                    let check = self.check(constraint, column.as_deref(), &text.text, table, create);
                    if let Some(name) = &check.name {
                        origins.constraints.insert(name.clone(), place);
                    }
                    table.checks.push(check);
                }
                ConstraintKind::NotNull(Some(column)) => {
                    for found in table.columns.iter_mut().filter(|c| c.name == *column) {
                        found.nullable = false;
                    }
                    if let Some(origin) = origins.columns.get_mut(column) {
                        origin.nullable = place;
                    }
                }
                _ => {}
            }
        }
        let primary_first = matches!(self.engine, Engine::Postgres | Engine::Cockroach);
        let is_primary = |c: &Constraint| matches!(c.kind, ConstraintKind::PrimaryKey(_));
        let first = constraints.iter().filter(|(c, _)| primary_first && is_primary(c));
        let rest = constraints.iter().filter(|(c, _)| !(primary_first && is_primary(c)));
        for (constraint, column) in first.chain(rest) {
            let place = self.place(constraint.span);
            match &constraint.kind {
                ConstraintKind::PrimaryKey(clause) => {
                    let (key, index) = self.key(constraint, clause, column.as_deref(), table, true);
                    origins.primary_key = Some(place);
                    self.put_key(table, origins, key, index, true, place);
                    table.autoincrement |= clause.autoincrement;
                }
                ConstraintKind::Unique(clause) => {
                    let (key, index) = self.key(constraint, clause, column.as_deref(), table, false);
                    if !self.is_double(table, &key, index.as_ref(), constraint.name.is_some()) {
                        self.put_key(table, origins, key, index, false, place);
                    }
                }
                ConstraintKind::Index(create) | ConstraintKind::Exclude(create) => {
                    let exclusion = matches!(constraint.kind, ConstraintKind::Exclude(_));
                    let name = constraint.name.as_ref().map(|n| n.text.clone());
                    let index = self.index(create, table, name, exclusion);
                    origins.indexes.insert(index.name.clone(), place);
                    table.indexes.push(index);
                }
                _ => {}
            }
        }
        let keeps_keys = !mysql(self.engine) || create.storage.as_deref().is_none_or(|s| s == "innodb");
        for (constraint, column) in constraints {
            let ConstraintKind::ForeignKey(references) = &constraint.kind else { continue };
            // MySQL reads a column's REFERENCES and forgets it (manual, 15.1.20.5; MySQL 9 and MariaDB keep it).
            if !keeps_keys || self.engine == Engine::Mysql && column.is_some() {
                continue;
            }
            let (key, origin) = self.foreign_key(constraint, references, column.as_deref(), table);
            if let Some(index) = self.innodb_index(table, &key, references.index_name.as_deref()) {
                table.indexes.push(index);
            }
            origins.foreign_keys.insert(key.firing_order, origin);
            table.foreign_keys.push(key);
        }
    }

    fn put_key(
        &self,
        table: &mut Table,
        origins: &mut TableOrigins,
        key: Key,
        index: Option<Index>,
        primary: bool,
        place: Place,
    ) {
        if let Some(index) = index {
            origins.indexes.insert(index.name.clone(), place);
            table.indexes.push(index);
        }
        if let Some(name) = &key.name {
            origins.constraints.insert(name.clone(), place);
        }
        if primary {
            // SQLite lets NULL into most primary keys ("CREATE TABLE", 3.5): see `sqlite_finish`.
            if self.engine != Engine::Sqlite {
                for column in table.columns.iter_mut().filter(|c| key.columns.contains(&c.name)) {
                    if column.nullable
                        && let Some(origin) = origins.columns.get_mut(&column.name)
                    {
                        origin.nullable = place;
                    }
                    column.nullable = false;
                }
            }
            table.primary_key = Some(key);
        } else {
            table.unique_keys.push(key);
        }
    }

    /// Tells whether the engine makes nothing of a unique constraint, because one like it is there.
    fn is_double(&self, table: &Table, key: &Key, index: Option<&Index>, named: bool) -> bool {
        let Some(index) = index else { return false };
        let same = |i: &&Index| i.parts == index.parts && i.included == index.included;
        match self.engine {
            Engine::Postgres | Engine::Cockroach if !named => {
                let deferrable = |k: &Key| k.columns == key.columns && k.deferrable == key.deferrable;
                table.indexes.iter().filter(same).count() > 0
                    && table.primary_key.iter().chain(&table.unique_keys).any(deferrable)
            }
            Engine::Sqlite => table.indexes.iter().any(|i| i.origin != IndexOrigin::User && same(&i)),
            _ => false,
        }
    }

    /// Makes a primary key or a unique constraint, and the index behind it.
    pub(super) fn key(
        &self,
        constraint: &Constraint,
        clause: &KeyClause,
        column: Option<&str>,
        table: &Table,
        primary: bool,
    ) -> (Key, Option<Index>) {
        let parts = match column {
            Some(column) => {
                let descending = clause.parts.first().is_some_and(|p| p.descending);
                vec![IndexPart { descending, ..IndexPart::column(column) }]
            }
            None => clause.parts.clone(),
        };
        let parts: Vec<IndexPart> = parts.into_iter().map(|p| self.part(p, table)).collect();
        let columns: Vec<String> = parts.iter().filter_map(|p| p.column.clone()).collect();
        let mut name = constraint.name.as_ref().map(|n| n.text.clone());
        let none = |_: &str| false;
        let own = table.name.name.as_str();
        let index_name = match self.engine {
            Engine::Sqlite => names::sqlite_autoindex(table),
            Engine::Mysql | Engine::Mariadb if primary => "PRIMARY".to_string(),
            Engine::Mysql | Engine::Mariadb => {
                let given = name.clone().or_else(|| clause.index_name.clone());
                given.unwrap_or_else(|| names::mysql_index(table, columns.first().map_or("", String::as_str)))
            }
            _ => {
                let given = name.clone().or_else(|| clause.index_name.clone());
                let mut named = columns.clone();
                named.extend(clause.included.iter().cloned());
                given.unwrap_or_else(|| match primary {
                    true => names::free(table, own, "", "pkey", &none),
                    false => names::free(table, own, &names::columns(&named), "key", &none),
                })
            }
        };
        if self.engine != Engine::Sqlite {
            name = Some(index_name.clone());
        }
        let deferrable = constraint.timing.is_some_and(Timing::is_deferrable) && self.engine != Engine::Sqlite;
        let key = Key { name, columns, deferrable };
        // SQLite: the only column of an INTEGER primary key is the rowid, unless DESC stands in its definition.
        let rowid = primary
            && self.engine == Engine::Sqlite
            && !table.without_rowid
            && key.columns.len() == 1
            && !(column.is_some() && parts.first().is_some_and(|p| p.descending))
            && table.column(&key.columns[0]).is_some_and(|c| c.data_type.raw.eq_ignore_ascii_case("integer"));
        if rowid {
            return (key, None);
        }
        let index = Index {
            unique: true,
            origin: if primary { IndexOrigin::PrimaryKey } else { IndexOrigin::Constraint },
            parts,
            included: clause.included.clone(),
            predicate: clause.predicate.clone(),
            ..Index::on(index_name, Vec::<String>::new())
        };
        (key, Some(index))
    }

    /// Spells an index part's column as the table does, and leaves out a collation that is the column's own.
    fn part(&self, mut part: IndexPart, table: &Table) -> IndexPart {
        if let Some(name) = &part.column {
            let same =
                |c: &&Column| c.name == *name || names::ignores_case(self.engine) && c.name.eq_ignore_ascii_case(name);
            match table.columns.iter().find(same) {
                Some(column) => {
                    let own = column
                        .collation
                        .as_ref()
                        .map_or(if self.engine == Engine::Sqlite { "BINARY" } else { "default" }, |c| c.name.as_str());
                    if part.collation.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(own)) {
                        part.collation = None;
                    }
                    // The text compares in the column's own collation unless another is named.
                    part.column = Some(column.name.clone());
                }
                None if self.engine == Engine::Sqlite && !table.columns.is_empty() => {
                    // The rowid by one of its names, or a name in double quotes that SQLite takes for a string ("Quirks", 8).
                    let rowid = ["rowid", "oid", "_rowid_"].iter().any(|n| n.eq_ignore_ascii_case(name));
                    part.expression = Some(if rowid { "rowid".to_string() } else { format!("\"{name}\"") });
                    part.column = None;
                }
                None => {}
            }
        }
        part
    }

    /// Makes an index.
    pub(super) fn index(&self, create: &CreateIndex, table: &Table, name: Option<String>, exclusion: bool) -> Index {
        let parts: Vec<IndexPart> = create.parts.iter().cloned().map(|p| self.part(p, table)).collect();
        let method = create.method.clone().unwrap_or_else(|| "btree".to_string());
        let mut index = Index {
            unique: create.unique,
            included: create.included.clone(),
            predicate: create.predicate.clone(),
            method,
            valid: !create.only || table.kind != TableKind::Partitioned,
            origin: if exclusion { IndexOrigin::Constraint } else { IndexOrigin::User },
            parts,
            ..Index::on("", Vec::<String>::new())
        };
        let none = |_: &str| false;
        let given = name.or_else(|| create.name.as_ref().map(|n| n.text.clone()));
        index.name = given.unwrap_or_else(|| {
            let columns = names::columns(&change::part_names(&index));
            if mysql(self.engine) {
                let first = index.parts.first().and_then(|p| p.column.clone()).unwrap_or_default();
                return names::mysql_index(table, &first);
            }
            // CockroachDB names a unique index without a name like a constraint.
            let unique = create.unique && self.engine == Engine::Cockroach;
            let label = if exclusion {
                "excl"
            } else if unique {
                "key"
            } else {
                "idx"
            };
            names::free(table, &table.name.name, &columns, label, &none)
        });
        index
    }

    pub(super) fn check(
        &self,
        constraint: &Constraint,
        column: Option<&str>,
        text: &str,
        table: &Table,
        create: &CreateTable,
    ) -> Check {
        let given = constraint.name.as_ref().map(|n| n.text.clone());
        let name = given.or_else(|| match self.engine {
            Engine::Sqlite => None,
            Engine::Mysql => Some(numbered(table, &format!("{}_chk_", table.name.name))),
            Engine::Mariadb => Some(column.map_or_else(|| numbered(table, "CONSTRAINT_"), str::to_string)),
            Engine::Postgres | Engine::Cockroach => {
                let written = |n: &str| {
                    let columns = create.columns.iter().flat_map(|c| &c.constraints);
                    columns.chain(&create.constraints).any(|c| c.name.as_ref().is_some_and(|i| i.text == n))
                };
                // The column's name is part of it where the check is about one column only (heap.c).
                let mut used: Vec<&str> = Vec::new();
                for token in crate::sql::lexer::significant(self.engine, text) {
                    let name = token
                        .name(text)
                        .map(|n| if token.kind == crate::sql::lexer::Kind::Word { n.to_ascii_lowercase() } else { n });
                    if token.kind == crate::sql::lexer::Kind::String {
                        continue;
                    }
                    if let Some(column) = table.columns.iter().find(|c| Some(&c.name) == name.as_ref())
                        && !used.contains(&column.name.as_str())
                    {
                        used.push(&column.name);
                    }
                }
                let second = if let [one] = used.as_slice() { one } else { "" };
                Some(names::free(table, &table.name.name, second, "check", &written))
            }
        });
        Check { name, expression: text.to_string(), validated: !constraint.not_valid }
    }

    /// Makes a foreign key, and tells where its parts are.
    pub(super) fn foreign_key(
        &mut self,
        constraint: &Constraint,
        references: &References,
        column: Option<&str>,
        table: &Table,
    ) -> (ForeignKey, KeyOrigins) {
        let spelled = |name: &str| {
            let same =
                |c: &&Column| c.name == name || names::ignores_case(self.engine) && c.name.eq_ignore_ascii_case(name);
            table.columns.iter().find(same).map_or_else(|| name.to_string(), |c| c.name.clone())
        };
        let columns: Vec<String> = match column {
            Some(column) => vec![column.to_string()],
            None => references.columns.iter().map(|c| spelled(&c.text)).collect(),
        };
        let parent = self.parent(&references.parent, table);
        let of_parent = if parent == table.name { Some(table) } else { self.schema.table(&parent) };
        let mut parent_columns: Vec<String> = references.parent_columns.iter().map(|c| c.text.clone()).collect();
        if parent_columns.is_empty() && self.engine != Engine::Sqlite {
            let primary = of_parent.and_then(|p| p.primary_key.as_ref());
            parent_columns =
                primary.map(|k| k.columns.clone()).filter(|c| c.len() == columns.len()).unwrap_or_default();
        }
        let mut key = ForeignKey::new(columns, parent, parent_columns);
        key.on_delete = references.on_delete.map_or(key.on_delete, |(action, _)| action);
        key.on_update = references.on_update.map_or(key.on_update, |(action, _)| action);
        key.on_delete_written = Some(references.on_delete.is_some());
        key.set_columns.clone_from(&references.set_columns);
        key.matching = references.matching;
        key.timing = constraint.timing.unwrap_or_default();
        key.enforced = !constraint.not_enforced;
        // PostgreSQL 18: what is not enforced has not been checked, either.
        key.validated = !constraint.not_valid && key.enforced;
        key.temporal = references.temporal;
        let none = |_: &str| false;
        key.name = constraint.name.as_ref().map(|n| n.text.clone()).or_else(|| match self.engine {
            Engine::Sqlite => None,
            Engine::Mysql | Engine::Mariadb => Some(names::innodb_foreign_key(table)),
            _ => Some(names::free(table, &table.name.name, &names::columns(&key.columns), "fkey", &none)),
        });
        key.firing_order = self.number();
        let place = |span| self.place(span);
        let origins = KeyOrigins {
            declared: place(constraint.span),
            on_delete: references.on_delete.map(|(_, span)| place(span)),
            on_update: references.on_update.map(|(_, span)| place(span)),
            changed: None,
        };
        (key, origins)
    }

    fn parent(&self, name: &Name, table: &Table) -> TableName {
        if name.schema.is_none() && name.name == table.name.name && self.path.first() == Some(&table.name.schema) {
            return table.name.clone();
        }
        match self.found(name) {
            Ok(found) => found,
            Err(missing) if missing == table.name => table.name.clone(),
            Err(missing) => missing,
        }
    }

    /// Makes the index that InnoDB makes for a key whose columns no index begins with (MySQL manual, 15.1.20.5).
    pub(super) fn innodb_index(&self, table: &Table, key: &ForeignKey, given: Option<&str>) -> Option<Index> {
        if !mysql(self.engine) {
            return None;
        }
        let covered = table.indexes.iter().any(|i| {
            i.parts.len() >= key.columns.len()
                && key.columns.iter().all(|c| i.parts[..key.columns.len()].iter().any(|p| p.column.as_ref() == Some(c)))
        });
        if covered {
            return None;
        }
        let named = key.name.clone().filter(|n| !n.starts_with(&format!("{}_ibfk_", table.name.name)));
        let name = named.or_else(|| given.map(str::to_string));
        let name = name.unwrap_or_else(|| names::mysql_index(table, key.columns.first().map_or("", String::as_str)));
        Some(Index { origin: IndexOrigin::ForeignKey, ..Index::on(name, key.columns.clone()) })
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex, span: Span, watch: &mut dyn Watch) {
        let Some(name) = self.target(&create.table, false, span) else { return };
        let Some(table) = self.schema.table(&name) else { return };
        let mut index = self.index(create, table, None, false);
        if create.concurrently && table.kind == TableKind::Partitioned {
            index.valid = true;
        }
        if let Some((owner, there)) = self.index_called(&name, &index.name) {
            let earlier = self.history.origins.index(&owner, &index.name);
            if !create.if_not_exists {
                let what = format!("index `{}`", index.name);
                self.conflict(ConflictKind::Exists { what, table: owner }, span, earlier);
            } else if owner != name || there.parts != index.parts || there.unique != index.unique {
                let what = format!("index `{}`", index.name);
                let differences = differences::indexes(&owner, &there, &name, &index);
                self.conflict(ConflictKind::HiddenDifference { what, table: owner, differences }, span, earlier);
            }
            return;
        }
        self.make(Change::AddIndex { table: name, index }, span, watch);
    }

    /// Finds an index of the name where the engine would not allow another: in the table, or in its whole schema.
    fn index_called(&self, table: &TableName, name: &str) -> Option<(TableName, Index)> {
        let by_table = mysql(self.engine) || self.engine == Engine::Cockroach;
        let same = |i: &&Index| i.name == name || names::ignores_case(self.engine) && i.name.eq_ignore_ascii_case(name);
        let tables = self.schema.tables.iter();
        let tables = tables.filter(|t| if by_table { t.name == *table } else { t.name.schema == table.schema });
        tables.filter_map(|t| Some((t.name.clone(), t.indexes.iter().find(same)?.clone()))).next()
    }

    /// Adds a foreign key to a table that is there.
    pub(super) fn add_foreign_key(
        &mut self,
        name: &TableName,
        constraint: &Constraint,
        references: &References,
        column: Option<&str>,
        watch: &mut dyn Watch,
    ) {
        let Some(table) = self.schema.table(name).cloned() else { return };
        let (key, origins) = self.foreign_key(constraint, references, column, &table);
        if key.name.as_deref().is_some_and(|n| constraint.name.is_some() && names::is_taken(&table, n)) {
            let what = format!("constraint `{}`", key.name.clone().unwrap_or_default());
            let there = table.foreign_keys.iter().find(|k| k.name == key.name);
            let earlier = there.and_then(|k| self.history.origins.foreign_key(name, k)).map(|o| o.declared);
            if !constraint.if_not_exists {
                self.conflict(ConflictKind::Exists { what, table: name.clone() }, constraint.span, earlier);
            }
            return;
        }
        self.parent_conflict(name, Some(&table), &key, constraint.span);
        if let Some(index) = self.innodb_index(&table, &key, references.index_name.as_deref()) {
            self.make(Change::AddIndex { table: name.clone(), index }, constraint.span, watch);
        }
        let change = Change::AddForeignKey { table: name.clone(), foreign_key: key };
        self.make_with(change, constraint.span, Some(origins), watch);
    }
}

/// Tells whether a sequence numbers the column.
pub(super) fn numbers(column: &Column) -> bool {
    column.default.as_deref().is_some_and(|d| d.to_ascii_lowercase().starts_with("nextval("))
        && column.data_type.integer_bytes().is_some()
}

fn numbered(table: &Table, prefix: &str) -> String {
    let mut number = 1usize;
    while names::is_taken(table, &format!("{prefix}{number}")) {
        number += 1;
    }
    format!("{prefix}{number}")
}

/// What SQLite decides when it has read the whole definition.
fn sqlite_finish(table: &mut Table) {
    let Some(key) = table.primary_key.clone() else { return };
    let has_index = table.indexes.iter().any(|i| i.origin == IndexOrigin::PrimaryKey);
    for column in table.columns.iter_mut().filter(|c| key.columns.contains(&c.name)) {
        if table.without_rowid || table.strict {
            column.nullable = false;
        }
        if !has_index && !table.without_rowid {
            column.auto_number = true;
            column.nullable = false;
        }
    }
}
