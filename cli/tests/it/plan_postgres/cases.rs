//! One case for each kind of change, on plain and partitioned tables, with names of every sort.

use postgres::Client;
use referee::change::Change;
use referee::plan::{Held, Options, Phase, Step, Transaction, Wanted};
use referee::schema::{Action, Collation, DataType, Engine, ForeignKey, Index, Match, Schema, TableName, Timing};

use crate::support::plan::{self, down, inspect, is_done, same, stopped_by, wanted};
use crate::support::postgres as server;

/// Returns a table's only foreign key, or that of a name.
pub fn key(schema: &Schema, table: &str, name: &str) -> ForeignKey {
    let table = schema.table(&table.parse().unwrap()).unwrap_or_else(|| panic!("no table {table}"));
    table
        .foreign_keys
        .iter()
        .find(|k| k.name.as_deref() == Some(name))
        .unwrap_or_else(|| panic!("no key {name}"))
        .clone()
}

fn index(schema: &Schema, table: &str, name: &str) -> Index {
    let table = schema.table(&table.parse().unwrap()).unwrap_or_else(|| panic!("no table {table}"));
    table.indexes.iter().find(|i| i.name == name).unwrap_or_else(|| panic!("no index {name}")).clone()
}

fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

fn on_delete(schema: &Schema, of: &str, name: &str, action: Action) -> Change {
    let old = key(schema, of, name);
    Change::ReplaceForeignKey { table: table(of), new: ForeignKey { on_delete: action, ..old.clone() }, old }
}

/// Does everything that a plan promises, and holds the catalog against it after each step.
fn exercise(server: &server::Server, sql: &str, want: impl Fn(&Schema) -> Vec<Wanted>) -> Vec<Step> {
    let url = server.fresh_database();
    server::execute(&url, sql);
    let before = inspect(&url);
    let made = plan::plan(&before, &want(&before), &Options::default());
    assert!(made.refused.is_empty(), "{:?}", made.refused);
    assert!(!made.steps.is_empty());
    let mut client = server::connect(&url);
    let rows = plan::rows(&mut client, &before);

    let after = up(&url, &mut client, &before, &made.steps);
    assert_eq!(plan::rows(&mut client, &before), rows, "no row has changed");
    for step in &made.steps {
        assert!(is_done(&mut client, step), "{}: done, and still so after all other steps", step.title);
        assert!(!step.touches_rows);
    }
    for step in made.steps.iter().rev() {
        let (script, guards) = down(step);
        assert_eq!(stopped_by(&mut client, guards), Vec::<String>::new(), "{}", step.title);
        plan::run(&mut client, script, None)
            .unwrap_or_else(|e| panic!("down of {}: {}", step.title, server::explain(&e)));
    }
    same(&inspect(&url), &before, "after all has been undone");
    assert_eq!(plan::rows(&mut client, &before), rows, "no row has changed");
    let again = up(&url, &mut client, &before, &made.steps);
    assert_eq!(again, after);
    client.batch_execute(&validations(&inspect(&url))).unwrap();
    made.steps
}

/// Has the server read all rows of all keys once more.
fn validations(schema: &Schema) -> String {
    let mut sql = String::new();
    for (child, key) in schema.foreign_keys().filter(|(_, k)| k.enforced && k.validated) {
        let names = format!("\"{}\".\"{}\"", child.name.schema.as_deref().unwrap_or("public"), child.name.name);
        let pairs: Vec<String> =
            key.columns.iter().zip(&key.parent_columns).map(|(a, b)| format!("c.\"{a}\" = p.\"{b}\"")).collect();
        let parent = format!("\"{}\".\"{}\"", key.parent.schema.as_deref().unwrap_or("public"), key.parent.name);
        let filled: Vec<String> = key.columns.iter().map(|a| format!("c.\"{a}\" IS NOT NULL")).collect();
        sql.push_str(&format!(
            "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM {names} c WHERE {} AND NOT EXISTS (SELECT FROM {parent} p WHERE {})); END $$;\n",
            filled.join(" AND "),
            pairs.join(" AND ")
        ));
    }
    sql
}

