//! Backups of the rows that a clean-up deletes or changes: tables made of a query, and what restores the rows from them.

use super::super::backup_common::{NAMED, is_rewritten, left_after_undo, may_rewrite};
use super::super::{Definitions, Guard};
use super::rebuild::{copied_columns, hidden_rowid};
use super::sql;
use crate::engine::{
    Dialect,
    sqlite::{DIALECT, Memory},
};
use crate::schema::{Schema, Table, TableName};

/// Returns what the rowid is called in a table that is made of a query, which has one of its own: a name that no column has.
pub(super) fn rowid_of_copy(table: &Table) -> String {
    let taken = |name: &String| table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    let mut name = "_referee_rowid".to_string();
    while taken(&name) {
        name.push('_');
    }
    name
}

/// The rowids that rows get which are restored, each with the rowid of its copy.
const PLACES: &str = "_referee_places";

/// How many rows a table has before some statements.
const ROWS: &str = "_referee_rows";

/// Returns the columns of a table that are kept, each with the name that it is kept under.
pub(super) fn kept_columns(table: &Table) -> Vec<(String, String)> {
    let is_own = |name: &String| table.columns.iter().any(|c| DIALECT.identifier(&c.name) == *name);
    let rowid = rowid_of_copy(table);
    let kept = |name: String| if is_own(&name) { (name.clone(), name) } else { (name, rowid.clone()) };
    copied_columns(table).into_iter().map(kept).collect()
}

/// Writes the statement that keeps rows.
pub(super) fn keep(table: &Table, backup: &str, from: &str, condition: &str) -> String {
    let listed: Vec<String> = kept_columns(table)
        .into_iter()
        .map(|(own, kept)| if own == kept { format!("child.{own}") } else { format!("child.{own} AS {kept}") })
        .collect();
    let backup = DIALECT.identifier(backup);
    format!("CREATE TABLE main.{backup} AS SELECT {} FROM {from} WHERE {condition}", listed.join(", "))
}

/// Writes what stops the transaction unless a backup holds rows as they are. A copy has the type of its column: a value that came in
/// under another one (`PRAGMA writable_schema`) changes on the way, and would come back changed.
pub(super) fn kept_exactly(table: &Table, backup: &str, from: &str, condition: &str) -> [String; 3] {
    let (own, kept): (Vec<String>, Vec<String>) = kept_columns(table).into_iter().unzip();
    let own: Vec<String> = own.iter().map(|c| format!("child.{c} COLLATE BINARY")).collect();
    let backup = DIALECT.identifier(backup);
    // No affinity is applied where rows of two queries are compared (manual, "SELECT", 3.).
    let query = format!(
        "SELECT NOT EXISTS (SELECT {} FROM {from} WHERE {condition} EXCEPT SELECT {} FROM main.{backup})",
        own.join(", "),
        kept.join(", ")
    );
    sql::check("the_backup_holds_the_rows_as_they_are", &query)
}

