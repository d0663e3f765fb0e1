//! From findings to what is wanted: one repair of each finding, repairs of one thing made one, contradictions settled.
//!
//! A declared policy decides before a finding, an error before a warning. What is chosen is tried on the schema: a finding
//! that another one's repair fixes as well needs none of its own, and a repair that would bring a new finding is not made.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Identity, after, check, identity, relations};
use super::merge::{Group, Merge};
use super::remedy::{self, Question, Remedy};
use super::trial::{Trial, culprits as culprits_of, key_of};
use super::ways::{automatic, by_name, by_user, is_recommended, options};
use super::{Choice, ChoiceOption, Input, Reason, Refused, Wanted, words};
use crate::change::Change;
use crate::engine;
use crate::fate::{Reach, sentences};
use crate::findings::{Finding, RuleId, Safety, Severity, SubjectKind};
use crate::orphans::Outcome;
use crate::relations::{Graph, Relation, lookup};
use crate::rules::{self, FATE};
use crate::schema::{ForeignKey, Schema, Table, TableName};
use crate::text::{argument, quoted, said};

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
                format!("Its repair would bring another finding, `{}`: {}.", finding.rule, finding.message)
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

    /// Chooses the way to fix a finding; says why there is none.
    fn pick<'f>(&self, finding: &'f Finding, choices: &mut Vec<Choice>) -> Result<Pick<'f>, String> {
        let input = self.input;
        if let Some(guess) = rests_on(input, finding) {
            return Err(format!(
                "It rests on a guess, and nothing is changed for one. If it is true, accept it: `referee infer SOURCE --accept {}`.",
                argument(&guess.written())
            ));
        }
        let ways = options(input, finding);
        if finding.rule == ORPHAN_ROWS {
            return self.rows(finding);
        }
        if rules::of(finding.rule).is_some_and(rules::Rule::is_about_migrations) {
            return Err(format!(
                "It is about a migration, and one that was applied is not rewritten. {}",
                finding.help
            ));
        }
        if ways.is_empty() {
            return Err(format!("No change of the schema fixes it by itself. {}", finding.help));
        }
        let user = by_user(input, finding, &ways);
        let Some(chosen) = user.or_else(|| automatic(&ways, input)) else {
            let place = finding.subject.place();
            let all: Vec<String> = ways
                .iter()
                .map(|w| {
                    let mut does = w.title.clone();
                    // A fate's own fix says it for all changes together.
                    let newly = if finding.rule == FATE.id() { Vec::new() } else { self.reach.newly(&w.changes) };
                    sentences(&newly).iter().for_each(|s| does.push_str(&format!("; {s}")));
                    format!("`--choose {}` ({does})", quoted(&format!("{place}={}", w.word)))
                })
                .collect();
            return Err(format!("It needs a decision. {} To have it planned: {}.", finding.help, all.join(" or ")));
        };
        if ways.len() > 1 || user.is_some() {
            choices.push(Choice {
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
        }
        let mut ways = ways;
        let way = ways.swap_remove(chosen);
        Ok(Pick { finding, changes: way.changes, safety: way.safety, is_lookup: false })
    }

    /// Orphans of a key that is declared: its rows are cleaned up and checked again. Those of other relations are cleaned up with
    /// the key that keeps them out.
    fn rows<'f>(&self, finding: &'f Finding) -> Result<Pick<'f>, String> {
        let input = self.input;
        let key = rules::relation_of(finding, input.relations).and_then(|relation| {
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
            return Err(format!("Rows are changed only when you say how: {ORPHANS}. {}", finding.help));
        }
        match key {
            Some((table, key)) if finding.subject.kind == SubjectKind::ForeignKey && key.enforced => Ok(Pick {
                finding,
                changes: vec![Change::ValidateForeignKey { table: table.clone(), foreign_key: key.clone() }],
                safety: Safety::Unsafe,
                is_lookup: false,
            }),
            _ => {
                Err("They are cleaned up together with the foreign key that keeps them out, and none is planned here."
                    .to_string())
            }
        }
    }

    /// A new key brings the index that its look-up needs, if no finding asks for it anyway.
    fn lookups<'f>(&self, picks: &mut Vec<Pick<'f>>) {
        let mut more: Vec<Pick<'f>> = Vec::new();
        let wants_index = |picks: &[Pick<'f>], table: &TableName, columns: &[String]| {
            picks.iter().flat_map(|p| &p.changes).any(|c| {
                matches!(c, Change::AddIndex { table: t, index } if t == table && covers(self.input.schema, t, index, columns))
            })
        };
        for pick in picks.iter() {
            for change in &pick.changes {
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
                    let changes = fix.changes.clone();
                    more.push(Pick { finding: pick.finding, changes, safety: fix.safety, is_lookup: true });
                }
            }
        }
        picks.extend(more);
    }

    /// Makes the groups what is wanted, except those that add or check a key over orphans when nobody said what becomes of
    /// them.
    fn gate(&self, groups: Vec<Group>, picks: &[Pick<'_>], barred: &mut Barred) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let cleaned: Vec<(TableName, Vec<String>)> = groups.iter().flat_map(|g| self.cleaned(&g.changes)).collect();
        for group in groups {
            let owners: Vec<&Pick<'_>> = group.owners.iter().filter_map(|o| picks.get(*o)).collect();
            let orphans = group.changes.iter().filter_map(|c| self.orphans_of(c)).max();
            let over = group.changes.iter().find_map(|c| Some((c, self.orphans_of(c)?))).filter(|(_, n)| *n > 0);
            let mut changes = group.changes.clone();
            let mut orphans = orphans;
            let decided = match group.changes.iter().find_map(|c| self.own_orphans(c, &cleaned)) {
                Some(why) => Err(why),
                None => over.map_or(Ok(None), |(change, count)| self.decide(change, &group.changes, count)),
            };
            match decided {
                Ok(None) => {}
                Ok(Some((table, columns))) => {
                    // The column is made nullable in this plan; its key comes with the next one.
                    changes = loosen(self.input.schema, &table, &columns);
                    orphans = None;
                }
                Err(why) => {
                    let why = said(why);
                    if let Some((change, key)) = over.and_then(|(c, _)| Some((c, key_of(c)?))) {
                        barred.keys.push((change.table().clone(), key.clone(), why.clone()));
                    }
                    barred.refused.extend(owners.iter().filter(|p| !p.is_lookup).map(|p| Refused {
                        reason: reason(p.finding),
                        subject: p.finding.subject.place(),
                        why: why.clone(),
                    }));
                    continue;
                }
            }
            let loosens = changes != group.changes;
            let mut findings: Vec<Reason> = owners.iter().map(|p| reason(p.finding)).collect();
            findings.sort();
            findings.dedup();
            let first = owners.iter().min_by_key(|p| (p.is_lookup, priority(p)));
            wanted.push(Wanted {
                title: words::title(&changes),
                why: if loosens { said(LOOSENS) } else { first.map(|p| why(p)).unwrap_or_default() },
                findings,
                safety: owners.iter().map(|p| p.safety).max().unwrap_or(Safety::Manual),
                changes,
                orphans,
            });
        }
        wanted
    }

    /// Returns the keys whose orphans a group cleans up.
    fn cleaned(&self, changes: &[Change]) -> Vec<(TableName, Vec<String>)> {
        let clean = |change: &&Change| {
            let count = self.orphans_of(change).filter(|n| *n > 0);
            count.is_some_and(|n| matches!(self.decide(change, changes, n), Ok(None)))
        };
        let of = |change: &Change| Some((change.table().clone(), key_of(change)?.columns.clone()));
        changes.iter().filter(clean).filter_map(of).collect()
    }

    /// SQLite: says why a new foreign key has to wait for the orphans of a key by which its table refers to itself. Such a key is
    /// checked again at every UPDATE of a column of any foreign key of the table (`fkey.c`, `sqlite3FkCheck`), which before
    /// the new key was there nobody checked.
    fn own_orphans(&self, change: &Change, cleaned: &[(TableName, Vec<String>)]) -> Option<String> {
        let Change::AddForeignKey { table, foreign_key: new } = change else { return None };
        if !self.input.schema.engine.facts().keys.rechecks_own || !new.enforced {
            return None;
        }
        let own = |key: &&ForeignKey| {
            key.enforced
                && key.parent == *table
                && key.columns != new.columns
                && !cleaned.iter().any(|(t, columns)| t == table && *columns == key.columns)
        };
        let (key, count) = self.input.schema.table(table)?.foreign_keys.iter().filter(own).find_map(|key| {
            let count = self.orphans.get(&(table.clone(), key.columns.clone(), table.clone())).filter(|n| **n > 0)?;
            Some((key, *count))
        })?;
        let rows = if count == 1 { "1 row refers".to_string() } else { format!("{count} rows refer") };
        Some(format!(
            "{rows} to no row of `{table}` itself ({}). SQLite checks that foreign key again whenever a column of another one \
             changes, so with this one no UPDATE of `{}` of such a row would succeed any more. Give them a parent, or say what \
             becomes of them: {ORPHANS}.",
            words::arrow(table, key),
            new.columns.join("`, `")
        ))
    }

    /// Returns how many orphans stand in the way of a change; `None` if it checks no rows or they were not counted.
    fn orphans_of(&self, change: &Change) -> Option<u64> {
        let (table, key) = match change {
            Change::AddForeignKey { table, foreign_key } | Change::ValidateForeignKey { table, foreign_key } => {
                (table, foreign_key)
            }
            Change::ReplaceForeignKey { table, new, .. } if new.validated && new.enforced => (table, new),
            _ => return None,
        };
        self.orphans.get(&(table.clone(), key.columns.clone(), key.parent.clone())).copied()
    }

    /// Decides what becomes of the orphans of a key: whether columns have to become nullable first.
    ///
    /// # Errors
    /// Why the key cannot be made over them.
    fn decide(&self, change: &Change, all: &[Change], count: u64) -> Result<Option<(TableName, Vec<String>)>, String> {
        let Some(key) = key_of(change) else { return Ok(None) };
        let (table, input) = (change.table(), self.input);
        let rows = if count == 1 { "1 row refers".to_string() } else { format!("{count} rows refer") };
        let what = format!("{rows} to no row of `{}` ({})", key.parent, words::arrow(table, key));
        let (options, schema) = (input.options, input.schema);
        let (Some(child), Some(dialect)) = (schema.table(table), engine::dialect(schema.engine)) else {
            return Err(format!("{what}: the foreign key cannot be made over them."));
        };
        let question = Question { schema, dialect, options, changes: all, table: child, key, count: Some(count) };
        match question.decide()? {
            None => Err(format!(
                "{what}: the foreign key cannot be made over them. Give them a parent, or say what becomes of them: {ORPHANS}."
            )),
            Some(Remedy::Leave) => Err(format!("{what}. They are left, as you asked, so the foreign key is not made.")),
            Some(Remedy::Loosen(columns)) => Ok(Some((table.clone(), columns))),
            Some(Remedy::SetNull(_) | Remedy::Remove(_)) => Ok(None),
        }
    }
}

