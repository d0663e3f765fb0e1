//! What several rules need: building fixes, naming constraints, wording lists.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::change::Change;
use crate::findings::{Fix, Safety};
use crate::relations::{Relation, is_broken};
use crate::schema::{ForeignKey, Schema, Table};

/// Makes a fix, with the SQL of its changes where the engine has single statements for all of them.
pub(super) fn fix(context: &Context<'_>, title: impl Into<String>, safety: Safety, changes: Vec<Change>) -> Fix {
    let statements: Option<Vec<Vec<String>>> =
        context.dialect.and_then(|d| changes.iter().map(|c| d.sql_for(c, context.schema)).collect());
    Fix { title: title.into(), safety, changes, sql: statements.unwrap_or_default().concat() }
}

/// Returns the foreign keys that the engine gets to act by. Of one that is broken, another rule says so, and no more is to be said.
pub(super) fn working_keys(schema: &Schema) -> impl Iterator<Item = (&Table, &ForeignKey)> {
    schema.foreign_keys().filter(|(table, key)| !is_broken(schema, &Relation::declared(schema, &table.name, key)))
}

/// Finds tables by their own names; where several schemas have one, the first.
pub(super) fn by_own_name(schema: &Schema) -> BTreeMap<&str, &Table> {
    let mut found = BTreeMap::new();
    for table in &schema.tables {
        found.entry(table.name.name.as_str()).or_insert(table);
    }
    found
}

/// The names that a schema's tables and indexes have: what a new index cannot be called.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Collects them once, for all findings of a rule.
    pub fn of(schema: &Schema) -> Self {
        let of = |t: &Table| {
            let own = std::iter::once(t.name.name.to_ascii_lowercase());
            own.chain(t.indexes.iter().map(|i| i.name.to_ascii_lowercase())).collect::<Vec<_>>()
        };
        Self(schema.tables.iter().flat_map(of).collect())
    }
}

/// Names a new index `<table>_<columns>_<suffix>`, within PostgreSQL's 63 bytes and unlike every name the schema has.
pub(super) fn index_name(names: &Names, table: &Table, columns: &[String], suffix: &str) -> String {
    let base = format!("{}_{}", table.name.name, columns.join("_"));
    let mut n = 1;
    loop {
        let end = if n == 1 { format!("_{suffix}") } else { format!("_{suffix}{n}") };
        let mut room = base.len().min(63 - end.len().min(63));
        while !base.is_char_boundary(room) {
            room -= 1;
        }
        let name = format!("{}{end}", &base[..room]);
        if !names.0.contains(&name.to_ascii_lowercase()) {
            return name;
        }
        n += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Engine;
    use crate::testing::schema;

    #[test]
    fn names_of_indexes_are_new_and_fit() {
        let s = schema(Engine::Postgres, &["t: a int8 index, b int8"]);
        let name = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            index_name(&Names::of(&s), &s.tables[0], &columns, "idx")
        };
        assert_eq!(name(&["b"]), "t_b_idx");
        assert_eq!(name(&["a"]), "t_a_idx2");
        let long = name(&["ö".repeat(40).as_str()]);
        assert!(long.len() <= 63 && long.ends_with("ö_idx"), "{long}");
    }
}
