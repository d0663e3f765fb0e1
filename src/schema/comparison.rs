//! How a foreign key's check compares its columns, as far as a plain `=` does not say it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What only a server's catalog says. It is no part of what is compared: a schema that was read from files, which cannot
/// know it, equals the inspected one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CatalogOnly<T>(pub T);

impl<T> PartialEq for CatalogOnly<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for CatalogOnly<T> {}

impl<T: Default + PartialEq> CatalogOnly<T> {
    pub(super) fn is_unknown(&self) -> bool {
        self.0 == T::default()
    }
}

/// How a parent's column and a child's are compared.
///
/// Without any of these it is a plain `=`, which on columns of these types means the same on every search path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The operator with its schema: `extensions.=`; `None` for the system's `=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The type that the parent's value is cast to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_cast: Option<String>,
    /// The type that the child's value is cast to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_cast: Option<String>,
    /// The collation, where the two columns have different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}

impl Comparison {
    /// Compares by an operator, without casts.
    pub fn by(operator: Option<String>) -> Self {
        Self { operator, ..Self::default() }
    }

    /// Writes the comparison of a parent's value and a child's.
    pub fn sql(&self, parent: &str, child: &str) -> String {
        let cast = |to: &Option<String>| to.as_ref().map_or_else(String::new, |t| format!("::{t}"));
        let operator = self.operator.as_ref().map_or_else(|| "=".to_string(), |o| format!("OPERATOR({o})"));
        let collation = self.collation.as_ref().map_or_else(String::new, |c| format!(" COLLATE {c}"));
        format!("{parent}{} {operator} {child}{}{collation}", cast(&self.parent_cast), cast(&self.child_cast))
    }

    /// Writes the comparison of a child's value and a parameter that stands for a parent's.
    pub fn with_value(&self, child: &str, value: &str) -> String {
        if *self == Self::default() { format!("{child} = {value}") } else { self.sql(value, child) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_a_plain_comparison_is_written() {
        assert_eq!(Comparison::default().sql("p.id", "c.a"), "p.id = c.a");
        let full = Comparison {
            operator: Some("extensions.=".into()),
            parent_cast: None,
            child_cast: Some("extensions.citext".into()),
            collation: Some("pg_catalog.\"C\"".into()),
        };
        assert_eq!(
            full.sql("p.id", "c.a"),
            "p.id OPERATOR(extensions.=) c.a::extensions.citext COLLATE pg_catalog.\"C\""
        );
    }

    #[test]
    fn what_only_a_catalog_says_makes_no_difference() {
        assert_eq!(CatalogOnly(Some("extensions.=")), CatalogOnly(None));
    }
}
