//! `refused-delete`: a table that must be erasable, and is not.

use super::helpers::fix;
use super::wording::{fate_command, fix_command, list, way};
use super::{Context, EVERY_ENGINE, Meta};
use crate::fate::{Assumption, Effect, Fate, Goal, RelationOutcome, Repair, Verdict};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::schema::TableName;

pub(crate) static META: Meta = Meta {
    code: "REF208",
    name: "refused-delete",
    severity: Severity::Error,
    summary: "A delete from a table that referee.toml wants erasable does not work",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/refused-delete.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if context.settings.deletes.erasable.is_empty() {
        return;
    }
    let fates = context.fates();
    for (table, &wanted) in &fates.demands().erasable {
        let broken = |verdict: Verdict| verdict > wanted;
        let Some(fate) = fates.without_repair(table) else { continue };
        if !broken(fate.verdict) {
            findings.extend(not_promised(context, &fate));
            continue;
        }
        let relations = in_the_way(context, &fate);
        // Orphans that only a guess predicts are no reason for an error.
        if fate.verdict == Verdict::LeavesOrphans && relations.is_empty() {
            continue;
        }
        let goal = if wanted == Verdict::Complete { Goal::Complete } else { Goal::LeavesRows };
        let repair = fates.repair(table, goal).filter(|r| !r.changes.is_empty());
        findings.push(finding(context, &fate, wanted, &relations, repair));
    }
}

/// The keys allow the delete; what acts beside them may not.
fn not_promised(context: &Context<'_>, fate: &Fate) -> Option<Finding> {
    let first = fate.assumptions.first()?;
    let root = &fate.root;
    let severity = match () {
        () if fate.assumptions.iter().any(Assumption::stops_every_delete) => Severity::Error,
        () if fate.assumptions.iter().any(Assumption::may_decide) => Severity::Warning,
        () => Severity::Info,
    };
    let mut message = fate.summary.clone();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let mut finding = Finding::new(&META, Subject::table(root), message)
        .distinguished_by(&first.name)
        .severity(severity)
        .why(format!(
            "referee.toml says that `{root}` is erasable{}. The foreign keys allow it; triggers, rules and publications are not \
             judged.",
            reason(context, root)
        ))
        .help("Read what is named here. If the delete works all the same, ignore this finding in referee.toml.");
    for assumption in &fate.assumptions {
        finding = finding.label(assumption.table.to_string(), &assumption.text);
    }
    Some(finding)
}

fn reason(context: &Context<'_>, root: &TableName) -> String {
    let reason = context.settings.deletes.reason(root, context.schema);
    reason.map(|r| format!(" ({})", r.trim_end_matches('.'))).unwrap_or_default()
}

/// Returns the relations that keep the delete from what is wanted, nearest first.
fn in_the_way<'f>(context: &Context<'_>, fate: &'f Fate) -> Vec<&'f RelationOutcome> {
    let certain = |r: &RelationOutcome| {
        r.chain.last().and_then(|&i| context.relations.relations().get(i)).is_some_and(crate::relations::Relation::is_certain)
    };
    let wanted = |r: &&RelationOutcome| match fate.verdict {
        Verdict::Complete => false,
        Verdict::LeavesRows => matches!(r.effect, Effect::Nulls | Effect::SetsDefault),
        Verdict::LeavesOrphans => r.effect == Effect::LeavesOrphans && certain(r),
        _ => r.effect.can_stop() || r.order_decides,
    };
    fate.relations.iter().filter(wanted).collect()
}

