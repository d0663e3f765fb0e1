//! The job of this process, and Ctrl-C: it cancels the job, so that no server goes on with a statement after we are gone.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::args::Global;
use super::error::{CliError, INTERRUPTED};
use referee::job::{Context, Event, Why};
use referee::text::visible;

/// How long what runs is given to stop before we leave it behind.
const PATIENCE: Duration = Duration::from_secs(2);

/// What every verb's stages and connections are given, and whether something was changed by now.
#[derive(Clone)]
pub(super) struct Job {
    pub context: Context,
    writes: Arc<AtomicBool>,
    /// What is being read.
    part: Arc<Mutex<Option<String>>>,
    time: Option<Duration>,
}

impl Job {
    /// Makes the job, and begins to count its time.
    pub fn new(global: &Global) -> Self {
        let mut context = if global.verbose { Context::new(Arc::new(echo)) } else { Context::default() };
        context.statement_timeout = global.statement_timeout;
        if let Some(time) = global.max_duration {
            context.cancel.expire_in(time);
        }
        Self { context, writes: Arc::default(), part: Arc::default(), time: global.max_duration }
    }

    /// Says what is being read from here on.
    pub fn reads(&self, what: Option<&str>) {
        *self.part.lock().unwrap_or_else(PoisonError::into_inner) = what.map(str::to_string);
    }

    /// Says that the time of the job is over, and what was being read.
    pub fn late(&self) -> String {
        let time = self.time.map_or_else(String::new, |time| format!(" of {time:?}"));
        let part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = part.as_ref().map_or_else(String::new, |what| format!(", at {what}"));
        format!("the time{time} for the whole job is over (--max-duration){reading}")
    }

    /// Says what to do where the time was too short.
    pub fn more_time(&self) -> &'static str {
        if self.writes.load(Ordering::SeqCst) {
            "the steps that are done stay done: run the same command with more time to go on"
        } else {
            "nothing was changed; give it more time, or less to read (--table, no --data)"
        }
    }

    /// Listens to Ctrl-C from here on.
    pub fn listen(&self) {
        let job = self.clone();
        // Fails if somebody listens already, or the system has no more threads: Ctrl-C then kills us as it kills any program.
        let _ = ctrlc::set_handler(move || job.stop());
    }

    /// Says that the database is being changed from here on: being interrupted then is no longer without trace.
    pub fn writes(&self) {
        self.writes.store(true, Ordering::SeqCst);
    }

    /// Says what an interruption left behind.
    pub fn left(&self) -> &'static str {
        if self.writes.load(Ordering::SeqCst) {
            "interrupted; the steps that are done stay done: run the same command to go on"
        } else {
            "interrupted; nothing was changed"
        }
    }

    /// Tells a stopped run from one that ended.
    pub fn check(&self) -> Result<(), CliError> {
        match self.context.cancel.over() {
            None => Ok(()),
            Some(Why::Cancelled) => Err(CliError::Interrupted),
            Some(Why::Deadline | Why::Limit) => Err(CliError::OutOfTime),
        }
    }

    #[allow(clippy::exit, reason = "the last resort, when the statement does not stop")]
    fn stop(&self) {
        self.context.cancel.cancel();
        // The main thread ends the process as soon as it hears of it.
        std::thread::sleep(PATIENCE);
        let _ = std::io::stderr().write_all(format!("error: {}\n", self.left()).as_bytes());
        std::process::exit(INTERRUPTED.into());
    }
}

/// Prints every statement before it is sent.
fn echo(event: &Event<'_>) {
    if let Event::Statement { sql } = event {
        let _ = writeln!(std::io::stderr().lock(), "{};", visible(sql.trim_end().trim_end_matches(';')));
    }
}
