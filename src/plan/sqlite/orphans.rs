//! Steps that repair rows without parent before a key is added: deleted, set to NULL, or moved to a table of their own. Whatever
//! is done to them, they are kept first, in the same transaction.
//!
//! They run with foreign keys enforced: what the declared keys do when such a row goes is done, and what they forbid stops
//! the step.

use std::collections::BTreeSet;

use super::super::aside::{NAMED, bound, counted_rows, triggers};
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
    /// Whether the table has rows without parent by a key that it declares: they may be the same rows.
    comes_back_past_keys: bool,
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
            wishes.push((*at, Wish { wanted: one, table, key, is_declared, comes_back_past_keys: is_declared }));
        }
    }
    let broken: BTreeSet<&TableName> =
        wishes.iter().filter(|(_, w)| w.is_declared).map(|(_, w)| &w.table.name).collect();
    for (_, wish) in &mut wishes {
        wish.comes_back_past_keys = broken.contains(&wish.table.name);
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
    let orphans = sql::orphans_of(schema, table, key);
    let OrphanRows { source, mut condition } = orphans.clone();
    let from = format!("{source} AS child");
    let start = if policy == OrphanPolicy::Quarantine { "quarantine" } else { "kept" };
    let aside = names.free(&format!("_referee_{start}_{}_{}", table.name.name, key.columns.join("_")));
    let kept = made(definitions, table, &aside, &keep(table, &aside, &from, "0"))?;
    let columns = key.columns.join(", ");
    let drop = format!("DROP TABLE main.{}", DIALECT.identifier(&aside));
    let mut guards = vec![Guard {
        sql: format!("SELECT type, name FROM main.sqlite_schema WHERE name = {} COLLATE NOCASE", sql::literal(&aside)),
        message: format!("there is something called {aside} already, where rows would be kept; plan anew"),
    }];
    let (word, title, change, down) = match policy {
        OrphanPolicy::SetNull => {
            let can = |c: &&String| {
                let plain = table.column(c).is_some_and(|c| c.generated.is_none());
                plain && table.is_nullable(c) && !table.in_primary_key(c)
            };
            let free: Vec<&String> = key.columns.iter().filter(can).collect();
            if free.is_empty() {
                return Err(format!("{of} cannot hold NULL; choose `--orphans delete` or `--orphans quarantine`"));
            }
            let null: Vec<String> = free.iter().map(|c| format!("{} = NULL", DIALECT.identifier(c))).collect();
            let update = format!("UPDATE {from} SET {} WHERE {condition}", null.join(", "));
            (
                "set-null",
                format!("Set {of} to NULL where it refers to nothing"),
                update,
                give_back(table, &aside, &free),
            )
        }
        OrphanPolicy::Delete | OrphanPolicy::Quarantine => {
            guards.extend(self_guard(table, key, &condition));
            for (child, other) in schema.foreign_keys().filter(|(c, k)| k.parent == table.name && c.name != table.name)
            {
                guards.extend(still_referred_to(child, other, table, &condition));
            }
            for other in table.foreign_keys.iter().filter(|k| k.parent == table.name && k.columns != key.columns) {
                guards.extend(still_referred_to(table, other, table, &condition));
            }
            // Who began to refer to such a row after the guards were asked would go along: that row stays.
            for (child, other) in schema.foreign_keys().filter(|(_, k)| k.parent == table.name && is_whole(k)) {
                let refers = refers(child, other, table);
                let child = DIALECT.table(&child.name);
                condition.push_str(&format!(" AND NOT EXISTS (SELECT 1 FROM {child} AS other WHERE {refers})"));
            }
            let (word, title) = match policy {
                OrphanPolicy::Delete => {
                    ("delete", format!("Delete the rows of {} whose {columns} refers to nothing", table.name))
                }
                _ => (
                    "quarantine",
                    format!("Move the rows of {} whose {columns} refers to nothing to {aside}", table.name),
                ),
            };
            (word, title, format!("DELETE FROM {from} WHERE {condition}"), (bring_back(table, &aside), Vec::new()))
        }
    };
    let mut statements = vec![keep(table, &aside, &from, &condition), change];
    // A trigger that fires before can have a row stay (RAISE(IGNORE)), and so does who refers to it by now: then none is kept
    // and none goes.
    let referred = policy != OrphanPolicy::SetNull && schema.foreign_keys().any(|(_, k)| k.parent == table.name);
    if referred || table.triggers.iter().any(|t| t.enabled && t.timing == "BEFORE") {
        statements.extend(sql::nothing_left(&rows));
    }
    let (mut back, down_guards) = down;
    back.push(drop.clone());
    let mut script = enforced(back);
    if wish.comes_back_past_keys {
        // The key is there then, too; the rows come back as they were: past it.
        script.before = vec!["PRAGMA foreign_keys = OFF".to_string()];
        script.after = vec!["PRAGMA foreign_keys = ON".to_string()];
    }
    let told = match policy {
        OrphanPolicy::SetNull => "As they were, the rows are kept in",
        OrphanPolicy::Delete => "Before they go, the rows are kept in",
        OrphanPolicy::Quarantine => "The rows are then in",
    };
    let mut words = vec![word, "orphans", &table.name.name];
    let joined = key.columns.join("-");
    words.push(&joined);
    let counted = wish.wanted.orphans.filter(|n| *n > 0);
    Ok(Step {
        id: super::step_id(&words, &wish.wanted.changes),
        phase: Phase::Orphans,
        title: format!("{title} ({})", counted_rows(counted)),
        why: format!(
            "A foreign key on {of} does not hold while rows have no parent in {}.{} {told} `{aside}`; when nobody needs them any more: \
             `{drop}`.",
            key.parent,
            triggers(table, policy)
        ),
        findings: wish.wanted.findings.clone(),
        safety: crate::findings::Safety::Unsafe,
        changes: vec![Change::CreateTable { definition: Box::new(kept) }],
        newly_deletes: Vec::new(),
        touches_rows: true,
        up: enforced(statements),
        down: Down::Script { script, guards: down_guards },
        locks: lock(&table.name, Held::Scan),
        guards,
        bounds: counted.map(|shown| bound(&orphans, shown, &table.name.to_string(), policy)).into_iter().collect(),
        done: Some(format!(
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 {rows}) AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = {})",
            sql::literal(&aside)
        )),
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

/// What the rowid is called in a table that is made of a query, which has one of its own.
const ROWID: &str = "_referee_rowid";

/// Returns the columns of a table that are kept, each with the name that it is kept under.
fn kept_columns(table: &Table) -> Vec<(String, String)> {
    let is_own = |name: &String| table.columns.iter().any(|c| DIALECT.identifier(&c.name) == *name);
    let kept = |name: String| if is_own(&name) { (name.clone(), name) } else { (name, ROWID.to_string()) };
    copied_columns(table).into_iter().map(kept).collect()
}

/// Writes the statement that keeps rows.
fn keep(table: &Table, aside: &str, from: &str, condition: &str) -> String {
    let listed: Vec<String> = kept_columns(table)
        .into_iter()
        .map(|(own, kept)| if own == kept { format!("child.{own}") } else { format!("child.{own} AS {kept}") })
        .collect();
    let aside = DIALECT.identifier(aside);
    format!("CREATE TABLE main.{aside} AS SELECT {} FROM {from} WHERE {condition}", listed.join(", "))
}

/// Writes what puts rows back that are gone.
fn bring_back(table: &Table, aside: &str) -> Vec<String> {
    let (own, kept): (Vec<String>, Vec<String>) = kept_columns(table).into_iter().unzip();
    let (name, aside) = (DIALECT.identifier(&table.name.name), DIALECT.identifier(aside));
    vec![format!("INSERT INTO main.{name} ({}) SELECT {} FROM main.{aside}", own.join(", "), kept.join(", "))]
}

/// Writes what gives rows back what they held, and the guard that each of them is there and still holds NULL.
fn give_back(table: &Table, aside: &str, columns: &[&String]) -> (Vec<String>, Vec<Guard>) {
    let name = DIALECT.identifier(&table.name.name);
    let place = DIALECT.identifier(aside);
    let columns: Vec<String> = columns.iter().map(|c| DIALECT.identifier(c)).collect();
    let kept = kept_columns(table);
    // A rowid that no column stands for changes with VACUUM: it names a row only together with what else the row holds.
    let alias = table.columns.iter().find(|c| c.auto_number).map(|c| vec![DIALECT.identifier(&c.name)]);
    let primary = table.primary_key.as_ref().filter(|_| table.without_rowid);
    let primary = primary.map(|k| k.columns.iter().map(|c| DIALECT.identifier(c)).collect::<Vec<_>>());
    let same: Vec<String> = match alias.or(primary) {
        Some(identity) => identity.iter().map(|c| format!("{name}.{c} = kept.{c}")).collect(),
        None => kept
            .iter()
            .filter(|(own, _)| !columns.contains(own))
            .map(|(own, kept)| format!("{name}.{own} IS kept.{kept}"))
            .collect(),
    };
    let null: Vec<String> = columns.iter().map(|c| format!("{name}.{c} IS NULL")).collect();
    let (same, null) = (same.join(" AND "), null.join(" AND "));
    let list = columns.join(", ");
    let (left, right) = if columns.len() == 1 { (list.clone(), list) } else { (format!("({list})"), list) };
    let update = format!(
        "UPDATE main.{name} SET {left} = (SELECT {right} FROM main.{place} AS kept WHERE {same}) WHERE {null} AND EXISTS (SELECT 1 FROM \
         main.{place} AS kept WHERE {same})"
    );
    let first = kept.first().map(|(_, k)| format!("kept.{k}")).unwrap_or_default();
    let changed = Guard {
        sql: format!(
            "SELECT {first} FROM main.{place} AS kept WHERE NOT EXISTS (SELECT 1 FROM main.{name} WHERE {same} AND {null}) ORDER BY 1 \
             LIMIT {NAMED}"
        ),
        message: format!(
            "rows of {} that were set to NULL are gone or hold something else by now; delete them from {aside}, then undo again",
            table.name
        ),
    };
    (vec![update], vec![changed])
}

/// Asks SQLite what the table is like that rows are kept in. No row is moved, so no parent is needed.
fn made(definitions: &Definitions, table: &Table, aside: &str, keep: &str) -> Result<Table, String> {
    let mut memory = Memory::new().map_err(|e| e.to_string())?;
    let text = definitions.find("table", &table.name.name).and_then(|d| d.sql.as_deref());
    let text = text.ok_or_else(|| format!("there is no definition of the table {}", table.name))?;
    memory.run(text).map_err(|e| e.to_string())?;
    memory.run(keep).map_err(|e| e.to_string())?;
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
    if !is_whole(key) {
        return None;
    }
    let refers = refers(child, key, parent);
    Some(Guard {
        sql: sql::counted(
            "other",
            &key.columns,
            &format!(
                "FROM {} AS child, {} AS other WHERE {refers} AND ({condition})",
                DIALECT.table(&parent.name),
                DIALECT.table(&child.name),
            ),
        ),
        message: format!(
            "rows of {} refer to rows of {} that have no parent themselves and are about to go; repair or delete those that \
             refer first, or choose `--orphans set-null`",
            side(&child.name, &key.columns),
            parent.name
        ),
    })
}

/// A key without its parent's columns says nothing that could be asked.
fn is_whole(key: &ForeignKey) -> bool {
    key.columns.len() == key.parent_columns.len()
}

/// Writes when a row `other` refers to a row `child`.
fn refers(child: &Table, key: &ForeignKey, parent: &Table) -> String {
    let pairs = key.columns.iter().zip(&key.parent_columns);
    let equal: Vec<String> =
        pairs.map(|(c, p)| format!("child.{} = +other.{}", DIALECT.identifier(p), DIALECT.identifier(c))).collect();
    let itself = if child.name == parent.name { not_itself(child) } else { String::new() };
    format!("{}{itself}", equal.join(" AND "))
}

/// A row that refers to itself goes with itself.
fn not_itself(table: &Table) -> String {
    let primary = table.primary_key.as_ref().filter(|_| table.without_rowid);
    let columns: Vec<String> = match primary {
        Some(key) => key.columns.iter().map(|c| DIALECT.identifier(c)).collect(),
        None => sql::rowid(table).into_iter().map(str::to_string).collect(),
    };
    let same: Vec<String> = columns.iter().map(|c| format!("other.{c} = child.{c}")).collect();
    if same.is_empty() { String::new() } else { format!(" AND NOT ({})", same.join(" AND ")) }
}