fn up(url: &str, client: &mut Client, before: &Schema, steps: &[Step]) -> Schema {
    let mut expected = before.clone();
    for step in steps {
        if step.done.is_some() {
            assert!(!is_done(client, step), "{}: not done before", step.title);
        }
        assert_eq!(stopped_by(client, &step.guards), Vec::<String>::new(), "{}", step.title);
        let result = match step.up.transaction {
            Transaction::None => plan::run(client, &step.up, None).map(|_| ()),
            Transaction::Own => plan::run_seeing_locks(client, &step.up).map(|held| {
                assert_eq!(held, plan::declared_locks(step), "the locks of: {}", step.title);
            }),
        };
        result
            .unwrap_or_else(|e| panic!("{}: {}\n{}", step.title, server::explain(&e), step.up.statements.join(";\n")));
        if step.done.is_some() {
            assert!(is_done(client, step), "{}: done\n{}", step.title, step.done.as_deref().unwrap_or_default());
        }
        for change in &step.changes {
            change.apply(&mut expected).unwrap_or_else(|e| panic!("{}: {e}", step.title));
        }
        same(&inspect(url), &expected, &step.title);
    }
    expected
}

const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, code int NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, note text DEFAULT 'x');
    INSERT INTO customers SELECT n, n FROM generate_series(1, 50) n;
    INSERT INTO orders SELECT n, n % 50 + 1 FROM generate_series(1, 500) n;";

fn with_key(more: &str) -> String {
    format!(
        "{SHOP} ALTER TABLE orders ADD CONSTRAINT orders_fk FOREIGN KEY (customer_id) REFERENCES customers (id) {more};"
    )
}

#[test]
fn key_is_added_unchecked_and_checked_afterwards() {
    for server in server::servers() {
        let steps = exercise(server, SHOP, |_| {
            let key = ForeignKey {
                on_delete: Action::Cascade,
                ..ForeignKey::new(["customer_id"], "customers".into(), ["id"])
            };
            vec![wanted(vec![Change::AddForeignKey { table: table("orders"), foreign_key: key }])]
        });
        assert_eq!(
            steps.iter().flat_map(|s| &s.up.statements).collect::<Vec<_>>(),
            [
                "ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers (id) \
                 ON DELETE CASCADE NOT VALID",
                "ALTER TABLE public.orders VALIDATE CONSTRAINT orders_customer_id_fkey",
            ]
        );
        assert_eq!(steps.iter().map(|s| s.phase).collect::<Vec<_>>(), [Phase::Constrain, Phase::Validate]);
    }
}

#[test]
fn key_is_replaced_with_all_that_it_is() {
    for server in server::servers() {
        let sql = format!(
            "{} COMMENT ON CONSTRAINT orders_fk ON orders IS 'the buyer''s';",
            with_key("MATCH FULL ON UPDATE CASCADE ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED NOT VALID")
        );
        let steps =
            exercise(server, &sql, |s| vec![wanted(vec![on_delete(s, "orders", "orders_fk", Action::Cascade)])]);
        assert_eq!(steps.len(), 1, "what was not checked is not checked now");
        let steps = exercise(server, &with_key("ON DELETE CASCADE"), |s| {
            vec![wanted(vec![on_delete(s, "orders", "orders_fk", Action::NoAction)])]
        });
        assert_eq!(steps.len(), 2);
        // Another parent, another name.
        exercise(
            server,
            &format!(
                "{} CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people SELECT id FROM customers;",
                with_key("")
            ),
            |s| {
                let old = key(s, "orders", "orders_fk");
                let new = ForeignKey { name: Some("orders_people".into()), parent: "people".into(), ..old.clone() };
                vec![wanted(vec![Change::ReplaceForeignKey { table: table("orders"), old, new }])]
            },
        );
    }
}

