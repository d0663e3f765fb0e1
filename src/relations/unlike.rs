//! SQLite: keys between columns of different affinity, whose check and whose action compare values differently.
//!
//! Three comparisons serve one key (`fkey.c`). The *check* looks the child's value up in the parent's unique index, converted by
//! the parent's affinity (`fkLookupParent`; "Foreign Key Support", 3). The *scan* for the rows that a deleted parent leaves
//! compares two columns: as numbers if either has numeric affinity, else as they are (`fkScanChildren`, "Datatypes", 4.2). The
//! *action*, also RESTRICT, runs `child = OLD.parent`, where `OLD.parent` has no affinity, so that the child's is applied
//! (`fkActionTrigger`). A rowid is an integer in all three.

use crate::schema::{Affinity, ForeignKey, Schema, Table};

/// How the three comparisons of a key differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlike {
    /// Parent numeric, child text or untyped: check and scan find more than the action. `'007'` refers to 7, and stops its delete.
    ActionMisses,
    /// Parent text, child untyped: the check finds more than scan and action. 7 refers to `'7'`, and stays when it goes.
    LeftBehind,
    /// Child numeric, parent text or untyped: scan and action find more than the check. A delete of `'007'` takes what refers
    /// to `'7'` for its own, and fails.
    TakesOthers,
    /// Parent untyped, child text: the action finds more than check and scan. A delete of 7 deletes what refers to `'7'`.
    ActionTakesOthers,
    /// Several columns, and not all alike.
    Mixed,
}

/// Returns how the comparisons of a key differ; `None` if they do not, and on every other engine.
pub fn unlike(schema: &Schema, child: &Table, key: &ForeignKey) -> Option<Unlike> {
    if !schema.engine.facts().types.dynamic {
        return None;
    }
    let parent = schema.table(&key.parent)?;
    let mut found: Option<Unlike> = None;
    for (column, referred) in key.columns.iter().zip(&key.parent_columns) {
        let (Some(column), Some(referred)) = (child.column(column), parent.column(referred)) else { continue };
        if parent.is_rowid(referred) {
            continue;
        }
        let Some(how) = of(child.affinity(column), parent.affinity(referred)) else { continue };
        found = Some(if found.is_none_or(|before| before == how) { how } else { Unlike::Mixed });
    }
    found
}

/// Returns how the comparisons of a child's and a parent's column differ.
pub fn of(child: Affinity, parent: Affinity) -> Option<Unlike> {
    use Affinity::{Blob, Number, Text};
    match (child, parent) {
        (Text, Text) | (Number, Number) | (Blob, Blob) => None,
        (Text | Blob, Number) => Some(Unlike::ActionMisses),
        (Blob, Text) => Some(Unlike::LeftBehind),
        (Number, Text | Blob) => Some(Unlike::TakesOthers),
        (Text, Blob) => Some(Unlike::ActionTakesOthers),
    }
}
