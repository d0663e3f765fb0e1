//! Rows without parent, before a key can hold: deleted, let go of their reference, or put aside, in batches.
//!
//! The rows are found once and then changed by their place (`ctid`), each time looking again whether they still have no parent;
//! what was written meanwhile is found by the next round. A batch is committed by itself (manual, 43.8: COMMIT in DO, which
//! therefore runs in no transaction), so that no row stays locked for long.

use super::super::bench::{Bench, Draft, short_hash};
use super::super::{Blocks, Down, Guard, Held, OrphanPolicy, Phase, Step, Wanted};
use super::{catalog, each, locks, sql, whole};
use crate::change::Change;
use crate::orphans::{OrphanRows, orphan_rows};
use crate::relations::{Relation, side};
use crate::schema::{Column, ForeignKey, Match, Table, TableName};

/// How many rows are changed at once.
const BATCH: u32 = 10_000;

/// Makes the step that does away with the rows that a key would refuse, as far as that was asked for, and the guard that counts
/// those that are left. `existing` is the key, or the one it replaces, where one is there already.
pub(super) fn before_key(
    bench: &mut Bench<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
    existing: Option<&ForeignKey>,
) -> Result<(Vec<Step>, Vec<Guard>), String> {
    if key.temporal || !key.enforced {
        // Periods that cover each other are not counted; a key that is not enforced asks nothing.
        return Ok((Vec::new(), Vec::new()));
    }
    let relation = Relation::declared(&bench.now, table, key);
    let rows = orphan_rows(bench.dialect, &bench.now, &relation);
    let (child, parent) = (relation.child_side(), &key.parent);
    let guard = Guard {
        sql: format!(
            "SELECT count(*) AS rows_without_parent FROM {} AS child WHERE {} HAVING count(*) > 0",
            rows.source, rows.condition
        ),
        message: format!(
            "{child} has rows without a parent in `{parent}`; plan again with --orphans delete, set-null or quarantine, or repair them by hand"
        ),
    };
    let count = match want.orphans {
        Some(0) => return Ok((Vec::new(), vec![guard])),
        Some(1) => "1 row".to_string(),
        Some(n) => format!("{n} rows"),
        None => "rows that were not counted".to_string(),
    };
    let Some(policy) = bench.workshop.options.orphans else {
        if want.orphans.is_none() {
            return Ok((Vec::new(), vec![guard]));
        }
        return Err(format!(
            "{child} has {count} without a parent in `{parent}`, and the key would not hold for them: say what becomes of them with \
             --orphans delete, set-null or quarantine, or repair them by hand"
        ));
    };
    let work = Work { table, key, existing, rows: &rows, count: &count };
    let draft = match policy {
        OrphanPolicy::Delete => work.delete(bench),
        OrphanPolicy::SetNull => work.set_null(bench)?,
        OrphanPolicy::Quarantine => work.quarantine(bench)?,
    };
    Ok((vec![bench.step(want, draft)?], vec![guard]))
}

struct Work<'a> {
    table: &'a TableName,
    key: &'a ForeignKey,
    existing: Option<&'a ForeignKey>,
    rows: &'a OrphanRows,
    count: &'a str,
}

