//! Row-level security that hides rows of a table from the session that read the catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TableName;

/// What hides rows of a table from a session. Whatever is counted or checked through it may be wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowFilter {
    /// The policies of the table, sorted; without any, every row is hidden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Whether it binds the table's owner, too (`FORCE ROW LEVEL SECURITY`).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub forced: bool,
}

impl RowFilter {
    /// Says which rows are hidden, and by what.
    pub fn what(&self, table: &TableName) -> String {
        let by = match self.policies.as_slice() {
            [] => "enabled without any policy".to_string(),
            [one] => format!("policy {one}"),
            many => format!("policies {}", many.join(", ")),
        };
        format!("row-level security on `{table}` ({by}) hides rows from this role")
    }

    /// Says who sees all rows.
    pub fn remedy(&self) -> &'static str {
        if self.forced {
            "connect as a superuser or a role with BYPASSRLS; FORCE ROW LEVEL SECURITY hides rows from the owner, too"
        } else {
            "connect as the table's owner, a superuser or a role with BYPASSRLS"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_and_those_who_see_all_rows_are_named() {
        let mut filter = RowFilter::default();
        let table = TableName::new("users");
        assert_eq!(
            filter.what(&table),
            "row-level security on `users` (enabled without any policy) hides rows from this role"
        );
        assert!(filter.remedy().contains("owner, a superuser"));
        filter.policies = vec!["own".into(), "staff".into()];
        filter.forced = true;
        assert!(filter.what(&table).contains("(policies own, staff)"));
        assert!(filter.remedy().contains("FORCE"));
    }
}
