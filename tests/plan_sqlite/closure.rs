//! Orphans to which other rows refer: what goes with them is counted before the first change, and all of it comes back.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use referee::change::Change;
use referee::plan::{Down, Made, Options, OrphanPolicy, Step, Wanted};
use referee::relations::{Basis, ConfiguredRelation, Relation};
use referee::schema::{Action, ForeignKey};
use rusqlite::Connection;

use super::clean_up::{Case, cases};
use super::harness::{Fixture, add, column, contents, is_done, key, run, wanted};

fn number(connection: &Connection, sql: &str) -> u64 {
    let rows: i64 = connection.query_row(sql, [], |r| r.get(0)).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    u64::try_from(rows).unwrap()
}

/// Plans as the command does: what the planner has to count is asked, until it has asked all.
fn counted(fixture: &Fixture, wanted: &[Wanted], options: Options) -> Made {
    answered(fixture, wanted, options, &[], |_| None)
}

/// Plans as if many more rows referred, where there are relations that no key declares.
fn counted_knowing(fixture: &Fixture, wanted: &[Wanted], options: Options, relations: &[Relation]) -> Made {
    answered(fixture, wanted, options, relations, |query| all_that_refer(query).then_some(1_000_000))
}

/// Plans as if many more rows referred, so that the orphans are few among them.
fn among_many(fixture: &Fixture, wanted: &[Wanted], options: Options) -> Made {
    counted_knowing(fixture, wanted, options, &[])
}

fn all_that_refer(query: &str) -> bool {
    query.ends_with(" IS NOT NULL") && !query.contains("EXISTS")
}

fn answered(
    fixture: &Fixture,
    wanted: &[Wanted],
    mut options: Options,
    relations: &[Relation],
    known: impl Fn(&str) -> Option<u64>,
) -> Made {
    let connection = fixture.connect();
    loop {
        let made = fixture.made_knowing(wanted, &options, relations.to_vec());
        let missing = options.counts.missing();
        if missing.is_empty() {
            return made;
        }
        for query in missing {
            let rows = known(&query).unwrap_or_else(|| number(&connection, &query));
            options.counts.answer(query, rows);
        }
    }
}

fn up(connection: &Connection, steps: &[Step]) {
    for step in steps {
        for guard in &step.guards {
            assert!(column(connection, &guard.sql).is_empty(), "{}", guard.message());
        }
        run(connection, &step.up).unwrap_or_else(|e| panic!("{e}: {:#?}", step.up));
        assert!(is_done(connection, step), "{}", step.title);
    }
}

fn down(connection: &Connection, steps: &[Step]) {
    for step in steps.iter().rev() {
        let Down::Script { script, guards } = &step.down else { panic!("no way down: {step:#?}") };
        for guard in guards {
            assert!(column(connection, &guard.sql).is_empty(), "{}", guard.message());
        }
        run(connection, script).unwrap_or_else(|e| panic!("{e}: {script:#?}"));
    }
}

fn cleaning(made: &Made) -> Vec<Step> {
    made.steps.iter().filter(|s| s.touches_rows).cloned().collect()
}

fn declared(fixture: &Fixture, table: &str, column: &str, orphans: u64) -> Wanted {
    let foreign_key = fixture.table(table).foreign_keys.iter().find(|k| k.columns == [column]).unwrap().clone();
    let change = Change::ValidateForeignKey { table: table.into(), foreign_key };
    Wanted { orphans: Some(orphans), ..wanted(&[change]).remove(0) }
}

fn of_all(orphans: OrphanPolicy) -> Options {
    Options { orphans: Some(orphans), ..Options::default() }
}

/// `projects` and `runs` refer to one another, and to the users one of whom is gone.
const CIRCLE: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, latest_run_id INTEGER REFERENCES runs);
    CREATE TABLE projects (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES users, latest_run_id INTEGER REFERENCES runs);
    CREATE TABLE runs (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects);
    CREATE TABLE files (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE RESTRICT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
        INSERT INTO projects SELECT i, (i - 1) % 10 + 1, i + 40 FROM n;
    INSERT INTO runs SELECT id, id FROM projects; INSERT INTO runs SELECT id + 40, id FROM projects;
    INSERT INTO files SELECT id, id FROM projects;
    INSERT INTO users SELECT id, id + 1 FROM projects WHERE id <= 10 AND id <> 3;
    UPDATE projects SET latest_run_id = 999 WHERE id = 5;";

#[test]
fn on_a_circle_only_what_belongs_to_the_missing_user_goes_at_once() {
    for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
        let fixture = Fixture::new(CIRCLE);
        let wants = [declared(&fixture, "projects", "owner_id", 4), declared(&fixture, "projects", "latest_run_id", 1)];
        let made = counted(&fixture, &wants, of_all(policy));
        assert!(made.refused.is_empty(), "{:?}", made.refused);
        let [step] = cleaning(&made).try_into().unwrap_or_else(|s: Vec<Step>| panic!("{}", s.len()));
        let word = if policy == OrphanPolicy::Delete { "elete" } else { "uarantine" };
        let title = format!(
            "{}{word} 4 rows of projects (orphans), {}{word} 4 rows of files (their projects row goes), {}{word} 8 rows of runs (their \
             projects row goes), set 1 row of projects.latest_run_id to NULL (orphans), set 1 row of users.latest_run_id to NULL (their runs row goes)",
            if policy == OrphanPolicy::Delete { "D" } else { "Q" },
            if policy == OrphanPolicy::Delete { "d" } else { "q" },
            if policy == OrphanPolicy::Delete { "d" } else { "q" },
        );
        assert_eq!(step.title, title);
        let shown: Vec<(String, u64)> = step.bounds.iter().map(|b| (b.what(), b.rows)).collect();
        let shown: Vec<(&str, u64)> = shown.iter().map(|(what, rows)| (what.as_str(), *rows)).collect();
        assert!(shown.contains(&("rows of runs to delete", 8)), "{shown:?}");
        let connection = fixture.connect();
        let before = contents(&connection);
        for bound in &step.bounds {
            assert_eq!(number(&connection, &bound.count), bound.rows, "{}", bound.what());
        }
        up(&connection, std::slice::from_ref(&step));
        assert!(column(&connection, "SELECT \"table\" FROM pragma_foreign_key_check").is_empty());
        assert_eq!(number(&connection, "SELECT count(*) FROM projects JOIN users ON users.id = owner_id"), 36);
        assert_eq!(number(&connection, "SELECT count(*) FROM runs"), 72);
        assert_eq!(
            number(&connection, "SELECT count(*) FROM files WHERE project_id = 5"),
            1,
            "its run is stale, no more"
        );
        down(&connection, &[step]);
        assert_eq!(contents(&connection), before);
    }
}