impl Work<'_> {
    fn side(&self) -> String {
        side(self.table, &self.key.columns)
    }

    fn draft(&self, title: String, statements: Vec<String>, down: Down, done: String) -> Draft {
        Draft {
            phase: Phase::Orphans,
            title,
            why: Some(format!("Rows whose parent is missing cannot satisfy the key to `{}`.", self.key.parent)),
            changes: Vec::new(),
            touches_rows: true,
            up: each(statements),
            down,
            locks: locks([self.table.clone()], "ROW EXCLUSIVE", Blocks::Nothing, Held::Scan),
            guards: Vec::new(),
            done: Some(done),
        }
    }

    /// A query that returns a row when no row without parent is left.
    fn none_left(&self) -> String {
        let OrphanRows { source, condition } = self.rows;
        format!("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {source} AS child WHERE {condition})")
    }

    /// Runs a statement on one batch after the other. It ends in a condition, to which that of the batch is added.
    fn in_batches(&self, change: &str) -> String {
        let OrphanRows { source, condition } = self.rows;
        format!(
            "DO $referee$\n\
             DECLARE\n  batch record;\n  changed bigint;\n  total bigint;\n\
             BEGIN\n  LOOP\n    total := 0;\n\
             \x20   FOR batch IN\n\
             \x20     SELECT pg_catalog.array_agg(o.place) AS places FROM (\n\
             \x20       SELECT child.ctid AS place, (pg_catalog.row_number() OVER () - 1) / {BATCH} AS number\n\
             \x20       FROM {source} AS child WHERE {condition}) AS o\n\
             \x20     GROUP BY o.number\n\
             \x20   LOOP\n\
             \x20     {change};\n\
             \x20     GET DIAGNOSTICS changed = ROW_COUNT;\n\
             \x20     total := total + changed;\n\
             \x20     COMMIT;\n\
             \x20   END LOOP;\n\
             \x20   EXIT WHEN total = 0;\n\
             \x20 END LOOP;\n\
             END\n$referee$"
        )
    }

    fn of_batch(&self) -> String {
        format!("child.ctid = ANY (batch.places) AND {}", self.rows.condition)
    }

    fn delete(&self, bench: &Bench<'_>) -> Draft {
        let change = format!("DELETE FROM {} AS child WHERE {}", self.rows.source, self.of_batch());
        let mut title =
            format!("Delete the rows of {} without a parent in {} ({})", self.side(), self.key.parent, self.count);
        let follow: Vec<String> = bench
            .now
            .foreign_keys()
            .filter(|(_, k)| k.parent == *self.table && k.is_active() && !k.on_delete.refuses())
            .map(|(t, k)| format!("{} ON DELETE {}", side(&t.name, &k.columns), k.on_delete))
            .collect();
        if !follow.is_empty() {
            title.push_str(&format!("; what refers to them follows: {}", follow.join(", ")));
        }
        let down = Down::Impossible(format!("the rows of `{}` that were deleted are not kept", self.table));
        let mut draft = self.draft(title, vec![self.in_batches(&change)], down, self.none_left());
        draft.guards = self.referrers(bench, true);
        draft
    }

    fn set_null(&self, bench: &Bench<'_>) -> Result<Draft, String> {
        let table = bench.table(self.table)?;
        let can = |c: &&String| table.is_nullable(c) && !table.in_primary_key(c);
        let full = self.key.matching == Match::Full;
        // Under MATCH SIMPLE one NULL is enough; under MATCH FULL all columns have to be.
        let columns: Vec<&String> =
            if full { &self.key.columns } else { self.key.changed_columns() }.iter().filter(can).collect();
        if columns.is_empty() || full && columns.len() < self.key.columns.len() {
            return Err(format!(
                "{} has {} without a parent in `{}`, and the reference cannot become NULL: choose --orphans delete or quarantine",
                self.side(),
                self.count,
                self.key.parent
            ));
        }
        let set: Vec<String> = columns.iter().map(|c| format!("{} = NULL", bench.dialect.identifier(c))).collect();
        let change = format!("UPDATE {} AS child SET {} WHERE {}", self.rows.source, set.join(", "), self.of_batch());
        let title =
            format!("Set {} to NULL where it names no row of {} ({})", self.side(), self.key.parent, self.count);
        let down = Down::Impossible(format!("what {} held in rows without parent is not kept", self.side()));
        Ok(self.draft(title, vec![self.in_batches(&change)], down, self.none_left()))
    }

    fn quarantine(&self, bench: &Bench<'_>) -> Result<Draft, String> {
        let table = bench.table(self.table)?;
        let name = quarantine_name(self.table, self.key);
        if bench.now.table(&name).is_some() {
            return Err(format!(
                "`{name}` is there already, with rows of an earlier run: look at them, then drop or rename it"
            ));
        }
        let comment =
            format!("Rows of {} whose {} names no row of {}", self.table, self.key.columns.join(", "), self.key.parent);
        let place = bench.name(&name);
        let all: Vec<String> = table.columns.iter().map(|c| bench.dialect.identifier(&c.name)).collect();
        let returned: Vec<String> = all.iter().map(|c| format!("child.{c}")).collect();
        let all = all.join(", ");
        let change = format!(
            "WITH moved AS (DELETE FROM {} AS child WHERE {} RETURNING {}) INSERT INTO {place} ({all}) SELECT {all} FROM moved",
            self.rows.source,
            self.of_batch(),
            returned.join(", "),
        );
        let statements = vec![
            format!("CREATE TABLE IF NOT EXISTS {place} (LIKE {})", bench.name(self.table)),
            format!("COMMENT ON TABLE {place} IS {}", bench.dialect.literal(&comment)),
            self.in_batches(&change),
        ];
        let done = format!("{} AND {} IS NOT NULL", self.none_left(), catalog::relation(bench, &place));
        let title = format!(
            "Move the rows of {} without a parent in {} to {name} ({})",
            self.side(),
            self.key.parent,
            self.count
        );
        let mut draft = self.draft(title, statements, self.bring_back(bench, table, &place), done);
        draft.changes = vec![Change::CreateTable { definition: Box::new(copy(table, name, comment)) }];
        // Whoever refers to a row would be deleted or emptied with it, and not be brought back.
        draft.guards = self.referrers(bench, false);
        Ok(draft)
    }

    fn bring_back(&self, bench: &Bench<'_>, table: &Table, place: &str) -> Down {
        let columns: Vec<String> =
            table.columns.iter().filter(|c| c.generated.is_none()).map(|c| bench.dialect.identifier(&c.name)).collect();
        let columns = columns.join(", ");
        let child = bench.name(self.table);
        let insert = format!("INSERT INTO {child} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {place}");
        let mut statements = vec![insert, format!("DROP TABLE {place}")];
        if let Some(key) = self.existing.filter(|k| k.is_active()) {
            let name = sql::key_name(table, key);
            if key.validated {
                return Down::Impossible(format!(
                    "the key {name} says that all rows have a parent, and lets none back in"
                ));
            }
            // The key was there before, and lets such rows stay but not come.
            let alter = sql::alter(bench, self.table);
            statements.insert(0, format!("{alter} DROP CONSTRAINT {}", bench.dialect.identifier(&name)));
            statements.push(format!("{alter} ADD {}", sql::key(bench, key, &name, true)));
            statements.extend(sql::key_comment(bench, self.table, key, &name));
        }
        Down::Script { script: whole(statements), guards: Vec::new() }
    }

    /// Asks, key by key, for rows of other tables that refer to rows without parent.
    fn referrers(&self, bench: &Bench<'_>, only_refusing: bool) -> Vec<Guard> {
        let keys = bench.now.foreign_keys().filter(|(_, k)| {
            k.parent == *self.table && k.is_active() && !k.temporal && (k.on_delete.refuses() || !only_refusing)
        });
        keys.map(|(other, key)| {
            let pairs = key.columns.iter().zip(&key.parent_columns);
            let equal: Vec<String> = pairs
                .map(|(a, b)| {
                    format!("referrer.{} = child.{}", bench.dialect.identifier(a), bench.dialect.identifier(b))
                })
                .collect();
            let side = side(&other.name, &key.columns);
            Guard {
                sql: format!(
                    "SELECT {} AS refers FROM {} AS child JOIN {} AS referrer ON {} WHERE {} LIMIT 1",
                    bench.dialect.literal(&side),
                    self.rows.source,
                    bench.name(&other.name),
                    equal.join(" AND "),
                    self.rows.condition
                ),
                message: format!(
                    "{side} refers to rows of `{}` that have no parent themselves: repair those first",
                    self.table
                ),
            }
        })
        .collect()
    }
}

/// Names the table that rows are moved to, within 63 bytes.
fn quarantine_name(table: &TableName, key: &ForeignKey) -> TableName {
    let hash = short_hash(&super::super::bench::arrow(table, key));
    let room = 63 - "_referee_quarantine__".len() - hash.len();
    let mut end = table.name.len().min(room);
    while !table.name.is_char_boundary(end) {
        end -= 1;
    }
    TableName { schema: table.schema.clone(), name: format!("_referee_quarantine_{}_{hash}", &table.name[..end]) }
}

/// Returns what `CREATE TABLE … (LIKE …)` makes: names, types, collations and NOT NULL (manual, CREATE TABLE, LIKE).
fn copy(table: &Table, name: TableName, comment: String) -> Table {
    let plain = |c: &Column| Column { default: None, generated: None, auto_number: false, comment: None, ..c.clone() };
    let mut copy = Table::new(name);
    copy.columns = table.columns.iter().map(plain).collect();
    copy.comment = Some(comment);
    copy
}
