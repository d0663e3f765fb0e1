//! The arguments of `audit`, and of every verb that audits.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use globset::Glob;

use super::values::{OnOff, by_name, confidence, duration, glob, rule};
use super::{EXIT, SOURCES};
use referee::app::Selection;
use referee::config::FailOn;
use referee::render::ReportFormat;
use referee::rules::Rule;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee audit shop.db\n  referee audit shop.db --data --foreign-keys on\n  referee audit postgres://app@localhost/shop --format sarif -o referee.sarif\n  referee audit shop.db --only unindexed-foreign-key --table 'order*'\n\n{EXIT}"))]
pub(crate) struct AuditArgs {
    /// The database or schema document
    pub source: SourceText,
    /// How to write the report [default: text]
    #[arg(long, value_parser = by_name::<ReportFormat>())]
    pub format: Option<ReportFormat>,
    /// Write the report to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub rows: DataArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Ask the planner whether each look-up of child rows uses an index
    #[arg(long)]
    pub verify_indexes: bool,
    /// From which severity on findings make the exit code 1 [default: warning]
    #[arg(long, value_name = "SEVERITY", value_parser = by_name::<FailOn>())]
    pub fail_on: Option<FailOn>,
    /// Do not report the findings that FILE lists (see `referee baseline`)
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// Whether an audit reads rows.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Read rows too, to count orphans
    #[arg(long)]
    pub data: bool,
    /// With rows: how long to read them to tell guessed relations from chance: 30s, 2m, 500ms
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub budget: Duration,
}

/// What of a source is looked at, and by which rules; other verbs say it in their own words.
#[derive(Clone, Debug, Args)]
pub(crate) struct SelectionArgs {
    /// Run these rules only, by name or code
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub only: Vec<&'static Rule>,
    /// Do not run these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub skip: Vec<&'static Rule>,
    /// Report on tables that match GLOB only; can be given several times
    #[arg(long = "table", value_name = "GLOB", value_parser = glob)]
    pub tables: Vec<Glob>,
    /// SQLite: whether the application runs PRAGMA foreign_keys = ON
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
}

impl SelectionArgs {
    /// Returns it as the library takes it.
    pub fn selection(&self) -> Selection {
        let mut selection = Selection::default();
        selection.only.clone_from(&self.only);
        selection.skip.clone_from(&self.skip);
        selection.tables.clone_from(&self.tables);
        selection.foreign_keys = self.foreign_keys.map(|state| state == OnOff::On);
        selection.min_confidence = self.min_confidence;
        selection
    }
}
