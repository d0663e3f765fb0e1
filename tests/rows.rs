//! What `rows` writes, run on the engines: owner paths against a walk over all rows, pages against the whole table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::collections::BTreeSet;
use std::path::Path;

use referee::engine::{self, Reader, SessionOptions, Value};
use referee::relations::{ConfiguredRelation, Graph, Relation};
use referee::rows::{OwnerPaths, Pages, RelationRows, RowSet, TableRows};
use referee::schema::{Schema, TableName};
use rusqlite::Connection;
use support::postgres as server;

mod support;

/// An engine that statements are run on.
enum Live {
    Sqlite { connection: Connection, _folder: tempfile::TempDir, path: std::path::PathBuf },
    Postgres(String),
}

impl Live {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF").unwrap();
        Self::Sqlite { connection, _folder: folder, path }
    }

    fn all() -> Vec<Self> {
        let servers = server::servers().iter().map(|s| Self::Postgres(s.fresh_database()));
        std::iter::once(Self::sqlite()).chain(servers).collect()
    }

    fn run(&self, sql: &str) {
        match self {
            Self::Sqlite { connection, .. } => {
                connection.execute_batch(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
            }
            Self::Postgres(url) => server::execute(url, sql),
        }
    }

    fn session(&self) -> Box<dyn Reader> {
        let options = SessionOptions::default();
        match self {
            Self::Sqlite { path, .. } => engine::sqlite::open(Path::new(path), &options).unwrap(),
            Self::Postgres(url) => {
                let target = engine::postgres::Target::parse(url, &options.environment).unwrap();
                engine::postgres::open(&target, &options).unwrap()
            }
        }
    }
}

fn ask(session: &mut dyn Reader, sql: &str) -> Vec<Vec<Value>> {
    session.query(sql).unwrap_or_else(|e| panic!("{e}: {sql}")).rows
}

fn ids(session: &mut dyn Reader, sql: &str) -> Vec<i64> {
    ask(session, sql).iter().map(|row| row[0].integer().unwrap()).collect()
}

/// A small generator of numbers, the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// Tables `t0`, `t1`, … that refer to one another at random, with rows at random: NULL, missing parents, circles.
struct Case {
    sql: String,
    /// Child, its column, parent.
    relations: Vec<(usize, String, usize)>,
    /// Of each table the rows: the id, then the values of its relations.
    rows: Vec<Vec<(i64, Vec<Option<i64>>)>>,
}

fn case(seed: u64) -> Case {
    let mut random = Numbers(seed);
    let tables = 2 + usize::try_from(random.below(5)).unwrap();
    let circles = random.below(3) > 0;
    let (mut sql, mut relations, mut rows) = (String::new(), Vec::new(), Vec::new());
    for table in 0..tables {
        let mut columns = vec!["id INTEGER PRIMARY KEY".to_string()];
        let keys = random.below(4);
        for key in 0..keys {
            let parent = usize::try_from(random.below(if circles { tables as u64 } else { table as u64 })).ok();
            let parent = if !circles && table == 0 { None } else { parent };
            if let Some(parent) = parent {
                columns.push(format!("k{key} INTEGER"));
                relations.push((table, format!("k{key}"), parent));
            }
        }
        sql.push_str(&format!("CREATE TABLE t{table} ({});", columns.join(", ")));
        let own = relations.iter().filter(|(child, ..)| *child == table).count();
        let mut made: Vec<(i64, Vec<Option<i64>>)> = Vec::new();
        for id in 1..=i64::try_from(1 + random.below(9)).unwrap() {
            let value =
                |random: &mut Numbers| (random.below(4) > 0).then(|| i64::try_from(1 + random.below(10)).unwrap());
            let values: Vec<Option<i64>> = (0..own).map(|_| value(&mut random)).collect();
            let written = values.iter().map(|v| v.map_or("NULL".to_string(), |v| v.to_string()));
            let all: Vec<String> = std::iter::once(id.to_string()).chain(written).collect();
            sql.push_str(&format!("INSERT INTO t{table} VALUES ({});", all.join(", ")));
            made.push((id, values));
        }
        rows.push(made);
    }
    Case { sql, relations, rows }
}

