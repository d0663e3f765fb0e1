//! SQLite.

mod create_text;
mod dialect;
mod inspect;
mod session;

pub use dialect::DIALECT;
pub use session::open;
