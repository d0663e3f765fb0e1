//! Backups of the rows that a clean-up deletes or changes, on PostgreSQL and CockroachDB: no row is touched before it is in a
//! table of its own, from which it is restored. What becomes of that table afterwards is the user's to say.

use super::super::backup_common::{NAMED, counted_rows, is_alike, written_by_triggers};
use super::super::{Guard, OrphanPolicy, remedy};
use super::builder::{Builder, arrow, short_hash};
use crate::relations::side;
use crate::rows::identity::{is_another, lasting_key, same_key, same_values};
use crate::rows::{RelationRows, RowSet, TableRows};
use crate::schema::{Column, ForeignKey, Table, TableName};

/// How the comment of every backup begins.
pub(in crate::plan) const COMMENT: &str = "Rows of ";

/// The table that a key's rows are backed up in.
pub(in crate::plan) struct Backup {
    pub name: TableName,
    /// What is said of it in the database: whose rows they are, and what drops it.
    pub comment: String,
    /// The statement that drops it.
    pub drop: String,
}

impl Backup {
    /// Names the table for a clean-up. The same one of the same key always has the same; `None` if an earlier step of the plan
    /// cleans these very rows up, for another key that says the same.
    ///
    /// # Errors
    /// It is there already.
    pub(in crate::plan) fn of(
        builder: &Builder<'_>,
        table: &TableName,
        key: &ForeignKey,
        policy: OrphanPolicy,
    ) -> Result<Option<Self>, String> {
        let name = named(table, &arrow(table, key), policy);
        let drop = format!("DROP TABLE {}", builder.name(&name));
        if builder.now.table(&name).is_some() {
            if builder.context.schema.table(&name).is_none() {
                return Ok(None);
            }
            is_free(builder, &name)?;
        }
        let columns = key.columns.join(", ");
        let comment = match policy {
            OrphanPolicy::SetNull => {
                format!("{COMMENT}{table} as they were when {columns} named no row of {}", key.parent)
            }
            _ => format!("{COMMENT}{table} whose {columns} names no row of {}", key.parent),
        };
        Ok(Some(Self { name, comment, drop }))
    }

    /// Says where the rows are and what becomes of them.
    pub(in crate::plan) fn told(&self, policy: OrphanPolicy) -> String {
        let what = match policy {
            OrphanPolicy::SetNull => "As they were, the rows are backed up in",
            OrphanPolicy::Delete => "Before they go, the rows are backed up in",
            OrphanPolicy::Quarantine => "The rows are then in",
        };
        format!("{what} `{}`; when nobody needs them any more: `{}`.", self.name, self.drop)
    }
}

/// Names the table that rows are backed up in, within 63 bytes; `what` tells those of one table apart.
pub(in crate::plan) fn named(table: &TableName, what: &str, policy: OrphanPolicy) -> TableName {
    let start = if policy == OrphanPolicy::Quarantine { "_referee_quarantine_" } else { "_referee_kept_" };
    let hash = short_hash(what);
    let mut end = table.name.len().min(63 - start.len() - 1 - hash.len());
    while !table.name.is_char_boundary(end) {
        end -= 1;
    }
    TableName { schema: table.schema.clone(), name: format!("{start}{}_{hash}", &table.name[..end]) }
}

