//! What the recipes of PostgreSQL and CockroachDB work on: the schema as the steps made so far leave it, and the making of a
//! step. It knows no engine's SQL.

use std::collections::BTreeSet;

use super::super::backup_common;
use super::super::closure::{self, Closure, checked};
use super::super::remedy::{Question, Remedy};
pub(in crate::plan) use super::super::words::arrow;
use super::super::{Bound, Down, Guard, Lock, Made, Phase, PlanContext, Refused, Script, Step, Wanted, Why};
use crate::change::Change;
use crate::engine::Dialect;
use crate::findings::Safety;
use crate::schema::{ForeignKey, Schema, Table, TableKind, TableName};

/// Makes the step that cleans a closure up; `None` if each of its relations can be cleaned up by itself.
pub(in crate::plan) type Clean = fn(&mut Builder<'_>, &Closure) -> Result<Option<(Draft, Vec<Bound>)>, String>;

/// What a recipe works on.
pub(in crate::plan) struct Builder<'w> {
    /// What the planner was told.
    pub context: &'w PlanContext<'w>,
    /// How names are written.
    pub dialect: &'static dyn Dialect,
    /// The schema with the changes of all steps so far.
    pub now: Schema,
    /// The schema with all changes that are wanted: what stands at the end, whoever makes it.
    pub target: Schema,
    /// The tables whose orphans are removed.
    losing: BTreeSet<TableName>,
    /// The relations whose orphans a step for several tables cleans up: child, columns, parent.
    cleaned: Vec<(TableName, Vec<String>, TableName)>,
    /// The keys that are declared and have orphans, with their children.
    doubtful: Vec<(TableName, ForeignKey)>,
    /// What `now` was before the steps of the wanted thing that is being made.
    undo: Vec<(TableName, Option<Table>)>,
}

/// A step without what every step takes from what is wanted.
pub(in crate::plan) struct Draft {
    pub phase: Phase,
    pub title: String,
    /// Why, where it is not simply what is wanted.
    pub why: Option<String>,
    pub changes: Vec<Change>,
    pub touches_rows: bool,
    pub up: Script,
    pub down: Down,
    pub locks: Vec<Lock>,
    pub guards: Vec<Guard>,
    pub done: Option<String>,
}

