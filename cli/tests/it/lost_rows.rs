//! No row is lost that the plan did not name: what acts on the rows of a partition, and what is protected, told on the engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::process::{Command, Stdio};

use crate::support::postgres as server;
use tempfile::TempDir;

const ORDERS_OF_USERS: &str = "[[relation]]\nchild = \"orders.uid\"\nparent = \"users.id\"\n";

/// The order 3 has no user; it lies in the first partition.
const ORDERS: &str = "
    CREATE TABLE users (id int PRIMARY KEY);
    CREATE TABLE orders (id int PRIMARY KEY, uid int NOT NULL, note text) PARTITION BY RANGE (id);
    CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (100);
    CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (100) TO (200);
    INSERT INTO users VALUES (1), (2), (3);
    INSERT INTO orders VALUES (1, 1), (2, 2), (3, 9), (4, 1), (101, 1), (102, 1), (103, 1);";

/// A database and a project's folder.
struct Place {
    folder: TempDir,
    url: String,
}

struct Run {
    code: i32,
    text: String,
}

impl Place {
    fn new(config: &str, sql: &str) -> Self {
        let place = Self { folder: TempDir::new().unwrap(), url: server::fresh_database() };
        std::fs::write(place.folder.path().join("referee.toml"), config).unwrap();
        server::execute(&place.url, sql);
        place
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap()).concat();
        assert!(!text.contains("panicked"), "{text}");
        // Lines are broken where the terminal ends.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Run { code: output.status.code().unwrap(), text }
    }

    fn fix(&self, arguments: &[&str]) -> Run {
        self.run(&[&["fix", &self.url, "--apply", "--yes"], arguments].concat())
    }

    /// Returns the rows of all tables, without the backups.
    fn rows(&self) -> Vec<String> {
        let mut client = server::connect(&self.url);
        let tables = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                      WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public' AND c.relname NOT LIKE '\\_referee\\_%' ORDER BY 1";
        let tables: Vec<String> = client.query(tables, &[]).unwrap().iter().map(|r| r.get(0)).collect();
        let mut all = Vec::new();
        for table in tables {
            let rows = client.query(&format!("SELECT t::text FROM {table} t ORDER BY 1"), &[]).unwrap();
            all.extend(rows.iter().map(|r| format!("{table} {}", r.get::<_, String>(0))));
        }
        all
    }

    /// Sees that a clean-up is refused, and why, and that no row has changed.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], why: &str) {
        let before = self.rows();
        let run = self.fix(arguments);
        assert!(run.code == 1 && run.text.contains(why), "{}", run.text);
        assert_eq!(self.rows(), before);
    }

    /// Sees that a clean-up changes these rows only, says so before, and that its undo restores them.
    #[track_caller]
    fn changes(&self, arguments: &[&str], gone: &[&str], told: &str) {
        let before = self.rows();
        let run = self.fix(arguments);
        assert!(run.code == 0 && run.text.contains(told), "{}", run.text);
        let after = self.rows();
        let lost: Vec<&String> = before.iter().filter(|r| !after.contains(r)).collect();
        assert_eq!(lost, gone.iter().collect::<Vec<_>>(), "{}", run.text);
        let run = self.fix(&["--undo"]);
        assert_eq!(run.code, 0, "{}", run.text);
        assert_eq!(self.rows(), before);
    }
}

#[test]
fn rows_follow_by_a_key_to_one_partition() {
    let place = Place::new(
        ORDERS_OF_USERS,
        &format!(
            "{ORDERS}
            CREATE TABLE lines (id int PRIMARY KEY, oid int NOT NULL REFERENCES orders_1 (id) ON DELETE CASCADE, price int);
            INSERT INTO lines VALUES (1, 1, 10), (2, 3, 20), (3, 3, 30);"
        ),
    );
    let gone = ["lines (2,3,20)", "lines (3,3,30)", "orders (3,9,)", "orders_1 (3,9,)"];
    place.changes(&["--orphans", "delete"], &gone, "deletes up to 3 rows (2 lines, 1 orders)");
}

#[test]
fn references_to_one_partition_become_null() {
    let place = Place::new(
        ORDERS_OF_USERS,
        &format!(
            "{ORDERS}
            CREATE TABLE lines (id int PRIMARY KEY, oid int REFERENCES orders_1 (id) ON DELETE SET NULL);
            INSERT INTO lines VALUES (1, 1), (2, 3);"
        ),
    );
    let gone = ["lines (2,3)", "orders (3,9,)", "orders_1 (3,9,)"];
    place.changes(&["--orphans", "delete"], &gone, "sets up to 1 row (1 lines.oid) to NULL");
}

