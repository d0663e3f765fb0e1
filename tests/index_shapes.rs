//! Holds the grading of indexes against a list of shapes whose truth PostgreSQL's own foreign key check told.

#![allow(clippy::unwrap_used, clippy::panic)]

use referee::relations::lookup::{Grade, grade};
use referee::schema::{Collation, Column, DataType, Engine, ForeignKey, Index, IndexPart, Key, Schema, Table};

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
