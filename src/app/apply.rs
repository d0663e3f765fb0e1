//! Carrying a plan out: it is made and approved, run step by step, and checked against the database afterwards.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::{Error, ErrorKind, Stopped, Wanted};
use super::fix::{self, fix};
use super::job::check;
use super::model::Note;
use super::open::open;
use super::verify;
use crate::apply::{self, ApplyError, Journal, Outcome, Unfinished};
use crate::config::RelationEntry;
use crate::engine::{Connector, LockHolder, SessionOptions, Writer};
use crate::job::{Context, Event, Events};
use crate::plan::{Blocks, Plan, Step};
use crate::source::Source;
use crate::verify::Verification;

/// What is to be carried out, where, and who approves it.
#[non_exhaustive]
pub struct Request<'a> {
    /// The database.
    pub source: Source,
    /// What its connections are opened with.
    pub session: SessionOptions,
    /// What the plan goes by.
    pub options: fix::Options,
    /// How the run goes about locks. Its `lock_timeout` is that of `options`.
    pub retries: u32,
    /// The file that the run is recorded in, so that it can be taken up where it was cut off, and undone.
    pub journal: PathBuf,
    /// What the plan is asked for, as options and values. It is recorded: a run that was cut off is only taken up by whoever asks
    /// for the same.
    pub asked: Vec<(String, String)>,
    /// Whether a run that was cut off is given up, and a new plan is made.
    pub new_plan: bool,
    /// Who is asked before anything is changed.
    pub approver: &'a mut dyn Approver,
}

impl<'a> Request<'a> {
    /// Asks for everything that can be fixed without a decision.
    pub fn new(source: Source, journal: impl Into<PathBuf>, approver: &'a mut dyn Approver) -> Self {
        Self {
            source,
            session: SessionOptions::default(),
            options: fix::Options::default(),
            retries: apply::Options::default().retries,
            journal: journal.into(),
            asked: Vec::new(),
            new_plan: false,
            approver,
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("source", &self.source.label()).finish_non_exhaustive()
    }
}

/// Says whether a plan is carried out.
pub trait Approver {
    /// Is shown what would be done, and tells whether to do it. It is shown a plan without steps, too: then there is nothing to
    /// approve, and the answer does not matter.
    fn approve(&mut self, proposal: &Proposal<'_>) -> bool;

    /// Is told that the run is recorded and changes the database from here on; tells whether to go on. What the plan rests on
    /// ([`fix::Response::accepted`]) has to be written down by now.
    fn begin(&mut self, _proposal: &Proposal<'_>) -> bool {
        true
    }
}

impl<F: FnMut(&Proposal<'_>) -> bool> Approver for F {
    fn approve(&mut self, proposal: &Proposal<'_>) -> bool {
        self(proposal)
    }
}

/// What would be done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Proposal<'a> {
    /// The whole plan.
    pub plan: &'a Plan,
    /// What it was made from; `None` for the plan of a run that is taken up.
    pub made: Option<&'a fix::Response>,
    /// The run that is taken up, if one is: its steps that are done are not done again.
    pub taken_up: Option<&'a Unfinished>,
    /// Whether this user's sessions only read by default, which the run overrides.
    pub read_only: bool,
    /// What is to be heard of the source and the plan.
    pub notes: &'a [Note],
}

impl Proposal<'_> {
    /// Returns the plan without the steps that a run which is taken up has done.
    pub fn to_come(&self) -> Plan {
        let mut left = self.plan.clone();
        if let Some(run) = self.taken_up {
            left.steps.retain(|step| !run.done.contains(&step.id));
        }
        left
    }
}

/// What came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The plan.
    pub plan: Plan,
    /// What it was made from; `None` for the plan of a run that was taken up.
    pub made: Option<fix::Response>,
    /// How it ended.
    pub ending: Ending,
}

/// How it ended.
#[derive(Debug)]
pub enum Ending {
    /// The plan has no steps: nothing was changed.
    NothingToDo,
    /// It was not approved: nothing was changed.
    Declined,
    /// All steps are done.
    Done {
        /// How many were done by this run, and how many before.
        outcome: Outcome,
        /// What the database shows of it; or why it could not be asked.
        verification: Box<Result<Verification, Error>>,
    },
}

