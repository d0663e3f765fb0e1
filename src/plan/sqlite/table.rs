//! The step that rebuilds a table: all that is wanted of it at once.

use std::collections::BTreeSet;

use super::rebuild::{self, Rebuild};
use super::rehearsal::Stage;
use super::{Part, Plan, Refusal, findings, lock, safety, sentences, sql, statement, step_id, text, told};
use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::plan::{Down, Guard, Held, Phase, Step, Wanted};
use crate::relations::{Relation, unfit};
use crate::schema::{ForeignKey, Schema, Table, TableName};

/// Makes the step that rebuilds a table.
///
/// # Errors
/// Whose change it is that cannot be made, and why.
pub(super) fn step(plan: &Plan<'_>, table: &TableName, parts: &[Part<'_>], wanted: &[Wanted]) -> Result<Step, Refusal> {
    plan.blamed_rebuild(table, parts, wanted)
}

impl Plan<'_> {
    /// Makes the step that rebuilds a table; if it cannot be made, finds whose change it is that cannot.
    fn blamed_rebuild(&self, table: &TableName, parts: &[Part<'_>], wanted: &[Wanted]) -> Result<Step, Refusal> {
        let error = match self.rebuild_step(table, parts, wanted) {
            Ok(step) => return Ok(step),
            Err(error) => error,
        };
        let mut places: Vec<usize> = parts.iter().map(|(at, _)| *at).collect();
        places.dedup();
        for count in 1..places.len() {
            let some: Vec<Part<'_>> = parts.iter().filter(|(at, _)| places[..count].contains(at)).copied().collect();
            if let Err(error) = self.rebuild_step(table, &some, wanted) {
                return Err((places[count - 1], error));
            }
        }
        Err((places.last().copied().unwrap_or(0), error))
    }

    fn rebuild_step(&self, name: &TableName, parts: &[Part<'_>], wanted: &[Wanted]) -> Result<Step, String> {
        let before = self.context.schema;
        let table = before.table(name).ok_or_else(|| format!("there is no table {name}"))?;
        let original = self.definitions.find("table", &name.name).and_then(|d| d.sql.as_deref());
        let original = original.ok_or_else(|| format!("there is no definition of the table {name}"))?;
        let mut changes: Vec<Change> = Vec::new();
        for (_, change) in parts {
            if !changes.contains(change) {
                changes.push((*change).clone());
            }
        }
        let near = self.neighbourhood(table, &changes);
        let (edited, after) = edited(&near, name, original, &changes)?;
        let after_table = after.table(name).ok_or_else(|| format!("there is no table {name}"))?;

        let (added, mut dropped) = keys_added_and_dropped(&changes);
        // A key that never worked comes back as it was: there is nothing to check.
        dropped.retain(|key| is_fit(before, key));
        for key in &added {
            self.parent_is_fit(&after, key)?;
        }
        let backup = self.names.free(&format!("_referee_old_{}", name.name));
        let known = [original, edited.as_str()];
        let earlier = self.earlier.iter().filter(|(t, _)| t == name).map(|(_, sql)| sql.clone());
        let stay: Vec<(String, String)> =
            self.definitions.of("index", name).map(|(n, s)| (n.to_string(), s.to_string())).collect();
        let (mut up_indexes, mut names): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for (index, sql) in &stay {
            names.push(index.clone());
            let dropped =
                |c: &Change| matches!(c, Change::DropIndex { index: i, .. } if i.name.eq_ignore_ascii_case(index));
            if !changes.iter().any(dropped) {
                up_indexes.push(sql.clone());
            }
        }
        let earlier: Vec<String> = earlier.collect();
        up_indexes.extend(earlier.iter().cloned());
        for change in &changes {
            if let Change::AddIndex { .. } = change {
                up_indexes.push(statement(change, before));
            }
        }
        let planned = after_table.indexes.iter().chain(self.after.table(name).into_iter().flat_map(|t| &t.indexes));
        names.extend(planned.map(|i| i.name.clone()));
        let triggers: Vec<String> = self.definitions.of("trigger", name).map(|(_, sql)| sql.to_string()).collect();
        names.extend(self.definitions.of("trigger", name).map(|(n, _)| n.to_string()));
        names.sort();
        names.dedup();

        let down_indexes: Vec<String> = stay.into_iter().map(|(_, sql)| sql).chain(earlier).collect();
        let way = |text, indexes, keys: &[ForeignKey], of: &Table, schema: &Schema| Rebuild {
            table,
            backup: &backup,
            text,
            known: &known,
            indexes,
            triggers: triggers.clone(),
            names: names.clone(),
            violations: violations(schema, of, text, keys),
        };
        let up = way(&edited, up_indexes, &added, after_table, &after);
        let down = way(original, down_indexes, &dropped, table, before);
        let guards = self.guards(table, &changes, &up, &after, &added);
        let down_guards = self.down_guards(table, &changes, &down, &dropped);
        let titles = told(parts, wanted, |w| &w.title);
        let title = match titles.as_slice() {
            [one] => one.clone(),
            several => format!("Rebuild {name}: {}", several.join("; ")),
        };
        let step = Step {
            id: step_id(&["rebuild", &name.name], &changes),
            phase: Phase::Constrain,
            title,
            why: sentences(&told(parts, wanted, |w| &w.why)),
            findings: findings(parts, wanted),
            safety: safety(parts, wanted),
            done: Some(done(&changes, before, after_table, &edited)),
            changes,
            newly_deletes: Vec::new(),
            newly_refuses: Vec::new(),
            touches_rows: false,
            up: up.script(),
            down: Down::Script { script: down.script(), guards: down_guards },
            locks: lock(name, Held::Rewrite),
            guards,
            bounds: Vec::new(),
        };
        let mut staged_before = near;
        let mut staged_after = after;
        self.add_earlier(name, &mut staged_before, &mut staged_after);
        let stage = Stage {
            definitions: self.definitions,
            earlier: &self.earlier,
            before: &staged_before,
            after: &staged_after,
            table: name,
        };
        stage.rehearse(&step)?;
        Ok(step)
    }

    /// Puts the unique indexes that are made before into the schemas that a rehearsal is compared with.
    fn add_earlier(&self, name: &TableName, before: &mut Schema, after: &mut Schema) {
        let Some(planned) = self.after.table(name) else { return };
        for schema in [before, after] {
            if let Some(table) = schema.table_mut(name) {
                for index in &planned.indexes {
                    let earlier = self.earlier.iter().any(|(t, sql)| {
                        let add = Change::AddIndex { table: name.clone(), index: index.clone() };
                        t == name && *sql == statement(&add, self.context.schema)
                    });
                    if earlier && !table.indexes.iter().any(|i| i.name == index.name) {
                        table.indexes.push(index.clone());
                    }
                }
                table.sort();
            }
        }
    }

    /// Returns the part of the schema that a rebuild has to do with: the table, and its parents as they are and will be.
    fn neighbourhood(&self, table: &Table, changes: &[Change]) -> Schema {
        let schema = self.context.schema;
        let mut names: BTreeSet<&TableName> = table.foreign_keys.iter().map(|k| &k.parent).collect();
        names.insert(&table.name);
        for change in changes {
            if let Change::AddForeignKey { foreign_key: key, .. }
            | Change::ReplaceForeignKey { new: key, .. }
            | Change::AlterForeignKey { new: key, .. } = change
            {
                names.insert(&key.parent);
            }
        }
        let mut near = Schema::new(schema.engine);
        near.tables = names.into_iter().filter_map(|name| schema.table(name).cloned()).collect();
        near.sort();
        near
    }

    /// A key to columns that are not unique, or to a table that is not there, makes every write to both tables fail.
    fn parent_is_fit(&self, after: &Schema, key: &ForeignKey) -> Result<(), String> {
        let parent = self.after.table(&key.parent).or_else(|| after.table(&key.parent));
        let parent = parent.ok_or_else(|| format!("the parent {} is missing", key.parent))?;
        if unfit(after.engine, parent, &Relation::declared(after, &key.parent, key)).is_none() {
            return Ok(());
        }
        let columns = crate::relations::side(&key.parent, &key.parent_columns);
        Err(format!("{columns} is not unique, which a foreign key needs; add a unique index on it first"))
    }

    fn guards(
        &self,
        table: &Table,
        changes: &[Change],
        way: &Rebuild<'_>,
        after: &Schema,
        added: &[ForeignKey],
    ) -> Vec<Guard> {
        let mut guards = as_planned(table, way, ["plan again", "plan again"]);
        guards.extend(added.iter().map(|key| sql::no_orphans(after, table, key)));
        for change in changes {
            if let Change::SetNullable { column, nullable: false, .. } = change {
                guards.push(no_null(table, column));
            }
        }
        guards
    }

    fn down_guards(&self, table: &Table, changes: &[Change], way: &Rebuild<'_>, dropped: &[ForeignKey]) -> Vec<Guard> {
        let mut guards = as_planned(
            table,
            way,
            ["define it as the run left it, and undo again", "drop it, undo, and make it again afterwards"],
        );
        guards.extend(dropped.iter().map(|key| sql::no_orphans(self.context.schema, table, key)));
        for change in changes {
            if let Change::SetNullable { column, nullable: true, .. } = change {
                guards.push(no_null(table, column));
            }
        }
        guards
    }
}

/// Edits a table's text change by change, and makes the same changes in a schema.
fn edited(before: &Schema, name: &TableName, original: &str, changes: &[Change]) -> Result<(String, Schema), String> {
    let mut schema = before.clone();
    let mut text = original.to_string();
    for change in changes {
        let table = schema.table(name).ok_or_else(|| format!("there is no table {name}"))?;
        if !matches!(change, Change::AddIndex { .. } | Change::DropIndex { .. }) {
            text = text::edit(&text, table, change)?;
        }
        change.apply(&mut schema).map_err(|e| e.to_string())?;
    }
    Ok((text, schema))
}

/// Makes the guards that a table is defined as the plan knows it, and that no index and no trigger would be lost; with what to do
/// otherwise.
fn as_planned(table: &Table, way: &Rebuild<'_>, [defined, kept]: [&str; 2]) -> Vec<Guard> {
    let name = &table.name;
    let definition = Guard {
        sql: format!("SELECT 1 WHERE NOT {}", way.has_definition()),
        found: format!("{name} is not defined as it was when this was planned"),
        advice: defined.to_string(),
    };
    let others = Guard {
        sql: way.others(),
        found: format!(
            "{name} has got an index or trigger since this was planned, which would be lost where the table is rebuilt"
        ),
        advice: kept.to_string(),
    };
    vec![definition, others]
}

fn no_null(table: &Table, column: &str) -> Guard {
    let name = DIALECT.identifier(column);
    // Whatever tells the rows apart comes first: the rowid or the primary key.
    let row = rebuild::copied_columns(table).first().cloned().unwrap_or_default();
    Guard {
        sql: format!(
            "SELECT {row} FROM {} WHERE {name} IS NULL ORDER BY 1 LIMIT {}",
            DIALECT.table(&table.name),
            super::super::backup_common::NAMED
        ),
        found: format!("{}.{column} holds NULL, which NOT NULL forbids", table.name),
        advice: "give these rows a value first".to_string(),
    }
}

/// Returns the keys whose rows have not been checked before, on the way up and on the way down.
fn keys_added_and_dropped(changes: &[Change]) -> (Vec<ForeignKey>, Vec<ForeignKey>) {
    let (mut added, mut dropped) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::AddForeignKey { foreign_key, .. } => added.push(foreign_key.clone()),
            Change::DropForeignKey { foreign_key, .. } => dropped.push(foreign_key.clone()),
            Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
                let side = |k: &ForeignKey| (k.columns.clone(), k.parent.clone(), k.parent_columns.clone());
                if side(old) != side(new) {
                    added.push(new.clone());
                    dropped.push(old.clone());
                }
            }
            _ => {}
        }
    }
    (added, dropped)
}

