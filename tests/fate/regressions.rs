//! Every wrong verdict that the random schemas found, by the name of what it taught.

use referee::engine::SessionOptions;
use referee::fate::{Fate, Fates, Options, Verdict};
use referee::relations::Graph;
use referee::schema::{Action, Column, DataType, Engine as Kind, ForeignKey, Key, Schema, Table};
use referee::source::Source;

use super::mariadb_engine::Mariadb;
use super::rows::Rows;
use super::sqlite::Sqlite;
use super::truth::{Decided, Engine, Tally};

fn sqlite(ddl: &str) -> (Schema, Sqlite) {
    let file = tempfile::Builder::new().suffix(".db").tempfile().unwrap();
    rusqlite::Connection::open(file.path()).unwrap().execute_batch(ddl).unwrap();
    let source = Source::parse(&file.path().display().to_string()).unwrap();
    let schema = source.open(&SessionOptions::default()).unwrap().schema;
    (schema, Sqlite::new(&[ddl.to_string()]))
}

fn rows(tables: &[(&str, &[&[i64]])]) -> Rows {
    let row = |r: &&[i64]| (r[0], r.iter().map(|v| Some(*v)).collect());
    tables.iter().map(|(t, rows)| (t.to_string(), rows.iter().map(row).collect())).collect()
}

fn compare(schema: &Schema, rows: &Rows, engine: &mut dyn Engine) -> Result<(), String> {
    super::truth::compare(schema, &Decided::new(schema), rows, engine, &mut Tally::default())
}

fn fate(schema: &Schema, root: &str) -> Fate {
    let graph = Graph::from_relations(schema, super::truth::relations(schema));
    Fates::new(schema, &graph, Options::default()).of(&root.into()).unwrap()
}

/// SET DEFAULT put the row under the very key that was being deleted; the CASCADE declared before it then took the row
/// after all, and what hung below it. A count had said that the delete would be refused.
#[test]
fn default_that_is_the_key_that_goes() {
    let (schema, mut engine) = sqlite(
        "CREATE TABLE a (id INTEGER PRIMARY KEY);
         CREATE TABLE b (id INTEGER PRIMARY KEY, a_id int DEFAULT 1,
           FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE CASCADE,
           FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE SET DEFAULT);
         CREATE TABLE c (id INTEGER PRIMARY KEY, b_id int REFERENCES b (id) ON DELETE CASCADE, a_id int REFERENCES a (id));",
    );
    let rows = rows(&[("a", &[&[1]]), ("b", &[&[1, 1]]), ("c", &[&[1, 1, 1]])]);
    compare(&schema, &rows, &mut engine).unwrap();
    let judged = fate(&schema, "a");
    assert!(judged.conditions.iter().all(|c| !c.exact), "nothing can be counted beforehand");
}

/// Two rows below the same parent: the first one's own deletion made RESTRICT look while the second was still there. The
/// verdict had taken "deleted through the same key" for "deleted before".
#[test]
fn siblings_are_deleted_one_after_the_other() {
    let (schema, mut engine) = sqlite(
        "CREATE TABLE tenants (id INTEGER PRIMARY KEY);
         CREATE TABLE nodes (id int NOT NULL PRIMARY KEY, t int NOT NULL REFERENCES tenants (id) ON DELETE CASCADE, up int,
           UNIQUE (t, id), FOREIGN KEY (t, up) REFERENCES nodes (t, id) ON DELETE RESTRICT);",
    );
    let rows = rows(&[("tenants", &[&[1]]), ("nodes", &[&[1, 1, 1], &[2, 1, 1]])]);
    compare(&schema, &rows, &mut engine).unwrap();
    assert_eq!((fate(&schema, "tenants").verdict, fate(&schema, "tenants").today), (Verdict::DependsOnOrder, None));
}

fn innodb(tables: &[(&str, &[&str])]) -> Schema {
    let mut schema = Schema::new(Kind::Mariadb);
    for (name, columns) in tables {
        let mut table = Table::new((*name).into());
        table.columns = columns.iter().map(|c| Column::new(*c, DataType::parse(Kind::Mariadb, "int"))).collect();
        table.columns[0].nullable = false;
        table.primary_key = Some(Key::new([columns[0]]));
        schema.tables.push(table);
    }
    schema.sort();
    schema
}

