//! The smallest fix of a delete, as findings that the planner fixes.

use super::{Input, Plan, judge, words};
use crate::change::Change;
use crate::fate::{ActorKind, Asked, Fate, Fates, May, Options as FateOptions, Repaired};
use crate::findings::{Finding, Fix, Safety, Severity, Subject, SubjectKind};
use crate::relations::{Graph, Relation, side};
use crate::rules::FATE;
use crate::schema::{Action, ForeignKey, Table};

/// Makes a finding of each change of a fate's fix: what is automatic is planned, what needs a decision is told with its choices.
pub fn repairs(fate: &Fate) -> Vec<Finding> {
    let Some(repair) = &fate.repair else { return Vec::new() };
    repair.changes.iter().map(|repaired| finding(fate, repaired)).collect()
}

/// Tells whether a finding is about a key that every delete runs into, and has the fix of its parent's key.
pub fn fixes_broken(finding: &Finding, broken: &[(&Relation, String)]) -> bool {
    finding.rule == crate::rules::parent_not_unique::META.id()
        && broken.iter().any(|(relation, _)| finding.subject == Subject::relation(relation))
}

/// Says what no change of actions helps against: broken keys that nothing among `fixable` fixes, and what beside the keys stops
/// every delete. Without it a plan with no steps would look like one that is not needed.
pub fn unhelped(fate: &Fate, broken: &[(&Relation, String)], fixable: &[Finding]) -> Vec<Finding> {
    let root = &fate.root;
    let mut found = Vec::new();
    for (relation, why) in broken {
        let subject = Subject::relation(relation);
        let fixed = |f: &&Finding| f.subject == subject && f.fixes.iter().any(|x| x.safety != Safety::Manual);
        if fixable.iter().any(|f| fixed(&f)) {
            continue;
        }
        let place = subject.place();
        let message =
            format!("every delete from `{root}` fails, rows or none: the foreign key {place} is broken, {why}");
        let help = format!(
            "Every delete from `{root}` still fails, because the foreign key {place} is broken: {why}. Correct the key, give \
             `{}` the key that it refers to, or drop it.",
            relation.parent
        );
        found.push(Finding::new(&FATE, subject, message).severity(Severity::Error).help(help));
    }
    for actor in fate.assumptions.iter().filter(|a| a.stops_every_delete()) {
        let subject = Subject { kind: SubjectKind::Table, table: Some(root.clone()), columns: Vec::new(), name: None };
        let message = format!("no delete from `{root}` does what its foreign keys say: {}", actor.text);
        let help =
            format!("No change of foreign keys helps: {}. Change or drop the {}.", actor.text, actor.kind.word());
        found.push(
            Finding::new(&FATE, subject, message).distinguished_by(&actor.named()).severity(Severity::Error).help(help),
        );
    }
    let reached = fate.repair.as_ref().is_none_or(|r| r.verdict.always_succeeds() || !r.changes.is_empty());
    if found.is_empty() && broken.is_empty() && !reached && !fate.verdict.always_succeeds() {
        let subject = Subject { kind: SubjectKind::Table, table: Some(root.clone()), columns: Vec::new(), name: None };
        let help =
            format!("No change of actions is proposed; `referee fate` shows which rows stop it: {}.", fate.summary);
        found.push(Finding::new(&FATE, subject, fate.summary.clone()).severity(Severity::Error).help(help));
    }
    let mut in_doubt = Vec::new();
    let by_keys = fate.repair.as_ref().is_none_or(|r| r.changes.is_empty());
    let doubted = fate.assumptions.iter().filter(|a| a.kind == ActorKind::Constraint && a.may.contains(&May::Block));
    for doubt in doubted.filter(|_| found.is_empty() && by_keys) {
        let subject = Subject { kind: SubjectKind::Table, table: Some(root.clone()), columns: Vec::new(), name: None };
        let message = format!("a delete from `{root}` may fail: {}", doubt.text);
        let help = format!(
            "No foreign key blocks a delete, but {}. Make it accept that, or give the foreign key an action that does not write.",
            doubt.text
        );
        let finding = Finding::new(&FATE, subject, message).distinguished_by(&doubt.text);
        in_doubt.push(finding.severity(Severity::Warning).help(help));
    }
    found.append(&mut in_doubt);
    found
}

