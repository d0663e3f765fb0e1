//! A database with rows, and a script's way through it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use referee::change::Change;
use referee::engine::{SessionOptions, sqlite};
use referee::findings::Safety;
use referee::plan::{Definitions, Down, Made, Options, PlanContext, Reason, Script, Step, Transaction, Wanted};
use referee::relations::{Graph, Relation};
use referee::schema::{Action, ForeignKey, Schema, Table, TableName, Timing};
use rusqlite::Connection;
use rusqlite::types::Value;

/// A database file as it was set up.
pub struct Fixture {
    _directory: tempfile::TempDir,
    pub path: PathBuf,
    pub schema: Schema,
    pub definitions: Definitions,
}

/// Everything that a database holds: objects with their texts, and every table's rows with their rowids.
#[derive(Debug, PartialEq)]
pub struct Contents {
    pub objects: Vec<(String, String, String, String)>,
    pub rows: BTreeMap<String, Vec<String>>,
}

pub fn key(column: &str, parent: &str, parent_column: &str, on_delete: Action) -> ForeignKey {
    let mut key = ForeignKey::new([column], parent.into(), [parent_column]);
    key.on_delete = on_delete;
    key.on_delete_written = Some(on_delete != Action::NoAction);
    key
}

pub fn deferred(key: ForeignKey) -> ForeignKey {
    ForeignKey { timing: Timing::Deferred, ..key }
}

pub fn add(table: &str, foreign_key: ForeignKey) -> Change {
    Change::AddForeignKey { table: table.into(), foreign_key }
}

pub fn drop_key(table: &str, key: &ForeignKey) -> Change {
    Change::DropForeignKey { table: table.into(), foreign_key: key.clone() }
}

pub fn replace(table: &str, old: &ForeignKey, new: ForeignKey) -> Change {
    Change::ReplaceForeignKey { table: table.into(), old: old.clone(), new }
}

pub fn nullable(table: &str, column: &str, nullable: bool) -> Change {
    Change::SetNullable { table: table.into(), column: column.into(), nullable }
}

/// One wanted thing for each change.
pub fn wanted(changes: &[Change]) -> Vec<Wanted> {
    let one = |(i, change): (usize, &Change)| Wanted {
        title: format!("Change {i}"),
        why: "A test wants it.".into(),
        findings: vec![Reason { rule: referee::rules::ALL[0].meta.id(), fingerprint: format!("{i:016x}") }],
        safety: Safety::Safe,
        changes: vec![change.clone()],
        orphans: None,
    };
    changes.iter().enumerate().map(one).collect()
}

pub fn inspect(path: &Path) -> Schema {
    sqlite::open(path, &SessionOptions::default()).unwrap().inspect().unwrap()
}

/// Runs a script as a runner does: the first error rolls back, and what comes after is run all the same. With
/// `PLAN_SQLITE_SHELL=sqlite3` that program runs it, as one file.
pub fn run(connection: &Connection, script: &Script) -> Result<(), String> {
    match std::env::var("PLAN_SQLITE_SHELL") {
        Ok(shell) => run_in_shell(&shell, connection, script),
        Err(_) => run_here(connection, script).map_err(|e| e.to_string()),
    }
}

