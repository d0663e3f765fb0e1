//! Triggers, rules and publications: what they do to a delete on a real engine, and what is said of them beforehand.

use mysql::prelude::Queryable;
use referee::engine::SessionOptions;
use referee::fate::{Fate, Fates, May, Options, Verdict};
use referee::relations::Graph;
use referee::schema::Schema;
use referee::source::Source;

use super::support::postgres::{connect, execute, fresh_database, fresh_database_since};

fn inspect(source: &str) -> Schema {
    Source::parse(source).unwrap().open(&SessionOptions::default()).unwrap().schema
}

fn fate(schema: &Schema, root: &str) -> Fate {
    let graph = Graph::new(schema, &[], 0.5);
    Fates::new(schema, &graph, Options::default()).of(&root.into()).unwrap()
}

/// What a delete comes to: an error's code or text, or the rows that are there afterwards.
#[derive(Debug)]
enum Outcome {
    Error(&'static str),
    Left(&'static str),
}

use Outcome::{Error, Left};

/// What is said beforehand.
struct Said {
    /// A part of what the assumptions say; empty if there is to be none.
    text: &'static str,
    may: &'static [May],
    /// Whether one of them stops every delete.
    stops: bool,
}

const NOTHING: Said = Said { text: "", may: &[], stops: false };

const fn may(text: &'static str, may: &'static [May]) -> Said {
    Said { text, may, stops: false }
}

const fn stops(text: &'static str, may: &'static [May]) -> Said {
    Said { text, may, stops: true }
}

/// Rows 1 and 2 of `c` refer to rows 1 and 2 of `p`; row 3 of `p` has no child.
const ROWS: &str = "INSERT INTO p VALUES (1), (2), (3); INSERT INTO c VALUES (1, 1), (2, 2);";
const BASE: &str =
    "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES p ON DELETE CASCADE);";
const NULLED: &str = "ALTER TABLE c DROP CONSTRAINT c_a_fkey, ADD FOREIGN KEY (a) REFERENCES p ON DELETE SET NULL;";
/// The rows of both tables, as `1 2 | 1-1 2-`.
const LEFT: &str = "SELECT concat((SELECT string_agg(p.id::text, ' ' ORDER BY id) FROM p), ' | ', \
                    (SELECT string_agg(concat(c.id, '-', c.a), ' ' ORDER BY id) FROM c))";

fn trigger(when: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
         CREATE TRIGGER t {when} EXECUTE FUNCTION f();"
    )
}

fn judged(ddl: &str, judged: &Fate, said: &Said) {
    let texts: Vec<&str> = judged.assumptions.iter().map(|a| a.text.as_str()).collect();
    assert_eq!(texts.is_empty(), said.text.is_empty(), "{ddl}\n{texts:#?}");
    assert!(texts.join("\n").contains(said.text), "{ddl}\n{texts:#?}");
    let may: Vec<May> = judged.assumptions.iter().flat_map(|a| a.may.clone()).collect();
    assert_eq!(may, said.may, "{ddl}\n{texts:#?}");
    assert_eq!(judged.promised, said.text.is_empty(), "{ddl}");
    let stops = judged.assumptions.iter().any(referee::fate::Assumption::stops_every_delete);
    assert_eq!(stops, said.stops, "{ddl}\n{texts:#?}");
    assert_eq!(judged.summary.starts_with("every delete from"), judged.promised, "{}", judged.summary);
}

/// Says what is said of a delete from `p`, deletes a row of it, and looks at what is left.
fn on(url: &str, ddl: &str, row: u8, outcome: Outcome, said: &Said) {
    execute(url, &format!("{BASE} {ddl} {ROWS}"));
    judged(ddl, &fate(&inspect(url), "p"), said);
    let mut client = connect(url);
    let result = client.batch_execute(&format!("DELETE FROM p WHERE id = {row}"));
    match (outcome, result) {
        (Error(code), Err(error)) => assert_eq!(error.code().unwrap().code(), code, "{ddl}\n{error:?}"),
        (Left(left), Ok(())) => assert_eq!(client.query_one(LEFT, &[]).unwrap().get::<_, String>(0), left, "{ddl}"),
        (wanted, found) => panic!("{ddl}\nwanted {wanted:?}, found {found:?}"),
    }
}

fn postgres(ddl: &str, row: u8, outcome: Outcome, said: &Said) {
    on(&fresh_database(), ddl, row, outcome, said);
}

#[test]
fn trigger_that_raises() {
    let each = "BEFORE DELETE ON c FOR EACH ROW";
    let raise = "RAISE EXCEPTION 'no';";
    let row = may("trigger `t` on `c` (BEFORE DELETE) raises an error for every row", &[May::Block]);
    postgres(&trigger(each, raise), 1, Error("P0001"), &row);
    // Once for each statement, rows or none.
    let statement = stops("trigger `t` on `c` (BEFORE DELETE) raises an error", &[May::Block]);
    postgres(&trigger("BEFORE DELETE ON c", raise), 3, Error("P0001"), &statement);
    let maybe = "IF OLD.id > 1 THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD;";
    postgres(&trigger(each, maybe), 1, Left("2 3 | 2-2"), &may("may raise an error", &[May::Block]));
    postgres(&trigger(each, maybe), 2, Error("P0001"), &may("may raise an error", &[May::Block]));
}

#[test]
fn trigger_that_keeps_the_row() {
    let each = "BEFORE DELETE ON c FOR EACH ROW";
    let stays = may("returns NULL: the row stays and refers to nothing", &[May::Skip]);
    postgres(&trigger(each, "RETURN NULL;"), 1, Left("2 3 | 1-1 2-2"), &stays);
    // There is no NEW in a delete.
    postgres(&trigger(each, "RETURN NEW;"), 1, Left("2 3 | 1-1 2-2"), &stays);
    // A soft delete.
    let soft = format!(
        "ALTER TABLE p ADD gone bool; {}",
        trigger("BEFORE DELETE ON p FOR EACH ROW", "UPDATE p SET gone = true WHERE id = OLD.id; RETURN NULL;")
    );
    let said = stops(
        "trigger `t` on `p` (BEFORE DELETE) returns NULL: the row is not deleted, updates `p`",
        &[May::Skip, May::Write],
    );
    postgres(&soft, 1, Left("1 2 3 | 1-1 2-2"), &said);
}

#[test]
fn trigger_that_gives_back_what_the_key_took() {
    let update = "BEFORE UPDATE ON c FOR EACH ROW";
    let restores = format!("{NULLED} {}", trigger(update, "RETURN OLD;"));
    let said = may("trigger `t` on `c` (BEFORE UPDATE) may give `a` another value", &[May::Change]);
    postgres(&restores, 1, Left("2 3 | 1-1 2-2"), &said);
    let restores = format!("{NULLED} {}", trigger(update, "NEW.a := coalesce(NEW.a, OLD.a); RETURN NEW;"));
    postgres(&restores, 1, Left("2 3 | 1-1 2-2"), &said);
    let other =
        format!("{NULLED} ALTER TABLE c ADD at timestamptz; {}", trigger(update, "NEW.at = now(); RETURN NEW;"));
    postgres(&other, 1, Left("2 3 | 1- 2-2"), &NOTHING);
}

#[test]
fn trigger_that_does_not_fire() {
    let raise = "RAISE EXCEPTION 'no';";
    let other_column = format!("{NULLED} {}", trigger("BEFORE UPDATE OF id ON c FOR EACH ROW", raise));
    postgres(&other_column, 1, Left("2 3 | 1- 2-2"), &NOTHING);
    postgres(&trigger("BEFORE UPDATE ON c FOR EACH ROW", raise), 1, Left("2 3 | 2-2"), &NOTHING);
    for switch in ["DISABLE TRIGGER t", "DISABLE TRIGGER USER", "ENABLE REPLICA TRIGGER t"] {
        let off = format!("{} ALTER TABLE c {switch};", trigger("BEFORE DELETE ON c FOR EACH ROW", raise));
        postgres(&off, 1, Left("2 3 | 2-2"), &NOTHING);
    }
    let always =
        format!("{} ALTER TABLE c ENABLE ALWAYS TRIGGER t;", trigger("BEFORE DELETE ON c FOR EACH ROW", raise));
    postgres(&always, 1, Error("P0001"), &may("raises an error", &[May::Block]));
}

#[test]
fn trigger_that_writes_elsewhere() {
    let all =
        "IF TG_OP = 'DELETE' THEN INSERT INTO log (op, id) VALUES (TG_OP, OLD.id); RETURN OLD; END IF; RETURN NEW;";
    let log = format!(
        "CREATE TABLE log (op text, id int); {}",
        trigger("BEFORE INSERT OR UPDATE OR DELETE ON c FOR EACH ROW", all)
    );
    let said = may("trigger `t` on `c` (BEFORE DELETE) inserts into `log`", &[May::Write]);
    postgres(&log, 1, Left("2 3 | 2-2"), &said);
    let dynamic = "EXECUTE format('INSERT INTO %I VALUES (1)', TG_ARGV[0]); RETURN NULL;";
    let log = format!(
        "CREATE TABLE log (op text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {dynamic} END $$; \
         CREATE TRIGGER t AFTER DELETE ON c FOR EACH ROW EXECUTE FUNCTION f('log');"
    );
    let said = may("could not be read: it runs SQL that it puts together (EXECUTE)", &[May::Unknown]);
    postgres(&log, 1, Left("2 3 | 2-2"), &said);
    // A history with a foreign key: no delete succeeds any more.
    let history = format!(
        "CREATE TABLE p_history (p_id int REFERENCES p ON DELETE SET NULL); {}",
        trigger("AFTER DELETE ON p FOR EACH ROW", "INSERT INTO p_history (p_id) VALUES (OLD.id); RETURN NULL;")
    );
    let said = may("writes `p_history.p_id` with the key of a row that is going", &[May::Block, May::Write]);
    postgres(&history, 3, Error("23503"), &said);
}

#[test]
fn trigger_of_a_partition_alone() {
    let parts = "CREATE TABLE d (id int, a int REFERENCES p ON DELETE CASCADE) PARTITION BY RANGE (id); \
                 CREATE TABLE d1 PARTITION OF d FOR VALUES FROM (0) TO (10);";
    let own = format!(
        "{parts} {} INSERT INTO p VALUES (7); INSERT INTO d VALUES (1, 7);",
        trigger("BEFORE DELETE ON d1 FOR EACH ROW", "RAISE EXCEPTION 'no';")
    );
    postgres(&own, 7, Error("P0001"), &may("trigger `t` on `d1` (BEFORE DELETE)", &[May::Block]));
}

#[test]
fn rules_of_postgres() {
    let rule = |when: &str| format!("CREATE TABLE log (id int); CREATE RULE r AS ON {when};");
    // Rows or none: the statement of the key is rewritten.
    let blocks = stops("rule `r` on `c` (ON DELETE DO INSTEAD) rewrites what the foreign key does", &[May::Block]);
    postgres(&rule("DELETE TO c DO INSTEAD NOTHING"), 3, Error("XX000"), &blocks);
    let keeps = may("keeps the rows that its condition chooses", &[May::Skip]);
    postgres(&rule("DELETE TO c WHERE old.id = 1 DO INSTEAD NOTHING"), 1, Left("2 3 | 1-1 2-2"), &keeps);
    let also = may("rule `r` on `c` (ON DELETE DO ALSO) inserts into `log`", &[May::Write]);
    postgres(&rule("DELETE TO c DO ALSO INSERT INTO log VALUES (old.id)"), 1, Left("2 3 | 2-2"), &also);
    let instead =
        stops("rule `r` on `p` (ON DELETE DO INSTEAD) takes the place of the delete", &[May::Replace, May::Write]);
    let update = rule("DELETE TO p DO INSTEAD UPDATE p SET id = id WHERE id = old.id");
    postgres(&update, 1, Left("1 2 3 | 1-1 2-2"), &instead);
    let off = format!("{} ALTER TABLE c DISABLE RULE r;", rule("DELETE TO c DO INSTEAD NOTHING"));
    postgres(&off, 1, Left("2 3 | 2-2"), &NOTHING);
    let nulled = format!("{NULLED} {}", rule("UPDATE TO c DO INSTEAD NOTHING"));
    postgres(&nulled, 3, Error("XX000"), &stops("ON UPDATE DO INSTEAD", &[May::Block]));
}

#[test]
fn publications_of_postgres() {
    let bare = "CREATE TABLE n (a int REFERENCES p ON DELETE CASCADE);";
    let all = "CREATE PUBLICATION x FOR ALL TABLES;";
    let blocks = stops(
        "publication `x` on `n` (publishes deletes) refuses it: the table has no replica identity",
        &[May::Block],
    );
    // Rows or none.
    postgres(&format!("{bare} {all}"), 3, Error("55000"), &blocks);
    for identity in ["FULL", "NOTHING"] {
        let ddl = format!("{bare} {all} ALTER TABLE n REPLICA IDENTITY {identity};");
        if identity == "FULL" {
            postgres(&ddl, 1, Left("2 3 | 2-2"), &NOTHING);
        } else {
            postgres(&ddl, 3, Error("55000"), &blocks);
        }
    }
    let nulled = "CREATE TABLE n (a int REFERENCES p ON DELETE SET NULL);";
    let updates = stops("publication `x` on `n` (publishes updates)", &[May::Block]);
    postgres(&format!("{nulled} {all}"), 3, Error("55000"), &updates);
    let deletes = "CREATE PUBLICATION x FOR ALL TABLES WITH (publish = 'insert, delete');";
    postgres(&format!("{nulled} {deletes}"), 1, Left("2 3 | 2-2"), &NOTHING);
    let unlogged = "CREATE UNLOGGED TABLE n (a int REFERENCES p ON DELETE CASCADE);";
    postgres(&format!("{unlogged} {all}"), 1, Left("2 3 | 2-2"), &NOTHING);
    let index = "CREATE UNIQUE INDEX i ON c (id); ALTER TABLE c REPLICA IDENTITY USING INDEX i; CREATE PUBLICATION x FOR TABLE c;";
    postgres(index, 1, Left("2 3 | 2-2"), &NOTHING);
    let dropped = stops("publication `x` on `c`", &[May::Block]);
    postgres(&format!("{index} DROP INDEX i;"), 3, Error("55000"), &dropped);
    let root = "CREATE PUBLICATION x FOR TABLE p; ALTER TABLE p REPLICA IDENTITY NOTHING;";
    postgres(root, 3, Error("55000"), &stops("publication `x` on `p`", &[May::Block]));
    let parts = "CREATE TABLE d (id int, a int REFERENCES p ON DELETE CASCADE) PARTITION BY RANGE (id); \
                 CREATE TABLE d1 PARTITION OF d FOR VALUES FROM (0) TO (10);";
    let part = stops("publication `x` on `d1`", &[May::Block]);
    postgres(&format!("{parts} CREATE PUBLICATION x FOR TABLE d;"), 3, Error("55000"), &part);
    let via_root = "CREATE PUBLICATION x FOR TABLE d WITH (publish_via_partition_root);";
    postgres(&format!("{parts} {via_root}"), 3, Error("55000"), &part);
    let identity = "ALTER TABLE d1 REPLICA IDENTITY FULL;";
    postgres(&format!("{parts} {via_root} {identity}"), 1, Left("2 3 | 2-2"), &NOTHING);
}

#[test]
fn publications_of_schemas_columns_and_rows() {
    let lists = stops("its list of columns lacks `id` of the replica identity (42P10)", &[May::Block]);
    let filters =
        stops("its condition on rows uses `a`, which is not part of the replica identity (42P10)", &[May::Block]);
    let schemas = stops("publication `x` on `n`", &[May::Block]);
    let bare =
        "CREATE TABLE n (a int REFERENCES p ON DELETE CASCADE); CREATE PUBLICATION x FOR TABLES IN SCHEMA public;";
    for (ddl, code, said) in [
        ("CREATE PUBLICATION x FOR TABLE c (a);", "42P10", lists),
        ("CREATE PUBLICATION x FOR TABLE c WHERE (a > 1);", "42P10", filters),
        (bare, "55000", schemas),
    ] {
        let Some(url) = fresh_database_since(15) else { return };
        on(&url, ddl, 3, Error(code), &said);
    }
}

/// What is below a table that may have no row to lose does not stop every delete.
#[test]
fn further_down_it_takes_a_row() {
    let url = fresh_database();
    let below = "CREATE TABLE g (c_id int REFERENCES c ON DELETE CASCADE); CREATE PUBLICATION x FOR TABLE g;";
    on(&url, below, 3, Left("1 2 | 1-1 2-2"), &may("publication `x` on `g`", &[May::Block]));
    assert_eq!(connect(&url).batch_execute("DELETE FROM p WHERE id = 1").unwrap_err().code().unwrap().code(), "55000");
}

/// Files say what the server says.
#[test]
fn files_say_the_same() {
    let ddl = format!(
        "{BASE} CREATE TABLE log (id int); CREATE RULE r AS ON DELETE TO c DO ALSO INSERT INTO log VALUES (old.id); {}",
        trigger("BEFORE DELETE ON c FOR EACH ROW", "IF OLD.a > 1 THEN RETURN NULL; END IF; RETURN OLD;")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schema.postgres.sql");
    std::fs::write(&path, &ddl).unwrap();
    let url = fresh_database();
    execute(&url, &ddl);
    let (files, server) = (fate(&inspect(path.to_str().unwrap()), "p"), fate(&inspect(&url), "p"));
    assert_eq!(files.assumptions, server.assumptions);
    assert_eq!(files.assumptions.len(), 2);
}

fn sqlite(ddl: &str, outcome: Outcome, said: &Said) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(&format!("{BASE} {ddl} {ROWS}")).unwrap();
    judged(ddl, &fate(&inspect(path.to_str().unwrap()), "p"), said);
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let left = "SELECT (SELECT group_concat(id, ' ') FROM p) || ' | ' || \
                (SELECT group_concat(id || '-' || coalesce(a, ''), ' ') FROM c)";
    match (outcome, connection.execute_batch("DELETE FROM p WHERE id = 1")) {
        (Error(text), Err(error)) => assert!(error.to_string().contains(text), "{ddl}\n{error}"),
        (Left(rows), Ok(())) => {
            let found: String = connection.query_row(left, [], |r| r.get(0)).unwrap();
            assert_eq!(found, rows, "{ddl}");
        }
        (wanted, found) => panic!("{ddl}\nwanted {wanted:?}, found {found:?}"),
    }
}

#[test]
fn triggers_of_sqlite() {
    let trigger = |when: &str, body: &str| format!("CREATE TRIGGER t {when} BEGIN {body}; END;");
    let raise = "SELECT RAISE(ABORT, 'not this one')";
    let row = may("trigger `t` on `c` (BEFORE DELETE) raises an error for every row", &[May::Block]);
    sqlite(&trigger("BEFORE DELETE ON c", raise), Error("not this one"), &row);
    let when = may("may raise an error", &[May::Block]);
    sqlite(&trigger("BEFORE DELETE ON c WHEN old.id = 2", raise), Left("2 3 | 2-2"), &when);
    sqlite(&trigger("BEFORE DELETE ON c", &format!("{raise} WHERE old.id = 1")), Error("not this one"), &when);
    let stays =
        stops("trigger `t` on `p` (BEFORE DELETE) ends with RAISE(IGNORE): the row is not deleted", &[May::Skip]);
    sqlite(&trigger("BEFORE DELETE ON p", "SELECT RAISE(IGNORE)"), Left("1 2 3 | 1-1 2-2"), &stays);
    sqlite(&trigger("BEFORE UPDATE ON c", raise), Left("2 3 | 2-2"), &NOTHING);
    let write = may("trigger `t` on `c` (AFTER DELETE) inserts into `log`, deletes from `c`", &[May::Write]);
    let both = "INSERT INTO log VALUES (old.id); DELETE FROM c WHERE a = old.a";
    sqlite(&format!("CREATE TABLE log (id); {}", trigger("AFTER DELETE ON c", both)), Left("2 3 | 2-2"), &write);
    let history = "CREATE TABLE h (id INTEGER PRIMARY KEY, p_id int REFERENCES p ON DELETE SET NULL);";
    let said = may("writes `h.p_id` with the key of a row that is going", &[May::Block, May::Write]);
    let insert = trigger("AFTER DELETE ON p", "INSERT INTO h (p_id) VALUES (old.id)");
    sqlite(&format!("{history} {insert}"), Error("FOREIGN KEY constraint failed"), &said);
}

#[test]
fn verdict_is_what_the_keys_come_to() {
    let url = fresh_database();
    execute(&url, &format!("{BASE} {}", trigger("BEFORE DELETE ON c FOR EACH ROW", "RETURN NULL;")));
    let fate = fate(&inspect(&url), "p");
    assert_eq!(fate.verdict, Verdict::Complete);
    assert_eq!(
        fate.summary,
        "by its foreign keys a delete from `p` succeeds (and rows of 1 table go with it), but trigger `t` on `c` (BEFORE \
         DELETE) returns NULL: the row stays and refers to nothing"
    );
}

/// What a trigger or a rule does with rows whose column looks like a reference, and what a foreign key would do to it.
#[test]
fn relations_that_need_no_key() {
    let docs = "CREATE TABLE docs (id int PRIMARY KEY, t text); \
                CREATE TABLE docs_history (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doc_id int, what text);";
    let each = "AFTER DELETE ON docs FOR EACH ROW";
    let cases = [
        trigger(each, "INSERT INTO docs_history (doc_id, what) VALUES (OLD.id, 'gone'); RETURN NULL;"),
        trigger(each, "INSERT INTO docs_history SELECT 1, OLD.id, OLD.t; RETURN NULL;")
            .replace("SELECT 1,", "OVERRIDING SYSTEM VALUE SELECT 1,"),
        trigger(
            "AFTER INSERT OR UPDATE OR DELETE ON docs FOR EACH ROW",
            "IF TG_OP = 'INSERT' THEN RETURN NULL; END IF; INSERT INTO docs_history (doc_id) VALUES (COALESCE(OLD.id, 0)); RETURN NULL;",
        ),
        trigger(
            "AFTER DELETE ON docs REFERENCING OLD TABLE AS gone",
            "INSERT INTO docs_history (doc_id) SELECT g.id FROM gone AS g; RETURN NULL;",
        ),
        "CREATE RULE r AS ON DELETE TO docs DO ALSO INSERT INTO docs_history (doc_id) VALUES (old.id);".to_string(),
    ];
    for case in cases {
        let url = fresh_database();
        execute(&url, &format!("{docs} {case} INSERT INTO docs VALUES (1), (2);"));
        let schema = inspect(&url);
        let graph = Graph::new(&schema, &[], 0.5);
        assert_eq!(graph.relations(), [], "{case}");
        assert_eq!(graph.records()[0].0.child_side(), "docs_history.doc_id", "{case}");
        let mut client = connect(&url);
        client.batch_execute("DELETE FROM docs WHERE id = 1").unwrap();
        let kept = "SELECT count(*) FROM docs_history WHERE doc_id IS NOT NULL";
        assert_eq!(client.query_one(kept, &[]).unwrap().get::<_, i64>(0), 1, "{case}");
        // The key that is not proposed: it blocks the delete, or takes the record.
        client
            .batch_execute("DELETE FROM docs_history; ALTER TABLE docs_history ADD FOREIGN KEY (doc_id) REFERENCES docs ON DELETE SET NULL")
            .unwrap();
        let deleted = client.batch_execute("DELETE FROM docs WHERE id = 2");
        assert!(deleted.is_err() || client.query_one(kept, &[]).unwrap().get::<_, i64>(0) == 0, "{case}");
    }
}

#[test]
fn a_trigger_that_removes_rows_is_not_overtaken() {
    let users = "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE posts (id int PRIMARY KEY, user_id int);";
    for body in ["DELETE FROM posts WHERE user_id = OLD.id;", "UPDATE posts SET user_id = 0 WHERE user_id = OLD.id;"] {
        let url = fresh_database();
        let ddl = trigger("AFTER DELETE ON users FOR EACH ROW", &format!("{body} RETURN NULL;"));
        execute(&url, &format!("{users} {ddl} INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1, 1);"));
        let schema = inspect(&url);
        let graph = Graph::new(&schema, &[], 0.5);
        assert!(graph.objection(0).unwrap().text.contains("trigger `t` on `users`"), "{body}");
        // Nothing is left behind, whatever no key says.
        assert_eq!(fate(&schema, "users").verdict, Verdict::Complete, "{body}");
        // With the key, SET NULL comes first, and the trigger finds nothing.
        let mut client = connect(&url);
        client
            .batch_execute("ALTER TABLE posts ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL")
            .unwrap();
        client.batch_execute("DELETE FROM users").unwrap();
        assert_eq!(
            client.query_one("SELECT user_id FROM posts", &[]).unwrap().get::<_, Option<i32>>(0),
            None,
            "{body}"
        );
    }
}

/// Rows between parent and record go with the parent.
#[test]
fn a_record_of_rows_that_cascade() {
    let ddl = "CREATE TABLE users (id int PRIMARY KEY); \
               CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE); \
               CREATE TABLE order_log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int);";
    let log = trigger(
        "AFTER DELETE ON orders FOR EACH ROW",
        "INSERT INTO order_log (user_id) VALUES (OLD.user_id); RETURN NULL;",
    );
    let url = fresh_database();
    execute(&url, &format!("{ddl} {log} INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1);"));
    let records = |sql: &str| {
        execute(&url, sql);
        Graph::new(&inspect(&url), &[], 0.5).records().len()
    };
    assert_eq!(records("SELECT 1"), 1);
    let mut client = connect(&url);
    client
        .batch_execute("ALTER TABLE order_log ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL")
        .unwrap();
    assert_eq!(client.batch_execute("DELETE FROM users").unwrap_err().code().unwrap().code(), "23503");
    client.batch_execute("ALTER TABLE order_log DROP CONSTRAINT order_log_user_id_fkey").unwrap();
    // Orders that are not deleted with their user are not recorded then.
    let restrict = "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey, ADD FOREIGN KEY (user_id) REFERENCES users";
    assert_eq!(records(restrict), 0);
}

#[test]
fn triggers_that_need_the_reference_leave_it_proposed() {
    let users = "CREATE TABLE users (id int PRIMARY KEY, name text); \
                 CREATE TABLE profiles (id int PRIMARY KEY, user_id int NOT NULL, user_name text);";
    for case in [
        trigger(
            "AFTER INSERT ON users FOR EACH ROW",
            "INSERT INTO profiles (id, user_id) VALUES (NEW.id, NEW.id); RETURN NULL;",
        ),
        trigger(
            "AFTER UPDATE OF name ON users FOR EACH ROW",
            "UPDATE profiles SET user_name = NEW.name WHERE user_id = NEW.id; RETURN NULL;",
        ),
        trigger(
            "AFTER DELETE ON profiles FOR EACH ROW",
            "UPDATE users SET name = NULL WHERE id = OLD.user_id; RETURN NULL;",
        ),
    ] {
        let url = fresh_database();
        execute(&url, &format!("{users} {case}"));
        let graph = Graph::new(&inspect(&url), &[], 0.5);
        assert_eq!(graph.records(), [], "{case}");
        assert_eq!((graph.relations().len(), graph.objection(0)), (1, None), "{case}");
    }
}

/// Sessions in which no key and no trigger acts.
#[test]
fn sessions_that_replicate() {
    let url = fresh_database();
    let whole = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$;";
    let said = may("no foreign key and no trigger acts in its sessions", &[May::Unknown]);
    execute(&url, &format!("{BASE} {ROWS} {whole}"));
    judged(whole, &fate(&inspect(&url), "p"), &said);
    let mut client = connect(&url);
    client.batch_execute("DELETE FROM p WHERE id = 1").unwrap();
    assert_eq!(client.query_one(LEFT, &[]).unwrap().get::<_, String>(0), "2 3 | 1-1 2-2");
}

/// InnoDB's cascades fire no triggers: the root's own do.
#[test]
fn triggers_of_mariadb() {
    let server = super::support::mariadb::server();
    let database = server.fresh_database();
    let mut connection = server.connect().unwrap();
    let raise = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'";
    let ddl = format!(
        "CREATE TABLE p (id int PRIMARY KEY);
         CREATE TABLE c (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE);
         CREATE TRIGGER t BEFORE DELETE ON c FOR EACH ROW {raise};"
    );
    connection.query_drop(format!("USE {database}")).unwrap();
    super::support::mariadb::execute(&mut connection, &format!("{ddl} {ROWS}")).unwrap();
    let schema = super::support::mariadb_inspect::inspect(&mut connection, &database);
    let without = fate(&schema, "p");
    judged(&ddl, &without, &NOTHING);
    assert!(without.notes.iter().any(|n| n.contains("`t` on `c` will not run")), "{:?}", without.notes);
    connection.query_drop("DELETE FROM p WHERE id = 1").unwrap();
    assert_eq!(connection.query_first::<i64, _>("SELECT count(*) FROM c").unwrap(), Some(1));

    let root = format!("CREATE TRIGGER own BEFORE DELETE ON p FOR EACH ROW {raise};");
    connection.query_drop(root.trim_end_matches(';')).unwrap();
    let schema = super::support::mariadb_inspect::inspect(&mut connection, &database);
    judged(&root, &fate(&schema, "p"), &stops("trigger `own` on `p` (BEFORE DELETE) raises an error", &[May::Block]));
    assert!(connection.query_drop("DELETE FROM p WHERE id = 2").is_err());
}

#[test]
fn what_may_not_accept_null_is_named() {
    let check = format!("{NULLED} ALTER TABLE c ADD CONSTRAINT k CHECK (num_nonnulls(a) = 1);");
    let said = may("CHECK `k` of `c` may not accept NULL in `a`", &[May::Block]);
    postgres(&check, 1, Error("23514"), &said);
    postgres(&check, 3, Left("1 2 | 1-1 2-2"), &said);
    let domain =
        "CREATE DOMAIN nn int CHECK (value IS NOT NULL); ALTER TABLE c DROP CONSTRAINT c_a_fkey, ALTER a TYPE nn;
                  ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES p ON DELETE SET NULL;";
    postgres(domain, 1, Error("23514"), &may("domain `nn` may not accept NULL in `a`", &[May::Block]));
    let generated = format!("{NULLED} ALTER TABLE c ADD g int GENERATED ALWAYS AS (10 / coalesce(a, 0)) STORED;");
    let said = may("generated column `g` of `c` may not accept NULL in `a`", &[May::Block]);
    postgres(&generated, 1, Error("22012"), &said);
    let index = format!("{NULLED} CREATE UNIQUE INDEX u ON c (coalesce(a, 2));");
    postgres(&index, 1, Error("23505"), &may("index `u` of `c` may not accept NULL in `a`", &[May::Block]));
    // A comparison with NULL is not false.
    postgres(&format!("{NULLED} ALTER TABLE c ADD CHECK (a > 0);"), 1, Left("2 3 | 1- 2-2"), &NOTHING);
}