const LOOSENS: &str = "Its orphans can become NULL only once the column is nullable. The same command again sets them to NULL and makes the \
                       foreign key";

/// Returns the changes that make columns nullable, without a default that stands for "none".
fn loosen(schema: &Schema, table: &TableName, columns: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    for column in columns {
        if schema.table(table).and_then(|t| t.column(column)).is_some_and(|c| c.default.is_some()) {
            changes.push(Change::SetDefault { table: table.clone(), column: column.clone(), default: None });
        }
        changes.push(Change::SetNullable { table: table.clone(), column: column.clone(), nullable: true });
    }
    changes
}

const ORPHANS: &str =
    "`--orphans delete`, `--orphans set-null` or `--orphans quarantine` (moved to a table of their own)";

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

fn why(pick: &Pick<'_>) -> String {
    let finding = pick.finding;
    if pick.is_lookup {
        return format!(
            "The foreign key on `{}` looks up child rows by these columns at each delete of a parent row",
            finding.subject.place()
        );
    }
    let made = match pick.changes.as_slice() {
        [Change::AddForeignKey { foreign_key, .. }] => Some(foreign_key.on_delete),
        _ => None,
    };
    match finding.advice.as_ref().filter(|advice| made == Some(advice.action)) {
        Some(advice) => format!("{}; {advice}", finding.message),
        None => finding.message.clone(),
    }
}

fn covers(schema: &Schema, table: &TableName, index: &crate::schema::Index, columns: &[String]) -> bool {
    let Some(table) = schema.table(table) else { return false };
    let mut with = Table { indexes: vec![index.clone()], ..table.clone() };
    with.unique_keys.clear();
    lookup::grade(schema, &with, columns).0 == lookup::Grade::Covers
}
