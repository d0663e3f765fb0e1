//! The arguments of `infer`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SOURCES;
use super::values::{by_name, confidence, duration, relation};
use referee::relations::Written;
use referee::render::infer::InferFormat;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee infer shop.db\n  referee infer postgres://app@localhost/shop --budget 2m --format markdown -o relations.md\n  referee infer shop.db --accept 'orders.customer_id->customers.id'\n  referee infer shop.db --accept orders.customer_id --accept orders.shop_id\n  referee infer shop.db --accept-above=0.95\n\nA relation is written child.column->parent.column, in quotes, because a shell\ntakes > for a redirection; several columns are written\n'lines.tenant,order_no->orders.tenant,number'. The parent's columns may be left\nout where its primary key is meant, and the parent where it is the one that is\nguessed."))]
pub(crate) struct InferArgs {
    /// The database, folder of migrations or schema document
    pub source: SourceText,
    /// How to write it
    #[arg(long, default_value = "text", value_parser = by_name::<InferFormat>())]
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
    /// Take hints from FILE, a JSON document: what else says that tables belong together
    #[arg(long, value_name = "FILE")]
    pub hints: Vec<PathBuf>,
    /// Accept this relation: add it to referee.toml, so that `referee fix` plans its foreign key;
    /// can be given several times
    #[arg(long, value_name = "RELATION", value_parser = relation, conflicts_with = "no_config")]
    pub accept: Vec<Written>,
    /// Accept all relations from a confidence on (0.95 if X is left out), except those that rows
    /// contradict
    #[arg(long, value_name = "X", num_args = 0..=1, require_equals = true, default_missing_value = "0.95", value_parser = confidence, conflicts_with = "no_config")]
    pub accept_above: Option<f64>,
    /// Print what is proposed and accept all of it, as --accept-above with the least confidence that is
    /// proposed
    #[arg(long, conflicts_with_all = ["no_config", "accept_above"])]
    pub write_config: bool,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
