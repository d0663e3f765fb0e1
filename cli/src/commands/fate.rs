//! `referee fate`: what becomes of every table when a row of one is deleted.

use super::super::args::{FateArgs, Global, OnOff};
use super::super::error::{CliError, FAILED};
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use referee::app;
use referee::app::fate::{Answer, Request};
use referee::fate::Rank;
use referee::render::fate::Commands;
use referee::render::{self, FateFormat, Style};
use referee::schema::Engine;

pub(super) fn run(args: &FateArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    output::check(args.output.as_deref(), &Inputs::of(&args.source, global))?;
    let mut request = Request::new(super::open(&args.source, global, ui)?);
    request.table.clone_from(&args.table);
    request.rows.clone_from(&args.rows);
    request.count = args.count;
    request.goal = args.goal.into();
    request.foreign_keys = args.foreign_keys.map(|state| state == OnOff::On);
    request.min_confidence = args.min_confidence;
    request.config = config.clone();
    let response = super::done(app::fate(request, &Bar::context(ui)), &config, ui)?;
    super::tell(&response.notes, &config, ui);
    let style = ui.style_of(args.output.as_deref());
    let commands = Commands {
        fate: super::command("fate", &response.label, global),
        fix: super::command("fix", &response.label, global),
        infer: super::command("infer", &response.label, global),
    };
    response.failures.iter().for_each(|failure| super::audit::fail(failure, ui));
    let text = match &response.answer {
        Answer::Every(ranks) => ranking(args.format, response.engine, ranks, &commands, &style)?,
        Answer::One { fate, counted } => render::fate(args.format, fate, counted.as_deref(), &commands, &style),
    };
    output::write(ui, args.output.as_deref(), &text)?;
    Ok(if response.failures.is_empty() { 0 } else { FAILED })
}

fn ranking(
    format: FateFormat,
    engine: Engine,
    ranks: &[Rank],
    commands: &Commands,
    style: &Style,
) -> Result<String, CliError> {
    match format {
        FateFormat::Text => Ok(render::fate::ranking::text(ranks, commands, style)),
        FateFormat::Json => Ok(render::fate::json::ranking(engine, ranks)),
        FateFormat::Markdown => Ok(render::fate::ranking::markdown(engine, ranks)),
        FateFormat::Mermaid | FateFormat::Svg => {
            Err(CliError::new(format!("{} draws the fate of one table", format.name()))
                .hint(format!("name the table: {} TABLE", commands.fate)))
        }
    }
}