#[test]
fn rows_follow_by_a_key_that_one_partition_holds() {
    let place = Place::new(
        "",
        "CREATE TABLE users (id int PRIMARY KEY);
         CREATE TABLE orders (id int PRIMARY KEY, uid int NOT NULL);
         CREATE TABLE lines (id int PRIMARY KEY, oid int NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE lines_1 PARTITION OF lines FOR VALUES FROM (0) TO (100);
         CREATE TABLE lines_2 PARTITION OF lines FOR VALUES FROM (100) TO (200);
         ALTER TABLE lines_1 ADD FOREIGN KEY (oid) REFERENCES orders (id) ON DELETE CASCADE;
         INSERT INTO users VALUES (1), (2);
         INSERT INTO orders VALUES (1, 1), (2, 1), (3, 9), (4, 2);
         INSERT INTO lines VALUES (1, 1), (2, 3), (102, 3);
         ALTER TABLE orders ADD CONSTRAINT ofk FOREIGN KEY (uid) REFERENCES users (id) NOT VALID;",
    );
    place.changes(&["--orphans", "delete"], &["lines (2,3)", "lines_1 (2,3)", "orders (3,9)"], "(1 lines, 1 orders)");
}

#[test]
fn trigger_of_one_partition_stops_a_clean_up() {
    let trigger = "
        CREATE TABLE invoices (oid int PRIMARY KEY);
        INSERT INTO invoices VALUES (1), (2), (3);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM invoices WHERE oid = OLD.id; RETURN OLD; END $$;
        CREATE TRIGGER tr AFTER DELETE ON orders_1 FOR EACH ROW EXECUTE FUNCTION f();";
    let place = Place::new(ORDERS_OF_USERS, &format!("{ORDERS}{trigger}"));
    place.refuses(&["--orphans", "delete"], "at each DELETE trigger tr on `orders_1`");
}

#[test]
fn trigger_of_one_partition_below_stops_a_clean_up() {
    let place = Place::new(
        "",
        "CREATE TABLE users (id int PRIMARY KEY);
         CREATE TABLE orders (id int PRIMARY KEY, uid int NOT NULL);
         CREATE TABLE lines (id int PRIMARY KEY, oid int NOT NULL REFERENCES orders (id)) PARTITION BY RANGE (id);
         CREATE TABLE lines_1 PARTITION OF lines FOR VALUES FROM (0) TO (100);
         CREATE TABLE stock (n int);
         INSERT INTO users VALUES (1), (2);
         INSERT INTO orders VALUES (1, 1), (2, 1), (3, 9), (4, 2);
         INSERT INTO lines VALUES (1, 1), (2, 3);
         INSERT INTO stock VALUES (5);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE stock SET n = n + 1; RETURN OLD; END $$;
         CREATE TRIGGER tr AFTER DELETE ON lines_1 FOR EACH ROW EXECUTE FUNCTION f();
         ALTER TABLE orders ADD CONSTRAINT ofk FOREIGN KEY (uid) REFERENCES users (id) NOT VALID;",
    );
    place.refuses(&["--orphans", "delete"], "at each DELETE trigger tr on `lines_1`");
}

#[test]
fn column_that_a_key_to_one_partition_needs_does_not_become_null() {
    let place = Place::new(
        "[[relation]]\nchild = \"opt.uid\"\nparent = \"users.id\"\non_delete = \"set null\"\n",
        "CREATE TABLE users (id int PRIMARY KEY);
         INSERT INTO users SELECT generate_series(1, 9);
         CREATE TABLE opt (id int PRIMARY KEY, uid int) PARTITION BY RANGE (id);
         CREATE TABLE opt_1 PARTITION OF opt FOR VALUES FROM (0) TO (100);
         CREATE UNIQUE INDEX ou ON opt_1 (uid);
         CREATE TABLE notes (id int PRIMARY KEY, uid int REFERENCES opt_1 (uid) ON UPDATE CASCADE);
         CREATE INDEX ON notes (uid);
         INSERT INTO opt VALUES (1, 1), (2, 2), (3, 99), (4, 4);
         INSERT INTO notes VALUES (1, 1), (2, 99);",
    );
    place.refuses(&["--orphans", "set-null"], "`notes.uid` refers to the same column");
}

#[test]
fn no_row_of_a_protected_table_goes_with_its_parent() {
    let orders = "
        CREATE TABLE users (id int PRIMARY KEY);
        CREATE TABLE orders (id int PRIMARY KEY, uid int NOT NULL);
        CREATE TABLE ledger (id int PRIMARY KEY, oid int NOT NULL REFERENCES orders (id), amount int);
        INSERT INTO users VALUES (1), (2);
        INSERT INTO orders VALUES (1, 1), (2, 1), (3, 9), (4, 2);
        INSERT INTO ledger VALUES (1, 1, 5), (2, 3, 100), (3, 3, 200);
        ALTER TABLE orders ADD CONSTRAINT ofk FOREIGN KEY (uid) REFERENCES users (id) NOT VALID;";
    let place = Place::new("[fate]\nnever_cascade_into = [\"ledger\"]\n", orders);
    let why =
        "2 rows of ledger.oid would go with rows of `orders`, and referee.toml lists `ledger` under never_cascade_into";
    place.refuses(&["--orphans", "delete"], why);
    place.refuses(&["--orphans", "quarantine"], why);
    place.refuses(&["--orphans", "delete", "--orphans", "ledger.oid=delete"], why);
    // Where the reference may be NULL, the row stays.
    server::execute(&place.url, "ALTER TABLE ledger ALTER oid DROP NOT NULL");
    place.changes(
        &["--orphans", "delete"],
        &["ledger (2,3,100)", "ledger (3,3,200)", "orders (3,9)"],
        "(2 ledger.oid)",
    );
}

/// A row of `lines` refers to no order yet: its reference is NULL in part, which MATCH SIMPLE allows.
const HALF_FILLED: &str = "
    CREATE TABLE orders (tenant int NOT NULL, no int, PRIMARY KEY (tenant, no));
    CREATE TABLE lines (id int PRIMARY KEY, tenant int, no int, x text);
    CREATE INDEX ON lines (tenant, no);
    INSERT INTO orders VALUES (1, 1), (1, 2), (2, 1);
    INSERT INTO lines VALUES (1, 1, 1, ''), (2, 1, 2, ''), (4, 2, 1, ''), (5, 1, 1, ''), (6, 1, NULL, 'draft'), (7, 9, 9, 'orphan');
    ALTER TABLE lines ADD CONSTRAINT lfk FOREIGN KEY (tenant, no) REFERENCES orders (tenant, no) NOT VALID;";

const FULL: [&str; 2] = ["--choose", "lines.(tenant, no)=match-full"];

#[test]
fn row_that_is_null_in_part_is_changed_by_no_migration() {
    for words in [["--orphans", "lines.(tenant, no)=delete"], ["--orphans", "set-null"]] {
        let place = Place::new("", HALF_FILLED);
        let out = place.run(
            &[&["fix", &place.url, "--no-data", "--out", "mig", "--layout", "sql"], &FULL[..], &words[..]].concat(),
        );
        assert!(out.code <= 1, "{}", out.text);
        let mut stopped = String::new();
        let mut files: Vec<_> =
            std::fs::read_dir(place.folder.path().join("mig")).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files.retain(|f| f.to_string_lossy().ends_with(".up.sql"));
        assert!(!files.is_empty(), "{words:?}: {}", out.text);
        for file in &files {
            // Some of its lines are psql's own.
            let psql = Command::new("psql").args(["-X", "-q", "-f"]).arg(file).arg(&place.url).output().unwrap();
            stopped.push_str(&String::from_utf8_lossy(&psql.stderr));
        }
        assert!(
            stopped.contains("hold only a part of lines.(tenant, no), which MATCH FULL does not allow"),
            "{words:?}: {stopped}"
        );
        let rows = place.rows();
        assert!(rows.contains(&"lines (6,1,,draft)".to_string()), "{words:?}: {rows:?} {stopped}");
    }
}

#[test]
fn row_that_is_null_in_part_is_named_and_kept() {
    let place = Place::new("", HALF_FILLED);
    let run = place.fix(&[&FULL[..], &["--orphans", "lines.(tenant, no)=delete"]].concat());
    assert!(
        run.text.contains("hold only a part of lines.(tenant, no), which MATCH FULL does not allow"),
        "{}",
        run.text
    );
    assert!(place.rows().contains(&"lines (6,1,,draft)".to_string()), "{:?}", place.rows());
}

#[test]
fn a_run_of_another_database_is_neither_undone_nor_gone_on_with() {
    let posts =
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL);
        INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1, 1), (2, 1), (3, 9);
        ALTER TABLE posts ADD CONSTRAINT k FOREIGN KEY (user_id) REFERENCES users NOT VALID;";
    let (one, other) = (Place::new("", posts), Place::new("", posts));
    // As if one URL had led to both of them, one after the other.
    let journal = one.folder.path().join("run");
    let journal = ["--journal", journal.to_str().unwrap()];
    let applied = one.fix(&[&["--orphans", "delete"], &journal[..]].concat());
    assert_eq!(applied.code, 0, "{}", applied.text);
    let before = other.rows();
    let undone = other.fix(&[&["--undo"], &journal[..]].concat());
    assert!(undone.code == 2 && undone.text.contains("were made in another database"), "{}", undone.text);
    // A run that stopped there: its journal lacks the end.
    let text = std::fs::read_to_string(journal[1]).unwrap();
    let begun: String =
        text.lines().filter(|l| !l.contains("\"event\":\"finished\"")).map(|l| format!("{l}\n")).collect();
    std::fs::write(journal[1], begun).unwrap();
    for more in [&[][..], &["--new-plan"]] {
        let run = other.fix(&[&["--orphans", "delete"], &journal[..], more].concat());
        assert!(run.code == 2 && run.text.contains("was begun in another database"), "{}", run.text);
    }
    assert_eq!(other.rows(), before);
    let undone = one.fix(&[&["--undo"], &journal[..]].concat());
    assert_eq!(undone.code, 0, "{}", undone.text);
    assert_eq!(one.rows(), before);
}