fn key(schema: &mut Schema, child: &str, column: &str, parent: &str, action: Action, name: &str, order: u32) {
    let mut key = ForeignKey::new([column], parent.into(), ["id"]);
    (key.on_delete, key.name, key.firing_order) = (action, Some(name.to_string()), order);
    schema.table_mut(&child.into()).unwrap().foreign_keys.push(key);
}

/// InnoDB: a row that refers to itself is passed over by its SET NULL key, because it is under deletion, and then found by
/// the RESTRICT key on the same column. The verdict had the first key leave nothing to the second.
#[test]
fn row_under_deletion_is_passed_over_and_then_found() {
    let mut schema = innodb(&[("t", &["id", "up"])]);
    key(&mut schema, "t", "up", "t", Action::SetNull, "a", 0);
    key(&mut schema, "t", "up", "t", Action::Restrict, "b", 1);
    let mut engine = Mariadb::new("passed_over");
    engine.make(&[
        "CREATE TABLE t (id int PRIMARY KEY, up int, CONSTRAINT a FOREIGN KEY (up) REFERENCES t (id) ON DELETE SET NULL, \
         CONSTRAINT b FOREIGN KEY (up) REFERENCES t (id) ON DELETE RESTRICT)"
            .to_string(),
    ]);
    for data in [rows(&[("t", &[&[1, 1]])]), rows(&[("t", &[&[1, 1], &[2, 1]])])] {
        compare(&schema, &data, &mut engine).unwrap();
    }
    assert_eq!((fate(&schema, "t").verdict, fate(&schema, "t").today), (Verdict::DependsOnOrder, None));
}

/// Not found at random, for random schemas are shallow: InnoDB counts the deleted row as a level, so that of its fifteen
/// levels fourteen are cascades. The verdict had promised fifteen.
#[test]
fn innodb_gives_up_at_the_fifteenth_cascade() {
    let mut engine = Mariadb::new("deep");
    for (tables, verdict) in [(15, Verdict::Complete), (16, Verdict::DependsOnData)] {
        let names: Vec<String> = (0..tables).map(|i| format!("t{i:02}")).collect();
        let list: Vec<(&str, &[&str])> = names.iter().map(|n| (n.as_str(), &["id", "p"][..])).collect();
        let mut schema = innodb(&list);
        let mut ddl = vec!["CREATE TABLE t00 (id int PRIMARY KEY, p int)".to_string()];
        for i in 1..tables {
            let (child, parent) = (&names[i], &names[i - 1]);
            key(&mut schema, child, "p", parent, Action::Cascade, &format!("{child}_p"), i as u32);
            ddl.push(format!(
                "CREATE TABLE {child} (id int PRIMARY KEY, p int, CONSTRAINT {child}_p FOREIGN KEY (p) REFERENCES {parent} (id) ON DELETE CASCADE)"
            ));
        }
        engine.make(&ddl);
        assert_eq!(fate(&schema, "t00").verdict, verdict);
        let data: Rows = names.iter().map(|n| (n.clone(), [(1, vec![Some(1), Some(1)])].into())).collect();
        compare(&schema, &data, &mut engine).unwrap();
        let deleted = engine.delete(&schema, "t00", 1);
        assert_eq!(deleted.is_ok(), verdict == Verdict::Complete, "{tables} tables: {deleted:?}");
    }
}

