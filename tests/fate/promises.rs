//! What a stranger caught `fate` promising and the engine breaks, each on the real engine.

use referee::engine::{SessionOptions, Value};
use referee::fate::{Effect, Fate, Fates, May, Options, Verdict};
use referee::relations::Graph;
use referee::source::{Input, Source};
use rusqlite::Connection;

use super::support::postgres::{connect, execute, fresh_database};

fn open(source: &str) -> Input {
    Source::parse(source).unwrap().open(&SessionOptions::default()).unwrap()
}

fn graph(input: &Input) -> Graph {
    Graph::new(&input.schema, &[], 1.0)
}

fn fate(input: &Input, root: &str) -> Fate {
    Fates::new(&input.schema, &graph(input), Options::default()).of(&root.into()).unwrap()
}

fn number(input: &mut Input, sql: &str) -> i64 {
    let rows = input.session.as_mut().unwrap().query(sql).unwrap();
    rows.rows[0].first().and_then(Value::integer).unwrap()
}

/// Counts what a delete of these rows takes of each table, `deleted`, and what blocks it.
fn counted(input: &mut Input, root: &str, rows: &str) -> (Vec<(String, i64)>, i64) {
    let graph = graph(input);
    let fates = Fates::new(&input.schema, &graph, Options::default());
    let impact = fates.impact(&root.into(), Some(rows)).unwrap();
    let deleted = impact.tables.iter().filter_map(|t| Some((t.table.name.clone(), t.deleted.as_ref()?.sql.clone())));
    let deleted: Vec<(String, String)> = deleted.collect();
    let deleted =
        deleted.into_iter().map(|(table, sql)| (table, number(input, &sql))).filter(|(_, n)| *n > 0).collect();
    let blocking = impact.blocking.iter().map(|b| number(input, b.sql.as_ref().unwrap())).sum();
    (deleted, blocking)
}

fn sqlite(ddl: &str) -> (tempfile::NamedTempFile, Connection, Input) {
    let file = tempfile::Builder::new().suffix(".db").tempfile().unwrap();
    let connection = Connection::open(file.path()).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {ddl}; PRAGMA foreign_keys = ON")).unwrap();
    let input = open(&file.path().display().to_string());
    (file, connection, input)
}

/// Deletes and takes it back: how many rows went in all, or the error.
fn delete(connection: &Connection, sql: &str) -> Result<i64, String> {
    let total = || connection.query_row("SELECT total_changes()", [], |r| r.get::<_, i64>(0)).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let before = total();
    let done = connection.execute(sql, []).map(|_| total() - before).map_err(|e| e.to_string());
    connection.execute_batch("ROLLBACK").unwrap();
    done
}

/// `fkey.c`, `sqlite3FkCheck`: an UPDATE of a foreign key's column, by SET NULL, too, checks the key by which the table refers to
/// itself, changed or not.
#[test]
fn orphan_by_a_key_to_its_own_table_stops_set_null() {
    let ddl = "CREATE TABLE users (id INTEGER PRIMARY KEY);
        CREATE TABLE files (id INTEGER PRIMARY KEY, up int REFERENCES files (id) ON DELETE RESTRICT,
          user_id int REFERENCES users (id) ON DELETE SET NULL);
        INSERT INTO users VALUES (1), (2); INSERT INTO files VALUES (1, NULL, 1), (2, 77, 2)";
    let (_file, connection, mut input) = sqlite(ddl);
    assert_eq!(delete(&connection, "DELETE FROM users WHERE id = 1"), Ok(2));
    assert!(delete(&connection, "DELETE FROM users WHERE id = 2").unwrap_err().contains("FOREIGN KEY"));
    let fate = fate(&input, "users");
    let condition = fate.conditions.iter().find(|c| c.relation == "files.up").unwrap();
    assert!(condition.exact);
    let sql = condition.sql.clone().unwrap();
    assert_eq!([1, 2].map(|id| number(&mut input, &sql.replace(":id", &id.to_string()))), [0, 1]);
    assert_eq!(counted(&mut input, "users", "id = 2").1, 1);
    assert!(fate.notes.iter().any(|n| n.contains("files.up")), "{:?}", fate.notes);
}

