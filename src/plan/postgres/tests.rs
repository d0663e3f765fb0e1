//! The SQL of each recipe, to the letter where a letter matters. Whether a server takes it is `tests/plan_postgres.rs`' to say.

use std::time::Duration;

use super::super::{Blocks, Down, Made, Options, Phase, PlanContext, Reason, Step, Transaction, Wanted, recipes};
use crate::change::Change;
use crate::findings::Safety;
use crate::relations::Graph;
use crate::schema::{
    Action, DisabledSide, Engine, ForeignKey, Index, IndexOrigin, Schema, TableKind, TableName, Version,
};
use crate::testing::schema;

fn shop() -> Schema {
    schema(
        Engine::Postgres,
        &[
            "customers: id int8 pk, code int8",
            "orders: id int8 pk, customer_id int8 not-null >customers.id index, note text",
        ],
    )
}

fn wanted(changes: Vec<Change>) -> Wanted {
    Wanted {
        title: "Fix it".into(),
        why: "It is broken.".into(),
        findings: vec![Reason { rule: crate::rules::FATE.id(), fingerprint: "0".repeat(16) }],
        safety: Safety::Safe,
        changes,
        orphans: Some(0),
    }
}

fn made(schema: &Schema, wanted: &[Wanted]) -> Made {
    let mut made = recipes(
        &PlanContext {
            schema,
            relations: &Graph::from_relations(schema, Vec::new()),
            definitions: None,
            options: &Options::default(),
            protected: &std::collections::BTreeSet::new(),
        },
        wanted,
    );
    made.steps.sort_by_key(|s| s.phase);
    made
}

fn sql(steps: &[Step]) -> Vec<&str> {
    steps.iter().flat_map(|s| &s.up.statements).map(String::as_str).collect()
}

fn old(schema: &Schema) -> ForeignKey {
    schema.table(&"orders".into()).unwrap().foreign_keys[0].clone()
}

fn replace(schema: &Schema, change: impl Fn(&mut ForeignKey)) -> Change {
    let mut new = old(schema);
    change(&mut new);
    Change::ReplaceForeignKey { table: "orders".into(), old: old(schema), new }
}

#[test]
fn key_is_replaced_in_one_statement_and_checked_in_another_step() {
    let s = shop();
    let made = made(&s, &[wanted(vec![replace(&s, |k| k.on_delete = Action::Restrict)])]);
    assert_eq!(
        sql(&made.steps),
        [
            "ALTER TABLE public.orders DROP CONSTRAINT IF EXISTS orders_customer_id_fkey, ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY \
             (customer_id) REFERENCES public.customers (id) ON DELETE RESTRICT NOT VALID",
            "ALTER TABLE public.orders VALIDATE CONSTRAINT orders_customer_id_fkey",
        ]
    );
    assert_eq!(
        made.steps[0].title,
        "Change ON DELETE of the foreign key orders.customer_id -> customers.id from NO ACTION to RESTRICT"
    );
    let locks: Vec<(String, &str, Blocks)> =
        made.steps.iter().flat_map(|s| &s.locks).map(|l| (l.table.to_string(), l.mode.as_str(), l.blocks)).collect();
    assert_eq!(
        locks,
        [
            ("orders".into(), "ACCESS EXCLUSIVE", Blocks::Everything),
            ("customers".into(), "ACCESS EXCLUSIVE", Blocks::Everything),
            ("orders".into(), "SHARE UPDATE EXCLUSIVE", Blocks::Nothing),
            ("customers".into(), "ROW SHARE", Blocks::Nothing),
        ]
    );
    let millis = Duration::from_millis;
    assert_eq!(made.steps[0].lock_timeout(millis(800)), Some(millis(400)), "two locks share it");
    assert_eq!(made.steps[0].lock_timeout(millis(5000)), Some(millis(450)), "and stay below deadlock_timeout");
    assert_eq!(made.steps[1].lock_timeout(millis(800)), None);
    // Back to what it was, checked as it was; that takes two transactions.
    let Down::Script { script, .. } = &made.steps[0].down else { panic!("{:?}", made.steps[0].down) };
    assert_eq!((script.statements.len(), script.transaction), (2, Transaction::None));
    assert!(script.statements[0].ends_with("ON DELETE NO ACTION NOT VALID"), "{:?}", script.statements);
    // A key that holds for every row holds under another action: no row is read before.
    assert!(!made.steps[0].guards.iter().any(|g| g.sql.contains("count(*)")));
}

