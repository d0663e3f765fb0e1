//! PostgreSQL: keys that refer to one partition, and keys that one partition holds by itself, on real servers.

use std::collections::BTreeMap;

use referee::engine::{SessionOptions, Value};
use referee::fate::{Demands, Effect, Fates, Options, TableFate, Verdict};
use referee::relations::Graph;
use referee::schema::Schema;
use referee::source::Source;

use super::postgres_engine::Postgres;
use super::rows::{Random, Rows};
use super::support::postgres::{connect, execute, fresh_database, servers};
use super::truth::{Decided, Tally, compare};

fn inspect(url: &str) -> Schema {
    Source::parse(url).unwrap().open(&SessionOptions::default()).unwrap().schema
}

const ORDERS: &str = "CREATE TABLE orders (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10);
    CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (10) TO (20);
    INSERT INTO orders VALUES (1), (2), (11);";

#[test]
fn key_to_one_partition_refuses_or_takes_along_with_its_row() {
    for (action, verdict, effect) in
        [("NO ACTION", Verdict::Refused, Effect::Refuses), ("CASCADE", Verdict::Complete, Effect::Deletes)]
    {
        let url = fresh_database();
        execute(
            &url,
            &format!(
                "{ORDERS} CREATE TABLE lines (id int PRIMARY KEY, oid int NOT NULL REFERENCES orders_1 ON DELETE {action});
                 INSERT INTO lines VALUES (1, 1)"
            ),
        );
        let mut input = Source::parse(&url).unwrap().open(&SessionOptions::default()).unwrap();
        let graph = Graph::new(&input.schema, &[], 1.0);
        let mut options = Options::default();
        options.demands = Demands { never_cascade_into: ["lines".into()].into(), ..options.demands };
        let fates = Fates::new(&input.schema, &graph, options);
        let fate = fates.of(&"orders".into()).unwrap();
        assert_eq!((fate.verdict, fate.relations[0].effect), (verdict, effect), "{}", fate.summary);
        assert_eq!(fate.relations[0].parent, "orders_1".into());
        let takes = effect == Effect::Deletes;
        let lines = fate.tables.iter().find(|t| t.table == "lines".into()).unwrap();
        assert_eq!(lines.fate, if takes { TableFate::Deleted } else { TableFate::Refuses });
        assert_eq!(fate.broken.len(), usize::from(takes), "what is never to be cascaded into");
        let sql: Vec<String> = fate.conditions.iter().filter_map(|c| c.sql.clone()).collect();
        let impact = fates.impact(&"orders".into(), Some("id IN (1, 11)")).unwrap();
        let deleted = impact.tables.iter().find(|t| t.table == "lines".into()).and_then(|t| t.deleted.clone());
        let session = input.session.as_mut().unwrap();
        let mut number = |sql: &str| session.query(sql).unwrap().rows[0].first().and_then(Value::integer).unwrap();
        let mut client = connect(&url);
        for (id, lines) in [(1, 1), (2, 0), (11, 0)] {
            let counted: i64 = sql.iter().map(|sql| number(&sql.replace(":id", &id.to_string()))).sum();
            let mut transaction = client.transaction().unwrap();
            let done = transaction.execute(&format!("DELETE FROM orders WHERE id = {id}"), &[]);
            assert_eq!(done.is_err(), !takes && lines > 0, "{id}: {done:?}");
            assert_eq!(counted, if takes { 0 } else { lines });
        }
        assert_eq!(deleted.map(|rows| number(&rows.sql)), takes.then_some(1));
    }
}

