//! One job: what stops it, and who is told what it does.
//!
//! A [`Context`] is made once for each job (a verb of the command line, a request of a server) and handed to every stage and every
//! connection of it. Nothing here is global: two jobs of one process are told and stopped apart. It uses no other room.

mod cancel;
mod event;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use cancel::{Cancel, Registration, Running, Why};
pub use event::{Event, Events};

/// What every stage of one job is given. Clones share the job.
#[derive(Clone, Default)]
pub struct Context {
    /// What stops the job.
    pub cancel: Cancel,
    /// How long one statement may run; `None` for as long as it needs.
    pub statement_timeout: Option<Duration>,
    /// Who is told; `None` for nobody.
    pub events: Option<Arc<dyn Events>>,
}

impl Context {
    /// Makes the context of a job that tells what it does.
    pub fn new(events: Arc<dyn Events>) -> Self {
        Self { events: Some(events), ..Self::default() }
    }

    /// Returns the same job, told to somebody else.
    #[must_use]
    pub fn told_to(&self, events: Arc<dyn Events>) -> Self {
        Self { events: Some(events), ..self.clone() }
    }

    /// Returns the same job, told to nobody: it is stopped with the other, and says nothing.
    #[must_use]
    pub fn silent(&self) -> Self {
        Self { events: None, ..self.clone() }
    }

    /// Tells one thing that happens.
    pub fn tell(&self, event: &Event<'_>) {
        if let Some(events) = &self.events {
            events.event(event);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("cancel", &self.cancel)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}