#[test]
fn delete_from_a_parent_table_deletes_from_those_that_inherit() {
    let url = fresh_database();
    execute(
        &url,
        "CREATE TABLE cities (id int PRIMARY KEY); CREATE TABLE capitals (PRIMARY KEY (id)) INHERITS (cities);
         CREATE TABLE plain () INHERITS (cities);
         CREATE TABLE embassies (id int PRIMARY KEY, capital int NOT NULL REFERENCES capitals);
         CREATE TABLE ministers (id int PRIMARY KEY, capital int NOT NULL REFERENCES capitals ON DELETE CASCADE);
         CREATE TABLE base (id int PRIMARY KEY, city int REFERENCES cities ON DELETE CASCADE);
         CREATE TABLE kid (PRIMARY KEY (id)) INHERITS (base);
         INSERT INTO cities VALUES (1); INSERT INTO capitals VALUES (2), (3); INSERT INTO plain VALUES (4);
         INSERT INTO embassies VALUES (1, 2); INSERT INTO ministers VALUES (1, 3), (2, 3);
         INSERT INTO base VALUES (1, 1); INSERT INTO kid VALUES (2, 1)",
    );
    let mut input = open(&url);
    let said = fate(&input, "cities");
    assert_eq!(said.verdict, Verdict::Refused, "{}", said.summary);
    assert!(said.blockers().any(|b| b.path == ["embassies.capital"]));
    let mut client = connect(&url);
    for (id, expected, blocked) in [
        // The action deletes FROM ONLY base: the row of `kid` stays.
        (1, vec![("cities", 1), ("base", 1)], 0),
        (2, vec![("capitals", 1)], 1),
        (3, vec![("capitals", 1), ("ministers", 2)], 0),
        (4, vec![("plain", 1)], 0),
    ] {
        let (mut deleted, blocking) = counted(&mut input, "cities", &format!("id = {id}"));
        deleted.sort();
        let mut expected: Vec<(String, i64)> = expected.into_iter().map(|(t, n)| (t.to_string(), n)).collect();
        expected.sort();
        assert_eq!((deleted, blocking), (expected, blocked), "row {id}");
        let mut transaction = client.transaction().unwrap();
        let done = transaction.execute(&format!("DELETE FROM cities WHERE id = {id}"), &[]);
        assert_eq!(done.is_err(), blocked > 0, "row {id}: {done:?}");
        if done.is_ok() {
            let kid: i64 = transaction.query_one("SELECT count(*) FROM ONLY kid", &[]).unwrap().get(0);
            assert_eq!(kid, 1, "row {id}");
        }
    }
}

#[test]
fn default_that_goes_blocks_beside_a_key_that_refuses() {
    let ddl = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE g (id INTEGER PRIMARY KEY, p int NOT NULL REFERENCES p (id));
        CREATE TABLE m (x INTEGER PRIMARY KEY, a int DEFAULT 3 REFERENCES p (id) ON DELETE SET DEFAULT);
        INSERT INTO p VALUES (1), (2), (3); INSERT INTO m VALUES (1, 1), (3, 3)";
    let (_file, connection, mut input) = sqlite(ddl);
    assert_eq!(fate(&input, "p").verdict, Verdict::Refused);
    for (rows, fails) in [("id = 1", false), ("id = 3", true)] {
        let blocking = counted(&mut input, "p", rows).1;
        assert_eq!(delete(&connection, &format!("DELETE FROM p WHERE {rows}")).is_err(), fails);
        assert_eq!(blocking > 0, fails, "{rows}");
    }
}

#[test]
fn rows_whose_primary_key_is_null_are_counted() {
    let ddl = "CREATE TABLE u (id text PRIMARY KEY, n int); CREATE TABLE c (id text PRIMARY KEY, u text REFERENCES u (id) ON DELETE CASCADE);
        CREATE TABLE t (id text PRIMARY KEY, up text REFERENCES t (id) ON DELETE CASCADE, n int);
        INSERT INTO u VALUES ('a', 1), (NULL, 1), (NULL, 1); INSERT INTO c VALUES (NULL, 'a'), (NULL, 'a'), ('x', 'a');
        INSERT INTO t VALUES ('r', NULL, 1), (NULL, 'r', 2), (NULL, NULL, 1)";
    let (_file, connection, mut input) = sqlite(ddl);
    for (root, rows) in [("u", "n = 1"), ("t", "n = 1")] {
        let said: i64 = counted(&mut input, root, rows).0.iter().map(|t| t.1).sum();
        assert_eq!(delete(&connection, &format!("DELETE FROM {root} WHERE {rows}")), Ok(said), "{root}");
    }
}

