//! What a change of a column's type does to how its values are compared.

use crate::schema::{Schema, TableName};

/// Has a column whose type has changed compared as others of that type are, and the keys on it by the types.
pub(super) fn compare_by_type(schema: &mut Schema, table: &TableName, column: &str) {
    let of = |s: &Schema| s.table(table).and_then(|t| t.column(column)).map(|c| c.data_type.raw.clone());
    let Some(raw) = of(schema) else { return };
    let alike = schema.tables.iter().flat_map(|t| t.columns.iter().map(move |c| (&t.name, c)));
    let equality = alike
        .filter(|(t, c)| c.data_type.raw == raw && (*t, c.name.as_str()) != (table, column))
        .find_map(|(_, c)| c.equality.0.clone());
    for of in &mut schema.tables {
        let is_child = of.name == *table;
        for key in &mut of.foreign_keys {
            let is_parent = key.parent == *table && key.parent_columns.iter().any(|c| c == column);
            if is_parent || is_child && key.columns.iter().any(|c| c == column) {
                key.comparisons.0.clear();
            }
        }
        if let Some(column) = of.columns.iter_mut().find(|c| is_child && c.name == column) {
            column.equality.0.clone_from(&equality);
        }
    }
}
