//! Whether an index lets the engine find the child rows of a parent.
//!
//! Deleting a parent row makes the engine look for child rows by the key's columns, once for each key. Without an index
//! that look-up can use, every delete reads the whole child table. Graded from the schema alone; `tests/index_shapes.rs`
//! holds the grades against what PostgreSQL's own check does.

use super::predicate;
use crate::schema::facts::{Converts, LookupCollation};
use crate::schema::{
    Affinity, Column, DataType, Engine, Family, ForeignKey, Index, IndexPart, Schema, Table, TableKind,
};

/// How well the indexes of a table serve the look-up of rows by some columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// No index can be used: the whole table is read.
    Useless,
    /// An index narrows the search to some of the columns.
    Helps,
    /// An index finds exactly the rows.
    Covers,
}

/// Returns the best grade among a table's indexes and the index that has it.
///
/// There is no index to return where the key of a rowid table or a document has none, or where each partition has its
/// own; a partitioned table then has the grade of its worst partition.
pub fn grade<'t>(schema: &Schema, table: &'t Table, columns: &[String]) -> (Grade, Option<&'t Index>) {
    let search = Search::new(schema, table, columns);
    let mut best: (Grade, Option<&'t Index>) = (Grade::Useless, None);
    for index in &table.indexes {
        let grade = search.index(index).map_or(Grade::Useless, |n| search.grade(n));
        if grade > best.0 {
            best = (grade, Some(index));
        }
    }
    for key in table.primary_key.iter().chain(&table.unique_keys) {
        // A key's own index, if it is listed, says more than the key: its collations, its validity.
        if table.indexes.iter().any(|i| i.plain_columns().is_some_and(|c| c == key.columns)) {
            continue;
        }
        let index = Index::on("", &key.columns);
        let grade = search.index(&index).map_or(Grade::Useless, |n| search.grade(n));
        if grade > best.0 {
            best = (grade, None);
        }
    }
    if let Some(worst) = search.partitions().filter(|worst| *worst > best.0) {
        best = (worst, None);
    }
    best
}

/// Says why an index that has to do with some of the columns cannot be used to find rows by them; `None` if it can, or has
/// nothing to do with them.
pub fn obstacle(schema: &Schema, table: &Table, index: &Index, columns: &[String]) -> Option<String> {
    let concerns = |column: &String| {
        index.included.contains(column)
            || index.parts.iter().any(|p| p.column.as_ref() == Some(column))
            || index.parts.iter().any(|p| p.expression.as_ref().is_some_and(|e| predicate::names(e, column)))
    };
    if !columns.iter().any(concerns) {
        return None;
    }
    Search::new(schema, table, columns).index(index).err()
}

/// A look-up by columns, with what each of them is compared as.
struct Search<'a> {
    schema: &'a Schema,
    engine: Engine,
    table: &'a Table,
    columns: &'a [String],
    key: Option<&'a ForeignKey>,
}

impl<'a> Search<'a> {
    fn new(schema: &'a Schema, table: &'a Table, columns: &'a [String]) -> Self {
        let key = table.foreign_keys.iter().find(|k| k.columns == columns);
        Self { schema, engine: schema.engine, table, columns, key }
    }

    fn grade(&self, found: usize) -> Grade {
        match found {
            0 => Grade::Useless,
            n if n < self.columns.len() => Grade::Helps,
            _ => Grade::Covers,
        }
    }

    /// The grade of the worst partition, if there are any.
    fn partitions(&self) -> Option<Grade> {
        if self.table.kind != TableKind::Partitioned {
            return None;
        }
        let parts = self.schema.parts(&self.table.name);
        // Each row lies in a partition that has none itself.
        let is_last =
            |t: &&&Table| t.name != self.table.name && !parts.iter().any(|p| p.partition_of.as_ref() == Some(&t.name));
        parts.iter().filter(is_last).map(|last| self.partition(&parts, last)).min()
    }

