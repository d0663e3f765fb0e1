//! SQLite, on database files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use referee::engine::sqlite::open;
use referee::engine::{EngineError, EngineErrorKind, Reader, SessionOptions};
use referee::job::{Context, Event};
use referee::orphans::{self, Outcome, ScanOptions};
use referee::relations::Graph;
use referee::schema::{Action, Family, IndexOrigin, Match, Schema, Table, TableKind, TableName, Timing};
use rusqlite::Connection;
use tempfile::TempDir;

struct Database {
    _folder: TempDir,
    path: PathBuf,
}

fn database(sql: &str) -> Database {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("it's a 100% #1 ?x.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap();
    Database { _folder: folder, path }
}

fn session(path: &Path) -> Box<dyn Reader> {
    open(path, &SessionOptions::default()).unwrap()
}

fn inspected(sql: &str) -> Schema {
    session(&database(sql).path).inspect().unwrap()
}

fn table<'s>(schema: &'s Schema, name: &str) -> &'s Table {
    schema.table(&TableName::new(name)).unwrap_or_else(|| panic!("no table {name}"))
}

fn refused(path: &Path) -> EngineError {
    match open(path, &SessionOptions::default()) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// Everything in a folder, with its size and time of change.
fn listing(folder: &Path) -> Vec<(String, u64, std::time::SystemTime)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap())
        .map(|f| (f.file_name().into_string().unwrap(), f.metadata().unwrap()))
        .map(|(name, m)| (name, m.len(), m.modified().unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn columns_and_keys_are_as_sqlite_has_them() {
    let schema = inspected(
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, e TEXT COLLATE NOCASE CONSTRAINT one UNIQUE, n INT NOT NULL
            DEFAULT (1 + 2), g INT AS (n * 2) STORED, v AS (n) VIRTUAL, CONSTRAINT positive CHECK (n > 0));
         CREATE TABLE b (code TEXT PRIMARY KEY, x);
         CREATE TABLE c (k INTEGER PRIMARY KEY DESC);
         CREATE TABLE d (p TEXT, q TEXT, CONSTRAINT dpk PRIMARY KEY (q, p)) WITHOUT ROWID;
         CREATE TABLE e (p TEXT PRIMARY KEY) STRICT;
         CREATE TABLE f (id INT PRIMARY KEY);
         CREATE TABLE g (id INTEGER, PRIMARY KEY (id DESC));
         CREATE VIEW w AS SELECT 1;",
    );
    let names: Vec<_> = schema.tables.iter().map(|t| t.name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g"]);
    let a = table(&schema, "a");
    assert!(a.autoincrement && a.column("id").unwrap().auto_number && !a.is_nullable("id"));
    assert_eq!(a.primary_key.as_ref().unwrap().columns, ["id"]);
    assert_eq!(a.column("e").unwrap().collation.as_ref().unwrap().name, "NOCASE");
    assert_eq!((a.unique_keys[0].name.as_deref(), a.unique_keys[0].columns.join(",")), (Some("one"), "e".into()));
    assert_eq!(a.column("n").unwrap().default.as_deref(), Some("1 + 2"));
    assert_eq!(a.column("n").unwrap().data_type.family, Family::Integer);
    let generated = |c: &str| a.column(c).unwrap().generated.clone().map(|g| (g.expression, g.stored));
    assert_eq!(generated("g"), Some(("n * 2".into(), true)));
    assert_eq!(generated("v"), Some(("n".into(), false)));
    assert_eq!((a.checks[0].name.as_deref(), a.checks[0].expression.as_str()), (Some("positive"), "n > 0"));
    // "CREATE TABLE", 3.5: a primary key's columns can be NULL, but for rowid aliases, WITHOUT ROWID and STRICT tables.
    assert!(table(&schema, "b").is_nullable("code"));
    assert!(table(&schema, "f").is_nullable("id") && !table(&schema, "f").column("id").unwrap().auto_number);
    assert!(table(&schema, "c").is_nullable("k") && !table(&schema, "c").column("k").unwrap().auto_number);
    assert!(table(&schema, "g").column("id").unwrap().auto_number);
    let d = table(&schema, "d");
    assert!(d.without_rowid && !d.is_nullable("p") && !d.is_nullable("q"));
    assert_eq!(
        (d.primary_key.as_ref().unwrap().name.as_deref(), d.primary_key.as_ref().unwrap().columns.join(",")),
        (Some("dpk"), "q,p".into())
    );
    assert!(table(&schema, "e").strict && !table(&schema, "e").is_nullable("p"));
}

#[test]
fn nullability_of_primary_keys_is_what_an_insert_finds() {
    let sql = "CREATE TABLE b (code TEXT PRIMARY KEY); CREATE TABLE c (k INTEGER PRIMARY KEY DESC);
               CREATE TABLE d (p TEXT PRIMARY KEY) WITHOUT ROWID; CREATE TABLE e (p TEXT PRIMARY KEY) STRICT;
               CREATE TABLE f (a INT, b INT NOT NULL, PRIMARY KEY (a, b));";
    let db = database(sql);
    let schema = session(&db.path).inspect().unwrap();
    let connection = Connection::open(&db.path).unwrap();
    for (name, column, insert) in [
        ("b", "code", "INSERT INTO b VALUES (NULL)"),
        ("c", "k", "INSERT INTO c VALUES (NULL)"),
        ("d", "p", "INSERT INTO d VALUES (NULL)"),
        ("e", "p", "INSERT INTO e VALUES (NULL)"),
        ("f", "a", "INSERT INTO f VALUES (NULL, 1)"),
        ("f", "b", "INSERT INTO f VALUES (1, NULL)"),
    ] {
        assert_eq!(table(&schema, name).is_nullable(column), connection.execute(insert, []).is_ok(), "{name}.{column}");
    }
}

#[test]
fn foreign_keys_have_their_names_and_the_catalogs_spelling() {
    let schema = inspected(
        "CREATE TABLE Parent (Id INTEGER PRIMARY KEY, A, B, UNIQUE (A, B));
         CREATE TABLE child (one INT CONSTRAINT first REFERENCES PARENT ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            two INT REFERENCES parent(ID) MATCH FULL, x, y, lost INT REFERENCES nowhere, lost2 INT REFERENCES nowhere(z),
            t TEXT DEFAULT 'REFERENCES parent(id)',
            CONSTRAINT pair FOREIGN KEY (X, Y) REFERENCES parent(b, a) ON DELETE SET NULL ON UPDATE RESTRICT,
            FOREIGN KEY (x, y) REFERENCES parent);
         ALTER TABLE child ADD COLUMN later INT DEFAULT NULL REFERENCES parent(id) ON DELETE NO ACTION;
         ALTER TABLE child RENAME COLUMN one TO \"first one\";",
    );
    let child = table(&schema, "child");
    let key = |columns: &[&str], parent_columns: &[&str]| {
        child
            .foreign_keys
            .iter()
            .find(|k| k.columns == columns && k.parent_columns == parent_columns)
            .unwrap_or_else(|| panic!("no key {columns:?} {parent_columns:?} in {:#?}", child.foreign_keys))
    };
    let first = key(&["first one"], &["Id"]);
    assert_eq!(
        (first.name.as_deref(), first.on_delete, first.timing),
        (Some("first"), Action::Cascade, Timing::Deferred)
    );
    assert_eq!((first.on_delete_written, first.parent.name.as_str()), (Some(true), "Parent"));
    let two = key(&["two"], &["Id"]);
    assert_eq!((two.matching, two.on_delete_written, two.timing), (Match::Full, Some(false), Timing::Immediate));
    let pair = key(&["x", "y"], &["B", "A"]);
    assert_eq!(
        (pair.name.as_deref(), pair.on_delete, pair.on_update),
        (Some("pair"), Action::SetNull, Action::Restrict)
    );
    assert_eq!(key(&["later"], &["Id"]).on_delete_written, Some(true));
    assert_eq!(key(&["lost"], &[]).parent.name, "nowhere");
    assert_eq!(key(&["lost2"], &["z"]).parent.name, "nowhere");
    // Two columns to a primary key of one: SQLite says "foreign key mismatch".
    assert_eq!(key(&["x", "y"], &[]).parent.name, "Parent");
    assert_eq!(child.foreign_keys.len(), 7);
}

#[test]
fn indexes_have_expressions_predicates_directions_and_collations() {
    let schema = inspected(
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b TEXT, c INT, UNIQUE (c));
         CREATE INDEX i1 ON t(a, b DESC);
         CREATE INDEX i2 ON t(a COLLATE BINARY, lower(b) DESC) WHERE c IS NOT NULL;
         CREATE UNIQUE INDEX i3 ON t(b COLLATE NOCASE);
         CREATE TRIGGER tr AFTER UPDATE OF a ON t BEGIN SELECT 1; END;",
    );
    let t = table(&schema, "t");
    let index = |name: &str| t.indexes.iter().find(|i| i.name == name).unwrap();
    let parts = |name: &str| {
        index(name)
            .parts
            .iter()
            .map(|p| (p.column.as_deref().or(p.expression.as_deref()).unwrap(), p.descending, p.collation.as_deref()))
            .collect::<Vec<_>>()
    };
    assert_eq!(parts("i1"), [("a", false, None), ("b", true, None)]);
    assert_eq!(parts("i2"), [("a", false, Some("BINARY")), ("lower(b)", true, None)]);
    assert_eq!(index("i2").predicate.as_deref(), Some("c IS NOT NULL"));
    assert_eq!(index("i2").parts[1].column, None);
    assert_eq!(parts("i3"), [("b", false, Some("NOCASE"))]);
    assert!(index("i3").unique && index("i3").origin == IndexOrigin::User);
    assert_eq!(index("sqlite_autoindex_t_1").origin, IndexOrigin::Constraint);
    assert_eq!((t.triggers[0].timing.as_str(), t.triggers[0].events.join(",")), ("AFTER", "UPDATE".into()));
}

#[test]
fn virtual_tables_are_named_and_their_own_tables_are_not() {
    let db = database(
        "CREATE VIRTUAL TABLE search USING fts5(body); CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);
         CREATE INDEX i ON t(id); ANALYZE;
         CREATE VIEW v AS SELECT 1 AS a; CREATE VIEW broken AS SELECT * FROM nowhere, nofunction(1);
         CREATE TRIGGER tv INSTEAD OF DELETE ON v BEGIN SELECT 1; END;
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'strange', 'strange', 0, 'CREATE VIRTUAL TABLE strange USING nomodule(x)');",
    );
    let schema = session(&db.path).inspect().unwrap();
    let kinds: Vec<_> = schema.tables.iter().map(|t| (t.name.to_string(), t.kind.clone())).collect();
    assert_eq!(
        kinds,
        [("search".into(), TableKind::Virtual), ("strange".into(), TableKind::Virtual), ("t".into(), TableKind::Plain)]
    );
    assert_eq!(table(&schema, "t").row_estimate, Some(2));
}

