//! Rows without parent, before a key can hold. CockroachDB wants bulk changes in batches of limited size ("Bulk-delete Data"), and
//! has no loop that commits: the batches are statements, as many as the rows that were counted need.

use super::super::bench::{Bench, Draft, short_hash};
use super::super::{Down, Guard, OrphanPolicy, Phase, Script, Step, Transaction, Wanted};
use crate::change::Change;
use crate::orphans::orphan_rows;
use crate::relations::Relation;
use crate::schema::{ForeignKey, Match, TableName};

/// How many rows are changed at once.
const BATCH: u64 = 10_000;

/// More batches than this are a job for a program and not for a migration.
const MOST: u64 = 500;

/// Makes the step that does away with the rows that a key would refuse, and the guard that counts those that are left.
pub(super) fn before_key(
    bench: &mut Bench<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    existing: Option<&ForeignKey>,
) -> Result<(Vec<Step>, Vec<Guard>), String> {
    let relation = Relation::declared(&bench.now, table, key);
    let rows = orphan_rows(bench.dialect, &bench.now, &relation);
    let (child, parent) = (relation.child_side(), key.parent.clone());
    let (source, condition) = (&rows.source, &rows.condition);
    let guard = Guard {
        sql: format!(
            "SELECT count(*) AS rows_without_parent FROM {source} AS child WHERE {condition} HAVING count(*) > 0"
        ),
        message: format!(
            "{child} has rows without a parent in `{parent}`; plan again with --orphans delete or set-null, or repair them by hand"
        ),
    };
    let count = match (want.orphans, bench.workshop.options.orphans) {
        (Some(0), _) | (None, None) => return Ok((Vec::new(), vec![guard])),
        (Some(n), None) => {
            return Err(format!(
                "{child} has {n} rows without a parent in `{parent}`, and the key would not hold for them: say what becomes of them with \
                 --orphans delete or set-null, or repair them by hand"
            ));
        }
        (None, Some(_)) => {
            return Err(format!(
                "the rows of {child} without a parent in `{parent}` were not counted, and CockroachDB needs to be told in how many batches \
                 they are changed: plan again with rows counted"
            ));
        }
        (Some(n), Some(_)) if n > MOST * BATCH => {
            return Err(format!(
                "{child} has {n} rows without a parent in `{parent}`: too many for a migration, repair them by a program first"
            ));
        }
        (Some(n), Some(_)) => n,
    };
    let (statement, title) = match bench.workshop.options.orphans {
        Some(OrphanPolicy::SetNull) => {
            let of = bench.table(table)?;
            let can = |c: &&String| of.is_nullable(c) && !of.in_primary_key(c);
            let columns: Vec<&String> = key.columns.iter().filter(can).collect();
            if columns.is_empty() || key.matching == Match::Full && columns.len() < key.columns.len() {
                return Err(format!(
                    "{child} has {count} rows without a parent in `{parent}`, and the reference cannot become NULL: choose --orphans delete"
                ));
            }
            let set: Vec<String> = columns.iter().map(|c| format!("{} = NULL", bench.dialect.identifier(c))).collect();
            let statement = format!("UPDATE {source} AS child SET {} WHERE {condition} LIMIT {BATCH}", set.join(", "));
            (statement, format!("Set {child} to NULL where it names no row of {parent} ({count} rows)"))
        }
        Some(OrphanPolicy::Delete) => {
            let statement = format!("DELETE FROM {source} AS child WHERE {condition} LIMIT {BATCH}");
            (statement, format!("Delete the rows of {child} without a parent in {parent} ({count} rows)"))
        }
        Some(OrphanPolicy::Quarantine) | None => return quarantine(bench, want, table, key, existing, (count, guard)),
    };
    let draft = Draft {
        phase: Phase::Orphans,
        title,
        why: Some(format!("Rows whose parent is missing cannot satisfy the key to `{parent}`.")),
        changes: Vec::new(),
        touches_rows: true,
        up: batches(Vec::new(), &statement, count),
        down: Down::Impossible(format!("what the rows of `{table}` held is not kept")),
        locks: Vec::new(),
        guards: Vec::new(),
        done: Some(format!("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {source} AS child WHERE {condition})")),
    };
    Ok((vec![bench.step(want, draft)?], vec![guard]))
}

