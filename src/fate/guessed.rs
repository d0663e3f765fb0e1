//! Relations that are only guessed, in a repair: nothing is changed for them, and it is told what they would mean.

use schemars::JsonSchema;
use serde::Serialize;

use super::judge::judge;
use super::net::Net;
use super::{Effect, Verdict};

/// A relation that is only guessed, and by which rows would be left behind: it is not planned.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GuessedRelation {
    /// The relation as `referee infer --accept` takes it.
    pub relation: String,
    /// From 0 to 1.
    pub confidence: f64,
    /// Whether a change is proposed for it: never.
    pub planned: bool,
}

/// Judges a repair with what is guessed: the verdict then, and the guesses by which rows are left behind.
pub(super) fn weigh(net: &Net<'_>, repaired: &Net<'_>, root: usize) -> (Verdict, Vec<GuessedRelation>) {
    let mut whole = net.clone();
    for (link, new) in whole.links.iter_mut().zip(&repaired.links) {
        link.act = new.act;
    }
    let judged = judge(&whole, root);
    let left = judged.rulings.iter().filter(|r| r.effect == Effect::LeavesOrphans && whole.is_guess(r.link));
    let guessed = |link: usize| {
        let relation = &whole.graph.relations()[whole.links[link].relation];
        let confidence = relation.confidence().unwrap_or_default();
        GuessedRelation { relation: relation.written(), confidence, planned: false }
    };
    let mut all: Vec<GuessedRelation> = left.map(|r| guessed(r.link)).collect();
    all.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then_with(|| a.relation.cmp(&b.relation)));
    all.dedup();
    (judged.verdict, all)
}

impl Net<'_> {
    /// Tells whether a link is only guessed.
    pub(super) fn is_guess(&self, link: usize) -> bool {
        self.graph.relations()[self.links[link].relation].is_guess()
    }

    /// Returns the network in which nothing goes by what is only guessed; links keep their numbers.
    pub(super) fn without_guesses(&self) -> Self {
        let mut known = self.clone();
        for list in known.below.iter_mut().chain(&mut known.above) {
            list.retain(|&link| !self.is_guess(link));
        }
        known
    }
}