/// SQLite carries out the keys to one parent newest first; the model's order has to say the same.
#[test]
fn firing_order_is_the_engines() {
    // Whichever key acts first decides: SET NULL saves the row, CASCADE deletes it.
    for (first, second) in [("CASCADE", "SET NULL"), ("SET NULL", "CASCADE")] {
        let db = database(&format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
             CREATE TABLE c (a INT, FOREIGN KEY (a) REFERENCES p(id) ON DELETE {first},
                             FOREIGN KEY (a) REFERENCES p(id) ON DELETE {second});
             INSERT INTO c VALUES (1);"
        ));
        let schema = session(&db.path).inspect().unwrap();
        let keys = &table(&schema, "c").foreign_keys;
        let predicted = keys.iter().min_by_key(|k| k.firing_order).unwrap().on_delete;
        let connection = Connection::open(&db.path).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM p;").unwrap();
        let left: i64 = connection.query_row("SELECT count(*) FROM c", [], |r| r.get(0)).unwrap();
        let happened = if left == 0 { Action::Cascade } else { Action::SetNull };
        assert_eq!(predicted, happened, "{first}, then {second}");
    }
    // The same across tables: b and c write down in which order their rows go.
    for order in [["b", "c"], ["c", "b"]] {
        let tables: String = order
            .iter()
            .map(|t| {
                format!(
                    "CREATE TABLE {t} (a INT REFERENCES p(id) ON DELETE CASCADE); INSERT INTO {t} VALUES (1);
                     CREATE TRIGGER {t}_gone AFTER DELETE ON {t} BEGIN INSERT INTO log(name) VALUES ('{t}'); END;"
                )
            })
            .collect();
        let db = database(&format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
             CREATE TABLE log (n INTEGER PRIMARY KEY, name TEXT); {tables}"
        ));
        let schema = session(&db.path).inspect().unwrap();
        let mut predicted: Vec<_> = schema.foreign_keys().map(|(t, k)| (k.firing_order, t.name.name.clone())).collect();
        predicted.sort();
        let predicted: Vec<_> = predicted.into_iter().map(|(_, name)| name).collect();
        let connection = Connection::open(&db.path).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM p;").unwrap();
        let mut statement = connection.prepare("SELECT name FROM log ORDER BY n").unwrap();
        let happened: Vec<String> = statement.query_map([], |r| r.get(0)).unwrap().map(|n| n.unwrap()).collect();
        assert_eq!(predicted, happened);
    }
}