impl Case {
    /// Returns the rows that belong to a row of `t0`, by walking.
    fn owned(&self, root: i64) -> BTreeSet<(usize, i64)> {
        let mut owned = BTreeSet::new();
        if self.rows[0].iter().any(|(id, _)| *id == root) {
            owned.insert((0, root));
        }
        loop {
            let before = owned.len();
            for (table, rows) in self.rows.iter().enumerate() {
                let keys: Vec<_> = self.relations.iter().filter(|(child, ..)| *child == table).collect();
                for (id, values) in rows {
                    if keys.iter().zip(values).any(|(key, v)| v.is_some_and(|v| owned.contains(&(key.2, v)))) {
                        owned.insert((table, *id));
                    }
                }
            }
            if owned.len() == before {
                return owned;
            }
        }
    }

    fn relations(&self, schema: &Schema) -> Vec<Relation> {
        let relation = |(child, column, parent): &(usize, String, usize)| {
            let made = ConfiguredRelation {
                child: TableName::new(format!("t{child}")),
                columns: vec![column.clone()],
                parent: TableName::new(format!("t{parent}")),
                parent_columns: vec!["id".into()],
                on_delete: None,
                accepted: None,
            };
            made.relation(schema)
        };
        self.relations.iter().map(relation).collect()
    }
}

#[test]
fn rows_that_belong_to_a_root_row_are_those_that_a_walk_finds() {
    let (mut recursive, mut nested) = (0, 0);
    for seed in 0..60 {
        let case = case(seed);
        for live in if seed % 4 == 0 { Live::all() } else { vec![Live::sqlite()] } {
            live.run(&case.sql);
            let mut session = live.session();
            let schema = session.inspect().unwrap();
            let (dialect, relations, root) = (session.dialect(), case.relations(&schema), TableName::new("t0"));
            let paths = OwnerPaths::new(dialect, &schema, &root, &relations);
            for id in [1, 3] {
                let owned = case.owned(id);
                let of = RowSet {
                    source: referee::rows::source(dialect, &schema, &root),
                    alias: "root".into(),
                    condition: format!("root.id = {id} OR root.id = -{id}"),
                };
                for table in 0..case.rows.len() {
                    let name = TableName::new(format!("t{table}"));
                    let found = paths.rows(&name, &of).unwrap();
                    if found.with.is_empty() {
                        nested += 1
                    } else {
                        recursive += 1
                    }
                    let sql =
                        format!("{}{} ORDER BY 1", found.with, found.rows.select(&format!("{}.id", found.rows.alias)));
                    let expected: Vec<i64> = owned.iter().filter(|(t, _)| *t == table).map(|(_, id)| *id).collect();
                    assert_eq!(ids(session.as_mut(), &sql), expected, "seed {seed}, t{table} of {id}: {sql}");
                }
            }
        }
    }
    assert!(recursive > 100 && nested > 100, "{recursive} {nested}");
}