/// Writes what restores rows that are gone, and stops the transaction unless each of them is there as it was. A table may say that
/// a row in conflict is passed over or replaced (`ON CONFLICT`), and a trigger that no row comes.
///
/// A rowid that no column stands for names no row for good: another row may have it by now. Then the row gets a new one.
pub(super) fn bring_back(table: &Table, backup: &str) -> Vec<String> {
    let (name, place) = (DIALECT.identifier(&table.name.name), DIALECT.identifier(backup));
    let (own, kept): (Vec<String>, Vec<String>) = kept_columns(table).into_iter().unzip();
    let mut kept: Vec<String> = kept.iter().map(|c| format!("kept.{c}")).collect();
    let mut from = format!("main.{place} AS kept");
    let mut statements = Vec::new();
    let hidden = hidden_rowid(table);
    if let Some(rowid) = hidden {
        let copy = rowid_of_copy(table);
        statements.push(format!(
            "CREATE TEMP TABLE {PLACES} AS SELECT kept.{rowid} AS kept, CASE WHEN EXISTS (SELECT 1 FROM main.{name} AS child WHERE \
             child.{rowid} = kept.{copy}) THEN kept.{rowid} + max(ifnull((SELECT max({rowid}) FROM main.{name}), 0), ifnull((SELECT \
             max({copy}) FROM main.{place}), 0)) ELSE kept.{copy} END AS place FROM {from}"
        ));
        if let Some(first) = kept.first_mut() {
            *first = "places.place".to_string();
        }
        from.push_str(&format!(" JOIN temp.{PLACES} AS places ON places.kept = kept.{rowid}"));
    }
    let exact: Vec<String> = kept.iter().map(|c| format!("{c} COLLATE BINARY")).collect();
    let (own, kept, exact) = (own.join(", "), kept.join(", "), exact.join(", "));
    let insert = format!("INSERT OR ABORT INTO main.{name} ({own}) SELECT {kept} FROM {from}");
    statements.extend(counting(&table.name, vec![insert], &format!(" + (SELECT count(*) FROM main.{place})")));
    statements.extend(sql::check(
        "every_row_is_back",
        // The first query's collations decide (manual, "SELECT", 3.).
        &format!("SELECT NOT EXISTS (SELECT {exact} FROM {from} EXCEPT SELECT {own} FROM main.{name})"),
    ));
    statements.extend(hidden.map(|_| format!("DROP TABLE temp.{PLACES}")));
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
    backup: &str,
    columns: &[String],
    changed: &[String],
) -> (Vec<String>, Vec<Guard>) {
    let name = DIALECT.identifier(&table.name.name);
    let place = DIALECT.identifier(backup);
    let quoted = |names: &[String]| names.iter().map(|c| DIALECT.identifier(c)).collect::<Vec<_>>();
    let (columns, changed) = (quoted(columns), quoted(changed));
    let kept = kept_columns(table);
    let same = same_row(table, &kept, &changed);
    let null: Vec<String> = columns.iter().map(|c| format!("child.{c} IS NULL")).collect();
    let null = sql::all(&null);
    let list = columns.join(", ");
    let (left, right) = if columns.len() == 1 { (list.clone(), list) } else { (format!("({list})"), list) };
    let update = format!(
        "UPDATE OR ABORT main.{name} AS child SET {left} = (SELECT {right} FROM main.{place} AS kept WHERE {same}) WHERE {null} AND EXISTS (SELECT 1 FROM \
         main.{place} AS kept WHERE {same})"
    );
    let shown: Vec<String> = match declared_key(table, &changed) {
        Some(key) => key.iter().map(|c| format!("kept.{c}")).collect(),
        None => kept.first().map(|(_, c)| format!("kept.{c}")).into_iter().collect(),
    };
    let mut found = format!("rows of {} that were set to NULL have been changed or deleted since", table.name);
    if declared_key(table, &changed).is_none() && hidden_rowid(table).is_some() {
        found.push_str(
            ", or have another rowid (VACUUM, or a dump that was loaded): the table has no key that names its rows",
        );
    }
    let guard = Guard {
        sql: format!(
            "SELECT {} FROM main.{place} AS kept WHERE NOT EXISTS (SELECT 1 FROM main.{name} AS child WHERE {same} AND {null}) ORDER BY 1 \
             LIMIT {NAMED}",
            shown.join(", ")
        ),
        found,
        advice: format!(
            "restore them from the backup {backup} by hand; or, to keep them as they are now, delete their copies from it (their old \
             references are then lost); and run the undo again"
        ),
    };
    let held: Vec<String> = columns.iter().map(|c| same_value(c, c)).collect();
    let mut statements = counting(&table.name, vec![update], "");
    statements.extend(sql::check(
        "every_reference_is_back",
        &format!(
            "SELECT NOT EXISTS (SELECT 1 FROM main.{place} AS kept WHERE NOT EXISTS (SELECT 1 FROM main.{name} AS child WHERE {same} AND {}))",
            sql::all(&held)
        ),
    ));
    (statements, vec![guard])
}

/// Looks whether an undo finds the rows again in which columns became NULL.
///
/// # Errors
/// No key names them, and their rowid has no name: a row that held NULL before may be like one of them in everything else.
pub(super) fn can_be_found(table: &Table, changed: &[String]) -> Result<(), String> {
    let changed: Vec<String> = changed.iter().map(|c| DIALECT.identifier(c)).collect();
    let names_each = |key: Vec<String>| nullable(table, &key).is_empty();
    if hidden_rowid(table).is_some() || declared_key(table, &changed).is_some_and(names_each) {
        return Ok(());
    }
    Err(format!("{}: an undo could not tell which of them lost a reference; {BY_HAND}", not_told_apart(table)))
}

/// Says that nothing names the rows of a table.
pub(super) fn not_told_apart(table: &Table) -> String {
    format!(
        "nothing tells the rows of {} apart, as columns have all three names of a rowid, and no key is without NULL",
        table.name
    )
}

/// What to do about rows that nothing names.
pub(super) const BY_HAND: &str = "give the table a primary key, or change these rows by hand";