/// Tells whether a key refers to unique columns of a table that is there.
fn is_fit(schema: &Schema, key: &ForeignKey) -> bool {
    let relation = Relation::declared(schema, &key.parent, key);
    schema.table(&key.parent).is_some_and(|p| unfit(schema.engine, p, &relation).is_none())
}

/// Writes the queries that count the rows without parent of these keys. The engine's own check is asked where it can
/// answer: a key that refers to no unique columns makes it fail for the whole table ("Foreign Key Support", 3).
fn violations(schema: &Schema, table: &Table, text: &str, keys: &[ForeignKey]) -> Vec<String> {
    if keys.is_empty() {
        return Vec::new();
    }
    let missing = |k: &ForeignKey| schema.table(&k.parent).is_none();
    if table.foreign_keys.iter().all(|k| missing(k) || is_fit(schema, k)) {
        let ids: Vec<String> = text::key_ids(text, keys).iter().map(ToString::to_string).collect();
        return vec![format!(
            "SELECT count(*) FROM pragma_foreign_key_check({}) WHERE fkid IN ({})",
            sql::literal(&table.name.name),
            ids.join(", ")
        )];
    }
    keys.iter().map(|key| sql::orphans_of(schema, table, key).count()).collect()
}

/// Writes the query that tells whether a rebuild has been done.
fn done(changes: &[Change], before: &Schema, after: &Table, edited: &str) -> String {
    let mut conditions: Vec<String> = Vec::new();
    let mut push = |condition: String| {
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    };
    for change in changes {
        match change {
            Change::AddForeignKey { foreign_key: key, .. } | Change::DropForeignKey { foreign_key: key, .. } => {
                push(sql::keys_like(after, before, key));
            }
            Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
                push(sql::keys_like(after, before, old));
                push(sql::keys_like(after, before, new));
                // The pragma does not tell these.
                if (old.timing, old.matching, &old.name, old.on_delete_written)
                    != (new.timing, new.matching, &new.name, new.on_delete_written)
                {
                    push(rebuild::has_definition(&after.name.name, &[edited]));
                }
            }
            Change::SetNullable { column, nullable, .. } => push(sql::nullable(after, column, *nullable)),
            Change::SetDefault { column, default, .. } => push(sql::default(after, column, default.as_deref())),
            Change::AddIndex { index, .. } => push(sql::has_index(after, index, &statement(change, before))),
            Change::DropIndex { index, .. } => push(sql::no_index(index)),
            _ => {}
        }
    }
    format!("SELECT 1 WHERE {}", conditions.join(" AND "))
}
