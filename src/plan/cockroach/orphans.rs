//! Orphans, before a foreign key can hold. CockroachDB wants bulk changes in batches of limited size ("Bulk-delete Data"), and
//! has no loop that commits: the batches are statements, as many as the rows that were counted need. Each keeps its rows and changes them
//! in one statement, which is one transaction.

use super::super::acting;
use super::super::backup_common;
use super::super::closure::Closure;
use super::super::remedy::Remedy;
use super::super::servers::backups::{self, Backup};
use super::super::servers::builder::{Builder, Draft};
use super::super::{Bound, Down, Guard, OrphanPolicy, Phase, Script, Step, Transaction, Wanted};
use crate::change::Change;
use crate::relations::side;
use crate::rows::identity::{lasting_key, same_key};
use crate::rows::{RelationRows, RowSet};
use crate::schema::{ForeignKey, TableName};

/// How many rows are changed at once.
const BATCH: u64 = 10_000;

/// More batches than this are a job for a program and not for a migration.
const MOST: u64 = 500;

/// Makes the step that does away with the rows that a key would refuse, and the guard that counts those that are left.
pub(super) fn before_key(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    key: &ForeignKey,
) -> Result<(Vec<Step>, Vec<Guard>), String> {
    let (rows, guards) = backups::kept_out(builder, table, key)?;
    let (child, parent) = (side(table, &key.columns), &key.parent);
    let remedy = if want.orphans == Some(0) && !builder.loses_rows(parent, table) {
        None
    } else {
        builder.remedy(want, table, key)?
    };
    let count = match (want.orphans, &remedy) {
        (_, Some(Remedy::Leave | Remedy::Loosen(_))) => {
            return Err(format!(
                "{child} may have rows that refer to no row of `{parent}`, and the foreign key would not hold for them"
            ));
        }
        (Some(0), Some(_)) if builder.loses_rows(parent, table) => {
            return Err(format!(
                "rows of `{parent}` go first, which may leave orphans of {child} that could not be counted: run this plan, then plan again"
            ));
        }
        (Some(0), _) | (None, None) => return Ok((Vec::new(), guards)),
        (Some(n), None) => {
            return Err(format!(
                "{child} has {n} rows that refer to no row of `{parent}`, and the foreign key would not hold for them: say what becomes of them \
                 with --orphans delete, set-null or quarantine, or change them by hand"
            ));
        }
        (None, Some(_)) => {
            return Err(format!(
                "the orphans of {child} (no such row in `{parent}`) were not counted, and CockroachDB needs to be told in how many batches \
                 they are changed: plan again with rows counted"
            ));
        }
        (Some(n), Some(_)) if n > MOST * BATCH => {
            return Err(format!(
                "{child} has {n} rows that refer to no row of `{parent}`: too many for a migration, change them by a program first"
            ));
        }
        (Some(n), Some(_)) => n,
    };
    let (policy, columns) = match remedy {
        Some(Remedy::SetNull(columns)) => (OrphanPolicy::SetNull, columns),
        Some(Remedy::Remove(policy)) => (policy, Vec::new()),
        _ => return Ok((Vec::new(), guards)),
    };
    let Some(backup) = Backup::of(builder, table, key, policy)? else { return Ok((Vec::new(), guards)) };
    let nulled = (policy == OrphanPolicy::SetNull).then_some(columns.as_slice());
    acting::acted_on(builder.context.options, &builder.now, builder.table(table)?, &[key], nulled)?;
    let told = acting::triggers(&builder.now, builder.table(table)?, nulled, &acting::each_of(Some(count)));
    let work =
        Work { table, key, rows: &rows, count, told, policy, place: builder.name(&backup.name), backup: &backup };
    let draft = match policy {
        OrphanPolicy::SetNull => work.set_null(builder, &columns)?,
        OrphanPolicy::Delete | OrphanPolicy::Quarantine => work.take_away(builder)?,
    };
    let mut step = builder.step(want, draft)?;
    let bound = backup_common::bound(&rows, count, table, policy);
    step.bounds.push(acting::undone(builder.context.options, bound, &[key], nulled));
    Ok((vec![step], guards))
}