/// Makes a plan, or takes up the one of a run that was cut off; has it approved, carries it out and verifies it.
///
/// # Errors
/// What is asked for cannot be planned; the journal holds a run that is not to be gone on with; the run stopped.
pub fn apply(request: Request<'_>, context: &Context) -> Result<Response, Error> {
    let label = request.source.label();
    let no_database = || ErrorKind::NoDatabase { label, wanted: Wanted::Run };
    let connector = request.source.connector(&request.session)?.ok_or_else(no_database)?;
    Run { request, connector, context }.carry_out()
}

/// A run.
struct Run<'a, 'c> {
    request: Request<'a>,
    connector: Connector,
    context: &'c Context,
}

impl Run<'_, '_> {
    fn carry_out(self) -> Result<Response, Error> {
        let read_only = self.connector.check_writer()?;
        let path = self.request.journal.clone();
        // Looking at a plan leaves nothing behind: a journal is made only once there is something to write into it.
        let recorded = if path.exists() { Some(Journal::open(&path)?) } else { None };
        let (mut journal, unfinished) = recorded.map_or((None, None), |(journal, run)| (Some(journal), run));
        if path.exists() {
            no_undo_is_open(&path)?;
        }
        let given_up = unfinished.as_ref().filter(|_| self.request.new_plan).map(|run| run.database.clone());
        let taken_up = unfinished.filter(|_| !self.request.new_plan);
        let mut notes = Vec::new();
        let (plan, made) = match &taken_up {
            Some(run) => {
                self.is_asked_alike(run)?;
                (run.plan.clone(), None)
            }
            None => {
                let mut made = self.plan(&mut notes)?;
                notes.append(&mut made.notes);
                (made.plan.clone(), Some(made))
            }
        };
        let proposal =
            Proposal { plan: &plan, made: made.as_ref(), taken_up: taken_up.as_ref(), read_only, notes: &notes };
        let approved = self.request.approver.approve(&proposal);
        check(self.context)?;
        if plan.steps.is_empty() {
            if let Some(journal) = journal.as_mut().filter(|_| given_up.is_some()) {
                journal.abandon()?;
            }
            return Ok(Response { plan, made, ending: Ending::NothingToDo });
        }
        if !approved {
            return Ok(Response { plan, made, ending: Ending::Declined });
        }
        let mut journal = match journal {
            Some(journal) => journal,
            None => match Journal::open(&path)? {
                (journal, None) => journal,
                (_, Some(_)) => return Err(ErrorKind::RunBegan { journal: path }.into()),
            },
        };
        let mut writer = self.connector.writer()?;
        let dialect = writer.dialect();
        let here = apply::identity(dialect, &mut |sql| writer.query(sql))?;
        // Asked of the writer: a SQLite file may have to be rolled back first, which a reader may not do.
        let begun = taken_up.as_ref().map(|run| run.database.clone()).or(given_up);
        if let Some(database) = begun {
            same_database(database.as_deref(), here.as_deref(), &path)?;
        }
        if taken_up.is_none() {
            // An older run that did not come to its end is given up by the new one.
            journal.begin_in(here, &plan, &self.request.asked)?;
        }
        if !self.request.approver.begin(&proposal) {
            return Ok(Response { plan, made, ending: Ending::Declined });
        }
        // What the plan is not about must not be taken for its work. What a run that is taken up has found is not known any more.
        let before = match &taken_up {
            None => crate::verify::before(&plan, &mut |sql| writer.query(sql))?,
            Some(_) => Vec::new(),
        };
        let outcome = self.run(&mut *writer, &plan, &mut journal)?;
        drop(writer);
        let verification = self.verify(&plan, made.as_ref()).map(|mut verification| {
            verification.compare_rows(&before);
            verification
        });
        Ok(Response { plan, made, ending: Ending::Done { outcome, verification: Box::new(verification) } })
    }

    /// Makes a new plan.
    fn plan(&self, notes: &mut Vec<Note>) -> Result<fix::Response, Error> {
        let (input, read) = open(&self.request.source, &self.request.session)?;
        check(self.context)?;
        notes.extend(read);
        let mut request = fix::Request::new(input);
        request.options = self.request.options.clone();
        fix(request, self.context).map_err(|mut error| {
            error.notes.splice(0..0, notes.drain(..));
            error
        })
    }