/// Orders of a user who is gone; nothing but `orders.user_id` is declared.
const SHOP: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT NOT NULL REFERENCES users);
    CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INT NOT NULL);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, order_id INT);
    CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INT NOT NULL);
    CREATE TABLE refunds (id INTEGER PRIMARY KEY, payment_id INT NOT NULL);
    INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1), (2, 9), (3, 9);
    INSERT INTO items VALUES (1, 1), (2, 2), (3, 3), (4, 3), (5, 77);
    INSERT INTO notes VALUES (1, 1), (2, 2), (3, 77), (4, NULL);
    INSERT INTO payments VALUES (1, 1), (2, 2), (3, 3), (4, 3), (5, 88); INSERT INTO refunds VALUES (1, 2), (2, 1);";

fn configured(fixture: &Fixture, child: &str, column: &str, parent: &str) -> Relation {
    let relation = ConfiguredRelation {
        child: child.into(),
        columns: vec![column.into()],
        parent: parent.into(),
        parent_columns: vec!["id".into()],
        on_delete: None,
        accepted: Some(0.9),
    };
    relation.relation(&fixture.schema)
}

fn guess(fixture: &Fixture, child: &str, column: &str, parent: &str) -> Relation {
    let basis = Basis::Inferred { confidence: 0.96, evidence: Vec::new() };
    Relation { accepted: None, basis, ..configured(fixture, child, column, parent) }
}

fn orphans_of(connection: &Connection, child: &str, column: &str, parent: &str) -> u64 {
    number(
        connection,
        &format!(
            "SELECT count(*) FROM {child} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {parent})"
        ),
    )
}

#[test]
fn relations_that_no_key_declares_and_no_step_is_about_take_part() {
    let fixture = Fixture::new(SHOP);
    let relations = [
        configured(&fixture, "items", "order_id", "orders"),
        configured(&fixture, "notes", "order_id", "orders"),
        configured(&fixture, "payments", "order_id", "orders"),
        configured(&fixture, "refunds", "payment_id", "payments"),
    ];
    let wants = [declared(&fixture, "orders", "user_id", 2)];
    let made = counted_knowing(&fixture, &wants, of_all(OrphanPolicy::Delete), &relations);
    let steps = cleaning(&made);
    assert_eq!(steps.len(), 1);
    assert_eq!(
        steps[0].title,
        "Delete 2 rows of orders (orphans), delete 3 rows of items (their orders row goes), delete 3 rows of payments (their orders row \
         goes), delete 1 row of refunds (their payments row goes), set 1 row of notes.order_id to NULL (their orders row goes)"
    );
    let connection = fixture.connect();
    let before = contents(&connection);
    let orphans = |connection: &Connection| {
        ["items", "notes", "payments"].map(|t| orphans_of(connection, t, "order_id", "orders"))
    };
    let there_before = orphans(&connection);
    up(&connection, &steps);
    assert_eq!(orphans(&connection), there_before, "no new ones");
    assert_eq!(orphans_of(&connection, "refunds", "payment_id", "payments"), 0);
    down(&connection, &steps);
    assert_eq!(contents(&connection), before);
    // Whoever leaves one of them has its rows protected.
    let options = Options { orphans_of: vec![("items.order_id".into(), None)], ..of_all(OrphanPolicy::Delete) };
    let made = counted_knowing(&fixture, &wants, options, &relations);
    assert!(made.steps.is_empty());
    assert!(made.refused[0].why.contains("3 rows of items.order_id refer to rows of `orders`"), "{:?}", made.refused);
}

#[test]
fn what_a_guess_says_would_be_left_behind_is_counted_and_named() {
    for counts in [true, false] {
        let fixture = Fixture::new(SHOP);
        let wants = [declared(&fixture, "orders", "user_id", 2)];
        let known = [configured(&fixture, "items", "order_id", "orders")];
        let options = Options {
            guessed: vec![guess(&fixture, "payments", "order_id", "orders"), guess(&fixture, "notes", "id", "users")],
            ..of_all(OrphanPolicy::Delete)
        };
        // By itself, and together with rows that follow.
        let known = if counts { &known[..] } else { &[] };
        let steps = cleaning(&counted_knowing(&fixture, &wants, options, known));
        assert_eq!(steps.len(), 1);
        let (title, why) = (&steps[0].title, &steps[0].why);
        assert!(title.ends_with("; leaves new orphans: 3 rows of payments (guessed payments.order_id)"), "{title}");
        let text = "Leaves new orphans: 3 rows of payments (guessed payments.order_id -> orders.id). Accept that relation first";
        assert!(why.contains(text), "{why}");
        let connection = fixture.connect();
        let (before, orphans) = (contents(&connection), orphans_of(&connection, "payments", "order_id", "orders"));
        up(&connection, &steps);
        assert_eq!(orphans_of(&connection, "payments", "order_id", "orders"), orphans + 3);
        down(&connection, &steps);
        assert_eq!(contents(&connection), before);
        // One more than was shown stops it.
        connection.execute_batch("INSERT INTO payments VALUES (6, 2)").unwrap();
        let error = run(&connection, &steps[0].up).unwrap_err();
        assert!(error.contains("no_more_rows_than_the_plan_showed"), "{error}");
    }
}

