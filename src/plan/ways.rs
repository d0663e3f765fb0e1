//! The ways to fix a finding, and which of them is taken: by whom the user asked for, or of its own accord.

use super::trial::key_of;
use super::{Input, words};
use crate::change::Change;
use crate::fate::is_cascading;
use crate::findings::{Finding, RuleId, Safety};
use crate::relations::defeated;
use crate::rules::{FATE, policy};
use crate::schema::{Action, ForeignKey, Schema, Table, TableName};
use crate::text::said;

/// One way to fix a finding.
pub(super) struct Way {
    pub word: String,
    pub title: String,
    pub safety: Safety,
    pub changes: Vec<Change>,
}

/// What can be chosen about one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its place: `users.team_id`.
    pub subject: String,
    /// Its constraint or index.
    pub name: Option<String>,
    /// The rule.
    pub rule: RuleId,
    /// The words that choose, and what each one does.
    pub words: Vec<(String, String)>,
}

impl Offer {
    /// Tells whether a typed subject means this finding: its place, its constraint or its rule.
    pub fn is_called(&self, typed: &str) -> bool {
        let bare = |text: &str| text.replace(' ', "");
        bare(typed) == bare(&self.subject) || Some(typed) == self.name.as_deref() || self.rule.is_called(typed)
    }

    /// Tells whether a typed word is among its words.
    pub fn has(&self, typed: &str) -> bool {
        self.words.iter().any(|(word, _)| words::means(typed, word))
    }
}

/// Returns what can be chosen about the findings that a plan is made from, sorted by place.
pub fn offers(input: &Input<'_>) -> Vec<Offer> {
    let offer = |finding: &Finding| Offer {
        subject: finding.subject.place(),
        name: finding.subject.name.clone(),
        rule: finding.rule,
        words: options(input, finding).into_iter().map(|w| (w.word, w.title)).collect(),
    };
    let mut all: Vec<Offer> = input.findings.iter().map(offer).collect();
    all.sort_by(|a, b| (&a.subject, a.rule).cmp(&(&b.subject, b.rule)));
    all
}

/// Returns the ways to fix a finding by changes of the schema, the recommended one first.
pub(super) fn options(input: &Input<'_>, finding: &Finding) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    let mut add = |changes: Vec<Change>, safety: Safety, title: String| {
        let mut word = words::word(&changes);
        if ways.iter().any(|w| w.changes == changes) {
            return;
        }
        let taken = |word: &str| ways.iter().any(|w| w.word == word);
        if taken(&word) {
            let numbered = (2usize..).map(|n| format!("{word}-{n}"));
            word = numbered.into_iter().find(|w| !taken(w)).unwrap_or(word);
        }
        // Whoever chooses it knows what comes of it.
        let title = match stands_against(input.schema, &changes) {
            Some(why) => format!("{title}; {why}"),
            _ => title,
        };
        ways.push(Way { word, title: said(title), safety, changes });
    };
    for fix in finding.fixes.iter().filter(|f| !f.changes.is_empty()) {
        let [Change::AddForeignKey { table, foreign_key }] = fix.changes.as_slice() else {
            add(fix.changes.clone(), fix.safety, fix.title.clone());
            continue;
        };
        for action in actions(input, table, foreign_key) {
            let key = ForeignKey { on_delete: action, ..foreign_key.clone() };
            let changes = vec![Change::AddForeignKey { table: table.clone(), foreign_key: key }];
            // A fate's own choice says what its action newly deletes.
            let own = finding.fixes.iter().find(|f| finding.rule == FATE.id() && f.changes == changes);
            let title = own.map_or(format!("Declare the foreign key with ON DELETE {action}"), |f| f.title.clone());
            add(changes, fix.safety, title);
        }
    }
    // Of two keys that disagree one is kept: it is chosen by what it does.
    if let [one, other] = ways.as_mut_slice()
        && let ([Change::DropForeignKey { foreign_key: a, .. }], [Change::DropForeignKey { foreign_key: b, .. }]) =
            (one.changes.as_slice(), other.changes.as_slice())
        && a.on_delete != b.on_delete
    {
        let keeps = [b.on_delete, a.on_delete].map(words::action);
        one.word = keeps[0].to_string();
        other.word = keeps[1].to_string();
    }
    ways
}

/// Says which trigger or rule defeats what the foreign keys of some changes would do.
fn stands_against(schema: &Schema, changes: &[Change]) -> Option<String> {
    changes.iter().find_map(|change| {
        let (table, key) = match change {
            Change::AddForeignKey { table, foreign_key } => (table, foreign_key),
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new }
                if old.on_delete != new.on_delete && !new.on_delete.refuses() =>
            {
                (table, new)
            }
            _ => return None,
        };
        defeated(schema, table, key, key.on_delete)
    })
}

