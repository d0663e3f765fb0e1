//! Small pieces of SQLite's SQL: literals, and conditions on definitions by which a step sees that it has been done.

use super::super::{Guard, backup_common::NAMED};
use crate::engine::sqlite::DIALECT;
use crate::rows::{RelationRows, RowSet};
use crate::schema::{ForeignKey, Index, Schema, Table};

/// Writes a text as a literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Writes texts as a list of literals.
pub(super) fn in_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(literal).collect::<Vec<_>>().join(", ")
}

/// Joins conditions by AND. An expression may be 1000 levels deep, and counts again in each query around it ("Implementation Limits
/// For SQLite", 5), while a table may have 2000 columns: so many conditions are halved, and the halves are put in parentheses.
pub(super) fn all(terms: &[String]) -> String {
    const IN_A_ROW: usize = 32;
    if terms.len() <= IN_A_ROW {
        return terms.join(" AND ");
    }
    let (one, other) = terms.split_at(terms.len() / 2);
    format!("({}) AND ({})", all(one), all(other))
}

/// Returns the orphans of a key.
pub(super) fn orphans_of(schema: &Schema, child: &Table, key: &ForeignKey) -> RowSet {
    RelationRows::of_key(&DIALECT, schema, &child.name, key).orphans()
}

/// Makes the guard that a key has no orphans.
pub(super) fn no_orphans(schema: &Schema, child: &Table, key: &ForeignKey) -> Guard {
    let side = crate::relations::side(&child.name, &key.columns);
    Guard {
        sql: orphans_of(schema, child, key).by_value(&DIALECT, ("child", &key.columns), "", NAMED),
        found: format!("{side} holds values that no row of {} has", key.parent),
        advice: "plan again with `--orphans delete`, `set-null` or `quarantine`, or fix these rows by hand".to_string(),
    }
}

/// Returns what a table's rowid is called: "Rowid Tables" has three names, each unless a column has it.
pub(super) fn rowid(table: &Table) -> Option<&'static str> {
    let is_free = |name: &&str| !table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(is_free)
}

/// Writes statements that stop a transaction while orphans are left: the check's name is in SQLite's message.
pub(super) fn nothing_left(rows: &RowSet) -> [String; 3] {
    check("no_row_is_without_parent", &format!("SELECT {}", rows.none()))
}

/// Writes statements that stop a transaction unless a query says true; the name is in SQLite's message.
pub(super) fn check(name: &str, query: &str) -> [String; 3] {
    [
        format!("CREATE TEMP TABLE _referee_guard ({name} INTEGER CONSTRAINT {name} CHECK ({name}))"),
        format!("INSERT INTO temp._referee_guard {query}"),
        "DROP TABLE temp._referee_guard".to_string(),
    ]
}

/// A number: how many keys of a table say what this one says, as far as the pragma tells (no name, no DEFERRABLE).
fn count_of_keys(table: &Table, schema: &Schema, key: &ForeignKey) -> String {
    let primary = schema.table(&key.parent).and_then(|p| p.primary_key.as_ref());
    let implied = primary.is_some_and(|p| p.columns == key.parent_columns) || key.parent_columns.is_empty();
    let mut having = vec![
        format!("count(*) = {}", key.columns.len()),
        format!("min(\"table\") = {} COLLATE NOCASE", literal(&key.parent.name)),
        format!("min(on_delete) = {}", literal(key.on_delete.sql())),
        format!("min(on_update) = {}", literal(key.on_update.sql())),
    ];
    for (i, column) in key.columns.iter().enumerate() {
        let to = match key.parent_columns.get(i) {
            Some(to) if implied => format!("coalesce(\"to\", {0}) = {0} COLLATE NOCASE", literal(to)),
            Some(to) => format!("\"to\" = {} COLLATE NOCASE", literal(to)),
            None => "\"to\" IS NULL".to_string(),
        };
        let from = literal(column);
        having.push(format!("sum(coalesce(seq = {i} AND \"from\" = {from} COLLATE NOCASE AND {to}, 0)) = 1"));
    }
    format!(
        "(SELECT count(*) FROM (SELECT id FROM pragma_foreign_key_list({}) GROUP BY id HAVING {}))",
        literal(&table.name.name),
        having.join(" AND ")
    )
}

/// A condition: a table has as many keys like this one as it shall have.
pub(super) fn keys_like(table: &Table, schema: &Schema, key: &ForeignKey) -> String {
    let alike = |k: &&ForeignKey| {
        k.columns == key.columns
            && k.parent == key.parent
            && k.parent_columns == key.parent_columns
            && k.on_delete == key.on_delete
            && k.on_update == key.on_update
    };
    let wanted = table.foreign_keys.iter().filter(alike).count();
    format!("{} = {wanted}", count_of_keys(table, schema, key))
}

/// A condition: a column can hold NULL, or cannot.
pub(super) fn nullable(table: &Table, column: &str, nullable: bool) -> String {
    let not_null = u8::from(!nullable);
    format!(
        "EXISTS (SELECT 1 FROM pragma_table_xinfo({}) WHERE name = {} COLLATE NOCASE AND \"notnull\" = {not_null})",
        literal(&table.name.name),
        literal(column)
    )
}

/// A condition: a column has this default.
pub(super) fn default(table: &Table, column: &str, default: Option<&str>) -> String {
    let value = default.map_or_else(|| "NULL".to_string(), literal);
    format!(
        "EXISTS (SELECT 1 FROM pragma_table_xinfo({}) WHERE name = {} COLLATE NOCASE AND dflt_value IS {value})",
        literal(&table.name.name),
        literal(column)
    )
}

/// A condition: a table has an index of these parts, whatever its name. Expressions and predicates are compared as text, by
/// the whole statement.
pub(super) fn has_index(table: &Table, index: &Index, statement: &str) -> String {
    let Some(columns) = index.plain_columns().filter(|_| index.predicate.is_none()) else {
        return format!(
            "EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = {} AND sql = {})",
            literal(&index.name),
            literal(statement)
        );
    };
    let mut parts = vec![format!("count(*) = {}", columns.len())];
    for (i, (column, part)) in columns.iter().zip(&index.parts).enumerate() {
        let own = table.column(column).and_then(|c| c.collation.as_ref()).map(|c| c.name.as_str());
        let collation = part.collation.as_deref().or(own).unwrap_or("BINARY");
        parts.push(format!(
            "sum(x.seqno = {i} AND x.name = {} COLLATE NOCASE AND x.\"desc\" = {} AND x.coll = {} COLLATE NOCASE) = 1",
            literal(column),
            u8::from(part.descending),
            literal(collation)
        ));
    }
    format!(
        "EXISTS (SELECT l.name FROM pragma_index_list({}) AS l, pragma_index_xinfo(l.name) AS x WHERE l.\"unique\" = {} AND \
         l.partial = 0 AND x.\"key\" = 1 GROUP BY l.name HAVING {})",
        literal(&table.name.name),
        u8::from(index.unique),
        parts.join(" AND ")
    )
}

/// A condition: there is no index of this name.
pub(super) fn no_index(index: &Index) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = {} COLLATE NOCASE)",
        literal(&index.name)
    )
}
