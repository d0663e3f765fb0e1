use super::super::*;
use super::*;
use crate::hints::{Hint, HintSource};
use crate::relations::Graph;
use crate::schema::Engine;
use crate::testing::schema;

fn orm(child: &str, column: &str, parent: &str, key: &str) -> Hint {
    Hint::new(child, [column], parent, [key], HintSource::Orm { tool: "Prisma".into() })
}

fn joins(queries: u32, child: &str, column: &str, parent: &str, key: &str) -> Hint {
    Hint::new(child, [column], parent, [key], HintSource::Joins { queries })
}

fn shop() -> Schema {
    schema(
        Engine::Postgres,
        &[
            "people: id int8 pk, nick text unique, age int4",
            "users: id int8 pk",
            "orders: id int8 pk, buyer int8, cart int8, user_id int8, note text",
            "notes: id int8 pk, owner_type text, owner_id int8",
        ],
    )
}

fn told(schema: &Schema, hints: &[Hint]) -> Vec<(String, f64)> {
    let known = Graph::known(schema, &[]);
    let proposals = Survey::of(schema, &known, hints).decide(Model::published(), 0.5);
    let line = |p: &Proposal| format!("{}.{} -> {}", p.child, p.columns.join(","), p.parent);
    proposals.iter().map(|p| (line(p), p.confidence)).collect()
}

fn lines(schema: &Schema, hints: &[Hint]) -> Vec<String> {
    told(schema, hints).into_iter().map(|(line, _)| line).collect()
}

fn unused(schema: &Schema, hints: &[Hint]) -> Vec<WhyUnused> {
    let known = Graph::known(schema, &[]);
    Survey::of(schema, &known, hints).unused_hints.into_iter().map(|u| u.why).collect()
}

#[test]
fn a_hint_names_a_parent_where_no_name_does() {
    let s = shop();
    assert_eq!(lines(&s, &[]), ["orders.user_id -> users"]);
    for hint in [orm("orders", "buyer", "people", "id"), joins(9, "orders", "buyer", "people", "id")] {
        assert_eq!(lines(&s, &[hint]), ["orders.buyer -> people", "orders.user_id -> users"]);
    }
    let mut short = orm("orders", "buyer", "people", "id");
    short.parent_columns.clear();
    assert_eq!(lines(&s, &[short]).len(), 2, "the parent's primary key is meant");
    let confidence = |hint: Hint| told(&s, &[hint])[0].1;
    let weaker = Hint { strength: 0.3, ..orm("orders", "buyer", "people", "id") };
    assert!(confidence(weaker) < confidence(orm("orders", "buyer", "people", "id")));
    assert!(
        confidence(joins(2, "orders", "buyer", "people", "id"))
            < confidence(joins(99, "orders", "buyer", "people", "id"))
    );
}

#[test]
fn a_relation_that_rests_on_a_hint_is_still_a_guess() {
    let s = shop();
    let graph = Graph::with_hints(&s, &[], &[orm("orders", "buyer", "people", "id")], 0.5);
    let relation = graph.relations().iter().find(|r| r.columns == ["buyer"]).unwrap();
    let Basis::Inferred { confidence, evidence } = &relation.basis else { panic!("{:?}", relation.basis) };
    assert!(confidence < &1.0);
    assert_eq!(evidence[0], "Prisma relates them");
    assert!(Graph::with_hints(&s, &[], &[orm("orders", "buyer", "people", "id")], 0.99).relations().is_empty());
}

#[test]
fn an_orm_outweighs_a_name_and_a_few_joins_do_not() {
    let s = shop();
    assert_eq!(lines(&s, &[orm("orders", "user_id", "people", "id")]), ["orders.user_id -> people"]);
    assert_eq!(lines(&s, &[joins(2, "orders", "user_id", "people", "id")]), ["orders.user_id -> users"]);
    // The name's parent is told as the other one, with less confidence than before.
    let known = Graph::known(&s, &[]);
    let hint = orm("orders", "user_id", "people", "id");
    let proposal = &Survey::of(&s, &known, &[hint]).decide(Model::published(), 0.5)[0];
    assert_eq!(proposal.runners_up[0].parent, "users".into());
    assert!(proposal.runners_up[0].confidence < proposal.confidence);
    // Two ORM files that contradict each other leave it open, in whatever order they are read.
    let mut both = [orm("orders", "cart", "people", "id"), orm("orders", "cart", "users", "id")];
    let before = told(&s, &both);
    both.reverse();
    assert_eq!(told(&s, &both), before);
    assert!(before.iter().all(|(line, _)| !line.contains("cart")), "{before:?}");
}

#[test]
fn a_hint_that_agrees_with_the_name_adds_to_it() {
    let s = shop();
    let (alone, with) = (told(&s, &[]), told(&s, &[orm("orders", "user_id", "users", "id")]));
    assert_eq!(alone[0].0, with[0].0);
    assert!(alone[0].1 < with[0].1, "{alone:?} {with:?}");
    // `buyer` may be a flag as well as a person: no more, once an ORM relates it.
    let (named, nameless) = (orm("orders", "buyer", "users", "id"), orm("orders", "cart", "users", "id"));
    assert!(told(&s, &[named])[0].1 >= told(&s, &[nameless])[0].1);
}

#[test]
fn a_hint_that_does_not_fit_is_listed_with_the_reason_and_changes_nothing() {
    let mut s = shop();
    let cases = [
        (orm("baskets", "x", "people", "id"), WhyUnused::NoTable("baskets".into())),
        (orm("orders", "buyer", "persons", "id"), WhyUnused::NoTable("persons".into())),
        (orm("orders", "bought_by", "people", "id"), WhyUnused::NoColumn("orders".into(), "bought_by".into())),
        (orm("orders", "buyer", "people", "key"), WhyUnused::NoColumn("people".into(), "key".into())),
        (orm("orders", "note", "people", "id"), WhyUnused::Types),
        (orm("orders", "buyer", "people", "age"), WhyUnused::NotUnique),
        (orm("orders", "id", "orders", "id"), WhyUnused::Itself),
        (orm("notes", "owner_id", "people", "id"), WhyUnused::Polymorphic),
    ];
    for (hint, why) in &cases {
        assert_eq!(unused(&s, std::slice::from_ref(hint)), std::slice::from_ref(why), "{}", hint.relation());
    }
    let hints: Vec<Hint> = cases.into_iter().map(|(hint, _)| hint).collect();
    assert_eq!(told(&s, &hints), told(&s, &[]));
    let mut wide = orm("orders", "buyer", "people", "id");
    wide.columns.push("user_id".into());
    wide.parent_columns.clear();
    assert_eq!(unused(&s, &[wide]), [WhyUnused::NoKey]);
    s.table_mut(&"orders".into()).unwrap().partition_of = Some("all_orders".into());
    assert_eq!(unused(&s, &[orm("orders", "buyer", "people", "id")]), [WhyUnused::NoRowsOfItsOwn]);
}

#[test]
fn what_is_declared_is_not_weighed_again() {
    let s = schema(
        Engine::Postgres,
        &["people: id int8 pk", "users: id int8 pk", "orders: id int8 pk, buyer int8 >people.id"],
    );
    assert_eq!(unused(&s, &[orm("orders", "buyer", "people", "id")]), []);
    assert_eq!(unused(&s, &[orm("orders", "buyer", "users", "id")]), [WhyUnused::RefersElsewhere("people".into())]);
    assert_eq!(lines(&s, &[orm("orders", "buyer", "users", "id")]), [""; 0]);
}
