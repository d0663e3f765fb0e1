//! CockroachDB's catalog to a [`Schema`].
//!
//! **Never run against a server:** CockroachDB has no package to test with. The queries name only columns that its published
//! source declares (`pkg/sql/vtable/pg_catalog.go`, and `information_schema.columns` of its documentation), and the function
//! from rows to schema is tested with rows written by hand after them.
//!
//! What its catalog does not tell is left open: row estimates, whether this user may read a table, triggers (24.3 and
//! later have them), and the order in which cascades act, which is that of creation. Its object ids are hashes, so keys are
//! numbered by table and name.

use std::collections::BTreeMap;

use super::super::postgres::{action, unwrapped};
use super::super::records::{Record, records};
use super::super::{EngineError, Rows};
use crate::schema::{
    Check, Collation, Column, DataType, Engine, Family, ForeignKey, Generated, Index, IndexOrigin, IndexPart, Key,
    Match, Schema, Table, Version,
};

/// What the queries of `queries/` returned, file by file.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// `tables.sql`.
    pub tables: Rows,
    /// `columns.sql`.
    pub columns: Rows,
    /// `details.sql`.
    pub details: Rows,
    /// `indexes.sql`.
    pub indexes: Rows,
    /// `constraints.sql`.
    pub constraints: Rows,
}

/// Builds the schema from the catalog's rows.
///
/// # Errors
/// The rows contradict each other: the catalog changed while it was read.
pub fn schema(catalog: &Catalog, version: Option<Version>) -> Result<Schema, EngineError> {
    let mut schema = Schema { version, ..Schema::new(Engine::Cockroach) };
    let mut tables: BTreeMap<u32, Table> = BTreeMap::new();
    for record in records("tables", &catalog.tables) {
        let name = schema.name_of(record.need("schema")?, record.need("name")?);
        tables.insert(record.number("oid")?, Table::new(name));
    }
    let mut details = BTreeMap::new();
    for record in records("column details", &catalog.details) {
        let table = schema.name_of(record.need("schema")?, record.need("table")?);
        details.insert((table, record.need("name")?), record);
    }
    let mut numbers: BTreeMap<(u32, i32), String> = BTreeMap::new();
    for record in records("columns", &catalog.columns) {
        let oid = record.number("table")?;
        let Some(table) = tables.get_mut(&oid) else { continue };
        let name = record.need("name")?;
        numbers.insert((oid, record.number("number")?), name.to_string());
        table.columns.push(column(&record, details.get(&(table.name.clone(), name)))?);
    }
    for record in records("indexes", &catalog.indexes) {
        let oid = record.number("table")?;
        let Some(table) = tables.get_mut(&oid) else { continue };
        table.indexes.push(index(&record, |n| numbers.get(&(oid, n)).cloned())?);
    }
    let mut order: Vec<_> = records("constraints", &catalog.constraints).collect();
    order.sort_by_key(|r| {
        let table = r.number::<u32>("table").ok().and_then(|oid| tables.get(&oid)).map(|t| t.name.clone());
        (table, r.text("name").unwrap_or_default())
    });
    for (rank, record) in (0..).zip(order) {
        constraint(&record, rank, &mut tables, &numbers)?;
    }
    schema.tables = tables.into_values().collect();
    schema.sort();
    Ok(schema)
}

fn column(record: &Record<'_>, details: Option<&Record<'_>>) -> Result<Column, EngineError> {
    let of = |name: &str| details.and_then(|d| d.filled(name));
    let raw = of("type").or(record.text("type_name")).unwrap_or("unknown");
    // A collated string is written `STRING COLLATE en` (docs, "COLLATE").
    let plain = raw.split(" COLLATE ").next().unwrap_or(raw);
    let mut data_type = DataType::parse(Engine::Cockroach, plain);
    data_type.raw = raw.to_string();
    if record.text("type_kind") == Some("e") && data_type.family != Family::Array {
        data_type.family = Family::Enum;
    }
    let mut column = Column::new(record.need("name")?, data_type);
    column.nullable = !record.flag("not_null");
    column.default = of("default").map(str::to_string);
    // The catalog does not tell stored from virtual.
    column.generated = of("generated").map(|e| Generated { expression: unwrapped(e).to_string(), stored: true });
    column.auto_number = of("identity") == Some("YES")
        || column.default.as_deref().is_some_and(|d| d.starts_with("nextval(") || d.starts_with("unique_rowid("));
    // Its collations compare by what they call equal; none is known to be deterministic but by bytes.
    column.collation =
        of("collation").filter(|c| *c != "default").map(|c| Collation { name: c.to_string(), deterministic: true });
    Ok(column)
}