/// Says what still stops deletes from the root once a plan is done; `None` if nothing does that needs a decision, or was chosen to.
pub fn still_fails(fate: &Fate, plan: &Plan, input: &Input<'_>, how: &FateOptions) -> Option<String> {
    let changes = fate.repair.iter().flat_map(|r| &r.changes).filter(|c| c.blocks);
    let left = |c: &&Repaired| {
        let place = side(&c.child, &c.columns);
        plan.refused.iter().any(|r| r.reason.rule == FATE.id() && r.subject == place)
    };
    let open: Vec<&Repaired> = changes.filter(left).collect();
    let relations = judge::relations(input, &plan.after);
    let fates = Fates::new(&plan.after, &relations, how.clone());
    let then = fates.without_repair(&fate.root);
    let kept = then.as_ref().map(|then| kept(then, plan)).unwrap_or_default();
    let after = match plan.steps.len() {
        0 => String::new(),
        1 => "after this step ".to_string(),
        count => format!("after these {count} steps "),
    };
    let root = &fate.root;
    if let Some((relation, why)) = fates.broken(root).first() {
        let place = Subject::relation(relation).place();
        let told =
            format!("{after}a delete from {root} STILL FAILS, rows or none: the foreign key {place} is broken, {why}");
        return Some(words::sentence(&told));
    }
    let (mut direct, mut follow): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for change in open.iter().filter(|c| c.path.len() <= 1) {
        let place = side(&change.child, &change.columns);
        let decided: Vec<String> = if change.decide { Vec::new() } else { decisions_behind(fate, change) };
        if decided.is_empty() {
            direct.push(place);
        } else {
            direct.extend(decided);
            follow.push(place);
        }
    }
    direct = in_order(direct);
    let cascades = |place: &String| {
        let key = |(table, k): &(&Table, &ForeignKey)| side(&table.name, &k.columns) == *place;
        plan.after.foreign_keys().filter(key).any(|(_, k)| k.on_delete == Action::Cascade)
    };
    let reached =
        |c: &&&Repaired| c.path.len() > 1 && c.path.split_last().is_some_and(|(_, above)| above.iter().all(cascades));
    let reasons: Vec<String> = open
        .iter()
        .filter(reached)
        .map(|c| {
            let action = c.from.map_or_else(String::new, |a| format!(", {a}"));
            format!("any of its {} has a row of {} ({}{action})", c.parent, c.child, side(&c.child, &c.columns))
        })
        .collect();
    let deeper = reasons.join(", or if ");
    let need = if direct.len() == 1 { "needs" } else { "need" };
    let told = match (direct.is_empty(), reasons.is_empty()) {
        (true, true) if kept.is_empty() => return None,
        (true, true) => {
            let block = if kept.len() == 1 { "blocks it, as you chose" } else { "block it, as you chose" };
            format!("STILL FAILS: {} {block}", kept.join(", "))
        }
        (true, false) => format!("still fails if {deeper}"),
        (false, none) => {
            let also = if none { String::new() } else { format!("; it also fails if {deeper}") };
            let (it, s) = (if direct.len() == 1 { "it" } else { "them" }, if follow.len() == 1 { "s" } else { "" });
            let after = if follow.is_empty() {
                String::new()
            } else {
                format!(", and {} follow{s} from {it}", follow.join(", "))
            };
            format!("STILL FAILS: {} {need} your decision{after}{also}", direct.join(", "))
        }
    };
    Some(words::sentence(&format!("{after}a delete from {root} {told}")))
}

/// Returns the relations that stop a delete because somebody chose that they do.
fn kept(then: &Fate, plan: &Plan) -> Vec<String> {
    let chosen = |place: &String| {
        plan.choices.iter().any(|c| {
            c.by_user
                && c.subject == *place
                && c.options.get(c.chosen).is_some_and(|o| matches!(o.word.as_str(), "protect" | "restrict"))
        })
    };
    let mut all: Vec<String> = then.blockers().filter_map(|b| b.path.last().cloned()).filter(chosen).collect();
    all.dedup();
    all
}

fn finding(fate: &Fate, repaired: &Repaired) -> Finding {
    let subject = Subject {
        kind: SubjectKind::ForeignKey,
        table: Some(repaired.child.clone()),
        columns: repaired.columns.clone(),
        name: repaired.name.clone(),
    };
    let does = if repaired.blocks { "blocks deletes from" } else { "leaves rows behind in deletes from" };
    let place = subject.place();
    let by = match repaired.path.split_last() {
        Some((_, above)) if !above.is_empty() => format!(" (on the path {})", above.join(", ")),
        _ => String::new(),
    };
    let message = format!("`{place}` {does} `{}`{by}: {}", fate.root, repaired.reason);
    let severity = if repaired.blocks { Severity::Error } else { Severity::Warning };
    let mut finding = Finding::new(&FATE, subject, message)
        .distinguished_by(&format!("{} {}", fate.root, repaired.parent))
        .severity(severity)
        .advice(&place, repaired.recommended, &repaired.reason)
        .help(help(fate, repaired));
    let fix = |title: String, safety: Safety, changes: &[Change]| Fix {
        title,
        safety,
        changes: changes.to_vec(),
        sql: Vec::new(),
    };
    if let (true, Some(to)) = (repaired.automatic, repaired.to) {
        let title = match repaired.choices.iter().find(|c| c.changes == repaired.changes) {
            Some(choice) => choice.does.clone(),
            None => format!("Make it ON DELETE {to}"),
        };
        finding = finding.fix(fix(title, Safety::Unsafe, &repaired.changes));
    }
    // What is left to a person has its choices; what destroys least comes first, and nothing is taken by itself.
    let others = repaired.choices.iter().filter(|c| !repaired.automatic || c.changes != repaired.changes);
    others.fold(finding, |finding, choice| finding.fix(fix(choice.does.clone(), Safety::Manual, &choice.changes)))
}

