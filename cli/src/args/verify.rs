//! The arguments of `verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SOURCES;
use super::audit::SelectionArgs;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee fix shop.db --format json -o plan.json\n  referee verify shop.db --plan plan.json\n  referee verify shop.db --plan plan.json --format markdown -o report.md\n\nExit codes: 0 verified, 1 not, 2 it could not be done, 130 interrupted"))]
#[command(mut_arg("only", |a| a.help("Check these rules only, by name or code, as `fix` did")))]
#[command(mut_arg("skip", |a| a.help("Do not check these rules")))]
#[command(mut_arg("tables", |a| a.help("Only findings on tables that match GLOB count; can be given several times")))]
pub(crate) struct VerifyArgs {
    /// The database
    pub source: SourceText,
    /// The plan: what `referee fix --format json` wrote
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// How to write the report
    #[arg(long, default_value = "text")]
    pub format: VerifyFormat,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// The formats of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    Text,
    Markdown,
    Json,
}
