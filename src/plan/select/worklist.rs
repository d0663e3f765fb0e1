//! Which findings are repaired: a list of candidates, tried together until nothing speaks against what is left of them.
//!
//! What is to be reached: as many findings repaired as can be, so that
//!
//! 1. each finding has its repair in the plan, goes along with that of another, or is told with a reason;
//! 2. the engine's recipes make steps of all of it;
//! 3. the schema that these steps lead to has no finding that was not there before. What a repair brings is repaired as well, or
//!    the repair is given up; only what no single repair is to blame for is told instead.
//!
//! Which option is taken for a finding depends on nothing but the schema as it is and on what the user said: it is decided
//! once, when the finding comes onto the list. Whether a candidate stays in the plan depends on the others, because the rules
//! look at the schema as a whole. So all that are left are tried at once, and whatever speaks against one is a turn of the one
//! loop here, which changes the list in one of three ways:
//!
//! - What the trial brings and can be repaired comes onto the list. It is there because of the repairs at this moment, so it
//!   leaves the list again as soon as one of these is given up: the next trial tells whether it is still brought.
//! - A repair that brings what cannot be repaired is given up. That, too, rests on what else is planned: when a recipe refuses
//!   a repair, those that were given up so are back on the list.
//! - What a recipe refuses, or what brings something by the steps that are made of it, is given up for good.
//!
//! It comes to an end: what is given up for good only grows; between two of these, so does what is given up; between two of
//! these, so does what is brought, a few times at most.
//!
//! No shorter way was found to the same plans: nothing but a trial tells what a rule says of the schema after, and a rule
//! such as `inconsistent-on-delete` says it because of keys of other tables, so that what was brought cannot be laid to single
//! repairs and kept when another one goes. A trial is one run of the rules over the schema; most plans need one or two.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::judge::{Identity, check, identity, relations};
use super::super::order::order;
use super::super::trial::{Repair, culprits as culprits_of};
use super::super::ways::{automatic, by_name, options};
use super::super::{Choice, Input, Made, Refused, Step, Wanted, Why};
use super::{Selector, Taken, reason};
use crate::findings::{Finding, RuleId, Severity};
use crate::schema::Schema;

/// What the findings come to.
pub(in super::super) struct Selected {
    /// The steps that fix them, in order.
    pub steps: Vec<Step>,
    /// The schema after the last one.
    pub after: Schema,
    /// Where the findings left a choice.
    pub choices: Vec<Choice>,
    /// What is not fixed, and what comes with the plan.
    pub refused: Vec<Refused>,
}

/// So often what repairs bring is repaired in its turn, until a repair is given up.
const ROUNDS: usize = 16;

/// A finding on the list.
pub(super) struct Candidate<'f> {
    pub finding: Cow<'f, Finding>,
    /// The option taken, or why there is none.
    pub taken: Result<Taken, Why>,
    /// Whether repairs bring it: it is no finding of the schema as it is.
    brought: bool,
    /// Why it is not repaired all the same.
    pub given_up: Option<GivenUp>,
}

/// Why a repair is not made.
pub(super) struct GivenUp {
    pub why: Why,
    /// Whether it stays so whatever else is given up.
    for_good: bool,
}

impl Candidate<'_> {
    /// Tells whether it is in the next trial. What is brought by repairs is not there to be told when it cannot be repaired.
    pub fn takes_part(&self) -> bool {
        !self.brought || self.given_up.is_none()
    }
}

/// Chooses what is repaired, and makes steps of it by the recipes.
pub(in super::super) fn select(input: &Input<'_>, recipes: impl Fn(&[Wanted]) -> Made) -> Selected {
    let selector = Selector::new(input);
    let known: BTreeSet<Identity<'_>> = selector.base.iter().map(identity).collect();
    let mut list = Worklist::new(&selector);
    loop {
        let mut trial = selector.trial(&list.candidates);
        let brought: Vec<&Finding> = trial.found.iter().filter(|f| !known.contains(&identity(f))).collect();
        let fixable = list.fixable(&brought);
        if !fixable.is_empty() {
            list.take_up(fixable);
            continue;
        }
        let culprits = selector.culprits(&trial.repaired, &brought, &trial.after);
        if !culprits.is_empty() {
            list.give_up(culprits);
            continue;
        }
        trial.finish(input, &known);
        let Made { steps, mut refused } = recipes(&trial.wanted);
        let (steps, after) = order(input.schema, steps, &mut refused);
        let unmade = unmade(&trial.repaired, &refused);
        if !unmade.is_empty() {
            list.refuse(unmade);
            continue;
        }
        // The steps may come to another schema than the choice: a key that is made anew acts after all that were there.
        let same = after == trial.after;
        let found = if same { trial.found } else { check(input, &after, &relations(input, &after)) };
        let brought = selector.unknown(&found);
        let culprits = selector.culprits(&trial.repaired, &brought, &after);
        if !culprits.is_empty() {
            list.refuse(culprits);
            continue;
        }
        refused.extend(trial.refused);
        refused.extend(selector.told(&brought));
        return Selected { steps, after, choices: trial.choices, refused };
    }
}