/// Sees that a backup's name is not taken. Whoever advises to drop a table says what it holds.
///
/// # Errors
/// There is such a table, which an earlier run may have left.
pub(in crate::plan) fn is_free(builder: &Builder<'_>, name: &TableName) -> Result<(), String> {
    let Some(table) = builder.now.table(name) else { return Ok(()) };
    let drop = format!("`DROP TABLE {}`", builder.name(name));
    let ours = table.comment.as_deref().is_some_and(|c| c.starts_with(COMMENT));
    let count = TableRows::of(builder.dialect, &builder.now, table).select("count(*)");
    Err(match builder.context.options.counts.get(&count) {
        Some(0) if ours => {
            format!("`{name}` is empty, left by a run that did not finish; go on with that run, or drop it: {drop}")
        }
        Some(0) => format!("`{name}` already exists, and is empty: rename it, or drop it if nobody needs it: {drop}"),
        Some(rows) => {
            let (rows, these, them) = if rows == 1 {
                ("1 row".into(), "this row", "it")
            } else {
                (format!("{rows} rows"), "these rows", "them")
            };
            let whose = if ours { " of an earlier run, maybe the only copy" } else { "" };
            format!(
                "`{name}` already exists and holds {rows}{whose}: rename it to keep {these}; {drop} deletes {them} for good"
            )
        }
        None => format!(
            "`{name}` already exists, and its rows were not counted: rename it, or look at them before you drop it"
        ),
    })
}

/// Writes that a row holds what its backup does beside the columns that were set to NULL: another one may have its key by now. The
/// texts of values are compared: not every type has an equality, and an equality may be too wide.
fn as_backed_up(builder: &Builder<'_>, table: &Table, changed: &[&String]) -> Vec<String> {
    let Some(written) = written_by_triggers(&builder.now, table) else { return Vec::new() };
    let others = table.columns.iter().filter(|c| !changed.contains(&&c.name) && c.generated.is_none());
    let others: Vec<&String> = others.map(|c| &c.name).filter(|c| !written.contains(c)).collect();
    same_values(builder.dialect, &others, ("child", "kept"))
}

/// Writes that a row `child` is the one backed up as `kept`, and still holds NULL in these columns.
pub(in crate::plan) fn still_null(
    builder: &Builder<'_>,
    table: &TableName,
    identity: &[String],
    (columns, changed): (&[&String], &[&String]),
) -> String {
    let of = builder.table(table).ok();
    let same = of.map_or_else(String::new, |t| same_key(builder.dialect, t, identity, ("child", "kept")));
    let null = columns.iter().map(|c| format!("child.{} IS NULL", builder.dialect.identifier(c)));
    let alike = of.map(|t| as_backed_up(builder, t, changed)).unwrap_or_default();
    std::iter::once(same).chain(null).chain(alike).collect::<Vec<_>>().join(" AND ")
}

/// Writes what gives rows back the references that were set to NULL, and the guard that each of them is there and still holds
/// NULL. `columns` are those references, `changed` all columns that the step sets to NULL; `child` is the table as it is written in
/// FROM, `place` the backup; the names are those of both.
pub(in crate::plan) fn references_back(
    builder: &Builder<'_>,
    child: &str,
    identity: &[String],
    (columns, changed): (&[&String], &[&String]),
    place: &str,
    (table, backup): (&TableName, &TableName),
) -> (String, Guard) {
    let quoted = |names: &[String]| names.iter().map(|c| builder.dialect.identifier(c)).collect::<Vec<_>>();
    let same = still_null(builder, table, identity, (columns, changed));
    let identity = quoted(identity);
    let columns: Vec<String> = columns.iter().map(|c| builder.dialect.identifier(c)).collect();
    let set: Vec<String> = columns.iter().map(|c| format!("{c} = kept.{c}")).collect();
    let names: Vec<String> = identity.iter().map(|c| format!("kept.{c}")).collect();
    let names = names.join(", ");
    let update = format!("UPDATE {child} AS child SET {} FROM {place} AS kept WHERE {same}", set.join(", "));
    let changed = Guard {
        sql: format!(
            "SELECT {names} FROM {place} AS kept WHERE NOT EXISTS (SELECT 1 FROM {child} AS child WHERE {same}) ORDER BY {names} LIMIT {NAMED}"
        ),
        found: format!("rows of `{table}` that were set to NULL have been changed or deleted since"),
        advice: format!(
            "to keep them as they are now, delete their copies from the backup `{backup}` (their old references are then lost), and run \
             the undo again"
        ),
    };
    (update, changed)
}