/// Sees that no row refers to an orphan that is to be deleted: several tables are not changed in one transaction here.
///
/// # Errors
/// Rows do, or were not counted.
pub(super) fn clean(builder: &mut Builder<'_>, closure: &Closure) -> Result<Option<(Draft, Vec<Bound>)>, String> {
    for one in closure.relations().iter().chain(&closure.blocks) {
        for seed in closure.seeds.iter().filter(|s| s.child == one.key.parent) {
            let orphans = RelationRows::of_key(builder.dialect, &builder.now, &seed.child, &seed.key).orphans();
            let relation = RelationRows::of_key(builder.dialect, &builder.now, &one.child, &one.key);
            let query = relation.referring_to(&format!("({})", orphans.select("child.*"))).count();
            let (of, to) = (side(&one.child, &one.key.columns), side(&seed.child, &seed.key.columns));
            match builder.context.options.counts.get(&query) {
                Some(0) => {}
                Some(n) => {
                    return Err(format!(
                        "{} of {of} refer to orphans of {to}. On CockroachDB referee deletes no row that others refer to: change or delete \
                         those first",
                        backup_common::counted_rows(Some(n))
                    ));
                }
                None => {
                    return Err(format!(
                        "rows of {of} may refer to orphans of {to}, and were not counted. On CockroachDB referee deletes no row that others \
                         refer to: plan again with rows counted"
                    ));
                }
            }
        }
    }
    Ok(None)
}

struct Work<'a> {
    table: &'a TableName,
    key: &'a ForeignKey,
    rows: &'a RowSet,
    count: u64,
    /// Which triggers act on the rows.
    told: String,
    policy: OrphanPolicy,
    backup: &'a Backup,
    /// The table that the rows are kept in, as it is written.
    place: String,
}

