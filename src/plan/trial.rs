//! One choice of repairs, tried on the schema: what it leaves, whose repair is to blame for it, and which findings have gone
//! along with others.

use std::collections::BTreeSet;

use super::judge::{Identity, identity};
use super::select::reason;
use super::{Choice, Input, Refused, Wanted, Why};
use crate::change::Change;
use crate::findings::{Finding, SubjectKind};
use crate::relations::{Graph, Relation};
use crate::rules;
use crate::schema::{ForeignKey, Schema};

/// One choice of repairs, tried on the schema.
pub(super) struct Trial<'c> {
    pub wanted: Vec<Wanted>,
    pub choices: Vec<Choice>,
    pub refused: Vec<Refused>,
    /// The findings that are repaired, and by what.
    pub repaired: Vec<Repair<'c>>,
    /// Findings without a step of their own, which the schema after may not have any more.
    pub left: Vec<(&'c Finding, Why)>,
    /// The schema after.
    pub after: Schema,
    /// What the rules say of it.
    pub found: Vec<Finding>,
}

/// A finding and the changes that repair it.
pub(super) type Repair<'c> = (&'c Finding, &'c [Change]);

impl Trial<'_> {
    /// Gives the findings that have no repair of their own to the repair that fixes them as well, and refuses the rest.
    pub fn finish(&mut self, input: &Input<'_>, known: &BTreeSet<Identity<'_>>) {
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
                    let relations = about(finding, input.relations);
                    let tied = self.wanted.iter_mut().filter_map(|w| Some((tie(w, finding, &relations)?, w)));
                    tied.min_by_key(|(tie, _)| *tie).map(|(_, w)| w)
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
                None => self.refused.push(Refused::of(finding, why)),
            }
        }
    }
}

/// Returns the findings whose repair brings another finding: those that change the same key, else the same table. A key can also
/// become the odd one out by keys of other tables: that is no reason to give these up. `relations` are those of the schema that
/// has the finding.
pub(super) fn culprits<'c>(repaired: &[Repair<'c>], brought: &Finding, relations: &Graph) -> Vec<&'c Finding> {
    let columns = &brought.subject.columns;
    // Of several keys on the same columns the one is to blame that the finding is about.
    let keys = about(brought, relations);
    let of = |near: &dyn Fn(&Change) -> bool| -> Vec<&'c Finding> {
        repaired.iter().filter(|(_, changes)| changes.iter().any(near)).map(|(f, _)| *f).collect()
    };
    let Some(table) = &brought.subject.table else {
        return of(&|c| matches!(c, Change::DropForeignKey { .. }));
    };
    let same_key = |change: &Change| match change {
        _ if change.table() != table => false,
        Change::SetNullable { column, .. } | Change::SetDefault { column, .. } | Change::SetType { column, .. } => {
            columns.contains(column)
        }
        _ if keys.is_empty() => key_of(change).is_some_and(|key| key.columns == *columns),
        _ => keys.iter().any(|relation| is_of(change, relation)),
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
    let of = |change: &Change| !matches!(change, Change::DropForeignKey { .. }) && is_of(change, relation);
    wanted.orphans.is_some() && wanted.changes.iter().any(of)
}

/// Tells whether a change makes, changes or drops the key of a relation.
fn is_of(change: &Change, relation: &Relation) -> bool {
    let same = |key: &ForeignKey| {
        (&key.columns, &key.parent, &key.parent_columns)
            == (&relation.columns, &relation.parent, &relation.parent_columns)
    };
    let old = match change {
        Change::ReplaceForeignKey { old, .. } | Change::AlterForeignKey { old, .. } => Some(old),
        _ => None,
    };
    *change.table() == relation.child && old.into_iter().chain(key_of(change)).any(same)
}

/// Returns the relations that a finding is about: of several over the same columns the one that it names, if it names one.
fn about<'r>(finding: &Finding, relations: &'r Graph) -> Vec<&'r Relation> {
    let subject = &finding.subject;
    if !matches!(subject.kind, SubjectKind::ForeignKey | SubjectKind::Relation) {
        return Vec::new();
    }
    let Some(table) = &subject.table else { return Vec::new() };
    let of = relations.parents_of(table).map(|(_, r)| r).filter(|r| r.columns == subject.columns);
    let all: Vec<&Relation> = of.collect();
    let named = |r: &&Relation| subject.name.is_some() && r.foreign_key().is_some_and(|k| k.name == subject.name);
    let found: Vec<&Relation> = all.iter().copied().filter(named).collect();
    if found.is_empty() { all } else { found }
}

/// What something wanted has in common with a finding that it fixes as well, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    /// It is about the relation, or about the whole database as the finding is.
    Same,
    /// It changes a column that the finding is about, or another key of one.
    Column,
    /// It changes the table.
    Table,
}

