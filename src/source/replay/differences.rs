//! In which ways a definition differs from what is there already, by the one comparison that there is (`change::diff`). An index
//! that has the name of one of another table is no pair of tables: it is compared by itself.

use crate::change::{Change, diff_tables};
use crate::schema::{Column, DataType, Engine, Family, ForeignKey, Index, Key, Table, TableName};
use crate::source::history::Difference;

/// Tells the differences that bear on rows and relations: the changes that would make what is there what is defined.
pub(super) fn tables(engine: Engine, there: &Table, defined: &Table) -> Vec<Difference> {
    let (from, to) = (comparable(there, defined), comparable(defined, defined));
    let mut found: Vec<((u8, usize), Difference)> = Vec::new();
    let place = |name: &str| to.columns.iter().position(|c| c.name == name).unwrap_or(usize::MAX);
    for change in diff_tables(engine, &from, &to) {
        match &change {
            Change::AddColumn { column: Column { name, .. }, .. } => {
                let text = format!("column `{name}` is defined here and not there");
                found.push(((0, place(name)), text.into()));
            }
            Change::SetType { column: name, .. } | Change::SetNullable { column: name, .. } => {
                let (old, new) = (column(there, name), column(defined, name));
                let text = old.zip(new).and_then(|(old, new)| columns(&change, &format!("column `{name}`"), old, new));
                found.extend(text.map(|text| ((0, place(name)), text)));
            }
            Change::DropColumn { column: name, .. } => {
                found.push(((1, 0), format!("column `{name}` is there and not defined here").into()));
            }
            Change::DropKey { .. } | Change::AddKey { .. } => {
                let primary = |t: &Table| t.primary_key.as_ref().map(|k| k.columns.join(", ")).unwrap_or_default();
                let text = format!("the primary key is ({}) there and ({}) here", primary(there), primary(defined));
                if !found.iter().any(|(_, d)| d.text == text) {
                    found.push(((2, 0), text.into()));
                }
            }
            Change::AddForeignKey { foreign_key: key, .. } => {
                found.push(((3, 0), format!("the foreign key {} is defined here and not there", shown(key)).into()));
            }
            Change::ReplaceForeignKey { old, new, .. } => {
                let text = format!("the foreign key {} is ON DELETE {} there", shown(new), old.on_delete);
                found.push(((3, 0), text.into()));
            }
            Change::DropForeignKey { foreign_key: key, .. } => {
                let text = format!("the foreign key {} is there and not defined here", shown(key));
                found.push(((4, 0), Difference { text, lacks_key: Some(key.columns.clone()) }));
            }
            // Nothing else is compared.
            _ => {}
        }
    }
    // Columns before keys, each as they are defined.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, difference)| difference).collect()
}

/// Tells how the definition of one column differs from the one that is there.
pub(super) fn of_column(engine: Engine, there: &Column, defined: &Column) -> Vec<Difference> {
    let table = |column: &Column| {
        let mut table = Table::new(TableName::new("t"));
        table.columns.push(Column { nullable: column.nullable, ..Column::new(&column.name, base(column)) });
        table
    };
    let changes = diff_tables(engine, &table(there), &table(defined));
    changes.iter().flat_map(|change| columns(change, "it", there, defined)).collect()
}

/// Returns what is compared of a table. Where only the case of a name differs it is the one of `like`, and so is the order.
fn comparable(table: &Table, like: &Table) -> Table {
    let name = |name: &String| column(like, name).map_or(name, |c| &c.name).clone();
    let names = |names: &[String]| names.iter().map(name).collect::<Vec<_>>();
    let place = |c: &&Column| like.columns.iter().position(|l| l.name.eq_ignore_ascii_case(&c.name));
    let mut plain = Table::new(like.name.clone());
    let mut columns: Vec<&Column> = table.columns.iter().collect();
    columns.sort_by_key(|c| place(c).unwrap_or(usize::MAX));
    plain.columns =
        columns.iter().map(|c| Column { nullable: c.nullable, ..Column::new(name(&c.name), base(c)) }).collect();
    // As any other key: a primary one would make its columns NOT NULL, and that is compared by itself.
    plain.unique_keys = table.primary_key.iter().map(|k| Key::new(names(&k.columns))).collect();
    plain.foreign_keys = table
        .foreign_keys
        .iter()
        .map(|k| ForeignKey {
            on_delete: k.on_delete,
            ..ForeignKey::new(&k.columns, k.parent.clone(), Vec::<String>::new())
        })
        .collect();
    plain.sort();
    plain
}

fn column<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
}

/// The type without what bears on no reference: its length and its spelling.
fn base(column: &Column) -> DataType {
    DataType {
        raw: String::new(),
        base: column.data_type.base.clone(),
        family: Family::Other,
        arguments: Vec::new(),
        unsigned: false,
        domain: None,
        labels: Vec::new(),
    }
}

fn shown(key: &ForeignKey) -> String {
    format!("({}) → `{}` ON DELETE {}", key.columns.join(", "), key.parent, key.on_delete)
}

/// Says what a change of a column means.
fn columns(change: &Change, what: &str, there: &Column, defined: &Column) -> Option<Difference> {
    let text = match change {
        Change::SetType { .. } => {
            format!("{what} is {} there and {} here", there.data_type.raw, defined.data_type.raw)
        }
        Change::SetNullable { .. } => {
            let (can, cannot) = ("can hold NULL", "is NOT NULL");
            let (old, new) = if there.nullable { (can, cannot) } else { (cannot, can) };
            format!("{what} {old} there and {new} here")
        }
        _ => return None,
    };
    Some(text.into())
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
