//! SQLite's recipes: indexes by themselves, everything else by rebuilding the table, all changes of a table at once.
//!
//! The texts of the definitions are edited ([`text`]), the script that puts them in place is written ([`rebuild`]), and
//! each step is run up and down on an empty copy in memory ([`rehearsal`]) before it becomes part of a plan.

mod orphans;
mod rebuild;
mod rehearsal;
mod sql;
mod text;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Blocks, Definition, Definitions, Down, Guard, Held, Lock, Made, Phase, Reason, Refused, Script, Step, Transaction,
    Wanted, Workshop,
};
use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::findings::Safety;
use crate::schema::{ForeignKey, Schema, Table, TableName};
pub use transaction::inside_transaction;

use rebuild::Rebuild;
use rehearsal::Stage;

/// Why a wanted thing is not done: its place among the wanted, and the reason.
type Refusal = (usize, String);

/// Makes SQLite's steps.
pub fn steps(workshop: &Workshop<'_>, wanted: &[Wanted]) -> Made {
    let mut refusals: BTreeMap<usize, String> = BTreeMap::new();
    let steps = loop {
        match attempt(workshop, wanted, &refusals) {
            Ok(steps) => break steps,
            // What is wanted is done as a whole or not at all: everything is planned anew without it.
            Err((at, why)) => drop(refusals.insert(at, why)),
        }
    };
    let refused = refusals.into_iter().flat_map(|(at, why)| refused(&wanted[at], &why)).collect();
    Made { steps, refused }
}

fn refused(wanted: &Wanted, why: &str) -> Vec<Refused> {
    let subject = wanted.changes.first().map_or_else(String::new, subject);
    let one = |reason: &Reason| Refused { reason: reason.clone(), subject: subject.clone(), why: why.to_string() };
    wanted.findings.iter().map(one).collect()
}

/// Names what a change is about.
fn subject(change: &Change) -> String {
    match change {
        Change::AddForeignKey { table, foreign_key: key }
        | Change::DropForeignKey { table, foreign_key: key }
        | Change::ReplaceForeignKey { table, old: key, .. }
        | Change::AlterForeignKey { table, old: key, .. } => crate::relations::side(table, &key.columns),
        Change::SetNullable { table, column, .. } | Change::SetDefault { table, column, .. } => {
            format!("{table}.{column}")
        }
        other => other.table().to_string(),
    }
}

/// The parts of a plan that the makers of its steps share.
struct Plan<'a> {
    workshop: &'a Workshop<'a>,
    definitions: &'a Definitions,
    /// The schema after all steps.
    after: Schema,
    /// Unique indexes that are made before any table is rebuilt.
    earlier: Vec<(TableName, String)>,
}

/// A change, and the place of the wanted thing it belongs to.
type Part<'a> = (usize, &'a Change);

