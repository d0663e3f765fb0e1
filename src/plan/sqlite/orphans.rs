//! Steps that clean orphans up before a foreign key is added: deleted, set to NULL, or moved to a table of their own. Whatever is
//! done to them, they are backed up first, in the same transaction. Those that other rows refer to are the business of `closure`.
//!
//! They run with foreign keys enforced: what the declared keys do when such a row goes is done, and what they forbid stops
//! the step.

use std::collections::BTreeSet;

use super::super::acting;
use super::super::backup_common::{self, NAMED, counted_rows};
use super::super::closure::{checked, closures};
use super::super::remedy::{self, Question, Remedy};
use super::super::{Down, Guard, Held, OrphanPolicy, Phase, Script, Step, Transaction, Wanted};
use super::backup::{self, bring_back, counting, give_back, keep, kept_exactly, made, release};
use super::closure::{self, Site};
use super::{lock, own_constraints, since, sql};
use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::relations::side;
use crate::rows::identity::is_another;
use crate::rows::{self, RelationRows, RowSet};
use crate::schema::{ForeignKey, Schema, Table, TableName};

/// A key that shall hold, and who wants it.
struct WantedKey<'a> {
    wanted: &'a Wanted,
    table: &'a Table,
    key: &'a ForeignKey,
    /// Whether the table has orphans by a key that it declares: they may be the same rows.
    comes_back_past_keys: bool,
}

/// Makes the steps for all keys that shall hold and have orphans.
///
/// # Errors
/// The place of the wanted key whose orphans cannot be cleaned up, and why.
pub(super) fn steps(site: &Site<'_>, wanted: &[(usize, &Wanted)]) -> Result<Vec<Step>, (usize, String)> {
    let schema = site.context.schema;
    let is_declared = |want: &Wanted| {
        want.changes.iter().any(|c| match c {
            Change::ValidateForeignKey { .. } => true,
            Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. } => {
                old.columns == new.columns && old.parent == new.parent
            }
            _ => false,
        })
    };
    let mut wanted_keys: Vec<(usize, WantedKey<'_>)> = Vec::new();
    for (at, one) in wanted {
        // A key that is there already is only looked at where rows were counted.
        if is_declared(one) && one.orphans.is_none_or(|n| n == 0) {
            continue;
        }
        if let Some((table, key)) = checked(one)
            && let Some(table) = schema.table(table)
            && schema.table(&key.parent).is_some()
        {
            wanted_keys.push((*at, WantedKey { wanted: one, table, key, comes_back_past_keys: is_declared(one) }));
        }
    }
    let broken: BTreeSet<&TableName> =
        wanted_keys.iter().filter(|(_, w)| w.comes_back_past_keys).map(|(_, w)| &w.table.name).collect();
    for (_, wanted_key) in &mut wanted_keys {
        wanted_key.comes_back_past_keys = broken.contains(&wanted_key.table.name);
    }
    let mut steps = Vec::new();
    let numbered: Vec<(usize, &Wanted)> = wanted_keys.iter().map(|(at, w)| (*at, w.wanted)).collect();
    let mut cleaned: BTreeSet<usize> = BTreeSet::new();
    for closure in closures(site.context, &DIALECT, &numbered) {
        let of: Vec<&Wanted> = numbered.iter().filter(|(at, _)| closure.wants.contains(at)).map(|(_, w)| *w).collect();
        let first = closure.wants.first().copied().unwrap_or_default();
        if let Some(step) = closure::step(site, &closure, &of).map_err(|why| (first, why))? {
            steps.push(step);
            cleaned.extend(&closure.wants);
        }
    }
    for (at, wanted_key) in wanted_keys.iter().filter(|(at, w)| !cleaned.contains(at) && w.wanted.orphans != Some(0)) {
        steps.extend(alone(site, wanted_key).map_err(|why| (*at, why))?);
    }
    Ok(steps)
}

