//! How the rows of a relation are compared: as the foreign key's own check does it, or would.
//!
//! An unqualified `=` means what the search path makes of it. A declared key has its operators in the catalog; of what nothing
//! declares, the types decide.

use crate::engine::Dialect;
use crate::schema::{Column, Comparison, Family, ForeignKey, Schema, TableName, split_dotted};

/// Returns how one pair of a foreign key's columns is compared.
pub fn of_key(dialect: &dyn Dialect, schema: &Schema, child: &TableName, key: &ForeignKey, at: usize) -> Comparison {
    if let Some(known) = key.comparisons.0.get(at) {
        return known.clone();
    }
    match (key.columns.get(at), key.parent_columns.get(at)) {
        (Some(column), Some(parent)) => of_columns(dialect, schema, (child, column), (&key.parent, parent)),
        _ => Comparison::default(),
    }
}

/// Returns how a key between two columns would compare them.
pub fn of_columns(
    dialect: &dyn Dialect,
    schema: &Schema,
    (child, column): (&TableName, &str),
    (parent, key): (&TableName, &str),
) -> Comparison {
    let of = |table: &TableName, column: &str| schema.table(table).and_then(|t| t.column(column));
    match (of(child, column), of(parent, key)) {
        (Some(child), Some(parent)) if dialect.qualifies_operators() => by_types(dialect, child, parent),
        _ => Comparison::default(),
    }
}

/// Returns how values of one column are compared with each other.
pub fn within(column: &Column) -> Comparison {
    Comparison::by(column.equality.0.clone())
}

fn by_types(dialect: &dyn Dialect, child: &Column, parent: &Column) -> Comparison {
    let own = |c: &Column| c.equality.0.clone().filter(|o| !o.starts_with("pg_catalog."));
    let mut how = Comparison::by(parent.equality.0.clone());
    if own(child) != own(parent) {
        // The parent's unique index decides by which operator (tablecmds.c, ATAddForeignKeyConstraint).
        let to = if own(parent).is_some() { Some(parent.data_type.raw.clone()) } else { plain(parent) };
        if how.operator.is_none() && to.is_some() {
            how.operator = Some("pg_catalog.=".to_string());
        }
        how.child_cast = to;
    } else if parent.data_type.base == "char"
        && child.data_type.base != "char"
        && child.data_type.family == Family::Text
    {
        // Blanks at the end do not count then; `char = text` would count them.
        how.child_cast = Some("pg_catalog.bpchar".to_string());
    }
    if child.collation != parent.collation {
        // Two different collations of columns are an error to PostgreSQL; its own check takes the parent's.
        let name = parent.collation.as_ref().map_or("default", |c| c.name.as_str());
        let parts = split_dotted(name).unwrap_or_else(|_| vec![name.to_string()]);
        how.collation = Some(parts.iter().map(|p| dialect.quote(p)).collect::<Vec<_>>().join("."));
    }
    how
}

/// Names the system's type that a child's value becomes when the parent's is one.
fn plain(parent: &Column) -> Option<String> {
    (parent.data_type.family == Family::Text).then(|| "pg_catalog.text".to_string())
}

/// Tells whether the engine has an operator `=` for two columns.
pub(super) fn is_comparable(dialect: &dyn Dialect, a: &Column, b: &Column) -> bool {
    let group = |column: &Column| match column.data_type.family {
        Family::Integer | Family::Decimal | Family::Float => Some(0),
        Family::Date | Family::Timestamp => Some(1),
        Family::Text => Some(2),
        _ => None,
    };
    if dialect.engine().facts().types.dynamic {
        return true;
    }
    if !dialect.has_equality(a) || !dialect.has_equality(b) {
        return false;
    }
    match (group(a), group(b)) {
        (Some(one), Some(other)) => one == other,
        // Two enums or two types of an extension may share a base name; a domain's column is spelled differently.
        (None, None) if matches!(a.data_type.family, Family::Enum | Family::Other | Family::Array) => {
            a.data_type.base == b.data_type.base && a.data_type.raw == b.data_type.raw
        }
        (None, None) => a.data_type.base == b.data_type.base,
        _ => false,
    }
}
