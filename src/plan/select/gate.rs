//! What is not planned because of the rows: keys over orphans of which nobody has said what becomes of them.

use super::super::merge::Group;
use super::super::refused::Left;
use super::super::remedy::{Question, Remedy};
use super::super::trial::key_of;
use super::super::{Reason, Refused, Wanted, Why, words};
use super::{BlockedByRows, Pick, Selector, priority, reason};
use crate::change::Change;
use crate::engine;
use crate::findings::Safety;
use crate::schema::{ForeignKey, Schema, TableName};
use crate::text::said;

const LOOSENS: &str = "Its orphans can become NULL only once the column is nullable. The same command again sets them to NULL and makes the \
                       foreign key";

impl Selector<'_, '_> {
    /// Makes the groups what is wanted, except those that add or check a key over orphans when nobody said what becomes of
    /// them.
    pub(super) fn gate(
        &self,
        groups: Vec<Group>,
        picks: &[Pick<'_>],
        blocked_by_rows: &mut BlockedByRows,
    ) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let cleaned: Vec<(TableName, Vec<String>)> = groups.iter().flat_map(|g| self.cleaned(&g.changes)).collect();
        for group in groups {
            let owners: Vec<&Pick<'_>> = group.owners.iter().filter_map(|o| picks.get(*o)).collect();
            let orphans = group.changes.iter().filter_map(|c| self.orphans_of(c)).max();
            let over = group.changes.iter().find_map(|c| Some((c, self.orphans_of(c)?))).filter(|(_, n)| *n > 0);
            let mut changes = group.changes.clone();
            let mut orphans = orphans;
            let decided = match group.changes.iter().find_map(|c| self.own_orphans(c, &cleaned)) {
                Some(why) => Err(why),
                None => over.map_or(Ok(None), |(change, count)| self.decide(change, &group.changes, count)),
            };
            match decided {
                Ok(None) => {}
                Ok(Some((table, columns))) => {
                    // The column is made nullable in this plan; its key comes with the next one.
                    changes = loosen(self.input.schema, &table, &columns);
                    orphans = None;
                }
                Err(why) => {
                    if let Some((change, key)) = over.and_then(|(c, _)| Some((c, key_of(c)?))) {
                        blocked_by_rows.keys.push((change.table().clone(), key.clone(), why.clone()));
                    }
                    let refused = owners.iter().filter(|p| !p.is_lookup).map(|p| Refused::of(p.finding, &why));
                    blocked_by_rows.refused.extend(refused);
                    continue;
                }
            }
            let loosens = changes != group.changes;
            let mut findings: Vec<Reason> = owners.iter().map(|p| reason(p.finding)).collect();
            findings.sort();
            findings.dedup();
            let first = owners.iter().min_by_key(|p| (p.is_lookup, priority(p)));
            wanted.push(Wanted {
                title: words::title(&changes),
                why: if loosens { said(LOOSENS) } else { first.map(|p| why(p)).unwrap_or_default() },
                findings,
                safety: owners.iter().map(|p| p.safety).max().unwrap_or(Safety::Manual),
                changes,
                orphans,
            });
        }
        wanted
    }

    /// Returns the keys whose orphans a group cleans up.
    fn cleaned(&self, changes: &[Change]) -> Vec<(TableName, Vec<String>)> {
        let clean = |change: &&Change| {
            let count = self.orphans_of(change).filter(|n| *n > 0);
            count.is_some_and(|n| matches!(self.decide(change, changes, n), Ok(None)))
        };
        let of = |change: &Change| Some((change.table().clone(), key_of(change)?.columns.clone()));
        changes.iter().filter(clean).filter_map(of).collect()
    }

