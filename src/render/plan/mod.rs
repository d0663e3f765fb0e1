//! A plan: what is done, why, what it locks, how it is undone. One file per format.

pub mod guessed;
pub mod json;
pub mod markdown;
pub mod sql;
pub mod text;

use super::document::{Block, Document, Item, Lead, Span, prose};
use super::style::count;
use crate::fate::sentences;
use crate::findings::Safety;
use crate::plan::{Blocks, Cause, Choice, ChoiceOption, Held, Lock, Phase, Plan, Reason, Step};
use crate::rules::FATE;

/// Commands that are named beside a plan, as they are typed in a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Copies the database.
    pub backup: Option<String>,
    /// Looks for relations in the source of the plan: `referee infer shop.db`.
    pub infer: Option<String>,
}

/// Names a phase as a heading.
fn heading(phase: Phase) -> &'static str {
    match phase {
        Phase::Index => "Indexes",
        Phase::Orphans => "Rows without a parent",
        Phase::Prepare => "Columns",
        Phase::Constrain => "Keys",
        Phase::Validate => "Checks of the rows that are there",
        Phase::Drop => "What is not needed any more",
        Phase::CleanUp => "Clean-up",
    }
}

fn safety(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "safe",
        Safety::Unsafe => "unsafe",
        Safety::Manual => "needs a decision",
    }
}

/// Says what an option does, and what it newly deletes; the options of a fate's fix say that themselves.
fn told(choice: &Choice, option: &ChoiceOption) -> String {
    let newly = if choice.reason.rule == FATE.id() { Vec::new() } else { sentences(&option.newly_deletes) };
    std::iter::once(option.title.clone()).chain(newly).collect::<Vec<_>>().join("; ")
}

/// Says whether an option is the recommended one, or what was chosen in its place: ` (your choice; recommended: protect)`.
fn advised(choice: &Choice, at: usize) -> String {
    let recommended = choice.options.iter().position(|o| o.recommended);
    match recommended {
        Some(one) if one == at => " (recommended)".to_string(),
        Some(one) if choice.by_user && at == choice.chosen => {
            format!(" (your choice; recommended: {})", choice.options[one].word)
        }
        None if choice.by_user && at == choice.chosen => " (your choice)".to_string(),
        _ => String::new(),
    }
}

/// Says what a safety promises.
fn promise(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "changes no row and refuses nothing that was accepted before",
        Safety::Unsafe => "may be refused by rows that are there, or changes what later statements do",
        Safety::Manual => "rests on a decision that is yours",
    }
}

/// Writes the locks of a step, those that are alike as one: `orders, lines SHARE UPDATE EXCLUSIVE: reads and writes go on, while
/// their rows are read`.
fn locks(step: &Step) -> Vec<String> {
    let alike = |a: &Lock, b: &Lock| (&a.mode, a.blocks, a.held) == (&b.mode, b.blocks, b.held);
    let mut groups: Vec<Vec<&Lock>> = Vec::new();
    for lock in &step.locks {
        match groups.iter_mut().find(|g| g.first().is_some_and(|first| alike(first, lock))) {
            Some(group) => group.push(lock),
            None => groups.push(vec![lock]),
        }
    }
    groups.iter().filter_map(|group| group.split_first()).map(|(first, others)| lock(first, others)).collect()
}

fn lock(first: &Lock, others: &[&Lock]) -> String {
    let blocks = match first.blocks {
        Blocks::Nothing => "reads and writes go on",
        Blocks::Writers => "writes wait",
        Blocks::Everything => "reads and writes wait",
    };
    let held = match (first.held, others.is_empty()) {
        (Held::Instant, _) => "for an instant",
        (Held::Scan, true) => "while its rows are read",
        (Held::Scan, false) => "while their rows are read",
        (Held::Batch, _) => "while a batch of rows is changed",
        (Held::Rewrite, true) => "while it is written",
        (Held::Rewrite, false) => "while they are written",
    };
    let tables: Vec<String> = [&first].into_iter().chain(others).map(|l| l.table.to_string()).collect();
    format!("{} {}: {blocks}, {held}", tables.join(", "), first.mode)
}

/// Says which rows a step changes, and how many at most; `None` if it changes none.
fn rows(step: &Step) -> Option<String> {
    let bounds: Vec<String> = step.bounds.iter().map(ToString::to_string).collect();
    match bounds.as_slice() {
        [] if step.touches_rows => Some("it changes rows, which were not counted".to_string()),
        [] => None,
        bounds => Some(format!("{}; it stops if there are more", bounds.join(", "))),
    }
}

/// Findings that are not fixed, for one and the same reason.
struct Unmended<'p> {
    cause: Cause<'p>,
    /// What the decision is about that is why.
    decides: Option<&'p str>,
    why: &'p str,
    /// What they are about, in order, and all findings about it.
    places: Vec<(&'p str, Vec<&'p Reason>)>,
}

