//! `referee.toml`: what the user declares, demands and does not want to hear about.
//!
//! [`parse`] reads a text and tells everything that is wrong with it at once, with the place; [`Config::resolve`] holds it
//! against a schema. Nothing here reads a file, a clock or the environment, or prints.

pub mod accept;
mod check;
mod diagnostic;
pub mod init;
mod parse;
mod reader;
mod schema;

use std::ops::Range;

use globset::Glob;

pub use check::Resolved;
pub use diagnostic::{Diagnostic, Level, did_you_mean, nearest};
pub use parse::parse;
pub use schema::json_schema;
pub use toml::value::Date;

use crate::findings::Severity;
use crate::findings::suppress::Suppression;
use crate::relations::ConfiguredRelation;
use crate::rules::Rule;
use crate::rules::policy::{DeletePolicy, Erasable, Policy};

/// The name under which a configuration is looked for.
pub const FILE_NAME: &str = "referee.toml";

/// From which confidence on an inferred relation counts, where nothing else is said.
pub const THRESHOLD: f64 = 0.5;

/// The names of report formats that `[audit] format` accepts.
pub const REPORT_FORMATS: &[&str] = &["text", "json", "sarif", "markdown", "github", "gitlab", "junit", "html"];

/// From which severity on a finding fails an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOn {
    /// From this one on.
    Severity(Severity),
    /// No finding fails it.
    Never,
}

/// The names of [`FailOn`], in the order of [`FailOn::ALL`].
pub const FAIL_ON: &[&str] = &["error", "warning", "info", "never"];

impl FailOn {
    /// All values, in the order of [`FAIL_ON`].
    pub const ALL: [Self; 4] = [
        Self::Severity(Severity::Error),
        Self::Severity(Severity::Warning),
        Self::Severity(Severity::Info),
        Self::Never,
    ];
}

/// A configuration that is in order by itself.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file's name, as a person knows it.
    pub name: String,
    /// The file's text; spans point into it.
    pub text: String,
    /// Relations that the user declares.
    pub relations: Vec<RelationEntry>,
    /// Policies about actions.
    pub policies: Vec<PolicyEntry>,
    /// What is said of single tables.
    pub tables: Vec<TableEntry>,
    /// What is demanded of every delete.
    pub fate: FateEntry,
    /// What the user does not want to hear about.
    pub ignores: Vec<IgnoreEntry>,
    /// Whether the application switches SQLite's enforcement on.
    pub foreign_keys: Option<bool>,
    /// From which confidence on an inferred relation counts.
    pub threshold: Option<f64>,
    /// Defaults of `referee audit`.
    pub audit: AuditDefaults,
}

/// One `[[relation]]`.
#[derive(Clone, Debug)]
pub struct RelationEntry {
    /// What it declares.
    pub relation: ConfiguredRelation,
    /// Its header.
    pub span: Range<usize>,
    /// The value of `child`.
    pub child: Range<usize>,
    /// The value of `parent`.
    pub parent: Range<usize>,
}

/// One `[[policy]]`.
#[derive(Clone, Debug)]
pub struct PolicyEntry {
    /// What it demands.
    pub policy: Policy,
    /// Its header.
    pub span: Range<usize>,
    /// The value of `parent`.
    pub parent: Range<usize>,
    /// The items of `except`.
    pub except: Vec<Range<usize>>,
}

/// One `[[table]]`.
#[derive(Clone, Debug)]
pub struct TableEntry {
    /// The tables, and the demand that a delete from them works.
    pub erasable: Erasable,
    /// Its header.
    pub span: Range<usize>,
    /// The value of `name`.
    pub at: Range<usize>,
}

/// `[fate]`.
#[derive(Clone, Debug, Default)]
pub struct FateEntry {
    /// Tables whose rows no delete of another table may take with it, each with where it stands.
    pub never_cascade_into: Vec<(Glob, Range<usize>)>,
    /// How many cascades may follow each other.
    pub max_depth: Option<usize>,
}

/// One `[[ignore]]`.
#[derive(Clone, Debug)]
pub struct IgnoreEntry {
    /// The rule, by name.
    pub rule: Option<&'static str>,
    /// The subject.
    pub subject: Option<Glob>,
    /// Why.
    pub reason: String,
    /// The last day on which it counts.
    pub expires: Option<Date>,
    /// Its header.
    pub span: Range<usize>,
}

/// `[audit]`: what `referee audit` does where its options do not say.
#[derive(Clone, Debug, Default)]
pub struct AuditDefaults {
    /// From which severity on a finding fails the audit.
    pub fail_on: Option<FailOn>,
    /// The rules to run; empty for all.
    pub only: Vec<&'static Rule>,
    /// The rules not to run.
    pub skip: Vec<&'static Rule>,
    /// The tables to hear about; empty for all.
    pub tables: Vec<Glob>,
    /// Whether rows are read.
    pub data: Option<bool>,
    /// The format of the report, one of [`REPORT_FORMATS`].
    pub format: Option<String>,
}

impl Config {
    /// Returns the line, from 1, that a byte of the text lies in.
    pub fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
    }

    /// Writes `referee.toml:12`.
    pub fn place(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.name, self.line(span.start))
    }

    /// Returns the policies, in the order of the file.
    pub fn policies(&self) -> Vec<Policy> {
        self.policies.iter().map(|p| p.policy.clone()).collect()
    }

    /// Returns what is demanded of deletes.
    pub fn deletes(&self) -> DeletePolicy {
        DeletePolicy {
            erasable: self.tables.iter().map(|t| t.erasable.clone()).collect(),
            never_cascade_into: self.fate.never_cascade_into.iter().map(|(glob, _)| glob.clone()).collect(),
            max_depth: self.fate.max_depth,
        }
    }

    /// Returns what is to be suppressed, one for each ignore that counts on a day, with that ignore's position; and a
    /// warning for each one that does not count any more.
    pub fn suppressions(&self, today: Date) -> (Vec<(usize, Suppression)>, Vec<Diagnostic>) {
        let (mut kept, mut expired) = (Vec::new(), Vec::new());
        for (i, ignore) in self.ignores.iter().enumerate() {
            match ignore.expires {
                Some(date) if date < today => expired.push(
                    Diagnostic::warning(
                        ignore.span.clone(),
                        format!("this ignore expired on {date} and no longer hides anything"),
                        format!("reason given: {}", ignore.reason),
                    )
                    .help("repair what it hides, or give it a later date and a reason that still holds"),
                ),
                _ => kept.push((
                    i,
                    Suppression {
                        rule: ignore.rule.map(str::to_string),
                        subject: ignore.subject.clone(),
                        fingerprint: None,
                        scope: None,
                        reason: ignore.reason.clone(),
                        origin: self.place(&ignore.span),
                    },
                )),
            }
        }
        (kept, expired)
    }
}