#[test]
fn key_to_set_null_makes_its_column_nullable_first() {
    for server in server::servers() {
        let steps = exercise(server, &with_key(""), |s| {
            vec![wanted(vec![on_delete(s, "orders", "orders_fk", Action::SetNull)])]
        });
        assert_eq!(
            steps.iter().map(|s| s.phase).collect::<Vec<_>>(),
            [Phase::Prepare, Phase::Constrain, Phase::Validate]
        );
        assert_eq!(steps[0].up.statements, ["ALTER TABLE public.orders ALTER COLUMN customer_id DROP NOT NULL"]);
        // Once, also if two keys or another repair want it.
        let sql = format!(
            "{} ALTER TABLE orders ADD CONSTRAINT again FOREIGN KEY (customer_id) REFERENCES customers (id);",
            with_key("")
        );
        let steps = exercise(server, &sql, |s| {
            let nullable = Change::SetNullable { table: table("orders"), column: "customer_id".into(), nullable: true };
            vec![
                wanted(vec![on_delete(s, "orders", "orders_fk", Action::SetNull)]),
                wanted(vec![on_delete(s, "orders", "again", Action::SetNull)]),
                wanted(vec![nullable]),
            ]
        });
        assert_eq!(steps.iter().filter(|s| s.phase == Phase::Prepare).count(), 1);
    }
}

#[test]
fn key_keeps_its_timing_apart_from_its_action() {
    for server in server::servers() {
        for (from, to) in [("", Timing::Deferred), ("DEFERRABLE", Timing::Immediate), ("", Timing::Deferrable)] {
            let steps = exercise(server, &with_key(from), |s| {
                let old = key(s, "orders", "orders_fk");
                let new = ForeignKey { timing: to, ..old.clone() };
                vec![wanted(vec![Change::ReplaceForeignKey { table: table("orders"), old, new }])]
            });
            assert_eq!(steps.len(), 1);
            assert!(steps[0].up.statements[0].contains("ALTER CONSTRAINT orders_fk"), "{:?}", steps[0].up);
        }
    }
}

#[test]
fn key_is_validated_dropped_and_switched_to_match_full() {
    for server in server::servers() {
        exercise(server, &with_key("ON DELETE CASCADE NOT VALID"), |s| {
            vec![wanted(vec![Change::ValidateForeignKey {
                table: table("orders"),
                foreign_key: key(s, "orders", "orders_fk"),
            }])]
        });
        for more in ["ON DELETE CASCADE", "ON UPDATE SET NULL NOT VALID"] {
            exercise(server, &with_key(more), |s| {
                vec![wanted(vec![Change::DropForeignKey {
                    table: table("orders"),
                    foreign_key: key(s, "orders", "orders_fk"),
                }])]
            });
        }
        let sql = "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c (id int PRIMARY KEY, b int, a int);
                   INSERT INTO p SELECT n, n FROM generate_series(1, 20) n; INSERT INTO c SELECT n, n, n FROM generate_series(1, 20) n;
                   INSERT INTO c VALUES (100, NULL, NULL);
                   ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (a, b) REFERENCES p (a, b) ON DELETE SET NULL (b);";
        exercise(server, sql, |s| {
            let old = key(s, "c", "c_p");
            assert_eq!(old.set_columns, ["b"]);
            let new = ForeignKey { matching: Match::Full, set_columns: Vec::new(), ..old.clone() };
            vec![wanted(vec![Change::ReplaceForeignKey { table: table("c"), old, new }])]
        });
    }
}

#[test]
fn indexes_of_every_shape_are_built_and_dropped() {
    for server in server::servers() {
        let mut partial = Index::on("Orders By Note", ["note", "customer_id"]);
        partial.parts[1].descending = true;
        partial.parts[0].collation = Some("C".into());
        partial.parts[0].operator_class = Some("text_pattern_ops".into());
        partial.included = vec!["id".into()];
        partial.predicate = Some("customer_id > 3".into());
        let mut hash = Index::on("orders_hash", ["customer_id"]);
        hash.method = "hash".into();
        let mut unique = Index::on("customers_code_key", ["code"]);
        unique.unique = true;
        let adds: Vec<(&str, Index)> = vec![
            ("orders", Index::on("orders_customer_id_idx", ["customer_id"])),
            ("orders", partial),
            ("orders", hash),
            ("customers", unique),
        ];
        exercise(server, SHOP, |_| {
            let add = |(t, i): &(&str, Index)| wanted(vec![Change::AddIndex { table: table(t), index: i.clone() }]);
            adds.iter().map(add).collect()
        });
        let sql = format!(
            "{SHOP} CREATE INDEX one ON orders (lower(note) DESC, customer_id) WHERE note IS NOT NULL AND id > 0;
             CREATE UNIQUE INDEX two ON customers (code) INCLUDE (id);"
        );
        exercise(server, &sql, |s| {
            vec![
                wanted(vec![Change::DropIndex { table: table("orders"), index: index(s, "orders", "one") }]),
                wanted(vec![Change::DropIndex { table: table("customers"), index: index(s, "customers", "two") }]),
            ]
        });
    }
}