#[test]
fn rows_of_tables_without_rowid_and_of_pairs_are_found_through_a_circle() {
    for live in Live::all() {
        let without = if matches!(live, Live::Sqlite { .. }) { " WITHOUT ROWID" } else { "" };
        live.run(&format!(
            "CREATE TABLE a (x TEXT, y INTEGER, up_x TEXT, up_y INTEGER, PRIMARY KEY (x, y), FOREIGN KEY (up_x, up_y) REFERENCES a){without};
             CREATE TABLE b (id INTEGER PRIMARY KEY, x TEXT, y INTEGER, FOREIGN KEY (x, y) REFERENCES a);
             INSERT INTO a VALUES ('o''k', 1, NULL, NULL), ('o''k', 2, 'o''k', 1), ('p', 3, 'o''k', 2), ('p', 4, NULL, 1);
             INSERT INTO b VALUES (1, 'p', 3), (2, 'p', 4), (3, 'p', NULL), (4, 'o''k', 2)"
        ));
        let mut session = live.session();
        let schema = session.inspect().unwrap();
        let (dialect, graph, root) = (session.dialect(), Graph::new(&schema, &[], 0.5), TableName::new("a"));
        let paths = OwnerPaths::new(dialect, &schema, &root, graph.relations());
        let of = RowSet {
            source: referee::rows::source(dialect, &schema, &root),
            alias: "child".into(),
            condition: "child.y = 1".into(),
        };
        let found = paths.rows(&"b".into(), &of).unwrap();
        let sql = format!("{}{} ORDER BY 1", found.with, found.rows.select(&format!("{}.id", found.rows.alias)));
        assert_eq!(ids(session.as_mut(), &sql), [1, 4], "{sql}");
    }
}

/// Pages through a table, and returns the first `width` values of every row.
fn paged(session: &mut dyn Reader, pages: &Pages<'_>, size: u32, between: &mut dyn FnMut(usize)) -> Vec<Vec<Value>> {
    let mut all: Vec<Vec<Value>> = Vec::new();
    let mut after: Option<Vec<Value>> = None;
    for number in 0.. {
        let sql = pages.page(after.as_deref(), size, &[]);
        let rows = ask(session, &sql);
        let Some(last) = rows.last() else { return all };
        // What lies on the page is what a statement about its bounds finds.
        let within = pages.within(after.as_deref(), last).count();
        assert_eq!(ids(session, &within), [i64::try_from(rows.len()).unwrap()], "{within}");
        after = Some(last.clone());
        all.extend(rows);
        between(number);
    }
    all
}

/// A table whose rows are told apart by something.
struct Shape {
    columns: &'static str,
    after: &'static str,
    /// The columns of a text and of a number.
    filled: &'static str,
    /// Whether the text may be NULL.
    nullable: bool,
    by_place: bool,
}

fn shape(columns: &'static str, filled: &'static str) -> Shape {
    Shape { columns, after: "", filled, nullable: false, by_place: false }
}

fn shapes(live: &Live) -> Vec<Shape> {
    let mut all = vec![
        Shape { nullable: true, ..shape("id INTEGER PRIMARY KEY, v TEXT", "v, id") },
        shape("a TEXT NOT NULL, b INTEGER NOT NULL, v TEXT, PRIMARY KEY (a, b)", "a, b"),
        Shape { nullable: true, ..shape("b INTEGER NOT NULL UNIQUE, a TEXT", "a, b") },
        Shape { nullable: true, by_place: true, ..shape("a TEXT, b INTEGER", "a, b") },
        Shape { nullable: true, by_place: true, ..shape("a TEXT UNIQUE, b INTEGER", "a, b") },
    ];
    match live {
        Live::Sqlite { .. } => all.extend([
            Shape { nullable: true, by_place: true, ..shape("a TEXT, b INTEGER, PRIMARY KEY (a, b)", "a, b") },
            Shape { nullable: true, by_place: true, ..shape("a TEXT, rowid TEXT, b INTEGER", "a, b") },
            // The index takes texts for different that the column takes for equal, and the other way round.
            Shape {
                after: "WITHOUT ROWID",
                ..shape("a TEXT COLLATE NOCASE, b INTEGER, PRIMARY KEY (a COLLATE BINARY, b)", "a, b")
            },
            Shape { after: "WITHOUT ROWID", ..shape("a TEXT, b INTEGER, PRIMARY KEY (a COLLATE NOCASE, b)", "a, b") },
            Shape { after: "WITHOUT ROWID", ..shape("a TEXT COLLATE RTRIM, b, PRIMARY KEY (a, b)", "a, b") },
            shape("a NOT NULL, b NOT NULL, PRIMARY KEY (b, a)", "a, b"),
            shape("b REAL NOT NULL UNIQUE, a TEXT", "a, b"),
        ]),
        Live::Postgres(_) => all.extend([
            shape("a text COLLATE \"C\", b int, PRIMARY KEY (b, a)", "a, b"),
            shape("a text COLLATE odd, b int, v text, PRIMARY KEY (a, b)", "a, b"),
            shape("a ext.citext, b int, v text, PRIMARY KEY (a, b)", "a, b"),
            shape("a ext.citext PRIMARY KEY, b int", "a, b"),
            Shape { after: "PARTITION BY LIST (b)", nullable: true, by_place: true, ..shape("a text, b int", "a, b") },
        ]),
    }
    all
}

