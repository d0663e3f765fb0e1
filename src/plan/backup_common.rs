//! What is the same of backups on every engine: their bound, their names in a guard, and what a trigger may have written besides.

use super::{Bound, OrphanPolicy, RowAction};
use crate::rows::RowSet;
use crate::schema::{ForeignKey, Schema, Table, TableName, WriteKind};

/// A guard names no more than these; the one beyond what an error shows tells that there are others.
pub(super) const NAMED: u32 = 6;

/// What to do where a table has the name of a backup that a plan would make: an earlier run may have left it.
pub(super) const TAKEN: &str = "if it is a backup, it may hold the only copy of its rows: do not drop it. Plan again (fix --apply --new-plan), and \
                                this backup gets another name";

/// Says how many rows a clean-up is about, as far as they were counted.
pub(super) fn counted_rows(count: Option<u64>) -> String {
    match count {
        Some(1) => "1 row".to_string(),
        Some(n) => format!("{n} rows"),
        None => "rows that were not counted".to_string(),
    }
}

/// Makes the bound of a clean-up of one relation of a table.
pub(super) fn bound(rows: &RowSet, shown: u64, table: &TableName, policy: OrphanPolicy) -> Bound {
    let action = match policy {
        OrphanPolicy::SetNull => RowAction::SetNull,
        OrphanPolicy::Delete => RowAction::Delete,
        OrphanPolicy::Quarantine => RowAction::Move,
    };
    let (count, table, none) = (rows.count(), table.clone(), Vec::new());
    Bound { count, rows: shown, table, columns: none.clone(), action, set: none, named: false }
}

/// Returns the name of a backup that an undo leaves, because its rows hold values that triggers changed and the undo does not restore.
pub fn left_after_undo(backup: &TableName) -> TableName {
    let name = backup.name.replacen("_referee_kept_", "_referee_left_", 1);
    TableName { schema: backup.schema.clone(), name }
}

/// Tells whether a trigger may have written other columns of a row when a reference in it was set to NULL: then they do not tell
/// whether it is the same row.
pub(super) fn is_rewritten(table: &Table) -> bool {
    table.triggers.iter().any(|t| t.enabled && t.events.iter().any(|e| e == "UPDATE"))
        || table.rewrite_rules.iter().any(|r| r.enabled && r.event == "UPDATE")
}

/// Tells whether a trigger may have given a row of a table other values when a reference in it was set to NULL: then a backup holds more
/// than an undo restores.
pub(super) fn may_rewrite(schema: &Schema, table: &Table) -> bool {
    written_by_triggers(schema, table).is_none_or(|columns| !columns.is_empty())
}

/// Returns the columns that triggers of a table may give other values when a row of it is updated; `None` for any column.
pub(super) fn written_by_triggers(schema: &Schema, table: &Table) -> Option<Vec<String>> {
    let parts = schema.parts(&table.name);
    if parts.iter().any(|t| t.rewrite_rules.iter().any(|r| r.enabled && r.event == "UPDATE")) {
        return None;
    }
    let mut all = Vec::new();
    for trigger in
        parts.iter().flat_map(|t| &t.triggers).filter(|t| t.enabled && t.events.iter().any(|e| e == "UPDATE"))
    {
        let does = trigger.at("UPDATE").filter(|d| d.unread.is_none() && !d.sets.iter().any(|c| c == "*"))?;
        // What another table's triggers do to this one is not followed.
        if does.writes.iter().any(|w| w.kind != WriteKind::Insert || w.replaces) {
            return None;
        }
        all.extend(does.sets.iter().cloned());
    }
    Some(all)
}

pub(super) fn is_alike(one: &ForeignKey, other: &ForeignKey) -> bool {
    (&one.columns, &one.parent, &one.parent_columns) == (&other.columns, &other.parent, &other.parent_columns)
}
