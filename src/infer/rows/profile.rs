//! What is kept of each column: its values as hashes, its range, a few values to look up.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Fit, ReadOptions, Reader, sql};
use crate::engine::Value;
use crate::infer::{Survey, scoring};
use crate::schema::{self, Family, Table, TableName};

/// How many hashes are kept in all: 16 bytes each with their table's slack.
const HASHES: usize = 8_000_000;
/// How many values of a column are looked up where the parent was not read whole.
const LOOK_UPS: usize = 60;
/// How many look-ups are made in all.
const ALL_LOOK_UPS: usize = 4_000;
/// Tables of so many columns, all of the same types in the same order, are built alike on purpose.
const TWINS: usize = 5;
/// From so many tables built alike on, columns at one place of them are compared together.
const POOL: usize = 4;
/// So many values of them are put together at most.
const POOLED: usize = 200_000;

/// One column's values.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// How many rows that were read have a value.
    pub filled: u64,
    /// The distinct values.
    pub distinct: HashSet<u64>,
    /// Some of them, spread over what was read.
    pub some: Vec<Value>,
    /// Least and greatest, if all are whole numbers.
    pub range: Option<(i64, i64)>,
    /// Whether all rows were read.
    pub whole: bool,
    numbers: bool,
    /// The value before, in how many rows one was before, and in how many of those it was not greater.
    before: Option<Value>,
    steps: u64,
    rises: u64,
}

impl Column {
    fn add(&mut self, value: Value) {
        if value == Value::Null {
            return;
        }
        self.filled += 1;
        let number = value.integer();
        if let Some(before) = self.before.replace(value.clone()) {
            self.steps += 1;
            self.rises += u64::from(rises(&before, &value));
        }
        if !self.distinct.insert(hash(&value)) {
            return;
        }
        let is_first = self.distinct.len() == 1;
        self.numbers = (is_first || self.numbers) && number.is_some();
        self.range = match (self.range, number) {
            (Some((low, high)), Some(n)) if self.numbers => Some((low.min(n), high.max(n))),
            (None, Some(n)) if is_first => Some((n, n)),
            _ => None,
        };
        let every = (self.distinct.len() / LOOK_UPS + 1).next_power_of_two();
        if self.some.len() < LOOK_UPS {
            self.some.push(value);
        } else if self.distinct.len().is_multiple_of(every) {
            let at = self.distinct.len() / every % LOOK_UPS;
            self.some[at] = value;
        }
    }

    /// Adds the values of another column.
    fn merge(&mut self, other: &Self) {
        let is_first = self.distinct.is_empty();
        self.range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (None, b) if is_first => b,
            _ => None,
        };
        self.filled += other.filled;
        self.steps += other.steps;
        self.rises += other.rises;
        self.distinct.extend(&other.distinct);
        self.some.extend(other.some.iter().take(LOOK_UPS.saturating_sub(self.some.len())).cloned());
    }

    /// Returns in which share of rows the value is not less than in the row before: rows that belong together are often
    /// written together, measures go up and down.
    pub fn rising(&self) -> f64 {
        ratio(self.rises, self.steps)
    }

    /// Tells whether the values are the numbers from 0 or 1 to the greatest, as the keys of a table of its own are.
    fn is_run(&self) -> bool {
        self.range.is_some_and(|(low, high)| {
            (0..=1).contains(&low) && high.abs_diff(low).saturating_add(1) == self.distinct.len() as u64
        })
    }

    /// Tells whether numbers are missing between the least and the greatest.
    pub fn has_gaps(&self) -> bool {
        let distinct = self.distinct.len() as u64;
        self.range.is_some_and(|(low, high)| high.abs_diff(low) > distinct.saturating_mul(2))
    }

    /// Tells whether no two rows that were read share a value.
    pub fn is_unique(&self) -> bool {
        self.filled == self.distinct.len() as u64
    }
}

fn rises(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Text(a), Value::Text(b)) => match (before.integer(), after.integer()) {
            (Some(a), Some(b)) => a <= b,
            _ => a <= b,
        },
        _ => before.integer() <= after.integer(),
    }
}

/// A value's hash; `1`, `1.0` and `'1'` are one value, as a column's affinity makes them.
fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // compared back
        Value::Real(x) if (*x as i64) as f64 == *x => (*x as i64).to_string().hash(&mut hasher),
        other => other.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

