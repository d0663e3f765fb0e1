//! PostgreSQL: changes that a publication cannot send, for which the statement is refused before any row is looked at.

use crate::schema::{Publication, ReplicaIdentity, Table};

/// Returns the columns that tell a table's rows apart for a subscriber; `None` if there are none.
fn identity(table: &Table) -> Option<Vec<&str>> {
    match &table.replica_identity {
        ReplicaIdentity::Default => {
            table.primary_key.as_ref().filter(|k| !k.deferrable).map(|k| k.columns.iter().map(String::as_str).collect())
        }
        ReplicaIdentity::Full => Some(table.columns.iter().map(|c| c.name.as_str()).collect()),
        ReplicaIdentity::Nothing => None,
        ReplicaIdentity::Index(columns) => Some(columns.iter().map(String::as_str).collect()),
    }
}

/// Says why a publication cannot send changes of a table's rows: what the error says (55000, 42P10).
pub(crate) fn refused(publication: &Publication, table: &Table) -> Option<String> {
    let identity = identity(table);
    let known = identity.as_deref().unwrap_or_default();
    if let Some(column) = publication.filter_columns.iter().find(|c| !known.contains(&c.as_str())) {
        return Some(format!(
            "its condition on rows uses `{column}`, which is not part of the replica identity (42P10)"
        ));
    }
    let Some(identity) = identity else {
        return Some("the table has no replica identity, that is, no primary key (55000)".to_string());
    };
    let outside = |c: &&&str| !publication.columns.is_empty() && !publication.columns.iter().any(|p| p == **c);
    let column = identity.iter().find(outside)?;
    Some(format!("its list of columns lacks `{column}` of the replica identity (42P10)"))
}
