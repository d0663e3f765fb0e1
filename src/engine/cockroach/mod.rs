//! CockroachDB: a dialect and an inspector of its own on PostgreSQL's session.

mod dialect;
mod inspect;
#[cfg(feature = "postgres")]
mod session;

pub use dialect::DIALECT;
pub use inspect::{Catalog, schema};
#[cfg(feature = "postgres")]
pub(in crate::engine) use session::{inspect, lookup_plan};