fn run_in_shell(shell: &str, connection: &Connection, script: &Script) -> Result<(), String> {
    let own = script.transaction == Transaction::Own;
    let (begin, commit) = if own { (Some("BEGIN IMMEDIATE"), Some("COMMIT")) } else { (None, None) };
    let of = |list: &[String]| list.iter().map(|s| format!("{s};\n")).collect::<String>();
    let enforced: i64 = connection.query_row("PRAGMA foreign_keys", [], |r| r.get(0)).unwrap();
    let mut text = format!("PRAGMA foreign_keys = {enforced};\n");
    text += &of(&script.before);
    text += &begin.map(|b| format!("{b};\n")).unwrap_or_default();
    text += &of(&script.statements);
    text += &commit.map(|c| format!("{c};\n")).unwrap_or_default();
    text += &of(&script.after);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let output =
        std::process::Command::new(shell).args(["-bail", connection.path().unwrap()]).stdin(input).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn run_here(connection: &Connection, script: &Script) -> rusqlite::Result<()> {
    for sql in &script.before {
        connection.execute_batch(sql)?;
    }
    let inner = || {
        if script.transaction == Transaction::Own {
            connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        for sql in &script.statements {
            connection.execute_batch(sql)?;
        }
        if script.transaction == Transaction::Own {
            connection.execute_batch("COMMIT")?;
        }
        Ok(())
    };
    let result = inner();
    if result.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    for sql in &script.after {
        connection.execute_batch(sql)?;
    }
    result
}

fn shown(value: Value) -> String {
    format!("{value:?}")
}

pub fn contents(connection: &Connection) -> Contents {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY 1, 2").unwrap();
    let objects: Vec<(String, String, String, String)> = statement
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut rows = BTreeMap::new();
    for (_, name, _, _) in objects.iter().filter(|o| o.0 == "table" && !o.3.contains("VIRTUAL TABLE")) {
        let quoted = name.replace('"', "\"\"");
        let with_rowid = format!("SELECT _rowid_, * FROM \"{quoted}\"");
        let mut statement = match connection.prepare(&with_rowid) {
            // The place of a row of this table means nothing.
            Ok(statement) if name != "sqlite_sequence" => statement,
            _ => connection.prepare(&format!("SELECT * FROM \"{quoted}\"")).unwrap(),
        };
        let count = statement.column_count();
        let mut list: Vec<String> = statement
            .query_map([], |r| Ok((0..count).map(|i| shown(r.get(i).unwrap())).collect::<Vec<_>>().join("|")))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        list.sort();
        rows.insert(name.clone(), list);
    }
    Contents { objects, rows }
}

/// Returns a query's first column.
pub fn column(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    let rows = statement.query_map([], |r| Ok(shown(r.get(0)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn check_rows(connection: &Connection) -> Vec<String> {
    let tables = column(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    let mut found = Vec::new();
    for table in tables {
        let name = table.trim_start_matches("Text(\"").trim_end_matches("\")");
        let sql = format!(
            "SELECT \"table\" || coalesce(rowid, '') || parent FROM pragma_foreign_key_check('{}')",
            name.replace('\'', "''")
        );
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        loop {
            match rows.next() {
                Ok(Some(row)) => found.push(row.get::<_, String>(0).unwrap()),
                Ok(None) => break,
                Err(e) => {
                    found.push(format!("{name}: {e}"));
                    break;
                }
            }
        }
    }
    found.sort();
    found
}

/// Takes away the order among keys, which a plan does not promise.
pub fn without_order(mut schema: Schema) -> Schema {
    for table in &mut schema.tables {
        for key in &mut table.foreign_keys {
            key.firing_order = 0;
        }
        table.sort();
    }
    schema
}

impl Fixture {
    pub fn new(sql: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        Connection::open(&path).unwrap().execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        let mut session = sqlite::open(&path, &SessionOptions::default()).unwrap();
        let schema = session.inspect().unwrap();
        let definitions = Definitions::from_session(&mut *session).unwrap();
        Self { _directory: directory, path, schema, definitions }
    }

    pub fn table(&self, name: &str) -> &Table {
        self.schema.table(&TableName::new(name)).unwrap()
    }

    pub fn made(&self, changes: &[Change]) -> Made {
        self.made_with(&wanted(changes), &Options::default())
    }

    pub fn made_with(&self, wanted: &[Wanted], options: &Options) -> Made {
        self.made_knowing(wanted, options, Vec::new())
    }

    /// Makes steps where there are relations that no key declares.
    pub fn made_knowing(&self, wanted: &[Wanted], options: &Options, relations: Vec<Relation>) -> Made {
        let (schema, definitions) = (&self.schema, Some(&self.definitions));
        let relations = Graph::from_relations(schema, relations);
        let workshop = PlanContext { schema, relations: &relations, definitions, options, protected: &BTreeSet::new() };
        referee::plan::sqlite::steps(&workshop, wanted)
    }

    pub fn connect(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        // A crash of the machine is not tried here.
        connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").unwrap();
        connection
    }

    /// Makes the steps and goes all the way: up, looked at, up again, down, looked at, up again, and down. Returns how many
    /// steps there were.
    pub fn round_trip(&self, what: &str, changes: &[Change]) -> usize {
        let made = self.made(changes);
        assert!(made.refused.is_empty(), "{what}: {:?}", made.refused);
        let connection = self.connect();
        let before = contents(&connection);
        let broken = check_rows(&connection);
        let mut after = self.schema.clone();
        changes.iter().for_each(|c| c.apply(&mut after).unwrap());
        let after = without_order(after);
        for round in ["first", "second"] {
            for step in &made.steps {
                assert!(!is_done(&connection, step), "{what}, {round}: {} says that it is done", step.id);
                for guard in &step.guards {
                    assert!(column(&connection, &guard.sql).is_empty(), "{what}: {}", guard.message());
                }
                run(&connection, &step.up).unwrap_or_else(|e| panic!("{what}: {e}\n{:#?}", step.up));
                assert!(
                    is_done(&connection, step),
                    "{what}: {} does not say that it is done: {:?}",
                    step.id,
                    step.done
                );
            }
            self.look(what, &connection, &after, &before);
            let dropped = changes.iter().any(|c| matches!(c, Change::DropForeignKey { .. }));
            if !dropped {
                assert_eq!(check_rows(&connection), broken, "{what}");
            }
            // A step of one statement is not run twice: it says that it is done.
            for step in made.steps.iter().filter(|s| s.up.statements.len() > 1) {
                let once = contents(&connection);
                run(&connection, &step.up).unwrap();
                assert_eq!(contents(&connection), once, "{what}: run twice");
            }
            for step in made.steps.iter().rev() {
                let Down::Script { script, guards } = &step.down else { panic!("{what}: no way down") };
                for guard in guards {
                    assert!(column(&connection, &guard.sql).is_empty(), "{what}: {}", guard.message());
                }
                run(&connection, script).unwrap_or_else(|e| panic!("{what}, down: {e}\n{script:#?}"));
            }
            assert_eq!(contents(&connection), before, "{what}: down");
            assert_eq!(check_rows(&connection), broken, "{what}: down");
        }
        let same = column(&connection, "PRAGMA integrity_check");
        assert!(same.iter().all(|l| l.contains("ok")), "{what}: {same:?}");
        made.steps.len()
    }

    fn look(&self, what: &str, connection: &Connection, after: &Schema, before: &Contents) {
        let inspected = without_order(inspect(&self.path));
        for (wanted, found) in after.tables.iter().zip(&inspected.tables) {
            let mut wanted = wanted.clone();
            for (key, other) in wanted.foreign_keys.iter_mut().zip(&found.foreign_keys) {
                if key.on_delete != Action::NoAction {
                    key.on_delete_written = other.on_delete_written;
                }
                key.on_delete_written = key.on_delete_written.or(other.on_delete_written);
            }
            assert_eq!(wanted, *found, "{what}");
        }
        assert_eq!(after.tables.len(), inspected.tables.len(), "{what}");
        let now = contents(connection);
        assert_eq!(now.rows, before.rows, "{what}");
        let others = |c: &Contents| {
            let ours: Vec<_> = c.objects.iter().filter(|o| o.0 == "view" || o.0 == "trigger").cloned().collect();
            ours
        };
        assert_eq!(others(&now), others(before), "{what}");
    }
}

pub fn is_done(connection: &Connection, step: &Step) -> bool {
    !column(connection, step.done.as_ref().unwrap()).is_empty()
}
