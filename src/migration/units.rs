//! A plan divided into files: which steps stand in one, and what a tool's transaction allows of them.

use std::borrow::Cow;

use crate::change::Change;
use crate::plan::{Down, Phase, Plan, Script, Step, Transaction, sqlite};
use crate::schema::Engine;
use crate::schema::facts::Stop;
use crate::text::do_block;

use super::model::{Hand, MigrationError, Part, Unit, adds_key};
use super::text::fits_in_block;
use super::tools::{Outside, Tool};

/// Divides a plan into files: what runs in a transaction apart from what may not, what locks apart from what scans. A tool
/// that sends a file as one query cannot have a second statement beside one that may not run in a transaction.
pub(super) fn units<'p>(plan: &'p Plan, tool: &Tool) -> Result<Vec<Unit<'p>>, MigrationError> {
    let facts = plan.engine.facts();
    let mut units: Vec<Unit<'p>> = Vec::new();
    let mut last: Option<(Phase, bool)> = None;
    // The script by hand runs before any file: what repairs rows for what it does belongs to it.
    let never = tool.outside(plan.engine) == Outside::Never && facts.alter.rebuilds;
    let by_hand = |s: &Step| needs_none(&s.up) && matches!(inside(plan, s, tool), Ok((_, Hand::Needed)));
    let repairs_by_hand = never && plan.steps.iter().any(by_hand);
    for step in &plan.steps {
        let outside = needs_none(&step.up);
        let done = step.done.as_deref().filter(|_| repairs_by_hand && step.touches_rows);
        let (here, transaction, hand) = match (outside, tool.outside(plan.engine)) {
            _ if done.is_some() => {
                (Cow::Owned(looked_for(plan.engine, step, done.unwrap_or_default())), true, Hand::Needed)
            }
            (false, _) => (Cow::Borrowed(step), true, Hand::Apart),
            // A change of a schema commits the transaction that it is part of.
            (true, Outside::Never) if !facts.alter.transactional => (Cow::Borrowed(step), true, Hand::Apart),
            (true, Outside::Never) => {
                let (step, hand) = inside(plan, step, tool)?;
                (Cow::Owned(step), true, hand)
            }
            (true, _) => (Cow::Borrowed(step), false, Hand::Apart),
        };
        let commits = !facts.alter.transactional;
        if (!transaction || commits) && !facts.alter.rebuilds && !tool.one_file {
            // A file that fails is run again from its first statement: what it has done must not stand in its way.
            let steps: Vec<Cow<'p, Step>> = match tool.outside(plan.engine) {
                _ if commits => one_by_one(&here).into_iter().map(Cow::Owned).collect(),
                Outside::OneStatement => one_by_one(&here).into_iter().map(Cow::Owned).collect(),
                _ => vec![here],
            };
            let alone = |step| Unit::new(vec![Part { step, hand }], transaction);
            if facts.scripts.stop == Stop::Block && tool.outside(plan.engine) == Outside::OneStatement {
                // There is no room for a guard beside the statement.
                units.extend(guards(step).map(|step| Unit::new(vec![Part { step: Cow::Owned(step), hand }], true)));
            }
            units.extend(steps.into_iter().map(alone));
            last = None;
            continue;
        }
        let part = Part { step: here, hand };
        // In one transaction a lock that was taken for an instant is held while rows are checked, and that of the first key
        // while the second waits for its own.
        let same = last == Some((step.phase, transaction)) && !(facts.alter.key_locks_parent && adds_key(step));
        match units.last_mut().filter(|_| same || tool.one_file) {
            Some(unit) => {
                unit.transaction &= transaction;
                unit.steps.push(part);
            }
            None => units.push(Unit::new(vec![part], transaction)),
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

/// Divides a step into steps of one statement each: a query that holds two is a transaction. What is undone is undone in the
/// opposite order, so the last one has the first statement that leads back.
///
/// There is no place for guards beside the statement, and without one an index that is there must not be dropped on the chance that it is what a
/// failed attempt left: then `CREATE INDEX` says that it exists.
fn one_by_one(step: &Step) -> Vec<Step> {
    let drops = step.changes.iter().any(|c| matches!(c, Change::DropIndex { .. }));
    let leftover = |sql: &&String| !drops && sql.starts_with("DROP INDEX CONCURRENTLY IF EXISTS");
    let up: Vec<&String> = step.up.statements.iter().filter(|s| !leftover(s)).collect();
    let count = up.len();
    let one = |at: usize, sql: &String| {
        let down = match &step.down {
            Down::Script { script, guards } => {
                let from = count - 1 - at;
                // The first file has all that is left.
                let to = if at == 0 { script.statements.len() } else { from + 1 };
                // What is one transaction stays together.
                let whole = script.transaction == Transaction::Own;
                let (from, to) = match at {
                    0 if whole => (0, to),
                    _ if whole => (0, 0),
                    _ => (from, to),
                };
                let statements = script.statements.get(from..to).unwrap_or_default().to_vec();
                Down::Script { script: Script { statements, ..script.clone() }, guards: guards.clone() }
            }
            impossible @ Down::Impossible(_) => impossible.clone(),
        };
        let title = if count > 1 { format!("{} ({} of {count})", step.title, at + 1) } else { step.title.clone() };
        Step { title, up: Script { statements: vec![sql.clone()], ..step.up.clone() }, down, ..step.clone() }
    };
    up.into_iter().enumerate().map(|(at, sql)| one(at, sql)).collect()
}

/// Returns a step that only looks whether another one may run. An index that is built needs none: `CREATE INDEX` says itself
/// that it exists.
fn guards(step: &Step) -> Option<Step> {
    let drops = step.changes.iter().any(|c| matches!(c, Change::DropIndex { .. }));
    if step.guards.is_empty() || !(step.touches_rows || drops) {
        return None;
    }
    Some(Step {
        title: format!("Look whether this may be done: {}", step.title),
        why: String::new(),
        changes: Vec::new(),
        findings: Vec::new(),
        locks: Vec::new(),
        touches_rows: false,
        up: Script::default(),
        down: Down::Script { script: Script::default(), guards: Vec::new() },
        done: None,
        ..step.clone()
    })
}

/// Tells whether a script cannot run inside a tool's transaction.
fn needs_none(script: &Script) -> bool {
    script.transaction == Transaction::None || !script.before.is_empty() || !script.after.is_empty()
}

/// Returns a script that does the same inside of a transaction, at the price of locks.
fn inside(plan: &Plan, step: &Step, tool: &Tool) -> Result<(Step, Hand), MigrationError> {
    if plan.engine.facts().alter.rebuilds {
        return match (sqlite::inside_transaction(plan, step), &step.done) {
            (Ok(step), _) => Ok((step, Hand::Apart)),
            (Err(_), Some(done)) => Ok((looked_for(plan.engine, step, done), Hand::Needed)),
            (Err(why), None) => {
                Err(MigrationError::InTransaction { tool: tool.name, why: format!("{}: {why}", step.title) })
            }
        };
    }
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
    let statements: Vec<String> = step.up.statements.iter().map(plain).collect();
    if !statements.iter().all(|s| fits_in_block(s)) {
        let done = step.done.as_deref().ok_or_else(|| MigrationError::InTransaction {
            tool: tool.name,
            why: format!("{}: its parts commit by themselves", step.title),
        })?;
        return Ok((looked_for(plan.engine, step, done), Hand::Needed));
    }
    let up = Script { statements, transaction: Transaction::Own, ..Script::default() };
    Ok((Step { up, ..step.clone() }, Hand::Fallback))
}

/// Returns a step that stops the file unless the script has been run by hand, up and back.
fn looked_for(engine: Engine, step: &Step, done: &str) -> Step {
    let look = |holds: &str, word: &str| Script { statements: look(engine, holds, word), ..Script::default() };
    Step {
        up: look(&format!("EXISTS ({done})"), "run_the_script_by_hand_first"),
        down: match &step.down {
            Down::Script { .. } => {
                let script = look(&format!("NOT EXISTS ({done})"), "run_the_script_that_leads_back_first");
                Down::Script { script, guards: Vec::new() }
            }
            impossible @ Down::Impossible(_) => impossible.clone(),
        },
        guards: Vec::new(),
        done: None,
        ..step.clone()
    }
}

/// Writes statements that stop, with a word, where something does not hold.
fn look(engine: Engine, holds: &str, word: &str) -> Vec<String> {
    if engine.facts().scripts.stop == Stop::Block {
        let word = word.replace('_', " ");
        let body = format!("BEGIN\n  IF NOT ({holds}) THEN\n    RAISE EXCEPTION '{word}';\n  END IF;\nEND ");
        return vec![do_block(" ", &body)];
    }
    vec![
        format!("CREATE TEMP TABLE _referee_by_hand (was_run INTEGER CONSTRAINT {word} CHECK (was_run))"),
        format!("INSERT INTO temp._referee_by_hand SELECT {holds}"),
        "DROP TABLE temp._referee_by_hand".to_string(),
    ]
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
