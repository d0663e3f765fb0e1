//! `referee infer`: the relations that nothing declares, and which of them are accepted.

use std::path::Path;

use super::super::args::{Global, InferArgs};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::progress::Spinner;
use super::super::ui::Ui;
use super::accept;
use referee::fate;
use referee::files;
use referee::hints::{self, Hint};
use referee::infer::{Class, Inference, Model, ReadOptions, Survey, ruled_out, take};
use referee::relations::{ConfiguredRelation, Graph, Relation};
use referee::render::{self, infer::InferFormat};
use referee::rules;
use referee::schema::{Schema, TableName};
use referee::text::{argument, operand};

pub(super) fn run(args: &InferArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = accept::configuration(global)?;
    let inputs = args.hints.iter().fold(Inputs::of(&args.source, global), |all, f| all.with("the hints", Some(f)));
    output::check(args.output.as_deref(), &inputs)?;
    let mut input = super::open(&args.source, global, ui)?;
    let configured = super::relations(&config, &input.schema, ui);
    let schema = &input.schema;
    let known = Graph::known(schema, &configured);
    let named = named(args, schema, &known, &input.label)?;
    let mut hints = input.hints.clone();
    for file in &args.hints {
        hints.extend(read_hints(file)?);
    }
    let mut survey = Survey::of(schema, &known, &hints);
    let mut read = false;
    if let Some(session) = input.session.as_mut().filter(|_| !args.no_data) {
        let _spinner = Spinner::start(ui, "Reading rows".to_string());
        survey.read(session.as_mut(), &ReadOptions { budget: Some(args.budget), ..ReadOptions::default() });
        read = true;
    }
    ui.job.check()?;
    let threshold = super::threshold(args.min_confidence, &config);
    let mut inference = survey.report(Model::published(), threshold, read);
    fate::heed(schema, &known, &mut inference);
    for failure in &survey.rows.failures {
        ui.warn(&format!("could not read {failure}"), Some("what rests on it is told by names only"));
    }
    let style = ui.style_of(args.output.as_deref());
    let accepts = !args.accept.is_empty() || args.accept_above.is_some();
    if !accepts || args.output.is_some() || args.format != InferFormat::Text {
        let text = render::infer::render(args.format, &input.label, &inference, &style);
        output::write(ui, args.output.as_deref(), &text)?;
    }
    let command = super::command("infer", &input.label, global);
    if accepts || args.write_config {
        let above = args.accept_above.or(args.write_config.then_some(threshold));
        let asked = Asked { named, above, threshold, read };
        asked.accept(&survey, schema, known, global, ui)?;
    } else {
        advertise(&inference, &command, ui);
    }
    Ok(0)
}

/// A relation that is accepted by name.
struct Named {
    child: TableName,
    columns: Vec<String>,
    /// `None` if the guess is meant.
    parent: Option<(TableName, Vec<String>)>,
}

/// Finds what `--accept` names, before any row is read.
fn named(args: &InferArgs, schema: &Schema, known: &[Relation], source: &str) -> Result<Vec<Named>, CliError> {
    let mut all = Vec::new();
    for relation in &args.accept {
        let (child, columns, parent) = relation.resolve(schema).map_err(|error| {
            CliError::new(format!("--accept: {error}"))
                .hint(format!("`referee schema {}` lists tables and columns", operand(source)))
        })?;
        let other = known.iter().find(|k| {
            let there = parent.as_ref().is_some_and(|(p, key)| (p, key) == (&k.parent, &k.parent_columns));
            !k.is_declared() && k.child == child && k.columns == columns && parent.is_some() && !there
        });
        if let Some(other) = other {
            return Err(CliError::new(format!(
                "--accept: referee.toml has another relation for these columns: {}",
                other.written()
            ))
            .hint("change or remove that [[relation]] first"));
        }
        all.push(Named { child, columns, parent });
    }
    Ok(all)
}

/// Which guesses are to be accepted.
struct Asked {
    named: Vec<Named>,
    above: Option<f64>,
    threshold: f64,
    read: bool,
}