/// Puts together what is not fixed for the same reason, in the order in which it comes first.
fn unmended(plan: &Plan) -> Vec<Unmended<'_>> {
    let mut all: Vec<Unmended<'_>> = Vec::new();
    for refused in &plan.refused {
        // The words of a decision name what it is about, so that they can be copied: each subject has its own.
        let subject = refused.decision.as_ref().map(|d| d.subject.as_str());
        let same = |u: &Unmended<'_>| u.cause == refused.cause() && u.decides == subject;
        let at = all.iter().position(same).unwrap_or(all.len());
        if at == all.len() {
            all.push(Unmended { cause: refused.cause(), decides: subject, why: &refused.why, places: Vec::new() });
        }
        let places = &mut all[at].places;
        match places.iter_mut().find(|(subject, _)| *subject == refused.subject) {
            Some((_, reasons)) => reasons.push(&refused.reason),
            None => places.push((&refused.subject, vec![&refused.reason])),
        }
    }
    all
}

/// Writes `REF105 unindexed-foreign-key`, `REF102 undeclared-foreign-key`, each rule once.
fn rules<'r>(findings: impl IntoIterator<Item = &'r Reason>) -> Vec<String> {
    let mut names: Vec<String> = findings.into_iter().map(|r| format!("{} {}", r.rule.code(), r.rule)).collect();
    names.sort();
    names.dedup();
    names
}

/// Says what a step locks, and what stops it.
fn holds(step: &Step) -> Block {
    let item = |column: &str, words: &str, text: &str| Item {
        depth: 0,
        lead: Lead::Label { column: column.to_string(), words: words.to_string() },
        line: prose(text),
    };
    let locks = locks(step).into_iter().map(|held| item("lock  ", "Lock: ", &held)).collect::<Vec<_>>();
    let guards = step.guards.iter().map(|guard| item("stops if ", "Stops if ", &guard.found));
    Block::List(locks.into_iter().chain(guards).collect())
}

/// A statement with its end.
fn ended(sql: &str) -> String {
    format!("{};", sql.trim_end().trim_end_matches(';'))
}

/// Says in bold what a reader must not miss: that it still fails, that rows were not counted.
fn warnings(plan: &Plan) -> Document {
    let sentences = plan.still_fails.iter().cloned().chain(not_counted(plan));
    sentences.flat_map(|s| [Block::Gap, Block::Paragraph(vec![Span::Strong(prose(format!("{s}.")))])]).collect()
}

/// Writes `16 steps, deletes up to 60 rows (12 orders, 48 order_items), 3 choices, 2 findings not fixed`.
fn summary(plan: &Plan) -> String {
    let mut parts = vec![count(plan.steps.len(), "step")];
    parts.extend(plan.row_totals().iter().map(|total| total.told("up to ")));
    if !plan.choices.is_empty() {
        parts.push(count(plan.choices.len(), "choice"));
    }
    if !plan.refused.is_empty() {
        parts.push(format!("{} not fixed", count(plan.refused.len(), "finding")));
    }
    if !plan.guessed.is_empty() {
        parts.push(format!("{} not planned", count(plan.guessed.len(), "guessed relation")));
    }
    if !plan.not_counted.is_empty() {
        parts.push(format!("{} not counted", count(plan.not_counted.len(), "relation")));
    }
    parts.join(", ")
}

/// So many relations are named that were not counted, and so many reasons.
const NOT_COUNTED: usize = 5;

/// Says of which relations no rows were counted, and why; `None` if all were.
fn not_counted(plan: &Plan) -> Option<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in &plan.not_counted {
        match reasons.iter_mut().find(|(why, _)| *why == one.why) {
            Some((_, relations)) => relations.push(&one.relation),
            None => reasons.push((&one.why, vec![&one.relation])),
        }
    }
    let named = |(why, relations): &(&str, Vec<&str>)| {
        let mut named = relations.iter().take(NOT_COUNTED).copied().collect::<Vec<_>>().join(", ");
        if relations.len() > NOT_COUNTED {
            named.push_str(&format!(" and {} more", relations.len() - NOT_COUNTED));
        }
        format!("{named} ({why})")
    };
    let mut parts: Vec<String> = reasons.iter().take(NOT_COUNTED).map(named).collect();
    let more: usize = reasons.iter().skip(NOT_COUNTED).map(|(_, relations)| relations.len()).sum();
    parts.extend((more > 0).then(|| format!("and {more} more")));
    let all = count(plan.not_counted.len(), "relation");
    (!parts.is_empty())
        .then(|| format!("Not counted: {all}: {}. Their orphan rows are not in this plan", parts.join("; ")))
}

/// Returns the statements of a step in the order in which they run.
fn statements(step: &Step) -> impl Iterator<Item = &String> {
    step.up.before.iter().chain(&step.up.statements).chain(&step.up.after)
}
