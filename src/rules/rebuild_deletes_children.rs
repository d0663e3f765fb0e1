//! `rebuild-deletes-children`: a table rebuild whose DROP TABLE cascades, or fails.

use super::timeline::{Event, Timeline, same_table};
use super::wording::key_place;
use super::{Context, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::{Action, Engine, ForeignKey, Schema, TableName, Timing};
use crate::source::history::{Place, Step};
use crate::sql::ast::Name;
use crate::sql::{Command, is_on};

pub(crate) static META: Meta = Meta {
    code: "REF402",
    name: "rebuild-deletes-children",
    severity: Severity::Error,
    summary: "A table is rebuilt inside a transaction, and DROP TABLE deletes the rows that refer to it, or fails",
    engines: &[Engine::Sqlite],
    needs_data: false,
    page: include_str!("../../docs/rules/rebuild-deletes-children.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let engine = context.schema.engine;
    for (number, event) in timeline.events.iter().enumerate() {
        let Change::DropTable { table, .. } = &event.made.change else { continue };
        if event.fresh {
            continue;
        }
        let Some(remade) = made_again(engine, timeline, number, event, table) else { continue };
        let pragma = pragma(timeline, event);
        let (foreign_keys, schema) = (context.settings.foreign_keys, context.schema);
        let rebuild = Rebuild { engine, foreign_keys, schema, timeline, event, table, remade, pragma };
        if rebuild.is_off() {
            continue;
        }
        let mut parents = vec![table];
        let mut next = 0;
        while let Some(parent) = parents.get(next).copied() {
            next += 1;
            for (child, key) in event.referring.iter().filter(|(_, k)| same_table(engine, &k.parent, parent)) {
                if same_table(engine, child, table) || rebuild.emptied(child) {
                    continue;
                }
                // Rows that were copied away and come back lose what hangs below them all the same.
                if key.on_delete == Action::Cascade && rebuild.restored(child) {
                    if !parents.contains(&child) {
                        parents.push(child);
                    }
                    continue;
                }
                findings.extend(rebuild.finding(child, key));
            }
        }
    }
}

/// How the table that was dropped comes to be there again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remade {
    /// Another table has its name.
    Renamed,
    /// It is created after the drop, and its rows come then.
    Created,
}

/// A rebuild that drops a table.
struct Rebuild<'a, 'h> {
    engine: Engine,
    foreign_keys: Option<bool>,
    schema: &'a Schema,
    timeline: &'a Timeline<'h>,
    event: &'a Event<'h>,
    table: &'a TableName,
    remade: Remade,
    pragma: Option<Pragma>,
}

impl Rebuild<'_, '_> {
    /// "Foreign Key Support", 5: DROP TABLE first does an implicit DELETE FROM, if enforcement is on.
    fn is_off(&self) -> bool {
        match (&self.pragma, self.foreign_keys) {
            (Some(p), _) if p.works => p.off && !self.unknown_runner(),
            (_, Some(false)) => true,
            _ => false,
        }
    }

    /// Tells whether the PRAGMA works only if the tool, which is not known, opens no transaction. One that the file itself opens
    /// tells that the tool has none open.
    fn unknown_runner(&self) -> bool {
        let base = self.timeline.migration(self.event).is_some_and(|m| m.base);
        self.timeline.history.runner_unknown
            && !base
            && !self.event.step.in_transaction
            && self.foreign_keys != Some(false)
            && self.pragma.as_ref().is_some_and(|p| p.works && p.off)
    }

    fn finding(&self, child: &TableName, key: &ForeignKey) -> Option<Finding> {
        let (table, timeline) = (self.table, self.timeline);
        let columns = key.columns.join("`, `");
        let refuses = key.on_delete.refuses();
        if refuses && self.remade == Remade::Created && self.waits(key) {
            return None;
        }
        let loses = match key.on_delete {
            Action::Cascade => format!("deletes every row of `{child}` that refers to it"),
            Action::SetNull => format!("sets `{child}.{columns}` NULL in every row that refers to it"),
            Action::SetDefault => format!("sets `{child}.{columns}` to its default in every row"),
            Action::NoAction | Action::Restrict => format!("fails as soon as a row of `{child}` refers to it"),
        };
        let of = self.event.referring.iter().find(|(c, k)| c == child && k == key).map_or(table, |(_, k)| &k.parent);
        let direct = same_table(self.engine, of, table);
        let message = if direct {
            format!("Rebuilding `{table}`, DROP TABLE {loses}")
        } else {
            format!("Rebuilding `{table}`, DROP TABLE deletes rows of `{of}`, which {loses}")
        };
        // Whether the migrator's connection enforces is known if it was said, or if somebody took care to switch it off.
        let known = (self.pragma.is_some() || self.foreign_keys == Some(true)) && !self.unknown_runner();
        let mut finding = Finding::new(&META, Subject::table(table), message)
            .distinguished_by(&format!("{child}({})", key.columns.join(",")))
            .severity(if known { Severity::Error } else { Severity::Warning })
            .why(self.why(refuses))
            .help(if self.unknown_runner() {
                "Say which tool runs the file (`--layout sqlx`, for example). Where it opens no transaction, write BEGIN after the                  PRAGMA and COMMIT at the end. Where it does, run `PRAGMA foreign_keys=OFF` on the connection before."
            } else {
                "Run `PRAGMA foreign_keys=OFF` on the connection before the transaction begins: tell the migrator not to                  open one for this file, or switch enforcement off in the program that migrates. Run `PRAGMA                  foreign_key_check` before COMMIT. Or avoid the rebuild: ADD COLUMN, UPDATE, DROP COLUMN and RENAME COLUMN                  never drop the table."
            })
            .fact(key_place(child, key), Fact::OnDelete, format!("ON DELETE {}", key.on_delete))
            .at(timeline.at(self.event, if refuses { "deletes the rows first, and fails" } else { "drops the rows first" }));
        if let Some(pragma) = &self.pragma
            && !pragma.works
        {
            finding = finding.at(timeline.places.head(pragma.place, "a no-op within a transaction"));
        }
        let declared = timeline.history.origins.foreign_key(child, key).map(|k| k.on_delete.unwrap_or(k.declared));
        let declared =
            declared.filter(|_| self.schema.table(child).is_some_and(|t| t.foreign_keys.contains(key)));
        Some(finding.at(declared.and_then(|p| {
            Some(timeline.places.head(p, format!("ON DELETE {}", key.on_delete))?.showing(0))
        })))
    }

    fn why(&self, refuses: bool) -> String {
        let first = match &self.pragma {
            Some(p) if !p.works => {
                "The PRAGMA that should prevent it does nothing within a transaction, and a transaction is open here."
            }
            Some(_) if self.unknown_runner() => {
                "The PRAGMA that should prevent it does nothing within a transaction, and many tools open one for each file. Which                  tool runs this file is not known."
            }
            _ => "Whether the connection that migrates enforces foreign keys is not in the files.",
        };
        let then = if refuses {
            "The foreign key then refuses it (`FOREIGN KEY constraint failed`), at once or at commit: the new table is no parent of \
             rows that referred to the old one. A database without rows does not show it."
        } else {
            "Their ON DELETE actions run. The rows of the table itself were copied; those of the other tables are gone, without \
             an error."
        };
        format!("Where foreign keys are enforced, DROP TABLE deletes the table's rows first. {then} {first}")
    }

    /// "Foreign Key Support", 4.2: a deferred violation is counted until a parent row is inserted or the transaction ends.
    fn waits(&self, key: &ForeignKey) -> bool {
        let deferred = |command: &Command| {
            matches!(command, Command::Set { name, values, pragma: true }
                if name == "defer_foreign_keys" && values.first().is_some_and(|v| is_on(v)))
        };
        let mut before = self.timeline.steps_before(self.event).iter().flat_map(|s| s.statement.kinds());
        self.event.step.in_transaction && (key.timing == Timing::Deferred || before.any(deferred))
    }

    /// Tells whether an earlier statement of the migration deletes all rows of a table.
    fn emptied(&self, child: &TableName) -> bool {
        self.timeline.steps_before(self.event).iter().any(|step| {
            let all = !words(self.text(step)).any(|w| w.eq_ignore_ascii_case("where"));
            all && step.statement.kinds().any(|c| matches!(c, Command::Rows { verb: "DELETE", table: Some(t) } if is(t, child)))
        })
    }

    /// Tells whether a table's rows are copied to another one before, and from it back again after.
    fn restored(&self, child: &TableName) -> bool {
        let mut copies: Vec<&str> = Vec::new();
        for step in self.timeline.steps_before(self.event) {
            let reads = words(self.text(step)).any(|w| w.eq_ignore_ascii_case(&child.name));
            for command in step.statement.kinds().filter(|_| reads) {
                match command {
                    Command::CreateTable(made) if made.as_query => copies.push(&made.name.name),
                    Command::Rows { verb: "INSERT", table: Some(into) } if !is(into, child) => copies.push(&into.name),
                    _ => {}
                }
            }
        }
        self.timeline.steps_after(self.event).iter().any(|step| {
            let from_copy = || words(self.text(step)).any(|w| copies.iter().any(|c| c.eq_ignore_ascii_case(w)));
            let into = |c: &Command| {
                matches!(c, Command::Rows { verb: "INSERT" | "REPLACE", table: Some(t) } if is(t, child))
            };
            step.statement.kinds().any(into) && from_copy()
        })
    }

    fn text(&self, step: &Step) -> &str {
        self.timeline.history.text(Place { file: step.file, span: step.statement.span })
    }
}

fn is(name: &Name, table: &TableName) -> bool {
    name.name.eq_ignore_ascii_case(&table.name)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
}

/// Tells how the same migration makes a table again that it drops: by the name that it has now, or by one that it had before it was
/// renamed.
fn made_again(
    engine: Engine,
    timeline: &Timeline<'_>,
    number: usize,
    drop: &Event<'_>,
    table: &TableName,
) -> Option<Remade> {
    let makes = |event: &Event<'_>, name: &TableName| match &event.made.change {
        Change::RenameTable { to, .. } if same_table(engine, to, name) => Some(Remade::Renamed),
        Change::CreateTable { definition } if same_table(engine, &definition.name, name) => Some(Remade::Created),
        _ => None,
    };
    let after = timeline.rest_of_migration(number).filter(|e| e.at > drop.at).find_map(|e| makes(e, table));
    // One that is made before the drop has its rows by then.
    let last = number + 1 + timeline.rest_of_migration(number).count();
    let before = |(name, since): &(TableName, usize)| {
        let events = timeline.events.get(since + 1..last).unwrap_or_default();
        events.iter().any(|e| makes(e, name).is_some()).then_some(Remade::Renamed)
    };
    after.or_else(|| drop.former.iter().find_map(before))
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
                let place = Place { file: step.file, span: step.statement.span };
                // One that worked is not undone by one that does nothing.
                if !step.in_transaction || found.is_none() {
                    found = Some(Pragma { off: !is_on(value), works: !step.in_transaction, place });
                }
            }
        }
    }
    found.filter(|p| p.off || p.works)
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
        assert_eq!(said(&[TABLES, &format!("{OFF}DROP TABLE p;")]), [""; 0], "not made again");
        assert_eq!(said(&[&format!("{TABLES}{OFF}{REBUILD}")]), [""; 0], "the same migration made it");
    }

    #[test]
    fn a_key_that_refuses_makes_the_drop_fail() {
        let kept = TABLES.replace(" ON DELETE CASCADE", "");
        assert_eq!(said(&[&kept, &format!("{OFF}{REBUILD}")]), ["error p 2:4"]);
        let empty = format!("DELETE FROM c;\n{OFF}{REBUILD}");
        assert_eq!(said(&[&kept, &empty]), [""; 0]);
        // A deferred violation ends with the parent row that is inserted again, and a rename inserts none.
        let deferred = format!("PRAGMA defer_foreign_keys = ON;\n{REBUILD}");
        assert_eq!(said(&[&kept, &deferred]), ["warning p 2:4"]);
        let again = "PRAGMA defer_foreign_keys = ON; CREATE TABLE b AS SELECT * FROM p; DROP TABLE p; CREATE TABLE p (id INTEGER \
                     PRIMARY KEY); INSERT INTO p SELECT id FROM b;";
        assert_eq!(said(&[&kept, again]), [""; 0]);
    }

    #[test]
    fn the_order_of_renames_and_the_case_of_names_hide_nothing() {
        let renamed = "ALTER TABLE p RENAME TO p_old;\nCREATE TABLE p (id INTEGER PRIMARY KEY, x TEXT);\nINSERT INTO p SELECT id, \
                       '' FROM p_old;\nDROP TABLE p_old;\n";
        assert_eq!(said(&[TABLES, &format!("{OFF}{renamed}")]), ["error p_old 2:5"]);
        let twice = renamed.replacen("p_old;", "p_tmp;\nALTER TABLE p_tmp RENAME TO p_old;", 1);
        assert_eq!(said(&[TABLES, &twice]), ["warning p_old 2:5"]);
        assert_eq!(said(&[TABLES, &renamed.replace("DROP TABLE p_old", "-- kept")]), [""; 0]);
        assert_eq!(said(&[&TABLES.replace("TABLE p ", "TABLE P "), REBUILD]), ["warning P 2:3"]);
    }

    #[test]
    fn a_savepoint_begins_a_transaction() {
        let inside = |before: &str| format!("-- alone\n{before}{OFF}{REBUILD}");
        assert_eq!(said(&[TABLES, &inside("SAVEPOINT s;\n")]), ["error p 2:6"]);
        assert_eq!(said(&[TABLES, &inside("SAVEPOINT s; SAVEPOINT t; RELEASE t;\n")]), ["error p 2:6"]);
        assert_eq!(said(&[TABLES, &inside("SAVEPOINT s; SAVEPOINT t; RELEASE SAVEPOINT S;\n")]), [""; 0]);
        assert_eq!(said(&[TABLES, &inside("SAVEPOINT s; ROLLBACK TO s;\n")]), ["error p 2:6"]);
        assert_eq!(said(&[TABLES, &inside("").replace("=OFF", " = banana")]), [""; 0], "what is not known is off");
        assert_eq!(said(&[TABLES, &inside("").replace("=OFF", " = 2")]).len(), 1);
    }

    #[test]
    fn rows_that_are_copied_away_and_put_back_are_kept() {
        let around = |restore: &str| {
            format!("CREATE TEMP TABLE kept AS SELECT * FROM c;\n{REBUILD}{restore} INTO c SELECT * FROM kept;\n")
        };
        assert_eq!(said(&[TABLES, &around("INSERT")]), [""; 0]);
        assert_eq!(said(&[TABLES, &around("INSERT").replace("FROM kept", "FROM n")]), ["warning p 2:4"]);
        let below = format!("{TABLES}CREATE TABLE d (c_id INTEGER REFERENCES c (id) ON DELETE CASCADE);");
        assert_eq!(said(&[&below, &around("INSERT")]), ["warning p 2:4"], "what hangs below is gone");
    }
}