#[test]
fn an_old_reference_is_not_written_into_another_row_that_took_its_key() {
    let place = Place::new(
        "",
        "CREATE TABLE users (id int PRIMARY KEY);
         CREATE TABLE orders (id int PRIMARY KEY, user_id int, note text, doc json);
         INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1, 'a', '{}'), (2, 9, 'b', '{}'), (3, 9, 'c', NULL);
         ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (user_id) REFERENCES users NOT VALID;",
    );
    let before = place.rows();
    assert_eq!(place.fix(&["--orphans", "set-null"]).code, 0);
    server::execute(
        &place.url,
        "DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (3, NULL, 'a guest', NULL)",
    );
    let undone = place.fix(&["--undo"]);
    assert!(undone.code == 2 && undone.text.contains("id = 3") && !undone.text.contains("id = 2"), "{}", undone.text);
    server::execute(&place.url, "UPDATE orders SET note = 'c' WHERE id = 3");
    let undone = place.fix(&["--undo"]);
    assert_eq!(undone.code, 0, "{}", undone.text);
    assert_eq!(place.rows(), before);
}

#[test]
fn a_key_that_its_owner_has_changed_is_not_changed_back() {
    let place = Place::new(
        "",
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY, uid int NOT NULL);
         CREATE INDEX ON orders (uid); INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1), (2, 1), (3, 9);
         ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (uid) REFERENCES users ON DELETE CASCADE NOT VALID;",
    );
    let before = place.rows();
    assert_eq!(place.fix(&["--orphans", "delete"]).code, 0);
    let to = |action: &str| {
        format!(
            "ALTER TABLE orders DROP CONSTRAINT k, ADD CONSTRAINT k FOREIGN KEY (uid) REFERENCES users ON DELETE {action}"
        )
    };
    server::execute(&place.url, &to("RESTRICT"));
    let after = place.rows();
    let undone = place.fix(&["--undo"]);
    assert!(
        undone.code == 2 && undone.text.contains("the foreign key k of `orders` has been changed"),
        "{}",
        undone.text
    );
    let defined = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'k'";
    let now: String = server::connect(&place.url).query_one(defined, &[]).unwrap().get(0);
    assert!(now.ends_with("ON DELETE RESTRICT"), "{now}");
    assert_eq!(place.rows(), after);
    server::execute(&place.url, &to("CASCADE"));
    let undone = place.fix(&["--undo"]);
    assert_eq!(undone.code, 0, "{}", undone.text);
    assert_eq!(place.rows(), before);
}

