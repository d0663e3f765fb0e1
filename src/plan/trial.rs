//! One choice of repairs, tried on the schema: what it leaves, whose repair is to blame for it, and which findings have gone
//! along with others.

use std::collections::BTreeSet;

use super::judge::{Identity, identity};
use super::select::{Selected, reason};
use super::{Choice, Input, Refused, Wanted};
use crate::change::Change;
use crate::findings::Finding;
use crate::relations::Relation;
use crate::rules;
use crate::schema::ForeignKey;

/// One choice of repairs, tried on the schema.
pub(super) struct Trial {
    pub wanted: Vec<Wanted>,
    pub choices: Vec<Choice>,
    pub refused: Vec<Refused>,
    /// The findings that are repaired, and by what.
    pub repaired: Vec<(Finding, Vec<Change>)>,
    /// Findings without a step of their own, which the schema after may not have any more.
    pub left: Vec<(Finding, String)>,
    /// What the rules say of the schema after.
    pub found: Vec<Finding>,
}

impl Trial {
    /// Gives the findings that have no repair of their own to the repair that fixes them as well, and refuses the rest.
    pub fn finish(mut self, input: &Input<'_>, known: &BTreeSet<Identity<'_>>) -> Selected {
        let remains: BTreeSet<Identity<'_>> = self.found.iter().map(identity).collect();
        for (finding, why) in &self.left {
            let rule = rules::of(finding.rule);
            let judged = rule.is_some_and(|r| !r.meta.needs_data && !r.is_about_migrations());
            let gone = judged && known.contains(&identity(finding)) && !remains.contains(&identity(finding));
            let by = match rules::relation_of(finding, input.relations) {
                // Whose rows they are decides, and nothing that only lies near.
                Some(relation) if input.options.orphans.is_some() || !input.options.orphans_of.is_empty() => {
                    self.wanted.iter_mut().find(|w| cleans(w, relation))
                }
                _ if gone => {
                    let near = self.wanted.iter_mut().filter_map(|w| Some((nearness(w, finding)?, w)));
                    near.min_by_key(|(distance, _)| *distance).map(|(_, w)| w)
                }
                _ => None,
            };
            match by {
                Some(wanted) => {
                    wanted.findings.push(reason(finding));
                    wanted.findings.sort();
                    wanted.findings.dedup();
                }
                // What a repair brought that was given up is not there.
                None if !input.findings.contains(finding) => {}
                None => self.refused.push(Refused {
                    reason: reason(finding),
                    subject: finding.subject.place(),
                    why: why.clone(),
                }),
            }
        }
        Selected { wanted: self.wanted, choices: self.choices, refused: self.refused }
    }
}

/// Returns the findings whose repair brings another finding: those that change the same key, else the same table. A key can also
/// become the odd one out by keys of other tables: that is no reason to give these up.
pub(super) fn culprits(repaired: &[(Finding, Vec<Change>)], brought: &Finding) -> Vec<Finding> {
    let columns = &brought.subject.columns;
    let of = |near: &dyn Fn(&Change) -> bool| -> Vec<Finding> {
        repaired.iter().filter(|(_, changes)| changes.iter().any(near)).map(|(f, _)| f.clone()).collect()
    };
    let Some(table) = &brought.subject.table else {
        return of(&|c| matches!(c, Change::DropForeignKey { .. }));
    };
    let same_key = |change: &Change| match change {
        _ if change.table() != table => false,
        Change::SetNullable { column, .. } | Change::SetDefault { column, .. } | Change::SetType { column, .. } => {
            columns.contains(column)
        }
        _ => key_of(change).is_some_and(|key| key.columns == *columns),
    };
    // An index makes no other key wrong.
    let same_table = |change: &Change| change.table() == table && !matches!(change, Change::AddIndex { .. });
    let near = of(&same_key);
    if near.is_empty() { of(&same_table) } else { near }
}

/// Returns the key that a change makes, changes or drops.
pub(super) fn key_of(change: &Change) -> Option<&ForeignKey> {
    match change {
        Change::AddForeignKey { foreign_key: key, .. }
        | Change::ReplaceForeignKey { new: key, .. }
        | Change::AlterForeignKey { new: key, .. }
        | Change::ValidateForeignKey { foreign_key: key, .. }
        | Change::DropForeignKey { foreign_key: key, .. } => Some(key),
        _ => None,
    }
}

/// Tells whether something wanted makes a relation's key hold, and so cleans up its orphans.
fn cleans(wanted: &Wanted, relation: &Relation) -> bool {
    let of = |change: &Change| {
        !matches!(change, Change::DropForeignKey { .. })
            && *change.table() == relation.child
            && key_of(change).is_some_and(|key| {
                (&key.columns, &key.parent, &key.parent_columns)
                    == (&relation.columns, &relation.parent, &relation.parent_columns)
            })
    };
    wanted.orphans.is_some() && wanted.changes.iter().any(of)
}

/// Tells how near something wanted is to what a finding is about: 0 for its key, 1 for its columns, 2 for its table; `None`
/// if it is about something else.
fn nearness(wanted: &Wanted, finding: &Finding) -> Option<u8> {
    let subject = &finding.subject;
    let one = |change: &Change| {
        let Some(table) = &subject.table else {
            return matches!(change, Change::AddForeignKey { .. }).then_some(0);
        };
        let distance = match change {
            Change::AddForeignKey { foreign_key: key, .. }
            | Change::ReplaceForeignKey { new: key, .. }
            | Change::AlterForeignKey { new: key, .. }
            | Change::ValidateForeignKey { foreign_key: key, .. }
            | Change::DropForeignKey { foreign_key: key, .. } => match () {
                () if key.columns == subject.columns => 0,
                () if subject.columns.iter().any(|c| key.columns.contains(c)) => 1,
                () => 2,
            },
            Change::SetNullable { column, .. } | Change::SetDefault { column, .. } | Change::SetType { column, .. }
                if subject.columns.contains(column) =>
            {
                1
            }
            _ => 2,
        };
        (change.table() == table).then_some(distance)
    };
    wanted.changes.iter().filter_map(one).min()
}