#[test]
fn a_thousand_tables_take_no_more_statements_than_one() {
    let mut sql = String::from("BEGIN; CREATE TABLE t0 (id INTEGER PRIMARY KEY);");
    for i in 1..1000 {
        let parent = i / 2;
        sql.push_str(&format!(
            "CREATE TABLE t{i} (id INTEGER PRIMARY KEY, a INT REFERENCES t{parent}(id), b INT REFERENCES t0, c TEXT UNIQUE);
             CREATE INDEX i{i} ON t{i}(a);"
        ));
    }
    sql.push_str("COMMIT;");
    let db = database(&sql);
    let mut session = session(&db.path);
    let before = session.round_trips();
    let started = std::time::Instant::now();
    let schema = session.inspect().unwrap();
    let took = started.elapsed();
    assert_eq!(schema.tables.len(), 1000);
    assert_eq!(schema.foreign_keys().count(), 2 * 999);
    let statements = session.round_trips() - before;
    assert!(statements < 10, "{statements} statements");
    // A loop that asks once for each pair of tables takes minutes here.
    assert!(took.as_secs() < 20, "{took:?}");
}

#[test]
fn every_statement_is_told() {
    let db = database("CREATE TABLE t (a)");
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&log);
    let context = Context::new(Arc::new(move |event: &Event<'_>| {
        if let Event::Statement { sql } = event {
            told.lock().unwrap().push(sql.to_string());
        }
    }));
    let mut session = open(&db.path, &SessionOptions { context, ..SessionOptions::default() }).unwrap();
    session.inspect().unwrap();
    let heard = log.lock().unwrap();
    assert_eq!(heard.len() as u64, session.round_trips());
    assert!(heard.iter().any(|s| s.contains("pragma_foreign_key_list")));
}