/// Tables with or without partitions, and keys from tables and partitions to tables and partitions.
fn random_ddl(random: &mut Random) -> Vec<String> {
    let mut ddl = Vec::new();
    let mut names = Vec::new();
    for table in ["a", "b", "c", "d"] {
        let null = |random: &mut Random| if random.below(4) == 0 { " NOT NULL" } else { "" };
        let columns = format!("id int PRIMARY KEY, x int{}, y int{}", null(random), null(random));
        names.push(table.to_string());
        if random.below(3) == 0 {
            ddl.push(format!("CREATE TABLE {table} ({columns})"));
            continue;
        }
        ddl.push(format!("CREATE TABLE {table} ({columns}) PARTITION BY RANGE (id)"));
        ddl.push(format!("CREATE TABLE {table}_1 PARTITION OF {table} FOR VALUES FROM (0) TO (3)"));
        // The same columns in another order.
        ddl.push(format!("CREATE TABLE {table}_2 (LIKE {table} INCLUDING ALL)"));
        ddl.push(format!("ALTER TABLE {table}_2 DROP COLUMN x, ADD COLUMN x int"));
        ddl.push(format!("UPDATE {table}_2 SET x = 0"));
        if ddl.iter().any(|d| d.starts_with(&format!("CREATE TABLE {table} ")) && d.contains("x int NOT NULL")) {
            ddl.push(format!("ALTER TABLE {table}_2 ALTER COLUMN x SET NOT NULL"));
        }
        ddl.push(format!("ALTER TABLE {table} ATTACH PARTITION {table}_2 FOR VALUES FROM (3) TO (100)"));
        names.extend([format!("{table}_1"), format!("{table}_2")]);
    }
    let actions = ["CASCADE", "CASCADE", "CASCADE", "NO ACTION", "RESTRICT", "SET NULL"];
    for key in 0..3 + random.below(4) {
        let (child, parent) = (&names[random.below(names.len())], &names[random.below(names.len())]);
        let column = ["x", "y"][random.below(2)];
        // Of a partition, or of a table without any, another column can be a key.
        let is_whole = names.contains(&format!("{parent}_1"));
        let (key_column, on_update) = if random.below(3) == 0 && !is_whole {
            ("x", ["", " ON UPDATE CASCADE", " ON UPDATE SET NULL"][random.below(3)])
        } else {
            ("id", "")
        };
        let unique = format!("ALTER TABLE {parent} ADD UNIQUE (x)");
        if key_column == "x" && !ddl.contains(&unique) {
            ddl.push(unique);
        }
        let action = actions[random.below(actions.len())];
        let deferred = if random.below(4) == 0 { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
        ddl.push(format!(
            "ALTER TABLE {child} ADD CONSTRAINT k{key} FOREIGN KEY ({column}) REFERENCES {parent} ({key_column}) ON DELETE {action}{on_update}{deferred}"
        ));
    }
    ddl
}

/// Tells whether a row with an `id` lies in a table or partition.
fn lies_in(name: &str, id: i64) -> bool {
    match name.split_once('_') {
        Some((_, "1")) => id < 3,
        Some(_) => id >= 3,
        None => true,
    }
}

/// Draws rows that satisfy every key.
fn random_rows(schema: &Schema, random: &mut Random) -> Rows {
    let mut rows: Rows = BTreeMap::new();
    for table in schema.logical_tables() {
        let of = rows.entry(table.name.name.clone()).or_default();
        let unique_x = schema.parts(&table.name).iter().any(|part| part.is_unique(&["x".to_string()]));
        for id in 1..=5 {
            if random.below(4) > 0 {
                let mut value = |column: &str| match random.below(5) {
                    0 if table.is_nullable(column) => None,
                    n => Some(n.max(1) as i64 + random.below(2) as i64),
                };
                let (x, y) = (value("x"), value("y"));
                let taken = x.is_some() && of.values().any(|row: &Vec<Option<i64>>| row[1] == x);
                if taken && unique_x {
                    continue;
                }
                of.insert(id, vec![Some(id), x, y]);
            }
        }
    }
    loop {
        let mut bad = Vec::new();
        for (child, key) in schema.foreign_keys() {
            let (whole, parent) = (schema.whole(&child.name), schema.whole(&key.parent));
            let place = usize::from(key.columns == ["y"]) + 1;
            for (id, row) in rows[&whole.name].iter().filter(|(id, _)| lies_in(&child.name.name, **id)) {
                let to_x = key.parent_columns == ["x"];
                let held = |v: i64| {
                    let of = |(id, r): (&i64, &Vec<Option<i64>>)| {
                        lies_in(&key.parent.name, *id) && r[usize::from(to_x)] == Some(v)
                    };
                    rows[&parent.name].iter().any(of)
                };
                if row[place].is_some_and(|v| !held(v)) {
                    bad.push((whole.name.clone(), *id));
                }
            }
        }
        if bad.is_empty() {
            return rows;
        }
        for (table, id) in bad {
            rows.get_mut(&table).unwrap().remove(&id);
        }
    }
}

#[test]
fn postgres_does_with_partitions_what_fate_says() {
    let count: usize = std::env::var("FATE_SCHEMAS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let seed: u64 = std::env::var("FATE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    // References to partitioned tables came with 12.
    for server in servers().iter().filter(|s| s.major >= 12) {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let url = server.fresh_database();
        let mut engine = Postgres::at(server, &url);
        engine.execute("SET client_min_messages = error").unwrap();
        let mut tally = Tally::default();
        for number in 0..count {
            let ddl = random_ddl(&mut random);
            engine.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").unwrap();
            for statement in &ddl {
                // Some keys between a table and its own partition PostgreSQL does not make.
                let made = engine.execute(statement);
                assert!(made.is_ok() || statement.contains("FOREIGN KEY"), "{statement}: {made:?}");
            }
            let schema = inspect(&url);
            let decided = Decided::new(&schema);
            for _ in 0..3 {
                let rows = random_rows(&schema, &mut random);
                compare(&schema, &decided, &rows, &mut engine, &mut tally).unwrap_or_else(|e| {
                    panic!(
                        "PostgreSQL {}, seed {seed}, schema {number}: {e}\n{}\n{rows:?}",
                        server.major,
                        ddl.join(";\n")
                    )
                });
            }
        }
        println!("PostgreSQL {}, seed {seed}: {tally:#?}", server.major);
        assert!(tally.refused > count && tally.deletes > tally.refused, "{tally:?}");
    }
}