#[test]
fn a_guess_that_no_row_bears_out_changes_nothing() {
    let fixture = Fixture::new(&format!("{SHOP} DELETE FROM payments WHERE order_id IN (2, 3);"));
    let wants = [declared(&fixture, "orders", "user_id", 2)];
    let options =
        Options { guessed: vec![guess(&fixture, "payments", "order_id", "orders")], ..of_all(OrphanPolicy::Delete) };
    let steps = cleaning(&counted_knowing(&fixture, &wants, options, &[]));
    let plain = cleaning(&among_many(&fixture, &wants, of_all(OrphanPolicy::Delete)));
    assert_eq!(steps, plain);
}

#[test]
fn orphans_and_live_pointers_are_told_apart_and_nothing_is_said_of_none() {
    let fixture = Fixture::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, p INT NOT NULL REFERENCES p);
         CREATE TABLE c (id INTEGER PRIMARY KEY, t INT REFERENCES t, other INT REFERENCES t);
         INSERT INTO t VALUES (1, 9); INSERT INTO c VALUES (1, 1, NULL), (2, 1, NULL), (3, 7, NULL);",
    );
    let wants = [declared(&fixture, "t", "p", 1), declared(&fixture, "c", "t", 1)];
    let steps = cleaning(&among_many(&fixture, &wants, of_all(OrphanPolicy::Delete)));
    assert_eq!(steps[0].title, "Delete 1 row of t (orphans), set 3 rows of c.t to NULL (1 orphan, 2 whose t row goes)");
    assert!(steps[0].why.contains("c.t becomes NULL") && !steps[0].why.contains("c.other"), "{}", steps[0].why);
    assert!(steps[0].bounds.iter().all(|b| b.rows > 0), "{:?}", steps[0].bounds);
    let connection = fixture.connect();
    let before = contents(&connection);
    up(&connection, &steps);
    down(&connection, &steps);
    assert_eq!(contents(&connection), before);
    // What was none when it was counted must be none still.
    connection.execute_batch("UPDATE c SET other = 1 WHERE id = 2").unwrap();
    let error = run(&connection, &steps[0].up).unwrap_err();
    assert!(error.contains("no_more_rows_than_the_plan_showed"), "{error}");
}

#[test]
fn more_rows_than_were_shown_stop_the_step_and_nothing_is_done() {
    let fixture = Fixture::new(CIRCLE);
    let made = counted(&fixture, &[declared(&fixture, "projects", "owner_id", 4)], of_all(OrphanPolicy::Delete));
    let steps = cleaning(&made);
    let connection = fixture.connect();
    connection.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO runs VALUES (500, 3)").unwrap();
    let before = contents(&connection);
    let error = run(&connection, &steps[0].up).unwrap_err();
    assert!(error.contains("no_more_rows_than_the_plan_showed"), "{error}");
    assert_eq!(contents(&connection), before);
    // A table that has come since is looked for by a guard.
    connection.execute_batch("DELETE FROM runs WHERE id = 500; CREATE TABLE late (p INT REFERENCES projects)").unwrap();
    let stops = steps[0].guards.iter().filter(|g| !column(&connection, &g.sql).is_empty());
    assert_eq!(stops.map(|g| g.message().contains("added since planning")).collect::<Vec<_>>(), [true]);
}

#[test]
fn a_trigger_that_keeps_a_row_takes_everything_back() {
    for (trigger, word) in [
        ("BEFORE DELETE ON runs BEGIN SELECT RAISE(IGNORE); END", "every_row_is_deleted"),
        ("BEFORE UPDATE ON users BEGIN SELECT RAISE(IGNORE); END", "every_reference_is_null"),
    ] {
        let fixture = Fixture::new(&format!("{CIRCLE} CREATE TRIGGER stays {trigger};"));
        let want = [declared(&fixture, "projects", "owner_id", 4)];
        let made = counted(&fixture, &want, of_all(OrphanPolicy::Delete));
        assert!(made.refused[0].why.contains("trigger stays on"), "{:?}", made.refused);
        // Who names the relations has looked at the trigger.
        let by_name = ["runs.project_id", "users.latest_run_id"].map(|r| {
            (r.to_string(), Some(if r.starts_with('r') { OrphanPolicy::Delete } else { OrphanPolicy::SetNull }))
        });
        let options = Options { orphans_of: by_name.to_vec(), ..of_all(OrphanPolicy::Delete) };
        let made = counted(&fixture, &want, options);
        let connection = fixture.connect();
        let before = contents(&connection);
        let steps = cleaning(&made);
        assert!(steps[0].why.contains("Trigger stays fires"), "{}", steps[0].why);
        let error = run(&connection, &steps[0].up).unwrap_err();
        assert!(error.contains(word), "{error}");
        assert_eq!(contents(&connection), before);
    }
}

