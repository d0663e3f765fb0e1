use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::schema::{
    Action, Check, Collation, DataType, Engine, Generated, Index, IndexOrigin, IndexPart, Key, Match, Publication,
    ReplicaIdentity, RewriteRule, TableKind, Timing,
};
use crate::testing::schema;

/// Makes the changes, each of which has to apply.
fn applied(from: &Schema, changes: &[Change]) -> Schema {
    let mut schema = from.clone();
    for change in changes {
        change.apply(&mut schema).unwrap_or_else(|e| panic!("{e}: {change:?}"));
    }
    schema
}

fn assert_leads(from: &Schema, to: &Schema) -> Vec<Change> {
    let changes = diff(from, to);
    let got = applied(from, &changes);
    for table in &to.tables {
        if got.table(&table.name) != Some(table) {
            let lines: Vec<String> = changes.iter().map(|c| serde_json::to_string(c).unwrap()).collect();
            let text = |t: &Table| serde_json::to_string(t).unwrap();
            panic!(
                "{}\n  got {}\n want {}",
                lines.join("\n"),
                got.table(&table.name).map(text).unwrap_or_default(),
                text(table)
            );
        }
    }
    assert_eq!(got.tables.len(), to.tables.len(), "{changes:#?}");
    assert_eq!(diff(from, to), changes, "the same changes each time");
    changes
}

const ENGINES: [Engine; 5] = [Engine::Postgres, Engine::Cockroach, Engine::Sqlite, Engine::Mysql, Engine::Mariadb];
const COLUMNS: [&str; 5] = ["a", "b", "c", "d", "e"];
const TABLES: [&str; 5] = ["p", "q", "r", "s", "t"];

fn data_type() -> impl Strategy<Value = DataType> {
    select(vec!["bigint", "integer", "text", "varchar(9)"]).prop_map(|t| DataType::parse(Engine::Postgres, t))
}

fn some_columns() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(COLUMNS.to_vec(), 1..3)
        .prop_shuffle()
        .prop_map(|c| c.into_iter().map(Into::into).collect())
}

fn maybe(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(select(texts.to_vec()).prop_map(str::to_string))
}

prop_compose! {
    fn column()(
        data_type in data_type(),
        nullable in any::<bool>(),
        default in maybe(&["1", "'x'", "\"b\""]),
        generated in maybe(&["a + 1", "b || 'c'"]),
        stored in any::<bool>(),
        auto_number in proptest::bool::weighted(0.1),
        collation in maybe(&["C", "NOCASE"]),
        comment in maybe(&["old", "new"]),
    ) -> Column {
        let generated = generated.map(|expression| Generated { expression, stored });
        let collation = collation.map(|name| Collation { name, deterministic: true });
        Column { nullable, default, generated, auto_number, collation, comment, ..Column::new("", data_type) }
    }
}

prop_compose! {
    fn foreign_key()(
        name in maybe(&["k1", "k2", "k3"]),
        columns in some_columns(),
        parent in select(TABLES.to_vec()),
        actions in (0usize..3, 0usize..3),
        matching in select(vec![Match::Simple, Match::Full]),
        timing in select(vec![Timing::Immediate, Timing::Deferrable, Timing::Deferred]),
        validated in any::<bool>(),
        enforced in any::<bool>(),
        temporal in proptest::bool::weighted(0.1),
        written in proptest::option::of(any::<bool>()),
        firing_order in 0u32..6,
        comment in maybe(&["old", "new"]),
    ) -> ForeignKey {
        const ACTIONS: [Action; 3] = [Action::NoAction, Action::Cascade, Action::SetNull];
        let mut key = ForeignKey::new(columns.clone(), parent.into(), columns);
        key.name = name;
        (key.on_delete, key.on_update) = (ACTIONS[actions.0], ACTIONS[actions.1]);
        ForeignKey { matching, timing, validated, enforced, temporal, on_delete_written: written, firing_order, comment, ..key }
    }
}

