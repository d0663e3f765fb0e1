//! The arguments of `graph`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SOURCES;
use super::values::{by_name, confidence, duration};
use referee::render::GraphFormat;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee graph shop.db\n  referee graph shop.db --root users --depth 2\n  referee graph shop.db --format svg -o shop.svg"))]
pub(crate) struct GraphArgs {
    /// The database or schema document
    pub source: SourceText,
    /// How to draw it
    #[arg(long, default_value = "tree", value_parser = by_name::<GraphFormat>())]
    pub format: GraphFormat,
    /// Read rows too, to tell guessed relations from chance
    #[arg(long)]
    pub data: bool,
    /// With rows: how long to read them: 30s, 2m, 500ms; what is not read by then is told by names
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub budget: Duration,
    /// Draw only what hangs on TABLE: the rows that go, or stay behind, with its rows
    #[arg(long, value_name = "TABLE")]
    pub root: Option<String>,
    /// Follow relations N steps from the root
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
