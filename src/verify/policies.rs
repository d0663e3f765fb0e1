//! One query for each policy and parent: the keys that break it. No row is the right answer.

use crate::engine::Dialect;
use crate::rules::policy::Policy;
use crate::schema::{Action, Schema, TableName};

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
            let Some(sql) = dialect.keys_not_on_delete(schema, &parent.name, &allowed, &exempt) else { continue };
            let text = format!("Keys to {} that are not ON DELETE {}", parent.name, words.join(" or "));
            questions.push(Question { text, sql });
        }
    }
    questions
}

const ACTIONS: [Action; 5] = [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];
