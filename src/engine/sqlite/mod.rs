//! SQLite.

mod dialect;

pub use dialect::DIALECT;