/// Writes what becomes of a backup once its rows are back: it is dropped. One of references that became NULL is kept under another
/// name where triggers may have given the rows other values: the undo leaves those, and the backup is the only copy of the old ones.
pub(super) fn release(schema: &Schema, table: &Table, backup: &str, set_null: bool) -> Vec<String> {
    let drop = format!("DROP TABLE main.{}", DIALECT.identifier(backup));
    if !set_null || !may_rewrite(schema, table) {
        return vec![drop];
    }
    let left = left_after_undo(&TableName::new(backup));
    let (left, kept) = (DIALECT.identifier(&left.name), DIALECT.identifier(backup));
    vec![
        format!("CREATE TABLE IF NOT EXISTS main.{left} AS SELECT * FROM main.{kept} WHERE 0"),
        format!("INSERT INTO main.{left} SELECT * FROM main.{kept}"),
        drop,
    ]
}

/// Returns the columns of a table's first key in which nothing changes, as they are written: one without NULL, if there is one.
fn declared_key(table: &Table, changed: &[String]) -> Option<Vec<String>> {
    let alias = table.columns.iter().find(|c| c.auto_number).map(|c| vec![c.name.clone()]);
    let declared = table.primary_key.iter().chain(&table.unique_keys).map(|k| k.columns.clone());
    let copied = copied_columns(table);
    let written = |key: Vec<String>| key.iter().map(|c| DIALECT.identifier(c)).collect::<Vec<_>>();
    let lasts = |key: &Vec<String>| !key.is_empty() && key.iter().all(|c| copied.contains(c) && !changed.contains(c));
    let mut keys: Vec<Vec<String>> = alias.into_iter().chain(declared).map(written).filter(lasts).collect();
    let whole = |key: &Vec<String>| nullable(table, key).is_empty();
    let first = keys.iter().position(whole).or_else(|| (!keys.is_empty()).then_some(0))?;
    Some(keys.swap_remove(first))
}

/// Returns those of a table's columns that may hold NULL, as they are written: a primary key may, too ("CREATE TABLE", 3.5).
fn nullable<'k>(table: &Table, columns: &'k [String]) -> Vec<&'k String> {
    let may = |name: &&String| {
        table.columns.iter().any(|c| DIALECT.identifier(&c.name) == **name && c.nullable && !c.auto_number)
    };
    columns.iter().filter(|_| !table.without_rowid).filter(may).collect()
}

/// Writes that a column of the row `child` holds the very value that the row `kept` does: a column's collation may take others for
/// the same.
fn same_value(own: &str, kept: &str) -> String {
    format!("child.{own} COLLATE BINARY IS kept.{kept}")
}

/// Writes that a row of a table is the one that is kept: it has the same key, and holds what it held besides. Another row may have
/// the key by now: SQLite gives the highest number again once it is free (Autoincrement, 2.). Where no key names a row its rowid does,
/// together with what the row holds: it changes with VACUUM.
fn same_row(table: &Table, kept: &[(String, String)], changed: &[String]) -> String {
    let hidden = hidden_rowid(table);
    let is_hidden = |own: &String| hidden.is_some_and(|rowid| rowid == own);
    let alike = |(own, kept): &(String, String)| same_value(own, kept);
    let held = || kept.iter().filter(|(own, _)| !changed.contains(own));
    let Some(key) = declared_key(table, changed) else {
        return sql::all(&held().map(alike).collect::<Vec<_>>());
    };
    let told = |own: &String| if is_rewritten(table) { key.contains(own) } else { !is_hidden(own) };
    let mut same: Vec<String> = held().filter(|(own, _)| told(own)).map(alike).collect();
    let may_be_null = nullable(table, &key);
    if let Some(rowid) = hidden.filter(|_| !may_be_null.is_empty()) {
        let whole: Vec<String> = may_be_null.iter().map(|c| format!("kept.{c} IS NOT NULL")).collect();
        same.push(format!("({} OR child.{rowid} = kept.{})", whole.join(" AND "), rowid_of_copy(table)));
    }
    sql::all(&same)
}

/// Asks SQLite what the table is like that rows are kept in. No row is moved, so no parent is needed.
pub(super) fn made(definitions: &Definitions, table: &Table, backup: &str, keep: &str) -> Result<Table, String> {
    let mut memory = Memory::new().map_err(|e| e.to_string())?;
    let text = definitions.find("table", &table.name.name).and_then(|d| d.sql.as_deref());
    let text = text.ok_or_else(|| format!("there is no definition of the table {}", table.name))?;
    memory.run(text).map_err(|e| e.to_string())?;
    memory.run(keep).map_err(|e| e.to_string())?;
    let schema = memory.inspect().map_err(|e| e.to_string())?;
    schema.table(&TableName::new(backup)).cloned().ok_or_else(|| format!("SQLite makes no table {backup}"))
}