#[test]
fn trigger_that_writes_to_no_table_is_named() {
    let ddl = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p int REFERENCES p (id) ON DELETE CASCADE);
        CREATE TRIGGER t AFTER DELETE ON c BEGIN INSERT INTO gone VALUES (OLD.id); END; INSERT INTO p VALUES (1)";
    let (_file, connection, input) = sqlite(ddl);
    assert!(delete(&connection, "DELETE FROM p").unwrap_err().contains("no such table"));
    let said = fate(&input, "p");
    assert!(
        said.assumptions.iter().any(|a| a.may.contains(&May::Block) && a.text.contains("`gone`")),
        "{:?}",
        said.assumptions
    );
    assert!(!said.promised);
}

/// A unique index of another collation than the column's is no key of the parent, and neither is a partial one ("SQLite Foreign Key
/// Support", 3).
#[test]
fn unique_index_that_is_no_key_breaks_every_delete() {
    for index in ["ON users (email COLLATE NOCASE)", "ON users (email) WHERE id > 0", "ON users (lower(email))"] {
        let ddl = format!(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email text NOT NULL); CREATE UNIQUE INDEX i {index};
             CREATE TABLE tokens (t text PRIMARY KEY, email text NOT NULL REFERENCES users (email) ON DELETE CASCADE);
             INSERT INTO users VALUES (1, 'a')"
        );
        let (_file, connection, input) = sqlite(&ddl);
        assert!(delete(&connection, "DELETE FROM users").unwrap_err().contains("mismatch"), "{index}");
        assert_eq!(fate(&input, "users").verdict, Verdict::Fails, "{index}");
        assert_eq!(fate(&input, "tokens").verdict, Verdict::Fails, "{index}");
    }
    let virtual_parent =
        "CREATE VIRTUAL TABLE v USING fts5(a); CREATE TABLE c (id INTEGER PRIMARY KEY, v text REFERENCES v (a))";
    let (_file, connection, input) = sqlite(virtual_parent);
    assert!(delete(&connection, "DELETE FROM c").is_err());
    assert_eq!(fate(&input, "c").verdict, Verdict::Fails);
    let relations = fate(&input, "c").relations;
    assert!(relations.iter().all(|r| r.effect != Effect::Deletes));
}

#[test]
fn check_that_accepts_no_null_among_others_stops_set_null() {
    for (check, fails) in [
        ("amount > 0 AND p_id IS NOT NULL", true),
        ("(amount > 0 AND p_id IS NOT NULL) OR (amount < 0 AND NOT p_id IS NULL)", true),
        ("amount > 0 OR p_id IS NOT NULL", false),
    ] {
        let url = fresh_database();
        execute(
            &url,
            &format!(
                "CREATE TABLE p (id int PRIMARY KEY);
                 CREATE TABLE c (id int PRIMARY KEY, amount int, p_id int REFERENCES p ON DELETE SET NULL, CHECK ({check}));
                 INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1)"
            ),
        );
        let said = fate(&open(&url), "p");
        let done = connect(&url).execute("DELETE FROM p", &[]);
        assert_eq!(done.is_err(), fails, "{check}: {done:?}");
        assert_eq!(said.verdict == Verdict::Fails, fails, "{check}: {}", said.summary);
        // What is certain is no doubt besides.
        assert_eq!(said.assumptions.is_empty(), fails, "{check}: {:?}", said.assumptions);
    }
}

