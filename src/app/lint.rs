//! What is wrong with migrations, at the lines that cause it; and the next migration, which fixes what a new one can.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::choose;
use super::error::Error;
use super::fix::{accepted, definitions_of_files, input_of};
use super::job::{check, noting};
use super::model::{Note, Selection};
use super::settings::Hidden;
use crate::audit::{self, Guesses, Report};
use crate::config::{Config, Date};
use crate::findings::baseline::Baseline;
use crate::job::Context;
use crate::plan::{self, Plan};
use crate::relations::ConfiguredRelation;
use crate::source::Input;

/// What is to be linted, and how.
#[non_exhaustive]
pub struct Request {
    /// The migrations, as they were opened.
    pub input: Input,
    /// An older state of them: only what is new since is reported.
    pub older: Option<Input>,
    /// What of them is looked at, by which rules.
    pub selection: Selection,
    /// What `referee.toml` says.
    pub config: Config,
    /// The day by which ignores expire; `None` takes none for expired.
    pub today: Option<Date>,
    /// Findings that are known and not to be reported, with the name of the file that lists them.
    pub baseline: Option<(String, Baseline)>,
    /// Asks for the plan of the next migration, too.
    pub fix: Option<Fix>,
}

impl Request {
    /// Asks for everything that is wrong.
    pub fn new(input: Input) -> Self {
        Self {
            input,
            older: None,
            selection: Selection::default(),
            config: Config::default(),
            today: None,
            baseline: None,
            fix: None,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("source", &self.input.label).finish_non_exhaustive()
    }
}

/// What the next migration goes by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fix {
    /// Where there is a choice: the finding's place (or its constraint or rule) and the word of the option.
    pub choose: Vec<(String, String)>,
    /// Guessed relations that are at least so sure (0 to 1) count as accepted.
    pub accept_inferred: Option<f64>,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
}

impl Default for Fix {
    fn default() -> Self {
        Self { choose: Vec::new(), accept_inferred: None, lock_timeout: Duration::from_secs(2) }
    }
}

/// What linting came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// What is wrong with the schema that the migrations lead to, and with what each of them does on the way.
    pub report: Report,
    /// The plan of the next migration, where it was asked for.
    pub next: Option<Next>,
    /// What is to be heard of the configuration.
    pub notes: Vec<Note>,
    /// Which ignores, policies and entries of the baseline hide or demand nothing (any more).
    pub unused: Vec<Note>,
}

/// The next migration, not yet written.
#[derive(Debug)]
#[non_exhaustive]
pub struct Next {
    /// What it does.
    pub plan: Plan,
    /// What is wrong with the schema alone: what the plan is made from.
    pub report: Report,
    /// The guesses that count as accepted and that the plan makes keys of. Whoever writes it has to write them into
    /// `referee.toml`, too: else the keys would be taken for declared ones, and one guess would bear out the next.
    pub accepted: Vec<ConfiguredRelation>,
}

/// Lints migrations.
///
/// # Errors
/// What is asked for cannot be done with these files.
pub fn lint(request: Request, context: &Context) -> Result<Response, Error> {
    let (mut response, notes) = noting(|notes| request.carry_out(context, notes))?;
    response.notes = notes;
    Ok(response)
}

impl Request {
    fn carry_out(mut self, context: &Context, notes: &mut Vec<Note>) -> Result<Response, Error> {
        let older = self.older.take();
        let mut unused = Vec::new();
        let (mut muted, mut idle) = (Vec::new(), Vec::new());
        let next = match &self.fix {
            Some(fix) => {
                let guesses = Guesses::SetAside { accept: fix.accept_inferred };
                let known = older.as_ref().map(|old| self.judge(old, Some(guesses), context, &mut muted, &mut idle));
                let report = self.judge(&self.input, Some(guesses), context, notes, &mut unused)?;
                Some(self.next(fix, new(report, known.transpose()?.as_ref()))?)
            }
            None => None,
        };
        let known = older.as_ref().map(|old| self.judge(old, None, context, &mut muted, &mut idle)).transpose()?;
        // What there is to hear was noted, where the schema was judged already.
        let heard = self.fix.is_some();
        let (notes, unheard) = if heard { (&mut muted, &mut idle) } else { (notes, &mut unused) };
        let report = new(self.judge(&self.input, None, context, notes, unheard)?, known.as_ref());
        Ok(Response { report, next, notes: Vec::new(), unused })
    }

    /// Judges a state: the schema alone, where guesses are to be dealt with in a way; else what the migrations do, too.
    fn judge(
        &self,
        input: &Input,
        alone: Option<Guesses>,
        context: &Context,
        notes: &mut Vec<Note>,
        unused: &mut Vec<Note>,
    ) -> Result<Report, Error> {
        let mut config = self.config.clone();
        // Rows are nothing that files could have.
        config.audit.data = None;
        let mut options = self.selection.options(&config, input, false, notes)?;
        options.migrations = alone.is_none();
        options.guesses = alone.unwrap_or_default();
        let hidden = Hidden::new(&self.config, self.baseline.as_ref(), self.today, unused);
        options.suppressions.clone_from(&hidden.suppressions);
        let input = Input {
            label: input.label.clone(),
            schema: input.schema.clone(),
            session: None,
            history: input.history.clone(),
            hints: input.hints.clone(),
        };
        let report = audit::audit(input, options, context)?;
        check(context)?;
        hidden.unused(&report, unused);
        Ok(report)
    }

    /// Plans the next migration.
    fn next(&self, fix: &Fix, report: Report) -> Result<Next, Error> {
        let definitions = definitions_of_files(report.schema.engine, &report.history, &report.source)?;
        let options = plan::Options {
            choose: fix.choose.clone(),
            lock_timeout: u64::try_from(fix.lock_timeout.as_millis()).unwrap_or(u64::MAX),
            ..plan::Options::default()
        };
        let settings = self.selection.settings(&self.config);
        let input = input_of(&report, &settings, definitions.as_ref(), &options);
        let mut plan = plan::plan(&input);
        plan.guessed.clone_from(&report.guesses.guesses);
        choose::every_one_is_used(&plan, &input)?;
        let accepted = accepted(&plan, &report);
        Ok(Next { plan, report, accepted })
    }
}

/// Leaves out what an older state has, too. The states are replayed and compared, not the lines.
fn new(mut report: Report, older: Option<&Report>) -> Report {
    let mut known = BTreeMap::<&str, usize>::new();
    for finding in older.iter().flat_map(|r| &r.findings) {
        *known.entry(&finding.fingerprint).or_default() += 1;
    }
    report.findings.retain(|finding| match known.get_mut(finding.fingerprint.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    report
}