/// Two parents are there; `c` is the table whose row 2 refers to a third.
fn with_orphan(columns: &str, more: &str) -> Fixture {
    Fixture::new(&format!(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO p VALUES (1, 'a'), (2, 'b');
         CREATE TABLE c ({columns}); INSERT INTO c VALUES (1, 1, 'x'), (2, 9, 'y'); {more}"
    ))
}

fn cleaned(fixture: &Fixture, policy: OrphanPolicy) -> (Connection, Vec<Step>) {
    let named = Options { orphans_of: vec![("c.p_id".into(), Some(policy))], ..of_all(policy) };
    let made = counted(fixture, &[declared(fixture, "c", "p_id", 1)], named);
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    (fixture.connect(), cleaning(&made))
}

fn undone(connection: &Connection, step: &Step) -> Result<(), String> {
    let Down::Script { script, .. } = &step.down else { panic!("no undo") };
    run(connection, script)
}

#[test]
fn an_undo_that_does_not_restore_every_row_drops_no_backup_and_no_other_row() {
    let plain = "id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT";
    let (later, keep) = ("INSERT INTO c VALUES (10, 2, 'y')", "");
    let ignoring = "CREATE TRIGGER hand BEFORE INSERT ON c WHEN NOT EXISTS (SELECT 1 FROM p WHERE id = NEW.p_id) BEGIN SELECT RAISE(IGNORE); END;";
    let following = format!(
        "{ignoring} CREATE TABLE g (id INTEGER PRIMARY KEY, c_id INTEGER NOT NULL REFERENCES c (id)); INSERT INTO g VALUES (1, 2);"
    );
    let taking = "CREATE TRIGGER taking AFTER INSERT ON c BEGIN DELETE FROM c WHERE id = 1; END;";
    for (columns, more, meanwhile) in [
        (format!("{plain} UNIQUE ON CONFLICT IGNORE"), keep, later),
        (format!("{plain} UNIQUE ON CONFLICT REPLACE"), keep, later),
        (plain.replace("KEY,", "KEY ON CONFLICT IGNORE,"), keep, "INSERT INTO c (p_id, t) VALUES (2, 'new')"),
        (plain.replace("KEY,", "KEY ON CONFLICT REPLACE,"), keep, "INSERT INTO c (p_id, t) VALUES (2, 'new')"),
        (plain.to_string(), ignoring, ""),
        (plain.to_string(), following.as_str(), ""),
        (plain.to_string(), taking, ""),
    ] {
        for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
            let fixture = with_orphan(&columns, more);
            let (connection, steps) = cleaned(&fixture, policy);
            up(&connection, &steps);
            connection.execute_batch(meanwhile).unwrap();
            let before = contents(&connection);
            assert!(before.objects.iter().any(|o| o.1.starts_with("_referee_")));
            undone(&connection, &steps[0]).unwrap_err();
            assert_eq!(contents(&connection), before, "{columns} {more} {policy:?}");
        }
    }
}

#[test]
fn an_undo_that_does_not_restore_every_reference_drops_no_backup() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p (id), t TEXT";
    let fixture = with_orphan(columns, "");
    let (connection, steps) = cleaned(&fixture, OrphanPolicy::SetNull);
    up(&connection, &steps);
    connection.execute_batch("CREATE TRIGGER stays BEFORE UPDATE ON c BEGIN SELECT RAISE(IGNORE); END").unwrap();
    let before = contents(&connection);
    let error = undone(&connection, &steps[0]).unwrap_err();
    assert!(error.contains("every_reference_is_back"), "{error}");
    assert_eq!(contents(&connection), before);
}

#[test]
fn a_row_in_conflict_with_one_that_loses_its_reference_is_not_replaced() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p (id), t TEXT NOT NULL, pk INTEGER AS (ifnull(p_id, 0)), \
                   UNIQUE (pk, t) ON CONFLICT REPLACE";
    let sql = format!(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c ({columns});
         INSERT INTO c (id, p_id, t) VALUES (1, NULL, 'readme'), (2, 9, 'readme');"
    );
    let fixture = Fixture::new(&sql);
    let (connection, steps) = cleaned(&fixture, OrphanPolicy::SetNull);
    let before = contents(&connection);
    let error = run(&connection, &steps[0].up).unwrap_err();
    assert!(error.contains("UNIQUE"), "{error}");
    assert_eq!(contents(&connection), before);
}

#[test]
fn a_key_or_trigger_that_came_since_planning_stops_a_clean_up_of_one_relation() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT";
    for late in [
        "CREATE TABLE g (id INTEGER PRIMARY KEY, c_id INTEGER REFERENCES c (id) ON DELETE CASCADE); INSERT INTO g VALUES (7, 2);",
        "ALTER TABLE l ADD COLUMN c_id INTEGER REFERENCES c (id) ON DELETE SET NULL; UPDATE l SET c_id = 2;",
        "CREATE TRIGGER late AFTER DELETE ON c BEGIN DELETE FROM l; END;",
    ] {
        let fixture = with_orphan(columns, "CREATE TABLE l (id INTEGER PRIMARY KEY); INSERT INTO l VALUES (1);");
        let (connection, steps) = cleaned(&fixture, OrphanPolicy::Delete);
        connection.execute_batch(late).unwrap();
        let before = contents(&connection);
        let stops = steps[0].guards.iter().filter(|g| !column(&connection, &g.sql).is_empty());
        assert_eq!(stops.map(|g| g.message().contains("added since planning")).collect::<Vec<_>>(), [true], "{late}");
        let error = run(&connection, &steps[0].up).unwrap_err();
        assert!(error.contains("nothing_was_added_since_planning"), "{late}: {error}");
        assert_eq!(contents(&connection), before, "{late}");
    }
}

