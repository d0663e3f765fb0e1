//! What a rename does to bodies of triggers and rules: SQLite rewrites the text of triggers ("ALTER TABLE", 2), PostgreSQL
//! keeps rules as trees of what they refer to. PostgreSQL's functions and MySQL's bodies are left as they are.

use crate::schema::{Engine, Schema, TableName, Write};

/// Gives a table another name in the bodies that follow.
pub(super) fn rename_table(schema: &mut Schema, table: &TableName, to: &TableName) {
    let engine = schema.engine;
    for write in followers(schema).map(|(_, w)| w) {
        if is(engine, &write.table, table) {
            write.table = to.clone();
        }
    }
}

/// Gives a column another name in the bodies that follow, and in the `UPDATE OF` of its table's triggers.
pub(super) fn rename_column(schema: &mut Schema, table: &TableName, column: &str, to: &str) {
    let engine = schema.engine;
    let folds = engine.facts().names.ignore_case;
    let same = |name: &str| if folds { name.eq_ignore_ascii_case(column) } else { name == column };
    let rename = |name: &mut String| {
        if same(name) {
            *name = to.to_string();
        }
    };
    if let Some(of) = schema.table_mut(table) {
        of.triggers.iter_mut().flat_map(|t| &mut t.columns).for_each(rename);
    }
    for (own, write) in followers(schema) {
        let (fires, written) = (own == *table, is(engine, &write.table, table));
        for one in write.columns.iter_mut().flatten() {
            if written {
                rename(&mut one.column);
            }
            if fires {
                one.from.iter_mut().for_each(rename);
            }
        }
        if written {
            write.by.iter_mut().flatten().for_each(rename);
        }
        if let Some(by) = write.by.as_mut() {
            by.sort();
        }
    }
}

fn is(engine: Engine, a: &TableName, b: &TableName) -> bool {
    if engine.facts().names.ignore_case { a.name.eq_ignore_ascii_case(&b.name) } else { a == b }
}

/// Returns the writes of bodies that follow a rename, each with the table that it belongs to.
fn followers(schema: &mut Schema) -> impl Iterator<Item = (TableName, &mut Write)> {
    let follow = schema.engine.facts().alter.keeps_text;
    schema.tables.iter_mut().flat_map(move |t| {
        let name = t.name.clone();
        let triggers = t.triggers.iter_mut().filter(move |_| follow).flat_map(|t| &mut t.does);
        let rules = t.rewrite_rules.iter_mut().flat_map(|r| &mut r.writes);
        let writes = triggers.flat_map(|d| &mut d.writes).chain(rules);
        writes.map(move |w| (name.clone(), w))
    })
}
