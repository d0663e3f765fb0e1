//! What PostgreSQL and its driver report, as [`EngineError`]s.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use super::super::{EngineError, EngineErrorKind};

/// Reads the error of a statement.
pub(super) fn of_statement(error: &Error, sql: &str) -> EngineError {
    let Some(db) = error.as_db_error() else {
        let message = format!("the connection to the server broke: {}", chain(error));
        return EngineError::new(EngineErrorKind::Connect, message)
            .hint("look into the server's log, then run the command again")
            .sql(sql);
    };
    let (kind, hint) = classify(db);
    let mut made = EngineError::new(kind, db.message()).sql(sql);
    made.hint = hint.map(str::to_string).or_else(|| db.hint().map(str::to_string));
    made.code = Some(db.code().code().to_string());
    // The server says of the owner alone how he is let see all rows.
    if is_filtered(db) {
        let (_, table) = db.message().split_once(" for table ").unwrap_or(("", "a table"));
        made.message = format!("this role does not see all rows: row-level security policy for table {table}");
        made.filtered = table.strip_prefix('"').and_then(|t| t.strip_suffix('"')).map(Box::from);
        if db.hint().is_some_and(|hint| hint.contains("NO FORCE")) {
            made.hint = Some(
                "connect as a superuser or a role with BYPASSRLS; FORCE ROW LEVEL SECURITY filters the owner, too"
                    .into(),
            );
        }
    }
    made
}

/// Tells whether a policy would have hidden rows from a query that has to see all of them.
fn is_filtered(db: &DbError) -> bool {
    db.code().code() == "42501" && db.message().starts_with("query would be affected by row-level security")
}

/// Decides by SQLSTATE (manual, "PostgreSQL Error Codes"); where one code stands for two things, by the words.
fn classify(db: &DbError) -> (EngineErrorKind, Option<&'static str>) {
    let (code, message) = (db.code().code(), db.message());
    match code {
        "57014" if message.contains("timeout") => {
            (EngineErrorKind::Busy, Some("give the statement more time (statement_timeout), or read less"))
        }
        "57014" => (EngineErrorKind::Terminated, None),
        "55P03" => {
            (EngineErrorKind::Busy, Some("another session holds a lock on the table: run the command again later"))
        }
        "40001" | "40P01" => (EngineErrorKind::Busy, Some("run the command again")),
        "42501" if message.contains("row-level security") => (
            EngineErrorKind::Permission,
            Some(
                "connect as the table's owner (not with FORCE ROW LEVEL SECURITY), a superuser or a role with BYPASSRLS, who see all rows",
            ),
        ),
        "42501" if message.starts_with("must be owner") => {
            (EngineErrorKind::Permission, Some("only the owner, or a superuser, changes it: name that user in the URL"))
        }
        "42501" if message.contains("for schema") => (
            EngineErrorKind::Permission,
            Some(
                "GRANT USAGE on the schema to this user; to apply a plan, CREATE as well, or name its owner in the URL",
            ),
        ),
        "42501" => {
            (EngineErrorKind::Permission, Some("GRANT SELECT on the table, and USAGE on its schema, to this user"))
        }
        // The driver reads UTF-8 only, and a server cannot convert from SQL_ASCII (manual, "Character Set Support").
        "22021" | "22P05" => (
            EngineErrorKind::Statement,
            Some("a name or value in this database is not UTF-8; SHOW server_encoding tells whether it is SQL_ASCII"),
        ),
        "25006" => (
            EngineErrorKind::Statement,
            Some(
                "referee's sessions only read; one that applies a plan needs a primary server, and default_transaction_read_only off",
            ),
        ),
        "42P01" | "42703" | "3F000" => {
            (EngineErrorKind::Gone, Some("the schema changed while it was read: run the command again"))
        }
        // pg_get_expr and its kin see the newest catalog, not the snapshot's.
        "XX000" if message.contains("cache lookup failed") || message.contains("could not open relation") => {
            (EngineErrorKind::Catalog, Some("the schema changed while it was read: run the command again"))
        }
        _ if code.starts_with("53") => (EngineErrorKind::Busy, Some("the server is short of resources: try later")),
        _ if code.starts_with("08") || code.starts_with("57P") => {
            (EngineErrorKind::Connect, Some("the server ended the connection: run the command again"))
        }
        _ if code.starts_with("28") => (EngineErrorKind::Authentication, None),
        _ => (EngineErrorKind::Statement, None),
    }
}

/// Writes an error of the driver with its causes. They hold addresses and file names, never a password.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}
