//! The rows of a relation, as SQL: which are orphans, which refer to which, which belong to a root row, and a table's rows page by
//! page.
//!
//! The one writer of such predicates. What is counted, shown, guarded and changed is written here, so that all of it means the same
//! rows: by the foreign key's own operator, casts, collation and affinity, by its MATCH, without the rows of tables that inherit, and
//! by periods where the key is temporal. Every function is pure: it writes SQL, and whoever asks runs it.

pub mod comparison;
mod owners;
mod pages;
mod reach;
mod relation;
mod set;
#[cfg(test)]
mod tests;

pub use owners::{OwnedRows, OwnerPaths};
pub use pages::Pages;
pub use reach::{NoIdentity, Reach};
pub use relation::{Referring, RelationRows};
pub use set::{RowSet, source};
