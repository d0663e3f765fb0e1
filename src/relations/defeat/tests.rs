use super::*;
use crate::schema::Engine;
use crate::source::history::{File, Migration, Place};
use crate::source::replay::replay;

fn schema(engine: Engine, sql: &str) -> Schema {
    let files = vec![File { path: "a.sql".into(), text: sql.into() }];
    let place = Place { file: 0, span: crate::sql::Span::new(0, sql.len()) };
    let migration =
        Migration { name: "1".into(), up: place, down: None, reversible: true, transaction: true, base: false };
    replay(engine, files, vec![migration]).0
}

fn of(engine: Engine, more: &str, action: Action) -> Option<String> {
    let base = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE l (id int); \
                CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p (id), t text);";
    let s = schema(engine, &format!("{base} {more}"));
    defeated(&s, &"c".into(), &ForeignKey::new(["p_id"], "p".into(), ["id"]), action)
}

#[test]
fn trigger_that_keeps_the_row_or_stops_the_action_is_named() {
    for (trigger, action, words) in [
        (
            "BEFORE DELETE ON c BEGIN SELECT RAISE(IGNORE); END",
            Action::Cascade,
            "keeps every row: with CASCADE, it stops a delete from `p`",
        ),
        (
            "BEFORE DELETE ON c WHEN old.id > 1 BEGIN SELECT RAISE(ABORT, 'no'); END",
            Action::Cascade,
            "may raise an error",
        ),
        (
            "BEFORE UPDATE OF p_id ON c WHEN new.p_id IS NULL BEGIN SELECT RAISE(ABORT, 'no'); END",
            Action::SetNull,
            "may raise an error: with SET NULL, it stops a delete from `p`",
        ),
        (
            "AFTER DELETE ON p BEGIN INSERT INTO c (p_id, t) VALUES (old.id, 'gone'); END",
            Action::Cascade,
            "writes rows of `c` for a row of `p` that is being deleted",
        ),
    ] {
        let found = of(Engine::Sqlite, &format!("CREATE TRIGGER acts {trigger};"), action);
        assert!(found.as_ref().is_some_and(|f| f.contains(words) && f.contains("`acts`")), "{trigger}: {found:?}");
    }
    let soft = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE c SET t = 'x' WHERE id = OLD.id; RETURN NULL; END $$;
        CREATE TRIGGER soft BEFORE DELETE ON c FOR EACH ROW EXECUTE FUNCTION f();";
    let found = of(Engine::Postgres, soft, Action::Cascade).unwrap();
    assert!(found.ends_with("leaves rows of `c` behind as orphans under a valid key"), "{found}");
    let rule = "CREATE RULE r AS ON DELETE TO c DO INSTEAD UPDATE c SET t = 'x' WHERE id = OLD.id;";
    assert!(of(Engine::Postgres, rule, Action::Cascade).unwrap().contains("rule `r` on `c`"));
}

#[test]
fn trigger_that_only_writes_elsewhere_or_at_another_event_is_not() {
    for (trigger, action) in [
        ("AFTER DELETE ON c BEGIN INSERT INTO l VALUES (old.id); END", Action::Cascade),
        ("BEFORE DELETE ON c BEGIN SELECT RAISE(IGNORE); END", Action::SetNull),
        ("BEFORE DELETE ON c BEGIN SELECT RAISE(IGNORE); END", Action::NoAction),
        ("BEFORE UPDATE OF t ON c BEGIN SELECT RAISE(IGNORE); END", Action::SetNull),
        ("AFTER DELETE ON p BEGIN INSERT INTO l VALUES (old.id); END", Action::Cascade),
    ] {
        assert_eq!(of(Engine::Sqlite, &format!("CREATE TRIGGER acts {trigger};"), action), None, "{trigger}");
    }
}

#[test]
fn trigger_on_a_column_that_stays_is_none() {
    let base = "CREATE TABLE p (id int, t int, PRIMARY KEY (t, id));
        CREATE TABLE c (id int PRIMARY KEY, t int, p_id int, FOREIGN KEY (t, p_id) REFERENCES p (t, id) ON DELETE SET NULL (p_id));
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;";
    for (column, stops) in [("t", false), ("p_id", true)] {
        let trigger = format!("CREATE TRIGGER a BEFORE UPDATE OF {column} ON c FOR EACH ROW EXECUTE FUNCTION f();");
        let s = schema(Engine::Postgres, &format!("{base}{trigger}"));
        let key = &s.table(&"c".into()).unwrap().foreign_keys[0];
        assert_eq!(defeated(&s, &"c".into(), key, Action::SetNull).is_some(), stops, "{column}");
    }
}

#[test]
fn trigger_of_a_partition_of_a_partition_is_named() {
    let mut s = schema(
        Engine::Postgres,
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int, p_id int); CREATE TABLE c_1 (id int, p_id int);
         CREATE TABLE c_1_x (id int, p_id int);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER a BEFORE DELETE ON c_1_x FOR EACH ROW EXECUTE FUNCTION f();",
    );
    s.table_mut(&"c_1".into()).unwrap().partition_of = Some("c".into());
    s.table_mut(&"c_1_x".into()).unwrap().partition_of = Some("c_1".into());
    let key = ForeignKey::new(["p_id"], "p".into(), ["id"]);
    let why = defeated(&s, &"c".into(), &key, Action::Cascade).unwrap();
    assert!(why.contains("trigger `a` on `c_1_x`"), "{why}");
}

#[test]
fn generated_column_changes_with_what_it_is_computed_from() {
    let base = "CREATE TABLE p (id int PRIMARY KEY);
        CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p, n int, g int GENERATED ALWAYS AS (p_id + 1) STORED,
          h int GENERATED ALWAYS AS (n + 1) STORED);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;";
    for (column, stops) in [("g", true), ("h", false)] {
        let trigger = format!("CREATE TRIGGER a BEFORE UPDATE OF {column} ON c FOR EACH ROW EXECUTE FUNCTION f();");
        let s = schema(Engine::Postgres, &format!("{base}{trigger}"));
        let key = &s.table(&"c".into()).unwrap().foreign_keys[0];
        assert_eq!(defeated(&s, &"c".into(), key, Action::SetNull).is_some(), stops, "{column}");
    }
}
