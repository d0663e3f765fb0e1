//! Rows of PostgreSQL's catalog to a [`Schema`]: a pure function. Codes that it does not know never stop it.

use std::collections::BTreeMap;

use super::super::records::{Record, records};
use super::super::{EngineError, Rows};
use crate::schema::{
    Action, CatalogOnly, Check, Collation, Column, Comparison, DataType, DisabledSide, Engine, Family, ForeignKey,
    Generated, Index, IndexOrigin, IndexPart, Key, Match, RowFilter, Schema, Table, TableKind, TableName, Timing,
    Version,
};

/// What the queries of `queries/` returned, file by file.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// `tables.sql`.
    pub tables: Rows,
    /// `columns.sql`.
    pub columns: Rows,
    /// `indexes.sql`.
    pub indexes: Rows,
    /// `foreign_keys.sql`.
    pub foreign_keys: Rows,
    /// `checks.sql`.
    pub checks: Rows,
    /// `triggers.sql`.
    pub triggers: Rows,
    /// `rules.sql`.
    pub rules: Rows,
    /// `publications.sql`.
    pub publications: Rows,
    /// `replica_roles.sql`.
    pub replica_roles: Rows,
}

mod acting;

type Oid = u32;

/// Builds the schema from the catalog's rows.
///
/// # Errors
/// The rows contradict each other: the catalog changed while it was read.
pub fn schema(catalog: &Catalog, version: Option<Version>) -> Result<Schema, EngineError> {
    let mut schema = Schema { version, ..Schema::new(Engine::Postgres) };
    let mut builder = Builder { tables: tables(catalog, &schema)?, numbers: BTreeMap::new() };
    builder.columns(catalog)?;
    builder.indexes(catalog)?;
    builder.foreign_keys(catalog)?;
    for record in records("CHECK constraints", &catalog.checks) {
        let oid = record.number("table")?;
        if let Some(table) = builder.tables.get_mut(&oid) {
            table.checks.push(Check {
                name: record.owned("name"),
                expression: unwrapped(record.text("expression").unwrap_or_default()).to_string(),
                validated: record.flag("validated"),
            });
        }
    }
    acting::read(&mut builder, catalog)?;
    schema.replica_roles =
        records("settings", &catalog.replica_roles).filter_map(|record| record.owned("whose")).collect();
    schema.tables = builder.tables.into_values().collect();
    schema.sort();
    Ok(schema)
}

fn tables(catalog: &Catalog, schema: &Schema) -> Result<BTreeMap<Oid, Table>, EngineError> {
    let mut names: BTreeMap<Oid, TableName> = BTreeMap::new();
    for record in records("tables", &catalog.tables) {
        names.insert(record.number("oid")?, schema.name_of(record.need("schema")?, record.need("name")?));
    }
    let mut tables = BTreeMap::new();
    for record in records("tables", &catalog.tables) {
        let oid: Oid = record.number("oid")?;
        let Some(name) = names.get(&oid) else { continue };
        let mut table = Table::new(name.clone());
        table.kind = match record.need("kind")? {
            "r" => TableKind::Plain,
            "p" => TableKind::Partitioned,
            "f" => TableKind::Foreign,
            other => TableKind::Other(other.to_string()),
        };
        table.unlogged = record.text("persistence") == Some("u");
        let parents: Vec<Oid> = record.numbers("parents")?;
        let mut parents = parents.iter().filter_map(|p| names.get(p).cloned());
        if record.flag("is_partition") {
            table.partition_of = parents.next();
        } else {
            table.inherits = parents.collect();
        }
        table.row_estimate = row_estimate(&record, schema.version);
        table.readable = record.flag("readable");
        table.row_filter = record.flag("filtered").then(|| row_filter(&record));
        table.comment = record.owned("comment");
        tables.insert(oid, table);
    }
    let totals = partition_totals(&tables);
    for table in tables.values_mut().filter(|t| t.row_estimate.is_none()) {
        table.row_estimate = totals.get(&table.name).copied().flatten();
    }
    Ok(tables)
}

fn row_filter(record: &Record<'_>) -> RowFilter {
    let policies = record.text("policies").and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    RowFilter { policies, forced: record.flag("forced") }
}

/// Adds up the estimates of partitions: autovacuum never counts the rows of a partitioned table itself (manual, "Routine
/// Vacuuming"). `None` where one partition has no estimate.
fn partition_totals(tables: &BTreeMap<Oid, Table>) -> BTreeMap<TableName, Option<u64>> {
    let parents: BTreeMap<&TableName, &TableName> =
        tables.values().filter_map(|t| Some((&t.name, t.partition_of.as_ref()?))).collect();
    let mut totals: BTreeMap<TableName, Option<u64>> = BTreeMap::new();
    for leaf in tables.values().filter(|t| t.kind != TableKind::Partitioned) {
        let mut above = parents.get(&leaf.name);
        while let Some(parent) = above {
            let total = totals.entry((*parent).clone()).or_insert(Some(0));
            *total = total.zip(leaf.row_estimate).map(|(sum, rows)| sum.saturating_add(rows));
            above = parents.get(parent);
        }
    }
    totals
}

