//! What acts where no trigger of the tables says so: event triggers, triggers that are put off, cursors that run at the commit.

use postgres::Client;
use referee::plan::{Made, OrphanPolicy, Step};

use super::closure::{cleaning, counted, declared, of_all};
use super::rows::{ONE, of_one, prepared};
use crate::support::plan::{self, down, stopped_by};
use crate::support::postgres as server;

/// `m` holds rows that nothing has to do with; rows that come into `d` delete them at the commit.
const BESIDE: &str = "CREATE TABLE m (n int); INSERT INTO m VALUES (1), (2); CREATE TABLE l (n int); CREATE TABLE d (n int);
    CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM m; RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gone();";

/// What every new table is given by the house: `%1$s` is its name.
fn house(does: &str) -> String {
    format!(
        "CREATE FUNCTION stamped() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.t := ''stamped''; RETURN NEW; END';
         CREATE FUNCTION house() RETURNS event_trigger LANGUAGE plpgsql AS $house$
         DECLARE o record; BEGIN
           FOR o IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE TABLE' LOOP
             EXECUTE format($does${does}$does$, o.object_identity);
           END LOOP;
         END $house$;
         CREATE EVENT TRIGGER house ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION house();"
    )
}

/// One step that takes a row away in batches, and one that takes a row and what refers to it.
fn both(server: &server::Server, more: &str) -> Vec<(String, Step, Client)> {
    let (url, before, client) = prepared(server, &format!("{ONE} {BESIDE}"));
    let batches = of_one(&before, OrphanPolicy::Delete);
    server::execute(&url, more);
    let follows =
        "ALTER TABLE c ALTER p_id SET NOT NULL; CREATE TABLE g (id int PRIMARY KEY, c_id int NOT NULL REFERENCES c);
         INSERT INTO g VALUES (7, 2); ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;";
    let (other, before, mut counting) = prepared(server, &format!("{ONE} {BESIDE} {follows}"));
    let wants = [declared(&before, "c", "p_id", 1)];
    let closure: Made = counted(&mut counting, &before, &wants, of_all(OrphanPolicy::Delete));
    server::execute(&other, more);
    [(url, batches, client), (other, closure, counting)]
        .into_iter()
        .map(|(url, made, client)| (url, cleaning(&made).remove(0), client))
        .collect()
}

fn text(client: &mut Client, sql: &str) -> String {
    client.query_one(&format!("SELECT ({sql})::text"), &[]).unwrap().get(0)
}

const ALL: &str = "SELECT concat((SELECT string_agg(c::text, ' ' ORDER BY c) FROM c), (SELECT string_agg(m::text, ' ' ORDER BY m) FROM m))";

/// Runs a step that has to stop, and sees that nothing has changed and no backup is left.
fn stops(url: &str, step: &Step, words: &str, what: &str) {
    let mut client = server::connect(url);
    let before = text(&mut client, ALL);
    let Err(error) = plan::run(&mut client, &step.up, None) else { panic!("{what}: it was done") };
    let error = server::explain(&error);
    assert!(error.contains(words), "{what}: {error}");
    let mut client = server::connect(url);
    assert_eq!(text(&mut client, ALL), before, "{what}");
}

