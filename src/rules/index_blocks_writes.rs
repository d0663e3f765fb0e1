//! `index-blocks-writes`: an index built without CONCURRENTLY.

use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{Engine, IndexOrigin, TableKind};
use crate::sql::Command;

pub(crate) static META: Meta = Meta {
    code: "REF406",
    name: "index-blocks-writes",
    severity: Severity::Warning,
    summary: "Building an index without CONCURRENTLY blocks writes to the table",
    engines: &[Engine::Postgres],
    needs_data: false,
    page: include_str!("../../docs/rules/index-blocks-writes.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for event in &timeline.events {
        let Change::AddIndex { table, index } = &event.made.change else { continue };
        let gone = context.schema.table(table).is_none();
        if event.fresh || gone || index.origin != IndexOrigin::User || timeline.migration(event).is_some_and(|m| m.base)
        {
            continue;
        }
        // `ON ONLY` builds nothing: the partitions' indexes are attached to it.
        let harmless = |c: &Command| matches!(c, Command::CreateIndex(i) if i.concurrently || i.only);
        let located = event.step.statement.commands.iter().find(|c| c.span == event.made.span);
        let commands: Vec<&Command> = match located {
            Some(c) => vec![&c.command],
            None => event.step.statement.kinds().collect(),
        };
        if commands.into_iter().any(harmless) {
            continue;
        }
        let partitioned = context.schema.table(table).is_some_and(|t| t.kind == TableKind::Partitioned);
        let help = if partitioned {
            "CONCURRENTLY is not allowed on a partitioned table: create the index ON ONLY it, create one CONCURRENTLY on each \
             partition, and attach each with ALTER INDEX … ATTACH PARTITION."
        } else {
            "Use CREATE INDEX CONCURRENTLY, in a migration that runs outside of a transaction."
        };
        findings.push(
            Finding::new(&META, Subject::index(table, index), format!("Building `{}` blocks writes to `{table}`", index.name))
                .distinguished_by(&index.name)
                .why(format!(
                    "CREATE INDEX takes SHARE on `{table}` until the index is built, or until COMMIT within a transaction: no \
                     INSERT, UPDATE or DELETE meanwhile."
                ))
                .help(help)
                .at(timeline.at(event, "")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, q int);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "index-blocks-writes", migrations)
    }

    #[test]
    fn an_index_of_a_table_with_rows_is_found() {
        assert_eq!(said(&[TABLES, "\nCREATE INDEX i ON c (p_id);"]), ["warning c.p_id 2:2"]);
    }

    #[test]
    fn what_blocks_nobody_is_none() {
        assert_eq!(said(&[TABLES, "-- alone\nCREATE INDEX CONCURRENTLY i ON c (p_id);"]), [""; 0]);
        assert_eq!(said(&[&format!("{TABLES}CREATE INDEX i ON c (p_id);")]), [""; 0]);
        assert_eq!(said(&[TABLES, "CREATE INDEX i ON c (p_id);", "DROP TABLE c;"]), [""; 0]);
        assert_eq!(said(&[TABLES, "-- base\nCREATE INDEX i ON c (p_id);"]), [""; 0]);
    }

    #[test]
    fn on_only_builds_nothing_and_a_key_is_no_index_of_its_own() {
        let parts = "CREATE TABLE e (a int) PARTITION BY LIST (a);";
        assert_eq!(said(&[parts, "CREATE INDEX i ON ONLY e (a);"]), [""; 0]);
        assert_eq!(said(&[parts, "CREATE INDEX i ON e (a);"]), ["warning e.a 2:1"]);
        assert_eq!(said(&[TABLES, "ALTER TABLE c ADD UNIQUE (q);"]), [""; 0]);
    }
}
