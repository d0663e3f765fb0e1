//! CockroachDB: a dialect and an inspector of its own on PostgreSQL's session.

mod dialect;
mod inspect;

pub use dialect::DIALECT;
pub use inspect::{Catalog, schema};
pub(in crate::engine) use inspect::{inspect, lookup_plan};