#[test]
fn done_asks_for_the_definition() {
    let s = shop();
    let made = made(&s, &[wanted(vec![replace(&s, |k| k.on_delete = Action::Cascade)])]);
    let [replaced, checked] = &made.steps[..] else { panic!("{:?}", made.steps) };
    for part in [
        "k.conname = 'orders_customer_id_fkey'",
        "k.confdeltype = 'c'",
        "ARRAY['customer_id']",
        "ARRAY['id']",
        "k.conparentid = 0",
    ] {
        assert!(replaced.done.as_ref().unwrap().contains(part), "{part}");
    }
    assert!(!replaced.done.as_ref().unwrap().contains("convalidated"), "done also after the next step");
    assert!(checked.done.as_ref().unwrap().ends_with("k.convalidated"));
}

#[test]
fn no_index_is_built_over_a_leftover() {
    let s = shop();
    let add = Change::AddIndex { table: "orders".into(), index: Index::on("ix", ["note"]) };
    let made = made(&s, &[wanted(vec![add])]);
    assert_eq!(
        sql(&made.steps),
        ["DROP INDEX CONCURRENTLY IF EXISTS public.ix", "CREATE INDEX CONCURRENTLY ix ON public.orders (note)"]
    );
    let step = &made.steps[0];
    assert_eq!(
        (step.phase, step.up.transaction, step.lock_timeout(Duration::from_secs(1))),
        (Phase::Index, Transaction::None, None)
    );
    assert!(
        step.guards[0].sql.contains("i.indisvalid") && step.guards[0].sql.contains("pg_stat_progress_create_index")
    );
}

fn partitioned(version: u32) -> Schema {
    let mut s = schema(
        Engine::Postgres,
        &[
            "customers: id int8 pk",
            "orders: id int8, customer_id int8",
            "orders_1: id int8, customer_id int8",
            "orders_2: id int8, customer_id int8",
        ],
    );
    s.version = Some(Version::new(version, 0, 0));
    s.table_mut(&"orders".into()).unwrap().kind = TableKind::Partitioned;
    for name in ["orders_1", "orders_2"] {
        s.table_mut(&name.into()).unwrap().partition_of = Some("orders".into());
    }
    s
}

#[test]
fn partitions_are_indexed_one_by_one() {
    let s = partitioned(15);
    let add = Change::AddIndex { table: "orders".into(), index: Index::on("ix", ["customer_id"]) };
    let made = made(&s, &[wanted(vec![add])]);
    assert_eq!(
        sql(&made.steps),
        [
            "DROP INDEX CONCURRENTLY IF EXISTS public.orders_1_customer_id_idx",
            "CREATE INDEX CONCURRENTLY orders_1_customer_id_idx ON public.orders_1 (customer_id)",
            "DROP INDEX CONCURRENTLY IF EXISTS public.orders_2_customer_id_idx",
            "CREATE INDEX CONCURRENTLY orders_2_customer_id_idx ON public.orders_2 (customer_id)",
            "CREATE INDEX ix ON ONLY public.orders (customer_id)",
            "ALTER INDEX public.ix ATTACH PARTITION public.orders_1_customer_id_idx",
            "ALTER INDEX public.ix ATTACH PARTITION public.orders_2_customer_id_idx",
        ]
    );
}

#[test]
fn partitions_are_checked_one_by_one_before_18() {
    let key = ForeignKey::new(["customer_id"], "customers".into(), ["id"]);
    let add = |s: &Schema| {
        made(s, &[wanted(vec![Change::AddForeignKey { table: "orders".into(), foreign_key: key.clone() }])])
    };
    let newer = add(&partitioned(18));
    assert_eq!(newer.steps.len(), 2);
    assert!(sql(&newer.steps)[0].ends_with("NOT VALID"), "{:?}", sql(&newer.steps));
    let older = add(&partitioned(17));
    assert_eq!(older.steps.len(), 1);
    let statements = sql(&older.steps);
    assert!(
        statements[0].starts_with("DO $referee$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint"),
        "{statements:?}"
    );
    assert!(
        statements[1].starts_with("ALTER TABLE public.orders_1 VALIDATE CONSTRAINT orders_customer_id_fkey_"),
        "{statements:?}"
    );
    assert_eq!(
        statements[4],
        "ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers (id) ON \
         DELETE NO ACTION"
    );
}