/// The row 3 of `c` has no parent; what else is there is precious.
const PRECIOUS: &str = "
    CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
    CREATE TABLE v (id int PRIMARY KEY, n int); INSERT INTO v VALUES (1, 10), (2, 20);
    CREATE TABLE lg (id serial PRIMARY KEY, what text);
    CREATE TABLE c (id int PRIMARY KEY, p_id int NULLS, amount numeric(12, 2), arr int[]);
    CREATE INDEX ON c (p_id);
    INSERT INTO c VALUES (1, 1, 1.25, '{1}'), (2, 2, 2.5, '{2}'), (3, 9, 3.75, '{3}');
    ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;";

/// What the reader of trigger bodies takes for harmless is not taken on trust: the server's own count stops the step.
#[test]
fn what_the_server_counts_beside_the_orphans_rolls_the_step_back() {
    let function = |body: &str| {
        format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ DECLARE x int; BEGIN {body} RETURN NULL; END $x$;
             CREATE TRIGGER tg AFTER DELETE ON c FOR EACH ROW EXECUTE FUNCTION f();"
        )
    };
    let deletes: Vec<String> = [
        ("CREATE FUNCTION log(text) RETURNS void LANGUAGE sql AS 'UPDATE v SET n = 0'", "PERFORM log('x');"),
        (
            "CREATE FUNCTION opk(int, int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM v; RETURN true; END';
             CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = opk)",
            "IF old.id === 3 THEN NULL; END IF;",
        ),
        (
            "CREATE FUNCTION bump() RETURNS int LANGUAGE sql AS 'UPDATE v SET n = n + 1 RETURNING 1'; CREATE VIEW nn AS SELECT bump() AS no",
            "INSERT INTO lg (what) SELECT no::text FROM nn;",
        ),
        ("", "PERFORM pg_catalog.lo_unlink(1);"),
        ("", "SET LOCAL session_replication_role = replica;"),
        ("", "DO $y$ BEGIN DELETE FROM v; END $y$;"),
        ("", "TRUNCATE v;"),
        ("", "DROP TABLE v;"),
        ("", "ALTER TABLE v ALTER n TYPE bigint USING 0;"),
    ]
    .into_iter()
    .map(|(more, body)| format!("{more};{}", function(body)))
    .chain([
        format!("{} ALTER TABLE c ENABLE REPLICA TRIGGER tg; ALTER DATABASE db SET session_replication_role = replica;", function("DELETE FROM v;")),
        // It fires only when the transaction ends.
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN DO $y$ BEGIN DELETE FROM v; END $y$; RETURN NULL; END $x$;
         CREATE CONSTRAINT TRIGGER tg AFTER DELETE ON c DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();"
            .to_string(),
        // It puts off another one, which fires after that.
        "CREATE FUNCTION far() RETURNS bool LANGUAGE plpgsql AS $x$ BEGIN DELETE FROM v; RETURN true; END $x$; CREATE VIEW vw AS SELECT far() AS b;
         CREATE TABLE lg2 (what text);
         CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN INSERT INTO lg2 SELECT b::text FROM vw; RETURN NULL; END $x$;
         CREATE CONSTRAINT TRIGGER tg2 AFTER INSERT ON lg DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION g();
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO lg (what) VALUES ('x'); RETURN NULL; END $x$;
         CREATE CONSTRAINT TRIGGER tg AFTER DELETE ON c DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();"
            .to_string(),
        // The backup is a table, and making it an event.
        "CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS $x$ BEGIN DELETE FROM v; END $x$;
         CREATE EVENT TRIGGER evt ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION ev();"
            .to_string(),
    ])
    .collect();
    for more in deletes {
        let place = Place::new("", &PRECIOUS.replace("NULLS", "NOT NULL"));
        let name: String = server::connect(&place.url).query_one("SELECT current_database()", &[]).unwrap().get(0);
        server::execute(&place.url, &more.replace("DATABASE db", &format!("DATABASE {name}")));
        let before = place.rows();
        let run = place.fix(&["--orphans", "delete"]);
        assert!(run.code > 0 && !run.text.contains("Verified"), "{more}: {}", run.text);
        assert_eq!(place.rows(), before, "{more}: {}", run.text);
    }
}

