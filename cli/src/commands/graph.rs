//! `referee graph`: which table's rows refer to which.

use super::super::args::{Global, GraphArgs};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::progress::Spinner;
use super::super::ui::Ui;
use referee::app;
use referee::config::THRESHOLD;
use referee::infer::ReadOptions;
use referee::relations::Graph;
use referee::render::{self, GraphOptions};

pub(super) fn run(args: &GraphArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    output::check(args.output.as_deref(), &Inputs::of(&args.source, global))?;
    let mut input = super::open(&args.source, global, ui)?;
    let root = args.root.as_deref().map(|typed| app::table(&input.schema, typed)).transpose()?;
    let root = root.map(|table| table.name.clone());
    let declared = super::relations(&config, &input.schema, ui);
    let threshold = args.min_confidence.or(config.threshold).unwrap_or(THRESHOLD);
    let graph = match input.session.as_mut().filter(|_| args.data) {
        Some(session) => {
            let spinner = Spinner::start(ui, "Reading rows".to_string());
            let read = ReadOptions { budget: Some(args.budget), ..ReadOptions::default() };
            let (graph, rows) =
                Graph::with_rows(&input.schema, &declared, &input.hints, threshold, session.as_mut(), &read);
            drop(spinner);
            if rows.out_of_time {
                let hint = "which guesses were held against rows may differ from run to run: give more with --budget";
                ui.warn("time to read rows ran out", Some(hint));
            }
            graph
        }
        None if args.data => {
            return Err(CliError::new(format!("{} holds no rows, so --data has nothing to read", input.label))
                .hint("name the database itself, or leave out --data"));
        }
        None => Graph::with_hints(&input.schema, &declared, &input.hints, threshold),
    };
    ui.job.check()?;
    let options = GraphOptions { root, depth: args.depth };
    let style = ui.style_of(args.output.as_deref());
    let text = render::graph(args.format, &input.schema, &graph, &options, &style);
    output::write(ui, args.output.as_deref(), &text)?;
    Ok(0)
}
