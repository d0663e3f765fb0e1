//! The plan of the query by which PostgreSQL looks for the child rows of a parent.
//!
//! That query is, for every action, `SELECT 1 FROM ONLY child x WHERE $1 OPERATOR(=) x.a FOR KEY SHARE OF x` or a DELETE or
//! UPDATE with the same condition (ri_triggers.c). `FOR KEY SHARE` is left out here, because a read-only transaction
//! refuses it; it does not take part in choosing an index. The plan is a generic one, as the trigger's becomes: its
//! parameters are unknown.

use std::collections::BTreeMap;

use super::super::records::records;
use super::super::{Dialect, EngineError, EngineErrorKind, LookupPlan, Rows, Value};
use super::DIALECT;
use super::inspect::Catalog;
use super::settings::LOCAL;
use crate::schema::{Comparison, Schema, Table, TableKind, TableName};

/// One column of the look-up, as the key's check compares it: type of the parent's column, operator, collation, and the type
/// that the child's value is cast to.
type Compared = (String, String, Option<String>, Option<String>);

/// What the look-ups of a database compare, and what its indexes begin with.
#[derive(Default)]
pub(super) struct Lookups {
    comparisons: BTreeMap<(TableName, Vec<String>), Vec<Compared>>,
    /// The first column of each btree index, by schema and name; `None` for an expression.
    leading: BTreeMap<(String, String), Option<String>>,
}

/// A look-up, ready to be asked about.
pub(super) struct LookupQuery {
    /// The statement, with parameters.
    pub sql: String,
    types: Vec<String>,
}

const STATEMENT: &str = "referee_lookup";

/// Ends a request that failed in its middle. Prepared statements outlive their transaction.
pub(super) const ROLLBACK: &str = "ROLLBACK; DEALLOCATE referee_lookup";

impl LookupQuery {
    /// Returns everything that is sent, as one request.
    ///
    /// A sequential scan is forbidden, so that the plan tells what is possible and not what is cheaper on a table that is
    /// still small.
    pub(super) fn request(&self) -> String {
        let types = self.types.join(", ");
        let nulls = vec!["NULL"; self.types.len()].join(", ");
        format!(
            "BEGIN READ ONLY; {LOCAL}SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; \
             PREPARE {STATEMENT} ({types}) AS {}; \
             EXPLAIN (COSTS OFF) EXECUTE {STATEMENT} ({nulls}); \
             EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON) EXECUTE {STATEMENT} ({nulls}); \
             DEALLOCATE {STATEMENT}; ROLLBACK",
            self.sql
        )
    }
}

impl Lookups {
    pub(super) fn new(schema: &Schema, catalog: &Catalog) -> Self {
        let mut lookups = Self::default();
        let default = schema.default_schema.as_deref().unwrap_or("public");
        for table in &schema.tables {
            let namespace = table.name.schema.as_deref().unwrap_or(default);
            for index in table.indexes.iter().filter(|i| i.method == "btree") {
                let first = index.parts.first().and_then(|p| p.column.clone());
                lookups.leading.insert((namespace.to_string(), index.name.clone()), first);
            }
        }
        // By name: the schema has sorted its keys since.
        let mut tables: BTreeMap<&str, TableName> = BTreeMap::new();
        for record in records("tables", &catalog.tables) {
            if let (Some(oid), Some(schema_name), Some(name)) =
                (record.text("oid"), record.text("schema"), record.text("name"))
            {
                tables.insert(oid, schema.name_of(schema_name, name));
            }
        }
        for record in records("foreign keys", &catalog.foreign_keys) {
            let Some(table) = record.text("table").and_then(|oid| tables.get(oid)) else { continue };
            let key = schema
                .table(table)
                .and_then(|t| t.foreign_keys.iter().find(|k| k.name.as_deref() == record.text("name")));
            let comparisons = record.text("comparisons").and_then(|t| serde_json::from_str::<Vec<Compared>>(t).ok());
            if let (Some(key), Some(comparisons)) = (key, comparisons)
                && comparisons.len() == key.columns.len()
            {
                lookups.comparisons.insert((table.clone(), key.columns.clone()), comparisons);
            }
        }
        lookups
    }

