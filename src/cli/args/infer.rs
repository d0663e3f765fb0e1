//! The arguments of `infer`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SOURCES;
use super::values::{confidence, duration};
use crate::render::infer::InferFormat;
use crate::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee infer shop.db\n  referee infer postgres://app@localhost/shop --budget 2m --format markdown -o relations.md\n  referee infer shop.db --no-data --min-confidence 0.8 --write-config"))]
pub(in crate::cli) struct InferArgs {
    /// The database or schema document
    pub source: SourceText,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub format: InferFormat,
    /// Read no rows: names, types and keys only
    #[arg(long)]
    pub no_data: bool,
    /// How long rows may be read: 30s, 2m, 500ms; what is not read by then stays unknown
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, conflicts_with = "no_data")]
    pub budget: Duration,
    /// From which confidence on a relation is proposed, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    /// Add what is proposed to referee.toml, as [[relation]] entries
    #[arg(long, conflicts_with = "no_config")]
    pub write_config: bool,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