#[test]
fn nothing_can_be_written() {
    let db = database("CREATE TABLE t (a)");
    let folder = db.path.parent().unwrap();
    let before = listing(folder);
    let mut session = session(&db.path);
    let other = folder.join("other.db").display().to_string().replace('\'', "''");
    for sql in ["INSERT INTO t VALUES (1)", "CREATE TABLE u (a)", "DROP TABLE t", "PRAGMA user_version = 3"] {
        assert!(session.query(sql).is_err(), "{sql}");
    }
    for sql in [format!("VACUUM INTO '{other}'"), format!("ATTACH '{other}' AS o")] {
        assert!(session.query(&sql).is_err(), "{sql}");
    }
    session.inspect().unwrap();
    drop(session);
    assert_eq!(listing(folder), before);
}

#[test]
fn what_cannot_be_opened_says_why_and_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let header = |rest: u8| [b"SQLite format 3\0".as_slice(), &[rest; 4096]].concat();
    let paths = [
        (folder.path().join("none.db"), EngineErrorKind::NotFound),
        (folder.path().join("none/none.db"), EngineErrorKind::NotFound),
        (folder.path().to_path_buf(), EngineErrorKind::NotADatabase),
        (file("empty.db", b""), EngineErrorKind::NotADatabase),
        (file("text.db", b"CREATE TABLE t (a);"), EngineErrorKind::NotADatabase),
        (file("random.db", &[0x9f; 8192]), EngineErrorKind::NotADatabase),
        (file("dump.db", b"PGDMP\x01\x0e"), EngineErrorKind::NotADatabase),
        (file("broken.db", &header(0xff)), EngineErrorKind::NotADatabase),
        (file("short.db", b"SQLite format 3\0"), EngineErrorKind::NotADatabase),
    ];
    let before = listing(folder.path());
    for (path, kind) in paths {
        let error = refused(&path);
        assert_eq!(error.kind, kind, "{} {error}", path.display());
        assert!(error.hint.is_some(), "{error}");
        assert!(error.message.contains(&path.display().to_string()), "{error}");
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_damaged_catalog_is_an_error_and_no_panic() {
    let db = database("CREATE TABLE t (a); CREATE TABLE u (b);");
    let mut bytes = std::fs::read(&db.path).unwrap();
    for byte in &mut bytes[100..200] {
        *byte = 0xee;
    }
    std::fs::write(&db.path, bytes).unwrap();
    assert_eq!(refused(&db.path).kind, EngineErrorKind::NotADatabase);
}

#[test]
fn a_locked_database_is_busy() {
    let db = database("CREATE TABLE t (a)");
    let writer = Connection::open(&db.path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = refused(&db.path);
    assert_eq!(error.kind, EngineErrorKind::Busy, "{error}");
    assert!(error.hint.is_some());
    // The writer still has its lock: opening and closing the file here did not drop it.
    let other = Connection::open(&db.path).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(other.execute_batch("BEGIN IMMEDIATE").is_err());
}

#[test]
fn a_write_ahead_log_is_read_and_nothing_is_left_beside_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("wal #1, 100% ?x=y&z ü.db");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1); BEGIN IMMEDIATE; CREATE TABLE u (a);").unwrap();
    // The log holds the table, the file does not yet; what is not committed is not seen.
    assert_eq!(session(&path).inspect().unwrap().tables.len(), 1);
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(session(&path).inspect().unwrap().tables.len(), 2);
    drop(writer);
    let before = listing(folder.path());
    assert_eq!(before.len(), 1, "{before:?}");
    let mut reader = session(&path);
    assert_eq!(reader.inspect().unwrap().tables.len(), 2);
    assert_eq!(listing(folder.path()), before);
    // Read without locks, so a change by somebody else must not go unseen.
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("CREATE TABLE v (a)").unwrap();
    drop(writer);
    assert_eq!(reader.inspect().unwrap_err().kind, EngineErrorKind::Busy);
}

