//! In which ways a definition differs from what is there already.

use crate::schema::{Column, ForeignKey, Index, Table, TableName};
use crate::source::history::Difference;

/// Tells the differences that bear on rows and relations.
pub(super) fn tables(there: &Table, defined: &Table) -> Vec<Difference> {
    let mut found = Vec::new();
    for column in &defined.columns {
        match there.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name)) {
            None => found.push(format!("column `{}` is defined here and not there", column.name).into()),
            Some(old) => columns(old, column, &mut found),
        }
    }
    for column in &there.columns {
        if !defined.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
            found.push(format!("column `{}` is there and not defined here", column.name).into());
        }
    }
    let primary = |t: &Table| t.primary_key.as_ref().map(|k| k.columns.join(", ")).unwrap_or_default();
    if !primary(there).eq_ignore_ascii_case(&primary(defined)) {
        found.push(format!("the primary key is ({}) there and ({}) here", primary(there), primary(defined)).into());
    }
    for key in &defined.foreign_keys {
        match there.foreign_keys.iter().find(|k| same_reference(k, key)) {
            None => found.push(format!("the foreign key {} is defined here and not there", shown(key)).into()),
            Some(old) if old.on_delete != key.on_delete => {
                found.push(format!("the foreign key {} is ON DELETE {} there", shown(key), old.on_delete).into());
            }
            Some(_) => {}
        }
    }
    for key in &there.foreign_keys {
        if !defined.foreign_keys.iter().any(|k| same_reference(k, key)) {
            let text = format!("the foreign key {} is there and not defined here", shown(key));
            found.push(Difference { text, lacks_key: Some(key.columns.clone()) });
        }
    }
    found
}

fn same_reference(a: &ForeignKey, b: &ForeignKey) -> bool {
    a.columns == b.columns && a.parent == b.parent
}

fn shown(key: &ForeignKey) -> String {
    format!("({}) → `{}` ON DELETE {}", key.columns.join(", "), key.parent, key.on_delete)
}

fn columns(there: &Column, defined: &Column, found: &mut Vec<Difference>) {
    let name = &defined.name;
    if there.data_type.base != defined.data_type.base {
        found.push(
            format!("column `{name}` is {} there and {} here", there.data_type.raw, defined.data_type.raw).into(),
        );
    }
    match (there.nullable, defined.nullable) {
        (true, false) => found.push(format!("column `{name}` can hold NULL there and is NOT NULL here").into()),
        (false, true) => found.push(format!("column `{name}` is NOT NULL there and can hold NULL here").into()),
        _ => {}
    }
}

pub(super) fn indexes(owner: &TableName, there: &Index, table: &TableName, defined: &Index) -> Vec<Difference> {
    let mut found = Vec::new();
    let parts = |i: &Index| {
        let text = i.parts.iter().map(|p| p.column.clone().or_else(|| p.expression.clone()).unwrap_or_default());
        text.collect::<Vec<_>>().join(", ")
    };
    if owner != table {
        found.push(format!("it is an index of `{owner}` there and of `{table}` here").into());
    }
    if parts(there) != parts(defined) {
        found.push(format!("it is over ({}) there and over ({}) here", parts(there), parts(defined)).into());
    }
    if there.unique != defined.unique {
        found.push(format!("it is {} there", if there.unique { "unique" } else { "not unique" }).into());
    }
    if found.is_empty() {
        found.push("its parts are sorted or compared in another way there".to_string().into());
    }
    found
}