/// The values that a column is compared by.
pub(super) struct Told<'p> {
    pub values: &'p Column,
    pub by: By<'p>,
}

/// Whose values they are.
pub(super) enum By<'p> {
    Itself,
    /// Those of a table that is built alike; the column's own table is empty.
    Lender(&'p TableName),
    /// Those of so many columns together.
    Alike(usize),
}

/// Groups tables by their form; those of fewer columns are left out.
fn alike<'s, F: Ord>(survey: &Survey<'s>, columns: usize, form: impl Fn(&Table) -> F) -> BTreeMap<F, Vec<&'s Table>> {
    let mut alike: BTreeMap<F, Vec<&Table>> = BTreeMap::new();
    for table in survey.schema.tables.iter().filter(|t| t.columns.len() >= columns) {
        alike.entry(form(table)).or_default().push(table);
    }
    alike
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    columns: BTreeMap<(TableName, String), Column>,
    rows: BTreeMap<TableName, u64>,
    ranges: BTreeMap<(TableName, String), (i64, i64)>,
    /// Whose values stand for those of an empty column.
    lent: BTreeMap<(TableName, String), (TableName, String)>,
    /// The values of several columns together, of how many they are, and which columns' they are.
    pools: Vec<(Column, usize)>,
    pooled: BTreeMap<(TableName, String), usize>,
    look_ups: std::cell::Cell<usize>,
}

impl Profiles {
    /// Reads every table that holds a column which may refer, or may be referred to.
    pub fn read(survey: &Survey<'_>, reader: &mut Reader<'_>, options: &ReadOptions) -> Self {
        let mut profiles = Self::default();
        let mut kept = 0;
        for table in survey.schema.tables.iter().filter(|t| super::super::holds_rows_of_its_own(t) && t.readable) {
            if reader.late() {
                break;
            }
            if let Some(filter) = &table.row_filter {
                let failure = format!("{}: {}; {}", table.name, filter.what(&table.name), filter.remedy());
                reader.read.failures.push(failure);
                continue;
            }
            // Values that the engine takes for equal though their texts differ are compared by the engine only.
            let columns: Vec<&schema::Column> =
                table.columns.iter().filter(|c| scoring::can_refer(c) && !c.compares_by_its_own_rules()).collect();
            let columns: Vec<_> = columns.into_iter().filter(|c| table.unreadable([&c.name]).is_none()).collect();
            if columns.is_empty() {
                continue;
            }
            profiles.read_table(table, &columns, reader, options, &mut kept);
            reader.read.tables += 1;
        }
        profiles.lend(survey);
        profiles.pool(survey);
        profiles
    }

    fn read_table(
        &mut self,
        table: &Table,
        columns: &[&schema::Column],
        reader: &mut Reader<'_>,
        options: &ReadOptions,
        kept: &mut usize,
    ) {
        let rows_of = reader.rows_of(table);
        let whole = if *kept > HASHES { options.sample } else { options.whole };
        let Some(counted) = reader.ask(&table.name, &rows_of.count_up_to(whole)) else { return };
        let counted = counted.rows.first().and_then(|r| r.first()?.integer()).unwrap_or(0);
        let counted = usize::try_from(counted).unwrap_or(0);
        let is_small = counted <= whole;
        let rows = if is_small { counted as u64 } else { self.estimate(table, reader, counted as u64) };
        self.rows.insert(table.name.clone(), rows);
        if rows == 0 {
            return;
        }
        // Wide tables are read a few columns at a time, so that no answer is larger than it must be.
        for part in columns.chunks(24) {
            let listed = sql::list(&rows_of, part);
            let read = if is_small {
                reader.ask(&table.name, &rows_of.select(&listed))
            } else {
                let read = reader.ask(&table.name, &rows_of.sample(&listed, rows, options.sample));
                match read {
                    Some(read) if read.rows.len() * 10 >= options.sample => Some(read),
                    _ => reader.ask(&table.name, &rows_of.first(&listed, options.sample)),
                }
            };
            let Some(read) = read else { continue };
            let mut made: Vec<Column> = part.iter().map(|_| Column { whole: is_small, ..Column::default() }).collect();
            for row in read.rows {
                for (column, value) in made.iter_mut().zip(row) {
                    column.add(value);
                }
            }
            for (of, mut column) in part.iter().zip(made) {
                column.distinct.shrink_to_fit();
                *kept += column.distinct.len();
                column.before = None;
                self.columns.insert((table.name.clone(), of.name.clone()), column);
            }
        }
        // PostgreSQL 15 has no min(uuid), and only the range of numbers is used.
        let is_number = |key: &&schema::Column| matches!(key.data_type.family, Family::Integer | Family::Any);
        if !is_small && let Some(key) = scoring::sole_key(table).filter(is_number) {
            let range = reader.ask(&table.name, &rows_of.range(&key.name));
            let range =
                range.and_then(|r| Some((r.rows.first()?.first()?.integer()?, r.rows.first()?.get(1)?.integer()?)));
            if let Some(range) = range {
                self.ranges.insert((table.name.clone(), key.name.clone()), range);
            }
        }
    }

