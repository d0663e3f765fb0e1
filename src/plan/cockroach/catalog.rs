//! Questions to CockroachDB's catalog, by definition. Each asks about one table, once a step: there a query of the catalog takes
//! up to a second (issue 173076).

use super::super::servers::builder::Builder;
use crate::schema::{Action, DataType, ForeignKey, Index, Match, TableName};

fn table(builder: &Builder<'_>, name: &TableName) -> String {
    format!("to_regclass({})", builder.dialect.literal(&builder.name(name)))
}

/// Asks for a foreign key with exactly this definition under one of some names; with its rows checked only if that is the point.
pub(super) fn key(
    builder: &Builder<'_>,
    child: &TableName,
    key: &ForeignKey,
    names: &[&str],
    validated: bool,
) -> String {
    let action = |action: Action| match action {
        // RESTRICT is told apart in the catalog, though it acts like NO ACTION.
        Action::NoAction => 'a',
        Action::Restrict => 'r',
        Action::Cascade => 'c',
        Action::SetNull => 'n',
        Action::SetDefault => 'd',
    };
    let matching = if key.matching == Match::Full { 'f' } else { 's' };
    let mut names: Vec<String> = names.iter().map(|n| builder.dialect.literal(n)).collect();
    names.dedup();
    let mut sql = format!(
        "SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conrelid = {} AND k.confrelid = {} AND k.conname IN ({}) \
         AND k.confdeltype = '{}' AND k.confupdtype = '{}' AND k.confmatchtype = '{matching}'",
        table(builder, child),
        table(builder, &key.parent),
        names.join(", "),
        action(key.on_delete),
        action(key.on_update),
    );
    for (of, array, columns) in [(child, "conkey", &key.columns), (&key.parent, "confkey", &key.parent_columns)] {
        sql.push_str(&format!(" AND array_length(k.{array}, 1) = {}", columns.len()));
        for (place, column) in (1..).zip(columns) {
            let place: usize = place;
            sql.push_str(&format!(
                " AND k.{array}[{place}] = (SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = {} AND a.attname = {})",
                table(builder, of),
                builder.dialect.literal(column)
            ));
        }
    }
    if validated {
        sql.push_str(" AND k.convalidated");
    }
    sql
}

/// Asks for a constraint of this name, whatever it is.
pub(super) fn constraint(builder: &Builder<'_>, of: &TableName, name: &str) -> String {
    format!(
        "SELECT k.conname, k.condef FROM pg_catalog.pg_constraint k WHERE k.conrelid = {} AND k.conname = {}",
        table(builder, of),
        builder.dialect.literal(name)
    )
}

/// Asks for an index with exactly these columns. The primary key's columns, which every index ends in, are `implicit`.
pub(super) fn index(builder: &Builder<'_>, of: &TableName, index: &Index) -> String {
    let stored: Vec<String> = index.included.iter().map(|c| builder.dialect.literal(c)).collect();
    let mut rows: Vec<String> = Vec::new();
    for (place, part) in (1..).zip(&index.parts) {
        let place: usize = place;
        rows.push(format!(
            "(seq_in_index = {place} AND column_name = {} AND direction = '{}' AND NOT storing)",
            builder.dialect.literal(part.column.as_deref().unwrap_or_default()),
            if part.descending { "DESC" } else { "ASC" }
        ));
    }
    if !stored.is_empty() {
        rows.push(format!("(storing AND column_name IN ({}))", stored.join(", ")));
    }
    format!(
        "SELECT 1 FROM [SHOW INDEXES FROM {}] WHERE index_name = {} AND NOT implicit HAVING count(*) = {} AND bool_and(non_unique = {}) \
         AND bool_and({})",
        builder.name(of),
        builder.dialect.literal(&index.name),
        index.parts.len() + index.included.len(),
        !index.unique,
        rows.join(" OR ")
    )
}

/// Asks for a column that cannot be NULL (`true`) or can (`false`).
pub(super) fn not_null(builder: &Builder<'_>, of: &TableName, column: &str, not_null: bool) -> String {
    format!(
        "SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = {} AND a.attname = {} AND a.attnotnull = {not_null}",
        table(builder, of),
        builder.dialect.literal(column)
    )
}

/// Asks for a column without default.
pub(super) fn no_default(builder: &Builder<'_>, of: &TableName, column: &str) -> String {
    format!(
        "SELECT 1 FROM information_schema.columns WHERE table_schema = {} AND table_name = {} AND column_name = {} AND column_default IS NULL",
        builder.dialect.literal(of.schema.as_deref().or(builder.now.default_schema.as_deref()).unwrap_or("public")),
        builder.dialect.literal(&of.name),
        builder.dialect.literal(column)
    )
}

/// Asks for a column of this type.
pub(super) fn has_type(builder: &Builder<'_>, of: &TableName, column: &str, to: &DataType) -> String {
    format!(
        "SELECT 1 FROM information_schema.columns WHERE table_schema = {} AND table_name = {} AND column_name = {} \
         AND lower(crdb_sql_type) IN ({}, {})",
        builder.dialect.literal(of.schema.as_deref().or(builder.now.default_schema.as_deref()).unwrap_or("public")),
        builder.dialect.literal(&of.name),
        builder.dialect.literal(column),
        builder.dialect.literal(&to.raw.to_lowercase()),
        builder.dialect.literal(&to.base)
    )
}

/// Asks whether a table is locked against schema changes (v26.1 and later).
pub(super) fn schema_locked(builder: &Builder<'_>, of: &TableName) -> String {
    format!(
        "SELECT table_name FROM [SHOW CREATE TABLE {}] WHERE create_statement LIKE '%schema_locked = true%'",
        builder.name(of)
    )
}