#[test]
fn what_a_trigger_writes_into_the_row_itself_rolls_the_step_back() {
    for body in [
        "SELECT 0 INTO STRICT NEW.amount;",
        "NEW.arr[1] := 7;",
        "FOR NEW.amount IN SELECT 0 LOOP NULL; END LOOP;",
        "PERFORM 1; GET DIAGNOSTICS NEW.amount = ROW_COUNT;",
        "f.new.amount := 0;",
    ] {
        let trigger = format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN {body} RETURN NEW; END $x$;
             CREATE TRIGGER tg BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f();"
        );
        let place = Place::new("", &format!("{}{trigger}", PRECIOUS.replace("NULLS", "")));
        let before = place.rows();
        let run = place.fix(&["--orphans", "set-null"]);
        assert!(run.code > 0 && !run.text.contains("Verified"), "{body}: {}", run.text);
        assert_eq!(place.rows(), before, "{body}: {}", run.text);
        // With rows that follow it is another step.
        server::execute(
            &place.url,
            "CREATE TABLE g (id int PRIMARY KEY); CREATE TABLE e (id int PRIMARY KEY, g_id int NOT NULL); INSERT INTO e VALUES (2, 5);
             ALTER TABLE e ADD FOREIGN KEY (g_id) REFERENCES g NOT VALID; CREATE INDEX ON e (g_id);
             ALTER TABLE c DROP CONSTRAINT c_p_id_fkey, ADD FOREIGN KEY (p_id) REFERENCES e ON DELETE SET NULL NOT VALID;
             DELETE FROM c WHERE id <> 2;",
        );
        let before = place.rows();
        let run = place.fix(&["--orphans", "delete"]);
        assert!(run.code > 0 && !run.text.contains("Verified"), "{body}: {}", run.text);
        assert_eq!(place.rows(), before, "{body}: {}", run.text);
    }
}

#[test]
fn a_row_that_would_move_to_another_partition_stays() {
    let place = Place::new(
        "",
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
         CREATE TABLE c (id int, p_id int, t text) PARTITION BY LIST (p_id);
         CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1, 2, 9); CREATE TABLE cd PARTITION OF c DEFAULT;
         CREATE INDEX ON c (p_id);
         INSERT INTO c VALUES (1, 1, 'a'), (3, 9, 'precious');
         ALTER TABLE c1 ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER tg BEFORE INSERT ON cd FOR EACH ROW EXECUTE FUNCTION f();",
    );
    let config = "[[relation]]\nchild = \"c.p_id\"\nparent = \"p.id\"\n";
    std::fs::write(place.folder.path().join("referee.toml"), config).unwrap();
    let before = place.rows();
    let run = place.fix(&["--orphans", "set-null"]);
    assert!(run.code > 0, "{}", run.text);
    assert_eq!(place.rows(), before, "{}", run.text);
}

/// What was changed between the plan and the run stops a script, too.
#[test]
fn a_table_that_was_changed_since_planning_keeps_its_rows() {
    for change in [
        "ALTER TABLE c ADD invoice text; UPDATE c SET invoice = 'INV-' || id",
        "CREATE TABLE archive (by text) INHERITS (c); WITH g AS (DELETE FROM c WHERE id = 3 RETURNING *) INSERT INTO archive SELECT * FROM g",
        "CREATE TABLE p2 (id int PRIMARY KEY); INSERT INTO p2 VALUES (1), (2), (9); ALTER TABLE c DROP CONSTRAINT c_p_id_fkey;
         ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p2",
        "ALTER TABLE c DROP CONSTRAINT c_p_id_fkey",
    ] {
        let place = Place::new("", &PRECIOUS.replace("NULLS", "NOT NULL"));
        let made = place.run(&["fix", &place.url, "--orphans", "delete", "--format", "sql", "-o", "plan.sql"]);
        assert_eq!(made.code, 0, "{}", made.text);
        server::execute(&place.url, change);
        let before = place.rows();
        let file = place.folder.path().join("plan.sql");
        let psql = Command::new("psql").args(["-X", "-q", "-f"]).arg(file).arg(&place.url).output().unwrap();
        let said = String::from_utf8_lossy(&psql.stderr).to_string();
        assert!(said.contains("is not as it was when this was planned"), "{change}: {said}");
        assert_eq!(place.rows(), before, "{change}");
    }
}