/// Returns what `CREATE TABLE … (LIKE …)` makes: names, types, collations and NOT NULL (manual, CREATE TABLE, LIKE).
pub(in crate::plan) fn copy(table: &Table, name: TableName, comment: Option<String>) -> Table {
    let plain = |c: &Column| Column { default: None, generated: None, auto_number: false, comment: None, ..c.clone() };
    let mut copy = Table::new(name);
    copy.columns = table.columns.iter().map(plain).collect();
    copy.comment = comment;
    copy
}

/// Returns the keys of a table that let no row without this parent come, whatever they do otherwise.
pub(in crate::plan) fn forbidding<'t>(table: &'t Table, key: &ForeignKey) -> Vec<&'t ForeignKey> {
    table.foreign_keys.iter().filter(|k| k.is_active() && is_alike(k, key)).collect()
}

/// Returns the keys of a table that let a row without this parent not come back once it is gone: it may break others, too, that
/// were never checked, or whose orphans this plan cleans up as well.
pub(in crate::plan) fn keeping_out<'t>(
    builder: &Builder<'_>,
    table: &'t Table,
    key: &ForeignKey,
) -> Vec<&'t ForeignKey> {
    let broken = |k: &ForeignKey| !k.validated || builder.is_doubtful(&table.name, k);
    table.foreign_keys.iter().filter(|k| k.is_active() && (is_alike(k, key) || broken(k))).collect()
}

/// Writes which rows have no parent by a key, as they were counted, and makes the guards that none is left that the key would refuse.
///
/// # Errors
/// Rows are NULL in part, and the key will not allow that: nobody has said what becomes of them.
pub(in crate::plan) fn kept_out(
    builder: &Builder<'_>,
    table: &TableName,
    key: &ForeignKey,
) -> Result<(RowSet, Vec<Guard>), String> {
    let of = builder.context.schema.table(table);
    let as_counted = of.map_or_else(|| key.clone(), |of| remedy::as_counted(of, key));
    let rows = RelationRows::of_key(builder.dialect, &builder.now, table, &as_counted).orphans();
    let child = side(table, &key.columns);
    let mut guards = vec![none_left(builder, &child, key, &rows)];
    if as_counted.matching != key.matching {
        let present = key.columns.iter().map(|c| format!("child.{} IS NOT NULL", builder.dialect.identifier(c)));
        let present: Vec<String> = present.collect();
        let condition = format!("({}) AND NOT ({})", present.join(" OR "), present.join(" AND "));
        let partly = RowSet { condition, ..rows.clone() };
        let advice = "fill the other columns or set all of them to NULL by hand, then plan again";
        if let Some(n) = builder.context.options.counts.get(&partly.count()).filter(|n| *n > 0) {
            let some = counted_rows(Some(n));
            return Err(format!(
                "{some} of `{table}` hold only a part of {child}, which MATCH FULL does not allow: {advice}"
            ));
        }
        guards.push(Guard {
            sql: partly.by_value(builder.dialect, ("child", &key.columns), "", NAMED),
            found: format!("rows of `{table}` hold only a part of {child}, which MATCH FULL does not allow"),
            advice: advice.to_string(),
        });
    }
    Ok((rows, guards))
}

/// Makes the guard that no row without parent is left: it names the values, and how many rows have each.
fn none_left(builder: &Builder<'_>, child: &str, key: &ForeignKey, rows: &RowSet) -> Guard {
    Guard {
        sql: rows.by_value(builder.dialect, ("child", &key.columns), "", NAMED),
        found: format!("{child} has orphans (no such row in `{}`)", key.parent),
        advice: "plan again with --orphans delete, set-null or quarantine, or change them by hand".to_string(),
    }
}