fn attempt(
    workshop: &Workshop<'_>,
    wanted: &[Wanted],
    refusals: &BTreeMap<usize, String>,
) -> Result<Vec<Step>, Refusal> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let standing: Vec<(usize, &Wanted)> =
        wanted.iter().enumerate().filter(|(at, _)| !refusals.contains_key(at)).collect();
    for (at, one) in &standing {
        for change in &one.changes {
            parts.push((*at, change));
        }
    }
    let Some(&(first, _)) = parts.first() else { return Ok(Vec::new()) };
    let Some(definitions) = workshop.definitions else {
        let why = "the texts of SQLite's objects are needed to rebuild a table, and this source has none";
        return Err((first, why.to_string()));
    };
    let mut after = workshop.schema.clone();
    let mut made: Vec<&Change> = Vec::new();
    let mut by_table: BTreeMap<&TableName, Vec<Part<'_>>> = BTreeMap::new();
    for (at, change) in parts {
        let list = by_table.entry(change.table()).or_default();
        list.push((at, change));
        // Two findings may want the same.
        if !made.contains(&change) {
            change
                .apply(&mut after)
                .map_err(|e| (at, format!("it does not fit the other changes of this plan: {e}")))?;
            made.push(change);
        }
    }
    let mut plan = Plan { workshop, definitions, after, earlier: Vec::new() };
    for (table, list) in &by_table {
        for (_, change) in list {
            if let Change::AddIndex { index, .. } = change
                && index.unique
            {
                plan.earlier.push(((*table).clone(), statement(change, workshop.schema)));
            }
        }
    }
    let mut steps = orphans::steps(workshop.schema, definitions, &standing, workshop.options.orphans)?;
    for (table, list) in by_table {
        let rebuilt = list.iter().any(|(_, c)| !matches!(c, Change::AddIndex { .. } | Change::DropIndex { .. }));
        let alone = |c: &Change| {
            !rebuilt || matches!(c, Change::AddIndex { index, .. } | Change::DropIndex { index, .. } if index.unique)
        };
        let mut done: Vec<&Change> = Vec::new();
        for (_, change) in list.iter().filter(|(_, c)| alone(c)) {
            if !done.contains(change) {
                done.push(change);
                let same: Vec<Part<'_>> = list.iter().filter(|(_, c)| c == change).copied().collect();
                steps.push(plan.index_step(table, change, &same, wanted)?);
            }
        }
        let rest: Vec<Part<'_>> = list.iter().filter(|(_, c)| !alone(c)).copied().collect();
        if !rest.is_empty() {
            steps.push(plan.blamed_rebuild(table, &rest, wanted)?);
        }
    }
    Ok(steps)
}

/// Writes a change that is one statement.
fn statement(change: &Change, schema: &Schema) -> String {
    DIALECT.sql_for(change, schema).and_then(|s| s.into_iter().next()).unwrap_or_default()
}

/// Names a step: words, and a fingerprint of its changes (64-bit FNV-1a, the last 32 bits).
fn step_id(words: &[&str], changes: &[Change]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for change in changes {
        for byte in serde_json::to_string(change).unwrap_or_default().bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    let mut id = String::new();
    for character in words.join("-").chars() {
        match character.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => id.push(c),
            _ if id.ends_with('-') || id.is_empty() => {}
            _ => id.push('-'),
        }
    }
    format!("{}-{:08x}", id.trim_end_matches('-'), hash & 0xffff_ffff)
}

/// SQLite locks the database, never a table ("File Locking And Concurrency", 3): who reads goes on until the commit, with a
/// write-ahead log even then.
fn lock(table: &TableName, held: Held) -> Vec<Lock> {
    vec![Lock {
        table: table.clone(),
        mode: "RESERVED (the whole database)".to_string(),
        blocks: Blocks::Writers,
        held,
    }]
}

fn own(statements: Vec<String>) -> Script {
    Script { statements, transaction: Transaction::Own, ..Script::default() }
}