prop_compose! {
    fn index()(
        columns in some_columns(),
        expression in maybe(&["lower(a)", "a + b"]),
        unique in any::<bool>(),
        valid in proptest::bool::weighted(0.8),
        predicate in maybe(&["a > 1"]),
        origin in select(vec![IndexOrigin::User, IndexOrigin::User, IndexOrigin::Constraint, IndexOrigin::ForeignKey]),
        included in proptest::bool::weighted(0.2),
    ) -> Index {
        let mut index = Index { unique, valid, predicate, origin, ..Index::on("", columns) };
        index.parts.extend(expression.map(|e| IndexPart { expression: Some(e), ..IndexPart::default() }));
        index.included.extend(included.then(|| "e".to_string()));
        index
    }
}

prop_compose! {
    /// A table with any of the columns, in any order. Names of constraints and indexes are its own, and each is there once.
    fn table(name: &'static str, engine: Engine)(
        columns in vec(column(), 5),
        order in proptest::sample::subsequence(COLUMNS.to_vec(), 1..=5).prop_shuffle(),
        primary in proptest::option::of(some_columns()),
        unique in vec((some_columns(), any::<bool>(), any::<bool>()), 0..3),
        indexes in vec(index(), 0..3),
        foreign_keys in vec(foreign_key(), 0..3),
        checks in vec((maybe(&["c1", "c2"]), select(vec!["a > 1", "b <> \"c\"", "1"]), any::<bool>()), 0..3),
        triggers in vec((select(vec!["x", "y"]), any::<bool>(), any::<bool>()), 0..3),
        flags in vec(proptest::bool::weighted(0.2), 5),
        replication in (proptest::option::of(any::<bool>()), proptest::option::of(any::<bool>()), 0usize..4),
        comment in maybe(&["old", "new"]),
    ) -> Table {
        let mut made = Table::new(name.into());
        let all: Vec<Column> = columns.into_iter().zip(COLUMNS).map(|(c, n)| Column { name: n.into(), ..c }).collect();
        made.columns = order.iter().filter_map(|n| all.iter().find(|c| c.name == *n).cloned()).collect();
        let named = engine != Engine::Sqlite;
        let mut number = 0;
        let mut key = |columns: Vec<String>, origin, with_index: bool| {
            number += 1;
            let key = Key { name: named.then(|| format!("{name}_key{number}")), ..Key::new(columns.clone()) };
            let index_name = key.name.clone().unwrap_or(format!("sqlite_autoindex_{name}_{number}"));
            let index = Index { unique: true, origin, ..Index::on(index_name, columns) };
            (key, (with_index || named).then_some(index))
        };
        if let Some(columns) = primary {
            let (primary, index) = key(columns, IndexOrigin::PrimaryKey, flags[0]);
            made.primary_key = Some(primary);
            made.indexes.extend(index);
        }
        for (columns, deferrable, with_index) in unique {
            let (unique, index) = key(columns, IndexOrigin::Constraint, with_index);
            made.unique_keys.push(Key { deferrable, ..unique });
            made.indexes.extend(index);
        }
        for (i, index) in indexes.into_iter().enumerate() {
            // InnoDB makes an index for a foreign key where no other serves: there are not two that begin alike.
            let made_for_key = |i: &Index| i.origin == IndexOrigin::ForeignKey;
            if !(made_for_key(&index) && made.indexes.iter().any(made_for_key)) {
                made.indexes.push(Index { name: format!("{name}_i{i}"), ..index });
            }
        }
        for (key, order) in foreign_keys.into_iter().zip(0..) {
            let there = key.name.is_some() && made.foreign_keys.iter().any(|k| k.name == key.name);
            if !there {
                made.foreign_keys.push(ForeignKey { firing_order: key.firing_order * 10 + order, ..key });
            }
        }
        for (check, expression, validated) in checks {
            if check.is_none() || !made.checks.iter().any(|c| c.name == check) {
                made.checks.push(Check { name: check, expression: expression.into(), validated });
            }
        }
        for (trigger, for_each_row, enabled) in triggers {
            if !made.triggers.iter().any(|t| t.name == trigger) {
                let events = vec!["DELETE".to_string()];
                made.triggers.push(Trigger { name: trigger.into(), timing: "AFTER".into(), events, for_each_row, enabled, ..Trigger::default() });
            }
        }
        if let Some(instead) = replication.0.filter(|_| engine == Engine::Postgres) {
            made.rewrite_rules.push(RewriteRule { name: "z".into(), event: "DELETE".into(), instead, ..RewriteRule::default() });
        }
        if let Some(delete) = replication.1.filter(|_| engine == Engine::Postgres) {
            let (columns, filter_columns) = (Vec::new(), Vec::new());
            made.publications.push(Publication { name: "all".into(), update: true, delete, new_tables: false, columns, filter_columns });
        }
        made.replica_identity = match replication.2 {
            1 => ReplicaIdentity::Full,
            2 => ReplicaIdentity::Nothing,
            3 => ReplicaIdentity::Index(vec!["a".into()]),
            _ => ReplicaIdentity::Default,
        };
        made.without_rowid = flags[1];
        made.strict = flags[2];
        made.autoincrement = flags[3];
        made.unlogged = flags[4];
        made.comment = comment;
        made
    }
}

