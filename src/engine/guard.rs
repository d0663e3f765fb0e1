//! What every connection does around a statement: tells it, lets it be stopped, and says why it was.

use std::time::{Duration, Instant};

use super::{EngineError, EngineErrorKind};
use crate::job::{Context, Event, Registration, Why};

/// A connection's part in its job.
pub(super) struct Guard {
    context: Context,
    registration: Registration,
    statement_timeout: Option<Duration>,
    until: Option<Instant>,
}

impl Guard {
    /// Registers a connection with its job; `stop` stops the statement that it runs.
    pub(super) fn new(context: &Context, stop: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            context: context.clone(),
            registration: context.cancel.register(stop),
            statement_timeout: context.statement_timeout,
            until: None,
        }
    }

    /// Stops statements at a moment from now on; `None` for never.
    pub(super) fn until(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    /// Sends a statement, unless the job is over.
    pub(super) fn run<T>(&self, sql: &str, send: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
        let now = Instant::now();
        let own = self.statement_timeout.and_then(|limit| now.checked_add(limit));
        let limit = [own, self.until].into_iter().flatten().min();
        if limit.is_some_and(|at| at <= now) {
            return Err(self.stopped(Why::Limit).sql(sql));
        }
        let running = self.registration.start(limit).map_err(|why| self.stopped(why).sql(sql))?;
        self.context.tell(&Event::Statement { sql: sql.trim_end() });
        let result = send();
        let why = running.end();
        match result {
            Err(error) if error.kind == EngineErrorKind::Terminated => Err(match why {
                Some(why) => EngineError { code: error.code, ..self.stopped(why) }.sql(sql),
                None => error,
            }),
            other => other,
        }
    }

    /// Sends a statement even if the job is over: one that ends what another began.
    pub(super) fn finish<T>(&self, sql: &str, send: impl FnOnce() -> T) -> T {
        self.context.tell(&Event::Statement { sql: sql.trim_end() });
        send()
    }

    fn stopped(&self, why: Why) -> EngineError {
        match why {
            Why::Cancelled => EngineError::new(EngineErrorKind::Cancelled, "stopped"),
            Why::Deadline => EngineError::new(EngineErrorKind::Deadline, "the time for the whole job is over"),
            Why::Limit => {
                let own = self.statement_timeout.filter(|_| self.until.is_none_or(|at| at > Instant::now()));
                let message = match own {
                    Some(limit) => format!("the statement ran for longer than {}", shown(limit)),
                    None => "the time for reading is over".to_string(),
                };
                EngineError::new(EngineErrorKind::Timeout, message)
                    .hint("give each statement more time (--statement-timeout), or read less")
            }
        }
    }
}

/// Writes a duration as it is typed: `90s`, `250ms`.
fn shown(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}
