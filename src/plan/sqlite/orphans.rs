//! Steps that repair rows without parent before a key is added: deleted, set to NULL, or moved to a table of their own.
//!
//! They run with foreign keys enforced: what the declared keys do when such a row goes is done, and what they forbid stops
//! the step.

use std::collections::BTreeSet;

use super::super::definitions::Names;
use super::super::{Definitions, Down, Guard, Held, OrphanPolicy, Phase, Script, Step, Transaction, Wanted};
use super::rebuild::copied_columns;
use super::{lock, sql};
use crate::change::Change;
use crate::engine::{
    Dialect,
    sqlite::{DIALECT, Memory},
};
use crate::orphans::OrphanRows;
use crate::relations::side;
use crate::schema::{ForeignKey, Schema, Table, TableName};

/// A key that shall hold, and who wants it.
struct Wish<'a> {
    wanted: &'a Wanted,
    table: &'a Table,
    key: &'a ForeignKey,
    /// Whether the table declares it already: rows came in while keys were not enforced.
    is_declared: bool,
}

/// Makes the steps for all keys that shall hold and have orphans, parents first: a row that goes may leave orphans.
///
/// # Errors
/// The place of the wanted key whose orphans cannot be repaired, and why.
pub(super) fn steps(
    schema: &Schema,
    definitions: (&Definitions, &Names),
    wanted: &[(usize, &Wanted)],
    policy: Option<OrphanPolicy>,
) -> Result<Vec<Step>, (usize, String)> {
    let mut steps = Vec::new();
    let mut wishes: Vec<(usize, Wish<'_>)> = Vec::new();
    for (at, one) in wanted {
        let key = one.changes.iter().find_map(|c| match c {
            Change::AddForeignKey { table, foreign_key } => Some((table, foreign_key, false)),
            Change::ValidateForeignKey { table, foreign_key } => Some((table, foreign_key, true)),
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new } => {
                Some((table, new, old.columns == new.columns && old.parent == new.parent))
            }
            _ => None,
        });
        // A key that is there already is only looked at where rows were counted.
        let key = key.filter(|(_, _, is_declared)| !is_declared || one.orphans.is_some_and(|n| n > 0));
        if let Some((table, key, is_declared)) = key
            && let Some(table) = schema.table(table)
            && schema.table(&key.parent).is_some()
        {
            wishes.push((*at, Wish { wanted: one, table, key, is_declared }));
        }
    }
    let mut losing: BTreeSet<&TableName> = BTreeSet::new();
    // A table whose rows go may leave orphans in another that has none yet; each round takes in at least one key.
    loop {
        let next = wishes.iter().position(|(_, w)| {
            let has = w.wanted.orphans.map_or(policy.is_some(), |n| n > 0);
            has || losing.contains(&w.key.parent)
        });
        // Of those that have orphans, one whose parent is not itself waiting comes first.
        let waits = |wish: &Wish<'_>| {
            wishes.iter().any(|(_, o)| {
                o.table.name == wish.key.parent && o.table.name != wish.table.name && o.wanted.orphans != Some(0)
            })
        };
        let better = wishes.iter().position(|(_, w)| {
            let has = w.wanted.orphans.map_or(policy.is_some(), |n| n > 0) || losing.contains(&w.key.parent);
            has && !waits(w)
        });
        let Some(place) = better.or(next) else { return Ok(steps) };
        let (at, wish) = wishes.remove(place);
        let policy = policy.ok_or_else(|| (at, no_policy(&wish)))?;
        steps.push(step(schema, definitions, &wish, policy).map_err(|why| (at, why))?);
        if policy != OrphanPolicy::SetNull {
            losing.insert(&wish.table.name);
        }
    }
}

fn no_policy(wish: &Wish<'_>) -> String {
    format!(
        "{} has rows that refer to nothing; plan again with `--orphans delete`, `--orphans set-null` or `--orphans quarantine`",
        side(&wish.table.name, &wish.key.columns)
    )
}

