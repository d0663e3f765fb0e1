//! Rows without parent: deleted, emptied, put aside and brought back, on tables of every sort.

use postgres::Client;
use referee::change::Change;
use referee::plan::{Down, Made, Options, OrphanPolicy, Wanted};
use referee::schema::{Action, ForeignKey, Match, Schema, TableName};

use crate::support::plan::{self, down, inspect, is_done, same, stopped_by, wanted};
use crate::support::postgres as server;

/// 12,345 of 30,000 rows have no parent, on a table with everything that makes copying hard.
const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY);
    INSERT INTO customers SELECT generate_series(1, 1000);
    CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE >= 0);
    CREATE TABLE orders (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int, note text COLLATE \"C\" DEFAULT 'n',
        price amount NOT NULL, twice numeric GENERATED ALWAYS AS (price * 2) STORED, \"Sel\"\"ect\" jsonb);
    INSERT INTO orders (customer_id, price, \"Sel\"\"ect\")
    SELECT CASE WHEN n <= 12345 THEN 5000 + n WHEN n % 7 = 0 THEN NULL ELSE n % 1000 + 1 END, n, '{\"a\": [1, null]}' FROM generate_series(1, 30000) n;";

fn options(orphans: OrphanPolicy) -> Options {
    Options { orphans: Some(orphans), ..Options::default() }
}

/// The same, said of one relation by its name: its rows may then go although its reference may be NULL.
fn by_name(relation: &str, orphans: OrphanPolicy) -> Options {
    Options { orphans_of: vec![(relation.to_string(), Some(orphans))], ..Options::default() }
}

fn add(count: Option<u64>) -> Wanted {
    let key = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["customer_id"], "customers".into(), ["id"]) };
    Wanted { orphans: count, ..wanted(vec![Change::AddForeignKey { table: "orders".into(), foreign_key: key }]) }
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(&format!("SELECT ({sql})::bigint"), &[]).unwrap().get(0)
}

fn orphans(client: &mut Client) -> i64 {
    number(
        client,
        "SELECT count(*) FROM orders o WHERE customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM customers c WHERE c.id = o.customer_id)",
    )
}

/// Runs all steps, holding the catalog against the plan after each.
fn up(url: &str, client: &mut Client, before: &Schema, made: &Made) {
    let mut expected = before.clone();
    for step in &made.steps {
        assert!(!is_done(client, step), "{}", step.title);
        assert_eq!(stopped_by(client, &step.guards), Vec::<String>::new());
        plan::run(client, &step.up, None).unwrap_or_else(|e| panic!("{}: {}", step.title, server::explain(&e)));
        assert!(is_done(client, step), "{}", step.title);
        step.changes.iter().for_each(|c| c.apply(&mut expected).unwrap());
        same(&inspect(url), &expected, &step.title);
    }
    assert!(made.steps.iter().all(|s| is_done(client, s)));
}

/// Returns the one table that rows are kept in.
fn aside(url: &str, start: &str) -> String {
    let tables = inspect(url).tables;
    let mut kept: Vec<String> = tables.iter().map(|t| t.name.name.clone()).filter(|n| n.starts_with(start)).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    kept.remove(0)
}

fn undo(client: &mut Client, made: &Made) {
    for step in made.steps.iter().rev() {
        let (script, guards) = down(step);
        assert_eq!(stopped_by(client, guards), Vec::<String>::new());
        plan::run(client, script, None).unwrap_or_else(|e| panic!("{}: {}", step.title, server::explain(&e)));
    }
}

pub(super) fn prepared(server: &server::Server, sql: &str) -> (String, Schema, Client) {
    let url = server.fresh_database();
    server::execute(&url, sql);
    (url.clone(), inspect(&url), server::connect(&url))
}