impl Work<'_> {
    /// The step; `statement` keeps one batch and changes it, `back` gives all rows back.
    fn draft(
        &self,
        builder: &Builder<'_>,
        title: &str,
        statement: impl Fn(Batch) -> String,
        down: Down,
    ) -> Result<Draft, String> {
        let table = builder.table(self.table)?;
        let place = &self.place;
        let make = vec![
            format!("CREATE TABLE IF NOT EXISTS {place} (LIKE {})", builder.name(self.table)),
            format!("COMMENT ON TABLE {place} IS {}", builder.dialect.literal(&self.backup.comment)),
        ];
        let why = format!(
            "Rows whose parent is missing cannot satisfy the foreign key to `{}`.{} {}",
            self.key.parent,
            self.told,
            self.backup.told(self.policy)
        );
        let definition = backups::copy(table, self.backup.name.clone(), Some(self.backup.comment.clone()));
        Ok(Draft {
            phase: Phase::Orphans,
            title: format!("{title} ({})", backup_common::counted_rows(Some(self.count))),
            why: Some(why),
            changes: vec![Change::CreateTable { definition: Box::new(definition) }],
            touches_rows: true,
            up: batches(make, statement, place, self.count),
            down,
            locks: Vec::new(),
            guards: Vec::new(),
            done: Some(format!(
                "SELECT 1 WHERE {} AND to_regclass({}) IS NOT NULL",
                self.rows.none(),
                builder.dialect.literal(place)
            )),
        })
    }

    fn columns(&self, builder: &Builder<'_>, of: &str, generated: bool) -> Result<String, String> {
        let columns = builder.table(self.table)?.columns.iter().filter(|c| generated || c.generated.is_none());
        let all: Vec<String> = columns.map(|c| format!("{of}{}", builder.dialect.identifier(&c.name))).collect();
        Ok(all.join(", "))
    }

    /// The way back. Under a key that forbids these rows there is none: a key cannot be dropped and added in one transaction.
    fn back(&self, builder: &Builder<'_>, keys: &[&ForeignKey], statement: String, guards: Vec<Guard>) -> Down {
        if let Some(key) = keys.first() {
            let name = key.name.as_ref().map_or_else(|| format!("on ({})", key.columns.join(", ")), Clone::clone);
            return Down::Impossible(format!(
                "the key {name} lets no row without a parent back in; they are kept in `{}`: drop the key first, then run `{statement}`",
                self.backup.name
            ));
        }
        let text = format!("rows are left in {}: they did not come back, nothing is dropped", self.backup.name);
        let text = builder.dialect.literal(&text);
        let all_back =
            format!("SELECT CAST(CASE WHEN count(*) > 0 THEN {text} ELSE '0' END AS INT8) FROM {}", self.place);
        let statements = vec![statement, all_back, self.backup.drop.clone()];
        Down::Script { script: Script { statements, transaction: Transaction::None, ..Script::default() }, guards }
    }

    /// Writes a statement that takes rows out of the backup and puts them back at once, so that one that is run again after it stopped
    /// puts back none twice.
    fn moved(&self, columns: &str, condition: &str, back: &str) -> String {
        format!("WITH moved AS (DELETE FROM {} AS kept{condition} RETURNING {columns}) {back}", self.place)
    }

    fn take_away(&self, builder: &Builder<'_>) -> Result<Draft, String> {
        let (place, RowSet { source, condition, .. }) = (&self.place, self.rows);
        let all = self.columns(builder, "", true)?;
        let (spared, listed) = (backups::spared(builder, self.table), self.columns(builder, "child.", true)?);
        let statement = |Batch { limit, allowed }: Batch| {
            format!(
                "WITH moved AS (DELETE FROM {source} AS child WHERE {condition}{spared}{allowed} LIMIT {limit} RETURNING {listed}) INSERT \
                 INTO {place} ({all}) SELECT {all} FROM moved"
            )
        };
        let own = self.columns(builder, "", false)?;
        let insert = format!("INSERT INTO {} ({own}) SELECT {own} FROM moved", builder.name(self.table));
        let back = self.moved(&own, "", &insert);
        let (child, parent) = (side(self.table, &self.key.columns), &self.key.parent);
        let title = match self.policy {
            OrphanPolicy::Delete => format!("Delete the orphans of {child} (no such row in {parent})"),
            _ => format!("Move the orphans of {child} (no such row in {parent}) to {}", self.backup.name),
        };
        let down =
            self.back(builder, &backups::keeping_out(builder, builder.table(self.table)?, self.key), back, Vec::new());
        let mut draft = self.draft(builder, &title, statement, down)?;
        draft.guards = backups::referrers(builder, self.table, self.rows);
        Ok(draft)
    }

    fn set_null(&self, builder: &Builder<'_>, columns: &[String]) -> Result<Draft, String> {
        let of = builder.table(self.table)?;
        let (child, parent) = (side(self.table, &self.key.columns), &self.key.parent);
        let nulled: Vec<&String> = columns.iter().collect();
        let Some(identity) = lasting_key(of, &nulled) else {
            return Err(format!(
                "`{}` has no primary key by which its rows are found again to be set to NULL: choose --orphans delete or quarantine",
                self.table
            ));
        };
        let quoted = |names: &[String]| names.iter().map(|c| builder.dialect.identifier(c)).collect::<Vec<_>>();
        let same = same_key(builder.dialect, of, identity, ("child", "kept"));
        let columns: Vec<String> = nulled.iter().map(|c| builder.dialect.identifier(c)).collect();
        let (place, RowSet { source, condition, .. }) = (&self.place, self.rows);
        let all = self.columns(builder, "", true)?;
        let null: Vec<String> = columns.iter().map(|c| format!("{c} = NULL")).collect();
        let (listed, by, null) = (self.columns(builder, "child.", true)?, quoted(identity).join(", "), null.join(", "));
        let statement = |Batch { limit, allowed }: Batch| {
            format!(
                "WITH kept AS (INSERT INTO {place} ({all}) SELECT {listed} FROM {source} AS child WHERE {condition}{allowed} LIMIT {limit} \
                 RETURNING {by}) UPDATE {source} AS child SET {null} FROM kept WHERE {same}"
            )
        };
        let name = builder.name(self.table);
        let names = (self.table, &self.backup.name);
        let (_, changed) = backups::references_back(builder, &name, identity, (&nulled, &nulled), place, names);
        let (back, _) = backups::references_back(builder, &name, identity, (&nulled, &nulled), "moved", names);
        // One that has been changed since the guard looked stays in the backup.
        let still = backups::still_null(builder, self.table, identity, (&nulled, &nulled));
        let back = self.moved(&all, &format!(" WHERE EXISTS (SELECT 1 FROM {name} AS child WHERE {still})"), &back);
        let title = format!("Set {child} to NULL where it names no row of {parent}");
        self.draft(
            builder,
            &title,
            statement,
            self.back(builder, &backups::forbidding(of, self.key), back, vec![changed]),
        )
    }
}

/// How many rows a statement changes at most.
struct Batch {
    limit: u64,
    /// A condition, to be added: no more rows lie in the table that they are kept in than leave room for these.
    allowed: String,
}

/// Writes as many batches as the rows need that were counted: no more of them are changed, by this run and by one before it that was
/// stopped.
fn batches(mut statements: Vec<String>, statement: impl Fn(Batch) -> String, place: &str, count: u64) -> Script {
    let mut left = count;
    while left > 0 {
        let limit = left.min(BATCH);
        let allowed = format!(" AND (SELECT count(*) FROM {place}) <= {}", count - limit);
        statements.push(statement(Batch { limit, allowed }));
        left -= limit;
    }
    Script { statements, transaction: Transaction::None, ..Script::default() }
}
