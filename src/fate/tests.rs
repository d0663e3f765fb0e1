//! Cases by hand: what the engines' makers publish, and what has been measured.

use super::*;
use crate::schema::{Action, ForeignKey, Timing};
use crate::testing::{graph, schema};

fn judged(s: &Schema, root: &str) -> Fate {
    fate(s, &graph(s), &Options::default(), &root.into()).unwrap()
}

fn verdict(s: &Schema, root: &str) -> Verdict {
    judged(s, root).verdict
}

/// `y2.p` cascades from `y1`, `y2.x1` refuses; both parents cascade from `x0`. `order` names the keys as they act.
fn unbalanced(engine: Engine, action: &str, order: [&str; 4]) -> Schema {
    let y2 = format!("y2: id int8 pk, p int8 >y1.id cascade, x1 int8 >x1.id {action}");
    let mut s = schema(
        engine,
        &["x0: id int8 pk", "x1: id int8 pk, p int8 >x0.id cascade", "y1: id int8 pk, p int8 >x0.id cascade", &y2],
    );
    for table in &mut s.tables {
        let name = table.name.to_string();
        for key in &mut table.foreign_keys {
            let key_name = format!("{name}.{}", key.columns[0]);
            key.firing_order = order.iter().position(|o| *o == key_name).unwrap() as u32;
        }
    }
    s
}

#[test]
fn order_of_cascades_as_measured() {
    use Engine::{Cockroach, Mariadb, Postgres, Sqlite};
    let x_first = ["x1.p", "y1.p", "y2.p", "y2.x1"];
    let y_first = ["y1.p", "x1.p", "y2.p", "y2.x1"];
    let of = |engine, action, order| {
        let fate = judged(&unbalanced(engine, action, order), "x0");
        (fate.verdict, fate.today)
    };
    let order = Verdict::DependsOnOrder;
    let (data, refused) = (Verdict::DependsOnData, Verdict::Refused);
    // Whether the check stands in the queue before the cascade that would help it.
    assert_eq!(of(Postgres, "no-action", x_first), (order, Some(refused)));
    assert_eq!(of(Postgres, "no-action", y_first), (order, Some(data)));
    assert_eq!(of(Postgres, "restrict", x_first), (order, Some(refused)));
    // One after the other, to the end.
    assert_eq!(of(Mariadb, "no-action", x_first), (order, Some(refused)));
    assert_eq!(of(Mariadb, "no-action", y_first), (order, Some(data)));
    assert_eq!(of(Sqlite, "restrict", x_first), (order, Some(refused)));
    // At the end of the statement.
    assert_eq!(of(Sqlite, "no-action", x_first), (data, None));
    assert_eq!(of(Cockroach, "no-action", x_first), (data, None));
    assert_eq!(of(Cockroach, "restrict", x_first), (data, None));
    let mut deferred = unbalanced(Postgres, "no-action", x_first);
    for key in &mut deferred.table_mut(&"y2".into()).unwrap().foreign_keys {
        key.timing = if key.columns == ["x1"] { Timing::Deferred } else { Timing::Immediate };
    }
    assert_eq!(verdict(&deferred, "x0"), data);
}

#[test]
fn postgres_lets_the_shorter_way_win_whatever_the_order() {
    // d2 goes at the first level, the check of d2.d1 comes at the second.
    let s = schema(
        Engine::Postgres,
        &[
            "d0: id int8 pk",
            "d1: id int8 pk, p int8 >d0.id cascade",
            "d2: id int8 pk, p int8 >d0.id cascade, d1 int8 >d1.id restrict",
        ],
    );
    let fate = judged(&s, "d0");
    assert_eq!(fate.verdict, Verdict::DependsOnData);
    assert!(fate.conditions.iter().all(|c| c.exact));
}

#[test]
fn tenant_keys_leave_no_other_parent() {
    let mut s = schema(
        Engine::Postgres,
        &[
            "tenants: id int8 pk",
            "customers: id int8 pk, tenant int8 not-null >tenants.id cascade",
            "orders: id int8 pk, tenant int8 not-null >tenants.id cascade, customer int8 not-null",
        ],
    );
    s.table_mut(&"customers".into()).unwrap().unique_keys.push(crate::schema::Key::new(["tenant", "id"]));
    let key =
        ForeignKey { firing_order: 9, ..ForeignKey::new(["tenant", "customer"], "customers".into(), ["tenant", "id"]) };
    s.table_mut(&"orders".into()).unwrap().foreign_keys.push(key);
    assert_eq!(verdict(&s, "tenants"), Verdict::Complete);
    assert_eq!(verdict(&s, "customers"), Verdict::Refused);
}