/// Returns what ties something wanted to a finding; `None` if nothing does.
fn tie(wanted: &Wanted, finding: &Finding, relations: &[&Relation]) -> Option<Tie> {
    let subject = &finding.subject;
    let one = |change: &Change| {
        let Some(table) = &subject.table else {
            return matches!(change, Change::AddForeignKey { .. }).then_some(Tie::Same);
        };
        if relations.iter().any(|r| is_of(change, r)) {
            return Some(Tie::Same);
        }
        let shares = |columns: &[String]| columns.iter().any(|c| subject.columns.contains(c));
        let of_column = match change {
            Change::SetNullable { column, .. } | Change::SetDefault { column, .. } | Change::SetType { column, .. } => {
                subject.columns.contains(column)
            }
            _ => key_of(change).is_some_and(|key| shares(&key.columns)),
        };
        (change.table() == table).then_some(if of_column { Tie::Column } else { Tie::Table })
    };
    wanted.changes.iter().filter_map(one).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Safety, Subject};
    use crate::rules;
    use crate::schema::{Action, Engine};
    use crate::testing;

    fn wanted(changes: Vec<Change>) -> Wanted {
        Wanted {
            title: String::new(),
            why: String::new(),
            findings: Vec::new(),
            safety: Safety::Safe,
            changes,
            orphans: None,
        }
    }

    fn keys(schema: &Schema) -> Vec<ForeignKey> {
        schema.foreign_keys().map(|(_, key)| key.clone()).collect()
    }

    #[test]
    fn of_two_keys_on_one_column_the_one_that_a_finding_names_is_meant() {
        let mut schema =
            testing::schema(Engine::Postgres, &["a: id int8 pk", "b: id int8 pk", "c: x int8 >a.id, y int8"]);
        let table = schema.table_mut(&"c".into()).unwrap();
        let mut other = ForeignKey::new(["x"], "b".into(), ["id"]);
        other.name = Some("c_x_other".into());
        table.foreign_keys.push(other);
        let graph = testing::graph(&schema);
        let [to_a, to_b] = <[ForeignKey; 2]>::try_from(keys(&schema)).unwrap();
        let drop =
            |key: &ForeignKey| wanted(vec![Change::DropForeignKey { table: "c".into(), foreign_key: key.clone() }]);
        for (own, foreign) in [(&to_a, &to_b), (&to_b, &to_a)] {
            let meta = &rules::unindexed_foreign_key::META;
            let finding = Finding::new(meta, Subject::foreign_key(&"c".into(), own), "any words");
            let relations = about(&finding, &graph);
            assert_eq!(relations.iter().map(|r| &r.parent).collect::<Vec<_>>(), [&own.parent]);
            assert_eq!(tie(&drop(own), &finding, &relations), Some(Tie::Same));
            assert_eq!(tie(&drop(foreign), &finding, &relations), Some(Tie::Column));
        }
    }

    #[test]
    fn of_two_keys_on_one_column_only_the_one_that_a_finding_names_is_to_blame() {
        let mut schema = testing::schema(Engine::Postgres, &["a: id int8 pk", "b: id int8 pk", "c: x int8 >a.id"]);
        let mut other = ForeignKey::new(["x"], "b".into(), ["id"]);
        other.name = Some("c_x_other".into());
        schema.table_mut(&"c".into()).unwrap().foreign_keys.push(other);
        let graph = testing::graph(&schema);
        let meta = &rules::unindexed_foreign_key::META;
        let of = |key: &ForeignKey| Finding::new(meta, Subject::foreign_key(&"c".into(), key), "any words");
        let repairs: Vec<(Finding, Vec<Change>)> = keys(&schema)
            .into_iter()
            .map(|old| {
                let new = ForeignKey { on_delete: Action::Cascade, ..old.clone() };
                (of(&old), vec![Change::ReplaceForeignKey { table: "c".into(), old, new }])
            })
            .collect();
        let repaired: Vec<Repair<'_>> = repairs.iter().map(|(f, changes)| (f, changes.as_slice())).collect();
        for (own, _) in &repairs {
            assert_eq!(culprits(&repaired, own, &graph), [own]);
        }
        // What names none of them may come of either.
        let both = Finding::new(meta, Subject { name: None, ..repairs[0].0.subject.clone() }, "any words");
        assert_eq!(culprits(&repaired, &both, &graph).len(), 2);
    }

    #[test]
    fn what_changes_another_column_or_table_is_not_taken_for_the_relation() {
        let schema =
            testing::schema(Engine::Postgres, &["a: id int8 pk", "c: x int8 >a.id, y int8", "d: x int8 >a.id"]);
        let graph = testing::graph(&schema);
        let finding = Finding::new(
            &rules::unindexed_foreign_key::META,
            Subject::foreign_key(&"c".into(), &keys(&schema)[0]),
            "any words",
        );
        let relations = about(&finding, &graph);
        let nullable = |table: &str, column: &str| {
            wanted(vec![Change::SetNullable { table: table.into(), column: column.into(), nullable: true }])
        };
        assert_eq!(tie(&nullable("c", "x"), &finding, &relations), Some(Tie::Column));
        assert_eq!(tie(&nullable("c", "y"), &finding, &relations), Some(Tie::Table));
        assert_eq!(tie(&nullable("d", "x"), &finding, &relations), None);
    }
}
