//! What of PostgreSQL's session is CockroachDB's own.

use super::super::postgres::PostgresSession;
use super::super::{EngineError, EngineErrorKind, LookupPlan};
use super::inspect::{Catalog, schema};
use crate::schema::{Schema, Table, Version};

/// Reads the catalog.
pub(in crate::engine) fn inspect(
    session: &mut PostgresSession,
    version: Option<Version>,
) -> Result<Schema, EngineError> {
    let catalog = session.in_snapshot("BEGIN READ ONLY", |session| {
        Ok(Catalog {
            tables: session.run(include_str!("queries/tables.sql"))?,
            columns: session.run(include_str!("queries/columns.sql"))?,
            details: session.run(include_str!("queries/details.sql"))?,
            indexes: session.run(include_str!("queries/indexes.sql"))?,
            constraints: session.run(include_str!("queries/constraints.sql"))?,
        })
    })?;
    schema(&catalog, version)
}

/// Says that the planner cannot be asked here.
pub(in crate::engine) fn lookup_plan(
    _session: &mut PostgresSession,
    _table: &Table,
    _columns: &[String],
) -> Result<LookupPlan, EngineError> {
    Err(EngineError::new(
        EngineErrorKind::Statement,
        "CockroachDB's planner cannot be asked for the plan of its own checks",
    )
    .hint("run the audit without --verify-indexes"))
}
