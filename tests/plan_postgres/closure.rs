//! Orphans to which other rows refer: what goes with them is counted before the first change, and all of it comes back.

use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use referee::change::Change;
use referee::plan::{Made, Options, OrphanPolicy, Step, Wanted};
use referee::schema::{ForeignKey, Schema};

use crate::clean_up::{Case, cases};
use crate::support::plan::{self, declared_locks, down, inspect, is_done, same, stopped_by, wanted};
use crate::support::postgres as server;

fn number(client: &mut Client, sql: &str) -> u64 {
    let row = client.query_one(sql, &[]).unwrap_or_else(|e| panic!("{}\n{sql}", server::explain(&e)));
    u64::try_from(row.get::<_, i64>(0)).unwrap()
}

/// Plans as the command does: what the planner has to count is asked, until it has asked all.
fn counted(client: &mut Client, schema: &Schema, wanted: &[Wanted], mut options: Options) -> Made {
    loop {
        let made = plan::plan(schema, wanted, &options);
        let missing = options.counts.missing();
        if missing.is_empty() {
            return made;
        }
        for query in missing {
            let rows = number(client, &query);
            options.counts.answer(query, rows);
        }
    }
}

fn up(client: &mut Client, steps: &[Step]) {
    for step in steps {
        assert_eq!(stopped_by(client, &step.guards), Vec::<String>::new(), "{}", step.title);
        plan::run(client, &step.up, None).unwrap_or_else(|e| panic!("{}: {}", step.title, server::explain(&e)));
        assert!(is_done(client, step), "{}", step.title);
    }
}

fn undo(client: &mut Client, steps: &[Step]) {
    for step in steps.iter().rev() {
        let (script, guards) = down(step);
        assert_eq!(stopped_by(client, guards), Vec::<String>::new(), "{}", step.title);
        plan::run(client, script, None).unwrap_or_else(|e| panic!("{}: {}", step.title, server::explain(&e)));
    }
}

fn cleaning(made: &Made) -> Vec<Step> {
    made.steps.iter().filter(|s| s.touches_rows).cloned().collect()
}

fn prepared(server: &server::Server, sql: &str) -> (String, Schema, Client) {
    let url = server.fresh_database();
    server::execute(&url, sql);
    (url.clone(), inspect(&url), server::connect(&url))
}

fn declared(schema: &Schema, table: &str, column: &str, orphans: u64) -> Wanted {
    let keys = &schema.table(&table.into()).unwrap().foreign_keys;
    let foreign_key = keys.iter().find(|k| k.columns == [column]).unwrap().clone();
    let change = Change::ValidateForeignKey { table: table.into(), foreign_key };
    Wanted { orphans: Some(orphans), ..wanted(vec![change]) }
}

fn of_all(orphans: OrphanPolicy) -> Options {
    Options { orphans: Some(orphans), ..Options::default() }
}

/// `projects` and `runs` refer to one another, and to the users one of whom is gone.
const CIRCLE: &str = "
    CREATE TABLE users (id int PRIMARY KEY, latest_run_id int);
    CREATE TABLE projects (id int PRIMARY KEY, owner_id int NOT NULL REFERENCES users, latest_run_id int);
    CREATE TABLE runs (id int PRIMARY KEY, project_id int NOT NULL REFERENCES projects ON DELETE RESTRICT);
    CREATE TABLE files (id int GENERATED ALWAYS AS IDENTITY, project_id int NOT NULL REFERENCES projects);
    ALTER TABLE projects ADD CONSTRAINT latest FOREIGN KEY (latest_run_id) REFERENCES runs DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE users ADD CONSTRAINT latest FOREIGN KEY (latest_run_id) REFERENCES runs ON DELETE CASCADE DEFERRABLE;
    SET session_replication_role = replica;
    INSERT INTO projects SELECT n, (n - 1) % 10 + 1, n + 40 FROM generate_series(1, 40) n;
    INSERT INTO runs SELECT n, (n - 1) % 40 + 1 FROM generate_series(1, 80) n;
    INSERT INTO files (project_id) SELECT generate_series(1, 40);
    INSERT INTO users SELECT n, CASE n WHEN 1 THEN 4 ELSE 1 END FROM generate_series(1, 10) n WHERE n <> 3;
    UPDATE projects SET latest_run_id = 999 WHERE id = 5;
    UPDATE users SET latest_run_id = NULL WHERE id = 2;
    SET session_replication_role = origin;";