fn step(
    schema: &Schema,
    (definitions, names): (&Definitions, &Names),
    wish: &Wish<'_>,
    policy: OrphanPolicy,
) -> Result<Step, String> {
    let (table, key) = (wish.table, wish.key);
    let rows = sql::orphan_rows(schema, table, key);
    let of = side(&table.name, &key.columns);
    let OrphanRows { source, condition } = sql::orphans_of(schema, table, key);
    let from = format!("{source} AS child");
    let (mut guards, mut changes) = (Vec::new(), Vec::new());
    let mut done = format!("SELECT 1 WHERE NOT EXISTS (SELECT 1 {rows})");
    let (word, title, statements, down) = match policy {
        OrphanPolicy::Delete => {
            guards.extend(self_guard(table, key, &condition));
            let gone = Down::Impossible("rows without parent were deleted; no statement brings them back".to_string());
            let title = format!("Delete the rows of {} whose {} refers to nothing", table.name, key.columns.join(", "));
            ("delete", title, vec![format!("DELETE FROM {from} WHERE {condition}")], gone)
        }
        OrphanPolicy::SetNull => {
            let free: Vec<String> = key
                .columns
                .iter()
                .filter(|c| table.is_nullable(c) && !table.in_primary_key(c))
                .filter(|c| table.column(c).is_some_and(|c| c.generated.is_none()))
                .map(|c| format!("{} = NULL", DIALECT.identifier(c)))
                .collect();
            if free.is_empty() {
                return Err(format!("{of} cannot hold NULL; choose `--orphans delete` or `--orphans quarantine`"));
            }
            let gone =
                Down::Impossible("the references to nothing were set to NULL; what they were is lost".to_string());
            let update = format!("UPDATE {from} SET {} WHERE {condition}", free.join(", "));
            ("set-null", format!("Set {of} to NULL where it refers to nothing"), vec![update], gone)
        }
        OrphanPolicy::Quarantine => {
            guards.extend(self_guard(table, key, &condition));
            for (child, other) in schema.foreign_keys().filter(|(c, k)| k.parent == table.name && c.name != table.name)
            {
                guards.extend(still_referred_to(child, other, table, &condition));
            }
            for other in table.foreign_keys.iter().filter(|k| k.parent == table.name && k.columns != key.columns) {
                guards.extend(still_referred_to(table, other, table, &condition));
            }
            let columns = key.columns.join("_");
            let aside = names.free(&format!("_referee_quarantine_{}_{columns}", table.name.name));
            let (statements, mut script) = quarantine(table, &aside, &from, &condition);
            if wish.is_declared {
                // The key is there then, too; the rows come back as they were: past it.
                script.before = vec!["PRAGMA foreign_keys = OFF".to_string()];
                script.after = vec!["PRAGMA foreign_keys = ON".to_string()];
            }
            let definition = Box::new(made(definitions, table, &aside, &from)?);
            changes.push(Change::CreateTable { definition });
            let there = sql::literal(&aside);
            done.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = {there})"
            ));
            let title = format!(
                "Move the rows of {} whose {} refers to nothing to {aside}",
                table.name,
                key.columns.join(", ")
            );
            ("quarantine", title, statements, Down::Script { script, guards: Vec::new() })
        }
    };
    Ok(Step {
        id: super::step_id(&[word, "orphans", &table.name.name, &key.columns.join("-")], &wish.wanted.changes),
        phase: Phase::Orphans,
        title,
        why: format!("A foreign key on {of} does not hold while rows have no parent in {}.", key.parent),
        findings: wish.wanted.findings.clone(),
        safety: crate::findings::Safety::Unsafe,
        changes,
        touches_rows: true,
        up: enforced(statements),
        down,
        locks: lock(&table.name, Held::Scan),
        guards,
        done: Some(done),
    })
}

