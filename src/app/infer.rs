//! The relations that nothing declares, and which of them are accepted.

use std::fmt;
use std::time::Duration;

use super::error::Error;
use super::job::{check, noting};
use super::model::{Note, Selection};
use super::settings::{BUDGET, relations};
use crate::config::Config;
use crate::fate;
use crate::hints::Hint;
use crate::infer::{Class, Guess, Inference, Model, ReadOptions, Survey, ruled_out, take};
use crate::job::Context;
use crate::relations::{ConfiguredRelation, Graph, Relation, Written, side, write};
use crate::rules;
use crate::schema::{Schema, TableName};
use crate::source::Input;
use crate::text::{argument, operand};

/// Where relations are looked for, and which are accepted.
#[non_exhaustive]
pub struct Request {
    /// What was opened.
    pub input: Input,
    /// What else says that tables belong together, beside the input's own hints.
    pub hints: Vec<Hint>,
    /// What `referee.toml` says.
    pub config: Config,
    /// Whether rows are read, where the source has some.
    pub data: bool,
    /// How long they may be read.
    pub budget: Duration,
    /// From which confidence on (0 to 1) a relation is proposed; `None` for the configuration's, or 0.5.
    pub min_confidence: Option<f64>,
    /// Accepts these relations.
    pub accept: Vec<Written>,
    /// Accepts all that are at least so sure, but for those that rows contradict.
    pub accept_above: Option<f64>,
    /// Accepts all that are proposed, as `accept_above` does with the least confidence that is proposed.
    pub accept_proposed: bool,
}

impl Request {
    /// Asks for what names, types, keys and rows tell.
    pub fn new(input: Input) -> Self {
        Self {
            input,
            hints: Vec::new(),
            config: Config::default(),
            data: true,
            budget: BUDGET,
            min_confidence: None,
            accept: Vec::new(),
            accept_above: None,
            accept_proposed: false,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("source", &self.input.label).finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The source, as a person knows it.
    pub label: String,
    /// Its schema.
    pub schema: Schema,
    /// What is proposed, and why.
    pub inference: Inference,
    /// What is accepted, if that was asked for; `config::accept::add` writes it into `referee.toml`.
    pub accepted: Option<Accepted>,
    /// What is to be heard beside it.
    pub notes: Vec<Note>,
}

/// What is accepted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Accepted {
    /// The relations.
    pub relations: Vec<ConfiguredRelation>,
    /// Those of them that no foreign key can declare as things are. Their rows and deletes are judged all the same.
    pub undeclarable: Vec<Undeclarable>,
    /// What speaks against them, and what is not accepted.
    pub notes: Vec<Note>,
}

/// A relation that no foreign key can declare as things are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undeclarable {
    /// The relation: `orders.customer_id->customers.id`.
    pub relation: String,
    /// What forbids it.
    pub why: String,
}

/// Finds the relations that nothing declares.
///
/// # Errors
/// A relation that is to be accepted names nothing; the job was stopped. Rows that cannot be read are a note.
pub fn infer(request: Request, context: &Context) -> Result<Response, Error> {
    let (mut response, notes) = noting(|notes| carry_out(request, context, notes))?;
    response.notes = notes;
    Ok(response)
}

fn carry_out(request: Request, context: &Context, notes: &mut Vec<Note>) -> Result<Response, Error> {
    let Request { mut input, hints, config, data, budget, min_confidence, .. } = request;
    let schema = &input.schema;
    let known = Graph::known(schema, &relations(&config, schema, notes));
    let named = named(&request.accept, schema, &known, &input.label)?;
    let hints: Vec<Hint> = input.hints.iter().cloned().chain(hints).collect();
    let mut survey = Survey::of(schema, &known, &hints);
    let session = input.session.as_mut().filter(|_| data);
    let read = session.is_some();
    if let Some(session) = session {
        survey.read(session.as_mut(), &ReadOptions { budget: Some(budget), ..ReadOptions::default() });
    }
    check(context)?;
    let threshold = Selection { min_confidence, ..Selection::default() }.threshold(&config);
    let mut inference = survey.report(Model::published(), threshold, read);
    fate::withdraw_refused(schema, &known, &mut inference);
    let unread = survey.rows.failures.iter();
    notes.extend(unread.map(|failure| {
        Note::warning(format!("could not read {failure}"), Some("what rests on it is told by names only"))
    }));
    let above = request.accept_above.or(request.accept_proposed.then_some(threshold));
    let accepted = match (named.is_empty(), above) {
        (true, None) => None,
        _ => Some(accept(named, above, threshold, &Evidence { survey: &survey, schema, read }, known.clone())?),
    };
    drop(survey);
    Ok(Response { label: input.label, schema: input.schema, inference, accepted, notes: Vec::new() })
}

/// A relation that is accepted by name.
struct Named {
    child: TableName,
    columns: Vec<String>,
    /// `None` if the guess is meant.
    parent: Option<(TableName, Vec<String>)>,
}

/// Finds the relations that are accepted by name, before any row is read.
fn named(accept: &[Written], schema: &Schema, known: &[Relation], label: &str) -> Result<Vec<Named>, Error> {
    let mut all = Vec::new();
    for relation in accept {
        let (child, columns, parent) = relation.resolve(schema).map_err(|error| {
            Error::asked(format!("--accept: {error}"))
                .hint(format!("`referee schema {}` lists tables and columns", operand(label)))
        })?;
        let other = known.iter().find(|k| {
            let there = parent.as_ref().is_some_and(|(p, key)| (p, key) == (&k.parent, &k.parent_columns));
            !k.is_declared() && k.child == child && k.columns == columns && parent.is_some() && !there
        });
        if let Some(other) = other {
            return Err(Error::asked(format!(
                "--accept: referee.toml has another relation for these columns: {}",
                other.written()
            ))
            .hint("change or remove that [[relation]] first"));
        }
        all.push(Named { child, columns, parent });
    }
    Ok(all)
}