#[test]
fn rows_are_deleted_or_emptied_in_batches_and_no_others_and_come_back() {
    for server in server::servers() {
        for (policy, left) in [(OrphanPolicy::Delete, 30_000 - 12_345), (OrphanPolicy::SetNull, 30_000)] {
            let (url, before, mut client) = prepared(server, SHOP);
            let made = plan::plan(&before, &[add(Some(12_345))], &by_name("orders.customer_id", policy));
            assert_eq!(made.steps.len(), 3, "{:?}", made.refused);
            assert!(
                made.steps[0].touches_rows && made.steps[0].title.contains("12345 rows"),
                "{}",
                made.steps[0].title
            );
            let (rest, parents) = (
                "SELECT sum(hashtext(o::text)::bigint) FROM orders o WHERE id > 12345",
                "SELECT count(*) FROM customers",
            );
            let (others, known) = (number(&mut client, rest), number(&mut client, parents));
            let rows = plan::rows(&mut client, &before);
            for _ in 0..2 {
                up(&url, &mut client, &before, &made);
                assert_eq!((number(&mut client, "SELECT count(*) FROM orders"), orphans(&mut client)), (left, 0));
                assert_eq!((number(&mut client, rest), number(&mut client, parents)), (others, known));
                // What was done is kept, and said to be.
                let kept = aside(&url, "_referee_kept_orders_");
                assert_eq!(
                    number(&mut client, &format!("SELECT count(*) FROM {kept} WHERE customer_id > 5000")),
                    12_345
                );
                assert!(made.steps[0].why.contains(&format!("`DROP TABLE public.{kept}`")), "{}", made.steps[0].why);
                // The statement that keeps a batch is the one that changes it.
                let batches = format!("SELECT count(DISTINCT xmin::text) FROM {kept}");
                assert_eq!(number(&mut client, &batches), 2);
                undo(&mut client, &made);
                same(&inspect(&url), &before, "undone");
                assert_eq!(plan::rows(&mut client, &before), rows, "{policy:?}");
            }
        }
    }
}

#[test]
fn rows_put_aside_are_brought_back_as_they_were() {
    for server in server::servers() {
        let (url, before, mut client) = prepared(server, SHOP);
        let made = plan::plan(&before, &[add(None)], &by_name("orders.customer_id", OrphanPolicy::Quarantine));
        let rows = plan::rows(&mut client, &before);
        for _ in 0..2 {
            up(&url, &mut client, &before, &made);
            let kept = aside(&url, "_referee_quarantine_orders_");
            assert_eq!(number(&mut client, &format!("SELECT count(*) FROM {kept}")), 12_345);
            // Each batch is a transaction of its own.
            let batches = format!("SELECT count(DISTINCT xmin::text) FROM {kept}");
            assert_eq!(number(&mut client, &batches), 2);
            assert_eq!(number(&mut client, "SELECT count(*) FROM orders"), 30_000 - 12_345);
            undo(&mut client, &made);
            same(&inspect(&url), &before, "undone");
            assert_eq!(plan::rows(&mut client, &before), rows);
        }
    }
}

#[test]
fn rows_under_a_key_that_was_never_checked_are_put_aside_and_brought_back() {
    for server in server::servers() {
        let sql = format!(
            "{SHOP} ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID;"
        );
        let (url, before, mut client) = prepared(server, &sql);
        let key = before.table(&"orders".into()).unwrap().foreign_keys[0].clone();
        let rows = plan::rows(&mut client, &before);
        let validate = Change::ValidateForeignKey { table: "orders".into(), foreign_key: key.clone() };
        let new = ForeignKey { on_delete: Action::SetNull, validated: true, ..key.clone() };
        let replace = Change::ReplaceForeignKey { table: "orders".into(), old: key, new };
        for (change, policy) in [
            (&validate, OrphanPolicy::Quarantine),
            (&replace, OrphanPolicy::Quarantine),
            (&validate, OrphanPolicy::Delete),
            (&replace, OrphanPolicy::SetNull),
        ] {
            let want = Wanted { orphans: Some(12_345), ..wanted(vec![change.clone()]) };
            let made = plan::plan(&before, &[want], &by_name("orders.customer_id", policy));
            up(&url, &mut client, &before, &made);
            undo(&mut client, &made);
            same(&inspect(&url), &before, "undone");
            assert_eq!(plan::rows(&mut client, &before), rows);
        }
    }
}