const TEXTS: [&str; 10] = ["NULL", "''", "'a'", "'A'", "'b'", "'ä'", "'it''s'", "'a '", "'Z'", "'a\\'"];

#[test]
fn all_pages_together_are_the_table_in_any_size_of_page() {
    for live in Live::all() {
        if matches!(live, Live::Postgres(_)) {
            live.run(
                "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;
                 CREATE COLLATION odd (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            );
        }
        for (number, shape) in shapes(&live).iter().enumerate() {
            let name = format!("s{number}");
            live.run(&format!("CREATE TABLE {name} ({}) {}", shape.columns, shape.after));
            if shape.after.starts_with("PARTITION") {
                live.run(&format!("CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES IN (0, 1, 2); CREATE TABLE {name}_2 PARTITION OF {name} DEFAULT"));
            }
            let texts = TEXTS.iter().filter(|t| shape.nullable || **t != "NULL");
            let one = shape.columns.contains("NOT NULL UNIQUE") || shape.columns.contains("id INTEGER");
            let rows: Vec<String> = texts
                .enumerate()
                .flat_map(|(at, text)| (0..4).map(move |b| format!("({text}, {})", if one { at * 4 + b } else { b })))
                .collect();
            let insert =
                format!("INSERT INTO {name} ({}) VALUES {} ON CONFLICT DO NOTHING", shape.filled, rows.join(", "));
            live.run(&insert);
            let mut session = live.session();
            let schema = session.inspect().unwrap();
            let table = schema.table(&TableName::new(&name)).unwrap();
            let pages = Pages::of(session.dialect(), &schema, table).unwrap_or_else(|| panic!("{}", shape.columns));
            assert_eq!(pages.is_by_place(), shape.by_place, "{}", shape.columns);
            let count = ids(session.as_mut(), &format!("SELECT count(*) FROM {name}"))[0];
            assert!(count >= 7, "{} {count}", shape.columns);
            let whole = paged(session.as_mut(), &pages, 10_000, &mut |_| {});
            assert_eq!(i64::try_from(whole.len()).unwrap(), count, "{}", shape.columns);
            for size in [1, 2, 3, 7, 39] {
                assert_eq!(paged(session.as_mut(), &pages, size, &mut |_| {}), whole, "{} by {size}", shape.columns);
            }
            // Sorted by a column that may be NULL, and by what tells the rows apart after it.
            let column = shape.filled.split(", ").next().unwrap().to_string();
            let sorted = Pages::of(session.dialect(), &schema, table).unwrap().sorted_by(table, &[column]);
            let whole = paged(session.as_mut(), &sorted, 10_000, &mut |_| {});
            assert_eq!(i64::try_from(whole.len()).unwrap(), count, "{}", shape.columns);
            for size in [1, 4] {
                assert_eq!(paged(session.as_mut(), &sorted, size, &mut |_| {}), whole, "{} sorted", shape.columns);
            }
            // Rows that go between two pages, before and behind, take no other with them.
            let number_column = shape.filled.split(", ").nth(1).unwrap();
            let found = paged(session.as_mut(), &pages, 2, &mut |page| {
                live.run(&format!("DELETE FROM {name} WHERE {number_column} = {}", page * 3 % 5));
            });
            let left = paged(session.as_mut(), &pages, 10_000, &mut |_| {});
            let missing: Vec<_> = left.iter().filter(|row| !found.contains(row)).collect();
            assert!(missing.is_empty(), "{}: {missing:?}", shape.columns);
            let twice = found.iter().enumerate().filter(|(at, row)| found[..*at].contains(row)).count();
            assert_eq!(twice, 0, "{}", shape.columns);
        }
    }
}

#[test]
fn orphans_are_paged_through() {
    for live in Live::all() {
        live.run(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER);
             INSERT INTO p VALUES (1), (2)",
        );
        for id in 1..=20 {
            live.run(&format!(
                "INSERT INTO c VALUES ({id}, {})",
                if id % 7 == 0 { "NULL".into() } else { (id % 5).to_string() }
            ));
        }
        let mut session = live.session();
        let schema = session.inspect().unwrap();
        let (child, parent) = (TableName::new("c"), TableName::new("p"));
        let (columns, keys) = (vec!["p_id".to_string()], vec!["id".to_string()]);
        let rows = RelationRows::between(session.dialect(), &schema, (&child, &columns), (&parent, &keys)).orphans();
        let expected = ids(session.as_mut(), &format!("{} ORDER BY 1", rows.select("child.id")));
        assert!(expected.len() > 8);
        let pages = Pages::of_set(session.dialect(), &schema, schema.table(&child).unwrap(), &rows).unwrap();
        let found = paged(session.as_mut(), &pages, 3, &mut |_| {});
        assert_eq!(found.iter().map(|r| r[0].integer().unwrap()).collect::<Vec<_>>(), expected);
    }
}