/// Columns that CockroachDB puts before those a user named: the shard of a hash-sharded index, the region of a row.
/// No search names them, and none needs to (docs, "Hash-sharded Indexes" and "REGIONAL BY ROW").
fn is_implicit(column: &str) -> bool {
    column == "crdb_region" || column.starts_with("crdb_internal_") && column.contains("_shard_")
}

fn index(record: &Record<'_>, name_of: impl Fn(i32) -> Option<String>) -> Result<Index, EngineError> {
    // An int2vector is written `1 2`.
    let vector = |column: &str| -> Vec<i32> {
        let text = record.text(column).unwrap_or("");
        text.split(|c: char| !c.is_ascii_digit() && c != '-').filter_map(|n| n.parse().ok()).collect()
    };
    let numbers = vector("numbers");
    let options = vector("options");
    // Old versions do not count the columns of the key (cockroach issue 88106).
    let key_columns = record.number::<usize>("key_columns").unwrap_or(numbers.len());
    let mut index = Index::on(record.need("name")?, [] as [String; 0]);
    index.method = match record.text("method") {
        // What pg_am calls CockroachDB's ordinary and inverted indexes.
        Some("prefix") | None => "btree".to_string(),
        Some("inverted") => "gin".to_string(),
        Some(other) => other.to_string(),
    };
    index.unique = record.flag("unique");
    index.valid = record.flag("valid");
    index.predicate = record.filled("predicate").map(|p| unwrapped(p).to_string());
    for (position, number) in numbers.iter().enumerate() {
        let column = name_of(*number);
        if position >= key_columns {
            index.included.extend(column);
            continue;
        }
        if index.parts.is_empty() && column.as_deref().is_some_and(is_implicit) {
            continue;
        }
        let expression =
            if column.is_none() { Some(record.filled("expressions").unwrap_or("?").to_string()) } else { None };
        let descending = options.get(position).is_some_and(|o| o & 1 == 1);
        index.parts.push(IndexPart { column, expression, descending, ..IndexPart::default() });
    }
    Ok(index)
}