fn finding(
    context: &Context<'_>,
    fate: &Fate,
    wanted: Verdict,
    relations: &[&RelationOutcome],
    repair: Option<Repair>,
) -> Finding {
    let root = &fate.root;
    let mut message = fate.summary.clone();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let reason = context.settings.deletes.reason(root, context.schema);
    let reason = reason.map(|r| format!(" The reason given: {}.", r.trim_end_matches('.'))).unwrap_or_default();
    let mut finding = Finding::new(&META, Subject::table(root), message).why(format!(
        "referee.toml says that `{root}` is erasable, with the verdict {wanted} or a better one; the verdict is {}.{reason}",
        fate.verdict
    ));
    for relation in relations {
        let action = relation.on_delete.filter(|_| relation.effect != Effect::LeavesOrphans);
        let fact = action.map_or(Fact::Other, |_| Fact::OnDelete);
        let action = action.map_or("no key".to_string(), |a| format!("ON DELETE {a}"));
        let place = relation.path.last().cloned().unwrap_or_default();
        finding = finding.fact(place, fact, format!("{action}, on the way {}", way(context, root, &relation.chain)));
    }
    let options = if wanted == Verdict::Complete { " --goal complete" } else { "" };
    let command = fate_command(root, options);
    match repair {
        Some(repair) if repair.known_verdict <= wanted => {
            let (count, open) = (repair.changes.len(), repair.changes.iter().filter(|c| !c.automatic).count());
            let keys = match count {
                1 => "1 foreign key has to change".to_string(),
                _ => format!("{count} foreign keys have to change"),
            };
            if open > 0 {
                // What only a person can decide is no fix of this finding: it has a choice for each relation.
                let open = if open == 1 { "1 of them needs".to_string() } else { format!("{open} of them need") };
                return finding.help(format!(
                    "{keys}, and {open} a decision: {command} shows which, why, what each would newly delete, and the \
                     choices for `{}`. A [[policy]] in referee.toml decides for many at once.",
                    fix_command(root)
                ));
            }
            let mut newly: Vec<String> = repair
                .changes
                .iter()
                .flat_map(|c| &c.newly_deletes)
                .filter(|n| n.from.contains(root))
                .flat_map(|n| n.tables.iter().chain(&n.more_of))
                .map(|t| format!("`{t}`"))
                .collect();
            newly.sort();
            newly.dedup();
            let newly = match newly.as_slice() {
                [] => String::new(),
                tables => format!(" A delete from `{root}` then also deletes rows of {}.", list(tables)),
            };
            let changes = repair.changes.into_iter().flat_map(|c| c.changes).collect();
            finding
                .help(format!("{keys}: {command} shows which, why, and the SQL.{newly}"))
                .fix(fix(context, format!("Make `{root}` erasable"), Safety::Unsafe, changes))
        }
        _ => {
            let demands = context.fates().demands();
            let limited = !demands.never_cascade_into.is_empty() || demands.max_depth.is_some();
            let policy = if limited {
                " within what never_cascade_into and max_depth allow: let a column be NULL, or change one of these policies"
            } else {
                ""
            };
            finding.help(format!(
                "No change of actions reaches it{policy}. {command} shows which rows stop it, and how far a fix gets."
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use globset::Glob;

    use super::*;
    use crate::rules::Settings;
    use crate::rules::policy::{DeletePolicy, Erasable};
    use crate::schema::{Engine, Schema};
    use crate::testing::{findings, findings_with, schema};

    fn erasable(wanted: Verdict) -> DeletePolicy {
        let entry = Erasable { table: Glob::new("users").unwrap(), wanted: Some(wanted), reason: Some("erasure on demand.".into()) };
        DeletePolicy { erasable: vec![entry], ..DeletePolicy::default() }
    }

    fn found(schema: &Schema, deletes: DeletePolicy) -> Vec<Finding> {
        findings_with(schema, META.name, &Settings { deletes, ..Settings::default() })
    }

    fn twin() -> Schema {
        schema(
            Engine::Postgres,
            &[
                "users: id int8 pk",
                "sessions: id int8 pk, user_id int8 not-null >users.id cascade",
                "events: id int8 pk, session_id int8 not-null >sessions.id",
                "orders: id int8 pk, user_id int8 >users.id",
            ],
        )
    }

    #[test]
    fn every_refusal_comes_with_its_way_and_the_command() {
        assert!(findings(&twin(), META.name).is_empty());
        let found = found(&twin(), erasable(Verdict::LeavesRows));
        assert_eq!(found.len(), 1);
        let labels: Vec<String> = found[0].labels.iter().map(|l| format!("{}: {}", l.place, l.text)).collect();
        assert_eq!(
            labels,
            [
                "orders.user_id: ON DELETE NO ACTION, on the way users -> orders.user_id",
                "events.session_id: ON DELETE NO ACTION, on the way users -> sessions.user_id -> events.session_id",
            ]
        );
        assert!(found[0].help.contains("`referee fate SOURCE users`"), "{}", found[0].help);
        assert!(found[0].help.ends_with("A delete from `users` then also deletes rows of `events`."), "{}", found[0].help);
        assert!(found[0].why.ends_with("The reason given: erasure on demand."), "{}", found[0].why);
        assert_eq!(found[0].fixes[0].changes.len(), 2);
    }

    #[test]
    fn verdict_that_is_wanted_is_what_counts() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "orders: id int8 pk, user_id int8 >users.id set-null"]);
        assert!(found(&s, erasable(Verdict::LeavesRows)).is_empty());
        let strict = found(&s, erasable(Verdict::Complete));
        assert_eq!(strict[0].labels.len(), 1);
        assert!(strict[0].help.contains("`referee fate SOURCE users --goal complete`"), "{}", strict[0].help);
        // That rows go which are meant to stay is nothing that a finding offers.
        assert!(strict[0].fixes.is_empty() && strict[0].help.contains("1 of them needs a decision"), "{}", strict[0].help);
    }

    #[test]
    fn repair_that_a_policy_forbids_is_not_offered() {
        let mut deletes = erasable(Verdict::LeavesRows);
        deletes.never_cascade_into = vec![Glob::new("events").unwrap()];
        let protected = found(&twin(), deletes);
        assert!(protected[0].fixes.is_empty());
        assert!(protected[0].help.contains("never_cascade_into"), "{}", protected[0].help);
        let mut shallow = erasable(Verdict::LeavesRows);
        shallow.max_depth = Some(1);
        assert!(found(&twin(), shallow)[0].fixes.is_empty());
        let mut deep = erasable(Verdict::LeavesRows);
        deep.max_depth = Some(2);
        assert_eq!(found(&twin(), deep)[0].fixes.len(), 1);
    }

    #[test]
    fn orphans_count_where_they_are_certain() {
        let mut s = twin();
        for table in ["orders", "events"] {
            s.table_mut(&table.into()).unwrap().foreign_keys.clear();
        }
        s.table_mut(&"events".into()).unwrap().columns.retain(|c| c.name == "id");
        let certain = found(&s, erasable(Verdict::LeavesRows));
        assert_eq!(certain.len(), 1);
        assert!(certain[0].labels[0].text.starts_with("no key"), "{:?}", certain[0].labels);
        assert!(found(&s, erasable(Verdict::LeavesOrphans)).is_empty());
    }
}
