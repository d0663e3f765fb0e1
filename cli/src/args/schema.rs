//! The arguments of `schema` and `init`.

use std::path::PathBuf;

use clap::Args;

use super::SOURCES;
use super::values::TextOrJson;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee schema shop.db\n  referee schema shop.db --format json -o shop.json\n  referee audit shop.json"))]
pub(crate) struct SchemaArgs {
    /// The database or schema document
    pub source: SourceText,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee init shop.db\n  referee init shop.db -o config/referee.toml"))]
pub(crate) struct InitArgs {
    /// The database or schema document
    pub source: SourceText,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = referee::config::FILE_NAME)]
    pub output: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long)]
    pub force: bool,
}
