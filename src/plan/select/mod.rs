//! From findings to what is wanted: one repair of each finding, repairs of one thing made one, contradictions settled.
//!
//! A declared policy decides before a finding, an error before a warning. What is chosen is tried on the schema: a finding
//! that another one's repair fixes as well needs none of its own, and a repair that would bring a new finding is not made.

mod gate;
mod pick;

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Identity, after, check, identity, relations};
use super::merge::Merge;
use super::trial::{Trial, culprits as culprits_of};
use super::ways::{automatic, by_name, options};
use super::{Choice, Input, Reason, Refused, Wanted, words};
use crate::change::Change;
use crate::fate::Reach;
use crate::findings::{Finding, RuleId, Safety, Severity};
use crate::orphans::Outcome;
use crate::relations::{Graph, Relation};
use crate::rules;
use crate::schema::{ForeignKey, Schema, TableName};
use crate::text::said;

/// What the findings come to.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub wanted: Vec<Wanted>,
    pub choices: Vec<Choice>,
    pub refused: Vec<Refused>,
}

/// So often what a repair brings is looked at again.
const ROUNDS: usize = 16;

/// The choice of repairs, made again as long as a recipe refuses some of them: what is left is a plan of its own, and judged so.
pub(super) struct Selection<'a, 'i> {
    input: &'a Input<'i>,
    /// What the rules say of the schema as it is.
    base: Vec<Finding>,
    orphans: BTreeMap<OrphanKey, u64>,
    /// How far deletes reach as things are.
    reach: Reach,
    /// The findings whose repair a recipe refuses, and why.
    banned: Vec<(Finding, String)>,
    /// The findings that the last choice repairs, and how.
    repaired: Vec<(Finding, Vec<Change>)>,
}

impl<'a, 'i> Selection<'a, 'i> {
    pub fn new(input: &'a Input<'i>) -> Self {
        let base = check(input, input.schema, &input.relations.without_guesses(input.schema));
        let reach = Reach::of(input.schema, input.relations);
        Self { input, base, orphans: orphans(input), reach, banned: Vec::new(), repaired: Vec::new() }
    }

    fn selector(&self) -> Selector<'_, 'i> {
        Selector { input: self.input, base: &self.base, orphans: &self.orphans, reach: &self.reach }
    }

    /// Chooses, without what has been refused.
    pub fn choose(&mut self) -> Selected {
        let known: BTreeSet<Identity<'_>> = self.base.iter().map(identity).collect();
        let selector = self.selector();
        let mut banned = self.banned.clone();
        let trial = loop {
            let trial = self.fixed(&selector, &known, &banned);
            let culprits = self.culprits(&trial.repaired, &trial.found, &banned);
            if culprits.is_empty() {
                break trial;
            }
            // What only their repairs brought along is looked for anew.
            banned.extend(culprits);
        };
        self.repaired.clone_from(&trial.repaired);
        trial.finish(self.input, &known)
    }

    /// Returns the findings whose repair brings what was not there before, and what that is.
    fn culprits(
        &self,
        repaired: &[(Finding, Vec<Change>)],
        found: &[Finding],
        banned: &[(Finding, String)],
    ) -> Vec<(Finding, String)> {
        let known: BTreeSet<Identity<'_>> = self.base.iter().map(identity).collect();
        let selector = self.selector();
        let mut culprits: Vec<(Finding, String)> = Vec::new();
        for finding in found.iter().filter(|f| !known.contains(&identity(f))) {
            // A relation that nothing declares may have the finding already: both wait for the same decision.
            let same = |f: &&Finding| (f.rule, &f.fingerprint) == (finding.rule, &finding.fingerprint);
            let undecided = self.input.findings.iter().find(same);
            let why = undecided.and_then(|f| selector.pick(f, &mut Vec::new()).err()).unwrap_or_else(|| {
                format!("Fixing it would bring another finding, `{}`: {}.", finding.rule, finding.message)
            });
            // Whoever names a key and what it shall do is told what comes with it, and has it.
            let named = |f: &Finding| {
                finding.severity < Severity::Error && by_name(self.input, f, &options(self.input, f)).is_some()
            };
            for culprit in culprits_of(repaired, finding).into_iter().filter(|c| !named(c)) {
                if !banned.iter().chain(&culprits).any(|(b, _)| *b == culprit) {
                    culprits.push((culprit, why.clone()));
                }
            }
        }
        culprits
    }

