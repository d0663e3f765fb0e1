//! `referee infer`: the relations that nothing declares, and which of them are accepted.

use std::path::Path;

use super::super::args::{Global, InferArgs};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::progress::Spinner;
use super::super::ui::Ui;
use super::accept;
use referee::app;
use referee::app::infer::{Accepted, Request, Undeclarable};
use referee::config::Config;
use referee::files;
use referee::hints::{self, Hint};
use referee::infer::{Class, Inference};
use referee::render::{self, infer::InferFormat};
use referee::schema::Schema;
use referee::text::argument;

pub(super) fn run(args: &InferArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = accept::configuration(global)?;
    let inputs = args.hints.iter().fold(Inputs::of(&args.source, global), |all, f| all.with("the hints", Some(f)));
    output::check(args.output.as_deref(), &inputs)?;
    let mut request = Request::new(super::open(&args.source, global, ui)?);
    for file in &args.hints {
        request.hints.extend(read_hints(file)?);
    }
    request.config = config.clone();
    (request.data, request.budget) = (!args.no_data, args.budget);
    request.min_confidence = args.min_confidence;
    request.accept.clone_from(&args.accept);
    (request.accept_above, request.accept_proposed) = (args.accept_above, args.write_config);
    let response = {
        let reads = request.data && request.input.session.is_some();
        let _spinner = reads.then(|| Spinner::start(ui, "Reading rows".to_string()));
        app::infer(request, &ui.job.context)
    };
    let response = super::done(response, &config, ui)?;
    super::tell(&response.notes, &config, ui);
    let style = ui.style_of(args.output.as_deref());
    let accepts = !args.accept.is_empty() || args.accept_above.is_some();
    if !accepts || args.output.is_some() || args.format != InferFormat::Text {
        let text = render::infer::render(args.format, &response.label, &response.inference, &style);
        output::write(ui, args.output.as_deref(), &text)?;
    }
    match &response.accepted {
        Some(accepted) => write_down(accepted, &response.schema, global, ui)?,
        None => advertise(&response.inference, &super::command("infer", &response.label, global), ui),
    }
    Ok(0)
}

/// Writes what is accepted into `referee.toml`.
fn write_down(accepted: &Accepted, schema: &Schema, global: &Global, ui: &Ui) -> Result<(), CliError> {
    super::tell(&accepted.notes, &Config::default(), ui);
    let relations = &accepted.relations;
    let count = accept::add(relations, schema, global)?;
    let place = accept::place(global).display();
    match (relations.len(), relations.len() - count.min(relations.len())) {
        (0, _) => ui.note(&format!("nothing to accept: {place} is left as it is")),
        (all, there) if all == there => {
            ui.note(&format!("{place} has what is accepted already, and is left as it is"));
        }
        (_, there) => {
            let known = if there > 0 { format!("; {there} were there already") } else { String::new() };
            ui.note(&format!("wrote {} to {place}{known}: {}", accept::relations(count), accept::listed(relations)));
        }
    }
    for Undeclarable { relation, why, .. } in &accepted.undeclarable {
        ui.warn(
            &format!("{relation} is accepted, but `referee fix` makes no foreign key of it as things are: {why}"),
            Some("its rows and deletes are judged all the same"),
        );
    }
    if accepted.undeclarable.len() < relations.len() && count > 0 {
        ui.note("`referee fix` plans their foreign keys now; they are no evidence for other guesses");
    }
    Ok(())
}

/// Says how what is true is accepted.
fn advertise(inference: &Inference, command: &str, ui: &Ui) {
    let open = inference
        .proposals
        .iter()
        .map(|a| &a.proposal)
        .filter(|p| !matches!(p.class, Class::Contradicted | Class::Weak));
    let Some(first) = open.max_by(|a, b| a.confidence.total_cmp(&b.confidence)) else { return };
    let relation = referee::relations::write(&first.child, &first.columns, &first.parent, &first.parent_columns);
    ui.note(&format!(
        "`referee fix` changes nothing for a guess. Accept what is true: {command} --accept {} (or --accept-above=0.95)",
        argument(&relation)
    ));
}

fn read_hints(path: &Path) -> Result<Vec<Hint>, CliError> {
    let text = files::read_text(path).map_err(|error| CliError::file("read", path, &error))?;
    hints::from_json(&text).map_err(|error| {
        CliError::new(format!("{}: {error}", path.display())).hint("the format is in docs/infer.md, under Hints")
    })
}
