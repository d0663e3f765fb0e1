//! Primary keys, unique constraints and checks from their definitions.

use std::collections::BTreeSet;

use super::super::history::{Place, TableOrigins};
use super::Replay;
use crate::change::{self, names};
use crate::schema::facts::{CheckName, ConstraintNames, DoubleUnique, IndexName};
use crate::schema::{Check, Index, IndexOrigin, IndexPart, Key, Table, Timing};
use crate::sql::ast::{Constraint, ConstraintKind, CreateTable, KeyClause};

/// A constraint with the column in whose definition it stands.
pub(super) type Placed<'c> = (&'c Constraint, Option<String>);

impl Replay {
    /// Puts constraints into a table that is being made, in the order in which the engine makes them.
    pub(super) fn constraints(
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
        let facts = self.engine.facts();
        let primary_first = facts.alter.primary_key_first;
        let is_primary = |c: &Constraint| matches!(c.kind, ConstraintKind::PrimaryKey(_));
        let first = constraints.iter().filter(|(c, _)| primary_first && is_primary(c));
        let rest = constraints.iter().filter(|(c, _)| !(primary_first && is_primary(c)));
        let mut made_up = BTreeSet::new();
        for (constraint, column) in first.chain(rest) {
            let place = self.place(constraint.span);
            let before = table.indexes.len();
            match &constraint.kind {
                ConstraintKind::PrimaryKey(clause) => {
                    let (key, index) = self.key(constraint, clause, column.as_deref(), table, true);
                    origins.primary_key = Some(place);
                    self.put_key(table, origins, key, index, true, place);
                    table.autoincrement |= clause.autoincrement;
                }
                ConstraintKind::Unique(clause) => {
                    let (key, index) = self.key(constraint, clause, column.as_deref(), table, false);
                    match self.double(table, &key, index.as_ref(), constraint.name.is_some()) {
                        None => self.put_key(table, origins, key, index, false, place),
                        // The one that stays takes the name over if it was given none (parse_utilcmd.c).
                        Some(prior) if made_up.contains(&prior) => {
                            if let Some(name) = constraint.name.as_ref() {
                                change::rename_key(table, &prior, &name.text);
                                made_up.remove(&prior);
                            }
                        }
                        Some(_) => continue,
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
            if constraint.name.is_none() && facts.alter.double_unique == DoubleUnique::NamesOther {
                made_up.extend(table.indexes.iter().skip(before).map(|i| i.name.clone()));
            }
        }
        let storage = |own: &str| create.storage.as_deref().is_none_or(|s| s == own);
        let keeps_keys = facts.keys.storage.is_none_or(storage);
        for (constraint, column) in constraints {
            let ConstraintKind::ForeignKey(references) = &constraint.kind else { continue };
            if !keeps_keys || !facts.keys.inline && column.is_some() {
                continue;
            }
            let (key, origin) = self.foreign_key(constraint, references, column.as_deref(), table);
            if let Some(index) = self.innodb_index(table, &key, constraint, references) {
                table.indexes.retain(|i| !names::replaces(&index, i));
                table.indexes.push(index);
            }
            origins.foreign_keys.insert(key.firing_order, origin);
            if column.is_none() {
                self.of_table.insert(key.firing_order);
            }
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
            if !self.engine.facts().types.nullable_primary_key {
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

    /// Finds the index because of which the engine makes nothing of a unique constraint: one like it is there.
    fn double(&self, table: &Table, key: &Key, index: Option<&Index>, named: bool) -> Option<String> {
        let index = index?;
        let same = |i: &&Index| i.parts == index.parts && i.included == index.included;
        let found = match self.engine.facts().alter.double_unique {
            DoubleUnique::LeftOut if named => None,
            DoubleUnique::NamesOther | DoubleUnique::LeftOut => {
                let deferrable = |k: &Key| k.columns == key.columns && k.deferrable == key.deferrable;
                let there = table.primary_key.iter().chain(&table.unique_keys).any(deferrable);
                table.indexes.iter().find(same).filter(|_| there)
            }
            DoubleUnique::Shared => table.indexes.iter().find(|i| i.origin != IndexOrigin::User && same(i)),
            DoubleUnique::Made => None,
        };
        found.map(|i| i.name.clone())
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
        let facts = self.engine.facts();
        let index_name = match facts.names.index {
            IndexName::Autoindex => names::sqlite_autoindex(table),
            IndexName::FirstColumn if primary => "PRIMARY".to_string(),
            IndexName::FirstColumn => {
                let given = name.clone().or_else(|| clause.index_name.clone());
                given.unwrap_or_else(|| names::mysql_index(table, &Index::on("", columns.clone())))
            }
            IndexName::Columns { .. } => {
                let given = name.clone().or_else(|| clause.index_name.clone());
                let mut named = columns.clone();
                named.extend(clause.included.iter().cloned());
                given.unwrap_or_else(|| match primary {
                    true => names::free(table, own, "", "pkey", &none),
                    false => names::free(table, own, &names::columns(&named), "key", &none),
                })
            }
        };
        if facts.names.constraints != ConstraintNames::Remarks {
            name = Some(index_name.clone());
        }
        let deferrable = constraint.timing.is_some_and(Timing::is_deferrable) && !facts.keys.unique_deferral_ignored;
        let key = Key { name, columns, deferrable, replaces: clause.replaces };
        // SQLite: the only column of an INTEGER primary key is the rowid, unless DESC stands in its definition.
        let rowid = primary
            && facts.types.rowid
            && !table.without_rowid
            && key.columns.len() == 1
            && !(column.is_some() && parts.first().is_some_and(|p| p.descending))
            && table.column(&key.columns[0]).is_some_and(|c| c.data_type.raw.eq_ignore_ascii_case("integer"));
        if rowid {
            return (key, None);
        }
        let index = Index {
            unique: true,
            nulls_equal: clause.nulls_equal,
            origin: if primary { IndexOrigin::PrimaryKey } else { IndexOrigin::Constraint },
            parts,
            included: clause.included.clone(),
            predicate: clause.predicate.clone(),
            ..Index::on(index_name, Vec::<String>::new())
        };
        (key, Some(index))
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
        let name = given.or_else(|| match self.engine.facts().names.check {
            CheckName::None => None,
            CheckName::TableNumber => Some(numbered(table, &format!("{}_chk_", table.name.name))),
            CheckName::ColumnOrNumber => Some(column.map_or_else(|| numbered(table, "CONSTRAINT_"), str::to_string)),
            CheckName::Columns => {
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
}

fn numbered(table: &Table, prefix: &str) -> String {
    let mut number = 1usize;
    while names::is_taken(table, &format!("{prefix}{number}")) {
        number += 1;
    }
    format!("{prefix}{number}")
}
