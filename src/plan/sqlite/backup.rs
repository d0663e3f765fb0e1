//! Backups of the rows that a clean-up deletes or changes: tables made of a query, and what restores the rows from them.

use super::super::aside::{NAMED, is_rewritten};
use super::super::{Definitions, Guard};
use super::rebuild::copied_columns;
use super::sql;
use crate::engine::{
    Dialect,
    sqlite::{DIALECT, Memory},
};
use crate::schema::{Table, TableName};

/// What the rowid is called in a table that is made of a query, which has one of its own.
const ROWID: &str = "_referee_rowid";

/// How many rows a table has before some statements.
const ROWS: &str = "_referee_rows";

/// Returns the columns of a table that are kept, each with the name that it is kept under.
pub(super) fn kept_columns(table: &Table) -> Vec<(String, String)> {
    let is_own = |name: &String| table.columns.iter().any(|c| DIALECT.identifier(&c.name) == *name);
    let kept = |name: String| if is_own(&name) { (name.clone(), name) } else { (name, ROWID.to_string()) };
    copied_columns(table).into_iter().map(kept).collect()
}

/// Writes the statement that keeps rows.
pub(super) fn keep(table: &Table, aside: &str, from: &str, condition: &str) -> String {
    let listed: Vec<String> = kept_columns(table)
        .into_iter()
        .map(|(own, kept)| if own == kept { format!("child.{own}") } else { format!("child.{own} AS {kept}") })
        .collect();
    let aside = DIALECT.identifier(aside);
    format!("CREATE TABLE main.{aside} AS SELECT {} FROM {from} WHERE {condition}", listed.join(", "))
}

/// Writes what restores rows that are gone, and stops the transaction unless each of them is there as it was. A table may say that
/// a row in conflict is passed over or replaced (`ON CONFLICT`), and a trigger that no row comes.
pub(super) fn bring_back(table: &Table, aside: &str) -> Vec<String> {
    let (own, kept): (Vec<String>, Vec<String>) = kept_columns(table).into_iter().unzip();
    let (name, aside) = (DIALECT.identifier(&table.name.name), DIALECT.identifier(aside));
    let (own, kept) = (own.join(", "), kept.join(", "));
    let insert = format!("INSERT OR ABORT INTO main.{name} ({own}) SELECT {kept} FROM main.{aside}");
    let mut statements = counting(&table.name, vec![insert], &format!(" + (SELECT count(*) FROM main.{aside})"));
    statements.extend(sql::check(
        "every_row_is_back",
        &format!("SELECT NOT EXISTS (SELECT {kept} FROM main.{aside} EXCEPT SELECT {own} FROM main.{name})"),
    ));
    statements
}

/// Has statements run between two counts of a table, and stops the transaction unless the second is the first and `more`.
pub(super) fn counting(table: &TableName, statements: Vec<String>, more: &str) -> Vec<String> {
    let name = DIALECT.table(table);
    let mut all = vec![format!("CREATE TEMP TABLE {ROWS} AS SELECT count(*) AS n FROM {name}")];
    all.extend(statements);
    let query = format!("SELECT (SELECT count(*) FROM {name}) = n{more} FROM temp.{ROWS}");
    all.extend(sql::check("no_other_row_comes_or_goes", &query));
    all.push(format!("DROP TABLE temp.{ROWS}"));
    all
}

/// Writes what gives rows back the references that were set to NULL, and the guard that each of them is there and still holds NULL.
/// `changed` are all columns that the step sets to NULL, these among them.
pub(super) fn give_back(
    table: &Table,
    aside: &str,
    columns: &[String],
    changed: &[String],
) -> (Vec<String>, Vec<Guard>) {
    let name = DIALECT.identifier(&table.name.name);
    let place = DIALECT.identifier(aside);
    let quoted = |names: &[String]| names.iter().map(|c| DIALECT.identifier(c)).collect::<Vec<_>>();
    let (columns, changed) = (quoted(columns), quoted(changed));
    let kept = kept_columns(table);
    // A rowid that no column stands for changes with VACUUM: it names a row only together with what else the row holds.
    let alias = table.columns.iter().find(|c| c.auto_number).map(|c| vec![DIALECT.identifier(&c.name)]);
    let primary = table.primary_key.as_ref().filter(|_| table.without_rowid);
    let primary = primary.map(|k| k.columns.iter().map(|c| DIALECT.identifier(c)).collect::<Vec<_>>());
    let others = kept.iter().filter(|(own, _)| !changed.contains(own));
    let alike = others.map(|(own, kept)| format!("{name}.{own} IS kept.{kept}"));
    // Another row may have the number by now: SQLite gives the highest one again once it is free (Autoincrement, 2.).
    let same: Vec<String> = match alias.or(primary) {
        Some(identity) if is_rewritten(table) => identity.iter().map(|c| format!("{name}.{c} = kept.{c}")).collect(),
        _ => alike.collect(),
    };
    let null: Vec<String> = columns.iter().map(|c| format!("{name}.{c} IS NULL")).collect();
    let (same, null) = (same.join(" AND "), null.join(" AND "));
    let list = columns.join(", ");
    let (left, right) = if columns.len() == 1 { (list.clone(), list) } else { (format!("({list})"), list) };
    let update = format!(
        "UPDATE OR ABORT main.{name} SET {left} = (SELECT {right} FROM main.{place} AS kept WHERE {same}) WHERE {null} AND EXISTS (SELECT 1 FROM \
         main.{place} AS kept WHERE {same})"
    );
    let first = kept.first().map(|(_, k)| format!("kept.{k}")).unwrap_or_default();
    let guard = Guard {
        sql: format!(
            "SELECT {first} FROM main.{place} AS kept WHERE NOT EXISTS (SELECT 1 FROM main.{name} WHERE {same} AND {null}) ORDER BY 1 \
             LIMIT {NAMED}"
        ),
        found: format!("rows of {} that were set to NULL have been changed or deleted since", table.name),
        advice: format!(
            "to keep them as they are now, delete their copies from the backup {aside} (their old references are then lost), and run the undo again"
        ),
    };
    let held: Vec<String> = columns.iter().map(|c| format!("{name}.{c} IS kept.{c}")).collect();
    let mut statements = counting(&table.name, vec![update], "");
    statements.extend(sql::check(
        "every_reference_is_back",
        &format!(
            "SELECT NOT EXISTS (SELECT 1 FROM main.{place} AS kept WHERE NOT EXISTS (SELECT 1 FROM main.{name} WHERE {same} AND {}))",
            held.join(" AND ")
        ),
    ));
    (statements, vec![guard])
}

/// Asks SQLite what the table is like that rows are kept in. No row is moved, so no parent is needed.
pub(super) fn made(definitions: &Definitions, table: &Table, aside: &str, keep: &str) -> Result<Table, String> {
    let mut memory = Memory::new().map_err(|e| e.to_string())?;
    let text = definitions.find("table", &table.name.name).and_then(|d| d.sql.as_deref());
    let text = text.ok_or_else(|| format!("there is no definition of the table {}", table.name))?;
    memory.run(text).map_err(|e| e.to_string())?;
    memory.run(keep).map_err(|e| e.to_string())?;
    let schema = memory.inspect().map_err(|e| e.to_string())?;
    schema.table(&TableName::new(aside)).cloned().ok_or_else(|| format!("SQLite makes no table {aside}"))
}
