//! Ctrl-C: stops the statement that runs, so that the server does not go on with it after we are gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::{CliError, INTERRUPTED};

type Canceller = Box<dyn Fn() + Send + Sync>;

static CANCELLER: Mutex<Option<Canceller>> = Mutex::new(None);
static STOPPED: AtomicBool = AtomicBool::new(false);
static WRITES: AtomicBool = AtomicBool::new(false);

/// How often, and how many times, the running statement is asked to stop before we leave it behind.
const PAUSE: Duration = Duration::from_millis(50);
const TRIES: u32 = 40;

/// Listens to Ctrl-C from here on.
pub(super) fn listen() {
    // Fails only if the system has no more threads; Ctrl-C then kills us as it kills any program.
    let _ = ctrlc::set_handler(stop);
}

/// Says how the statement that runs can be stopped.
pub(super) fn on_stop(canceller: Canceller) {
    *CANCELLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(canceller);
}

/// Says that the database is being changed from here on: being interrupted then is no longer without trace.
pub(super) fn writes() {
    WRITES.store(true, Ordering::SeqCst);
}

/// Says what an interruption left behind.
pub(super) fn left() -> &'static str {
    if WRITES.load(Ordering::SeqCst) {
        "interrupted; the steps that are done stay done: run the same command to go on"
    } else {
        "interrupted; nothing was changed"
    }
}

/// Tells a stopped run from one that ended.
pub(super) fn check() -> Result<(), CliError> {
    if STOPPED.load(Ordering::SeqCst) { Err(CliError::Interrupted) } else { Ok(()) }
}

#[allow(clippy::exit, reason = "the last resort, when the statement does not stop")]
fn stop() {
    STOPPED.store(true, Ordering::SeqCst);
    if let Some(cancel) = CANCELLER.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        // Between two statements there is nothing to stop, so the next one is stopped, and the one after that. The main
        // thread ends the process as soon as it hears of it.
        for _ in 0..TRIES {
            cancel();
            std::thread::sleep(PAUSE);
        }
    }
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("error: {}\n", left()).as_bytes());
    std::process::exit(INTERRUPTED.into());
}
