//! What stands for SQLite in a build without it: an error that says so.

use std::path::Path;

use crate::engine::{EngineError, Reader, Rows, SessionOptions, Writer};
use crate::schema::Schema;

fn not_built() -> EngineError {
    EngineError::not_built("SQLite", "sqlite")
}

/// Says that there is no connection.
///
/// # Errors
/// Always.
pub fn open(_: &Path, _: &SessionOptions) -> Result<Box<dyn Reader>, EngineError> {
    Err(not_built())
}

/// Says that there is no connection.
///
/// # Errors
/// Always.
pub fn open_writer(_: &Path, _: &SessionOptions) -> Result<Box<dyn Writer>, EngineError> {
    Err(not_built())
}

/// A database in memory, of which this build has none.
#[derive(Debug)]
pub enum Memory {}

impl Memory {
    /// Says that there is none.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> Result<Self, EngineError> {
        Err(not_built())
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// None.
    pub fn run(&mut self, _: &str) -> Result<(), EngineError> {
        match *self {}
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// None.
    pub fn query(&mut self, _: &str) -> Result<Rows, EngineError> {
        match *self {}
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// None.
    pub fn inspect(&mut self) -> Result<Schema, EngineError> {
        match *self {}
    }
}
