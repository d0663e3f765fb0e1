//! Clauses of DDL that every dialect writes alike.

use super::Dialect;
use crate::schema::{Action, ForeignKey, Index, Match, TableName, Timing};

/// Writes `FOREIGN KEY (…) REFERENCES … ON DELETE …`, without constraint name and `NOT VALID`. `parent` is how the parent's name is
/// written.
pub(crate) fn foreign_key(dialect: &dyn Dialect, key: &ForeignKey, parent: &str) -> String {
    let mut sql = format!("FOREIGN KEY ({}) REFERENCES {parent}", columns(dialect, key, &key.columns));
    if !key.parent_columns.is_empty() {
        sql.push_str(&format!(" ({})", columns(dialect, key, &key.parent_columns)));
    }
    if key.matching == Match::Full {
        sql.push_str(" MATCH FULL");
    }
    if key.on_update != Action::NoAction {
        sql.push_str(&format!(" ON UPDATE {}", key.on_update));
    }
    // Written out even for NO ACTION: a reader of the migration must not have to know the default.
    sql.push_str(&format!(" ON DELETE {}", key.on_delete));
    if !key.set_columns.is_empty() {
        sql.push_str(&format!(" ({})", dialect.columns(&key.set_columns)));
    }
    sql.push_str(match key.timing {
        Timing::Immediate => "",
        Timing::Deferrable => " DEFERRABLE INITIALLY IMMEDIATE",
        Timing::Deferred => " DEFERRABLE INITIALLY DEFERRED",
    });
    sql
}

/// Writes the columns of either side of a key; the last of a temporal one is a period (manual 18, CREATE TABLE, REFERENCES).
fn columns(dialect: &dyn Dialect, key: &ForeignKey, columns: &[String]) -> String {
    let mut written: Vec<String> = columns.iter().map(|c| dialect.identifier(c)).collect();
    if let Some(last) = written.last_mut().filter(|_| key.temporal) {
        *last = format!("PERIOD {last}");
    }
    written.join(", ")
}

/// Writes the comment that a foreign key has, and that goes with it when it is dropped; `None` if it has none. `child` is how the
/// child's name is written.
pub(crate) fn comment(dialect: &dyn Dialect, child: &str, key: &ForeignKey, name: &str) -> Option<String> {
    let text = dialect.literal(key.comment.as_deref()?);
    Some(format!("COMMENT ON CONSTRAINT {} ON {child} IS {text}", dialect.identifier(name)))
}

/// Writes `(a, b DESC) INCLUDE (c) WHERE …`, from the opening parenthesis on.
pub(super) fn index_body(dialect: &dyn Dialect, index: &Index) -> String {
    let parts: Vec<String> = index
        .parts
        .iter()
        .map(|part| {
            let mut sql = match (&part.column, &part.expression) {
                (Some(column), _) => dialect.identifier(column),
                (None, expression) => format!("({})", expression.as_deref().unwrap_or_default()),
            };
            if let Some(collation) = &part.collation {
                sql.push_str(&format!(" COLLATE {}", dialect.quote(collation)));
            }
            if let Some(class) = &part.operator_class {
                sql.push_str(&format!(" {class}"));
            }
            if part.descending {
                sql.push_str(" DESC");
            }
            sql
        })
        .collect();
    let mut sql = format!("({})", parts.join(", "));
    if let (Some(word), false) = (dialect.engine().facts().indexes.included, index.included.is_empty()) {
        sql.push_str(&format!(" {word} ({})", dialect.columns(&index.included)));
    }
    if index.nulls_equal {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        sql.push_str(&format!(" WHERE {predicate}"));
    }
    sql
}

/// Returns the name a foreign key has, or the one PostgreSQL would give it: `child_column_fkey`, at most 63 bytes.
pub(super) fn constraint_name(table: &TableName, key: &ForeignKey) -> String {
    key.name.clone().unwrap_or_else(|| limited(&format!("{}_{}_fkey", table.name, key.columns.join("_"))))
}

/// Cuts a name to the 63 bytes that PostgreSQL keeps of an identifier, at a character's boundary.
fn limited(name: &str) -> String {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_string()
}
