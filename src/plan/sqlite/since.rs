//! What came since planning: a column that no backup has, a foreign key by which rows would follow those that go, or a trigger that
//! fires for them. Asked before a step runs and again inside its transaction, when nobody else can add one.

use super::super::{Definitions, Guard, acting};
use super::{backup, rebuild, sql};
use crate::relations::{Culprit, Firing};
use crate::schema::{Action, ForeignKey, Schema, Table, TableName};

/// Makes the guards that tables whose rows change are defined as at planning: what a column holds that was added since is in no
/// backup, and by a key that refers to another parent its rows are no orphans.
pub(super) fn as_planned(definitions: &Definitions, changed: &[&TableName]) -> Vec<Guard> {
    let text = |table: &TableName| definitions.find("table", &table.name).and_then(|d| d.sql.as_deref());
    let known = changed.iter().filter_map(|table| Some((table, text(table)?)));
    known
        .map(|(table, text)| Guard {
            sql: format!("SELECT 1 WHERE NOT {}", rebuild::has_definition(&table.name, &[text])),
            found: format!("{table} is not defined as it was when this was planned"),
            advice: "plan again".to_string(),
        })
        .collect()
}

/// Makes the guards that no foreign key refers to tables that lose rows, and no trigger is on those that change, unless it was
/// there at planning.
pub(super) fn guards(
    schema: &Schema,
    definitions: &Definitions,
    losing: &[&TableName],
    changed: &[&TableName],
) -> Vec<Guard> {
    let mut guards = Vec::new();
    if !losing.is_empty() {
        let known = schema.foreign_keys().filter(|(_, k)| losing.contains(&&k.parent));
        let known: Vec<String> = known.flat_map(|(child, key)| written(&child.name, key)).collect();
        guards.push(Guard {
            sql: format!(
                "SELECT child.name, key.\"table\" FROM main.sqlite_schema AS child, pragma_foreign_key_list(child.name) AS key WHERE child.type = \
                 'table' AND key.\"table\" COLLATE NOCASE IN ({}) AND child.name || '.' || key.\"from\" || ' ' || key.on_delete COLLATE NOCASE \
                 NOT IN ({})",
                sql::in_list(losing.iter().map(|t| t.name.as_str())),
                sql::in_list(known.iter().map(String::as_str))
            ),
            found: "a foreign key was added since planning by which more rows would go".to_string(),
            advice: "plan again".to_string(),
        });
    }
    // What the triggers write to has triggers, too.
    let reached: Vec<TableName> =
        changed.iter().filter_map(|t| schema.table(t)).flat_map(|t| Firing::reached(schema, t)).collect();
    let mut known: Vec<&str> =
        reached.iter().flat_map(|t| definitions.of("trigger", t).map(|(_, text)| text).collect::<Vec<_>>()).collect();
    known.sort_unstable();
    known.dedup();
    guards.push(Guard {
        sql: format!(
            "SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name COLLATE NOCASE IN ({}) AND sql NOT IN ({})",
            sql::in_list(reached.iter().map(|t| t.name.as_str())),
            sql::in_list(known.into_iter())
        ),
        found: "a trigger was changed or added since planning, which would fire for the rows that change or for what is written \
                for them"
            .to_string(),
        advice: "plan again".to_string(),
    });
    guards
}

/// Makes the guards that a table still has every column that is backed up, and that rows which are restored while foreign keys are
/// off pass over none that the plan does not know.
pub(super) fn restorable(table: &Table, backup: &str, past_keys: bool) -> Vec<Guard> {
    let (name, place) = (sql::literal(&table.name.name), sql::literal(backup));
    let mut guards = vec![Guard {
        sql: format!(
            "SELECT kept.name FROM pragma_table_xinfo({place}) AS kept WHERE kept.name <> {} AND NOT EXISTS (SELECT 1 FROM \
             pragma_table_xinfo({name}) AS own WHERE own.name = kept.name COLLATE NOCASE)",
            sql::literal(&backup::rowid_of_copy(table))
        ),
        found: format!("columns of {} that are backed up in {backup} have been dropped or renamed since", table.name),
        advice: "restore these columns first, or the rows from the backup by hand".to_string(),
    }];
    if past_keys {
        let known = table.foreign_keys.iter().flat_map(|k| k.columns.iter().map(|c| format!("{c} {}", k.parent.name)));
        let known: Vec<String> = known.collect();
        guards.push(Guard {
            sql: format!(
                "SELECT key.\"from\" AS \"column\", key.\"table\" AS parent FROM pragma_foreign_key_list({name}) AS key WHERE key.\"from\" || \
                 ' ' || key.\"table\" COLLATE NOCASE NOT IN ({})",
                sql::in_list(known.iter().map(String::as_str))
            ),
            found: format!(
                "a foreign key of {} was added or changed since planning, and rows are restored while foreign keys are off",
                table.name
            ),
            advice: "drop it and undo, or restore the rows from the backup by hand".to_string(),
        });
    }
    guards
}

/// Makes the guards that an undo sets off nothing which may change other rows; `backups` are where the rows are.
pub(super) fn undo_guards(culprits: &[Culprit], backups: &str) -> Vec<Guard> {
    let guard = |culprit: &Culprit| Guard {
        sql: format!(
            "SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = {} COLLATE NOCASE AND name = {} COLLATE NOCASE",
            sql::literal(&culprit.on.name),
            sql::literal(&culprit.name)
        ),
        found: acting::set_off(culprit),
        advice: format!("drop the trigger, undo, and make it again; or restore the rows from {backups} by hand"),
    };
    culprits.iter().map(guard).collect()
}

/// Writes what stops the transaction where a guard finds something: the word is in SQLite's message.
pub(super) fn checks(word: &str, guards: &[Guard]) -> Vec<String> {
    let check = |guard: &Guard| sql::check(word, &format!("SELECT NOT EXISTS ({})", guard.sql));
    guards.iter().flat_map(check).collect()
}

/// The word of a check for [`as_planned`].
pub(super) const TABLE: &str = "table_is_as_planned";
/// The word of a check for [`guards`].
pub(super) const ADDED: &str = "nothing_was_added_since_planning";

/// Writes each column of a key as the guard does: `g.c_id CASCADE`.
fn written(child: &TableName, key: &ForeignKey) -> Vec<String> {
    let action = if key.on_delete == Action::NoAction { "NO ACTION" } else { key.on_delete.sql() };
    key.columns.iter().map(|column| format!("{}.{column} {action}", child.name)).collect()
}
