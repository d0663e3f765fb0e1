//! TODO
use super::super::postgres::PostgresSession;
use super::super::{EngineError, EngineErrorKind, LookupPlan};
use crate::schema::{Schema, Table, Version};
pub(in crate::engine) fn inspect(_s: &mut PostgresSession, _v: Option<Version>) -> Result<Schema, EngineError> {
    Err(EngineError::new(EngineErrorKind::Catalog, "x"))
}
pub(in crate::engine) fn lookup_plan(
    _s: &mut PostgresSession,
    _t: &Table,
    _c: &[String],
) -> Result<LookupPlan, EngineError> {
    Err(EngineError::new(EngineErrorKind::Catalog, "x"))
}