    /// Tries a choice, and fixes what it brings along: only what cannot be fixed lets a repair be given up.
    fn fixed(
        &self,
        selector: &Selector<'_, '_>,
        known: &BTreeSet<Identity<'_>>,
        banned: &[(Finding, String)],
    ) -> Trial {
        let mut extra: Vec<Finding> = Vec::new();
        let mut trial = selector.trial(&extra, banned);
        for _ in 0..ROUNDS {
            let new = trial.found.iter().filter(|f| !known.contains(&identity(f)));
            let fresh = |f: &&Finding| !extra.contains(f) && !banned.iter().any(|(b, _)| b == *f);
            let can = |f: &&Finding| automatic(&options(self.input, f), self.input).is_some();
            let fixable: Vec<Finding> = new.filter(fresh).filter(can).cloned().collect();
            if fixable.is_empty() {
                break;
            }
            extra.extend(fixable);
            trial = selector.trial(&extra, banned);
        }
        trial
    }

    /// Takes in what recipes refuse, and the schema that their steps lead to; tells whether there is something to choose anew.
    ///
    /// The steps may come to another schema than the choice: a key that is made anew acts after all that were there.
    pub fn refuse(&mut self, refused: &[Refused], after: &Schema) -> bool {
        let before = self.banned.len();
        for one in refused {
            // What only went along with a repair may still have one of its own.
            for (finding, _) in self.repaired.iter().filter(|(f, _)| reason(f) == one.reason) {
                if !self.banned.iter().any(|(b, _)| b == finding) {
                    self.banned.push((finding.clone(), one.why.clone()));
                }
            }
        }
        if self.banned.len() == before {
            let found = self.new_in(check(self.input, after, &relations(self.input, after)));
            let culprits = self.culprits(&self.repaired, &found, &self.banned);
            self.banned.extend(culprits);
        }
        self.banned.len() > before
    }

    /// Returns what was not there before. A key that had no name has one afterwards: the place and the rule tell.
    fn new_in(&self, mut found: Vec<Finding>) -> Vec<Finding> {
        let known: BTreeSet<(RuleId, &str)> = self.base.iter().map(|f| (f.rule, f.fingerprint.as_str())).collect();
        found.retain(|f| !known.contains(&(f.rule, f.fingerprint.as_str())));
        found
    }

    /// Returns what the plan brings and does not fix: nobody's repair is given up for it, but it is told beforehand.
    pub fn brought(&self, after: &Schema) -> Vec<Refused> {
        let input = self.input;
        let selector = self.selector();
        let found = self.new_in(check(input, after, &relations(input, after)));
        let told =
            |finding: &Finding, why: String| Refused { reason: reason(finding), subject: finding.subject.place(), why };
        let mut brought: Vec<Refused> = Vec::new();
        for finding in &found {
            let what = match selector.pick(finding, &mut Vec::new()) {
                Ok(_) => "Run `referee fix` again afterwards.".to_string(),
                Err(why) => why,
            };
            brought.push(told(finding, format!("It comes with this plan: {}. {what}", finding.message)));
        }
        brought
    }
}

const ORPHAN_ROWS: RuleId = rules::orphan_rows::META.id();

type OrphanKey = (TableName, Vec<String>, TableName);

fn orphans(input: &Input<'_>) -> BTreeMap<OrphanKey, u64> {
    let Some(scan) = input.scan else { return BTreeMap::new() };
    let all = input.relations.relations().iter().zip(&scan.outcomes);
    let mut counts = BTreeMap::new();
    for (relation, outcome) in all {
        if let Outcome::Counted(orphans) = outcome {
            let key = (relation.child.clone(), relation.columns.clone(), relation.parent.clone());
            counts.insert(key, orphans.count);
        }
    }
    counts
}

pub(super) fn reason(finding: &Finding) -> Reason {
    Reason { rule: finding.rule, fingerprint: finding.fingerprint.clone() }
}

/// Returns the guess that a finding is about: columns of which nothing is known but that.
fn rests_on<'r>(input: &Input<'r>, finding: &Finding) -> Option<&'r Relation> {
    let table = finding.subject.table.as_ref()?;
    let about = || input.relations.parents_of(table).map(|(_, r)| r).filter(|r| r.columns == finding.subject.columns);
    about().find(|r| r.is_guess()).filter(|_| about().all(Relation::is_guess))
}

