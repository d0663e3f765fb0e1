//! PostgreSQL.

mod dialect;

pub use dialect::DIALECT;
