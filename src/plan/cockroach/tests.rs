//! What is expected by the docs and by CockroachDB's published logic tests; no server can be asked here.

use super::super::{Down, Made, Options, OrphanPolicy, Phase, PlanContext, Reason, Step, Transaction, Wanted, recipes};
use crate::change::Change;
use crate::findings::Safety;
use crate::relations::Graph;
use crate::schema::{Action, Engine, ForeignKey, Index, Schema, TableName, Timing, Version};
use crate::testing::schema;

fn shop() -> Schema {
    schema(
        Engine::Cockroach,
        &[
            "customers: id int8 pk",
            "orders: id int8 pk, customer_id int8 not-null >customers.id, note text default='x'",
        ],
    )
}

fn made(schema: &Schema, changes: Vec<Change>, orphans: Option<u64>, policy: Option<OrphanPolicy>) -> Made {
    let want = Wanted {
        title: "Fix it".into(),
        why: "It is broken.".into(),
        findings: vec![Reason { rule: crate::rules::FATE.id(), fingerprint: "0".repeat(16) }],
        safety: Safety::Safe,
        changes,
        orphans,
    };
    let options = Options { orphans: policy, ..Options::default() };
    let mut made = recipes(
        &PlanContext {
            schema,
            relations: &Graph::from_relations(schema, Vec::new()),
            definitions: None,
            options: &options,
            protected: &std::collections::BTreeSet::new(),
        },
        &[want],
    );
    made.steps.sort_by_key(|s| s.phase);
    made
}

fn sql(steps: &[Step]) -> Vec<&str> {
    steps.iter().flat_map(|s| &s.up.statements).map(String::as_str).collect()
}

fn back(step: &Step) -> Vec<&str> {
    match &step.down {
        Down::Script { script, .. } => script.statements.iter().map(String::as_str).collect(),
        Down::Impossible(why) => vec![why],
    }
}

/// The schema after the steps, as the planner computes it.
fn after(schema: &Schema, steps: &[Step]) -> Schema {
    let mut schema = schema.clone();
    for change in steps.iter().flat_map(|s| &s.changes) {
        change.apply(&mut schema).unwrap();
    }
    schema
}

fn replace(schema: &Schema, change: impl Fn(&mut ForeignKey)) -> Change {
    let old = schema.table(&"orders".into()).unwrap().foreign_keys[0].clone();
    let mut new = old.clone();
    change(&mut new);
    Change::ReplaceForeignKey { table: "orders".into(), old, new }
}

#[test]
fn key_is_replaced_under_a_new_name_and_renamed() {
    // cockroachdb/cockroach 55184: DROP and ADD of one name are refused; logic test rename_constraint: foreign keys can be renamed.
    let s = shop();
    let made = made(&s, vec![replace(&s, |k| k.on_delete = Action::Cascade)], Some(0), None);
    let passing = "orders_customer_id_fkey_";
    let statements = sql(&made.steps);
    let name = statements[0].split(' ').find(|w| w.starts_with(passing)).unwrap();
    assert_eq!(
        statements,
        [
            format!(
                "ALTER TABLE public.orders ADD CONSTRAINT {name} FOREIGN KEY (customer_id) REFERENCES public.customers (id) ON DELETE CASCADE \
                 NOT VALID"
            ),
            format!("ALTER TABLE public.orders VALIDATE CONSTRAINT {name}"),
            "ALTER TABLE public.orders DROP CONSTRAINT orders_customer_id_fkey".to_string(),
            format!("ALTER TABLE public.orders RENAME CONSTRAINT {name} TO orders_customer_id_fkey"),
        ]
    );
    let phases: Vec<Phase> = made.steps.iter().map(|s| s.phase).collect();
    assert_eq!(phases, [Phase::Constrain, Phase::Validate, Phase::Drop, Phase::CleanUp]);
    for step in &made.steps {
        assert_eq!((step.up.statements.len(), step.up.transaction), (1, Transaction::None), "{}", step.title);
        assert!(step.locks.is_empty());
        let done = step.done.as_deref().unwrap();
        assert!(!done.contains("IF NOT EXISTS") && done.contains("pg_constraint"), "{done}");
    }
    // The first step has been done also when the last one has renamed its key.
    let done = made.steps[0].done.as_deref().unwrap();
    assert!(
        done.contains(&format!("k.conname IN ('{name}', 'orders_customer_id_fkey')"))
            && done.contains("k.confdeltype = 'c'"),
        "{done}"
    );
    let end = after(&s, &made.steps);
    let key = &end.table(&"orders".into()).unwrap().foreign_keys[..];
    assert_eq!(key.len(), 1);
    assert_eq!(
        (key[0].name.as_deref(), key[0].on_delete, key[0].validated),
        (Some("orders_customer_id_fkey"), Action::Cascade, true)
    );
    // In the way back the old key is there before the new one goes.
    assert_eq!(
        back(&made.steps[3]),
        [format!("ALTER TABLE public.orders RENAME CONSTRAINT orders_customer_id_fkey TO {name}")]
    );
    assert_eq!(back(&made.steps[2]).len(), 2, "added and validated");
    assert_eq!(back(&made.steps[0]), [format!("ALTER TABLE public.orders DROP CONSTRAINT {name}")]);
}