/// A finding and the option taken.
struct Pick<'f> {
    finding: &'f Finding,
    changes: Vec<Change>,
    safety: Safety,
    /// Whether it is the index that another finding's key needs.
    is_lookup: bool,
}

/// A finding that has nothing in the plan of its own.
struct Left<'f> {
    finding: &'f Finding,
    why: String,
}

/// What is not planned because rows stand in its way.
#[derive(Default)]
struct Barred {
    refused: Vec<Refused>,
    /// The keys, and what is said of their rows.
    keys: Vec<(TableName, ForeignKey, String)>,
}

impl Barred {
    /// Says of rows what is said of the key that they stand in the way of: it is one thing to decide.
    fn why(&self, left: &Left<'_>, relations: &Graph) -> Option<String> {
        let relation = rules::relation_of(left.finding, relations)?;
        let about = |(table, key, _): &&(TableName, ForeignKey, String)| {
            (table, &key.columns, &key.parent) == (&relation.child, &relation.columns, &relation.parent)
        };
        self.keys.iter().find(about).map(|(_, _, why)| why.clone())
    }
}

struct Selector<'a, 'i> {
    input: &'a Input<'i>,
    base: &'a [Finding],
    orphans: &'a BTreeMap<OrphanKey, u64>,
    reach: &'a Reach,
}

impl Selector<'_, '_> {
    fn trial(&self, extra: &[Finding], banned: &[(Finding, String)]) -> Trial {
        let input = self.input;
        let mut left: Vec<Left<'_>> = Vec::new();
        let mut choices = Vec::new();
        let mut picks: Vec<Pick<'_>> = Vec::new();
        for finding in input.findings.iter().chain(extra) {
            if let Some((_, why)) = banned.iter().find(|(b, _)| b == finding) {
                left.push(Left { finding, why: why.clone() });
                continue;
            }
            match self.pick(finding, &mut choices) {
                Ok(pick) => picks.push(pick),
                Err(why) => left.push(Left { finding, why: said(why) }),
            }
        }
        picks.sort_by_cached_key(|p| priority(p));
        self.lookups(&mut picks);

        let mut merge = Merge::new(input.schema);
        for (owner, pick) in picks.iter().enumerate() {
            if let Err(other) = merge.accept(owner, &pick.changes) {
                let by = picks[other].finding;
                let why = format!(
                    "`{}` ({}) wants something else of the same key or column, and goes before: {}.",
                    by.rule,
                    by.rule.code(),
                    words::title(&picks[other].changes)
                );
                left.push(Left { finding: pick.finding, why });
            }
        }
        let mut barred = Barred::default();
        let wanted = self.gate(merge.groups(), &picks, &mut barred);
        let after = after(input.schema, &wanted);
        let found = check(input, &after, &relations(input, &after));
        let planned: BTreeSet<&Reason> = wanted.iter().flat_map(|w| &w.findings).collect();
        choices.retain(|c: &Choice| planned.contains(&c.reason));
        let is_left = |f: &Finding| left.iter().any(|l| l.finding == f);
        let repaired = picks
            .iter()
            .filter(|p| planned.contains(&reason(p.finding)) && !is_left(p.finding))
            .map(|p| (p.finding.clone(), p.changes.clone()))
            .collect();
        let left =
            left.into_iter().map(|l| (l.finding.clone(), barred.why(&l, input.relations).unwrap_or(l.why))).collect();
        Trial { wanted, choices, refused: barred.refused, repaired, left, found }
    }
}

/// Who decides first: what goes needs nothing else; then policies, errors, warnings.
fn priority(pick: &Pick<'_>) -> (u8, std::cmp::Reverse<Severity>, RuleId, String) {
    let drops = pick.changes.iter().all(|c| matches!(c, Change::DropForeignKey { .. }));
    let class = match () {
        () if drops => 0,
        () if pick.finding.rule == rules::policy_violation::META.id() => 1,
        () => 2,
    };
    (class, std::cmp::Reverse(pick.finding.severity), pick.finding.rule, pick.finding.fingerprint.clone())
}