/// An undo finds its rows whatever their types are, and one that has the key of another now is none of them, whatever triggers the
/// table has.
#[test]
fn an_undo_compares_rows_of_every_type_and_under_triggers() {
    let place = Place::new(
        "",
        &format!(
            "{} ALTER TABLE c ADD j json[] DEFAULT ARRAY['{{\"a\": 1}}'::json], ADD b box DEFAULT '((0,0),(1,4))', ADD k jsonpath DEFAULT '$';
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO lg (what) VALUES (old.id::text); RETURN NULL; END';
             CREATE TRIGGER tg AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f();",
            PRECIOUS.replace("NULLS", "")
        ),
    );
    let run = place.fix(&["--orphans", "set-null"]);
    assert_eq!(run.code, 0, "{}", run.text);
    // A box of the same area: `=` of boxes compares areas.
    server::execute(&place.url, "UPDATE c SET b = '((0,0),(2,2))' WHERE id = 3");
    let before = place.rows();
    let run = place.fix(&["--undo"]);
    assert!(run.code > 0 && run.text.contains("changed or deleted since"), "{}", run.text);
    server::execute(&place.url, "UPDATE c SET b = '((0,0),(1,4))' WHERE id = 3");
    let run = place.fix(&["--undo"]);
    assert_eq!(run.code, 0, "{}", run.text);
    assert_ne!(place.rows(), before);
    assert!(place.rows().iter().any(|r| r.starts_with("c (3,9,")), "{:?}", place.rows());
}

/// `c` has an orphan, the row 3, and is written to by `tg` if that is enabled.
fn with_trigger(nullable: bool, body: &str, event: &str) -> String {
    let null = if nullable { "" } else { "NOT NULL" };
    format!(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); CREATE TABLE stock (n int); INSERT INTO stock VALUES (100);
         CREATE TABLE c (id int PRIMARY KEY, p_id int {null}, qty int DEFAULT 1);
         INSERT INTO c VALUES (1, 1), (2, 2), (3, 9); CREATE INDEX ON c (p_id); ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE TRIGGER tg BEFORE {event} ON c FOR EACH ROW EXECUTE FUNCTION f();"
    )
}

#[test]
fn a_trigger_that_only_raises_an_error_is_no_obstacle_to_an_undo() {
    for (nullable, orphans, event) in [(true, "set-null", "UPDATE"), (false, "delete", "INSERT")] {
        let place =
            Place::new("", &with_trigger(nullable, "IF NEW.qty < 0 THEN RAISE EXCEPTION 'negative'; END IF;", event));
        let before = place.rows();
        let run = place.fix(&["--orphans", orphans]);
        assert_eq!(run.code, 0, "{}", run.text);
        let undone = place.fix(&["--undo"]);
        assert_eq!(undone.code, 0, "{}", undone.text);
        assert_eq!(place.rows(), before);
        assert_eq!(place.fix(&["--orphans", orphans]).code, 0);
        let after = place.rows();
        server::execute(
            &place.url,
            "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'frozen'; END $$",
        );
        let undone = place.fix(&["--undo"]);
        assert!(undone.code == 2 && undone.text.contains("trigger tg on c blocked it: \"frozen\""), "{}", undone.text);
        assert_eq!(place.rows(), after);
    }
}

#[test]
fn what_fires_for_restored_rows_by_now_stops_the_undo_before_anything_is_changed() {
    for (nullable, orphans, event) in [(true, "set-null", "UPDATE"), (false, "delete", "INSERT")] {
        let sql = with_trigger(nullable, "UPDATE stock SET n = n - 1;", event);
        let place = Place::new("", &format!("{sql} ALTER TABLE c DISABLE TRIGGER tg"));
        let before = place.rows();
        assert_eq!(place.fix(&["--orphans", orphans]).code, 0);
        server::execute(&place.url, "ALTER TABLE c ENABLE TRIGGER tg");
        let after = place.rows();
        let why = "when the rows are restored, trigger tg on `c` updates `stock`";
        let shown = place.run(&["fix", &place.url, "--undo"]);
        assert!(shown.code == 1 && shown.text.contains(why), "{}", shown.text);
        let undone = place.fix(&["--undo"]);
        assert!(
            undone.code == 2 && undone.text.contains(why) && undone.text.contains("nothing was changed"),
            "{}",
            undone.text
        );
        assert_eq!(place.rows(), after);
        server::execute(&place.url, "ALTER TABLE c DISABLE TRIGGER tg");
        assert_eq!(place.fix(&["--undo"]).code, 0);
        assert_eq!(place.rows(), before);
        // Who named the relation has not seen it either: it was disabled then.
        assert_eq!(place.fix(&["--orphans", &format!("c.p_id={orphans}")]).code, 0);
        server::execute(&place.url, "ALTER TABLE c ENABLE TRIGGER tg");
        let undone = place.fix(&["--undo"]);
        let why = "rows of other tables changed, too";
        assert!(undone.code == 2 && undone.text.contains(why), "{}", undone.text);
        assert!(place.rows().contains(&"stock (100)".to_string()), "{:?}", place.rows());
        server::execute(&place.url, "ALTER TABLE c DISABLE TRIGGER tg");
        assert_eq!(place.fix(&["--undo"]).code, 0);
        assert_eq!(place.rows(), before);
        // Who names it while the trigger is there is told, and it is done.
        server::execute(&place.url, "ALTER TABLE c ENABLE TRIGGER tg");
        if nullable {
            assert_eq!(place.fix(&["--orphans", &format!("c.p_id={orphans}")]).code, 0);
            let undone = place.fix(&["--undo"]);
            assert_eq!(undone.code, 0, "{}", undone.text);
            assert!(!place.rows().contains(&"stock (100)".to_string()), "{:?}", place.rows());
        }
    }
}

