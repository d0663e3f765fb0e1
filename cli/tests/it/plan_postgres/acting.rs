//! Triggers and rules that act on the rows of a clean-up, on what is written for them, and on the rows that an undo restores.

use referee::change::Change;
use referee::plan::{Made, Options, OrphanPolicy, Wanted};
use referee::schema::{ForeignKey, Schema};

use super::rows::{ONE, of_one, prepared};
use crate::support::plan::{self, down, stopped_by, wanted};
use crate::support::postgres as server;

/// Triggers that write to `l`, from which other things follow.
const ACTS: &str =
    "ALTER TABLE c ALTER p_id SET NOT NULL; CREATE TABLE l (id int PRIMARY KEY, n int); CREATE TABLE m (n int);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO l VALUES (OLD.id, 1); RETURN OLD; END';
    CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM m; RETURN NEW; END';
    CREATE FUNCTION asks() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN DELETE FROM m; RETURN true; END';";

const A: &str = "CREATE TRIGGER acts AFTER DELETE ON c FOR EACH ROW EXECUTE FUNCTION f();";

fn of_all(before: &Schema) -> Made {
    let key = ForeignKey::new(["p_id"], "p".into(), ["id"]);
    let want =
        Wanted { orphans: Some(1), ..wanted(vec![Change::AddForeignKey { table: "c".into(), foreign_key: key }]) };
    plan::plan(before, &[want], &Options { orphans: Some(OrphanPolicy::Delete), ..Options::default() })
}

#[test]
fn what_follows_from_what_a_trigger_writes_is_named() {
    for server in server::servers() {
        for (more, refused) in [
            (A.to_string(), None),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO l VALUES (OLD.id, 1) \
                 ON CONFLICT (id) DO UPDATE SET n = 2; RETURN OLD; END';"
                    .to_string()
                    + A,
                Some("changes rows of `l`"),
            ),
            (
                format!("{A} CREATE TRIGGER b AFTER INSERT ON l FOR EACH ROW EXECUTE FUNCTION gone();"),
                Some("trigger acts on `c` inserts into `l`, whose trigger b deletes from `m`"),
            ),
            (
                format!("{A} CREATE RULE r AS ON INSERT TO l DO ALSO DELETE FROM m;"),
                Some("trigger acts on `c` inserts into `l`, whose rule r deletes from `m`"),
            ),
            (
                "CREATE TRIGGER acts AFTER DELETE ON c FOR EACH ROW WHEN (asks()) EXECUTE FUNCTION f();".to_string(),
                Some("its WHEN calls `asks`"),
            ),
            (
                "CREATE TRIGGER acts AFTER DELETE ON c FOR EACH ROW WHEN (abs(OLD.id) > 0) EXECUTE FUNCTION f();".to_string(),
                None,
            ),
            // What the server counts in no table.
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM lo_unlink(OLD.id); RETURN OLD; END';"
                    .to_string()
                    + A,
                Some("lo_unlink"),
            ),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
                     'BEGIN PERFORM dblink_exec(''far'', ''DELETE FROM x''); RETURN OLD; END';"
                    .to_string()
                    + A,
                Some("dblink_exec"),
            ),
            (
                format!(
                    "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; DROP TABLE l;
                     CREATE FOREIGN TABLE l (id int, n int) SERVER s; {A}"
                ),
                Some("inserts into `l`, which is no ordinary table"),
            ),
            (format!("{A} ALTER TABLE l ADD CHECK (asks());"), Some("calls `asks`")),
            (format!("{A} ALTER TABLE l ADD made bool DEFAULT asks();"), Some("default of made calls `asks`")),
        ] {
            let (_, before, _) = prepared(server, &format!("{ONE} {ACTS} {more}"));
            let made = of_all(&before);
            let why: Vec<&str> = made.refused.iter().map(|r| r.why.as_str()).collect();
            match refused {
                Some(words) => assert!(why.iter().any(|w| w.contains(words)), "{more}: {why:?}"),
                None => {
                    assert!(why.is_empty(), "{more}: {why:?}");
                    let told = &made.steps[0].why;
                    assert!(told.contains("Trigger acts fires for the 1 row and inserts into `l`"), "{told}");
                }
            }
            // Who names the relation has looked.
            of_one(&before, OrphanPolicy::Delete);
        }
    }
}