/// What guesses are judged by.
struct Evidence<'a> {
    survey: &'a Survey<'a>,
    schema: &'a Schema,
    read: bool,
}

/// Accepts what is named, and what is at least so sure.
fn accept(
    named: Vec<Named>,
    above: Option<f64>,
    threshold: f64,
    evidence: &Evidence<'_>,
    mut known: Vec<Relation>,
) -> Result<Accepted, Error> {
    let Evidence { survey, schema, read } = *evidence;
    let (mut relations, mut notes) = (Vec::new(), Vec::new());
    for named in named {
        let relation = evidence.settle(named, &known, &mut notes)?;
        let there = known.iter().find(|k| k.is_same(&relation.relation(schema)));
        if there.is_some_and(Relation::is_declared) {
            notes.push(Note::Info(format!("{}: a foreign key declares it already", written(&relation))));
        } else {
            known.push(relation.relation(schema));
            relations.push(relation);
        }
    }
    let mut ruled: Vec<Guess> = Vec::new();
    if let Some(above) = above {
        let proposals = survey.decide(Model::published(), threshold.min(above));
        let open: Vec<_> = proposals
            .into_iter()
            .filter(|p| !known.iter().any(|k| k.child == p.child && k.columns == p.columns))
            .collect();
        let taken = take(schema, &known, &open, read.then_some(&survey.rows), Some(above));
        relations.extend(taken.relations);
        ruled.extend(taken.guesses.into_iter().filter(|g| g.confidence >= above));
    }
    for guess in &ruled {
        let why = guess.ruled_out.as_deref().unwrap_or_default();
        notes.push(Note::Info(format!("not accepted: {} ({:.2}): {why}", guess.relation, guess.confidence)));
        if guess.class == Class::Weak {
            let relation = argument(&guess.relation);
            notes.push(Note::Info(format!("if it is true, accept it by name: --accept {relation}")));
        }
    }
    let undeclarable = undeclarable(schema, known, &relations);
    Ok(Accepted { relations, undeclarable, notes })
}

/// Returns the accepted relations that no foreign key can declare as things are, each with what forbids it.
fn undeclarable(schema: &Schema, known: Vec<Relation>, accepted: &[ConfiguredRelation]) -> Vec<Undeclarable> {
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
        let why = objection.or_else(|| rules::undeclarable(schema, relation))?;
        Some(Undeclarable { relation: relation.written(), why })
    });
    refused.collect()
}

impl Evidence<'_> {
    /// Finds the confidence of what is named, and the parent if it was left out; notes what speaks against it.
    fn settle(&self, named: Named, known: &[Relation], notes: &mut Vec<Note>) -> Result<ConfiguredRelation, Error> {
        let Named { child, columns, parent } = named;
        let Self { survey, schema, read } = *self;
        let side = side(&child, &columns);
        let there = |k: &&Relation| k.child == child && k.columns == columns;
        let guesses = survey.decide(Model::published(), 0.0);
        let guess = guesses.into_iter().find(|p| p.child == child && p.columns == columns);
        let (parent, parent_columns) = match (parent, known.iter().find(there), &guess) {
            (Some(parent), ..) => parent,
            (None, Some(known), _) => (known.parent.clone(), known.parent_columns.clone()),
            (None, None, Some(guess)) => (guess.parent.clone(), guess.parent_columns.clone()),
            (None, None, None) => {
                return Err(Error::asked(format!(
                    "--accept: nothing is guessed for {side}, so its parent must be named"
                ))
                .hint(format!("for example --accept {}", argument(&format!("{side}->parent.id")))));
            }
        };
        let guess = guess.filter(|g| g.parent == parent && g.parent_columns == parent_columns);
        let subject = survey.subjects.iter().find(|s| s.child == child && s.columns == columns);
        let candidates = subject.iter().flat_map(|s| &s.candidates);
        let candidate = candidates.into_iter().find(|c| c.parent == parent && c.parent_columns == parent_columns);
        let confidence = match (&guess, candidate) {
            (Some(guess), _) => guess.confidence,
            // Another parent was likelier: what is believed of this one, were it alone.
            (None, Some(candidate)) => survey.alone(Model::published(), candidate),
            (None, None) => 0.0,
        };
        let why = match &guess {
            Some(guess) => ruled_out(schema, known, guess, read.then_some(&survey.rows)),
            None => candidate.and_then(|c| c.counts).filter(|c| c.rows > 0).and_then(|c| c.objection()),
        };
        let accepted = Some(confidence);
        let relation = ConfiguredRelation { child, columns, parent, parent_columns, on_delete: None, accepted };
        let written = written(&relation);
        if let Some(why) = why {
            notes.push(Note::warning(
                format!("{written} is accepted because you name it, but {why}"),
                Some("if that is not meant, remove its [[relation]] from referee.toml again"),
            ));
        } else if let Some(counts) =
            guess.filter(|g| g.class != Class::Contradicted).and_then(|g| g.counts).filter(|c| c.orphans > 0)
        {
            let (orphans, rows) = (counts.orphans, counts.rows);
            notes.push(Note::Info(format!("{written}: {orphans} of {rows} looked at are orphan rows")));
        }
        Ok(relation)
    }
}

fn written(relation: &ConfiguredRelation) -> String {
    write(&relation.child, &relation.columns, &relation.parent, &relation.parent_columns)
}
