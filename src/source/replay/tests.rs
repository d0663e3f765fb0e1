use proptest::prelude::*;

use super::*;
use crate::schema::Action;

const ENGINES: [Engine; 5] = [Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb];

fn run(engine: Engine, texts: &[&str]) -> (Schema, History) {
    let files: Vec<File> =
        texts.iter().enumerate().map(|(i, t)| File { path: format!("{i}.sql"), text: (*t).to_string() }).collect();
    let migrations = texts.iter().enumerate().map(|(file, text)| Migration {
        name: file.to_string(),
        up: Place { file, span: Span::new(0, text.len()) },
        down: None,
        reversible: false,
        transaction: true,
        base: false,
    });
    let migrations = migrations.collect();
    replay(engine, files, migrations)
}

#[test]
fn both_sides_of_a_contradiction_are_known_each_in_its_file() {
    let (schema, history) = run(
        Engine::Postgres,
        &[
            "CREATE TABLE workspaces (id uuid PRIMARY KEY);\nCREATE TABLE users (id uuid PRIMARY KEY);",
            "ALTER TABLE users ADD COLUMN w uuid REFERENCES workspaces (id) ON DELETE SET NULL;",
            "UPDATE users SET w = '…';\nALTER TABLE users ALTER COLUMN w SET NOT NULL;",
        ],
    );
    let table = schema.table(&"users".into()).unwrap();
    let key = &table.foreign_keys[0];
    assert_eq!((key.on_delete, table.is_nullable("w")), (Action::SetNull, false));
    let origin = history.origins.foreign_key(&table.name, key).unwrap();
    assert_eq!(history.text(origin.on_delete.unwrap()), "ON DELETE SET NULL");
    assert_eq!(origin.declared.file, 1);
    let nullable = history.origins.column(&table.name, "w").unwrap().nullable;
    assert_eq!((nullable.file, history.line(nullable), history.text(nullable)), (2, 2, "ALTER COLUMN w SET NOT NULL"));
}

#[test]
fn origins_follow_renames() {
    let (schema, history) = run(
        Engine::Postgres,
        &[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE a (x int REFERENCES p); ALTER TABLE a RENAME x TO y; ALTER TABLE a \
           RENAME TO b; CREATE INDEX i ON b (y); ALTER INDEX i RENAME TO j;",
        ],
    );
    let table = schema.table(&"b".into()).unwrap();
    assert_eq!(history.text(history.origins.column(&table.name, "y").unwrap().declared), "x int REFERENCES p");
    assert_eq!(
        history.text(history.origins.foreign_key(&table.name, &table.foreign_keys[0]).unwrap().declared),
        "REFERENCES p"
    );
    assert_eq!(history.text(history.origins.index(&table.name, "j").unwrap()), "CREATE INDEX i ON b (y)");
    assert!(history.origins.table(&"a".into()).is_none());
}

#[test]
fn what_the_engine_would_refuse_is_a_conflict() {
    let (_, history) = run(
        Engine::Postgres,
        &[
            "CREATE TABLE t (a int PRIMARY KEY);",
            "CREATE TABLE t (a int);\nDROP TABLE nothing;\nALTER TABLE t DROP COLUMN b;\nALTER TABLE t ADD COLUMN a int;",
            "CREATE TABLE IF NOT EXISTS t (a text, c int);\nCREATE TABLE u (t int REFERENCES v (id));",
        ],
    );
    let kinds: Vec<&ConflictKind> = history.conflicts.iter().map(|c| &c.kind).collect();
    assert!(matches!(kinds[0], ConflictKind::Exists { what, .. } if what.to_string() == "table `t`"));
    assert_eq!(history.conflicts[0].earlier.map(|p| p.file), Some(0));
    assert!(matches!(kinds[1], ConflictKind::Missing { what, .. } if what.to_string() == "table `nothing`"));
    assert!(matches!(kinds[2], ConflictKind::Missing { what, .. } if what.to_string() == "column `b`"));
    assert!(matches!(kinds[3], ConflictKind::Exists { what, .. } if what.to_string() == "column `a`"));
    let ConflictKind::HiddenDifference { differences, .. } = kinds[4] else { panic!("{:?}", kinds[4]) };
    assert_eq!(differences.len(), 4, "{differences:?}");
    assert!(matches!(kinds[5], ConflictKind::MissingParent { what, .. } if what.to_string() == "table `v`"));
    assert_eq!(kinds.len(), 6);
}

