//! One connection to PostgreSQL or CockroachDB that may write.

use std::time::Duration;

use super::super::{EngineError, Reader, Value, Writer};
use super::blocks::{ALLOWED, CHANGED};
use super::session::PostgresSession;

/// The first key of our advisory locks: "refe" in ASCII. Advisory locks are a database's own (manual, "Advisory Locks").
pub(super) const LOCKS: i32 = 0x7265_6665;

/// Returns the second key of the lock of a name: its bytes, hashed (FNV-1a).
pub(super) fn number(name: &str) -> i32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed()
}

impl Writer for PostgresSession {
    fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        self.run(sql)?;
        let rows = self.rows;
        // The server tells nothing of what a block does; ours count for themselves.
        let is_block = sql.trim_start().get(..2).is_some_and(|word| word.eq_ignore_ascii_case("do"));
        if !is_block || self.is_cockroach() {
            return Ok(rows);
        }
        let changed = self.changed()?;
        self.query(&format!("SELECT pg_catalog.set_config('{CHANGED}', '', false)"))?;
        Ok(changed)
    }

    fn changed(&mut self) -> Result<u64, EngineError> {
        if self.is_cockroach() {
            return Ok(0);
        }
        let answer = self.query(&format!("SELECT pg_catalog.current_setting('{CHANGED}', true)"))?;
        let said = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer);
        Ok(said.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    fn allow(&mut self, rows: &[u64]) -> Result<(), EngineError> {
        if self.is_cockroach() {
            return Ok(());
        }
        let rows: Vec<String> = rows.iter().map(u64::to_string).collect();
        let rows = rows.join(",");
        self.query(&format!(
            "SELECT pg_catalog.set_config('{ALLOWED}', '{rows}', false), pg_catalog.set_config('{CHANGED}', '', false)"
        ))
        .map(drop)
    }

    fn wait_for_locks(&mut self, limit: Option<Duration>) -> Result<(), EngineError> {
        // "If this value is specified without units, it is taken as milliseconds. A value of zero disables the timeout"
        // (manual, "Client Connection Defaults").
        let limit = limit.map_or(0, |l| l.as_millis().max(1));
        self.execute(&format!("SET lock_timeout = {limit}")).map(drop)
    }

    fn lock(&mut self, name: &str) -> Result<bool, EngineError> {
        let answer = self.query(&format!("SELECT pg_catalog.pg_try_advisory_lock({LOCKS}, {})", number(name)))?;
        let said = answer.rows.first().and_then(|r| r.first()).and_then(Value::text);
        Ok(said.as_deref() == Some("t"))
    }

    fn finish(&mut self, sql: &str) -> Result<(), EngineError> {
        PostgresSession::finish(self, sql)
    }
}
