//! Choices, checked against the plan: one that nothing follows is an error that names the choices there are.

use super::error::Error;
use super::model::Note;
use crate::audit::Report;
use crate::orphans::Outcome;
use crate::plan::{self, Offer, Options, Plan};
use crate::relations::Relation;
use crate::schema::Action;
use crate::text::{operand, quoted};

/// So many places with a choice are named.
const NAMED: usize = 8;

/// Complains of choices that the plan does not follow. One whose foreign key already does what it asks for is a note: the same command
/// may be run twice.
pub(super) fn check(made: &Plan, input: &plan::Input<'_>, report: &Report, notes: &mut Vec<Note>) -> Result<(), Error> {
    let unused = made.unused_choices(input.options);
    if unused.is_empty() {
        return Ok(());
    }
    let offers = plan::offers(input);
    for (subject, word) in unused {
        let about: Vec<&Offer> = offers.iter().filter(|o| o.is_called(subject)).collect();
        // An index alone is nothing to choose between.
        let is_open = about.iter().any(|o| o.words.len() > 1);
        if !is_open && is_already(subject, word, report) {
            notes.push(Note::Info(format!("{subject} is already {}; nothing to do", as_declared(word))));
        } else if offers_others(&about, word) {
            return Err(not_offered(subject, word, &about));
        } else {
            return Err(barred(subject, word, made, input.options, report, &offers));
        }
    }
    Ok(())
}

/// Complains of a choice that the plan has no place for.
pub(super) fn every_one_is_used(made: &Plan, input: &plan::Input<'_>) -> Result<(), Error> {
    let Some((subject, word)) = made.unused_choices(input.options).first().copied() else { return Ok(()) };
    let offers = plan::offers(input);
    let about: Vec<&Offer> = offers.iter().filter(|o| o.is_called(subject)).collect();
    Err(if offers_others(&about, word) { not_offered(subject, word, &about) } else { no_place(subject, word, &offers) })
}

/// Tells whether the findings of a subject offer something, and not this.
fn offers_others(about: &[&Offer], word: &str) -> bool {
    about.iter().any(|o| !o.words.is_empty()) && !about.iter().any(|o| o.has(word))
}

/// Says that a finding does not offer what was chosen, and what it does offer.
fn not_offered(subject: &str, word: &str, about: &[&Offer]) -> Error {
    let mut words: Vec<&(String, String)> = Vec::new();
    // An index alone is nothing to choose between.
    let is_open = about.iter().any(|o| o.words.len() > 1);
    for offer in about.iter().filter(|o| !is_open || o.words.len() > 1).flat_map(|o| &o.words) {
        if !words.iter().any(|(known, _)| *known == offer.0) {
            words.push(offer);
        }
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
    let choices = if names.len() == 1 { "the choice there is" } else { "the choices there are" };
    let error = Error::asked(format!("{subject} does not offer {word}; {choices}: {}", names.join(", ")));
    words.iter().fold(error, |error, (word, does)| {
        error.hint(format!("--choose {}: {does}", quoted(&format!("{subject}={word}"))))
    })
}

/// Tells whether a foreign key is already what a choice would make of it.
fn is_already(subject: &str, word: &str, report: &Report) -> bool {
    let relations = report.relations.relations().iter().filter(|r| plan::names_relation(subject, r));
    let is = |r: &Relation| {
        let key = r.foreign_key()?;
        let nulls = key.on_delete == Action::SetNull && r.nullable && word.eq_ignore_ascii_case("drop-not-null");
        Some(key.enforced && (nulls || plan::chooses(word, key.on_delete)))
    };
    let mut all = relations.map(is).peekable();
    all.peek().is_some() && all.all(|already| already == Some(true))
}

/// Writes what a word stands for as SQL does.
fn as_declared(word: &str) -> String {
    let actions = [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];
    let action = actions.into_iter().find(|a| plan::chooses(word, *a)).unwrap_or(Action::SetNull);
    format!("ON DELETE {action}")
}

/// Says why a choice is not planned, and what to do.
fn barred(subject: &str, word: &str, made: &Plan, options: &Options, report: &Report, offers: &[Offer]) -> Error {
    let outcomes = report.scan.iter().flat_map(|s| &s.outcomes);
    let of = report.relations.relations().iter().zip(outcomes).filter(|(r, _)| plan::names_relation(subject, r));
    let mut orphans = of.filter_map(|(relation, outcome)| match outcome {
        Outcome::Counted(found) if found.count > 0 => Some((relation, found.count)),
        _ => None,
    });
    let said = options.orphans.is_some() || options.orphans_of.iter().any(|(s, _)| s == subject);
    if let Some((relation, count)) = orphans.next().filter(|_| !said) {
        let rows = if count == 1 { "1 orphan row".to_string() } else { format!("{count} orphan rows") };
        let (child, source) = (relation.child_side(), operand(&report.source));
        return Error::asked(format!("cannot plan {subject}={word}: {rows} of {}", relation.child))
            .hint(format!("say what becomes of them: --orphans {}, or =quarantine", quoted(&format!("{child}=delete"))))
            .hint(format!("or fix them first; `referee audit {source} --data` shows them"));
    }
    let why = made.refused.iter().find(|r| r.subject == subject).map(|r| r.why.as_str());
    match why {
        Some(why) => Error::asked(format!("cannot plan {subject}={word}: {why}")),
        None => no_place(subject, word, offers),
    }
}

fn no_place(subject: &str, word: &str, offers: &[Offer]) -> Error {
    let error = Error::asked(format!("--choose {subject}={word} matches nothing in this plan"));
    let all: Vec<String> = offers
        .iter()
        .filter(|o| o.words.len() > 1)
        .map(|o| format!("{}={}", o.subject, o.words.iter().map(|(w, _)| w.as_str()).collect::<Vec<_>>().join("|")))
        .collect();
    if all.is_empty() {
        return error.hint("this plan has no choices");
    }
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    error.hint(format!("the choices there are: {}{more}", all[..all.len().min(NAMED)].join(", ")))
}