#[test]
fn unique_index_becomes_a_constraint() {
    for server in server::servers() {
        let steps = exercise(server, SHOP, |_| {
            let mut index = Index::on("customers_code_key", ["code"]);
            index.unique = true;
            index.origin = referee::schema::IndexOrigin::Constraint;
            let mut key = referee::schema::Key::new(["code"]);
            key.name = Some(index.name.clone());
            let change =
                Change::AddKey { table: table("customers"), key, primary: false, index: Some(index), using: None };
            vec![wanted(vec![change])]
        });
        assert!(steps[1].up.statements[0].ends_with("UNIQUE USING INDEX customers_code_key"), "{:?}", steps[1].up);
    }
}

#[test]
fn columns_lose_and_get_not_null_and_defaults() {
    for server in server::servers() {
        let change = |nullable| Change::SetNullable { table: table("orders"), column: "customer_id".into(), nullable };
        exercise(server, SHOP, |_| vec![wanted(vec![change(true)])]);
        let loose = format!("{SHOP} ALTER TABLE orders ALTER customer_id DROP NOT NULL;");
        exercise(server, &loose, |_| vec![wanted(vec![change(false)])]);
        exercise(server, SHOP, |_| {
            vec![wanted(vec![Change::SetDefault { table: table("orders"), column: "note".into(), default: None }])]
        });
        let sql = "CREATE TABLE p (a int NOT NULL DEFAULT 7, b text DEFAULT 'q') PARTITION BY LIST (a);
                   CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p (b DEFAULT 'other') FOR VALUES IN (2);
                   INSERT INTO p VALUES (1), (2);";
        exercise(server, sql, |_| {
            vec![
                wanted(vec![Change::SetDefault { table: table("p"), column: "b".into(), default: None }]),
                wanted(vec![Change::SetNullable { table: table("p"), column: "a".into(), nullable: true }]),
            ]
        });
    }
}

#[test]
fn types_are_changed_with_their_keys() {
    for server in server::servers() {
        let sql = format!(
            "{} CREATE COLLATION other (provider = icu, locale = 'de'); ALTER TABLE orders ADD code varchar(5) DEFAULT 'a', ADD name text;
             CREATE INDEX ON orders (code); CREATE INDEX ON orders (name);",
            with_key("ON DELETE CASCADE")
        );
        let to = |column: &str, raw: &str, collation: Option<&str>| Change::SetType {
            table: table("orders"),
            column: column.into(),
            data_type: DataType::parse(Engine::Postgres, raw),
            collation: collation.map(|name| Collation { name: name.into(), deterministic: true }),
        };
        let steps = exercise(server, &sql, |_| {
            vec![
                wanted(vec![to("customer_id", "bigint", None)]),
                wanted(vec![to("code", "character varying(9)", None)]),
                wanted(vec![to("name", "text", Some("other"))]),
            ]
        });
        assert_eq!(
            steps.iter().map(|s| s.locks[0].held).collect::<Vec<_>>(),
            [Held::Rewrite, Held::Instant, Held::Rewrite]
        );
        // What is too long by now does not go back.
        let url = server.fresh_database();
        server::execute(&url, &sql);
        let made = plan::plan(&inspect(&url), &[wanted(vec![to("code", "varchar(9)", None)])], &Options::default());
        let mut client = server::connect(&url);
        plan::run(&mut client, &made.steps[0].up, None).unwrap();
        assert!(is_done(&mut client, &made.steps[0]), "in other words, too");
        client.batch_execute("UPDATE orders SET code = 'too long' WHERE id = 1").unwrap();
        assert_eq!(stopped_by(&mut client, down(&made.steps[0]).1).len(), 1);
    }
}