#[test]
fn match_full_is_ignored_so_a_column_that_can_be_null_becomes_null() {
    let fixture = Fixture::new(
        "CREATE TABLE p (a INT, b INT, PRIMARY KEY (a, b));
         CREATE TABLE c (id INTEGER PRIMARY KEY, a INT NOT NULL, b INT, FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL);
         INSERT INTO c VALUES (1, 1, 7);",
    );
    let foreign_key = fixture.table("c").foreign_keys[0].clone();
    let change = Change::ValidateForeignKey { table: "c".into(), foreign_key };
    let want = Wanted { orphans: Some(1), ..wanted(&[change]).remove(0) };
    let steps = cleaning(&counted(&fixture, &[want], of_all(OrphanPolicy::Delete)));
    let connection = fixture.connect();
    up(&connection, &steps);
    assert_eq!(number(&connection, "SELECT count(*) FROM c WHERE a = 1 AND b IS NULL"), 1);
}

#[test]
fn two_keys_of_one_column_have_a_backup_each() {
    let fixture = Fixture::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE q (id INTEGER PRIMARY KEY);
         INSERT INTO p VALUES (1), (2); INSERT INTO q VALUES (1), (3);
         CREATE TABLE c (id INTEGER PRIMARY KEY, x INTEGER NOT NULL REFERENCES p (id) REFERENCES q (id));
         INSERT INTO c VALUES (1, 1), (2, 2), (3, 3);",
    );
    let keys = fixture.table("c").foreign_keys.clone();
    let changes: Vec<Change> =
        keys.into_iter().map(|foreign_key| Change::ValidateForeignKey { table: "c".into(), foreign_key }).collect();
    let wants: Vec<Wanted> = wanted(&changes).into_iter().map(|w| Wanted { orphans: Some(1), ..w }).collect();
    let made = counted(&fixture, &wants, of_all(OrphanPolicy::Delete));
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    let steps = cleaning(&made);
    assert_eq!(steps.len(), 2);
    let connection = fixture.connect();
    let before = contents(&connection);
    up(&connection, &steps);
    assert_eq!(column(&connection, "SELECT id FROM c"), ["Integer(1)"]);
    down(&connection, &steps);
    assert_eq!(contents(&connection), before);
}

#[test]
fn a_trigger_that_changes_other_rows_is_named_and_one_that_logs_is_not() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT";
    for (body, stops) in [
        ("BEFORE DELETE ON c BEGIN SELECT RAISE(IGNORE); END", true),
        ("AFTER DELETE ON c BEGIN DELETE FROM l; END", true),
        ("AFTER DELETE ON c BEGIN UPDATE c SET t = 'changed'; END", true),
        ("AFTER DELETE ON c BEGIN INSERT INTO l VALUES (OLD.id); END", false),
        ("AFTER UPDATE ON c BEGIN DELETE FROM l; END", false),
        ("AFTER DELETE ON c BEGIN INSERT OR REPLACE INTO l VALUES (OLD.id); END", true),
        ("AFTER DELETE ON c BEGIN INSERT INTO l VALUES (1) ON CONFLICT DO UPDATE SET id = 2; END", true),
        (
            "AFTER DELETE ON c BEGIN INSERT INTO m VALUES (1); END; CREATE TRIGGER b AFTER INSERT ON m BEGIN DELETE FROM l; END",
            true,
        ),
        (
            "AFTER DELETE ON c BEGIN INSERT INTO v VALUES (1); END; CREATE TRIGGER b INSTEAD OF INSERT ON v BEGIN DELETE FROM l; END",
            true,
        ),
        ("AFTER DELETE ON c BEGIN INSERT INTO r VALUES (OLD.id); END", true),
    ] {
        let fixture = with_orphan(columns, &format!(
            "CREATE TABLE l (id INT UNIQUE); CREATE TABLE m (id INT); CREATE TABLE r (id INT UNIQUE ON CONFLICT REPLACE);
             CREATE VIEW v AS SELECT id FROM m; CREATE TRIGGER acts {body};"
        ));
        let made = counted(&fixture, &[declared(&fixture, "c", "p_id", 1)], of_all(OrphanPolicy::Delete));
        assert_eq!(made.refused.iter().any(|r| r.why.contains("trigger acts on `c`")), stops, "{body}");
        assert_eq!(made.steps.is_empty(), stops, "{body}");
    }
}

#[test]
fn an_undo_sets_off_no_trigger_that_changes_other_rows() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT";
    for (body, stops) in [
        ("UPDATE p SET n = 'changed'", true),
        // What raises an error takes the step back by itself.
        ("SELECT RAISE(ABORT, 'no') WHERE NEW.id > 5", false),
        ("INSERT INTO l VALUES (NEW.id)", false),
    ] {
        let more = format!("CREATE TABLE l (id INT); CREATE TRIGGER acts AFTER INSERT ON c BEGIN {body}; END;");
        let fixture = with_orphan(columns, &more);
        let made = counted(&fixture, &[declared(&fixture, "c", "p_id", 1)], of_all(OrphanPolicy::Delete));
        let steps = cleaning(&made);
        let Down::Script { guards, .. } = &steps[0].down else { panic!("no undo") };
        let connection = fixture.connect();
        run(&connection, &steps[0].up).unwrap();
        let found = guards.iter().filter(|g| !column(&connection, &g.sql).is_empty()).map(|g| g.message());
        let found: Vec<String> = found.collect();
        assert_eq!(
            found.iter().any(|f| f.contains("trigger acts on `c`") && f.contains("drop the trigger")),
            stops,
            "{found:?}"
        );
        // Without the trigger nothing is set off; who names the relation has looked at it.
        connection.execute_batch("DROP TRIGGER acts").unwrap();
        assert!(guards.iter().all(|g| column(&connection, &g.sql).is_empty()), "{body}");
        let (_, steps) = cleaned(&fixture, OrphanPolicy::Delete);
        let Down::Script { guards, .. } = &steps[0].down else { panic!("no undo") };
        assert!(!guards.iter().any(|g| g.message().contains("acts")), "{body}");
    }
}

