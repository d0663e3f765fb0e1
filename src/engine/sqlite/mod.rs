//! SQLite.

mod create_text;
mod dialect;
mod inspect;
mod session;
mod writer;

pub use dialect::DIALECT;
pub use session::open;
pub use writer::open_writer;