    /// The grade of a partition, whose keys are listed with the partitioned table. An index of a partition between the two is one of it.
    fn partition(&self, parts: &[&Table], last: &Table) -> Grade {
        let within = |t: &&&Table| t.name != self.table.name && self.schema.is_within(&last.name, &t.name);
        let found = parts.iter().filter(within).flat_map(|partition| {
            let inner = Search { schema: self.schema, table: partition, ..*self };
            partition.indexes.iter().filter_map(move |i| inner.index(i).ok())
        });
        self.grade(found.max().unwrap_or(0))
    }

    /// Counts the columns that an index finds rows by; says why if there is none.
    fn index(&self, index: &Index) -> Result<usize, String> {
        if !index.valid {
            return Err("it is not valid, so the engine does not use it".to_string());
        }
        if let Some(condition) = &index.predicate
            && !predicate::is_implied(self.engine, condition, self.columns)
        {
            return Err(format!(
                "it is partial, and rows outside `{condition}` are not in it; only `IS NOT NULL` of the key's own columns \
                 follows from the look-up"
            ));
        }
        let alone = self.engine.facts().indexes.parts_alone;
        let any_position = match index.method.as_str() {
            "brin" | "gist" | "gin" | "spgist" if alone => true,
            "gin" | "inverted" | "gist" => {
                return Err(format!("a {} index cannot be searched for an equal value", index.method));
            }
            "vector" | "cspann" | "fulltext" | "spatial" | "rtree" => {
                return Err(format!("a {} index cannot be searched for an equal value", index.method));
            }
            _ => false,
        };
        let mut found: Vec<&str> = Vec::new();
        let mut first_reason = None;
        for part in &index.parts {
            match self.part(index, part) {
                Ok(column) if !found.contains(&column) => found.push(column),
                Ok(_) => {}
                Err(reason) => {
                    first_reason.get_or_insert(reason);
                    // A btree is searched by its leading parts.
                    if !any_position {
                        break;
                    }
                }
            }
        }
        if !found.is_empty() {
            return Ok(found.len());
        }
        Err(first_reason.unwrap_or_else(|| "it has no searchable part".to_string()))
    }

