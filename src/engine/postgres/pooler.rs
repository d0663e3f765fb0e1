//! Poolers that hand each transaction to another session of the server: PgBouncer in transaction mode, and services of its kind.
//!
//! Nothing in the protocol tells that one is in between, and none is asked to. But two connections that meet one process of the
//! server by turns, or one that meets two, prove it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::super::{EngineError, EngineErrorKind, Value};
use super::session::PostgresSession;
use super::url::Host;

/// What tells a process of a server from those of others.
const PROCESS: &str = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time()";

/// In which order the two connections ask. An idle pooler gives both the session that was used last; one that takes turns would have
/// to have one session for each, and then meets a connection that asks twice with the other one.
const TURNS: [usize; 7] = [1, 0, 0, 1, 1, 0, 1];

/// How long the second connection waits for a process of its own. A pooler that gives each connection a session (session mode) may
/// have only one, which then is the first connection's for good.
const PATIENCE: Duration = Duration::from_secs(5);

/// Refuses a connection that a session of the server is not kept for; `open` makes another one beside it.
///
/// # Errors
/// The connection is behind such a pooler, or cannot be asked.
pub(super) fn refuse(
    first: &mut PostgresSession,
    open: impl FnOnce() -> Result<PostgresSession, EngineError> + Send + 'static,
    host: &Host,
) -> Result<(), EngineError> {
    // Before the other is there: it may be given what this one does not hold.
    let mut met = [Some(process(first)?), None];
    let mut second = Some(Beside::new(open)?);
    for who in TURNS {
        let process = match (who, &second) {
            (0, _) => process(first)?,
            (_, Some(other)) => match other.process()? {
                Some(process) => process,
                None => {
                    second = None;
                    continue;
                }
            },
            // The first one goes on alone: where sessions are switched under so much load, it meets another.
            (_, None) => continue,
        };
        let shared = met[1 - who].as_ref() == Some(&process);
        let same = met[who].get_or_insert_with(|| process.clone()) == &process;
        if shared || !same {
            return Err(error(host));
        }
    }
    Ok(())
}

fn process(session: &mut PostgresSession) -> Result<Vec<Value>, EngineError> {
    Ok(session.read(PROCESS)?.rows.pop().unwrap_or_default())
}

/// The second connection, on a thread of its own: whoever waits in a pooler's queue cannot be called back from there.
struct Beside {
    asks: Sender<()>,
    answers: Receiver<Result<Vec<Value>, EngineError>>,
}

impl Beside {
    fn new(open: impl FnOnce() -> Result<PostgresSession, EngineError> + Send + 'static) -> Result<Self, EngineError> {
        let ((asks, asked), (answer, answers)) = (channel(), channel());
        let work = move || match open() {
            Ok(mut session) => while asked.recv().is_ok() && answer.send(process(&mut session)).is_ok() {},
            Err(error) => drop(answer.send(Err(error))),
        };
        match thread::Builder::new().spawn(work) {
            Ok(_) => Ok(Self { asks, answers }),
            Err(error) => Err(EngineError::new(EngineErrorKind::Connect, format!("no thread can be started: {error}"))),
        }
    }

    /// Returns the process that it meets; `None` if it is given none in time.
    fn process(&self) -> Result<Option<Vec<Value>>, EngineError> {
        // Fails where no connection was made; the answer then says why.
        let _ = self.asks.send(());
        self.answers.recv_timeout(PATIENCE).map_or(Ok(None), |answer| answer.map(Some))
    }
}

fn error(host: &Host) -> EngineError {
    let message = format!(
        "at {host} is a pooler that hands each transaction to another session of the server (as PgBouncer does with pool_mode = \
         transaction): two connections were given the same one. What changes a database needs a session of its own, for its \
         lock, its time limits and indexes that are built CONCURRENTLY"
    );
    EngineError::new(EngineErrorKind::Connect, message).hint(direct(host))
}

/// Says where the server itself is.
fn direct(host: &Host) -> String {
    let name = host.name.to_ascii_lowercase();
    let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
    match first.strip_suffix("-pooler") {
        // Neon: the pooler of an endpoint is named after it.
        Some(endpoint) if !rest.is_empty() => {
            format!("name the server itself in the URL: the host without `-pooler`, {endpoint}.{rest}")
        }
        // Supabase: the ports of the pooler's two modes.
        _ if host.port == 6543 && name.contains("supabase") => {
            "use port 5432 in the URL, at which Supabase keeps a session for each connection".to_string()
        }
        _ => "connect to PostgreSQL itself, not to the pooler: name the server's own host and port in the URL"
            .to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direct_way_is_named() {
        let direct = |name: &str, port| direct(&Host { name: name.into(), address: None, port, password: None });
        let neon = direct("ep-cool-darkness-1234-pooler.us-east-2.aws.neon.tech", 5432);
        assert!(neon.ends_with("`-pooler`, ep-cool-darkness-1234.us-east-2.aws.neon.tech"), "{neon}");
        assert!(direct("aws-0-eu-central-1.pooler.supabase.com", 6543).contains("port 5432"));
        for other in [direct("db", 6432), direct("my-pooler", 6543), direct("/tmp", 6543)] {
            assert!(other.starts_with("connect to PostgreSQL itself, not to the pooler"), "{other}");
        }
    }
}
