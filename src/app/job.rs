//! Doing a job: its notes are kept where it fails, and it stops where it is told to.

use super::error::Error;
use super::model::Note;
use crate::engine::{EngineError, EngineErrorKind};
use crate::job::{Context, Why};

/// Does a job that takes notes, which are kept where it fails.
pub(super) fn noting<T>(job: impl FnOnce(&mut Vec<Note>) -> Result<T, Error>) -> Result<(T, Vec<Note>), Error> {
    let mut notes = Vec::new();
    match job(&mut notes) {
        Ok(done) => Ok((done, notes)),
        Err(mut error) => {
            notes.append(&mut error.notes);
            Err(Error { notes, ..error })
        }
    }
}

/// Complains if the job was stopped meanwhile.
pub(super) fn check(context: &Context) -> Result<(), EngineError> {
    let kind = match context.cancel.over() {
        None => return Ok(()),
        Some(Why::Cancelled) => EngineErrorKind::Cancelled,
        Some(Why::Deadline | Why::Limit) => EngineErrorKind::Deadline,
    };
    Err(EngineError::new(kind, "the job was stopped"))
}
