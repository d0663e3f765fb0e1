//! Orphans to which other rows refer: what goes with them is counted before the first change, and all of it comes back.

use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use referee::change::Change;
use referee::plan::{Made, Options, OrphanPolicy, Step, Wanted};
use referee::relations::{Basis, ConfiguredRelation, Relation};
use referee::schema::{ForeignKey, Schema};

use crate::clean_up::{Case, cases};
use crate::support::plan::{self, declared_locks, down, inspect, is_done, same, stopped_by, wanted};
use crate::support::postgres as server;

fn number(client: &mut Client, sql: &str) -> u64 {
    let row = client.query_one(sql, &[]).unwrap_or_else(|e| panic!("{}\n{sql}", server::explain(&e)));
    u64::try_from(row.get::<_, i64>(0)).unwrap()
}

/// Plans as the command does: what the planner has to count is asked, until it has asked all.
pub(super) fn counted(client: &mut Client, schema: &Schema, wanted: &[Wanted], options: Options) -> Made {
    answered(client, schema, wanted, options, &[], |_| None)
}

/// Plans as if many more rows referred, where there are relations that no key declares.
fn counted_knowing(
    client: &mut Client,
    schema: &Schema,
    wanted: &[Wanted],
    options: Options,
    relations: &[Relation],
) -> Made {
    answered(client, schema, wanted, options, relations, |query| all_that_refer(query).then_some(1_000_000))
}

/// Plans as if many more rows referred, so that the orphans are few among them.
fn among_many(client: &mut Client, schema: &Schema, wanted: &[Wanted], options: Options) -> Made {
    counted_knowing(client, schema, wanted, options, &[])
}

fn all_that_refer(query: &str) -> bool {
    query.ends_with(" IS NOT NULL") && !query.contains("EXISTS")
}

/// Plans as the command does; `look` is shown each query before it is asked.
pub(super) fn asked_first(
    client: &mut Client,
    schema: &Schema,
    wanted: &[Wanted],
    mut options: Options,
    look: &mut dyn FnMut(&mut Client, &str),
) -> Made {
    loop {
        let made = plan::plan(schema, wanted, &options);
        let missing = options.counts.missing();
        if missing.is_empty() {
            return made;
        }
        for query in missing {
            look(client, &query);
            let rows = number(client, &query);
            options.counts.answer(query, rows);
        }
    }
}

