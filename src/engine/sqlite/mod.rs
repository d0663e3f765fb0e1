//! SQLite.

mod create_text;
mod dialect;
mod inspect;
mod memory;
mod policies;
mod session;
mod writer;

pub use dialect::DIALECT;
pub use memory::Memory;
pub use session::open;
pub use writer::open_writer;
