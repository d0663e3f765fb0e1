//! Finds and counts orphans, one relation at a time.
//!
//! The database does the work: one anti-join for each relation. It is written with `NOT EXISTS`, never `NOT IN`, which
//! finds nothing as soon as one parent key is NULL. A relation that cannot be asked does not stop the others.

use crate::engine::{Dialect, EngineError, EngineErrorKind, Session, Value};
use crate::job::{Context, Event};
use crate::relations::comparison::comparison;
use crate::relations::{Graph, Relation};
use crate::schema::{Column, Engine, Family, Match, Schema, Table, TableKind, TableName};

/// What the rows say of every relation that was looked at.
#[derive(Debug, Default)]
pub struct Scan {
    /// One outcome for each relation of the graph, in the graph's order.
    pub outcomes: Vec<Outcome>,
}

/// What became of one relation's scan.
#[derive(Debug)]
pub enum Outcome {
    /// The rows were read.
    Counted(Orphans),
    /// It could not be asked: the parent or a column is missing. The text says which.
    Skipped(String),
    /// The engine refused: a table one may not read, or not whole, a time-out.
    Failed(EngineError),
}

/// The orphans of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// How many child rows have no parent row.
    pub count: u64,
    /// Some of the values that refer to nothing, each a row of the child's columns as text, sorted.
    pub samples: Vec<Vec<String>>,
    /// The query that counted them, runnable as it is.
    pub query: String,
}

/// How a scan is done.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// How many sample keys are read for each relation with orphans.
    pub samples: u32,
}

/// Writes the query that counts a relation's orphans: an anti-join by `NOT EXISTS`.
pub fn orphan_query(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> String {
    format!("SELECT count(*) {}", from_where(dialect, schema, relation))
}

/// Writes the query that lists some keys that refer to nothing.
pub fn sample_query(dialect: &dyn Dialect, schema: &Schema, relation: &Relation, limit: u32) -> String {
    let table = schema.table(&relation.child);
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|name| {
            let column = format!("child.{}", dialect.identifier(name));
            // DISTINCT and ORDER BY need an ordering, which these types do not have.
            let unordered = table.and_then(|t| t.column(name)).is_some_and(without_equality);
            if unordered && dialect.engine() != Engine::Sqlite { format!("CAST({column} AS text)") } else { column }
        })
        .collect();
    let order: Vec<String> = (1..=columns.len()).map(|i| i.to_string()).collect();
    let rest = from_where(dialect, schema, relation);
    format!("SELECT DISTINCT {} {rest} ORDER BY {} LIMIT {limit}", columns.join(", "), order.join(", "))
}

fn from_where(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> String {
    let OrphanRows { source, condition } = orphan_rows(dialect, schema, relation);
    format!("FROM {source} AS child WHERE {condition}")
}

/// The rows of a child that have no parent, as the two halves of a statement: `… {source} AS child … WHERE {condition}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanRows {
    /// The child, as it is written in FROM.
    pub source: String,
    /// What is true of a row `child` that has no parent: terms joined by AND.
    pub condition: String,
}

/// Writes which rows of a relation's child have no parent.
pub fn orphan_rows(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> OrphanRows {
    let child = source(dialect, schema, &relation.child);
    let column = |name: &String| format!("child.{}", dialect.identifier(name));
    // SQLite reads MATCH FULL and goes by MATCH SIMPLE ("Foreign Key Support", 6).
    let full = dialect.engine() != Engine::Sqlite && relation.foreign_key().is_some_and(|k| k.matching == Match::Full);
    // MATCH FULL lets a row be without a parent only if all columns are NULL; a comparison with NULL finds no parent.
    let present: Vec<String> = relation.columns.iter().map(|c| format!("{} IS NOT NULL", column(c))).collect();
    let present = if full && present.len() > 1 { format!("({})", present.join(" OR ")) } else { present.join(" AND ") };
    if schema.table(&relation.parent).is_none() {
        return OrphanRows { source: child, condition: present };
    }
    let parent = source(dialect, schema, &relation.parent);
    let equal = pairs_equal(dialect, schema, relation);
    let condition = format!("{present} AND NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {equal})");
    OrphanRows { source: child, condition }
}

/// The rows of a child that refer to a row of its parent: `… {child} AS child … {parent} AS parent … WHERE {condition}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferringRows {
    /// The child, as it is written in FROM.
    pub child: String,
    /// The parent, as it is written in FROM.
    pub parent: String,
    /// When a row `child` refers to a row `parent`.
    pub condition: String,
}