fn answered(
    client: &mut Client,
    schema: &Schema,
    wanted: &[Wanted],
    mut options: Options,
    relations: &[Relation],
    known: impl Fn(&str) -> Option<u64>,
) -> Made {
    loop {
        let made = plan::plan_knowing(schema, wanted, &options, relations.to_vec());
        let missing = options.counts.missing();
        if missing.is_empty() {
            return made;
        }
        for query in missing {
            let rows = known(&query).unwrap_or_else(|| number(client, &query));
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

pub(super) fn cleaning(made: &Made) -> Vec<Step> {
    made.steps.iter().filter(|s| s.touches_rows).cloned().collect()
}

fn prepared(server: &server::Server, sql: &str) -> (String, Schema, Client) {
    let url = server.fresh_database();
    server::execute(&url, sql);
    (url.clone(), inspect(&url), server::connect(&url))
}

pub(super) fn declared(schema: &Schema, table: &str, column: &str, orphans: u64) -> Wanted {
    let keys = &schema.table(&table.into()).unwrap().foreign_keys;
    let foreign_key = keys.iter().find(|k| k.columns == [column]).unwrap().clone();
    let change = Change::ValidateForeignKey { table: table.into(), foreign_key };
    Wanted { orphans: Some(orphans), ..wanted(vec![change]) }
}

pub(super) fn of_all(orphans: OrphanPolicy) -> Options {
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
            let shown: Vec<(String, u64)> = step.bounds.iter().map(|b| (b.what(), b.rows)).collect();
            let shown: Vec<(&str, u64)> = shown.iter().map(|(what, rows)| (what.as_str(), *rows)).collect();
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
             goes), set 1 row of projects.latest_run_id to NULL (orphans)"
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

/// Orders of a user who is gone; nothing but `orders.user_id` is declared.
const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL);
    CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL); CREATE TABLE notes (id int PRIMARY KEY, order_id int);
    CREATE TABLE payments (id int PRIMARY KEY, order_id int NOT NULL);
    INSERT INTO users VALUES (1); INSERT INTO orders VALUES (1, 1), (2, 9), (3, 9);
    ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users NOT VALID;
    INSERT INTO items VALUES (1, 1), (2, 2), (3, 3), (4, 77); INSERT INTO notes VALUES (1, 1), (2, 2), (3, 77);
    INSERT INTO payments VALUES (1, 1), (2, 2), (3, 3), (4, 3), (5, 88);";

fn of_orders(schema: &Schema, child: &str) -> Relation {
    let relation = ConfiguredRelation {
        child: child.into(),
        columns: vec!["order_id".into()],
        parent: "orders".into(),
        parent_columns: vec!["id".into()],
        on_delete: None,
        accepted: Some(0.9),
    };
    relation.relation(schema)
}

#[test]
fn no_relation_that_is_known_gets_new_orphans_and_what_a_guess_leaves_is_named() {
    for server in server::servers() {
        let (_, before, mut client) = prepared(server, SHOP);
        let known = [of_orders(&before, "items"), of_orders(&before, "notes")];
        let basis = Basis::Inferred { confidence: 0.96, evidence: Vec::new() };
        let guessed = vec![Relation { accepted: None, basis, ..of_orders(&before, "payments") }];
        let wants = [declared(&before, "orders", "user_id", 2)];
        let options = Options { guessed, ..of_all(OrphanPolicy::Delete) };
        let made = counted_knowing(&mut client, &before, &wants, options.clone(), &known);
        let steps = cleaning(&made);
        assert_eq!(
            steps[0].title,
            "Delete 2 rows of orders (orphans), delete 2 rows of items (their orders row goes), set 1 row of notes.order_id to NULL \
             (their orders row goes); leaves new orphans: 3 rows of payments (guessed payments.order_id)"
        );
        let rows = plan::rows(&mut client, &before);
        up(&mut client, &steps);
        let orphans = |client: &mut Client, table: &str| {
            number(client, &format!("SELECT count(*) FROM {table} WHERE order_id NOT IN (SELECT id FROM orders)"))
        };
        assert_eq!(["items", "notes", "payments"].map(|t| orphans(&mut client, t)), [1, 1, 4]);
        undo(&mut client, &steps);
        assert_eq!(plan::rows(&mut client, &before), rows);
        // The guess alone.
        let steps = cleaning(&among_many(&mut client, &before, &wants, options.clone()));
        assert!(
            steps[0].why.contains("Leaves new orphans: 3 rows of payments (guessed payments.order_id -> orders.id)")
        );
        client.batch_execute("INSERT INTO payments VALUES (6, 2)").unwrap();
        let error = plan::run(&mut client, &steps[0].up, None).unwrap_err();
        let said = server::explain(&error);
        assert!(said.contains("4 rows of payments would become orphans, and the plan showed 3 rows"), "{said}");
        let left = Options { orphans_of: vec![("items.order_id".into(), None)], ..options };
        let made = counted_knowing(&mut client, &before, &wants, left, &known);
        assert!(made.steps.is_empty() && made.refused[0].why.contains("2 rows of items.order_id refer"), "{made:?}");
    }
}

#[test]
fn a_publication_that_cannot_send_the_change_blocks_the_step_and_one_that_takes_the_backup_is_named() {
    for server in server::servers() {
        for (column, orphans) in [("user_id", 2), ("note_id", 1)] {
            let sql = format!(
                "{SHOP} ALTER TABLE orders DROP CONSTRAINT orders_pkey; ALTER TABLE orders ADD note_id int;
                 UPDATE orders SET note_id = 7 WHERE id = 1;
                 ALTER TABLE orders ADD FOREIGN KEY (note_id) REFERENCES notes NOT VALID;
                 UPDATE orders SET note_id = note_id; DELETE FROM notes;
                 CREATE PUBLICATION cdc FOR ALL TABLES;"
            );
            let sql = sql.replace("UPDATE orders SET note_id = note_id; ", "");
            let (url, before, mut client) = prepared(server, &sql);
            let wants = [declared(&before, "orders", column, orphans)];
            let made = among_many(&mut client, &before, &wants, of_all(OrphanPolicy::Delete));
            assert!(made.steps.is_empty(), "{made:?}");
            let why = &made.refused[0].why;
            assert!(why.contains("blocked: publication cdc publishes") && why.contains("55000"), "{why}");
            client.batch_execute("ALTER TABLE orders REPLICA IDENTITY FULL").unwrap();
            let before = inspect(&url);
            let steps = cleaning(&among_many(&mut client, &before, &wants, of_all(OrphanPolicy::Delete)));
            let warns = "Publication cdc (FOR ALL TABLES or TABLES IN SCHEMA) will publish the backup table.";
            assert!(steps[0].why.contains(warns), "{}", steps[0].why);
            up(&mut client, &steps);
        }
    }
}

#[test]
fn backups_are_their_owners_alone_whatever_default_privileges_say() {
    for server in server::servers() {
        for known in [false, true] {
            let sql = format!(
                "DO $$ BEGIN CREATE ROLE \"Reader of all\"; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                 ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO \"Reader of all\";
                 ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO PUBLIC; {SHOP}"
            );
            let (_, before, mut client) = prepared(server, &sql);
            let known = if known { vec![of_orders(&before, "items"), of_orders(&before, "notes")] } else { Vec::new() };
            let wants = [declared(&before, "orders", "user_id", 2)];
            let steps = cleaning(&counted_knowing(&mut client, &before, &wants, of_all(OrphanPolicy::Delete), &known));
            assert!(steps[0].why.contains("Only the owner may read the backup"), "{}", steps[0].why);
            up(&mut client, &steps);
            let backups = "FROM pg_class WHERE relname LIKE '\\_referee\\_kept%' AND relkind = 'r'";
            assert!(number(&mut client, &format!("SELECT count(*) {backups}")) > 0);
            let open = "has_table_privilege('Reader of all', oid, 'SELECT, INSERT') OR NOT relrowsecurity";
            assert_eq!(number(&mut client, &format!("SELECT count(*) {backups} AND ({open})")), 0);
            assert_eq!(
                number(
                    &mut client,
                    "SELECT count(*) FROM pg_class WHERE oid = 'orders'::regclass AND has_table_privilege('Reader of all', oid, 'SELECT')"
                ),
                1
            );
            undo(&mut client, &steps);
        }
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
            assert!(made.refused.iter().any(|r| r.why.contains("trigger stays on")), "{:?}", made.refused);
            // Who names the relation has looked at the trigger.
            let (delete, null) = (Some(OrphanPolicy::Delete), Some(OrphanPolicy::SetNull));
            let orphans_of = vec![("runs.project_id".into(), delete), ("projects.latest_run_id".into(), null)];
            let options = Options { orphans_of, ..of_all(OrphanPolicy::Delete) };
            let made = counted(&mut client, &before, &wants, options);
            let rows = plan::rows(&mut client, &before);
            assert!(made.steps[0].why.contains("Trigger stays fires"), "{}", made.steps[0].why);
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
            "Delete 9 rows of t (orphans), set 9 rows of c.t to NULL (their t row goes), set 9 rows of c.t2 to NULL (their t row goes)"
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
            ("int NOT NULL", "-1".to_string()),
            ("varchar(9) NOT NULL", "'n/a'".to_string()),
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
            assert!(why.contains(&format!("{value}, which looks like a sentinel for \"none\"")), "{why}");
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
    let made = among_many(client, &schema, &wants, of_all(policy));
    if !made.refused.is_empty() {
        return Err(format!("refused: {:?}", made.refused));
    }
    let steps = cleaning(&made);
    let bounds: Vec<(String, u64)> = steps.iter().flat_map(|s| &s.bounds).map(|b| (b.what(), b.rows)).collect();
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

#[test]
fn an_undo_of_several_tables_that_does_not_restore_every_row_drops_no_backup() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE p (id int PRIMARY KEY);
            CREATE TABLE c (id int PRIMARY KEY, p_id int NOT NULL);
            CREATE TABLE g (id int PRIMARY KEY, c_id int NOT NULL REFERENCES c);
            INSERT INTO c VALUES (2, 9); INSERT INTO g VALUES (7, 2);
            ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;";
        let (url, before, mut client) = prepared(server, sql);
        let made = among_many(&mut client, &before, &[declared(&before, "c", "p_id", 1)], of_all(OrphanPolicy::Delete));
        let steps = cleaning(&made);
        // A key that came since planning stops it under its locks, too.
        server::execute(
            &url,
            "CREATE TABLE late (c_id int REFERENCES c ON DELETE CASCADE); INSERT INTO late VALUES (2)",
        );
        let error = plan::run(&mut client, &steps[0].up, None).unwrap_err();
        assert!(server::explain(&error).contains("added since planning"), "{}", server::explain(&error));
        let mut client = server::connect(&url);
        server::execute(&url, "DROP TABLE late");
        up(&mut client, &steps);
        let acts = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                    CREATE TRIGGER f BEFORE INSERT ON g FOR EACH ROW EXECUTE FUNCTION f()";
        server::execute(&url, acts);
        let error = plan::run(&mut client, down(&steps[0]).0, None).unwrap_err();
        assert!(server::explain(&error).contains("did not come back as they were"), "{}", server::explain(&error));
        let mut client = server::connect(&url);
        let backups = "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_referee\\_kept\\_%' AND relkind = 'r'";
        assert_eq!(number(&mut client, backups), 2);
        server::execute(&url, "DROP TRIGGER f ON g");
        undo(&mut client, &steps);
        assert_eq!(number(&mut client, "SELECT count(*) FROM g JOIN c ON c.id = g.c_id"), 1);
    }
}