#[test]
fn a_write_that_was_cut_off_is_not_repaired() {
    let db = database("CREATE TABLE t (a)");
    let writer = Connection::open(&db.path).unwrap();
    writer
        .execute_batch(
            "PRAGMA cache_size = 2; BEGIN;
             INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i FROM n;",
        )
        .unwrap();
    // A copy of both files now is what a crash now would leave.
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("crashed.db");
    let journal = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
    std::fs::copy(&db.path, &path).unwrap();
    std::fs::copy(journal(&db.path), journal(&path)).unwrap();
    let before = listing(folder.path());
    let error = refused(&path);
    assert_eq!(error.kind, EngineErrorKind::Busy, "{error}");
    assert!(error.hint.is_some());
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn the_planner_says_which_index_serves_a_look_up() {
    let db = database(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, t TEXT UNIQUE, n TEXT COLLATE NOCASE UNIQUE);
         CREATE TABLE c (a INT REFERENCES p, b INT REFERENCES p, t TEXT REFERENCES p(t), n TEXT REFERENCES p(n),
                         m TEXT REFERENCES p(id), z INT);
         CREATE INDEX ca ON c(a); CREATE INDEX cover ON c(z, b); CREATE INDEX ct ON c(t) WHERE z = 1;
         CREATE INDEX cn ON c(n); CREATE INDEX cm ON c(m);
         CREATE TABLE d (id INTEGER PRIMARY KEY REFERENCES p);",
    );
    let mut session = session(&db.path);
    let schema = session.inspect().unwrap();
    let mut index =
        |name: &str, column: &str| session.lookup_plan(table(&schema, name), &[column.to_string()]).unwrap().index;
    assert_eq!(index("c", "a").as_deref(), Some("ca"));
    assert_eq!(index("c", "b"), None, "a scan of a covering index is no search");
    assert_eq!(index("c", "t"), None, "a partial index");
    assert_eq!(index("c", "n"), None, "the parent's collation is another");
    assert_eq!(index("c", "m"), None, "the parent's affinity is another");
    assert_eq!(index("d", "id").as_deref(), Some("INTEGER PRIMARY KEY"));
}

