//! What the rows say of each candidate, and of columns whose names say nothing.
//!
//! Tables of a few thousand rows are read whole, one column's values as hashes; of larger ones a sample, and the database
//! looks values up. What is proposed is then counted by the database, row by row. Time and memory are bounded, and what
//! could not be read stays unknown: no row, no verdict. Nothing is written.

mod nameless;
mod polymorphic;
mod profile;
mod sql;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candidates::Candidate;
use super::decide::Counts;
use super::model::{Feature, Model};
use super::{Subject, Survey};
use crate::engine::{self, EngineError, EngineErrorKind as Kind};
use crate::rows::{RelationRows, TableRows};
use crate::schema::{Schema, Table, TableName};
use profile::{Column, Profiles};

/// How much may be read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How long reading may take; what is not read by then stays unknown. `None` is no bound.
    pub budget: Option<Duration>,
    /// Tables of up to so many rows are read whole.
    pub whole: usize,
    /// So many rows are read of a larger one.
    pub sample: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { budget: Some(Duration::from_secs(30)), whole: 20_000, sample: 2_000 }
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowsRead {
    /// How many tables.
    pub tables: usize,
    /// Whether time ran out.
    pub out_of_time: bool,
    /// What could not be read, each with the reason; sorted.
    pub failures: Vec<String>,
}

/// What every part of the reading needs.
struct Reader<'a> {
    session: &'a mut dyn engine::Reader,
    schema: &'a Schema,
    deadline: Option<Instant>,
    read: RowsRead,
}

impl Reader<'_> {
    /// Returns what writes queries about a table's rows.
    fn rows_of<'t>(&self, table: &'t Table) -> TableRows<'t> {
        TableRows::of(self.session.dialect(), self.schema, table)
    }

    fn late(&mut self) -> bool {
        let late = self.deadline.is_some_and(|d| Instant::now() >= d);
        self.read.out_of_time |= late;
        late
    }

    /// Runs a query; what fails is noted, and is unknown.
    fn ask(&mut self, what: &TableName, sql: &str) -> Option<crate::engine::Rows> {
        if self.late() {
            return None;
        }
        match self.session.query(sql) {
            Ok(rows) => Some(rows),
            Err(error) if error.kind == Kind::Timeout && self.late() => None,
            Err(EngineError { kind: Kind::Cancelled | Kind::Deadline | Kind::Terminated, .. }) => {
                self.read.out_of_time = true;
                None
            }
            Err(error) => {
                let failure = format!("{what}: {}", error.message);
                if !self.read.failures.contains(&failure) {
                    self.read.failures.push(failure);
                }
                None
            }
        }
    }
}

impl Survey<'_> {
    /// Asks the rows.
    pub fn read(&mut self, session: &mut dyn engine::Reader, options: &ReadOptions) {
        let deadline = options.budget.map(|budget| Instant::now() + budget);
        // A statement that is still running when time is out is stopped.
        session.until(deadline);
        self.read_until(session, options, deadline);
        session.until(None);
    }

    fn read_until(&mut self, session: &mut dyn engine::Reader, options: &ReadOptions, deadline: Option<Instant>) {
        let mut reader = Reader { session, schema: self.schema, deadline, read: RowsRead::default() };
        let profiles = Profiles::read(self, &mut reader, options);
        for i in 0..self.subjects.len() {
            self.measure(i, &profiles, &mut reader);
        }
        nameless::add(self, &profiles, &mut reader);
        for subject in &mut self.subjects {
            compare(subject, &profiles);
        }
        weigh_against_each_other(&mut self.subjects, &profiles);
        self.count(&profiles, &mut reader);
        polymorphic::map(self, &profiles, &mut reader);
        reader.read.failures.sort();
        self.rows = reader.read;
    }

    /// Measures every candidate of a subject against what was read.
    fn measure(&mut self, subject: usize, profiles: &Profiles, reader: &mut Reader<'_>) {
        let Subject { child, columns, candidates } = &mut self.subjects[subject];
        let [column] = columns.as_slice() else { return };
        let Some(child) = profiles.column(child, column).filter(|c| !c.distinct.is_empty()) else { return };
        for candidate in candidates {
            let [key] = candidate.parent_columns.as_slice() else { continue };
            let Some(fit) = profiles.fit(child, &candidate.parent, key, reader) else { continue };
            candidate.features.extend(fit.features());
            candidate.counts = Some(fit.counts(child));
        }
    }

    /// Counts the orphans of every key of several columns: of these nothing is known from single columns.
    fn count_tuples(&mut self, profiles: &Profiles, reader: &mut Reader<'_>) {
        let (dialect, schema) = (reader.session.dialect(), self.schema);
        for subject in self.subjects.iter_mut().filter(|s| s.columns.len() > 1) {
            for candidate in &mut subject.candidates {
                let (child, parent) = (&subject.child, &candidate.parent);
                let is_read = profiles.rows(child).is_some_and(|n| n > 0) && profiles.rows(parent).is_some();
                if !is_read || reader.late() {
                    continue;
                }
                let sides = ((child, subject.columns.as_slice()), (parent, candidate.parent_columns.as_slice()));
                let sql = sql::count_orphans(&RelationRows::between(dialect, schema, sides.0, sides.1));
                let Some((rows, orphans)) = reader.ask(child, &sql).as_ref().and_then(numbers) else { continue };
                if rows > 0 {
                    candidate.counts = Some(Counts { rows, orphans, exact: true });
                    let says = format!("{orphans} of {rows} rows have no parent");
                    candidate.features.push(Feature::new(sql::verdict(rows, orphans), says));
                }
            }
        }
    }

    /// Counts, in the database, the orphans of what is likely to be proposed and was not read whole.
    fn count(&mut self, profiles: &Profiles, reader: &mut Reader<'_>) {
        self.count_tuples(profiles, reader);
        let likely: Vec<_> = self.weigh(Model::published(), 0.25);
        let (dialect, schema) = (reader.session.dialect(), self.schema);
        for p in likely {
            let whole = p.counts.is_some_and(|c| c.exact && (c.orphans == 0 || p.columns.len() > 1));
            if whole || reader.late() {
                continue;
            }
            // Composite keys, and tables of which nothing could be read, have no profile.
            if profiles.rows(&p.child) == Some(0) || hides_rows(schema, &p.child, &p.parent) {
                continue;
            }
            let sides = ((&p.child, p.columns.as_slice()), (&p.parent, p.parent_columns.as_slice()));
            let sql = sql::count_orphans(&RelationRows::between(dialect, schema, sides.0, sides.1));
            let Some(rows) = reader.ask(&p.child, &sql) else { continue };
            let Some((rows, orphans)) = numbers(&rows) else { continue };
            let same = |s: &&mut Subject| s.child == p.child && s.columns == p.columns;
            let Some(subject) = self.subjects.iter_mut().find(same) else { continue };
            let same = |c: &&mut Candidate| c.parent == p.parent && c.parent_columns == p.parent_columns;
            let Some(candidate) = subject.candidates.iter_mut().find(same) else { continue };
            if rows == 0 {
                continue;
            }
            candidate.counts = Some(Counts { rows, orphans, exact: true });
            if orphans > 0 {
                restate(candidate, rows, orphans);
            }
        }
    }
}