/// A row that goes for one key may break another that was never checked, which keeps it from coming back.
#[test]
fn a_row_that_breaks_two_keys_is_brought_back_past_the_one_that_was_there() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE q (id int PRIMARY KEY);
            CREATE TABLE c (id int PRIMARY KEY, p int, q int); INSERT INTO c VALUES (1, 7, 8);
            ALTER TABLE c ADD CONSTRAINT there FOREIGN KEY (q) REFERENCES q NOT VALID;
            COMMENT ON CONSTRAINT there ON c IS 'since ever';";
        let (url, before, mut client) = prepared(server, sql);
        let rows = plan::rows(&mut client, &before);
        let key = ForeignKey::new(["p"], "p".into(), ["id"]);
        let change = Change::AddForeignKey { table: "c".into(), foreign_key: key };
        let want = Wanted { orphans: Some(1), ..wanted(vec![change]) };
        let made = plan::plan(&before, &[want], &by_name("c.p", OrphanPolicy::Quarantine));
        up(&url, &mut client, &before, &made);
        assert_eq!(number(&mut client, "SELECT count(*) FROM c"), 0);
        undo(&mut client, &made);
        same(&inspect(&url), &before, "undone");
        assert_eq!(plan::rows(&mut client, &before), rows);
    }
}

#[test]
fn partitions_and_pairs_of_columns_and_trees_are_cleaned() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); INSERT INTO p SELECT n, n FROM generate_series(1, 50) n;
            CREATE TABLE c (id int, a int, b int) PARTITION BY HASH (id);
            CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0);
            CREATE TABLE c1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1);
            INSERT INTO c SELECT n, n, n FROM generate_series(1, 100) n;
            INSERT INTO c VALUES (200, NULL, NULL), (201, 1, NULL), (202, NULL, 7);
            CREATE TABLE tree (id int PRIMARY KEY, up int); INSERT INTO tree SELECT n, n + 1 FROM generate_series(1, 30) n;";
        for matching in [Match::Simple, Match::Full] {
            for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull, OrphanPolicy::Quarantine] {
                let (url, before, mut client) = prepared(server, sql);
                let key = ForeignKey { matching, ..ForeignKey::new(["a", "b"], "p".into(), ["a", "b"]) };
                let tree = ForeignKey::new(["up"], "tree".into(), ["id"]);
                let want = |table: &str, key: &ForeignKey| {
                    let change = Change::AddForeignKey { table: table.into(), foreign_key: key.clone() };
                    Wanted { orphans: None, ..wanted(vec![change]) }
                };
                let relations = ["c.(a, b)", "tree.up->tree.id"].map(|r| (r.to_string(), Some(policy)));
                let said = Options { orphans_of: relations.to_vec(), ..Options::default() };
                let made = plan::plan(&before, &[want("c", &key), want("tree", &tree)], &said);
                assert!(made.refused.is_empty());
                // Who reads "of tree" has to know that one orphan is the end of all.
                let told =
                    made.steps.iter().any(|s| s.title.contains("of tree that are orphans or whose tree row goes"));
                assert_eq!(told, policy != OrphanPolicy::SetNull);
                let rows = plan::rows(&mut client, &before);
                up(&url, &mut client, &before, &made);
                let half = if matching == Match::Full { 0 } else { 2 };
                let expected = match policy {
                    // The last of the tree has no parent; without it the one before has none, and so on.
                    OrphanPolicy::Delete => (50 + 1 + half, 0),
                    OrphanPolicy::Quarantine => (50 + 1 + half, 0),
                    OrphanPolicy::SetNull => (103, 30),
                };
                let found =
                    (number(&mut client, "SELECT count(*) FROM c"), number(&mut client, "SELECT count(*) FROM tree"));
                assert_eq!(found, expected, "{matching:?} {policy:?}");
                // The partitioned table has no primary key: of what is gone every value is known, of what is empty not the row.
                if policy != OrphanPolicy::SetNull {
                    undo(&mut client, &made);
                    assert_eq!(plan::rows(&mut client, &before), rows);
                    continue;
                }
                let of_c = made.steps.iter().find(|s| s.title.starts_with("Set c.")).unwrap();
                assert!(
                    matches!(&of_c.down, Down::Impossible(why) if why.contains("is backed up in `_referee_kept_c_"))
                );
                let kept = format!("SELECT count(*) FROM {}", aside(&url, "_referee_kept_c_"));
                assert_eq!(number(&mut client, &kept), 52 - half);
            }
        }
    }
}

