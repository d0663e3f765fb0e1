//! What a selection and a configuration come to: the options of an audit, and what is not to be heard.

use std::time::Duration;

use super::error::{Error, ErrorKind, Wanted};
use super::model::{Note, Selection};
use crate::audit::{Guesses, Options, Report};
use crate::config::{self, Config, Date};
use crate::findings::baseline::Baseline;
use crate::findings::suppress::Suppression;
use crate::orphans::ScanOptions;
use crate::relations::ConfiguredRelation;
use crate::rules::{ALL, Rule, Settings};
use crate::schema::{Schema, Table};
use crate::source::Input;
use crate::text::operand;

/// How long rows are read to tell guessed relations from chance, where nobody says.
pub(super) const BUDGET: Duration = Duration::from_secs(30);
/// How many keys of orphans a report shows.
const SAMPLES: u32 = 5;
/// How many entries of a baseline that are about nothing are named.
const NAMED: usize = 5;

impl Selection {
    /// Makes the options of an audit; `data` asks for rows, and without it the configuration decides.
    pub(super) fn options(
        &self,
        config: &Config,
        input: &Input,
        data: bool,
        notes: &mut Vec<Note>,
    ) -> Result<Options, Error> {
        let rules = self.rules(config)?;
        if data && input.session.is_none() {
            return Err(ErrorKind::NoDatabase { label: input.label.clone(), wanted: Wanted::Rows }.into());
        }
        let read = (data || config.audit.data == Some(true)) && input.session.is_some();
        if config.audit.data == Some(true) && !read {
            notes.push(Note::Info(format!("{} holds no rows: orphans are not counted", input.label)));
        }
        for glob in &self.tables {
            let matcher = glob.compile_matcher();
            if !input.schema.tables.iter().any(|t| matcher.is_match(t.name.to_string())) {
                let (pattern, label) = (glob.glob().to_string(), input.label.clone());
                return Err(ErrorKind::NoTableMatches { pattern, label }.into());
            }
        }
        let tables = if self.tables.is_empty() { &config.audit.tables } else { &self.tables };
        Ok(Options {
            relations: relations(config, &input.schema, notes),
            threshold: self.threshold(config),
            guesses: Guesses::Judged,
            settings: self.settings(config),
            rules,
            tables: tables.clone(),
            data: read.then_some(ScanOptions { samples: SAMPLES }),
            budget: BUDGET,
            verify_indexes: false,
            migrations: false,
            suppressions: Vec::new(),
        })
    }

    /// Returns from which confidence on a guessed relation counts.
    pub(super) fn threshold(&self, config: &Config) -> f64 {
        self.min_confidence.or(config.threshold).unwrap_or(config::THRESHOLD)
    }

    /// Returns what rules go by.
    pub(super) fn settings(&self, config: &Config) -> Settings {
        Settings {
            policies: config.policies(),
            deletes: config.deletes(),
            foreign_keys: self.foreign_keys.or(config.foreign_keys),
        }
    }

    /// Tells whether SQLite's foreign keys are enforced, where only one answer can be judged.
    pub(super) fn enforced(&self, config: &Config) -> bool {
        self.foreign_keys.or(config.foreign_keys).unwrap_or(true)
    }

    /// Chooses the rules to run. What is named here runs even if the configuration skips it.
    fn rules(&self, config: &Config) -> Result<Vec<&'static Rule>, Error> {
        let named = |list: &[&'static Rule], rule: &Rule| list.iter().any(|r| r.meta.code == rule.meta.code);
        let (only, by_file): (&[_], &[_]) =
            if self.only.is_empty() { (&config.audit.only, &config.audit.skip) } else { (&self.only, &[]) };
        let rules: Vec<_> = ALL
            .iter()
            .filter(|r| only.is_empty() || named(only, r))
            .filter(|r| !named(&self.skip, r) && !named(by_file, r))
            .collect();
        if rules.is_empty() { Err(ErrorKind::NoRuleLeft.into()) } else { Ok(rules) }
    }
}

/// Holds the configuration's relations against the schema, and notes what names nothing.
pub(super) fn relations(config: &Config, schema: &Schema, notes: &mut Vec<Note>) -> Vec<ConfiguredRelation> {
    let resolved = config.resolve(schema);
    notes.extend(Note::configuration(resolved.warnings));
    resolved.relations
}

/// Finds a table as a person writes it.
///
/// # Errors
/// There is none; the error names those that are near.
pub fn table<'s>(schema: &'s Schema, typed: &str) -> Result<&'s Table, Error> {
    schema.find_table(typed).ok_or_else(|| {
        let names: Vec<String> = schema.tables.iter().map(|t| t.name.to_string()).collect();
        let near = config::nearest(typed, names.iter().map(String::as_str));
        let near = near.into_iter().map(str::to_string).collect();
        ErrorKind::NoSuchTable { table: typed.to_string(), near, empty: names.is_empty() }.into()
    })
}

/// What is not to be heard, and where each part of it comes from.
pub(super) struct Hidden<'c> {
    config: &'c Config,
    pub suppressions: Vec<Suppression>,
    /// The positions of the ignores, which come first.
    ignores: Vec<usize>,
    baseline: Option<&'c (String, Baseline)>,
}

impl<'c> Hidden<'c> {
    /// Takes the ignores that count today (all of them, if that is not known) and a baseline with its name.
    pub(super) fn new(
        config: &'c Config,
        baseline: Option<&'c (String, Baseline)>,
        today: Option<Date>,
        notes: &mut Vec<Note>,
    ) -> Self {
        let (ignores, expired) = config.suppressions(today.unwrap_or(Date { year: 0, month: 1, day: 1 }));
        notes.extend(Note::configuration(expired));
        let (ignores, mut suppressions): (Vec<_>, Vec<_>) = ignores.into_iter().unzip();
        suppressions.extend(baseline.iter().flat_map(|(file, baseline)| baseline.suppressions(file)));
        Self { config, suppressions, ignores, baseline }
    }

    /// Notes what of the configuration and the baseline is about nothing.
    pub(super) fn unused(&self, report: &Report, notes: &mut Vec<Note>) {
        notes.extend(Note::configuration(self.config.unused_policies(&report.relations)));
        notes.extend(Note::configuration(self.config.unused_tables(&report.schema)));
        let unused = &report.unused_suppressions;
        let ignores = unused.iter().filter_map(|&i| self.config.unused_ignore(*self.ignores.get(i)?));
        notes.extend(Note::configuration(ignores.collect()));
        let Some((file, baseline)) = self.baseline else { return };
        let entry = |i: usize| baseline.findings.get(i.checked_sub(self.ignores.len())?);
        let mut gone: Vec<String> =
            unused.iter().filter_map(|&i| entry(i)).map(|e| format!("{} {}", e.rule, e.place)).collect();
        if gone.is_empty() {
            return;
        }
        let count = gone.len();
        gone.truncate(NAMED);
        if count > NAMED {
            gone.push(format!("and {} more", count - NAMED));
        }
        let what = if count == 1 { "1 entry hides".to_string() } else { format!("{count} entries hide") };
        notes.push(Note::warning(
            format!("{file}: {what} no finding any more: {}", gone.join(", ")),
            Some(&format!("they are fixed; remove them: `referee baseline write SOURCE -o {}`", operand(file))),
        ));
    }
}