    fn estimate(&self, table: &Table, reader: &mut Reader<'_>, least: u64) -> u64 {
        if let Some(rows) = table.row_estimate.filter(|n| *n > least) {
            return rows;
        }
        if let Some(sql) = reader.rows_of(table).most_rows() {
            let rows = reader.ask(&table.name, &sql).and_then(|r| r.rows.first()?.first()?.integer());
            return rows.and_then(|n| u64::try_from(n).ok()).unwrap_or(least).max(least);
        }
        least
    }

    /// Gives each column of an empty table what was read of the same column of the tables that are built alike: a partition
    /// or an archive that is still empty refers to what the filled ones refer to.
    fn lend(&mut self, survey: &Survey<'_>) {
        let form = |t: &Table| t.columns.iter().map(|c| (c.data_type.raw.clone(), c.nullable)).collect::<Vec<_>>();
        for tables in alike(survey, TWINS, form).values().filter(|t| t.len() > 1) {
            for at in 0..tables[0].columns.len() {
                let name = |t: &Table| (t.name.clone(), t.columns[at].name.clone());
                let filled = |t: &Table| self.columns.get(&name(t)).map_or(0, |c| c.filled);
                let Some(fullest) = tables.iter().filter(|t| filled(t) > 0).max_by_key(|t| filled(t)) else { continue };
                let lender = name(fullest);
                let empty: Vec<&&Table> = tables.iter().filter(|t| self.rows(&t.name) == Some(0)).collect();
                self.lent.extend(empty.into_iter().map(|t| (name(t), lender.clone())));
            }
        }
    }

    /// Puts together what was read of columns at one place of many tables that are built alike, where they share their
    /// values: each may hold a few of a parent's keys only, and all together tell which parent it is.
    fn pool(&mut self, survey: &Survey<'_>) {
        let form = |t: &Table| {
            t.columns
                .iter()
                .map(|c| (c.data_type.raw.clone(), c.nullable, t.in_primary_key(&c.name)))
                .collect::<Vec<_>>()
        };
        for tables in alike(survey, 2, form).values().filter(|t| t.len() >= POOL) {
            for at in 0..tables[0].columns.len() {
                let names: Vec<_> = tables.iter().map(|t| (t.name.clone(), t.columns[at].name.clone())).collect();
                let own: Vec<&Column> =
                    names.iter().filter_map(|n| self.columns.get(n)).filter(|c| c.filled > 0).collect();
                let held: usize = own.iter().map(|c| c.distinct.len()).sum();
                if own.len() < POOL || held > POOLED {
                    continue;
                }
                let mut all = Column { whole: own.iter().all(|c| c.whole), ..Column::default() };
                for column in &own {
                    all.merge(column);
                }
                // Where each column has values of its own, they are keys of different tables.
                let runs = own.iter().filter(|c| c.is_run()).count();
                if held * 10 >= all.distinct.len() * own.len() * 3 && runs * 2 <= own.len() && all.whole {
                    let at = self.pools.len();
                    self.pools.push((all, own.len()));
                    self.pooled.extend(names.into_iter().map(|n| (n, at)));
                }
            }
        }
    }

