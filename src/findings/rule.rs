//! A rule as the rest of the program names it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::Severity;
use crate::schema::Engine;

/// What is known of a rule without running it.
#[derive(Debug, Serialize)]
pub struct Meta {
    /// The code, stable for ever: `REF1xx` structure, `REF2xx` actions, `REF3xx` state, `REF4xx` migrations.
    pub code: &'static str,
    /// The name, which states the defect and reads well after "allow".
    pub name: &'static str,
    /// The usual severity.
    pub severity: Severity,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// The engines it can find something on.
    pub engines: &'static [Engine],
    /// Whether it needs rows to be read (`--data`).
    pub needs_data: bool,
    /// The page: what the website shows and `referee explain` prints.
    #[serde(skip)]
    pub page: &'static str,
}

impl Meta {
    /// Returns what names the rule.
    pub const fn id(&'static self) -> RuleId {
        RuleId(self)
    }
}

/// Names a rule. Only the rule's own [`Meta`] makes one, so that a rule that is renamed or gone is an error of the compiler; texts name
/// rules only where files and command lines are read or written. In JSON it is the two fields `code` and `rule`.
#[derive(Clone, Copy)]
pub struct RuleId(&'static Meta);

impl RuleId {
    /// Returns the code: `REF105`.
    pub const fn code(self) -> &'static str {
        self.0.code
    }

    /// Returns the name: `unindexed-foreign-key`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Tells whether a text that a user wrote names the rule, by its name or its code, in any case.
    pub fn is_called(self, written: &str) -> bool {
        written.eq_ignore_ascii_case(self.0.name) || written.eq_ignore_ascii_case(self.0.code)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.code, self.0.name)
    }
}

impl PartialEq for RuleId {
    fn eq(&self, other: &Self) -> bool {
        self.0.code == other.0.code
    }
}

impl Eq for RuleId {}

impl PartialOrd for RuleId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RuleId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.code.cmp(other.0.code)
    }
}

impl Hash for RuleId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.code.hash(state);
    }
}

/// A [`RuleId`] as it is written.
#[derive(Serialize, JsonSchema)]
struct Written {
    /// The rule's code, stable for ever: `REF105`.
    code: &'static str,
    /// The rule's name: `unindexed-foreign-key`.
    rule: &'static str,
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { code: self.0.code, rule: self.0.name }.serialize(serializer)
    }
}

impl JsonSchema for RuleId {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

/// Writes a rule's name alone.
///
/// # Errors
/// What the serializer says.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference over.
pub fn by_name<S: Serializer>(rule: &RuleId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.name())
}