#[test]
fn on_a_circle_only_what_belongs_to_the_missing_user_goes_at_once() {
    for server in server::servers() {
        for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
            let sql = format!("{CIRCLE} UPDATE users SET latest_run_id = 3 WHERE id = 2;");
            let (url, before, mut client) = prepared(server, &sql);
            let wants =
                [declared(&before, "projects", "owner_id", 4), declared(&before, "projects", "latest_run_id", 1)];
            let made = counted(&mut client, &before, &wants, of_all(policy));
            assert!(made.refused.is_empty(), "{:?}", made.refused);
            let [step] = cleaning(&made).try_into().unwrap_or_else(|s: Vec<Step>| panic!("{}", s.len()));
            // A user whose reference cascades by declaration goes with the run.
            let shown: Vec<(&str, u64)> = step.bounds.iter().map(|b| (b.what.as_str(), b.rows)).collect();
            assert!(shown.contains(&("rows of runs to delete", 16)), "{shown:?}");
            assert!(shown.contains(&("rows of users to delete", 1)), "{shown:?}");
            assert!(shown.contains(&("rows of projects to delete", 8)), "{shown:?}");
            assert!(step.title.contains("1 row of users (their runs row goes)"), "{}", step.title);
            let rows = plan::rows(&mut client, &before);
            let locks =
                plan::run_seeing_locks(&mut client, &step.up).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
            let ours = |all: Vec<(String, String)>| {
                all.into_iter().filter(|(t, _)| !t.starts_with("_referee_")).collect::<Vec<_>>()
            };
            assert_eq!(ours(locks), declared_locks(&step));
            assert!(is_done(&mut client, &step));
            let mut expected = before.clone();
            step.changes.iter().for_each(|c| c.apply(&mut expected).unwrap());
            same(&inspect(&url), &expected, "done");
            let orphans =
                "SELECT count(*) FROM projects p WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = owner_id)";
            assert_eq!(number(&mut client, orphans), 0);
            undo(&mut client, &[step]);
            assert_eq!(plan::rows(&mut client, &before), rows);
        }
    }
}

#[test]
fn a_living_users_projects_stay_where_the_pointer_may_be_null() {
    for server in server::servers() {
        let sql = CIRCLE.replace("REFERENCES runs ON DELETE CASCADE", "REFERENCES runs ON DELETE SET NULL");
        let (_, before, mut client) = prepared(server, &sql);
        let wants = [declared(&before, "projects", "owner_id", 4), declared(&before, "projects", "latest_run_id", 1)];
        let made = counted(&mut client, &before, &wants, of_all(OrphanPolicy::Delete));
        let steps = cleaning(&made);
        assert_eq!(
            steps[0].title,
            "Delete 4 rows of projects (orphans), delete 4 rows of files (their projects row goes), delete 8 rows of runs (their projects row \
             goes), set 1 row of projects.latest_run_id to NULL"
        );
        let rows = plan::rows(&mut client, &before);
        up(&mut client, &steps);
        assert_eq!(number(&mut client, "SELECT count(*) FROM projects JOIN users ON users.id = owner_id"), 36);
        assert_eq!(
            number(&mut client, "SELECT count(*) FROM files WHERE project_id = 5"),
            1,
            "its run is stale, no more"
        );
        undo(&mut client, &steps);
        assert_eq!(plan::rows(&mut client, &before), rows);
        // More than was shown stops it, and nothing is done.
        client.batch_execute("SET session_replication_role = replica; INSERT INTO runs VALUES (500, 3); RESET session_replication_role").unwrap();
        let rows = plan::rows(&mut client, &before);
        let error = plan::run(&mut client, &steps[0].up, None).unwrap_err();
        let said = server::explain(&error);
        assert!(said.contains("9 rows of runs would be deleted, and the plan showed 8 rows"), "{said}");
        assert_eq!(plan::rows(&mut client, &before), rows);
        client.batch_execute("CREATE TABLE late (p int REFERENCES projects)").unwrap();
        let stopped = stopped_by(&mut client, &steps[0].guards);
        assert!(stopped.len() == 1 && stopped[0].contains("added since planning"), "{stopped:?}");
    }
}