    /// Returns the column of the key that a part of an index finds rows by.
    fn part(&self, index: &Index, part: &IndexPart) -> Result<&'a str, String> {
        let Some(name) = &part.column else {
            let expression = part.expression.as_deref().unwrap_or_default();
            return Err(format!("it holds the expression `{expression}`, and the look-up compares the bare column"));
        };
        let Some(at) = self.columns.iter().position(|c| c == name) else {
            let included: Vec<&str> =
                index.included.iter().filter(|c| self.columns.contains(c)).map(String::as_str).collect();
            return Err(if included.is_empty() {
                format!("it is sorted by `{name}` first, which the look-up does not know")
            } else {
                format!("it only carries `{}`: an included column cannot be searched", included.join("`, `"))
            });
        };
        let column = self.table.column(name);
        let parent = self.parent_column(at);
        // The last column of a key with PERIOD is compared by overlap (PostgreSQL manual, 5.5.5 "Foreign Keys"; xindex,
        // "Index Methods and Operator Classes": a btree knows the order only).
        let overlaps = self.key.is_some_and(|k| k.temporal) && at + 1 == self.columns.len();
        if overlaps && !matches!(index.method.as_str(), "gist" | "spgist") {
            return Err(format!("a {} index cannot be searched for periods that overlap `{name}`", index.method));
        }
        if let Some(column) = column {
            self.method_finds(index, part, column)?;
            if let Some(parent) = parent {
                self.types_compare(column, parent)?;
            }
            self.collations_agree(part, column, parent)?;
        }
        Ok(self.columns[at].as_str())
    }

    fn parent_column(&self, at: usize) -> Option<&'a Column> {
        let key = self.key?;
        self.schema.table(&key.parent)?.column(key.parent_columns.get(at)?)
    }

    /// GiST, GIN and SP-GiST find equal values only with some operator classes.
    fn method_finds(&self, index: &Index, part: &IndexPart, column: &Column) -> Result<(), String> {
        let family = column.data_type.family;
        let class = part.operator_class.as_deref();
        let is_range = column.data_type.base.ends_with("range");
        let finds = match index.method.as_str() {
            // PostgreSQL manual, 8.17.10 "Indexing" (range types): equality and overlap, without any extension.
            "gist" | "spgist" if is_range && class.is_none_or(|c| c.ends_with("range_ops")) => true,
            // The default classes of scalar types come from the extensions btree_gist and btree_gin. Those of pg_trgm have
            // an equality since version 1.6, that of PostgreSQL 14 (manual, F.35 "pg_trgm").
            "gist" | "gin" if class.is_some_and(|c| c.ends_with("_trgm_ops")) => {
                self.schema.version.is_none_or(|v| v.major >= 14)
            }
            "gist" | "gin" => {
                class.is_none_or(|c| c.starts_with("gist_") || c.starts_with("btree_")) && is_scalar(family)
            }
            "spgist" => {
                class.is_none_or(|c| c == "text_ops" || c == "inet_ops")
                    && matches!(family, Family::Text | Family::Network)
            }
            _ => true,
        };
        if finds {
            return Ok(());
        }
        Err(format!("its {} operator class has no equality for `{}`", index.method, column.name))
    }

    /// Whether the comparison leaves the child's column as it is; a converted value is not in the index.
    fn types_compare(&self, child: &Column, parent: &Column) -> Result<(), String> {
        let converted = match self.engine.facts().types.converts {
            Converts::ByAffinity => {
                let number = |c: &Column| Affinity::of(&c.data_type, true) == Affinity::Number;
                number(parent) && !number(child)
            }
            Converts::WithoutOperator => {
                let classes = (operator_family(&child.data_type), operator_family(&parent.data_type));
                child.data_type.base != parent.data_type.base && classes.0 != classes.1
            }
            Converts::Never => false,
        };
        if !converted {
            return Ok(());
        }
        Err(format!(
            "`{}` is {} and is converted to compare it with the parent's {}",
            child.name,
            shown(&child.data_type),
            shown(&parent.data_type)
        ))
    }

    fn collations_agree(&self, part: &IndexPart, column: &Column, parent: Option<&Column>) -> Result<(), String> {
        let of = |c: &Column| c.collation.as_ref().map(|c| c.name.clone());
        let held = part.collation.clone().or_else(|| of(column));
        let facts = self.engine.facts();
        let exact = |c: &Column| c.collation.as_ref().is_none_or(|c| c.deterministic);
        let by_parent = parent.filter(|parent| match facts.keys.lookup_collation {
            // A rowid has none.
            LookupCollation::Parent => !self.is_rowid(parent),
            LookupCollation::ParentUnlessDeterministic => !exact(parent),
            LookupCollation::Same => false,
        });
        let wanted = of(by_parent.unwrap_or(column));
        let named = |c: &Option<String>| c.clone().unwrap_or_else(|| facts.types.default_collation.to_string());
        let (held, wanted) = (named(&held), named(&wanted));
        if facts.types.same_collation(&held, &wanted) {
            return Ok(());
        }
        Err(format!("it is sorted by collation `{held}`, and the look-up compares by `{wanted}`"))
    }

    fn is_rowid(&self, parent: &Column) -> bool {
        let table = self.key.and_then(|k| self.schema.table(&k.parent));
        table.is_some_and(|t| t.is_rowid(parent))
    }
}

fn is_scalar(family: Family) -> bool {
    !matches!(family, Family::Json | Family::Array | Family::Any | Family::Other | Family::Network)
}