fn help(fate: &Fate, repaired: &Repaired) -> String {
    let (child, root) = (&repaired.child, &fate.root);
    let reason = format!("{}.", words::sentence(&repaired.reason));
    if repaired.automatic {
        return reason;
    }
    let until = if repaired.blocks {
        format!("Until it is decided, a delete from `{root}` stays blocked where rows of `{child}` are in the way.")
    } else {
        String::new()
    };
    let now = fate.relations.iter().any(|r| {
        (&r.child, &r.columns, &r.parent) == (child, &repaired.columns, &repaired.parent)
            && (r.effect.can_stop() || !repaired.blocks)
    });
    let follows = match decision_before(fate, repaired) {
        _ if repaired.decide => String::new(),
        Some(before) if !now => format!(" It matters only if you choose {before}."),
        _ => match decisions_behind(fate, repaired).as_slice() {
            [] => String::new(),
            some => format!(" It is planned once you choose for {}, which a delete gets to by it.", some.join(", ")),
        },
    };
    format!("{reason}{follows} {until}").trim_end().to_string()
}

/// Names the relations further down that need a decision, and without it nothing is done about this one.
fn decisions_behind(fate: &Fate, repaired: &Repaired) -> Vec<String> {
    let place = side(&repaired.child, &repaired.columns);
    let above = |c: &&Repaired| c.path.split_last().is_some_and(|(_, above)| above.contains(&place));
    let changes = fate.repair.iter().flat_map(|r| &r.changes).filter(|c| c.decide && c.blocks && !c.automatic);
    in_order(changes.filter(above).map(|c| side(&c.child, &c.columns)).collect())
}

/// Returns each name once, in the order in which they come.
fn in_order(names: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Names the choice by which a relation comes within reach: `projects.owner_id=cascade`; `None` if it is within reach by itself.
fn decision_before(fate: &Fate, repaired: &Repaired) -> Option<String> {
    let above = repaired.path.split_last().map_or(&[][..], |(_, above)| above);
    let changes = fate.repair.iter().flat_map(|r| &r.changes);
    // The nearest one: it is the last that opens the way.
    let open = changes.filter(|c| !c.automatic && c.decide && c.path.last().is_some_and(|p| above.contains(p)));
    let nearest = open.max_by_key(|c| c.path.len()).map(|c| side(&c.child, &c.columns));
    nearest.or_else(|| above.last().cloned()).map(|place| format!("{place}=cascade"))
}

/// Reads which choices of the user are about single relations: by the relation's place or its constraint's name.
pub fn asked(choices: &[(String, String)], relations: &Graph) -> Vec<Asked> {
    let bare = |text: &str| text.replace(' ', "");
    let mut all = Vec::new();
    // Of two choices about one relation the last one counts, and comes first.
    for (subject, word) in choices.iter().rev() {
        let about = relations.relations().iter().filter(|r| {
            let name = r.foreign_key().and_then(|k| k.name.as_deref());
            bare(subject) == bare(&r.child_side()) || name == Some(subject)
        });
        let drop_not_null = word.eq_ignore_ascii_case("drop-not-null");
        let actions = [Action::Cascade, Action::SetNull, Action::SetDefault, Action::Restrict, Action::NoAction];
        let columns = word.eq_ignore_ascii_case("set-null-columns");
        let action = if drop_not_null || columns {
            Some(Action::SetNull)
        } else {
            actions.into_iter().find(|a| words::means(word, words::action(*a)))
        };
        let Some(action) = action else { continue };
        all.extend(about.map(|r| Asked {
            child: r.child.clone(),
            columns: r.columns.clone(),
            parent: r.parent.clone(),
            actions: vec![action],
            drop_not_null,
            by_choice: true,
        }));
    }
    all
}
