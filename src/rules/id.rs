//! A rule's id read back from JSON: only here are all rules known.

use serde::{Deserialize, Deserializer, de};

use crate::findings::{Meta, RuleId, Severity};

/// The fix of a delete, which is asked for by name and is no rule: it has a code of its own.
pub static FATE: Meta = Meta {
    code: "FATE",
    name: "fate",
    severity: Severity::Error,
    summary: "A delete of a root's rows does not go through, or leaves rows behind",
    engines: super::EVERY_ENGINE,
    needs_data: false,
    page: "",
};

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            code: String,
        }
        let Written { code } = Written::deserialize(deserializer)?;
        let known = super::ALL.iter().map(|r| r.meta).chain([&FATE]).find(|m| m.code == code);
        known.map(Meta::id).ok_or_else(|| de::Error::custom(format!("there is no rule {code}")))
    }
}