/// Types that one PostgreSQL operator family compares with each other.
fn operator_family(data_type: &DataType) -> &str {
    match data_type.base.as_str() {
        "int2" | "int4" | "int8" => "integer",
        "float4" | "float8" => "float",
        "text" | "varchar" | "name" => "text",
        "date" | "timestamp" | "timestamptz" => "datetime",
        "inet" | "cidr" => "network",
        other => other,
    }
}

fn shown(data_type: &DataType) -> String {
    if data_type.raw.is_empty() { "without a type".to_string() } else { format!("`{}`", data_type.raw) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Collation, Key, TableName};
    use crate::testing::schema;

    fn key(columns: &[&str]) -> Vec<String> {
        columns.iter().map(ToString::to_string).collect()
    }

    fn graded(schema: &Schema, table: &str, columns: &[&str]) -> Grade {
        grade(schema, schema.table(&table.into()).unwrap(), &key(columns)).0
    }

    #[test]
    fn keys_without_a_listed_index_count_as_one() {
        let mut s = schema(Engine::Sqlite, &["t: id integer pk, a integer, b integer"]);
        s.tables[0].indexes.clear();
        s.tables[0].unique_keys.push(Key::new(["b", "a"]));
        assert_eq!(graded(&s, "t", &["id"]), Grade::Covers);
        assert_eq!(graded(&s, "t", &["a", "b"]), Grade::Covers);
        assert_eq!(graded(&s, "t", &["a"]), Grade::Useless);
        assert_eq!(graded(&s, "t", &["b"]), Grade::Covers);
    }

    #[test]
    fn invalid_index_is_of_no_use_and_says_so() {
        let mut s = schema(Engine::Postgres, &["t: id int8 pk, a int8 index"]);
        assert_eq!(graded(&s, "t", &["a"]), Grade::Covers);
        let index = s.tables[0].indexes.iter_mut().find(|i| i.name == "t_a_idx").unwrap();
        index.valid = false;
        let index = index.clone();
        assert_eq!(graded(&s, "t", &["a"]), Grade::Useless);
        let why = obstacle(&s, &s.tables[0], &index, &key(&["a"])).unwrap();
        assert!(why.contains("not valid"), "{why}");
        assert_eq!(obstacle(&s, &s.tables[0], &index, &key(&["id"])), None);
    }

    #[test]
    fn key_with_a_period_is_searched_by_overlap() {
        let mut s = schema(Engine::Postgres, &["p: id int8 pk, valid daterange pk", "c: id int8, during daterange"]);
        let key = ForeignKey { temporal: true, ..ForeignKey::new(["id", "during"], "p".into(), ["id", "valid"]) };
        let child = s.table_mut(&"c".into()).unwrap();
        child.foreign_keys.push(key);
        child.indexes.push(Index::on("ix", ["id", "during"]));
        assert_eq!(graded(&s, "c", &["id", "during"]), Grade::Helps, "a btree");
        s.table_mut(&"c".into()).unwrap().indexes[0].method = "gist".into();
        assert_eq!(graded(&s, "c", &["id", "during"]), Grade::Covers);
    }

    #[test]
    fn nondeterministic_parent_imposes_its_collation_on_postgres() {
        let mut s = schema(Engine::Postgres, &["p: code text pk", "c: code text >p.code index"]);
        assert_eq!(graded(&s, "c", &["code"]), Grade::Covers);
        let collation = Collation { name: "ci".into(), deterministic: false };
        s.table_mut(&"p".into()).unwrap().columns[0].collation = Some(collation);
        assert_eq!(graded(&s, "c", &["code"]), Grade::Useless);
        s.table_mut(&"c".into()).unwrap().indexes[0].parts[0].collation = Some("ci".into());
        assert_eq!(graded(&s, "c", &["code"]), Grade::Covers);
    }

    #[test]
    fn partitioned_table_is_as_good_as_its_worst_partition() {
        let mut s = schema(
            Engine::Postgres,
            &["p: id int8 pk", "c: a int8 >p.id, k int8", "c1: a int8, k int8", "c2: a int8, k int8"],
        );
        s.table_mut(&"c".into()).unwrap().kind = TableKind::Partitioned;
        for part in ["c1", "c2"] {
            s.table_mut(&part.into()).unwrap().partition_of = Some("c".into());
        }
        let add = |s: &mut Schema, table: &str, columns: &[&str]| {
            s.table_mut(&TableName::new(table)).unwrap().indexes.push(Index::on(format!("{table}_ix"), key(columns)));
        };
        assert_eq!(graded(&s, "c", &["a"]), Grade::Useless);
        add(&mut s, "c1", &["a"]);
        assert_eq!(graded(&s, "c", &["a"]), Grade::Useless, "the other partition has none");
        add(&mut s, "c2", &["a", "k"]);
        assert_eq!(graded(&s, "c", &["a"]), Grade::Covers);
        for part in ["c1", "c2"] {
            s.table_mut(&part.into()).unwrap().indexes.clear();
        }
        add(&mut s, "c", &["a"]);
        assert_eq!(
            graded(&s, "c", &["a"]),
            Grade::Covers,
            "a valid index of the partitioned table is in every partition"
        );
        s.table_mut(&"c".into()).unwrap().indexes[0].valid = false;
        add(&mut s, "c1", &["a"]);
        assert_eq!(graded(&s, "c", &["a"]), Grade::Useless, "made ON ONLY, and attached for one partition");
        add(&mut s, "c2", &["a"]);
        s.table_mut(&"c2".into()).unwrap().partition_of = Some("c1".into());
        assert_eq!(graded(&s, "c", &["a"]), Grade::Covers, "a partition of a partition");
        // A schema that is wrong ends all the same.
        s.table_mut(&"c".into()).unwrap().partition_of = Some("c2".into());
        graded(&s, "c", &["a"]);
    }

    /// Holds grades against what SQLite itself does: the plan of a delete includes its look-up of child rows.
    #[test]
    fn grades_are_what_sqlite_does() {
        struct Case {
            child: &'static str,
            parent: &'static str,
            key: &'static [&'static str],
            /// What follows `CREATE INDEX ix ON ch`, and the same index as a value.
            index: &'static str,
            made: Index,
            grade: Grade,
        }
        fn case(
            types: (&'static str, &'static str),
            key: &'static [&'static str],
            index: &'static str,
            parts: &[&str],
            grade: Grade,
        ) -> Case {
            Case { child: types.0, parent: types.1, key, index, made: Index::on("ix", parts.to_vec()), grade }
        }
        fn partial(mut case: Case, predicate: &str) -> Case {
            case.made.predicate = Some(predicate.to_string());
            case
        }
        fn collated(mut case: Case, collation: &str) -> Case {
            case.made.parts[0].collation = Some(collation.to_string());
            case
        }
        let (int, text, nocase) = ("INTEGER", "TEXT", "TEXT COLLATE NOCASE");
        let (one, two): (&[&str], &[&str]) = (&["a"], &["a", "b"]);
        let (useless, helps, covers) = (Grade::Useless, Grade::Helps, Grade::Covers);
        let cases = [
            case((int, int), one, "(a)", &["a"], covers),
            case((int, int), one, "(a, x)", &["a", "x"], covers),
            case((int, int), one, "(x, a)", &["x", "a"], useless),
            case((int, int), two, "(b, a)", &["b", "a"], covers),
            case((int, int), two, "(a, x, b)", &["a", "x", "b"], helps),
            case((int, int), two, "(b)", &["b"], helps),
            case((int, int), two, "(x, a, b)", &["x", "a", "b"], useless),
            partial(case((int, int), one, "(a) WHERE a IS NOT NULL", &["a"], covers), "a IS NOT NULL"),
            partial(case((int, int), one, "(a) WHERE a NOTNULL", &["a"], covers), "a NOTNULL"),
            partial(
                case((int, int), one, "(a) WHERE a IS NOT NULL OR x > 3", &["a"], covers),
                "a IS NOT NULL OR x > 3",
            ),
            partial(case((int, int), one, "(a) WHERE NOT (a IS NULL)", &["a"], useless), "NOT (a IS NULL)"),
            partial(case((int, int), one, "(a) WHERE x IS NOT NULL", &["a"], useless), "x IS NOT NULL"),
            partial(case((int, int), one, "(a) WHERE a > 0", &["a"], useless), "a > 0"),
            partial(
                case((int, int), two, "(a) WHERE b IS NOT NULL AND a IS NOT NULL", &["a"], helps),
                "b IS NOT NULL AND a IS NOT NULL",
            ),
            case((text, int), one, "(a)", &["a"], useless),
            case(("", int), one, "(a)", &["a"], useless),
            case((int, text), one, "(a)", &["a"], covers),
            case(("BLOB", text), one, "(a)", &["a"], covers),
            case((text, ""), one, "(a)", &["a"], covers),
            case(("UUID", text), one, "(a)", &["a"], covers),
            case(("UUID", int), one, "(a)", &["a"], covers),
            case((text, nocase), one, "(a)", &["a"], useless),
            collated(case((text, nocase), one, "(a COLLATE NOCASE)", &["a"], covers), "NOCASE"),
            case((nocase, text), one, "(a)", &["a"], useless),
            case((nocase, nocase), one, "(a)", &["a"], covers),
            collated(case((text, text), one, "(a COLLATE NOCASE)", &["a"], useless), "NOCASE"),
        ];
        for Case { child, parent, key: columns, index, made, grade: expected } in cases {
            let list = columns.join(", ");
            let live = rusqlite::Connection::open_in_memory().unwrap();
            live.execute_batch(&format!(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE pa(a {parent}, b {parent}, UNIQUE ({list}));
                 CREATE TABLE ch(a {child}, b {child}, x INTEGER, FOREIGN KEY ({list}) REFERENCES pa({list}));
                 CREATE INDEX ix ON ch {index};"
            ))
            .unwrap();
            let mut plan = live.prepare("EXPLAIN QUERY PLAN DELETE FROM pa WHERE rowid = 1").unwrap();
            let lines: Vec<String> = plan.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            let line = lines.iter().find(|l| l.contains(" ch")).unwrap_or_else(|| panic!("{lines:?}"));
            let real = match columns.iter().filter(|c| line.contains(&format!("{c}=?"))).count() {
                0 => Grade::Useless,
                n if n < columns.len() => Grade::Helps,
                _ => Grade::Covers,
            };

            let mut s = Schema::new(Engine::Sqlite);
            for (name, declared) in [("ch", child), ("pa", parent)] {
                let mut table = Table::new(name.into());
                for column in ["a", "b"] {
                    let (raw, collation) = declared.split_once(" COLLATE ").unwrap_or((declared, ""));
                    let mut made = Column::new(column, DataType::parse(Engine::Sqlite, raw));
                    made.collation = (!collation.is_empty())
                        .then(|| Collation { name: collation.to_string(), deterministic: false });
                    table.columns.push(made);
                }
                s.tables.push(table);
            }
            s.tables[0].columns.push(Column::new("x", DataType::parse(Engine::Sqlite, "INTEGER")));
            s.tables[0].foreign_keys.push(ForeignKey::new(columns.to_vec(), "pa".into(), columns.to_vec()));
            s.tables[0].indexes.push(made);
            s.tables[1].unique_keys.push(Key::new(columns.to_vec()));
            let about = format!("{child} > {parent}, {index}: {line}");
            assert_eq!(real, expected, "SQLite: {about}");
            assert_eq!(graded(&s, "ch", columns), expected, "grade: {about}");
        }
    }
}
