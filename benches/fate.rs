//! Measures how long it takes to decide: every table of a large schema as a root, the repair of a real one, and advice that is
//! held against it.
//!
//! `cargo bench --bench fate`; `benches/results/fate.md` is one such run.

use divan::black_box;
use referee::fate::{Advisor, Fates, Options, withdraw_refused};
use referee::infer;
use referee::relations::{Basis, Graph, Relation};
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

/// How the keys of a large schema act: an owner that cascades, a reference that becomes NULL, one that refuses.
const USUAL: [Action; 6] =
    [Action::Cascade, Action::SetNull, Action::NoAction, Action::Cascade, Action::SetNull, Action::NoAction];
/// Cascades wherever one looks, so that every delete reaches much and by many ways.
const DENSE: [Action; 6] =
    [Action::Cascade, Action::Cascade, Action::Cascade, Action::Cascade, Action::SetNull, Action::NoAction];

/// 1,000 tables with three keys each, parents before children; the first tables refer to themselves.
fn large(engine: Engine, actions: [Action; 6]) -> Schema {
    let mut schema = Schema::new(engine);
    let mut order = 0;
    for t in 0..1_000_usize {
        let keys: Vec<_> = (1..=3)
            .map(|k| {
                let parent = if t < k { t } else { (t * 7 + k * 131) % t };
                let action = actions[t % 2 * 3 + k - 1];
                (format!("p{k}_id"), true, format!("t{parent}"), action)
            })
            .collect();
        table(&mut schema, &format!("t{t}"), &keys, &mut order);
    }
    schema.sort();
    schema
}

/// How the keys of a schema that is hard to decide lie.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// Tables in layers of three, each with a key to every table of the layer above: 3 to the power of 333 chains of cascades.
    Layers,
    /// Keys to any table, so that nearly every table cascades into every other in circles.
    Circles,
}