/// A partitioned child with a partition of a partition.
const PARTITIONED: &str = "
    CREATE TABLE tenants (id int PRIMARY KEY, code int NOT NULL UNIQUE);
    INSERT INTO tenants SELECT n, n FROM generate_series(1, 9) n;
    CREATE TABLE events (id int NOT NULL, day int NOT NULL, tenant int) PARTITION BY LIST (day);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
    CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2) PARTITION BY LIST (id);
    CREATE TABLE events_2a PARTITION OF events_2 DEFAULT;
    CREATE TABLE events_3 PARTITION OF events FOR VALUES IN (3);
    INSERT INTO events SELECT n, n % 3 + 1, n % 9 + 1 FROM generate_series(1, 300) n;";

#[test]
fn partitioned_tables_get_indexes_part_by_part() {
    for server in server::servers() {
        let add = |_: &Schema| {
            vec![wanted(vec![Change::AddIndex {
                table: table("events"),
                index: Index::on("events_tenant_idx", ["tenant"]),
            }])]
        };
        let steps = exercise(server, PARTITIONED, add);
        assert_eq!(steps.len(), 4, "three that hold rows, and the whole");
        assert!(steps[..3].iter().all(|s| s.up.statements[1].starts_with("CREATE INDEX CONCURRENTLY events_")));
        // One of them is there already, under a name of its own; another failed.
        let sql = format!(
            "{PARTITIONED} CREATE INDEX mine ON events_3 (tenant); CREATE INDEX broken ON events_1 (tenant);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;"
        );
        let url = server.fresh_database();
        server::execute(&url, &sql);
        let before = inspect(&url);
        let made = plan::plan(&before, &add(&before), &Options::default());
        assert_eq!((made.refused.len(), made.steps.len()), (0, 3));
        let mut client = server::connect(&url);
        up(&url, &mut client, &before, &made.steps);
        for step in made.steps.iter().rev() {
            plan::run(&mut client, down(step).0, None).unwrap();
        }
        let back = inspect(&url);
        assert_eq!(index(&back, "events_3", "mine"), index(&before, "events_3", "mine"));
        assert!(back.table(&table("events_1")).unwrap().indexes.is_empty(), "what was not valid does not come back");
        assert!(back.table(&table("events")).unwrap().indexes.is_empty());
    }
}

#[test]
fn partitioned_tables_get_keys_checked_part_by_part() {
    for server in server::servers() {
        let add = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["tenant"], "tenants".into(), ["id"]) };
        exercise(server, PARTITIONED, |_| {
            vec![wanted(vec![Change::AddForeignKey { table: table("events"), foreign_key: add.clone() }])]
        });
        let sql = format!(
            "{PARTITIONED} ALTER TABLE events ADD CONSTRAINT events_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants (id);"
        );
        exercise(server, &sql, |s| vec![wanted(vec![on_delete(s, "events", "events_tenant_fkey", Action::SetNull)])]);
        exercise(server, &sql, |s| {
            vec![wanted(vec![Change::DropForeignKey {
                table: table("events"),
                foreign_key: key(s, "events", "events_tenant_fkey"),
            }])]
        });
    }
}

/// Partitions that have the key already, some of them twice, and the table has not.
#[test]
fn keys_of_partitions_come_back_when_the_tables_key_goes() {
    let own = "
        ALTER TABLE events_1 ADD CONSTRAINT mine FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE;
        ALTER TABLE events_1 ADD CONSTRAINT z FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE;
        COMMENT ON CONSTRAINT mine ON events_1 IS 'ours';";
    let all = "
        ALTER TABLE events_2 ADD CONSTRAINT half FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE;
        ALTER TABLE events_3 ADD CONSTRAINT events_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE;";
    let late = "
        ALTER TABLE events_3 ADD CONSTRAINT \"Not yet\" FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE NOT VALID;";
    for server in server::servers() {
        let add = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["tenant"], "tenants".into(), ["id"]) };
        let add =
            |_: &Schema| vec![wanted(vec![Change::AddForeignKey { table: table("events"), foreign_key: add.clone() }])];
        exercise(server, &format!("{PARTITIONED}{own}"), add);
        exercise(server, &format!("{PARTITIONED}{own}{late}"), add);
        let steps = exercise(server, &format!("{PARTITIONED}{own}{all}"), add);
        assert!(steps[0].guards.iter().all(|g| !g.message().contains("without a parent")), "the keys hold already");
        let other =
            "ALTER TABLE events ADD CONSTRAINT events_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants (id);";
        exercise(server, &format!("{PARTITIONED}{own}{other}"), |s| {
            vec![wanted(vec![on_delete(s, "events", "events_tenant_fkey", Action::Cascade)])]
        });
    }
}

