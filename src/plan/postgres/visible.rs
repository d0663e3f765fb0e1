//! What keeps steps from resting on rows that this session does not see whole.

use super::super::OrphanPolicy;
use super::super::servers::builder::Builder;
use crate::schema::{ForeignKey, TableName};

/// Says why nothing is planned that rests on all rows of some tables: of one a policy hides some.
pub(super) fn all_rows<'t>(
    builder: &Builder<'_>,
    tables: impl IntoIterator<Item = &'t TableName>,
) -> Result<(), String> {
    // As it was inspected: what this plan makes has no policies.
    let schema = builder.context.schema;
    let hidden = tables.into_iter().find_map(|name| Some((name, schema.table(name)?.row_filter.as_ref()?)));
    hidden.map_or(Ok(()), |(table, filter)| {
        Err(format!("{}, so nothing is planned that depends on them: {}", filter.what(table), filter.remedy()))
    })
}

/// The same of a key's tables. A policy of a partition counts where the partition is read by itself, and keys are checked
/// partition by partition.
pub(super) fn rows_of_key(builder: &Builder<'_>, table: &TableName, key: &ForeignKey) -> Result<(), String> {
    if !key.enforced {
        return Ok(());
    }
    all_rows(builder, builder.family(table).iter().chain([&key.parent]))
}

/// The same of the tables whose rows refer to some that are about to go: they are asked for, and have to be found.
pub(super) fn rows_that_refer(builder: &Builder<'_>, table: &TableName, policy: OrphanPolicy) -> Result<(), String> {
    if policy == OrphanPolicy::SetNull {
        return Ok(());
    }
    let schema = builder.context.schema;
    let keys = schema.foreign_keys().filter(|(_, k)| schema.share_rows(&k.parent, table));
    all_rows(builder, keys.map(|(child, _)| &child.name))?;
    let others = builder.context.undeclared().into_iter().filter(|(_, k)| schema.share_rows(&k.parent, table));
    all_rows(builder, others.map(|(child, _)| &child.name))
}
