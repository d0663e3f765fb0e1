//! Stopping a job: one token, and the statements that run under it.
//!
//! Each connection registers how its running statement is stopped. A request to stop may reach an engine before the statement it
//! is meant for, and is then lost: so it is made again and again until that statement has ended, and never between statements.
//! One thread does that, and counts down time limits. It is started when there is something to wait for, and ends with the last
//! connection.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long the engine is given to stop a statement before it is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a statement was stopped, or is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Somebody cancelled the job.
    Cancelled,
    /// The time of the whole job is over.
    Deadline,
    /// The time of this statement is over; the job goes on.
    Limit,
}

/// Stops a job from another thread. Clones are the same token.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    cancelled: bool,
    deadline: Option<Instant>,
    sessions: BTreeMap<u64, Session>,
    next: u64,
    /// Whether the thread is there.
    watched: bool,
    /// When the thread wakes by itself; `None` if it has nothing to wait for.
    wakes: Option<Instant>,
}

struct Session {
    stop: Stop,
    /// Whether it is being called.
    stopping: bool,
    statement: Option<Statement>,
}

/// What stops a statement that runs.
type Stop = Arc<dyn Fn() + Send + Sync>;

/// A statement that runs.
struct Statement {
    limit: Option<Instant>,
    stopped: Option<Why>,
    asked: Option<Instant>,
}

impl State {
    /// Tells whether the job is over, and why.
    fn over(&self) -> Option<Why> {
        if self.cancelled {
            return Some(Why::Cancelled);
        }
        self.deadline.filter(|at| *at <= Instant::now()).map(|_| Why::Deadline)
    }

    /// Returns what has to be called now, and when to look again.
    fn due(&mut self) -> (Vec<(u64, Stop)>, Option<Instant>) {
        let (over, now) = (self.over(), Instant::now());
        let deadline = self.deadline;
        let (mut calls, mut next) = (Vec::new(), None::<Instant>);
        for (number, session) in &mut self.sessions {
            let Some(statement) = &mut session.statement else { continue };
            let why = over.or_else(|| statement.limit.filter(|at| *at <= now).map(|_| Why::Limit));
            let again = match why {
                Some(why) => {
                    statement.stopped.get_or_insert(why);
                    let again = statement.asked.map_or(now, |asked| asked + PAUSE);
                    if again <= now {
                        statement.asked = Some(now);
                        session.stopping = true;
                        calls.push((*number, Arc::clone(&session.stop)));
                        Some(now + PAUSE)
                    } else {
                        Some(again)
                    }
                }
                None => [statement.limit, deadline].into_iter().flatten().min(),
            };
            next = [next, again].into_iter().flatten().min();
        }
        (calls, next)
    }
}

impl Cancel {
    /// Makes a token that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the job: what runs is stopped, and nothing more is begun. Returns at once.
    pub fn cancel(&self) {
        let mut state = self.0.lock();
        state.cancelled = true;
        self.watch(&mut state);
        self.0.changed.notify_all();
    }

