//! One connection to PostgreSQL or CockroachDB that may write.

use std::time::Duration;

use super::super::{Dialect, EngineError, Rows, Session, Value, Writer};
use super::session::PostgresSession;
use crate::schema::Schema;

/// The key of the advisory lock that a run holds: "refe" in ASCII. Advisory locks are a database's own (manual, "Advisory
/// Locks").
pub(super) const TURN: i32 = 0x7265_6665;

/// See the module.
pub(super) struct PostgresWriter(PostgresSession);

impl PostgresWriter {
    /// Takes over a session that only reads and lets it write. Building an index or checking rows may take hours: no other
    /// limit than the one for locks holds.
    pub(super) fn new(mut session: PostgresSession) -> Result<Self, EngineError> {
        session.run("SET default_transaction_read_only = off")?;
        session.run("SET statement_timeout = 0")?;
        session.run("SET idle_in_transaction_session_timeout = 0")?;
        // What a run that was killed had begun must not go on unseen and keep the next run out. The setting is there since
        // PostgreSQL 14 and on systems that tell of closed sockets (manual, "TCP Settings"); without it the server finds out
        // at the end of the statement.
        drop(session.run("SET client_connection_check_interval = '1s'"));
        Ok(Self(session))
    }
}

impl Writer for PostgresWriter {
    fn dialect(&self) -> &'static dyn Dialect {
        self.0.dialect()
    }

    fn inspect(&mut self) -> Result<Schema, EngineError> {
        self.0.inspect()
    }

    fn query(&mut self, sql: &str) -> Result<Rows, EngineError> {
        self.0.run(sql)
    }

    fn execute(&mut self, sql: &str) -> Result<(), EngineError> {
        self.0.run(sql).map(drop)
    }

    fn begin(&mut self) -> Result<(), EngineError> {
        self.execute("BEGIN")
    }

    fn wait_for_locks(&mut self, limit: Option<Duration>) -> Result<(), EngineError> {
        // "If this value is specified without units, it is taken as milliseconds. A value of zero disables the timeout"
        // (manual, "Client Connection Defaults").
        let limit = limit.map_or(0, |l| l.as_millis().max(1));
        self.execute(&format!("SET lock_timeout = {limit}"))
    }

    fn take_turn(&mut self) -> Result<bool, EngineError> {
        let answer = self.query(&format!("SELECT pg_catalog.pg_try_advisory_lock({TURN}, 0)"))?;
        let said = answer.rows.first().and_then(|r| r.first()).and_then(Value::text);
        Ok(said.as_deref() == Some("t"))
    }

    fn canceller(&self) -> Box<dyn Fn() + Send + Sync> {
        self.0.canceller()
    }
}