/// Makes the steps of one change; the error says why there are none.
pub(in crate::plan) type Recipe = fn(&mut Builder<'_>, &Wanted) -> Result<Vec<Step>, String>;

/// Makes the steps of everything that is wanted. What cannot be made whole is not made at all.
pub(in crate::plan) fn make(
    context: &PlanContext<'_>,
    wanted: &[Wanted],
    dialect: &'static dyn Dialect,
    recipe: Recipe,
    clean: Clean,
) -> Made {
    let mut target = context.schema.clone();
    for change in wanted.iter().flat_map(|w| &w.changes) {
        // Recipes only look at it for what others do; a change that does not fit is refused below.
        let _ = change.apply(&mut target);
    }
    let losing = losing(context, dialect, wanted);
    let mut builder = Builder {
        context,
        dialect,
        now: context.schema.clone(),
        target,
        losing,
        cleaned: Vec::new(),
        doubtful: wanted
            .iter()
            .filter(|w| w.orphans != Some(0))
            .filter_map(checked)
            .map(|(t, k)| (t.clone(), k.clone()))
            .collect(),
        undo: Vec::new(),
    };
    let mut made = Made::default();
    let numbered: Vec<(usize, &Wanted)> = wanted.iter().enumerate().collect();
    let mut stopped: BTreeSet<usize> = BTreeSet::new();
    for closure in closure::closures(context, dialect, &numbered) {
        let wants: Vec<&Wanted> = closure.wants.iter().map(|at| &wanted[*at]).collect();
        builder.undo.clear();
        let made_step = clean(&mut builder, &closure).and_then(|made| {
            let Some((draft, bounds)) = made else { return Ok(None) };
            let step = builder.step(&joined(&wants), draft)?;
            Ok(Some(Step { bounds, ..step }))
        });
        match made_step {
            Ok(None) => {}
            Ok(Some(step)) => {
                made.steps.push(step);
                let relations = closure.checked.iter();
                builder
                    .cleaned
                    .extend(relations.map(|r| (r.child.clone(), r.key.columns.clone(), r.key.parent.clone())));
            }
            Err(why) => {
                builder.restore();
                stopped.extend(&closure.wants);
                made.refused.extend(wants.iter().flat_map(|want| refused(want, &why)));
            }
        }
    }
    let mut order: Vec<&Wanted> = numbered.iter().filter(|(at, _)| !stopped.contains(at)).map(|(_, w)| *w).collect();
    order.sort_by_cached_key(|want| depth(want, wanted, &builder.losing));
    for want in order {
        builder.undo.clear();
        match recipe(&mut builder, want) {
            Ok(steps) => made.steps.extend(steps),
            Err(why) => {
                builder.restore();
                made.refused.extend(refused(want, &why));
            }
        }
    }
    made
}

/// Puts several wanted things into one, for a step that all of them need.
fn joined(wants: &[&Wanted]) -> Wanted {
    let mut findings: Vec<_> = wants.iter().flat_map(|w| w.findings.iter().cloned()).collect();
    findings.sort();
    findings.dedup();
    Wanted {
        title: String::new(),
        why: String::new(),
        findings,
        safety: wants.iter().map(|w| w.safety).max().unwrap_or(Safety::Unsafe),
        changes: Vec::new(),
        orphans: None,
    }
}

/// Returns the tables that lose rows when orphans are removed: a row that goes may leave orphans of its own.
fn losing(context: &PlanContext<'_>, dialect: &dyn Dialect, wanted: &[Wanted]) -> BTreeSet<TableName> {
    let removes = |want: &&Wanted| {
        let Some((table, key)) = checked(want) else { return false };
        let Some(table) = context.schema.table(table) else { return false };
        let question = Question::of(context, dialect, want, (table, key));
        matches!(question.decide(), Ok(Some(Remedy::Remove(_))))
    };
    let removing: Vec<&Wanted> = wanted.iter().filter(removes).collect();
    let mut losing = BTreeSet::new();
    loop {
        let before = losing.len();
        for want in &removing {
            let Some((child, key)) = checked(want) else { continue };
            if want.orphans.is_none_or(|n| n > 0) || losing.contains(&key.parent) {
                losing.insert(child.clone());
            }
        }
        if losing.len() == before {
            return losing;
        }
    }
}

/// Returns how many parents that lose rows stand above a key: their orphans go before its own are looked for.
fn depth(want: &Wanted, wanted: &[Wanted], losing: &BTreeSet<TableName>) -> usize {
    let Some((mut child, mut key)) = checked(want) else { return 0 };
    let mut depth = 0;
    // In a circle there is no first one; the guards tell what is left.
    while depth < wanted.len() && losing.contains(&key.parent) && key.parent != *child {
        depth += 1;
        let Some(above) = wanted.iter().filter_map(checked).find(|(table, _)| **table == key.parent) else { break };
        (child, key) = above;
    }
    depth
}

fn refused(want: &Wanted, why: &str) -> Vec<Refused> {
    let subject = want.changes.first().map_or_else(|| want.title.clone(), subject);
    let why = Why::Recipe(why.to_string());
    let refuse = |reason| Refused::by_reason(reason, &subject, &why);
    want.findings.iter().cloned().map(refuse).collect()
}

fn subject(change: &Change) -> String {
    let side = crate::relations::side;
    match change {
        Change::AddForeignKey { table, foreign_key: key }
        | Change::DropForeignKey { table, foreign_key: key }
        | Change::ValidateForeignKey { table, foreign_key: key }
        | Change::ReplaceForeignKey { table, old: key, .. }
        | Change::AlterForeignKey { table, old: key, .. } => side(table, &key.columns),
        Change::AddIndex { table, index } | Change::DropIndex { table, index } => {
            let columns: Vec<String> = index.parts.iter().filter_map(|p| p.column.clone()).collect();
            side(table, &columns)
        }
        Change::SetNullable { table, column, .. } | Change::SetDefault { table, column, .. } => {
            format!("{table}.{column}")
        }
        other => other.table().to_string(),
    }
}

impl Builder<'_> {
    /// Tells whether a step for several tables cleans up a key's orphans.
    pub fn is_clean(&self, child: &TableName, key: &ForeignKey) -> bool {
        self.cleaned.iter().any(|(c, columns, parent)| (c, columns, parent) == (child, &key.columns, &key.parent))
    }

    /// Tells whether this plan cleans up orphans of a key, whatever the engine says of its rows.
    pub fn is_doubtful(&self, child: &TableName, key: &ForeignKey) -> bool {
        self.doubtful.iter().any(|(c, k)| c == child && backup_common::is_alike(k, key))
    }

    /// Decides what becomes of the orphans of a key.
    ///
    /// # Errors
    /// What was asked for cannot be done.
    pub fn remedy(&self, want: &Wanted, table: &TableName, key: &ForeignKey) -> Result<Option<Remedy>, String> {
        self.question(want, table, key)?.decide()
    }

    /// Makes the guards that hold a word for all relations back, where rows were not counted and are removed.
    pub fn not_by_name(&self, want: &Wanted, table: &TableName, key: &ForeignKey) -> Result<Vec<Guard>, String> {
        let question = self.question(want, table, key)?;
        Ok(if want.orphans.is_none() { question.guards() } else { Vec::new() })
    }

    fn question<'q>(
        &'q self,
        want: &'q Wanted,
        table: &TableName,
        key: &'q ForeignKey,
    ) -> Result<Question<'q>, String> {
        let schema = self.context.schema;
        let table = schema.table(table).ok_or_else(|| format!("there is no table `{table}` in this schema"))?;
        let (options, dialect) = (self.context.options, self.dialect);
        Ok(Question { schema, dialect, options, changes: &want.changes, table, key, count: want.orphans })
    }

    /// Tells whether orphans of a parent are taken away in this plan, so that a child may lose its own.
    pub fn loses_rows(&self, parent: &TableName, child: &TableName) -> bool {
        parent != child && self.losing.contains(parent)
    }

    /// Finds a table as the steps so far leave it.
    pub fn table(&self, name: &TableName) -> Result<&Table, String> {
        self.now.table(name).ok_or_else(|| format!("there is no table `{name}` in this schema"))
    }

    /// Writes a table's name with its schema.
    pub fn name(&self, table: &TableName) -> String {
        self.dialect.qualified_table(table, &self.now)
    }

    /// Writes the name of an object that lies in the schema of a table: an index.
    pub fn beside(&self, table: &TableName, object: &str) -> String {
        self.name(&TableName { schema: table.schema.clone(), name: object.to_string() })
    }

    /// Returns the partitions of a table, theirs too, in order of name. Heirs (`INHERITS`) are not among them.
    pub fn partitions(&self, table: &TableName) -> Vec<&Table> {
        let mut found: Vec<&Table> = Vec::new();
        if self.now.table(table).is_none_or(|t| t.kind != TableKind::Partitioned) {
            return found;
        }
        let mut open = vec![table];
        while let Some(above) = open.pop() {
            for below in self.now.tables.iter().filter(|t| t.partition_of.as_ref() == Some(above)) {
                found.push(below);
                open.push(&below.name);
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Returns a table and its partitions.
    pub fn family(&self, table: &TableName) -> Vec<TableName> {
        let mut all = vec![table.clone()];
        all.extend(self.partitions(table).iter().map(|t| t.name.clone()));
        all
    }

    /// Tells whether a table is partitioned.
    pub fn is_partitioned(&self, table: &TableName) -> bool {
        self.now.table(table).is_some_and(|t| t.kind == TableKind::Partitioned)
    }

    /// Returns the firing order of a key that is made now: after all that are there.
    pub fn newest(&self) -> u32 {
        self.now.foreign_keys().map(|(_, k)| k.firing_order + 1).max().unwrap_or(0)
    }

    /// Makes a step, and its changes in the schema that the next one finds.
    pub fn step(&mut self, want: &Wanted, draft: Draft) -> Result<Step, String> {
        for change in &draft.changes {
            self.apply(change)?;
        }
        Ok(Step {
            // The planner names the steps of all recipes alike.
            id: String::new(),
            phase: draft.phase,
            title: draft.title,
            why: draft.why.unwrap_or_else(|| want.why.clone()),
            findings: want.findings.clone(),
            // Rows are gone or changed, whatever was promised of the finding's own repair.
            safety: if draft.touches_rows { want.safety.max(Safety::Unsafe) } else { want.safety },
            changes: draft.changes,
            newly_deletes: Vec::new(),
            newly_refuses: Vec::new(),
            touches_rows: draft.touches_rows,
            up: draft.up,
            down: draft.down,
            locks: draft.locks,
            guards: draft.guards,
            // Whoever changes rows says how many.
            bounds: Vec::new(),
            done: draft.done,
        })
    }

    fn apply(&mut self, change: &Change) -> Result<(), String> {
        let touched = match change {
            Change::CreateTable { definition } => vec![definition.name.clone()],
            other => self.with_heirs(other.table()),
        };
        for name in touched {
            let before = self.now.table(&name).cloned();
            self.undo.push((name, before));
        }
        change.apply(&mut self.now).map_err(|e| {
            format!("another step of this plan changes the same thing first ({e}): run `referee fix` again afterwards")
        })
    }

    fn with_heirs(&self, table: &TableName) -> Vec<TableName> {
        let mut found = vec![table.clone()];
        let mut at = 0;
        while let Some(above) = found.get(at).cloned() {
            let below = |t: &&Table| t.partition_of.as_ref() == Some(&above) || t.inherits.contains(&above);
            let new: Vec<TableName> = self.now.tables.iter().filter(below).map(|t| t.name.clone()).collect();
            found.extend(new.into_iter().filter(|n| !found.contains(n)).collect::<Vec<_>>());
            at += 1;
        }
        found
    }

    fn restore(&mut self) {
        while let Some((name, before)) = self.undo.pop() {
            self.now.tables.retain(|t| t.name != name);
            self.now.tables.extend(before);
        }
        self.now.sort();
    }
}

/// Returns a few hexadecimal digits of a text (64-bit FNV-1a).
pub(in crate::plan) fn short_hash(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")[..8].to_string()
}
