//! PostgreSQL's recipes: the statements that make a change while readers and writers go on, and those that undo it.
//!
//! What waits is said in the locks of each step (manual, 13.3 and ALTER TABLE; each was looked up in `pg_locks` on 15 and 18).
//! The time that a statement may wait for its lock is not part of the SQL: whoever runs a step whose locks shut somebody out
//! sets `lock_timeout` before and tries again on 55P03, and a file that is written of such a step does so itself.
//!
//! A script without transaction can be run again from its first statement, wherever it stopped.

mod backup;
mod catalog;
mod closure;
mod columns;
mod counters;
mod indexes;
mod keys;
mod orphans;
mod partitions;
mod returned;
mod since;
mod visible;

use super::servers::builder::{self, Builder};
use super::servers::sql;
use super::{Blocks, Held, Lock, Made, PlanContext, Script, Step, Transaction, Wanted};
use crate::change::Change;
use crate::engine::postgres::DIALECT;
use crate::schema::TableName;

/// Makes steps of what is wanted.
pub(super) fn steps(context: &PlanContext<'_>, wanted: &[Wanted]) -> Made {
    builder::make(context, wanted, &DIALECT, recipe, closure::step)
}

fn recipe(builder: &mut Builder<'_>, want: &Wanted) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut changes = want.changes.iter().peekable();
    while let Some(change) = changes.next() {
        match change {
            Change::AddForeignKey { table, foreign_key } => steps.extend(keys::add(builder, want, table, foreign_key)?),
            Change::DropForeignKey { table, foreign_key } => steps.push(keys::drop(builder, want, table, foreign_key)?),
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new } => {
                steps.extend(keys::replace(builder, want, table, old, new)?);
            }
            Change::ValidateForeignKey { table, foreign_key } => {
                steps.extend(keys::validate(builder, want, table, foreign_key)?);
            }
            Change::DropIndex { table, index } => match changes.peek() {
                // An index that failed is built anew under its name: one step, so that it is never just gone.
                Some(Change::AddIndex { table: again, index: new }) if again == table && new.name == index.name => {
                    changes.next();
                    steps.push(indexes::rebuild(builder, want, table, index, new)?);
                }
                _ => steps.push(indexes::drop(builder, want, table, index)?),
            },
            Change::AddIndex { table, index } => steps.extend(indexes::add(builder, want, table, index)?),
            Change::AddKey { table, key, primary, index, using } => {
                let parts = (key, *primary, index.as_ref(), using.as_deref());
                steps.extend(indexes::add_key(builder, want, table, parts)?);
            }
            Change::SetNullable { table, column, nullable } => {
                steps.push(columns::set_nullable(builder, want, table, column, *nullable)?);
            }
            Change::SetDefault { table, column, default } => {
                steps.push(columns::set_default(builder, want, table, column, default.as_deref())?);
            }
            Change::SetType { table, column, data_type, collation } => {
                let to = (data_type, collation.as_ref());
                steps.push(columns::set_type(builder, want, table, column, to)?);
            }
            other => {
                return Err(format!(
                    "referee plans no such change of `{}` on PostgreSQL ({}): write the migration by hand",
                    other.table(),
                    kind(other)
                ));
            }
        }
    }
    Ok(steps)
}

/// Names a change as the JSON documents do.
fn kind(change: &Change) -> String {
    let json = serde_json::to_value(change).ok();
    json.and_then(|v| v.get("change").and_then(|c| c.as_str()).map(str::to_string)).unwrap_or_default()
}

/// Statements that are all done or not at all.
fn whole(statements: Vec<String>) -> Script {
    Script { statements, transaction: Transaction::Own, ..Script::default() }
}

/// Statements that each run by itself; the whole can be run again from the first.
fn each(statements: Vec<String>) -> Script {
    Script { statements, transaction: Transaction::None, ..Script::default() }
}

/// The lock of an ALTER TABLE that writes the catalog only.
fn exclusive(tables: impl IntoIterator<Item = TableName>) -> Vec<Lock> {
    locks(tables, "ACCESS EXCLUSIVE", Blocks::Everything, Held::Instant)
}

fn locks(tables: impl IntoIterator<Item = TableName>, mode: &str, blocks: Blocks, held: Held) -> Vec<Lock> {
    tables.into_iter().map(|table| Lock { table, mode: mode.to_string(), blocks, held }).collect()
}

#[cfg(test)]
mod tests;
