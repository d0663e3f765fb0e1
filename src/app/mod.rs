//! The jobs of referee, one function each: what a verb of the command line does, for another Rust program.
//!
//! Each job has a `Request`, made with what it needs and filled in with what else is to be said, and a `Response`. [`open`] reads
//! a source for them. Nothing here prints, asks a terminal, or reads the environment or the clock: what a person should hear
//! comes back as [`Note`]s, what went wrong as an [`Error`] with what to do about it.

pub mod apply;
pub mod audit;
mod choose;
mod error;
pub mod fate;
pub mod fix;
pub mod infer;
mod job;
pub mod lint;
mod model;
mod open;
mod settings;
pub mod verify;

pub use apply::apply;
pub use audit::audit;
pub use error::{Error, ErrorKind, Stopped, Wanted};
pub use fate::fate;
pub use fix::fix;
pub use infer::infer;
pub use lint::lint;
pub use model::{Note, Selection};
pub use open::open;
pub use settings::table;
pub use verify::verify;
