//! The arguments of `lint`.

use std::path::PathBuf;

use clap::Args;

use super::EXIT;
use super::audit::SelectionArgs;
use super::values::{by_name, choice, confidence, migration_name};
use referee::config::FailOn;
use referee::render::ReportFormat;

#[derive(Debug, Args)]
#[command(after_help = format!("A PATH is a folder of migrations, a dump or another file of SQL. Lines of SQL can say\nwhat is not to be heard:\n  -- referee: ignore RULE REASON       about the next statement\n  -- referee: ignore-file RULE REASON  about the whole file\n\nExamples:\n  referee lint migrations\n  referee lint migrations --base schema.sql --engine cockroach\n  referee lint drizzle --since origin/main --format github\n  referee lint db/structure.sql --only set-null-on-not-null\n  referee lint migrations --fix\n  referee lint migrations --since main --fix --write\n\n{EXIT}"))]
#[command(mut_arg("foreign_keys", |a| a.help("SQLite: whether connections run PRAGMA foreign_keys = ON")))]
pub(crate) struct LintArgs {
    /// The folder of migrations, or the file of SQL
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to write the report [default: text]
    #[arg(long, value_parser = by_name::<ReportFormat>())]
    pub format: Option<ReportFormat>,
    /// Write the report to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Report only what is new since the branch left REF
    #[arg(long, value_name = "REF", conflicts_with_all = ["staged", "changed"])]
    pub since: Option<String>,
    /// Report only what the staged changes bring
    #[arg(long, conflicts_with = "changed")]
    pub staged: bool,
    /// Report only what changes that are not committed bring
    #[arg(long)]
    pub changed: bool,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// From which severity on findings make the exit code 1 [default: warning]
    #[arg(long, value_name = "SEVERITY", value_parser = by_name::<FailOn>())]
    pub fail_on: Option<FailOn>,
    /// Do not report the findings that FILE lists (see `referee baseline`)
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub fix: LintFixArgs,
}

/// Proposing the next migration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fix")]
pub(crate) struct LintFixArgs {
    /// Show the next migration of the folder, which fixes what a new one can fix. Files that
    /// are there stay as they are
    #[arg(long, conflicts_with = "staged")]
    pub fix: bool,
    /// Write it into the folder, then report what is left
    #[arg(long, requires = "fix")]
    pub write: bool,
    /// What the migration is called
    #[arg(long, value_name = "NAME", default_value = "fix_references", value_parser = migration_name, requires = "fix")]
    pub name: String,
    /// Where there is a choice: the finding's place (or its constraint or rule) and
    /// the word of the option; can be given several times
    #[arg(long, value_name = "SUBJECT=WORD", value_parser = choice, requires = "fix")]
    pub choose: Vec<(String, String)>,
    /// Count guessed relations as accepted in this run that are at least so sure, 0 to 1 (0.9 if X is
    /// left out), except those that rows contradict. Without it nothing is changed for a guess
    #[arg(long, value_name = "X", num_args = 0..=1, require_equals = true, default_missing_value = "0.9", value_parser = confidence, requires = "fix")]
    pub accept_inferred: Option<f64>,
}
