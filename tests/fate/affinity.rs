//! SQLite: keys between columns of different affinity. What the insert's check accepted, an action may not find.

use referee::engine::{SessionOptions, Value};
use referee::fate::{Fates, Options, Verdict};
use referee::relations::Graph;
use referee::source::Source;
use rusqlite::Connection;

const TYPES: [&str; 7] = ["INTEGER", "TEXT", "REAL", "STRING", "UUID", "BLOB", ""];
const VALUES: [&str; 12] =
    ["1", "'1'", "'01'", "'1.0'", "1.0", "'1e0'", "x'31'", "'a'", "2.5", "'2.50'", "'2.5'", "' 1'"];

fn count(session: &mut dyn referee::engine::Reader, sql: &str) -> i64 {
    session.query(sql).unwrap().rows[0].first().and_then(Value::integer).unwrap()
}

/// Says of every row of the parent what its delete comes to, deletes it, and compares.
fn compare(parent: &str, child: &str, action: &str, strict_key: &str) -> Result<usize, String> {
    let file = tempfile::Builder::new().suffix(".db").tempfile().unwrap();
    let connection = Connection::open(file.path()).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = ON; CREATE TABLE u (n INTEGER PRIMARY KEY, id {parent} {strict_key});
             CREATE TABLE c (k INTEGER PRIMARY KEY, u {child} REFERENCES u (id) ON DELETE {action});"
        ))
        .unwrap();
    for value in VALUES {
        let _ = connection.execute_batch(&format!("INSERT INTO u (id) VALUES ({value})"));
    }
    for value in VALUES {
        // Only what the key's own check accepts.
        let _ = connection.execute_batch(&format!("INSERT INTO c (u) VALUES ({value})"));
    }
    let mut input =
        Source::parse(&file.path().display().to_string()).unwrap().open(&SessionOptions::default()).unwrap();
    let graph = Graph::new(&input.schema, &[], 1.0);
    let fates = Fates::new(&input.schema, &graph, Options::default());
    let fate = fates.of(&"u".into()).unwrap();
    let session = input.session.as_mut().unwrap().as_mut();
    let rows: Vec<i64> = connection
        .prepare("SELECT n FROM u")
        .unwrap()
        .query_map([], |r| r.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut failures = 0;
    for n in rows {
        let row = format!("n = {n}");
        let impact = fates.impact(&"u".into(), Some(&row)).unwrap();
        let mut counted = |sql: &str| count(session, sql);
        let conditions: Vec<(i64, bool)> = fate
            .conditions
            .iter()
            .map(|c| (counted(&c.sql.as_ref().unwrap().replace(":n", &n.to_string())), c.exact))
            .collect();
        let of = |table: &str, how: fn(&referee::fate::TableImpact) -> &Option<referee::fate::Rows>| {
            impact.tables.iter().find(|t| t.table.name == table).and_then(|t| how(t).as_ref()).map(|r| r.sql.clone())
        };
        let said = [of("c", |t| &t.deleted), of("c", |t| &t.updated), of("c", |t| &t.orphaned)]
            .map(|sql| sql.map_or(0, |sql| counted(&sql)));
        connection.execute_batch("BEGIN").unwrap();
        let all = |sql: &str| -> i64 { connection.query_row(sql, [], |r| r.get(0)).unwrap() };
        let orphans = "SELECT count(*) FROM pragma_foreign_key_check";
        let (before, full) = (all("SELECT count(*) FROM c"), all("SELECT count(u) FROM c"));
        let done = connection.execute(&format!("DELETE FROM u WHERE n = {n}"), []);
        let (deleted, left) = (before - all("SELECT count(*) FROM c"), all(orphans));
        let nulled = full - deleted - all("SELECT count(u) FROM c");
        connection.execute_batch("ROLLBACK").unwrap();
        let told =
            || format!("{parent} <- {child} {action}, row {n}: {} {conditions:?} {said:?}; {done:?}", fate.verdict);
        failures += usize::from(done.is_err());
        let found = conditions.iter().any(|c| c.0 > 0);
        match &done {
            Err(_) if fate.verdict.always_succeeds() || !found => return Err(told()),
            Ok(_) if conditions.iter().any(|c| c.1 && c.0 > 0) || matches!(fate.verdict, Verdict::Fails) => {
                return Err(told());
            }
            Ok(_) if said != [deleted, nulled, left] => {
                return Err(format!("{}: {deleted} deleted, {nulled} set to NULL, {left} left", told()));
            }
            _ => {}
        }
    }
    Ok(failures)
}

#[test]
fn what_the_check_accepts_and_the_action_does_not_find_is_told() {
    let (mut wrong, mut failures) = (Vec::new(), 0);
    for parent in TYPES {
        for child in TYPES {
            for action in ["CASCADE", "SET NULL", "NO ACTION", "RESTRICT"] {
                match compare(parent, child, action, "UNIQUE") {
                    Ok(n) => failures += n,
                    Err(e) => wrong.push(e),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(failures > 100, "{failures} deletes failed");
}

/// `INTEGER PRIMARY KEY DESC` is no name of the rowid ("CREATE TABLE", 5), and is compared like any other column.
#[test]
fn key_that_is_no_rowid_is_compared_by_its_affinity() {
    for (key, rowid) in [
        ("id INTEGER PRIMARY KEY", true),
        ("id INTEGER PRIMARY KEY DESC", false),
        ("id INTEGER, PRIMARY KEY (id DESC)", true),
    ] {
        let file = tempfile::Builder::new().suffix(".db").tempfile().unwrap();
        let connection = Connection::open(file.path()).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA foreign_keys = ON; CREATE TABLE p ({key}); CREATE TABLE c (x TEXT REFERENCES p ON DELETE CASCADE);
                 INSERT INTO p VALUES (7); INSERT INTO c VALUES ('007')"
            ))
            .unwrap();
        let mut input =
            Source::parse(&file.path().display().to_string()).unwrap().open(&SessionOptions::default()).unwrap();
        let graph = Graph::new(&input.schema, &[], 1.0);
        let fate = Fates::new(&input.schema, &graph, Options::default()).of(&"p".into()).unwrap();
        let session = input.session.as_mut().unwrap().as_mut();
        let stopping: i64 =
            fate.conditions.iter().map(|c| count(session, &c.sql.as_ref().unwrap().replace(":id", "7"))).sum();
        let done = connection.execute("DELETE FROM p WHERE id = 7", []);
        assert_eq!(done.is_ok(), rowid, "{key}: {done:?}");
        assert_eq!(fate.verdict.always_succeeds(), rowid, "{key}: {}", fate.summary);
        assert_eq!(stopping, i64::from(!rowid), "{key}");
    }
}
