//! What is kept of each column: its values as hashes, its range, a few values to look up.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Fit, ReadOptions, Reader, sql};
use crate::engine::Value;
use crate::relations::infer::{Survey, scoring};
use crate::schema::{Table, TableName};

/// How many hashes are kept in all: 16 bytes each with their table's slack.
const HASHES: usize = 8_000_000;
/// How many values of a column are looked up where the parent was not read whole.
const LOOK_UPS: usize = 60;
/// How many look-ups are made in all.
const ALL_LOOK_UPS: usize = 4_000;

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
}

impl Column {
    fn add(&mut self, value: Value) {
        if value == Value::Null {
            return;
        }
        self.filled += 1;
        let number = value.integer();
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

    /// Tells whether no two rows that were read share a value.
    pub fn is_unique(&self) -> bool {
        self.filled == self.distinct.len() as u64
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

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    columns: BTreeMap<(TableName, String), Column>,
    rows: BTreeMap<TableName, u64>,
    ranges: BTreeMap<(TableName, String), (i64, i64)>,
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
            let columns: Vec<String> =
                table.columns.iter().filter(|c| scoring::can_refer(c)).map(|c| c.name.clone()).collect();
            if columns.is_empty() {
                continue;
            }
            profiles.read_table(table, &columns, reader, options, &mut kept);
            reader.read.tables += 1;
        }
        profiles
    }

    fn read_table(
        &mut self,
        table: &Table,
        columns: &[String],
        reader: &mut Reader<'_>,
        options: &ReadOptions,
        kept: &mut usize,
    ) {
        let dialect = reader.session.dialect();
        let whole = if *kept > HASHES { options.sample } else { options.whole };
        let Some(counted) = reader.ask(&table.name, &sql::count_up_to(dialect, &table.name, whole)) else { return };
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
            let read = if is_small {
                reader.ask(&table.name, &sql::whole(dialect, &table.name, part))
            } else {
                let read = reader.ask(&table.name, &sql::sample(dialect, table, part, rows, options.sample));
                match read {
                    Some(read) if read.rows.len() * 10 >= options.sample => Some(read),
                    _ => reader.ask(&table.name, &sql::first(dialect, &table.name, part, options.sample)),
                }
            };
            let Some(read) = read else { continue };
            let mut made: Vec<Column> = part.iter().map(|_| Column { whole: is_small, ..Column::default() }).collect();
            for row in read.rows {
                for (column, value) in made.iter_mut().zip(row) {
                    column.add(value);
                }
            }
            for (name, mut column) in part.iter().zip(made) {
                column.distinct.shrink_to_fit();
                *kept += column.distinct.len();
                self.columns.insert((table.name.clone(), name.clone()), column);
            }
        }
        if !is_small && let Some(key) = scoring::sole_key(table) {
            let range = reader.ask(&table.name, &sql::range(dialect, &table.name, &key.name));
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
        if reader.session.dialect().engine() == crate::schema::Engine::Sqlite && !table.without_rowid {
            // The greatest rowid is as many rows as there can be if none was ever deleted.
            let sql = format!("SELECT max(rowid) FROM {}", reader.session.dialect().table(&table.name));
            let rows = reader.ask(&table.name, &sql).and_then(|r| r.rows.first()?.first()?.integer());
            return rows.and_then(|n| u64::try_from(n).ok()).unwrap_or(least).max(least);
        }
        least
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
        let rows = self.rows(parent).filter(|n| *n > 0)?;
        let keys = self.column(parent, key)?;
        if keys.distinct.is_empty() || child.distinct.is_empty() {
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
        let sql = sql::look_up(reader.session.dialect(), parent, key, &child.some);
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