#[test]
fn a_trigger_of_a_table_that_a_trigger_writes_to_is_looked_at_again() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT";
    let more =
        "CREATE TABLE l (id INT); CREATE TRIGGER acts AFTER DELETE ON c BEGIN INSERT INTO l VALUES (OLD.id); END;";
    let fixture = with_orphan(columns, more);
    let (connection, steps) = cleaned(&fixture, OrphanPolicy::Delete);
    assert!(steps[0].why.contains("fires for the 1 row and inserts into `l`"), "{}", steps[0].why);
    connection.execute_batch("CREATE TRIGGER late AFTER INSERT ON l BEGIN DELETE FROM p WHERE id = 2; END").unwrap();
    let before = contents(&connection);
    let error = run(&connection, &steps[0].up).unwrap_err();
    assert!(error.contains("nothing_was_added_since_planning"), "{error}");
    assert_eq!(contents(&connection), before);
}

#[test]
fn a_table_that_is_defined_otherwise_by_now_stops_a_clean_up_in_its_transaction() {
    let columns = "id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT";
    let following = "CREATE TABLE g (id INTEGER PRIMARY KEY, c_id INTEGER NOT NULL REFERENCES c (id)); INSERT INTO g VALUES (1, 2);";
    let nulled =
        "CREATE TABLE g (id INTEGER PRIMARY KEY, c_id INTEGER REFERENCES c (id)); INSERT INTO g VALUES (1, 2);";
    for (more, late) in [("", "c"), (following, "c"), (following, "g"), (nulled, "g")] {
        for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
            let fixture = with_orphan(columns, more);
            let (connection, steps) = cleaned(&fixture, policy);
            connection
                .execute_batch(&format!("ALTER TABLE {late} ADD COLUMN late TEXT; UPDATE {late} SET late = 'x'"))
                .unwrap();
            let before = contents(&connection);
            let stops = steps[0].guards.iter().filter(|g| !column(&connection, &g.sql).is_empty()).map(|g| g.message());
            let stops: Vec<String> = stops.collect();
            assert_eq!(stops, [format!("{late} is not defined as it was when this was planned; plan again")]);
            let error = run(&connection, &steps[0].up).unwrap_err();
            assert!(error.contains("table_is_as_planned"), "{error}");
            assert_eq!(contents(&connection), before);
        }
    }
}

#[test]
fn one_relation_loses_no_more_rows_than_were_shown() {
    let fixture = with_orphan("id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id), t TEXT", "");
    let (connection, steps) = cleaned(&fixture, OrphanPolicy::Delete);
    connection.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (3, 9, 'late')").unwrap();
    let before = contents(&connection);
    let error = run(&connection, &steps[0].up).unwrap_err();
    assert!(error.contains("no_more_rows_than_the_plan_showed"), "{error}");
    assert_eq!(contents(&connection), before);
}

#[test]
fn a_stale_pointer_becomes_null_whatever_the_word_for_all_says() {
    for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull, OrphanPolicy::Quarantine] {
        let fixture = Fixture::new(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY);
             CREATE TABLE projects (id INTEGER PRIMARY KEY, latest_run_id INTEGER REFERENCES runs ON DELETE CASCADE);
             CREATE TABLE files (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE);
             INSERT INTO projects VALUES (1, 9), (2, NULL); INSERT INTO files VALUES (1, 1), (2, 2);",
        );
        let made = counted(&fixture, &[declared(&fixture, "projects", "latest_run_id", 1)], of_all(policy));
        let steps = cleaning(&made);
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].bounds[0].what(), "rows of projects to set to NULL");
        let says = steps[0].why.contains("--orphans projects.latest_run_id=delete");
        assert_eq!(says, policy != OrphanPolicy::SetNull, "{}", steps[0].why);
        let connection = fixture.connect();
        let before = contents(&connection);
        up(&connection, &steps);
        assert_eq!(number(&connection, "SELECT count(*) FROM projects WHERE latest_run_id IS NULL"), 2);
        assert_eq!(number(&connection, "SELECT count(*) FROM files"), 2);
        down(&connection, &steps);
        assert_eq!(contents(&connection), before);
        // Asked for by its name, the row goes, and its files with it.
        let options = Options {
            orphans_of: vec![("projects.latest_run_id".into(), Some(OrphanPolicy::Delete))],
            ..of_all(policy)
        };
        let steps = cleaning(&counted(&fixture, &[declared(&fixture, "projects", "latest_run_id", 1)], options));
        assert_eq!(
            steps[0].title,
            "Delete 1 row of projects (orphans), delete 1 row of files (their projects row goes)"
        );
        up(&connection, &steps);
        assert_eq!(column(&connection, "SELECT id FROM projects"), ["Integer(2)"]);
        assert_eq!(column(&connection, "SELECT id FROM files"), ["Integer(2)"]);
        down(&connection, &steps);
        assert_eq!(contents(&connection), before);
    }
}

