//! What a connection sets: to read, in each transaction and for it alone; to write, for its session.
//!
//! Behind a pooler in transaction mode (PgBouncer's `pool_mode = transaction`) the next transaction may meet another session of the
//! server, and the session that this one leaves goes to another client as it is: what is set for a session is then missing
//! here and found there. So a connection that reads sets nothing that outlives its transaction, whatever it is connected to.

use super::super::{EngineError, EngineErrorKind};
use crate::schema::Engine;
use crate::sql::lexer::significant;

/// Set for everything that is read. Never wait long for a lock; names of the default schema come out as people write them.
pub(super) const LOCAL: &str = "SET LOCAL lock_timeout = '5s'; SET LOCAL search_path = public; ";

/// Set where a session takes a backslash for more than itself, in a request before what is read: the server takes a request apart
/// before it sets anything.
pub(super) const STRINGS: &str = "SET LOCAL standard_conforming_strings = on; ";

/// Sent before a query that is a request of its own: the statements of one request are one transaction (manual, "Multiple Statements
/// in a Simple Query").
pub(super) const READ_ONLY: &str = "SET TRANSACTION READ ONLY; ";

/// Sent before a query about rows: rows that a policy hides make it an error (42501) instead of being left out (manual,
/// "row_security").
pub(super) const ALL_ROWS: &str = "SET LOCAL row_security = off; ";

/// Sent with [`ALL_ROWS`]: sets of rows are looked up by hashing until they take 64 MB where `work_mem` is its default of 4 MB; past
/// that each row is compared with each of the set (`NOT IN`; manual, "hash_mem_multiplier").
pub(super) const HASHED: &str = "SET LOCAL hash_mem_multiplier = 16; ";

/// Sent with [`ALL_ROWS`] where the server can: a query ends soon after the process that asked was killed, and not when it is done
/// (manual, "client_connection_check_interval").
pub(super) const WATCHED: &str = "SET LOCAL client_connection_check_interval = '1s'; ";

/// Sets for a session of CockroachDB, which only reads, what [`LOCAL`] and [`READ_ONLY`] set for a transaction.
pub(super) const COCKROACH: &str = "SET default_transaction_read_only = on; SET lock_timeout = '5s'; SET search_path = public; \
                                    SET standard_conforming_strings = on";

/// Sets for a session what one that writes goes by. Building an index or checking rows may take hours: no other limit than the one
/// for locks holds.
pub(super) const WRITER: &str = "SET default_transaction_read_only = off; SET search_path = public; \
                                 SET standard_conforming_strings = on; SET statement_timeout = 0; \
                                 SET idle_in_transaction_session_timeout = 0";

/// Whom a connection's settings belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Each transaction.
    Transaction,
    /// The session: one that writes, which is never behind a pooler that switches sessions, and CockroachDB's.
    Reader,
}

/// Refuses what is more than one statement: the second one could end the transaction that only reads.
pub(super) fn one_statement(sql: &str) -> Result<(), EngineError> {
    if !sql.contains(';') {
        return Ok(());
    }
    let tokens = significant(Engine::Postgres, sql);
    match tokens.iter().position(|token| token.is_punctuation(sql, ';')) {
        Some(end) if end + 1 < tokens.len() => {
            Err(EngineError::new(EngineErrorKind::Statement, "a query is one statement").sql(sql))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_statement() {
        for sql in ["SELECT 1", "SELECT 1;", "SELECT ';a', \";\", $q$;$q$ /* ; */ -- ;\n ; -- the end", ""] {
            assert!(one_statement(sql).is_ok(), "{sql}");
        }
        for sql in ["SELECT 1; SELECT 2", "SELECT 1; COMMIT; DROP TABLE t;", "SELECT 1;;"] {
            assert!(one_statement(sql).is_err(), "{sql}");
        }
    }
}
