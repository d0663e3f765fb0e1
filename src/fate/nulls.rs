//! What may not accept NULL in a column, though the column may be NULL: CHECKs, domains, generated columns, indexes on
//! expressions, partitions. It is named, not evaluated.

use crate::relations::forbids_null;
use crate::schema::{Table, TableKind};

/// Something that may not accept NULL in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// What it is, with its table: ``CHECK `kind_ck` of `c` ``.
    pub what: String,
    /// The column.
    pub column: String,
}

impl Doubt {
    /// Says it in words, without an end.
    pub fn text(&self) -> String {
        format!("{} may not accept NULL in `{}`", self.what, self.column)
    }
}

/// Returns what may not accept NULL in these columns. A CHECK that only compares the column is not false of NULL.
pub(super) fn doubts(table: &Table, columns: &[&str]) -> Vec<Doubt> {
    let of = &table.name;
    let mut found = Vec::new();
    let mut add = |what: String, column: &str| found.push(Doubt { what, column: column.to_string() });
    for check in &table.checks {
        // What no NULL passes is judged, and no doubt.
        if columns.iter().any(|c| forbids_null(&check.expression, c)) {
            continue;
        }
        let said = words(&check.expression);
        if let Some(column) = columns.iter().find(|c| said.contains(&c.to_lowercase()))
            && said.iter().any(|w| is_about_null(w))
        {
            let what = match &check.name {
                Some(name) => format!("CHECK `{name}` of `{of}`"),
                None => format!("CHECK ({}) of `{of}`", check.expression),
            };
            add(what, column);
        }
    }
    for name in columns {
        let column = table.column(name);
        if let Some(domain) = column.and_then(|c| c.data_type.domain.as_ref()) {
            add(format!("domain `{domain}`"), name);
        }
        // A key's columns are NOT NULL, and a partition key is part of every key (PostgreSQL manual, 5.12.2.3).
        if table.kind == TableKind::Partitioned && table.primary_key.is_none() && table.unique_keys.is_empty() {
            add(format!("the partitioning of `{of}`"), name);
        }
    }
    let mentions = |text: &str| {
        let said = words(text);
        columns.iter().find(|c| said.contains(&c.to_lowercase())).copied()
    };
    for column in &table.columns {
        if let Some(name) = column.generated.as_ref().and_then(|g| mentions(&g.expression)) {
            add(format!("generated column `{}` of `{of}`", column.name), name);
        }
    }
    for index in &table.indexes {
        let expressions = index.parts.iter().filter_map(|p| p.expression.as_deref());
        if let Some(name) = expressions.chain(index.predicate.as_deref().filter(|_| index.unique)).find_map(mentions) {
            add(format!("index `{}` of `{of}`", index.name), name);
        }
    }
    found
}

fn words(text: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.split(|c| !word(c)).map(str::to_lowercase).collect()
}

fn is_about_null(word: &str) -> bool {
    ["null", "isnull", "notnull", "coalesce", "ifnull", "case", "distinct"].contains(&word) || word.starts_with("num_n")
}
