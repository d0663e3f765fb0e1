//! CockroachDB: a dialect and an inspector of its own on PostgreSQL's session.

mod dialect;

pub use dialect::DIALECT;