    /// Returns the values to compare a column by: its own, or those of columns of tables that are built alike.
    pub fn told(&self, table: &TableName, column: &str) -> Option<Told<'_>> {
        let key = (table.clone(), column.to_string());
        if let Some((all, columns)) = self.pooled.get(&key).and_then(|i| self.pools.get(*i)) {
            return Some(Told { values: all, by: By::Alike(*columns) });
        }
        if let Some(own) = self.columns.get(&key).filter(|c| c.filled > 0) {
            return Some(Told { values: own, by: By::Itself });
        }
        let lender = self.lent.get(&key)?;
        Some(Told { values: self.columns.get(lender)?, by: By::Lender(&lender.0) })
    }

    /// Returns what was read of a column.
    pub fn column(&self, table: &TableName, column: &str) -> Option<&Column> {
        self.columns.get(&(table.clone(), column.to_string()))
    }

    /// Returns how many rows a table has, about.
    pub fn rows(&self, table: &TableName) -> Option<u64> {
        self.rows.get(table).copied()
    }

    /// Compares a child's values with a parent's key; `None` if nothing can be told.
    pub fn fit(&self, child: &Column, parent: &TableName, key: &str, reader: &mut Reader<'_>) -> Option<Fit> {
        let rows = self.rows(parent)?;
        if child.distinct.is_empty() {
            return None;
        }
        // A parent without a row has none of the values, and none has to be looked up.
        let empty = Column { whole: true, ..Column::default() };
        let keys = if rows == 0 { &empty } else { self.column(parent, key)? };
        if keys.distinct.is_empty() && !keys.whole {
            return None;
        }
        let (tested, outside) = if keys.whole {
            let outside = child.distinct.iter().filter(|v| !keys.distinct.contains(v)).count();
            (child.distinct.len() as u64, outside as u64)
        } else {
            self.look_up(child, parent, key, reader)?
        };
        let range = self.ranges.get(&(parent.clone(), key.to_string())).copied().or(keys.range);
        let span = |(low, high): (i64, i64)| ratio(high.abs_diff(low).saturating_add(1), 1);
        let reach = match (child.range, range) {
            (Some(child), Some(parent)) => Some((span(child) / span(parent)).min(1.0)),
            _ => None,
        };
        let same_end = matches!((child.range, range), (Some((_, c)), Some((_, p))) if c == p);
        let dense = range.is_some_and(|r| r.0 <= 1 && r.0 >= 0 && span(r) <= 1.25 * ratio(rows, 1));
        let inside = ratio(child.distinct.len() as u64, 1) * (1.0 - ratio(outside, tested));
        let whole = child.whole && keys.whole;
        Some(Fit { tested, outside, coverage: (inside / ratio(rows, 1)).min(1.0), reach, same_end, dense, whole })
    }

    fn look_up(&self, child: &Column, parent: &TableName, key: &str, reader: &mut Reader<'_>) -> Option<(u64, u64)> {
        // Outside the range there is nothing to look up.
        let range = self.ranges.get(&(parent.clone(), key.to_string()));
        if let (Some((low, high)), Some((first, last))) = (child.range, range)
            && (low > *last || high < *first)
        {
            let n = child.distinct.len() as u64;
            return Some((n, n));
        }
        if self.look_ups.get() >= ALL_LOOK_UPS || child.some.is_empty() {
            return None;
        }
        self.look_ups.set(self.look_ups.get() + 1);
        let table = reader.schema.table(parent)?;
        let sql = reader.rows_of(table).count_held(table.column(key)?, &child.some);
        let found = reader.ask(parent, &sql)?.rows.first()?.first()?.integer()?;
        let tested = child.some.len() as u64;
        Some((tested, tested.saturating_sub(u64::try_from(found).ok()?)))
    }
}

/// What a share of orphans says: the feature, and how much of it.
pub(super) fn verdict(outside: f64, tested: u64) -> (&'static str, f64) {
    match outside {
        0.0 => ("rows.included", (digits(tested) / 3.0).min(1.0)),
        x if x <= 0.05 => ("rows.mostly", 1.0),
        x if x <= 0.5 => ("rows.outside", x * 2.0),
        _ => ("rows.contradicted", 1.0),
    }
}

/// Returns the logarithm of a count, so that it grows by one with each digit.
pub(super) fn digits(n: u64) -> f64 {
    ratio(n.saturating_add(1), 1).log10()
}

#[allow(clippy::cast_precision_loss)] // a share needs no more digits than a float has
pub(super) fn ratio(n: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { n as f64 / of as f64 }
}
