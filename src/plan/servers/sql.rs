//! The clauses of PostgreSQL's DDL. Names of tables are always written with their schema: a migration must not depend on
//! whose `search_path` it meets.

use super::builder::Builder;
use crate::change::names;
use crate::engine::ddl;
use crate::schema::{ForeignKey, Index, Table, TableName, split_dotted};

/// Writes `ALTER TABLE public.orders`.
pub(in crate::plan) fn alter(builder: &Builder<'_>, table: &TableName) -> String {
    format!("ALTER TABLE {}", builder.name(table))
}

/// Returns a key's name, or the one that PostgreSQL would give it.
pub(in crate::plan) fn key_name(child: &Table, key: &ForeignKey) -> String {
    match &key.name {
        Some(name) => names::limited(name).to_string(),
        None => names::free(child, &child.name.name, &names::columns(&key.columns), "fkey", &|_| false),
    }
}

/// Writes `CONSTRAINT name FOREIGN KEY (…) REFERENCES …`, with what keeps the engine from reading the rows now.
pub(in crate::plan) fn key(builder: &Builder<'_>, key: &ForeignKey, name: &str, unchecked: bool) -> String {
    let later = match (key.enforced, unchecked) {
        (false, _) => " NOT ENFORCED",
        (true, true) => " NOT VALID",
        (true, false) => "",
    };
    format!("CONSTRAINT {} {}{later}", builder.dialect.identifier(name), key_body(builder, key))
}

/// Writes `FOREIGN KEY (…) REFERENCES …` to the end of the definition.
pub(in crate::plan) fn key_body(builder: &Builder<'_>, key: &ForeignKey) -> String {
    ddl::foreign_key(builder.dialect, key, &builder.name(&key.parent))
}

/// Writes the comment that goes with a key and would be lost with it.
pub(in crate::plan) fn key_comment(
    builder: &Builder<'_>,
    child: &TableName,
    key: &ForeignKey,
    name: &str,
) -> Option<String> {
    ddl::comment(builder.dialect, &builder.name(child), key, name)
}

/// Writes `CREATE [UNIQUE] INDEX [CONCURRENTLY] name ON [ONLY] table …`.
pub(in crate::plan) fn create_index(builder: &Builder<'_>, table: &TableName, index: &Index, how: Build) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (concurrently, only) = match how {
        Build::Concurrently => ("CONCURRENTLY ", ""),
        Build::Only => ("", "ONLY "),
    };
    let method = if index.method == "btree" { String::new() } else { format!(" USING {}", index.method) };
    let name = builder.dialect.identifier(&index.name);
    let mut sql = format!("CREATE {unique}INDEX {concurrently}{name} ON {only}{}{method}", builder.name(table));
    let parts: Vec<String> = index.parts.iter().map(|p| part(builder, p)).collect();
    sql.push_str(&format!(" ({})", parts.join(", ")));
    if !index.included.is_empty() {
        sql.push_str(&format!(" INCLUDE ({})", builder.dialect.columns(&index.included)));
    }
    if index.nulls_equal {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        sql.push_str(&format!(" WHERE {predicate}"));
    }
    sql
}

/// How an index is built.
#[derive(Clone, Copy)]
pub(in crate::plan) enum Build {
    /// While rows are written.
    Concurrently,
    /// Of a partitioned table, without its partitions: a catalog entry.
    Only,
}

fn part(builder: &Builder<'_>, part: &crate::schema::IndexPart) -> String {
    let mut sql = match (&part.column, &part.expression) {
        (Some(column), _) => builder.dialect.identifier(column),
        (None, expression) => format!("({})", expression.as_deref().unwrap_or_default()),
    };
    if let Some(name) = &part.collation {
        sql.push_str(&format!(" COLLATE {}", collation(builder, name)));
    }
    if let Some(class) = &part.operator_class {
        sql.push_str(&format!(" {}", builder.dialect.identifier(class)));
    }
    if part.descending {
        sql.push_str(" DESC");
    }
    sql
}

/// Writes a collation's name; one of another schema is told with it.
pub(in crate::plan) fn collation(builder: &Builder<'_>, name: &str) -> String {
    let quoted = split_dotted(name).map(|parts| parts.iter().map(|p| builder.dialect.quote(p)).collect::<Vec<_>>());
    quoted.map_or_else(|_| builder.dialect.quote(name), |parts| parts.join("."))
}
