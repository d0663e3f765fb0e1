//! The way that is taken to fix a finding, and the indexes that new keys need.

use super::super::refused::Can;
use super::super::remedy::{self, Question};
use super::super::ways::{Way, automatic, by_user, is_recommended, options};
use super::super::{Choice, ChoiceOption, Decision, DecisionOption, Why};
use super::{ORPHAN_ROWS, Pick, Selector, Taken, reason, rests_on};
use crate::change::Change;
use crate::engine;
use crate::fate::sentences;
use crate::findings::{Finding, Safety, SubjectKind};
use crate::relations::lookup;
use crate::rules::{self, FATE};
use crate::schema::{ForeignKey, Schema, Table, TableName};

impl Selector<'_, '_> {
    /// Chooses the way to fix a finding; says why there is none.
    pub(super) fn pick(&self, finding: &Finding) -> Result<Taken, Why> {
        let input = self.input;
        if let Some(guess) = rests_on(input, finding) {
            return Err(Why::Guess(guess.written()));
        }
        let ways = options(input, finding);
        if finding.rule == ORPHAN_ROWS {
            return self.rows(finding);
        }
        if rules::of(finding.rule).is_some_and(rules::Rule::is_about_migrations) {
            return Err(Why::Applied { help: finding.help.clone() });
        }
        if ways.is_empty() {
            return Err(Why::NoChange { help: finding.help.clone() });
        }
        let user = by_user(input, finding, &ways);
        let Some(chosen) = user.or_else(|| automatic(&ways, input)) else {
            if let Some(why) = self.fails_its_check(&ways) {
                return Err(why);
            }
            let option = |way: &Way| {
                let mut does = way.title.clone();
                // A fate's own fix says it for all changes together.
                let newly = if finding.rule == FATE.id() { Vec::new() } else { self.reach.newly(&way.changes) };
                sentences(&newly).iter().for_each(|s| does.push_str(&format!("; {s}")));
                DecisionOption { word: way.word.clone(), does }
            };
            let (subject, help) = (finding.subject.place(), finding.help.clone());
            return Err(Why::Decision(Decision { subject, help, options: ways.iter().map(option).collect() }));
        };
        let choice = (ways.len() > 1 || user.is_some()).then(|| Choice {
            subject: finding.subject.place(),
            name: finding.subject.name.clone(),
            reason: reason(finding),
            options: ways
                .iter()
                .enumerate()
                .map(|(at, w)| ChoiceOption {
                    word: w.word.clone(),
                    title: w.title.clone(),
                    safety: w.safety,
                    recommended: is_recommended(at, &ways, input, finding),
                    newly_deletes: self.reach.newly(&w.changes),
                })
                .collect(),
            chosen,
            by_user: user.is_some(),
        });
        let mut ways = ways;
        let way = ways.swap_remove(chosen);
        Ok(Taken { changes: way.changes, safety: way.safety, choice })
    }

    /// Says what has to become of its orphans before the engine can check the rows of a key; `None` if it has none, or something else
    /// can be chosen.
    fn fails_its_check(&self, ways: &[Way]) -> Option<Why> {
        let [Way { changes, .. }] = ways else { return None };
        let [Change::ValidateForeignKey { table, foreign_key: key }] = changes.as_slice() else { return None };
        let orphans = self.orphans.get(&(table.clone(), key.columns.clone(), key.parent.clone()));
        let rows = orphans.filter(|n| **n > 0 && remedy::said(self.input.options, table, key).is_none())?;
        Some(Why::FailsCheck { rows: *rows, can: self.can(table, key) })
    }

    /// Tells what can become of the orphans of a key.
    pub(super) fn can(&self, table: &TableName, key: &ForeignKey) -> Can {
        let (options, schema) = (self.input.options, self.input.schema);
        let (Some(table), Some(dialect)) = (schema.table(table), engine::dialect(schema.engine)) else {
            return Can::BecomeNull;
        };
        let count = self.orphans.get(&(table.name.clone(), key.columns.clone(), key.parent.clone())).copied();
        Question { schema, dialect, options, changes: &[], table, key, count }.can()
    }

    /// Orphans of a key that is declared: its rows are cleaned up and checked again. Those of other relations are cleaned up with
    /// the key that keeps them out.
    fn rows(&self, finding: &Finding) -> Result<Taken, Why> {
        let input = self.input;
        let relation = rules::relation_of(finding, input.relations);
        let key = relation.and_then(|relation| {
            let declared = relation.foreign_key()?;
            let table = input.schema.table(&relation.child)?;
            let key = table.foreign_keys.iter().find(|k| *k == declared)?;
            let counted = self.orphans.get(&(table.name.clone(), key.columns.clone(), key.parent.clone()));
            counted.is_some_and(|n| *n > 0).then_some((&table.name, key))
        });
        let said = match key {
            Some((table, key)) => remedy::said(input.options, table, key).is_some(),
            None => input.options.orphans.is_some() || !input.options.orphans_of.is_empty(),
        };
        if !said {
            let can = relation.map(|r| match r.foreign_key() {
                Some(key) => self.can(&r.child, key),
                None => {
                    let (columns, parent) = (r.columns.clone(), r.parent_columns.clone());
                    self.can(&r.child, &ForeignKey::new(columns, r.parent.clone(), parent))
                }
            });
            let can = can.unwrap_or(Can::BecomeNull);
            return Err(Why::Unsaid { can, help: finding.help.clone() });
        }
        match key {
            Some((table, key)) if finding.subject.kind == SubjectKind::ForeignKey && key.enforced => Ok(Taken {
                changes: vec![Change::ValidateForeignKey { table: table.clone(), foreign_key: key.clone() }],
                safety: Safety::Unsafe,
                choice: None,
            }),
            _ => Err(Why::NoKey),
        }
    }

    /// A new key brings the index that its look-up needs, if no finding asks for it anyway.
    pub(super) fn lookups<'c>(&'c self, picks: &mut Vec<Pick<'c>>) {
        let mut more: Vec<Pick<'c>> = Vec::new();
        let wants_index = |picks: &[Pick<'c>], table: &TableName, columns: &[String]| {
            picks.iter().flat_map(|p| p.changes).any(|c| {
                matches!(c, Change::AddIndex { table: t, index } if t == table && covers(self.input.schema, t, index, columns))
            })
        };
        for pick in picks.iter() {
            for change in pick.changes {
                let Change::AddForeignKey { table, foreign_key: key } = change else { continue };
                if wants_index(picks, table, &key.columns) || wants_index(&more, table, &key.columns) {
                    continue;
                }
                let missing = self.base.iter().find(|f| {
                    f.rule == rules::unindexed_foreign_key::META.id()
                        && f.subject.table.as_ref() == Some(table)
                        && f.subject.columns == key.columns
                });
                if let Some(fix) = missing.and_then(|f| f.fixes.iter().find(|f| !f.changes.is_empty())) {
                    more.push(Pick {
                        finding: pick.finding,
                        changes: &fix.changes,
                        safety: fix.safety,
                        is_lookup: true,
                    });
                }
            }
        }
        picks.extend(more);
    }
}

fn covers(schema: &Schema, table: &TableName, index: &crate::schema::Index, columns: &[String]) -> bool {
    let Some(table) = schema.table(table) else { return false };
    let mut with = Table { indexes: vec![index.clone()], ..table.clone() };
    with.unique_keys.clear();
    lookup::grade(schema, &with, columns).0 == lookup::Grade::Covers
}
