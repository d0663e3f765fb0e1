//! What an undo of SQLite restores, and what stops it: nothing that was backed up is lost, and nothing else changes.

use rusqlite::Connection;

use crate::cli::support::{Run, Sandbox};

/// `c` has an orphan, the row 3.
const TABLES: &str = "PRAGMA foreign_keys = OFF;
    CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id) ON DELETE NO ACTION, t TEXT);
    INSERT INTO c VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 9, 'o'); CREATE INDEX ci ON c (p_id);";

fn sandbox(sql: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    execute(&sandbox, "a.db", sql);
    sandbox
}

fn execute(sandbox: &Sandbox, file: &str, sql: &str) {
    Connection::open(sandbox.path(file)).unwrap().execute_batch(sql).unwrap();
}

fn ask(sandbox: &Sandbox, sql: &str) -> String {
    Connection::open(sandbox.path("a.db")).unwrap().query_row(sql, [], |r| r.get(0)).unwrap()
}

/// Returns the rows of a table, with their rowids if it has one.
fn rows(sandbox: &Sandbox, table: &str, columns: &str) -> String {
    ask(
        sandbox,
        &format!(
            "SELECT group_concat(row, ' ') FROM (SELECT concat_ws(':', {columns}) AS row FROM {table} ORDER BY 1)"
        ),
    )
}

fn fix(sandbox: &Sandbox, more: &[&str]) -> Run {
    sandbox.run(&[&["fix", "a.db", "--apply", "--yes"], more].concat())
}

#[track_caller]
fn does(sandbox: &Sandbox, more: &[&str]) -> String {
    let run = fix(sandbox, more);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    words(&run.err)
}

