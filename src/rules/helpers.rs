//! What several rules need: building fixes, naming constraints, wording lists.

use super::Context;
use crate::change::Change;
use crate::findings::{Fix, Safety};

/// Makes a fix, with the SQL of its changes where the engine has single statements for all of them.
pub(super) fn fix(context: &Context<'_>, title: impl Into<String>, safety: Safety, changes: Vec<Change>) -> Fix {
    let statements: Option<Vec<Vec<String>>> =
        context.dialect.and_then(|d| changes.iter().map(|c| d.sql_for(c, context.schema)).collect());
    Fix { title: title.into(), safety, changes, sql: statements.unwrap_or_default().concat() }
}
