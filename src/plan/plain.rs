//! Steps made of the dialect's own statements, for engines without recipes of their own.

use super::{Down, Made, Phase, PlanContext, Refused, Script, Step, Transaction, Wanted, Why};
use crate::change::Change;
use crate::engine;

pub(super) fn steps(context: &PlanContext<'_>, wanted: &[Wanted]) -> Made {
    let mut made = Made::default();
    let engine = context.schema.engine;
    let dialect = engine::dialect(engine);
    for want in wanted {
        let mut statements = Vec::new();
        let mut problem = None;
        for change in &want.changes {
            match dialect.and_then(|d| d.sql_for(change, context.schema)) {
                Some(sql) => statements.extend(sql),
                None => problem = Some(format!("referee writes no SQL for this change on {engine}")),
            }
        }
        if want.orphans.is_some_and(|n| n > 0) {
            problem = Some(format!("referee repairs no orphans on {engine}"));
        }
        if let Some(why) = problem {
            let subject = want.changes.first().map(|c| c.table().to_string()).unwrap_or_default();
            let why = Why::Recipe(format!("{}: {why}.", want.title));
            made.refused.extend(want.findings.iter().map(|r| Refused::by_reason(r.clone(), &subject, &why)));
            continue;
        }
        made.steps.push(Step {
            id: String::new(),
            phase: want.changes.iter().map(phase).max().unwrap_or(Phase::Constrain),
            title: want.title.clone(),
            why: want.why.clone(),
            findings: want.findings.clone(),
            safety: want.safety,
            changes: want.changes.clone(),
            newly_deletes: Vec::new(),
            newly_refuses: Vec::new(),
            touches_rows: false,
            up: Script { statements, transaction: Transaction::None, ..Script::default() },
            down: Down::Impossible("no statement undoes it".to_string()),
            locks: Vec::new(),
            guards: Vec::new(),
            bounds: Vec::new(),
            done: None,
        });
    }
    made
}

pub(super) fn phase(change: &Change) -> Phase {
    match change {
        Change::AddIndex { .. } | Change::DropIndex { .. } => Phase::Index,
        Change::SetNullable { .. } | Change::SetDefault { .. } | Change::SetType { .. } => Phase::Prepare,
        Change::ValidateForeignKey { .. } => Phase::Validate,
        Change::DropForeignKey { .. } => Phase::Drop,
        _ => Phase::Constrain,
    }
}