/// Returns the actions that a new key can have: what a policy demands, what is advised, what else would work.
fn actions(input: &Input<'_>, child: &TableName, key: &ForeignKey) -> Vec<Action> {
    let engine = input.schema.engine;
    let policies: Vec<policy::Compiled<'_>> = input
        .settings
        .policies
        .iter()
        .map(|p| p.compile(input.schema.default_schema.as_deref()))
        .filter(|p| p.is_about(child, &key.columns, &key.parent))
        .collect();
    let fits = |action: Action| match action {
        Action::SetNull => input.schema.table(child).is_some_and(|t| can_be_null(t, &key.columns)),
        Action::SetDefault => false,
        // The others do not tell RESTRICT from NO ACTION.
        Action::Restrict => !engine.facts().keys.restrict_is_no_action,
        Action::NoAction | Action::Cascade => true,
    };
    let demanded = policies.iter().flat_map(|p| p.policy.on_delete.iter().copied()).filter(|a| fits(*a));
    let others =
        // What destroys least comes first.
        [Action::SetNull, Action::Restrict, Action::NoAction, Action::Cascade].into_iter().filter(|a| fits(*a));
    let mut all: Vec<Action> = Vec::new();
    for action in demanded.chain([key.on_delete]).chain(others) {
        if !all.contains(&action) && policies.iter().all(|p| p.allows(engine, action)) {
            all.push(action);
        }
    }
    all
}

pub(super) fn can_be_null(table: &Table, columns: &[String]) -> bool {
    columns
        .iter()
        .all(|c| table.column(c).is_some_and(|c| c.nullable && c.generated.is_none()) && !table.in_primary_key(c))
}

/// Tells whether an option can be called the recommended one: it is the first, no reference that can be NULL cascades by it, and
/// no trigger defeats it. What somebody chose comes first and is not recommended for that.
pub(super) fn is_recommended(at: usize, ways: &[Way], input: &Input<'_>, finding: &Finding) -> bool {
    let Some(way) = ways.get(at) else { return false };
    let loses = |change: &Change| {
        is_cascading(change)
            && key_of(change).is_some_and(|k| {
                input.schema.table(change.table()).is_some_and(|t| k.columns.iter().any(|c| t.is_nullable(c)))
            })
    };
    if way.changes.iter().any(loses) || stands_against(input.schema, &way.changes).is_some() {
        return false;
    }
    if finding.rule != FATE.id() {
        return at == 0;
    }
    let advised = finding.advice.as_ref().map(|a| a.action);
    let does = |way: &Way| way.changes.iter().find_map(key_of).map(|k| k.on_delete);
    let fits = |way: &Way| match (advised, does(way)) {
        (Some(a), Some(b)) => a == b || a.refuses() && b.refuses(),
        _ => false,
    };
    if by_name(input, finding, ways).is_some() {
        return ways.iter().position(fits) == Some(at);
    }
    // What is left to a person has no recommendation.
    at == 0 && way.safety != Safety::Manual
}

/// Returns the option that is taken when nobody chooses.
pub(super) fn automatic(ways: &[Way], input: &Input<'_>) -> Option<usize> {
    let first = ways.first().filter(|w| stands_against(input.schema, &w.changes).is_none())?;
    let decided = |way: &Way| match way.changes.as_slice() {
        // What stands against it are orphans only, and what becomes of them has been said.
        [Change::ValidateForeignKey { .. }] => input.options.orphans.is_some() || !input.options.orphans_of.is_empty(),
        _ => false,
    };
    // What deletes rows that no delete took before is somebody's decision about just that key, and no matter of course.
    let manual = input.options.manual && !first.changes.iter().any(is_cascading);
    (first.safety != Safety::Manual || manual || decided(first)).then_some(0)
}

/// Tells what the user chose for a finding. A choice about one subject goes before one about a whole rule.
pub(super) fn by_user(input: &Input<'_>, finding: &Finding, ways: &[Way]) -> Option<usize> {
    let about_rule = |typed: &str| finding.rule.is_called(typed);
    by_name(input, finding, ways).or_else(|| chosen(input, ways, &about_rule))
}

/// Tells what the user chose for a finding by naming its place or its constraint.
pub(super) fn by_name(input: &Input<'_>, finding: &Finding, ways: &[Way]) -> Option<usize> {
    let bare = |text: &str| text.replace(' ', "");
    let about_subject =
        |typed: &str| bare(typed) == bare(&finding.subject.place()) || Some(typed) == finding.subject.name.as_deref();
    chosen(input, ways, &about_subject)
}

fn chosen(input: &Input<'_>, ways: &[Way], about: &dyn Fn(&str) -> bool) -> Option<usize> {
    // Of equals, the last one typed.
    let mut choices = input.options.choose.iter().rev().filter(|(subject, _)| about(subject));
    choices.find_map(|(_, word)| ways.iter().position(|w| words::means(word, &w.word)))
}