#[test]
fn rename_asks_for_the_lock_only_where_tables_are_locked() {
    // Release notes v26.1: tables are schema_locked by default; 148341: RENAME CONSTRAINT is the older changer's.
    for (version, guarded) in
        [(Some(Version::new(25, 4, 1)), false), (Some(Version::new(26, 1, 0)), true), (None, true)]
    {
        let s = Schema { version, ..shop() };
        let made = made(&s, vec![replace(&s, |k| k.on_delete = Action::Cascade)], Some(0), None);
        let guards = &made.steps[3].guards;
        assert_eq!(guards.len(), usize::from(guarded), "{version:?}");
        assert!(guards.iter().all(|g| g.message().contains("SET (schema_locked = false)")));
    }
}

#[test]
fn set_null_drops_not_null_first() {
    // Logic test fk: cannot add a SET NULL cascading action on column … which has a NOT NULL constraint (42830).
    let s = shop();
    let made = made(&s, vec![replace(&s, |k| k.on_delete = Action::SetNull)], Some(0), None);
    assert_eq!(sql(&made.steps)[0], "ALTER TABLE public.orders ALTER COLUMN customer_id DROP NOT NULL");
    let Down::Script { script, guards } = &made.steps[0].down else { panic!("{:?}", made.steps[0].down) };
    assert_eq!(script.statements, ["ALTER TABLE public.orders ALTER COLUMN customer_id SET NOT NULL"]);
    assert_eq!(guards[0].sql, "SELECT id FROM public.orders WHERE customer_id IS NULL ORDER BY id LIMIT 6");
}

#[test]
fn indexes_are_online_without_a_word() {
    // Docs, CREATE INDEX: CONCURRENTLY is accepted and has no effect.
    let s = shop();
    let index = Index::on("orders_customer_id_idx", ["customer_id"]);
    let add = Change::AddIndex { table: "orders".into(), index };
    let made = made(&s, vec![add], None, None);
    assert_eq!(sql(&made.steps), ["CREATE INDEX orders_customer_id_idx ON public.orders (customer_id)"]);
    assert_eq!(back(&made.steps[0]), ["DROP INDEX public.orders@orders_customer_id_idx"]);
    assert_eq!(
        made.steps[0].done.as_deref().unwrap(),
        "SELECT 1 FROM [SHOW INDEXES FROM public.orders] WHERE index_name = 'orders_customer_id_idx' AND NOT implicit \
         HAVING count(*) = 1 AND bool_and(non_unique = true) AND bool_and((seq_in_index = 1 AND column_name = 'customer_id' AND \
         direction = 'ASC' AND NOT storing))"
    );
}