/// Writes the query that names the rows in which a column is NULL; counts them where nothing tells them apart.
pub(in crate::plan) fn nulls(builder: &Builder<'_>, table: &Table, column: &str) -> String {
    let (name, quoted) = (builder.name(&table.name), builder.dialect.identifier(column));
    match lasting_key(table, &[]) {
        Some(columns) => {
            let columns = builder.dialect.columns(columns);
            format!("SELECT {columns} FROM {name} WHERE {quoted} IS NULL ORDER BY {columns} LIMIT {NAMED}")
        }
        None => format!("SELECT count(*) AS rows FROM {name} WHERE {quoted} IS NULL HAVING count(*) > 0"),
    }
}

/// A key by which rows refer to those of a table: the rows `referrer` that refer to a row `child`.
struct Referring<'s> {
    child: &'s Table,
    key: ForeignKey,
    /// Whether a key declares it.
    declared: bool,
    rows: RowSet,
}

fn referring<'s>(builder: &Builder<'s>, table: &TableName) -> Vec<Referring<'s>> {
    // Keys of this plan come later.
    let schema = builder.context.schema;
    let keys = schema.foreign_keys().filter(|(_, k)| k.is_active() && !k.temporal);
    let keys = keys.map(|(child, key)| (child, key.clone(), true));
    let others = builder.context.undeclared().into_iter().map(|(child, key)| (child, key, false));
    // A row that goes lies in a partition: a key that refers to that one acts as well.
    let keys = keys.chain(others).filter(|(_, k, _)| schema.share_rows(&k.parent, table));
    keys.map(|(child, key, declared)| {
        let rows = RelationRows::of_key(builder.dialect, schema, &child.name, &key).children_of("child", "referrer");
        let part = (!schema.is_within(table, &key.parent)).then(|| within_part(builder, &key.parent));
        // A row that refers to itself goes with itself.
        let itself = schema.share_rows(&child.name, table);
        let other = itself.then(|| is_another(builder.dialect, child, ("referrer", "child"))).flatten();
        let rows = part.into_iter().chain(other).fold(rows, |rows, term| rows.and(&term));
        Referring { child, key, declared, rows }
    })
    .collect()
}

/// Asks, key by key, for rows that refer to rows without parent, which are about to go: they would go along, be changed or forbid
/// it, and nothing would bring them back.
pub(in crate::plan) fn referrers(builder: &Builder<'_>, table: &TableName, rows: &RowSet) -> Vec<Guard> {
    let guard = |referring: Referring<'_>| {
        let Referring { child, key, declared, rows: referrers } = referring;
        let action = if declared { format!(" (ON DELETE {})", key.on_delete) } else { String::new() };
        let beside = format!(", {} AS {}", referrers.source, referrers.alias);
        Guard {
            sql: rows.and(&referrers.condition).by_value(builder.dialect, ("referrer", &key.columns), &beside, NAMED),
            found: format!(
                "{} refers to rows of `{table}` that are orphans themselves and are about to go{action}",
                side(&child.name, &key.columns)
            ),
            advice: "fix or delete those that refer first, or choose --orphans set-null".to_string(),
        }
    };
    referring(builder, table).into_iter().map(guard).collect()
}

/// Writes that no row refers to a row `child`, to be added to a condition: who began to refer to it after the guards were asked
/// would go along. Empty where no key leads to the table.
pub(in crate::plan) fn spared(builder: &Builder<'_>, table: &TableName) -> String {
    let one = |r: Referring<'_>| format!(" AND {}", r.rows.none());
    referring(builder, table).into_iter().map(one).collect()
}

/// Writes that a row `child` of a partitioned table lies in one of its partitions.
fn within_part(builder: &Builder<'_>, part: &TableName) -> String {
    let of = |t: &Table| format!("pg_catalog.to_regclass({})", builder.dialect.literal(&builder.name(&t.name)));
    let all: Vec<String> = builder.context.schema.parts(part).into_iter().map(of).collect();
    format!("child.tableoid IN ({})", all.join(", "))
}
