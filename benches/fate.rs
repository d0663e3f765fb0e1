//! Measures how long it takes to decide: every table of a large schema as a root, and the repair of a real one.
//!
//! `cargo bench --bench fate`; `benches/results/fate.md` is one such run.

use referee::fate::{Fates, Options};
use referee::relations::{Graph, Relation};
use referee::schema::{Action, Column, DataType, Engine, ForeignKey, Key, Schema, Table, TableName};

fn main() {
    divan::main();
}

/// A table with `id` as its primary key and these referring columns: name, whether it can be NULL, parent, action.
fn table(schema: &mut Schema, name: &str, keys: &[(String, bool, String, Action)], order: &mut u32) {
    let uuid = || DataType::parse(schema.engine, "uuid");
    let mut table = Table::new(TableName::new(name));
    table.columns.push(Column { nullable: false, ..Column::new("id", uuid()) });
    table.primary_key = Some(Key::new(["id"]));
    for (column, nullable, parent, action) in keys {
        table.columns.push(Column { nullable: *nullable, ..Column::new(column, uuid()) });
        let key = ForeignKey::new([column], TableName::new(parent), ["id"]);
        table.foreign_keys.push(ForeignKey { on_delete: *action, firing_order: *order, ..key });
        *order += 1;
    }
    schema.tables.push(table);
}

/// 1,000 tables with three keys each, parents before children; the first tables refer to themselves.
fn large(engine: Engine) -> Schema {
    let mut schema = Schema::new(engine);
    let mut order = 0;
    for t in 0..1_000_usize {
        let keys: Vec<_> = (1..=3)
            .map(|k| {
                let parent = if t < k { t } else { (t * 7 + k * 131) % t };
                let action = [Action::Cascade, Action::SetNull, Action::NoAction][k - 1];
                (format!("p{k}_id"), true, format!("t{parent}"), action)
            })
            .collect();
        table(&mut schema, &format!("t{t}"), &keys, &mut order);
    }
    schema.sort();
    schema
}

/// The fixture, whose every line is a column.
fn twin(engine: Engine) -> Schema {
    let mut schema = Schema::new(engine);
    let mut order = 0;
    for statement in include_str!("../tests/fixtures/r4.sql").split("CREATE TABLE ").skip(1) {
        let mut lines = statement.lines();
        let name = lines.next().and_then(|l| l.split_whitespace().next()).unwrap_or_default();
        let keys: Vec<_> = lines
            .filter_map(|line| {
                let (column, reference) = line.trim().split_once(" uuid ")?;
                let (null, reference) = reference.split_once("REFERENCES ")?;
                let parent = reference.split_whitespace().next()?.to_string();
                let action = if reference.contains("CASCADE") { Action::Cascade } else { Action::NoAction };
                Some((column.to_string(), !null.contains("NOT NULL"), parent, action))
            })
            .collect();
        table(&mut schema, name, &keys, &mut order);
    }
    schema.sort();
    schema
}

fn declared(schema: &Schema) -> Graph {
    let relations = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k)).collect();
    Graph::from_relations(schema, relations)
}

const ENGINES: &[Engine] = &[Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mariadb];

/// The verdicts of all 1,000 roots, the network's making included.
#[divan::bench(args = ENGINES)]
fn all_roots_of_3000_keys(bencher: divan::Bencher<'_, '_>, engine: Engine) {
    let schema = large(engine);
    let graph = declared(&schema);
    bencher.bench_local(|| Fates::new(&schema, &graph, Options::default()).rank());
}

/// The whole fate of one root, with paths, reasons, conditions and the repair to the fixed point.
#[divan::bench(args = ENGINES)]
fn users_of_r4_with_its_repair(bencher: divan::Bencher<'_, '_>, engine: Engine) {
    let schema = twin(engine);
    let graph = declared(&schema);
    let users = TableName::new("users");
    let repair = Fates::new(&schema, &graph, Options::default()).of(&users).and_then(|f| f.repair);
    assert!(repair.is_some_and(|r| r.changes.len() > 32));
    bencher.bench_local(|| Fates::new(&schema, &graph, Options::default()).of(&users));
}