/// PostgreSQL: two SET NULL keys change the same row, and the second time the row is checked by all its keys, one of which has
/// lost its parent a moment ago. Nothing but CASCADE and SET NULL about, and the delete fails. The verdict had promised
/// success.
#[test]
fn row_that_two_keys_change_is_checked_by_a_third() {
    let server = &super::support::postgres::servers()[0];
    let url = server.fresh_database();
    let column = "FOREIGN KEY (a) REFERENCES r (id) ON DELETE SET NULL";
    for (x_first, fails) in [(false, true), (true, false)] {
        let x = "ALTER TABLE x ADD CONSTRAINT x_r FOREIGN KEY (r) REFERENCES r (id) ON DELETE CASCADE;";
        let (before, after) = if x_first { (x, "") } else { ("", x) };
        let sql = format!(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE r (id int PRIMARY KEY);
             CREATE TABLE x (id int PRIMARY KEY, r int); CREATE TABLE c (id int PRIMARY KEY, a int, b int, k int); {before}
             ALTER TABLE c ADD CONSTRAINT c_a {column}, ADD CONSTRAINT c_b {}; {after}
             ALTER TABLE c ADD CONSTRAINT c_k FOREIGN KEY (k) REFERENCES x (id) ON DELETE SET NULL;
             INSERT INTO r VALUES (1); INSERT INTO x VALUES (1, 1); INSERT INTO c VALUES (1, 1, 1, 1)",
            column.replace("(a)", "(b)")
        );
        super::support::postgres::execute(&url, &sql);
        let schema = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap().schema;
        let judged = fate(&schema, "r");
        assert_eq!(judged.verdict, Verdict::DependsOnOrder);
        assert!(judged.blockers().any(|b| b.path.last().unwrap() == "c.k"), "{:?}", judged.relations);
        let deleted = super::support::postgres::connect(&url).batch_execute("DELETE FROM r WHERE id = 1");
        let code = deleted.map_err(|e| e.code().unwrap().code().to_string());
        assert_eq!(code, if fails { Err("23503".to_string()) } else { Ok(()) }, "x first: {x_first}");
    }
}

/// The same in one table that refers to itself.
#[test]
fn innodb_gives_up_in_a_chain_of_rows_too() {
    let mut schema = innodb(&[("t", &["id", "up"])]);
    key(&mut schema, "t", "up", "t", Action::Cascade, "t_up", 0);
    let mut engine = Mariadb::new("rows_deep");
    let key = "CONSTRAINT t_up FOREIGN KEY (up) REFERENCES t (id) ON DELETE CASCADE";
    engine.make(&[format!("CREATE TABLE t (id int PRIMARY KEY, up int, {key})")]);
    assert_eq!(fate(&schema, "t").verdict, Verdict::DependsOnData);
    for (length, succeeds) in [(15, true), (16, false)] {
        let chain = (1..=length).map(|i| (i, vec![Some(i), (i > 1).then_some(i - 1)])).collect();
        let data: Rows = [("t".to_string(), chain)].into();
        compare(&schema, &data, &mut engine).unwrap();
        let deleted = engine.delete(&schema, "t", 1);
        assert_eq!(deleted.is_ok(), succeeds, "{length} rows: {:?}", deleted.err());
    }
}

/// SET NULL took the parent's key away, ON UPDATE CASCADE took the child's reference with it, and so the parent's own deletion
/// found no child to be refused by. A count had said that it would be.
#[test]
fn reference_that_goes_with_its_parents_key() {
    let (schema, mut engine) = sqlite(
        "CREATE TABLE r (id INTEGER PRIMARY KEY);
         CREATE TABLE p (id INTEGER PRIMARY KEY, r int REFERENCES r (id) ON DELETE CASCADE,
           u int UNIQUE REFERENCES r (id) ON DELETE SET NULL);
         CREATE TABLE c (id INTEGER PRIMARY KEY, u int REFERENCES p (u) ON UPDATE CASCADE);",
    );
    let rows = rows(&[("r", &[&[1]]), ("p", &[&[1, 1, 1]]), ("c", &[&[1, 1]])]);
    compare(&schema, &rows, &mut engine).unwrap();
}

