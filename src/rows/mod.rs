//! The rows of a relation, as SQL: which are orphans, which refer to which, which belong to a root row, and a table's rows page by
//! page.
//!
//! The one writer of such predicates. What is counted, shown, guarded and changed is written here, so that all of it means the same
//! rows: by the foreign key's own operator, casts, collation and affinity, by its MATCH, without the rows of tables that inherit, and
//! by periods where the key is temporal. Every function is pure: it writes SQL, and whoever asks runs it.

mod comparison;
mod edges;
pub mod identity;
mod owners;
mod pages;
mod reach;
mod relation;
mod set;
mod table;
#[cfg(test)]
mod tests;

pub use edges::Edges;
pub use owners::{OwnedRows, OwnerPaths};
pub use pages::Pages;
pub use reach::{Followers, NoIdentity, Reach};
pub use relation::{Compared, Referring, RelationRows};
pub use set::{RowSet, source};
pub use table::TableRows;