#[test]
fn what_cockroachdb_has_not_is_refused() {
    // Issue 31632: DEFERRABLE is unimplemented.
    let s = shop();
    let changes: [fn(&mut ForeignKey); 3] =
        [|k| k.timing = Timing::Deferred, |k| k.set_columns = vec!["customer_id".into()], |k| k.enforced = false];
    for change in changes {
        let made = made(&s, vec![replace(&s, change)], Some(0), None);
        assert!(made.steps.is_empty() && made.refused[0].subject == "orders.customer_id", "{made:?}");
    }
    let drop = Change::DropTable { table: "orders".into(), cascade: false };
    assert_eq!(made(&s, vec![drop], None, None).refused.len(), 1);
    let key = ForeignKey::new(["id"], "orders".into(), ["note"]);
    let add = Change::AddForeignKey { table: "customers".into(), foreign_key: key };
    assert!(made(&s, vec![add], Some(0), None).refused[0].why.contains("unique"));
}

#[test]
fn orphans_are_changed_in_as_many_batches_as_they_need() {
    let mut s = shop();
    s.tables.iter_mut().for_each(|t| t.foreign_keys.clear());
    let key = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["customer_id"], "customers".into(), ["id"]) };
    let add = Change::AddForeignKey { table: "orders".into(), foreign_key: key };
    let make = |count, policy| made(&s, vec![add.clone()], count, policy);
    let deleted = make(Some(25_000), Some(OrphanPolicy::Delete));
    let (made, batches) = deleted.steps[0].up.statements.split_at(2);
    assert!(made[0].starts_with("CREATE TABLE IF NOT EXISTS public._referee_kept_orders_"), "{}", made[0]);
    let kept = deleted.steps[0].changes[0].table();
    // No more are changed than were counted, those of a run before it that was stopped among them.
    let batch = |room: u64, limit: u64| {
        format!(
            "WITH moved AS (DELETE FROM public.orders AS child WHERE child.customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM \
             public.customers AS parent WHERE parent.id = child.customer_id) AND (SELECT count(*) FROM public.{kept}) <= {room} LIMIT \
             {limit} RETURNING child.id, child.customer_id, child.note) INSERT INTO public.{kept} (id, customer_id, note) SELECT id, \
             customer_id, note FROM moved"
        )
    };
    assert_eq!(batches, [batch(15_000, 10_000), batch(15_000, 10_000), batch(20_000, 5_000)]);
    assert_eq!(deleted.steps[0].bounds[0].rows, 25_000);
    assert!(deleted.steps[0].touches_rows);
    assert_eq!(
        back(&deleted.steps[0]),
        [
            format!(
                "WITH moved AS (DELETE FROM public.{kept} AS kept RETURNING id, customer_id, note) INSERT INTO public.orders (id, \
                 customer_id, note) SELECT id, customer_id, note FROM moved"
            ),
            format!(
                "SELECT CAST(CASE WHEN count(*) > 0 THEN 'rows are left in {kept}: they did not come back, nothing is dropped' ELSE '0' \
                 END AS INT8) FROM public.{kept}"
            ),
            format!("DROP TABLE public.{kept}")
        ]
    );
    let moved = make(Some(1), Some(OrphanPolicy::Quarantine));
    assert_eq!(moved.steps[0].up.statements.len(), 3);
    assert!(after(&s, &moved.steps).tables.iter().any(|t| t.name.name.starts_with("_referee_quarantine_orders_")));
    for (count, policy) in [
        (Some(1), None),
        (None, Some(OrphanPolicy::Delete)),
        (Some(10_000_000), Some(OrphanPolicy::Delete)),
        (Some(1), Some(OrphanPolicy::SetNull)),
    ] {
        let refused = make(count, policy);
        assert!(refused.steps.is_empty() && refused.refused.len() == 1, "{refused:?}");
    }
    // Not counted and nothing asked for: the guard counts when the plan is run.
    let guarded = make(None, None);
    assert!(guarded.steps[0].guards[0].sql.ends_with("GROUP BY 1 ORDER BY 1 LIMIT 6"), "{:?}", guarded.steps[0].guards);
    assert_eq!(guarded.steps[0].changes[0].table(), &TableName::new("orders"));
}