/// 1,000 tables with three keys each, of which 97 of 100 cascade: every delete reaches most of the schema.
fn hard(engine: Engine, lie: Lie) -> Schema {
    const OTHERS: [Action; 3] = [Action::NoAction, Action::Restrict, Action::SetNull];
    let mut schema = Schema::new(engine);
    let mut order = 0;
    for t in 0..1_000_usize {
        let keys: Vec<_> = (0..3_usize)
            .filter(|_| matches!(lie, Lie::Circles) || t >= 3)
            .map(|k| {
                let parent = match lie {
                    Lie::Layers => t / 3 * 3 - 3 + k,
                    Lie::Circles => (t * 389 + k * 577 + t * t % 101) % 1_000,
                };
                let number = t * 3 + k;
                let action = if number % 33 == 7 { OTHERS[number / 33 % 3] } else { Action::Cascade };
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
    let schema = large(engine, USUAL);
    let graph = declared(&schema);
    bencher.bench_local(|| Fates::new(&schema, &graph, Options::default()).rank());
}

/// The same where two keys of three cascade.
#[divan::bench(args = ENGINES, sample_count = 10, sample_size = 1)]
fn all_roots_of_3000_keys_that_mostly_cascade(bencher: divan::Bencher<'_, '_>, engine: Engine) {
    let schema = large(engine, DENSE);
    let graph = declared(&schema);
    bencher.bench_local(|| Fates::new(&schema, &graph, Options::default()).rank());
}

/// The same where chains of cascades are too many to be told one by one.
#[divan::bench(args = ENGINES, sample_count = 10, sample_size = 1)]
fn all_roots_of_3000_keys_in_layers(bencher: divan::Bencher<'_, '_>, engine: Engine) {
    let schema = hard(engine, Lie::Layers);
    let graph = declared(&schema);
    bencher.bench_local(|| Fates::new(&schema, &graph, Options::default()).rank());
}

/// The same where cascades run in circles.
#[divan::bench(args = ENGINES, sample_count = 10, sample_size = 1)]
fn all_roots_of_3000_keys_in_circles(bencher: divan::Bencher<'_, '_>, engine: Engine) {
    let schema = hard(engine, Lie::Circles);
    let graph = declared(&schema);
    bencher.bench_local(|| Fates::new(&schema, &graph, Options::default()).rank());
}

/// What no decision can do without: from every root along the cascades, and a look at each key on the way, by number.
#[divan::bench(args = [false, true])]
fn plain_walk_from_all_roots(bencher: divan::Bencher<'_, '_>, dense: bool) {
    let schema = large(Engine::Postgres, if dense { DENSE } else { USUAL });
    let number = |name: &TableName| schema.tables.iter().position(|t| t.name == *name);
    let mut below: Vec<Vec<(usize, bool)>> = vec![Vec::new(); schema.tables.len()];
    for (child, key) in schema.foreign_keys() {
        if let (Some(child), Some(parent)) = (number(&child.name), number(&key.parent)) {
            below[parent].push((child, key.on_delete == Action::Cascade));
        }
    }
    bencher.bench_local(|| {
        let mut looked_at = 0;
        for root in 0..below.len() {
            let mut seen = vec![false; below.len()];
            seen[root] = true;
            let mut reached = vec![root];
            let mut next = 0;
            while let Some(&table) = reached.get(next) {
                next += 1;
                for &(child, cascades) in &below[table] {
                    looked_at += 1;
                    if cascades && !std::mem::replace(&mut seen[child], true) {
                        reached.push(child);
                    }
                }
            }
        }
        black_box(looked_at)
    });
}

/// A thousand relations that nothing declares among two thousand keys, with the graph of them all.
fn undeclared(engine: Engine) -> (Schema, Graph) {
    let mut schema = large(engine, USUAL);
    let mut wished = Vec::new();
    for table in &mut schema.tables {
        let Some(at) = table.foreign_keys.iter().position(|k| k.on_delete == Action::Cascade) else { continue };
        wished.push((table.name.clone(), table.foreign_keys.remove(at)));
        // Where a column can be NULL, nobody advises CASCADE.
        table.columns.iter_mut().filter(|c| c.name == "p1_id").for_each(|c| c.nullable = false);
    }
    let declared = schema.foreign_keys().map(|(t, k)| Relation::declared(&schema, &t.name, k));
    let wished = wished.iter().map(|(table, key)| Relation {
        on_delete: None,
        basis: Basis::Configured,
        ..Relation::declared(&schema, table, key)
    });
    let relations = declared.chain(wished).collect();
    let graph = Graph::from_relations(&schema, relations);
    (schema, graph)
}

/// Advice by names and habits for a thousand relations: what `advice_held_against_fate` rests on.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn advice_alone(bencher: divan::Bencher<'_, '_>) {
    let (schema, graph) = undeclared(Engine::Postgres);
    let open = || graph.relations().iter().filter(|r| !r.is_declared());
    bencher.bench_local(|| {
        let style = infer::HouseStyle::of(&schema, &graph);
        open().map(|r| infer::advise_in_style(&schema, &graph, &style, r)).collect::<Vec<_>>()
    });
}

/// The same, and each CASCADE tried on the network.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn advice_held_against_fate(bencher: divan::Bencher<'_, '_>) {
    let (schema, graph) = undeclared(Engine::Postgres);
    let open = || graph.relations().iter().filter(|r| !r.is_declared());
    bencher.bench_local(|| {
        let mut advisor = Advisor::new(&schema, &graph);
        open().map(|r| advisor.advise(r)).collect::<Vec<_>>()
    });
}

/// Nothing declared among 1,000 tables with up to three references each, none of which can be NULL: what inference proposes for
/// them, mostly CASCADE, and all of it held against fate together.
#[divan::bench(args = ENGINES, sample_count = 10, sample_size = 1)]
fn proposals_held_against_fate(bencher: divan::Bencher<'_, '_>, engine: Engine) {
    let mut schema = Schema::new(engine);
    for t in 0..1_000_usize {
        let mut keys: Vec<_> = (1..=3_usize)
            .filter(|k| t >= *k)
            .map(|k| (t * 7 + k * 131) % t)
            .map(|parent| (format!("item{parent}_id"), false, format!("item{parent}"), Action::Cascade))
            .collect();
        keys.dedup();
        table(&mut schema, &format!("item{t}"), &keys, &mut 0);
    }
    for table in &mut schema.tables {
        table.foreign_keys.clear();
        let mut seen = std::collections::BTreeSet::new();
        table.columns.retain(|c| seen.insert(c.name.clone()));
    }
    schema.sort();
    let inference = infer::Survey::of(&schema, &[], &[]).report(infer::Model::published(), 0.5, false);
    assert!(inference.proposals.len() > 2_500);
    bencher.with_inputs(|| inference.clone()).bench_local_refs(|inference| withdraw_refused(&schema, &[], inference));
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
