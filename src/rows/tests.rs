//! What is written of a relation's rows, word by word.

use super::*;
use crate::engine;
use crate::relations::{Basis, Relation};
use crate::schema::{CatalogOnly, Collation, Comparison, Engine, Match, Schema, TableKind};
use crate::testing;

fn count(schema: &Schema, relation: &Relation) -> String {
    RelationRows::of(engine::dialect(schema.engine).expect("a dialect"), schema, relation).orphans().count()
}

fn query(schema: &Schema) -> String {
    let (table, key) = schema.foreign_keys().next().expect("a key");
    let relation = Relation::declared(schema, &table.name, key);
    count(schema, &relation)
}

fn inferred(schema: &Schema) -> String {
    let (table, key) = schema.foreign_keys().next().expect("a key");
    let mut relation = Relation::declared(schema, &table.name, key);
    relation.basis = Basis::Configured;
    count(schema, &relation)
}

#[test]
fn postgresql_names_the_schema_because_the_search_path_may_be_anything() {
    let schema =
        testing::schema(Engine::Postgres, &["customers: id int8 pk", "sales.orders: id int8 pk, c int8 >customers.id"]);
    assert_eq!(
        query(&schema),
        "SELECT count(*) FROM sales.orders AS child WHERE child.c IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM public.customers AS parent WHERE parent.id = child.c)"
    );
}

#[test]
fn match_full_counts_rows_that_are_half_null() {
    let mut schema = testing::schema(Engine::Postgres, &["p: a int8 pk, b int8 pk", "c: a int8 >p.a, b int8"]);
    let key = &mut schema.table_mut(&"c".into()).expect("c").foreign_keys[0];
    key.columns = vec!["a".into(), "b".into()];
    key.parent_columns = key.columns.clone();
    assert!(query(&schema).contains("WHERE child.a IS NOT NULL AND child.b IS NOT NULL AND NOT EXISTS"));
    schema.table_mut(&"c".into()).expect("c").foreign_keys[0].matching = Match::Full;
    assert!(query(&schema).contains("WHERE (child.a IS NOT NULL OR child.b IS NOT NULL) AND NOT EXISTS"));
    schema.engine = Engine::Sqlite;
    assert!(query(&schema).contains("WHERE child.a IS NOT NULL AND child.b IS NOT NULL AND NOT EXISTS"));
}

#[test]
fn a_guessed_relation_of_other_types_is_compared_as_text() {
    let schema = testing::schema(Engine::Postgres, &["p: id uuid pk", "c: a text >p.id"]);
    assert!(inferred(&schema).ends_with("WHERE CAST(parent.id AS text) = CAST(child.a AS text))"));
    assert!(query(&schema).ends_with("WHERE parent.id = child.a)"));
    let schema = testing::schema(Engine::Postgres, &["p: id int8 pk", "c: a numeric >p.id"]);
    assert!(inferred(&schema).ends_with("WHERE parent.id = child.a)"));
}

#[test]
fn the_parents_collation_decides() {
    let mut schema = testing::schema(Engine::Postgres, &["p: id text pk", "c: a text >p.id"]);
    let collation = Collation { name: "C".into(), deterministic: true };
    schema.table_mut(&"c".into()).expect("c").columns[0].collation = Some(collation);
    assert!(query(&schema).ends_with("parent.id = child.a COLLATE \"default\")"));
}

#[test]
fn the_keys_own_operator_decides() {
    let mut schema = testing::schema(Engine::Postgres, &["p: id citext pk", "c: a citext >p.id"]);
    assert!(query(&schema).ends_with("parent.id = child.a)"));
    for table in ["p", "c"] {
        let column = &mut schema.table_mut(&table.into()).expect("a table").columns[0];
        column.equality = CatalogOnly(Some("extensions.=".into()));
    }
    assert!(query(&schema).ends_with("parent.id OPERATOR(extensions.=) child.a)"), "by the type");
    assert!(inferred(&schema).ends_with("parent.id OPERATOR(extensions.=) child.a)"));
    let known =
        Comparison { operator: Some("app.===".into()), child_cast: Some("app.t".into()), ..Comparison::default() };
    schema.table_mut(&"c".into()).expect("c").foreign_keys[0].comparisons = CatalogOnly(vec![known]);
    assert!(query(&schema).ends_with("parent.id OPERATOR(app.===) child.a::app.t)"), "as the catalog says");
}

#[test]
fn blanks_at_the_end_of_a_char_do_not_count() {
    let schema = testing::schema(Engine::Postgres, &["p: id char(5) pk", "c: a text >p.id"]);
    assert!(query(&schema).ends_with("parent.id = child.a::pg_catalog.bpchar)"), "{}", query(&schema));
}

#[test]
fn heirs_are_left_out_and_partitions_are_not() {
    let mut schema = testing::schema(Engine::Postgres, &["p: id int8 pk", "c: a int8 >p.id", "heir: id int8"]);
    schema.table_mut(&"heir".into()).expect("heir").inherits = vec!["p".into()];
    assert!(query(&schema).contains("FROM ONLY public.p AS parent"));
    schema.table_mut(&"p".into()).expect("p").kind = TableKind::Partitioned;
    assert!(query(&schema).contains("FROM public.p AS parent"));
}

#[test]
fn samples_are_sorted_and_limited() {
    let schema = testing::schema(Engine::Sqlite, &["p: id int pk", "c: \"a int >p.id"]);
    let (table, key) = schema.foreign_keys().next().expect("a key");
    let relation = Relation::declared(&schema, &table.name, key);
    let sql = RelationRows::of(&engine::sqlite::DIALECT, &schema, &relation).samples(5);
    assert!(sql.starts_with("SELECT DISTINCT child.\"\"\"a\" FROM c AS child WHERE"), "{sql}");
    assert!(sql.ends_with("ORDER BY 1 LIMIT 5"), "{sql}");
}

#[test]
fn one_more_condition_is_about_all_sets_together() {
    let set = |source: &str, condition: &str| RowSet {
        source: source.to_string(),
        alias: "child".to_string(),
        condition: condition.to_string(),
    };
    let any = RowSet::any(&[set("t", "a"), set("t", "b AND c")]).expect("one table").and("d");
    assert_eq!(any.from(), "FROM t AS child WHERE ((a) OR (b AND c)) AND d");
    assert_eq!(RowSet::any(&[set("t", "a")]), Some(set("t", "a")));
    assert_eq!(RowSet::any(&[set("t", "a"), set("u", "a")]), None);
    assert_eq!(RowSet::any(&[]), None);
}