#[test]
fn what_fires_otherwise_than_at_planning_stops_a_clean_up() {
    for server in server::servers() {
        for (more, late) in [
            (
                A.to_string(),
                "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM p; RETURN OLD; END'",
            ),
            (format!("{A} ALTER TABLE c DISABLE TRIGGER acts;"), "ALTER TABLE c ENABLE TRIGGER acts"),
            (A.to_string(), "CREATE TRIGGER b AFTER INSERT ON l FOR EACH ROW EXECUTE FUNCTION gone()"),
            (A.to_string(), "CREATE RULE r AS ON INSERT TO l DO ALSO DELETE FROM p"),
            (A.to_string(), "ALTER FUNCTION f() SET search_path = nowhere"),
            (
                "CREATE TRIGGER acts AFTER DELETE ON c FOR EACH ROW WHEN (OLD.id > 100) EXECUTE FUNCTION f();"
                    .to_string(),
                "DROP TRIGGER acts ON c; CREATE TRIGGER acts AFTER DELETE ON c FOR EACH ROW WHEN (OLD.id > 1) EXECUTE FUNCTION f()",
            ),
        ] {
            let (url, before, mut client) = prepared(server, &format!("{ONE} {ACTS} {more}"));
            let step = &of_one(&before, OrphanPolicy::Delete).steps[0];
            // A search path of its own changes nothing of what is compared.
            server::execute(&url, "CREATE SCHEMA nowhere");
            let stops = |client: &mut postgres::Client| {
                client.batch_execute("SET search_path = nowhere").unwrap();
                stopped_by(client, &step.guards).iter().any(|s| s.contains("added since planning"))
            };
            assert!(!stops(&mut client), "{more}");
            server::execute(&url, late);
            assert!(stops(&mut client), "{late}");
            let error = plan::run(&mut server::connect(&url), &step.up, None).unwrap_err();
            assert!(server::explain(&error).contains("added since planning"), "{}", server::explain(&error));
        }
    }
}

#[test]
fn an_undo_sets_off_nothing_that_changes_other_rows() {
    for server in server::servers() {
        for (acts, disable) in [
            ("CREATE TRIGGER back AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION gone();", "DISABLE TRIGGER back"),
            ("CREATE RULE back AS ON INSERT TO c DO ALSO DELETE FROM m;", "DISABLE RULE back"),
        ] {
            let (url, before, mut client) = prepared(server, &format!("{ONE} {ACTS} {acts}"));
            let made = of_all(&before);
            let step = &made.steps[0];
            plan::run_up(&mut client, step, std::time::Duration::from_secs(60));
            let stops = stopped_by(&mut client, down(step).1);
            assert!(
                stops.iter().any(|s| s.contains("back on `c` deletes from `m`") && s.contains(disable)),
                "{stops:?}"
            );
            server::execute(&url, &format!("ALTER TABLE c {disable}"));
            assert!(stopped_by(&mut client, down(step).1).is_empty(), "{acts}");
            assert!(
                down(&of_one(&before, OrphanPolicy::Delete).steps[0]).1.iter().all(|g| !g.found.contains("back on"))
            );
        }
    }
}

#[test]
fn functions_that_run_for_restored_rows_are_named_by_the_plan() {
    for server in server::servers() {
        let sql = "CREATE FUNCTION far(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'; CREATE INDEX ON c (far(t));
             ALTER TABLE c ADD CHECK (far(t) IS NOT NULL)";
        let (_, before, _) = prepared(server, &format!("{ONE} {sql}"));
        let told = &of_one(&before, OrphanPolicy::Delete).steps[0].why;
        assert!(told.contains("Indexes, CHECKs or generated columns of `c` call `far` for each row"), "{told}");
        let (_, before, _) = prepared(server, &format!("{ONE} CREATE INDEX ON c (lower(t))"));
        let told = &of_one(&before, OrphanPolicy::Delete).steps[0].why;
        assert!(!told.contains("for each row that is restored"), "{told}");
    }
}