#[test]
fn what_a_reference_held_is_kept_where_it_becomes_null() {
    let mut s = shop();
    s.tables.iter_mut().for_each(|t| t.foreign_keys.clear());
    s.table_mut(&"orders".into()).unwrap().columns.iter_mut().for_each(|c| c.nullable = c.name != "id");
    let key = ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["customer_id"], "customers".into(), ["id"]) };
    let add = Change::AddForeignKey { table: "orders".into(), foreign_key: key.clone() };
    let set = made(&s, vec![add], Some(1), Some(OrphanPolicy::SetNull));
    let kept = set.steps[0].changes[0].table();
    assert_eq!(
        set.steps[0].up.statements[2],
        format!(
            "WITH kept AS (INSERT INTO public.{kept} (id, customer_id, note) SELECT child.id, child.customer_id, child.note FROM \
             public.orders AS child WHERE child.customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM public.customers AS parent WHERE \
             parent.id = child.customer_id) AND (SELECT count(*) FROM public.{kept}) <= 0 LIMIT 1 RETURNING id) UPDATE public.orders AS child SET customer_id = NULL FROM kept WHERE \
             child.id = kept.id"
        )
    );
    // Another row may have its key by now.
    let still = "child.id = kept.id AND child.customer_id IS NULL AND CAST(child.id AS text) IS NOT DISTINCT FROM CAST(kept.id AS text) \
                 AND CAST(child.note AS text) IS NOT DISTINCT FROM CAST(kept.note AS text)";
    assert_eq!(
        back(&set.steps[0])[0],
        format!(
            "WITH moved AS (DELETE FROM public.{kept} AS kept WHERE EXISTS (SELECT 1 FROM public.orders AS child WHERE {still}) RETURNING \
             id, customer_id, note) UPDATE public.orders AS child SET customer_id = kept.customer_id FROM moved AS kept WHERE {still}"
        )
    );
    // Under a key that is there already none comes back by itself: how they do is said.
    s.table_mut(&"orders".into()).unwrap().foreign_keys.push(ForeignKey {
        name: Some("fk".into()),
        validated: false,
        ..key
    });
    let key = s.table(&"orders".into()).unwrap().foreign_keys[0].clone();
    let check = Change::ValidateForeignKey { table: "orders".into(), foreign_key: key };
    for policy in [OrphanPolicy::SetNull, OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
        let made = made(&s, vec![check.clone()], Some(1), Some(policy));
        let Down::Impossible(why) = &made.steps[0].down else { panic!("{made:?}") };
        assert!(why.contains("drop the key first, then run `"), "{why}");
    }
}

#[test]
fn defaults_and_keys_are_dropped_with_a_way_back() {
    let s = shop();
    let key = s.table(&"orders".into()).unwrap().foreign_keys[0].clone();
    let drop = vec![
        Change::SetDefault { table: "orders".into(), column: "note".into(), default: None },
        Change::DropForeignKey { table: "orders".into(), foreign_key: ForeignKey { validated: false, ..key.clone() } },
    ];
    let unvalidated = {
        let mut s = s.clone();
        s.table_mut(&"orders".into()).unwrap().foreign_keys[0].validated = false;
        s
    };
    let made = made(&unvalidated, drop, None, None);
    assert_eq!(
        sql(&made.steps),
        [
            "ALTER TABLE public.orders ALTER COLUMN note DROP DEFAULT",
            "ALTER TABLE public.orders DROP CONSTRAINT orders_customer_id_fkey"
        ]
    );
    assert_eq!(back(&made.steps[0]), ["ALTER TABLE public.orders ALTER COLUMN note SET DEFAULT 'x'"]);
    // It was NOT VALID, and is so again.
    assert_eq!(
        back(&made.steps[1]),
        [
            "ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers (id) ON \
          DELETE NO ACTION NOT VALID"
        ]
    );
}
