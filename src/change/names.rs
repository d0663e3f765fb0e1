//! The names that engines give to constraints and indexes without one.

use crate::schema::{Index, IndexOrigin, IndexPart, Table};

/// The bytes that PostgreSQL keeps of an identifier (manual, 4.1.1).
const LIMIT: usize = 63;

/// Cuts a name to what PostgreSQL keeps of it, at a character's boundary.
pub fn limited(name: &str) -> &str {
    cut(name, LIMIT)
}

fn cut(name: &str, bytes: usize) -> &str {
    let mut end = name.len().min(bytes);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// Joins `first_second_label` as PostgreSQL's `makeObjectName` does: the longer of the two first parts is cut.
pub fn joined(first: &str, second: &str, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(!second.is_empty());
    let room = LIMIT.saturating_sub(overhead);
    let (mut a, mut b) = (first.len(), second.len());
    while a + b > room {
        if a > b { a -= 1 } else { b -= 1 }
    }
    let (first, second) = (cut(first, a), cut(second, b));
    if second.is_empty() { format!("{first}_{label}") } else { format!("{first}_{second}_{label}") }
}

/// Joins the names of columns as PostgreSQL's `ChooseIndexColumnNames` and `ChooseForeignKeyConstraintNameAddition` do.
pub fn columns(names: &[String]) -> String {
    let mut joined = String::new();
    for name in names {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(name);
        if joined.len() >= LIMIT {
            break;
        }
    }
    joined
}

/// Returns the first of `first_second_label`, `…1`, `…2` that nothing of the table and nothing else has.
pub fn free(table: &Table, first: &str, second: &str, label: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let mut number = 0usize;
    loop {
        let label = if number == 0 { label.to_string() } else { format!("{label}{number}") };
        let name = joined(first, second, &label);
        if !is_taken(table, &name) && !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// Tells whether a constraint or an index of the table has the name.
pub fn is_taken(table: &Table, name: &str) -> bool {
    let keys = table.primary_key.iter().chain(&table.unique_keys);
    keys.filter_map(|k| k.name.as_deref()).any(|n| n == name)
        || table.indexes.iter().any(|i| i.name == name)
        || table.foreign_keys.iter().any(|k| k.name.as_deref() == Some(name))
        || table.checks.iter().any(|c| c.name.as_deref() == Some(name))
}

/// Returns the name InnoDB gives to the next foreign key: one more than the highest `t_ibfk_N` so far.
pub fn innodb_foreign_key(table: &Table) -> String {
    let prefix = format!("{}_ibfk_", table.name.name);
    let used = table.foreign_keys.iter().filter_map(|k| k.name.as_deref()?.strip_prefix(&prefix)?.parse::<u32>().ok());
    format!("{prefix}{}", used.max().unwrap_or(0) + 1)
}

/// Tells whether a new index takes the place of one that the engine made for a foreign key: InnoDB's goes, name and all, as
/// soon as another begins with its columns (MySQL manual, 15.1.20.5; `mysql_prepare_create_table`).
pub fn replaces(new: &Index, old: &Index) -> bool {
    old.origin == IndexOrigin::ForeignKey && begins_with(new, &old.parts)
}

/// Tells whether the first parts of an index are these columns, in this order.
pub fn begins_with(index: &Index, parts: &[IndexPart]) -> bool {
    let columns = |parts: &[IndexPart]| parts.iter().map(|p| p.column.clone()).collect::<Vec<_>>();
    index.method != "fulltext"
        && index.parts.get(..parts.len()).is_some_and(|first| columns(first) == columns(parts))
        && parts.iter().all(|p| p.column.is_some())
}

/// Returns the name MySQL gives to an index: that of its first column, with `_2`, `_3` … where it is taken.
pub fn mysql_index(table: &Table, index: &Index) -> String {
    let column = index.parts.first().and_then(|p| p.column.as_deref()).unwrap_or_default();
    let taken = |name: &str| table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(name) && !replaces(index, i));
    if !taken(column) && !column.eq_ignore_ascii_case("primary") {
        return column.to_string();
    }
    let mut number = 2usize;
    while taken(&format!("{column}_{number}")) {
        number += 1;
    }
    format!("{column}_{number}")
}

/// Returns the name SQLite gives to the index of a key: `sqlite_autoindex_t_N`.
pub fn sqlite_autoindex(table: &Table) -> String {
    let prefix = format!("sqlite_autoindex_{}_", table.name.name);
    let made = table.indexes.iter().filter(|i| i.name.starts_with(&prefix)).count();
    format!("{prefix}{}", made + 1)
}
