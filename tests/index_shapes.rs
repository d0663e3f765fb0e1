//! Holds the grading of indexes against a list of shapes whose truth PostgreSQL's own foreign key check told: by a model
//! made by hand, by what is inspected on a server, by its planner, and by what its indexes count during a real delete.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use referee::relations::lookup::{Grade, grade};
use referee::schema::{
    Collation, Column, DataType, Engine, ForeignKey, Index, IndexPart, Key, Schema, Table, TableName,
};
use support::audit::{Ask, audit, lines, open, sqlite};
use support::postgres::{Server, connect, execute, servers};

/// One line of `tests/data/index-shapes.txt`.
struct Shape {
    line: &'static str,
    child: &'static str,
    parent: &'static str,
    key: Vec<&'static str>,
    index: Option<&'static str>,
    grade: Grade,
}

fn shapes() -> Vec<Shape> {
    let lines = include_str!("data/index-shapes.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    let shape = |line: &'static str| {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [types, key, index, grade] = fields[..] else { panic!("four fields: {line}") };
        let (child, parent) = types.split_once(" > ").unwrap_or((types, types));
        let grade = match grade {
            "covers" => Grade::Covers,
            "helps" => Grade::Helps,
            "seq" => Grade::Useless,
            other => panic!("{other}"),
        };
        Shape { line, child, parent, key: key.split(',').collect(), index: (index != "-").then_some(index), grade }
    };
    lines.map(shape).collect()
}

/// Reads `[using METHOD] (parts) [include (columns)] [where CONDITION]`.
fn index(text: &str) -> Index {
    let (text, predicate) = text.split_once(" where ").map_or((text, None), |(t, p)| (t, Some(p)));
    let (text, included) = text.split_once(" include ").map_or((text, ""), |(t, i)| (t, i));
    let (method, parts) = match text.strip_prefix("using ") {
        Some(rest) => rest.split_once(' ').unwrap(),
        None => ("btree", text),
    };
    let inside = |list: &str| list.strip_prefix('(').unwrap().strip_suffix(')').unwrap().to_string();
    let part = |text: &str| {
        if text.starts_with('(') {
            return IndexPart { expression: Some(inside(text)), ..IndexPart::default() };
        }
        let mut words = text.split(' ');
        let mut part = IndexPart::column(words.next().unwrap());
        match (words.next(), words.next()) {
            (Some("collate"), Some(name)) => part.collation = Some(name.trim_matches('"').to_string()),
            (class, None) => part.operator_class = class.map(ToString::to_string),
            other => panic!("{other:?}"),
        }
        part
    };
    let mut index = Index::on("ix", Vec::<String>::new());
    index.parts = inside(parts).split(',').map(part).collect();
    index.method = method.to_string();
    index.predicate = predicate.map(ToString::to_string);
    if !included.is_empty() {
        index.included = inside(included).split(',').map(ToString::to_string).collect();
    }
    index
}

fn table(name: &str, declared: &str) -> Table {
    let mut table = Table::new(name.into());
    let (raw, collation) = declared.split_once(" collate ").map_or((declared, None), |(t, c)| (t, Some(c)));
    for column in ["a", "b"] {
        let mut column = Column::new(column, DataType::parse(Engine::Postgres, raw));
        column.collation = collation.map(|c| Collation { name: c.trim_matches('"').to_string(), deterministic: true });
        table.columns.push(column);
    }
    table
}

fn schema(shape: &Shape) -> Schema {
    let mut child = table("ch", shape.child);
    child.columns.push(Column::new("x", DataType::parse(Engine::Postgres, "int")));
    child.foreign_keys.push(ForeignKey::new(shape.key.clone(), "pa".into(), shape.key.clone()));
    child.indexes.extend(shape.index.map(index));
    let mut parent = table("pa", shape.parent);
    parent.primary_key = Some(Key::new(shape.key.clone()));
    let mut schema = Schema::new(Engine::Postgres);
    schema.tables = vec![child, parent];
    schema.sort();
    schema
}