#[test]
fn way_back_to_not_null_reads_no_row_under_the_lock() {
    let change = Change::SetNullable { table: "orders".into(), column: "customer_id".into(), nullable: true };
    let down = |version: Option<u32>| {
        let s = Schema { version: version.map(|v| Version::new(v, 0, 0)), ..shop() };
        let made = made(&s, &[wanted(vec![change.clone()])]);
        let Down::Script { script, guards } = made.steps[0].down.clone() else { panic!("no way back") };
        assert_eq!(guards[0].sql, "SELECT id FROM public.orders WHERE customer_id IS NULL ORDER BY id LIMIT 6");
        script.statements
    };
    let older = down(None);
    assert_eq!(older, down(Some(17)));
    let verbs = [
        "NOT VALID",
        "VALIDATE CONSTRAINT _referee_not_null_",
        "ALTER COLUMN customer_id SET NOT NULL",
        "DROP CONSTRAINT IF EXISTS",
    ];
    assert!(older.len() == 4 && older.iter().zip(verbs).all(|(s, v)| s.contains(v)), "{older:?}");
    let newer = down(Some(18));
    assert!(newer.len() == 2 && newer[0].contains("NOT NULL customer_id NOT VALID"), "{newer:?}");
}

#[test]
fn what_is_wanted_is_made_whole_or_refused() {
    let mut s = shop();
    let before = s.clone();
    let unknown = Change::DropTable { table: "orders".into(), cascade: true };
    let nullable = Change::SetNullable { table: "orders".into(), column: "customer_id".into(), nullable: true };
    let refused = made(&s, &[wanted(vec![nullable.clone(), unknown]), wanted(vec![nullable.clone()])]);
    assert_eq!((refused.steps.len(), refused.refused.len()), (1, 1), "the second finds nothing of the first");
    assert!(
        refused.refused[0].why.contains("drop_table") && refused.refused[0].subject == "orders.customer_id",
        "{:?}",
        refused.refused
    );
    let twice = made(&s, &[wanted(vec![nullable.clone()]), wanted(vec![nullable])]);
    assert_eq!((twice.steps.len(), twice.refused.len()), (1, 1));
    let primary = Change::SetNullable { table: "orders".into(), column: "id".into(), nullable: true };
    assert!(made(&s, &[wanted(vec![primary])]).refused[0].why.contains("primary key"));
    let to_code = ForeignKey::new(["note"], "customers".into(), ["code"]);
    let add = Change::AddForeignKey { table: "orders".into(), foreign_key: to_code };
    assert!(made(&s, &[wanted(vec![add.clone()])]).refused[0].why.contains("unique"));
    // Another repair makes it unique.
    let unique = Index { unique: true, ..Index::on("u", ["code"]) };
    let unique = Change::AddIndex { table: "customers".into(), index: unique };
    assert_eq!(made(&s, &[wanted(vec![add]), wanted(vec![unique])]).refused, []);
    let off =
        |s: &mut Schema| s.table_mut(&"orders".into()).unwrap().foreign_keys[0].disabled = Some(DisabledSide::Both);
    off(&mut s);
    let switched = made(&s, &[wanted(vec![replace(&s, |k| k.on_delete = Action::Cascade)])]);
    assert!(switched.refused[0].why.contains("ENABLE TRIGGER ALL"), "{:?}", switched.refused);
    let enabled = made(&s, &[wanted(vec![replace(&s, |k| k.disabled = None)])]);
    assert!(matches!(&enabled.steps[0].down, Down::Impossible(why) if why.contains("switched off")));
    assert!(enabled.steps[0].guards[0].sql.contains("count(*)"), "a key that was off says nothing of the rows");
    let mut index = before.table(&"orders".into()).unwrap().indexes[0].clone();
    index.origin = IndexOrigin::Constraint;
    let drop = Change::DropIndex { table: "orders".into(), index };
    assert!(made(&before, &[wanted(vec![drop])]).refused[0].why.contains("constraint"));
}

#[test]
fn long_names_stay_within_what_the_server_keeps() {
    let long = "x".repeat(63);
    let mut s = partitioned(15);
    let key = ForeignKey { name: Some(long.clone()), ..ForeignKey::new(["customer_id"], "customers".into(), ["id"]) };
    s.table_mut(&"orders".into()).unwrap().foreign_keys.push(key.clone());
    let new = ForeignKey { on_delete: Action::Cascade, ..key.clone() };
    let made = made(&s, &[wanted(vec![Change::ReplaceForeignKey { table: TableName::new("orders"), old: key, new }])]);
    for word in sql(&made.steps).iter().flat_map(|s| s.split([' ', ',', ';'])).filter(|w| w.starts_with("xxx")) {
        assert!(word.len() <= 63, "{word}");
    }
}
