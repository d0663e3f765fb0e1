//! `invalid-index`: an index that the engine does not use.

use super::helpers::fix;
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Finding, Safety, Severity, Subject};
use crate::schema::{Engine, Index, IndexOrigin, Table, TableKind};

pub(crate) static META: Meta = Meta {
    code: "REF106",
    name: "invalid-index",
    severity: Severity::Warning,
    summary: "An index is there but not valid, so the engine does not use it",
    engines: &[Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/invalid-index.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for table in &context.schema.tables {
        for index in table.indexes.iter().filter(|i| !i.valid) {
            findings.push(if table.kind == TableKind::Partitioned {
                incomplete(table, index)
            } else {
                broken(context, table, index)
            });
        }
    }
}

/// PostgreSQL manual, CREATE INDEX: made `ON ONLY`, it stays invalid until every partition's index is attached.
fn incomplete(table: &Table, index: &Index) -> Finding {
    let (name, table_name) = (&index.name, &table.name);
    Finding::new(
        &META,
        Subject::index(table_name, index),
        format!("index `{name}` of partitioned table `{table_name}` is not complete: some partition has no index attached to it"),
    )
    .why("Partitions without one are searched row by row, and a unique index does not yet hold for the whole table.")
    .help(format!(
        "Create the same index on each partition that lacks it, then `ALTER INDEX {name} ATTACH PARTITION …` for each; it \
         becomes valid with the last one."
    ))
}

fn broken(context: &Context<'_>, table: &Table, index: &Index) -> Finding {
    let (name, table_name) = (&index.name, &table.name);
    let finding = Finding::new(
        &META,
        Subject::index(table_name, index),
        format!("index `{name}` of `{table_name}` is not valid"),
    )
    .why(
        "A CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY that failed leaves it behind. No query uses it, writes may \
         still maintain it, and `CREATE INDEX … IF NOT EXISTS` under its name succeeds without building anything.",
    )
    .label(name.clone(), "not valid");
    let drop = Change::DropIndex { table: table_name.clone(), index: index.clone() };
    // PostgreSQL manual, REINDEX: `_ccnew` and `_ccold` are what a failed REINDEX CONCURRENTLY leaves; the original stays.
    let tail = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let replaced = tail.ends_with("_ccnew")
        || tail.ends_with("_ccold")
        || table.indexes.iter().any(|other| {
            let same = Index { name: name.clone(), valid: false, origin: index.origin, ..other.clone() };
            other.valid && same == *index
        });
    let waits = "If it is being built right now, wait: it turns valid at the end.";
    if replaced {
        let fix = fix(context, "Drop the index", Safety::Safe, vec![drop]);
        return finding.help(format!("Drop it; a valid index does its work. {waits}")).fix(fix);
    }
    if index.origin != IndexOrigin::User {
        return finding.help(format!("It belongs to a constraint: rebuild it with `REINDEX INDEX CONCURRENTLY {name}`. {waits}"));
    }
    let rebuilt = Index { valid: true, ..index.clone() };
    let add = Change::AddIndex { table: table_name.clone(), index: rebuilt };
    let fix = fix(context, "Drop the index and build it again", Safety::Unsafe, vec![drop, add]);
    let unique = if index.unique { " Remove duplicate rows first: they are the usual reason why a unique one fails." } else { "" };
    finding.help(format!("Drop it and build it again.{unique} {waits}")).fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{findings, schema};

    #[test]
    fn failed_build_is_dropped_and_made_again() {
        let mut s = schema(Engine::Postgres, &["t: a int8 index"]);
        assert_eq!(findings(&s, "invalid-index"), []);
        s.tables[0].indexes[0].valid = false;
        let found = findings(&s, "invalid-index");
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].fixes[0].sql,
            ["DROP INDEX CONCURRENTLY t_a_idx", "CREATE INDEX CONCURRENTLY t_a_idx ON t (a)"]
        );
        for change in &found[0].fixes[0].changes {
            change.apply(&mut s).unwrap();
        }
        assert_eq!(findings(&s, "invalid-index"), []);
    }

    #[test]
    fn left_over_of_a_reindex_or_a_twin_is_only_dropped() {
        let mut s = schema(Engine::Postgres, &["t: a int8 index, b int8 index"]);
        let mut left = s.tables[0].indexes[0].clone();
        (left.name, left.valid) = ("t_a_idx_ccnew1".into(), false);
        let mut twin = s.tables[0].indexes[1].clone();
        (twin.name, twin.valid) = ("t_b_again".into(), false);
        s.tables[0].indexes.extend([left, twin]);
        let found = findings(&s, "invalid-index");
        assert_eq!(found.iter().map(|f| f.fixes[0].changes.len()).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn partitioned_index_waits_for_its_partitions() {
        let mut s = schema(Engine::Postgres, &["t: a int8 index"]);
        s.tables[0].kind = TableKind::Partitioned;
        s.tables[0].indexes[0].valid = false;
        let found = findings(&s, "invalid-index");
        assert!(found[0].message.contains("not complete") && found[0].fixes.is_empty(), "{found:?}");
    }
}
