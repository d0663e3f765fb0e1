//! What stands for the connection in a build that has none: an error that says so.

use super::Target;
use crate::engine::{EngineError, Reader, SessionOptions, Writer};

const ENGINES: &str = "PostgreSQL or CockroachDB";

/// Says that there is no connection.
///
/// # Errors
/// Always.
pub fn open(_: &Target, _: &SessionOptions) -> Result<Box<dyn Reader>, EngineError> {
    Err(EngineError::not_built(ENGINES, "postgres"))
}

/// Says that there is no connection.
///
/// # Errors
/// Always.
pub fn open_writer(_: &Target, _: &SessionOptions) -> Result<Box<dyn Writer>, EngineError> {
    Err(EngineError::not_built(ENGINES, "postgres"))
}