fn constraint(
    record: &Record<'_>,
    rank: u32,
    tables: &mut BTreeMap<u32, Table>,
    numbers: &BTreeMap<(u32, i32), String>,
) -> Result<(), EngineError> {
    let oid: u32 = record.number("table")?;
    if !tables.contains_key(&oid) {
        return Ok(());
    }
    let names = |table: u32, column: &str| -> Result<Vec<String>, EngineError> {
        let list: Vec<i32> = record.numbers(column)?;
        let name = |n: &i32| {
            numbers.get(&(table, *n)).cloned().ok_or_else(|| record.wrong(&format!("there is no column {n}")))
        };
        list.iter().map(name).collect()
    };
    let name = record.owned("name");
    let kind = record.need("kind")?;
    let mut columns = names(oid, "columns")?;
    let parent = if kind == "f" {
        let parent_oid: u32 = record.number("parent")?;
        let found = tables.get(&parent_oid).map(|t| t.name.clone());
        let parent = found.ok_or_else(|| record.wrong(&format!("there is no table with oid {parent_oid}")))?;
        Some((parent, names(parent_oid, "parent_columns")?))
    } else {
        None
    };
    let Some(table) = tables.get_mut(&oid) else { return Ok(()) };
    match (kind, parent) {
        ("p" | "u", _) => {
            // A key by shard and columns is a key by the columns.
            columns.retain(|c| !is_implicit(c) || c == "crdb_region");
            for index in table.indexes.iter_mut().filter(|i| Some(&i.name) == name.as_ref()) {
                index.origin = if kind == "p" { IndexOrigin::PrimaryKey } else { IndexOrigin::Constraint };
            }
            let key = Key { name, ..Key::new(columns) };
            if kind == "p" { table.primary_key = Some(key) } else { table.unique_keys.push(key) }
        }
        ("c", _) => {
            let text = record.text("definition").unwrap_or_default().trim();
            let text = text.strip_suffix("NOT VALID").unwrap_or(text).trim();
            let expression = unwrapped(unwrapped(text.strip_prefix("CHECK").unwrap_or(text).trim())).to_string();
            table.checks.push(Check { name, expression, validated: record.flag("validated") });
        }
        (_, Some((parent, parent_columns))) => {
            let mut key = ForeignKey::new(columns, parent, parent_columns);
            key.name = name;
            key.on_delete = action(record.text("on_delete"));
            key.on_update = action(record.text("on_update"));
            key.matching = if record.text("matching") == Some("f") { Match::Full } else { Match::Simple };
            key.validated = record.flag("validated");
            key.firing_order = rank;
            table.foreign_keys.push(key);
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::Value;
    use super::*;
    use crate::engine::EngineErrorKind;
    use crate::schema::Action;

    fn rows(columns: &str, lines: &[&str]) -> Rows {
        let value = |cell: &str| if cell == "NULL" { Value::Null } else { Value::Text(cell.to_string()) };
        Rows {
            columns: columns.split('|').map(|c| c.trim().to_string()).collect(),
            rows: lines.iter().map(|l| l.split('|').map(|c| value(c.trim())).collect()).collect(),
        }
    }

    /// Rows as the source's declarations and the logic tests `pg_catalog` and `fk` let one expect them.
    fn shop() -> Catalog {
        Catalog {
            tables: rows("oid|schema|name", &["104|public|customers", "105|app|orders"]),
            columns: rows(
                "table|number|name|not_null|type_name|type_kind",
                &[
                    "104|1|id|t|int8|b",
                    "104|2|name|f|text|b",
                    "105|1|id|t|uuid|b",
                    "105|2|customer_id|f|int8|b",
                    "105|3|crdb_internal_customer_id_shard_16|t|int4|b",
                    "105|4|status|f|status|e",
                ],
            ),
            details: rows(
                "schema|table|name|type|default|identity|generated|collation",
                &[
                    "public|customers|id|INT8|unique_rowid()|NO||NULL",
                    "public|customers|name|STRING COLLATE en|NULL|NO||en",
                    "app|orders|customer_id|INT8|NULL|NO||NULL",
                    "app|orders|crdb_internal_customer_id_shard_16|INT4|NULL|NO|mod(fnv32(customer_id), 16)|NULL",
                ],
            ),
            indexes: rows(
                "table|name|method|unique|valid|key_columns|numbers|options|expressions|predicate",
                &[
                    "104|customers_pkey|prefix|t|t|1|1 2|0 0|NULL|NULL",
                    "105|by_customer|prefix|f|t|2|3 2|0 1|NULL|NULL",
                    "105|by_status|prefix|f|f|1|4 2|0 0|NULL|status IS NOT NULL",
                ],
            ),
            constraints: rows(
                "table|name|kind|columns|parent|parent_columns|on_delete|on_update|matching|validated|definition",
                &[
                    "104|customers_pkey|p|{1}|0|NULL|NULL|NULL|NULL|t|PRIMARY KEY (id ASC)",
                    "105|orders_customer|f|{2}|104|{1}|n|a|f|f|FOREIGN KEY …",
                    "105|positive|c|{2}|0|NULL|NULL|NULL|NULL|t|CHECK ((customer_id > 0))",
                ],
            ),
        }
    }

    #[test]
    fn published_catalog_makes_a_schema() {
        let schema = schema(&shop(), Some(Version::new(25, 4, 1))).unwrap();
        assert_eq!((schema.engine, schema.tables.len()), (Engine::Cockroach, 2));
        let customers = schema.table(&"customers".into()).unwrap();
        assert_eq!(customers.primary_key.as_ref().unwrap().columns, ["id"]);
        assert!(customers.columns[0].auto_number && customers.columns[0].data_type.base == "int8");
        assert_eq!(customers.columns[1].collation.as_ref().unwrap().name, "en");
        assert_eq!(customers.columns[1].data_type.family, Family::Text);
        assert_eq!(customers.indexes[0].origin, IndexOrigin::PrimaryKey);
        assert_eq!(customers.indexes[0].included, ["name"]);
        let orders = schema.find_table("app.orders").unwrap();
        let [key] = &orders.foreign_keys[..] else { panic!("{:?}", orders.foreign_keys) };
        assert_eq!(
            (key.parent.to_string(), key.on_delete, key.matching),
            ("customers".into(), Action::SetNull, Match::Full)
        );
        assert!(!key.validated && key.columns == ["customer_id"] && key.parent_columns == ["id"]);
        assert_eq!(orders.checks[0].expression, "customer_id > 0");
        assert_eq!(orders.column("status").unwrap().data_type.family, Family::Enum);
    }

    #[test]
    fn the_shard_of_an_index_is_not_its_first_column() {
        let schema = schema(&shop(), None).unwrap();
        let orders = schema.find_table("app.orders").unwrap();
        let index = |name: &str| orders.indexes.iter().find(|i| i.name == name).unwrap();
        assert_eq!(index("by_customer").plain_columns().unwrap(), ["customer_id"]);
        assert!(index("by_customer").parts[0].descending);
        assert_eq!(index("by_status").predicate.as_deref(), Some("status IS NOT NULL"));
        assert!(!index("by_status").valid && index("by_status").included == ["customer_id"]);
    }

    #[test]
    fn a_key_without_its_parent_is_an_error_and_no_panic() {
        let mut catalog = shop();
        catalog.tables.rows.remove(0);
        assert_eq!(schema(&catalog, None).unwrap_err().kind, EngineErrorKind::Catalog);
    }
}