#[test]
fn what_is_left_is_left_and_a_default_that_cannot_be_judged_stops_everything() {
    let sql =
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES p);
               CREATE TABLE c (id INTEGER PRIMARY KEY, t INT NOT NULL DEFAULT 1 REFERENCES t ON DELETE SET DEFAULT);
               INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 9), (2, 1); INSERT INTO c VALUES (1, 1);";
    let fixture = Fixture::new(sql);
    let made = counted(&fixture, &[declared(&fixture, "t", "a", 1)], of_all(OrphanPolicy::Delete));
    assert!(made.steps.is_empty());
    assert!(made.refused[0].why.contains("1 row of c.t refer to rows of `t`"), "{}", made.refused[0].why);
    let by_name = |relation: &str, word| Options {
        orphans_of: vec![(relation.to_string(), word)],
        ..of_all(OrphanPolicy::Delete)
    };
    let made = counted(&fixture, &[declared(&fixture, "t", "a", 1)], by_name("c.t", Some(OrphanPolicy::Delete)));
    assert_eq!(made.steps[0].title, "Delete 1 row of t (orphans), delete 1 row of c (their t row goes)");
    let made = counted(&fixture, &[declared(&fixture, "t", "a", 1)], by_name("t.a->p.id", None));
    assert!(made.steps.is_empty() && made.refused.len() == 1, "{:?}", made.refused);
}

#[test]
fn tables_without_rowid_and_pairs_of_columns_follow_as_well() {
    let fixture = Fixture::new(
        "CREATE TABLE gone (id INTEGER PRIMARY KEY);
         CREATE TABLE t (a TEXT, b REAL, p INT NOT NULL REFERENCES gone, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE c (k TEXT PRIMARY KEY, a TEXT NOT NULL, b REAL, FOREIGN KEY (a, b) REFERENCES t (a, b)) WITHOUT ROWID;
         CREATE TABLE d (a TEXT NOT NULL, b REAL NOT NULL, FOREIGN KEY (a, b) REFERENCES t (a, b));
         INSERT INTO gone VALUES (1);
         INSERT INTO t VALUES ('it''s, so', 0.1, 9), ('x', 1, 1), ('x', 2, 9), ('y', 1, 1);
         INSERT INTO c VALUES ('one', 'it''s, so', 0.1), ('two', 'x', 1), ('three', 'x', NULL);
         INSERT INTO d VALUES ('x', 2), ('x', 1), ('x', 2);",
    );
    let made = counted(&fixture, &[declared(&fixture, "t", "p", 2)], of_all(OrphanPolicy::Delete));
    let steps = cleaning(&made);
    assert_eq!(
        steps[0].title,
        "Delete 2 rows of t (orphans), delete 2 rows of d (their t row goes), set 1 row of c.b to NULL (their t row goes)"
    );
    let connection = fixture.connect();
    let before = contents(&connection);
    for _ in 0..2 {
        up(&connection, &steps);
        assert!(column(&connection, "SELECT \"table\" FROM pragma_foreign_key_check").is_empty());
        assert_eq!(number(&connection, "SELECT count(*) FROM c"), 3);
        down(&connection, &steps);
        assert_eq!(contents(&connection), before);
    }
}

#[test]
fn a_sentinel_is_named_and_never_deleted_by_a_word_for_all() {
    for (kind, value) in [
        ("INT NOT NULL DEFAULT 0", "0"),
        ("TEXT NOT NULL DEFAULT ''", "''"),
        ("INTEGER NOT NULL", "0"),
        ("INTEGER NOT NULL", "-1"),
        ("INTEGER NOT NULL", "'none'"),
        ("TEXT NOT NULL", "'n/a'"),
        ("TEXT NOT NULL DEFAULT 'x'", "'null'"),
    ] {
        let fixture = Fixture::new(&format!(
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, parent_id {kind});
             INSERT INTO posts VALUES (1, upper({value})), (2, {value}), (3, 1), (4, 99), (5, 1), (6, 1);"
        ));
        let mut wants = wanted(&[add("posts", key("parent_id", "posts", "id", Action::Cascade))]);
        wants[0].orphans = Some(3);
        for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
            let made = counted(&fixture, &wants, of_all(policy));
            assert!(made.steps.is_empty(), "{kind}");
            let why = &made.refused[0].why;
            assert!(why.contains(&format!("{value}, which looks like a sentinel for \"none\"")), "{why}");
            assert!(why.contains("--orphans posts.parent_id=set-null"), "{why}");
        }
        let by_name = Options {
            orphans_of: vec![("posts.parent_id".into(), Some(OrphanPolicy::Delete))],
            ..of_all(OrphanPolicy::Delete)
        };
        let made = counted(&fixture, &wants, by_name);
        assert!(made.steps[0].touches_rows, "{:?}", made.refused);
    }
    // A rare 0 without a default is an orphan like others.
    let fixture = Fixture::new(
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, parent_id INT NOT NULL); INSERT INTO posts VALUES (1, 0), (2, 98), (3, 99), (4, 1), (5, 1), (6, 1);",
    );
    let mut wants = wanted(&[add("posts", key("parent_id", "posts", "id", Action::Cascade))]);
    wants[0].orphans = Some(3);
    assert!(counted(&fixture, &wants, of_all(OrphanPolicy::Delete)).steps[0].touches_rows);
    // Two of five are no accident.
    fixture
        .connect()
        .execute_batch(
            "UPDATE posts SET parent_id = 0 WHERE id = 2; INSERT INTO posts VALUES (7, 97), (8, 96), (9, 1), (10, 1)",
        )
        .unwrap();
    wants[0].orphans = Some(5);
    let made = counted(&fixture, &wants, of_all(OrphanPolicy::Delete));
    assert!(made.refused[0].why.contains("2 of them hold 0"), "{:?}", made.refused);
}

