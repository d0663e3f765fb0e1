//! Runs a step's scripts on an empty copy of its table in memory, before the step becomes part of a plan.
//!
//! The text of a definition was edited; whether it now says what it should is not for the editor to judge. SQLite reads it
//! and tells. So a script that SQLite would not take, or that would lose an index or a trigger, is never planned.

use std::collections::BTreeSet;

use crate::engine::{EngineError, sqlite::Memory};
use crate::plan::{Definition, Definitions, Down, Script, Step, Transaction};
use crate::schema::{Schema, Table, TableName};

/// What a step is rehearsed on.
pub(super) struct Stage<'a> {
    pub definitions: &'a Definitions,
    /// Statements that earlier steps of the plan will have run: unique indexes.
    pub earlier: &'a [(TableName, String)],
    pub before: &'a Schema,
    pub after: &'a Schema,
    pub table: &'a TableName,
}

fn say(error: &EngineError) -> String {
    let sql = error.sql.as_ref().map(|s| format!(" (in `{s}`)")).unwrap_or_default();
    format!("SQLite refuses it: {error}{sql}")
}

impl Stage<'_> {
    fn objects(&self, memory: &mut Memory) -> Result<BTreeSet<(String, String, String)>, String> {
        let rows = memory.query("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
        let rows = rows.map_err(|e| say(&e))?;
        let text = |row: &Vec<crate::engine::Value>, i: usize| row.get(i).and_then(|v| v.text()).unwrap_or_default();
        Ok(rows.rows.iter().map(|r| (text(r, 0), text(r, 1), text(r, 2))).collect())
    }

    /// Makes the table, its parents as they are before and after, and what belongs to them.
    fn set_up(&self) -> Result<Memory, String> {
        let mut memory = Memory::new().map_err(|e| say(&e))?;
        let mut tables: BTreeSet<String> = BTreeSet::from([self.table.name.to_ascii_lowercase()]);
        for schema in [self.before, self.after] {
            let keys = schema.table(self.table).map(|t| t.foreign_keys.as_slice()).unwrap_or_default();
            tables.extend(keys.iter().map(|k| k.parent.name.to_ascii_lowercase()));
        }
        let ours = |d: &&Definition| tables.contains(&d.table.to_ascii_lowercase());
        let own = |d: &Definition| d.table.eq_ignore_ascii_case(&self.table.name);
        for kind in ["table", "index", "trigger"] {
            for object in self.definitions.objects.iter().filter(ours).filter(|d| d.kind == kind) {
                // Triggers of the parents say nothing here.
                if let Some(sql) = object.sql.as_ref().filter(|_| kind != "trigger" || own(object)) {
                    memory.run(sql).map_err(|e| say(&e))?;
                }
            }
        }
        for (_, sql) in self.earlier.iter().filter(|(t, _)| tables.contains(&t.name.to_ascii_lowercase())) {
            memory.run(sql).map_err(|e| say(&e))?;
        }
        Ok(memory)
    }

    /// Runs the step up and down.
    ///
    /// # Errors
    /// SQLite refuses a statement; the table afterwards is not as the plan says; the way down does not lead back.
    pub(super) fn rehearse(&self, step: &Step) -> Result<(), String> {
        let mut memory = self.set_up()?;
        self.compare(&mut memory, self.before, "its definition does not say what was inspected")?;
        let before = self.objects(&mut memory)?;
        run(&mut memory, &step.up)?;
        self.compare(&mut memory, self.after, "the edited definition does not say what the plan wants")?;
        if let Down::Script { script, .. } = &step.down {
            run(&mut memory, script).map_err(|e| format!("undoing it fails: {e}"))?;
            if self.objects(&mut memory)? != before {
                return Err("undoing it does not lead back to the definitions as they were".to_string());
            }
        }
        Ok(())
    }

    fn compare(&self, memory: &mut Memory, schema: &Schema, what: &str) -> Result<(), String> {
        let inspected = memory.inspect().map_err(|e| say(&e))?;
        let (Some(wanted), Some(found)) = (schema.table(self.table), inspected.table(self.table)) else {
            return Err(format!("{what}: there is no table {}", self.table));
        };
        let (wanted, found) = comparable(wanted, found);
        let part = difference(&wanted, &found);
        if part.is_empty() { Ok(()) } else { Err(format!("{what}: {part}")) }
    }
}

/// Takes away what the two cannot agree on: an order among other tables' keys, statistics, what one of them does not know.
fn comparable(wanted: &Table, found: &Table) -> (Table, Table) {
    let (mut wanted, mut found) = (wanted.clone(), found.clone());
    for table in [&mut wanted, &mut found] {
        table.row_estimate = None;
        table.foreign_keys.iter_mut().for_each(|k| k.firing_order = 0);
        table.sort();
    }
    for (key, other) in wanted.foreign_keys.iter_mut().zip(&mut found.foreign_keys) {
        // An action other than NO ACTION has to be written, whatever the change says of that.
        if key.on_delete_written.is_none() || key.on_delete != crate::schema::Action::NoAction {
            key.on_delete_written = other.on_delete_written;
        }
    }
    (wanted, found)
}

fn difference(wanted: &Table, found: &Table) -> String {
    let mut parts = Vec::new();
    let mut look = |same: bool, what: &str| {
        if !same {
            parts.push(what.to_string());
        }
    };
    look(wanted.columns == found.columns, "columns");
    look(wanted.primary_key == found.primary_key && wanted.unique_keys == found.unique_keys, "keys");
    look(wanted.foreign_keys == found.foreign_keys, "foreign keys");
    look(wanted.indexes == found.indexes, "indexes");
    look(wanted.checks == found.checks, "checks");
    look(wanted.triggers == found.triggers, "triggers");
    look(
        (wanted.strict, wanted.without_rowid, wanted.autoincrement)
            == (found.strict, found.without_rowid, found.autoincrement),
        "table options",
    );
    if parts.is_empty() { String::new() } else { format!("{} differ", parts.join(", ")) }
}

fn run(memory: &mut Memory, script: &Script) -> Result<(), String> {
    let own = script.transaction == Transaction::Own;
    let begin = own.then(|| "BEGIN IMMEDIATE".to_string());
    let commit = own.then(|| "COMMIT".to_string());
    let all = script.before.iter().chain(&begin).chain(&script.statements).chain(&commit).chain(&script.after);
    for sql in all {
        memory.run(sql).map_err(|e| say(&e))?;
    }
    // As the next script finds it.
    memory.run("PRAGMA foreign_keys = OFF").map_err(|e| say(&e))
}
