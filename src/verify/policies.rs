//! One query for each policy and parent: the keys that break it. No row is the right answer.

use crate::engine::Dialect;
use crate::rules::policy::Policy;
use crate::schema::{Action, Engine, Schema, TableName};

/// A query about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it asks: `Keys to users that are not ON DELETE CASCADE`.
    pub text: String,
    /// The query. Each row is a key: child, columns or name, action.
    pub sql: String,
}

/// Writes the queries of all policies, one for each parent table that a policy is about. Exceptions are named in the query.
pub fn questions(dialect: &dyn Dialect, schema: &Schema, policies: &[Policy]) -> Vec<Question> {
    let mut questions = Vec::new();
    for policy in policies.iter().filter(|p| !p.on_delete.is_empty()) {
        let compiled = policy.compile(schema.default_schema.as_deref());
        for parent in &schema.tables {
            let keys: Vec<_> = schema.foreign_keys().filter(|(_, key)| key.parent == parent.name).collect();
            let about = |child: &TableName, columns: &[String]| compiled.is_about(child, columns, &parent.name);
            if !keys.iter().any(|(table, key)| about(&table.name, &key.columns)) {
                continue;
            }
            let exempt: Vec<(&TableName, &[String])> = keys
                .iter()
                .filter(|(table, key)| !about(&table.name, &key.columns))
                .map(|(table, key)| (&table.name, key.columns.as_slice()))
                .collect();
            let allowed: Vec<Action> = ACTIONS.into_iter().filter(|a| compiled.allows(schema.engine, *a)).collect();
            let words: Vec<&str> = policy.on_delete.iter().map(|a| a.sql()).collect();
            let sql = match schema.engine {
                Engine::Sqlite => sqlite(dialect, &parent.name, &allowed, &exempt),
                Engine::Postgres | Engine::Cockroach => postgres(dialect, schema, &parent.name, &allowed, &exempt),
                Engine::Mysql | Engine::Mariadb => continue,
            };
            let text = format!("Keys to {} that are not ON DELETE {}", parent.name, words.join(" or "));
            questions.push(Question { text, sql });
        }
    }
    questions
}

const ACTIONS: [Action; 5] = [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];

/// Asks `pg_constraint` (manual, "pg_constraint"): what `confdeltype` says is what a delete does.
fn postgres(
    dialect: &dyn Dialect,
    schema: &Schema,
    parent: &TableName,
    allowed: &[Action],
    exempt: &[(&TableName, &[String])],
) -> String {
    let letter = |a: &Action| match a {
        Action::NoAction => "'a'",
        Action::Restrict => "'r'",
        Action::Cascade => "'c'",
        Action::SetNull => "'n'",
        Action::SetDefault => "'d'",
    };
    let letters: Vec<&str> = allowed.iter().map(letter).collect();
    let class = |table: &TableName| format!("{}::regclass", dialect.literal(&dialect.qualified_table(table, schema)));
    // Clones of a key for the partitions of a table say what the key itself says.
    let mut sql = format!(
        "SELECT conrelid::regclass AS child, conname AS name, confdeltype AS on_delete FROM pg_constraint WHERE \
         contype = 'f' AND conparentid = 0 AND confrelid = {} AND confdeltype NOT IN ({})",
        class(parent),
        letters.join(", ")
    );
    for (child, columns) in exempt {
        let names: Vec<String> = columns.iter().map(|c| dialect.literal(c)).collect();
        sql.push_str(&format!(
            " AND NOT (conrelid = {} AND (SELECT array_agg(attname::text ORDER BY attname::text) FROM pg_attribute WHERE \
             attrelid = conrelid AND attnum = ANY (conkey)) = (SELECT array_agg(c ORDER BY c) FROM unnest(ARRAY[{}]::text[]) \
             AS c))",
            class(child),
            names.join(", ")
        ));
    }
    sql.push_str(" ORDER BY 1, 2");
    sql
}

/// Asks the pragma functions ("PRAGMA Statements", `foreign_key_list`); names in SQLite are the same in any case.
fn sqlite(dialect: &dyn Dialect, parent: &TableName, allowed: &[Action], exempt: &[(&TableName, &[String])]) -> String {
    let words: Vec<String> = allowed.iter().map(|a| dialect.literal(a.sql())).collect();
    let mut sql = format!(
        "SELECT m.name AS child, f.\"from\" AS column_name, f.on_delete FROM sqlite_schema AS m JOIN \
         pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND f.\"table\" = {} COLLATE NOCASE AND f.on_delete NOT \
         IN ({})",
        dialect.literal(&parent.name),
        words.join(", ")
    );
    for (child, columns) in exempt {
        let names: Vec<String> = columns.iter().map(|c| dialect.literal(c)).collect();
        sql.push_str(&format!(
            " AND NOT (m.name = {} COLLATE NOCASE AND f.\"from\" COLLATE NOCASE IN ({}))",
            dialect.literal(&child.name),
            names.join(", ")
        ));
    }
    sql.push_str(" ORDER BY 1, 2");
    sql
}