/// Nobody counts what only the repair leaves without a parent.
#[test]
fn rows_that_lose_their_parent_by_the_repair_go_as_well() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE c_root (id int PRIMARY KEY); INSERT INTO c_root SELECT generate_series(1, 9);
            CREATE TABLE b_mid (id int PRIMARY KEY, root int NOT NULL, myself int REFERENCES b_mid);
            INSERT INTO b_mid SELECT n, n, n FROM generate_series(1, 10) n;
            CREATE TABLE a_leaf (id int PRIMARY KEY, mid int NOT NULL); INSERT INTO a_leaf SELECT n, n FROM generate_series(1, 10) n;
            CREATE TABLE other (id int PRIMARY KEY, root int NOT NULL); INSERT INTO other SELECT n, n FROM generate_series(1, 9) n;";
        for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
            let (url, before, mut client) = prepared(server, sql);
            let want = |child: &str, column: &str, parent: &str, orphans: u64| {
                let foreign_key = ForeignKey::new([column], parent.into(), ["id"]);
                let change = Change::AddForeignKey { table: child.into(), foreign_key };
                Wanted { orphans: Some(orphans), ..wanted(vec![change]) }
            };
            let all = [
                want("a_leaf", "mid", "b_mid", 0),
                want("b_mid", "root", "c_root", 1),
                want("other", "root", "c_root", 0),
            ];
            let made = plan::plan(&before, &all, &options(policy));
            assert_eq!(made.steps.iter().filter(|s| s.touches_rows).count(), 1, "one for all of them");
            let rows = plan::rows(&mut client, &before);
            // The keys are not there yet when rows go: they stop nothing.
            let (cleaning, keys): (Vec<_>, Vec<_>) = made.steps.iter().cloned().partition(|s| s.touches_rows);
            let made = Made { steps: cleaning.into_iter().chain(keys).collect(), ..made };
            up(&url, &mut client, &before, &made);
            let left = "SELECT (SELECT count(*) FROM a_leaf) * 100 + (SELECT count(*) FROM b_mid)";
            assert_eq!(number(&mut client, left), 909);
            if policy == OrphanPolicy::Quarantine {
                undo(&mut client, &made);
                assert_eq!(plan::rows(&mut client, &before), rows);
            }
        }
    }
}

#[test]
fn what_cannot_be_cleaned_is_refused_or_stops() {
    for server in server::servers() {
        let (_, before, mut client) = prepared(server, SHOP);
        let refused = plan::plan(&before, &[add(Some(3))], &Options::default());
        assert!(refused.steps.is_empty() && refused.refused[0].why.contains("--orphans"), "{:?}", refused.refused);
        // Rows were not counted, or came since: the guard counts them.
        for count in [None, Some(0)] {
            let made = plan::plan(&before, &[add(count)], &Options::default());
            assert_eq!(stopped_by(&mut client, &made.steps[0].guards).len(), 1);
            assert!(made.steps[0].guards[0].message().contains("has orphans"));
        }
        // A reference that cannot be NULL cannot be emptied.
        let mut strict = before.clone();
        strict.tables.iter_mut().flat_map(|t| &mut t.columns).for_each(|c| c.nullable = false);
        let made = plan::plan(&strict, &[add(Some(3))], &options(OrphanPolicy::SetNull));
        assert!(made.steps.is_empty() && made.refused[0].why.contains("cannot be NULL"));
    }
}

/// Names that have to be quoted, of 63 bytes with letters of two, and such that PL/pgSQL knows as variables; a schema of its own; other keys, one checked at COMMIT, one the
/// same again; a trigger; and a key that says it holds for every row, and does not.
const ODD: &str = r#"
    CREATE SCHEMA "Sel ect";
    CREATE TABLE "Sel ect"."user" ("group" int PRIMARY KEY); INSERT INTO "Sel ect"."user" VALUES (1), (2);
    CREATE TABLE "Sel ect"."ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ""1" (
        "order" int, "from" text DEFAULT 'x', "select" int, total int, found int, batch int, changed int, late int REFERENCES "Sel ect"."user" DEFERRABLE INITIALLY DEFERRED,
        UNIQUE ("from") DEFERRABLE INITIALLY DEFERRED, PRIMARY KEY ("order"));
    INSERT INTO "Sel ect"."ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ""1" SELECT n, 'row ' || n, n, n, n, n, n, 1 FROM generate_series(1, 9) n;
    CREATE TABLE told (what text);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.told VALUES (TG_OP); RETURN coalesce(NEW, OLD); END';
    CREATE TRIGGER tells AFTER UPDATE OR DELETE ON "Sel ect"."ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ""1" FOR EACH ROW EXECUTE FUNCTION tell();"#;