#[test]
fn rows_do_not_follow_a_parent_of_which_there_is_another() {
    let place = Place::new(
        "[[relation]]\nchild = \"posts.author_code\"\nparent = \"authors.code\"\n",
        "CREATE TABLE publishers (id int PRIMARY KEY); INSERT INTO publishers VALUES (1);
         CREATE TABLE authors (id int PRIMARY KEY, code text, publisher int NOT NULL);
         INSERT INTO authors VALUES (1, 'A', 99), (2, 'A', 1), (3, 'B', 1), (4, 'C', 1);
         ALTER TABLE authors ADD FOREIGN KEY (publisher) REFERENCES publishers NOT VALID;
         CREATE TABLE posts (id int PRIMARY KEY, author_code text NOT NULL); INSERT INTO posts VALUES (1, 'A'), (2, 'A'), (3, 'B');
         CREATE INDEX ON authors (publisher); CREATE INDEX ON posts (author_code);",
    );
    place.refuses(
        &["--skip", "REF104", "--orphans", "delete"],
        "authors.code is not unique there: another row may be their parent",
    );
}

/// Who names a relation is told that a trigger gives the row other values; an undo restores the reference, and keeps what is then the
/// only copy of the other values.
#[test]
fn a_backup_that_holds_more_than_the_undo_restores_is_kept() {
    let trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN IF NEW.p_id IS NULL THEN NEW.amount := 0; END IF; RETURN NEW; END';
         CREATE TRIGGER tg BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f();";
    let place = Place::new("", &format!("{}{trigger}", PRECIOUS.replace("NULLS", "")));
    let run = place.fix(&["--orphans", "c.p_id=set-null"]);
    assert_eq!(run.code, 0, "{}", run.text);
    let run = place.fix(&["--undo"]);
    assert_eq!(run.code, 0, "{}", run.text);
    assert!(run.text.contains("their old values are in _referee_left_c_"), "{}", run.text);
    assert!(place.rows().contains(&"c (3,9,0.00,{3})".to_string()), "{:?}", place.rows());
    // A second time both are kept.
    assert_eq!(place.fix(&["--orphans", "c.p_id=set-null"]).code, 0);
    let again = place.fix(&["--undo"]);
    assert_eq!(again.code, 0, "{}", again.text);
    let left = "SELECT relname::text FROM pg_class WHERE relname LIKE '\\_referee\\_%'";
    let mut client = server::connect(&place.url);
    let left: Vec<String> = client.query(left, &[]).unwrap().iter().map(|r| r.get(0)).collect();
    assert!(left.len() == 1 && left[0].starts_with("_referee_left_c_"), "{left:?}");
    let old = client.query(&format!("SELECT amount::text FROM {} ORDER BY 1", left[0]), &[]).unwrap();
    assert!(old.iter().any(|r| r.get::<_, String>(0) == "3.75"), "{}", old.len());
}

#[test]
fn a_sentinel_in_a_composite_key_or_behind_a_function_is_deleted_by_no_word_for_all() {
    for (columns, value) in [
        ("t int NOT NULL, p_id int NOT NULL DEFAULT 0", "0"),
        ("t int NOT NULL, p_id int NOT NULL DEFAULT no_parent()", "77"),
        ("t int NOT NULL, p_id int NOT NULL", "-1"),
    ] {
        let place = Place::new(
            "",
            &format!(
                "CREATE FUNCTION no_parent() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 77';
                 CREATE TABLE p (t int, id int, PRIMARY KEY (t, id)); INSERT INTO p SELECT 1, i FROM generate_series(1, 9) i;
                 CREATE TABLE c (id int PRIMARY KEY, {columns}); CREATE INDEX ON c (t, p_id);
                 INSERT INTO c SELECT i, 1, i FROM generate_series(1, 9) i; INSERT INTO c VALUES (10, 1, {value}), (11, 1, {value});
                 ALTER TABLE c ADD FOREIGN KEY (t, p_id) REFERENCES p NOT VALID;"
            ),
        );
        place.refuses(&["--orphans", "delete"], "which looks like a sentinel for \"none\"");
    }
}

/// What is restored fires triggers as well; what they change beside is counted.
#[test]
fn what_the_server_counts_beside_the_restored_rows_rolls_the_undo_back() {
    let place = Place::new(
        "",
        &format!(
            "{} CREATE FUNCTION far() RETURNS bool LANGUAGE plpgsql AS $x$ BEGIN DELETE FROM v; RETURN true; END $x$;
             CREATE VIEW vw AS SELECT far() AS b;
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN INSERT INTO lg (what) SELECT b::text FROM vw; RETURN NULL; END $x$;
             CREATE TRIGGER tg AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION f();",
            PRECIOUS.replace("NULLS", "NOT NULL")
        ),
    );
    assert_eq!(place.fix(&["--orphans", "delete"]).code, 0);
    let before = place.rows();
    let run = place.fix(&["--undo"]);
    assert!(run.code > 0 && run.text.contains("rows of other tables changed, too"), "{}", run.text);
    assert_eq!(place.rows(), before);
}