/// Writes which rows of a relation's child refer to which of its parent.
pub fn referring_rows(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> ReferringRows {
    ReferringRows {
        child: source(dialect, schema, &relation.child),
        parent: source(dialect, schema, &relation.parent),
        condition: pairs_equal(dialect, schema, relation),
    }
}

/// Writes a table in FROM. A foreign key between ordinary tables does not look at the tables that inherit from them
/// (PostgreSQL manual, 5.11.1); one of a partitioned table does look at its partitions.
fn source(dialect: &dyn Dialect, schema: &Schema, name: &TableName) -> String {
    let written = dialect.qualified_table(name, schema);
    let plain = schema.table(name).is_some_and(|t| t.kind == TableKind::Plain);
    let inherited = schema.tables.iter().any(|t| t.inherits.contains(name));
    if plain && inherited { format!("ONLY {written}") } else { written }
}

/// Writes when a row `child` refers to a row `parent`.
fn pairs_equal(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> String {
    let pairs = 0..relation.columns.len().min(relation.parent_columns.len());
    let equal: Vec<String> = pairs.map(|at| equality(dialect, schema, relation, at)).collect();
    equal.join(" AND ")
}

fn equality(dialect: &dyn Dialect, schema: &Schema, relation: &Relation, at: usize) -> String {
    let name = |columns: &[String]| columns.get(at).cloned().unwrap_or_default();
    let (child, parent) = (name(&relation.columns), name(&relation.parent_columns));
    let left = format!("parent.{}", dialect.identifier(&parent));
    let right = format!("child.{}", dialect.identifier(&child));
    if dialect.engine() == Engine::Sqlite {
        // A foreign key compares by the parent's affinity and collation ("Foreign Key Support", 3). In a comparison the left
        // column's collation is taken, and the plus takes the child's affinity away.
        return format!("{left} = +{right}");
    }
    let column = |table: &TableName, name: &str| schema.table(table).and_then(|t| t.column(name));
    if let (Some(child), Some(parent)) = (column(&relation.child, &child), column(&relation.parent, &parent)) {
        let collations_differ = child.collation != parent.collation;
        let cockroach = dialect.engine() == Engine::Cockroach;
        // A declared key has an operator for its types; a guessed one may join what the engine would not compare.
        if !relation.is_declared() && (!comparable(child, parent) || (cockroach && collations_differ)) {
            // Bytes decide, whatever the collations of the two columns.
            let collation = if collations_differ && !cockroach { " COLLATE \"C\"" } else { "" };
            return format!("CAST({left} AS text) = CAST({right} AS text){collation}");
        }
    }
    comparison(dialect, schema, relation, at).sql(&left, &right)
}

/// Types that have no `=`.
fn without_equality(column: &Column) -> bool {
    matches!(column.data_type.base.as_str(), "json" | "xml" | "point" | "polygon" | "path")
}

/// Tells whether the engine has an operator `=` for two columns.
fn comparable(a: &Column, b: &Column) -> bool {
    let group = |column: &Column| match column.data_type.family {
        Family::Integer | Family::Decimal | Family::Float => Some(0),
        Family::Date | Family::Timestamp => Some(1),
        Family::Text => Some(2),
        _ => None,
    };
    if without_equality(a) || without_equality(b) {
        return false;
    }
    match (group(a), group(b)) {
        (Some(one), Some(other)) => one == other,
        // Two enums or two types of an extension may share a base name; a domain's column is spelled differently.
        (None, None) if matches!(a.data_type.family, Family::Enum | Family::Other | Family::Array) => {
            a.data_type.base == b.data_type.base && a.data_type.raw == b.data_type.raw
        }
        (None, None) => a.data_type.base == b.data_type.base,
        _ => false,
    }
}

/// Says why a relation's orphans cannot be counted; `None` if they can.
pub fn obstacle(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> Option<String> {
    let Some(child) = schema.table(&relation.child) else {
        return Some(format!("there is no table `{}`", relation.child));
    };
    if relation.columns.is_empty() {
        return Some(format!("the columns of `{}` that refer to `{}` are not known", relation.child, relation.parent));
    }
    let missing = |table: &Table, columns: &[String]| {
        let column = columns.iter().find(|c| table.column(c).is_none())?;
        Some(format!("`{}` has no column `{column}`", table.name))
    };
    if let Some(text) = missing(child, &relation.columns) {
        return Some(text);
    }
    let Some(parent) = schema.table(&relation.parent) else {
        // SQLite lets a key name a parent that does not exist: then every reference refers to nothing.
        let dangling = relation.is_declared() && dialect.engine() == Engine::Sqlite;
        return (!dangling).then(|| format!("there is no table `{}`", relation.parent));
    };
    if relation.parent_columns.len() != relation.columns.len() {
        return Some(format!(
            "which columns of `{}` are meant by `{}` cannot be told",
            relation.parent,
            relation.child_side()
        ));
    }
    if relation.foreign_key().is_some_and(|k| k.temporal) {
        return Some("a key with PERIOD asks whether periods cover each other, which is not counted".to_string());
    }
    missing(parent, &relation.parent_columns)
}

/// Says which table may not be read, or not whole; `None` if both may.
fn unreadable(dialect: &dyn Dialect, schema: &Schema, relation: &Relation) -> Option<EngineError> {
    let tables: Vec<&Table> =
        [&relation.child, &relation.parent].into_iter().filter_map(|name| schema.table(name)).collect();
    let Some(table) = tables.iter().find(|t| !t.readable) else {
        let (table, filter) = tables.iter().find_map(|t| Some((t, t.row_filter.as_ref()?)))?;
        let message = format!("{}, so the rows were not looked at", filter.what(&table.name));
        return Some(EngineError::new(EngineErrorKind::Permission, message).hint(filter.remedy()));
    };
    let written = dialect.qualified_table(&table.name, schema);
    let error = EngineError::new(
        EngineErrorKind::Permission,
        format!("this user may not read `{}`, so its rows could not be looked at", table.name),
    );
    Some(error.hint(format!("let the owner run `GRANT SELECT ON {written} TO …` with this user's name")))
}

/// Counts the orphans of every relation; each is a [`Event::Part`].
///
/// Stops early only when the user stops it or the connection is gone; what is left is then skipped.
pub fn scan(
    session: &mut dyn Session,
    schema: &Schema,
    graph: &Graph,
    options: &ScanOptions,
    context: &Context,
) -> Scan {
    let mut result = Scan::default();
    let mut stopped = false;
    for relation in graph.relations() {
        if stopped {
            result.outcomes.push(Outcome::Skipped("the scan ended before its turn".to_string()));
            continue;
        }
        context.tell(&Event::Part { what: &relation.child_side() });
        let outcome = one(session, schema, relation, options);
        stopped = matches!(&outcome, Outcome::Failed(e) if e.kind.ends_the_job());
        result.outcomes.push(outcome);
    }
    result
}

fn one(session: &mut dyn Session, schema: &Schema, relation: &Relation, options: &ScanOptions) -> Outcome {
    let dialect = session.dialect();
    if let Some(why) = obstacle(dialect, schema, relation) {
        return Outcome::Skipped(why);
    }
    if let Some(error) = unreadable(dialect, schema, relation) {
        return Outcome::Failed(error);
    }
    match count(session, schema, relation, options) {
        Ok(orphans) => Outcome::Counted(orphans),
        Err(error) => Outcome::Failed(error),
    }
}

fn count(
    session: &mut dyn Session,
    schema: &Schema,
    relation: &Relation,
    options: &ScanOptions,
) -> Result<Orphans, EngineError> {
    let dialect = session.dialect();
    let query = orphan_query(dialect, schema, relation);
    let rows = session.query(&query)?;
    let count = rows.rows.first().and_then(|r| r.first()).and_then(Value::integer);
    let count = count.and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        EngineError::new(EngineErrorKind::Statement, "the count of orphans is not a number").sql(query.clone())
    })?;
    let mut samples = Vec::new();
    if count > 0 && options.samples > 0 {
        let rows = session.query(&sample_query(dialect, schema, relation, options.samples))?;
        samples = rows.rows.iter().map(|row| row.iter().map(Value::to_string).collect()).collect();
    }
    Ok(Orphans { count, samples, query })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use crate::schema::{CatalogOnly, Collation, Comparison};
    use crate::testing;

    fn query(schema: &Schema) -> String {
        let (table, key) = schema.foreign_keys().next().expect("a key");
        let relation = Relation::declared(schema, &table.name, key);
        orphan_query(engine::dialect(schema.engine).expect("a dialect"), schema, &relation)
    }

    fn inferred(schema: &Schema) -> String {
        let (table, key) = schema.foreign_keys().next().expect("a key");
        let mut relation = Relation::declared(schema, &table.name, key);
        relation.basis = crate::relations::Basis::Configured;
        orphan_query(engine::dialect(schema.engine).expect("a dialect"), schema, &relation)
    }

    #[test]
    fn postgresql_names_the_schema_because_the_search_path_may_be_anything() {
        let schema = testing::schema(
            Engine::Postgres,
            &["customers: id int8 pk", "sales.orders: id int8 pk, c int8 >customers.id"],
        );
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
        let sql = sample_query(&engine::sqlite::DIALECT, &schema, &relation, 5);
        assert!(sql.starts_with("SELECT DISTINCT child.\"\"\"a\" FROM c AS child WHERE"), "{sql}");
        assert!(sql.ends_with("ORDER BY 1 LIMIT 5"), "{sql}");
    }
}