/// PostgreSQL: SET NULL of one column of a MATCH FULL key leaves a reference that is NULL in part. It is checked one level
/// later, and passes if a CASCADE of the same level, created after it, has taken the row by then; a key that the SET NULL made
/// blind takes nothing. A count had said that the delete would be refused.
#[test]
fn match_full_is_checked_after_the_level_that_broke_it() {
    for (later, survives) in [("b", true), ("c", false)] {
        for (value, outcome) in [(1, survives), (2, false)] {
            let sql = format!(
                "CREATE TABLE p (id int PRIMARY KEY, t int NOT NULL, UNIQUE (t, id));
                 CREATE TABLE k (id int PRIMARY KEY, t int, c int, b int);
                 ALTER TABLE k ADD CONSTRAINT full_key FOREIGN KEY (t, c) REFERENCES p (t, id) MATCH FULL
                   ON DELETE SET NULL (c);
                 ALTER TABLE k ADD CONSTRAINT later FOREIGN KEY ({later}) REFERENCES p (id) ON DELETE CASCADE;
                 INSERT INTO p VALUES (1, 1), (2, 1); INSERT INTO k VALUES (1, 1, 1, {value})"
            );
            let server = &super::support::postgres::servers()[0];
            let url = server.fresh_database();
            super::support::postgres::execute(&url, &sql);
            let mut input = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap();
            let graph = Graph::new(&input.schema, &[], 1.0);
            let fate = Fates::new(&input.schema, &graph, Options::default()).of(&"p".into()).unwrap();
            let mut counted = 0;
            for condition in fate.conditions.iter().filter(|c| c.exact) {
                let sql = condition.sql.as_ref().unwrap().replace(":id", "1");
                let rows = input.session.as_mut().unwrap().query(&sql).unwrap();
                counted += rows.rows[0][0].integer().unwrap();
            }
            let deleted = super::support::postgres::connect(&url).batch_execute("DELETE FROM p WHERE id = 1");
            assert_eq!(deleted.is_ok(), outcome, "{later}, {value}: {deleted:?}");
            assert_eq!(counted == 0, outcome, "{later}, {value}: {fate:#?}");
        }
    }
}

/// PostgreSQL: SET NULL of one column leaves NULL in part what another key takes for MATCH FULL. That key is checked then, and
/// nothing but CASCADE and SET NULL about, the delete fails. The verdict had promised that today's order leaves rows. The other
/// column set to NULL by the same delete makes it whole again.
#[test]
fn set_null_breaks_the_match_full_of_another_key() {
    let full =
        "ALTER TABLE k ADD CONSTRAINT k_full FOREIGN KEY (t, c) REFERENCES p (t, id) MATCH FULL ON DELETE CASCADE;";
    let part = "ALTER TABLE k ADD CONSTRAINT k_part FOREIGN KEY (t, c) REFERENCES p (t, id) ON DELETE SET NULL (c);";
    let rest = "ALTER TABLE k ADD CONSTRAINT k_rest FOREIGN KEY (t) REFERENCES p (id) ON DELETE SET NULL;";
    let late = full.replace("CASCADE;", "NO ACTION DEFERRABLE INITIALLY DEFERRED;");
    let cases = [
        (format!("{part}{full}"), Verdict::DependsOnOrder, Some(Verdict::Fails), false),
        (format!("{full}{part}"), Verdict::DependsOnOrder, Some(Verdict::Complete), true),
        (format!("{part}{late}"), Verdict::Fails, None, false),
        (format!("{part}{full}{rest}"), Verdict::DependsOnOrder, None, true),
        (format!("{part}{late}{rest}"), Verdict::DependsOnOrder, None, true),
    ];
    let server = &super::support::postgres::servers()[0];
    let url = server.fresh_database();
    for (keys, verdict, today, succeeds) in cases {
        let sql = format!(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public;
             CREATE TABLE p (id int PRIMARY KEY, t int NOT NULL, UNIQUE (t, id));
             CREATE TABLE k (id int PRIMARY KEY, t int, c int); {keys}
             INSERT INTO p VALUES (1, 1); INSERT INTO k VALUES (1, 1, 1)"
        );
        super::support::postgres::execute(&url, &sql);
        let schema = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap().schema;
        let judged = fate(&schema, "p");
        assert_eq!((judged.verdict, judged.today), (verdict, today), "{keys}\n{:#?}", judged.relations);
        let deleted = super::support::postgres::connect(&url).batch_execute("DELETE FROM p WHERE id = 1");
        let code = deleted.map_err(|e| e.code().unwrap().code().to_string());
        assert_eq!(code, if succeeds { Ok(()) } else { Err("23503".to_string()) }, "{keys}");
    }
}
