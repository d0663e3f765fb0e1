//! A plan becomes files that a migration tool runs: in its folder, by its names, with its marks.
//!
//! Pure: what the folder holds is handed in, what is to be written comes out. One table of tools; what a tool does not allow
//! (statements outside of a transaction, a way back) is either left to a script that is run by hand before, or said.

mod atlas;
mod drizzle;
mod files;
mod json;
mod marks;
mod model;
mod numbers;
mod snapshot;
mod text;
mod tools;
mod units;

use crate::plan::{Plan, Step};
use crate::schema::Engine;

pub use model::{Folder, MigrationError, Options, Output, OutputFile};
pub use tools::{TOOLS, Tool, find};

/// Returns the line that has the engine's own client (psql, sqlite3) stop at the first error; `None` where it does so by itself.
pub fn stops_at_errors(engine: Engine) -> Option<&'static str> {
    files::stops_at_errors(engine)
}

/// Says what must not be done with a script; `None` where nothing has to be said.
pub fn not_to_be_pasted(engine: Engine) -> Option<&'static str> {
    files::not_to_be_pasted(engine)
}

/// Writes one step of a plan for the engine's own client (psql, sqlite3): comments that say what and why, checks that stop it,
/// the statements.
pub fn script(plan: &Plan, step: &Step) -> String {
    files::by_client(plan, vec![step], text::up)
}

/// Writes a plan for a tool.
///
/// # Errors
/// The plan is empty; a file that is needed (a journal) cannot be read; a file would be written over; the tool's transaction
/// rules the change out; a statement holds what the tool takes for a mark of its own.
pub fn write(plan: &Plan, tool: &'static Tool, folder: &Folder, options: &Options) -> Result<Output, MigrationError> {
    if plan.steps.is_empty() {
        return Err(MigrationError::Nothing);
    }
    let output = files::write(plan, tool, folder, options)?;
    let taken = output.files.iter().find(|f| !f.replaces && folder.files.contains_key(&f.path));
    taken.map_or(Ok(()), |f| Err(MigrationError::Exists { path: f.path.clone() }))?;
    Ok(output)
}
