use super::*;
use crate::schema::WriteKind;

fn trigger(timing: &str, events: &[&str]) -> Trigger {
    let events = events.iter().map(ToString::to_string).collect();
    Trigger { timing: timing.into(), events, for_each_row: true, ..Trigger::default() }
}

fn read(engine: Engine, timing: &str, event: &str, body: &str) -> Does {
    let mut all = does(engine, body, &trigger(timing, &[event]));
    all.pop().unwrap_or_default()
}

/// A write in short: `insert h(a<old.id, b)`, `delete h by x`.
fn short(write: &Write) -> String {
    let kind = match write.kind {
        WriteKind::Insert => "insert",
        WriteKind::Update => "update",
        WriteKind::Delete => "delete",
    };
    let columns = write.columns.as_ref().map_or("?".to_string(), |c| {
        let one =
            |w: &crate::schema::Written| w.from.as_ref().map_or(w.column.clone(), |f| format!("{}<{f}", w.column));
        c.iter().map(one).collect::<Vec<_>>().join(", ")
    });
    let by = write.by.as_ref().map_or(String::new(), |b| format!(" by {}", b.join(", ")));
    format!("{kind} {}({columns}){by}", write.table)
}

fn writes(engine: Engine, event: &str, body: &str) -> Vec<String> {
    read(engine, "AFTER", event, body).writes.iter().map(short).collect()
}

#[test]
fn writes_of_sqlite() {
    let of = |body: &str| writes(Engine::Sqlite, "DELETE", body);
    assert_eq!(of("BEGIN INSERT INTO h(doc_id, what) VALUES (old.id, 'deleted'); END"), ["insert h(doc_id<id)"]);
    assert_eq!(of("BEGIN INSERT OR REPLACE INTO main.h VALUES (old.id, 1); END"), ["insert h(?)"]);
    assert_eq!(of("BEGIN INSERT INTO h(a, b, at) SELECT OLD.x, x, datetime('now') FROM t; END"), ["insert h(a<x, b)"]);
    assert_eq!(of("BEGIN DELETE FROM \"posts\" WHERE user_id = old.id; END"), ["delete posts() by user_id"]);
    assert_eq!(
        of("BEGIN UPDATE posts SET user_id = NULL, n = n - 1 WHERE user_id IN (SELECT old.id); END"),
        ["update posts(user_id, n) by user_id"]
    );
    assert_eq!(of("BEGIN SELECT 1; DELETE FROM all_of_it; END"), ["delete all_of_it()"]);
}

#[test]
fn writes_of_postgres() {
    let of = |body: &str| writes(Engine::Postgres, "DELETE", body);
    assert_eq!(
        of(
            "DECLARE v int; BEGIN v := OLD.id; INSERT INTO audit.h AS x (Doc_Id, \"What\", at) VALUES (v, TG_OP, now()); RETURN NULL; END"
        ),
        ["insert audit.h(doc_id)"]
    );
    assert_eq!(
        of(
            "BEGIN WITH gone AS (DELETE FROM ONLY a WHERE a.p_id = OLD.id RETURNING *) INSERT INTO h (x, y) SELECT id, 1 FROM gone; RETURN OLD; END"
        ),
        ["delete a() by p_id", "insert h(x)"]
    );
    assert_eq!(of("BEGIN INSERT INTO h SELECT OLD.*; PERFORM 1 FROM t FOR UPDATE; RETURN NULL; END"), ["insert h(?)"]);
    assert_eq!(
        of("BEGIN INSERT INTO h (id) VALUES (OLD.id::text) ON CONFLICT (id) DO UPDATE SET n = 1; RETURN OLD; END"),
        ["insert h(id<id)"]
    );
    assert_eq!(of("BEGIN UPDATE c AS x SET n = n - 1 WHERE x.id = OLD.c_id; RETURN OLD; END"), ["update c(n) by id"]);
    assert_eq!(of("BEGIN TRUNCATE TABLE h; RETURN NULL; END"), ["delete h()"]);
}

#[test]
fn branches_on_the_operation_are_followed() {
    let body = "BEGIN IF (TG_OP = 'DELETE') THEN INSERT INTO h (a) VALUES (OLD.id); RETURN OLD; \
                ELSIF TG_OP IN ('UPDATE') THEN UPDATE u SET a = NEW.id WHERE b = OLD.id; ELSE DELETE FROM d; END IF; \
                RETURN NEW; END";
    assert_eq!(writes(Engine::Postgres, "DELETE", body), ["insert h(a<id)"]);
    assert_eq!(writes(Engine::Postgres, "UPDATE", body), ["update u(a<id) by b"]);
    assert_eq!(writes(Engine::Postgres, "INSERT", body), ["delete d()"]);
    // OLD is returned before NEW can be, which the order of statements tells, and nothing else.
    assert_eq!(read(Engine::Postgres, "BEFORE", "UPDATE", body).sets, Vec::<String>::new());
    let with_else = "BEGIN IF TG_OP <> 'DELETE' THEN RETURN NEW; ELSE RETURN OLD; END IF; END";
    assert_eq!(read(Engine::Postgres, "BEFORE", "DELETE", with_else).skips, Chance::Never);
}