    /// Writes the look-up of rows of `table` by `columns`. Where no foreign key has these columns, as if one had, to a
    /// parent of the same types.
    pub(super) fn query(&self, table: &Table, columns: &[String]) -> LookupQuery {
        let known = self.comparisons.get(&(table.name.clone(), columns.to_vec()));
        let mut types = Vec::new();
        let mut conditions = Vec::new();
        for (i, name) in columns.iter().enumerate() {
            let column = format!("x.{}", DIALECT.quote(name));
            let n = i + 1;
            if let Some((data_type, operator, collation, cast)) = known.and_then(|k| k.get(i)) {
                types.push(data_type.clone());
                let collate = collation.as_ref().map_or_else(String::new, |c| format!(" COLLATE {c}"));
                let cast = cast.as_ref().map_or_else(String::new, |t| format!("::{t}"));
                conditions.push(format!("${n} {operator} {column}{cast}{collate}"));
            } else {
                let of = table.column(name);
                let data_type = of.map(|c| &c.data_type);
                types.push(data_type.map_or_else(|| "unknown".into(), |t| t.domain.clone().unwrap_or(t.raw.clone())));
                let how = Comparison::by(of.and_then(|c| c.equality.0.clone()));
                conditions.push(how.sql(&format!("${n}"), &column));
            }
        }
        // Rows of a table that inherits do not belong to the key; those of partitions do.
        let only = if table.kind == TableKind::Partitioned { "" } else { "ONLY " };
        let name = match &table.name.schema {
            Some(schema) => format!("{}.{}", DIALECT.quote(schema), DIALECT.quote(&table.name.name)),
            None => DIALECT.quote(&table.name.name),
        };
        LookupQuery { sql: format!("SELECT 1 FROM {only}{name} x WHERE {}", conditions.join(" AND ")), types }
    }

    /// Reads the answers: the plan as text, then as JSON.
    pub(super) fn plan(
        &self,
        table: &Table,
        columns: &[String],
        sql: String,
        answers: &[Rows],
    ) -> Result<LookupPlan, EngineError> {
        let text = |rows: &Rows| {
            let lines = rows.rows.iter().filter_map(|r| r.first().and_then(Value::text));
            lines.collect::<Vec<_>>().join("\n")
        };
        let [plan, json] = answers else {
            return Err(EngineError::new(EngineErrorKind::Statement, "EXPLAIN returned no plan").sql(sql));
        };
        let tree: serde_json::Value = serde_json::from_str(&text(json)).map_err(|e| {
            EngineError::new(EngineErrorKind::Statement, format!("EXPLAIN returned a plan that is not JSON: {e}"))
                .sql(&sql)
        })?;
        let namespace = table.name.schema.as_deref().unwrap_or("public");
        let mut scans = Vec::new();
        self.scans(&tree[0]["Plan"], namespace, columns, &mut scans);
        // One scan for each partition: a single one without an index reads that partition whole.
        let index = if scans.iter().all(Option::is_some) { scans.into_iter().flatten().next() } else { None };
        Ok(LookupPlan { sql, index, plan: text(plan) })
    }

    /// Collects the scans below a node of a plan: the index, or `None` for one that reads everything.
    fn scans(&self, node: &serde_json::Value, namespace: &str, columns: &[String], found: &mut Vec<Option<String>>) {
        let namespace = node["Schema"].as_str().unwrap_or(namespace);
        match node["Node Type"].as_str().unwrap_or("") {
            "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
                let name = node["Index Name"].as_str().unwrap_or("");
                let condition = node["Index Cond"].as_str().unwrap_or("");
                let narrows = match self.leading.get(&(namespace.to_string(), name.to_string())) {
                    // Without a condition on its first column a btree is read from end to end, which the planner does here
                    // only because it may not read the table (manual, "Multicolumn Indexes").
                    Some(Some(first)) => columns.contains(first) && mentions(condition, first),
                    Some(None) => false,
                    None => !condition.is_empty(),
                };
                found.push(narrows.then(|| name.to_string()));
            }
            "Seq Scan" | "Foreign Scan" => found.push(None),
            _ => {
                for child in node["Plans"].as_array().into_iter().flatten() {
                    self.scans(child, namespace, columns, found);
                }
            }
        }
    }
}

/// Tells whether a condition of a verbose plan compares `column`: there every column is written with its table's alias, `x.a`
/// (`x_1.a` for a partition), quoted where needed.
fn mentions(condition: &str, column: &str) -> bool {
    let quoted = DIALECT.quote(column);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    [column, quoted.as_str()].iter().any(|name| {
        let needle = format!(".{name}");
        condition.match_indices(&needle).any(|(at, _)| !condition[at + needle.len()..].starts_with(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_whole() {
        assert!(mentions("((x.a = $1) AND (x.b = $2))", "a"));
        assert!(mentions("((x_1.\"Order\")::text = ($1)::text)", "Order"));
        assert!(!mentions("(x.ab = $1)", "a"));
        assert!(!mentions("(x.b = $1)", "a"));
    }
}