    /// Refuses to go on with a run for somebody who asks for something else by now: its plan stays as it is.
    fn is_asked_alike(&self, run: &Unfinished) -> Result<(), Error> {
        let now = &self.request.asked;
        let Some(then) = run.asked.as_ref().filter(|then| *then != now) else { return Ok(()) };
        Err(ErrorKind::OtherOptions {
            journal: self.request.journal.clone(),
            then: then.clone(),
            now: now.clone(),
            done: run.done.len(),
            steps: run.plan.steps.len(),
        }
        .into())
    }

    fn run(&self, writer: &mut dyn Writer, plan: &Plan, journal: &mut Journal) -> Result<Outcome, Error> {
        let (lock_timeout, retries) = (self.request.options.lock_timeout, self.request.retries);
        let options = apply::Options { lock_timeout, retries, ..apply::Options::default() };
        let (at, context) = At::told_to(self.context);
        apply::apply(writer, plan, &options, journal, &context).map_err(|error| {
            let step = at.step();
            // Asked at once: who holds the lock may be gone in a moment.
            let holders = holders(&self.connector, plan.steps.get(step), &error);
            ErrorKind::Stopped(Box::new(Stopped { error, step, holders })).into()
        })
    }

    /// Holds the database against the plan, read again.
    fn verify(&self, plan: &Plan, made: Option<&fix::Response>) -> Result<Verification, Error> {
        let (input, _) = open(&self.request.source, &self.request.session)?;
        let options = &self.request.options;
        let mut request = verify::Request::new(input, plan);
        request.selection = options.selection.clone();
        request.config = options.config.clone();
        // What was accepted by this run is written there now.
        request.config.relations.extend(made.iter().flat_map(|made| &made.accepted).map(|relation| RelationEntry {
            relation: relation.clone(),
            span: 0..0,
            child: 0..0,
            parent: 0..0,
        }));
        request.root.clone_from(&options.root);
        verify::verify(request, self.context).map(|response| response.verification)
    }
}

/// Knows the step that a run is at, and tells on what happens.
pub(super) struct At {
    step: AtomicUsize,
    events: Option<Arc<dyn Events>>,
}

impl At {
    pub(super) fn told_to(context: &Context) -> (Arc<Self>, Context) {
        let at = Arc::new(Self { step: AtomicUsize::new(0), events: context.events.clone() });
        let told: Arc<dyn Events> = at.clone();
        (at, context.told_to(told))
    }

    pub(super) fn step(&self) -> usize {
        self.step.load(Ordering::SeqCst)
    }
}

impl Events for At {
    fn event(&self, event: &Event<'_>) {
        if let Event::Starts { step } = event {
            self.step.store(*step, Ordering::SeqCst);
        }
        if let Some(events) = &self.events {
            events.event(event);
        }
    }
}

/// Refuses a run while an undo has stopped halfway: what is left of it is known by the record that the run would take the place of.
fn no_undo_is_open(path: &Path) -> Result<(), Error> {
    let runs = Journal::runs(path)?;
    let Some(run) = runs.iter().find(|run| run.undoing) else { return Ok(()) };
    Err(ErrorKind::UndoOpen { journal: path.to_path_buf(), left: run.left().count() }.into())
}

/// Refuses to go on with, or to give up, a run that was begun in another database.
fn same_database(recorded: Option<&str>, here: Option<&str>, path: &Path) -> Result<(), Error> {
    if apply::is_same(recorded, here) {
        return Ok(());
    }
    let file = recorded.and_then(apply::file).map(Path::to_path_buf);
    Err(ErrorKind::OtherRun { journal: path.to_path_buf(), file, known: here.is_some() }.into())
}

/// Finds the sessions that hold locks on the tables of a step that got none.
fn holders(connector: &Connector, step: Option<&Step>, error: &ApplyError) -> Vec<LockHolder> {
    let ApplyError::Step { error, .. } = error else { return Vec::new() };
    let Some(step) = step.filter(|_| error.code.as_deref() == Some("55P03")) else { return Vec::new() };
    let tables: Vec<_> = step.locks.iter().map(|l| l.table.clone()).collect();
    let reads = step.locks.iter().all(|l| l.blocks < Blocks::Everything);
    // It only helps: what cannot be asked is left out.
    let reader = connector.beside().ok().flatten();
    reader.and_then(|mut reader| reader.lock_holders(&tables, reads).ok()).unwrap_or_default()
}
