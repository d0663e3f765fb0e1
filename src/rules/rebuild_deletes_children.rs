//! `rebuild-deletes-children`: a table rebuild whose DROP TABLE cascades.

use super::timeline::{Event, Timeline};
use super::wording::key_place;
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::{Action, Engine, TableName};
use crate::source::history::Place;
use crate::sql::Command;

pub(crate) static META: Meta = Meta {
    code: "REF402",
    name: "rebuild-deletes-children",
    severity: Severity::Error,
    summary: "A table is rebuilt inside a transaction, and DROP TABLE deletes the rows that refer to it",
    engines: &[Engine::Sqlite],
    needs_data: false,
    page: include_str!("../../docs/rules/rebuild-deletes-children.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for (number, event) in timeline.events.iter().enumerate() {
        let Change::DropTable { table, .. } = &event.made.change else { continue };
        if event.fresh || !is_made_again(timeline, number, event, table) {
            continue;
        }
        let pragma = pragma(timeline, event);
        // "Foreign Key Support", 5: DROP TABLE first does an implicit DELETE FROM, if enforcement is on.
        let off = match (&pragma, context.settings.foreign_keys) {
            (Some(p), _) if p.works => p.off,
            (_, Some(false)) => true,
            _ => false,
        };
        if off {
            continue;
        }
        // Whether the migrator's connection enforces is known if it was said, or if somebody took care to switch it off.
        let known = pragma.is_some() || context.settings.foreign_keys == Some(true);
        for (child, key) in &event.referring {
            let loses = match key.on_delete {
                Action::Cascade => format!("deletes every row of `{child}` that refers to it"),
                Action::SetNull => {
                    format!("sets `{child}.{}` NULL in every row that refers to it", key.columns.join("`, `"))
                }
                Action::SetDefault => {
                    format!("sets `{child}.{}` to its default in every row", key.columns.join("`, `"))
                }
                Action::NoAction | Action::Restrict => continue,
            };
            if child == table {
                continue;
            }
            let mut finding = Finding::new(
                &META,
                Subject::table(table),
                format!("Rebuilding `{table}`, DROP TABLE {loses}"),
            )
            .distinguished_by(&format!("{child}({})", key.columns.join(",")))
            .severity(if known { Severity::Error } else { Severity::Warning })
            .why(why(&pragma))
            .help(
                "Run `PRAGMA foreign_keys=OFF` on the connection before the transaction begins: tell the migrator not to \
                 open one for this file, or switch enforcement off in the program that migrates. Run `PRAGMA \
                 foreign_key_check` before COMMIT. Or avoid the rebuild: ADD COLUMN, UPDATE, DROP COLUMN and RENAME COLUMN \
                 never drop the table.",
            )
            .fact(key_place(child, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete))
            .at(timeline.at(event, "drops the rows first"));
            if let Some(pragma) = &pragma
                && !pragma.works
            {
                finding = finding.at(timeline.places.head(pragma.place, "a no-op within a transaction"));
            }
            let declared = timeline.history.origins.foreign_key(child, key).map(|k| k.on_delete.unwrap_or(k.declared));
            let declared =
                declared.filter(|_| context.schema.table(child).is_some_and(|t| t.foreign_keys.contains(key)));
            finding =
                finding.at(declared.and_then(|p| timeline.places.head(p, format!("ON DELETE {}", key.on_delete))));
            findings.push(finding);
        }
    }
}

/// Tells whether the same migration makes a table of this name after it was dropped.
fn is_made_again(timeline: &Timeline<'_>, number: usize, drop: &Event<'_>, table: &TableName) -> bool {
    timeline.rest_of_migration(number).any(|e| {
        e.at > drop.at
            && match &e.made.change {
            Change::RenameTable { to, .. } => to == table,
            Change::CreateTable { definition } => definition.name == *table,
            _ => false,
        }
    })
}

/// The last `PRAGMA foreign_keys` before a statement.
struct Pragma {
    off: bool,
    /// "PRAGMA foreign_keys": "This pragma is a no-op within a transaction".
    works: bool,
    place: Place,
}

fn pragma(timeline: &Timeline<'_>, event: &Event<'_>) -> Option<Pragma> {
    let mut found: Option<Pragma> = None;
    for step in timeline.steps_before(event) {
        for command in step.statement.kinds() {
            if let Command::Set { name, values, pragma: true } = command
                && name == "foreign_keys"
                && let Some(value) = values.first()
            {
                let off = ["off", "0", "false", "no"].iter().any(|v| v.eq_ignore_ascii_case(value));
                let place = Place { file: step.file, span: step.statement.span };
                // One that worked is not undone by one that does nothing.
                if !step.in_transaction || found.is_none() {
                    found = Some(Pragma { off, works: !step.in_transaction, place });
                }
            }
        }
    }
    found.filter(|p| p.off || p.works)
}

fn why(pragma: &Option<Pragma>) -> &'static str {
    match pragma {
        Some(p) if !p.works => {
            "Where foreign keys are enforced, DROP TABLE deletes the table's rows first, and their ON DELETE actions run. The \
             PRAGMA that should prevent it does nothing within a transaction, and a transaction is open here. The rows of \
             the table itself were copied; those of the other tables are gone, without an error."
        }
        _ => {
            "If the connection that migrates enforces foreign keys, DROP TABLE deletes the table's rows first, and their ON \
             DELETE actions run. The rows of the table itself were copied; those of the other tables are gone, without an \
             error."
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::Settings;
    use crate::schema::Engine;
    use crate::testing::{lint, lint_with};

    const TABLES: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER \
                          REFERENCES p (id) ON DELETE CASCADE);";
    const REBUILD: &str = "CREATE TABLE n (id INTEGER PRIMARY KEY, x TEXT);\nINSERT INTO n SELECT id, '' FROM p;\n\
                           DROP TABLE p;\nALTER TABLE n RENAME TO p;\n";
    const OFF: &str = "PRAGMA foreign_keys=OFF;\n";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Sqlite, "rebuild-deletes-children", migrations)
    }

    #[test]
    fn a_pragma_within_the_transaction_does_nothing() {
        assert_eq!(said(&[TABLES, &format!("{OFF}{REBUILD}")]), ["error p 2:4"]);
        assert_eq!(said(&[TABLES, REBUILD]), ["warning p 2:3"], "whether the migrator enforces is not known");
    }

    #[test]
    fn a_pragma_before_the_transaction_is_right() {
        assert_eq!(said(&[TABLES, &format!("-- alone\n{OFF}BEGIN;\n{REBUILD}COMMIT;")]), [""; 0]);
        let off = Settings { foreign_keys: Some(false), ..Settings::default() };
        assert_eq!(lint_with(Engine::Sqlite, "rebuild-deletes-children", &[TABLES, REBUILD], &off), [""; 0]);
    }

    #[test]
    fn a_drop_that_takes_nothing_along_is_none() {
        let kept = TABLES.replace(" ON DELETE CASCADE", "");
        assert_eq!(said(&[&kept, &format!("{OFF}{REBUILD}")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("{OFF}DROP TABLE p;")]), [""; 0], "not made again");
        assert_eq!(said(&[&format!("{TABLES}{OFF}{REBUILD}")]), [""; 0], "the same migration made it");
    }
}