/// A script that runs with foreign keys enforced.
fn enforced(statements: Vec<String>) -> Script {
    Script {
        before: vec!["PRAGMA foreign_keys = ON".to_string()],
        statements,
        after: Vec::new(),
        transaction: Transaction::Own,
    }
}

fn quarantine(table: &Table, aside: &str, from: &str, condition: &str) -> (Vec<String>, Script) {
    let aside = DIALECT.identifier(aside);
    let columns = copied_columns(table);
    // The rowid needs a name of its own: a table that is made of a query has one of its own.
    let kept: Vec<String> = columns
        .split_first()
        .map(|(first, rest)| {
            let has_rowid = !table.columns.iter().any(|c| DIALECT.identifier(&c.name) == *first);
            let first = if has_rowid { format!("child.{first} AS _referee_rowid") } else { format!("child.{first}") };
            std::iter::once(first).chain(rest.iter().map(|c| format!("child.{c}"))).collect()
        })
        .unwrap_or_default();
    let back: Vec<String> = kept
        .iter()
        .zip(&columns)
        .map(|(k, c)| if k.ends_with(" AS _referee_rowid") { "_referee_rowid".to_string() } else { c.clone() })
        .collect();
    let name = DIALECT.identifier(&table.name.name);
    let up = vec![
        format!("CREATE TABLE main.{aside} AS SELECT {} FROM {from} WHERE {condition}", kept.join(", ")),
        format!("DELETE FROM {from} WHERE {condition}"),
    ];
    let down = vec![
        format!("INSERT INTO main.{name} ({}) SELECT {} FROM main.{aside}", columns.join(", "), back.join(", ")),
        format!("DROP TABLE main.{aside}"),
    ];
    (up, enforced(down))
}

/// Asks SQLite what the table of the quarantine is like. No row is moved, so no parent is needed.
fn made(definitions: &Definitions, table: &Table, aside: &str, from: &str) -> Result<Table, String> {
    let mut memory = Memory::new().map_err(|e| e.to_string())?;
    let text = definitions.find("table", &table.name.name).and_then(|d| d.sql.as_deref());
    let text = text.ok_or_else(|| format!("there is no definition of the table {}", table.name))?;
    memory.run(text).map_err(|e| e.to_string())?;
    let (statements, _) = quarantine(table, aside, from, "0");
    memory.run(&statements[0]).map_err(|e| e.to_string())?;
    let schema = memory.inspect().map_err(|e| e.to_string())?;
    schema.table(&TableName::new(aside)).cloned().ok_or_else(|| format!("SQLite makes no table {aside}"))
}

/// A row that goes may be the parent of another by the key that is to be added: that one would be an orphan then.
fn self_guard(table: &Table, key: &ForeignKey, condition: &str) -> Option<Guard> {
    if key.parent != table.name {
        return None;
    }
    still_referred_to(table, key, table, condition)
}

/// Makes the guard that no row refers to an orphan, which is about to go.
fn still_referred_to(child: &Table, key: &ForeignKey, parent: &Table, condition: &str) -> Option<Guard> {
    if key.columns.len() != key.parent_columns.len() {
        return None;
    }
    let pairs = key.columns.iter().zip(&key.parent_columns);
    let equal: Vec<String> =
        pairs.map(|(c, p)| format!("child.{} = +other.{}", DIALECT.identifier(p), DIALECT.identifier(c))).collect();
    Some(Guard {
        sql: format!(
            "SELECT 1 FROM {} AS child, {} AS other WHERE {} AND ({condition}) LIMIT 1",
            DIALECT.table(&parent.name),
            DIALECT.table(&child.name),
            equal.join(" AND ")
        ),
        message: format!(
            "rows of {} refer to rows of {} that have no parent themselves and are about to go; repair them by hand, or \
             choose `--orphans set-null`",
            side(&child.name, &key.columns),
            parent.name
        ),
    })
}