fn batches(mut statements: Vec<String>, statement: &str, count: u64) -> Script {
    // One more than the rows need: some may have come since they were counted.
    let number = usize::try_from(count.div_ceil(BATCH)).unwrap_or(usize::MAX).saturating_add(1);
    statements.extend(std::iter::repeat_n(statement.to_string(), number));
    Script { statements, transaction: Transaction::None, ..Script::default() }
}

fn quarantine(
    bench: &mut Bench<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    existing: Option<&ForeignKey>,
    (count, guard): (u64, Guard),
) -> Result<(Vec<Step>, Vec<Guard>), String> {
    // Putting rows back under a key that forbids them needs two statements that stand or fall together.
    if let Some(existing) = existing {
        return Err(format!(
            "{} rows of `{table}` without a parent could not be brought back under the key on ({}) on CockroachDB: choose --orphans delete or \
             set-null",
            count,
            existing.columns.join(", ")
        ));
    }
    let of = bench.table(table)?.clone();
    let rows = orphan_rows(bench.dialect, &bench.now, &Relation::declared(&bench.now, table, key));
    let (source, condition) = (&rows.source, &rows.condition);
    let hash = short_hash(&super::super::bench::arrow(table, key));
    let name = TableName { schema: table.schema.clone(), name: format!("_referee_quarantine_{}_{hash}", table.name) };
    if bench.now.table(&name).is_some() {
        return Err(format!(
            "`{name}` is there already, with rows of an earlier run: look at them, then drop or rename it"
        ));
    }
    let place = bench.name(&name);
    let list = |with: &str, all: bool| {
        let columns = of.columns.iter().filter(|c| all || c.generated.is_none());
        columns.map(|c| format!("{with}{}", bench.dialect.identifier(&c.name))).collect::<Vec<_>>().join(", ")
    };
    let statement = format!(
        "WITH moved AS (DELETE FROM {source} AS child WHERE {condition} LIMIT {BATCH} RETURNING {}) INSERT INTO {place} ({}) SELECT {} FROM moved",
        list("child.", true),
        list("", true),
        list("", true)
    );
    let create = format!("CREATE TABLE IF NOT EXISTS {place} (LIKE {})", bench.name(table));
    let back = vec![
        format!("INSERT INTO {} ({2}) SELECT {2} FROM {1}", bench.name(table), place, list("", false)),
        format!("DROP TABLE {place}"),
    ];
    let mut definition = crate::schema::Table::new(name.clone());
    definition.columns = of
        .columns
        .iter()
        .map(|c| crate::schema::Column {
            default: None,
            generated: None,
            auto_number: false,
            comment: None,
            ..c.clone()
        })
        .collect();
    let draft = Draft {
        phase: Phase::Orphans,
        title: format!(
            "Move the rows of {} without a parent in {} to {name} ({count} rows)",
            crate::relations::side(table, &key.columns),
            key.parent
        ),
        why: Some(format!("Rows whose parent is missing cannot satisfy the key to `{}`.", key.parent)),
        changes: vec![Change::CreateTable { definition: Box::new(definition) }],
        touches_rows: true,
        up: batches(vec![create], &statement, count),
        down: Down::Script {
            script: Script { statements: back, transaction: Transaction::None, ..Script::default() },
            guards: Vec::new(),
        },
        locks: Vec::new(),
        guards: Vec::new(),
        done: Some(format!(
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {source} AS child WHERE {condition}) AND to_regclass({}) IS NOT NULL",
            bench.dialect.literal(&place)
        )),
    };
    Ok((vec![bench.step(want, draft)?], vec![guard]))
}
