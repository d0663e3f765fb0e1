//! From findings to what is wanted: one repair of each finding, repairs of one thing made one, contradictions settled.
//!
//! A declared policy decides before a finding, an error before a warning. What is chosen is tried on the schema: a finding
//! that another one's repair fixes as well needs none of its own, and a repair that would bring a new finding is not made.
//! Which findings are repaired in the end is told in `worklist`; here is one trial of a choice.

mod gate;
mod pick;
mod worklist;

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{after, check, relations};
use super::merge::Merge;
use super::trial::Trial;
use super::{Choice, Input, Reason, Refused, Why};
use crate::change::Change;
use crate::fate::Reach;
use crate::findings::{Finding, RuleId, Safety, Severity};
use crate::orphans::Outcome;
use crate::relations::{Graph, Relation};
use crate::rules;
use crate::schema::{ForeignKey, TableName};
use worklist::Candidate;

pub(super) use worklist::{Selected, select};

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

/// The option taken for a finding.
struct Taken {
    changes: Vec<Change>,
    safety: Safety,
    /// What else there was.
    choice: Option<Choice>,
}

/// A finding and the changes of the option taken.
#[derive(Clone, Copy)]
struct Pick<'c> {
    finding: &'c Finding,
    changes: &'c [Change],
    safety: Safety,
    /// Whether it is the index that another finding's key needs.
    is_lookup: bool,
}

/// A finding that has nothing in the plan of its own.
struct Left<'f> {
    finding: &'f Finding,
    why: Why,
}

/// What is not planned because rows stand in its way.
#[derive(Default)]
struct BlockedByRows {
    refused: Vec<Refused>,
    /// The keys, and what is said of their rows.
    keys: Vec<(TableName, ForeignKey, Why)>,
}

impl BlockedByRows {
    /// Says of rows what is said of the key that they stand in the way of: it is one thing to decide.
    fn why(&self, left: &Left<'_>, relations: &Graph) -> Option<Why> {
        let relation = rules::relation_of(left.finding, relations)?;
        let about = |(table, key, _): &&(TableName, ForeignKey, Why)| {
            (table, &key.columns, &key.parent) == (&relation.child, &relation.columns, &relation.parent)
        };
        self.keys.iter().find(about).map(|(_, _, why)| why.clone())
    }
}

/// What every choice is made by: what is known before the first one.
struct Selector<'a, 'i> {
    input: &'a Input<'i>,
    /// What the rules say of the schema as it is.
    base: Vec<Finding>,
    orphans: BTreeMap<OrphanKey, u64>,
    /// How far deletes reach as things are.
    reach: Reach,
}

impl<'a, 'i> Selector<'a, 'i> {
    fn new(input: &'a Input<'i>) -> Self {
        let base = check(input, input.schema, &input.relations.without_guesses(input.schema));
        Self { input, base, orphans: orphans(input), reach: Reach::of(input.schema, input.relations) }
    }

    /// Tries the repairs of all candidates that have not been given up.
    fn trial<'c>(&'c self, candidates: &'c [Candidate<'_>]) -> Trial<'c> {
        let input = self.input;
        let mut left: Vec<Left<'c>> = Vec::new();
        let mut choices: Vec<Choice> = Vec::new();
        let mut picks: Vec<Pick<'c>> = Vec::new();
        for candidate in candidates.iter().filter(|c| c.takes_part()) {
            let finding: &Finding = &candidate.finding;
            match (&candidate.given_up, &candidate.taken) {
                (Some(given_up), _) => left.push(Left { finding, why: given_up.why.clone() }),
                (None, Err(why)) => left.push(Left { finding, why: why.clone() }),
                (None, Ok(Taken { changes, safety, choice })) => {
                    choices.extend(choice.clone());
                    picks.push(Pick { finding, changes, safety: *safety, is_lookup: false });
                }
            }
        }
        picks.sort_by_cached_key(priority);
        self.lookups(&mut picks);

        let mut merge = Merge::new(input.schema);
        let mut lost: Vec<&Finding> = Vec::new();
        for (owner, pick) in picks.iter().enumerate() {
            if let Err(other) = merge.accept(owner, pick.changes) {
                let by = picks[other].finding;
                let why = Why::Outranked { by: by.rule, changes: picks[other].changes.to_vec() };
                lost.push(pick.finding);
                left.push(Left { finding: pick.finding, why });
            }
        }
        let mut blocked_by_rows = BlockedByRows::default();
        let wanted = self.gate(merge.groups(), &picks, &mut blocked_by_rows);
        let after = after(input.schema, &wanted);
        let found = check(input, &after, &relations(input, &after));
        let planned: BTreeSet<&Reason> = wanted.iter().flat_map(|w| &w.findings).collect();
        choices.retain(|c| planned.contains(&c.reason));
        let repairs = picks.iter().filter(|p| planned.contains(&reason(p.finding)) && !lost.contains(&p.finding));
        let repaired = repairs.map(|p| (p.finding, p.changes)).collect();
        let left =
            left.into_iter().map(|l| (l.finding, blocked_by_rows.why(&l, input.relations).unwrap_or(l.why))).collect();
        Trial { wanted, choices, refused: blocked_by_rows.refused, repaired, left, after, found }
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