/// Tells whether rows of one of two tables are hidden from this session, some or all.
fn hides_rows(schema: &Schema, child: &TableName, parent: &TableName) -> bool {
    let part = |t: &Table| !t.readable || !t.unreadable_columns.is_empty() || t.row_filter.is_some();
    let hidden = |name| schema.table(name).is_some_and(part);
    hidden(child) || hidden(parent)
}

fn numbers(rows: &crate::engine::Rows) -> Option<(u64, u64)> {
    let number = |i: usize| rows.rows.first()?.get(i)?.integer().and_then(|n| u64::try_from(n).ok());
    Some((number(0)?, number(1)?))
}

/// Replaces what a sample said by what all rows say.
fn restate(candidate: &mut Candidate, rows: u64, orphans: u64) {
    const VERDICTS: &[&str] = &["rows.included", "rows.mostly", "rows.outside", "rows.contradicted"];
    candidate.features.retain(|f| !VERDICTS.contains(&f.name));
    let (name, value) = profile::verdict(profile::ratio(orphans, rows), u64::MAX);
    candidate.features.push(Feature::measured(name, value, format!("{orphans} of {rows} rows have no parent")));
}

/// Says which of a column's parents is the tightest: of those that hold all its values, the one with the fewest rows.
fn compare(subject: &mut Subject, profiles: &Profiles) {
    let rows = holders(subject, profiles);
    let (Some(least), true) = (rows.values().min().copied(), rows.len() > 1) else { return };
    let is_named = |c: &Candidate| c.value("name.table") + c.value("name.role_and_table") > 0.0;
    let some_are_named = subject.candidates.iter().any(|c| is_named(c) && rows.contains_key(&c.parent));
    let values =
        subject.columns.first().and_then(|c| profiles.column(&subject.child, c)).map_or(0, |c| c.distinct.len());
    for candidate in &mut subject.candidates {
        let Some(n) = rows.get(&candidate.parent) else { continue };
        if candidate.is_nameless() {
            // `shape.tighter_parents` says it, of all parents and not of those kept.
        } else if *n == least {
            let says = format!("of {} parents that hold all its values it has the fewest rows", rows.len());
            let name =
                if some_are_named && !is_named(candidate) { "rows.tightest_but_unnamed" } else { "rows.tightest" };
            candidate.features.push(Feature::new(name, says));
        } else {
            // How much less likely it is that all values were drawn from the smaller parent by chance.
            let unlikely = profile::ratio(values as u64, 1) * profile::ratio(*n, least).ln();
            let more = unlikely.min(6.0) / 3.0;
            let says = "another parent holds all its values with fewer rows";
            // An extension is tighter than what it extends; a name that says the table outright is no accident.
            let name = if is_named(candidate) { "rows.looser_but_named" } else { "rows.looser" };
            candidate.features.push(Feature::measured(name, more, says));
        }
    }
}