#[test]
fn a_backup_in_which_rows_do_not_arrive_as_they_are_stops_the_step() {
    for server in server::servers() {
        for (does, words) in [
            ("CREATE TRIGGER stamped BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION stamped()", "trigger stamped"),
            ("CREATE RULE lost AS ON INSERT TO %1$s DO INSTEAD NOTHING", "rule lost"),
            ("CREATE POLICY own ON %1$s USING (true)", "policy own"),
            ("ALTER TABLE %1$s FORCE ROW LEVEL SECURITY", "forced row-level security t"),
            ("ALTER TABLE %1$s SET UNLOGGED", "persistence u"),
            ("CREATE TABLE IF NOT EXISTS heir () INHERITS (%1$s)", "child table heir"),
        ] {
            for (url, step, mut client) in both(server, &house(does)) {
                stops(&url, &step, "is no plain table", does);
                let mut after = server::connect(&url);
                let left = "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_referee\\_%'";
                assert_eq!(text(&mut after, left), "0", "{does}");
                let error = plan::run(&mut after, &step.up, None).unwrap_err();
                assert!(server::explain(&error).contains(words), "{}", server::explain(&error));
                // What the error advises is the way on.
                server::execute(&url, "ALTER EVENT TRIGGER house DISABLE");
                assert_eq!(stopped_by(&mut client, &step.guards), Vec::<String>::new());
                plan::run(&mut client, &step.up, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
            }
        }
    }
}

#[test]
fn what_came_to_a_backup_since_it_was_made_stops_the_batches() {
    for server in server::servers() {
        let (url, step, mut client) = both(server, &house("SELECT 1")).remove(0);
        client.batch_execute(&step.up.statements[0]).unwrap();
        let backup = text(&mut client, "SELECT relname FROM pg_class WHERE relname LIKE '\\_referee\\_%'");
        server::execute(
            &url,
            &format!("CREATE TRIGGER stamped BEFORE INSERT ON {backup} FOR EACH ROW EXECUTE FUNCTION stamped()"),
        );
        stops(&url, &step, "trigger stamped", "made before");
        assert_eq!(text(&mut client, &format!("SELECT count(*) FROM {backup}")), "0");
    }
}

#[test]
fn what_an_event_trigger_changes_when_the_backup_is_made_stops_the_step() {
    for server in server::servers() {
        for does in [
            "TRUNCATE m",
            "DELETE FROM m WHERE n = 1",
            "UPDATE m SET n = 3",
            "INSERT INTO d VALUES (1)",
            "DROP TABLE m",
        ] {
            for (url, step, _) in both(server, &house(does)) {
                stops(&url, &step, "when the backup table was made", does);
            }
        }
        // New rows in other tables harm none.
        for (_, step, mut client) in both(server, &house("INSERT INTO l VALUES (1)")) {
            plan::run(&mut client, &step.up, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
            assert_ne!(text(&mut client, "SELECT count(*) FROM l"), "0");
        }
    }
}

/// A chain of constraint triggers, each of which puts off the next one, and the last deletes rows of `m`.
fn chain(length: u32) -> String {
    let mut sql = String::new();
    for n in 0..length {
        let does = if n + 1 == length {
            "DELETE FROM m".to_string()
        } else {
            format!("SET CONSTRAINTS late{} DEFERRED; INSERT INTO q{} VALUES (1)", n + 1, n + 1)
        };
        let on = if n == 0 { "DELETE ON c" } else { &format!("INSERT ON q{n}") };
        sql = format!(
            "CREATE TABLE q{n} (n int); {sql}
             CREATE FUNCTION f{n}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {does}; RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER late{n} AFTER {on} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f{n}();"
        );
    }
    sql
}

#[test]
fn what_triggers_put_off_to_the_commit_is_counted_however_deep() {
    // Nobody has named these relations, so nothing is waived; the plan was made before the triggers came, and its guards are left out.
    for server in server::servers() {
        let held = |function: &str| {
            format!(
                "CREATE FUNCTION acts() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM m; RETURN 1; END';
                 CREATE FUNCTION opens() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                   EXECUTE 'DECLARE kept CURSOR WITH HOLD FOR SELECT {function}'; RETURN NULL; END $$;
                 CREATE TRIGGER opens AFTER DELETE ON c FOR EACH ROW EXECUTE FUNCTION opens();"
            )
        };
        let endless = "CREATE TABLE q (n int); CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN SET CONSTRAINTS late_again DEFERRED; INSERT INTO q VALUES (1); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER late_again AFTER INSERT ON q DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();
             CREATE CONSTRAINT TRIGGER first AFTER DELETE ON c DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();";
        for (acts, words) in [
            (chain(1), "rows of other tables changed, too"),
            (chain(6), "rows of other tables changed, too"),
            (held("acts()"), "a cursor WITH HOLD is open, whose query runs at the commit: kept"),
            (endless.to_string(), "put off others again and again"),
        ] {
            for (url, step, _) in both(server, &acts) {
                stops(&url, &unguarded(&step), words, &acts);
            }
        }
        // A cursor that ends with the transaction, and what many deferred triggers do that only write new rows, harm none.
        let logs = chain(6).replace("DELETE FROM m", "INSERT INTO l VALUES (1)");
        for (_, step, mut client) in both(server, &logs) {
            plan::run(&mut client, &unguarded(&step).up, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
            assert_eq!(text(&mut client, "SELECT count(*) FROM l"), "1");
        }
    }
}

/// The step as it would be if the guards knew the triggers: what the server counts is all that is left.
fn unguarded(step: &Step) -> Step {
    let mut step = step.clone();
    for statement in &mut step.up.statements {
        let lines = statement.lines().filter(|line| !line.contains("added since planning"));
        *statement = lines.collect::<Vec<_>>().join("\n");
    }
    step
}

#[test]
fn what_an_event_trigger_changes_around_an_undo_rolls_it_back() {
    for server in server::servers() {
        for (event, words) in [("ddl_command_end", "ALTER TABLE"), ("sql_drop", "DROP TABLE")] {
            for (url, step, mut client) in both(server, "") {
                plan::run(&mut client, &step.up, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
                server::execute(
                    &url,
                    &format!(
                        "CREATE FUNCTION house() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO d VALUES (1); END';
                         CREATE EVENT TRIGGER house ON {event} WHEN TAG IN ('{words}') EXECUTE FUNCTION house();"
                    ),
                );
                let (script, _) = down(&step);
                // Where no foreign key is in the way, no table is altered.
                if words == "ALTER TABLE" && !script.statements.iter().any(|s| s.contains("DROP CONSTRAINT")) {
                    continue;
                }
                let after = text(&mut client, ALL);
                let error = plan::run(&mut client, script, None).unwrap_err();
                let error = server::explain(&error);
                assert!(error.contains("rows changed when foreign keys were dropped or made"), "{error}");
                let mut client = server::connect(&url);
                assert_eq!(text(&mut client, ALL), after);
                server::execute(&url, "ALTER EVENT TRIGGER house DISABLE");
                plan::run(&mut client, script, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
                assert_eq!(text(&mut client, "SELECT count(*) FROM c"), "2");
            }
        }
    }
}

#[test]
fn a_rule_that_rewrites_the_change_is_named_before_the_first_step() {
    let tables = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE l (n int);
        CREATE TABLE c (id int PRIMARY KEY, p_id int); INSERT INTO c VALUES (1, 9);
        ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;";
    let rules = [
        ("DELETE", "ALSO INSERT INTO l VALUES (old.id)", OrphanPolicy::Delete),
        ("UPDATE", "ALSO INSERT INTO l VALUES (old.id)", OrphanPolicy::SetNull),
        ("DELETE", "INSTEAD UPDATE c SET p_id = NULL WHERE c.id = old.id", OrphanPolicy::Quarantine),
    ];
    for server in server::servers() {
        for (event, does, policy) in rules {
            let (_, schema, mut client) =
                prepared(server, &format!("{tables} CREATE RULE r AS ON {event} TO c DO {does};"));
            let mut options = of_all(policy);
            options.orphans_of = vec![("c.p_id".to_string(), Some(policy))];
            let made = counted(&mut client, &schema, &[declared(&schema, "c", "p_id", 1)], options);
            assert!(cleaning(&made).is_empty(), "{event} {does}");
            let said = format!("rule `r` of `c` rewrites each {event}");
            assert!(made.refused.iter().any(|r| r.why.contains(&said)), "{:?}", made.refused);
        }
    }
}