#[test]
fn a_running_statement_can_be_stopped() {
    let db = database("CREATE TABLE t (a)");
    let (runs, running) = std::sync::mpsc::channel();
    let context = Context::new(Arc::new(move |event: &Event<'_>| {
        if matches!(event, Event::Statement { sql } if sql.starts_with("WITH")) {
            runs.send(()).unwrap();
        }
    }));
    let cancel = context.cancel.clone();
    let mut session = open(&db.path, &SessionOptions { context, ..SessionOptions::default() }).unwrap();
    let stopper = std::thread::spawn(move || {
        running.recv().unwrap();
        // It is told before it is sent: whether it runs by now or not, it is stopped.
        cancel.cancel();
    });
    let error = session
        .query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
        .unwrap_err();
    stopper.join().unwrap();
    assert_eq!(error.kind, EngineErrorKind::Cancelled);
    assert_eq!(session.query("SELECT 1").unwrap_err().kind, EngineErrorKind::Cancelled, "nothing more is begun");
}

#[test]
fn a_statement_is_stopped_when_its_time_is_over() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let db = database("CREATE TABLE t (a)");
    let context = Context { statement_timeout: Some(Duration::from_millis(20)), ..Context::default() };
    let mut limited = open(&db.path, &SessionOptions { context, ..SessionOptions::default() }).unwrap();
    let error = limited.query(endless).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (EngineErrorKind::Timeout, "the statement ran for longer than 20ms")
    );
    limited.query("SELECT 1").unwrap();
    let mut session = session(&db.path);
    session.until(Some(std::time::Instant::now() + Duration::from_millis(20)));
    assert_eq!(session.query(endless).unwrap_err().kind, EngineErrorKind::Timeout);
    assert_eq!(session.query("SELECT 1").unwrap_err().kind, EngineErrorKind::Timeout);
    session.until(None);
    session.query("SELECT 1").unwrap();
    let context = Context::default();
    let mut session =
        open(&db.path, &SessionOptions { context: context.clone(), ..SessionOptions::default() }).unwrap();
    context.cancel.expire_in(Duration::from_millis(20));
    assert_eq!(session.query(endless).unwrap_err().kind, EngineErrorKind::Deadline);
    assert_eq!(session.query("SELECT 1").unwrap_err().kind, EngineErrorKind::Deadline);
}

/// What `PRAGMA foreign_key_check` lists for a table, counted by parent and by position of the key.
fn checked(path: &Path, table: &str) -> u64 {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(&format!("PRAGMA foreign_key_check({table})")).unwrap();
    statement.query_map([], |_| Ok(())).unwrap().count() as u64
}

fn scanned(path: &Path) -> Vec<(String, Outcome)> {
    let mut session = session(path);
    let schema = session.inspect().unwrap();
    let graph = Graph::from_relations(
        &schema,
        schema.foreign_keys().map(|(t, k)| referee::relations::Relation::declared(&schema, &t.name, k)).collect(),
    );
    let scan = orphans::scan(session.as_mut(), &schema, &graph, &ScanOptions { samples: 3 }, &Context::default());
    graph.relations().iter().map(|r| format!("{} -> {}", r.child_side(), r.parent_side())).zip(scan.outcomes).collect()
}