    /// SQLite: says why a new foreign key has to wait for the orphans of a key by which its table refers to itself. Such a key is
    /// checked again at every UPDATE of a column of any foreign key of the table (`fkey.c`, `sqlite3FkCheck`), which before
    /// the new key was there nobody checked.
    fn own_orphans(&self, change: &Change, cleaned: &[(TableName, Vec<String>)]) -> Option<Why> {
        let Change::AddForeignKey { table, foreign_key: new } = change else { return None };
        if !self.input.schema.engine.facts().keys.rechecks_own || !new.enforced {
            return None;
        }
        let own = |key: &&ForeignKey| {
            key.enforced
                && key.parent == *table
                && key.columns != new.columns
                && !cleaned.iter().any(|(t, columns)| t == table && *columns == key.columns)
        };
        let (key, count) = self.input.schema.table(table)?.foreign_keys.iter().filter(own).find_map(|key| {
            let count = self.orphans.get(&(table.clone(), key.columns.clone(), table.clone())).filter(|n| **n > 0)?;
            Some((key, *count))
        })?;
        let (can, key, columns) = (self.can(table, key), Box::new(key.clone()), new.columns.clone());
        Some(Why::OwnOrphans { rows: count, table: table.clone(), key, columns, can })
    }

    /// Returns how many orphans stand in the way of a change; `None` if it checks no rows or they were not counted.
    fn orphans_of(&self, change: &Change) -> Option<u64> {
        let (table, key) = match change {
            Change::AddForeignKey { table, foreign_key } | Change::ValidateForeignKey { table, foreign_key } => {
                (table, foreign_key)
            }
            Change::ReplaceForeignKey { table, new, .. } if new.validated && new.enforced => (table, new),
            _ => return None,
        };
        self.orphans.get(&(table.clone(), key.columns.clone(), key.parent.clone())).copied()
    }

    /// Decides what becomes of the orphans of a key: whether columns have to become nullable first.
    ///
    /// # Errors
    /// Why the key cannot be made over them.
    fn decide(&self, change: &Change, all: &[Change], count: u64) -> Result<Option<(TableName, Vec<String>)>, Why> {
        let Some(key) = key_of(change) else { return Ok(None) };
        let (table, input) = (change.table(), self.input);
        let stay = |left| Why::Orphans { rows: count, table: table.clone(), key: Box::new(key.clone()), left };
        let (options, schema) = (input.options, input.schema);
        let (Some(child), Some(dialect)) = (schema.table(table), engine::dialect(schema.engine)) else {
            return Err(stay(Left::Unwritten));
        };
        let question = Question { schema, dialect, options, changes: all, table: child, key, count: Some(count) };
        match question.decide().map_err(Why::Remedy)? {
            None => Err(stay(Left::Unsaid(question.can()))),
            Some(Remedy::Leave) => Err(stay(Left::Asked)),
            Some(Remedy::Loosen(columns)) => Ok(Some((table.clone(), columns))),
            Some(Remedy::SetNull(_) | Remedy::Remove(_)) => Ok(None),
        }
    }
}

/// Returns the changes that make columns nullable, without a default that stands for "none".
fn loosen(schema: &Schema, table: &TableName, columns: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    for column in columns {
        if schema.table(table).and_then(|t| t.column(column)).is_some_and(|c| c.default.is_some()) {
            changes.push(Change::SetDefault { table: table.clone(), column: column.clone(), default: None });
        }
        changes.push(Change::SetNullable { table: table.clone(), column: column.clone(), nullable: true });
    }
    changes
}

fn why(pick: &Pick<'_>) -> String {
    let finding = pick.finding;
    if pick.is_lookup {
        return format!(
            "The foreign key on `{}` looks up child rows by these columns at each delete of a parent row",
            finding.subject.place()
        );
    }
    let made = match pick.changes {
        [Change::AddForeignKey { foreign_key, .. }] => Some(foreign_key.on_delete),
        _ => None,
    };
    match finding.advice.as_ref().filter(|advice| made == Some(advice.action)) {
        Some(advice) => format!("{}; {advice}", finding.message),
        None => finding.message.clone(),
    }
}