#[test]
fn a_definition_that_is_the_same_hides_nothing() {
    let sql = "CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY, b int REFERENCES t ON DELETE CASCADE);";
    for engine in ENGINES {
        let (_, history) = run(engine, &[sql, sql]);
        assert!(history.conflicts.is_empty(), "{engine}: {:?}", history.conflicts);
    }
}

#[test]
fn transactions_are_known() {
    let (_, history) =
        run(Engine::Sqlite, &["SELECT 1; COMMIT; PRAGMA foreign_keys = OFF; BEGIN; SELECT 2; END; SELECT 3;"]);
    let inside: Vec<bool> = history.steps.iter().map(|s| s.in_transaction).collect();
    assert_eq!(inside, [true, true, false, false, true, true, false]);
}

#[test]
fn the_rebuild_of_a_sqlite_table_keeps_the_keys_that_refer_to_it() {
    let (schema, history) = run(
        Engine::Sqlite,
        &["CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INT REFERENCES P ON DELETE CASCADE);
           CREATE TABLE `__new_p` (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO `__new_p` (id) SELECT id FROM p; DROP TABLE p;
           ALTER TABLE `__new_p` RENAME TO p;"],
    );
    let key = &schema.table(&"c".into()).unwrap().foreign_keys[0];
    assert_eq!((key.parent.name.as_str(), key.parent_columns.as_slice()), ("p", &["id".to_string()][..]));
    assert!(history.conflicts.is_empty());
}

#[test]
fn a_sqlite_table_that_is_set_aside_by_a_legacy_rename_keeps_no_references() {
    let parent = |pragmas: &str| {
        let sql = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INT REFERENCES p (id)); COMMIT; {pragmas} BEGIN;
             ALTER TABLE p RENAME TO old_p; CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT); COMMIT;"
        );
        run(Engine::Sqlite, &[&sql]).0.table(&"c".into()).unwrap().foreign_keys[0].parent.to_string()
    };
    assert_eq!(parent("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON;"), "p");
    assert_eq!(parent("PRAGMA legacy_alter_table = ON;"), "old_p");
    assert_eq!(
        parent("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = 1; PRAGMA legacy_alter_table = OFF;"),
        "old_p"
    );
    assert_eq!(parent("PRAGMA foreign_keys = OFF;"), "old_p");
}

#[test]
fn mysql_names_what_has_no_name_and_forgets_inline_references() {
    let sql = "CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE c (a INT REFERENCES p (id), b INT, FOREIGN KEY (b) \
               REFERENCES p (id)); ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES p (id); ALTER TABLE c DROP FOREIGN KEY c_ibfk_1; \
               CREATE TABLE m (a INT, FOREIGN KEY (a) REFERENCES p (id)) ENGINE=MyISAM; RENAME TABLE c TO d;";
    let names = |engine| {
        let (schema, _) = run(engine, &[sql]);
        let names = schema.foreign_keys().map(|(t, k)| format!("{}.{}", t.name, k.name.clone().unwrap_or_default()));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(Engine::Mysql), ["d.d_ibfk_2"]);
    assert_eq!(names(Engine::Mariadb), ["d.d_ibfk_3", "d.d_ibfk_2"]);
    let (schema, _) = run(Engine::Mysql, &[sql]);
    let indexes: Vec<&str> = schema.table(&"d".into()).unwrap().indexes.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(indexes, ["a", "b"]);
}

