//! SQLite's recipes, run on real databases with rows: up, again, down, up again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

#[path = "plan_sqlite/harness.rs"]
mod harness;

use harness::{Fixture, add, deferred, drop_key, key, nullable, replace};
use referee::change::Change;
use referee::schema::{Action, ForeignKey, Index};

const PARENTS: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT, w INT, UNIQUE (v, w));
    INSERT INTO p VALUES (1, 'a', 1, 1), (2, 'b', 1, 2), (7, 'c', 2, 1);";

/// Tables of every nasty form that have a column `a` without a key to `p.id`, and rows with gaps in their rowids.
const FORMS: &[(&str, &str)] = &[
    ("plain", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT); INSERT INTO t VALUES (5, 1, 'x'), (9, 7, NULL), (30, NULL, 'z')"),
    ("no primary key", "CREATE TABLE t (a INT, b TEXT); INSERT INTO t(rowid, a, b) VALUES (5, 1, 'x'), (9, 7, NULL), (30, NULL, 'z')"),
    ("text primary key", "CREATE TABLE t (k TEXT PRIMARY KEY, a INT); INSERT INTO t(rowid, k, a) VALUES (5, 'q', 1), (9, 'b', 7), (30, NULL, NULL)"),
    ("rowid shadowed", "CREATE TABLE t (rowid TEXT, a INT); INSERT INTO t(_rowid_, rowid, a) VALUES (5, 'q', 1), (9, 'b', 7)"),
    ("strict", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, x ANY, b BLOB) STRICT; INSERT INTO t VALUES (3, 1, 'x', x'00'), (4, 2, 1.5, NULL)"),
    ("without rowid", "CREATE TABLE t (k TEXT, l TEXT COLLATE NOCASE, a INT, PRIMARY KEY (l, k)) WITHOUT ROWID; INSERT INTO t VALUES ('x', 'Y', 1), ('a', 'b', 7)"),
    ("strict without rowid", "CREATE TABLE t (k TEXT PRIMARY KEY, a INTEGER) STRICT, WITHOUT ROWID; INSERT INTO t VALUES ('x', 1), ('a', 7)"),
    ("autoincrement", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT); INSERT INTO t VALUES (5, 1), (100, 2); DELETE FROM t WHERE id = 100"),
    ("autoincrement, emptied", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT); INSERT INTO t VALUES (100, 2); DELETE FROM t"),
    ("autoincrement, never used", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT)"),
    ("generated", "CREATE TABLE t (id INTEGER PRIMARY KEY, g INT GENERATED ALWAYS AS (a * 2) STORED, a INT, h TEXT AS (b || '!') VIRTUAL, b TEXT);
        CREATE INDEX th ON t (h); INSERT INTO t (id, a, b) VALUES (4, 1, 'x'), (8, 7, 'y')"),
    ("checks, collations, defaults", "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a INT DEFAULT 1 CHECK (a > 0 OR a IS NULL), b TEXT COLLATE NOCASE NOT NULL DEFAULT ('x, y)'),
        c REAL DEFAULT (1 + 2), CONSTRAINT \"odd name\" CHECK (length(b) < 100), CONSTRAINT uq UNIQUE (b, c) ON CONFLICT REPLACE);
        INSERT INTO t (id, a) VALUES (1, 1); INSERT INTO t (id, b) VALUES (5, 'q')"),
    ("comments", "CREATE TABLE t ( -- the table, (really)
        id INTEGER PRIMARY KEY, /* ), */
        a INT -- refers to p
        , b TEXT -- the last, REFERENCES nothing
        -- the end
    ); INSERT INTO t VALUES (2, 1, 'x')"),
    ("indexes", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT); INSERT INTO t VALUES (5, 1, 'x'), (9, 7, NULL), (30, NULL, 'z');
        CREATE INDEX t_a ON t (a DESC, b COLLATE NOCASE); CREATE UNIQUE INDEX \"t b\" ON t (b); CREATE INDEX t_p ON t (a) WHERE b IS NOT NULL;
        CREATE INDEX t_e ON t (lower(b), a + 1) WHERE a > 0"),
    ("triggers", "CREATE TABLE log (what TEXT); CREATE TABLE t (id INTEGER PRIMARY KEY, a INT); CREATE TABLE o (x INT);
        CREATE TRIGGER t_ins AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('ins ' || new.id); END;
        CREATE TRIGGER t_del BEFORE DELETE ON t WHEN old.a > 0 BEGIN INSERT INTO log SELECT 'del ' || count(*) FROM t; END;
        CREATE TRIGGER o_ins AFTER INSERT ON o BEGIN UPDATE t SET a = a WHERE id = new.x; DELETE FROM t WHERE id = -1; END;
        INSERT INTO t VALUES (1, 1), (2, 7)"),
    ("views", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE TABLE log (what TEXT);
        CREATE VIEW v AS SELECT t.id, p.u FROM t LEFT JOIN p ON p.id = t.a; CREATE VIEW vv AS SELECT * FROM v WHERE id > 1;
        CREATE VIEW broken AS SELECT missing_column FROM t, gone;
        CREATE TRIGGER vv_ins INSTEAD OF INSERT ON vv BEGIN INSERT INTO t (id) VALUES (new.id); END;
        INSERT INTO t VALUES (1, 1, 'x'), (4, 7, 'y')"),
    ("quoted columns", "CREATE TABLE t (\"id\" INTEGER PRIMARY KEY, [a] INT, `order` TEXT, \"x\"\"y\" INT, 'lit' INT); INSERT INTO t VALUES (3, 1, 'x', 2, 3)"),
    ("children that cascade", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT); INSERT INTO t VALUES (1, 1), (2, 7);
        CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INT NOT NULL REFERENCES t (id) ON DELETE CASCADE ON UPDATE CASCADE);
        CREATE TABLE d (id INTEGER PRIMARY KEY, t_id INT REFERENCES \"t\" ON DELETE SET NULL, c_id INT REFERENCES c ON DELETE RESTRICT);
        INSERT INTO c VALUES (1, 1), (2, 1), (3, 2); INSERT INTO d VALUES (1, 2, 1), (2, 1, 3)"),
    ("self reference", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, up INT REFERENCES t (id) ON DELETE RESTRICT); INSERT INTO t VALUES (1, 1, NULL), (2, 7, 1), (3, NULL, 3)"),
    ("cycle", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, o_id INT REFERENCES o DEFERRABLE INITIALLY DEFERRED); CREATE TABLE o (id INTEGER PRIMARY KEY, t_id INT REFERENCES t (id) ON DELETE CASCADE);
        INSERT INTO t VALUES (1, 1, 1), (2, 7, NULL); INSERT INTO o VALUES (1, 2)"),
    ("orphans of another key", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, z INT REFERENCES p (id)); INSERT INTO t VALUES (1, 1, 99), (2, 7, 2)"),
    ("another key is broken", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, z INT REFERENCES p (w), y INT REFERENCES gone); INSERT INTO t VALUES (1, 1, 99, 1), (2, 7, 2, NULL)"),
    ("no comma between constraints", "CREATE TABLE t (id INTEGER, a INT, b INT, CHECK (b > 0) UNIQUE (b) FOREIGN KEY (b) REFERENCES p (id)); INSERT INTO t VALUES (1, 1, 2), (2, 7, NULL)"),
    ("its text is quoted by a rename", "CREATE TABLE old (id INTEGER PRIMARY KEY, a INT); ALTER TABLE old RENAME TO t; ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 3; INSERT INTO t VALUES (1, 1, 2)"),
    ("upper case", "CREATE TABLE T2 (x INT); CREATE TABLE IF NOT EXISTS main.\"t\" (\"ID\" INTEGER PRIMARY KEY, A INT); INSERT INTO t VALUES (1, 1)"),
];

fn column(fixture: &Fixture) -> String {
    fixture.table("t").columns.iter().find(|c| c.name.eq_ignore_ascii_case("a")).unwrap().name.clone()
}

#[test]
fn a_key_is_added_to_every_form_of_table() {
    for (form, sql) in FORMS {
        let fixture = Fixture::new(&format!("{PARENTS} {sql}"));
        let mut wanted = key(&column(&fixture), "p", "id", Action::SetNull);
        wanted.name = Some("t_a_fkey".into());
        fixture.round_trip(form, &[add("t", wanted)]);
    }
}

#[test]
fn several_changes_of_a_table_are_one_rebuild() {
    for (form, sql) in FORMS {
        let fixture = Fixture::new(&format!("{PARENTS} {sql}"));
        let a = column(&fixture);
        let changes = [
            add("t", key(&a, "p", "id", Action::Cascade)),
            add("t", deferred(key(&a, "t", "none", Action::NoAction))).clone(),
        ];
        // The second key has no parent column: it is refused and the first is made all the same.
        let made = fixture.made(&changes);
        assert_eq!((made.steps.len(), made.refused.len()), (1, 1), "{form}: {:?}", made.refused);
        let index = Change::AddIndex { table: "t".into(), index: Index::on("new_index", [&a]) };
        let steps = fixture.round_trip(form, &[changes[0].clone(), index]);
        assert_eq!(steps, 1, "{form}");
    }
}

#[test]
fn keys_are_replaced_and_dropped_wherever_they_stand() {
    for (form, column, rest) in [
        ("inline", "a INT NOT NULL CONSTRAINT fk REFERENCES p (id) ON UPDATE CASCADE ON DELETE CASCADE", ""),
        ("inline, implied columns", "a INT NOT NULL REFERENCES p ON DELETE CASCADE", ""),
        ("inline, nothing said", "a INT REFERENCES p -- the parent\n NOT NULL", ""),
        (
            "table",
            "a INT NOT NULL",
            ", CONSTRAINT \"f k\" FOREIGN KEY (a) /* ( */ REFERENCES p (id) ON DELETE SET NULL -- why\n",
        ),
        (
            "table, followed",
            "a INT NOT NULL",
            ", FOREIGN KEY (a) REFERENCES p MATCH FULL NOT DEFERRABLE, CHECK (a > 0)",
        ),
        ("deferred", "a INT NOT NULL", ", FOREIGN KEY (a) REFERENCES \"P\" (\"ID\") DEFERRABLE INITIALLY DEFERRED"),
        ("composite", "a INT NOT NULL, b INT", ", FOREIGN KEY (a, b) REFERENCES p (v, w) ON DELETE CASCADE"),
    ] {
        let fixture = Fixture::new(&format!(
            "{PARENTS} CREATE TABLE t (id INTEGER PRIMARY KEY, {column}{rest}); INSERT INTO t (id, a) VALUES (3, 1), (6, 2);
             CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INT REFERENCES t ON DELETE CASCADE); INSERT INTO c VALUES (1, 3);"
        ));
        let old = fixture.table("t").foreign_keys[0].clone();
        for action in [Action::Restrict, Action::SetNull, Action::NoAction] {
            let new = ForeignKey { on_delete: action, on_delete_written: Some(true), ..old.clone() };
            if new != old {
                fixture.round_trip(&format!("{form} {action}"), &[replace("t", &old, new)]);
            }
        }
        let named = ForeignKey { name: Some("other".into()), on_update: Action::SetNull, ..deferred(old.clone()) };
        fixture.round_trip(&format!("{form} named"), &[replace("t", &old, named)]);
        fixture.round_trip(&format!("{form} dropped"), &[drop_key("t", &old)]);
        fixture.round_trip(&format!("{form} nullable"), &[nullable("t", "a", true)]);
        let set_null = ForeignKey { on_delete: Action::SetNull, ..old.clone() };
        if set_null != old {
            fixture.round_trip(&format!("{form} set null"), &[nullable("t", "a", true), replace("t", &old, set_null)]);
        }
    }
}

#[test]
fn defaults_and_not_null() {
    let fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT DEFAULT 5 NOT NULL, b INT); INSERT INTO t VALUES (1, 2, 3);",
    );
    let default = |default: Option<&str>| Change::SetDefault {
        table: "t".into(),
        column: "a".into(),
        default: default.map(str::to_string),
    };
    for value in [None, Some("7"), Some("'it''s'"), Some("1 + abs(-2)"), Some("CURRENT_TIMESTAMP"), Some("NULL")] {
        fixture.round_trip("default", &[default(value)]);
    }
    fixture.round_trip("not null", &[nullable("t", "b", false)]);
}

#[test]
fn duplicate_keys_lose_one_of_them() {
    let fixture = Fixture::new(&format!(
        "{PARENTS} CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES p (id), FOREIGN KEY (a) REFERENCES p (id),
            CONSTRAINT x FOREIGN KEY (a) REFERENCES p (id)); INSERT INTO t VALUES (1, 2);"
    ));
    for key in &fixture.table("t").foreign_keys {
        fixture.round_trip("duplicate", &[drop_key("t", key)]);
    }
}

#[test]
fn indexes_are_made_and_dropped_by_themselves() {
    let fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 2, 'x'), (2, 2, 'X'), (3, NULL, 'x');
         CREATE INDEX \"Odd \"\"Name\" ON t (b COLLATE BINARY, a DESC) WHERE a > 0 -- why
         ; CREATE TABLE o (x INT);",
    );
    let index = |index: Index| Change::AddIndex { table: "t".into(), index };
    let old = fixture.table("t").indexes[0].clone();
    fixture.round_trip("drop", &[Change::DropIndex { table: "t".into(), index: old }]);
    fixture.round_trip("add", &[index(Index::on("select", ["a"]))]);
    let mut unique = Index::on("u", ["id", "b"]);
    unique.unique = true;
    fixture.round_trip("unique", &[index(unique)]);
    let partial = Index { predicate: Some("a IS NOT NULL".into()), ..Index::on("part", ["b", "a"]) };
    fixture.round_trip("partial", &[index(partial)]);
}
