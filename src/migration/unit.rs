//! Steps that one file holds.

use std::borrow::Cow;

use crate::plan::{Down, Phase, Plan, Script, Step, Transaction, sqlite};
use crate::schema::Engine;

use super::MigrationError;
use super::tools::{Outside, Tool};

/// What one file does.
pub(super) struct Unit<'p> {
    /// What tells it from the others of the plan, for its name: `1_indexes`. Empty if it is the only one.
    pub slug: String,
    /// The steps, in order.
    pub steps: Vec<Part<'p>>,
    /// Whether the tool wraps it in a transaction.
    pub transaction: bool,
}

/// A step and the script that does it here.
pub(super) struct Part<'p> {
    pub step: Cow<'p, Step>,
    /// Whether it does what `by hand` has done before, if that was run.
    pub fallback: bool,
}

/// Divides a plan into files: what runs in a transaction apart from what may not, what locks apart from what scans. A tool
/// that sends a file as one query cannot have a second statement beside one that may not run in a transaction.
pub(super) fn units<'p>(plan: &'p Plan, tool: &Tool) -> Result<Vec<Unit<'p>>, MigrationError> {
    let mut units: Vec<Unit<'p>> = Vec::new();
    let mut last: Option<(Phase, bool)> = None;
    for step in &plan.steps {
        let outside = needs_none(plan.engine, &step.up);
        let (here, transaction, fallback) = match (outside, tool.outside(plan.engine)) {
            (false, _) => (Cow::Borrowed(step), true, false),
            (true, Outside::Never) => (Cow::Owned(inside(plan, step, tool)?), true, true),
            (true, _) => (Cow::Borrowed(step), false, false),
        };
        let part = Part { step: here, fallback };
        let alone = !transaction && tool.outside(plan.engine) == Outside::OneStatement;
        // In one transaction a lock that was taken for an instant is held while rows are checked.
        let same = last == Some((step.phase, transaction)) && !alone;
        match units.last_mut().filter(|_| same || tool.one_file) {
            Some(unit) => {
                unit.transaction &= transaction;
                unit.steps.push(part);
            }
            None => units.push(Unit { slug: String::new(), steps: vec![part], transaction }),
        }
        last = Some((step.phase, transaction));
    }
    if units.len() > 1 {
        let width = units.len().to_string().len();
        for (number, unit) in units.iter_mut().enumerate() {
            let phase = unit.steps.first().map_or(Phase::Index, |p| p.step.phase);
            unit.slug = format!("{:0width$}_{}", number + 1, word(phase));
        }
    }
    Ok(units)
}

/// Tells whether a script cannot run inside a tool's transaction.
fn needs_none(engine: Engine, script: &Script) -> bool {
    // CockroachDB carries out each change of a schema by itself anyway (ENGINE: "Online schema changes").
    let apart =
        script.transaction == Transaction::None && !(engine == Engine::Cockroach && script.statements.len() == 1);
    apart || !script.before.is_empty() || !script.after.is_empty()
}

/// Returns a script that does the same inside of a transaction, at the price of locks.
fn inside(plan: &Plan, step: &Step, tool: &Tool) -> Result<Step, MigrationError> {
    let refused =
        |why: String| MigrationError::InTransaction { tool: tool.name, why: format!("{}: {why}", step.title) };
    match plan.engine {
        Engine::Sqlite => sqlite::inside_transaction(plan, step).map_err(refused),
        _ => {
            let plain = |sql: &String| {
                [
                    ("CREATE INDEX ", "CONCURRENTLY "),
                    ("CREATE UNIQUE INDEX ", "CONCURRENTLY "),
                    ("DROP INDEX ", "CONCURRENTLY "),
                ]
                .iter()
                .find_map(|(verb, word)| Some(format!("{verb}{}", sql.strip_prefix(verb)?.strip_prefix(word)?)))
                .unwrap_or_else(|| sql.clone())
            };
            let statements = step.up.statements.iter().map(plain).collect();
            Ok(Step { up: Script { statements, transaction: Transaction::Own, ..Script::default() }, ..step.clone() })
        }
    }
}

/// Returns what undoes a step; why not, if nothing does.
pub(super) fn down(step: &Step) -> Result<(&Script, &[crate::plan::Guard]), &str> {
    match &step.down {
        Down::Script { script, guards } => Ok((script, guards)),
        Down::Impossible(why) => Err(why),
    }
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Index => "indexes",
        Phase::Orphans => "orphans",
        Phase::Prepare => "columns",
        Phase::Constrain => "keys",
        Phase::Validate => "validate",
        Phase::Drop => "drop",
        Phase::CleanUp => "clean_up",
    }
}