#[test]
fn odd_tables_keep_their_rows_too() {
    let table = TableName { schema: Some("Sel ect".into()), name: format!("{}\"1", "Ä".repeat(30)) };
    for server in server::servers() {
        for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull, OrphanPolicy::Quarantine] {
            for twice in [false, true] {
                let clause = r#"FOREIGN KEY ("select") REFERENCES "Sel ect"."user" ON DELETE CASCADE"#;
                let quoted = format!("\"Sel ect\".\"{}\"\"1\"", "Ä".repeat(30));
                // Two that say the same: their rows are kept and repaired once.
                let keys = format!(
                    "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {quoted} ADD CONSTRAINT one {clause} NOT VALID, ADD CONSTRAINT two {clause} NOT VALID;"
                );
                let keys = if twice { keys } else { String::new() };
                let (url, before, mut client) = prepared(server, &format!("{ODD} {keys}"));
                let known = before.table(&table).unwrap();
                let checked: Vec<&ForeignKey> = known.foreign_keys.iter().filter(|k| k.columns == ["select"]).collect();
                let change = |key: &ForeignKey| match checked.as_slice() {
                    [] => Change::AddForeignKey { table: table.clone(), foreign_key: key.clone() },
                    _ => Change::ValidateForeignKey { table: table.clone(), foreign_key: key.clone() },
                };
                let parent = TableName { schema: Some("Sel ect".into()), name: "user".into() };
                let new = ForeignKey::new(["select"], parent, ["group"]);
                let wants: Vec<Wanted> = if checked.is_empty() { vec![&new] } else { checked.clone() }
                    .into_iter()
                    .map(|key| Wanted { orphans: Some(7), ..wanted(vec![change(key)]) })
                    .collect();
                let made = plan::plan(
                    &before,
                    &wants,
                    &by_name(&referee::relations::side(&table, &["select".into()]), policy),
                );
                assert!(made.refused.is_empty(), "{:?}", made.refused);
                let cleaning: Vec<_> = made.steps.iter().filter(|s| s.touches_rows).collect();
                assert_eq!(cleaning.len(), 1);
                assert!(cleaning[0].why.contains("Trigger tells fires"), "{}", cleaning[0].why);
                let name = cleaning[0].changes[0].table().clone();
                assert!(name.name.len() <= 63 && name.schema == table.schema, "{name}");
                let rows = plan::rows(&mut client, &before);
                let told = |client: &mut Client| number(client, "SELECT count(*) FROM told");
                up(&url, &mut client, &before, &made);
                assert_eq!(told(&mut client), 7);
                undo(&mut client, &made);
                same(&inspect(&url), &before, "undone");
                client.batch_execute("TRUNCATE told").unwrap();
                assert_eq!(plan::rows(&mut client, &before), rows, "{policy:?} {twice}");
                // Somebody else's table of that name is left alone.
                let there = format!("\"Sel ect\".\"{}\"", name.name.replace('"', "\"\""));
                client.batch_execute(&format!("CREATE TABLE {there} (theirs int)")).unwrap();
                let stopped = stopped_by(&mut client, &cleaning[0].guards);
                assert!(stopped.len() == 1 && stopped[0].contains("rename it, then plan again"), "{stopped:?}");
            }
        }
    }
}

#[test]
fn a_key_that_claims_what_is_not_so_lets_the_rows_back_in_unchecked() {
    for server in server::servers() {
        for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull, OrphanPolicy::Quarantine] {
            let sql = format!(
                "{SHOP} SET session_replication_role = replica; UPDATE orders SET \"Sel\"\"ect\" = to_jsonb(customer_id), customer_id = NULL; \
                 ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers; \
                 UPDATE orders SET customer_id = (\"Sel\"\"ect\" #>> '{{}}')::int; SET session_replication_role = origin;"
            );
            let (_, before, mut client) = prepared(server, &sql);
            let key = before.table(&"orders".into()).unwrap().foreign_keys[0].clone();
            assert!(key.validated && orphans(&mut client) == 12_345);
            let rows = plan::rows(&mut client, &before);
            let check = Change::ValidateForeignKey { table: "orders".into(), foreign_key: key };
            let want = Wanted { orphans: Some(12_345), ..wanted(vec![check]) };
            let made = plan::plan(&before, &[want], &by_name("orders.customer_id", policy));
            let cleaning = &made.steps[0];
            assert!(cleaning.why.contains("is NOT VALID"), "{}", cleaning.why);
            assert_eq!(stopped_by(&mut client, &cleaning.guards), Vec::<String>::new());
            plan::run(&mut client, &cleaning.up, None).unwrap();
            assert_eq!(orphans(&mut client), 0);
            undo(&mut client, &made);
            assert_eq!(plan::rows(&mut client, &before), rows);
            assert_eq!(
                number(&mut client, "SELECT count(*) FROM pg_constraint WHERE conname = 'fk' AND NOT convalidated"),
                1
            );
        }
    }
}