/// Every query about a table's rows, and what it gives.
#[test]
fn queries_about_a_table_leave_its_heirs_out_and_mind_no_column_name() {
    for live in Live::all() {
        // The columns are called as parts of the queries are.
        let columns = "id INTEGER PRIMARY KEY, i INTEGER, low INTEGER, high INTEGER, step INTEGER, span TEXT";
        let mut sql = format!("CREATE TABLE t ({columns});");
        if matches!(live, Live::Postgres(_)) {
            sql.push_str("CREATE TABLE heir () INHERITS (t); INSERT INTO heir VALUES (1000, 1000, 0, 0, 0, 'heir');");
        }
        let rows: Vec<String> = (1..=400).map(|n| format!("({n}, {}, {n}, {n}, {n}, 'r')", n % 7)).collect();
        sql.push_str(&format!("INSERT INTO t VALUES {};", rows.join(", ")));
        live.run(&sql);
        let mut session = live.session();
        let schema = session.inspect().unwrap();
        let (dialect, table) = (session.dialect(), schema.table(&TableName::new("t")).unwrap());
        let rows_of = TableRows::of(dialect, &schema, table);
        let number = |session: &mut dyn Reader, sql: &str| ids(session, sql)[0];
        assert_eq!(number(session.as_mut(), &rows_of.count_up_to(1000)), 400);
        assert_eq!(number(session.as_mut(), &rows_of.count_up_to(10)), 11);
        let range = &ask(session.as_mut(), &rows_of.range("i"))[0];
        assert_eq!((range[0].integer(), range[1].integer()), (Some(0), Some(6)));
        assert_eq!(ask(session.as_mut(), &rows_of.select(&rows_of.column("id"))).len(), 400);
        assert_eq!(ids(session.as_mut(), &rows_of.first(&rows_of.column("id"), 5)).len(), 5);
        let sampled = ids(session.as_mut(), &rows_of.sample(&rows_of.column("low"), 400, 400));
        assert!(!sampled.is_empty() && sampled.iter().all(|n| (1..=400).contains(n)), "{sampled:?}");
        let values = [Value::Integer(1), Value::Integer(400), Value::Integer(1000)];
        assert_eq!(number(session.as_mut(), &rows_of.count_held(table.column("id").unwrap(), &values)), 2);
        let filled = rows_of.filled(&["i", "low"]);
        let often = ids(session.as_mut(), &rows_of.by_frequency("i", &filled, 3));
        assert_eq!(often, [1, 0, 2]);
        if let Some(sql) = rows_of.most_rows() {
            assert_eq!(number(session.as_mut(), &sql), 400);
        }
    }
}