/// The candidates, those of the input first.
struct Worklist<'s, 'a, 'i> {
    selector: &'s Selector<'a, 'i>,
    candidates: Vec<Candidate<'a>>,
    /// How often something was taken up since the last repair was given up.
    rounds: usize,
}

impl<'s, 'a, 'i> Worklist<'s, 'a, 'i> {
    fn new(selector: &'s Selector<'a, 'i>) -> Self {
        let one = |finding: &'a Finding| Candidate {
            taken: selector.pick(finding),
            finding: Cow::Borrowed(finding),
            brought: false,
            given_up: None,
        };
        Self { selector, candidates: selector.input.findings.iter().map(one).collect(), rounds: 0 }
    }

    /// Returns what repairs bring that can be repaired without asking anybody, and is not on the list.
    fn fixable(&self, brought: &[&Finding]) -> Vec<Finding> {
        if self.rounds == ROUNDS {
            return Vec::new();
        }
        let input = self.selector.input;
        let seen = |f: &Finding| {
            self.candidates.iter().any(|c| (c.brought || c.given_up.is_some()) && c.finding.as_ref() == f)
        };
        let can = |f: &Finding| automatic(&options(input, f), input).is_some();
        brought.iter().filter(|f| !seen(f) && can(f)).map(|f| (*f).clone()).collect()
    }

    fn take_up(&mut self, brought: Vec<Finding>) {
        self.rounds += 1;
        let selector = self.selector;
        self.candidates.extend(brought.into_iter().map(|finding| Candidate {
            taken: selector.pick(&finding),
            finding: Cow::Owned(finding),
            brought: true,
            given_up: None,
        }));
    }

    /// Gives repairs up for what they bring.
    fn give_up(&mut self, culprits: Vec<(Finding, Why)>) {
        self.mark(culprits, false);
    }

    /// Gives repairs up for good: those that were given up only for what they would bring may bring nothing without them.
    fn refuse(&mut self, refused: Vec<(Finding, Why)>) {
        for candidate in &mut self.candidates {
            candidate.given_up.take_if(|g| !g.for_good);
        }
        self.mark(refused, true);
    }

    fn mark(&mut self, out: Vec<(Finding, Why)>, for_good: bool) {
        for (finding, why) in out {
            for candidate in self.candidates.iter_mut().filter(|c| *c.finding == finding) {
                candidate.given_up.get_or_insert_with(|| GivenUp { why: why.clone(), for_good });
            }
        }
        self.candidates.retain(|c| !c.brought || c.given_up.is_some());
        self.rounds = 0;
    }
}

/// Returns the findings whose repair a recipe refuses, and why. What only went along with a repair may still have one of its own.
fn unmade(repaired: &[Repair<'_>], refused: &[Refused]) -> Vec<(Finding, Why)> {
    let mut unmade: Vec<(Finding, Why)> = Vec::new();
    for one in refused {
        for (finding, _) in repaired.iter().filter(|(f, _)| reason(f) == one.reason) {
            if !unmade.iter().any(|(u, _)| u == *finding) {
                unmade.push(((*finding).clone(), Why::Recipe(one.why.clone())));
            }
        }
    }
    unmade
}

impl Selector<'_, '_> {
    /// Returns the findings whose repair brings what was not there before, and what that is. `after` is the schema that has it.
    fn culprits(&self, repaired: &[Repair<'_>], brought: &[&Finding], after: &Schema) -> Vec<(Finding, Why)> {
        let mut culprits: Vec<(Finding, Why)> = Vec::new();
        if brought.is_empty() {
            return culprits;
        }
        let graph = relations(self.input, after);
        for finding in brought {
            // A relation that nothing declares may have the finding already: both wait for the same decision.
            let same = |f: &&Finding| (f.rule, &f.fingerprint) == (finding.rule, &finding.fingerprint);
            let undecided = self.input.findings.iter().find(same);
            let why = undecided
                .and_then(|f| self.pick(f).err())
                .unwrap_or_else(|| Why::Brings { rule: finding.rule, message: finding.message.clone() });
            // Whoever names a key and what it shall do is told what comes with it, and has it.
            let named = |f: &Finding| {
                finding.severity < Severity::Error && by_name(self.input, f, &options(self.input, f)).is_some()
            };
            for culprit in culprits_of(repaired, finding, &graph).into_iter().filter(|c| !named(c)) {
                if !culprits.iter().any(|(b, _)| b == culprit) {
                    culprits.push((culprit.clone(), why.clone()));
                }
            }
        }
        culprits
    }

    /// Returns what was not there before. A key that had no name has one afterwards: the place and the rule tell.
    fn unknown<'f>(&self, found: &'f [Finding]) -> Vec<&'f Finding> {
        let known: BTreeSet<(RuleId, &str)> = self.base.iter().map(|f| (f.rule, f.fingerprint.as_str())).collect();
        found.iter().filter(|f| !known.contains(&(f.rule, f.fingerprint.as_str()))).collect()
    }

    /// Tells beforehand what the plan brings and does not fix: nobody's repair is given up for it.
    fn told(&self, brought: &[&Finding]) -> Vec<Refused> {
        let one = |finding: &&Finding| {
            let then = self.pick(finding).err().map(Box::new);
            Refused::of(finding, &Why::Comes { message: finding.message.clone(), then })
        };
        brought.iter().map(one).collect()
    }
}
