use super::*;
use crate::schema::Engine;
use crate::source::history::{File, Migration, Place};
use crate::source::replay;

fn schema(engine: Engine, sql: &str) -> Schema {
    let files = vec![File { path: "a.sql".into(), text: sql.into() }];
    let place = Place { file: 0, span: crate::sql::Span::new(0, sql.len()) };
    let migration =
        Migration { name: "1".into(), up: place, down: None, reversible: true, transaction: true, base: false };
    replay::replay(engine, files, vec![migration]).0
}

fn harm(schema: &Schema) -> Option<String> {
    Firing::of(schema, schema.table(&"t".into()).unwrap(), "DELETE", &[]).harm()
}

fn sqlite(sql: &str) -> Option<String> {
    let base = "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE stat (u INT PRIMARY KEY, n INT);
                CREATE TABLE log (u INT PRIMARY KEY, n INT);";
    harm(&schema(Engine::Sqlite, &format!("{base}{sql}")))
}

#[test]
fn what_only_inserts_does_no_harm() {
    let of = |body: &str| sqlite(&format!("CREATE TRIGGER a AFTER DELETE ON t BEGIN {body}; END;"));
    assert_eq!(of("INSERT INTO log VALUES (old.id, 1)"), None);
    assert_eq!(of("INSERT OR IGNORE INTO log VALUES (old.id, 1)"), None);
    let replaced = Some("trigger a on `t` inserts into or changes rows of `log`".to_string());
    assert_eq!(of("INSERT OR REPLACE INTO log VALUES (old.id, 1)"), replaced);
    assert_eq!(of("REPLACE INTO log VALUES (old.id, 1)"), replaced);
    assert_eq!(of("INSERT INTO log VALUES (1, 1) ON CONFLICT (u) DO UPDATE SET n = 2"), replaced);
    assert_eq!(of("INSERT INTO log VALUES (1, 1) ON CONFLICT DO NOTHING"), None);
    assert!(of("INSERT INTO nowhere VALUES (1)").unwrap().contains("is no table of this schema"));
}

#[test]
fn chain_is_followed() {
    let a = "CREATE TRIGGER a AFTER DELETE ON t BEGIN INSERT INTO log VALUES (1, 1); END;";
    let b = |body: &str| sqlite(&format!("{a} CREATE TRIGGER b AFTER INSERT ON log BEGIN {body}; END;"));
    assert_eq!(
        b("DELETE FROM stat").as_deref(),
        Some("trigger a on `t` inserts into `log`, whose trigger b deletes from `stat`")
    );
    // A row that is not written harms none that is there.
    assert_eq!(b("SELECT RAISE(IGNORE)"), None);
    assert_eq!(b("INSERT INTO log VALUES (2, 2)"), None);
    assert!(b("INSERT INTO t VALUES (7)").unwrap().ends_with("inserts into `t`, whose rows are being changed"));
    assert!(
        sqlite("CREATE TABLE r (u INT PRIMARY KEY ON CONFLICT REPLACE); CREATE TRIGGER a AFTER DELETE ON t BEGIN INSERT INTO r VALUES (1); END;")
            .unwrap()
            .contains("replaces rows")
    );
}

#[test]
fn functions_and_rules_of_postgres() {
    let of = |sql: &str| {
        let base = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE stat (u int); CREATE TABLE log (u int, at timestamptz DEFAULT now());
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (u) VALUES (OLD.id); RETURN OLD; END $$;";
        harm(&schema(Engine::Postgres, &format!("{base}{sql}")))
    };
    let a = "CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f();";
    assert_eq!(of(a), None);
    assert_eq!(
        of(&format!("{a} CREATE RULE r AS ON INSERT TO log DO ALSO DELETE FROM stat;")).as_deref(),
        Some("trigger a on `t` inserts into `log`, whose rule r deletes from `stat`")
    );
    assert_eq!(
        of("CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW WHEN (g(OLD.id)) EXECUTE FUNCTION f();").as_deref(),
        Some("trigger a on `t` may do more than can be read (its WHEN calls `g`)")
    );
    assert_eq!(
        of("CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW WHEN (abs(OLD.id) > 1) EXECUTE FUNCTION f();"),
        None
    );
    assert_eq!(
        of(&format!("{a} ALTER TABLE log ALTER at SET DEFAULT g();")).as_deref(),
        Some("trigger a on `t` inserts into `log`, whose default of at calls `g`, and may do more than give a value")
    );
    assert!(of(&format!("{a} ALTER TABLE log ADD CHECK (g(u));")).unwrap().contains("calls `g`"));
}

#[test]
fn what_acts_is_told() {
    let s = schema(
        Engine::Sqlite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE log (u); CREATE TABLE more (u);
         CREATE TRIGGER a AFTER DELETE ON t BEGIN INSERT INTO log VALUES (1); END;
         CREATE TRIGGER b AFTER INSERT ON log BEGIN INSERT INTO more VALUES (1); END;",
    );
    let firing = Firing::of(&s, s.table(&"t".into()).unwrap(), "DELETE", &[]);
    assert_eq!(
        firing.told("each of the 3 rows"),
        ["trigger a fires for each of the 3 rows and inserts into `log`; trigger b of `log` then inserts into `more`"]
    );
    assert_eq!(
        Firing::reached(&s, s.table(&"t".into()).unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["t", "log", "more"]
    );
}

#[test]
fn another_column_fires_another_trigger() {
    let s = schema(
        Engine::Sqlite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE stat (a, b); CREATE TABLE near (u); CREATE TABLE far (u);
         CREATE TRIGGER a AFTER DELETE ON t BEGIN UPDATE stat SET a = 1; UPDATE stat SET b = 1; END;
         CREATE TRIGGER na AFTER UPDATE OF a ON stat BEGIN INSERT INTO near VALUES (1); END;
         CREATE TRIGGER nb AFTER UPDATE OF b ON stat BEGIN INSERT INTO far VALUES (1); END;",
    );
    let reached = Firing::reached(&s, s.table(&"t".into()).unwrap());
    assert_eq!(reached.iter().map(ToString::to_string).collect::<Vec<_>>(), ["t", "stat", "near", "far"]);
}

#[test]
fn row_written_into_a_partition_is_a_row_of_its_table() {
    let sql = "CREATE TABLE t (id int); CREATE TABLE t_1 (id int);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t_1 VALUES (OLD.id); RETURN OLD; END $$;
        CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f();";
    let mut s = schema(Engine::Postgres, sql);
    assert_eq!(harm(&s), None);
    s.table_mut(&"t_1".into()).unwrap().partition_of = Some("t".into());
    assert_eq!(harm(&s).as_deref(), Some("trigger a on `t` inserts into `t_1`, whose rows are being changed"));
    // A document that is wrong ends all the same.
    s.table_mut(&"t".into()).unwrap().partition_of = Some("t_1".into());
    assert!(harm(&s).is_some());
}