/// What others do to tables meanwhile is not taken for a trigger's work.
#[test]
fn the_tables_that_others_rewrite_meanwhile_stop_no_clean_up() {
    let place = Place::new("", &PRECIOUS.replace("NULLS", "NOT NULL"));
    server::execute(
        &place.url,
        "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a; INSERT INTO c SELECT i, 1, 1, '{}' FROM generate_series(10, 70000) AS i;
         ALTER TABLE c DROP CONSTRAINT c_p_id_fkey; UPDATE c SET p_id = 9 WHERE id BETWEEN 10 AND 30000;
         ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;",
    );
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server::connect(&place.url);
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                client.batch_execute("REFRESH MATERIALIZED VIEW mv").unwrap();
            }
        });
        let run = place.fix(&["--orphans", "delete"]);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(run.code, 0, "{}", run.text);
    });
}

/// The plan also gives a foreign key of the same table another action: the undo of the rows meets the key as it was before the plan.
#[test]
fn rows_come_back_where_the_plan_changes_the_action_of_another_key() {
    let place = Place::new(
        "",
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2);
         CREATE TABLE c (id int PRIMARY KEY, z_id int NOT NULL, a_id int NOT NULL, note text);
         INSERT INTO c VALUES (1, 1, 1, 'a'), (2, 2, 2, 'b'), (3, 9, 1, 'o'), (4, 1, 2, 'd'), (5, 2, 1, 'e'), (6, 1, 9, 'o');
         CREATE INDEX ON c (z_id); CREATE INDEX ON c (a_id);
         ALTER TABLE c ADD CONSTRAINT zf FOREIGN KEY (z_id) REFERENCES p NOT VALID;
         ALTER TABLE c ADD CONSTRAINT af FOREIGN KEY (a_id) REFERENCES u ON DELETE SET NULL NOT VALID;",
    );
    place.changes(&["--orphans", "delete"], &["c (3,9,1,o)", "c (6,1,9,o)"], "deletes up to 2 rows (2 c)");
}

/// A trigger that gives every new row another value: the plan says what becomes of an undo, which names the statements to go on with.
#[test]
fn a_trigger_that_changes_restored_rows_is_named_by_the_plan_and_by_the_undo() {
    let place = Place::new(
        "",
        &format!(
            "{} CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.amount := 0; RETURN NEW; END';
             CREATE TRIGGER stamped BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE c ENABLE ALWAYS TRIGGER stamped;",
            PRECIOUS.replace("NULLS", "NOT NULL")
        ),
    );
    let before = place.rows();
    let shown = place.run(&["fix", &place.url, "--orphans", "delete"]);
    let why = "An undo stops if a row does not come back as it was, and says how to go on: when rows of `c` are restored, trigger stamped \
               (BEFORE INSERT) gives amount other values.";
    assert!(shown.text.contains(why), "{}", shown.text);
    assert_eq!(place.fix(&["--orphans", "delete"]).code, 0);
    let after = place.rows();
    let undone = place.fix(&["--undo"]);
    let (off, on) =
        ("ALTER TABLE public.c DISABLE TRIGGER stamped", "ALTER TABLE public.c ENABLE ALWAYS TRIGGER stamped");
    let way = format!("Disable what does so: {off}; undo; then: {on}");
    assert!(undone.code == 2 && undone.text.contains(&way), "{}", undone.text);
    assert_eq!(place.rows(), after);
    server::execute(&place.url, off);
    let undone = place.fix(&["--undo"]);
    assert_eq!(undone.code, 0, "{}", undone.text);
    server::execute(&place.url, on);
    assert_eq!(place.rows(), before);
    let how = "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'stamped'";
    assert_eq!(server::connect(&place.url).query_one(how, &[]).unwrap().get::<_, String>(0), "A");
}

/// The advice for a trigger of a partitioned table names the table, and holds for its partitions.
#[test]
fn the_way_on_after_an_undo_that_stopped_holds_for_partitions_and_rules() {
    for (acts, off) in [
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := 0; RETURN NEW; END';
             CREATE TRIGGER stamped BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();",
            "ALTER TABLE public.orders DISABLE TRIGGER stamped",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER \"Of part\" BEFORE INSERT ON orders_1 FOR EACH ROW EXECUTE FUNCTION f();",
            "ALTER TABLE public.orders_1 DISABLE TRIGGER \"Of part\"",
        ),
        ("CREATE RULE lost AS ON INSERT TO orders DO INSTEAD NOTHING;", "ALTER TABLE public.orders DISABLE RULE lost"),
    ] {
        let place = Place::new(ORDERS_OF_USERS, ORDERS);
        let before = place.rows();
        let run = place.fix(&["--orphans", "orders.uid=delete"]);
        assert_eq!(run.code, 0, "{}", run.text);
        server::execute(&place.url, acts);
        let undone = place.fix(&["--undo"]);
        let on = off.replace("DISABLE", "ENABLE");
        let way = format!("Disable what does so: {off}; undo; then: {on}");
        // A rule is already named by the guard, before anything runs.
        let said = undone.text.contains(&way) || acts.contains("RULE") && undone.text.contains("rule lost");
        assert!(undone.code == 2 && said, "{}", undone.text);
        server::execute(&place.url, off);
        let undone = place.fix(&["--undo"]);
        assert_eq!(undone.code, 0, "{}", undone.text);
        server::execute(&place.url, &on);
        assert_eq!(place.rows(), before);
    }
}