#[test]
fn keys_to_a_partitioned_parent_are_added_and_replaced() {
    for server in server::servers() {
        let sql = "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
                   CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
                   CREATE TABLE c (id int PRIMARY KEY, p_id int NOT NULL);
                   INSERT INTO p SELECT n FROM generate_series(1, 100) n; INSERT INTO c SELECT n, n FROM generate_series(1, 100) n;";
        exercise(server, sql, |_| {
            let key = ForeignKey::new(["p_id"], "p".into(), ["id"]);
            vec![wanted(vec![Change::AddForeignKey { table: table("c"), foreign_key: key }])]
        });
        let sql = format!("{sql} ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY (p_id) REFERENCES p (id);");
        exercise(server, &sql, |s| vec![wanted(vec![on_delete(s, "c", "fk", Action::Cascade)])]);
    }
}

#[test]
fn names_of_every_sort_are_written_right() {
    let long = "a_very_long_name_that_uses_all_of_the_sixty_three_bytes_there_a";
    assert_eq!(long.len(), 63);
    for server in server::servers() {
        let sql = format!(
            "CREATE SCHEMA \"Sales.EU\"; CREATE SCHEMA other;
             CREATE TABLE \"Sales.EU\".\"User\" (\"Id\" int PRIMARY KEY, \"sel\"\"ect\" int NOT NULL);
             CREATE TABLE other.\"order\" (\"group\" int PRIMARY KEY, \"User Id\" int NOT NULL, {long} int NOT NULL);
             CREATE TABLE {long} (id int PRIMARY KEY, {long} int NOT NULL DEFAULT 3);
             INSERT INTO \"Sales.EU\".\"User\" SELECT n, n FROM generate_series(1, 30) n;
             INSERT INTO {long} SELECT n, n FROM generate_series(1, 30) n;
             INSERT INTO other.\"order\" SELECT n, n, n FROM generate_series(1, 30) n;
             ALTER TABLE other.\"order\" ADD CONSTRAINT \"Old'Key\" FOREIGN KEY (\"User Id\") REFERENCES \"Sales.EU\".\"User\";"
        );
        exercise(server, &sql, |s| {
            let order = TableName::in_schema(Some("other"), "order");
            let mut unique = Index::on(long, ["sel\"ect"]);
            unique.unique = true;
            let old = s.table(&order).unwrap().foreign_keys[0].clone();
            let new = ForeignKey { on_delete: Action::SetNull, ..old.clone() };
            let to_long = ForeignKey::new([long], long.into(), ["id"]);
            vec![
                wanted(vec![Change::AddIndex { table: order.clone(), index: Index::on("User Id", ["User Id", long]) }]),
                wanted(vec![Change::AddIndex { table: TableName::in_schema(Some("Sales.EU"), "User"), index: unique }]),
                wanted(vec![Change::ReplaceForeignKey { table: order.clone(), old, new }]),
                wanted(vec![Change::AddForeignKey { table: order.clone(), foreign_key: to_long.clone() }]),
                wanted(vec![Change::AddForeignKey { table: long.into(), foreign_key: to_long }]),
                wanted(vec![Change::SetDefault { table: long.into(), column: long.into(), default: None }]),
            ]
        });
    }
}