    /// Tells whether somebody cancelled the job.
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }

    /// Gives the job so long from now, and no longer.
    pub fn expire_in(&self, time: Duration) {
        let mut state = self.0.lock();
        state.deadline = Instant::now().checked_add(time);
        self.watch(&mut state);
        self.0.changed.notify_all();
    }

    /// Tells whether the job is over, and why.
    pub fn over(&self) -> Option<Why> {
        self.0.lock().over()
    }

    /// Waits so long, or until the job is over.
    pub fn sleep(&self, time: Duration) {
        let Some(end) = Instant::now().checked_add(time) else { return };
        let mut state = self.0.lock();
        while state.over().is_none() {
            let until = state.deadline.map_or(end, |deadline| deadline.min(end));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Registers a connection: how a statement that it runs is stopped.
    pub fn register(&self, stop: impl Fn() + Send + Sync + 'static) -> Registration {
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.sessions.insert(number, Session { stop: Arc::new(stop), stopping: false, statement: None });
        Registration { cancel: self.clone(), number }
    }

    /// Starts the thread if a running statement needs it and it is not there.
    fn watch(&self, state: &mut State) {
        let needs = |s: &Statement| state.cancelled || state.deadline.is_some() || s.limit.is_some();
        if state.watched || !state.sessions.values().filter_map(|s| s.statement.as_ref()).any(needs) {
            return;
        }
        let shared = Arc::clone(&self.0);
        state.watched = thread::Builder::new().spawn(move || shared.watch()).is_ok();
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("over", &self.over()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !state.sessions.is_empty() {
            let (calls, next) = state.due();
            state.wakes = next;
            if !calls.is_empty() {
                // A call may take a connection of its own, and must not hold up the statements.
                drop(state);
                calls.iter().for_each(|(_, stop)| stop());
                state = self.lock();
                for (number, _) in calls {
                    state.sessions.entry(number).and_modify(|session| session.stopping = false);
                }
                self.changed.notify_all();
                continue;
            }
            state = match next {
                Some(at) => {
                    let left = at.saturating_duration_since(Instant::now());
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.watched = false;
        state.wakes = None;
    }
}

/// A connection under a token; dropped with the connection.
#[derive(Debug)]
pub struct Registration {
    cancel: Cancel,
    number: u64,
}

impl Registration {
    /// Says that a statement begins, which may run until `limit`.
    ///
    /// # Errors
    /// The job is over: the statement must not be begun.
    pub fn start(&self, limit: Option<Instant>) -> Result<Running<'_>, Why> {
        let mut state = self.cancel.0.lock();
        if let Some(why) = state.over() {
            return Err(why);
        }
        if let Some(session) = state.sessions.get_mut(&self.number) {
            session.statement = Some(Statement { limit, stopped: None, asked: None });
        }
        self.cancel.watch(&mut state);
        // Whoever sleeps past the new limit has to look again.
        let until = [limit, state.deadline].into_iter().flatten().min();
        if until.is_some_and(|until| state.watched && state.wakes.is_none_or(|wakes| until < wakes)) {
            self.cancel.0.changed.notify_all();
        }
        Ok(Running(self))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cancel.0.lock().sessions.remove(&self.number);
        self.cancel.0.changed.notify_all();
    }
}

/// A statement that runs; dropped when it has ended.
#[derive(Debug)]
pub struct Running<'r>(&'r Registration);

impl Running<'_> {
    /// Says that it has ended, and returns why it was asked to stop, if it was. A request that is under way is waited for: it would
    /// stop the next statement, and a pooler takes it amiss if the process ends that made it.
    pub fn end(self) -> Option<Why> {
        let Self(Registration { cancel, number }) = &self;
        let mut state = cancel.0.lock();
        let stopped = state.sessions.get_mut(number)?.statement.take()?.stopped;
        while state.sessions.get(number).is_some_and(|session| session.stopping) {
            state = cancel.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        stopped
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0.cancel.0.lock().sessions.get_mut(&self.0.number) {
            session.statement = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A connection whose statements end when they are asked to stop often enough.
    fn session(cancel: &Cancel) -> (Registration, mpsc::Receiver<()>) {
        let (asks, asked) = mpsc::channel();
        (cancel.register(move || asks.send(()).unwrap()), asked)
    }

    #[test]
    fn what_runs_is_asked_to_stop_until_it_ends_and_nothing_more_begins() {
        let cancel = Cancel::new();
        let (registration, asked) = session(&cancel);
        let (other, other_asked) = session(&cancel);
        let running = registration.start(None).unwrap();
        cancel.cancel();
        // The first requests came too early, as far as the engine is concerned.
        (0..3).for_each(|_| asked.recv_timeout(LONG).unwrap());
        assert_eq!(running.end(), Some(Why::Cancelled));
        assert_eq!(registration.start(None).unwrap_err(), Why::Cancelled);
        assert_eq!(other.start(None).unwrap_err(), Why::Cancelled);
        assert!(other_asked.try_recv().is_err(), "it ran nothing");
        drop(registration);
        // One more may have been under way; the channel ends with the connection.
        let late = asked.iter().count();
        assert!(late <= 1, "{late}");
    }

    #[test]
    fn a_cancel_before_the_statement_is_sent_is_not_lost() {
        let cancel = Cancel::new();
        let (registration, asked) = session(&cancel);
        cancel.cancel();
        assert!(registration.start(None).is_err());
        assert!(cancel.is_cancelled() && asked.try_recv().is_err());
        cancel.sleep(LONG);
    }

    #[test]
    fn a_limit_stops_its_statement_and_not_the_job() {
        let cancel = Cancel::new();
        let (registration, asked) = session(&cancel);
        // The thread sleeps for the first one when the second begins.
        let running = registration.start(Some(Instant::now() + LONG)).unwrap();
        assert_eq!(running.end(), None);
        let running = registration.start(Some(Instant::now())).unwrap();
        asked.recv_timeout(LONG).unwrap();
        assert_eq!(running.end(), Some(Why::Limit));
        assert_eq!(cancel.over(), None);
        registration.start(None).unwrap();
    }

    #[test]
    fn a_request_that_is_under_way_is_over_before_the_next_statement() {
        let cancel = Cancel::new();
        let ((enters, entered), (goes_on, may_go_on)) = (mpsc::channel(), mpsc::channel::<()>());
        let may_go_on = Mutex::new(may_go_on);
        let registration = cancel.register(move || {
            enters.send(()).unwrap();
            let _ = may_go_on.lock().unwrap().recv();
        });
        let running = registration.start(Some(Instant::now())).unwrap();
        entered.recv_timeout(LONG).unwrap();
        let (ends, ended) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || ends.send(running.end()).unwrap());
            assert!(ended.recv_timeout(PAUSE).is_err(), "the request has not returned");
            drop(goes_on);
            assert_eq!(ended.recv_timeout(LONG).unwrap(), Some(Why::Limit));
        });
        registration.start(None).unwrap();
    }

    #[test]
    fn the_time_of_a_job_is_over_for_all_its_statements() {
        let cancel = Cancel::new();
        let (registration, asked) = session(&cancel);
        let running = registration.start(None).unwrap();
        cancel.expire_in(Duration::from_millis(1));
        asked.recv_timeout(LONG).unwrap();
        assert_eq!(running.end(), Some(Why::Deadline));
        assert_eq!(registration.start(None).unwrap_err(), Why::Deadline);
        assert!(!cancel.is_cancelled());
        cancel.sleep(LONG);
    }
}