/// -1 is "never counted" since version 14; before, 0 rows in 0 pages could be either (manual, `pg_class.reltuples`).
fn row_estimate(record: &Record<'_>, version: Option<Version>) -> Option<u64> {
    let rows: f64 = record.text("rows")?.parse().ok()?;
    let old = version.is_some_and(|v| v.major < 14);
    if rows < 0.0 || old && rows == 0.0 && record.text("pages") == Some("0") {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and not negative")]
    Some(rows as u64)
}

struct Builder {
    tables: BTreeMap<Oid, Table>,
    /// The catalog names columns by number; dropped columns leave holes.
    numbers: BTreeMap<(Oid, i32), String>,
}

impl Builder {
    fn columns(&mut self, catalog: &Catalog) -> Result<(), EngineError> {
        for record in records("columns", &catalog.columns) {
            let oid = record.number("table")?;
            let Some(table) = self.tables.get_mut(&oid) else { continue };
            let column = column(&record)?;
            self.numbers.insert((oid, record.number("number")?), column.name.clone());
            if table.readable && !record.flag("readable") {
                table.unreadable_columns.push(column.name.clone());
            }
            table.columns.push(column);
        }
        Ok(())
    }

    fn names(&self, record: &Record<'_>, table: Oid, column: &str) -> Result<Vec<String>, EngineError> {
        let numbers: Vec<i32> = record.numbers(column)?;
        let name = |n: &i32| {
            let found = self.numbers.get(&(table, *n));
            found.cloned().ok_or_else(|| record.wrong(&format!("there is no column {n} of the table with oid {table}")))
        };
        numbers.iter().map(name).collect()
    }

    fn indexes(&mut self, catalog: &Catalog) -> Result<(), EngineError> {
        let mut last: Option<(Oid, Oid)> = None;
        for record in records("indexes", &catalog.indexes) {
            let oid: Oid = record.number("table")?;
            let id = (oid, record.number::<Oid>("index")?);
            let number: i32 = record.number("number")?;
            let name = self.numbers.get(&(oid, number)).cloned();
            let Some(table) = self.tables.get_mut(&oid) else { continue };
            if last != Some(id) {
                last = Some(id);
                table.indexes.push(index(&record)?);
                if let (Some(name), Some(kind @ ("p" | "u"))) =
                    (record.owned("constraint"), record.text("constraint_kind"))
                {
                    let deferrable = record.flag("deferrable");
                    let key = Key { name: Some(name), deferrable, ..Key::new(Vec::<String>::new()) };
                    if kind == "p" { table.primary_key = Some(key) } else { table.unique_keys.push(key) }
                }
            }
            let Some(index) = table.indexes.last_mut() else { continue };
            if record.flag("included") {
                index.included.extend(name);
                continue;
            }
            let key = match record.text("constraint_kind") {
                Some("p") => table.primary_key.as_mut(),
                Some("u") => table.unique_keys.last_mut(),
                _ => None,
            };
            if let (Some(key), Some(name)) = (key, &name) {
                key.columns.push(name.clone());
            }
            index.parts.push(IndexPart {
                // Number 0 is an expression; a system column (negative) is none that a key could have.
                expression: if name.is_none() {
                    Some(record.text("expression").unwrap_or("?").to_string())
                } else {
                    None
                },
                column: name,
                descending: record.flag("descending"),
                collation: record.owned("collation"),
                operator_class: record.owned("operator_class"),
            });
        }
        Ok(())
    }

    fn foreign_keys(&mut self, catalog: &Catalog) -> Result<(), EngineError> {
        // PostgreSQL fires triggers of one event in the order of their names, compared byte by byte (manual, "Overview of
        // Trigger Behavior"). Those of foreign keys end in the trigger's oid. A key without triggers comes last.
        let mut order: Vec<(bool, &str, Oid)> = Vec::new();
        for record in records("foreign keys", &catalog.foreign_keys) {
            let trigger = record.text("delete_trigger");
            order.push((trigger.is_none(), trigger.unwrap_or(""), record.number("oid")?));
        }
        order.sort_unstable();
        let rank: BTreeMap<Oid, u32> = order.iter().map(|(_, _, oid)| *oid).zip(0..).collect();

        for record in records("foreign keys", &catalog.foreign_keys) {
            let oid: Oid = record.number("table")?;
            let parent_oid: Oid = record.number("parent")?;
            if !self.tables.contains_key(&oid) {
                continue;
            }
            let Some(parent) = self.tables.get(&parent_oid).map(|t| t.name.clone()) else {
                return Err(record.wrong(&format!("there is no table with oid {parent_oid}")));
            };
            let columns = self.names(&record, oid, "columns")?;
            let parent_columns = self.names(&record, parent_oid, "parent_columns")?;
            let mut key = ForeignKey::new(columns, parent, parent_columns);
            key.name = record.owned("name");
            key.on_delete = action(record.text("on_delete"));
            key.on_update = action(record.text("on_update"));
            key.set_columns = self.names(&record, oid, "set_columns")?;
            key.matching = match record.text("matching") {
                Some("f") => Match::Full,
                Some("p") => Match::Partial,
                _ => Match::Simple,
            };
            key.timing = match (record.flag("deferrable"), record.flag("deferred")) {
                (false, _) => Timing::Immediate,
                (true, false) => Timing::Deferrable,
                (true, true) => Timing::Deferred,
            };
            key.validated = record.flag("validated");
            // NULL before version 18, which has no other than enforced keys.
            key.enforced = record.text("enforced") != Some("false");
            key.disabled = match (record.flag("child_off"), record.flag("parent_off")) {
                (false, false) => None,
                (true, false) => Some(DisabledSide::Child),
                (false, true) => Some(DisabledSide::Parent),
                (true, true) => Some(DisabledSide::Both),
            };
            key.temporal = record.flag("temporal");
            key.firing_order = record.number::<Oid>("oid").ok().and_then(|o| rank.get(&o).copied()).unwrap_or(0);
            key.comparisons = CatalogOnly(comparisons(&record));
            key.comment = record.owned("comment");
            if let Some(table) = self.tables.get_mut(&oid) {
                table.foreign_keys.push(key);
            }
        }
        Ok(())
    }
}

/// Reads how a key compares its columns; nothing where a plain `=` does it for all of them.
fn comparisons(record: &Record<'_>) -> Vec<Comparison> {
    let read = record.text("compared").and_then(|t| serde_json::from_str::<Vec<Comparison>>(t).ok());
    read.filter(|all| all.iter().any(|c| *c != Comparison::default())).unwrap_or_default()
}

fn column(record: &Record<'_>) -> Result<Column, EngineError> {
    let mut data_type = DataType::parse(Engine::Postgres, record.need("type")?);
    if record.text("type_kind") == Some("e") && data_type.family != Family::Array {
        data_type.family = Family::Enum;
        data_type.labels = record.text("labels").unwrap_or("").lines().map(str::to_string).collect();
    }
    data_type.domain = record.owned("domain");
    let mut column = Column::new(record.need("name")?, data_type);
    column.nullable = !record.flag("not_null");
    column.default = record.owned("default");
    column.generated = match record.filled("generated") {
        Some(how) => {
            let expression = column.default.take().unwrap_or_default();
            Some(Generated { expression: unwrapped(&expression).to_string(), stored: how == "s" })
        }
        None => None,
    };
    column.auto_number = record.filled("identity").is_some()
        || column.default.as_deref().is_some_and(|d| d.starts_with("nextval("))
            && column.data_type.integer_bytes().is_some();
    column.collation = record
        .owned("collation")
        .map(|name| Collation { name, deterministic: record.text("deterministic") != Some("f") });
    column.equality = CatalogOnly(record.owned("equality"));
    column.comment = record.owned("comment");
    Ok(column)
}

fn index(record: &Record<'_>) -> Result<Index, EngineError> {
    Ok(Index {
        name: record.need("name")?.to_string(),
        parts: Vec::new(),
        included: Vec::new(),
        unique: record.flag("unique"),
        nulls_equal: record.flag("nulls_equal"),
        predicate: record.text("predicate").map(|p| unwrapped(p).to_string()),
        method: record.need("method")?.to_string(),
        valid: record.flag("valid"),
        origin: match record.text("constraint_kind") {
            None => IndexOrigin::User,
            Some("p") => IndexOrigin::PrimaryKey,
            Some(_) => IndexOrigin::Constraint,
        },
    })
}

pub(in crate::engine) fn action(code: Option<&str>) -> Action {
    match code {
        Some("r") => Action::Restrict,
        Some("c") => Action::Cascade,
        Some("n") => Action::SetNull,
        Some("d") => Action::SetDefault,
        // An action of a later version: the one that claims least.
        _ => Action::NoAction,
    }
}

/// Takes off one pair of parentheses that encloses a whole expression, as `pg_get_expr` writes it.
pub(in crate::engine) fn unwrapped(expression: &str) -> &str {
    let Some(inner) = expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) else { return expression };
    let mut depth = 0i32;
    let mut quote = None;
    for c in inner.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return expression;
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::super::super::{EngineErrorKind, Value};
    use super::*;

    fn rows(columns: &str, lines: &[&str]) -> Rows {
        let value = |cell: &str| if cell == "NULL" { Value::Null } else { Value::Text(cell.to_string()) };
        Rows {
            columns: columns.split('|').map(|c| c.trim().to_string()).collect(),
            rows: lines.iter().map(|l| l.split('|').map(|c| value(c.trim())).collect()).collect(),
        }
    }

    fn shop() -> Catalog {
        Catalog {
            tables: rows(
                "oid|schema|name|kind|persistence|is_partition|rows|pages|readable|parents|comment",
                &["10|public|p|r|p|f|-1|0|t|{}|NULL", "20|app|Child|q|u|f|12|3|f|{}|hello"],
            ),
            columns: rows(
                "table|number|name|type|type_kind|domain|not_null|default|generated|identity|collation|deterministic|comment",
                &[
                    "10|1|id|integer|b|NULL|t|nextval('p_id_seq'::regclass)||NULL|NULL|NULL|NULL",
                    "20|1|p_id|integer|b|NULL|f|NULL|||NULL|NULL|NULL",
                    // Column 2 was dropped.
                    "20|3|twice|integer|b|NULL|f|(p_id * 2)|z||ci|f|NULL",
                ],
            ),
            foreign_keys: rows(
                "oid|table|name|parent|columns|parent_columns|on_delete|on_update|matching|deferrable|deferred|validated|\
                 set_columns|enforced|temporal|child_off|parent_off|delete_trigger|comment",
                &[
                    "31|20|late|10|{1}|{1}|c|a|s|f|f|t|NULL|NULL|NULL|f|f|RI_ConstraintTrigger_a_100|NULL",
                    "30|20|early|10|{1}|{1}|z|r|f|t|t|f|[1]|false|NULL|t|f|RI_ConstraintTrigger_a_99|NULL",
                ],
            ),
            ..Catalog::default()
        }
    }

    #[test]
    fn unknown_codes_are_kept_or_ignored() {
        let schema = schema(&shop(), Some(Version::new(15, 1, 0))).unwrap();
        let child = schema.table(&TableName::in_schema(Some("app"), "Child")).unwrap();
        assert_eq!(child.kind, TableKind::Other("q".into()));
        assert!(child.unlogged && !child.readable);
        assert_eq!(child.row_estimate, Some(12));
        let twice = child.column("twice").unwrap();
        assert_eq!(twice.generated, Some(Generated { expression: "p_id * 2".into(), stored: false }));
        assert_eq!(twice.collation, Some(Collation { name: "ci".into(), deterministic: false }));
        let parent = schema.table(&"p".into()).unwrap();
        assert!(parent.columns[0].auto_number && !parent.columns[0].nullable);
        assert_eq!(parent.row_estimate, None);
    }

    #[test]
    fn triggers_are_ordered_by_name_as_text() {
        let schema = schema(&shop(), None).unwrap();
        let child = schema.table(&TableName::in_schema(Some("app"), "Child")).unwrap();
        let [early, late] = &child.foreign_keys[..] else { panic!("{:?}", child.foreign_keys) };
        assert_eq!((early.name.as_deref(), late.name.as_deref()), (Some("early"), Some("late")));
        assert!(late.firing_order < early.firing_order, "\"…_100\" sorts before \"…_99\"");
        assert_eq!((early.on_delete, early.timing, early.matching), (Action::NoAction, Timing::Deferred, Match::Full));
        assert_eq!(early.set_columns, ["p_id"]);
        assert!(!early.enforced && !early.validated && early.disabled == Some(DisabledSide::Child));
        assert!(late.is_active() && late.on_delete == Action::Cascade);
    }

    #[test]
    fn a_row_that_refers_to_nothing_is_an_error_and_no_panic() {
        let mut catalog = shop();
        catalog.columns.rows.remove(0);
        let error = schema(&catalog, None).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Catalog);
        catalog.tables.rows[0][0] = Value::Text("x".into());
        assert_eq!(schema(&catalog, None).unwrap_err().kind, EngineErrorKind::Catalog);
    }

    #[test]
    fn only_parentheses_that_enclose_everything_are_taken_off() {
        assert_eq!(unwrapped("(a > 0)"), "a > 0");
        assert_eq!(unwrapped("(a > 0) AND (b > 0)"), "(a > 0) AND (b > 0)");
        assert_eq!(unwrapped("(a <> ')'::text)"), "a <> ')'::text");
    }
}