/// Returns the parents that hold all of a column's values, and how many rows they have.
fn holders(subject: &Subject, profiles: &Profiles) -> BTreeMap<TableName, u64> {
    let including = subject.candidates.iter().filter(|c| c.value("rows.included") > 0.0);
    including.filter_map(|c| Some((c.parent.clone(), profiles.rows(&c.parent)?))).collect()
}

/// From so many distinct values on, more of them do not make a small parent any likelier.
const TELLING: f64 = 12.0;
/// How many parents that no name speaks for are kept for a column.
const KEPT: usize = 6;
/// A chance of less than this, as a logarithm, is no worse.
const LEAST_CHANCE: f64 = -6.0;

/// Of the parents that hold a column's values, says how likely each is: values drawn from a parent with few keys are less of
/// a coincidence than from one with many.
fn weigh_against_each_other(subjects: &mut [Subject], profiles: &Profiles) {
    for subject in subjects.iter_mut().filter(|s| s.candidates.iter().any(Candidate::is_nameless)) {
        let Some(column) = subject.columns.first() else { continue };
        let Some(told) = profiles.told(&subject.child, column) else { continue };
        let telling = profile::ratio(told.values.distinct.len() as u64, 1).min(TELLING);
        let likely = |c: &Candidate| {
            let rows = profiles.rows(&c.parent).filter(|n| *n > 0 && c.value("rows.contradicted") == 0.0)?;
            let own = c.value("rows.same_end") + c.value("alone.same_end")
                - c.value("shape.itself")
                - c.value("shape.other_key")
                - c.value("shape.other_type");
            Some(own - telling * profile::ratio(rows, 1).ln())
        };
        let all: Vec<Option<f64>> = subject.candidates.iter().map(likely).collect();
        let best = all.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = all.iter().flatten().map(|l| (l - best).exp()).sum();
        let of = all.iter().flatten().count();
        for (candidate, likely) in subject.candidates.iter_mut().zip(&all) {
            if let Some(chance) = likely.map(|l| l - best - sum.ln()).filter(|_| candidate.is_nameless()) {
                let percent = chance.exp() * 100.0;
                let says = format!("of {of} parents that hold its values, a chance of {percent:.0} %");
                candidate.features.push(Feature::measured("rows.likeliest", chance.exp(), says));
                candidate.features.push(Feature::measured("rows.chance", chance.max(LEAST_CHANCE), ""));
            }
        }
        keep_the_likeliest(subject);
    }
}

/// Keeps the parents that names speak for, and the likeliest of the others.
fn keep_the_likeliest(subject: &mut Subject) {
    let mut chances: Vec<f64> =
        subject.candidates.iter().filter(|c| c.is_nameless()).map(|c| c.value("rows.likeliest")).collect();
    chances.sort_by(|a, b| b.total_cmp(a));
    let least = chances.get(KEPT - 1).copied().unwrap_or(0.0);
    let mut kept = 0;
    subject.candidates.retain(|c| {
        let keep = !c.is_nameless() || (c.value("rows.likeliest") >= least && kept < KEPT);
        kept += usize::from(keep && c.is_nameless());
        keep
    });
}

/// A child's values against a parent's key.
struct Fit {
    /// How many distinct values were looked up, and how many were not found.
    tested: u64,
    outside: u64,
    /// Which share of the parent's rows is referred to.
    coverage: f64,
    /// Which share of the parent's range the child's values span, where both are numbers.
    reach: Option<f64>,
    /// Whether the greatest value of both is the same.
    same_end: bool,
    /// Whether the parent's keys are numbers without gaps, so that any small number is one of them.
    dense: bool,
    /// Whether every value of both sides was compared.
    whole: bool,
}

impl Fit {
    fn features(&self) -> Vec<Feature> {
        let Self { tested, outside, .. } = self;
        let (name, value) = profile::verdict(profile::ratio(*outside, *tested), *tested);
        let says = match outside {
            0 => format!("all {tested} values tested are in the parent"),
            n => format!("{n} of {tested} values tested are not in the parent"),
        };
        let mut all = vec![Feature::measured(name, value, says)];
        if *tested < 3 {
            all.push(Feature::new("rows.few", "too few values to tell"));
        }
        if name != "rows.contradicted" {
            let percent = self.coverage * 100.0;
            let says = format!("{percent:.0} % of the parent's rows are referred to");
            all.push(Feature::measured("rows.coverage", self.coverage, says));
            let reach = self.reach.unwrap_or(1.0);
            all.push(Feature::measured(
                "rows.reach",
                reach,
                format!("the values span {:.0} % of its keys", reach * 100.0),
            ));
            if self.same_end {
                all.push(Feature::new("rows.same_end", "the greatest value is the parent's greatest key"));
            }
            if self.dense {
                all.push(Feature::new(
                    "rows.dense_parent",
                    "its keys have no gaps: small numbers are among them by chance",
                ));
            }
        }
        all
    }

    fn counts(&self, child: &Column) -> Counts {
        let whole = self.whole && self.outside == 0;
        Counts { rows: if whole { child.filled } else { self.tested }, orphans: self.outside, exact: whole }
    }
}