/// Makes the step that cleans up the orphans of one key, to which no row refers.
fn alone(site: &Site<'_>, wanted_key: &WantedKey<'_>) -> Result<Option<Step>, String> {
    let count = wanted_key.wanted.orphans;
    let question = Question {
        schema: site.context.schema,
        dialect: &DIALECT,
        options: site.context.options,
        changes: &wanted_key.wanted.changes,
        table: wanted_key.table,
        key: wanted_key.key,
        count,
    };
    let of = side(&wanted_key.table.name, &wanted_key.key.columns);
    let made = match question.decide()? {
        // Where nothing is counted, a guard asks.
        None | Some(Remedy::Leave | Remedy::Loosen(_)) if count.is_none() => return Ok(None),
        None => {
            return Err(format!(
                "{of} has orphans; plan again with `--orphans delete`, `--orphans set-null` or `--orphans quarantine`"
            ));
        }
        Some(Remedy::Leave | Remedy::Loosen(_)) => {
            return Err(format!("{of} has orphans, and the foreign key would not hold for them"));
        }
        Some(Remedy::SetNull(columns)) => step(site, wanted_key, OrphanPolicy::SetNull, &columns),
        Some(Remedy::Remove(policy)) => {
            let mut made = step(site, wanted_key, policy, &[])?;
            if count.is_none() {
                made.guards.extend(question.guards());
            }
            Ok(made)
        }
    };
    made.map(Some)
}