impl Asked {
    fn accept(
        self,
        survey: &Survey<'_>,
        schema: &Schema,
        mut known: Vec<Relation>,
        global: &Global,
        ui: &Ui,
    ) -> Result<(), CliError> {
        let mut accepted = Vec::new();
        for named in self.named {
            let relation = settle(named, survey, schema, &known, self.read, ui)?;
            let there = known.iter().find(|k| k.is_same(&relation.relation(schema)));
            match there.map(|k| k.foreign_key()) {
                Some(Some(_)) => {
                    ui.note(&format!("{}: a foreign key declares it already", accept::written(&relation)));
                }
                _ => {
                    known.push(relation.relation(schema));
                    accepted.push(relation);
                }
            }
        }
        let mut ruled = Vec::new();
        if let Some(above) = self.above {
            let proposals = survey.decide(Model::published(), self.threshold.min(above));
            let open: Vec<_> = proposals
                .into_iter()
                .filter(|p| !known.iter().any(|k| k.child == p.child && k.columns == p.columns))
                .collect();
            let taken = take(schema, &known, &open, self.read.then_some(&survey.rows), Some(above));
            accepted.extend(taken.relations);
            ruled.extend(taken.guesses.into_iter().filter(|g| g.confidence >= above));
        }
        for guess in &ruled {
            let why = guess.ruled_out.as_deref().unwrap_or_default();
            ui.note(&format!("not accepted: {} ({:.2}): {why}", guess.relation, guess.confidence));
            if guess.class == Class::Weak {
                ui.note(&format!("if it is true, accept it by name: --accept {}", argument(&guess.relation)));
            }
        }
        let count = accept::add(&accepted, schema, global)?;
        let place = accept::place(global).display();
        match (accepted.len(), accepted.len() - count.min(accepted.len())) {
            (0, _) => ui.note(&format!("nothing to accept: {place} is left as it is")),
            (all, there) if all == there => {
                ui.note(&format!("{place} has what is accepted already, and is left as it is"));
            }
            (_, there) => {
                let known = if there > 0 { format!("; {there} were there already") } else { String::new() };
                ui.note(&format!(
                    "wrote {} to {place}{known}: {}",
                    accept::relations(count),
                    accept::listed(&accepted)
                ));
            }
        }
        let refused = undeclarable(schema, known, &accepted);
        for (relation, why) in &refused {
            ui.warn(
                &format!("{relation} is accepted, but `referee fix` makes no foreign key of it as things are: {why}"),
                Some("its rows and deletes are judged all the same"),
            );
        }
        if refused.len() < accepted.len() && count > 0 {
            ui.note("`referee fix` plans their foreign keys now; they are no evidence for other guesses");
        }
        Ok(())
    }
}

/// Returns the accepted relations that no foreign key can declare as things are, each with what is in the way.
fn undeclarable(schema: &Schema, known: Vec<Relation>, accepted: &[ConfiguredRelation]) -> Vec<(String, String)> {
    let mut all = known;
    for relation in accepted.iter().map(|a| a.relation(schema)) {
        if !all.iter().any(|k| k.is_same(&relation)) {
            all.push(relation);
        }
    }
    let graph = Graph::from_relations(schema, all);
    let is_accepted = |r: &Relation| accepted.iter().any(|a| a.relation(schema).is_same(r));
    let relations = graph.relations().iter().enumerate().filter(|(_, r)| is_accepted(r));
    let refused = relations.filter_map(|(number, relation)| {
        let objection = graph.objection(number).map(|objection| objection.text.clone());
        Some((relation.written(), objection.or_else(|| rules::undeclarable(schema, relation))?))
    });
    refused.collect()
}

/// Finds the confidence of what is named, and the parent if it was left out; warns of what speaks against it.
fn settle(
    named: Named,
    survey: &Survey<'_>,
    schema: &Schema,
    known: &[Relation],
    read: bool,
    ui: &Ui,
) -> Result<ConfiguredRelation, CliError> {
    let Named { child, columns, parent } = named;
    let side = referee::relations::side(&child, &columns);
    let there = |k: &&Relation| k.child == child && k.columns == columns;
    let guesses = survey.decide(Model::published(), 0.0);
    let guess = guesses.into_iter().find(|p| p.child == child && p.columns == columns);
    let (parent, parent_columns) = match (parent, known.iter().find(there), &guess) {
        (Some(parent), ..) => parent,
        (None, Some(known), _) => (known.parent.clone(), known.parent_columns.clone()),
        (None, None, Some(guess)) => (guess.parent.clone(), guess.parent_columns.clone()),
        (None, None, None) => {
            return Err(CliError::new(format!("--accept: nothing is guessed for {side}, so its parent must be named"))
                .hint(format!("for example --accept {}", argument(&format!("{side}->parent.id")))));
        }
    };
    let guess = guess.filter(|g| g.parent == parent && g.parent_columns == parent_columns);
    let subject = survey.subjects.iter().find(|s| s.child == child && s.columns == columns);
    let candidate =
        subject.and_then(|s| s.candidates.iter().find(|c| c.parent == parent && c.parent_columns == parent_columns));
    let confidence = match (&guess, candidate) {
        (Some(guess), _) => guess.confidence,
        // Another parent was likelier: what is believed of this one, were it alone.
        (None, Some(candidate)) => survey.alone(Model::published(), candidate),
        (None, None) => 0.0,
    };
    let relation =
        ConfiguredRelation { child, columns, parent, parent_columns, on_delete: None, accepted: Some(confidence) };
    let written = accept::written(&relation);
    let why = match &guess {
        Some(guess) => ruled_out(schema, known, guess, read.then_some(&survey.rows)),
        None => candidate.and_then(|c| c.counts).filter(|c| c.rows > 0).and_then(|c| c.objection()),
    };
    if let Some(why) = why {
        ui.warn(
            &format!("{written} is accepted because you name it, but {why}"),
            Some("if that is not meant, remove its [[relation]] from referee.toml again"),
        );
    } else if let Some(counts) =
        guess.filter(|g| g.class != Class::Contradicted).and_then(|g| g.counts).filter(|c| c.orphans > 0)
    {
        ui.note(&format!("{written}: {} of {} looked at are orphan rows", counts.orphans, counts.rows));
    }
    Ok(relation)
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