#[test]
fn a_trigger_that_keeps_a_row_takes_everything_back() {
    for server in server::servers() {
        for event in ["DELETE ON runs", "UPDATE ON projects"] {
            let sql = format!(
                "{CIRCLE} CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
                 CREATE TRIGGER stays BEFORE {event} FOR EACH ROW EXECUTE FUNCTION stays();"
            );
            let (_, before, mut client) = prepared(server, &sql);
            let wants =
                [declared(&before, "projects", "owner_id", 4), declared(&before, "projects", "latest_run_id", 1)];
            let made = counted(&mut client, &before, &wants, of_all(OrphanPolicy::Delete));
            let rows = plan::rows(&mut client, &before);
            assert!(made.steps[0].why.contains("The trigger stays fires"), "{}", made.steps[0].why);
            plan::run(&mut client, &made.steps[0].up, None).unwrap_err();
            assert_eq!(plan::rows(&mut client, &before), rows);
        }
    }
}

#[test]
fn partitions_follow_and_are_followed() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
            CREATE TABLE t (id int, p int NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id);
            CREATE TABLE t0 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (10) TO (20);
            CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t, t2 int) PARTITION BY HASH (id);
            CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0);
            CREATE TABLE c1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1);
            INSERT INTO t SELECT n, CASE WHEN n % 2 = 0 THEN 1 ELSE 9 END FROM generate_series(1, 18) n;
            INSERT INTO c SELECT n, n, n FROM generate_series(1, 18) n;";
        let (url, before, mut client) = prepared(server, sql);
        let add = |child: &str, column: &str, parent: &str, orphans: u64| {
            let foreign_key = ForeignKey::new([column], parent.into(), ["id"]);
            let change = Change::AddForeignKey { table: child.into(), foreign_key };
            Wanted { orphans: Some(orphans), ..wanted(vec![change]) }
        };
        let wants = [add("t", "p", "p", 9), add("c", "t2", "t", 0)];
        let made = counted(&mut client, &before, &wants, of_all(OrphanPolicy::Delete));
        let steps = cleaning(&made);
        assert_eq!(
            steps[0].title,
            "Delete 9 rows of t (orphans), set 9 rows of c.t to NULL, set 9 rows of c.t2 to NULL"
        );
        let rows = plan::rows(&mut client, &before);
        up(&mut client, &steps);
        assert_eq!(number(&mut client, "SELECT count(*) FROM c WHERE t IS NULL AND t2 IS NULL"), 9);
        undo(&mut client, &steps);
        assert_eq!(plan::rows(&mut client, &before), rows);
        same(&inspect(&url), &before, "undone");
    }
}

#[test]
fn a_sentinel_is_named_and_never_deleted_by_a_word_for_all() {
    for server in server::servers() {
        let none = "00000000-0000-0000-0000-000000000000";
        for (kind, value) in [
            ("int NOT NULL DEFAULT 0", "0".to_string()),
            ("text NOT NULL DEFAULT ''", "''".to_string()),
            ("uuid NOT NULL", format!("'{none}'")),
        ] {
            let of = kind.split(' ').next().unwrap();
            let sql = format!(
                "CREATE TABLE p (id {of} PRIMARY KEY); CREATE TABLE posts (id int PRIMARY KEY, parent_id {kind});
                 INSERT INTO posts VALUES (1, {value}), (2, {value});"
            );
            let (_, before, mut client) = prepared(server, &sql);
            let foreign_key = ForeignKey::new(["parent_id"], "p".into(), ["id"]);
            let change = Change::AddForeignKey { table: "posts".into(), foreign_key };
            let want = Wanted { orphans: Some(2), ..wanted(vec![change]) };
            let made = counted(&mut client, &before, std::slice::from_ref(&want), of_all(OrphanPolicy::Delete));
            assert!(made.steps.is_empty(), "{kind}");
            let why = &made.refused[0].why;
            assert!(why.contains(&format!("{value} looks like a sentinel for \"none\"")), "{why}");
            assert!(why.contains("--orphans posts.parent_id=set-null"), "{why}");
        }
    }
}

