//! What must hold before a step runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A query that must return no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "Written", from = "Written")]
pub struct Guard {
    /// The query; it reads only.
    pub sql: String,
    /// What a row means: `orders.customer_id has orphans`.
    pub found: String,
    /// What to do then; empty if nothing is known.
    pub advice: String,
}

impl Guard {
    /// Says what a row means, and what to do.
    pub fn message(&self) -> String {
        if self.advice.is_empty() { self.found.clone() } else { format!("{}; {}", self.found, self.advice) }
    }
}

/// A [`Guard`] as it is written: with the whole sentence.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Written {
    /// The query; it reads only.
    sql: String,
    /// What a row means: `orders.customer_id has orphans`. A journal of an earlier build has the sentence alone.
    #[serde(default)]
    found: String,
    /// What to do then.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    advice: String,
    /// Both in one sentence.
    #[serde(default)]
    message: String,
}

impl From<Guard> for Written {
    fn from(guard: Guard) -> Self {
        let message = guard.message();
        let Guard { sql, found, advice } = guard;
        Self { sql, found, advice, message }
    }
}

impl From<Written> for Guard {
    fn from(written: Written) -> Self {
        let Written { sql, found, advice, message } = written;
        Self { sql, found: if found.is_empty() { message } else { found }, advice }
    }
}
