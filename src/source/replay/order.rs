//! Orders that are not the text's: that of the actions of one `ALTER TABLE`, and what moves a foreign key in the order in
//! which the engine acts on keys after it was made.

use super::Replay;
use crate::schema::facts::AlterOrder;
use crate::schema::{Engine, ForeignKey, TableName};
use crate::sql::ast::{AlterAction, AlterKind, ConstraintKind};

/// Returns the actions of an `ALTER TABLE` in the order in which the engine carries them out.
pub(super) fn carried_out(engine: Engine, actions: &[AlterAction]) -> Vec<&AlterAction> {
    let mut ordered: Vec<&AlterAction> = actions.iter().collect();
    match engine.facts().alter.order {
        AlterOrder::Passes => ordered.sort_by_key(|a| pass(&a.kind)),
        AlterOrder::DropsFirst => {
            ordered.sort_by_key(|a| !matches!(a.kind, AlterKind::DropConstraint { .. }));
        }
        AlterOrder::Written => {}
    }
    ordered
}

fn pass(kind: &AlterKind) -> u8 {
    match kind {
        AlterKind::DropColumn { .. }
        | AlterKind::DropConstraint { .. }
        | AlterKind::DropExpression { .. }
        | AlterKind::SetNullable { nullable: true, .. }
        | AlterKind::SetDefault { default: None, .. }
        | AlterKind::SetAutoNumber { auto_number: false, .. } => 0,
        AlterKind::SetType { .. } => 1,
        AlterKind::AddColumn { .. } => 2,
        AlterKind::SetNullable { nullable: false, .. } => 3,
        AlterKind::AddConstraint(constraint) => match constraint.kind {
            ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_) | ConstraintKind::Exclude(_) => 4,
            _ => 5,
        },
        AlterKind::SetDefault { .. } | AlterKind::SetAutoNumber { .. } => 5,
        _ => 6,
    }
}

impl Replay {
    /// SQLite puts an added column behind the last column, before the constraints of the table (alter.c,
    /// `sqlite3AlterFinishAddColumn`), and reads the text anew: those come later from then on.
    pub(super) fn after_added_column(&mut self, table: &TableName) {
        let keys = self.schema.table(table).map(|t| t.foreign_keys.as_slice()).unwrap_or_default();
        let mut numbers: Vec<u32> = keys.iter().map(|k| k.firing_order).collect();
        numbers.retain(|n| self.of_table.contains(n));
        for number in self.anew(table, numbers) {
            self.of_table.insert(number);
        }
    }

    /// PostgreSQL makes the keys that a column is part of anew when its type changes: first those of the table itself, then
    /// those of the tables that refer to it (tablecmds.c, `ATPostAlterTypeCleanup`).
    pub(super) fn after_changed_type(&mut self, table: &TableName, column: &str) {
        if !self.engine.facts().alter.type_remakes_keys {
            return;
        }
        let holds = |child: &TableName, key: &ForeignKey| {
            let is = |c: &String| c == column;
            child == table && key.columns.iter().any(is) || key.parent == *table && key.parent_columns.iter().any(is)
        };
        let naming = self.kin.naming(&self.schema, table).into_iter().map(|at| &self.schema.tables[at]);
        let tables = naming.filter(|t| t.name != *table).chain(self.schema.table(table));
        let keys = tables.flat_map(|t| t.foreign_keys.iter().map(move |k| (t, k))).filter(|(t, k)| holds(&t.name, k));
        let mut found: Vec<(u32, TableName)> = keys.map(|(t, k)| (k.firing_order, t.name.clone())).collect();
        found.sort();
        let mut tables = vec![table.clone()];
        for (_, child) in &found {
            if !tables.contains(child) {
                tables.push(child.clone());
            }
        }
        for child in tables {
            let numbers = found.iter().filter(|(_, t)| *t == child).map(|(n, _)| *n).collect();
            self.anew(&child, numbers);
        }
    }

    /// Gives keys of a table new numbers, in the order of the old ones.
    fn anew(&mut self, table: &TableName, mut numbers: Vec<u32>) -> Vec<u32> {
        numbers.sort_unstable();
        let mut given = Vec::new();
        for old in numbers {
            let new = self.number();
            let keys = self.schema.table_mut(table).map(|t| t.foreign_keys.iter_mut()).into_iter().flatten();
            keys.filter(|k| k.firing_order == old).for_each(|k| k.firing_order = new);
            let origins = &mut self.origins(table).foreign_keys;
            if let Some(origin) = origins.remove(&old) {
                origins.insert(new, origin);
            }
            given.push(new);
        }
        given
    }
}
