//! What is wrong with a database's relations.

use std::fmt;
use std::time::Duration;

use super::error::{Error, ErrorKind, Wanted};
use super::job::{check, noting};
use super::model::{Note, Selection};
use super::settings::{BUDGET, Hidden};
use crate::audit::{self, Report};
use crate::config::{Config, Date};
use crate::findings::baseline::Baseline;
use crate::job::Context;
use crate::source::Input;

/// What is to be audited, and how.
#[non_exhaustive]
pub struct Request {
    /// What was opened.
    pub input: Input,
    /// What of it is looked at, by which rules.
    pub selection: Selection,
    /// What `referee.toml` says.
    pub config: Config,
    /// The day by which ignores expire; `None` takes none for expired.
    pub today: Option<Date>,
    /// Whether rows are read, to count orphans. Without it the configuration decides.
    pub data: bool,
    /// How long rows may be read to tell guessed relations from chance, where rows are read.
    pub budget: Duration,
    /// Whether the database's planner is asked about every look-up of child rows.
    pub verify_indexes: bool,
    /// Whether what migrations do is judged, too, not only the schema they lead to.
    pub migrations: bool,
    /// Findings that are known and not to be reported, with the name of the file that lists them.
    pub baseline: Option<(String, Baseline)>,
}

impl Request {
    /// Asks for everything that can be told from the schema alone.
    pub fn new(input: Input) -> Self {
        Self {
            input,
            selection: Selection::default(),
            config: Config::default(),
            today: None,
            data: false,
            budget: BUDGET,
            verify_indexes: false,
            migrations: false,
            baseline: None,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("source", &self.input.label).finish_non_exhaustive()
    }
}

/// What an audit came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// What was found.
    pub report: Report,
    /// What is to be heard of the source and the configuration.
    pub notes: Vec<Note>,
    /// Which ignores, policies and entries of the baseline hide or demand nothing (any more).
    pub unused: Vec<Note>,
}

/// Audits a source.
///
/// # Errors
/// What is asked for cannot be done with this source; or what stops the whole audit. A relation whose rows cannot be read is a
/// failure in the report.
pub fn audit(request: Request, context: &Context) -> Result<Response, Error> {
    let (mut response, notes) = noting(|notes| carry_out(request, context, notes))?;
    response.notes = notes;
    Ok(response)
}

fn carry_out(request: Request, context: &Context, notes: &mut Vec<Note>) -> Result<Response, Error> {
    let Request { input, selection, config, today, data, budget, verify_indexes, migrations, baseline } = request;
    if verify_indexes && input.session.is_none() {
        return Err(ErrorKind::NoDatabase { label: input.label, wanted: Wanted::Planner }.into());
    }
    let mut options = selection.options(&config, &input, data, notes)?;
    let mut unused = Vec::new();
    let hidden = Hidden::new(&config, baseline.as_ref(), today, &mut unused);
    options.suppressions.clone_from(&hidden.suppressions);
    (options.budget, options.verify_indexes, options.migrations) = (budget, verify_indexes, migrations);
    let report = audit::audit(input, options, context)?;
    check(context)?;
    hidden.unused(&report, &mut unused);
    Ok(Response { report, notes: Vec::new(), unused })
}
