//! Database URLs: what every source needs of them. How PostgreSQL's are read is that engine's matter.

pub use crate::engine::postgres::{UrlError, redact};