#[test]
fn leftover_of_a_failed_build_is_no_index() {
    for server in server::servers() {
        let sql = format!("{SHOP} UPDATE orders SET customer_id = 1 WHERE id < 10;");
        let url = server.fresh_database();
        server::execute(&url, &sql);
        let before = inspect(&url);
        // The plan was made before; a build under the index's name fails meanwhile, as duplicates make it.
        let add =
            vec![wanted(vec![Change::AddIndex { table: table("orders"), index: Index::on("ix", ["customer_id"]) }])];
        let made = plan::plan(&before, &add, &Options::default());
        let mut client = server::connect(&url);
        client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY ix ON orders (customer_id)").unwrap_err();
        assert!(!index(&inspect(&url), "orders", "ix").valid);
        client.batch_execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON orders (customer_id)").unwrap();
        assert!(!index(&inspect(&url), "orders", "ix").valid, "IF NOT EXISTS hides it");
        up(&url, &mut client, &before, &made.steps);
        // Read before the repair, it is dropped and built again in one step.
        client.batch_execute("DROP INDEX ix").unwrap();
        client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY ix ON orders (customer_id)").unwrap_err();
        client.batch_execute("UPDATE orders SET customer_id = id").unwrap();
        let before = inspect(&url);
        let old = index(&before, "orders", "ix");
        let new = Index { valid: true, ..old.clone() };
        let rebuild = vec![wanted(vec![
            Change::DropIndex { table: table("orders"), index: old },
            Change::AddIndex { table: table("orders"), index: new },
        ])];
        let made = plan::plan(&before, &rebuild, &Options::default());
        assert_eq!(made.steps.len(), 1);
        up(&url, &mut client, &before, &made.steps);
    }
}

#[test]
fn what_has_the_name_already_is_not_dropped() {
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(&url, SHOP);
        let before = inspect(&url);
        let key =
            ForeignKey { name: Some("taken".into()), ..ForeignKey::new(["customer_id"], "customers".into(), ["id"]) };
        let want = vec![
            wanted(vec![Change::AddIndex { table: table("orders"), index: Index::on("ix", ["customer_id"]) }]),
            wanted(vec![Change::AddForeignKey { table: table("orders"), foreign_key: key }]),
        ];
        let made = plan::plan(&before, &want, &Options::default());
        let mut client = server::connect(&url);
        for other in
            ["CREATE INDEX ix ON orders (note)", "CREATE TABLE ix (a int)", "CREATE INDEX ix ON customers (code)"]
        {
            client.batch_execute(other).unwrap();
            assert!(!is_done(&mut client, &made.steps[0]), "{other}: the name alone does not count");
            assert_eq!(stopped_by(&mut client, &made.steps[0].guards).len(), 1, "{other}");
            client.batch_execute(if other.contains("TABLE") { "DROP TABLE ix" } else { "DROP INDEX ix" }).unwrap();
        }
        client.batch_execute("ALTER TABLE orders ADD CONSTRAINT taken CHECK (id > 0)").unwrap();
        assert!(!is_done(&mut client, &made.steps[1]));
        assert_eq!(stopped_by(&mut client, &made.steps[1].guards).len(), 1);
        // The same key with another action is not the key.
        client.batch_execute("ALTER TABLE orders DROP CONSTRAINT taken").unwrap();
        let other = "ALTER TABLE orders ADD CONSTRAINT taken FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE";
        client.batch_execute(other).unwrap();
        assert!(!is_done(&mut client, &made.steps[1]));
    }
}

#[test]
fn nulls_written_since_stop_the_way_back() {
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(&url, SHOP);
        let before = inspect(&url);
        let change = Change::SetNullable { table: table("orders"), column: "customer_id".into(), nullable: true };
        let made = plan::plan(&before, &[wanted(vec![change])], &Options::default());
        let mut client = server::connect(&url);
        up(&url, &mut client, &before, &made.steps);
        client.batch_execute("INSERT INTO orders VALUES (10000, NULL)").unwrap();
        assert!(stopped_by(&mut client, down(&made.steps[0]).1)[0].contains("holds NULL"));
        client.batch_execute("DELETE FROM orders WHERE id = 10000").unwrap();
        assert!(stopped_by(&mut client, down(&made.steps[0]).1).is_empty());
    }
}