/// A schema of some tables; on PostgreSQL some are partitions of `p` or heirs of `q`.
fn any_schema(engine: Engine) -> impl Strategy<Value = Schema> {
    let tables: Vec<_> = TABLES.iter().map(|n| proptest::option::weighted(0.7, table(n, engine))).collect();
    (tables, vec(0usize..4, 5)).prop_map(move |(tables, wholes)| {
        let mut schema = Schema::new(engine);
        schema.tables = tables.into_iter().flatten().collect();
        let there: Vec<TableName> = schema.tables.iter().map(|t| t.name.clone()).collect();
        for (table, whole) in schema.tables.iter_mut().zip(wholes) {
            let below = engine == Engine::Postgres && table.name.name.as_str() > "q";
            match whole {
                1 if below && there.contains(&"p".into()) => table.partition_of = Some("p".into()),
                2 if below && there.contains(&"q".into()) => table.inherits = vec!["q".into()],
                _ if table.name == "p".into() && engine == Engine::Postgres => table.kind = TableKind::Partitioned,
                _ => {}
            }
        }
        schema.sort();
        schema
    })
}

fn pair_of_schemas() -> impl Strategy<Value = (Schema, Schema)> {
    select(ENGINES.to_vec()).prop_flat_map(|engine| {
        // Two that have nothing to do with each other, or one of which some tables are as in the other.
        (any_schema(engine), any_schema(engine), vec(any::<bool>(), 5)).prop_map(|(from, mut to, same)| {
            for (name, same) in TABLES.iter().zip(same) {
                let name: TableName = (*name).into();
                if let (true, Some(old), Some(new)) = (same, from.table(&name), to.table_mut(&name)) {
                    let (partition_of, inherits) = (new.partition_of.clone(), new.inherits.clone());
                    *new = Table { partition_of, inherits, ..old.clone() };
                }
            }
            (from, to)
        })
    })
}

fn told(from: &Schema, to: &Schema) -> Vec<String> {
    let line = |c: &Change| {
        let json = serde_json::to_value(c).unwrap();
        let what = ["column", "name", "trigger", "to"].iter().find_map(|k| json[k].as_str()).unwrap_or_default();
        format!("{} {} {what}", json["change"].as_str().unwrap(), c.table()).trim().to_string()
    };
    assert_leads(from, to).iter().map(line).collect()
}

/// Changes one table of the shop.
fn changed(change: impl FnOnce(&mut Table)) -> Vec<String> {
    let from = schema(Engine::Postgres, &SHOP);
    let mut to = from.clone();
    change(to.table_mut(&"orders".into()).unwrap());
    told(&from, &to)
}

const SHOP: [&str; 3] = [
    "people: id int8 pk, nick text unique",
    "orders: id int8 pk, buyer int8 not-null >people.id, note text index, total int8",
    "lines: id int8 pk, order_id int8 >orders.id cascade",
];

