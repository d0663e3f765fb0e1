//! Steps that make or drop one index by itself.

use super::{Part, Plan, Refusal, findings, lock, own, safety, sentences, sql, statement, step_id, subject, told};
use crate::change::Change;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::plan::{Down, Guard, Held, Phase, Step, Wanted};
use crate::schema::TableName;

/// Makes the step of one index, made or dropped.
///
/// # Errors
/// It is no index that can be dropped by itplan.
pub(super) fn step(
    plan: &Plan<'_>,
    table_name: &TableName,
    change: &Change,
    parts: &[Part<'_>],
    wanted: &[Wanted],
) -> Result<Step, Refusal> {
    let blame = parts.first().map_or(0, |(at, _)| *at);
    let before = plan.context.schema;
    let table = before.table(table_name).ok_or_else(|| (blame, format!("there is no table {table_name}")))?;
    let make = statement(change, before);
    let (verb, phase, index, up, down, done) = match change {
        Change::DropIndex { index, .. } => {
            let original = plan.definitions.find("index", &index.name).and_then(|d| d.sql.clone());
            let original = original.ok_or_else(|| {
                (blame, format!("the index {} belongs to a constraint and goes only with it", index.name))
            })?;
            ("drop", Phase::Drop, index, make, original, sql::no_index(index))
        }
        Change::AddIndex { index, .. } => {
            let drop = Change::DropIndex { table: table_name.clone(), index: index.clone() };
            let done = sql::has_index(table, index, &make);
            ("add", Phase::Index, index, make, statement(&drop, before), done)
        }
        other => return Err((blame, format!("{} is no change of an index", subject(other)))),
    };
    let mut guards = Vec::new();
    if let (Change::AddIndex { .. }, true, Some(columns)) = (change, index.unique, index.plain_columns()) {
        let columns: Vec<String> = columns.iter().map(|c| DIALECT.identifier(c)).collect();
        let present: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
        let mut conditions = present.join(" AND ");
        if let Some(predicate) = &index.predicate {
            conditions.push_str(&format!(" AND ({predicate})"));
        }
        let columns = columns.join(", ");
        guards.push(Guard {
            sql: format!(
                "SELECT {columns}, count(*) AS rows FROM {} WHERE {conditions} GROUP BY {columns} HAVING count(*) > 1 \
                 ORDER BY {columns} LIMIT {}",
                DIALECT.table(table_name),
                super::super::backup_common::NAMED
            ),
            found: format!("{table_name} has several rows with the same {columns}"),
            advice: "a unique index allows one".to_string(),
        });
    }
    let changes = vec![change.clone()];
    Ok(Step {
        id: step_id(&[verb, "index", &index.name], &changes),
        phase,
        title: told(parts, wanted, |w| &w.title).join("; "),
        why: sentences(&told(parts, wanted, |w| &w.why)),
        findings: findings(parts, wanted),
        safety: safety(parts, wanted),
        changes,
        newly_deletes: Vec::new(),
        newly_refuses: Vec::new(),
        touches_rows: false,
        up: own(vec![up]),
        down: Down::Script { script: own(vec![down]), guards: Vec::new() },
        locks: lock(table_name, if phase == Phase::Index { Held::Scan } else { Held::Instant }),
        guards,
        bounds: Vec::new(),
        done: Some(format!("SELECT 1 WHERE {done}")),
    })
}