/// Affinities and collations on both sides, NULLs, composite keys, self references, a missing parent: the numbers are those
/// of SQLite's own check.
#[test]
fn orphans_are_counted_as_sqlites_own_check_counts_them() {
    let values = "(NULL), (1), ('1'), ('01'), (1.0), ('1.0'), ('a'), ('A'), (x'61'), (2), ('b'), ('B'), (''), (1.5), ('1.5'), (7)";
    let mut sql = String::new();
    let parents = [
        ("pi", "INTEGER"),
        ("pt", "TEXT"),
        ("pn", "TEXT COLLATE NOCASE"),
        ("pb", ""),
        ("pr", "REAL"),
        ("pd", "NUMERIC"),
    ];
    for (parent, kind) in parents {
        let values = if kind == "INTEGER" { "(1), (2)" } else { "(1), ('a'), ('B'), (1.5)" };
        sql.push_str(&format!("CREATE TABLE {parent} (k {kind} PRIMARY KEY); INSERT INTO {parent} VALUES {values};"));
        for (i, child) in ["INT", "TEXT", "TEXT COLLATE NOCASE", "", "REAL", "BLOB"].iter().enumerate() {
            sql.push_str(&format!(
                "CREATE TABLE {parent}_c{i} (v {child} REFERENCES {parent}(k)); INSERT INTO {parent}_c{i} VALUES {values};"
            ));
            sql.push_str(&format!(
                "INSERT INTO {parent}_c{i} VALUES (NULL), (3), ('3'), ('01'), ('1.0'), ('A'), ('b'), (x'61'), ('');"
            ));
        }
    }
    sql.push_str(&format!(
        "CREATE TABLE self (id INTEGER PRIMARY KEY, up INT REFERENCES self);
         INSERT INTO self VALUES (1, NULL), (2, 1), (3, 3), (4, 9), (5, 8), (6, 9);
         CREATE TABLE pair (a INT, b TEXT, UNIQUE (a, b)); INSERT INTO pair VALUES (1, 'x'), (NULL, 'y'), (2, NULL);
         CREATE TABLE pair_c (a INT, b TEXT, FOREIGN KEY (a, b) REFERENCES pair(a, b) MATCH FULL);
         INSERT INTO pair_c VALUES (1, 'x'), (1, NULL), (NULL, 'y'), (NULL, NULL), (1, 'y'), (2, 'x');
         CREATE TABLE lost (v INT REFERENCES nowhere(id)); INSERT INTO lost VALUES {values};"
    ));
    let db = database(&sql);
    let outcomes = scanned(&db.path);
    assert_eq!(outcomes.len(), 36 + 3);
    for (relation, outcome) in &outcomes {
        let child = relation.split('.').next().unwrap();
        if child == "lost" {
            // Where the parent table is missing no row can have a parent: that is said of the key, and not of its rows.
            assert!(matches!(outcome, Outcome::Skipped(_)), "{outcome:?}");
            continue;
        }
        let Outcome::Counted(orphans) = outcome else { panic!("{relation}: {outcome:?}") };
        assert_eq!(orphans.count, checked(&db.path, child), "{relation}\n{}", orphans.query);
        // The query in the report is what a person runs.
        let connection = Connection::open(&db.path).unwrap();
        let again: i64 = connection.query_row(&orphans.query, [], |r| r.get(0)).unwrap();
        assert_eq!(again, i64::try_from(orphans.count).unwrap());
    }
    let samples = |name: &str| match outcomes.iter().find(|(r, _)| r == name) {
        Some((_, Outcome::Counted(orphans))) => orphans.samples.clone(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(samples("self.up -> self.id"), [["8"], ["9"]]);
    assert_eq!(samples("pair_c.(a, b) -> pair.(a, b)"), [["1", "y"], ["2", "x"]]);
}

#[test]
fn one_relation_that_cannot_be_asked_does_not_stop_the_others() {
    let db = database(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, a, b);
         CREATE TABLE c (x INT REFERENCES p(missing), y INT, z INT, w INT REFERENCES p, FOREIGN KEY (y, z) REFERENCES p);
         INSERT INTO c VALUES (1, 1, 1, 1);",
    );
    let outcomes = scanned(&db.path);
    let of = |start: &str| &outcomes.iter().find(|(r, _)| r.starts_with(start)).unwrap().1;
    assert!(matches!(of("c.w"), Outcome::Counted(o) if o.count == 1));
    assert!(matches!(of("c.x"), Outcome::Skipped(why) if why.contains("missing")), "{outcomes:?}");
    assert!(matches!(of("c.(y, z)"), Outcome::Skipped(_)));
}