fn findings(parts: &[Part<'_>], wanted: &[Wanted]) -> Vec<Reason> {
    let all: BTreeSet<Reason> = parts.iter().flat_map(|(at, _)| wanted[*at].findings.iter().cloned()).collect();
    all.into_iter().collect()
}

fn safety(parts: &[Part<'_>], wanted: &[Wanted]) -> Safety {
    let rank = |s: Safety| match s {
        Safety::Safe => 0,
        Safety::Unsafe => 1,
        Safety::Manual => 2,
    };
    parts.iter().map(|(at, _)| wanted[*at].safety).max_by_key(|s| rank(*s)).unwrap_or(Safety::Manual)
}

/// Returns the titles or reasons of the wanted things, each once, in order.
fn told(parts: &[Part<'_>], wanted: &[Wanted], tell: impl Fn(&Wanted) -> &String) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for (at, _) in parts {
        let text = tell(&wanted[*at]);
        if !told.contains(text) {
            told.push(text.clone());
        }
    }
    told
}

impl Definitions {
    /// Finds an object, by type and name.
    fn find(&self, kind: &str, name: &str) -> Option<&Definition> {
        self.objects.iter().find(|d| d.kind == kind && d.name.eq_ignore_ascii_case(name))
    }

    /// Iterates over a table's objects of a type that have a text.
    fn of<'a>(&'a self, kind: &'a str, table: &'a TableName) -> impl Iterator<Item = (&'a str, &'a str)> {
        let ours = move |d: &&Definition| d.kind == kind && d.table.eq_ignore_ascii_case(&table.name);
        self.objects.iter().filter(ours).filter_map(|d| Some((d.name.as_str(), d.sql.as_deref()?)))
    }

    /// Returns a name for a table that is in no definition.
    fn free_name(&self, wanted: &str) -> String {
        let taken = |name: &str| {
            let name = name.to_ascii_lowercase();
            self.objects.iter().any(|d| {
                d.name.to_ascii_lowercase().contains(&name)
                    || d.sql.as_ref().is_some_and(|s| s.to_ascii_lowercase().contains(&name))
            })
        };
        let mut name = wanted.to_string();
        let mut number = 1;
        while taken(&name) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }
}

impl Plan<'_> {
    fn index_step(
        &self,
        table_name: &TableName,
        change: &Change,
        parts: &[Part<'_>],
        wanted: &[Wanted],
    ) -> Result<Step, Refusal> {
        let blame = parts.first().map_or(0, |(at, _)| *at);
        let before = self.workshop.schema;
        let table = before.table(table_name).ok_or_else(|| (blame, format!("there is no table {table_name}")))?;
        let make = statement(change, before);
        let (verb, phase, index, up, down, done) = match change {
            Change::DropIndex { index, .. } => {
                let original = self.definitions.find("index", &index.name).and_then(|d| d.sql.clone());
                let original = original.ok_or_else(|| {
                    (blame, format!("the index {} belongs to a constraint and goes only with it", index.name))
                })?;
                ("drop", Phase::Drop, index, make, original, sql::no_index(index))
            }
            Change::AddIndex { index, .. } => {
                let drop = Change::DropIndex { table: table_name.clone(), index: index.clone() };
                let done = sql::has_index(table, index, &make);
                ("add", Phase::Index, index, make, statement(&drop, before), done)
            }
            other => return Err((blame, format!("{} is no change of an index", subject(other)))),
        };
        let mut guards = Vec::new();
        if let (Change::AddIndex { .. }, true, Some(columns)) = (change, index.unique, index.plain_columns()) {
            let columns: Vec<String> = columns.iter().map(|c| DIALECT.identifier(c)).collect();
            let present: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
            let mut conditions = present.join(" AND ");
            if let Some(predicate) = &index.predicate {
                conditions.push_str(&format!(" AND ({predicate})"));
            }
            let columns = columns.join(", ");
            guards.push(Guard {
                sql: format!(
                    "SELECT {columns} FROM {} WHERE {conditions} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1",
                    DIALECT.table(table_name)
                ),
                message: format!("{table_name} has several rows with the same {columns}; a unique index allows one"),
            });
        }
        let changes = vec![change.clone()];
        Ok(Step {
            id: step_id(&[verb, "index", &index.name], &changes),
            phase,
            title: told(parts, wanted, |w| &w.title).join("; "),
            why: told(parts, wanted, |w| &w.why).join(" "),
            findings: findings(parts, wanted),
            safety: safety(parts, wanted),
            changes,
            touches_rows: false,
            up: own(vec![up]),
            down: Down::Script { script: own(vec![down]), guards: Vec::new() },
            locks: lock(table_name, if phase == Phase::Index { Held::Scan } else { Held::Instant }),
            guards,
            done: Some(format!("SELECT 1 WHERE {done}")),
        })
    }

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
        let before = self.workshop.schema;
        let table = before.table(name).ok_or_else(|| format!("there is no table {name}"))?;
        let original = self.definitions.find("table", &name.name).and_then(|d| d.sql.as_deref());
        let original = original.ok_or_else(|| format!("there is no definition of the table {name}"))?;
        let mut changes: Vec<Change> = Vec::new();
        for (_, change) in parts {
            if !changes.contains(change) {
                changes.push((*change).clone());
            }
        }
        let (edited, after) = self.edited(name, original, &changes)?;
        let after_table = after.table(name).ok_or_else(|| format!("there is no table {name}"))?;

        let (added, dropped) = keys_added_and_dropped(&changes);
        for key in &added {
            self.parent_is_fit(&after, key)?;
        }
        let aside = self.definitions.free_name(&format!("_referee_old_{}", name.name));
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
            aside: &aside,
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
            why: told(parts, wanted, |w| &w.why).join(" "),
            findings: findings(parts, wanted),
            safety: safety(parts, wanted),
            done: Some(done(&changes, before, after_table, &edited)),
            changes,
            touches_rows: false,
            up: up.script(),
            down: Down::Script { script: down.script(), guards: down_guards },
            locks: lock(name, Held::Rewrite),
            guards,
        };
        let mut staged_before = before.clone();
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
                        t == name && *sql == statement(&add, self.workshop.schema)
                    });
                    if earlier && !table.indexes.iter().any(|i| i.name == index.name) {
                        table.indexes.push(index.clone());
                    }
                }
                table.sort();
            }
        }
    }

    /// Edits a table's text change by change, and makes the same changes in the schema.
    fn edited(&self, name: &TableName, original: &str, changes: &[Change]) -> Result<(String, Schema), String> {
        let mut schema = self.workshop.schema.clone();
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

    /// A key to columns that are not unique, or to a table that is not there, makes every write to both tables fail.
    fn parent_is_fit(&self, after: &Schema, key: &ForeignKey) -> Result<(), String> {
        let parent = self.after.table(&key.parent).or_else(|| after.table(&key.parent));
        let parent = parent.ok_or_else(|| format!("the parent {} is missing", key.parent))?;
        if parent.is_unique(&key.parent_columns) {
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
        let mut guards = vec![as_planned(table, way)];
        guards.extend(added.iter().map(|key| sql::no_orphans(after, table, key)));
        for change in changes {
            if let Change::SetNullable { column, nullable: false, .. } = change {
                guards.push(no_null(table, column));
            }
        }
        guards
    }

    fn down_guards(&self, table: &Table, changes: &[Change], way: &Rebuild<'_>, dropped: &[ForeignKey]) -> Vec<Guard> {
        let mut guards = vec![as_planned(table, way)];
        guards.extend(dropped.iter().map(|key| sql::no_orphans(self.workshop.schema, table, key)));
        for change in changes {
            if let Change::SetNullable { column, nullable: true, .. } = change {
                guards.push(no_null(table, column));
            }
        }
        guards
    }
}

fn as_planned(table: &Table, way: &Rebuild<'_>) -> Guard {
    Guard {
        sql: format!("SELECT 1 WHERE NOT ({})", way.as_planned()),
        message: format!(
            "{} is not defined as it was when this was planned (another definition, another index or trigger); plan anew",
            table.name
        ),
    }
}

fn no_null(table: &Table, column: &str) -> Guard {
    let name = DIALECT.identifier(column);
    Guard {
        sql: format!("SELECT 1 FROM {} WHERE {name} IS NULL LIMIT 1", DIALECT.table(&table.name)),
        message: format!("{}.{column} holds NULL, which NOT NULL forbids; give these rows a value first", table.name),
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

/// Writes the queries that count the rows without parent of these keys. The engine's own check is asked where it can
/// answer: a key that refers to no unique columns makes it fail for the whole table ("Foreign Key Support", 3).
fn violations(schema: &Schema, table: &Table, text: &str, keys: &[ForeignKey]) -> Vec<String> {
    if keys.is_empty() {
        return Vec::new();
    }
    let fit = |k: &ForeignKey| schema.table(&k.parent).is_none_or(|p| p.is_unique(&k.parent_columns));
    if table.foreign_keys.iter().all(fit) {
        let ids: Vec<String> = text::key_ids(text, keys).iter().map(ToString::to_string).collect();
        return vec![format!(
            "SELECT count(*) FROM pragma_foreign_key_check({}) WHERE fkid IN ({})",
            sql::literal(&table.name.name),
            ids.join(", ")
        )];
    }
    keys.iter().map(|key| format!("SELECT count(*) {}", sql::orphan_rows(schema, table, key))).collect()
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