#[test]
fn cockroach_history_counts_references_without_action() {
    let base = "CREATE TABLE IF NOT EXISTS users (id UUID PRIMARY KEY DEFAULT gen_random_uuid());\n\
                CREATE TABLE IF NOT EXISTS a (id UUID PRIMARY KEY, user_id UUID NOT NULL REFERENCES users(id), INDEX (user_id));";
    let next = "CREATE TABLE IF NOT EXISTS b (user_id UUID NOT NULL REFERENCES users(id), n STRING);\n\
                ALTER TABLE a ADD COLUMN IF NOT EXISTS by UUID REFERENCES users(id) ON DELETE SET NULL;";
    let (schema, history) = run(Engine::Cockroach, &[base, next]);
    let unwritten: Vec<String> = schema
        .foreign_keys()
        .filter(|(_, k)| k.parent.name == "users" && k.on_delete_written == Some(false))
        .map(|(t, k)| format!("{}.{}", t.name, k.columns.join(",")))
        .collect();
    assert_eq!(unwritten, ["a.user_id", "b.user_id"]);
    assert!(history.conflicts.is_empty() && history.skipped.is_empty());
}

proptest! {
    #[test]
    fn any_statements_are_replayed(
        picks in proptest::collection::vec((0usize..14, 0usize..3, 0usize..3), 0..25),
    ) {
        let names = ["t", "u", "v"];
        let mut sql = String::new();
        for (kind, a, b) in picks {
            let (a, b) = (names[a], names[b]);
            sql.push_str(&match kind {
                0 | 1 => format!("CREATE TABLE {a} (id int PRIMARY KEY, {b}_id int REFERENCES {b}, k int UNIQUE);\n"),
                2 => format!("DROP TABLE IF EXISTS {a} CASCADE;\n"),
                3 => format!("ALTER TABLE {a} RENAME TO {b};\n"),
                4 => format!("ALTER TABLE {a} ADD COLUMN {b} int NOT NULL DEFAULT 0;\n"),
                5 => format!("ALTER TABLE {a} DROP COLUMN {b};\n"),
                6 => format!("ALTER TABLE {a} RENAME COLUMN k TO {b};\n"),
                7 => format!("ALTER TABLE {a} ADD CONSTRAINT f FOREIGN KEY (k) REFERENCES {b} (k) ON DELETE CASCADE;\n"),
                8 => format!("ALTER TABLE {a} DROP CONSTRAINT f;\n"),
                9 => format!("CREATE INDEX i_{b} ON {a} (k);\n"),
                10 => format!("DROP INDEX i_{b};\n"),
                11 => format!("ALTER TABLE {a} ALTER COLUMN k SET NOT NULL;\n"),
                12 => format!("CREATE TABLE {a} PARTITION OF {b} DEFAULT;\n"),
                _ => format!("CREATE TABLE {a} (id int) INHERITS ({b});\n"),
            });
        }
        for engine in ENGINES {
            let (schema, history) = run(engine, &[&sql]);
            let mut sorted = schema.clone();
            sorted.sort();
            prop_assert_eq!(&schema, &sorted);
            for (table, key) in schema.foreign_keys() {
                prop_assert!(history.origins.foreign_key(&table.name, key).is_some(), "{} {}\n{}", engine, table.name, sql);
            }
        }
    }
}

#[test]
fn libsql_replaces_what_a_column_refers_to() {
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY);\n\
               CREATE TABLE c (a INTEGER REFERENCES p (id), b INTEGER, FOREIGN KEY (b) REFERENCES p (id));\n\
               ALTER TABLE c ALTER COLUMN a TO a INTEGER NOT NULL REFERENCES p (id) ON DELETE CASCADE;\n\
               ALTER TABLE c ALTER COLUMN b TO b TEXT;";
    let (schema, history) = run(Engine::Sqlite, &[sql]);
    let table = schema.table(&"c".into()).unwrap();
    let keys: Vec<_> = table.foreign_keys.iter().map(|k| (k.columns[0].as_str(), k.on_delete)).collect();
    assert_eq!(keys, [("a", Action::Cascade), ("b", Action::NoAction)]);
    assert_eq!((table.is_nullable("a"), table.columns[1].data_type.raw.as_str()), (false, "TEXT"));
    assert!(history.skipped.is_empty() && history.conflicts.is_empty());
}

