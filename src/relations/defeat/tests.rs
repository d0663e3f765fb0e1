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
    defeated(&s, &"c".into(), &["p_id".into()], &"p".into(), action)
}

#[test]
fn trigger_that_keeps_the_row_or_stops_the_action_is_named() {
    for (trigger, action, words) in [
        (
            "BEFORE DELETE ON c BEGIN SELECT RAISE(IGNORE); END",
            Action::Cascade,
            "keeps every row: with CASCADE, a delete from `p`",
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