#[test]
fn a_word_for_all_never_deletes_more_than_half_of_the_rows_that_refer() {
    let fixture = Fixture::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INT NOT NULL);
         INSERT INTO posts VALUES (1, 7), (2, 8), (3, 9);",
    );
    let mut wants = wanted(&[add("posts", key("user_id", "users", "id", Action::Cascade))]);
    let refused = |wants: &[Wanted], policy| {
        let made = counted(&fixture, wants, of_all(policy));
        assert!(made.steps.is_empty());
        made.refused[0].why.clone()
    };
    wants[0].orphans = Some(3);
    for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
        let why = refused(&wants, policy);
        assert!(
            why.contains("every row of `posts` (3 of 3)") && why.contains("--orphans posts.user_id=delete"),
            "{why}"
        );
    }
    let by_name = Options {
        orphans_of: vec![("posts.user_id".into(), Some(OrphanPolicy::Delete))],
        ..of_all(OrphanPolicy::Delete)
    };
    assert!(counted(&fixture, &wants, by_name).steps[0].touches_rows);
    fixture.connect().execute_batch("INSERT INTO users VALUES (1); INSERT INTO posts VALUES (4, 1), (5, 1)").unwrap();
    let why = refused(&wants, OrphanPolicy::Delete);
    assert!(why.contains("3 of the 5 rows of `posts` whose reference is not NULL"), "{why}");
    // Where rows are not counted, a guard does.
    wants[0].orphans = None;
    let uncounted = counted(&fixture, &wants, of_all(OrphanPolicy::Delete));
    let guard = uncounted.steps[0].guards.iter().find(|g| g.message().contains("more than half")).unwrap();
    assert_eq!(number(&fixture.connect(), &format!("SELECT count(*) FROM ({})", guard.sql)), 1);
    fixture.connect().execute_batch("INSERT INTO posts VALUES (6, 1)").unwrap();
    assert_eq!(number(&fixture.connect(), &format!("SELECT count(*) FROM ({})", guard.sql)), 0);
    wants[0].orphans = Some(3);
    assert!(counted(&fixture, &wants, of_all(OrphanPolicy::Delete)).steps[0].touches_rows);
}

fn rows(connection: &Connection, case: &Case) -> Vec<Vec<(usize, Vec<Option<usize>>)>> {
    let size = |n: i64| usize::try_from(n).unwrap();
    let table = |(t, table): (usize, &super::clean_up::Table)| {
        let mut statement = connection.prepare(&format!("SELECT * FROM t{t} ORDER BY id")).unwrap();
        let row = |r: &rusqlite::Row<'_>| {
            let value = |k| Ok(r.get::<_, Option<i64>>(k + 1)?.map(size));
            let values = (0..table.keys.len()).map(value).collect::<rusqlite::Result<_>>()?;
            Ok((size(r.get(0)?), values))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    case.tables.iter().enumerate().map(table).collect()
}

fn check(case: &Case) -> Result<(), String> {
    let mut sql = String::new();
    for (t, table) in case.tables.iter().enumerate() {
        let mut parts = case.columns(t);
        for (k, key) in table.keys.iter().enumerate() {
            let Some(action) = key.declared else { continue };
            parts.push(format!("FOREIGN KEY (c{k}) REFERENCES t{} (id) ON DELETE {action}", key.parent));
        }
        sql.push_str(&format!("CREATE TABLE t{t} ({});\n", parts.join(", ")));
    }
    sql.push_str(&case.inserts());
    let fixture = Fixture::new(&sql);
    let mut wants = Vec::new();
    for (t, table) in case.tables.iter().enumerate() {
        for (k, key) in table.keys.iter().enumerate() {
            let (name, column, orphans) = (format!("t{t}"), format!("c{k}"), case.orphans(t, k));
            if key.declared.is_none() {
                let new = ForeignKey::new([column.as_str()], format!("t{}", key.parent).as_str().into(), ["id"]);
                wants.push(Wanted { orphans: Some(orphans), ..wanted(&[add(&name, new)]).remove(0) });
            } else if orphans > 0 {
                wants.push(declared(&fixture, &name, &column, orphans));
            }
        }
    }
    let outcome = case.outcome();
    let policy = if case.quarantine { OrphanPolicy::Quarantine } else { OrphanPolicy::Delete };
    let made = among_many(&fixture, &wants, of_all(policy));
    if !made.refused.is_empty() {
        return Err(format!("refused: {:?}", made.refused));
    }
    let steps = cleaning(&made);
    let bounds: Vec<(String, u64)> = steps.iter().flat_map(|s| &s.bounds).map(|b| (b.what(), b.rows)).collect();
    case.same_counts(&outcome, &bounds)?;
    let connection = fixture.connect();
    let (text, all) = (
        format!("{sql}\n{steps:#?}"),
        std::panic::AssertUnwindSafe(|| {
            up(&connection, &steps);
            assert_eq!(rows(&connection, case), outcome.rows);
            if outcome.follows {
                assert!(steps.iter().any(|s| s.title.contains("row goes") || s.title.contains(" to NULL")));
            }
            down(&connection, &steps);
            assert_eq!(rows(&connection, case), case.before());
        }),
    );
    std::panic::catch_unwind(all).map_err(|cause| {
        let told = cause.downcast_ref::<String>().cloned().unwrap_or_default();
        format!("{told}\n{text}")
    })
}

/// As many cases as take some seconds, or as `PLAN_CLEAN_UPS` says.
#[test]
fn random_clean_ups_do_what_was_shown_and_come_back() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let cases_number = number("PLAN_CLEAN_UPS").unwrap_or(60) as u32;
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&number("PLAN_SEED").unwrap_or(1).to_le_bytes());
    let config = Config { cases: cases_number, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    match runner.run(&cases().boxed(), |case| check(&case).map_err(TestCaseError::fail)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