#[test]
fn a_table_made_of_a_query_is_noted_and_not_contradicted() {
    let sql = "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c AS SELECT id AS p_id FROM p;\n\
               ALTER TABLE c ALTER COLUMN p_id SET NOT NULL, ADD FOREIGN KEY (p_id) REFERENCES p (id);\n\
               ALTER TABLE c RENAME TO d;\nALTER TABLE d RENAME COLUMN p_id TO q_id;\n\
               ALTER TABLE p ALTER COLUMN nothing SET NOT NULL;";
    let (schema, history) = run(Engine::Postgres, &[sql]);
    assert_eq!(schema.table(&"d".into()).unwrap().foreign_keys.len(), 1);
    let conflicts: Vec<&str> = history.conflicts.iter().map(|c| history.text(c.at)).collect();
    assert_eq!((conflicts, history.skipped.len()), (vec!["ALTER COLUMN nothing SET NOT NULL"], 1));
}

#[test]
fn what_a_procedure_does_is_done_where_it_is_called() {
    let base = "CREATE TABLE p (id int PRIMARY KEY);\n\
                CREATE TABLE c (p_id int, CONSTRAINT f FOREIGN KEY (p_id) REFERENCES p (id));\n\
                CREATE PROCEDURE drop_key(IN tab TEXT, IN cons TEXT) BEGIN IF EXISTS (SELECT 1) THEN\n\
                SET @q = CONCAT('ALTER TABLE ', tab, ' DROP FOREIGN KEY ', cons, ';'); PREPARE s FROM @q; END IF; END;\n\
                CREATE PROCEDURE add_column() BEGIN ALTER TABLE c ADD COLUMN x int; END;\n\
                CREATE PROCEDURE never() BEGIN DROP TABLE c; END;";
    let next = "CALL drop_key('c', 'f');\nALTER TABLE c ADD CONSTRAINT f FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE;\n\
                CALL add_column();\nDROP PROCEDURE add_column;\nCALL drop_key('c', @which);";
    let (schema, history) = run(Engine::Mysql, &[base, next]);
    let table = schema.table(&"c".into()).unwrap();
    assert_eq!(table.foreign_keys[0].on_delete, Action::Cascade);
    assert!(table.column("x").is_some());
    assert!(history.conflicts.is_empty(), "{:?}", history.conflicts);
    let skipped: Vec<&str> = history.skipped.iter().map(|s| history.text(s.at)).collect();
    assert_eq!(skipped, ["DROP TABLE c", "CALL drop_key('c', @which)"]);
    let declared = history.origins.column(&"c".into(), "x").unwrap().declared;
    assert_eq!(history.text(declared), "CALL add_column()");
}

#[test]
fn a_second_trigger_of_a_name_takes_the_place_only_where_the_engine_has_or_replace() {
    let made = |engine: Engine, create: &str| {
        let sql = format!(
            "CREATE TABLE t (id INT PRIMARY KEY);\nCREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW DELETE FROM t;\n\
             {create} TRIGGER a AFTER DELETE ON t FOR EACH ROW DELETE FROM t;"
        );
        let (schema, history) = run(engine, &[&sql]);
        let triggers = schema.table(&"t".into()).unwrap().triggers.clone();
        assert_eq!(triggers.len(), 1);
        (triggers[0].at("DELETE").is_some(), history.conflicts.len())
    };
    // MySQL: error 1359.
    assert_eq!(made(Engine::Mysql, "CREATE"), (false, 1));
    assert_eq!(made(Engine::Mariadb, "CREATE OR REPLACE"), (true, 0));
}

#[test]
fn a_sequence_numbers_a_column_where_the_engine_has_sequences() {
    let numbered = |engine: Engine| {
        let sql = "CREATE TABLE t (id BIGINT PRIMARY KEY);\nALTER TABLE t ALTER COLUMN id SET DEFAULT nextval(s);";
        let (schema, _) = run(engine, &[sql]);
        schema.table(&"t".into()).unwrap().column("id").unwrap().auto_number
    };
    assert!(numbered(Engine::Mariadb));
    assert!(!numbered(Engine::Mysql));
}

#[test]
fn serial_numbers_a_column_that_is_not_null() {
    for engine in [Engine::Mysql, Engine::Mariadb] {
        let (schema, _) = run(engine, &["CREATE TABLE t (id SERIAL, b BIGINT);"]);
        let table = schema.table(&"t".into()).unwrap();
        let id = table.column("id").unwrap();
        assert_eq!((id.auto_number, id.nullable, id.data_type.unsigned), (true, false, true));
        assert!(!table.column("b").unwrap().auto_number);
    }
}
