//! What tables and columns are by their names: records that must outlive what they tell of, reference data, actors.
//!
//! Used to lean to what destroys nothing: a word here speaks against CASCADE, never for it.

use super::words::{singular, split};
use crate::schema::TableName;

/// Nouns of tables that others only look up.
const REFERENCE: &[&str] = &[
    "product",
    "plan",
    "price",
    "category",
    "country",
    "currency",
    "language",
    "locale",
    "state",
    "region",
    "city",
    "status",
    "type",
    "kind",
    "role",
    "permission",
    "tier",
    "unit",
    "tax",
    "rate",
    "brand",
    "sku",
    "color",
    "size",
    "tag",
    "timezone",
    "genre",
    "article",
    "service",
    "supplier",
    "warehouse",
    "store",
];

/// Words of tables whose rows must outlive what they tell of, because money or the law asks for them.
const RECORDS: &[&str] = &[
    "invoice",
    "payment",
    "payout",
    "refund",
    "receipt",
    "order",
    "contract",
    "transaction",
    "charge",
    "bill",
    "billing",
    "log",
    "purchase",
    "sale",
    "settlement",
    "donation",
    "deposit",
    "withdrawal",
    "dispute",
    "consent",
    "payroll",
    "accounting",
    "statement",
];

/// Words of tables that exist to outlive everything else.
const TRAILS: &[&str] = &[
    "audit",
    "ledger",
    "history",
    "journal",
    "archive",
    "archived",
    "trail",
    // What is left of rows that were deleted.
    "tombstone",
    "deleted",
    "deletion",
    "removed",
    "removal",
    "purged",
    "trash",
    "trashed",
    "graveyard",
];

/// Words of columns that name who did something, not what the row belongs to.
const ACTORS: &[&str] =
    &["by", "author", "creator", "editor", "approver", "reviewer", "operator", "assignee", "manager"];

/// Tells whether a column's name says who did something: `created_by`, `author_id`.
pub fn names_actor(column: &str) -> bool {
    split(column).iter().any(|w| ACTORS.contains(&w.as_str()))
}

/// Tells whether a table's name says that others only look it up: `products`, `order_statuses`.
pub fn is_reference_data(table: &TableName) -> bool {
    split(&table.name).last().is_some_and(|w| REFERENCE.contains(&singular(w).as_str()))
}

/// Tells whether a table's name says that its rows exist to outlive everything else: `audit_logs`, `price_history`.
pub fn is_trail(table: &TableName) -> bool {
    has_word(table, TRAILS)
}

/// Tells whether a table's name says that its rows tell of something and must outlive it: `invoices`, `wallet_transactions`.
pub fn is_record(table: &TableName) -> bool {
    is_trail(table) || has_word(table, RECORDS)
}

fn has_word(table: &TableName, words: &[&str]) -> bool {
    split(&table.name).iter().any(|w| words.contains(&singular(w).as_str()) || words.contains(&w.as_str()))
}

/// Tells whether a child is named after its parent, or after the same thing: `wallet_transactions` of `wallets`,
/// `config_files` of `config_sets`.
pub fn is_part_of(child: &TableName, parent: &TableName) -> bool {
    let (child, parent) = (split(&child.name), split(&parent.name));
    let noun = parent.last().map(|w| singular(w)).unwrap_or_default();
    let first = child.first().map(|w| singular(w)).unwrap_or_default();
    let shared = parent.len() > 1 && parent.first().map(|w| singular(w)).as_ref() == Some(&first);
    child.len() > 1 && (first == noun || shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_records_and_parts() {
        for record in ["invoices", "wallet_transactions", "auditLogs", "analysis_activity_logs", "price_history"] {
            assert!(is_record(&record.into()), "{record}");
        }
        for other in ["notes", "catalogs", "sessions", "blog_posts", "borders"] {
            assert!(!is_record(&other.into()), "{other}");
        }
        for tombstones in
            ["deleted_users", "archivedOrders", "removed_posts", "user_deletions", "tombstones", "post_trash"]
        {
            assert!(is_trail(&tombstones.into()), "{tombstones}");
        }
        assert!(is_trail(&"audit_logs".into()) && !is_trail(&"activity_logs".into()));
        for (child, parent) in [("wallet_transactions", "wallets"), ("config_activity_logs", "config_sets")] {
            assert!(is_part_of(&child.into(), &parent.into()), "{child}");
        }
        assert!(!is_part_of(&"audit_logs".into(), &"users".into()));
        assert!(!is_part_of(&"users".into(), &"users".into()));
    }
}