// CockroachDB, by its published logic tests (cockroachdb/cockroach, pkg/sql/logictest/testdata/logic_test).

#[test]
fn cockroach_cascade_race() {
    // `cascade`: "Delete cascade race": e hangs below a on two ways of different length.
    let s = schema(
        Engine::Cockroach,
        &[
            "a: id string pk",
            "b: id string pk, a_id string >a.id cascade",
            "c: id string pk, a_id string >a.id cascade",
            "d: id string pk, c_id string >c.id cascade",
            "e: id string pk, b_id string >b.id cascade, d_id string >d.id cascade",
        ],
    );
    assert_eq!(verdict(&s, "a"), Verdict::Complete);
}

#[test]
fn cockroach_restrict_below_a_cascade() {
    // `cascade`, subtest DeleteCascade_Restrict: d restricts c2, two cascades below a.
    let s = schema(
        Engine::Cockroach,
        &[
            "a: id string pk",
            "b1: id string pk, delete_cascade string not-null >a.id cascade",
            "c2: id string pk, delete_cascade string not-null >b1.id cascade",
            "d: id string pk, delete_restrict string not-null >c2.id restrict",
        ],
    );
    let fate = judged(&s, "a");
    assert_eq!(fate.verdict, Verdict::Refused);
    let blocker = fate.blockers().next().unwrap();
    assert_eq!(blocker.path, ["b1.delete_cascade", "c2.delete_cascade", "d.delete_restrict"]);
}

#[test]
fn cockroach_self_references() {
    // `cascade`, subtests DeleteCascade_SelfReferenceCycle and DeleteCascade_DoubleSelfReference.
    let one = schema(Engine::Cockroach, &["self: id int8 pk, other_id int8 >self.id cascade"]);
    assert_eq!(verdict(&one, "self"), Verdict::Complete);
    let two = schema(
        Engine::Cockroach,
        &["self_x2: x string pk, y string unique >self_x2.x cascade, z string >self_x2.y cascade"],
    );
    assert_eq!(verdict(&two, "self_x2"), Verdict::Complete);
}

#[test]
fn cockroach_cascade_wins_over_a_refusal_on_the_same_column() {
    // `fk`: of several keys on a column those that act do so in the order of creation, before anything is checked.
    for refusing in [Action::Restrict, Action::NoAction] {
        for first in [0, 9] {
            let mut s = schema(Engine::Cockroach, &["a: id int8 pk", "b: id int8 pk, a_id int8 >a.id cascade"]);
            let second = ForeignKey {
                on_delete: refusing,
                firing_order: first,
                ..ForeignKey::new(["a_id"], "a".into(), ["id"])
            };
            let b = s.table_mut(&"b".into()).unwrap();
            b.foreign_keys[0].firing_order = 5;
            b.foreign_keys.push(second);
            assert_eq!(verdict(&s, "a"), Verdict::Complete);
        }
    }
    // Two that act differently: the older one decides.
    let mut s = schema(Engine::Cockroach, &["a: id int8 pk", "b: id int8 pk, a_id int8 >a.id cascade"]);
    let second =
        ForeignKey { on_delete: Action::SetNull, firing_order: 9, ..ForeignKey::new(["a_id"], "a".into(), ["id"]) };
    s.table_mut(&"b".into()).unwrap().foreign_keys.push(second);
    let fate = judged(&s, "a");
    assert_eq!((fate.verdict, fate.today), (Verdict::DependsOnOrder, Some(Verdict::Complete)));
}

#[test]
fn sqlite_broken_key_below_a_cascade_stops_every_delete() {
    // "foreign key mismatch" when the statement is prepared, though c has no row.
    let s = schema(
        Engine::Sqlite,
        &[
            "r: id integer pk",
            "p: id integer pk, k integer",
            "c: id integer pk, r integer >r.id cascade, x integer >p.k",
        ],
    );
    let fate = judged(&s, "r");
    assert_eq!(fate.verdict, Verdict::Fails);
    assert!(fate.summary.contains("rows or none"), "{}", fate.summary);
    assert_eq!(verdict(&s, "p"), Verdict::Fails);
    let off = Options { foreign_keys: false, ..Options::default() };
    assert_eq!(super::fate(&s, &graph(&s), &off, &"r".into()).unwrap().verdict, Verdict::LeavesOrphans);
}