#[test]
fn what_stops_or_skips() {
    use Chance::{Always, Maybe, Never};
    let of = |engine, event: &str, body: &str| {
        let does = read(engine, "BEFORE", event, body);
        (does.raises, does.skips)
    };
    let pg = |event: &str, body: &str| of(Engine::Postgres, event, body);
    assert_eq!(pg("DELETE", "BEGIN RAISE EXCEPTION 'no'; END"), (Always, Never));
    assert_eq!(pg("DELETE", "BEGIN RAISE NOTICE 'x'; RETURN OLD; END"), (Never, Never));
    assert_eq!(pg("DELETE", "BEGIN IF OLD.n > 1 THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD; END"), (Maybe, Never));
    assert_eq!(pg("DELETE", "BEGIN RAISE EXCEPTION 'no'; EXCEPTION WHEN others THEN RETURN OLD; END"), (Maybe, Never));
    assert_eq!(pg("DELETE", "BEGIN UPDATE u SET gone = true WHERE id = OLD.id; RETURN NULL; END"), (Never, Always));
    assert_eq!(pg("DELETE", "BEGIN RETURN NEW; END"), (Never, Always));
    assert_eq!(pg("DELETE", "BEGIN IF OLD.x THEN RETURN NULL; END IF; RETURN OLD; END"), (Never, Maybe));
    assert_eq!(pg("DELETE", "BEGIN RETURN COALESCE(NEW, OLD); END"), (Never, Never));
    assert_eq!(pg("UPDATE", "BEGIN NEW.updated_at = now(); RETURN NEW; END"), (Never, Never));
    let sqlite = |body: &str| of(Engine::Sqlite, "DELETE", body);
    assert_eq!(sqlite("BEGIN SELECT RAISE(ABORT, 'no'); END"), (Always, Never));
    assert_eq!(sqlite("BEGIN SELECT RAISE(IGNORE); END"), (Never, Always));
    assert_eq!(sqlite("BEGIN SELECT RAISE(FAIL, 'no') WHERE old.n > 1; END"), (Maybe, Never));
    assert_eq!(sqlite("BEGIN SELECT CASE WHEN old.n THEN RAISE(ROLLBACK, 'no') END; END"), (Maybe, Never));
    let mysql = |body: &str| of(Engine::Mysql, "DELETE", body);
    assert_eq!(mysql("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"), (Always, Never));
    assert_eq!(mysql("BEGIN IF OLD.n > 1 THEN SIGNAL SQLSTATE '45000'; END IF; END"), (Maybe, Never));
}

#[test]
fn what_gives_the_row_other_values() {
    let of = |body: &str| read(Engine::Postgres, "BEFORE", "UPDATE", body).sets;
    assert_eq!(of("BEGIN NEW.updated_at := now(); RETURN NEW; END"), ["updated_at"]);
    assert_eq!(of("BEGIN IF NEW.p IS NULL THEN NEW.p = OLD.p; END IF; RETURN NEW; END"), ["p"]);
    assert_eq!(of("BEGIN RETURN OLD; END"), ["*"]);
    assert_eq!(of("BEGIN SELECT 1 INTO NEW.p; RETURN NEW; END"), ["p"]);
    assert_eq!(of("BEGIN IF NEW.p = OLD.p THEN RETURN NEW; END IF; RETURN NEW; END"), Vec::<String>::new());
    let mysql = read(Engine::Mysql, "BEFORE", "UPDATE", "SET NEW.p = OLD.p");
    assert_eq!(mysql.sets, ["p"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let of = |body: &str| read(Engine::Postgres, "AFTER", "DELETE", body).unread.unwrap_or_default();
    assert_eq!(
        of("BEGIN EXECUTE format('DELETE FROM %I', TG_ARGV[0]); RETURN NULL; END"),
        "it runs SQL that it puts together (EXECUTE)"
    );
    assert_eq!(of("BEGIN PERFORM app.log_it(OLD.id); RETURN NULL; END"), "it calls `app.log_it`");
    assert_eq!(of("BEGIN PERFORM pg_notify('x', jsonb_build_object('id', OLD.id)::text); RETURN NULL; END"), "");
    assert_eq!(of("BEGIN INSERT INTO h (a, b) VALUES (1, coalesce(OLD.n, 0)::numeric(10, 2)); RETURN NULL; END"), "");
    assert_eq!(of("BEGIN WITH gone (a) AS (SELECT 1) INSERT INTO h (a) SELECT a FROM gone; RETURN NULL; END"), "");
}

#[test]
fn rule_with_its_columns() {
    let of = |actions: &str| {
        let columns = |_: &TableName| vec!["a".to_string(), "b".to_string(), "c".to_string()];
        let writes = writes_of_rule(Engine::Postgres, actions, &columns);
        writes.iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(of("INSERT INTO h VALUES (old.id, 'x')"), ["insert h(a<id)"]);
    assert_eq!(
        of("(DELETE FROM h WHERE h.a = old.id; UPDATE g SET a = NULL::integer WHERE (g.a = old.id);)"),
        ["update g(a) by a", "delete h() by a"]
    );
    assert_eq!(of("NOTHING"), Vec::<String>::new());
}

#[test]
fn any_text_is_read() {
    let body = "DECLARE x int; BEGIN IF a THEN INSERT INTO h (a) SELECT (1, NEW.b FROM c; ELSE UPDATE t SET (a, b) = (1) WHERE \
                END IF; RAISE RETURN CASE WHEN TG_OP IN ( THEN DELETE FROM x USING EXECUTE f( NEW . := INTO NEW END";
    for engine in [Engine::Postgres, Engine::Sqlite, Engine::Mysql] {
        for at in 0..body.len() {
            for text in [&body[..at], &body[at..]] {
                let _ = does(engine, text, &trigger("BEFORE", &["INSERT", "UPDATE", "DELETE"]));
                let _ = writes_of_rule(engine, text, &|_| Vec::new());
            }
        }
    }
}
