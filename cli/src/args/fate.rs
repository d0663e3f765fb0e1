//! The arguments of `fate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SOURCES;
use super::values::{OnOff, by_name, confidence};
use referee::fate::Goal;
use referee::render::FateFormat;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee fate shop.db\n  referee fate shop.db users\n  referee fate shop.db users --where 'id = 5' --count\n  referee fate postgres://app@localhost/shop users --format svg -o users.svg"))]
pub(crate) struct FateArgs {
    /// The database or schema document
    pub source: SourceText,
    /// The table a row is deleted from; every table in turn if left out
    pub table: Option<String>,
    /// How to write it
    #[arg(long, default_value = "text", value_parser = by_name::<FateFormat>())]
    pub format: FateFormat,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What the fix is to reach: every delete succeeds, and references that can
    /// be NULL stay behind without their parent; or nothing stays behind
    #[arg(long, value_name = "VERDICT", default_value = "leaves-rows")]
    pub goal: GoalArg,
    /// SQLite: whether the application runs PRAGMA foreign_keys = ON
    /// [default: on]
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
    /// Tell how many rows a delete of the rows that CONDITION selects takes with
    /// it, by the engine's estimates
    #[arg(long = "where", value_name = "CONDITION", requires = "table")]
    pub rows: Option<String>,
    /// Count those rows exactly
    #[arg(long, requires = "rows")]
    pub count: bool,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
}

/// What a fix is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GoalArg {
    LeavesRows,
    Complete,
}

impl From<GoalArg> for Goal {
    fn from(goal: GoalArg) -> Self {
        match goal {
            GoalArg::Complete => Self::Complete,
            GoalArg::LeavesRows => Self::LeavesRows,
        }
    }
}
