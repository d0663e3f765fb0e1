//! Which tables may name a table (as parent of a key, as the whole of a partition, as what is inherited from), kept beside a
//! schema while many changes are made to it, so that none of them has to look at every table.
//!
//! It only ever grows: a table that it returns may name the other no longer, and whoever asks looks at the table itself.

use std::collections::{BTreeMap, BTreeSet};

use super::Change;
use crate::schema::{ForeignKey, Schema, Table, TableName};

/// Knows who may name whom.
#[derive(Clone, Debug)]
pub struct Kin {
    /// By the named table's own name, in lower case, which takes in every way to spell it. `None` knows nothing.
    naming: Option<BTreeMap<String, BTreeSet<TableName>>>,
}

impl Kin {
    /// Knows a schema that has no tables yet.
    pub fn of_nobody() -> Self {
        Self { naming: Some(BTreeMap::new()) }
    }

    /// Knows a schema as it is.
    pub(super) fn of(schema: &Schema) -> Self {
        let mut kin = Self::of_nobody();
        schema.tables.iter().for_each(|t| kin.table(t));
        kin
    }

    /// Knows nothing: any table may name any other.
    pub(super) fn unknown() -> Self {
        Self { naming: None }
    }

    /// Returns the positions of the tables that may name a table, in order.
    pub fn naming(&self, schema: &Schema, table: &TableName) -> Vec<usize> {
        let Some(naming) = &self.naming else { return (0..schema.tables.len()).collect() };
        let names = naming.get(&table.name.to_ascii_lowercase()).into_iter().flatten();
        names.filter_map(|n| schema.tables.binary_search_by(|t| t.name.cmp(n)).ok()).collect()
    }

    /// Learns what a change brings that has been made.
    pub(super) fn learn(&mut self, change: &Change, schema: &Schema) {
        if self.naming.is_none() {
            return;
        }
        match change {
            Change::CreateTable { definition } => self.table(definition),
            Change::AddForeignKey { table, foreign_key: key }
            | Change::ReplaceForeignKey { table, new: key, .. }
            | Change::AlterForeignKey { table, new: key, .. } => self.key(table, key),
            Change::AttachPartition { table, parent } => self.put(parent, table),
            Change::SetInherits { table, inherits } => inherits.iter().for_each(|p| self.put(p, table)),
            Change::RenameTable { table, to } => {
                // Who named the table by its old name names it by its new one; and it has another name itself.
                let old = table.name.to_ascii_lowercase();
                for name in self.naming.as_ref().and_then(|n| n.get(&old)).cloned().unwrap_or_default() {
                    self.put(to, if name == *table { to } else { &name });
                }
                if let Some(renamed) = schema.table(to) {
                    self.table(renamed);
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, table: &Table) {
        table.foreign_keys.iter().for_each(|k| self.key(&table.name, k));
        table.partition_of.iter().chain(&table.inherits).for_each(|p| self.put(p, &table.name));
    }

    fn key(&mut self, child: &TableName, key: &ForeignKey) {
        self.put(&key.parent, child);
    }

    fn put(&mut self, named: &TableName, by: &TableName) {
        if let Some(naming) = &mut self.naming {
            naming.entry(named.name.to_ascii_lowercase()).or_default().insert(by.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ChangeError;
    use crate::schema::{Column, DataType, Engine, Key, TableKind};

    fn table(engine: Engine, name: &str, parents: &[&str]) -> Table {
        let mut table = Table::new(name.into());
        table.columns = vec![Column::new("id", DataType::parse(engine, "bigint"))];
        table.primary_key = Some(Key::new(["id"]));
        table.foreign_keys = parents.iter().map(|p| ForeignKey::new(["id"], (*p).into(), ["id"])).collect();
        table
    }

    /// Makes the same changes with and without knowing who names whom; both must come to the same.
    fn both(engine: Engine, changes: Vec<Change>) -> (Schema, Vec<Option<ChangeError>>) {
        let (mut plain, mut known, mut kin) = (Schema::new(engine), Schema::new(engine), Kin::of_nobody());
        let mut errors = Vec::new();
        for change in changes {
            let (a, b) = (change.apply(&mut plain), change.apply_knowing(&mut known, &mut kin));
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "{change:?}");
            assert_eq!(plain, known, "{change:?}");
            errors.push(a.err());
        }
        (known, errors)
    }

    fn create(table: Table) -> Change {
        Change::CreateTable { definition: Box::new(table) }
    }

    fn rename(table: &str, to: &str) -> Change {
        Change::RenameTable { table: table.into(), to: to.into() }
    }

    fn rename_column(table: &str, column: &str, to: &str) -> Change {
        Change::RenameColumn { table: table.into(), column: column.into(), to: to.into() }
    }

    #[test]
    fn keys_follow_names_through_renames_of_both_ends() {
        let e = Engine::Postgres;
        let changes = vec![
            create(table(e, "a", &["a"])),
            create(table(e, "b", &["a"])),
            rename("a", "z"),
            rename("b", "y"),
            rename_column("z", "id", "number"),
            create(table(e, "a", &["y"])),
            rename("z", "c"),
            rename_column("c", "number", "n"),
        ];
        let (schema, errors) = both(e, changes);
        assert!(errors.iter().all(Option::is_none), "{errors:?}");
        let said: Vec<String> =
            schema.foreign_keys().map(|(t, k)| format!("{} {} {:?}", t.name, k.parent, k.parent_columns)).collect();
        assert_eq!(said, [r#"a y ["id"]"#, r#"c c ["n"]"#, r#"y c ["n"]"#]);
        let (dropped, _) = both(
            e,
            vec![
                create(table(e, "a", &[])),
                create(table(e, "b", &["a"])),
                rename("a", "z"),
                Change::DropTable { table: "z".into(), cascade: true },
            ],
        );
        assert_eq!(dropped.foreign_keys().count(), 0);
    }

    #[test]
    fn a_parent_that_is_spelled_otherwise_or_missing_is_known() {
        let e = Engine::Sqlite;
        let (schema, _) = both(e, vec![create(table(e, "b", &["A"])), create(table(e, "a", &[])), rename("a", "z")]);
        assert_eq!(schema.foreign_keys().next().map(|(_, k)| k.parent.to_string()), Some("z".to_string()));
    }

    #[test]
    fn partitions_and_heirs_are_known_under_every_name() {
        let e = Engine::Postgres;
        let mut whole = table(e, "whole", &[]);
        whole.kind = TableKind::Partitioned;
        let mut below = table(e, "p1", &[]);
        below.partition_of = Some("whole".into());
        let column = |name: &str| Column::new(name, DataType::parse(e, "text"));
        let add =
            |table: &str, name: &str| Change::AddColumn { table: table.into(), column: column(name), position: None };
        let (schema, errors) = both(
            e,
            vec![
                create(whole),
                create(below),
                create(table(e, "p2", &[])),
                create(table(e, "heir", &[])),
                Change::AttachPartition { table: "p2".into(), parent: "whole".into() },
                Change::SetInherits { table: "heir".into(), inherits: vec!["p2".into()] },
                rename("whole", "all"),
                rename("p2", "second"),
                add("all", "note"),
                rename("heir", "last"),
                add("second", "more"),
            ],
        );
        assert!(errors.iter().all(Option::is_none), "{errors:?}");
        let has = |table: &str, column: &str| schema.table(&table.into()).is_some_and(|t| t.column(column).is_some());
        assert!(["all", "p1", "second", "last"].iter().all(|t| has(t, "note")));
        assert!(has("second", "more") && has("last", "more") && !has("p1", "more"));
    }
}