/// CREATE TRIGGER: `UPDATE OF` a generated column fires when a column that it depends on is a target of the UPDATE.
#[test]
fn trigger_on_a_generated_column_fires_for_what_it_is_computed_from() {
    for (column, fires) in [("g", true), ("h", false)] {
        let url = fresh_database();
        execute(
            &url,
            &format!(
                "CREATE TABLE p (id int PRIMARY KEY);
                 CREATE TABLE c (id int PRIMARY KEY, n int, p_id int REFERENCES p ON DELETE SET NULL,
                   g int GENERATED ALWAYS AS (p_id + 1) STORED, h int GENERATED ALWAYS AS (n + 1) STORED);
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
                 CREATE TRIGGER t AFTER UPDATE OF {column} ON c FOR EACH ROW EXECUTE FUNCTION f();
                 INSERT INTO p VALUES (1); INSERT INTO c (id, p_id) VALUES (1, 1)"
            ),
        );
        let said = fate(&open(&url), "p");
        let done = connect(&url).execute("DELETE FROM p", &[]);
        assert_eq!(done.is_err(), fires, "{column}: {done:?}");
        let named = said.assumptions.iter().any(|a| a.name == "t" && a.may.contains(&May::Block));
        assert_eq!(named, fires, "{column}: {:?}", said.assumptions);
    }
}

/// What a key writes meets more than keys: each of these stops the delete, and is named beforehand.
#[test]
fn what_a_constraint_may_refuse_is_no_promise() {
    let parent = "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);";
    let null = "a int REFERENCES p ON DELETE SET NULL";
    let default = "a int DEFAULT 2 REFERENCES p ON DELETE SET DEFAULT";
    let two = "INSERT INTO c VALUES (1, 1), (2, 2)";
    let function = "CREATE FUNCTION ok(a int) RETURNS bool LANGUAGE sql AS 'SELECT a IS NOT NULL';";
    for (ddl, named, code) in [
        // The first delete leaves a NULL, and the second is refused.
        (format!("CREATE TABLE c (id int, {null}, UNIQUE NULLS NOT DISTINCT (a)); {two}"), "index `c_a_key` of `c`", "23505"),
        (format!("CREATE TABLE c (id int, {default}, UNIQUE (a)); {two}"), "index `c_a_key` of `c`", "23505"),
        (format!("CREATE TABLE c (id int, {default}, PRIMARY KEY (a)); {two}"), "index `c_pkey` of `c`", "23505"),
        (format!("CREATE TABLE c (id int, {default}); CREATE UNIQUE INDEX u ON c (a) WHERE id > 0; {two}"), "index `u`", "23505"),
        (format!("CREATE TABLE c (id int, {null}); CREATE UNIQUE INDEX u ON c ((1)) WHERE a IS NULL; {two}"), "index `u`", "23505"),
        (format!("CREATE TABLE c (id int, {default}, EXCLUDE USING btree (a WITH =)); {two}"), "constraint `c_a_excl`", "23P01"),
        (format!("CREATE TABLE c (id int, {default}, CHECK (a < 2)); INSERT INTO c VALUES (1, 1)"), "CHECK `c_a_check`", "23514"),
        (format!("{function} CREATE TABLE c (id int, {null}, CHECK (ok(a))); {two}"), "CHECK `c_a_check`", "23514"),
        (
            format!(
                "CREATE TABLE c (id int, {null}) PARTITION BY RANGE (id); CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (9);
                 ALTER TABLE c1 ALTER a SET NOT NULL; {two}"
            ),
            "NOT NULL in partition `c1` may not accept NULL in `a`",
            "23502",
        ),
        (
            format!(
                "CREATE TABLE c (id int, {null}, b int REFERENCES p (id));
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := 77; RETURN NEW; END $$;
                 CREATE TRIGGER t BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f(); {two}"
            ),
            "trigger `t` on `c` (BEFORE UPDATE) may give `b` a value that the foreign key on it may not accept",
            "23503",
        ),
        (
            format!(
                "CREATE TABLE c (id int UNIQUE, {null});
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := 2; RETURN NEW; END $$;
                 CREATE TRIGGER t BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f(); {two}"
            ),
            "may give `id` a value that the key that it is part of may not accept",
            "23505",
        ),
    ] {
        let url = fresh_database();
        execute(&url, &format!("{parent} {ddl}"));
        let said = fate(&open(&url), "p");
        assert!(!said.promised, "{ddl}: {}", said.summary);
        let blocks = |a: &referee::fate::Assumption| a.may.contains(&May::Block) && a.text.contains(named);
        assert!(said.assumptions.iter().any(blocks), "{ddl}: {:?}", said.assumptions);
        assert!(said.conditions.iter().filter(|c| c.relation == "c.a").all(|c| !c.exact), "{ddl}: {:?}", said.conditions);
        let mut client = connect(&url);
        let done = ["DELETE FROM p WHERE id = 1", "DELETE FROM p WHERE id = 2"].map(|sql| client.batch_execute(sql));
        let codes: Vec<String> = done.into_iter().filter_map(|d| Some(d.err()?.code()?.code().to_string())).collect();
        assert!(codes.iter().any(|c| c == code), "{ddl}: {codes:?}");
    }
}