#[track_caller]
fn stops(sandbox: &Sandbox, more: &[&str], why: &str) {
    let run = fix(sandbox, more);
    let told = words(&run.err);
    assert!(run.code == 2 && told.contains(why), "{told}");
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns SQL of a file without the words that are for the client.
fn sql_of(text: &str) -> String {
    text.lines().filter(|l| !l.starts_with('.')).map(|l| format!("{l}\n")).collect()
}

const NEW_COLUMN: &str = "ALTER TABLE c ADD COLUMN invoice TEXT; UPDATE c SET invoice = 'INV-' || id";
const ANOTHER_PARENT: &str =
    "PRAGMA foreign_keys = OFF; CREATE TABLE p2 (id INTEGER PRIMARY KEY); INSERT INTO p2 VALUES (1), (2), (9);
    CREATE TABLE d (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p2 (id) ON DELETE NO ACTION, t TEXT);
    INSERT INTO d SELECT * FROM c; DROP TABLE c; ALTER TABLE d RENAME TO c; CREATE INDEX ci ON c (p_id)";

#[test]
fn a_table_that_has_changed_since_planning_loses_no_row_by_a_script() {
    let followed = "CREATE TABLE d (id INTEGER PRIMARY KEY, c_id INTEGER NOT NULL REFERENCES c (id) ON DELETE CASCADE);
                    CREATE INDEX di ON d (c_id); INSERT INTO d VALUES (1, 3);";
    let also = NEW_COLUMN.replace("TABLE c", "TABLE d").replace("UPDATE c", "UPDATE d");
    for (more, late) in [("", NEW_COLUMN), ("", ANOTHER_PARENT), (followed, NEW_COLUMN), (followed, &also)] {
        for orphans in ["delete", "quarantine"] {
            let sandbox = sandbox(&format!("{TABLES} {more}"));
            let run = sandbox.run(&["fix", "a.db", "--orphans", orphans, "--format", "sql", "-o", "plan.sql"]);
            assert_eq!(run.code, 0, "{}", run.err);
            execute(&sandbox, "a.db", late);
            let before = rows(&sandbox, "c", "id, p_id");
            let connection = Connection::open(sandbox.path("a.db")).unwrap();
            let error = connection.execute_batch(&sql_of(&sandbox.read("plan.sql"))).unwrap_err();
            assert!(error.to_string().contains("CHECK constraint failed"), "{orphans} {late}: {error}");
            drop(connection);
            assert_eq!(rows(&sandbox, "c", "id, p_id"), before);
        }
    }
}

#[test]
fn a_table_that_has_changed_since_planning_loses_no_row_by_a_migration() {
    let sandbox = sandbox(TABLES);
    let run = sandbox.run(&["fix", "a.db", "--orphans", "delete", "--out", "m", "--layout", "sqlx"]);
    assert_eq!(run.code, 0, "{}", run.err);
    execute(&sandbox, "a.db", NEW_COLUMN);
    let up = std::fs::read_dir(sandbox.path("m")).unwrap().map(|f| f.unwrap().path());
    let mut up: Vec<_> = up.filter(|f| f.to_string_lossy().ends_with("up.sql")).collect();
    up.sort();
    let text: String = up.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
    let error =
        Connection::open(sandbox.path("a.db")).unwrap().execute_batch(&format!("BEGIN; {text}; COMMIT")).unwrap_err();
    assert!(error.to_string().contains("CHECK constraint failed"), "{error}");
    assert_eq!(rows(&sandbox, "c", "id, invoice"), "1:INV-1 2:INV-2 3:INV-3");
}

#[test]
fn a_run_that_is_taken_up_stops_at_a_table_that_has_changed() {
    for late in [NEW_COLUMN, ANOTHER_PARENT] {
        let sandbox = sandbox(TABLES);
        does(&sandbox, &["--orphans", "delete"]);
        does(&sandbox, &["--undo"]);
        // As if the first run had been killed before its first step.
        let journal = sandbox.read("a.db.referee-run");
        let begun: String = journal.lines().take(1).map(|l| format!("{l}\n")).collect();
        sandbox.write("a.db.referee-run", &begun);
        execute(&sandbox, "a.db", late);
        let before = rows(&sandbox, "c", "id, p_id");
        stops(&sandbox, &["--orphans", "delete"], "c is not defined as it was when this was planned");
        assert_eq!(rows(&sandbox, "c", "id, p_id"), before);
    }
}

#[test]
fn an_undo_restores_rows_under_another_rowid_where_theirs_is_taken() {
    for key in ["id TEXT PRIMARY KEY,", "id TEXT NOT NULL UNIQUE,", "id TEXT,", "rowid TEXT PRIMARY KEY, oid TEXT,"] {
        let id = if key.starts_with("rowid") { "rowid" } else { "id" };
        let sandbox = sandbox(&format!(
            "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
             CREATE TABLE c ({key} p_id INTEGER NOT NULL REFERENCES p (id) ON DELETE NO ACTION, t TEXT); CREATE INDEX ci ON c (p_id);
             INSERT INTO c ({id}, p_id, t) VALUES ('u1', 1, 'a'), ('u2', 9, 'x'), ('u3', 2, 'b'), ('u4', 8, 'y'), ('u5', 7, 'z');"
        ));
        let columns = format!("{id}, p_id, t, _rowid_");
        does(&sandbox, &["--orphans", "c.p_id=delete"]);
        // The rowids of the first and the last row are given again.
        execute(
            &sandbox,
            "a.db",
            &format!("INSERT INTO c (_rowid_, {id}, p_id, t) VALUES (2, 'n1', 1, 'new'), (4, 'n2', 1, 'new')"),
        );
        let told = does(&sandbox, &["--undo"]);
        assert!(told.contains("3 rows restored"), "{told}");
        assert_eq!(
            rows(&sandbox, "c", &columns),
            "n1:1:new:2 n2:1:new:4 u1:1:a:1 u2:9:x:6 u3:2:b:3 u4:8:y:7 u5:7:z:5",
            "{key}"
        );
    }
}

#[test]
fn references_are_restored_by_the_declared_key_and_not_by_the_rowid() {
    for (key, found) in [("id TEXT PRIMARY KEY,", true), ("id TEXT NOT NULL UNIQUE,", true), ("id TEXT,", false)] {
        let sandbox = sandbox(&format!(
            "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
             CREATE TABLE c ({key} p_id INTEGER REFERENCES p (id) ON DELETE NO ACTION, t TEXT); CREATE INDEX ci ON c (p_id);
             INSERT INTO c (id, p_id, t) VALUES ('u0', 1, 'gone'), ('u1', 9, 'a'), ('u2', 1, 'b'), ('u3', 8, 'c'), ('u4', 2, 'd');
             DELETE FROM c WHERE id = 'u0';"
        ));
        let before = rows(&sandbox, "c", "id, p_id, t");
        does(&sandbox, &["--orphans", "set-null"]);
        // As a dump that is loaded again, or VACUUM does.
        execute(&sandbox, "a.db", "UPDATE c SET rowid = rowid - 1");
        if found {
            assert!(does(&sandbox, &["--undo"]).contains("2 rows restored"));
            assert_eq!(rows(&sandbox, "c", "id, p_id, t"), before);
        } else {
            stops(
                &sandbox,
                &["--undo"],
                "or have another rowid (VACUUM, or a dump that was loaded): the table has no key that names its rows",
            );
        }
    }
    // A row whose key is NULL is found by its rowid alone, and no other row is taken for it.
    let sandbox = sandbox(
        "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
         CREATE TABLE c (id TEXT PRIMARY KEY, p_id INTEGER REFERENCES p (id) ON DELETE NO ACTION); CREATE INDEX ci ON c (p_id);
         INSERT INTO c VALUES (NULL, NULL), (NULL, 9), (NULL, 8), ('u', 1);",
    );
    let before = rows(&sandbox, "c", "rowid, p_id");
    does(&sandbox, &["--orphans", "set-null"]);
    does(&sandbox, &["--undo"]);
    assert_eq!(rows(&sandbox, "c", "rowid, p_id"), before);
}

#[test]
fn a_trigger_that_only_raises_an_error_is_no_obstacle_to_an_undo() {
    for (may, orphans, event) in [("", "set-null", "UPDATE"), ("NOT NULL ", "delete", "INSERT")] {
        let tables = TABLES.replace("NOT NULL REFERENCES p", &format!("{may}REFERENCES p"));
        let sandbox = sandbox(&format!(
            "{tables} CREATE TRIGGER chk BEFORE {event} ON c WHEN new.t = 'bad' BEGIN SELECT RAISE(ABORT, 'must not be bad'); END;"
        ));
        let before = rows(&sandbox, "c", "id, p_id, t");
        does(&sandbox, &["--orphans", orphans]);
        assert!(sandbox.run(&["fix", "a.db", "--undo"]).code == 0);
        does(&sandbox, &["--undo"]);
        assert_eq!(rows(&sandbox, "c", "id, p_id, t"), before);
        // Where it does raise one, the step is rolled back, and the trigger is named.
        does(&sandbox, &["--orphans", orphans]);
        let after = rows(&sandbox, "c", "id, p_id, t");
        execute(
            &sandbox,
            "a.db",
            &format!(
                "DROP TRIGGER chk; CREATE TRIGGER never BEFORE {event} ON c BEGIN SELECT RAISE(ABORT, 'frozen'); END"
            ),
        );
        stops(&sandbox, &["--undo"], "trigger never on c blocked it: \"frozen\"");
        assert_eq!(rows(&sandbox, "c", "id, p_id, t"), after);
    }
}

#[test]
fn a_run_of_another_file_is_neither_undone_nor_gone_on_with() {
    let sandbox = sandbox(TABLES);
    std::fs::copy(sandbox.path("a.db"), sandbox.path("b.db")).unwrap();
    let journal = ["--journal", "j"];
    does(&sandbox, &[&["--orphans", "delete"], &journal[..]].concat());
    let on_b = |more: &[&str]| sandbox.run(&[&["fix", "b.db", "--apply", "--yes"], more, &journal[..]].concat());
    let undone = on_b(&["--undo"]);
    let told = words(&undone.err);
    assert!(
        undone.code == 2
            && told.contains("were made in another database: in /")
            && told.contains("a.db, which is still there"),
        "{told}"
    );
    // A run that stopped there: its journal lacks the end.
    let whole = sandbox.read("j");
    let begun: String =
        whole.lines().filter(|l| !l.contains("\"event\":\"finished\"")).map(|l| format!("{l}\n")).collect();
    sandbox.write("j", &begun);
    let run = on_b(&["--orphans", "delete"]);
    let told = words(&run.err);
    assert!(run.code == 2 && told.contains("was begun in another database, and has not ended there: in /"), "{told}");
    sandbox.write("j", &whole);
    // The run of each file is found among those of both.
    assert_eq!(on_b(&["--orphans", "c.p_id=quarantine"]).code, 0);
    let told = does(&sandbox, &[&["--undo"], &journal[..]].concat());
    assert!(told.contains("1 row restored"), "{told}");
    assert_eq!(rows(&sandbox, "c", "id, p_id"), "1:1 2:2 3:9");
    // A file that was moved is the same one, by whatever name it is reached.
    std::fs::rename(sandbox.path("b.db"), sandbox.path("moved.db")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(sandbox.path("moved.db"), sandbox.path("link.db")).unwrap();
    let name = if cfg!(unix) { "link.db" } else { "moved.db" };
    let undone = sandbox.run(&[&["fix", name, "--apply", "--yes", "--undo"], &journal[..]].concat());
    assert_eq!(undone.code, 0, "{}", undone.err);
}

#[test]
fn what_fires_for_restored_rows_by_now_stops_the_undo_before_anything_is_changed() {
    let tables = format!("{TABLES} CREATE TABLE stock (n INTEGER); INSERT INTO stock VALUES (100);");
    for (orphans, event) in [("delete", "INSERT"), ("set-null", "UPDATE")] {
        let tables =
            if event == "UPDATE" { tables.replace("NOT NULL REFERENCES p", "REFERENCES p") } else { tables.clone() };
        let trigger = format!("CREATE TRIGGER tg AFTER {event} ON c BEGIN UPDATE stock SET n = n - 1; END");
        let sandbox = sandbox(&tables);
        does(&sandbox, &["--orphans", orphans]);
        execute(&sandbox, "a.db", &trigger);
        let after = rows(&sandbox, "c", "id, p_id");
        let why = "when the rows are restored, trigger tg on `c` updates `stock`";
        let shown = sandbox.run(&["fix", "a.db", "--undo"]);
        let told = words(&shown.err);
        assert!(shown.code == 1 && told.contains("step 1 cannot be undone now") && told.contains(why), "{told}");
        stops(&sandbox, &["--undo"], why);
        assert_eq!(
            (rows(&sandbox, "c", "id, p_id"), ask(&sandbox, "SELECT n || '' FROM stock")),
            (after, "100".to_string())
        );
        execute(&sandbox, "a.db", "DROP TRIGGER tg");
        does(&sandbox, &["--undo"]);
        assert_eq!(rows(&sandbox, "c", "id, p_id"), "1:1 2:2 3:9");
        // Who names the relation has looked.
        does(&sandbox, &["--orphans", &format!("c.p_id={orphans}")]);
        execute(&sandbox, "a.db", &trigger);
        does(&sandbox, &["--undo"]);
        assert_eq!(ask(&sandbox, "SELECT n || '' FROM stock"), "99");
    }
}

#[test]
fn a_preview_asks_what_would_stop_the_undo() {
    let sandbox = sandbox(&TABLES.replace(" ON DELETE NO ACTION", ""));
    does(&sandbox, &["--orphans", "delete"]);
    let fine = sandbox.run(&["fix", "a.db", "--undo"]);
    let told = words(&fine.err);
    assert!(
        fine.code == 0 && told.contains("can be undone now; the checks of the other steps run when they are reached"),
        "{told}"
    );
    execute(&sandbox, "a.db", "CREATE INDEX later ON c (t)");
    let shown = sandbox.run(&["fix", "a.db", "--undo"]);
    let told = words(&shown.err);
    assert_eq!(shown.code, 1, "{told}");
    for part in [
        "cannot be undone now",
        "c has got an index or trigger since this was planned, which would be lost where the table is rebuilt; drop it, undo, and make it \
         again afterwards (type = index, name = later)",
        "the checks of the other steps run when they are reached",
        "nothing was changed",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("to do it"), "{told}");
    stops(&sandbox, &["--undo"], "cannot be undone now; nothing was changed");
    execute(&sandbox, "a.db", "DROP INDEX later");
    does(&sandbox, &["--undo"]);
    assert_eq!(rows(&sandbox, "c", "id, p_id"), "1:1 2:2 3:9");
}

#[test]
fn an_undo_that_stopped_counts_what_it_did_before() {
    let sandbox = sandbox(&format!(
        "{TABLES} CREATE TABLE d (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id) ON DELETE NO ACTION);
         INSERT INTO d VALUES (1, 1), (2, 2), (3, 1), (4, 9), (5, 8); CREATE INDEX di ON d (p_id);"
    ));
    does(&sandbox, &["--orphans", "delete"]);
    execute(&sandbox, "a.db", "INSERT INTO c VALUES (3, 1, 'another')");
    stops(&sandbox, &["--undo"], "undoing step 1 rolled back");
    execute(&sandbox, "a.db", "DELETE FROM c WHERE id = 3");
    let told = does(&sandbox, &["--undo"]);
    assert!(told.contains("All 2 steps are undone (1 now, 1 before). 3 rows restored."), "{told}");
    assert_eq!(rows(&sandbox, "d", "id, p_id"), "1:1 2:2 3:1 4:9 5:8");
}

#[test]
fn an_undo_stops_where_it_would_pass_over_a_key_or_a_column_that_the_plan_does_not_know() {
    let tables = TABLES.replace("NOT NULL REFERENCES p", "REFERENCES p");
    let sandbox = sandbox(&tables);
    does(&sandbox, &["--orphans", "set-null"]);
    execute(&sandbox, "a.db", &ANOTHER_PARENT.replace("NOT NULL REFERENCES", "REFERENCES"));
    stops(&sandbox, &["--undo"], "a foreign key of c was added or changed since planning");
    let sandbox = self::sandbox(&tables);
    does(&sandbox, &["--orphans", "set-null"]);
    execute(&sandbox, "a.db", "ALTER TABLE c RENAME COLUMN t TO title");
    stops(
        &sandbox,
        &["--undo"],
        "columns of c that are backed up in _referee_kept_c_p_id have been dropped or renamed since",
    );
    // A column that was added since is no obstacle: the rows have its default.
    execute(
        &sandbox,
        "a.db",
        "ALTER TABLE c RENAME COLUMN title TO t; ALTER TABLE c ADD COLUMN extra TEXT DEFAULT 'e'",
    );
    does(&sandbox, &["--undo"]);
    assert_eq!(rows(&sandbox, "c", "id, p_id, extra"), "1:1:e 2:2:e 3:9:e");
}

#[test]
fn old_values_that_a_trigger_has_written_over_are_kept() {
    let sandbox = sandbox(
        "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p (id) ON DELETE NO ACTION, amount INT);
         INSERT INTO c VALUES (1, 1, 500), (2, 2, 500), (3, 9, 500); CREATE INDEX ci ON c (p_id);
         CREATE TRIGGER t AFTER UPDATE OF p_id ON c WHEN new.p_id IS NULL BEGIN UPDATE c SET amount = 0 WHERE id = new.id; END;",
    );
    // A second time, too.
    for _ in 0..2 {
        does(&sandbox, &["--orphans", "c.p_id=set-null"]);
        assert_eq!(rows(&sandbox, "c", "id, p_id, amount"), "1:1:500 2:2:500 3:0");
        let told = does(&sandbox, &["--undo"]);
        assert!(told.contains("their old values are in _referee_left_c_p_id"), "{told}");
        assert_eq!(rows(&sandbox, "c", "id, p_id, amount"), "1:1:500 2:2:500 3:9:0");
        assert!(ask(&sandbox, "SELECT group_concat(amount || '') FROM _referee_left_c_p_id").contains("500"));
    }
}

#[test]
fn an_undo_that_was_killed_after_its_last_step_is_ended_by_the_next() {
    let sandbox = sandbox(TABLES);
    does(&sandbox, &["--orphans", "delete"]);
    does(&sandbox, &["--undo"]);
    let journal = sandbox.read("a.db.referee-run");
    let (cut, last) = journal.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("all-undone"), "{last}");
    sandbox.write("a.db.referee-run", &format!("{cut}\n"));
    let told = does(&sandbox, &["--undo"]);
    assert!(told.contains("it is ended now"), "{told}");
    does(&sandbox, &["--orphans", "delete"]);
}

#[test]
fn names_and_collations_of_a_table_do_not_confuse_its_undo() {
    for (name, key) in [
        ("kept", "id INTEGER PRIMARY KEY"),
        ("child", "id INTEGER PRIMARY KEY"),
        ("c", "id TEXT COLLATE NOCASE, PRIMARY KEY (id COLLATE BINARY)"),
    ] {
        let (first, constraint) = key.split_once(", ").map_or((key, String::new()), |(c, k)| (c, format!(", {k}")));
        let sandbox = sandbox(&format!(
            "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2), (3);
             CREATE TABLE {name} ({first}, p_id INTEGER REFERENCES p (id) ON DELETE NO ACTION, t TEXT{constraint});
             CREATE INDEX ci ON {name} (p_id);"
        ));
        let ids = if key.contains("TEXT") { ["'a'", "'A'", "'b'", "'c'", "'d'"] } else { ["1", "2", "3", "4", "5"] };
        for (id, parent) in ids.iter().zip(["9", "NULL", "1", "2", "3"]) {
            execute(
                &sandbox,
                "a.db",
                &format!("PRAGMA foreign_keys = OFF; INSERT INTO {name} VALUES ({id}, {parent}, 'x')"),
            );
        }
        let before = rows(&sandbox, name, "id, ifnull(p_id, 'none')");
        does(&sandbox, &["--orphans", "set-null"]);
        does(&sandbox, &["--undo"]);
        assert_eq!(rows(&sandbox, name, "id, ifnull(p_id, 'none')"), before, "{name} {key}");
    }
}