fn step(site: &Site<'_>, wanted_key: &WantedKey<'_>, policy: OrphanPolicy, nulled: &[String]) -> Result<Step, String> {
    let (schema, definitions) = (site.context.schema, site.definitions);
    let (table, key) = (wanted_key.table, wanted_key.key);
    let set = (policy == OrphanPolicy::SetNull).then_some(nulled);
    acting::acted_on(site.context.options, schema, table, &[key], set)?;
    let of = side(&table.name, &key.columns);
    let orphans = sql::orphans_of(schema, table, key);
    let RowSet { source, mut condition, .. } = orphans.clone();
    let from = format!("{source} AS child");
    let own = own_constraints::Rows {
        table,
        undone: set.map_or(own_constraints::Undone::Inserted, own_constraints::Undone::Updated),
        with: String::new(),
        identities: own_constraints::identity(table, "child").map(|r| format!("({})", orphans.select(&r))),
    };
    own.counted(&site.context.options.counts)?;
    let start = if policy == OrphanPolicy::Quarantine { "quarantine" } else { "kept" };
    let backup = site.free(&format!("_referee_{start}_{}_{}", table.name.name, key.columns.join("_")));
    let kept = made(definitions, table, &backup, &keep(table, &backup, &from, "0"))?;
    let columns = key.columns.join(", ");
    let drop = format!("DROP TABLE main.{}", DIALECT.identifier(&backup));
    let mut guards = vec![Guard {
        sql: format!("SELECT type, name FROM main.sqlite_schema WHERE name = {} COLLATE NOCASE", sql::literal(&backup)),
        found: format!("{backup} already exists"),
        advice: backup_common::TAKEN.to_string(),
    }];
    guards.extend(own.guard());
    let (word, title, change, down) = match policy {
        OrphanPolicy::SetNull => {
            backup::can_be_found(table, nulled)?;
            let null: Vec<String> = nulled.iter().map(|c| format!("{} = NULL", DIALECT.identifier(c))).collect();
            let update = format!("UPDATE OR ABORT {from} SET {} WHERE {condition}", null.join(", "));
            (
                "set-null",
                format!("Set {of} to NULL where it refers to nothing"),
                update,
                give_back(table, &backup, nulled, nulled),
            )
        }
        OrphanPolicy::Delete | OrphanPolicy::Quarantine => {
            let undeclared = site.context.undeclared();
            let own = table.foreign_keys.iter().chain([key]);
            let own = own.chain(undeclared.iter().filter(|(child, _)| child.name == table.name).map(|(_, k)| k));
            if own.into_iter().any(|k| k.parent == table.name)
                && is_another(&DIALECT, table, ("other", "child")).is_none()
            {
                return Err(format!("{}; {}", backup::not_told_apart(table), backup::BY_HAND));
            }
            guards.extend(self_guard(schema, table, key, &condition));
            for (child, other) in schema.foreign_keys().filter(|(c, k)| k.parent == table.name && c.name != table.name)
            {
                guards.extend(still_referred_to(schema, child, other, table, &condition));
            }
            for other in table.foreign_keys.iter().filter(|k| k.parent == table.name && k.columns != key.columns) {
                guards.extend(still_referred_to(schema, table, other, table, &condition));
            }
            for (child, other) in
                undeclared.iter().filter(|(_, k)| k.parent == table.name && !backup_common::is_alike(k, key))
            {
                guards.extend(still_referred_to(schema, child, other, table, &condition));
                condition.push_str(&format!(" AND {}", referring(schema, child, other, table).none()));
            }
            // Who began to refer to such a row after the guards were asked would go along: that row stays.
            for (child, other) in schema.foreign_keys().filter(|(_, k)| k.parent == table.name && is_whole(k)) {
                condition.push_str(&format!(" AND {}", referring(schema, child, other, table).none()));
            }
            let (word, title) = match policy {
                OrphanPolicy::Delete => {
                    ("delete", format!("Delete the rows of {} whose {columns} refers to nothing", table.name))
                }
                _ => (
                    "quarantine",
                    format!("Move the rows of {} whose {columns} refers to nothing to {backup}", table.name),
                ),
            };
            (word, title, format!("DELETE FROM {from} WHERE {condition}"), (bring_back(table, &backup), Vec::new()))
        }
    };
    let losing: &[&TableName] = if policy == OrphanPolicy::SetNull { &[] } else { &[&table.name] };
    let planned = since::as_planned(definitions, &[&table.name]);
    let since = since::guards(schema, definitions, losing, &[&table.name]);
    let mut statements = since::checks(since::TABLE, &planned);
    statements.extend(since::checks(since::ADDED, &since));
    if let Some(shown) = wanted_key.wanted.orphans {
        statements
            .extend(sql::check("no_more_rows_than_the_plan_showed", &orphans.select(&format!("count(*) <= {shown}"))));
    }
    guards.extend(planned.into_iter().chain(since));
    statements.push(keep(table, &backup, &from, &condition));
    statements.extend(kept_exactly(table, &backup, &from, &condition));
    let mut changing = vec![change];
    // A trigger that fires before can have a row stay (RAISE(IGNORE)), and so does who refers to it by now: then none is kept
    // and none goes.
    let referred = policy != OrphanPolicy::SetNull && schema.foreign_keys().any(|(_, k)| k.parent == table.name);
    if referred || table.triggers.iter().any(|t| t.enabled && t.timing == "BEFORE") {
        changing.extend(sql::nothing_left(&orphans));
    }
    let less = format!(" - (SELECT count(*) FROM main.{})", DIALECT.identifier(&backup));
    statements.extend(counting(&table.name, changing, if policy == OrphanPolicy::SetNull { "" } else { &less }));
    let past_keys = wanted_key.comes_back_past_keys || policy == OrphanPolicy::SetNull;
    let mut down_guards = since::restorable(table, &backup, past_keys);
    let (mut back, given_back) = down;
    down_guards.extend(given_back);
    let set_off = acting::set_off_by_undo(site.context.options, schema, table, &[key], set);
    down_guards.extend(since::undo_guards(&set_off, &format!("`{backup}`")));
    back.extend(release(schema, table, &backup, policy == OrphanPolicy::SetNull));
    let mut script = enforced(back);
    let mut up = enforced(statements);
    if policy == OrphanPolicy::SetNull {
        // Nothing refers to these columns. In a table that refers to itself SQLite would look at the row's other references as
        // well, which may be orphans, too.
        up = closure::without_keys(up.statements);
    }
    if past_keys {
        // The key is there then, too; the rows come back as they were: past it.
        script.before = vec!["PRAGMA foreign_keys = OFF".to_string()];
        script.after = vec!["PRAGMA foreign_keys = ON".to_string()];
    }
    let told = match policy {
        OrphanPolicy::SetNull => "As they were, the rows are backed up in",
        OrphanPolicy::Delete => "Before they go, the rows are backed up in",
        OrphanPolicy::Quarantine => "The rows are then in",
    };
    let general =
        remedy::said(site.context.options, &table.name, key).and_then(|(word, by_name)| word.filter(|_| !by_name));
    let spared = if remedy::is_gentler(general, policy) { remedy::gentler(&of) } else { String::new() };
    let bounds = wanted_key.wanted.orphans.map(|shown| backup_common::bound(&orphans, shown, &table.name, policy));
    let bounds = bounds.map(|bound| acting::undone(site.context.options, bound, &[key], set));
    let mut words = vec![word, "orphans", &table.name.name];
    let joined = key.columns.join("-");
    words.push(&joined);
    let counted = wanted_key.wanted.orphans.filter(|n| *n > 0);
    Ok(Step {
        id: super::step_id(&words, &wanted_key.wanted.changes),
        phase: Phase::Orphans,
        title: format!("{title} ({})", counted_rows(counted)),
        why: format!(
            "A foreign key on {of} does not hold while it has orphans (no such row in {}).{}{} {told} `{backup}`; when nobody needs them any \
             more: `{drop}`.",
            key.parent,
            spared,
            acting::triggers(schema, table, set, &acting::each_of(counted))
        ),
        findings: wanted_key.wanted.findings.clone(),
        safety: crate::findings::Safety::Unsafe,
        changes: vec![Change::CreateTable { definition: Box::new(kept) }],
        newly_deletes: Vec::new(),
        newly_refuses: Vec::new(),
        touches_rows: true,
        up,
        down: Down::Script { script, guards: down_guards },
        locks: lock(&table.name, Held::Scan),
        guards,
        bounds: bounds.into_iter().collect(),
        done: Some(format!(
            "SELECT 1 WHERE {} AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = {})",
            orphans.none(),
            sql::literal(&backup)
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

/// A row that goes may be the parent of another by the key that is to be added: that one would be an orphan then.
fn self_guard(schema: &Schema, table: &Table, key: &ForeignKey, condition: &str) -> Option<Guard> {
    if key.parent != table.name {
        return None;
    }
    still_referred_to(schema, table, key, table, condition)
}

/// Makes the guard that no row refers to an orphan, which is about to go.
fn still_referred_to(
    schema: &Schema,
    child: &Table,
    key: &ForeignKey,
    parent: &Table,
    condition: &str,
) -> Option<Guard> {
    if !is_whole(key) {
        return None;
    }
    let rows = referring(schema, child, key, parent);
    let beside = format!(", {} AS child", rows::source(&DIALECT, schema, &parent.name));
    let rows = rows.and(&format!("({condition})"));
    Some(Guard {
        sql: rows.by_value(&DIALECT, ("other", &key.columns), &beside, NAMED),
        found: format!(
            "rows of {} refer to rows of {} that are orphans and about to go",
            side(&child.name, &key.columns),
            parent.name
        ),
        advice: "plan again".to_string(),
    })
}

/// A key without its parent's columns says nothing that could be asked.
fn is_whole(key: &ForeignKey) -> bool {
    key.columns.len() == key.parent_columns.len()
}

/// Returns the rows `other` that refer to a row `child`. A row that refers to itself goes with itself.
fn referring(schema: &Schema, child: &Table, key: &ForeignKey, parent: &Table) -> RowSet {
    let rows = RelationRows::of_key(&DIALECT, schema, &child.name, key).children_of("child", "other");
    let itself = if child.name == parent.name { is_another(&DIALECT, child, ("other", "child")) } else { None };
    itself.into_iter().fold(rows, |rows, other| rows.and(&other))
}