#[test]
fn parents_are_cleaned_before_their_children() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
            CREATE TABLE t (id int PRIMARY KEY, p_id int NOT NULL); INSERT INTO t VALUES (1, 1), (2, 99);
            CREATE TABLE a (id int PRIMARY KEY, t_id int NOT NULL); INSERT INTO a VALUES (1, 1), (2, 2), (3, 2);
            CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL); INSERT INTO b VALUES (1, 1), (2, 3);";
        let add = |table: &str, column: &str, parent: &str, orphans: u64| {
            let key = ForeignKey::new([column], parent.into(), ["id"]);
            let change = Change::AddForeignKey { table: table.into(), foreign_key: key };
            Wanted { orphans: Some(orphans), ..wanted(vec![change]) }
        };
        let (url, before, mut client) = prepared(server, sql);
        let wants = [add("b", "a_id", "a", 0), add("a", "t_id", "t", 0), add("t", "p_id", "p", 1)];
        let rows = plan::rows(&mut client, &before);
        let made = plan::plan(&before, &wants, &options(OrphanPolicy::Delete));
        for _ in 0..2 {
            up(&url, &mut client, &before, &made);
            for (table, left) in [("t", 1), ("a", 1), ("b", 1)] {
                assert_eq!(number(&mut client, &format!("SELECT count(*) FROM {table}")), left, "{table}");
            }
            undo(&mut client, &made);
            assert_eq!(plan::rows(&mut client, &before), rows);
        }
    }
}

#[test]
fn the_command_keeps_and_verifies_and_a_second_run_finds_nothing() {
    for server in server::servers() {
        for how in ["delete", "set-null", "quarantine"] {
            let (url, _, mut client) = prepared(server, SHOP);
            let folder = tempfile::tempdir().unwrap();
            let relation = "[[relation]]\nchild = \"orders.customer_id\"\nparent = \"customers.id\"\n";
            std::fs::write(folder.path().join("referee.toml"), relation).unwrap();
            let run = |arguments: &[&str]| {
                let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_referee"));
                let run = command.args(["fix", &url, "--apply", "--yes"]).args(arguments);
                let run = run.current_dir(folder.path()).output().unwrap();
                (
                    run.status.code(),
                    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr)),
                )
            };
            let (code, said) = run(&["--orphans", &format!("orders.customer_id={how}")]);
            assert_eq!(code, Some(0), "{how}: {said}");
            let start = if how == "quarantine" { "_referee_quarantine_orders_" } else { "_referee_kept_orders_" };
            let kept = aside(&url, start);
            assert_eq!(number(&mut client, &format!("SELECT count(*) FROM {kept}")), 12_345);
            assert_eq!(orphans(&mut client), 0);
            let (code, said) = run(&[]);
            assert!(code == Some(0) && said.contains("There is nothing to do."), "{how}: {said}");
        }
    }
}

#[test]
fn rows_of_heirs_are_left_alone_there_and_back() {
    for server in server::servers() {
        let sql = "
            CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
            CREATE TABLE t (id int PRIMARY KEY, p_id int); CREATE TABLE heir (extra int) INHERITS (t);
            INSERT INTO t VALUES (1, 1), (2, 99), (3, 98); INSERT INTO heir VALUES (2, NULL, 1), (3, 97, 2), (4, 96, 3);";
        for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull, OrphanPolicy::Quarantine] {
            let (url, before, mut client) = prepared(server, sql);
            let key = ForeignKey::new(["p_id"], "p".into(), ["id"]);
            let change = Change::AddForeignKey { table: "t".into(), foreign_key: key };
            let want = Wanted { orphans: Some(2), ..wanted(vec![change]) };
            let made = plan::plan(&before, &[want], &options(policy));
            let rows = plan::rows(&mut client, &before);
            let heirs = "SELECT sum(hashtext(h::text)::bigint) FROM heir h";
            let known = number(&mut client, heirs);
            up(&url, &mut client, &before, &made);
            assert_eq!(number(&mut client, heirs), known, "{policy:?}");
            undo(&mut client, &made);
            assert_eq!(plan::rows(&mut client, &before), rows, "{policy:?}");
        }
    }
}

