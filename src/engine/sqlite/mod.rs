//! SQLite.
//!
//! The feature `sqlite` holds SQLite itself; what is known of the engine without it is always here.

#[cfg(not(feature = "sqlite"))]
mod absent;
#[cfg(feature = "sqlite")]
mod create_text;
mod dialect;
#[cfg(feature = "sqlite")]
mod inspect;
#[cfg(feature = "sqlite")]
mod memory;
mod policies;
#[cfg(feature = "sqlite")]
mod session;
#[cfg(feature = "sqlite")]
mod writer;

#[cfg(not(feature = "sqlite"))]
pub use absent::{Memory, open, open_writer};
pub use dialect::DIALECT;
#[cfg(feature = "sqlite")]
pub use memory::Memory;
#[cfg(feature = "sqlite")]
pub use session::open;
#[cfg(feature = "sqlite")]
pub use writer::open_writer;
