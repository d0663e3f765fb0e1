//! No schema, however odd, makes inference panic or propose what cannot be.

use proptest::prelude::*;

use super::*;
use crate::schema::{Column, DataType, Engine, Key, Table};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{1,2}(_id|_ID|Id|_code|_type)?",
        Just("id".to_string()),
        Just("id_".to_string()),
        Just("_id".to_string()),
        Just("ID".to_string()),
        Just("parent_id".to_string()),
        Just("A".to_string()),
        Just("größe_id".to_string()),
        Just("名前".to_string()),
        Just("_".to_string()),
        "\\PC{1,6}",
    ]
}

fn table() -> impl Strategy<Value = Table> {
    let types =
        prop_oneof![Just("integer"), Just("text"), Just("uuid"), Just("boolean"), Just(""), Just("numeric(3,1)")];
    let columns = prop::collection::btree_map(name(), (types, any::<bool>()), 0..7);
    (name(), columns, prop::collection::vec(prop::collection::vec(0_usize..7, 1..4), 0..4)).prop_map(
        |(name, columns, keys)| {
            let mut table = Table::new(TableName::new(name));
            for (name, (raw, nullable)) in columns {
                table.columns.push(Column { nullable, ..Column::new(name, DataType::parse(Engine::Sqlite, raw)) });
            }
            for (i, key) in keys.into_iter().enumerate() {
                let mut named: Vec<String> =
                    key.iter().filter_map(|k| table.columns.get(*k)).map(|c| c.name.clone()).collect();
                named.dedup();
                match (i, named.is_empty()) {
                    (_, true) => {}
                    (0, _) => table.primary_key = Some(Key::new(named)),
                    _ => table.unique_keys.push(Key::new(named)),
                }
            }
            table
        },
    )
}

proptest! {
    #[test]
    fn what_is_proposed_can_be(tables in prop::collection::vec(table(), 0..8)) {
        let mut schema = Schema::new(Engine::Sqlite);
        schema.tables = tables;
        schema.sort();
        schema.tables.dedup_by(|a, b| a.name == b.name);
        let survey = Survey::of(&schema, &[], &[]);
        let found = survey.report(Model::published(), 0.0, false);
        let mut seen = BTreeSet::new();
        for Advised { proposal: p, action, .. } in &found.proposals {
            let (child, parent) = (schema.table(&p.child).unwrap(), schema.table(&p.parent).unwrap());
            prop_assert!((0.0..=1.0).contains(&p.confidence));
            prop_assert_eq!(p.columns.len(), p.parent_columns.len());
            prop_assert!(p.columns.iter().all(|c| child.column(c).is_some()));
            prop_assert!(p.parent_columns.iter().all(|c| parent.column(c).is_some()));
            prop_assert!(p.child != p.parent || p.columns != p.parent_columns, "{:?} refers to itself", p.child);
            prop_assert!(seen.insert((p.child.clone(), p.columns.clone())), "two parents for {:?}", p.columns);
            let nullable = p.columns.iter().all(|c| child.is_nullable(c));
            prop_assert!(nullable || action.action != crate::schema::Action::SetNull, "SET NULL on NOT NULL");
        }
    }
}

/// A word of its own for each number, of four letters.
fn word(n: usize) -> String {
    let letter = |d: usize| char::from(b'b' + u8::try_from(n / d % 10).unwrap_or_default());
    format!("z{}{}{}", letter(100), letter(10), letter(1))
}

#[test]
fn ten_thousand_columns_take_no_time() {
    let mut schema = Schema::new(Engine::Sqlite);
    for t in 0..1000 {
        let mut table = Table::new(TableName::new(format!("{}s", word(t))));
        table.columns.push(Column::new("id", DataType::parse(Engine::Sqlite, "integer")));
        table.primary_key = Some(Key::new(["id"]));
        for c in 1..10 {
            let name = format!("{}_id", word((t * 7 + c * 13) % 1000));
            table.columns.push(Column::new(name, DataType::parse(Engine::Sqlite, "integer")));
        }
        schema.tables.push(table);
    }
    schema.sort();
    let start = std::time::Instant::now();
    // With advice for each: what depends on all others must not be worked out for each anew.
    let found = Survey::of(&schema, &[], &[]).report(Model::published(), 0.5, false).proposals;
    assert!(found.len() > 8_000, "{}", found.len());
    // Unoptimised, on a machine that does other things too; the bench has the real number.
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}