#[test]
fn grades_are_what_the_planner_does() {
    let shapes = shapes();
    assert!(shapes.len() >= 62, "{}", shapes.len());
    let mut wrong = Vec::new();
    for shape in &shapes {
        let schema = schema(shape);
        let columns: Vec<String> = shape.key.iter().map(ToString::to_string).collect();
        let (found, _) = grade(&schema, schema.table(&"ch".into()).unwrap(), &columns);
        if found != shape.grade {
            wrong.push(format!("{found:?}: {}", shape.line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tables of a shape on a real server, in a schema of their own.
fn tables(number: usize, shape: &Shape) -> String {
    let key = shape.key.join(", ");
    let index = shape.index.map_or_else(String::new, |text| format!("CREATE INDEX ix ON ch {text};"));
    format!(
        "CREATE SCHEMA s{number}; SET search_path = s{number}, public;
         CREATE TABLE pa (a {parent}, b {parent}, PRIMARY KEY ({key}));
         CREATE TABLE ch (a {child}, b {child}, x int, FOREIGN KEY ({key}) REFERENCES pa ({key}) ON DELETE CASCADE);
         {index}",
        parent = shape.parent,
        child = shape.child,
    )
}

/// Since PostgreSQL 14 the classes of pg_trgm have an equality.
fn expected(shape: &Shape, server: &Server) -> Grade {
    let by_trigrams = shape.index.is_some_and(|i| i.contains("_trgm_ops"));
    if by_trigrams && server.major < 14 { Grade::Useless } else { shape.grade }
}

fn child(number: usize) -> TableName {
    TableName { schema: Some(format!("s{number}")), name: "ch".into() }
}

#[test]
fn inspected_model_and_planner_agree_on_every_server() {
    let shapes = shapes();
    let mut wrong = Vec::new();
    for server in servers() {
        let url = server.fresh_database();
        execute(&url, "CREATE EXTENSION btree_gist; CREATE EXTENSION btree_gin; CREATE EXTENSION pg_trgm");
        execute(&url, &shapes.iter().enumerate().map(|(n, s)| tables(n, s)).collect::<String>());
        let mut input = open(&url);
        let session = input.session.as_mut().unwrap();
        for (n, shape) in shapes.iter().enumerate() {
            let table = input.schema.table(&child(n)).unwrap();
            let columns: Vec<String> = shape.key.iter().map(ToString::to_string).collect();
            let (graded, _) = grade(&input.schema, table, &columns);
            let plan = session.lookup_plan(table, &columns).unwrap();
            let expected = expected(shape, server);
            if graded != expected {
                wrong.push(format!("{}: graded {graded:?}: {}", server.major, shape.line));
            }
            if plan.index.is_some() != (expected != Grade::Useless) {
                wrong.push(format!("{}: planned {:?}: {}\n{}", server.major, plan.index, shape.line, plan.plan));
            }
        }
        // The whole way: what is reported follows, whether the planner is asked or not.
        let report: BTreeMap<_, _> = [false, true]
            .into_iter()
            .map(|verify_indexes| {
                let report = audit(&url, Ask { verify_indexes, ..Ask::default() });
                (verify_indexes, lines(&report).into_iter().filter(|l| l.contains("unindexed")).collect::<Vec<_>>())
            })
            .collect();
        let mut reported: Vec<String> = Vec::new();
        for (n, shape) in shapes.iter().enumerate() {
            let severity = match expected(shape, server) {
                Grade::Covers => continue,
                Grade::Helps => "info",
                Grade::Useless => "warning",
            };
            let columns = if shape.key.len() == 1 { "a" } else { "(a, b)" };
            reported.push(format!("{severity} unindexed-foreign-key s{n}.ch.{columns}"));
        }
        reported.sort();
        for (verified, mut found) in report {
            found.sort();
            if found != reported {
                wrong.push(format!("{} verified {verified}: {found:?}\n{reported:?}", server.major));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How often a child table was read whole and by its index, as the server counts.
fn counts(url: &str, tables: usize) -> Vec<(i64, i64)> {
    let mut client = connect(url);
    (0..tables)
        .map(|n| {
            let sql = "SELECT coalesce(seq_scan, 0), coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = $1";
            let row = client.query_one(sql, &[&format!("ch{n}")]).unwrap();
            (row.get(0), row.get(1))
        })
        .collect()
}

/// Waits until the counters show something, then until they stay as they are: sessions report late.
fn settled(url: &str, tables: usize, done: impl Fn(&[(i64, i64)]) -> bool) -> Vec<(i64, i64)> {
    let limit = Instant::now() + Duration::from_secs(30);
    let mut last = counts(url, tables);
    loop {
        sleep(Duration::from_millis(700));
        let now = counts(url, tables);
        if now == last && done(&now) || Instant::now() > limit {
            return now;
        }
        last = now;
    }
}

/// The parents that are deleted have no children, so the check looks and finds nothing: one look-up for each parent and
/// child table. BRIN is left out, for which these tables are too small, and so is an index that is partial by the key's own
/// values: a plan made for one known value may use it, and for another cannot.
#[test]
fn a_real_delete_uses_the_indexes_that_are_said_to_serve_it() {
    const ROWS: usize = 5_000;
    let all = shapes();
    let plain = |s: &&Shape| s.child == "int" && s.parent == "int";
    let btree = |s: &&Shape| s.index.is_none_or(|i| !i.starts_with("using ") || i.starts_with("using hash"));
    let by_value = |s: &&Shape| s.index.is_some_and(|i| i.ends_with("where a > 0"));
    let shapes: Vec<&Shape> = all.iter().filter(plain).filter(btree).filter(|s| !by_value(s)).collect();
    assert!(shapes.len() >= 30, "{}", shapes.len());
    let mut wrong = Vec::new();
    for server in servers() {
        let url = server.fresh_database();
        let mut sql = format!(
            "CREATE TABLE one (a int PRIMARY KEY); CREATE TABLE two (a int, b int, PRIMARY KEY (a, b));
             INSERT INTO one SELECT generate_series(1, {ROWS} + 20);
             INSERT INTO two SELECT i, i FROM generate_series(1, {ROWS} + 20) i; ANALYZE;"
        );
        for (n, shape) in shapes.iter().enumerate() {
            let (parent, key) = if shape.key.len() == 1 { ("one", "a") } else { ("two", "a, b") };
            let index = shape.index.map_or_else(String::new, |i| format!("CREATE INDEX ON ch{n} {i};"));
            // Rows that satisfy every partial index: that it holds them all is nothing the planner may rely on.
            let _ = write!(
                sql,
                "CREATE TABLE ch{n} (a int, b int, x int, FOREIGN KEY ({key}) REFERENCES {parent} ({key})); {index}
                 INSERT INTO ch{n} SELECT i, i, i FROM generate_series(1, {ROWS}) i; ANALYZE ch{n};"
            );
        }
        execute(&url, &sql);
        let before = settled(&url, shapes.len(), |_| true);
        execute(&url, &format!("DELETE FROM one WHERE a > {ROWS}; DELETE FROM two WHERE a > {ROWS}"));
        let after = settled(&url, shapes.len(), |now| {
            now.iter().zip(&before).all(|(now, before)| now.0 + now.1 > before.0 + before.1)
        });
        for ((shape, before), after) in shapes.iter().zip(before).zip(after) {
            let (read_whole, by_index) = (after.0 - before.0, after.1 - before.1);
            let used = by_index > 0 && read_whole == 0;
            let unused = by_index == 0 && read_whole > 0;
            let right = if shape.grade == Grade::Useless { unused } else { used };
            if !right {
                wrong.push(format!("{}: {read_whole} whole, {by_index} by index: {}", server.major, shape.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sqlite_grades_are_what_its_planner_does() {
    let folder = tempfile::tempdir().unwrap();
    // Type of the child's and of the parent's column, the key, the index, and whether it serves the look-up.
    let shapes: &[(&str, &str, &str, &str, Grade)] = &[
        ("integer", "integer", "a", "", Grade::Useless),
        ("integer", "integer", "a", "(a)", Grade::Covers),
        ("integer", "integer", "a", "(a, x)", Grade::Covers),
        ("integer", "integer", "a", "(x, a)", Grade::Useless),
        ("integer", "integer", "a", "(a DESC)", Grade::Covers),
        ("integer", "integer", "a", "(a) WHERE a IS NOT NULL", Grade::Covers),
        ("integer", "integer", "a", "(a) WHERE x > 0", Grade::Useless),
        ("integer", "integer", "a", "(a) WHERE a > 0", Grade::Useless),
        ("integer", "integer", "a", "(a + 0)", Grade::Useless),
        ("integer", "integer", "a, b", "(a, b)", Grade::Covers),
        ("integer", "integer", "a, b", "(b, a)", Grade::Covers),
        ("integer", "integer", "a, b", "(a)", Grade::Helps),
        ("integer", "integer", "a, b", "(b, x)", Grade::Helps),
        ("integer", "integer", "a, b", "(x, a, b)", Grade::Useless),
        ("integer", "integer", "a, b", "(a, b) WHERE b IS NOT NULL", Grade::Covers),
        ("text", "text", "a", "(a)", Grade::Covers),
        ("text", "text", "a", "(a COLLATE NOCASE)", Grade::Useless),
        ("text", "text COLLATE NOCASE", "a", "(a)", Grade::Useless),
        ("text", "text COLLATE NOCASE", "a", "(a COLLATE NOCASE)", Grade::Covers),
        ("text", "integer", "a", "(a)", Grade::Useless),
        ("integer", "text", "a", "(a)", Grade::Covers),
    ];
    let mut wrong = Vec::new();
    for (n, (child, parent, key, index, expected)) in shapes.iter().enumerate() {
        let index = if index.is_empty() { String::new() } else { format!("CREATE INDEX ix ON ch {index};") };
        let source = sqlite(
            &folder.path().join(format!("{n}.db")),
            &format!(
                "CREATE TABLE pa (a {parent}, b {parent}, note text, PRIMARY KEY ({key}));
                 CREATE TABLE ch (a {child}, b {child}, x integer, \
                   FOREIGN KEY ({key}) REFERENCES pa ({key}) ON DELETE CASCADE);
                 {index}"
            ),
        );
        let columns: Vec<String> = key.split(", ").map(ToString::to_string).collect();
        let mut input = open(&source);
        let table = input.schema.table(&"ch".into()).unwrap();
        let (graded, _) = grade(&input.schema, table, &columns);
        let plan = input.session.as_mut().unwrap().lookup_plan(table, &columns).unwrap();
        if graded != *expected || plan.index.is_some() != (*expected != Grade::Useless) {
            wrong.push(format!("{child} > {parent}, {key}, {index} graded {graded:?}, planned {:?}", plan.plan));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