#[test]
fn one_difference_is_one_change() {
    let column = |t: &mut Table, n: usize, change: fn(&mut Column)| change(&mut t.columns[n]);
    assert_eq!(changed(|_| {}), [""; 0]);
    assert_eq!(changed(|t| column(t, 1, |c| c.nullable = true)), ["set_nullable orders buyer"]);
    assert_eq!(changed(|t| column(t, 1, |c| c.default = Some("0".into()))), ["set_default orders buyer"]);
    assert_eq!(changed(|t| column(t, 1, |c| c.auto_number = true)), ["set_auto_number orders buyer"]);
    assert_eq!(changed(|t| column(t, 1, |c| c.comment = Some("who".into()))), ["comment orders"]);
    assert_eq!(changed(|t| column(t, 2, |c| c.data_type.raw = "citext".into())), ["set_type orders note"]);
    assert_eq!(changed(|t| t.columns.rotate_left(1)), ["move_column orders id"]);
    assert_eq!(
        changed(|t| t.columns.insert(2, Column::new("at", t.columns[0].data_type.clone()))),
        ["add_column orders"]
    );
    assert_eq!(changed(|t| drop(t.columns.remove(3))), ["drop_column orders total"]);
    assert_eq!(changed(|t| t.indexes.retain(|i| i.origin != IndexOrigin::User)), ["drop_index orders"]);
    assert_eq!(changed(|t| t.indexes[0].valid = false), ["set_index_valid orders"]);
    assert_eq!(changed(|t| t.indexes[0].unique = true), ["drop_index orders", "add_index orders"]);
    assert_eq!(changed(|t| t.unlogged = true), ["set_unlogged orders"]);
    assert_eq!(changed(|t| t.kind = TableKind::Foreign), ["set_options orders"]);
    assert_eq!(changed(|t| t.comment = Some("all".into())), ["comment orders"]);
    let check = || Check { name: Some("c".into()), expression: "total > 0".into(), validated: true };
    assert_eq!(changed(|t| t.checks.push(check())), ["add_check orders"]);
    let key = |change: fn(&mut ForeignKey)| changed(|t| change(&mut t.foreign_keys[0]));
    assert_eq!(key(|k| k.on_delete = Action::Cascade), ["replace_foreign_key orders"]);
    assert_eq!(key(|k| k.timing = Timing::Deferred), ["alter_foreign_key orders"]);
    assert_eq!(key(|k| k.firing_order = 9), ["alter_foreign_key orders"]);
    assert_eq!(key(|k| k.comment = Some("who".into())), ["comment orders"]);
    assert_eq!(key(|k| k.validated = false), ["alter_foreign_key orders"]);
    assert_eq!(key(|k| k.name = Some("other".into())), ["drop_foreign_key orders", "add_foreign_key orders"]);
}

#[test]
fn what_is_measured_is_no_difference() {
    let from = schema(Engine::Postgres, &SHOP);
    let mut to = from.clone();
    to.tables[0].row_estimate = Some(7);
    to.tables[1].readable = false;
    to.tables[0].unreadable_columns.push("id".into());
    assert_eq!(diff(&from, &to), []);
}

#[test]
fn a_rename_is_a_drop_and_an_addition() {
    let (from, mut to) = (schema(Engine::Postgres, &SHOP[..1]), schema(Engine::Postgres, &SHOP[..1]));
    to.tables[0].name = "persons".into();
    assert_eq!(told(&from, &to), ["drop_table people", "create_table persons"]);
    let mut to = from.clone();
    let table = &mut to.tables[0];
    (table.columns[1].name, table.unique_keys[0].columns) = ("name".into(), vec!["name".into()]);
    let told = told(&from, &to);
    assert!(told.contains(&"drop_column people nick".into()) && told.contains(&"add_column people".into()), "{told:?}");
}

#[test]
fn parents_are_made_before_their_children_and_dropped_after_them() {
    let (none, shop) = (Schema::new(Engine::Postgres), schema(Engine::Postgres, &SHOP));
    assert_eq!(told(&none, &shop), ["create_table people", "create_table orders", "create_table lines"]);
    assert_eq!(told(&shop, &none), ["drop_table lines", "drop_table orders", "drop_table people"]);
    let circle = ["a: id int8 pk, b_id int8 >b.id", "b: id int8 pk, a_id int8 >a.id"];
    let circle = schema(Engine::Postgres, &circle);
    assert_eq!(told(&none, &circle), ["create_table a", "create_table b", "add_foreign_key a"]);
    assert_eq!(told(&circle, &none), ["drop_foreign_key b", "drop_table a", "drop_table b"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn changes_lead_from_any_schema_to_any_other((from, to) in pair_of_schemas()) {
        assert_leads(&from, &to);
    }

    #[test]
    fn the_same_schema_needs_no_change(schema in select(ENGINES.to_vec()).prop_flat_map(any_schema)) {
        prop_assert_eq!(diff(&schema, &schema), []);
    }
}