#[test]
fn innodb_gives_up_at_the_fifteenth_cascade() {
    let chain = |tables: usize| {
        let mut lines = vec!["t0: id int8 pk".to_string()];
        lines.extend((1..tables).map(|i| format!("t{i}: id int8 pk, p int8 not-null >t{}.id cascade", i - 1)));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        schema(Engine::Mariadb, &lines)
    };
    assert_eq!(verdict(&chain(15), "t0"), Verdict::Complete);
    assert_eq!(verdict(&chain(16), "t0"), Verdict::DependsOnData);
}

#[test]
fn undeclared_relations_leave_orphans() {
    let s = schema(Engine::Postgres, &["users: id int8 pk", "logs: id int8 pk, user_id int8 not-null"]);
    let relations = [crate::relations::ConfiguredRelation {
        child: "logs".into(),
        columns: vec!["user_id".into()],
        parent: "users".into(),
        parent_columns: vec!["id".into()],
        on_delete: Some(Action::Cascade),
        accepted: None,
    }];
    let g = Graph::new(&s, &relations, 0.5);
    let fate = fate(&s, &g, &Options::default(), &"users".into()).unwrap();
    assert_eq!(fate.verdict, Verdict::LeavesOrphans);
    let repair = fate.repair.unwrap();
    assert_eq!(repair.changes.len(), 1);
    // `logs` are a record: that they go with the user is for a person to say, and a policy says it.
    assert!(repair.changes[0].decide && !repair.changes[0].automatic, "{:?}", repair.changes[0]);
    assert!(matches!(repair.changes[0].changes[..], [crate::change::Change::AddForeignKey { .. }]));
    assert_eq!((repair.verdict, repair.automatic), (Verdict::Complete, Verdict::LeavesOrphans));
}

#[test]
fn repair_takes_back_what_is_not_needed() {
    // Two NO ACTION keys on one column: when one cascades, the other finds nothing at the end.
    let mut s = schema(Engine::Sqlite, &["a: id integer pk", "b: id integer pk, a_id integer not-null >a.id"]);
    let second = ForeignKey { firing_order: 1, ..ForeignKey::new(["a_id"], "a".into(), ["id"]) };
    s.table_mut(&"b".into()).unwrap().foreign_keys.push(second);
    let repair = judged(&s, "a").repair.unwrap();
    assert_eq!((repair.verdict, repair.changes.len()), (Verdict::Complete, 1));
}

#[test]
fn rows_that_are_meant_to_stay_are_for_a_person_to_decide() {
    let tables = [
        "workspaces: id int8 pk",
        "users: id int8 pk, home int8 not-null >workspaces.id set-null, other int8 not-null",
    ];
    let repair = judged(&schema(Engine::Postgres, &tables), "workspaces").repair.unwrap();
    let change = &repair.changes[0];
    assert_eq!((change.to, change.recommended, change.decide), (Some(Action::SetNull), Action::Restrict, true));
    assert!(change.reason.contains("meant to outlive its `workspaces`, but `home` is NOT NULL"), "{}", change.reason);
    let words: Vec<&str> = change.choices.iter().map(|c| c.word.as_str()).collect();
    assert_eq!(words, ["drop-not-null", "protect", "cascade"]);
    assert_eq!((repair.verdict, repair.automatic), (Verdict::LeavesRows, Verdict::Fails));
}

/// Layers of three tables, each with a key to every table above it: 3 to the power of `layers` chains.
#[test]
fn chains_that_are_too_many_are_told() {
    let of = |layers: usize| {
        let mut lines = vec!["root: id int8 pk".to_string()];
        for layer in 0..layers {
            for t in 0..3 {
                let above: Vec<String> = if layer == 0 {
                    vec!["root".into()]
                } else {
                    (0..3).map(|p| format!("t{}_{p}", layer - 1)).collect()
                };
                let keys: Vec<String> = above.iter().map(|p| format!("{p}_id int8 >{p}.id cascade")).collect();
                lines.push(format!("t{layer}_{t}: id int8 pk, {}", keys.join(", ")));
            }
        }
        let last = layers - 1;
        lines.push(format!("leaf: id int8 pk, a int8 >t{last}_0.id cascade, b int8 >t{last}_1.id restrict"));
        let s = schema(Engine::Sqlite, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        judged(&s, "root")
    };
    let told =
        |fate: &Fate| fate.notes.iter().any(|n| n.starts_with("more than 200 chains of cascades lead to `t6_1`"));
    assert!(!told(&of(3)), "{:?}", of(3).notes);
    let many = of(7);
    assert_eq!((many.verdict, many.today), (Verdict::DependsOnOrder, None));
    assert!(told(&many), "{:?}", many.notes);
}