#[test]
fn a_trigger_that_keeps_rows_from_going_leaves_nothing_kept_and_nothing_done() {
    for server in server::servers() {
        let sql = format!(
            "{SHOP} CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER stays BEFORE DELETE OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION stays();"
        );
        for policy in [OrphanPolicy::Delete, OrphanPolicy::SetNull] {
            let (url, before, mut client) = prepared(server, &sql);
            let made = plan::plan(&before, &[add(Some(12_345))], &by_name("orders.customer_id", policy));
            let rows = plan::rows(&mut client, &before);
            plan::run(&mut client, &made.steps[0].up, None).unwrap();
            assert!(!is_done(&mut client, &made.steps[0]));
            let kept = format!("SELECT count(*) FROM {}", aside(&url, "_referee_kept_orders_"));
            assert_eq!(number(&mut client, &kept), 0);
            assert_eq!(plan::rows(&mut client, &before), rows);
        }
    }
}

/// Row 2 of `c` refers to no row of `p`.
pub(super) const ONE: &str = "
    CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
    CREATE TABLE c (id int PRIMARY KEY, p_id int, t text); INSERT INTO c VALUES (1, 1, 'x'), (2, 9, 'y');";

pub(super) fn of_one(before: &Schema, policy: OrphanPolicy) -> Made {
    let key = ForeignKey::new(["p_id"], "p".into(), ["id"]);
    let want =
        Wanted { orphans: Some(1), ..wanted(vec![Change::AddForeignKey { table: "c".into(), foreign_key: key }]) };
    let made = plan::plan(before, &[want], &by_name("c.p_id", policy));
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    made
}

fn backed_up(url: &str, client: &mut Client) -> i64 {
    let start = "_referee_";
    let kept = aside(url, start);
    number(client, &format!("SELECT count(*) FROM {kept}"))
}

#[test]
fn an_undo_that_does_not_restore_everything_drops_no_backup() {
    let none = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER nothing BEFORE";
    let other = "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.t := ''z''; RETURN NEW; END'; \
                 CREATE TRIGGER other BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION other()";
    let insert = format!("{none} INSERT ON c FOR EACH ROW EXECUTE FUNCTION nothing()");
    let update = format!("{none} UPDATE ON c FOR EACH ROW EXECUTE FUNCTION nothing()");
    let rule = "CREATE RULE nothing AS ON INSERT TO c DO INSTEAD NOTHING";
    for server in server::servers() {
        for (acts, policy) in [
            (insert.as_str(), OrphanPolicy::Delete),
            (insert.as_str(), OrphanPolicy::Quarantine),
            (other, OrphanPolicy::Delete),
            (rule, OrphanPolicy::Delete),
            (update.as_str(), OrphanPolicy::SetNull),
        ] {
            for identity in ["", "ALTER TABLE c DROP CONSTRAINT c_pkey"] {
                if policy == OrphanPolicy::SetNull && !identity.is_empty() {
                    continue;
                }
                let (url, before, mut client) = prepared(server, &format!("{ONE} {identity}"));
                let made = of_one(&before, policy);
                up(&url, &mut client, &before, &made);
                server::execute(&url, acts);
                let rows = number(&mut client, "SELECT count(*) FROM c WHERE p_id IS NOT NULL");
                for step in made.steps.iter().skip(1).rev() {
                    plan::run(&mut client, down(step).0, None).unwrap();
                }
                let error = plan::run(&mut client, down(&made.steps[0]).0, None).unwrap_err();
                assert!(
                    server::explain(&error).contains("did not come back as they were"),
                    "{}",
                    server::explain(&error)
                );
                server::execute(&url, "ROLLBACK");
                let mut client = server::connect(&url);
                assert_eq!(number(&mut client, "SELECT count(*) FROM c WHERE p_id IS NOT NULL"), rows, "{acts}");
                assert_eq!(backed_up(&url, &mut client), 1, "{acts}");
            }
        }
    }
}