fn rows(client: &mut Client, case: &Case) -> Vec<Vec<(usize, Vec<Option<usize>>)>> {
    let size = |n: i32| usize::try_from(n).unwrap();
    let mut all = Vec::new();
    for (t, table) in case.tables.iter().enumerate() {
        let found = client.query(&format!("SELECT * FROM t{t} ORDER BY id"), &[]).unwrap();
        let row = |r: &postgres::Row| {
            let values = (0..table.keys.len()).map(|k| r.get::<_, Option<i32>>(k + 1).map(size)).collect();
            (size(r.get(0)), values)
        };
        all.push(found.iter().map(row).collect());
    }
    all
}

fn check(client: &mut Client, url: &str, case: &Case) -> Result<(), String> {
    let mut sql =
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET session_replication_role = replica;\n".to_string();
    for t in 0..case.tables.len() {
        sql.push_str(&format!("CREATE TABLE t{t} ({});\n", case.columns(t).join(", ")));
    }
    sql.push_str(&case.inserts());
    for (t, table) in case.tables.iter().enumerate() {
        for (k, key) in table.keys.iter().enumerate() {
            let Some(action) = key.declared else { continue };
            sql.push_str(&format!(
                "ALTER TABLE t{t} ADD CONSTRAINT k{k} FOREIGN KEY (c{k}) REFERENCES t{} (id) ON DELETE {action} NOT VALID;\n",
                key.parent
            ));
        }
    }
    sql.push_str("SET session_replication_role = origin;");
    client.batch_execute(&sql).map_err(|e| server::explain(&e))?;
    let schema = inspect(url);
    let mut wants = Vec::new();
    for (t, table) in case.tables.iter().enumerate() {
        for (k, key) in table.keys.iter().enumerate() {
            let (name, column, orphans) = (format!("t{t}"), format!("c{k}"), case.orphans(t, k));
            if key.declared.is_none() {
                let foreign_key =
                    ForeignKey::new([column.as_str()], format!("t{}", key.parent).as_str().into(), ["id"]);
                let change = Change::AddForeignKey { table: name.as_str().into(), foreign_key };
                wants.push(Wanted { orphans: Some(orphans), ..wanted(vec![change]) });
            } else {
                wants.push(declared(&schema, &name, &column, orphans));
            }
        }
    }
    let outcome = case.outcome();
    let policy = if case.quarantine { OrphanPolicy::Quarantine } else { OrphanPolicy::Delete };
    let made = counted(client, &schema, &wants, of_all(policy));
    if !made.refused.is_empty() {
        return Err(format!("refused: {:?}", made.refused));
    }
    let steps = cleaning(&made);
    let bounds: Vec<(String, u64)> = steps.iter().flat_map(|s| &s.bounds).map(|b| (b.what.clone(), b.rows)).collect();
    case.same_counts(&outcome, &bounds)?;
    let text = format!("{sql}\n{steps:#?}");
    let all = std::panic::AssertUnwindSafe(|| {
        up(client, &steps);
        assert_eq!(rows(client, case), outcome.rows);
        undo(client, &steps);
        assert_eq!(rows(client, case), case.before());
    });
    std::panic::catch_unwind(all).map_err(|cause| {
        let told = cause.downcast_ref::<String>().cloned().unwrap_or_default();
        format!("{told}\n{text}")
    })
}

/// As many cases as take some seconds, or as `PLAN_CLEAN_UPS` says.
#[test]
fn random_clean_ups_do_what_was_shown_and_come_back() {
    let given = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let number = given("PLAN_CLEAN_UPS").unwrap_or(40) as u32;
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&given("PLAN_SEED").unwrap_or(1).to_le_bytes());
    for server in server::servers() {
        let url = server.fresh_database();
        let client = std::cell::RefCell::new(server::connect(&url));
        let config = Config { cases: number, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let result = runner.run(&cases().boxed(), |case| {
            let mut client = client.borrow_mut();
            let result = check(&mut client, &url, &case);
            if result.is_err() {
                let _ = client.batch_execute("ROLLBACK");
            }
            result.map_err(TestCaseError::fail)
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:#?}"),
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
    }
}
