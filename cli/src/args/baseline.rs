//! The arguments of `baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SOURCES;
use super::audit::{DataArgs, SelectionArgs};
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  referee baseline write shop.db\n  referee audit shop.db --baseline referee-baseline.json"
)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    pub command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Write the findings of today to a file
    Write(BaselineWriteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = format!("Reasons that you wrote into an older file of the same name are kept.\n\n{SOURCES}\n\nExamples:\n  referee baseline write shop.db\n  referee baseline write shop.db --data -o known.json\n  referee audit shop.db --data --baseline known.json"))]
pub(crate) struct BaselineWriteArgs {
    /// The database or schema document
    pub source: SourceText,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "referee-baseline.json")]
    pub output: PathBuf,
    #[command(flatten)]
    pub rows: DataArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
}