/// A fix that a constraint may refuse is for a person to choose.
#[test]
fn set_null_over_a_constraint_that_may_refuse_it_is_not_made_alone() {
    for ddl in [
        "CREATE TABLE c (a int REFERENCES p, UNIQUE NULLS NOT DISTINCT (a))",
        "CREATE TABLE c (id int, a int REFERENCES p) PARTITION BY RANGE (id);
         CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (9); ALTER TABLE c1 ALTER a SET NOT NULL",
    ] {
        let url = fresh_database();
        execute(&url, &format!("CREATE TABLE p (id int PRIMARY KEY); {ddl}"));
        let repair = fate(&open(&url), "p").repair.unwrap();
        assert!(repair.changes.iter().all(|c| !c.automatic), "{ddl}: {:?}", repair.changes);
    }
}

/// A CHECK, an index and a function that NULL passes are no doubt.
#[test]
fn what_accepts_what_is_written_leaves_the_promise() {
    for ddl in [
        "CREATE TABLE c (a int REFERENCES p ON DELETE SET NULL, UNIQUE (a), CHECK (abs(a) > 0 AND a IN (1, 2)))",
        "CREATE TABLE c (a int REFERENCES p ON DELETE SET NULL, b int, UNIQUE NULLS NOT DISTINCT (b))",
        "CREATE TABLE c (a int DEFAULT 2 REFERENCES p ON DELETE SET DEFAULT, b int, UNIQUE (b), EXCLUDE USING btree (b WITH =))",
    ] {
        let url = fresh_database();
        execute(
            &url,
            &format!(
                "CREATE TABLE p (id int PRIMARY KEY); {ddl}; INSERT INTO p VALUES (1), (2); INSERT INTO c (a) VALUES (1)"
            ),
        );
        let said = fate(&open(&url), "p");
        assert!(said.promised, "{ddl}: {:?}", said.assumptions);
        execute(&url, "DELETE FROM p WHERE id = 1");
    }
}

/// By a key on a table's own key each row refers to itself, and goes with itself.
#[test]
fn key_by_which_each_row_refers_to_itself_stops_nothing() {
    for action in ["RESTRICT", "NO ACTION", "CASCADE", "SET NULL"] {
        let ddl = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY REFERENCES p (id) ON DELETE {action}); INSERT INTO p VALUES (1), (2)"
        );
        let (_file, connection, input) = sqlite(&ddl);
        assert_eq!(fate(&input, "p").verdict, Verdict::Complete, "{action}");
        assert_eq!(delete(&connection, "DELETE FROM p WHERE id = 1").unwrap(), 1, "{action}");
        let url = fresh_database();
        execute(&url, &ddl);
        assert_eq!(fate(&open(&url), "p").verdict, Verdict::Complete, "{action}");
        assert_eq!(connect(&url).execute("DELETE FROM p WHERE id = 1", &[]).unwrap(), 1, "{action}");
    }
}

/// SQLite: a row that RAISE(IGNORE) keeps still refers to the deleted one, and that is refused.
#[test]
fn row_that_a_trigger_keeps_refuses_the_delete() {
    for (action, event) in [("CASCADE", "DELETE"), ("SET NULL", "UPDATE")] {
        let (_file, connection, input) = sqlite(&format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, a int REFERENCES p ON DELETE {action});
             CREATE TRIGGER t BEFORE {event} ON c BEGIN SELECT RAISE(IGNORE); END;
             INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)"
        ));
        let said = fate(&input, "p");
        assert_eq!(said.assumptions[0].may, [May::Block], "{action}: {:?}", said.assumptions);
        assert!(said.assumptions[0].text.contains("refuses the delete"), "{:?}", said.assumptions);
        assert!(delete(&connection, "DELETE FROM p").unwrap_err().contains("FOREIGN KEY constraint failed"));
    }
}