#[test]
fn rows_that_refer_to_a_heir_have_no_parent() {
    for server in server::servers() {
        let live = Live::Postgres(server.fresh_database());
        live.run(
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (p);
             CREATE TABLE c (id int PRIMARY KEY, p_id int); CREATE TABLE c_heir () INHERITS (c);
             INSERT INTO p VALUES (1); INSERT INTO heir VALUES (2);
             INSERT INTO c VALUES (1, 1), (2, 2), (3, NULL); INSERT INTO c_heir VALUES (4, 9);",
        );
        let mut session = live.session();
        let schema = session.inspect().unwrap();
        let (child, parent) = (TableName::new("c"), TableName::new("p"));
        let (own, other) = (vec!["p_id".to_string()], vec!["id".to_string()]);
        let relation = RelationRows::between(session.dialect(), &schema, (&child, &own), (&parent, &other));
        let counts = &ask(session.as_mut(), &relation.counts(&relation.with_reference()))[0];
        assert_eq!((counts[0].integer(), counts[1].integer()), (Some(2), Some(1)));
    }
}

#[test]
fn a_row_of_one_partition_is_not_one_at_the_same_place_of_another() {
    for server in server::servers() {
        let live = Live::Postgres(server.fresh_database());
        live.run(
            "CREATE TABLE t (id int, n int) PARTITION BY LIST (n); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
             CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); INSERT INTO t VALUES (1, 1), (2, 2);",
        );
        let mut session = live.session();
        let schema = session.inspect().unwrap();
        let (dialect, name) = (session.dialect(), TableName::new("t"));
        let same = referee::rows::identity::same_row(dialect, schema.table(&name).unwrap(), ("chosen", "x")).unwrap();
        let sql =
            format!("SELECT x.id FROM t AS x WHERE EXISTS (SELECT 1 FROM t AS chosen WHERE chosen.id = 1 AND {same})");
        assert_eq!(ids(session.as_mut(), &sql), [1], "{sql}");
        let graph = Graph::from_relations(&schema, Vec::new());
        let fates = referee::fate::Fates::new(&schema, &graph, referee::fate::Options::default());
        let impact = fates.impact(&name, Some("id = 1")).unwrap();
        let sql = &impact.tables[0].deleted.as_ref().unwrap().sql;
        assert_eq!(ids(session.as_mut(), sql), [1], "{sql}");
    }
}

#[test]
fn a_configured_relation_of_other_types_is_counted_in_a_delete() {
    for server in server::servers() {
        let live = Live::Postgres(server.fresh_database());
        live.run(
            "CREATE TABLE p (id uuid PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id text);
             INSERT INTO p SELECT '00000000-0000-0000-0000-000000000001';
             INSERT INTO c VALUES (1, '00000000-0000-0000-0000-000000000001'), (2, 'x');",
        );
        let mut session = live.session();
        let schema = session.inspect().unwrap();
        let relation = ConfiguredRelation {
            child: TableName::new("c"),
            columns: vec!["p_id".into()],
            parent: TableName::new("p"),
            parent_columns: vec!["id".into()],
            on_delete: None,
            accepted: None,
        };
        let graph = Graph::from_relations(&schema, Graph::known(&schema, &[relation]));
        let fates = referee::fate::Fates::new(&schema, &graph, referee::fate::Options::default());
        let impact = fates.impact(&TableName::new("p"), Some("true")).unwrap();
        let child = impact.tables.iter().find(|t| t.table == TableName::new("c")).unwrap();
        let sql = &child.orphaned.as_ref().unwrap().sql;
        assert_eq!(ids(session.as_mut(), sql), [1], "{sql}");
    }
}