#[test]
fn a_key_or_trigger_that_came_since_planning_stops_a_clean_up() {
    for server in server::servers() {
        for (late, policy) in [
            (
                "CREATE TABLE g (id int PRIMARY KEY, c_id int REFERENCES c ON DELETE CASCADE); INSERT INTO g VALUES (7, 2)",
                OrphanPolicy::Delete,
            ),
            (
                "CREATE TABLE g (id int PRIMARY KEY, c_id int REFERENCES c ON DELETE SET NULL); INSERT INTO g VALUES (7, 2)",
                OrphanPolicy::Quarantine,
            ),
            (
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM p; RETURN NEW; END'; \
                 CREATE TRIGGER late AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f()",
                OrphanPolicy::SetNull,
            ),
            ("CREATE RULE late AS ON DELETE TO c DO ALSO DELETE FROM p", OrphanPolicy::Delete),
        ] {
            let (url, before, mut client) = prepared(server, ONE);
            let step = &of_one(&before, policy).steps[0];
            server::execute(&url, late);
            let stops = stopped_by(&mut client, &step.guards);
            assert!(stops.iter().any(|s| s.contains("added since planning")), "{late}: {stops:?}");
            let error = plan::run(&mut client, &step.up, None).unwrap_err();
            assert!(server::explain(&error).contains("added since planning"), "{}", server::explain(&error));
            let mut client = server::connect(&url);
            assert_eq!(number(&mut client, "SELECT count(*) FROM c WHERE p_id = 9"), 1, "{late}");
            assert_eq!(number(&mut client, "SELECT count(*) FROM p"), 2, "{late}");
        }
    }
}

#[test]
fn a_trigger_that_changes_other_rows_is_named_unless_the_relation_is() {
    for server in server::servers() {
        for (body, event, stops) in [
            ("UPDATE c SET t = ''deleted'' WHERE id = OLD.id; RETURN NULL;", "DELETE", true),
            ("DELETE FROM p; RETURN OLD;", "DELETE", true),
            ("INSERT INTO l VALUES (OLD.id); RETURN OLD;", "DELETE", false),
            ("DELETE FROM p; RETURN NEW;", "INSERT", false),
        ] {
            let sql = format!(
                "{ONE} ALTER TABLE c ALTER p_id SET NOT NULL; CREATE TABLE l (id int);
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END';
                 CREATE TRIGGER acts BEFORE {event} ON c FOR EACH ROW EXECUTE FUNCTION f();"
            );
            let (_, before, _) = prepared(server, &sql);
            let key = ForeignKey::new(["p_id"], "p".into(), ["id"]);
            let change = Change::AddForeignKey { table: "c".into(), foreign_key: key };
            let want = Wanted { orphans: Some(1), ..wanted(vec![change]) };
            let options = Options { orphans: Some(OrphanPolicy::Delete), ..Options::default() };
            let made = plan::plan(&before, &[want], &options);
            assert_eq!(made.refused.iter().any(|r| r.why.contains("trigger acts on `c`")), stops, "{body}");
            of_one(&before, OrphanPolicy::Delete);
        }
    }
}

#[test]
fn a_file_changes_no_more_rows_than_were_shown() {
    for server in server::servers() {
        let (url, before, mut client) = prepared(server, ONE);
        let step = &of_one(&before, OrphanPolicy::Delete).steps[0];
        server::execute(&url, "INSERT INTO c SELECT n, 9, 'late' FROM generate_series(10, 20) n");
        // The bound stands in the file, and no setting of the session, the role or the database raises it.
        for (setting, words) in [
            ("", "at most 1 were shown"),
            ("SET referee.rows = '1000000'", "at most 1 were shown"),
            ("SET referee.rows = '0'", "at most 0 were shown"),
            ("SET referee.rows = 'all'", "invalid input syntax"),
        ] {
            client.batch_execute(setting).unwrap();
            let error = plan::run(&mut client, &step.up, None).unwrap_err();
            assert!(server::explain(&error).contains(words), "{setting}: {}", server::explain(&error));
        }
        assert!(step.up.statements[1].contains("_referee_most bigint := LEAST(1, "), "{}", step.up.statements[1]);
        let mut client = server::connect(&url);
        assert_eq!(number(&mut client, "SELECT count(*) FROM c WHERE p_id = 9"), 12);
    }
}
